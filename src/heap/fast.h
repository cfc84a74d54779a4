/* SPDX-License-Identifier: MIT */
/* The fast path: what an allocation of a small block or a free does in a heap with an index and
 * with neither lock nor event hook, below guard level 3. It makes the same blocks of it as alloc.c,
 * which does everything else. There is one for each layout, in which nothing is decided that the
 * layout decides. */
#ifndef TH_HEAP_FAST_H
#define TH_HEAP_FAST_H

#include "heap/index.h"

/* Is there one? Not where the size of the code counts, nor without an index, nor for Memcheck,
 * which wants to be told at each end of a blind function. */
#ifndef TH_FAST
#if defined(__OPTIMIZE_SIZE__) || !TH_INDEX || TH_TRACK_VALGRIND
#define TH_FAST 0
#else
#define TH_FAST 1
#endif
#endif

/* heap->fast is a number of fast_shape.h's, or this. */
#define TH_FAST_NONE 0u

/* Says anew whether it may be taken: after each change of what it depends on. */
#if TH_FAST
void th_fast_choose(th_heap *heap);
#else
static inline void th_fast_choose(th_heap *heap) {
    (void)heap;
}
#endif

#endif
