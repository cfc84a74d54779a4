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

static void must(th_status status) {
    CHECK_EQ(status, TH_OK);
}

/* ---- the tagged heap ----------------------------------------------------------------------- */

static th_heap heap;
static th_tagged_allocator adapter;

static void *heap_start(const th_guarding *guarding, th_allocator from) {
    const th_heap_config config = {.alignment = SAMPLE_ALIGNMENT,
                                   .guarding.level = guarding->level,
                                   .guarding.on_fault = guarding->on_fault,
                                   .guarding.fault_context = guarding->fault_context};
    (void)from;
    must(th_heap_init(&heap, memory, MEMORY_BYTES, &config));
    return &heap;
}

static void heap_clean_up(void *self) {
    th_heap_clean_up(self);
}

static void *heap_alloc(void *self, size_t bytes, size_t alignment) {
    return th_heap_alloc_aligned(self, bytes, alignment, 0x1001);
}

static bool heap_resize(void *self, void *block, size_t bytes) {
    return th_heap_realloc(self, block, bytes) != NULL;
}

static void heap_free(void *self, void *block) {
    (void)th_heap_free(self, block);
}

/* Questions need a heap that is started. */
static size_t heap_live(const void *self) {
    th_heap_stats stats = {0};
    if (heap.base != NULL) {
        stats = th_heap_get_stats(self);
    }
    return stats.used_bytes;
}

static th_status heap_check(const void *self, th_fault *fault) {
    return th_heap_check(self, fault);
}

static th_allocator heap_interface(void *self) {
    return th_heap_allocator(&adapter, self, 0x1001);
}

static const lab_allocator heap_calls = {.clean_up = heap_clean_up,
                                         .alloc_aligned = heap_alloc,
                                         .resize = heap_resize,
                                         .free = heap_free,
                                         .live = heap_live,
                                         .check = heap_check,
                                         .interface = heap_interface};

const bad_calls bad_heap = {heap_start, &heap_calls};

/* ---- the system's malloc ------------------------------------------------------------------- */

static void *system_start(const th_guarding *guarding, th_allocator from) {
    (void)guarding;
    (void)from;
    return NULL;
}

static void *system_alloc(void *self, size_t bytes, size_t alignment) {
    (void)self;
    return th_allocator_alloc_aligned(th_system_allocator(), bytes, alignment);
}

static void system_free(void *self, void *block) {
    (void)self;
    th_allocator_free(th_system_allocator(), block);
}

static th_status system_check(const void *self, th_fault *fault) {
    (void)self;
    return th_allocator_check(th_system_allocator(), fault);
}

static th_allocator system_interface(void *self) {
    (void)self;
    return th_system_allocator();
}

static const lab_allocator system_calls = {.alloc_aligned = system_alloc,
                                           .free = system_free,
                                           .check = system_check,
                                           .interface = system_interface};

const bad_calls bad_system = {system_start, &system_calls};

/* ---- a buddy allocator --------------------------------------------------------------------- */

static th_buddy buddy;

static void *buddy_start(const th_guarding *guarding, th_allocator from) {
    const th_buddy_config config = {.unit = 16, .guarding = *guarding};
    must(th_buddy_create(&buddy, from, MEMORY_BYTES, &config));
    return &buddy;
}

const bad_calls bad_buddy = {buddy_start, &lab_allocator_buddy};

/* ---- an offset allocator: what stands for a pointer is the place of a block ------------------ */

static th_offsets offsets;
static th_offsets_block blocks[64];
static size_t block_count;
static th_offsets_block bad_block;

static void *offsets_start(const th_guarding *guarding, th_allocator from) {
    const th_offsets_config config = {.granule = 16, .guarding = *guarding};
    (void)from;
    block_count = 0;
    must(th_offsets_init(&offsets, 1024, bookkeeping, sizeof bookkeeping, &config));
    return &offsets;
}

static void offsets_clean_up(void *self) {
    th_offsets_clean_up(self);
}

static void *offsets_alloc(void *self, size_t bytes, size_t alignment) {
    th_offsets_block block = th_offsets_alloc_aligned(self, bytes, alignment);
    if (block.generation == 0) {
        return NULL;
    }
    CHECK(block_count < sizeof blocks / sizeof blocks[0]);
    blocks[block_count] = block;
    return &blocks[block_count++];
}

static bool offsets_resize(void *self, void *block, size_t bytes) {
    return th_offsets_resize_in_place(self, *(th_offsets_block *)block, bytes);
}

static void offsets_free(void *self, void *block) {
    (void)th_offsets_free(self, *(th_offsets_block *)block);
}

static size_t offsets_live(const void *self) {
    th_offsets_stats stats = th_offsets_get_stats(self);
    return (size_t)stats.live_bytes;
}

static th_status offsets_check(const void *self, th_fault *fault) {
    return th_offsets_check(self, fault);
}

void *bad_offsets_block(const void *block, uint32_t node_more, uint64_t offset_more) {
    bad_block = *(const th_offsets_block *)block;
    bad_block.node += node_more;
    bad_block.offset += offset_more;
    return &bad_block;
}

