/* SPDX-License-Identifier: MIT */
/* The steps that make operations plain: kinds, tags, sizes, alignments, vetoes, slots. */
#include <string.h>

#include "shrink/state.h"

enum { VETO_BITS = 8 };

/* Is there an operation `i` in the best, and does it use the field? (Accepting a candidate may have
 * cut off the end of it.) */
static bool uses(const lab_shrinker *s, size_t i, unsigned field) {
    return i < s->best.count && (lab_op_fields[s->best.ops[i].kind] & field) != 0;
}

/* ---- kinds -------------------------------------------------------------------------------- */

static void make_kind_plain(lab_shrinker *s, size_t i) {
    lab_op op = s->best.ops[i];
    if (lab_op_allocates(&op) && op.kind != LAB_OP_ALLOC) {
        op.kind = LAB_OP_ALLOC;
        op.align = 0;
    } else if (op.kind == LAB_OP_COMPACT_SOME) {
        op.kind = LAB_OP_COMPACT;
        op.size = (lab_size){0};
    } else if (op.kind == LAB_OP_RESIZE && lab_size_bytes(op.size) == 0) {
        op.kind = LAB_OP_FREE;
        op.size = (lab_size){0};
    } else {
        return;
    }
    lab_shrink_candidate(s)->ops[i] = op;
    (void)lab_shrink_accept(s);
}

/* ---- tags --------------------------------------------------------------------------------- */

static uint16_t *tag_of(lab_op *op, bool high) {
    return high ? &op->tag_high : &op->tag;
}

/* The plainest tag of a HEAD block, then of a TAIL block, then what no heap accepts. */
static void make_tag_plain(lab_shrinker *s, size_t i, bool high) {
    static const uint16_t plain[] = {0x0000, 0x0001, 0x0002, 0x4000, 0x4001,
                                     0x4002, 0x3FFF, 0x7FFE, 0x7FFF, 0xFFFF};
    for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++) {
        if (!uses(s, i, high ? LAB_FIELD_TAG_HIGH : LAB_FIELD_TAG) ||
            *tag_of(&s->best.ops[i], high) == plain[k]) {
            return;
        }
        *tag_of(&lab_shrink_candidate(s)->ops[i], high) = plain[k];
        if (lab_shrink_accept(s)) {
            return;
        }
    }
}

/* All operations that name this tag name the plainest free one instead. */
static void make_tag_plain_everywhere(lab_shrinker *s, uint16_t tag) {
    for (uint16_t plain = tag & 0x4000u; plain < tag && plain < (tag & 0x4000u) + 3; plain++) {
        lab_script *candidate = lab_shrink_candidate(s);
        for (size_t k = 0; k < candidate->count; k++) {
            lab_op *op = &candidate->ops[k];
            unsigned fields = lab_op_fields[op->kind];
            op->tag = (fields & LAB_FIELD_TAG) != 0 && op->tag == tag ? plain : op->tag;
            bool high = (fields & LAB_FIELD_TAG_HIGH) != 0 && op->tag_high == tag;
            op->tag_high = high ? plain : op->tag_high;
        }
        if (lab_shrink_accept(s)) {
            return;
        }
    }
}

/* ---- sizes -------------------------------------------------------------------------------- */

static void set_size(lab_script *script, size_t i, uint32_t value) {
    if (i < script->count) {
        script->ops[i].size.value = value;
    }
}

/* The power of two itself, or a little more. */
static void make_distance_plain(lab_shrinker *s, size_t i) {
    static const int32_t plain[] = {0, 1, 8, 16, 64};
    for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++) {
        lab_size size = s->best.ops[i].size;
        if (lab_size_distance(size) == plain[k]) {
            return;
        }
        lab_shrink_candidate(s)->ops[i].size = lab_size_near(lab_size_exponent(size), plain[k]);
        if (lab_shrink_accept(s)) {
            return;
        }
    }
}

static void make_size_plain(lab_shrinker *s, size_t i) {
    /* Round sizes, small ones first: they say more than the least that happens to do. */
    static const uint32_t round[] = {0, 1, 4, 8, 16, 32, 64, 100, 128, 256, 512, 1000};
    if (s->best.ops[i].size.kind != LAB_SIZE_BYTES) {
        lab_op *op = &lab_shrink_candidate(s)->ops[i];
        op->size = (lab_size){LAB_SIZE_BYTES, LAB_SIZE_VALUE_MAX};
        (void)lab_shrink_accept(s);
    }
    if (uses(s, i, LAB_FIELD_SIZE) && s->best.ops[i].size.kind == LAB_SIZE_POWER) {
        make_distance_plain(s, i);
        return;
    }
    uint32_t least = 0;
    for (size_t k = 0; k < sizeof round / sizeof round[0]; k++) {
        if (!uses(s, i, LAB_FIELD_SIZE) || s->best.ops[i].size.value <= round[k]) {
            break;
        }
        set_size(lab_shrink_candidate(s), i, round[k]);
        if (lab_shrink_accept(s)) {
            return;
        }
        least = round[k] + 1;
    }
    if (uses(s, i, LAB_FIELD_SIZE)) {
        lab_shrink_number(s, least, s->best.ops[i].size.value, set_size, i);
    }
}

