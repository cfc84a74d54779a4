/* SPDX-License-Identifier: MIT */
/* What a compaction would do: the rules of compact.c, played on the walk instead of the blocks. */
#include "heap/call.h"
#include "heap/chain.h"
#include "heap/place.h"

/* The walk, and where free memory would begin below its next block. */
typedef struct planning {
    const th_heap *heap;
    uint32_t free_from; /* header offset; UINT32_MAX: the block below would be live */
    uint32_t largest;   /* payload dwords of the largest free block so far */
    th_heap_plan plan;
} planning;

#define NOT_FREE UINT32_MAX

/* There would be a free block from the header at free_from to `end`. */
static void note_free(planning *p, uint32_t end) {
    if (p->free_from != NOT_FREE && end - p->free_from > p->largest + th_header_dwords(p->heap)) {
        p->largest = end - p->free_from - th_header_dwords(p->heap);
    }
}

/* Where a live HEAD block would be asked to go; its own offset if it would not. `merge`: there is
 * free memory above it. */
static uint32_t target(const planning *p, const th_heap_block *block, bool merge) {
    if (p->free_from == NOT_FREE) {
        return block->offset;
    }
    uint32_t gap = th_place_gap(p->heap, p->free_from, th_highest_bit(block->alignment));
    uint32_t distance = block->offset - p->free_from;
    uint32_t least = merge ? 1 : th_header_dwords(p->heap) + th_unit(p->heap);
    return gap < distance && distance - gap >= least ? p->free_from + gap : block->offset;
}

static void visit_live(planning *p, const th_heap_block *block, bool merge,
                       th_heap_move_fn may_move, void *context) {
    uint32_t to = target(p, block, merge);
    bool moves = to != block->offset;
    if (moves && may_move != NULL &&
        !may_move(context, block->tag, block->payload,
                  th_at(p->heap, to + th_header_dwords(p->heap)), block->requested_bytes)) {
        p->plan.blocks_vetoed++;
        moves = false;
    }
    if (!moves) {
        note_free(p, block->offset);
        p->free_from = NOT_FREE;
        return;
    }
    p->plan.blocks_moved++;
    p->plan.bytes_moved += block->requested_bytes;
    note_free(p, to);
    p->free_from = to + th_header_dwords(p->heap) + block->size_dwords;
}

static th_heap_plan plan(const th_heap *heap, th_heap_move_fn may_move, void *context) {
    planning p = {.heap = heap, .free_from = NOT_FREE};
    th_heap_block block, next;
    bool more = th_heap_first(heap, &block);
    while (more && block.next_offset != 0) {
        next = block;
        more = th_heap_next(heap, &next);
        bool free = block.tag == th_tag_free(heap);
        if (free && p.free_from == NOT_FREE) {
            p.free_from = block.offset;
        } else if (!free && block.tag < th_tag_tail_min(heap)) {
            bool merge = next.next_offset != 0 && next.tag == th_tag_free(heap);
            visit_live(&p, &block, merge, may_move, context);
        } else if (!free) {
            note_free(&p, block.offset);
            p.free_from = NOT_FREE;
        }
        block = next;
    }
    if (more) {
        note_free(&p, block.offset); /* LAST */
    }
    p.plan.largest_free_bytes = (size_t)p.largest * TH_DWORD_BYTES;
    return p.plan;
}

th_heap_plan th_heap_plan_compaction(const th_heap *heap, th_heap_move_fn may_move, void *context) {
    th_hold(heap);
    th_heap_plan planned = plan(heap, may_move, context);
    th_let_go(heap);
    return planned;
}
