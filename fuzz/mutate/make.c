/* SPDX-License-Identifier: MIT */
#include "mutate/make.h"

#include <string.h>

#include "tagheap/heap.h"

#define SPLIT_BYTES 40u /* the smallest remainder that is split off: a header and 4 dwords */

#define PICK(random, table) ((table)[lab_random_below((random), sizeof(table) / sizeof *(table))])

/* ---- configurations ----------------------------------------------------------------------- */

static uint32_t make_dwords(lab_maker *maker) {
    lab_random *random = &maker->random;
    static const uint32_t edges[] = {
        0, 11, 12, 15, 16, 17, 0x3FF, 0x1FFFF, 0x20000, LAB_DWORDS_CLASSIC, LAB_DWORDS_MAX};
    if (lab_random_below(random, 8) < maker->swarm.dense) {
        return lab_random_between(random, 2 * LAB_CLASSIC_HEADER_DWORDS + 4, 240);
    }
    switch (lab_random_below(random, 16)) {
    case 0:
        return PICK(random, edges);
    case 1:
        return lab_random_between(
            random, 0, lab_random_once_in(random, 8) ? LAB_DWORDS_MAX : LAB_DWORDS_CLASSIC);
    case 2:
    case 3:
        return lab_random_between(random, 1024, 8192);
    default:
        return lab_random_between(random, 128, 1023);
    }
}

static uint8_t make_alignment(lab_random *random) {
    static const uint8_t alignments[] = {4, 4, 8, 16};
    return PICK(random, alignments);
}

static uint32_t make_slots(lab_random *random) {
    static const uint32_t slots[] = {16, 16, 16, 16, 16, 16, 8, 8, 64, 64};
    enum { MANY = 3 }; /* from this index on: 256 and more */
    return lab_random_once_in(random, 64)
               ? lab_slot_counts[MANY + lab_random_below(random, LAB_SLOT_COUNTS_COUNT - MANY)]
               : PICK(random, slots);
}

static uint8_t make_skew(lab_random *random) {
    return (uint8_t)(lab_random_once_in(random, 2) ? 0 : lab_random_below(random, 16));
}

/* The heap stays the heap. Of the others, the plug-in is there only where it is the only one. */
static uint8_t make_subject(lab_random *random, uint8_t subject) {
    const uint8_t first = LAB_SUBJECT_PLUGIN + 1;
    if (subject == LAB_SUBJECT_HEAP || lab_subject_names_count <= first) {
        return subject;
    }
    return (uint8_t)(first + lab_random_below(random, (size_t)(lab_subject_names_count - first)));
}

/* Only the tagged heap has any. */
static uint8_t make_layout(lab_random *random, uint8_t subject) {
    static const uint8_t layouts[] = {LAB_LAYOUT_CLASSIC, LAB_LAYOUT_CLASSIC, LAB_LAYOUT_CLASSIC,
                                      LAB_LAYOUT_CLASSIC, LAB_LAYOUT_WIDE,    LAB_LAYOUT_WIDE,
                                      LAB_LAYOUT_LEAN,    LAB_LAYOUT_AUTO};
    return subject == LAB_SUBJECT_HEAP ? PICK(random, layouts) : (uint8_t)LAB_LAYOUT_CLASSIC;
}

/* A lean heap has no guards, and only a plug-in has a family of its own. */
static void make_valid(lab_config *config) {
    config->guard = config->layout == LAB_LAYOUT_LEAN ? 0 : config->guard;
    config->plugin_family = config->subject == LAB_SUBJECT_PLUGIN ? config->plugin_family : 0;
}

void lab_make_config(lab_maker *maker, lab_config *config) {
    lab_random *random = &maker->random;
    config->subject = make_subject(random, config->subject);
    config->dwords = make_dwords(maker);
    config->alignment = make_alignment(random);
    config->guard = (uint8_t)lab_random_weighed(random, maker->swarm.guards, 4);
    config->slots = make_slots(random);
    config->low_memory = lab_random_once_in(random, 4);
    config->skew = make_skew(random);
    config->layout = make_layout(random, config->subject);
    make_valid(config);
}

void lab_make_config_key(lab_maker *maker, lab_config *config) {
    lab_random *random = &maker->random;
    lab_config other = *config;
    lab_make_config(maker, &other);
    if (other.subject != config->subject && lab_random_once_in(random, 4)) {
        config->subject = other.subject;
        make_valid(config);
        return;
    }
    switch (lab_random_below(random, 9)) {
    case 0:
        config->alignment = other.alignment;
        break;
    case 1:
        config->guard = other.guard;
        break;
    case 2:
        config->slots = other.slots;
        break;
    case 3:
        config->low_memory ^= 1u;
        break;
    case 4:
        config->skew = other.skew;
        break;
    case 5: /* a little more or less room */
        config->dwords += lab_random_between(random, 0, 16);
        config->dwords -= config->dwords < 8 ? config->dwords : 8;
        config->dwords = config->dwords > LAB_DWORDS_MAX ? LAB_DWORDS_MAX : config->dwords;
        break;
    case 6:
        config->layout = other.layout;
        break;
    default:
        config->dwords = other.dwords;
        break;
    }
    make_valid(config);
}

