/* SPDX-License-Identifier: MIT */
/* heaplab to-c: a failing script as a C program that needs the library only. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "export/to_c.h"
#include "shrink/judge.h"

enum { PATH_BYTES_MAX = 4096, MESSAGE_BYTES_MAX = PATH_BYTES_MAX + 512 };

typedef struct to_c_settings {
    const char *in, *out; /* out NULL: standard output */
    lab_script_form form;
    bool overwrite;
} to_c_settings;

static int read_arguments(int argc, char **argv, to_c_settings *given) {
    lab_cli_arguments from = {argc, argv, 1, false};
    const char *argument;
    bool is_option;
    while ((argument = lab_cli_next(&from, &is_option)) != NULL) {
        if (!is_option) {
            if (given->in != NULL) {
                return lab_cli_refuse(argv[0], "one FILE only, not also", argument);
            }
            given->in = argument;
        } else if (strcmp(argument, "-f") == 0) {
            given->overwrite = true;
        } else if (strcmp(argument, "-o") == 0) {
            given->out = lab_cli_value(&from, argument);
            if (given->out == NULL) {
                return LAB_CLI_BAD_INPUT;
            }
        } else if (!lab_cli_is_form(argument, &given->form)) {
            return lab_cli_refuse(argv[0], "unknown option", argument);
        }
    }
    return given->in != NULL ? LAB_CLI_DONE : lab_cli_refuse(argv[0], "no FILE given", NULL);
}

static int complain(const char *name, const char *path, const char *what) {
    char message[MESSAGE_BYTES_MAX];
    (void)snprintf(message, sizeof message, "%.4096s: %.256s", path, what);
    return lab_cli_complain(name, message);
}

/* What stands at `path` is replaced as a whole or stays as it is. */
static int write_text(const char *name, const to_c_settings *given, const char *text, size_t size) {
    char path[PATH_BYTES_MAX + 32];
    struct stat status;
    bool there = lstat(given->out, &status) == 0;
    if (there && !S_ISREG(status.st_mode)) {
        return complain(name, given->out, "is no regular file; choose another name");
    }
    if (there && !given->overwrite) {
        return complain(name, given->out, "exists; not overwritten without -f");
    }
    (void)snprintf(path, sizeof path, "%.4096s.%ld", given->out, (long)getpid());
    FILE *out = fopen(path, "wx");
    if (out == NULL) {
        return complain(name, given->out, strerror(errno));
    }
    bool written = fwrite(text, 1, size, out) == size;
    written = fclose(out) == 0 && written;
    if (!written || rename(path, given->out) != 0) {
        int error = errno;
        (void)unlink(path);
        return complain(name, given->out, strerror(error));
    }
    return LAB_CLI_DONE;
}

static int write_export(const char *name, const to_c_settings *given, const lab_script *script,
                        const lab_verdict *verdict) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool made = out != NULL && lab_export_c(script, verdict, out);
    made = out != NULL && !ferror(out) && fclose(out) == 0 && made;
    int status = LAB_CLI_DONE;
    if (!made) {
        status = lab_cli_complain(name, "no memory");
    } else if (given->out != NULL) {
        status = write_text(name, given, text, size);
    } else {
        (void)fwrite(text, 1, size, stdout); /* main looks after write errors */
    }
    free(text);
    return status;
}

/* The program says how the script fails in this build, so it must. */
static int judge(const char *name, const to_c_settings *given, const lab_script *script) {
    lab_verdict verdict = {.end = LAB_END_PASSED};
    lab_judge *judge = lab_judge_new(script->count);
    bool judged = judge != NULL && lab_judge_try(judge, script, &verdict);
    int error = errno;
    lab_judge_destroy(judge);
    if (!judged) {
        return complain(name, given->in, strerror(error));
    }
    if (verdict.end == LAB_END_PASSED) {
        return complain(name, given->in, "does not fail in this build; nothing written");
    }
    return write_export(name, given, script, &verdict);
}

int lab_cli_to_c(int argc, char **argv) {
    to_c_settings given = {.form = LAB_FORM_ANY};
    lab_script script = {0};
    int status = read_arguments(argc, argv, &given);
    if (status == LAB_CLI_DONE) {
        status = lab_cli_read(argv[0], given.in, given.form, &script)
                     ? judge(argv[0], &given, &script)
                     : LAB_CLI_BAD_INPUT;
    }
    lab_script_clean_up(&script);
    return status;
}
