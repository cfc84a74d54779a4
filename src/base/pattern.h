/* SPDX-License-Identifier: MIT */
/* The bytes that guards write where nobody may write, and how they are verified. */
#ifndef TH_BASE_PATTERN_H
#define TH_BASE_PATTERN_H

#include "base/track.h"

#if TH_COMPILER_SSE2
#include <emmintrin.h>
#endif

#define TH_POISON_BYTE 0xFDu /* in free memory */

/* A dword of memory, whatever type the caller gave it. */
typedef uint32_t TH_MAY_ALIAS th_word;

#define TH_DWORD_BYTES 4u

/* Are the two dwords at `at` these? */
TH_TRACK_BLIND_PART bool th_words_are(const th_word *at, uint32_t first, uint32_t second) {
#if TH_COMPILER_GNU && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    typedef uint64_t __attribute__((__may_alias__, __aligned__(4))) pair;
    return *(const pair *)(const void *)at == ((uint64_t)second << 32 | first);
#else
    return at[0] == first && at[1] == second;
#endif
}

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

/* ---- poison -------------------------------------------------------------------------------- */

#define TH_POISON_DWORD (TH_POISON_BYTE * 0x01010101u)

/* Are the dwords [0, count) at `at` poison? The plain function is always there, so that a suite can
 * compare the two. */
TH_TRACK_BLIND_PART bool th_plain_poison_holds(const th_word *at, size_t count) {
    uint32_t difference = 0;
    for (size_t i = 0; i < count; i++) {
        difference |= at[i] ^ TH_POISON_DWORD;
    }
    return difference == 0;
}

/* Four at once; those that are left over together with some that were looked at already. */
TH_TRACK_BLIND_PART bool th_poison_holds(const th_word *at, size_t count) {
#if TH_COMPILER_SSE2
    const __m128i due = _mm_set1_epi32((int)TH_POISON_DWORD);
    if (count >= 4) {
        __m128i difference = _mm_xor_si128(_mm_loadu_si128((const void *)(at + count - 4)), due);
        for (size_t i = 0; i + 4 < count; i += 4) {
            __m128i here = _mm_xor_si128(_mm_loadu_si128((const void *)(at + i)), due);
            difference = _mm_or_si128(difference, here);
        }
        __m128i same = _mm_cmpeq_epi8(difference, _mm_setzero_si128());
        return _mm_movemask_epi8(same) == 0xFFFF;
    }
#endif
    return th_plain_poison_holds(at, count);
}

/* ---- canaries -----------------------------------------------------------------------------
 *
 * They stand after the requested bytes of live blocks. Each byte depends on a seed and on its
 * place, which is counted from a fixed point of the memory, not on its address: what a report
 * expects is the same in every run, and in a copy of the memory at another address. Neighbours
 * differ in their lowest bit, so that no value is right for two of them. */

/* Each pair of bytes of sixteen, from a multiple of 16 on, is one mixture of seed and place, in
 * which each has other bits turned over: to make all of them takes one multiplication. */
#define TH_CANARY_FACTOR   0x9E3779B1u
#define TH_CANARY_KEPT     0xFEFEFEFEu
#define TH_CANARY_WORDS    4u
#define TH_CANARY_TURNED_0 0x93320100u
#define TH_CANARY_TURNED_1 0x275A3D7Cu
#define TH_CANARY_TURNED_2 0x6D8EC5B2u
#define TH_CANARY_TURNED_3 0xB9C4F3E8u

/* Its high half is that mixture. Without the square, what lies so far apart that the products are
 * nearly the same would have the same bytes. */
TH_TRACK_BLIND_PART uint32_t th_canary_product(uint32_t seed, uint32_t number) {
    uint32_t sum = seed + number;
    return sum * sum * TH_CANARY_FACTOR;
}

