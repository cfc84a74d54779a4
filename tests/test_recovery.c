/* SPDX-License-Identifier: MIT */
/* What a program does when memory runs out or an image is damaged, and what the heap guarantees
 * it: failed calls change nothing, what was allocated in part can be given back by its tag, a
 * saved image brings everything back, and every error reaches the caller as what it is.
 * Offsets and sizes are dwords unless they end in bytes; header 6. */
#include <string.h>

#include "heap_fixture.h"

static fixture fx;
static fixture saved;

/* What was there before things go wrong: HEAD 1 and 3 around a hole of 30, TAIL 0x4001. */
static void start_with_background(void) {
    fixture_start(&fx, 4, 200);
    fill(checked_alloc(&fx, 40, 1), 40, 1);
    void *hole = checked_alloc(&fx, 120, 2);
    fill(checked_alloc(&fx, 50, 3), 50, 3);
    fill(checked_alloc(&fx, 60, 0x4001), 60, 4);
    CHECK_EQ(checked_free(&fx, hole), 120);
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {FREE, 30}, {3, 13}, {FREE, 96}, {0x4001, 15});
}

static void expect_background(void) {
    CHECK(filled(block_tagged(&fx.heap, 1).payload, 40, 1));
    CHECK(filled(block_tagged(&fx.heap, 3).payload, 50, 3));
    CHECK(filled(block_tagged(&fx.heap, 0x4001).payload, 60, 4));
}

static void expect_only_background(void) {
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {FREE, 30}, {3, 13}, {FREE, 96}, {0x4001, 15});
    expect_background();
}

/* ---- running out ---------------------------------------------------------------------------- */

static void an_exhausted_heap_keeps_what_it_has(void) {
    uint32_t count = 0;
    start_with_background();
    while (checked_alloc(&fx, 16, 0x100 + count) != NULL) {
        fill(block_tagged(&fx.heap, 0x100 + count).payload, 16, count);
        count++;
    }
    /* 36 dwords hold three blocks of 10, the third with 6 of slack; 102 hold ten. */
    CHECK_EQ(count, 13);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 1);
    CHECK(checked_alloc(&fx, 16, 0x4002) == NULL);
    CHECK(checked_alloc_at(&fx, 64, 16, 1, 1) == NULL);
    CHECK(checked_resize(&fx, block_tagged(&fx.heap, 1).payload, 80) == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 4);
    expect_background();
    for (uint32_t i = 0; i < count; i++) {
        CHECK(filled(block_tagged(&fx.heap, 0x100 + i).payload, 16, i));
    }
    CHECK_EQ(checked_free_tags(&fx, 0x100, 0x1FF), 13);
    expect_only_background();
    fixture_stop(&fx);
}

static void an_exhausted_heap_works_again_after_a_free(void) {
    static const uint32_t tags[] = {0x0100, 0x4100};
    for (size_t side = 0; side < 2; side++) {
        void *blocks[13];
        fixture_start(&fx, 4, 136);
        for (uint32_t i = 0; i < 13; i++) {
            blocks[i] = checked_alloc(&fx, 16, tags[side] + i);
            CHECK(blocks[i] != NULL);
        }
        for (size_t i = 0; i < 13; i++) {
            CHECK(checked_alloc(&fx, 16, tags[side] + 0x50) == NULL);
            CHECK_EQ(checked_free(&fx, blocks[i]), 16);
            CHECK_PTR_EQ(checked_alloc(&fx, 16, tags[side] + (uint32_t)i), blocks[i]);
        }
        CHECK_EQ(stats_of(&fx.heap).failed_allocs, 13);
        fixture_stop(&fx);
    }
}

/* Enough is free, but scattered: the failure is recovered from by compaction. */
static void a_failure_by_fragmentation_is_cured_by_compaction(void) {
    start_with_background();
    CHECK(checked_alloc(&fx, 110 * 4, 7) == NULL);
    CHECK_EQ(checked_compact(&fx, NULL, NULL).blocks_moved, 1);
    CHECK(checked_alloc(&fx, 110 * 4, 7) != NULL);
    expect_background();
    fixture_stop(&fx);
}

