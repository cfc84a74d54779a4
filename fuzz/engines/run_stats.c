/* SPDX-License-Identifier: MIT */
#include "engines/run_stats.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engines/stats.h"
#include "shrink/known.h"

/* The counters published, in this order; then one for each kind of operation. */
enum { CHECKED, OPS, ACTED, MOVES, VETOES, FAILED_ALLOCS, BY_KIND, KNOWN = BY_KIND + LAB_OP_COUNT };
static_assert(KNOWN + LAB_KNOWN_MAX <= LAB_STATS_COUNTERS_MAX - LAB_STATS_MARKS,
              "one counter for each");

static lab_known known;

static void name_kinds(void) {
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        const char *name = lab_op_rules[kind].name;
        for (unsigned other = 0; other < kind; other++) {
            assert(strcmp(lab_op_rules[other].name, name) != 0); /* one would hide the other */
        }
        lab_stats_name(BY_KIND + kind, name);
    }
}

static void name_known(void) {
    char text[LAB_SIGNATURE_BYTES_MAX + 4096];
    const char *path = getenv("LAB_KNOWN");
    if (path != NULL && !lab_known_read(&known, path, text, sizeof text)) {
        (void)fprintf(stderr, "LAB_KNOWN=%s\n", text);
        _exit(2); /* the engine takes an exit for a finding */
    }
    for (unsigned i = 0; i < known.count; i++) {
        (void)snprintf(text, sizeof text, "known %u", i);
        lab_stats_name(KNOWN + i, text);
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
    name_known();
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
    for (unsigned i = 0; i < known.count; i++) {
        lab_stats_set(KNOWN + i, known.met[i]);
    }
}

static bool is_known(const lab_failure *failure) {
    char signature[LAB_SIGNATURE_BYTES_MAX];
    lab_failure_signature(failure->property, failure->detail, signature);
    return lab_known_meet(&known, signature);
}

void lab_run_stats_end(const lab_run_counts *counts, const lab_failure *failure,
                       const lab_script *script) {
    bool fails = failure != NULL && !is_known(failure);
    publish(counts);
    if (fails) {
        lab_failure_print(failure, script, stderr);
        (void)fflush(stderr);
        abort();
    }
}
