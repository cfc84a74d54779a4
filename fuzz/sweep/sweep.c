/* SPDX-License-Identifier: MIT */
#include "sweep/sweep.h"

bool lab_sweep_try(lab_runner *runner, const lab_script *script, int guard, lab_injection *plan,
                   lab_failure *failure) {
    lab_run_options options = {.guard = guard, .inject = plan};
    plan->seen = 0;
    bool passed = lab_runner_play(runner, script, &options, failure, NULL);
    if (plan->kind != LAB_INJECT_HARNESS || plan->seen < plan->n) {
        return passed;
    }
    if (!passed && failure->property == LAB_PROPERTY_MEMORY) {
        *failure = (lab_failure){.detail = ""};
        return true;
    }
    if (passed) {
        *failure = (lab_failure){.property = LAB_PROPERTY_MEMORY,
                                 .op = script->count,
                                 .detail = "unnoticed",
                                 .message = "heaplab did not notice that it had no memory"};
    }
    return false;
}

/* One kind, once or for ever. False: a run failed. */
static bool sweep_kind(lab_runner *runner, const lab_script *script, int guard,
                       bool (*go_on)(void *context), void *context, lab_sweep *sweep) {
    lab_injection *plan = &sweep->plan;
    for (plan->n = 1;; plan->n++) {
        if (go_on != NULL && !go_on(context)) {
            sweep->complete = false;
            return true;
        }
        sweep->runs++;
        if (!lab_sweep_try(runner, script, guard, plan, &sweep->failure)) {
            return false;
        }
        if (plan->seen < plan->n) {
            return true;
        }
        uint64_t *chances = &sweep->chances[plan->kind];
        *chances = plan->n > *chances ? plan->n : *chances;
    }
}

bool lab_sweep_script(lab_runner *runner, const lab_script *script, int guard,
                      bool (*go_on)(void *context), void *context, lab_sweep *sweep) {
    *sweep = (lab_sweep){.complete = true};
    for (unsigned kind = 0; kind < LAB_INJECT_KINDS; kind++) {
        for (unsigned ever = 0; ever < 2; ever++) {
            sweep->plan = (lab_injection){.kind = (lab_inject_kind)kind, .for_ever = ever != 0};
            if (!sweep_kind(runner, script, guard, go_on, context, sweep)) {
                return false;
            }
            if (!sweep->complete) {
                return true;
            }
        }
    }
    return true;
}
