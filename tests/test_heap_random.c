/* SPDX-License-Identifier: MIT */
/* Long random runs against the player's shadow, at every alignment and guard level, with the heap
 * moved to another address again and again. TH_SEED repeats a run. */
#include "heap_player.h"

static fixture fixtures[2];
static player players[2];

enum { STEPS = TH_TEST_TIMES(5000) };

/* Every 200 steps the heap goes on at another address, which is as good a multiple of 256. */
static void play(size_t alignment, int guard, uint64_t seed) {
    th_heap_config config = {.alignment = alignment, .guarding.level = guard};
    size_t at = 0;
    fixture_start_with(&fixtures[0], 256, 6000, &config);
    player_start(&players[0], &fixtures[0], seed);
    for (int step = 1; step <= STEPS; step++) {
        player_step(&players[at]);
        if (step % 200 == 0) {
            th_heap_config same = config;
            fixture *from = &fixtures[at];
            fixture *to = &fixtures[1 - at];
            fixture_prepare(to, 256 * (size_t)(step / 200 % 3), 6000, &same);
            CHECK_EQ(th_heap_copy(&from->heap, &to->heap, to->region), TH_OK);
            to->live = true;
            to->heap.config = same;
            player_follow(&players[1 - at], to, &players[at]);
            fixture_stop(from);
            at = 1 - at;
        }
    }
    const player *p = &players[at];
    CHECK(p->failed > 0);
    CHECK(p->moved > 0 && p->vetoed > 0);
    checked_free_tags(p->f, 0, TH_TAG_TAIL_MAX);
    CHECK_EQ(stats_of(&p->f->heap).used_bytes, 0);
    CHECK_EQ(stats_of(&p->f->heap).free_blocks, 1);
    fixture_stop(p->f);
}

static void play_at_alignment(size_t alignment) {
    uint64_t seed = th_test_seed(0x7461676865617000 + alignment);
    play(alignment, 0, seed);
    play(alignment, th_guard_max(), seed + 1);
}

static void random_run_at_alignment_4(void) {
    play_at_alignment(4);
}

static void random_run_at_alignment_8(void) {
    play_at_alignment(8);
}

static void random_run_at_alignment_16(void) {
    play_at_alignment(16);
}

/* Guards change what is noticed, never what is decided: the same run at every level. */
static void guards_decide_nothing(void) {
    uint64_t seed = th_test_seed(0x67756172);
    th_heap_config config = {.alignment = 8};
    fixture_start_with(&fixtures[0], 0, 6000, &config);
    player_start(&players[0], &fixtures[0], seed);
    for (int step = 0; step < 600; step++) {
        player_step(&players[0]);
    }
    for (int guard = 1; guard <= 3; guard++) {
        config.guarding.level = guard;
        fixture_start_with(&fixtures[1], 256, 6000, &config);
        player_start(&players[1], &fixtures[1], seed);
        for (int step = 0; step < 600; step++) {
            player_step(&players[1]);
        }
        player_expect_same(&players[0], &players[1]);
        fixture_stop(&fixtures[1]);
    }
    fixture_stop(&fixtures[0]);
}

/* 24 blocks of random sizes, every fifth a TAIL block, of which about half are freed again. */
static void scatter(fixture *f, size_t alignment, uint64_t state) {
    fixture_start(f, alignment, 600);
    for (uint32_t block = 0; block < 24; block++) {
        uint32_t side = block % 5 == 4 ? 0x4000 : 0;
        size_t bytes = 1 + (size_t)(th_test_random(&state) % 50);
        void *payload = checked_alloc(f, bytes, side + block);
        CHECK(payload != NULL);
        fill(payload, bytes, block);
    }
    for (uint32_t block = 0; block < 24; block++) {
        uint32_t tag = (block % 5 == 4 ? 0x4000 : 0) + block;
        if (th_test_random(&state) % 2 == 0) {
            CHECK_EQ(checked_free_tags(f, tag, tag), 1);
        }
    }
}

static void expect_one_free_block_below_the_tail_side(const th_heap *heap) {
    th_heap_block block;
    unsigned count = 0;
    th_heap_first(heap, &block);
    while (block.next_offset != 0 && (block.tag <= TH_TAG_HEAD_MAX || block.tag == FREE)) {
        count += block.tag == FREE ? 1 : 0;
        CHECK(block.tag == FREE || filled(block.payload, block.requested_bytes, block.tag));
        CHECK(th_heap_next(heap, &block));
    }
    CHECK_EQ(count, 1);
}

static size_t compact_in_steps(fixture *f, size_t budget) {
    size_t bytes_moved = 0;
    th_heap_compaction step;
    do {
        step = checked_compact_some(f, budget, NULL, NULL);
        CHECK(step.bytes_moved <= budget || step.blocks_moved == 1);
        bytes_moved += step.bytes_moved;
    } while (!step.done);
    return bytes_moved;
}

/* With no veto and no specially aligned block, a pass leaves one free block below the TAIL side,
 * and steps of any budget come to the same end as the whole pass. */
static void steps_end_where_the_whole_pass_ends(void) {
    uint64_t state = th_test_seed(0x73746570);
    for (int round = 0; round < 60; round++) {
        scatter(&fixtures[0], (size_t)4 << round % 3, state);
        scatter(&fixtures[1], (size_t)4 << round % 3, state);
        th_heap_compaction whole = checked_compact(&fixtures[0], NULL, NULL);
        size_t budget = (size_t)(th_test_random(&state) % 100);
        CHECK_EQ(compact_in_steps(&fixtures[1], budget), whole.bytes_moved);
        expect_same_heaps(&fixtures[0].heap, &fixtures[1].heap);
        expect_one_free_block_below_the_tail_side(&fixtures[0].heap);
        expect_one_free_block_below_the_tail_side(&fixtures[1].heap);
        fixture_stop(&fixtures[0]);
        fixture_stop(&fixtures[1]);
    }
}

TH_SUITE("heap_random", TEST(random_run_at_alignment_4), TEST(random_run_at_alignment_8),
         TEST(random_run_at_alignment_16), TEST(guards_decide_nothing),
         TEST(steps_end_where_the_whole_pass_ends))
