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
#include "base/guard_max.h"
#include "base/pattern.h"
#include "base/track.h"
#include "heap/layout.h"

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
TH_CHAIN_INLINE bool th_is_vacant(const th_heap *heap, const th_header *block) {
    return th_is_free(heap, block) && !th_is_last(heap, block);
}

/* Payload dwords for `bytes` bytes (at least 1); 0 if no block can be that large. */
uint32_t th_need_dwords(const th_heap *heap, size_t bytes);

/* What stands in the padding of a header, which is dwords 6 and 7, or dword 7. */
#define TH_PADDING_6 0x9CD1B3E7u
#define TH_PADDING_7 0xA5F09A8Bu

/* A header's check word. Each dword enters through a step that can be undone (an odd factor, a sum,
 * an exclusive or): any change that is confined to one dword changes the result. The offset takes
 * part, so that a header copied elsewhere by a stray memcpy is not valid there; the seed, so that
 * what an earlier heap left in the same region is not. The link to the block below comes last and
 * plain: when it changes, the check word changes in the same bits.
 *
 * What is known anyway, the link to the block above and padding, is no part of the sum of a sound
 * header, but compared; `odd` is that of a header where one of them differs, so that it is not what
 * its check word says. */
TH_TRACK_BLIND_PART uint32_t th_header_sum(uint32_t seed, uint32_t offset, uint32_t prev,
                                           uint32_t sizes, uint32_t requested, uint32_t site) {
    return (seed + 0x54480001u + offset + sizes * 0xC2B2AE3Du + requested * 0x27D4EB2Fu +
            site * 0x165667B1u) ^
           prev;
}

TH_TRACK_BLIND_PART uint32_t th_wide_sum(uint32_t seed, uint32_t offset, const th_word *at) {
    return (seed + 0x54480001u + offset + at[1] * 0x85EBCA77u + at[2] * 0xC2B2AE3Du +
            at[3] * 0x27D4EB2Fu + at[4] * 0x165667B1u + at[6] * 0xD168AAADu) ^
           at[0];
}

/* What differs in one dword more, 0 if nothing does. */
TH_TRACK_BLIND_PART uint32_t th_add_difference(uint32_t odd, uint32_t found, uint32_t due) {
    odd = (odd + (found ^ due)) * 0x85EBCA77u;
    odd ^= odd >> 15;
    return odd * 0xD168AAADu;
}

/* What the check word of the header at `offset` should be, of `header` dwords. */
TH_TRACK_BLIND_PART uint32_t th_check_due(const th_word *at, th_heap_layout layout, uint32_t header,
                                          uint32_t offset, uint32_t seed) {
    uint32_t odd = header > 7 ? th_add_difference(0, at[7], TH_PADDING_7) : 0;
    if (layout == TH_HEAP_LAYOUT_WIDE) {
        return th_wide_sum(seed, offset, at) + odd;
    }
    uint32_t size = at[2] >> TH_LAYOUT_TAG_BITS;
    uint32_t next = size != 0 ? offset + header + size : 0;
    odd = th_add_difference(odd, at[1], next);
    odd = header > 6 ? th_add_difference(odd, at[6], TH_PADDING_6) : odd;
    return th_header_sum(seed, offset, at[0], at[2], at[3], at[4]) + odd;
}

static_assert(TH_LAYOUT_CLASSIC_DWORDS == 6 && TH_LAYOUT_WIDE_DWORDS == 7,
              "padding, where guards are, is dwords 6 and 7, or dword 7");

/* ---- one layout each ----------------------------------------------------------------------
 *
 * What a header says, and writing it. Of a block whose layout does not store something, storing it
 * says what is kept. */

TH_TRACK_BLIND_PART th_header th_classic_peek(const th_heap *heap, uint32_t offset, int guard,
                                              uint32_t header) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t prev = at[0];
    uint32_t sizes = at[2];
    th_header block;
    block.offset = offset;
    block.prev = prev & ((1u << TH_LAYOUT_PREV_BITS) - 1);
    block.align_log2 = prev >> TH_LAYOUT_PREV_BITS;
    block.next = at[1];
    block.tag = sizes & TH_TAG_FREE;
    block.size = sizes >> TH_LAYOUT_TAG_BITS;
    block.requested = at[3];
    block.site = at[4];
    block.check = at[TH_LAYOUT_CHECK_DWORD];
    block.check_due =
        guard > 0 ? th_check_due(at, TH_HEAP_LAYOUT_CLASSIC, header, offset, heap->check_seed)
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

