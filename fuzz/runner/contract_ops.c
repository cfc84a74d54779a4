/* SPDX-License-Identifier: MIT */
/* What the referee does for each operation, and what it demands of the answer. */
#include <string.h>

#include "runner/content.h"
#include "runner/referee.h"

/* ---- what happens to a block -------------------------------------------------------------- */

static bool is_as_it_was(lab_referee *r, uint32_t slot) {
    const lab_live *block = &r->model.slots[slot];
    size_t wrong = lab_contract_wrong_byte(&r->model, slot);
    return wrong == block->written ||
           lab_objects(r, LAB_PROPERTY_CONTENTS, "bytes", "slot %u: byte %zu of %zu differs", slot,
                       wrong, block->written);
}

static bool do_free(lab_referee *r, uint32_t slot) {
    void *at = r->model.slots[slot].at;
    if (!is_as_it_was(r, slot)) {
        return false;
    }
    lab_contract_drop(&r->model, slot);
    th_allocator_free(r->instance.allocator, at);
    if (r->model.live == 0 && lab_referee_has(r, LAB_SUBJECT_FREES)) {
        r->model.mixed = false; /* empty: it may begin anew */
    }
    return true;
}

bool lab_referee_drop(lab_referee *r, uint32_t slot) {
    return do_free(r, slot);
}

/* What is larger than a script can say plainly is of no use but to see that it can be had: such
 * blocks would fill the machine's memory. */
static bool drop_if_huge(lab_referee *r, uint32_t slot) {
    return r->model.slots[slot].bytes <= LAB_SIZE_VALUE_MAX || do_free(r, slot);
}

static bool has_become(lab_referee *r, uint32_t slot, unsigned char *at, size_t bytes) {
    const lab_live *block = &r->model.slots[slot];
    size_t old = block->bytes;
    size_t kept = bytes < old ? bytes : old;
    lab_given given;
    if (!lab_referee_given(r, at, bytes, block->alignment, slot, &given)) {
        return false;
    }
    size_t wrong = lab_contract_move(&r->model, slot, &given);
    return wrong == kept
               ? drop_if_huge(r, slot)
               : lab_objects(r, LAB_PROPERTY_CONTENTS, "kept",
                             "slot %u was resized from %zu to %zu bytes: byte %zu differs", slot,
                             old, bytes, wrong);
}

/* What the slot's block could be resized to in place, if it is promised that this matters. */
static size_t usable_now(const lab_referee *r, uint32_t slot) {
    return r->instance.keeps_least != 0
               ? th_allocator_usable_size(r->instance.allocator, r->model.slots[slot].at)
               : 0;
}

/* The slot's block, of which so much was usable, has become shorter where it is: has it kept more
 * than is promised? What finds no other place may. */
static bool has_given_back(lab_referee *r, uint32_t slot, size_t usable) {
    const lab_live *block = &r->model.slots[slot];
    if (block->bytes >= usable / 2 || r->backing.refused) {
        return true;
    }
    size_t left = usable_now(r, slot);
    return left <= r->instance.keeps_least || left <= 2 * block->bytes ||
           lab_objects(r, LAB_PROPERTY_RESULT, "kept memory",
                       "slot %u was resized to %zu bytes in place, and keeps %zu of %zu usable",
                       slot, block->bytes, left, usable);
}

/* All that is said to be usable of the slot's block can be had in place, and given back. */
static bool use_all(lab_referee *r, uint32_t slot) {
    th_allocator allocator = r->instance.allocator;
    const lab_live *block = &r->model.slots[slot];
    size_t bytes = block->bytes;
    if (block->at == NULL || allocator.table->resize_in_place == NULL ||
        allocator.table->usable_size == NULL) {
        return true;
    }
    size_t usable = th_allocator_usable_size(allocator, block->at);
    if (lab_referee_is_beyond(r, usable, block->alignment)) {
        return true; /* said of pages, though not so much may be asked for */
    }
    if (!th_allocator_resize_in_place(allocator, block->at, usable)) {
        return lab_objects(r, LAB_PROPERTY_RESULT, "usable size",
                           "slot %u of %zu bytes is said to be of use up to %zu, but cannot be "
                           "made as large in place",
                           slot, bytes, usable);
    }
    return has_become(r, slot, block->at, usable) &&
           (!th_allocator_resize_in_place(allocator, block->at, bytes) ||
            has_become(r, slot, block->at, bytes));
}

