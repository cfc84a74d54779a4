/* SPDX-License-Identifier: MIT */
/* The heap: what init refuses and accepts, allocation as such (sizes, tags, exhaustion), the four
 * cases of free, free by tag, and several heaps at once. Where blocks are placed is the business
 * of test_heap_place.c.
 *
 * Offsets and sizes are dwords unless they end in bytes. At alignment 4 and 8 a header has 6, at
 * alignment 16 it has 8; a heap of N dwords starts with a FIRST of N - 2 headers. */
#include <limits.h>
#include <string.h>

#include "heap_fixture.h"

static fixture fx;

/* ---- init --------------------------------------------------------------------------------- */

#define LARGEST_REGION_BYTES (131088u * 4u)
#define UNTOUCHED            0xEE

static alignas(4096) unsigned char arena[LARGEST_REGION_BYTES];

static void lock_nothing(void *context) {
    (void)context;
}

/* A refused init leaves *heap and the region as they are. */
static void expect_refused(void *region, size_t bytes, const th_heap_config *config,
                           th_status expected) {
    th_heap heap;
    memset(&heap, UNTOUCHED, sizeof heap);
    memset(arena, UNTOUCHED, sizeof arena);
    CHECK_EQ(th_heap_init(&heap, region, bytes, config), expected);
    const unsigned char *control = (const unsigned char *)&heap;
    for (size_t i = 0; i < sizeof heap; i++) {
        CHECK_EQ(control[i], UNTOUCHED);
    }
    CHECK_EQ(arena[0], UNTOUCHED);
    CHECK_EQ(memcmp(arena, arena + 1, sizeof arena - 1), 0);
}

/* Accepted, with this many dwords in FIRST. */
static void expect_accepted(void *region, size_t bytes, const th_heap_config *config,
                            uint32_t first) {
    th_heap heap;
    CHECK_EQ(th_heap_init(&heap, region, bytes, config), TH_OK);
    EXPECT_BLOCKS(&heap, {FREE, first});
    th_heap_clean_up(&heap);
}

static void init_refuses_null(void) {
    th_heap_config config = {.alignment = 16};
    expect_refused(NULL, 4000, NULL, TH_ERR_NULL);
    expect_refused(NULL, 4000, &config, TH_ERR_NULL);
    memset(arena, UNTOUCHED, 4000);
    CHECK_EQ(th_heap_init(NULL, arena, 4000, NULL), TH_ERR_NULL);
    CHECK_EQ(th_heap_init(NULL, NULL, 0, NULL), TH_ERR_NULL);
    for (size_t i = 0; i < 4000; i++) {
        CHECK_EQ(arena[i], UNTOUCHED);
    }
}

static void init_refuses_alignments(void) {
    static const size_t refused[] = {1, 2, 3, 5, 6, 12, 15, 17, 20, 24, 32, 64, 4096, SIZE_MAX};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        th_heap_config config = {.alignment = refused[i]};
        expect_refused(arena, 4000, &config, TH_ERR_ALIGNMENT);
    }
}

static void init_refuses_guards_and_half_locks(void) {
    static const int refused[] = {-1, 4, 5, INT_MIN, INT_MAX};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        th_heap_config config = {.guarding.level = refused[i]};
        expect_refused(arena, 4000, &config, TH_ERR_CONFIG);
    }
    th_heap_config lock_only = {.lock.acquire = lock_nothing};
    th_heap_config unlock_only = {.lock.release = lock_nothing};
    expect_refused(arena, 4000, &lock_only, TH_ERR_CONFIG);
    expect_refused(arena, 4000, &unlock_only, TH_ERR_CONFIG);
}

static void init_refuses_misaligned_regions(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        th_heap_config config = {.alignment = alignment};
        for (size_t skew = 1; skew < alignment; skew++) {
            expect_refused(arena + skew, 4000, &config, TH_ERR_MISALIGNED);
        }
        expect_accepted(arena + alignment, 4000, &config, alignment == 16 ? 984 : 988);
    }
}

