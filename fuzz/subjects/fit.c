/* SPDX-License-Identifier: MIT */
/* The placement-policy heap. The variant says which policy, and the granule. */
#include <stdlib.h>

#include "subjects/subjects.h"
#include "tagheap/fit_heap.h"
#include "tagheap/offsets.h"

/* Few enough nodes for scripts with many blocks to use them up. */
enum { NODES = 96, MEMORY_ALIGNMENT = 4096 };

typedef struct state {
    th_fit_heap heap;
    th_allocator backing;
    void *memory;
    th_offsets_node nodes[NODES];
} state;

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const uint64_t granules[] = {1, 4, 16, 64};
    state *s = calloc(1, sizeof *s);
    th_offsets_config config = {.granule = granules[setup->variant / 4 % 4],
                                .policy = (th_offsets_policy)(setup->variant % 4),
                                .guarding = {.level = setup->guard,
                                             .on_fault = setup->on_fault,
                                             .fault_context = setup->fault_context}};
    if (s == NULL) {
        return false;
    }
    s->backing = setup->backing;
    s->memory = th_allocator_alloc_aligned(s->backing, setup->bytes, MEMORY_ALIGNMENT);
    if (th_fit_heap_init(&s->heap, s->memory, setup->bytes, s->nodes, sizeof s->nodes, &config) !=
        TH_OK) {
        th_allocator_free(s->backing, s->memory);
        free(s);
        return false;
    }
    instance->state = s;
    instance->allocator = th_fit_heap_allocator(&s->heap);
    instance->empty_guaranteed = (size_t)s->heap.offsets.bytes;
    instance->holds = instance->empty_guaranteed;
    instance->holds_extra = (size_t)config.granule;
    instance->keeps_least = 2 * (size_t)config.granule;
    instance->holds_blocks = NODES / 2 - 1; /* each may leave a piece beside it */
    return true;
}

static void destroy(void *self) {
    state *s = self;
    th_fit_heap_clean_up(&s->heap);
    th_allocator_free(s->backing, s->memory);
    free(s);
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_offsets_stats stats = th_offsets_get_stats(&s->heap.offsets);
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_PEAK | LAB_FIGURE_REFUSED,
                             .live = stats.live,
                             .used = stats.live_bytes,
                             .peak = stats.high_water_bytes,
                             .refused = stats.failed_allocs};
}

const lab_subject lab_subject_fit = {
    .version = LAB_SUBJECT_VERSION,
    .name = "fit",
    .purpose = "the placement-policy heap: good, first, best, worst fit by variant",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_POINTERS | LAB_SUBJECT_ENDS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
};
