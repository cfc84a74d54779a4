/* SPDX-License-Identifier: MIT */
/* Large blocks, on mapped pages, or in odd variants over a backing, which gives as many bytes as
 * are asked for and has no room for canaries. Bit 1 of the variant puts guard pages around mapped
 * blocks. */
#include <stdlib.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/large.h"
#include "tagheap/pages.h"

LAB_ALLOCATOR(large, requested_bytes);

enum { BACKED = 1, GUARD_PAGES = 2 };

static void destroy(void *self) {
    lab_allocator_large.clean_up(self);
    free(self);
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    bool mapped = (setup->variant & BACKED) == 0;
    th_large_config config = {.guard_pages = mapped && (setup->variant & GUARD_PAGES) != 0,
                              .guarding = lab_ground_guarding(setup)};
    th_large *large = calloc(1, sizeof *large);
    if (large == NULL) {
        return false;
    }
    if (!mapped) {
        config.backing = setup->backing;
    }
    if (th_large_init(large, &config) != TH_OK) {
        free(large);
        return false;
    }
    instance->state = large;
    instance->allocator = lab_allocator_large.interface(large);
    lab_ground_describe(instance, setup, mapped);
    instance->keeps_least = mapped ? th_pages_size() : 1;
    return true;
}

static void measure(const void *self, lab_figures *figures) {
    th_large_stats stats = th_large_get_stats(self);
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_REQUESTED | LAB_FIGURE_PEAK |
                                      LAB_FIGURE_REFUSED,
                             .live = stats.live,
                             .requested = stats.requested_bytes,
                             .used = stats.bytes,
                             .peak = stats.bytes_max,
                             .refused = stats.failed_allocs};
}

const lab_subject lab_subject_large = {
    .version = LAB_SUBJECT_VERSION,
    .name = "large",
    .purpose = "large blocks on mapped pages (with guards) or over a backing by variant",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS | LAB_SUBJECT_OWN_MEMORY | LAB_SUBJECT_TRACKED |
             LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES | LAB_SUBJECT_ENDS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
};
