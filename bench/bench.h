/* SPDX-License-Identifier: MIT */
/* The cases of build/release/bench, which scripts/bench runs under callgrind and by itself,
 * and makes a table of. A case prepares what it needs and then calls bench_measure once, around the
 * work that is counted; what one allocator call costs is counted around that function instead. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* What the command line asks for beside the case and its n; each case says which of these it
 * takes. */
typedef struct bench_options {
    size_t live;         /* blocks at a time, in the scripts churn, sides and comb */
    size_t warm;         /* times n operations of churn and sides that come before those that are
                            counted, for each live block; SIZE_MAX: WARM_USUAL */
    size_t most;         /* bytes of a block, in churn and sides */
    size_t region_bytes; /* of the heap; 0: half as much again as its blocks need */
    int guard;           /* of the heap: its level */
    int layout;          /* of the heap: a th_heap_layout */
    int index;           /* of the heap: a th_heap_index */
    const char *script;  /* a file: what replay plays */
    const char *plugin;  /* a shared object: what the source `plugin` is */
} bench_options;

extern bench_options bench_asked;

typedef struct bench_case {
    const char *name;
    void (*run)(size_t n); /* n: operations, elements, or what the case says */
} bench_case;

extern const bench_case bench_allocators[];
extern const bench_case bench_layouts[]; /* both end with a NULL name; the rest: sources.h */

/* Calls work(context). Processor time spent in it adds up; callgrind collects inside it. */
void bench_measure(void (*work)(void *context), void *context);

/* Keeps the compiler from removing what led to this value. */
void bench_use(uint64_t value);

/* Memory or the end of the program. */
void *bench_memory(size_t bytes);

/* The end of the program, exit status 2: "bench: WHAT: WHICH". */
_Noreturn void bench_fail(const char *what, const char *which);

/* The same with exit status 3: the case is there, but what it asks for is not to be had. */
_Noreturn void bench_refuse(const char *what, const char *which);

/* main prints how much memory the program has come to use between the two calls, where `bytes` were
 * asked for. What counts is pages that were touched and are no file's. */
void bench_mark_memory(void);
void bench_note_memory(size_t bytes);

/* main prints how many operations were measured, where n does not say it. */
void bench_note_operations(size_t count);

/* Prints the sizes of the structures of the layout part, "name<TAB>bytes<TAB>alignment". */
void bench_print_sizes(void);

/* Prints how much memory the script's requests need, by policy (needs.c). */
void bench_print_needs(const char *path);

#endif
