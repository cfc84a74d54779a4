/* SPDX-License-Identifier: MIT */
/* Questions about a heap: the walk, the owner of an address, sizes, and every statistic against
 * numbers worked out by hand. Offsets and sizes are dwords unless they end in bytes. */
#include <string.h>

#include "heap/check.h"
#include "heap_fixture.h"

static fixture fx;

static void *take(uint32_t dwords, uint32_t tag) {
    void *pointer = checked_alloc(&fx, (size_t)dwords * 4, tag);
    CHECK(pointer != NULL);
    return pointer;
}

/* HEAD 1 and 3 with a hole between them, TAIL 0x4003 and 0x4001 with a hole between them. */
static void start_with_both_sides(void) {
    fixture_start(&fx, 4, 200);
    take(10, 1);
    void *head_hole = take(20, 2);
    take(5, 3);
    take(8, 0x4001);
    void *tail_hole = take(4, 0x4002);
    take(6, 0x4003);
    CHECK_EQ(checked_free(&fx, head_hole), 80);
    CHECK_EQ(checked_free(&fx, tail_hole), 16);
    EXPECT_BLOCKS(&fx.heap, {1, 10}, {FREE, 20}, {3, 5}, {FREE, 99}, {0x4003, 6}, {FREE, 4},
                  {0x4001, 8});
}

/* ---- the walk ------------------------------------------------------------------------------- */

static void expect_walked(const th_heap_block *block, uint32_t offset, uint32_t next, uint32_t size,
                          uint32_t tag) {
    CHECK_EQ(block->offset, offset);
    CHECK_EQ(block->next_offset, next);
    CHECK_EQ(block->size_dwords, size);
    CHECK_EQ(block->tag, tag);
    CHECK_PTR_EQ(block->payload, fx.region + (size_t)(offset + 6) * 4);
}

static void the_walk_shows_every_block_once(void) {
    static const uint32_t offsets[] = {0, 16, 42, 53, 158, 170, 180, 194};
    static const uint32_t sizes[] = {10, 20, 5, 99, 6, 4, 8, 0};
    static const uint32_t tags[] = {1, FREE, 3, FREE, 0x4003, FREE, 0x4001, FREE};
    start_with_both_sides();
    th_heap_block block;
    CHECK(th_heap_first(&fx.heap, &block));
    for (size_t i = 0; i < 8; i++) {
        expect_walked(&block, offsets[i], i == 7 ? 0 : offsets[i + 1], sizes[i], tags[i]);
        CHECK_EQ(block.requested_bytes, tags[i] == FREE ? 0 : sizes[i] * 4);
        CHECK_EQ(block.alignment, 4);
        CHECK_EQ(block.site, 0);
        CHECK_EQ(th_heap_next(&fx.heap, &block), i < 7);
    }
    fixture_stop(&fx);
}

static void the_walk_shows_what_the_caller_said(void) {
    fixture_start(&fx, 4, 300);
    void *a = checked_alloc_at(&fx, 32, 13, 0x1234, 77);
    void *b = checked_alloc_at(&fx, 256, 1, 0x7001, 0xDEADBEEF);
    th_heap_block block = block_tagged(&fx.heap, 0x1234);
    CHECK_PTR_EQ(block.payload, a);
    CHECK_EQ(block.requested_bytes, 13);
    CHECK_EQ(block.size_dwords, 4);
    CHECK_EQ(block.alignment, 32);
    CHECK_EQ(block.site, 77);
    block = block_tagged(&fx.heap, 0x7001);
    CHECK_PTR_EQ(block.payload, b);
    CHECK_EQ(block.requested_bytes, 1);
    CHECK_EQ(block.alignment, 256);
    CHECK_EQ(block.site, 0xDEADBEEF);
    fixture_stop(&fx);
}

/* ---- the owner of an address ---------------------------------------------------------------- */

