/* SPDX-License-Identifier: MIT */
/* The frame arena: two frames of life, exhaustion that is told, guards. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/frame.h"

#define FRAME  256
#define POISON 0xFDu

static alignas(64) unsigned char memory[2 * FRAME + 32];
static th_frame frame;
static backing own;
static fault_log faults;

static void start(int level) {
    const th_frame_config config = {.frame_bytes = FRAME,
                                    .backing = backing_start(&own),
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_frame_init(&frame, &config), TH_OK);
}

static void stop(void) {
    static const th_frame zeroed;
    th_fault fault;
    CHECK_EQ(th_frame_check(&frame, &fault), TH_OK);
    th_frame_clean_up(&frame);
    CHECK(memcmp(&frame, &zeroed, sizeof frame) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

static void live_two_frames(int level) {
    unsigned char *before = NULL;
    start(level);
    for (uint32_t n = 0; n < 8; n++) {
        CHECK_EQ(th_frame_get_stats(&frame).frames, n);
        unsigned char *a = th_frame_alloc(&frame, 100);
        unsigned char *b = th_frame_alloc_aligned(&frame, 60, 64);
        CHECK(a != NULL && b != NULL && (uintptr_t)b % 64 == 0);
        fill(a, 100, n);
        fill(b, 60, n + 100);
        CHECK(before == NULL || filled(before, 100, n - 1));
        CHECK(th_frame_owns(&frame, a) && (before == NULL || th_frame_owns(&frame, before)));
        CHECK_EQ(th_frame_flip(&frame), TH_OK);
        CHECK(filled(a, 100, n) && filled(b, 60, n + 100));
        CHECK(before == NULL || !th_frame_owns(&frame, before));
        before = a;
    }
    CHECK_EQ(own.allocs, 1);
    stop();
}

static void a_block_lives_to_the_end_of_the_next_frame(void) {
    at_levels(0, live_two_frames);
}

/* Whatever a frame's size is, each buffer takes a block of that size. */
static void fill_odd_frames(int level) {
    for (size_t bytes = FRAME; bytes < FRAME + TH_ALLOCATOR_ALIGNMENT; bytes++) {
        const th_frame_config config = {.frame_bytes = bytes,
                                        .backing = backing_start(&own),
                                        .guarding = guarding_with(&faults, level)};
        CHECK_EQ(th_frame_init(&frame, &config), TH_OK);
        for (unsigned n = 0; n < 3; n++) {
            unsigned char *whole = th_frame_alloc(&frame, bytes);
            CHECK(whole != NULL && (uintptr_t)whole % TH_ALLOCATOR_ALIGNMENT == 0);
            fill(whole, bytes, n);
            CHECK_EQ(th_frame_flip(&frame), TH_OK);
            CHECK(filled(whole, bytes, n));
        }
        stop();
    }
}

static void both_buffers_are_aligned_and_whole(void) {
    at_levels(0, fill_odd_frames);
}

static void run_out(int level) {
    start(level);
    unsigned char *old = th_frame_alloc(&frame, FRAME);
    fill(old, FRAME, 1);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    unsigned char *block = th_frame_alloc(&frame, FRAME - 16);
    fill(block, FRAME - 16, 2);
    for (size_t i = 1; i <= 5; i++) {
        CHECK(th_frame_alloc(&frame, 17) == NULL);
        CHECK_EQ(th_frame_get_stats(&frame).failed_in_frame, i);
    }
    CHECK(th_frame_alloc(&frame, 0) == NULL);
    CHECK(th_frame_alloc(&frame, SIZE_MAX) == NULL);
    CHECK(th_frame_alloc_aligned(&frame, 1, 3) == NULL);
    CHECK(th_frame_alloc(&frame, 16) != NULL);
    CHECK(filled(old, FRAME, 1) && filled(block, FRAME - 16, 2));
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    th_frame_stats stats = th_frame_get_stats(&frame);
    CHECK_EQ(stats.failed_in_frame, 0);
    CHECK_EQ(stats.failed_allocs, 6);
    CHECK_EQ(stats.used_bytes, 0);
    CHECK_EQ(stats.used_before_bytes, FRAME);
    CHECK_EQ(stats.high_water_bytes, FRAME);
    CHECK_EQ(stats.allocs, 3);
    CHECK(th_frame_alloc(&frame, FRAME) == old);
    stop();
}

static void exhaustion_is_told_and_recycles_nothing(void) {
    at_levels(0, run_out);
}

