/* SPDX-License-Identifier: MIT */
/* The arena's marks: rollback, stale marks, and everything together at random. */
#include <string.h>

#include "arena_fixture.h"
#include "heap_fixture.h"

/* ---- marks ---------------------------------------------------------------------------------- */

static void roll_back(int level) {
    arena_start(level);
    th_arena_mark bottom = th_arena_take_mark(&arena);
    unsigned char *kept = arena_take(50, 1);
    for (unsigned round = 0; round < 5; round++) {
        th_arena_mark mark = th_arena_take_mark(&arena);
        size_t used = th_arena_get_stats(&arena).used_bytes;
        for (uint32_t i = 0; i < 20; i++) {
            (void)arena_take(100, i);
            (void)arena_take(i % 7 == 0 ? 2000 : 10, i);
        }
        CHECK_EQ(th_arena_rollback(&arena, &mark), TH_OK);
        CHECK_EQ(th_arena_get_stats(&arena).used_bytes, used);
        CHECK_EQ(th_arena_get_stats(&arena).large_chunks, 0);
        CHECK(filled(kept, 50, 1));
        arena_is_sound();
        CHECK_EQ(th_arena_rollback(&arena, &mark), TH_OK); /* it stays good */
    }
    CHECK_EQ(th_arena_rollback(&arena, &bottom), TH_OK);
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 0);
    arena_stop();
}

static void rollback_frees_what_came_after_the_mark(void) {
    at_levels(0, roll_back);
}

static void expect_stale(const th_arena_mark *mark) {
    size_t used = th_arena_get_stats(&arena).used_bytes;
    CHECK_EQ(th_arena_rollback(&arena, mark), TH_ERR_CORRUPT);
    CHECK_EQ(faults.first.kind, TH_FAULT_DOUBLE_FREE);
    CHECK_EQ(faults.first.expected, used);
    CHECK_EQ(faults.first.found, mark->position);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, used);
    faults.count = 0;
}

static void go_stale(int level) {
    th_arena other;
    arena_start(level);
    (void)arena_take(16, 0);
    th_arena_mark low = th_arena_take_mark(&arena);
    (void)arena_take(100, 1);
    th_arena_mark high = th_arena_take_mark(&arena);
    th_arena_mark same = th_arena_take_mark(&arena); /* nothing lies between the two */
    CHECK_EQ(th_arena_rollback(&arena, &high), TH_OK);
    CHECK_EQ(th_arena_rollback(&arena, &same), TH_OK);
    CHECK_EQ(th_arena_rollback(&arena, &low), TH_OK);
    expect_stale(&same);
    expect_stale(&high); /* above the end */
    (void)arena_take(300, 2);
    expect_stale(&high); /* inside a block that it knows nothing of */
    th_arena_mark newer = th_arena_take_mark(&arena);
    CHECK_EQ(th_arena_rollback(&arena, &newer), TH_OK);
    expect_stale(&high);
    CHECK_EQ(th_arena_rollback(&arena, &low), TH_OK);
    CHECK_EQ(th_arena_reset(&arena), TH_OK);
    (void)arena_take(200, 3);
    expect_stale(&low);
    expect_stale(&newer);
    th_arena_mark zero = {.arena = &arena};
    expect_stale(&zero);
    CHECK_EQ(th_arena_init(&other, &arena.config), TH_OK);
    th_arena_mark foreign = th_arena_take_mark(&other);
    CHECK_EQ(th_arena_rollback(&arena, &foreign), TH_ERR_CORRUPT);
    EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0, 0);
    th_arena_clean_up(&other);
    arena_stop();
}

static void stale_marks_are_noticed(void) {
    at_levels(1, go_stale);
}

/* A mark in a chunk that has gone, at the very position of the one that is left. */
static void lose_a_chunk(int level) {
    arena_start(level);
    size_t room = arena_capacity();
    (void)arena_take(room, 1);
    th_arena_mark full = th_arena_take_mark(&arena);
    unsigned char *block = arena_take(16, 2);
    th_arena_free(&arena, block);
    th_arena_mark next = th_arena_take_mark(&arena);
    CHECK_EQ(th_arena_get_stats(&arena).chunks, 2);
    CHECK_EQ(th_arena_rollback(&arena, &full), TH_OK);
    expect_stale(&next);
    unsigned char *large = arena_take(600, 3);
    th_arena_mark beside = th_arena_take_mark(&arena);
    CHECK_EQ(th_arena_rollback(&arena, &full), TH_OK);
    (void)large;
    (void)arena_take(100, 4);
    (void)arena_take(1000, 5);
    expect_stale(&beside);
    arena_stop();
}

static void a_mark_in_a_lost_chunk_is_stale(void) {
    at_levels(1, lose_a_chunk);
}

static void nest_deeply(int level) {
    th_arena_mark marks[20];
    arena_start(level);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 20; i++) {
            marks[i] = th_arena_take_mark(&arena);
            (void)arena_take(20, i);
        }
        for (uint32_t i = 0; i < 20; i += 2) { /* ever higher, below what is there */
            CHECK_EQ(th_arena_rollback(&arena, &marks[19]), TH_OK);
            (void)arena_take(20, i);
            th_arena_mark top = th_arena_take_mark(&arena);
            (void)arena_take(20, i);
            CHECK_EQ(th_arena_rollback(&arena, &top), TH_OK);
        }
        for (uint32_t i = 20; i-- > 0;) {
            CHECK_EQ(th_arena_rollback(&arena, &marks[i]), TH_OK);
        }
        arena_is_sound();
    }
    arena_stop();
}

