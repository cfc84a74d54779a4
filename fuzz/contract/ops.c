/* SPDX-License-Identifier: MIT */
/* What the runner does for each operation, and what it demands of the answer. */
#include "contract/state.h"

/* ---- what happens to a block -------------------------------------------------------------- */

/* What is larger than a script can say plainly is of no use but to see that it can be had: such
 * blocks would fill the machine's memory. */
static bool drop_if_huge(lab_contract_runner *r, uint32_t slot) {
    return r->model.slots[slot].bytes <= LAB_SIZE_VALUE_MAX || lab_contract_runner_drop(r, slot);
}

static bool has_become(lab_contract_runner *r, uint32_t slot, unsigned char *at, size_t bytes) {
    const lab_contract_block *block = &r->model.slots[slot];
    size_t old = block->bytes;
    size_t kept = bytes < old ? bytes : old;
    lab_given given;
    if (!lab_contract_runner_given(r, at, bytes, block->alignment, slot, &given)) {
        return false;
    }
    size_t wrong = lab_contract_move(&r->model, slot, &given);
    return wrong == kept ? drop_if_huge(r, slot)
                         : lab_contract_runner_fail(
                               r, LAB_PROPERTY_CONTENTS, "kept",
                               "slot %u was resized from %zu to %zu bytes: byte %zu differs", slot,
                               old, bytes, wrong);
}

/* What the slot's block could be resized to in place, if it is promised that this matters. */
static size_t usable_now(const lab_contract_runner *r, uint32_t slot) {
    return r->instance.keeps_least != 0
               ? th_allocator_usable_size(r->instance.allocator, r->model.slots[slot].at)
               : 0;
}

/* The slot's block, of which so much was usable, has become shorter where it is: has it kept more
 * than is promised? What finds no other place may. */
static bool has_given_back(lab_contract_runner *r, uint32_t slot, size_t usable) {
    const lab_contract_block *block = &r->model.slots[slot];
    if (block->bytes >= usable / 2 || r->backing.refused) {
        return true;
    }
    size_t left = usable_now(r, slot);
    return left <= r->instance.keeps_least || left <= 2 * block->bytes ||
           lab_contract_runner_fail(
               r, LAB_PROPERTY_RESULT, "kept memory",
               "slot %u was resized to %zu bytes in place, and keeps %zu of %zu usable", slot,
               block->bytes, left, usable);
}

/* All that is said to be usable of the slot's block can be had in place, and given back. */
static bool use_all(lab_contract_runner *r, uint32_t slot) {
    th_allocator allocator = r->instance.allocator;
    const lab_contract_block *block = &r->model.slots[slot];
    size_t bytes = block->bytes;
    if (block->at == NULL || allocator.table->resize_in_place == NULL ||
        allocator.table->usable_size == NULL) {
        return true;
    }
    size_t usable = th_allocator_usable_size(allocator, block->at);
    if (lab_contract_runner_is_beyond(r, usable, block->alignment)) {
        return true; /* said of pages, though not so much may be asked for */
    }
    if (!th_allocator_resize_in_place(allocator, block->at, usable)) {
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_RESULT, "usable size",
            "slot %u of %zu bytes is said to be of use up to %zu, but cannot be "
            "made as large in place",
            slot, bytes, usable);
    }
    return has_become(r, slot, block->at, usable) &&
           (!th_allocator_resize_in_place(allocator, block->at, bytes) ||
            has_become(r, slot, block->at, bytes));
}

/* ---- allocation --------------------------------------------------------------------------- */

/* What is duplicated. */
enum { DUPLICATED_BYTES_MAX = 256 };
static const unsigned char source[DUPLICATED_BYTES_MAX] = "what is duplicated";

/* Of the blocks that are made in the end, because they must fit, so much is written. */
enum { PROBED_BYTES = 64 };

/* Counted: an even number of bytes as elements of two bytes, and so on. */
static size_t element_of(size_t bytes) {
    return bytes % 8 == 0 ? 8 : bytes % 2 == 0 ? 2 : 1;
}

/* Nothing is written by the library's wrappers to a block that cannot be before it was looked at,
 * nor to a huge one. */
