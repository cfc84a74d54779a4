/* SPDX-License-Identifier: MIT */
/* The FIFO allocator (include/tagheap/fifo.h): places, the order in which memory comes back, what
 * is refused, what it notices, and a comparison with the simplest model. */
#include <stdalign.h>
#include <string.h>

#include "bad_input.h"
#include "null_objects.h"
#include "tagheap/fifo.h"

enum { HEADER = TH_FIFO_HEADER_BYTES, UNIT = 16, MEMORY_BYTES = 1024 };

static alignas(256) unsigned char memory[MEMORY_BYTES + 64];
static th_fifo fifo;
static fault_log faults;

static void start_at(int level, void *where, size_t bytes) {
    const th_fifo_config config = {.guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_fifo_init(&fifo, where, bytes, &config), TH_OK);
}

/* 1024 bytes: sixteen blocks of 32 bytes, or eight of 96. */
static void start(int level) {
    start_at(level, memory, MEMORY_BYTES);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_fifo_check(&fifo, NULL), TH_OK);
    th_fifo_clean_up(&fifo);
    static const th_fifo zeroed;
    CHECK(memcmp(&fifo, &zeroed, sizeof fifo) == 0);
    memset(memory, 0, sizeof memory); /* ordinary memory again */
}

static th_fifo_stats stats(void) {
    return th_fifo_get_stats(&fifo);
}

static size_t place_of(const void *pointer) {
    return (size_t)((const unsigned char *)pointer - memory);
}

static unsigned char *take(size_t bytes) {
    unsigned char *block = th_fifo_alloc(&fifo, bytes);
    CHECK(block != NULL);
    CHECK_EQ((uintptr_t)block % UNIT, 0);
    memset(block, 0xAB, bytes);
    return block;
}

/* ---- places ------------------------------------------------------------------------------- */

static void blocks_lie_one_after_the_other_at(int level) {
    start(level);
    CHECK_EQ(place_of(take(1)), HEADER);
    CHECK_EQ(place_of(take(16)), 2 * HEADER + 16);
    CHECK_EQ(place_of(take(17)), 3 * HEADER + 32);
    CHECK_EQ(place_of(take(1)), 4 * HEADER + 64);
    CHECK_EQ(stats().used_bytes, 4 * HEADER + 80);
    CHECK_EQ(stats().live_bytes, 35);
    CHECK_EQ(stats().live, 4);
    CHECK_EQ(stats().allocs, 4);
    stop();
}

static void blocks_lie_one_after_the_other(void) {
    at_levels(0, blocks_lie_one_after_the_other_at);
}

/* [ 0 ][ 1 ] ... [ 7 ] of 96 + 32 bytes each, which is all. */
static void the_end_leads_to_the_start_at(int level) {
    unsigned char *blocks[8];
    start(level);
    for (unsigned i = 0; i < 8; i++) {
        blocks[i] = take(96);
        CHECK_EQ(place_of(blocks[i]), i * 128 + HEADER);
    }
    CHECK(th_fifo_alloc(&fifo, 1) == NULL);
    CHECK_EQ(stats().failed_allocs, 1);
    CHECK_EQ(stats().used_bytes, MEMORY_BYTES);
    for (unsigned round = 0; round < 20; round++) {
        unsigned oldest = round % 8;
        size_t bytes;
        CHECK_PTR_EQ(th_fifo_oldest(&fifo, &bytes), blocks[oldest]);
        CHECK_EQ(bytes, 96);
        th_fifo_free(&fifo, blocks[oldest]);
        CHECK(th_fifo_alloc(&fifo, 97) == NULL);
        CHECK_PTR_EQ(take(96), blocks[oldest]);
        CHECK(th_fifo_alloc(&fifo, 1) == NULL);
        CHECK_EQ(th_fifo_check(&fifo, NULL), TH_OK);
    }
    CHECK_EQ(stats().high_water_bytes, MEMORY_BYTES);
    CHECK_EQ(th_fifo_reset(&fifo), TH_OK);
    CHECK_EQ(stats().live, 0);
    CHECK_PTR_EQ(take(MEMORY_BYTES - HEADER), memory + HEADER);
    stop();
}

