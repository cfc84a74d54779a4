/* SPDX-License-Identifier: MIT */
/* Reserves: an allocator around any allocator that sets a block aside while there is memory, and
 * gives it back to the backing when a request finds none: the request, and what has to be written,
 * closed and reported after it, have something to live on. The reserve is used up by that; refill
 * it when the emergency is over. A request for more than the reserve has fails without opening it.
 *
 * Ownership: the caller owns the th_reserve, which must outlive its blocks; it owns the block that
 * is set aside.
 * Thread rule: one reserve, one thread at a time.
 * Complexity: O(1) beside the backing's.
 * Guards: none of its own. */
#ifndef TAGHEAP_RESERVE_H
#define TAGHEAP_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Told that the reserve was opened, which is there for the request then: must take nothing of it.
 * To refill or end it from here raises TH_FAULT_REENTRY, and does nothing. */
typedef void (*th_reserve_opened_fn)(void *context);

typedef struct th_reserve_config {
    th_allocator backing;
    size_t bytes;                   /* to be set aside */
    th_reserve_opened_fn on_opened; /* NULL: none */
    void *context;
    th_guarding guarding;
} th_reserve_config;

/* Its fields are the library's own. */
typedef struct th_reserve {
    void *block; /* NULL: it is open */
    uint64_t openings;
    uint64_t failed_allocs;
    bool is_telling; /* inside on_opened */
    th_reserve_config config;
} th_reserve;

/* Starts one and sets the block aside. Fails, leaving *reserve untouched, iff reserve or config is
 * NULL (TH_ERR_NULL); bytes is 0 (TH_ERR_TOO_SMALL); there is no backing, it cannot allocate or
 * free, or guarding.level is not 0 to 3 (TH_ERR_CONFIG); or it has no such block
 * (TH_ERR_EXHAUSTED). */
th_status th_reserve_init(th_reserve *reserve, const th_reserve_config *config);

/* Ends it: the block that is set aside goes back; *reserve is zeroed. NULL is allowed. From inside
 * on_opened: nothing, after a fault. */
void th_reserve_clean_up(th_reserve *reserve);

/* Sets the block aside again, if it is not. TH_ERR_EXHAUSTED iff there is none to be had;
 * TH_ERR_BUSY from inside on_opened, after a fault; TH_ERR_NULL for NULL and a zeroed reserve. */
th_status th_reserve_refill(th_reserve *reserve);

/* Gives the block back now, before a request fails. False iff there is none. */
bool th_reserve_open(th_reserve *reserve);

typedef struct th_reserve_stats {
    size_t held_bytes;      /* set aside now */
    uint64_t openings;      /* how often it was given back */
    uint64_t failed_allocs; /* requests that found no memory all the same */
} th_reserve_stats;

/* All of them are 0 for NULL and a zeroed reserve. */
th_reserve_stats th_reserve_get_stats(const th_reserve *reserve);

/* Proves the backing. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or
 * TH_OK; TH_ERR_NULL as before. */
th_status th_reserve_check(const th_reserve *reserve, th_fault *fault);

/* The reserve as an allocator, valid until it ends. It has no reset, which would free the block
 * that is set aside; everything else is the backing's. */
th_allocator th_reserve_allocator(th_reserve *reserve);

#ifdef __cplusplus
}
#endif
#endif
