/* SPDX-License-Identifier: MIT */
/* What the buddy allocator notices (include/tagheap/buddy.h), and that noticing changes nothing. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "base/pattern.h"
#include "base/track.h"
#include "suite.h"
#include "tagheap/buddy.h"

enum { UNIT = 64, UNITS = 16, BYTES = UNIT * UNITS, SHIFT = 24 };
enum { TALL_UNITS = 1024, TALL_BYTES = 16 * TALL_UNITS };

/* The memory is the units from 1 to 14: the first and the last lie outside. */
static alignas(BYTES) unsigned char region[BYTES];
static alignas(16) unsigned char book[16 * BYTES];
static th_buddy buddy;
static fault_log faults;

static void start(int level) {
    th_buddy_config config = {.unit = UNIT, .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_buddy_init(&buddy, region + SHIFT, BYTES - 2 * SHIFT, book, sizeof book, &config),
             TH_OK);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_buddy_check(&buddy, NULL), TH_OK);
    th_buddy_clean_up(&buddy);
}

static unsigned char *unit_at(size_t unit) {
    return region + unit * UNIT;
}

/* ---- pointers ----------------------------------------------------------------------------- */

/* Whatever call the pointer goes to, the fault is the same and nothing has changed. */
static void refuse_at(int level, unsigned char *pointer, th_fault expected) {
    th_buddy_stats before, after;
    before = th_buddy_get_stats(&buddy);
    th_buddy_free(&buddy, pointer);
    EXPECT_LOGGED(&faults, level, expected.kind, expected.block, 0, expected.offset,
                  expected.expected, expected.found);
    CHECK(!th_buddy_resize_in_place(&buddy, pointer, 10));
    EXPECT_LOGGED(&faults, level, expected.kind, expected.block, 0, expected.offset,
                  expected.expected, expected.found);
    CHECK_EQ(th_buddy_usable_size(&buddy, pointer), 0);
    EXPECT_LOGGED(&faults, level, expected.kind, expected.block, 0, expected.offset,
                  expected.expected, expected.found);
    after = th_buddy_get_stats(&buddy);
    CHECK_EQ(before.live_bytes, after.live_bytes);
    CHECK_EQ(before.live, after.live);
    CHECK_EQ(before.largest_free_bytes, after.largest_free_bytes);
}

static void wrong_pointers_at(int level) {
    const size_t none = TH_FAULT_NOWHERE;
    static unsigned char elsewhere[16];
    start(level);
    unsigned char *a = th_buddy_alloc(&buddy, 100); /* units 2 and 3: unit 1 is too small */
    unsigned char *b = th_buddy_alloc(&buddy, 60);  /* unit 1 */
    CHECK_PTR_EQ(a, unit_at(2));
    CHECK_PTR_EQ(b, unit_at(1));
    th_buddy_free(&buddy, b);
    refuse_at(level, b, (th_fault){TH_FAULT_DOUBLE_FREE, 1, 0, 64, 0, 64});
    refuse_at(level, unit_at(9), (th_fault){TH_FAULT_DOUBLE_FREE, 9, 0, 576, 0, 576});
    refuse_at(level, a + 1, (th_fault){TH_FAULT_MISALIGNED, 2, 0, 129, 0, 129});
    refuse_at(level, a + 63, (th_fault){TH_FAULT_MISALIGNED, 2, 0, 191, 0, 191});
    refuse_at(level, a + 64, (th_fault){TH_FAULT_NOT_A_BLOCK, 2, 0, 192, 128, 192});
    refuse_at(level, region, (th_fault){TH_FAULT_FOREIGN, none, 0, none, 0, 0});
    refuse_at(level, unit_at(15), (th_fault){TH_FAULT_FOREIGN, none, 0, none, 0, 960});
    refuse_at(level, (unsigned char *)((uintptr_t)region - 1),
              (th_fault){TH_FAULT_FOREIGN, none, 0, none, 0, UINT32_MAX});
    uint32_t distance = (uint32_t)((uintptr_t)elsewhere - (uintptr_t)region);
    refuse_at(level, elsewhere, (th_fault){TH_FAULT_FOREIGN, none, 0, none, 0, distance});
    th_buddy_free(&buddy, a);
    refuse_at(level, a, (th_fault){TH_FAULT_DOUBLE_FREE, 2, 0, 128, 0, 128});
    stop();
}

