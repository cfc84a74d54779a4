/* SPDX-License-Identifier: MIT */
/* What the two halves of the fast path share: which instances there are, and how each reads a
 * header (fast_alloc.c, fast_free.c). */
#ifndef TH_HEAP_FAST_SHAPE_H
#define TH_HEAP_FAST_SHAPE_H

#include "heap/count.h"
#include "heap/fast.h"

/* Values of heap->fast: a layout, and what else there are instances for, beside a mark: what others
 * write over the field is none of them, or as good as never, and is noticed where seals are. */
#define TH_FAST_MARK               0x5B1E9A00u
#define TH_FAST_16                 4u  /* alignment 16 */
#define TH_FAST_GUARDED            8u  /* guard level 1 or 2 */
#define TH_FAST_LEVEL_2            16u /* level 2, where that is a constant */
#define TH_FAST_CLASSIC            (TH_FAST_MARK + TH_HEAP_LAYOUT_CLASSIC)
#define TH_FAST_LEAN               (TH_FAST_MARK + TH_HEAP_LAYOUT_LEAN)
#define TH_FAST_WIDE               (TH_FAST_MARK + TH_HEAP_LAYOUT_WIDE)
#define TH_FAST_CLASSIC_16         (TH_FAST_CLASSIC + TH_FAST_16)
#define TH_FAST_WIDE_16            (TH_FAST_WIDE + TH_FAST_16)
#define TH_FAST_CLASSIC_GUARDED    (TH_FAST_CLASSIC + TH_FAST_GUARDED)
#define TH_FAST_WIDE_GUARDED       (TH_FAST_WIDE + TH_FAST_GUARDED)
#define TH_FAST_CLASSIC_16_LEVEL_1 (TH_FAST_CLASSIC_16 + TH_FAST_GUARDED)
#define TH_FAST_CLASSIC_16_LEVEL_2 (TH_FAST_CLASSIC_16_LEVEL_1 + TH_FAST_LEVEL_2)

/* What is constant in each of the instances below, or as good as that. */
typedef struct th_shape {
    th_heap_layout layout;
    int guard;       /* level 0 as a constant, or one that is not 0 */
    unsigned log2;   /* of the unit */
    uint32_t header; /* dwords */
} th_shape;

TH_CHAIN_INLINE th_shape th_shape_of(const th_heap *heap, th_heap_layout layout, int guard) {
    return (th_shape){layout, guard, th_unit_log2(heap), th_header_dwords(heap)};
}

/* Alignment 16 is the default of most machines: there, all is constant. */
#define TH_CLASSIC_16         ((th_shape){TH_HEAP_LAYOUT_CLASSIC, 0, 2, 8})
#define TH_WIDE_16            ((th_shape){TH_HEAP_LAYOUT_WIDE, 0, 2, 8})
#define TH_CLASSIC_16_LEVEL_1 ((th_shape){TH_HEAP_LAYOUT_CLASSIC, 1, 2, 8})
#define TH_CLASSIC_16_LEVEL_2 ((th_shape){TH_HEAP_LAYOUT_CLASSIC, 2, 2, 8})

/* What the layout says, as a constant where it can be one. */
TH_CHAIN_INLINE uint32_t th_fast_tag_free(const th_heap *heap, th_heap_layout layout) {
    return layout == TH_HEAP_LAYOUT_WIDE ? heap->tag_free : TH_TAG_FREE;
}

/* ---- with guards -------------------------------------------------------------------------
 *
 * Everything is verified that alloc.c verifies, before anything is changed. What is not as it
 * should be is left to alloc.c, which looks again, and says so. */

/* What was verified has its padding, and keeps it; but tools are told that a header is none. */
#if TH_TRACK_ANY
#define TH_FAST_PADDED false
#else
#define TH_FAST_PADDED true
#endif

/* Level 2: there is poison, and what lies around a block is verified even where nothing becomes of
 * it. At level 1 a neighbour is where it is merged; one whose link back is renewed keeps what it
 * had wrong (th_header_relink_as). */
TH_CHAIN_INLINE bool th_fast_is_level_2(th_shape s) {
    return s.guard >= 2;
}

/* Is what becomes free wiped, or payloads that are made announced: for guards, or for a tool? */
TH_CHAIN_INLINE bool th_fast_wipes(th_shape s) {
#if TH_TRACK_ANY
    (void)s;
    return true;
#else
    return th_fast_is_level_2(s);
#endif
}

