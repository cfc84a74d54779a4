/* SPDX-License-Identifier: MIT */
/* Wrong links under a right check word, and damaged neighbours, met by each kind of call that
 * follows links: it says so, and has changed nothing. */
#include <string.h>

#include "guard_fixture.h"
#include "heap_fixture.h"

#define PREV_BITS 0x07FFFFFFu

static void expect_chain(const char *file, int line, uint32_t block, uint32_t expected,
                         uint32_t found) {
    uint32_t tag = scene_word(block + 2) & 0x7FFF;
    const th_fault fault = {TH_FAULT_CHAIN, block, tag, TH_FAULT_NOWHERE, expected, found};
    const th_fault *first = &sc.first;
    bool noticed = sc.faults > 0 && first->kind == fault.kind && first->block == fault.block &&
                   first->tag == fault.tag && first->offset == fault.offset &&
                   first->expected == fault.expected && first->found == fault.found;
    if (!noticed) {
        th_check_failed(file, line, "the first fault is the expected broken chain");
    }
    expect_unchanged();
}

#define EXPECT_CHAIN(...) expect_chain(__FILE__, __LINE__, __VA_ARGS__)

/* ---- a link upwards that does not lead to the block's end ----------------------------------- */

static void skip_a_block(void) {
    uint32_t c = header_of(sc.c), d = header_of(sc.d);
    scene_forge(c, 1, UINT32_MAX, middle_offset());
    scene_remember();
    CHECK_EQ(th_heap_free_tags(&sc.heap, 0x1004, 0x1004), 0);
    EXPECT_CHAIN(c, d, middle_offset());
    for (int budgeted = 0; budgeted < 2; budgeted++) {
        scene_remember();
        CHECK(compaction_fails(budgeted != 0));
        EXPECT_CHAIN(c, d, middle_offset());
    }
    /* What is wrong with a pointer is found by a walk, which comes past c. */
    scene_remember();
    CHECK_EQ(th_heap_free(&sc.heap, sc.e), 0);
    EXPECT_CHAIN(c, d, middle_offset());
    scene_forge(c, 1, UINT32_MAX, d);
}

static void a_skipped_block_is_noticed_by_every_walk(void) {
    scene_play(1, skip_a_block);
}

/* ---- links downwards, met by compaction ----------------------------------------------------- */

static void misguide_the_block_to_slide(void) {
    uint32_t a = header_of(sc.a), c = header_of(sc.c);
    scene_forge(c, 0, PREV_BITS, a);
    scene_remember();
    CHECK(compaction_fails(false));
    EXPECT_CHAIN(a, c, hole_offset());
    scene_forge(c, 0, PREV_BITS, hole_offset());
}

static void misguide_the_hole_below_it(void) {
    uint32_t a = header_of(sc.a), c = header_of(sc.c), hole = hole_offset();
    scene_forge(hole, 0, PREV_BITS, c);
    scene_remember();
    CHECK(compaction_fails(false));
    EXPECT_CHAIN(c, hole, header_of(sc.d));
    scene_forge(hole, 0, PREV_BITS, a);
}

static void compaction_verifies_what_it_slides(void) {
    scene_play(1, misguide_the_block_to_slide);
    scene_play(2, misguide_the_hole_below_it);
}

/* ---- damaged neighbours, met by a growing resize -------------------------------------------- */

static void expect_no_growth(unsigned char *payload, uint32_t damaged) {
    scene_flip(damaged + 3, 0x100);
    scene_remember();
    CHECK(th_heap_realloc(&sc.heap, payload, 60) == NULL);
    expect_fault(__FILE__, __LINE__, header_fault(damaged));
    expect_unchanged();
    scene_flip(damaged + 3, 0x100);
}

static void grow_beside_damage(void) {
    expect_no_growth(sc.d, middle_offset()); /* would grow in place */
    expect_no_growth(sc.c, header_of(sc.d)); /* would move */
    expect_no_growth(sc.c, hole_offset());   /* would move, and merge with the hole */
}

static void growth_verifies_both_neighbours(void) {
    scene_play(1, grow_beside_damage);
}

/* ---- a block that ends where none can begin -------------------------------------------------- */

