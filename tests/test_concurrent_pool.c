/* SPDX-License-Identifier: MIT */
/* The concurrent pool (include/tagheap/concurrent_pool.h), by one thread: what it promises at every
 * guard level, and what happens if another one gets in between. test_concurrent_pool_threads.c has
 * real threads, fuzz/interleave every interleaving. */
#include <stdalign.h>
#include <string.h>

#include "bad_input.h"
#include "base/atomic.h"
#include "base/track.h"
#include "heap_fixture.h"
#include "null_objects.h"
#include "tagheap/concurrent_pool.h"

enum { BYTES = 45, STRIDE = 48, MEMORY_BYTES = 2048, POISON = 0xFD, CAPACITY = 6 };

static alignas(64) unsigned char memory[MEMORY_BYTES];

static th_concurrent_pool pool;
static fault_log faults;
static unsigned char *held[CAPACITY];

static th_concurrent_pool_stats stats(void) {
    return th_concurrent_pool_get_stats(&pool);
}

static void start_with(const th_concurrent_pool_config *config) {
    CHECK_EQ(th_concurrent_pool_init(&pool, config), TH_OK);
    CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
}

static void start(int level, size_t capacity) {
    const th_concurrent_pool_config config = {.object_bytes = BYTES,
                                              .alignment = 16,
                                              .memory = memory,
                                              .memory_bytes = sizeof memory,
                                              .capacity = capacity,
                                              .guarding = guarding_with(&faults, level)};
    start_with(&config);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
    th_concurrent_pool_clean_up(&pool);
    static const th_concurrent_pool zeroed;
    CHECK(memcmp(&pool, &zeroed, sizeof pool) == 0);
    memset(memory, 0, sizeof memory); /* ordinary memory again */
}

static unsigned char *take(uint32_t seed) {
    unsigned char *object = th_concurrent_pool_alloc(&pool);
    CHECK(object != NULL);
    fill(object, pool.config.object_bytes, seed);
    return object;
}

/* ---- over the caller's memory --------------------------------------------------------------- */

static void take_all_and_give_back(int level, size_t bytes, size_t alignment) {
    static unsigned char *taken[MEMORY_BYTES];
    const th_concurrent_pool_config config = {.object_bytes = bytes,
                                              .alignment = alignment,
                                              .memory = memory,
                                              .memory_bytes = sizeof memory,
                                              .guarding = guarding_with(&faults, level)};
    start_with(&config);
    size_t count = (size_t)stats().capacity;
    CHECK(th_concurrent_pool_bytes(&config, count) <= sizeof memory);
    CHECK(th_concurrent_pool_bytes(&config, count + 1) > sizeof memory);
    for (size_t i = 0; i < count; i++) {
        CHECK(!th_concurrent_pool_owns(&pool, memory + i * stats().stride_bytes));
        taken[i] = take((uint32_t)i);
        CHECK_PTR_EQ(taken[i], memory + i * stats().stride_bytes);
        CHECK_EQ((uintptr_t)taken[i] % (alignment != 0 ? alignment : 1), 0);
        CHECK(th_concurrent_pool_owns(&pool, taken[i] + bytes - 1));
    }
    CHECK(th_concurrent_pool_alloc(NULL) == NULL);
    CHECK(th_concurrent_pool_alloc(&pool) == NULL);
    CHECK(th_concurrent_pool_alloc(&pool) == NULL);
    CHECK_EQ(stats().live, count);
    CHECK_EQ(stats().failed_allocs, 2);
    CHECK_EQ(stats().object_bytes, bytes);
    CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
    for (size_t i = 0; i < count; i++) {
        CHECK(filled(taken[i], bytes, (uint32_t)i));
        th_concurrent_pool_free(&pool, taken[i]);
    }
    CHECK_EQ(stats().live, 0);
    for (size_t i = count; i-- > 0;) {
        CHECK_PTR_EQ(take(0), taken[i]); /* freed last, taken first */
    }
    CHECK_EQ(th_concurrent_pool_reset(&pool), TH_OK);
    CHECK_EQ(stats().live, 0);
    CHECK_PTR_EQ(take(0), memory);
    stop();
}

static void sizes_and_alignments(int level) {
    static const size_t bytes[] = {1, 3, 8, 9, 24, 40, 100};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        for (size_t alignment = 0; alignment <= 64;
             alignment = alignment != 0 ? alignment * 4 : 1) {
            take_all_and_give_back(level, bytes[i], alignment);
        }
    }
}

