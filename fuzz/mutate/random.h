/* SPDX-License-Identifier: MIT */
/* Random numbers, of the mutator and of whoever wants a seed to give the same everywhere:
 * splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). */
#ifndef LAB_MUTATE_RANDOM_H
#define LAB_MUTATE_RANDOM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lab_random {
    uint64_t state;
} lab_random;

static inline uint64_t lab_random_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* The next 64 bits. */
static inline uint64_t lab_random_step(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    return lab_random_mix(*state);
}

static inline uint32_t lab_random_next(lab_random *random) {
    return (uint32_t)(lab_random_step(&random->state) >> 32);
}

/* 0 .. bound-1; 0 if bound is 0. */
static inline uint32_t lab_random_below(lab_random *random, size_t bound) {
    assert(bound <= UINT32_MAX);
    return (uint32_t)((uint64_t)lab_random_next(random) * bound >> 32);
}

/* low .. high, both of them included. */
static inline uint32_t lab_random_between(lab_random *random, uint32_t low, uint32_t high) {
    assert(low <= high);
    return low + lab_random_below(random, (size_t)high - low + 1);
}

/* True once in `times` calls, on average. */
static inline bool lab_random_once_in(lab_random *random, uint32_t times) {
    return lab_random_below(random, times) == 0;
}

/* An index, as often as its weight says; the weights are not all 0. */
static inline uint32_t lab_random_weighed(lab_random *random, const uint16_t *weights,
                                          uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += weights[i];
    }
    assert(sum > 0);
    uint32_t at = lab_random_below(random, sum);
    uint32_t index = 0;
    while (at >= weights[index]) {
        at -= weights[index++];
    }
    return index;
}

#endif
