/* SPDX-License-Identifier: MIT */
/* Compaction of the HEAD side: every block slides down into the free block below it. */
#include "heap/compact.h"

#include "heap/call.h"
#include "heap/count.h"
#include "heap/event.h"
#include "heap/fast.h"
#include "heap/guard.h"
#include "heap/journal.h"
#include "heap/live.h"
#include "heap/place.h"
#include "heap/seal.h"

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
    s->merge = th_is_vacant(heap, &s->above);
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

/* What becomes of the three, in run[0 .. count-1]; *moved is the block among them.
 *   [ below ][ block ][ above, free ] => [ gap ][ block ][ ---- free ---- ] */
static unsigned plan_slide(const th_heap *heap, const slide *s, th_header run[3],
                           th_header **moved) {
    unsigned count = 0;
    if (s->to > s->below.offset) {
        run[count++] =
            th_header_free(heap, s->below.offset, s->to - s->below.offset - th_header_dwords(heap));
    }
    *moved = &run[count];
    run[count] = s->block;
    run[count++].offset = s->to;
    uint32_t free_from = th_end(heap, *moved);
    uint32_t free_end = th_end(heap, s->merge ? &s->above : &s->block);
    run[count++] = th_header_free(heap, free_from, free_end - free_from - th_header_dwords(heap));
    return count;
}

/* The contents are where they belong: the headers follow. */
static void settle(th_heap *heap, slide *s, th_header run[3], unsigned count,
                   const th_header *moved) {
    /* Everything after the contents is written anew: slack and canary, then what is vacated. */
    th_guard_close_move(heap, moved,
                        th_end(heap, &s->block) + (s->merge ? th_header_dwords(heap) : 0));
    /* As it was when the move was decided: the callback has been in between. */
    th_header *end = s->merge ? &s->beyond : &s->above;
    th_header_store(heap, end);
    th_chain_replace(heap, s->below.prev, run, count, end->offset);
    th_seal(heap);
}

/* The contents are moved before a header is written that may lie over them, and after the old
 * header is retired. */
static void move_down(th_heap *heap, slide *s) {
    th_header run[3];
    th_header *moved;
    unsigned count = plan_slide(heap, s, run, &moved);
    unsigned char *from = th_payload(heap, &s->block);
    unsigned char *to = th_payload(heap, moved);
    th_journal_before(heap, run, count, s->merge ? s->beyond.offset : s->above.offset);
    th_count_out(heap, &s->below);
    th_count_out(heap, &s->block);
    if (s->merge) {
        th_count_out(heap, &s->above);
        th_header_retire(heap, s->above.offset);
    }
    th_header_retire(heap, s->block.offset);
    th_track_move(from, to, s->block.requested);
    th_journal_move(heap, to, from, s->block.requested);
    settle(heap, s, run, count, moved);
}

/* Spoils the check word of the header of `block` that is no longer there, unless it lies under the
 * contents that have come to `moved`. Under the new header it never lies: what does not come to lie
 * at the low end of the hole is aligned to two units or more, and slides by as much. */
static void retire_again(th_heap *heap, const th_header *block, const th_header *moved) {
    uint32_t word = block->offset + TH_LAYOUT_CHECK_DWORD;
    uint32_t first = moved->offset + th_header_dwords(heap);
    size_t contents = (moved->requested + TH_DWORD_BYTES - 1) / TH_DWORD_BYTES;
    if (th_guard(heap) > 0 && word - first >= contents) {
        th_track_fill(th_at(heap, word), TH_POISON_BYTE, TH_DWORD_BYTES);
    }
}

void th_compact_settle(th_heap *heap, const th_header old[TH_COMPACT_RUN_MAX], unsigned count,
                       uint32_t to) {
    TH_ASSERT(count >= 3 && count <= TH_COMPACT_RUN_MAX);
    slide s = {.below = old[0], .block = old[1], .above = old[2], .to = to};
    s.merge = count == TH_COMPACT_RUN_MAX;
    s.beyond = old[count - 1];
    th_header run[3];
    th_header *moved;
    unsigned made = plan_slide(heap, &s, run, &moved);
    retire_again(heap, &s.block, moved);
    if (s.merge) {
        retire_again(heap, &s.above, moved);
    }
    settle(heap, &s, run, made, moved);
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
    th_set_busy(heap, TH_FAULT_REENTRY);
    const th_heap before = *heap;
    bool yes = p->may_move(p->context, s->block.tag, th_payload(heap, &s->block),
                           th_payload(heap, &moved), s->block.requested);
    p->broken = !th_guard_control_after(heap, &before);
    if (p->broken) {
        return false;
    }
    th_set_busy(heap, TH_FAULT_NONE);
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
    p->broken = !th_tell(heap, TH_EVENT_MOVE, &s.block, th_at(heap, s.to + th_header_dwords(heap)));
    return !p->broken;
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
        offset = block.next;
        if (!th_is_free(heap, &block) && block.offset >= heap->compact_cursor &&
            !visit(heap, p, &block, &offset)) {
            return;
        }
    }
}

th_heap_compaction th_heap_compact(th_heap *heap, th_heap_move_fn may_move, void *context) {
    pass p = {.may_move = may_move, .context = context};
    if (th_call_begin(heap)) {
        set_cursor(heap, 0);
        run_pass(heap, &p);
        th_call_end(heap, !p.broken);
    }
    return p.result;
}

th_heap_compaction th_heap_compact_some(th_heap *heap, size_t budget_bytes,
                                        th_heap_move_fn may_move, void *context) {
    pass p = {.may_move = may_move, .context = context, .budget = budget_bytes, .budgeted = true};
    if (th_call_begin(heap)) {
        run_pass(heap, &p);
        th_call_end(heap, !p.broken);
    }
    return p.result;
}
