/* SPDX-License-Identifier: MIT */
/* heaplab minimize: makes a failing script small while it fails in the same way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "shrink/shrink.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512, LIMIT_MS_MAX = 3600000 };

static int set_limit(const char *name, const char *value, unsigned *limit_ms) {
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || number < 1 || number > LIMIT_MS_MAX) {
        return lab_cli_refuse(name, "no number of milliseconds from 1 to 3600000:", value);
    }
    *limit_ms = (unsigned)number;
    return LAB_CLI_DONE;
}

static int set_option(lab_cli_arguments *from, const char *option, void *settings, bool *known) {
    *known = strcmp(option, "--timeout") == 0;
    if (!*known) {
        return LAB_CLI_DONE;
    }
    const char *value = lab_cli_value(from, option);
    return value != NULL ? set_limit(from->argv[0], value, settings) : LAB_CLI_BAD_INPUT;
}

/* ---- what a person sees ------------------------------------------------------------------- */

static void show_state(void *context, const lab_shrink_state *state) {
    lab_cli_progress *progress = context;
    if (lab_cli_progress_is_due(progress)) {
        lab_cli_progress_show(progress, "minimize: round %u, %s: %zu operations, %zu runs",
                              state->round, state->step, state->ops, state->runs);
    }
}

static int report_trouble(const char *name, const lab_cli_files *given, lab_shrink_status status,
                          const lab_shrink_result *result) {
    char message[256];
    (void)snprintf(message, sizeof message, "cannot be played: %s; nothing written",
                   strerror(errno));
    return status == LAB_SHRINK_NO_MEANS
               ? lab_cli_complain_of(name, given->in, message)
               : lab_cli_complain_of_verdicts(name, given->in, &result->verdict, &result->other);
}

static int minimize(const char *name, const lab_cli_files *given, unsigned limit_ms,
                    lab_script *script) {
    lab_cli_progress progress;
    const lab_shrink_options options = {
        .limit_ms = limit_ms != 0 ? limit_ms : lab_judge_limit_ms(script->count),
        .progress = show_state,
        .context = &progress};
    lab_shrink_result result;
    char message[MESSAGE_BYTES_MAX];
    size_t before = script->count;
    int64_t start = lab_cli_now_ms();
    lab_cli_progress_begin(&progress);
    lab_shrink_status status = lab_shrink(script, &options, &result);
    int error = errno;
    lab_cli_progress_end(&progress);
    errno = error;
    if (status != LAB_SHRINK_DONE) {
        return report_trouble(name, given, status, &result);
    }
    if (!lab_script_write_file(script, given->out, LAB_FORM_TEXT, given->overwrite, message,
                               sizeof message)) {
        return lab_cli_complain(name, message);
    }
    (void)printf("minimize: %zu -> %zu operations, %zu runs, %.1f s\n", before, script->count,
                 result.state.runs, (double)(lab_cli_now_ms() - start) / 1000);
    (void)printf("  it fails: %s\n  written to %s\n", result.verdict.signature, given->out);
    return LAB_CLI_DONE;
}

int lab_cli_minimize(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.out = LAB_CLI_OUT_NEEDED, .option = set_option};
    unsigned limit_ms = 0; /* as long as the script's length makes sensible */
    lab_cli_files given;
    lab_script script = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &limit_ms);
    if (status == LAB_CLI_DONE) {
        status = lab_cli_check_out(argv[0], &given);
    }
    if (status == LAB_CLI_DONE) {
        status = lab_cli_read(argv[0], given.in, &given, &script) &&
                         lab_cli_has_subject(argv[0], given.in, script.config.subject)
                     ? minimize(argv[0], &given, limit_ms, &script)
                     : LAB_CLI_BAD_INPUT;
    }
    lab_script_clean_up(&script);
    return status;
}
