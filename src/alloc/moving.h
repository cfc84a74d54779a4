/* SPDX-License-Identifier: MIT */
/* How a block moves where its allocator has nothing better. */
#ifndef TH_ALLOC_MOVING_H
#define TH_ALLOC_MOVING_H

#include "tagheap/allocator.h"

/* Allocates `bytes` bytes by the table, copies the first min(kept, bytes) bytes of a good block
 * there and frees that. NULL, with nothing done, iff there is no memory. */
void *th_move_by_copy(th_allocator allocator, void *pointer, size_t kept, size_t bytes,
                      size_t alignment);

#endif
