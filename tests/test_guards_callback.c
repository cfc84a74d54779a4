/* SPDX-License-Identifier: MIT */
/* What a move callback writes where it must not, while the heap waits for its answer: whatever the
 * move would write over, or write again as it was read before, is verified once more, so that
 * damage is reported, nothing is moved, and nothing is healed in silence. */
#include <string.h>

#include "guard_fixture.h"
#include "heap_fixture.h"

typedef struct damage {
    uint32_t dword, bits;
    bool answer;
    unsigned asked;
} damage;

static bool strike_and_answer(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    damage *s = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    if (s->asked++ == 0) {
        scene_flip(s->dword, s->bits);
    }
    return s->answer;
}

static th_heap_compaction compact_damaged(damage *s, bool budgeted) {
    scene_remember();
    return budgeted ? th_heap_compact_some(&sc.heap, 1, strike_and_answer, s)
                    : th_heap_compact(&sc.heap, strike_and_answer, s);
}

/* The damage is reported, and nothing is changed but what the callback did. The fault is one of the
 * header `header`, if that is what was hit. */
static void expect_no_move(uint32_t dword, uint32_t bits, const th_fault *due, uint32_t header) {
    for (unsigned budgeted = 0; budgeted < 2; budgeted++) {
        damage s = {dword, bits, true, 0};
        th_heap_compaction result = compact_damaged(&s, budgeted != 0);
        CHECK_EQ(s.asked, 1);
        CHECK_EQ(result.blocks_moved + result.bytes_moved + result.blocks_vetoed, 0);
        CHECK(!result.done);
        expect_fault(__FILE__, __LINE__, due != NULL ? *due : header_fault(header));
        scene_flip(dword, bits);
        expect_unchanged();
    }
}

static void strike_header(uint32_t header) {
    for (uint32_t dword = 0; dword < SCENE_HEADER_WORDS; dword++) {
        expect_no_move(header + dword, 1u << (3 * dword + header) % 32, NULL, header);
    }
    for (uint32_t dword = SCENE_HEADER_WORDS; dword < sc.header; dword++) {
        damage s = {header + dword, 0x10, true, 0};
        CHECK_EQ(compact_damaged(&s, false).blocks_moved, 0);
        CHECK(sc.faults > 0);
        CHECK_EQ(sc.first.kind, TH_FAULT_HEADER);
        CHECK_EQ(sc.first.block, header);
        scene_flip(header + dword, 0x10);
        expect_unchanged();
    }
}

/* The bits of its dword that are these bits of the byte. */
static uint32_t bits_of_byte(uint32_t byte, unsigned char bits) {
    uint32_t word = 0;
    unsigned char *bytes = (unsigned char *)&word;
    bytes[byte % 4] = bits;
    return word;
}

/* ---- c slides into the hole below it: [ a ][ hole ][ c ][ d ] ------------------------------- */

static void strike_headers_around(void) {
    strike_header(header_of(sc.c));
    strike_header(hole_offset());
    strike_header(header_of(sc.d));
    if (sc.level >= 2) {
        strike_header(header_of(sc.a));
    }
}

static void headers_are_verified_again(void) {
    scene_play(1, strike_headers_around);
}

static void strike_header_beyond(void) {
    /* d moves with free memory on both sides: [ hole ][ d ][ middle ][ v ]. */
    (void)th_heap_free(&sc.heap, sc.c);
    strike_header(header_of(sc.d));
    strike_header(hole_offset());
    strike_header(middle_offset());
    strike_header(header_of(sc.v));
}

static void what_is_merged_is_verified_again(void) {
    scene_play(1, strike_header_beyond);
}

static void strike_canary(void) {
    uint32_t payload = byte_of(sc.c);
    uint32_t end = header_of(sc.d) * 4;
    for (uint32_t byte = payload + 45; byte < end; byte++) {
        unsigned char found = scene_byte(byte) ^ 0x10;
        th_fault due = {TH_FAULT_CANARY, header_of(sc.c), 0x1003, byte, scene_byte(byte), found};
        expect_no_move(byte / 4, bits_of_byte(byte, 0x10), &due, 0);
    }
}

static void the_canary_is_verified_again(void) {
    scene_play(1, strike_canary);
}

static void strike_target(void) {
    uint32_t first = hole_offset() + sc.header;
    for (uint32_t dword = first; dword < header_of(sc.c); dword++) {
        uint32_t right = scene_word(dword);
        th_fault due = {TH_FAULT_POISON, hole_offset(), TH_TAG_FREE, dword * 4, right, right ^ 4};
        expect_no_move(dword, 4, &due, 0);
    }
}

