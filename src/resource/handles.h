/* SPDX-License-Identifier: MIT */
/* What the files of the handles share: the queue of what may be purged, who has a block, and the
 * end of each call. */
#ifndef TH_RESOURCE_HANDLES_H
#define TH_RESOURCE_HANDLES_H

#include "alloc/guarding.h"
#include "tagheap/handles.h"

#define TH_HANDLES_NONE UINT32_MAX

static inline bool th_handles_is_started(const th_handles *h) {
    return h != NULL && h->heap != NULL;
}

/* Has the block to stay where it is? */
static inline bool th_handles_is_fixed(const th_handles_slot *s) {
    return s->pins > 0 || s->held;
}

/* Is the slot in the queue? The block that has been in it for the longest time is purged first. */
static inline bool th_handles_is_queued(const th_handles_slot *s) {
    return s->purgeable && s->payload != NULL && !th_handles_is_fixed(s);
}

/* At the young end. */
static inline void th_handles_queue(th_handles *h, uint32_t slot) {
    th_handles_slot *s = &h->slots[slot];
    s->older = h->youngest;
    s->younger = TH_HANDLES_NONE;
    if (h->youngest != TH_HANDLES_NONE) {
        h->slots[h->youngest].younger = slot;
    } else {
        h->oldest = slot;
    }
    h->youngest = slot;
}

static inline void th_handles_unqueue(th_handles *h, uint32_t slot) {
    const th_handles_slot *s = &h->slots[slot];
    if (s->older != TH_HANDLES_NONE) {
        h->slots[s->older].younger = s->younger;
    } else {
        h->oldest = s->younger;
    }
    if (s->younger != TH_HANDLES_NONE) {
        h->slots[s->younger].older = s->older;
    } else {
        h->youngest = s->older;
    }
}

/* Is the block at `payload`, whose site is `slot`, that slot's? Other blocks' sites may be any. */
static inline bool th_handles_has_block(const th_handles *h, uint32_t slot, const void *payload) {
    return slot < h->slots_used && h->slots[slot].payload == payload;
}

/* The generation of a handle in that life of its slot. */
static inline uint32_t th_handles_generation(const th_handles *h, uint32_t life) {
    return (uint32_t)h->config.number << 24 | life;
}

/* The handle of a slot that is in use. */
static inline th_handle th_handles_name(const th_handles *h, uint32_t slot) {
    return (th_handle){.slot = slot, .generation = th_handles_generation(h, h->slots[slot].life)};
}

/* The slot's block is to go. */
static inline void th_handles_count_out(th_handles *h, th_handles_slot *s) {
    s->payload = NULL;
    h->live--;
    h->live_bytes -= s->bytes;
}

static inline th_status th_handles_refuse(th_handles *h, th_fault_kind refusal) {
    h->faults++;
    th_guarding_raise_refusal(&h->config.guarding, refusal);
    return TH_ERR_BUSY;
}

/* Begins each call that changes blocks: TH_ERR_NULL without a table, TH_ERR_BUSY with the heap's
 * own fault from inside a callback of the heap, but for its low-memory callback, and while it is
 * frozen. */
static inline th_status th_handles_enter(th_handles *h) {
    if (!th_handles_is_started(h)) {
        return TH_ERR_NULL;
    }
    if (h->heap->busy) {
        return th_handles_refuse(h, (th_fault_kind)h->heap->busy);
    }
    return TH_OK;
}

/* The heap had no room for `bytes` bytes: compacts it if there would be, else purges a block. False
 * if there is nothing to be done. */
bool th_handles_make_room(th_handles *h, size_t bytes);

TH_DEFINE_SETTLE(handles);

#endif
