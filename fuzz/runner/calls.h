/* SPDX-License-Identifier: MIT */
/* The one place where operations become calls, of the heap and of its exact model alike: what
 * ops.def says of each. Runner, bare run, explorer and exporter all go through it. */
#ifndef LAB_RUNNER_CALLS_H
#define LAB_RUNNER_CALLS_H

#include "model/exact.h"
#include "script/script.h"
#include "tagheap/heap.h"

/* What is asked. Of an effect other than LAB_EFFECT_OTHER. */
typedef struct lab_call {
    lab_op_kind kind;
    uint32_t tag, tag_high; /* the heap's */
    uint32_t site;
    size_t bytes, alignment;
} lab_call;

lab_call lab_call_of(const lab_op *op, const lab_config *config);

/* What the model expects of it; what the call does not return is LAB_EXACT_NONE or 0. */
typedef struct lab_expected {
    uint32_t block; /* header offset of the payload that is returned */
    uint64_t number;
    lab_exact_compaction compaction;
} lab_expected;

/* What the heap has answered. */
typedef struct lab_answer {
    void *payload;
    uint64_t number;
    th_heap_compaction compaction;
} lab_answer;

/* The call on the model, for the live block at `block`, and on the heap, for its payload; both are
 * unused where the operation has no slot, and where it allocates. */
lab_expected lab_call_model(const lab_call *call, lab_exact *model, uint32_t block,
                            lab_exact_move_fn may_move, void *context);
lab_answer lab_call_heap(const lab_call *call, th_heap *heap, void *payload,
                         th_heap_move_fn may_move, void *context);

/* The call on the heap as C, with the words HEAP, POINTER, TAG ... in it. */
const char *lab_call_text(lab_op_kind kind);

#endif
