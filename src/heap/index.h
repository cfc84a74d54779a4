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

#define TH_INDEX_LARGE ((1u << TH_INDEX_LARGE_LOG2) - 1)

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

/* Adds the free block, or takes it out. Other blocks of the index must have their headers. */
void th_index_insert(th_heap *heap, uint32_t offset, uint32_t size);
void th_index_erase(th_heap *heap, uint32_t offset, uint32_t size);

/* The offset of the lowest, or the highest, block that has a payload of `need` dwords (a multiple
 * of the unit) or more; TH_INDEX_NOWHERE if there is none. O(log units). */
uint32_t th_index_lowest(const th_heap *heap, uint32_t need);
uint32_t th_index_highest(const th_heap *heap, uint32_t need);

/* The next one above, or below, the block at `offset`. O(log units). */
uint32_t th_index_above(const th_heap *heap, uint32_t need, uint32_t offset);
uint32_t th_index_below(const th_heap *heap, uint32_t need, uint32_t offset);

/* The largest payload in the index, in dwords; 0 if there is none. O(1). */
uint32_t th_index_largest(const th_heap *heap);

#endif
