/* SPDX-License-Identifier: MIT */
/* The arena: chunks, own chunks, spares, single blocks. What a span does by itself is tested with
 * the bump heap, marks and guards in suites of their own. */
#include <string.h>

#include "arena_fixture.h"
#include "heap_fixture.h"
#include "tagheap/heap_allocator.h"

/* ---- life ----------------------------------------------------------------------------------- */

static void live(int level) {
    arena_start(level);
    CHECK_EQ(own.allocs, 0);
    CHECK_EQ(th_arena_get_stats(&arena).reserved_bytes, 0);
    unsigned char *a = arena_take(100, 1);
    unsigned char *b = arena_take(50, 2);
    CHECK(b == a + 112);
    CHECK_EQ(own.allocs, 1);
    CHECK_EQ(own.live_bytes, CHUNK);
    CHECK(filled(a, 100, 1) && filled(b, 50, 2));
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 162);
    CHECK_EQ(th_arena_get_stats(&arena).allocs, 2);
    arena_stop();
}

static void an_arena_lives_and_dies(void) {
    at_levels(0, live);
}

static void init_refuses_bad_arguments(void) {
    const th_allocator backing_good = backing_start(&own);
    const th_allocator_table no_free = {.alloc = backing_good.table->alloc};
    const struct {
        th_arena_config config;
        th_status status;
    } cases[] = {
        {{.chunk_bytes = CHUNK}, TH_ERR_NULL},
        {{.guarding.level = 4, .backing = backing_good}, TH_ERR_CONFIG},
        {{.guarding.level = -1, .backing = backing_good}, TH_ERR_CONFIG},
        {{.backing = {&no_free, NULL}}, TH_ERR_CONFIG},
        {{.chunk_bytes = TH_ARENA_CHUNK_BYTES_MIN - 1, .backing = backing_good}, TH_ERR_TOO_SMALL},
        {{.chunk_bytes = SIZE_MAX, .backing = backing_good}, TH_ERR_TOO_LARGE},
        {{.memory = memory, .memory_bytes = SIZE_MAX}, TH_ERR_TOO_LARGE},
        {{.memory = memory, .memory_bytes = 32}, TH_ERR_TOO_SMALL},
        {{.memory = memory + 1, .memory_bytes = 40}, TH_ERR_TOO_SMALL},
    };
    memset(&arena, 7, sizeof arena);
    th_arena same = arena;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(th_arena_init(&arena, &cases[i].config), cases[i].status);
    }
    CHECK_EQ(th_arena_init(NULL, &cases[0].config), TH_ERR_NULL);
    CHECK_EQ(th_arena_init(&arena, NULL), TH_ERR_NULL);
    CHECK(memcmp(&arena, &same, sizeof arena) == 0);
}

static void nothing_works_after_clean_up(void) {
    arena_start(0);
    CHECK(th_arena_alloc(&arena, 8) != NULL);
    th_arena_clean_up(&arena);
    CHECK(th_arena_alloc(&arena, 8) == NULL);
    CHECK(th_arena_alloc_aligned(&arena, 800, 64) == NULL);
    CHECK(!th_arena_resize_in_place(&arena, memory, 8));
    th_arena_free(&arena, memory);
    CHECK_EQ(th_arena_reset(&arena), TH_ERR_NULL);
    th_arena_mark mark = th_arena_take_mark(&arena);
    CHECK_EQ(th_arena_rollback(&arena, &mark), TH_ERR_NULL);
    CHECK_EQ(th_arena_trim(&arena), 0);
    CHECK_EQ(th_arena_check(&arena, NULL), TH_ERR_NULL);
    CHECK(!th_arena_owns(&arena, memory));
    th_arena_clean_up(&arena);
    th_arena_clean_up(NULL);
}

