/* SPDX-License-Identifier: MIT */
/* How a block moves where its allocator has nothing better. */
#ifndef TH_ALLOC_MOVING_H
#define TH_ALLOC_MOVING_H

#include "tagheap/allocator.h"

/* Allocates `bytes` bytes by the table, copies the first min(kept, bytes) bytes of a good block
 * there and frees that. NULL, with nothing done, iff there is no memory. */
void *th_move_by_copy(th_allocator allocator, void *pointer, size_t kept, size_t bytes,
                      size_t alignment);

/* NULL: the `realloc` of allocators all of whose blocks have one size, so that what could not be
 * done in place cannot be done. */
void *th_realloc_impossible(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment);

#endif
