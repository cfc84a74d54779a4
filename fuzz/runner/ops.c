/* SPDX-License-Identifier: MIT */
/* One function for each effect of an operation, and one for each that is no call: the model first,
 * then the heap, then the results. */
#include <string.h>

#include "runner/calls.h"
#include "runner/content.h"
#include "runner/state.h"

static bool expect_low_memory(lab_runner *r) {
    return lab_expect(r, LAB_PROPERTY_LOW_MEMORY, "calls", r->low.calls, r->low_calls);
}

static bool expect_open(lab_runner *r, uint32_t block, size_t bytes) {
    if (lab_content_is_open(lab_payload(r, block), bytes)) {
        return true;
    }
    return lab_fail(r, LAB_PROPERTY_CONTENTS, "access",
                    "block %u: not exactly its %zu bytes are accessible", block, bytes);
}

/* Each of the two sizes is asked for after every other operation. */
static bool expect_sizes(lab_runner *r, const lab_extent *extent) {
    uint32_t block = extent->offset;
    const void *payload = lab_payload(r, block);
    bool sizes = r->index % 2 == 0
                     ? lab_expect(r, LAB_PROPERTY_RESULT, "requested-size", extent->requested,
                                  th_heap_requested_size(&r->heap, payload))
                     : lab_expect(r, LAB_PROPERTY_RESULT, "usable-size", 4 * (uint64_t)extent->size,
                                  th_heap_usable_size(&r->heap, payload));
    return sizes && expect_open(r, block, extent->requested);
}

/* If the operation promises so: are all bytes asked for zeros? (In lean there may be more.) */
static bool expect_zeros(lab_runner *r, const lab_call *call, const void *payload) {
    return lab_op_rules[call->kind].effect != LAB_EFFECT_ALLOCATE_ZEROED ||
           lab_expect(r, LAB_PROPERTY_CONTENTS, "zeros", call->bytes,
                      lab_content_zeros(payload, call->bytes));
}

static bool allocate(lab_runner *r, const lab_op *op, const lab_call *call) {
    lab_slot *slot = &r->slots[op->slot];
    uint32_t block = lab_call_model(call, &r->model, LAB_EXACT_NONE, NULL, NULL).block;
    void *payload = lab_call_heap(call, &r->heap, NULL, NULL, NULL).payload;
    if (!lab_expect_block(r, block, payload) || !expect_low_memory(r)) {
        return false;
    }
    if (block == LAB_EXACT_NONE) {
        r->counts.failed_allocs++;
        return true;
    }
    slot->block = block;
    slot->seed = lab_seed_of(++r->seed);
    if (op->slot >= r->slots_used) {
        r->slots_used = op->slot + 1u;
    }
    const lab_extent *extent = lab_exact_find(&r->model, block);
    lab_heap_history_note(&r->history, &r->model, extent);
    if (!expect_sizes(r, extent) || !expect_zeros(r, call, payload)) {
        return false;
    }
    lab_content_fill(payload, 0, extent->requested, slot->seed);
    return true;
}

static bool resize(lab_runner *r, const lab_op *op, const lab_call *call) {
    lab_slot *slot = &r->slots[op->slot];
    void *old = lab_payload(r, slot->block);
    size_t kept = lab_exact_find(&r->model, slot->block)->requested;
    r->low.protected_slot = op->slot;
    uint32_t block = lab_call_model(call, &r->model, slot->block, NULL, NULL).block;
    void *payload = lab_call_heap(call, &r->heap, old, NULL, NULL).payload;
    if (!lab_expect_block(r, block, payload) || !expect_low_memory(r)) {
        return false;
    }
    if (block == LAB_EXACT_NONE) {
        if (call->bytes == 0) {
            slot->block = LAB_EXACT_NONE;
        } else {
            r->counts.failed_allocs++;
        }
        return true;
    }
    slot->block = block;
    const lab_extent *extent = lab_exact_find(&r->model, block);
    lab_heap_history_note(&r->history, &r->model, extent);
    if (!expect_sizes(r, extent)) {
        return false;
    }
    kept = kept < extent->requested ? kept : extent->requested;
    size_t intact = lab_content_check(payload, kept, slot->seed);
    if (intact != kept) {
        return lab_fail(r, LAB_PROPERTY_CONTENTS, "resize", "byte %zu of the %zu kept was lost",
                        intact, kept);
    }
    lab_content_fill(payload, kept, extent->requested, slot->seed);
    return true;
}

/* A call that returns a number, for the slot's block or for none. */
static bool expect_number(lab_runner *r, const lab_call *call, uint32_t block) {
    void *payload = lab_payload(r, block);
    uint64_t want = lab_call_model(call, &r->model, block, NULL, NULL).number;
    uint64_t have = lab_call_heap(call, &r->heap, payload, NULL, NULL).number;
    return lab_expect(r, LAB_PROPERTY_RESULT, lab_op_rules[call->kind].result, want, have);
}

static bool change(lab_runner *r, const lab_op *op, const lab_call *call) {
    uint32_t block = r->slots[op->slot].block;
    return expect_number(r, call, block) && expect_sizes(r, lab_exact_find(&r->model, block));
}

static bool release(lab_runner *r, const lab_op *op, const lab_call *call) {
    lab_slot *slot = &r->slots[op->slot];
    uint32_t block = slot->block;
    r->history.stale = block;
    slot->block = LAB_EXACT_NONE;
    return expect_number(r, call, block);
}

static bool free_tags(lab_runner *r, const lab_call *call) {
    for (uint32_t i = 0; i < r->model.count; i++) {
        const lab_extent *extent = &r->model.extents[i];
        if (extent->site != 0 && extent->tag >= call->tag && extent->tag <= call->tag_high) {
            r->slots[extent->site - 1].block = LAB_EXACT_NONE;
        }
    }
    return expect_number(r, call, LAB_EXACT_NONE);
}

