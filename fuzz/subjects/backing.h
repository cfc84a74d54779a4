/* SPDX-License-Identifier: MIT */
/* The backing that subjects get their memory from: one region at fixed addresses, so that the same
 * script meets the same addresses; a budget; a record of every block, outside the region; and
 * guarded edges around each. */
#ifndef LAB_SUBJECTS_BACKING_H
#define LAB_SUBJECTS_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"

#define LAB_BACKING_BLOCKS_MAX 4096u

/* Large enough for the largest budget, its edges, and gaps. */
#define LAB_BACKING_REGION_BYTES ((size_t)4 << 20)

typedef struct lab_backing_block {
    unsigned char *at;
    size_t bytes;
    size_t alignment;
} lab_backing_block;

typedef struct lab_backing {
    unsigned char *region;     /* LAB_BACKING_REGION_BYTES, owned */
    size_t start;              /* of what is given out, in bytes from the region's start */
    size_t budget;             /* bytes that may be live at a time */
    size_t live;               /* bytes */
    size_t peak;               /* the most bytes that were live */
    lab_backing_block *blocks; /* sorted by address; owned */
    size_t count;
    uint64_t requests;         /* allocations asked for, met or not */
    uint64_t fail_at;          /* the number of the request that fails, from 1; 0: none */
    bool fail_forever;         /* ... and all that follow */
    bool refused;              /* a request was not met since this was last set to false */
    const char *damage;        /* what is wrong with its use: static string, NULL so far */
    lab_backing_block damaged; /* by it: the block; 0 bytes at what is no block's address */
} lab_backing;

/* False: no memory. */
bool lab_backing_init(lab_backing *backing);
void lab_backing_clean_up(lab_backing *backing);

/* Starts afresh: nothing is live, `budget` bytes may be; blocks start `skew` bytes above a multiple
 * of 64 KiB, at the lowest. */
void lab_backing_start(lab_backing *backing, size_t budget, size_t skew);

/* Freeing what is no live block, or a block whose edges were written, sets `damage`. */
th_allocator lab_backing_allocator(lab_backing *backing);

/* Do the bytes lie inside one live block? */
bool lab_backing_contains(const lab_backing *backing, const void *at, size_t bytes);

/* Are all edges intact? Sets `damage` if not. */
bool lab_backing_check(lab_backing *backing);

#endif
