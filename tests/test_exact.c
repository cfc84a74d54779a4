/* SPDX-License-Identifier: MIT */
/* The exact model against docs/heap.md, sections 1 to 4: each rule with numbers worked out by
 * hand, placed where a model that is wrong by one, or that forgets a condition, gives another
 * answer. test_exact_compact.c and test_exact_queries.c have the rest. How the numbers come about:
 *
 *   100 dwords at alignment 4: header 6, SPLIT 10, LAST at 94, FIRST is free with 88 dwords.
 *   200 dwords: LAST at 194, 188 dwords. 300 dwords: LAST at 294, 288 dwords.
 *   At BASE, a payload is a multiple of 64 bytes iff its header is at 10 modulo 16 (10 + 6 is
 *   16), of 32 bytes iff it is at 2 modulo 8, of 8 bytes iff it is at an even offset. */
#include "exact_fixture.h"

/* ---- section 2: the fresh heap ------------------------------------------------------------ */

static void check_fresh(size_t bytes, uint32_t alignment, uint32_t dwords, uint32_t payload) {
    CHECK(lab_exact_start(&model, BASE, bytes, alignment, LAB_EXACT_CLASSIC));
    CHECK_EQ(model.dwords, dwords);
    BLOCKS({0, payload, F});
    CHECK_EQ(model.extents[0].alignment, alignment);
    CHECK_EQ(model.extents[0].requested, 0);
}

static void start_measures_the_region(void) {
    check_fresh(300000, 4, 75000, 74988);
    check_fresh(403, 4, 100, 88);
    check_fresh(64, 4, 16, 4);
    check_fresh(404, 8, 100, 88);
    check_fresh(68, 8, 16, 4);
    check_fresh(80, 16, 20, 4);
    check_fresh(95, 16, 20, 4);
    check_fresh(96, 16, 24, 8);
    check_fresh(524335, 4, 131083, 131071);
    check_fresh(524332, 8, 131082, 131070);
    check_fresh(524348, 16, 131084, 131068);
}

static void start_refuses_and_changes_nothing(void) {
    start(100, 4, BASE);
    head(40);
    CHECK(!lab_exact_start(&model, BASE, 63, 4, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 63, 8, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 79, 16, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 0, 4, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 524336, 4, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 524336, 8, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 524352, 16, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, SIZE_MAX, 4, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 400, 0, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 400, 2, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE, 400, 32, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE + 2, 400, 4, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE + 4, 400, 8, LAB_EXACT_CLASSIC));
    CHECK(!lab_exact_start(&model, BASE + 8, 400, 16, LAB_EXACT_CLASSIC));
    BLOCKS({0, 10, H}, {16, 72, F});
    CHECK(lab_exact_start(&model, BASE + 8, 400, 8, LAB_EXACT_CLASSIC));
}

static bool refuse_more(void *context, lab_exact *m, size_t bytes) {
    (void)m;
    (void)bytes;
    ++*(int *)context;
    return false;
}

static void start_again_is_afresh(void) {
    int asked = 0;
    start(100, 4, BASE);
    model.low_memory = refuse_more;
    model.low_memory_context = &asked;
    model.cursor = 16;
    head(40);
    CHECK_EQ(head(4000), NONE);
    start(16, 4, ((uint64_t)1 << 32) + BASE);
    CHECK_EQ(model.base, BASE);
    CHECK_EQ(model.cursor, 0);
    BLOCKS({0, 4, F});
    CHECK_EQ(head(4000), NONE);
    CHECK_EQ(asked, 1);
    CHECK_EQ(stats().high_water, 0);
    CHECK_EQ(stats().failed_allocs, 1);
    lab_exact_clean_up(&model);
    CHECK(model.extents == NULL);
    start(100, 4, BASE);
    BLOCKS({0, 88, F});
}

/* ---- section 1 and 3: sizes and places ---------------------------------------------------- */