/* ---- allocation --------------------------------------------------------------------------- */

enum { PLAIN, ZEROED, COUNTED, DUPLICATED, FLAVOURS };

/* Of the blocks that are made in the end, because they must fit, so much is written. */
enum { PROBED_BYTES = 64 };

/* One of so many allocations is asked about: it takes some owners long to answer. */
enum { ENDS_ASKED_FOR = 4, USES_ASKED_FOR = 4 };

/* Counted: an even number of bytes as elements of two bytes, and so on. */
static size_t element_of(size_t bytes) {
    return bytes % 8 == 0 ? 8 : bytes % 2 == 0 ? 2 : 1;
}

/* Nothing is written by the library's wrappers to a block that cannot be before it was looked at,
 * nor to a huge one. */
static unsigned flavour_of(const lab_referee *r, const lab_op *op, size_t bytes) {
    unsigned flavour = op->tag % FLAVOURS;
    if (flavour == DUPLICATED && bytes > 256) {
        return PLAIN;
    }
    bool own_array = flavour == COUNTED && r->subject->alloc_array != NULL;
    size_t most =
        lab_referee_has(r, LAB_SUBJECT_OWN_MEMORY) ? LAB_CONTENTS_WHOLE_MAX : r->backing.budget;
    return bytes > most && !own_array ? PLAIN : flavour;
}

static void *request(lab_referee *r, unsigned flavour, size_t bytes) {
    static const unsigned char source[256] = "what is duplicated";
    th_allocator allocator = r->instance.allocator;
    size_t element = element_of(bytes);
    switch (flavour) {
    case ZEROED:
        return th_allocator_alloc_zeroed(allocator, bytes);
    case COUNTED:
        return r->subject->alloc_array != NULL
                   ? lab_witness_alloc_array(&r->witness, bytes / element, element)
                   : th_allocator_alloc_array_zeroed(allocator, bytes / element, element);
    case DUPLICATED:
        return th_allocator_duplicate(allocator, source, bytes);
    default:
        return th_allocator_alloc_aligned(allocator, bytes, r->script->config.alignment);
    }
}

/* Of what the flavour promises of the contents, the first byte that is not so; `bytes`: there is
 * none. Of large blocks both ends are looked at. */
static size_t first_broken(unsigned flavour, const unsigned char *at, size_t bytes) {
    static const unsigned char source[256] = "what is duplicated";
    size_t tail = bytes > LAB_CONTENTS_WHOLE_MAX ? bytes - LAB_CONTENTS_END_BYTES : 0;
    size_t i = 0;
    while (i < bytes && at[i] == (flavour == DUPLICATED ? source[i] : 0)) {
        i++;
        i = i >= LAB_CONTENTS_WHOLE_MAX && i < tail ? tail : i;
    }
    return i;
}

static bool give(lab_referee *r, uint32_t slot, unsigned char *at, size_t bytes, size_t alignment,
                 unsigned flavour) {
    lab_given given;
    if (at == NULL) {
        return lab_referee_refused(r, bytes, alignment);
    }
    if (!lab_referee_given(r, at, bytes, alignment, LAB_NO_SLOT, &given)) {
        return false;
    }
    size_t broken = flavour == PLAIN ? bytes : first_broken(flavour, at, bytes);
    if (broken < bytes) {
        return lab_objects(r, LAB_PROPERTY_CONTENTS, flavour == DUPLICATED ? "duplicate" : "zeroed",
                           "byte %zu of %zu is 0x%02x", broken, bytes, at[broken]);
    }
    lab_contract_put(&r->model, slot, &given);
    return drop_if_huge(r, slot);
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
           lab_contract_overlap(&r->model, end, 1, 0, LAB_NO_SLOT) != LAB_NO_SLOT ||
           lab_objects(r, LAB_PROPERTY_FIND, "end",
                       "slot %u of %zu bytes, %zu of them usable: the byte behind these is owned",
                       slot, block->bytes, usable);
}