static void every_object_is_usable_and_reused(void) {
    at_levels(0, sizes_and_alignments);
}

static void the_memory_is_used_to_the_last_object(void) {
    for (size_t bytes = 1; bytes < 30; bytes++) {
        th_concurrent_pool_config config = {.object_bytes = bytes, .memory = memory};
        for (size_t count = 1; count < 50; count++) {
            config.memory_bytes = th_concurrent_pool_bytes(&config, count);
            start_with(&config);
            CHECK_EQ(stats().capacity, count);
            CHECK((size_t)((unsigned char *)pool.links - memory) + count * sizeof *pool.links ==
                  config.memory_bytes);
            stop();
            config.memory_bytes--;
            CHECK_EQ(th_concurrent_pool_init(&pool, &config),
                     count == 1 ? TH_ERR_TOO_SMALL : TH_OK);
            CHECK(count == 1 || stats().capacity == count - 1);
            th_concurrent_pool_clean_up(&pool);
        }
    }
}

static void a_capacity_is_a_limit(void) {
    start(0, 3);
    CHECK_EQ(stats().capacity, 3);
    stop();
    start(0, 1000);
    CHECK_EQ(stats().capacity, (MEMORY_BYTES - 16) / (STRIDE + 4));
    stop();
    start(0, SIZE_MAX);
    CHECK_EQ(stats().capacity, (MEMORY_BYTES - 16) / (STRIDE + 4));
    stop();
}

static void memory_comes_from_a_backing(int level) {
    static backing chunk;
    const th_concurrent_pool_config config = {.object_bytes = 100,
                                              .alignment = 64,
                                              .backing = backing_start(&chunk),
                                              .capacity = 10,
                                              .guarding = guarding_with(&faults, level)};
    start_with(&config);
    CHECK_EQ(chunk.live_bytes, th_concurrent_pool_bytes(&config, 10));
    CHECK_EQ((uintptr_t)take(1) % 64, 0);
    th_concurrent_pool_clean_up(&pool);
    backing_stop(&chunk);
    chunk.left = 0;
    CHECK_EQ(th_concurrent_pool_init(&pool, &config), TH_ERR_EXHAUSTED);
    CHECK_EQ(chunk.refusals, 1);
}

static void memory_may_come_from_a_backing(void) {
    at_levels(0, memory_comes_from_a_backing);
}

static void by_the_interface(int level) {
    start(level, CAPACITY);
    th_allocator all = th_concurrent_pool_allocator(&pool);
    CHECK(th_allocator_alloc(all, BYTES + 1) == NULL);
    CHECK(th_allocator_alloc_aligned(all, 1, 32) == NULL);
    CHECK_EQ(stats().failed_allocs, 0); /* no pool of this kind could do that */
    unsigned char *block = th_allocator_alloc(all, 5);
    CHECK_PTR_EQ(block, memory);
    CHECK_EQ(th_allocator_usable_size(all, block), BYTES);
    CHECK(th_allocator_resize_in_place(all, block, BYTES));
    CHECK(!th_allocator_resize_in_place(all, block, BYTES + 1));
    CHECK(th_allocator_realloc(all, block, BYTES, BYTES + 1, 16, NULL) == NULL);
    CHECK(th_allocator_owns(all, block) && th_allocator_owns(all, block + STRIDE - 1));
    CHECK(!th_allocator_owns(all, block + STRIDE) && !th_allocator_owns(all, &pool));
    CHECK(!th_allocator_owns(all, memory + CAPACITY * STRIDE));
    CHECK_EQ(th_allocator_check(all, NULL), TH_OK);
    th_allocator_free(all, block);
    CHECK_EQ(th_allocator_reset(all), TH_OK);
    stop();
}

static void it_is_an_allocator(void) {
    at_levels(0, by_the_interface);
}

