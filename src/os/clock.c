/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include "os/clock.h"

#define TH_NS_PER_S UINT64_C(1000000000)

/* Of no clock: later than any time that comes. */
#define TH_SECONDS_MAX (INT32_MAX - 1)

uint64_t th_now_ns(int clock) {
    struct timespec now;
    (void)clock_gettime((clockid_t)clock, &now);
    return (uint64_t)now.tv_sec * TH_NS_PER_S + (uint64_t)now.tv_nsec;
}

struct timespec th_time_after(int clock, uint64_t ns) {
    uint64_t now = th_now_ns(clock);
    uint64_t then = ns < UINT64_MAX - now ? now + ns : UINT64_MAX;
    uint64_t seconds = then / TH_NS_PER_S;
    return (struct timespec){
        .tv_sec = (time_t)(seconds < (uint64_t)TH_SECONDS_MAX ? seconds : (uint64_t)TH_SECONDS_MAX),
        .tv_nsec = (long)(then % TH_NS_PER_S)};
}
