/* SPDX-License-Identifier: MIT */
/* The trial says how a script fails, whatever it does to the process that plays it. Scripts are
 * played in a forked child, which goes on from script to script until one of them ends it (an
 * assertion, a sanitizer's report, a signal) or takes too long; then the next script gets a new
 * child. Each script meets a fresh runner, unless lab_trial_keep_player says otherwise: what one
 * leaves in memory never reaches the next.
 *
 * A failure's signature is equal for equal failures:
 *   property=blocks detail=size             the runner found a difference
 *   tagheap: assertion failed: ...          the library ended the process; of a fault its name
 *   AddressSanitizer: KIND at FUNCTION FILE:LINE     the first frame that is not a tool's
 *   runtime error: TEXT at FILE:LINE        UBSan; numbers in the text read N, signs and all
 *   signal 11 at FUNCTION                   nothing was said; the first frame outside the C library
 *   exit status 3                           a subject called exit
 *   timeout                                 the script takes more processor time than it may */
#ifndef LAB_SHRINK_TRIAL_H
#define LAB_SHRINK_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/runner.h"
#include "script/script.h"

typedef enum lab_end {
    LAB_END_PASSED,
    LAB_END_FAILED, /* the runner found a difference */
    LAB_END_DIED,   /* the process ended */
    LAB_END_HUNG
} lab_end;

typedef struct lab_outcome {
    lab_end end;
    size_t op;             /* the operation at fault; the script's count: at its end */
    lab_property property; /* LAB_END_FAILED only */
    char detail[128];      /* the same */
    char message[256];     /* the same: both sides; "" for all other ends */
    uint64_t acted;        /* LAB_END_PASSED only: operations that did something, beside init */
    unsigned start_ms;     /* processor time until that operation */
    char signature[LAB_SIGNATURE_BYTES_MAX]; /* "" if it passed */
} lab_outcome;

typedef struct lab_trial lab_trial;

/* For scripts of up to `ops_max` operations. NULL: no memory. */
lab_trial *lab_trial_new(size_t ops_max);
void lab_trial_destroy(lab_trial *trial);

/* How much processor time a script may take, in milliseconds; if nothing is said, as much as
 * lab_trial_limit_ms gives for ops_max. */
void lab_trial_set_limit(lab_trial *trial, unsigned limit_ms);
unsigned lab_trial_limit_ms(size_t ops);

/* How long a script may wait, using no processor time, until it counts as hanging. */
void lab_trial_set_patience(lab_trial *trial, unsigned patience_ms);

/* From now on a child keeps its runner from script to script, until one fails. Making a runner
 * takes twenty times as long as playing a short script. */
void lab_trial_keep_player(lab_trial *trial);

/* Asked before each play of a script; false: it is not played. NULL: nothing is asked. */
void lab_trial_watch(lab_trial *trial, bool (*before)(void *context), void *context);

/* Plays the script. False: it could not be played (no process, no memory, or ECANCELED: nobody
 * wants it to be played any more); errno says why. */
bool lab_trial_try(lab_trial *trial, const lab_script *script, lab_outcome *outcome);

/* Plays the script LAB_TRIAL_REPETITIONS times: nothing can be learnt from a failure that is not
 * the same each time. If one run differs from the first, *same is false and *other is that run.
 * False: as lab_trial_try. */
#define LAB_TRIAL_REPETITIONS 3
bool lab_trial_settle(lab_trial *trial, const lab_script *script, lab_outcome *outcome,
                      lab_outcome *other, bool *same);

#endif
