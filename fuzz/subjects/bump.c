/* SPDX-License-Identifier: MIT */
/* The bump heap. The variant says how far above a multiple of 16 its memory begins. */
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/bump.h"

LAB_ALLOCATOR(bump, used_bytes);

typedef struct state {
    th_bump bump;
    th_allocator backing;
    unsigned char *memory;
} state;

static void destroy(void *self) {
    state *s = self;
    lab_allocator_bump.clean_up(&s->bump);
    th_allocator_free(s->backing, s->memory);
    free(s);
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    th_bump_config config = {.guarding = lab_ground_guarding(setup)};
    size_t shift = setup->variant;
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->backing = setup->backing;
    s->memory = th_allocator_alloc_aligned(s->backing, setup->bytes, TH_ALLOCATOR_ALIGNMENT);
    if (s->memory == NULL || setup->bytes <= shift ||
        th_bump_init(&s->bump, s->memory + shift, setup->bytes - shift, &config) != TH_OK) {
        destroy(s);
        return false;
    }
    size_t skipped = (size_t)(0 - (uintptr_t)(s->memory + shift)) & (setup->alignment - 1);
    instance->state = s;
    instance->allocator = lab_allocator_bump.interface(&s->bump);
    instance->empty_guaranteed =
        setup->bytes - shift > skipped ? setup->bytes - shift - skipped : 0;
    instance->holds = instance->empty_guaranteed;
    instance->holds_extra = LAB_GROUND_GAP_BYTES;
    return true;
}

static void watch(const void *self, lab_watched *watched) {
    const state *s = self;
    lab_ground_watch(&s->bump.span, watched);
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_bump_stats stats = th_bump_get_stats(&s->bump);
    *figures = (lab_figures){.exact = LAB_FIGURE_PEAK | LAB_FIGURE_ALLOCS | LAB_FIGURE_REFUSED,
                             .used = stats.used_bytes,
                             .peak = stats.high_water_bytes,
                             .allocs = stats.allocs,
                             .refused = stats.failed_allocs};
}

const lab_subject lab_subject_bump = {
    .version = LAB_SUBJECT_VERSION,
    .name = "bump",
    .purpose = "the bump heap, on memory of any alignment by variant",
    .flags = LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
};
