/* SPDX-License-Identifier: MIT */
/* What the heap notices, by guard level, and how it says so.
 *
 *   live block   [header][ requested bytes ][ canary bytes to the end of the block ]
 *   free block   [header][ poison, where the memory has ever been used             ]
 *
 * Canaries are kept at level 1 and up, poison at 2 and up. Memory that was never part of a block
 * in use ([low_used, high_used), see th_heap) is neither written nor looked at, so that the cost
 * of an operation does not depend on the size of the region. */
#ifndef TH_HEAP_GUARD_H
#define TH_HEAP_GUARD_H

#include "heap/chain.h"

#define TH_CANARY_BYTE  0xC5u
#define TH_POISON_DWORD 0xFDFDFDFDu

/* Reports a fault to the heap's handler. `block` may be NULL. */
void th_raise(const th_heap *heap, th_fault_kind kind, const th_header *block, uint32_t offset,
              uint32_t expected, uint32_t found);

/* TH_FAULT_HEADER for a header that does not agree with its check word. */
void th_raise_header(const th_heap *heap, const th_header *block);

/* Finds the live block whose payload starts at `pointer`. With guards: false after a fault if
 * there is none, its header or canary is damaged, or (level >= 2) a neighbour's header is. */
bool th_claim(const th_heap *heap, const void *pointer, th_header *block);

/* Level >= 2: verifies the header and link of the block below, if there is one, or above. False
 * after a fault. */
bool th_guard_below(const th_heap *heap, const th_header *block);
bool th_guard_above(const th_heap *heap, const th_header *block);

/* Level >= 1: verifies the canary. False after a fault. */
bool th_guard_canary(const th_heap *heap, const th_header *block);

/* Level >= 2: verifies that the free dwords [from, to) still hold poison where they should.
 * False after a fault. `block` is the free block they belong to. */
bool th_guard_poison(const th_heap *heap, const th_header *block, uint32_t from, uint32_t to);

/* The same two without raising: the first bad place, as a byte offset from the start of the
 * region, or TH_FAULT_NOWHERE; and what was found there. */
uint32_t th_find_smashed_canary(const th_heap *heap, const th_header *block, uint32_t *found);
uint32_t th_find_smashed_poison(const th_heap *heap, uint32_t from, uint32_t to, uint32_t *found);

/* A block has become live: opens its payload and writes the canary. */
void th_guard_open(th_heap *heap, const th_header *block);

/* The requested size of a live block has changed from `old_requested`. */
void th_guard_reopen(th_heap *heap, const th_header *block, uint32_t old_requested);

/* The dwords [from, to) have become the inside of a free block: poisons and closes them. */
void th_guard_wipe(th_heap *heap, uint32_t from, uint32_t to);

/* A block's contents have been moved down to their new place: closes everything behind them up to
 * dword `to`, writing the canary of the block and the poison of what is vacated. */
void th_guard_close_move(th_heap *heap, const th_header *moved, uint32_t to);

/* Level 3: the full validator. Raises what it finds. */
void th_guard_settle(const th_heap *heap);

#endif
