/* SPDX-License-Identifier: MIT */
/* Property: whatever a script does, the tagged heap agrees with the exact model after every
 * operation. The input's first bytes are the script's configuration (region, alignment, guard
 * level), the rest its operations; every input is a script. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/stats.h"
#include "runner/runner.h"
#include "script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The counters published, in this order; then one for each kind of operation. */
enum { CHECKED, OPS, ACTED, MOVES, VETOES, FAILED_ALLOCS, BY_KIND };
static_assert(BY_KIND + LAB_OP_COUNT <= LAB_STATS_COUNTERS_MAX, "one counter for each");

/* A name for each kind of operation: in its text form the first word, which two kinds share. */
static void name_kinds(void) {
    char names[LAB_OP_COUNT][LAB_OP_LINE_BYTES_MAX];
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        lab_op op;
        memset(&op, 0, sizeof op);
        op.kind = (uint8_t)kind;
        (void)lab_op_format(&op, names[kind], sizeof names[kind]);
        names[kind][strcspn(names[kind], " ")] = '\0';
        if (kind == LAB_OP_COMPACT_SOME) {
            (void)snprintf(names[kind], sizeof names[kind], "compact-some");
        }
        for (unsigned other = 0; other < kind; other++) {
            assert(strcmp(names[other], names[kind]) != 0); /* one would hide the other */
        }
        lab_stats_name(BY_KIND + kind, names[kind]);
    }
}

static void name_counters(void) {
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    /* Kept from input to input: setting up regions and model costs more than most scripts. */
    static lab_runner *runner;
    static lab_script script;
    static lab_run_counts counts;
    lab_failure failure;

    if (runner == NULL) {
        runner = lab_runner_new();
        name_counters();
    }
    if (runner == NULL || !lab_script_decode(&script, bytes, size)) {
        (void)fputs("fuzz target heap: out of memory\n", stderr);
        abort();
    }
    bool passed = lab_runner_play(runner, &script, NULL, &failure, &counts);
    publish(&counts);
    if (!passed) {
        lab_failure_print(&failure, &script, stderr);
        (void)fflush(stderr);
        abort();
    }
    return 0;
}
