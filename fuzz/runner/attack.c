/* SPDX-License-Identifier: MIT */
/* Attacks: what a buggy caller or an attacker does to a heap, in the middle of a script.
 *
 * An attack damages one byte or dword (or takes a pointer that is none), provokes the heap with
 * calls that must meet the damage, demands the right fault at the right block each time and that
 * nothing is changed, repairs the damage, and lets the script go on: the heap and the model must
 * still agree. What must be noticed depends on the guard level (docs/guards.md). At level 0 nothing
 * need be, but the checker, the walk and the lookup must still come to an end. attack_plan.c says
 * which damage and which calls; here they are made. */
#include <assert.h>
#include <stdio.h>

#include "program/control.h"
#include "program/saboteur.h"
#include "runner/attack_plan.h"
#include "runner/plain.h"
#include "runner/state.h"

/* One attack. */
typedef struct attack {
    lab_attack_plan plan;
    th_heap control; /* the control structure with the damage, if that is there */
} attack;

static LAB_PLAIN void flip(lab_runner *r, uint32_t byte, unsigned char mask) {
    LAB_BLIND_BEGIN;
    r->base[byte] ^= mask;
    LAB_BLIND_END;
}

static void flip_dword(lab_runner *r, uint32_t dword, uint32_t mask) {
    for (uint32_t i = 0; i < 4; i++) {
        flip(r, 4 * dword + i, (unsigned char)(mask >> 8 * i));
    }
}

#define COUNTER_OF(field) &heap->field,

static void damage(lab_runner *r, const lab_attack_plan *plan) {
    th_heap *heap = &r->heap;
    uint32_t *const counters[] = {LAB_ATTACK_COUNTERS(COUNTER_OF)};
    if (plan->damage == LAB_DAMAGE_DWORD) {
        flip_dword(r, plan->place, plan->mask);
    } else if (plan->damage == LAB_DAMAGE_COUNTER) {
        *counters[plan->place] ^= plan->mask;
    }
}

enum { PLACE_BYTES_MAX = 64 };

/* What does not matter, as a fault says that there is none. */
static size_t or_nowhere(uint32_t place) {
    return place != LAB_EXACT_NONE ? place : TH_FAULT_NOWHERE;
}

/* " at block 3 byte 12"; what is not there, or does not matter, in a word. */
static const char *place(size_t block, size_t byte, const char *none, char text[PLACE_BYTES_MAX]) {
    int used = block == TH_FAULT_NOWHERE ? snprintf(text, PLACE_BYTES_MAX, " at %s block", none)
                                         : snprintf(text, PLACE_BYTES_MAX, " at block %zu", block);
    (void)(byte == TH_FAULT_NOWHERE
               ? snprintf(text + used, PLACE_BYTES_MAX - (size_t)used, ", %s byte", none)
               : snprintf(text + used, PLACE_BYTES_MAX - (size_t)used, ", byte %zu", byte));
    return text;
}

/* The last call must have raised the fault, and must not have touched the control structure. */
static bool expect_fault(lab_runner *r, const attack *a, const char *call, bool refused) {
    const lab_attack_plan *plan = &a->plan;
    const th_fault *fault = &r->attack_fault;
    uint32_t faults = r->attack_faults;
    r->attack_faults = 0;
    if (!refused) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s was not refused", call);
    }
    if (faults == 0) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s raised no fault; expected %s", call,
                        th_fault_name(plan->kind));
    }
    if (fault->kind != plan->kind ||
        (plan->block != LAB_EXACT_NONE && fault->block != plan->block) ||
        (plan->byte != LAB_EXACT_NONE && fault->offset != plan->byte)) {
        char want[PLACE_BYTES_MAX];
        char have[PLACE_BYTES_MAX];
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s: expected %s%s, found %s%s", call,
                        th_fault_name(plan->kind),
                        place(or_nowhere(plan->block), or_nowhere(plan->byte), "any", want),
                        th_fault_name(fault->kind), place(fault->block, fault->offset, "no", have));
    }
    if (!same_control(&a->control, &r->heap)) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s changed the heap", call);
    }
    return true;
}

/* The checker, the walk, the lookup and attach on a damaged heap: they end, and and the
 * damage is found if it must be. */
static bool examine(lab_runner *r, const lab_attack_plan *plan) {
    th_fault fault = {0};
    th_heap_block block;
    th_heap copy = r->heap;
    uint32_t blocks = 0;
    th_status status = th_heap_check(&r->heap, &fault);
    (void)th_heap_get_stats(&r->heap);
    for (bool more = th_heap_first(&r->heap, &block); more; more = th_heap_next(&r->heap, &block)) {
        blocks++;
    }
    (void)th_heap_find(&r->heap, r->base + 4 * (size_t)r->model.dwords - 1, &block);
    r->attack_faults = 0;
    if (blocks > r->model.dwords) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "walk", "a walk of %u blocks", blocks);
    }
    if (th_heap_check(&r->heap, NULL) != status) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "check NULL",
                        "the checker says %s, without a place for the fault %s",
                        th_status_name(status), th_status_name(th_heap_check(&r->heap, NULL)));
    }
    if (status == TH_OK) {
        return !plan->found || lab_fail(r, LAB_PROPERTY_ATTACK, "check",
                                        "expected %s, found nothing", th_fault_name(plan->kind));
    }
    if (plan->found && r->heap.guard > 0 && fault.kind != plan->kind) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "check", "expected %s, found %s",
                        th_fault_name(plan->kind), th_fault_name(fault.kind));
    }
    if (th_heap_attach(&copy, r->base) == TH_OK) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "attach", "a damaged image was accepted");
    }
    return true;
}

