/* SPDX-License-Identifier: MIT */
#include "bad_starts.h"

#include <string.h>

#include "tagheap/arena.h"
#include "tagheap/buddy.h"
#include "tagheap/bump.h"
#include "tagheap/classes.h"
#include "tagheap/fit_heap.h"
#include "tagheap/frame.h"
#include "tagheap/heap.h"
#include "tagheap/hybrid.h"
#include "tagheap/large.h"
#include "tagheap/offsets.h"
#include "tagheap/pool.h"
#include "tagheap/region.h"
#include "tagheap/slab.h"
#include "tagheap/tracker.h"

#define MEMORY_BYTES ((size_t)4096)
#define TOO_LARGE    ((size_t)PTRDIFF_MAX + 1)
#define NEGATIVE     ((size_t)-1)

static _Alignas(64) unsigned char memory[MEMORY_BYTES];
static _Alignas(8) unsigned char nodes[MEMORY_BYTES];

/* ---- backings ------------------------------------------------------------------------------- */

static void *give_nothing(void *self, size_t bytes, size_t alignment) {
    (void)self;
    (void)bytes;
    (void)alignment;
    return NULL;
}

static void take_nothing(void *self, void *pointer) {
    (void)self;
    (void)pointer;
}

static const th_allocator_table empty_table = {.alloc = give_nothing, .free = take_nothing};
static const th_allocator_table no_alloc_table = {.free = take_nothing};
static const th_allocator_table no_free_table = {.alloc = give_nothing};

#define EMPTY                                                                                      \
    { &empty_table, NULL }
#define NO_ALLOC                                                                                   \
    { &no_alloc_table, NULL }
#define NO_FREE                                                                                    \
    { &no_free_table, NULL }

/* ---- what each is started with: the arguments of its init ----------------------------------- */

typedef struct heap_start {
    void *at;
    size_t bytes;
    th_heap_config config;
} heap_start;

static th_status start_heap(void *object, const void *arguments) {
    const heap_start *with = arguments;
    return th_heap_init(object, with->at, with->bytes, &with->config);
}

typedef struct bump_start {
    void *at;
    size_t bytes;
    th_bump_config config;
} bump_start;

static th_status start_bump(void *object, const void *arguments) {
    const bump_start *with = arguments;
    return th_bump_init(object, with->at, with->bytes, &with->config);
}

typedef th_arena_config arena_start;
static th_status start_arena(void *object, const void *arguments) {
    return th_arena_init(object, arguments);
}

typedef th_arena_config region_start;
static th_status start_region(void *object, const void *arguments) {
    return th_region_init(object, arguments);
}

typedef th_frame_config frame_start;
static th_status start_frame(void *object, const void *arguments) {
    return th_frame_init(object, arguments);
}

typedef struct hybrid_start {
    void *at;
    size_t bytes;
    th_hybrid_config config;
} hybrid_start;

static th_status start_hybrid(void *object, const void *arguments) {
    const hybrid_start *with = arguments;
    return th_hybrid_init(object, with->at, with->bytes, &with->config);
}

typedef struct buddy_start {
    void *at;
    size_t bytes;
    void *book;
    size_t book_bytes;
    th_buddy_config config;
} buddy_start;

static th_status start_buddy(void *object, const void *arguments) {
    const buddy_start *with = arguments;
    return th_buddy_init(object, with->at, with->bytes, with->book, with->book_bytes,
                         &with->config);
}

typedef struct created_start {
    th_allocator backing;
    size_t bytes;
    th_buddy_config config;
} created_start;

static th_status start_created(void *object, const void *arguments) {
    const created_start *with = arguments;
    return th_buddy_create(object, with->backing, with->bytes, &with->config);
}

typedef struct offsets_start {
    uint64_t bytes;
    void *book;
    size_t book_bytes;
    th_offsets_config config;
} offsets_start;

static th_status start_offsets(void *object, const void *arguments) {
    const offsets_start *with = arguments;
    return th_offsets_init(object, with->bytes, with->book, with->book_bytes, &with->config);
}

typedef struct fit_start {
    void *at;
    offsets_start range;
} fit_start;

static th_status start_fit(void *object, const void *arguments) {
    const fit_start *with = arguments;
    return th_fit_heap_init(object, with->at, (size_t)with->range.bytes, with->range.book,
                            with->range.book_bytes, &with->range.config);
}

