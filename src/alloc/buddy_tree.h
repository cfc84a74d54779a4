/* SPDX-License-Identifier: MIT */
/* The tree of free blocks, in words of 64 bits.
 *
 * Node 1 is the root, nodes 2n and 2n + 1 are the halves of node n; the node of order k (2^k units)
 * that a unit belongs to is (units + unit) >> k. Nodes of the orders 0, 6, 9, 12 ... have a lane in
 * a word; those of the orders between are runs of 2, 4 ... lanes, aligned to their own length.
 *
 *   lanes of order 0   one bit, 64 to a word:       1, the unit is free
 *   lanes of order c   one byte, 8 to a word:   c + 1, the node is free as a whole
 *                                              1 .. c, its largest free block is of that order - 1
 *                                                   0, nothing in it is free
 *
 * Word w describes node w, and lane i of it node 8w + i (64w + i at the bottom): so what word w
 * adds up to is lane w % 8 of word w / 8. Word 0 is the top, where only the lanes of the nodes that
 * exist are used.
 *
 *   2^16 units    word 0:         . . [2][3] . . . .    lanes of order 15
 *                 words 2, 3:     [16] ... [31]         ... 12
 *                 words 16 to 31: [128] ... [255]       ... 9, and so on down to the bits
 *
 * Of a free node of an order with lanes, everything below says that it is free. A block has lanes
 * of the largest such order that is not above its own; they hold 0, and what is below them still
 * says that it is free: nobody looks there. So a block is taken or freed by writing one word, and
 * the words above as far as what they add up to changes. Units outside the memory hold 0.
 *
 * Which blocks are live is in an array beside it: for each unit 1 + the order of the block that
 * begins there, or 0. */
#ifndef TH_ALLOC_BUDDY_TREE_H
#define TH_ALLOC_BUDDY_TREE_H

#include "alloc/guarding.h"
#include "base/assert.h"
#include "base/compiler.h"
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

/* ---- lanes -------------------------------------------------------------------------------- */

#define TH_BUDDY_BITS_LOG2 6u /* a word is 2^6 bits ... */
#define TH_BUDDY_BYTE_LOG2 3u /* ... a lane, where it is a byte, 2^3 of them ... */
#define TH_BUDDY_STEP      (TH_BUDDY_BITS_LOG2 - TH_BUDDY_BYTE_LOG2) /* ... and 2^3 make a word */

/* A byte of value 1 in each lane; times v, of value v. */
#define TH_BUDDY_BYTES UINT64_C(0x0101010101010101)
#define TH_BUDDY_HIGHS UINT64_C(0x8080808080808080)

/* The largest order of lanes that is not above `order`. */
static inline unsigned th_buddy_lane_order(unsigned order) {
    return order < TH_BUDDY_BITS_LOG2 ? 0 : order / TH_BUDDY_STEP * TH_BUDDY_STEP;
}

/* log2 of the bits of a lane of that order. */
static inline unsigned th_buddy_lane_log2(unsigned lane_order) {
    return lane_order == 0 ? 0 : TH_BUDDY_BYTE_LOG2;
}

/* That of the word above, whose lanes are words of this one's lanes. */
static inline unsigned th_buddy_order_above(unsigned lane_order) {
    return lane_order + TH_BUDDY_BITS_LOG2 - th_buddy_lane_log2(lane_order);
}

/* All lanes of a word, each free as a whole. */
static inline uint64_t th_buddy_all_free(unsigned lane_order) {
    return lane_order == 0 ? UINT64_MAX : (lane_order + 1) * TH_BUDDY_BYTES;
}

/* How many words the lanes of an order are in, of which `first` is the first one. */
static inline size_t th_buddy_words(size_t first) {
    return first > 0 ? first : 1;
}

/* Where a node has its lanes. */
typedef struct th_buddy_place {
    size_t word;
    unsigned bit; /* of the word, where they begin */
    unsigned order, lane_order;
} th_buddy_place;

/* `lane_order` is th_buddy_lane_order(order). */
static inline th_buddy_place th_buddy_place_of(const th_buddy *b, size_t unit, unsigned order,
                                               unsigned lane_order) {
    unsigned log2 = th_buddy_lane_log2(lane_order);
    size_t lane = (th_buddy_units(b) + unit) >> lane_order;
    return (th_buddy_place){.word = lane >> (TH_BUDDY_BITS_LOG2 - log2),
                            .bit = (unsigned)(lane << log2) % (1u << TH_BUDDY_BITS_LOG2),
                            .order = order,
                            .lane_order = lane_order};
}

