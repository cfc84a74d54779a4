/* SPDX-License-Identifier: MIT */
/* What a header's check word notices (src/heap/chain.h): every change of one dword, and every two
 * bits that flip, but for the few that are said here. */
#include "heap/chain.h"
#include "suite.h"

enum { SEED = 0x1B873593, OFFSET = 4096, BITS = 32, HIGH = 24, MISSED_MAX = 48 };

static uint64_t state; /* of the random numbers */

typedef struct sums {
    th_heap_layout layout;
    uint32_t header; /* dwords */
} sums;

static const sums SUMS[] = {
    {TH_HEAP_LAYOUT_CLASSIC, 6},
    {TH_HEAP_LAYOUT_CLASSIC, 8},
    {TH_HEAP_LAYOUT_WIDE, 7},
    {TH_HEAP_LAYOUT_WIDE, 8},
};

static uint32_t due(const sums *s, const th_word *at, uint32_t offset, uint32_t seed) {
    return th_check_due(at, s->layout, s->header, offset, seed);
}

/* A sound header at OFFSET, random but for what is known. */
static void make(const sums *s, th_word *at) {
    for (unsigned i = 0; i < TH_LAYOUT_DWORDS_MAX; i++) {
        at[i] = (th_word)th_test_random(&state);
    }
    if (s->layout == TH_HEAP_LAYOUT_CLASSIC) {
        at[1] = OFFSET + s->header + (at[2] >> TH_LAYOUT_TAG_BITS);
        at[6] = TH_PADDING_6;
    }
    at[7] = TH_PADDING_7;
    at[TH_LAYOUT_CHECK_DWORD] = due(s, at, OFFSET, SEED);
}

static bool holds(const sums *s, const th_word *at) {
    return at[TH_LAYOUT_CHECK_DWORD] == due(s, at, OFFSET, SEED);
}

static void flip(th_word *at, unsigned bit) {
    at[bit / BITS] ^= 1u << bit % BITS;
}

/* The link below comes last, and plain, so that it can be renewed. */
static bool is_link_and_check(unsigned one, unsigned other) {
    return one / BITS == 0 && other == one + TH_LAYOUT_CHECK_DWORD * BITS;
}

/* High bits of two dwords may make up for one another: an odd factor leaves the highest as it is.
 */
static void every_two_bits(const sums *s, th_word *at) {
    unsigned count = s->header * BITS;
    unsigned missed = 0;
    for (unsigned one = 0; one < count; one++) {
        flip(at, one);
        CHECK(!holds(s, at));
        for (unsigned other = one + 1; other < count; other++) {
            flip(at, other);
            if (is_link_and_check(one, other)) {
                CHECK(holds(s, at));
            } else if (holds(s, at)) {
                CHECK(one % BITS >= HIGH && other % BITS >= HIGH);
                missed++;
            }
            flip(at, other);
        }
        flip(at, one);
    }
    CHECK(holds(s, at));
    CHECK(missed <= MISSED_MAX);
}

static void two_bits_that_flip_are_noticed(void) {
    state = th_test_seed(1);
    for (size_t i = 0; i < sizeof SUMS / sizeof SUMS[0]; i++) {
        for (unsigned round = 0; round < 16; round++) {
            th_word at[TH_LAYOUT_DWORDS_MAX];
            make(&SUMS[i], at);
            every_two_bits(&SUMS[i], at);
        }
    }
}

static void a_dword_that_is_overwritten_is_noticed(void) {
    state = th_test_seed(2);
    for (size_t i = 0; i < sizeof SUMS / sizeof SUMS[0]; i++) {
        for (unsigned round = 0; round < 20000; round++) {
            th_word at[TH_LAYOUT_DWORDS_MAX];
            make(&SUMS[i], at);
            unsigned dword = round % SUMS[i].header;
            th_word old = at[dword];
            at[dword] = round % 2 == 0 ? (th_word)th_test_random(&state)
                                       : old + (round % 64 < 32 ? 1 : ~0u);
            CHECK_EQ(holds(&SUMS[i], at), at[dword] == old);
        }
    }
}

static void a_header_is_sound_in_its_place_only(void) {
    state = th_test_seed(3);
    for (size_t i = 0; i < sizeof SUMS / sizeof SUMS[0]; i++) {
        th_word at[TH_LAYOUT_DWORDS_MAX];
        make(&SUMS[i], at);
        for (uint32_t distance = 1; distance <= 4096; distance++) {
            CHECK(due(&SUMS[i], at, OFFSET + distance, SEED) != at[TH_LAYOUT_CHECK_DWORD]);
            CHECK(due(&SUMS[i], at, OFFSET - distance, SEED) != at[TH_LAYOUT_CHECK_DWORD]);
            CHECK(due(&SUMS[i], at, OFFSET, SEED + distance) != at[TH_LAYOUT_CHECK_DWORD]);
        }
    }
}

/* As th_header_relink_as does: what was sound still is, and what was not is not. */
static void the_link_below_can_be_renewed(void) {
    state = th_test_seed(4);
    for (size_t i = 0; i < sizeof SUMS / sizeof SUMS[0]; i++) {
        th_word at[TH_LAYOUT_DWORDS_MAX];
        make(&SUMS[i], at);
        for (unsigned bit = 0; bit < BITS; bit++) {
            flip(at, bit);
            flip(at, TH_LAYOUT_CHECK_DWORD * BITS + bit);
            CHECK(holds(&SUMS[i], at));
        }
        flip(at, 2 * BITS);
        flip(at, 0);
        flip(at, TH_LAYOUT_CHECK_DWORD * BITS);
        CHECK(!holds(&SUMS[i], at));
    }
}

TH_SUITE("header_sum", TEST(two_bits_that_flip_are_noticed),
         TEST(a_dword_that_is_overwritten_is_noticed), TEST(a_header_is_sound_in_its_place_only),
         TEST(the_link_below_can_be_renewed))