static lab_deed flavour_of(const lab_contract_runner *r, lab_deed flavour, size_t bytes) {
    bool zero_is_asked = bytes == 0 && lab_contract_runner_has(r, LAB_SUBJECT_ZERO_GIVES);
    if (zero_is_asked || (flavour == LAB_DEED_DUPLICATE && bytes > DUPLICATED_BYTES_MAX)) {
        return LAB_DEED_ALLOC;
    }
    bool own_array = flavour == LAB_DEED_ARRAY && r->subject->alloc_array != NULL;
    size_t most = lab_contract_runner_has(r, LAB_SUBJECT_OWN_MEMORY) ? LAB_CONTENTS_WHOLE_MAX
                                                                     : r->backing.budget;
    return bytes > most && !own_array ? LAB_DEED_ALLOC : flavour;
}

/* Requests of 0 bytes are not the library's to refuse where the subject says what they are. */
static void *ask(const lab_contract_runner *r, size_t bytes, size_t alignment) {
    const unsigned says = LAB_SUBJECT_ZERO_GIVES | LAB_SUBJECT_ZERO_REFUSED;
    th_allocator allocator = r->instance.allocator;
    bool is_zero = bytes == 0 && lab_contract_runner_has(r, says) &&
                   !lab_contract_runner_is_absurd(r, 1, alignment);
    return is_zero ? allocator.table->alloc(allocator.self, 0, alignment)
                   : th_allocator_alloc_aligned(allocator, bytes, alignment);
}

static void *request(lab_contract_runner *r, lab_deed flavour, size_t bytes) {
    th_allocator allocator = r->instance.allocator;
    size_t element = element_of(bytes);
    switch (flavour) {
    case LAB_DEED_ZEROED:
        return th_allocator_alloc_zeroed(allocator, bytes);
    case LAB_DEED_ARRAY:
        return r->subject->alloc_array != NULL
                   ? lab_observer_alloc_array(&r->observer, bytes / element, element)
                   : th_allocator_alloc_array_zeroed(allocator, bytes / element, element);
    case LAB_DEED_DUPLICATE:
        return th_allocator_duplicate(allocator, source, bytes);
    default:
        return ask(r, bytes, r->script->config.alignment);
    }
}

/* Of what the flavour promises of the contents, the first byte that is not so; `bytes`: there is
 * none. Of large blocks both ends are looked at. */
static size_t first_broken(lab_deed flavour, const unsigned char *at, size_t bytes) {
    size_t tail = bytes > LAB_CONTENTS_WHOLE_MAX ? bytes - LAB_CONTENTS_END_BYTES : 0;
    size_t i = 0;
    while (i < bytes && at[i] == (flavour == LAB_DEED_DUPLICATE ? source[i] : 0)) {
        i++;
        i = i >= LAB_CONTENTS_WHOLE_MAX && i < tail ? tail : i;
    }
    return i;
}

static bool give(lab_contract_runner *r, uint32_t slot, unsigned char *at, size_t bytes,
                 size_t alignment, lab_deed flavour) {
    lab_given given;
    if (at == NULL) {
        return lab_contract_runner_refused(r, bytes, alignment);
    }
    if (!lab_contract_runner_given(r, at, bytes, alignment, LAB_NO_SLOT, &given)) {
        return false;
    }
    size_t broken = flavour == LAB_DEED_ALLOC ? bytes : first_broken(flavour, at, bytes);
    if (broken < bytes) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_CONTENTS,
                                        flavour == LAB_DEED_DUPLICATE ? "duplicate" : "zeroed",
                                        "byte %zu of %zu is 0x%02x", broken, bytes, at[broken]);
    }
    lab_contract_put(&r->model, slot, &given);
    return drop_if_huge(r, slot);
}

