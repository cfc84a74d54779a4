/* SPDX-License-Identifier: MIT */
/* Quotas: limits, thresholds, memory given up, and what the guards see of the heads. */
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/buddy.h"
#include "tagheap/bump.h"
#include "tagheap/quota.h"

static th_quota quota;
static backing own;
static fault_log faults;

/* What the functions of the config were told, and what they shall do. */
static unsigned events[TH_QUOTA_REFUSED + 1];
static size_t used_then;
static unsigned asked;
static unsigned answers_true; /* so often */
static size_t asked_for;
static void *given_up[8]; /* freed one by one when asked */
static size_t given_up_count;
static bool calls_back_in;

static void hear(void *context, th_quota_event event, size_t used) {
    CHECK(context == &own);
    events[event]++;
    used_then = used;
}

static bool give_up(void *context, size_t bytes) {
    CHECK(context == &own);
    asked++;
    asked_for = bytes;
    if (calls_back_in) {
        CHECK(th_allocator_alloc(th_quota_allocator(&quota), 1) == NULL);
    }
    if (given_up_count > 0) {
        th_allocator_free(th_quota_allocator(&quota), given_up[--given_up_count]);
        return true;
    }
    if (answers_true > 0) {
        answers_true--;
        return true;
    }
    return false;
}

static th_allocator start_with(int level, th_quota_config config) {
    memset(events, 0, sizeof events);
    asked = 0;
    answers_true = 0;
    given_up_count = 0;
    calls_back_in = false;
    if (config.backing.table == NULL) {
        config.backing = backing_start(&own);
    }
    config.context = &own;
    config.guarding = guarding_with(&faults, level);
    CHECK_EQ(th_quota_init(&quota, &config), TH_OK);
    return th_quota_allocator(&quota);
}

static void stop(void) {
    static const th_quota zeroed;
    CHECK_EQ(th_quota_check(&quota, NULL), TH_OK);
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 0);
    CHECK_EQ(th_quota_get_stats(&quota).blocks, 0);
    th_quota_clean_up(&quota);
    CHECK(memcmp(&quota, &zeroed, sizeof quota) == 0);
    CHECK_EQ(faults.count, 0);
}

static void limit(int level) {
    th_allocator a = start_with(level, (th_quota_config){.bytes_max = 100, .blocks_max = 3});
    void *x = th_allocator_alloc(a, 60);
    CHECK(x != NULL);
    CHECK(th_allocator_alloc(a, 41) == NULL);
    CHECK_EQ(th_quota_get_stats(&quota).left_bytes, 40);
    void *y = th_allocator_alloc(a, 39);
    void *z = th_allocator_alloc(a, 1);
    CHECK(y != NULL && z != NULL); /* to the last byte */
    CHECK(th_allocator_alloc(a, 1) == NULL);
    th_allocator_free(a, y);
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 61);
    y = th_allocator_alloc(a, 10);
    CHECK(y != NULL);
    CHECK(th_allocator_alloc(a, 1) == NULL); /* the fourth block */
    th_quota_stats stats = th_quota_get_stats(&quota);
    CHECK(stats.blocks == 3 && stats.blocks_peak == 3 && stats.allocs == 4);
    CHECK(stats.high_water_bytes == 100 && stats.refusals == 3 && stats.failed_allocs == 0);
    CHECK_EQ(th_quota_set_limits(&quota, 50, TH_QUOTA_UNLIMITED), TH_OK);
    CHECK_EQ(th_quota_get_stats(&quota).left_bytes, 0);
    CHECK(th_allocator_alloc(a, 1) == NULL); /* more is in use than may be */
    CHECK(!th_allocator_resize_in_place(a, x, 61));
    x = th_allocator_realloc(a, x, 60, 55, 16, NULL); /* it may become shorter */
    CHECK(x != NULL && th_quota_get_stats(&quota).used_bytes == 66);
    th_allocator_free(a, x);
    x = th_allocator_alloc(a, 39);
    CHECK(x != NULL && th_allocator_alloc(a, 1) == NULL);
    CHECK_EQ(th_quota_set_limits(&quota, TH_QUOTA_UNLIMITED, TH_QUOTA_UNLIMITED), TH_OK);
    void *w = th_allocator_alloc(a, 100000);
    CHECK(w != NULL);
    void *blocks[] = {x, y, z, w};
    th_allocator_free_batch(a, blocks, 4);
    stop();
    backing_stop(&own);
}

