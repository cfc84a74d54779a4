/* SPDX-License-Identifier: MIT */
/* A mutex of the operating system with a condition, as a th_lock (lock.h): it can be taken again by
 * the thread that has it, waited for with a limit of time, and threads wait in it until they are
 * woken. Hosted builds only.
 *
 * Ownership: the caller owns the th_mutex, which must not be moved or copied while it is started.
 * Thread rule: any thread; init, clean_up and renew are for one alone. What is done while it is
 * held by others is undefined, as for a pthread_mutex_t. */
#ifndef TAGHEAP_MUTEX_H
#define TAGHEAP_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include "tagheap/atomic.h"
#include "tagheap/lock.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TH_MUTEX_WORDS 14

/* Its fields are the library's own: a pthread_mutex_t and a pthread_cond_t, and who has it. */
typedef struct th_mutex {
    uint64_t words[TH_MUTEX_WORDS];
    th_atomic_address owner; /* the thread that has it; 0: none */
    volatile uint32_t depth; /* how often it took it again; a signal handler reads it */
    bool is_started;
} th_mutex;

/* Fails, with *mutex not started, iff it is NULL (TH_ERR_NULL), or the system has no more of them
 * (TH_ERR_EXHAUSTED). */
th_status th_mutex_init(th_mutex *mutex);

/* Ends it: *mutex is zeroed. Nobody may hold it or wait. NULL is allowed. */
void th_mutex_clean_up(th_mutex *mutex);

/* For the child after a fork: as it was after init, free, whoever held it in the parent. What it
 * guards must be whole: either nobody held it, or the thread that forked did. Fails as init. */
th_status th_mutex_renew(th_mutex *mutex);

/* All of the lock's functions. NULL or a zeroed one gives none. */
th_lock th_mutex_lock(th_mutex *mutex);

/* What a spin lock needs of an operating system: th_spin_init(&spin, &config). */
th_spin_hooks th_spin_hosted_hooks(void);

#ifdef __cplusplus
}
#endif
#endif
