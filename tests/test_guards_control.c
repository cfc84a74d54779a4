/* SPDX-License-Identifier: MIT */
/* The check words of the control structure, at level 3: no two fields make up for each other. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "guard_fixture.h"
#include "heap/seal.h"
#include "suite.h"

enum { WORDS = offsetof(th_heap, config) / TH_DWORD_BYTES };

/* The heap with the same bit changed in two of its words, or in one if they are the same. */
static bool holds_with(unsigned first, unsigned second, unsigned bit) {
    th_heap changed = sc.heap;
    uint32_t words[WORDS];
    memcpy(words, &changed, sizeof words);
    words[first] ^= UINT32_C(1) << bit;
    words[second] ^= first != second ? UINT32_C(1) << bit : 0;
    memcpy(&changed, words, sizeof words);
    return th_seal_holds(&changed);
}

static bool is_check_word(unsigned word) {
    size_t at = word * sizeof(uint32_t);
    return at >= offsetof(th_heap, seal_layout) && at < offsetof(th_heap, index);
}

static void no_two_fields_make_up_for_each_other(void) {
    unsigned sealed[WORDS];
    unsigned count = 0;
    if (th_guard_max() < 3) {
        return;
    }
    scene_start(8, 3);
    CHECK(th_seal_holds(&sc.heap));
    for (unsigned word = 0; word < WORDS; word++) {
        if (!is_check_word(word) && !holds_with(word, word, 0)) {
            sealed[count++] = word;
        }
    }
    CHECK(count >= 22); /* all that is no padding, in 32 bits, too */
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = i; k < count; k++) {
            for (unsigned bit = 0; bit < 32; bit++) {
                if (holds_with(sealed[i], sealed[k], bit)) {
                    printf("# words %u and %u, bit %u\n", sealed[i], sealed[k], bit);
                }
                CHECK(!holds_with(sealed[i], sealed[k], bit));
            }
        }
    }
    scene_stop();
}

TH_SUITE("guards_control", TEST(no_two_fields_make_up_for_each_other))
