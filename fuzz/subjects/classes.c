/* SPDX-License-Identifier: MIT */
/* The size classes over a backing, or on mapped pages (bit 0 of the variant), through their table
 * or (bit 1) through the calls that are malloc, calloc, realloc and aligned_alloc. Bits 2 and 3 say
 * how large slabs are. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/classes.h"
#include "tagheap/pages.h"

LAB_CALLS_OF_ALL(classes, requested_bytes);
LAB_CALLS_CLEAN_UP(classes);
LAB_CALLS_OF_SIZES(classes);
LAB_CALLS_FREE(classes);

/* Blocks do not grow in place. */
static bool call_resize(void *self, void *block, size_t bytes) {
    return th_classes_realloc(self, block, bytes) != NULL;
}

const lab_allocator lab_allocator_classes = {LAB_ALLOCATOR_OF_ALL,
                                             .alloc_aligned = call_alloc_aligned,
                                             .resize = call_resize, .free = call_free};

enum { MAPPED = 1, STANDARD_CALLS = 2, SIZES = 4 };

typedef struct state {
    th_classes classes;
    lab_setup setup;
    unsigned calls;
    th_allocator_table table;
} state;

static_assert(offsetof(state, classes) == 0, "the allocator's functions take a state");

static void complain(const state *s, th_fault_kind kind, size_t offset) {
    const th_fault fault = {.kind = kind, .offset = (uint32_t)offset};
    s->setup.on_fault(s->setup.fault_context, &fault);
}

/* As elements of 1, 2 or 8 bytes. A product that wraps to the same size must be refused. */
static void *alloc_zeroed(state *s, size_t bytes) {
    size_t element = bytes % 8 == 0 ? 8 : bytes % 2 == 0 ? 2 : 1;
    size_t wraps = element > 1 ? SIZE_MAX / element + 1 : 0;
    unsigned char *block = th_classes_alloc_array_zeroed(&s->classes, bytes / element, element);
    if (wraps != 0 &&
        th_classes_alloc_array_zeroed(&s->classes, bytes / element + wraps, element) != NULL) {
        complain(s, TH_FAULT_COUNT, bytes);
    }
    for (size_t i = 0; block != NULL && i < bytes; i++) {
        if (block[i] != 0) {
            complain(s, TH_FAULT_POISON, i);
            break;
        }
    }
    return block;
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    state *s = self;
    if (alignment > TH_ALLOCATOR_ALIGNMENT) {
        return th_classes_alloc_aligned(&s->classes, bytes, alignment);
    }
    return ++s->calls % 2 == 0 ? th_classes_alloc(&s->classes, bytes) : alloc_zeroed(s, bytes);
}

static void *resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    (void)kept;
    return alignment > TH_ALLOCATOR_ALIGNMENT
               ? th_classes_realloc_aligned(self, pointer, bytes, alignment)
               : th_classes_realloc(self, pointer, bytes);
}

static void destroy(void *self) {
    state *s = self;
    lab_allocator_classes.clean_up(&s->classes);
    free(s);
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const size_t slab_bytes[SIZES] = {1024, 0, 4096, 16384};
    static const size_t mapped_bytes[SIZES] = {4096, 0, 8192, 65536};
    bool mapped = (setup->variant & MAPPED) != 0;
    unsigned size = setup->variant / SIZES % SIZES;
    th_classes_config config = {.slab_bytes = mapped ? mapped_bytes[size] : slab_bytes[size],
                                .guarding = lab_ground_guarding(setup)};
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    if (!mapped) {
        config.backing = setup->backing;
    }
    if (th_classes_init(&s->classes, &config) != TH_OK) {
        free(s);
        return false;
    }
    s->setup = *setup;
    s->table = *lab_allocator_classes.interface(&s->classes).table;
    if ((setup->variant & STANDARD_CALLS) != 0) {
        s->table.alloc = alloc;
        s->table.resize_in_place = NULL;
        s->table.realloc = resize;
    }
    instance->state = s;
    instance->allocator = (th_allocator){.table = &s->table, .self = s};
    lab_ground_describe(instance, setup, mapped);
    instance->keeps_least = th_class_bytes(0);
    if (mapped && s->classes.class_bytes_max < th_pages_size()) {
        instance->keeps_least = th_pages_size(); /* of a block right above the largest class */
    }
    return true;
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    th_classes_stats stats = th_classes_get_stats(&s->classes);
    bool reserves = s->classes.config.backing.table != NULL;
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_REQUESTED | LAB_FIGURE_REFUSED |
                                      (reserves ? LAB_FIGURE_RESERVED : 0),
                             .live = stats.live,
                             .requested = stats.requested_bytes,
                             .reserved = stats.memory_bytes,
                             .refused = stats.failed_allocs};
}

const lab_subject lab_subject_classes = {
    .version = LAB_SUBJECT_VERSION,
    .name = "classes",
    .purpose = "the size classes over a backing, or on mapped pages by variant",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS | LAB_SUBJECT_OWN_MEMORY | LAB_SUBJECT_TRACKED |
             LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES | LAB_SUBJECT_POISON | LAB_SUBJECT_ENDS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
};
