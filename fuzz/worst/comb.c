/* SPDX-License-Identifier: MIT */
#include "worst/comb.h"

#include <string.h>

enum {
    SLOTS_RESERVED = 2, /* for the block that fills the rest, and the last operation's */
    ALIGN_MIN = 5,      /* 32 bytes: above every heap's own */
    ALIGN_MAX = 12,
    TAG_HEAD = 0x1001,
    TAG_TAIL = 0x4001
};

/* What is being written. Sizes in dwords. */
typedef struct writer {
    const lab_comb *comb;
    lab_script *script;
    uint32_t header, unit;
    uint32_t room;  /* not yet taken */
    uint32_t slots; /* taken */
    bool failed;
} writer;

static uint32_t whole_units(const writer *w, uint32_t bytes) {
    uint32_t dwords = (bytes + 3) / 4;
    dwords = dwords == 0 ? 1 : dwords;
    return w->header + (dwords + w->unit - 1) / w->unit * w->unit;
}

static void add(writer *w, lab_op_kind kind, bool tail, uint32_t slot, uint32_t bytes,
                uint8_t align) {
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)kind;
    op.slot = (uint16_t)slot;
    if ((lab_op_fields[kind] & LAB_FIELD_TAG) != 0) {
        op.tag = tail ? TAG_TAIL : TAG_HEAD;
    }
    if ((lab_op_fields[kind] & LAB_FIELD_SIZE) != 0) {
        op.size.value = bytes < LAB_SIZE_VALUE_MAX ? bytes : LAB_SIZE_VALUE_MAX;
    }
    op.align = align;
    w->failed = w->failed || !lab_script_append(w->script, op);
}

/* Blocks and what will be holes; returns how many pairs there are. */
static uint32_t write_run(writer *w, const lab_comb_run *run) {
    uint32_t live = whole_units(w, run->live_bytes);
    uint32_t pair = live + whole_units(w, run->hole_bytes);
    uint32_t pairs = 0;
    while (pairs < run->pairs && w->room >= pair &&
           w->slots + 2 + SLOTS_RESERVED <= LAB_SLOTS_MAX) {
        add(w, LAB_OP_ALLOC, run->tail, w->slots, run->live_bytes, 0);
        add(w, LAB_OP_ALLOC, run->tail, w->slots + 1, run->hole_bytes, 0);
        w->slots += 2;
        w->room -= pair;
        pairs++;
    }
    return pairs;
}

static void write_rest(writer *w) {
    if (w->room >= whole_units(w, 1)) {
        add(w, LAB_OP_ALLOC, false, w->slots++, (w->room - w->header) * 4, 0);
        w->room = 0;
    }
}

static void write_last(writer *w, const uint32_t *first_slot, const uint32_t *pairs) {
    const lab_comb *c = w->comb;
    uint32_t run = c->at_run % c->runs_count;
    uint32_t slot = pairs[run] > 0 ? first_slot[run] + 2 * (c->at_pair % pairs[run]) : 0;
    switch (c->last) {
    case LAB_COST_ALLOC:
    case LAB_COST_FAILED:
        add(w, LAB_OP_ALLOC, c->tail, w->slots++, c->bytes, 0);
        break;
    case LAB_COST_ALIGNED:
    case LAB_COST_ALIGNED_K:
        add(w, LAB_OP_ALIGNED, c->tail, w->slots++, c->bytes, c->align);
        break;
    case LAB_COST_GROW:
        add(w, LAB_OP_RESIZE, false, slot, c->runs[run].live_bytes + c->bytes, 0);
        break;
    case LAB_COST_TRIM:
        add(w, LAB_OP_RESIZE, false, slot, c->bytes, 0);
        add(w, LAB_OP_TRIM, false, slot, 0, 0);
        break;
    case LAB_COST_FREE:
    case LAB_COST_OTHER:
        add(w, LAB_OP_FREE, false, slot, 0, 0);
        break;
    }
}

static bool begin(writer *w, const lab_comb *comb, lab_cost_player *player, lab_script *script) {
    *w = (writer){.comb = comb, .script = script, .unit = comb->alignment / 4u};
    script->count = 0;
    script->config = (lab_config){.dwords = comb->dwords,
                                  .alignment = comb->alignment,
                                  .slots = LAB_SLOTS_MAX,
                                  .layout = comb->layout};
    lab_cost_geometry(player, &script->config, &w->header, &w->room);
    return w->room > 0;
}

