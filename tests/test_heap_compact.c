/* SPDX-License-Identifier: MIT */
/* Compaction, whole and in steps: what moves where, what the callback is told, vetoes, specially
 * aligned blocks, budgets and their resuming, and the contents of blocks that overlap their old
 * place. Offsets and sizes are dwords; header 6 (8 at alignment 16). */
#include <string.h>

#include "heap_fixture.h"

static fixture fx;

static void *take(uint32_t dwords, uint32_t tag) {
    void *pointer = checked_alloc(&fx, (size_t)dwords * 4, tag);
    CHECK(pointer != NULL);
    return pointer;
}

static void give(void *pointer) {
    CHECK(checked_free(&fx, pointer) > 0);
}

static bool same_compaction(th_heap_compaction result, uint32_t moved, uint32_t vetoed,
                            size_t bytes, bool done) {
    CHECK_EQ(result.blocks_moved, moved);
    CHECK_EQ(result.blocks_vetoed, vetoed);
    CHECK_EQ(result.bytes_moved, bytes);
    CHECK_EQ(result.done, done);
    return true;
}

/* ---- a callback that writes down what it is told -------------------------------------------- */

#define ASKED_MAX 16

typedef struct ask {
    uint32_t tag;
    uint32_t from, to; /* offsets of headers */
    size_t bytes;
} ask;

typedef struct listener {
    ask asked[ASKED_MAX];
    size_t count;
    uint32_t veto_tags; /* bit per tag below 32 */
} listener;

static bool listen(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    listener *l = context;
    CHECK(l->count < ASKED_MAX);
    l->asked[l->count] = (ask){tag, offset_of(&fx, from), offset_of(&fx, to), bytes};
    l->count++;
    /* The heap as it was before the move may be looked at. */
    CHECK_EQ(block_of(&fx.heap, from).tag, tag);
    CHECK_EQ(th_heap_requested_size(&fx.heap, from), bytes);
    return (l->veto_tags >> tag & 1) == 0;
}

static void expect_ask(const listener *l, size_t index, uint32_t tag, uint32_t from, uint32_t to,
                       size_t bytes) {
    CHECK(index < l->count);
    CHECK_EQ(l->asked[index].tag, tag);
    CHECK_EQ(l->asked[index].from, from);
    CHECK_EQ(l->asked[index].to, to);
    CHECK_EQ(l->asked[index].bytes, bytes);
}

/* ---- whole passes --------------------------------------------------------------------------- */

static void nothing_to_do(void) {
    fixture_start(&fx, 4, 112);
    listener l = {0};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 0, 0, 0, true));
    CHECK(same_compaction(checked_compact_some(&fx, 0, listen, &l), 0, 0, 0, true));
    take(10, 1);
    take(10, 2);
    void *tail = take(10, 0x4001);
    take(10, 0x4002);
    give(tail);
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 0, 0, 0, true));
    CHECK(same_compaction(checked_compact_some(&fx, 1000, listen, &l), 0, 0, 0, true));
    CHECK_EQ(l.count, 0);
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {2, 10}, {FREE, 36}, {0x4002, 10}, {FREE, 10});
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 0, 0, 0, true));
    fixture_stop(&fx);
}

/* Blocks 1 to 6 of 5, 10, 7, 20, 3 and 8 dwords, of which the odd ones are freed, and a TAIL
 * block; requested are two bytes less. */
static void start_with_three_movable(size_t alignment) {
    static const uint32_t sizes[] = {5, 10, 7, 20, 3, 8};
    void *blocks[6];
    fixture_start(&fx, alignment, 200);
    for (uint32_t i = 0; i < 6; i++) {
        blocks[i] = checked_alloc(&fx, sizes[i] * 4 - 2, i + 1);
        CHECK(blocks[i] != NULL);
        fill(blocks[i], sizes[i] * 4 - 2, i + 1);
    }
    fill(take(12, 0x4001), 48, 99);
    for (size_t i = 0; i < 6; i += 2) {
        give(blocks[i]);
    }
}

static void expect_contents_of_three(void) {
    CHECK(filled(block_tagged(&fx.heap, 2).payload, 38, 2));
    CHECK(filled(block_tagged(&fx.heap, 4).payload, 78, 4));
    CHECK(filled(block_tagged(&fx.heap, 6).payload, 30, 6));
    CHECK(filled(block_tagged(&fx.heap, 0x4001).payload, 48, 99));
}

