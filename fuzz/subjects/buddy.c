/* SPDX-License-Identifier: MIT */
/* The buddy allocator on memory of any alignment: the variant says how far the memory begins above
 * a unit's, and the size of the units. Over an arena, it takes its memory itself. */
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/buddy.h"

LAB_ALLOCATOR(buddy, live_bytes);

/* Of the smallest block, if nothing is said. */
enum { UNIT_BYTES = 64 };

typedef struct state {
    th_buddy buddy;
    lab_ground ground; /* of the one over an arena */
    th_allocator backing;
    unsigned char *memory; /* NULL: it has taken its memory itself */
    void *bookkeeping;
} state;

static bool start(state *s, const lab_setup *setup, const th_buddy_config *config) {
    size_t memory_bytes = setup->bytes / 4;
    size_t shift = setup->variant / 2 * 3;
    s->backing = setup->backing;
    s->memory = th_allocator_alloc_aligned(s->backing, memory_bytes, 1);
    if (s->memory == NULL || memory_bytes <= shift) {
        return false;
    }
    size_t room = th_buddy_bookkeeping_bytes(s->memory + shift, memory_bytes - shift, config);
    s->bookkeeping = th_allocator_alloc_aligned(s->backing, room, 8);
    return th_buddy_init(&s->buddy, s->memory + shift, memory_bytes - shift, s->bookkeeping, room,
                         config) == TH_OK;
}

static void destroy(void *self) {
    state *s = self;
    lab_allocator_buddy.clean_up(&s->buddy);
    th_allocator_free(s->backing, s->bookkeeping);
    th_allocator_free(s->backing, s->memory);
    lab_ground_end(&s->ground);
    free(s);
}

static bool start_over_arena(state *s, const lab_setup *setup, const th_buddy_config *config) {
    return lab_ground_start(&s->ground, LAB_GROUND_ARENA, setup) &&
           th_buddy_create(&s->buddy, s->ground.allocator, setup->bytes / 4, config) == TH_OK;
}

static bool create(const lab_setup *setup, lab_instance *instance, bool over_arena) {
    state *s = calloc(1, sizeof *s);
    th_buddy_config config = {.unit = setup->variant % 2 == 0 ? 0 : 16,
                              .guarding = lab_ground_guarding(setup)};
    if (s == NULL) {
        return false;
    }
    if (!(over_arena ? start_over_arena(s, setup, &config) : start(s, setup, &config))) {
        destroy(s);
        return false;
    }
    th_buddy_stats stats = th_buddy_get_stats(&s->buddy);
    instance->state = s;
    instance->allocator = lab_allocator_buddy.interface(&s->buddy);
    instance->empty_guaranteed = stats.largest_free_bytes;
    instance->holds = stats.largest_free_bytes / 2; /* all sizes are rounded up to powers of two */
    instance->holds_extra = UNIT_BYTES;
    instance->keeps_least = UNIT_BYTES;
    return true;
}

static bool create_plain(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, false);
}

static bool create_over_arena(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, true);
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_buddy_stats stats = th_buddy_get_stats(&s->buddy);
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_PEAK | LAB_FIGURE_REFUSED,
                             .live = stats.live,
                             .used = stats.live_bytes,
                             .peak = stats.high_water_bytes,
                             .refused = stats.failed_allocs};
}

#define FLAGS                                                                                      \
    (LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES |       \
     LAB_SUBJECT_POISON | LAB_SUBJECT_ENDS)

const lab_subject lab_subject_buddy = {
    .version = LAB_SUBJECT_VERSION,
    .name = "buddy",
    .purpose = "the buddy allocator, bookkeeping outside the blocks",
    .flags = FLAGS,
    .create = create_plain,
    .destroy = destroy,
    .measure = measure,
};

const lab_subject lab_subject_buddy_arena = {
    .version = LAB_SUBJECT_VERSION,
    .name = "buddy-arena",
    .purpose = "the buddy allocator over an arena's memory",
    .flags = FLAGS,
    .create = create_over_arena,
    .destroy = destroy,
    .measure = measure,
};
