/* SPDX-License-Identifier: MIT */
/* Resource pools: sizes, limits, waiting, what no longer works, descriptors and connections. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "tagheap/resource_pool.h"

static th_resource_pool pool;
static backing own;
static fault_log faults;

/* The resources are numbers from 100 on. */
static uintptr_t next_number;
static unsigned live;
static unsigned failing; /* so many creations fail, after `before_failing` */
static unsigned before_failing;
static uintptr_t broken; /* this one does not work */
static uintptr_t ended;  /* last */
static int locked;
static th_lease *waited_for; /* given back while waiting */
static unsigned waits;

static th_status make(void *context, uintptr_t *resource) {
    CHECK(context == &own && locked == 0);
    if (before_failing > 0) {
        before_failing--;
    } else if (failing > 0) {
        failing--;
        return TH_ERR_UNSUPPORTED;
    }
    *resource = next_number++;
    live++;
    return TH_OK;
}

static void end(void *context, uintptr_t resource) {
    CHECK(context == &own && locked == 0);
    CHECK(resource >= 100 && resource < next_number);
    live--;
    ended = resource;
}

static bool works(void *context, uintptr_t resource) {
    CHECK(context == &own && locked == 0);
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK); /* with a slot between the lists */
    return resource != broken;
}

static bool wait_for(void *context) {
    CHECK(context == &own && locked == 0);
    waits++;
    if (waited_for == NULL) {
        return false;
    }
    CHECK_EQ(th_resource_pool_give_back(&pool, *waited_for), TH_OK);
    waited_for = NULL;
    return true;
}

static void take_lock(void *context) {
    CHECK(context == &own);
    CHECK_EQ(locked++, 0);
}

static void leave_lock(void *context) {
    CHECK(context == &own);
    CHECK_EQ(--locked, 0);
}

static th_resource_pool_config config_for(int level) {
    next_number = 100;
    live = failing = before_failing = waits = 0;
    broken = ended = 0;
    waited_for = NULL;
    return (th_resource_pool_config){
        .create = make,
        .destroy = end,
        .validate = works,
        .wait = wait_for,
        .lock = {.acquire = take_lock, .release = leave_lock, .context = &own},
        .context = &own,
        .backing = backing_start(&own),
        .resources_max = 3,
        .guarding = guarding_with(&faults, level)};
}

static void start(int level) {
    const th_resource_pool_config config = config_for(level);
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
}

static void stop(void) {
    static const th_resource_pool zeroed;
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK);
    th_resource_pool_clean_up(&pool);
    CHECK(memcmp(&pool, &zeroed, sizeof pool) == 0);
    CHECK_EQ(live, 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

static th_lease take(uintptr_t due) {
    th_lease lease;
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK);
    CHECK_EQ(lease.resource, due);
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK);
    return lease;
}

static void give_back(th_lease lease) {
    CHECK_EQ(th_resource_pool_give_back(&pool, lease), TH_OK);
}

static void expect(uint64_t out, uint64_t idle) {
    th_resource_pool_stats stats = th_resource_pool_get_stats(&pool);
    CHECK(stats.out == out && stats.idle == idle);
    CHECK_EQ(stats.created - stats.destroyed, out + idle);
    CHECK_EQ(live, out + idle);
}

static void grow_and_shrink(int level) {
    start(level);
    expect(0, 0);
    th_lease a = take(100), b = take(101);
    expect(2, 0);
    give_back(a);
    expect(1, 1);
    a = take(100); /* used again */
    th_lease c = take(102);
    th_lease none = {.generation = 7};
    CHECK_EQ(th_resource_pool_take(&pool, &none), TH_ERR_EXHAUSTED);
    CHECK(none.generation == 0 && none.resource == 0);
    CHECK_EQ(waits, 1);
    give_back(a);
    give_back(c);
    give_back(b);
    expect(0, 3);
    CHECK_EQ(th_resource_pool_trim(&pool, 5), 0);
    CHECK_EQ(th_resource_pool_trim(&pool, 1), 2);
    CHECK_EQ(ended, 102); /* after the one unused for longest */
    expect(0, 1);
    (void)take(101);
    (void)take(103);
    CHECK_EQ(th_resource_pool_get_stats(&pool).peak, 3);
    CHECK_EQ(th_resource_pool_get_stats(&pool).refusals, 1);
    stop(); /* with two out */
}

