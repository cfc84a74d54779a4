/* SPDX-License-Identifier: MIT */
/* Allocation and freeing. */
#include "heap/alloc.h"

#include <string.h>

#include "heap/call.h"
#include "heap/count.h"
#include "heap/event.h"
#include "heap/guard.h"
#include "heap/journal.h"
#include "heap/live.h"
#include "heap/place.h"
#include "heap/seal.h"

void th_note_used(th_heap *heap, const th_header *block, const th_header *below,
                  const th_header *above) {
    uint32_t end = th_end(heap, block);
    if (!th_is_tail(heap, block)) {
        if (end > heap->low_used) {
            if (below != NULL) {
                uint32_t from = below->offset + th_header_dwords(heap);
                th_guard_wipe(heap, from > heap->low_used ? from : heap->low_used, block->offset);
            }
            heap->low_used = end;
        }
    } else if (block->offset < heap->high_used) {
        if (above != NULL) {
            /* Above it lies a TAIL block or LAST: it does not end below high_used. */
            th_guard_wipe(heap, end + th_header_dwords(heap), heap->high_used);
        }
        heap->high_used = block->offset;
    }
}

/* Splits the free block of the place into [gap][block][rest], gap and rest if there are any.
 *   [ ------------ free ------------ ] => [ gap ][ block ][ rest ] */
static void carve(th_heap *heap, th_place *place, th_header *block) {
    th_header run[3];
    unsigned count = 0;
    th_header *gap = NULL;
    th_header *rest = NULL;
    uint32_t end = th_end(heap, &place->free);
    if (block->offset > place->free.offset) {
        gap = &run[count++];
        *gap = th_header_free(heap, place->free.offset,
                              block->offset - place->free.offset - th_header_dwords(heap));
    }
    th_header *made = &run[count++];
    uint32_t left = end - th_end(heap, block);
    if (left >= th_split_dwords(heap)) {
        rest = &run[count++];
        *rest = th_header_free(heap, end - left, left - th_header_dwords(heap));
    } else {
        block->size += left;
    }
    *made = *block;
    th_journal_before(heap, run, count, place->above.offset);
    th_count_out(heap, &place->free);
    th_chain_replace(heap, place->free.prev, run, count, place->above.offset);
    *block = *made;
    th_note_used(heap, block, gap, rest);
    th_note_high_water(heap);
    th_seal(heap);
}

/* Is there still poison where a block with `need` dwords will lie, and the header of what is left
 * above it? False after a fault. */
static bool verify_poison(const th_heap *heap, const th_place *place, uint32_t need) {
    uint32_t from = place->free.offset + th_header_dwords(heap);
    uint32_t end = th_end(heap, &place->free);
    uint32_t block_end = place->offset + th_header_dwords(heap) + need;
    bool rest = end - block_end >= th_split_dwords(heap);
    return th_guard_poison(heap, &place->free, place->offset > from ? place->offset : from,
                           rest ? block_end + th_header_dwords(heap) : end);
}

th_outcome th_block_make(th_heap *heap, const th_request *request, th_header *made) {
    uint32_t need = th_need_dwords(heap, request->bytes);
    if (need == 0 || request->alignment > (size_t)1 << TH_LAYOUT_ALIGN_MAX) {
        return TH_OUTCOME_NO_ROOM;
    }
    th_place place;
    size_t unit_bytes = (size_t)th_unit(heap) * TH_DWORD_BYTES;
    uint32_t align_log2 =
        th_highest_bit(request->alignment > unit_bytes ? request->alignment : unit_bytes);
    th_place_result result = th_place_find(heap, need, align_log2, request->tag, &place);
    if (result != TH_PLACE_FOUND) {
        return result == TH_PLACE_NONE ? TH_OUTCOME_NO_ROOM : TH_OUTCOME_FAULT;
    }
    if (!verify_poison(heap, &place, need)) {
        return TH_OUTCOME_FAULT;
    }
    th_header block = {.offset = place.offset,
                       .tag = request->tag,
                       .size = need,
                       .requested = request->bytes,
                       .site = request->site,
                       .align_log2 = align_log2};
    carve(heap, &place, &block);
    th_guard_open(heap, &block);
    *made = block;
    return TH_OUTCOME_DONE;
}

bool th_ask_low_memory(th_heap *heap, size_t bytes, th_outcome *outcome) {
    if (*outcome != TH_OUTCOME_NO_ROOM || heap->config.low_memory == NULL || heap->in_low_memory) {
        return false;
    }
    heap->in_low_memory = true;
    th_seal(heap);
    const th_heap before = *heap;
    th_let_go(heap);
    bool again = heap->config.low_memory(heap->config.low_memory_context, heap, bytes);
    th_hold(heap);
    if (!th_guard_control_after(heap, &before)) {
        *outcome = TH_OUTCOME_BROKEN;
        return false;
    }
    heap->in_low_memory = false;
    th_seal(heap);
    return again;
}

void th_note_failure(th_heap *heap) {
    heap->failed_allocs++;
    th_seal(heap);
}

