/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "explore/worker.h"

#include <stdlib.h>
#include <string.h>

bool lab_worker_init(lab_worker *worker, const lab_explore_config *config, const lab_states *states,
                     const unsigned char *noise) {
    memset(worker, 0, sizeof *worker);
    worker->config = config;
    worker->states = states;
    lab_pair_checker_init(&worker->checker, config, noise);
    return lab_pair_init(&worker->work, &worker->checker);
}

void lab_worker_clean_up(lab_worker *worker) {
    for (uint32_t i = 0; i < worker->line_count; i++) {
        lab_pair_clean_up(&worker->line[i]);
    }
    free(worker->line);
    lab_pair_clean_up(&worker->work);
}

/* ---- making a state's heap again ---------------------------------------------------------- */

static bool lengthen_line(lab_worker *w, uint32_t depth) {
    while (w->line_count <= depth) {
        if (w->line_count == w->line_capacity) {
            uint32_t capacity = 2 * w->line_capacity + 16;
            lab_pair *grown = realloc(w->line, capacity * sizeof grown[0]);
            if (grown == NULL) {
                return false;
            }
            w->line = grown;
            w->line_capacity = capacity;
        }
        lab_pair *pair = &w->line[w->line_count++];
        if (!lab_pair_init(pair, &w->checker)) {
            return false;
        }
        if (w->line_count == 1) {
            pair->state = 0;
        }
    }
    return true;
}

/* Makes line[depth] the heap of `state`. */
static bool make_again(lab_worker *w, uint32_t state, uint32_t depth) {
    lab_pair *pair = &w->line[depth];
    if (pair->state == state) {
        return true;
    }
    if (!make_again(w, lab_states_parent(w->states, state), depth - 1)) {
        return false;
    }
    pair->state = LAB_STATE_NONE;
    lab_key key;
    w->state = lab_states_parent(w->states, state);
    w->step = lab_step_unpack(lab_states_step(w->states, state));
    if (!lab_pair_copy(pair, pair - 1, &w->checker) || !lab_pair_step(pair, &w->checker, w->step)) {
        return false;
    }
    lab_pair_settle(pair, &w->checker);
    lab_pair_key(pair, &w->checker, &key);
    if (!lab_states_is(w->states, state, &key)) {
        return lab_pair_checker_fail(&w->checker, LAB_PROPERTY_RESULT, "repeat",
                                     "the same step from the same state led to another state");
    }
    pair->state = state;
    return true;
}

/* ---- new states --------------------------------------------------------------------------- */

enum { ENTRY_BYTES = 13 }; /* hash, parent, step, size of the key; then the key */

static void put(uint8_t *to, uint32_t value) {
    memcpy(to, &value, sizeof value);
}

