/* SPDX-License-Identifier: MIT */
/* What the targets that play scripts publish (engines/stats.h): the counts of a run, and one
 * counter for each kind of operation; and how they tell the engine of a failure. */
#ifndef LAB_ENGINES_RUN_STATS_H
#define LAB_ENGINES_RUN_STATS_H

#include "runner/runner.h"

/* Once, before anything is published. */
void lab_run_stats_name(void);

/* After each run. `failure`, if there is one, is printed, and the process aborts. */
void lab_run_stats_end(const lab_run_counts *counts, const lab_failure *failure,
                       const lab_script *script);

#endif
