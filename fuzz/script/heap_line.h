/* SPDX-License-Identifier: MIT */
/* The heap line: a script's configuration. Private to fuzz/script/. */
#ifndef LAB_SCRIPT_HEAP_LINE_H
#define LAB_SCRIPT_HEAP_LINE_H

#include "script/parser.h"

#define LAB_HEAP_LINE_BYTES_MAX 192

void lab_heap_line_put(lab_line *out, const lab_config *config);

/* Parses the rest of a line that begins with `name`, into the script's configuration. */
bool lab_heap_line_parse(lab_parser *p, lab_word name);

#endif