/* ---- partial allocations -------------------------------------------------------------------- */

/* An object of several pieces under one tag; all or nothing. */
static bool build(uint32_t tag, const size_t *pieces, size_t count, uint32_t *rolled_back) {
    for (size_t i = 0; i < count; i++) {
        void *piece = checked_alloc(&fx, pieces[i], tag);
        if (piece == NULL) {
            *rolled_back = checked_free_tags(&fx, tag, tag);
            return false;
        }
        fill(piece, pieces[i], tag + (uint32_t)i);
    }
    return true;
}

static void a_partial_object_is_rolled_back_by_its_tag(void) {
    static const uint32_t tags[] = {0x0200, 0x4200};
    for (size_t side = 0; side < 2; side++) {
        for (size_t fails = 0; fails < 5; fails++) {
            size_t pieces[5] = {40, 70, 12, 100, 9};
            uint32_t rolled_back = UINT32_MAX;
            pieces[fails] = 5000;
            start_with_background();
            CHECK(!build(tags[side], pieces, 5, &rolled_back));
            CHECK_EQ(rolled_back, fails);
            expect_only_background();
        }
        size_t pieces[5] = {40, 70, 12, 100, 9};
        uint32_t rolled_back = UINT32_MAX;
        start_with_background();
        CHECK(build(tags[side], pieces, 5, &rolled_back));
        CHECK_EQ(rolled_back, UINT32_MAX);
        CHECK_EQ(checked_free_tags(&fx, tags[side], tags[side]), 5);
        expect_only_background();
        fixture_stop(&fx);
    }
}

/* A table in the HEAD side, its index in the TAIL side, and a growth of the table: whichever step
 * fails, what was made before is released in reverse. */
static bool make_table(size_t table_bytes, size_t index_bytes, size_t grown_bytes) {
    bool made = false;
    void *table = checked_alloc(&fx, table_bytes, 0x300);
    if (table == NULL) {
        return false;
    }
    void *index = checked_alloc(&fx, index_bytes, 0x4300);
    if (index == NULL) {
        goto release_table;
    }
    fill(table, table_bytes, 5);
    void *grown = checked_resize(&fx, table, grown_bytes);
    if (grown != NULL) {
        CHECK(filled(grown, table_bytes, 5));
        table = grown;
        made = true;
    } else {
        CHECK(filled(table, table_bytes, 5));
    }
    CHECK(checked_free(&fx, index) >= index_bytes);
release_table:
    CHECK(checked_free(&fx, table) >= table_bytes);
    return made;
}

static void every_failing_step_cleans_up_after_itself(void) {
    static const size_t bytes[][3] = {
        {9000, 40, 80}, {80, 9000, 100}, {80, 40, 9000}, {120, 60, 340}, {120, 60, 124}};
    static const bool works[] = {false, false, false, false, true};
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        start_with_background();
        size_t used = stats_of(&fx.heap).used_bytes;
        CHECK_EQ(make_table(bytes[i][0], bytes[i][1], bytes[i][2]), works[i]);
        CHECK_EQ(stats_of(&fx.heap).used_bytes, used);
        CHECK_EQ(stats_of(&fx.heap).failed_allocs, works[i] ? 0 : 1);
        expect_only_background();
        fixture_stop(&fx);
    }
}

/* ---- saved images --------------------------------------------------------------------------- */

static void save(void) {
    th_heap_config config = {.alignment = 4, .guarding.level = th_guard_max()};
    fixture_prepare(&saved, 0, 800, &config);
    CHECK_EQ(th_heap_copy(&fx.heap, &saved.heap, saved.region), TH_OK);
    saved.live = true;
}

static void restore(void) {
    CHECK_EQ(th_heap_copy(&saved.heap, &fx.heap, fx.region), TH_OK);
}

