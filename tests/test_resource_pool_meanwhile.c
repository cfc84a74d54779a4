/* SPDX-License-Identifier: MIT */
/* Resource pools while a function of the config is at work: what other threads can do then, played
 * by calls from inside that function, which the pool cannot tell from theirs; and what is left of
 * it where that thread is no more. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/resource_pool.h"

enum { SLOTS = 3, FIRST = 100 };

static th_resource_pool pool;
static backing own;
static fault_log faults;
static int locked;
static unsigned made, asked, ended, wakes;
static uintptr_t asked_last, ended_last, broken;
static void (*meanwhile)(void); /* once, in the next function of the config */
static unsigned after;          /* so many others */
static bool has_come;           /* meanwhile is over */
static bool cannot_make;

/* ---- the config ------------------------------------------------------------------------------ */

static void let_others_in(void) {
    void (*now)(void) = meanwhile;
    CHECK_EQ(locked, 0);
    if (now == NULL || after-- > 0) {
        return;
    }
    meanwhile = NULL;
    now();
    has_come = true;
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK);
}

static th_status make(void *context, uintptr_t *resource) {
    (void)context;
    let_others_in();
    if (cannot_make) {
        return TH_ERR_EXHAUSTED;
    }
    *resource = FIRST + made++;
    return TH_OK;
}

static void end(void *context, uintptr_t resource) {
    (void)context;
    let_others_in();
    ended++;
    ended_last = resource;
}

static bool works(void *context, uintptr_t resource) {
    (void)context;
    asked++;
    asked_last = resource;
    let_others_in();
    return resource != broken;
}

static void take_lock(void *context) {
    (void)context;
    CHECK_EQ(locked++, 0);
}

static void leave_lock(void *context) {
    (void)context;
    CHECK_EQ(--locked, 0);
}

static bool wait_in_vain(void *context, uint64_t *left_ns) {
    (void)context;
    *left_ns = 0;
    return false;
}

static void wake(void *context) {
    (void)context;
    CHECK_EQ(locked, 1);
    wakes++;
}

static th_fault_handler remember;

static void remember_without_lock(void *context, const th_fault *fault) {
    CHECK_EQ(locked, 0);
    CHECK_EQ(th_resource_pool_get_stats(&pool).idle, 1); /* takes the lock itself */
    remember(context, fault);
}

static th_resource_pool_config config_for(int level) {
    made = asked = ended = wakes = after = 0;
    asked_last = ended_last = broken = 0;
    meanwhile = NULL;
    has_come = false;
    locked = 0;
    return (th_resource_pool_config){
        .create = make,
        .destroy = end,
        .validate = works,
        .lock = {.acquire = take_lock, .release = leave_lock, .wait = wait_in_vain, .wake = wake},
        .backing = backing_start(&own),
        .resources_max = SLOTS,
        .guarding = guarding_with(&faults, level)};
}

static void stop(void) {
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK);
    CHECK_EQ(faults.count, 0);
    th_resource_pool_clean_up(&pool);
    backing_stop(&own);
}

static th_lease take(void) {
    th_lease lease;
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK);
    return lease;
}

/* So many resources, of which so many are idle, the lowest number for longest; the rest is lent to
 * leases[0] and so on. */
static th_lease leases[SLOTS];

static void start_with(size_t count, size_t idle, size_t idle_max) {
    th_resource_pool_config config = config_for(1);
    config.idle_max = idle_max;
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
    for (size_t i = 0; i < count; i++) {
        leases[i] = take();
    }
    for (size_t i = 0; i < idle; i++) {
        CHECK_EQ(th_resource_pool_give_back(&pool, leases[i]), TH_OK);
    }
    memmove(leases, leases + idle, (count - idle) * sizeof leases[0]);
    asked = ended = 0;
}

static void expect(uint64_t out, uint64_t idle) {
    th_resource_pool_stats stats = th_resource_pool_get_stats(&pool);
    CHECK(stats.out == out && stats.idle == idle);
}

/* ---- what others find ------------------------------------------------------------------------ */