/* The place of the lane in the word above where a word adds up. */
static inline th_buddy_place th_buddy_place_above(size_t word, unsigned lane_order) {
    unsigned above = th_buddy_order_above(lane_order);
    unsigned lane = (unsigned)word % (1u << TH_BUDDY_STEP);
    return (th_buddy_place){.word = word >> TH_BUDDY_STEP,
                            .bit = lane << TH_BUDDY_BYTE_LOG2,
                            .order = above,
                            .lane_order = above};
}

/* The first unit of the node. */
static inline size_t th_buddy_unit_of(const th_buddy *b, th_buddy_place at) {
    unsigned log2 = th_buddy_lane_log2(at.lane_order);
    size_t lane = (at.word << (TH_BUDDY_BITS_LOG2 - log2)) + (at.bit >> log2);
    return (lane << at.lane_order) - th_buddy_units(b);
}

/* log2 of how many bits its lanes are: at most 5. */
static inline unsigned th_buddy_bits_log2(th_buddy_place at) {
    return at.order - at.lane_order + th_buddy_lane_log2(at.lane_order);
}

static inline uint64_t th_buddy_mask(th_buddy_place at) {
    static const uint32_t runs[] = {0x1, 0x3, 0xF, 0xFF, 0xFFFF, 0xFFFFFFFF};
    return (uint64_t)runs[th_buddy_bits_log2(at)] << at.bit;
}

/* The high bit of each byte that is at least `least`, which must be 1 to 128; bytes up to 127. */
static inline uint64_t th_buddy_at_least(uint64_t word, unsigned least) {
    return ((word | TH_BUDDY_HIGHS) - least * TH_BUDDY_BYTES) & TH_BUDDY_HIGHS;
}

/* Of a set of bits at multiples of 2^log2: those bits at multiples of 2^(log2 + 1) that are in it
 * together with the next one. log2 <= 5. */
static inline uint64_t th_buddy_pairs(uint64_t set, unsigned log2) {
    static const uint64_t evens[] = {UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
                                     UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001),
                                     UINT64_C(0x0000000100000001), UINT64_C(0x0000000000000001)};
    return set & (set >> (1u << log2)) & evens[log2];
}

/* The lanes that are free as a whole: the lowest bit of each. */
static inline uint64_t th_buddy_free_lanes(uint64_t word, unsigned lane_order) {
    return lane_order == 0
               ? word
               : th_buddy_at_least(word, lane_order + 1) >> ((1u << TH_BUDDY_BYTE_LOG2) - 1);
}

/* 1 + the order of the largest free block in a word, or 0: what the word's lane above it holds. */
unsigned th_buddy_largest(uint64_t word, unsigned lane_order);

/* The units of a word of the lowest lanes that lie inside the memory. */
uint64_t th_buddy_inside(const th_buddy *b, size_t word);

/* All that lies inside the memory is free. */
void th_buddy_build_tree(th_buddy *b);

/* ---- taking and freeing -------------------------------------------------------------------
 *
 * What the allocation and the free of a small block go through is always inlined: it is compiled
 * for lanes of one bit, and once more for lanes of bytes. */

/* A word may add up to less than is known. */
void th_buddy_lower(th_buddy *b, size_t word, unsigned lane_order);

/* A word adds up to more than is known, by a node that has become free. */
void th_buddy_lift(th_buddy *b, size_t word, unsigned lane_order, unsigned largest);

/* Is the node of an order in the word that is around this one free as a whole? */
static inline TH_ALWAYS_INLINE bool th_buddy_is_free_around(const th_buddy *b, th_buddy_place at,
                                                            unsigned order) {
    uint64_t taken = b->tree[at.word] ^ th_buddy_all_free(at.lane_order);
    at.order = order;
    unsigned bits = 1u << th_buddy_bits_log2(at); /* 64 at most */
    unsigned others = (1u << TH_BUDDY_BITS_LOG2) - bits;
    return taken >> (at.bit & ~(bits - 1)) << others == 0;
}

static inline TH_ALWAYS_INLINE unsigned th_buddy_lane_at(const th_buddy *b, th_buddy_place at) {
    return (uint8_t)(b->tree[at.word] >> at.bit);
}

/* What a word adds up to, as is known above it. */
static inline TH_ALWAYS_INLINE unsigned th_buddy_known_of(const th_buddy *b, size_t word,
                                                          unsigned lane_order) {
    return word != 0 ? th_buddy_lane_at(b, th_buddy_place_above(word, lane_order)) : b->largest;
}

