/* SPDX-License-Identifier: MIT */
/* One interface for every allocator: a table of functions and the object they work on. Every
 * allocator of this library can be used through it, and those that need memory themselves take
 * another allocator through it, their backing, so that they compose: an arena over a pool over
 * the tagged heap. Whatever fills in a th_allocator_table takes part.
 *
 * A th_allocator is two pointers, passed by value; it owns nothing. It is valid as long as the
 * object behind it. Zeroed, it is an allocator that has no memory.
 * Sizes and alignments are bytes. Alignments are powers of two.
 * Ownership: a block belongs to the caller from the call that returned it until it is freed, its
 * allocator is reset or cleaned up, or a resize returned another address for it.
 * Errors: a request that cannot be met returns NULL or false, with nothing changed. Misuse raises
 * a fault (fault.h) as the allocator behind it says; where nothing is checked (the system's
 * malloc, guard level 0) it is undefined.
 * Thread rule: that of the allocator behind it. */
#ifndef TAGHEAP_ALLOCATOR_H
#define TAGHEAP_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/compiler.h"
#include "tagheap/fault.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The alignment that suits every object of the language: what th_allocator_alloc gives. */
#define TH_ALLOCATOR_ALIGNMENT TH_SIZE_C(16)

/* The same for storage of one's own; it stands first in the declaration:
 *   TH_ALLOCATOR_ALIGNAS static unsigned char memory[8192]; */
#if defined(__cplusplus)
#define TH_ALLOCATOR_ALIGNAS alignas(16)
#else
#define TH_ALLOCATOR_ALIGNAS _Alignas(16)
#endif

/* The functions of an allocator. Callers go through th_allocator_*, which check the arguments
 * first: a function of the table sees alignment a power of two, 0 < bytes <= PTRDIFF_MAX, and
 * pointers that are not NULL. `self` is th_allocator.self. */
typedef struct th_allocator_table {
    /* A block of at least `bytes` bytes at a multiple of `alignment`, contents indeterminate;
     * NULL if there is none. Required. */
    void *(*alloc)(void *self, size_t bytes, size_t alignment);

    /* Ends the life of a block. An allocator that can only free everything at once (reset) may
     * do nothing. Required. */
    void (*free)(void *self, void *pointer);

    /* Makes the block `bytes` bytes long without moving it. False: it is as it was. Optional.
     * What becomes shorter has to give memory back, or to move: below half of its usable size, this
     * succeeds only if the block then has at most twice `bytes`, or no more than a new block of
     * that size may have (where every block is an object, or whole pages, or keeps what is too
     * little for a block of its own). Down to half it may keep what it has. Where memory is freed
     * all at once (bump, arena, region, frame) or in order (fifo), what is not the last block keeps
     * it until then. */
    bool (*resize_in_place)(void *self, void *pointer, size_t bytes);

    /* Makes it `bytes` bytes long, moving it if that is necessary, and keeps its first
     * min(kept, bytes) bytes; `alignment` as it was allocated with. NULL: it is as it was.
     * Optional: for allocators that do better than allocate, copy and free. resize_in_place, if
     * there is one, was asked just before, and could not. */
    void *(*realloc)(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment);

    /* Frees every block at once. TH_OK, or why nothing was done: TH_ERR_CORRUPT after a fault,
     * TH_ERR_NULL for an object that was not started or has ended. Optional. */
    th_status (*reset)(void *self);

    /* Does the address lie in memory that belongs to a live block of this allocator (or may: an
     * allocator that keeps no record of its blocks answers for all the memory it manages)?
     * Optional. */
    bool (*owns)(const void *self, const void *pointer);

    /* What a live block could be resized to without moving, >= the bytes asked for: so much may be
     * written once it is. Beyond the bytes asked for it is not the caller's before that: guards and
     * tools watch it. Optional. */
    size_t (*usable_size)(const void *self, const void *pointer);

    /* Proves the structure. Raises no fault: describes the first thing wrong in *fault (which may
     * be NULL) and returns TH_ERR_CORRUPT, TH_OK, or TH_ERR_NULL for an object that was not started
     * or has ended. Optional. */
    th_status (*check)(const void *self, th_fault *fault);
} th_allocator_table;

