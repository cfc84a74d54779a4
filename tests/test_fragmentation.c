/* SPDX-License-Identifier: MIT */
/* Fragmentation (fragmentation/fragmentation.h): figures that were computed by hand. */
#include <string.h>

#include "fragmentation/fragmentation.h"
#include "suite.h"

static lab_fragmentation measure(lab_contestant contestant, const char *text) {
    lab_script script = {0};
    lab_text_error error;
    lab_fragmentation f;
    CHECK(lab_script_parse(&script, text, strlen(text), &error));
    CHECK(lab_fragmentation_measure(contestant, TH_HEAP_LAYOUT_AUTO, &script, &f));
    lab_script_clean_up(&script);
    return f;
}

/* 16 units of 16 bytes. 5, 4 and 4 units, the first freed, 6 wanted:
 *
 *   after              asked  granted  free  largest (units)
 *   5                      5        5    11       11
 *   4                      9        9     7        7
 *   4                     13       13     3        3
 *   free                   8        8     8        5
 *   6: refused             8        8     8        5     8 are free: in vain
 *   sums                  43       43    37       31
 */
static const char example[] = "heap dwords=64 align=16 slots=8\n"
                              "alloc s0 tag=1 bytes=80\n"
                              "alloc s1 tag=1 bytes=64\n"
                              "alloc s2 tag=1 bytes=64\n"
                              "free s0\n"
                              "alloc s3 tag=1 bytes=96\n";

static void all_policies_fail_the_same_example(void) {
    for (unsigned i = LAB_CONTESTANT_GOOD_FIT; i <= LAB_CONTESTANT_WORST_FIT; i++) {
        lab_fragmentation f = measure((lab_contestant)i, example);
        CHECK_EQ(f.ops, 5);
        CHECK_EQ(f.asked, 43 * 16);
        CHECK_EQ(f.granted, 43 * 16);
        CHECK_EQ(f.free, 37 * 16);
        CHECK_EQ(f.largest, 31 * 16);
        CHECK_EQ(f.refused, 1);
        CHECK_EQ(f.refused_in_vain, 1);
        CHECK_EQ(lab_fragmentation_internal(&f), 0);
        CHECK_EQ(lab_fragmentation_external(&f), 162); /* 6 of 37 */
    }
}

/* The buddy allocator takes 8, 4, 4 units, and then 8 again where the first 8 were:
 *
 *   asked 5, 9, 13, 8, 14   granted 8, 12, 16, 8, 16   free 8, 4, 0, 8, 0, in one piece each
 */
static void the_buddy_allocator_wastes_inside_instead(void) {
    lab_fragmentation f = measure(LAB_CONTESTANT_BUDDY, example);
    CHECK_EQ(f.ops, 5);
    CHECK_EQ(f.asked, 49 * 16);
    CHECK_EQ(f.granted, 60 * 16);
    CHECK_EQ(f.free, 20 * 16);
    CHECK_EQ(f.largest, 20 * 16);
    CHECK_EQ(f.refused, 0);
    CHECK_EQ(lab_fragmentation_internal(&f), 183); /* 11 of 60 */
    CHECK_EQ(lab_fragmentation_external(&f), 0);
}

/* Holes of 10 and 4 units; 4 are wanted, then 10. Who puts the 4 into the larger hole has none left
 * for the 10, though 10 are free. */
static const char holes[] = "heap dwords=64 align=16 slots=8\n"
                            "alloc s0 tag=1 bytes=160\n"
                            "alloc s1 tag=1 bytes=16\n"
                            "alloc s2 tag=1 bytes=64\n"
                            "alloc s3 tag=1 bytes=16\n"
                            "free s0\n"
                            "free s2\n"
                            "alloc s4 tag=1 bytes=64\n"
                            "alloc s5 tag=1 bytes=160\n";

static void policies_differ_where_holes_do(void) {
    const lab_contestant good[] = {LAB_CONTESTANT_GOOD_FIT, LAB_CONTESTANT_BEST_FIT};
    const lab_contestant bad[] = {LAB_CONTESTANT_FIRST_FIT, LAB_CONTESTANT_WORST_FIT};
    for (unsigned i = 0; i < 2; i++) {
        lab_fragmentation f = measure(good[i], holes);
        CHECK_EQ(f.refused, 0);
        CHECK_EQ(f.free, (6 + 5 + 1 + 0 + 10 + 14 + 10 + 0) * 16);
        CHECK_EQ(f.largest, (6 + 5 + 1 + 0 + 10 + 10 + 10 + 0) * 16);
        f = measure(bad[i], holes);
        CHECK_EQ(f.refused, 1);
        CHECK_EQ(f.refused_in_vain, 1);
        CHECK_EQ(f.free, (6 + 5 + 1 + 0 + 10 + 14 + 10 + 10) * 16);
        CHECK_EQ(f.largest, (6 + 5 + 1 + 0 + 10 + 10 + 6 + 6) * 16);
    }
}

/* In the tagged heap each block has a header of 24 bytes, and slack to its alignment: that is what
 * nobody asked for. What cannot be made says so; other operations are left out. */
