/* SPDX-License-Identifier: MIT */
/* Inside the mutator. */
#ifndef LAB_MUTATE_STATE_H
#define LAB_MUTATE_STATE_H

#include "mutate/make.h"
#include "mutate/mutate.h"

#define LAB_STACK_MAX 6u /* mutations in one call */

struct lab_mutator {
    uint64_t seed;
    uint64_t count; /* mutations so far */
    lab_mutate_form form;
    lab_mutate_bytes *bytes;
    lab_maker maker;
    lab_live live;
    lab_script script, other, piece; /* kept from call to call */
    uint8_t *buffer;
    size_t capacity;
    lab_mutation applied[LAB_STACK_MAX];
    unsigned applied_count;
    char description[128];
};

/* One mutation of plain bytes (havoc.c): the core's own. */
size_t lab_havoc(lab_random *random, uint8_t *bytes, size_t size, size_t max_size);

/* The engine's, or the core's own. */
size_t lab_mutate_plain(lab_mutator *mutator, uint8_t *bytes, size_t size, size_t max_size);

/* How many operations a script may grow to by now; and a random number of operations, up to that,
 * for something new. */
size_t lab_mutate_limit(const lab_mutator *mutator, size_t ops_max);
size_t lab_mutate_length(lab_mutator *mutator, size_t ops_max);

#endif
