/* SPDX-License-Identifier: MIT */
/* What is explored (explore.h). A program is a word for each actor; a letter is an operation. */
#ifndef LAB_INTERLEAVE_WORLDS_H
#define LAB_INTERLEAVE_WORLDS_H

#include "interleave/explore.h"

typedef struct lab_program {
    unsigned actors;
    unsigned capacity; /* objects there are */
    int guard;
    const char *words[LAB_INTERLEAVED_MAX];
} lab_program;

/* The concurrent pool. a: allocate; f: free what was allocated first of what it has; r: last. */
lab_shared_world lab_pool_world(const lab_program *program);

/* Thread caches over it. a: allocate; f: free what it has had longest; x: exchange that for what is
 * in the mail; l: leave; j: leave, and join again. */
lab_shared_world lab_cache_world(const lab_program *program);

#endif
