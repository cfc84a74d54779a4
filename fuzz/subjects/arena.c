/* SPDX-License-Identifier: MIT */
/* The arena: with marks, with resets, in a buffer of its own, over the tagged heap and over the
 * buddy allocator. The variant says whether emptied chunks go back at once (bit 0), whether the
 * first chunk lies in a buffer (bit 1), and how large chunks are (bits 2, 3). Where chunks are kept
 * as spares, setting a mark trims them. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"

LAB_ALLOCATOR(arena, used_bytes);

enum { RETURNS = 1, BUFFER_FIRST = 2, ALIGNMENT_MAX = 1 << 30, SLACK = 256 };

typedef struct state {
    th_arena arena;
    th_arena_mark mark;
    bool marked;
    size_t used_at_mark;
    lab_setup setup;
    lab_ground ground;
    th_allocator backing;
    unsigned char *buffer;
    th_allocator_table table; /* the arena's, but for the check and the reset */
} state;

static_assert(offsetof(state, arena) == 0, "the arena's functions take a state");

static void destroy(void *self) {
    state *s = self;
    lab_allocator_arena.clean_up(&s->arena);
    th_allocator_free(s->backing, s->buffer);
    lab_ground_end(&s->ground);
    free(s);
}

static th_status check(const void *self, th_fault *fault) {
    const state *s = self;
    th_status status = th_arena_check(&s->arena, fault);
    return status == TH_OK ? lab_ground_check(&s->ground, fault) : status;
}

/* What is promised of an empty one needs the whole ground: spares would be in the way. */
static th_status reset(void *self) {
    state *s = self;
    s->marked = false;
    th_status status = th_arena_reset(&s->arena);
    if (s->ground.empty_guaranteed > 0) {
        (void)th_arena_trim(&s->arena);
    }
    return status;
}

/* `buffer_bytes` of memory of the caller's, at an address that the variant says. */
static bool take_buffer(state *s, const lab_setup *setup, size_t bytes, th_arena_config *config) {
    size_t shift = setup->variant / 4;
    s->buffer = th_allocator_alloc_aligned(s->backing, bytes, 1);
    if (s->buffer == NULL || bytes <= shift) {
        return false;
    }
    config->memory = s->buffer + shift;
    config->memory_bytes = bytes - shift;
    return true;
}

static bool start(state *s, const lab_setup *setup, lab_ground_kind kind, bool only_buffer) {
    static const size_t chunk_bytes[] = {0, 128, 512, 2048};
    th_arena_config config = {.chunk_bytes = chunk_bytes[setup->variant / 4 % 4],
                              .return_chunks = (setup->variant & RETURNS) != 0,
                              .guarding = lab_ground_guarding(setup)};
    s->backing = setup->backing;
    if (!only_buffer) {
        if (!lab_ground_start(&s->ground, kind, setup)) {
            return false;
        }
        config.backing = s->ground.allocator;
    }
    bool takes = only_buffer || (kind == LAB_GROUND_BACKING && setup->variant & BUFFER_FIRST);
    if (takes && !take_buffer(s, setup, only_buffer ? setup->bytes : setup->bytes / 4, &config)) {
        return false;
    }
    return th_arena_init(&s->arena, &config) == TH_OK;
}

/* What can be had of an empty arena: the buffer or, if a whole chunk fits into the ground, as much
 * as the ground gives; but for headers and alignment. 0 where it grows: nothing to be said. */
static size_t sure_of(const state *s, bool only_buffer) {
    size_t whole =
        only_buffer ? th_arena_get_stats(&s->arena).reserved_bytes : s->ground.empty_guaranteed;
    size_t least = SLACK + (only_buffer ? 0 : s->arena.config.chunk_bytes);
    return whole > least ? whole - SLACK : 0;
}

