/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include "os/clock.h"

#define TH_NS_PER_S UINT64_C(1000000000)

/* Of no clock: the latest time that time_t can say, and that systems can count in nanoseconds with
 * a sign. A time_t of 32 bits ends in 2038, by the time of day; the other one in 2262. */
static const uint64_t latest_ns =
    sizeof(time_t) < sizeof(int64_t) ? (uint64_t)INT32_MAX * TH_NS_PER_S : (uint64_t)INT64_MAX;

uint64_t th_now_ns(int clock) {
    struct timespec now;
    (void)clock_gettime((clockid_t)clock, &now);
    return (uint64_t)now.tv_sec * TH_NS_PER_S + (uint64_t)now.tv_nsec;
}

struct timespec th_time_after(int clock, uint64_t ns) {
    uint64_t now = th_now_ns(clock);
    uint64_t then = ns < latest_ns - now ? now + ns : latest_ns;
    return (struct timespec){.tv_sec = (time_t)(then / TH_NS_PER_S),
                             .tv_nsec = (long)(then % TH_NS_PER_S)};
}
