/* SPDX-License-Identifier: MIT */
#include "runner/calls.h"

lab_call lab_call_of(const lab_op *op, const lab_config *config) {
    bool aligned = (lab_op_fields[op->kind] & LAB_FIELD_ALIGN) != 0;
    return (lab_call){.kind = (lab_op_kind)op->kind,
                      .tag = lab_tag(config, op->tag),
                      .tag_high = lab_tag(config, op->tag_high),
                      .site = op->slot + 1u,
                      .bytes = lab_size_bytes(op->size),
                      .alignment = aligned ? lab_align_bytes(op->align) : 4};
}

/* What ops.def's calls are made of. */
#define HEAP      heap
#define MODEL     model
#define POINTER   payload
#define BLOCK     block
#define ALIGNMENT call->alignment
#define BYTES     call->bytes
#define TAG       call->tag
#define TAG_HIGH  call->tag_high
#define SITE      call->site
#define MAY_MOVE  may_move
#define CONTEXT   context

/* Which part of an answer an effect gives. */
#define ALLOCATE(at, asked)        (answer.at = (asked))
#define ALLOCATE_ZEROED(at, asked) (answer.at = (asked))
#define RESIZE(at, asked)          (answer.at = (asked))
#define CHANGE(at, asked)          (answer.number = (asked))
#define FREE(at, asked)            (answer.number = (asked))
#define FREE_TAGS(at, asked)       (answer.number = (asked))
#define COMPACT(at, asked)         (answer.compaction = (asked))
#define OTHER(at, asked)           ((void)(asked))

lab_expected lab_call_model(const lab_call *call, lab_exact *model, uint32_t block,
                            lab_exact_move_fn may_move, void *context) {
    lab_expected answer = {.block = LAB_EXACT_NONE};
    switch (call->kind) {
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, bytes, weight,       \
               effect, result, asked_of_heap, asked_of_model, ...)                                 \
    case LAB_OP_##KIND:                                                                            \
        effect(block, asked_of_model);                                                             \
        break;
#include "script/ops.def"
    case LAB_OP_COUNT:
        break;
    }
    return answer;
}

lab_answer lab_call_heap(const lab_call *call, th_heap *heap, void *payload,
                         th_heap_move_fn may_move, void *context) {
    lab_answer answer = {0};
    switch (call->kind) {
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, bytes, weight,       \
               effect, result, asked_of_heap, asked_of_model, ...)                                 \
    case LAB_OP_##KIND:                                                                            \
        effect(payload, asked_of_heap);                                                            \
        break;
#include "script/ops.def"
    case LAB_OP_COUNT:
        break;
    }
    return answer;
}

const char *lab_call_text(lab_op_kind kind) {
    static const char *const texts[LAB_OP_COUNT] = {
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, bytes, weight,       \
               effect, result, asked_of_heap, asked_of_model, ...)                                 \
    [LAB_OP_##KIND] = #asked_of_heap,
#include "script/ops.def"
    };
    return texts[kind];
}
