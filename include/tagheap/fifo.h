/* SPDX-License-Identifier: MIT */
/* FIFO allocator (ring buffer): blocks of any size out of the caller's memory, one after the other,
 * and again from the start where the end is reached. It is for what leaves in the order in which it
 * came: messages, log records, uploads that a device works off.
 *
 *   [ free ][ oldest ][ ... ][ newest ][ free ]      or      [ newest ][ free ][ oldest ][ ... ][ ]
 *
 * A block may be freed at any time; its memory is used again when all that are older are freed,
 * too. th_fifo_oldest gives a consumer the blocks in their order, so that a FIFO allocator is also
 * a queue of messages of any size, which are written and read where they lie.
 *
 * Sizes are bytes. Blocks are aligned to TH_ALLOCATOR_ALIGNMENT at least; the memory may have any
 * alignment. Each block has a header of TH_FIFO_HEADER_BYTES in front of it.
 * Ownership: the caller owns the memory and the th_fifo; both must outlive the blocks. A block is
 * the caller's until it is freed, or all are. No block ever moves.
 * Thread rule: one FIFO allocator, one thread at a time.
 * Complexity: O(1); th_fifo_free O(1) amortised (a block that others wait for takes them along). At
 * guard level 1 and above what takes a pointer is O(blocks), at 2 also O(bytes concerned), at 3
 * everything O(all memory).
 * Guards. Level 1: a pointer that comes back (foreign, misaligned, not a block, double free), the
 * check words of headers, the canary between the bytes asked for and the block's end. Level 2: all
 * memory that is in no live block is poison, verified before it is used again. In a th_fault,
 * `block` is the offset of the block's header, `offset` counts from the first multiple of
 * TH_ALLOCATOR_ALIGNMENT in the memory; `found` of a foreign pointer its low 32 bits.
 * Source: the ring buffer of D. Knuth, "The Art of Computer Programming", volume 1, 2.2.2 (queues
 * in consecutive memory), with blocks in place of elements. */
#ifndef TAGHEAP_FIFO_H
#define TAGHEAP_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TH_FIFO_HEADER_BYTES 32

/* Everything optional: a zeroed config is a good one. */
typedef struct th_fifo_config {
    th_guarding guarding;
} th_fifo_config;

/* Its fields are the library's own. Zeroed, it is a FIFO allocator without memory. */
typedef struct th_fifo {
    unsigned char *base; /* the memory, from the first multiple of TH_ALLOCATOR_ALIGNMENT on */
    size_t bytes;        /* of it, a multiple, too */
    size_t oldest;       /* offset of the header of the oldest block whose memory is in use */
    size_t newest;       /* and of the newest */
    size_t end;          /* where the newest ends, and the next may begin */
    size_t blocks;       /* whose memory is in use; 0: the three above are */
    size_t live;         /* of them, those that are not freed yet */
    size_t live_bytes;   /* asked for by those */
    size_t used;         /* bytes of all of them, headers included */
    size_t high_water;
    uint64_t allocs;
    uint64_t failed_allocs;
    th_fifo_config config;
} th_fifo;

typedef struct th_fifo_stats {
    size_t bytes;            /* of the memory, as far as it can be used */
    size_t live_bytes;       /* asked for by live blocks */
    size_t used_bytes;       /* blocks whose memory is in use, with their headers */
    size_t high_water_bytes; /* the most that used_bytes has ever been */
    uint64_t live;           /* blocks */
    uint64_t waiting;        /* blocks that are freed, and wait for older ones */
    uint64_t allocs;         /* blocks ever made */
    uint64_t failed_allocs;  /* requests that found no room */
} th_fifo_stats;

/* Starts an empty FIFO allocator on memory[0 .. bytes-1], which is touched at guard level 2 and
 * above only. config may be NULL. Fails, leaving *fifo untouched, iff fifo or memory is NULL
 * (TH_ERR_NULL), there is no room for a header and TH_ALLOCATOR_ALIGNMENT bytes
 * (TH_ERR_TOO_SMALL), bytes is above PTRDIFF_MAX (TH_ERR_TOO_LARGE), or config->guarding.level is
 * not 0 to 3 (TH_ERR_CONFIG). O(1), at level 2 and above O(bytes). */
th_status th_fifo_init(th_fifo *fifo, void *memory, size_t bytes, const th_fifo_config *config);

/* Ends it: the memory is ordinary again, *fifo is zeroed. With guards, damage is reported first,
 * and does not stop it. NULL is allowed. */
void th_fifo_clean_up(th_fifo *fifo);

/* A block of `bytes` bytes aligned to TH_ALLOCATOR_ALIGNMENT, contents indeterminate. NULL iff
 * bytes is 0, or it fits neither above the newest block nor, from the start of the memory on, below
 * the oldest (which `failed_allocs` counts), or after a fault. */
void *th_fifo_alloc(th_fifo *fifo, size_t bytes);

/* The same at a multiple of `alignment`. NULL also iff that is not a power of two. */
void *th_fifo_alloc_aligned(th_fifo *fifo, size_t bytes, size_t alignment);

/* The block is now needed to `bytes` bytes. The newest grows as far as there is room above it, and
 * gives back what it needs no more; another keeps its memory, and grows as far as that goes
 * (TH_ALLOCATOR_ALIGNMENT rounded it up). False, with nothing changed, iff pointer is NULL, bytes
 * is 0 or too much for that, or after a fault. */
bool th_fifo_resize_in_place(th_fifo *fifo, void *pointer, size_t bytes);

/* Frees a block. NULL is allowed. */
void th_fifo_free(th_fifo *fifo, void *pointer);

/* The live block that was allocated first, and in *bytes (which may be NULL) what was asked for of
 * it. NULL, with *bytes 0, iff there is none, or after a fault. */
void *th_fifo_oldest(const th_fifo *fifo, size_t *bytes);

/* Frees every block at once. TH_ERR_CORRUPT, with nothing changed, after a fault; TH_ERR_NULL for
 * NULL and a zeroed FIFO allocator; else TH_OK. */
th_status th_fifo_reset(th_fifo *fifo);

/* Does the address lie in a live block? O(blocks). */
bool th_fifo_owns(const th_fifo *fifo, const void *pointer);

/* All of them are 0 for a FIFO allocator without memory. */
th_fifo_stats th_fifo_get_stats(const th_fifo *fifo);

/* Proves the structure, canaries and poison as far as the guard level keeps them. Raises nothing:
 * TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or TH_OK. TH_ERR_NULL
 * for NULL and a zeroed FIFO allocator. O(blocks), at level 2 and above O(all memory). */
th_status th_fifo_check(const th_fifo *fifo, th_fault *fault);

/* The FIFO allocator as an allocator, valid as long as *fifo is. */
th_allocator th_fifo_allocator(th_fifo *fifo);

#ifdef __cplusplus
}
#endif
#endif
