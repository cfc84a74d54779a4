/* SPDX-License-Identifier: MIT */
/* Resize and trim: every path of docs/heap.md section 4, on both sides and at every alignment.
 * Offsets and sizes are dwords. At alignments 4 and 8: header 6, a remainder of 10 is split off.
 * At 16: header 8, remainder 12. */
#include <string.h>

#include "heap_fixture.h"

static fixture fx;

static void *take(uint32_t dwords, uint32_t tag) {
    void *pointer = checked_alloc(&fx, (size_t)dwords * 4, tag);
    CHECK(pointer != NULL);
    return pointer;
}

static void *resize(void *pointer, uint32_t dwords) {
    return checked_resize(&fx, pointer, (size_t)dwords * 4);
}

/* ---- no growth ---------------------------------------------------------------------------- */

static void null_stays_null(void) {
    fixture_start(&fx, 4, 112);
    CHECK(resize(NULL, 0) == NULL);
    CHECK(resize(NULL, 10) == NULL);
    CHECK(checked_resize(&fx, NULL, SIZE_MAX) == NULL);
    EXPECT_BLOCKS(&fx.heap, {FREE, 100});
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 0);
    fixture_stop(&fx);
}

static void zero_frees_and_merges(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(10, 1);
    void *b = take(20, 2);
    void *c = take(30, 3);
    CHECK(resize(b, 0) == NULL);
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {FREE, 20}, {3, 30}, {FREE, 22});
    CHECK(resize(c, 0) == NULL);
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {FREE, 84});
    CHECK(resize(a, 0) == NULL);
    EXPECT_BLOCKS(&fx.heap, {FREE, 100});
    fixture_stop(&fx);
}

static void within_the_block_only_the_request_changes(void) {
    static const size_t sizes[] = {80, 79, 77, 76, 41, 40, 1, 2, 39, 80};
    fixture_start(&fx, 4, 112);
    void *a = take(20, 1);
    fill(a, 80, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK_PTR_EQ(checked_resize(&fx, a, sizes[i]), a);
        CHECK_EQ(th_heap_requested_size(&fx.heap, a), sizes[i]);
        CHECK_EQ(th_heap_usable_size(&fx.heap, a), 80);
        EXPECT_BLOCKS(&fx.heap, {1, 20}, {FREE, 74});
        CHECK(filled(a, 1, 1));
    }
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 26 * 4);
    fixture_stop(&fx);
}

/* Exactly what the block holds is no growth, however full the heap is. */
static void the_same_size_needs_no_room(void) {
    static const uint32_t tags[] = {1, 0x4001};
    for (size_t side = 0; side < 2; side++) {
        fixture_start(&fx, 4, 112);
        void *a = take(47, tags[side]);
        void *b = take(47, tags[side]);
        CHECK_PTR_EQ(resize(a, 47), a);
        CHECK_PTR_EQ(resize(b, 47), b);
        CHECK_PTR_EQ(checked_resize(&fx, a, 47 * 4 - 1), a);
        CHECK(resize(a, 48) == NULL);
        CHECK_EQ(stats_of(&fx.heap).failed_allocs, 1);
        EXPECT_BLOCKS(&fx.heap, {tags[side], 47}, {tags[side], 47});
        fixture_stop(&fx);
    }
}

/* ---- growth in place ---------------------------------------------------------------------- */

/* A block of 10 dwords, a free one of 20 above it, then a block of 5, and 47 left. */
static void *start_below_a_hole(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(10, 1);
    void *hole = take(20, 2);
    fill(take(5, 3), 20, 3);
    CHECK_EQ(checked_free(&fx, hole), 80);
    fill(a, 40, 1);
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {FREE, 20}, {3, 5}, {FREE, 47});
    return a;
}

static void *expect_grown(void *a, uint32_t dwords) {
    void *grown = resize(a, dwords);
    CHECK(grown != NULL);
    CHECK(filled(grown, 40, 1));
    CHECK(filled(block_tagged(&fx.heap, 3).payload, 20, 3));
    fill(grown, (size_t)dwords * 4, 2);
    CHECK(filled(block_tagged(&fx.heap, 3).payload, 20, 3));
    return grown;
}

