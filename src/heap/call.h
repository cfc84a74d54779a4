/* SPDX-License-Identifier: MIT */
/* The frame of every call that changes the heap: the lock, the refusal of calls from inside a
 * move callback, and the validator at the end. */
#ifndef TH_HEAP_CALL_H
#define TH_HEAP_CALL_H

#include "heap/check.h"
#include "heap/fast.h"
#include "heap/report.h"
#include "heap/seal.h"

static inline void th_hold(const th_heap *heap) {
    if (heap->config.lock.acquire != NULL) {
        heap->config.lock.acquire(heap->config.lock.context);
    }
}

static inline void th_let_go(const th_heap *heap) {
    if (heap->config.lock.release != NULL) {
        heap->config.lock.release(heap->config.lock.context);
    }
}

/* From here on changes are refused by this fault: TH_FAULT_REENTRY inside a callback,
 * TH_FAULT_FROZEN while the heap is frozen, TH_FAULT_NONE: they are not. */
static inline void th_set_busy(th_heap *heap, th_fault_kind refusal) {
    heap->busy = (uint8_t)refusal;
    th_fast_choose(heap);
    th_seal(heap);
}

/* With the lock held: is there a fault to be raised? */
static inline bool th_refuse(const th_heap *heap, unsigned refusal) {
    if (refusal == TH_FAULT_NONE) {
        return false;
    }
    th_raise(heap, (th_fault_kind)refusal, NULL, TH_FAULT_NOWHERE, 0, 1);
    return true;
}

/* The same for calls that a frozen heap does not refuse. */
static inline bool th_refuse_inside(const th_heap *heap) {
    return heap->busy != TH_FAULT_FROZEN && th_refuse(heap, heap->busy);
}

/* False for a heap that was ended, and after a fault, with the lock released. */
static inline bool th_call_begin(const th_heap *heap) {
    if (th_is_ended(heap)) {
        return false;
    }
    th_hold(heap);
    if (!th_guard_control(heap) || th_refuse(heap, heap->busy)) {
        th_let_go(heap);
        return false;
    }
    return true;
}

/* The same for calls after which there is no heap to go on with. */
static inline bool th_call_begin_last(const th_heap *heap) {
    if (!th_call_begin(heap)) {
        return false;
    }
    if (th_refuse(heap, heap->in_low_memory ? TH_FAULT_REENTRY : TH_FAULT_NONE)) {
        th_let_go(heap);
        return false;
    }
    (void)th_guard_sound(heap);
    return true;
}

/* `sound` is false after a fault that said that the th_heap itself is damaged. */
static inline void th_call_end(const th_heap *heap, bool sound) {
    if (sound) {
        (void)th_guard_sound(heap);
    }
    th_let_go(heap);
}

#endif
