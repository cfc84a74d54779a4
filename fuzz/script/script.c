/* SPDX-License-Identifier: MIT */
/* What scripts are made of: the array of operations, the fields of each kind, valid values. */
#include "script/script.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LAB_OPS_FIRST 64u /* the capacity that the first append asks for */

const uint32_t lab_slot_counts[LAB_SLOT_COUNTS_COUNT] = {LAB_SLOT_COUNTS};

uint32_t lab_slots_for(uint64_t slots) {
    unsigned i = 0;
    while (i < LAB_SLOT_COUNTS_COUNT - 1 && lab_slot_counts[i] < slots) {
        i++;
    }
    return lab_slot_counts[i];
}

#define NAME(subject, name, family) name,
const char *const lab_subject_names[] = {
    [LAB_SUBJECT_HEAP] = "heap", [LAB_SUBJECT_PLUGIN] = "plugin", LAB_SUBJECTS(NAME)};
const uint8_t lab_subject_names_count = sizeof lab_subject_names / sizeof lab_subject_names[0];

#define FAMILY_NAME(FAMILY, name) name,
const char *const lab_family_names[LAB_FAMILY_COUNT] = {LAB_FAMILIES(FAMILY_NAME)};

lab_family lab_config_family(const lab_config *config) {
#define FAMILY(subject, name, family) LAB_FAMILY_##family,
    static const uint8_t families[] = {
        [LAB_SUBJECT_HEAP] = LAB_FAMILY_HEAP, [LAB_SUBJECT_PLUGIN] = 0, LAB_SUBJECTS(FAMILY)};
    return (lab_family)(config->subject == LAB_SUBJECT_PLUGIN ? config->plugin_family
                                                              : families[config->subject]);
}

const char *const lab_layout_names[LAB_LAYOUT_COUNT] = {[LAB_LAYOUT_CLASSIC] = "classic",
                                                        [LAB_LAYOUT_LEAN] = "lean",
                                                        [LAB_LAYOUT_WIDE] = "wide",
                                                        [LAB_LAYOUT_AUTO] = "auto"};

bool lab_layout_find(const char *name, lab_layout *layout) {
    unsigned found = 0;
    while (found < LAB_LAYOUT_COUNT && strcmp(name, lab_layout_names[found]) != 0) {
        found++;
    }
    *layout = (lab_layout)found;
    return found < LAB_LAYOUT_COUNT;
}

/* The value of such a size: the exponent in 6 bits above a two's complement of 18 bits. */
#define DISTANCE_BITS 18u
#define DISTANCE_SIGN (1u << (DISTANCE_BITS - 1))
static_assert(LAB_DISTANCE_MAX + 1 == DISTANCE_SIGN, "distances have so many bits");
static_assert(LAB_EXPONENT_MAX << DISTANCE_BITS >> DISTANCE_BITS == LAB_EXPONENT_MAX &&
                  (LAB_EXPONENT_MAX << DISTANCE_BITS | (2 * DISTANCE_SIGN - 1)) ==
                      LAB_SIZE_VALUE_MAX,
              "every value means one such size");

lab_size lab_size_near(uint32_t exponent, int32_t distance) {
    assert(exponent <= LAB_EXPONENT_MAX);
    assert(distance <= LAB_DISTANCE_MAX && distance >= -LAB_DISTANCE_MAX - 1);
    uint32_t low = (uint32_t)distance & (2 * DISTANCE_SIGN - 1);
    return (lab_size){LAB_SIZE_POWER, exponent << DISTANCE_BITS | low};
}

uint32_t lab_size_exponent(lab_size size) {
    return size.value >> DISTANCE_BITS;
}

int32_t lab_size_distance(lab_size size) {
    uint32_t low = size.value & (2 * DISTANCE_SIGN - 1);
    return (int32_t)(low ^ DISTANCE_SIGN) - (int32_t)DISTANCE_SIGN;
}