static void slides_everything_down_lowest_first(void) {
    start_with_three_movable(4);
    EXPECT_BLOCKS(&fx.heap, {FREE, 5}, {2, 10}, {FREE, 7}, {4, 20}, {FREE, 3}, {6, 8}, {FREE, 81},
                  {0x4001, 12});
    listener l = {0};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 3, 0, 38 + 78 + 30, true));
    CHECK_EQ(l.count, 3);
    expect_ask(&l, 0, 2, 11, 0, 38);
    expect_ask(&l, 1, 4, 40, 16, 78);
    expect_ask(&l, 2, 6, 75, 42, 30);
    EXPECT_BLOCKS(&fx.heap, {2, 10}, {4, 20}, {6, 8}, {FREE, 114}, {0x4001, 12});
    expect_contents_of_three();
    fixture_stop(&fx);
}

/* 5, 7 and 3 dwords round up to 6, 8 and 4 with units of 2, and all but 20 with units of 4. */
static void slides_at_other_alignments(void) {
    start_with_three_movable(8);
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 3, 0, 146, true));
    EXPECT_BLOCKS(&fx.heap, {2, 10}, {4, 20}, {6, 8}, {FREE, 114}, {0x4001, 12});
    expect_contents_of_three();
    start_with_three_movable(16);
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 3, 0, 146, true));
    EXPECT_BLOCKS(&fx.heap, {2, 12}, {4, 20}, {6, 8}, {FREE, 100}, {0x4001, 12});
    expect_contents_of_three();
    fixture_stop(&fx);
}

static void the_whole_region_becomes_one_block(void) {
    start_with_three_movable(4);
    CHECK_EQ(checked_free_tags(&fx, 0x4001, 0x4001), 1);
    CHECK_EQ(th_heap_largest_free_bytes(&fx.heap), 99 * 4);
    checked_compact(&fx, NULL, NULL);
    EXPECT_BLOCKS(&fx.heap, {2, 10}, {4, 20}, {6, 8}, {FREE, 132});
    CHECK_EQ(checked_free_tags(&fx, 0, 6), 3);
    EXPECT_BLOCKS(&fx.heap, {FREE, 188});
    fixture_stop(&fx);
}

static void slack_and_everything_else_moves_along(void) {
    fixture_start(&fx, 4, 200);
    void *hole = take(5, 1);
    void *a = checked_alloc_at(&fx, 4, 80, 2, 77);
    CHECK_PTR_EQ(checked_resize(&fx, a, 9), a);
    fill(a, 9, 2);
    take(3, 3);
    give(hole);
    listener l = {0};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 2, 0, 9 + 12, true));
    expect_ask(&l, 0, 2, 11, 0, 9);
    EXPECT_BLOCKS(&fx.heap, {2, 20}, {3, 3}, {FREE, 153});
    th_heap_block block = block_tagged(&fx.heap, 2);
    CHECK_EQ(block.requested_bytes, 9);
    CHECK_EQ(block.site, 77);
    CHECK(filled(block.payload, 9, 2));
    fixture_stop(&fx);
}

/* Blocks far larger than the hole overlap their old place; every distance up to 40 dwords. */
static void overlapping_contents_survive(void) {
    static const uint32_t large[] = {7, 64, 300, 1000};
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        for (uint32_t hole_dwords = 1; hole_dwords <= 40; hole_dwords += 3) {
            fixture_start(&fx, alignment, 2000);
            void *hole = take(hole_dwords, 0);
            for (uint32_t i = 0; i < 4; i++) {
                fill(take(large[i], i + 1), (size_t)large[i] * 4, i);
            }
            give(hole);
            CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 4, 0, 1371 * 4, true));
            for (uint32_t i = 0; i < 4; i++) {
                CHECK(filled(block_tagged(&fx.heap, i + 1).payload, (size_t)large[i] * 4, i));
            }
            CHECK_EQ(stats_of(&fx.heap).free_blocks, 1);
            fixture_stop(&fx);
        }
    }
}

