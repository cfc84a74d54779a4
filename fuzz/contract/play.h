/* SPDX-License-Identifier: MIT */
/* Plays a script on any subject, and checks it against the contract model (model/contract.h). What
 * the operations do here is in script/deeds.def. The configuration's dwords are the budget of the
 * backing. */
#ifndef LAB_CONTRACT_PLAY_H
#define LAB_CONTRACT_PLAY_H

#include "model/contract.h"
#include "runner/runner.h"
#include "subjects/backing.h"
#include "subjects/subject.h"

typedef struct lab_contract_runner lab_contract_runner; /* reusable state: backing, model */

/* NULL if there is no memory. */
lab_contract_runner *lab_contract_runner_new(void);
void lab_contract_runner_destroy(lab_contract_runner *runner);

typedef struct lab_contract_runner_options {
    uint64_t fail_at;  /* the request to the backing that fails, from 1; 0: none */
    bool fail_forever; /* and all that follow */
} lab_contract_runner_options;

/* True: the subject kept the contract. `options` may be NULL. Counts are added to *counts if it is
 * not NULL. */
bool lab_contract_runner_play(lab_contract_runner *runner, const lab_subject *subject,
                              const lab_script *script, const lab_contract_runner_options *options,
                              lab_failure *failure, lab_run_counts *counts);

/* The same step by step, for those who look at what is live in between: begin, step for each
 * operation in order, end, whatever they returned; after the first false nothing more is played. If
 * the subject cannot be made from this configuration, steps do nothing and pass. After end, every
 * subject that was created is destroyed, whatever failed. */
bool lab_contract_runner_begin(lab_contract_runner *runner, const lab_subject *subject,
                               const lab_script *script, const lab_contract_runner_options *options,
                               lab_failure *failure);
bool lab_contract_runner_step(lab_contract_runner *runner, size_t index);
bool lab_contract_runner_end(lab_contract_runner *runner, lab_run_counts *counts);

/* The live blocks, and what was counted so far. */
const lab_contract *lab_contract_runner_contract(const lab_contract_runner *runner);

/* The inside, for drawings: the memory it has, what its guards watch in no block, and its
 * statistics; zeroed, where it does not say. */
typedef struct lab_contract_runner_view {
    const lab_backing *backing;
    lab_watched watched;
    lab_figures figures;
} lab_contract_runner_view;

lab_contract_runner_view lab_contract_runner_look(const lab_contract_runner *runner);

/* Was the subject made? */
bool lab_contract_runner_has_subject(const lab_contract_runner *runner);

/* Frees the slot's block, outside the script. */
bool lab_contract_runner_drop(lab_contract_runner *runner, uint32_t slot);

#endif
