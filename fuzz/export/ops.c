/* SPDX-License-Identifier: MIT */
/* One operation: the model plays it, and what it expects is written down beside the call. */
#include <ctype.h>
#include <string.h>

#include "export/state.h"
#include "runner/calls.h"
#include "tagheap/heap.h"

bool lab_export_low_memory(void *context, lab_exact *model, size_t bytes) {
    lab_export *e = context;
    (void)bytes;
    return lab_low_memory_ask(&e->low, model, e->slots, e->slots_count);
}

static bool ask_move(void *context, uint32_t tag, uint32_t from, uint32_t to, uint32_t bytes) {
    lab_export *e = context;
    const lab_move move = {.tag = tag, .from = from, .to = to, .bytes = bytes};
    if (!lab_moves_add(&e->moves, &e->model, e->op, move)) {
        e->no_memory = true;
        return false;
    }
    return !e->moves.at[e->moves.count - 1].vetoed;
}

/* A size as a C expression, right whatever the width of size_t, if that can hold it. */
static const char *size_text(lab_size size, char *text, size_t capacity) {
    switch (size.kind) {
    case LAB_SIZE_HALF:
        (void)snprintf(text, capacity, "(size_t)PTRDIFF_MAX + %u", size.value);
        break;
    case LAB_SIZE_MAX:
        (void)snprintf(text, capacity, "SIZE_MAX - %u", size.value);
        break;
    case LAB_SIZE_POWER:
        (void)snprintf(text, capacity, "(size_t)%zuu", lab_size_bytes(size));
        break;
    default:
        (void)snprintf(text, capacity, "%u", size.value);
    }
    return text;
}

enum { CALL_BYTES_MAX = 256 };

/* A word of ops.def's calls as C; NULL: it is not one of them. */
static const char *word_text(const lab_export *e, const lab_call *call, const char *word,
                             char *text, size_t capacity) {
    if (strcmp(word, "HEAP") == 0) {
        return "&heap";
    }
    if (strcmp(word, "POINTER") == 0) {
        (void)snprintf(text, capacity, "slot[%u]", e->op->slot);
    } else if (strcmp(word, "BYTES") == 0) {
        (void)size_text(e->op->size, text, capacity);
    } else if (strcmp(word, "ALIGNMENT") == 0) {
        (void)snprintf(text, capacity, "%zu", call->alignment);
    } else if (strcmp(word, "TAG") == 0) {
        (void)snprintf(text, capacity, "0x%04x", call->tag);
    } else if (strcmp(word, "TAG_HIGH") == 0) {
        (void)snprintf(text, capacity, "0x%04x", call->tag_high);
    } else if (strcmp(word, "SITE") == 0) {
        (void)snprintf(text, capacity, "%u", call->site);
    } else if (strcmp(word, "MAY_MOVE") == 0) {
        return lab_asks_to_move(e->op) ? "may_move" : "NULL";
    } else {
        return strcmp(word, "CONTEXT") == 0 ? "NULL" : NULL;
    }
    return text;
}

/* The operation's call of the heap as C: the words in capitals become what they stand for. */
static const char *call_text(const lab_export *e, const lab_call *call, char text[CALL_BYTES_MAX]) {
    size_t size = 0;
    for (const char *at = lab_call_text(call->kind); *at != '\0';) {
        size_t length = 0;
        while (isupper((unsigned char)at[length]) || at[length] == '_') {
            length++;
        }
        char word[16], meaning[48];
        (void)snprintf(word, sizeof word, "%.*s", (int)length, at);
        const char *shown = length > 0 ? word_text(e, call, word, meaning, sizeof meaning) : NULL;
        length = shown != NULL ? length : 1;
        int put = shown != NULL ? snprintf(text + size, CALL_BYTES_MAX - size, "%s", shown)
                                : snprintf(text + size, CALL_BYTES_MAX - size, "%c", *at);
        size += (size_t)put;
        at += length;
    }
    return text;
}

/* Before a call that may find no room. The victim of the callback is known in advance. */
static void export_low_memory(lab_export *e, const char *bytes) {
    if (e->script->config.low_memory == 0) {
        return;
    }
    lab_export_line(e, "low_bytes = %s;", bytes);
    if (e->low.freed != LAB_EXACT_NONE) {
        lab_export_line(e, "low_victim = %u;", e->low.freed);
        e->slots[e->low.freed].block = LAB_EXACT_NONE;
    }
}

static void export_low_calls(lab_export *e) {
    if (e->script->config.low_memory != 0) {
        lab_export_line(e, "expect(NAME_LOW_MEMORY, \"calls\", %u, low_calls);", e->low.calls);
    }
}

/* Each of the two sizes is asked for after every other operation, as the runner does. */
static void export_sizes(lab_export *e, const lab_extent *extent) {
    uint32_t slot = extent->site - 1;
    if (e->index % 2 == 0) {
        lab_export_line(e,
                        "expect(NAME_RESULT, \"requested-size\", %u, "
                        "th_heap_requested_size(&heap, slot[%u]));",
                        extent->requested, slot);
    } else {
        lab_export_line(e,
                        "expect(NAME_RESULT, \"usable-size\", %u, "
                        "th_heap_usable_size(&heap, slot[%u]));",
                        4 * extent->size, slot);
    }
    lab_export_line(e, "expect_open(slot[%u], %u);", slot, extent->requested);
}

