/* SPDX-License-Identifier: MIT */
/* Scripts that make one call dear, by construction: combs.
 *
 *   [ L ][ hole ][ L ][ hole ] ...  [ L ][ hole ][ L ][ hole ] ...  [ the rest ]
 *    `------- runs[0] -------'       `------- runs[1] -------'
 *
 * Blocks L stay, holes were blocks and have been freed. A search by walking meets each hole; an
 * index of segments meets segments full of holes of which the last one fits, and a change of the
 * largest hole changes every level above it. The last operation is the one that is to be dear.
 * Random operations never arrive at combs; what they do to combs is another question (search.h). */
#ifndef LAB_WORST_COMB_H
#define LAB_WORST_COMB_H

#include "mutate/random.h"
#include "worst/cost.h"

enum { LAB_COMB_RUNS_MAX = 4 };

typedef struct lab_comb_run {
    bool tail;      /* of TAIL blocks, which grow down from the top; the next run lies below */
    uint32_t pairs; /* of a block and a hole; LAB_COMB_FULL: as many as there is room for */
    uint32_t live_bytes, hole_bytes;
} lab_comb_run;

#define LAB_COMB_FULL UINT32_MAX

typedef struct lab_comb {
    uint32_t dwords;
    uint8_t alignment; /* of the heap, in bytes */
    uint8_t layout;    /* of the heap: lab_layout */
    bool filled;       /* the rest is one block, of HEAD */
    bool falling;      /* the holes are made from the last one to the first */
    uint8_t runs_count;
    lab_comb_run runs[LAB_COMB_RUNS_MAX];
    lab_cost_kind last; /* what the last operation is meant to be */
    bool tail;          /* of it: what is allocated is TAIL */
    uint8_t at_run;     /* of it: on which block (free, grow, trim) ... */
    uint32_t at_pair;   /* ... modulo the number of pairs */
    uint32_t bytes;     /* of it: asked for, or grown by, or left */
    uint8_t align;      /* of it: 2^align bytes */
} lab_comb;

/* Writes it to *script (whose room for operations is used again). False: no memory, or the region
 * is refused. */
bool lab_comb_script(const lab_comb *comb, lab_cost_player *player, lab_script *script);

/* The combs that were thought of for calls of this kind, of layout 0: number 0, 1, ...; false:
 * there is no such number. */
bool lab_comb_made_by_hand(lab_cost_kind kind, unsigned number, uint32_t dwords, lab_comb *comb);

/* Changes something about it. */
void lab_comb_mutate(lab_comb *comb, lab_random *random);

/* An ordinary load, as the opposite of a comb: half of the region is taken by blocks of 16 to 143
 * bytes, of which again and again a random one is freed and another one allocated; now and then one
 * grows, is trimmed, is aligned, or asks for more than there is. */
bool lab_comb_ordinary(uint32_t dwords, uint8_t layout, uint32_t operations, lab_random *random,
                       lab_cost_player *player, lab_script *script);

#endif
