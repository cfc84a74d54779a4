/* SPDX-License-Identifier: MIT */
/* Growable buffers: an array of bytes in one block of a backing, which grows and shrinks by a
 * policy of yours, up to a limit. (For small arrays on the stack that rarely grow: hybrid.h.)
 *
 *   | growth              | a full buffer of n bytes gets | copies to reach N bytes by appending |
 *   | TH_GROWTH_DOUBLING  | 2 n                           | N to 2 N bytes, log2 N times         |
 *   | TH_GROWTH_GOLDEN    | 1.625 n: blocks left behind   | 1.6 N to 2.6 N bytes                 |
 *   |                     | can be used again, merged     |                                      |
 *   | TH_GROWTH_EXACT     | what is needed                | O(N * N)                             |
 *
 * If the backing has no block as large as the policy wants, what is needed is tried.
 *
 * Ownership: the caller owns the th_buffer, which must not be copied while it is in use; the buffer
 * owns its block. What th_buffer_data and th_buffer_extend return is valid until the next call that
 * changes the buffer.
 * Sizes are bytes.
 * Thread rule: one buffer, one thread at a time.
 * Complexity: O(bytes concerned), and O(bytes kept) when the block moves.
 * Guards: at level 3 the checker runs after each change. In ASan, MSan and Valgrind builds what the
 * block has beyond the buffer's size is closed.
 * Source of the golden growth: A. Koenig, "Why are vectors efficient?", JOOP 11(5), 1998. */
#ifndef TAGHEAP_BUFFER_H
#define TAGHEAP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_growth { TH_GROWTH_DOUBLING = 0, TH_GROWTH_GOLDEN, TH_GROWTH_EXACT } th_growth;

typedef enum th_shrink {
    TH_SHRINK_NEVER = 0, /* th_buffer_trim alone gives memory back */
    TH_SHRINK_QUARTER,   /* a buffer that fills at most a quarter of its block gets one of twice its
                            size, or of bytes_first */
    TH_SHRINK_EXACT      /* what is not needed goes back at once */
} th_shrink;

typedef struct th_buffer_config {
    th_allocator backing;
    size_t alignment;   /* of the data, a power of two; 0: TH_ALLOCATOR_ALIGNMENT */
    size_t bytes_first; /* the smallest block, but for exact growth; 0: 64 */
    size_t bytes_max;   /* the largest size; 0: PTRDIFF_MAX */
    th_growth growth;
    th_shrink shrink;
    th_guarding guarding;
} th_buffer_config;

/* Its fields are the library's own. */
typedef struct th_buffer {
    unsigned char *data;
    size_t bytes;
    size_t capacity;
    size_t peak;
    uint64_t moves;
    uint64_t failed_allocs;
    th_buffer_config config; /* zeroed alignment: not started */
} th_buffer;

/* Starts an empty buffer without a block. Fails, leaving *buffer untouched, iff buffer or config is
 * NULL (TH_ERR_NULL), the alignment is not 0 and no power of two (TH_ERR_ALIGNMENT), bytes_first or
 * bytes_max is above PTRDIFF_MAX (TH_ERR_TOO_LARGE); or there is no backing, it cannot allocate or
 * free, a policy is none of those above, or guarding.level is not 0 to 3 (TH_ERR_CONFIG). */
th_status th_buffer_init(th_buffer *buffer, const th_buffer_config *config);

/* Ends it: the block goes back, *buffer is zeroed. NULL is allowed. */
void th_buffer_clean_up(th_buffer *buffer);

/* Makes the buffer `bytes` bytes long; the first min(old size, bytes) are kept, further ones are
 * indeterminate. Fails, with nothing changed, iff bytes is above bytes_max (TH_ERR_TOO_LARGE), the
 * backing has no such block (TH_ERR_EXHAUSTED), or for NULL and a zeroed buffer (TH_ERR_NULL).
 * Becoming shorter never fails. */
th_status th_buffer_resize(th_buffer *buffer, size_t bytes);

/* Adds a copy of source[0 .. bytes-1], which may lie in the buffer itself, at the end. Fails as
 * th_buffer_resize, and for source NULL unless bytes is 0 (TH_ERR_NULL). */
th_status th_buffer_append(th_buffer *buffer, const void *source, size_t bytes);

/* Adds `bytes` indeterminate bytes at the end and returns where they are; NULL iff resize would
 * fail, or bytes is 0. */
void *th_buffer_extend(th_buffer *buffer, size_t bytes);

/* Takes out `bytes` bytes from `offset` on; what follows moves down. TH_ERR_TOO_LARGE, with nothing
 * changed, iff they do not lie in the buffer; TH_ERR_NULL as before. */
th_status th_buffer_remove(th_buffer *buffer, size_t offset, size_t bytes);

/* Makes sure that the buffer can become `bytes` bytes long without moving. Fails as resize. */
th_status th_buffer_reserve(th_buffer *buffer, size_t bytes);

/* Gives back what is not needed, whatever the policy. TH_ERR_EXHAUSTED iff the backing can neither
 * shorten the block nor give another one; TH_ERR_NULL as before. */
th_status th_buffer_trim(th_buffer *buffer);

/* Empties it. The block stays or goes as the shrink policy says. TH_ERR_NULL as before. */
th_status th_buffer_reset(th_buffer *buffer);

/* The first byte; NULL iff there is no block. */
void *th_buffer_data(const th_buffer *buffer);

/* The bytes that the buffer is long. */
size_t th_buffer_size(const th_buffer *buffer);

typedef struct th_buffer_stats {
    size_t bytes;
    size_t capacity_bytes;
    size_t high_water_bytes;
    uint64_t moves;         /* blocks taken, or made longer or shorter */
    uint64_t failed_allocs; /* requests that found no memory */
} th_buffer_stats;

/* All of them are 0 for NULL and a zeroed buffer. */
th_buffer_stats th_buffer_get_stats(const th_buffer *buffer);

/* Proves the counts. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or
 * TH_OK; TH_ERR_NULL as before. O(1). */
th_status th_buffer_check(const th_buffer *buffer, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
