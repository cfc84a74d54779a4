/* SPDX-License-Identifier: MIT */
/* heaplab view: a script as a page that plays it. */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/filming.h"
#include "film/page.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512 };

static bool write_page(FILE *file, const void *page) {
    lab_page_print(page, file);
    return true;
}

static int put_page(const char *name, const lab_cli_files *given, const lab_page *page) {
    char message[MESSAGE_BYTES_MAX];
    if (given->out == NULL) {
        lab_page_print(page, stdout); /* main looks after write errors */
        return LAB_CLI_DONE;
    }
    return lab_file_write(write_page, page, given->out, given->overwrite, message, sizeof message)
               ? LAB_CLI_DONE
               : lab_cli_complain_of_out(name, given, message);
}

int lab_cli_view(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.out = LAB_CLI_OUT_OPTIONAL};
    lab_cli_files given;
    lab_script script = {0};
    lab_filmed filmed = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, NULL);
    if (status == LAB_CLI_DONE) {
        status = lab_cli_check_out(argv[0], &given);
    }
    if (status == LAB_CLI_DONE && !lab_cli_read(argv[0], given.in, &given, &script)) {
        status = LAB_CLI_BAD_INPUT;
    }
    if (status == LAB_CLI_DONE) {
        status = lab_cli_film(argv[0], &given, &script, LAB_FILM_ALL, &filmed);
    }
    if (status == LAB_CLI_DONE) {
        const lab_page page = {
            .script = &script,
            .path = given.in,
            .subject = lab_cli_subject_shown(script.config.subject),
            .end = filmed.end[0] != '\0' ? filmed.end : NULL,
            .film = filmed.bytes,
            .size = filmed.size,
        };
        status = put_page(argv[0], &given, &page);
    }
    if (status == LAB_CLI_DONE && filmed.failed) {
        status = LAB_CLI_FOUND;
    }
    lab_filmed_clean_up(&filmed);
    lab_script_clean_up(&script);
    return status;
}
