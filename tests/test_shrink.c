/* SPDX-License-Identifier: MIT */
/* The shrinker and its trial, with a runner that stands in for the real one (it is linked instead
 * of fuzz/runner) and fails as a test wants it: so the smallest script that fails is known, and so
 * is every way in which a process can end. Real mistakes are in tests/scripts/test_to_c.py. */
#define _POSIX_C_SOURCE 200809L

#include "runner/runner.h"
#include "shrink/shrink.h"
#include "suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the stand-in ------------------------------------------------------------------------- */

struct lab_runner {
    unsigned plays; /* what it says has acted */
};

/* How a script fails. */
static volatile enum {
    PASSES,
    TWO_FREED_THEN_COMPACT, /* at a compaction after two blocks were freed that had been made */
    VETO_IN_SMALL_ALIGNED,  /* at a vetoed compaction of an aligned TAIL block, skew odd */
    AT_THE_END,             /* at the end, if three blocks are live */
    LARGE_LIVE,             /* at an allocation, if a block of 65 bytes or more is live */
    TWO_MISTAKES,           /* at a copy; but at a lookup in another way */
    BY_ABORT,               /* at a trim the process ends, with a line */
    BY_SIGNAL,              /* at a trim it ends, without a word */
    BY_HANG,                /* at a trim it never comes back */
    BY_WAITING,             /* at a trim it waits for what never comes */
    SLOW,                   /* at a trim it takes its time, as on a busy machine */
    AT_TIMES,               /* at a trim, every third time */
    FLAKY                   /* at a trim, in another way each time */
} mistake;

static unsigned plays; /* of this process */

typedef struct stand_in {
    bool live[65536];
    uint32_t bytes[65536];
    bool aligned_tail;
    unsigned live_count, freed;
} stand_in;

lab_runner *lab_runner_new(void) {
    return calloc(1, sizeof(lab_runner));
}

void lab_runner_destroy(lab_runner *runner) {
    free(runner);
}

static bool fail(lab_failure *failure, size_t op, lab_property property, const char *detail) {
    failure->property = property;
    failure->op = op;
    failure->detail = detail;
    return false;
}

static void follow(stand_in *s, const lab_op *op) {
    bool makes = lab_op_allocates(op);
    if (makes && !s->live[op->slot]) {
        s->live[op->slot] = true;
        s->live_count++;
        s->aligned_tail = s->aligned_tail || (op->kind == LAB_OP_ALIGNED && op->tag >= 0x4000 &&
                                              op->align >= 5 && op->size.value >= 10);
        s->bytes[op->slot] = op->size.value;
    } else if (op->kind == LAB_OP_RESIZE) {
        s->bytes[op->slot] = op->size.value;
    } else if (op->kind == LAB_OP_FREE && s->live[op->slot]) {
        s->live[op->slot] = false;
        s->live_count--;
        s->freed++;
    }
}

static void end_at_trim(void) {
    if (mistake == BY_ABORT) {
        (void)!write(STDERR_FILENO, "tagheap: assertion failed: x.c:1: y\n", 36);
        abort();
    }
    if (mistake == BY_SIGNAL) {
        (void)raise(SIGUSR1);
    }
    while (mistake == BY_HANG) {
    }
    while (mistake == BY_WAITING) {
        (void)pause();
    }
    for (int i = 0; mistake == SLOW && i < 30; i++) {
        const struct timespec nap = {.tv_nsec = 5000000};
        clock_t until = clock() + CLOCKS_PER_SEC / 1000;
        (void)nanosleep(&nap, NULL);
        while (clock() < until) {
        }
    }
}

