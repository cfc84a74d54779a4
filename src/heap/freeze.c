/* SPDX-License-Identifier: MIT */
/* A frozen heap refuses as one inside a callback does, and for the same reason writes nothing: the
 * refusal comes before anything is done, and the fast path is not taken. */
#include "heap/freeze.h"

#include "heap/call.h"
#include "heap/seal.h"

/* What the low-memory callback returns to goes on writing, as a move callback's does. But it may be
 * another thread's, and this one in no callback: no fault. */
th_status th_freeze_held(th_heap *heap) {
    if (!th_guard_control(heap)) {
        return TH_ERR_CORRUPT;
    }
    if (th_refuse(heap, heap->busy) || heap->in_low_memory) {
        return TH_ERR_BUSY;
    }
    (void)th_guard_sound(heap);
    th_set_busy(heap, TH_FAULT_FROZEN);
    return TH_OK;
}

th_status th_thaw_held(th_heap *heap) {
    if (!th_guard_control(heap)) {
        return TH_ERR_CORRUPT;
    }
    if (th_refuse_inside(heap)) {
        return TH_ERR_BUSY;
    }
    if (heap->busy == TH_FAULT_FROZEN) {
        th_set_busy(heap, TH_FAULT_NONE);
    }
    return TH_OK;
}

th_status th_heap_freeze(th_heap *heap) {
    if (heap == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    th_hold(heap);
    th_status status = th_freeze_held(heap);
    th_let_go(heap);
    return status;
}

th_status th_heap_thaw(th_heap *heap) {
    if (heap == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    th_hold(heap);
    th_status status = th_thaw_held(heap);
    th_let_go(heap);
    return status;
}
