/* SPDX-License-Identifier: MIT */
/* What the buddy allocator's book says of blocks, and whether it can be so. */
#include "alloc/buddy_tree.h"
#include "base/align.h"

bool th_buddy_may_begin(const th_buddy *b, size_t unit, unsigned order) {
    return order <= b->order_max && th_is_aligned(unit, (size_t)1 << order) &&
           unit + ((size_t)1 << order) <= th_buddy_end_unit(b);
}

bool th_buddy_find_block(const th_buddy *b, size_t unit, size_t *first) {
    unsigned above = 0;
    while (above < b->order_max && b->live[unit >> above << above] == 0) {
        above++;
    }
    *first = unit >> above << above;
    return b->live[*first] > above;
}

th_status th_buddy_check_block(const th_buddy *b, size_t unit, th_fault *fault) {
    unsigned order = b->live[unit] - 1u;
    if (!th_buddy_may_begin(b, unit, order)) {
        return th_guarding_corrupt(fault, TH_FAULT_CONTROL, unit, SIZE_MAX, 0, b->live[unit]);
    }
    size_t bytes = th_buddy_block_bytes(b, order);
    size_t slack = b->slack[unit];
    if (slack >= bytes) {
        return th_guarding_corrupt(fault, TH_FAULT_CONTROL, unit, SIZE_MAX, 0, slack);
    }
    return th_guarding_find_canary(b->origin, th_buddy_unit_at(b, unit) + bytes - slack, slack,
                                   unit, fault);
}

size_t th_buddy_find_written(const th_buddy *b, size_t unit, size_t count, uint32_t *found) {
    size_t bytes = th_buddy_block_bytes(b, 0);
    for (size_t i = unit; i < unit + count; i++) {
        size_t good = b->used[i] == 0
                          ? bytes
                          : th_pattern_find(th_buddy_unit_at(b, i), TH_POISON_BYTE, bytes, found);
        if (good < bytes) {
            return (i << b->unit_log2) + good;
        }
    }
    return SIZE_MAX;
}
