/* SPDX-License-Identifier: MIT */
/* One tracker, over size classes, for the suites that test it. */
#ifndef TESTS_TRACKER_FIXTURE_H
#define TESTS_TRACKER_FIXTURE_H

#include "alloc_fixture.h"
#include "tagheap/classes.h"
#include "tagheap/tracker.h"

extern th_tracker tracker;
extern th_classes tracker_below;
extern backing tracker_memory; /* of what is tracked */
extern backing tracker_own;    /* of the tracker itself */
extern fault_log tracker_faults;
extern unsigned char tracker_nobodys[64]; /* memory that is no block */

th_tracker_config tracker_config_at(int level);
void tracker_start(const th_tracker_config *config);
void tracker_start_at(int level);
void tracker_stop(void);
const th_tracker_site *tracker_site_of(const void *block);
th_tracker_origin tracker_frames_of(const uintptr_t *frames, size_t depth);

/* A block of the tracker's, allocated at that line. */
void *tracker_alloc_at(uint32_t line, size_t bytes);

#endif