/* Two headers and 4 dwords: 16 dwords, and 20 at alignment 16. */
static void init_refuses_small_regions(void) {
    static const size_t alignments[] = {4, 8, 16};
    static const size_t least_bytes[] = {64, 64, 80};
    for (size_t i = 0; i < 3; i++) {
        th_heap_config config = {.alignment = alignments[i]};
        expect_refused(arena, 0, &config, TH_ERR_TOO_SMALL);
        expect_refused(arena, 1, &config, TH_ERR_TOO_SMALL);
        expect_refused(arena, 24, &config, TH_ERR_TOO_SMALL);
        expect_refused(arena, least_bytes[i] - 4, &config, TH_ERR_TOO_SMALL);
        expect_refused(arena, least_bytes[i] - 1, &config, TH_ERR_TOO_SMALL);
        expect_accepted(arena, least_bytes[i], &config, 4);
        expect_accepted(arena, least_bytes[i] + 3, &config, 4);
    }
}

/* The largest FIRST is 0x1FFFF, 0x1FFFE and 0x1FFFC dwords; two headers come on top, and what is
 * less than the alignment goes unused. */
static void init_refuses_large_regions(void) {
    static const size_t alignments[] = {4, 8, 16};
    static const size_t refused_bytes[] = {131084 * 4, 131084 * 4, 131088 * 4};
    static const uint32_t largest[] = {0x1FFFF, 0x1FFFE, 0x1FFFC};
    for (size_t i = 0; i < 3; i++) {
        th_heap_config config = {.alignment = alignments[i],
                                 .index = TH_HEAP_INDEX_NONE,
                                 .layout = TH_HEAP_LAYOUT_CLASSIC};
        expect_refused(arena, refused_bytes[i], &config, TH_ERR_TOO_LARGE);
        expect_refused(arena, SIZE_MAX, &config, TH_ERR_TOO_LARGE);
        expect_refused(arena, (size_t)PTRDIFF_MAX + 1, &config, TH_ERR_TOO_LARGE);
        expect_accepted(arena, refused_bytes[i] - 1, &config, largest[i]);
    }
#if SIZE_MAX > UINT32_MAX
    expect_refused(arena, ((size_t)1 << 34) + 4000, NULL, TH_ERR_TOO_LARGE);
#endif
}

/* What docs/heap.md names first wins when several things are wrong. */
static void init_refuses_in_the_documented_order(void) {
    th_heap_config all_wrong = {.alignment = 5, .guarding.level = 9, .lock.acquire = lock_nothing};
    expect_refused(NULL, 0, &all_wrong, TH_ERR_NULL);
    expect_refused(arena + 1, 0, &all_wrong, TH_ERR_ALIGNMENT);
    all_wrong.alignment = 8;
    expect_refused(arena + 1, 0, &all_wrong, TH_ERR_CONFIG);
    all_wrong.guarding.level = 0;
    expect_refused(arena + 1, 0, &all_wrong, TH_ERR_CONFIG);
    all_wrong.lock.acquire = NULL;
    expect_refused(arena + 4, 0, &all_wrong, TH_ERR_MISALIGNED);
    expect_refused(arena + 4, SIZE_MAX, &all_wrong, TH_ERR_MISALIGNED);
    expect_refused(arena, 0, &all_wrong, TH_ERR_TOO_SMALL);
    expect_refused(arena, SIZE_MAX, &all_wrong, TH_ERR_TOO_LARGE);
}

static void init_accepts_defaults(void) {
    static const th_heap_config zeroed;
    static const th_heap_config guarded = {.guarding.level = 3};
    /* At 16: two headers of 8; 8: two of 6. What suits every object: test_heap_default.c. */
    uint32_t first = alignof(max_align_t) >= 16 ? 984 : 988;
    expect_accepted(arena, 4000, NULL, first);
    expect_accepted(arena + 16, 4000, &zeroed, first);
    expect_accepted(arena, 4000, &guarded, first);
    CHECK(th_guard_max() >= 0 && th_guard_max() <= 3);
}

static void init_leaves_what_is_beyond_the_alignment(void) {
    th_heap_config config = {.alignment = 16};
    fixture_start_with(&fx, 0, 4015, &config);
    EXPECT_BLOCKS(&fx.heap, {FREE, 984});
    CHECK_EQ(th_heap_region_bytes(&fx.heap), 4000);
    CHECK(checked_alloc(&fx, 984 * 4, 0x1001) != NULL);
    EXPECT_BLOCKS(&fx.heap, {0x1001, 984});
    fixture_stop(&fx);
}

