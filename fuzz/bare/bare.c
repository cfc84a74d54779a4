/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "bare/bare.h"

#include <stdlib.h>
#include <string.h>

#include "runner/calls.h"
#include "runner/state.h"

typedef struct bare_slot {
    unsigned char *payload; /* NULL: empty */
    size_t bytes;
    uint32_t tag;
} bare_slot;

struct lab_bare {
    unsigned char *arenas[2];
    lab_index indexes[2];
    unsigned arena; /* which one the heap lives in */
    size_t start;   /* of the region in it */
    const lab_config *config;
    th_heap heap;
    bare_slot *slots; /* as many as the script has */
    uint32_t slots_used;
    const lab_op *op;
    uint32_t resized; /* slot that must not be freed now; LAB_EXACT_NONE */
    bool freed;       /* by the low-memory callback, during this operation */
    bool faulted;     /* the first fault is kept */
    th_fault fault;
    uint64_t refused; /* requests that found no room */
    unsigned sum;     /* of what was read */
};

lab_bare *lab_bare_new(void) {
    lab_bare *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < 2; i++) {
        void *arena = NULL;
        if (!lab_index_open(&b->indexes[i]) ||
            posix_memalign(&arena, LAB_ARENA_BYTES, LAB_ARENA_BYTES) != 0) {
            lab_bare_destroy(b);
            return NULL;
        }
        b->arenas[i] = arena;
    }
    return b;
}

void lab_bare_destroy(lab_bare *b) {
    if (b != NULL) {
        th_heap_clean_up(&b->heap);
        free(b->arenas[0]);
        free(b->arenas[1]);
        lab_index_close(&b->indexes[0]);
        lab_index_close(&b->indexes[1]);
        free(b->slots);
        free(b);
    }
}

/* ---- what a user does with memory ----------------------------------------------------------- */

static void take(lab_bare *b, bare_slot *slot, unsigned char *payload, size_t bytes) {
    slot->payload = payload;
    slot->bytes = bytes;
    memset(payload, (int)(slot - b->slots + 1), bytes);
}

/* The branch is what makes memcheck look at the bytes. */
static void leave(lab_bare *b, bare_slot *slot) {
    unsigned sum = 0;
    for (size_t i = 0; i < slot->bytes; i++) {
        sum += slot->payload[i];
    }
    if (sum != 0) {
        b->sum += sum;
    }
    slot->payload = NULL;
}

static void on_fault(void *context, const th_fault *fault) {
    lab_bare *b = context;
    if (!b->faulted) {
        b->faulted = true;
        b->fault = *fault;
    }
}

static bool low_memory(void *context, th_heap *heap, size_t bytes) {
    lab_bare *b = context;
    (void)bytes;
    for (uint32_t i = 0; i < b->slots_used && !b->freed; i++) {
        unsigned char *payload = b->slots[i].payload;
        if (payload != NULL && i != b->resized) {
            leave(b, &b->slots[i]);
            (void)th_heap_free(heap, payload);
            b->freed = true;
            return true;
        }
    }
    return false;
}

static bool may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    lab_bare *b = context;
    (void)tag;
    (void)bytes;
    for (uint32_t i = 0; i < b->slots_used; i++) {
        if (b->slots[i].payload == from) {
            bool vetoed = (b->op->veto >> i % 8 & 1) != 0;
            b->slots[i].payload = vetoed ? from : to;
            return !vetoed;
        }
    }
    return false;
}

/* ---- operations ------------------------------------------------------------------------------ */

static void allocate(lab_bare *b, const lab_op *op, bare_slot *slot, const lab_call *call) {
    unsigned char *payload = lab_call_heap(call, &b->heap, NULL, NULL, NULL).payload;
    if (payload != NULL) {
        slot->tag = op->tag;
        b->slots_used = op->slot < b->slots_used ? b->slots_used : op->slot + 1u;
        take(b, slot, payload, call->bytes);
    } else {
        b->refused++;
    }
}

static void resize(lab_bare *b, const lab_op *op, bare_slot *slot, const lab_call *call) {
    size_t bytes = call->bytes;
    b->resized = op->slot;
    unsigned char *payload = lab_call_heap(call, &b->heap, slot->payload, NULL, NULL).payload;
    if (payload != NULL) {
        slot->payload = payload;
        slot->bytes = bytes < slot->bytes ? bytes : slot->bytes;
        leave(b, slot);
        take(b, slot, payload, bytes);
    } else if (bytes == 0) {
        slot->payload = NULL;
    } else {
        b->refused++;
    }
}

/* Where it has a tag, and returns true, the block has that now. */
static void change(lab_bare *b, const lab_op *op, bare_slot *slot, const lab_call *call) {
    bool done = lab_call_heap(call, &b->heap, slot->payload, NULL, NULL).number != 0;
    if (done && (lab_op_fields[op->kind] & LAB_FIELD_TAG) != 0) {
        slot->tag = op->tag;
    }
}

static void release(lab_bare *b, bare_slot *slot) {
    unsigned char *payload = slot->payload;
    leave(b, slot);
    (void)th_heap_free(&b->heap, payload);
}