static void need_rounds_up_to_the_unit(void) {
    start(100, 4, BASE);
    CHECK_EQ(head(1), 0);
    CHECK_EQ(head(4), 7);
    CHECK_EQ(head(5), 14);
    BLOCKS({0, 1, H}, {7, 1, H}, {14, 2, H}, {22, 66, F});
    start(100, 8, BASE);
    CHECK_EQ(head(1), 0);
    CHECK_EQ(head(8), 8);
    CHECK_EQ(head(9), 16);
    BLOCKS({0, 2, H}, {8, 2, H}, {16, 4, H}, {26, 62, F});
    start(100, 16, BASE);
    CHECK_EQ(head(16), 0);
    CHECK_EQ(head(17), 12);
    BLOCKS({0, 4, H}, {12, 8, H}, {28, 56, F});
    CHECK_EQ(model.extents[1].requested, 17);
}

static void largest_block(void) {
    start(131083, 4, BASE);
    CHECK_EQ(head(524285), NONE);
    CHECK_EQ(head(524284), 0);
    BLOCKS({0, 131071, H});
    start(131084, 16, BASE);
    CHECK_EQ(tail(524273), NONE);
    CHECK_EQ(tail(524272), 0);
    BLOCKS({0, 131068, T});
}

static void absurd_sizes_fail(void) {
    start(100, 4, BASE);
    CHECK_EQ(head(40), 0);
    const size_t sizes[] = {SIZE_MAX,     SIZE_MAX - 1,     SIZE_MAX - 2,        SIZE_MAX - 3,
                            SIZE_MAX - 4, SIZE_MAX / 2 + 1, SIZE_MAX / 4 * 4,    (size_t)524285,
                            SIZE_MAX / 2, SIZE_MAX / 2 + 5, (SIZE_MAX >> 15) + 4};
    uint64_t failed = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t alignment = 4; alignment <= 16; alignment *= 2) {
            CHECK_EQ(aligned(alignment, sizes[i], H), NONE);
            CHECK_EQ(aligned(alignment, sizes[i], T), NONE);
            CHECK_EQ(resize(0, sizes[i]), NONE);
            failed += 3;
            CHECK_EQ(stats().failed_allocs, failed);
        }
    }
#if SIZE_MAX > UINT32_MAX
    CHECK_EQ(head((size_t)0x100000004), NONE);
    CHECK_EQ(resize(0, (size_t)0x100000004), NONE);
#endif
    BLOCKS({0, 10, H}, {16, 72, F});
    CHECK_EQ(model.extents[0].requested, 40);
}

static void head_splits_from_split_up(void) {
    start(100, 4, BASE);
    CHECK_EQ(head(312), 0);
    BLOCKS({0, 78, H}, {84, 4, F});
    start(100, 4, BASE);
    CHECK_EQ(head(316), 0);
    BLOCKS({0, 88, H});
    start(100, 4, BASE);
    CHECK_EQ(head(356), NONE);
    CHECK_EQ(head(352), 0);
    BLOCKS({0, 88, H});
    start(100, 8, BASE);
    CHECK_EQ(head(312), 0);
    BLOCKS({0, 78, H}, {84, 4, F});
    start(100, 8, BASE);
    CHECK_EQ(head(313), 0);
    BLOCKS({0, 88, H});
    start(100, 16, BASE);
    CHECK_EQ(head(288), 0);
    BLOCKS({0, 72, H}, {80, 4, F});
    start(100, 16, BASE);
    CHECK_EQ(head(289), 0);
    BLOCKS({0, 84, H});
}

static void tail_splits_from_split_up(void) {
    start(100, 4, BASE);
    CHECK_EQ(tail(312), 10);
    BLOCKS({0, 4, F}, {10, 78, T});
    start(100, 4, BASE);
    CHECK_EQ(tail(316), 0);
    BLOCKS({0, 88, T});
    start(100, 4, BASE);
    CHECK_EQ(tail(356), NONE);
    CHECK_EQ(tail(352), 0);
    start(100, 16, BASE);
    CHECK_EQ(tail(288), 12);
    BLOCKS({0, 4, F}, {12, 72, T});
    start(100, 16, BASE);
    CHECK_EQ(tail(289), 0);
    BLOCKS({0, 84, T});
}

