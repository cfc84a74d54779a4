/* SPDX-License-Identifier: MIT */
/* What the subcommands have in common: walking over arguments, complaining, reading scripts. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512 /* a path, and what is wrong with it */ };

int lab_cli_complain(const char *name, const char *message) {
    (void)fprintf(stderr, "heaplab%s%s: ", name != NULL ? " " : "", name != NULL ? name : "");
    for (; *message != '\0'; message++) {
        unsigned char byte = (unsigned char)*message;
        (void)fputc(byte < ' ' || byte == 0x7F ? '?' : byte, stderr);
    }
    (void)fputc('\n', stderr);
    return LAB_CLI_BAD_INPUT;
}

int lab_cli_refuse(const char *name, const char *what, const char *which) {
    char message[MESSAGE_BYTES_MAX];
    const char *quote = which != NULL ? "'" : "";
    (void)snprintf(message, sizeof message, "%s%s%s%.1024s%s; usage: heaplab %s%s", what,
                   which != NULL ? " " : "", quote, which != NULL ? which : "", quote, name,
                   lab_cli_usage(name));
    return lab_cli_complain(name, message);
}

const char *lab_cli_next(lab_cli_arguments *from, bool *is_option) {
    if (from->next < from->argc && !from->options_ended &&
        strcmp(from->argv[from->next], "--") == 0) {
        from->options_ended = true;
        from->next++;
    }
    if (from->next >= from->argc) {
        return NULL;
    }
    const char *argument = from->argv[from->next++];
    *is_option = argument[0] == '-' && !from->options_ended;
    return argument;
}

const char *lab_cli_value(lab_cli_arguments *from, const char *option) {
    if (from->next >= from->argc || from->argv[from->next][0] == '\0') {
        (void)lab_cli_refuse(from->argv[0], "a value is missing after", option);
        return NULL;
    }
    return from->argv[from->next++];
}

bool lab_cli_is_form(const char *option, lab_script_form *form) {
    bool bytes = strcmp(option, "--bytes") == 0;
    bool text = strcmp(option, "--text") == 0;
    if (bytes || text) {
        *form = bytes ? LAB_FORM_BYTES : LAB_FORM_TEXT;
    }
    return bytes || text;
}

bool lab_cli_read(const char *name, const char *path, lab_script_form form, lab_script *script) {
    char message[MESSAGE_BYTES_MAX];
    if (!lab_script_read_file_as(script, path, form, message, sizeof message)) {
        (void)lab_cli_complain(name, path[0] != '\0' ? message : "the name of FILE is empty");
        return false;
    }
    return true;
}
