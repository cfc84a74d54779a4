/* SPDX-License-Identifier: MIT */
/* The bump heap: where blocks lie, what fails, what guards notice; and through it the span that all
 * linear allocators are made of. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "heap_fixture.h"
#include "tagheap/bump.h"
#include "tagheap/pages.h"

#define MEMORY_BYTES 512
#define POISON       0xFDu

static alignas(256) unsigned char memory[MEMORY_BYTES];
static th_bump bump;
static fault_log faults;

static void start(int level) {
    const th_bump_config config = {.guarding = guarding_with(&faults, level)};
    memset(memory, 0x5C, sizeof memory);
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, &config), TH_OK);
}

static void stop(void) {
    th_fault fault;
    CHECK_EQ(th_bump_check(&bump, &fault), TH_OK);
    th_bump_clean_up(&bump);
    CHECK_EQ(faults.count, 0);
}

static size_t at_byte(const void *block) {
    return (size_t)((const unsigned char *)block - memory);
}

/* ---- where blocks lie ----------------------------------------------------------------------- */

static void place_blocks(int level) {
    start(level);
    CHECK_EQ(at_byte(th_bump_alloc(&bump, 1)), 0);
    CHECK_EQ(at_byte(th_bump_alloc(&bump, 16)), 16);
    CHECK_EQ(at_byte(th_bump_alloc(&bump, 5)), 32);
    CHECK_EQ(at_byte(th_bump_alloc_aligned(&bump, 3, 1)), 37);
    CHECK_EQ(at_byte(th_bump_alloc_aligned(&bump, 4, 4)), 40);
    CHECK_EQ(at_byte(th_bump_alloc_aligned(&bump, 4, 64)), 64);
    th_bump_stats stats = th_bump_get_stats(&bump);
    CHECK_EQ(stats.used_bytes, 68);
    CHECK_EQ(stats.left_bytes, MEMORY_BYTES - 68);
    CHECK_EQ(stats.high_water_bytes, 68);
    CHECK_EQ(stats.allocs, 6);
    stop();
}

static void blocks_follow_each_other(void) {
    at_levels(0, place_blocks);
}

static void align_everything(int level) {
    static alignas(4096) unsigned char large[16384];
    for (size_t skew = 0; skew < 20; skew++) {
        for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
            const th_bump_config config = {.guarding = guarding_with(&faults, level)};
            CHECK_EQ(th_bump_init(&bump, large + skew, sizeof large - skew, &config), TH_OK);
            CHECK(th_bump_alloc_aligned(&bump, 3, 1) != NULL);
            unsigned char *block = th_bump_alloc_aligned(&bump, 7, alignment);
            CHECK(block != NULL && (uintptr_t)block % alignment == 0);
            CHECK((size_t)(block - large) - skew < 3 + alignment + skew);
            fill(block, 7, 1);
            stop();
        }
    }
}

static void every_power_of_two_on_any_memory(void) {
    at_levels(0, align_everything);
}

static void use_up(int level) {
    for (size_t last = 1; last <= 40; last++) {
        start(level);
        CHECK(th_bump_alloc(&bump, MEMORY_BYTES - 32) != NULL);
        bool fits = last <= 32;
        unsigned char *block = th_bump_alloc(&bump, last);
        CHECK_EQ(block != NULL, fits);
        CHECK_EQ(th_bump_get_stats(&bump).failed_allocs, fits ? 0 : 1);
        stop();
    }
    start(level);
    CHECK(th_bump_alloc(&bump, MEMORY_BYTES + 1) == NULL);
    CHECK(th_bump_alloc(&bump, MEMORY_BYTES) != NULL);
    CHECK(th_bump_alloc(&bump, 1) == NULL);
    CHECK(th_bump_alloc_aligned(&bump, 1, 1) == NULL);
    CHECK_EQ(th_bump_get_stats(&bump).failed_allocs, 3);
    CHECK_EQ(th_bump_reset(&bump), TH_OK);
    CHECK_EQ(at_byte(th_bump_alloc(&bump, MEMORY_BYTES)), 0);
    stop();
}

