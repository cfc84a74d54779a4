/* SPDX-License-Identifier: MIT */
/* What is done by tag: blocks are freed by ranges of tags, lie on the side of theirs, and are moved
 * by compaction. What a compaction asks is checked while it asks: where it would move what. */
#include <inttypes.h>

#include "contract/state.h"

/* ---- tags and sides ----------------------------------------------------------------------- */

bool lab_contract_runner_free_tags(lab_contract_runner *r, const lab_op *op) {
    uint64_t freed = r->subject->tags->free_tags(r->instance.state, op->tag, op->tag_high);
    uint32_t due = lab_contract_free_tags(&r->model, op->tag, op->tag_high);
    lab_observer_look(&r->observer);
    if (r->model.live == 0 && lab_contract_runner_has(r, LAB_SUBJECT_FREES)) {
        r->model.mixed = false; /* empty: it may begin anew */
    }
    return freed == due || lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "freed by tag",
                                                    "%" PRIu64 " blocks, where %" PRIu32
                                                    " had tags from 0x%04x to 0x%04x",
                                                    freed, due, op->tag, op->tag_high);
}

bool lab_contract_runner_check_tags(lab_contract_runner *r) {
    const lab_tagging *tags = r->subject->tags;
    for (uint32_t i = 0; tags != NULL && tags->tag_of != NULL && i < r->model.slots_used; i++) {
        const lab_contract_block *block = &r->model.slots[i];
        uint32_t tag = block->at != NULL ? tags->tag_of(r->instance.state, block->at) : 0;
        if (block->at != NULL && tag != block->tag) {
            return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "tag",
                                            "slot %u of tag 0x%04x is said to have 0x%04x", i,
                                            block->tag, tag);
        }
    }
    return true;
}

bool lab_contract_runner_check_sides(lab_contract_runner *r) {
    uint32_t top = r->instance.tag_top_min;
    uint32_t highest = LAB_NO_SLOT;
    uint32_t lowest = LAB_NO_SLOT;
    const lab_contract_block *slots = r->model.slots;
    for (uint32_t i = 0; top != 0 && i < r->model.slots_used; i++) {
        const lab_contract_block *block = &slots[i];
        bool is_top = block->tag >= top;
        if (block->at != NULL && is_top &&
            (lowest == LAB_NO_SLOT || block->at < slots[lowest].at)) {
            lowest = i;
        }
        if (block->at != NULL && !is_top &&
            (highest == LAB_NO_SLOT || block->at > slots[highest].at)) {
            highest = i;
        }
    }
    return lowest == LAB_NO_SLOT || highest == LAB_NO_SLOT ||
           slots[highest].at < slots[lowest].at ||
           lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "side",
                                    "slot %u of tag 0x%04x lies above slot %u of tag 0x%04x",
                                    highest, slots[highest].tag, lowest, slots[lowest].tag);
}

/* ---- compaction --------------------------------------------------------------------------- */

/* What is asked for while a move is asked about. */
enum { REENTERED_BYTES = 16 };

typedef struct compaction {
    lab_contract_runner *r;
    uint8_t veto;
    bool reenters;
    size_t budget;       /* bytes that may still be moved */
    uint32_t moved;      /* moves that were allowed */
    bool vetoed, failed; /* anything was */
} compaction;

/* `label` says what the number is. */
static bool reject(compaction *c, lab_property property, const char *detail, uint32_t slot,
                   const unsigned char *to, const char *label, size_t number) {
    const lab_contract_block *block = &c->r->model.slots[slot];
    ptrdiff_t distance = (ptrdiff_t)((uintptr_t)to - (uintptr_t)block->at);
    c->failed = true;
    return lab_contract_runner_fail(c->r, property, detail,
                                    "slot %u of %zu bytes aligned to %zu is to move by %td bytes; "
                                    "%s %zu",
                                    slot, block->bytes, block->alignment, distance, label, number);
}

/* Is the move one that may be asked for? */
static bool is_right(compaction *c, uint32_t slot, const unsigned char *to, size_t bytes) {
    lab_contract_runner *r = c->r;
    const lab_contract_block *block = &r->model.slots[slot];
    size_t above = (uintptr_t)to & (block->alignment - 1);
    if (to == block->at) {
        return reject(c, LAB_PROPERTY_CALLBACK, "moved to where it is", slot, to,
                      "bytes said to be moved:", bytes);
    }
    if (bytes < block->bytes) {
        return reject(c, LAB_PROPERTY_CALLBACK, "bytes to move", slot, to,
                      "bytes said to be moved:", bytes);
    }
    if (c->moved > 0 && block->bytes > c->budget) {
        return reject(c, LAB_PROPERTY_CALLBACK, "beyond the budget", slot, to,
                      "bytes that are left of the budget:", c->budget);
    }
    if (above != 0) {
        return reject(c, LAB_PROPERTY_RESULT, "alignment", slot, to,
                      "bytes from there to the multiple below:", above);
    }
    uint32_t other = lab_contract_overlap(&r->model, to, block->bytes, 0, slot);
    return other == LAB_NO_SLOT ||
           reject(c, LAB_PROPERTY_RESULT, "overlap", slot, to, "live there is slot", other);
}

