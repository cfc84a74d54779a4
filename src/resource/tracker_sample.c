/* SPDX-License-Identifier: MIT */
/* A Poisson process over the bytes that are allocated: the distances between sample points are
 * exponentially distributed. A block of n bytes holds n / sample_bytes points on average, so that
 * points times sample_bytes estimates n without bias, whatever the sizes are. Integers only: no
 * floating point where there may be none, and the same on every machine. */
#include "resource/tracker_sample.h"

#include "base/compiler.h"

/* Blocks of so many times sample_bytes are tracked anyway. */
enum { SURE = 32 };

enum { FRACTION_BITS = 16 };
#define LN2 45426u /* ln 2 in 16.16 */

/* splitmix64. */
static uint64_t next_random(th_tracker *tracker) {
    uint64_t z = tracker->random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* -log2(value / 2^64) in 16.16, of value > 0. The fraction comes bit by bit: to square a number of
 * [1, 2) doubles its logarithm. */
static uint64_t minus_log2(uint64_t value) {
    unsigned shift = 63 - th_highest_bit(value);
    uint64_t x = value << shift >> 32; /* of [1, 2): 2^31 is 1 */
    uint64_t fraction = 0;
    for (unsigned i = 0; i < FRACTION_BITS; i++) {
        x = x * x >> 31;
        fraction <<= 1;
        if (x >> 32 != 0) {
            fraction++;
            x >>= 1;
        }
    }
    return ((uint64_t)(shift + 1) << FRACTION_BITS) - fraction;
}

/* The bytes to the next point, 1 at least. */
static uint64_t draw_distance(th_tracker *tracker) {
    uint64_t minus_ln = minus_log2(next_random(tracker) | 1) * LN2 >> FRACTION_BITS;
    return (minus_ln * tracker->config.sample_bytes >> FRACTION_BITS) + 1;
}

void th_tracker_sample_start(th_tracker *tracker) {
    tracker->random = tracker->config.seed;
    tracker->until_sample = draw_distance(tracker);
}

bool th_tracker_sample_draw(th_tracker *tracker, size_t bytes, uint32_t *points) {
    uint64_t left = bytes;
    *points = 0;
    if (bytes / SURE >= tracker->config.sample_bytes) {
        return true;
    }
    while (left >= tracker->until_sample) {
        left -= tracker->until_sample;
        tracker->until_sample = draw_distance(tracker);
        ++*points;
    }
    tracker->until_sample -= left;
    return *points > 0;
}
