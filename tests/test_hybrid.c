/* SPDX-License-Identifier: MIT */
/* The hybrid buffer: embedded while it fits, in the backing when it does not. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/hybrid.h"

#define SMALL  64
#define POISON 0xFDu

static alignas(64) unsigned char small[SMALL];
static th_hybrid hybrid;
static backing own;
static fault_log faults;

static void start(int level) {
    const th_hybrid_config config = {.backing = backing_start(&own),
                                     .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_hybrid_init(&hybrid, small, sizeof small, &config), TH_OK);
}

static void stop(void) {
    static const th_hybrid zeroed;
    th_fault fault;
    CHECK_EQ(th_hybrid_check(&hybrid, &fault), TH_OK);
    th_hybrid_clean_up(&hybrid);
    CHECK(memcmp(&hybrid, &zeroed, sizeof hybrid) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
    memset(small, 0, sizeof small);
}

static void resize(size_t bytes, uint32_t seed) {
    CHECK_EQ(th_hybrid_resize(&hybrid, bytes), TH_OK);
    CHECK_EQ(th_hybrid_size(&hybrid), bytes);
    fill(th_hybrid_data(&hybrid), bytes, seed);
}

static void grow(int level) {
    start(level);
    for (uint32_t bytes = 1; bytes <= SMALL; bytes++) {
        resize(bytes, bytes);
        CHECK_PTR_EQ(th_hybrid_data(&hybrid), small);
        CHECK(th_hybrid_is_embedded(&hybrid));
    }
    CHECK_EQ(own.allocs, 0);
    for (uint32_t bytes = SMALL + 1; bytes <= 5000; bytes += 7) {
        CHECK_EQ(th_hybrid_resize(&hybrid, bytes), TH_OK);
        CHECK(!th_hybrid_is_embedded(&hybrid));
        CHECK((uintptr_t)th_hybrid_data(&hybrid) % 16 == 0);
        size_t kept = bytes == SMALL + 1 ? SMALL : bytes - 7;
        CHECK(filled(th_hybrid_data(&hybrid), kept, (uint32_t)kept));
        fill(th_hybrid_data(&hybrid), bytes, bytes);
        CHECK_EQ(own.live, 1);
    }
    CHECK(own.allocs <= 13); /* log 1.5 of 5000 / 64, rounded up, and two */
    CHECK_EQ(th_hybrid_get_stats(&hybrid).spills, own.allocs);
    stop();
}

static void it_grows_and_keeps_its_contents(void) {
    at_levels(0, grow);
}

static void shrink(int level) {
    start(level);
    resize(300, 1);
    const void *data = th_hybrid_data(&hybrid);
    CHECK_EQ(th_hybrid_resize(&hybrid, 20), TH_OK);
    CHECK(th_hybrid_data(&hybrid) == data && filled(data, 20, 1));
    CHECK_EQ(th_hybrid_resize(&hybrid, 0), TH_OK);
    CHECK_EQ(th_hybrid_size(&hybrid), 0);
    CHECK_EQ(th_hybrid_resize(&hybrid, 0), TH_OK);
    resize(300, 2);
    CHECK_PTR_EQ(th_hybrid_data(&hybrid), data);
    CHECK_EQ(th_hybrid_release(&hybrid), TH_OK);
    CHECK_EQ(own.live, 0);
    CHECK(th_hybrid_is_embedded(&hybrid) && th_hybrid_size(&hybrid) == 0);
    resize(40, 3);
    CHECK_PTR_EQ(th_hybrid_data(&hybrid), small);
    CHECK_EQ(th_hybrid_release(&hybrid), TH_OK);
    CHECK_EQ(th_hybrid_size(&hybrid), 0);
    th_hybrid_stats stats = th_hybrid_get_stats(&hybrid);
    CHECK_EQ(stats.high_water_bytes, 300);
    CHECK_EQ(stats.capacity_bytes, SMALL);
    CHECK_EQ(stats.spills, 1);
    stop();
}

static void it_shrinks_in_place_and_is_released(void) {
    at_levels(0, shrink);
}

