/* SPDX-License-Identifier: MIT */
/* The tagged heap under one tag, HEAD, or TAIL in odd variants: in the layout that it chooses, and
 * in the two others by name. */
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

static bool create_in(th_heap_layout layout, const lab_setup *setup, lab_instance *instance) {
    state *s = calloc(1, sizeof *s);
    bool lean = layout == TH_HEAP_LAYOUT_LEAN;
    uint32_t tail = layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_TAIL_MIN : TH_TAG_TAIL_MIN;
    th_heap_config config = {.alignment = setup->alignment,
                             .guard = lean ? 0 : setup->guard,
                             .layout = layout,
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
        th_heap_allocator(&s->adapter, &s->heap, setup->variant % 2 == 0 ? 0x1234 : tail + 0x1678);
    instance->empty_sure = th_heap_largest_free_bytes(&s->heap);
    instance->bytes_max = instance->empty_sure;
    instance->holds = instance->empty_sure;
    instance->holds_extra = EACH_BYTES;
    instance->keeps_least = lean ? 0 : EACH_BYTES; /* a lean block keeps what it has */
    return true;
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    return create_in(TH_HEAP_LAYOUT_AUTO, setup, instance);
}

static bool create_lean(const lab_setup *setup, lab_instance *instance) {
    return create_in(TH_HEAP_LAYOUT_LEAN, setup, instance);
}

static bool create_wide(const lab_setup *setup, lab_instance *instance) {
    return create_in(TH_HEAP_LAYOUT_WIDE, setup, instance);
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

const lab_subject lab_subject_tagged_lean = {
    .version = LAB_SUBJECT_VERSION,
    .name = "tagged-lean",
    .purpose = "the tagged heap with headers of 8 bytes, without guards",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_WRITABLE,
    .create = create_lean,
    .destroy = destroy,
};

const lab_subject lab_subject_tagged_wide = {
    .version = LAB_SUBJECT_VERSION,
    .name = "tagged-wide",
    .purpose = "the tagged heap with 31-bit tags",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES |
             LAB_SUBJECT_POISON,
    .create = create_wide,
    .destroy = destroy,
};
