/* SPDX-License-Identifier: MIT */
/* The course of shrinking, and the steps that remove operations. */
#include "shrink/shrink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shrink/state.h"

enum {
    ROUNDS_MAX = 100,
    PAIRS_OPS_MAX = 40, /* pairs are tried among so many operations */
    SIZES_OPS_MAX = 12, /* the same of sizes that move to other operations */
    LIMIT_MS_MIN = 60,  /* for a candidate, in processor time */
    LIMIT_FACTOR = 20   /* the same, as a multiple of what the whole script took */
};

/* ---- candidates --------------------------------------------------------------------------- */

/* Keeps the operations of the best for which `keep` is set. */
static bool try_keeping(lab_shrinker *s, const bool *keep) {
    lab_script *candidate = &s->candidate;
    candidate->config = s->best.config;
    candidate->count = 0;
    for (size_t i = 0; i < s->best.count; i++) {
        if (keep[i]) {
            candidate->ops[candidate->count++] = s->best.ops[i];
        }
    }
    return lab_shrink_accept(s);
}

static bool try_without_range(lab_shrinker *s, size_t start, size_t length) {
    lab_script *candidate = lab_shrink_candidate(s);
    size_t end = start + length;
    memmove(candidate->ops + start, candidate->ops + end,
            (candidate->count - end) * sizeof *candidate->ops);
    candidate->count -= length;
    return lab_shrink_accept(s);
}

/* Ranges, long ones first, from the end: early operations build what later ones need. */
static void remove_ranges(lab_shrinker *s) {
    s->state.step = "ranges";
    for (size_t length = s->best.count; length > 0 && !s->stuck; length /= 2) {
        size_t end = s->best.count;
        while (end > 0 && !s->stuck) {
            size_t size = length < end ? length : end;
            bool removed = try_without_range(s, end - size, size);
            size_t left = end - size;
            end = removed && s->best.count < left ? s->best.count : left;
        }
    }
}

static bool names_slot(const lab_op *op, uint16_t slot) {
    return (lab_op_fields[op->kind] & LAB_FIELD_SLOT) != 0 && op->slot == slot;
}

/* What a block takes away from the addresses above it, to a good guess. */
static uint32_t span_of(const lab_op *op, const lab_config *config) {
    uint32_t header = config->alignment == 16 ? 32 : 24;
    uint32_t bytes = op->size.kind == LAB_SIZE_BYTES ? op->size.value : 0;
    uint32_t payload = bytes < 16 ? 16 : bytes;
    return header + (payload + config->alignment - 1) / config->alignment * config->alignment;
}

/* With a block, its place goes: lookups above it may mean the same if they look lower. */
static bool try_keeping_lookups(lab_shrinker *s, const bool *keep, size_t block) {
    uint32_t span = span_of(&s->best.ops[block], &s->best.config);
    lab_script *candidate = &s->candidate;
    bool lower = false;
    candidate->config = s->best.config;
    candidate->count = 0;
    for (size_t i = 0; i < s->best.count; i++) {
        lab_op op = s->best.ops[i];
        if (op.kind == LAB_OP_FIND && op.size.value >= span) {
            op.size.value -= span;
            lower = true;
        }
        if (keep[i]) {
            candidate->ops[candidate->count++] = op;
        }
    }
    return lower && lab_shrink_accept(s);
}

/* Blocks: an allocation, and all that names its slot until the slot is allocated again. */
static void remove_blocks(lab_shrinker *s, bool *keep) {
    s->state.step = "blocks";
    for (size_t i = s->best.count; i-- > 0 && !s->stuck;) {
        if (i >= s->best.count || !lab_op_allocates(&s->best.ops[i])) {
            continue;
        }
        bool in_block = true;
        for (size_t k = 0; k < s->best.count; k++) {
            bool names = k >= i && names_slot(&s->best.ops[k], s->best.ops[i].slot);
            in_block = in_block && !(names && k > i && lab_op_allocates(&s->best.ops[k]));
            keep[k] = !(names && in_block);
        }
        if (!try_keeping(s, keep)) {
            (void)try_keeping_lookups(s, keep, i);
        }
    }
}

