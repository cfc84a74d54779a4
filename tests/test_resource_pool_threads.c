/* SPDX-License-Identifier: MIT */
/* A resource pool that threads share: connections, each end of a pair of sockets, are never lent
 * twice, never more than there may be, given back by other threads than those that took them, and
 * waited for, with a limit of time and without a lost wake-up. */
#define _GNU_SOURCE

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"
#include "tagheap/mutex.h"
#include "tagheap/resource_pool.h"
#include "threads_fixture.h"

enum { THREADS = 4, CONNECTIONS = 2, REQUESTS = 150, DESCRIPTORS = 4096 };

#define LONG_NS UINT64_C(20000000000) /* who is not woken is late, and does not hang */

static th_mutex mutex;
static th_resource_pool pool;
/* Of the connection with that descriptor. A number that one thread has closed another one gets from
 * the system; that order tools do not see, so it is made by a lock as well. */
static int far_ends[DESCRIPTORS];
static pthread_mutex_t far_ends_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- connections ----------------------------------------------------------------------------- */

static th_status open_connection(void *context, uintptr_t *resource) {
    int ends[2];
    (void)context;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    THREAD_CHECK(ends[0] < DESCRIPTORS);
    (void)pthread_mutex_lock(&far_ends_lock);
    far_ends[ends[0]] = ends[1];
    (void)pthread_mutex_unlock(&far_ends_lock);
    *resource = (uintptr_t)ends[0];
    return TH_OK;
}

static void close_connection(void *context, uintptr_t resource) {
    (void)context;
    (void)pthread_mutex_lock(&far_ends_lock);
    int far_end = far_ends[resource];
    (void)pthread_mutex_unlock(&far_ends_lock);
    THREAD_CHECK(close(far_end) == 0);
    THREAD_CHECK(close((int)resource) == 0);
}

