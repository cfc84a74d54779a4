/* SPDX-License-Identifier: MIT */
/* Allocation and freeing inside a call: the lock is held and the frame (call.h) entered. */
#ifndef TH_HEAP_ALLOC_H
#define TH_HEAP_ALLOC_H

#include "heap/chain.h"

typedef enum th_outcome {
    TH_OUTCOME_DONE,
    TH_OUTCOME_NO_ROOM,
    TH_OUTCOME_FAULT, /* raised already; nothing was changed */
    TH_OUTCOME_BROKEN /* the same, for the control structure: the heap must not be looked at */
} th_outcome;

/* What a new block is to be. */
typedef struct th_request {
    size_t bytes;
    size_t alignment; /* a power of two */
    uint32_t tag;
    uint32_t site;
} th_request;

/* Places the block and opens its payload; *made is its header. */
th_outcome th_block_make(th_heap *heap, const th_request *request, th_header *made);

/* Frees a live block, verified by th_require_live. The bytes made available; 0 after a fault. */
size_t th_block_free(th_heap *heap, const th_header *block);

/* th_heap_alloc_at, th_heap_alloc_zeroed and th_heap_free, however the heap is configured. */
void *th_alloc_checked(th_heap *heap, size_t alignment, size_t bytes, uint32_t tag, uint32_t site);
void *th_alloc_checked_zeroed(th_heap *heap, size_t alignment, size_t bytes, uint32_t tag,
                              uint32_t site);
size_t th_free_checked(th_heap *heap, void *pointer);

/* Widens the ranges of memory that were ever used by the dwords of a block that became live, or
 * grew; free memory that thereby comes to lie inside them (`below`: a gap under the block,
 * `above`: a remainder over it; either may be NULL) is poisoned. */
void th_note_used(th_heap *heap, const th_header *block, const th_header *below,
                  const th_header *above);

/* If the outcome is that there is no room for `bytes`: asks the low-memory callback, without the
 * lock. True: try again. The outcome is TH_OUTCOME_BROKEN if the callback damaged the th_heap. */
bool th_ask_low_memory(th_heap *heap, size_t bytes, th_outcome *outcome);

/* A well-formed request has found no room. */
void th_note_failure(th_heap *heap);

#endif
