/* SPDX-License-Identifier: MIT */
/* Events: what happens to the blocks of a heap (th_heap_config.on_event), or of any allocator that
 * is watched by a tracker (th_tracker_config.on_event), told one by one to a function of the
 * caller's. Everything that watches (totals, trackers, logs) is built on this one struct.
 *
 *   kind     address    old_address  bytes      old_bytes       tag, old_tag
 *   ALLOC    new block  NULL         requested  0               its own, twice
 *   FREE     NULL       the block    0          requested       its own, twice
 *   RESIZE   now        before       now        before          now, before
 *   MOVE     now        before       requested  requested       its own, twice
 *   RETAG    the block  the block    requested  requested       now, before
 *   FAIL     NULL       see below    asked for  see below       asked for, twice
 *   RESET    NULL       NULL         0          0               0, 0
 *
 * RESIZE: the requested size has changed, and perhaps the address (then the old block is gone:
 * there is no FREE). Its tag changes only where a tracker grew it for another one. MOVE: by
 * compaction. FAIL: a well-formed request found no room; if it was a growth, old_address and
 * old_bytes are the block that stays. RESET: every block of the object is gone at once. Blocks that
 * are freed together, but not all of them (by tag), are one FREE each.
 *
 * Sizes are bytes. Addresses are payloads; where a block is gone the address is a number only. An
 * object without tags or sites says 0. The struct is valid during the call. */
#ifndef TAGHEAP_EVENT_H
#define TAGHEAP_EVENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_event_kind {
    TH_EVENT_ALLOC,
    TH_EVENT_FREE,
    TH_EVENT_RESIZE,
    TH_EVENT_MOVE,
    TH_EVENT_RETAG,
    TH_EVENT_FAIL,
    TH_EVENT_RESET
} th_event_kind;

#define TH_EVENT_KINDS 7

typedef struct th_event {
    th_event_kind kind;
    uint32_t tag;
    uint32_t old_tag;
    uint32_t site; /* of the block; of a failed allocation the one asked for */
    const void *address;
    const void *old_address;
    size_t bytes;
    size_t old_bytes;
} th_event;

/* Called after the fact, when the object is consistent again, and before the call that did it
 * returns; under the object's lock, if it has one. Must not call the object: that
 * is refused with TH_FAULT_REENTRY, but for its walk and queries. Must not longjmp out of it. */
typedef void (*th_event_fn)(void *context, const th_event *event);

#ifdef __cplusplus
}
#endif
#endif
