/* SPDX-License-Identifier: MIT */
/* Freezing inside a call, for those that have more to do under the same lock. */
#ifndef TH_HEAP_FREEZE_H
#define TH_HEAP_FREEZE_H

#include "tagheap/heap.h"

/* With the lock held, of a heap that has not ended: th_heap_freeze and th_heap_thaw. */
th_status th_freeze_held(th_heap *heap);
th_status th_thaw_held(th_heap *heap);

#endif
