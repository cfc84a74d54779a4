/* SPDX-License-Identifier: MIT */
/* What the contract runner demands of the answer to a request: a block must be a right one, and no
 * block must have a reason. */
#include <inttypes.h>
#include <stdio.h>

#include "contract/state.h"
#include "runner/content.h"

static bool is_power_of_two(size_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

/* ---- no block ----------------------------------------------------------------------------- */

bool lab_contract_runner_is_absurd(const lab_contract_runner *r, size_t bytes, size_t alignment) {
    bool too_few = bytes == 0 && !lab_contract_runner_has(r, LAB_SUBJECT_ZERO_GIVES);
    return too_few || bytes > PTRDIFF_MAX || !is_power_of_two(alignment);
}

bool lab_contract_runner_is_beyond(const lab_contract_runner *r, size_t bytes, size_t alignment) {
    const lab_instance *instance = &r->instance;
    return (instance->bytes_max != 0 && bytes > instance->bytes_max) ||
           (instance->alignment_max != 0 && alignment > instance->alignment_max);
}

bool lab_contract_runner_skips(const lab_contract_runner *r, size_t bytes, size_t alignment) {
    return lab_contract_runner_has(r, LAB_SUBJECT_OWN_MEMORY) &&
           !lab_contract_runner_has(r, LAB_SUBJECT_REFUSES) &&
           lab_contract_runner_is_beyond(r, bytes, alignment);
}

/* Is the subject as it was when nothing was live, but for allocations? */
static bool is_unmixed(const lab_contract_runner *r) {
    return !r->model.mixed || (r->model.live == 0 && lab_contract_runner_has(r, LAB_SUBJECT_FREES));
}

/* Does what the subject must be able to hold leave room for the request? */
static bool must_hold(const lab_contract_runner *r, size_t bytes, size_t alignment) {
    const lab_instance *instance = &r->instance;
    const lab_contract *model = &r->model;
    size_t holds = instance->holds;
    size_t blocks = (size_t)model->live + 1;
    size_t live = model->live_most + model->alignments + model->live * instance->holds_extra;
    if (bytes > holds || alignment > LAB_HOLDS_ALIGNMENT_MAX ||
        (instance->holds_blocks != 0 && blocks > instance->holds_blocks) || live > holds) {
        return false;
    }
    size_t counts = bytes + alignment + instance->holds_extra;
    size_t room = holds - live;
    if (is_unmixed(r)) {
        return counts <= room;
    }
    /* Of two sides, what is free between the blocks of one is of no use to the other. */
    return lab_contract_runner_has(r, LAB_SUBJECT_FREES) && instance->tag_top_min == 0 &&
           counts <= room / blocks;
}

/* The promise by which the request had to be met; NULL: there is none. */
static const char *promise_of(const lab_contract_runner *r, size_t bytes, size_t alignment) {
    const lab_instance *instance = &r->instance;
    if (lab_contract_runner_is_beyond(r, bytes, alignment)) {
        return NULL;
    }
    if (instance->blocks_guaranteed > r->model.live) {
        return "blocks_guaranteed";
    }
    bool empty =
        lab_contract_runner_has(r, LAB_SUBJECT_FREES) ? r->model.live == 0 : !r->model.touched;
    if (empty && bytes <= instance->empty_guaranteed && alignment <= r->script->config.alignment) {
        return "empty_guaranteed";
    }
    if (must_hold(r, bytes, alignment)) {
        return "holds";
    }
    /* What the backing can never give need not be asked of it, as a sum of both may be. */
    size_t budget = r->backing.budget;
    bool grows = lab_contract_runner_has(r, LAB_SUBJECT_GROWS) && !r->backing.refused &&
                 bytes <= budget && alignment <= budget - bytes;
    return grows ? "LAB_SUBJECT_GROWS" : NULL;
}

bool lab_contract_runner_refused(lab_contract_runner *r, size_t bytes, size_t alignment) {
    const char *promise =
        lab_contract_runner_is_absurd(r, bytes, alignment) ? NULL : promise_of(r, bytes, alignment);
    if (promise != NULL) {
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_RESULT, "refused",
            "%zu bytes aligned to %zu were refused, with %u blocks of %zu bytes in "
            "all live: %s promises them",
            bytes, alignment, r->model.live, r->model.live_bytes, promise);
    }
    r->counts.failed_allocs++;
    return true;
}