static void a_saved_image_brings_everything_back(void) {
    start_with_background();
    unsigned char *kept = block_tagged(&fx.heap, 3).payload;
    save();
    memset(kept, 0, 50);
    CHECK_EQ(checked_free_tags(&fx, 1, 1), 1);
    CHECK(checked_compact(&fx, NULL, NULL).blocks_moved > 0);
    CHECK(checked_alloc(&fx, 300, 9) != NULL);
    CHECK(checked_alloc(&fx, 30, 0x4009) != NULL);
    th_heap_clean_up(&fx.heap);
    memset(fx.region, 0, fx.bytes);
    restore();
    expect_same_heaps(&fx.heap, &saved.heap);
    expect_only_background();
    CHECK_PTR_EQ(block_tagged(&fx.heap, 3).payload, kept);
    CHECK_EQ(checked_free(&fx, kept), 50 + 2 + 24 + 24);
    fixture_stop(&fx);
    fixture_stop(&saved);
}

static void a_damaged_image_is_refused_and_replaced(void) {
    start_with_background();
    save();
    uint32_t header = block_tagged(&fx.heap, 3).offset;
    th_heap_detach(&fx.heap);
    memset(fx.region + (size_t)header * 4, 0xFF, 24);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_ERR_CORRUPT);
    restore();
    expect_same_heaps(&fx.heap, &saved.heap);
    expect_only_background();
    CHECK(checked_alloc(&fx, 300, 9) != NULL);
    fixture_stop(&fx);
    fixture_stop(&saved);
}

/* ---- cleaning up ---------------------------------------------------------------------------- */

static void all_memory_comes_back_after_failures(void) {
    start_with_background();
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t made = 0;
        while (checked_alloc(&fx, 20 + 12 * (size_t)i, 0x400 + i) != NULL) {
            made++;
        }
        CHECK(made > 0);
        CHECK(checked_resize(&fx, block_tagged(&fx.heap, 1).payload, 9000) == NULL);
        CHECK_EQ(checked_free_tags(&fx, 0x400, 0x4FF), made);
        expect_only_background();
    }
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 10);
    CHECK_EQ(checked_free_tags(&fx, 0, 0x7FFE), 3);
    EXPECT_BLOCKS(&fx.heap, {FREE, 188});
    fixture_stop(&fx);
}

/* After clean_up the region is ordinary memory, for the caller or for another heap. */
static void a_cleaned_up_region_is_ordinary_memory(void) {
    start_with_background();
    CHECK(checked_alloc(&fx, 5000, 9) == NULL);
    fixture_stop(&fx);
    memset(fx.region, 0x11, 800);
    for (size_t i = 0; i < 800; i++) {
        CHECK_EQ(fx.region[i], 0x11);
    }
    start_with_background();
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 0);
    expect_only_background();
    fixture_stop(&fx);
}

/* ---- consistency ---------------------------------------------------------------------------- */

/* The n-th way to fail; false when there are no more. */
static bool fail_in_some_way(unsigned n) {
    void *live = block_tagged(&fx.heap, 3).payload;
    th_heap heap;
    switch (n) {
    case 0:
        return checked_alloc(&fx, 97 * 4, 9) == NULL;
    case 1:
        return checked_alloc(&fx, 97 * 4, 0x4009) == NULL;
    case 2:
        return checked_alloc(&fx, SIZE_MAX, 9) == NULL;
    case 3:
        return checked_alloc(&fx, 16, TH_TAG_FREE) == NULL;
    case 4:
        return checked_alloc(&fx, 0, 9) == NULL;
    case 5:
        return checked_alloc_at(&fx, 4096, 16, 9, 1) == NULL;
    case 6:
        return checked_alloc_at(&fx, 12, 16, 9, 1) == NULL;
    case 7:
        return checked_resize(&fx, live, 117 * 4) == NULL;
    case 8:
        return checked_resize(&fx, live, SIZE_MAX) == NULL;
    case 9:
        return checked_resize(&fx, NULL, 16) == NULL;
    case 10:
        return checked_free(&fx, NULL) == 0 && checked_trim(&fx, NULL) == 0;
    case 11:
        return checked_free_tags(&fx, 0x7FFF, UINT32_MAX) == 0;
    case 12:
        return th_heap_copy(&fx.heap, &heap, fx.store + 1) == TH_ERR_MISALIGNED;
    case 13:
        return th_heap_init(&fx.heap, fx.region + 1, 800, &(th_heap_config){.alignment = 4}) ==
               TH_ERR_MISALIGNED;
    case 14:
        return th_heap_init(&fx.heap, fx.region, 8, NULL) == TH_ERR_TOO_SMALL;
    default:
        return false;
    }
}

