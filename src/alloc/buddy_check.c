/* SPDX-License-Identifier: MIT */
/* The checker of the buddy allocator: it believes no word of the tree, but makes each anew from the
 * live blocks and from the words below it, which it has checked before. */
#include "alloc/buddy_tree.h"
#include "base/track.h"

/* ---- the live blocks ---------------------------------------------------------------------- */

/* The first unit where a block begins, as the book says, though none can: outside the memory, in
 * another block, or of such an order; `units` if there is none. */
TH_TRACK_BLIND static size_t find_stray(const th_buddy *b, size_t units) {
    size_t next = th_buddy_lowest_unit(b);
    for (size_t unit = 0; unit < units; unit++) {
        if (b->live[unit] != 0) {
            unsigned order = b->live[unit] - 1u;
            if (unit < next || !th_buddy_may_begin(b, unit, order)) {
                return unit;
            }
            next = unit + ((size_t)1 << order);
        }
    }
    return units;
}

static th_status check_live(const th_buddy *b, th_fault *fault) {
    size_t units = th_buddy_units(b);
    size_t stray = find_stray(b, units);
    return stray == units
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_CONTROL, stray, SIZE_MAX, 0, b->live[stray]);
}

/* ---- the tree ----------------------------------------------------------------------------- */

/* The lanes of one order. */
typedef struct layer {
    unsigned lane_order, lane_log2, below; /* below: the order of the lanes in the words below */
    size_t nodes;                          /* that have lanes: [nodes, 2 * nodes) */
    size_t lanes;                          /* in a word */
    size_t first_word;
} layer;

static layer layer_of(const th_buddy *b, unsigned lane_order, unsigned below) {
    unsigned log2 = th_buddy_lane_log2(lane_order);
    return (layer){.lane_order = lane_order,
                   .lane_log2 = log2,
                   .below = below,
                   .nodes = th_buddy_units(b) >> lane_order,
                   .lanes = (size_t)1 << (TH_BUDDY_BITS_LOG2 - log2),
                   .first_word = th_buddy_units(b) >> th_buddy_order_above(lane_order)};
}

/* What the words below, or the ends of the memory, make of a word. */
static uint64_t add_up(const th_buddy *b, const layer *at, size_t word) {
    uint64_t sum = 0;
    if (at->lane_order == 0) {
        return th_buddy_inside(b, word);
    }
    for (size_t lane = 0; lane < at->lanes; lane++) {
        size_t node = word * at->lanes + lane;
        if (node >= at->nodes && node < 2 * at->nodes) {
            sum |= (uint64_t)th_buddy_largest(b->tree[node], at->below) << (lane << at->lane_log2);
        }
    }
    return sum;
}

/* The lanes that blocks have in a word. */
TH_TRACK_BLIND static uint64_t find_taken(const th_buddy *b, const layer *at, size_t word) {
    uint64_t taken = 0;
    for (size_t lane = 0; lane < at->lanes; lane++) {
        size_t node = word * at->lanes + lane;
        size_t unit = (node - at->nodes) << at->lane_order;
        if (node >= at->nodes && node < 2 * at->nodes && b->live[unit] > at->lane_order &&
            b->live[unit] <= th_buddy_order_above(at->lane_order)) {
            th_buddy_place block = th_buddy_place_of(b, unit, b->live[unit] - 1u, at->lane_order);
            taken |= th_buddy_mask(block);
        }
    }
    return taken;
}

static th_status describe_word(const th_buddy *b, const layer *at, size_t word, uint64_t expected,
                               th_fault *fault) {
    size_t lane = th_lowest_bit(b->tree[word] ^ expected) >> at->lane_log2;
    unsigned shift = (unsigned)lane << at->lane_log2;
    uint64_t most = (UINT64_C(1) << (1u << at->lane_log2)) - 1;
    size_t unit = (word * at->lanes + lane - at->nodes) << at->lane_order;
    return th_guarding_corrupt(fault, TH_FAULT_CHAIN, unit, SIZE_MAX, expected >> shift & most,
                               b->tree[word] >> shift & most);
}

static th_status check_layer(const th_buddy *b, const layer *at, th_fault *fault) {
    size_t end = at->first_word + th_buddy_words(at->first_word);
    for (size_t word = at->first_word; word < end; word++) {
        uint64_t expected = add_up(b, at, word) & ~find_taken(b, at, word);
        if (b->tree[word] != expected) {
            return describe_word(b, at, word, expected, fault);
        }
    }
    return TH_OK;
}

static th_status check_tree(const th_buddy *b, th_fault *fault) {
    layer at = layer_of(b, 0, 0);
    th_status status = check_layer(b, &at, fault);
    while (status == TH_OK && at.first_word > 0) {
        at = layer_of(b, th_buddy_order_above(at.lane_order), at.lane_order);
        status = check_layer(b, &at, fault);
    }
    unsigned largest = th_buddy_largest(b->tree[0], at.lane_order);
    return status == TH_OK && largest != b->largest
               ? th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, largest, b->largest)
               : status;
}

/* ---- blocks and free memory --------------------------------------------------------------- */

static th_status check_free(const th_buddy *b, size_t unit, th_fault *fault) {
    uint32_t found = 0;
    size_t bad = th_buddy_level(b) >= 2 ? th_buddy_find_written(b, unit, 1, &found) : SIZE_MAX;
    return bad == SIZE_MAX
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_POISON, unit, bad, TH_POISON_BYTE, found);
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
    if (b == NULL || b->tree == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_live(b, fault);
    status = status == TH_OK ? check_tree(b, fault) : status;
    for (size_t unit = th_buddy_lowest_unit(b); status == TH_OK && unit < th_buddy_end_unit(b);
         unit += count) {
        if (b->live[unit] == 0) {
            count = 1;
            status = check_free(b, unit, fault);
        } else {
            count = (size_t)1 << (b->live[unit] - 1u);
            blocks++;
            bytes += count << b->unit_log2;
            status = th_buddy_level(b) > 0 ? th_buddy_check_block(b, unit, fault) : TH_OK;
        }
    }
    return status == TH_OK ? check_counts(b, blocks, bytes, fault) : status;
}
