/* SPDX-License-Identifier: MIT */
/* The callbacks of the model and of the heap. The model plays each operation first and writes down
 * what it asked; the heap must then ask the same, in the same order. */
#include "runner/content.h"
#include "runner/state.h"

void lab_on_fault(void *context, const th_fault *fault) {
    lab_runner *r = context;
    if (r->attacking) {
        if (r->attack_faults++ == 0) {
            r->attack_fault = *fault;
        }
        return;
    }
    if (r->expect_reentry && fault->kind == TH_FAULT_REENTRY) {
        r->reentries++;
        return;
    }
    if (!r->faulted) {
        r->faulted = true;
        r->fault = *fault;
    }
}

/* ---- lock hooks --------------------------------------------------------------------------- */

void lab_lock(void *context) {
    lab_runner *r = context;
    r->lock_depth++;
}

void lab_unlock(void *context) {
    lab_runner *r = context;
    r->lock_depth--;
    if (r->lock_depth < 0) {
        (void)lab_fail(r, LAB_PROPERTY_LOCK, "unlock", "unlocked without being locked");
    }
}

/* ---- moves -------------------------------------------------------------------------------- */

bool lab_model_may_move(void *context, uint32_t tag, uint32_t from, uint32_t to, uint32_t bytes) {
    lab_runner *r = context;
    const lab_move move = {.tag = tag, .from = from, .to = to, .bytes = bytes};
    if (lab_inject(r->inject, LAB_INJECT_HARNESS) ||
        !lab_moves_add(&r->moves, &r->model, r->op, move)) {
        return lab_fail(r, LAB_PROPERTY_MEMORY, "moves", "no memory for %zu moves",
                        r->moves.count + 1);
    }
    lab_move *added = &r->moves.at[r->moves.count - 1];
    added->vetoed = lab_inject(r->inject, LAB_INJECT_MOVE) || added->vetoed;
    return !added->vetoed;
}

/* Every call that would change the heap must be refused now. */
static void reenter(lab_runner *r, void *payload) {
    th_heap copy = {0};
    uint32_t before = r->reentries;
    r->expect_reentry = true;
    bool refused = th_heap_alloc(&r->heap, 4, 0) == NULL &&
                   th_heap_alloc_aligned(&r->heap, 4, 64, r->model.tag_tail) == NULL &&
                   th_heap_realloc(&r->heap, payload, 1000) == NULL &&
                   th_heap_realloc(&r->heap, payload, 0) == NULL &&
                   th_heap_trim(&r->heap, payload) == 0 && th_heap_free(&r->heap, payload) == 0 &&
                   th_heap_free_tags(&r->heap, 0, r->model.tag_free) == 0 &&
                   th_heap_compact(&r->heap, NULL, NULL).blocks_moved == 0 &&
                   th_heap_compact_some(&r->heap, 1000, NULL, NULL).blocks_moved == 0 &&
                   th_heap_copy(&r->heap, &copy, r->arenas[1 - r->arena]) == TH_ERR_BUSY &&
                   th_heap_attach(&r->heap, r->base) == TH_ERR_BUSY;
    th_heap_detach(&r->heap);
    th_heap_clean_up(&r->heap);
    r->expect_reentry = false;
    if (!refused) {
        (void)lab_fail(r, LAB_PROPERTY_REENTRY, "result",
                       "a call from inside the callback was not refused");
    }
    (void)lab_expect(r, LAB_PROPERTY_REENTRY, "faults", 13, r->reentries - before);
}

static bool expect_address(lab_runner *r, const char *which, uint32_t block, const void *address) {
    return lab_block_of(r, address) == block ||
           lab_fail(r, LAB_PROPERTY_CALLBACK, which,
                    "%s: expected byte %zu from the region's start, found %td", which,
                    4 * (size_t)(block + r->model.header), lab_place_of(r, address));
}