static void grows_into_the_next_free_block(void) {
    void *a = start_below_a_hole();
    CHECK_PTR_EQ(expect_grown(a, 11), a);
    EXPECT_BLOCKS(&fx.heap, {1, 11}, {FREE, 19}, {3, 5}, {FREE, 47});
    a = start_below_a_hole();
    CHECK_PTR_EQ(expect_grown(a, 26), a);
    EXPECT_BLOCKS(&fx.heap, {1, 26}, {FREE, 4}, {3, 5}, {FREE, 47});
    a = start_below_a_hole();
    CHECK_PTR_EQ(expect_grown(a, 27), a);
    EXPECT_BLOCKS(&fx.heap, {1, 36}, {3, 5}, {FREE, 47});
    a = start_below_a_hole();
    CHECK_PTR_EQ(expect_grown(a, 36), a);
    EXPECT_BLOCKS(&fx.heap, {1, 36}, {3, 5}, {FREE, 47});
    fixture_stop(&fx);
}

static void moves_when_the_next_free_block_is_too_small(void) {
    void *a = start_below_a_hole();
    void *moved = expect_grown(a, 37);
    CHECK_EQ(offset_of(&fx, moved), 53);
    EXPECT_BLOCKS(&fx.heap, {FREE, 36}, {3, 5}, {1, 37}, {FREE, 4});
    fixture_stop(&fx);
}

/* The same boundaries with units of 2 and 4 dwords. */
static void grows_in_place_at_other_alignments(void) {
    static const uint32_t sizes[2][2] = {{26, 28}, {28, 32}};
    for (uint32_t row = 0; row < 2; row++) {
        for (uint32_t whole = 0; whole < 2; whole++) {
            uint32_t own = row == 0 ? 10 : 12;
            fixture_start(&fx, row == 0 ? 8 : 16, 112);
            void *a = take(own, 1);
            void *hole = take(20, 2);
            CHECK(take(8, 3) != NULL);
            CHECK(checked_free(&fx, hole) == 80);
            CHECK_PTR_EQ(checked_resize(&fx, a, sizes[row][whole] * 4 - 3), a);
            uint32_t rest = row == 0 ? 44 : 32;
            uint32_t joined = row == 0 ? 36 : 40;
            if (whole == 1) {
                EXPECT_BLOCKS(&fx.heap, {1, joined}, {3, 8}, {FREE, rest});
            } else {
                EXPECT_BLOCKS(&fx.heap, {1, sizes[row][0]}, {FREE, 4}, {3, 8}, {FREE, rest});
            }
            fixture_stop(&fx);
        }
    }
}

static void *start_tail_below_a_hole(void) {
    fixture_start(&fx, 4, 112);
    fill(take(5, 0x4003), 20, 3);
    void *hole = take(20, 0x4002);
    void *a = take(10, 0x4001);
    CHECK_EQ(checked_free(&fx, hole), 80);
    fill(a, 40, 1);
    EXPECT_BLOCKS(&fx.heap, {FREE, 47}, {0x4001, 10}, {FREE, 20}, {0x4003, 5});
    return a;
}

static void tail_blocks_grow_upward_in_place(void) {
    void *a = start_tail_below_a_hole();
    CHECK_PTR_EQ(resize(a, 26), a);
    CHECK(filled(a, 40, 1));
    EXPECT_BLOCKS(&fx.heap, {FREE, 47}, {0x4001, 26}, {FREE, 4}, {0x4003, 5});
    a = start_tail_below_a_hole();
    CHECK_PTR_EQ(resize(a, 27), a);
    EXPECT_BLOCKS(&fx.heap, {FREE, 47}, {0x4001, 36}, {0x4003, 5});
    fixture_stop(&fx);
}

