/* SPDX-License-Identifier: MIT */
/* One attack, written down as the runner's plan has it (runner/attack_plan.h). */
#include <assert.h>
#include <inttypes.h>

#include "export/state.h"
#include "runner/attack_plan.h"

enum { POINTER_BYTES_MAX = 40, CALL_BYTES_MAX = 120 };

/* The names of faults as C has them. */
static const char *kind_text(th_fault_kind kind) {
    switch (kind) {
    case TH_FAULT_HEADER:
        return "HEADER";
    case TH_FAULT_CANARY:
        return "CANARY";
    case TH_FAULT_POISON:
        return "POISON";
    case TH_FAULT_COUNT:
        return "COUNT";
    case TH_FAULT_CONTROL:
        return "CONTROL";
    case TH_FAULT_FOREIGN:
        return "FOREIGN";
    case TH_FAULT_MISALIGNED:
        return "MISALIGNED";
    case TH_FAULT_DOUBLE_FREE:
        return "DOUBLE_FREE";
    case TH_FAULT_NOT_A_BLOCK:
        return "NOT_A_BLOCK";
    default:
        assert(false);
        return "NONE";
    }
}

/* The damage; the same again repairs it. */
static void export_damage(lab_export *e, const lab_attack_plan *plan) {
#define NAME_OF(field) #field,
    static const char *const counters[] = {LAB_ATTACK_COUNTERS(NAME_OF)};
    if (plan->damage == LAB_DAMAGE_DWORD) {
        lab_export_line(e, "damage(%u, 0x%x);", plan->place, plan->mask);
    } else if (plan->damage == LAB_DAMAGE_COUNTER) {
        lab_export_line(e, "heap.%s ^= 0x%x;", counters[plan->place], plan->mask);
    }
}

/* A pointer of the plan's: into the slot's payload, or to nothing good. */
static void pointer_text(const lab_export *e, const lab_attack_call *call, char *text) {
    if (e->op->attack == LAB_ATTACK_POINTER) {
        (void)snprintf(text, POINTER_BYTES_MAX, "wild");
    } else if (call->inside == 0) {
        (void)snprintf(text, POINTER_BYTES_MAX, "slot[%u]", e->op->slot);
    } else {
        (void)snprintf(text, POINTER_BYTES_MAX, "slot[%u] + %u", e->op->slot, call->inside);
    }
}

/* The call as an expression that is true if it was refused. */
static void call_text(const lab_export *e, const lab_attack_call *call, char *text) {
    char pointer[POINTER_BYTES_MAX];
    pointer_text(e, call, pointer);
    switch (call->function) {
    case LAB_CALL_FREE:
        (void)snprintf(text, CALL_BYTES_MAX, "th_heap_free(&heap, %s) == 0", pointer);
        break;
    case LAB_CALL_RESIZE:
        (void)snprintf(text, CALL_BYTES_MAX, "th_heap_realloc(&heap, %s, %zu) == NULL", pointer,
                       call->bytes);
        break;
    case LAB_CALL_TRIM:
        (void)snprintf(text, CALL_BYTES_MAX, "th_heap_trim(&heap, %s) == 0", pointer);
        break;
    case LAB_CALL_USABLE_SIZE:
        (void)snprintf(text, CALL_BYTES_MAX, "th_heap_usable_size(&heap, %s) == 0", pointer);
        break;
    case LAB_CALL_REQUESTED_SIZE:
        (void)snprintf(text, CALL_BYTES_MAX, "th_heap_requested_size(&heap, %s) == 0", pointer);
        break;
    case LAB_CALL_ALLOC:
        (void)snprintf(text, CALL_BYTES_MAX, "th_heap_alloc(&heap, %zu, 0x%04x) == NULL",
                       call->bytes, call->low);
        break;
    case LAB_CALL_FREE_TAGS:
        (void)snprintf(text, CALL_BYTES_MAX, "th_heap_free_tags(&heap, 0x%04x, 0x%04x) == 0",
                       call->low, call->high);
        break;
    case LAB_CALL_COMPACT:
        (void)snprintf(text, CALL_BYTES_MAX,
                       "th_heap_compact(&heap, veto, NULL).blocks_moved == 0");
        break;
    case LAB_CALL_COPY:
        (void)snprintf(text, CALL_BYTES_MAX, "copy_and_end()");
        break;
    }
}

static void export_call(lab_export *e, const lab_attack_call *call) {
    char text[CALL_BYTES_MAX];
    call_text(e, call, text);
    const char *before = call->takes_note ? "without_notes(" : "";
    const char *after = call->takes_note ? ")" : "";
    if (call->may_pass) {
        lab_export_line(e, "may_pass(%s%s%s);", before, text, after);
    } else {
        lab_export_line(e, "must_refuse(\"%s\", %s%s%s);", call->detail, before, text, after);
    }
}

static void export_plan(lab_export *e, const lab_attack_plan *plan) {
    export_damage(e, plan);
    lab_export_line(e, "begin_attack(TH_FAULT_%s, 0x%x, 0x%x);", kind_text(plan->kind), plan->block,
                    plan->byte);
    if (plan->damage != LAB_DAMAGE_NONE) {
        lab_export_line(e, "examine(%s);", plan->found ? "true" : "false");
    }
    if (e->op->attack == LAB_ATTACK_POINTER) {
        lab_export_line(e, "wild = (void *)((uintptr_t)base + (uintptr_t)(intptr_t)%" PRId32 ");",
                        (int32_t)plan->pointer);
    }
    for (size_t i = 0; i < plan->calls_count; i++) {
        export_call(e, &plan->calls[i]);
    }
    export_damage(e, plan);
    for (size_t i = 0; i < plan->moves_count; i++) {
        lab_export_line(e, "refuse_move(at(%u), %u, 0x%x);", plan->moves[i], plan->place,
                        plan->mask);
    }
    lab_export_line(e, "attacking = false;");
}

void lab_export_attack(lab_export *e) {
    const lab_attack_target target = {.model = &e->model,
                                      .history = &e->history,
                                      .guard = e->guard,
                                      .indexed = lab_config_has_index(&e->script->config),
                                      .block = e->slots[e->op->slot].block};
    lab_attack_plan plan = lab_attack_plan_of(&target, e->op);
    if (plan.possible) {
        export_plan(e, &plan);
    }
}