void lab_make_fit(lab_script *script) {
    for (size_t i = 0; i < script->count; i++) {
        script->ops[i].slot &= (uint16_t)(script->config.slots - 1);
    }
}

/* ---- sizes -------------------------------------------------------------------------------- */

static lab_size bytes_of(uint32_t value) {
    return (lab_size){LAB_SIZE_BYTES, value > LAB_SIZE_VALUE_MAX ? LAB_SIZE_VALUE_MAX : value};
}

/* Less by up to what decides whether a remainder is split off, or a little more. */
static uint32_t near(lab_random *random, uint32_t bytes) {
    uint32_t more = lab_random_below(random, 8);
    uint32_t less = 0;
    switch (lab_random_below(random, 4)) {
    case 0:
        more = 0;
        break;
    case 1:
        less = 4 * lab_random_below(random, SPLIT_BYTES / 4 + 4);
        break;
    case 2:
        less = lab_random_below(random, SPLIT_BYTES + 8);
        more = 0;
        break;
    default:
        break;
    }
    uint32_t sum = bytes + more;
    return sum > less ? sum - less : 1;
}

static const lab_live_block *pick_live(lab_random *random, const lab_live *live) {
    return live->count > 0 ? &live->blocks[lab_random_below(random, live->count)] : NULL;
}

static uint32_t make_near_live(lab_random *random, const lab_live *live) {
    const lab_live_block *block = pick_live(random, live);
    return near(random, block != NULL ? block->bytes : 64);
}

static uint32_t make_near_freed(lab_random *random, const lab_live *live) {
    uint32_t known = live->freed_count < LAB_FREED_MAX ? live->freed_count : LAB_FREED_MAX;
    if (known == 0) {
        return lab_random_between(random, 1, 128);
    }
    uint32_t bytes = live->freed[lab_random_below(random, known)];
    if (known > 1 && lab_random_once_in(random, 4)) { /* two of them and a header: merged */
        bytes += 4 * LAB_CLASSIC_HEADER_DWORDS + live->freed[lab_random_below(random, known)];
    }
    return near(random, bytes);
}

/* Such that, kept in fewer bits, it is a small size, or none: around a power of two, those most
 * often that are the limits of a machine's types. */
static lab_size make_wide(lab_random *random) {
    static const uint8_t limits[] = {16, 24, 31, 32, 32, 33, 63};
    static const uint8_t distances[] = {1, 8, 64};
    uint32_t exponent = lab_random_once_in(random, 2)
                            ? PICK(random, limits)
                            : lab_random_below(random, LAB_EXPONENT_MAX + 1);
    uint32_t most = PICK(random, distances);
    int32_t distance = (int32_t)lab_random_between(random, 0, most);
    return lab_size_near(exponent, lab_random_once_in(random, 3) ? -distance : distance);
}

static lab_size make_absurd(lab_random *random) {
    switch (lab_random_below(random, 8)) {
    case 0:
        return bytes_of(0);
    case 1:
        return (lab_size){LAB_SIZE_HALF, lab_random_below(random, 64)};
    case 2:
        return (lab_size){LAB_SIZE_MAX, lab_random_below(random, 64)};
    case 3:
        return (lab_size){(uint8_t)(LAB_SIZE_HALF + lab_random_below(random, 2)),
                          lab_random_below(random, LAB_SIZE_VALUE_MAX + 1)};
    case 4:
        return bytes_of(lab_random_below(random, LAB_SIZE_VALUE_MAX + 1));
    default:
        return make_wide(random);
    }
}

static lab_size make_size(lab_maker *maker, const lab_live *live) {
    lab_random *random = &maker->random;
    switch ((lab_size_source)lab_random_weighed(random, maker->swarm.sources, LAB_SOURCE_COUNT)) {
    case LAB_SOURCE_TINY:
        return bytes_of(lab_random_between(random, 1, 16));
    case LAB_SOURCE_SMALL:
        return bytes_of(lab_random_between(random, 1, 255));
    case LAB_SOURCE_LIVE:
        return bytes_of(make_near_live(random, live));
    case LAB_SOURCE_FREED:
        return bytes_of(make_near_freed(random, live));
    case LAB_SOURCE_ROOM:
        return bytes_of(
            near(random, lab_random_once_in(random, 4) ? live->all : lab_live_room(live)));
    case LAB_SOURCE_SHARE:
        return bytes_of(lab_random_between(random, 1, live->all / 4 + 1));
    case LAB_SOURCE_POWER:
        return bytes_of((1u << lab_random_below(random, 18)) + lab_random_below(random, 3));
    case LAB_SOURCE_ABSURD:
    case LAB_SOURCE_COUNT:
        break;
    }
    return make_absurd(random);
}