/* One that has unread bytes was left in the middle of something. */
static bool is_quiet(void *context, uintptr_t resource) {
    char byte;
    (void)context;
    return recv((int)resource, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static th_resource_pool_config usual(void) {
    return (th_resource_pool_config){.create = open_connection,
                                     .destroy = close_connection,
                                     .validate = is_quiet,
                                     .wait_ns = LONG_NS,
                                     .lock = th_mutex_lock(&mutex),
                                     .backing = th_system_allocator(),
                                     .resources_max = CONNECTIONS};
}

static void start(th_resource_pool_config config) {
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    config.lock = th_mutex_lock(&mutex);
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
}

static void stop(void) {
    CHECK_EQ(th_resource_pool_check(&pool, NULL), TH_OK);
    CHECK_EQ(th_resource_pool_get_stats(&pool).out, 0);
    th_resource_pool_clean_up(&pool);
    th_mutex_clean_up(&mutex);
}

/* ---- many threads ---------------------------------------------------------------------------- */

/* A question and its answer: whoever else used the connection would get the one of the other. */
static void converse(th_lease lease, unsigned number) {
    unsigned seen = 0;
    int near = (int)lease.resource;
    int far = far_ends[near];
    THREAD_CHECK(send(near, &number, sizeof number, 0) == sizeof number);
    THREAD_CHECK(recv(far, &seen, sizeof seen, 0) == sizeof seen && seen == number);
    number += 1000000;
    THREAD_CHECK(send(far, &number, sizeof number, 0) == sizeof number);
    THREAD_CHECK(recv(near, &seen, sizeof seen, 0) == sizeof seen && seen == number);
}

static void *make_requests(void *context) {
    unsigned first = *(unsigned *)context;
    for (unsigned i = 0; i < REQUESTS; i++) {
        th_lease lease;
        THREAD_CHECK(th_resource_pool_take(&pool, &lease) == TH_OK);
        converse(lease, first + i);
        if (i % 16 == 7) {
            (void)send(far_ends[lease.resource], "?", 1, 0); /* left in the middle */
        }
        if (i % 16 == 11) {
            THREAD_CHECK(th_resource_pool_discard(&pool, lease) == TH_OK);
        } else {
            THREAD_CHECK(th_resource_pool_give_back(&pool, lease) == TH_OK);
        }
        if (i % 32 == 5) {
            (void)th_resource_pool_trim(&pool, 1);
            (void)th_resource_pool_validate(&pool);
        }
        THREAD_CHECK(th_resource_pool_check(&pool, NULL) == TH_OK);
        THREAD_CHECK(th_resource_pool_get_stats(&pool).out <= CONNECTIONS);
    }
    return NULL;
}

static void threads_share_few_connections(void) {
    unsigned firsts[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        firsts[i] = i * REQUESTS;
    }
    start(usual());
    threads_run_alike(make_requests, THREADS, firsts, sizeof firsts[0]);
    th_resource_pool_stats stats = th_resource_pool_get_stats(&pool);
    CHECK(stats.peak <= CONNECTIONS && stats.refusals == 0);
    CHECK(stats.invalid > 0 && stats.created - stats.destroyed == stats.idle);
    stop();
}

/* ---- waiting --------------------------------------------------------------------------------- */

static stage turns;
static th_lease lent;

static void *take_when_it_can(void *context) {
    th_lease lease;
    (void)context;
    stage_set(&turns, 1);
    THREAD_CHECK(th_resource_pool_take(&pool, &lease) == TH_OK);
    THREAD_CHECK(th_resource_pool_give_back(&pool, lease) == TH_OK);
    return NULL;
}

/* Until it waits, or is about to: both have to be woken. */
static void await_waiting(void) {
    while (th_resource_pool_get_stats(&pool).waits == 0) {
        (void)usleep(1000);
    }
}

static void *give_back_what_another_took(void *context) {
    (void)context;
    stage_await(&turns, 1);
    await_waiting();
    THREAD_CHECK(th_resource_pool_give_back(&pool, lent) == TH_OK);
    return NULL;
}

/* One thread waits until another one ends the only lease, by `end`; so many are created then. Who
 * is not woken finds it, too, when it looks for the last time: so the time counts. */
static void wait_for_the_only_one(void *(*end)(void *), uint64_t created) {
    void *(*const bodies[])(void *) = {take_when_it_can, end};
    th_resource_pool_config config = usual();
    config.resources_max = 1;
    start(config);
    stage_start(&turns);
    CHECK_EQ(th_resource_pool_take(&pool, &lent), TH_OK);
    const th_spin_hooks clock = th_spin_hosted_hooks();
    uint64_t start_ns = clock.now_ns();
    threads_run(bodies, 2, NULL);
    CHECK(clock.now_ns() - start_ns < LONG_NS);
    CHECK_EQ(th_resource_pool_get_stats(&pool).waits > 0, true);
    CHECK_EQ(th_resource_pool_get_stats(&pool).created, created);
    stage_stop(&turns);
    stop();
}

static void what_another_thread_gives_back_is_waited_for(void) {
    wait_for_the_only_one(give_back_what_another_took, 1);
}

static void *discard_what_another_took(void *context) {
    (void)context;
    stage_await(&turns, 1);
    await_waiting();
    THREAD_CHECK(th_resource_pool_discard(&pool, lent) == TH_OK);
    return NULL;
}

/* The room of one that does not work any more is worth a wake-up, too. */
static void room_for_a_new_one_is_waited_for(void) {
    wait_for_the_only_one(discard_what_another_took, 2);
}

static void waiting_comes_to_its_end(void) {
    th_lease first, second;
    th_resource_pool_config config = usual();
    config.wait_ns = 3 * 1000 * 1000;
    config.resources_max = 1;
    start(config);
    CHECK_EQ(th_resource_pool_take(&pool, &first), TH_OK);
    CHECK_EQ(th_resource_pool_take(&pool, &second), TH_ERR_EXHAUSTED);
    CHECK(second.generation == 0);
    CHECK_EQ(th_resource_pool_get_stats(&pool).refusals, 1);
    CHECK(th_resource_pool_get_stats(&pool).waits > 0);
    CHECK_EQ(th_resource_pool_give_back(&pool, first), TH_OK);
    stop();
    config.wait_ns = 0; /* not at all */
    start(config);
    CHECK_EQ(th_resource_pool_take(&pool, &first), TH_OK);
    CHECK_EQ(th_resource_pool_take(&pool, &second), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_resource_pool_get_stats(&pool).waits, 0);
    CHECK_EQ(th_resource_pool_give_back(&pool, first), TH_OK);
    stop();
}

/* ---- no lost wake-up ------------------------------------------------------------------------- */

/* A lock whose wait is entered only after the other thread has given back: with the lock held from
 * looking to waiting that cannot be, and it has to come in between, while wait lets go. */
static void *give_back_at_once(void *context) {
    (void)context;
    stage_await(&turns, 1);
    THREAD_CHECK(th_resource_pool_give_back(&pool, lent) == TH_OK);
    stage_set(&turns, 2);
    return NULL;
}

static unsigned acquired; /* how often, under the lock */

static void acquire_counted(void *context) {
    th_lock lock = th_mutex_lock(context);
    th_lock_acquire(&lock);
    acquired++;
}

static bool wait_late(void *context, uint64_t *left_ns) {
    th_lock lock = th_mutex_lock(context);
    THREAD_CHECK(acquired == 1); /* since before the look */
    stage_set(&turns, 1);
    (void)usleep(20 * 1000); /* time for a give_back that need not wait */
    THREAD_CHECK(stage_get(&turns) == 1);
    return lock.wait(lock.context, left_ns);
}

static void no_wake_up_is_lost(void) {
    pthread_t other;
    th_lease lease;
    th_resource_pool_config config = usual();
    config.resources_max = 1;
    start(config);
    stage_start(&turns);
    CHECK_EQ(th_resource_pool_take(&pool, &lent), TH_OK);
    pool.config.lock.wait = wait_late;
    pool.config.lock.acquire = acquire_counted;
    acquired = 0;
    CHECK_EQ(pthread_create(&other, NULL, give_back_at_once, NULL), 0);
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK);
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(th_resource_pool_give_back(&pool, lease), TH_OK);
    stage_stop(&turns);
    stop();
}

/* In the last moment another thread gives back: the time is over, and still there is one. */
static bool wait_too_long(void *context, uint64_t *left_ns) {
    th_lock lock = th_mutex_lock(context);
    th_lock_release(&lock);
    THREAD_CHECK(th_resource_pool_give_back(&pool, lent) == TH_OK);
    th_lock_acquire(&lock);
    *left_ns = 0;
    return false;
}

static void the_last_look_is_after_the_wait(void) {
    th_lease lease;
    th_resource_pool_config config = usual();
    config.resources_max = 1;
    start(config);
    pool.config.lock.wait = wait_too_long;
    CHECK_EQ(th_resource_pool_take(&pool, &lent), TH_OK);
    CHECK_EQ(th_resource_pool_take(&pool, &lease), TH_OK);
    CHECK_EQ(th_resource_pool_give_back(&pool, lease), TH_OK);
    stop();
}

/* Without a limit. */
static void waiting_for_ever_is_waiting_until_then(void) {
    static void *(*const bodies[])(void *) = {take_when_it_can, give_back_what_another_took};
    th_resource_pool_config config = usual();
    config.wait_ns = TH_LOCK_FOREVER;
    config.resources_max = 1;
    start(config);
    stage_start(&turns);
    CHECK_EQ(th_resource_pool_take(&pool, &lent), TH_OK);
    threads_run(bodies, 2, NULL);
    stage_stop(&turns);
    stop();
}

TH_SUITE("resource_pool_threads", TEST(the_last_look_is_after_the_wait),
         TEST(waiting_for_ever_is_waiting_until_then), TEST(threads_share_few_connections),
         TEST(what_another_thread_gives_back_is_waited_for), TEST(room_for_a_new_one_is_waited_for),
         TEST(waiting_comes_to_its_end), TEST(no_wake_up_is_lost))