static void the_target_is_verified_again(void) {
    scene_play(2, strike_target);
}

/* Level 0 trusts what it read, and writes it again. */
static void move_struck_without_guards(void) {
    if (sc.level == 0) {
        damage s = {header_of(sc.c), 0x00FFFFFF, true, 0};
        CHECK(compact_damaged(&s, false).blocks_moved > 0);
        CHECK_EQ(sc.faults, 0);
        CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    }
}

static void level_0_looks_at_nothing_again(void) {
    scene_play(0, move_struck_without_guards);
}

/* ---- after a veto --------------------------------------------------------------------------- */

/* Nothing is written then, so that the damage stays to be found. */
static void strike_and_veto(void) {
    uint32_t headers[] = {header_of(sc.c), hole_offset(), header_of(sc.d)};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        damage s = {headers[i] + 4, 0x8, false, 0};
        th_fault fault;
        (void)compact_damaged(&s, false);
        CHECK_EQ(s.asked, 1);
        CHECK_EQ(th_heap_check(&sc.heap, &fault), TH_ERR_CORRUPT);
        CHECK_EQ(fault.kind, TH_FAULT_HEADER);
        CHECK_EQ(fault.block, headers[i]);
        scene_flip(headers[i] + 4, 0x8);
        expect_unchanged();
    }
}

static void damage_outlives_a_veto(void) {
    scene_play(1, strike_and_veto);
}

/* ---- the th_heap itself --------------------------------------------------------------------- */

static bool zero_the_heap(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    th_heap *kept = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    *kept = sc.heap;
    memset(&sc.heap, 0, sizeof sc.heap);
    return true;
}

static bool zero_for_low_memory(void *context, th_heap *heap, size_t bytes) {
    (void)bytes;
    *(th_heap *)context = *heap;
    memset(heap, 0, sizeof *heap);
    return true;
}

static void expect_control_fault(const th_heap *kept) {
    CHECK_EQ(sc.faults, 1);
    CHECK_EQ(sc.first.kind, TH_FAULT_CONTROL);
    CHECK_EQ(sc.first.block, TH_FAULT_NOWHERE);
    CHECK_EQ(sc.first.offset, TH_FAULT_NOWHERE);
    CHECK_EQ(sc.first.expected, (uint32_t)kept->seal_layout);
    CHECK_EQ(sc.first.found, 0);
}

/* Nothing in it tells then of the guards, the region or the handler. */
static void zero_in_callbacks(void) {
    th_heap kept;
    scene_remember();
    th_heap_compaction result = th_heap_compact(&sc.heap, zero_the_heap, &kept);
    CHECK_EQ(result.blocks_moved + result.blocks_vetoed, 0);
    CHECK(!result.done);
    expect_control_fault(&kept);
    sc.heap = sc.before;

    sc.heap.config.low_memory = zero_for_low_memory;
    sc.heap.config.low_memory_context = &kept;
    scene_remember();
    CHECK(th_heap_alloc(&sc.heap, SCENE_DWORDS * 4, 0x1001) == NULL);
    expect_control_fault(&kept);
    sc.heap = sc.before;
    sc.heap.config.low_memory = NULL;
}

static bool count_for_low_memory(void *context, th_heap *heap, size_t bytes) {
    (void)context;
    (void)bytes;
    heap->head_blocks ^= 1;
    return true;
}

static void damage_the_counter(void) {
    sc.heap.config.low_memory = count_for_low_memory;
    scene_remember();
    CHECK(th_heap_alloc(&sc.heap, SCENE_DWORDS * 4, 0x1001) == NULL);
    CHECK_EQ(sc.faults, 1); /* the validator does not say it again when the call ends */
    CHECK_EQ(sc.first.kind, TH_FAULT_COUNT);
    sc.heap = sc.before;
    sc.heap.config.low_memory = NULL;
}

static void a_damaged_counter_is_reported_once(void) {
    scene_play(3, damage_the_counter);
}

static void a_heap_that_is_zeroed_is_missed(void) {
    scene_play(3, zero_in_callbacks);
}

TH_SUITE("guards_callback", TEST(headers_are_verified_again),
         TEST(what_is_merged_is_verified_again), TEST(the_canary_is_verified_again),
         TEST(the_target_is_verified_again), TEST(level_0_looks_at_nothing_again),
         TEST(damage_outlives_a_veto), TEST(a_heap_that_is_zeroed_is_missed),
         TEST(a_damaged_counter_is_reported_once))