static void tail_blocks_stay(void) {
    fixture_start(&fx, 4, 200);
    void *hole = take(10, 1);
    take(10, 2);
    void *gap = take(10, 0x4001);
    void *low = take(10, 0x4002);
    give(hole);
    give(gap);
    listener l = {0};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 1, 0, 40, true));
    CHECK_EQ(l.count, 1);
    EXPECT_BLOCKS(&fx.heap, {2, 10}, {FREE, 140}, {0x4002, 10}, {FREE, 10});
    CHECK_PTR_EQ(block_tagged(&fx.heap, 0x4002).payload, low);
    fixture_stop(&fx);
}

/* ---- vetoes --------------------------------------------------------------------------------- */

static void a_vetoed_block_stays_and_the_pass_goes_on(void) {
    start_with_three_movable(4);
    listener l = {.veto_tags = 1u << 4};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 2, 1, 38 + 30, true));
    CHECK_EQ(l.count, 3);
    expect_ask(&l, 0, 2, 11, 0, 38);
    expect_ask(&l, 1, 4, 40, 16, 78);
    expect_ask(&l, 2, 6, 75, 66, 30);
    EXPECT_BLOCKS(&fx.heap, {2, 10}, {FREE, 18}, {4, 20}, {6, 8}, {FREE, 90}, {0x4001, 12});
    expect_contents_of_three();

    l = (listener){0};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 2, 0, 78 + 30, true));
    expect_ask(&l, 0, 4, 40, 16, 78);
    expect_ask(&l, 1, 6, 66, 42, 30);
    EXPECT_BLOCKS(&fx.heap, {2, 10}, {4, 20}, {6, 8}, {FREE, 114}, {0x4001, 12});
    expect_contents_of_three();
    fixture_stop(&fx);
}

static void vetoing_all_changes_nothing(void) {
    start_with_three_movable(4);
    listener l = {.veto_tags = UINT32_MAX};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 0, 3, 0, true));
    CHECK(same_compaction(checked_compact_some(&fx, 0, listen, &l), 0, 3, 0, true));
    CHECK_EQ(l.count, 6);
    expect_contents_of_three();
    fixture_stop(&fx);
}

/* ---- specially aligned blocks --------------------------------------------------------------- */

/* Payloads at multiples of 64 bytes: headers at 10, 26, 42, 58. A block of 30 at the bottom puts
 * the aligned one to 58 (at 42 the gap would be 6), and 16 free dwords lie between. */
static void an_aligned_block_moves_to_an_aligned_place(void) {
    fixture_start(&fx, 4, 200);
    void *bottom = take(30, 1);
    void *a = checked_alloc_at(&fx, 64, 40, 2, 3);
    fill(a, 40, 2);
    listener l = {0};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 0, 0, 0, true));
    CHECK_EQ(l.count, 0);
    EXPECT_BLOCKS(&fx.heap, {1, 30}, {FREE, 16}, {2, 10}, {FREE, 114});
    give(bottom);
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 1, 0, 40, true));
    expect_ask(&l, 0, 2, 58, 10, 40);
    EXPECT_BLOCKS(&fx.heap, {FREE, 4}, {2, 10}, {FREE, 162});
    th_heap_block block = block_tagged(&fx.heap, 2);
    CHECK_EQ((uintptr_t)block.payload % 64, 0);
    CHECK_EQ(block.alignment, 64);
    CHECK(filled(block.payload, 40, 2));
    fixture_stop(&fx);
}

/* [1][ hole ][aligned][fence][ rest ]: what the aligned block's move would vacate. */
static void start_with_aligned(size_t alignment, uint32_t first, uint32_t hole, size_t wanted,
                               uint32_t offset) {
    fixture_start(&fx, alignment, 200);
    take(first, 1);
    void *gap = take(hole, 2);
    void *a = checked_alloc_at(&fx, wanted, 16, 3, 0);
    CHECK_EQ(offset_of(&fx, a), offset);
    fill(a, 16, 3);
    take(4, 4);
    give(gap);
}

/* Units of 1: free [7, 20), an 8-aligned block at 20 could go to 18, but the 2 dwords above it
 * cannot be a block. When the block above it is free, they join that. */