static void take_two(void) {
    th_lease none;
    leases[0] = take();
    leases[1] = take();
    CHECK_EQ(th_resource_pool_take(&pool, &none), TH_ERR_EXHAUSTED); /* the third is not idle now */
    expect(2, 0);
}

static void a_long_question_keeps_one_from_others(void) {
    start_with(3, 3, 0);
    meanwhile = take_two;
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK(has_come);
    CHECK_EQ(asked_last, FIRST + 1); /* by the takes; the oldest one was asked first */
    expect(2, 1);
    stop();
}

static void a_long_end_keeps_one_from_others(void) {
    start_with(3, 3, 0);
    meanwhile = take_two;
    CHECK_EQ(th_resource_pool_trim(&pool, 0), 1);
    CHECK(has_come);
    CHECK_EQ(ended_last, FIRST);
    expect(2, 0);
    stop();
}

static void give_back_first(void) {
    CHECK_EQ(th_resource_pool_give_back(&pool, leases[0]), TH_OK);
}

/* What came back in between is not asked; what was taken neither. */
static void each_is_asked_once(void) {
    start_with(3, 2, 0);
    meanwhile = give_back_first;
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK(has_come && asked == 2 && asked_last == FIRST + 1);
    expect(0, 3);
    stop();
    start_with(3, 3, 0);
    meanwhile = take_two;
    after = 1;
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK(has_come && asked == 4); /* two times two, and none a third time */
    stop();
}

static void validate_again(void) {
    CHECK_EQ(th_resource_pool_validate(&pool), 1);
}

static void two_may_ask_at_once(void) {
    start_with(3, 3, 0);
    broken = FIRST + 2;
    meanwhile = validate_again;
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK(has_come && asked == 3 && ended == 1);
    expect(0, 2);
    stop();
}

/* ---- how many are kept ------------------------------------------------------------------- */

static void no_more_come_back_than_are_kept(void) {
    start_with(3, 2, 2);
    meanwhile = give_back_first; /* one is asked and one is idle */
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK(has_come && ended == 1 && ended_last == FIRST + 2);
    expect(0, 2);
    stop();
    start_with(3, 1, 2);
    meanwhile = give_back_first;
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK(has_come && ended == 0);
    expect(1, 2);
    CHECK_EQ(th_resource_pool_discard(&pool, leases[1]), TH_OK);
    stop();
    start_with(3, 2, 2);
    broken = FIRST;
    meanwhile = give_back_first;
    after = 1; /* when the first has been asked and is being ended */
    CHECK_EQ(th_resource_pool_validate(&pool), 1);
    CHECK(has_come && ended == 1 && ended_last == FIRST);
    expect(0, 2);
    stop();
}

static void reserve_two(void) {
    CHECK_EQ(th_resource_pool_reserve(&pool, 2), TH_OK);
}

static void what_is_asked_is_reserved(void) {
    start_with(2, 2, 2);
    meanwhile = reserve_two;
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK(has_come && made == 2);
    expect(0, 2);
    stop();
}

/* ---- the lock ---------------------------------------------------------------------------- */

static void nobody_is_woken_without_the_lock(void) {
    th_resource_pool_config config = config_for(1);
    config.resources_first = 1;
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
    CHECK_EQ(wakes, 1); /* by the one that was made */
    stop();
}

/* The place that was taken for it is free again. */
static void who_waits_is_woken_when_none_could_be_made(void) {
    th_lease lease;
    start_with(0, 0, 0);
    cannot_make = true;
    th_status status = th_resource_pool_take(&pool, &lease);
    cannot_make = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(wakes, 1);
    expect(0, 0);
    stop();
}

static void faults_are_raised_without_the_lock(void) {
    start_with(1, 1, 0);
    remember = pool.config.guarding.on_fault;
    pool.config.guarding.on_fault = remember_without_lock;
    CHECK_EQ(th_resource_pool_give_back(&pool, leases[0]), TH_ERR_CORRUPT);
    CHECK_EQ(th_resource_pool_discard(&pool, (th_lease){.slot = SLOTS}), TH_ERR_CORRUPT);
    CHECK_EQ(faults.count, th_guard_max() > 0 ? 2 : 0); /* below level 1 none are raised */
    faults.count = 0;
    stop();
}

