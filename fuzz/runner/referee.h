/* SPDX-License-Identifier: MIT */
/* The referee's inside, for its own files: contract.c plays scripts, contract_ops.c does single
 * operations. */
#ifndef LAB_RUNNER_REFEREE_H
#define LAB_RUNNER_REFEREE_H

#include "runner/contract.h"
#include "runner/witness.h"
#include "subjects/backing.h"

#define LAB_SLOTS_MAX 65536u

struct lab_referee {
    lab_backing backing;
    lab_contract model;
    const lab_subject *subject;
    const lab_script *script;
    lab_instance instance; /* its allocator is the witness */
    lab_witness witness;
    bool made;
    lab_failure *failure;
    bool failed;
    size_t index;    /* of the operation */
    unsigned faults; /* raised and not yet accounted for */
    th_fault fault;  /* the last one */
    lab_run_counts counts;
};

/* Notes the failure, if it is the first; returns false. */
__attribute__((format(printf, 4, 5))) bool lab_objects(lab_referee *r, lab_property property,
                                                       const char *detail, const char *format, ...);

/* Is this flag of the subject true of this instance of it? */
bool lab_referee_has(const lab_referee *r, unsigned flag);

/* Does one operation (not INIT); *acted says whether there was anything to do. */
bool lab_referee_do(lab_referee *r, const lab_op *op, bool *acted);

/* Frees every live block, last allocated slot first, and asks for what an empty subject promises.
 */
bool lab_referee_free_all(lab_referee *r);

#endif
