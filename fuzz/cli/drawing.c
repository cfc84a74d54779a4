/* SPDX-License-Identifier: MIT */
#include "cli/drawing.h"

#include <string.h>

static void print_map(const char *map, const lab_drawing *d) {
    char last = 0;
    for (int i = 0; i < d->columns; i++) {
        char kind = map[i] >= 'a' && map[i] <= 'z'   ? 'a'
                    : map[i] >= 'A' && map[i] <= 'Z' ? 'A'
                                                     : '.';
        if (d->colour && kind != last) {
            (void)fputs(kind == '.' ? "\033[0m" : kind == 'a' ? "\033[32m" : "\033[36m", stdout);
        }
        last = kind;
        (void)putchar(map[i]);
    }
    (void)fputs(d->colour ? "\033[0m\n" : "\n", stdout);
}

void lab_drawing_line(lab_drawing *d, const lab_op *op, size_t index, const char *map) {
    char label[LAB_OP_LINE_BYTES_MAX + 16];
    if (op == NULL) {
        (void)snprintf(label, sizeof label, "      (fresh)");
    } else {
        int at = snprintf(label, sizeof label, "%5zu ", index);
        (void)lab_op_format(d->config, op, label + at, sizeof label - (size_t)at);
    }
    (void)printf("%-*.*s ", LAB_DRAWING_LABEL_COLUMNS, LAB_DRAWING_LABEL_COLUMNS, label);
    print_map(map, d);
    d->lines++;
}

int lab_drawing_failure(const lab_failure *failure) {
    (void)printf("FAILURE property=%s detail=%s op=%zu: %s\n", lab_property_name(failure->property),
                 failure->detail, failure->op, failure->message);
    return LAB_CLI_FOUND;
}