static void wrong_pointers_are_named(void) {
    at_levels(1, wrong_pointers_at);
}

/* A freed block that was merged, and one that was handed out again as part of a larger one. */
static void stale_at(int level) {
    start(level);
    unsigned char *a = th_buddy_alloc(&buddy, 64);
    unsigned char *b = th_buddy_alloc(&buddy, 64);
    unsigned char *c = th_buddy_alloc(&buddy, 64);
    CHECK_PTR_EQ(c, b + 64);
    th_buddy_free(&buddy, b);
    th_buddy_free(&buddy, c);
    refuse_at(level, c, (th_fault){TH_FAULT_DOUBLE_FREE, 3, 0, 192, 0, 192});
    CHECK_PTR_EQ(th_buddy_alloc(&buddy, 128), b);
    refuse_at(level, c, (th_fault){TH_FAULT_NOT_A_BLOCK, 2, 0, 192, 128, 192});
    th_buddy_free(&buddy, a);
    CHECK_EQ(th_buddy_reset(&buddy), TH_OK);
    refuse_at(level, b, (th_fault){TH_FAULT_DOUBLE_FREE, 2, 0, 128, 0, 128});
    stop();
}

static void stale_pointers_are_named(void) {
    at_levels(1, stale_at);
}

/* Without guards the bookkeeping still knows what is live. */
static void owners_are_known_at_every_level(void) {
    start(0);
    unsigned char *a = th_buddy_alloc(&buddy, 100);
    CHECK(th_buddy_owns(&buddy, a) && th_buddy_owns(&buddy, a + 127));
    CHECK(!th_buddy_owns(&buddy, a - 1) && !th_buddy_owns(&buddy, a + 128));
    CHECK(!th_buddy_owns(&buddy, region) && !th_buddy_owns(&buddy, region + BYTES - 1));
    stop();
}

/* ---- canaries ----------------------------------------------------------------------------- */

static void canaries_at(int level) {
    for (size_t asked = 1; asked <= 128; asked += 9) {
        start(level);
        unsigned char *a = th_buddy_alloc_aligned(&buddy, asked, 128);
        for (size_t i = asked; i < 128; i++) {
            unsigned char canary = poke(a + i, 0);
            unsigned char wrong = (unsigned char)~canary;
            (void)poke(a + i, wrong);
            th_fault due = {TH_FAULT_CANARY, 2, 0, (uint32_t)(128 + i), canary, wrong};
            th_fault found;
            refuse_at(level, a, due);
            CHECK_EQ(th_buddy_check(&buddy, &found), TH_ERR_CORRUPT);
            CHECK_EQ(found.kind, due.kind);
            CHECK_EQ(found.offset, due.offset);
            CHECK_EQ(found.expected, canary);
            CHECK_EQ(found.block, due.block);
            CHECK_EQ(th_buddy_check(&buddy, NULL), TH_ERR_CORRUPT);
            (void)poke(a + i, canary);
        }
        th_buddy_free(&buddy, a);
        stop();
    }
}

static void every_byte_after_a_block_is_watched(void) {
    at_levels(1, canaries_at);
}