static bool end(writer *w) {
    w->script->config.slots = lab_slots_for(w->slots);
    return !w->failed;
}

bool lab_comb_script(const lab_comb *comb, lab_cost_player *player, lab_script *script) {
    uint32_t first_slot[LAB_COMB_RUNS_MAX], pairs[LAB_COMB_RUNS_MAX];
    writer w;
    if (!begin(&w, comb, player, script)) {
        return false;
    }
    for (unsigned i = 0; i < comb->runs_count; i++) {
        first_slot[i] = w.slots;
        pairs[i] = write_run(&w, &comb->runs[i]);
    }
    uint32_t in_pairs = w.slots;
    if (comb->filled) {
        write_rest(&w);
    }
    for (uint32_t i = 1; i < in_pairs; i += 2) {
        add(&w, LAB_OP_FREE, false, comb->falling ? in_pairs - i : i, 0, 0);
    }
    write_last(&w, first_slot, pairs);
    return end(&w);
}

/* ---- by hand -------------------------------------------------------------------------------- */

/* Which hole fits the request, or is the one that changes. */
typedef enum where { NOWHERE, LAST, MIDDLE, REST, WHERES } where;

/* Holes all alike, and one that is larger. */
bool lab_comb_made_by_hand(lab_cost_kind kind, unsigned number, uint32_t dwords, lab_comb *comb) {
    static const uint32_t holes[] = {1, 16, 40, 104, 232};
    static const uint8_t alignments[] = {4, 8, 16};
    enum { HOLES = sizeof holes / sizeof holes[0], SIDES = 2, LARGE = 2, LARGE_BYTES = 5000 };
    if (number >= HOLES * LARGE * SIDES * WHERES * sizeof alignments) {
        return false;
    }
    uint32_t hole = holes[number % HOLES];
    number /= HOLES;
    where place = (where)(number % WHERES);
    number /= WHERES;
    uint32_t larger = number % LARGE == 0 ? hole * 2 + 64 : LARGE_BYTES;
    number /= LARGE;
    bool tail = number % SIDES == 1;
    uint32_t half = dwords / 2 / (2 * 8 + hole / 4 + 2);
    *comb = (lab_comb){.dwords = dwords,
                       .alignment = alignments[number / SIDES],
                       .tail = tail,
                       .filled = place != REST,
                       .last = kind,
                       .bytes = kind == LAB_COST_TRIM        ? 1
                                : kind == LAB_COST_ALIGNED_K ? hole
                                                             : hole + 24,
                       .align = kind == LAB_COST_ALIGNED_K ? ALIGN_MAX : ALIGN_MIN + 2,
                       .runs_count = 3,
                       .runs = {{tail, place == MIDDLE ? half : LAB_COMB_FULL, 1, hole},
                                {tail, place == NOWHERE ? 0 : 1, larger, larger},
                                {tail, LAB_COMB_FULL, 1, hole}}};
    if (place == LAST) { /* leaves room for it */
        uint32_t pairs = half * 2, margin = larger / 32 + 4;
        comb->runs[0].pairs = pairs > margin ? pairs - margin : 1;
        comb->runs[2].pairs = 0;
    }
    if (kind == LAB_COST_ALIGNED_K) { /* the last ones are small enough that none is asked for */
        comb->runs[0].pairs = LAB_COST_K_MAX / 2;
        comb->runs[2].hole_bytes = 1;
        comb->bytes = hole > 1 ? hole : 2;
    }
    comb->at_run = place == NOWHERE ? 0 : 1;
    comb->at_pair = half / 2;
    return true;
}

/* ---- mutation ------------------------------------------------------------------------------- */

static uint32_t other_size(uint32_t bytes, lab_random *random) {
    switch (lab_random_below(random, 6)) {
    case 0:
        return bytes + 4u * lab_random_between(random, 1, 4);
    case 1:
        return bytes > 16 ? bytes - 4u * lab_random_between(random, 1, 4) : 1;
    case 2:
        return bytes * 2;
    case 3:
        return bytes / 2 + 1;
    case 4:
        return lab_random_between(random, 1, 64);
    default:
        return lab_random_between(random, 1, 1200);
    }
}

static uint32_t other_count(uint32_t pairs, lab_random *random) {
    if (pairs == LAB_COMB_FULL || lab_random_once_in(random, 4)) {
        return lab_random_once_in(random, 3) ? LAB_COMB_FULL : lab_random_between(random, 0, 40);
    }
    return lab_random_once_in(random, 2) ? pairs + 1 : pairs > 0 ? pairs - 1 : 0;
}