/* With guards, of a header that lies as TH_HEAP_LAYOUT_CLASSIC has it at alignment 16: is it what
 * its check word says, the link to the block above is `next`, and the rest is what is given? */
TH_TRACK_BLIND_PART bool th_fast_is(const th_heap *heap, uint32_t offset, uint32_t next,
                                    uint32_t sizes, uint32_t requested, uint32_t site) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    return at[1] == next && th_words_are(&at[6], TH_PADDING_6, TH_PADDING_7) &&
           at[TH_LAYOUT_CHECK_DWORD] ==
               th_header_sum(heap->check_seed, offset, at[0], sizes, requested, site);
}

TH_CHAIN_INLINE bool th_fast_is_classic_16(th_shape s) {
    return s.layout == TH_HEAP_LAYOUT_CLASSIC && s.header == TH_LAYOUT_DWORDS_MAX;
}

/* With guards, as the rest: is the header what its check word says? `last`: it may be LAST's. */
TH_TRACK_BLIND_PART bool th_fast_holds(const th_heap *heap, uint32_t offset, bool last,
                                       th_shape s) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    if (th_fast_is_classic_16(s)) {
        uint32_t size = at[2] >> TH_LAYOUT_TAG_BITS;
        uint32_t next = last && size == 0 ? 0 : offset + s.header + size;
        return th_fast_is(heap, offset, next, at[2], at[3], at[4]);
    }
    return at[TH_LAYOUT_CHECK_DWORD] ==
           th_check_due(at, s.layout, s.header, offset, heap->check_seed);
}

/* Reads a header (not of LAST). False: it is not what its check word says. */
TH_TRACK_BLIND_PART bool th_fast_read(const th_heap *heap, uint32_t offset, th_shape s,
                                      th_header *block) {
    *block = th_header_peek_as(heap, offset, s.layout, 0, s.header);
    return th_fast_holds(heap, offset, false, s);
}

/* With guards: is a sound free block of that size there? */
TH_TRACK_BLIND_PART bool th_fast_is_free(const th_heap *heap, uint32_t offset, uint32_t size,
                                         th_shape s) {
    if (th_fast_is_classic_16(s)) {
        const th_word *at = (const th_word *)(const void *)heap->base + offset;
        uint32_t sizes = size << TH_LAYOUT_TAG_BITS | TH_TAG_FREE;
        return at[2] == sizes && th_words_are(&at[3], 0, 0) &&
               th_fast_is(heap, offset, offset + s.header + size, sizes, 0, 0);
    }
    th_header free = th_header_peek_as(heap, offset, s.layout, 0, s.header);
    return free.tag == th_fast_tag_free(heap, s.layout) && free.size == size &&
           th_fast_holds(heap, offset, false, s);
}

/* Reads the header of the block above, which may be LAST. False: it is not what its check word
 * says, or the links between the two are not right. */
TH_TRACK_BLIND_PART bool th_fast_read_above(const th_heap *heap, const th_header *block,
                                            uint32_t end, th_shape s, th_header *above) {
    *above = th_header_peek_as(heap, end, s.layout, 0, s.header);
    return block->next == end && above->prev == block->offset && th_fast_holds(heap, end, true, s);
}

/* Reads the header of the block below; of FIRST its own. */
TH_TRACK_BLIND_PART bool th_fast_read_below(const th_heap *heap, const th_header *block, th_shape s,
                                            th_header *below) {
    return th_fast_read(heap, block->prev, s, below) &&
           (block->offset == 0 || below->next == block->offset);
}

/* The slot of a header's offset; and do two share their node? */
TH_CHAIN_INLINE uint32_t th_fast_slot(uint32_t offset, th_shape s) {
    return offset >> (s.log2 + TH_INDEX_SLOT_LOG2);
}

TH_CHAIN_INLINE bool th_fast_siblings(uint32_t slot, uint32_t other) {
    return (slot ^ other) < TH_BYTES16;
}

TH_CHAIN_INLINE uint8_t th_fast_leaf(uint32_t offset, uint32_t size, th_shape s) {
    return th_index_leaf(offset >> s.log2, size >> s.log2);
}

#define TH_FAST_LEAF_LARGE ((uint8_t)(TH_INDEX_LARGE << TH_INDEX_SLOT_LOG2))

#endif
