/* SPDX-License-Identifier: MIT */
/* A range of memory, as a node of an allocator's own set of ranges. It is declared here only so
 * that allocators can live in static storage; its fields are the library's own. */
#ifndef TAGHEAP_RANGE_H
#define TAGHEAP_RANGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_range {
    struct th_range *below, *above; /* subtrees of lower and of higher starts */
    const void *start;
    size_t bytes;
    uint64_t priority; /* in the tree: see src/base/ranges.c */
} th_range;

#ifdef __cplusplus
}
#endif
#endif