/* `zeroed` is a constant: who asks for no zeros pays nothing for them. */
TH_CHAIN_INLINE void *alloc_as(th_heap *heap, const th_request *request, bool zeroed) {
    void *payload = NULL;
    th_outcome outcome = TH_OUTCOME_FAULT;
    if (!th_call_begin(heap)) {
        return NULL;
    }
    bool sound = true;
    if (request->tag < th_tag_free(heap) && request->bytes != 0 &&
        th_is_power_of_two(request->alignment)) {
        th_header block;
        do {
            outcome = th_block_make(heap, request, &block);
        } while (th_ask_low_memory(heap, request->bytes, &outcome));
        if (outcome == TH_OUTCOME_DONE) {
            payload = th_payload(heap, &block);
            if (zeroed) {
                memset(payload, 0, request->bytes);
            }
            sound = th_tell(heap, TH_EVENT_ALLOC, NULL, payload);
        } else if (outcome == TH_OUTCOME_NO_ROOM) {
            th_note_failure(heap);
            sound = th_tell_failure(heap, request, NULL);
        } else {
            sound = outcome != TH_OUTCOME_BROKEN;
        }
    }
    th_call_end(heap, sound);
    return payload;
}

TH_NOINLINE void *th_alloc_checked(th_heap *heap, size_t alignment, size_t bytes, uint32_t tag,
                                   uint32_t site) {
    const th_request request = {.bytes = bytes, .alignment = alignment, .tag = tag, .site = site};
    return alloc_as(heap, &request, false);
}

TH_NOINLINE void *th_alloc_checked_zeroed(th_heap *heap, size_t alignment, size_t bytes,
                                          uint32_t tag, uint32_t site) {
    const th_request request = {.bytes = bytes, .alignment = alignment, .tag = tag, .site = site};
    return alloc_as(heap, &request, true);
}

/* [ below ][ block ][ above ] => [ ---------- free ---------- ], free neighbours taken in. */
size_t th_block_free(th_heap *heap, const th_header *block) {
    th_header below, above, beyond;
    bool merge_below = false;
    if (block->offset != 0) {
        if (!th_chain_below(heap, block, &below)) {
            return 0;
        }
        merge_below = th_is_free(heap, &below);
    }
    if (!th_chain_above(heap, block, &above)) {
        return 0;
    }
    bool merge_above = th_is_vacant(heap, &above);
    if (merge_above && !th_chain_above(heap, &above, &beyond)) {
        return 0;
    }
    uint32_t start = merge_below ? below.offset : block->offset;
    uint32_t end = th_end(heap, merge_above ? &above : block);
    th_header merged = th_header_free(heap, start, end - start - th_header_dwords(heap));
    uint32_t next = merge_above ? beyond.offset : above.offset;
    th_journal_before(heap, &merged, 1, next);
    th_count_out(heap, block);
    if (merge_below) {
        th_count_out(heap, &below);
        th_header_retire(heap, block->offset);
    }
    if (merge_above) {
        th_count_out(heap, &above);
        th_header_retire(heap, above.offset);
    }
    th_guard_wipe(heap, block->offset,
                  th_end(heap, block) + (merge_above ? th_header_dwords(heap) : 0));
    th_chain_replace(heap, merge_below ? below.prev : block->prev, &merged, 1, next);
    th_seal(heap);
    uint32_t headers = (uint32_t)merge_below + (uint32_t)merge_above;
    return (size_t)(block->size + headers * th_header_dwords(heap)) * TH_DWORD_BYTES;
}

TH_NOINLINE size_t th_free_checked(th_heap *heap, void *pointer) {
    size_t freed = 0;
    if (!th_call_begin(heap)) {
        return 0;
    }
    bool sound = true;
    th_header block;
    if (pointer != NULL && th_require_live(heap, pointer, &block)) {
        freed = th_block_free(heap, &block);
        sound = freed == 0 || th_tell(heap, TH_EVENT_FREE, &block, NULL);
    }
    th_call_end(heap, sound);
    return freed;
}

/* Verifies and frees every matching block from the bottom up. */
static th_outcome free_range(th_heap *heap, uint32_t low, uint32_t high, uint32_t *freed) {
    uint32_t offset = 0;
    for (;;) {
        th_header block;
        if (!th_chain_load(heap, offset, &block)) {
            return TH_OUTCOME_FAULT;
        }
        if (th_is_last(heap, &block)) {
            return TH_OUTCOME_DONE;
        }
        offset = block.next;
        if (th_is_free(heap, &block) || block.tag < low || block.tag > high) {
            continue;
        }
        /* The block above may be merged away; its own successor may not: look there next. */
        th_header above;
        if (!th_guard_canary(heap, &block) || !th_chain_above(heap, &block, &above)) {
            return TH_OUTCOME_FAULT;
        }
        offset = th_is_vacant(heap, &above) ? above.next : above.offset;
        if (th_block_free(heap, &block) == 0) {
            return TH_OUTCOME_FAULT;
        }
        (*freed)++;
        if (!th_tell(heap, TH_EVENT_FREE, &block, NULL)) {
            return TH_OUTCOME_BROKEN;
        }
    }
}

uint32_t th_heap_free_tags(th_heap *heap, uint32_t low, uint32_t high) {
    uint32_t freed = 0;
    if (!th_call_begin(heap)) {
        return 0;
    }
    th_outcome outcome = free_range(heap, low, high, &freed);
    th_call_end(heap, outcome != TH_OUTCOME_BROKEN);
    return freed;
}