/* A stack of numbers is all there is to it. */
static void play_random(int level) {
    uint64_t state = th_test_seed(5 + (uint64_t)level);
    size_t free_ones[CAPACITY], free_count = CAPACITY, live[CAPACITY], live_count = 0;
    start(level, CAPACITY);
    for (size_t i = 0; i < CAPACITY; i++) {
        free_ones[i] = CAPACITY - 1 - i;
    }
    for (unsigned i = 0; i < TH_TEST_TIMES(3000u); i++) {
        uint64_t r = th_test_random(&state);
        if (r % 2 == 0) {
            unsigned char *object = th_concurrent_pool_alloc(&pool);
            if (free_count == 0) {
                CHECK(object == NULL);
                continue;
            }
            size_t index = free_ones[--free_count];
            CHECK_PTR_EQ(object, memory + index * STRIDE);
            fill(object, BYTES, (uint32_t)index);
            live[live_count++] = index;
        } else if (live_count > 0) {
            size_t which = (size_t)(r >> 8) % live_count;
            size_t index = live[which];
            CHECK(filled(memory + index * STRIDE, BYTES, (uint32_t)index));
            th_concurrent_pool_free(&pool, memory + index * STRIDE);
            free_ones[free_count++] = index;
            live[which] = live[--live_count];
        }
        CHECK_EQ(stats().live, live_count);
        CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
    }
    stop();
}

static void random_operations_agree_with_a_stack(void) {
    at_levels(0, play_random);
}

/* ---- somebody gets in between --------------------------------------------------------------- */

#if TH_ATOMIC_STEPS
static unsigned steps, act_at, backed_off;
static void (*act)(void);

static void count_step(const volatile void *word, size_t bytes) {
    if (word == NULL) { /* after an exchange that failed */
        backed_off++;
        return;
    }
    CHECK(bytes == sizeof(uint32_t) || bytes == sizeof(uint64_t));
    if (++steps == act_at) {
        th_atomic_step = NULL;
        act();
        th_atomic_step = count_step;
    }
}

/* Before the n-th atomic operation from now on. */
static void get_in_before(unsigned n, void (*what)(void)) {
    steps = 0;
    backed_off = 0;
    act_at = n;
    act = what;
    th_atomic_step = count_step;
}

static void go_on(void) {
    th_atomic_step = NULL;
}

/* The other one has A for a while, and keeps B. */
static void take_two_and_free_the_first(void) {
    held[1] = take(1);
    held[2] = take(2);
    th_concurrent_pool_free(&pool, held[1]);
}

static void aba_at(int level) {
    for (unsigned n = 1; n <= 3; n++) {
        start(level, CAPACITY);
        get_in_before(n, take_two_and_free_the_first);
        held[0] = take(0);
        go_on();
        CHECK(steps > 3 || n < 3); /* an exchange had to fail */
        CHECK_EQ(backed_off, steps > 4);
        CHECK_PTR_EQ(held[0], memory);
        CHECK_PTR_EQ(held[2], memory + STRIDE);
        held[3] = take(3);
        CHECK_PTR_EQ(held[3], memory + 2 * STRIDE);
        CHECK_EQ(stats().live, 3);
        CHECK(filled(held[2], BYTES, 2));
        stop();
    }
}

static void what_comes_back_to_the_top_is_noticed(void) {
    at_levels(0, aba_at);
}

static void take_one(void) {
    held[5] = take(5);
}

static void free_at(int level) {
    for (unsigned n = 1; n <= 5; n++) {
        start(level, CAPACITY);
        held[0] = take(0);
        get_in_before(n, take_one);
        th_concurrent_pool_free(&pool, held[0]);
        go_on();
        CHECK_EQ(stats().live, n <= steps);
        CHECK_EQ(backed_off, steps > 4);
        CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
        for (uint64_t i = stats().live; i < CAPACITY; i++) {
            CHECK(th_concurrent_pool_alloc(&pool) != NULL);
        }
        CHECK(th_concurrent_pool_alloc(&pool) == NULL);
        stop();
    }
}

static void a_push_that_comes_late_is_repeated(void) {
    at_levels(0, free_at);
}

static void take_the_last(void) {
    held[0] = take(0);
}

static void the_last_one_goes_once(void) {
    for (unsigned n = 1; n <= 3; n++) {
        start(0, 1);
        get_in_before(n, take_the_last);
        CHECK(th_concurrent_pool_alloc(&pool) == NULL);
        go_on();
        CHECK_PTR_EQ(held[0], memory);
        CHECK_EQ(stats().failed_allocs, 1);
        stop();
    }
}

static void free_the_same(void) {
    th_concurrent_pool_free(&pool, held[0]);
}

static void freed_twice_at(int level) {
    for (unsigned n = 1; n <= 4; n++) {
        start(level, CAPACITY);
        held[0] = take(0);
        get_in_before(n, free_the_same);
        th_concurrent_pool_free(&pool, held[0]);
        go_on();
        CHECK_EQ(steps, n == 1 ? 1 : 4); /* the claim, then load, link, exchange */
        EXPECT_LOGGED(&faults, 1, TH_FAULT_DOUBLE_FREE, 0, 0, 0, 0, 0);
        CHECK_EQ(stats().live, 0);
        stop();
    }
}