static bool play_op(stand_in *s, const lab_script *script, size_t i, lab_failure *failure) {
    const lab_op *op = &script->ops[i];
    bool compacts = op->kind == LAB_OP_COMPACT || op->kind == LAB_OP_COMPACT_SOME;
    if (mistake == TWO_FREED_THEN_COMPACT && compacts && s->freed >= 2) {
        return fail(failure, i, LAB_PROPERTY_BLOCKS, "size");
    }
    if (mistake == VETO_IN_SMALL_ALIGNED && compacts && (op->veto & 4) != 0 && s->aligned_tail &&
        script->config.skew % 2 == 1) {
        return fail(failure, i, LAB_PROPERTY_BLOCKS, "offset");
    }
    for (size_t slot = 0; mistake == LARGE_LIVE && slot < 8 && op->kind == LAB_OP_ALLOC; slot++) {
        if (s->live[slot] && s->bytes[slot] >= 65) {
            return fail(failure, i, LAB_PROPERTY_BLOCKS, "large");
        }
    }
    if (mistake == TWO_MISTAKES && (op->kind == LAB_OP_COPY || op->kind == LAB_OP_FIND)) {
        bool copies = op->kind == LAB_OP_COPY;
        return fail(failure, i, LAB_PROPERTY_BLOCKS, copies && s->live_count > 1 ? "tag" : "site");
    }
    if (op->kind == LAB_OP_TRIM && mistake == FLAKY) {
        return fail(failure, i, LAB_PROPERTY_FIND, plays % 2 == 0 ? "found" : "size");
    }
    if (op->kind == LAB_OP_TRIM && s->live[op->slot] && mistake == AT_TIMES && plays % 3 == 0) {
        return fail(failure, i, LAB_PROPERTY_FIND, "at times");
    }
    if (op->kind == LAB_OP_TRIM && s->live[op->slot]) {
        end_at_trim();
    }
    follow(s, op);
    return true;
}

bool lab_runner_play(lab_runner *runner, const lab_script *script, const lab_run_options *options,
                     lab_failure *failure, lab_run_counts *counts) {
    static stand_in s;
    plays++;
    counts->acted += ++runner->plays;
    memset(&s, 0, sizeof s);
    memset(failure, 0, sizeof *failure);
    failure->detail = "";
    options->after_op(options->context, NULL, NULL, 0);
    for (size_t i = 0; i < script->count; i++) {
        if (!play_op(&s, script, i, failure)) {
            return false;
        }
        options->after_op(options->context, NULL, &script->ops[i], i);
    }
    return mistake != AT_THE_END || s.live_count < 3 ||
           fail(failure, script->count, LAB_PROPERTY_BLOCKS, "more");
}

/* ---- help --------------------------------------------------------------------------------- */

static lab_op random_op(uint64_t *state, uint32_t slots) {
    static const lab_op_kind kinds[] = {LAB_OP_ALLOC,     LAB_OP_ALLOC,   LAB_OP_ALIGNED,
                                        LAB_OP_FREE,      LAB_OP_RESIZE,  LAB_OP_TRIM,
                                        LAB_OP_FREE_TAGS, LAB_OP_COMPACT, LAB_OP_COMPACT_SOME};
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)kinds[th_test_random(state) % (sizeof kinds / sizeof kinds[0])];
    unsigned fields = lab_op_fields[op.kind];
    uint64_t r = th_test_random(state);
    op.slot = (fields & LAB_FIELD_SLOT) != 0 ? (uint16_t)(r % slots) : 0;
    op.tag = (fields & LAB_FIELD_TAG) != 0 ? (uint16_t)(r >> 16 & 0x7FFF) : 0;
    op.tag_high = (fields & LAB_FIELD_TAG_HIGH) != 0 ? (uint16_t)(r >> 32) : 0;
    op.size.value = (fields & LAB_FIELD_SIZE) != 0 ? (uint32_t)(r >> 40 & 0x3FF) : 0;
    op.align = (fields & LAB_FIELD_ALIGN) != 0 ? (uint8_t)(r >> 50 & 7) : 0;
    op.veto = (fields & LAB_FIELD_VETO) != 0 ? (uint8_t)(r >> 53) : 0;
    return op;
}

static void make_long(lab_script *script, uint64_t seed, size_t count) {
    uint64_t state = seed;
    script->config = (lab_config){5000, 16, 7, 3, 1, 64, LAB_SUBJECT_HEAP, LAB_LAYOUT_CLASSIC, 0};
    for (size_t i = 0; i < count; i++) {
        CHECK(lab_script_append(script, random_op(&state, script->config.slots)));
    }
    CHECK(lab_script_is_valid(script));
}

static unsigned tries; /* of each candidate */

static bool count_runs(void *context, const lab_shrink_state *state) {
    size_t *runs = context;
    CHECK_EQ(state->runs, *runs);
    ++*runs;
    return true;
}

static lab_shrink_status shrink(lab_script *script, lab_shrink_result *result) {
    size_t runs = 0;
    const lab_shrink_options options = {
        .limit_ms = 200, .tries = tries, .go_on = count_runs, .context = &runs};
    lab_shrink_status status = lab_shrink(script, &options, result);
    CHECK_EQ(result->state.runs, runs);
    return status;
}

