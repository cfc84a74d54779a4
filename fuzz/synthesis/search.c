/* SPDX-License-Identifier: MIT */
#include "synthesis/search.h"

#include <stdlib.h>
#include <string.h>

enum {
    FRESH_ONCE_IN = 12, /* steps */
    SHRINK_ONCE_IN = 64,
    SHRINK_ROUNDS = 4,
    CHANGES_MAX = 4
};

bool lab_synthesis_search_init(lab_synthesis_search *s, lab_world *world, int level,
                               th_heap_layout layout, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->world = world;
    s->level = level;
    s->layout = layout;
    s->random.state = lab_random_mix(seed + 16 * (uint64_t)level + (uint64_t)layout);
    s->pool = calloc(LAB_SEARCH_POOL, sizeof *s->pool);
    return s->pool != NULL;
}

void lab_synthesis_search_clean_up(lab_synthesis_search *s) {
    free(s->pool);
}

/* ---- making scripts ----------------------------------------------------------------------- */

/* Often what this kind of operation can make use of. */
static lab_synthesis_op random_op(lab_random *random) {
    static const uint16_t weights[LAB_SYNTHESIS_WHATS] = {
        30, 4, 10, 24, 8, 3,  3, 5, 6, 3, /* ordinary calls */
        8,  6, 8,  4,  4, 8,  8, 5, 4,    /* writes */
        6,  6, 8,  4,  8, 10, 5,
    };
    return (lab_synthesis_op){
        .what = (uint8_t)lab_random_weighed(random, weights, LAB_SYNTHESIS_WHATS),
        .slot = (uint8_t)lab_random_below(
            random, lab_random_once_in(random, 3) ? LAB_SYNTHESIS_SLOTS : LAB_SYNTHESIS_SLOTS / 2),
        .x = (uint8_t)lab_random_below(random, lab_random_once_in(random, 2) ? LAB_SYNTHESIS_NUMBERS
                                                                             : LAB_HEADER_WORDS),
        .y = (uint8_t)lab_random_below(random, LAB_SYNTHESIS_NUMBERS),
    };
}

static void make_fresh(lab_synthesis_script *script, lab_random *random) {
    *script = (lab_synthesis_script){
        .alignment = (uint8_t)(2 + lab_random_below(random, 3)),
        .size = (uint8_t)lab_random_below(random, 3),
        .locked = lab_random_once_in(random, 2),
        .indexed = lab_random_once_in(random, 2),
    };
    script->count = lab_random_between(random, 4, LAB_SYNTHESIS_OPS_MAX / 2);
    for (uint32_t i = 0; i < script->count; i++) {
        script->ops[i] = random_op(random);
    }
}

static void remove_op(lab_synthesis_script *script, uint32_t at) {
    script->count--;
    memmove(&script->ops[at], &script->ops[at + 1], (script->count - at) * sizeof script->ops[0]);
}

static void insert_op(lab_synthesis_script *script, uint32_t at, lab_synthesis_op op) {
    if (script->count < LAB_SYNTHESIS_OPS_MAX) {
        memmove(&script->ops[at + 1], &script->ops[at],
                (script->count - at) * sizeof script->ops[0]);
        script->ops[at] = op;
        script->count++;
    }
}

static void change_operand(lab_synthesis_op *op, lab_random *random) {
    lab_synthesis_op other = random_op(random);
    switch (lab_random_below(random, 4)) {
    case 0:
        op->slot = other.slot;
        break;
    case 1:
        op->x = other.x;
        break;
    case 2:
        op->y = other.y;
        break;
    default:
        op->what = other.what;
        break;
    }
}

/* The end of another script takes the place of this one's. */
static void splice(lab_synthesis_script *script, const lab_synthesis_script *other,
                   lab_random *random) {
    uint32_t kept = lab_random_below(random, script->count + 1);
    uint32_t from = lab_random_below(random, other->count + 1);
    script->count = kept;
    for (uint32_t i = from; i < other->count; i++) {
        insert_op(script, script->count, other->ops[i]);
    }
}

static void change_heap(lab_synthesis_script *script, lab_random *random) {
    lab_synthesis_script other;
    make_fresh(&other, random);
    script->alignment = other.alignment;
    script->size = other.size;
    script->locked = other.locked;
    script->indexed = other.indexed;
}

static void change(lab_synthesis_search *s, lab_synthesis_script *script) {
    lab_random *random = &s->random;
    uint32_t at = lab_random_below(random, script->count);
    switch (lab_random_below(random, 8)) {
    case 0:
    case 1:
        insert_op(script, lab_random_below(random, script->count + 1), random_op(random));
        break;
    case 2:
        if (script->count > 1) {
            remove_op(script, at);
        }
        break;
    case 3:
        insert_op(script, lab_random_below(random, script->count + 1), script->ops[at]);
        break;
    case 4:
        splice(script, &s->pool[lab_random_below(random, s->pool_count)], random);
        break;
    case 5:
        change_heap(script, random);
        break;
    default:
        change_operand(&script->ops[at], random);
        break;
    }
    if (script->count == 0) {
        insert_op(script, 0, random_op(random));
    }
}

