/* SPDX-License-Identifier: MIT */
/* Property: whatever a script does, the tagged heap agrees with the exact model after every
 * operation. The input's first bytes are the script's configuration (region, alignment, guard
 * level), the rest its operations; every input is a script. */
#include <stdio.h>
#include <stdlib.h>

#include "engines/run_stats.h"
#include "mutate/mutate.h"
#include "runner/runner.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_SCRIPT;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    /* Kept from input to input: setting up regions and model costs more than most scripts. */
    static lab_runner *runner;
    static lab_script script;
    static lab_run_counts counts;
    lab_failure failure;

    if (runner == NULL) {
        runner = lab_runner_new();
        lab_run_stats_name();
    }
    if (runner == NULL || !lab_script_decode(&script, bytes, size)) {
        (void)fputs("fuzz target heap: out of memory\n", stderr);
        abort();
    }
    const lab_run_options options = {.guard = -1, .comparison = LAB_COMPARE_TOUCHED};
    bool passed = lab_runner_play(runner, &script, &options, &failure, &counts);
    lab_run_stats_end(&counts, passed ? NULL : &failure, &script);
    return 0;
}
