/* SPDX-License-Identifier: MIT */
#include "heap/place.h"

#include "heap/guard.h"

/* The payload of a header at `offset` begins this many dwords above a multiple of the alignment;
 * addresses count, not offsets. The region is a multiple of 4 bytes, so dwords are exact. */
static uint32_t excess(const th_heap *heap, uint32_t offset, uint32_t align_log2) {
    uintptr_t payload = (uintptr_t)th_at(heap, offset + th_header_dwords(heap));
    uintptr_t mask = ((uintptr_t)1 << align_log2) - 1;
    return (uint32_t)((payload & mask) / TH_DWORD_BYTES);
}

static uint32_t align_dwords(uint32_t align_log2) {
    return (uint32_t)(((uintptr_t)1 << align_log2) / TH_DWORD_BYTES);
}

uint32_t th_place_low(const th_heap *heap, uint32_t from, uint32_t align_log2) {
    uint32_t over = excess(heap, from, align_log2);
    if (over == 0) {
        return from;
    }
    uint32_t step = align_dwords(align_log2);
    uint32_t gap = step - over;
    while (gap < th_split_dwords(heap)) {
        gap += step;
    }
    return from + gap;
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
    uint32_t step = align_dwords(align_log2);
    for (;; over = step) {
        if (over > room) {
            return false;
        }
        room -= over;
        if (room == 0 || room >= th_split_dwords(heap)) {
            *offset = free->offset + room;
            return true;
        }
    }
}

static bool fits(const th_heap *heap, const th_header *free, uint32_t need, uint32_t align_log2,
                 bool tail, uint32_t *offset) {
    if (tail) {
        return place_high(heap, free, need, align_log2, offset);
    }
    uint32_t low = th_place_low(heap, free->offset, align_log2);
    *offset = low;
    return low - free->offset <= free->size && free->size - (low - free->offset) >= need;
}

/* Walks from the side's end towards the other side until something fits or blocks of the other
 * side begin. */
th_place_result th_place_find(const th_heap *heap, uint32_t need, uint32_t align_log2, uint32_t tag,
                              th_place *place) {
    bool tail = tag >= TH_TAG_TAIL_MIN;
    th_header slots[2]; /* taken in turn: the walk copies no headers */
    th_header *block = &slots[0];
    th_header *next = &slots[1];
    if (!th_chain_load(heap, tail ? heap->last : 0, block)) {
        return TH_PLACE_BROKEN;
    }
    for (;;) {
        if (th_is_spare(heap, block) && fits(heap, block, need, align_log2, tail, &place->offset)) {
            place->free = *block;
            /* Walking up, the block below has been verified on the way. */
            bool sound = th_chain_above(heap, block, &place->above) &&
                         (!tail || th_guard_below(heap, block));
            return sound ? TH_PLACE_FOUND : TH_PLACE_BROKEN;
        }
        bool other_side = !th_is_free(block) && th_is_tail(block) != tail;
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
