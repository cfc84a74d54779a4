/* SPDX-License-Identifier: MIT */
/* Sixteen bytes at once: the nodes of a tree of fan-out 16 (heap/index.h). All pure, O(1). The
 * plain functions are always there, so that a suite can compare the two. */
#ifndef TH_BASE_BYTES16_H
#define TH_BASE_BYTES16_H

#include "base/compiler.h"

#if TH_COMPILER_SSE2
#include <emmintrin.h>
#endif

#define TH_BYTES16 16u

static inline uint8_t th_plain_bytes16_max(const uint8_t *bytes) {
    uint8_t max = 0;
    for (unsigned i = 0; i < TH_BYTES16; i++) {
        max = bytes[i] > max ? bytes[i] : max;
    }
    return max;
}

static inline uint32_t th_plain_bytes16_at_least(const uint8_t *bytes, uint8_t least) {
    uint32_t mask = 0;
    for (unsigned i = 0; i < TH_BYTES16; i++) {
        mask |= (uint32_t)(bytes[i] >= least) << i;
    }
    return mask;
}

/* The largest of bytes[0 .. 15]. */
static inline uint8_t th_bytes16_max(const uint8_t *bytes) {
#if TH_COMPILER_SSE2
    __m128i max = _mm_loadu_si128((const void *)bytes);
    max = _mm_max_epu8(max, _mm_srli_si128(max, 8));
    max = _mm_max_epu8(max, _mm_srli_si128(max, 4));
    max = _mm_max_epu8(max, _mm_srli_si128(max, 2));
    max = _mm_max_epu8(max, _mm_srli_si128(max, 1));
    return (uint8_t)_mm_cvtsi128_si32(max);
#else
    return th_plain_bytes16_max(bytes);
#endif
}

/* Bit i is set iff bytes[i] >= least. */
static inline uint32_t th_bytes16_at_least(const uint8_t *bytes, uint8_t least) {
#if TH_COMPILER_SSE2
    __m128i all = _mm_loadu_si128((const void *)bytes);
    __m128i larger = _mm_max_epu8(all, _mm_set1_epi8((char)least));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(larger, all));
#else
    return th_plain_bytes16_at_least(bytes, least);
#endif
}

#endif
