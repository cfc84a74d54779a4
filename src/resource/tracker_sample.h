/* SPDX-License-Identifier: MIT */
/* Which allocations a tracker samples. */
#ifndef TH_RESOURCE_TRACKER_SAMPLE_H
#define TH_RESOURCE_TRACKER_SAMPLE_H

#include "tagheap/tracker.h"

/* Draws the first sample point. */
void th_tracker_sample_start(th_tracker *tracker);

/* Is a block of so many bytes tracked, and for how many samples does it stand? 0: for itself. */
bool th_tracker_sample_draw(th_tracker *tracker, size_t bytes, uint32_t *points);

#endif
