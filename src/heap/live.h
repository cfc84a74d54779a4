/* SPDX-License-Identifier: MIT */
/* Which live block does a pointer belong to, and is what lies beside a block in order? */
#ifndef TH_HEAP_LIVE_H
#define TH_HEAP_LIVE_H

#include "heap/chain.h"

/* Finds the live block whose payload starts at `pointer`. With guards: false after a fault if
 * there is none, or its header or canary is damaged. */
bool th_require_live(const th_heap *heap, const void *pointer, th_header *block);

/* Level >= 2: verifies the header and link of the block below, if there is one, or above (not of
 * LAST). False after a fault. For operations that do not load that neighbour anyway. */
bool th_guard_below(const th_heap *heap, const th_header *block);
bool th_guard_above(const th_heap *heap, const th_header *block);

#endif
