/* SPDX-License-Identifier: MIT */
/* Inputs that a person can write and any engine can change: characters one after the other. Spaces
 * and line ends between them are skipped, and so is what follows a '#' up to the end of its line.
 */
#ifndef LAB_SCRIPT_CHARACTERS_H
#define LAB_SCRIPT_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lab_characters {
    const uint8_t *bytes;
    size_t size, at;
} lab_characters;

static inline void lab_characters_skip(lab_characters *in) {
    bool comment = false;
    while (in->at < in->size && (comment || in->bytes[in->at] == '#' || in->bytes[in->at] == ' ' ||
                                 in->bytes[in->at] == '\n')) {
        comment = in->bytes[in->at] != '\n' && (comment || in->bytes[in->at] == '#');
        in->at++;
    }
}

/* The next `count` characters; false if there are not so many. */
static inline bool lab_characters_next(lab_characters *in, uint8_t *characters, size_t count) {
    for (size_t i = 0; i < count; i++) {
        lab_characters_skip(in);
        if (in->at == in->size) {
            return false;
        }
        characters[i] = in->bytes[in->at++];
    }
    return true;
}

/* What a character says as a number: '0' is 0, and so on, modulo 256. */
static inline uint8_t lab_characters_number(uint8_t c) {
    return (uint8_t)(c - '0');
}

#endif