/* Slots: all that names one. */
static void remove_slots(lab_shrinker *s, bool *keep) {
    s->state.step = "slots";
    for (size_t i = s->best.count; i-- > 0 && !s->stuck;) {
        if (i >= s->best.count || !lab_op_allocates(&s->best.ops[i])) {
            continue;
        }
        for (size_t k = 0; k < s->best.count; k++) {
            keep[k] = !names_slot(&s->best.ops[k], s->best.ops[i].slot);
        }
        (void)try_keeping(s, keep);
    }
}

/* Two operations anywhere, of which neither can go alone. */
static void remove_pairs(lab_shrinker *s, bool *keep) {
    s->state.step = "pairs";
    if (s->best.count > PAIRS_OPS_MAX) {
        return;
    }
    for (size_t j = s->best.count; j-- > 1 && !s->stuck;) {
        for (size_t i = j; i-- > 0 && j < s->best.count;) {
            memset(keep, true, s->best.count * sizeof *keep);
            keep[i] = keep[j] = false;
            (void)try_keeping(s, keep);
        }
    }
}

static bool has_size(const lab_op *op) {
    return (lab_op_fields[op->kind] & LAB_FIELD_SIZE) != 0;
}

static bool same_size(lab_size a, lab_size b) {
    return a.kind == b.kind && a.value == b.value;
}

/* Without operation i, and with the size of operation `from` for operation `to`. */
static bool try_with_size(lab_shrinker *s, size_t i, size_t to, size_t from) {
    lab_size size = s->best.ops[from].size;
    lab_script *candidate = lab_shrink_candidate(s);
    candidate->ops[to].size = size;
    memmove(candidate->ops + i, candidate->ops + i + 1,
            (candidate->count - i - 1) * sizeof *candidate->ops);
    candidate->count--;
    return lab_shrink_accept(s);
}

/* An operation that is there only because another one has no longer the size that matters: a resize
 * after an allocation that had it before, or what makes room for one that has it. */
static void remove_for_sizes(lab_shrinker *s) {
    s->state.step = "sizes";
    for (size_t i = s->best.count; i-- > 0 && s->best.count <= SIZES_OPS_MAX && !s->stuck;) {
        bool removed = false;
        for (size_t pair = 0; !removed && pair < s->best.count * s->best.count; pair++) {
            size_t to = pair / s->best.count;
            size_t from = pair % s->best.count;
            const lab_op *ops = s->best.ops;
            removed = i < s->best.count && to != i && has_size(&ops[to]) && has_size(&ops[from]) &&
                      !same_size(ops[to].size, ops[from].size) && try_with_size(s, i, to, from);
        }
    }
}

/* ---- the course --------------------------------------------------------------------------- */

/* Plays the best options->tries times. *outcome, if it has no signature yet, becomes the first
 * failure; *count is how often it failed so. False: it could not be played. */
static bool count_failures(lab_shrinker *s, lab_outcome *outcome, unsigned *count) {
    *count = 0;
    for (unsigned i = 0; i < s->options->tries; i++) {
        lab_outcome one;
        if (!lab_shrink_play(s, &s->best, &one)) {
            return false;
        }
        if (outcome->signature[0] == '\0') {
            *outcome = one;
        }
        *count += one.end != LAB_END_PASSED && strcmp(one.signature, outcome->signature) == 0;
    }
    return true;
}

/* The same for what need not fail each time. */
static lab_shrink_status confirm_at_times(lab_shrinker *s, lab_shrink_result *result) {
    if (s->stuck || !count_failures(s, &s->outcome, &result->reproduced)) {
        return LAB_SHRINK_NO_MEANS;
    }
    return result->reproduced > 0 ? LAB_SHRINK_DONE : LAB_SHRINK_FLAKY;
}

