/* SPDX-License-Identifier: MIT */
/* What drawings of the heap and of other subjects have in common. */
#ifndef LAB_CLI_DRAWING_H
#define LAB_CLI_DRAWING_H

#include "cli/cli.h"
#include "runner/runner.h"

enum { LAB_DRAWING_COLUMNS_MAX = 400, LAB_DRAWING_LABEL_COLUMNS = 40 };

typedef struct lab_drawing {
    int columns; /* of the map */
    bool colour;
    size_t lines;             /* drawn so far */
    const lab_config *config; /* of the script */
    bool svg;                 /* one moment as a picture: after `operations`, if these are >= 0 */
    int64_t operations;
} lab_drawing;

/* The operation (NULL: none yet), and map[0 .. columns-1] beside it. */
void lab_drawing_line(lab_drawing *drawing, const lab_op *op, size_t index, const char *map);

/* Says what failed; the exit status. */
int lab_drawing_failure(const lab_failure *failure);

/* Draws a script for another subject than the heap; the exit status. */
int lab_drawing_of_subject(const char *name, const lab_cli_files *given, const lab_script *script,
                           lab_drawing *drawing);

/* Draws one moment as an SVG: after so many operations (below 0: after all); the exit status. */
int lab_drawing_of_moment(const char *name, const lab_cli_files *given, const lab_script *script,
                          int64_t operations);

#endif