bool lab_heap_may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    lab_runner *r = context;
    if (r->moves_seen >= r->moves.count) {
        return lab_fail(r, LAB_PROPERTY_CALLBACK, "extra", "expected %zu questions, found more",
                        r->moves.count);
    }
    const lab_move *move = &r->moves.at[r->moves_seen++];
    bool same = lab_expect(r, LAB_PROPERTY_LOCK, "in move", r->heap.config.lock.acquire != NULL,
                           (uint64_t)r->lock_depth) &&
                lab_expect(r, LAB_PROPERTY_CALLBACK, "tag", move->tag, tag) &&
                expect_address(r, "from", move->from, from) &&
                expect_address(r, "to", move->to, to) &&
                lab_expect(r, LAB_PROPERTY_CALLBACK, "bytes", move->bytes, bytes);
    if (!same) {
        return false;
    }
    size_t intact = lab_content_check(from, bytes, r->slots[move->slot].seed);
    if (intact != bytes) {
        return lab_fail(r, LAB_PROPERTY_CONTENTS, "before move",
                        "slot s%u, byte %zu of %zu is not what was written", move->slot, intact,
                        bytes);
    }
    if (r->op->reenter) {
        reenter(r, from);
    }
    return !move->vetoed;
}

/* ---- low memory --------------------------------------------------------------------------- */

bool lab_model_low_memory(void *context, lab_exact *model, size_t bytes) {
    lab_runner *r = context;
    (void)bytes;
    if (lab_inject(r->inject, LAB_INJECT_LOW_MEMORY)) {
        r->low.calls++;
        return false;
    }
    return lab_low_memory_ask(&r->low, model, r->slots, r->slots_used);
}

static bool count_call(void *context, th_heap *heap, size_t bytes) {
    uint32_t *calls = context;
    (void)heap;
    (void)bytes;
    (*calls)++;
    return false;
}

/* A copy made inside the callback is not itself inside one: it asks its own. Copying costs much:
 * for some victims only. */
static bool copy_asks(lab_runner *r) {
    th_heap copy = {0};
    uint32_t calls = 0;
    if (r->low.freed % 4 != 3) {
        return true;
    }
    unsigned char *other = r->arenas[1 - r->arena] + (r->base - r->arenas[r->arena]);
    if (th_heap_copy(&r->heap, &copy, other) != TH_OK) {
        return lab_fail(r, LAB_PROPERTY_LOW_MEMORY, "copy", "no copy can be made inside");
    }
    copy.config.low_memory = count_call;
    copy.config.low_memory_context = &calls;
    (void)th_heap_alloc(&copy, lab_impossible_bytes(&r->model), 0);
    lab_forget(&copy);
    return lab_expect(r, LAB_PROPERTY_LOW_MEMORY, "copy asks", 1, calls);
}

bool lab_heap_low_memory(void *context, th_heap *heap, size_t bytes) {
    lab_runner *r = context;
    if (r->attacking) {
        return false;
    }
    r->low_calls++;
    if (!lab_expect(r, LAB_PROPERTY_LOCK, "in low memory", 0, (uint64_t)r->lock_depth) ||
        !lab_expect(r, LAB_PROPERTY_LOW_MEMORY, "bytes", lab_size_bytes(r->op->size), bytes)) {
        return false;
    }
    if (r->low_calls > 1 || r->low.freed == LAB_EXACT_NONE) {
        return false;
    }
    /* It is not asked again for an allocation made inside it, which fails, since something is
     * live. */
    if (th_heap_alloc(heap, lab_impossible_bytes(&r->model), 0) != NULL) {
        return lab_fail(r, LAB_PROPERTY_LOW_MEMORY, "inner", "an impossible allocation was made");
    }
    if (!copy_asks(r)) {
        return false;
    }
    lab_slot *slot = &r->slots[r->low.freed];
    (void)th_heap_free(heap, lab_payload(r, slot->block));
    slot->block = LAB_EXACT_NONE;
    return true;
}
