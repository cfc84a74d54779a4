/* SPDX-License-Identifier: MIT */
/* Planning a compaction: what is planned is what is then done, move for move, whatever the callback
 * says and however the blocks lie. */
#include <string.h>

#include "heap_player.h"

static fixture fx;

#define ASKED_MAX 64

typedef struct asked {
    struct {
        uint32_t tag;
        const void *from, *to;
        size_t bytes;
    } moves[ASKED_MAX];
    size_t count;
    unsigned veto; /* of eight tags, which may not move */
} asked;

static bool note(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    asked *a = context;
    CHECK(a->count < ASKED_MAX);
    a->moves[a->count].tag = tag;
    a->moves[a->count].from = from;
    a->moves[a->count].to = to;
    a->moves[a->count++].bytes = bytes;
    return (a->veto >> tag % 8 & 1) == 0;
}

static th_heap_plan plan(asked *a, unsigned veto) {
    memset(a, 0, sizeof *a);
    a->veto = veto;
    remember_blocks(&fx);
    th_heap_plan result = th_heap_plan_compaction(&fx.heap, note, a);
    expect_blocks_unchanged(&fx);
    return result;
}

/* The compaction that was planned asks and does the same. */
static void expect_as_planned(const asked *planned, const th_heap_plan *due) {
    asked a = {.veto = planned->veto};
    th_heap_compaction result = checked_compact(&fx, note, &a);
    CHECK_EQ(memcmp(&a, planned, sizeof a), 0);
    CHECK_EQ(result.blocks_moved, due->blocks_moved);
    CHECK_EQ(result.blocks_vetoed, due->blocks_vetoed);
    CHECK_EQ(result.bytes_moved, due->bytes_moved);
    CHECK_EQ(th_heap_largest_free_bytes(&fx.heap), due->largest_free_bytes);
}

static void a_plan_is_what_a_compaction_does(void) {
    static player p;
    static const th_heap_layout layouts[] = {TH_HEAP_LAYOUT_CLASSIC, TH_HEAP_LAYOUT_LEAN,
                                             TH_HEAP_LAYOUT_WIDE};
    uint64_t seed = th_test_seed(0x706C616E);
    unsigned moved = 0, vetoed = 0;
    for (size_t i = 0; i < 9; i++) {
        const th_heap_config config = {.alignment = (size_t)4 << i % 3, .layout = layouts[i / 3]};
        if (!th_heap_has_layout(config.layout)) {
            continue;
        }
        fixture_start_with(&fx, 0, 4000, &config);
        for (unsigned round = 0; round < 60; round++) {
            static asked a;
            /* The player's contents are of no interest, and die with each round. */
            player_start(&p, &fx, seed + 100 * i + round);
            for (unsigned step = 0; step < 25; step++) {
                player_step(&p);
            }
            th_heap_plan due = plan(&a, (unsigned)th_test_random(&seed) & 0xFF);
            moved += due.blocks_moved;
            vetoed += due.blocks_vetoed;
            expect_as_planned(&a, &due);
            (void)checked_free_tags(&fx, 0, fx.heap.tag_free - 1);
        }
        fixture_stop(&fx);
    }
    CHECK(moved > 200 && vetoed > 200);
}

static void without_a_callback_all_may_move(void) {
    fixture_start(&fx, 4, 200);
    void *a = checked_alloc(&fx, 40, 1);
    CHECK(checked_alloc(&fx, 20, 2) != NULL);
    void *c = checked_alloc(&fx, 80, 3);
    CHECK(checked_alloc(&fx, 10, 4) != NULL);
    CHECK(checked_free(&fx, a) > 0);
    CHECK(checked_free(&fx, c) > 0);
    th_heap_plan due = th_heap_plan_compaction(&fx.heap, NULL, NULL);
    CHECK(due.blocks_moved == 2 && due.bytes_moved == 30 && due.blocks_vetoed == 0);
    CHECK_EQ(due.largest_free_bytes, (200 - 4 * 6 - 5 - 3) * 4);
    CHECK_EQ(checked_compact(&fx, NULL, NULL).blocks_moved, 2);
    CHECK_EQ(th_heap_largest_free_bytes(&fx.heap), due.largest_free_bytes);
    due = th_heap_plan_compaction(&fx.heap, NULL, NULL);
    CHECK(due.blocks_moved == 0 && due.bytes_moved == 0);
    fixture_stop(&fx);
}

/* Free blocks among TAIL blocks count, too; a full heap has none. */
static void the_largest_free_block_may_lie_anywhere(void) {
    fixture_start(&fx, 4, 140);
    CHECK(checked_alloc(&fx, 40, 1) != NULL);
    void *t = checked_alloc(&fx, 200, 0x4001);
    CHECK(checked_alloc(&fx, 40, 0x4002) != NULL);
    CHECK(checked_free(&fx, t) > 0);
    CHECK_EQ(th_heap_plan_compaction(&fx.heap, NULL, NULL).largest_free_bytes, 200);
    CHECK(checked_alloc(&fx, 200, 0x4003) != NULL);
    size_t rest = th_heap_largest_free_bytes(&fx.heap);
    CHECK_EQ(th_heap_plan_compaction(&fx.heap, NULL, NULL).largest_free_bytes, rest);
    CHECK(checked_alloc(&fx, rest, 2) != NULL);
    CHECK_EQ(th_heap_plan_compaction(&fx.heap, NULL, NULL).largest_free_bytes, 0);
    fixture_stop(&fx);
}

static void a_zeroed_heap_has_no_plan(void) {
    static const th_heap none;
    th_heap_plan due = th_heap_plan_compaction(&none, NULL, NULL);
    CHECK(due.blocks_moved == 0 && due.largest_free_bytes == 0);
}

static void a_broken_link_ends_the_plan(void) {
    const th_heap_config config = {.alignment = 4};
    fixture_start_with(&fx, 0, 800, &config);
    void *a = checked_alloc(&fx, 40, 1);
    void *b = checked_alloc(&fx, 40, 2);
    CHECK(checked_free(&fx, a) > 0);
    th_heap broken = fx.heap;
    broken.last = (uint32_t)((unsigned char *)b - fx.region) / 4 - 6 - 1; /* b is beyond it */
    th_heap_plan due = th_heap_plan_compaction(&broken, NULL, NULL);
    CHECK(due.blocks_moved == 0 && due.largest_free_bytes == 0);
    fixture_stop(&fx);
}

TH_SUITE("heap_plan", TEST(a_plan_is_what_a_compaction_does), TEST(without_a_callback_all_may_move),
         TEST(the_largest_free_block_may_lie_anywhere), TEST(a_zeroed_heap_has_no_plan),
         TEST(a_broken_link_ends_the_plan))
