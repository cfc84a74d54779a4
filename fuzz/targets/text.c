/* SPDX-License-Identifier: MIT */
/* Property: the parser takes any bytes.
 * - Either they are a script: a valid one, and printing it and parsing that gives an equal one,
 *   which prints the same; so does going through the bytes.
 * - Or there is an error: at a place in the text, with a message of one line of printable ASCII
 *   that is not cut off, and the script is empty. */
#define _POSIX_C_SOURCE 200809L

#include "mutate/mutate.h"
#include "script/script.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_TEXT;

static void fail(const char *property, const char *detail) {
    (void)fprintf(stderr, "FAILURE property=%s detail=%s\n", property, detail);
    (void)fflush(stderr);
    abort();
}

static void require(bool condition, const char *property, const char *detail) {
    if (!condition) {
        fail(property, detail);
    }
}

/* A stream into memory, kept from input to input. */
typedef struct sink {
    FILE *out;
    char *text;
    size_t size;
} sink;

static void print(sink *to, const lab_script *script) {
    if (to->out == NULL) {
        to->out = open_memstream(&to->text, &to->size);
        require(to->out != NULL, "memory", "stream");
    }
    rewind(to->out);
    lab_script_print(script, to->out);
    require(fflush(to->out) == 0, "memory", "stream");
}

static void check_script(const lab_script *script) {
    static lab_script again;
    static sink once, twice;
    static uint8_t *encoded;
    static size_t capacity;
    lab_text_error error;

    require(lab_script_is_valid(script), "parse", "invalid-script");
    print(&once, script);
    require(lab_script_parse(&again, once.text, once.size, &error), "print", "refused-by-parse");
    require(lab_script_equal(script, &again), "print", "script-differs");
    print(&twice, &again);
    require(once.size == twice.size && memcmp(once.text, twice.text, once.size) == 0, "print",
            "text-differs");

    size_t size = lab_script_encode(script, encoded, capacity);
    if (size > capacity) {
        free(encoded);
        capacity = 2 * size;
        encoded = malloc(capacity);
        require(encoded != NULL, "memory", "buffer");
        (void)lab_script_encode(script, encoded, capacity);
    }
    require(lab_script_decode(&again, encoded, size), "memory", "decode");
    again.config.subject = script->config.subject; /* which the bytes do not hold */
    again.config.plugin_family = script->config.plugin_family;
    require(lab_script_equal(script, &again), "encode", "script-differs");
}

/* Columns go from 1 to one after the line's last byte; the lines include the empty one after a
 * final newline. */
static void check_place(const char *text, size_t size, const lab_text_error *error) {
    const char *end = text + size;
    require(error->line > 0 && error->column > 0, "error", "place-is-0");
    for (unsigned line = 1; line < error->line; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        require(newline != NULL, "error", "line-outside");
        text = newline + 1;
    }
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    size_t columns = (size_t)((newline != NULL ? newline : end) - text) + 1;
    require(error->column <= columns, "error", "column-outside");
}

static void check_message(const lab_text_error *error) {
    const char *stop = memchr(error->message, '\0', sizeof error->message);
    require(stop != NULL, "error", "message-without-end");
    size_t size = (size_t)(stop - error->message);
    require(size > 0, "error", "message-empty");
    require(size < sizeof error->message - 1, "error", "message-cut-off");
    for (size_t i = 0; i < size; i++) {
        require(error->message[i] >= ' ' && error->message[i] <= '~', "error",
                "message-unprintable");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static lab_script script;
    lab_text_error error;
    const char *text = size > 0 ? (const char *)bytes : "";
    if (lab_script_parse(&script, text, size, &error)) {
        check_script(&script);
    } else {
        require(script.count == 0, "error", "script-not-empty");
        check_place(text, size, &error);
        check_message(&error);
    }
    return 0;
}