static void init_and_clean_up_touch_only_the_two_headers(void) {
    th_heap heap;
    memset(arena, UNTOUCHED, sizeof arena);
    CHECK_EQ(th_heap_init(&heap, arena, 4000, &(th_heap_config){.alignment = 4}), TH_OK);
    th_heap_clean_up(&heap);
    for (size_t i = 24; i < sizeof arena; i++) {
        if (i < 994 * 4 || i >= 4000) {
            CHECK_EQ(arena[i], UNTOUCHED);
        }
    }
    th_heap_clean_up(NULL);
}

/* Every call; a payload of the time before is as foreign as anything. */
static void a_heap_that_has_ended_does_nothing(void) {
    th_heap heap;
    th_heap other;
    th_heap_stats stats;
    th_heap_block block;
    CHECK_EQ(th_heap_init(&heap, arena, 4000, &(th_heap_config){.guarding.level = 3}), TH_OK);
    void *old = th_heap_alloc(&heap, 100, 1);
    CHECK(old != NULL && th_heap_first(&heap, &block));
    th_heap_clean_up(&heap);
    CHECK(!th_heap_next(&heap, &block) && !th_heap_first(&heap, &block));
    CHECK(!th_heap_find(&heap, old, &block));
    CHECK(th_heap_alloc(&heap, 4, 1) == NULL && th_heap_realloc(&heap, old, 200) == NULL);
    CHECK(th_heap_realloc(&heap, old, 0) == NULL && th_heap_trim(&heap, old) == 0);
    CHECK(th_heap_free(&heap, old) == 0 && th_heap_free_tags(&heap, 0, UINT32_MAX) == 0);
    CHECK(!th_heap_compact(&heap, NULL, NULL).done);
    CHECK(!th_heap_compact_some(&heap, 100, NULL, NULL).done);
    CHECK_EQ(th_heap_copy(&heap, &other, arena), TH_ERR_NULL);
    CHECK_EQ(th_heap_attach(&heap, arena), TH_ERR_NULL);
    th_heap_detach(&heap);
    CHECK_EQ(th_heap_requested_size(&heap, old) + th_heap_usable_size(&heap, old), 0);
    CHECK_EQ(th_heap_region_bytes(&heap) + th_heap_largest_free_bytes(&heap), 0);
    stats = th_heap_get_stats(&heap);
    CHECK_EQ(stats.free_bytes + stats.used_bytes + stats.free_head_bytes, 0);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_ERR_NULL);
    th_heap_clean_up(&heap);
}

static void expect_damage_is_said(th_heap *heap) {
    static _Alignas(16) unsigned char elsewhere[800];
    th_fault fault = {.kind = TH_FAULT_NONE};
    th_heap_block block;
    th_heap_stats stats;
    th_heap copy = {0};
    CHECK_EQ(th_heap_check(heap, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CONTROL);
    CHECK_EQ(fault.block, TH_FAULT_NOWHERE);
    CHECK_EQ(fault.offset, TH_FAULT_NOWHERE);
    CHECK_EQ(fx.faults, 0);
    CHECK(th_heap_alloc(heap, 4, 1) == NULL);
    CHECK_EQ(fx.faults, 1);
    CHECK(!th_heap_find(heap, fx.region, &block));
    CHECK_EQ(fx.faults, 2);
    CHECK_EQ(th_heap_copy(heap, &copy, elsewhere), TH_ERR_CORRUPT);
    CHECK_EQ(fx.faults, 3);
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_CONTROL);
    CHECK_EQ(fx.last_fault.found, fault.found);
    copy = *heap;
    CHECK_EQ(th_heap_attach(&copy, fx.region), TH_ERR_CORRUPT);
    CHECK(!th_heap_first(heap, &block));
    stats = th_heap_get_stats(heap);
    CHECK_EQ(stats.free_bytes, 0);
    fx.faults = 0;
}

/* With guards, for a base that was overwritten is not the same as none; nor is it if one of the
 * check words of the th_heap went with it. */
static void a_sealed_heap_without_a_base_is_damaged(void) {
    fixture_start(&fx, 4, 200);
    if (fx.heap.guard == 3) {
        th_heap kept = fx.heap;
        fx.heap.base = NULL;
        expect_damage_is_said(&fx.heap);
        fx.heap.seal_layout = 0;
        expect_damage_is_said(&fx.heap);
        fx.heap.seal_layout = kept.seal_layout;
        fx.heap.guard = 0;
        expect_damage_is_said(&fx.heap);
        fx.heap = kept;
    }
    fixture_stop(&fx);
}

