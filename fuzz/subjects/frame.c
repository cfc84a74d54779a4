/* SPDX-License-Identifier: MIT */
/* The double-buffered frame arena: buffers from the backing, or in odd variants in memory of any
 * alignment. A reset is the end of a frame: nothing of it is used any more, so the next buffer but
 * one is free. */
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/frame.h"

LAB_CALLS_OF_ALL(frame, used_bytes);
LAB_CALLS_CLEAN_UP(frame);
LAB_CALLS_OF_SIZES(frame);
LAB_CALLS_RESIZE(frame);

const lab_allocator lab_allocator_frame = {
    LAB_ALLOCATOR_OF_ALL, .alloc_aligned = call_alloc_aligned, .resize = call_resize};

typedef struct state {
    th_frame frame;
    th_allocator backing;
    unsigned char *memory; /* NULL: the backing's */
} state;

static void destroy(void *self) {
    state *s = self;
    lab_allocator_frame.clean_up(&s->frame);
    th_allocator_free(s->backing, s->memory);
    free(s);
}

/* False: not enough memory. */
static bool start(state *s, const lab_setup *setup) {
    th_frame_config config = {.guarding = lab_ground_guarding(setup)};
    size_t shift = setup->variant / 2;
    s->backing = setup->backing;
    if (setup->variant % 2 == 0) {
        config.backing = setup->backing;
        config.frame_bytes = setup->bytes / 2 - setup->bytes % 64;
    } else if (setup->bytes > shift) {
        s->memory = th_allocator_alloc_aligned(s->backing, setup->bytes, TH_ALLOCATOR_ALIGNMENT);
        config.memory = s->memory != NULL ? s->memory + shift : NULL;
        config.memory_bytes = setup->bytes - shift;
    }
    return th_frame_init(&s->frame, &config) == TH_OK;
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
    instance->state = s;
    instance->allocator = lab_allocator_frame.interface(&s->frame);
    instance->empty_guaranteed = th_frame_get_stats(&s->frame).frame_bytes;
    instance->holds = instance->empty_guaranteed;
    instance->holds_extra = LAB_GROUND_GAP_BYTES;
    return true;
}

static void flip(void *self) {
    state *s = self;
    (void)th_frame_flip(&s->frame);
}

static void watch(const void *self, lab_watched *watched) {
    const state *s = self;
    lab_ground_watch(&s->frame.span, watched);
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_frame_stats stats = th_frame_get_stats(&s->frame);
    *figures = (lab_figures){.exact = LAB_FIGURE_PEAK | LAB_FIGURE_ALLOCS | LAB_FIGURE_REFUSED |
                                      LAB_FIGURE_REFUSED_IN_FRAME,
                             .used = stats.used_bytes,
                             .peak = stats.high_water_bytes,
                             .allocs = stats.allocs,
                             .refused = stats.failed_allocs,
                             .refused_in_frame = stats.failed_in_frame};
}

const lab_subject lab_subject_frame = {
    .version = LAB_SUBJECT_VERSION,
    .name = "frame",
    .purpose = "the double-buffered frame arena",
    .flags = LAB_SUBJECT_TRACKED,
    .create = create,
    .destroy = destroy,
    .flip = flip,
    .measure = measure,
    .watch = watch,
};
