/* SPDX-License-Identifier: MIT */
/* Allocators, alike, for the scripts that are played on all of them (scripts.c): ours, and their
 * natural peers. */
#ifndef BENCH_SOURCES_H
#define BENCH_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

enum { BENCH_BLOCK_BYTES = 32, BENCH_MIXED_MAX = 2048, BENCH_BIG_BYTES = 256 * 1024 };

/* What a source is to have memory for. */
typedef struct bench_need {
    size_t blocks; /* at a time */
    size_t bytes;  /* of each, at most */
} bench_need;

/* The scripts. */
enum {
    BENCH_BLOCKS = 1,
    BENCH_MIXED = 2,
    BENCH_PHASES = 4,
    BENCH_GROW = 8,
    BENCH_BIG = 16 /* both of the scripts with large blocks */
};

/* A call may be NULL if none of the source's scripts needs it. */
typedef struct bench_source {
    const char *name;
    unsigned scripts;                /* that are for it */
    void *(*start)(bench_need need); /* NULL if it is not there: main says so */
    void (*end)(void *self);
    void *(*alloc)(void *self, size_t bytes);
    void (*free)(void *self, void *block); /* one by one */

    /* A phase: what is allocated in it ends with it. */
    void *(*begin)(void *self); /* returns what to allocate from */
    void (*finish)(void *self, void *phase);

    /* The one block made longer, from nothing at first; returns where it is then. */
    void *(*grow)(void *self, void *block, size_t bytes);
} bench_source;

extern const bench_source bench_sources[]; /* ours; both end with a NULL name */
extern const bench_source bench_peers[];

/* Plays SCRIPT-SOURCE with n; false if there is no such script, or it is not for such a source. */
bool bench_play(const char *name, size_t n);

/* Prints all that bench_play takes. */
void bench_list_scripts(void);

#endif
