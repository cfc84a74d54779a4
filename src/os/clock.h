/* SPDX-License-Identifier: MIT */
/* Points of time for calls that wait. Whoever includes this has asked for POSIX before. */
#ifndef TH_OS_CLOCK_H
#define TH_OS_CLOCK_H

#include <stdint.h>
#include <time.h>

#define TH_NS_PER_S UINT64_C(1000000000)

/* Of no clock: later than any time that comes. */
#define TH_SECONDS_MAX (INT32_MAX - 1)

static inline uint64_t th_now_ns(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * TH_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The time on that clock in so many nanoseconds. */
static inline struct timespec th_time_after(clockid_t clock, uint64_t ns) {
    uint64_t now = th_now_ns(clock);
    uint64_t then = ns < UINT64_MAX - now ? now + ns : UINT64_MAX;
    uint64_t seconds = then / TH_NS_PER_S;
    return (struct timespec){
        .tv_sec = (time_t)(seconds < (uint64_t)TH_SECONDS_MAX ? seconds : (uint64_t)TH_SECONDS_MAX),
        .tv_nsec = (long)(then % TH_NS_PER_S)};
}

#endif
