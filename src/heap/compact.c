/* SPDX-License-Identifier: MIT */
/* Compaction of the HEAD side: every block slides down into the free block below it. */
#include <string.h>

#include "heap/count.h"
#include "heap/enter.h"
#include "heap/fast.h"
#include "heap/place.h"

/* A pass in progress. */
typedef struct pass {
    th_heap_move_fn may_move;
    void *context;
    size_t budget;
    bool budgeted;
    bool broken; /* the callback has damaged the th_heap */
    th_heap_compaction result;
} pass;

/* A block that could slide, and the blocks around it. */
typedef struct slide {
    th_header below;  /* free */
    th_header block;  /* to be moved */
    th_header above;  /* any */
    th_header beyond; /* above `above`, if that is to be merged */
    bool merge;       /* `above` is free and takes in what is vacated */
    uint32_t to;      /* the block's new offset */
} slide;

/* Loads what lies around slide->block, whose block below is free. False after a fault. */
static bool load_around(const th_heap *heap, slide *s) {
    if (!th_guard_canary(heap, &s->block) || !th_guard_below(heap, &s->below) ||
        !th_chain_above(heap, &s->block, &s->above)) {
        return false;
    }
    s->merge = th_is_spare(heap, &s->above);
    return (!s->merge || th_chain_above(heap, &s->above, &s->beyond)) &&
           th_guard_poison(heap, &s->below, s->below.offset + th_header_dwords(heap),
                           th_end(heap, &s->below));
}

/* Is there a lower place, and can what is vacated be a block? */
static bool can_slide(const th_heap *heap, slide *s) {
    uint32_t gap = th_place_gap(heap, s->below.offset, s->block.align_log2);
    uint32_t distance = s->block.offset - s->below.offset;
    s->to = s->below.offset + gap;
    return gap < distance && (s->merge || distance - gap >= th_header_dwords(heap) + th_unit(heap));
}

/* [ below ][ block ][ above, free ] => [ gap ][ block ][ ---- free ---- ]
 * The contents are moved before a header is written that may lie over them, and after the old
 * header is retired. */
static void move_down(th_heap *heap, slide *s) {
    th_header moved = s->block;
    moved.offset = s->to;
    unsigned char *from = th_payload(heap, &s->block);
    unsigned char *to = th_payload(heap, &moved);
    uint32_t old_end = th_end(heap, &s->block);
    th_count_out(heap, &s->below);
    th_count_out(heap, &s->block);
    if (s->merge) {
        th_count_out(heap, &s->above);
        th_header_retire(heap, s->above.offset);
    }
    th_header_retire(heap, s->block.offset);
    th_track_move(from, to, s->block.requested);
    memmove(to, from, s->block.requested);

    th_header run[3];
    unsigned count = 0;
    if (s->to > s->below.offset) {
        run[count++] =
            th_header_free(heap, s->below.offset, s->to - s->below.offset - th_header_dwords(heap));
    }
    run[count++] = moved;
    uint32_t free_from = th_end(heap, &moved);
    uint32_t free_end = s->merge ? th_end(heap, &s->above) : old_end;
    run[count++] = th_header_free(heap, free_from, free_end - free_from - th_header_dwords(heap));
    /* Everything behind the contents is written anew: slack and canary, then what is vacated. */
    th_guard_close_move(heap, &moved, old_end + (s->merge ? th_header_dwords(heap) : 0));
    /* As it was when the move was decided: the callback has been in between. */
    th_header *end = s->merge ? &s->beyond : &s->above;
    th_header_store(heap, end);
    th_chain_replace(heap, s->below.prev, run, count, end->offset);
    th_seal(heap);
}

static void set_cursor(th_heap *heap, uint32_t offset) {
    heap->compact_cursor = offset;
    th_seal(heap);
}

static bool ask(th_heap *heap, pass *p, const slide *s) {
    if (p->may_move == NULL) {
        return true;
    }
    th_header moved = s->block;
    moved.offset = s->to;
    heap->busy = true;
    th_fast_choose(heap);
    th_seal(heap);
    const th_heap before = *heap;
    bool yes = p->may_move(p->context, s->block.tag, th_payload(heap, &s->block),
                           th_payload(heap, &moved), s->block.requested);
    p->broken = !th_guard_control_after(heap, &before);
    if (p->broken) {
        return false;
    }
    heap->busy = false;
    th_fast_choose(heap);
    th_seal(heap);
    return yes;
}

/* The callback may have written anywhere: what the move will write over, or write again as it was
 * read before, must still be what it was. False after a fault. */
static bool verify_again(const th_heap *heap, const slide *s) {
    slide now;
    return th_guard(heap) < 1 ||
           (th_chain_load(heap, s->block.offset, &now.block) &&
            th_chain_below(heap, &now.block, &now.below) && load_around(heap, &now));
}

/* Deals with one HEAD block. *next is where the pass goes on. False: the pass stops here, over
 * budget or after a fault. */
static bool visit(th_heap *heap, pass *p, const th_header *block, uint32_t *next) {
    slide s = {.block = *block};
    *next = block->next;
    if (block->offset == 0) {
        return true;
    }
    if (!th_chain_below(heap, block, &s.below)) {
        return false;
    }
    if (!th_is_free(heap, &s.below)) {
        return true;
    }
    if (!load_around(heap, &s)) {
        return false;
    }
    if (!can_slide(heap, &s)) {
        return true;
    }
    size_t bytes = block->requested;
    if (p->budgeted && p->result.blocks_moved > 0 && p->result.bytes_moved + bytes > p->budget) {
        set_cursor(heap, block->offset);
        return false;
    }
    if (!ask(heap, p, &s)) {
        p->result.blocks_vetoed += !p->broken;
        return !p->broken;
    }
    if (p->may_move != NULL && !verify_again(heap, &s)) {
        return false;
    }
    move_down(heap, &s);
    p->result.blocks_moved++;
    p->result.bytes_moved += bytes;
    *next = s.merge ? s.beyond.offset : s.above.offset;
    return true;
}

static void run_pass(th_heap *heap, pass *p) {
    uint32_t offset = 0;
    for (;;) {
        th_header block;
        if (!th_chain_load(heap, offset, &block)) {
            return;
        }
        if (th_is_last(heap, &block) || th_is_tail(heap, &block)) {
            set_cursor(heap, 0);
            p->result.done = true;
            return;
        }
        if (!th_chain_next(heap, &block, &offset)) {
            return;
        }
        if (!th_is_free(heap, &block) && block.offset >= heap->compact_cursor &&
            !visit(heap, p, &block, &offset)) {
            return;
        }
    }
}

th_heap_compaction th_heap_compact(th_heap *heap, th_heap_move_fn may_move, void *context) {
    pass p = {.may_move = may_move, .context = context};
    if (th_enter(heap)) {
        set_cursor(heap, 0);
        run_pass(heap, &p);
        th_leave(heap, !p.broken);
    }
    return p.result;
}

th_heap_compaction th_heap_compact_some(th_heap *heap, size_t budget_bytes,
                                        th_heap_move_fn may_move, void *context) {
    pass p = {.may_move = may_move, .context = context, .budget = budget_bytes, .budgeted = true};
    if (th_enter(heap)) {
        run_pass(heap, &p);
        th_leave(heap, !p.broken);
    }
    return p.result;
}