static void good_marks_stay_good_at_any_depth(void) {
    at_levels(0, nest_deeply);
}

/* Rollbacks to one place again and again need one note, and crowd no other out. */
static void repeat_a_rollback(int level) {
    arena_start(level);
    (void)arena_take(16, 0);
    th_arena_mark low = th_arena_take_mark(&arena);
    (void)arena_take(100, 1);
    th_arena_mark stale = th_arena_take_mark(&arena);
    CHECK_EQ(th_arena_rollback(&arena, &low), TH_OK);
    (void)arena_take(200, 2);
    th_arena_mark high = th_arena_take_mark(&arena);
    for (uint32_t i = 0; i < 3 * TH_ARENA_NOTES; i++) {
        (void)arena_take(20, i);
        CHECK_EQ(th_arena_rollback(&arena, &high), TH_OK);
    }
    expect_stale(&stale);
    arena_stop();
}

static void repeated_rollbacks_crowd_no_note_out(void) {
    at_levels(1, repeat_a_rollback);
}

/* More rollbacks to ever higher positions than the arena remembers: no good mark is refused. */
static void forget_notes(int level) {
    th_arena_mark marks[2 * TH_ARENA_NOTES];
    arena_start(level);
    for (uint32_t i = 0; i < 2 * TH_ARENA_NOTES; i++) {
        marks[i] = th_arena_take_mark(&arena);
        CHECK_EQ(th_arena_rollback(&arena, &marks[i]), TH_OK);
        (void)arena_take(20, i);
    }
    CHECK(arena.notes <= TH_ARENA_NOTES);
    for (uint32_t i = 2 * TH_ARENA_NOTES; i-- > 0;) {
        CHECK_EQ(th_arena_rollback(&arena, &marks[i]), TH_OK);
    }
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 0);
    arena_stop();
}

static void forgotten_rollbacks_refuse_no_good_mark(void) {
    at_levels(0, forget_notes);
}

/* ---- at random ------------------------------------------------------------------------------ */

typedef struct model_block {
    unsigned char *at;
    size_t bytes;
    uint32_t seed;
} model_block;

#define MODEL_BLOCKS 200
#define MODEL_MARKS  12

typedef struct model {
    model_block blocks[MODEL_BLOCKS];
    size_t count;
    th_arena_mark marks[MODEL_MARKS];
    size_t counts[MODEL_MARKS]; /* blocks at each mark */
    size_t marked;
} model;

static void model_alloc(model *m, uint64_t random) {
    size_t bytes = 1 + (size_t)((random >> 4) % (random % 16 == 0 ? 1500 : 120));
    size_t alignment = (size_t)1 << (random >> 20) % 9;
    unsigned char *block = th_arena_alloc_aligned(&arena, bytes, alignment);
    CHECK(block != NULL && (uintptr_t)block % alignment == 0);
    fill(block, bytes, (uint32_t)random);
    m->blocks[m->count++] = (model_block){block, bytes, (uint32_t)random};
}

static void model_resize(model *m, uint64_t random) {
    model_block *block = &m->blocks[(size_t)random % m->count];
    size_t bytes = 1 + (size_t)((random >> 20) % 200);
    if (th_arena_resize_in_place(&arena, block->at, bytes)) {
        CHECK(filled(block->at, bytes < block->bytes ? bytes : block->bytes, block->seed));
        fill(block->at, bytes, block->seed);
        block->bytes = bytes;
    }
}

static void model_mark(model *m) {
    if (m->marked < MODEL_MARKS) {
        m->marks[m->marked] = th_arena_take_mark(&arena);
        m->counts[m->marked++] = m->count;
    }
}

static void model_rollback(model *m, uint64_t random) {
    if (m->marked > 0) {
        m->marked = (size_t)(random % m->marked) + 1;
        CHECK_EQ(th_arena_rollback(&arena, &m->marks[m->marked - 1]), TH_OK);
        m->count = m->counts[m->marked - 1];
        m->marked -= (size_t)(random >> 32 & 1);
    }
}

static void play_at_random(int level) {
    uint64_t state = th_test_seed(40 + (uint64_t)level);
    static model m;
    m.count = m.marked = 0;
    arena_start_with(level, level % 2 == 1);
    for (unsigned step = 0; step < 1500; step++) {
        uint64_t random = th_test_random(&state);
        unsigned choice = (unsigned)(random >> 58);
        if (choice == 0 || m.count == MODEL_BLOCKS) {
            CHECK_EQ(th_arena_reset(&arena), TH_OK);
            m.count = m.marked = 0;
        } else if (choice < 6) {
            model_mark(&m);
        } else if (choice < 10) {
            model_rollback(&m, random);
        } else if (choice < 20 && m.count > 0) {
            model_resize(&m, random);
        } else {
            model_alloc(&m, random);
        }
        for (size_t i = 0; i < m.count; i++) {
            CHECK(filled(m.blocks[i].at, m.blocks[i].bytes, m.blocks[i].seed));
        }
        arena_is_sound();
    }
    arena_stop();
}

static void a_simple_model_agrees(void) {
    at_levels(0, play_at_random);
}

TH_SUITE("arena_marks", TEST(rollback_frees_what_came_after_the_mark),
         TEST(stale_marks_are_noticed), TEST(a_mark_in_a_lost_chunk_is_stale),
         TEST(good_marks_stay_good_at_any_depth), TEST(repeated_rollbacks_crowd_no_note_out),
         TEST(forgotten_rollbacks_refuse_no_good_mark), TEST(a_simple_model_agrees))
