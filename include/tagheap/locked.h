/* SPDX-License-Identifier: MIT */
/* Locked allocators: around any allocator, so that several threads may use it at once.
 *
 *   th_locked locked;
 *   th_locked_init(&locked, &(th_locked_config){.backing = backing,
 *                                               .lock = th_mutex_lock(&mutex)});
 *   th_allocator shared = th_locked_allocator(&locked);
 *
 * The lock is held for one call of the backing. Contents that th_allocator_realloc copies are
 * copied under it; what th_allocator_alloc_zeroed and th_allocator_duplicate write into a new block
 * they write after it, as its owner does: no other thread may end the block meanwhile
 * (th_locked_reset, or a call to the backing's object that frees what it did not allocate, as by
 * tag).
 *
 * What the backing calls (a low-memory function, say) runs under the lock, and uses the backing
 * itself: a call of the locked allocator from there is refused with TH_FAULT_REENTRY, and does
 * nothing. The same is said to a signal handler that interrupted a call of its own thread.
 *
 * Ownership: the caller owns the th_locked, and the backing, which must outlive it.
 * Thread rule: any threads, but for init and clean_up.
 * Complexity: O(1) beside the backing's and the wait for the lock.
 * Guards: the fault is raised at every level; `block` and `offset` are TH_FAULT_NOWHERE. */
#ifndef TAGHEAP_LOCKED_H
#define TAGHEAP_LOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/lock.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_locked_config {
    th_allocator backing;
    th_lock lock;
    th_guarding guarding; /* its level changes nothing; the fault is reported as it says */
} th_locked_config;

/* Its fields are the library's own. */
typedef struct th_locked {
    volatile bool is_inside; /* a call of the backing; a signal handler reads it */
    uint64_t calls;
    uint64_t reentries;
    th_locked_config config;
} th_locked;

/* Fails, with *locked untouched, iff locked or config is NULL (TH_ERR_NULL); there is no backing,
 * it cannot allocate or free, the lock is none or not whole, or guarding.level is not 0 to 3
 * (TH_ERR_CONFIG). */
th_status th_locked_init(th_locked *locked, const th_locked_config *config);

/* Ends it: *locked is zeroed. The backing's blocks stay. NULL is allowed. */
void th_locked_clean_up(th_locked *locked);

/* For those who must not wait long, signal handlers above all: waits for the lock so many
 * nanoseconds at most, 0: not at all. *block is the block, or NULL with the status: TH_ERR_BUSY,
 * the lock was not to be had, or this thread is inside a call already (no fault is raised);
 * TH_ERR_EXHAUSTED, the backing has no such block; TH_ERR_ALIGNMENT, alignment is no power of two;
 * TH_ERR_NULL, a pointer is NULL or *locked zeroed. A backing that is to be used by handlers must
 * not call what they must not call. */
th_status th_locked_try_alloc(th_locked *locked, size_t bytes, size_t alignment,
                              uint64_t timeout_ns, void **block);

/* The same for freeing. TH_OK also for a NULL block. TH_ERR_BUSY: it was not freed. */
th_status th_locked_try_free(th_locked *locked, void *block, uint64_t timeout_ns);

/* Takes the lock and lets it go, for work on the backing's object itself: a walk, statistics, a
 * step of compaction. TH_ERR_BUSY, with nothing taken, after the fault; TH_ERR_NULL as before. */
th_status th_locked_lock(th_locked *locked);
void th_locked_unlock(th_locked *locked);

/* Frees all blocks by a reset of the backing: nobody may be writing to one. Fails as that does;
 * TH_ERR_BUSY after the fault; TH_ERR_NULL as before. */
th_status th_locked_reset(th_locked *locked);

typedef struct th_locked_stats {
    uint64_t calls;     /* of the backing */
    uint64_t reentries; /* calls from inside one, which were refused */
} th_locked_stats;

/* All of them are 0 for NULL and a zeroed one. Takes the lock. */
th_locked_stats th_locked_get_stats(const th_locked *locked);

/* Proves the backing, with the lock held. As th_allocator_check; TH_ERR_NULL as before. */
th_status th_locked_check(const th_locked *locked, th_fault *fault);

/* As an allocator, valid until it ends. */
th_allocator th_locked_allocator(th_locked *locked);

#ifdef __cplusplus
}
#endif
#endif
