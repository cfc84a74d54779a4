/* SPDX-License-Identifier: MIT */
/* heaplab sweep: what happens if the n-th allocation fails, the n-th request for more memory is
 * declined, the n-th move is vetoed? */
#include "sweep/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct sweep_settings {
    int guard;
    bool verbose;
    bool only; /* one plan */
    lab_injection plan;
    unsigned long seconds; /* 0: no bound */
    /* Of the present file: */
    int64_t end_ms;
    int file, files; /* from 1 */
    const char *path;
    const lab_sweep *sweep;
    lab_cli_progress progress;
} sweep_settings;

/* KIND:N or KIND:N+ */
static bool read_plan(const char *text, lab_injection *plan) {
    for (unsigned kind = 0; kind < LAB_INJECT_KINDS; kind++) {
        const char *name = lab_inject_name((lab_inject_kind)kind);
        size_t length = strlen(name);
        if (strncmp(text, name, length) == 0 && text[length] == ':' && text[length + 1] >= '1' &&
            text[length + 1] <= '9') {
            char *end;
            errno = 0;
            unsigned long long n = strtoull(text + length + 1, &end, 10);
            *plan = (lab_injection){
                .kind = (lab_inject_kind)kind, .n = n, .for_ever = strcmp(end, "+") == 0};
            return errno == 0 && (*end == '\0' || plan->for_ever);
        }
    }
    return false;
}

static bool read_seconds(const char *text, unsigned long *seconds) {
    char *end;
    errno = 0;
    *seconds = strtoul(text, &end, 10);
    return text[0] >= '1' && text[0] <= '9' && *end == '\0' && errno == 0 && *seconds <= 1000000;
}

static int set_option(lab_cli_arguments *from, const char *option, void *settings, bool *known) {
    const char *name = from->argv[0];
    sweep_settings *out = settings;
    if (strcmp(option, "-v") == 0) {
        out->verbose = true;
        return LAB_CLI_DONE;
    }
    bool guard = strcmp(option, "--guard") == 0;
    out->only = out->only || strcmp(option, "--only") == 0;
    bool only = strcmp(option, "--only") == 0;
    *known = guard || only || strcmp(option, "--seconds") == 0;
    const char *value = *known ? lab_cli_value(from, option) : NULL;
    if (value == NULL) {
        return *known ? LAB_CLI_BAD_INPUT : LAB_CLI_DONE;
    }
    if (guard) {
        return lab_cli_read_guard(name, value, &out->guard);
    }
    bool read = only ? read_plan(value, &out->plan) : read_seconds(value, &out->seconds);
    return read ? LAB_CLI_DONE
                : lab_cli_refuse(
                      name, only ? "no plan (alloc:17, move:1+):" : "no time in seconds:", value);
}

/* Asked before each run. */
static bool has_time(void *context) {
    sweep_settings *settings = context;
    if (lab_cli_progress_is_due(&settings->progress)) {
        lab_cli_progress_show(&settings->progress, "sweep: file %d of %d: %s: %llu runs",
                              settings->file, settings->files, settings->path,
                              (unsigned long long)settings->sweep->runs);
    }
    return lab_cli_interrupt() == 0 &&
           (settings->seconds == 0 || lab_cli_now_ms() < settings->end_ms);
}

static void print_failure(const char *path, const lab_script *script, const lab_sweep *sweep,
                          const sweep_settings *settings) {
    const lab_injection *plan = &sweep->plan;
    char text[64];
    char guard[24] = "";
    (void)snprintf(text, sizeof text, "%s:%llu%s", lab_inject_name(plan->kind),
                   (unsigned long long)plan->n, plan->for_ever ? "+" : "");
    if (settings->guard >= 0) {
        (void)snprintf(guard, sizeof guard, " --guard %d", settings->guard);
    }
    (void)printf("%s: ", path);
    lab_failure_print(&sweep->failure, script, stdout);
    (void)printf("planted: %s number %llu failed, %s\n"
                 "replay: heaplab sweep --only %s%s -- %s\n",
                 lab_inject_name(plan->kind), (unsigned long long)plan->n,
                 plan->for_ever ? "and all after it" : "once", text, guard, path);
}

