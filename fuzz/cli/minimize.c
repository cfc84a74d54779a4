/* SPDX-License-Identifier: MIT */
/* heaplab minimize: makes a failing script small while it fails in the same way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "shrink/shrink.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512, LIMIT_MS_MAX = 3600000, TRIES_MAX = 1000 };

typedef struct minimize_settings {
    unsigned limit_ms; /* 0: as long as the script's length makes sensible */
    unsigned tries;    /* 0: it fails each time */
} minimize_settings;

static int set_option(lab_cli_arguments *from, const char *option, void *settings, bool *known) {
    minimize_settings *out = settings;
    if (strcmp(option, "--timeout") == 0) {
        return lab_cli_read_number(from, option, LIMIT_MS_MAX,
                                   "no number of milliseconds from 1 to 3600000:", &out->limit_ms);
    }
    *known = strcmp(option, "--tries") == 0;
    return !*known ? LAB_CLI_DONE
                   : lab_cli_read_number(from, option, TRIES_MAX,
                                         "no number of tries from 1 to 1000:", &out->tries);
}

/* ---- what a person sees ------------------------------------------------------------------- */

static bool go_on(void *context, const lab_shrink_state *state) {
    lab_cli_progress *progress = context;
    if (lab_cli_progress_is_due(progress)) {
        lab_cli_progress_show(progress, "minimize: round %u, %s: %zu operations, %zu runs",
                              state->round, state->step, state->ops, state->runs);
    }
    return lab_cli_interrupt() == 0;
}

static int report_trouble(const char *name, const lab_cli_files *given, lab_shrink_status status,
                          const lab_shrink_result *result) {
    char message[256];
    if (status == LAB_SHRINK_STOPPED) {
        (void)snprintf(message, sizeof message, "not minimized%s before it was known how it fails",
                       lab_cli_interrupted_by());
        (void)lab_cli_complain_of(name, given->in, message);
        return lab_cli_end_status(LAB_CLI_DONE);
    }
    (void)snprintf(message, sizeof message, "cannot be played: %s; nothing written",
                   strerror(errno));
    return status == LAB_SHRINK_NO_MEANS
               ? lab_cli_complain_of(name, given->in, message)
               : lab_cli_complain_of_outcomes(name, given->in, &result->outcome, &result->other);
}

static int minimize(const char *name, const lab_cli_files *given, const minimize_settings *settings,
                    lab_script *script) {
    lab_cli_progress progress;
    const lab_shrink_options options = {.limit_ms = settings->limit_ms != 0
                                                        ? settings->limit_ms
                                                        : lab_trial_limit_ms(script->count),
                                        .tries = settings->tries,
                                        .go_on = go_on,
                                        .context = &progress};
    lab_shrink_result result;
    char message[MESSAGE_BYTES_MAX];
    size_t before = script->count;
    int64_t start = lab_cli_now_ms();
    lab_cli_progress_begin(&progress);
    lab_cli_await_interrupt();
    lab_shrink_status status = lab_shrink(script, &options, &result);
    int error = errno;
    lab_cli_progress_end(&progress);
    errno = error;
    bool known = status == LAB_SHRINK_STOPPED && result.state.round > 0;
    if (status != LAB_SHRINK_DONE && !known) {
        return report_trouble(name, given, status, &result);
    }
    if (!lab_script_write_file(script, given->out, LAB_FORM_TEXT, given->overwrite, message,
                               sizeof message)) {
        lab_script_print(script, stdout); /* or the work would be lost */
        return lab_cli_complain(name, message);
    }
    (void)printf("minimize: %zu -> %zu operations, %zu runs, %.1f s%s\n", before, script->count,
                 result.state.runs, (double)(lab_cli_now_ms() - start) / 1000,
                 known ? lab_cli_interrupted_by() : "");
    (void)printf("  it fails: %s\n", result.outcome.signature);
    if (result.outcome.message[0] != '\0') {
        (void)printf("  %s\n", result.outcome.message);
    }
    if (settings->tries > 0) {
        (void)printf("  in %u of %u tries\n", result.reproduced, settings->tries);
    }
    (void)printf("  written to %s\n", given->out);
    return known ? lab_cli_end_status(LAB_CLI_DONE) : LAB_CLI_DONE;
}

int lab_cli_minimize(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.out = LAB_CLI_OUT_NEEDED, .option = set_option};
    minimize_settings settings = {0};
    lab_cli_files given;
    lab_script script = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &settings);
    if (status == LAB_CLI_DONE) {
        status = lab_cli_check_out(argv[0], &given);
    }
    if (status == LAB_CLI_DONE) {
        status = lab_cli_read(argv[0], given.in, &given, &script) &&
                         lab_cli_has_subject(argv[0], given.in, script.config.subject)
                     ? minimize(argv[0], &given, &settings, &script)
                     : LAB_CLI_BAD_INPUT;
    }
    lab_script_clean_up(&script);
    return status;
}
