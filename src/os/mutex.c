/* SPDX-License-Identifier: MIT */
/* Mutexes with a condition: what POSIX has, in storage whose size the header says. */
#define _GNU_SOURCE

#include "tagheap/mutex.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/track.h"
#include "os/clock.h"

typedef struct monitor {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
} monitor;

static_assert(sizeof(monitor) <= sizeof(uint64_t[TH_MUTEX_WORDS]), "it fits");
static_assert(_Alignof(monitor) <= _Alignof(uint64_t), "and may lie there");

static monitor *monitor_of(th_mutex *mutex) {
    return (monitor *)(void *)mutex->words;
}

/* A call that cannot fail, of a mutex that is used as it must be. */
static void expect_done(int error) {
    (void)error;
    TH_ASSERT(error == 0);
}

/* ---- who has it ---------------------------------------------------------------------------
 *
 * Taken again it is here, by owner and depth, not by the system: in the middle of the system's own
 * calls, where a signal handler may come, a recursive mutex would be given to the handler as if it
 * were still its thread's, and be let go by it. So the owner is written after the system has given
 * the mutex, and taken back before it gets it: there a handler finds it taken by somebody else.
 * Elsewhere, what a handler takes it gives back: nothing has changed. */

static uintptr_t thread(void) {
    return (uintptr_t)pthread_self();
}

/* Relaxed: who reads its own number has written it, and has the mutex; what it guards comes with
 * the system's mutex. Valgrind's tools, which know no atomic words, would call it a race. */
static bool has_it(const th_mutex *mutex) {
    th_track_blind_begin();
    uintptr_t owner = TH_ATOMIC_LOAD(&mutex->owner, TH_RELAXED);
    th_track_blind_end();
    return owner == thread();
}

/* By the one who has it. 0: nobody. */
static void set_owner(th_mutex *mutex, uintptr_t owner) {
    TH_ASSERT(mutex->depth == 0);
    th_track_blind_begin();
    TH_ATOMIC_STORE(&mutex->owner, owner, TH_RELAXED);
    th_track_blind_end();
}

static void acquire(void *context) {
    th_mutex *mutex = context;
    if (has_it(mutex)) {
        mutex->depth++;
        return;
    }
    expect_done(pthread_mutex_lock(&monitor_of(mutex)->mutex));
    set_owner(mutex, thread());
}

static void release(void *context) {
    th_mutex *mutex = context;
    TH_ASSERT(has_it(mutex));
    if (mutex->depth > 0) {
        mutex->depth--;
        return;
    }
    set_owner(mutex, 0);
    expect_done(pthread_mutex_unlock(&monitor_of(mutex)->mutex));
}

static bool take_within(pthread_mutex_t *mutex, uint64_t timeout_ns) {
    if (timeout_ns == 0) {
        return pthread_mutex_trylock(mutex) == 0;
    }
    const struct timespec then = th_time_after(CLOCK_REALTIME, timeout_ns);
    return pthread_mutex_timedlock(mutex, &then) == 0;
}

static bool try_acquire(void *context, uint64_t timeout_ns) {
    th_mutex *mutex = context;
    if (timeout_ns == TH_LOCK_FOREVER || has_it(mutex)) {
        acquire(mutex);
        return true;
    }
    bool is_taken = take_within(&monitor_of(mutex)->mutex, timeout_ns);
    if (is_taken) {
        set_owner(mutex, thread());
    }
    return is_taken;
}

/* The mutex is the system's to let go, and to take again. */
static bool wait_for_system(monitor *m, uint64_t *left_ns) {
    if (*left_ns == TH_LOCK_FOREVER) {
        expect_done(pthread_cond_wait(&m->condition, &m->mutex));
        return true;
    }
    uint64_t start_ns = th_now_ns(CLOCK_MONOTONIC);
    const struct timespec then = th_time_after(CLOCK_MONOTONIC, *left_ns);
    (void)pthread_cond_timedwait(&m->condition, &m->mutex, &then);
    uint64_t spent_ns = th_now_ns(CLOCK_MONOTONIC) - start_ns;
    *left_ns = spent_ns < *left_ns ? *left_ns - spent_ns : 0;
    return *left_ns > 0;
}

static bool wait_until_woken(void *context, uint64_t *left_ns) {
    th_mutex *mutex = context;
    set_owner(mutex, 0);
    bool is_left = wait_for_system(monitor_of(mutex), left_ns);
    set_owner(mutex, thread());
    return is_left;
}

static void wake(void *context) {
    expect_done(pthread_cond_broadcast(&monitor_of(context)->condition));
}

static int start_mutex(pthread_mutex_t *mutex) {
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);
    if (error == 0) {
        (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_NORMAL);
        error = pthread_mutex_init(mutex, &attributes);
        (void)pthread_mutexattr_destroy(&attributes);
    }
    return error;
}

static int start_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error == 0) {
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        error = pthread_cond_init(condition, &attributes);
        (void)pthread_condattr_destroy(&attributes);
    }
    return error;
}

th_status th_mutex_init(th_mutex *mutex) {
    if (mutex == NULL) {
        return TH_ERR_NULL;
    }
    *mutex = (th_mutex){0};
    monitor *m = monitor_of(mutex);
    if (start_mutex(&m->mutex) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    if (start_condition(&m->condition) != 0) {
        (void)pthread_mutex_destroy(&m->mutex);
        return TH_ERR_EXHAUSTED;
    }
    mutex->is_started = true;
    return TH_OK;
}

void th_mutex_clean_up(th_mutex *mutex) {
    if (mutex != NULL && mutex->is_started) {
        expect_done(pthread_cond_destroy(&monitor_of(mutex)->condition));
        expect_done(pthread_mutex_destroy(&monitor_of(mutex)->mutex));
        *mutex = (th_mutex){0};
    }
}

th_status th_mutex_renew(th_mutex *mutex) {
    return mutex != NULL && mutex->is_started ? th_mutex_init(mutex) : TH_ERR_NULL;
}

th_lock th_mutex_lock(th_mutex *mutex) {
    if (mutex == NULL || !mutex->is_started) {
        return (th_lock){0};
    }
    return (th_lock){.acquire = acquire,
                     .release = release,
                     .try_acquire = try_acquire,
                     .wait = wait_until_woken,
                     .wake = wake,
                     .context = mutex};
}

static void relax(void) {
    (void)sched_yield();
}

static uint64_t now(void) {
    return th_now_ns(CLOCK_MONOTONIC);
}

th_spin_hooks th_spin_hosted_hooks(void) {
    return (th_spin_hooks){.thread = thread, .relax = relax, .now_ns = now};
}