static void the_tagged_heap_pays_for_headers(void) {
    lab_fragmentation f = measure(LAB_CONTESTANT_TAGGED, "heap dwords=100 align=4 slots=8\n"
                                                         "alloc s0 tag=1 bytes=100\n"
                                                         "trim s0\n"
                                                         "compact veto=0x00\n"
                                                         "resize s0 bytes=200\n"
                                                         "resize s0 bytes=1000\n"
                                                         "resize s0 bytes=0\n"
                                                         "aligned s1 tag=1 bytes=50 align=3\n");
    CHECK_EQ(f.ops, 5);
    CHECK_EQ(f.asked, 100 + 200 + 200);
    CHECK_EQ(f.free, 400 * 5 - f.granted);
    CHECK(f.granted > f.asked);
    CHECK_EQ(f.refused, 2); /* the 1000, and an alignment of 3 */
    CHECK_EQ(f.refused_in_vain, 1);
    lab_script small = {.config = {.dwords = 1, .alignment = 4, .slots = 8}};
    CHECK(!lab_fragmentation_measure(LAB_CONTESTANT_TAGGED, TH_HEAP_LAYOUT_AUTO, &small, &f));
    CHECK(!lab_fragmentation_measure(LAB_CONTESTANT_BUDDY, TH_HEAP_LAYOUT_AUTO, &small, &f));
    small.config.dwords = 0;
    CHECK(!lab_fragmentation_measure(LAB_CONTESTANT_FIRST_FIT, TH_HEAP_LAYOUT_AUTO, &small, &f));
    CHECK_EQ(lab_fragmentation_internal(&f), 0);
    CHECK_EQ(lab_fragmentation_external(&f), 0);
}

/* A long-lived block between short-lived ones: 160, 16 and 160 bytes do not fit with the 160 freed
 * in front of the 16 and 32 in its place, unless the 16 lie on the other side. */
static const char sides[] = "heap dwords=76 align=4 slots=8\n"
                            "alloc s0 tag=0x1000 bytes=160\n"
                            "alloc s1 tag=0x4000 bytes=16\n"
                            "free s0\n"
                            "alloc s2 tag=0x1000 bytes=32\n"
                            "alloc s3 tag=0x1000 bytes=160\n";

static void two_sides_keep_long_lived_blocks_out_of_the_way(void) {
    CHECK_EQ(measure(LAB_CONTESTANT_TAGGED, sides).refused, 1);
    CHECK_EQ(measure(LAB_CONTESTANT_SIDES, sides).refused, 0);
    CHECK_EQ(measure(LAB_CONTESTANT_COMPACTING, sides).refused, 0);
}

/* 80 and 24 bytes, the 80 freed, 130 wanted: 80 and 56 are free, and one piece of 160 once the 24
 * have moved. They are then freed, and asked for again: the slot has followed them. */
static const char below[] = "heap dwords=64 align=4 slots=8\n"
                            "alloc s0 tag=0x1000 bytes=80\n"
                            "alloc s1 tag=0x1001 bytes=24\n"
                            "free s0\n"
                            "alloc s2 tag=0x1000 bytes=130\n"
                            "free s1\n"
                            "alloc s3 tag=0x1000 bytes=24\n";

static void compaction_makes_room_where_blocks_may_move(void) {
    lab_fragmentation f = measure(LAB_CONTESTANT_SIDES, below);
    CHECK_EQ(f.refused, 1);
    CHECK_EQ(f.refused_in_vain, 1);
    f = measure(LAB_CONTESTANT_COMPACTING, below);
    CHECK_EQ(f.ops, 6);
    CHECK_EQ(f.refused, 0);
    CHECK_EQ(f.asked, 80 + 104 + 24 + 154 + 130 + 154);
}

/* The block that is resized stays, though it lies above free memory: 24 bytes, which would find
 * room for 160 below. */
static void a_block_that_is_resized_is_not_moved_by_compaction(void) {
    lab_fragmentation f = measure(LAB_CONTESTANT_COMPACTING, "heap dwords=64 align=4 slots=8\n"
                                                             "alloc s0 tag=0x1000 bytes=80\n"
                                                             "alloc s1 tag=0x1001 bytes=24\n"
                                                             "free s0\n"
                                                             "resize s1 bytes=160\n"
                                                             "free s1\n");
    CHECK_EQ(f.ops, 5);
    CHECK_EQ(f.refused, 1);
    CHECK_EQ(f.asked, 80 + 104 + 24 + 24 + 0);
}

TH_SUITE("fragmentation", TEST(all_policies_fail_the_same_example),
         TEST(the_buddy_allocator_wastes_inside_instead), TEST(policies_differ_where_holes_do),
         TEST(the_tagged_heap_pays_for_headers),
         TEST(two_sides_keep_long_lived_blocks_out_of_the_way),
         TEST(compaction_makes_room_where_blocks_may_move),
         TEST(a_block_that_is_resized_is_not_moved_by_compaction))