/* Not the hole that fits best, not the largest, not the one found last. */
static void head_takes_the_lowest_hole(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(104), 0);
    CHECK_EQ(head(40), 32);
    CHECK_EQ(head(20), 48);
    CHECK_EQ(head(40), 59);
    release(0);
    release(48);
    CHECK_EQ(head(20), 0);
    BLOCKS({0, 5, H}, {11, 15, F}, {32, 10, H}, {48, 5, F}, {59, 10, H}, {75, 113, F});
    CHECK_EQ(head(64), 75);
    CHECK_EQ(head(60), 11);
    BLOCKS({0, 5, H}, {11, 15, H}, {32, 10, H}, {48, 5, F}, {59, 10, H}, {75, 16, H}, {97, 91, F});
}

static void tail_takes_the_highest_hole(void) {
    start(200, 4, BASE);
    CHECK_EQ(tail(104), 162);
    CHECK_EQ(tail(40), 146);
    CHECK_EQ(tail(20), 135);
    CHECK_EQ(tail(40), 119);
    release(162);
    release(135);
    CHECK_EQ(tail(20), 183);
    BLOCKS({0, 113, F}, {119, 10, T}, {135, 5, F}, {146, 10, T}, {162, 15, F}, {183, 5, T});
    CHECK_EQ(tail(64), 97);
    CHECK_EQ(tail(60), 162);
    BLOCKS({0, 91, F}, {97, 16, T}, {119, 10, T}, {135, 5, F}, {146, 10, T}, {162, 15, T},
           {183, 5, T});
}

static void sides_do_not_mix(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(head(40), 16);
    CHECK_EQ(tail(40), 178);
    CHECK_EQ(tail(40), 162);
    CHECK_EQ(tail(40), 146);
    CHECK_EQ(head(432), 32);
    release(162);
    CHECK_EQ(head(40), NONE);
    CHECK_EQ(stats().failed_allocs, 1);
    CHECK_EQ(tail(40), 162);
    release(16);
    CHECK_EQ(tail(40), NONE);
    CHECK_EQ(stats().failed_allocs, 2);
    CHECK_EQ(head(40), 16);
    BLOCKS({0, 10, H}, {16, 10, H}, {32, 108, H}, {146, 10, T}, {162, 10, T}, {178, 10, T});
    release(0);
    release(178);
    CHECK_EQ(resize(146, 44), NONE);
    CHECK_EQ(resize(32, 4), 32);
    CHECK_EQ(resize(16, 44), NONE);
}

static void bad_requests_count_nowhere(void) {
    int asked = 0;
    start(200, 4, BASE);
    model.low_memory = refuse_more;
    model.low_memory_context = &asked;
    CHECK_EQ(tagged(40, 0x7FFF), NONE);
    CHECK_EQ(tagged(40, 0x8001), NONE);
    CHECK_EQ(tagged(40, 0x10001), NONE);
    CHECK_EQ(tagged(40, UINT32_MAX), NONE);
    CHECK_EQ(tagged(4000, 0x7FFF), NONE);
    CHECK_EQ(head(0), NONE);
    const size_t alignments[] = {0, 3, 6, 12, 24, SIZE_MAX, SIZE_MAX / 2 + 3};
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++) {
        CHECK_EQ(aligned(alignments[i], 40, H), NONE);
    }
    CHECK_EQ(asked, 0);
    CHECK_EQ(stats().failed_allocs, 0);
    BLOCKS({0, 188, F});
    CHECK_EQ(tagged(40, 0x3FFF), 0);
    CHECK_EQ(tagged(40, 0x4000), 178);
    CHECK_EQ(tagged(40, 0x7FFE), 162);
    CHECK_EQ(tagged(40, 0), 16);
    BLOCKS({0, 10, 0x3FFF}, {16, 10, 0}, {32, 124, F}, {162, 10, 0x7FFE}, {178, 10, 0x4000});
}

