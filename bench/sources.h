/* SPDX-License-Identifier: MIT */
/* Allocators, alike, for the scripts that are played on all of them (scripts.c, replay.c): ours,
 * and their natural peers. */
#ifndef BENCH_SOURCES_H
#define BENCH_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "churn.h"
#include "subjects/allocator.h"

enum { BENCH_BLOCK_BYTES = 32, BENCH_MIXED_MAX = 2048, BENCH_BIG_BYTES = 256 * 1024 };

/* What a source is to have memory for. */
typedef struct bench_need {
    size_t blocks;     /* at a time */
    size_t bytes;      /* of each, at most */
    size_t live_bytes; /* of all of them, roughly */
} bench_need;

/* The scripts. */
enum {
    BENCH_BLOCKS = 1,
    BENCH_MIXED = 2,
    BENCH_PHASES = 4,
    BENCH_GROW = 8,
    BENCH_BIG = 16,    /* both of the scripts with large blocks */
    BENCH_CHURNS = 32, /* churn, sides, comb and replay */
};

/* A call may be NULL if none of the source's scripts needs it. */
typedef struct bench_source {
    const char *name;
    unsigned scripts;                /* that are for it */
    void *(*start)(bench_need need); /* NULL if it is not there: main says so */
    void (*end)(void *self);
    void *(*alloc)(void *self, size_t bytes);
    bench_free *free;         /* one by one */
    const lab_allocator *own; /* if not NULL, it has the calls above; an end may stand there, too */

    /* A phase: what is allocated in it ends with it. */
    void *(*begin)(void *self); /* returns what to allocate from */
    void (*finish)(void *self, void *phase);

    /* The one block made longer, from nothing at first; returns where it is then. */
    void *(*grow)(void *self, void *block, size_t bytes);

    /* Allocates at a multiple of `alignment` (0: the usual one), on the TAIL side if there is one
     * and it is `high`. */
    bench_place *place;

    /* Returns where the block is then, of which `kept` bytes were asked for so far. */
    void *(*resize)(void *self, void *block, size_t kept, size_t bytes);

    /* The random mix (churn.h). */
    bool (*churn)(bench_churn *c);
    bool (*sides)(bench_churn *c);
} bench_source;

extern const bench_source bench_sources[]; /* ours; all end with a NULL name */
extern const bench_source bench_peers[];
extern const bench_source bench_plugins[];

/* Plays SCRIPT-SOURCE with n; false if there is no such script, or it is not for such a source. */
bool bench_play(const char *name, size_t n);

/* Prints all that bench_play takes. */
void bench_list_scripts(void);

/* Loads the shared object that is the source `plugin`; the end of the program if it is none. */
void bench_load_plugin(const char *path);

/* Plays the file bench_asked.script n times on the source (replay.c). */
void bench_replay(const bench_source *source, size_t n);

#endif
