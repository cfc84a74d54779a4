/* SPDX-License-Identifier: MIT */
/* The kill test: processes die in the shared heap, at each store that they make and at random, and
 * what the next one finds is compared with what may be there. */
#ifndef LAB_KILL_KILL_H
#define LAB_KILL_KILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tagheap/file_map.h"
#include "tagheap/shared_heap.h"

#define LAB_KILL_BLOCKS_MAX 64

/* Exit statuses: some failed, or hung; it could not be tried. */
enum { LAB_KILL_FAILED = 1, LAB_KILL_REFUSED = 2 };

/* ---- what is played ------------------------------------------------------------------------ */

typedef enum lab_kill_verb {
    LAB_KILL_ALLOC,
    LAB_KILL_ZEROED,
    LAB_KILL_FREE,
    LAB_KILL_FREE_TAGS,
    LAB_KILL_RESIZE,
    LAB_KILL_TRIM,
    LAB_KILL_RETAG,
    LAB_KILL_COMPACT
} lab_kill_verb;

/* Blocks are named by their tags, of which each has another one. */
typedef struct lab_kill_op {
    lab_kill_verb verb;
    uint32_t tag;
    uint32_t other; /* tag, or the upper bound */
    size_t bytes;   /* or the budget */
    size_t alignment;
} lab_kill_op;

#define LAB_KILL_SETUP_MAX 12

/* What is there, and the operation that dies. */
typedef struct lab_kill_play {
    const char *name;
    lab_kill_op setup[LAB_KILL_SETUP_MAX];
    unsigned setup_count;
    lab_kill_op op;
} lab_kill_play;

extern const lab_kill_play lab_kill_plays[];
extern const size_t lab_kill_plays_count;

/* A heap to play on: plain, or shared. */
typedef struct lab_kill_side {
    th_heap *plain;
    th_shared_heap *shared;
} lab_kill_side;

void lab_kill_play_op(lab_kill_side side, const lab_kill_op *op);

/* Fills what the operation has made, so that its contents are known. */
void lab_kill_fill(lab_kill_side side, const lab_kill_op *op);

/* ---- what is there ------------------------------------------------------------------------- */

typedef struct lab_kill_block {
    uint32_t offset;
    uint32_t size;
    uint32_t tag;
    uint32_t alignment;
    size_t requested;
    uint64_t contents; /* a sum over the bytes that are known */
} lab_kill_block;

/* All blocks of a heap. */
typedef struct lab_kill_state {
    lab_kill_block blocks[LAB_KILL_BLOCKS_MAX];
    unsigned count;
} lab_kill_state;

/* The contents of the block `fresh` (a tag; 0: none) are not known beyond so many bytes. */
void lab_kill_look(const th_heap *heap, uint32_t fresh, size_t known, lab_kill_state *state);
bool lab_kill_same(const lab_kill_state *a, const lab_kill_state *b);
/* Do all live blocks lie in what the heap says has ever been used? Else poison is not looked for
 * there when they are gone. */
bool lab_kill_is_used(const th_heap *heap);
void lab_kill_print(const char *title, const lab_kill_state *state);

/* ---- the two parts ------------------------------------------------------------------------- */

typedef struct lab_kill_options {
    unsigned kills;  /* at random */
    unsigned stride; /* of stores, every so many is one to die at; 1: each */
    unsigned nested; /* of each operation's deaths so many are followed by deaths in the repair; 0:
                        none */
    uint64_t seed;
    const char *only; /* plays whose names contain it; NULL: all */
    unsigned seconds; /* without progress: a hang */
    bool quick;       /* every other variant, few changes of a repair; up to the first failure */
} lab_kill_options;

/* How often what. */
typedef struct lab_kill_sum {
    uint64_t plays;
    uint64_t deaths;
    uint64_t nested_deaths;
    uint64_t repairs;
    uint64_t failures;
} lab_kill_sum;

void lab_kill_at_stores(const lab_kill_options *options, lab_kill_sum *sum);
void lab_kill_at_random(const lab_kill_options *options, lab_kill_sum *sum);

/* Before all else: from now on signals that end the program leave no name behind. */
void lab_kill_begin(void);

/* Of the one object that the program has at a time. */
const char *lab_kill_object_name(void);

/* A process that ends when the one that called this does, however that ends. Without one, the
 * program ends. */
pid_t lab_kill_fork(void);

/* Ends the program with a line on standard error if nothing is done for so many seconds; called
 * again to go on. */
void lab_kill_watch(const char *what, unsigned seconds);

/* A shared memory object of the process's own, whose name is gone already, mapped twice. */
void lab_kill_map(th_file_map maps[2], size_t bytes);

#endif
