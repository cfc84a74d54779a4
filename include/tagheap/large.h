/* SPDX-License-Identifier: MIT */
/* Large blocks: each has memory of its own, whole mapped pages or one block of a backing
 * allocator, and goes back the moment it is freed. What is known of a block is kept beside, in a
 * slab of records, so that a block of n pages takes n pages, and no overflow reaches a record.
 *
 *   [requested bytes: open][canary at level 1: closed]      one mapping: whole pages
 *
 * With guard_pages a block ends where its pages end, and on both sides lies one that nobody may
 * touch: the first access after the block, reading or writing, is SIGSEGV, at the guilty line, in
 * any build. For programs under test, and for memory that input from outside is parsed into.
 *
 *   [page: no access][        requested bytes][page: no access]
 *
 * With kept_bytes_max, the pages of freed blocks are kept up to so many bytes, and given out again:
 * the system zeroes each page that it gives out, and stops the program at its first touch, which
 * costs far more than all that is done here. A block gets kept pages that are enough for it, and at
 * most a quarter more. Whatever notices an access to a freed block needs that it is not there any
 * more: nothing is kept at guard level 1 and above, with guard_pages, or with a tool. What is kept
 * goes back when there is no memory otherwise.
 *
 * Sizes are bytes; alignments are any powers of two.
 * Ownership: the th_large owns its blocks' memory and its records; the caller owns the th_large and
 * the backing, which must outlive it. A block is the caller's until it is freed, or all are. A
 * th_large must not be copied or moved once it is initialised.
 * Thread rule: one th_large, one thread at a time.
 * Complexity: O(log blocks) expected (with kept pages, TH_LARGE_KEPT_MAX more), and what the system
 * or the backing costs; for mapped pages that is a system call or two, and a page of memory and its
 * first touch for each page of the block. A search by an address that is no block's start goes
 * through all TH_LARGE_SETS sets. At level 1 O(a page) more, at level 3 O(blocks * a page).
 * Guards. Level 1: a pointer that comes back; the canary between the bytes asked for and the end of
 * the last page, verified when the block is freed or resized. (A backing gives as many bytes as are
 * asked for, and has guards of its own; what it does not take back when a block shrinks is canary,
 * too.) Higher levels: freed blocks are not there any more, so there is nothing to poison. In a
 * th_fault, `block` is TH_FAULT_NOWHERE, `offset` in bytes from the block's start; `found` of a
 * foreign pointer is its low 32 bits. A block that was freed is foreign. */
#ifndef TAGHEAP_LARGE_H
#define TAGHEAP_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/slab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Everything may be zero. */
typedef struct th_large_config {
    th_allocator backing;     /* of blocks and records; zeroed: mapped pages */
    size_t record_slab_bytes; /* of each slab of records; 0: a page, or 1024 over a backing */
    size_t kept_bytes_max;    /* of pages of freed blocks; not over a backing. 0: none */
    bool guard_pages;         /* around each block; not over a backing. At most alignment - 1 bytes
                                 lie between a block and the page after it: none at alignment 1.
                                 Up to a page lies in front, where nothing is noticed. Freed blocks
                                 are not mapped any more: use after free is SIGSEGV, too, until the
                                 system gives the addresses to somebody else. */
    th_guarding guarding;
} th_large_config;

struct th_large_record;

#define TH_LARGE_SETS     32 /* that the blocks are distributed to */
#define TH_LARGE_KEPT_MAX 32 /* freed blocks whose pages are kept at a time */

/* Pages of a freed block. */
typedef struct th_large_kept {
    unsigned char *start;
    size_t bytes;
} th_large_kept;

/* The control structure. Its fields are the library's own. Zeroed: an allocator without memory. */
typedef struct th_large {
    struct th_large_record *newest;  /* all blocks, newest first */
    size_t page;                     /* its size */
    th_range *ranges[TH_LARGE_SETS]; /* by a hash of where they begin */
    th_slab records;
    size_t live;
    size_t requested_bytes;
    size_t bytes;
    size_t bytes_max;
    uint64_t failed_allocs;
    size_t kept_bytes_max; /* 0 also where nothing may be kept */
    size_t kept_bytes;
    size_t kept_count;
    th_large_kept kept[TH_LARGE_KEPT_MAX]; /* oldest first */
    th_large_config config;
} th_large;