TH_TRACK_BLIND_PART th_header th_wide_peek(const th_heap *heap, uint32_t offset, int guard,
                                           uint32_t header) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t size = at[1];
    uint32_t top = at[6];
    th_header block;
    block.offset = offset;
    block.prev = at[0];
    block.size = size;
    block.next = size != 0 ? offset + header + size : 0;
    block.tag = at[2] & TH_TAG_WIDE_FREE;
    block.requested = th_wide_requested(at[3], top >> TH_LAYOUT_ALIGN_BITS);
    block.site = at[4];
    block.align_log2 = top & TH_LAYOUT_ALIGN_MAX;
    block.check = at[TH_LAYOUT_CHECK_DWORD];
    block.check_due = guard > 0
                          ? th_check_due(at, TH_HEAP_LAYOUT_WIDE, header, offset, heap->check_seed)
                          : block.check;
    return block;
}

TH_TRACK_BLIND_PART th_header th_lean_peek(const th_heap *heap, uint32_t offset, uint32_t header) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t dword[TH_LAYOUT_LEAN_DWORDS] = {at[0], at[1]};
    th_header block;
    block.offset = offset;
    block.prev = dword[0] & ((1u << TH_LAYOUT_PREV_BITS) - 1);
    block.align_log2 = dword[0] >> TH_LAYOUT_PREV_BITS;
    block.tag = dword[1] & TH_TAG_FREE;
    block.size = dword[1] >> TH_LAYOUT_TAG_BITS;
    block.next = block.size != 0 ? offset + header + block.size : 0;
    block.requested = block.tag != TH_TAG_FREE ? (size_t)block.size * TH_DWORD_BYTES : 0;
    block.site = 0;
    block.check = 0;
    block.check_due = 0;
    return block;
}

/* Writes the words of a header, of which `stored` are the layout's own, and its check word; with
 * guards, the padding, too, unless it is there already (`padded`). */
TH_TRACK_BLIND_PART void th_words_store(const th_heap *heap, uint32_t offset, const th_word *word,
                                        uint32_t check, uint32_t stored, int guard, uint32_t header,
                                        bool padded) {
    th_word *at = (th_word *)(void *)heap->base + offset;
    at[0] = word[0];
    at[1] = word[1];
    at[2] = word[2];
    at[3] = word[3];
    at[4] = word[4];
    at[TH_LAYOUT_CHECK_DWORD] = guard > 0 ? check : heap->check_seed;
    if (stored > 6 || (guard > 0 && header > 6 && !padded)) {
        at[6] = word[6];
    }
    if (guard > 0 && header > 7 && !padded) {
        at[7] = word[7];
    }
}

TH_TRACK_BLIND_PART void th_classic_store(th_heap *heap, const th_header *block, int guard,
                                          uint32_t header, bool padded) {
    const th_word word[TH_LAYOUT_DWORDS_MAX] = {
        block->prev | block->align_log2 << TH_LAYOUT_PREV_BITS,
        block->next,
        block->tag | block->size << TH_LAYOUT_TAG_BITS,
        (uint32_t)block->requested,
        block->site,
        0,
        TH_PADDING_6,
        TH_PADDING_7,
    };
    th_words_store(
        heap, block->offset, word,
        th_header_sum(heap->check_seed, block->offset, word[0], word[2], word[3], word[4]),
        TH_LAYOUT_CLASSIC_DWORDS, guard, header, padded);
}

