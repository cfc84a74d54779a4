/* SPDX-License-Identifier: MIT */
#include "bad_calls.h"

#include "tagheap/buddy.h"
#include "tagheap/classes.h"
#include "tagheap/fit_heap.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/large.h"
#include "tagheap/offsets.h"
#include "tagheap/pool.h"
#include "tagheap/slab.h"

#define MEMORY_BYTES ((size_t)4096)

static _Alignas(64) unsigned char memory[MEMORY_BYTES];
static _Alignas(8) unsigned char bookkeeping[MEMORY_BYTES];

/* Whatever a noun is started on, its other calls are these. */
#define ALL_CALLS(noun)                                                                            \
    .clean_up = noun##_clean_up, .alloc = noun##_alloc, .resize = noun##_resize,                   \
    .free = noun##_free, .live = noun##_live, .check = noun##_check, .interface = noun##_interface

static void must(th_status status) {
    CHECK_EQ(status, TH_OK);
}

/* ---- the tagged heap ----------------------------------------------------------------------- */

static th_heap heap;
static th_tagged_allocator adapter;

static void heap_start(const th_guarding *guarding, th_allocator from) {
    const th_heap_config config = {.alignment = SAMPLE_ALIGNMENT,
                                   .guarding.level = guarding->level,
                                   .guarding.on_fault = guarding->on_fault,
                                   .guarding.fault_context = guarding->fault_context};
    (void)from;
    must(th_heap_init(&heap, memory, MEMORY_BYTES, &config));
}

static void heap_clean_up(void) {
    th_heap_clean_up(&heap);
}

static void *heap_alloc(size_t bytes, size_t alignment) {
    return th_heap_alloc_aligned(&heap, bytes, alignment, 0x1001);
}

static bool heap_resize(void *block, size_t bytes) {
    return th_heap_realloc(&heap, block, bytes) != NULL;
}

static void heap_free(void *block) {
    (void)th_heap_free(&heap, block);
}

/* Questions need a heap that is started. */
static size_t heap_live(void) {
    th_heap_stats stats = {0};
    if (heap.base != NULL) {
        stats = th_heap_get_stats(&heap);
    }
    return stats.used_bytes;
}

static th_status heap_check(th_fault *fault) {
    return th_heap_check(&heap, fault);
}

static th_allocator heap_interface(void) {
    return th_heap_allocator(&adapter, &heap, 0x1001);
}

const bad_calls bad_heap = {.start = heap_start, ALL_CALLS(heap)};

/* ---- the system's malloc ------------------------------------------------------------------- */

static void system_start(const th_guarding *guarding, th_allocator from) {
    (void)guarding;
    (void)from;
}

static void *system_alloc(size_t bytes, size_t alignment) {
    return th_allocator_alloc_aligned(th_system_allocator(), bytes, alignment);
}

static void system_free(void *block) {
    th_allocator_free(th_system_allocator(), block);
}

static th_status system_check(th_fault *fault) {
    return th_allocator_check(th_system_allocator(), fault);
}

const bad_calls bad_system = {.start = system_start,
                              .alloc = system_alloc,
                              .free = system_free,
                              .check = system_check,
                              .interface = th_system_allocator};

/* ---- a buddy allocator --------------------------------------------------------------------- */

static th_buddy buddy;

static void buddy_start(const th_guarding *guarding, th_allocator from) {
    const th_buddy_config config = {.unit = 16, .guarding = *guarding};
    must(th_buddy_create(&buddy, from, MEMORY_BYTES, &config));
}

static void buddy_clean_up(void) {
    th_buddy_clean_up(&buddy);
}

static void *buddy_alloc(size_t bytes, size_t alignment) {
    return th_buddy_alloc_aligned(&buddy, bytes, alignment);
}

static bool buddy_resize(void *block, size_t bytes) {
    return th_buddy_resize_in_place(&buddy, block, bytes);
}

static void buddy_free(void *block) {
    th_buddy_free(&buddy, block);
}

static size_t buddy_live(void) {
    th_buddy_stats stats = th_buddy_get_stats(&buddy);
    return stats.live_bytes;
}

static th_status buddy_check(th_fault *fault) {
    return th_buddy_check(&buddy, fault);
}

static th_allocator buddy_interface(void) {
    return th_buddy_allocator(&buddy);
}

const bad_calls bad_buddy = {.start = buddy_start, ALL_CALLS(buddy)};

/* ---- an offset allocator: what stands for a pointer is the place of a block ------------------ */

static th_offsets offsets;
static th_offsets_block blocks[64];
static size_t block_count;
static th_offsets_block bad_block;

static void offsets_start(const th_guarding *guarding, th_allocator from) {
    const th_offsets_config config = {.granule = 16, .guarding = *guarding};
    (void)from;
    block_count = 0;
    must(th_offsets_init(&offsets, 1024, bookkeeping, sizeof bookkeeping, &config));
}

