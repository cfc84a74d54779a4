/* SPDX-License-Identifier: MIT */
/* What the library uses of its compiler beyond C11, and what stands in for it where the compiler
 * knows none of it. No other file of src/ names a builtin, an attribute or a compiler.
 *
 * TH_COMPILER_GNU says which of the two is compiled: 1 for gcc, clang and what calls itself
 * compatible, 0 for everything else. -DTH_COMPILER_GNU=0 chooses the plain side anywhere.
 *
 * One attribute has no plain form: TH_MAY_ALIAS. A compiler that assumes from types that two
 * accesses do not meet, and has no such attribute, must be told not to (-fno-strict-aliasing, or
 * what it calls that). */
#ifndef TH_BASE_COMPILER_H
#define TH_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/compiler.h"

#ifndef TH_COMPILER_GNU
#if defined(__GNUC__) || defined(__clang__)
#define TH_COMPILER_GNU 1
#else
#define TH_COMPILER_GNU 0
#endif
#endif

/* ---- attributes --------------------------------------------------------------------------- */

#if TH_COMPILER_GNU
#define TH_ALWAYS_INLINE __attribute__((__always_inline__))
#define TH_NOINLINE      __attribute__((__noinline__))
#define TH_MAY_ALIAS     __attribute__((__may_alias__)) /* of a type: aliases all others */
#else
#define TH_ALWAYS_INLINE
#define TH_NOINLINE
#define TH_MAY_ALIAS
#endif

/* 1: sixteen bytes are compared at once (bytes16.h). */
#ifndef TH_COMPILER_SSE2
#if TH_COMPILER_GNU && defined(__SSE2__)
#define TH_COMPILER_SSE2 1
#else
#define TH_COMPILER_SSE2 0
#endif
#endif

/* ---- sanitizers --------------------------------------------------------------------------- */

#if defined(__has_feature)
#define TH_HAS_FEATURE(feature) __has_feature(feature)
#else
#define TH_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || TH_HAS_FEATURE(address_sanitizer)
#define TH_COMPILER_ASAN 1
#else
#define TH_COMPILER_ASAN 0
#endif

#if TH_HAS_FEATURE(memory_sanitizer)
#define TH_COMPILER_MSAN 1
#else
#define TH_COMPILER_MSAN 0
#endif

#if TH_HAS_FEATURE(thread_sanitizer) || defined(__SANITIZE_THREAD__)
#define TH_COMPILER_TSAN 1
#else
#define TH_COMPILER_TSAN 0
#endif

/* Of a function: no sanitizer looks at it. TH_NO_MEMSET: its loops do not become memset. */
#if defined(__clang__)
#define TH_NO_CHECKS __attribute__((no_sanitize("address", "memory", "undefined", "coverage")))
#define TH_NO_MEMSET __attribute__((no_builtin("memset")))
#elif TH_COMPILER_ASAN
#define TH_NO_CHECKS __attribute__((no_sanitize("address")))
#define TH_NO_MEMSET __attribute__((optimize("no-tree-loop-distribute-patterns")))
#else
#define TH_NO_CHECKS
#define TH_NO_MEMSET
#endif

/* ---- arithmetic --------------------------------------------------------------------------- */
/* All pure. O(1) with builtins, at most 64 steps without. The plain functions are always there, so
 * that a suite can compare the two. */

/* *product = a * b, modulo SIZE_MAX + 1; true iff that is not the product. */
static inline bool th_plain_mul_overflows(size_t a, size_t b, size_t *product) {
    *product = a * b;
    return a != 0 && b > SIZE_MAX / a;
}

/* The number of the highest bit that is set: floor(log2(value)). value > 0. */
static inline unsigned th_plain_highest_bit(uint64_t value) {
    unsigned bit = 0;
    while (value > 1) {
        value >>= 1;
        bit++;
    }
    return bit;
}

/* The number of the lowest bit that is set. value > 0. */
static inline unsigned th_plain_lowest_bit(uint64_t value) {
    return th_plain_highest_bit(value & (0 - value));
}

static inline bool th_mul_overflows(size_t a, size_t b, size_t *product) {
#if TH_COMPILER_GNU
    return __builtin_mul_overflow(a, b, product);
#else
    return th_plain_mul_overflows(a, b, product);
#endif
}

static inline unsigned th_highest_bit(uint64_t value) {
#if TH_COMPILER_GNU
    return 63u - (unsigned)__builtin_clzll(value);
#else
    return th_plain_highest_bit(value);
#endif
}

static inline unsigned th_lowest_bit(uint64_t value) {
#if TH_COMPILER_GNU
    return (unsigned)__builtin_ctzll(value);
#else
    return th_plain_lowest_bit(value);
#endif
}

/* ---- shared between threads -------------------------------------------------------------------
 *
 * A word that one thread may be writing, under a lock, while another one reads it without: the
 * reader gets one of its values, and learns nothing of any other memory by it. */

static inline size_t th_load_shared(const size_t *word) {
#if TH_COMPILER_GNU
    return __atomic_load_n(word, __ATOMIC_RELAXED);
#else
    return *(const volatile size_t *)word;
#endif
}

static inline void th_store_shared(size_t *word, size_t value) {
#if TH_COMPILER_GNU
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
#else
    *(volatile size_t *)word = value;
#endif
}

#endif
