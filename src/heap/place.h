/* SPDX-License-Identifier: MIT */
/* Where a block goes (docs/heap.md section 3). Nothing here changes the heap. */
#ifndef TH_HEAP_PLACE_H
#define TH_HEAP_PLACE_H

#include "heap/chain.h"

typedef enum th_place_result {
    TH_PLACE_FOUND,
    TH_PLACE_NONE,   /* nothing in that side's reach fits */
    TH_PLACE_BROKEN, /* the chain is damaged: a fault was raised */
} th_place_result;

typedef struct th_place {
    th_header free;  /* the free block to be carved */
    th_header above; /* the block above it */
    uint32_t offset; /* where the new block's header goes */
} th_place;

/* The place for a new block of `need` payload dwords under `tag`. O(log n) with an index,
 * else O(n); O((k + 1) log n) for an alignment above the heap's own, k being the blocks that are
 * large enough and yet have no such address. */
th_place_result th_place_find(const th_heap *heap, uint32_t need, uint32_t align_log2, uint32_t tag,
                              th_place *place);

/* How far above `from`, where free memory begins, the smallest suitable header offset lies: the
 * payload is aligned, and the gap is empty or large enough for a block. May lead beyond any end. */
uint32_t th_place_gap(const th_heap *heap, uint32_t from, uint32_t align_log2);

#endif
