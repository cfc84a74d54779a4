/* SPDX-License-Identifier: MIT */
/* What allocators that hand large requests on need of them. */
#ifndef TH_ALLOC_LARGE_H
#define TH_ALLOC_LARGE_H

#include "tagheap/large.h"

/* th_large_alloc, but the contents are indeterminate. */
void *th_large_alloc_unzeroed(th_large *large, size_t bytes, size_t alignment);

/* Is there a live block at exactly this address? Raises nothing. */
th_status th_large_verify(const th_large *large, const void *block, th_fault *fault);

/* th_large_resize_in_place, but false also if the block would keep more than twice its size of a
 * backing. */
bool th_large_resize_snugly(th_large *large, void *block, size_t bytes);

#endif
