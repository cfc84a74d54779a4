/* SPDX-License-Identifier: MIT */
/* Points of time for calls that wait. A clock is a clockid_t of POSIX, which is an int here. */
#ifndef TH_OS_CLOCK_H
#define TH_OS_CLOCK_H

#include <stdint.h>
#include <time.h>

uint64_t th_now_ns(int clock);

/* The time on that clock in so many nanoseconds; one that is too far away is as late as can be. */
struct timespec th_time_after(int clock, uint64_t ns);

#endif