static void exhaustion_is_exact(void) {
    at_levels(0, use_up);
}

static void refuse(int level) {
    const size_t absurd[] = {0, SIZE_MAX, SIZE_MAX - 15, (size_t)PTRDIFF_MAX,
                             (size_t)PTRDIFF_MAX + 1};
    const size_t no_powers[] = {0, 3, 6, 24, SIZE_MAX, SIZE_MAX / 2};
    start(level);
    unsigned char *block = th_bump_alloc(&bump, 20);
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        CHECK(th_bump_alloc(&bump, absurd[i]) == NULL);
        CHECK(th_bump_alloc_aligned(&bump, absurd[i], 64) == NULL);
        CHECK(!th_bump_resize_in_place(&bump, block, absurd[i]));
    }
    for (size_t i = 0; i < sizeof no_powers / sizeof no_powers[0]; i++) {
        CHECK(th_bump_alloc_aligned(&bump, 8, no_powers[i]) == NULL);
    }
    CHECK(th_bump_alloc_aligned(&bump, 8, SIZE_MAX / 2 + 1) == NULL);
    CHECK(th_bump_alloc_aligned(&bump, SIZE_MAX, SIZE_MAX / 2 + 1) == NULL);
    CHECK(!th_bump_resize_in_place(&bump, NULL, 8));
    th_bump_free(&bump, NULL);
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 20);
    stop();
}

static void absurd_requests_are_refused(void) {
    at_levels(0, refuse);
}

static void init_refuses_bad_arguments(void) {
    th_bump same = {.allocs = 7};
    bump = same;
    CHECK_EQ(th_bump_init(NULL, memory, 64, NULL), TH_ERR_NULL);
    CHECK_EQ(th_bump_init(&bump, NULL, 64, NULL), TH_ERR_NULL);
    CHECK_EQ(th_bump_init(&bump, memory, 0, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_bump_init(&bump, memory, (size_t)PTRDIFF_MAX + 1, NULL), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_bump_init(&bump, memory, 64, &(th_bump_config){.guarding.level = 4}),
             TH_ERR_CONFIG);
    CHECK_EQ(th_bump_init(&bump, memory, 64, &(th_bump_config){.guarding.level = -1}),
             TH_ERR_CONFIG);
    CHECK(memcmp(&bump, &same, sizeof bump) == 0);
    CHECK_EQ(th_bump_init(&bump, memory, 1, NULL), TH_OK);
    CHECK_PTR_EQ(th_bump_alloc_aligned(&bump, 1, 1), memory);
    th_bump_clean_up(&bump);
}

static void nothing_works_after_clean_up(void) {
    static const th_bump zeroed;
    start(0);
    CHECK(th_bump_alloc(&bump, 8) != NULL);
    th_bump_clean_up(&bump);
    CHECK(memcmp(&bump, &zeroed, sizeof bump) == 0);
    CHECK(th_bump_alloc(&bump, 8) == NULL);
    CHECK(!th_bump_resize_in_place(&bump, memory, 8));
    CHECK(!th_bump_owns(&bump, memory));
    th_bump_free(&bump, memory);
    CHECK_EQ(th_bump_reset(&bump), TH_ERR_NULL);
    CHECK_EQ(th_bump_check(&bump, NULL), TH_ERR_NULL);
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 0);
    th_bump_clean_up(&bump);
    th_bump_clean_up(NULL);
    memset(memory, 1, sizeof memory);
}

/* ---- the last block ------------------------------------------------------------------------- */

