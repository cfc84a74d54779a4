/* SPDX-License-Identifier: MIT */
/* A text being parsed, word by word. Private to fuzz/script/. */
#ifndef LAB_SCRIPT_PARSER_H
#define LAB_SCRIPT_PARSER_H

#include "script/script.h"
#include "script/words.h"

typedef struct lab_parser {
    const char *at, *end; /* what is left of the text */
    const char *line;     /* where the line begins */
    unsigned line_number;
    lab_script *script;
    lab_text_error *error;
} lab_parser;

/* Always false. The message is the parts up to LAB_NO_MORE, then what was found: a word in quotes,
 * or nothing if found.bytes is NULL. */
bool lab_parser_fail(lab_parser *p, const char *place, lab_word found, ...);

#define LAB_NO_MORE ((const char *)NULL)

/* The next word of the line, of size 0 at its end (a comment is part of the end). False if there is
 * a control byte before it. */
bool lab_parser_word(lab_parser *p, lab_word *found);

/* Goes on to the next line. False at the end of the text. */
bool lab_parser_line(lab_parser *p);

#endif
