/* SPDX-License-Identifier: MIT */
/* Failures planted into a run: the n-th chance of one kind goes wrong, once, or it and all after
 * it. The model is told the same as the subject, so everything must still agree. A run without a
 * plan asks nothing. */
#ifndef LAB_RUNNER_INJECT_H
#define LAB_RUNNER_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "script/script.h"

typedef enum lab_inject_kind {
    LAB_INJECT_ALLOC, /* an allocation, or a resize to more than nothing, that finds no room: the
                         size asked for is replaced by that of the whole region, which never fits,
                         so that the subject takes its own way to failure */
    LAB_INJECT_LOW_MEMORY, /* a request for more memory that is declined: for the heap, the
                        low-memory callback, which then frees nothing and says so */
    LAB_INJECT_MOVE,       /* a move callback that vetoes */
    LAB_INJECT_HARNESS, /* heaplab's own memory, where it writes down a move: the run must end with
                       property memory, and with nothing else */
    LAB_INJECT_KINDS
} lab_inject_kind;

/* "alloc", "more", "move", "own". */
const char *lab_inject_name(lab_inject_kind kind);

typedef struct lab_injection {
    lab_inject_kind kind;
    uint64_t n; /* from 1 */
    bool for_ever;
    uint64_t seen; /* chances so far; below n at the end: the run was left alone */
} lab_injection;

/* A chance of this kind: does it go wrong? `plan` may be NULL. */
bool lab_inject(lab_injection *plan, lab_inject_kind kind);

/* The operation to play instead of `op`: `op` itself, or *other. */
const lab_op *lab_inject_op(lab_injection *plan, const lab_op *op, uint32_t region_dwords,
                            lab_op *other);

#endif
