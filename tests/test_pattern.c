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
        th_pattern_fill(memory, TH_POISON_BYTE, bytes);
        CHECK_EQ(memory[bytes], 0);
        CHECK_EQ(th_pattern_find(memory, TH_POISON_BYTE, bytes, &found), bytes);
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

/* ---- canaries ----------------------------------------------------------------------------- */

enum { SEED = 0x12345, WALL = 4 };

/* Part of what programs print. As they lie in memory on a little-endian machine; on another one the
 * bytes of each dword lie the other way round. */
static void canaries_are_known(void) {
    static const unsigned char known[] = {0x12, 0x6F, 0x20, 0xFD, 0x6E, 0x53, 0x48, 0x49};
    for (size_t place = 0; place < sizeof known; place++) {
        size_t from = place / 4 * 4;
        CHECK_EQ(th_canary_byte(SEED, place), known[from + th_test_byte_place(place % 4)]);
    }
    CHECK_EQ(th_canary_dword(SEED, 4), th_canary_dword(SEED + 4, 0));
}

static void neighbours_differ(void) {
    for (size_t place = 0; place < 100000; place++) {
        CHECK_EQ(th_canary_byte(SEED, place) % 2, th_test_byte_place(place % 4) % 2);
    }
}

/* Walls on both sides stay, and each byte is the one of its place. */
static void write_at(size_t place, size_t bytes) {
    unsigned char *at = memory + WALL + place;
    uint32_t found = 77;
    memset(memory, 0xEE, sizeof memory);
    th_canary_write(SEED, 400 + place, at, bytes);
    for (unsigned char *byte = memory; byte < memory + sizeof memory; byte++) {
        size_t here = 400 + (size_t)(byte - memory) - WALL;
        CHECK_EQ(*byte, byte < at || byte >= at + bytes ? 0xEE : th_canary_byte(SEED, here));
    }
    CHECK_EQ(th_canary_find(SEED, 400 + place, at, bytes, &found), bytes);
    CHECK_EQ(found, 77);
}

static void spoil_at(size_t place, size_t bytes) {
    unsigned char *at = memory + WALL + place;
    for (size_t changed = 0; changed < bytes; changed++) {
        uint32_t found = 0;
        th_canary_write(SEED, place, at, bytes);
        at[bytes - 1] ^= 1;
        at[changed] = 0x41;
        CHECK(th_canary_byte(SEED, place + changed) != 0x41);
        CHECK_EQ(th_canary_find(SEED, place, at, bytes, &found), changed);
        CHECK_EQ(found, 0x41);
    }
}

static void canaries_are_written_and_found_to_the_byte(void) {
    for (size_t place = 0; place < 4; place++) {
        for (size_t bytes = 0; bytes <= BYTES - 4; bytes++) {
            write_at(place, bytes);
            spoil_at(place, bytes);
        }
    }
}

/* The last `bytes` of sixteen, both functions, each byte changed in turn. */
static void end_at(uint32_t number, uint32_t bytes) {
    alignas(uint32_t) unsigned char plain[TH_CANARY_END];
    unsigned char *at = memory + 4;
    memset(memory, 0xEE, sizeof memory);
    memset(plain, 0xEE, sizeof plain);
    th_canary_end_write(SEED, number, at, bytes);
    th_plain_canary_end_write(SEED, number, plain, bytes);
    CHECK(memory[3] == 0xEE && memory[4 + TH_CANARY_END] == 0xEE);
    for (uint32_t i = 0; i < TH_CANARY_END; i++) {
        bool inside = i >= TH_CANARY_END - bytes;
        CHECK_EQ(at[i], inside ? th_canary_byte(SEED, 4 * number + i) : 0xEE);
        CHECK_EQ(at[i], plain[i]);
        for (unsigned bit = 0; bit < 8; bit++) {
            at[i] ^= (unsigned char)(1u << bit);
            CHECK_EQ(th_canary_end_holds(SEED, number, at, bytes, false), !inside);
            CHECK(number % 4 != 0 || th_canary_end_holds(SEED, number, at, bytes, true) == !inside);
            CHECK_EQ(th_plain_canary_end_holds(SEED, number, at, bytes), !inside);
            CHECK_EQ(th_exact_canary_end_holds(SEED, number, at, bytes), !inside);
            at[i] ^= (unsigned char)(1u << bit);
        }
    }
    CHECK(th_canary_end_holds(SEED, number, at, bytes, false));
    CHECK(number % 4 != 0 || th_canary_end_holds(SEED, number, at, bytes, true));
    CHECK(th_plain_canary_end_holds(SEED, number, at, bytes));
    CHECK(th_exact_canary_end_holds(SEED, number, at, bytes));
}

static void the_ends_of_blocks_are_written_and_verified(void) {
    for (uint32_t bytes = 0; bytes <= TH_CANARY_END; bytes++) {
        end_at(0, bytes);
        end_at(77, bytes);
        end_at(1001, bytes);
    }
}

static void poison_is_verified_to_the_dword(void) {
    for (size_t count = 0; count <= BYTES / 4; count++) {
        th_word *words = (void *)memory;
        memset(memory, 0xEE, sizeof memory);
        th_pattern_fill(memory + 4, TH_POISON_BYTE, 4 * count);
        CHECK(th_poison_holds(words + 1, count));
        CHECK(th_plain_poison_holds(words + 1, count));
        for (size_t byte = 0; byte < 4 * count; byte++) {
            memory[4 + byte] ^= 0x10;
            CHECK(!th_poison_holds(words + 1, count));
            CHECK(!th_plain_poison_holds(words + 1, count));
            memory[4 + byte] ^= 0x10;
        }
    }
}

static void closed_memory_is_filled_and_read(void) {
    uint32_t found = 0;
    th_track_close(memory, sizeof memory);
    th_canary_write(SEED, 1, memory + 1, BYTES);
    CHECK_EQ(th_canary_find(SEED, 1, memory + 1, BYTES, &found), BYTES);
    th_pattern_fill(memory, TH_POISON_BYTE, BYTES);
    CHECK_EQ(th_pattern_find(memory, TH_POISON_BYTE, BYTES, &found), BYTES);
    CHECK_EQ(th_pattern_find(memory, 0xC5, BYTES, &found), 0);
    CHECK_EQ(found, TH_POISON_BYTE);
    th_track_release(memory, sizeof memory);
}

TH_SUITE("pattern", TEST(what_was_filled_is_found_whole), TEST(the_first_changed_byte_is_found),
         TEST(canaries_are_known), TEST(neighbours_differ),
         TEST(canaries_are_written_and_found_to_the_byte),
         TEST(the_ends_of_blocks_are_written_and_verified), TEST(poison_is_verified_to_the_dword),
         TEST(closed_memory_is_filled_and_read))