static void a_pool_grows_and_shrinks(void) {
    at_levels(0, grow_and_shrink);
}

/* Asking whether they work makes none of them younger. */
static void ask_all(int level) {
    start(level);
    th_lease a = take(100), b = take(101), c = take(102);
    give_back(a);
    give_back(b);
    give_back(c);
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    CHECK_EQ(th_resource_pool_trim(&pool, 2), 1);
    CHECK_EQ(ended, 100);
    b = take(102);
    give_back(b);
    stop();
}

static void the_order_of_use_survives_validation(void) {
    at_levels(0, ask_all);
}

static void size(int level) {
    th_resource_pool_config config = config_for(level);
    config.resources_first = 2;
    config.idle_max = 2;
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
    expect(0, 2);
    CHECK_EQ(th_resource_pool_reserve(&pool, 1), TH_OK);
    th_lease a = take(101), b = take(100), c = take(102);
    CHECK_EQ(th_resource_pool_reserve(&pool, 1), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_resource_pool_reserve(&pool, 0), TH_OK);
    give_back(a);
    give_back(b);
    give_back(c); /* too many are idle */
    CHECK_EQ(ended, 102);
    expect(0, 2);
    CHECK_EQ(th_resource_pool_reserve(&pool, 3), TH_OK);
    expect(0, 3);
    stop();
    config = config_for(level);
    config.resources_first = 3;
    before_failing = 2;
    failing = 1;
    memset(&pool, 7, sizeof pool);
    const th_resource_pool same = pool;
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_ERR_UNSUPPORTED);
    CHECK_EQ(live, 0); /* the two that were made are ended */
    CHECK(memcmp(&pool, &same, sizeof pool) == 0);
    backing_stop(&own);
}

static void sizes_are_kept(void) {
    at_levels(0, size);
}

static void fail(int level) {
    start(level);
    th_lease lease;
    failing = 1;
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_ERR_UNSUPPORTED);
    CHECK_EQ(lease.generation, 0);
    expect(0, 0);
    failing = 1;
    CHECK_EQ(th_resource_pool_reserve(&pool, 1), TH_ERR_UNSUPPORTED);
    th_lease a = take(100), b = take(101), c = take(102); /* no slot is lost */
    waited_for = &b;
    th_lease d = take(101);
    CHECK_EQ(waits, 1);
    CHECK_EQ(th_resource_pool_get_stats(&pool).waits, 1);
    give_back(a);
    give_back(c);
    give_back(d);
    stop();
}

static void failures_lose_nothing_and_waiting_helps(void) {
    at_levels(0, fail);
}

static void stop_working(int level) {
    start(level);
    th_lease a = take(100), b = take(101), c = take(102);
    give_back(a);
    give_back(b);
    broken = 101;
    a = take(100); /* 101 was tried first, and is gone */
    CHECK_EQ(ended, 101);
    CHECK_EQ(th_resource_pool_get_stats(&pool).invalid, 1);
    CHECK_EQ(th_resource_pool_discard(&pool, c), TH_OK);
    CHECK_EQ(ended, 102);
    CHECK_EQ(th_resource_pool_get_stats(&pool).invalid, 2);
    expect(1, 0);
    b = take(103);
    c = take(104);
    give_back(a);
    give_back(b);
    give_back(c);
    broken = 103;
    CHECK_EQ(th_resource_pool_validate(&pool), 1);
    CHECK_EQ(ended, 103);
    expect(0, 2);
    CHECK_EQ(th_resource_pool_validate(&pool), 0);
    stop();
}

static void what_does_not_work_is_ended(void) {
    at_levels(0, stop_working);
}

static void misuse(int level) {
    start(level);
    th_lease a = take(100);
    give_back(a);
    CHECK_EQ(th_resource_pool_give_back(&pool, a), TH_ERR_CORRUPT);
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, TH_FAULT_NOWHERE, 0, 1);
    }
    th_lease again = take(100);
    CHECK_EQ(th_resource_pool_discard(&pool, a), TH_ERR_CORRUPT); /* of the lease before */
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, TH_FAULT_NOWHERE, 0, 1);
    }
    th_lease bad[] = {{100, 3, 1}, {100, SIZE_MAX, 1}, {100, 0, 0}, {100, 0, 3}, {100, 1, 1}};
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(th_resource_pool_give_back(&pool, bad[i]), TH_ERR_CORRUPT);
        if (level > 0) {
            EXPECT_LOGGED(&faults, level, TH_FAULT_NOT_A_BLOCK, bad[i].slot, 0, TH_FAULT_NOWHERE, 0,
                          (uint32_t)bad[i].generation);
        }
    }
    expect(1, 0);
    give_back(again);
    CHECK_EQ(th_resource_pool_take(&pool, NULL), TH_ERR_NULL);
    stop();
}