static void the_end_leads_to_the_start(void) {
    at_levels(0, the_end_leads_to_the_start_at);
}

/* What does not fit above the newest goes to the start, and what it leaves at the end comes back
 * with the block before it. */
static void what_is_left_at_the_end_is_passed_over(void) {
    start(0);
    unsigned char *a = take(288); /* [0, 320) */
    unsigned char *b = take(416); /* [320, 768), and 256 are left */
    th_fifo_free(&fifo, a);
    CHECK(th_fifo_alloc(&fifo, 289) == NULL); /* [0, 320) has a byte less, and so has the end */
    unsigned char *c = take(225);
    CHECK_EQ(place_of(c), HEADER);
    CHECK(th_fifo_alloc(&fifo, 64) == NULL); /* [272, 320) is all */
    unsigned char *d = take(16);
    CHECK_EQ(place_of(d), 272 + HEADER);
    CHECK(th_fifo_alloc(&fifo, 1) == NULL);
    th_fifo_free(&fifo, b);
    CHECK_EQ(stats().used_bytes, 320);
    CHECK_EQ(place_of(take(704 - HEADER)), 320 + HEADER);
    CHECK(th_fifo_alloc(&fifo, 1) == NULL);
    th_fifo_free(&fifo, c);
    th_fifo_free(&fifo, d);
    stop();
}

static void memory_comes_back_in_order_at(int level) {
    unsigned char *blocks[4];
    size_t bytes;
    start(level);
    for (unsigned i = 0; i < 4; i++) {
        blocks[i] = take(96 + i);
    }
    th_fifo_free(&fifo, blocks[2]);
    th_fifo_free(&fifo, blocks[1]);
    CHECK_EQ(stats().waiting, 2);
    CHECK_EQ(stats().used_bytes, 128 + 3 * 144);
    CHECK_EQ(stats().live_bytes, 96 + 99);
    CHECK(!th_fifo_owns(&fifo, blocks[1]));
    CHECK_PTR_EQ(th_fifo_oldest(&fifo, &bytes), blocks[0]);
    th_fifo_free(&fifo, blocks[0]);
    CHECK_EQ(stats().waiting, 0);
    CHECK_EQ(stats().used_bytes, 144);
    CHECK_PTR_EQ(th_fifo_oldest(&fifo, &bytes), blocks[3]);
    CHECK_EQ(bytes, 99);
    CHECK_PTR_EQ(th_fifo_oldest(&fifo, NULL), blocks[3]);
    th_fifo_free(&fifo, blocks[3]);
    CHECK(th_fifo_oldest(&fifo, &bytes) == NULL);
    CHECK_EQ(bytes, 0);
    CHECK_EQ(place_of(take(1)), HEADER); /* it is empty, and begins anew */
    stop();
}

static void memory_comes_back_in_order(void) {
    at_levels(0, memory_comes_back_in_order_at);
}

static void alignments_hold_at(int level) {
    for (size_t shift = 0; shift < 40; shift += 13) {
        start_at(level, memory + shift, MEMORY_BYTES - shift);
        for (size_t alignment = 1; alignment <= 256; alignment *= 2) {
            unsigned char *block = th_fifo_alloc_aligned(&fifo, 20, alignment);
            CHECK(block != NULL && (uintptr_t)block % alignment == 0);
            CHECK_EQ((uintptr_t)block % UNIT, 0);
            memset(block, 1, 20);
            th_fifo_free(&fifo, alignment == 4 ? NULL : block);
        }
        CHECK(th_fifo_alloc_aligned(&fifo, 20, SIZE_MAX / 2 + 1) == NULL);
        CHECK_EQ(stats().failed_allocs, 1);
        CHECK_EQ(th_fifo_check(&fifo, NULL), TH_OK);
        CHECK_EQ(th_fifo_reset(&fifo), TH_OK);
        stop();
    }
}

