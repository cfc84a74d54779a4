/* SPDX-License-Identifier: MIT */
/* Property: the three forms of a script are the same script.
 * - Any bytes decode to a valid script, of as many operations as there are whole records.
 * - Encoding it and decoding that gives an equal script; encoding again gives the same bytes.
 * - Printing it and parsing that gives an equal script. */
#define _POSIX_C_SOURCE 200809L

#include "script/script.h"
#include "mutate/mutate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_BYTES;

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

/* What a round trip needs, kept from input to input. */
static lab_script script, again;
static uint8_t *encoded, *reencoded;
static size_t capacity;

static void reserve(size_t size) {
    if (size <= capacity) {
        return;
    }
    capacity = 2 * size;
    free(encoded);
    free(reencoded);
    encoded = malloc(capacity);
    reencoded = malloc(capacity);
    require(encoded != NULL && reencoded != NULL, "memory", "buffers");
}

static void check_bytes(void) {
    size_t size = lab_script_encode(&script, NULL, 0);
    reserve(size);
    require(size == lab_header_bytes(&script.config) + script.count * LAB_RECORD_BYTES, "encode",
            "size-needed");
    require(lab_script_encode(&script, encoded, size) == size, "encode", "size-written");
    require(lab_script_decode(&again, encoded, size), "memory", "decode");
    require(lab_script_equal(&script, &again), "encode", "script-differs");
    require(lab_script_encode(&again, reencoded, size) == size, "encode", "size-again");
    require(memcmp(encoded, reencoded, size) == 0, "encode", "bytes-differ");
}

static void check_text(void) {
    static FILE *out;
    static char *text;
    static size_t size;
    lab_text_error error;
    if (out == NULL) {
        out = open_memstream(&text, &size);
        require(out != NULL, "memory", "stream");
    }
    rewind(out);
    lab_script_print(&script, out);
    require(fflush(out) == 0, "memory", "stream");
    require(lab_script_parse(&again, text, size, &error), "print", "refused-by-parse");
    require(lab_script_equal(&script, &again), "print", "script-differs");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    /* docs/script.md: class 10 of the fourth byte says that the header has one more. */
    bool more = size >= LAB_HEADER_BYTES && bytes[3] >> 4 == 10;
    size_t header = more ? LAB_HEADER_BYTES_MAX : LAB_HEADER_BYTES;
    size_t records = size < header ? 0 : (size - header) / LAB_RECORD_BYTES;
    require(lab_script_decode(&script, bytes, size), "memory", "decode");
    require(script.count == records, "decode", "count");
    require(lab_script_is_valid(&script), "decode", "invalid-script");
    check_bytes();
    check_text();
    return 0;
}
