/* SPDX-License-Identifier: MIT */
/* Scopes: cleanups in reverse order on every path, early, cancelled, handed over, nested. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/scope.h"

static th_scope scope;
static backing own;
static fault_log faults;

/* What ran, in order, and what the hook was told. */
static char trace[128];
static size_t traced;
static unsigned events[TH_SCOPE_ENDED + 1];
static uint64_t last_token;

static void note(void *context) {
    trace[traced++] = *(const char *)context;
    trace[traced] = '\0';
}

static char letters[] = "abcdefghijklmnopqrstuvwxyz";

static void *letter(char c) {
    return &letters[c - 'a'];
}

static void hear(void *context, th_scope_event event, uint64_t token) {
    CHECK(context == trace);
    events[event]++;
    last_token = token;
}

static void forget(void) {
    traced = 0;
    trace[0] = '\0';
    memset(events, 0, sizeof events);
}

static void start(int level) {
    forget();
    const th_scope_config config = {.backing = backing_start(&own),
                                    .hook = hear,
                                    .hook_context = trace,
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_scope_init(&scope, &config), TH_OK);
}

static uint64_t defer(th_scope *to, char c) {
    uint64_t token = 0;
    CHECK_EQ(th_scope_defer(to, note, letter(c), &token), TH_OK);
    CHECK(token != 0);
    return token;
}

