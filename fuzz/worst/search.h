/* SPDX-License-Identifier: MIT */
/* The search for the dearest call of each kind: fuzzing whose objective is a cost. Combs made by
 * hand come first (comb.h); then what is best so far is changed: a comb's numbers, or single
 * operations of the script by the fuzzer's own mutations (mutate/mutate.h). Costs are counted in
 * basic blocks entered, so several of the best are kept, for whoever counts instructions. The same
 * seed and the same number of steps give the same result. */
#ifndef LAB_WORST_SEARCH_H
#define LAB_WORST_SEARCH_H

#include "worst/comb.h"

enum { LAB_SEARCH_KEPT = 4 };

typedef struct lab_found {
    lab_script script; /* ends with the call */
    lab_cost cost;     /* count 0: nothing was found */
    bool is_comb;
    lab_comb comb;
} lab_found;

typedef struct lab_search {
    lab_found kept[LAB_COST_KINDS][LAB_SEARCH_KEPT]; /* the dearest first, no two cost the same */
    uint64_t played;                                 /* scripts */
    uint64_t counted;                                /* calls, of the kinds that are looked at */
} lab_search;

typedef struct lab_search_heap {
    uint32_t dwords; /* the region */
    th_heap_index index;
    lab_layout layout;
} lab_search_heap;

/* For one kind of heap, in a build that counts blocks. NULL: no memory. */
lab_search *lab_search_new(const lab_search_heap *heap, uint64_t seed);
void lab_search_destroy(lab_search *search);

/* Goes on in a region of another size, with what is best so far: combs are made anew for it, so
 * that what was found quickly in a small one is there in a large one. False: no memory, or there
 * are no heaps of this size. */
bool lab_search_move(lab_search *search, uint32_t dwords);

/* Plays the next of the combs made by hand; *more: there was one. They come before the first step.
 * False: no memory, or there are no heaps of this size. */
bool lab_search_by_hand(lab_search *search, bool *more);

/* Makes one more script of what was found so far, and plays it. False: as above. */
bool lab_search_step(lab_search *search);

/* Plays somebody's script, which may be of another size, cut off where slots end. False: as above.
 */
bool lab_search_add(lab_search *search, const lab_script *script);

/* Leaves out of what is kept first for this kind what its cost does not depend on. False: as above.
 */
bool lab_search_shorten(lab_search *search, lab_cost_kind kind);

#endif
