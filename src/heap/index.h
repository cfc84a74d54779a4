/* SPDX-License-Identifier: MIT */
/* The index: which free block is the lowest, or the highest, that has room, without a walk. It
 * never changes which block that is (docs/design/index.md).
 *
 * Offsets and sizes are counted in units here, the heap's alignment; a place is an offset in
 * units. The region is cut into segments of SEGMENT units.
 *   starts   one bit for each unit: a free block that the index holds begins there
 *   small    a tree of bytes, fan-out 16: of each segment the largest free payload beginning in
 *            it, LARGE for all that are as large or larger; above it, of each 16 the largest
 *   large    a tree of words, fan-out 8, over stretches of LARGE + 1 units, in which at most one
 *            block of LARGE units or more can begin: its size, exactly
 *   large_at where in its stretch it begins
 * Both trees lie in an array, from the top down: node n has its children at (n + 1) * fan-out.
 *
 * The free block that lies between the sides, if there is one, is not in the index: it ends at the
 * first TAIL block (or LAST), so its place and size are known, and most changes of a heap that
 * grows are changes of this block. */
#ifndef TH_HEAP_INDEX_H
#define TH_HEAP_INDEX_H

#include "base/bytes16.h"
#include "heap/chain.h"

/* The build knob: 0 makes a library without an index. It decides the same, by walking. */
#ifndef TH_INDEX
#define TH_INDEX 1
#endif

#ifndef TH_INDEX_LARGE_LOG2
#define TH_INDEX_LARGE_LOG2 8
#endif
static_assert(TH_INDEX_SEGMENT_LOG2 >= 1 && TH_INDEX_SEGMENT_LOG2 <= 6,
              "a segment's bits are a word");
static_assert(TH_INDEX_LARGE_LOG2 >= TH_INDEX_SEGMENT_LOG2 && TH_INDEX_LARGE_LOG2 <= 8,
              "a size below LARGE is a byte, and a stretch is whole segments");

#define TH_INDEX_LARGE         ((1u << TH_INDEX_LARGE_LOG2) - 1)
#define TH_INDEX_SEGMENT_UNITS (1u << TH_INDEX_SEGMENT_LOG2)

/* No such block; and: there is none where the index says that there is one. Above every offset. */
#define TH_INDEX_NOWHERE UINT32_MAX
#define TH_INDEX_DAMAGED (UINT32_MAX - 1)

TH_CHAIN_INLINE bool th_indexed(const th_heap *heap) {
#if TH_INDEX
    return heap->index.starts != NULL;
#else
    (void)heap;
    return false;
#endif
}

/* The bytes that the index of a heap of so many units takes, a multiple of 8. */
size_t th_index_bytes(uint32_t units);

/* What an index inside the region takes of it at most, whatever the address of the region. */
size_t th_index_inside_bytes(const th_heap *heap);

/* Can the index lie where the config wants it? A status as of th_heap_init. */
th_status th_index_accepts(const th_heap *heap);

/* Makes the heap's index, empty, where the config wants it, if it wants one. */
void th_index_start(th_heap *heap);

/* Brings a heap's index into line with its blocks, which are sound, from nothing. O(n + units). */
void th_index_rebuild(th_heap *heap);

/* Does the index hold exactly the free blocks but the middle one, and do the trees agree with them?
 * The blocks are sound. False: *fault says what is wrong. O(n + units ever used). */
bool th_index_check(const th_heap *heap, th_fault *fault);

/* A leaf of the small tree has become larger; a start of the segment is gone, which may have been
 * the largest; in the stretch of that place a block of LARGE units or more begins now, or none
 * (size 0). Other blocks of the index must have their headers. O(log units). */
void th_index_raise(th_heap *heap, uint32_t node, uint32_t value);
void th_index_lower(th_heap *heap, uint32_t segment);
void th_index_set_large(th_heap *heap, uint32_t place, uint32_t size);

/* What stands for a payload of so many units in the small tree. */
TH_CHAIN_INLINE uint8_t th_index_value(uint32_t units) {
    return (uint8_t)(units < TH_INDEX_LARGE ? units : TH_INDEX_LARGE);
}

TH_CHAIN_LONG_INLINE void th_index_raise_inline(th_heap *heap, uint32_t node, uint32_t value) {
    uint8_t *tree = heap->index.small;
    while (tree[node] < value) {
        tree[node] = (uint8_t)value;
        if (node < TH_BYTES16) {
            break;
        }
        node = node / TH_BYTES16 - 1;
    }
}

/* A leaf has this value now, which is not larger. A node above had its value from there, or keeps
 * it. */
TH_CHAIN_LONG_INLINE void th_index_lower_to(th_heap *heap, uint32_t node, uint8_t value) {
    uint8_t *tree = heap->index.small;
    uint8_t old = tree[node];
    while (value != old) {
        tree[node] = value;
        if (node < TH_BYTES16 || tree[node / TH_BYTES16 - 1] != old) {
            break;
        }
        value = th_bytes16_max(&tree[node & ~(TH_BYTES16 - 1)]);
        node = node / TH_BYTES16 - 1;
    }
}

/* For blind functions: the value of a segment's leaf, by its starts. The rest is not looked at once
 * one is found that makes it `enough`. */
