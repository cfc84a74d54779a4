/* SPDX-License-Identifier: MIT */
/* Mutexes in signal handlers: here the system's calls are played by one thread, and a handler comes
 * in the middle of each. What real ones do: test_mutex.c, test_threads.c. */
#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "death.h"
#include "suite.h"
#include "tagheap/mutex.h"

static th_mutex mutex;
static th_lock lock;

/* ---- a handler ------------------------------------------------------------------------------- */

static bool is_taken;  /* the mutex */
static bool is_own;    /* by this thread, as the system sees it */
static unsigned count; /* of a recursive one */
static bool interrupts;
static char answers[32]; /* y: a handler got it; n: it was told that it is busy */

static void handle(void) {
    bool has_it = th_lock_try_acquire(&lock, 0);
    if (has_it) {
        CHECK(is_taken);
        th_lock_release(&lock);
    }
    if (!is_taken) { /* another thread may have it now */
        is_taken = true;
        CHECK(!th_lock_try_acquire(&lock, 0));
        is_taken = false;
    }
    size_t length = strlen(answers);
    CHECK(length + 1 < sizeof answers);
    answers[length] = has_it ? 'y' : 'n';
}

static void interrupt(void) {
    if (interrupts) {
        interrupts = false;
        handle();
        interrupts = true;
    }
}

static void expect_answers(const char *expected) {
    CHECK_EQ(strcmp(answers, expected), 0);
    memset(answers, 0, sizeof answers);
}

/* ---- a system -------------------------------------------------------------------------------- */

static int kind;
static int unlock_error;

int pthread_mutexattr_settype(pthread_mutexattr_t *attributes, int type) {
    (void)attributes;
    kind = type;
    return 0;
}

/* Of a recursive mutex: it asks for its own number of the owner, as POSIX systems do. */
static bool is_taken_again(void) {
    return kind == PTHREAD_MUTEX_RECURSIVE && is_own;
}

int pthread_mutex_trylock(pthread_mutex_t *taken) {
    (void)taken;
    if (is_taken && !is_taken_again()) {
        return EBUSY;
    }
    is_taken = is_own = true;
    count++;
    return 0;
}

int pthread_mutex_lock(pthread_mutex_t *taken) {
    interrupt();
    if (is_taken_again()) {
        return pthread_mutex_trylock(taken);
    }
    CHECK(!is_taken); /* or it waits for ever */
    is_taken = true;
    interrupt();
    is_own = true;
    count = 1;
    interrupt();
    return 0;
}

int pthread_mutex_timedlock(pthread_mutex_t *taken, const struct timespec *until) {
    (void)until;
    return pthread_mutex_lock(taken);
}

int pthread_mutex_unlock(pthread_mutex_t *taken) {
    (void)taken;
    CHECK(is_taken && count > 0);
    count--;
    if (count == 0) {
        interrupt();
        is_own = false;
        interrupt();
        is_taken = false;
        interrupt();
    }
    return unlock_error;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *taken) {
    (void)condition;
    CHECK_EQ(pthread_mutex_unlock(taken), 0);
    return pthread_mutex_lock(taken);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *taken,
                           const struct timespec *until) {
    (void)until;
    return pthread_cond_wait(condition, taken);
}

/* ---- what handlers are told ------------------------------------------------------------------ */

static void start(void) {
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    lock = th_mutex_lock(&mutex);
    memset(answers, 0, sizeof answers);
    interrupts = true;
}

static void stop(void) {
    interrupts = false;
    CHECK(!is_taken && !is_own && count == 0);
    th_mutex_clean_up(&mutex);
}

static void expect_held(void) {
    interrupts = false;
    handle();
    interrupts = true;
    expect_answers("y"); /* with its thread */
}

static void a_handler_has_it_with_its_thread_or_not_at_all(void) {
    start();
    th_lock_acquire(&lock);
    expect_answers("ynn");
    expect_held();
    th_lock_acquire(&lock);
    CHECK(th_lock_try_acquire(&lock, 1000));
    CHECK(th_lock_try_acquire(&lock, 0));
    for (int i = 0; i < 3; i++) {
        th_lock_release(&lock);
        expect_held();
    }
    expect_answers(""); /* none of these is a call of the system */
    th_lock_release(&lock);
    expect_answers("nny");
    stop();
}

static void so_it_is_with_tries(void) {
    start();
    CHECK(th_lock_try_acquire(&lock, 1000));
    expect_answers("ynn");
    expect_held();
    th_lock_release(&lock);
    expect_answers("nny");
    CHECK(th_lock_try_acquire(&lock, TH_LOCK_FOREVER));
    expect_answers("ynn");
    expect_held();
    th_lock_release(&lock);
    expect_answers("nny");
    CHECK(th_lock_try_acquire(&lock, 0));
    expect_held();
    th_lock_release(&lock);
    expect_answers("nny");
    stop();
}

static void so_it_is_while_its_thread_waits(void) {
    start();
    for (int round = 0; round < 2; round++) {
        uint64_t left_ns = round == 0 ? TH_LOCK_FOREVER : UINT64_C(60000000000);
        th_lock_acquire(&lock);
        expect_answers("ynn");
        CHECK(lock.wait(lock.context, &left_ns));
        expect_answers("nnyynn");
        expect_held();
        th_lock_release(&lock);
        expect_answers("nny");
    }
    stop();
}

/* ---- what must not be ------------------------------------------------------------------------ */

#if TH_ASSERTS

static void release_what_is_free(void) {
    start();
    interrupts = false;
    th_lock_release(&lock);
}

static void release_what_the_system_does_not(void) {
    start();
    interrupts = false;
    th_lock_acquire(&lock);
    unlock_error = EPERM;
    th_lock_release(&lock);
}

static void wait_with_two_turns(void) {
    uint64_t left_ns = TH_LOCK_FOREVER;
    start();
    interrupts = false;
    th_lock_acquire(&lock);
    th_lock_acquire(&lock);
    (void)lock.wait(lock.context, &left_ns);
}

static void what_cannot_be_is_an_assertion(void) {
    expect_assertion(release_what_is_free, "src/os/mutex.c", "has_it(mutex)");
    expect_assertion(release_what_the_system_does_not, "src/os/mutex.c", "error == 0");
    expect_assertion(wait_with_two_turns, "src/os/mutex.c", "mutex->depth == 0");
}

#define ASSERTION_TESTS TEST(what_cannot_be_is_an_assertion),
#else
#define ASSERTION_TESTS
#endif

TH_SUITE("mutex_signals", ASSERTION_TESTS TEST(a_handler_has_it_with_its_thread_or_not_at_all),
         TEST(so_it_is_with_tries), TEST(so_it_is_while_its_thread_waits))