static void stop(const char *order) {
    static const th_scope zeroed;
    CHECK_EQ(th_scope_check(&scope, NULL), TH_OK);
    th_scope_clean_up(&scope);
    CHECK(memcmp(&scope, &zeroed, sizeof scope) == 0);
    CHECK(strcmp(trace, order) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

static void run_in_reverse(int level) {
    start(level);
    for (char c = 'a'; c <= 'z'; c++) {
        CHECK_EQ(defer(&scope, c), c - 'a' + 1);
    }
    th_scope_stats stats = th_scope_get_stats(&scope);
    CHECK_EQ(stats.deferred, 26);
    CHECK_EQ(stats.records_bytes, own.live_bytes);
    CHECK_EQ(own.live, 1);
    stop("zyxwvutsrqponmlkjihgfedcba");
    CHECK_EQ(events[TH_SCOPE_DEFERRED], 26);
    CHECK_EQ(events[TH_SCOPE_RUN], 26);
    CHECK_EQ(events[TH_SCOPE_ENDED], 1);
    CHECK_EQ(last_token, 0);
}

static void cleanups_run_in_reverse(void) {
    at_levels(0, run_in_reverse);
}

static void go_one_by_one(int level) {
    start(level);
    uint64_t tokens[6];
    for (int i = 0; i < 6; i++) {
        tokens[i] = defer(&scope, (char)('a' + i));
    }
    CHECK_EQ(th_scope_run(&scope, tokens[2]), TH_OK);
    CHECK(strcmp(trace, "c") == 0);
    CHECK_EQ(th_scope_cancel(&scope, tokens[4]), TH_OK);
    CHECK_EQ(last_token, tokens[4]);
    CHECK_EQ(events[TH_SCOPE_CANCELLED], 1);
    CHECK_EQ(th_scope_get_stats(&scope).runs, 1);
    CHECK_EQ(th_scope_get_stats(&scope).deferred, 4);
    CHECK_EQ(th_scope_get_stats(&scope).deferred_peak, 6);
    CHECK_EQ(th_scope_run(&scope, tokens[0]), TH_OK); /* the first one and the last one */
    CHECK_EQ(th_scope_run(&scope, tokens[5]), TH_OK);
    CHECK(defer(&scope, 'z') > tokens[5]);
    stop("cafzdb");
}

static void one_can_be_run_or_cancelled_early(void) {
    at_levels(0, go_one_by_one);
}

static void use_bad_tokens(int level) {
    start(level);
    uint64_t a = defer(&scope, 'a');
    uint64_t b = defer(&scope, 'b');
    CHECK_EQ(th_scope_run(&scope, a), TH_OK);
    const struct {
        uint64_t token;
        th_fault_kind kind;
    } bad[] = {{a, TH_FAULT_DOUBLE_FREE}, {0, TH_FAULT_NOT_A_BLOCK}, {b + 1, TH_FAULT_NOT_A_BLOCK}};
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(th_scope_run(&scope, bad[i].token), TH_ERR_CORRUPT);
        CHECK_EQ(faults.count, level > 0);
        if (level > 0) {
            EXPECT_LOGGED(&faults, level, bad[i].kind, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                          (uint32_t)bad[i].token);
        }
        CHECK_EQ(th_scope_cancel(&scope, bad[i].token), TH_ERR_CORRUPT);
        uint64_t token = 7;
        CHECK_EQ(th_scope_hand_over(&scope, bad[i].token, &scope, &token), TH_ERR_CORRUPT);
        CHECK_EQ(token, 0);
        faults.count = 0;
    }
    CHECK_EQ(th_scope_get_stats(&scope).deferred, 1);
    stop("ab");
}

static void bad_tokens_are_named(void) {
    at_levels(0, use_bad_tokens);
}

/* ---- errors ------------------------------------------------------------------------------- */

static void fail_or_not(int level) {
    for (int fails = 0; fails < 2; fails++) {
        start(level);
        (void)defer(&scope, 'a');
        CHECK_EQ(th_scope_defer_on_error(&scope, note, letter('b'), NULL), TH_OK);
        (void)defer(&scope, 'c');
        CHECK_EQ(th_scope_fail(&scope, TH_OK), TH_OK);
        CHECK_EQ(events[TH_SCOPE_FAILED], 0);
        if (fails) {
            CHECK_EQ(th_scope_fail(&scope, TH_ERR_TOO_SMALL), TH_ERR_TOO_SMALL);
            CHECK_EQ(th_scope_fail(&scope, TH_ERR_EXHAUSTED), TH_ERR_TOO_SMALL); /* the first */
            CHECK_EQ(events[TH_SCOPE_FAILED], 1);
        }
        CHECK_EQ(th_scope_error(&scope), fails ? TH_ERR_TOO_SMALL : TH_OK);
        CHECK_EQ(th_scope_reset(&scope), fails ? TH_ERR_TOO_SMALL : TH_OK);
        CHECK_EQ(th_scope_error(&scope), TH_OK);
        CHECK_EQ(events[TH_SCOPE_CANCELLED], !fails);
        CHECK_EQ(events[TH_SCOPE_RUN], fails ? 3 : 2);
        stop(fails ? "cba" : "ca");
    }
}

static void what_is_for_errors_runs_after_errors_only(void) {
    at_levels(0, fail_or_not);
}

/* Acquires three things, of which the third fails; what was acquired goes on the way out. */
static th_status acquire(int steps, th_status last) {
    th_scope local = {0};
    const th_scope_config config = {.backing = backing_start(&own)};
    CHECK_EQ(th_scope_init(&local, &config), TH_OK);
    th_status status = TH_OK;
    for (int i = 0; i < steps; i++) {
        if (i + 1 == steps) {
            status = th_scope_fail(&local, last);
            break;
        }
        (void)defer(&local, (char)('a' + i));
    }
    th_scope_clean_up(&local);
    backing_stop(&own);
    return status;
}

static void every_error_path_cleans_up(void) {
    static const char *const orders[] = {"", "a", "ba", "cba"};
    for (int steps = 1; steps <= 4; steps++) {
        forget();
        CHECK_EQ(acquire(steps, TH_ERR_EXHAUSTED), TH_ERR_EXHAUSTED);
        CHECK(strcmp(trace, orders[steps - 1]) == 0);
    }
}

static void register_or_run(int level) {
    start(level);
    own.left = 0;
    uint64_t token = 7;
    CHECK_EQ(th_scope_defer(&scope, note, letter('a'), &token), TH_ERR_EXHAUSTED);
    CHECK_EQ(token, 0);
    CHECK_EQ(th_scope_reserve(&scope, 1), TH_ERR_EXHAUSTED);
    CHECK(strcmp(trace, "") == 0);
    CHECK_EQ(th_scope_defer_or_run(&scope, note, letter('a'), &token), TH_ERR_EXHAUSTED);
    CHECK(strcmp(trace, "a") == 0);
    CHECK_EQ(th_scope_defer_or_run(&scope, NULL, letter('a'), &token), TH_ERR_NULL);
    CHECK_EQ(th_scope_get_stats(&scope).refusals, 2);
    own.left = 1;
    CHECK_EQ(th_scope_defer_or_run(&scope, note, letter('b'), &token), TH_OK);
    CHECK_EQ(token, 1);
    stop("ab");
}

static void what_cannot_be_registered_is_gone(void) {
    at_levels(0, register_or_run);
}

static void save_memory(int level) {
    start(level);
    own.bytes_max = 3 * TH_SCOPE_RECORD_BYTES;
    (void)defer(&scope, 'a');
    (void)defer(&scope, 'b');
    CHECK_EQ(th_scope_reserve(&scope, 0), TH_OK);
    CHECK_EQ(th_scope_reserve(&scope, 30), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_scope_reserve(&scope, SIZE_MAX), TH_ERR_TOO_LARGE);
    own.bytes_max = 100 * TH_SCOPE_RECORD_BYTES;
    CHECK_EQ(th_scope_reserve(&scope, 70), TH_OK);
    own.left = 0;
    for (int i = 0; i < 70; i++) {
        (void)defer(&scope, 'c');
    }
    CHECK_EQ(th_scope_defer(&scope, note, letter('d'), NULL), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_scope_reset(&scope), TH_OK);
    CHECK(traced == 72 && strcmp(trace + 69, "cba") == 0);
    forget();
    stop("");
}

static void little_memory_is_enough_for_what_is_needed(void) {
    at_levels(0, save_memory);
}

static void limits(int level) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[3 * TH_SCOPE_RECORD_BYTES];
    th_scope_config config = {
        .memory = memory, .memory_bytes = sizeof memory, .guarding = guarding_with(&faults, level)};
    forget();
    (void)backing_start(&own);
    CHECK_EQ(th_scope_init(&scope, &config), TH_OK);
    (void)defer(&scope, 'a');
    (void)defer(&scope, 'b');
    uint64_t token = defer(&scope, 'c');
    CHECK_EQ(th_scope_defer(&scope, note, letter('d'), NULL), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_scope_hand_over(&scope, token, &scope, NULL), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_scope_get_stats(&scope).refusals, 2);
    stop("cba");
    config.backing = backing_start(&own);
    config.deferred_max = 5;
    forget();
    CHECK_EQ(th_scope_init(&scope, &config), TH_OK);
    for (char c = 'a'; c <= 'e'; c++) {
        (void)defer(&scope, c);
    }
    CHECK_EQ(own.live, 1); /* they have outgrown the memory */
    CHECK_EQ(th_scope_defer(&scope, note, letter('f'), NULL), TH_ERR_TOO_LARGE);
    stop("edcba");
}