static void limits_hold_to_the_byte(void) {
    at_levels(0, limit);
}

static void a_quota_of_zero_gives_nothing(void) {
    th_allocator a = start_with(0, (th_quota_config){.blocks_max = 7, .low_memory = give_up});
    CHECK(th_allocator_alloc(a, 1) == NULL);
    CHECK_EQ(own.allocs, 0);
    CHECK_EQ(asked, 1);
    stop();
    a = start_with(0, (th_quota_config){.bytes_max = 7});
    CHECK(th_allocator_alloc(a, 1) == NULL);
    CHECK_EQ(th_quota_get_stats(&quota).refusals, 1);
    stop();
}

static void resize(int level) {
    th_allocator a = start_with(level, (th_quota_config){.bytes_max = 300, .blocks_max = 9});
    unsigned char *x = th_allocator_alloc_aligned(a, 50, 256);
    CHECK_EQ((uintptr_t)x % 256, 0);
    fill(x, 50, 1);
    x = th_allocator_realloc(a, x, 50, 200, 256, NULL);
    CHECK(x != NULL && (uintptr_t)x % 256 == 0 && filled(x, 50, 1));
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 200);
    CHECK_EQ(th_quota_get_stats(&quota).allocs, 2);
    CHECK(th_allocator_realloc(a, x, 200, 301, 256, NULL) == NULL);
    CHECK_EQ(th_quota_get_stats(&quota).refusals, 1);
    own.left = 0;
    CHECK(th_allocator_realloc(a, x, 200, 300, 256, NULL) == NULL);
    CHECK_EQ(th_quota_get_stats(&quota).failed_allocs, 1);
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 200);
    CHECK(filled(x, 50, 1));
    own.left = 1;
    x = th_allocator_realloc(a, x, 200, 20, 256, NULL); /* shorter is always within it */
    CHECK(filled(x, 20, 1));
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 20);
    CHECK_EQ(th_quota_get_stats(&quota).high_water_bytes, 200);
    th_allocator_free(a, x);
    stop();
    backing_stop(&own);
}

static void what_moves_stays_within_the_limits(void) {
    at_levels(0, resize);
}

/* Over a backing that resizes in place, knows its blocks and can be reset. */
static void use_all_calls(int level) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[4096];
    th_bump bump;
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    th_allocator a = start_with(
        level,
        (th_quota_config){.backing = th_bump_allocator(&bump), .bytes_max = 100, .blocks_max = 9});
    unsigned char *x = th_allocator_alloc(a, 50);
    CHECK(th_allocator_resize_in_place(a, x, 100));
    CHECK(!th_allocator_resize_in_place(a, x, 101));
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 100);
    CHECK(th_allocator_resize_in_place(a, x, 90));
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 90);
    CHECK(th_allocator_owns(a, x) && !th_allocator_owns(a, &bump));
    CHECK_EQ(th_allocator_usable_size(a, x), 90); /* the backing does not know */
    CHECK_EQ(th_allocator_check(a, NULL), TH_OK);
    CHECK_EQ(th_allocator_reset(a), TH_OK);
    CHECK_EQ(th_quota_get_stats(&quota).blocks, 0);
    x = th_allocator_alloc(a, 100);
    CHECK(x != NULL);
    CHECK_EQ(th_quota_reset(&quota), TH_OK);
    stop();
    th_bump_clean_up(&bump);
    a = start_with(level, (th_quota_config){.bytes_max = 100, .blocks_max = 9});
    CHECK_EQ(th_allocator_reset(a), TH_ERR_UNSUPPORTED);
    stop();
}

static void everything_else_is_the_backings(void) {
    at_levels(0, use_all_calls);
}