static bool do_alloc(lab_referee *r, const lab_op *op, bool *acted) {
    size_t bytes = lab_size_bytes(op->size);
    unsigned flavour = flavour_of(r, op, bytes);
    size_t alignment = flavour == PLAIN ? r->script->config.alignment : TH_ALLOCATOR_ALIGNMENT;
    *acted = !lab_referee_spares(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    return give(r, op->slot, request(r, flavour, bytes), bytes, alignment, flavour) &&
           (op->tag / FLAVOURS % ENDS_ASKED_FOR != 0 || ends_there(r, op->slot)) &&
           (op->tag / (FLAVOURS * ENDS_ASKED_FOR) % USES_ASKED_FOR != 1 || use_all(r, op->slot));
}

static bool do_aligned(lab_referee *r, const lab_op *op, bool *acted) {
    size_t bytes = lab_size_bytes(op->size);
    size_t alignment = lab_align_bytes(op->align);
    *acted = !lab_referee_spares(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    unsigned char *at = th_allocator_alloc_aligned(r->instance.allocator, bytes, alignment);
    return give(r, op->slot, at, bytes, alignment, PLAIN);
}

/* ---- resizing ----------------------------------------------------------------------------- */

static bool do_resize(lab_referee *r, const lab_op *op, bool *acted) {
    const lab_live *block = &r->model.slots[op->slot];
    size_t bytes = lab_size_bytes(op->size);
    unsigned char *old = block->at;
    bool moved = true;
    if (bytes == 0) {
        return do_free(r, op->slot);
    }
    *acted = !lab_referee_spares(r, bytes, block->alignment);
    if (!*acted) {
        return true;
    }
    size_t usable = usable_now(r, op->slot);
    unsigned char *at = th_allocator_resize(r->instance.allocator, old, block->bytes, bytes,
                                            block->alignment, &moved);
    if (at == NULL) {
        bool shrinks = bytes <= block->bytes;
        if (moved) {
            return lab_objects(r, LAB_PROPERTY_RESULT, "moved",
                               "a failed resize from %zu to %zu bytes says it moved", block->bytes,
                               bytes);
        }
        return (shrinks || lab_referee_refused(r, bytes, block->alignment)) &&
               is_as_it_was(r, op->slot);
    }
    if (moved != (at != old)) {
        return lab_objects(r, LAB_PROPERTY_RESULT, "moved",
                           "a resize from %zu to %zu bytes says %s, but did the other thing",
                           block->bytes, bytes, moved ? "it moved" : "it did not move");
    }
    return has_become(r, op->slot, at, bytes) && (moved || has_given_back(r, op->slot, usable));
}

static bool do_trim(lab_referee *r, const lab_op *op) {
    const lab_live *block = &r->model.slots[op->slot];
    size_t half = block->bytes - block->bytes / 2;
    size_t usable = usable_now(r, op->slot);
    if (!th_allocator_resize_in_place(r->instance.allocator, block->at, half)) {
        return is_as_it_was(r, op->slot);
    }
    return has_become(r, op->slot, block->at, half) && has_given_back(r, op->slot, usable);
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
    r->model.mixed = true;
    lab_contract_rollback(&r->model);
    lab_witness_look(&r->witness);
}

static void do_mark(lab_referee *r, bool *acted) {
    *acted = r->subject->mark != NULL || r->subject->flip != NULL;
    if (r->subject->mark != NULL) {
        r->model.mixed = true;
        r->subject->mark(r->instance.state);
        lab_contract_mark(&r->model);
        lab_witness_look(&r->witness);
    }
    if (r->subject->flip != NULL) {
        r->subject->flip(r->instance.state);
        r->model.mixed = true;
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
    *acted = !lab_referee_spares(r, bytes, alignment);
    if (!*acted) {
        return true;
    }
    bool all = th_allocator_alloc_batch(allocator, bytes, alignment, blocks, count);
    r->model.touched = true;
    r->model.mixed = true;
    for (size_t i = 0; i < count; i++) {
        lab_given given;
        if ((blocks[i] != NULL) != all) {
            return lab_objects(r, LAB_PROPERTY_RESULT, "batch",
                               "of %zu blocks of %zu bytes %s were given, but block %zu is %s",
                               count, bytes, all ? "all" : "not all", i, all ? "NULL" : "not NULL");
        }
        if (all && !lab_referee_given(r, blocks[i], bytes, alignment, LAB_NO_SLOT, &given)) {
            return false;
        }
        if (all) {
            memset(blocks[i], (int)i, bytes);
        }
    }
    for (size_t i = 0; all && i < count; i++) {
        const unsigned char *at = blocks[i];
        if (at[0] != i || at[bytes - 1] != i) {
            return lab_objects(
                r, LAB_PROPERTY_RESULT, "overlap",
                "block %zu of a batch of %zu of %zu bytes was written by a later one", i, count,
                bytes);
        }
    }
    th_allocator_free_batch(allocator, blocks, count);
    return true;
}

/* Every address inside a live block has an owner; so has none outside the backing's blocks. */
static bool do_find(lab_referee *r, const lab_op *op, bool *acted) {
    th_allocator allocator = r->instance.allocator;
    const lab_live *block = NULL;
    uint32_t slot = r->model.slots_used > 0 ? op->size.value % r->model.slots_used : 0;
    *acted = allocator.table->owns != NULL || allocator.table->usable_size != NULL;
    if (r->model.slots_used > 0 && r->model.slots[slot].at != NULL &&
        !lab_referee_look_at(r, slot)) {
        return false;
    }
    if (allocator.table->owns == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < r->model.slots_used; i++) {
        block = &r->model.slots[i];
        if (block->at != NULL &&
            !th_allocator_owns(allocator, block->at + op->size.value % block->bytes)) {
            return lab_objects(r, LAB_PROPERTY_FIND, "owner",
                               "slot %u: byte %zu of %zu is not owned", i,
                               op->size.value % block->bytes, block->bytes);
        }
    }
    if (th_allocator_owns(allocator, r)) {
        return lab_objects(r, LAB_PROPERTY_FIND, "foreign", "an address of the harness's is owned");
    }
    return true;
}

/* ---- attacks ------------------------------------------------------------------------------ */

/* What an attack did, for the message: to byte `byte` of `bytes` of what. */
typedef struct deed {
    const char *what; /* static: the failure's detail */
    const char *of;
    size_t byte, bytes;
} deed;

static bool went_unnoticed(lab_referee *r, deed did) {
    return lab_objects(r, LAB_PROPERTY_ATTACK, did.what,
                       "%s: nothing was reported (byte %zu %s %zu)", did.what, did.byte, did.of,
                       did.bytes);
}

/* One fault of any kind was due. */
static bool account(lab_referee *r, deed did) {
    if (r->faults == 0) {
        return went_unnoticed(r, did);
    }
    r->faults = 0;
    return true;
}

/* The byte at `at` is written, and the checker asked. */
static bool spoil(lab_referee *r, unsigned char *at, deed did) {
    lab_content_flip(at, 1);
    bool noticed = th_allocator_check(r->instance.allocator, NULL) != TH_OK;
    lab_content_flip(at, 1);
    return noticed || went_unnoticed(r, did);
}

static bool overflow(lab_referee *r, uint32_t slot, bool *acted) {
    th_allocator allocator = r->instance.allocator;
    const lab_live *block = &r->model.slots[slot];
    unsigned char *behind = block->at + lab_referee_open_bytes(r, block->bytes);
    *acted = lab_referee_has(r, LAB_SUBJECT_CANARIES) && allocator.table->usable_size != NULL &&
             lab_referee_has_slack(r, block->bytes, th_allocator_usable_size(allocator, block->at));
    if (!*acted) {
        return true;
    }
    lab_content_flip(behind, 1);
    th_allocator_free(allocator, block->at);
    lab_content_flip(behind, 1);
    size_t byte = (size_t)(behind - block->at);
    return account(r, (deed){"canary", "was written of a block of", byte, block->bytes});
}

static bool free_wrong(lab_referee *r, uint32_t slot, size_t distance, bool *acted) {
    const lab_live *block = &r->model.slots[slot];
    *acted = lab_referee_has(r, LAB_SUBJECT_POINTERS) && distance < block->bytes && distance > 0;
    if (!*acted) {
        return true;
    }
    th_allocator_free(r->instance.allocator, block->at + distance);
    return account(r, (deed){"pointer", "was freed of a block of", distance, block->bytes});
}

static bool free_twice(lab_referee *r, uint32_t slot, bool *acted) {
    void *at = r->model.slots[slot].at;
    size_t bytes = r->model.slots[slot].bytes;
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
    return account(r, (deed){"double free", "was freed again of a block of", 0, bytes});
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
    return spoil(r, at + last, (deed){"poison", "was written of a freed block of", last, last + 1});
}

/* The same, and a block is asked for that would lie there. The witness is passed by: what is
 * refused for damage is no request that found no room. */
static bool spoil_and_ask(lab_referee *r, unsigned char *at, deed did) {
    lab_content_flip(at, 1);
    bool refused = th_allocator_alloc(r->witness.instance.allocator, 1) == NULL;
    lab_content_flip(at, 1);
    return account(r, did) &&
           (refused || lab_objects(r, LAB_PROPERTY_ATTACK, did.what,
                                   "with byte %zu of %zu written, a block was built upon it",
                                   did.byte, did.bytes));
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
        return spoil(r, watched.at + watched.canary_bytes + at,
                     (deed){"watched poison", "was written of", at, bytes});
    }
    deed did = {"watched canary", "was written of", at, bytes};
    bool ask = op->size.value / bytes % 2 != 0 && watched.room > TH_ALLOCATOR_ALIGNMENT;
    return ask ? spoil_and_ask(r, watched.at + at, did) : spoil(r, watched.at + at, did);
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
        return lab_referee_refusals(r, op);
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

/* `count` blocks of equal size, as large as is promised, are given at once, and freed. Nothing is
 * live. */
static bool holds(lab_referee *r, size_t whole, size_t each, uint32_t count) {
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
        unsigned char *at = request(r, PLAIN, bytes);
        if (at == NULL && lab_referee_refused(r, bytes, alignment)) {
            break;
        }
        if (at == NULL || !lab_referee_given(r, at, bytes, alignment, LAB_NO_SLOT, &given)) {
            return false;
        }
        /* To fill whole regions would take longer than most scripts. */
        given.written = bytes < PROBED_BYTES ? bytes : PROBED_BYTES;
        lab_contract_put(&r->model, slot, &given);
    }
    for (uint32_t slot = 0; slot < count; slot++) {
        if (r->model.slots[slot].at != NULL && !do_free(r, slot)) {
            return false;
        }
    }
    return true;
}

bool lab_referee_free_all(lab_referee *r) {
    /* One way each, chosen by what the shrinker leaves alone: a guarded subject writes all of it.
     */
    static const uint32_t pieces[] = {4, 16, 1};
    const lab_instance *instance = &r->instance;
    size_t each = instance->holds_extra + r->script->config.alignment;
    bool frees = lab_referee_has(r, LAB_SUBJECT_FREES);
    bool is_reset = false;
    for (uint32_t i = r->model.slots_used; i-- > 0;) {
        if (r->model.slots[i].at != NULL && !do_free(r, i)) {
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
    return !frees || holds(r, instance->empty_sure, 0, 1);
}
