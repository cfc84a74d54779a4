/* SPDX-License-Identifier: MIT */
/* Thread caches: each thread keeps some blocks that it freed, and allocates those again without
 * asking the allocator that all share, nor any other thread.
 *
 *   thread 1            thread 2            shared by both
 *   [cache 0: kept]     [cache 1: kept]     [the backing: any allocator that threads may share]
 *        ^ returned: what others free        e.g. one behind a lock, th_system_allocator,
 *                                            th_concurrent_pool_allocator
 *
 * th_thread_caches is what the threads share: the backing, and an array of caches, one for each
 * thread that may take part at once. A thread joins, and has a cache until it leaves. Blocks of up
 * to block_bytes are all alike, of block_bytes, and are kept when they are freed; larger ones go
 * straight to the backing.
 *
 * A block belongs to the cache that allocated it. If another thread frees it, it is pushed to a
 * list of that cache's, which the thread of that cache empties when it has nothing else left to
 * give. If that thread has left, the block goes to the backing.
 *
 *   [header 16 bytes][payload block_bytes]      what is asked of the backing
 *
 * Bounds. A cache keeps at most kept_max blocks that its thread freed or took back; what is more
 * goes to the backing at once. On the list of what others freed there are at most as many as the
 * cache has allocated and not got back: they wait until its thread needs a block, flushes or
 * leaves. Progress: no call here waits for another thread, but for what the backing does; to free a
 * block of another cache's is lock-free.
 *
 * Sizes are bytes; payloads are aligned to 16, and no more can be asked for.
 * Ownership: the caller owns th_thread_caches, the array and the backing, which must outlive them;
 * no structure may be copied or moved once it is initialised. A block is the caller's until it is
 * freed, by whichever thread. All blocks come from the backing, and are back there after each
 * thread has freed what it has and left, and th_thread_caches_clean_up. Thread rule: a cache is for
 * the thread that joined, alone: th_thread_cache_alloc, _free, _flush, _leave, _get_stats and the
 * allocator. th_thread_cache_join is for any thread at any time. th_thread_caches_init, _clean_up,
 * _check and _get_stats are for one thread while no other one does anything here. What a thread did
 * to a block before it freed it has happened before the call returns that gives it to the next.
 * Complexity: O(1) but for the backing; the call that takes back what others freed O(blocks that it
 * takes back); th_thread_cache_join O(caches).
 * Guards. Level 1: of a pointer that is freed it is verified that a live block of these caches
 * starts there, by its header, which names them in 31 bits (those of another th_thread_caches that
 * lies within the same 8 GiB differ; of two farther apart, but for one case in 2^31); and of two
 * frees of the same block, also by two threads at once, one is told, as long as the block is kept
 * or waits; of one that is back in the backing, that is the backing's to notice. A pointer that has
 * no 16 readable bytes before it must not be given. Level 2 and 3 are as level 1. In a th_fault,
 * `block` is TH_FAULT_NOWHERE, `found` the low 32 bits of the pointer. Source: J. Bonwick and J.
 * Adams, "Magazines and Vmem", USENIX 2001, for caches by thread; D. Leijen and others, "Mimalloc",
 * 2019, for the list of what others free. */
#ifndef TAGHEAP_THREAD_CACHE_H
#define TAGHEAP_THREAD_CACHE_H

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

/* What a thread has done with its cache. Numbers of blocks since it joined. */
typedef struct th_thread_cache_stats {
    uint64_t hits;          /* allocated from what was kept */
    uint64_t misses;        /* allocated from the backing, larger ones not counted */
    uint64_t kept;          /* blocks that are kept now */
    uint64_t taken_back;    /* that others freed */
    uint64_t sent;          /* freed here, and another cache's */
    uint64_t given_back;    /* to the backing, because enough were kept, or at a flush */
    uint64_t failed_allocs; /* that returned NULL, since the backing had no memory */
} th_thread_cache_stats;