/* All of them, or the one that is asked for. */
static bool play(lab_runner *runner, const lab_script *script, sweep_settings *settings,
                 lab_sweep *sweep) {
    settings->sweep = sweep;
    if (!settings->only) {
        bool passed = lab_sweep_script(runner, script, settings->guard, has_time, settings, sweep);
        lab_cli_progress_end(&settings->progress);
        return passed;
    }
    *sweep = (lab_sweep){.plan = settings->plan, .runs = 1, .complete = true};
    return lab_sweep_try(runner, script, settings->guard, &sweep->plan, &sweep->failure);
}

typedef struct sweep_totals {
    uint64_t runs;
    int passed, failed, stopped, unread;
} sweep_totals;

static void sweep_file(lab_runner *runner, const char *path, const lab_cli_files *given,
                       sweep_settings *settings, sweep_totals *totals) {
    lab_script script = {0};
    lab_sweep sweep;
    if (!lab_cli_read("sweep", path, given, &script)) {
        totals->unread++;
    } else if (script.config.subject != LAB_SUBJECT_HEAP) {
        (void)lab_cli_complain_of("sweep", path, "is for another subject; this wants the heap's");
        totals->unread++;
    } else if (!play(runner, &script, settings, &sweep)) {
        print_failure(path, &script, &sweep, settings);
        totals->failed++;
        totals->runs += sweep.runs;
    } else {
        totals->passed += sweep.complete;
        totals->stopped += !sweep.complete;
        totals->runs += sweep.runs;
        if (settings->verbose) {
            (void)printf("%s: %s, %llu runs: %llu allocations, %llu requests, %llu moves\n", path,
                         sweep.complete             ? "passed"
                         : lab_cli_interrupt() != 0 ? "interrupted"
                                                    : "out of time",
                         (unsigned long long)sweep.runs,
                         (unsigned long long)sweep.chances[LAB_INJECT_ALLOC],
                         (unsigned long long)sweep.chances[LAB_INJECT_LOW_MEMORY],
                         (unsigned long long)sweep.chances[LAB_INJECT_MOVE]);
        }
    }
    lab_script_clean_up(&script);
}

int lab_cli_sweep(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.many = true, .option = set_option};
    sweep_settings settings = {.guard = -1};
    sweep_totals totals = {0};
    lab_cli_files given;
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &settings);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    lab_runner *runner = lab_runner_new();
    if (runner == NULL) {
        return lab_cli_complain(argv[0], "no memory for the runner");
    }
    int64_t end_ms = lab_cli_now_ms() + (int64_t)settings.seconds * 1000;
    settings.files = given.count;
    lab_cli_progress_begin(&settings.progress);
    lab_cli_await_interrupt();
    for (int i = 1; i <= given.count && lab_cli_interrupt() == 0; i++) {
        /* What one file leaves of its share is the others'. */
        int64_t now_ms = lab_cli_now_ms();
        settings.end_ms = now_ms + (end_ms - now_ms) / (given.count - i + 1);
        settings.file = i;
        settings.path = argv[i];
        sweep_file(runner, argv[i], &given, &settings, &totals);
    }
    lab_runner_destroy(runner);
    (void)printf("%d scripts swept, %d failed, %d %s, %d could not be read; %llu runs%s\n",
                 totals.passed, totals.failed, totals.stopped,
                 lab_cli_interrupt() != 0 ? "not to the end" : "out of time", totals.unread,
                 (unsigned long long)totals.runs, lab_cli_interrupted_by());
    return lab_cli_end_status(totals.unread > 0   ? LAB_CLI_BAD_INPUT
                              : totals.failed > 0 ? LAB_CLI_FOUND
                                                  : LAB_CLI_DONE);
}
