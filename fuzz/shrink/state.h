/* SPDX-License-Identifier: MIT */
/* What shrinking works on. Private to fuzz/shrink/. */
#ifndef LAB_SHRINK_STATE_H
#define LAB_SHRINK_STATE_H

#include "shrink/shrink.h"

typedef struct lab_shrinker {
    lab_script best;      /* the smallest script that fails in the same way */
    lab_script candidate; /* the one being tried; as many operations fit as in the first */
    lab_outcome outcome;  /* of the best */
    lab_trial *trial;
    const lab_shrink_options *options;
    lab_shrink_state state;
    uint64_t *tried; /* hashes of candidates that did not fail in the same way; 0: empty place */
    size_t tried_count, tried_capacity;
    uint8_t *bytes; /* of a candidate, for its hash */
    bool stuck;     /* a script could not be played, or was not to be: give up */
    bool stopped;   /* it was told to stop */
    bool changed;   /* the best has become another one in this round */
} lab_shrinker;

/* Makes `to`, which has room for it, a copy. */
void lab_shrink_copy(lab_script *to, const lab_script *from);

/* Plays the script, for a outcome. */
bool lab_shrink_play(lab_shrinker *s, const lab_script *script, lab_outcome *outcome);

/* What comes after the failing operation has no part in the failure. */
void lab_shrink_cut_tail(lab_script *script, const lab_outcome *outcome);

/* Makes the candidate a copy of the best. */
lab_script *lab_shrink_candidate(lab_shrinker *s);

/* Tries the candidate: if it fails in the same way, it is the best now. */
bool lab_shrink_accept(lab_shrinker *s);

/* The steps that make operations and the configuration plain (operands.c, config.c). Each tries
 * only what is plainer than what is there, so that they come to an end. */
void lab_shrink_operands(lab_shrinker *s);
void lab_shrink_slots(lab_shrinker *s);
void lab_shrink_config(lab_shrinker *s);

/* The smallest value below `value` and not below `least` with which `set` makes a candidate that
 * is accepted; found by halving the distance, so other small values may be missed. */
void lab_shrink_number(lab_shrinker *s, uint32_t least, uint32_t value,
                       void (*set)(lab_script *script, size_t which, uint32_t value), size_t which);

#endif
