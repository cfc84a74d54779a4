/* SPDX-License-Identifier: MIT */
/* The classic facade: the tagged heap under its TH_* names, as one static heap of 75,000 dwords
 * (300,000 bytes). docs/heap.md section 8 gives the rules; sizes are bytes.
 *
 * Tags: 0x0000-0x3FFF HEAD, 0x4000-0x7FFE TAIL; the 16-bit spelling of TAIL tags, 0x8000-0xBFFE,
 * means 0x4000-0x7FFE. Any other tag is refused with NULL.
 * Thread rule: one thread at a time. Before the first TH_init every call fails. Misuse raises a
 * fault (fault.h) as far as the guard level of the build notices it, and ends the program unless
 * TH_on_fault has said who is to hear of it. */
#ifndef TAGHEAP_CLASSIC_H
#define TAGHEAP_CLASSIC_H

#include <stdbool.h>
#include <stdint.h>

#include "tagheap/heap.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TH_HEAP_DWORDS 75000

/* May the block move? As th_heap_move_fn, without a context. */
typedef bool (*TH_defrag_fn)(uint32_t tag, void *from, void *to, int bytes);

/* From now on, and after each TH_init, faults go to `handler` (fault.h), with `context`. NULL, as
 * at first: th_fault_abort. May be called at any time, before the first TH_init too. O(1). */
void TH_on_fault(th_fault_handler handler, void *context);

/* Starts the heap afresh: everything allocated before is gone. O(1), and the index is cleared. */
void TH_init(void);

/* Allocates `bytes` bytes under `tag`, aligned to 4. Returns NULL iff bytes <= 0, the tag is
 * refused, or nothing in the tag's reach fits. O(log u), as in heap.h. */
void *TH_alloc(int bytes, uint32_t tag);

/* NULL pointer: NULL. bytes <= 0: frees, NULL. Shrinking and growing within the block: the same
 * pointer. Growth into the next free block: the same pointer. Else moved, contents kept. NULL
 * with the block untouched if there is no room. O(log u) and the bytes copied. */
void *TH_realloc(void *pointer, int bytes);

/* Frees; returns the bytes made available (payload, and the header of each block merged away).
 * 0 for NULL. O(log u). */
int TH_free(void *pointer);

/* Frees all blocks with tags low to high, inclusive; returns how many. O(n). */
int TH_freetags(uint32_t low, uint32_t high);

/* Compacts the HEAD side; `may_move` NULL allows every move. Returns the blocks moved. O(n). */
int TH_defrag(TH_defrag_fn may_move);

/* Free bytes below the TAIL side. O(1). */
int TH_countfreehead(void);

/* The heap of the facade, for the walk, the checker and the statistics; NULL before the
 * first TH_init. Do not clean it up. */
th_heap *TH_heap(void);

#ifdef __cplusplus
}
#endif
#endif
