/* SPDX-License-Identifier: MIT */
/* Breaks rules on purpose, where the subject promises to notice. */
#include <inttypes.h>

#include "contract/state.h"
#include "runner/content.h"

/* The addresses that are freed wrongly lie so near a block's start. */
enum { FREED_INSIDE_BYTES = 4096 };

/* What an attack did, for the message: to byte `byte` of `bytes` of what. */
typedef struct misuse {
    const char *what; /* static: the failure's detail */
    const char *of;
    size_t byte, bytes;
} misuse;

static bool went_unnoticed(lab_contract_runner *r, misuse did) {
    return lab_contract_runner_fail(r, LAB_PROPERTY_ATTACK, did.what,
                                    "%s: nothing was reported (byte %zu %s %zu)", did.what,
                                    did.byte, did.of, did.bytes);
}

/* One fault of any kind was due. */
static bool account(lab_contract_runner *r, misuse did) {
    if (r->faults == 0) {
        return went_unnoticed(r, did);
    }
    r->faults = 0;
    return r->subject->freed == LAB_FREED_ANYTHING || r->observer.freed == 0 ||
           lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "freed",
                                    "a free that was refused returned %" PRIu64, r->observer.freed);
}

/* The byte at `at` is written, and the checker asked. */
static bool spoil(lab_contract_runner *r, unsigned char *at, misuse did) {
    lab_content_flip(at, 1);
    bool noticed = th_allocator_check(r->instance.allocator, NULL) != TH_OK;
    lab_content_flip(at, 1);
    return noticed || went_unnoticed(r, did);
}

static bool overflow(lab_contract_runner *r, uint32_t slot, bool *acted) {
    th_allocator allocator = r->instance.allocator;
    const lab_contract_block *block = &r->model.slots[slot];
    unsigned char *after_end = block->at + lab_contract_runner_open_bytes(r, block->bytes);
    *acted = lab_contract_runner_has(r, LAB_SUBJECT_CANARIES) &&
             allocator.table->usable_size != NULL &&
             lab_contract_runner_has_slack(r, block->bytes,
                                           th_allocator_usable_size(allocator, block->at));
    if (!*acted) {
        return true;
    }
    lab_content_flip(after_end, 1);
    th_allocator_free(allocator, block->at);
    lab_content_flip(after_end, 1);
    size_t byte = (size_t)(after_end - block->at);
    return account(r, (misuse){"canary", "was written of a block of", byte, block->bytes});
}

static bool free_wrong(lab_contract_runner *r, uint32_t slot, size_t distance, bool *acted) {
    const lab_contract_block *block = &r->model.slots[slot];
    *acted =
        lab_contract_runner_has(r, LAB_SUBJECT_POINTERS) && distance < block->bytes && distance > 0;
    if (!*acted) {
        return true;
    }
    th_allocator_free(r->instance.allocator, block->at + distance);
    return account(r, (misuse){"pointer", "was freed of a block of", distance, block->bytes});
}

static bool free_twice(lab_contract_runner *r, uint32_t slot, bool *acted) {
    void *at = r->model.slots[slot].at;
    size_t bytes = r->model.slots[slot].bytes;
    *acted = lab_contract_runner_has(r, LAB_SUBJECT_POINTERS);
    if (!*acted) {
        return true;
    }
    if (!lab_contract_runner_drop(r, slot)) {
        return false;
    }
    if (r->faults != 0) {
        return true; /* the caller reports it */
    }
    th_allocator_free(r->instance.allocator, at);
    return account(r, (misuse){"double free", "was freed again of a block of", 0, bytes});
}

static bool write_after_free(lab_contract_runner *r, uint32_t slot, bool *acted) {
    unsigned char *at = r->model.slots[slot].at;
    size_t bytes = r->model.slots[slot].bytes;
    size_t last = bytes - 1;
    *acted = bytes > 0 && lab_contract_runner_has(r, LAB_SUBJECT_POISON) &&
             r->script->config.guard >= 2 && th_guard_max() >= 2;
    if (!*acted) {
        return true;
    }
    if (!lab_contract_runner_drop(r, slot)) {
        return false;
    }
    if (!lab_contract_runner_has(r, LAB_SUBJECT_OWN_MEMORY) &&
        !lab_backing_contains(&r->backing, at, last + 1)) {
        return true; /* went back to the backing */
    }
    return spoil(r, at + last,
                 (misuse){"poison", "was written of a freed block of", last, last + 1});
}

/* The same, and a block is asked for that would lie there. The observer is passed by: what is
 * refused for damage is no request that found no room. */
static bool spoil_and_ask(lab_contract_runner *r, unsigned char *at, misuse did) {
    lab_content_flip(at, 1);
    bool refused = th_allocator_alloc(r->observer.instance.allocator, 1) == NULL;
    lab_content_flip(at, 1);
    return account(r, did) &&
           (refused ||
            lab_contract_runner_fail(r, LAB_PROPERTY_ATTACK, did.what,
                                     "with byte %zu of %zu written, a block was built upon it",
                                     did.byte, did.bytes));
}

static bool spoil_watched(lab_contract_runner *r, const lab_op *op, bool *acted) {
    lab_watched watched = {.at = NULL};
    bool poison = op->attack == LAB_ATTACK_POISON;
    bool may = !poison || (r->script->config.guard >= 2 && th_guard_max() >= 2);
    r->subject->watch(r->instance.state, &watched);
    size_t bytes = poison ? watched.poison_bytes : watched.canary_bytes;
    *acted = may && bytes > 0;
    if (!*acted) {
        return true;
    }
    size_t at = op->size.value % bytes;
    if (poison) {
        return spoil(r, watched.at + watched.canary_bytes + at,
                     (misuse){"watched poison", "was written of", at, bytes});
    }
    misuse did = {"watched canary", "was written of", at, bytes};
    bool ask = op->size.value / bytes % 2 != 0 && watched.room > TH_ALLOCATOR_ALIGNMENT;
    return ask ? spoil_and_ask(r, watched.at + at, did) : spoil(r, watched.at + at, did);
}

bool lab_contract_runner_misuse(lab_contract_runner *r, const lab_op *op, lab_deed deed,
                                bool *acted) {
    bool is_watched = deed == LAB_DEED_OVERFLOW || deed == LAB_DEED_USE_AFTER_FREE;
    if (r->script->config.guard == 0 || th_guard_max() == 0) {
        *acted = false;
        return true;
    }
    if (r->subject->watch != NULL && is_watched) {
        return spoil_watched(r, op, acted);
    }
    switch (deed) {
    case LAB_DEED_OVERFLOW:
        return overflow(r, op->slot, acted);
    case LAB_DEED_FREE_INSIDE:
        return free_wrong(r, op->slot, op->size.value % FREED_INSIDE_BYTES, acted);
    case LAB_DEED_USE_AFTER_FREE:
        return write_after_free(r, op->slot, acted);
    default:
        return free_twice(r, op->slot, acted);
    }
}