/* The subject is called while it asks. It passes the observer by, which counts no such calls; what
 * it raises is as it should be. */
static void reenter(compaction *c, uint32_t slot) {
    lab_contract_runner *r = c->r;
    th_allocator subject = r->observer.instance.allocator;
    unsigned char *at = r->model.slots[slot].at;
    unsigned faults = r->faults;
    size_t alignment = r->script->config.alignment;
    if (th_allocator_alloc_aligned(subject, REENTERED_BYTES, alignment) != NULL) {
        c->failed = true;
        (void)lab_contract_runner_fail(r, LAB_PROPERTY_REENTRY, "alloc",
                                       "%d bytes were given while slot %u was asked about",
                                       REENTERED_BYTES, slot);
    } else if (r->subject->free_block == NULL) {
        th_allocator_free(subject, at);
    } else if (r->subject->free_block(r->instance.state, at) != 0) {
        c->failed = true;
        (void)lab_contract_runner_fail(r, LAB_PROPERTY_REENTRY, "free",
                                       "slot %u was freed while it was asked about", slot);
    }
    r->faults = faults;
}

static bool may_move(void *context, void *from, void *to, size_t bytes) {
    compaction *c = context;
    lab_contract *model = &c->r->model;
    uint32_t slot = lab_contract_at(model, from);
    if (c->failed) {
        return false;
    }
    if (slot == LAB_NO_SLOT) {
        c->failed = true;
        return lab_contract_runner_fail(c->r, LAB_PROPERTY_CALLBACK, "from",
                                        "a block of %zu bytes is to move from where none is live",
                                        bytes);
    }
    if (!is_right(c, slot, to, bytes)) {
        return false;
    }
    if (c->reenters) {
        reenter(c, slot);
    }
    if (c->failed) {
        return false;
    }
    if ((c->veto >> slot % 8 & 1) != 0) {
        c->vetoed = true;
        return false;
    }
    size_t size = model->slots[slot].bytes;
    c->budget -= size < c->budget ? size : c->budget;
    c->moved++;
    lab_contract_relocate(model, slot, to);
    return true;
}

/* Is the block, which was moved, one at its new place, and whole? */
static bool has_moved(lab_contract_runner *r, uint32_t slot) {
    const lab_contract_block *block = &r->model.slots[slot];
    size_t bytes = block->bytes;
    lab_given given;
    if (!lab_contract_runner_given(r, block->at, bytes, block->alignment, slot, &given)) {
        return false;
    }
    size_t wrong = lab_contract_move(&r->model, slot, &given);
    return wrong == bytes || lab_contract_runner_fail(r, LAB_PROPERTY_CONTENTS, "moved",
                                                      "slot %u was moved: byte %zu of %zu differs",
                                                      slot, wrong, bytes);
}

static bool check_all(lab_contract_runner *r) {
    bool right = true;
    for (uint32_t i = 0; right && i < r->model.slots_used; i++) {
        const lab_contract_block *block = &r->model.slots[i];
        right = block->at == NULL ||
                (block->moved ? has_moved(r, i) : lab_contract_runner_unchanged(r, i));
    }
    return right;
}

bool lab_contract_runner_compact(lab_contract_runner *r, const lab_op *op, size_t bytes,
                                 bool *acted) {
    const lab_tagging *tags = r->subject->tags;
    bool reenters = op->reenter != 0 && lab_contract_runner_has(r, LAB_SUBJECT_IS_BUSY);
    compaction c = {.r = r, .veto = op->veto, .reenters = reenters, .budget = bytes};
    *acted = tags->compact != NULL;
    if (!*acted) {
        return true;
    }
    uint64_t moved = tags->compact(r->instance.state, bytes, may_move, &c);
    lab_observer_look(&r->observer);
    if (c.failed || !check_all(r)) {
        return false;
    }
    if (moved != c.moved) {
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_RESULT, "moved blocks",
            "%" PRIu64 " are said to have been moved, %" PRIu32 " were allowed to", moved, c.moved);
    }
    bool is_whole =
        bytes == SIZE_MAX && !c.vetoed && lab_contract_runner_has(r, LAB_SUBJECT_COMPACTS);
    r->model.mixed = r->model.mixed && !is_whole;
    return true;
}