/* What is done for speed is done without a look at the seals: no number that others write over the
 * one that allows it may do so. */
static void no_number_leads_past_the_seals(void) {
    fixture_start(&fx, 4, 200);
    if (fx.heap.guard == 3) {
        void *block = checked_alloc(&fx, 20, 1);
        uint32_t kept = fx.heap.fast;
        for (uint32_t i = 1; i <= 1024 + 32 + 255; i++) {
            fx.heap.fast = i <= 1024        ? kept ^ i
                           : i <= 1024 + 32 ? kept ^ (uint32_t)1 << (i - 1025)
                                            : kept ^ (i - 1056) * 0x01010101u;
            CHECK(th_heap_alloc(&fx.heap, 20, 1) == NULL);
            CHECK(th_heap_alloc(&fx.heap, 20, 0x4001) == NULL);
            CHECK_EQ(th_heap_free(&fx.heap, block), 0);
            CHECK_EQ(fx.faults, 3 * i);
            CHECK_EQ(fx.last_fault.kind, TH_FAULT_CONTROL);
        }
        fx.heap.fast = kept;
        fx.faults = 0;
    }
    fixture_stop(&fx);
}

static void init_again_starts_afresh(void) {
    fixture_start(&fx, 8, 200);
    void *a = checked_alloc(&fx, 80, 1);
    void *b = checked_alloc(&fx, 80, 2);
    void *c = checked_alloc(&fx, 80, 3);
    CHECK(c != NULL);
    CHECK_EQ(checked_free(&fx, a), 80);
    CHECK(checked_alloc(&fx, 800, 0x4001) == NULL);
    CHECK(!checked_compact_some(&fx, 1, NULL, NULL).done);
    CHECK(fx.heap.compact_cursor != 0);
    (void)b;
    th_heap_config config = fx.heap.config;
    CHECK_EQ(th_heap_init(&fx.heap, fx.region, fx.bytes, &config), TH_OK);
    EXPECT_BLOCKS(&fx.heap, {FREE, 188});
    th_heap_stats stats = stats_of(&fx.heap);
    CHECK_EQ(stats.used_bytes, 0);
    CHECK_EQ(stats.high_water_bytes, 0);
    CHECK_EQ(stats.failed_allocs, 0);
    CHECK_EQ(fx.heap.compact_cursor, 0);
    fixture_stop(&fx);
}

/* ---- allocation --------------------------------------------------------------------------- */

static void sizes_round_up_to_the_alignment(void) {
    for (uint32_t alignment = 4; alignment <= 16; alignment *= 2) {
        for (uint32_t bytes = 1; bytes <= 40; bytes++) {
            fixture_start(&fx, alignment, 100);
            void *head = checked_alloc(&fx, bytes, 0x0001);
            void *tail = checked_alloc(&fx, bytes, 0x4001);
            CHECK_EQ((uintptr_t)head % alignment, 0);
            CHECK_EQ((uintptr_t)tail % alignment, 0);
            size_t rounded = (bytes + alignment - 1) / alignment * alignment;
            CHECK_EQ(th_heap_usable_size(&fx.heap, head), rounded);
            CHECK_EQ(th_heap_usable_size(&fx.heap, tail), rounded);
            CHECK_EQ(th_heap_requested_size(&fx.heap, head), bytes);
            fill(head, bytes, 1);
            fill(tail, bytes, 2);
            CHECK(filled(head, bytes, 1));
            fixture_stop(&fx);
        }
    }
}

static void impossible_sizes_are_refused(void) {
    static const size_t impossible[] = {
        SIZE_MAX,
        SIZE_MAX - 1,
        SIZE_MAX - 3,
        SIZE_MAX - 27,
        (size_t)PTRDIFF_MAX + 1,
        PTRDIFF_MAX,
        (size_t)PTRDIFF_MAX - 3,
        TH_HEAP_BLOCK_BYTES_MAX + 1,
        (size_t)0x20000 * 4 + 16,
        (size_t)UINT32_MAX - 3,
        (size_t)1 << 31,
#if SIZE_MAX > UINT32_MAX
        ((size_t)1 << 32) + 16,
        ((size_t)1 << 34) + 16,
        ((size_t)1 << 63) + 16,
#endif
        989 * 4
    };
    uint64_t count = sizeof impossible / sizeof impossible[0];
    for (uint32_t alignment = 4; alignment <= 16; alignment *= 2) {
        fixture_start(&fx, alignment, 1000);
        for (size_t i = 0; i < count; i++) {
            CHECK(checked_alloc(&fx, impossible[i], 0x0001) == NULL);
            CHECK(checked_alloc(&fx, impossible[i], 0x4001) == NULL);
            CHECK(checked_alloc_at(&fx, 64, impossible[i], 0x0001, 5) == NULL);
        }
        CHECK_EQ(stats_of(&fx.heap).failed_allocs, 3 * count);
        EXPECT_BLOCKS(&fx.heap, {FREE, alignment == 16 ? 984 : 988});
        fixture_stop(&fx);
    }
}

