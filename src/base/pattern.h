/* SPDX-License-Identifier: MIT */
/* The bytes that guards write where nobody may write, and how they are verified. */
#ifndef TH_BASE_PATTERN_H
#define TH_BASE_PATTERN_H

#include "base/track.h"

#define TH_POISON_BYTE 0xFDu /* in free memory */

/* A dword of memory, whatever type the caller gave it. */
typedef uint32_t TH_MAY_ALIAS th_word;

#define TH_DWORD_BYTES 4u

/* Writes `byte` to bytes [0, bytes) at `at`, closed or not. */
static inline void th_pattern_fill(void *at, unsigned byte, size_t bytes) {
    th_track_fill(at, (unsigned char)byte, bytes);
}

/* The index of the first byte at `at` that is not `byte`; `bytes` if there is none. *found is what
 * stands there. */
TH_TRACK_BLIND_INLINE size_t th_pattern_find(const void *at, unsigned byte, size_t bytes,
                                             uint32_t *found) {
    const unsigned char *text = at;
    size_t i = 0;
    th_track_blind_begin();
    while (i < bytes && text[i] == byte) {
        i++;
    }
    if (i < bytes) {
        *found = text[i];
        th_track_trust(found, sizeof *found);
    }
    th_track_blind_end();
    return i;
}

/* ---- canaries -----------------------------------------------------------------------------
 *
 * They stand behind the requested bytes of live blocks. Each byte depends on a seed and on its
 * place, which is counted from a fixed point of the memory, not on its address: what a report
 * expects is the same in every run, and in a copy of the memory at another address. Neighbours
 * differ in their lowest bit, so that no value is right for two of them. */

/* The canary in the four bytes from place 4 * number on. */
TH_TRACK_BLIND_PART uint32_t th_canary_dword(uint32_t seed, uint32_t number) {
    uint32_t mixed = (seed + number) * 0x9E3779B1u;
    mixed = (mixed ^ mixed >> 15) * 0x85EBCA77u;
    return (mixed & 0xFEFEFEFEu) | 0x01000100u;
}

TH_TRACK_BLIND_PART unsigned char th_canary_byte(uint32_t seed, size_t place) {
    uint32_t dword = th_canary_dword(seed, (uint32_t)(place / TH_DWORD_BYTES));
    return ((const unsigned char *)&dword)[place % TH_DWORD_BYTES];
}

/* Where bytes [0, bytes) that begin at that place come to the first dword of which they have all,
 * if they are so many. */
TH_TRACK_BLIND_PART size_t th_canary_head(size_t place, size_t bytes) {
    size_t head = (0 - place) % TH_DWORD_BYTES;
    return head < bytes ? head : bytes;
}

/* Some bytes of one dword, fewer than all, of which the first has that place. */
TH_TRACK_BLIND_PART void th_canary_write_part(uint32_t seed, size_t place, unsigned char *at,
                                              size_t bytes) {
    if (bytes > 0) {
        uint32_t dword = th_canary_dword(seed, (uint32_t)(place / TH_DWORD_BYTES));
        const unsigned char *from = (const unsigned char *)&dword + place % TH_DWORD_BYTES;
        /* No loop, or clang makes a memcpy of it, which ASan does not let write closed memory. */
        at[0] = from[0];
        if (bytes > 1) {
            at[1] = from[1];
        }
        if (bytes > 2) {
            at[2] = from[2];
        }
    }
}

/* The index of the first that is not the canary; `bytes` if there is none. */
TH_TRACK_BLIND_PART size_t th_canary_find_part(uint32_t seed, size_t place, const unsigned char *at,
                                               size_t bytes) {
    size_t i = 0;
    if (bytes > 0) {
        uint32_t dword = th_canary_dword(seed, (uint32_t)(place / TH_DWORD_BYTES));
        const unsigned char *from = (const unsigned char *)&dword + place % TH_DWORD_BYTES;
        while (i < bytes && at[i] == from[i]) {
            i++;
        }
    }
    return i;
}

/* Writes the canary to bytes [0, bytes) at `at`, closed or not: the first one has that place, which
 * is as far from a multiple of 4 as its address. */
TH_TRACK_BLIND_INLINE void th_canary_write(uint32_t seed, size_t place, void *at, size_t bytes) {
    unsigned char *text = at;
    size_t i = th_canary_head(place, bytes);
    th_track_blind_begin();
    th_canary_write_part(seed, place, text, i);
    th_word *words = (void *)(text + i);
    uint32_t number = (uint32_t)((place + i) / TH_DWORD_BYTES);
    size_t count = (bytes - i) / TH_DWORD_BYTES;
    for (size_t k = 0; k < count; k++) {
        words[k] = th_canary_dword(seed, number + (uint32_t)k);
    }
    i += count * TH_DWORD_BYTES;
    th_canary_write_part(seed, place + i, text + i, bytes - i);
    th_track_blind_end();
}

/* The index of the first byte at `at` that is not the canary; `bytes` if there is none. *found is
 * what stands there. */
TH_TRACK_BLIND_INLINE size_t th_canary_find(uint32_t seed, size_t place, const void *at,
                                            size_t bytes, uint32_t *found) {
    const unsigned char *text = at;
    size_t head = th_canary_head(place, bytes);
    th_track_blind_begin();
    size_t i = th_canary_find_part(seed, place, text, head);
    if (i == head) {
        const th_word *words = (const void *)(text + i);
        uint32_t number = (uint32_t)((place + i) / TH_DWORD_BYTES);
        size_t count = (bytes - i) / TH_DWORD_BYTES;
        size_t k = 0;
        while (k < count && words[k] == th_canary_dword(seed, number + (uint32_t)k)) {
            k++;
        }
        i += k * TH_DWORD_BYTES;
        size_t tail = k < count ? TH_DWORD_BYTES : bytes - i;
        i += th_canary_find_part(seed, place + i, text + i, tail);
    }
    if (i < bytes) {
        *found = text[i];
        th_track_trust(found, sizeof *found);
    }
    th_track_blind_end();
    return i;
}

#endif
