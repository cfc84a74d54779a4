/* SPDX-License-Identifier: MIT */
/* libFuzzer's custom mutator and crossover: the mutator core, with libFuzzer's own mutations as
 * its byte-level ones. The swarm's seed is the first random number that libFuzzer hands out, so
 * -seed=N repeats a run; it is printed, and `heaplab swarm SEED EPOCH` prints what it means. */
#include <stdio.h>
#include <stdlib.h>

#include "mutate/mutate.h"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed);

/* libFuzzer chooses between the two evenly; crossing is worth less than that. 0 makes it choose
 * again. */
#define CROSS_ONCE_IN 8u

static lab_mutator *the_mutator(unsigned seed) {
    static lab_mutator *mutator;
    if (mutator == NULL) {
        mutator = lab_mutator_new(seed, lab_target_form, LLVMFuzzerMutate);
        if (mutator == NULL) {
            (void)fputs("mutator: out of memory\n", stderr);
            abort();
        }
        (void)fprintf(stderr, "INFO: swarm seed %u\n", seed);
    }
    return mutator;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max_size, unsigned seed) {
    return lab_mutate(the_mutator(seed), bytes, size, max_size, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed) {
    if (seed % CROSS_ONCE_IN != 0) {
        return 0;
    }
    return lab_mutate_cross(the_mutator(seed), a, a_size, b, b_size, out, max_size, seed);
}