/* The canary moves with the size. */
static void canaries_after_resize_at(int level) {
    start(level);
    unsigned char *a = th_buddy_alloc(&buddy, 64);
    CHECK(th_buddy_resize_in_place(&buddy, a, 50));
    unsigned char due = poke(a + 50, 0);
    unsigned char wrong = (unsigned char)~due;
    (void)poke(a + 50, wrong);
    refuse_at(level, a, (th_fault){TH_FAULT_CANARY, 1, 0, 64 + 50, due, wrong});
    (void)poke(a + 50, due);
    due = poke(a + 60, 0);
    (void)poke(a + 60, due);
    CHECK(th_buddy_resize_in_place(&buddy, a, 60));
    memset(a, 1, 60);
    CHECK_EQ(poke(a + 60, due), due);
    th_buddy_free(&buddy, a);
    stop();
}

static void canaries_move_with_the_size(void) {
    at_levels(1, canaries_after_resize_at);
}

/* ---- poison ------------------------------------------------------------------------------- */

static void poison_at(int level) {
    for (size_t at = 128; at < 256; at++) {
        th_fault due = {TH_FAULT_POISON, (uint32_t)(at / UNIT), 0,
                        (uint32_t)at,    TH_POISON_BYTE,        0xFC};
        th_fault found;
        start(level);
        unsigned char *lower = th_buddy_alloc(&buddy, 64);
        unsigned char *block = th_buddy_alloc(&buddy, 128);
        th_buddy_free(&buddy, block);
        CHECK_EQ(poke(region + at, 0xFC), TH_POISON_BYTE);
        CHECK_EQ(th_buddy_check(&buddy, &found), TH_ERR_CORRUPT);
        CHECK_EQ(found.kind, due.kind);
        CHECK_EQ(found.block, due.block);
        CHECK_EQ(found.offset, due.offset);
        CHECK(th_buddy_alloc(&buddy, 65) == NULL);
        EXPECT_LOGGED(&faults, level, due.kind, due.block, 0, due.offset, due.expected, due.found);
        CHECK(!th_buddy_resize_in_place(&buddy, lower, 0));
        (void)poke(region + at, TH_POISON_BYTE);
        CHECK_PTR_EQ(th_buddy_alloc(&buddy, 65), block);
        CHECK_EQ(th_buddy_reset(&buddy), TH_OK);
        stop();
    }
}

static void every_byte_of_a_freed_block_is_watched(void) {
    at_levels(2, poison_at);
}

/* What a block grows into is verified; so is what it gave up. */
static void poison_and_resize_at(int level) {
    start(level);
    unsigned char *block = th_buddy_alloc(&buddy, 256);
    CHECK_PTR_EQ(block, unit_at(4));
    CHECK(th_buddy_resize_in_place(&buddy, block, 64));
    CHECK_EQ(poke(block + 200, 7), TH_POISON_BYTE);
    CHECK(!th_buddy_resize_in_place(&buddy, block, 256));
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 7, 0, 456, TH_POISON_BYTE, 7);
    CHECK_EQ(th_buddy_usable_size(&buddy, block), 64);
    (void)poke(block + 200, TH_POISON_BYTE);
    CHECK(th_buddy_resize_in_place(&buddy, block, 256));
    stop();
}

static void growth_verifies_what_it_takes(void) {
    at_levels(2, poison_and_resize_at);
}

/* Memory that was never used is the caller's as it was. */
static void unused_memory_is_not_watched_at(int level) {
    start(level);
    (void)poke(unit_at(9), 0x12);
    CHECK_EQ(th_buddy_check(&buddy, NULL), TH_OK);
    unsigned char *block = th_buddy_alloc_aligned(&buddy, 8, 256);
    CHECK_PTR_EQ(block, unit_at(4));
    th_buddy_free(&buddy, block);
    stop();
}

static void unused_memory_is_not_watched(void) {
    at_levels(0, unused_memory_is_not_watched_at);
}

/* So it is when all blocks end at once: what they were is watched, what lies between them is not.
 */