static void there_are_limits(void) {
    at_levels(0, limits);
}

/* ---- two scopes --------------------------------------------------------------------------- */

static void hand_over(int level) {
    start(level);
    th_scope inner = {0};
    const th_scope_config config = {.backing = scope.config.backing,
                                    .deferred_max = 3,
                                    .hook = hear,
                                    .hook_context = trace,
                                    .guarding = scope.config.guarding};
    CHECK_EQ(th_scope_init(&inner, &config), TH_OK);
    (void)defer(&scope, 'a');
    (void)defer(&inner, 'b');
    uint64_t token = defer(&inner, 'c');
    (void)defer(&inner, 'd');
    uint64_t there = 0;
    CHECK_EQ(th_scope_hand_over(&inner, token, &scope, &there), TH_OK);
    CHECK_EQ(there, 2);
    CHECK_EQ(events[TH_SCOPE_CANCELLED], 1);
    uint64_t later = defer(&scope, 'e');
    CHECK_EQ(th_scope_hand_over(&scope, there, &scope, &there), TH_OK); /* to the end */
    CHECK(there > later);
    CHECK_EQ(th_scope_hand_over(&scope, there, NULL, &there), TH_ERR_NULL);
    CHECK_EQ(there, 0);
    CHECK_EQ(th_scope_defer_on_error(&inner, note, letter('x'), &token), TH_OK);
    CHECK_EQ(th_scope_hand_over(&inner, token, &scope, NULL), TH_OK); /* still on error only */
    th_scope_clean_up(&inner);
    CHECK(strcmp(trace, "db") == 0);
    stop("dbcea");
}