/* ---- a block ------------------------------------------------------------------------------ */

/* Where an address is, the same each time: from the start of the backing's region, if it lies
 * there. */
static const char *place_of(const lab_contract_runner *r, const void *at, char text[64]) {
    uintptr_t distance = (uintptr_t)at - (uintptr_t)r->backing.region;
    if (distance < LAB_BACKING_REGION_BYTES) {
        (void)snprintf(text, 64, "byte %zu of the backing's region", (size_t)distance);
    } else {
        (void)snprintf(text, 64, "the address 0x%zx", (size_t)(uintptr_t)at);
    }
    return text;
}

size_t lab_contract_runner_open_bytes(const lab_contract_runner *r, size_t bytes) {
    return r->instance.object_bytes > bytes ? r->instance.object_bytes : bytes;
}

bool lab_contract_runner_has_slack(const lab_contract_runner *r, size_t bytes, size_t usable) {
    const lab_instance *instance = &r->instance;
    return instance->object_bytes != 0 ? instance->object_stride > instance->object_bytes
                                       : usable > bytes;
}

/* Are exactly the block's bytes accessible, where tools know which? */
static bool is_tracked(const lab_contract_runner *r, const unsigned char *at, size_t bytes,
                       size_t usable) {
    size_t open = lab_contract_runner_open_bytes(r, bytes);
    return lab_contract_runner_has_slack(r, bytes, usable) ? lab_content_is_open(at, open)
                                                           : lab_content_is_accessible(at, open);
}

/* May the subject have a block there? */
static bool is_inside(const lab_contract_runner *r, const void *at, size_t bytes) {
    const lab_instance *instance = &r->instance;
    if (!lab_contract_runner_has(r, LAB_SUBJECT_OWN_MEMORY)) {
        return lab_backing_contains(&r->backing, at, bytes);
    }
    uintptr_t distance = (uintptr_t)at - (uintptr_t)instance->memory;
    return instance->memory_bytes == 0 ||
           (distance <= instance->memory_bytes && bytes <= instance->memory_bytes - distance);
}

/* What the subject says is the slot's own may have become less since it was asked. */
static void look_again(lab_contract_runner *r, uint32_t slot) {
    lab_contract_block *block = &r->model.slots[slot];
    size_t usable = th_allocator_usable_size(r->instance.allocator, block->at);
    size_t least = block->written != 0 ? block->written : 1;
    block->extent = usable > least ? usable : least;
}

/* The slot whose block has bytes in common with these; LAB_NO_SLOT: none. */
static uint32_t overlapping(lab_contract_runner *r, const void *at, size_t bytes, uint32_t except) {
    uint32_t slot = lab_contract_overlap(&r->model, at, bytes, 0, except);
    while (slot != LAB_NO_SLOT) {
        look_again(r, slot);
        if (lab_contract_overlap(&r->model, at, bytes, slot, except) == slot) {
            break;
        }
        slot = lab_contract_overlap(&r->model, at, bytes, slot + 1, except);
    }
    return slot;
}

/* Of the block, have the first `bytes` bytes no other owner? If only what is usable of one or the
 * other is in the way, it is that which is wrong. */
static bool is_apart(lab_contract_runner *r, const lab_given *g, size_t bytes, uint32_t except) {
    uint32_t slot = overlapping(r, g->at, bytes, except);
    if (slot == LAB_NO_SLOT) {
        return true;
    }
    const lab_contract_block *other = &r->model.slots[slot];
    uintptr_t above = (uintptr_t)g->at - (uintptr_t)other->at;
    bool overlaps = above < other->bytes || 0 - above < g->bytes || above == 0;
    return lab_contract_runner_fail(
        r, LAB_PROPERTY_RESULT, overlaps ? "overlap" : "usable size",
        "%zu bytes aligned to %zu, %zu of them usable, begin %td bytes from where "
        "slot %u begins, which has %zu bytes, %zu of them usable",
        g->bytes, g->alignment, bytes, (ptrdiff_t)above, slot, other->bytes, other->extent);
}

