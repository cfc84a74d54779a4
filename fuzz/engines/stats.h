/* SPDX-License-Identifier: MIT */
/* Worker statistics: what a fuzzing process has done so far, published while it runs.
 *
 * If the environment variable LAB_STATS names a file, the process maps it and keeps its counters
 * there; scripts/fuzz reads them. Without LAB_STATS everything here does nothing. Executions are
 * counted for every target by stats.c itself; a target adds counters of its own.
 *
 * In a tree with a planted bug that is marked (bugs/marks.h) there are two counters more: "reached"
 * and "triggered", nanoseconds of CLOCK_MONOTONIC when the first input that did so had been played,
 * 0 while there was none.
 *
 * The file is a lab_stats_page in the machine's byte order. Each value only grows and is written
 * by one thread; a reader may be behind, but never sees half a value. */
#ifndef LAB_ENGINES_STATS_H
#define LAB_ENGINES_STATS_H

#include <stdint.h>

#define LAB_STATS_MAGIC          "labstat1"
#define LAB_STATS_COUNTERS_MAX   97u
#define LAB_STATS_MARKS          2u  /* the last counters */
#define LAB_STATS_NAME_BYTES_MAX 24u /* the NUL included */

typedef struct lab_stats_counter {
    char name[LAB_STATS_NAME_BYTES_MAX]; /* empty: not in use */
    _Atomic uint64_t value;
} lab_stats_counter;

typedef struct lab_stats_page {
    char magic[8];
    _Atomic uint64_t executions; /* inputs that the target has returned from */
    lab_stats_counter counters[LAB_STATS_COUNTERS_MAX];
} lab_stats_page;

/* Names the counter `index` (< LAB_STATS_COUNTERS_MAX); longer names are cut. scripts/fuzz takes
 * it as a sign of a dead harness if a named counter never moves in a long run, so name only what
 * ordinary fuzzing reaches. */
void lab_stats_name(unsigned index, const char *name);

void lab_stats_set(unsigned index, uint64_t value);

#endif
