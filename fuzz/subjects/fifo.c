/* SPDX-License-Identifier: MIT */
/* The FIFO allocator. The variant says how far above a multiple of 16 its memory begins. */
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/fifo.h"

LAB_ALLOCATOR(fifo, live_bytes);

typedef struct state {
    th_fifo fifo;
    th_allocator backing;
    unsigned char *memory;
} state;

static void destroy(void *self) {
    state *s = self;
    lab_allocator_fifo.clean_up(&s->fifo);
    th_allocator_free(s->backing, s->memory);
    free(s);
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    th_fifo_config config = {.guarding = lab_ground_guarding(setup)};
    size_t shift = setup->variant;
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->backing = setup->backing;
    s->memory = th_allocator_alloc_aligned(s->backing, setup->bytes, TH_ALLOCATOR_ALIGNMENT);
    if (s->memory == NULL || setup->bytes <= shift ||
        th_fifo_init(&s->fifo, s->memory + shift, setup->bytes - shift, &config) != TH_OK) {
        destroy(s);
        return false;
    }
    instance->state = s;
    instance->allocator = lab_allocator_fifo.interface(&s->fifo);
    instance->empty_guaranteed = th_fifo_get_stats(&s->fifo).bytes - TH_FIFO_HEADER_BYTES;
    return true;
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_fifo_stats stats = th_fifo_get_stats(&s->fifo);
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_REQUESTED | LAB_FIGURE_PEAK |
                                      LAB_FIGURE_ALLOCS | LAB_FIGURE_REFUSED,
                             .live = stats.live,
                             .requested = stats.live_bytes,
                             .used = stats.used_bytes,
                             .peak = stats.high_water_bytes,
                             .allocs = stats.allocs,
                             .refused = stats.failed_allocs};
}

const lab_subject lab_subject_fifo = {
    .version = LAB_SUBJECT_VERSION,
    .name = "fifo",
    .purpose = "the FIFO allocator, a ring buffer",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_POISON |
             LAB_SUBJECT_ENDS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
};
