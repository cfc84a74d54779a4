/* SPDX-License-Identifier: MIT */
/* Where a block goes: docs/heap.md section 3. Every expected offset is worked out by hand; the
 * last test derives it for any heap by trying every offset, as the section is written.
 *
 * Offsets and sizes are dwords. At alignments 4 and 8: header 6, a remainder must have 10 to be
 * split off. At 16: header 8, remainder 12. Regions start at a multiple of 4096 bytes. */
#include <string.h>

#include "heap_fixture.h"

static fixture fx;

static void *take(uint32_t dwords, uint32_t tag) {
    return checked_alloc(&fx, (size_t)dwords * 4, tag);
}

static void *take_aligned(size_t alignment, uint32_t dwords, uint32_t tag) {
    return checked_alloc_at(&fx, alignment, (size_t)dwords * 4, tag, 0);
}

/* ---- which end, and what is left over ------------------------------------------------------ */

static void head_grows_up(void) {
    fixture_start(&fx, 4, 100);
    CHECK_EQ(offset_of(&fx, take(4, 1)), 0);
    CHECK_EQ(offset_of(&fx, take(8, 2)), 10);
    CHECK_EQ(offset_of(&fx, take(1, 3)), 24);
    EXPECT_BLOCKS(&fx.heap, {1, 4}, {2, 8}, {3, 1}, {FREE, 57});
    fixture_stop(&fx);
}

static void tail_grows_down(void) {
    fixture_start(&fx, 4, 100);
    CHECK_EQ(offset_of(&fx, take(4, 0x4001)), 84);
    CHECK_EQ(offset_of(&fx, take(8, 0x4002)), 70);
    CHECK_EQ(offset_of(&fx, take(1, 0x4003)), 63);
    EXPECT_BLOCKS(&fx.heap, {FREE, 57}, {0x4003, 1}, {0x4002, 8}, {0x4001, 4});
    fixture_stop(&fx);
}

/* FIRST has `first`; `split` leaves exactly the least remainder, `slack` the next less. */
static void expect_split(size_t alignment, uint32_t first, uint32_t split, uint32_t slack) {
    uint32_t dwords = first + (alignment == 16 ? 16 : 12);
    fixture_start(&fx, alignment, dwords);
    CHECK_EQ(offset_of(&fx, take(split, 0x0001)), 0);
    EXPECT_BLOCKS(&fx.heap, {0x0001, split}, {FREE, 4});
    fixture_start(&fx, alignment, dwords);
    CHECK_EQ(offset_of(&fx, take(slack, 0x0001)), 0);
    EXPECT_BLOCKS(&fx.heap, {0x0001, first});
    fixture_start(&fx, alignment, dwords);
    CHECK_EQ(offset_of(&fx, take(split, 0x4001)), alignment == 16 ? 12 : 10);
    EXPECT_BLOCKS(&fx.heap, {FREE, 4}, {0x4001, split});
    fixture_start(&fx, alignment, dwords);
    CHECK_EQ(offset_of(&fx, take(slack, 0x4001)), 0);
    EXPECT_BLOCKS(&fx.heap, {0x4001, first});
    fixture_stop(&fx);
}

static void small_remainders_stay_as_slack(void) {
    expect_split(4, 50, 40, 41);
    expect_split(8, 50, 40, 42);
    expect_split(16, 48, 36, 40);
}

static void exact_fits_are_used_whole(void) {
    static const uint32_t tags[] = {0x0001, 0x4001};
    for (size_t i = 0; i < 2; i++) {
        fixture_start(&fx, 4, 62);
        CHECK(take(51, tags[i]) == NULL);
        CHECK_EQ(offset_of(&fx, take(50, tags[i])), 0);
        EXPECT_BLOCKS(&fx.heap, {tags[i], 50});
        fixture_stop(&fx);
    }
}

/* ---- which free block ---------------------------------------------------------------------- */