static void every_byte_of_a_heap_has_an_owner(void) {
    start_with_both_sides();
    remember_blocks(&fx);
    size_t owner = 0;
    for (size_t i = 0; i < 800; i++) {
        if (owner + 1 < fx.blocks_before && i >= (size_t)fx.snapshot[owner + 1].offset * 4) {
            owner++;
        }
        th_heap_block block;
        CHECK(th_heap_find(&fx.heap, fx.region + i, &block));
        CHECK_EQ(block.offset, fx.snapshot[owner].offset);
        CHECK_EQ(block.tag, fx.snapshot[owner].tag);
        CHECK_EQ(block.size_dwords, fx.snapshot[owner].size_dwords);
        CHECK_PTR_EQ(block.payload, fx.snapshot[owner].payload);
    }
    CHECK_EQ(owner, 7);
    fixture_stop(&fx);
}

/* Unused bytes beyond the alignment belong to no block either. */
static void addresses_outside_have_no_owner(void) {
    th_heap_config config = {.alignment = 16};
    fixture_start_with(&fx, 64, 815, &config);
    static const th_heap_block untouched = {.offset = 4711, .tag = 42};
    const unsigned char *outside[] = {
        fx.region - 1,   fx.region - 64, fx.region + 800,          fx.region + 814,
        fx.region + 815, NULL,           (unsigned char *)&fx.heap};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        th_heap_block block = untouched;
        CHECK(!th_heap_find(&fx.heap, outside[i], &block));
        CHECK(block.offset == 4711 && block.tag == 42 && block.payload == NULL);
    }
    th_heap_block block;
    CHECK(th_heap_find(&fx.heap, fx.region, &block));
    CHECK_EQ(block.offset, 0);
    CHECK(th_heap_find(&fx.heap, fx.region + 799, &block));
    CHECK_EQ(block.offset, 192);
    CHECK_EQ(block.next_offset, 0);
    fixture_stop(&fx);
}

static void an_interior_pointer_leads_to_its_payload(void) {
    start_with_both_sides();
    unsigned char *payload = block_tagged(&fx.heap, 3).payload;
    for (size_t i = 0; i < 20; i++) {
        th_heap_block block;
        CHECK(th_heap_find(&fx.heap, payload + i, &block));
        CHECK_PTR_EQ(block.payload, payload);
        CHECK_EQ((size_t)(payload + i - (unsigned char *)block.payload), i);
    }
    th_heap_block block;
    CHECK(th_heap_find(&fx.heap, payload + 20, &block));
    CHECK_EQ(block.tag, FREE);
    CHECK(th_heap_find(&fx.heap, payload - 24, &block));
    CHECK_EQ(block.tag, 3);
    CHECK(th_heap_find(&fx.heap, payload - 25, &block));
    CHECK_EQ(block.tag, FREE);
    fixture_stop(&fx);
}

/* ---- sizes and statistics ------------------------------------------------------------------- */

static void sizes_of_a_payload(void) {
    fixture_start(&fx, 8, 62);
    void *a = checked_alloc(&fx, 41 * 4 + 1, 1);
    CHECK_EQ(th_heap_requested_size(&fx.heap, a), 165);
    CHECK_EQ(th_heap_usable_size(&fx.heap, a), 200);
    CHECK_PTR_EQ(checked_resize(&fx, a, 3), a);
    CHECK_EQ(th_heap_requested_size(&fx.heap, a), 3);
    CHECK_EQ(th_heap_usable_size(&fx.heap, a), 200);
    CHECK_EQ(th_heap_requested_size(&fx.heap, NULL), 0);
    CHECK_EQ(th_heap_usable_size(&fx.heap, NULL), 0);
    fixture_stop(&fx);
}