static void check_text(const lab_script *script, const char *expected) {
    lab_script wanted = {0};
    lab_text_error error;
    CHECK(lab_script_parse(&wanted, expected, strlen(expected), &error));
    if (!lab_script_equal(script, &wanted)) {
        lab_script_print(script, stdout);
    }
    CHECK(lab_script_equal(script, &wanted));
    lab_script_clean_up(&wanted);
}

/* A long script with this mistake becomes exactly `expected`, twice. */
static void check_shrinks(const char *signature, const char *expected) {
    uint64_t seed = th_test_seed(12);
    for (unsigned i = 0; i < 2; i++) {
        lab_script script = {0};
        lab_shrink_result result;
        make_long(&script, seed, 600);
        CHECK_EQ(shrink(&script, &result), LAB_SHRINK_DONE);
        CHECK(strcmp(result.outcome.signature, signature) == 0);
        CHECK_EQ(result.state.ops, script.count);
        check_text(&script, expected);
        lab_script_clean_up(&script);
    }
}

#define PLAIN "heap dwords=16 align=4 guard=0 slots=8 lowmem=0 skew=0\n"

/* ---- tests -------------------------------------------------------------------------------- */

static void removes_what_has_no_part(void) {
    mistake = TWO_FREED_THEN_COMPACT;
    check_shrinks("property=blocks detail=size", PLAIN "alloc s0 tag=0x0000 bytes=0\n"
                                                       "free s0\n"
                                                       "alloc s1 tag=0x0000 bytes=0\n"
                                                       "free s1\n"
                                                       "compact veto=0x00\n");
}

static void keeps_operands_that_matter(void) {
    mistake = VETO_IN_SMALL_ALIGNED;
    check_shrinks("property=blocks detail=offset",
                  "heap dwords=16 align=4 guard=0 slots=8 lowmem=0 skew=1\n"
                  "aligned s0 tag=0x4000 bytes=10 align=32\n"
                  "compact veto=0x04\n");
}

/* Where neither an operation can go nor a size can shrink, both together can. */
static void moves_sizes_to_remove_more(void) {
    static const char *const texts[] = {
        PLAIN "alloc s0 tag=0 bytes=1\nresize s0 bytes=65\nalloc s1 tag=0 bytes=1\n",
        PLAIN "alloc s0 tag=0 bytes=1\nresize s0 bytes=1\nresize s0 bytes=65\n"
              "alloc s1 tag=0 bytes=1\n"};
    mistake = LARGE_LIVE;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        lab_script script = {0};
        lab_shrink_result result;
        lab_text_error error;
        CHECK(lab_script_parse(&script, texts[i], strlen(texts[i]), &error));
        CHECK_EQ(shrink(&script, &result), LAB_SHRINK_DONE);
        check_text(&script, PLAIN "alloc s0 tag=0x0000 bytes=65\nalloc s1 tag=0x0000 bytes=0\n");
        lab_script_clean_up(&script);
    }
}

static void cuts_nothing_after_a_failure_at_the_end(void) {
    mistake = AT_THE_END;
    check_shrinks("property=blocks detail=more", PLAIN "alloc s0 tag=0x0000 bytes=0\n"
                                                       "alloc s1 tag=0x0000 bytes=0\n"
                                                       "alloc s2 tag=0x0000 bytes=0\n");
}

static void keeps_to_the_same_failure(void) {
    lab_script script = {0};
    lab_shrink_result result;
    lab_op copies;
    mistake = TWO_MISTAKES;
    make_long(&script, 5, 100);
    memset(&copies, 0, sizeof copies);
    copies.kind = LAB_OP_COPY;
    CHECK(lab_script_append(&script, copies));
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_DONE);
    CHECK(strcmp(result.outcome.signature, "property=blocks detail=tag") == 0);
    check_text(&script, PLAIN "alloc s0 tag=0x0000 bytes=0\nalloc s1 tag=0x0000 bytes=0\ncopy\n");
    lab_script_clean_up(&script);
}

static void shrinks_what_ends_the_process(void) {
    static const char wanted[] = PLAIN "alloc s0 tag=0x0000 bytes=0\ntrim s0\n";
    mistake = BY_ABORT;
    check_shrinks("tagheap: assertion failed: x.c:1: y", wanted);
    mistake = BY_SIGNAL;
    char signature[32];
    (void)snprintf(signature, sizeof signature, "signal %d", SIGUSR1);
    check_shrinks(signature, wanted);
}

