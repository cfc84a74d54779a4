/* SPDX-License-Identifier: MIT */
/* Buddy allocator: blocks of a power of two units, split and merged in halves.
 *
 *   one block of 16 units, 3 units asked for:     [ 4 ][ 4 ][    8    ]
 *                                                  live  free   free
 *
 * All bookkeeping lies outside the managed memory: nothing is ever written to a block or to free
 * memory (poison at guard level 2 excepted), so the memory may be one that the processor must not
 * touch; and nothing that a caller writes can damage the bookkeeping. Source: Knowlton 1965. Which
 * memory is free is in a tree of 64-bit words: at the bottom a bit for each unit; above it a byte
 * for each word below, with the order of the largest free block there.
 *
 * Use it where blocks of many sizes come and go, and the time of each call must be bounded. It
 * wastes less than half of each block.
 *
 * Blocks are aligned to their own size at absolute addresses, whatever the alignment of the memory:
 * units that lie outside it count as used for ever. A request for an alignment above its size takes
 * a block of that size.
 * The ends of the address space. Memory never begins at address 0 (init takes that for NULL), and
 * no block does: give what lies there from its first unit on. Memory that reaches the last byte of
 * all is refused (TH_ERR_TOO_LARGE), for its end would be address 0: give it without that byte, and
 * its last unit is not used. Sizes and alignments are bytes. Ownership: the caller owns memory,
 * bookkeeping and the th_buddy, or the backing does (th_buddy_create). Blocks are the caller's
 * until freed. Thread rule: one buddy allocator, one thread at a time. Complexity: O(log n) for n
 * units: the tree has (log2 n) / 3 levels, at most 10; an allocation reads one word of each, and
 * it or a free changes one word of each at the most. Init, reset and check are O(n), and the guards
 * take at level 2 O(bytes of the block) more, at level 3 O(n + bytes). Guards: 1: pointers
 * are verified (foreign, misaligned, not a block, double free), and a canary between the bytes
 * asked for and the block's end; 2: poison in freed blocks, verified before they are used again; 3:
 * the checker after each call. In a th_fault `block` is the number of the block's first unit. */
#ifndef TAGHEAP_BUDDY_H
#define TAGHEAP_BUDDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Everything optional: a zeroed config is a good one. */
typedef struct th_buddy_config {
    size_t unit; /* the smallest block: a power of two from 16 up; 0 means 64 */
    th_guarding guarding;
} th_buddy_config;

/* Its fields are the library's own. Zeroed, it is a buddy allocator without memory. */
typedef struct th_buddy {
    uintptr_t origin;    /* address of unit 0: a multiple of the largest block, perhaps below the
                            memory */
    uintptr_t low, high; /* the units inside the memory: [low, high) are addresses */
    uint64_t *tree;      /* of free blocks, in words of 64 bits (src/alloc/buddy_tree.h) */
    uint8_t *live;       /* of each unit: 1 + log2 of the units of the block that begins there; 0:
                            none does */
    size_t *slack;       /* of each block that is live or was, at its first unit: bytes after those
                            asked for; NULL without guards */
    uint8_t *used;       /* of each unit: was it ever part of a block? NULL below level 2 */
    uint8_t unit_log2;
    uint8_t order_max; /* units = 1 << order_max */
    uint8_t largest;   /* 1 + log2 of the units of the largest free block; 0: none is free */
    size_t live_bytes; /* of whole blocks */
    size_t high_water_bytes;
    size_t live_blocks;
    uint64_t failed_allocs;
    th_buddy_config config;
    th_allocator backing; /* of th_buddy_create; else zeroed */
    void *owned;          /* the bookkeeping, if it is the backing's */
} th_buddy;

/* The bytes of bookkeeping that init needs for this memory, or 0 if the config or the size is not
 * acceptable. It depends on the address: with 64-byte units 2 % of the next power of two that
 * covers the memory, or twice that if the memory straddles a large power of two; with guards, or in
 * builds for ASan, MSan or Valgrind, up to nine times as much. */
size_t th_buddy_bookkeeping_bytes(const void *memory, size_t bytes, const th_buddy_config *config);

