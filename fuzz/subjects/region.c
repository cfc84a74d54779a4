/* SPDX-License-Identifier: MIT */
/* Regions. A mark begins a phase, in which all that follows is allocated: a child of the last one,
 * or in odd variants of the root. Going back ends the phase, and the next one begins with the next
 * allocation; every other time the phase is reset, and goes on. A reset is that of the root, which
 * is all there is then; without phases, going back is the same.
 *
 * The variant also says whether emptied chunks go back at once (bit 1), and how large chunks are
 * (bits 2, 3); with the largest, the root begins in a buffer of its own. Every region has a
 * cleanup, which tries to end the root and must be refused; that one has not run, or has run twice,
 * is raised as a fault. */
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/region.h"

static void call_clean_up(void *self) {
    if (th_region_destroy(self) != TH_OK) {
        abort(); /* busy, but only in one of its own cleanup functions */
    }
}

LAB_CALLS_OF_ALL(region, used_bytes);
LAB_CALLS_OF_SIZES(region);

const lab_allocator lab_allocator_region = {LAB_ALLOCATOR_OF_ALL,
                                            .alloc_aligned = call_alloc_aligned};

enum { SIBLINGS = 1, RETURNS = 2, ALIGNMENT_MAX = 1 << 30, PHASES_FIRST = 16 };

/* A phase, and whether its cleanup was registered: that takes memory. */
typedef struct phase {
    th_region *region; /* NULL: not begun yet */
    bool deferred;
} phase;

typedef struct state {
    th_region root;
    bool root_deferred;
    phase *phases; /* phases[0 .. count-1], the oldest first; only the last may not have begun */
    size_t count, capacity;
    bool are_siblings;
    bool resets; /* the last phase that was gone back from was reset, not ended */
    size_t ran;  /* cleanups, since they were last accounted for */
    bool is_reentering;
    size_t refused; /* attempts to end the root, by the cleanup that runs */
    lab_ground ground;
    unsigned char *buffer; /* NULL: none */
    lab_setup setup;
} state;

/* ---- cleanups ----------------------------------------------------------------------------- */

static void complain(const state *s, size_t expected, size_t found) {
    const th_fault fault = {
        .kind = TH_FAULT_COUNT, .expected = (uint32_t)expected, .found = (uint32_t)found};
    s->setup.on_fault(s->setup.fault_context, &fault);
}

/* Of the tree: what a cleanup provokes is as it should be. */
static void take_fault(void *context, const th_fault *fault) {
    state *s = context;
    if (s->is_reentering && fault->kind == TH_FAULT_REENTRY) {
        s->refused++;
    } else {
        s->setup.on_fault(s->setup.fault_context, fault);
    }
}

/* The root is closing, or something in it is. */
static void note_cleanup(void *context) {
    state *s = context;
    s->ran++;
    s->refused = 0;
    s->is_reentering = true;
    bool is_busy = th_region_destroy(&s->root) == TH_ERR_BUSY;
    s->is_reentering = false;
    if (!is_busy || s->refused != 1) {
        complain(s, 1, s->refused);
    }
}

static bool defer(state *s, th_region *region) {
    return th_region_defer(region, note_cleanup, s) == TH_OK;
}

static void expect_cleanups(state *s, size_t due) {
    if (s->ran != due) {
        complain(s, due, s->ran);
    }
    s->ran = 0;
}

static size_t count_deferred(const state *s) {
    size_t count = s->root_deferred;
    for (size_t i = 0; i < s->count; i++) {
        count += s->phases[i].deferred;
    }
    return count;
}

/* ---- phases ------------------------------------------------------------------------------- */

/* The region of now; NULL iff there is no memory to begin it. */
static th_region *current(state *s) {
    if (s->count == 0) {
        return &s->root;
    }
    phase *last = &s->phases[s->count - 1];
    if (last->region == NULL) {
        bool under_root = s->are_siblings || s->count == 1;
        last->region = th_region_create(under_root ? &s->root : last[-1].region);
        last->deferred = last->region != NULL && defer(s, last->region);
    }
    return last->region;
}

static void mark(void *self) {
    state *s = self;
    if (s->count > 0 && s->phases[s->count - 1].region == NULL) {
        return;
    }
    if (s->count == s->capacity) {
        size_t capacity = s->capacity != 0 ? 2 * s->capacity : PHASES_FIRST;
        phase *phases = realloc(s->phases, capacity * sizeof *phases);
        if (phases == NULL) {
            abort();
        }
        s->phases = phases;
        s->capacity = capacity;
    }
    s->phases[s->count++] = (phase){.region = NULL};
}

static th_status reset(void *self) {
    state *s = self;
    size_t due = count_deferred(s);
    th_status status = th_region_reset(&s->root);
    expect_cleanups(s, due);
    s->root_deferred = defer(s, &s->root);
    s->count = 0;
    return status;
}

