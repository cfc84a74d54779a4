/* SPDX-License-Identifier: MIT */
/* heaplab show: a script in either form to text. Also what it shares with heaplab asm. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "script/script.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512 /* a path, and what is wrong with it */ };

typedef struct arguments {
    const char *in, *out; /* NULL: not given */
    bool overwrite;
} arguments;

static bool refuse(const char *name, const char *what, const char *which) {
    (void)fprintf(stderr, "heaplab %s: %s%s; usage: heaplab %s FILE %s [-f]\n", name, what, which,
                  name, strcmp(name, "asm") == 0 ? "-o OUT" : "[-o OUT]");
    return false;
}

static bool read_arguments(int argc, char **argv, arguments *given) {
    bool options_ended = false;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (options_ended || argument[0] != '-') {
            if (given->in != NULL) {
                return refuse(argv[0], "one FILE only, not also ", argument);
            }
            given->in = argument;
        } else if (strcmp(argument, "--") == 0) {
            options_ended = true;
        } else if (strcmp(argument, "-f") == 0) {
            given->overwrite = true;
        } else if (strcmp(argument, "-o") != 0) {
            return refuse(argv[0], "unknown option ", argument);
        } else if (++i == argc || argv[i][0] == '\0') {
            return refuse(argv[0], "-o needs a file name", "");
        } else {
            given->out = argv[i];
        }
    }
    return given->in != NULL || refuse(argv[0], "no FILE given", "");
}

int lab_cli_convert(int argc, char **argv, lab_script_form form) {
    arguments given = {NULL, NULL, false};
    if (!read_arguments(argc, argv, &given)) {
        return 2;
    }
    if (given.out == NULL && form == LAB_FORM_BYTES) {
        (void)refuse(argv[0], "no -o OUT given", "");
        return 2;
    }
    lab_script script = {0};
    char message[MESSAGE_BYTES_MAX];
    bool done = lab_script_read_file(&script, given.in, message, sizeof message);
    if (done && given.out != NULL) {
        done = lab_script_write_file(&script, given.out, form, given.overwrite, message,
                                     sizeof message);
    } else if (done) {
        lab_script_print(&script, stdout); /* main looks after write errors */
    }
    lab_script_clean_up(&script);
    if (!done) {
        (void)fprintf(stderr, "heaplab %s: %s\n", argv[0], message);
        return 2;
    }
    return 0;
}

int lab_cli_show(int argc, char **argv) {
    return lab_cli_convert(argc, argv, LAB_FORM_TEXT);
}
