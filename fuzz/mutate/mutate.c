/* SPDX-License-Identifier: MIT */
/* Whole inputs: decoded, mutated a few times, encoded. */
#define _POSIX_C_SOURCE 200809L

#include "mutate/mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate/state.h"

lab_mutator *lab_mutator_new(uint64_t seed, lab_mutate_form form, lab_mutate_bytes *bytes) {
    lab_mutator *m = calloc(1, sizeof *m);
    if (m != NULL) {
        m->seed = seed;
        m->form = form;
        m->bytes = bytes;
        lab_swarm_make(&m->maker.swarm, seed, 0);
    }
    return m;
}

void lab_mutator_destroy(lab_mutator *m) {
    if (m != NULL) {
        lab_script_clean_up(&m->script);
        lab_script_clean_up(&m->other);
        lab_script_clean_up(&m->piece);
        free(m->buffer);
        free(m);
    }
}

const lab_swarm *lab_mutator_swarm(const lab_mutator *m, uint64_t *seed, uint64_t *epoch) {
    *seed = m->seed;
    *epoch = m->count == 0 ? 0 : (m->count - 1) / LAB_SWARM_EPOCH;
    return &m->maker.swarm;
}

const char *lab_mutator_describe(lab_mutator *m) {
    size_t at = 0;
    m->description[0] = '\0';
    for (unsigned i = 0; i < m->applied_count; i++) {
        int written = snprintf(m->description + at, sizeof m->description - at, "%s%s",
                               i > 0 ? "+" : "", lab_mutation_name(m->applied[i]));
        at += written > 0 ? (size_t)written : 0;
        at = at < sizeof m->description ? at : sizeof m->description - 1;
    }
    return m->description;
}

static void note(lab_mutator *m, lab_mutation mutation) {
    if (m->applied_count < LAB_STACK_MAX) {
        m->applied[m->applied_count++] = mutation;
    }
}

/* A new call: its random numbers, and another profile if it is time for it. */
static void begin(lab_mutator *m, uint64_t seed) {
    if (m->count > 0 && m->count % LAB_SWARM_EPOCH == 0) {
        lab_swarm_make(&m->maker.swarm, m->seed, m->count / LAB_SWARM_EPOCH);
    }
    m->maker.random.state = lab_random_mix(m->seed ^ lab_random_mix(seed + m->count));
    m->count++;
    m->applied_count = 0;
}

static lab_mutation pick(lab_mutator *m, const lab_script *script) {
    if (script->count == 0) {
        return LAB_MUTATION_RENEW;
    }
    return (lab_mutation)lab_random_weighed(&m->maker.random, m->maker.swarm.mutations,
                                            LAB_MUTATION_COUNT);
}

static size_t header_bytes(const lab_mutator *m) {
    return m->form == LAB_MUTATE_NUMBERED ? LAB_HEADER_BYTES + 1 : LAB_HEADER_BYTES;
}

/* How many operations an input of so many bytes may hold. A line of text is about LINE_BYTES
 * long; if it is longer, the script is printed only to be found too long. */
static size_t ops_for(const lab_mutator *m, size_t bytes) {
    enum { LINE_BYTES = 32 };
    size_t header = header_bytes(m);
    size_t records = bytes < header ? 0 : (bytes - header) / LAB_RECORD_BYTES;
    return m->form == LAB_MUTATE_TEXT ? bytes / LINE_BYTES : records;
}

static bool decode(const lab_mutator *m, lab_script *script, const uint8_t *bytes, size_t size) {
    lab_text_error error;
    switch (m->form) {
    case LAB_MUTATE_TEXT:
        return lab_script_parse(script, (const char *)bytes, size, &error);
    case LAB_MUTATE_NUMBERED:
        return lab_script_decode_numbered(script, bytes, size);
    default:
        return lab_script_decode(script, bytes, size);
    }
}

/* One mutation, or a few. What is not possible is tried in another way. */
static void mutate_script(lab_mutator *m, lab_script *script, size_t ops_max) {
    enum { TRIES = 8 };
    script->count = script->count < ops_max ? script->count : ops_max;
    size_t limit = lab_mutate_limit(m, ops_max);
    ops_max = script->count > limit ? script->count : limit;
    do {
        lab_mutation mutation = LAB_MUTATION_COUNT;
        bool done = false;
        for (unsigned tries = 0; !done && tries < TRIES; tries++) {
            mutation = tries + 1 < TRIES ? pick(m, script) : LAB_MUTATION_CONFIG;
            done = lab_mutate_apply(m, mutation, script, NULL, ops_max);
        }
        note(m, mutation);
        if (mutation == LAB_MUTATION_RENEW) {
            break;
        }
    } while (m->applied_count < LAB_STACK_MAX && lab_random_once_in(&m->maker.random, 2));
}