static void leave(state *s, phase *last) {
    s->resets = !s->resets;
    if (s->resets) {
        (void)th_region_reset(last->region);
    } else {
        (void)th_region_destroy(last->region);
        last->region = NULL;
    }
    expect_cleanups(s, last->deferred);
    last->deferred = s->resets && defer(s, last->region);
}

static void rollback(void *self) {
    state *s = self;
    if (s->count == 0) {
        (void)reset(s);
    } else if (s->phases[s->count - 1].region != NULL) {
        leave(s, &s->phases[s->count - 1]);
    }
}

/* ---- as an allocator ---------------------------------------------------------------------- */

/* The region that owns the pointer as an allocator; the root, if none does. */
static th_allocator owner_of(const state *s, const void *pointer) {
    for (size_t i = s->count; i-- > 0;) {
        th_region *region = s->phases[i].region;
        if (region != NULL && th_allocator_owns(th_region_allocator(region), pointer)) {
            return th_region_allocator(region);
        }
    }
    return th_region_allocator((th_region *)&s->root);
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_region *region = current(self);
    return region != NULL ? th_region_alloc_aligned(region, bytes, alignment) : NULL;
}

static void free_block(void *self, void *pointer) {
    th_allocator_free(owner_of(self, pointer), pointer);
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_allocator_resize_in_place(owner_of(self, pointer), pointer, bytes);
}

static void *resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_allocator owner = owner_of(self, pointer);
    return owner.table->realloc(owner.self, pointer, kept, bytes, alignment);
}

static bool owns(const void *self, const void *pointer) {
    return th_allocator_owns(owner_of(self, pointer), pointer);
}

static th_status check(const void *self, th_fault *fault) {
    const state *s = self;
    th_status status = th_region_check(&s->root, fault);
    return status == TH_OK ? lab_ground_check(&s->ground, fault) : status;
}

/* ---- as a subject ------------------------------------------------------------------------- */

static void destroy(void *self) {
    state *s = self;
    size_t due = count_deferred(s);
    (void)th_region_destroy(&s->root);
    expect_cleanups(s, due);
    th_allocator_free(s->setup.backing, s->buffer);
    lab_ground_end(&s->ground);
    free(s->phases);
    free(s);
}

/* False: not enough memory. */
static bool start(state *s, const lab_setup *setup, lab_ground_kind kind) {
    static const size_t chunk_bytes[] = {0, 128, 512, 2048};
    unsigned chunks = setup->variant / 4 % 4;
    th_arena_config config = {.chunk_bytes = chunk_bytes[chunks],
                              .return_chunks = (setup->variant & RETURNS) != 0,
                              .guarding = lab_ground_guarding(setup)};
    config.guarding.on_fault = take_fault;
    config.guarding.fault_context = s;
    if (!lab_ground_start(&s->ground, kind, setup)) {
        return false;
    }
    if (chunks == 3 && kind == LAB_GROUND_BACKING) {
        config.memory_bytes = setup->bytes / 4;
        s->buffer = th_allocator_alloc_aligned(setup->backing, config.memory_bytes, 1);
        config.memory = s->buffer;
        if (s->buffer == NULL) {
            return false;
        }
    }
    config.backing = s->ground.allocator;
    return th_region_init(&s->root, &config) == TH_OK;
}

static bool create(const lab_setup *setup, lab_instance *instance, lab_ground_kind kind) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = resize,
                                             .reset = reset,
                                             .owns = owns,
                                             .check = check};
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->setup = *setup;
    s->are_siblings = (setup->variant & SIBLINGS) != 0;
    if (!start(s, setup, kind)) {
        destroy(s);
        return false;
    }
    s->root_deferred = defer(s, &s->root);
    instance->state = s;
    instance->allocator = (th_allocator){.table = &table, .self = s};
    instance->bytes_max = setup->bytes;
    instance->alignment_max = ALIGNMENT_MAX;
    return true;
}

static bool create_plain(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BACKING);
}

static bool create_over_heap(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_HEAP);
}

static void watch(const void *self, lab_watched *watched) {
    const state *s = self;
    const th_region *now = s->count > 0 ? s->phases[s->count - 1].region : &s->root;
    if (now != NULL) {
        lab_ground_watch(&now->arena.span, watched);
    }
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    if (s->buffer == NULL && s->ground.kind == LAB_GROUND_BACKING) {
        figures->exact = LAB_FIGURE_RESERVED;
        figures->reserved = th_region_get_stats(&s->root).tree_reserved_bytes;
    }
}

const lab_subject lab_subject_region = {
    .version = LAB_SUBJECT_VERSION,
    .name = "region",
    .purpose = "regions, nested or side by side by variant",
    .flags = LAB_SUBJECT_GROWS | LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create_plain,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
    .mark = mark,
    .rollback = rollback,
};

const lab_subject lab_subject_region_heap = {
    .version = LAB_SUBJECT_VERSION,
    .name = "region-heap",
    .purpose = "regions over the tagged heap",
    .flags = LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create_over_heap,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
    .mark = mark,
    .rollback = rollback,
};
