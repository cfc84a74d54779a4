/* SPDX-License-Identifier: MIT */
/* The checker of the buddy allocator. */
#include "alloc/buddy_tree.h"
#include "base/track.h"

/* The first leaf from `leaf` on that holds more than `most`; `end` if there is none. */
TH_TRACK_BLIND static size_t find_above(const uint8_t *tree, size_t leaf, size_t end,
                                        uint8_t most) {
    while (leaf < end && tree[leaf] <= most) {
        leaf++;
    }
    return leaf;
}

/* Inside the memory 0 or 1, outside 0. */
static th_status check_leaves(const th_buddy *b, th_fault *fault) {
    size_t units = th_buddy_units(b);
    size_t low = units + th_buddy_lowest_unit(b);
    size_t high = units + th_buddy_end_unit(b);
    size_t wrong = find_above(b->tree, units, low, 0);
    wrong = wrong == low ? find_above(b->tree, low, high, 1) : wrong;
    wrong = wrong == high ? find_above(b->tree, high, 2 * units, 0) : wrong;
    if (wrong == 2 * units) {
        return TH_OK;
    }
    uint8_t most = wrong >= low && wrong < high;
    return th_guarding_corrupt(fault, TH_FAULT_CHAIN, wrong - units, SIZE_MAX, most,
                               b->tree[wrong]);
}

/* What a node holds by its halves, or 0 for a block. Without branches: level 3 looks at every node
 * after each call. */
TH_TRACK_BLIND_PART bool is_sound(const uint8_t *tree, size_t node, uint8_t order) {
    uint8_t left = tree[2 * node];
    uint8_t right = tree[2 * node + 1];
    uint8_t most = left > right ? left : right;
    uint8_t whole = (left == order) & (right == order);
    uint8_t is = tree[node];
    return (is == most + whole) | (whole & (is == 0));
}

TH_TRACK_BLIND static bool is_order_sound(const uint8_t *tree, size_t nodes, uint8_t order) {
    bool sound = true;
    for (size_t node = nodes; node < 2 * nodes; node++) {
        sound &= is_sound(tree, node, order);
    }
    return sound;
}

static th_status check_tree(const th_buddy *b, th_fault *fault) {
    size_t units = th_buddy_units(b);
    th_status status = check_leaves(b, fault);
    for (uint8_t order = 1; status == TH_OK && order <= b->order_max; order++) {
        size_t node = units >> order;
        if (!is_order_sound(b->tree, node, order)) {
            while (is_sound(b->tree, node, order)) {
                node++;
            }
            status =
                th_guarding_corrupt(fault, TH_FAULT_CHAIN, th_buddy_first_unit(b, node, order),
                                    SIZE_MAX, th_buddy_join(b->tree, node, order), b->tree[node]);
        }
    }
    return status;
}

static th_status check_block(const th_buddy *b, size_t unit, unsigned order, th_fault *fault) {
    if (th_buddy_level(b) == 0) {
        return TH_OK;
    }
    if (!th_buddy_has_size(b, unit, order)) {
        return th_guarding_corrupt(fault, TH_FAULT_CONTROL, unit, SIZE_MAX, 0, b->slack[unit]);
    }
    return th_buddy_find_canary(b, unit, order, fault);
}

static th_status check_free(const th_buddy *b, size_t unit, size_t count, th_fault *fault) {
    uint32_t found = 0;
    size_t bad = th_buddy_level(b) >= 2 ? th_buddy_find_written(b, unit, count, &found) : SIZE_MAX;
    return bad == SIZE_MAX ? TH_OK
                           : th_guarding_corrupt(fault, TH_FAULT_POISON, bad >> b->unit_log2, bad,
                                                 TH_POISON_BYTE, found);
}

static th_status check_counts(const th_buddy *b, size_t blocks, size_t bytes, th_fault *fault) {
    if (blocks != b->live_blocks) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, blocks,
                                   b->live_blocks);
    }
    if (bytes != b->live_bytes || bytes > b->high_water_bytes) {
        size_t wrong = bytes != b->live_bytes ? b->live_bytes : b->high_water_bytes;
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, bytes, wrong);
    }
    return TH_OK;
}

th_status th_buddy_check(const th_buddy *buddy, th_fault *fault) {
    const th_buddy *b = buddy;
    size_t blocks = 0;
    size_t bytes = 0;
    size_t count;
    th_no_fault(fault);
    if (b == NULL) {
        return TH_ERR_NULL;
    }
    if (b->tree == NULL) {
        return TH_OK;
    }
    th_status status = check_tree(b, fault);
    for (size_t unit = th_buddy_lowest_unit(b); status == TH_OK && unit < th_buddy_end_unit(b);
         unit += count) {
        unsigned order;
        bool live = th_buddy_find_block(b, unit, &order) != 0;
        count = (size_t)1 << order;
        blocks += live;
        bytes += live ? th_buddy_block_bytes(b, order) : 0;
        status = live ? check_block(b, unit, order, fault) : check_free(b, unit, count, fault);
    }
    return status == TH_OK ? check_counts(b, blocks, bytes, fault) : status;
}