/* ---- the other operands ------------------------------------------------------------------- */

static void make_align_plain(lab_shrinker *s, size_t i) {
    for (uint8_t align = 2; uses(s, i, LAB_FIELD_ALIGN) && align < s->best.ops[i].align; align++) {
        lab_shrink_candidate(s)->ops[i].align = align;
        if (lab_shrink_accept(s)) {
            return;
        }
    }
}

static void make_veto_plain(lab_shrinker *s, size_t i) {
    lab_shrink_candidate(s)->ops[i].veto = 0;
    (void)lab_shrink_accept(s);
    for (unsigned bit = 0; uses(s, i, LAB_FIELD_VETO) && bit < VETO_BITS; bit++) {
        lab_op *op = &lab_shrink_candidate(s)->ops[i];
        op->veto = (uint8_t)(op->veto & ~(1u << bit));
        (void)lab_shrink_accept(s);
    }
    if (uses(s, i, LAB_FIELD_REENTER)) {
        lab_shrink_candidate(s)->ops[i].reenter = 0;
        (void)lab_shrink_accept(s);
    }
}

static void make_op_plain(lab_shrinker *s, size_t i) {
    make_kind_plain(s, i);
    if (uses(s, i, LAB_FIELD_VETO)) {
        make_veto_plain(s, i);
    }
    make_align_plain(s, i);
    make_tag_plain(s, i, false);
    make_tag_plain(s, i, true);
    if (uses(s, i, LAB_FIELD_TAG)) {
        make_tag_plain_everywhere(s, s->best.ops[i].tag);
    }
    if (uses(s, i, LAB_FIELD_SIZE)) {
        make_size_plain(s, i);
    }
}

void lab_shrink_operands(lab_shrinker *s) {
    s->state.step = "operands";
    for (size_t i = 0; i < s->best.count && !s->stuck; i++) {
        make_op_plain(s, i);
    }
}

/* ---- slots -------------------------------------------------------------------------------- */

/* A veto names slots modulo 8: its bits go where their slots go. */
static uint8_t map_veto(uint8_t veto, const uint32_t *to, uint32_t slots) {
    uint8_t mapped = 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        if (to[slot] != UINT32_MAX && (veto >> slot % VETO_BITS & 1) != 0) {
            mapped = (uint8_t)(mapped | 1u << to[slot] % VETO_BITS);
        }
    }
    return mapped;
}

/* Renames slots: to[slot], UINT32_MAX where none has a name. The vetoes follow them, or stay. */
static bool try_names(lab_shrinker *s, const uint32_t *to, bool with_vetoes) {
    lab_script *candidate = lab_shrink_candidate(s);
    for (size_t i = 0; i < candidate->count; i++) {
        lab_op *op = &candidate->ops[i];
        if ((lab_op_fields[op->kind] & LAB_FIELD_SLOT) != 0) {
            op->slot = (uint16_t)to[op->slot];
        }
        if (with_vetoes && (lab_op_fields[op->kind] & LAB_FIELD_VETO) != 0) {
            op->veto = map_veto(op->veto, to, candidate->config.slots);
        }
    }
    return lab_shrink_accept(s);
}

/* In the order of their first use the slots become 0, 1, 2 ...; if that is too much at once, in
 * the order of their numbers, which keeps the lowest live slot the lowest. */
void lab_shrink_slots(lab_shrinker *s) {
    static uint32_t by_use[LAB_SLOTS_MAX];
    static uint32_t by_number[LAB_SLOTS_MAX];
    uint32_t next = 0;
    s->state.step = "slots' names";
    memset(by_use, 0xFF, sizeof by_use);
    for (size_t i = 0; i < s->best.count; i++) {
        uint16_t slot = s->best.ops[i].slot;
        if (uses(s, i, LAB_FIELD_SLOT) && by_use[slot] == UINT32_MAX) {
            by_use[slot] = next++;
        }
    }
    next = 0;
    for (uint32_t slot = 0; slot < LAB_SLOTS_MAX; slot++) {
        by_number[slot] = by_use[slot] == UINT32_MAX ? UINT32_MAX : next++;
    }
    if (!try_names(s, by_use, true) && !try_names(s, by_use, false) &&
        !try_names(s, by_number, true)) {
        (void)try_names(s, by_number, false);
    }
}
