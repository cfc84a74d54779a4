/* SPDX-License-Identifier: MIT */
/* The mutations, one function each. All keep a script valid, and none makes it longer than it may
 * be. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mutate/state.h"

#define OPS_FIRST 24u /* operations of what is new, at most, while there were few mutations */

/* The limit doubles each time the number of mutations is four times as large. */
size_t lab_mutate_limit(const lab_mutator *m, size_t ops_max) {
    size_t limit = OPS_FIRST;
    for (uint64_t passed = m->count >> 12; passed > 0 && limit < ops_max; passed >>= 2) {
        limit *= 2;
    }
    return limit < ops_max ? limit : ops_max;
}

size_t lab_mutate_length(lab_mutator *m, size_t ops_max) {
    lab_random *random = &m->maker.random;
    size_t limit = lab_mutate_limit(m, ops_max);
    if (limit <= 2) {
        return limit;
    }
    if (lab_random_once_in(random, 4)) { /* short ones now and then */
        limit = limit / 4 + 2;
    }
    return 1 + lab_random_below(random, limit);
}

/* ---- ranges ------------------------------------------------------------------------------- */

typedef struct range {
    size_t at, length;
} range;

/* Short ones mostly; not empty, if the script is not. */
static range pick_range(lab_random *random, size_t count) {
    range r = {lab_random_below(random, count), 1};
    size_t rest = count - r.at;
    if (!lab_random_once_in(random, 2)) {
        size_t most = lab_random_once_in(random, 2) ? rest : rest < 8 ? rest : 8;
        r.length = 1 + lab_random_below(random, most);
    }
    return r;
}

/* Makes room for `length` operations before `at`; their values are any. */
static bool open_gap(lab_script *script, size_t at, size_t length) {
    if (!lab_script_reserve(script, script->count + length)) {
        return false;
    }
    memmove(&script->ops[at + length], &script->ops[at],
            (script->count - at) * sizeof *script->ops);
    script->count += length;
    return true;
}

static void close_gap(lab_script *script, range r) {
    size_t end = r.at + r.length;
    memmove(&script->ops[r.at], &script->ops[end], (script->count - end) * sizeof *script->ops);
    script->count -= r.length;
}

/* Copies a range of a script to `piece`. */
static bool take(lab_script *piece, const lab_script *from, range r) {
    if (!lab_script_reserve(piece, r.length)) {
        return false;
    }
    memcpy(piece->ops, &from->ops[r.at], r.length * sizeof *piece->ops);
    piece->count = r.length;
    return true;
}

static bool put(lab_script *script, size_t at, const lab_script *piece) {
    if (!open_gap(script, at, piece->count)) {
        return false;
    }
    memcpy(&script->ops[at], piece->ops, piece->count * sizeof *script->ops);
    return true;
}

/* The end is where most is live, and where nothing after it is disturbed. */
static size_t pick_place(lab_random *random, const lab_script *script) {
    return lab_random_once_in(random, 2) ? script->count
                                         : lab_random_below(random, script->count + 1);
}

/* ---- one function for each mutation ---------------------------------------------------------- */

/* Writes new operations over ops[at .. at+length-1]. */
static void fill(lab_mutator *m, lab_script *script, size_t at, size_t length) {
    lab_live_until(&m->live, script, at);
    for (size_t i = at; i < at + length; i++) {
        script->ops[i] = lab_make_op(&m->maker, &m->live, &script->config);
    }
}

static bool renew(lab_mutator *m, lab_script *script, size_t ops_max) {
    size_t length = lab_mutate_length(m, ops_max);
    if (length == 0 || !lab_script_reserve(script, length)) {
        return false;
    }
    lab_make_config(&m->maker, &script->config);
    script->count = length;
    fill(m, script, 0, length);
    return true;
}

static bool insert(lab_mutator *m, lab_script *script, size_t ops_max) {
    lab_random *random = &m->maker.random;
    size_t room = ops_max - script->count;
    size_t length = 1;
    if (lab_random_once_in(random, 2)) {
        length += lab_random_below(random, 4);
    } else if (lab_random_once_in(random, 4)) {
        length = lab_mutate_length(m, room);
    }
    size_t at = pick_place(random, script);
    if (room == 0 || length > room || !open_gap(script, at, length)) {
        return false;
    }
    fill(m, script, at, length);
    return true;
}

static bool delete (lab_mutator *m, lab_script *script) {
    if (script->count < 2) {
        return false;
    }
    range r = pick_range(&m->maker.random, script->count);
    if (r.length == script->count) {
        r.length--;
    }
    close_gap(script, r);
    return true;
}

static bool duplicate(lab_mutator *m, lab_script *script, size_t ops_max) {
    lab_random *random = &m->maker.random;
    if (script->count == 0) {
        return false;
    }
    range r = pick_range(random, script->count);
    return r.length <= ops_max - script->count && take(&m->piece, script, r) &&
           put(script, pick_place(random, script), &m->piece);
}

static bool move(lab_mutator *m, lab_script *script) {
    lab_random *random = &m->maker.random;
    if (script->count < 2) {
        return false;
    }
    range r = pick_range(random, script->count);
    if (r.length == script->count) {
        r.length--;
    }
    if (!take(&m->piece, script, r)) {
        return false;
    }
    close_gap(script, r);
    size_t at = lab_random_below(random, script->count); /* one place less: not where it was */
    at += at >= r.at;
    return put(script, at, &m->piece); /* it fits: it was there before */
}

