/* SPDX-License-Identifier: MIT */
/* What the suites of the companion allocators share: a fault handler that remembers, the guard
 * levels that this build contains, and a backing that counts, may fail, and shows what is left. */
#ifndef TESTS_ALLOC_FIXTURE_H
#define TESTS_ALLOC_FIXTURE_H

#include "suite.h"
#include "tagheap/allocator.h"
#include "tagheap/guarding.h"

/* ---- faults ------------------------------------------------------------------------------- */

typedef struct fault_log {
    unsigned count;
    th_fault first;
    th_fault last;
} fault_log;

/* Guarding at `level` that reports to the log, which is emptied. */
th_guarding guarding_with(fault_log *log, int level);

/* The log holds this one fault, or the same one twice at level 3; and is emptied. */
void expect_logged(const char *file, int line, fault_log *log, int level, th_fault expected);
#define EXPECT_LOGGED(log, level, ...)                                                             \
    expect_logged(__FILE__, __LINE__, log, level, (th_fault){__VA_ARGS__})

/* Calls play(level) for each guard level from `lowest` up that this build contains. */
void at_levels(int lowest, void (*play)(int level));

/* Sets one byte that may be closed, behind the library's back, and returns what stood there. */
unsigned char poke(unsigned char *at, unsigned char value);

/* The same for a whole pointer. */
void poke_link(void *place, const void *link);

/* The allocator's checker finds this, with and without a place to describe it. */
void expect_damage(th_allocator allocator, th_fault_kind kind);

/* ---- tools -------------------------------------------------------------------------------- */

/* Is this program run by a tool that the library tells which bytes are whose? */
bool tools_look(void);

/* Does a tool have memory of its own mapped as the program goes? Pages are not counted there, and
 * limits of addresses are met by the tool. */
bool tools_take_pages(void);

/* Does the tool that looks take the byte for one that nobody may use? MSan knows bytes without
 * contents only. False without a tool. */
bool is_closed(const unsigned char *byte);

/* ---- a backing ---------------------------------------------------------------------------- */

#define BACKING_BLOCKS_MAX 512

typedef struct backing_block {
    void *pointer;
    size_t bytes;
} backing_block;

typedef struct backing {
    backing_block blocks[BACKING_BLOCKS_MAX]; /* live ones */
    size_t live;
    size_t live_bytes;
    size_t allocs;    /* calls that returned a block */
    size_t refusals;  /* calls that did not */
    size_t left;      /* calls that will succeed */
    size_t bytes_max; /* and those for more bytes will not; 0: any may */
} backing;

/* An allocator over malloc that never refuses, until backing->left says so. *backing must be
 * zeroed or done with. */
th_allocator backing_start(backing *own);

/* Everything was given back. */
void backing_stop(const backing *own);

#endif