static void mutate_run(lab_comb_run *run, lab_random *random) {
    switch (lab_random_below(random, 7)) {
    case 0:
        run->tail = !run->tail;
        break;
    case 1:
    case 2:
        run->pairs = other_count(run->pairs, random);
        break;
    case 3:
    case 4:
        run->live_bytes = other_size(run->live_bytes, random) % (1u << 20);
        break;
    default:
        run->hole_bytes = other_size(run->hole_bytes, random) % (1u << 20);
        break;
    }
}

static void mutate_shape(lab_comb *comb, lab_random *random) {
    switch (lab_random_below(random, 5)) {
    case 0:
        comb->tail = !comb->tail;
        break;
    case 1:
        comb->filled = !comb->filled;
        break;
    case 2:
        comb->falling = !comb->falling;
        break;
    case 3:
        comb->alignment = (uint8_t)(4u << lab_random_below(random, 3));
        break;
    default: /* one run more, or the last one less */
        if (comb->runs_count < LAB_COMB_RUNS_MAX) {
            comb->runs[comb->runs_count++] =
                (lab_comb_run){lab_random_once_in(random, 2), lab_random_between(random, 1, 20), 1,
                               lab_random_between(random, 1, 200)};
        } else {
            comb->runs_count--;
        }
        break;
    }
}

void lab_comb_mutate(lab_comb *comb, lab_random *random) {
    switch (lab_random_below(random, 4)) {
    case 0:
        mutate_shape(comb, random);
        break;
    case 1:
        comb->bytes = other_size(comb->bytes, random) % (1u << 20);
        comb->align = (uint8_t)lab_random_between(random, ALIGN_MIN, ALIGN_MAX);
        break;
    case 2:
        comb->at_run = (uint8_t)lab_random_below(random, comb->runs_count);
        comb->at_pair = lab_random_next(random) % (1u << 16);
        break;
    default:
        mutate_run(&comb->runs[lab_random_below(random, comb->runs_count)], random);
        break;
    }
}

/* ---- an ordinary load ----------------------------------------------------------------------- */

/* One operation on a block picked at random, which is live before and after. */
static void write_ordinary(writer *w, uint32_t slots, lab_random *random) {
    enum { GROW, TRIM, ALIGNED, TOO_MUCH, KINDS = 16 };
    uint32_t slot = lab_random_below(random, slots);
    uint32_t bytes = lab_random_between(random, 16, 143);
    switch (lab_random_below(random, KINDS)) {
    case GROW:
        add(w, LAB_OP_RESIZE, false, slot, bytes + 128, 0);
        break;
    case TRIM:
        add(w, LAB_OP_RESIZE, false, slot, bytes / 4, 0);
        add(w, LAB_OP_TRIM, false, slot, 0, 0);
        break;
    case ALIGNED:
        add(w, LAB_OP_FREE, false, slot, 0, 0);
        add(w, LAB_OP_ALIGNED, false, slot, bytes,
            (uint8_t)lab_random_between(random, ALIGN_MIN, 8));
        break;
    case TOO_MUCH:
        add(w, LAB_OP_ALLOC, false, slots, w->comb->dwords * 4,
            0); /* a slot that is always empty */
        break;
    default:
        add(w, LAB_OP_FREE, false, slot, 0, 0);
        add(w, LAB_OP_ALLOC, false, slot, bytes, 0);
        break;
    }
}

bool lab_comb_ordinary(uint32_t dwords, uint8_t layout, uint32_t operations, lab_random *random,
                       lab_cost_player *player, lab_script *script) {
    const lab_comb shape = {.dwords = dwords, .alignment = 8, .layout = layout};
    writer w;
    if (!begin(&w, &shape, player, script)) {
        return false;
    }
    uint32_t half = w.room / 2;
    while (w.room > half + 64 && w.slots + SLOTS_RESERVED < LAB_SLOTS_MAX) {
        uint32_t bytes = lab_random_between(random, 16, 143);
        add(&w, LAB_OP_ALLOC, false, w.slots++, bytes, 0);
        w.room -= whole_units(&w, bytes);
    }
    uint32_t slots = w.slots > 0 ? w.slots : 1;
    for (uint32_t i = 0; i < operations; i++) {
        write_ordinary(&w, slots, random);
    }
    w.slots = slots + 1;
    return end(&w);
}
