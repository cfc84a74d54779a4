/* SPDX-License-Identifier: MIT */
#include "shrink/known.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How signatures begin, those of scripts/fuzz_lib/signature.py included. */
static const char *const beginnings[] = {
    "property=", "tagheap: ", "AddressSanitizer: ", "runtime error: ", "signal ", "exit status ",
    "timeout",   "leak",      "out-of-memory"};

/* Some editors begin a UTF-8 file with it. */
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static unsigned find(const lab_known *known, const char *signature) {
    unsigned i = 0;
    while (i < known->count && strcmp(known->signature[i], signature) != 0) {
        i++;
    }
    return i;
}

bool lab_known_meet(lab_known *known, const char *signature) {
    unsigned i = find(known, signature);
    if (i < known->count) {
        known->met[i]++;
    }
    return i < known->count;
}

/* What is wrong with the signature; NULL: nothing. */
static const char *error_of(const char *text, size_t size) {
    bool begins = false;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < ' ' || byte == 0x7F) {
            return "holds a byte that is no text";
        }
    }
    if (size >= LAB_SIGNATURE_BYTES_MAX) {
        return "is too long for a signature";
    }
    for (size_t i = 0; !begins && i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t length = strlen(beginnings[i]);
        begins = size >= length && memcmp(text, beginnings[i], length) == 0;
    }
    return begins ? NULL : "is no signature; `make triage` prints them";
}

/* One line, without its end. NULL: it is taken over, if there is something in it. */
static const char *take_line(lab_known *known, const char *text, size_t size) {
    while (size > 0 && strchr(" \t\r", text[size - 1]) != NULL && text[size - 1] != '\0') {
        size--;
    }
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    if (size == 0 || *text == '#') {
        return NULL;
    }
    const char *wrong = error_of(text, size);
    if (wrong != NULL) {
        return wrong;
    }
    char signature[LAB_SIGNATURE_BYTES_MAX];
    memcpy(signature, text, size);
    signature[size] = '\0';
    if (find(known, signature) < known->count) {
        return NULL;
    }
    if (known->count == LAB_KNOWN_MAX) {
        return "is one signature more than the 64 that can be known";
    }
    memcpy(known->signature[known->count], signature, size + 1);
    known->met[known->count++] = 0;
    return NULL;
}

bool lab_known_read(lab_known *known, const char *path, char *message, size_t capacity) {
    static char bytes[LAB_KNOWN_MAX * LAB_SIGNATURE_BYTES_MAX * 4];
    errno = 0;
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    bool read = file != NULL && ferror(file) == 0;
    int error = errno;
    if (file != NULL) {
        (void)fclose(file);
    }
    known->count = 0;
    if (!read || size == sizeof bytes) {
        (void)snprintf(message, capacity, "%.2048s: cannot be read: %s", path,
                       read ? "too large for a list of signatures" : strerror(error));
        return false;
    }
    size_t line = 1;
    size_t mark = size >= strlen(BYTE_ORDER_MARK) &&
                          memcmp(bytes, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0
                      ? strlen(BYTE_ORDER_MARK)
                      : 0;
    for (size_t at = mark; at < size; line++) {
        const char *end = memchr(bytes + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - bytes) - at : size - at;
        const char *wrong = take_line(known, bytes + at, length);
        if (wrong != NULL) {
            (void)snprintf(message, capacity, "%.2048s:%zu: %s", path, line, wrong);
            return false;
        }
        at += length + 1;
    }
    return true;
}
