/* SPDX-License-Identifier: MIT */
/* The bytes that guards write where nobody may write, and how they are verified. */
#ifndef TH_BASE_PATTERN_H
#define TH_BASE_PATTERN_H

#include "base/track.h"

#define TH_CANARY_BYTE 0xC5u /* behind the requested bytes of live blocks */
#define TH_POISON_BYTE 0xFDu /* in free memory */

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

#endif