/* Blocks of 10, 30 and 20 with blocks of 2 between and above them, the three freed again. */
static void start_with_holes(uint32_t side) {
    void *holes[3];
    static const uint32_t sizes[3] = {10, 30, 20};
    fixture_start(&fx, 4, 200);
    for (uint32_t i = 0; i < 3; i++) {
        holes[i] = take(sizes[i], side + 0x10);
        CHECK(take(2, side + i) != NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(checked_free(&fx, holes[i]), sizes[i] * 4);
    }
}

static void head_takes_the_lowest_that_fits(void) {
    start_with_holes(0);
    EXPECT_BLOCKS(&fx.heap, {FREE, 10}, {0, 2}, {FREE, 30}, {1, 2}, {FREE, 20}, {2, 2}, {FREE, 86});
    CHECK_EQ(offset_of(&fx, take(20, 7)), 24);
    EXPECT_BLOCKS(&fx.heap, {FREE, 10}, {0, 2}, {7, 20}, {FREE, 4}, {1, 2}, {FREE, 20}, {2, 2},
                  {FREE, 86});
    CHECK_EQ(offset_of(&fx, take(20, 8)), 68);
    CHECK_EQ(offset_of(&fx, take(4, 9)), 0);
    CHECK_EQ(offset_of(&fx, take(5, 10)), 102);
    EXPECT_BLOCKS(&fx.heap, {9, 10}, {0, 2}, {7, 20}, {FREE, 4}, {1, 2}, {8, 20}, {2, 2}, {10, 5},
                  {FREE, 75});
    fixture_stop(&fx);
}

static void tail_takes_the_highest_that_fits(void) {
    start_with_holes(0x4000);
    EXPECT_BLOCKS(&fx.heap, {FREE, 86}, {0x4002, 2}, {FREE, 20}, {0x4001, 2}, {FREE, 30},
                  {0x4000, 2}, {FREE, 10});
    CHECK_EQ(offset_of(&fx, take(20, 0x4007)), 144);
    EXPECT_BLOCKS(&fx.heap, {FREE, 86}, {0x4002, 2}, {FREE, 20}, {0x4001, 2}, {FREE, 4},
                  {0x4007, 20}, {0x4000, 2}, {FREE, 10});
    CHECK_EQ(offset_of(&fx, take(20, 0x4008)), 100);
    CHECK_EQ(offset_of(&fx, take(4, 0x4009)), 178);
    CHECK_EQ(offset_of(&fx, take(5, 0x400A)), 81);
    EXPECT_BLOCKS(&fx.heap, {FREE, 75}, {0x400A, 5}, {0x4002, 2}, {0x4008, 20}, {0x4001, 2},
                  {FREE, 4}, {0x4007, 20}, {0x4000, 2}, {0x4009, 10});
    fixture_stop(&fx);
}

static void head_never_goes_above_a_tail_block(void) {
    fixture_start(&fx, 4, 112);
    void *high = take(20, 0x4001);
    void *low = take(20, 0x4002);
    CHECK_EQ(checked_free(&fx, high), 80);
    EXPECT_BLOCKS(&fx.heap, {FREE, 48}, {0x4002, 20}, {FREE, 20});
    CHECK(take(49, 1) == NULL);
    CHECK_EQ(offset_of(&fx, take(48, 1)), 0);
    CHECK(take(1, 2) == NULL);
    CHECK_EQ(offset_of(&fx, take(20, 0x4003)), 80);
    EXPECT_BLOCKS(&fx.heap, {1, 48}, {0x4002, 20}, {0x4003, 20});
    CHECK_EQ(checked_free(&fx, low), 80);
    CHECK_EQ(offset_of(&fx, take(1, 2)), 54);
    EXPECT_BLOCKS(&fx.heap, {1, 48}, {2, 1}, {FREE, 13}, {0x4003, 20});
    fixture_stop(&fx);
}

static void tail_never_goes_below_a_head_block(void) {
    fixture_start(&fx, 4, 112);
    void *low = take(20, 1);
    void *high = take(20, 2);
    CHECK_EQ(checked_free(&fx, low), 80);
    EXPECT_BLOCKS(&fx.heap, {FREE, 20}, {2, 20}, {FREE, 48});
    CHECK(take(49, 0x4001) == NULL);
    CHECK_EQ(offset_of(&fx, take(48, 0x4001)), 52);
    CHECK(take(1, 0x4002) == NULL);
    CHECK_EQ(offset_of(&fx, take(4, 3)), 0);
    EXPECT_BLOCKS(&fx.heap, {3, 4}, {FREE, 10}, {2, 20}, {0x4001, 48});
    CHECK_EQ(checked_free(&fx, high), 80 + 24);
    CHECK_EQ(offset_of(&fx, take(4, 0x4002)), 42);
    EXPECT_BLOCKS(&fx.heap, {3, 4}, {FREE, 26}, {0x4002, 4}, {0x4001, 48});
    fixture_stop(&fx);
}

/* ---- specially aligned blocks --------------------------------------------------------------- */

#define ALIGNED_SIZES 10 /* 8 to 4096 bytes */

typedef struct spot {
    uint32_t offset; /* of the header */
    uint32_t size;
} spot;

/* Places of a block of 16 bytes in a fresh heap of 1,100 dwords. Payloads start one header above
 * the block: HEAD at the first multiple with no gap below, or one of a header and 4 (10; 12 at
 * alignment 16). TAIL at the last multiple that leaves 4 dwords below LAST (1094; 1092). */
static const spot head_places[2][ALIGNED_SIZES] = {
    {{0, 4}, {10, 4}, {10, 4}, {10, 4}, {26, 4}, {58, 4}, {122, 4}, {250, 4}, {506, 4}, {1018, 4}},
    {{0, 4}, {0, 4}, {0, 4}, {24, 4}, {24, 4}, {56, 4}, {120, 4}, {248, 4}, {504, 4}, {1016, 4}}};
static const spot tail_places[2][ALIGNED_SIZES] = {{{1084, 4},
                                                    {1082, 6},
                                                    {1082, 6},
                                                    {1082, 6},
                                                    {1082, 6},
                                                    {1082, 6},
                                                    {1018, 4},
                                                    {1018, 4},
                                                    {1018, 4},
                                                    {1018, 4}},
                                                   {{1080, 4},
                                                    {1080, 4},
                                                    {1080, 4},
                                                    {1080, 4},
                                                    {1080, 4},
                                                    {1080, 4},
                                                    {1016, 4},
                                                    {1016, 4},
                                                    {1016, 4},
                                                    {1016, 4}}};

static void expect_place(size_t alignment, size_t wanted, uint32_t tag, spot expected) {
    fixture_start(&fx, alignment, 1100);
    void *pointer = take_aligned(wanted, 4, tag);
    CHECK_EQ((uintptr_t)pointer % wanted, 0);
    CHECK_EQ(offset_of(&fx, pointer), expected.offset);
    CHECK_EQ(block_of(&fx.heap, pointer).size_dwords, expected.size);
    fill(pointer, 16, 1);
    CHECK(filled(pointer, 16, 1));
    fixture_stop(&fx);
}

static void every_power_of_two_on_both_sides(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        size_t row = alignment == 16 ? 1 : 0;
        for (size_t i = 0; i < ALIGNED_SIZES; i++) {
            size_t wanted = (size_t)8 << i;
            expect_place(alignment, wanted, 0x0001, head_places[row][i]);
            expect_place(alignment, wanted, 0x4001, tail_places[row][i]);
        }
    }
}