static bool create(const lab_setup *setup, lab_instance *instance, lab_ground_kind kind,
                   bool only_buffer) {
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    if (!start(s, setup, kind, only_buffer)) {
        destroy(s);
        return false;
    }
    s->table = *lab_allocator_arena.interface(&s->arena).table;
    s->table.check = check;
    s->table.reset = reset;
    s->setup = *setup;
    instance->state = s;
    instance->allocator = (th_allocator){.table = &s->table, .self = s};
    instance->bytes_max = setup->bytes;
    instance->alignment_max = ALIGNMENT_MAX;
    instance->empty_guaranteed = sure_of(s, only_buffer);
    if (only_buffer) {
        instance->holds = instance->empty_guaranteed;
        instance->holds_extra = LAB_GROUND_GAP_BYTES;
    }
    return true;
}

static bool create_plain(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BACKING, false);
}

static bool create_in_buffer(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BACKING, true);
}

static bool create_over_heap(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_HEAP, false);
}

static bool create_over_buddy(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BUDDY, false);
}

static void mark(void *self) {
    state *s = self;
    (void)th_arena_trim(&s->arena);
    s->mark = th_arena_take_mark(&s->arena);
    s->marked = true;
    s->used_at_mark = th_arena_get_stats(&s->arena).used_bytes;
}

/* Everything beyond the mark is gone. */
static void expect_used(const state *s, size_t due) {
    size_t used = th_arena_get_stats(&s->arena).used_bytes;
    const th_fault fault = {
        .kind = TH_FAULT_COUNT, .expected = (uint32_t)due, .found = (uint32_t)used};
    if (used != due) {
        s->setup.on_fault(s->setup.fault_context, &fault);
    }
}

static void rollback(void *self) {
    state *s = self;
    if (s->marked) {
        (void)th_arena_rollback(&s->arena, &s->mark);
        expect_used(s, s->used_at_mark);
    } else {
        (void)th_arena_reset(&s->arena);
        expect_used(s, 0);
    }
}

static void watch(const void *self, lab_watched *watched) {
    const state *s = self;
    lab_ground_watch(&s->arena.span, watched);
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_arena_stats stats = th_arena_get_stats(&s->arena);
    bool reserves = s->buffer == NULL && s->ground.kind == LAB_GROUND_BACKING;
    *figures = (lab_figures){.exact = LAB_FIGURE_PEAK | LAB_FIGURE_ALLOCS | LAB_FIGURE_REFUSED |
                                      (reserves ? LAB_FIGURE_RESERVED : 0),
                             .used = stats.used_bytes,
                             .peak = stats.high_water_bytes,
                             .reserved = stats.reserved_bytes,
                             .allocs = stats.allocs,
                             .refused = stats.failed_allocs};
}

const lab_subject lab_subject_arena = {
    .version = LAB_SUBJECT_VERSION,
    .name = "arena",
    .purpose = "the arena, with marks",
    .flags = LAB_SUBJECT_GROWS | LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create_plain,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
    .mark = mark,
    .rollback = rollback,
};

const lab_subject lab_subject_arena_reset = {
    .version = LAB_SUBJECT_VERSION,
    .name = "arena-reset",
    .purpose = "the arena, reset as a whole",
    .flags = LAB_SUBJECT_GROWS | LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create_plain,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
};

const lab_subject lab_subject_arena_buffer = {
    .version = LAB_SUBJECT_VERSION,
    .name = "arena-buffer",
    .purpose = "the arena in one buffer, without a backing",
    .flags = LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create_in_buffer,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
};

const lab_subject lab_subject_arena_heap = {
    .version = LAB_SUBJECT_VERSION,
    .name = "arena-heap",
    .purpose = "the arena over the tagged heap",
    .flags = LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create_over_heap,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
    .mark = mark,
    .rollback = rollback,
};

const lab_subject lab_subject_arena_buddy = {
    .version = LAB_SUBJECT_VERSION,
    .name = "arena-buddy",
    .purpose = "the arena over the buddy allocator",
    .flags = LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create_over_buddy,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
    .mark = mark,
    .rollback = rollback,
};
