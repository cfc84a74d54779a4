/* SPDX-License-Identifier: MIT */
/* Questions about a heap. Nothing here changes anything; all but the walk take the lock. */
#include "heap/call.h"
#include "heap/check.h"
#include "heap/count.h"
#include "heap/live.h"
#include "heap/seal.h"

TH_TRACK_BLIND_PART void describe(const th_heap *heap, uint32_t offset, th_heap_block *block) {
    th_header header = th_header_peek(heap, offset);
    block->offset = offset;
    block->next_offset = th_is_last(heap, &header) ? 0 : header.next;
    block->size_dwords = header.size;
    block->tag = header.tag;
    block->requested_bytes = header.requested;
    block->site = header.site;
    block->alignment = 1u << header.align_log2;
    block->payload = th_payload(heap, &header);
}

TH_TRACK_BLIND bool th_heap_first(const th_heap *heap, th_heap_block *block) {
    if (heap->base == NULL) {
        return false;
    }
    th_track_blind_begin();
    describe(heap, 0, block);
    th_track_blind_end();
    return true;
}

TH_TRACK_BLIND bool th_heap_next(const th_heap *heap, th_heap_block *block) {
    uint32_t next = block->next_offset;
    if (next <= block->offset || !th_offset_ok(heap, next)) {
        return false;
    }
    th_track_blind_begin();
    describe(heap, next, block);
    th_track_blind_end();
    th_track_trust(block, sizeof *block); /* a broken link may lead to uninitialised bytes */
    return true;
}

void th_heap_lock(const th_heap *heap) {
    th_hold(heap);
}

void th_heap_unlock(const th_heap *heap) {
    th_let_go(heap);
}

static bool find(const th_heap *heap, const void *address, th_heap_block *block) {
    if (!th_guard_control(heap)) {
        return false;
    }
    (void)th_guard_sound(heap);
    uintptr_t distance = (uintptr_t)address - (uintptr_t)heap->base;
    if (distance >= th_managed_bytes(heap)) {
        return false;
    }
    th_heap_block at;
    bool more = th_heap_first(heap, &at);
    while (more && at.next_offset != 0 && distance / TH_DWORD_BYTES >= at.next_offset) {
        more = th_heap_next(heap, &at);
    }
    if (more) {
        *block = at;
    }
    return more;
}

bool th_heap_find(const th_heap *heap, const void *address, th_heap_block *block) {
    th_hold(heap);
    bool found = find(heap, address, block);
    th_let_go(heap);
    return found;
}

/* The live block of a payload; false for NULL, on a heap that was ended, and after a fault. */
static bool look_up(const th_heap *heap, const void *pointer, th_header *block) {
    if (pointer == NULL || th_is_ended(heap)) {
        return false;
    }
    th_hold(heap);
    bool is_live = th_require_live(heap, pointer, block);
    th_let_go(heap);
    return is_live;
}

size_t th_heap_requested_size(const th_heap *heap, const void *pointer) {
    th_header block;
    return look_up(heap, pointer, &block) ? block.requested : 0;
}

size_t th_heap_usable_size(const th_heap *heap, const void *pointer) {
    th_header block;
    return look_up(heap, pointer, &block) ? (size_t)block.size * TH_DWORD_BYTES : 0;
}

/* The payload of the largest free block, in dwords, without an index. Without branches on what a
 * block is: in a fragmented heap they cannot be predicted. */
TH_TRACK_BLIND static uint32_t walk_largest_free(const th_heap *heap) {
    uint32_t largest = 0;
    uint32_t offset = 0;
    if (heap->base == NULL) {
        return 0;
    }
    th_track_blind_begin();
    for (;;) {
        th_header block = th_header_peek(heap, offset);
        uint32_t size = block.size & (0u - (uint32_t)th_is_free(heap, &block));
        largest = size > largest ? size : largest;
        if (block.next <= offset || !th_offset_ok(heap, block.next)) {
            break; /* LAST, or a broken chain */
        }
        offset = block.next;
    }
    th_track_blind_end();
    return largest;
}

static uint32_t largest_free(const th_heap *heap) {
    if (!th_indexed(heap)) {
        return walk_largest_free(heap);
    }
    uint32_t indexed = th_index_largest(heap);
    uint32_t middle = heap->middle != TH_INDEX_NOWHERE
                          ? heap->first_tail - heap->middle - th_header_dwords(heap)
                          : 0;
    return indexed > middle ? indexed : middle;
}

/* Payloads of all free blocks, in dwords: what headers, of which LAST has one, too, and live
 * payloads leave. 0 for a heap without a region, whatever else it says. */
static uint32_t free_all(const th_heap *heap) {
    return heap->base == NULL ? 0
                              : heap->dwords - th_used_dwords(heap) -
                                    (heap->free_blocks + 1) * th_header_dwords(heap);
}

/* The same below every TAIL block. */
static uint32_t free_head(const th_heap *heap) {
    return heap->base == NULL
               ? 0
               : heap->first_tail - heap->head_dwords -
                     (heap->free_blocks - heap->high_free_blocks) * th_header_dwords(heap);
}

static size_t payload_bytes(const th_heap *heap, uint32_t dwords, uint32_t blocks) {
    return (size_t)(dwords - blocks * th_header_dwords(heap)) * TH_DWORD_BYTES;
}

th_heap_stats th_heap_get_stats(const th_heap *heap) {
    th_hold(heap);
    th_heap_stats stats = {
        .region_bytes = th_managed_bytes(heap),
        .used_bytes = (size_t)th_used_dwords(heap) * TH_DWORD_BYTES,
        .high_water_bytes = (size_t)heap->high_water_dwords * TH_DWORD_BYTES,
        .head_bytes = payload_bytes(heap, heap->head_dwords, heap->head_blocks),
        .tail_bytes = payload_bytes(heap, heap->tail_dwords, heap->tail_blocks),
        .free_bytes = (size_t)free_all(heap) * TH_DWORD_BYTES,
        .free_head_bytes = (size_t)free_head(heap) * TH_DWORD_BYTES,
        .largest_free_bytes = (size_t)largest_free(heap) * TH_DWORD_BYTES,
        .head_blocks = heap->head_blocks,
        .tail_blocks = heap->tail_blocks,
        .free_blocks = heap->free_blocks,
        .failed_allocs = heap->failed_allocs,
    };
    th_let_go(heap);
    return stats;
}

size_t th_heap_free_head_bytes(const th_heap *heap) {
    th_hold(heap);
    size_t dwords = free_head(heap);
    th_let_go(heap);
    return dwords * TH_DWORD_BYTES;
}

size_t th_heap_largest_free_bytes(const th_heap *heap) {
    th_hold(heap);
    size_t dwords = largest_free(heap);
    th_let_go(heap);
    return dwords * TH_DWORD_BYTES;
}

size_t th_heap_region_bytes(const th_heap *heap) {
    return th_managed_bytes(heap) + (heap->index_inside ? th_index_inside_bytes(heap) : 0);
}

uint32_t th_heap_site(const th_heap *heap, const void *pointer) {
    th_header block;
    return look_up(heap, pointer, &block) ? block.site : 0;
}
