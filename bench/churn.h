/* SPDX-License-Identifier: MIT */
/* The random mix: one of the live blocks is freed, and another one allocated in its place, again
 * and again. The loop is compiled into each source, with that source's calls in it, so that what is
 * counted is an allocator's own cost and as little else as can be: choosing a block and a size, and
 * writing the new block's ends, come to 30 instructions (`bench churn-nothing`). */
#ifndef BENCH_CHURN_H
#define BENCH_CHURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BENCH_CHURN_LEAST = 16 };

typedef struct bench_churn {
    void *self;
    void **slots; /* all of them live, or none */
    uint64_t live;
    uint64_t sizes; /* BENCH_CHURN_LEAST and so many more */
    size_t n;
    uint64_t state; /* of the random numbers; never 0 */
} bench_churn;

typedef void *bench_place(void *self, size_t bytes, size_t alignment, bool high);
typedef void bench_free(void *self, void *block);

/* A block holds its size, and its last byte is written. False: there is no memory. */
static inline __attribute__((always_inline)) bool bench_churn_write(void *block, uint32_t bytes) {
    if (block == NULL) {
        return false;
    }
    memcpy(block, &bytes, sizeof bytes);
    ((volatile unsigned char *)block)[bytes - 1] = 1;
    return true;
}

/* Marsaglia's xorshift. */
static inline __attribute__((always_inline)) uint64_t bench_churn_random(bench_churn *c) {
    uint64_t x = c->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return c->state = x;
}

/* False: an allocation failed; its slot is empty then. `sides`: half of the blocks are `high`. */
static inline __attribute__((always_inline)) bool
bench_churn_play(bench_churn *c, bench_place *place, bench_free *release, bool sides) {
    for (size_t i = 0; i < c->n; i++) {
        uint64_t random = bench_churn_random(c);
        void **slot = &c->slots[(random & UINT32_MAX) * c->live >> 32];
        uint32_t bytes = BENCH_CHURN_LEAST + (uint32_t)((random >> 40) * c->sizes >> 24);
        release(c->self, *slot);
        *slot = place(c->self, bytes, 0, sides && (random >> 32 & 1) != 0);
        if (!bench_churn_write(*slot, bytes)) {
            return false;
        }
    }
    return true;
}

/* Defines NAME_churn and NAME_sides. */
#define BENCH_CHURN(name, place, release)                                                          \
    static bool name##_churn(bench_churn *c) {                                                     \
        return bench_churn_play(c, place, release, false);                                         \
    }                                                                                              \
    static bool name##_sides(bench_churn *c) {                                                     \
        return bench_churn_play(c, place, release, true);                                          \
    }

#endif