static void cleanups_are_handed_over(void) {
    at_levels(0, hand_over);
}

static void nest(int level) {
    for (int outer_first = 0; outer_first < 2; outer_first++) {
        start(level);
        th_scope inner = {0};
        th_scope_config config = {
            .backing = scope.config.backing, .parent = &scope, .guarding = scope.config.guarding};
        (void)defer(&scope, 'a');
        CHECK_EQ(th_scope_init(&inner, &config), TH_OK);
        (void)defer(&scope, 'b');
        (void)defer(&inner, 'c');
        (void)defer(&inner, 'd');
        CHECK_EQ(th_scope_get_stats(&scope).deferred, 3);
        if (!outer_first) {
            th_scope_clean_up(&inner);
            CHECK_EQ(th_scope_get_stats(&scope).deferred, 2);
        }
        stop(outer_first ? "bdca" : "dcba");
        CHECK_EQ(th_scope_get_stats(&inner).deferred, 0);
        CHECK_EQ(th_scope_check(&inner, NULL), TH_ERR_NULL);
        CHECK_EQ(th_scope_init(&inner, &config), TH_ERR_NULL); /* the parent is gone */
    }
}

static void an_outer_scope_ends_the_inner_ones(void) {
    at_levels(0, nest);
}

static void an_inner_scope_may_be_the_first_of_all(void) {
    start(0);
    th_scope inner = {0};
    const th_scope_config config = {.backing = scope.config.backing, .parent = &scope};
    CHECK_EQ(th_scope_init(&inner, &config), TH_OK);
    (void)defer(&inner, 'a');
    th_scope_clean_up(&inner);
    CHECK_EQ(th_scope_get_stats(&scope).deferred, 0);
    stop("a");
}

/* ---- misuse ------------------------------------------------------------------------------- */

static unsigned misbehaved;

static void misbehave(void *context) {
    th_scope *s = context;
    uint64_t token = 7;
    misbehaved++;
    CHECK_EQ(th_scope_defer(s, note, letter('x'), &token), TH_ERR_BUSY);
    CHECK_EQ(token, 0);
    CHECK_EQ(th_scope_reserve(s, 1), TH_ERR_BUSY);
    CHECK_EQ(th_scope_run(s, 1), TH_ERR_BUSY);
    CHECK_EQ(th_scope_cancel(s, 1), TH_ERR_BUSY);
    CHECK_EQ(th_scope_hand_over(s, 1, s, NULL), TH_ERR_BUSY);
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_scope_reset(s), TH_ERR_BUSY);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(faults.first.kind, TH_FAULT_REENTRY);
    th_scope_clean_up(s);
    CHECK_EQ(faults.count, 2);
    faults.count = 0;
    CHECK_EQ(th_scope_fail(s, TH_ERR_BUSY), TH_ERR_BUSY); /* cleaning up may fail, too */
}

static void call_back_in(int level) {
    start(level);
    misbehaved = 0;
    CHECK_EQ(th_scope_defer_on_error(&scope, note, letter('a'), NULL), TH_OK);
    CHECK_EQ(th_scope_defer(&scope, misbehave, &scope, NULL), TH_OK);
    CHECK_EQ(th_scope_reset(&scope), TH_ERR_BUSY); /* the error that was recorded */
    CHECK_EQ(misbehaved, 1);
    CHECK_EQ(th_scope_defer(&scope, misbehave, &scope, NULL), TH_OK);
    stop("a");
    CHECK_EQ(misbehaved, 2);
}

