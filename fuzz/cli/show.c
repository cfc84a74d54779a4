/* SPDX-License-Identifier: MIT */
/* heaplab show: a script in either form to text. Also what it shares with heaplab asm. */
#include <stdio.h>

#include "cli/cli.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512 };

static int write_file(const char *name, const lab_script *script, lab_script_form form,
                      const lab_cli_files *given) {
    char message[MESSAGE_BYTES_MAX];
    if (lab_script_write_file(script, given->out, form, given->overwrite, message,
                              sizeof message)) {
        return LAB_CLI_DONE;
    }
    return lab_cli_complain_of_out(name, given, message);
}

int lab_cli_convert(int argc, char **argv, lab_script_form form) {
    const lab_cli_syntax syntax = {.out = form == LAB_FORM_BYTES ? LAB_CLI_OUT_NEEDED
                                                                 : LAB_CLI_OUT_OPTIONAL};
    lab_cli_files given;
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, NULL);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    lab_script script = {0};
    if (!lab_cli_read(argv[0], given.in, &given, &script)) {
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