static void usable_size_is_without_the_gap(void) {
    static th_buddy buddy;
    const th_buddy_config config = {.unit = 64};
    CHECK_EQ(th_buddy_create(&buddy, th_system_allocator(), 8192, &config), TH_OK);
    th_allocator a = start_with(0, (th_quota_config){.backing = th_buddy_allocator(&buddy),
                                                     .bytes_max = 5000,
                                                     .blocks_max = 9});
    void *x = th_allocator_alloc_aligned(a, 20, 1);
    CHECK_EQ((uintptr_t)x % _Alignof(size_t), 0);
    CHECK_EQ(th_allocator_usable_size(a, x), 48);
    th_allocator_free(a, x);
    x = th_allocator_alloc_aligned(a, 20, 64);
    CHECK_EQ(th_allocator_usable_size(a, x), 64);
    th_allocator_free(a, x);
    stop();
    th_buddy_clean_up(&buddy);
}

/* ---- callbacks ---------------------------------------------------------------------------- */

static void cross(int level) {
    th_allocator a = start_with(
        level,
        (th_quota_config){.bytes_max = 100, .blocks_max = 9, .bytes_soft = 50, .on_event = hear});
    void *x = th_allocator_alloc(a, 50);
    CHECK_EQ(events[TH_QUOTA_ABOVE_SOFT], 0);
    void *y = th_allocator_alloc(a, 1);
    CHECK_EQ(events[TH_QUOTA_ABOVE_SOFT], 1);
    CHECK_EQ(used_then, 51);
    void *z = th_allocator_alloc(a, 10); /* still above */
    CHECK_EQ(events[TH_QUOTA_ABOVE_SOFT], 1);
    th_allocator_free(a, z);
    th_allocator_free(a, y);
    CHECK_EQ(events[TH_QUOTA_BELOW_SOFT], 1);
    CHECK_EQ(used_then, 50);
    CHECK(th_allocator_alloc(a, 51) == NULL);
    CHECK_EQ(events[TH_QUOTA_REFUSED], 1);
    y = th_allocator_alloc(a, 2);
    CHECK_EQ(th_quota_get_stats(&quota).soft_crossings, 2);
    th_allocator_free(a, y);
    th_allocator_free(a, x);
    CHECK_EQ(events[TH_QUOTA_BELOW_SOFT], 2);
    stop();
    backing_stop(&own);
}

static void thresholds_are_told(void) {
    at_levels(0, cross);
}

static void *resized;

static bool resize_from_inside(void *context, size_t bytes) {
    th_allocator a = th_quota_allocator(context);
    (void)bytes;
    CHECK(!th_allocator_resize_in_place(a, resized, 60));
    CHECK(th_allocator_resize_in_place(a, resized, 40));
    return false;
}

static void resize_while_asked(int level) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[1024];
    th_bump bump;
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    const th_quota_config config = {.backing = th_bump_allocator(&bump),
                                    .bytes_max = 100,
                                    .blocks_max = 4,
                                    .low_memory = resize_from_inside,
                                    .context = &quota,
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_quota_init(&quota, &config), TH_OK);
    th_allocator a = th_quota_allocator(&quota);
    resized = th_allocator_alloc(a, 50);
    CHECK(th_allocator_alloc(a, 80) == NULL);
    CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 40);
    CHECK(th_allocator_resize_in_place(a, resized, 60));
    th_allocator_free(a, resized);
    stop();
    th_bump_clean_up(&bump);
}

static void only_what_becomes_shorter_is_resized_while_asked(void) {
    at_levels(0, resize_while_asked);
}

/* ---- the block that is being resized -------------------------------------------------------- */

static void expect_reentry(void) {
    EXPECT_LOGGED(&faults, 0, TH_FAULT_REENTRY, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0, 1);
}

/* Does to it what must not be done while it is resized; once. */
static bool change_from_inside(void *context, size_t bytes) {
    th_allocator a = th_quota_allocator(context);
    void *held = resized;
    (void)bytes;
    resized = NULL;
    if (held == NULL) {
        return false;
    }
    th_allocator_free(a, held);
    expect_reentry();
    CHECK(!th_allocator_resize_in_place(a, held, 10));
    expect_reentry();
    CHECK_EQ(th_quota_reset(context), TH_ERR_BUSY);
    expect_reentry();
    th_quota_clean_up(context);
    expect_reentry();
    return true;
}