static void change_last(int level) {
    start(level);
    unsigned char *first = th_bump_alloc(&bump, 20);
    unsigned char *last = th_bump_alloc(&bump, 20);
    fill(first, 20, 1);
    fill(last, 20, 2);
    CHECK(!th_bump_resize_in_place(&bump, first, 10));
    th_bump_free(&bump, first);
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 52);
    CHECK(th_bump_resize_in_place(&bump, last, 100));
    CHECK(filled(last, 20, 2));
    fill(last, 100, 3);
    CHECK(!th_bump_resize_in_place(&bump, last, MEMORY_BYTES - 31));
    CHECK(th_bump_resize_in_place(&bump, last, MEMORY_BYTES - 32));
    CHECK(filled(last, 100, 3));
    CHECK(th_bump_resize_in_place(&bump, last, 1));
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 33);
    CHECK_EQ(th_bump_get_stats(&bump).high_water_bytes, MEMORY_BYTES);
    CHECK(filled(last, 1, 3));
    th_bump_free(&bump, last);
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 32);
    CHECK(!th_bump_resize_in_place(&bump, first, 10));
    CHECK_PTR_EQ(th_bump_alloc(&bump, 8), last);
    CHECK(filled(first, 20, 1));
    stop();
}

static void the_last_block_can_be_resized_and_freed(void) {
    at_levels(0, change_last);
}

/* ---- the document's heap -------------------------------------------------------------------- */

TH_BUMP_STATIC(sensor_heap, TH_BUMP_CONSTRAINED_BYTES);

static void a_static_heap_of_8192_bytes(void) {
    CHECK_EQ(th_bump_get_stats(&sensor_heap).left_bytes, 8192);
    for (unsigned round = 0; round < 3; round++) {
        unsigned char *first = th_bump_alloc_aligned(&sensor_heap, 5, 4);
        unsigned char *second = th_bump_alloc_aligned(&sensor_heap, 7, 4);
        CHECK((uintptr_t)first % 16 == 0 && second == first + 8);
        memset(first, 1, 5);
        memset(second, 2, 7);
        size_t blocks = 0;
        while (th_bump_alloc_aligned(&sensor_heap, 100, 4) != NULL) {
            blocks++;
        }
        CHECK_EQ(blocks, (8192 - 16) / 100);
        CHECK_EQ(th_bump_get_stats(&sensor_heap).used_bytes, 16 + blocks * 100);
        CHECK_EQ(th_bump_reset(&sensor_heap), TH_OK);
        CHECK_EQ(th_bump_get_stats(&sensor_heap).used_bytes, 0);
        CHECK_EQ(th_bump_get_stats(&sensor_heap).high_water_bytes, 16 + blocks * 100);
        CHECK_EQ(th_bump_get_stats(&sensor_heap).failed_allocs, round + 1);
    }
}

/* ---- through the interface ------------------------------------------------------------------ */

static void use_as_allocator(int level) {
    bool moved = true;
    start(level);
    th_allocator allocator = th_bump_allocator(&bump);
    unsigned char *first = th_allocator_alloc(allocator, 30);
    fill(first, 30, 1);
    CHECK(th_allocator_realloc(allocator, first, 30, 60, 16, &moved) == first && !moved);
    unsigned char *second = th_allocator_alloc_aligned(allocator, 10, 128);
    CHECK_EQ(at_byte(second), 128);
    CHECK(th_allocator_realloc(allocator, first, 30, 10, 16, &moved) == first && !moved);
    unsigned char *third = th_allocator_realloc(allocator, first, 30, 70, 16, &moved);
    CHECK(moved && at_byte(third) == 144 && filled(third, 30, 1));
    CHECK(th_allocator_realloc(allocator, first, 30, 500, 16, &moved) == NULL && !moved);
    CHECK(th_allocator_owns(allocator, second) && !th_allocator_owns(allocator, memory + 300));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    th_allocator_free(allocator, third);
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 144);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 0);
    stop();
}

static void a_buffer_is_an_allocator(void) {
    at_levels(0, use_as_allocator);
}

/* ---- what guards notice --------------------------------------------------------------------- */

