/* SPDX-License-Identifier: MIT */
/* Canaries and poison: what is kept in memory that is nobody's, and how it is verified.
 *
 *   live block   [header][ requested bytes ][ canary bytes to the end of the block ]
 *   free block   [header][ poison, where the memory has ever been used             ]
 *
 * Canaries are kept at level 1 and up, poison at 2 and up. Memory that was never part of a block
 * in use ([low_used, high_used), see th_heap) is neither written nor looked at, so that the cost
 * of an operation does not depend on the size of the region; with config.poison_unused there is no
 * such memory. */
#ifndef TH_HEAP_GUARD_H
#define TH_HEAP_GUARD_H

#include "base/pattern.h"
#include "heap/chain.h"

/* Level >= 1: verifies the canary. False after a fault. */
bool th_guard_canary(const th_heap *heap, const th_header *block);

/* Level >= 2: verifies that the free dwords [from, to) still hold poison where they should.
 * False after a fault. `block` is the free block they belong to. */
bool th_guard_poison(const th_heap *heap, const th_header *block, uint32_t from, uint32_t to);

/* How many bytes of a live block are canary; 0 of one that says it was asked for more than it has.
 */
TH_CHAIN_INLINE size_t th_canary_bytes(const th_header *block) {
    size_t payload = (size_t)block->size * TH_DWORD_BYTES;
    return block->requested < payload ? payload - block->requested : 0;
}

/* Where the sixteen bytes begin that a block ends with, as a dword. */
TH_CHAIN_INLINE uint32_t th_canary_end_dword(const th_header *block, uint32_t header) {
    return block->offset + header + block->size - TH_CANARY_END / TH_DWORD_BYTES;
}

/* For blind functions, of a canary of so many bytes, sixteen at most: is it what it should be?
 * `four`: the alignment is 16. */
TH_TRACK_BLIND_PART bool th_canary_end_is(const th_heap *heap, const th_header *block,
                                          uint32_t header, size_t bytes, bool four) {
    uint32_t at = th_canary_end_dword(block, header);
    return th_canary_end_holds(heap->check_seed, at, th_at(heap, at), (uint32_t)bytes, four);
}

/* Of any, from the block's end downwards. */
TH_TRACK_BLIND_PART bool th_canary_holds(const th_heap *heap, const th_header *block,
                                         uint32_t header, bool four) {
    size_t bytes = th_canary_bytes(block);
    uint32_t at = th_canary_end_dword(block, header);
    const unsigned char *here = th_at(heap, at);
    uint32_t seed = heap->check_seed;
    for (; bytes > TH_CANARY_END; bytes -= TH_CANARY_END, at -= TH_CANARY_WORDS) {
        if (!th_canary_end_holds(seed, at, here, TH_CANARY_END, four)) {
            return false;
        }
        here -= TH_CANARY_END;
    }
    return th_canary_end_holds(seed, at, here, (uint32_t)bytes, four);
}

/* Writes it. */
TH_TRACK_BLIND_PART void th_canary_put(th_heap *heap, const th_header *block, uint32_t header) {
    size_t bytes = th_canary_bytes(block);
    uint32_t at = th_canary_end_dword(block, header);
    for (; bytes > TH_CANARY_END; bytes -= TH_CANARY_END, at -= TH_CANARY_END / TH_DWORD_BYTES) {
        th_canary_end_write(heap->check_seed, at, th_at(heap, at), TH_CANARY_END);
    }
    th_canary_end_write(heap->check_seed, at, th_at(heap, at), (uint32_t)bytes);
}

/* Writes it to a block that is new, at alignment 16: what is written below it does not matter.
 * `short_one`: it has no more than sixteen bytes. */
TH_TRACK_BLIND_PART void th_canary_begin(th_heap *heap, const th_header *block, uint32_t header,
                                         bool short_one) {
    uint32_t at = th_canary_end_dword(block, header);
    size_t bytes = (size_t)block->size * TH_DWORD_BYTES - block->requested;
    th_canary_ends_write(heap->check_seed, at, th_at(heap, at), short_one ? TH_CANARY_END : bytes);
}

/* The first byte of a canary that is not what it should be (there is one), as a byte offset from
 * the start of the region; and what was found there. For blind functions: raises nothing. */
size_t th_search_canary(const th_heap *heap, const th_header *block, uint32_t *found);

/* The same of any canary; TH_FAULT_NOWHERE: it holds. */
TH_TRACK_BLIND_PART size_t th_peek_canary(const th_heap *heap, const th_header *block,
                                          uint32_t *found) {
    return th_canary_holds(heap, block, th_header_dwords(heap), false)
               ? TH_FAULT_NOWHERE
               : th_search_canary(heap, block, found);
}

/* Of the dwords [from, to), the first that is not poison, likewise. */
TH_TRACK_BLIND_PART size_t th_peek_poison_range(const th_heap *heap, uint32_t from, uint32_t to,
                                                uint32_t *found) {
    const th_word *base = (const void *)heap->base;
    if (from >= to || th_poison_holds(base + from, to - from)) {
        return TH_FAULT_NOWHERE;
    }
    while (base[from] == TH_POISON_DWORD) {
        from++;
    }
    *found = base[from];
    return (size_t)from * TH_DWORD_BYTES;
}

/* Of the free dwords [from, to), those that have ever been used. */
TH_TRACK_BLIND_PART size_t th_peek_poison(const th_heap *heap, uint32_t from, uint32_t to,
                                          uint32_t *found) {
    uint32_t low_end = to < heap->low_used ? to : heap->low_used;
    size_t bad = th_peek_poison_range(heap, from, low_end, found);
    if (bad == TH_FAULT_NOWHERE && to > heap->high_used) {
        uint32_t high = heap->high_used > heap->low_used ? heap->high_used : heap->low_used;
        bad = th_peek_poison_range(heap, from > high ? from : high, to, found);
    }
    return bad;
}

/* A block has become live: opens its payload and writes the canary. */
void th_guard_open(th_heap *heap, const th_header *block);

/* The requested size of a live block has changed from `old_requested`. */
void th_guard_reopen(th_heap *heap, const th_header *block, size_t old_requested);

/* The dwords [from, to) have become the inside of a free block: poisons and closes them. */
void th_guard_wipe(th_heap *heap, uint32_t from, uint32_t to);

/* A block's contents have been moved down to their new place: closes everything after them up to
 * dword `to`, writing the canary of the block and the poison of what is vacated. */
void th_guard_close_move(th_heap *heap, const th_header *moved, uint32_t to);

#endif
