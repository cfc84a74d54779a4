/* SPDX-License-Identifier: MIT */
/* The classic facade: one static heap under the TH_* names. */
#include "tagheap/classic.h"

#define DWORD_BYTES sizeof(uint32_t)

static uint32_t region[TH_HEAP_DWORDS];
static uint64_t index_memory[TH_HEAP_INDEX_BYTES_MAX(sizeof region, DWORD_BYTES) / 8 + 1];
static th_heap heap;

#define TAG16_TAIL     0x8000u /* bit 15: TAIL, in the 16-bit spelling */
#define TAG16_TAIL_MAX 0xBFFEu

/* The 15-bit tag; TH_TAG_FREE, which the heap refuses, for what is no tag. */
static uint32_t fold_tag(uint32_t tag) {
    if (tag < TAG16_TAIL) {
        return tag;
    }
    return tag <= TAG16_TAIL_MAX ? TH_TAG_TAIL_MIN | (tag & TH_TAG_HEAD_MAX) : TH_TAG_FREE;
}

/* The same, where larger spellings mean "above every tag". */
static uint32_t fold_bound(uint32_t bound) {
    return bound > TAG16_TAIL_MAX ? TH_TAG_FREE : fold_tag(bound);
}

/* The hooks are in no seal: they may be set whether the heap is started or not. */
void TH_on_fault(th_fault_handler handler, void *context) {
    heap.config.guarding.on_fault = handler;
    heap.config.guarding.fault_context = context;
}

void TH_init(void) {
    const th_heap_config config = {.alignment = DWORD_BYTES,
                                   .guarding.level = th_guard_max(),
                                   .index = TH_HEAP_INDEX_GIVEN,
                                   .index_memory = index_memory,
                                   .index_bytes = sizeof index_memory,
                                   .guarding.on_fault = heap.config.guarding.on_fault,
                                   .guarding.fault_context = heap.config.guarding.fault_context};
    (void)th_heap_init(&heap, region, sizeof region, &config);
}

th_heap *TH_heap(void) {
    return heap.base != NULL ? &heap : NULL;
}

void *TH_alloc(int bytes, uint32_t tag) {
    if (heap.base == NULL || bytes <= 0) {
        return NULL;
    }
    return th_heap_alloc(&heap, (size_t)bytes, fold_tag(tag));
}

void *TH_realloc(void *pointer, int bytes) {
    if (heap.base == NULL) {
        return NULL;
    }
    return th_heap_realloc(&heap, pointer, bytes > 0 ? (size_t)bytes : 0);
}

int TH_free(void *pointer) {
    return heap.base != NULL ? (int)th_heap_free(&heap, pointer) : 0;
}

int TH_freetags(uint32_t low, uint32_t high) {
    if (heap.base == NULL) {
        return 0;
    }
    return (int)th_heap_free_tags(&heap, fold_bound(low), fold_bound(high));
}

/* The classic callback has no context: it travels in the heap's. */
typedef struct classic_move {
    TH_defrag_fn may_move;
} classic_move;

static bool forward(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    const classic_move *move = context;
    return move->may_move(tag, from, to, (int)bytes);
}

int TH_defrag(TH_defrag_fn may_move) {
    if (heap.base == NULL) {
        return 0;
    }
    classic_move move = {may_move};
    return (int)th_heap_compact(&heap, may_move != NULL ? forward : NULL, &move).blocks_moved;
}

int TH_countfreehead(void) {
    return heap.base != NULL ? (int)th_heap_free_head_bytes(&heap) : 0;
}
