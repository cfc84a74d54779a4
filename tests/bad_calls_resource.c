/* SPDX-License-Identifier: MIT */
/* The calls of what is built from allocators. Below is one that frees what is left over, and
 * notices nothing. */
#include "bad_calls.h"
#include "tagheap/classes.h"
#include "tagheap/tracker.h"

static th_classes below;
static th_tracker tracker;

static void *tracker_start(const th_guarding *guarding, th_allocator from) {
    const th_classes_config plain = {.backing = from, .slab_bytes = 1024};
    CHECK_EQ(th_classes_init(&below, &plain), TH_OK);
    const th_tracker_config config = {.tracked = th_classes_allocator(&below),
                                      .backing = from,
                                      .history_events = 16,
                                      .guarding = *guarding};
    CHECK_EQ(th_tracker_init(&tracker, &config), TH_OK);
    return &tracker;
}

static void call_clean_up(void *self) {
    th_tracker_clean_up(self);
    th_classes_clean_up(&below);
}

LAB_CALLS_OF_ALL(tracker, requested_bytes);
LAB_CALLS_OF_SIZES(tracker);
LAB_CALLS_RESIZE(tracker);
LAB_CALLS_FREE(tracker);

static const lab_allocator tracker_calls = {LAB_ALLOCATOR_OF_ALL,
                                            .alloc_aligned = call_alloc_aligned,
                                            .resize = call_resize, .free = call_free};

const bad_calls bad_tracker = {tracker_start, &tracker_calls};
