/* SPDX-License-Identifier: MIT */
/* Fallbacks: an allocator that takes from a first one, and when that has nothing, from a second
 * one: a pool or an arena on the stack before the heap, a heap before what is kept for emergencies.
 * Fallbacks of fallbacks make a chain.
 *
 * Whose a block is, the first allocator says (owns), so it must be able to. A block that its own
 * allocator cannot make longer moves to the other one; a pointer that is no block there, as far as
 * that can say (owns, usable_size), does not.
 *
 * Ownership: the caller owns the th_fallback, which must outlive its blocks; it holds no memory.
 * Thread rule: one fallback, one thread at a time.
 * Complexity: that of the two, plus the first one's owns for each free and resize.
 * Guards: none of its own. */
#ifndef TAGHEAP_FALLBACK_H
#define TAGHEAP_FALLBACK_H

#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_fallback_config {
    th_allocator first;
    th_allocator second;
    th_guarding guarding;
} th_fallback_config;

/* Its fields are the library's own. */
typedef struct th_fallback {
    uint64_t first_allocs;
    uint64_t second_allocs;
    uint64_t failed_allocs;
    th_fallback_config config;
} th_fallback;

/* Starts one. Fails, leaving *fallback untouched, iff fallback or config is NULL (TH_ERR_NULL); one
 * of the two allocators is zeroed or cannot allocate or free, the first one has no owns, or
 * guarding.level is not 0 to 3 (TH_ERR_CONFIG). */
th_status th_fallback_init(th_fallback *fallback, const th_fallback_config *config);

/* Ends it: *fallback is zeroed. Its blocks stay with their allocators. NULL is allowed. */
void th_fallback_clean_up(th_fallback *fallback);

/* Resets both. TH_ERR_UNSUPPORTED, with nothing done, iff one of them cannot; else the first status
 * that is not TH_OK, with the other one reset all the same; TH_ERR_NULL for NULL and a zeroed
 * fallback. */
th_status th_fallback_reset(th_fallback *fallback);

typedef struct th_fallback_stats {
    uint64_t first_allocs;  /* blocks made by the first allocator */
    uint64_t second_allocs; /* and by the second one */
    uint64_t failed_allocs; /* requests that neither could meet */
} th_fallback_stats;

/* All of them are 0 for NULL and a zeroed fallback. */
th_fallback_stats th_fallback_get_stats(const th_fallback *fallback);

/* Proves both. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or TH_OK;
 * TH_ERR_NULL as before. */
th_status th_fallback_check(const th_fallback *fallback, th_fault *fault);

/* The two as one allocator, valid until the fallback ends. */
th_allocator th_fallback_allocator(th_fallback *fallback);

#ifdef __cplusplus
}
#endif
#endif