static void what_is_vacated_must_become_a_block(void) {
    start_with_aligned(4, 1, 7, 8, 20);
    listener l = {0};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 0, 0, 0, true));
    CHECK_EQ(l.count, 0);
    EXPECT_BLOCKS(&fx.heap, {1, 1}, {FREE, 7}, {3, 4}, {4, 4}, {FREE, 148});
    CHECK_EQ(checked_free_tags(&fx, 4, 4), 1);
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 1, 0, 16, true));
    expect_ask(&l, 0, 3, 20, 18, 16);
    EXPECT_BLOCKS(&fx.heap, {1, 1}, {FREE, 5}, {3, 4}, {FREE, 160});
    CHECK(filled(block_tagged(&fx.heap, 3).payload, 16, 3));
    fixture_stop(&fx);
}

/* A header alone is no block either: 6 dwords above an 8-aligned block that could go from 24 to
 * 18, and with units of 4 the 8 above a 32-aligned one that could go from 32 to 24. */
static void a_header_alone_is_not_enough_for_a_block(void) {
    start_with_aligned(4, 1, 11, 8, 24);
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 0, 0, 0, true));
    EXPECT_BLOCKS(&fx.heap, {1, 1}, {FREE, 11}, {3, 4}, {4, 4}, {FREE, 144});
    start_with_aligned(16, 4, 12, 32, 32);
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 0, 0, 0, true));
    EXPECT_BLOCKS(&fx.heap, {1, 4}, {FREE, 12}, {3, 4}, {4, 4}, {FREE, 128});
    fixture_stop(&fx);
}

/* The same below LAST, which counts as a used block here. */
static void last_takes_nothing_that_is_vacated(void) {
    fixture_start(&fx, 4, 36);
    take(1, 1);
    void *gap = take(7, 2);
    void *a = checked_alloc_at(&fx, 8, 16, 3, 0);
    CHECK_EQ(offset_of(&fx, a), 20);
    give(gap);
    EXPECT_BLOCKS(&fx.heap, {1, 1}, {FREE, 7}, {3, 4});
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 0, 0, 0, true));
    fixture_stop(&fx);
}

/* Units of 2: 16-aligned headers lie at 18, 22, 26 above a free block from 8. From 22 the 4
 * vacated dwords are too few; from 26 they are 8: a header and one unit, exactly enough. */
static void a_header_and_a_unit_are_enough_for_a_block(void) {
    start_with_aligned(8, 2, 8, 16, 22);
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 0, 0, 0, true));
    EXPECT_BLOCKS(&fx.heap, {1, 2}, {FREE, 8}, {3, 4}, {4, 4}, {FREE, 146});
    start_with_aligned(8, 2, 12, 16, 26);
    listener l = {.veto_tags = 1u << 4};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 1, 1, 16, true));
    expect_ask(&l, 0, 3, 26, 18, 16);
    expect_ask(&l, 1, 4, 36, 28, 16);
    EXPECT_BLOCKS(&fx.heap, {1, 2}, {FREE, 4}, {3, 4}, {FREE, 2}, {4, 4}, {FREE, 142});
    CHECK(filled(block_tagged(&fx.heap, 3).payload, 16, 3));
    fixture_stop(&fx);
}

/* Units of 4 and a header of 8: 64-byte places at 8, 24, 40. From 40 to 24, 16 are vacated. */
static void aligned_blocks_at_alignment_16(void) {
    fixture_start(&fx, 16, 200);
    void *bottom = take(32, 1);
    void *a = checked_alloc_at(&fx, 64, 32, 2, 0);
    CHECK_EQ(offset_of(&fx, a), 40);
    fill(a, 32, 2);
    take(4, 3);
    give(bottom);
    listener l = {.veto_tags = 1u << 3};
    CHECK(same_compaction(checked_compact(&fx, listen, &l), 1, 1, 32, true));
    expect_ask(&l, 0, 2, 40, 24, 32);
    expect_ask(&l, 1, 3, 56, 40, 16);
    EXPECT_BLOCKS(&fx.heap, {FREE, 16}, {2, 8}, {FREE, 8}, {3, 4}, {FREE, 116});
    CHECK(filled(block_tagged(&fx.heap, 2).payload, 32, 2));
    fixture_stop(&fx);
}

/* ---- budgets -------------------------------------------------------------------------------- */

/* Four blocks of 100 bytes above one free block of 10 dwords: headers at 16, 47, 78, 109. */
static void start_with_four_movable(void) {
    fixture_start(&fx, 4, 200);
    void *hole = take(10, 0);
    for (uint32_t i = 1; i <= 4; i++) {
        fill(take(25, i), 100, i);
    }
    give(hole);
}

