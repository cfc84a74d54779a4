/* SPDX-License-Identifier: MIT */
/* A heap and its exact model, always in the same state, and the checker that compares them. Each
 * thread of the explorer has one checker and several pairs. */
#ifndef LAB_EXPLORE_PAIR_H
#define LAB_EXPLORE_PAIR_H

#include "explore/explore.h"
#include "explore/states.h"
#include "model/exact.h"

/* The steps from one state to another. Fields are indices: into the lists of the alphabet, and
 * into the blocks of the state, in address order. */
typedef enum lab_step_kind {
    LAB_STEP_ALLOC,       /* a: tag, b: size, c: 0 or 1 + alignment */
    LAB_STEP_RESIZE,      /* a: block, b: size */
    LAB_STEP_TRIM,        /* a: block */
    LAB_STEP_FREE,        /* a: block */
    LAB_STEP_FREE_TAGS,   /* a, b: lowest and highest tag */
    LAB_STEP_COMPACT,     /* c: veto, as in scripts */
    LAB_STEP_COMPACT_SOME /* b: budget, c: veto */
} lab_step_kind;

typedef struct lab_step {
    uint8_t kind, a, b, c;
} lab_step;

uint32_t lab_step_pack(lab_step step);
lab_step lab_step_unpack(uint32_t packed);

/* Blocks have sites, so that contents can be told apart and scripts can name them: slot + 1, a
 * HEAD block's slot being below SLOTS_SIDE, a TAIL block's above. */
#define LAB_SLOTS_SIDE 32u
#define LAB_SLOTS      64u

#define LAB_BLOCKS_MAX 32u /* live at a time */

typedef struct lab_question {
    uint32_t tag, from, to, bytes, slot;
    bool vetoed;
} lab_question;

typedef struct lab_pair_checker {
    const lab_explore_config *config;
    const unsigned char *noise; /* what is written into payloads */
    lab_failure failure;
    uint8_t size_index[LAB_EXPLORE_BYTES_MAX + 1];

    /* The step being checked. */
    const lab_exact *model;
    unsigned char *base;
    uint8_t veto;
    lab_question questions[LAB_BLOCKS_MAX]; /* the model's, in order */
    uint32_t asked;                         /* by the model */
    uint32_t answered;                      /* by the heap so far */
    uint32_t dirty;                         /* site of the block written last; 0: none */
    uint32_t kept;                          /* its bytes that are known */
    bool faulted;
    th_fault fault;
} lab_pair_checker;

typedef struct lab_pair {
    uint32_t state; /* of which this is the heap; LAB_STATE_NONE: none */
    void *index;    /* its memory */
    size_t index_bytes;
    void *memory; /* owned: the region and its edges */
    unsigned char *base;
    th_heap heap;
    lab_exact model;
} lab_pair;

/* Payload contents for LAB_SLOTS slots: LAB_NOISE_BYTES bytes. */
#define LAB_NOISE_STRIDE 29u
#define LAB_NOISE_BYTES  (LAB_SLOTS * LAB_NOISE_STRIDE + LAB_EXPLORE_BYTES_MAX)
void lab_noise_fill(unsigned char noise[LAB_NOISE_BYTES]);

/* Prepares a checker, which refers to the configuration and the noise from then on. */
void lab_pair_checker_init(lab_pair_checker *checker, const lab_explore_config *config,
                           const unsigned char *noise);

/* A pair with a fresh heap; the checker must outlive it. False if there is no memory, or where the
 * heap and the model refuse, or do not both accept, the region. */
bool lab_pair_init(lab_pair *pair, lab_pair_checker *checker);
void lab_pair_clean_up(lab_pair *pair);

/* Makes `to` a copy of `from`: the model's blocks are copied, the heap by th_heap_copy. False: the
 * heap was not copied, and the checker says why. */
bool lab_pair_copy(lab_pair *to, const lab_pair *from, lab_pair_checker *checker);

/* Carries out one step on both and compares everything. False: the checker knows the failure. */
bool lab_pair_step(lab_pair *pair, lab_pair_checker *checker, lab_step step);

/* After a step: gives the block that it wrote its contents in full. */
void lab_pair_settle(lab_pair *pair, const lab_pair_checker *checker);

/* The heap line of a script of what is explored. */
lab_config lab_explore_script_config(const lab_explore_config *config);

/* Have both the same blocks, sites included, and the same cursor? */
bool lab_pair_same(const lab_pair *a, const lab_pair *b);

/* What tells the state from others. */
void lab_pair_key(const lab_pair *pair, const lab_pair_checker *checker, lab_key *key);

/* The operation of a script for this step, in the state before it. */
lab_op lab_pair_op(const lab_pair *pair, const lab_explore_config *config, lab_step step);

/* Records a failure unless there is one; always false. */
bool lab_pair_checker_fail(lab_pair_checker *checker, lab_property property, const char *detail,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