static void aligned_head_leaves_a_gap_of_split(void) {
    start(100, 4, BASE);
    CHECK_EQ(aligned(64, 16, H), 10);
    BLOCKS({0, 4, F}, {10, 4, H}, {20, 68, F});
    start(100, 4, BASE);
    CHECK_EQ(aligned(32, 16, H), 10);
    BLOCKS({0, 4, F}, {10, 4, H}, {20, 68, F});
    start(100, 4, BASE);
    CHECK_EQ(aligned(8, 16, H), 0);
    start(100, 4, BASE + 4);
    CHECK_EQ(aligned(64, 16, H), 25);
    BLOCKS({0, 19, F}, {25, 4, H}, {35, 53, F});
    start(100, 4, BASE + 4);
    CHECK_EQ(aligned(8, 16, H), 11);
    BLOCKS({0, 5, F}, {11, 4, H}, {21, 67, F});
    start(100, 4, BASE);
    CHECK_EQ(aligned(64, 316, H), NONE);
    CHECK_EQ(stats().failed_allocs, 1);
    CHECK_EQ(aligned(64, 312, H), 10);
    BLOCKS({0, 4, F}, {10, 78, H});
    start(100, 4, BASE);
    CHECK_EQ(aligned(64, 276, H), 10);
    BLOCKS({0, 4, F}, {10, 78, H});
    start(100, 16, BASE + 16);
    CHECK_EQ(aligned(32, 16, H), 12);
    BLOCKS({0, 4, F}, {12, 4, H}, {24, 60, F});
}

static void aligned_tail_takes_the_largest_place(void) {
    start(100, 4, BASE);
    CHECK_EQ(aligned(64, 16, T), 74);
    BLOCKS({0, 68, F}, {74, 4, T}, {84, 4, F});
    start(100, 4, BASE);
    CHECK_EQ(aligned(64, 20, T), 74);
    BLOCKS({0, 68, F}, {74, 14, T});
    start(100, 4, BASE);
    CHECK_EQ(aligned(8, 16, T), 84);
    BLOCKS({0, 78, F}, {84, 4, T});
    start(26, 4, BASE);
    CHECK_EQ(aligned(1024, 4, T), NONE);
    CHECK_EQ(aligned(32, 20, T), NONE); /* 2 is aligned, but no gap of 2; 0 is not aligned */
    CHECK_EQ(stats().failed_allocs, 2);
    CHECK_EQ(aligned(32, 16, T), 10);
    BLOCKS({0, 4, F}, {10, 4, T});
    start(26, 4, BASE + 8);
    CHECK_EQ(aligned(32, 20, T), 0); /* 8 and 0 are aligned, but no gap of 8 */
    BLOCKS({0, 14, T});
}

static void aligned_passes_over_holes_without_a_place(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(head(44), 16);
    CHECK_EQ(head(40), 33);
    release(16);
    CHECK_EQ(aligned(64, 16, H), 74);
    BLOCKS({0, 10, H}, {16, 11, F}, {33, 10, H}, {49, 19, F}, {74, 4, H}, {84, 104, F});
    start(200, 4, BASE);
    CHECK_EQ(tail(40), 178);
    CHECK_EQ(tail(44), 161);
    CHECK_EQ(tail(40), 145);
    release(161);
    CHECK_EQ(aligned(64, 16, T), 122);
    BLOCKS({0, 116, F}, {122, 4, T}, {132, 7, F}, {145, 10, T}, {161, 11, F}, {178, 10, T});
}

static void alignment_limits(void) {
    start(100, 4, BASE);
    CHECK_EQ(aligned(1, 16, H), 0);
    CHECK_EQ(model.extents[0].alignment, 4);
    CHECK_EQ(aligned(8, 16, H), 10);
    CHECK_EQ(model.extents[1].alignment, 8);
    start(100, 16, BASE);
    CHECK_EQ(aligned(8, 16, T), 80);
    CHECK_EQ(model.extents[1].alignment, 16);
    const size_t giant = (size_t)1 << 31;
    start(100, 4, BASE);
    CHECK_EQ(aligned(giant, 16, H), NONE);
    CHECK_EQ(aligned(giant, 16, T), NONE);
    CHECK_EQ(stats().failed_allocs, 2);
    start(100, 4, 0x7FFFFFE8u); /* the first payload is at 2^31 */
    CHECK_EQ(aligned(giant, 16, T), 0);
    BLOCKS({0, 4, T}, {10, 78, F});
    start(100, 4, 0xFFFFFFE8u); /* and here at 2^32 */
    CHECK_EQ(aligned(giant, 16, H), 0);
    CHECK_EQ(model.extents[0].alignment, giant);
    release(0);
#if SIZE_MAX > UINT32_MAX
    CHECK_EQ(aligned(giant * 2, 16, H), NONE);
    CHECK_EQ(aligned(giant * 2, 16, T), NONE);
    CHECK_EQ(stats().failed_allocs, 2);
#endif
}

