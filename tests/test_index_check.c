/* SPDX-License-Identifier: MIT */
/* The checker's look at the index: each bit of it that a search may come to for memory that was
 * ever used is verified, and no other (src/heap/index.h draws the arrays). Sizes are chosen so that
 * both trees have three levels, and one. */
#include "suite.h"
#include "tagheap/heap.h"

#include <string.h>

enum { DWORDS = 75000, SEGMENT = 64, STRETCH = 256, SMALL_FAN = 16, LARGE_FAN = 8 };

static uint32_t region[DWORDS];
static uint64_t memory[4096];
static th_heap heap;

/* The heap's index, as its header draws it, and how many nodes each part has. */
typedef struct parts {
    uint8_t *starts, *large, *small, *large_at;
    uint32_t segments, stretches;
} parts;

static void start(uint32_t dwords) {
    const th_heap_config config = {.alignment = 4,
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

static parts parts_of_heap(void) {
    const th_heap_index_arrays *index = &heap.index;
    return (parts){.starts = (uint8_t *)index->starts,
                   .large = (uint8_t *)index->large,
                   .small = index->small,
                   .large_at = index->large_at,
                   .segments = (heap.dwords - 1) / SEGMENT + 1,
                   .stretches = (heap.dwords - 1) / STRETCH + 1};
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

static void expect_starts(const parts *p) {
    for (uint32_t i = 0; i < p->segments; i++) {
        for (uint32_t byte = 0; byte < 8; byte++) {
            CHECK_EQ(notices(p->starts + 8 * i + byte, (uint8_t)(1u << i % 8)),
                     is_used(i, SEGMENT));
        }
    }
}

/* Does it, or one of those beside it, which a search looks at as well? */
static bool is_beside_used(uint32_t node, uint32_t count, uint32_t fan, uint64_t width) {
    bool used = false;
    for (uint32_t i = node / fan * fan; i < count && i < node / fan * fan + fan; i++) {
        used = used || is_used(i, width);
    }
    return used;
}

/* One level of a tree: `count` nodes of `bytes` each, which stand for `width` dwords. */
static void expect_level(uint8_t *nodes, uint32_t count, uint32_t bytes, uint32_t fan,
                         uint64_t width) {
    for (uint32_t i = 0; i < count; i++) {
        if (is_beside_used(i, count, fan, width)) {
            CHECK(notices(nodes + (size_t)i * bytes, 0x10));
        }
    }
}

/* All levels, from the leaves up, and all nodes of the highest one: those without children, too. */
static void expect_tree(uint8_t *tree, uint32_t leaf, uint32_t count, uint32_t bytes, uint32_t fan,
                        uint64_t width) {
    for (;;) {
        expect_level(tree + (size_t)leaf * bytes, count, bytes, fan, width);
        if (leaf == 0) {
            break;
        }
        leaf = leaf / fan - 1;
        count = (count - 1) / fan + 1;
        width *= fan;
    }
    for (uint32_t i = count; i < fan; i++) {
        CHECK(notices(tree + (size_t)i * bytes, 0x20));
    }
}

/* Where a large block begins in its stretch counts if there is one. */
static void expect_large_at(const parts *p) {
    for (uint32_t i = 0; i < p->stretches; i++) {
        CHECK_EQ(notices(p->large_at + i, 1), heap.index.large[heap.index.large_leaf + i] != 0);
    }
}

static void expect_all(uint32_t dwords, uint32_t small_leaf, uint32_t large_leaf) {
    start(dwords);
    fill();
    parts p = parts_of_heap();
    CHECK_EQ(heap.index.small_leaf, small_leaf);
    CHECK_EQ(heap.index.large_leaf, large_leaf);
    expect_starts(&p);
    expect_tree(p.small, small_leaf, p.segments, 1, SMALL_FAN, SEGMENT);
    expect_tree(p.large, large_leaf, p.stretches, 4, LARGE_FAN, STRETCH);
    expect_large_at(&p);
    th_heap_clean_up(&heap);
}

static void trees_of_three_levels(void) {
    expect_all(DWORDS, 272, 72);
}

static void trees_of_two_levels(void) {
    expect_all(4000, 16, 8);
}

static void trees_of_one_level(void) {
    expect_all(1020, 0, 0);
}

/* Nothing is left out where all memory has been used. */
static void a_region_that_was_full(void) {
    start(4000);
    void *whole = th_heap_alloc(&heap, th_heap_largest_free_bytes(&heap), 1);
    CHECK(whole != NULL);
    th_heap_free(&heap, whole);
    fill();
    parts p = parts_of_heap();
    for (uint32_t i = 0; i < 8 * p.segments; i++) {
        CHECK(notices(p.starts + i, 4));
    }
    th_heap_clean_up(&heap);
}

TH_SUITE("index_check", TEST(trees_of_three_levels), TEST(trees_of_two_levels),
         TEST(trees_of_one_level), TEST(a_region_that_was_full))