/* The call that meets the damage fails, says so, and changes nothing. */
static void smash_after_last(int level) {
    start(level);
    unsigned char *block = th_bump_alloc(&bump, 20);
    fill(block, 20, 1);
    for (size_t i = 20; i < 36; i++) {
        unsigned char due = poke(memory + i, 0x41);
        CHECK(th_bump_alloc(&bump, 8) == NULL);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, (uint32_t)i, due, 0x41);
        CHECK(!th_bump_resize_in_place(&bump, block, 30));
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, (uint32_t)i, due, 0x41);
        CHECK(!th_bump_resize_in_place(&bump, block, 10));
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, (uint32_t)i, due, 0x41);
        th_bump_free(&bump, block);
        CHECK_EQ(faults.first.kind, TH_FAULT_CANARY);
        faults.count = 0;
        CHECK_EQ(th_bump_reset(&bump), TH_ERR_CORRUPT);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, (uint32_t)i, due, 0x41);
        CHECK_EQ(th_bump_check(&bump, NULL), TH_ERR_CORRUPT);
        CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 20);
        CHECK_EQ(poke(memory + i, due), 0x41);
    }
    CHECK(filled(block, 20, 1));
    stop();
}

static void an_overflow_of_the_last_block_is_noticed(void) {
    at_levels(1, smash_after_last);
}

static void smash_gaps(int level) {
    start(level);
    const size_t sizes[] = {20, 1, 15, 16, 33};
    size_t ends[5];
    for (size_t i = 0; i < 5; i++) {
        ends[i] = at_byte(th_bump_alloc(&bump, sizes[i])) + sizes[i];
    }
    CHECK(th_bump_alloc(&bump, 16) != NULL);
    for (size_t i = 0; i < 5; i++) {
        for (size_t at = ends[i]; at % 16 != 0; at++) {
            unsigned char due = poke(memory + at, 0x41);
            th_fault fault;
            CHECK_EQ(th_bump_check(&bump, &fault), TH_ERR_CORRUPT);
            CHECK_EQ(fault.offset, at);
            CHECK_EQ(th_bump_reset(&bump), TH_ERR_CORRUPT);
            EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, (uint32_t)at, due, 0x41);
            CHECK_EQ(poke(memory + at, due), 0x41);
        }
    }
    CHECK_EQ(th_bump_reset(&bump), TH_OK);
    stop();
}

static void an_overflow_into_any_gap_is_noticed(void) {
    at_levels(1, smash_gaps);
}

/* A block that needs the memory of the records gets it, after a last look at what they name. */
static void displace_records(int level) {
    start(level);
    for (size_t i = 0; i < 10; i++) {
        CHECK(th_bump_alloc(&bump, 20) != NULL);
    }
    size_t room = th_bump_get_stats(&bump).left_bytes;
    unsigned char due = poke(memory + 8 * 32 + 25, 0x41); /* the last gap but none */
    CHECK(th_bump_alloc_aligned(&bump, room, 1) == NULL);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, 8 * 32 + 25, due, 0x41);
    CHECK_EQ(poke(memory + 8 * 32 + 25, due), 0x41);
    unsigned char *rest = th_bump_alloc_aligned(&bump, room, 1);
    CHECK(rest != NULL);
    fill(rest, room, 9);
    CHECK(th_bump_alloc_aligned(&bump, 1, 1) == NULL);
    CHECK(filled(rest, room, 9));
    th_bump_free(&bump, rest);
    CHECK(th_bump_alloc(&bump, 20) != NULL);
    stop();
}

static void records_give_way_to_blocks(void) {
    at_levels(1, displace_records);
}

static void smash_records(int level) {
    start(level);
    for (size_t i = 0; i < 3; i++) {
        CHECK(th_bump_alloc(&bump, 20) != NULL);
    }
    for (size_t i = MEMORY_BYTES - 16; i < MEMORY_BYTES; i++) {
        unsigned char was = poke(memory + i, 0xEE);
        th_fault fault;
        CHECK_EQ(th_bump_check(&bump, &fault), TH_ERR_CORRUPT);
        CHECK(fault.kind == TH_FAULT_HEADER || fault.kind == TH_FAULT_CANARY);
        CHECK_EQ(th_bump_reset(&bump), TH_ERR_CORRUPT);
        CHECK(faults.count > 0);
        faults.count = 0;
        (void)poke(memory + i, was);
    }
    stop();
}

