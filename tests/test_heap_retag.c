/* SPDX-License-Identifier: MIT */
/* Retagging: which tags a block may get, and what the new one decides from then on. Offsets and
 * sizes are dwords; header 6. */
#include "guard_fixture.h"
#include "heap_fixture.h"

static fixture fx;

static void *take(uint32_t dwords, uint32_t tag) {
    void *pointer = checked_alloc(&fx, (size_t)dwords * 4, tag);
    CHECK(pointer != NULL);
    return pointer;
}

static void nothing_but_the_tag_changes(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(10, 0);
    void *b = take(20, 2);
    void *t = take(12, 0x4001);
    CHECK(th_heap_retag(&fx.heap, a, 0x3FFF));
    CHECK(th_heap_retag(&fx.heap, b, 2));
    CHECK(th_heap_retag(&fx.heap, t, 0x7FFE));
    validate_heap(&fx.heap, 4);
    EXPECT_BLOCKS(&fx.heap, {0x3FFF, 10}, {2, 20}, {FREE, 40}, {0x7FFE, 12});
    CHECK(th_heap_retag(&fx.heap, a, 0));
    CHECK(th_heap_retag(&fx.heap, t, 0x4000));
    EXPECT_BLOCKS(&fx.heap, {0, 10}, {2, 20}, {FREE, 40}, {0x4000, 12});
    CHECK_EQ(stats_of(&fx.heap).tail_blocks, 1);
    fixture_stop(&fx);
}

static void refuse(void *pointer, uint32_t tag) {
    remember_blocks(&fx);
    CHECK(!th_heap_retag(&fx.heap, pointer, tag));
    expect_blocks_unchanged(&fx);
}

static void other_tags_are_refused(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(10, 1);
    void *t = take(12, 0x4001);
    refuse(a, 0x4000);
    refuse(a, 0x7FFE);
    refuse(t, 0x3FFF);
    refuse(t, 0);
    for (unsigned i = 0; i < 2; i++) {
        void *pointer = i == 0 ? a : t;
        refuse(pointer, FREE);
        refuse(pointer, 0x8001);
        refuse(pointer, 0x14001);
        refuse(pointer, UINT32_MAX);
    }
    refuse(NULL, 1);
    CHECK_EQ(fx.faults, 0);
    fixture_stop(&fx);
}

static void wide_tags_have_31_bits(void) {
    const th_heap_config config = {.alignment = 4, .layout = TH_HEAP_LAYOUT_WIDE};
    fixture_start_with(&fx, 0, 4 * 112, &config);
    void *a = take(10, 1);
    void *t = take(12, 0x40000001);
    CHECK(th_heap_retag(&fx.heap, a, 0x7FFF) && th_heap_retag(&fx.heap, a, 0x3FFFFFFF));
    CHECK(th_heap_retag(&fx.heap, t, 0x7FFFFFFE));
    refuse(a, 0x40000000);
    refuse(t, 0x3FFFFFFF);
    refuse(t, 0x7FFFFFFF);
    validate_heap(&fx.heap, 4);
    CHECK_EQ(checked_free_tags(&fx, 0x3FFFFFFF, 0x7FFFFFFE), 2);
    fixture_stop(&fx);
}

static bool expect_tag(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)from;
    (void)to;
    (void)bytes;
    CHECK_EQ(tag, *(const uint32_t *)context);
    return true;
}

static void everything_goes_by_the_new_tag(void) {
    fixture_start(&fx, 4, 200);
    uint32_t tag = 7;
    void *hole = take(10, 1);
    void *a = take(10, 1);
    void *wall = take(10, 1);
    CHECK(th_heap_retag(&fx.heap, a, tag));
    a = checked_resize(&fx, a, 80); /* moves: the copy keeps the tag */
    CHECK(a != NULL && checked_free(&fx, hole) != 0);
    CHECK(th_heap_retag(&fx.heap, wall, tag));
    CHECK_EQ(checked_compact(&fx, expect_tag, &tag).blocks_moved, 2);
    CHECK_EQ(checked_free_tags(&fx, 1, 1), 0);
    CHECK_EQ(checked_free_tags(&fx, 7, 7), 2);
    EXPECT_BLOCKS(&fx.heap, {FREE, 188});
    fixture_stop(&fx);
}

/* ---- guards -------------------------------------------------------------------------------- */

static void expect_noticed(void *payload, uint32_t header) {
    scene_flip(header, 1u << 3);
    scene_remember();
    CHECK(!th_heap_retag(&sc.heap, payload, 0x1009));
    expect_unchanged();
    CHECK(sc.faults > 0 && sc.first.kind == TH_FAULT_HEADER && sc.first.block == header);
    scene_flip(header, 1u << 3);
}

static void notice_neighbours(void) {
    expect_noticed(sc.d, header_of(sc.c));
    expect_noticed(sc.d, middle_offset());
    expect_noticed(sc.d, header_of(sc.d));
    CHECK(th_heap_retag(&sc.heap, sc.d, 0x1009));
    CHECK(th_heap_check(&sc.heap, NULL) == TH_OK);
}

static void neighbours_are_verified(void) {
    scene_play(2, notice_neighbours);
}

TH_SUITE("heap_retag", TEST(nothing_but_the_tag_changes), TEST(other_tags_are_refused),
         TEST(wide_tags_have_31_bits), TEST(everything_goes_by_the_new_tag),
         TEST(neighbours_are_verified))
