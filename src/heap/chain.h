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

static_assert(TH_LAYOUTS != TH_LAYOUTS_LEAN || TH_GUARD == 0, "lean heaps have no guards");

/* Inlined into blind functions too (track.h), which compilers otherwise refuse. */
#define TH_CHAIN_INLINE static inline TH_ALWAYS_INLINE

/* The same for what is long: where the size of the code counts (-Os), it is called. */
#ifdef __OPTIMIZE_SIZE__
#define TH_CHAIN_LONG_INLINE static TH_NOINLINE TH_UNUSED
#else
#define TH_CHAIN_LONG_INLINE TH_CHAIN_INLINE
#endif

/* The guard level of this heap; a constant 0 where guards are compiled out. */
TH_CHAIN_INLINE int th_guard(const th_heap *heap) {
#if TH_GUARD > 0
    return heap->guard;
#else
    (void)heap;
    return 0;
#endif
}

/* Which layout, as a constant if the library contains only one. */
TH_CHAIN_INLINE th_heap_layout th_layout(const th_heap *heap) {
#if TH_LAYOUTS == TH_LAYOUTS_CLASSIC
    (void)heap;
    return TH_HEAP_LAYOUT_CLASSIC;
#elif TH_LAYOUTS == TH_LAYOUTS_LEAN
    (void)heap;
    return TH_HEAP_LAYOUT_LEAN;
#elif TH_LAYOUTS == TH_LAYOUTS_WIDE
    (void)heap;
    return TH_HEAP_LAYOUT_WIDE;
#else
    return (th_heap_layout)heap->layout;
#endif
}

/* The tag of free blocks, above all others; a constant where no tag has 31 bits. */
TH_CHAIN_INLINE uint32_t th_tag_free(const th_heap *heap) {
#if TH_LAYOUTS & TH_LAYOUTS_WIDE
    return heap->tag_free;
#else
    (void)heap;
    return TH_TAG_FREE;
#endif
}

/* The lowest TAIL tag. */
TH_CHAIN_INLINE uint32_t th_tag_tail_min(const th_heap *heap) {
    return th_tag_free(heap) / 2 + 1;
}

