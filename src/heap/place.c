/* SPDX-License-Identifier: MIT */
#include "heap/place.h"

#include "heap/gap.h"
#include "heap/index.h"
#include "heap/live.h"
#include "heap/report.h"

/* The payload of a header at `offset` begins this many dwords above a multiple of the alignment;
 * addresses count, not offsets. The region is a multiple of 4 bytes, so dwords are exact. */
static uint32_t excess(const th_heap *heap, uint32_t offset, uint32_t align_log2) {
    uintptr_t payload = (uintptr_t)th_at(heap, offset + th_header_dwords(heap));
    uintptr_t mask = ((uintptr_t)1 << align_log2) - 1;
    return (uint32_t)((payload & mask) / TH_DWORD_BYTES);
}

static_assert(((uint64_t)1 << TH_LAYOUT_ALIGN_MAX) / TH_DWORD_BYTES <= TH_GAP_STEP_MAX,
              "of every alignment that a block can remember");

static uint32_t align_dwords(uint32_t align_log2) {
    return (uint32_t)(((uintptr_t)1 << align_log2) / TH_DWORD_BYTES);
}

uint32_t th_place_gap(const th_heap *heap, uint32_t from, uint32_t align_log2) {
    return th_gap_above(excess(heap, from, align_log2), align_dwords(align_log2),
                        th_split_dwords(heap));
}

/* The largest suitable header offset in the free block for a block of `need` payload dwords;
 * false if there is none. */
static bool place_high(const th_heap *heap, const th_header *free, uint32_t need,
                       uint32_t align_log2, uint32_t *offset) {
    if (free->size < need) {
        return false;
    }
    uint32_t room = free->size - need;
    uint32_t over = excess(heap, free->offset + room, align_log2);
    if (!th_gap_below(&room, over, align_dwords(align_log2), th_split_dwords(heap))) {
        return false;
    }
    *offset = free->offset + room;
    return true;
}

static bool fits(const th_heap *heap, const th_header *free, uint32_t need, uint32_t align_log2,
                 bool tail, uint32_t *offset) {
    if (tail) {
        return place_high(heap, free, need, align_log2, offset);
    }
    uint32_t gap = th_place_gap(heap, free->offset, align_log2);
    *offset = free->offset + gap;
    return gap <= free->size && free->size - gap >= need;
}

/* Walks from the side's end towards the other side until something fits or blocks of the other
 * side begin. */
static th_place_result find_by_walk(const th_heap *heap, uint32_t need, uint32_t align_log2,
                                    bool tail, th_place *place) {
    th_header slots[2]; /* taken in turn: the walk copies no headers */
    th_header *block = &slots[0];
    th_header *next = &slots[1];
    if (!th_chain_load(heap, tail ? heap->last : 0, block)) {
        return TH_PLACE_BROKEN;
    }
    for (;;) {
        if (th_is_vacant(heap, block) &&
            fits(heap, block, need, align_log2, tail, &place->offset)) {
            place->free = *block;
            return TH_PLACE_FOUND;
        }
        bool other_side = !th_is_free(heap, block) && th_is_tail(heap, block) != tail;
        if (other_side || (tail ? block->offset == 0 : th_is_last(heap, block))) {
            return TH_PLACE_NONE;
        }
        if (!(tail ? th_chain_below(heap, block, next) : th_chain_above(heap, block, next))) {
            return TH_PLACE_BROKEN;
        }
        th_header *walked = block;
        block = next;
        next = walked;
    }
}

/* Loads the free block of `size` dwords or more that is said to be at `offset`. False after a
 * fault. */
static bool load_free(const th_heap *heap, uint32_t offset, uint32_t size, th_header *block) {
    if (!th_chain_load(heap, offset, block)) {
        return false;
    }
    if (!th_is_free(heap, block) || block->size < size) {
        th_raise(heap, TH_FAULT_INDEX, block, TH_FAULT_NOWHERE, size, block->size);
        return false;
    }
    return true;
}

/* Asks the index for one candidate after the other, from the side's end on; the free block between
 * the sides comes last. All have room for `need` dwords, and only alignment can speak against one.
 */
static th_place_result find_by_index(const th_heap *heap, uint32_t need, uint32_t align_log2,
                                     bool tail, th_place *place) {
    uint32_t at = th_index_first(heap, tail, need);
    while (at < TH_INDEX_DAMAGED && (tail ? at > heap->first_tail : at < heap->first_tail)) {
        if (!load_free(heap, at, need, &place->free)) {
            return TH_PLACE_BROKEN;
        }
        if (fits(heap, &place->free, need, align_log2, tail, &place->offset)) {
            return TH_PLACE_FOUND;
        }
        at = th_index_next(heap, tail, need, at);
    }
    if (at == TH_INDEX_DAMAGED) {
        th_raise(heap, TH_FAULT_INDEX, NULL, TH_FAULT_NOWHERE, need, 0);
        return TH_PLACE_BROKEN;
    }
    if (heap->middle == TH_INDEX_NOWHERE) {
        return TH_PLACE_NONE;
    }
    if (!load_free(heap, heap->middle, 1, &place->free)) {
        return TH_PLACE_BROKEN;
    }
    return fits(heap, &place->free, need, align_log2, tail, &place->offset) ? TH_PLACE_FOUND
                                                                            : TH_PLACE_NONE;
}

/* Level 3: the walk, which finds the same. */
static th_place_result verify_by_walk(const th_heap *heap, uint32_t need, uint32_t align_log2,
                                      bool tail, th_place_result result, const th_place *place) {
    th_place walked = {.offset = TH_INDEX_NOWHERE};
    th_place_result due = find_by_walk(heap, need, align_log2, tail, &walked);
    uint32_t expected = due == TH_PLACE_FOUND ? walked.offset : TH_INDEX_NOWHERE;
    uint32_t found = result == TH_PLACE_FOUND ? place->offset : TH_INDEX_NOWHERE;
    if (due == TH_PLACE_BROKEN || expected == found) {
        return due;
    }
    th_raise(heap, TH_FAULT_INDEX, NULL, TH_FAULT_NOWHERE, expected, found);
    return TH_PLACE_BROKEN;
}

th_place_result th_place_find(const th_heap *heap, uint32_t need, uint32_t align_log2, uint32_t tag,
                              th_place *place) {
    bool tail = tag >= th_tag_tail_min(heap);
    th_place_result result;
    if (th_indexed(heap)) {
        result = find_by_index(heap, need, align_log2, tail, place);
        if (th_guard(heap) >= 3 && result != TH_PLACE_BROKEN) {
            result = verify_by_walk(heap, need, align_log2, tail, result, place);
        }
    } else {
        result = find_by_walk(heap, need, align_log2, tail, place);
    }
    if (result == TH_PLACE_FOUND && (!th_chain_above(heap, &place->free, &place->above) ||
                                     !th_guard_below(heap, &place->free))) {
        result = TH_PLACE_BROKEN;
    }
    return result;
}