static void empty_a_record(int level) {
    start(level);
    th_fault fault;
    unsigned char *block = th_bump_alloc(&bump, 3);
    CHECK(th_bump_alloc(&bump, 16) != NULL);
    CHECK_EQ(bump.span.gaps, 1);
    unsigned char *bytes = bump.span.end - sizeof(uint32_t);
    unsigned char was[sizeof(uint32_t)];
    for (size_t i = 0; i < sizeof was; i++) {
        was[i] = poke(bytes + i, 0);
    }
    CHECK_EQ(th_bump_check(&bump, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_HEADER);
    for (size_t i = 0; i < sizeof was; i++) {
        (void)poke(bytes + i, was[i]);
    }
    CHECK(th_bump_owns(&bump, block));
    stop();
}

static void a_record_of_nothing_is_noticed(void) {
    at_levels(1, empty_a_record);
}

/* A record has 32 bits for a place: gaps further up are not watched. Blocks lie there as well as
 * anywhere. Only what is written to is memory; a tool would want a shadow of all of it. */
#if SIZE_MAX > UINT32_MAX && !TH_TRACK_ANY

static void go_far_up(int level) {
    const size_t far_up = (size_t)UINT32_MAX + 1;
    const size_t tail = 65536;
    unsigned char *range = th_pages_reserve(far_up + tail, 0);
    const th_bump_config config = {.guarding = guarding_with(&faults, level)};
    CHECK(range != NULL);
    CHECK_EQ(th_pages_commit(range + far_up, tail), TH_OK);
    CHECK_EQ(th_bump_init(&bump, range, far_up + tail, &config), TH_OK);
    CHECK_PTR_EQ(th_bump_alloc_aligned(&bump, far_up + 3, 1), range);
    unsigned char *block = th_bump_alloc(&bump, 20);
    CHECK_PTR_EQ(block, range + far_up + 16);
    CHECK_EQ(bump.span.gaps, 0);
    fill(block, 20, 1);
    CHECK_EQ(th_bump_reset(&bump), TH_OK);
    stop();
    CHECK_EQ(th_pages_release(range, far_up + tail), TH_OK);
}

static void gaps_beyond_4_gib_are_not_recorded(void) {
    go_far_up(1);
}

#else

static void gaps_beyond_4_gib_are_not_recorded(void) {
    CHECK(SIZE_MAX == UINT32_MAX || TH_TRACK_ANY);
}

#endif

static void damaged_records_are_noticed(void) {
    at_levels(1, smash_records);
}

static void write_after_free(int level) {
    start(level);
    unsigned char *block = th_bump_alloc(&bump, 200);
    fill(block, 200, 1);
    CHECK_EQ(th_bump_reset(&bump), TH_OK);
    for (size_t i = 0; i < 200; i++) {
        CHECK_EQ(poke(memory + i, 0x41), POISON);
        CHECK(th_bump_alloc(&bump, 200) == NULL);
        EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 0, 0, (uint32_t)i, POISON, 0x41);
        CHECK_EQ(poke(memory + i, POISON), 0x41);
    }
    CHECK_PTR_EQ(th_bump_alloc(&bump, 100), block);
    CHECK(th_bump_resize_in_place(&bump, block, 50));
    for (size_t i = 66; i < 100; i++) {
        CHECK_EQ(poke(memory + i, 0x41), POISON);
        CHECK(!th_bump_resize_in_place(&bump, block, 120));
        EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 0, 0, (uint32_t)i, POISON, 0x41);
        CHECK_EQ(poke(memory + i, POISON), 0x41);
    }
    stop();
}

static void a_write_after_free_is_noticed(void) {
    at_levels(2, write_after_free);
}

/* Where the next record of a gap would go. */
static void write_where_a_record_goes(int level) {
    start(level);
    CHECK(th_bump_alloc(&bump, MEMORY_BYTES) != NULL);
    CHECK_EQ(th_bump_reset(&bump), TH_OK);
    CHECK(th_bump_alloc(&bump, 20) != NULL);
    CHECK_EQ(poke(memory + MEMORY_BYTES - 3, 0x41), POISON);
    faults.count = 0;
    CHECK(th_bump_alloc(&bump, 20) == NULL);
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 0, 0, MEMORY_BYTES - 3, POISON, 0x41);
    CHECK_EQ(poke(memory + MEMORY_BYTES - 3, POISON), 0x41);
    CHECK(th_bump_alloc(&bump, 20) != NULL);
    stop();
}