static void the_block_limit_is_exact(void) {
    static const size_t limits[] = {0x1FFFF * 4, 0x1FFFE * 4, 0x1FFFC * 4};
    static const size_t alignments[] = {4, 8, 16};
    for (size_t i = 0; i < 3; i++) {
        th_heap heap;
        th_heap_config config = {.alignment = alignments[i],
                                 .index = TH_HEAP_INDEX_NONE,
                                 .layout = TH_HEAP_LAYOUT_CLASSIC};
        CHECK_EQ(th_heap_init(&heap, arena, sizeof arena - 1, &config),
                 i == 2 ? TH_OK : TH_ERR_TOO_LARGE);
        size_t bytes = limits[i] + (i == 2 ? 64 : 48);
        CHECK_EQ(th_heap_init(&heap, arena, bytes, &config), TH_OK);
        CHECK(th_heap_alloc(&heap, limits[i] + 1, 0x0001) == NULL);
        void *whole = th_heap_alloc(&heap, limits[i], 0x0001);
        CHECK(whole != NULL);
        EXPECT_BLOCKS(&heap, {0x0001, (uint32_t)(limits[i] / 4)});
        CHECK(th_heap_realloc(&heap, whole, limits[i] + 1) == NULL);
        CHECK_EQ(stats_of(&heap).failed_allocs, 2);
        CHECK_EQ(th_heap_free(&heap, whole), limits[i]);
        whole = th_heap_alloc(&heap, limits[i] - 3, 0x4001);
        CHECK(whole != NULL);
        validate_heap(&heap, alignments[i]);
        th_heap_clean_up(&heap);
    }
}

static void bad_requests_count_nowhere(void) {
    static const uint32_t bad_tags[] = {0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x10001, UINT32_MAX};
    static const size_t bad_alignments[] = {0, 3, 5, 6, 12, 24, 48, 96, 4097, SIZE_MAX};
    fixture_start(&fx, 4, 100);
    CHECK(checked_alloc(&fx, 0, 0x0001) == NULL);
    CHECK(checked_alloc(&fx, 0, 0x4001) == NULL);
    for (size_t i = 0; i < sizeof bad_tags / sizeof bad_tags[0]; i++) {
        CHECK(checked_alloc(&fx, 16, bad_tags[i]) == NULL);
        CHECK(checked_alloc(&fx, SIZE_MAX, bad_tags[i]) == NULL);
    }
    for (size_t i = 0; i < sizeof bad_alignments / sizeof bad_alignments[0]; i++) {
        CHECK(checked_alloc_at(&fx, bad_alignments[i], 16, 0x0001, 0) == NULL);
        CHECK(checked_alloc_at(&fx, bad_alignments[i], 16, 0x4001, 1) == NULL);
    }
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 0);
    EXPECT_BLOCKS(&fx.heap, {FREE, 88});
    fixture_stop(&fx);
}

static void every_tag_boundary_is_accepted(void) {
    fixture_start(&fx, 4, 100);
    CHECK(checked_alloc(&fx, 4, 0x0000) != NULL);
    CHECK(checked_alloc(&fx, 4, TH_TAG_HEAD_MAX) != NULL);
    CHECK(checked_alloc(&fx, 4, TH_TAG_TAIL_MIN) != NULL);
    CHECK(checked_alloc(&fx, 4, TH_TAG_TAIL_MAX) != NULL);
    EXPECT_BLOCKS(&fx.heap, {0x0000, 1}, {0x3FFF, 1}, {FREE, 60}, {0x7FFE, 1}, {0x4000, 1});
    fixture_stop(&fx);
}

