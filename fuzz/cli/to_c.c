/* SPDX-License-Identifier: MIT */
/* heaplab to-c: a failing script as a C program. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "export/to_c.h"
#include "shrink/trial.h"

enum { MESSAGE_BYTES_MAX = 8192 };

static bool put_text(FILE *file, const void *text) {
    return fputs(text, file) != EOF;
}

static int write_text(const char *name, const lab_cli_files *given, const char *text) {
    char message[MESSAGE_BYTES_MAX];
    return lab_file_write(put_text, text, given->out, given->overwrite, message, sizeof message)
               ? LAB_CLI_DONE
               : lab_cli_complain(name, message);
}

static int write_export(const char *name, const lab_cli_files *given, const lab_script *script,
                        const lab_outcome *outcome) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool made = out != NULL &&
                lab_export_c(script, outcome, lab_cli_subject_shown(script->config.subject), out);
    made = out != NULL && !ferror(out) && fclose(out) == 0 && made;
    int status = LAB_CLI_DONE;
    if (!made) {
        status = lab_cli_complain(name, "no memory");
    } else if (given->out != NULL) {
        status = write_text(name, given, text);
    } else {
        (void)fwrite(text, 1, size, stdout); /* main looks after write errors */
    }
    free(text);
    return status;
}

/* The program says how the script fails in this build, so it must, and always so. */
static int export_failure(const char *name, const lab_cli_files *given, const lab_script *script) {
    lab_outcome outcome, other;
    bool same = false;
    lab_trial *trial = lab_trial_new(script->count);
    bool played = trial != NULL && lab_trial_settle(trial, script, &outcome, &other, &same);
    int error = errno;
    lab_trial_destroy(trial);
    if (!played) {
        return lab_cli_complain_of(name, given->in, strerror(error));
    }
    if (!same || outcome.end == LAB_END_PASSED) {
        return lab_cli_complain_of_outcomes(name, given->in, &outcome, &other);
    }
    return write_export(name, given, script, &outcome);
}

int lab_cli_to_c(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.out = LAB_CLI_OUT_OPTIONAL};
    lab_cli_files given;
    lab_script script = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, NULL);
    if (status == LAB_CLI_DONE) {
        status = lab_cli_check_out(argv[0], &given);
    }
    if (status == LAB_CLI_DONE) {
        bool ready = lab_cli_read(argv[0], given.in, &given, &script) &&
                     lab_cli_has_subject(argv[0], given.in, script.config.subject);
        status = ready ? export_failure(argv[0], &given, &script) : LAB_CLI_BAD_INPUT;
    }
    lab_script_clean_up(&script);
    return status;
}
