/* SPDX-License-Identifier: MIT */
/* The calls of what is built from allocators. Below is one that frees what is left over, and
 * notices nothing. */
#include "bad_calls.h"
#include "tagheap/classes.h"
#include "tagheap/tracker.h"

static th_classes below;
static th_tracker tracker;

static void tracker_start(const th_guarding *guarding, th_allocator from) {
    const th_classes_config plain = {.backing = from, .slab_bytes = 1024};
    CHECK_EQ(th_classes_init(&below, &plain), TH_OK);
    const th_tracker_config config = {.tracked = th_classes_allocator(&below),
                                      .backing = from,
                                      .history_events = 16,
                                      .guarding = *guarding};
    CHECK_EQ(th_tracker_init(&tracker, &config), TH_OK);
}

static void tracker_clean_up(void) {
    th_tracker_clean_up(&tracker);
    th_classes_clean_up(&below);
}

static void *tracker_alloc(size_t bytes, size_t alignment) {
    return th_tracker_alloc_aligned(&tracker, bytes, alignment);
}

static bool tracker_resize(void *block, size_t bytes) {
    return th_tracker_resize_in_place(&tracker, block, bytes);
}

static void tracker_free(void *block) {
    th_tracker_free(&tracker, block);
}

static size_t tracker_live(void) {
    return (size_t)th_tracker_get_stats(&tracker).requested_bytes;
}

static th_status tracker_check(th_fault *fault) {
    return th_tracker_check(&tracker, fault);
}

static th_allocator tracker_interface(void) {
    return th_tracker_allocator(&tracker);
}

const bad_calls bad_tracker = {.start = tracker_start,
                               .clean_up = tracker_clean_up,
                               .alloc = tracker_alloc,
                               .resize = tracker_resize,
                               .free = tracker_free,
                               .live = tracker_live,
                               .check = tracker_check,
                               .interface = tracker_interface};