/* Starts with all of memory[0 .. bytes-1] free, what is no whole unit at its ends excepted. The
 * memory is not touched; bookkeeping[0 .. bookkeeping_bytes-1] must be aligned to 8. config may be
 * NULL. Fails, leaving *buddy untouched, iff a pointer is NULL (TH_ERR_NULL), the unit is no power
 * of two or below 16 (TH_ERR_ALIGNMENT), the guard level is not 0 to 3 (TH_ERR_CONFIG), there is no
 * whole unit in the memory, or not enough bookkeeping (TH_ERR_TOO_SMALL), the tree would cover more
 * than 2^30 units (TH_ERR_TOO_LARGE: 2^29 that straddle a large power of two do), or bytes exceeds
 * PTRDIFF_MAX, or the memory reaches the last byte of the address space (TH_ERR_TOO_LARGE, too), or
 * the bookkeeping is misaligned (TH_ERR_MISALIGNED). */
th_status th_buddy_init(th_buddy *buddy, void *memory, size_t bytes, void *bookkeeping,
                        size_t bookkeeping_bytes, const th_buddy_config *config);

/* The same with `bytes` bytes of memory and the bookkeeping taken from `backing`. Fails also with
 * TH_ERR_EXHAUSTED, and with TH_ERR_CONFIG if the backing cannot allocate or free. */
th_status th_buddy_create(th_buddy *buddy, th_allocator backing, size_t bytes,
                          const th_buddy_config *config);

/* Ends it: the memory is ordinary again, or back with its backing; *buddy is zeroed. NULL is
 * allowed. */
void th_buddy_clean_up(th_buddy *buddy);

/* A block of `bytes` bytes, aligned to TH_ALLOCATOR_ALIGNMENT at least, contents indeterminate.
 * Of the smallest order that fits; of several the lowest. NULL iff bytes is 0 or no block of that
 * order is free (which failed_allocs counts), or after a fault. */
void *th_buddy_alloc(th_buddy *buddy, size_t bytes);

/* The same at a multiple of `alignment`. NULL also iff that is no power of two. */
void *th_buddy_alloc_aligned(th_buddy *buddy, size_t bytes, size_t alignment);

/* Makes the block `bytes` bytes long, where it is: halves that are not needed any more are freed;
 * halves above it are taken if they are free. False, with nothing changed, iff pointer is NULL,
 * bytes is 0, a half above is not free or the block is not the lower half, or after a fault. The
 * alignment that was asked for still holds. */
bool th_buddy_resize_in_place(th_buddy *buddy, void *pointer, size_t bytes);

/* Frees the block and merges it with its buddy as long as that is free. NULL is allowed. */
void th_buddy_free(th_buddy *buddy, void *pointer);

/* Frees everything. TH_OK, or TH_ERR_NULL for NULL and a zeroed allocator. */
th_status th_buddy_reset(th_buddy *buddy);

/* The bytes of the block: a power of two, at least those asked for. 0 for NULL; with guards, a
 * pointer that is no block raises a fault and gives 0. */
size_t th_buddy_usable_size(const th_buddy *buddy, const void *pointer);

/* Does the address lie in a live block? */
bool th_buddy_owns(const th_buddy *buddy, const void *address);

typedef struct th_buddy_stats {
    size_t managed_bytes; /* of whole units inside the memory */
    size_t live_bytes;    /* of whole blocks */
    size_t high_water_bytes;
    size_t free_bytes;
    size_t largest_free_bytes; /* of the largest block that can be had */
    uint64_t live;
    uint64_t failed_allocs;
} th_buddy_stats;

/* O(1). */
th_buddy_stats th_buddy_get_stats(const th_buddy *buddy);

/* Proves the tree against its leaves, counts, canaries and poison. Raises no fault: TH_OK or, with
 * *fault (which may be NULL) filled in, TH_ERR_CORRUPT; TH_ERR_NULL for NULL and a zeroed
 * allocator. */
th_status th_buddy_check(const th_buddy *buddy, th_fault *fault);

th_allocator th_buddy_allocator(th_buddy *buddy);

#ifdef __cplusplus
}
#endif
#endif
