/* SPDX-License-Identifier: MIT */
/* A frozen heap refuses as one inside a callback does, and for the same reason writes nothing: the
 * refusal comes before anything is done, and the fast path is not taken. */
#include "heap/call.h"
#include "heap/seal.h"

th_status th_heap_freeze(th_heap *heap) {
    if (heap == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    if (!th_call_begin(heap)) {
        return th_seal_holds(heap) ? TH_ERR_BUSY : TH_ERR_CORRUPT;
    }
    /* What the low-memory callback returns to goes on writing, too. But it may be another thread's,
     * and this one in no callback: no fault. */
    th_status status = TH_ERR_BUSY;
    if (!heap->in_low_memory) {
        (void)th_guard_sound(heap);
        th_set_busy(heap, TH_FAULT_FROZEN);
        status = TH_OK;
    }
    th_let_go(heap);
    return status;
}

th_status th_heap_thaw(th_heap *heap) {
    th_status status = TH_OK;
    if (heap == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    th_hold(heap);
    if (!th_guard_control(heap)) {
        status = TH_ERR_CORRUPT;
    } else if (heap->busy == TH_FAULT_FROZEN) {
        th_set_busy(heap, TH_FAULT_NONE);
    } else if (th_refuse(heap, heap->busy)) {
        status = TH_ERR_BUSY;
    }
    th_let_go(heap);
    return status;
}
