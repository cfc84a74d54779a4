/* SPDX-License-Identifier: MIT */
/* A lock between processes that lies in memory that they share. If its holder dies, by whatever
 * signal, the next one gets it and is told so. The holder may take it again, and gives it back as
 * often. Hosted builds on POSIX systems only (a robust, process-shared, recursive mutex:
 * POSIX.1-2008, pthread_mutexattr_setrobust).
 *
 * Ownership: the lock's memory is the caller's; it must be zeroed before it is made, shared
 * (MAP_SHARED), and must not be moved or copied. Errors: TH_ERR_NULL if the lock is; see each call.
 * Limit: a holder is known by its thread's number, which must be another one than everybody else's:
 * all who use the lock must be in one PID namespace (th_process_space). */
#ifndef TAGHEAP_PROCESS_LOCK_H
#define TAGHEAP_PROCESS_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TH_PROCESS_LOCK_WORDS 8

/* The system's own. */
typedef struct th_process_lock {
    uint64_t words[TH_PROCESS_LOCK_WORDS];
} th_process_lock;

/* A number for how the lock lies in memory in this build: only builds with the same number can use
 * the same lock. O(1). */
uint32_t th_process_lock_layout(void);

/* Makes a free lock. TH_ERR_EXHAUSTED: the system refuses. O(1). */
th_status th_process_lock_make(th_process_lock *lock);

/* The same, but its holder may not take it again: TH_ERR_BUSY at once. */
th_status th_process_lock_make_strict(th_process_lock *lock);

/* Waits until the lock is free, and takes it. TH_OK, or TH_ERR_STALE: the lock is the caller's, but
 * the one who had it has died with it, and what it guards may be half done; it has to be put right,
 * then th_process_lock_mend called, before the lock is given back for the last time; who takes it
 * again meanwhile is told TH_OK. TH_ERR_CORRUPT: somebody has given it back without that; nobody
 * gets it any more. TH_ERR_EXHAUSTED: it has been taken too
 * often, or is no lock. */
th_status th_process_lock_acquire(th_process_lock *lock);

/* The same, but waits so many nanoseconds at most (0: not at all; TH_LOCK_FOREVER of lock.h: as
 * above). TH_ERR_BUSY, too: they are over, and the lock is not the caller's. The time is that of
 * the date: if somebody sets it meanwhile, it takes longer, or not so long. */
th_status th_process_lock_try_acquire(th_process_lock *lock, uint64_t timeout_ns);

/* After TH_ERR_STALE: what the lock guards is right again. TH_ERR_EXHAUSTED: it was right before.
 */
th_status th_process_lock_mend(th_process_lock *lock);

/* Gives it back: it stays the caller's until it has been given back as often as it was taken.
 * TH_ERR_EXHAUSTED: it is not the caller's. */
th_status th_process_lock_release(th_process_lock *lock);

/* A number of this process: another one after fork, in the child. A system call. */
uint64_t th_process_id(void);

/* A number of the calling thread, which no other one of this process has as long as it lives. A
 * system call. */
uint64_t th_process_thread(void);

/* A number of the PID namespace of this process (of Linux: a container has one of its own, and
 * numbers its processes for itself); 0: there is none, or /proc is not there to tell it. System
 * calls. */
uint64_t th_process_space(void);

/* Lets others run. A system call. */
void th_process_yield(void);

#ifdef __cplusplus
}
#endif
#endif
