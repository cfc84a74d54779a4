/* SPDX-License-Identifier: MIT */
/* General allocator of size classes, with the semantics of malloc, calloc, realloc and
 * aligned_alloc. A request is rounded up to a class, each class is a slab allocator (slab.h); what
 * is beyond the largest class gets memory of its own (large.h).
 *
 *   class  0  1  2  3 ...  7 |   8    9   10   11 |  12   13   14   15 | ...
 *   bytes 16 32 48 64 ... 128| 160  192  224  256 | 320  384  448  512 | ... class_bytes_max
 *         steps of 16        | four classes to every doubling
 *
 * Waste. A block of n bytes, n <= class_bytes_max, at an alignment up to 16, takes c bytes with
 * c - n < 16 or c - n < n / 4: below a fifth of what it takes, above 64 bytes. Beyond that a block
 * takes whole pages (or what the backing takes), with kept pages at most a quarter more. A slab
 * spends 128 bytes or fewer, one byte an object, and less than an object and its alignment;
 * class_bytes_max is an eighth of a slab, so at least 6 objects share it.
 *
 * Sizes are bytes. Blocks lie at multiples of 16, or of the power of two that was asked for.
 * Ownership: the th_classes owns its memory; the caller owns the th_classes and the backing, which
 * must outlive it. A block is the caller's until it is freed, reallocated, or all are freed. A
 * th_classes must not be copied or moved once it is initialised.
 * Thread rule: one th_classes, one thread at a time.
 * Complexity: allocation O(1) for classes, but for what a slab costs that must be got. An address
 * has to be told from a large block's, O(log slabs) expected; th_classes_free is O(1) without that
 * where pages are mapped, at guard level 0, if the block does not begin with a page, as large ones
 * do. Large blocks as large.h says.
 * Guards: those of slab.h and large.h, in whose terms faults are described; the canary begins
 * right after the bytes asked for. What belongs to neither is foreign. Level 3 verifies every slab
 * and every large block after each operation.
 * Source: the spacing is that of jemalloc (J. Evans, "A Scalable Concurrent malloc(3)
 * Implementation for FreeBSD", BSDCan 2006, and its later size classes). */
#ifndef TAGHEAP_CLASSES_H
#define TAGHEAP_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/compiler.h"
#include "tagheap/guarding.h"
#include "tagheap/large.h"
#include "tagheap/slab.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TH_CLASSES_COUNT_MAX 48

/* The default size of a slab, over pages and over a backing alike. */
#define TH_CLASSES_SLAB_BYTES TH_SIZE_C(65536)

/* The pages of freed large blocks that are kept by default, in bytes. */
#define TH_CLASSES_KEPT_BYTES (TH_SIZE_C(4) << 20)

/* As kept_bytes_max: none. */
#define TH_CLASSES_KEEP_NONE SIZE_MAX

#define TH_CLASSES_SLAB_BYTES_MIN TH_SIZE_C(1024)
#define TH_CLASSES_SLAB_BYTES_MAX (TH_SIZE_C(1) << 20)

/* ---- the mapping ---------------------------------------------------------------------------- */

/* The class for a block of `bytes` bytes, 0 for bytes <= 16 (0 included): class sizes are strictly
 * rising, and it is the first that is large enough. Pure, O(1). bytes <= SIZE_MAX / 2. */
unsigned th_class_of(size_t bytes);

/* The bytes of a block of this class. th_class_of(th_class_bytes(n)) is n. Pure, O(1). */
size_t th_class_bytes(unsigned number);

/* ---- the allocator -------------------------------------------------------------------------- */

/* Everything may be zero. */
typedef struct th_classes_config {
    th_allocator backing; /* of slabs and large blocks; zeroed: mapped pages */
    size_t slab_bytes;    /* a power of two from TH_CLASSES_SLAB_BYTES_MIN (over mapped pages: at
                             least a page) to TH_CLASSES_SLAB_BYTES_MAX; 0:
                             TH_CLASSES_SLAB_BYTES. The largest class is an eighth of it. */
    uint32_t empty_slabs_max; /* kept for each class, as in slab.h: 0 means 1 */
    size_t kept_bytes_max;    /* of pages of freed large blocks, as in large.h; 0 means
                                 TH_CLASSES_KEPT_BYTES, but none over a backing */
    th_guarding guarding;
} th_classes_config;

/* The control structure. Its fields are the library's own. Zeroed: an allocator without memory. */
typedef struct th_classes {
    th_slab slabs[TH_CLASSES_COUNT_MAX];
    unsigned count; /* of classes */
    size_t class_bytes_max;
    size_t sure_bits;   /* a block with one of these in its address lies in a quick slab */
    size_t slab_bytes;  /* of all classes */
    size_t slack_bytes; /* of live blocks of the classes: those that were not asked for */
    th_range *slab_ranges;
    uint64_t failed_allocs;
    th_large large;
    th_classes_config config;
} th_classes;

