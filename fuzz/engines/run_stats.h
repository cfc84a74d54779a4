/* SPDX-License-Identifier: MIT */
/* What the targets that play scripts publish (engines/stats.h): the counts of a run, and one
 * counter for each kind of operation. */
#ifndef LAB_ENGINES_RUN_STATS_H
#define LAB_ENGINES_RUN_STATS_H

#include "runner/runner.h"

/* Once, before anything is published. */
void lab_run_stats_name(void);

void lab_run_stats_publish(const lab_run_counts *counts);

#endif