static void run_out(int level) {
    start(level);
    resize(50, 1);
    own.left = 0;
    CHECK_EQ(th_hybrid_resize(&hybrid, 65), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_hybrid_reserve(&hybrid, 65), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_hybrid_resize(&hybrid, SIZE_MAX), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_hybrid_resize(&hybrid, (size_t)PTRDIFF_MAX + 1), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_hybrid_resize_array(&hybrid, SIZE_MAX / 2, 3), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_hybrid_resize_array(&hybrid, 10, 7), TH_ERR_EXHAUSTED);
    CHECK(th_hybrid_size(&hybrid) == 50 && filled(small, 50, 1));
    CHECK_EQ(th_hybrid_get_stats(&hybrid).failed_allocs, 3);
    CHECK_EQ(th_hybrid_resize_array(&hybrid, 8, 8), TH_OK);
    own.left = 2;
    CHECK_EQ(th_hybrid_reserve(&hybrid, 200), TH_OK);
    CHECK_EQ(th_hybrid_size(&hybrid), 64);
    CHECK(filled(th_hybrid_data(&hybrid), 50, 1));
    const void *data = th_hybrid_data(&hybrid);
    resize(200, 2);
    CHECK_PTR_EQ(th_hybrid_data(&hybrid), data);
    stop();
}

static void exhaustion_keeps_what_there_is(void) {
    at_levels(0, run_out);
}

/* An allocator that refuses more than `limit` bytes: half as much again is a bonus only. */
typedef struct narrow {
    th_allocator inner;
    size_t limit;
} narrow;

static void *narrow_alloc(void *self, size_t bytes, size_t alignment) {
    const narrow *n = self;
    return bytes <= n->limit ? th_allocator_alloc_aligned(n->inner, bytes, alignment) : NULL;
}

static void narrow_free(void *self, void *pointer) {
    const narrow *n = self;
    th_allocator_free(n->inner, pointer);
}

static void growth_makes_do_with_what_is_needed(void) {
    static const th_allocator_table table = {.alloc = narrow_alloc, .free = narrow_free};
    narrow n = {.inner = backing_start(&own), .limit = 70};
    const th_hybrid_config config = {.backing = {&table, &n}};
    faults.count = 0;
    CHECK_EQ(th_hybrid_init(&hybrid, small, sizeof small, &config), TH_OK);
    resize(70, 1);
    CHECK_EQ(th_hybrid_get_stats(&hybrid).capacity_bytes, 70);
    CHECK_EQ(th_hybrid_resize(&hybrid, 71), TH_ERR_EXHAUSTED);
    stop();
}

static void init_refuses_bad_arguments(void) {
    const th_allocator_table no_free = {.alloc = narrow_alloc};
    const th_allocator_table no_alloc = {.free = narrow_free};
    memset(&hybrid, 7, sizeof hybrid);
    th_hybrid same = hybrid;
    const struct {
        void *memory;
        size_t bytes;
        th_hybrid_config config;
        th_status status;
    } cases[] = {
        {NULL, 8, {.alignment = 0}, TH_ERR_NULL},
        {small, 8, {.alignment = 24}, TH_ERR_ALIGNMENT},
        {small + 8, 8, {.alignment = 0}, TH_ERR_MISALIGNED},
        {small, SIZE_MAX, {.alignment = 0}, TH_ERR_TOO_LARGE},
        {small, 8, {.guarding.level = 4}, TH_ERR_CONFIG},
        {small, 8, {.guarding.level = -1}, TH_ERR_CONFIG},
        {small, 8, {.backing = {&no_free, NULL}}, TH_ERR_CONFIG},
        {small, 8, {.backing = {&no_alloc, NULL}}, TH_ERR_CONFIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(th_hybrid_init(&hybrid, cases[i].memory, cases[i].bytes, &cases[i].config),
                 cases[i].status);
    }
    CHECK_EQ(th_hybrid_init(NULL, small, 8, NULL), TH_ERR_NULL);
    CHECK(memcmp(&hybrid, &same, sizeof hybrid) == 0);
    CHECK_EQ(th_hybrid_init(&hybrid, small, 0, NULL), TH_OK); /* no memory, wherever it is not */
    CHECK(th_hybrid_data(&hybrid) == NULL);
    CHECK_EQ(th_hybrid_get_stats(&hybrid).capacity_bytes, 0);
    th_hybrid_clean_up(&hybrid);
    CHECK_EQ(th_hybrid_init(&hybrid, small + 8, 8, &(th_hybrid_config){.alignment = 8}), TH_OK);
    th_hybrid_clean_up(&hybrid);
}

static void live_without_memory(int level) {
    const th_hybrid_config config = {.backing = backing_start(&own),
                                     .alignment = 256,
                                     .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_hybrid_init(&hybrid, NULL, 0, &config), TH_OK);
    CHECK(th_hybrid_data(&hybrid) == NULL);
    CHECK_EQ(th_hybrid_release(&hybrid), TH_OK);
    resize(10, 1);
    CHECK((uintptr_t)th_hybrid_data(&hybrid) % 256 == 0);
    CHECK_EQ(th_hybrid_resize(&hybrid, 30), TH_OK);
    CHECK(filled(th_hybrid_data(&hybrid), 10, 1));
    stop();
    CHECK_EQ(th_hybrid_resize(&hybrid, 1), TH_ERR_NULL);
    CHECK_EQ(th_hybrid_resize(&hybrid, 0), TH_ERR_NULL);
    th_hybrid_clean_up(&hybrid);
    th_hybrid_clean_up(NULL);
}

static void there_need_be_no_embedded_memory(void) {
    at_levels(0, live_without_memory);
}

static void smash(int level) {
    start(level);
    resize(20, 1);
    unsigned char due = poke(small + 20, 0x41);
    const size_t sizes[] = {0, 10, 30, 100};
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(th_hybrid_resize(&hybrid, sizes[i]), TH_ERR_CORRUPT);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, 20, due, 0x41);
    }
    CHECK_EQ(th_hybrid_release(&hybrid), TH_ERR_CORRUPT);
    CHECK_EQ(faults.first.kind, TH_FAULT_CANARY);
    faults.count = 0;
    CHECK(th_hybrid_size(&hybrid) == 20 && filled(small, 20, 1));
    CHECK_EQ(poke(small + 20, due), 0x41);
    CHECK_EQ(th_hybrid_reserve(&hybrid, 100), TH_OK);
    unsigned char *data = th_hybrid_data(&hybrid);
    due = poke(data + 33, 0x42);
    CHECK_EQ(th_hybrid_resize(&hybrid, 40), TH_ERR_CORRUPT);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 1, 0, 33, due, 0x42);
    th_hybrid_clean_up(&hybrid);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    backing_stop(&own);
}

