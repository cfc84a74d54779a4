/* SPDX-License-Identifier: MIT */
/* What a composition stands on: the backing itself, or an allocator of ours over it. */
#ifndef LAB_SUBJECTS_GROUND_H
#define LAB_SUBJECTS_GROUND_H

#include "subjects/subject.h"
#include "tagheap/arena.h"
#include "tagheap/buddy.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/span.h"

typedef enum lab_ground_kind {
    LAB_GROUND_BACKING,
    LAB_GROUND_HEAP,  /* the tagged heap */
    LAB_GROUND_BUDDY, /* the buddy allocator */
    LAB_GROUND_ARENA
} lab_ground_kind;

typedef struct lab_ground {
    th_allocator allocator;  /* to be used */
    size_t empty_guaranteed; /* bytes of the largest block to be had while it is empty; 0: as much
                          as the backing gives */
    lab_ground_kind kind;
    th_allocator backing;
    void *region; /* the heap's */
    th_heap heap;
    th_tagged_allocator adapter;
    th_buddy buddy;
    th_arena arena;
} lab_ground;

/* The guarding that a subject is to have. */
th_guarding lab_ground_guarding(const lab_setup *setup);

/* What span.h promises to watch after the last block of a span. */
void lab_ground_watch(const th_span *span, lab_watched *watched);

/* What a block costs at most where blocks are laid one after the other, beside its bytes and its
 * alignment: canary, and the record of a gap. */
#define LAB_GROUND_GAP_BYTES ((size_t)32)

/* Says of an instance that it maps pages, or does not: what it lacks of its subject's flags, and
 * how much may be asked of it. */
void lab_ground_describe(lab_instance *instance, const lab_setup *setup, bool mapped);

/* False: there is not enough memory, and nothing of the backing is kept. */
bool lab_ground_start(lab_ground *ground, lab_ground_kind kind, const lab_setup *setup);

/* The checker of what it stands on. Raises nothing. */
th_status lab_ground_check(const lab_ground *ground, th_fault *fault);

/* Gives everything back. A zeroed ground is allowed. */
void lab_ground_end(lab_ground *ground);

#endif