static void export_alloc(lab_export *e, const lab_call *call) {
    const lab_op *op = e->op;
    char size[48];
    char text[CALL_BYTES_MAX];
    (void)size_text(op->size, size, sizeof size);
    uint32_t block = lab_call_model(call, &e->model, LAB_EXACT_NONE, NULL, NULL).block;
    export_low_memory(e, size);
    lab_export_line(e, "slot[%u] = %s;", op->slot, call_text(e, call, text));
    if (block == LAB_EXACT_NONE) {
        lab_export_line(e, "expect_null(slot[%u]);", op->slot);
        export_low_calls(e);
        return;
    }
    lab_export_line(e, "expect_block(%u, slot[%u]);", block, op->slot);
    export_low_calls(e);
    lab_slot *slot = &e->slots[op->slot];
    slot->block = block;
    slot->seed = lab_seed_of(++e->seed);
    const lab_extent *extent = lab_exact_find(&e->model, block);
    lab_heap_history_note(&e->history, &e->model, extent);
    export_sizes(e, extent);
    if (lab_op_rules[op->kind].effect == LAB_EFFECT_ALLOCATE_ZEROED) {
        lab_export_line(e, "expect_zeros(slot[%u], %zu);", op->slot, call->bytes);
    }
    lab_export_line(e, "fill(slot[%u], 0, %u, 0x%08x);", op->slot, extent->requested, slot->seed);
}

static void export_resize(lab_export *e, const lab_call *call) {
    const lab_op *op = e->op;
    lab_slot *slot = &e->slots[op->slot];
    size_t bytes = call->bytes;
    char text[CALL_BYTES_MAX];
    size_t kept = lab_exact_find(&e->model, slot->block)->requested;
    char size[48];
    (void)size_text(op->size, size, sizeof size);
    e->low.protected_slot = op->slot;
    uint32_t block = lab_call_model(call, &e->model, slot->block, NULL, NULL).block;
    export_low_memory(e, size);
    lab_export_line(e, "resized = %s;", call_text(e, call, text));
    if (block == LAB_EXACT_NONE) {
        lab_export_line(e, "expect_null(resized);");
        export_low_calls(e);
        if (bytes == 0) {
            lab_export_line(e, "slot[%u] = NULL;", op->slot);
            slot->block = LAB_EXACT_NONE;
        }
        return;
    }
    lab_export_line(e, "expect_block(%u, resized);", block);
    export_low_calls(e);
    lab_export_line(e, "slot[%u] = resized;", op->slot);
    slot->block = block;
    const lab_extent *extent = lab_exact_find(&e->model, block);
    lab_heap_history_note(&e->history, &e->model, extent);
    export_sizes(e, extent);
    bytes = extent->requested;
    kept = kept < bytes ? kept : bytes;
    lab_export_line(e, "expect_contents(\"resize\", slot[%u], %zu, 0x%08x);", op->slot, kept,
                    slot->seed);
    if (bytes > kept) {
        lab_export_line(e, "fill(slot[%u], %zu, %zu, 0x%08x);", op->slot, kept, bytes, slot->seed);
    }
}

/* A call that returns a number, for the slot's block or for none. */
static void export_number(lab_export *e, const lab_call *call, uint32_t block) {
    char text[CALL_BYTES_MAX];
    uint64_t want = lab_call_model(call, &e->model, block, NULL, NULL).number;
    lab_export_line(e, "expect(NAME_RESULT, \"%s\", %llu, %s);", lab_op_rules[call->kind].result,
                    (unsigned long long)want, call_text(e, call, text));
}

static void export_change(lab_export *e, const lab_call *call) {
    uint32_t block = e->slots[e->op->slot].block;
    export_number(e, call, block);
    export_sizes(e, lab_exact_find(&e->model, block));
}

static void export_free(lab_export *e, const lab_call *call) {
    lab_slot *slot = &e->slots[e->op->slot];
    export_number(e, call, slot->block);
    lab_export_line(e, "slot[%u] = NULL;", e->op->slot);
    e->history.stale = slot->block;
    slot->block = LAB_EXACT_NONE;
}

static void export_free_tags(lab_export *e, const lab_call *call) {
    for (uint32_t i = 0; i < e->model.count; i++) {
        const lab_extent *extent = &e->model.extents[i];
        if (extent->site != 0 && extent->tag >= call->tag && extent->tag <= call->tag_high) {
            lab_export_line(e, "slot[%u] = NULL;", extent->site - 1);
            e->slots[extent->site - 1].block = LAB_EXACT_NONE;
        }
    }
    export_number(e, call, LAB_EXACT_NONE);
}