/* The largest payload, in dwords, that the layout can express. */
TH_CHAIN_INLINE uint32_t th_size_max(const th_heap *heap) {
#if TH_LAYOUTS & TH_LAYOUTS_WIDE
    return heap->size_max;
#else
    (void)heap;
    return TH_LAYOUT_SIZE_MAX;
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

TH_CHAIN_INLINE bool th_is_free(const th_heap *heap, const th_header *block) {
    return block->tag == th_tag_free(heap);
}

TH_CHAIN_INLINE bool th_is_tail(const th_heap *heap, const th_header *block) {
    return block->tag >= th_tag_tail_min(heap) && block->tag < th_tag_free(heap);
}

TH_CHAIN_INLINE bool th_is_last(const th_heap *heap, const th_header *block) {
    return block->offset == heap->last;
}

/* Free and not LAST: memory that can be merged or handed out. */
TH_CHAIN_INLINE bool th_is_spare(const th_heap *heap, const th_header *block) {
    return th_is_free(heap, block) && !th_is_last(heap, block);
}

/* Payload dwords for `bytes` bytes (at least 1); 0 if no block can be that large. */
uint32_t th_need_dwords(const th_heap *heap, size_t bytes);

#define TH_CHECK_PREV 0x9E3779B1u /* the factor of dword 0, which holds prev, in each layout */

/* Each dword is multiplied by an odd constant, which loses nothing: any change that is confined
 * to one dword changes the sum. The offset takes part, so that a header copied elsewhere by a
 * stray memcpy is not valid there; the seed, so that what an earlier heap left in the same region
 * is not. `dword` is what stands below the check word. */
TH_TRACK_BLIND_PART uint32_t th_header_sum(const uint32_t dword[TH_LAYOUT_CHECK_DWORD],
                                           uint32_t offset, uint32_t seed) {
    return seed + 0x54480001u + dword[0] * TH_CHECK_PREV + dword[1] * 0x85EBCA77u +
           dword[2] * 0xC2B2AE3Du + dword[3] * 0x27D4EB2Fu + dword[4] * 0x165667B1u +
           offset * 0xB5297A4Du;
}

/* What the dword above the check word of a wide header adds to its sum. */
TH_TRACK_BLIND_PART uint32_t th_header_sum_wide(uint32_t dword) {
    return dword * 0xD168AAADu;
}

/* The canary in the padding of a header, dword `number` of it. Cheaper than those in payloads, for
 * it is verified with each header. */
TH_TRACK_BLIND_PART uint32_t th_padding_dword(const th_heap *heap, uint32_t offset,
                                              uint32_t number) {
    return (heap->check_seed + offset + number) * 0x9E3779B1u;
}

/* What the padding of the header at `offset`, which begins at dword `stored`, adds to its sum: 0 if
 * it is the canary that it should be. */
TH_TRACK_BLIND_PART uint32_t th_padding_sum(const th_heap *heap, uint32_t offset,
                                            const th_word *header, uint32_t stored) {
    uint32_t sum = 0;
    if (th_header_dwords(heap) == stored) {
        return 0;
    }
    if (stored == 6) {
        sum = header[6] - th_padding_dword(heap, offset, 6);
    }
    return sum + (header[7] - th_padding_dword(heap, offset, 7)) * 0x85EBCA77u;
}
static_assert(TH_LAYOUT_CLASSIC_DWORDS == 6 && TH_LAYOUT_WIDE_DWORDS == 7,
              "padding, where guards are, is dwords 6 and 7, or dword 7");

/* ---- one layout each ----------------------------------------------------------------------
 *
 * What a header says, and writing it. Of a block whose layout does not store something, storing it
 * says what is kept. */

TH_TRACK_BLIND_PART th_header th_classic_peek(const th_heap *heap, uint32_t offset, int guard) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t dword[TH_LAYOUT_CLASSIC_DWORDS] = {at[0], at[1], at[2], at[3], at[4], at[5]};
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
    block.check_due = guard > 0 ? th_header_sum(dword, offset, heap->check_seed) +
                                      th_padding_sum(heap, offset, at, TH_LAYOUT_CLASSIC_DWORDS)
                                : block.check;
    return block;
}

/* Sizes of objects fit size_t: more than that is no requested size, and larger than any payload. */
TH_TRACK_BLIND_PART size_t th_wide_requested(uint32_t low, uint32_t high) {
#if SIZE_MAX > UINT32_MAX
    return (size_t)high << 32 | low;
#else
    return high == 0 ? low : SIZE_MAX;
#endif
}

TH_TRACK_BLIND_PART th_header th_wide_peek(const th_heap *heap, uint32_t offset, int guard) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t dword[TH_LAYOUT_WIDE_DWORDS] = {at[0], at[1], at[2], at[3], at[4], at[5], at[6]};
    th_header block;
    block.offset = offset;
    block.prev = dword[0];
    block.size = dword[1];
    block.next = dword[1] != 0 ? offset + th_header_dwords(heap) + dword[1] : 0;
    block.tag = dword[2] & TH_TAG_WIDE_FREE;
    block.requested = th_wide_requested(dword[3], dword[6] >> TH_LAYOUT_ALIGN_BITS);
    block.site = dword[4];
    block.align_log2 = dword[6] & TH_LAYOUT_ALIGN_MAX;
    block.check = dword[TH_LAYOUT_CHECK_DWORD];
    block.check_due = guard > 0 ? th_header_sum(dword, offset, heap->check_seed) +
                                      th_header_sum_wide(dword[6]) +
                                      th_padding_sum(heap, offset, at, TH_LAYOUT_WIDE_DWORDS)
                                : block.check;
    return block;
}

