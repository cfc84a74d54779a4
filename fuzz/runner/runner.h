/* SPDX-License-Identifier: MIT */
/* The runner plays a script on the tagged heap and, after every operation, compares the heap with
 * the exact model: the returned value, every callback, every block, every statistic, the contents
 * of every live payload, and the heap's own checker. It stops at the first difference. The same
 * script gives the same result, byte for byte. */
#ifndef LAB_RUNNER_RUNNER_H
#define LAB_RUNNER_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/exact.h"
#include "result/failure.h"
#include "runner/inject.h"
#include "script/script.h"
#include "tagheap/heap.h"

typedef struct lab_run_counts {
    uint64_t ops;      /* operations played */
    uint64_t acted;    /* of these, operations that were not skipped for an unsuitable slot */
    uint64_t checked;  /* operations after which everything was compared */
    uint64_t whole;    /* comparisons of all blocks with the model; the others were by snapshot */
    uint64_t checkers; /* calls of the heap's checker; at guard level 3 it makes most itself */
    uint64_t by_kind[LAB_OP_COUNT]; /* acted, by kind */
    uint64_t failed_allocs;         /* NULL results that the model predicted */
    uint64_t moves;                 /* blocks moved by compaction */
    uint64_t vetoes;
} lab_run_counts;

void lab_run_counts_add(lab_run_counts *to, const lab_run_counts *from);

typedef struct lab_runner lab_runner; /* reusable state: regions, model, slots */

/* NULL if there is no memory. */
lab_runner *lab_runner_new(void);
void lab_runner_destroy(lab_runner *runner);

/* How blocks and contents are compared after an operation. ALL, TOUCHED and BOTH come to the same
 * result (runner/snapshot.h says why), and so does SPARSE, the fastest, unless what only the heap's
 * checker sees puts itself right before that is asked. */
typedef enum lab_comparison {
    LAB_COMPARE_ALL,     /* each block with the model, each live byte with what was written */
    LAB_COMPARE_TOUCHED, /* so what the operation may have changed; of the rest, that it is as it
                            was. ALL every 64 operations, in the end, and before every failure */
    LAB_COMPARE_BOTH,    /* both, which must agree: asserts it */
    LAB_COMPARE_SPARSE   /* TOUCHED, but below guard level 3 the heap's checker is asked after every
                            eighth operation only, counted back from the end. A script that fails is
                            played again with ALL, and what that says is the failure */
} lab_comparison;

typedef struct lab_run_options {
    int guard; /* -1: as the script says; else this guard level */
    lab_comparison comparison;
    /* Called after each operation that passed (and once, with op = NULL, for the fresh heap). */
    void (*after_op)(void *context, const th_heap *heap, const lab_op *op, size_t index);
    /* Called when it has failed, before the heap is ended: what there is, which may be damaged, and
     * what is expected. NULL: nobody asks. */
    void (*on_failure)(void *context, const th_heap *heap, const lab_exact *model);
    void *context;         /* of both */
    lab_injection *inject; /* a failure planted into the run; NULL: none */
} lab_run_options;

/* Plays the script. True: no difference. `options` may be NULL. Counts are added to *counts if
 * it is not NULL. With LAB_COMPARE_SPARSE a script that fails is played twice, and after_op is
 * called for both; `inject` must be NULL. */
bool lab_runner_play(lab_runner *runner, const lab_script *script, const lab_run_options *options,
                     lab_failure *failure, lab_run_counts *counts);

#endif
