/* SPDX-License-Identifier: MIT */
/* The classic layout: how a block's header lies in memory. Only this file and chain.c's load and
 * store know it; all other code works on th_header, the decoded form.
 *
 *   dword 0   prev : 27   offset of the block below (0 in FIRST)
 *             align : 5   log2 of the payload's alignment in bytes
 *   dword 1   next        offset of the block above (0 in LAST)
 *   dword 2   tag : 15, size : 17 (payload dwords)
 *   dword 3   requested   bytes asked for (0 in free blocks)
 *   dword 4   site        the caller's number
 *   dword 5   check       over the five dwords above, the block's own offset and the
 *                       heap's seed (guard >= 1)
 *
 * A heap of alignment 16 pads the header to 8 dwords, so that payloads are aligned. With guards
 * the padding is a canary, and damage to it counts as damage to the check word. */
#ifndef TH_HEAP_LAYOUT_H
#define TH_HEAP_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pattern.h"
#include "tagheap/heap.h"

#define TH_LAYOUT_HEADER_DWORDS 6u
#define TH_LAYOUT_PREV_BITS     27u
#define TH_LAYOUT_TAG_BITS      15u
#define TH_LAYOUT_SIZE_BITS     17u
#define TH_LAYOUT_SIZE_MAX      ((1u << TH_LAYOUT_SIZE_BITS) - 1)
#define TH_LAYOUT_ALIGN_MAX     31u /* largest log2 of an alignment */
#define TH_LAYOUT_CHECK_DWORD   5u

/* The least payload, in dwords, that a remainder must have to become a block. */
#define TH_LAYOUT_SPLIT_PAYLOAD 4u

static_assert(TH_LAYOUT_TAG_BITS + TH_LAYOUT_SIZE_BITS == 32, "tag and size share one dword");
static_assert(TH_TAG_FREE == (1u << TH_LAYOUT_TAG_BITS) - 1, "FREE is the highest tag");
static_assert(TH_HEAP_BLOCK_BYTES_MAX == TH_LAYOUT_SIZE_MAX * TH_DWORD_BYTES, "one limit");
static_assert(TH_LAYOUT_SIZE_MAX + 16 < (1u << TH_LAYOUT_PREV_BITS), "every offset fits");
static_assert(sizeof(th_word) == TH_DWORD_BYTES, "a dword is 4 bytes");

/* A header, decoded, together with its place. */
typedef struct th_header {
    uint32_t offset;
    uint32_t prev;
    uint32_t next;
    uint32_t tag;
    uint32_t size;
    uint32_t requested;
    uint32_t site;
    uint32_t align_log2;
    uint32_t check;     /* as stored */
    uint32_t check_due; /* as it should be; equal to check at guard 0 */
} th_header;

#endif
