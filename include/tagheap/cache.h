/* SPDX-License-Identifier: MIT */
/* A cache over a tagged heap, by way of handles: entries are found by key, pinned while they are in
 * use, moved when the heap is compacted, and evicted when room is needed.
 *
 *   key --> entry [ handle | tag | bytes ] --> slot --> block in the heap
 *
 * A new entry gets its room like this, in this order: a free block of the heap that fits; else
 * compaction, if that makes one; else the next victim is evicted, and again from the start. When
 * nothing is left that may go, the request fails with a status, and all that is pinned is as it
 * was. Pinned entries neither move nor go.
 *
 * Policies. LRU: the entry that was used longest ago goes. SIEVE: entries stay in the order in
 * which they came; a hand goes from the oldest to the youngest and round again, passes over entries
 * that were used since it last came by (and takes the mark off them), and evicts the first that was
 * not. A hit costs one bit, and what is used once does not push out what is used again and again.
 * docs/cache.md compares the two, and the optimum, on recorded accesses.
 *
 * Keys are 64 bits, and whatever the caller makes of them: numbers, names of up to eight bytes, the
 * hash of a path. Sizes are bytes. Which pointers die: an address from th_cache_get with the next
 * call that inserts, loads, evicts or invalidates, or that changes the heap; a pinned one with the
 * last unpin.
 * Ownership: the caller owns th_cache, the handles, the heap, and the memory of the table; entries'
 * handles are the cache's, which is to end before the handles do, and is as if zeroed once they
 * have ended. The handles may have other users: what they made purgeable goes before entries do.
 * Thread rule: cache, handles and heap together, one thread at a time. Callbacks (on_evict, a
 * loader, the heap's hooks) must not call the cache: that raises TH_FAULT_REENTRY and does nothing.
 * Only th_cache_contains and th_cache_get_stats may be called. Nor may they freeze the heap.
 * While the heap is frozen (th_heap_freeze) entries are found and used as ever: get, pin, unpin, a
 * load of what is there, and all questions go on, count, and are a use for the policy, whose order
 * is kept in the table. That must lie elsewhere if the heap's pages are read-only (page_heap.h).
 * What would make an entry or end one raises TH_FAULT_FROZEN and does nothing: insert, a load of
 * what is not there, invalidate, invalidate_tags, trim, reset, clean_up. Faults, at every level:
 * REENTRY, FROZEN, and what the handles raise (TH_FAULT_UNPINNED). At level 3 the checker runs
 * after each call that changes something. Source: SIEVE is that of Zhang, Yang, Yue, Vigfusson and
 * Rashmi, "SIEVE is simpler than LRU", NSDI 2024; pinned entries are passed over. */
#ifndef TAGHEAP_CACHE_H
#define TAGHEAP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/handles.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_cache_policy { TH_CACHE_LRU, TH_CACHE_SIEVE } th_cache_policy;

/* Why an entry goes. */
typedef enum th_cache_reason {
    TH_CACHE_EVICTED,    /* for room */
    TH_CACHE_INVALIDATED /* th_cache_invalidate..., a new entry of its key, reset, clean_up */
} th_cache_reason;

/* Told of each entry before it goes, with its contents. False: an eviction is refused (the contents
 * could not be written back, for example): the entry stays, as if it had been used now, and another
 * one is looked for; each is asked once for each block to be evicted. An invalidation is not
 * refused. */
typedef bool (*th_cache_evict_fn)(void *context, uint64_t key, void *payload, size_t bytes,
                                  th_cache_reason reason);

/* Fills the payload of a new entry. Anything but TH_OK: the entry goes again, and th_cache_load
 * returns it. */
typedef th_status (*th_cache_load_fn)(void *context, uint64_t key, void *payload, size_t bytes);

/* What the cache keeps for an entry; the library's own. */
typedef struct th_cache_entry {
    uint64_t key;
    size_t bytes;
    th_handle handle;
    uint32_t tag;
    uint32_t older, younger; /* neighbours in the order of the policy; UINT32_MAX: none */
    uint32_t next;           /* in its bucket; or the next unused one */
    bool visited;            /* SIEVE: used since the hand came by */
} th_cache_entry;

/* The bytes that a table for so many entries takes; 0 if there are too many (2^30; on
 * 32-bit machines 2^24). */
size_t th_cache_table_bytes(size_t entries);

typedef struct th_cache_config {
    th_handles *handles;
    void *memory;        /* of the table, aligned as th_cache_entry is */
    size_t memory_bytes; /* how many entries there can be: th_cache_table_bytes says for how many */
    size_t bytes_max;    /* of all entries together; 0: what the heap holds */
    th_cache_policy policy;
    th_cache_evict_fn on_evict; /* NULL: none */
    void *evict_context;
    th_guarding guarding;
} th_cache_config;

/* Its fields are the library's own. Zeroed, it has no entries, and every call says so. */
typedef struct th_cache {
    th_cache_entry *entries;
    uint32_t *buckets;
    uint32_t entries_max, bucket_mask;
    uint32_t count, unused;
    uint32_t oldest, youngest, hand;
    size_t live_bytes;
    uint64_t hits, misses, inserts, evictions, refusals, invalidations, failures;
    bool busy; /* inside a callback */
    th_cache_config config;
} th_cache;

