/* SPDX-License-Identifier: MIT */
/* The tagged heap as an allocator: whatever is allocated through it has one tag. So the heap can be
 * the backing of any companion, and all that it holds goes with one call.
 *
 * Ownership, thread rule, complexity and faults are those of the heap. */
#ifndef TAGHEAP_HEAP_ALLOCATOR_H
#define TAGHEAP_HEAP_ALLOCATOR_H

#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/heap.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_tagged_allocator {
    th_heap *heap;
    uint32_t tag;
} th_tagged_allocator;

/* Blocks are those of th_heap_alloc_aligned, one that is resized to less than half of its usable
 * size is trimmed (th_heap_trim), reset frees the tag's blocks. *adapter is filled in and must live
 * as long as the allocator is used. O(1). */
th_allocator th_heap_allocator(th_tagged_allocator *adapter, th_heap *heap, uint32_t tag);

#ifdef __cplusplus
}
#endif
#endif
