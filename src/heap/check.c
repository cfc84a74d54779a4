/* SPDX-License-Identifier: MIT */
/* The checker: one walk that proves everything docs/heap.md calls an invariant.
 *
 * It believes nothing it has not verified: a header is read only where the block below ends, so
 * that the walk stays inside the region and comes to an end on any input. */
#include "heap/check.h"

#include "base/no_fault.h"
#include "heap/call.h"
#include "heap/count.h"
#include "heap/guard.h"
#include "heap/report.h"
#include "heap/seal.h"

/* What the walk knows so far. */
typedef struct walk {
    const th_heap *heap;
    th_header block;
    uint32_t below;  /* offset of the block below; 0 at the first block */
    bool below_free; /* false at the first block */
    bool tail_seen;
    uint32_t head_blocks, tail_blocks, free_blocks;
    uint32_t head_dwords, tail_dwords;
    uint32_t first_tail, middle, low_free_blocks;
    uint32_t head_end; /* of the highest HEAD block; 0: there is none */
    uint64_t live_sum;
    th_fault *fault;
} walk;

TH_TRACK_BLIND_PART bool broken(walk *w, th_fault_kind kind, size_t offset, uint32_t expected,
                                uint32_t found) {
    *w->fault = (th_fault){.kind = kind,
                           .block = w->block.offset,
                           .tag = w->block.tag,
                           .offset = offset,
                           .expected = expected,
                           .found = found};
    return false;
}

/* Where the block concerned begins. */
TH_TRACK_BLIND_PART size_t start(const walk *w) {
    return (size_t)w->block.offset * TH_DWORD_BYTES;
}

TH_TRACK_BLIND_PART bool broken_chain(walk *w, uint32_t expected, uint32_t found) {
    return broken(w, TH_FAULT_CHAIN, start(w), expected, found);
}

TH_TRACK_BLIND_PART bool check_links(walk *w) {
    const th_heap *heap = w->heap;
    const th_header *block = &w->block;
    if (block->check != block->check_due) {
        return broken(w, TH_FAULT_HEADER, start(w) + TH_LAYOUT_CHECK_DWORD * TH_DWORD_BYTES,
                      block->check_due, block->check);
    }
    if (block->prev != w->below) {
        return broken_chain(w, w->below, block->prev);
    }
    if (th_is_last(heap, block)) {
        return block->size == 0 && block->next == 0 && th_is_free(heap, block)
                   ? true
                   : broken_chain(w, 0, block->next);
    }
    uint32_t end = th_end(heap, block);
    /* The second one says that the end is one: of a size that is too large it may wrap around. */
    if (block->size == 0 || block->size > heap->last - block->offset || block->next != end ||
        !th_offset_ok(heap, end)) {
        return broken_chain(w, end, block->next);
    }
    return true;
}

/* The TAIL side begins here: at the first TAIL block, or at LAST. */
TH_TRACK_BLIND_PART void note_first_tail(walk *w) {
    w->first_tail = w->block.offset;
    w->low_free_blocks = w->free_blocks;
    w->middle = w->below_free ? w->below : TH_INDEX_NOWHERE;
}

TH_TRACK_BLIND_PART bool check_free(walk *w) {
    const th_header *block = &w->block;
    uint32_t found = 0;
    if (w->below_free) {
        return broken_chain(w, 0, block->tag); /* two free neighbours */
    }
    if (block->requested != 0 || block->site != 0) {
        return broken_chain(w, 0, (uint32_t)block->requested);
    }
    w->free_blocks++;
    if (th_guard(w->heap) >= 2) {
        size_t bad = th_peek_poison(w->heap, block->offset + th_header_dwords(w->heap),
                                    th_end(w->heap, block), &found);
        if (bad != TH_FAULT_NOWHERE) {
            return broken(w, TH_FAULT_POISON, bad, TH_POISON_DWORD, found);
        }
    }
    return true;
}

