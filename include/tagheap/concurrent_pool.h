/* SPDX-License-Identifier: MIT */
/* Concurrent pool: objects of one size, for any number of threads at once, without a lock.
 *
 *   [object 0][object 1] ... [object n-1][wall][link 0][link 1] ... [link n-1]
 *
 * The free objects are a stack: an allocation takes the one that was freed last (in a new pool the
 * lowest). A link is a number, not an address, and stands beside the objects: none is read in
 * memory that is somebody's already. The top of the stack is one word of 64 bits: its number, and a
 * tag that each allocation changes, so that a thread that was stopped in the middle notices (ABA)
 * if 2^32 allocations, or a multiple of that to the one, were not done meanwhile.
 *
 * Progress: lock-free. A thread that is stopped anywhere, or killed, holds up no other one (an
 * object that it was just taking or freeing is lost if it never goes on). A call is repeated
 * inside only when another thread's call succeeded; so a single thread may be delayed without
 * bound by others: not wait-free. Fault handlers and a backing may block; the backing is asked in
 * th_concurrent_pool_init and _clean_up only. th_concurrent_pool_alloc and _free may be called from
 * a signal handler.
 *
 * Sizes are bytes. Objects lie `stride` bytes apart: object_bytes rounded up to the alignment. What
 * they hold may be of any kind: the library writes to none that is live.
 * Ownership: the caller owns the th_concurrent_pool, the memory and the backing, which must outlive
 * it. An object is the caller's from the call that returns it until it is freed, by whichever
 * thread. A th_concurrent_pool must not be copied or moved once it is initialised.
 * Thread rule: any threads may call th_concurrent_pool_alloc, _free, _owns, _get_stats and what
 * th_concurrent_pool_allocator gives, at any time. _init, _clean_up, _reset and _check are for one
 * thread while no other one uses the pool. What a thread did to an object before it freed it has
 * happened before (C11 5.1.2.4) the call returns that gives it to the next.
 * Complexity: th_concurrent_pool_init, _reset and _check O(capacity), the first two touch no
 * object; an allocation and a free O(1) if no other thread gets in between. At guard level 2 both
 * cost O(object_bytes) more.
 * Guards. Level 1: pointers that come back are verified: one that is none of the pool's, none of an
 * object, or freed already (by whichever thread: of two that free the same object at once, one is
 * told); and the canary between object_bytes and the stride. Level 2: poison in free objects,
 * verified when the object is taken. Level 3 is as level 2 here: to prove the whole pool after each
 * operation it would have to be still. In a th_fault, `block` is the number of the object,
 * `offset` in bytes from object 0; `found` of a foreign pointer its low 32 bits.
 * Source: R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986. */
#ifndef TAGHEAP_CONCURRENT_POOL_H
#define TAGHEAP_CONCURRENT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/atomic.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* object_bytes, and memory or a backing with a capacity, are needed; all else may be zero. */
typedef struct th_concurrent_pool_config {
    size_t object_bytes;
    size_t alignment; /* of each object, any power of two; 0: the largest that divides
                         object_bytes, at most 16 */
    void *memory;     /* at a multiple of the alignment and of 4; NULL: from the backing */
    size_t memory_bytes;
    th_allocator backing; /* used only if memory is NULL, once */
    size_t capacity;      /* objects; with memory: at most so many, 0: as many as fit */
    th_guarding guarding;
} th_concurrent_pool_config;

/* The control structure. Its fields are the library's own. Zeroed: a pool without objects. */
typedef struct th_concurrent_pool {
    th_atomic_u64 head;      /* changes all the time; what follows, but failed_allocs, never does */
    unsigned char apart[56]; /* another cache line */
    unsigned char *objects;
    th_atomic_u32 *links;
    size_t stride;
    size_t alignment;
    size_t capacity;
    void *block; /* the backing's; NULL: the caller's memory */
    th_concurrent_pool_config config;
    th_atomic_u64 failed_allocs;
} th_concurrent_pool;

