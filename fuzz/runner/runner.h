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

#include "runner/inject.h"
#include "script/script.h"
#include "tagheap/heap.h"

/* What can differ. The name (lab_property_name) is part of a failure's signature. */
typedef enum lab_property {
    LAB_PROPERTY_NONE = 0,
    LAB_PROPERTY_INIT,       /* init's status against the model's acceptance */
    LAB_PROPERTY_RESULT,     /* returned pointer, size or count */
    LAB_PROPERTY_CALLBACK,   /* the sequence of move callbacks and their arguments */
    LAB_PROPERTY_LOW_MEMORY, /* the calls of the low-memory callback */
    LAB_PROPERTY_REENTRY,    /* a call from inside a callback was not refused as it must be */
    LAB_PROPERTY_BLOCKS,     /* the block list */
    LAB_PROPERTY_STATS,      /* a statistic */
    LAB_PROPERTY_FIND,       /* an owner lookup */
    LAB_PROPERTY_CONTENTS,   /* the bytes of a live payload */
    LAB_PROPERTY_CHECKER,    /* th_heap_check found the heap broken */
    LAB_PROPERTY_FAULT,      /* a fault was raised though the script broke no rule */
    LAB_PROPERTY_ATTACK,     /* damage or misuse was not reported, or not as it must be */
    LAB_PROPERTY_LOCK,       /* the lock hooks are not called in pairs, or not where they must be */
    LAB_PROPERTY_BOUNDS,     /* bytes outside the region were written */
    LAB_PROPERTY_MEMORY      /* the harness itself ran out of memory */
} lab_property;

const char *lab_property_name(lab_property property);

typedef struct lab_failure {
    lab_property property; /* NONE: the script passed */
    size_t op;             /* index of the operation; script->count: at the end */
    const char *detail;    /* which value differs: static string, part of the signature */
    char message[256];     /* both sides: "expected ..., found ..." */
} lab_failure;

/* What makes two failures the same (docs/workflow.md, "The same way"): property and detail, not the
 * operation, since one mistake shows itself after operations of many kinds. */
#define LAB_SIGNATURE_BYTES_MAX 512
void lab_failure_signature(lab_property property, const char *detail,
                           char signature[LAB_SIGNATURE_BYTES_MAX]);

typedef struct lab_run_counts {
    uint64_t ops;     /* operations played */
    uint64_t acted;   /* of these, operations that were not skipped for an unsuitable slot */
    uint64_t checked; /* operations after which everything was compared */
    uint64_t whole;   /* comparisons of all blocks with the model; the others were by snapshot */
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

/* How blocks and contents are compared after an operation. All three come to the same result
 * (runner/snapshot.h says why); TOUCHED is the fastest. */
typedef enum lab_comparison {
    LAB_COMPARE_ALL,     /* each block with the model, each live byte with what was written */
    LAB_COMPARE_TOUCHED, /* so what the operation may have changed; of the rest, that it is as it
                            was. ALL every 64 operations, in the end, and before every failure */
    LAB_COMPARE_BOTH     /* both, which must agree: asserts it */
} lab_comparison;

typedef struct lab_run_options {
    int guard; /* -1: as the script says; else this guard level */
    lab_comparison comparison;
    /* Called after each operation that passed (and once, with op = NULL, for the fresh heap). */
    void (*after_op)(void *context, const th_heap *heap, const lab_op *op, size_t index);
    void *context;
    lab_injection *inject; /* a failure planted into the run; NULL: none */
} lab_run_options;

/* Plays the script. True: no difference. `options` may be NULL. Counts are added to *counts if
 * it is not NULL. */
bool lab_runner_play(lab_runner *runner, const lab_script *script, const lab_run_options *options,
                     lab_failure *failure, lab_run_counts *counts);

/* Prints the failure for a person: signature line, then the script up to the operation, one line
 * each, the guilty one marked. The first line is
 *   FAILURE property=blocks detail=size op=17 kind=resize */
void lab_failure_print(const lab_failure *failure, const lab_script *script, FILE *out);

#endif