static void of_two_that_free_the_same_one_is_told(void) {
    at_levels(1, freed_twice_at);
}
#endif

/* ---- guards ------------------------------------------------------------------------------- */

static void start_guarded(int level) {
    start(level, CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        held[i] = take(i);
    }
    th_concurrent_pool_free(&pool, held[4]);
    th_concurrent_pool_free(&pool, held[5]);
}

static void stop_guarded(void) {
    CHECK_EQ(stats().live, 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(filled(held[i], BYTES, i));
    }
    stop();
}

static void refuse(void *pointer, th_fault expected) {
    th_allocator all = th_concurrent_pool_allocator(&pool);
    th_concurrent_pool_free(&pool, pointer);
    EXPECT_LOGGED(&faults, 1, expected.kind, expected.block, 0, expected.offset, expected.expected,
                  expected.found);
    CHECK_EQ(th_allocator_usable_size(all, pointer), 0);
    EXPECT_LOGGED(&faults, 1, expected.kind, expected.block, 0, expected.offset, expected.expected,
                  expected.found);
}

static void free_bad_pointers(int level) {
    const size_t none = TH_FAULT_NOWHERE;
    start_guarded(level);
    th_concurrent_pool_free(&pool, NULL);
    CHECK_EQ(faults.count, 0);
    refuse(&pool, (th_fault){TH_FAULT_FOREIGN, none, 0, none, 0, (uint32_t)(uintptr_t)&pool});
    unsigned char *end = memory + CAPACITY * STRIDE;
    refuse(end, (th_fault){TH_FAULT_FOREIGN, none, 0, none, 0, (uint32_t)(uintptr_t)end});
    refuse(held[1] + 5, (th_fault){TH_FAULT_MISALIGNED, 1, 0, STRIDE + 5, STRIDE, STRIDE + 5});
    refuse(held[1] + 16, (th_fault){TH_FAULT_NOT_A_BLOCK, 1, 0, STRIDE + 16, STRIDE, STRIDE + 16});
    refuse(held[5], (th_fault){TH_FAULT_DOUBLE_FREE, 5, 0, 5 * STRIDE, 5 * STRIDE, 5 * STRIDE});
    refuse(held[4], (th_fault){TH_FAULT_DOUBLE_FREE, 4, 0, 4 * STRIDE, 4 * STRIDE, 4 * STRIDE});
    stop_guarded();
}

static void bad_pointers_are_named(void) {
    at_levels(1, free_bad_pointers);
}

static void level_0_ignores_foreign_pointers(void) {
    start_guarded(0);
    th_concurrent_pool_free(&pool, &pool);
    th_concurrent_pool_free(&pool, held[1] + 1);
    CHECK_EQ(th_allocator_usable_size(th_concurrent_pool_allocator(&pool), &pool), 0);
    stop_guarded();
}

static void smash_canaries(int level) {
    start_guarded(level);
    for (uint32_t i = BYTES; i < STRIDE; i++) {
        unsigned char due = poke(held[1] + i, 0x41);
        refuse(held[1], (th_fault){TH_FAULT_CANARY, 1, 0, STRIDE + i, due, 0x41});
        expect_damage(th_concurrent_pool_allocator(&pool), TH_FAULT_CANARY);
        CHECK_EQ(th_concurrent_pool_reset(&pool), TH_ERR_CORRUPT);
        EXPECT_LOGGED(&faults, 1, TH_FAULT_CANARY, 1, 0, STRIDE + i, due, 0x41);
        CHECK_EQ(poke(held[1] + i, due), 0x41);
    }
    stop_guarded();
}

static void an_overflow_is_noticed_to_the_byte(void) {
    at_levels(1, smash_canaries);
}

static void write_after_free(int level) {
    start_guarded(level);
    for (uint32_t i = 0; i < STRIDE; i++) {
        CHECK_EQ(poke(held[5] + i, 0x41), POISON);
        CHECK(th_concurrent_pool_alloc(&pool) == NULL);
        EXPECT_LOGGED(&faults, 1, TH_FAULT_POISON, 5, 0, 5 * STRIDE + i, POISON, 0x41);
        expect_damage(th_concurrent_pool_allocator(&pool), TH_FAULT_POISON);
        CHECK_EQ(poke(held[5] + i, POISON), 0x41);
    }
    CHECK_EQ(stats().failed_allocs, 0);
    stop_guarded();
}