static void expect_four_at_the_bottom(void) {
    EXPECT_BLOCKS(&fx.heap, {1, 25}, {2, 25}, {3, 25}, {4, 25}, {FREE, 64});
    for (uint32_t i = 1; i <= 4; i++) {
        CHECK(filled(block_tagged(&fx.heap, i).payload, 100, i));
    }
}

static void one_block_moves_whatever_the_budget(void) {
    start_with_four_movable();
    listener l = {0};
    CHECK(same_compaction(checked_compact_some(&fx, 0, listen, &l), 1, 0, 100, false));
    CHECK_EQ(l.count, 1);
    EXPECT_BLOCKS(&fx.heap, {1, 25}, {FREE, 10}, {2, 25}, {3, 25}, {4, 25}, {FREE, 48});
    CHECK(same_compaction(checked_compact_some(&fx, 1, listen, &l), 1, 0, 100, false));
    CHECK(same_compaction(checked_compact_some(&fx, 99, listen, &l), 1, 0, 100, false));
    EXPECT_BLOCKS(&fx.heap, {1, 25}, {2, 25}, {3, 25}, {FREE, 10}, {4, 25}, {FREE, 48});
    CHECK(same_compaction(checked_compact_some(&fx, 199, listen, &l), 1, 0, 100, true));
    CHECK_EQ(l.count, 4);
    expect_ask(&l, 3, 4, 109, 93, 100);
    expect_four_at_the_bottom();
    CHECK(same_compaction(checked_compact_some(&fx, 0, listen, &l), 0, 0, 0, true));
    fixture_stop(&fx);
}

static void budgets_are_exact(void) {
    start_with_four_movable();
    listener l = {0};
    CHECK(same_compaction(checked_compact_some(&fx, 199, listen, &l), 1, 0, 100, false));
    CHECK(same_compaction(checked_compact_some(&fx, 200, listen, &l), 2, 0, 200, false));
    CHECK(same_compaction(checked_compact_some(&fx, 200, listen, &l), 1, 0, 100, true));
    CHECK_EQ(l.count, 4);
    expect_four_at_the_bottom();
    start_with_four_movable();
    CHECK(same_compaction(checked_compact_some(&fx, 399, NULL, NULL), 3, 0, 300, false));
    start_with_four_movable();
    CHECK(same_compaction(checked_compact_some(&fx, 400, NULL, NULL), 4, 0, 400, true));
    start_with_four_movable();
    CHECK(same_compaction(checked_compact_some(&fx, SIZE_MAX, NULL, NULL), 4, 0, 400, true));
    expect_four_at_the_bottom();
    fixture_stop(&fx);
}

/* The bytes requested count, not the block's size. */
static void budgets_count_requested_bytes(void) {
    start_with_four_movable();
    for (uint32_t i = 1; i <= 4; i++) {
        void *block = block_tagged(&fx.heap, i).payload;
        CHECK_PTR_EQ(checked_resize(&fx, block, 10), block);
    }
    CHECK(same_compaction(checked_compact_some(&fx, 29, NULL, NULL), 2, 0, 20, false));
    CHECK(same_compaction(checked_compact_some(&fx, 20, NULL, NULL), 2, 0, 20, true));
    EXPECT_BLOCKS(&fx.heap, {1, 25}, {2, 25}, {3, 25}, {4, 25}, {FREE, 64});
    fixture_stop(&fx);
}

/* Blocks that the budget stops are not asked about; vetoes cost nothing. */
static void vetoes_use_no_budget(void) {
    start_with_four_movable();
    listener l = {.veto_tags = 1u << 1};
    CHECK(same_compaction(checked_compact_some(&fx, 0, listen, &l), 0, 1, 0, true));
    CHECK_EQ(l.count, 1);

    start_with_three_movable(4);
    l = (listener){.veto_tags = 1u << 2};
    CHECK(same_compaction(checked_compact_some(&fx, 78, listen, &l), 1, 1, 78, false));
    CHECK_EQ(l.count, 2);
    CHECK(same_compaction(checked_compact_some(&fx, 0, listen, &l), 1, 0, 30, true));
    CHECK_EQ(l.count, 3);
    EXPECT_BLOCKS(&fx.heap, {FREE, 5}, {2, 10}, {4, 20}, {6, 8}, {FREE, 103}, {0x4001, 12});
    fixture_stop(&fx);
}