static void a_scope_is_closed_while_it_ends(void) {
    at_levels(0, call_back_in);
}

static void defer_more(void *context) {
    (void)defer(context, 'x');
}

/* One that is run early finds its scope open. */
static void run_and_defer(int level) {
    start(level);
    uint64_t token;
    CHECK_EQ(th_scope_defer(&scope, defer_more, &scope, &token), TH_OK);
    CHECK_EQ(th_scope_run(&scope, token), TH_OK);
    stop("x");
}

static void what_is_run_early_may_register(void) {
    at_levels(0, run_and_defer);
}

static void bad_configs_are_refused(void) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[64];
    static const th_allocator_table nothing;
    memset(&scope, 7, sizeof scope);
    const th_scope same = scope;
    const th_scope_config good = {.memory = memory, .memory_bytes = sizeof memory};
    CHECK_EQ(th_scope_init(NULL, &good), TH_ERR_NULL);
    CHECK_EQ(th_scope_init(&scope, NULL), TH_ERR_NULL);
    th_scope_config bad = {.memory = memory + 4, .memory_bytes = 60};
    CHECK_EQ(th_scope_init(&scope, &bad), TH_ERR_MISALIGNED);
    bad = (th_scope_config){.memory = memory, .memory_bytes = 15};
    CHECK_EQ(th_scope_init(&scope, &bad), TH_ERR_CONFIG);
    bad = (th_scope_config){.memory_bytes = 64};
    CHECK_EQ(th_scope_init(&scope, &bad), TH_ERR_CONFIG);
    bad = (th_scope_config){.backing = {&nothing, NULL}};
    CHECK_EQ(th_scope_init(&scope, &bad), TH_ERR_CONFIG);
    bad = good;
    bad.guarding.level = 4;
    CHECK_EQ(th_scope_init(&scope, &bad), TH_ERR_CONFIG);
    CHECK(memcmp(&scope, &same, sizeof scope) == 0);
    CHECK_EQ(th_scope_init(&scope, &good), TH_OK);
    th_scope_clean_up(&scope);
}