static void alignments_hold(void) {
    at_levels(0, alignments_hold_at);
}

/* The first block may lie anywhere; what it has skipped is free. */
static void the_first_block_is_the_oldest_at(int level) {
    start(level);
    unsigned char *block = th_fifo_alloc_aligned(&fifo, 20, 256);
    CHECK_EQ(place_of(block), 256);
    CHECK_PTR_EQ(th_fifo_oldest(&fifo, NULL), block);
    CHECK(th_fifo_owns(&fifo, block));
    CHECK_EQ(th_fifo_check(&fifo, NULL), TH_OK);
    CHECK_EQ(place_of(take(MEMORY_BYTES - 288 - HEADER)), 288 + HEADER);
    CHECK_EQ(place_of(take(224 - HEADER)), HEADER); /* up to its header */
    CHECK(th_fifo_alloc(&fifo, 1) == NULL);
    th_fifo_free(&fifo, block);
    CHECK_EQ(place_of(take(64 - HEADER)), 224 + HEADER);
    stop();
}

static void the_first_block_is_the_oldest(void) {
    at_levels(0, the_first_block_is_the_oldest_at);
}

static void sizes_of_the_memory(void) {
    CHECK_EQ(th_fifo_init(&fifo, memory, HEADER + UNIT - 1, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_fifo_init(&fifo, memory + 1, HEADER + UNIT + 14, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_fifo_init(&fifo, memory + 1, HEADER + UNIT + 15, NULL), TH_OK);
    CHECK_EQ(fifo.config.guarding.level, 0);
    CHECK_EQ(stats().bytes, HEADER + UNIT);
    CHECK_EQ(place_of(th_fifo_alloc(&fifo, UNIT)), UNIT + HEADER);
    CHECK(th_fifo_alloc(&fifo, 1) == NULL);
    stop();
    start_at(0, memory, MEMORY_BYTES - 1);
    CHECK_EQ(stats().bytes, MEMORY_BYTES - UNIT);
    CHECK(th_fifo_alloc(&fifo, MEMORY_BYTES - UNIT - HEADER + 1) == NULL);
    CHECK(th_fifo_alloc(&fifo, MEMORY_BYTES - UNIT - HEADER) != NULL);
    CHECK_EQ(th_fifo_reset(&fifo), TH_OK);
    stop();
}

/* ---- resize ------------------------------------------------------------------------------- */

static void resize_in_place_at(int level) {
    start(level);
    unsigned char *a = take(20);
    unsigned char *b = take(20);
    CHECK(th_fifo_resize_in_place(&fifo, a, 32)); /* rounding gave it those */
    CHECK(!th_fifo_resize_in_place(&fifo, a, 33));
    CHECK(th_fifo_resize_in_place(&fifo, a, 1));
    CHECK_EQ(a[0], 0xAB);
    CHECK(!th_fifo_resize_in_place(&fifo, a, 33));
    CHECK(th_fifo_resize_in_place(&fifo, a, 30));
    memset(a, 1, 30);
    CHECK(th_fifo_resize_in_place(&fifo, b, 33)); /* the newest, and there is room */
    CHECK_EQ(stats().used_bytes, 2 * HEADER + 32 + 48);
    CHECK_EQ(stats().live_bytes, 63);
    CHECK_EQ(stats().high_water_bytes, stats().used_bytes);
    memset(b, 2, 33);
    CHECK_EQ(place_of(take(1)), 3 * HEADER + 80);
    CHECK(!th_fifo_resize_in_place(&fifo, b, 49));
    CHECK(!th_fifo_resize_in_place(&fifo, b, 0));
    CHECK(!th_fifo_resize_in_place(&fifo, NULL, 1));
    stop();

    start(level);
    a = take(96);
    b = take(96);
    CHECK(!th_fifo_resize_in_place(&fifo, b, MEMORY_BYTES - 128 - HEADER + 1));
    CHECK(th_fifo_resize_in_place(&fifo, b, MEMORY_BYTES - 128 - HEADER));
    memset(b, 3, MEMORY_BYTES - 128 - HEADER);
    th_fifo_free(&fifo, a);
    a = take(16); /* below the oldest */
    CHECK_EQ(place_of(a), HEADER);
    CHECK(!th_fifo_resize_in_place(&fifo, a, 97));
    CHECK(th_fifo_resize_in_place(&fifo, a, 96));
    memset(a, 4, 96);
    CHECK(!th_fifo_resize_in_place(&fifo, b, SIZE_MAX));
    th_fifo_free(&fifo, b);
    stop();
}

static void the_newest_gives_back_what_it_needs_no_more_at(int level) {
    start(level);
    (void)take(96);
    unsigned char *b = take(500);
    CHECK(th_fifo_resize_in_place(&fifo, b, 480)); /* which takes up as much, less a rounding */
    CHECK_EQ(stats().used_bytes, 128 + HEADER + 480);
    CHECK(th_fifo_resize_in_place(&fifo, b, 470));
    CHECK_EQ(stats().used_bytes, 128 + HEADER + 480);
    CHECK(th_fifo_resize_in_place(&fifo, b, 1));
    CHECK_EQ(b[0], 0xAB);
    CHECK_EQ(stats().used_bytes, 128 + HEADER + 16);
    CHECK_EQ(stats().high_water_bytes, 128 + HEADER + 512);
    CHECK_EQ(th_fifo_check(&fifo, NULL), TH_OK);
    unsigned char *c = take(16);
    CHECK_EQ(place_of(c), 128 + HEADER + 16 + HEADER);
    CHECK(th_fifo_resize_in_place(&fifo, b, 16));
    CHECK_EQ(th_fifo_check(&fifo, NULL), TH_OK);
    stop();
}

static void the_newest_gives_back_what_it_needs_no_more(void) {
    at_levels(0, the_newest_gives_back_what_it_needs_no_more_at);
}

static void resize_in_place(void) {
    at_levels(0, resize_in_place_at);
}

static void what_moves_is_the_newest(void) {
    start(0);
    th_allocator all = th_fifo_allocator(&fifo);
    unsigned char *a = th_allocator_alloc(all, 20);
    unsigned char *b = take(20);
    bool moved;
    memset(a, 5, 20);
    a = th_allocator_realloc(all, a, 20, 100, 16, &moved);
    CHECK(a != NULL && moved && a > b && a[19] == 5);
    CHECK_PTR_EQ(th_fifo_oldest(&fifo, NULL), b);
    CHECK(th_allocator_realloc(all, b, 20, MEMORY_BYTES, 16, &moved) == NULL);
    CHECK_PTR_EQ(th_fifo_oldest(&fifo, NULL), b);
    stop();
}

static void owns_what_is_asked_for(void) {
    start(0);
    unsigned char *a = take(20);
    (void)take(1);
    CHECK(th_fifo_owns(&fifo, a) && th_fifo_owns(&fifo, a + 19));
    CHECK(!th_fifo_owns(&fifo, a - 1) && !th_fifo_owns(&fifo, a + 20));
    CHECK(!th_fifo_owns(&fifo, memory) && !th_fifo_owns(&fifo, memory + 500));
    CHECK(!th_fifo_owns(&fifo, &fifo) && !th_fifo_owns(&fifo, NULL));
    stop();
}

/* ---- guards ------------------------------------------------------------------------------- */

static const size_t none = TH_FAULT_NOWHERE;

static void refuse(int level, unsigned char *pointer, th_fault expected) {
    th_fifo_free(&fifo, pointer);
    EXPECT_LOGGED(&faults, level, expected.kind, expected.block, 0, expected.offset,
                  expected.expected, expected.found);
    CHECK(!th_fifo_resize_in_place(&fifo, pointer, 1));
    EXPECT_LOGGED(&faults, level, expected.kind, expected.block, 0, expected.offset,
                  expected.expected, expected.found);
}

static void bad_pointers_are_named_at(int level) {
    start(level);
    unsigned char *a = take(100);
    unsigned char *b = take(20);
    unsigned char *gone = take(50);
    unsigned char *c = take(10);
    th_fifo_free(&fifo, gone); /* its memory waits for a and b */
    size_t place = place_of(gone);
    refuse(level, gone, (th_fault){TH_FAULT_DOUBLE_FREE, none, 0, place, 0, (uint32_t)place});
    refuse(level, gone + 16,
           (th_fault){TH_FAULT_NOT_A_BLOCK, place - HEADER, 0, place + 16, (uint32_t)place,
                      (uint32_t)place + 16});
    refuse(level, memory + 512, (th_fault){TH_FAULT_DOUBLE_FREE, none, 0, 512, 0, 512});
    refuse(level, a + 16, (th_fault){TH_FAULT_NOT_A_BLOCK, 0, 0, HEADER + 16, HEADER, HEADER + 16});
    refuse(level, memory, (th_fault){TH_FAULT_NOT_A_BLOCK, 0, 0, 0, HEADER, 0});
    refuse(level, b + 1,
           (th_fault){TH_FAULT_MISALIGNED, none, 0, place_of(b) + 1, 0, (uint32_t)place_of(b) + 1});
    refuse(level, memory + 515, (th_fault){TH_FAULT_MISALIGNED, none, 0, 515, 0, 515});
    refuse(level, memory + MEMORY_BYTES,
           (th_fault){TH_FAULT_FOREIGN, none, 0, none, 0,
                      (uint32_t)(uintptr_t)(memory + MEMORY_BYTES)});
    CHECK_EQ(stats().live, 3);
    th_fifo_free(&fifo, c);
    stop();
}

static void bad_pointers_are_named(void) {
    at_levels(1, bad_pointers_are_named_at);
}

static void an_overflow_is_noticed_to_the_byte_at(int level) {
    start(level);
    unsigned char *a = take(20);
    for (size_t i = 20; i < 32; i++) {
        unsigned char due = poke(a + i, 0);
        unsigned char bad = due ^ 0x41;
        (void)poke(a + i, bad);
        th_fifo_free(&fifo, a);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, HEADER + i, due, bad);
        CHECK(!th_fifo_resize_in_place(&fifo, a, 30));
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, HEADER + i, due, bad);
        CHECK_EQ(th_fifo_reset(&fifo), TH_ERR_CORRUPT);
        CHECK_EQ(faults.count, 1);
        faults.count = 0;
        (void)poke(a + i, due);
    }
    stop();
}

