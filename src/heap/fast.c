/* SPDX-License-Identifier: MIT */
#include "heap/fast.h"

#include "heap/fast_shape.h"

#if TH_FAST
void th_fast_choose(th_heap *heap) {
    bool plain = heap->guard < 3 && heap->config.lock.acquire == NULL &&
                 heap->config.on_event == NULL && heap->journal == NULL && !heap->busy;
    uint32_t fast =
        plain && th_indexed(heap) ? TH_FAST_MARK + (uint32_t)th_layout(heap) : TH_FAST_NONE;
    if (fast != TH_FAST_NONE) {
        bool guarded = heap->guard > 0;
        bool constant =
            th_unit(heap) == 4 && (fast == TH_FAST_CLASSIC || (fast == TH_FAST_WIDE && !guarded));
        fast += (guarded ? TH_FAST_GUARDED : 0) + (constant ? TH_FAST_16 : 0) +
                (constant && heap->guard == 2 ? TH_FAST_LEVEL_2 : 0);
    }
    /* Other threads read it before they take the lock; with one, it is never another value. */
    if (heap->fast != fast) {
        heap->fast = fast;
    }
}
#endif
