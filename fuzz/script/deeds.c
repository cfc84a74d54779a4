/* SPDX-License-Identifier: MIT */
/* The table of deeds.def, and what must be true of each row. */
#include "script/deeds.h"

#include <assert.h>
#include <stddef.h>

const lab_deed_rule lab_deed_rules[] = {
#define LAB_DEED(DEED, families, KIND, choice, word, size, fields, meaning)                        \
    {LAB_DEED_##DEED, families, LAB_OP_##KIND, choice, word, size, fields, meaning},
#include "script/deeds.def"
};

enum { RULES = sizeof lab_deed_rules / sizeof lab_deed_rules[0] };
const unsigned lab_deed_rules_count = RULES;

static_assert(LAB_FAMILY_COUNT <= 8, "sets of families are stored in bytes");
static_assert(LAB_FIELD_BATCH_BYTES <= UINT16_MAX, "sets of fields are stored in two");

/* There is a prefix where there is a size, and only there. */
#define LAB_DEED(DEED, families, KIND, choice, word, size, fields, meaning)                        \
    static_assert((((fields)&LAB_FIELD_SIZE) != 0) == (sizeof(size) > 1), word ": a size prefix");
#include "script/deeds.def"

enum { FLAVOURS = 4 };

unsigned lab_deed_choice(const lab_op *op) {
    return op->kind == LAB_OP_ALLOC ? op->tag % FLAVOURS : op->attack;
}

const lab_deed_rule *lab_deed_of(lab_family family, const lab_op *op) {
    unsigned choice = lab_deed_choice(op);
    for (const lab_deed_rule *rule = lab_deed_rules; rule < lab_deed_rules + RULES; rule++) {
        if (rule->kind == op->kind && (rule->choice == choice || rule->choice == LAB_ANY_CHOICE) &&
            (rule->families >> family & 1) != 0) {
            return rule;
        }
    }
    return NULL;
}

const char *lab_op_word(const lab_config *config, const lab_op *op) {
    lab_family family = lab_config_family(config);
    const lab_deed_rule *rule = lab_deed_of(family, op);
    if (family == LAB_FAMILY_HEAP) {
        return lab_op_rules[op->kind].name;
    }
    return rule != NULL ? rule->word : "skip";
}
