/* SPDX-License-Identifier: MIT */
/* Offset allocator: hands out pieces of a range of numbers, [0, bytes). What the numbers mean is
 * the caller's business: bytes of video memory, sectors, slots, addresses of memory that the
 * processor must not touch. All bookkeeping lies in memory of its own; nothing is ever read or
 * written through an offset.
 *
 *   range       [ live ][   free   ][ live ][ free ]      tiled by extents without gaps
 *   bookkeeping one th_offsets_node for each extent
 *
 * Free extents are kept by size in 8 classes for each power of two, found through bitmaps. The
 * policy good fit takes the first extent of the first class all of whose extents are large enough:
 * O(1). The others are for study: they look at every free extent, O(n).
 *
 * Sizes and offsets are bytes, or whatever the caller counts. They are multiples of the granule.
 * Ownership: the caller owns th_offsets and bookkeeping. A block is the caller's until freed.
 * Thread rule: one range, one thread at a time.
 * Faults: a block that is not live raises one at every level (the bookkeeping knows): `block` is
 * its node, `offset` its offset. At level 3 the checker runs after each call. Source: the classes
 * are those of TLSF (Masmano 2004); keeping them in an array of nodes outside the range is common
 * in graphics (Aaltonen's OffsetAllocator). */
#ifndef TAGHEAP_OFFSETS_H
#define TAGHEAP_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_offsets_policy {
    TH_OFFSETS_GOOD_FIT = 0,
    TH_OFFSETS_FIRST_FIT, /* the lowest extent that is large enough */
    TH_OFFSETS_BEST_FIT,  /* the smallest; of several the lowest */
    TH_OFFSETS_WORST_FIT  /* the largest; of several the lowest */
} th_offsets_policy;

/* Everything optional: a zeroed config is a good one. */
typedef struct th_offsets_config {
    uint64_t granule; /* a power of two: what sizes are rounded up to; 0 means 1 */
    th_offsets_policy policy;
    th_guarding guarding;
} th_offsets_config;

/* An extent of the range; the library's own. */
typedef struct th_offsets_node {
    uint64_t offset, bytes;
    uint32_t below, above;  /* neighbours in the range; UINT32_MAX: none */
    uint32_t before, after; /* free: neighbours in the class; unused: `after` is the next one */
    uint32_t generation;    /* counts the lives of the node: odd while the extent is live */
} th_offsets_node;

#define TH_OFFSETS_CLASSES 496

#if SIZE_MAX > UINT32_MAX
#define TH_OFFSETS_EXTENTS_LOG2 31
#else
#define TH_OFFSETS_EXTENTS_LOG2 26
#endif

/* Zeroed, it is a range without bytes. */
typedef struct th_offsets {
    uint64_t bytes;
    th_offsets_node *nodes;
    uint32_t nodes_max;
    uint32_t unused; /* the first node that is not in use */
    uint32_t lowest; /* the extent at offset 0 */
    uint32_t live, free_extents;
    uint64_t live_bytes, high_water_bytes, failed_allocs;
    uint64_t powers; /* bit p: is there a free extent in the classes 8p .. 8p + 7? */
    uint8_t steps[62];
    uint32_t heads[TH_OFFSETS_CLASSES];
    th_offsets_config config;
} th_offsets;

/* A block: where it is, and the key to its bookkeeping. Its fields must not be changed. */
typedef struct th_offsets_block {
    uint64_t offset;
    uint32_t node;
    uint32_t generation; /* 0: no block */
} th_offsets_block;

/* The bytes of bookkeeping for up to `extents` extents at a time: twice the blocks that will be
 * live, plus one, always suffice. 0 if there are too many (2^31; on 32-bit machines 2^26). */
size_t th_offsets_bookkeeping_bytes(size_t extents);

/* Starts with the range [0, bytes) free, what is no whole granule at its end excepted. As many
 * extents as fit into bookkeeping[0 .. bookkeeping_bytes-1], which must be aligned to 8. config may
 * be NULL. Fails, leaving *offsets untouched, iff a pointer is NULL (TH_ERR_NULL), the granule is
 * no power of two (TH_ERR_ALIGNMENT), policy or guard level are none (TH_ERR_CONFIG), the range has
 * no whole granule or the bookkeeping no room for a node (TH_ERR_TOO_SMALL), the range is larger
 * than 2^62 or the bookkeeping has room for too many extents (TH_ERR_TOO_LARGE), or the bookkeeping
 * is misaligned (TH_ERR_MISALIGNED). O(nodes). */
th_status th_offsets_init(th_offsets *offsets, uint64_t bytes, void *bookkeeping,
                          size_t bookkeeping_bytes, const th_offsets_config *config);

/* *offsets is zeroed: it has no blocks, and its calls do nothing. NULL is allowed. O(1). */
void th_offsets_clean_up(th_offsets *offsets);

/* A block of `bytes` bytes. generation 0 iff bytes is 0, no free extent has room, or fewer than two
 * nodes are unused (failed_allocs counts the last two). Good fit: O(1) where the first class with
 * large enough extents is not empty, else O(extents). */
th_offsets_block th_offsets_alloc(th_offsets *offsets, uint64_t bytes);

/* The same at a multiple of `alignment`; generation 0 also iff that is no power of two. */
th_offsets_block th_offsets_alloc_aligned(th_offsets *offsets, uint64_t bytes, uint64_t alignment);

/* Frees a block, and merges it with free neighbours. A block with generation 0 is allowed. O(1).
 * False after a fault: TH_FAULT_DOUBLE_FREE for one that was freed (noticed until its node has had
 * 2^31 lives), TH_FAULT_NOT_A_BLOCK for one that never was. */
bool th_offsets_free(th_offsets *offsets, th_offsets_block block);

/* Makes the block `bytes` bytes long where it is: what is not needed any more is freed, what is
 * needed is taken from the free extent above. False, with nothing changed, iff there is not enough
 * of that, bytes is 0, a node is needed (to give up a part below a live block) and none is unused,
 * or after a fault. O(1). */
bool th_offsets_resize_in_place(th_offsets *offsets, th_offsets_block block, uint64_t bytes);

/* Frees everything: every block is dead. TH_OK, or TH_ERR_NULL for NULL and a zeroed range.
 * O(nodes). */
th_status th_offsets_reset(th_offsets *offsets);

/* The size of a live block, rounded up as it is. 0 after a fault. O(1). */
uint64_t th_offsets_size(const th_offsets *offsets, th_offsets_block block);

/* The live block that the offset lies in; generation 0 if there is none. O(extents). */
th_offsets_block th_offsets_find(const th_offsets *offsets, uint64_t offset);

typedef struct th_offsets_stats {
    uint64_t bytes; /* of the range */
    uint64_t live_bytes, high_water_bytes, free_bytes, largest_free_bytes;
    uint64_t failed_allocs;
    uint64_t live, free_extents;
} th_offsets_stats;

/* O(extents of the largest class). */
th_offsets_stats th_offsets_get_stats(const th_offsets *offsets);

/* Proves tiling, links, classes, bitmaps and counts. Raises no fault: TH_OK or, with *fault (which
 * may be NULL) filled in, TH_ERR_CORRUPT; TH_ERR_NULL for NULL and a zeroed range.
 * O(nodes). */
th_status th_offsets_check(const th_offsets *offsets, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
