/* SPDX-License-Identifier: MIT */
/* The chain of blocks: reading and writing headers, and the one way in which blocks change.
 *
 * Every operation of the heap replaces a run of neighbouring blocks by another run that tiles the
 * same dwords: an allocation turns [free] into [gap][block][rest], a free turns
 * [prev][this][next] into [free], and so on. th_chain_replace does that. All headers that an
 * operation needs are loaded, and thereby verified, before the first one is written: an operation
 * that meets a broken header raises a fault and has changed nothing. */
#ifndef TH_HEAP_CHAIN_H
#define TH_HEAP_CHAIN_H

#include "base/align.h"
#include "base/assert.h"
#include "base/pattern.h"
#include "base/track.h"
#include "heap/layout.h"

#ifndef TH_GUARD
#define TH_GUARD 0
#endif
static_assert(TH_GUARD >= 0 && TH_GUARD <= 3, "TH_GUARD is 0, 1, 2 or 3");

/* Inlined into blind functions too (track.h), which compilers otherwise refuse. */
#define TH_CHAIN_INLINE static inline TH_ALWAYS_INLINE

/* The guard level of this heap; a constant 0 where guards are compiled out. */
TH_CHAIN_INLINE int th_guard(const th_heap *heap) {
#if TH_GUARD > 0
    return heap->guard;
#else
    (void)heap;
    return 0;
#endif
}

TH_CHAIN_INLINE uint32_t th_unit(const th_heap *heap) {
    return heap->unit_dwords;
}

TH_CHAIN_INLINE unsigned th_unit_log2(const th_heap *heap) {
    return heap->unit_dwords / 2u; /* of 1, 2 and 4 */
}

TH_CHAIN_INLINE uint32_t th_header_dwords(const th_heap *heap) {
    return heap->header_dwords;
}

/* The least remainder, header included, that becomes a block. */
TH_CHAIN_INLINE uint32_t th_split_dwords(const th_heap *heap) {
    return th_header_dwords(heap) + TH_LAYOUT_SPLIT_PAYLOAD;
}

TH_CHAIN_INLINE unsigned char *th_at(const th_heap *heap, uint32_t offset) {
    return heap->base + (size_t)offset * TH_DWORD_BYTES;
}

TH_CHAIN_INLINE unsigned char *th_payload(const th_heap *heap, const th_header *block) {
    return th_at(heap, block->offset + th_header_dwords(heap));
}

/* The offset just above the block. */
TH_CHAIN_INLINE uint32_t th_end(const th_heap *heap, const th_header *block) {
    return block->offset + th_header_dwords(heap) + block->size;
}

TH_CHAIN_INLINE bool th_is_free(const th_header *block) {
    return block->tag == TH_TAG_FREE;
}

TH_CHAIN_INLINE bool th_is_tail(const th_header *block) {
    return block->tag >= TH_TAG_TAIL_MIN && block->tag <= TH_TAG_TAIL_MAX;
}

TH_CHAIN_INLINE bool th_is_last(const th_heap *heap, const th_header *block) {
    return block->offset == heap->last;
}

/* Free and not LAST: memory that can be merged or handed out. */
TH_CHAIN_INLINE bool th_is_spare(const th_heap *heap, const th_header *block) {
    return th_is_free(block) && !th_is_last(heap, block);
}

/* Payload dwords for `bytes` bytes (at least 1); 0 if no block can be that large. */
uint32_t th_need_dwords(const th_heap *heap, size_t bytes);

/* Each dword is multiplied by an odd constant, which loses nothing: any change that is confined
 * to one dword changes the sum. The offset takes part, so that a header copied elsewhere by a
 * stray memcpy is not valid there; the seed, so that what an earlier heap left in the same region
 * is not. */
TH_TRACK_BLIND_PART uint32_t th_header_sum(const uint32_t dword[TH_LAYOUT_CHECK_DWORD],
                                           uint32_t offset, uint32_t seed) {
    return seed + (dword[0] * 0x9E3779B1u ^ 0x54480001u) + dword[1] * 0x85EBCA77u +
           dword[2] * 0xC2B2AE3Du + dword[3] * 0x27D4EB2Fu + dword[4] * 0x165667B1u +
           offset * 0xB5297A4Du;
}

/* What the padding of the header at `offset` adds to its sum: 0 if it is the canary that it should
 * be. */
