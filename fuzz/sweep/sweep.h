/* SPDX-License-Identifier: MIT */
/* Fault sweeps: a script is played again and again, the n-th chance of each kind going wrong, for
 * n = 1, 2, 3 ... until the script ends untouched; once, and from the n-th on for ever. Each of
 * these runs must agree with the model in everything, and give everything back in the end. */
#ifndef LAB_SWEEP_SWEEP_H
#define LAB_SWEEP_SWEEP_H

#include "runner/inject.h"
#include "runner/runner.h"

typedef struct lab_sweep {
    lab_injection plan;  /* of the run that failed */
    lab_failure failure; /* property NONE: none did */
    uint64_t runs;
    uint64_t chances[LAB_INJECT_KINDS]; /* that n came to */
    bool complete;                      /* false: it was told to stop */
} lab_sweep;

/* Plays the script with one plan. True: it passed; for LAB_INJECT_HARNESS: it was left alone and
 * passed, or ended as it must. */
bool lab_sweep_try(lab_runner *runner, const lab_script *script, int guard, lab_injection *plan,
                   lab_failure *failure);

/* Sweeps. go_on (NULL: always) is asked before each run. False: a run failed. */
bool lab_sweep_script(lab_runner *runner, const lab_script *script, int guard,
                      bool (*go_on)(void *context), void *context, lab_sweep *sweep);

#endif
