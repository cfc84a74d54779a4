/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_REFUSED_H
#define LAB_PROGRAM_REFUSED_H

#include <stddef.h>
#include <string.h>

#include "tagheap/heap.h"

/* The largest region that init accepts at alignment 4 in classic. */
#define LARGEST_BYTES (TH_HEAP_BLOCK_BYTES_MAX + 2 * (size_t)24)

/* A call that must be refused: with what, and what it has answered. */
typedef struct refused_call {
    const char *what;
    th_status due, answered;
} refused_call;

#define REFUSED_CALLS_MAX 32

/* Regions and options that init does not accept; `region` would be a good one. Returns how many. */
static inline size_t ask_with_bad_options(refused_call *calls, void *region, void (*taker)(void *),
                                          void (*giver)(void *)) {
    const size_t bytes = 4096;
    unsigned char *at = region;
    th_heap none;
    const th_heap_config odd = {.alignment = 5};
    const th_heap_config four = {.alignment = 4};
    const th_heap_config bare = {
        .alignment = 4, .index = TH_HEAP_INDEX_NONE, .layout = TH_HEAP_LAYOUT_CLASSIC};
    const th_heap_config eight = {.alignment = 8};
    const th_heap_config sixteen = {.alignment = 16};
    const th_heap_config low = {.guarding.level = -1};
    const th_heap_config high = {.guarding.level = 4};
    const th_heap_config unknown = {.layout = (th_heap_layout)4};
    const th_heap_config guarded = {.guarding.level = 1, .layout = TH_HEAP_LAYOUT_LEAN};
    const th_heap_config half = {.lock.acquire = taker};
    const th_heap_config other = {.lock.release = giver};
    memset(&none, 0, sizeof none);
    const refused_call all[] = {
        {"init NULL", TH_ERR_NULL, th_heap_init(NULL, region, bytes, NULL)},
        {"init no region", TH_ERR_NULL, th_heap_init(&none, NULL, bytes, NULL)},
        {"init alignment 5", TH_ERR_ALIGNMENT, th_heap_init(&none, region, bytes, &odd)},
        {"init guard -1", TH_ERR_CONFIG, th_heap_init(&none, region, bytes, &low)},
        {"init guard 4", TH_ERR_CONFIG, th_heap_init(&none, region, bytes, &high)},
        {"init layout 4", TH_ERR_LAYOUT, th_heap_init(&none, region, bytes, &unknown)},
        {"init lean with guards", TH_ERR_CONFIG, th_heap_init(&none, region, bytes, &guarded)},
        {"init lock alone", TH_ERR_CONFIG, th_heap_init(&none, region, bytes, &half)},
        {"init unlock alone", TH_ERR_CONFIG, th_heap_init(&none, region, bytes, &other)},
        {"init misaligned", TH_ERR_MISALIGNED, th_heap_init(&none, at + 2, bytes, &four)},
        {"init misaligned to 8", TH_ERR_MISALIGNED, th_heap_init(&none, at + 4, bytes, &eight)},
        {"init misaligned to 16", TH_ERR_MISALIGNED, th_heap_init(&none, at + 8, bytes, &sixteen)},
        {"init small", TH_ERR_TOO_SMALL, th_heap_init(&none, region, 63, &four)},
        {"init large", TH_ERR_TOO_LARGE, th_heap_init(&none, region, (size_t)1 << 20, &bare)},
        {"init a dword too large", TH_ERR_TOO_LARGE,
         th_heap_init(&none, region, LARGEST_BYTES + 4, &bare)},
        {"check nothing", TH_ERR_NULL, th_heap_check(NULL, NULL)},
        {"check zeroed", TH_ERR_NULL, th_heap_check(&none, NULL)},
        {"copy zeroed", TH_ERR_NULL, th_heap_copy(&none, &none, region)},
    };
    memcpy(calls, all, sizeof all);
    return sizeof all / sizeof all[0];
}

/* Copies and images that are none. The heap's region is at `place`, `other` a good place for a
 * copy, `half` half of its alignment in bytes. */
static inline size_t ask_with_bad_images(refused_call *calls, const th_heap *from,
                                         unsigned char *place, unsigned char *other, size_t half) {
    th_heap none, copy = *from;
    memset(&none, 0, sizeof none);
    const refused_call all[] = {
        {"copy from NULL", TH_ERR_NULL, th_heap_copy(NULL, &copy, other)},
        {"copy to NULL", TH_ERR_NULL, th_heap_copy(from, NULL, other)},
        {"copy to no region", TH_ERR_NULL, th_heap_copy(from, &copy, NULL)},
        {"copy misaligned", TH_ERR_MISALIGNED, th_heap_copy(from, &copy, other + half)},
        {"attach NULL", TH_ERR_NULL, th_heap_attach(NULL, other)},
        {"attach zeroed", TH_ERR_NULL, th_heap_attach(&none, other)},
        {"attach no region", TH_ERR_NULL, th_heap_attach(&copy, NULL)},
        {"attach misaligned", TH_ERR_MISALIGNED, th_heap_attach(&copy, place + half)},
    };
    memcpy(calls, all, sizeof all);
    return sizeof all / sizeof all[0];
}

#endif
