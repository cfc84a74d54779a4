/* SPDX-License-Identifier: MIT */
/* A heap whose config says nothing about alignment: every payload suits every object, wherever the
 * caller's region begins. What lies in front of the first suitable address is skipped, and counts
 * nowhere. */
#include <string.h>

#include "heap_fixture.h"

#define MOST_ALIGNED ((size_t)16)
#define SUITABLE     (alignof(max_align_t) < MOST_ALIGNED ? alignof(max_align_t) : MOST_ALIGNED)
#define HEADER_BYTES (SUITABLE == 16 ? (size_t)32 : (size_t)24)
#define LEAST_BYTES  (2 * HEADER_BYTES + 16)
#define LARGEST      (0x1FFFF / (SUITABLE / 4) * SUITABLE + 2 * HEADER_BYTES)

enum { UNTOUCHED = 0xEE, WALL = 64, BYTES = 2000 };

static alignas(64) unsigned char arena[LARGEST + 2 * WALL];
static alignas(64) unsigned char other[BYTES + 2 * WALL];
static th_heap heap;

/* Of a region that begins this far above a multiple of 16. */
static size_t skipped(size_t skew) {
    return (MOST_ALIGNED - skew % MOST_ALIGNED) % SUITABLE;
}

static unsigned char *start_with(size_t skew, size_t bytes, th_heap_index index) {
    const th_heap_config config = {.guarding.level = th_guard_max(), .index = index};
    unsigned char *region = arena + WALL + skew;
    memset(arena, UNTOUCHED, sizeof arena);
    CHECK_EQ(th_heap_init(&heap, region, bytes, &config), TH_OK);
    validate_heap(&heap, SUITABLE);
    return region;
}

static unsigned char *start(size_t skew, size_t bytes) {
    return start_with(skew, bytes, TH_HEAP_INDEX_AUTO);
}

static void expect_untouched(const unsigned char *from, const unsigned char *to) {
    for (const unsigned char *byte = from; byte < to; byte++) {
        CHECK_EQ(*byte, UNTOUCHED);
    }
}

/* ---- where payloads lie ------------------------------------------------------------------- */

static void take_of_all_sizes(const unsigned char *region) {
    for (size_t bytes = 1; bytes <= 40; bytes++) {
        uint32_t tag = bytes % 2 != 0 ? 0x1001 : 0x4001;
        unsigned char *payload = th_heap_alloc(&heap, bytes, tag);
        CHECK(payload != NULL);
        CHECK_EQ((uintptr_t)payload % SUITABLE, 0);
        CHECK(payload >= region && payload + bytes <= region + 8000);
        memset(payload, 0x5A, bytes);
        payload = th_heap_realloc(&heap, payload, bytes + 50);
        CHECK(payload != NULL);
        CHECK_EQ((uintptr_t)payload % SUITABLE, 0);
        if (bytes % 3 == 0) {
            CHECK(th_heap_free(&heap, payload) > 0);
        }
        validate_heap(&heap, SUITABLE);
    }
    (void)th_heap_compact(&heap, NULL, NULL);
    validate_heap(&heap, SUITABLE);
}

static void every_payload_suits_every_object(void) {
    for (size_t skew = 0; skew <= 2 * MOST_ALIGNED; skew++) {
        unsigned char *region = start(skew, 8000);
        take_of_all_sizes(region);
        th_heap_clean_up(&heap);
        expect_untouched(arena, region + skipped(skew));
        expect_untouched(region + 8000, arena + sizeof arena);
    }
}

static void no_config_is_the_same(void) {
    memset(arena, UNTOUCHED, sizeof arena);
    CHECK_EQ(th_heap_init(&heap, arena + WALL + 1, BYTES, NULL), TH_OK);
    CHECK_EQ((uintptr_t)th_heap_alloc(&heap, 1, 1) % SUITABLE, 0);
    validate_heap(&heap, SUITABLE);
    th_heap_clean_up(&heap);
    expect_untouched(arena, arena + WALL + 1);
}

/* ---- what is skipped ---------------------------------------------------------------------- */

/* The heap is what one would be that was started with that alignment on what is left. */
static void what_is_skipped_counts_nowhere(void) {
    const th_heap_config config = {.alignment = SUITABLE};
    for (size_t skew = 0; skew <= MOST_ALIGNED; skew++) {
        th_heap_block block;
        th_heap exact;
        unsigned char *region = start(skew, BYTES);
        unsigned char *first = region + skipped(skew);
        for (const unsigned char *byte = arena; byte < first; byte++) {
            CHECK(!th_heap_find(&heap, byte, &block));
        }
        CHECK(th_heap_find(&heap, first, &block));
        CHECK_PTR_EQ(block.payload, first + HEADER_BYTES);
        CHECK_EQ(block.offset, 0);
        th_heap_stats stats = stats_of(&heap);
        size_t managed = th_heap_region_bytes(&heap);
        size_t free_bytes = managed - 2 * HEADER_BYTES;
        CHECK_EQ(stats.region_bytes, managed);
        CHECK_EQ(stats.free_bytes, free_bytes);
        CHECK(managed <= BYTES - skipped(skew) && managed + SUITABLE > BYTES - skipped(skew));
        th_heap_clean_up(&heap);
        CHECK_EQ(th_heap_init(&exact, first, BYTES - skipped(skew), &config), TH_OK);
        CHECK_EQ(th_heap_region_bytes(&exact), managed);
        EXPECT_BLOCKS(&exact, {FREE, (uint32_t)(free_bytes / 4)});
        th_heap_clean_up(&exact);
    }
}

