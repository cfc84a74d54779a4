/* SPDX-License-Identifier: MIT */
/* Short sequences of calls of the tagged heap, written once for two readers:
 *
 *   scripts/prove        an abstract interpreter (Frama-C's Eva), which takes a choice for all of
 *                        its values at once (docs/soundness.md)
 *   test_heap_sequences  a program, which plays one value after the other
 *
 * A sequence is a function without arguments. It chooses, calls, and says what must hold. Sizes are
 * dwords, unless a name says bytes. */
#ifndef TESTS_HEAP_SEQUENCES_H
#define TESTS_HEAP_SEQUENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "tagheap/heap.h"

/* What the heap of a sequence is. */
typedef struct sequence_heap {
    th_heap_layout layout;
    uint32_t alignment;
    uint32_t region_bytes;
    bool index; /* in memory of the caller's: there, calls take the fast path */
} sequence_heap;

extern sequence_heap sequence_with;

/* Any number of [low, high]. An interpreter looks at all of them together; `each`: at each one
 * alone, if it is told so with a split where the number is. */
#ifdef __FRAMAC__
#include "__fc_builtin.h"
#define sequence_any   Frama_C_unsigned_int_interval
#define sequence_each  Frama_C_unsigned_int_interval
#define sequence_end() Frama_C_show_each_end()
#else
uint32_t sequence_any(uint32_t low, uint32_t high);
uint32_t sequence_each(uint32_t low, uint32_t high);
void sequence_end(void);
#endif

/* What must hold; and the end of a sequence, which says that one more was looked at to its end. */
/*@ requires what_must_hold: holds;
    assigns \nothing; */
void sequence_demand(bool holds);

/* The sequences: in how many ways each can choose, and on which heaps scripts/prove shows it. */
#define SEQUENCES(ROW)                                                                             \
    ROW(resize, 168, EVERY)                                                                        \
    ROW(tags, 84, WALKED)                                                                          \
    ROW(aligned, 96, WALKED)                                                                       \
    ROW(trim, 96, WALKED)                                                                          \
    ROW(budget, 72, WALKED)                                                                        \
    ROW(reuse, 96, INDEXED)

/* The heaps: name, layout, alignment, bytes of the region, is there an index? */
#define SEQUENCE_HEAPS(ROW)                                                                        \
    ROW(classic, TH_HEAP_LAYOUT_CLASSIC, 4, 256, false)                                            \
    ROW(lean, TH_HEAP_LAYOUT_LEAN, 4, 160, false)                                                  \
    ROW(wide, TH_HEAP_LAYOUT_WIDE, 8, 320, false)                                                  \
    ROW(classic_indexed, TH_HEAP_LAYOUT_CLASSIC, 16, 320, true)                                    \
    ROW(lean_indexed, TH_HEAP_LAYOUT_LEAN, 4, 160, true)                                           \
    ROW(wide_indexed, TH_HEAP_LAYOUT_WIDE, 8, 320, true)

#define SEQUENCE_DECLARE(name, ways, heaps) void sequence_##name(void);
SEQUENCES(SEQUENCE_DECLARE)
#undef SEQUENCE_DECLARE

#endif
