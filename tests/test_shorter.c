/* SPDX-License-Identifier: MIT */
/* What becomes shorter through the common interface gives memory back, whatever allocator it is. */

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/buddy.h"
#include "tagheap/classes.h"
#include "tagheap/fit_heap.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/large.h"
#include "tagheap/offsets.h"
#include "tagheap/pages.h"
#include "tagheap/pool.h"
#include "tagheap/slab.h"

enum { LARGE_BYTES = 4000, REGION_BYTES = 1 << 18, SHORT_BLOCKS = 400 };

typedef enum subject {
    TAGGED,
    CLASSES,
    CLASSES_BACKED,
    LARGE,
    LARGE_BACKED,
    LARGE_OVER_HEAP,
    LARGE_GUARDED,
    BUDDY,
    FIT,
    SLAB,
    POOL,
    SUBJECTS
} subject;

static fault_log faults;
static backing blocks;
static TH_ALLOCATOR_ALIGNAS unsigned char region[REGION_BYTES];
static th_heap heap;
static th_tagged_allocator adapter;
static th_classes classes;
static th_large large;
static th_buddy buddy;
static th_fit_heap fit;
static th_slab slab;
static th_pool pool;
static TH_ALLOCATOR_ALIGNAS unsigned char nodes[1 << 17];

static th_allocator start_heap(int level) {
    const th_heap_config config = {.alignment = 16, .guarding.level = level};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    return th_heap_allocator(&adapter, &heap, 0x1001);
}

static th_allocator start_classes(th_guarding guarding, bool backed) {
    const th_classes_config config = {
        .backing = backed ? backing_start(&blocks) : (th_allocator){0}, .guarding = guarding};
    CHECK_EQ(th_classes_init(&classes, &config), TH_OK);
    return th_classes_allocator(&classes);
}

static th_allocator start_large(th_guarding guarding, th_allocator from, bool guarded) {
    const th_large_config config = {.backing = from, .guard_pages = guarded, .guarding = guarding};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
    return th_large_allocator(&large);
}

static th_allocator start_objects(subject which, th_guarding guarding) {
    const th_slab_config of_slab = {
        .object_bytes = LARGE_BYTES, .alignment = 16, .guarding = guarding};
    const th_pool_config of_pool = {.object_bytes = LARGE_BYTES,
                                    .alignment = 16,
                                    .backing = th_system_allocator(),
                                    .grow_objects = 4,
                                    .guarding = guarding};
    if (which == SLAB) {
        CHECK_EQ(th_slab_init(&slab, &of_slab), TH_OK);
        return th_slab_allocator(&slab);
    }
    CHECK_EQ(th_pool_init(&pool, &of_pool), TH_OK);
    return th_pool_allocator(&pool);
}

/* *least: what the smallest block may have. */
static th_allocator start(subject which, int level, size_t *least) {
    th_guarding guarding = guarding_with(&faults, level);
    const th_buddy_config of_buddy = {.guarding = guarding};
    *least = which == SLAB || which == POOL ? LARGE_BYTES : 16;
    switch (which) {
    case TAGGED:
        *least = 112;
        return start_heap(level);
    case CLASSES:
    case CLASSES_BACKED:
        return start_classes(guarding, which == CLASSES_BACKED);
    case LARGE:
    case LARGE_GUARDED:
        *least = th_pages_size();
        return start_large(guarding, (th_allocator){0}, which == LARGE_GUARDED);
    case LARGE_BACKED:
        return start_large(guarding, backing_start(&blocks), false);
    case LARGE_OVER_HEAP:
        return start_large(guarding, start_heap(level), false);
    case BUDDY:
        *least = 64;
        CHECK_EQ(th_buddy_create(&buddy, backing_start(&blocks), sizeof region, &of_buddy), TH_OK);
        return th_buddy_allocator(&buddy);
    case FIT:
        *least = 32;
        CHECK_EQ(th_fit_heap_init(&fit, region, sizeof region, nodes, sizeof nodes, NULL), TH_OK);
        return th_fit_heap_allocator(&fit);
    default:
        return start_objects(which, guarding);
    }
}

static void stop(subject which) {
    CHECK_EQ(faults.count, 0);
    th_classes_clean_up(&classes);
    th_large_clean_up(&large);
    th_buddy_clean_up(&buddy);
    th_fit_heap_clean_up(&fit);
    th_slab_clean_up(&slab);
    th_pool_clean_up(&pool);
    if (which == TAGGED || which == LARGE_OVER_HEAP) {
        th_heap_clean_up(&heap);
    }
    if (which == CLASSES_BACKED || which == LARGE_BACKED || which == BUDDY) {
        backing_stop(&blocks);
    }
}

/* ---- one block ------------------------------------------------------------------------------- */