static size_t near_bytes(lab_size size) {
    uint64_t power = (uint64_t)1 << lab_size_exponent(size);
    int64_t distance = lab_size_distance(size);
    uint64_t less = distance < 0 ? (uint64_t)-distance : 0;
    uint64_t bytes = power > less ? power - less : 0;
    bytes += distance > 0 ? (uint64_t)distance : 0;
    return bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX;
}

size_t lab_size_bytes(lab_size size) {
    switch ((lab_size_kind)size.kind) {
    case LAB_SIZE_POWER:
        return near_bytes(size);
    case LAB_SIZE_HALF:
        return (size_t)PTRDIFF_MAX + size.value;
    case LAB_SIZE_MAX:
        return SIZE_MAX - size.value;
    case LAB_SIZE_BYTES:
        break;
    }
    return size.value;
}

/* Those that are no powers of two lie between those that are. */
enum { ODD_START = 32, ODD_END = 40 };

uint64_t lab_align_number(uint8_t align) {
    static const uint8_t odd[] = {0, 3, 6, 12, 24, 48, 96, 5};
    static_assert(ODD_END - ODD_START == sizeof odd && ODD_END + 32 == LAB_ALIGN_MAX + 1,
                  "every value has a meaning");
    assert(align <= LAB_ALIGN_MAX);
    if (!lab_align_is_power(align)) {
        return odd[align - ODD_START];
    }
    return (uint64_t)1 << (align < ODD_START ? align : align - sizeof odd);
}

size_t lab_align_bytes(uint8_t align) {
    uint64_t number = lab_align_number(align);
    return number <= SIZE_MAX ? (size_t)number : 0;
}

bool lab_align_is_power(uint8_t align) {
    return align < ODD_START || align >= ODD_END;
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

bool lab_script_copy(lab_script *to, const lab_script *from) {
    if (!lab_script_reserve(to, from->count)) {
        return false;
    }
    if (from->count > 0) {
        memcpy(to->ops, from->ops, from->count * sizeof *to->ops);
    }
    to->config = from->config;
    to->count = from->count;
    return true;
}

bool lab_config_is_valid(const lab_config *config) {
    bool slots_valid = config->slots == lab_slots_for(config->slots);
    bool alignment_valid =
        config->alignment == 4 || config->alignment == 8 || config->alignment == 16;
    return slots_valid && alignment_valid && config->dwords <= LAB_DWORDS_MAX &&
           config->skew <= LAB_SKEW_MAX && config->guard <= 3 && config->low_memory <= 1 &&
           config->subject < lab_subject_names_count && config->layout < LAB_LAYOUT_COUNT &&
           (config->layout != LAB_LAYOUT_LEAN || config->guard == 0) &&
           (config->subject == LAB_SUBJECT_PLUGIN ? config->plugin_family < LAB_FAMILY_HEAP
                                                  : config->plugin_family == 0);
}

bool lab_op_is_valid(const lab_op *op, const lab_config *config) {
    if (op->kind >= LAB_OP_COUNT) {
        return false;
    }
    unsigned fields = lab_op_fields[op->kind];
    bool slot = (fields & LAB_FIELD_SLOT) != 0 ? op->slot < config->slots : op->slot == 0;
    bool tag = (fields & LAB_FIELD_TAG) != 0 ? lab_tag_is_valid(op->tag) : op->tag == 0;
    bool tag_high = (fields & LAB_FIELD_TAG_HIGH) != 0 || op->tag_high == 0;
    bool size = (fields & LAB_FIELD_SIZE) != 0
                    ? op->size.kind <= LAB_SIZE_POWER && op->size.value <= LAB_SIZE_VALUE_MAX
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
        x->slots != y->slots || x->subject != y->subject || x->layout != y->layout ||
        x->plugin_family != y->plugin_family) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!lab_op_equal(&a->ops[i], &b->ops[i])) {
            return false;
        }
    }
    return true;
}