typedef struct th_allocator {
    const th_allocator_table *table;
    void *self;
} th_allocator;

/* A block of `bytes` bytes, aligned to TH_ALLOCATOR_ALIGNMENT, contents indeterminate. NULL iff
 * bytes is 0 or above PTRDIFF_MAX, or the allocator has no such block left. The complexity of
 * this and the following calls is that of the allocator, plus O(bytes) where contents are
 * written. */
void *th_allocator_alloc(th_allocator allocator, size_t bytes);

/* The same at a multiple of `alignment`; NULL also if that is not a power of two. */
void *th_allocator_alloc_aligned(th_allocator allocator, size_t bytes, size_t alignment);

/* Zeroed: bytes [0, bytes) are 0. */
void *th_allocator_alloc_zeroed(th_allocator allocator, size_t bytes);

/* Counted: count * size bytes. NULL also if the product overflows. */
void *th_allocator_alloc_array(th_allocator allocator, size_t count, size_t size);
void *th_allocator_alloc_array_zeroed(th_allocator allocator, size_t count, size_t size);

/* A copy of source[0 .. bytes-1]. NULL also if source is NULL. */
void *th_allocator_duplicate(th_allocator allocator, const void *source, size_t bytes);

/* A copy of a string with its NUL; of at most `length_max` characters of it, with a NUL. */
char *th_allocator_duplicate_string(th_allocator allocator, const char *string, size_t length_max);

/* Batch: `count` blocks of `bytes` bytes each, their addresses in blocks[0 .. count-1]. All or
 * nothing: on false every block that was made has been freed again, and blocks[] holds NULLs.
 * (An allocator whose free does nothing keeps their memory until its next reset.) True for
 * count 0, whatever the rest is; else false also if bytes is 0 or blocks is NULL. */
bool th_allocator_alloc_batch(th_allocator allocator, size_t bytes, size_t alignment,
                              void *blocks[], size_t count);

/* Frees blocks[0 .. count-1], last first, NULLs skipped, and sets them to NULL. */
void th_allocator_free_batch(th_allocator allocator, void *blocks[], size_t count);

/* Makes the block at `pointer` `bytes` bytes long, in place whenever the allocator can, else by
 * moving it, and keeps its first min(kept, bytes) bytes. `kept` is at most the bytes that it
 * was allocated with; alignment is the one that it was allocated with. If moved is not NULL, *moved
 * says whether the address changed (false on failure). 0 bytes free the block: NULL. Otherwise NULL
 * iff bytes is above PTRDIFF_MAX, the alignment is no power of two, or there is no memory: the
 * block is as it was. A NULL pointer allocates. */
void *th_allocator_realloc(th_allocator allocator, void *pointer, size_t kept, size_t bytes,
                           size_t alignment, bool *moved);

/* An array of `count` elements of `size` bytes becomes one of `new_count`; alignment
 * TH_ALLOCATOR_ALIGNMENT. NULL also if a product overflows: the array is as it was. A product of 0
 * bytes frees. */
void *th_allocator_realloc_array(th_allocator allocator, void *pointer, size_t count,
                                 size_t new_count, size_t size);

/* In place or not at all: true iff the block is now `bytes` bytes long at the same address. A block
 * that would keep more than twice that is not made shorter (see the table): it is as it was, and
 * th_allocator_realloc moves it. */
bool th_allocator_resize_in_place(th_allocator allocator, void *pointer, size_t bytes);

/* NULL is allowed, and does nothing. */
void th_allocator_free(th_allocator allocator, void *pointer);

/* Frees every block at once. TH_ERR_UNSUPPORTED, with nothing done, iff the allocator has no such
 * function; TH_ERR_NULL iff it is zeroed; else as the table says. */
th_status th_allocator_reset(th_allocator allocator);

/* As the table says; false, 0 and TH_OK for allocators without that function, TH_ERR_NULL for a
 * zeroed one. */
bool th_allocator_owns(th_allocator allocator, const void *pointer);
size_t th_allocator_usable_size(th_allocator allocator, const void *pointer);
th_status th_allocator_check(th_allocator allocator, th_fault *fault);

/* The system's malloc, hosted builds only. Thread rule: any thread. */
th_allocator th_system_allocator(void);

#ifdef __cplusplus
}
#endif
#endif
