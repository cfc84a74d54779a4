/* SPDX-License-Identifier: MIT */
/* What is made of a film: a page that plays it, and a picture of one moment. */
#ifndef LAB_FILM_PAGE_H
#define LAB_FILM_PAGE_H

#include <stdio.h>

#include "film/film.h"
#include "script/script.h"

/* The files of fuzz/film/page/, which scripts/embed has made C of (build/embed/page.c). */
typedef struct lab_page_file {
    const char *name;         /* "view.html" */
    const char *const *lines; /* without line ends; the last one is NULL */
} lab_page_file;

/* The last one is {NULL, NULL}. */
extern const lab_page_file lab_page_files[];

typedef struct lab_page {
    const lab_script *script;
    const char *path;    /* of the script: any bytes */
    const char *subject; /* its name */
    const char *end; /* how the film ends, where that is said in words: of a script that ended its
                        process; NULL: the film says so itself */
    const uint8_t *film;
    size_t size;
} lab_page;

/* Prints the page. Write errors are left to ferror(out). */
void lab_page_print(const lab_page *page, FILE *out);

enum { LAB_PICTURE_ROWS = 8 };

/* Prints the reader's frame as an SVG, with `title` for those who do not see it. Write errors are
 * left to ferror(out). */
void lab_picture_print(const lab_film_reader *reader, const char *title, FILE *out);

/* Prints bytes as text of HTML or XML: what is markup there is escaped, control characters become
 * '?'. */
void lab_page_escape(const char *text, FILE *out);

#endif
