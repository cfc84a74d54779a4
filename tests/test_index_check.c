/* SPDX-License-Identifier: MIT */
/* The checker's look at the index: each bit of it that a search may come to for memory that was
 * ever used is verified, and of all others no more than lie beside those or have their parent
 * there, so that a check does not cost more in a larger region (src/heap/index.h draws the arrays).
 * Sizes are chosen so that the small tree has two levels, three and four, and the large one one,
 * two and four. */
#include "suite.h"
#include "tagheap/heap.h"

#include <stdalign.h>
#include <string.h>

enum { DWORDS = 75000, SLOT = 4, STRETCH = 64, SMALL_FAN = 16, LARGE_FAN = 8, STOP = 255 };

static alignas(16) uint32_t region[DWORDS];
static uint64_t memory[4096];
static th_heap heap;

static void start(uint32_t dwords, size_t alignment) {
    const th_heap_config config = {.alignment = alignment,
                                   .index = TH_HEAP_INDEX_GIVEN,
                                   .index_memory = memory,
                                   .index_bytes = sizeof memory};
    CHECK_EQ(th_heap_init(&heap, region, (size_t)dwords * 4, &config), TH_OK);
}

/* On each side two small free blocks and a large one between live ones. */
static void fill(void) {
    static const size_t bytes[] = {40, 16, 40, 1600, 40, 24, 40};
    void *made[2][7];
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned i = 0; i < 7; i++) {
            made[side][i] = th_heap_alloc(&heap, bytes[i], side == 0 ? 1 : TH_TAG_TAIL_MIN);
            CHECK(made[side][i] != NULL);
        }
        for (unsigned i = 1; i < 7; i += 2) {
            th_heap_free(&heap, made[side][i]);
        }
    }
    CHECK_EQ(heap.free_blocks, 7);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
}

/* Is it noticed that this byte is another one? It is put back. */
static bool notices(uint8_t *at, uint8_t mask) {
    th_fault fault = {0};
    *at ^= mask;
    th_status status = th_heap_check(&heap, &fault);
    *at ^= mask;
    CHECK_EQ(status == TH_OK ? TH_FAULT_NONE : TH_FAULT_INDEX, fault.kind);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    return status != TH_OK;
}

/* Does the node of a row, `width` dwords each, speak of memory that was ever used? */
static bool is_used(uint32_t node, uint64_t width) {
    return node <= heap.low_used / width || node >= heap.high_used / width;
}

/* Does it, or one of those beside it, which a search looks at as well? */
static bool is_beside_used(uint32_t node, uint32_t count, uint32_t fan, uint64_t width) {
    bool used = false;
    for (uint32_t i = node / fan * fan; i < count && i < node / fan * fan + fan; i++) {
        used = used || is_used(i, width);
    }
    return used;
}

static uint32_t up_to(uint32_t count, uint32_t fan) {
    return (count + fan - 1) / fan * fan;
}

/* One level of a tree: `count` nodes of `bytes` each, which stand for `width` dwords, and those
 * that stand for nothing, up to the end of their group. Noticed are those beside a used one, and
 * by their parent, as long as there is one, the children of such. So no more than two groups of
 * groups, one at each end of what was never used, are looked at for nothing. */
static void expect_level(uint8_t *nodes, uint32_t count, uint32_t bytes, uint32_t fan,
                         uint64_t width, bool highest) {
    uint32_t all = up_to(count, fan);
    uint32_t parents = up_to(all / fan, fan);
    uint32_t used = 0, noticed = 0;
    for (uint32_t i = 0; i < all; i++) {
        bool due = is_beside_used(i, all, fan, width) ||
                   (!highest && is_beside_used(i / fan, parents, fan, width * fan));
        bool one = notices(nodes + (size_t)i * bytes, (uint8_t)(1u << i % 8));
        CHECK_EQ(one, due);
        noticed += one;
        used += is_used(i, width);
    }
    CHECK(noticed <= used + 2 * fan * fan);
}

/* From the leaves up; above the highest level the stop. */
static void expect_small(uint32_t unit, uint32_t top) {
    uint32_t count = (heap.dwords / unit - 1) / SLOT + 1;
    uint64_t width = (uint64_t)SLOT * unit;
    CHECK_EQ(heap.index.small_top, top);
    for (uint32_t level = 0; level <= top; level++) {
        expect_level(heap.index.small[level], count, 1, SMALL_FAN, width, level == top);
        count = (count - 1) / SMALL_FAN + 1;
        width *= SMALL_FAN;
    }
    CHECK_EQ(count, 1);
    CHECK_EQ(heap.index.small[top + 1][0], STOP);
}

static void expect_large(uint32_t unit, uint32_t leaf) {
    uint32_t count = (heap.dwords / unit - 1) / STRETCH + 1;
    uint64_t width = (uint64_t)STRETCH * unit;
    CHECK_EQ(heap.index.large_leaf, leaf);
    for (;; leaf = leaf / LARGE_FAN - 1) {
        expect_level((uint8_t *)(heap.index.large + leaf), count, 4, LARGE_FAN, width, leaf == 0);
        if (leaf == 0) {
            break;
        }
        count = (count - 1) / LARGE_FAN + 1;
        width *= LARGE_FAN;
    }
}

static void expect_all(uint32_t dwords, size_t alignment, uint32_t small_top, uint32_t large_leaf) {
    start(dwords, alignment);
    fill();
    expect_small((uint32_t)alignment / 4, small_top);
    expect_large((uint32_t)alignment / 4, large_leaf);
    th_heap_clean_up(&heap);
}

static void trees_of_four_levels(void) {
    expect_all(DWORDS, 4, 3, 584);
}

static void trees_of_three_levels_and_two(void) {
    expect_all(4000, 4, 2, 8);
}

static void trees_of_two_levels(void) {
    expect_all(1020, 4, 1, 8);
}

static void trees_of_two_levels_and_one(void) {
    expect_all(2000, 16, 1, 0);
}

/* Nothing is left out where all memory has been used. */
static void a_region_that_was_full(void) {
    start(4000, 4);
    void *whole = th_heap_alloc(&heap, th_heap_largest_free_bytes(&heap), 1);
    CHECK(whole != NULL);
    th_heap_free(&heap, whole);
    fill();
    for (uint32_t i = 0; i < 4000 / SLOT; i++) {
        CHECK(notices(heap.index.small[0] + i, 4));
    }
    th_heap_clean_up(&heap);
}

TH_SUITE("index_check", TEST(trees_of_four_levels), TEST(trees_of_three_levels_and_two),
         TEST(trees_of_two_levels), TEST(trees_of_two_levels_and_one), TEST(a_region_that_was_full))
