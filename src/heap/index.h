/* SPDX-License-Identifier: MIT */
/* The index: which free block is the lowest, or the highest, that has room, without a walk. It
 * never changes which block that is (docs/design/index.md).
 *
 * Offsets and sizes are counted in units here, the heap's alignment; a place is an offset in
 * units. The region is cut into slots of SLOT units, so few that at most one free block begins in
 * each: between two of them lies a live one.
 *   small    a tree of bytes, fan-out 16. A leaf is a slot: in its high bits the payload of the
 *            free block that begins there, LARGE for all that are as large or larger, in the low
 *            ones where in the slot it begins; 0 if none does. Above it, of each 16 the largest.
 *   large    a tree of words, fan-out 8, over stretches of 64 units, in which at most one block of
 *            LARGE units or more can begin: its size, exactly
 * The levels of the small tree lie one after the other, leaves first: above node n is node n / 16
 * of the next one. Above the root lies the stop, a byte with which every climb ends. The large one
 * lies in an array from the top down: node n has its children at (n + 1) * 8.
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

#define TH_INDEX_SLOT_LOG2 2u
#define TH_INDEX_SLOT      (1u << TH_INDEX_SLOT_LOG2)
static_assert(TH_INDEX_SLOT <= 4, "between two free blocks lie two headers and two payloads, of a "
                                  "unit or more each");

#define TH_INDEX_STRETCH_LOG2 6u
#define TH_INDEX_LARGE        62u
static_assert(TH_INDEX_LARGE + 3 >= 1u << TH_INDEX_STRETCH_LOG2,
              "between two large ones two headers and a payload more");

/* The stop: no leaf is that. */
#define TH_INDEX_STOP 255u
static_assert((TH_INDEX_LARGE + 1) << TH_INDEX_SLOT_LOG2 <= TH_INDEX_STOP, "a leaf is a byte");

/* No such block; and: there is none where the index says that there is one. Above every offset. */
#define TH_INDEX_NOWHERE UINT32_MAX
#define TH_INDEX_DAMAGED (UINT32_MAX - 1)