static void an_overflow_is_noticed_to_the_byte(void) {
    at_levels(1, an_overflow_is_noticed_to_the_byte_at);
}

/* Every byte of a header. */
static void a_header_is_checked_at(int level) {
    start(level);
    unsigned char *a = take(20);
    unsigned char *b = take(20);
    for (size_t i = 0; i < 3 * sizeof(size_t) + 4; i++) {
        unsigned char *byte = b - HEADER + i;
        unsigned char due = poke(byte, 0x5A);
        expect_damage(th_fifo_allocator(&fifo), TH_FAULT_HEADER);
        th_fifo_free(&fifo, b);
        CHECK(faults.count > 0 && faults.first.kind == TH_FAULT_HEADER);
        CHECK(th_fifo_alloc(&fifo, 1) == NULL); /* which has to lead there from here */
        faults.count = 0;
        (void)poke(byte, due);
        byte = a - HEADER + i;
        due = poke(byte, 0x5A);
        size_t bytes;
        CHECK(th_fifo_oldest(&fifo, &bytes) == NULL);
        CHECK_EQ(bytes, 0);
        CHECK(faults.count > 0 && faults.first.kind == TH_FAULT_HEADER);
        CHECK(!th_fifo_owns(&fifo, b));
        faults.count = 0;
        (void)poke(byte, due);
    }
    stop();
}