static void use_the_callers_memory(int level) {
    for (size_t skew = 0; skew < 17; skew++) {
        const th_frame_config config = {.memory = memory + skew,
                                        .memory_bytes = sizeof memory - skew,
                                        .guarding = guarding_with(&faults, level)};
        memset(memory, 0x5C, sizeof memory);
        CHECK_EQ(th_frame_init(&frame, &config), TH_OK);
        size_t bytes = th_frame_get_stats(&frame).frame_bytes;
        CHECK(bytes % 16 == 0 && 2 * bytes + 15 + 31 >= sizeof memory - skew);
        unsigned char *first = th_frame_alloc(&frame, bytes);
        fill(first, bytes, 1);
        CHECK_EQ(th_frame_flip(&frame), TH_OK);
        unsigned char *second = th_frame_alloc(&frame, bytes);
        fill(second, bytes, 2);
        CHECK(first >= memory + skew && second == first + bytes);
        CHECK(second + bytes <= memory + sizeof memory);
        CHECK(filled(first, bytes, 1));
        th_frame_clean_up(&frame);
        for (size_t i = 0; i < skew; i++) {
            CHECK_EQ(memory[i], 0x5C);
        }
        CHECK_EQ(faults.count, 0);
    }
}

static void both_buffers_may_be_the_callers(void) {
    at_levels(0, use_the_callers_memory);
}

static void init_refuses_bad_arguments(void) {
    const th_allocator backing_good = backing_start(&own);
    const struct {
        th_frame_config config;
        th_status status;
    } cases[] = {
        {{.frame_bytes = FRAME}, TH_ERR_NULL},
        {{.frame_bytes = FRAME, .guarding.level = 4, .backing = backing_good}, TH_ERR_CONFIG},
        {{.frame_bytes = FRAME, .guarding.level = -1, .backing = backing_good}, TH_ERR_CONFIG},
        {{.memory = memory, .memory_bytes = 64, .backing = backing_good}, TH_ERR_CONFIG},
        {{.frame_bytes = 0, .backing = backing_good}, TH_ERR_TOO_SMALL},
        {{.memory = memory, .memory_bytes = 31}, TH_ERR_TOO_SMALL},
        {{.memory = memory + 1, .memory_bytes = 46}, TH_ERR_TOO_SMALL},
        {{.memory = memory, .memory_bytes = SIZE_MAX}, TH_ERR_TOO_LARGE},
        {{.frame_bytes = SIZE_MAX, .backing = backing_good}, TH_ERR_TOO_LARGE},
    };
    memset(&frame, 7, sizeof frame);
    th_frame same = frame;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(th_frame_init(&frame, &cases[i].config), cases[i].status);
    }
    CHECK_EQ(th_frame_init(NULL, &cases[0].config), TH_ERR_NULL);
    CHECK_EQ(th_frame_init(&frame, NULL), TH_ERR_NULL);
    own.left = 0;
    const th_frame_config good = {.frame_bytes = FRAME, .backing = backing_good};
    CHECK_EQ(th_frame_init(&frame, &good), TH_ERR_EXHAUSTED);
    CHECK(memcmp(&frame, &same, sizeof frame) == 0);
}

static void nothing_works_after_clean_up(void) {
    start(0);
    CHECK(th_frame_alloc(&frame, 8) != NULL);
    th_frame_clean_up(&frame);
    CHECK(th_frame_alloc(&frame, 8) == NULL);
    CHECK(!th_frame_resize_in_place(&frame, memory, 8));
    CHECK_EQ(th_frame_flip(&frame), TH_ERR_NULL);
    CHECK_EQ(th_frame_get_stats(&frame).frames, 0);
    CHECK_EQ(th_frame_check(&frame, NULL), TH_ERR_NULL);
    CHECK(!th_frame_owns(&frame, memory));
    th_frame_clean_up(&frame);
    th_frame_clean_up(NULL);
}

static void use_as_allocator(int level) {
    bool moved = true;
    start(level);
    th_allocator allocator = th_frame_allocator(&frame);
    unsigned char *block = th_allocator_alloc(allocator, 20);
    fill(block, 20, 1);
    CHECK(!th_frame_resize_in_place(&frame, NULL, 8));
    CHECK(th_allocator_realloc(allocator, block, 20, 40, 16, &moved) == block && !moved);
    CHECK(th_allocator_alloc(allocator, 16) != NULL);
    CHECK(th_allocator_realloc(allocator, block, 40, 30, 16, &moved) == block && !moved);
    unsigned char *other = th_allocator_realloc(allocator, block, 20, 80, 16, &moved);
    CHECK(moved && filled(other, 20, 1));
    CHECK(th_allocator_realloc(allocator, block, 20, 200, 16, &moved) == NULL && !moved);
    th_allocator_free(allocator, block);
    CHECK(th_allocator_owns(allocator, other));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK(!th_allocator_owns(allocator, other));
    stop();
}

static void a_frame_is_an_allocator(void) {
    at_levels(0, use_as_allocator);
}

/* Damage is noticed when its frame ends its second life, and nothing is flipped. */
static void smash(int level) {
    start(level);
    unsigned char *a = th_frame_alloc(&frame, 20);
    CHECK(th_frame_alloc(&frame, 30) != NULL);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    unsigned char due = poke(a + 25, 0x41);
    CHECK_EQ(th_frame_flip(&frame), TH_ERR_CORRUPT);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, 25, due, 0x41);
    CHECK_EQ(th_frame_get_stats(&frame).frames, 1);
    CHECK_EQ(th_frame_check(&frame, NULL), TH_ERR_CORRUPT);
    CHECK_EQ(poke(a + 25, due), 0x41);
    unsigned char *b = th_frame_alloc(&frame, 10);
    due = poke(b + 10, 0x42);
    CHECK(!th_frame_resize_in_place(&frame, b, 30));
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 1, 0, 10, due, 0x42);
    CHECK_EQ(th_frame_check(&frame, NULL), TH_ERR_CORRUPT);
    CHECK_EQ(poke(b + 10, due), 0x42);
    stop();
}