/* Whether the limits or the backing have no room for what it is to be. */
static void hold_while_asked(int level) {
    th_quota_config config = {.backing = backing_start(&own),
                              .bytes_max = 100,
                              .blocks_max = 4,
                              .low_memory = change_from_inside,
                              .context = &quota,
                              .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_quota_init(&quota, &config), TH_OK);
    th_allocator a = th_quota_allocator(&quota);
    for (unsigned limited = 0; limited < 2; limited++) {
        void *x = th_allocator_alloc(a, 50);
        fill(x, 50, limited);
        resized = x;
        own.left = limited ? SIZE_MAX : 0;
        CHECK(th_allocator_realloc(a, x, 50, limited ? 101 : 90, 16, NULL) == NULL);
        CHECK(resized == NULL && filled(x, 50, limited));
        CHECK_EQ(th_quota_get_stats(&quota).used_bytes, 50);
        own.left = SIZE_MAX;
        th_allocator_free(a, x);
    }
    resized = th_allocator_alloc(a, 50); /* of a request for a block, it may go */
    quota.config.low_memory = give_up;
    quota.config.context = &own;
    given_up[0] = resized;
    given_up_count = 1;
    CHECK((resized = th_allocator_alloc(a, 90)) != NULL);
    th_allocator_free(a, resized);
    stop();
    backing_stop(&own);
}

static void what_is_being_resized_is_held(void) {
    at_levels(0, hold_while_asked);
}

static unsigned refusals_told;

static void ask_again(void *context, th_quota_event event, size_t used) {
    CHECK_EQ(used, 0);
    if (event == TH_QUOTA_REFUSED) {
        refusals_told++;
        CHECK(th_allocator_alloc(th_quota_allocator(context), 1) == NULL);
    }
}

/* An event function that is refused itself is not told so: it would be for ever. */
static void a_refusal_is_told_once(void) {
    const th_quota_config config = {
        .backing = backing_start(&own), .on_event = ask_again, .context = &quota};
    CHECK_EQ(th_quota_init(&quota, &config), TH_OK);
    refusals_told = 0;
    for (unsigned i = 1; i <= 2; i++) {
        CHECK(th_allocator_alloc(th_quota_allocator(&quota), 10) == NULL);
        CHECK_EQ(refusals_told, i);
        CHECK_EQ(th_quota_get_stats(&quota).refusals, 2 * i);
    }
    stop();
    backing_stop(&own);
}

static void ask(int level) {
    th_allocator a = start_with(
        level, (th_quota_config){
                   .bytes_max = 100, .blocks_max = 4, .low_memory = give_up, .on_event = hear});
    for (given_up_count = 0; given_up_count < 3; given_up_count++) {
        given_up[given_up_count] = th_allocator_alloc(a, 30);
    }
    calls_back_in = true;
    void *x = th_allocator_alloc(a, 60); /* two of them have to go */
    CHECK(x != NULL);
    CHECK_EQ(asked, 2);
    CHECK_EQ(asked_for, 60);
    CHECK_EQ(given_up_count, 1);
    CHECK_EQ(events[TH_QUOTA_REFUSED], 2); /* the calls from inside */
    x = th_allocator_realloc(a, x, 60, 90, 16, NULL);
    CHECK(x != NULL);
    CHECK_EQ(given_up_count, 0);
    CHECK_EQ(asked_for, 30); /* so many more */
    answers_true = 3;
    CHECK(th_allocator_alloc(a, 11) == NULL); /* words are not enough */
    CHECK_EQ(asked, 7);
    CHECK_EQ(th_quota_get_stats(&quota).low_memory_calls, 7);
    th_allocator_free(a, x);
    /* The backing has nothing. */
    own.left = 0;
    asked = 0;
    answers_true = 2;
    CHECK(th_allocator_alloc(a, 5) == NULL);
    CHECK_EQ(asked, 3);
    CHECK_EQ(own.refusals, 3);
    CHECK_EQ(th_quota_get_stats(&quota).failed_allocs, 1);
    own.left = 1;
    given_up[0] = th_allocator_alloc(a, 5);
    given_up_count = 1;
    answers_true = 1;
    x = NULL;
    CHECK(th_allocator_alloc(a, 5) == NULL);
    own.left = 1;
    x = th_allocator_alloc(a, 5);
    answers_true = 1;
    CHECK(th_allocator_realloc(a, x, 5, 50, 16, NULL) == NULL);
    th_allocator_free(a, x);
    stop();
    backing_stop(&own);
}

