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

/* With the lock held: TH_FAULT_REENTRY if the call comes from inside a callback. */
static inline bool th_refuse(const th_heap *heap, bool inside) {
    if (inside) {
        th_raise(heap, TH_FAULT_REENTRY, NULL, TH_FAULT_NOWHERE, 0, 1);
    }
    return inside;
}

/* False for a heap that was ended, and after a fault, with the lock released. */
static inline bool th_enter(const th_heap *heap) {
    if (th_is_ended(heap)) {
        return false;
    }
    th_lock(heap);
    if (!th_guard_control(heap) || th_refuse(heap, heap->busy)) {
        th_unlock(heap);
        return false;
    }
    return true;
}

/* The same for calls after which there is no heap to go on with. */
static inline bool th_enter_to_end(const th_heap *heap) {
    if (!th_enter(heap)) {
        return false;
    }
    if (th_refuse(heap, heap->in_low_memory)) {
        th_unlock(heap);
        return false;
    }
    (void)th_guard_sound(heap);
    return true;
}

/* `sound` is false after a fault that said that the th_heap itself is damaged. */
static inline void th_leave(const th_heap *heap, bool sound) {
    if (sound) {
        (void)th_guard_sound(heap);
    }
    th_unlock(heap);
}

#endif