/* Under a tag. What the library's wrappers would refuse does not get to the subject. */
static bool do_alloc_tagged(lab_contract_runner *r, const lab_op *op, size_t alignment, bool zeroed,
                            bool *acted) {
    size_t bytes = lab_size_bytes(op->size);
    bool is_tag = op->tag <= r->instance.tag_max;
    unsigned char *at = NULL;
    *acted = !lab_contract_runner_skips(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    if (!lab_contract_runner_is_absurd(r, bytes, alignment)) {
        at = lab_observer_alloc_tagged(&r->observer, bytes, alignment, op->tag, zeroed);
    }
    if (!is_tag) {
        return at == NULL || lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "accepted",
                                                      "the tag 0x%04x; tag_max is 0x%04x", op->tag,
                                                      r->instance.tag_max);
    }
    if (!give(r, op->slot, at, bytes, alignment, zeroed ? LAB_DEED_ZEROED : LAB_DEED_ALLOC)) {
        return false;
    }
    r->model.slots[op->slot].tag = op->tag;
    return true;
}

/* After the newest block, which is the slot's, nothing is owned but other blocks. */
static bool ends_there(lab_contract_runner *r, uint32_t slot) {
    th_allocator allocator = r->instance.allocator;
    const lab_contract_block *block = &r->model.slots[slot];
    if (!lab_contract_runner_has(r, LAB_SUBJECT_ENDS) || block->at == NULL) {
        return true;
    }
    const unsigned char *end = block->at + block->bytes;
    if (!th_allocator_owns(allocator, end)) {
        return true;
    }
    size_t usable = th_allocator_usable_size(allocator, block->at);
    end = usable > block->bytes ? block->at + usable : end;
    return !th_allocator_owns(allocator, end) ||
           lab_contract_overlap(&r->model, end, 1, 0, LAB_NO_SLOT) != LAB_NO_SLOT ||
           lab_contract_runner_fail(
               r, LAB_PROPERTY_FIND, "end",
               "slot %u of %zu bytes, %zu of them usable: the byte after these is owned", slot,
               block->bytes, usable);
}

static bool do_alloc(lab_contract_runner *r, const lab_op *op, lab_deed deed, bool *acted) {
    size_t bytes = lab_size_bytes(op->size);
    lab_deed flavour = flavour_of(r, deed, bytes);
    size_t alignment =
        flavour == LAB_DEED_ALLOC ? r->script->config.alignment : TH_ALLOCATOR_ALIGNMENT;
    *acted = !lab_contract_runner_skips(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    return give(r, op->slot, request(r, flavour, bytes), bytes, alignment, flavour) &&
           (!lab_tag_checks_end(op->tag) || ends_there(r, op->slot)) &&
           (!lab_tag_uses_all(op->tag) || use_all(r, op->slot));
}

static bool do_aligned(lab_contract_runner *r, const lab_op *op, bool *acted) {
    size_t bytes = lab_size_bytes(op->size);
    size_t alignment = lab_align_bytes(op->align);
    *acted = !lab_contract_runner_skips(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    return give(r, op->slot, ask(r, bytes, alignment), bytes, alignment, LAB_DEED_ALLOC);
}

/* ---- resizing ----------------------------------------------------------------------------- */

/* The subject's own way to free by a resize, if it has one. */
static bool resize_to_nothing(lab_contract_runner *r, uint32_t slot) {
    th_allocator allocator = r->instance.allocator;
    const lab_contract_block block = r->model.slots[slot];
    if (allocator.table->realloc == NULL) {
        return lab_contract_runner_drop(r, slot);
    }
    if (!lab_contract_runner_unchanged(r, slot)) {
        return false;
    }
    lab_contract_drop(&r->model, slot);
    void *at = allocator.table->realloc(allocator.self, block.at, block.bytes, 0, block.alignment);
    return at == NULL ||
           lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "accepted",
                                    "a resize of %zu bytes to 0 gave a block", block.bytes);
}

static bool do_resize(lab_contract_runner *r, const lab_op *op, bool *acted) {
    const lab_contract_block *block = &r->model.slots[op->slot];
    size_t bytes = lab_size_bytes(op->size);
    unsigned char *old = block->at;
    bool moved = true;
    if (bytes == 0) {
        return lab_contract_runner_has(r, LAB_SUBJECT_ZERO_REFUSED)
                   ? resize_to_nothing(r, op->slot)
                   : lab_contract_runner_drop(r, op->slot);
    }
    *acted = !lab_contract_runner_skips(r, bytes, block->alignment);
    if (!*acted) {
        return true;
    }
    size_t usable = usable_now(r, op->slot);
    unsigned char *at = th_allocator_realloc(r->instance.allocator, old, block->bytes, bytes,
                                             block->alignment, &moved);
    if (at == NULL) {
        bool shrinks = bytes <= block->bytes;
        if (moved) {
            return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "moved",
                                            "a failed resize from %zu to %zu bytes says it moved",
                                            block->bytes, bytes);
        }
        return (shrinks || lab_contract_runner_refused(r, bytes, block->alignment)) &&
               lab_contract_runner_unchanged(r, op->slot);
    }
    if (moved != (at != old)) {
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_RESULT, "moved",
            "a resize from %zu to %zu bytes says %s, but did the other thing", block->bytes, bytes,
            moved ? "it moved" : "it did not move");
    }
    if (moved && r->instance.allocator.table->realloc == NULL) {
        r->model.slots[op->slot].tag = 0; /* as one of the table's alloc */
    }
    return has_become(r, op->slot, at, bytes) && (moved || has_given_back(r, op->slot, usable));
}

