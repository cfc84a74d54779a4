/* SPDX-License-Identifier: MIT */
/* One buddy allocator for the suites that test what it decides. */
#ifndef TESTS_BUDDY_FIXTURE_H
#define TESTS_BUDDY_FIXTURE_H

#include "alloc_fixture.h"
#include "tagheap/buddy.h"

enum { REGION_BYTES = 8192, BOOK_BYTES = 16 * REGION_BYTES };

extern unsigned char buddy_region[2 * REGION_BYTES]; /* at a multiple of REGION_BYTES */
extern unsigned char buddy_book[BOOK_BYTES];
extern th_buddy buddy;
extern fault_log buddy_faults;

/* Starts it with exactly the bookkeeping that is needed. */
void buddy_start(int level, void *memory, size_t bytes, size_t unit);

/* Checks it, and that it has reported nothing, and ends it. */
void buddy_stop(void);

th_buddy_stats buddy_stats(void);

#endif