typedef struct th_classes_stats {
    uint64_t live;          /* blocks */
    uint64_t live_large;    /* of them, those beyond the largest class */
    size_t requested_bytes; /* asked for by live blocks */
    size_t block_bytes;     /* what those take: class sizes, whole pages */
    size_t memory_bytes;    /* all slabs, large blocks, and their pages that are kept */
    uint64_t slabs;
    size_t class_bytes_max;
    uint64_t failed_allocs; /* that returned NULL for want of memory */
} th_classes_stats;

/* Starts an allocator without memory. *config is copied; NULL means all defaults. Fails, leaving
 * *classes untouched, iff classes is NULL (TH_ERR_NULL), or the guard level is not 0 to 3, or the
 * backing cannot allocate or free, or slab_bytes is not as above (TH_ERR_CONFIG). May be
 * initialised again only after th_classes_clean_up. O(classes). */
th_status th_classes_init(th_classes *classes, const th_classes_config *config);

/* Gives back all memory, and zeroes *classes. Every block is dead. NULL is allowed. */
void th_classes_clean_up(th_classes *classes);

/* malloc. NULL iff bytes is 0 or above PTRDIFF_MAX, there is no memory, or damage was met and
 * reported. */
void *th_classes_alloc(th_classes *classes, size_t bytes);

/* The same, zeroed. */
void *th_classes_alloc_zeroed(th_classes *classes, size_t bytes);

/* calloc: count * size bytes, zeroed. NULL also if the product overflows. */
void *th_classes_alloc_array_zeroed(th_classes *classes, size_t count, size_t size);

/* aligned_alloc, for any power of two and any size. NULL also if the alignment is no power of
 * two. The block takes less than twice the larger of bytes and alignment, if that is in a class,
 * and 16 bytes at least. */
void *th_classes_alloc_aligned(th_classes *classes, size_t bytes, size_t alignment);

/* free. NULL is allowed, and does nothing. */
void th_classes_free(th_classes *classes, void *block);

/* realloc: stays where it is if the new size is at least half of what the block takes and no more
 * than that, or if the block is a large one that stays large, and what it gives back leaves it at
 * least half full, or a backing makes it longer; else moves; when a smaller size finds no place to
 * go, it stays. NULL allocates. 0 frees, and returns NULL, as th_heap_realloc. Otherwise NULL iff
 * there is no memory or damage was met and reported: the block is as it was. A moved block keeps no
 * alignment above 16: see th_classes_realloc_aligned. */
void *th_classes_realloc(th_classes *classes, void *block, size_t bytes);

/* The same, at `alignment` wherever it goes. NULL also if that is no power of two, or the block is
 * not so aligned as it is. 0 bytes free, whatever the alignment is. */
void *th_classes_realloc_aligned(th_classes *classes, void *block, size_t bytes, size_t alignment);

/* In place or not at all. False iff bytes is 0 or more than the block takes (of a large block: more
 * than the backing lets it grow), block is NULL, or damage was met and reported. */
bool th_classes_resize_in_place(th_classes *classes, void *block, size_t bytes);

/* The bytes that were asked for; 0 if block is NULL, or damage was met and reported. */
size_t th_classes_requested_size(const th_classes *classes, const void *block);

/* What it may be resized to without moving: its class, whole pages, or the bytes of the backing's
 * block; 0 as above. What is beyond the bytes asked for belongs to the guards until a resize. */
size_t th_classes_usable_size(const th_classes *classes, const void *block);

/* Frees all blocks; keeps empty slabs as configured. From guard level 1 on everything is verified
 * first: TH_ERR_CORRUPT, with nothing done, after a fault. TH_ERR_NULL for NULL and a zeroed
 * th_classes; else TH_OK. */
th_status th_classes_reset(th_classes *classes);

/* Gives back all empty slabs, and all kept pages of large blocks; how many slabs that were. */
size_t th_classes_trim(th_classes *classes);

/* Is this address in a live block? Any address may be asked about. */
bool th_classes_owns(const th_classes *classes, const void *address);

/* O(classes). */
th_classes_stats th_classes_get_stats(const th_classes *classes);

/* Proves all slabs and large blocks. Raises no fault: TH_OK, or TH_ERR_CORRUPT with the first thing
 * wrong in *fault, which may be NULL. O(memory). TH_ERR_NULL for NULL and a zeroed th_classes. */
th_status th_classes_check(const th_classes *classes, th_fault *fault);

/* As an allocator. What would be less than half full stays only if there is no room to move to. */
th_allocator th_classes_allocator(th_classes *classes);

#ifdef __cplusplus
}
#endif
#endif