static bool do_halve(lab_contract_runner *r, const lab_op *op) {
    const lab_contract_block *block = &r->model.slots[op->slot];
    size_t half = block->bytes - block->bytes / 2;
    size_t usable = usable_now(r, op->slot);
    if (!th_allocator_resize_in_place(r->instance.allocator, block->at, half)) {
        return lab_contract_runner_unchanged(r, op->slot);
    }
    return has_become(r, op->slot, block->at, half) && has_given_back(r, op->slot, usable);
}

/* ---- the whole subject -------------------------------------------------------------------- */

static void do_reset(lab_contract_runner *r, bool *acted) {
    *acted = th_allocator_reset(r->instance.allocator) != TH_ERR_UNSUPPORTED;
    if (*acted) {
        lab_contract_reset(&r->model);
    }
}

static void do_rollback(lab_contract_runner *r) {
    r->subject->rollback(r->instance.state);
    r->model.mixed = true;
    lab_contract_rollback(&r->model);
    lab_observer_look(&r->observer);
}

static void do_mark(lab_contract_runner *r, bool *acted) {
    *acted = r->subject->mark != NULL;
    if (*acted) {
        r->model.mixed = true;
        r->subject->mark(r->instance.state);
        lab_contract_mark(&r->model);
        lab_observer_look(&r->observer);
    }
}

static void do_end_frame(lab_contract_runner *r) {
    r->subject->flip(r->instance.state);
    r->model.mixed = true;
    lab_contract_flip(&r->model);
    lab_observer_flip(&r->observer);
}

/* ---- dispatch ----------------------------------------------------------------------------- */

static bool do_deed(lab_contract_runner *r, const lab_op *op, lab_deed deed, bool *acted) {
    bool is_tagged = r->subject->tags != NULL;
    switch (deed) {
    case LAB_DEED_ALLOC:
    case LAB_DEED_ZEROED:
        return is_tagged ? do_alloc_tagged(r, op, r->script->config.alignment,
                                           deed == LAB_DEED_ZEROED, acted)
                         : do_alloc(r, op, deed, acted);
    case LAB_DEED_ARRAY:
    case LAB_DEED_DUPLICATE:
        return do_alloc(r, op, deed, acted);
    case LAB_DEED_ALIGNED:
        return is_tagged ? do_alloc_tagged(r, op, lab_align_bytes(op->align), false, acted)
                         : do_aligned(r, op, acted);
    case LAB_DEED_RESIZE:
        return do_resize(r, op, acted);
    case LAB_DEED_HALVE:
        return do_halve(r, op);
    case LAB_DEED_FREE:
        return lab_contract_runner_drop(r, op->slot);
    case LAB_DEED_BATCH:
        return lab_contract_runner_batch(r, op, acted);
    case LAB_DEED_FIND:
        return lab_contract_runner_find(r, op, acted);
    case LAB_DEED_REFUSALS:
        return lab_contract_runner_refusals(r, op);
    case LAB_DEED_OVERFLOW:
    case LAB_DEED_FREE_INSIDE:
    case LAB_DEED_USE_AFTER_FREE:
    case LAB_DEED_DOUBLE_FREE:
        return lab_contract_runner_misuse(r, op, deed, acted);
    case LAB_DEED_MARK:
        do_mark(r, acted);
        break;
    case LAB_DEED_ROLLBACK:
        do_rollback(r);
        break;
    case LAB_DEED_RESET:
        do_reset(r, acted);
        break;
    case LAB_DEED_END_FRAME:
        do_end_frame(r);
        break;
    case LAB_DEED_FREE_TAGS:
        return lab_contract_runner_free_tags(r, op);
    case LAB_DEED_COMPACT:
        return lab_contract_runner_compact(r, op, SIZE_MAX, acted);
    case LAB_DEED_COMPACT_SOME:
        return lab_contract_runner_compact(r, op, lab_size_bytes(op->size), acted);
    case LAB_DEED_INIT: /* the caller's */
        break;
    }
    return true;
}

