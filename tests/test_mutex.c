/* SPDX-License-Identifier: MIT */
/* Mutexes as one thread sees them: again and again, tries, waits that come to their end, and a
 * system that has no more of them. Threads: test_threads.c; signal handlers, and
 * what must not be: test_mutex_signals.c. */
#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "suite.h"
#include "tagheap/mutex.h"

/* ---- a system without ------------------------------------------------------------------------ */

/* In place of the C library's; zeroed attributes are the usual ones. */
static int mutex_error;
static int condition_error;

int pthread_mutexattr_init(pthread_mutexattr_t *attributes) {
    memset(attributes, 0, sizeof *attributes);
    return mutex_error;
}

int pthread_condattr_init(pthread_condattr_t *attributes) {
    memset(attributes, 0, sizeof *attributes);
    return condition_error;
}

static void a_system_that_has_no_more_of_them(void) {
    static th_mutex mutex;
    CHECK_EQ(th_mutex_init(NULL), TH_ERR_NULL);
    mutex_error = ENOMEM;
    CHECK_EQ(th_mutex_init(&mutex), TH_ERR_EXHAUSTED);
    mutex_error = 0;
    CHECK(th_mutex_lock(&mutex).acquire == NULL);
    condition_error = EAGAIN;
    CHECK_EQ(th_mutex_init(&mutex), TH_ERR_EXHAUSTED);
    condition_error = 0;
    CHECK(th_mutex_lock(&mutex).acquire == NULL);
    th_mutex_clean_up(&mutex); /* it was not started */
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    mutex_error = ENOMEM;
    CHECK_EQ(th_mutex_renew(&mutex), TH_ERR_EXHAUSTED);
    mutex_error = 0;
}

/* ---- one thread ------------------------------------------------------------------------------ */

static void what_is_not_started_does_nothing(void) {
    th_mutex mutex = {0};
    th_mutex_clean_up(NULL);
    th_mutex_clean_up(&mutex);
    CHECK_EQ(th_mutex_renew(NULL), TH_ERR_NULL);
    CHECK_EQ(th_mutex_renew(&mutex), TH_ERR_NULL);
    CHECK(th_mutex_lock(NULL).acquire == NULL);
    CHECK(th_mutex_lock(&mutex).acquire == NULL);
}

static void a_thread_takes_it_again(void) {
    th_mutex mutex;
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    th_lock lock = th_mutex_lock(&mutex);
    CHECK(th_lock_is_valid(&lock));
    th_lock_acquire(&lock);
    CHECK(th_lock_try_acquire(&lock, 0));
    CHECK(th_lock_try_acquire(&lock, 1000));
    CHECK(th_lock_try_acquire(&lock, TH_LOCK_FOREVER));
    CHECK(th_lock_try_acquire(&lock, TH_LOCK_FOREVER - 1)); /* later than any clock */
    for (int i = 0; i < 5; i++) {
        th_lock_release(&lock);
    }
    th_mutex_clean_up(&mutex);
    CHECK(!mutex.is_started && mutex.words[0] == 0);
}

static uint64_t clock_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void a_wait_comes_to_its_end(void) {
    th_mutex mutex;
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    th_lock lock = th_mutex_lock(&mutex);
    th_lock_acquire(&lock);
    uint64_t left_ns = 20 * 1000 * 1000;
    uint64_t start_ns = clock_ns();
    unsigned woken = 0; /* for no reason */
    while (lock.wait(lock.context, &left_ns)) {
        CHECK(left_ns <= 20 * 1000 * 1000);
        woken++;
    }
    CHECK(woken < 20); /* it waits, and does not ask again and again */
    CHECK_EQ(left_ns, 0);
    CHECK(clock_ns() - start_ns >= 20 * 1000 * 1000);
    left_ns = 1;
    while (lock.wait(lock.context, &left_ns)) {
        CHECK(left_ns <= 1);
    }
    CHECK_EQ(left_ns, 0);
    lock.wake(lock.context); /* nobody: nothing is kept for later */
    left_ns = 1000;
    while (lock.wait(lock.context, &left_ns)) {
    }
    th_lock_release(&lock);
    th_mutex_clean_up(&mutex);
}

static void hosted_spin_locks_know_thread_and_time(void) {
    th_spin_hooks hooks = th_spin_hosted_hooks();
    CHECK(hooks.thread() != 0 && hooks.thread() == hooks.thread());
    uint64_t before_ns = clock_ns();
    uint64_t now_ns = hooks.now_ns();
    hooks.relax();
    CHECK(before_ns <= now_ns && now_ns <= clock_ns());
}

TH_SUITE("mutex", TEST(a_system_that_has_no_more_of_them), TEST(what_is_not_started_does_nothing),
         TEST(a_thread_takes_it_again), TEST(a_wait_comes_to_its_end),
         TEST(hosted_spin_locks_know_thread_and_time))
