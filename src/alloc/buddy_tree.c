/* SPDX-License-Identifier: MIT */
/* What words of the tree add up to, and how that is made known above them. */
#include "alloc/buddy_tree.h"

#include <string.h>

/* The larger of each two bytes, which must be up to 127. */
static uint64_t larger_bytes(uint64_t x, uint64_t y) {
    uint64_t not_below = ((x | TH_BUDDY_HIGHS) - y) & TH_BUDDY_HIGHS;
    uint64_t all = not_below - (not_below >> ((1u << TH_BUDDY_BYTE_LOG2) - 1));
    return y ^ ((x ^ y) & all);
}

static unsigned largest_byte(uint64_t word) {
    word = larger_bytes(word, word >> 32);
    word = larger_bytes(word, word >> 16);
    return (uint8_t)larger_bytes(word, word >> 8);
}

/* How many orders of runs there are in a set of multiples of 8 bits: 0 if it is empty, 1 if only
 * single ones are in it, 2 if there are pairs, and so on. */
static inline unsigned count_orders(uint64_t eights) {
    uint64_t sixteens = th_buddy_pairs(eights, 3);
    uint64_t halves = th_buddy_pairs(sixteens, 4);
    return 0u + (eights != 0) + (sixteens != 0) + (halves != 0) + (th_buddy_pairs(halves, 5) != 0);
}

/* The same of a set of bits. */
static inline unsigned count_orders_of_bits(uint64_t bits) {
    uint64_t twos = th_buddy_pairs(bits, 0);
    uint64_t fours = th_buddy_pairs(twos, 1);
    uint64_t eights = th_buddy_pairs(fours, 2);
    return 0u + (bits != 0) + (twos != 0) + (fours != 0) + (eights != 0 ? count_orders(eights) : 0);
}

unsigned th_buddy_largest(uint64_t word, unsigned lane_order) {
    if (lane_order == 0) {
        return count_orders_of_bits(word);
    }
    uint64_t whole = th_buddy_free_lanes(word, lane_order);
    return whole != 0 ? lane_order + count_orders(whole) : largest_byte(word);
}

TH_NOINLINE void th_buddy_lower(th_buddy *b, size_t word, unsigned lane_order) {
    unsigned largest = th_buddy_largest(b->tree[word], lane_order);
    while (word != 0) {
        th_buddy_place above = th_buddy_place_above(word, lane_order);
        unsigned change = th_buddy_lane_at(b, above) ^ largest;
        if (change == 0) {
            return;
        }
        word = above.word;
        lane_order = above.lane_order;
        b->tree[word] ^= (uint64_t)change << above.bit;
        largest = th_buddy_largest(b->tree[word], lane_order);
    }
    b->largest = (uint8_t)largest;
}

TH_NOINLINE void th_buddy_lift(th_buddy *b, size_t word, unsigned lane_order, unsigned largest) {
    while (word != 0) {
        th_buddy_place above = th_buddy_place_above(word, lane_order);
        word = above.word;
        lane_order = above.lane_order;
        b->tree[word] ^= (uint64_t)(th_buddy_lane_at(b, above) ^ largest) << above.bit;
        largest = largest > lane_order ? th_buddy_merge(b, above, lane_order) + 1 : largest;
        if (largest <= th_buddy_known_of(b, word, lane_order)) {
            return;
        }
    }
    b->largest = (uint8_t)largest;
}

/* The bits of a word from `first` on that lie below `end`. */
static uint64_t bits_below(size_t first, size_t end) {
    if (end <= first) {
        return 0;
    }
    return end - first < 1u << TH_BUDDY_BITS_LOG2 ? (UINT64_C(1) << (end - first)) - 1 : UINT64_MAX;
}

uint64_t th_buddy_inside(const th_buddy *b, size_t word) {
    size_t units = th_buddy_units(b);
    size_t first = word << TH_BUDDY_BITS_LOG2;
    return bits_below(first, units + th_buddy_end_unit(b)) &
           ~bits_below(first, units + th_buddy_lowest_unit(b));
}

void th_buddy_build_tree(th_buddy *b) {
    unsigned lane_order = 0;
    size_t first = th_buddy_units(b) >> TH_BUDDY_BITS_LOG2;
    for (size_t word = first; word < first + th_buddy_words(first); word++) {
        b->tree[word] = th_buddy_inside(b, word);
    }
    while (first > 0) {
        size_t above = first >> TH_BUDDY_STEP;
        memset(b->tree + above, 0, th_buddy_words(above) * sizeof *b->tree);
        for (size_t word = first; word < 2 * first; word++) {
            uint64_t largest = th_buddy_largest(b->tree[word], lane_order);
            b->tree[word >> TH_BUDDY_STEP] |= largest << th_buddy_place_above(word, lane_order).bit;
        }
        lane_order = th_buddy_order_above(lane_order);
        first = above;
    }
    b->largest = (uint8_t)th_buddy_largest(b->tree[0], lane_order);
}
