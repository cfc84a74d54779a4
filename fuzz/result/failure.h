/* SPDX-License-Identifier: MIT */
/* How a script fails: what all that play scripts, and all that tell of them, have words for. */
#ifndef LAB_RESULT_FAILURE_H
#define LAB_RESULT_FAILURE_H

#include <stddef.h>
#include <stdio.h>

#include "script/script.h"

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

/* Prints the failure for a person: signature line, then the script up to the operation, one line
 * each, the guilty one marked. The first line is
 *   FAILURE property=blocks detail=size op=17 kind=resize */
void lab_failure_print(const lab_failure *failure, const lab_script *script, FILE *out);

/* For targets that have a model of their own: if the two differ, says so on standard error with the
 * same signature, and ends the program. */
void lab_failure_expect(const char *property, const char *detail, uint64_t expected,
                        uint64_t found);

#endif
