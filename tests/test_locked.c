/* SPDX-License-Identifier: MIT */
/* Locked allocators as one thread sees them: that each call has the lock, what is refused from
 * inside, and tries. Threads: test_threads.c. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/bump.h"
#include "tagheap/locked.h"
#include "tagheap/quota.h"

static th_locked locked;
static backing own;
static fault_log faults;
static int depth;       /* of the lock */
static unsigned taken;  /* so often */
static bool is_another; /* another thread has the lock */
static uint64_t waited;

static void take(void *context) {
    CHECK(context == &depth);
    depth++;
    taken++;
}

static void let_go(void *context) {
    CHECK(context == &depth);
    CHECK(depth-- > 0);
}

static bool try_take(void *context, uint64_t timeout_ns) {
    waited = timeout_ns;
    if (!is_another) {
        take(context);
    }
    return !is_another;
}

static th_lock own_lock(void) {
    depth = 0;
    taken = 0;
    is_another = false;
    return (th_lock){
        .acquire = take, .release = let_go, .try_acquire = try_take, .context = &depth};
}

static th_allocator start(th_allocator inner) {
    const th_locked_config config = {
        .backing = inner, .lock = own_lock(), .guarding = guarding_with(&faults, 0)};
    CHECK_EQ(th_locked_init(&locked, &config), TH_OK);
    return th_locked_allocator(&locked);
}

static void stop(void) {
    static const th_locked zeroed;
    CHECK_EQ(depth, 0);
    CHECK_EQ(faults.count, 0);
    th_locked_clean_up(&locked);
    CHECK(memcmp((const void *)&locked, (const void *)&zeroed, sizeof locked) == 0);
}

#define REFUSED(status, field, value)                                                              \
    do {                                                                                           \
        th_locked_config other_ = config;                                                          \
        other_.field = value;                                                                      \
        CHECK_EQ(th_locked_init(&locked, &other_), status);                                        \
        CHECK(locked.calls == 77);                                                                 \
    } while (0)

static void starting_refuses_what_it_cannot_work_with(void) {
    const th_locked_config config = {.backing = backing_start(&own), .lock = own_lock()};
    const th_allocator_table nothing = {0};
    const th_allocator_table no_free = {.alloc = config.backing.table->alloc};
    locked.calls = 77;
    CHECK_EQ(th_locked_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_locked_init(&locked, NULL), TH_ERR_NULL);
    REFUSED(TH_ERR_CONFIG, backing.table, NULL);
    REFUSED(TH_ERR_CONFIG, backing.table, &nothing);
    REFUSED(TH_ERR_CONFIG, backing.table, &no_free);
    REFUSED(TH_ERR_CONFIG, lock, (th_lock){0});
    REFUSED(TH_ERR_CONFIG, lock.acquire, NULL);
    REFUSED(TH_ERR_CONFIG, lock.release, NULL);
    REFUSED(TH_ERR_CONFIG, lock.wake, take);
    REFUSED(TH_ERR_CONFIG, guarding.level, 4);
    REFUSED(TH_ERR_CONFIG, guarding.level, -1);
    locked.calls = 0;
    backing_stop(&own);
}

/* ---- each call has the lock ------------------------------------------------------------------ */

/* A backing that looks whether the lock is held, over a bump heap, which has all calls. */
TH_ALLOCATOR_ALIGNAS static unsigned char memory[4096];
static th_bump bump;
static unsigned inner_calls;

static th_allocator look(void) {
    CHECK_EQ(depth, 1);
    inner_calls++;
    return th_bump_allocator(&bump);
}

static void *watched_alloc(void *self, size_t bytes, size_t alignment) {
    (void)self;
    return th_allocator_alloc_aligned(look(), bytes, alignment);
}

static void watched_free(void *self, void *block) {
    (void)self;
    th_allocator_free(look(), block);
}

static bool watched_resize(void *self, void *block, size_t bytes) {
    (void)self;
    return th_allocator_resize_in_place(look(), block, bytes);
}

static th_status watched_reset(void *self) {
    (void)self;
    return th_allocator_reset(look());
}

static bool watched_owns(const void *self, const void *block) {
    (void)self;
    return th_allocator_owns(look(), block);
}

static size_t watched_usable(const void *self, const void *block) {
    (void)self;
    (void)block;
    (void)look();
    return 123;
}

static th_status watched_check(const void *self, th_fault *fault) {
    (void)self;
    (void)look();
    if (fault != NULL) {
        fault->kind = TH_FAULT_COUNT;
    }
    return TH_ERR_CORRUPT;
}

