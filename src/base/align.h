/* SPDX-License-Identifier: MIT */
/* Rounding to powers of two. All pure, O(1). */
#ifndef TH_BASE_ALIGN_H
#define TH_BASE_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* value ^ (value - 1) is the lowest bit that is set, and all below it: more than value - 1 if there
 * is no bit above it. Of 0 both are all ones. */
static inline bool th_is_power_of_two(size_t value) {
    return (value ^ (value - 1)) > value - 1;
}

/* The multiple of `unit` (a power of two) at or above the value, which must be at most
 * UINT32_MAX - (unit - 1). */
static inline uint32_t th_round_up(uint32_t value, uint32_t unit) {
    return (value + unit - 1) & ~(unit - 1);
}

/* The same for sizes; round_up wants value <= SIZE_MAX - (unit - 1). */
static inline size_t th_size_round_up(size_t value, size_t unit) {
    return (value + unit - 1) & ~(unit - 1);
}

static inline bool th_is_aligned(uintptr_t address, size_t alignment) {
    return (address & (alignment - 1)) == 0;
}

#endif