static void a_header_is_checked(void) {
    at_levels(1, a_header_is_checked_at);
}

/* The block before it goes, and its memory does not follow. */
static void damage_ends_the_reclaiming_at(int level) {
    start(level);
    unsigned char *a = take(20);
    unsigned char *b = take(20);
    (void)take(20);
    unsigned char due = poke(b - HEADER, 0x5A);
    th_fifo_free(&fifo, a);
    CHECK(faults.count > 0 && faults.first.kind == TH_FAULT_HEADER);
    faults.count = 0;
    (void)poke(b - HEADER, due);
    CHECK_EQ(stats().live, 2);
    th_fifo_free(&fifo, b);
    CHECK_EQ(stats().used_bytes, HEADER + 32);
    stop();
}

static void damage_ends_the_reclaiming(void) {
    at_levels(1, damage_ends_the_reclaiming_at);
}

static void poke_free(int level, unsigned char *byte, size_t offset) {
    CHECK_EQ(poke(byte, 0x41), 0xFD);
    th_fault fault;
    CHECK_EQ(th_fifo_check(&fifo, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_POISON);
    CHECK_EQ(fault.offset, offset);
    CHECK_EQ(fault.expected, 0xFD);
    CHECK_EQ(fault.found, 0x41);
    CHECK_EQ(fault.block, none);
    CHECK(level >= 2);
}

static void a_use_after_free_is_noticed_at(int level) {
    start(level);
    unsigned char *a = take(96);
    unsigned char *b = take(96);
    unsigned char *c = take(96);
    th_fifo_free(&fifo, b);
    poke_free(level, b + 95, 128 + HEADER + 95); /* it waits */
    th_fifo_free(&fifo, a);
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, none, 0, 128 + HEADER + 95, 0xFD, 0x41);
    (void)poke(b + 95, 0xFD);
    CHECK_EQ(stats().waiting, 1);
    poke_free(level, memory + 5, 5); /* below the oldest */
    (void)poke(memory + 5, 0xFD);
    poke_free(level, memory + MEMORY_BYTES - 1, MEMORY_BYTES - 1);
    CHECK(th_fifo_alloc(&fifo, MEMORY_BYTES - 3 * 128 - HEADER) == NULL);
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, none, 0, MEMORY_BYTES - 1, 0xFD, 0x41);
    CHECK(!th_fifo_resize_in_place(&fifo, c, MEMORY_BYTES - 2 * 128 - HEADER));
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, none, 0, MEMORY_BYTES - 1, 0xFD, 0x41);
    (void)poke(memory + MEMORY_BYTES - 1, 0xFD);
    unsigned char *d = th_fifo_alloc_aligned(&fifo, 16, 256);
    CHECK_EQ(place_of(d), 512);
    poke_free(level, memory + 400, 400); /* in what its alignment skipped */
    (void)poke(memory + 400, 0xFD);
    CHECK(th_fifo_resize_in_place(&fifo, d, MEMORY_BYTES - 512 - 64));
    th_fifo_free(&fifo, c); /* and b's memory comes back now, too */
    CHECK_EQ(stats().waiting, 0);
    unsigned char *e = take(96); /* at the start; 64 bytes are left at the end */
    CHECK_EQ(place_of(e), HEADER);
    poke_free(level, memory + MEMORY_BYTES - 7, MEMORY_BYTES - 7);
    (void)poke(memory + MEMORY_BYTES - 7, 0xFD);
    poke_free(level, memory + 129, 129); /* between the newest and the oldest */
    (void)poke(memory + 129, 0xFD);
    CHECK_EQ(th_fifo_reset(&fifo), TH_OK);
    stop();
}

