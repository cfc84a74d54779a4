/* SPDX-License-Identifier: MIT */
#include "engines/run_stats.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/stats.h"

/* The counters published, in this order; then one for each kind of operation. */
enum { CHECKED, OPS, ACTED, MOVES, VETOES, FAILED_ALLOCS, BY_KIND };
static_assert(BY_KIND + LAB_OP_COUNT <= LAB_STATS_COUNTERS_MAX, "one counter for each");

static void name_kinds(void) {
    char names[LAB_OP_COUNT][LAB_STATS_NAME_BYTES_MAX];
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        lab_kind_format((lab_op_kind)kind, names[kind], sizeof names[kind]);
        for (unsigned other = 0; other < kind; other++) {
            assert(strcmp(names[other], names[kind]) != 0); /* one would hide the other */
        }
        lab_stats_name(BY_KIND + kind, names[kind]);
    }
}

void lab_run_stats_name(void) {
    lab_stats_name(CHECKED, "checked");
    lab_stats_name(OPS, "ops");
    lab_stats_name(ACTED, "acted");
    lab_stats_name(MOVES, "moves");
    lab_stats_name(VETOES, "vetoes");
    lab_stats_name(FAILED_ALLOCS, "failed_allocs");
    name_kinds();
}

static void publish(const lab_run_counts *counts) {
    lab_stats_set(CHECKED, counts->checked);
    lab_stats_set(OPS, counts->ops);
    lab_stats_set(ACTED, counts->acted);
    lab_stats_set(MOVES, counts->moves);
    lab_stats_set(VETOES, counts->vetoes);
    lab_stats_set(FAILED_ALLOCS, counts->failed_allocs);
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        lab_stats_set(BY_KIND + kind, counts->by_kind[kind]);
    }
}

void lab_run_stats_end(const lab_run_counts *counts, const lab_failure *failure,
                       const lab_script *script) {
    publish(counts);
    if (failure != NULL) {
        lab_failure_print(failure, script, stderr);
        (void)fflush(stderr);
        abort();
    }
}