/* ---- section 4: free, resize, trim -------------------------------------------------------- */

static void free_merges_in_four_ways(void) {
    start_with_four();
    CHECK_EQ(release(16), 40);
    BLOCKS({0, 10, 1}, {16, 10, F}, {32, 10, 3}, {48, 10, 4}, {64, 124, F});
    CHECK_EQ(release(0), 64);
    BLOCKS({0, 26, F}, {32, 10, 3}, {48, 10, 4}, {64, 124, F});
    CHECK_EQ(release(48), 64);
    BLOCKS({0, 26, F}, {32, 10, 3}, {48, 140, F});
    CHECK_EQ(release(32), 88);
    BLOCKS({0, 188, F});
    start_with_four();
    CHECK_EQ(release(0), 40);
    CHECK_EQ(release(16), 64);
    BLOCKS({0, 26, F}, {32, 10, 3}, {48, 10, 4}, {64, 124, F});
    CHECK_EQ(release(NONE), 0);
    CHECK_EQ(stats().used, 128);
}

static void free_does_not_merge_last(void) {
    start(200, 4, BASE);
    CHECK_EQ(tail(40), 178);
    CHECK_EQ(tail(40), 162);
    CHECK_EQ(release(178), 40);
    BLOCKS({0, 156, F}, {162, 10, T}, {178, 10, F});
    CHECK_EQ(release(162), 88);
    BLOCKS({0, 188, F});
    CHECK_EQ(head(752), 0);
    CHECK_EQ(release(0), 752);
    BLOCKS({0, 188, F});
}

static void free_tags_has_inclusive_bounds(void) {
    start(300, 4, BASE);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQ(tagged(40, 0x10 + i), 16 * i);
    }
    CHECK_EQ(tagged(40, 0x4000), 278);
    CHECK_EQ(tagged(40, 0x4001), 262);
    CHECK_EQ(lab_exact_free_tags(&model, 0x12, 0x11), 0);
    CHECK_EQ(lab_exact_free_tags(&model, 0x7FFF, UINT32_MAX), 0);
    CHECK_EQ(lab_exact_free_tags(&model, 0x14, 0x3FFF), 0);
    CHECK_EQ(lab_exact_free_tags(&model, 0x11, 0x12), 2);
    BLOCKS({0, 10, 0x10}, {16, 26, F}, {48, 10, 0x13}, {64, 192, F}, {262, 10, 0x4001},
           {278, 10, 0x4000});
    CHECK_EQ(model.extents[1].alignment, 4);
    CHECK_EQ(stats().used, 256);
    CHECK_EQ(lab_exact_free_tags(&model, 0x13, 0x4000), 2);
    BLOCKS({0, 10, 0x10}, {16, 240, F}, {262, 10, 0x4001}, {278, 10, F});
    CHECK_EQ(lab_exact_free_tags(&model, 0, UINT32_MAX), 2);
    BLOCKS({0, 288, F});
    CHECK_EQ(stats().used, 0);
    CHECK_EQ(lab_exact_free_tags(&model, 0, 0x7FFF), 0);
    CHECK_EQ(stats().high_water, 384);
}

static void resize_without_placing(void) {
    start(200, 4, BASE);
    CHECK_EQ(resize(NONE, 5), NONE);
    CHECK_EQ(resize(NONE, SIZE_MAX), NONE);
    CHECK_EQ(stats().failed_allocs, 0);
    CHECK_EQ(head(37), 0);
    CHECK_EQ(resize(0, 40), 0);
    BLOCKS({0, 10, H}, {16, 172, F});
    CHECK_EQ(model.extents[0].requested, 40);
    CHECK_EQ(resize(0, 524285), NONE);
    CHECK_EQ(resize(0, SIZE_MAX), NONE);
    CHECK_EQ(stats().failed_allocs, 2);
    CHECK_EQ(model.extents[0].requested, 40);
    CHECK_EQ(resize(0, 1), 0);
    BLOCKS({0, 10, H}, {16, 172, F});
    CHECK_EQ(model.extents[0].requested, 1);
    CHECK_EQ(head(400), 16);
    CHECK_EQ(resize(0, 40), 0); /* the whole size, with a live block above */
    CHECK_EQ(resize(16, 4), 16);
    BLOCKS({0, 10, H}, {16, 100, H}, {122, 66, F});
    CHECK_EQ(resize(16, 0), NONE);
    BLOCKS({0, 10, H}, {16, 172, F});
    CHECK_EQ(stats().failed_allocs, 2);
}

