/* SPDX-License-Identifier: MIT */
/* The frame of every call that changes the heap: the lock, the refusal of calls from inside a
 * move callback, and the validator at the end. */
#ifndef TH_HEAP_ENTER_H
#define TH_HEAP_ENTER_H

#include "heap/guard.h"

static inline void th_lock(const th_heap *heap) {
    if (heap->config.lock != NULL) {
        heap->config.lock(heap->config.lock_context);
    }
}

static inline void th_unlock(const th_heap *heap) {
    if (heap->config.unlock != NULL) {
        heap->config.unlock(heap->config.lock_context);
    }
}

/* False after TH_FAULT_REENTRY, with the lock released. */
static inline bool th_enter(const th_heap *heap) {
    th_lock(heap);
    if (heap->busy) {
        th_raise(heap, TH_FAULT_REENTRY, NULL, TH_FAULT_NOWHERE, 0, 1);
        th_unlock(heap);
        return false;
    }
    return true;
}

static inline void th_leave(const th_heap *heap) {
    th_guard_settle(heap);
    th_unlock(heap);
}

#endif
