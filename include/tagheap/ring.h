/* SPDX-License-Identifier: MIT */
/* Byte rings: a queue of bytes in memory of fixed size, for what arrives and leaves in pieces.
 *
 *   [ free ][ oldest ... newest ][ free ]      or, wrapped,      [ ... newest ][ free ][ oldest ...
 * ]
 *
 * Nothing is ever moved: what is held, and what is free, is at most two pieces, which
 * th_ring_peek and th_ring_space hand out in the form of a gather list (gather.h), for readv and
 * writev; th_ring_commit and th_ring_consume say how much of them was used.
 *
 * Ownership: the caller owns the th_ring and memory that it gives; the ring owns what it takes from
 * a backing.
 * Sizes are bytes; any capacity from 1 on will do.
 * Thread rule: one ring, one thread at a time.
 * Complexity: O(1), and O(bytes) where they are copied.
 * Guards: at level 3 the checker runs after each change. */
#ifndef TAGHEAP_RING_H
#define TAGHEAP_RING_H

#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/gather.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_ring_config {
    void *memory; /* all of it is the ring's capacity. NULL: as much comes from the backing */
    size_t memory_bytes;
    th_allocator backing;
    th_guarding guarding;
} th_ring_config;

/* Its fields are the library's own. */
typedef struct th_ring {
    unsigned char *data;
    size_t capacity;
    size_t start; /* of the oldest byte, < capacity */
    size_t bytes;
    size_t peak;
    uint64_t written;
    uint64_t dropped;
    th_ring_config config;
} th_ring;

/* Starts an empty ring. Fails, leaving *ring untouched, iff ring or config is NULL (TH_ERR_NULL);
 * memory_bytes is 0 (TH_ERR_TOO_SMALL) or above PTRDIFF_MAX (TH_ERR_TOO_LARGE); there is neither
 * memory nor a backing, the backing cannot allocate or free, or guarding.level is not 0 to 3
 * (TH_ERR_CONFIG); or the backing has no such block (TH_ERR_EXHAUSTED). */
th_status th_ring_init(th_ring *ring, const th_ring_config *config);

/* Ends it: memory of the backing's goes back, *ring is zeroed. NULL is allowed. */
void th_ring_clean_up(th_ring *ring);

/* Empties it. TH_ERR_NULL for NULL and a zeroed ring. */
th_status th_ring_reset(th_ring *ring);

/* Copies source[0 .. bytes-1], or as much of its beginning as there is room for, into the ring;
 * returns how many bytes. 0 for NULL. */
size_t th_ring_write(th_ring *ring, const void *source, size_t bytes);

/* Copies all of source[0 .. bytes-1] into the ring; the oldest bytes go to make room, and of more
 * than the capacity only the last stay. Returns how many bytes were dropped, of the ring and of the
 * source. 0 for NULL. */
size_t th_ring_write_over(th_ring *ring, const void *source, size_t bytes);

/* Moves the oldest `bytes` bytes, or as many as there are, to `target`; returns how many. 0 for
 * NULL. */
size_t th_ring_read(th_ring *ring, void *target, size_t bytes);

/* What the ring holds, oldest first, in parts[0 .. 1]; returns how many parts there are, 0 to 2. */
size_t th_ring_peek(const th_ring *ring, th_gather_part parts[2]);

/* The oldest `bytes` bytes are no longer needed. TH_ERR_TOO_LARGE, with nothing changed, iff there
 * are fewer; TH_ERR_NULL for NULL and a zeroed ring. */
th_status th_ring_consume(th_ring *ring, size_t bytes);

/* What is free, in the order in which it is to be written, as th_ring_peek. */
size_t th_ring_space(const th_ring *ring, th_gather_part parts[2]);

/* `bytes` bytes were written to the space from its beginning. Fails as th_ring_consume. */
th_status th_ring_commit(th_ring *ring, size_t bytes);

/* Bytes held. */
size_t th_ring_size(const th_ring *ring);

typedef struct th_ring_stats {
    size_t bytes;
    size_t capacity_bytes;
    size_t high_water_bytes;
    uint64_t written; /* bytes, since the ring was started */
    uint64_t dropped; /* bytes */
} th_ring_stats;

/* All of them are 0 for NULL and a zeroed ring. */
th_ring_stats th_ring_get_stats(const th_ring *ring);

/* Proves that start and size lie in the capacity. TH_ERR_CORRUPT, with the first thing wrong in
 * *fault (which may be NULL), or TH_OK; TH_ERR_NULL as before. O(1). */
th_status th_ring_check(const th_ring *ring, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
