/* SPDX-License-Identifier: MIT */
/* heaplab show: a script in either form to text. Also what it shares with heaplab asm. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

enum { PATH_BYTES_MAX = 4096, MESSAGE_BYTES_MAX = PATH_BYTES_MAX + 512 };

typedef struct convert_settings {
    const char *in, *out; /* NULL: not given */
    lab_script_form in_form;
    bool overwrite;
} convert_settings;

static int read_arguments(int argc, char **argv, convert_settings *given) {
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
        } else if (!lab_cli_is_form(argument, &given->in_form)) {
            return lab_cli_refuse(argv[0], "unknown option", argument);
        }
    }
    return given->in != NULL ? LAB_CLI_DONE : lab_cli_refuse(argv[0], "no FILE given", NULL);
}

/* What the user can do about a file that could not be written. */
static const char *advice(const convert_settings *given) {
    struct stat status = {0};
    char folder[PATH_BYTES_MAX];
    const char *slash = strrchr(given->out, '/');
    if (lstat(given->out, &status) == 0) {
        return !S_ISREG(status.st_mode) ? "; choose another name"
               : given->overwrite       ? ""
                                        : " without -f";
    }
    if (slash == NULL || (size_t)(slash - given->out) >= sizeof folder) {
        return "";
    }
    (void)snprintf(folder, sizeof folder, "%.*s/", (int)(slash - given->out), given->out);
    return stat(folder, &status) == 0 ? "" : "; its folder must be there";
}

static int write_file(const char *name, const lab_script *script, lab_script_form form,
                      const convert_settings *given) {
    char message[MESSAGE_BYTES_MAX];
    if (lab_script_write_file(script, given->out, form, given->overwrite, message,
                              sizeof message)) {
        return LAB_CLI_DONE;
    }
    size_t size = strlen(message);
    (void)snprintf(message + size, sizeof message - size, "%s", advice(given));
    return lab_cli_complain(name, message);
}

int lab_cli_convert(int argc, char **argv, lab_script_form form) {
    convert_settings given = {NULL, NULL, LAB_FORM_ANY, false};
    int status = read_arguments(argc, argv, &given);
    if (status == LAB_CLI_DONE && given.out == NULL && form == LAB_FORM_BYTES) {
        status = lab_cli_refuse(argv[0], "no -o OUT given", NULL);
    }
    if (status != LAB_CLI_DONE) {
        return status;
    }
    lab_script script = {0};
    if (!lab_cli_read(argv[0], given.in, given.in_form, &script)) {
        status = LAB_CLI_BAD_INPUT;
    } else if (given.out != NULL) {
        status = write_file(argv[0], &script, form, &given);
    } else {
        lab_script_print(&script, stdout); /* main looks after write errors */
    }
    lab_script_clean_up(&script);
    return status;
}

int lab_cli_show(int argc, char **argv) {
    return lab_cli_convert(argc, argv, LAB_FORM_TEXT);
}
