/* SPDX-License-Identifier: MIT */
/* Hybrid buffer: an array of bytes that lives in memory of the caller's, on the stack or inside
 * another object, as long as it fits there, and in a block of a backing allocator when it does
 * not. The safe form of a variable-length array: the size may depend on input, running out of
 * memory is reported, and the buffer can grow. docs/allocators.md compares it with VLAs and alloca.
 *
 *   TH_ALLOCATOR_ALIGNAS unsigned char small[256];
 *   th_hybrid buffer;
 *   th_hybrid_init(&buffer, small, sizeof small, &(th_hybrid_config){.backing = backing});
 *   if (th_hybrid_resize_array(&buffer, count, sizeof(int)) == TH_OK) {
 *       int *values = th_hybrid_data(&buffer);
 *       ...
 *   }
 *   th_hybrid_clean_up(&buffer);
 *
 * Ownership: the caller owns the embedded memory, the backing and the th_hybrid, which must not be
 * copied while it is in use; the buffer owns the block from the backing. What th_hybrid_data
 * returns is valid until the next call of resize, reserve, release or clean_up.
 * Sizes are bytes.
 * Thread rule: one buffer, one thread at a time.
 * Complexity: O(1); O(bytes kept) when the buffer moves, which happens O(log n) times when it grows
 * to n bytes in small steps. At guard level 2 and up O(bytes concerned).
 * Guards: span.h says what is kept and verified, with the whole buffer as the only block. In a
 * th_fault `block` is 0 for the embedded memory and 1 for the block from the backing; `offset`
 * counts from its start.
 * Source: the hybrid approach of the document "Memory Management Techniques in C", 8.4.3. */
#ifndef TAGHEAP_HYBRID_H
#define TAGHEAP_HYBRID_H

#include <stdbool.h>
#include <stddef.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/span.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Everything optional. */
typedef struct th_hybrid_config {
    th_allocator backing; /* zeroed: none, the embedded memory is all there is */
    size_t alignment;     /* of the data, a power of two; 0: TH_ALLOCATOR_ALIGNMENT */
    th_guarding guarding;
} th_hybrid_config;

/* Its fields are the library's own. Zeroed, it is an empty buffer without memory. */
typedef struct th_hybrid {
    th_span span;     /* where the data is */
    th_span embedded; /* the embedded memory, while the data is elsewhere */
    bool is_spilled;  /* the data is in a block of the backing */
    uint64_t spills;
    uint64_t failed_allocs;
    size_t high_water;
    th_hybrid_config config;
} th_hybrid;

/* Starts an empty buffer. memory may be NULL, if bytes is 0: then all data goes to the backing.
 * Fails, leaving *hybrid untouched, iff hybrid is NULL, or memory is and bytes is not 0
 * (TH_ERR_NULL); the alignment is not 0 and no power of two (TH_ERR_ALIGNMENT); memory is not a
 * multiple of it (TH_ERR_MISALIGNED); bytes is above PTRDIFF_MAX (TH_ERR_TOO_LARGE);
 * guarding.level is not 0 to 3, or the backing cannot allocate or free (TH_ERR_CONFIG). config may
 * be NULL. */
th_status th_hybrid_init(th_hybrid *hybrid, void *memory, size_t bytes,
                         const th_hybrid_config *config);

/* Ends it: the block goes back to the backing, the embedded memory is ordinary again, *hybrid is
 * zeroed. With guards, damage is reported first, and does not stop it. NULL is allowed. */
void th_hybrid_clean_up(th_hybrid *hybrid);

/* Makes the buffer `bytes` bytes long (0 is allowed). The first min(old size, bytes) bytes are
 * kept, further ones are indeterminate. Grows by half at least when it moves, if the backing can.
 * Never moves to shrink. Fails, with nothing changed, iff bytes is above PTRDIFF_MAX
 * (TH_ERR_TOO_LARGE), neither the memory it has nor the backing can hold them (TH_ERR_EXHAUSTED),
 * after a fault (TH_ERR_CORRUPT), or for NULL and a zeroed buffer (TH_ERR_NULL). */
th_status th_hybrid_resize(th_hybrid *hybrid, size_t bytes);

/* The same for count * size bytes; TH_ERR_TOO_LARGE also if that overflows. */
th_status th_hybrid_resize_array(th_hybrid *hybrid, size_t count, size_t size);

/* Makes sure that resizing to `bytes` bytes will succeed without moving. Fails as resize does. */
th_status th_hybrid_reserve(th_hybrid *hybrid, size_t bytes);

/* Empties the buffer, and gives the block back to the backing. TH_ERR_CORRUPT, with nothing
 * changed, after a fault; TH_ERR_NULL for NULL and a zeroed buffer; else TH_OK. */
th_status th_hybrid_release(th_hybrid *hybrid);

/* The first byte; NULL iff the buffer has no memory at all. */
void *th_hybrid_data(const th_hybrid *hybrid);

/* The bytes that the buffer is long. */
size_t th_hybrid_size(const th_hybrid *hybrid);

/* Is the data in the embedded memory, or is there none that could be elsewhere? */
bool th_hybrid_is_embedded(const th_hybrid *hybrid);

typedef struct th_hybrid_stats {
    size_t bytes;
    size_t capacity_bytes;   /* what it can grow to without moving */
    size_t high_water_bytes; /* the most that `bytes` has ever been */
    uint64_t spills;         /* moves to a block of the backing */
    uint64_t failed_allocs;  /* requests that found no memory */
} th_hybrid_stats;

/* All of them are 0 for a zeroed buffer. */
th_hybrid_stats th_hybrid_get_stats(const th_hybrid *hybrid);

/* Proves the buffer as far as the guard level keeps up canaries and poison. Raises nothing:
 * TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or TH_OK. TH_ERR_NULL
 * for NULL and a zeroed buffer. */
th_status th_hybrid_check(const th_hybrid *hybrid, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
