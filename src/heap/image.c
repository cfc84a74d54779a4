/* SPDX-License-Identifier: MIT */
/* Copies of a heap at other addresses. Links are offsets, so the bytes are the same everywhere;
 * what depends on the address is the alignment of payloads, and what the sanitizers know. */
#include <string.h>

#include "heap/call.h"
#include "heap/check.h"
#include "heap/fast.h"
#include "heap/index.h"
#include "heap/seal.h"

/* Would every live block keep its alignment at this base? */
static th_status check_alignments(const th_heap *heap, const unsigned char *base) {
    size_t distance = (size_t)((uintptr_t)base - (uintptr_t)heap->base);
    if (!th_is_aligned((uintptr_t)base, (size_t)th_unit(heap) * TH_DWORD_BYTES)) {
        return TH_ERR_MISALIGNED;
    }
    th_header block;
    for (uint32_t offset = 0; offset != heap->last; offset = block.next) {
        if (!th_chain_load(heap, offset, &block)) {
            return TH_ERR_CORRUPT;
        }
        if (!th_is_free(heap, &block) && !th_is_aligned(distance, (size_t)1 << block.align_log2)) {
            return TH_ERR_MISALIGNED;
        }
    }
    return TH_OK;
}

/* Closes everything, then opens what is requested in live blocks, contents as they are. */
static void announce(const th_heap *heap) {
#if TH_TRACK_ANY
    th_header block;
    th_track_close(heap->base, th_managed_bytes(heap));
    for (uint32_t offset = 0; offset != heap->last; offset = block.next) {
        th_header_load(heap, offset, &block);
        if (!th_is_free(heap, &block)) {
            th_track_open(th_payload(heap, &block), block.requested);
            th_track_release(th_payload(heap, &block), block.requested);
        }
    }
#else
    (void)heap;
#endif
}

/* Copies bytes that are closed to everybody else. */
static TH_TRACK_BLIND void copy_dwords(th_word *to, const th_word *from, size_t dwords) {
    th_track_blind_begin();
    for (size_t i = 0; i < dwords; i++) {
        to[i] = from[i];
    }
    th_track_blind_end();
}

/* What is frozen may be looked at, and what is made of it is not frozen. */
th_status th_heap_copy(const th_heap *from, th_heap *to, void *region) {
    if (from == NULL || to == NULL || region == NULL || th_is_ended(from)) {
        return TH_ERR_NULL;
    }
    th_hold(from);
    bool sound = th_guard_control(from);
    if (!sound || th_refuse_inside(from)) {
        th_let_go(from);
        return sound ? TH_ERR_BUSY : TH_ERR_CORRUPT;
    }
    th_status status = th_guard_sound(from) ? check_alignments(from, region) : TH_ERR_CORRUPT;
    if (status == TH_OK) {
        th_heap copy = *from;
        copy.base = region;
        copy.skipped_bytes = 0;
        copy.busy = TH_FAULT_NONE;
        copy.in_low_memory = false;
        copy.journal = NULL;
        /* The header of the free block in the middle may lie just above what was used. */
        uint32_t low = from->low_used + th_header_dwords(from);
        uint32_t high = from->high_used > low ? from->high_used : low;
        th_track_release(region, th_heap_region_bytes(from));
        copy_dwords((void *)copy.base, (const void *)from->base, low);
        copy_dwords((void *)th_at(&copy, high), (const void *)th_at(from, high),
                    from->dwords - high);
        announce(&copy);
        if (!copy.index_inside) {
            copy.config.index = TH_HEAP_INDEX_NONE;
        }
        th_index_rebuild(&copy);
        th_fast_choose(&copy);
        th_seal(&copy);
        *to = copy;
    }
    th_let_go(from);
    return status;
}

th_status th_heap_attach(th_heap *heap, void *region) {
    if (heap == NULL || region == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    th_hold(heap);
    if (!th_seal_holds(heap) || th_refuse_inside(heap)) {
        /* The region that *heap remembers may be gone: only what it says itself is looked at. */
        th_let_go(heap);
        return th_seal_holds(heap) ? TH_ERR_BUSY : TH_ERR_CORRUPT;
    }
    if (!th_layout_contained(heap->layout)) {
        th_let_go(heap);
        return TH_ERR_LAYOUT;
    }
    th_heap moved = *heap;
    moved.base = (unsigned char *)region + moved.skipped_bytes;
    moved.busy = TH_FAULT_NONE;
    moved.in_low_memory = false;
    moved.journal = NULL;
    /* This build may contain less than the one that wrote the image. */
    if (moved.guard > TH_GUARD) {
        moved.guard = TH_GUARD;
    }
    moved.index = (th_heap_index_arrays){0}; /* never trusted */
    moved.seal_layout = 0;
    moved.seal_counts = 0;
    th_seal(&moved);
    th_fault fault = {.kind = TH_FAULT_MISALIGNED};
    th_status status = TH_ERR_MISALIGNED;
    if (th_is_aligned((uintptr_t)moved.base, (size_t)th_unit(heap) * TH_DWORD_BYTES)) {
        status = th_check(&moved, &fault);
        if (status == TH_OK) {
            status = th_index_accepts(&moved);
        }
        if (status == TH_OK) {
            announce(&moved);
            th_index_rebuild(&moved);
            th_fast_choose(&moved);
            th_seal(&moved);
            *heap = moved;
        } else if (fault.kind == TH_FAULT_MISALIGNED) {
            status = TH_ERR_MISALIGNED;
        }
    }
    th_let_go(heap);
    return status;
}

th_status th_heap_set_index(th_heap *heap, void *memory, size_t bytes) {
    if (heap == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    if (!th_call_begin(heap)) {
        return th_seal_holds(heap) ? TH_ERR_BUSY : TH_ERR_CORRUPT;
    }
    th_heap with = *heap;
    with.config.index = memory != NULL ? TH_HEAP_INDEX_GIVEN : TH_HEAP_INDEX_NONE;
    with.config.index_memory = memory;
    with.config.index_bytes = bytes;
    with.index_inside = false;
    with.index = (th_heap_index_arrays){0};
    th_status status = th_index_accepts(&with);
    if (status == TH_OK && !th_guard_sound(heap)) {
        status = TH_ERR_CORRUPT;
    }
    if (status == TH_OK) {
        th_index_rebuild(&with);
        th_fast_choose(&with);
        th_seal(&with);
        *heap = with;
    }
    th_let_go(heap);
    return status;
}

void *th_heap_translate(const th_heap *from, const th_heap *to, const void *pointer) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)from->base;
    return pointer != NULL && distance <= th_managed_bytes(from) ? to->base + distance : NULL;
}
