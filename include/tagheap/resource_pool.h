/* SPDX-License-Identifier: MIT */
/* Resource pools: connections, file descriptors, buffers, anything that is made by a call and worth
 * keeping. The pool makes them when they are needed, up to a limit, keeps what is given back, and
 * ends what it keeps too much of or what no longer works.
 *
 *   slots  [ out ][ idle ][ out ][ empty ] ...   resources_max of them, from the backing at init
 *
 * A resource is a uintptr_t: a pointer, or a number like a file descriptor. Who takes one gets a
 * lease, by which it is given back; an old lease is noticed.
 *
 * The functions of the config are called without the lock and may use other pools; `wait` may give
 * back to this one. They must not jump out by longjmp. While one of them works on a resource, that
 * is neither idle nor out; no call has more than one such resource at a time.
 *
 * Ownership: the caller owns the th_resource_pool; the pool owns the resources, and lends them.
 * Thread rule: one pool, one thread at a time, unless a lock is given: then any threads, but for
 * init and clean_up; and a lease may be given back by another thread than the one that took it.
 * The lock is never held while a function of the config runs, guarding.on_fault included, and need
 * not be one that may be taken again. A take that waits lets it go once, so nobody calls take who
 * holds it already. After fork the child calls th_resource_pool_renew.
 *
 * Complexity: O(1), and what create, destroy and validate cost; trim and validate O(idle); renew
 * O(resources_max).
 *
 * Guards: a lease that is over is TH_FAULT_DOUBLE_FREE, one that never was TH_FAULT_NOT_A_BLOCK, at
 * level 1 and up; `block` is the slot. */
#ifndef TAGHEAP_RESOURCE_POOL_H
#define TAGHEAP_RESOURCE_POOL_H

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

typedef struct th_lease {
    uintptr_t resource;
    size_t slot;
    uint64_t generation; /* 0: no lease */
} th_lease;

typedef struct th_resource_pool_config {
    /* Makes a resource; any status but TH_OK: there is none. */
    th_status (*create)(void *context, uintptr_t *resource);
    void (*destroy)(void *context, uintptr_t resource);
    /* Does it still work? Asked before an idle one is lent. NULL: they always do. */
    bool (*validate)(void *context, uintptr_t resource);
    /* Called when there is none to take: true: try again; false: give up. NULL: as wait_ns says. */
    bool (*wait)(void *context);
    /* When there is none to take and `wait` is NULL, if the lock has `wait` and `wake` (th_mutex):
     * how long a take waits for what other threads give back, or ask, or make, in nanoseconds. 0:
     * it does not; TH_LOCK_FOREVER */
    uint64_t wait_ns;
    th_lock lock; /* zeroed: none */
    void *context;
    th_allocator backing;   /* of the slots */
    size_t resources_max;   /* out and idle, together */
    size_t resources_first; /* made at init, whatever idle_max is */
    size_t idle_max;        /* kept of what is given back; 0: all */
    th_guarding guarding;
} th_resource_pool_config;

typedef struct th_resource_slot th_resource_slot;

/* Its fields are the library's own. */
typedef struct th_resource_pool {
    th_resource_slot *slots;
    size_t idle; /* lists of slots, by number; the one given back last first */
    size_t idle_last;
    size_t empty;
    size_t idle_count;
    size_t asked_count; /* that validate has taken out of the idle ones */
    uint64_t turn;      /* how often one became idle */
    size_t out_count;
    size_t peak;
    uint64_t created;
    uint64_t destroyed;
    uint64_t invalid;
    uint64_t waits;
    uint64_t refusals;
    uint64_t generation;
    th_resource_pool_config config;
} th_resource_pool;

/* Starts a pool and makes resources_first resources. Fails, with nothing kept and *pool untouched,
 * iff pool, config, create or destroy is NULL (TH_ERR_NULL); resources_max is 0 (TH_ERR_TOO_SMALL)
 * or resources_first above it (TH_ERR_TOO_LARGE); the lock is not whole, wait_ns is not 0 and the
 * lock has no `wait`, there is no backing, it cannot allocate or free, or guarding.level is not 0
 * to 3 (TH_ERR_CONFIG); there is no memory for the slots (TH_ERR_EXHAUSTED); or create fails (its
 * status). */
th_status th_resource_pool_init(th_resource_pool *pool, const th_resource_pool_config *config);

/* Ends it with all resources, those that are out, too; *pool is zeroed. NULL is allowed. */
void th_resource_pool_clean_up(th_resource_pool *pool);

/* Lends a resource: an idle one that works, else a new one. *lease is zeroed on failure. Fails iff
 * there is none to take, which means that resources_max are out or worked on by a function of the
 * config in another thread's call at this moment, and `wait` gives up or the time is over
 * (TH_ERR_EXHAUSTED); create fails (its status), or a pointer is NULL or the pool zeroed
 * (TH_ERR_NULL). */
th_status th_resource_pool_take(th_resource_pool *pool, th_lease *lease);

/* Gives it back: it is idle, or ended if idle_max are idle, those included that validate asks in
 * another thread: so no more than idle_max are, unless init or reserve has made more.
 * TH_ERR_CORRUPT, with nothing done, for a lease that is over or never was (after a fault, see
 * above); TH_ERR_NULL as before. */
th_status th_resource_pool_give_back(th_resource_pool *pool, th_lease lease);

/* The same for one that does not work any more: it is ended. */
th_status th_resource_pool_discard(th_resource_pool *pool, th_lease lease);

/* Makes resources until `count` are idle, those included that validate asks in another thread,
 * whatever idle_max is. Fails as take, but does not wait; those that were made stay. */
th_status th_resource_pool_reserve(th_resource_pool *pool, size_t count);

/* Ends idle resources, the ones unused for longest first, until at most `kept` are left; returns
 * how many went. */
size_t th_resource_pool_trim(th_resource_pool *pool, size_t kept);

/* Asks every idle resource whether it works, one after the other, and ends those that do not;
 * returns how many. */
size_t th_resource_pool_validate(th_resource_pool *pool);

/* For the child after a fork, beside the renewal of its lock, which the thread that forked held
 * (docs/threads.md): there is no other thread there. Resources that a function of the config was
 * working on in another one are given up: whether they are there still nobody can say, and destroy
 * is not called for them. Their slots can be used again. What other threads had out stays out. Not
 * from inside a function of the config. TH_ERR_NULL as before. */
th_status th_resource_pool_renew(th_resource_pool *pool);

typedef struct th_resource_pool_stats {
    uint64_t out;
    uint64_t idle;
    uint64_t peak; /* the most that were out and idle together */
    uint64_t created;
    uint64_t destroyed; /* or given up by renew */
    uint64_t invalid;   /* ended because they did not work any more */
    uint64_t waits;     /* calls of `wait`, the config's or the lock's */
    uint64_t refusals;  /* takes that failed */
} th_resource_pool_stats;

/* All of them are 0 for NULL and a zeroed pool. */
th_resource_pool_stats th_resource_pool_get_stats(const th_resource_pool *pool);

/* Proves lists and counts. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be
 * NULL), or TH_OK; TH_ERR_NULL as before. O(resources_max). */
th_status th_resource_pool_check(const th_resource_pool *pool, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