static void resize_grows_in_place(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(resize(0, 44), 0);
    BLOCKS({0, 11, H}, {17, 171, F});
    CHECK_EQ(model.extents[0].requested, 44);
    CHECK_EQ(resize(0, 712), 0);
    BLOCKS({0, 178, H}, {184, 4, F});
    CHECK_EQ(stats().used, 736);
    CHECK_EQ(resize(0, 716), 0);
    BLOCKS({0, 188, H});
    CHECK_EQ(resize(0, 756), NONE);
    CHECK_EQ(model.extents[0].requested, 716);
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(resize(0, 756), NONE);
    CHECK_EQ(resize(0, 752), 0);
    BLOCKS({0, 188, H});
    start(100, 16, BASE);
    CHECK_EQ(head(16), 0);
    CHECK_EQ(resize(0, 288), 0);
    BLOCKS({0, 72, H}, {80, 4, F});
    CHECK_EQ(resize(0, 289), 0);
    BLOCKS({0, 84, H});
    start(200, 4, BASE);
    CHECK_EQ(tail(40), 178);
    CHECK_EQ(tail(40), 162);
    release(178);
    CHECK_EQ(resize(162, 60), 162);
    BLOCKS({0, 156, F}, {162, 15, T}, {183, 5, F});
}

/* The block moves: it is placed with the old block still there. */
static void resize_moves(void) {
    start_with_four();
    CHECK_EQ(resize(0, 44), 64);
    BLOCKS({0, 10, F}, {16, 10, 2}, {32, 10, 3}, {48, 10, 4}, {64, 11, 1}, {81, 107, F});
    CHECK_EQ(model.extents[4].requested, 44);

    start_with_four(); /* the next block is free, but one dword short */
    release(16);
    CHECK_EQ(resize(0, 108), 64);
    BLOCKS({0, 26, F}, {32, 10, 3}, {48, 10, 4}, {64, 27, 1}, {97, 91, F});
    start_with_four();
    release(16);
    CHECK_EQ(resize(0, 104), 0);
    BLOCKS({0, 26, 1}, {32, 10, 3}, {48, 10, 4}, {64, 124, F});

    start(200, 4, BASE); /* into a lower hole, whose rest merges with the old block */
    CHECK_EQ(head(104), 0);
    CHECK_EQ(tagged(40, 7), 32);
    CHECK_EQ(head(40), 48);
    release(0);
    CHECK_EQ(resize(32, 48), 0);
    BLOCKS({0, 12, 7}, {18, 24, F}, {48, 10, H}, {64, 124, F});

    start(200, 4, BASE); /* LAST is nothing to grow into */
    CHECK_EQ(tail(40), 178);
    CHECK_EQ(resize(178, 44), 161);
    BLOCKS({0, 155, F}, {161, 11, T}, {178, 10, F});
}

static void resize_does_not_count_its_own_place(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(head(40), 16);
    CHECK_EQ(head(624), 32);
    release(0);
    CHECK_EQ(resize(16, 104), NONE);
    CHECK_EQ(stats().failed_allocs, 1);
    BLOCKS({0, 10, F}, {16, 10, H}, {32, 156, H});
    CHECK_EQ(model.extents[1].requested, 40);
}

