/* SPDX-License-Identifier: MIT */
/* Bump heap: blocks are handed out of the caller's memory one after the other, and freed all at
 * once. It needs nothing but that memory, so it is also the way to use any buffer as an allocator:
 * th_bump_allocator.
 *
 * Use it where memory is small and known: a microcontroller's 8,192 bytes, a message, a start-up
 * phase. Where one piece of memory is not enough, or marks are needed, use th_arena.
 *
 * Ownership: the caller owns the memory and the th_bump; both must outlive the blocks. A block is
 * the caller's until th_bump_reset, th_bump_clean_up, or th_bump_free of it.
 * Sizes are bytes; alignments are any powers of two; the memory may have any alignment.
 * Thread rule: one bump heap, one thread at a time.
 * Complexity: everything O(1), but th_bump_check O(memory used). At guard level 1 and up, a reset
 * costs O(gaps), and so does an allocation that needs the memory of their records (span.h); at 2
 * everything O(bytes concerned), at 3 O(memory used).
 * Guards: span.h says what is kept and verified. In a th_fault `block` is 0 and `offset` counts
 * from the start of the memory. Which blocks there are is not recorded: a pointer that comes back
 * is verified to lie in memory that is handed out, not to be the start of a block. Source: the
 * memory-constrained heap of the document "Memory Management Techniques in C", 8.8.3, with
 * alignment, overflow checks and guards. */
#ifndef TAGHEAP_BUMP_H
#define TAGHEAP_BUMP_H

#include <stdbool.h>
#include <stddef.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/span.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Everything optional: a zeroed config is a good one. */
typedef struct th_bump_config {
    th_guarding guarding;
} th_bump_config;

/* Its fields are the library's own; declared here so that it can live in static storage. Zeroed,
 * it is a bump heap without memory. */
typedef struct th_bump {
    th_span span;
    uint64_t allocs;
    uint64_t failed_allocs;
    size_t high_water;
    th_bump_config config;
} th_bump;

/* The memory-constrained heap of the document: 8,192 bytes. */
#define TH_BUMP_CONSTRAINED_BYTES 8192

/* Defines a static th_bump `name` with `bytes` bytes of its own, aligned to 16, ready for use
 * without a call and without guards:
 *   TH_BUMP_STATIC(sensor_heap, TH_BUMP_CONSTRAINED_BYTES);
 * For guards, call th_bump_init on memory of your own instead. */
#define TH_BUMP_STATIC(name, bytes)                                                                \
    TH_ALLOCATOR_ALIGNAS static unsigned char name##_memory[bytes];                                \
    static th_bump name = {{name##_memory, name##_memory + sizeof name##_memory, NULL,             \
                            name##_memory, name##_memory, 0},                                      \
                           0,                                                                      \
                           0,                                                                      \
                           0,                                                                      \
                           {{0, NULL, NULL}}}

/* Starts an empty bump heap on memory[0 .. bytes-1], which is not touched. config may be NULL.
 * Fails, leaving *bump untouched, iff bump or memory is NULL (TH_ERR_NULL), bytes is 0
 * (TH_ERR_TOO_SMALL) or above PTRDIFF_MAX (TH_ERR_TOO_LARGE), or config->guarding.level is not 0
 * to 3 (TH_ERR_CONFIG). */
th_status th_bump_init(th_bump *bump, void *memory, size_t bytes, const th_bump_config *config);

/* Ends it: the memory is ordinary again, *bump is zeroed. With guards, damage is reported first,
 * and does not stop it. NULL is allowed. */
void th_bump_clean_up(th_bump *bump);

/* A block of `bytes` bytes aligned to TH_ALLOCATOR_ALIGNMENT, contents indeterminate. NULL iff
 * bytes is 0 or there is no room for it after the last block (which `failed_allocs` counts), or
 * after a fault. */
void *th_bump_alloc(th_bump *bump, size_t bytes);

/* The same at a multiple of `alignment`. NULL also iff that is not a power of two. */
void *th_bump_alloc_aligned(th_bump *bump, size_t bytes, size_t alignment);

/* Makes the block that was allocated last `bytes` bytes long, where it is. False, with nothing
 * changed, iff the pointer is not that block (or that was freed), bytes is 0 or there is no room,
 * or after a fault. */
bool th_bump_resize_in_place(th_bump *bump, void *pointer, size_t bytes);

/* Gives back the block that was allocated last; of any other block, does nothing. NULL is
 * allowed. */
void th_bump_free(th_bump *bump, void *pointer);

/* Frees every block at once. TH_ERR_CORRUPT, with nothing changed, after a fault; TH_ERR_NULL for
 * NULL and a zeroed bump heap; else TH_OK. */
th_status th_bump_reset(th_bump *bump);

/* Does the address lie in memory that is handed out? */
bool th_bump_owns(const th_bump *bump, const void *pointer);

typedef struct th_bump_stats {
    size_t used_bytes;       /* blocks, and what was skipped between them for alignment */
    size_t left_bytes;       /* the rest of the memory */
    size_t high_water_bytes; /* the most that used_bytes has ever been */
    uint64_t allocs;         /* blocks ever made */
    uint64_t failed_allocs;  /* requests that found no room */
} th_bump_stats;

/* All of them are 0 for a bump heap without memory. */
th_bump_stats th_bump_get_stats(const th_bump *bump);

/* Proves the structure, canaries and poison as far as the guard level keeps them. Raises nothing:
 * TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or TH_OK. TH_ERR_NULL
 * for NULL and a zeroed bump heap. */
th_status th_bump_check(const th_bump *bump, th_fault *fault);

/* The bump heap as an allocator, valid as long as *bump is. free is th_bump_free, so what was
 * allocated last is given back at once and the rest at the next reset. */
th_allocator th_bump_allocator(th_bump *bump);

#ifdef __cplusplus
}
#endif
#endif