static bool swap(lab_mutator *m, lab_script *script) {
    lab_random *random = &m->maker.random;
    if (script->count < 2) {
        return false;
    }
    size_t a = lab_random_below(random, script->count);
    size_t b = lab_random_below(random, script->count - 1);
    b += b >= a;
    lab_op op = script->ops[a];
    script->ops[a] = script->ops[b];
    script->ops[b] = op;
    return true;
}

static bool change_operand(lab_mutator *m, lab_script *script) {
    if (script->count == 0) {
        return false;
    }
    size_t at = lab_random_below(&m->maker.random, script->count);
    lab_live_until(&m->live, script, at);
    return lab_make_operand(&m->maker, &script->ops[at], &m->live, &script->config);
}

static bool change_kind(lab_mutator *m, lab_script *script) {
    lab_random *random = &m->maker.random;
    if (script->count == 0) {
        return false;
    }
    size_t at = lab_random_below(random, script->count);
    lab_op *op = &script->ops[at];
    uint32_t kind = lab_random_weighed(random, m->maker.swarm.kinds, LAB_OP_COUNT);
    lab_live_until(&m->live, script, at);
    lab_op other = lab_make_kind(&m->maker, (lab_op_kind)kind, &m->live, &script->config);
    if ((lab_op_fields[op->kind] & lab_op_fields[kind] & LAB_FIELD_SLOT) != 0) {
        other.slot = op->slot;
    }
    *op = other;
    return true;
}

/* Frees what is live at some place: some of it or all, in any order. */
static bool release(lab_mutator *m, lab_script *script, size_t ops_max) {
    lab_random *random = &m->maker.random;
    size_t at = pick_place(random, script);
    lab_live_until(&m->live, script, at);
    lab_live *live = &m->live;
    size_t room = ops_max - script->count;
    size_t most = live->count < room ? live->count : room;
    if (most == 0) {
        return false;
    }
    size_t length = lab_random_once_in(random, 3) ? most : 1 + lab_random_below(random, most);
    if (!open_gap(script, at, length)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        uint32_t index = lab_random_below(random, live->count);
        lab_op *op = &script->ops[at + i];
        memset(op, 0, sizeof *op);
        op->kind = LAB_OP_FREE;
        op->slot = live->blocks[index].slot;
        lab_live_note(live, op);
    }
    return true;
}

static bool change_config(lab_mutator *m, lab_script *script) {
    lab_make_config_key(&m->maker, &script->config);
    lab_make_fit(script);
    return true;
}

/* A range of the other one goes after this one, in between, or in place of its end. */
static bool cross(lab_mutator *m, lab_script *script, const lab_script *other, size_t ops_max) {
    lab_random *random = &m->maker.random;
    if (other == NULL || script->count == 0 || other->count == 0 || ops_max < 2) {
        return false;
    }
    range r = pick_range(random, other->count);
    size_t at = 1 + lab_random_below(random, script->count);
    size_t kept = lab_random_once_in(random, 2) ? at : script->count;
    if (lab_random_once_in(random, 2)) { /* all from some place on */
        r.length = other->count - r.at;
    }
    if (kept >= ops_max) {
        kept = ops_max - 1;
        at = at < kept ? at : kept;
    }
    r.length = r.length < ops_max - kept ? r.length : ops_max - kept;
    if (!take(&m->piece, other, r) || !lab_script_reserve(script, kept + r.length)) {
        return false;
    }
    script->count = kept;
    if (lab_random_once_in(random, 4)) {
        script->config = other->config;
    }
    bool done = put(script, at, &m->piece);
    assert(done);
    lab_make_fit(script);
    return done;
}

/* The bytes of a script, mutated as if they were any. */
static bool mutate_bytes(lab_mutator *m, lab_script *script, size_t ops_max) {
    size_t needed = LAB_HEADER_BYTES_MAX + ops_max * LAB_RECORD_BYTES;
    if (script->count > ops_max) {
        return false;
    }
    if (needed > m->capacity) {
        uint8_t *buffer = realloc(m->buffer, needed);
        if (buffer == NULL) {
            return false;
        }
        m->buffer = buffer;
        m->capacity = needed;
    }
    uint8_t subject = script->config.subject; /* not among the bytes */
    uint8_t family = script->config.plugin_family;
    size_t size = lab_script_encode(script, m->buffer, needed);
    size = lab_mutate_plain(m, m->buffer, size, needed);
    bool done = lab_script_decode(script, m->buffer, size);
    script->config.subject = subject;
    script->config.plugin_family = family;
    return done;
}

bool lab_mutate_apply(lab_mutator *m, lab_mutation mutation, lab_script *script,
                      const lab_script *other, size_t ops_max) {
    ops_max = ops_max > script->count ? ops_max : script->count;
    switch (mutation) {
    case LAB_MUTATION_RENEW:
        return renew(m, script, ops_max);
    case LAB_MUTATION_INSERT:
        return insert(m, script, ops_max);
    case LAB_MUTATION_DELETE:
        return delete (m, script);
    case LAB_MUTATION_DUPLICATE:
        return duplicate(m, script, ops_max);
    case LAB_MUTATION_MOVE:
        return move(m, script);
    case LAB_MUTATION_SWAP:
        return swap(m, script);
    case LAB_MUTATION_OPERAND:
        return change_operand(m, script);
    case LAB_MUTATION_KIND:
        return change_kind(m, script);
    case LAB_MUTATION_RELEASE:
        return release(m, script, ops_max);
    case LAB_MUTATION_CONFIG:
        return change_config(m, script);
    case LAB_MUTATION_CROSS:
        return cross(m, script, other, ops_max);
    case LAB_MUTATION_BYTES:
        return mutate_bytes(m, script, ops_max);
    case LAB_MUTATION_COUNT:
        break;
    }
    return false;
}
