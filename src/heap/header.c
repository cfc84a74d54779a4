/* SPDX-License-Identifier: MIT */
/* One header, as chain.h has it: loaded, stored, retired. */
#include "heap/chain.h"

uint32_t th_need_dwords(const th_heap *heap, size_t bytes) {
    TH_ASSERT(bytes > 0);
    size_t dwords = (bytes - 1) / TH_DWORD_BYTES + 1;
    if (dwords > th_size_max(heap)) {
        return 0;
    }
    uint32_t rounded = th_round_up((uint32_t)dwords, th_unit(heap));
    return rounded <= th_size_max(heap) ? rounded : 0;
}

TH_TRACK_BLIND void th_header_load(const th_heap *heap, uint32_t offset, th_header *block) {
    TH_ASSERT(th_offset_ok(heap, offset));
    th_track_blind_begin();
    *block = th_header_peek(heap, offset);
    th_track_blind_end();
}

TH_TRACK_BLIND void th_header_store(th_heap *heap, th_header *block) {
    TH_ASSERT(th_offset_ok(heap, block->offset));
    TH_ASSERT(block->size <= th_size_max(heap) && block->tag <= th_tag_free(heap));
    th_track_blind_begin();
    th_header_poke_as(heap, block, th_layout(heap), th_guard(heap), th_header_dwords(heap), false);
    th_track_blind_end();
}

TH_TRACK_BLIND uint32_t th_header_old_check(const th_heap *heap) {
#if TH_GUARD > 0
    const th_word *at = (const void *)heap->base;
    th_track_blind_begin();
    uint32_t check = at[TH_LAYOUT_CHECK_DWORD];
    th_track_blind_end();
    th_track_trust(&check, sizeof check);
    return check;
#else
    (void)heap;
    return 0;
#endif
}

TH_TRACK_BLIND void th_header_retire(th_heap *heap, uint32_t offset) {
    th_track_blind_begin();
    th_header_spoil_as(heap, offset, th_guard(heap));
    th_track_blind_end();
}

th_header th_header_free(const th_heap *heap, uint32_t offset, uint32_t size) {
    th_header block = {.offset = offset, .tag = th_tag_free(heap), .size = size};
    block.align_log2 = (uint8_t)th_highest_bit((size_t)th_unit(heap) * TH_DWORD_BYTES);
    return block;
}