static void tail_blocks_move_to_the_highest_that_fits(void) {
    void *a = start_tail_below_a_hole();
    void *moved = resize(a, 37);
    CHECK_EQ(offset_of(&fx, moved), 10);
    CHECK(filled(moved, 40, 1));
    CHECK(filled(block_tagged(&fx.heap, 0x4003).payload, 20, 3));
    EXPECT_BLOCKS(&fx.heap, {FREE, 4}, {0x4001, 37}, {FREE, 36}, {0x4003, 5});
    fixture_stop(&fx);
}

static void last_is_never_grown_into(void) {
    fixture_start(&fx, 4, 62);
    void *a = take(40, 1);
    EXPECT_BLOCKS(&fx.heap, {1, 40}, {FREE, 4});
    CHECK(resize(a, 51) == NULL);
    CHECK_PTR_EQ(resize(a, 50), a);
    EXPECT_BLOCKS(&fx.heap, {1, 50});
    CHECK(resize(a, 51) == NULL);
    CHECK(resize(a, 56) == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 3);
    fixture_stop(&fx);
}

/* ---- growth by moving --------------------------------------------------------------------- */

static void moves_to_the_lowest_that_fits(void) {
    fixture_start(&fx, 4, 112);
    void *hole = take(30, 1);
    void *a = take(10, 2);
    CHECK(take(5, 3) != NULL);
    CHECK_EQ(checked_free(&fx, hole), 120);
    fill(a, 40, 2);
    void *moved = resize(a, 25);
    CHECK_EQ(offset_of(&fx, moved), 0);
    CHECK(filled(moved, 40, 2));
    EXPECT_BLOCKS(&fx.heap, {2, 30}, {FREE, 10}, {3, 5}, {FREE, 37});
    fixture_stop(&fx);
}

/* A lower free block would do, but growing in place comes first. */
static void growth_in_place_comes_first(void) {
    fixture_start(&fx, 4, 200);
    void *low = take(30, 1);
    void *a = take(10, 2);
    void *next = take(20, 3);
    CHECK(take(5, 4) != NULL);
    CHECK_EQ(checked_free(&fx, low), 120);
    CHECK_EQ(checked_free(&fx, next), 80);
    CHECK_PTR_EQ(resize(a, 25), a);
    EXPECT_BLOCKS(&fx.heap, {FREE, 30}, {2, 25}, {FREE, 5}, {4, 5}, {FREE, 99});
    fixture_stop(&fx);
}

/* The old block must still be there while the new one is placed. */
static void old_and_new_block_must_both_fit(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(60, 1);
    CHECK(take(1, 2) != NULL);
    fill(a, 240, 1);
    CHECK(resize(a, 61) == NULL);
    CHECK(filled(a, 240, 1));
    EXPECT_BLOCKS(&fx.heap, {1, 60}, {2, 1}, {FREE, 27});
    fixture_stop(&fx);
}

static void a_failed_growth_leaves_everything(void) {
    static const size_t impossible[] = {SIZE_MAX,
                                        SIZE_MAX - 3,
                                        (size_t)PTRDIFF_MAX + 1,
                                        PTRDIFF_MAX,
                                        TH_HEAP_BLOCK_BYTES_MAX + 1,
                                        TH_HEAP_BLOCK_BYTES_MAX,
                                        (size_t)0x20000 * 4,
                                        74 * 4,
                                        73 * 4 + 1};
    fixture_start(&fx, 4, 112);
    void *a = take(10, 1);
    CHECK(take(5, 2) != NULL);
    fill(a, 40, 1);
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        CHECK(checked_resize(&fx, a, impossible[i]) == NULL);
        CHECK(filled(a, 40, 1));
        CHECK_EQ(stats_of(&fx.heap).failed_allocs, i + 1);
    }
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {2, 5}, {FREE, 73});
    CHECK(filled(resize(a, 73), 40, 1));
    EXPECT_BLOCKS(&fx.heap, {FREE, 10}, {2, 5}, {1, 73});
    fixture_stop(&fx);
}