static void misuse_is_named(void) {
    at_levels(0, misuse);
}

static void bad_configs_are_refused(void) {
    static const th_allocator_table nothing;
    const th_resource_pool_config good = config_for(0);
    memset(&pool, 7, sizeof pool);
    const th_resource_pool same = pool;
    CHECK_EQ(th_resource_pool_init(NULL, &good), TH_ERR_NULL);
    CHECK_EQ(th_resource_pool_init(&pool, NULL), TH_ERR_NULL);
#define REFUSED(status, field, value)                                                              \
    do {                                                                                           \
        th_resource_pool_config bad = good;                                                        \
        bad.field = value;                                                                         \
        CHECK_EQ(th_resource_pool_init(&pool, &bad), status);                                      \
    } while (false)
    REFUSED(TH_ERR_NULL, create, NULL);
    REFUSED(TH_ERR_NULL, destroy, NULL);
    REFUSED(TH_ERR_TOO_SMALL, resources_max, 0);
    REFUSED(TH_ERR_TOO_LARGE, resources_first, 4);
    REFUSED(TH_ERR_CONFIG, lock.acquire, NULL);
    REFUSED(TH_ERR_CONFIG, lock.release, NULL);
    REFUSED(TH_ERR_CONFIG, wait_ns, 1);
    REFUSED(TH_ERR_CONFIG, backing.table, NULL);
    REFUSED(TH_ERR_CONFIG, backing.table, &nothing);
    REFUSED(TH_ERR_CONFIG, guarding.level, 4);
    REFUSED(TH_ERR_EXHAUSTED, resources_max, SIZE_MAX);
    own.left = 0;
    CHECK_EQ(th_resource_pool_init(&pool, &good), TH_ERR_EXHAUSTED);
    CHECK(memcmp(&pool, &same, sizeof pool) == 0);
}

