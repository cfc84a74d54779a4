/* SPDX-License-Identifier: MIT */
/* What concerns many blocks at once: batches, and the owners of all that are live. */
#include <string.h>

#include "contract/state.h"

/* All or nothing, and the blocks of a batch are ordinary ones. */
bool lab_contract_runner_batch(lab_contract_runner *r, const lab_op *op, bool *acted) {
    void *blocks[LAB_BATCH_COUNT_MAX + 1] = {NULL};
    th_allocator allocator = r->instance.allocator;
    size_t count = lab_batch_count(op->size);
    size_t bytes = lab_batch_bytes(op->size);
    size_t alignment = r->script->config.alignment;
    *acted = !lab_contract_runner_skips(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    bool all = th_allocator_alloc_batch(allocator, bytes, alignment, blocks, count);
    r->model.touched = true;
    r->model.mixed = true;
    for (size_t i = 0; i < count; i++) {
        lab_given given;
        if ((blocks[i] != NULL) != all) {
            return lab_contract_runner_fail(
                r, LAB_PROPERTY_RESULT, "batch",
                "of %zu blocks of %zu bytes %s were given, but block %zu is %s", count, bytes,
                all ? "all" : "not all", i, all ? "NULL" : "not NULL");
        }
        if (all &&
            !lab_contract_runner_given(r, blocks[i], bytes, alignment, LAB_NO_SLOT, &given)) {
            return false;
        }
        if (all) {
            memset(blocks[i], (int)i, bytes);
        }
    }
    for (size_t i = 0; all && i < count; i++) {
        const unsigned char *at = blocks[i];
        if (at[0] != i || at[bytes - 1] != i) {
            return lab_contract_runner_fail(
                r, LAB_PROPERTY_RESULT, "overlap",
                "block %zu of a batch of %zu of %zu bytes was written by a later one", i, count,
                bytes);
        }
    }
    th_allocator_free_batch(allocator, blocks, count);
    return true;
}

/* Every address inside a live block has an owner; so has none outside the backing's blocks. */
bool lab_contract_runner_find(lab_contract_runner *r, const lab_op *op, bool *acted) {
    th_allocator allocator = r->instance.allocator;
    const lab_contract_block *block = NULL;
    uint32_t slot = r->model.slots_used > 0 ? op->size.value % r->model.slots_used : 0;
    *acted = allocator.table->owns != NULL || allocator.table->usable_size != NULL ||
             r->subject->tags != NULL;
    if (!lab_contract_runner_check_tags(r)) {
        return false;
    }
    if (r->model.slots_used > 0 && r->model.slots[slot].at != NULL &&
        !lab_contract_runner_look_at(r, slot)) {
        return false;
    }
    if (allocator.table->owns == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < r->model.slots_used; i++) {
        block = &r->model.slots[i];
        if (block->at != NULL && block->bytes != 0 &&
            !th_allocator_owns(allocator, block->at + op->size.value % block->bytes)) {
            return lab_contract_runner_fail(r, LAB_PROPERTY_FIND, "owner",
                                            "slot %u: byte %zu of %zu is not owned", i,
                                            op->size.value % block->bytes, block->bytes);
        }
    }
    if (th_allocator_owns(allocator, r)) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_FIND, "foreign",
                                        "an address of the harness's is owned");
    }
    return true;
}
