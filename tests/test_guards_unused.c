/* SPDX-License-Identifier: MIT */
/* Memory that no block has ever used, poisoned at init if the config asks for it: a write there is
 * noticed as one into freed memory is. */
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"

enum { DWORDS = 200, UNTOUCHED = 0x5C, POISON = 0xFD };

static alignas(64) unsigned char region[DWORDS * 4];
static alignas(64) unsigned char other[DWORDS * 4];
static th_heap heap;
static unsigned faults;
static th_fault first;

static void record(void *context, const th_fault *fault) {
    (void)context;
    if (faults++ == 0) {
        first = *fault;
    }
}

static void start(size_t alignment, int level, bool poisoned) {
    const th_heap_config config = {.alignment = alignment,
                                   .guarding.level = level,
                                   .poison_unused = poisoned,
                                   .guarding.on_fault = record};
    memset(region, UNTOUCHED, sizeof region);
    faults = 0;
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
}

/* Runs at every alignment, at the levels from `lowest` up. */
static void at_each(int lowest, void (*play)(size_t alignment, int level)) {
    for (int level = lowest; level <= th_guard_max(); level++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            play(alignment, level);
        }
    }
}

static void expect_bytes(size_t alignment, unsigned value) {
    th_heap_detach(&heap);
    size_t header = alignment == 16 ? 32 : 24;
    for (size_t i = header; i < th_heap_region_bytes(&heap) - header; i++) {
        CHECK_EQ(region[i], value);
    }
    CHECK_EQ(th_heap_attach(&heap, region), TH_OK);
    th_heap_clean_up(&heap);
}

static void look_at_a_fresh_heap(size_t alignment, int level) {
    start(alignment, level, true);
    expect_bytes(alignment, level >= 2 ? POISON : UNTOUCHED);
    start(alignment, level, false);
    expect_bytes(alignment, UNTOUCHED);
}

static void only_level_2_and_up_write_it_if_asked(void) {
    at_each(0, look_at_a_fresh_heap);
}

/* Any byte, at any distance from what is used: the checker finds it, level 3 reports it at the next
 * call, level 2 when that part of the block is used. */
static void write_anywhere(size_t alignment, int level) {
    size_t header = alignment == 16 ? 32 : 24;
    for (size_t byte = header; byte < sizeof region - header; byte += 7) {
        th_fault fault;
        start(alignment, level, true);
        CHECK_EQ(th_heap_check(&heap, &fault), TH_OK);
        size_t all = th_heap_largest_free_bytes(&heap);
        CHECK_EQ(poke(region + byte, 0x41), POISON);
        CHECK_EQ(th_heap_check(&heap, &fault), TH_ERR_CORRUPT);
        CHECK_EQ(fault.kind, TH_FAULT_POISON);
        CHECK_EQ(fault.offset, byte / 4 * 4);
        if (level == 3) {
            CHECK_EQ(th_heap_free(&heap, NULL), 0);
            CHECK_EQ(faults, 1);
        }
        faults = 0;
        CHECK(th_heap_alloc(&heap, all, byte % 2 != 0 ? 0x1001 : 0x4001) == NULL);
        CHECK(faults > 0);
        CHECK_EQ(first.kind, TH_FAULT_POISON);
        CHECK_EQ(first.offset, byte / 4 * 4);
        (void)poke(region + byte, POISON);
        CHECK(th_heap_alloc(&heap, 8, 0x4001) != NULL);
        CHECK(th_heap_alloc_aligned(&heap, 8, 64, 0x4002) != NULL);
        CHECK(th_heap_alloc_aligned(&heap, 8, 64, 0x1001) != NULL);
        CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
        th_heap_clean_up(&heap);
    }
}

static void a_write_anywhere_is_noticed(void) {
    at_each(2, write_anywhere);
}

/* A copy and an attached image are poisoned as the heap was. */
static void copy_and_write(size_t alignment, int level) {
    start(alignment, level, true);
    CHECK(th_heap_alloc(&heap, 100, 0x1001) != NULL);
    CHECK(th_heap_alloc(&heap, 100, 0x4001) != NULL);
    th_heap copy = {0};
    memset(other, UNTOUCHED, sizeof other);
    CHECK_EQ(th_heap_copy(&heap, &copy, other), TH_OK);
    CHECK_EQ(th_heap_check(&copy, NULL), TH_OK);
    CHECK_EQ(poke(other + 400, 0x41), POISON);
    CHECK_EQ(th_heap_check(&copy, NULL), TH_ERR_CORRUPT);
    (void)poke(other + 400, POISON);
    th_heap_detach(&copy);
    CHECK_EQ(th_heap_attach(&copy, other), TH_OK);
    CHECK_EQ(poke(other + 400, 0x41), POISON);
    CHECK_EQ(th_heap_check(&copy, NULL), TH_ERR_CORRUPT);
    (void)poke(other + 400, POISON);
    th_heap_clean_up(&copy);
    th_heap_clean_up(&heap);
}

/* Below level 2 it is memory like any that was never used: a copy leaves it out. */
static void copy_without_poison(size_t alignment, int level) {
    if (level < 2) {
        start(alignment, level, true);
        th_heap copy = {0};
        memset(other, UNTOUCHED, sizeof other);
        (void)poke(region + 400, 0x41);
        CHECK_EQ(th_heap_copy(&heap, &copy, other), TH_OK);
        th_heap_clean_up(&copy);
        CHECK_EQ(other[400], UNTOUCHED);
        th_heap_clean_up(&heap);
    }
}

static void lower_levels_have_nothing_to_keep(void) {
    at_each(0, copy_without_poison);
}

static void images_keep_it(void) {
    at_each(2, copy_and_write);
}

TH_SUITE("guards_unused", TEST(only_level_2_and_up_write_it_if_asked),
         TEST(a_write_anywhere_is_noticed), TEST(images_keep_it),
         TEST(lower_levels_have_nothing_to_keep))
