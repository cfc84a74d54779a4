/* SPDX-License-Identifier: MIT */
/* Slab allocator: objects of one size, in slabs that come from the operating system or a backing
 * allocator, and go back when they are empty. A slab lies at a multiple of its size, a power of
 * two, so that it is found from any of its objects by masking the address.
 *
 *   [header | one byte an object | wall][colour][object 0][object 1] ... [object n-1][wall ...]
 *   ^ a multiple of slab_bytes
 *
 * An allocation takes the object freed last in the first partial slab; if there is none, one of an
 * empty slab; if there is none either, of a new one. A slab that becomes partial goes to the front.
 * Of empty slabs at most empty_slabs_max are kept. The byte of an object says whether it is live
 * and how many of its bytes were asked for.
 * With `coloured`, the objects of successive slabs begin at different cache lines, so that first
 * fields do not all compete for the same few.
 *
 * Sizes are bytes. Objects lie `stride` bytes apart: object_bytes, at least a pointer's size,
 * rounded up to the alignment.
 * Ownership: the th_slab owns its slabs; the caller owns the th_slab and the backing, which must
 * outlive it. An object is the caller's until it is freed, or all are. A th_slab must not be
 * copied or moved once it is initialised.
 * Thread rule: one th_slab, one thread at a time.
 * Complexity: th_slab_alloc and th_slab_free O(1), but for what getting or returning a slab costs
 * (without guards and tools about 20 instructions each, of which nothing is a search or a
 * division); th_slab_free at guard level 1 and above, and th_slab_owns, O(log slabs) expected,
 * because they touch nothing that is not known to be a slab. At level 2 both cost O(object_bytes)
 * more, at level 3 O(all memory).
 * Guards. Level 1: a pointer that comes back, the links of free objects and the check word of the
 * slab's header (of what never changes in it); the canary between the bytes asked for and the
 * object's end, verified when it is freed or resized. Level 2: poison in free objects after their
 * link, verified before they are used again. In a th_fault, `block` is the index of the object in
 * its slab, `offset` in bytes from the slab's first object; `found` of a foreign pointer, or a
 * link that leads nowhere, its low 32 bits. What is in no slab's row of objects is foreign.
 * Source: J. Bonwick, "The Slab Allocator: An Object-Caching Kernel Memory Allocator", USENIX
 * Summer 1994 (slabs, their lists, colouring). */
#ifndef TAGHEAP_SLAB_H
#define TAGHEAP_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/compiler.h"
#include "tagheap/guarding.h"
#include "tagheap/range.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The default slab is the first power of two from these on that holds 8 objects. */
#define TH_SLAB_BYTES_PAGES   TH_SIZE_C(65536) /* on mapped pages */
#define TH_SLAB_BYTES_BACKING TH_SIZE_C(4096)  /* over a backing */

#define TH_SLAB_BYTES_MAX (TH_SIZE_C(1) << 30)

/* As empty_slabs_max: every slab that becomes empty goes back at once. */
#define TH_SLAB_KEEP_NONE UINT32_MAX

/* object_bytes is needed; all else may be zero. */
typedef struct th_slab_config {
    size_t object_bytes;
    size_t alignment;         /* of each object, any power of two; 0: the largest that divides
                                 object_bytes, at most 16. At least a pointer's. */
    size_t slab_bytes;        /* a power of two, at least a page if there is no backing; 0: above */
    uint32_t empty_slabs_max; /* 0: 1, so that one object coming and going maps nothing */
    size_t slabs_max;         /* never more than these; 0: no limit */
    bool coloured;
    th_allocator backing; /* of slabs; zeroed: mapped pages */
    th_guarding guarding;
} th_slab_config;

struct th_slab_head;

/* The control structure. Its fields are the library's own. Zeroed: an allocator without memory. */
typedef struct th_slab {
    struct th_slab_head *quick; /* the first partial slab, if an operation has nothing to do but to
                                   link objects; else NULL */
    size_t quick_bits;          /* then slab_bytes - 1; else 0 */
    size_t stride;
    size_t live;
    size_t live_max;      /* before the last object was freed */
    uint32_t capacity;    /* objects in a slab */
    uint32_t reciprocal;  /* of the stride: 2^32 divided by it, rounded up */
    uint32_t whole_state; /* of an object of which all object_bytes are asked for */
    uint32_t first;       /* where objects begin */
    uint32_t colours;     /* and how many times a colour_step further they may */
    uint32_t colour_step;
    uint32_t next_colour;
    uint32_t empty_slabs_max;
    struct th_slab_head *lists[3]; /* of empty, partial and full slabs */
    th_range *own_ranges;
    th_range **ranges; /* all slabs, of other th_slabs too if several share the set */
    size_t alignment;
    size_t slab_bytes;
    size_t slabs;
    size_t empty_slabs;
    uint64_t slabs_made;
    uint64_t slabs_returned;
    uint64_t failed_allocs;
    th_slab_config config;
} th_slab;

