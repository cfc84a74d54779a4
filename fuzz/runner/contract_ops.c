/* SPDX-License-Identifier: MIT */
/* What the referee does for each operation, and what it demands of the answer. */
#include <string.h>

#include "runner/content.h"
#include "runner/referee.h"

static bool is_power_of_two(size_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

/* ---- requests ----------------------------------------------------------------------------- */

/* May (bytes, alignment) be refused at all, by any allocator? */
static bool is_absurd(size_t bytes, size_t alignment) {
    return bytes == 0 || bytes > PTRDIFF_MAX || !is_power_of_two(alignment);
}

static bool is_beyond(const lab_instance *instance, size_t bytes, size_t alignment) {
    return (instance->bytes_max != 0 && bytes > instance->bytes_max) ||
           (instance->alignment_max != 0 && alignment > instance->alignment_max);
}

/* May the subject not even be asked? */
static bool is_spared(const lab_referee *r, size_t bytes, size_t alignment) {
    return lab_referee_has(r, LAB_SUBJECT_OWN_MEMORY) && is_beyond(&r->instance, bytes, alignment);
}

/* Was a request refused that can be met? */
static bool was_promised(const lab_referee *r, size_t bytes, size_t alignment) {
    const lab_instance *instance = &r->instance;
    if (is_beyond(instance, bytes, alignment)) {
        return false;
    }
    if (instance->blocks_sure > r->model.live) {
        return true;
    }
    bool empty = lab_referee_has(r, LAB_SUBJECT_FREES) ? r->model.live == 0 : !r->model.touched;
    if (empty && bytes <= instance->empty_sure && alignment <= r->script->config.alignment) {
        return true;
    }
    /* What the backing can never give need not be asked of it. */
    return lab_referee_has(r, LAB_SUBJECT_GROWS) && !r->backing.refused &&
           bytes <= r->backing.budget;
}

/* Is NULL the right answer to the request? */
static bool accept_refusal(lab_referee *r, size_t bytes, size_t alignment) {
    if (!is_absurd(bytes, alignment) && was_promised(r, bytes, alignment)) {
        return lab_objects(r, LAB_PROPERTY_RESULT, "refused",
                           "%zu bytes aligned to %zu were refused, with %u blocks live", bytes,
                           alignment, r->model.live);
    }
    r->counts.failed_allocs++;
    return true;
}

/* Of a block of `bytes` bytes, those that its owner may use. */
static size_t open_bytes(const lab_referee *r, size_t bytes) {
    return r->instance.object_bytes > bytes ? r->instance.object_bytes : bytes;
}

/* Are there bytes behind these that are the guards'? `usable` as the subject says. */
static bool has_slack(const lab_referee *r, size_t bytes, size_t usable) {
    const lab_instance *instance = &r->instance;
    return instance->object_bytes != 0 ? instance->object_stride > instance->object_bytes
                                       : usable > bytes;
}

/* Are exactly the block's bytes accessible, where tools know which? */
static bool is_tracked(const lab_referee *r, const unsigned char *at, size_t bytes, size_t usable) {
    size_t open = open_bytes(r, bytes);
    return has_slack(r, bytes, usable) ? lab_content_is_open(at, open)
                                       : lab_content_is_accessible(at, open);
}

/* Is the block a right answer? `except` as lab_contract_objection says. */
static bool accept_block(lab_referee *r, const unsigned char *at, size_t bytes, size_t alignment,
                         uint32_t except) {
    th_allocator allocator = r->instance.allocator;
    const char *objection = is_absurd(bytes, alignment) ? "accepted" : NULL;
    if (objection == NULL) {
        objection = lab_contract_objection(&r->model, at, bytes, alignment, except);
    }
    if (objection == NULL && !lab_referee_has(r, LAB_SUBJECT_OWN_MEMORY) &&
        !lab_backing_contains(&r->backing, at, bytes)) {
        objection = "outside";
    }
    if (objection == NULL && allocator.table->owns != NULL && !th_allocator_owns(allocator, at)) {
        objection = "owner";
    }
    size_t usable = objection == NULL ? th_allocator_usable_size(allocator, at) : 0;
    if (objection == NULL && allocator.table->usable_size != NULL && usable < bytes) {
        objection = "usable size";
    }
    if (objection == NULL && lab_referee_has(r, LAB_SUBJECT_TRACKED) &&
        !is_tracked(r, at, bytes, usable)) {
        objection = "accessible bytes";
    }
    return objection == NULL || lab_objects(r, LAB_PROPERTY_RESULT, objection,
                                            "%zu bytes aligned to %zu", bytes, alignment);
}

/* ---- allocation --------------------------------------------------------------------------- */

enum { PLAIN, ZEROED, COUNTED, DUPLICATED, FLAVOURS };

/* One of so many allocations is asked about: it takes some owners long to answer. */
enum { ENDS_ASKED_FOR = 4 };

/* Counted: an even number of bytes as elements of two bytes, and so on. */
static size_t element_of(size_t bytes) {
    return bytes % 8 == 0 ? 8 : bytes % 2 == 0 ? 2 : 1;
}

static void *request(lab_referee *r, unsigned flavour, size_t bytes) {
    static const unsigned char source[256] = "what is duplicated";
    th_allocator allocator = r->instance.allocator;
    size_t element = element_of(bytes);
    switch (flavour) {
    case ZEROED:
        return th_allocator_alloc_zeroed(allocator, bytes);
    case COUNTED:
        return th_allocator_alloc_array_zeroed(allocator, bytes / element, element);
    case DUPLICATED:
        return th_allocator_duplicate(allocator, source, bytes);
    default:
        return th_allocator_alloc_aligned(allocator, bytes, r->script->config.alignment);
    }
}

/* Of what the flavour promises of the contents, the first byte that is not so. */
static size_t first_broken(unsigned flavour, const unsigned char *at, size_t bytes) {
    static const unsigned char source[256] = "what is duplicated";
    size_t i = 0;
    while (i < bytes && (flavour == PLAIN || at[i] == (flavour == DUPLICATED ? source[i] : 0))) {
        i++;
    }
    return i;
}

static bool give(lab_referee *r, uint32_t slot, unsigned char *at, size_t bytes, size_t alignment,
                 unsigned flavour) {
    if (at == NULL) {
        return accept_refusal(r, bytes, alignment);
    }
    if (!accept_block(r, at, bytes, alignment, UINT32_MAX)) {
        return false;
    }
    if (first_broken(flavour, at, bytes) != bytes) {
        return lab_objects(r, LAB_PROPERTY_CONTENTS, flavour == DUPLICATED ? "duplicate" : "zeroed",
                           "of %zu bytes", bytes);
    }
    lab_contract_put(&r->model, slot, at, bytes, alignment);
    return true;
}

/* Behind the newest block, which is the slot's, nothing is owned but other blocks. */
static bool ends_there(lab_referee *r, uint32_t slot) {
    th_allocator allocator = r->instance.allocator;
    const lab_live *block = &r->model.slots[slot];
    if (!lab_referee_has(r, LAB_SUBJECT_ENDS) || block->at == NULL) {
        return true;
    }
    const unsigned char *end = block->at + block->bytes;
    if (!th_allocator_owns(allocator, end)) {
        return true;
    }
    size_t usable = th_allocator_usable_size(allocator, block->at);
    end = usable > block->bytes ? block->at + usable : end;
    return !th_allocator_owns(allocator, end) ||
           lab_contract_objection(&r->model, end, 1, 1, UINT32_MAX) != NULL ||
           lab_objects(r, LAB_PROPERTY_FIND, "end", "slot %u: the byte behind it is owned", slot);
}

static bool do_alloc(lab_referee *r, const lab_op *op, bool *acted) {
    size_t bytes = lab_size_bytes(op->size);
    unsigned flavour = op->tag % FLAVOURS;
    if (flavour == DUPLICATED && bytes > 256) {
        flavour = PLAIN;
    }
    size_t alignment = flavour == PLAIN ? r->script->config.alignment : TH_ALLOCATOR_ALIGNMENT;
    *acted = !is_spared(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    return give(r, op->slot, request(r, flavour, bytes), bytes, alignment, flavour) &&
           (op->tag / FLAVOURS % ENDS_ASKED_FOR != 0 || ends_there(r, op->slot));
}

static bool do_aligned(lab_referee *r, const lab_op *op, bool *acted) {
    size_t bytes = lab_size_bytes(op->size);
    size_t alignment = lab_align_bytes(op->align);
    *acted = !is_spared(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    unsigned char *at = th_allocator_alloc_aligned(r->instance.allocator, bytes, alignment);
    return give(r, op->slot, at, bytes, alignment, PLAIN);
}

/* ---- what happens to a block -------------------------------------------------------------- */

static bool is_as_it_was(lab_referee *r, uint32_t slot) {
    const lab_live *block = &r->model.slots[slot];
    size_t wrong = lab_contract_wrong_byte(&r->model, slot);
    return wrong == block->bytes ||
           lab_objects(r, LAB_PROPERTY_CONTENTS, "bytes", "slot %u: byte %zu of %zu differs", slot,
                       wrong, block->bytes);
}

static bool do_free(lab_referee *r, uint32_t slot) {
    void *at = r->model.slots[slot].at;
    if (!is_as_it_was(r, slot)) {
        return false;
    }
    lab_contract_drop(&r->model, slot);
    th_allocator_free(r->instance.allocator, at);
    return true;
}

bool lab_referee_drop(lab_referee *r, uint32_t slot) {
    return do_free(r, slot);
}

static bool has_become(lab_referee *r, uint32_t slot, unsigned char *at, size_t bytes) {
    const lab_live *block = &r->model.slots[slot];
    size_t alignment = block->alignment;
    if (!accept_block(r, at, bytes, alignment, slot)) {
        return false;
    }
    return lab_contract_move(&r->model, slot, at, bytes) ||
           lab_objects(r, LAB_PROPERTY_CONTENTS, "kept", "slot %u lost its contents in a resize",
                       slot);
}

static bool do_resize(lab_referee *r, const lab_op *op, bool *acted) {
    const lab_live *block = &r->model.slots[op->slot];
    size_t bytes = lab_size_bytes(op->size);
    unsigned char *old = block->at;
    bool moved = true;
    if (bytes == 0) {
        return do_free(r, op->slot);
    }
    *acted = !is_spared(r, bytes, block->alignment);
    if (!*acted) {
        return true;
    }
    unsigned char *at = th_allocator_resize(r->instance.allocator, old, block->bytes, bytes,
                                            block->alignment, &moved);
    if (at == NULL) {
        bool shrinks = bytes <= block->bytes;
        if (moved) {
            return lab_objects(r, LAB_PROPERTY_RESULT, "moved", "a failed resize says it moved");
        }
        return (shrinks || accept_refusal(r, bytes, block->alignment)) && is_as_it_was(r, op->slot);
    }
    if (moved != (at != old)) {
        return lab_objects(r, LAB_PROPERTY_RESULT, "moved", "resize says %d", (int)moved);
    }
    return has_become(r, op->slot, at, bytes);
}

static bool do_trim(lab_referee *r, const lab_op *op) {
    const lab_live *block = &r->model.slots[op->slot];
    size_t half = block->bytes - block->bytes / 2;
    if (!th_allocator_resize_in_place(r->instance.allocator, block->at, half)) {
        return is_as_it_was(r, op->slot);
    }
    return has_become(r, op->slot, block->at, half);
}

/* ---- the whole subject -------------------------------------------------------------------- */

static void do_reset(lab_referee *r, bool *acted) {
    *acted = th_allocator_reset(r->instance.allocator);
    if (*acted) {
        lab_contract_reset(&r->model);
    }
}

static void do_many(lab_referee *r, bool *acted) {
    if (r->subject->rollback == NULL) {
        do_reset(r, acted);
        return;
    }
    r->subject->rollback(r->instance.state);
    lab_contract_rollback(&r->model);
    lab_witness_look(&r->witness);
}

static void do_mark(lab_referee *r, bool *acted) {
    *acted = r->subject->mark != NULL || r->subject->flip != NULL;
    if (r->subject->mark != NULL) {
        r->subject->mark(r->instance.state);
        lab_contract_mark(&r->model);
        lab_witness_look(&r->witness);
    }
    if (r->subject->flip != NULL) {
        r->subject->flip(r->instance.state);
        lab_contract_flip(&r->model);
        lab_witness_flip(&r->witness);
    }
}

/* All or nothing, and the blocks of a batch are ordinary ones. */
static bool do_batch(lab_referee *r, const lab_op *op, bool *acted) {
    enum { COUNT_MAX = 8 };
    void *blocks[COUNT_MAX] = {NULL};
    th_allocator allocator = r->instance.allocator;
    size_t count = op->size.value % COUNT_MAX;
    size_t bytes = op->size.value / COUNT_MAX + 1;
    size_t alignment = r->script->config.alignment;
    *acted = !is_spared(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    bool all = th_allocator_alloc_batch(allocator, bytes, alignment, blocks, count);
    r->model.touched = true;
    for (size_t i = 0; i < count; i++) {
        if ((blocks[i] != NULL) != all) {
            return lab_objects(r, LAB_PROPERTY_RESULT, "batch", "block %zu of %zu", i, count);
        }
        if (all && !accept_block(r, blocks[i], bytes, alignment, UINT32_MAX)) {
            return false;
        }
        if (all) {
            memset(blocks[i], (int)i, bytes);
        }
    }
    for (size_t i = 0; all && i < count; i++) {
        const unsigned char *at = blocks[i];
        if (at[0] != i || at[bytes - 1] != i) {
            return lab_objects(r, LAB_PROPERTY_RESULT, "overlap", "within a batch");
        }
    }
    th_allocator_free_batch(allocator, blocks, count);
    return true;
}

/* Every address inside a live block has an owner; so has none outside the backing's blocks. */
static bool do_find(lab_referee *r, const lab_op *op, bool *acted) {
    th_allocator allocator = r->instance.allocator;
    const lab_live *block = NULL;
    *acted = allocator.table->owns != NULL;
    for (uint32_t i = 0; *acted && i < r->model.slots_used; i++) {
        block = &r->model.slots[i];
        if (block->at != NULL &&
            !th_allocator_owns(allocator, block->at + op->size.value % block->bytes)) {
            return lab_objects(r, LAB_PROPERTY_FIND, "owner", "slot %u, byte %zu", i,
                               op->size.value % block->bytes);
        }
    }
    if (*acted && th_allocator_owns(allocator, r)) {
        return lab_objects(r, LAB_PROPERTY_FIND, "foreign", "an address of the harness's is owned");
    }
    return true;
}

static bool do_null(lab_referee *r, const lab_op *op) {
    th_allocator allocator = r->instance.allocator;
    size_t size = lab_size_bytes(op->size);
    size_t huge = (size_t)1 << (sizeof huge * 8 - 1);
    th_allocator_free(allocator, NULL);
    bool refused =
        th_allocator_alloc(allocator, 0) == NULL &&
        th_allocator_alloc(allocator, (size_t)PTRDIFF_MAX + 1) == NULL &&
        th_allocator_alloc(allocator, SIZE_MAX) == NULL &&
        th_allocator_alloc_aligned(allocator, 8, 0) == NULL &&
        th_allocator_alloc_aligned(allocator, 8, 12) == NULL &&
        (is_spared(r, 8, huge) || th_allocator_alloc_aligned(allocator, 8, huge) == NULL) &&
        th_allocator_alloc_array(allocator, SIZE_MAX / 2, 3) == NULL &&
        th_allocator_alloc_array(allocator, size, SIZE_MAX) == NULL &&
        th_allocator_duplicate(allocator, NULL, 8) == NULL &&
        !th_allocator_resize_in_place(allocator, NULL, size) &&
        th_allocator_usable_size(allocator, NULL) == 0 && !th_allocator_owns(allocator, NULL);
    return refused || lab_objects(r, LAB_PROPERTY_RESULT, "accepted", "a bad request");
}

/* ---- attacks ------------------------------------------------------------------------------ */

/* One fault of any kind was due. */
static bool account(lab_referee *r, const char *what) {
    if (r->faults == 0) {
        return lab_objects(r, LAB_PROPERTY_ATTACK, what, "nothing was reported");
    }
    r->faults = 0;
    return true;
}

/* The byte at `at` is written, and the checker asked. */
static bool spoil(lab_referee *r, unsigned char *at, const char *what) {
    lab_content_flip(at, 1);
    bool noticed = th_allocator_check(r->instance.allocator, NULL) != TH_OK;
    lab_content_flip(at, 1);
    return noticed || lab_objects(r, LAB_PROPERTY_ATTACK, what, "nothing was reported");
}

static bool overflow(lab_referee *r, uint32_t slot, bool *acted) {
    th_allocator allocator = r->instance.allocator;
    const lab_live *block = &r->model.slots[slot];
    unsigned char *behind = block->at + open_bytes(r, block->bytes);
    *acted = lab_referee_has(r, LAB_SUBJECT_CANARIES) && allocator.table->usable_size != NULL &&
             has_slack(r, block->bytes, th_allocator_usable_size(allocator, block->at));
    if (!*acted) {
        return true;
    }
    lab_content_flip(behind, 1);
    th_allocator_free(allocator, block->at);
    lab_content_flip(behind, 1);
    return account(r, "canary");
}

static bool free_wrong(lab_referee *r, uint32_t slot, size_t distance, bool *acted) {
    const lab_live *block = &r->model.slots[slot];
    *acted = lab_referee_has(r, LAB_SUBJECT_POINTERS) && distance < block->bytes && distance > 0;
    if (!*acted) {
        return true;
    }
    th_allocator_free(r->instance.allocator, block->at + distance);
    return account(r, "pointer");
}

static bool free_twice(lab_referee *r, uint32_t slot, bool *acted) {
    void *at = r->model.slots[slot].at;
    *acted = lab_referee_has(r, LAB_SUBJECT_POINTERS);
    if (!*acted) {
        return true;
    }
    if (!do_free(r, slot)) {
        return false;
    }
    if (r->faults != 0) {
        return true; /* the caller reports it */
    }
    th_allocator_free(r->instance.allocator, at);
    return account(r, "double free");
}

static bool write_after_free(lab_referee *r, uint32_t slot, bool *acted) {
    unsigned char *at = r->model.slots[slot].at;
    size_t last = r->model.slots[slot].bytes - 1;
    *acted = lab_referee_has(r, LAB_SUBJECT_POISON) && r->script->config.guard >= 2 &&
             th_heap_guard_max() >= 2;
    if (!*acted) {
        return true;
    }
    if (!do_free(r, slot)) {
        return false;
    }
    if (!lab_referee_has(r, LAB_SUBJECT_OWN_MEMORY) &&
        !lab_backing_contains(&r->backing, at, last + 1)) {
        return true; /* went back to the backing */
    }
    return spoil(r, at + last, "poison");
}

/* The same, and a block is asked for that would lie there. The witness is passed by: what is
 * refused for damage is no request that found no room. */
static bool spoil_and_ask(lab_referee *r, unsigned char *at) {
    lab_content_flip(at, 1);
    bool refused = th_allocator_alloc(r->witness.instance.allocator, 1) == NULL;
    lab_content_flip(at, 1);
    return account(r, "watched canary") &&
           (refused || lab_objects(r, LAB_PROPERTY_ATTACK, "watched canary", "built upon"));
}

static bool spoil_watched(lab_referee *r, const lab_op *op, bool *acted) {
    lab_watched watched = {.at = NULL};
    bool poison = op->attack == LAB_ATTACK_POISON;
    bool may = !poison || (r->script->config.guard >= 2 && th_heap_guard_max() >= 2);
    r->subject->watch(r->instance.state, &watched);
    size_t bytes = poison ? watched.poison_bytes : watched.canary_bytes;
    *acted = may && bytes > 0;
    if (!*acted) {
        return true;
    }
    size_t at = op->size.value % bytes;
    if (poison) {
        return spoil(r, watched.at + watched.canary_bytes + at, "watched poison");
    }
    bool ask = op->size.value / bytes % 2 != 0 && watched.room > TH_ALLOCATOR_ALIGNMENT;
    return ask ? spoil_and_ask(r, watched.at + at) : spoil(r, watched.at + at, "watched canary");
}

static bool do_attack(lab_referee *r, const lab_op *op, bool *acted) {
    if (r->script->config.guard == 0 || th_heap_guard_max() == 0) {
        *acted = false;
        return true;
    }
    if (r->subject->watch != NULL &&
        (op->attack == LAB_ATTACK_CANARY || op->attack == LAB_ATTACK_POISON)) {
        return spoil_watched(r, op, acted);
    }
    switch (op->attack) {
    case LAB_ATTACK_CANARY:
        return overflow(r, op->slot, acted);
    case LAB_ATTACK_POINTER:
        return free_wrong(r, op->slot, op->size.value % 4096, acted);
    case LAB_ATTACK_POISON:
        return write_after_free(r, op->slot, acted);
    case LAB_ATTACK_HEADER:
        return free_twice(r, op->slot, acted);
    default:
        *acted = false;
        return true;
    }
}

/* ---- dispatch ----------------------------------------------------------------------------- */

bool lab_referee_do(lab_referee *r, const lab_op *op, bool *acted) {
    bool takes_slot = (lab_op_fields[op->kind] & LAB_FIELD_SLOT) != 0;
    bool allocates = op->kind == LAB_OP_ALLOC || op->kind == LAB_OP_ALIGNED;
    r->backing.refused = false;
    *acted = !takes_slot || (r->model.slots[op->slot].at == NULL) == allocates;
    if (!*acted) {
        return true;
    }
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_ALLOC:
        return do_alloc(r, op, acted);
    case LAB_OP_ALIGNED:
        return do_aligned(r, op, acted);
    case LAB_OP_RESIZE:
        return do_resize(r, op, acted);
    case LAB_OP_TRIM:
        return do_trim(r, op);
    case LAB_OP_FREE:
        return do_free(r, op->slot);
    case LAB_OP_FREE_TAGS:
        do_many(r, acted);
        return true;
    case LAB_OP_COMPACT:
        do_mark(r, acted);
        return true;
    case LAB_OP_COMPACT_SOME:
        return do_batch(r, op, acted);
    case LAB_OP_FIND:
        return do_find(r, op, acted);
    case LAB_OP_NULL:
        return do_null(r, op);
    case LAB_OP_ATTACK:
        return do_attack(r, op, acted);
    case LAB_OP_COPY:
        if (r->subject->rollback != NULL) {
            do_reset(r, acted);
            return true;
        }
        break;
    case LAB_OP_INIT:
    case LAB_OP_COUNT:
        break;
    }
    *acted = false;
    return true;
}

bool lab_referee_free_all(lab_referee *r) {
    for (uint32_t i = r->model.slots_used; i-- > 0;) {
        if (r->model.slots[i].at != NULL && !do_free(r, i)) {
            return false;
        }
    }
    size_t sure = r->instance.empty_sure;
    if (sure == 0 || !lab_referee_has(r, LAB_SUBJECT_FREES)) {
        return true;
    }
    r->backing.refused = false;
    void *at = th_allocator_alloc_aligned(r->instance.allocator, sure, r->script->config.alignment);
    if (at == NULL) {
        return lab_objects(r, LAB_PROPERTY_RESULT, "refused", "%zu bytes, though all are free",
                           sure);
    }
    th_allocator_free(r->instance.allocator, at);
    return true;
}