static void exhaustion_is_exact(void) {
    fixture_start(&fx, 4, 112);
    void *a = checked_alloc(&fx, 50 * 4, 0x0001);
    CHECK(a != NULL);
    CHECK(checked_alloc(&fx, 44 * 4 + 1, 0x0002) == NULL);
    CHECK(checked_alloc(&fx, 44 * 4 + 1, 0x4002) == NULL);
    CHECK(checked_alloc(&fx, 44 * 4, 0x4003) != NULL);
    EXPECT_BLOCKS(&fx.heap, {0x0001, 50}, {0x4003, 44});
    CHECK(checked_alloc(&fx, 1, 0x0004) == NULL);
    CHECK(checked_alloc(&fx, 1, 0x4004) == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 4);
    CHECK_EQ(checked_free(&fx, a), 200);
    CHECK(checked_alloc(&fx, 50 * 4, 0x0005) != NULL);
    fixture_stop(&fx);
}

static void sites_are_kept(void) {
    fixture_start(&fx, 4, 200);
    void *a = checked_alloc_at(&fx, 4, 20, 0x0001, 4711);
    void *b = checked_alloc_at(&fx, 64, 20, 0x4001, UINT32_MAX);
    void *c = checked_alloc(&fx, 20, 0x0002);
    CHECK_EQ(block_of(&fx.heap, a).site, 4711);
    CHECK_EQ(block_of(&fx.heap, b).site, UINT32_MAX);
    CHECK_EQ(block_of(&fx.heap, c).site, 0);
    fixture_stop(&fx);
}

/* ---- free --------------------------------------------------------------------------------- */

/* Four blocks of 10, 12, 14 and 16 dwords and a fifth that takes the rest; freed are those whose
 * bit is set, and then the second. At alignment 16 they have 12, 12, 16 and 16. */
static size_t free_second(size_t alignment, unsigned freed_before) {
    void *blocks[5];
    fixture_start(&fx, alignment, 200);
    for (uint32_t i = 0; i < 4; i++) {
        blocks[i] = checked_alloc(&fx, 40 + 8 * (size_t)i, i);
    }
    blocks[4] = checked_alloc(&fx, th_heap_largest_free_bytes(&fx.heap), 4);
    CHECK(blocks[4] != NULL);
    for (uint32_t i = 0; i < 5; i++) {
        if ((freed_before >> i & 1) != 0) {
            checked_free(&fx, blocks[i]);
        }
    }
    size_t gained = checked_free(&fx, blocks[1]);
    return gained;
}

static void free_isolated(void) {
    CHECK_EQ(free_second(4, 0), 48);
    EXPECT_BLOCKS(&fx.heap, {0, 10}, {FREE, 12}, {2, 14}, {3, 16}, {4, 112});
    fixture_stop(&fx);
    CHECK_EQ(free_second(16, 0), 48);
    EXPECT_BLOCKS(&fx.heap, {0, 12}, {FREE, 12}, {2, 16}, {3, 16}, {4, 96});
    fixture_stop(&fx);
}

static void free_merges_with_next(void) {
    CHECK_EQ(free_second(4, 0x4), 48 + 24);
    EXPECT_BLOCKS(&fx.heap, {0, 10}, {FREE, 32}, {3, 16}, {4, 112});
    fixture_stop(&fx);
    CHECK_EQ(free_second(16, 0x4), 48 + 32);
    EXPECT_BLOCKS(&fx.heap, {0, 12}, {FREE, 36}, {3, 16}, {4, 96});
    fixture_stop(&fx);
}

static void free_merges_with_previous(void) {
    CHECK_EQ(free_second(4, 0x1), 48 + 24);
    EXPECT_BLOCKS(&fx.heap, {FREE, 28}, {2, 14}, {3, 16}, {4, 112});
    fixture_stop(&fx);
    CHECK_EQ(free_second(16, 0x1), 48 + 32);
    EXPECT_BLOCKS(&fx.heap, {FREE, 32}, {2, 16}, {3, 16}, {4, 96});
    fixture_stop(&fx);
}

static void free_merges_with_both(void) {
    CHECK_EQ(free_second(4, 0x5), 48 + 48);
    EXPECT_BLOCKS(&fx.heap, {FREE, 48}, {3, 16}, {4, 112});
    fixture_stop(&fx);
    CHECK_EQ(free_second(16, 0x5), 48 + 64);
    EXPECT_BLOCKS(&fx.heap, {FREE, 56}, {3, 16}, {4, 96});
    fixture_stop(&fx);
}