/* The order of the largest node in the word around one, of the order `order` or larger, that is
 * free as a whole. */
static inline TH_ALWAYS_INLINE unsigned th_buddy_merge(const th_buddy *b, th_buddy_place at,
                                                       unsigned order) {
    unsigned above = th_buddy_order_above(at.lane_order);
    if (b->tree[at.word] == th_buddy_all_free(at.lane_order)) {
        return above;
    }
    while (order + 1 < above && th_buddy_is_free_around(b, at, order + 1)) {
        order++;
    }
    return order;
}

/* Free memory becomes a block. The word may add up to less if that was in its largest node. */
static inline TH_ALWAYS_INLINE void th_buddy_take(th_buddy *b, th_buddy_place at) {
    unsigned known = th_buddy_known_of(b, at.word, at.lane_order);
    bool of_largest = th_buddy_is_free_around(b, at, known - 1);
    b->tree[at.word] &= ~th_buddy_mask(at);
    if (of_largest) {
        th_buddy_lower(b, at.word, at.lane_order);
    }
}

/* A block becomes free memory. The word adds up to more if it makes a larger node. */
static inline TH_ALWAYS_INLINE void th_buddy_give(th_buddy *b, th_buddy_place at) {
    unsigned known = th_buddy_known_of(b, at.word, at.lane_order);
    unsigned order = known > at.order ? known : at.order;
    b->tree[at.word] |= th_buddy_all_free(at.lane_order) & th_buddy_mask(at);
    if (th_buddy_is_free_around(b, at, order)) {
        th_buddy_lift(b, at.word, at.lane_order, th_buddy_merge(b, at, order) + 1);
    }
}

/* Is a node free as a whole that does not lie in a block? */
static inline bool th_buddy_is_free(const th_buddy *b, size_t unit, unsigned order) {
    return th_buddy_is_free_around(b, th_buddy_place_of(b, unit, order, th_buddy_lane_order(order)),
                                   order);
}

/* The nodes of that order in a set of lanes: the lowest bit of each. */
static inline TH_ALWAYS_INLINE uint64_t th_buddy_find_runs(uint64_t set, unsigned order,
                                                           unsigned lane_order) {
    unsigned log2 = order - lane_order + th_buddy_lane_log2(lane_order);
    if (lane_order == 0) {
        if (log2 > 0) {
            set = th_buddy_pairs(set, 0);
        }
        if (log2 > 1) {
            set = th_buddy_pairs(set, 1);
        }
        if (log2 > 2) {
            set = th_buddy_pairs(set, 2);
        }
    }
    if (log2 > 3) {
        set = th_buddy_pairs(set, 3);
    }
    if (log2 > 4) {
        set = th_buddy_pairs(set, 4);
    }
    return set;
}

/* The lowest free node of that order: there is one. */
static inline TH_ALWAYS_INLINE th_buddy_place th_buddy_find_lowest(const th_buddy *b,
                                                                   unsigned order,
                                                                   unsigned lane_order) {
    size_t first_word = th_buddy_units(b) >> th_buddy_order_above(lane_order);
    size_t word = 0;
    while (word < first_word) {
        uint64_t large = th_buddy_at_least(b->tree[word], order + 1);
        TH_ASSERT(large != 0);
        word = (word << TH_BUDDY_STEP) + (th_lowest_bit(large) >> TH_BUDDY_BYTE_LOG2);
    }
    uint64_t set = th_buddy_free_lanes(b->tree[word], lane_order);
    set = th_buddy_find_runs(set, order, lane_order);
    TH_ASSERT(set != 0);
    return (th_buddy_place){word, th_lowest_bit(set), order, lane_order};
}

/* ---- blocks ------------------------------------------------------------------------------- */

/* Can a block of that order begin at this unit, which is inside the memory? */
bool th_buddy_may_begin(const th_buddy *b, size_t unit, unsigned order);

/* Does a unit inside the memory belong to a live block? *first is the first unit of that. */
bool th_buddy_find_block(const th_buddy *b, size_t unit, size_t *first);

/* With guards: TH_ERR_CORRUPT if what the book says of the live block that begins there cannot be,
 * or its canary is damaged. */
th_status th_buddy_check_block(const th_buddy *b, size_t unit, th_fault *fault);

/* The first byte of the free units [unit, unit + count) that was written, from the origin; SIZE_MAX
 * if there is none. */
size_t th_buddy_find_written(const th_buddy *b, size_t unit, size_t count, uint32_t *found);

#endif
