/* SPDX-License-Identifier: MIT */
#include "base/ranges.h"

#include <stdbool.h>

#include "base/assert.h"

/* A bijection, so that no two priorities are equal, of which the first step alone would turn equal
 * distances into nearly equal ones. A node that was put into its set by an initializer has none: 0.
 */
static uint64_t priority_of(const th_range *node) {
    uint64_t mixed = (uintptr_t)node->start * UINT64_C(0xBF58476D1CE4E5B9);
    return (mixed ^ mixed >> 32) * UINT64_C(0x94D049BB133111EB);
}

static bool is_below(const th_range *node, const th_range *other) {
    return (uintptr_t)node->start < (uintptr_t)other->start;
}

void th_ranges_insert(th_range **root, th_range *node) {
    th_range **link = root;
    th_range **below = &node->below;
    th_range **above = &node->above;
    node->priority = priority_of(node);
    while (*link != NULL && (*link)->priority >= node->priority) {
        link = is_below(node, *link) ? &(*link)->below : &(*link)->above;
    }
    for (th_range *rest = *link; rest != NULL;) {
        if (is_below(rest, node)) {
            *below = rest;
            below = &rest->above;
            rest = rest->above;
        } else {
            *above = rest;
            above = &rest->below;
            rest = rest->below;
        }
    }
    *below = NULL;
    *above = NULL;
    *link = node;
}

void th_ranges_unlink(th_range **link) {
    th_range *below = (*link)->below;
    th_range *above = (*link)->above;
    while (below != NULL && above != NULL) {
        if (below->priority >= above->priority) {
            *link = below;
            link = &below->above;
            below = below->above;
        } else {
            *link = above;
            link = &above->below;
            above = above->below;
        }
    }
    *link = below != NULL ? below : above;
}

void th_ranges_remove(th_range **root, const th_range *node) {
    th_range **link = th_ranges_find_link(root, node->start);
    TH_ASSERT(*link == node);
    th_ranges_unlink(link);
}

th_range *th_ranges_find(th_range *root, const void *address) {
    return *th_ranges_find_link(&root, address);
}
