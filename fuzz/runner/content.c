/* SPDX-License-Identifier: MIT */
/* Both loops run over every live byte after every operation: they work on words, and without
 * instrumentation; whether the bytes are accessible at all is lab_content_is_open's question. */
#include "runner/content.h"

#include "program/sanitizer.h"

#if LAB_ASAN
#include <sanitizer/asan_interface.h>
#endif

LAB_PLAIN void lab_content_fill(unsigned char *payload, size_t from, size_t to, uint32_t seed) {
    while (from < to && from % LAB_WORD_BYTES != 0) {
        payload[from] = lab_byte_at(from, seed);
        from++;
    }
    lab_content_word *words = (void *)payload;
    for (; to >= LAB_WORD_BYTES && from <= to - LAB_WORD_BYTES; from += LAB_WORD_BYTES) {
        words[from / LAB_WORD_BYTES] = lab_word_at(from, seed);
    }
    for (; from < to; from++) {
        payload[from] = lab_byte_at(from, seed);
    }
}

LAB_PLAIN size_t lab_content_first_wrong(const unsigned char *payload, uint32_t seed) {
    size_t i = 0;
    while (payload[i] == lab_byte_at(i, seed)) {
        i++;
    }
    return i;
}

LAB_PLAIN size_t lab_content_check(const unsigned char *payload, size_t bytes, uint32_t seed) {
    return lab_content_peek(payload, bytes, seed);
}

size_t lab_content_zeros(const unsigned char *payload, size_t bytes) {
    size_t count = 0;
    while (count < bytes && payload[count] == 0) {
        count++;
    }
    return count;
}

LAB_PLAIN void lab_content_flip(unsigned char *at, unsigned char mask) {
    LAB_BLIND_BEGIN;
    *at ^= mask;
    LAB_BLIND_END;
}

bool lab_content_is_open(const unsigned char *payload, size_t bytes) {
#if LAB_ASAN
    /* The ends always; every byte, which costs more, for some payloads. */
    bool ends = !__asan_address_is_poisoned(payload) &&
                !__asan_address_is_poisoned(payload + bytes - 1) &&
                __asan_address_is_poisoned(payload + bytes);
    return ends &&
           (bytes % 4 != 0 || __asan_region_is_poisoned((void *)(uintptr_t)payload, bytes) == NULL);
#else
    (void)payload;
    (void)bytes;
    return true;
#endif
}

bool lab_content_is_accessible(const unsigned char *payload, size_t bytes) {
#if LAB_ASAN
    return __asan_region_is_poisoned((void *)(uintptr_t)payload, bytes) == NULL;
#else
    (void)payload;
    (void)bytes;
    return true;
#endif
}