static void statistics_of_a_fresh_heap(void) {
    fixture_start(&fx, 16, 200);
    th_heap_stats stats = stats_of(&fx.heap);
    CHECK_EQ(stats.region_bytes, 800);
    CHECK_EQ(stats.used_bytes, 0);
    CHECK_EQ(stats.high_water_bytes, 0);
    CHECK_EQ(stats.head_bytes, 0);
    CHECK_EQ(stats.tail_bytes, 0);
    CHECK_EQ(stats.free_bytes, 736);
    CHECK_EQ(stats.free_head_bytes, 736);
    CHECK_EQ(stats.largest_free_bytes, 736);
    CHECK_EQ(stats.head_blocks, 0);
    CHECK_EQ(stats.tail_blocks, 0);
    CHECK_EQ(stats.free_blocks, 1);
    CHECK_EQ(stats.failed_allocs, 0);
    fixture_stop(&fx);
}

/* Six blocks of 53 dwords and six headers lived at once, two of which (24 and two headers) are
 * gone: 89 at most, 53 now. */
static void statistics_of_both_sides(void) {
    start_with_both_sides();
    th_heap_stats stats = stats_of(&fx.heap);
    CHECK_EQ(stats.region_bytes, 800);
    CHECK_EQ(stats.used_bytes, 53 * 4);
    CHECK_EQ(stats.high_water_bytes, 89 * 4);
    CHECK_EQ(stats.head_bytes, 15 * 4);
    CHECK_EQ(stats.tail_bytes, 14 * 4);
    CHECK_EQ(stats.free_bytes, 123 * 4);
    CHECK_EQ(stats.free_head_bytes, 119 * 4);
    CHECK_EQ(stats.largest_free_bytes, 99 * 4);
    CHECK_EQ(stats.head_blocks, 2);
    CHECK_EQ(stats.tail_blocks, 2);
    CHECK_EQ(stats.free_blocks, 3);
    CHECK_EQ(stats.failed_allocs, 0);
    CHECK_EQ(th_heap_free_head_bytes(&fx.heap), 119 * 4);
    CHECK_EQ(th_heap_largest_free_bytes(&fx.heap), 99 * 4);
    fixture_stop(&fx);
}

/* With no TAIL block every free block is below the TAIL side. */
static void free_head_ends_at_the_lowest_tail_block(void) {
    fixture_start(&fx, 4, 112);
    take(10, 1);
    CHECK_EQ(th_heap_free_head_bytes(&fx.heap), 84 * 4);
    void *high = take(10, 0x4001);
    CHECK_EQ(th_heap_free_head_bytes(&fx.heap), 68 * 4);
    void *low = take(10, 0x4002);
    CHECK_EQ(checked_free(&fx, high), 40);
    CHECK_EQ(th_heap_free_head_bytes(&fx.heap), 52 * 4);
    CHECK_EQ(stats_of(&fx.heap).free_bytes, 62 * 4);
    CHECK_EQ(checked_free(&fx, low), 40 + 48);
    CHECK_EQ(th_heap_free_head_bytes(&fx.heap), 84 * 4);
    take(84, 0x4003);
    CHECK_EQ(th_heap_free_head_bytes(&fx.heap), 0);
    CHECK_EQ(th_heap_largest_free_bytes(&fx.heap), 0);
    fixture_stop(&fx);
}

static void high_water_never_falls(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(30, 1);
    void *b = take(40, 0x4001);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 82 * 4);
    CHECK_EQ(checked_free(&fx, b), 160 + 24);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 82 * 4);
    CHECK_PTR_EQ(checked_resize(&fx, a, 75 * 4), a);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 82 * 4);
    CHECK_PTR_EQ(checked_resize(&fx, a, 77 * 4), a);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 83 * 4);
    CHECK_EQ(checked_free_tags(&fx, 0, 0x7FFE), 1);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 83 * 4);
    CHECK_EQ(stats_of(&fx.heap).used_bytes, 0);
    fixture_stop(&fx);
}

