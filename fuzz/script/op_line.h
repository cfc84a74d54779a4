/* SPDX-License-Identifier: MIT */
/* The line of one operation, on the heap or on a subject. Private to fuzz/script/. */
#ifndef LAB_SCRIPT_OP_LINE_H
#define LAB_SCRIPT_OP_LINE_H

#include "script/parser.h"

/* Parses the rest of a line that begins with `name`, and appends its operation to the script. */
bool lab_op_line_parse(lab_parser *p, lab_word name);

#endif
