/* SPDX-License-Identifier: MIT */
#include "heap/event.h"

#include "heap/call.h"
#include "heap/seal.h"

/* As in a move callback, calls from inside are refused. */
static bool tell(th_heap *heap, const th_event *event) {
    th_set_busy(heap, TH_FAULT_REENTRY);
    const th_heap before = *heap;
    heap->config.on_event(heap->config.event_context, event);
    if (!th_guard_control_after(heap, &before)) {
        return false;
    }
    th_set_busy(heap, TH_FAULT_NONE);
    return true;
}

/* What an event says of a block that was, in the fields for what is now, too. */
static th_event event_of(th_heap *heap, th_event_kind kind, const th_header *before) {
    th_event event = {.kind = kind};
    if (before != NULL) {
        event.tag = before->tag;
        event.old_tag = before->tag;
        event.site = before->site;
        event.old_address = th_payload(heap, before);
        event.old_bytes = before->requested;
    }
    return event;
}

bool th_tell(th_heap *heap, th_event_kind kind, const th_header *before, const void *payload) {
    if (heap->config.on_event == NULL) {
        return true;
    }
    th_event event = event_of(heap, kind, before);
    if (payload != NULL) {
        th_header now;
        uintptr_t distance = (uintptr_t)payload - (uintptr_t)heap->base;
        th_header_load(heap, (uint32_t)(distance / TH_DWORD_BYTES) - th_header_dwords(heap), &now);
        event.tag = now.tag;
        if (before == NULL) {
            event.old_tag = now.tag;
        }
        event.site = now.site;
        event.address = payload;
        event.bytes = now.requested;
    }
    return tell(heap, &event);
}

bool th_tell_failure(th_heap *heap, const th_request *request, const th_header *block) {
    if (heap->config.on_event == NULL) {
        return true;
    }
    th_event event = event_of(heap, TH_EVENT_FAIL, block);
    event.tag = request->tag;
    event.old_tag = request->tag;
    event.site = request->site;
    event.bytes = request->bytes;
    return tell(heap, &event);
}
