/* SPDX-License-Identifier: MIT */
/* The tagged heap under one tag: HEAD, or TAIL in odd variants. */
#include <stdlib.h>

#include "subjects/subjects.h"

typedef struct state {
    th_heap heap;
    th_tagged_allocator adapter;
    th_allocator backing;
    void *region;
} state;

/* What a block costs at most beside its bytes and its alignment: a header, and what is too little
 * to be split off, on both sides of it. */
enum { EACH_BYTES = 128 };

static bool create(const lab_setup *setup, lab_instance *instance) {
    state *s = calloc(1, sizeof *s);
    th_heap_config config = {.alignment = setup->alignment,
                             .guard = setup->guard,
                             .on_fault = setup->on_fault,
                             .fault_context = setup->fault_context};
    if (s == NULL) {
        return false;
    }
    s->backing = setup->backing;
    s->region = th_allocator_alloc_aligned(s->backing, setup->bytes, setup->alignment);
    if (s->region == NULL || th_heap_init(&s->heap, s->region, setup->bytes, &config) != TH_OK) {
        th_allocator_free(s->backing, s->region);
        free(s);
        return false;
    }
    instance->state = s;
    instance->allocator =
        th_heap_allocator(&s->adapter, &s->heap, setup->variant % 2 == 0 ? 0x1234 : 0x5678);
    instance->empty_sure = th_heap_largest_free_bytes(&s->heap);
    instance->bytes_max = instance->empty_sure;
    instance->holds = instance->empty_sure;
    instance->holds_extra = EACH_BYTES;
    instance->keeps_least = EACH_BYTES;
    return true;
}

static void destroy(void *self) {
    state *s = self;
    th_heap_clean_up(&s->heap);
    th_allocator_free(s->backing, s->region);
    free(s);
}

const lab_subject lab_subject_tagged = {
    .version = LAB_SUBJECT_VERSION,
    .name = "tagged",
    .purpose = "the tagged heap, all blocks under one tag",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES |
             LAB_SUBJECT_POISON,
    .create = create,
    .destroy = destroy,
};
