/* SPDX-License-Identifier: MIT */
/* The tables of ops.def and attacks.def, and what must be true of each row. */
#include "script/ops.h"

#include <assert.h>
#include <stddef.h>

static_assert(LAB_OP_COUNT <= UINT8_MAX && LAB_ATTACK_COUNT <= UINT8_MAX, "stored in bytes");
static_assert(LAB_FIELD_ATTACK <= UINT8_MAX, "sets of fields are stored in bytes");

const uint8_t lab_op_fields[LAB_OP_COUNT] = {
#define LAB_OP(KIND, name, word, size, slot, fields, ...) [LAB_OP_##KIND] = (fields),
#include "script/ops.def"
};

const lab_op_rule lab_op_rules[LAB_OP_COUNT] = {
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, bytes, weight,       \
               effect, result, heap, model, meaning)                                               \
    [LAB_OP_##KIND] = {name,  word,  size,   LAB_SLOT_##slot,     optional, opcode,                \
                       of_32, bytes, weight, LAB_EFFECT_##effect, result,   meaning},
#include "script/ops.def"
};

const lab_attack_rule lab_attack_rules[LAB_ATTACK_COUNT] = {
#define LAB_ATTACK(KIND, name, weight, damage, by) [LAB_ATTACK_##KIND] = {name, weight, damage, by},
#include "script/attacks.def"
};

/* Fields that share bytes of a record do not meet in an operation; a prefix is there for a size,
 * and only then; what may be left out is a field that there is. */
#define AT_MOST_ONE(set) (((set) & ((set)-1)) == 0)
#define SHARING_EXTRA    (LAB_FIELD_ALIGN | LAB_FIELD_VETO | LAB_FIELD_ATTACK)
#define SHARING_TAG      (LAB_FIELD_TAG | LAB_FIELD_REENTER)
#define SHARING_VALUE    (LAB_FIELD_SIZE | LAB_FIELD_TAG_HIGH)
#define LAB_OP(KIND, name, word, size, slot, fields, optional, ...)                                \
    static_assert(AT_MOST_ONE((fields)&SHARING_EXTRA) && AT_MOST_ONE((fields)&SHARING_TAG) &&      \
                      AT_MOST_ONE((fields)&SHARING_VALUE),                                         \
                  name ": two of its fields share bytes");                                         \
    static_assert((((fields)&LAB_FIELD_SLOT) != 0) == (LAB_SLOT_##slot != LAB_SLOT_NONE),          \
                  name ": a slot");                                                                \
    static_assert((((fields)&LAB_FIELD_SIZE) != 0) == (sizeof(size) > 1), name ": a size prefix"); \
    static_assert(((fields) & (optional)) == (optional), name ": what it may lack it has");
#include "script/ops.def"

/* The low five bits of an opcode always mean something, and a whole byte is none of them. (That two
 * rows claim the same opcode is an error where codec.c makes its tables.) */
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, bytes, ...)          \
    static_assert(((of_32) != 0) != ((bytes) != 0), name ": values of five bits, or bytes");       \
    static_assert((of_32) == 0 || (opcode) + (of_32) <= 32, name ": five bits hold 32 values");    \
    static_assert((bytes) == 0 || ((opcode) >= 32 && (opcode) + (bytes) <= 256),                   \
                  name ": whole bytes are those that no canonical form of another has");
#include "script/ops.def"

#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, ...) +(of_32)
static_assert(
#include "script/ops.def"
    == 32, "every value of five bits means an operation");