static void tag_alignment_and_site_are_kept(void) {
    fixture_start(&fx, 4, 300);
    void *a = checked_alloc_at(&fx, 64, 16, 7, 99);
    CHECK_EQ(offset_of(&fx, a), 10);
    CHECK(take(5, 8) != NULL);
    fill(a, 16, 1);
    void *moved = resize(a, 40);
    CHECK_EQ(offset_of(&fx, moved), 42);
    CHECK_EQ((uintptr_t)moved % 64, 0);
    CHECK(filled(moved, 16, 1));
    th_heap_block block = block_of(&fx.heap, moved);
    CHECK_EQ(block.tag, 7);
    CHECK_EQ(block.alignment, 64);
    CHECK_EQ(block.site, 99);
    EXPECT_BLOCKS(&fx.heap, {FREE, 14}, {8, 5}, {FREE, 5}, {7, 40}, {FREE, 200});
    CHECK_PTR_EQ(resize(moved, 50), moved);
    CHECK_EQ(block_of(&fx.heap, moved).alignment, 64);
    CHECK_EQ(block_of(&fx.heap, moved).site, 99);
    fixture_stop(&fx);
}

/* What was given up by shrinking is not promised; all that was requested is. */
static void the_requested_bytes_are_copied(void) {
    fixture_start(&fx, 4, 400);
    void *a = checked_alloc(&fx, 99, 1);
    CHECK(take(5, 2) != NULL);
    fill(a, 99, 1);
    CHECK_PTR_EQ(checked_resize(&fx, a, 37), a);
    void *b = checked_resize(&fx, a, 201);
    CHECK(b != a);
    CHECK(filled(b, 37, 1));
    fill(b, 201, 2);
    CHECK(offset_of(&fx, take(30, 3)) > offset_of(&fx, b));
    void *c = checked_resize(&fx, b, 202 * 2);
    CHECK(c != b);
    CHECK(filled(c, 201, 2));
    fixture_stop(&fx);
}

static void high_water_sees_both_blocks(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(10, 1);
    CHECK(take(5, 2) != NULL);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 27 * 4);
    a = resize(a, 20);
    CHECK_EQ(stats_of(&fx.heap).used_bytes, 37 * 4);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 53 * 4);
    CHECK_PTR_EQ(resize(a, 30), a);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 53 * 4);
    CHECK_PTR_EQ(resize(a, 40), a);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 57 * 4);
    fixture_stop(&fx);
}

/* ---- trim --------------------------------------------------------------------------------- */

static void trim_of_a_fitting_block_does_nothing(void) {
    fixture_start(&fx, 4, 112);
    void *a = checked_alloc(&fx, 77, 1);
    CHECK_EQ(checked_trim(&fx, a), 0);
    CHECK_EQ(checked_trim(&fx, NULL), 0);
    EXPECT_BLOCKS(&fx.heap, {1, 20}, {FREE, 74});
    fixture_stop(&fx);
}

static void trim_gives_to_the_next_free_block(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(20, 1);
    fill(a, 80, 1);
    CHECK_PTR_EQ(checked_resize(&fx, a, 76), a);
    CHECK_EQ(checked_trim(&fx, a), 4);
    EXPECT_BLOCKS(&fx.heap, {1, 19}, {FREE, 75});
    CHECK_PTR_EQ(checked_resize(&fx, a, 10), a);
    CHECK_EQ(checked_trim(&fx, a), 64);
    EXPECT_BLOCKS(&fx.heap, {1, 3}, {FREE, 91});
    CHECK(filled(a, 10, 1));
    CHECK_EQ(th_heap_requested_size(&fx.heap, a), 10);
    CHECK_PTR_EQ(resize(a, 90), a);
    EXPECT_BLOCKS(&fx.heap, {1, 90}, {FREE, 4});
    fixture_stop(&fx);
}