static void offsets_clean_up(void) {
    th_offsets_clean_up(&offsets);
}

static void *offsets_alloc(size_t bytes, size_t alignment) {
    th_offsets_block block = th_offsets_alloc_aligned(&offsets, bytes, alignment);
    if (block.generation == 0) {
        return NULL;
    }
    CHECK(block_count < sizeof blocks / sizeof blocks[0]);
    blocks[block_count] = block;
    return &blocks[block_count++];
}

static bool offsets_resize(void *block, size_t bytes) {
    return th_offsets_resize_in_place(&offsets, *(th_offsets_block *)block, bytes);
}

static void offsets_free(void *block) {
    (void)th_offsets_free(&offsets, *(th_offsets_block *)block);
}

static size_t offsets_live(void) {
    th_offsets_stats stats = th_offsets_get_stats(&offsets);
    return (size_t)stats.live_bytes;
}

static th_status offsets_check(th_fault *fault) {
    return th_offsets_check(&offsets, fault);
}

void *bad_offsets_block(const void *block, uint32_t node_more, uint64_t offset_more) {
    bad_block = *(const th_offsets_block *)block;
    bad_block.node += node_more;
    bad_block.offset += offset_more;
    return &bad_block;
}

const bad_calls bad_offsets = {.start = offsets_start,
                               .clean_up = offsets_clean_up,
                               .alloc = offsets_alloc,
                               .resize = offsets_resize,
                               .free = offsets_free,
                               .live = offsets_live,
                               .check = offsets_check};

/* ---- a placement-policy heap ----------------------------------------------------------------- */

static th_fit_heap fit_heap;

static void fit_start(const th_guarding *guarding, th_allocator from) {
    const th_offsets_config config = {.granule = 16, .guarding = *guarding};
    (void)from;
    must(th_fit_heap_init(&fit_heap, memory, MEMORY_BYTES, bookkeeping, sizeof bookkeeping,
                          &config));
}

static void fit_clean_up(void) {
    th_fit_heap_clean_up(&fit_heap);
}

static th_allocator fit_interface(void) {
    return th_fit_heap_allocator(&fit_heap);
}

static void *fit_alloc(size_t bytes, size_t alignment) {
    return th_allocator_alloc_aligned(fit_interface(), bytes, alignment);
}

static size_t fit_live(void) {
    th_offsets_stats stats = th_offsets_get_stats(&fit_heap.offsets);
    return (size_t)stats.live_bytes;
}

static th_status fit_check(th_fault *fault) {
    return th_allocator_check(fit_interface(), fault);
}

const bad_calls bad_fit_heap = {.start = fit_start,
                                .clean_up = fit_clean_up,
                                .alloc = fit_alloc,
                                .live = fit_live,
                                .check = fit_check,
                                .interface = fit_interface};

/* ---- a pool, and one that is declared -------------------------------------------------------- */

typedef struct sample {
    _Alignas(SAMPLE_ALIGNMENT) unsigned char bytes[SAMPLE_BYTES];
} sample;

TH_POOL_STATIC(samples, sample, 20);

static th_pool grown;
static th_pool *pool;

static void pool_start(const th_guarding *guarding, th_allocator from) {
    const th_pool_config config = {.object_bytes = SAMPLE_BYTES,
                                   .alignment = SAMPLE_ALIGNMENT,
                                   .backing = from,
                                   .grow_objects = 8,
                                   .guarding = *guarding};
    pool = &grown;
    must(th_pool_init(pool, &config));
}

/* As with the bump heap; and it takes its guarding from the test, not from its declaration. */
static void samples_start(const th_guarding *guarding, th_allocator from) {
    static th_pool declared;
    (void)from;
    if (declared.chunks == NULL) {
        declared = samples;
    }
    samples = declared;
    samples.config.guarding = *guarding;
    pool = &samples;
}

static void pool_clean_up(void) {
    th_pool_clean_up(pool);
}

static void *pool_alloc(size_t bytes, size_t alignment) {
    (void)bytes;
    (void)alignment;
    return th_pool_alloc(pool);
}

static void pool_free(void *block) {
    th_pool_free(pool, block);
}

static size_t pool_live(void) {
    return (size_t)th_pool_get_stats(pool).live;
}

static th_status pool_check(th_fault *fault) {
    return th_pool_check(pool, fault);
}

static th_allocator pool_interface(void) {
    return th_pool_allocator(pool);
}

const bad_calls bad_pool = {.start = pool_start,
                            .clean_up = pool_clean_up,
                            .alloc = pool_alloc,
                            .free = pool_free,
                            .live = pool_live,
                            .check = pool_check,
                            .interface = pool_interface};

