/* SPDX-License-Identifier: MIT */
/* The text of fuzz/program/, which scripts/embed has made C of (build/embed/program.c). */
#ifndef LAB_EXPORT_PROGRAM_TEXT_H
#define LAB_EXPORT_PROGRAM_TEXT_H

#include <stddef.h>

typedef struct lab_program_file {
    const char *name;         /* "core.h" */
    const char *const *lines; /* without line ends; the last one is NULL */
} lab_program_file;

/* The last one is {NULL, NULL}. */
extern const lab_program_file lab_program_files[];

#endif
