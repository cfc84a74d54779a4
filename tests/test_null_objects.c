/* SPDX-License-Identifier: MIT */
/* NULL in place of an object, and an object that is zeroed, are answered alike by every call of
 * every noun: nothing is done and nothing touched; a pointer is NULL, a number 0, an answer false,
 * a status TH_ERR_NULL. None of them ends the program, but for two that docs/grammar.md names. */
#include "null_objects.h"
#include "suite.h"
#include "tagheap/arena.h"
#include "tagheap/buddy.h"
#include "tagheap/bump.h"
#include "tagheap/classes.h"
#include "tagheap/fit_heap.h"
#include "tagheap/frame.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/hybrid.h"
#include "tagheap/large.h"
#include "tagheap/offsets.h"
#include "tagheap/pool.h"
#include "tagheap/region.h"
#include "tagheap/slab.h"
#include "tagheap/tracker.h"

/* And those whose blocks have addresses. */
#define EXPECT_NO_BLOCKS(noun, object)                                                             \
    do {                                                                                           \
        EXPECT_NOTHING(noun, object);                                                              \
        CHECK_EQ(th_##noun##_reset(object), TH_ERR_NULL);                                          \
        CHECK(!th_##noun##_owns(object, elsewhere));                                               \
        th_##noun##_free(object, elsewhere);                                                       \
        th_##noun##_free(object, NULL);                                                            \
        expect_nothing_of(th_##noun##_allocator(object));                                          \
    } while (false)

/* And any size. Unchecked: without guards, to allocate from NULL is undefined (docs/grammar.md). */
#define EXPECT_NO_SIZES(noun, object, unchecked)                                                   \
    do {                                                                                           \
        if (object != NULL || th_guard_max() > 0 || !(unchecked)) {                                \
            CHECK(th_##noun##_alloc(object, 16) == NULL);                                          \
            CHECK(th_##noun##_alloc_aligned(object, 16, 64) == NULL);                              \
        }                                                                                          \
        CHECK(!th_##noun##_resize_in_place(object, elsewhere, 8));                                 \
        CHECK(!th_##noun##_resize_in_place(object, NULL, 8));                                      \
        EXPECT_NO_BLOCKS(noun, object);                                                            \
    } while (false)

static void no_bump(void) {
    TWICE(bump, EXPECT_NO_SIZES(bump, object, false););
}

static void no_arena(void) {
    TWICE(arena, {
        EXPECT_NO_SIZES(arena, object, true);
        th_arena_mark mark = th_arena_take_mark(object);
        CHECK_EQ(th_arena_rollback(object, &mark), TH_ERR_NULL);
        CHECK_EQ(th_arena_rollback(object, NULL), TH_ERR_NULL);
        CHECK_EQ(th_arena_trim(object), 0);
    });
}

static void no_mark(void) {
    th_arena arena;
    const th_arena_config config = {.memory = elsewhere, .memory_bytes = 8};
    static TH_ALLOCATOR_ALIGNAS unsigned char memory[512];
    const th_arena_config good = {.memory = memory, .memory_bytes = sizeof memory};
    CHECK_EQ(th_arena_init(&arena, &config), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_arena_init(&arena, &good), TH_OK);
    CHECK_EQ(th_arena_rollback(&arena, NULL), TH_ERR_NULL);
    th_arena_clean_up(&arena);
}

static void no_region(void) {
    TWICE(region, {
        EXPECT_NOTHING(region, object);
        CHECK(th_region_alloc(object, 16) == NULL);
        CHECK(th_region_alloc_aligned(object, 16, 64) == NULL);
        CHECK(th_region_create(object) == NULL);
        CHECK_EQ(th_region_destroy(object), TH_OK); /* there is nothing to end */
        CHECK_EQ(th_region_reset(object), TH_ERR_NULL);
        CHECK_EQ(th_region_get_stats(object).regions, 0);
        expect_nothing_of(th_region_allocator(object));
    });
}

static void no_frame(void) {
    TWICE(frame, {
        EXPECT_NOTHING(frame, object);
        CHECK(th_frame_alloc(object, 16) == NULL);
        CHECK(th_frame_alloc_aligned(object, 16, 64) == NULL);
        CHECK(!th_frame_resize_in_place(object, elsewhere, 8));
        CHECK(!th_frame_owns(object, elsewhere));
        CHECK_EQ(th_frame_flip(object), TH_ERR_NULL);
        th_frame_clean_up(object);
        expect_nothing_of(th_frame_allocator(object));
    });
}

static void no_hybrid(void) {
    TWICE(hybrid, {
        EXPECT_NOTHING(hybrid, object);
        CHECK_EQ(th_hybrid_resize(object, 16), TH_ERR_NULL);
        CHECK_EQ(th_hybrid_resize_array(object, 2, 16), TH_ERR_NULL);
        CHECK_EQ(th_hybrid_reserve(object, 16), TH_ERR_NULL);
        CHECK_EQ(th_hybrid_release(object), TH_ERR_NULL);
        CHECK(th_hybrid_data(object) == NULL);
        CHECK_EQ(th_hybrid_size(object), 0);
        CHECK(th_hybrid_is_embedded(object));
    });
}

static void no_pool(void) {
    TWICE(pool, {
        bool fresh = false;
        CHECK(th_pool_alloc(object) == NULL);
        CHECK(th_pool_take(object, &fresh) == NULL);
        CHECK(th_pool_next(object, NULL) == NULL);
        CHECK_EQ(th_pool_reserve(object, 1), TH_ERR_NULL);
        CHECK_EQ(th_pool_trim(object, 0), 0);
        EXPECT_NO_BLOCKS(pool, object);
    });
}

static void no_slab(void) {
    TWICE(slab, {
        CHECK(th_slab_alloc(object) == NULL);
        CHECK(th_slab_alloc_bytes(object, 8) == NULL);
        CHECK(!th_slab_resize_in_place(object, elsewhere, 8));
        CHECK_EQ(th_slab_requested_size(object, elsewhere), 0);
        CHECK_EQ(th_slab_trim(object), 0);
        EXPECT_NO_BLOCKS(slab, object);
    });
}

static void no_large(void) {
    TWICE(large, {
        EXPECT_NO_SIZES(large, object, false);
        CHECK_EQ(th_large_requested_size(object, elsewhere), 0);
        CHECK_EQ(th_large_usable_size(object, elsewhere), 0);
        CHECK_EQ(th_large_trim(object), 0);
    });
}

static void no_classes(void) {
    TWICE(classes, {
        EXPECT_NO_SIZES(classes, object, true);
        CHECK(th_classes_alloc_zeroed(object, 16) == NULL);
        CHECK(th_classes_alloc_array_zeroed(object, 2, 16) == NULL);
        CHECK(th_classes_realloc(object, NULL, 16) == NULL);
        CHECK(th_classes_realloc(object, elsewhere, 16) == NULL);
        CHECK(th_classes_realloc(object, elsewhere, 0) == NULL);
        CHECK_EQ(th_classes_requested_size(object, elsewhere), 0);
        CHECK_EQ(th_classes_usable_size(object, elsewhere), 0);
        CHECK_EQ(th_classes_trim(object), 0);
    });
}

static void no_buddy(void) {
    TWICE(buddy, {
        EXPECT_NO_SIZES(buddy, object, false);
        CHECK_EQ(th_buddy_usable_size(object, elsewhere), 0);
    });
}

static void no_offsets(void) {
    TWICE(offsets, {
        th_offsets_block block = {.generation = 1};
        EXPECT_NOTHING(offsets, object);
        CHECK_EQ(th_offsets_alloc(object, 16).generation, 0);
        CHECK_EQ(th_offsets_alloc_aligned(object, 16, 64).generation, 0);
        CHECK(!th_offsets_free(object, block));
        CHECK(!th_offsets_resize_in_place(object, block, 8));
        CHECK_EQ(th_offsets_size(object, block), 0);
        CHECK_EQ(th_offsets_find(object, 0).generation, 0);
        CHECK_EQ(th_offsets_reset(object), TH_ERR_NULL);
    });
}

static void no_fit_heap(void) {
    TWICE(fit_heap, {
        EXPECT_NOTHING(fit_heap, object);
        CHECK_EQ(th_fit_heap_reset(object), TH_ERR_NULL);
        expect_nothing_of(th_fit_heap_allocator(object));
    });
}

static void no_tracker(void) {
    TWICE(tracker, { EXPECT_NO_SIZES(tracker, object, false); });
}

static void no_heap_under_its_allocator(void) {
    th_tagged_allocator adapter;
    th_heap heap = {0};
    expect_nothing_of(th_heap_allocator(&adapter, NULL, 0x1001));
    expect_nothing_of(th_heap_allocator(&adapter, &heap, 0x1001));
}

static void no_allocator(void) {
    expect_nothing_of((th_allocator){0});
}

TH_SUITE("null_objects", TEST(no_bump), TEST(no_arena), TEST(no_mark), TEST(no_region),
         TEST(no_frame), TEST(no_hybrid), TEST(no_pool), TEST(no_slab), TEST(no_large),
         TEST(no_classes), TEST(no_buddy), TEST(no_offsets), TEST(no_fit_heap), TEST(no_tracker),
         TEST(no_heap_under_its_allocator), TEST(no_allocator))
