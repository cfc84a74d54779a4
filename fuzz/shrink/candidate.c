/* SPDX-License-Identifier: MIT */
/* Candidates: copies of the smallest script so far, changed, each tried once. */
#include <stdlib.h>
#include <string.h>

#include "shrink/state.h"

enum { TRIED_CAPACITY = 1024 /* at first; a power of two */ };

void lab_shrink_copy(lab_script *to, const lab_script *from) {
    to->config = from->config;
    to->count = from->count;
    if (from->count > 0) {
        memcpy(to->ops, from->ops, from->count * sizeof *from->ops);
    }
}

lab_script *lab_shrink_candidate(lab_shrinker *s) {
    lab_shrink_copy(&s->candidate, &s->best);
    return &s->candidate;
}

static uint64_t hash_script(lab_shrinker *s, const lab_script *script) {
    size_t size = lab_script_encode(script, s->bytes, SIZE_MAX);
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ s->bytes[i]) * 0x100000001B3u;
    }
    return hash != 0 ? hash : 1;
}

static size_t place_of(const uint64_t *tried, size_t capacity, uint64_t hash) {
    size_t at = (size_t)hash & (capacity - 1);
    while (tried[at] != 0 && tried[at] != hash) {
        at = (at + 1) & (capacity - 1);
    }
    return at;
}

/* Without memory the set stays as it is: candidates may then be tried again. */
static void grow_tried(lab_shrinker *s) {
    size_t capacity = s->tried_capacity == 0 ? TRIED_CAPACITY : 2 * s->tried_capacity;
    uint64_t *grown = calloc(capacity, sizeof *grown);
    if (grown == NULL) {
        return;
    }
    for (size_t i = 0; i < s->tried_capacity; i++) {
        if (s->tried[i] != 0) {
            grown[place_of(grown, capacity, s->tried[i])] = s->tried[i];
        }
    }
    free(s->tried);
    s->tried = grown;
    s->tried_capacity = capacity;
}

static bool was_tried(const lab_shrinker *s, uint64_t hash) {
    return s->tried_capacity > 0 && s->tried[place_of(s->tried, s->tried_capacity, hash)] != 0;
}

static void note_tried(lab_shrinker *s, uint64_t hash) {
    if (2 * s->tried_count >= s->tried_capacity) {
        grow_tried(s);
    }
    if (2 * s->tried_count < s->tried_capacity) {
        s->tried[place_of(s->tried, s->tried_capacity, hash)] = hash;
        s->tried_count++;
    }
}

bool lab_shrink_play(lab_shrinker *s, const lab_script *script, lab_outcome *outcome) {
    s->stuck = s->stuck || !lab_trial_try(s->trial, script, outcome);
    return !s->stuck;
}

void lab_shrink_cut_tail(lab_script *script, const lab_outcome *outcome) {
    if (outcome->op < script->count) {
        script->count = outcome->op + 1;
    }
}

bool lab_shrink_accept(lab_shrinker *s) {
    lab_outcome outcome;
    if (s->stuck || !lab_script_is_valid(&s->candidate) ||
        lab_script_equal(&s->candidate, &s->best)) {
        return false;
    }
    uint64_t hash = hash_script(s, &s->candidate);
    bool same = false;
    if (was_tried(s, hash)) {
        return false;
    }
    for (unsigned i = 0; !same && (i == 0 || i < s->options->tries); i++) {
        if (!lab_shrink_play(s, &s->candidate, &outcome)) {
            return false;
        }
        same = strcmp(outcome.signature, s->outcome.signature) == 0;
    }
    if (!same) {
        note_tried(s, hash);
        return false;
    }
    lab_shrink_cut_tail(&s->candidate, &outcome);
    lab_shrink_copy(&s->best, &s->candidate);
    s->outcome = outcome;
    s->state.ops = s->best.count;
    s->changed = true;
    return true;
}

void lab_shrink_number(lab_shrinker *s, uint32_t least, uint32_t value,
                       void (*set)(lab_script *script, size_t which, uint32_t value),
                       size_t which) {
    uint32_t low = least; /* all below have failed to do, as far as tried */
    while (low < value) {
        uint32_t middle = low == least ? least : low + (value - low) / 2;
        set(lab_shrink_candidate(s), which, middle);
        if (lab_shrink_accept(s)) {
            value = middle;
        } else {
            low = middle + 1;
        }
        if (s->stuck || which > s->best.count) {
            return;
        }
    }
}

/* ---- removing operations ------------------------------------------------------------------ */
