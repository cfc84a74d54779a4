/* SPDX-License-Identifier: MIT */
/* The checker, for calls that hold the lock. */
#ifndef TH_HEAP_CHECK_H
#define TH_HEAP_CHECK_H

#include "heap/chain.h"

/* All that the checker looks at in the region, and the counters. False: *fault says what is wrong.
 */
bool th_check_blocks(const th_heap *heap, th_fault *fault);

/* th_heap_check with the lock held, on a heap that was not ended. */
th_status th_check(const th_heap *heap, th_fault *fault);

/* th_check_blocks of the blocks alone, and the counters are set to what they should be: high-water
 * mark and the ranges of memory ever used grow if need be. The index is not looked at. */
bool th_check_recount(th_heap *heap, th_fault *fault);

/* Level 3: the full validator, for a control structure that is known to be sound. False after a
 * fault with what it finds. */
bool th_guard_sound(const th_heap *heap);

#endif