static void reset_wipes_what_was_a_block_at(int level) {
    start(level);
    unsigned char *first = th_buddy_alloc(&buddy, 64);
    unsigned char *second = th_buddy_alloc(&buddy, 100);
    CHECK_PTR_EQ(first, unit_at(1));
    CHECK_PTR_EQ(second, unit_at(2));
    (void)poke(unit_at(4), 0x12);
    CHECK_EQ(th_buddy_reset(&buddy), TH_OK);
    for (unsigned char *at = first; at < unit_at(4); at++) {
        CHECK_EQ(poke(at, TH_POISON_BYTE), TH_POISON_BYTE);
    }
    CHECK_EQ(poke(unit_at(4), 0x13), 0x12);
    stop();
}

static void reset_wipes_what_was_a_block(void) {
    at_levels(2, reset_wipes_what_was_a_block_at);
}

/* Below level 2 nothing is written to what is free. */
static void below_level_two_nothing_is_poisoned(void) {
    for (int level = 0; level <= 1 && level <= th_guard_max(); level++) {
        start(level);
        unsigned char *block = th_buddy_alloc(&buddy, 64);
        memset(block, 0x42, 64);
        th_buddy_free(&buddy, block);
        CHECK_EQ(th_buddy_reset(&buddy), TH_OK);
        CHECK_EQ(poke(block + 63, 0x42), 0x42);
        stop();
    }
}

/* ---- the checker -------------------------------------------------------------------------- */

/* A little of everything: blocks of several orders, a free half between them. */
static unsigned char *furnish(void) {
    unsigned char *first = th_buddy_alloc(&buddy, 100);
    unsigned char *middle = th_buddy_alloc(&buddy, 64);
    unsigned char *last = th_buddy_alloc(&buddy, 200);
    CHECK(first != NULL && middle != NULL && last != NULL);
    th_buddy_free(&buddy, middle);
    return last;
}

/* Every bit that is used is proved, whether it is the wrong way round alone or with others of its
 * byte. */
static void expect_each_bit_proved(void *place, size_t bytes) {
    unsigned char *at = place;
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char good = at[i];
        for (unsigned value = 0; value < 256; value++) {
            th_fault found = {0};
            at[i] = (unsigned char)value;
            th_status status = th_buddy_check(&buddy, &found);
            CHECK_EQ(status, value == good ? TH_OK : TH_ERR_CORRUPT);
            CHECK(value == good || found.kind == TH_FAULT_CHAIN || found.kind == TH_FAULT_COUNT ||
                  found.kind == TH_FAULT_CONTROL);
        }
        at[i] = good;
    }
}

static void tree_at(int level) {
    start(level);
    (void)furnish();
    expect_each_bit_proved(buddy.tree, sizeof *buddy.tree);
    expect_each_bit_proved(buddy.live, UNITS);
    expect_each_bit_proved(&buddy.largest, 1);
    stop();
}

static void every_bit_of_the_tree_is_proved(void) {
    at_levels(0, tree_at);
}

/* In the words from `first` on whose lanes are of that order: what is wrong is said of the lane. */
static void expect_each_bit_named(size_t first, unsigned order, size_t units, size_t step) {
    const size_t lane_bits = order == 0 ? 1 : 8;
    const uint64_t mask = order == 0 ? 1 : 0xFF;
    for (size_t i = 64 * first; i < 64 * (first > 0 ? 2 * first : 1); i += step) {
        uint64_t *word = &buddy.tree[i / 64];
        const uint64_t good = *word;
        const unsigned shift = (unsigned)(i % 64 / lane_bits * lane_bits);
        const size_t node = i / lane_bits;
        th_fault found;
        *word ^= UINT64_C(1) << i % 64;
        CHECK_EQ(th_buddy_check(&buddy, &found), TH_ERR_CORRUPT);
        CHECK_EQ(found.kind, TH_FAULT_CHAIN);
        CHECK_EQ(found.expected, good >> shift & mask);
        CHECK_EQ(found.found, *word >> shift & mask);
        if (node >= units >> order && node < 2 * (units >> order)) {
            CHECK_EQ(found.block, (node << order) - units);
        }
        *word = good;
    }
}

