/* SPDX-License-Identifier: MIT */
/* The tracker, over the backing itself or (bit 0 of the variant) size classes over it. Bit 1: with
 * a history and stacks; bit 2: blocks are allocated for changing origins; bit 3: samples only. What
 * it knows is compared with itself by each check, and with what it has told of (event.h), and with
 * what was done by the figures. */
#include <stdlib.h>

#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/classes.h"
#include "tagheap/tag_totals.h"
#include "tagheap/tracker.h"

enum { OVER_CLASSES = 1, REMEMBERS = 2, ORIGINS = 4, SAMPLES = 8 };
enum { LINES = 5, TAGS = 3, HISTORY_EVENTS = 16, SAMPLE_BYTES = 256 };

typedef struct state {
    th_tracker tracker;
    th_classes classes;
    lab_setup setup;
    th_tracker_view views[LINES];
    th_tag_total rows[TAGS];
    th_tag_totals totals; /* of its events */
    uintptr_t depth;      /* of what unwind finds */
    unsigned calls;
    th_allocator_table table;
} state;

static bool has(const state *s, unsigned bit) {
    return (s->setup.variant & bit) != 0;
}

/* Of samples only, the tracker does not know what to free in the end. */
static bool is_over_classes(const state *s) {
    return has(s, OVER_CLASSES) || has(s, SAMPLES);
}

static th_allocator interface(state *s) {
    if (!has(s, ORIGINS)) {
        return th_tracker_allocator(&s->tracker);
    }
    return th_tracker_view_allocator(&s->views[s->calls++ % LINES]);
}

/* A stack of changing depth. */
static size_t unwind(void *context, uintptr_t *frames, size_t frames_max) {
    state *s = context;
    size_t depth = s->depth++ % 4 < frames_max ? s->depth % 4 : frames_max;
    for (size_t i = 0; i < depth; i++) {
        frames[i] = s->depth % 3 + i;
    }
    return depth;
}

/* ---- the table ---------------------------------------------------------------------------- */

static void *alloc(void *self, size_t bytes, size_t alignment) {
    return th_allocator_alloc_aligned(interface(self), bytes, alignment);
}

static void free_block(void *self, void *pointer) {
    th_allocator_free(interface(self), pointer);
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_allocator_resize_in_place(interface(self), pointer, bytes);
}

static void *resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_allocator tracked = interface(self);
    return tracked.table->realloc(tracked.self, pointer, kept, bytes, alignment);
}

typedef struct list {
    const void **blocks;
    size_t count;
} list;

static bool add(void *context, const th_tracker_block *block) {
    list *all = context;
    all->blocks[all->count++] = block->address;
    return true;
}

/* The backing has none: all blocks that the tracker knows are freed. */
static th_status reset(void *self) {
    state *s = self;
    if (is_over_classes(s)) {
        return th_tracker_reset(&s->tracker);
    }
    list all = {.count = 0};
    size_t live = (size_t)th_tracker_get_stats(&s->tracker).live;
    all.blocks = calloc(live + 1, sizeof *all.blocks);
    if (all.blocks == NULL) {
        abort();
    }
    (void)th_tracker_visit_blocks(&s->tracker, add, &all);
    for (size_t i = 0; i < all.count; i++) {
        th_tracker_free(&s->tracker, (void *)(uintptr_t)all.blocks[i]);
    }
    free(all.blocks);
    return TH_OK;
}

static bool owns(const void *self, const void *pointer) {
    return th_tracker_owns(&((const state *)self)->tracker, pointer);
}

static size_t usable_size(const void *self, const void *pointer) {
    const state *s = self;
    return th_allocator_usable_size(th_classes_allocator((th_classes *)(uintptr_t)&s->classes),
                                    pointer);
}

/* ---- the check ---------------------------------------------------------------------------- */

typedef struct sums {
    uint64_t blocks, bytes, estimate;
    const th_tracker *tracker;
    bool found;
} sums;

static bool sum_site(void *context, const th_tracker_site *site) {
    sums *all = context;
    all->blocks += site->live_blocks;
    all->bytes += site->live_bytes;
    all->estimate += site->live_estimate;
    return true;
}

static bool look_up(void *context, const th_tracker_block *block) {
    sums *all = context;
    th_tracker_block found;
    all->found = all->found && th_tracker_find(all->tracker, block->address, &found) &&
                 found.bytes == block->bytes && found.site == block->site;
    return true;
}

