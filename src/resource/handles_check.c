/* SPDX-License-Identifier: MIT */
/* The checker of the handles. */
#include "resource/handles.h"

/* What the slots come to. */
typedef struct tally {
    uint64_t live, purged, pinned, queued;
    size_t live_bytes, pinned_bytes;
} tally;

static tally count_slots(const th_handles *h) {
    tally t = {0};
    for (uint32_t i = 0; i < h->slots_used; i++) {
        const th_handles_slot *s = &h->slots[i];
        bool used = s->life % 2 != 0;
        bool live = used && s->payload != NULL;
        bool pinned = used && s->pins > 0;
        t.live += live;
        t.purged += used && !live;
        t.pinned += pinned;
        t.queued += used && th_handles_is_queued(s);
        t.live_bytes += live ? s->bytes : 0;
        t.pinned_bytes += pinned ? s->bytes : 0;
    }
    return t;
}

/* Blocks of the heap that are a slot's, as the slot says. */
static uint64_t count_blocks(const th_handles *h) {
    uint64_t blocks = 0;
    th_heap_block b;
    for (bool more = th_heap_first(h->heap, &b); more; more = th_heap_next(h->heap, &b)) {
        if (th_handles_has_block(h, b.site, b.payload)) {
            const th_handles_slot *s = &h->slots[b.site];
            blocks += b.tag == s->tag && b.requested_bytes == s->bytes &&
                      b.alignment >= (size_t)1 << s->align_log2;
        }
    }
    return blocks;
}

/* The length of the queue, as far as its links and members are right, and what ends it. */
static uint64_t count_queue(const th_handles *h, uint32_t *youngest, uint32_t *end) {
    uint64_t queued = 0;
    uint32_t older = TH_HANDLES_NONE;
    uint32_t at = h->oldest;
    /* No circle: each member has an older one, and the oldest has none. */
    while (at < h->slots_used && h->slots[at].older == older &&
           th_handles_is_queued(&h->slots[at])) {
        queued++;
        older = at;
        at = h->slots[at].younger;
    }
    *youngest = older;
    *end = at;
    return queued;
}

th_status th_handles_check(const th_handles *h, th_fault *fault) {
    th_no_fault(fault);
    if (!th_handles_is_started(h)) {
        return TH_ERR_NULL;
    }
    uint32_t youngest, end;
    uint64_t queued = count_queue(h, &youngest, &end);
    tally t = count_slots(h);
    const uint64_t pairs[][2] = {
        {t.live, h->live},
        {t.purged, h->purged},
        {t.pinned, h->pinned},
        {t.live_bytes, h->live_bytes},
        {t.pinned_bytes, h->pinned_bytes},
        {t.live, count_blocks(h)},
        {t.queued, queued},
        {h->youngest, youngest},
        {TH_HANDLES_NONE, end},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] != pairs[i][1]) {
            return th_guarding_corrupt(fault, TH_FAULT_COUNT, TH_FAULT_NOWHERE, TH_FAULT_NOWHERE,
                                       pairs[i][0], pairs[i][1]);
        }
    }
    return TH_OK;
}