static const lab_allocator offsets_calls = {.clean_up = offsets_clean_up,
                                            .alloc_aligned = offsets_alloc,
                                            .resize = offsets_resize,
                                            .free = offsets_free,
                                            .live = offsets_live,
                                            .check = offsets_check};

const bad_calls bad_offsets = {offsets_start, &offsets_calls};

/* ---- a placement-policy heap ----------------------------------------------------------------- */

static th_fit_heap fit_heap;

static void *fit_start(const th_guarding *guarding, th_allocator from) {
    const th_offsets_config config = {.granule = 16, .guarding = *guarding};
    (void)from;
    must(th_fit_heap_init(&fit_heap, memory, MEMORY_BYTES, bookkeeping, sizeof bookkeeping,
                          &config));
    return &fit_heap;
}

LAB_CALLS_OF_ALL(fit_heap, live_bytes);
LAB_CALLS_CLEAN_UP(fit_heap);

static void *fit_alloc(void *self, size_t bytes, size_t alignment) {
    return th_allocator_alloc_aligned(call_interface(self), bytes, alignment);
}

static const lab_allocator fit_calls = {.clean_up = call_clean_up,
                                        .alloc_aligned = fit_alloc,
                                        .live = call_live,
                                        .check = call_check,
                                        .interface = call_interface};

const bad_calls bad_fit_heap = {fit_start, &fit_calls};

/* ---- a pool, and one that is declared -------------------------------------------------------- */

typedef struct sample {
    _Alignas(SAMPLE_ALIGNMENT) unsigned char bytes[SAMPLE_BYTES];
} sample;

TH_POOL_STATIC(samples, sample, 20);

static th_pool pool;

static void *pool_start(const th_guarding *guarding, th_allocator from) {
    const th_pool_config config = {.object_bytes = SAMPLE_BYTES,
                                   .alignment = SAMPLE_ALIGNMENT,
                                   .backing = from,
                                   .grow_objects = 8,
                                   .guarding = *guarding};
    must(th_pool_init(&pool, &config));
    return &pool;
}

/* As with the bump heap; and it takes its guarding from the test, not from its declaration. */
static void *samples_start(const th_guarding *guarding, th_allocator from) {
    static th_pool declared;
    (void)from;
    if (declared.chunks == NULL) {
        declared = samples;
    }
    samples = declared;
    samples.config.guarding = *guarding;
    return &samples;
}

const bad_calls bad_pool = {pool_start, &lab_allocator_pool};

const bad_calls bad_static_pool = {samples_start, &lab_allocator_pool};

/* ---- a slab allocator ------------------------------------------------------------------------ */

static th_slab slab;

static void *slab_start(const th_guarding *guarding, th_allocator from) {
    const th_slab_config config = {.object_bytes = SAMPLE_BYTES,
                                   .alignment = SAMPLE_ALIGNMENT,
                                   .slab_bytes = from.table != NULL ? 1024 : 0,
                                   .slabs_max = 4,
                                   .backing = from,
                                   .guarding = *guarding};
    must(th_slab_init(&slab, &config));
    return &slab;
}

static void *mapped_slab_start(const th_guarding *guarding, th_allocator from) {
    (void)from;
    return slab_start(guarding, (th_allocator){0});
}

const bad_calls bad_slab = {slab_start, &lab_allocator_slab};

const bad_calls bad_mapped_slab = {mapped_slab_start, &lab_allocator_slab};

/* ---- large blocks ---------------------------------------------------------------------------- */

static th_large large;

static void *large_start(const th_guarding *guarding, th_allocator from) {
    const th_large_config config = {.backing = from, .guarding = *guarding};
    must(th_large_init(&large, &config));
    return &large;
}

static void *mapped_large_start(const th_guarding *guarding, th_allocator from) {
    (void)from;
    return large_start(guarding, (th_allocator){0});
}

static void *guarded_large_start(const th_guarding *guarding, th_allocator from) {
    const th_large_config config = {.guard_pages = true, .guarding = *guarding};
    (void)from;
    must(th_large_init(&large, &config));
    return &large;
}

const bad_calls bad_large = {large_start, &lab_allocator_large};

const bad_calls bad_mapped_large = {mapped_large_start, &lab_allocator_large};

const bad_calls bad_guarded_large = {guarded_large_start, &lab_allocator_large};

/* ---- size classes ---------------------------------------------------------------------------- */

static th_classes classes;

static void *classes_start(const th_guarding *guarding, th_allocator from) {
    const th_classes_config config = {
        .backing = from, .slab_bytes = from.table != NULL ? 1024 : 0, .guarding = *guarding};
    must(th_classes_init(&classes, &config));
    return &classes;
}

static void *mapped_classes_start(const th_guarding *guarding, th_allocator from) {
    (void)from;
    return classes_start(guarding, (th_allocator){0});
}

const bad_calls bad_classes = {classes_start, &lab_allocator_classes};

const bad_calls bad_mapped_classes = {mapped_classes_start, &lab_allocator_classes};