static void shrinks_what_never_ends(void) {
    lab_script script = {0};
    lab_shrink_result result;
    mistake = BY_HANG;
    make_long(&script, 12, 60);
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_DONE);
    CHECK_EQ(result.outcome.end, LAB_END_HUNG);
    CHECK(strcmp(result.outcome.signature, "timeout") == 0);
    check_text(&script, PLAIN "alloc s0 tag=0x0000 bytes=0\ntrim s0\n");
    lab_script_clean_up(&script);
}

static lab_end tried_with_little_patience(const lab_script *script) {
    lab_outcome outcome = {0};
    lab_trial *trial = lab_trial_new(script->count);
    lab_trial_set_patience(trial, 50);
    CHECK(lab_trial_try(trial, script, &outcome));
    lab_trial_destroy(trial);
    return outcome.end;
}

static void who_waits_hangs_and_who_is_slow_does_not(void) {
    static lab_op ops[] = {{.kind = LAB_OP_ALLOC}, {.kind = LAB_OP_TRIM}};
    const lab_script script = {.config = {.dwords = 16, .alignment = 4, .slots = 8},
                               .ops = ops,
                               .count = 2,
                               .capacity = 2};
    mistake = BY_WAITING;
    CHECK_EQ(tried_with_little_patience(&script), LAB_END_HUNG);
    mistake = SLOW;
    CHECK_EQ(tried_with_little_patience(&script), LAB_END_PASSED);
}

static void long_scripts_may_take_longer(void) {
    CHECK_EQ(lab_trial_limit_ms(0), 2000);
    CHECK_EQ(lab_trial_limit_ms(1000000), 22000);
    CHECK(lab_trial_limit_ms(SIZE_MAX) > lab_trial_limit_ms(1000000));
}

static void leaves_a_passing_script_alone(void) {
    lab_script script = {0};
    lab_script before = {0};
    lab_shrink_result result;
    mistake = PASSES;
    make_long(&script, 3, 50);
    make_long(&before, 3, 50);
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_PASSES);
    CHECK(lab_script_equal(&script, &before));
    lab_script_clean_up(&script);
    lab_script_clean_up(&before);
}

static size_t runs_allowed;

static bool allow_runs(void *context, const lab_shrink_state *state) {
    (void)context;
    return state->runs < runs_allowed;
}

/* Whenever it is told to, and with what it has: by itself, this needs a hundred runs. */
static void stops_when_told(void) {
    const lab_shrink_options options = {.limit_ms = 200, .go_on = allow_runs};
    lab_trial *trial = lab_trial_new(600);
    size_t before = 600;
    CHECK(trial != NULL);
    mistake = TWO_FREED_THEN_COMPACT;
    for (runs_allowed = 0; runs_allowed <= 75; runs_allowed += 15) {
        lab_script script = {0};
        lab_shrink_result result;
        lab_outcome outcome;
        make_long(&script, 12, 600);
        CHECK_EQ(lab_shrink(&script, &options, &result), LAB_SHRINK_STOPPED);
        CHECK_EQ(result.state.runs, runs_allowed);
        CHECK((result.state.round == 0) == (runs_allowed == 0));
        CHECK_EQ(result.state.ops, script.count);
        CHECK(lab_trial_try(trial, &script, &outcome));
        CHECK(runs_allowed == 0 || strcmp(outcome.signature, result.outcome.signature) == 0);
        CHECK(script.count <= before);
        before = script.count;
        lab_script_clean_up(&script);
    }
    CHECK(before < 300);
    lab_trial_destroy(trial);
}

static void leaves_a_flaky_script_alone(void) {
    lab_script script = {0};
    lab_script before = {0};
    lab_shrink_result result;
    mistake = FLAKY;
    make_long(&script, 3, 50);
    make_long(&before, 3, 50);
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_FLAKY);
    CHECK(strcmp(result.outcome.signature, result.other.signature) != 0);
    CHECK(result.state.runs <= LAB_TRIAL_REPETITIONS);
    CHECK(lab_script_equal(&script, &before));
    lab_script_clean_up(&script);
    lab_script_clean_up(&before);
}

