/* SPDX-License-Identifier: MIT */
/* Check words over values of any size, one after the other. */
#ifndef TH_BASE_MIX_H
#define TH_BASE_MIX_H

#include <stdint.h>

/* The sum of what came before, and one value more: each step can be undone, so that any change of
 * one value changes the result. */
static inline uint64_t th_mix(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return sum ^ (sum >> 32);
}

#endif
