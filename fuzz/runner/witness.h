/* SPDX-License-Identifier: MIT */
/* The witness stands between the referee and the subject, sees every call of the subject's table,
 * and counts what the subject's own statistics must come to. */
#ifndef LAB_RUNNER_WITNESS_H
#define LAB_RUNNER_WITNESS_H

#include "model/contract.h"
#include "subjects/backing.h"
#include "subjects/subject.h"

typedef struct lab_witness {
    th_allocator_table table; /* the subject's, but that the witness is called */
    const lab_subject *subject;
    lab_instance instance; /* as the subject made it */
    uint64_t allocs;       /* blocks ever given out, moved ones once more */
    uint64_t refused;      /* requests */
    uint64_t refused_fitting;
    uint64_t refused_in_frame;
    uint64_t used; /* as the subject said last */
    uint64_t peak_least, peak_most;
} lab_witness;

/* The subject has been made: from now on *instance's allocator is to be used, which is the
 * witness's. */
void lab_witness_start(lab_witness *witness, const lab_subject *subject, lab_instance *instance);

/* The subject's own alloc_array, which there must be. */
void *lab_witness_alloc_array(lab_witness *witness, size_t count, size_t size);

/* Things happened to the subject that its table does not see: a rollback; the end of a frame. */
void lab_witness_look(lab_witness *witness);
void lab_witness_flip(lab_witness *witness);

/* A figure: what it must be (which may be a range), and what the subject says. */
typedef struct lab_witness_figure {
    unsigned exact;   /* LAB_FIGURE_... */
    const char *name; /* a static string */
    uint64_t least, most, found;
} lab_witness_figure;

/* Are all figures as they must be? If not, *wrong is the first that is not. */
bool lab_witness_agrees(const lab_witness *witness, const lab_contract *model,
                        const lab_backing *backing, lab_witness_figure *wrong);

#endif
