/* SPDX-License-Identifier: MIT */
/* What the system refuses of locks between processes: here its calls are played, all of them, by
 * one thread. What real ones do: test_process_lock.c. */
#define _GNU_SOURCE

#include "tagheap/process_lock.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "suite.h"
#include "tagheap/lock.h"

enum { INIT, SHARED, ROBUST, TYPE, MUTEX, MAKING };

static int making[MAKING]; /* what each answers */
static int locking, mending, releasing;
static int wanted = PTHREAD_MUTEX_RECURSIVE;
static unsigned destroyed, done; /* bit i: call i was made */

static int answer(unsigned call) {
    done |= 1u << call;
    return making[call];
}

int pthread_mutexattr_init(pthread_mutexattr_t *traits) {
    memset(traits, 0, sizeof *traits);
    return answer(INIT);
}

int pthread_mutexattr_setpshared(pthread_mutexattr_t *traits, int shared) {
    (void)traits;
    return shared == PTHREAD_PROCESS_SHARED ? answer(SHARED) : EINVAL;
}

int pthread_mutexattr_setrobust(pthread_mutexattr_t *traits, int robust) {
    (void)traits;
    return robust == PTHREAD_MUTEX_ROBUST ? answer(ROBUST) : EINVAL;
}

int pthread_mutexattr_settype(pthread_mutexattr_t *traits, int type) {
    (void)traits;
    return type == wanted ? answer(TYPE) : EINVAL;
}

int pthread_mutexattr_destroy(pthread_mutexattr_t *traits) {
    (void)traits;
    destroyed++;
    errno = EDOM;
    return 0;
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *traits) {
    (void)mutex;
    (void)traits;
    return answer(MUTEX);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    (void)mutex;
    return locking;
}

static struct timespec deadline; /* of the last wait with one */

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    (void)mutex;
    deadline = *until;
    return locking;
}

int pthread_mutex_consistent(pthread_mutex_t *mutex) {
    (void)mutex;
    return mending;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    (void)mutex;
    return releasing;
}

static th_process_lock lock;

static void a_lock_that_cannot_be_made(void) {
    for (unsigned call = 0; call < MAKING; call++) {
        making[call] = ENOMEM;
        done = destroyed = 0;
        errno = 0;
        th_status status = th_process_lock_make(&lock);
        making[call] = 0;
        CHECK_EQ(status, TH_ERR_EXHAUSTED);
        CHECK_EQ(done, (2u << call) - 1); /* nothing after the one that has failed */
        CHECK_EQ(destroyed, call != INIT);
        CHECK(call == INIT || errno == ENOMEM);
    }
    done = destroyed = 0;
    CHECK_EQ(th_process_lock_make(&lock), TH_OK);
    CHECK_EQ(done, (1u << MAKING) - 1);
    CHECK_EQ(destroyed, 1);
    wanted = PTHREAD_MUTEX_ERRORCHECK;
    CHECK_EQ(th_process_lock_make(&lock), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_process_lock_make_strict(&lock), TH_OK);
    wanted = PTHREAD_MUTEX_RECURSIVE;
    CHECK_EQ(th_process_lock_make_strict(&lock), TH_ERR_EXHAUSTED);
}

static void answers_are_told(void) {
    static const struct {
        int error;
        th_status status;
    } rows[] = {{0, TH_OK},
                {EOWNERDEAD, TH_ERR_STALE},
                {ENOTRECOVERABLE, TH_ERR_CORRUPT},
                {ETIMEDOUT, TH_ERR_BUSY},
                {EDEADLK, TH_ERR_BUSY},
                {EAGAIN, TH_ERR_EXHAUSTED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        locking = mending = releasing = rows[i].error;
        th_status taken = th_process_lock_acquire(&lock);
        th_status tried = th_process_lock_try_acquire(&lock, 1);
        th_status mended = th_process_lock_mend(&lock);
        th_status released = th_process_lock_release(&lock);
        locking = mending = releasing = 0;
        CHECK_EQ(taken, rows[i].status);
        CHECK_EQ(tried, rows[i].status);
        CHECK_EQ(mended, i == 0 ? TH_OK : TH_ERR_EXHAUSTED);
        /* Not mended yet, and still the caller's: one turn less. */
        bool is_given_back = i == 0 || rows[i].error == ENOTRECOVERABLE;
        CHECK_EQ(released, is_given_back ? TH_OK : TH_ERR_EXHAUSTED);
    }
}

/* By the clock of the date, as pthread_mutex_timedlock wants it; for ever is without one. */
static void waits_end_when_they_should(void) {
    enum { SECONDS = 1000 };
    struct timespec now;
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
    CHECK_EQ(th_process_lock_try_acquire(&lock, SECONDS * UINT64_C(1000000000)), TH_OK);
    CHECK(deadline.tv_sec >= now.tv_sec + SECONDS && deadline.tv_sec < now.tv_sec + 2 * SECONDS);
    deadline = now;
    CHECK_EQ(th_process_lock_try_acquire(&lock, TH_LOCK_FOREVER), TH_OK);
    CHECK_EQ(th_process_lock_acquire(&lock), TH_OK);
    CHECK(deadline.tv_sec == now.tv_sec && deadline.tv_nsec == now.tv_nsec);
}

TH_SUITE("process_lock_limits", TEST(a_lock_that_cannot_be_made), TEST(answers_are_told),
         TEST(waits_end_when_they_should))
