/* SPDX-License-Identifier: MIT */
/* Sequential models of what threads share. */
#ifndef LAB_HISTORY_MODELS_H
#define LAB_HISTORY_MODELS_H

#include "history/history.h"
#include "model/exact.h"

/* ---- a pool ----------------------------------------------------------------------------------
 *
 * Cells, numbered from 0. TAKE: the result is a cell that is free, or LAB_POOL_NONE if none is.
 * GIVE: argument 0 is a cell that is taken. */
enum { LAB_POOL_CELLS_MAX = 64 };
#define LAB_POOL_NONE UINT64_MAX
typedef enum lab_pool_call { LAB_POOL_TAKE, LAB_POOL_GIVE } lab_pool_call;

/* `cells`, up to LAB_POOL_CELLS_MAX; must stay. */
lab_sequential lab_sequential_pool(const unsigned *cells);

/* ---- blocks ----------------------------------------------------------------------------------
 *
 * Any allocator: which block it gives is its own affair, but no byte of it is a live block's.
 * Addresses are numbers from LAB_BLOCK_NONE + 1 on. ALLOC: argument 0 bytes, the result the
 * address, or LAB_BLOCK_NONE. RESIZE: arguments bytes, address, old bytes; the result is the
 * address after it, LAB_BLOCK_NONE if nothing changed. FREE: arguments bytes, address. ASK changes
 * nothing. */
enum { LAB_BLOCKS_MAX = 64 };
#define LAB_BLOCK_NONE UINT64_C(0)
typedef enum lab_block_call {
    LAB_BLOCK_ALLOC,
    LAB_BLOCK_RESIZE,
    LAB_BLOCK_FREE,
    LAB_BLOCK_ASK
} lab_block_call;

lab_sequential lab_sequential_blocks(void);

/* ---- the tagged heap -------------------------------------------------------------------------
 *
 * The same calls, by the exact model: there is one right result. Argument 3 of ALLOC is the
 * alignment in its low 32 bits, the tag above; addresses are header offsets in dwords, plus one;
 * the result of FREE is what th_heap_free returns, that of ASK the largest free block in bytes. */
typedef struct lab_heap_start {
    uint64_t base; /* the region's address */
    size_t bytes;
    uint32_t alignment;
    lab_exact_layout layout;
} lab_heap_start;

lab_sequential lab_sequential_heap(const lab_heap_start *start);

#endif