static void expect_corrupt(th_fault_kind kind) {
    th_fault fault;
    CHECK_EQ(th_resource_pool_check(&pool, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, kind);
}

static void damage_is_found(void) {
    start(0);
    th_lease a = take(100), b = take(101);
    give_back(a);
    size_t idle = pool.idle, empty = pool.empty;
    pool.idle = b.slot; /* which is out */
    expect_corrupt(TH_FAULT_CHAIN);
    pool.idle = 3;
    expect_corrupt(TH_FAULT_CHAIN);
    pool.idle = idle;
    pool.empty = idle;
    expect_corrupt(TH_FAULT_CHAIN);
    pool.empty = SIZE_MAX;
    expect_corrupt(TH_FAULT_COUNT); /* a slot is lost */
    pool.empty = empty;
    pool.idle_count = 2;
    expect_corrupt(TH_FAULT_COUNT);
    pool.idle_count = 1;
    pool.out_count = 2;
    expect_corrupt(TH_FAULT_COUNT);
    pool.out_count = 1;
    give_back(b);
    /* The list goes round: the first slot names itself as the next one. */
    typedef struct slot {
        uintptr_t resource;
        uint64_t generation;
        size_t next;
        unsigned state;
        size_t previous;
        uint64_t turn;
    } slot;
    slot *slots = (void *)pool.slots;
    CHECK(slots[a.slot].resource == a.resource && slots[a.slot].generation == a.generation);
    size_t was = slots[a.slot].next;
    slots[a.slot].next = a.slot;
    expect_corrupt(TH_FAULT_CHAIN);
    slots[a.slot].next = was;
    size_t previous = slots[a.slot].previous, last = pool.idle_last;
    slots[a.slot].previous = SIZE_MAX;
    expect_corrupt(TH_FAULT_CHAIN);
    slots[a.slot].previous = previous;
    pool.idle_last = b.slot;
    expect_corrupt(TH_FAULT_CHAIN);
    pool.idle_last = last;
    pool.asked_count = 1; /* of none that are on their way */
    expect_corrupt(TH_FAULT_COUNT);
    pool.asked_count = 0;
    slots[pool.empty].next = pool.empty; /* goes round, too */
    expect_corrupt(TH_FAULT_CHAIN);
    slots[pool.empty].next = SIZE_MAX;
    stop();
}

static void a_plain_pool_needs_neither_locks_nor_checks(void) {
    th_resource_pool_config config = config_for(0);
    config.lock = (th_lock){0};
    config.validate = NULL;
    config.wait = NULL;
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
    th_lease leases[3] = {take(100), take(101), take(102)};
    th_lease none;
    CHECK_EQ(th_resource_pool_take(&pool, &none), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_resource_pool_get_stats(&pool).waits, 0);
    give_back(leases[0]);
    (void)take(100);
    stop();
}

/* ---- real ones ---------------------------------------------------------------------------- */

static th_status open_file(void *context, uintptr_t *resource) {
    int file = open(context, O_RDONLY);
    *resource = (uintptr_t)(intptr_t)file;
    return file >= 0 ? TH_OK : TH_ERR_EXHAUSTED;
}

static void close_file(void *context, uintptr_t resource) {
    (void)context;
    CHECK_EQ(close((int)resource), 0);
}

static bool is_open(void *context, uintptr_t resource) {
    (void)context;
    return fcntl((int)resource, F_GETFD) >= 0;
}

static void descriptors_are_pooled(void) {
    static char path[] = "/dev/zero";
    const th_resource_pool_config config = {.create = open_file,
                                            .destroy = close_file,
                                            .validate = is_open,
                                            .context = path,
                                            .backing = th_system_allocator(),
                                            .resources_max = 8};
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
    th_lease leases[8];
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 8; i++) {
            char byte = 1;
            CHECK_EQ(th_resource_pool_take(&pool, &leases[i]), TH_OK);
            CHECK_EQ(read((int)leases[i].resource, &byte, 1), 1);
            CHECK_EQ(byte, 0);
        }
        th_lease none;
        CHECK_EQ(th_resource_pool_take(&pool, &none), TH_ERR_EXHAUSTED);
        for (size_t i = 0; i < 8; i++) {
            CHECK_EQ(th_resource_pool_give_back(&pool, leases[i]), TH_OK);
        }
    }
    CHECK_EQ(th_resource_pool_get_stats(&pool).created, 8);
    th_resource_pool_clean_up(&pool);
    for (size_t i = 0; i < 8; i++) {
        CHECK(!is_open(NULL, leases[i].resource));
    }
}

/* A connection is the near end of a socket pair; the far end is here. */
static int far_end;

static th_status connect_pair(void *context, uintptr_t *resource) {
    int ends[2];
    (void)context;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    far_end = ends[1];
    *resource = (uintptr_t)(intptr_t)ends[0];
    return TH_OK;
}

/* Has the other side hung up? */
static bool is_connected(void *context, uintptr_t resource) {
    char byte;
    (void)context;
    ssize_t came = recv((int)resource, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return came > 0 || (came < 0 && errno == EAGAIN);
}

static void dead_connections_are_replaced(void) {
    const th_resource_pool_config config = {.create = connect_pair,
                                            .destroy = close_file,
                                            .validate = is_connected,
                                            .backing = th_system_allocator(),
                                            .resources_max = 2};
    th_lease lease;
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK);
    uint64_t first = lease.generation;
    CHECK_EQ(write((int)lease.resource, "x", 1), 1);
    CHECK_EQ(th_resource_pool_give_back(&pool, lease), TH_OK);
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK); /* it lives */
    CHECK_EQ(th_resource_pool_get_stats(&pool).created, 1);
    CHECK_EQ(th_resource_pool_give_back(&pool, lease), TH_OK);
    (void)close(far_end);
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK);
    CHECK(lease.generation > first);
    CHECK_EQ(th_resource_pool_get_stats(&pool).created, 2);
    CHECK_EQ(th_resource_pool_get_stats(&pool).invalid, 1);
    th_resource_pool_clean_up(&pool);
    (void)close(far_end);
}

TH_SUITE("resource_pool", TEST(a_pool_grows_and_shrinks),
         TEST(the_order_of_use_survives_validation), TEST(sizes_are_kept),
         TEST(failures_lose_nothing_and_waiting_helps), TEST(what_does_not_work_is_ended),
         TEST(misuse_is_named), TEST(bad_configs_are_refused), TEST(damage_is_found),
         TEST(a_plain_pool_needs_neither_locks_nor_checks), TEST(descriptors_are_pooled),
         TEST(dead_connections_are_replaced))