TH_CHAIN_INLINE bool th_indexed(const th_heap *heap) {
#if TH_INDEX
    return heap->index.small[0] != NULL;
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

/* Notes where the heap's index lies, if the config wants one: in its memory nothing is written. */
void th_index_lay(th_heap *heap);

/* Makes the heap's index, empty, where the config wants it, if it wants one. */
void th_index_start(th_heap *heap);

/* Brings a heap's index into line with its blocks, which are sound, from nothing. O(n + units). */
void th_index_rebuild(th_heap *heap);

/* Does the index hold exactly the free blocks but the middle one, and do the trees agree with them?
 * The blocks are sound. False: *fault says what is wrong. O(n + units ever used). */
bool th_index_check(const th_heap *heap, th_fault *fault);

/* The nodes of the small tree above those of `level` are brought into line with them: where node
 * `node` of that level has become larger, `value`; where what was `old` is gone from the leaf of a
 * slot, which has its new value. And: in the stretch of that place a block of LARGE units or more
 * begins now, or none (size 0). O(log units). */
void th_index_raise(th_heap *heap, uint32_t slot, uint8_t value);
void th_index_lower(th_heap *heap, uint32_t slot, uint8_t old);
void th_index_set_large(th_heap *heap, uint32_t place, uint32_t size);

/* The least that a leaf can be where a payload of so many units, or more, begins. */
TH_CHAIN_INLINE uint8_t th_index_least(uint32_t units) {
    return (uint8_t)((units < TH_INDEX_LARGE ? units : TH_INDEX_LARGE) << TH_INDEX_SLOT_LOG2);
}

/* The leaf of a slot in which a payload of so many units begins, at that place. */
TH_CHAIN_INLINE uint8_t th_index_leaf(uint32_t place, uint32_t units) {
    return (uint8_t)(th_index_least(units) | (place & (TH_INDEX_SLOT - 1)));
}

/* And back: the place. */
TH_CHAIN_INLINE uint32_t th_index_place(uint32_t slot, uint8_t leaf) {
    return slot << TH_INDEX_SLOT_LOG2 | (leaf & (TH_INDEX_SLOT - 1));
}

/* A node above need not be told of what is less than its other children. Above the root is the
 * stop: it is never less. */
TH_CHAIN_LONG_INLINE void th_index_raise_inline(th_heap *heap, uint32_t slot, uint8_t value) {
    size_t node = slot / TH_BYTES16;
    for (uint8_t *const *level = &heap->index.small[1]; (*level)[node] < value; level++) {
        (*level)[node] = value;
        node /= TH_BYTES16;
    }
}

/* A node above had its value from there, or keeps it. The stop is neither. */
TH_CHAIN_LONG_INLINE void th_index_lower_inline(th_heap *heap, uint32_t slot, uint8_t old) {
    size_t node = slot / TH_BYTES16;
    for (uint8_t *const *level = &heap->index.small[1]; (*level)[node] == old; level++) {
        uint8_t max = th_bytes16_max(&level[-1][node * TH_BYTES16]);
        (*level)[node] = max;
        if (max == old) {
            break;
        }
        node /= TH_BYTES16;
    }
}

/* Adds the free block. O(log units), but a few steps where a neighbour is as large. */
TH_CHAIN_LONG_INLINE void th_index_insert(th_heap *heap, uint32_t offset, uint32_t size) {
    uint32_t place = offset >> th_unit_log2(heap);
    uint32_t units = size >> th_unit_log2(heap);
    uint32_t slot = place >> TH_INDEX_SLOT_LOG2;
    uint8_t leaf = th_index_leaf(place, units);
    heap->index.small[0][slot] = leaf;
    th_index_raise(heap, slot, leaf);
    if (units >= TH_INDEX_LARGE) {
        th_index_set_large(heap, place, units);
    }
}

/* Takes the free block out, as th_index_insert. */
TH_CHAIN_LONG_INLINE void th_index_erase(th_heap *heap, uint32_t offset, uint32_t size) {
    uint32_t place = offset >> th_unit_log2(heap);
    uint32_t units = size >> th_unit_log2(heap);
    uint32_t slot = place >> TH_INDEX_SLOT_LOG2;
    uint8_t leaf = th_index_leaf(place, units);
    heap->index.small[0][slot] = 0;
    th_index_lower(heap, slot, leaf);
    if (units >= TH_INDEX_LARGE) {
        th_index_set_large(heap, place, 0);
    }
}

/* ---- the way down -------------------------------------------------------------------------
 *
 * In terms of places and units. */

/* Of the sixteen nodes beside `node`, on that level of the small tree: those that are `least` or
 * more. */
TH_CHAIN_INLINE uint32_t th_index_mask(const th_heap *heap, uint32_t level, size_t node,
                                       uint8_t least) {
    return th_bytes16_at_least(&heap->index.small[level][node & ~(size_t)(TH_BYTES16 - 1)], least);
}

/* The searches go to one of the two ends: `high` says to which. */
TH_CHAIN_INLINE unsigned th_index_end_bit(uint32_t mask, bool high) {
    return high ? th_highest_bit(mask) : th_lowest_bit(mask);
}

/* From those of the sixteen nodes at `group`, on that level, that `mask` says, to a leaf: its slot.
 * False: a node promises what is not below it. */
TH_CHAIN_INLINE bool th_index_descend(const th_heap *heap, bool high, uint32_t level, size_t group,
                                      uint32_t mask, uint8_t least, uint32_t *slot) {
    size_t node = group + th_index_end_bit(mask, high);
    for (uint8_t *const *at = &heap->index.small[level]; at != &heap->index.small[0];) {
        at--;
        node *= TH_BYTES16;
        mask = th_bytes16_at_least(&(*at)[node], least);
        if (mask == 0) {
            return false;
        }
        node += th_index_end_bit(mask, high);
    }
    *slot = (uint32_t)node;
    return true;
}

/* The offset of the lowest, or the highest, block that has a payload of `need` dwords (a multiple
 * of the unit) or more; TH_INDEX_NOWHERE if there is none. O(log units). */
uint32_t th_index_first(const th_heap *heap, bool high, uint32_t need);

/* The next one above, or below, the block at `offset`. O(log units). */
uint32_t th_index_next(const th_heap *heap, bool high, uint32_t need, uint32_t offset);

/* The largest payload in the index, in dwords; 0 if there is none. O(1). */
uint32_t th_index_largest(const th_heap *heap);

#endif
