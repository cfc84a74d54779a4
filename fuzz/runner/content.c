/* SPDX-License-Identifier: MIT */
/* Both loops run over every live byte after every operation: they work on words, and without
 * instrumentation; whether the bytes are accessible at all is lab_content_is_open's question. */
#include "runner/content.h"

#include <assert.h>

#include "runner/plain.h"

/* LAB_ASAN=1 comes from the build where this file itself is not instrumented (sanitize/fuzz.mk). */
#ifndef LAB_ASAN
#if defined(__has_feature)
#define LAB_ASAN __has_feature(address_sanitizer)
#else
#define LAB_ASAN 0
#endif
#endif
#if LAB_ASAN
#include <sanitizer/asan_interface.h>
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte_at counts from the low end");

typedef uint32_t __attribute__((may_alias, aligned(4))) word;

#define STEP 0x9E3779B9u /* odd: words differ for 2^32 steps */

/* The four bytes around index i, as a little-endian word. */
LAB_PLAIN_PART uint32_t word_at(size_t i, uint32_t seed) {
    return seed + (uint32_t)(i / 4) * STEP;
}

LAB_PLAIN_PART unsigned char byte_at(size_t i, uint32_t seed) {
    return (unsigned char)(word_at(i, seed) >> (8 * (i & 3)));
}

LAB_PLAIN void lab_content_fill(unsigned char *payload, size_t from, size_t to, uint32_t seed) {
    while (from < to && (from & 3) != 0) {
        payload[from] = byte_at(from, seed);
        from++;
    }
    word *words = (void *)payload;
    for (; to >= 4 && from <= to - 4; from += 4) {
        words[from / 4] = word_at(from, seed);
    }
    for (; from < to; from++) {
        payload[from] = byte_at(from, seed);
    }
}

LAB_PLAIN_PART bool words_differ(const word *words, size_t count, uint32_t seed) {
    uint32_t difference = 0;
    for (size_t i = 0; i < count; i++) {
        difference |= words[i] ^ (seed + (uint32_t)i * STEP);
    }
    return difference != 0;
}

LAB_PLAIN size_t lab_content_check(const unsigned char *payload, size_t bytes, uint32_t seed) {
    size_t whole = bytes & ~(size_t)3;
    size_t i = words_differ((const void *)payload, whole / 4, seed) ? 0 : whole;
    while (i < bytes && payload[i] == byte_at(i, seed)) {
        i++;
    }
    return i;
}

bool lab_content_is_open(const unsigned char *payload, size_t bytes) {
#if LAB_ASAN
    return __asan_region_is_poisoned((void *)(uintptr_t)payload, bytes) == NULL &&
           __asan_address_is_poisoned(payload + bytes) != 0;
#else
    (void)payload;
    (void)bytes;
    return true;
#endif
}