static void refuse(int level) {
    const size_t absurd[] = {0, SIZE_MAX, SIZE_MAX - 15, (size_t)PTRDIFF_MAX + 1};
    const size_t no_powers[] = {0, 3, 6, 24, SIZE_MAX, SIZE_MAX / 2};
    arena_start(level);
    unsigned char *block = arena_take(20, 1);
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        CHECK(th_arena_alloc(&arena, absurd[i]) == NULL);
        CHECK(th_arena_alloc_aligned(&arena, absurd[i], 64) == NULL);
        CHECK(!th_arena_resize_in_place(&arena, block, absurd[i]));
    }
    for (size_t i = 0; i < sizeof no_powers / sizeof no_powers[0]; i++) {
        CHECK(th_arena_alloc_aligned(&arena, 8, no_powers[i]) == NULL);
    }
    CHECK_EQ(th_arena_get_stats(&arena).failed_allocs, 0);
    own.left = 0;
    CHECK(th_arena_alloc(&arena, PTRDIFF_MAX) == NULL);
    CHECK_EQ(own.refusals, 0); /* with its header it would be too large: nobody was asked */
    CHECK(th_arena_alloc(&arena, PTRDIFF_MAX / 2) == NULL);
    CHECK_EQ(own.refusals, 1);
    CHECK(th_arena_alloc_aligned(&arena, PTRDIFF_MAX, SIZE_MAX / 2 + 1) == NULL);
    CHECK_EQ(th_arena_get_stats(&arena).failed_allocs, 3);
    CHECK(!th_arena_resize_in_place(&arena, NULL, 8));
    th_arena_free(&arena, NULL);
    CHECK_EQ(own.allocs, 1);
    arena_stop();
}

static void absurd_requests_are_refused(void) {
    at_levels(0, refuse);
}

static void align_everything(int level) {
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        arena_start(level);
        for (size_t i = 0; i < 40; i++) {
            unsigned char *block = th_arena_alloc_aligned(&arena, 1 + 3 * i, alignment);
            CHECK(block != NULL && (uintptr_t)block % alignment == 0);
            fill(block, 1 + 3 * i, 1);
        }
        arena_stop();
    }
}

static void every_power_of_two(void) {
    at_levels(0, align_everything);
}

/* ---- chunks --------------------------------------------------------------------------------- */

static void chain(int level) {
    unsigned char *blocks[100];
    arena_start(level);
    for (uint32_t i = 0; i < 100; i++) {
        blocks[i] = arena_take(60, i);
    }
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(filled(blocks[i], 60, i));
        CHECK(th_arena_owns(&arena, blocks[i]) && th_arena_owns(&arena, blocks[i] + 59));
    }
    CHECK(!th_arena_owns(&arena, &arena) && !th_arena_owns(&arena, blocks[0] - 1));
    size_t in_each = (CHUNK - TH_ARENA_HEADER_BYTES) / 64;
    CHECK(own.allocs <= 100 / in_each + 1);
    CHECK_EQ(own.live_bytes, own.allocs * CHUNK);
    CHECK_EQ(th_arena_get_stats(&arena).chunks, own.allocs);
    arena_stop();
}

static void blocks_go_on_in_further_chunks(void) {
    at_levels(0, chain);
}

/* What the header promises of memory: a header per chunk, and a quarter of a chunk at its end. */
static void measure_waste(int level) {
    uint64_t state = th_test_seed(5);
    arena_start(level);
    size_t asked = 0;
    size_t blocks = 0;
    while (own.live < 200) {
        size_t bytes = 1 + (size_t)(th_test_random(&state) % 300);
        CHECK(th_arena_alloc_aligned(&arena, bytes, 1) != NULL);
        asked += bytes;
        blocks++;
    }
    th_arena_stats stats = th_arena_get_stats(&arena);
    CHECK_EQ(stats.used_bytes, asked);
    CHECK_EQ(stats.allocs, blocks);
    size_t chunks = (size_t)(stats.chunks + stats.large_chunks);
    size_t capacity_max = stats.reserved_bytes - chunks * TH_ARENA_HEADER_BYTES / 2;
    CHECK(asked <= capacity_max);
    CHECK(stats.reserved_bytes - asked <=
          chunks * (TH_ARENA_HEADER_BYTES + 16) + stats.chunks * (CHUNK / 4) + CHUNK);
    arena_stop();
}

static void waste_is_bounded(void) {
    at_levels(0, measure_waste);
}