/* An address in the region: anywhere, or where a block is likely to begin or end. */
static lab_size make_place(lab_random *random, const lab_live *live) {
    uint32_t region = live->all + 2 * 4 * LAB_CLASSIC_HEADER_DWORDS;
    if (lab_random_once_in(random, 4)) {
        return bytes_of(4 * LAB_CLASSIC_HEADER_DWORDS + lab_random_below(random, 9));
    }
    if (lab_random_once_in(random, 4)) {
        return bytes_of(near(random, region));
    }
    return bytes_of(lab_random_below(random, region + 64));
}

static lab_size make_attack_place(lab_random *random) {
    static const uint32_t ranges[] = {8, 64, 1024, 1u << 16, 1u << 20, LAB_SIZE_VALUE_MAX + 1};
    return bytes_of(lab_random_below(random, PICK(random, ranges)));
}

static lab_size make_size_for(lab_maker *maker, const lab_op *op, const lab_live *live) {
    lab_random *random = &maker->random;
    const lab_live_block *block = lab_live_find(live, op->slot);
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_RESIZE: /* mostly around what it has */
        if (block != NULL && lab_random_once_in(random, 3)) {
            return bytes_of(block->bytes + lab_random_below(random, 2 * SPLIT_BYTES));
        }
        if (lab_random_once_in(random, 32)) {
            return bytes_of(0);
        }
        return make_size(maker, live);
    case LAB_OP_FIND:
        return make_place(random, live);
    case LAB_OP_ATTACK:
        return make_attack_place(random);
    default:
        return make_size(maker, live);
    }
}

/* ---- other operands ----------------------------------------------------------------------- */

static uint16_t make_tag(lab_maker *maker) {
    static const uint16_t edges[] = {0,      1,      0x3FFE, 0x3FFF, 0x4000,
                                     0x4001, 0x7FFE, 0x7FFF, 0xFF00, 0xFFFF};
    lab_random *random = &maker->random;
    if (lab_random_once_in(random, 16)) {
        return PICK(random, edges);
    }
    uint32_t low = lab_random_once_in(random, 8) ? lab_random_below(random, TH_TAG_HEAD_MAX + 1)
                                                 : 0x1000 + lab_random_below(random, 8);
    bool tail = lab_random_below(random, 8) < maker->swarm.tails;
    return (uint16_t)(tail && low < TH_TAG_HEAD_MAX ? TH_TAG_TAIL_MIN + low : low);
}

/* A bound of a range of tags: at a live block's, beside it, or at the end of a side. */
static uint16_t make_bound(lab_maker *maker, const lab_live *live) {
    lab_random *random = &maker->random;
    const lab_live_block *block = pick_live(random, live);
    if (block == NULL || lab_random_once_in(random, 4)) {
        return make_tag(maker);
    }
    uint32_t tag = block->tag + lab_random_below(random, 3);
    return (uint16_t)(tag > 0 ? tag - 1 : 0);
}

static void make_range(lab_maker *maker, lab_op *op, const lab_live *live) {
    uint16_t low = make_bound(maker, live);
    uint16_t high = make_bound(maker, live);
    if (low > high && !lab_random_once_in(&maker->random, 8)) {
        uint16_t other = low;
        low = high;
        high = other;
    }
    op->tag = lab_tag_is_valid(low) ? low : 0x7FFF;
    op->tag_high = high;
}

static uint8_t make_align(lab_random *random) {
    if (lab_random_once_in(random, 12)) {
        return (uint8_t)lab_random_below(random, LAB_ALIGN_MAX + 1);
    }
    return (uint8_t)lab_random_between(random, 2, 9);
}

static uint8_t make_veto(lab_random *random, const lab_live *live) {
    const lab_live_block *block = pick_live(random, live);
    switch (lab_random_below(random, 4)) {
    case 0:
        return 0;
    case 1:
        return block != NULL ? (uint8_t)(1u << block->slot % 8) : 0;
    default:
        return (uint8_t)(lab_random_next(random) & lab_random_next(random));
    }
}

