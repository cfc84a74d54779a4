/* SPDX-License-Identifier: MIT */
/* What the targets that play scripts publish (engines/stats.h): the counts of a run, and one
 * counter for each kind of operation; and how they tell the engine of a failure. If the environment
 * variable LAB_KNOWN names a file of known signatures (shrink/known.h), such failures are counted,
 * in counters called "known 0", "known 1" ... in the order of the file, and otherwise pass. */
#ifndef LAB_ENGINES_RUN_STATS_H
#define LAB_ENGINES_RUN_STATS_H

#include "runner/runner.h"

/* Once, before anything is published. Ends the process, with one line and status 2, if LAB_KNOWN
 * cannot be read. */
void lab_run_stats_name(void);

/* After each run. `failure`, if there is one and it is not known, is printed, and the process
 * aborts. */
void lab_run_stats_end(const lab_run_counts *counts, const lab_failure *failure,
                       const lab_script *script);

#endif