static void memory_is_given_up_before_a_request_fails(void) {
    at_levels(0, ask);
}

/* ---- misuse ------------------------------------------------------------------------------- */

static void damage(int level) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[4096];
    th_bump bump; /* frees nothing, so that the heads stay readable */
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    th_allocator a = start_with(
        level,
        (th_quota_config){.backing = th_bump_allocator(&bump), .bytes_max = 1000, .blocks_max = 9});
    unsigned char *x = th_allocator_alloc(a, 50);
    unsigned char *y = th_allocator_alloc_aligned(a, 50, 128);
    for (size_t i = 1; i <= 2 * sizeof(size_t); i++) { /* each byte of the head */
        unsigned char was = poke(y - i, (unsigned char)(y[-(ptrdiff_t)i] ^ 0x80));
        th_allocator_free(a, y);
        CHECK_EQ(faults.first.kind, TH_FAULT_HEADER);
        CHECK(!th_allocator_resize_in_place(a, y, 10));
        CHECK(th_allocator_realloc(a, y, 50, 60, 128, NULL) == NULL);
        CHECK_EQ(faults.count, 3 + 1); /* realloc has asked for resize in place first */
        faults.count = 0;
        (void)poke(y - i, was);
    }
    CHECK_EQ(th_quota_get_stats(&quota).blocks, 2);
    th_allocator_free(a, x);
    th_allocator_free(a, x);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(faults.first.kind, TH_FAULT_DOUBLE_FREE);
    faults.count = 0;
    th_allocator_free(a, y);
    stop();
    th_bump_clean_up(&bump);
}

static void heads_are_verified(void) {
    at_levels(1, damage);
}

static void counts_are_proved(void) {
    th_fault fault;
    th_allocator a = start_with(0, (th_quota_config){.bytes_max = 1000, .blocks_max = 9});
    void *x = th_allocator_alloc(a, 2);
    void *y = th_allocator_alloc(a, 2);
    quota.used_bytes = 1;
    CHECK_EQ(th_quota_check(&quota, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    quota.used_bytes = 5;
    CHECK_EQ(th_quota_check(&quota, NULL), TH_ERR_CORRUPT);
    quota.used_bytes = 4;
    quota.blocks_peak = 1;
    CHECK_EQ(th_quota_check(&quota, NULL), TH_ERR_CORRUPT);
    quota.blocks_peak = 2;
    quota.allocs = 1;
    CHECK_EQ(th_quota_check(&quota, NULL), TH_ERR_CORRUPT);
    quota.allocs = 2;
    th_allocator_free(a, x);
    th_allocator_free(a, y);
    stop();
}

static void bad_configs_are_refused(void) {
    static const th_allocator_table nothing;
    memset(&quota, 7, sizeof quota);
    const th_quota same = quota;
    th_quota_config config = {.backing = backing_start(&own)};
    CHECK_EQ(th_quota_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_quota_init(&quota, NULL), TH_ERR_NULL);
    config.guarding.level = 4;
    CHECK_EQ(th_quota_init(&quota, &config), TH_ERR_CONFIG);
    config = (th_quota_config){.backing = {&nothing, NULL}};
    CHECK_EQ(th_quota_init(&quota, &config), TH_ERR_CONFIG);
    config = (th_quota_config){.bytes_max = 1};
    CHECK_EQ(th_quota_init(&quota, &config), TH_ERR_CONFIG);
    CHECK(memcmp(&quota, &same, sizeof quota) == 0);
}

TH_SUITE("quota", TEST(limits_hold_to_the_byte), TEST(a_quota_of_zero_gives_nothing),
         TEST(what_moves_stays_within_the_limits), TEST(everything_else_is_the_backings),
         TEST(usable_size_is_without_the_gap), TEST(thresholds_are_told),
         TEST(only_what_becomes_shorter_is_resized_while_asked),
         TEST(what_is_being_resized_is_held), TEST(a_refusal_is_told_once),
         TEST(memory_is_given_up_before_a_request_fails), TEST(heads_are_verified),
         TEST(counts_are_proved), TEST(bad_configs_are_refused))
