/* SPDX-License-Identifier: MIT */
#include "heap/chain.h"

#include "heap/count.h"
#include "heap/report.h"

bool th_chain_possible(const th_heap *heap, const th_header *block) {
    size_t bytes = (size_t)block->size * TH_DWORD_BYTES;
    if (block->size > heap->last - block->offset || block->next != th_end(heap, block)) {
        th_raise(heap, TH_FAULT_CHAIN, block, TH_FAULT_NOWHERE, th_end(heap, block), block->next);
        return false;
    }
    if (block->requested > bytes) {
        th_raise(heap, TH_FAULT_CHAIN, block, TH_FAULT_NOWHERE, (uint32_t)bytes,
                 (uint32_t)block->requested);
        return false;
    }
    return true;
}

/* On the path of every walk, hence blind as a whole. */
TH_TRACK_BLIND bool th_chain_load(const th_heap *heap, uint32_t offset, th_header *block) {
    if (th_guard(heap) > 0 && !th_offset_ok(heap, offset)) {
        th_raise(heap, TH_FAULT_CHAIN, NULL, TH_FAULT_NOWHERE, heap->last, offset);
        return false;
    }
    TH_ASSERT(th_offset_ok(heap, offset));
    th_track_blind_begin();
    *block = th_header_peek(heap, offset);
    bool agrees = block->check == block->check_due;
    th_track_blind_end();
    th_track_trust(&agrees, sizeof agrees); /* an index may lead to where no header is */
    if (!agrees) {
        th_track_trust(block, sizeof *block);
        th_raise_header(heap, block);
        return false;
    }
    return th_guard(heap) == 0 || th_is_last(heap, block) || th_chain_possible(heap, block);
}

bool th_chain_below(const th_heap *heap, const th_header *block, th_header *below) {
    TH_ASSERT(block->offset != 0);
    if (!th_chain_load(heap, block->prev, below)) {
        return false;
    }
    if (th_guard(heap) > 0 && below->next != block->offset) {
        th_raise(heap, TH_FAULT_CHAIN, below, TH_FAULT_NOWHERE, block->offset, below->next);
        return false;
    }
    return true;
}

bool th_chain_above(const th_heap *heap, const th_header *block, th_header *above) {
    TH_ASSERT(!th_is_last(heap, block));
    if (!th_chain_load(heap, block->next, above)) {
        return false;
    }
    if (th_guard(heap) > 0 && above->prev != block->offset) {
        th_raise(heap, TH_FAULT_CHAIN, above, TH_FAULT_NOWHERE, block->offset, above->prev);
        return false;
    }
    return true;
}

static TH_TRACK_BLIND void link_run(th_heap *heap, uint32_t below, th_header *run, unsigned count,
                                    uint32_t above) {
    th_track_blind_begin();
    th_chain_link_as(heap, below, run, count, above, th_layout(heap), th_guard(heap),
                     th_header_dwords(heap));
    th_track_blind_end();
}

void th_chain_replace(th_heap *heap, uint32_t below, th_header *run, unsigned count,
                      uint32_t above) {
    for (unsigned i = 0; i < count; i++) {
        uint32_t end = i + 1 == count ? above : run[i + 1].offset;
        TH_ASSERT(th_end(heap, &run[i]) == end);
        (void)end;
    }
    link_run(heap, below, run, count, above);
    th_count_run(heap, run, count, above);
}
