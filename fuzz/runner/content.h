/* SPDX-License-Identifier: MIT */
/* Payload contents: each slot's payload is filled with a sequence of its own, so that bytes that
 * were lost, shifted or taken from another block are noticed. */
#ifndef LAB_RUNNER_CONTENT_H
#define LAB_RUNNER_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/plain.h"

/* Payloads are aligned to 4 at least. */
typedef uint64_t __attribute__((may_alias, aligned(4))) lab_content_word;
typedef uint32_t __attribute__((may_alias)) lab_content_dword;

#define LAB_WORD_BYTES 8u
#define LAB_STEP       0x9E3779B97F4A7C15u /* odd: no two words of a payload are equal */

/* The eight bytes around index i, as the machine reads them. */
LAB_PLAIN_PART uint64_t lab_word_at(size_t i, uint32_t seed) {
    return (seed + (uint64_t)(i / LAB_WORD_BYTES)) * LAB_STEP;
}

LAB_PLAIN_PART unsigned char lab_byte_at(size_t i, uint32_t seed) {
    uint64_t word = lab_word_at(i, seed);
    return ((const unsigned char *)&word)[i % LAB_WORD_BYTES];
}

/* Of a word, the first `bytes` bytes in memory, which are not all. */
LAB_PLAIN_PART uint64_t lab_word_mask(size_t bytes) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return ~(UINT64_MAX << 8 * bytes);
#else
    return ~(UINT64_MAX >> 8 * bytes);
#endif
}

/* Fills bytes [from, to) of the payload with the sequence of `seed`. */
void lab_content_fill(unsigned char *payload, size_t from, size_t to, uint32_t seed);

/* The index of the first byte that is not as filled; there must be one. */
size_t lab_content_first_wrong(const unsigned char *payload, uint32_t seed);

/* The index of the first of the `bytes` bytes that is not as filled; `bytes` if all are. The last
 * word may reach beyond them, but not beyond the header above, which every block has. */
LAB_PLAIN_PART size_t lab_content_peek(const unsigned char *payload, size_t bytes, uint32_t seed) {
    const lab_content_word *words = (const void *)payload;
    size_t count = bytes / LAB_WORD_BYTES;
    uint64_t expected = seed * LAB_STEP;
    uint64_t difference = 0;
    for (size_t i = 0; i < count; i++) {
        difference |= words[i] ^ expected;
        expected += LAB_STEP;
    }
    uint64_t rest = lab_word_mask(bytes % LAB_WORD_BYTES);
    LAB_BLIND_BEGIN;
    difference |= (words[count] ^ expected) & rest;
    LAB_BLIND_END;
    return difference == 0 ? bytes : lab_content_first_wrong(payload, seed);
}

/* The number of zeros that the payload begins with, `bytes` at most. */
size_t lab_content_zeros(const unsigned char *payload, size_t bytes);

/* As lab_content_peek, for functions that are instrumented. */
size_t lab_content_check(const unsigned char *payload, size_t bytes, uint32_t seed);

/* Changes a byte that may be closed. */
void lab_content_flip(unsigned char *at, unsigned char mask);

/* With AddressSanitizer: are exactly the first `bytes` bytes of the payload accessible, and the
 * byte after them not? Elsewhere always true. */
bool lab_content_is_open(const unsigned char *payload, size_t bytes);

/* The same, whatever comes after. */
bool lab_content_is_accessible(const unsigned char *payload, size_t bytes);

#endif