bool lab_contract_runner_do(lab_contract_runner *r, const lab_op *op, bool *acted) {
    bool takes_slot = (lab_op_fields[op->kind] & LAB_FIELD_SLOT) != 0;
    const lab_deed_rule *rule = lab_deed_of(lab_subject_family(r->subject), op);
    r->backing.refused = false;
    *acted = rule != NULL && (!takes_slot || lab_op_suits(op, r->model.slots[op->slot].at != NULL));
    return !*acted || do_deed(r, op, (lab_deed)rule->deed, acted);
}

/* `count` blocks of equal size, as large as is promised, are given at once, and freed. Nothing is
 * live. */
static bool holds(lab_contract_runner *r, size_t whole, size_t each, uint32_t count) {
    const lab_instance *instance = &r->instance;
    size_t alignment = r->script->config.alignment;
    size_t bytes = whole / count > each ? whole / count - each : 0;
    bytes = instance->bytes_max != 0 && bytes > instance->bytes_max ? instance->bytes_max : bytes;
    if (bytes == 0 || (instance->holds_blocks != 0 && count > instance->holds_blocks)) {
        return true;
    }
    r->backing.refused = false;
    for (uint32_t slot = 0; slot < count; slot++) {
        lab_given given;
        unsigned char *at = request(r, LAB_DEED_ALLOC, bytes);
        if (at == NULL && lab_contract_runner_refused(r, bytes, alignment)) {
            break;
        }
        if (at == NULL ||
            !lab_contract_runner_given(r, at, bytes, alignment, LAB_NO_SLOT, &given)) {
            return false;
        }
        /* To fill whole regions would take longer than most scripts. */
        given.written = bytes < PROBED_BYTES ? bytes : PROBED_BYTES;
        lab_contract_put(&r->model, slot, &given);
    }
    for (uint32_t slot = 0; slot < count; slot++) {
        if (r->model.slots[slot].at != NULL && !lab_contract_runner_drop(r, slot)) {
            return false;
        }
    }
    return true;
}

bool lab_contract_runner_free_all(lab_contract_runner *r) {
    /* One way each, chosen by what the shrinker leaves alone: a guarded subject writes all of it.
     */
    static const uint32_t pieces[] = {4, 16, 1};
    const lab_instance *instance = &r->instance;
    size_t each = instance->holds_extra + r->script->config.alignment;
    bool frees = lab_contract_runner_has(r, LAB_SUBJECT_FREES);
    bool is_reset = false;
    for (uint32_t i = r->model.slots_used; i-- > 0;) {
        if (r->model.slots[i].at != NULL && !lab_contract_runner_drop(r, i)) {
            return false;
        }
    }
    if (!frees && instance->holds != 0) {
        do_reset(r, &is_reset);
    }
    uint32_t count = pieces[r->script->config.skew % (sizeof pieces / sizeof pieces[0])];
    if ((frees || is_reset) && !holds(r, instance->holds, each, count)) {
        return false;
    }
    return !frees || holds(r, instance->empty_guaranteed, 0, 1);
}
