/* SPDX-License-Identifier: MIT */
/* The layouts: how a block's header lies in memory. Only this file, and what chain.h and header.c
 * call peek, store and retire, know it; all other code works on th_header, the decoded form.
 *
 *   dword   classic                 wide                      lean
 *     0     prev : 27, align : 5    prev                      prev : 27, align : 5
 *     1     next                    size                      tag : 15, size : 17
 *     2     tag : 15, size : 17     tag : 31
 *     3     requested               requested, low 32 bits
 *     4     site                    site
 *     5     check                   check
 *     6                             align : 5, requested's high bits : 27
 *
 *   prev       offset of the block below (0 in FIRST)
 *   next       offset of the block above (0 in LAST); where it is not stored it is the block's end
 *   align      log2 of the payload's alignment in bytes
 *   size       payload dwords
 *   requested  bytes asked for (0 in free blocks); where it is not stored it is the whole payload
 *   site       the caller's number; where it is not stored it is 0
 *   check      over the other dwords, the block's own offset and the heap's seed (guard >= 1); not
 *              over what is known: where the block ends, and padding, which are compared
 *
 * Headers are padded to a multiple of the heap's alignment, so that payloads are aligned: classic
 * ones to 6, 6 and 8 dwords at alignment 4, 8 and 16, wide ones to 7, 8 and 8, lean ones to 2, 2
 * and 4. With guards the padding is a constant, so that damage to it is damage to the header. */
#ifndef TH_HEAP_LAYOUT_H
#define TH_HEAP_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pattern.h"
#include "tagheap/heap.h"

/* The build knob: which layouts the library contains, as a sum. */
#define TH_LAYOUTS_CLASSIC 1
#define TH_LAYOUTS_LEAN    2
#define TH_LAYOUTS_WIDE    4
#ifndef TH_LAYOUTS
#define TH_LAYOUTS 7
#endif
static_assert(TH_LAYOUTS >= 1 && TH_LAYOUTS <= 7,
              "TH_LAYOUTS is a sum of 1 (classic), 2 (lean) and 4 (wide)");

#define TH_LAYOUT_CLASSIC_DWORDS 6u
#define TH_LAYOUT_LEAN_DWORDS    2u
#define TH_LAYOUT_WIDE_DWORDS    7u
#define TH_LAYOUT_DWORDS_MAX     8u /* padding included */

/* Of classic and lean headers. */
#define TH_LAYOUT_PREV_BITS 27u
#define TH_LAYOUT_TAG_BITS  15u
#define TH_LAYOUT_SIZE_BITS 17u
#define TH_LAYOUT_SIZE_MAX  ((1u << TH_LAYOUT_SIZE_BITS) - 1)

/* Of wide headers. Dwords are numbered with 32 bits, and so is the end of what is managed. */
#define TH_LAYOUT_ALIGN_BITS      5u
#define TH_LAYOUT_WIDE_BYTES_MAX  ((uint64_t)1 << 34) /* of a region, its last 16 bytes unused */
#define TH_LAYOUT_WIDE_DWORDS_MAX 0xFFFFFFFCu
#define TH_LAYOUT_WIDE_SIZE_MAX   (TH_LAYOUT_WIDE_DWORDS_MAX - 2 * TH_LAYOUT_WIDE_DWORDS)

#define TH_LAYOUT_ALIGN_MAX   31u /* largest log2 of an alignment */
#define TH_LAYOUT_CHECK_DWORD 5u  /* of classic and wide headers */

/* The least payload, in dwords, that a remainder must have to become a block. */
#define TH_LAYOUT_SPLIT_PAYLOAD 4u

static_assert(TH_LAYOUT_TAG_BITS + TH_LAYOUT_SIZE_BITS == 32, "tag and size share one dword");
static_assert(TH_LAYOUT_PREV_BITS + TH_LAYOUT_ALIGN_BITS == 32, "prev and align do");
static_assert(TH_TAG_FREE == (1u << TH_LAYOUT_TAG_BITS) - 1, "FREE is the highest tag");
static_assert(TH_TAG_WIDE_FREE == UINT32_MAX >> 1, "and in wide headers");
static_assert(TH_TAG_TAIL_MIN == (TH_TAG_FREE + 1) / 2 &&
                  TH_TAG_WIDE_TAIL_MIN == (TH_TAG_WIDE_FREE + 1) / 2,
              "the highest bit means TAIL");
static_assert(TH_HEAP_BLOCK_BYTES_MAX == TH_LAYOUT_SIZE_MAX * TH_DWORD_BYTES, "one limit");
static_assert(TH_LAYOUT_SIZE_MAX + 16 < (1u << TH_LAYOUT_PREV_BITS), "every offset fits");
static_assert(TH_LAYOUT_WIDE_DWORDS_MAX % 4 == 0, "whatever the alignment is");
static_assert(sizeof(th_word) == TH_DWORD_BYTES, "a dword is 4 bytes");

/* Is it a layout, not AUTO, that the library contains? */
bool th_layout_contained(unsigned layout);

/* A header, decoded, together with its place. */
typedef struct th_header {
    uint32_t offset;
    uint32_t prev;
    uint32_t next;
    uint32_t tag;
    uint32_t size;
    uint32_t site;
    size_t requested;
    uint32_t align_log2;
    uint32_t check;     /* as stored */
    uint32_t check_due; /* as it should be; equal to check at guard 0 */
} th_header;

#endif
