/* SPDX-License-Identifier: MIT */
/* The tagged heap under one tag, HEAD, or TAIL in odd variants: in the layout that it chooses, and
 * in the two others by name. And as it is, with all tags, both sides and compaction. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "subjects/subjects.h"
#include "tagheap/heap_allocator.h"

typedef struct state {
    th_tagged_allocator adapter;
    th_heap heap;
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
                             .guarding.level = lean ? 0 : setup->guard,
                             .layout = layout,
                             .guarding.on_fault = setup->on_fault,
                             .guarding.fault_context = setup->fault_context};
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
    instance->empty_guaranteed = th_heap_largest_free_bytes(&s->heap);
    instance->bytes_max = instance->empty_guaranteed;
    instance->holds = instance->empty_guaranteed;
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

/* ---- as it is ----------------------------------------------------------------------------- */

static_assert(offsetof(state, adapter) == 0, "the adapter's functions take a state");

static th_status reset_all(void *self) {
    state *s = self;
    (void)th_heap_free_tags(&s->heap, 0, TH_TAG_TAIL_MAX);
    return TH_OK;
}

static bool owns_any(const void *self, const void *pointer) {
    th_heap_block block;
    const state *s = self;
    return th_heap_find(&s->heap, pointer, &block) && block.tag != TH_TAG_FREE;
}

static bool create_moving(const lab_setup *setup, lab_instance *instance) {
    static th_allocator_table table;
    if (!create_in(TH_HEAP_LAYOUT_CLASSIC, setup, instance)) {
        return false;
    }
    state *s = instance->state;
    s->adapter.tag = 0;
    table = *instance->allocator.table;
    table.reset = reset_all;
    table.owns = owns_any;
    instance->allocator.table = &table;
    instance->tag_max = TH_TAG_TAIL_MAX;
    instance->tag_top_min = TH_TAG_TAIL_MIN;
    return true;
}

static void *alloc_tagged(void *self, size_t bytes, size_t alignment, uint32_t tag, bool zeroed) {
    state *s = self;
    return zeroed ? th_heap_alloc_zeroed(&s->heap, bytes, alignment, tag, 0)
                  : th_heap_alloc_aligned(&s->heap, bytes, alignment, tag);
}

static uint64_t free_tags(void *self, uint32_t low, uint32_t high) {
    return th_heap_free_tags(&((state *)self)->heap, low, high);
}

/* What the heap's callback goes on to. */
typedef struct question {
    lab_may_move may_move;
    void *context;
} question;

static bool ask(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    const question *q = context;
    (void)tag;
    return q->may_move(q->context, from, to, bytes);
}

static uint64_t compact(void *self, size_t bytes, lab_may_move may_move, void *context) {
    state *s = self;
    question q = {may_move, context};
    return bytes == SIZE_MAX ? th_heap_compact(&s->heap, ask, &q).blocks_moved
                             : th_heap_compact_some(&s->heap, bytes, ask, &q).blocks_moved;
}

static uint32_t tag_of(const void *self, const void *block) {
    th_heap_block found;
    const state *s = self;
    return th_heap_find(&s->heap, block, &found) ? found.tag : TH_TAG_FREE;
}

static uint64_t free_block(void *self, void *block) {
    return th_heap_free(&((state *)self)->heap, block);
}

static void measure(const void *self, lab_figures *figures) {
    th_heap_stats stats = th_heap_get_stats(&((const state *)self)->heap);
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_PEAK,
                             .live = stats.head_blocks + stats.tail_blocks,
                             .used = stats.used_bytes,
                             .peak = stats.high_water_bytes};
}

static const lab_tagging tagging = {alloc_tagged, free_tags, compact, tag_of};

const lab_subject lab_subject_tagged_moves = {
    .version = LAB_SUBJECT_VERSION,
    .name = "tagged-moves",
    .purpose = "the tagged heap with tags, both sides and compaction",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES |
             LAB_SUBJECT_POISON | LAB_SUBJECT_IS_BUSY,
    .create = create_moving,
    .destroy = destroy,
    .measure = measure,
    .tags = &tagging,
    .free_block = free_block,
    .freed = LAB_FREED_AT_LEAST,
};