TH_TRACK_BLIND_PART bool check_live(walk *w) {
    const th_header *block = &w->block;
    uint32_t found = 0;
    bool tail = th_is_tail(w->heap, block);
    if (block->tag > th_tag_free(w->heap) || (w->tail_seen && !tail)) {
        return broken_chain(w, th_tag_tail_min(w->heap), block->tag); /* HEAD above TAIL */
    }
    if (tail && !w->tail_seen) {
        note_first_tail(w);
    }
    w->tail_seen = tail;
    size_t bytes = (size_t)block->size * TH_DWORD_BYTES;
    if (block->requested == 0 || block->requested > bytes) {
        return broken_chain(w, (uint32_t)bytes, (uint32_t)block->requested);
    }
    uintptr_t alignment = (uintptr_t)1 << block->align_log2;
    if (alignment < th_unit(w->heap) * TH_DWORD_BYTES ||
        ((uintptr_t)th_payload(w->heap, block) & (alignment - 1)) != 0) {
        return broken(w, TH_FAULT_MISALIGNED, start(w), 0, block->align_log2);
    }
    if (tail) {
        w->tail_blocks++;
        w->tail_dwords += th_header_dwords(w->heap) + block->size;
    } else {
        w->head_end = th_end(w->heap, block);
        w->head_blocks++;
        w->head_dwords += th_header_dwords(w->heap) + block->size;
    }
    w->live_sum += th_header_says(w->heap, block);
    if (th_guard(w->heap) >= 1) {
        size_t bad = th_peek_canary(w->heap, block, &found);
        if (bad != TH_FAULT_NOWHERE) {
            return broken(w, TH_FAULT_CANARY, bad, th_canary_byte(w->heap->check_seed, bad), found);
        }
    }
    return true;
}

TH_TRACK_BLIND_PART bool check_count(walk *w, uint32_t expected, uint32_t found) {
    return th_agrees(w->fault, TH_FAULT_COUNT, expected, found);
}

/* Of 64 bits: the fault shows the half that differs, the upper one if both do. */
TH_TRACK_BLIND_PART bool check_wide(th_fault *fault, th_fault_kind kind, uint64_t expected,
                                    uint64_t found) {
    unsigned shift = expected >> 32 != found >> 32 ? 32 : 0;
    return th_agrees(fault, kind, (uint32_t)(expected >> shift), (uint32_t)(found >> shift));
}

TH_TRACK_BLIND_PART bool check_counts(walk *w) {
    const th_heap *heap = w->heap;
    uint32_t used = th_used_dwords(heap);
    return check_count(w, w->head_blocks, heap->head_blocks) &&
           check_count(w, w->tail_blocks, heap->tail_blocks) &&
           check_count(w, w->free_blocks, heap->free_blocks) &&
           check_count(w, w->head_dwords, heap->head_dwords) &&
           check_count(w, w->tail_dwords, heap->tail_dwords) &&
           check_count(w, w->first_tail, heap->first_tail) &&
           check_count(w, w->middle, heap->middle) &&
           check_count(w, w->free_blocks - w->low_free_blocks, heap->high_free_blocks) &&
           check_count(w, heap->high_water_dwords > used ? heap->high_water_dwords : used,
                       heap->high_water_dwords) &&
           (th_guard(heap) < 3 ||
            check_wide(w->fault, TH_FAULT_COUNT, w->live_sum, heap->live_sum));
}

static bool check_seal(th_fault *fault, uint64_t expected, uint64_t found) {
    return check_wide(fault, TH_FAULT_CONTROL, expected, found);
}

/* Walks from FIRST to LAST. False: *w->fault says what is wrong with a block. */
TH_TRACK_BLIND_PART bool walk_as(walk *walked, th_heap_layout layout, int guard) {
    const th_heap *heap = walked->heap;
    walk w = *walked;
    for (uint32_t offset = 0;; offset = w.block.next) {
        w.block = th_header_peek_as(heap, offset, layout, guard, th_header_dwords(heap));
        if (!check_links(&w)) {
            return false;
        }
        if (th_is_last(heap, &w.block)) {
            if (!w.tail_seen) {
                note_first_tail(&w);
            }
            *walked = w;
            return true;
        }
        if (!(th_is_free(heap, &w.block) ? check_free(&w) : check_live(&w))) {
            return false;
        }
        w.below = offset;
        w.below_free = th_is_free(heap, &w.block);
    }
}

