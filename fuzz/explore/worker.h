/* SPDX-License-Identifier: MIT */
/* One thread of the search: it takes slices of the states to be expanded, tries every operation in
 * each state, and notes the states it reaches that are not known yet.
 *
 * States are kept as keys. The heap of a state is made again by carrying out the steps that led to
 * it; because states that are neighbours in number mostly have the same ancestors, one heap is
 * kept for each depth, and few steps need repeating. */
#ifndef LAB_EXPLORE_WORKER_H
#define LAB_EXPLORE_WORKER_H

/* For sigjmp_buf, before any system header. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <pthread.h>
#include <stdatomic.h>

#include "explore/pair.h"
#include "explore/trap.h"

/* States from .. to-1 of one depth, and what came of expanding them. */
typedef struct lab_slice {
    uint32_t from, to;
    uint8_t *out; /* owned: new states, as lab_slice_next reads them */
    size_t out_bytes;
    atomic_size_t out_capacity; /* counted while it grows */
    bool out_of_memory;
    uint32_t state; /* if the failure has a property: where, and what was tried */
    lab_step step;
    lab_failure failure;
    bool crashed;
} lab_slice;

typedef struct lab_worker {
    const lab_explore_config *config;
    const lab_states *states;
    lab_pair_checker checker;
    lab_pair *line; /* line[d]: an ancestor at depth d of the state being expanded, or itself */
    uint32_t line_count, line_capacity;
    lab_pair work;
    bool work_is_fresh; /* it has the blocks of the state being expanded */
    lab_slice *slice;
    uint32_t state;
    lab_step step;
    sigjmp_buf trap;
    pthread_t thread;
    atomic_size_t transitions;
    atomic_size_t expanded;
} lab_worker;

/* False: no memory, or the heap could not be made (then the checker has a failure). */
bool lab_worker_init(lab_worker *worker, const lab_explore_config *config, const lab_states *states,
                     const unsigned char *noise);
void lab_worker_clean_up(lab_worker *worker);

/* Expands the slice's states, which lie `depth` steps from the fresh heap. */
void lab_worker_run(lab_worker *worker, lab_slice *slice, uint32_t depth);

/* Reads the next new state, starting at *at == 0; false at the end. */
bool lab_slice_next(const lab_slice *slice, size_t *at, lab_key *key, uint32_t *parent,
                    uint32_t *step);

#endif