TH_TRACK_BLIND_PART th_header th_lean_peek(const th_heap *heap, uint32_t offset) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t dword[TH_LAYOUT_LEAN_DWORDS] = {at[0], at[1]};
    th_header block;
    block.offset = offset;
    block.prev = dword[0] & ((1u << TH_LAYOUT_PREV_BITS) - 1);
    block.align_log2 = dword[0] >> TH_LAYOUT_PREV_BITS;
    block.tag = dword[1] & TH_TAG_FREE;
    block.size = dword[1] >> TH_LAYOUT_TAG_BITS;
    block.next = block.size != 0 ? offset + th_header_dwords(heap) + block.size : 0;
    block.requested = block.tag != TH_TAG_FREE ? (size_t)block.size * TH_DWORD_BYTES : 0;
    block.site = 0;
    block.check = 0;
    block.check_due = 0;
    return block;
}

/* Writes the padding that begins at dword `stored`. */
TH_TRACK_BLIND_PART void th_padding_store(th_heap *heap, uint32_t offset, th_word *header,
                                          uint32_t stored, int guard) {
    if (guard > 0 && th_header_dwords(heap) > stored) {
        if (stored == 6) {
            header[6] = th_padding_dword(heap, offset, 6);
        }
        header[7] = th_padding_dword(heap, offset, 7);
    }
}

TH_TRACK_BLIND_PART void th_classic_store(th_heap *heap, const th_header *block, int guard) {
    uint32_t dword[TH_LAYOUT_CHECK_DWORD] = {
        block->prev | block->align_log2 << TH_LAYOUT_PREV_BITS, block->next,
        block->tag | block->size << TH_LAYOUT_TAG_BITS, (uint32_t)block->requested, block->site};
    th_word *at = (th_word *)(void *)heap->base + block->offset;
    at[0] = dword[0];
    at[1] = dword[1];
    at[2] = dword[2];
    at[3] = dword[3];
    at[4] = dword[4];
    at[TH_LAYOUT_CHECK_DWORD] =
        guard > 0 ? th_header_sum(dword, block->offset, heap->check_seed) : heap->check_seed;
    th_padding_store(heap, block->offset, at, TH_LAYOUT_CLASSIC_DWORDS, guard);
}

TH_TRACK_BLIND_PART void th_wide_store(th_heap *heap, const th_header *block, int guard) {
    uint32_t dword[TH_LAYOUT_CHECK_DWORD] = {block->prev, block->size, block->tag,
                                             (uint32_t)block->requested, block->site};
    uint32_t top = block->align_log2;
#if SIZE_MAX > UINT32_MAX
    top |= (uint32_t)(block->requested >> 32) << TH_LAYOUT_ALIGN_BITS;
#endif
    th_word *at = (th_word *)(void *)heap->base + block->offset;
    at[0] = dword[0];
    at[1] = dword[1];
    at[2] = dword[2];
    at[3] = dword[3];
    at[4] = dword[4];
    at[TH_LAYOUT_CHECK_DWORD] =
        guard > 0 ? th_header_sum(dword, block->offset, heap->check_seed) + th_header_sum_wide(top)
                  : heap->check_seed;
    at[6] = top;
    th_padding_store(heap, block->offset, at, TH_LAYOUT_WIDE_DWORDS, guard);
}

TH_TRACK_BLIND_PART void th_lean_store(th_heap *heap, th_header *block) {
    th_word *at = (th_word *)(void *)heap->base + block->offset;
    at[0] = block->prev | block->align_log2 << TH_LAYOUT_PREV_BITS;
    at[1] = block->tag | block->size << TH_LAYOUT_TAG_BITS;
    block->requested = block->tag != TH_TAG_FREE ? (size_t)block->size * TH_DWORD_BYTES : 0;
    block->site = 0;
}

/* ---- whichever it is ----------------------------------------------------------------------
 *
 * For blind functions. Where the layout and the guard level are constants (the `_as` forms), what
 * is left is the code of one layout. */

/* A constant false of a layout that the library does not contain. */
TH_CHAIN_INLINE bool th_layout_is(th_heap_layout layout, th_heap_layout other) {
    return (TH_LAYOUTS << TH_HEAP_LAYOUT_CLASSIC >> other & 1) & (layout == other);
}

/* Of one that is not classic. */
TH_CHAIN_INLINE bool th_layout_is_wide(th_heap_layout layout) {
    return ((TH_LAYOUTS & TH_LAYOUTS_WIDE) != 0) & !th_layout_is(layout, TH_HEAP_LAYOUT_LEAN);
}

