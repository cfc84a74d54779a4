/* SPDX-License-Identifier: MIT */
/* The tree. Node 1 is the root, nodes 2n and 2n + 1 are the halves of node n; the leaves, from node
 * `units` on, are the units. A node of order k (2^k units) holds
 *   k + 1        it is free as a whole; so say all nodes below it
 *   0            nothing below it is free: it is a block (then the nodes below it still say that
 *                they are free), or both of its halves hold 0
 *   1 .. k       what its larger half holds
 * Units outside the memory are leaves that hold 0. */
#ifndef TH_ALLOC_BUDDY_TREE_H
#define TH_ALLOC_BUDDY_TREE_H

#include "alloc/guarding.h"
#include "tagheap/buddy.h"

static inline size_t th_buddy_units(const th_buddy *b) {
    return (size_t)1 << b->order_max;
}

static inline int th_buddy_level(const th_buddy *b) {
    return th_guarding_level(&b->config.guarding);
}

/* The units inside the memory are [lowest, end). */
static inline size_t th_buddy_lowest_unit(const th_buddy *b) {
    return (b->low - b->origin) >> b->unit_log2;
}

static inline size_t th_buddy_end_unit(const th_buddy *b) {
    return (b->high - b->origin) >> b->unit_log2;
}

static inline unsigned char *th_buddy_unit_at(const th_buddy *b, size_t unit) {
    return (unsigned char *)(b->origin + ((uintptr_t)unit << b->unit_log2));
}

static inline size_t th_buddy_block_bytes(const th_buddy *b, unsigned order) {
    return (size_t)1 << (order + b->unit_log2);
}

/* The first unit of a node of that order. */
static inline size_t th_buddy_first_unit(const th_buddy *b, size_t node, unsigned order) {
    return (node << order) - th_buddy_units(b);
}

/* What a node of order `order` must hold, by its halves. */
static inline uint8_t th_buddy_join(const uint8_t *tree, size_t node, unsigned order) {
    uint8_t left = tree[2 * node];
    uint8_t right = tree[2 * node + 1];
    if (left == order && right == order) {
        return (uint8_t)(order + 1);
    }
    return left > right ? left : right;
}

/* The block that a unit belongs to: its node, and *order; 0: the unit is free, and *order is that
 * of the largest node around it that is free as a whole. */
size_t th_buddy_find_block(const th_buddy *b, size_t unit, unsigned *order);

/* Of a live block: does the book say that some of its bytes were asked for? */
bool th_buddy_has_size(const th_buddy *b, size_t unit, unsigned order);

/* TH_ERR_CORRUPT if the canary of the block at `unit` is damaged. */
th_status th_buddy_find_canary(const th_buddy *b, size_t unit, unsigned order, th_fault *fault);

/* The first byte of the free units [unit, unit + count) that was written, from the origin; SIZE_MAX
 * if there is none. */
size_t th_buddy_find_written(const th_buddy *b, size_t unit, size_t count, uint32_t *found);

#endif
