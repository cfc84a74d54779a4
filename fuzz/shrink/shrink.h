/* SPDX-License-Identifier: MIT */
/* The shrinker: makes a failing script small while it fails in the same way (trial.h says what a
 * way is). It works on operations, never on bytes: first what comes after the failing one is cut
 * off, then ranges of operations are removed, then blocks with everything that uses them, then
 * pairs of operations; then what is left is made plain, operand by operand; then single operations
 * are removed while a size moves to another one; and last the configuration. All of it again, until
 * a whole round changes nothing. The same script and the same build give the same result. */
#ifndef LAB_SHRINK_SHRINK_H
#define LAB_SHRINK_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

#include "script/script.h"
#include "shrink/trial.h"

typedef struct lab_shrink_state {
    const char *step; /* "ranges", "operands", ... */
    unsigned round;   /* from 1; 0: before */
    size_t ops;       /* of the best script so far */
    size_t runs;      /* scripts played */
} lab_shrink_state;

typedef struct lab_shrink_options {
    unsigned limit_ms; /* processor time that a script may take */
    /* 0: the script fails each time, and one play of a candidate tells. Else it need not: a
     * candidate that fails in the same way in one of so many plays is accepted. */
    unsigned tries;
    /* Asked before each script that is played; false: shrinking stops. NULL: it goes on. */
    bool (*go_on)(void *context, const lab_shrink_state *state);
    void *context;
} lab_shrink_options;

typedef enum lab_shrink_status {
    LAB_SHRINK_DONE,
    LAB_SHRINK_PASSES,  /* the script does not fail */
    LAB_SHRINK_FLAKY,   /* it does not fail in the same way each time */
    LAB_SHRINK_STOPPED, /* it was told to stop; state.round 0: before it was known how it fails */
    LAB_SHRINK_NO_MEANS /* no memory or no process; errno says why */
} lab_shrink_status;

typedef struct lab_shrink_result {
    lab_outcome outcome; /* of the script as it is now */
    lab_outcome other;   /* FLAKY: what else it did */
    unsigned reproduced; /* with tries: in so many of them it failed so, in the end */
    lab_shrink_state state;
} lab_shrink_result;

/* Shrinks the script in place, if it fails in the same way each of LAB_TRIAL_REPETITIONS times (in
 * one of options->tries plays, where these are given), before and after. STOPPED:
 * the script is the smallest so far, which failed in the same way when it was played last. Anything
 * else but DONE leaves it as it was. */
lab_shrink_status lab_shrink(lab_script *script, const lab_shrink_options *options,
                             lab_shrink_result *result);

#endif
