/* SPDX-License-Identifier: MIT */
/* A span: contiguous memory that is handed out from its low end upwards. It is what the linear
 * allocators (bump, arena, region, frame) have in common and is declared here only so that they
 * can live in static storage; callers use theirs.
 *
 *   base            last        at                  dirty                       end
 *    [ block ][gap][ last block ][ free, used before ][ free, never used ][records]
 *
 * What every linear allocator promises about the memory of a span:
 * - A block lies at the first address >= at that has its alignment. What is skipped for that is
 *   its gap. Nothing else is spent: there are no headers.
 * - Guard level 1: up to TH_SPAN_CANARY_BYTES bytes after the last block hold the canary, as far
 *   as there is room, verified before the next block is made, before the last one changes its
 *   size, and before memory is taken back. Every gap keeps the canary, and is verified before the
 *   blocks around it are taken back. Where the gaps are is recorded at the end of the free memory,
 *   8 bytes for each (but for gaps that end beyond 4 GiB, which are not watched); a block that
 * needs that memory gets it, after the gaps whose records make room have been verified a last time.
 * So no guard level changes where a block lies.
 * - Level 2: free memory that was used before holds poison, verified before it is used again.
 * - Level 3: all of this is verified after each operation.
 * - In a th_fault, `block` is the number of the span among those of its allocator, and `offset`
 *   is in bytes from the span's base. A damaged record is TH_FAULT_HEADER, pointers of the span
 *   that contradict each other are TH_FAULT_CHAIN. */
#ifndef TAGHEAP_SPAN_H
#define TAGHEAP_SPAN_H

#include <stddef.h>

#include "tagheap/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TH_SPAN_CANARY_BYTES TH_SIZE_C(16)

/* Zeroed: a span without memory. */
typedef struct th_span {
    unsigned char *at;    /* the end of what is handed out */
    unsigned char *end;   /* of the memory */
    unsigned char *last;  /* the last block; NULL: none that may be resized or freed */
    unsigned char *base;  /* start of the memory */
    unsigned char *dirty; /* [base, dirty) has been written once; kept up by the guards only */
    size_t gaps;          /* records at the end of the memory */
} th_span;

#ifdef __cplusplus
}
#endif
#endif
