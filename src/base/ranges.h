/* SPDX-License-Identifier: MIT */
/* A set of memory ranges that do not overlap: which of them is an address in? The nodes belong to
 * the caller, who usually keeps each at the start of the memory that it stands for, so the set
 * itself needs none, and no address outside of the set is ever touched.
 *
 * A treap: ordered by start, and a heap by a priority that is a hash of the start. So its shape
 * depends on what it holds only, and all calls are O(log n) expected.
 * Source: R. Seidel, C. R. Aragon, "Randomized search trees", Algorithmica 16, 1996. */
#ifndef TH_BASE_RANGES_H
#define TH_BASE_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "tagheap/range.h"

/* Adds a range of at least one byte that overlaps none of the set; node->start and bytes are set
 * by the caller, and stay. */
void th_ranges_insert(th_range **root, th_range *node);

/* Takes out a node of the set. */
void th_ranges_remove(th_range **root, const th_range *node);

/* The link that leads to the range that holds the address, or, if there is none, to NULL. It is
 * good until the set changes. */
static inline th_range **th_ranges_find_link(th_range **root, const void *address) {
    th_range **link = root;
    for (th_range *node = *link; node != NULL; node = *link) {
        size_t distance = (size_t)((uintptr_t)address - (uintptr_t)node->start);
        if (distance < node->bytes) {
            break;
        }
        link = (uintptr_t)address < (uintptr_t)node->start ? &node->below : &node->above;
    }
    return link;
}

/* Takes out the node that *link leads to. */
void th_ranges_unlink(th_range **link);

/* The range that holds the address; NULL if there is none. */
th_range *th_ranges_find(th_range *root, const void *address);

#endif
