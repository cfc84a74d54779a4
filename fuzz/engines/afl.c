/* SPDX-License-Identifier: MIT */
/* AFL++'s custom mutator and trimmer: the mutator core, as a shared object that afl-fuzz loads
 * (AFL_CUSTOM_MUTATOR_LIBRARY). One object serves all targets: LAB_MUTATE_FORM says what the
 * target's inputs are (script, numbered, bytes or text; script if it is not set).
 *
 * AFL++'s package has no header for this interface; it is described in its custom_mutators.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate/mutate.h"

void *afl_custom_init(void *afl, unsigned seed);
void afl_custom_deinit(void *data);
size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max_size);
unsigned afl_custom_fuzz_count(void *data, const uint8_t *bytes, size_t size);
const char *afl_custom_describe(void *data, size_t length_max);
int afl_custom_init_trim(void *data, uint8_t *bytes, size_t size);
size_t afl_custom_trim(void *data, uint8_t **out);
int afl_custom_post_trim(void *data, unsigned char same);

#define CROSS_ONCE_IN 12u
#define FUZZ_COUNT    64u /* mutations of an input, each time it is taken up */

/* Inputs are never longer than this, whatever the engine would take. */
#define INPUT_BYTES_MAX 65536u

typedef struct shim {
    lab_mutator *mutator;
    lab_trim trim;
    bool trimming;
    unsigned calls;
    uint8_t bytes[INPUT_BYTES_MAX]; /* what was handed out last */
} shim;

static bool read_form(lab_mutate_form *form) {
    static const char *const names[] = {[LAB_MUTATE_SCRIPT] = "script",
                                        [LAB_MUTATE_NUMBERED] = "numbered",
                                        [LAB_MUTATE_BYTES] = "bytes",
                                        [LAB_MUTATE_TEXT] = "text"};
    const char *wanted = getenv("LAB_MUTATE_FORM");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(wanted != NULL ? wanted : names[LAB_MUTATE_SCRIPT], names[i]) == 0) {
            *form = (lab_mutate_form)i;
            return true;
        }
    }
    (void)fprintf(stderr, "LAB_MUTATE_FORM=%s: it is script, numbered, bytes or text\n", wanted);
    return false;
}

void *afl_custom_init(void *afl, unsigned seed) {
    (void)afl;
    lab_mutate_form form = LAB_MUTATE_SCRIPT;
    shim *s = calloc(1, sizeof *s);
    if (s == NULL || !read_form(&form)) {
        free(s);
        return NULL;
    }
    s->mutator = lab_mutator_new(seed, form, NULL);
    s->trimming = form == LAB_MUTATE_SCRIPT; /* lab_trim knows this one */
    if (s->mutator == NULL) {
        free(s);
        return NULL;
    }
    (void)printf("INFO: swarm seed %u\n", seed);
    return s;
}

void afl_custom_deinit(void *data) {
    shim *s = data;
    lab_mutator_destroy(s->mutator);
    lab_trim_clean_up(&s->trim);
    free(s);
}

size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max_size) {
    shim *s = data;
    size_t result = 0;
    max_size = max_size < INPUT_BYTES_MAX ? max_size : INPUT_BYTES_MAX;
    size = size < max_size ? size : max_size;
    s->calls++;
    if (other != NULL && s->calls % CROSS_ONCE_IN == 0) {
        result = lab_mutate_cross(s->mutator, bytes, size, other, other_size, s->bytes, max_size,
                                  s->calls);
    }
    if (result == 0) {
        memcpy(s->bytes, bytes, size);
        result = lab_mutate(s->mutator, s->bytes, size, max_size, s->calls);
    }
    *out = s->bytes;
    return result;
}

/* AFL++ doubles it with every find, up to 64 times as many. Left to itself, it would stay with the
 * first input for seconds. */
unsigned afl_custom_fuzz_count(void *data, const uint8_t *bytes, size_t size) {
    (void)data;
    (void)bytes;
    (void)size;
    return FUZZ_COUNT;
}

const char *afl_custom_describe(void *data, size_t length_max) {
    shim *s = data;
    const char *words = lab_mutator_describe(s->mutator);
    return strlen(words) < length_max ? words : "mutator";
}

/* AFL++ goes on until the number of steps said here is reached. How many there will be is not
 * known, so it is one, and post_trim says 0 until there are no more. */
int afl_custom_init_trim(void *data, uint8_t *bytes, size_t size) {
    shim *s = data;
    return s->trimming && lab_trim_start(&s->trim, bytes, size) ? 1 : 0;
}

size_t afl_custom_trim(void *data, uint8_t **out) {
    shim *s = data;
    *out = s->bytes;
    return lab_trim_next(&s->trim, s->bytes, sizeof s->bytes);
}

int afl_custom_post_trim(void *data, unsigned char same) {
    shim *s = data;
    lab_trim_answer(&s->trim, same != 0);
    return lab_trim_is_done(&s->trim) ? 1 : 0;
}