static void free_never_merges_with_last(void) {
    fixture_start(&fx, 4, 100);
    void *tail = checked_alloc(&fx, 40, 0x4001);
    CHECK(checked_alloc(&fx, 72 * 4, 0x0001) != NULL);
    EXPECT_BLOCKS(&fx.heap, {0x0001, 72}, {0x4001, 10});
    CHECK_EQ(checked_free(&fx, tail), 40);
    EXPECT_BLOCKS(&fx.heap, {0x0001, 72}, {FREE, 10});
    fixture_stop(&fx);
}

static void free_of_tail_blocks_merges_too(void) {
    fixture_start(&fx, 4, 100);
    void *high = checked_alloc(&fx, 40, 0x4001);
    void *middle = checked_alloc(&fx, 48, 0x4002);
    void *low = checked_alloc(&fx, 56, 0x4003);
    CHECK_EQ(checked_free(&fx, high), 40);
    EXPECT_BLOCKS(&fx.heap, {FREE, 34}, {0x4003, 14}, {0x4002, 12}, {FREE, 10});
    CHECK_EQ(checked_free(&fx, low), 56 + 24);
    CHECK_EQ(checked_free(&fx, middle), 48 + 48);
    EXPECT_BLOCKS(&fx.heap, {FREE, 88});
    fixture_stop(&fx);
}

static void free_gives_back_the_slack(void) {
    fixture_start(&fx, 4, 62);
    void *whole = checked_alloc(&fx, 41 * 4 - 3, 0x0001);
    EXPECT_BLOCKS(&fx.heap, {0x0001, 50});
    CHECK_EQ(checked_free(&fx, whole), 200);
    EXPECT_BLOCKS(&fx.heap, {FREE, 50});
    CHECK_EQ(checked_free(&fx, NULL), 0);
    fixture_stop(&fx);
}

/* ---- free by tag -------------------------------------------------------------------------- */

/* HEAD blocks 10, 20, 20, 30 from the bottom, TAIL blocks 0x4010, 0x4020 from the top. */
static uint32_t free_tags(uint32_t low, uint32_t high) {
    static const uint32_t tags[] = {10, 20, 20, 30, 0x4010, 0x4020};
    fixture_start(&fx, 4, 100);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        CHECK(checked_alloc(&fx, 12, tags[i]) != NULL);
    }
    EXPECT_BLOCKS(&fx.heap, {10, 3}, {20, 3}, {20, 3}, {30, 3}, {FREE, 34}, {0x4020, 3},
                  {0x4010, 3});
    return checked_free_tags(&fx, low, high);
}

static void free_tags_bounds_are_inclusive(void) {
    CHECK_EQ(free_tags(20, 20), 2);
    EXPECT_BLOCKS(&fx.heap, {10, 3}, {FREE, 12}, {30, 3}, {FREE, 34}, {0x4020, 3}, {0x4010, 3});
    CHECK_EQ(free_tags(11, 29), 2);
    CHECK_EQ(free_tags(10, 20), 3);
    EXPECT_BLOCKS(&fx.heap, {FREE, 21}, {30, 3}, {FREE, 34}, {0x4020, 3}, {0x4010, 3});
    CHECK_EQ(free_tags(20, 30), 3);
    EXPECT_BLOCKS(&fx.heap, {10, 3}, {FREE, 61}, {0x4020, 3}, {0x4010, 3});
    CHECK_EQ(free_tags(0, 9), 0);
    CHECK_EQ(free_tags(11, 19), 0);
    CHECK_EQ(free_tags(31, 0x400F), 0);
    CHECK_EQ(free_tags(0x4011, 0x401F), 0);
    CHECK_EQ(free_tags(0x4021, UINT32_MAX), 0);
    CHECK_EQ(free_tags(20, 10), 0);
    CHECK_EQ(free_tags(UINT32_MAX, 0), 0);
    CHECK_EQ(free_tags(0x8000, UINT32_MAX), 0); /* plain numbers: nothing is cut off */
    CHECK_EQ(free_tags(20, 0x8000), 5);
}

