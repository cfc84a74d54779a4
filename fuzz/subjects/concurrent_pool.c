/* SPDX-License-Identifier: MIT */
/* The concurrent pool, by one thread: over memory of the caller's, or (bit 0 of the variant) from
 * the backing. Bits 2 and 3 say what the objects are like. */
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/concurrent_pool.h"

LAB_CALLS_OF_ALL(concurrent_pool, live);
LAB_CALLS_CLEAN_UP(concurrent_pool);
LAB_CALLS_OF_OBJECTS(concurrent_pool);
LAB_CALLS_FREE(concurrent_pool);

const lab_allocator lab_allocator_concurrent_pool = {LAB_ALLOCATOR_OF_ALL, .free = call_free};

enum { BACKED = 1, SHAPES = 4, MEMORY_ALIGNMENT = 64 };

typedef struct state {
    th_concurrent_pool pool;
    th_allocator backing;
    void *memory; /* NULL: the pool has its own from the backing */
} state;

static void destroy(void *self) {
    state *s = self;
    lab_allocator_concurrent_pool.clean_up(&s->pool);
    th_allocator_free(s->backing, s->memory);
    free(s);
}

static bool start(state *s, const lab_setup *setup) {
    static const struct {
        size_t object_bytes, alignment;
    } shapes[SHAPES] = {{64, 16}, {200, 64}, {24, 0}, {5, 4}};
    unsigned shape = setup->variant / SHAPES % SHAPES;
    th_concurrent_pool_config config = {.object_bytes = shapes[shape].object_bytes,
                                        .alignment = shapes[shape].alignment,
                                        .guarding = lab_ground_guarding(setup)};
    s->backing = setup->backing;
    if ((setup->variant & BACKED) != 0) {
        config.backing = setup->backing;
        config.capacity = setup->bytes / (2 * config.object_bytes);
    } else {
        s->memory = th_allocator_alloc_aligned(setup->backing, setup->bytes, MEMORY_ALIGNMENT);
        config.memory = s->memory;
        config.memory_bytes = setup->bytes;
    }
    return th_concurrent_pool_init(&s->pool, &config) == TH_OK;
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    if (!start(s, setup)) {
        destroy(s);
        return false;
    }
    th_concurrent_pool_stats stats = th_concurrent_pool_get_stats(&s->pool);
    instance->state = s;
    instance->allocator = lab_allocator_concurrent_pool.interface(&s->pool);
    instance->bytes_max = stats.object_bytes;
    instance->alignment_max = s->pool.alignment;
    instance->blocks_guaranteed = (size_t)stats.capacity;
    instance->object_bytes = stats.object_bytes;
    instance->keeps_least = stats.object_bytes;
    instance->object_stride = stats.stride_bytes;
    return true;
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_concurrent_pool_stats stats = th_concurrent_pool_get_stats(&s->pool);
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_REFUSED_FITTING,
                             .live = stats.live,
                             .used = stats.live,
                             .refused = stats.failed_allocs};
}

const lab_subject lab_subject_concurrent_pool = {
    .version = LAB_SUBJECT_VERSION,
    .name = "concurrent-pool",
    .purpose = "the lock-free pool, by one thread",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES |
             LAB_SUBJECT_POISON | LAB_SUBJECT_ANY_THREADS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
};