static void expect_end_refused(uint32_t grown_by) {
    uint32_t t = header_of(sc.t);
    uint32_t size = scene_word(t + 2), next = scene_word(t + 1);
    scene_forge(t, 2, UINT32_MAX, size + (grown_by << 15));
    scene_forge(t, 1, UINT32_MAX, next + grown_by);
    th_fault fault = {0};
    CHECK_EQ(th_heap_check(&sc.heap, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CHAIN);
    CHECK_EQ(fault.block, t);
    CHECK_EQ(fault.offset, t * 4);
    CHECK_EQ(fault.found, next + grown_by);
    scene_forge(t, 2, UINT32_MAX, size);
    scene_forge(t, 1, UINT32_MAX, next);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
}

static void end_where_none_can_begin(void) {
    expect_end_refused((uint32_t)sc.alignment / 4); /* beyond LAST */
    if (sc.alignment > 4) {
        expect_end_refused(1); /* between two units */
    }
}

static void a_block_must_end_at_a_possible_place(void) {
    scene_play(0, end_where_none_can_begin);
}

/* ---- headers that were made up, check word and all ------------------------------------------ */

/* Met by the block's own free, and by a walk. */
static void expect_impossible(uint32_t expected, uint32_t found) {
    uint32_t c = header_of(sc.c);
    scene_remember();
    CHECK_EQ(th_heap_free(&sc.heap, sc.c), 0);
    EXPECT_CHAIN(c, expected, found);
    scene_remember();
    CHECK(compaction_fails(false));
    EXPECT_CHAIN(c, expected, found);
}

static void make_up_a_size(uint32_t size) {
    uint32_t c = header_of(sc.c), was = scene_word(c + 2), next = scene_word(c + 1);
    uint32_t end = c + sc.header + size;
    scene_forge(c, 2, UINT32_MAX, (was & 0x7FFF) | size << 15);
    scene_forge(c, 1, UINT32_MAX, end);
    expect_impossible(end, end);
    scene_forge(c, 2, UINT32_MAX, was);
    scene_forge(c, 1, UINT32_MAX, next);
}

static void make_up_what_cannot_be(void) {
    uint32_t c = header_of(sc.c), d = header_of(sc.d), asked = scene_word(c + 3);
    uint32_t room = 4 * (d - c - sc.header);
    make_up_a_size(last_offset() - c + 1);
    make_up_a_size(0x1FFFF);
    scene_forge(c, 1, UINT32_MAX, d + 4);
    expect_impossible(d, d + 4);
    scene_forge(c, 1, UINT32_MAX, d);
    scene_forge(c, 3, UINT32_MAX, room + 1);
    expect_impossible(room, room + 1);
    scene_forge(c, 3, UINT32_MAX, asked);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
}

static void what_cannot_be_is_noticed_before_it_is_followed(void) {
    scene_play(1, make_up_what_cannot_be);
}

/* A change of a header that agrees with everything but with what the heap wrote there. */
static void expect_not_as_written(uint32_t dword, uint32_t mask, uint32_t value) {
    uint32_t c = header_of(sc.c), was = scene_word(c + dword);
    th_fault fault = {0};
    scene_forge(c, dword, mask, value);
    bool noticed = sc.level >= 3;
    CHECK_EQ(th_heap_check(&sc.heap, &fault), noticed ? TH_ERR_CORRUPT : TH_OK);
    CHECK_EQ(fault.kind, noticed ? TH_FAULT_COUNT : TH_FAULT_NONE);
    CHECK(!noticed || fault.expected != fault.found);
    scene_remember();
    CHECK_EQ(th_heap_free_tags(&sc.heap, 0x2000, 0x2000), 0);
    CHECK_EQ(sc.faults, noticed);
    scene_forge(c, dword, UINT32_MAX, was);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
}

static void make_up_what_can_be(void) {
    expect_not_as_written(2, 0x7FFF, 0x1005); /* another tag */
    expect_not_as_written(4, UINT32_MAX, 77); /* another site */
    CHECK(th_heap_realloc(&sc.heap, sc.c, 44) == sc.c);
    CHECK(th_heap_retag(&sc.heap, sc.c, 0x1009)); /* what the heap writes is as written */
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    CHECK(th_heap_retag(&sc.heap, sc.c, 0x1003));
}

static void level_3_knows_what_it_wrote(void) {
    scene_play(1, make_up_what_can_be);
}

TH_SUITE("guards_links", TEST(what_cannot_be_is_noticed_before_it_is_followed),
         TEST(level_3_knows_what_it_wrote), TEST(a_skipped_block_is_noticed_by_every_walk),
         TEST(compaction_verifies_what_it_slides), TEST(growth_verifies_both_neighbours),
         TEST(a_block_must_end_at_a_possible_place))