static void resize_keeps_alignment_tag_and_site(void) {
    start(200, 4, BASE);
    CHECK_EQ(lab_exact_alloc(&model, 64, 16, 0x123, 77), 10);
    CHECK_EQ(head(40), 20);
    CHECK_EQ(resize(10, 20), 58);
    BLOCKS({0, 14, F}, {20, 10, H}, {36, 16, F}, {58, 5, 0x123}, {69, 119, F});
    CHECK_EQ(model.extents[3].alignment, 64);
    CHECK_EQ(model.extents[3].site, 77);
    CHECK_EQ(model.extents[3].requested, 20);
    CHECK_EQ(resize(58, 24), 58);
    CHECK_EQ(model.extents[3].alignment, 64);
    CHECK_EQ(model.extents[3].site, 77);
    CHECK_EQ(model.extents[4].alignment, 4);
    CHECK_EQ(model.extents[4].site, 0);
}

static void trim_has_three_outcomes(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(head(40), 16);
    CHECK_EQ(trim(0), 0);
    CHECK_EQ(resize(0, 4), 0);
    CHECK_EQ(trim(0), 0); /* 9 too many, the next block is live */
    BLOCKS({0, 10, H}, {16, 10, H}, {32, 156, F});
    CHECK_EQ(resize(16, 36), 16);
    CHECK_EQ(trim(16), 4); /* 1 too many, the next block is free */
    BLOCKS({0, 10, H}, {16, 9, H}, {31, 157, F});
    CHECK_EQ(trim(16), 0);
    CHECK_EQ(trim(NONE), 0);

    start(200, 4, BASE);
    CHECK_EQ(head(44), 0);
    CHECK_EQ(head(40), 17);
    CHECK_EQ(resize(0, 4), 0);
    CHECK_EQ(trim(0), 16); /* 10 too many: a block of its own */
    BLOCKS({0, 1, H}, {7, 4, F}, {17, 10, H}, {33, 155, F});
    CHECK_EQ(stats().used, 92);
    CHECK_EQ(stats().high_water, 132);
    CHECK_EQ(model.extents[0].requested, 4);

    start(200, 4, BASE); /* LAST does not start lower */
    CHECK_EQ(tail(44), 177);
    CHECK_EQ(resize(177, 8), 177);
    CHECK_EQ(trim(177), 0);
    CHECK_EQ(resize(177, 4), 177);
    CHECK_EQ(trim(177), 16);
    BLOCKS({0, 171, F}, {177, 1, T}, {184, 4, F});

    start(100, 8, BASE); /* need is rounded up: 5 bytes keep 2 dwords */
    CHECK_EQ(head(16), 0);
    CHECK_EQ(resize(0, 5), 0);
    CHECK_EQ(trim(0), 8);
    BLOCKS({0, 2, H}, {8, 80, F});
    CHECK_EQ(resize(0, 1), 0);
    CHECK_EQ(trim(0), 0);

    start(100, 4, BASE); /* slack is given back once the next block is free */
    CHECK_EQ(tail(4), 87);
    CHECK_EQ(head(288), 0);
    BLOCKS({0, 81, H}, {87, 1, T});
    CHECK_EQ(trim(0), 0);
    release(87);
    CHECK_EQ(trim(0), 36);
    BLOCKS({0, 72, H}, {78, 10, F});
}

TH_SUITE("exact", TEST(start_measures_the_region), TEST(start_refuses_and_changes_nothing),
         TEST(start_again_is_afresh), TEST(need_rounds_up_to_the_unit), TEST(largest_block),
         TEST(absurd_sizes_fail), TEST(head_splits_from_split_up), TEST(tail_splits_from_split_up),
         TEST(head_takes_the_lowest_hole), TEST(tail_takes_the_highest_hole),
         TEST(sides_do_not_mix), TEST(bad_requests_count_nowhere),
         TEST(aligned_head_leaves_a_gap_of_split), TEST(aligned_tail_takes_the_largest_place),
         TEST(aligned_passes_over_holes_without_a_place), TEST(alignment_limits),
         TEST(free_merges_in_four_ways), TEST(free_does_not_merge_last),
         TEST(free_tags_has_inclusive_bounds), TEST(resize_without_placing),
         TEST(resize_grows_in_place), TEST(resize_moves), TEST(resize_does_not_count_its_own_place),
         TEST(resize_keeps_alignment_tag_and_site), TEST(trim_has_three_outcomes))