TH_TRACK_BLIND_PART uint32_t th_padding_sum(const th_heap *heap, uint32_t offset,
                                            const th_word *header) {
    if (th_header_dwords(heap) == TH_LAYOUT_HEADER_DWORDS) {
        return 0;
    }
    return (header[6] ^ th_canary_dword(heap->check_seed, offset + 6)) * 0x9E3779B1u +
           (header[7] ^ th_canary_dword(heap->check_seed, offset + 7)) * 0x85EBCA77u;
}

/* The header at `offset`, for blind functions. */
TH_TRACK_BLIND_PART th_header th_header_peek(const th_heap *heap, uint32_t offset) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t dword[TH_LAYOUT_HEADER_DWORDS] = {at[0], at[1], at[2], at[3], at[4], at[5]};
    th_header block;
    block.offset = offset;
    block.prev = dword[0] & ((1u << TH_LAYOUT_PREV_BITS) - 1);
    block.align_log2 = dword[0] >> TH_LAYOUT_PREV_BITS;
    block.next = dword[1];
    block.tag = dword[2] & TH_TAG_FREE;
    block.size = dword[2] >> TH_LAYOUT_TAG_BITS;
    block.requested = dword[3];
    block.site = dword[4];
    block.check = dword[TH_LAYOUT_CHECK_DWORD];
    block.check_due = th_guard(heap) > 0 ? th_header_sum(dword, offset, heap->check_seed) +
                                               th_padding_sum(heap, offset, at)
                                         : block.check;
    return block;
}

/* Reads the header at `offset`, which must be a header's place (offset <= LAST). */
void th_header_load(const th_heap *heap, uint32_t offset, th_header *block);

/* Writes the header to its place, with its check word. */
void th_header_store(th_heap *heap, const th_header *block);

/* What stands where FIRST has its check word, before the heap is started; 0 where guards are
 * compiled out. */
uint32_t th_header_old_check(const th_heap *heap);

/* The header at `offset` is about to become the inside of a block: with guards, its check word is
 * spoilt, so that a stale pointer is not taken for a block. */
void th_header_retire(th_heap *heap, uint32_t offset);

/* A free block's header, not yet linked. */
th_header th_header_free(const th_heap *heap, uint32_t offset, uint32_t size);

/* Could a header be at `offset`? */
TH_CHAIN_INLINE bool th_offset_ok(const th_heap *heap, uint32_t offset) {
    return offset <= heap->last && (offset & (th_unit(heap) - 1)) == 0;
}

/* Reads the header at `offset`. With guards, false after a fault if the offset cannot be one or
 * the header does not agree with its check word. */
bool th_chain_load(const th_heap *heap, uint32_t offset, th_header *block);

/* As th_chain_load for the block below (not of FIRST) and above (not of LAST); with guards, also
 * false after a fault if that one's link does not lead back. */
bool th_chain_below(const th_heap *heap, const th_header *block, th_header *below);
bool th_chain_above(const th_heap *heap, const th_header *block, th_header *above);

/* The offset of the block above (not of LAST). With guards, false after a fault if the link does
 * not lead to the block's end, so that following links comes to an end on any heap. */
bool th_chain_next(const th_heap *heap, const th_header *block, uint32_t *next);

/* Replaces what lies from run[0].offset up to `above` by the `count` blocks of `run`, which tile
 * that range, `below` being the offset of the block below it (0 if the run starts at 0). Sets
 * their links and those of `above`, stores them, and counts them in. What lay there has been
 * counted out. */
void th_chain_replace(th_heap *heap, uint32_t below, th_header *run, unsigned count,
                      th_header *above);

/* Takes a block out of the counters, and out of the index if it is free, before anything of it is
 * overwritten. */
void th_count_out(th_heap *heap, const th_header *block);

/* What the blocks tile, LAST included. */
TH_CHAIN_INLINE size_t th_managed_bytes(const th_heap *heap) {
    return (size_t)heap->dwords * TH_DWORD_BYTES;
}

/* Live payloads and their headers, in dwords. */
TH_CHAIN_INLINE uint32_t th_used_dwords(const th_heap *heap) {
    return heap->head_dwords + heap->tail_dwords +
           (heap->head_blocks + heap->tail_blocks) * th_header_dwords(heap);
}

/* Raises the high-water mark to what is used now. */
static inline void th_note_high_water(th_heap *heap) {
    uint32_t used = th_used_dwords(heap);
    if (used > heap->high_water_dwords) {
        heap->high_water_dwords = used;
    }
}

#endif
