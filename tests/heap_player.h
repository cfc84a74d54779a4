/* SPDX-License-Identifier: MIT */
/* A random user of a heap, with the simplest shadow of what it owns: pointer, size, tag, alignment
 * and contents of each slot. After every step it proves that the heap agrees: each slot's block is
 * there with its contents, aligned, apart from all others, and there are no blocks besides. */
#ifndef TESTS_HEAP_PLAYER_H
#define TESTS_HEAP_PLAYER_H

#include "heap_fixture.h"

#define PLAYER_SLOTS 48

typedef struct player_slot {
    unsigned char *payload; /* NULL: empty */
    size_t bytes;           /* requested; in a lean heap, usable */
    size_t alignment;
    uint32_t tag;
    uint32_t seed; /* of the contents */
} player_slot;

typedef struct player {
    fixture *f;
    uint64_t state; /* of the random numbers */
    unsigned steps;
    unsigned moved, vetoed, failed;
    player_slot slots[PLAYER_SLOTS];
} player;

/* Everything empty. The fixture must have been started. */
void player_start(player *p, fixture *f, uint64_t seed);

/* One random call, checked. */
void player_step(player *p);

/* The heap of `from` has been copied to f's: makes *p the owner of the copies. */
void player_follow(player *p, fixture *f, const player *from);

/* Are the two in the same state, each at its own address? */
void player_expect_same(const player *a, const player *b);

#endif
