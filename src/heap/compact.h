/* SPDX-License-Identifier: MIT */
/* Bringing a move to its end that was begun elsewhere. */
#ifndef TH_HEAP_COMPACT_H
#define TH_HEAP_COMPACT_H

#include "heap/chain.h"

/* The most headers that a move is about: the free block, the block, the one above, and the one
 * above that, if the one above is free. */
#define TH_COMPACT_RUN_MAX 4u

/* The contents of old[1] have been moved to where its header is to be at `to`: writes the headers,
 * canary and poison. `old` is as it was before the move, so that it does not matter how much of
 * this has been done before. Counters and index are not what they should be afterwards. */
void th_compact_settle(th_heap *heap, const th_header old[TH_COMPACT_RUN_MAX], unsigned count,
                       uint32_t to);

#endif
