/* SPDX-License-Identifier: MIT */
/* Quotas: an allocator around any allocator, which gives out so many bytes and blocks and no more,
 * says when a soft threshold is crossed, and asks for memory to be given up before it refuses.
 *
 *   th_quota quota;
 *   th_quota_init(&quota, &(th_quota_config){.backing = backing, .bytes_max = 1 << 20,
 *                                            .blocks_max = TH_QUOTA_UNLIMITED});
 *   th_allocator limited = th_quota_allocator(&quota);
 *
 * What counts are the bytes asked for. Before each block it keeps 16 bytes, or as many as the
 * block's alignment if that is more:   [ gap, its last words the head ][ payload ].
 *
 * When a request does not fit, or the backing has no memory for it, the low-memory function is
 * called with the bytes that are missing. It may free blocks of this quota, and says whether it has
 * given anything up: as long as it says so, the request is tried again. While it runs, every
 * request to the quota is refused, but for blocks that become shorter in place; the block that is
 * being resized must not be freed or resized, nor the quota reset or ended: that raises
 * TH_FAULT_REENTRY, at every level, and does nothing.
 *
 * Ownership: the caller owns the th_quota; it must outlive its blocks. clean_up frees none.
 * Thread rule: one quota, one thread at a time.
 * Complexity: O(1) beside the backing's.
 * Guards: at level 1 and up a block whose head does not agree with its check word is not freed or
 * resized: TH_FAULT_HEADER, or TH_FAULT_DOUBLE_FREE if it says that it was freed; `block` and
 * `offset` are TH_FAULT_NOWHERE. A pointer that was never a block must not be given back: what lies
 * before it is read. */
#ifndef TAGHEAP_QUOTA_H
#define TAGHEAP_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TH_QUOTA_UNLIMITED SIZE_MAX

typedef enum th_quota_event {
    TH_QUOTA_ABOVE_SOFT = 0, /* more than bytes_soft are in use now */
    TH_QUOTA_BELOW_SOFT,     /* and now they are not any more */
    TH_QUOTA_REFUSED         /* a request was refused for the limits' sake */
} th_quota_event;

/* Told of an event, and of the bytes in use then. May use the quota; what is refused while it is
 * told of a refusal is counted only. */
typedef void (*th_quota_event_fn)(void *context, th_quota_event event, size_t used_bytes);

/* Gives up memory, `bytes` if it can; true: something was given up. */
typedef bool (*th_quota_low_memory_fn)(void *context, size_t bytes);

typedef struct th_quota_config {
    th_allocator backing;
    size_t bytes_max;                  /* in use at a time; 0: none at all. TH_QUOTA_UNLIMITED */
    size_t blocks_max;                 /* the same */
    size_t bytes_soft;                 /* 0: no soft threshold */
    th_quota_event_fn on_event;        /* NULL: none */
    th_quota_low_memory_fn low_memory; /* NULL: none */
    void *context;
    th_guarding guarding;
} th_quota_config;

/* Its fields are the library's own. */
typedef struct th_quota {
    size_t used_bytes;
    size_t peak_bytes;
    uint64_t blocks;
    uint64_t blocks_peak;
    uint64_t allocs;
    uint64_t refusals;
    uint64_t failed_allocs;
    uint64_t crossings;
    uint64_t low_memory_calls;
    const void *held; /* the block being resized, while low_memory is asked */
    bool is_above;
    bool is_asking;
    bool is_telling;
    th_quota_config config;
} th_quota;

/* Starts one, with nothing in use. Fails, leaving *quota untouched, iff quota or config is NULL
 * (TH_ERR_NULL); there is no backing, it cannot allocate or free, or guarding.level is not 0 to 3
 * (TH_ERR_CONFIG). */
th_status th_quota_init(th_quota *quota, const th_quota_config *config);

/* Ends it: *quota is zeroed. Blocks that are live then are lost. NULL is allowed. From inside
 * low_memory: nothing, after a fault. */
void th_quota_clean_up(th_quota *quota);

/* Other limits from now on. What is in use may be more than them: it stays, and nothing more is
 * given until it is less. TH_ERR_NULL for NULL and a zeroed quota. */
th_status th_quota_set_limits(th_quota *quota, size_t bytes_max, size_t blocks_max);

/* Frees all blocks by a reset of the backing, which frees everything that it has given to anyone.
 * Fails as that does; TH_ERR_BUSY from inside low_memory, after a fault; TH_ERR_NULL as before. */
th_status th_quota_reset(th_quota *quota);

typedef struct th_quota_stats {
    size_t used_bytes;
    size_t high_water_bytes;
    size_t left_bytes; /* until bytes_max */
    uint64_t blocks;
    uint64_t blocks_peak;
    uint64_t allocs;         /* blocks ever given out */
    uint64_t refusals;       /* requests refused for the limits' sake */
    uint64_t failed_allocs;  /* requests that found no memory in the backing */
    uint64_t soft_crossings; /* upwards */
    uint64_t low_memory_calls;
} th_quota_stats;

/* All of them are 0 for NULL and a zeroed quota. */
th_quota_stats th_quota_get_stats(const th_quota *quota);

/* Proves the counts, and the backing. TH_ERR_CORRUPT, with the first thing wrong in *fault (which
 * may be NULL), or TH_OK; TH_ERR_NULL as before. */
th_status th_quota_check(const th_quota *quota, th_fault *fault);

/* The quota as an allocator, valid until it ends. owns, usable_size and reset are those of the
 * backing. */
th_allocator th_quota_allocator(th_quota *quota);

#ifdef __cplusplus
}
#endif
#endif
