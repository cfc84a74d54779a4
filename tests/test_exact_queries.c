/* SPDX-License-Identifier: MIT */
/* The exact model against docs/heap.md, section 6 and what else it answers: counts, whose an
 * address is, and which dwords have changed. test_exact.c explains the numbers. */
#include "exact_fixture.h"

/* ---- section 6 and queries ---------------------------------------------------------------- */

static void high_water_sees_inside_a_resize(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(head(40), 16);
    CHECK_EQ(stats().high_water, 128);
    CHECK_EQ(resize(0, 44), 32);
    CHECK_EQ(stats().used, 132);
    CHECK_EQ(stats().high_water, 196); /* 16 + 16 + 17 dwords */
    CHECK_EQ(resize(32, 4000), NONE);
    CHECK_EQ(resize(32, 48), 32);
    CHECK_EQ(lab_exact_free_tags(&model, H, H), 2);
    CHECK_EQ(stats().used, 0);
    CHECK_EQ(stats().high_water, 196);

    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(resize(0, 80), 0);
    CHECK_EQ(stats().high_water, 104);
    CHECK_EQ(resize(0, 4), 0);
    CHECK_EQ(trim(0), 76);
    CHECK_EQ(stats().used, 28);
    CHECK_EQ(resize(0, 8), 0);
    CHECK_EQ(stats().used, 32);
    CHECK_EQ(stats().high_water, 104);

    start(100, 4, BASE); /* slack is used memory */
    CHECK_EQ(head(40), 0);
    CHECK_EQ(resize(0, 316), 0);
    CHECK_EQ(stats().high_water, 376);
    start(100, 4, BASE);
    CHECK_EQ(head(316), 0);
    CHECK_EQ(stats().high_water, 376);
}

static void stats_by_hand(void) {
    start(300, 4, BASE);
    CHECK_EQ(stats().free_head, 1152);
    CHECK_EQ(head(37), 0);
    CHECK_EQ(head(40), 16);
    CHECK_EQ(head(40), 32);
    CHECK_EQ(stats().free_head, 960);
    CHECK_EQ(tail(40), 278);
    CHECK_EQ(tail(100), 247);
    CHECK_EQ(tail(40), 231);
    release(16);
    release(247);
    CHECK_EQ(head(4000), NONE);
    BLOCKS({0, 10, H}, {16, 10, F}, {32, 10, H}, {48, 177, F}, {231, 10, T}, {247, 25, F},
           {278, 10, T});
    lab_exact_stats s = stats();
    CHECK_EQ(s.region, 1200);
    CHECK_EQ(s.used, 256);
    CHECK_EQ(s.high_water, 444);
    CHECK_EQ(s.head, 80);
    CHECK_EQ(s.tail, 80);
    CHECK_EQ(s.free, 848);
    CHECK_EQ(s.free_head, 748);
    CHECK_EQ(s.largest_free, 708);
    CHECK_EQ(s.head_blocks, 2);
    CHECK_EQ(s.tail_blocks, 2);
    CHECK_EQ(s.free_blocks, 3);
    CHECK_EQ(s.failed_allocs, 1);

    start(300, 4, BASE); /* the largest one above the TAIL side's lowest block */
    CHECK_EQ(tail(400), 188);
    CHECK_EQ(tail(40), 172);
    CHECK_EQ(head(664), 0);
    release(188);
    CHECK_EQ(stats().free_head, 0);
    CHECK_EQ(stats().free, 400);
    CHECK_EQ(stats().largest_free, 400);
}

static void find_includes_headers(void) {
    start(100, 4, BASE);
    CHECK_EQ(head(40), 0);
    const uint32_t cases[][2] = {{0, 0}, {5, 0}, {15, 0}, {16, 16}, {93, 16}, {94, 94}, {99, 94}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(lab_exact_find(&model, cases[i][0])->offset, cases[i][1]);
    }
    CHECK(lab_exact_find(&model, 100) == NULL);
    CHECK(lab_exact_find(&model, UINT32_MAX) == NULL);
}

/* ---- what has changed --------------------------------------------------------------------- */

static void expect_changed(uint32_t low, uint32_t high) {
    CHECK_EQ(model.changed_low, low);
    CHECK_EQ(model.changed_high, high);
    lab_exact_forget_changes(&model);
}

static void expect_unchanged(void) {
    CHECK(model.changed_low >= model.changed_high);
}

/* Blocks at 0, 16, 32 and 48 with 10 dwords each; the rest, 64 to 194, is free. */
static void changes_are_said(void) {
    start_with_four();
    expect_changed(0, 200);
    expect_unchanged();
    CHECK_EQ(tagged(20, 9), 64);
    expect_changed(64, 194);
    CHECK_EQ(tail(4), 187);
    expect_changed(75, 194);
    release(16);
    expect_changed(16, 32);
    release(32);
    expect_changed(16, 48);
    CHECK_EQ(resize(48, 36), 48);
    expect_changed(48, 64);
    trim(48);
    expect_unchanged();
    CHECK_EQ(resize(0, 60), 0); /* 15 of the 42 dwords up to 48 */
    expect_changed(0, 48);
    CHECK_EQ(resize(0, 4), 0);
    expect_changed(0, 21);
    trim(0);
    expect_changed(0, 48);
    CHECK_EQ(resize(48, 8), 48);
    expect_changed(48, 64);
    trim(48); /* too little to split off, and nothing free above */
    expect_unchanged();
    CHECK_EQ(head(800), LAB_EXACT_NONE);
    expect_unchanged();
    CHECK_EQ(resize(48, 800), LAB_EXACT_NONE);
    CHECK(!lab_exact_rebase(&model, BASE + 2));
    CHECK_EQ(lab_exact_find(&model, 50)->offset, 48);
    expect_unchanged();
    lab_exact_free_tags(&model, 0, 0);
    expect_changed(0, 200);
}

/* A block that moves: from where it goes to where it was. */
static void changes_add_up(void) {
    start_with_four();
    lab_exact_forget_changes(&model);
    CHECK_EQ(resize(16, 100), 64);
    expect_changed(16, 194);
    CHECK_EQ(lab_exact_compact(&model, NULL, NULL).moved, 3);
    expect_changed(16, 194);
    lab_exact_compact(&model, NULL, NULL);
    expect_unchanged();
}

static void retag_stays_on_its_side(void) {
    start(100, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(tail(40), 78);
    lab_exact_forget_changes(&model);
    static const uint32_t not_head[] = {0x4000, 0x7FFE, 0x7FFF, 0xFF00, UINT32_MAX};
    static const uint32_t not_tail[] = {0, 0x3FFF, 0x7FFF, 0xFF00, UINT32_MAX};
    for (unsigned i = 0; i < sizeof not_head / sizeof not_head[0]; i++) {
        CHECK(!lab_exact_retag(&model, 0, not_head[i]));
        CHECK(!lab_exact_retag(&model, 78, not_tail[i]));
    }
    expect_unchanged();
    CHECK(lab_exact_retag(&model, 0, 0x3FFF));
    expect_changed(0, 16);
    CHECK(lab_exact_retag(&model, 78, 0x7FFE));
    expect_changed(78, 94);
    CHECK(lab_exact_retag(&model, 78, 0x4000));
    BLOCKS({0, 10, 0x3FFF}, {16, 56, F}, {78, 10, 0x4000});
}

TH_SUITE("exact_queries", TEST(retag_stays_on_its_side), TEST(high_water_sees_inside_a_resize),
         TEST(stats_by_hand), TEST(find_includes_headers), TEST(changes_are_said),
         TEST(changes_add_up))