/* ---- whose thread is no more ------------------------------------------------------------- */

static void (*child)(void);
static uint64_t given_up; /* by renew, of what was there */

/* The child after fork has a copy of all, in which nobody returns from the function of the config;
 * and is ended before this one goes on. */
static void fork_here(void) {
    const th_resource_pool parents = pool;
    unsigned ended_before = ended;
    size_t bytes = own.live_bytes;
    pool.config.backing = th_system_allocator();
    pool.slots = th_allocator_alloc(pool.config.backing, bytes);
    CHECK(pool.slots != NULL);
    memcpy(pool.slots, parents.slots, bytes);
    child();
    th_resource_pool_clean_up(&pool);
    pool = parents;
    ended = ended_before;
}

static void reserve_one(void) {
    CHECK_EQ(th_resource_pool_reserve(&pool, 1), TH_OK);
}

static void validate_all(void) {
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
}

static void trim_all(void) {
    CHECK_EQ(th_resource_pool_trim(&pool, 0), 2);
}

/* What is idle can be lent, and all places can be used. */
static void renew_and_take_all(void) {
    th_lease lease;
    uint64_t out = th_resource_pool_get_stats(&pool).out;
    uint64_t destroyed = th_resource_pool_get_stats(&pool).destroyed;
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK);
    CHECK_EQ(th_resource_pool_renew(&pool), TH_OK);
    CHECK_EQ(th_resource_pool_renew(&pool), TH_OK); /* nothing more to give up */
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK);
    CHECK_EQ(ended, 0);
    CHECK_EQ(th_resource_pool_get_stats(&pool).destroyed - destroyed, given_up);
    for (; out < SLOTS; out++) {
        CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK);
    }
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_resource_pool_get_stats(&pool).peak, SLOTS);
    th_resource_pool_clean_up(&pool);
    CHECK_EQ(ended, SLOTS);
}

/* Of two resources, so many of them idle. */
static void fork_in(void (*call)(void), size_t idle, uint64_t gone) {
    start_with(2, idle, 0);
    meanwhile = fork_here;
    child = renew_and_take_all;
    given_up = gone;
    call();
    CHECK(has_come);
    stop();
}

static void what_nobody_works_on_any_more_is_given_up(void) {
    fork_in(reserve_one, 0, 0);
    fork_in(validate_all, 2, 1);
    fork_in(trim_all, 2, 1);
}

static void renew_and_give_back(void) {
    CHECK_EQ(th_resource_pool_renew(&pool), TH_OK);
    CHECK_EQ(th_resource_pool_give_back(&pool, leases[0]), TH_OK);
    CHECK_EQ(ended, 0);
    expect(1, 1);
}

/* As many can be kept then as before. */
static void what_was_asked_is_not_waited_for(void) {
    start_with(3, 1, 1);
    meanwhile = fork_here;
    child = renew_and_give_back;
    validate_all();
    CHECK(has_come);
    stop();
}

static void only_end(void) {
    th_resource_pool_clean_up(&pool);
    CHECK_EQ(ended, 1);
    CHECK_EQ(ended_last, FIRST + 1);
}

/* Not even without renew is something ended that may not be there. */
static void a_pool_ends_what_is_surely_its_own(void) {
    start_with(2, 1, 0);
    meanwhile = fork_here;
    child = only_end;
    validate_all();
    CHECK(has_come);
    stop();
}

TH_SUITE("resource_pool_meanwhile", TEST(a_long_question_keeps_one_from_others),
         TEST(a_long_end_keeps_one_from_others), TEST(each_is_asked_once),
         TEST(two_may_ask_at_once), TEST(no_more_come_back_than_are_kept),
         TEST(what_is_asked_is_reserved), TEST(nobody_is_woken_without_the_lock),
         TEST(who_waits_is_woken_when_none_could_be_made), TEST(faults_are_raised_without_the_lock),
         TEST(what_nobody_works_on_any_more_is_given_up), TEST(what_was_asked_is_not_waited_for),
         TEST(a_pool_ends_what_is_surely_its_own))