static void an_overflow_is_noticed(void) {
    at_levels(1, smash);
}

static void write_to_the_old_place(int level) {
    start(level);
    resize(60, 1);
    resize(100, 2);
    CHECK_EQ(poke(small + 30, 0x41), POISON);
    CHECK_EQ(th_hybrid_check(&hybrid, NULL), TH_ERR_CORRUPT);
    faults.count = 0;
    CHECK_EQ(th_hybrid_release(&hybrid), TH_OK);
    faults.count = 0;
    CHECK_EQ(th_hybrid_resize(&hybrid, 60), TH_ERR_CORRUPT);
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 0, 0, 30, POISON, 0x41);
    CHECK_EQ(poke(small + 30, POISON), 0x41);
    resize(60, 3);
    stop();
}

static void a_write_to_the_old_place_is_noticed(void) {
    at_levels(2, write_to_the_old_place);
}

static void play_at_random(int level) {
    uint64_t state = th_test_seed(80 + (uint64_t)level);
    size_t size = 0;
    start(level);
    for (uint32_t step = 1; step < 2000; step++) {
        uint64_t random = th_test_random(&state);
        size_t bytes =
            random % 16 == 0 ? 0 : (size_t)((random >> 8) % (random % 4 == 0 ? 1000 : 80));
        if (random >> 60 == 0) {
            CHECK_EQ(th_hybrid_release(&hybrid), TH_OK);
            size = 0;
        }
        own.left = (random >> 40) % 3 == 0 ? 0 : SIZE_MAX;
        size_t capacity = th_hybrid_get_stats(&hybrid).capacity_bytes;
        th_status status = th_hybrid_resize(&hybrid, bytes);
        CHECK_EQ(status, bytes > capacity && own.left == 0 ? TH_ERR_EXHAUSTED : TH_OK);
        size_t kept = status == TH_OK && bytes < size ? bytes : size;
        CHECK(filled(th_hybrid_data(&hybrid), kept, step - 1));
        size = status == TH_OK ? bytes : size;
        CHECK_EQ(th_hybrid_size(&hybrid), size);
        fill(th_hybrid_data(&hybrid), size, step);
        CHECK_EQ(th_hybrid_check(&hybrid, NULL), TH_OK);
        CHECK_EQ(own.live, th_hybrid_is_embedded(&hybrid) ? 0 : 1);
    }
    stop();
}

static void a_simple_model_agrees(void) {
    at_levels(0, play_at_random);
}

TH_SUITE("hybrid", TEST(it_grows_and_keeps_its_contents), TEST(it_shrinks_in_place_and_is_released),
         TEST(exhaustion_keeps_what_there_is), TEST(growth_makes_do_with_what_is_needed),
         TEST(init_refuses_bad_arguments), TEST(there_need_be_no_embedded_memory),
         TEST(an_overflow_is_noticed), TEST(a_write_to_the_old_place_is_noticed),
         TEST(a_simple_model_agrees))
