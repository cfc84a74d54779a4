/* SPDX-License-Identifier: MIT */
/* heaplab draw --svg: one moment as a picture. */
#include "cli/drawing.h"
#include "cli/filming.h"
#include "film/page.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512 };

typedef struct moment {
    const lab_cli_files *given;
    const lab_script *script;
    const lab_filmed *filmed;
} moment;

static bool print(FILE *out, const void *context) {
    const moment *m = context;
    char title[MESSAGE_BYTES_MAX];
    lab_film_reader reader;
    lab_film_open(&reader, m->filmed->bytes, m->filmed->size);
    while (lab_film_next(&reader)) {
    }
    (void)snprintf(title, sizeof title, "%s on %s after %zu of %zu operations%s%s", m->given->in,
                   lab_cli_subject_shown(m->script->config.subject),
                   lab_film_played(&reader, m->script->count), m->script->count,
                   m->filmed->failed ? ", where it fails" : "",
                   reader.frames == 0 ? ": there is nothing to draw" : "");
    lab_picture_print(&reader, title, out);
    lab_film_reader_clean_up(&reader);
    return true;
}

int lab_drawing_of_moment(const char *name, const lab_cli_files *given, const lab_script *script,
                          int64_t operations) {
    char message[MESSAGE_BYTES_MAX];
    lab_filmed filmed;
    int status = lab_cli_film(name, given, script, operations, &filmed);
    const moment m = {.given = given, .script = script, .filmed = &filmed};
    if (status == LAB_CLI_DONE && given->out == NULL) {
        (void)print(stdout, &m); /* main looks after write errors */
    } else if (status == LAB_CLI_DONE &&
               !lab_file_write(print, &m, given->out, given->overwrite, message, sizeof message)) {
        status = lab_cli_complain_of_out(name, given, message);
    }
    if (status == LAB_CLI_DONE && filmed.failed) {
        status = LAB_CLI_FOUND;
    }
    lab_filmed_clean_up(&filmed);
    return status;
}