static void a_write_after_free_is_noticed_before_reuse(void) {
    at_levels(2, write_after_free);
}

static void fresh_objects_are_poison_too_at(int level) {
    start(level, CAPACITY);
    (void)poke(memory, 1);
    CHECK(th_concurrent_pool_alloc(&pool) == NULL);
    EXPECT_LOGGED(&faults, 1, TH_FAULT_POISON, 0, 0, 0, POISON, 1);
    (void)poke(memory, POISON);
    stop();
}

static void fresh_objects_are_poison_too(void) {
    at_levels(2, fresh_objects_are_poison_too_at);
}

static void set_link(size_t index, uint32_t link) {
    TH_ATOMIC_STORE(&pool.links[index], link, TH_RELAXED);
}

/* Object 5 is on top, 4 below it. */
static void the_checker_finds_damage_at(int level) {
    th_allocator all = th_concurrent_pool_allocator(&pool);
    start_guarded(level);
    set_link(5, CAPACITY); /* there is no such object */
    expect_damage(all, TH_FAULT_CHAIN);
    set_link(5, UINT32_MAX); /* 4 is lost */
    expect_damage(all, TH_FAULT_COUNT);
    set_link(5, 4);
    set_link(4, 5); /* a circle */
    expect_damage(all, TH_FAULT_CHAIN);
    set_link(4, UINT32_MAX - 1); /* live, and on the stack */
    expect_damage(all, level >= 2 ? TH_FAULT_CANARY : TH_FAULT_CHAIN);
    set_link(4, 3); /* so is 3 */
    expect_damage(all, TH_FAULT_CHAIN);
    set_link(4, UINT32_MAX);
    set_link(3, UINT32_MAX - 2); /* neither live nor on the stack */
    expect_damage(all, TH_FAULT_COUNT);
    set_link(3, UINT32_MAX - 1);
    stop_guarded();
}

static void the_checker_finds_damage(void) {
    at_levels(0, the_checker_finds_damage_at);
}

static void tools_know_what_is_free(void) {
    if (tools_look()) {
        start(0, CAPACITY);
        CHECK(is_closed(memory));
        unsigned char *object = take(1);
        CHECK(!is_closed(object) && !is_closed(object + BYTES - 1));
        CHECK(is_closed(object + BYTES) && is_closed(object + STRIDE));
        th_concurrent_pool_free(&pool, object);
        CHECK(is_closed(object));
        stop();
    }
}

/* ---- bad input, and no object ---------------------------------------------------------------- */

static void *calls_start(const th_guarding *guarding, th_allocator from) {
    const th_concurrent_pool_config config = {.object_bytes = SAMPLE_BYTES,
                                              .alignment = SAMPLE_ALIGNMENT,
                                              .backing = from,
                                              .capacity = 16,
                                              .guarding = *guarding};
    CHECK_EQ(th_concurrent_pool_init(&pool, &config), TH_OK);
    return &pool;
}

static const bad_calls calls = {calls_start, &lab_allocator_concurrent_pool};

static void bad_input_is_refused(void) {
    const bad_row row = {
        "concurrent pool",
        &calls,
        {TH_FAULT_FOREIGN, TH_FAULT_NOT_A_BLOCK, TH_FAULT_MISALIGNED, TH_FAULT_DOUBLE_FREE},
        BAD_ONE_SIZE | BAD_ONE_ALIGNMENT};
    bad_input_play_all(&row);
}

static th_status begin(void *object, const void *config) {
    return th_concurrent_pool_init(object, config);
}