/* The result must fail as the script did, each time; a hang, which takes so long, once more. */
static lab_shrink_status confirm(lab_shrinker *s, lab_outcome *other) {
    lab_outcome last;
    bool same = true;
    bool hangs = s->outcome.end == LAB_END_HUNG;
    if (s->stuck || !(hangs ? lab_shrink_play(s, &s->best, &last)
                            : lab_trial_settle(s->trial, &s->best, &last, other, &same))) {
        return LAB_SHRINK_NO_MEANS;
    }
    if (strcmp(last.signature, s->outcome.signature) != 0) {
        *other = last;
        same = false;
    }
    return same ? LAB_SHRINK_DONE : LAB_SHRINK_FLAKY;
}

/* A candidate hangs if it takes many times what the whole script did before it failed. */
static void limit_candidates(lab_shrinker *s) {
    unsigned limit = LIMIT_MS_MIN + LIMIT_FACTOR * s->outcome.start_ms;
    if (limit < s->options->limit_ms) {
        lab_trial_set_limit(s->trial, limit);
    }
}

static void run_rounds(lab_shrinker *s, bool *keep) {
    lab_shrink_cut_tail(&s->best, &s->outcome);
    s->state.ops = s->best.count;
    do {
        s->state.round++;
        s->changed = false;
        remove_ranges(s);
        remove_blocks(s, keep);
        remove_slots(s, keep);
        remove_pairs(s, keep);
        lab_shrink_operands(s);
        remove_for_sizes(s);
        lab_shrink_slots(s);
        lab_shrink_config(s);
    } while (s->changed && !s->stuck && s->state.round < ROUNDS_MAX);
}

static lab_shrink_status shrink(lab_shrinker *s, lab_shrink_result *result, bool *keep) {
    bool same = true;
    bool at_times = s->options->tries > 0;
    s->state.step = "reproducing";
    if (!(at_times ? count_failures(s, &s->outcome, &result->reproduced)
                   : lab_trial_settle(s->trial, &s->best, &s->outcome, &result->other, &same))) {
        return LAB_SHRINK_NO_MEANS;
    }
    if (!same || s->outcome.end == LAB_END_PASSED) {
        return same ? LAB_SHRINK_PASSES : LAB_SHRINK_FLAKY;
    }
    limit_candidates(s);
    run_rounds(s, keep);
    /* Under the first limit again: a hang must be one by that, too. */
    lab_trial_set_limit(s->trial, s->options->limit_ms);
    return at_times ? confirm_at_times(s, result) : confirm(s, &result->other);
}

static bool before_play(void *context) {
    lab_shrinker *s = context;
    s->stopped = s->options->go_on != NULL && !s->options->go_on(s->options->context, &s->state);
    s->state.runs += !s->stopped;
    return !s->stopped;
}

lab_shrink_status lab_shrink(lab_script *script, const lab_shrink_options *options,
                             lab_shrink_result *result) {
    lab_shrinker s = {.options = options, .state = {.step = "", .ops = script->count}};
    lab_shrink_status status = LAB_SHRINK_NO_MEANS;
    bool *keep = calloc(script->count + 1, sizeof *keep);
    memset(result, 0, sizeof *result);
    s.trial = lab_trial_new(script->count);
    s.bytes = malloc(lab_script_encode(script, NULL, 0));
    if (s.trial != NULL && s.bytes != NULL && keep != NULL &&
        lab_script_reserve(&s.best, script->count) &&
        lab_script_reserve(&s.candidate, script->count)) {
        lab_shrink_copy(&s.best, script);
        lab_trial_set_limit(s.trial, options->limit_ms);
        lab_trial_watch(s.trial, before_play, &s);
        status = shrink(&s, result, keep);
        status = s.stopped ? LAB_SHRINK_STOPPED : status;
    }
    int error = errno;
    if (status == LAB_SHRINK_DONE || status == LAB_SHRINK_STOPPED) {
        lab_shrink_copy(script, &s.best);
    }
    result->outcome = s.outcome;
    result->state = s.state;
    lab_trial_destroy(s.trial);
    lab_script_clean_up(&s.best);
    lab_script_clean_up(&s.candidate);
    free(s.bytes);
    free(s.tried);
    free(keep);
    errno = error;
    return status;
}
