/* SPDX-License-Identifier: MIT */
#include "script/parser.h"

#include <stdarg.h>

bool lab_parser_fail(lab_parser *p, const char *place, lab_word found, ...) {
    lab_text_error *error = p->error;
    lab_line out = {error->message, 0, sizeof error->message - 1};
    va_list parts;
    va_start(parts, found);
    for (const char *part = va_arg(parts, const char *); part != NULL;
         part = va_arg(parts, const char *)) {
        lab_put_text(&out, part);
    }
    va_end(parts);
    if (found.bytes != NULL) {
        lab_put_quoted(&out, found.bytes, found.size);
    }
    error->message[out.size] = '\0';
    error->line = p->line_number;
    error->column = (unsigned)(place - p->line) + 1;
    return false;
}

static bool at_line_end(const lab_parser *p) {
    return p->at == p->end || *p->at == '\n' ||
           (*p->at == '\r' && (p->at + 1 == p->end || p->at[1] == '\n'));
}

static bool is_control(char byte) {
    return (unsigned char)byte < ' ' || byte == 0x7F;
}

bool lab_parser_word(lab_parser *p, lab_word *found) {
    bool comment = false;
    while (!at_line_end(p)) {
        char byte = *p->at;
        if (byte != '\t' && is_control(byte)) {
            return lab_parser_fail(p, p->at, (lab_word){p->at, 1},
                                   "expected text; found the control byte ", LAB_NO_MORE);
        }
        comment = comment || byte == '#';
        if (!comment && byte != ' ' && byte != '\t') {
            break;
        }
        p->at++;
    }
    const char *start = p->at;
    while (!at_line_end(p) && !is_control(*p->at) && *p->at != ' ' && *p->at != '#') {
        p->at++;
    }
    *found = (lab_word){start, (size_t)(p->at - start)};
    return true;
}

bool lab_parser_line(lab_parser *p) {
    while (p->at < p->end && *p->at != '\n') {
        p->at++; /* nothing but the CR of a CR LF */
    }
    if (p->at == p->end) {
        return false;
    }
    p->line = ++p->at;
    p->line_number++;
    return true;
}
