/* SPDX-License-Identifier: MIT */
/* The contract runner's inside, for its own files: play.c plays scripts, ops.c does single
 * operations, answer.c checks the answers to requests, drop.c frees, many.c does what concerns many
 * blocks at once, tags.c what is done by tag, misuse.c breaks rules on purpose, refusals.c asks for
 * what must be refused. */
#ifndef LAB_CONTRACT_STATE_H
#define LAB_CONTRACT_STATE_H

#include "contract/observer.h"
#include "contract/play.h"
#include "script/deeds.h"
#include "subjects/backing.h"
#include "subjects/subjects.h"

struct lab_contract_runner {
    lab_backing backing;
    lab_contract model;
    const lab_subject *subject;
    const lab_script *script;
    lab_instance instance; /* its allocator is the observer */
    lab_observer observer;
    bool made;
    lab_failure *failure;
    bool failed;
    size_t index;    /* of the operation */
    unsigned faults; /* raised and not yet accounted for */
    th_fault fault;  /* the last one */
    lab_run_counts counts;
};

/* Notes the failure, if it is the first; returns false. */
__attribute__((format(printf, 4, 5))) bool lab_contract_runner_fail(lab_contract_runner *r,
                                                                    lab_property property,
                                                                    const char *detail,
                                                                    const char *format, ...);

/* Is this flag of the subject true of this instance of it? */
bool lab_contract_runner_has(const lab_contract_runner *r, unsigned flag);

/* Does one operation (not INIT); *acted says whether there was anything to do. */
bool lab_contract_runner_do(lab_contract_runner *r, const lab_op *op, bool *acted);

/* Frees every live block, last allocated slot first, and asks for what an empty subject promises.
 */
bool lab_contract_runner_free_all(lab_contract_runner *r);

/* ---- answers (answer.c) ---------------------------------------------------------- */

/* Is it more than bytes_max or alignment_max? */
bool lab_contract_runner_is_beyond(const lab_contract_runner *r, size_t bytes, size_t alignment);

/* May it be refused at all, by any allocator? */
bool lab_contract_runner_is_absurd(const lab_contract_runner *r, size_t bytes, size_t alignment);

/* May the subject not even be asked? */
bool lab_contract_runner_skips(const lab_contract_runner *r, size_t bytes, size_t alignment);

/* Was NULL the right answer to the request? */
bool lab_contract_runner_refused(lab_contract_runner *r, size_t bytes, size_t alignment);

/* Was the block? *given says what it is then. `except` is the slot of the block that became it, or
 * LAB_NO_SLOT. */
bool lab_contract_runner_given(lab_contract_runner *r, unsigned char *at, size_t bytes,
                               size_t alignment, uint32_t except, lab_given *given);

/* Is what the subject says of the slot's block still right? */
bool lab_contract_runner_look_at(lab_contract_runner *r, uint32_t slot);

/* Of a block of `bytes` bytes, those that its owner may use. */
size_t lab_contract_runner_open_bytes(const lab_contract_runner *r, size_t bytes);

/* Are there bytes after these that are the guards'? `usable` as the subject says. */
bool lab_contract_runner_has_slack(const lab_contract_runner *r, size_t bytes, size_t usable);

/* ---- tags (tags.c) ---------------------------------------------------------------- */

/* Frees by tag, and compaction: what the operation asks for. */
bool lab_contract_runner_free_tags(lab_contract_runner *r, const lab_op *op);
bool lab_contract_runner_compact(lab_contract_runner *r, const lab_op *op, size_t bytes,
                                 bool *acted);

/* Have all blocks the tags that they were given, and lie on the sides of these? */
bool lab_contract_runner_check_tags(lab_contract_runner *r);
bool lab_contract_runner_check_sides(lab_contract_runner *r);

/* ---- the end of a block (drop.c); lab_contract_runner_drop is in play.h ------------- */

/* Are the contents of the slot's block as they were written? */
bool lab_contract_runner_unchanged(lab_contract_runner *r, uint32_t slot);

/* ---- many blocks at once (many.c) ------------------------------------------------- */

bool lab_contract_runner_batch(lab_contract_runner *r, const lab_op *op, bool *acted);
bool lab_contract_runner_find(lab_contract_runner *r, const lab_op *op, bool *acted);

/* ---- rules broken on purpose (misuse.c) -------------------------------------------- */

bool lab_contract_runner_misuse(lab_contract_runner *r, const lab_op *op, lab_deed deed,
                                bool *acted);

/* ---- what must be refused (refusals.c) ------------------------------------------- */

bool lab_contract_runner_refusals(lab_contract_runner *r, const lab_op *op);

#endif
