/* SPDX-License-Identifier: MIT */
/* The one arena that the arena's suites work on, over a backing that counts. */
#ifndef TESTS_ARENA_FIXTURE_H
#define TESTS_ARENA_FIXTURE_H

#include "alloc_fixture.h"
#include "tagheap/arena.h"

#define CHUNK              512
#define ARENA_MEMORY_BYTES 2048

extern unsigned char memory[ARENA_MEMORY_BYTES]; /* for first chunks and foreign pointers */
extern th_arena arena;
extern backing own;
extern fault_log faults;

/* Starts the arena with chunks of CHUNK bytes; with return_chunks false. */
void arena_start_with(int level, bool return_chunks);
void arena_start(int level);

/* No fault was logged, the checker finds nothing, and all bytes are accounted for. */
void arena_is_sound(void);

/* Ends it: everything was given back. */
void arena_stop(void);

/* What a chunk can hold. The arena must be empty. */
size_t arena_capacity(void);

/* A block that is filled from `seed`. */
unsigned char *arena_take(size_t bytes, uint32_t seed);

#endif
