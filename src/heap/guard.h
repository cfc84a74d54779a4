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

#include "base/pattern.h"
#include "heap/chain.h"

#define TH_CANARY_DWORD (TH_CANARY_BYTE * 0x01010101u)
#define TH_POISON_DWORD (TH_POISON_BYTE * 0x01010101u)

/* Reports a fault to the heap's handler. `block` may be NULL. */
void th_raise(const th_heap *heap, th_fault_kind kind, const th_header *block, uint32_t offset,
              uint32_t expected, uint32_t found);

/* TH_FAULT_HEADER for a header that does not agree with its check word. */
void th_raise_header(const th_heap *heap, const th_header *block);

/* Finds the live block whose payload starts at `pointer`. With guards: false after a fault if
 * there is none, or its header or canary is damaged. */
bool th_claim(const th_heap *heap, const void *pointer, th_header *block);

/* Level >= 2: verifies the header and link of the block below, if there is one, or above (not of
 * LAST). False after a fault. For operations that do not load that neighbour anyway. */
bool th_guard_below(const th_heap *heap, const th_header *block);
bool th_guard_above(const th_heap *heap, const th_header *block);

/* Level >= 1: verifies the canary. False after a fault. */
bool th_guard_canary(const th_heap *heap, const th_header *block);

/* Level >= 2: verifies that the free dwords [from, to) still hold poison where they should.
 * False after a fault. `block` is the free block they belong to. */
bool th_guard_poison(const th_heap *heap, const th_header *block, uint32_t from, uint32_t to);

/* Of the dword that holds byte `i` of a payload: the mask of that byte and the bytes behind it. */
TH_TRACK_BLIND_PART uint32_t th_mask_from(uint32_t i) {
    uint32_t bits = 8 * (i % TH_DWORD_BYTES);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return UINT32_MAX << bits;
#else
    return UINT32_MAX >> bits;
#endif
}

/* The same two for blind functions, without raising: the first bad place, as a byte offset from
 * the start of the region, or TH_FAULT_NOWHERE; and what was found there.
 *
 * Most canaries lie in two dwords, the one where the requested bytes end and the block's last one.
 * Both are looked at in any case, with masks, because how long a canary is cannot be predicted. */
TH_TRACK_BLIND_PART uint32_t th_peek_canary(const th_heap *heap, const th_header *block,
                                            uint32_t *found) {
    uint32_t start = (block->offset + th_header_dwords(heap)) * TH_DWORD_BYTES;
    const unsigned char *payload = heap->base + start;
    const th_word *words = (const void *)payload;
    uint32_t i = block->requested;
    uint32_t last = block->size - 1;
    uint32_t first = i / TH_DWORD_BYTES;
    uint32_t none = 0u - (uint32_t)(first > last); /* all bits set: there is no canary */
    uint32_t partial = first <= last ? first : last;
    uint32_t difference = (words[partial] ^ TH_CANARY_DWORD) & th_mask_from(i) & ~none;
    difference |= (words[last] ^ TH_CANARY_DWORD) & (0u - (uint32_t)(first < last));
    for (uint32_t k = first + 1; k < last; k++) {
        difference |= words[k] ^ TH_CANARY_DWORD;
    }
    if (difference == 0) {
        return TH_FAULT_NOWHERE;
    }
    while (payload[i] == TH_CANARY_BYTE) {
        i++;
    }
    *found = payload[i];
    return start + i;
}

TH_TRACK_BLIND_PART uint32_t th_peek_poison_range(const th_heap *heap, uint32_t from, uint32_t to,
                                                  uint32_t *found) {
    const th_word *base = (const void *)heap->base;
    uint32_t difference = 0;
    for (uint32_t i = from; i < to; i++) {
        difference |= base[i] ^ TH_POISON_DWORD;
    }
    if (difference == 0) {
        return TH_FAULT_NOWHERE;
    }
    while (base[from] == TH_POISON_DWORD) {
        from++;
    }
    *found = base[from];
    return from * TH_DWORD_BYTES;
}

/* Of the free dwords [from, to), those that have ever been used. */
TH_TRACK_BLIND_PART uint32_t th_peek_poison(const th_heap *heap, uint32_t from, uint32_t to,
                                            uint32_t *found) {
    uint32_t low_end = to < heap->low_used ? to : heap->low_used;
    uint32_t bad = th_peek_poison_range(heap, from, low_end, found);
    if (bad == TH_FAULT_NOWHERE && to > heap->high_used) {
        uint32_t high = heap->high_used > heap->low_used ? heap->high_used : heap->low_used;
        bad = th_peek_poison_range(heap, from > high ? from : high, to, found);
    }
    return bad;
}

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