/* Slack is used memory. */
static void high_water_counts_slack(void) {
    fixture_start(&fx, 4, 62);
    void *a = take(41, 1);
    CHECK_EQ(stats_of(&fx.heap).high_water_bytes, 56 * 4);
    CHECK_EQ(checked_free(&fx, a), 200);
    a = take(30, 1);
    CHECK_PTR_EQ(checked_resize(&fx, a, 45 * 4), a);
    CHECK_EQ(stats_of(&fx.heap).used_bytes, 56 * 4);
    CHECK_EQ(checked_trim(&fx, a), 0);
    CHECK_EQ(stats_of(&fx.heap).used_bytes, 56 * 4);
    fixture_stop(&fx);
}

static void failures_are_counted_one_by_one(void) {
    fixture_start(&fx, 4, 112);
    void *a = take(50, 1);
    CHECK(checked_alloc(&fx, 400, 1) == NULL);
    CHECK(checked_alloc(&fx, 400, 0x4001) == NULL);
    CHECK(checked_alloc_at(&fx, 4096, 4, 1, 1) == NULL);
    CHECK(checked_resize(&fx, a, 800) == NULL);
    CHECK(checked_alloc(&fx, 0, 1) == NULL);
    CHECK(checked_resize(&fx, NULL, 800) == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 4);
    CHECK_EQ(checked_free(&fx, a), 200 + 24);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 4);
    fixture_stop(&fx);
}

static void the_checker_wants_a_heap(void) {
    th_fault fault;
    CHECK_EQ(th_heap_check(NULL, NULL), TH_ERR_NULL);
    CHECK_EQ(th_heap_check(NULL, &fault), TH_ERR_NULL);
    start_with_both_sides();
    CHECK_EQ(th_heap_check(&fx.heap, NULL), TH_OK);
    fixture_stop(&fx);
}

/* All that is counted is counted anew; and memory that live blocks lie in has been used, whatever
 * is said of it, while no more is said to be unused. */
static void a_recount_brings_all_counters_into_line(void) {
    start_with_both_sides();
    th_heap *heap = &fx.heap;
    const th_heap sound = *heap;
    for (unsigned forgotten = 0; forgotten < 2; forgotten++) {
        heap->head_blocks = heap->tail_blocks = heap->free_blocks = heap->high_free_blocks = 77;
        heap->head_dwords = heap->tail_dwords = heap->first_tail = heap->middle = 78;
        heap->live_sum++;
        heap->low_used = forgotten != 0 ? 0 : sound.low_used;
        heap->high_used = forgotten != 0 ? sound.last : sound.high_used;
        th_fault fault;
        CHECK(th_check_recount(heap, &fault));
        CHECK_EQ(heap->head_blocks, sound.head_blocks);
        CHECK_EQ(heap->tail_blocks, sound.tail_blocks);
        CHECK_EQ(heap->free_blocks, sound.free_blocks);
        CHECK_EQ(heap->high_free_blocks, sound.high_free_blocks);
        CHECK_EQ(heap->head_dwords, sound.head_dwords);
        CHECK_EQ(heap->tail_dwords, sound.tail_dwords);
        CHECK_EQ(heap->first_tail, sound.first_tail);
        CHECK_EQ(heap->middle, sound.middle);
        CHECK_EQ(heap->low_used, sound.low_used);
        CHECK_EQ(heap->high_used, sound.high_used);
        CHECK_EQ(heap->live_sum, sound.live_sum);
    }
    *heap = sound;
    fixture_stop(&fx);
}

TH_SUITE("heap_query", TEST(the_walk_shows_every_block_once),
         TEST(the_walk_shows_what_the_caller_said), TEST(every_byte_of_a_heap_has_an_owner),
         TEST(addresses_outside_have_no_owner), TEST(an_interior_pointer_leads_to_its_payload),
         TEST(sizes_of_a_payload), TEST(statistics_of_a_fresh_heap), TEST(statistics_of_both_sides),
         TEST(free_head_ends_at_the_lowest_tail_block), TEST(high_water_never_falls),
         TEST(high_water_counts_slack), TEST(failures_are_counted_one_by_one),
         TEST(a_recount_brings_all_counters_into_line), TEST(the_checker_wants_a_heap))