static void a_write_where_a_record_goes_is_noticed(void) {
    at_levels(2, write_where_a_record_goes);
}

static void bring_back_bad_pointers(int level) {
    static unsigned char elsewhere[8];
    start(level);
    unsigned char *block = th_bump_alloc(&bump, 20);
    th_bump_free(&bump, memory + 40);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 40, 20, 40);
    CHECK(!th_bump_resize_in_place(&bump, memory + 20, 4));
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 20, 20, 20);
    CHECK(!th_bump_resize_in_place(&bump, elsewhere, 4));
    CHECK_EQ(faults.first.kind, TH_FAULT_FOREIGN);
    CHECK_EQ(faults.first.offset, TH_FAULT_NOWHERE);
    faults.count = 0;
    bool moved;
    CHECK(th_allocator_realloc(th_bump_allocator(&bump), elsewhere, 8, 4, 16, &moved) == NULL);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    th_bump_free(&bump, block);
    th_bump_free(&bump, block);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 0, 0, 0);
    stop();
}

static void bad_pointers_are_noticed(void) {
    at_levels(1, bring_back_bad_pointers);
}

static void break_the_structure(int level) {
    start(level);
    CHECK(th_bump_alloc(&bump, 20) != NULL);
    const th_span good = bump.span;
    const th_span broken[] = {
        {good.end + 1, good.end, good.last, good.base, good.dirty, 0},
        {good.at, good.at - 1, good.last, good.base, good.dirty, 0},
        {good.at, good.end, good.at + 1, good.base, good.dirty, 0},
        {good.at, good.end, good.base - 1, good.base, good.dirty, 0},
        {good.base - 1, good.end, NULL, good.base, good.dirty, 0},
        {good.at, good.end, good.last, good.base, good.dirty, 62},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        th_fault fault;
        bump.span = broken[i];
        CHECK_EQ(th_bump_check(&bump, &fault), TH_ERR_CORRUPT);
        CHECK_EQ(fault.kind, TH_FAULT_CHAIN);
        bump.span = good;
    }
    stop();
}

static void the_checker_knows_a_broken_span(void) {
    at_levels(0, break_the_structure);
}

static void clean_up_reports_damage(int level) {
    start(level);
    CHECK(th_bump_alloc(&bump, 20) != NULL);
    (void)poke(memory + 21, 0x41);
    th_bump_clean_up(&bump);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(faults.first.kind, TH_FAULT_CANARY);
    CHECK(th_bump_alloc(&bump, 1) == NULL);
}

static void clean_up_reports_and_goes_on(void) {
    at_levels(1, clean_up_reports_damage);
}

/* ---- what the tools are told ---------------------------------------------------------------- */

/* ASan says it by the byte; the other tools are asked by the misuse programs. */
static void view(int level) {
    start(level);
    unsigned char *block = th_bump_alloc(&bump, 20);
    CHECK(th_bump_alloc(&bump, 8) != NULL);
    fill(block, 20, 1);
#if TH_TRACK_ASAN
    for (size_t i = 0; i < MEMORY_BYTES; i++) {
        CHECK_EQ(__asan_address_is_poisoned(memory + i), !(i < 20 || (i >= 32 && i < 40)));
    }
    CHECK_EQ(th_bump_reset(&bump), TH_OK);
    CHECK(__asan_region_is_poisoned(memory, 1) != NULL);
#endif
    stop();
#if TH_TRACK_ASAN
    CHECK(__asan_region_is_poisoned(memory, sizeof memory) == NULL);
#endif
}

static void only_blocks_are_open(void) {
    at_levels(0, view);
}

/* ---- at random ------------------------------------------------------------------------------ */

typedef struct model_block {
    unsigned char *at;
    size_t bytes;
    uint32_t seed;
} model_block;

#define MODEL_BLOCKS 64

