/* SPDX-License-Identifier: MIT */
/* Points of time: how long is waited for, and that no wait is so long that it ends at once. */
#define _DEFAULT_SOURCE

#include <time.h>

#include "os/clock.h"
#include "suite.h"

#define NS_PER_S UINT64_C(1000000000)

static uint64_t ns_of(struct timespec at) {
    return (uint64_t)at.tv_sec * NS_PER_S + (uint64_t)at.tv_nsec;
}

static void a_time_comes_after_so_many_nanoseconds(void) {
    static const uint64_t waits[] = {0, 1, 999999999, NS_PER_S, 3600 * NS_PER_S + 7};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        uint64_t before = th_now_ns(CLOCK_MONOTONIC);
        struct timespec then = th_time_after(CLOCK_MONOTONIC, waits[i]);
        uint64_t after = th_now_ns(CLOCK_MONOTONIC);
        CHECK(then.tv_nsec >= 0 && then.tv_nsec < (long)NS_PER_S);
        CHECK(ns_of(then) >= before + waits[i] && ns_of(then) <= after + waits[i]);
    }
}

/* The latest time is one that time_t can say, and that the system can count in nanoseconds. */
static void a_time_that_never_comes_is_the_latest(void) {
    static const uint64_t waits[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2};
    int64_t latest = sizeof(time_t) < 8 ? INT32_MAX : (int64_t)(INT64_MAX / NS_PER_S);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct timespec then = th_time_after(CLOCK_MONOTONIC, waits[i]);
        CHECK_EQ(then.tv_sec, latest);
        CHECK(then.tv_nsec >= 0 && then.tv_nsec < (long)NS_PER_S);
        CHECK(then.tv_sec > 0);
    }
}

/* From 2038 on the time of day has more than 31 bits of seconds: a wait that begins then, or ends
 * then, is as long as any other. */
static void a_wait_goes_beyond_2038(void) {
    static const uint64_t wait = 20 * 365 * 86400 * NS_PER_S;
    uint64_t before = th_now_ns(CLOCK_REALTIME);
    struct timespec then = th_time_after(CLOCK_REALTIME, wait);
    CHECK(sizeof(time_t) < 8 || ns_of(then) >= before + wait);
    CHECK(sizeof(time_t) >= 8 || then.tv_sec == INT32_MAX);
}

TH_SUITE("clock", TEST(a_time_comes_after_so_many_nanoseconds),
         TEST(a_time_that_never_comes_is_the_latest), TEST(a_wait_goes_beyond_2038))
