/* SPDX-License-Identifier: MIT */
/* Texts that are scripts, and texts that are none: for the suites of the text form. */
#ifndef TEXT_FIXTURE_H
#define TEXT_FIXTURE_H

#include "script/script.h"

/* The text is a script. */
void text_parse(lab_script *script, const char *text);

/* The same, and its printed form is `printed`. */
void text_prints(const char *text, const char *printed);

typedef struct text_refusal {
    const char *text;
    unsigned line, column;
    const char *message;
} text_refusal;

/* In front of a message: what lists the words of all operations. */
#define OPS "\a"

/* The first `size` bytes of the text are no script, for this reason. */
void text_is_refused(const text_refusal *expected, size_t size);

/* A heap line as it is printed. */
#define PLAIN "heap dwords=750 align=4 guard=3 slots=16 lowmem=0 start=0 locks=1 index=1\n"

/* What is said of a veto that is none. */
#define VETO "expected veto=N, N up to 0xff; found "

#endif
