/* SPDX-License-Identifier: MIT */
/* Lines put together, and words taken apart: what the text form of scripts is made of. */
#ifndef LAB_SCRIPT_WORDS_H
#define LAB_SCRIPT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line being put together; what does not fit is cut off. */
typedef struct lab_line {
    char *bytes;
    size_t size, capacity;
} lab_line;

void lab_put_bytes(lab_line *out, const char *bytes, size_t size);
void lab_put_text(lab_line *out, const char *text);
void lab_put_decimal(lab_line *out, uint64_t value);
void lab_put_hex(lab_line *out, unsigned value, unsigned digits);

/* Bytes that came from outside, in quotes, on one line and not too long. */
void lab_put_quoted(lab_line *out, const char *bytes, size_t size);

typedef struct lab_word {
    const char *bytes;
    size_t size;
} lab_word;

bool lab_word_begins(lab_word text, const char *prefix);
bool lab_word_equals(lab_word text, const char *other);

/* What is left after the first `skipped` bytes; there must be as many. */
lab_word lab_word_rest(lab_word text, size_t skipped);

/* Is the whole text a number, decimal or 0x hexadecimal, of at most `max`? */
bool lab_word_number(lab_word text, uint32_t max, uint32_t *number);
bool lab_word_long(lab_word text, uint64_t max, uint64_t *number);

#endif