static bool veto_all(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    return false;
}

/* A copy of the heap, which may be refused. */
static void copy_and_end(lab_runner *r) {
    static th_heap copy;
    unsigned char *other = r->arenas[1 - r->arena] + (r->base - r->arenas[r->arena]);
    (void)th_heap_copy(&r->heap, &copy, other);
    lab_forget(&copy);
}

/* Makes the call. True: it was refused. */
static bool is_refused(lab_runner *r, const lab_attack_plan *plan, const lab_attack_call *call) {
    th_heap *heap = &r->heap;
    uint32_t distance = plan->pointer + call->inside;
    void *pointer = (void *)((uintptr_t)r->base + (uintptr_t)(intptr_t)(int32_t)distance);
    switch (call->function) {
    case LAB_CALL_FREE:
        return th_heap_free(heap, pointer) == 0;
    case LAB_CALL_RESIZE:
        return th_heap_realloc(heap, pointer, call->bytes) == NULL;
    case LAB_CALL_TRIM:
        return th_heap_trim(heap, pointer) == 0;
    case LAB_CALL_USABLE_SIZE:
        return th_heap_usable_size(heap, pointer) == 0;
    case LAB_CALL_REQUESTED_SIZE:
        return th_heap_requested_size(heap, pointer) == 0;
    case LAB_CALL_ALLOC:
        return th_heap_alloc(heap, call->bytes, call->low) == NULL;
    case LAB_CALL_FREE_TAGS:
        return th_heap_free_tags(heap, call->low, call->high) == 0;
    case LAB_CALL_COMPACT:
        return th_heap_compact(heap, veto_all, NULL).blocks_moved == 0;
    case LAB_CALL_COPY:
        copy_and_end(r);
        break;
    }
    return true;
}

/* Takes back what a refused call may count or note. */
static void undo_notes(lab_runner *r, const attack *a) {
    r->heap.failed_allocs = a->control.failed_allocs;
    r->heap.compact_cursor = a->control.compact_cursor;
    r->heap.seal_counts = a->control.seal_counts;
}

static bool provoke(lab_runner *r, const attack *a, const lab_attack_call *call) {
    bool refused = is_refused(r, &a->plan, call);
    if (call->takes_note) {
        undo_notes(r, a);
    }
    if (!call->may_pass) {
        return expect_fault(r, a, call->detail, refused);
    }
    r->attack_faults = 0;
    return true;
}

typedef struct planned_damage {
    lab_runner *r;
    const lab_attack_plan *plan;
} planned_damage;

static void damage_as_planned(const void *what) {
    const planned_damage *planned = what;
    damage(planned->r, planned->plan);
}

/* The damage is made while the heap waits for the answer of the callback, and repaired here. */
static bool provoke_move(lab_runner *r, const attack *a, uint32_t block) {
    const planned_damage planned = {r, &a->plan};
    saboteur s = {.moving = lab_payload(r, block), .damage = damage_as_planned, .what = &planned};
    th_heap_compaction result = th_heap_compact(&r->heap, damage_and_allow, &s);
    undo_notes(r, a);
    if (s.asked) {
        damage(r, &a->plan);
    }
    return !s.asked || expect_fault(r, a, "move", result.blocks_moved == 0 && !result.done);
}

static bool carry_out(lab_runner *r, attack *a) {
    const lab_attack_plan *plan = &a->plan;
    damage(r, plan);
    a->control = r->heap;
    bool right = plan->damage == LAB_DAMAGE_NONE || examine(r, plan);
    for (size_t i = 0; i < plan->calls_count && right; i++) {
        right = provoke(r, a, &plan->calls[i]);
    }
    damage(r, plan);
    for (size_t i = 0; i < plan->moves_count && right; i++) {
        right = provoke_move(r, a, plan->moves[i]);
    }
    return right;
}

bool lab_attack_heap(lab_runner *r, const lab_op *op) {
    const lab_attack_target target = {.model = &r->model,
                                      .history = &r->history,
                                      .guard = r->heap.guard,
                                      .indexed = r->indexes[r->arena].memory != NULL,
                                      .block = r->slots[op->slot].block};
    attack a = {.plan = lab_attack_plan_of(&target, op)};
    r->attacking = true;
    r->attack_faults = 0;
    bool right = !a.plan.possible || carry_out(r, &a);
    r->attacking = false;
    return right;
}
