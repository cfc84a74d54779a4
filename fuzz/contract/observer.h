/* SPDX-License-Identifier: MIT */
/* The observer stands between the contract runner and the subject, sees every call of the subject's
 * table, and counts what the subject's own statistics must come to. */
#ifndef LAB_CONTRACT_OBSERVER_H
#define LAB_CONTRACT_OBSERVER_H

#include "model/contract.h"
#include "subjects/backing.h"
#include "subjects/subject.h"

typedef struct lab_observer {
    th_allocator_table table; /* the subject's, but that the observer is called */
    const lab_subject *subject;
    lab_instance instance; /* as the subject made it */
    uint64_t allocs;       /* blocks ever given out, moved ones once more */
    uint64_t refused;      /* requests */
    uint64_t refused_fitting;
    uint64_t refused_in_frame;
    uint64_t freed; /* what the subject's own free returned last; 0 if it has none */
    uint64_t used;  /* as the subject said last */
    uint64_t peak_least, peak_most;
} lab_observer;

/* The subject has been made: from now on *instance's allocator is to be used, which is the
 * observer's. */
void lab_observer_start(lab_observer *observer, const lab_subject *subject, lab_instance *instance);

/* The subject's own alloc_array, which there must be. */
void *lab_observer_alloc_array(lab_observer *observer, size_t count, size_t size);

/* The same of tags. */
void *lab_observer_alloc_tagged(lab_observer *observer, size_t bytes, size_t alignment,
                                uint32_t tag, bool zeroed);

/* Things happened to the subject that its table does not see: a rollback; the end of a frame. */
void lab_observer_look(lab_observer *observer);
void lab_observer_flip(lab_observer *observer);

/* A figure: what it must be (which may be a range), and what the subject says. */
typedef struct lab_observer_figure {
    unsigned exact;   /* LAB_FIGURE_... */
    const char *name; /* a static string */
    uint64_t least, most, found;
} lab_observer_figure;

/* Are all figures as they must be? If not, *wrong is the first that is not. */
bool lab_observer_agrees(const lab_observer *observer, const lab_contract *model,
                         const lab_backing *backing, lab_observer_figure *wrong);

#endif