/* Is it one that was asked for at all, and is it where it may be? */
static bool is_possible(lab_contract_runner *r, const lab_given *g) {
    const lab_instance *instance = &r->instance;
    char place[64];
    if (lab_contract_runner_is_absurd(r, g->bytes, g->alignment)) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "accepted",
                                        "%zu bytes aligned to %zu, which nobody can give", g->bytes,
                                        g->alignment);
    }
    if (lab_contract_runner_is_beyond(r, g->bytes, g->alignment)) {
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_RESULT, "beyond the most",
            "%zu bytes aligned to %zu were given; bytes_max is %zu, alignment_max "
            "%zu (0: none)",
            g->bytes, g->alignment, instance->bytes_max, instance->alignment_max);
    }
    size_t above = (uintptr_t)g->at & (g->alignment - 1);
    if (above != 0) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "alignment",
                                        "%zu bytes aligned to %zu: %s is %zu above a multiple",
                                        g->bytes, g->alignment, place_of(r, g->at, place), above);
    }
    return is_inside(r, g->at, g->bytes) ||
           lab_contract_runner_fail(
               r, LAB_PROPERTY_RESULT, "outside",
               "%zu bytes aligned to %zu at %s: not all of them lie in memory that the "
               "subject has",
               g->bytes, g->alignment, place_of(r, g->at, place));
}

/* Is what the subject says may be used of it its own? */
static bool is_usable(lab_contract_runner *r, const lab_given *g, uint32_t except) {
    char place[64];
    if (r->instance.allocator.table->usable_size == NULL) {
        return true;
    }
    if (g->extent < g->bytes) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "usable size",
                                        "%zu of %zu bytes aligned to %zu", g->extent, g->bytes,
                                        g->alignment);
    }
    if (!is_inside(r, g->at, g->extent)) {
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_RESULT, "usable size",
            "%zu bytes are said to be usable of %zu at %s: not all of them lie in "
            "memory that the subject has",
            g->extent, g->bytes, place_of(r, g->at, place));
    }
    return is_apart(r, g, g->extent, except);
}

bool lab_contract_runner_given(lab_contract_runner *r, unsigned char *at, size_t bytes,
                               size_t alignment, uint32_t except, lab_given *g) {
    th_allocator allocator = r->instance.allocator;
    char place[64];
    *g = (lab_given){.at = at,
                     .bytes = bytes,
                     .written = bytes,
                     .extent = bytes != 0 ? bytes : 1, /* an address of its own */
                     .alignment = alignment};
    if (!is_possible(r, g) || !is_apart(r, g, g->extent, except)) {
        return false;
    }
    if (bytes != 0 && allocator.table->owns != NULL && !th_allocator_owns(allocator, at)) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "owner",
                                        "%zu bytes at %s are not owned", bytes,
                                        place_of(r, at, place));
    }
    size_t usable = 0;
    if (allocator.table->usable_size != NULL) {
        usable = th_allocator_usable_size(allocator, at);
        g->extent = usable > g->extent || bytes != 0 ? usable : g->extent;
    }
    if (!is_usable(r, g, except)) {
        return false;
    }
    if (lab_contract_runner_has(r, LAB_SUBJECT_WRITABLE)) {
        g->written = usable > bytes ? usable : bytes;
    }
    return bytes == 0 || !lab_contract_runner_has(r, LAB_SUBJECT_TRACKED) ||
           is_tracked(r, at, bytes, usable) ||
           lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "accessible bytes",
                                    "of %zu bytes at %s, %zu of them usable", bytes,
                                    place_of(r, at, place), usable);
}

bool lab_contract_runner_look_at(lab_contract_runner *r, uint32_t slot) {
    const lab_contract_block *block = &r->model.slots[slot];
    lab_given g = {.at = block->at,
                   .bytes = block->bytes,
                   .extent = block->bytes,
                   .alignment = block->alignment};
    if (r->instance.allocator.table->usable_size == NULL) {
        return true;
    }
    g.extent = th_allocator_usable_size(r->instance.allocator, block->at);
    return is_usable(r, &g, slot);
}