static void the_gap_below_holds_a_block_or_is_nothing(void) {
    fixture_start(&fx, 4, 100);
    CHECK(take(10, 1) != NULL);
    CHECK_EQ(offset_of(&fx, take_aligned(64, 4, 2)), 26);
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {FREE, 4}, {2, 4}, {FREE, 52});
    fixture_start(&fx, 4, 100);
    CHECK(take(11, 1) != NULL);
    CHECK_EQ(offset_of(&fx, take_aligned(64, 4, 2)), 42);
    EXPECT_BLOCKS(&fx.heap, {1, 11}, {FREE, 19}, {2, 4}, {FREE, 36});
    fixture_start(&fx, 4, 100);
    CHECK(take(4, 1) != NULL);
    CHECK_EQ(offset_of(&fx, take_aligned(64, 4, 2)), 10);
    EXPECT_BLOCKS(&fx.heap, {1, 4}, {2, 4}, {FREE, 68});
    fixture_stop(&fx);
}

/* The lowest free block has an aligned address, but no room above it. */
static void an_aligned_block_passes_over_free_blocks(void) {
    fixture_start(&fx, 4, 100);
    void *hole = take(10, 1);
    CHECK(take(2, 2) != NULL);
    CHECK_EQ(checked_free(&fx, hole), 40);
    CHECK_EQ(offset_of(&fx, take_aligned(64, 1, 3)), 42);
    EXPECT_BLOCKS(&fx.heap, {FREE, 10}, {2, 2}, {FREE, 12}, {3, 1}, {FREE, 39});
    fixture_stop(&fx);
}