typedef struct th_slab_stats {
    uint64_t live;           /* objects */
    uint64_t live_max;       /* most at once */
    uint64_t capacity;       /* objects that there are slabs for now */
    uint64_t slabs;          /* of them */
    uint64_t empty_slabs;    /* among those */
    size_t slab_bytes;       /* of one */
    size_t stride_bytes;     /* from one object to the next */
    uint64_t slabs_made;     /* taken from the system or the backing */
    uint64_t slabs_returned; /* given back */
    uint64_t failed_allocs;  /* that returned NULL for want of a slab */
} th_slab_stats;

/* Starts an allocator with no slab. *config is copied. Fails, leaving *slab untouched, iff
 *   slab or config is NULL (TH_ERR_NULL); object_bytes is 0, slab_bytes is no power of two, or
 *   smaller than a page where there is no backing, or the guard level is not 0 to 3, or the backing
 *   cannot allocate or free (TH_ERR_CONFIG); the alignment is no power of two (TH_ERR_ALIGNMENT); a
 * slab would be larger than TH_SLAB_BYTES_MAX (TH_ERR_TOO_LARGE); slab_bytes has no room for one
 * object (TH_ERR_TOO_SMALL). It may be initialised again only after th_slab_clean_up. O(1). */
th_status th_slab_init(th_slab *slab, const th_slab_config *config);

/* Returns all slabs, on mapped pages also what the system would not take before (tagheap/pages.h),
 * and zeroes *slab. Every object is dead. NULL is allowed. O(slabs). */
void th_slab_clean_up(th_slab *slab);

/* An object, contents indeterminate. NULL iff all objects are in use and there is no further slab
 * (slabs_max is reached, or there is no memory), or damage was met and reported. */
void *th_slab_alloc(th_slab *slab);

/* The same for a caller that needs its first `bytes` bytes only: guards and tools take the rest for
 * overflow. NULL also if bytes is 0 or above object_bytes. */
void *th_slab_alloc_bytes(th_slab *slab, size_t bytes);

/* Frees an object. NULL is allowed, and does nothing. */
void th_slab_free(th_slab *slab, void *object);

/* The object is now needed to `bytes` bytes. False, with nothing changed, iff bytes is 0 or above
 * object_bytes, object is NULL, or damage was met and reported. O(1), at level 1 O(log slabs). */
bool th_slab_resize_in_place(th_slab *slab, void *object, size_t bytes);

/* The bytes that were asked for of a live object; 0 if it is NULL, or damage was met and reported.
 * O(1), at level 1 O(log slabs). */
size_t th_slab_requested_size(const th_slab *slab, const void *object);

/* Frees all objects, and returns slabs down to empty_slabs_max. From guard level 1 on everything is
 * verified first: TH_ERR_CORRUPT, with nothing done, after a fault. TH_ERR_NULL for NULL and a
 * zeroed th_slab; else TH_OK. O(slabs). */
th_status th_slab_reset(th_slab *slab);

/* Returns all empty slabs, as clean_up does; how many that were. O(slabs returned). */
size_t th_slab_trim(th_slab *slab);

/* Is this address in a live object? Any address may be asked about. O(log slabs) expected. */
bool th_slab_owns(const th_slab *slab, const void *address);

/* O(1). */
th_slab_stats th_slab_get_stats(const th_slab *slab);

/* Proves every slab: headers, lists, free list, counts, canaries and poison, as far as the level
 * keeps them. Raises no fault: TH_OK, or TH_ERR_CORRUPT with the first thing wrong in *fault, which
 * may be NULL. O(memory). TH_ERR_NULL for NULL and a zeroed th_slab. */
th_status th_slab_check(const th_slab *slab, th_fault *fault);

/* As an allocator: of blocks up to object_bytes, at alignments up to the configured one (configure
 * 16 for th_allocator_alloc). */
th_allocator th_slab_allocator(th_slab *slab);

#ifdef __cplusplus
}
#endif
#endif