static th_status check(const void *self, th_fault *fault) {
    const state *s = self;
    th_status status = th_tracker_check(&s->tracker, fault);
    if (status != TH_OK) {
        return status;
    }
    sums all = {.tracker = &s->tracker, .found = true};
    th_tracker_stats stats = th_tracker_get_stats(&s->tracker);
    (void)th_tracker_visit_sites(&s->tracker, sum_site, &all);
    (void)th_tracker_visit_blocks(&s->tracker, look_up, &all);
    if (!all.found || all.blocks != stats.live || all.bytes != stats.requested_bytes ||
        all.estimate != stats.estimated_bytes) {
        *fault = (th_fault){.kind = TH_FAULT_COUNT, .found = (uint32_t)all.blocks};
        return TH_ERR_CORRUPT;
    }
    th_tag_totals_stats told = th_tag_totals_get_stats(&s->totals);
    if (told.live_blocks != stats.live || told.live_bytes != stats.requested_bytes) {
        *fault = (th_fault){.kind = TH_FAULT_COUNT, .found = (uint32_t)told.live_blocks};
        return TH_ERR_CORRUPT;
    }
    return th_tag_totals_check(&s->totals, fault);
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_tracker_stats stats = th_tracker_get_stats(&s->tracker);
    if (has(s, SAMPLES)) {
        return;
    }
    figures->exact = LAB_FIGURE_LIVE | LAB_FIGURE_REQUESTED | LAB_FIGURE_PEAK |
                     LAB_FIGURE_RESERVED | LAB_FIGURE_REFUSED;
    if (!is_over_classes(s)) { /* those may shrink a block where it is after all */
        figures->exact |= LAB_FIGURE_ALLOCS;
    }
    figures->live = stats.live;
    figures->requested = stats.requested_bytes;
    figures->used = stats.live;
    figures->peak = stats.live_max;
    figures->reserved =
        stats.own_bytes + (is_over_classes(s) ? th_classes_get_stats(&s->classes).memory_bytes
                                              : stats.requested_bytes);
    figures->allocs = stats.allocs;
    figures->refused = stats.failed_allocs;
}

/* ---- making and ending -------------------------------------------------------------------- */

static void destroy(void *self) {
    state *s = self;
    if (!is_over_classes(s)) {
        (void)reset(s);
    }
    th_tracker_clean_up(&s->tracker);
    th_classes_clean_up(&s->classes);
    free(s);
}

static th_allocator tracked_by(state *s) {
    const th_classes_config config = {.backing = s->setup.backing, .slab_bytes = 1024};
    if (!is_over_classes(s)) {
        return s->setup.backing;
    }
    (void)th_classes_init(&s->classes, &config);
    return th_classes_allocator(&s->classes);
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const char file[] = "script";
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = resize,
                                             .reset = reset,
                                             .check = check};
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->setup = *setup;
    th_tracker_config config = {.tracked = tracked_by(s),
                                .backing = setup->backing,
                                .on_event = th_tag_totals_on_event,
                                .event_context = &s->totals,
                                .guarding = lab_ground_guarding(setup)};
    if (has(s, REMEMBERS)) {
        config.history_events = HISTORY_EVENTS;
        config.unwind = unwind;
        config.unwind_context = s;
    }
    if (has(s, SAMPLES)) {
        config.sample_bytes = SAMPLE_BYTES;
        instance->flags_missing = LAB_SUBJECT_POINTERS;
    }
    (void)th_tag_totals_init(&s->totals, s->rows, TAGS);
    if (th_tracker_init(&s->tracker, &config) != TH_OK) {
        th_classes_clean_up(&s->classes);
        free(s);
        return false;
    }
    for (uint32_t i = 0; i < LINES; i++) {
        s->views[i] = (th_tracker_view){&s->tracker, th_tracker_line(file, i / 2, i % TAGS)};
    }
    s->table = table;
    if (is_over_classes(s)) {
        s->table.owns = owns;
        s->table.usable_size = usable_size;
    }
    instance->state = s;
    instance->allocator = (th_allocator){.table = &s->table, .self = s};
    instance->keeps_least = th_class_bytes(0);
    return true;
}

const lab_subject lab_subject_tracker = {
    .version = LAB_SUBJECT_VERSION,
    .name = "tracker",
    .purpose = "the tracker over the backing, or over size classes",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS | LAB_SUBJECT_POINTERS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
};