TH_TRACK_BLIND_PART uint8_t th_index_largest_start_as(const th_heap *heap, uint32_t segment,
                                                      uint8_t enough, th_heap_layout layout,
                                                      unsigned log2) {
    uint32_t max = 0;
    for (uint64_t starts = heap->index.starts[segment]; starts != 0 && max < enough;
         starts &= starts - 1) {
        uint32_t place = segment * TH_INDEX_SEGMENT_UNITS + th_lowest_bit(starts);
        uint32_t size = th_header_peek_as(heap, place << log2, layout, 0).size >> log2;
        max = size > max ? size : max;
    }
    return th_index_value(max);
}

/* Adds the free block. O(log units), but a few steps where a neighbour in its segment is as large.
 */
TH_CHAIN_LONG_INLINE void th_index_insert(th_heap *heap, uint32_t offset, uint32_t size) {
    uint32_t place = offset >> th_unit_log2(heap);
    uint32_t units = size >> th_unit_log2(heap);
    uint32_t segment = place / TH_INDEX_SEGMENT_UNITS;
    uint32_t node = heap->index.small_leaf + segment;
    heap->index.starts[segment] |= (uint64_t)1 << place % TH_INDEX_SEGMENT_UNITS;
    if (heap->index.small[node] < th_index_value(units)) {
        th_index_raise(heap, node, th_index_value(units));
    }
    if (units >= TH_INDEX_LARGE) {
        th_index_set_large(heap, place, units);
    }
}

/* Takes the free block out, as th_index_insert. */
TH_CHAIN_LONG_INLINE void th_index_erase(th_heap *heap, uint32_t offset, uint32_t size) {
    uint32_t place = offset >> th_unit_log2(heap);
    uint32_t units = size >> th_unit_log2(heap);
    uint32_t segment = place / TH_INDEX_SEGMENT_UNITS;
    heap->index.starts[segment] &= ~((uint64_t)1 << place % TH_INDEX_SEGMENT_UNITS);
    if (heap->index.small[heap->index.small_leaf + segment] == th_index_value(units)) {
        th_index_lower(heap, segment);
    }
    if (units >= TH_INDEX_LARGE) {
        th_index_set_large(heap, place, 0);
    }
}

/* ---- the way down -------------------------------------------------------------------------
 *
 * For blind functions, in terms of places and units; *size is the payload found, as its header
 * says. With guards a header that is damaged is found, too, whatever it says: whoever loads it then
 * says so. */

/* In the small tree, of the sixteen nodes beside `node`: those with `need` units. */
TH_CHAIN_INLINE uint32_t th_index_mask(const th_heap *heap, uint32_t node, uint32_t need) {
    return th_bytes16_at_least(&heap->index.small[node & ~(TH_BYTES16 - 1)], (uint8_t)need);
}

TH_TRACK_BLIND_PART bool th_index_fits_as(const th_heap *heap, uint32_t place, uint32_t need,
                                          th_heap_layout layout, int guard, unsigned log2,
                                          uint32_t *size) {
    th_header block = th_header_peek_as(heap, place << log2, layout, guard);
    *size = block.size;
    return block.size >> log2 >= need || (guard > 0 && block.check != block.check_due);
}

/* The searches go to one of the two ends: `high` says to which. */
TH_CHAIN_INLINE unsigned th_index_end_bit(uint64_t mask, bool high) {
    return high ? th_highest_bit(mask) : th_lowest_bit(mask);
}

/* Of the starts of a segment, those in `starts`: the lowest, or highest, with `need` units. */
TH_TRACK_BLIND_PART uint32_t th_index_start_as(const th_heap *heap, bool high, uint32_t segment,
                                               uint64_t starts, uint32_t need,
                                               th_heap_layout layout, int guard, unsigned log2,
                                               uint32_t *size) {
    while (starts != 0) {
        unsigned bit = th_index_end_bit(starts, high);
        uint32_t place = segment * TH_INDEX_SEGMENT_UNITS + bit;
        if (th_index_fits_as(heap, place, need, layout, guard, log2, size)) {
            return place;
        }
        starts ^= (uint64_t)1 << bit;
    }
    return TH_INDEX_NOWHERE;
}

/* From those of the sixteen nodes at `group` that `mask` says, to a leaf, and to the block there.
 * Where a node promises what is not below it, the index is damaged. */
TH_TRACK_BLIND_PART uint32_t th_index_descend_as(const th_heap *heap, bool high, uint32_t group,
                                                 uint32_t mask, uint32_t need,
                                                 th_heap_layout layout, int guard, unsigned log2,
                                                 uint32_t *size) {
    uint32_t node = group + th_index_end_bit(mask, high);
    while (node < heap->index.small_leaf) {
        group = (node + 1) * TH_BYTES16;
        mask = th_index_mask(heap, group, need);
        if (mask == 0) {
            return TH_INDEX_DAMAGED;
        }
        node = group + th_index_end_bit(mask, high);
    }
    uint32_t segment = node - heap->index.small_leaf;
    uint32_t place = th_index_start_as(heap, high, segment, heap->index.starts[segment], need,
                                       layout, guard, log2, size);
    return place != TH_INDEX_NOWHERE ? place : TH_INDEX_DAMAGED;
}

/* The offset of the lowest, or the highest, block that has a payload of `need` dwords (a multiple
 * of the unit) or more; TH_INDEX_NOWHERE if there is none. O(log units). */
uint32_t th_index_first(const th_heap *heap, bool high, uint32_t need);

/* The next one above, or below, the block at `offset`. O(log units). */
uint32_t th_index_next(const th_heap *heap, bool high, uint32_t need, uint32_t offset);

/* The largest payload in the index, in dwords; 0 if there is none. O(1). */
uint32_t th_index_largest(const th_heap *heap);

#endif
