/* SPDX-License-Identifier: MIT */
/* Room in the heap of the handles: compaction, planned and done, and purging. */
#include "resource/handles.h"

/* The slot whose block lies at `from` and may move; TH_HANDLES_NONE: it may not, or is none of a
 * handle. */
static uint32_t movable_slot(const th_handles *h, const void *from) {
    uint32_t slot = th_heap_site(h->heap, from);
    return th_handles_has_block(h, slot, from) && !th_handles_is_fixed(&h->slots[slot])
               ? slot
               : TH_HANDLES_NONE;
}

/* A yes is final: the heap takes it back only if a callback writes where it must not. */
static bool follow(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    th_handles *h = context;
    uint32_t slot = movable_slot(h, from);
    (void)tag;
    (void)bytes;
    if (slot == TH_HANDLES_NONE) {
        return false;
    }
    h->slots[slot].payload = to;
    h->moves++;
    return true;
}

th_heap_compaction th_handles_compact(th_handles *h) {
    if (th_handles_enter(h) != TH_OK) {
        return (th_heap_compaction){0};
    }
    th_heap_compaction result = th_heap_compact(h->heap, follow, h);
    th_handles_settle(h);
    return result;
}

th_heap_compaction th_handles_compact_some(th_handles *h, size_t budget_bytes) {
    if (th_handles_enter(h) != TH_OK) {
        return (th_heap_compaction){0};
    }
    th_heap_compaction result = th_heap_compact_some(h->heap, budget_bytes, follow, h);
    th_handles_settle(h);
    return result;
}

/* Moves as they are planned: written down in `moves`, or compared with them. */
typedef struct planning {
    const th_handles *handles;
    th_handles_move *moves; /* NULL: compared with `due` */
    const th_handles_move *due;
    size_t count, max;
    bool differs;
} planning;

static bool is_same_move(const th_handles_move *a, const th_handles_move *b) {
    return a->handle.slot == b->handle.slot && a->handle.generation == b->handle.generation &&
           a->from == b->from && a->to == b->to && a->bytes == b->bytes;
}

static bool note_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    planning *p = context;
    uint32_t slot = movable_slot(p->handles, from);
    (void)tag;
    if (slot == TH_HANDLES_NONE) {
        return false;
    }
    const th_handles_move move = {
        .handle = th_handles_name(p->handles, slot), .from = from, .to = to, .bytes = bytes};
    if (p->due != NULL) {
        p->differs |= p->count >= p->max || !is_same_move(&move, &p->due[p->count]);
    } else if (p->count < p->max) {
        p->moves[p->count] = move;
    }
    p->count++;
    return true;
}

th_heap_plan th_handles_plan(const th_handles *h, th_handles_move *moves, size_t moves_max) {
    if (!th_handles_is_started(h)) {
        return (th_heap_plan){0};
    }
    planning p = {.handles = h, .moves = moves, .max = moves_max};
    return th_heap_plan_compaction(h->heap, note_move, &p);
}

th_status th_handles_commit(th_handles *h, const th_handles_move *moves, size_t count) {
    th_status status = moves != NULL ? th_handles_enter(h) : TH_ERR_NULL;
    if (status != TH_OK) {
        return status;
    }
    planning p = {.handles = h, .due = moves, .max = count};
    (void)th_heap_plan_compaction(h->heap, note_move, &p);
    if (p.differs || p.count != count) {
        return TH_ERR_STALE;
    }
    (void)th_handles_compact(h);
    return TH_OK;
}

/* Purges a block, which is in the queue. */
static void discard(th_handles *h, uint32_t slot) {
    th_handles_slot *s = &h->slots[slot];
    void *payload = s->payload;
    th_handles_unqueue(h, slot);
    th_handles_count_out(h, s);
    h->purged++;
    h->purges++;
    (void)th_heap_free(h->heap, payload);
}

size_t th_handles_purge(th_handles *h, size_t bytes) {
    size_t gone = 0;
    if (th_handles_enter(h) != TH_OK) {
        return 0;
    }
    while (gone < bytes && h->oldest != TH_HANDLES_NONE) {
        gone += h->slots[h->oldest].bytes;
        discard(h, h->oldest);
    }
    th_handles_settle(h);
    return gone;
}

bool th_handles_make_room(th_handles *h, size_t bytes) {
    th_heap_plan plan = th_handles_plan(h, NULL, 0);
    if (plan.blocks_moved > 0 && plan.largest_free_bytes >= bytes) {
        return th_heap_compact(h->heap, follow, h).blocks_moved > 0;
    }
    if (h->oldest == TH_HANDLES_NONE) {
        return false;
    }
    discard(h, h->oldest);
    return true;
}
