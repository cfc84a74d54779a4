/* SPDX-License-Identifier: MIT */
/* What guards write where nobody may write: filled, closed, and found out when it is changed. */
#include "base/pattern.h"

#include <stdalign.h>

#include "suite.h"

#define BYTES 24

static alignas(8) unsigned char memory[BYTES + 8];

static void what_was_filled_is_found_whole(void) {
    uint32_t found = 77;
    for (size_t bytes = 0; bytes <= BYTES; bytes++) {
        memset(memory, 0, sizeof memory);
        th_pattern_fill(memory, TH_CANARY_BYTE, bytes);
        CHECK_EQ(memory[bytes], 0);
        CHECK_EQ(th_pattern_find(memory, TH_CANARY_BYTE, bytes, &found), bytes);
        CHECK_EQ(found, 77);
    }
}

static void the_first_changed_byte_is_found(void) {
    for (size_t changed = 0; changed < BYTES; changed++) {
        uint32_t found = 0;
        th_pattern_fill(memory, TH_POISON_BYTE, BYTES);
        memory[changed] = 0x41;
        memory[BYTES - 1] ^= 1;
        CHECK_EQ(th_pattern_find(memory, TH_POISON_BYTE, BYTES, &found), changed);
        CHECK_EQ(found, changed == BYTES - 1 ? 0x40 : 0x41);
    }
}

static void closed_memory_is_filled_and_read(void) {
    uint32_t found = 0;
    th_track_close(memory, sizeof memory);
    th_pattern_fill(memory, TH_POISON_BYTE, BYTES);
    CHECK_EQ(th_pattern_find(memory, TH_POISON_BYTE, BYTES, &found), BYTES);
    CHECK_EQ(th_pattern_find(memory, TH_CANARY_BYTE, BYTES, &found), 0);
    CHECK_EQ(found, TH_POISON_BYTE);
    th_track_release(memory, sizeof memory);
}

TH_SUITE("pattern", TEST(what_was_filled_is_found_whole), TEST(the_first_changed_byte_is_found),
         TEST(closed_memory_is_filled_and_read))