/* For an allocation an empty slot, for the rest one that is live, as far as is known. */
static uint16_t make_slot(lab_maker *maker, lab_op_kind kind, const lab_live *live,
                          const lab_config *config) {
    lab_random *random = &maker->random;
    bool all = lab_random_once_in(random, 64);
    uint32_t slots =
        !all && maker->swarm.slots < config->slots ? maker->swarm.slots : config->slots;
    uint32_t slot = lab_random_below(random, slots);
    if (lab_random_once_in(random, 32)) {
        return (uint16_t)slot;
    }
    if (lab_op_rules[kind].slot == LAB_SLOT_EMPTY) {
        for (uint32_t tries = 0; tries < slots; tries++) {
            if (lab_live_find(live, (uint16_t)slot) == NULL) {
                break;
            }
            slot = (slot + 1) % slots;
        }
        return (uint16_t)slot;
    }
    const lab_live_block *block = pick_live(random, live);
    return block != NULL ? block->slot : (uint16_t)slot;
}

/* ---- operations --------------------------------------------------------------------------- */

lab_op lab_make_kind(lab_maker *maker, lab_op_kind kind, const lab_live *live,
                     const lab_config *config) {
    lab_random *random = &maker->random;
    unsigned fields = lab_op_fields[kind];
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)kind;
    if ((fields & LAB_FIELD_SLOT) != 0) {
        op.slot = make_slot(maker, kind, live, config);
    }
    if ((fields & LAB_FIELD_TAG_HIGH) != 0) {
        make_range(maker, &op, live);
    } else if ((fields & LAB_FIELD_TAG) != 0) {
        op.tag = make_tag(maker);
    }
    if ((fields & LAB_FIELD_ALIGN) != 0) {
        op.align = make_align(random);
    }
    if ((fields & LAB_FIELD_VETO) != 0) {
        op.veto = make_veto(random, live);
    }
    if ((fields & LAB_FIELD_REENTER) != 0) {
        op.reenter = lab_random_once_in(random, 16);
    }
    if ((fields & LAB_FIELD_ATTACK) != 0) {
        op.attack = (uint8_t)lab_random_weighed(random, maker->swarm.attacks, LAB_ATTACK_COUNT);
    }
    if ((fields & LAB_FIELD_SIZE) != 0) {
        op.size = make_size_for(maker, &op, live);
    }
    return op;
}

lab_op lab_make_op(lab_maker *maker, lab_live *live, const lab_config *config) {
    uint32_t kind = lab_random_weighed(&maker->random, maker->swarm.kinds, LAB_OP_COUNT);
    bool needs_live = (lab_op_fields[kind] & LAB_FIELD_SLOT) != 0;
    bool idle = live->count == 0 && (needs_live || kind == LAB_OP_COMPACT);
    if (idle && !lab_random_once_in(&maker->random, 8)) {
        kind = LAB_OP_ALLOC; /* nothing there yet to do that to */
    }
    lab_op op = lab_make_kind(maker, (lab_op_kind)kind, live, config);
    lab_live_note(live, &op);
    return op;
}

/* A small step away, or one bit. */
static uint32_t step(lab_random *random, uint32_t value, uint32_t max) {
    static const uint32_t steps[] = {1, 1, 2, 4, 4, 8, 16, 24, SPLIT_BYTES};
    uint32_t by = PICK(random, steps);
    switch (lab_random_below(random, 5)) {
    case 0:
    case 1:
        value += by;
        break;
    case 2:
    case 3:
        value -= value < by ? value : by;
        break;
    default:
        value ^= 1u << lab_random_below(random, 16);
        break;
    }
    return value > max ? max : value;
}

bool lab_make_operand(lab_maker *maker, lab_op *op, const lab_live *live,
                      const lab_config *config) {
    lab_random *random = &maker->random;
    unsigned fields = lab_op_fields[op->kind];
    if (fields == 0) {
        return false;
    }
    unsigned field = 0;
    do {
        field = 1u << lab_random_below(random, 8);
    } while ((fields & field) == 0);
    lab_op other = lab_make_kind(maker, (lab_op_kind)op->kind, live, config);
    switch (field) {
    case LAB_FIELD_SLOT:
        op->slot = other.slot;
        break;
    case LAB_FIELD_TAG:
        op->tag = other.tag;
        break;
    case LAB_FIELD_TAG_HIGH:
        op->tag_high = lab_random_once_in(random, 2)
                           ? other.tag_high
                           : (uint16_t)step(random, op->tag_high, UINT16_MAX);
        break;
    case LAB_FIELD_ALIGN:
        op->align = other.align;
        break;
    case LAB_FIELD_VETO:
        op->veto = lab_random_once_in(random, 2)
                       ? other.veto
                       : (uint8_t)(op->veto ^ 1u << lab_random_below(random, 8));
        break;
    case LAB_FIELD_REENTER:
        op->reenter ^= 1u;
        break;
    case LAB_FIELD_ATTACK:
        op->attack = other.attack;
        break;
    default:
        if (lab_random_once_in(random, 2)) {
            op->size.value = step(random, op->size.value, LAB_SIZE_VALUE_MAX);
        } else {
            op->size = other.size;
        }
        break;
    }
    return true;
}