typedef th_pool_config pool_start;
static th_status start_pool(void *object, const void *arguments) {
    return th_pool_init(object, arguments);
}

typedef th_slab_config slab_start;
static th_status start_slab(void *object, const void *arguments) {
    return th_slab_init(object, arguments);
}

typedef th_large_config large_start;
static th_status start_large(void *object, const void *arguments) {
    return th_large_init(object, arguments);
}

typedef th_classes_config classes_start;
static th_status start_classes(void *object, const void *arguments) {
    return th_classes_init(object, arguments);
}

typedef th_tracker_config tracker_start;
static th_status start_tracker(void *object, const void *arguments) {
    return th_tracker_init(object, arguments);
}

/* ---- the table ------------------------------------------------------------------------------ */

#define ROW(what, status, ...)                                                                     \
    { #what ": " #__VA_ARGS__, start_##what, &(const what##_start){__VA_ARGS__ }, TH_ERR_##status }
#define LEVEL(n) .guarding.level = (n)

const bad_start bad_starts[] = {
    ROW(heap, NULL, .at = NULL, .bytes = 4096),
    ROW(heap, TOO_SMALL, .at = memory, .bytes = 0),
    ROW(heap, TOO_SMALL, .at = memory, .bytes = 8),
    ROW(heap, TOO_LARGE, .at = memory, .bytes = TOO_LARGE),
    ROW(heap, TOO_LARGE, .at = memory, .bytes = NEGATIVE),
    ROW(heap, MISALIGNED, .at = memory + 1, .bytes = 1024, .config.alignment = 4),
    ROW(heap, MISALIGNED, .at = memory + 8, .bytes = 1024, .config.alignment = 16),
    ROW(heap, TOO_SMALL, .at = memory + 1, .bytes = 14),
    ROW(heap, ALIGNMENT, .at = memory, .bytes = 4096, .config.alignment = 3),
    ROW(heap, ALIGNMENT, .at = memory, .bytes = 4096, .config.alignment = 32),
    ROW(heap, CONFIG, .at = memory, .bytes = 4096, .config.guarding.level = 4),
    ROW(heap, CONFIG, .at = memory, .bytes = 4096, .config.guarding.level = -1),

    ROW(bump, NULL, .at = NULL, .bytes = 4096),
    ROW(bump, TOO_SMALL, .at = memory, .bytes = 0),
    ROW(bump, TOO_LARGE, .at = memory, .bytes = TOO_LARGE),
    ROW(bump, TOO_LARGE, .at = memory, .bytes = NEGATIVE),
    ROW(bump, CONFIG, .at = memory, .bytes = 64, .config.guarding.level = 4),
    ROW(bump, CONFIG, .at = memory, .bytes = 64, .config.guarding.level = -1),

    ROW(arena, NULL, .memory_bytes = 4096),
    ROW(arena, TOO_SMALL, .memory = memory),
    ROW(arena, TOO_SMALL, .backing = EMPTY, .chunk_bytes = 1),
    ROW(arena, TOO_LARGE, .backing = EMPTY, .chunk_bytes = NEGATIVE),
    ROW(arena, TOO_LARGE, .memory = memory, .memory_bytes = TOO_LARGE),
    ROW(arena, CONFIG, .backing = EMPTY, LEVEL(4)),
    ROW(arena, CONFIG, .backing = EMPTY, LEVEL(-1)),
    ROW(arena, CONFIG, .backing = NO_ALLOC),
    ROW(arena, CONFIG, .backing = NO_FREE),

    ROW(region, CONFIG, .memory = memory, .memory_bytes = 4096),
    ROW(region, TOO_SMALL, .backing = EMPTY, .chunk_bytes = 1),
    ROW(region, TOO_LARGE, .backing = EMPTY, .chunk_bytes = NEGATIVE),
    ROW(region, CONFIG, .backing = EMPTY, LEVEL(4)),
    ROW(region, CONFIG, .backing = EMPTY, LEVEL(-1)),
    ROW(region, CONFIG, .backing = NO_ALLOC),
    ROW(region, CONFIG, .backing = NO_FREE),

    ROW(frame, NULL, .frame_bytes = 64),
    ROW(frame, TOO_SMALL, .backing = EMPTY),
    ROW(frame, TOO_SMALL, .memory = memory, .memory_bytes = 31),
    ROW(frame, TOO_LARGE, .backing = EMPTY, .frame_bytes = NEGATIVE),
    ROW(frame, TOO_LARGE, .memory = memory, .memory_bytes = TOO_LARGE),
    ROW(frame, CONFIG, .backing = EMPTY, .frame_bytes = 64, .memory = memory),
    ROW(frame, CONFIG, .backing = EMPTY, .frame_bytes = 64, LEVEL(4)),
    ROW(frame, CONFIG, .backing = EMPTY, .frame_bytes = 64, LEVEL(-1)),
    ROW(frame, CONFIG, .backing = NO_ALLOC, .frame_bytes = 64),
    ROW(frame, CONFIG, .backing = NO_FREE, .frame_bytes = 64),
    ROW(frame, EXHAUSTED, .backing = EMPTY, .frame_bytes = 64),

    ROW(hybrid, NULL, .at = NULL, .bytes = 64),
    ROW(hybrid, MISALIGNED, .at = memory + 1, .bytes = 64),
    ROW(hybrid, ALIGNMENT, .at = memory, .bytes = 64, .config.alignment = 24),
    ROW(hybrid, TOO_LARGE, .at = memory, .bytes = TOO_LARGE),
    ROW(hybrid, TOO_LARGE, .at = memory, .bytes = NEGATIVE - 15),
    ROW(hybrid, CONFIG, .at = memory, .bytes = 64, .config.guarding.level = 4),
    ROW(hybrid, CONFIG, .at = memory, .bytes = 64, .config.guarding.level = -1),
    ROW(hybrid, CONFIG, .at = memory, .bytes = 64, .config.backing = NO_ALLOC),
    ROW(hybrid, CONFIG, .at = memory, .bytes = 64, .config.backing = NO_FREE),

    ROW(buddy, NULL, .at = NULL, .bytes = 1024, .book = nodes, .book_bytes = 4096),
    ROW(buddy, NULL, .at = memory, .bytes = 1024, .book = NULL, .book_bytes = 4096),
    ROW(buddy, TOO_SMALL, .at = memory, .bytes = 0, .book = nodes, .book_bytes = 4096),
    ROW(buddy, TOO_SMALL, .at = memory, .bytes = 63, .book = nodes, .book_bytes = 4096),
    ROW(buddy, TOO_SMALL, .at = memory, .bytes = 1024, .book = nodes, .book_bytes = 16),
    ROW(buddy, TOO_LARGE, .at = memory, .bytes = TOO_LARGE, .book = nodes, .book_bytes = 4096),
    ROW(buddy, TOO_LARGE, .at = memory, .bytes = NEGATIVE, .book = nodes, .book_bytes = 4096),
    ROW(buddy, MISALIGNED, .at = memory, .bytes = 1024, .book = nodes + 1, .book_bytes = 4095),
    ROW(buddy, ALIGNMENT, .at = memory, .bytes = 1024, .book = nodes, .book_bytes = 4096,
        .config.unit = 48),
    ROW(buddy, ALIGNMENT, .at = memory, .bytes = 1024, .book = nodes, .book_bytes = 4096,
        .config.unit = 8),
    ROW(buddy, CONFIG, .at = memory, .bytes = 1024, .book = nodes, .book_bytes = 4096,
        .config.guarding.level = 4),
    ROW(buddy, CONFIG, .at = memory, .bytes = 1024, .book = nodes, .book_bytes = 4096,
        .config.guarding.level = -1),

    ROW(created, EXHAUSTED, .backing = EMPTY, .bytes = 1024),
    ROW(created, CONFIG, .backing = {NULL, NULL}, .bytes = 1024),
    ROW(created, TOO_SMALL, .backing = EMPTY, .bytes = 0),
    ROW(created, EXHAUSTED, .backing = EMPTY, .bytes = NEGATIVE),
    ROW(created, ALIGNMENT, .backing = EMPTY, .bytes = 1024, .config.unit = 48),
    ROW(created, CONFIG, .backing = NO_ALLOC, .bytes = 1024),
    ROW(created, CONFIG, .backing = NO_FREE, .bytes = 1024),
    ROW(created, CONFIG, .backing = EMPTY, .bytes = 1024, .config.guarding.level = 4),

    ROW(offsets, NULL, .bytes = 1024, .book = NULL, .book_bytes = 4096),
    ROW(offsets, TOO_SMALL, .bytes = 0, .book = nodes, .book_bytes = 4096),
    ROW(offsets, TOO_SMALL, .bytes = 1024, .book = nodes, .book_bytes = 0),
    ROW(offsets, TOO_LARGE, .bytes = UINT64_MAX, .book = nodes, .book_bytes = 4096),
    ROW(offsets, TOO_LARGE, .bytes = 1024, .book = nodes, .book_bytes = NEGATIVE),
    ROW(offsets, MISALIGNED, .bytes = 1024, .book = nodes + 1, .book_bytes = 4095),
    ROW(offsets, ALIGNMENT, .bytes = 1024, .book = nodes, .book_bytes = 4096, .config.granule = 48),
    ROW(offsets, CONFIG, .bytes = 1024, .book = nodes, .book_bytes = 4096,
        .config.policy = (th_offsets_policy)4),
    ROW(offsets, CONFIG, .bytes = 1024, .book = nodes, .book_bytes = 4096,
        .config.guarding.level = 4),
    ROW(offsets, CONFIG, .bytes = 1024, .book = nodes, .book_bytes = 4096,
        .config.guarding.level = -1),

    ROW(fit, NULL, .at = NULL, .range = {.bytes = 1024, .book = nodes, .book_bytes = 4096}),
    ROW(fit, NULL, .at = memory, .range = {.bytes = 1024, .book = NULL, .book_bytes = 4096}),
    ROW(fit, TOO_SMALL, .at = memory, .range = {.bytes = 0, .book = nodes, .book_bytes = 4096}),
    ROW(fit, MISALIGNED, .at = memory,
        .range = {.bytes = 1024, .book = nodes + 1, .book_bytes = 4095}),
    ROW(fit, ALIGNMENT, .at = memory,
        .range = {.bytes = 1024, .book = nodes, .book_bytes = 4096, .config.granule = 48}),
    ROW(fit, CONFIG, .at = memory,
        .range = {.bytes = 1024, .book = nodes, .book_bytes = 4096, .config.guarding.level = 4}),

    ROW(pool, CONFIG, .backing = EMPTY),
    ROW(pool, CONFIG, .object_bytes = 48),
    ROW(pool, CONFIG, .object_bytes = 48, .memory = memory, .memory_bytes = 4096,
        .grow_objects = 1),
    ROW(pool, CONFIG, .object_bytes = 48, .backing = EMPTY, LEVEL(4)),
    ROW(pool, CONFIG, .object_bytes = 48, .backing = EMPTY, LEVEL(-1)),
    ROW(pool, CONFIG, .object_bytes = 48, .backing = NO_ALLOC),
    ROW(pool, CONFIG, .object_bytes = 48, .backing = NO_FREE),
    ROW(pool, ALIGNMENT, .object_bytes = 48, .backing = EMPTY, .alignment = 24),
    ROW(pool, TOO_LARGE, .object_bytes = NEGATIVE, .backing = EMPTY),
    ROW(pool, TOO_LARGE, .object_bytes = TOO_LARGE, .backing = EMPTY),
    ROW(pool, TOO_LARGE, .object_bytes = 48, .memory = memory, .memory_bytes = SIZE_MAX),
    ROW(pool, TOO_LARGE, .object_bytes = 48, .memory = memory, .memory_bytes = NEGATIVE),
    ROW(pool, MISALIGNED, .object_bytes = 48, .memory = memory + 1, .memory_bytes = 4095),
    ROW(pool, TOO_SMALL, .object_bytes = 48, .memory = memory, .memory_bytes = 47),

    ROW(slab, CONFIG, .object_bytes = 0),
    ROW(slab, CONFIG, .object_bytes = 48, .slab_bytes = 3000),
    ROW(slab, CONFIG, .object_bytes = 48, .slab_bytes = 512),
    ROW(slab, CONFIG, .object_bytes = 48, LEVEL(4)),
    ROW(slab, CONFIG, .object_bytes = 48, LEVEL(-1)),
    ROW(slab, CONFIG, .object_bytes = 48, .backing = NO_ALLOC),
    ROW(slab, CONFIG, .object_bytes = 48, .backing = NO_FREE),
    ROW(slab, ALIGNMENT, .object_bytes = 48, .alignment = 24),
    ROW(slab, TOO_LARGE, .object_bytes = NEGATIVE),
    ROW(slab, TOO_LARGE, .object_bytes = TOO_LARGE),
    ROW(slab, TOO_SMALL, .object_bytes = 48, .slab_bytes = 64, .backing = EMPTY),

    ROW(large, CONFIG, LEVEL(4)),
    ROW(large, CONFIG, LEVEL(-1)),
    ROW(large, CONFIG, .backing = NO_ALLOC),
    ROW(large, CONFIG, .backing = NO_FREE),
    ROW(large, CONFIG, .record_slab_bytes = 3000),
    ROW(large, CONFIG, .guard_pages = true, .backing = EMPTY),
    ROW(large, TOO_SMALL, .record_slab_bytes = 64, .backing = EMPTY),
    ROW(large, TOO_LARGE, .record_slab_bytes = 2 * TH_SLAB_BYTES_MAX),

    ROW(classes, CONFIG, LEVEL(4)),
    ROW(classes, CONFIG, LEVEL(-1)),
    ROW(classes, CONFIG, .backing = NO_ALLOC),
    ROW(classes, CONFIG, .backing = NO_FREE),
    ROW(classes, CONFIG, .slab_bytes = 3000),
    ROW(classes, CONFIG, .slab_bytes = 512, .backing = EMPTY),
    ROW(classes, CONFIG, .slab_bytes = 2 * TH_CLASSES_SLAB_BYTES_MAX),
    ROW(tracker, CONFIG, .tracked = EMPTY, LEVEL(4)),
    ROW(tracker, CONFIG, .tracked = EMPTY, LEVEL(-1)),
    ROW(tracker, CONFIG, .frames_max = 1),
    ROW(tracker, CONFIG, .tracked = NO_ALLOC),
    ROW(tracker, CONFIG, .tracked = NO_FREE),
    ROW(tracker, CONFIG, .tracked = EMPTY, .backing = NO_ALLOC),
    ROW(tracker, CONFIG, .tracked = EMPTY, .backing = NO_FREE),
    ROW(tracker, CONFIG, .tracked = EMPTY, .frames_max = TH_TRACKER_FRAMES_MAX + 1),
    ROW(tracker, EXHAUSTED, .tracked = EMPTY, .history_events = 1),
};

const size_t bad_start_count = sizeof bad_starts / sizeof bad_starts[0];

/* ---- no object, or no config ---------------------------------------------------------------- */

#define WITH(what, ...) start_##what(NULL, &(const what##_start){__VA_ARGS__})

bool bad_starts_without_object(void) {
    const th_status statuses[] = {
        WITH(heap, .at = memory, .bytes = 4096),
        WITH(bump, .at = memory, .bytes = 4096),
        WITH(arena, .backing = EMPTY),
        WITH(region, .backing = EMPTY),
        WITH(frame, .backing = EMPTY, .frame_bytes = 64),
        WITH(hybrid, .at = memory, .bytes = 64),
        WITH(buddy, .at = memory, .bytes = 1024, .book = nodes, .book_bytes = 4096),
        WITH(created, .backing = EMPTY, .bytes = 1024),
        WITH(offsets, .bytes = 1024, .book = nodes, .book_bytes = 4096),
        WITH(fit, .at = memory, .range = {.bytes = 1024, .book = nodes, .book_bytes = 4096}),
        WITH(pool, .object_bytes = 48, .backing = EMPTY),
        WITH(slab, .object_bytes = 48),
        WITH(large, LEVEL(0)),
        WITH(classes, LEVEL(0)),
        WITH(tracker, .tracked = EMPTY),
    };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i] != TH_ERR_NULL) {
            return false;
        }
    }
    return true;
}

bool bad_starts_without_config(void *object) {
    return th_arena_init(object, NULL) == TH_ERR_NULL &&
           th_region_init(object, NULL) == TH_ERR_NULL &&
           th_frame_init(object, NULL) == TH_ERR_NULL &&
           th_pool_init(object, NULL) == TH_ERR_NULL && th_slab_init(object, NULL) == TH_ERR_NULL &&
           th_tracker_init(object, NULL) == TH_ERR_NULL;
}