static void what_is_above_an_aligned_tail_block(void) {
    fixture_start(&fx, 4, 62);
    CHECK_EQ(offset_of(&fx, take_aligned(16, 4, 0x4001)), 46);
    EXPECT_BLOCKS(&fx.heap, {FREE, 40}, {0x4001, 4});
    fixture_start(&fx, 4, 63);
    CHECK_EQ(offset_of(&fx, take_aligned(16, 4, 0x4001)), 46);
    EXPECT_BLOCKS(&fx.heap, {FREE, 40}, {0x4001, 5});
    fixture_start(&fx, 4, 63);
    CHECK_EQ(offset_of(&fx, take_aligned(64, 4, 0x4001)), 42);
    EXPECT_BLOCKS(&fx.heap, {FREE, 36}, {0x4001, 9});
    fixture_start(&fx, 4, 64);
    CHECK_EQ(offset_of(&fx, take_aligned(64, 4, 0x4001)), 42);
    EXPECT_BLOCKS(&fx.heap, {FREE, 36}, {0x4001, 10});
    CHECK_EQ(checked_trim(&fx, block_tagged(&fx.heap, 0x4001).payload), 0);
    fixture_start(&fx, 4, 68);
    CHECK_EQ(offset_of(&fx, take_aligned(64, 4, 0x4001)), 42);
    EXPECT_BLOCKS(&fx.heap, {FREE, 36}, {0x4001, 4}, {FREE, 4});
    fixture_start(&fx, 4, 63);
    CHECK_EQ(offset_of(&fx, take_aligned(128, 4, 0x4001)), 26);
    EXPECT_BLOCKS(&fx.heap, {FREE, 20}, {0x4001, 4}, {FREE, 15});
    fixture_stop(&fx);
}

static void small_alignments_are_the_heaps_own(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        fixture_start(&fx, alignment, 100);
        for (size_t wanted = 1; wanted <= alignment; wanted *= 2) {
            void *pointer = take_aligned(wanted, 1, 1);
            CHECK_EQ(block_of(&fx.heap, pointer).alignment, alignment);
            CHECK(checked_free(&fx, pointer) > 0);
        }
        fixture_stop(&fx);
    }
}

static void hopeless_alignments_fail_and_count(void) {
    fixture_start(&fx, 4, 1000);
    CHECK(take_aligned(4096, 4, 1) == NULL);
    CHECK(take_aligned((size_t)1 << 31, 4, 1) == NULL);
    CHECK(take_aligned((size_t)1 << 31, 4, 0x4001) == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 3);
#if SIZE_MAX > UINT32_MAX
    for (unsigned shift = 32; shift < 64; shift++) {
        CHECK(take_aligned((size_t)1 << shift, 4, 1) == NULL);
        CHECK(take_aligned((size_t)1 << shift, 4, 0x4001) == NULL);
    }
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 67);
#endif
    EXPECT_BLOCKS(&fx.heap, {FREE, 988});
    fixture_stop(&fx);
}

/* The place depends on addresses, not on offsets. */
static void the_region_may_start_anywhere(void) {
    th_heap_config config = {.alignment = 4};
    for (uint32_t skew = 4; skew <= 64; skew += 4) {
        fixture_start_with(&fx, skew, 400, &config);
        uint32_t payload = 6;
        while ((payload * 4 + skew) % 64 != 0 || (payload > 6 && payload < 16)) {
            payload++;
        }
        CHECK_EQ(offset_of(&fx, take_aligned(64, 4, 1)), payload - 6);
        fixture_stop(&fx);
    }
}

/* ---- any heap -------------------------------------------------------------------------------- */

#define NOWHERE UINT32_MAX

/* May a block of `need` with its header at n lie in the free block `hole`? Section 3's three
 * conditions. */