/* One that fails at times is shrunk if each candidate is tried more than once. */
static void shrinks_what_fails_at_times(void) {
    lab_script script = {0};
    lab_shrink_result result;
    mistake = AT_TIMES;
    make_long(&script, 12, 60);
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_FLAKY);
    CHECK_EQ(script.count, 60);
    tries = 6;
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_DONE);
    CHECK_EQ(result.reproduced, 2);
    CHECK(strcmp(result.outcome.signature, "property=find detail=at times") == 0);
    check_text(&script, PLAIN "alloc s0 tag=0x0000 bytes=0\ntrim s0\n");
    mistake = PASSES;
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_PASSES);
    CHECK_EQ(result.state.runs, 6);
    tries = 0;
    lab_script_clean_up(&script);
}

static void shrinks_a_script_without_operations(void) {
    lab_script script = {.config = {.dwords = 16, .alignment = 4, .slots = 8}};
    lab_shrink_result result;
    mistake = PASSES;
    CHECK_EQ(shrink(&script, &result), LAB_SHRINK_PASSES);
    lab_script_clean_up(&script);
}

/* A trial of a script, and of the same without its last operation, of `last` bytes. */
static lab_trial *start_with(const char *text, size_t last, lab_script *whole,
                             lab_script *beginning) {
    lab_text_error error;
    CHECK(lab_script_parse(whole, text, strlen(text), &error));
    CHECK(lab_script_parse(beginning, text, strlen(text) - last, &error));
    lab_trial *trial = lab_trial_new(2);
    CHECK(trial != NULL);
    return trial;
}

/* A child that died is followed by another, and answers of old ones are not taken for new ones. */
static void trial_goes_on_after_an_end(void) {
    lab_script dies = {0};
    lab_script lives = {0};
    lab_outcome outcome;
    static const char text[] = "heap dwords=16\nalloc s0 tag=0 bytes=1\ntrim s0\n";
    mistake = BY_SIGNAL;
    lab_trial *trial = start_with(text, strlen("trim s0\n"), &dies, &lives);
    CHECK_EQ(lives.count, 1);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(lab_trial_try(trial, &lives, &outcome));
        CHECK_EQ(outcome.end, LAB_END_PASSED);
        CHECK(outcome.signature[0] == '\0');
        CHECK(lab_trial_try(trial, &dies, &outcome));
        CHECK_EQ(outcome.end, LAB_END_DIED);
        CHECK_EQ(outcome.op, 1);
    }
    CHECK(lab_script_reserve(&lives, 3));
    lives.ops[1] = lives.ops[2] = lives.ops[0];
    lives.count = 3;
    CHECK(!lab_trial_try(trial, &lives, &outcome)); /* more operations than were announced */
    lab_trial_destroy(trial);
    lab_trial_destroy(NULL);
    lab_script_clean_up(&dies);
    lab_script_clean_up(&lives);
}

/* A runner is fresh, or was kept since the last failure. */
static void trial_keeps_a_runner_when_told(void) {
    lab_script fails = {0};
    lab_script passes = {0};
    lab_outcome outcome;
    static const char text[] = "heap dwords=16\nalloc s0 tag=0 bytes=1\ncopy\n";
    mistake = TWO_MISTAKES;
    lab_trial *trial = start_with(text, strlen("copy\n"), &fails, &passes);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(lab_trial_try(trial, &passes, &outcome));
        CHECK_EQ(outcome.acted, 1);
    }
    lab_trial_keep_player(trial);
    for (unsigned i = 0; i < 6; i++) {
        CHECK(lab_trial_try(trial, &passes, &outcome));
        CHECK_EQ(outcome.end, LAB_END_PASSED);
        CHECK_EQ(outcome.acted, 1 + i % 3);
        if (i == 2) {
            CHECK(lab_trial_try(trial, &fails, &outcome));
            CHECK_EQ(outcome.end, LAB_END_FAILED);
        }
    }
    lab_trial_destroy(trial);
    lab_script_clean_up(&fails);
    lab_script_clean_up(&passes);
}

TH_SUITE("shrink", TEST(removes_what_has_no_part), TEST(keeps_operands_that_matter),
         TEST(moves_sizes_to_remove_more), TEST(cuts_nothing_after_a_failure_at_the_end),
         TEST(keeps_to_the_same_failure), TEST(shrinks_what_ends_the_process),
         TEST(shrinks_what_never_ends), TEST(who_waits_hangs_and_who_is_slow_does_not),
         TEST(long_scripts_may_take_longer), TEST(leaves_a_passing_script_alone),
         TEST(stops_when_told), TEST(leaves_a_flaky_script_alone),
         TEST(shrinks_what_fails_at_times), TEST(shrinks_a_script_without_operations),
         TEST(trial_goes_on_after_an_end), TEST(trial_keeps_a_runner_when_told))