static void oversized(int level) {
    arena_start(level);
    size_t room = arena_capacity();
    unsigned char *small = arena_take(16, 1);
    unsigned char *fits = arena_take(room - 16, 2);
    CHECK_EQ(own.allocs, 1);
    unsigned char *after = arena_take(room / 4, 3); /* not large: a new chunk */
    CHECK_EQ(own.live_bytes, 2 * CHUNK);
    unsigned char *large = arena_take(room, 4);
    CHECK_EQ(own.allocs, 3);
    CHECK(own.live_bytes <= 2 * CHUNK + room + TH_ARENA_HEADER_BYTES + 16);
    unsigned char *huge = arena_take(100000, 5);
    unsigned char *next = arena_take(16, 6); /* above `after`: large ones are beside the chain */
    CHECK(next == after + ((room / 4 + 15) & ~(size_t)15));
    CHECK_EQ(th_arena_get_stats(&arena).chunks, 2);
    CHECK_EQ(th_arena_get_stats(&arena).large_chunks, 2);
    CHECK(th_arena_owns(&arena, huge + 99999) && th_arena_owns(&arena, large));
    CHECK(filled(small, 16, 1) && filled(fits, room - 16, 2) && filled(large, room, 4));
    CHECK(filled(huge, 100000, 5) && filled(after, room / 4, 3));
    unsigned char *aligned = th_arena_alloc_aligned(&arena, 5000, 4096);
    CHECK(aligned != NULL && (uintptr_t)aligned % 4096 == 0);
    fill(aligned, 5000, 7);
    CHECK_EQ(th_arena_reset(&arena), TH_OK);
    CHECK_EQ(own.live_bytes, 2 * CHUNK);
    arena_stop();
}

/* A quarter of a chunk still fits into the next one; a byte more does not wait for it. */
static void cross_a_quarter(int level) {
    for (size_t more = 0; more <= 1; more++) {
        arena_start(level);
        size_t room = arena_capacity();
        (void)arena_take(room, 1);
        (void)arena_take(room / 4 + more, 2);
        CHECK_EQ(th_arena_get_stats(&arena).large_chunks, more);
        CHECK_EQ(th_arena_get_stats(&arena).chunks, 2 - more);
        arena_stop();
    }
}

static void oversized_requests_get_their_own_chunk(void) {
    at_levels(0, oversized);
    at_levels(0, cross_a_quarter);
}

static void exhaust(int level) {
    arena_start(level);
    own.left = 2;
    size_t room = arena_capacity();
    unsigned char *first = arena_take(room, 1);
    unsigned char *second = arena_take(room, 2);
    th_arena_stats before = th_arena_get_stats(&arena);
    CHECK(th_arena_alloc(&arena, 16) == NULL);
    CHECK(th_arena_alloc(&arena, 5000) == NULL);
    th_arena_stats after = th_arena_get_stats(&arena);
    CHECK_EQ(after.failed_allocs, 2);
    after.failed_allocs = 0;
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK(filled(first, room, 1) && filled(second, room, 2));
    CHECK_EQ(th_arena_reset(&arena), TH_OK);
    CHECK(th_arena_alloc(&arena, 16) != NULL);
    arena_stop();
}

static void an_exhausted_backing_changes_nothing(void) {
    at_levels(0, exhaust);
}

static void stay_in_memory(int level) {
    for (size_t skew = 0; skew < 17; skew++) {
        const th_arena_config config = {.memory = memory + skew,
                                        .memory_bytes = 1000 - skew,
                                        .guarding = guarding_with(&faults, level)};
        own = (backing){0};
        CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
        for (unsigned round = 0; round < 3; round++) {
            size_t used = 0;
            unsigned char *block;
            while ((block = th_arena_alloc(&arena, 32)) != NULL) {
                CHECK(block >= memory + skew && block + 32 <= memory + 1000);
                memset(block, 0xAA, 32);
                used += 32;
            }
            CHECK(used + TH_ARENA_HEADER_BYTES + 63 + 17 >= 1000 - skew);
            CHECK(th_arena_alloc(&arena, 5000) == NULL);
            CHECK_EQ(th_arena_reset(&arena), TH_OK);
            CHECK_EQ(th_arena_get_stats(&arena).chunks, 1);
        }
        th_arena_clean_up(&arena);
        memset(memory, 0, sizeof memory);
        CHECK_EQ(faults.count, 0);
    }
}