static void a_use_after_free_is_noticed(void) {
    at_levels(2, a_use_after_free_is_noticed_at);
}

static void expect_found(th_fault_kind kind) {
    th_fault fault;
    expect_damage(th_fifo_allocator(&fifo), kind);
    CHECK_EQ(th_fifo_check(&fifo, &fault), TH_ERR_CORRUPT);
    CHECK(kind != TH_FAULT_CHAIN || fault.expected == 0);
}

/* Header fields behind the library's back; sound check words, where there are any. */
static void the_checker_finds_damage_in_the_structure_at(int level) {
    start(level);
    (void)take(96);
    (void)take(96);
    size_t *const numbers[] = {&fifo.live, &fifo.live_bytes, &fifo.used};
    for (unsigned i = 0; i < 3; i++) {
        ++*numbers[i];
        expect_found(TH_FAULT_COUNT);
        --*numbers[i];
    }
    size_t *const offsets[] = {&fifo.newest, &fifo.end};
    for (unsigned i = 0; i < 2; i++) {
        *offsets[i] += 16;
        expect_found(TH_FAULT_CHAIN);
        *offsets[i] -= 16;
    }
    const size_t bad[] = {1, 16 * 1024, MEMORY_BYTES - HEADER};
    for (unsigned i = 0; i < 3; i++) {
        fifo.oldest = bad[i];
        expect_found(TH_FAULT_CHAIN);
    }
    fifo.oldest = 0;
    fifo.blocks--;
    expect_found(TH_FAULT_CHAIN);
    fifo.blocks++;
    stop();
}