static void expect_refused_with(unsigned char *region, size_t bytes, th_status expected,
                                th_heap_index index) {
    const th_heap_config config = {.index = index, .layout = TH_HEAP_LAYOUT_CLASSIC};
    th_heap none;
    memset(&none, UNTOUCHED, sizeof none);
    memset(arena, UNTOUCHED, sizeof arena);
    CHECK_EQ(th_heap_init(&none, region, bytes, &config), expected);
    expect_untouched(arena, arena + sizeof arena);
    expect_untouched((unsigned char *)&none, (unsigned char *)(&none + 1));
}

static void expect_refused(unsigned char *region, size_t bytes, th_status expected) {
    expect_refused_with(region, bytes, expected, TH_HEAP_INDEX_AUTO);
}

static void a_region_must_be_large_enough_for_it(void) {
    for (size_t skew = 0; skew < MOST_ALIGNED; skew++) {
        unsigned char *region = arena + WALL + skew;
        for (size_t bytes = 0; bytes < skipped(skew) + LEAST_BYTES; bytes++) {
            expect_refused(region, bytes, TH_ERR_TOO_SMALL);
        }
        (void)start(skew, skipped(skew) + LEAST_BYTES);
        EXPECT_BLOCKS(&heap, {FREE, 4});
        th_heap_clean_up(&heap);
    }
}

/* A region of the largest size may begin anywhere, too. */
static void what_is_skipped_does_not_make_it_too_large(void) {
    for (size_t skew = 0; skew < MOST_ALIGNED; skew++) {
        (void)start_with(skew, skipped(skew) + LARGEST + SUITABLE - 1, TH_HEAP_INDEX_NONE);
        CHECK_EQ(th_heap_region_bytes(&heap), LARGEST);
        th_heap_clean_up(&heap);
        expect_refused_with(arena + WALL + skew, skipped(skew) + LARGEST + SUITABLE,
                            TH_ERR_TOO_LARGE, TH_HEAP_INDEX_NONE);
    }
    expect_refused(arena + WALL + 1, SIZE_MAX, TH_ERR_TOO_LARGE);
}

/* ---- images ------------------------------------------------------------------------------- */

/* What is copied is what init was given, and attach is told where that lies now. */
static void an_image_is_attached_where_its_region_lies(void) {
    for (size_t skew = 0; skew < MOST_ALIGNED; skew++) {
        unsigned char *region = start(skew, BYTES);
        unsigned char *payload = th_heap_alloc(&heap, 100, 0x1001);
        memset(payload, 0x5A, 100);
        size_t at = (size_t)(payload - region);
        th_heap_detach(&heap);
        memcpy(other + WALL + skew, region, BYTES);
        th_heap moved = heap;
        th_status lost = SUITABLE > 4 ? TH_ERR_MISALIGNED : TH_ERR_CORRUPT;
        CHECK_EQ(th_heap_attach(&moved, other + WALL + skew + 4), lost);
        CHECK_EQ(th_heap_attach(&moved, other + WALL + skew), TH_OK);
        validate_heap(&moved, SUITABLE);
        CHECK_EQ(th_heap_requested_size(&moved, other + WALL + skew + at), 100);
        CHECK_EQ(other[WALL + skew + at + 99], 0x5A);
        CHECK_EQ(th_heap_free(&moved, other + WALL + skew + at), 100 + (SUITABLE == 16 ? 44 : 28));
        th_heap_clean_up(&moved);
        CHECK_EQ(th_heap_attach(&heap, region), TH_OK);
        th_heap_clean_up(&heap);
    }
}

/* A copy lies where it is put, with nothing in front; its own image begins there. */
static void a_copy_skips_nothing(void) {
    (void)start(5, BYTES);
    unsigned char *payload = th_heap_alloc(&heap, 100, 0x1001);
    memset(payload, 0x5A, 100);
    th_heap copy = {0};
    CHECK_EQ(th_heap_copy(&heap, &copy, other + 5), TH_ERR_MISALIGNED);
    CHECK_EQ(th_heap_copy(&heap, &copy, other), TH_OK);
    unsigned char *twin = th_heap_translate(&heap, &copy, payload);
    CHECK_PTR_EQ(twin, other + HEADER_BYTES);
    CHECK_EQ(twin[99], 0x5A);
    th_heap_detach(&copy);
    CHECK_EQ(th_heap_attach(&copy, other), TH_OK);
    validate_heap(&copy, SUITABLE);
    th_heap_clean_up(&copy);
    th_heap_clean_up(&heap);
}

TH_SUITE("heap_default", TEST(every_payload_suits_every_object), TEST(no_config_is_the_same),
         TEST(what_is_skipped_counts_nowhere), TEST(a_region_must_be_large_enough_for_it),
         TEST(what_is_skipped_does_not_make_it_too_large),
         TEST(an_image_is_attached_where_its_region_lies), TEST(a_copy_skips_nothing))
