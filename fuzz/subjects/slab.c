/* SPDX-License-Identifier: MIT */
/* The slab allocator over a backing or on mapped pages, and over the buddy allocator. The variant
 * says what the objects are like (bits 0, 1), whether slabs are coloured and empty ones go back at
 * once (bit 2), and whether pages are mapped (bit 3). */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/slab.h"

LAB_CALLS_OF_ALL(slab, live);
LAB_CALLS_CLEAN_UP(slab);
LAB_CALLS_OF_OBJECTS(slab);
LAB_CALLS_RESIZE(slab);
LAB_CALLS_FREE(slab);

/* Objects may be asked for by less than their size. */
static void *call_alloc_aligned(void *self, size_t bytes, size_t alignment) {
    (void)alignment;
    return th_slab_alloc_bytes(self, bytes);
}

const lab_allocator lab_allocator_slab = {LAB_ALLOCATOR_OF_ALL, .alloc_aligned = call_alloc_aligned,
                                          .resize = call_resize, .free = call_free};

enum { SHAPES = 4, LEAN = 4, MAPPED = 8 };

typedef struct state {
    th_slab slab;
    lab_ground ground;
    th_allocator_table table;
} state;

static_assert(offsetof(state, slab) == 0, "the slab allocator's functions take a state");

static th_status check(const void *self, th_fault *fault) {
    const state *s = self;
    th_status status = th_slab_check(&s->slab, fault);
    return status == TH_OK ? lab_ground_check(&s->ground, fault) : status;
}

static void destroy(void *self) {
    state *s = self;
    lab_allocator_slab.clean_up(&s->slab);
    lab_ground_end(&s->ground);
    free(s);
}

static bool start(state *s, const lab_setup *setup, lab_ground_kind kind, bool mapped) {
    static const struct {
        size_t object_bytes, alignment, slab_bytes;
    } shapes[SHAPES] = {{48, 16, 512}, {100, 0, 1024}, {600, 64, 4096}, {3, 16, 256}};
    unsigned shape = setup->variant % SHAPES;
    th_slab_config config = {.object_bytes = shapes[shape].object_bytes,
                             .alignment = shapes[shape].alignment,
                             .slab_bytes = mapped ? 0 : shapes[shape].slab_bytes,
                             .coloured = (setup->variant & LEAN) != 0,
                             .guarding = lab_ground_guarding(setup)};
    if ((setup->variant & LEAN) != 0) {
        config.empty_slabs_max = TH_SLAB_KEEP_NONE;
    }
    if (!lab_ground_start(&s->ground, kind, setup)) {
        return false;
    }
    if (!mapped) {
        config.backing = s->ground.allocator;
    }
    return th_slab_init(&s->slab, &config) == TH_OK;
}

static bool create(const lab_setup *setup, lab_instance *instance, lab_ground_kind kind) {
    bool mapped = kind == LAB_GROUND_BACKING && (setup->variant & MAPPED) != 0;
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    if (!start(s, setup, kind, mapped)) {
        destroy(s);
        return false;
    }
    s->table = *lab_allocator_slab.interface(&s->slab).table;
    s->table.check = check;
    instance->state = s;
    instance->allocator = (th_allocator){.table = &s->table, .self = s};
    lab_ground_describe(instance, setup, mapped);
    instance->bytes_max = s->slab.config.object_bytes;
    instance->keeps_least = instance->bytes_max;
    instance->alignment_max = s->slab.alignment;
    if (kind == LAB_GROUND_BACKING && !mapped) { /* at worst each object has a slab of its own */
        instance->holds = setup->bytes;
        instance->holds_extra = s->slab.slab_bytes;
    }
    if (s->ground.empty_guaranteed >= s->slab.slab_bytes && setup->alignment <= s->slab.alignment) {
        instance->empty_guaranteed = instance->bytes_max;
    }
    return true;
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_slab_stats stats = th_slab_get_stats(&s->slab);
    bool reserves = s->slab.config.backing.table != NULL && s->ground.kind == LAB_GROUND_BACKING;
    *figures =
        (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_PEAK | LAB_FIGURE_REFUSED_FITTING |
                               (reserves ? LAB_FIGURE_RESERVED : 0),
                      .live = stats.live,
                      .used = stats.live,
                      .peak = stats.live_max,
                      .reserved = stats.slabs * stats.slab_bytes,
                      .refused = stats.failed_allocs};
}

static bool create_plain(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BACKING);
}

static bool create_over_buddy(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BUDDY);
}

#define FLAGS                                                                                      \
    (LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES |       \
     LAB_SUBJECT_POISON)

const lab_subject lab_subject_slab = {
    .version = LAB_SUBJECT_VERSION,
    .name = "slab",
    .purpose = "the slab allocator over a backing, or on mapped pages by variant",
    .flags = FLAGS | LAB_SUBJECT_GROWS | LAB_SUBJECT_OWN_MEMORY,
    .create = create_plain,
    .destroy = destroy,
    .measure = measure,
};

const lab_subject lab_subject_slab_buddy = {
    .version = LAB_SUBJECT_VERSION,
    .name = "slab-buddy",
    .purpose = "the slab allocator over the buddy allocator",
    .flags = FLAGS,
    .create = create_over_buddy,
    .destroy = destroy,
    .measure = measure,
};