/* What a header says is decoded in a walk of its own for each layout, with and without guards. */
TH_TRACK_BLIND_PART bool walk_blocks(walk *w) {
    const th_heap *heap = w->heap;
    if (th_layout_is(th_layout(heap), TH_HEAP_LAYOUT_LEAN)) {
        return walk_as(w, TH_HEAP_LAYOUT_LEAN, 0);
    }
    if (th_layout_is(th_layout(heap), TH_HEAP_LAYOUT_CLASSIC)) {
        return th_guard(heap) > 0 ? walk_as(w, TH_HEAP_LAYOUT_CLASSIC, 1)
                                  : walk_as(w, TH_HEAP_LAYOUT_CLASSIC, 0);
    }
    return th_guard(heap) > 0 ? walk_as(w, TH_HEAP_LAYOUT_WIDE, 1)
                              : walk_as(w, TH_HEAP_LAYOUT_WIDE, 0);
}

TH_TRACK_BLIND bool th_check_blocks(const th_heap *heap, th_fault *fault) {
    walk w = {.heap = heap, .fault = fault};
    th_track_blind_begin();
    bool sound = walk_blocks(&w) && check_counts(&w);
    th_track_blind_end();
    return sound && (!th_indexed(heap) || th_index_check(heap, fault));
}

TH_TRACK_BLIND bool th_check_recount(th_heap *heap, th_fault *fault) {
    walk w = {.heap = heap, .fault = fault};
    th_track_blind_begin();
    bool sound = walk_blocks(&w);
    th_track_blind_end();
    if (!sound) {
        return false;
    }
    heap->head_blocks = w.head_blocks;
    heap->tail_blocks = w.tail_blocks;
    heap->free_blocks = w.free_blocks;
    heap->head_dwords = w.head_dwords;
    heap->tail_dwords = w.tail_dwords;
    heap->first_tail = w.first_tail;
    heap->middle = w.middle;
    heap->high_free_blocks = w.free_blocks - w.low_free_blocks;
    heap->live_sum = th_guard(heap) < 3 ? 0 : w.live_sum;
    heap->low_used = w.head_end > heap->low_used ? w.head_end : heap->low_used;
    heap->high_used = w.first_tail < heap->high_used ? w.first_tail : heap->high_used;
    th_note_high_water(heap);
    return true;
}

/* A counter that does not agree with the blocks is named rather than the seal that it breaks. */
TH_TRACK_BLIND th_status th_check(const th_heap *heap, th_fault *fault) {
    th_fault found;
    th_no_fault(fault);
    const th_seals seals = {heap->seal_layout, heap->seal_counts};
    th_seals due = th_sealed(heap) ? th_seals_due(heap) : seals;
    bool sound = check_seal(&found, due.layout, seals.layout) && th_check_blocks(heap, &found) &&
                 check_seal(&found, due.counts, seals.counts);
    if (!sound && fault != NULL) {
        *fault = found;
    }
    return sound ? TH_OK : TH_ERR_CORRUPT;
}

bool th_guard_sound(const th_heap *heap) {
    th_fault fault;
    if (th_guard(heap) < 3 || th_check_blocks(heap, &fault)) {
        return true;
    }
    th_report(heap, &fault);
    return false;
}

th_status th_heap_check(const th_heap *heap, th_fault *fault) {
    if (heap == NULL || th_is_ended(heap)) {
        th_no_fault(fault);
        return TH_ERR_NULL;
    }
    th_hold(heap);
    th_status status = th_check(heap, fault);
    th_let_go(heap);
    return status;
}