/* The canary in the four bytes from place 4 * number on. */
TH_TRACK_BLIND_PART uint32_t th_canary_dword(uint32_t seed, uint32_t number) {
    uint32_t i = number % TH_CANARY_WORDS;
    uint32_t mixed = (th_canary_product(seed, number - i) >> 16) * 0x00010001u;
    uint32_t turned = i == 0   ? TH_CANARY_TURNED_0
                      : i == 1 ? TH_CANARY_TURNED_1
                      : i == 2 ? TH_CANARY_TURNED_2
                               : TH_CANARY_TURNED_3;
    return (mixed & TH_CANARY_KEPT) ^ turned;
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

/* ---- the last bytes of sixteen ---------------------------------------------------------------
 *
 * Most canaries are the last bytes, 0 to 16, of the sixteen that a block ends with, and how many
 * cannot be predicted: all sixteen are looked at, or written, with a mask. `number` is that of the
 * first of the four dwords at `at`. The plain functions are always there, so that a suite can
 * compare the two.
 *
 * The validator looks so at blocks of other threads, which may be writing what the mask drops: no
 * value of it changes the result. Tools that look for data races cannot know; for them the canary's
 * bytes are read alone. What is written is always a block of the calling thread's. */

#define TH_CANARY_END 16u /* bytes */

/* Of dword `i` of the four, the mask of what belongs to the last `bytes`. */
TH_TRACK_BLIND_PART uint32_t th_canary_end_mask(uint32_t i, uint32_t bytes) {
    uint32_t before = TH_CANARY_END - bytes;
    uint32_t begin = i * TH_DWORD_BYTES;
    uint32_t skip = before > begin ? before - begin : 0;
    uint64_t bits = 8 * (uint64_t)(skip < TH_DWORD_BYTES ? skip : TH_DWORD_BYTES);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (uint32_t)((uint64_t)UINT32_MAX << bits);
#else
    return (uint32_t)((uint64_t)UINT32_MAX >> bits);
#endif
}

TH_TRACK_BLIND_PART bool th_plain_canary_end_holds(uint32_t seed, uint32_t number, const void *at,
                                                   uint32_t bytes) {
    const th_word *words = at;
    uint32_t difference = 0;
    for (uint32_t i = 0; i < TH_CANARY_END / TH_DWORD_BYTES; i++) {
        difference |= (words[i] ^ th_canary_dword(seed, number + i)) & th_canary_end_mask(i, bytes);
    }
    return difference == 0;
}

/* The same, byte by byte. */
TH_TRACK_BLIND_PART bool th_exact_canary_end_holds(uint32_t seed, uint32_t number, const void *at,
                                                   uint32_t bytes) {
    const unsigned char *text = at;
    uint32_t i = TH_CANARY_END - bytes;
    while (i < TH_CANARY_END) {
        uint32_t dword = th_canary_dword(seed, number + i / TH_DWORD_BYTES);
        if (text[i] != ((const unsigned char *)&dword)[i % TH_DWORD_BYTES]) {
            return false;
        }
        i++;
    }
    return true;
}

TH_TRACK_BLIND_PART void th_plain_canary_end_write(uint32_t seed, uint32_t number, void *at,
                                                   uint32_t bytes) {
    th_word *words = at;
    for (uint32_t i = 0; i < TH_CANARY_END / TH_DWORD_BYTES; i++) {
        uint32_t mask = th_canary_end_mask(i, bytes);
        words[i] = (words[i] & ~mask) | (th_canary_dword(seed, number + i) & mask);
    }
}

#if TH_COMPILER_SSE2
/* The canary in the sixteen bytes from dword `number` on, which is a multiple of 4. */
TH_TRACK_BLIND_PART __m128i th_canary_four(uint32_t seed, uint32_t number) {
    const __m128i turned = _mm_set_epi32((int)TH_CANARY_TURNED_3, (int)TH_CANARY_TURNED_2,
                                         (int)TH_CANARY_TURNED_1, (int)TH_CANARY_TURNED_0);
    __m128i product = _mm_cvtsi32_si128((int)th_canary_product(seed, number));
    __m128i mixed = _mm_shuffle_epi32(_mm_shufflelo_epi16(product, _MM_SHUFFLE(1, 1, 1, 1)), 0);
    return _mm_xor_si128(_mm_and_si128(mixed, _mm_set1_epi32((int)TH_CANARY_KEPT)), turned);
}

/* Of any number: the last of four dwords, then the first of the next four. */
TH_TRACK_BLIND_PART __m128i th_canary_end(uint32_t seed, uint32_t number) {
    uint32_t first = number - number % TH_CANARY_WORDS;
    th_word both[2 * TH_CANARY_WORDS];
    _mm_storeu_si128((void *)&both[0], th_canary_four(seed, first));
    _mm_storeu_si128((void *)&both[TH_CANARY_WORDS], th_canary_four(seed, first + TH_CANARY_WORDS));
    return _mm_loadu_si128((const void *)&both[number - first]);
}

/* Of the sixteen bytes at `at`, a bit for each that is not the canary. */
TH_TRACK_BLIND_PART uint32_t th_canary_end_differs(const void *at, __m128i canary) {
    __m128i equal = _mm_cmpeq_epi8(_mm_loadu_si128(at), canary);
    return (uint32_t)_mm_movemask_epi8(equal) ^ 0xFFFFu;
}
#endif

/* Are the last `bytes` of the sixteen at `at` the canary? `four`: `number` is a multiple of 4. */
TH_TRACK_BLIND_PART bool th_canary_end_holds(uint32_t seed, uint32_t number, const void *at,
                                             uint32_t bytes, bool four) {
#if TH_TRACK_THREADS
    (void)four;
    return th_exact_canary_end_holds(seed, number, at, bytes);
#elif TH_COMPILER_SSE2
    __m128i canary = four ? th_canary_four(seed, number) : th_canary_end(seed, number);
    return th_canary_end_differs(at, canary) << bytes <= 0xFFFFu;
#else
    (void)four;
    return th_plain_canary_end_holds(seed, number, at, bytes);
#endif
}

/* Writes it to sixteen bytes at `at`, and below to sixteen more until there are so many; `number`
 * is a multiple of 4. */
TH_TRACK_BLIND_PART void th_canary_ends_write(uint32_t seed, uint32_t number, void *at,
                                              size_t bytes) {
    unsigned char *here = at;
#if TH_COMPILER_SSE2
    _mm_storeu_si128((void *)here, th_canary_four(seed, number));
    for (; bytes > TH_CANARY_END; bytes -= TH_CANARY_END) {
        here -= TH_CANARY_END;
        number -= TH_CANARY_WORDS;
        _mm_storeu_si128((void *)here, th_canary_four(seed, number));
    }
#else
    th_plain_canary_end_write(seed, number, here, TH_CANARY_END);
    for (; bytes > TH_CANARY_END; bytes -= TH_CANARY_END) {
        here -= TH_CANARY_END;
        number -= TH_CANARY_WORDS;
        th_plain_canary_end_write(seed, number, here, TH_CANARY_END);
    }
#endif
}

/* Writes it to the last `bytes` of the sixteen at `at`. */
TH_TRACK_BLIND_PART void th_canary_end_write(uint32_t seed, uint32_t number, void *at,
                                             uint32_t bytes) {
#if TH_COMPILER_SSE2
    static const uint64_t masks[4] = {0, 0, UINT64_MAX, UINT64_MAX};
    __m128i mask = _mm_loadu_si128((const void *)((const unsigned char *)masks + bytes));
    __m128i kept = _mm_andnot_si128(mask, _mm_loadu_si128(at));
    __m128i canary = th_canary_end(seed, number);
    _mm_storeu_si128(at, _mm_or_si128(kept, _mm_and_si128(mask, canary)));
#else
    th_plain_canary_end_write(seed, number, at, bytes);
#endif
}

#endif