/* Words of all kinds: `units` units of 16 bytes, less one at either end, with blocks of all orders,
 * taken and freed at random. */
static void tall_tree(size_t units) {
    static alignas(TALL_BYTES) unsigned char tall[TALL_BYTES];
    static alignas(16) unsigned char tall_book[16 * TALL_UNITS];
    static void *blocks[40];
    th_buddy_config config = {.unit = 16, .guarding = guarding_with(&faults, 0)};
    uint64_t state = th_test_seed(units);
    CHECK_EQ(
        th_buddy_init(&buddy, tall + 16, 16 * (units - 2), tall_book, sizeof tall_book, &config),
        TH_OK);
    memset(blocks, 0, sizeof blocks);
    for (unsigned i = 0; i < 400; i++) {
        uint64_t r = th_test_random(&state);
        void **block = &blocks[r % 40];
        if (*block == NULL) {
            *block = th_buddy_alloc(&buddy, (size_t)16 << (r >> 32) % (buddy.order_max + 1u));
        } else {
            th_buddy_free(&buddy, *block);
            *block = NULL;
        }
    }
    size_t step = TH_TRACK_VALGRIND ? 97 : 1;
    size_t first = units / 64;
    expect_each_bit_named(first, 0, units, step);
    for (unsigned order = 6; first > 0; order += 3) {
        first /= 8;
        expect_each_bit_named(first, order, units, step);
    }
    for (size_t i = 0; i < 8 * units; i += step) {
        buddy.live[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK_EQ(th_buddy_check(&buddy, NULL), TH_ERR_CORRUPT);
        buddy.live[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    stop();
}

static void every_bit_of_a_tall_tree_is_proved(void) {
    for (size_t units = 8; units <= TALL_UNITS; units *= 2) {
        tall_tree(units);
    }
}

/* Units outside the memory must never become free, whatever is known of them above. */
static void units_outside_stay_outside(void) {
    start(0);
    buddy.tree[0] |= UINT64_C(1) << (UNITS + 15);
    th_fault found;
    CHECK_EQ(th_buddy_check(&buddy, &found), TH_ERR_CORRUPT);
    CHECK_EQ(found.kind, TH_FAULT_CHAIN);
    CHECK_EQ(found.block, 15);
    CHECK_EQ(found.expected, 0);
    CHECK_EQ(found.found, 1);
    th_buddy_clean_up(&buddy);
}

static void expect_count(uint32_t expected, uint32_t wrong) {
    th_fault found;
    CHECK_EQ(th_buddy_check(&buddy, &found), TH_ERR_CORRUPT);
    CHECK_EQ(found.kind, TH_FAULT_COUNT);
    CHECK_EQ(found.expected, expected);
    CHECK_EQ(found.found, wrong);
    CHECK_EQ(th_buddy_check(&buddy, NULL), TH_ERR_CORRUPT);
}

static void counts_at(int level) {
    start(level);
    (void)furnish();
    CHECK_EQ(buddy.live_bytes, 128 + 256);
    buddy.live_blocks++;
    expect_count(2, 3);
    buddy.live_blocks -= 2;
    expect_count(2, 1);
    buddy.live_blocks++;
    buddy.live_bytes += 64;
    expect_count(384, 448);
    buddy.live_bytes -= 64;
    size_t high = buddy.high_water_bytes;
    buddy.high_water_bytes = 383;
    expect_count(384, 383);
    buddy.high_water_bytes = high;
    stop();
}

static void counts_are_proved(void) {
    at_levels(0, counts_at);
}

/* A size of the book that no block can have. */
static void sizes_at(int level) {
    start(level);
    unsigned char *block = furnish();
    size_t unit = (size_t)(block - region) / UNIT;
    size_t good = buddy.slack[unit];
    const size_t bad[] = {256, 257, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        th_fault found;
        buddy.slack[unit] = bad[i];
        refuse_at(
            level, block,
            (th_fault){TH_FAULT_CONTROL, (uint32_t)unit, 0, TH_FAULT_NOWHERE, 0, (uint32_t)bad[i]});
        CHECK_EQ(th_buddy_check(&buddy, &found), TH_ERR_CORRUPT);
        CHECK_EQ(found.kind, TH_FAULT_CONTROL);
        CHECK_EQ(found.block, unit);
        CHECK_EQ(found.expected, 0);
        CHECK_EQ(found.found, (uint32_t)bad[i]);
    }
    buddy.slack[unit] = good;
    stop();
}

static void impossible_sizes_are_noticed(void) {
    at_levels(1, sizes_at);
}

/* An order of the book that no block can have there: too large, not aligned, over the end. */
static void orders_at(int level) {
    start(level);
    unsigned char *block = furnish();
    size_t unit = (size_t)(block - region) / UNIT;
    const struct {
        size_t unit;
        uint8_t live;
    } bad[] = {{unit, 6}, {unit, 255}, {unit, 4}, {unit + 1, 2}, {14, 2}, {12, 3}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const uint32_t at = (uint32_t)bad[i].unit;
        const uint8_t good = buddy.live[at];
        th_fault found;
        buddy.live[at] = bad[i].live;
        refuse_at(level, unit_at(at),
                  (th_fault){TH_FAULT_CONTROL, at, 0, TH_FAULT_NOWHERE, 0, bad[i].live});
        CHECK_EQ(th_buddy_check(&buddy, &found), TH_ERR_CORRUPT);
        CHECK_EQ(found.kind, TH_FAULT_CONTROL);
        CHECK_EQ(found.block, at);
        CHECK_EQ(found.expected, 0);
        CHECK_EQ(found.found, bad[i].live);
        buddy.live[at] = good;
    }
    stop();
}

static void impossible_orders_are_noticed(void) {
    at_levels(1, orders_at);
}

/* At level 3 each call ends with the checker. */
static void level_three_checks_after_each_call(void) {
    if (th_guard_max() < 3) {
        return;
    }
    start(3);
    unsigned char *a = th_buddy_alloc(&buddy, 64);
    unsigned char *b = th_buddy_alloc(&buddy, 128);
    CHECK_EQ(faults.count, 0);
    buddy.live_bytes += 64;
    CHECK(th_buddy_alloc(&buddy, 64) != NULL);
    EXPECT_LOGGED(&faults, 3, TH_FAULT_COUNT, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 256, 320);
    CHECK(th_buddy_resize_in_place(&buddy, b, 64));
    EXPECT_LOGGED(&faults, 3, TH_FAULT_COUNT, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 192, 256);
    th_buddy_free(&buddy, a);
    EXPECT_LOGGED(&faults, 3, TH_FAULT_COUNT, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 128, 192);
    buddy.live_bytes -= 64;
    buddy.largest = 1;
    CHECK_EQ(th_buddy_reset(&buddy), TH_OK); /* which builds the tree anew */
    stop();
}

TH_SUITE("buddy_guards", TEST(wrong_pointers_are_named), TEST(stale_pointers_are_named),
         TEST(owners_are_known_at_every_level), TEST(every_byte_after_a_block_is_watched),
         TEST(canaries_move_with_the_size), TEST(every_byte_of_a_freed_block_is_watched),
         TEST(growth_verifies_what_it_takes), TEST(unused_memory_is_not_watched),
         TEST(reset_wipes_what_was_a_block), TEST(below_level_two_nothing_is_poisoned),
         TEST(every_bit_of_the_tree_is_proved), TEST(every_bit_of_a_tall_tree_is_proved),
         TEST(units_outside_stay_outside), TEST(counts_are_proved),
         TEST(impossible_sizes_are_noticed), TEST(impossible_orders_are_noticed),
         TEST(level_three_checks_after_each_call))
