/* SPDX-License-Identifier: MIT */
/* The referee's inside, for its own files: contract.c plays scripts, contract_ops.c does single
 * operations, contract_answer.c judges the answers to requests, contract_refusals.c asks for what
 * must be refused. */
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

/* ---- answers (contract_answer.c) ---------------------------------------------------------- */

/* Is it more than bytes_max or alignment_max? */
bool lab_referee_is_beyond(const lab_referee *r, size_t bytes, size_t alignment);

/* May the subject not even be asked? */
bool lab_referee_spares(const lab_referee *r, size_t bytes, size_t alignment);

/* Was NULL the right answer to the request? */
bool lab_referee_refused(lab_referee *r, size_t bytes, size_t alignment);

/* Was the block? *given says what it is then. `except` is the slot of the block that became it, or
 * LAB_NO_SLOT. */
bool lab_referee_given(lab_referee *r, unsigned char *at, size_t bytes, size_t alignment,
                       uint32_t except, lab_given *given);

/* Is what the subject says of the slot's block still right? */
bool lab_referee_look_at(lab_referee *r, uint32_t slot);

/* Of a block of `bytes` bytes, those that its owner may use. */
size_t lab_referee_open_bytes(const lab_referee *r, size_t bytes);

/* Are there bytes behind these that are the guards'? `usable` as the subject says. */
bool lab_referee_has_slack(const lab_referee *r, size_t bytes, size_t usable);

/* ---- what must be refused (contract_refusals.c) ------------------------------------------- */

bool lab_referee_refusals(lab_referee *r, const lab_op *op);

#endif
