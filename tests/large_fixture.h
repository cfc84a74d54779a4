/* SPDX-License-Identifier: MIT */
/* One set of large blocks for the suites that test them. */
#ifndef TESTS_LARGE_FIXTURE_H
#define TESTS_LARGE_FIXTURE_H

#include "alloc/large.h"
#include "alloc_fixture.h"

extern fault_log large_faults;
extern backing large_backing;
extern th_large large;
extern size_t page; /* bytes of one */

/* Starts it, on mapped pages or over `blocks`. */
void large_start(int level, bool mapped);

/* Checks it, and that it has reported nothing, and ends it: it is empty then, and does nothing. */
void large_stop(void);

/* A block, filled by `seed`; alignment 0: as th_large_alloc has it. */
unsigned char *large_take(size_t bytes, size_t alignment, uint32_t seed);

#endif