const bad_calls bad_static_pool = {.start = samples_start,
                                   .clean_up = pool_clean_up,
                                   .alloc = pool_alloc,
                                   .free = pool_free,
                                   .live = pool_live,
                                   .check = pool_check,
                                   .interface = pool_interface};

/* ---- a slab allocator ------------------------------------------------------------------------ */

static th_slab slab;

static void slab_start(const th_guarding *guarding, th_allocator from) {
    const th_slab_config config = {.object_bytes = SAMPLE_BYTES,
                                   .alignment = SAMPLE_ALIGNMENT,
                                   .slab_bytes = from.table != NULL ? 1024 : 0,
                                   .slabs_max = 4,
                                   .backing = from,
                                   .guarding = *guarding};
    must(th_slab_init(&slab, &config));
}

static void mapped_slab_start(const th_guarding *guarding, th_allocator from) {
    (void)from;
    slab_start(guarding, (th_allocator){0});
}

static void slab_clean_up(void) {
    th_slab_clean_up(&slab);
}

static void *slab_alloc(size_t bytes, size_t alignment) {
    (void)alignment;
    return th_slab_alloc_bytes(&slab, bytes);
}

static bool slab_resize(void *block, size_t bytes) {
    return th_slab_resize_in_place(&slab, block, bytes);
}

static void slab_free(void *block) {
    th_slab_free(&slab, block);
}

static size_t slab_live(void) {
    return (size_t)th_slab_get_stats(&slab).live;
}

static th_status slab_check(th_fault *fault) {
    return th_slab_check(&slab, fault);
}

static th_allocator slab_interface(void) {
    return th_slab_allocator(&slab);
}

const bad_calls bad_slab = {.start = slab_start, ALL_CALLS(slab)};

const bad_calls bad_mapped_slab = {.start = mapped_slab_start, ALL_CALLS(slab)};

/* ---- large blocks ---------------------------------------------------------------------------- */

static th_large large;

static void large_start(const th_guarding *guarding, th_allocator from) {
    const th_large_config config = {.backing = from, .guarding = *guarding};
    must(th_large_init(&large, &config));
}

static void mapped_large_start(const th_guarding *guarding, th_allocator from) {
    (void)from;
    large_start(guarding, (th_allocator){0});
}

static void guarded_large_start(const th_guarding *guarding, th_allocator from) {
    const th_large_config config = {.guard_pages = true, .guarding = *guarding};
    (void)from;
    must(th_large_init(&large, &config));
}

static void large_clean_up(void) {
    th_large_clean_up(&large);
}

static void *large_alloc(size_t bytes, size_t alignment) {
    return th_large_alloc_aligned(&large, bytes, alignment);
}

static bool large_resize(void *block, size_t bytes) {
    return th_large_resize_in_place(&large, block, bytes);
}

static void large_free(void *block) {
    th_large_free(&large, block);
}

static size_t large_live(void) {
    return th_large_get_stats(&large).requested_bytes;
}

static th_status large_check(th_fault *fault) {
    return th_large_check(&large, fault);
}

static th_allocator large_interface(void) {
    return th_large_allocator(&large);
}

const bad_calls bad_large = {.start = large_start, ALL_CALLS(large)};

const bad_calls bad_mapped_large = {.start = mapped_large_start, ALL_CALLS(large)};

const bad_calls bad_guarded_large = {.start = guarded_large_start, ALL_CALLS(large)};

/* ---- size classes ---------------------------------------------------------------------------- */

static th_classes classes;

static void classes_start(const th_guarding *guarding, th_allocator from) {
    const th_classes_config config = {
        .backing = from, .slab_bytes = from.table != NULL ? 1024 : 0, .guarding = *guarding};
    must(th_classes_init(&classes, &config));
}

static void mapped_classes_start(const th_guarding *guarding, th_allocator from) {
    (void)from;
    classes_start(guarding, (th_allocator){0});
}

static void classes_clean_up(void) {
    th_classes_clean_up(&classes);
}

static void *classes_alloc(size_t bytes, size_t alignment) {
    return th_classes_alloc_aligned(&classes, bytes, alignment);
}

static bool classes_resize(void *block, size_t bytes) {
    return th_classes_realloc(&classes, block, bytes) != NULL;
}

static void classes_free(void *block) {
    th_classes_free(&classes, block);
}

static size_t classes_live(void) {
    return th_classes_get_stats(&classes).requested_bytes;
}

static th_status classes_check(th_fault *fault) {
    return th_classes_check(&classes, fault);
}

static th_allocator classes_interface(void) {
    return th_classes_allocator(&classes);
}
const bad_calls bad_classes = {.start = classes_start, ALL_CALLS(classes)};

const bad_calls bad_mapped_classes = {.start = mapped_classes_start, ALL_CALLS(classes)};