static void export_moves(lab_export *e) {
    lab_export_line(e, "moves = NULL;");
    if (e->moves.count > 0) {
        lab_export_line(e, "static const expected_move moves_%zu[] = {", e->index);
        for (size_t i = 0; i < e->moves.count; i++) {
            const lab_move *m = &e->moves.at[i];
            lab_export_line(e, "    {0x%04x, %u, %u, %u, 0x%08x, %s},", m->tag, m->from, m->to,
                            m->bytes, e->slots[m->slot].seed, m->vetoed ? "true" : "false");
        }
        lab_export_line(e, "};");
        lab_export_line(e, "moves = moves_%zu;", e->index);
    }
    lab_export_line(e, "moves_count = %zu;", e->moves.count);
    lab_export_line(e, "moves_seen = 0;");
    lab_export_line(e, "reenter = %s;", e->op->reenter ? "true" : "false");
}

static void export_compact(lab_export *e, const lab_call *call) {
    char text[CALL_BYTES_MAX];
    e->moves.count = 0;
    lab_exact_compaction want =
        lab_call_model(call, &e->model, LAB_EXACT_NONE, ask_move, e).compaction;
    bool ask = lab_asks_to_move(e->op);
    export_moves(e);
    lab_export_line(e, "done = %s;", call_text(e, call, text));
    for (size_t i = 0; i < e->moves.count; i++) {
        const lab_move *m = &e->moves.at[i];
        if (!m->vetoed) {
            e->slots[m->slot].block = m->to;
            e->history.stale = m->from;
            lab_export_line(e, "slot[%u] = at(%u);", m->slot, m->to);
            lab_export_line(e, "expect_open(slot[%u], %u);", m->slot, m->bytes);
        }
    }
    lab_export_line(e, "expect_compaction((th_heap_compaction){%u, %u, %zu, %s}, %s, done);",
                    want.moved, want.vetoed, want.bytes, want.done ? "true" : "false",
                    ask ? "true" : "false");
}

static void export_find(lab_export *e) {
    size_t byte = lab_size_bytes(e->op->size);
    char size[48];
    const lab_extent *want =
        byte / 4 < e->model.dwords ? lab_exact_find(&e->model, (uint32_t)(byte / 4)) : NULL;
    lab_export_line(e,
                    "found = th_heap_find(&heap, (const void *)((uintptr_t)base + (%s)), &owner);",
                    size_text(e->op->size, size, sizeof size));
    lab_export_line(e, "expect(NAME_FIND, \"found\", %d, found);", want != NULL);
    if (want != NULL) {
        lab_export_line(e, "expect(NAME_FIND, \"block\", %u, owner.offset);", want->offset);
        lab_export_line(e, "expect(NAME_FIND, \"size\", %u, owner.size_dwords);", want->size);
        lab_export_line(e, "expect(NAME_FIND, \"tag\", 0x%04x, owner.tag);", want->tag);
    }
}

static void export_null(lab_export *e) {
    char size[48];
    bool fits = lab_exact_rebase(&e->model, e->start + 4 * (size_t)e->model.unit);
    (void)lab_exact_rebase(&e->model, e->start);
    lab_export_line(e, "refuse_all(%s, %s);", size_text(e->op->size, size, sizeof size),
                    fits ? "true" : "false");
}

static void export_init(lab_export *e) {
    const lab_config *config = &e->script->config;
    for (uint32_t i = 0; i < e->slots_count; i++) {
        e->slots[i].block = LAB_EXACT_NONE;
    }
    e->no_memory = e->no_memory || !lab_exact_start(&e->model, e->start, 4 * (size_t)config->dwords,
                                                    config->alignment, lab_model_layout(config));
    e->history = lab_heap_history_none(&e->model);
    e->model.low_memory = config->low_memory ? lab_export_low_memory : NULL;
    e->model.low_memory_context = e;
    lab_export_start(e, true);
}

/* What is no call that heap and model answer alike. */
static void export_other(lab_export *e) {
    switch ((lab_op_kind)e->op->kind) {
    case LAB_OP_COPY:
        lab_export_line(e, "copy_heap();");
        break;
    case LAB_OP_FIND:
        export_find(e);
        break;
    case LAB_OP_NULL:
        export_null(e);
        break;
    case LAB_OP_INIT:
        export_init(e);
        break;
    case LAB_OP_ATTACK:
        lab_export_attack(e);
        break;
#include "script/call_cases.def"
    case LAB_OP_COUNT:
        break;
    }
}

void lab_export_op(lab_export *e) {
    const lab_call call = lab_call_of(e->op, &e->script->config);
    e->low = LAB_LOW_MEMORY_NONE;
    switch ((lab_effect)lab_op_rules[e->op->kind].effect) {
    case LAB_EFFECT_ALLOCATE:
    case LAB_EFFECT_ALLOCATE_ZEROED:
        export_alloc(e, &call);
        break;
    case LAB_EFFECT_RESIZE:
        export_resize(e, &call);
        break;
    case LAB_EFFECT_CHANGE:
        export_change(e, &call);
        break;
    case LAB_EFFECT_FREE:
        export_free(e, &call);
        break;
    case LAB_EFFECT_FREE_TAGS:
        export_free_tags(e, &call);
        break;
    case LAB_EFFECT_COMPACT:
        export_compact(e, &call);
        break;
    case LAB_EFFECT_OTHER:
        export_other(e);
        break;
    }
}