/* ---- shrinking ---------------------------------------------------------------------------- */

static bool still_escapes(lab_synthesis_search *s, const lab_synthesis_script *script,
                          lab_synthesis_end end, lab_synthesis_what most) {
    lab_synthesis_result result;
    return lab_synthesis_class(script) <= most &&
           lab_synthesis_play(s->world, script, s->level, s->layout, true, &result) &&
           lab_synthesis_escaped(result.end) && (result.end == end || end == LAB_ENDS);
}

static bool shrink_operand(lab_synthesis_search *s, lab_synthesis_script *script,
                           lab_synthesis_end end, uint8_t *operand) {
    uint8_t old = *operand;
    for (uint8_t smaller = 0; smaller < old; smaller = (uint8_t)(smaller * 2 + 1)) {
        *operand = smaller;
        if (still_escapes(s, script, end, lab_synthesis_class(script))) {
            return true;
        }
    }
    *operand = old;
    return false;
}

void lab_synthesis_search_shrink(lab_synthesis_search *s, lab_synthesis_script *script,
                                 lab_synthesis_end end) {
    bool smaller = true;
    for (unsigned round = 0; smaller && round < SHRINK_ROUNDS; round++) {
        smaller = false;
        for (uint32_t i = script->count; i > 0; i--) {
            lab_synthesis_script other = *script;
            remove_op(&other, i - 1);
            if (still_escapes(s, &other, end, lab_synthesis_class(script))) {
                *script = other;
                smaller = true;
            }
        }
        for (uint32_t i = 0; i < script->count; i++) {
            lab_synthesis_op *op = &script->ops[i];
            smaller |= shrink_operand(s, script, end, &op->slot);
            smaller |= shrink_operand(s, script, end, &op->x);
            smaller |= shrink_operand(s, script, end, &op->y);
        }
    }
}

/* Is the class new, or the script perhaps shorter than what is kept of it? */
static void keep_escape(lab_synthesis_search *s, const lab_synthesis_script *script,
                        const lab_synthesis_result *result) {
    lab_synthesis_script small = *script;
    const lab_synthesis_escape *known = &s->escapes[lab_synthesis_class(script)];
    small.count = result->ops;
    if (known->found &&
        (result->end == LAB_END_HANG || !lab_random_once_in(&s->random, SHRINK_ONCE_IN))) {
        return;
    }
    if (!still_escapes(s, &small, result->end, LAB_SYNTHESIS_WHATS)) {
        return; /* it hangs on what has been in this memory before */
    }
    lab_synthesis_search_shrink(s, &small, result->end);
    lab_synthesis_escape *kept = &s->escapes[lab_synthesis_class(&small)];
    if (!kept->found || small.count < kept->script.count) {
        *kept = (lab_synthesis_escape){true, result->end, small};
    }
}

/* ---- the search --------------------------------------------------------------------------- */

static bool shows_something_new(lab_synthesis_search *s, const lab_synthesis_result *result) {
    bool is_new = false;
    for (uint32_t i = 0; i < result->feature_count; i++) {
        uint8_t *byte = &s->seen[result->features[i] / 8];
        uint8_t bit = (uint8_t)(1u << result->features[i] % 8);
        is_new = is_new || (*byte & bit) == 0;
        *byte |= bit;
    }
    return is_new;
}

bool lab_synthesis_search_try(lab_synthesis_search *s, const lab_synthesis_script *script) {
    lab_synthesis_result result;
    if (!lab_synthesis_play(s->world, script, s->level, s->layout, true, &result)) {
        return false;
    }
    s->runs++;
    if (result.attacks > 0) {
        s->attacks++;
        s->reported += result.end == LAB_END_REPORTED;
        s->harmless += result.end == LAB_END_HARMLESS;
        s->escaped += lab_synthesis_escaped(result.end);
    }
    if (lab_synthesis_escaped(result.end)) {
        keep_escape(s, script, &result);
    }
    if (shows_something_new(s, &result)) {
        s->new_features++;
        uint32_t at = s->pool_count < LAB_SEARCH_POOL
                          ? s->pool_count++
                          : lab_random_below(&s->random, LAB_SEARCH_POOL);
        s->pool[at] = *script;
    }
    return true;
}

bool lab_synthesis_search_step(lab_synthesis_search *s) {
    lab_synthesis_script script;
    if (s->pool_count == 0 || lab_random_once_in(&s->random, FRESH_ONCE_IN)) {
        make_fresh(&script, &s->random);
    } else {
        script = s->pool[lab_random_below(&s->random, s->pool_count)];
        uint32_t changes = lab_random_between(&s->random, 1, CHANGES_MAX);
        for (uint32_t i = 0; i < changes; i++) {
            change(s, &script);
        }
    }
    return lab_synthesis_search_try(s, &script);
}
