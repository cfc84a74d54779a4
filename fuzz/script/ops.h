/* SPDX-License-Identifier: MIT */
/* The operations and attacks that there are: what ops.def and attacks.def say, as tables. */
#ifndef LAB_SCRIPT_OPS_H
#define LAB_SCRIPT_OPS_H

#include <stdint.h>

typedef enum lab_op_kind {
#define LAB_OP(KIND, ...) LAB_OP_##KIND,
#include "script/ops.def"
    LAB_OP_COUNT
} lab_op_kind;

/* What an attack damages; its size says which byte, bit or address. */
typedef enum lab_attack {
#define LAB_ATTACK(KIND, ...) LAB_ATTACK_##KIND,
#include "script/attacks.def"
    LAB_ATTACK_COUNT
} lab_attack;

/* The fields that a kind uses, as a set. */
enum {
    LAB_FIELD_SLOT = 1,
    LAB_FIELD_TAG = 2,
    LAB_FIELD_TAG_HIGH = 4,
    LAB_FIELD_SIZE = 8,
    LAB_FIELD_ALIGN = 16,
    LAB_FIELD_VETO = 32,
    LAB_FIELD_REENTER = 64,
    LAB_FIELD_ATTACK = 128
};
extern const uint8_t lab_op_fields[LAB_OP_COUNT];

/* What the slot of an operation must be for it to do anything. */
typedef enum lab_slot_state {
    LAB_SLOT_NONE, /* it has no slot */
    LAB_SLOT_EMPTY,
    LAB_SLOT_LIVE
} lab_slot_state;

/* What an operation does to slots; see ops.def. */
typedef enum lab_effect {
    LAB_EFFECT_ALLOCATE,
    LAB_EFFECT_ALLOCATE_ZEROED,
    LAB_EFFECT_RESIZE,
    LAB_EFFECT_CHANGE,
    LAB_EFFECT_FREE,
    LAB_EFFECT_FREE_TAGS,
    LAB_EFFECT_COMPACT,
    LAB_EFFECT_OTHER
} lab_effect;

/* A row of ops.def. */
typedef struct lab_op_rule {
    const char *name;
    const char *word;
    const char *size_prefix;
    uint8_t slot;     /* lab_slot_state */
    uint8_t optional; /* fields that may be left out in text */
    uint8_t opcode;   /* the canonical one */
    uint8_t of_32, bytes;
    uint16_t weight;
    uint8_t effect; /* lab_effect */
    const char *result;
    const char *meaning;
} lab_op_rule;
extern const lab_op_rule lab_op_rules[LAB_OP_COUNT];

/* A row of attacks.def. */
typedef struct lab_attack_rule {
    const char *name;
    uint16_t weight;
    const char *damage, *by;
} lab_attack_rule;
extern const lab_attack_rule lab_attack_rules[LAB_ATTACK_COUNT];

#endif
