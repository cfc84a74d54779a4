/* SPDX-License-Identifier: MIT */
/* Signal handlers that use a shared heap whose call they have interrupted. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/guard_max.h"
#include "shared_fixture.h"

enum { A = 0x1001, C = 0x1003 };

static shared_pair *interrupted;
static th_shared_ref handler_ref;
static th_status handler_status;
static unsigned handled;

static void allocate_in_handler(int number) {
    (void)number;
    handler_ref = th_shared_heap_alloc(&interrupted->one, 30, C);
    handler_status = th_shared_heap_status(&interrupted->one);
    handled++;
}

/* A call is in its middle. */
static void interrupt(void *context, const th_fault *fault) {
    (void)context;
    (void)fault;
    CHECK_EQ(raise(SIGUSR1), 0);
}

static void a_handler_that_allocates_is_answered(void) {
    shared_pair p;
    const th_shared_heap_config config = {
        .guarding = {.level = th_guard_max(), .on_fault = interrupt}};
    shared_start(&p, &config);
    interrupted = &p;
    handled = 0;
    CHECK(signal(SIGUSR1, allocate_in_handler) != SIG_ERR);
    th_shared_ref ref = th_shared_heap_alloc(&p.one, 40, A);
    for (unsigned locked = 0; locked < 2; locked++) {
        if (locked != 0) {
            CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
        }
        CHECK_EQ(raise(SIGUSR1), 0); /* between two calls */
        CHECK(handler_status == TH_OK && handler_ref != 0);
        CHECK(th_shared_heap_free(&p.one, handler_ref) > 0);
        handled = 0;
        if (th_guard_max() > 0) { /* else what is no block is believed to be one */
            CHECK_EQ(th_shared_heap_free(&p.one, ref + 1), 0); /* a fault */
            CHECK_EQ(th_shared_heap_status(&p.one), TH_OK);
            CHECK_EQ(handled, 1);
            CHECK(handler_status == TH_ERR_BUSY && handler_ref == 0);
        }
    }
    th_shared_heap_unlock(&p.one);
    CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    CHECK_EQ(th_shared_heap_get_stats(&p.other).head_blocks, 1);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    shared_stop(&p);
}

/* Nothing but the lock is touched until it is there. */
static bool interrupts_the_lock;

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    (void)until;
    if (interrupts_the_lock) {
        interrupts_the_lock = false;
        CHECK_EQ(raise(SIGUSR1), 0);
    }
    return pthread_mutex_lock(mutex);
}

static void so_is_one_that_comes_while_the_lock_is_taken(void) {
    shared_pair p;
    const th_shared_heap_config config = {.wait_ns = 1000000000};
    shared_start(&p, &config);
    interrupted = &p;
    CHECK(signal(SIGUSR1, allocate_in_handler) != SIG_ERR);
    interrupts_the_lock = true;
    CHECK(th_shared_heap_alloc(&p.one, 40, A) != 0);
    CHECK(handler_status == TH_ERR_BUSY && handler_ref == 0);
    CHECK_EQ(th_shared_heap_status(&p.one), TH_OK);
    CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    CHECK_EQ(th_shared_heap_get_stats(&p.other).head_blocks, 1);
    shared_stop(&p);
}

/* The lock counts as the thread's own until it has been given back. */
static enum { NEVER, BEFORE, AFTER } interrupts_the_release;

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    static int (*release)(pthread_mutex_t *);
    if (release == NULL) {
        void *found = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
        memcpy(&release, &found, sizeof release);
    }
    if (interrupts_the_release == BEFORE) {
        interrupts_the_release = NEVER;
        CHECK_EQ(raise(SIGUSR1), 0);
    }
    int error = release(mutex);
    if (interrupts_the_release == AFTER) {
        interrupts_the_release = NEVER;
        CHECK_EQ(raise(SIGUSR1), 0);
    }
    return error;
}

static void so_is_one_that_comes_while_the_lock_is_given_back(void) {
    static void (*const ends[])(th_shared_heap *) = {th_shared_heap_unlock,
                                                     th_shared_heap_clean_up};
    for (unsigned i = 0; i < 4; i++) {
        shared_pair p;
        shared_start(&p, NULL);
        interrupted = &p;
        handled = 0;
        handler_status = TH_OK;
        CHECK(signal(SIGUSR1, allocate_in_handler) != SIG_ERR);
        CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
        interrupts_the_release = i < 2 ? BEFORE : AFTER;
        ends[i % 2](&p.one);
        CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
        CHECK_EQ(handled, 1);
        CHECK(handler_status == TH_ERR_BUSY && handler_ref == 0);
        CHECK_EQ(th_shared_heap_get_stats(&p.other).head_blocks, 0);
        shared_stop(&p);
    }
}

TH_SUITE("shared_heap_signals", TEST(a_handler_that_allocates_is_answered),
         TEST(so_is_one_that_comes_while_the_lock_is_taken),
         TEST(so_is_one_that_comes_while_the_lock_is_given_back))
