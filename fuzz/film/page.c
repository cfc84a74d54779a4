/* SPDX-License-Identifier: MIT */
/* The page: fuzz/film/page/view.html, in which lines that are a comment beginning with @ stand for
 * what only this run knows. */
#include "film/page.h"

#include <inttypes.h>
#include <string.h>

enum {
    LINES_SHOWN = 500,   /* of the script, to those without scripts */
    FILM_LINE_BYTES = 57 /* a multiple of 3: 76 letters */
};

static void put_file(const char *name, FILE *out) {
    for (const lab_page_file *file = lab_page_files; file->name != NULL; file++) {
        for (size_t i = 0; strcmp(file->name, name) == 0 && file->lines[i] != NULL; i++) {
            (void)fprintf(out, "%s\n", file->lines[i]);
        }
    }
}

/* As a string of JSON inside of HTML. */
static void put_string(const char *text, FILE *out) {
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == '<' || c == '>' || c == '&' || c == '"' || c == '\\' || c == 0x7F) {
            (void)fprintf(out, "\\u%04x", (unsigned)c);
        } else {
            (void)fputc(c, out);
        }
    }
    (void)fputc('"', out);
}

static void put_base64(const uint8_t *bytes, size_t size, FILE *out) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < size ? (uint32_t)bytes[i + 2] : 0;
        const char four[] = {letters[group >> 18], letters[group >> 12 & 63],
                             i + 1 < size ? letters[group >> 6 & 63] : '=',
                             i + 2 < size ? letters[group & 63] : '='};
        (void)fwrite(four, 1, sizeof four, out);
        if ((i + 3) % FILM_LINE_BYTES == 0) {
            (void)fputc('\n', out);
        }
    }
}

/* ---- what stands for lines ---------------------------------------------------------------- */

typedef struct writing {
    const lab_page *page;
    const lab_film_reader *last; /* the last frame */
    FILE *out;
} writing;

static const char *end_of(const writing *w) {
    return w->page->end != NULL               ? w->page->end
           : w->last->end == LAB_FILM_PASSED  ? "The script passed."
           : w->last->end == LAB_FILM_REFUSED ? "The subject cannot be made from this: there is "
                                                "nothing to see."
                                              : "The script failed.";
}

static void put_title(const writing *w) {
    lab_page_escape(w->page->path, w->out);
    (void)fputs(" on ", w->out);
    lab_page_escape(w->page->subject, w->out);
}

static void put_title_element(const writing *w) {
    (void)fputs("<title>", w->out);
    put_title(w);
    (void)fputs("</title>\n", w->out);
}

static void put_heading(const writing *w) {
    (void)fputs("<h1>", w->out);
    put_title(w);
    (void)fputs("</h1>\n", w->out);
}

static void put_failure(const writing *w) {
    if (w->last->end == LAB_FILM_FAILED) {
        (void)fprintf(w->out, "<p id=\"failure\">At operation %" PRIu64 ": ", w->last->failed_op);
        lab_page_escape(w->last->failure, w->out);
        (void)fputs("</p>\n", w->out);
    }
}

static void put_summary(const writing *w) {
    size_t count = w->page->script->count;
    (void)fprintf(w->out, "<p id=\"summary\">%zu operation%s, %zu played. ", count,
                  count == 1 ? "" : "s", lab_film_played(w->last, count));
    lab_page_escape(end_of(w), w->out);
    (void)fputs("</p>\n", w->out);
    put_failure(w);
}

static void put_picture(const writing *w) {
    if (w->last->frames > 0) {
        lab_picture_print(w->last, "The memory after the last operation that was played", w->out);
    }
}

static void put_script(const writing *w) {
    char line[LAB_OP_LINE_BYTES_MAX];
    const lab_script *script = w->page->script;
    (void)fputs("<ol start=\"0\">\n", w->out);
    for (size_t i = 0; i < script->count && i < LINES_SHOWN; i++) {
        (void)lab_op_format(&script->config, &script->ops[i], line, sizeof line);
        (void)fputs("<li>", w->out);
        lab_page_escape(line, w->out);
        (void)fputs("</li>\n", w->out);
    }
    (void)fputs("</ol>\n", w->out);
    if (script->count > LINES_SHOWN) {
        (void)fprintf(w->out, "<p>... and %zu more</p>\n", script->count - LINES_SHOWN);
    }
}

static void put_data(const writing *w) {
    const lab_config *config = &w->page->script->config;
    char line[LAB_OP_LINE_BYTES_MAX];
    (void)fputs("<script type=\"application/json\" id=\"about\">{\"path\":", w->out);
    put_string(w->page->path, w->out);
    (void)fputs(",\"subject\":", w->out);
    put_string(w->page->subject, w->out);
    (void)fprintf(w->out, ",\"heap\":%s,\"alignment\":%u,\"guard\":%u,\"end\":",
                  config->subject == LAB_SUBJECT_HEAP ? "true" : "false",
                  (unsigned)config->alignment, (unsigned)config->guard);
    put_string(end_of(w), w->out);
    (void)fputs("}</script>\n<script type=\"text/plain\" id=\"operations\">", w->out);
    for (size_t i = 0; i < w->page->script->count; i++) {
        (void)lab_op_format(config, &w->page->script->ops[i], line, sizeof line);
        (void)fprintf(w->out, "%s\n", line);
    }
    (void)fputs("</script>\n<script type=\"text/plain\" id=\"film\">\n", w->out);
    put_base64(w->page->film, w->page->size, w->out);
    (void)fputs("</script>\n", w->out);
}

static void put_style(const writing *w) {
    (void)fputs("<style>\n", w->out);
    put_file("view.css", w->out);
    (void)fputs("</style>\n", w->out);
}

static void put_code(const writing *w) {
    (void)fputs("<script>\n", w->out);
    put_file("film.js", w->out);
    put_file("view.js", w->out);
    (void)fputs("</script>\n", w->out);
}

static const struct {
    const char *line;
    void (*put)(const writing *w);
} words[] = {
    {"<!-- @title -->", put_title_element}, {"<!-- @heading -->", put_heading},
    {"<!-- @summary -->", put_summary},     {"<!-- @picture -->", put_picture},
    {"<!-- @script -->", put_script},       {"<!-- @data -->", put_data},
    {"<!-- @style -->", put_style},         {"<!-- @code -->", put_code},
};

static void put_line(const writing *w, const char *line) {
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].line, line) == 0) {
            words[i].put(w);
            return;
        }
    }
    (void)fprintf(w->out, "%s\n", line);
}

void lab_page_print(const lab_page *page, FILE *out) {
    lab_film_reader reader;
    writing w = {.page = page, .last = &reader, .out = out};
    lab_film_open(&reader, page->film, page->size);
    while (lab_film_next(&reader)) {
    }
    for (const lab_page_file *file = lab_page_files; file->name != NULL; file++) {
        for (size_t i = 0; strcmp(file->name, "view.html") == 0 && file->lines[i] != NULL; i++) {
            put_line(&w, file->lines[i]);
        }
    }
    lab_film_reader_clean_up(&reader);
}