static void the_checker_finds_damage_in_the_structure(void) {
    at_levels(0, the_checker_finds_damage_in_the_structure_at);
}

/* At level 3 after each change, which is made all the same. */
static void the_checker_runs_after_each_change_at(int level) {
    start(level);
    unsigned char *a = take(20);
    fifo.used += 16;
    unsigned char *b = take(20);
    CHECK(faults.count == 1 && faults.first.kind == TH_FAULT_COUNT);
    CHECK_EQ(faults.first.expected, 2 * HEADER + 64);
    CHECK_EQ(faults.first.found, 2 * HEADER + 64 + 16);
    CHECK(th_fifo_resize_in_place(&fifo, b, 30));
    CHECK_EQ(faults.count, 2);
    th_fifo_free(&fifo, a);
    CHECK_EQ(faults.count, 3);
    fifo.used -= 16;
    faults.count = 0;
    stop();
}

static void the_checker_runs_after_each_change(void) {
    at_levels(3, the_checker_runs_after_each_change_at);
}

/* And does not stop for it. */
static void the_end_tells_of_damage_at(int level) {
    start(level);
    unsigned char *a = take(20);
    (void)poke(a + 25, poke(a + 25, 0) ^ 0x41);
    th_fifo_clean_up(&fifo);
    CHECK(faults.count == 1 && faults.first.kind == TH_FAULT_CANARY);
    CHECK_EQ(stats().bytes, 0);
    memset(memory, 0, sizeof memory); /* ordinary memory again */
}

static void the_end_tells_of_damage(void) {
    at_levels(1, the_end_tells_of_damage_at);
}

/* At level 0 there is no check word between the checker and what a header says. */
static void set(unsigned char *payload, unsigned field, size_t value) {
    poke_link(payload - HEADER + field * sizeof(size_t), (void *)(uintptr_t)value);
}

static void headers_that_lead_nowhere(void) {
    enum { NEXT, BYTES, REQUESTED };
    start(0);
    unsigned char *a = take(96); /* [0, 128) */
    unsigned char *b = take(96); /* [128, 256) */
    (void)take(96);
    set(a, BYTES, MEMORY_BYTES - HEADER + 16);
    expect_found(TH_FAULT_CHAIN);
    set(a, BYTES, 96);
    set(a, REQUESTED, 97);
    expect_found(TH_FAULT_CHAIN);
    set(a, REQUESTED, 96);
    set(b, NEXT, 0); /* back to the first */
    expect_found(TH_FAULT_CHAIN);
    set(b, NEXT, 256);
    th_fifo_free(&fifo, a);
    (void)take(MEMORY_BYTES - 384 - HEADER);
    unsigned char *e = take(16); /* [0, 48) */
    unsigned char *f = take(16); /* [48, 96), and [96, 128) is free */
    set(f, BYTES, 64);
    expect_found(TH_FAULT_CHAIN); /* into the oldest */
    set(f, BYTES, 16);
    set(e, NEXT, 0); /* a second time from the start on */
    expect_found(TH_FAULT_CHAIN);
    set(e, NEXT, 48);
    stop();
}