#define ROW(status, ...)                                                                           \
    { #__VA_ARGS__, begin, &(const th_concurrent_pool_config){__VA_ARGS__ }, status }
#define MEMORY .memory = memory, .memory_bytes = sizeof memory

static void bad_starts_are_refused(void) {
    const th_allocator system = th_system_allocator();
    static const th_allocator_table no_free = {.alloc = NULL};
    const bad_start rows[] = {
        {"no config", begin, NULL, TH_ERR_NULL},
        ROW(TH_ERR_CONFIG, MEMORY),
        ROW(TH_ERR_CONFIG, .object_bytes = 8),
        ROW(TH_ERR_CONFIG, .object_bytes = 8, .backing = system),
        ROW(TH_ERR_CONFIG, .object_bytes = 8, .capacity = 8),
        ROW(TH_ERR_CONFIG, .object_bytes = 8, .capacity = 8, .backing = {&no_free, NULL}),
        ROW(TH_ERR_CONFIG, .object_bytes = 8, MEMORY, .guarding.level = 4),
        ROW(TH_ERR_CONFIG, .object_bytes = 8, MEMORY, .guarding.level = -1),
        ROW(TH_ERR_ALIGNMENT, .object_bytes = 8, .alignment = 12, MEMORY),
        ROW(TH_ERR_TOO_LARGE, .object_bytes = PTRDIFF_MAX, MEMORY),
        ROW(TH_ERR_TOO_LARGE, .object_bytes = 8, .alignment = SIZE_MAX / 2 + 1, MEMORY),
        ROW(TH_ERR_TOO_LARGE, .object_bytes = 8, .memory = memory, .memory_bytes = SIZE_MAX),
        ROW(TH_ERR_TOO_LARGE, .object_bytes = 8, .backing = system, .capacity = UINT32_MAX - 1),
        ROW(TH_ERR_TOO_LARGE, .object_bytes = PTRDIFF_MAX / 2, .backing = system, .capacity = 2),
        ROW(TH_ERR_TOO_LARGE, .object_bytes = PTRDIFF_MAX / 2, .backing = system, .capacity = 4),
        ROW(TH_ERR_MISALIGNED, .object_bytes = 8, .memory = memory + 4, .memory_bytes = 1000),
        ROW(TH_ERR_MISALIGNED, .object_bytes = 1, .memory = memory + 1, .memory_bytes = 1000),
        ROW(TH_ERR_TOO_SMALL, .object_bytes = 8, .memory = memory),
        ROW(TH_ERR_TOO_SMALL, .object_bytes = 8, .memory = memory, .memory_bytes = 27),
    };
    bad_starts_play(rows, sizeof rows / sizeof rows[0]);
    CHECK_EQ(th_concurrent_pool_init(NULL, rows[1].arguments), TH_ERR_NULL);
    const th_concurrent_pool_config good = {.object_bytes = 8};
    const th_concurrent_pool_config bad = {.object_bytes = 0};
    CHECK_EQ(th_concurrent_pool_bytes(NULL, 1), 0);
    CHECK_EQ(th_concurrent_pool_bytes(&bad, 1), 0);
    CHECK_EQ(th_concurrent_pool_bytes(&good, 0), 0);
    CHECK_EQ(th_concurrent_pool_bytes(&good, 1), 8 + 16 + 4);
    CHECK_EQ(th_concurrent_pool_bytes(&good, SIZE_MAX), 0);
    CHECK_EQ(th_concurrent_pool_bytes(&good, UINT32_MAX - 1), 0);
}

static void no_pool(void) {
    static const th_concurrent_pool_stats none;
    TWICE(concurrent_pool, {
        CHECK(th_concurrent_pool_alloc(object) == NULL);
        CHECK_EQ(th_concurrent_pool_reset(object), TH_ERR_NULL);
        CHECK(!th_concurrent_pool_owns(object, elsewhere));
        th_concurrent_pool_free(object, elsewhere);
        const th_concurrent_pool_stats stats = th_concurrent_pool_get_stats(object);
        CHECK_EQ(memcmp(&stats, &none, sizeof stats), 0);
        EXPECT_NOTHING(concurrent_pool, object);
        expect_nothing_of(th_concurrent_pool_allocator(object));
    });
}

#if TH_ATOMIC_STEPS
#define BETWEEN                                                                                    \
    TEST(what_comes_back_to_the_top_is_noticed), TEST(a_push_that_comes_late_is_repeated),         \
        TEST(the_last_one_goes_once), TEST(of_two_that_free_the_same_one_is_told),
#else
#define BETWEEN
#endif

TH_SUITE("concurrent_pool", TEST(every_object_is_usable_and_reused),
         TEST(the_memory_is_used_to_the_last_object), TEST(a_capacity_is_a_limit),
         TEST(memory_may_come_from_a_backing), TEST(it_is_an_allocator),
         TEST(random_operations_agree_with_a_stack), BETWEEN TEST(bad_pointers_are_named),
         TEST(level_0_ignores_foreign_pointers), TEST(an_overflow_is_noticed_to_the_byte),
         TEST(a_write_after_free_is_noticed_before_reuse), TEST(fresh_objects_are_poison_too),
         TEST(the_checker_finds_damage), TEST(tools_know_what_is_free), TEST(bad_input_is_refused),
         TEST(bad_starts_are_refused), TEST(no_pool))