static const th_allocator_table watched_table = {.alloc = watched_alloc,
                                                 .free = watched_free,
                                                 .resize_in_place = watched_resize,
                                                 .reset = watched_reset,
                                                 .owns = watched_owns,
                                                 .usable_size = watched_usable,
                                                 .check = watched_check};

static th_allocator watched(void) {
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    inner_calls = 0;
    return (th_allocator){.table = &watched_table, .self = &bump};
}

static void each_call_has_the_lock(void) {
    th_fault fault;
    th_allocator a = start(watched());
    void *block = NULL;
    unsigned char *x = th_allocator_alloc_aligned(a, 100, 64);
    CHECK(x != NULL && (uintptr_t)x % 64 == 0);
    CHECK(th_allocator_resize_in_place(a, x, 110));
    CHECK(!th_allocator_resize_in_place(a, x, sizeof memory + 1));
    CHECK(th_allocator_owns(a, x) && !th_allocator_owns(a, &bump));
    CHECK_EQ(th_allocator_usable_size(a, x), 123);
    CHECK_EQ(th_allocator_check(a, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    CHECK_EQ(th_locked_check(&locked, NULL), TH_ERR_CORRUPT);
    CHECK_EQ(inner_calls, 8);
    memset(x, 7, 110);
    void *y = th_allocator_alloc(a, 10);
    x = th_allocator_realloc(a, x, 110, 500, 64, NULL); /* it has to move */
    CHECK(x != NULL && (uintptr_t)x % 64 == 0 && x[0] == 7 && x[109] == 7);
    CHECK_EQ(th_locked_try_alloc(&locked, 10, 32, 5, &block), TH_OK);
    CHECK(block != NULL && (uintptr_t)block % 32 == 0);
    CHECK_EQ(waited, 5);
    inner_calls = 0;
    CHECK_EQ(th_locked_try_free(&locked, block, 6), TH_OK);
    CHECK_EQ(inner_calls, 1);
    CHECK_EQ(waited, 6);
    CHECK_EQ(th_locked_try_free(&locked, NULL, 0), TH_OK);
    th_allocator_free(a, y);
    CHECK_EQ(inner_calls, 2);
    CHECK_EQ(th_allocator_reset(a), TH_OK);
    CHECK_EQ(th_locked_reset(&locked), TH_OK);
    CHECK_EQ(inner_calls, 4);
    CHECK_EQ(taken, th_locked_get_stats(&locked).calls);
    CHECK_EQ(th_locked_get_stats(&locked).reentries, 0);
    stop();
    th_bump_clean_up(&bump);
}

static void what_the_backing_cannot_do_is_said(void) {
    th_allocator a = start(backing_start(&own));
    void *x = th_allocator_alloc(a, 10);
    void *block = x;
    CHECK_EQ(th_allocator_reset(a), TH_ERR_UNSUPPORTED);
    own.left = 0;
    CHECK(th_allocator_alloc(a, 10) == NULL);
    CHECK_EQ(th_locked_try_alloc(&locked, 10, 16, 0, &block), TH_ERR_EXHAUSTED);
    CHECK(block == NULL);
    block = x;
    CHECK_EQ(th_locked_try_alloc(&locked, 10, 3, 0, &block), TH_ERR_ALIGNMENT);
    CHECK(block == NULL);
    CHECK_EQ(th_locked_try_alloc(&locked, 10, 16, 0, NULL), TH_ERR_NULL);
    CHECK_EQ(th_allocator_check(a, NULL), TH_OK);
    th_allocator_free(a, x);
    stop();
    backing_stop(&own);
}

static void a_try_that_is_late_changes_nothing(void) {
    th_allocator a = start(backing_start(&own));
    void *x = th_allocator_alloc(a, 10);
    void *block = x;
    is_another = true;
    CHECK_EQ(th_locked_try_alloc(&locked, 10, 16, 500, &block), TH_ERR_BUSY);
    CHECK(block == NULL);
    CHECK_EQ(waited, 500);
    CHECK_EQ(th_locked_try_free(&locked, x, TH_LOCK_FOREVER), TH_ERR_BUSY);
    CHECK(waited == TH_LOCK_FOREVER);
    CHECK_EQ(own.live, 1);
    is_another = false;
    CHECK_EQ(th_locked_get_stats(&locked).calls, 1);
    CHECK_EQ(th_locked_try_free(&locked, x, 0), TH_OK);
    CHECK_EQ(own.live, 0);
    stop();
    backing_stop(&own);
}

/* ---- from inside ----------------------------------------------------------------------------- */

static th_quota quota;
static void *kept; /* given up when the quota asks */
static void *other;

#define EXPECT_REENTRY(calls)                                                                      \
    do {                                                                                           \
        CHECK_EQ(faults.count, calls);                                                             \
        CHECK_EQ(faults.last.kind, TH_FAULT_REENTRY);                                              \
        CHECK(faults.last.block == TH_FAULT_NOWHERE && faults.last.expected == 0 &&                \
              faults.last.found == 1);                                                             \
    } while (0)

/* The quota's low-memory function runs under the lock: it may use the quota, and only that. */
static bool give_up(void *context, size_t bytes) {
    th_allocator a = th_locked_allocator(&locked);
    void *block = other;
    CHECK(context == &own && bytes == 60);
    CHECK_EQ(depth, 1);
    CHECK(th_allocator_alloc(a, 1) == NULL);
    EXPECT_REENTRY(1);
    th_allocator_free(a, kept);
    CHECK(!th_allocator_resize_in_place(a, kept, 1));
    CHECK(th_allocator_realloc(a, kept, 50, 20, 16, NULL) == NULL);
    CHECK(!th_allocator_owns(a, kept));
    CHECK_EQ(th_allocator_usable_size(a, kept), 0);
    CHECK_EQ(th_allocator_reset(a), TH_ERR_BUSY);
    CHECK_EQ(th_allocator_check(a, NULL), TH_ERR_BUSY);
    CHECK_EQ(th_locked_lock(&locked), TH_ERR_BUSY);
    EXPECT_REENTRY(10); /* realloc has asked for resize in place first */
    CHECK_EQ(th_locked_try_alloc(&locked, 1, 16, 0, &block), TH_ERR_BUSY);
    CHECK(block == NULL);
    CHECK_EQ(th_locked_try_free(&locked, kept, 0), TH_ERR_BUSY);
    CHECK_EQ(faults.count, 10); /* tries say it without a fault */
    CHECK_EQ(depth, 1);
    CHECK_EQ(th_locked_get_stats(&locked).reentries, 12);
    faults.count = 0;
    if (kept == NULL) {
        return false;
    }
    th_allocator_free(th_quota_allocator(&quota), kept);
    kept = NULL;
    return true;
}

static void calls_from_inside_are_refused(void) {
    const th_quota_config limits = {.backing = backing_start(&own),
                                    .bytes_max = 100,
                                    .blocks_max = 3,
                                    .low_memory = give_up,
                                    .context = &own};
    CHECK_EQ(th_quota_init(&quota, &limits), TH_OK);
    th_allocator a = start(th_quota_allocator(&quota));
    kept = th_allocator_alloc(a, 50);
    other = th_allocator_alloc(a, 30);
    void *x = th_allocator_alloc(a, 60);
    CHECK(x != NULL && kept == NULL);
    CHECK_EQ(th_quota_get_stats(&quota).blocks, 2);
    CHECK_EQ(th_locked_get_stats(&locked).calls, 3);
    th_allocator_free(a, x);
    th_allocator_free(a, other);
    stop();
    th_quota_clean_up(&quota);
    backing_stop(&own);
}

/* Between lock and unlock the thread that holds the lock may use both. */
static void who_holds_the_lock_may_call(void) {
    th_allocator a = start(backing_start(&own));
    CHECK_EQ(th_locked_lock(&locked), TH_OK);
    CHECK_EQ(depth, 1);
    void *x = th_allocator_alloc(a, 10);
    CHECK(x != NULL);
    CHECK_EQ(depth, 1);
    CHECK_EQ(th_locked_lock(&locked), TH_OK);
    th_locked_unlock(&locked);
    th_allocator_free(a, x);
    th_locked_unlock(&locked);
    CHECK_EQ(depth, 0);
    CHECK_EQ(th_locked_get_stats(&locked).calls, 2);
    stop();
    backing_stop(&own);
}

TH_SUITE("locked", TEST(starting_refuses_what_it_cannot_work_with), TEST(each_call_has_the_lock),
         TEST(what_the_backing_cannot_do_is_said), TEST(a_try_that_is_late_changes_nothing),
         TEST(calls_from_inside_are_refused), TEST(who_holds_the_lock_may_call))
