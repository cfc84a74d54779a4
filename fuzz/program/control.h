/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_CONTROL_H
#define LAB_PROGRAM_CONTROL_H

#include <stdbool.h>

#include "tagheap/heap.h"

/* Do two control structures say the same of a heap? Its configuration is not compared: no call
 * changes it. */
static inline bool same_control(const th_heap *a, const th_heap *b) {
    return a->base == b->base && a->dwords == b->dwords && a->last == b->last &&
           a->compact_cursor == b->compact_cursor && a->low_used == b->low_used &&
           a->high_used == b->high_used && a->head_blocks == b->head_blocks &&
           a->tail_blocks == b->tail_blocks && a->free_blocks == b->free_blocks &&
           a->head_dwords == b->head_dwords && a->tail_dwords == b->tail_dwords &&
           a->high_water_dwords == b->high_water_dwords && a->check_seed == b->check_seed &&
           a->failed_allocs == b->failed_allocs && a->busy == b->busy &&
           a->in_low_memory == b->in_low_memory && a->seal_layout == b->seal_layout &&
           a->seal_counts == b->seal_counts;
}

#endif
