/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_FORGET_H
#define LAB_PROGRAM_FORGET_H

#include <string.h>

#include "tagheap/heap.h"

/* Ends a heap, if it is one, and makes its region as it was before: zeros, of which what was never
 * used is still some. */
static inline void forget(th_heap *used) {
    th_heap old = *used;
    if (old.base == NULL) {
        return;
    }
    th_heap_clean_up(used);
    if (used->base != NULL) { /* too damaged to be ended; one that begins there can be */
        const th_heap_config plain = {.alignment = 4, .index = TH_HEAP_INDEX_NONE};
        th_heap fresh;
        (void)th_heap_init(&fresh, old.base, (size_t)4 * old.dwords, &plain);
        th_heap_clean_up(&fresh);
    }
    size_t low = (size_t)old.low_used + old.header_dwords;
    size_t high = old.high_used > low ? old.high_used : low;
    memset(old.base, 0, 4 * (low < old.dwords ? low : old.dwords));
    if (high < old.dwords) {
        memset(old.base + 4 * high, 0, 4 * (old.dwords - high));
    }
}

#endif