static void an_overflow_is_noticed(void) {
    at_levels(1, smash);
}

static void write_too_late(int level) {
    start(level);
    unsigned char *a = th_frame_alloc(&frame, 100);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    CHECK_EQ(poke(a + 70, 0x41), POISON);
    CHECK(th_frame_alloc(&frame, 100) == NULL);
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 0, 0, 70, POISON, 0x41);
    CHECK_EQ(th_frame_get_stats(&frame).failed_allocs, 0);
    CHECK_EQ(poke(a + 70, POISON), 0x41);
    CHECK(th_frame_alloc(&frame, 100) == a);
    stop();
}

static void a_write_two_frames_late_is_noticed(void) {
    at_levels(2, write_too_late);
}

static void bring_back_bad_pointers(int level) {
    start(level);
    unsigned char *a = th_frame_alloc(&frame, 20);
    th_allocator allocator = th_frame_allocator(&frame);
    th_allocator_free(allocator, a + 32);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 32, 20, 32);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    th_allocator_free(allocator, a);
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    CHECK(th_frame_alloc(&frame, 8) != NULL);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    th_allocator_free(allocator, a + 10); /* in the frame before, above what it holds */
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 10, 8, 10);
    CHECK(!th_frame_resize_in_place(&frame, memory, 8));
    CHECK_EQ(faults.first.kind, TH_FAULT_FOREIGN);
    faults.count = 0;
    bool moved;
    CHECK(th_allocator_realloc(allocator, memory, 8, 4, 16, &moved) == NULL);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    stop();
}

static void bad_pointers_are_noticed(void) {
    at_levels(1, bring_back_bad_pointers);
}

static void clean_up_with_damage(int level) {
    start(level);
    unsigned char *a = th_frame_alloc(&frame, 20);
    CHECK_EQ(th_frame_flip(&frame), TH_OK);
    unsigned char *b = th_frame_alloc(&frame, 20);
    (void)poke(a + 20, 0x41);
    (void)poke(b + 20, 0x41);
    th_frame_clean_up(&frame);
    CHECK_EQ(faults.count, 2);
    backing_stop(&own);
}

static void clean_up_reports_and_goes_on(void) {
    at_levels(1, clean_up_with_damage);
}

typedef struct model {
    unsigned char *blocks[2][64];
    size_t bytes[2][64];
    size_t counts[2];
    uint32_t frames;
} model;

static void check_model(const model *m) {
    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; i < m->counts[f]; i++) {
            CHECK(filled(m->blocks[f][i], m->bytes[f][i], (uint32_t)(f * 100 + i)));
        }
    }
    CHECK_EQ(th_frame_check(&frame, NULL), TH_OK);
    CHECK_EQ(th_frame_get_stats(&frame).frames, m->frames);
    CHECK_EQ(faults.count, 0);
}

static void play_at_random(int level) {
    uint64_t state = th_test_seed(60 + (uint64_t)level);
    model m = {.frames = 0};
    start(level);
    for (unsigned step = 0; step < 2000; step++) {
        uint64_t random = th_test_random(&state);
        if (random >> 60 == 0) {
            CHECK_EQ(th_frame_flip(&frame), TH_OK);
            m.frames++;
            m.counts[m.frames % 2] = 0;
        } else {
            size_t f = m.frames % 2;
            size_t i = m.counts[f];
            size_t bytes = 1 + (size_t)(random % 40);
            unsigned char *block =
                th_frame_alloc_aligned(&frame, bytes, (size_t)1 << (random >> 8) % 6);
            if (block != NULL && i < 64) {
                fill(block, bytes, (uint32_t)(f * 100 + i));
                m.blocks[f][i] = block;
                m.bytes[f][i] = bytes;
                m.counts[f]++;
            }
        }
        check_model(&m);
    }
    stop();
}

static void a_simple_model_agrees(void) {
    at_levels(0, play_at_random);
}

TH_SUITE("frame", TEST(a_block_lives_to_the_end_of_the_next_frame),
         TEST(both_buffers_are_aligned_and_whole), TEST(exhaustion_is_told_and_recycles_nothing),
         TEST(both_buffers_may_be_the_callers), TEST(init_refuses_bad_arguments),
         TEST(nothing_works_after_clean_up), TEST(a_frame_is_an_allocator),
         TEST(an_overflow_is_noticed), TEST(a_write_two_frames_late_is_noticed),
         TEST(bad_pointers_are_noticed), TEST(clean_up_reports_and_goes_on),
         TEST(a_simple_model_agrees))