typedef struct model {
    model_block blocks[MODEL_BLOCKS];
    size_t count;
    size_t used;
    bool last_is_open;
} model;

static void check_model(const model *m) {
    for (size_t i = 0; i < m->count; i++) {
        CHECK(filled(m->blocks[i].at, m->blocks[i].bytes, m->blocks[i].seed));
    }
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, m->used);
    CHECK_EQ(th_bump_check(&bump, NULL), TH_OK);
    CHECK_EQ(faults.count, 0);
}

static void model_alloc(model *m, uint64_t random) {
    size_t bytes = 1 + (size_t)(random % 90);
    size_t alignment = (size_t)1 << (random >> 8) % 8;
    size_t start_at = (m->used + alignment - 1) & ~(alignment - 1);
    unsigned char *block = th_bump_alloc_aligned(&bump, bytes, alignment);
    if (start_at + bytes > MEMORY_BYTES || start_at > MEMORY_BYTES) {
        CHECK(block == NULL);
        return;
    }
    CHECK_EQ(at_byte(block), start_at);
    fill(block, bytes, (uint32_t)random);
    m->blocks[m->count++] = (model_block){block, bytes, (uint32_t)random};
    m->used = start_at + bytes;
    m->last_is_open = true;
}

static void model_resize(model *m, uint64_t random) {
    model_block *last = &m->blocks[m->count - 1];
    size_t bytes = 1 + (size_t)(random % 120);
    size_t kept = bytes < last->bytes ? bytes : last->bytes;
    bool fits = m->last_is_open && at_byte(last->at) + bytes <= MEMORY_BYTES;
    CHECK_EQ(th_bump_resize_in_place(&bump, last->at, bytes), fits);
    if (fits) {
        CHECK(filled(last->at, kept, last->seed));
        fill(last->at, bytes, last->seed);
        last->bytes = bytes;
        m->used = at_byte(last->at) + bytes;
    }
}

static void model_free(model *m) {
    th_bump_free(&bump, m->blocks[m->count - 1].at);
    if (m->last_is_open) {
        m->count--;
        m->used = at_byte(m->blocks[m->count].at);
        m->last_is_open = false;
    }
}

static void play_at_random(int level) {
    uint64_t state = th_test_seed(20 + (uint64_t)level);
    model m = {.count = 0};
    start(level);
    for (unsigned step = 0; step < 3000; step++) {
        uint64_t random = th_test_random(&state);
        unsigned choice = (unsigned)(random >> 60);
        if (choice == 0 || m.count == MODEL_BLOCKS) {
            CHECK_EQ(th_bump_reset(&bump), TH_OK);
            m = (model){.count = 0};
        } else if (choice < 4 && m.count > 0) {
            model_resize(&m, random);
        } else if (choice < 7 && m.count > 0) {
            model_free(&m);
        } else {
            model_alloc(&m, random);
        }
        check_model(&m);
    }
    stop();
}

static void a_simple_model_agrees(void) {
    at_levels(0, play_at_random);
}

TH_SUITE("bump", TEST(blocks_follow_each_other), TEST(every_power_of_two_on_any_memory),
         TEST(exhaustion_is_exact), TEST(absurd_requests_are_refused),
         TEST(init_refuses_bad_arguments), TEST(nothing_works_after_clean_up),
         TEST(the_last_block_can_be_resized_and_freed), TEST(a_static_heap_of_8192_bytes),
         TEST(a_buffer_is_an_allocator), TEST(an_overflow_of_the_last_block_is_noticed),
         TEST(an_overflow_into_any_gap_is_noticed), TEST(records_give_way_to_blocks),
         TEST(damaged_records_are_noticed), TEST(a_record_of_nothing_is_noticed),
         TEST(gaps_beyond_4_gib_are_not_recorded), TEST(a_write_after_free_is_noticed),
         TEST(a_write_where_a_record_goes_is_noticed), TEST(bad_pointers_are_noticed),
         TEST(the_checker_knows_a_broken_span), TEST(clean_up_reports_and_goes_on),
         TEST(only_blocks_are_open), TEST(a_simple_model_agrees))
