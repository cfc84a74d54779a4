/* SPDX-License-Identifier: MIT */
/* Every interleaving of a small program: several actors, each a coroutine that stops before each of
 * its atomic operations (src/base/atomic.h, TH_ATOMIC_STEPS), and a scheduler that tries each
 * choice of who goes on. Memory is sequentially consistent here; what weaker orders do is relacy's
 * part (sanitize/relacy).
 *
 * States that are met again are not explored again. Two states are the same if the world's memory
 * is the same byte for byte, and each actor has seen the same atomic values since its operation
 * began: all that it does from there on follows from these. (Ordinary memory that it has read is
 * its own alone, or there would be a data race, which relacy shows.) The states are known by 128
 * bits of hash each. */
#ifndef LAB_INTERLEAVE_EXPLORE_H
#define LAB_INTERLEAVE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAB_INTERLEAVED_MAX = 3, LAB_CHOICES_MAX = 256 };

/* What is explored. All that the actors share, and what each has in its hands between two of its
 * operations, is in `memory`. */
typedef struct lab_shared_world {
    unsigned actors;
    void *memory;
    size_t bytes;
    void (*start)(void);         /* makes it as it is at first */
    bool (*act)(unsigned actor); /* one operation of the actor's; false: it has no more */
    void (*finish)(void);        /* checks what is left when all have ended */
} lab_shared_world;

typedef struct lab_explored {
    uint64_t interleavings; /* different ones, from start to end; UINT64_MAX: that or more */
    uint64_t states;        /* different ones */
    const char *violation;  /* what was wrong; NULL: nothing */
    unsigned choices[LAB_CHOICES_MAX]; /* who went on, up to there */
    unsigned choices_count;
} lab_explored;

/* Explores all of it, or up to the first violation. */
lab_explored lab_explore_interleavings(const lab_shared_world *world);

/* Something is wrong: ends the execution. Called by the functions of the world; text is static. */
void lab_violate(const char *text);

#endif