typedef struct th_concurrent_pool_stats {
    uint64_t live;          /* objects; while other threads work, each is counted as it was at some
                               moment of the call */
    uint64_t capacity;      /* objects */
    size_t object_bytes;    /* as configured */
    size_t stride_bytes;    /* from one object to the next */
    uint64_t failed_allocs; /* that returned NULL for want of an object */
} th_concurrent_pool_stats;

/* The memory that `count` objects need, in bytes: th_concurrent_pool_init over as much has room for
 * exactly that many. 0 if the config is NULL or would be refused for its object_bytes or alignment,
 * or the count is 0 or above 2^32 - 3, or the result would exceed PTRDIFF_MAX. O(1). */
size_t th_concurrent_pool_bytes(const th_concurrent_pool_config *config, size_t count);

/* Starts a pool. *config is copied. Fails, leaving *pool untouched, iff
 *   pool or config is NULL (TH_ERR_NULL);
 *   this machine or compiler has no atomic operations that need no lock, TH_ATOMIC of atomic.h is 0
 *   (TH_ERR_UNSUPPORTED);
 *   object_bytes is 0, or the guard level is not 0 to 3, or there is neither memory nor a backing
 *   with a capacity, or the backing cannot allocate or free (TH_ERR_CONFIG);
 *   the alignment is neither 0 nor a power of two (TH_ERR_ALIGNMENT);
 *   an object cannot be addressed, or memory_bytes exceeds PTRDIFF_MAX, or a backing is to give
 *   more than 2^32 - 3 objects or PTRDIFF_MAX bytes (TH_ERR_TOO_LARGE);
 *   memory is given and is not aligned (TH_ERR_MISALIGNED), or has no room for one object
 *   (TH_ERR_TOO_SMALL); the backing has no memory (TH_ERR_EXHAUSTED).
 * A pool may be initialised again only after th_concurrent_pool_clean_up. */
th_status th_concurrent_pool_init(th_concurrent_pool *pool,
                                  const th_concurrent_pool_config *config);

/* Ends the pool: the memory goes back to the backing, the caller's is ordinary again, *pool is
 * zeroed. Every object is dead. NULL is allowed. */
void th_concurrent_pool_clean_up(th_concurrent_pool *pool);

/* An object, contents indeterminate. NULL iff at some moment of the call all objects were in use,
 * or damage was met and reported. */
void *th_concurrent_pool_alloc(th_concurrent_pool *pool);

/* Frees an object. NULL is allowed, and does nothing. */
void th_concurrent_pool_free(th_concurrent_pool *pool, void *object);

/* Frees all objects. They are then handed out lowest first, as in a new pool. TH_ERR_NULL for NULL
 * and a zeroed pool, from guard level 1 on TH_ERR_CORRUPT, with nothing done, after a fault; else
 * TH_OK. From guard level 1 on it costs what th_concurrent_pool_check does. */
th_status th_concurrent_pool_reset(th_concurrent_pool *pool);

/* Is this address in an object that is live? Any address may be asked about. Of an object that
 * another thread is allocating or freeing the answer may be either. O(1). */
bool th_concurrent_pool_owns(const th_concurrent_pool *pool, const void *address);

/* All members are 0 for NULL and a zeroed pool. O(capacity). */
th_concurrent_pool_stats th_concurrent_pool_get_stats(const th_concurrent_pool *pool);

/* Proves the pool: the stack, that each object is on it or live, canaries and poison, as far as its
 * level keeps them. Raises no fault: TH_OK, or TH_ERR_CORRUPT with the first thing wrong in *fault,
 * which may be NULL. TH_ERR_NULL for NULL and a zeroed pool. */
th_status th_concurrent_pool_check(const th_concurrent_pool *pool, th_fault *fault);

/* The pool as an allocator: of blocks up to object_bytes, at alignments up to the pool's (configure
 * 16 for th_allocator_alloc). Each is a whole object, and a resize up to object_bytes is done in
 * place. */
th_allocator th_concurrent_pool_allocator(th_concurrent_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