static size_t mutate_as_bytes(lab_mutator *m, uint8_t *bytes, size_t size, size_t max_size) {
    note(m, LAB_MUTATION_BYTES);
    return lab_mutate_plain(m, bytes, size < max_size ? size : max_size, max_size);
}

/* Prints the script into bytes[0 .. max_size-1]; 0: it does not fit. */
static size_t print(const lab_script *script, uint8_t *bytes, size_t max_size) {
    FILE *out = max_size > 1 ? fmemopen(bytes, max_size, "w") : NULL;
    if (out == NULL) {
        return 0;
    }
    lab_script_print(script, out);
    bool whole = fflush(out) == 0 && ferror(out) == 0;
    long size = ftell(out);
    whole = fclose(out) == 0 && whole;
    return whole && size > 0 && (size_t)size < max_size ? (size_t)size : 0;
}

/* 0: it does not fit. A header that has become longer may take the last operation's place; if there
 * is none, the region is a small one. */
static size_t encode(const lab_mutator *m, lab_script *script, uint8_t *bytes, size_t max_size) {
    if (m->form == LAB_MUTATE_TEXT) {
        return print(script, bytes, max_size);
    }
    for (;;) {
        size_t size = m->form == LAB_MUTATE_NUMBERED
                          ? lab_script_encode_input(script, bytes, max_size)
                          : lab_script_encode(script, bytes, max_size);
        if (size <= max_size) {
            return size;
        }
        script->config.dwords &= script->count == 0 ? 0xFF : UINT32_MAX;
        script->count -= script->count > 0;
    }
}

static size_t mutate_as_script(lab_mutator *m, uint8_t *bytes, size_t size, size_t max_size) {
    if (max_size < header_bytes(m) || !decode(m, &m->script, bytes, size)) {
        return 0;
    }
    mutate_script(m, &m->script, ops_for(m, max_size));
    return encode(m, &m->script, bytes, max_size);
}

static size_t mutate_as_text(lab_mutator *m, uint8_t *bytes, size_t size, size_t max_size) {
    bool parsed = decode(m, &m->script, bytes, size);
    if (!parsed && !lab_random_once_in(&m->maker.random, 4)) {
        return mutate_as_bytes(m, bytes, size, max_size);
    }
    mutate_script(m, &m->script, ops_for(m, max_size));
    size_t printed = encode(m, &m->script, bytes, max_size);
    return printed > 0 ? printed : mutate_as_bytes(m, bytes, size, max_size);
}

size_t lab_mutate(lab_mutator *m, uint8_t *bytes, size_t size, size_t max_size, uint64_t seed) {
    begin(m, seed);
    bool loose = m->form == LAB_MUTATE_BYTES || m->form == LAB_MUTATE_TEXT;
    if (loose && lab_random_once_in(&m->maker.random, 2)) {
        return mutate_as_bytes(m, bytes, size, max_size);
    }
    return m->form == LAB_MUTATE_TEXT ? mutate_as_text(m, bytes, size, max_size)
                                      : mutate_as_script(m, bytes, size, max_size);
}

size_t lab_mutate_cross(lab_mutator *m, const uint8_t *a, size_t a_size, const uint8_t *b,
                        size_t b_size, uint8_t *out, size_t max_size, uint64_t seed) {
    begin(m, seed);
    size_t ops_max = ops_for(m, max_size);
    if (!decode(m, &m->script, a, a_size) || !decode(m, &m->other, b, b_size) ||
        m->script.count == 0 || m->other.count == 0) {
        return 0;
    }
    m->script.count = m->script.count < ops_max ? m->script.count : ops_max;
    if (!lab_mutate_apply(m, LAB_MUTATION_CROSS, &m->script, &m->other, ops_max)) {
        return 0;
    }
    note(m, LAB_MUTATION_CROSS);
    return encode(m, &m->script, out, max_size);
}