static bool may_lie_at(const th_heap_block *hole, uint32_t n, uint32_t need, size_t alignment) {
    uint32_t end = hole->offset + fx.header + hole->size_dwords;
    uint32_t gap = n - hole->offset;
    uintptr_t payload = (uintptr_t)fx.region + (size_t)(n + fx.header) * 4;
    return n + fx.header + need <= end && payload % alignment == 0 &&
           (gap == 0 || gap >= fx.header + 4);
}

static uint32_t place_in(const th_heap_block *hole, uint32_t need, size_t alignment, bool tail) {
    uint32_t place = NOWHERE;
    uint32_t end = hole->offset + fx.header + hole->size_dwords;
    for (uint32_t n = hole->offset; n < end; n += fx.unit) {
        if (may_lie_at(hole, n, need, alignment) && (tail || place == NOWHERE)) {
            place = n;
        }
    }
    return place;
}

static uint32_t expected_place(size_t bytes, size_t alignment, bool tail) {
    uint32_t unit_bytes = fx.unit * 4;
    uint32_t need = (uint32_t)((bytes + unit_bytes - 1) / unit_bytes) * fx.unit;
    uint32_t place = NOWHERE;
    th_heap_block block;
    for (bool more = th_heap_first(&fx.heap, &block); more && block.next_offset != 0;
         more = th_heap_next(&fx.heap, &block)) {
        if (block.tag == FREE) {
            uint32_t here = place_in(&block, need, alignment, tail);
            if (here != NOWHERE && (tail || place == NOWHERE)) {
                place = here;
            }
        } else if (tail && block.tag <= TH_TAG_HEAD_MAX) {
            place = NOWHERE;
        } else if (!tail && block.tag >= TH_TAG_TAIL_MIN) {
            break;
        }
    }
    return place;
}

static void place_at_random(uint64_t *state, void **slots, size_t count) {
    void **slot = &slots[th_test_random(state) % count];
    if (*slot != NULL) {
        CHECK(checked_free(&fx, *slot) > 0);
        *slot = NULL;
        return;
    }
    bool tail = th_test_random(state) % 3 == 0;
    size_t bytes = 1 + (size_t)(th_test_random(state) % 120);
    unsigned shift = (unsigned)(th_test_random(state) % 8);
    size_t alignment = fx.alignment << (shift < 4 ? 0 : shift - 3);
    uint32_t place = expected_place(bytes, alignment, tail);
    uint32_t tag = (tail ? 0x4000 : 0) + (uint32_t)(slot - slots);
    *slot = checked_alloc_at(&fx, alignment, bytes, tag, 0);
    if (place == NOWHERE) {
        CHECK(*slot == NULL);
    } else {
        CHECK_EQ(offset_of(&fx, *slot), place);
    }
}

static void every_place_is_the_documented_one(void) {
    uint64_t state = th_test_seed(0x7468706C);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        void *slots[40] = {NULL};
        th_heap_config config = {.alignment = alignment, .guarding.level = th_guard_max()};
        fixture_start_with(&fx, alignment * 5, 3200, &config);
        for (int step = 0; step < 1500; step++) {
            place_at_random(&state, slots, sizeof slots / sizeof slots[0]);
        }
        CHECK(stats_of(&fx.heap).failed_allocs > 0);
        CHECK(checked_free_tags(&fx, 0, TH_TAG_TAIL_MAX) > 0);
        fixture_stop(&fx);
    }
}

TH_SUITE("heap_place", TEST(head_grows_up), TEST(tail_grows_down),
         TEST(small_remainders_stay_as_slack), TEST(exact_fits_are_used_whole),
         TEST(head_takes_the_lowest_that_fits), TEST(tail_takes_the_highest_that_fits),
         TEST(head_never_goes_above_a_tail_block), TEST(tail_never_goes_below_a_head_block),
         TEST(every_power_of_two_on_both_sides), TEST(the_gap_below_holds_a_block_or_is_nothing),
         TEST(an_aligned_block_passes_over_free_blocks), TEST(what_is_above_an_aligned_tail_block),
         TEST(small_alignments_are_the_heaps_own), TEST(hopeless_alignments_fail_and_count),
         TEST(the_region_may_start_anywhere), TEST(every_place_is_the_documented_one))
