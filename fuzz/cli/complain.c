/* SPDX-License-Identifier: MIT */
/* Complaints: one line on standard error. */
#include <stdio.h>

#include "cli/cli.h"

enum {
    PATH_BYTES_MAX = 4096,
    MESSAGE_BYTES_MAX = PATH_BYTES_MAX + 512 /* a path, and what is wrong with it */
};

static const lab_cli_subcommand *current; /* whose usage wrong arguments are answered with */

void lab_cli_begin(const lab_cli_subcommand *subcommand) {
    current = subcommand;
}

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
                   current != NULL ? current->arguments : "");
    return lab_cli_complain(name, message);
}

int lab_cli_complain_of(const char *name, const char *path, const char *what) {
    char message[2 * MESSAGE_BYTES_MAX];
    (void)snprintf(message, sizeof message, "%.4096s: %.4096s", path, what);
    return lab_cli_complain(name, message);
}
