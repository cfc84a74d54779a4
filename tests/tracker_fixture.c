/* SPDX-License-Identifier: MIT */
#include "tracker_fixture.h"

#include <string.h>

th_tracker tracker;
th_classes tracker_below;
backing tracker_memory;
backing tracker_own;
fault_log tracker_faults;
unsigned char tracker_nobodys[64];

th_tracker_config tracker_config_at(int level) {
    const th_classes_config config = {.backing = backing_start(&tracker_memory),
                                      .slab_bytes = 1024};
    CHECK_EQ(th_classes_init(&tracker_below, &config), TH_OK);
    return (th_tracker_config){.tracked = th_classes_allocator(&tracker_below),
                               .backing = backing_start(&tracker_own),
                               .history_events = 4,
                               .guarding = guarding_with(&tracker_faults, level)};
}

void tracker_start(const th_tracker_config *config) {
    CHECK_EQ(th_tracker_init(&tracker, config), TH_OK);
}

void tracker_start_at(int level) {
    const th_tracker_config config = tracker_config_at(level);
    tracker_start(&config);
}

void tracker_stop(void) {
    static const th_tracker zeroed;
    th_fault fault;
    CHECK_EQ(th_tracker_check(&tracker, &fault), TH_OK);
    CHECK_EQ(th_tracker_get_stats(&tracker).own_bytes, tracker_own.live_bytes);
    th_tracker_clean_up(&tracker);
    CHECK(memcmp(&tracker, &zeroed, sizeof tracker) == 0);
    th_classes_clean_up(&tracker_below);
    CHECK_EQ(tracker_faults.count, 0);
    backing_stop(&tracker_own);
    backing_stop(&tracker_memory);
}

const th_tracker_site *tracker_site_of(const void *block) {
    th_tracker_block found;
    CHECK(th_tracker_find(&tracker, block, &found));
    CHECK_PTR_EQ(found.address, block);
    return found.site;
}

th_tracker_origin tracker_frames_of(const uintptr_t *frames, size_t depth) {
    return (th_tracker_origin){.frames = frames, .depth = depth};
}

void *tracker_alloc_at(uint32_t line, size_t bytes) {
    return th_tracker_alloc_from(&tracker, bytes, 16, th_tracker_line("a.c", line, 0));
}
