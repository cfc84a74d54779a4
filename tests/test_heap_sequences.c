/* SPDX-License-Identifier: MIT */
/* The sequences that scripts/prove shows to an abstract interpreter, played here: each way to
 * choose that it takes apart, and of what it looks at together both ends and some values between.
 * So what is proved is known to be more than nothing, and a sequence that says something wrong
 * fails here, with numbers. */
#include "heap_sequences.h"

#include "suite.h"

#define CHOICES_MAX 8
#define ROUNDS      6 /* of what is looked at together */

/* The numbers chosen one after the other, and how far each goes. */
static uint32_t chosen[CHOICES_MAX], highest[CHOICES_MAX];
static unsigned choices, ended;
static unsigned round_number;
static uint64_t random_state;

uint32_t sequence_each(uint32_t low, uint32_t high) {
    CHECK(choices < CHOICES_MAX);
    unsigned here = choices++;
    if (chosen[here] < low) {
        chosen[here] = low;
    }
    highest[here] = high;
    return chosen[here];
}

uint32_t sequence_any(uint32_t low, uint32_t high) {
    if (round_number < 2) {
        return round_number == 0 ? low : high;
    }
    uint64_t count = (uint64_t)high - low + 1;
    return low + (uint32_t)(th_test_random(&random_state) % count);
}

void sequence_demand(bool holds) {
    CHECK(holds);
}

void sequence_end(void) {
    ended++;
}

/* The next way to choose; false after the last one. */
static bool advance(void) {
    while (choices > 0) {
        choices--;
        if (chosen[choices] < highest[choices]) {
            chosen[choices]++;
            return true;
        }
        chosen[choices] = 0;
    }
    return false;
}

static void play(void (*sequence)(void), unsigned ways) {
    static const sequence_heap heaps[] = {
#define HEAP(name, layout, alignment, region_bytes, index) {layout, alignment, region_bytes, index},
        SEQUENCE_HEAPS(HEAP)};
    random_state = th_test_seed(16);
    for (unsigned i = 0; i < sizeof heaps / sizeof heaps[0]; i++) {
        sequence_with = heaps[i];
        if (!th_heap_has_layout(sequence_with.layout)) {
            continue;
        }
        for (round_number = 0; round_number < ROUNDS; round_number++) {
            ended = 0;
            do {
                choices = 0;
                sequence();
            } while (advance());
            CHECK_EQ(ended, ways);
        }
    }
}

#define PLAY(name, ways, heaps)                                                                    \
    static void name(void) {                                                                       \
        play(sequence_##name, ways);                                                               \
    }
SEQUENCES(PLAY)

#define ROW_OF(name, ways, heaps) TEST(name),
TH_SUITE("heap_sequences", SEQUENCES(ROW_OF))
