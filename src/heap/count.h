/* SPDX-License-Identifier: MIT */
/* The counters: how many blocks of each kind there are, what they hold, where the TAIL side begins,
 * which free block lies between the sides; and, with them, the index, which holds all other free
 * blocks. Together they follow every change of the blocks: what a run of blocks replaces is counted
 * out first, then the run is counted in. */
#ifndef TH_HEAP_COUNT_H
#define TH_HEAP_COUNT_H

#include "heap/index.h"
#include "heap/seal.h"

/* Level 3: a block's part in heap->live_sum is counted in, or out. */
TH_CHAIN_INLINE void th_count_says_in(th_heap *heap, const th_header *block) {
#if TH_GUARD >= 3
    heap->live_sum += heap->guard >= 3 ? th_header_says(heap, block) : 0;
#else
    (void)heap;
    (void)block;
#endif
}

TH_CHAIN_INLINE void th_count_says_out(th_heap *heap, const th_header *block) {
#if TH_GUARD >= 3
    heap->live_sum -= heap->guard >= 3 ? th_header_says(heap, block) : 0;
#else
    (void)heap;
    (void)block;
#endif
}

/* Live blocks, by what they take, headers included. */
TH_CHAIN_INLINE void th_count_live_in(th_heap *heap, bool tail, uint32_t dwords) {
    if (tail) {
        heap->tail_blocks++;
        heap->tail_dwords += dwords;
    } else {
        heap->head_blocks++;
        heap->head_dwords += dwords;
    }
}

TH_CHAIN_INLINE void th_count_live_out(th_heap *heap, bool tail, uint32_t dwords) {
    if (tail) {
        heap->tail_blocks--;
        heap->tail_dwords -= dwords;
    } else {
        heap->head_blocks--;
        heap->head_dwords -= dwords;
    }
}

/* Takes a block out, before anything of it is overwritten. */
TH_CHAIN_LONG_INLINE void th_count_out(th_heap *heap, const th_header *block) {
    if (!th_is_free(heap, block)) {
        th_count_live_out(heap, th_is_tail(heap, block), th_header_dwords(heap) + block->size);
        th_count_says_out(heap, block);
        return;
    }
    heap->free_blocks--;
    heap->high_free_blocks -= block->offset > heap->first_tail;
    if (block->offset == heap->middle) {
        heap->middle = TH_INDEX_NOWHERE;
    } else if (th_indexed(heap)) {
        th_index_erase(heap, block->offset, block->size);
    }
}

TH_CHAIN_LONG_INLINE void th_count_in(th_heap *heap, const th_header *block) {
    if (!th_is_free(heap, block)) {
        th_count_live_in(heap, th_is_tail(heap, block), th_header_dwords(heap) + block->size);
        th_count_says_in(heap, block);
        return;
    }
    heap->free_blocks++;
    heap->high_free_blocks += block->offset > heap->first_tail;
    if (block->next == heap->first_tail) {
        heap->middle = block->offset;
    } else if (th_indexed(heap)) {
        th_index_insert(heap, block->offset, block->size);
    }
}

/* Counts in the run, which has its links and ends at `above`. */
TH_CHAIN_LONG_INLINE void th_count_run(th_heap *heap, const th_header *run, unsigned count,
                                       uint32_t above) {
    /* If the TAIL side begins below the run it still does; else it begins in it, or above it,
     * where, then, it begins already, unless the run has taken the place of its first block. */
    uint32_t begin = above;
    for (unsigned i = count; i > 0; i--) {
        begin = th_is_tail(heap, &run[i - 1]) ? run[i - 1].offset : begin;
    }
    if (heap->first_tail >= run[0].offset && heap->first_tail <= above) {
        heap->first_tail = begin;
    }
    for (unsigned i = 0; i < count; i++) {
        th_count_in(heap, &run[i]);
    }
}

/* Live payloads and their headers, in dwords. */
TH_CHAIN_INLINE uint32_t th_used_dwords(const th_heap *heap) {
    return heap->head_dwords + heap->tail_dwords;
}

/* Raises the high-water mark to what is used now. */
TH_CHAIN_INLINE void th_note_high_water(th_heap *heap) {
    uint32_t used = th_used_dwords(heap);
    if (used > heap->high_water_dwords) {
        heap->high_water_dwords = used;
    }
}

#endif