/* `size` dwords shrunk to `kept`, below a used block; `split` dwords become a free block. */
static void expect_trimmed(size_t alignment, uint32_t size, uint32_t kept, uint32_t split) {
    fixture_start(&fx, alignment, 112);
    void *a = take(size, 1);
    fill(a, (size_t)size * 4, 1);
    CHECK(take(8, 2) != NULL);
    uint32_t rest = 112 - 4 * fx.header - size - 8;
    CHECK_PTR_EQ(resize(a, kept), a);
    CHECK_EQ(checked_trim(&fx, a), split * 4);
    CHECK(filled(a, (size_t)kept * 4, 1));
    if (split == 0) {
        EXPECT_BLOCKS(&fx.heap, {1, size}, {2, 8}, {FREE, rest});
    } else {
        EXPECT_BLOCKS(&fx.heap, {1, kept}, {FREE, split}, {2, 8}, {FREE, rest});
    }
    fixture_stop(&fx);
}

static void trim_splits_off_a_block(void) {
    expect_trimmed(4, 20, 10, 4);
    expect_trimmed(4, 20, 11, 0);
    expect_trimmed(4, 40, 1, 33);
    expect_trimmed(8, 20, 10, 4);
    expect_trimmed(8, 20, 12, 0);
    expect_trimmed(16, 24, 12, 4);
    expect_trimmed(16, 24, 16, 0);
}

static void trim_below_last_only_splits(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(100, 1);
    CHECK_PTR_EQ(resize(a, 91), a);
    CHECK_EQ(checked_trim(&fx, a), 0);
    EXPECT_BLOCKS(&fx.heap, {1, 100});
    CHECK_PTR_EQ(resize(a, 90), a);
    CHECK_EQ(checked_trim(&fx, a), 16);
    EXPECT_BLOCKS(&fx.heap, {1, 90}, {FREE, 4});
    fixture_stop(&fx);
}

static void trim_of_tail_blocks(void) {
    fixture_start(&fx, 4, 112);
    void *high = take(20, 0x4001);
    void *middle = take(20, 0x4002);
    void *low = take(20, 0x4003);
    CHECK_EQ(checked_free(&fx, middle), 80);
    CHECK_PTR_EQ(resize(low, 15), low);
    CHECK_EQ(checked_trim(&fx, low), 20);
    EXPECT_BLOCKS(&fx.heap, {FREE, 22}, {0x4003, 15}, {FREE, 25}, {0x4001, 20});
    CHECK_PTR_EQ(resize(high, 10), high);
    CHECK_EQ(checked_trim(&fx, high), 16);
    EXPECT_BLOCKS(&fx.heap, {FREE, 22}, {0x4003, 15}, {FREE, 25}, {0x4001, 10}, {FREE, 4});
    fixture_stop(&fx);
}

static void trim_keeps_the_special_alignment(void) {
    fixture_start(&fx, 4, 300);
    void *a = checked_alloc_at(&fx, 128, 200, 1, 5);
    CHECK_PTR_EQ(checked_resize(&fx, a, 9), a);
    CHECK_EQ(checked_trim(&fx, a), 47 * 4);
    th_heap_block block = block_of(&fx.heap, a);
    CHECK_EQ(block.alignment, 128);
    CHECK_EQ(block.size_dwords, 3);
    CHECK_EQ(block.site, 5);
    fixture_stop(&fx);
}

TH_SUITE("heap_resize", TEST(null_stays_null), TEST(zero_frees_and_merges),
         TEST(within_the_block_only_the_request_changes), TEST(the_same_size_needs_no_room),
         TEST(grows_into_the_next_free_block), TEST(moves_when_the_next_free_block_is_too_small),
         TEST(grows_in_place_at_other_alignments), TEST(tail_blocks_grow_upward_in_place),
         TEST(tail_blocks_move_to_the_highest_that_fits), TEST(last_is_never_grown_into),
         TEST(moves_to_the_lowest_that_fits), TEST(growth_in_place_comes_first),
         TEST(old_and_new_block_must_both_fit), TEST(a_failed_growth_leaves_everything),
         TEST(tag_alignment_and_site_are_kept), TEST(the_requested_bytes_are_copied),
         TEST(high_water_sees_both_blocks), TEST(trim_of_a_fitting_block_does_nothing),
         TEST(trim_gives_to_the_next_free_block), TEST(trim_splits_off_a_block),
         TEST(trim_below_last_only_splits), TEST(trim_of_tail_blocks),
         TEST(trim_keeps_the_special_alignment))
