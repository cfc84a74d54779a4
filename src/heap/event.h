/* SPDX-License-Identifier: MIT */
/* Telling config.on_event what happened. The lock is held and the frame (call.h) entered. A heap
 * that is watched takes no fast path (fast.h), so that one that is not pays nothing there. Each
 * returns false iff the callback has damaged the th_heap: it must not be looked at any more. */
#ifndef TH_HEAP_EVENT_H
#define TH_HEAP_EVENT_H

#include "heap/alloc.h"

/* The block that was `before` (NULL: there was none) has its payload at `payload` now (NULL: it is
 * gone; both NULL: all blocks are). */
bool th_tell(th_heap *heap, th_event_kind kind, const th_header *before, const void *payload);

/* There was no room for that; `block` is the one that was to grow, or NULL. */
bool th_tell_failure(th_heap *heap, const th_request *request, const th_header *block);

#endif
