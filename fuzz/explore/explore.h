/* SPDX-License-Identifier: MIT */
/* The explorer: breadth-first search over every state that a small heap can get into.
 *
 * A state is what decides the heap's future: its blocks (sizes, tags, requested sizes, alignments)
 * and the compaction cursor. In each state every operation of an alphabet is carried out, on the
 * real heap and on the exact model, and everything is compared. States are told apart by their
 * whole description, not by a hash, so that "complete" is no matter of probability. The first
 * violation in breadth-first order ends the search, and comes out as a script of the least
 * possible length. docs/explore.md says what this proves and what it does not.
 *
 * The result does not depend on the number of threads, unless it is told to stop. One search at a
 * time per process: signal handlers are installed while it runs, so that a crash of the heap is a
 * violation, too. */
#ifndef LAB_EXPLORE_EXPLORE_H
#define LAB_EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/runner.h"
#include "script/script.h"
#include "tagheap/heap.h"

#define LAB_EXPLORE_LIST_MAX  12u   /* values in one list of the alphabet */
#define LAB_EXPLORE_JOBS_MAX  256u  /* threads */
#define LAB_EXPLORE_BYTES_MAX 1020u /* of one block */
#define LAB_EXPLORE_ALIGN_MAX 1024u

typedef struct lab_explore_list {
    uint32_t value[LAB_EXPLORE_LIST_MAX];
    uint32_t count;
} lab_explore_list;

typedef struct lab_explore_counts {
    uint64_t states;      /* found so far */
    uint64_t expanded;    /* of these, those in which every operation has been tried */
    uint64_t transitions; /* operations carried out and compared */
    uint64_t frontier;    /* states found and not yet expanded */
    uint32_t depth;       /* operations from the fresh heap to the states now expanded */
    uint64_t bytes;       /* memory for the states */
    double seconds;
} lab_explore_counts;

typedef struct lab_explore_config {
    uint32_t dwords;          /* size of the region */
    uint32_t alignment;       /* of the heap: 4, 8 or 16 */
    lab_layout layout;        /* of the heap; LEAN wants guard 0 */
    int guard;                /* 0 to 3, and no more than the library contains */
    lab_explore_list sizes;   /* requested sizes in bytes, of alloc and resize */
    lab_explore_list tags;    /* as in scripts, in rising order */
    lab_explore_list aligned; /* further alignments in bytes, above the heap's own */
    lab_explore_list budgets; /* of budgeted compaction, in bytes */
    bool bookkeeping;         /* which memory was ever used is part of a state (guards only) */
    uint32_t states_max;      /* stops when there are more; 0: no limit but 2^32 - 2 */
    unsigned jobs;            /* threads; 0: one for each processor */
    unsigned progress_ms;     /* how often `progress` is called; 0: never */
    void (*progress)(void *context, const lab_explore_counts *counts);
    /* Asked every tenth of a second; false: the search stops. NULL: it goes on. */
    bool (*go_on)(void *context);
    /* Called with the real heap after each operation, before it is compared; for tests that damage
     * it. NULL: none. `context` is shared by all three. */
    void (*tamper)(void *context, th_heap *heap);
    void *context;
} lab_explore_config;

typedef enum lab_explore_end {
    LAB_EXPLORE_COMPLETE,  /* every reachable state has been expanded */
    LAB_EXPLORE_VIOLATION, /* see failure and script */
    LAB_EXPLORE_LIMIT,     /* more states than states_max */
    LAB_EXPLORE_STOPPED,   /* it was told to stop, and what was expanded had no violation */
    LAB_EXPLORE_MEMORY     /* no memory, or no thread */
} lab_explore_end;

typedef struct lab_explore_result {
    lab_explore_end end;
    lab_explore_counts counts;
    uint32_t deepest;    /* operations from the fresh heap to the farthest state */
    lab_failure failure; /* op: index of the last operation of the script */
    bool crashed;        /* the failure is a crash or a hang, not a difference */
    lab_script script;   /* the caller's to clean up */
} lab_explore_result;

/* NULL, or one line (a static string) that says what is wrong with the configuration. */
const char *lab_explore_refusal(const lab_explore_config *config);

/* Searches. *result is overwritten. The configuration must not be refused. */
void lab_explore(const lab_explore_config *config, lab_explore_result *result);

/* Plays the script of a violation on a runner and makes it one that fails there: as it is, with a
 * copy of the heap before each operation (which the explorer makes), or with budgeted compactions
 * at its end (which show what the cursor is). False, and the script is as it was, if none does, or
 * if the heap crashed. */
bool lab_explore_confirm(lab_explore_result *result, lab_runner *runner, lab_failure *failure);

#endif
