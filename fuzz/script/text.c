/* SPDX-License-Identifier: MIT */
/* The text form of scripts: what a person reads, edits and commits. docs/script.md gives the
 * grammar.
 *
 * A line is a sequence of words. The first word of an operation's line is its name; each of the
 * others is an item: a prefix ("tag=") and a value. One table (items.c) says how each item is read
 * and printed, ops.def which operations there are and which items each of them takes, and deeds.def
 * the same of subjects; the parser and the printer are walks over these (op_line.c, heap_line.c).
 */
#include "script/script.h"

#include <string.h>

#include "script/heap_line.h"
#include "script/op_line.h"

void lab_script_print(const lab_script *script, FILE *out) {
    char bytes[LAB_HEAP_LINE_BYTES_MAX];
    lab_line heap = {bytes, 0, sizeof bytes};
    lab_heap_line_put(&heap, &script->config);
    lab_put_text(&heap, "\n");
    (void)fwrite(bytes, 1, heap.size, out);
    for (size_t i = 0; i < script->count; i++) {
        size_t size = lab_op_format(&script->config, &script->ops[i], bytes, sizeof bytes);
        bytes[size] = '\n';
        (void)fwrite(bytes, 1, size + 1, out);
    }
}

static bool parse_lines(lab_parser *p) {
    bool heap_seen = false;
    do {
        lab_word name;
        if (!lab_parser_word(p, &name)) {
            return false;
        }
        if (name.size == 0) {
            continue;
        }
        if (!(heap_seen ? lab_op_line_parse(p, name) : lab_heap_line_parse(p, name))) {
            return false;
        }
        heap_seen = true;
    } while (lab_parser_line(p));
    if (!heap_seen) {
        return lab_parser_fail(p, p->at, (lab_word){NULL, 0},
                               "expected the heap line (heap dwords=N ...); found the end",
                               LAB_NO_MORE);
    }
    return true;
}

bool lab_script_parse(lab_script *script, const char *text, size_t size, lab_text_error *error) {
    if (size == 0) {
        text = ""; /* it may be NULL, to which nothing can be added, not even 0 */
    }
    lab_parser p = {text, text + size, text, 1, script, error};
    memset(&script->config, 0, sizeof script->config);
    script->count = 0;
    if (!parse_lines(&p)) {
        memset(&script->config, 0, sizeof script->config);
        script->count = 0;
        return false;
    }
    return true;
}