/* A block of each size becomes shorter, or longer again. */
static void shorten(subject which, int level) {
    static const size_t sizes[] = {4000, 3999, 2100, 1999, 1000, 999, 481, 239, 48, 17, 16, 4};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    size_t least;
    th_allocator allocator = start(which, level, &least);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = i; k < COUNT; k++) {
            size_t from = sizes[i];
            size_t to = sizes[k];
            unsigned char *block = th_allocator_alloc(allocator, from);
            CHECK(block != NULL);
            fill(block, from, (uint32_t)from);
            size_t usable = th_allocator_usable_size(allocator, block);
            bool in_place = th_allocator_resize_in_place(allocator, block, to);
            size_t left = th_allocator_usable_size(allocator, block);
            CHECK(left >= (in_place ? to : from));
            CHECK(!in_place || to >= usable / 2 || left <= 2 * to || left <= least);
            CHECK(in_place || left == usable);
            block = th_allocator_realloc(allocator, block, from, to, 16, NULL);
            CHECK(block != NULL && filled(block, to, (uint32_t)from));
            left = th_allocator_usable_size(allocator, block);
            CHECK(to >= usable / 2 || left <= 2 * to || left <= least);
            CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
            th_allocator_free(allocator, block);
        }
    }
    stop(which);
}

static void shorten_at(int level) {
    for (subject which = 0; which < SUBJECTS; which++) {
        shorten(which, level);
    }
}

static void what_becomes_shorter_gives_memory_back(void) {
    at_levels(0, shorten_at);
}

/* A block of all that is usable, at the boundary: down to half it keeps what it has. */
static void stay_down_to_half(int level) {
    size_t least;
    th_allocator allocator = start(TAGGED, level, &least);
    void *block = th_allocator_alloc(allocator, LARGE_BYTES);
    size_t usable = th_allocator_usable_size(allocator, block);
    CHECK(!th_allocator_resize_in_place(allocator, block, usable + 1));
    CHECK(th_allocator_resize_in_place(allocator, block, usable / 2));
    CHECK_EQ(th_allocator_usable_size(allocator, block), usable);
    CHECK(th_allocator_resize_in_place(allocator, block, usable));
    CHECK(th_allocator_resize_in_place(allocator, block, usable / 2 - 1));
    CHECK(th_allocator_usable_size(allocator, block) < usable);
    stop(TAGGED);
    allocator = start(CLASSES, level, &least);
    size_t most = classes.class_bytes_max;
    block = th_allocator_alloc(allocator, 2 * most);
    CHECK(th_allocator_resize_in_place(allocator, block, most)); /* half of it */
    block = th_allocator_alloc(allocator, 3 * most);
    CHECK(!th_allocator_resize_in_place(allocator, block, most)); /* a class has room for it */
    CHECK_EQ(th_allocator_usable_size(allocator, block), 3 * most);
    CHECK(th_allocator_resize_in_place(allocator, block, most + 1));
    CHECK(th_allocator_usable_size(allocator, block) < 3 * most);
    stop(CLASSES);
}

static void what_is_half_full_keeps_its_memory(void) {
    at_levels(0, stay_down_to_half);
}

/* ---- many ------------------------------------------------------------------------------------ */

/* They were made of 4000 bytes each, and have 16 now: together they fit where 64 did before. (Of a
 * buddy allocator each would keep a place of 4096 bytes from being one block again.) */
static void shorten_many(int level) {
    static const subject whiches[] = {TAGGED, CLASSES, CLASSES_BACKED, LARGE_BACKED, FIT};
    for (size_t i = 0; i < sizeof whiches / sizeof whiches[0]; i++) {
        size_t least;
        th_allocator allocator = start(whiches[i], level, &least);
        for (size_t k = 0; k < SHORT_BLOCKS; k++) {
            unsigned char *block = th_allocator_alloc(allocator, LARGE_BYTES);
            CHECK(block != NULL);
            CHECK(th_allocator_realloc(allocator, block, LARGE_BYTES, 16, 16, NULL) != NULL);
        }
        if (whiches[i] == CLASSES || whiches[i] == CLASSES_BACKED) {
            CHECK(th_classes_get_stats(&classes).memory_bytes <= REGION_BYTES);
        }
        CHECK(whiches[i] != LARGE_BACKED ||
              th_large_get_stats(&large).bytes == (size_t)16 * SHORT_BLOCKS);
        CHECK_EQ(th_allocator_reset(allocator), TH_OK);
        stop(whiches[i]);
    }
}

static void many_that_become_shorter_share_memory(void) {
    at_levels(0, shorten_many);
}

/* ---- where there is no room to go ------------------------------------------------------------ */

static void stay(int level) {
    size_t least;
    th_allocator allocator = start(CLASSES_BACKED, level, &least);
    unsigned char *block = th_allocator_alloc(allocator, LARGE_BYTES);
    CHECK(block != NULL);
    fill(block, LARGE_BYTES, 1);
    blocks.left = 0;
    CHECK(!th_allocator_resize_in_place(allocator, block, 16));
    CHECK(th_allocator_realloc(allocator, block, LARGE_BYTES, 16, 16, NULL) == block);
    CHECK(filled(block, 16, 1));
    th_allocator_free(allocator, block);
    stop(CLASSES_BACKED);
}

static void what_finds_no_place_stays(void) {
    at_levels(0, stay);
}

TH_SUITE("shorter", TEST(what_becomes_shorter_gives_memory_back),
         TEST(what_is_half_full_keeps_its_memory), TEST(many_that_become_shorter_share_memory),
         TEST(what_finds_no_place_stays))
