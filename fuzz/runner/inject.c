/* SPDX-License-Identifier: MIT */
#include "runner/inject.h"

#include <assert.h>

static_assert(4 * LAB_DWORDS_MAX <= LAB_SIZE_VALUE_MAX, "a whole region is a size");

const char *lab_inject_name(lab_inject_kind kind) {
    static const char *const names[LAB_INJECT_KINDS] = {"alloc", "more", "move", "own"};
    return names[kind];
}

bool lab_inject(lab_injection *plan, lab_inject_kind kind) {
    if (plan == NULL || plan->kind != kind) {
        return false;
    }
    plan->seen++;
    return plan->seen == plan->n || (plan->for_ever && plan->seen > plan->n);
}

const lab_op *lab_inject_op(lab_injection *plan, const lab_op *op, uint32_t region_dwords,
                            lab_op *other) {
    bool asks =
        lab_op_allocates(op) || (op->kind == LAB_OP_RESIZE && lab_size_bytes(op->size) != 0);
    if (!asks || !lab_inject(plan, LAB_INJECT_ALLOC)) {
        return op;
    }
    *other = *op;
    other->size = (lab_size){.kind = LAB_SIZE_BYTES, .value = 4 * region_dwords};
    return other;
}
