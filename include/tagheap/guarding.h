/* SPDX-License-Identifier: MIT */
/* What an allocator checks, and whom it tells: part of the config of the heap and of each
 * companion.
 *
 * Levels of the companions (each also does what the lower ones do, and none changes what an
 * allocator decides; what those of the heap notice stands in docs/guards.md):
 *   0  nothing, at no cost
 *   1  pointers that come back are verified (foreign, misaligned, not a block, double free), and so
 *      are the canaries after the requested sizes, where the allocator keeps any
 *   2  free memory is poisoned and verified before it is used again
 *   3  the allocator's whole checker runs after each operation
 *
 * In a th_fault of a companion, `block` is the number of the block concerned as the companion's
 * header says (an index of objects or of units), `tag` is 0, and `offset` is in bytes from the
 * start of the memory that the block lies in; each TH_FAULT_NOWHERE where there is none. Sizes,
 * counts and distances in `expected` and `found` that do not fit are 0xFFFFFFFF.
 *
 * A canary's bytes depend on their `offset`, and of two side by side one is even, the other odd: no
 * value written over both is right for both. */
#ifndef TAGHEAP_GUARDING_H
#define TAGHEAP_GUARDING_H

#include "tagheap/fault.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_guarding {
    int level;                 /* 0 to 3; a level above th_guard_max() is lowered to it */
    th_fault_handler on_fault; /* NULL: th_fault_abort */
    void *fault_context;
} th_guarding;

/* The highest guard level that this build of the library contains (TH_GUARD, 0 to 3). */
int th_guard_max(void);

#ifdef __cplusplus
}
#endif
#endif