static void a_whole_pass_starts_at_the_bottom(void) {
    start_with_four_movable();
    CHECK(!checked_compact_some(&fx, 100, NULL, NULL).done);
    CHECK(!checked_compact_some(&fx, 100, NULL, NULL).done);
    give(block_tagged(&fx.heap, 1).payload);
    CHECK(same_compaction(checked_compact(&fx, NULL, NULL), 3, 0, 300, true));
    EXPECT_BLOCKS(&fx.heap, {2, 25}, {3, 25}, {4, 25}, {FREE, 95});
    fixture_stop(&fx);
}

/* Between two steps the heap is ordinary. The pass goes on at the offset where it stopped: the
 * hole that opens below waits for the next pass. */
static void the_heap_may_be_used_between_steps(void) {
    start_with_four_movable();
    CHECK(!checked_compact_some(&fx, 100, NULL, NULL).done);
    CHECK(!checked_compact_some(&fx, 100, NULL, NULL).done);
    EXPECT_BLOCKS(&fx.heap, {1, 25}, {2, 25}, {FREE, 10}, {3, 25}, {4, 25}, {FREE, 48});
    give(block_tagged(&fx.heap, 1).payload);
    void *small = take(4, 5);
    fill(small, 16, 5);
    CHECK_EQ(offset_of(&fx, small), 0);
    listener l = {0};
    CHECK(same_compaction(checked_compact_some(&fx, 1000, listen, &l), 2, 0, 200, true));
    expect_ask(&l, 0, 3, 78, 62, 100);
    EXPECT_BLOCKS(&fx.heap, {5, 4}, {FREE, 15}, {2, 25}, {3, 25}, {4, 25}, {FREE, 64});
    CHECK(same_compaction(checked_compact_some(&fx, 1000, listen, &l), 3, 0, 300, true));
    EXPECT_BLOCKS(&fx.heap, {5, 4}, {2, 25}, {3, 25}, {4, 25}, {FREE, 85});
    CHECK(filled(small, 16, 5));
    fixture_stop(&fx);
}

/* The block at which the pass stopped may be gone: the next block above that offset goes on. */
static void the_block_to_resume_at_may_be_gone(void) {
    start_with_four_movable();
    CHECK(!checked_compact_some(&fx, 100, NULL, NULL).done);
    give(block_tagged(&fx.heap, 2).payload);
    listener l = {0};
    CHECK(same_compaction(checked_compact_some(&fx, 100, listen, &l), 1, 0, 100, false));
    expect_ask(&l, 0, 3, 78, 31, 100);
    CHECK_EQ(checked_free_tags(&fx, 0, 0x7FFE), 3);
    CHECK(same_compaction(checked_compact_some(&fx, 100, listen, &l), 0, 0, 0, true));
    EXPECT_BLOCKS(&fx.heap, {FREE, 188});
    fixture_stop(&fx);
}

TH_SUITE("heap_compact", TEST(nothing_to_do), TEST(slides_everything_down_lowest_first),
         TEST(slides_at_other_alignments), TEST(the_whole_region_becomes_one_block),
         TEST(slack_and_everything_else_moves_along), TEST(overlapping_contents_survive),
         TEST(tail_blocks_stay), TEST(a_vetoed_block_stays_and_the_pass_goes_on),
         TEST(vetoing_all_changes_nothing), TEST(an_aligned_block_moves_to_an_aligned_place),
         TEST(what_is_vacated_must_become_a_block), TEST(a_header_alone_is_not_enough_for_a_block),
         TEST(last_takes_nothing_that_is_vacated), TEST(a_header_and_a_unit_are_enough_for_a_block),
         TEST(aligned_blocks_at_alignment_16), TEST(one_block_moves_whatever_the_budget),
         TEST(budgets_are_exact), TEST(budgets_count_requested_bytes), TEST(vetoes_use_no_budget),
         TEST(a_whole_pass_starts_at_the_bottom), TEST(the_heap_may_be_used_between_steps),
         TEST(the_block_to_resume_at_may_be_gone))