/* One thread's cache. Its fields are the library's own. */
typedef struct th_thread_cache {
    th_atomic_address returned;                          /* other threads push here */
    unsigned char apart[64 - sizeof(th_atomic_address)]; /* another cache line */
    struct th_thread_caches *all;
    uintptr_t kept; /* the header of the block freed last */
    size_t kept_count;
    uint32_t number;
    th_thread_cache_stats stats;
} th_thread_cache;

/* backing, block_bytes, caches and caches_count are needed. */
typedef struct th_thread_caches_config {
    th_allocator backing;    /* that any threads may use at once */
    size_t block_bytes;      /* of a block that is kept, at most PTRDIFF_MAX - 16 */
    size_t kept_max;         /* blocks in one cache; 0: 64 */
    th_thread_cache *caches; /* caches[0 .. caches_count-1], one for each thread at a time */
    size_t caches_count;     /* at most 2^32 - 2 */
    th_guarding guarding;
} th_thread_caches_config;

/* What threads share. Its fields are the library's own. Zeroed: none to join. */
typedef struct th_thread_caches {
    th_thread_caches_config config;
} th_thread_caches;

/* *config is copied. Fails, leaving *all and the caches untouched, iff
 *   all, config or config->caches is NULL (TH_ERR_NULL);
 *   this machine or compiler has no atomic operations that need no lock (TH_ERR_UNSUPPORTED);
 *   block_bytes or caches_count is 0, or the guard level is not 0 to 3, or there is no backing, or
 * it cannot allocate or free (TH_ERR_CONFIG); block_bytes or caches_count is above its limit
 * (TH_ERR_TOO_LARGE). O(caches_count). */
th_status th_thread_caches_init(th_thread_caches *all, const th_thread_caches_config *config);

/* Ends it: what the caches keep goes back to the backing, *all is zeroed. No thread may use its
 * cache any more. Blocks that are live stay the caller's, and can be freed no more. NULL is
 * allowed. */
void th_thread_caches_clean_up(th_thread_caches *all);

/* A cache for the calling thread. NULL iff all are taken, or all is NULL or zeroed. */
th_thread_cache *th_thread_cache_join(th_thread_caches *all);

/* Gives the cache back, at the end of its thread: all that it keeps goes to the backing, and so
 * will be what others free of its blocks. NULL is allowed. */
void th_thread_cache_leave(th_thread_cache *cache);

/* A block of `bytes` bytes at a multiple of 16, contents indeterminate. NULL iff bytes is 0 or
 * above PTRDIFF_MAX - 16, cache is NULL or of no thread, or the backing has no memory. */
void *th_thread_cache_alloc(th_thread_cache *cache, size_t bytes);

/* Frees a block of any cache of the same th_thread_caches; `cache` is the calling thread's. NULL is
 * allowed, and does nothing. */
void th_thread_cache_free(th_thread_cache *cache, void *pointer);

/* Takes back what others freed, and gives all that is kept to the backing. Returns how many blocks
 * went. */
size_t th_thread_cache_flush(th_thread_cache *cache);

th_thread_cache_stats th_thread_cache_get_stats(const th_thread_cache *cache);

/* The sum over all caches, of those threads that are there. */
th_thread_cache_stats th_thread_caches_get_stats(const th_thread_caches *all);

/* Proves the caches: lists, counts, and from level 1 on that everything on them is free. Raises no
 * fault: TH_OK, or TH_ERR_CORRUPT with the first thing wrong in *fault, which may be NULL.
 * TH_ERR_NULL for NULL and a zeroed one. */
th_status th_thread_caches_check(const th_thread_caches *all, th_fault *fault);

/* The cache as an allocator, for its thread. A block of up to block_bytes is resized in place up to
 * that. `check` is th_thread_caches_check. */
th_allocator th_thread_cache_allocator(th_thread_cache *cache);

#ifdef __cplusplus
}
#endif
#endif