static bool compact(lab_runner *r, const lab_op *op, const lab_call *call) {
    r->moves.count = 0;
    r->moves_seen = 0;
    lab_exact_compaction want =
        lab_call_model(call, &r->model, LAB_EXACT_NONE, lab_model_may_move, r).compaction;
    bool ask = lab_asks_to_move(op) || (r->inject != NULL && r->inject->kind == LAB_INJECT_MOVE);
    th_heap_compaction have =
        lab_call_heap(call, &r->heap, NULL, ask ? lab_heap_may_move : NULL, r).compaction;
    r->counts.moves += want.moved;
    r->counts.vetoes += want.vetoed;
    for (size_t i = 0; i < r->moves.count; i++) {
        const lab_move *move = &r->moves.at[i];
        if (!move->vetoed) {
            r->history.stale = move->from;
            r->slots[move->slot].block = move->to;
            if (!expect_open(r, move->to, move->bytes)) {
                return false;
            }
        }
    }
    return lab_expect(r, LAB_PROPERTY_CALLBACK, "count", ask ? r->moves.count : 0, r->moves_seen) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "moved", want.moved, have.blocks_moved) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "vetoed", want.vetoed, have.blocks_vetoed) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "moved-bytes", want.bytes, have.bytes_moved) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "done", want.done, have.done);
}

/* Goes on with a copy of the image in the other arena; what the old region holds is dead. */
static bool copy(lab_runner *r) {
    th_heap moved;
    size_t start = (size_t)(r->base - r->arenas[r->arena]);
    unsigned other = 1 - r->arena;
    unsigned char *base = r->arenas[other] + start;
    bool want = lab_exact_rebase(&r->model, start);
    lab_write_edges(r, other); /* before the copy, which must leave them alone */
    th_status status = th_heap_copy(&r->heap, &moved, base);
    if (!lab_expect(r, LAB_PROPERTY_RESULT, "copied", want, status == TH_OK)) {
        return false;
    }
    for (uint32_t i = 0; i < r->slots_used; i++) {
        uint32_t block = r->slots[i].block;
        if (block != LAB_EXACT_NONE && th_heap_translate(&r->heap, &moved, lab_payload(r, block)) !=
                                           base + 4 * (size_t)(block + r->model.header)) {
            return lab_fail(r, LAB_PROPERTY_RESULT, "translate",
                            "block %u has no counterpart in the copy", block);
        }
    }
    const lab_index *index = &r->indexes[other];
    if (!lab_expect(r, LAB_PROPERTY_RESULT, "indexed", TH_OK,
                    th_heap_set_index(&moved, index->memory, index->bytes))) {
        return false;
    }
    lab_forget(&r->heap);
    r->heap = moved;
    r->arena = other;
    r->base = base;
    return true;
}

static bool find(lab_runner *r, const lab_op *op) {
    size_t byte = lab_size_bytes(op->size);
    const void *address = (const void *)((uintptr_t)r->base + byte);
    th_heap_block block = {0};
    const lab_extent *want =
        byte / 4 < r->model.dwords ? lab_exact_find(&r->model, (uint32_t)(byte / 4)) : NULL;
    bool have = th_heap_find(&r->heap, address, &block);
    if (want == NULL || !have) {
        return lab_expect(r, LAB_PROPERTY_FIND, "found", want != NULL, have);
    }
    return lab_expect(r, LAB_PROPERTY_FIND, "block", want->offset, block.offset) &&
           lab_expect(r, LAB_PROPERTY_FIND, "size", want->size, block.size_dwords) &&
           lab_expect(r, LAB_PROPERTY_FIND, "tag", want->tag, block.tag);
}

static bool restart(lab_runner *r) {
    bool accepted = false;
    return lab_start(r, r->heap.config.guarding.level, &accepted) &&
           lab_expect(r, LAB_PROPERTY_INIT, "again", true, accepted);
}

/* What is no call that heap and model answer alike. */
static bool perform_other(lab_runner *r, const lab_op *op) {
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_COPY:
        return copy(r);
    case LAB_OP_FIND:
        return find(r, op);
    case LAB_OP_NULL:
        return lab_refusals(r, op);
    case LAB_OP_INIT:
        return restart(r);
    case LAB_OP_ATTACK:
        return lab_attack_heap(r, op);
#include "script/call_cases.def"
    case LAB_OP_COUNT:
        break;
    }
    return true;
}

bool lab_perform(lab_runner *r, const lab_op *op, bool *acted) {
    *acted = lab_op_suits(op, r->slots[op->slot].block != LAB_EXACT_NONE);
    if (!*acted) {
        return true;
    }
    const lab_call call = lab_call_of(op, &r->script->config);
    r->op = op;
    r->low = LAB_LOW_MEMORY_NONE;
    r->low_calls = 0;
    switch ((lab_effect)lab_op_rules[op->kind].effect) {
    case LAB_EFFECT_ALLOCATE:
    case LAB_EFFECT_ALLOCATE_ZEROED:
        return allocate(r, op, &call);
    case LAB_EFFECT_RESIZE:
        return resize(r, op, &call);
    case LAB_EFFECT_CHANGE:
        return change(r, op, &call);
    case LAB_EFFECT_FREE:
        return release(r, op, &call);
    case LAB_EFFECT_FREE_TAGS:
        return free_tags(r, &call);
    case LAB_EFFECT_COMPACT:
        return compact(r, op, &call);
    case LAB_EFFECT_OTHER:
        break;
    }
    return perform_other(r, op);
}
