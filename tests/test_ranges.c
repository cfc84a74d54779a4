/* SPDX-License-Identifier: MIT */
/* The set of ranges, against a plain list. */
#include "base/ranges.h"
#include "suite.h"

enum { RANGES = 200, SPACE = 4096 };

/* Only the addresses are used; there is one more at each end. */
static unsigned char around[SPACE + 2];
static unsigned char *const space = around + 1;

static void expect_same(th_range *root, const th_range *ranges, const bool *in) {
    for (size_t address = 0; address < SPACE; address++) {
        const th_range *expected = NULL;
        for (size_t i = 0; i < RANGES; i++) {
            size_t start = (size_t)((const unsigned char *)ranges[i].start - space);
            if (in[i] && address >= start && address < start + ranges[i].bytes) {
                expected = &ranges[i];
            }
        }
        CHECK_PTR_EQ(th_ranges_find(root, space + address), expected);
    }
    CHECK(th_ranges_find(root, NULL) == NULL);
    CHECK(th_ranges_find(root, space - 1) == NULL);
    CHECK(th_ranges_find(root, space + SPACE) == NULL);
}

static size_t depth(const th_range *node) {
    if (node == NULL) {
        return 0;
    }
    size_t below = depth(node->below);
    size_t above = depth(node->above);
    return 1 + (below > above ? below : above);
}

static void agrees_with_a_list(void) {
    static th_range ranges[RANGES];
    static bool in[RANGES];
    th_range *root = NULL;
    uint64_t state = th_test_seed(7);
    for (size_t i = 0; i < RANGES; i++) {
        ranges[i] =
            (th_range){.start = space + i * 20, .bytes = 1 + (size_t)th_test_random(&state) % 20};
        in[i] = false;
    }
    for (size_t step = 0; step < 2000; step++) {
        size_t i = (size_t)th_test_random(&state) % RANGES;
        if (in[i]) {
            th_ranges_remove(&root, &ranges[i]);
        } else {
            th_ranges_insert(&root, &ranges[i]);
        }
        in[i] = !in[i];
        if (step % 100 == 0) {
            expect_same(root, ranges, in);
        }
    }
    for (size_t i = 0; i < RANGES; i++) {
        if (in[i]) {
            th_ranges_remove(&root, &ranges[i]);
        }
    }
    CHECK(root == NULL);
}

/* Ranges that follow one another in memory, added in order: the worst that can happen to a tree
 * without balance. */
static void the_depth_is_logarithmic(void) {
    static th_range ranges[4096];
    th_range *root = NULL;
    for (size_t i = 0; i < 4096; i++) {
        ranges[i] = (th_range){.start = (const void *)(uintptr_t)(0x10000 * (i + 1)), .bytes = 1};
        th_ranges_insert(&root, &ranges[i]);
    }
    CHECK(depth(root) <= 48);
}

static bool same_shape(const th_range *one, const th_range *other) {
    if (one == NULL || other == NULL) {
        return one == other;
    }
    return one->start == other->start && same_shape(one->below, other->below) &&
           same_shape(one->above, other->above);
}

/* However it came about: added in any order, with or without others that went again. */
static void the_shape_depends_on_the_contents_only(void) {
    static th_range all[RANGES];
    static th_range kept[RANGES];
    th_range *root = NULL;
    th_range *straight = NULL;
    for (size_t i = 0; i < RANGES; i++) {
        all[i] = (th_range){.start = space + i * 20, .bytes = 20};
        kept[i] = all[i];
        th_ranges_insert(&root, &all[i]);
    }
    for (size_t i = RANGES; i-- > 0;) {
        if (i % 3 == 1) {
            th_ranges_insert(&straight, &kept[i]);
        } else {
            th_ranges_remove(&root, &all[i]);
        }
    }
    CHECK(same_shape(root, straight));
}

TH_SUITE("ranges", TEST(agrees_with_a_list), TEST(the_depth_is_logarithmic),
         TEST(the_shape_depends_on_the_contents_only))
