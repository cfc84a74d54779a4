/* SPDX-License-Identifier: MIT */
/* Locks between processes, from robust mutexes. The mutex lies at the start of the lock's words. */
#define _GNU_SOURCE

#include "tagheap/process_lock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "base/mix.h"
#include "os/clock.h"
#include "tagheap/lock.h"

static_assert(sizeof(pthread_mutex_t) <= sizeof(th_process_lock), "the mutex fits");
static_assert(alignof(pthread_mutex_t) <= alignof(th_process_lock), "where the lock is");

/* The C libraries differ in how a mutex lies in memory even where its size is the same. */
#if defined(__GLIBC__)
#define LIBRARY 1u
#else
#define LIBRARY 2u
#endif

static pthread_mutex_t *mutex_of(th_process_lock *lock) {
    return (pthread_mutex_t *)(void *)lock->words;
}

uint32_t th_process_lock_layout(void) {
    return LIBRARY << 16 | (uint32_t)sizeof(pthread_mutex_t) << 8 | (uint32_t)sizeof(void *);
}

static th_status make(th_process_lock *lock, int type) {
    pthread_mutexattr_t traits;
    if (lock == NULL) {
        return TH_ERR_NULL;
    }
    if (pthread_mutexattr_init(&traits) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    /* The first that fails says why. */
    int reason = pthread_mutexattr_setpshared(&traits, PTHREAD_PROCESS_SHARED);
    reason = reason != 0 ? reason : pthread_mutexattr_setrobust(&traits, PTHREAD_MUTEX_ROBUST);
    reason = reason != 0 ? reason : pthread_mutexattr_settype(&traits, type);
    reason = reason != 0 ? reason : pthread_mutex_init(mutex_of(lock), &traits);
    (void)pthread_mutexattr_destroy(&traits);
    errno = reason;
    return reason == 0 ? TH_OK : TH_ERR_EXHAUSTED;
}

th_status th_process_lock_make(th_process_lock *lock) {
    return make(lock, PTHREAD_MUTEX_RECURSIVE);
}

th_status th_process_lock_make_strict(th_process_lock *lock) {
    return make(lock, PTHREAD_MUTEX_ERRORCHECK);
}

static int lock_within(pthread_mutex_t *mutex, uint64_t timeout_ns) {
    if (timeout_ns == TH_LOCK_FOREVER) {
        return pthread_mutex_lock(mutex);
    }
    const struct timespec then = th_time_after(CLOCK_REALTIME, timeout_ns);
    return pthread_mutex_timedlock(mutex, &then);
}

th_status th_process_lock_try_acquire(th_process_lock *lock, uint64_t timeout_ns) {
    if (lock == NULL) {
        return TH_ERR_NULL;
    }
    switch (lock_within(mutex_of(lock), timeout_ns)) {
    case 0:
        return TH_OK;
    case EOWNERDEAD:
        return TH_ERR_STALE;
    case ENOTRECOVERABLE:
        return TH_ERR_CORRUPT;
    case ETIMEDOUT:
    case EDEADLK: /* a strict one */
        return TH_ERR_BUSY;
    default:
        return TH_ERR_EXHAUSTED;
    }
}

th_status th_process_lock_acquire(th_process_lock *lock) {
    return th_process_lock_try_acquire(lock, TH_LOCK_FOREVER);
}

th_status th_process_lock_mend(th_process_lock *lock) {
    if (lock == NULL) {
        return TH_ERR_NULL;
    }
    return pthread_mutex_consistent(mutex_of(lock)) == 0 ? TH_OK : TH_ERR_EXHAUSTED;
}

th_status th_process_lock_release(th_process_lock *lock) {
    if (lock == NULL) {
        return TH_ERR_NULL;
    }
    /* ENOTRECOVERABLE, by glibc: it has been taken more than once, is not mended, and stays the
     * caller's. */
    int error = pthread_mutex_unlock(mutex_of(lock));
    return error == 0 || error == ENOTRECOVERABLE ? TH_OK : TH_ERR_EXHAUSTED;
}

uint64_t th_process_id(void) {
    return (uint64_t)getpid();
}

uint64_t th_process_thread(void) {
#ifdef __linux__
    return (uint64_t)syscall(SYS_gettid);
#else
    return (uint64_t)(uintptr_t)pthread_self();
#endif
}

/* The text of the link has the number of the namespace, and is the same for all that are in it. */
uint64_t th_process_space(void) {
    char text[64];
    ssize_t length = readlink("/proc/self/ns/pid", text, sizeof text);
    uint64_t sum = 0;
    for (ssize_t i = 0; i < length; i++) {
        sum = th_mix(sum, (unsigned char)text[i]);
    }
    return sum;
}

void th_process_yield(void) {
    (void)sched_yield();
}
