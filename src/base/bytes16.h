/* SPDX-License-Identifier: MIT */
/* Sixteen bytes at once: the nodes of a tree of fan-out 16 (heap/index.h). All pure, O(1) but
 * for what takes a count. The plain functions are always there, so that a suite can compare the
 * two. */
#ifndef TH_BASE_BYTES16_H
#define TH_BASE_BYTES16_H

#include "base/compiler.h"

#if TH_COMPILER_SSE2
#include <emmintrin.h>
#endif

#define TH_BYTES16 16u

/* What is a few instructions is inlined into functions that no tool looks into, too, which
 * compilers otherwise refuse (track.h). */
#if TH_COMPILER_SSE2
#define TH_BYTES16_INLINE static inline TH_ALWAYS_INLINE
#else
#define TH_BYTES16_INLINE static inline
#endif

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

static inline bool th_plain_bytes16_same(const uint8_t *bytes, const uint8_t *other) {
    uint8_t difference = 0;
    for (unsigned i = 0; i < TH_BYTES16; i++) {
        difference |= bytes[i] ^ other[i];
    }
    return difference == 0;
}

static inline bool th_plain_bytes16_none(const uint8_t *bytes, size_t count) {
    uint8_t any = 0;
    for (size_t i = 0; i < count * TH_BYTES16; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* The largest of bytes[0 .. 15]. */
TH_BYTES16_INLINE uint8_t th_bytes16_max(const uint8_t *bytes) {
#if TH_COMPILER_SSE2
    __m128i max = _mm_loadu_si128((const void *)bytes); /* a shuffle is a copy, too */
    max = _mm_max_epu8(max, _mm_shuffle_epi32(max, _MM_SHUFFLE(3, 2, 3, 2)));
    max = _mm_max_epu8(max, _mm_shuffle_epi32(max, _MM_SHUFFLE(1, 1, 1, 1)));
    max = _mm_max_epu8(max, _mm_shufflelo_epi16(max, _MM_SHUFFLE(1, 1, 1, 1)));
    max = _mm_max_epu8(max, _mm_srli_epi16(max, 8));
    return (uint8_t)_mm_cvtsi128_si32(max);
#else
    return th_plain_bytes16_max(bytes);
#endif
}

/* Bit i is set iff bytes[i] >= least. */
TH_BYTES16_INLINE uint32_t th_bytes16_at_least(const uint8_t *bytes, uint8_t least) {
#if TH_COMPILER_SSE2
    __m128i all = _mm_set1_epi8((char)least);
    __m128i capped = _mm_min_epu8(_mm_loadu_si128((const void *)bytes), all);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(capped, all));
#else
    return th_plain_bytes16_at_least(bytes, least);
#endif
}

/* Are the two the same, byte for byte? */
TH_BYTES16_INLINE bool th_bytes16_same(const uint8_t *bytes, const uint8_t *other) {
#if TH_COMPILER_SSE2
    __m128i equal =
        _mm_cmpeq_epi8(_mm_loadu_si128((const void *)bytes), _mm_loadu_si128((const void *)other));
    return _mm_movemask_epi8(equal) == 0xFFFF;
#else
    return th_plain_bytes16_same(bytes, other);
#endif
}

/* Are the bytes 0, `count` times sixteen? O(count). */
TH_BYTES16_INLINE bool th_bytes16_none(const uint8_t *bytes, size_t count) {
#if TH_COMPILER_SSE2
    __m128i any = _mm_setzero_si128();
    for (size_t i = 0; i < count; i++) {
        any = _mm_or_si128(any, _mm_loadu_si128((const void *)(bytes + i * TH_BYTES16)));
    }
    return _mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) == 0xFFFF;
#else
    return th_plain_bytes16_none(bytes, count);
#endif
}

#endif
