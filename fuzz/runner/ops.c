/* SPDX-License-Identifier: MIT */
/* One function per kind of operation: the model first, then the heap, then the results. */
#include <string.h>

#include "runner/content.h"
#include "runner/state.h"

bool lab_expect_block(lab_runner *r, uint32_t expected, const void *payload) {
    uint32_t found = lab_block_of(r, payload);
    if (expected == found) {
        return true;
    }
    if (expected == LAB_EXACT_NONE) {
        return lab_fail(r, LAB_PROPERTY_RESULT, "not-null",
                        "expected NULL, found byte %td from the region's start",
                        lab_place_of(r, payload));
    }
    if (found == LAB_EXACT_NONE) {
        return lab_fail(r, LAB_PROPERTY_RESULT, "null", "expected block %u, found NULL", expected);
    }
    if (found == LAB_BLOCK_FOREIGN) {
        return lab_fail(r, LAB_PROPERTY_RESULT, "block",
                        "expected block %u, found byte %td from the region's start, which is no "
                        "payload",
                        expected, lab_place_of(r, payload));
    }
    return lab_fail(r, LAB_PROPERTY_RESULT, "block", "expected block %u, found block %u", expected,
                    found);
}

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

static bool allocate(lab_runner *r, const lab_op *op, size_t alignment) {
    lab_slot *slot = &r->slots[op->slot];
    size_t bytes = lab_size_bytes(op->size);
    uint32_t site = op->slot + 1u;
    uint32_t tag = lab_tag(&r->script->config, op->tag);
    uint32_t block = lab_exact_alloc(&r->model, alignment, bytes, tag, site);
    void *payload = th_heap_alloc_at(&r->heap, alignment, bytes, tag, site);
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
    lab_past_reach(&r->past, &r->model, extent);
    if (!expect_sizes(r, extent)) {
        return false;
    }
    lab_content_fill(payload, 0, extent->requested, slot->seed);
    return true;
}

static bool resize(lab_runner *r, const lab_op *op) {
    lab_slot *slot = &r->slots[op->slot];
    size_t bytes = lab_size_bytes(op->size);
    void *old = lab_payload(r, slot->block);
    size_t kept = lab_exact_find(&r->model, slot->block)->requested;
    r->low.protected_slot = op->slot;
    uint32_t block = lab_exact_resize(&r->model, slot->block, bytes);
    void *payload = th_heap_resize(&r->heap, old, bytes);
    if (!lab_expect_block(r, block, payload) || !expect_low_memory(r)) {
        return false;
    }
    if (block == LAB_EXACT_NONE) {
        if (bytes == 0) {
            slot->block = LAB_EXACT_NONE;
        } else {
            r->counts.failed_allocs++;
        }
        return true;
    }
    slot->block = block;
    const lab_extent *extent = lab_exact_find(&r->model, block);
    lab_past_reach(&r->past, &r->model, extent);
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

static bool trim(lab_runner *r, const lab_op *op) {
    uint32_t block = r->slots[op->slot].block;
    size_t want = lab_exact_trim(&r->model, block);
    size_t have = th_heap_trim(&r->heap, lab_payload(r, block));
    return lab_expect(r, LAB_PROPERTY_RESULT, "trimmed", want, have) &&
           expect_sizes(r, lab_exact_find(&r->model, block));
}

static bool release(lab_runner *r, const lab_op *op) {
    lab_slot *slot = &r->slots[op->slot];
    void *payload = lab_payload(r, slot->block);
    size_t want = lab_exact_free(&r->model, slot->block);
    size_t have = th_heap_free(&r->heap, payload);
    r->past.stale = slot->block;
    slot->block = LAB_EXACT_NONE;
    return lab_expect(r, LAB_PROPERTY_RESULT, "freed", want, have);
}

static bool free_tags(lab_runner *r, const lab_op *op) {
    uint32_t low = lab_tag(&r->script->config, op->tag);
    uint32_t high = lab_tag(&r->script->config, op->tag_high);
    for (uint32_t i = 0; i < r->model.count; i++) {
        const lab_extent *extent = &r->model.extents[i];
        if (extent->site != 0 && extent->tag >= low && extent->tag <= high) {
            r->slots[extent->site - 1].block = LAB_EXACT_NONE;
        }
    }
    uint32_t want = lab_exact_free_tags(&r->model, low, high);
    uint32_t have = th_heap_free_tags(&r->heap, low, high);
    return lab_expect(r, LAB_PROPERTY_RESULT, "freed", want, have);
}

static bool compact(lab_runner *r, const lab_op *op, bool budgeted) {
    r->moves.count = 0;
    r->moves_seen = 0;
    size_t budget = lab_size_bytes(op->size);
    lab_exact_compaction want =
        budgeted ? lab_exact_compact_some(&r->model, budget, lab_model_may_move, r)
                 : lab_exact_compact(&r->model, lab_model_may_move, r);
    bool ask = lab_asks_to_move(op) || (r->inject != NULL && r->inject->kind == LAB_INJECT_MOVE);
    th_heap_compaction have = budgeted
                                  ? th_heap_compact_some(&r->heap, budget, lab_heap_may_move, r)
                                  : th_heap_compact(&r->heap, ask ? lab_heap_may_move : NULL, r);
    r->counts.moves += want.moved;
    r->counts.vetoes += want.vetoed;
    for (size_t i = 0; i < r->moves.count; i++) {
        const lab_move *move = &r->moves.at[i];
        if (!move->vetoed) {
            r->past.stale = move->from;
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
    return lab_start(r, r->heap.config.guard, &accepted) &&
           lab_expect(r, LAB_PROPERTY_INIT, "again", true, accepted);
}

bool lab_perform(lab_runner *r, const lab_op *op, bool *acted) {
    *acted = lab_op_suits(op, r->slots[op->slot].block != LAB_EXACT_NONE);
    if (!*acted) {
        return true;
    }
    r->op = op;
    r->low = LAB_LOW_MEMORY_NONE;
    r->low_calls = 0;
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_ALLOC:
        return allocate(r, op, 4);
    case LAB_OP_ALIGNED:
        return allocate(r, op, lab_align_bytes(op->align));
    case LAB_OP_RESIZE:
        return resize(r, op);
    case LAB_OP_TRIM:
        return trim(r, op);
    case LAB_OP_FREE:
        return release(r, op);
    case LAB_OP_FREE_TAGS:
        return free_tags(r, op);
    case LAB_OP_COMPACT:
        return compact(r, op, false);
    case LAB_OP_COMPACT_SOME:
        return compact(r, op, true);
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
    case LAB_OP_COUNT:
        break;
    }
    return true;
}