static void no_failure_leaves_a_trace(void) {
    start_with_background();
    unsigned ways = 0;
    while (ways < 15 && fail_in_some_way(ways)) {
        expect_only_background();
        validate_heap(&fx.heap, 4);
        ways++;
    }
    CHECK_EQ(ways, 15);
    th_heap_stats stats = stats_of(&fx.heap);
    CHECK_EQ(stats.failed_allocs, 6);
    CHECK_EQ(stats.used_bytes, (16 + 19 + 21) * 4);
    CHECK_EQ(stats.high_water_bytes, (16 + 36 + 19 + 21) * 4);
    fixture_stop(&fx);
}

/* ---- errors reach the caller ---------------------------------------------------------------- */

/* Three layers, none of which may lose or change what the heap says. */
static th_status open_heap(th_heap *heap, void *region, size_t bytes, const th_heap_config *c) {
    return th_heap_init(heap, region, bytes, c);
}

static th_status open_store(th_heap *heap, void *region, size_t bytes, const th_heap_config *c) {
    th_status status = open_heap(heap, region, bytes, c);
    if (status != TH_OK) {
        return status;
    }
    if (th_heap_alloc(heap, 200, 1) == NULL) {
        th_heap_clean_up(heap);
        return TH_ERR_EXHAUSTED;
    }
    return TH_OK;
}

static void expect_store(void *region, size_t bytes, size_t alignment, int guard,
                         th_heap_layout layout, th_status status, const char *name) {
    th_heap heap;
    th_heap_config config = {.alignment = alignment, .guarding.level = guard, .layout = layout};
    th_status found = open_store(&heap, region, bytes, &config);
    CHECK_EQ(found, status);
    CHECK_EQ(strcmp(th_status_name(found), name), 0);
    if (found == TH_OK) {
        CHECK_EQ(stats_of(&heap).head_blocks, 1);
        th_heap_clean_up(&heap);
    }
}

static void every_cause_has_its_own_status(void) {
    static alignas(16) unsigned char region[600000];
    const th_heap_layout classic = TH_HEAP_LAYOUT_CLASSIC;
    expect_store(region, 800, 4, 0, classic, TH_OK, "TH_OK");
    expect_store(NULL, 800, 4, 0, classic, TH_ERR_NULL, "TH_ERR_NULL");
    expect_store(region + 2, 800, 4, 0, classic, TH_ERR_MISALIGNED, "TH_ERR_MISALIGNED");
    expect_store(region, 60, 4, 0, classic, TH_ERR_TOO_SMALL, "TH_ERR_TOO_SMALL");
    expect_store(region, 600000, 4, 0, classic, TH_ERR_TOO_LARGE, "TH_ERR_TOO_LARGE");
    expect_store(region, 800, 7, 0, classic, TH_ERR_ALIGNMENT, "TH_ERR_ALIGNMENT");
    expect_store(region, 800, 4, 0, (th_heap_layout)7, TH_ERR_LAYOUT, "TH_ERR_LAYOUT");
    expect_store(region, 800, 4, 7, classic, TH_ERR_CONFIG, "TH_ERR_CONFIG");
    expect_store(region, 200, 4, 0, classic, TH_ERR_EXHAUSTED, "TH_ERR_EXHAUSTED");
    CHECK_EQ(strcmp(th_status_name(TH_ERR_CORRUPT), "TH_ERR_CORRUPT"), 0);
    CHECK_EQ(strcmp(th_status_name(TH_ERR_BUSY), "TH_ERR_BUSY"), 0);
    CHECK_EQ(strcmp(th_status_name(TH_ERR_UNSUPPORTED), "TH_ERR_UNSUPPORTED"), 0);
    CHECK_EQ(strcmp(th_status_name(TH_ERR_STALE), "TH_ERR_STALE"), 0);
    CHECK_EQ(strcmp(th_status_name(TH_ERR_PINNED), "TH_ERR_PINNED"), 0);
    CHECK_EQ(strcmp(th_status_name(TH_ERR_UNKNOWN), "TH_ERR_UNKNOWN"), 0);
    CHECK_EQ(strcmp(th_status_name(TH_ERR_CYCLE), "TH_ERR_CYCLE"), 0);
    CHECK_EQ(strcmp(th_status_name((th_status)99), "TH_ERR_?"), 0);
}