static void free_tags(lab_bare *b, const lab_op *op, const lab_call *call) {
    for (uint32_t i = 0; i < b->slots_used; i++) {
        bare_slot *slot = &b->slots[i];
        if (slot->payload != NULL && slot->tag >= op->tag && slot->tag <= op->tag_high) {
            leave(b, slot);
        }
    }
    (void)lab_call_heap(call, &b->heap, NULL, NULL, NULL);
}

static void copy(lab_bare *b) {
    th_heap moved;
    unsigned other = 1 - b->arena;
    if (th_heap_copy(&b->heap, &moved, b->arenas[other] + b->start) != TH_OK) {
        return;
    }
    for (uint32_t i = 0; i < b->slots_used; i++) {
        if (b->slots[i].payload != NULL) {
            b->slots[i].payload = th_heap_translate(&b->heap, &moved, b->slots[i].payload);
        }
    }
    (void)th_heap_set_index(&moved, b->indexes[other].memory, b->indexes[other].bytes);
    lab_forget(&b->heap);
    b->heap = moved;
    b->arena = other;
}

static bool start(lab_bare *b, const lab_config *config, int guard) {
    for (uint32_t i = 0; i < b->slots_used; i++) {
        b->slots[i].payload = NULL;
    }
    b->slots_used = 0;
    b->start = lab_region_start(config);
    lab_forget(&b->heap);
    b->config = config;
    th_heap_config heap_config = lab_heap_config(config, guard);
    heap_config.guarding.on_fault = on_fault;
    heap_config.guarding.fault_context = b;
    heap_config.low_memory = config->low_memory ? low_memory : NULL;
    heap_config.low_memory_context = b;
    lab_index_choose(&b->indexes[0], config);
    lab_index_choose(&b->indexes[1], config);
    lab_index_tell(&b->indexes[b->arena], &heap_config);
    return th_heap_init(&b->heap, b->arenas[b->arena] + b->start, (size_t)config->dwords * 4,
                        &heap_config) == TH_OK;
}

/* What is no call that a model would answer alike. False: it is none for a heap alone. */
static bool perform_other(lab_bare *b, const lab_op *op, const lab_script *script, int guard) {
    th_heap_block block;
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_COPY:
        copy(b);
        return true;
    case LAB_OP_FIND:
        (void)th_heap_find(&b->heap, (void *)((uintptr_t)b->heap.base + lab_size_bytes(op->size)),
                           &block);
        return true;
    case LAB_OP_INIT:
        return start(b, &script->config, guard);
    case LAB_OP_NULL:
    case LAB_OP_ATTACK:
#include "script/call_cases.def"
    case LAB_OP_COUNT:
        break;
    }
    return false;
}

/* An operation that its slot suits. */
static bool perform(lab_bare *b, const lab_op *op, const lab_script *script, int guard) {
    bare_slot *slot = &b->slots[op->slot];
    const lab_call call = lab_call_of(op, b->config);
    switch ((lab_effect)lab_op_rules[op->kind].effect) {
    case LAB_EFFECT_ALLOCATE:
    case LAB_EFFECT_ALLOCATE_ZEROED:
        allocate(b, op, slot, &call);
        return true;
    case LAB_EFFECT_RESIZE:
        resize(b, op, slot, &call);
        return true;
    case LAB_EFFECT_CHANGE:
        change(b, op, slot, &call);
        return true;
    case LAB_EFFECT_FREE:
        release(b, slot);
        return true;
    case LAB_EFFECT_FREE_TAGS:
        free_tags(b, op, &call);
        return true;
    case LAB_EFFECT_COMPACT:
        (void)lab_call_heap(&call, &b->heap, NULL, may_move, b);
        return true;
    case LAB_EFFECT_OTHER:
        break;
    }
    return perform_other(b, op, script, guard);
}

static bool passed(const lab_bare *b, lab_failure *failure, size_t index) {
    if (!b->faulted) {
        return true;
    }
    failure->property = LAB_PROPERTY_FAULT;
    failure->op = index;
    failure->detail = th_fault_name(b->fault.kind);
    (void)th_fault_format(&b->fault, failure->message, sizeof failure->message);
    return false;
}

/* Nothing is live in the end. */
static void finish(lab_bare *b) {
    for (uint32_t i = 0; i < b->slots_used; i++) {
        if (b->slots[i].payload != NULL) {
            release(b, &b->slots[i]);
        }
    }
}

bool lab_bare_play(lab_bare *b, const lab_script *script, int guard, lab_failure *failure,
                   lab_run_counts *counts) {
    *failure = (lab_failure){.detail = ""};
    b->arena = 0;
    b->faulted = false;
    b->refused = 0;
    b->slots_used = 0;
    free(b->slots);
    b->slots = calloc(script->config.slots, sizeof *b->slots);
    if (b->slots == NULL) {
        failure->property = LAB_PROPERTY_MEMORY;
        return false;
    }
    if (!start(b, &script->config, guard)) {
        return true;
    }
    for (size_t i = 0; i < script->count; i++) {
        const lab_op *op = &script->ops[i];
        counts->ops++;
        b->op = op;
        b->resized = LAB_EXACT_NONE;
        b->freed = false;
        if (lab_op_suits(op, b->slots[op->slot].payload != NULL)) {
            counts->acted += perform(b, op, script, guard);
        }
        if (!passed(b, failure, i)) {
            return false;
        }
    }
    counts->failed_allocs += b->refused;
    finish(b);
    return passed(b, failure, script->count);
}