static void damage_is_found(void) {
    th_fault fault;
    start(0);
    (void)defer(&scope, 'a');
    (void)defer(&scope, 'b');
    uint64_t next = scope.next;
    scope.next = 2;
    CHECK_EQ(th_scope_check(&scope, &fault), TH_ERR_CORRUPT);
    CHECK(fault.kind == TH_FAULT_CHAIN && fault.block == 1);
    scope.next = next;
    uint64_t token;
    memcpy(&token, scope.records, sizeof token);
    memset(scope.records, 0, sizeof token); /* the token is the first field */
    CHECK_EQ(th_scope_check(&scope, NULL), TH_ERR_CORRUPT);
    memcpy(scope.records, &token, sizeof token);
    size_t capacity = scope.capacity;
    scope.capacity = 1;
    CHECK_EQ(th_scope_check(&scope, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    scope.capacity = capacity;
    th_scope_cleanup_fn run;
    unsigned char *place = (unsigned char *)scope.records + sizeof token;
    memcpy(&run, place, sizeof run);
    memset(place, 0, sizeof run);
    CHECK_EQ(th_scope_check(&scope, NULL), TH_ERR_CORRUPT);
    memcpy(place, &run, sizeof run);
    stop("ba");
}

#if TH_HAS_AUTO
static bool leave_early(bool early) {
    TH_AUTO(th_scope_clean_up) th_scope local = {0};
    const th_scope_config config = {.backing =
                                        own.left > 0 ? scope.config.backing : (th_allocator){0}};
    CHECK_EQ(th_scope_init(&local, &config), TH_OK);
    (void)defer(&local, 'a');
    if (early) {
        return true;
    }
    (void)defer(&local, 'b');
    return false;
}
#endif

static void a_local_scope_ends_by_itself(void) {
    start(0);
#if TH_HAS_AUTO
    CHECK(leave_early(true));
    CHECK(strcmp(trace, "a") == 0);
    CHECK(!leave_early(false));
    for (int i = 0; i < 2; i++) {
        TH_AUTO(th_scope_clean_up) th_scope never_started = {0};
        (void)never_started;
        if (i == 0) {
            continue;
        }
        break;
    }
    stop("aba");
#else
    stop("");
#endif
}

static void end_scope(void *context) {
    th_scope_clean_up(context);
    memset(context, 0x5A, sizeof(th_scope)); /* its memory is gone */
}

/* What ends the inner scope is registered after it, and so runs before it is its turn. */
static void end_inner_while_outer_ends(int level) {
    static th_scope inner;
    start(level);
    (void)defer(&scope, 'a');
    const th_scope_config config = {
        .backing = scope.config.backing, .parent = &scope, .guarding = scope.config.guarding};
    CHECK_EQ(th_scope_init(&inner, &config), TH_OK);
    (void)defer(&inner, 'x');
    (void)defer(&scope, 'b');
    CHECK_EQ(th_scope_defer(&scope, end_scope, &inner, NULL), TH_OK);
    stop("xba");
    CHECK_EQ(events[TH_SCOPE_CANCELLED], 1);
    CHECK_EQ(events[TH_SCOPE_RUN], 3);
    /* One that its parent has forgotten. */
    start(level);
    CHECK_EQ(th_scope_init(&inner, &config), TH_OK);
    (void)defer(&inner, 'x');
    CHECK_EQ(th_scope_cancel(&scope, last_token), TH_OK);
    th_scope_clean_up(&inner);
    CHECK_EQ(faults.count, level > 0);
    faults.count = 0;
    stop("x");
}

static void an_inner_scope_may_end_while_the_outer_one_does(void) {
    at_levels(0, end_inner_while_outer_ends);
}

/* Of another scope, from whose list it takes what is before the token handed over. */
static uint64_t to_cancel;

static void cancel_another(void *context, th_scope_event event, uint64_t token) {
    (void)token;
    if (event == TH_SCOPE_DEFERRED) {
        CHECK_EQ(th_scope_cancel(context, to_cancel), TH_OK);
    }
}

static void hand_over_to_a_meddler(int level) {
    static th_scope other;
    start(level);
    const th_scope_config config = {
        .backing = scope.config.backing, .hook = cancel_another, .hook_context = &scope};
    CHECK_EQ(th_scope_init(&other, &config), TH_OK);
    to_cancel = defer(&scope, 'a');
    uint64_t b = defer(&scope, 'b');
    (void)defer(&scope, 'c');
    CHECK_EQ(th_scope_hand_over(&scope, b, &other, NULL), TH_OK);
    th_scope_clean_up(&other);
    stop("bc");
}

static void a_hook_may_change_what_is_handed_over_from(void) {
    at_levels(0, hand_over_to_a_meddler);
}

TH_SUITE("scope", TEST(an_inner_scope_may_end_while_the_outer_one_does),
         TEST(a_hook_may_change_what_is_handed_over_from), TEST(cleanups_run_in_reverse),
         TEST(one_can_be_run_or_cancelled_early), TEST(bad_tokens_are_named),
         TEST(what_is_for_errors_runs_after_errors_only), TEST(every_error_path_cleans_up),
         TEST(what_cannot_be_registered_is_gone), TEST(little_memory_is_enough_for_what_is_needed),
         TEST(there_are_limits), TEST(cleanups_are_handed_over),
         TEST(an_outer_scope_ends_the_inner_ones), TEST(an_inner_scope_may_be_the_first_of_all),
         TEST(a_scope_is_closed_while_it_ends), TEST(what_is_run_early_may_register),
         TEST(bad_configs_are_refused), TEST(damage_is_found), TEST(a_local_scope_ends_by_itself))