/* A fault goes to the handler of its heap with the handler's context; the call itself returns
 * its failure value, and the outer call goes on to its own end. */
static bool call_from_inside(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    th_heap *copy = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    CHECK(th_heap_alloc(&fx.heap, 4, 9) == NULL);
    CHECK_EQ(fx.faults, 1);
    CHECK_EQ(th_heap_copy(&fx.heap, copy, saved.region), TH_ERR_BUSY);
    CHECK_EQ(fx.faults, 2);
    return true;
}

static void a_fault_reaches_its_own_heaps_handler(void) {
    th_heap copy = {0};
    start_with_background();
    fixture_start(&saved, 4, 200);
    th_heap_compaction result = th_heap_compact(&fx.heap, call_from_inside, &copy);
    CHECK_EQ(result.blocks_moved, 1);
    CHECK(result.done);
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_REENTRY);
    CHECK_EQ(strcmp(th_fault_name(fx.last_fault.kind), th_fault_name(TH_FAULT_REENTRY)), 0);
    CHECK_EQ(fx.faults, 2);
    CHECK_EQ(saved.faults, 0);
    fx.faults = 0;
    expect_background();
    fixture_stop(&fx);
    fixture_stop(&saved);
}

/* A failure inside the low-memory callback reaches the callback, and the one outside the caller. */
static void *inner_result = &fx;
static void *outer_pointer;

static bool fail_inside(void *context, th_heap *heap, size_t bytes) {
    (void)context;
    inner_result = th_heap_alloc(heap, bytes + 4, 8);
    return false;
}

static void failures_inside_callbacks_reach_both_callers(void) {
    th_heap_config config = {.alignment = 4, .low_memory = fail_inside};
    fixture_start_with(&fx, 0, 400, &config);
    outer_pointer = checked_alloc(&fx, 100, 1);
    inner_result = &fx;
    CHECK(checked_alloc(&fx, 1000, 2) == NULL);
    CHECK(inner_result == NULL);
    inner_result = &fx;
    CHECK(checked_resize(&fx, outer_pointer, 1000) == NULL);
    CHECK(inner_result == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 4);
    EXPECT_BLOCKS(&fx.heap, {1, 25}, {FREE, 57});
    fixture_stop(&fx);
}

TH_SUITE("recovery", TEST(an_exhausted_heap_keeps_what_it_has),
         TEST(an_exhausted_heap_works_again_after_a_free),
         TEST(a_failure_by_fragmentation_is_cured_by_compaction),
         TEST(a_partial_object_is_rolled_back_by_its_tag),
         TEST(every_failing_step_cleans_up_after_itself),
         TEST(a_saved_image_brings_everything_back), TEST(a_damaged_image_is_refused_and_replaced),
         TEST(all_memory_comes_back_after_failures), TEST(a_cleaned_up_region_is_ordinary_memory),
         TEST(no_failure_leaves_a_trace), TEST(every_cause_has_its_own_status),
         TEST(a_fault_reaches_its_own_heaps_handler),
         TEST(failures_inside_callbacks_reach_both_callers))