/* Starts without entries. Fails, leaving *cache untouched, iff cache, config, its memory or its
 * handles are NULL or zeroed (TH_ERR_NULL), policy or level are none (TH_ERR_CONFIG), the memory is
 * misaligned (TH_ERR_MISALIGNED), holds no entry (TH_ERR_TOO_SMALL), or more than there can be
 * (TH_ERR_TOO_LARGE). O(entries). */
th_status th_cache_init(th_cache *cache, const th_cache_config *config);

/* Every entry is invalidated, pinned ones too, and *cache is zeroed. NULL is allowed; from inside a
 * callback, and while the heap is frozen, it does nothing, after a fault. O(entries log u). */
void th_cache_clean_up(th_cache *cache);

/* The payload of the entry with that key, and its size in *bytes (which may be NULL); NULL if there
 * is none, or after a fault. Counts a hit or a miss, and as a use for the policy. Expected O(1). */
void *th_cache_get(th_cache *cache, uint64_t key, size_t *bytes);

/* The same, and the entry neither moves nor goes until th_cache_unpin has been called as often.
 * NULL also if it cannot be pinned more often (2^32 - 1). */
void *th_cache_pin(th_cache *cache, uint64_t key, size_t *bytes);

/* Takes one pin back. TH_OK; TH_ERR_UNKNOWN: no such key; TH_ERR_STALE after a fault: not pinned;
 * TH_ERR_NULL; TH_ERR_BUSY after a fault. Expected O(1). */
th_status th_cache_unpin(th_cache *cache, uint64_t key);

/* Is there an entry? Counts nothing, and as no use. Expected O(1). */
bool th_cache_contains(const th_cache *cache, uint64_t key);

/* A new entry of `bytes` bytes under `tag`, of indeterminate contents, whose payload is *payload.
 * An old entry of that key is invalidated first, and is gone whatever comes after. Fails, *payload
 * being NULL, iff payload is NULL or the cache is zeroed (TH_ERR_NULL); from inside a callback or
 * while the heap is frozen (TH_ERR_BUSY, with a fault: the old entry stays); bytes is 0 or the heap
 * has no such tag (TH_ERR_CONFIG); bytes is above bytes_max or what the heap manages
 * (TH_ERR_TOO_LARGE); the old entry is pinned (TH_ERR_PINNED: it stays); or nothing is left to
 * evict (TH_ERR_EXHAUSTED). O(log u) for each entry evicted; O(n + bytes moved) for a compaction.
 */
th_status th_cache_insert(th_cache *cache, uint64_t key, size_t bytes, uint32_t tag,
                          void **payload);

/* th_cache_get; on a miss th_cache_insert, and `load` fills the payload, pinned meanwhile. Fails as
 * th_cache_insert does, with what `load` returns, or with TH_ERR_NULL if that is NULL. */
th_status th_cache_load(th_cache *cache, uint64_t key, size_t bytes, uint32_t tag,
                        th_cache_load_fn load, void *context, void **payload);

/* The entry goes. TH_OK; TH_ERR_UNKNOWN; TH_ERR_PINNED: it stays; TH_ERR_NULL; TH_ERR_BUSY after a
 * fault. Expected O(log u). */
th_status th_cache_invalidate(th_cache *cache, uint64_t key);

/* Every entry with low <= tag <= high that is not pinned goes; how many, which is 0 after a fault.
 * O(entries). */
uint64_t th_cache_invalidate_tags(th_cache *cache, uint32_t low, uint32_t high);

/* Evicts by the policy until all entries together have at most `bytes` bytes, or nothing is left
 * that may go; the bytes that went. 0 after a fault. */
size_t th_cache_trim(th_cache *cache, size_t bytes);

/* Every entry is invalidated, pinned ones too. TH_OK, TH_ERR_NULL, or TH_ERR_BUSY after a fault.
 * O(entries log u). */
th_status th_cache_reset(th_cache *cache);

typedef struct th_cache_stats {
    uint64_t entries, entries_max;
    size_t live_bytes; /* requested bytes of the entries */
    uint64_t hits, misses, inserts;
    uint64_t evictions, refusals; /* entries that went for room, and that on_evict kept */
    uint64_t invalidations;       /* entries that went otherwise */
    uint64_t failures;            /* inserts that ended with TH_ERR_EXHAUSTED */
    uint64_t moves;               /* of blocks, by the handles */
} th_cache_stats;

/* O(1). */
th_cache_stats th_cache_get_stats(const th_cache *cache);

/* Proves buckets, order, counts, and that each entry's handle has a block of its size and tag.
 * Raises no fault: TH_OK, TH_ERR_CORRUPT with *fault (which may be NULL) filled in (block: the
 * entry), or TH_ERR_NULL. It does not check handles and heap. O(entries). */
th_status th_cache_check(const th_cache *cache, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
