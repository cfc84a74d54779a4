/* SPDX-License-Identifier: MIT */
/* The end of a block: its contents are looked at, it is freed, and what the subject says of that is
 * what it has to say. */
#include <inttypes.h>

#include "contract/state.h"

bool lab_contract_runner_unchanged(lab_contract_runner *r, uint32_t slot) {
    const lab_contract_block *block = &r->model.slots[slot];
    size_t wrong = lab_contract_wrong_byte(&r->model, slot);
    return wrong == block->written || lab_contract_runner_fail(r, LAB_PROPERTY_CONTENTS, "bytes",
                                                               "slot %u: byte %zu of %zu differs",
                                                               slot, wrong, block->written);
}

/* What a free of the slot's block has to return, by what the subject says of it. */
static uint64_t due_of_free(const lab_contract_runner *r, uint32_t slot) {
    const lab_contract_block *block = &r->model.slots[slot];
    switch (r->subject->freed) {
    case LAB_FREED_ONE:
        return 1;
    case LAB_FREED_USABLE:
        return th_allocator_usable_size(r->instance.allocator, block->at);
    case LAB_FREED_REQUESTED:
    case LAB_FREED_AT_LEAST:
    case LAB_FREED_ANYTHING:
        break;
    }
    return block->bytes;
}

static bool has_said(lab_contract_runner *r, uint64_t due) {
    uint64_t freed = r->observer.freed;
    bool more = r->subject->freed == LAB_FREED_AT_LEAST && freed > due;
    return r->subject->freed == LAB_FREED_ANYTHING || more || freed == due ||
           lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "freed",
                                    "expected %" PRIu64 ", found %" PRIu64, due, freed);
}

bool lab_contract_runner_drop(lab_contract_runner *r, uint32_t slot) {
    void *at = r->model.slots[slot].at;
    if (!lab_contract_runner_unchanged(r, slot)) {
        return false;
    }
    uint64_t due = due_of_free(r, slot);
    lab_contract_drop(&r->model, slot);
    th_allocator_free(r->instance.allocator, at);
    if (r->model.live == 0 && lab_contract_runner_has(r, LAB_SUBJECT_FREES)) {
        r->model.mixed = false; /* empty: it may begin anew */
    }
    return r->subject->free_block == NULL || r->faults != 0 || has_said(r, due);
}
