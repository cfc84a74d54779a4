/* SPDX-License-Identifier: MIT */
/* What scripts are made of: the array of operations, the fields of each kind, valid values. */
#include "script/script.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(LAB_OP_COUNT <= UINT8_MAX && LAB_SIZE_MAX <= UINT8_MAX, "kinds are stored in bytes");
static_assert(LAB_FIELD_ATTACK <= UINT8_MAX, "sets of fields are stored in bytes");

#define LAB_OPS_FIRST 64u /* the capacity that the first append asks for */

const uint8_t lab_op_fields[LAB_OP_COUNT] = {
    [LAB_OP_ALLOC] = LAB_FIELD_SLOT | LAB_FIELD_TAG | LAB_FIELD_SIZE,
    [LAB_OP_ALIGNED] = LAB_FIELD_SLOT | LAB_FIELD_TAG | LAB_FIELD_SIZE | LAB_FIELD_ALIGN,
    [LAB_OP_RESIZE] = LAB_FIELD_SLOT | LAB_FIELD_SIZE,
    [LAB_OP_TRIM] = LAB_FIELD_SLOT,
    [LAB_OP_FREE] = LAB_FIELD_SLOT,
    [LAB_OP_FREE_TAGS] = LAB_FIELD_TAG | LAB_FIELD_TAG_HIGH,
    [LAB_OP_COMPACT] = LAB_FIELD_VETO | LAB_FIELD_REENTER,
    [LAB_OP_COMPACT_SOME] = LAB_FIELD_VETO | LAB_FIELD_REENTER | LAB_FIELD_SIZE,
    [LAB_OP_COPY] = 0,
    [LAB_OP_FIND] = LAB_FIELD_SIZE,
    [LAB_OP_NULL] = LAB_FIELD_SIZE,
    [LAB_OP_INIT] = 0,
    [LAB_OP_ATTACK] = LAB_FIELD_SLOT | LAB_FIELD_ATTACK | LAB_FIELD_SIZE,
};

#define NAME(subject, name) name,
const char *const lab_subject_names[] = {
    [LAB_SUBJECT_HEAP] = "heap", [LAB_SUBJECT_PLUGIN] = "plugin", LAB_SUBJECTS(NAME)};
const uint8_t lab_subject_names_count = sizeof lab_subject_names / sizeof lab_subject_names[0];

size_t lab_size_bytes(lab_size size) {
    switch ((lab_size_kind)size.kind) {
    case LAB_SIZE_HALF:
        return (size_t)PTRDIFF_MAX + size.value;
    case LAB_SIZE_MAX:
        return SIZE_MAX - size.value;
    case LAB_SIZE_BYTES:
        break;
    }
    return size.value;
}

size_t lab_align_bytes(uint8_t align) {
    static const uint8_t odd[] = {0, 3, 6, 12, 24, 48, 96, 5};
    static_assert(32 + sizeof odd == LAB_ALIGN_MAX + 1, "every value has a meaning");
    assert(align <= LAB_ALIGN_MAX);
    return align < 32 ? (size_t)1 << align : odd[align - 32];
}

void lab_kind_format(lab_op_kind kind, char *word, size_t capacity) {
    char line[LAB_OP_LINE_BYTES_MAX];
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)kind;
    (void)lab_op_format(&op, line, sizeof line);
    (void)snprintf(word, capacity, "%.*s%s", (int)strcspn(line, " "), line,
                   kind == LAB_OP_COMPACT_SOME ? "-some" : "");
}

void lab_script_clean_up(lab_script *script) {
    free(script->ops);
    memset(script, 0, sizeof *script);
}

bool lab_script_reserve(lab_script *script, size_t capacity) {
    if (capacity <= script->capacity) {
        return true;
    }
    if (capacity > SIZE_MAX / sizeof *script->ops) {
        return false;
    }
    lab_op *ops = realloc(script->ops, capacity * sizeof *ops);
    if (ops == NULL) {
        return false;
    }
    script->ops = ops;
    script->capacity = capacity;
    return true;
}

bool lab_script_append(lab_script *script, lab_op op) {
    if (script->count == script->capacity) {
        size_t wanted = script->capacity == 0 ? LAB_OPS_FIRST : script->capacity * 2;
        if (wanted <= script->capacity || !lab_script_reserve(script, wanted)) {
            return false;
        }
    }
    script->ops[script->count++] = op;
    return true;
}

bool lab_config_is_valid(const lab_config *config) {
    uint32_t slots = config->slots;
    bool slots_valid = slots == 8 || slots == 16 || slots == 64 || slots == 256 || slots == 1024 ||
                       slots == 4096 || slots == 16384 || slots == 65536;
    bool alignment_valid =
        config->alignment == 4 || config->alignment == 8 || config->alignment == 16;
    return slots_valid && alignment_valid && config->dwords <= LAB_DWORDS_MAX &&
           config->skew <= 15 && config->guard <= 3 && config->low_memory <= 1 &&
           config->subject < lab_subject_names_count;
}

bool lab_op_is_valid(const lab_op *op, const lab_config *config) {
    if (op->kind >= LAB_OP_COUNT) {
        return false;
    }
    unsigned fields = lab_op_fields[op->kind];
    bool slot = (fields & LAB_FIELD_SLOT) != 0 ? op->slot < config->slots : op->slot == 0;
    bool tag =
        (fields & LAB_FIELD_TAG) != 0 ? op->tag <= 0x7FFF || op->tag >= 0xFF00 : op->tag == 0;
    bool tag_high = (fields & LAB_FIELD_TAG_HIGH) != 0 || op->tag_high == 0;
    bool size = (fields & LAB_FIELD_SIZE) != 0
                    ? op->size.kind <= LAB_SIZE_MAX && op->size.value <= LAB_SIZE_VALUE_MAX
                    : op->size.kind == 0 && op->size.value == 0;
    bool align = (fields & LAB_FIELD_ALIGN) != 0 ? op->align <= LAB_ALIGN_MAX : op->align == 0;
    bool veto = (fields & LAB_FIELD_VETO) != 0 || op->veto == 0;
    bool reenter = (fields & LAB_FIELD_REENTER) != 0 ? op->reenter <= 1 : op->reenter == 0;
    bool attack =
        (fields & LAB_FIELD_ATTACK) != 0 ? op->attack < LAB_ATTACK_COUNT : op->attack == 0;
    return slot && tag && tag_high && size && align && veto && reenter && attack;
}

bool lab_script_is_valid(const lab_script *script) {
    if (!lab_config_is_valid(&script->config)) {
        return false;
    }
    for (size_t i = 0; i < script->count; i++) {
        if (!lab_op_is_valid(&script->ops[i], &script->config)) {
            return false;
        }
    }
    return true;
}

bool lab_op_equal(const lab_op *a, const lab_op *b) {
    return a->kind == b->kind && a->align == b->align && a->veto == b->veto &&
           a->reenter == b->reenter && a->attack == b->attack && a->slot == b->slot &&
           a->tag == b->tag && a->tag_high == b->tag_high && a->size.kind == b->size.kind &&
           a->size.value == b->size.value;
}

bool lab_script_equal(const lab_script *a, const lab_script *b) {
    const lab_config *x = &a->config;
    const lab_config *y = &b->config;
    if (a->count != b->count || x->dwords != y->dwords || x->alignment != y->alignment ||
        x->skew != y->skew || x->guard != y->guard || x->low_memory != y->low_memory ||
        x->slots != y->slots || x->subject != y->subject) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!lab_op_equal(&a->ops[i], &b->ops[i])) {
            return false;
        }
    }
    return true;
}
