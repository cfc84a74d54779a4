/* SPDX-License-Identifier: MIT */
/* The search for escapes in one cell: a guard level and a layout. It changes scripts that have
 * shown something new, and keeps of each class of attacks the shortest one that escapes. */
#ifndef LAB_SYNTHESIS_SEARCH_H
#define LAB_SYNTHESIS_SEARCH_H

#include "mutate/random.h"
#include "synthesis/play.h"

#define LAB_SEARCH_POOL 512u

typedef struct lab_synthesis_escape {
    bool found;
    lab_synthesis_end end;
    lab_synthesis_script script;
} lab_synthesis_escape;

typedef struct lab_synthesis_search {
    lab_world *world;
    int level;
    th_heap_layout layout;
    lab_random random;
    lab_synthesis_script *pool; /* owned */
    uint32_t pool_count;
    uint64_t new_features;
    uint8_t seen[LAB_SYNTHESIS_FEATURES / 8];
    uint64_t runs, attacks, reported, harmless, escaped; /* runs with an attack, and how they end */
    lab_synthesis_escape escapes[LAB_SYNTHESIS_WHATS];   /* by class */
} lab_synthesis_search;

/* False: there is no memory. The world is the caller's. */
bool lab_synthesis_search_init(lab_synthesis_search *search, lab_world *world, int level,
                               th_heap_layout layout, uint64_t seed);
void lab_synthesis_search_clean_up(lab_synthesis_search *search);

/* One script, and what it leads to. False: this build has no such heap. */
bool lab_synthesis_search_step(lab_synthesis_search *search);

/* The same with this one. */
bool lab_synthesis_search_try(lab_synthesis_search *search, const lab_synthesis_script *script);

/* Makes a script short while it escapes in the same way and its class does not change. */
void lab_synthesis_search_shrink(lab_synthesis_search *search, lab_synthesis_script *script,
                                 lab_synthesis_end end);

#endif
