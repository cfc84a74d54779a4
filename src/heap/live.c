/* SPDX-License-Identifier: MIT */
#include "heap/live.h"

#include "heap/guard.h"
#include "heap/report.h"

/* No live payload starts at the dword that `wanted` would be the header of: is that header damaged,
 * does the pointer lie in free memory, or inside another block? Follows the chain as far as it is
 * sound. */
static void raise_bad_pointer(const th_heap *heap, const th_header *wanted) {
    uint32_t dword = wanted->offset + th_header_dwords(heap);
    size_t at = (size_t)dword * TH_DWORD_BYTES;
    uint32_t offset = 0;
    for (;;) {
        th_header block;
        if (offset == wanted->offset && wanted->check != wanted->check_due) {
            th_raise_header(heap, wanted);
            return;
        }
        if (!th_chain_load(heap, offset, &block)) {
            return;
        }
        if (dword < th_end(heap, &block)) {
            th_fault_kind kind =
                th_is_free(heap, &block) ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK;
            th_raise(heap, kind, &block, at,
                     (block.offset + th_header_dwords(heap)) * TH_DWORD_BYTES, (uint32_t)at);
            return;
        }
        offset = block.next;
    }
}

/* *offset is that of the header that belongs to a payload at `pointer`; false after a fault if no
 * payload can start there. */
static bool header_offset(const th_heap *heap, const void *pointer, uint32_t *offset) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->base;
    if (th_guard(heap) > 0) {
        if (distance >= th_managed_bytes(heap)) {
            th_raise(heap, TH_FAULT_FOREIGN, NULL, TH_FAULT_NOWHERE, 0, (uint32_t)distance);
            return false;
        }
        uintptr_t first = (uintptr_t)th_header_dwords(heap) * TH_DWORD_BYTES;
        uintptr_t last = (uintptr_t)heap->last * TH_DWORD_BYTES;
        if (distance < first || distance >= last ||
            distance % ((size_t)th_unit(heap) * TH_DWORD_BYTES) != 0) {
            th_raise(heap, TH_FAULT_MISALIGNED, NULL, distance, (uint32_t)first,
                     (uint32_t)distance);
            return false;
        }
    }
    *offset = (uint32_t)(distance / TH_DWORD_BYTES) - th_header_dwords(heap);
    return true;
}

bool th_require_live(const th_heap *heap, const void *pointer, th_header *block) {
    uint32_t offset;
    if (!header_offset(heap, pointer, &offset)) {
        return false;
    }
    th_header_load(heap, offset, block);
    if (th_guard(heap) == 0) {
        return true;
    }
    th_track_trust(block, sizeof *block); /* a bad pointer may lead to uninitialised bytes */
    if (block->check != block->check_due || th_is_free(heap, block)) {
        raise_bad_pointer(heap, block);
        return false;
    }
    return th_chain_possible(heap, block) && th_guard_canary(heap, block);
}

bool th_guard_below(const th_heap *heap, const th_header *block) {
    th_header below;
    return th_guard(heap) < 2 || block->offset == 0 || th_chain_below(heap, block, &below);
}

bool th_guard_above(const th_heap *heap, const th_header *block) {
    th_header above;
    return th_guard(heap) < 2 || th_chain_above(heap, block, &above);
}