/* ---- bad input, and no object ---------------------------------------------------------------- */

static void *calls_start(const th_guarding *guarding, th_allocator from) {
    const th_fifo_config config = {.guarding = *guarding};
    (void)from;
    CHECK_EQ(th_fifo_init(&fifo, memory + 3, MEMORY_BYTES, &config), TH_OK);
    return &fifo;
}

static const bad_calls calls = {calls_start, &lab_allocator_fifo};

static void bad_input_is_refused(void) {
    const bad_row row = {
        "fifo",
        &calls,
        {TH_FAULT_FOREIGN, TH_FAULT_NOT_A_BLOCK, TH_FAULT_MISALIGNED, TH_FAULT_DOUBLE_FREE},
        0};
    bad_input_play_all(&row);
}

typedef struct arguments {
    void *at;
    size_t bytes;
    th_fifo_config config;
} arguments;

static th_status start_with(void *object, const void *with) {
    const arguments *a = with;
    return th_fifo_init(object, a->at, a->bytes, &a->config);
}

#define ROW(status, ...)                                                                           \
    { #__VA_ARGS__, start_with, &(const arguments){__VA_ARGS__ }, status }

static void bad_starts_are_refused(void) {
    const bad_start rows[] = {
        ROW(TH_ERR_NULL, .at = NULL, .bytes = 4096),
        ROW(TH_ERR_TOO_SMALL, .at = memory, .bytes = 0),
        ROW(TH_ERR_TOO_LARGE, .at = memory, .bytes = (size_t)PTRDIFF_MAX + 1),
        ROW(TH_ERR_TOO_LARGE, .at = memory, .bytes = SIZE_MAX),
        ROW(TH_ERR_CONFIG, .at = memory, .bytes = 64, .config.guarding.level = 4),
        ROW(TH_ERR_CONFIG, .at = memory, .bytes = 64, .config.guarding.level = -1),
    };
    bad_starts_play(rows, sizeof rows / sizeof rows[0]);
    CHECK_EQ(th_fifo_init(NULL, memory, 64, NULL), TH_ERR_NULL);
}

static void no_fifo(void) {
    TWICE(fifo, {
        size_t bytes = 1;
        CHECK(th_fifo_alloc(object, 16) == NULL);
        CHECK(th_fifo_alloc_aligned(object, 16, 64) == NULL);
        CHECK(!th_fifo_resize_in_place(object, elsewhere, 8));
        CHECK(th_fifo_oldest(object, &bytes) == NULL);
        CHECK_EQ(bytes, 0);
        CHECK_EQ(th_fifo_reset(object), TH_ERR_NULL);
        CHECK(!th_fifo_owns(object, elsewhere));
        th_fifo_free(object, elsewhere);
        CHECK_EQ(th_fifo_get_stats(object).bytes, 0);
        EXPECT_NOTHING(fifo, object);
        expect_nothing_of(th_fifo_allocator(object));
    });
}

TH_SUITE("fifo", TEST(blocks_lie_one_after_the_other), TEST(the_end_leads_to_the_start),
         TEST(what_is_left_at_the_end_is_passed_over), TEST(memory_comes_back_in_order),
         TEST(alignments_hold), TEST(the_first_block_is_the_oldest), TEST(sizes_of_the_memory),
         TEST(resize_in_place), TEST(the_newest_gives_back_what_it_needs_no_more),
         TEST(what_moves_is_the_newest), TEST(owns_what_is_asked_for), TEST(bad_pointers_are_named),
         TEST(an_overflow_is_noticed_to_the_byte), TEST(a_header_is_checked),
         TEST(damage_ends_the_reclaiming), TEST(a_use_after_free_is_noticed),
         TEST(the_checker_finds_damage_in_the_structure), TEST(the_checker_runs_after_each_change),
         TEST(headers_that_lead_nowhere), TEST(the_end_tells_of_damage), TEST(bad_input_is_refused),
         TEST(bad_starts_are_refused), TEST(no_fifo))