static void the_callers_memory_may_be_all(void) {
    at_levels(0, stay_in_memory);
}

static void go_beyond_memory(int level) {
    const th_arena_config config = {.backing = backing_start(&own),
                                    .memory = memory,
                                    .memory_bytes = 256,
                                    .chunk_bytes = CHUNK,
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
    for (unsigned round = 0; round < 3; round++) {
        unsigned char *first = arena_take(100, 1);
        CHECK(first > memory && first < memory + 256);
        CHECK_EQ(own.live, round == 0 ? 0 : 1);
        unsigned char *second = arena_take(100, 2);
        CHECK(second < memory || second >= memory + 256);
        CHECK(filled(first, 100, 1));
        CHECK_EQ(th_arena_reset(&arena), TH_OK);
    }
    CHECK_EQ(own.allocs, 1);
    arena_is_sound();
    th_arena_clean_up(&arena);
    memset(memory, 0, sizeof memory);
    backing_stop(&own);
}

static void the_backing_comes_after_the_callers_memory(void) {
    at_levels(0, go_beyond_memory);
}

/* ---- reset ---------------------------------------------------------------------------------- */

static void reset_and_keep(int level) {
    arena_start(level);
    for (unsigned round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < 30; i++) {
            (void)arena_take(100, i);
        }
        th_arena_stats stats = th_arena_get_stats(&arena);
        CHECK_EQ(own.allocs, stats.chunks);
        CHECK_EQ(stats.spare_chunks, 0);
        CHECK_EQ(th_arena_reset(&arena), TH_OK);
        CHECK_EQ(th_arena_get_stats(&arena).spare_chunks, stats.chunks);
        CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 0);
        CHECK_EQ(th_arena_get_stats(&arena).high_water_bytes, stats.used_bytes);
        arena_is_sound();
    }
    CHECK_EQ(th_arena_trim(&arena), own.allocs * CHUNK);
    CHECK_EQ(own.live, 0);
    CHECK_EQ(th_arena_trim(&arena), 0);
    arena_stop();
}

static void reset_keeps_chunks_for_reuse(void) {
    at_levels(0, reset_and_keep);
}

static void reset_and_return(int level) {
    arena_start_with(level, true);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 30; i++) {
            (void)arena_take(100, i);
        }
        CHECK(own.live > 5);
        CHECK_EQ(th_arena_reset(&arena), TH_OK);
        CHECK_EQ(own.live, 0);
        CHECK_EQ(th_arena_get_stats(&arena).reserved_bytes, 0);
        arena_is_sound();
    }
    arena_stop();
}

static void reset_returns_chunks_if_asked(void) {
    at_levels(0, reset_and_return);
}

/* ---- single blocks -------------------------------------------------------------------------- */

static void change_last(int level) {
    arena_start(level);
    unsigned char *first = arena_take(40, 1);
    unsigned char *last = arena_take(40, 2);
    CHECK(!th_arena_resize_in_place(&arena, first, 20));
    CHECK(th_arena_resize_in_place(&arena, last, 100) && filled(last, 40, 2));
    CHECK(!th_arena_resize_in_place(&arena, last, CHUNK));
    CHECK(th_arena_resize_in_place(&arena, last, 10) && filled(last, 10, 2));
    th_arena_free(&arena, first);
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 58);
    th_arena_free(&arena, last);
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 48);
    CHECK(arena_take(8, 3) == last);
    unsigned char *large = arena_take(1000, 4);
    CHECK(th_arena_resize_in_place(&arena, large, 900) && filled(large, 900, 4));
    CHECK(th_arena_resize_in_place(&arena, large, 1000));
    CHECK(!th_arena_resize_in_place(&arena, large, 2000));
    CHECK(th_arena_resize_in_place(&arena, last, 16)); /* still the last one in its chunk */
    arena_is_sound();
    CHECK_EQ(own.live, 2);
    th_arena_free(&arena, large);
    CHECK_EQ(own.live, 1);
    CHECK(filled(first, 40, 1));
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 64);
    arena_stop();
}