typedef struct th_large_stats {
    uint64_t live;          /* blocks */
    size_t requested_bytes; /* of them */
    size_t bytes;           /* their memory; with guard_pages, from each block to its pages' end.
                               Of what the system did not take back: th_pages_kept() */
    size_t bytes_max;       /* most at once */
    size_t kept_bytes;      /* of freed blocks */
    uint64_t failed_allocs; /* that returned NULL for want of memory */
} th_large_stats;

/* Starts an allocator with no block. *config is copied; NULL means all defaults. Fails, leaving
 * *large untouched, iff large is NULL (TH_ERR_NULL), the guard level is not 0 to 3, or the
 * backing cannot allocate or free, or there is one and guard_pages or kept_bytes_max too, or
 * record_slab_bytes is no power of two, or smaller than a page where there is no backing
 * (TH_ERR_CONFIG), or has no room for a record (TH_ERR_TOO_SMALL), or exceeds TH_SLAB_BYTES_MAX
 * (TH_ERR_TOO_LARGE). May be initialised again only after th_large_clean_up. O(1). */
th_status th_large_init(th_large *large, const th_large_config *config);

/* Gives back all memory, also what the system would not take before (tagheap/pages.h), and zeroes
 * *large. Every block is dead. NULL is allowed. O(blocks). */
void th_large_clean_up(th_large *large);

/* A block of `bytes` bytes, aligned to TH_ALLOCATOR_ALIGNMENT. On mapped pages it is zeroed. NULL
 * iff bytes is 0 or above PTRDIFF_MAX, or there is no memory for it or its record. */
void *th_large_alloc(th_large *large, size_t bytes);

/* The same at a multiple of `alignment`. NULL also iff that is not a power of two. */
void *th_large_alloc_aligned(th_large *large, size_t bytes, size_t alignment);

/* Frees a block. NULL is allowed, and does nothing. */
void th_large_free(th_large *large, void *block);

/* Makes the block `bytes` bytes long where it is: up to the end of its last page, or shorter, when
 * pages that are not needed go back; over a backing, longer if that can do it, and shorter in any
 * case: what it does not take back stays with the block; with guard_pages, longer only, by what its
 * alignment left after it, so that the page after it stays near. False, with nothing changed, iff
 * bytes is 0, that is not possible, block is NULL, or damage was met and reported. */
bool th_large_resize_in_place(th_large *large, void *block, size_t bytes);

/* The bytes that were asked for; 0 if block is NULL, or damage was met and reported. */
size_t th_large_requested_size(const th_large *large, const void *block);

/* What it may be resized to without moving: whole pages, or the bytes of the backing's block; 0 as
 * above. What is beyond the bytes asked for belongs to the guards until a resize. */
size_t th_large_usable_size(const th_large *large, const void *block);

/* Frees all blocks. From guard level 1 on everything is verified first: TH_ERR_CORRUPT, with
 * nothing done, after a fault. TH_ERR_NULL for NULL and a zeroed th_large; else TH_OK. O(blocks).
 */
th_status th_large_reset(th_large *large);

/* Gives back all kept pages; how many bytes that were. O(TH_LARGE_KEPT_MAX). */
size_t th_large_trim(th_large *large);

/* Is this address among the requested bytes of a live block? Any address may be asked about. */
bool th_large_owns(const th_large *large, const void *address);

/* O(1). */
th_large_stats th_large_get_stats(const th_large *large);

/* Proves records, counts and canaries. Raises no fault: TH_OK, or TH_ERR_CORRUPT with the first
 * thing wrong in *fault, which may be NULL. O(blocks * a page). TH_ERR_NULL for NULL and a zeroed
 * th_large. */
th_status th_large_check(const th_large *large, th_fault *fault);

/* As an allocator: mapped pages, for instance, as the backing of another one. A block that shrinks
 * moves if it would keep more than twice its size of a backing. */
th_allocator th_large_allocator(th_large *large);

#ifdef __cplusplus
}
#endif
#endif