TH_TRACK_BLIND_PART void th_wide_store(th_heap *heap, const th_header *block, int guard,
                                       uint32_t header, bool padded) {
    uint32_t top = block->align_log2;
#if SIZE_MAX > UINT32_MAX
    top |= (uint32_t)(block->requested >> 32) << TH_LAYOUT_ALIGN_BITS;
#endif
    const th_word word[TH_LAYOUT_DWORDS_MAX] = {
        block->prev, block->size, block->tag, (uint32_t)block->requested,
        block->site, 0,           top,        TH_PADDING_7,
    };
    th_words_store(heap, block->offset, word, th_wide_sum(heap->check_seed, block->offset, word),
                   TH_LAYOUT_WIDE_DWORDS, guard, header, padded);
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

/* The header at `offset`, of `header` dwords. */
TH_TRACK_BLIND_PART th_header th_header_peek_as(const th_heap *heap, uint32_t offset,
                                                th_heap_layout layout, int guard, uint32_t header) {
    if (th_layout_is(layout, TH_HEAP_LAYOUT_CLASSIC)) {
        return th_classic_peek(heap, offset, guard, header);
    }
    return th_layout_is_wide(layout) ? th_wide_peek(heap, offset, guard, header)
                                     : th_lean_peek(heap, offset, header);
}

TH_TRACK_BLIND_PART th_header th_header_peek(const th_heap *heap, uint32_t offset) {
    return th_header_peek_as(heap, offset, th_layout(heap), th_guard(heap), th_header_dwords(heap));
}

/* Writes the header to its place; `padded`: where the padding of one is already. */
TH_TRACK_BLIND_PART void th_header_poke_as(th_heap *heap, th_header *block, th_heap_layout layout,
                                           int guard, uint32_t header, bool padded) {
    if (th_layout_is(layout, TH_HEAP_LAYOUT_CLASSIC)) {
        th_classic_store(heap, block, guard, header, padded);
    } else if (th_layout_is_wide(layout)) {
        th_wide_store(heap, block, guard, header, padded);
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
    uint32_t change = (at[0] ^ prev) & mask;
    at[0] ^= change;
    if (guard > 0) { /* hence not lean */
        at[TH_LAYOUT_CHECK_DWORD] ^= change;
    }
}

/* Writes the blocks of the run, which ends at `above`, and all links: those in it, the one up to it
 * and the one back. */
TH_TRACK_BLIND_PART void th_chain_link_as(th_heap *heap, uint32_t below, th_header *run,
                                          unsigned count, uint32_t above, th_heap_layout layout,
                                          int guard, uint32_t header) {
    for (unsigned i = 0; i < count; i++) {
        run[i].prev = i == 0 ? below : run[i - 1].offset;
        run[i].next = i + 1 == count ? above : run[i + 1].offset;
        th_header_poke_as(heap, &run[i], layout, guard, header, false);
    }
    th_header_relink_as(heap, above, run[count - 1].offset, layout, guard);
}

/* The same for one block. `padded`: its padding is there already. */
TH_TRACK_BLIND_PART void th_chain_link_one_as(th_heap *heap, uint32_t below, th_header *block,
                                              uint32_t above, th_heap_layout layout, int guard,
                                              uint32_t header, bool padded) {
    block->prev = below;
    block->next = above;
    th_header_poke_as(heap, block, layout, guard, header, padded);
    th_header_relink_as(heap, above, block->offset, layout, guard);
}

/* The same for two blocks, `low` and `high`; `padded`: the padding of `low` is there already. */
TH_TRACK_BLIND_PART void th_chain_link_two_as(th_heap *heap, uint32_t below, th_header *low,
                                              th_header *high, uint32_t above,
                                              th_heap_layout layout, int guard, uint32_t header,
                                              bool padded) {
    low->prev = below;
    low->next = high->offset;
    high->prev = low->offset;
    high->next = above;
    th_header_poke_as(heap, low, layout, guard, header, padded);
    th_header_poke_as(heap, high, layout, guard, header, false);
    th_header_relink_as(heap, above, high->offset, layout, guard);
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

/* False after a fault if the header, not of LAST, says what cannot be: the block ends beyond LAST,
 * or elsewhere than its link says, or was asked for more than it has. One whose check word is right
 * may have been made up. */
bool th_chain_possible(const th_heap *heap, const th_header *block);

/* Reads the header at `offset`. With guards, false after a fault if the offset cannot be one, the
 * header does not agree with its check word, or it says what cannot be: following links comes to an
 * end on any heap. */
bool th_chain_load(const th_heap *heap, uint32_t offset, th_header *block);

/* As th_chain_load for the block below (not of FIRST) and above (not of LAST); with guards, also
 * false after a fault if that one's link does not lead back. */
bool th_chain_below(const th_heap *heap, const th_header *block, th_header *below);
bool th_chain_above(const th_heap *heap, const th_header *block, th_header *above);

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