/* The header at `offset`. */
TH_TRACK_BLIND_PART th_header th_header_peek_as(const th_heap *heap, uint32_t offset,
                                                th_heap_layout layout, int guard) {
    if (th_layout_is(layout, TH_HEAP_LAYOUT_CLASSIC)) {
        return th_classic_peek(heap, offset, guard);
    }
    return th_layout_is_wide(layout) ? th_wide_peek(heap, offset, guard)
                                     : th_lean_peek(heap, offset);
}

TH_TRACK_BLIND_PART th_header th_header_peek(const th_heap *heap, uint32_t offset) {
    return th_header_peek_as(heap, offset, th_layout(heap), th_guard(heap));
}

/* Writes the header to its place. */
TH_TRACK_BLIND_PART void th_header_poke_as(th_heap *heap, th_header *block, th_heap_layout layout,
                                           int guard) {
    if (th_layout_is(layout, TH_HEAP_LAYOUT_CLASSIC)) {
        th_classic_store(heap, block, guard);
    } else if (th_layout_is_wide(layout)) {
        th_wide_store(heap, block, guard);
    } else {
        th_lean_store(heap, block);
    }
}

/* Writes the link to the block below. A header that does not agree with its check word does not
 * agree afterwards. */
TH_TRACK_BLIND_PART void th_header_relink_as(th_heap *heap, uint32_t offset, uint32_t prev,
                                             th_heap_layout layout, int guard) {
    th_word *at = (th_word *)(void *)heap->base + offset;
    uint32_t mask = layout == TH_HEAP_LAYOUT_WIDE ? UINT32_MAX : (1u << TH_LAYOUT_PREV_BITS) - 1;
    uint32_t old = at[0];
    uint32_t renewed = (old & ~mask) | prev;
    at[0] = renewed;
    if (guard > 0) { /* hence not lean */
        at[TH_LAYOUT_CHECK_DWORD] += (renewed - old) * TH_CHECK_PREV;
    }
}

/* Writes the blocks of the run, which ends at `above`, and all links: those in it, the one up to it
 * and the one back. */
TH_TRACK_BLIND_PART void th_chain_link_as(th_heap *heap, uint32_t below, th_header *run,
                                          unsigned count, uint32_t above, th_heap_layout layout,
                                          int guard) {
    for (unsigned i = 0; i < count; i++) {
        run[i].prev = i == 0 ? below : run[i - 1].offset;
        run[i].next = i + 1 == count ? above : run[i + 1].offset;
        th_header_poke_as(heap, &run[i], layout, guard);
    }
    th_header_relink_as(heap, above, run[count - 1].offset, layout, guard);
}

/* Spoils the check word of a header that has become the inside of a block. */
TH_TRACK_BLIND_PART void th_header_spoil_as(th_heap *heap, uint32_t offset, int guard) {
    if (guard > 0) { /* hence not lean */
        th_word *at = (th_word *)(void *)heap->base + offset;
        at[TH_LAYOUT_CHECK_DWORD] = ~at[TH_LAYOUT_CHECK_DWORD];
    }
}

/* Reads the header at `offset`, which must be a header's place (offset <= LAST). */
void th_header_load(const th_heap *heap, uint32_t offset, th_header *block);

/* Writes the header to its place, with its check word. In a lean heap *block is given the requested
 * size and the site that it has there. */
void th_header_store(th_heap *heap, th_header *block);

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

/* Replaces what lies from run[0].offset up to the block at `above` by the `count` blocks of `run`,
 * which tile that range, `below` being the offset of the block below it (0 if the run starts at 0).
 * Sets their links and those of `above`, stores them, and counts them in. What lay there has been
 * counted out. */
void th_chain_replace(th_heap *heap, uint32_t below, th_header *run, unsigned count,
                      uint32_t above);

/* What the blocks tile, LAST included. */
TH_CHAIN_INLINE size_t th_managed_bytes(const th_heap *heap) {
    return (size_t)heap->dwords * TH_DWORD_BYTES;
}

#endif
