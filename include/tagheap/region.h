/* SPDX-License-Identifier: MIT */
/* Regions: memory by lifetime phases that nest. A region is an arena that may have child regions,
 * which end with it at the latest, and cleanup functions, which run when it ends.
 *
 *   program
 *     +- session            th_region_destroy(session) ends `second request` and `first request`,
 *     |    +- first request  in this order, each with its cleanups, and then `session`
 *     |    +- second request
 *     +- ...
 *
 * Each region has chunks of its own from the one backing that all regions of a tree share (arena.h
 * says how blocks are placed in them), so that phases may overlap and end in any order.
 *
 * Ownership: the caller owns the root's th_region and the backing. A child's th_region lies in its
 * parent's memory, and may be used until the child ends; later children of the same parent use its
 * place again. Blocks belong to the caller until their region ends or is reset.
 * Sizes are bytes; alignments are any powers of two.
 * Thread rule: one tree of regions, one thread at a time.
 * Complexity: an allocation is that of an arena; begin O(1); end and reset O(regions, cleanups and
 * chunks that go, and the regions that the region lies in).
 * Guards: those of the arena. Besides, at guard level 1 and up, ending a region that has ended is
 * TH_FAULT_DOUBLE_FREE as long as its place has not been used again; at every level, ending or
 * resetting a region from inside its own cleanup function, or that of a region in it, is
 * TH_FAULT_REENTRY. In these two `block` and `offset` are TH_FAULT_NOWHERE.
 * Source: the region-based allocator of the document "Memory Management Techniques in C", 8.5.1;
 * trees of regions as in D. Gay, A. Aiken, "Memory management with explicit regions", PLDI 1998. */
#ifndef TAGHEAP_REGION_H
#define TAGHEAP_REGION_H

#include <stddef.h>

#include "tagheap/allocator.h"
#include "tagheap/arena.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called once when its region ends or is reset, before any memory of the region goes. May use and
 * allocate from the region, but must not end or reset it, nor what it lies in, nor begin anything
 * in it. */
typedef void (*th_region_cleanup_fn)(void *context);

typedef struct th_region_cleanup th_region_cleanup;
typedef struct th_region th_region;

/* Its fields are the library's own. */
struct th_region {
    th_arena arena;
    th_region *parent;
    th_region *youngest; /* of the children; each knows its neighbours in age */
    th_region *older;    /* of an ended one: the next in the parent's list of those */
    th_region *younger;
    th_region *ended; /* children whose place may be used again */
    th_region_cleanup *cleanups;
    unsigned state;
    unsigned closing_below; /* of those in it, how many are being ended or reset by themselves */
};

/* Starts a root. The config is that of an arena (arena.h), with a backing in any case; the
 * children inherit it, but for the memory, which is the root's. Fails, leaving *root untouched, as
 * th_arena_init does, and iff there is no backing (TH_ERR_CONFIG). */
th_status th_region_init(th_region *root, const th_arena_config *config);

/* Begins a child of `parent`. NULL iff there is no memory for its th_region, or the parent has
 * ended, is ending or was never started. */
th_region *th_region_create(th_region *parent);

/* Ends the region: first its children, the youngest first, then it runs its cleanups, the last one
 * first, then its memory goes back. A root is zeroed then, like th_arena after th_arena_clean_up.
 * NULL and a zeroed root are allowed. TH_ERR_BUSY, with nothing done, iff the region, one that it
 * lies in, or one that lies in it is ending or being reset (with a fault unless it is one that it
 * lies in); TH_ERR_CORRUPT, with nothing done, after a fault for a region that has ended; else
 * TH_OK. Damage to blocks is reported, and does not stop it. */
th_status th_region_destroy(th_region *region);

/* The same for a root, whatever its status. */
void th_region_clean_up(th_region *root);

/* The same, but the region stays, empty: for phases that repeat. TH_ERR_NULL for NULL and a zeroed
 * root. TH_ERR_CORRUPT also if memory of the region itself is damaged (after a fault): then the
 * children have ended and the cleanups have run, and its blocks are still there. */
th_status th_region_reset(th_region *region);

/* Registers a cleanup. TH_ERR_NULL for no function, NULL and a zeroed root, TH_ERR_EXHAUSTED iff
 * there is no memory to remember it, TH_ERR_BUSY iff the region is not open. */
th_status th_region_defer(th_region *region, th_region_cleanup_fn cleanup, void *context);

/* A block, as th_arena_alloc and th_arena_alloc_aligned. NULL also if the region has ended. */
void *th_region_alloc(th_region *region, size_t bytes);
void *th_region_alloc_aligned(th_region *region, size_t bytes, size_t alignment);

typedef struct th_region_stats {
    uint64_t regions;      /* in the tree from this one down, itself included */
    uint64_t depth;        /* regions above this one */
    size_t used_bytes;     /* of this one alone, as of its arena */
    size_t reserved_bytes; /* of this one alone */
    size_t tree_reserved_bytes;
} th_region_stats;

/* O(regions). All of them are 0 for a region that has ended. */
th_region_stats th_region_get_stats(const th_region *region);

/* Proves the tree from this region down: links, and every arena. Raises nothing: TH_ERR_CORRUPT,
 * with the first thing wrong in *fault (which may be NULL), or TH_OK. TH_ERR_NULL for NULL and a
 * zeroed root. */
th_status th_region_check(const th_region *region, th_fault *fault);

/* The region as an allocator, valid until it ends. As that of the arena; reset is
 * th_region_reset, and check th_region_check. */
th_allocator th_region_allocator(th_region *region);

#ifdef __cplusplus
}
#endif
#endif
