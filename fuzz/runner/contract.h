/* SPDX-License-Identifier: MIT */
/* Plays a script on any subject, and judges it by the contract model (model/contract.h). The
 * operations mean here (docs/script.md has the table):
 *   alloc           by tag % 4: plain, zeroed, counted, duplicated
 *   aligned, free   themselves
 *   resize          in place or by moving; 0 bytes free
 *   trim            resize in place to half
 *   freetags        rollback, where there are marks; else reset; else nothing
 *   compact         mark, where there are marks; end of a frame, where there are frames
 *   compact budget  a batch of (size % 8) blocks of equal size, which are then freed
 *   find            is that address owned, and is what is usable of a block still its own?
 *   null            requests that must be refused
 *   init            end it and make another
 *   attack          canary, poison and pointer, by what the subject promises to notice
 *   copy            reset, where there are marks; else nothing
 * The configuration's dwords are the budget of the backing, skew is where its memory starts and the
 * subject's variant. */
#ifndef LAB_RUNNER_CONTRACT_H
#define LAB_RUNNER_CONTRACT_H

#include "model/contract.h"
#include "runner/runner.h"
#include "subjects/backing.h"
#include "subjects/subject.h"

typedef struct lab_referee lab_referee; /* reusable state: backing, model */

/* NULL if there is no memory. */
lab_referee *lab_referee_new(void);
void lab_referee_destroy(lab_referee *referee);

typedef struct lab_referee_options {
    uint64_t fail_at;  /* the request to the backing that fails, from 1; 0: none */
    bool fail_forever; /* and all that follow */
} lab_referee_options;

/* True: the subject kept the contract. `options` may be NULL. Counts are added to *counts if it is
 * not NULL. */
bool lab_referee_play(lab_referee *referee, const lab_subject *subject, const lab_script *script,
                      const lab_referee_options *options, lab_failure *failure,
                      lab_run_counts *counts);

/* The same step by step, for those who look at what is live in between: begin, step for each
 * operation in order, end, whatever they returned; after the first false nothing more is played. If
 * the subject cannot be made from this configuration, steps do nothing and pass. After end, every
 * subject that was created is destroyed, whatever failed. */
bool lab_referee_begin(lab_referee *referee, const lab_subject *subject, const lab_script *script,
                       const lab_referee_options *options, lab_failure *failure);
bool lab_referee_step(lab_referee *referee, size_t index);
bool lab_referee_end(lab_referee *referee, lab_run_counts *counts);

/* The live blocks, and what was counted so far. */
const lab_contract *lab_referee_contract(const lab_referee *referee);

/* The inside, for drawings: the memory it has, what its guards watch in no block, and its
 * statistics; zeroed, where it does not say. */
typedef struct lab_referee_view {
    const lab_backing *backing;
    lab_watched watched;
    lab_figures figures;
} lab_referee_view;

lab_referee_view lab_referee_look(const lab_referee *referee);

/* Was the subject made? */
bool lab_referee_has_subject(const lab_referee *referee);

/* Frees the slot's block, outside the script. */
bool lab_referee_drop(lab_referee *referee, uint32_t slot);

#endif