static void free_tags_spans_both_sides(void) {
    CHECK_EQ(free_tags(30, 0x4010), 2);
    EXPECT_BLOCKS(&fx.heap, {10, 3}, {20, 3}, {20, 3}, {FREE, 43}, {0x4020, 3}, {FREE, 3});
    CHECK_EQ(free_tags(0x4000, 0x7FFE), 2);
    EXPECT_BLOCKS(&fx.heap, {10, 3}, {20, 3}, {20, 3}, {30, 3}, {FREE, 52});
    CHECK_EQ(free_tags(0, 0x7FFE), 6);
    EXPECT_BLOCKS(&fx.heap, {FREE, 88});
    CHECK_EQ(free_tags(0, UINT32_MAX), 6);
    EXPECT_BLOCKS(&fx.heap, {FREE, 88});
}

static void free_tags_never_touches_free(void) {
    CHECK_EQ(free_tags(TH_TAG_FREE, TH_TAG_FREE), 0);
    CHECK_EQ(checked_free_tags(&fx, TH_TAG_FREE, UINT32_MAX), 0);
    CHECK_EQ(checked_free_tags(&fx, 0x7FFE, 0x7FFF), 0);
    CHECK_EQ(checked_free_tags(&fx, 0, UINT32_MAX), 6);
    CHECK_EQ(checked_free_tags(&fx, 0, UINT32_MAX), 0);
    fixture_stop(&fx);
}

/* ---- several heaps ------------------------------------------------------------------------ */

static fixture others[2];

static void several_heaps_live_side_by_side(void) {
    fixture *heaps[3] = {&fx, &others[0], &others[1]};
    void *blocks[3][8] = {{NULL}};
    fixture_start(heaps[0], 4, 300);
    fixture_start(heaps[1], 8, 500);
    fixture_start(heaps[2], 16, 700);
    for (uint32_t step = 0; step < 200; step++) {
        size_t at = step % 3;
        size_t slot = step * 7 % 8;
        fixture *others_of[2] = {heaps[(at + 1) % 3], heaps[(at + 2) % 3]};
        remember_blocks(others_of[0]);
        remember_blocks(others_of[1]);
        if (blocks[at][slot] == NULL) {
            blocks[at][slot] = checked_alloc(heaps[at], 24 + step % 40, step % 2 * 0x4000 + step);
            CHECK(blocks[at][slot] != NULL);
            fill(blocks[at][slot], 24, (uint32_t)(at * 8 + slot));
        } else {
            CHECK(filled(blocks[at][slot], 24, (uint32_t)(at * 8 + slot)));
            CHECK(checked_free(heaps[at], blocks[at][slot]) >= 24);
            blocks[at][slot] = NULL;
        }
        expect_blocks_unchanged(others_of[0]);
        expect_blocks_unchanged(others_of[1]);
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK(checked_free_tags(heaps[i], 0, TH_TAG_TAIL_MAX) > 0);
        EXPECT_BLOCKS(&heaps[i]->heap, {FREE, i == 0 ? 288 : i == 1 ? 488 : 684});
        fixture_stop(heaps[i]);
    }
}

TH_SUITE("heap", TEST(init_refuses_null), TEST(init_refuses_alignments),
         TEST(init_refuses_guards_and_half_locks), TEST(init_refuses_misaligned_regions),
         TEST(init_refuses_small_regions), TEST(init_refuses_large_regions),
         TEST(init_refuses_in_the_documented_order), TEST(init_accepts_defaults),
         TEST(init_leaves_what_is_beyond_the_alignment),
         TEST(init_and_clean_up_touch_only_the_two_headers),
         TEST(a_heap_that_has_ended_does_nothing), TEST(a_sealed_heap_without_a_base_is_damaged),
         TEST(no_number_leads_past_the_seals), TEST(init_again_starts_afresh),
         TEST(sizes_round_up_to_the_alignment), TEST(impossible_sizes_are_refused),
         TEST(the_block_limit_is_exact), TEST(bad_requests_count_nowhere),
         TEST(every_tag_boundary_is_accepted), TEST(exhaustion_is_exact), TEST(sites_are_kept),
         TEST(free_isolated), TEST(free_merges_with_next), TEST(free_merges_with_previous),
         TEST(free_merges_with_both), TEST(free_never_merges_with_last),
         TEST(free_of_tail_blocks_merges_too), TEST(free_gives_back_the_slack),
         TEST(free_tags_bounds_are_inclusive), TEST(free_tags_spans_both_sides),
         TEST(free_tags_never_touches_free), TEST(several_heaps_live_side_by_side))
