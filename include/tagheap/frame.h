/* SPDX-License-Identifier: MIT */
/* Frame arena, double-buffered: what is allocated in frame n is valid to the end of frame n + 1,
 * and nothing is ever freed one by one.
 *
 *   frame 0   buffer 0: fills             buffer 1: empty
 *   flip  1   buffer 0: still readable    buffer 1: emptied, fills
 *   flip  2   buffer 0: emptied, fills    buffer 1: still readable
 *
 * A frame that does not fit into its buffer is told so: NULL, and the count of failed requests
 * grows. Memory that is promised to be valid is never recycled.
 *
 * Ownership: both buffers lie in one piece of memory, of the caller's or of a backing; it and the
 * th_frame must outlive the blocks.
 * Sizes are bytes; alignments are any powers of two.
 * Thread rule: one frame arena, one thread at a time, if blocks of the frame before are only read
 * by others.
 * Complexity: everything O(1). At guard level 1 and up a flip costs O(gaps), at 2 everything
 * O(bytes concerned), at 3 O(memory used).
 * Guards: span.h says what is kept and verified. In a th_fault `block` is the number of the buffer,
 * 0 or 1, and `offset` counts from its start. At level 1 and up a pointer that comes back and lies
 * in memory that is not handed out is TH_FAULT_DOUBLE_FREE, and one outside both buffers
 * TH_FAULT_FOREIGN.
 * Source: the frame-based arena of the document "Memory Management Techniques in C", 8.8.1, which
 * switches buffers when one is full and so recycles memory that is still in use; here only
 * th_frame_flip does. */
#ifndef TAGHEAP_FRAME_H
#define TAGHEAP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/span.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_frame_config {
    size_t frame_bytes;   /* of one buffer; needed with a backing */
    th_allocator backing; /* where both buffers come from; not with a memory */
    void *memory;         /* or the caller's, halved; any alignment */
    size_t memory_bytes;
    th_guarding guarding;
} th_frame_config;

/* Its fields are the library's own. Zeroed, it is a frame arena without memory. */
typedef struct th_frame {
    th_span span;    /* of the current frame */
    th_span before;  /* of the frame before it */
    size_t current;  /* number of the buffer of `span` */
    uint64_t frames; /* the number of the current frame */
    uint64_t allocs;
    uint64_t failed_allocs;
    uint64_t failed_in_frame;
    size_t high_water;
    void *owned; /* what the backing gave */
    size_t owned_bytes;
    th_frame_config config;
} th_frame;

/* Starts frame 0, both buffers empty. Buffers of a backing begin at multiples of
 * TH_ALLOCATOR_ALIGNMENT, and so do those in the caller's memory: each has half of what is left
 * from the first such address, rounded down to that.
 * Fails, leaving *frame untouched, iff frame or config is NULL, or there is neither a backing nor a
 * memory (TH_ERR_NULL); there are both, guarding.level is not 0 to 3, or the backing cannot
 * allocate or free (TH_ERR_CONFIG); a buffer would have no byte (TH_ERR_TOO_SMALL); a size is above
 * PTRDIFF_MAX / 4 (TH_ERR_TOO_LARGE); the backing has no memory (TH_ERR_EXHAUSTED). */
th_status th_frame_init(th_frame *frame, const th_frame_config *config);

/* Ends it: the memory goes back to the backing or is the caller's ordinary memory again, *frame is
 * zeroed. With guards, damage is reported first, and does not stop it. NULL is allowed. */
void th_frame_clean_up(th_frame *frame);

/* A block of the current frame, aligned to TH_ALLOCATOR_ALIGNMENT, contents indeterminate. NULL iff
 * bytes is 0 or there is no room for it in the frame's buffer (which the statistics count), or
 * after a fault. */
void *th_frame_alloc(th_frame *frame, size_t bytes);

/* The same at a multiple of `alignment`. NULL also iff that is not a power of two. */
void *th_frame_alloc_aligned(th_frame *frame, size_t bytes, size_t alignment);

/* Makes the block that was allocated last in this frame `bytes` bytes long, where it is. False,
 * with nothing changed, iff the pointer is not that block, bytes is 0 or there is no room, or after
 * a fault. */
bool th_frame_resize_in_place(th_frame *frame, void *pointer, size_t bytes);

/* Ends the current frame and starts the next one: the blocks of the frame before the one that ends
 * are dead. TH_ERR_CORRUPT, with nothing changed, after a fault; TH_ERR_NULL for NULL and a zeroed
 * frame arena; else TH_OK. */
th_status th_frame_flip(th_frame *frame);

/* Does the address lie in a block of this frame, or of the one before? */
bool th_frame_owns(const th_frame *frame, const void *pointer);

typedef struct th_frame_stats {
    uint64_t frames;          /* number of the current frame, from 0 */
    size_t frame_bytes;       /* of one buffer */
    size_t used_bytes;        /* in this frame: blocks, and what was skipped for alignment */
    size_t used_before_bytes; /* in the frame before */
    size_t high_water_bytes;  /* the most that one frame has ever used */
    uint64_t allocs;          /* blocks ever made */
    uint64_t failed_allocs;   /* requests that found no room, ever */
    uint64_t failed_in_frame; /* and in this frame */
} th_frame_stats;

/* All of them are 0 for a zeroed frame arena. */
th_frame_stats th_frame_get_stats(const th_frame *frame);

/* Proves both buffers as far as the guard level keeps up canaries and poison. Raises nothing:
 * TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or TH_OK. TH_ERR_NULL
 * for NULL and a zeroed frame arena. */
th_status th_frame_check(const th_frame *frame, th_fault *fault);

/* The current frame as an allocator, valid as long as *frame is; what it gives lives as long as any
 * block of its frame, and so does a block that a resize has left where it was. free does nothing
 * (but verifies the pointer); reset is th_frame_flip. */
th_allocator th_frame_allocator(th_frame *frame);

#ifdef __cplusplus
}
#endif
#endif