static uint32_t get(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static bool note_state(lab_worker *w, const lab_key *key, lab_step step) {
    lab_slice *slice = w->slice;
    size_t needed = slice->out_bytes + ENTRY_BYTES + key->size;
    if (needed > slice->out_capacity) {
        size_t capacity = 2 * needed + 4096;
        uint8_t *grown = realloc(slice->out, capacity);
        if (grown == NULL) {
            slice->out_of_memory = true;
            return false;
        }
        slice->out = grown;
        slice->out_capacity = capacity;
    }
    uint8_t *at = slice->out + slice->out_bytes;
    put(at, key->hash);
    put(at + 4, w->state);
    put(at + 8, lab_step_pack(step));
    at[12] = key->size;
    memcpy(at + ENTRY_BYTES, key->bytes, key->size);
    slice->out_bytes = needed;
    return true;
}

bool lab_slice_next(const lab_slice *slice, size_t *at, lab_key *key, uint32_t *parent,
                    uint32_t *step) {
    if (*at >= slice->out_bytes) {
        return false;
    }
    const uint8_t *entry = slice->out + *at;
    key->hash = get(entry);
    *parent = get(entry + 4);
    *step = get(entry + 8);
    key->size = entry[12];
    memcpy(key->bytes, entry + ENTRY_BYTES, key->size);
    *at += ENTRY_BYTES + (size_t)key->size;
    return true;
}

/* ---- expanding ---------------------------------------------------------------------------- */

/* Tries one step from the state; false after a failure. A step that changed no block leaves the
 * work pair good for the next one. */
static bool try_step(lab_worker *w, const lab_pair *from, lab_step step) {
    w->step = step;
    if (!w->work_is_fresh && !lab_pair_copy(&w->work, from, &w->checker)) {
        return false;
    }
    if (!lab_pair_step(&w->work, &w->checker, step)) {
        return false;
    }
    atomic_fetch_add_explicit(&w->transitions, 1, memory_order_relaxed);
    w->work_is_fresh = lab_pair_same(&w->work, from);
    if (w->work_is_fresh) {
        return true;
    }
    lab_key key;
    lab_pair_key(&w->work, &w->checker, &key);
    return lab_states_contains(w->states, &key) || note_state(w, &key, step);
}

static bool try_allocs(lab_worker *w, const lab_pair *from) {
    const lab_explore_config *config = w->config;
    lab_step step = {.kind = LAB_STEP_ALLOC};
    for (step.c = 0; step.c <= config->aligned.count; step.c++) {
        for (step.a = 0; step.a < config->tags.count; step.a++) {
            for (step.b = 0; step.b < config->sizes.count; step.b++) {
                if (!try_step(w, from, step)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static bool try_block(lab_worker *w, const lab_pair *from, uint32_t index) {
    lab_step step = {.kind = LAB_STEP_RESIZE, .a = (uint8_t)index};
    for (step.b = 0; step.b < w->config->sizes.count; step.b++) {
        if (!try_step(w, from, step)) {
            return false;
        }
    }
    return try_step(w, from, (lab_step){.kind = LAB_STEP_TRIM, .a = (uint8_t)index}) &&
           try_step(w, from, (lab_step){.kind = LAB_STEP_FREE, .a = (uint8_t)index});
}

static bool try_free_tags(lab_worker *w, const lab_pair *from) {
    lab_step step = {.kind = LAB_STEP_FREE_TAGS};
    for (step.a = 0; step.a < w->config->tags.count; step.a++) {
        for (step.b = step.a; step.b < w->config->tags.count; step.b++) {
            if (!try_step(w, from, step)) {
                return false;
            }
        }
    }
    return true;
}

/* The sequences of answers to a compaction's questions form a tree: what is asked depends on what
 * was answered before. The next one in order is found by turning the last yes into a no. An answer
 * is a bit of the veto byte, as in scripts; a bit that was asked twice counts where it was asked
 * first. False: that was the last one. */
static bool next_veto(const lab_pair_checker *checker, uint8_t *veto) {
    uint8_t bits[8];
    unsigned count = 0;
    unsigned seen = 0;
    for (uint32_t i = 0; i < checker->asked; i++) {
        unsigned bit = 1u << checker->questions[i].slot % 8;
        if ((seen & bit) == 0) {
            bits[count++] = (uint8_t)bit;
        }
        seen |= bit;
    }
    while (count > 0) {
        uint8_t bit = bits[--count];
        if ((*veto & bit) == 0) {
            *veto |= bit;
            return true;
        }
        *veto &= (uint8_t)~bit;
    }
    return false;
}

static bool try_compactions(lab_worker *w, const lab_pair *from, lab_step step) {
    step.c = 0;
    do {
        if (!try_step(w, from, step)) {
            return false;
        }
    } while (next_veto(&w->checker, &step.c));
    return true;
}

static bool try_all(lab_worker *w, const lab_pair *from) {
    w->work_is_fresh = false;
    if (!try_allocs(w, from)) {
        return false;
    }
    for (uint32_t i = 0; i < from->model.count; i++) {
        if (from->model.extents[i].site != 0 && !try_block(w, from, i)) {
            return false;
        }
    }
    if (!try_free_tags(w, from) ||
        !try_compactions(w, from, (lab_step){.kind = LAB_STEP_COMPACT})) {
        return false;
    }
    for (uint32_t i = 0; i < w->config->budgets.count; i++) {
        lab_step step = {.kind = LAB_STEP_COMPACT_SOME, .b = (uint8_t)i};
        if (!try_compactions(w, from, step)) {
            return false;
        }
    }
    return true;
}

/* Not inlined: its locals must not live in the function that longjmp returns to. */
__attribute__((noinline)) static void expand(lab_worker *w, uint32_t depth) {
    lab_slice *slice = w->slice;
    for (uint32_t state = slice->from; state < slice->to; state++) {
        bool made = make_again(w, state, depth);
        if (made) {
            w->state = state;
        }
        if (!made || !try_all(w, &w->line[depth])) {
            slice->failure = w->checker.failure;
            slice->state = w->state;
            slice->step = w->step;
            return;
        }
        atomic_fetch_add_explicit(&w->expanded, 1, memory_order_relaxed);
    }
}

static void note_crash(lab_worker *w, int number) {
    lab_slice *slice = w->slice;
    const char *detail = number == LAB_TRAP_HANG ? "hang" : number == SIGABRT ? "abort" : "crash";
    (void)lab_pair_checker_fail(&w->checker, LAB_PROPERTY_FAULT, detail,
                                number == LAB_TRAP_HANG ? "the heap did not return"
                                                        : "the heap ended with signal %d",
                                number);
    slice->failure = w->checker.failure;
    slice->state = w->state;
    slice->step = w->step;
    slice->crashed = true;
}

void lab_worker_run(lab_worker *worker, lab_slice *slice, uint32_t depth) {
    worker->slice = slice;
    if (!lengthen_line(worker, depth)) {
        slice->out_of_memory = true;
        return;
    }
    int number = sigsetjmp(worker->trap, 1);
    if (number == 0) {
        lab_trap_arm(&worker->trap);
        expand(worker, depth);
    } else {
        note_crash(worker, number);
    }
    lab_trap_disarm();
}