static void the_last_block_can_be_resized_and_freed(void) {
    at_levels(0, change_last);
}

static void seal(int level) {
    arena_start(level);
    unsigned char *last = arena_take(40, 1);
    unsigned char *large = arena_take(1000, 2);
    th_arena_mark mark = th_arena_take_mark(&arena);
    CHECK(!th_arena_resize_in_place(&arena, last, 60) &&
          !th_arena_resize_in_place(&arena, large, 900));
    th_arena_free(&arena, last);
    th_arena_free(&arena, large);
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 1040);
    CHECK_EQ(th_arena_rollback(&arena, &mark), TH_OK);
    CHECK(filled(last, 40, 1) && filled(large, 1000, 2));
    arena_stop();
}

static void a_mark_seals_what_is_below_it(void) {
    at_levels(0, seal);
}

static void use_as_allocator(int level) {
    void *blocks[8];
    bool moved = true;
    arena_start(level);
    th_allocator allocator = th_arena_allocator(&arena);
    unsigned char *block = th_allocator_alloc(allocator, 30);
    fill(block, 30, 1);
    CHECK(th_allocator_realloc(allocator, block, 30, 60, 16, &moved) == block && !moved);
    CHECK(th_allocator_alloc_aligned(allocator, 10, 64) != NULL);
    CHECK(th_allocator_realloc(allocator, block, 30, 10, 16, &moved) == block && !moved);
    block = th_allocator_realloc(allocator, block, 30, 600, 16, &moved);
    CHECK(moved && filled(block, 30, 1));
    CHECK(th_allocator_owns(allocator, block));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    own.left = 0;
    CHECK(th_allocator_realloc(allocator, block, 30, 5000, 16, &moved) == NULL && !moved);
    CHECK(!th_allocator_alloc_batch(allocator, 100, 16, blocks, 8));
    own.left = 1;
    CHECK(th_allocator_alloc_batch(allocator, 16, 16, blocks, 8));
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK_EQ(th_arena_get_stats(&arena).used_bytes, 0);
    arena_stop();
}

static void an_arena_is_an_allocator(void) {
    at_levels(0, use_as_allocator);
}

/* Composition: chunks are blocks of the tagged heap. */
static void lie_on_the_heap(int level) {
    th_heap heap;
    th_tagged_allocator adapter;
    const th_heap_config heap_config = {.alignment = 16, .guarding.level = level};
    CHECK_EQ(th_heap_init(&heap, memory, sizeof memory, &heap_config), TH_OK);
    const th_arena_config config = {.backing = th_heap_allocator(&adapter, &heap, 0x1001),
                                    .chunk_bytes = CHUNK,
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
    uint32_t i = 0;
    while (th_arena_alloc(&arena, 100) != NULL) {
        i++;
    }
    CHECK(i >= 12);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK_EQ(th_arena_reset(&arena), TH_OK);
    CHECK(th_arena_alloc(&arena, 100) != NULL);
    th_arena_clean_up(&arena);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK_EQ(th_heap_free_tags(&heap, 0, TH_TAG_TAIL_MAX), 0);
    th_heap_clean_up(&heap);
    CHECK_EQ(faults.count, 0);
}

static void chunks_may_lie_on_the_heap(void) {
    at_levels(0, lie_on_the_heap);
}

TH_SUITE("arena", TEST(an_arena_lives_and_dies), TEST(init_refuses_bad_arguments),
         TEST(nothing_works_after_clean_up), TEST(absurd_requests_are_refused),
         TEST(every_power_of_two), TEST(blocks_go_on_in_further_chunks), TEST(waste_is_bounded),
         TEST(oversized_requests_get_their_own_chunk), TEST(an_exhausted_backing_changes_nothing),
         TEST(the_callers_memory_may_be_all), TEST(the_backing_comes_after_the_callers_memory),
         TEST(reset_keeps_chunks_for_reuse), TEST(reset_returns_chunks_if_asked),
         TEST(the_last_block_can_be_resized_and_freed), TEST(a_mark_seals_what_is_below_it),
         TEST(an_arena_is_an_allocator), TEST(chunks_may_lie_on_the_heap))
