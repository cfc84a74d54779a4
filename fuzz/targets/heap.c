/* SPDX-License-Identifier: MIT */
/* Property: whatever a script does, the tagged heap agrees with the exact model after every
 * operation. The input's first bytes are the script's configuration (region, alignment, guard
 * level), the rest its operations; every input is a script. Of the environment, LAB_LAYOUT names a
 * layout, if heaps of only that one are of interest: other scripts are not played then; with
 * LAB_EVERY_CHECK the heap's checker is asked after every operation, whatever the guard level. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engines/run_stats.h"
#include "mutate/mutate.h"
#include "runner/runner.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_SCRIPT;

/* The layout that is of interest; LAB_LAYOUT_COUNT: all are. */
static lab_layout read_layout(void) {
    lab_layout layout = LAB_LAYOUT_COUNT;
    const char *name = getenv("LAB_LAYOUT");
    if (name != NULL && !lab_layout_find(name, &layout)) {
        (void)fprintf(stderr, "LAB_LAYOUT=%s: there is no such layout\n", name);
        _exit(2); /* the engine takes an exit for a finding */
    }
    return layout;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    /* Kept from input to input: setting up regions and model costs more than most scripts. */
    static lab_runner *runner;
    static lab_script script;
    static lab_run_counts counts;
    static lab_layout layout;
    static lab_run_options options = {.guard = -1, .comparison = LAB_COMPARE_SPARSE};
    lab_failure failure;

    if (runner == NULL) {
        layout = read_layout();
        runner = lab_runner_new();
        if (getenv("LAB_EVERY_CHECK") != NULL) {
            options.comparison = LAB_COMPARE_TOUCHED;
        }
        lab_run_stats_name();
    }
    if (runner == NULL || !lab_script_decode(&script, bytes, size)) {
        (void)fputs("fuzz target heap: out of memory\n", stderr);
        abort();
    }
    if (layout != LAB_LAYOUT_COUNT && script.config.layout != layout) {
        return -1; /* not for the corpus */
    }
    bool passed = lab_runner_play(runner, &script, &options, &failure, &counts);
    lab_run_stats_end(&counts, passed ? NULL : &failure, &script);
    return 0;
}
