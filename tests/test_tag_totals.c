/* SPDX-License-Identifier: MIT */
/* Totals by tag, fed with events by hand. test_event.c feeds them from a heap. */
#include <string.h>

#include "suite.h"
#include "tagheap/tag_totals.h"

static th_tag_total rows[3];
static th_tag_totals totals;
static char place[2];

static void start(size_t rows_max) {
    CHECK_EQ(th_tag_totals_init(&totals, rows, rows_max), TH_OK);
}

static void tell(th_event_kind kind, uint32_t tag, uint32_t old_tag, size_t bytes,
                 size_t old_bytes) {
    const th_event event = {.kind = kind,
                            .tag = tag,
                            .old_tag = old_tag,
                            .address = &place[0],
                            .old_address = &place[1],
                            .bytes = bytes,
                            .old_bytes = old_bytes};
    th_tag_totals_on_event(&totals, &event);
    CHECK_EQ(th_tag_totals_check(&totals, NULL), TH_OK);
}

static void alloc(uint32_t tag, size_t bytes) {
    tell(TH_EVENT_ALLOC, tag, tag, bytes, 0);
}

static void give(uint32_t tag, size_t bytes) {
    tell(TH_EVENT_FREE, tag, tag, 0, bytes);
}

static void expect_row(th_tag_total found, th_tag_total due) {
    CHECK_EQ(found.tag, due.tag);
    CHECK_EQ(found.live_bytes, due.live_bytes);
    CHECK_EQ(found.peak_bytes, due.peak_bytes);
    CHECK_EQ(found.live_blocks, due.live_blocks);
    CHECK_EQ(found.peak_blocks, due.peak_blocks);
    CHECK_EQ(found.allocs, due.allocs);
    CHECK_EQ(found.frees, due.frees);
    CHECK_EQ(found.resizes, due.resizes);
    CHECK_EQ(found.moves, due.moves);
    CHECK_EQ(found.failures, due.failures);
}

#define EXPECT_ROW(found, ...) expect_row(found, (th_tag_total){__VA_ARGS__})

static th_tag_total over_all(void) {
    th_tag_totals_stats s = th_tag_totals_get_stats(&totals);
    return (th_tag_total){0,        s.live_bytes, s.peak_bytes, s.live_blocks, s.peak_blocks,
                          s.allocs, s.frees,      s.resizes,    s.moves,       s.failures};
}

static void each_tag_has_its_own_totals_and_peaks(void) {
    start(3);
    alloc(5, 100);
    alloc(5, 50);
    give(5, 100);
    alloc(2, 30);
    tell(TH_EVENT_RESIZE, 5, 5, 80, 50);
    tell(TH_EVENT_RESIZE, 5, 5, 20, 80);
    tell(TH_EVENT_MOVE, 2, 2, 30, 30);
    tell(TH_EVENT_FAIL, 9, 9, 1000, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 5), 5, 20, 150, 1, 2, 2, 1, 2, 0, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 2), 2, 30, 30, 1, 1, 1, 0, 0, 1, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 9), 9, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    EXPECT_ROW(over_all(), 0, 50, 150, 2, 2, 3, 1, 2, 1, 1);
    tell(TH_EVENT_RESIZE, 5, 5, 300, 20);
    EXPECT_ROW(th_tag_totals_find(&totals, 5), 5, 300, 300, 1, 2, 2, 1, 3, 0, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 6), 0);
}

static void rows_are_in_the_order_of_tags(void) {
    start(3);
    CHECK(th_tag_totals_row(&totals, 0) == NULL);
    alloc(0x4001, 1);
    alloc(0, 2);
    alloc(7, 3);
    CHECK_EQ(th_tag_totals_get_stats(&totals).tags, 3);
    CHECK_EQ(th_tag_totals_row(&totals, 0)->tag, 0);
    CHECK_EQ(th_tag_totals_row(&totals, 1)->tag, 7);
    CHECK_EQ(th_tag_totals_row(&totals, 1)->live_bytes, 3);
    CHECK_EQ(th_tag_totals_row(&totals, 2)->tag, 0x4001);
    CHECK(th_tag_totals_row(&totals, 3) == NULL);
}

static void tags_without_a_row_are_counted_together(void) {
    start(2);
    alloc(1, 10);
    alloc(2, 10);
    alloc(3, 10);
    alloc(0, 20);
    give(3, 10);
    EXPECT_ROW(th_tag_totals_others(&totals), 0, 20, 30, 1, 2, 2, 1, 0, 0, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 3), 0);
    EXPECT_ROW(over_all(), 0, 40, 50, 3, 4, 4, 1, 0, 0, 0);
}

static void a_retagged_block_goes_from_one_row_to_the_other(void) {
    start(3);
    alloc(1, 10);
    tell(TH_EVENT_RETAG, 2, 1, 10, 10);
    EXPECT_ROW(th_tag_totals_find(&totals, 1), 1, 0, 10, 0, 1, 1, 1, 0, 0, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 2), 2, 10, 10, 1, 1, 1, 0, 0, 0, 0);
    EXPECT_ROW(over_all(), 0, 10, 10, 1, 1, 1, 0, 0, 0, 0);
}

/* As a tracker grows blocks on behalf of others. Other kinds' old tags mean nothing. */
static void so_does_a_block_resized_for_another_tag(void) {
    start(3);
    alloc(1, 10);
    tell(TH_EVENT_RESIZE, 2, 1, 30, 10);
    EXPECT_ROW(th_tag_totals_find(&totals, 1), 1, 0, 10, 0, 1, 1, 1, 0, 0, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 2), 2, 30, 30, 1, 1, 1, 0, 1, 0, 0);
    EXPECT_ROW(over_all(), 0, 30, 30, 1, 1, 1, 0, 1, 0, 0);
    tell(TH_EVENT_FAIL, 3, 2, 30, 10);
    EXPECT_ROW(th_tag_totals_find(&totals, 2), 2, 30, 30, 1, 1, 1, 0, 1, 0, 0);
}

static void blocks_that_were_never_seen_count_nothing_out(void) {
    start(2);
    alloc(1, 10);
    give(2, 5);
    give(1, 30);
    EXPECT_ROW(th_tag_totals_find(&totals, 1), 1, 0, 10, 0, 1, 1, 1, 0, 0, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 2), 2, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    tell(TH_EVENT_RETAG, 1, 2, 7, 7);
    EXPECT_ROW(over_all(), 0, 7, 10, 1, 1, 1, 2, 0, 0, 0);
}

static void a_reset_empties_all_rows(void) {
    start(1);
    alloc(1, 10);
    alloc(2, 20);
    tell(TH_EVENT_RESET, 0, 0, 0, 0);
    EXPECT_ROW(th_tag_totals_find(&totals, 1), 1, 0, 10, 0, 1, 1, 1, 0, 0, 0);
    EXPECT_ROW(th_tag_totals_others(&totals), 0, 0, 20, 0, 1, 1, 1, 0, 0, 0);
    EXPECT_ROW(over_all(), 0, 0, 30, 0, 2, 2, 2, 0, 0, 0);
    CHECK_EQ(th_tag_totals_reset(&totals), TH_OK);
    EXPECT_ROW(over_all(), 0);
    EXPECT_ROW(th_tag_totals_others(&totals), 0);
    CHECK_EQ(th_tag_totals_get_stats(&totals).tags, 0);
}

static unsigned forwarded;

static void note_forwarded(void *context, const th_event *event) {
    CHECK_PTR_EQ(context, place);
    CHECK_EQ(th_tag_totals_find(&totals, event->tag).live_bytes, event->bytes);
    forwarded++;
}

static void events_go_on_to_the_next_one(void) {
    start(2);
    forwarded = 0;
    CHECK_EQ(th_tag_totals_forward(&totals, note_forwarded, place), TH_OK);
    alloc(1, 10);
    CHECK_EQ(th_tag_totals_reset(&totals), TH_OK);
    alloc(1, 20);
    CHECK_EQ(forwarded, 2);
    CHECK_EQ(th_tag_totals_forward(&totals, NULL, NULL), TH_OK);
    alloc(2, 10);
    CHECK_EQ(forwarded, 2);
    tell((th_event_kind)99, 1, 1, 5, 5);
    EXPECT_ROW(over_all(), 0, 30, 30, 2, 2, 2, 0, 0, 0, 0);
}

static void bad_starts_change_nothing(void) {
    start(2);
    alloc(1, 10);
    CHECK_EQ(th_tag_totals_init(NULL, rows, 2), TH_ERR_NULL);
    CHECK_EQ(th_tag_totals_init(&totals, NULL, 2), TH_ERR_NULL);
    CHECK_EQ(th_tag_totals_init(&totals, rows, 0), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_tag_totals_find(&totals, 1).live_bytes, 10);
    th_tag_totals_clean_up(&totals);
    CHECK(totals.rows == NULL);
}

static void expect_wrong(size_t row, uint32_t expected, uint32_t found) {
    th_fault fault;
    CHECK_EQ(th_tag_totals_check(&totals, NULL), TH_ERR_CORRUPT);
    CHECK_EQ(th_tag_totals_check(&totals, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    CHECK_EQ(fault.block, row);
    CHECK_EQ(fault.expected, expected);
    CHECK_EQ(fault.found, found);
}

static void the_checker_names_what_is_wrong(void) {
    start(3);
    alloc(1, 10);
    alloc(2, 20);
    const th_tag_total kept[2] = {rows[0], rows[1]};
    rows[1].tag = 1;
    expect_wrong(1, 2, 1);
    rows[1] = kept[1];
    rows[0].peak_bytes = 9;
    expect_wrong(0, 10, 9);
    rows[0] = kept[0];
    rows[1].peak_blocks = 0;
    expect_wrong(1, 1, 0);
    rows[1] = kept[1];
    const th_tag_total all = totals.all;
    totals.all.live_bytes = 31;
    expect_wrong(TH_FAULT_NOWHERE, 30, 31);
    totals.all = all;
    totals.all.live_blocks = 3;
    expect_wrong(TH_FAULT_NOWHERE, 2, 3);
    totals.all = all;
    totals.all.resizes = 3;
    expect_wrong(TH_FAULT_NOWHERE, 0, 3);
    totals.all = all;
    totals.all.moves = 4;
    expect_wrong(TH_FAULT_NOWHERE, 0, 4);
    totals.all = all;
    totals.all.failures = 5;
    expect_wrong(TH_FAULT_NOWHERE, 0, 5);
    totals.all = all;
    th_fault fault;
    CHECK_EQ(th_tag_totals_check(&totals, &fault), TH_OK);
    CHECK_EQ(fault.kind, TH_FAULT_NONE);
}

TH_SUITE("tag_totals", TEST(each_tag_has_its_own_totals_and_peaks),
         TEST(rows_are_in_the_order_of_tags), TEST(tags_without_a_row_are_counted_together),
         TEST(a_retagged_block_goes_from_one_row_to_the_other),
         TEST(so_does_a_block_resized_for_another_tag),
         TEST(blocks_that_were_never_seen_count_nothing_out), TEST(a_reset_empties_all_rows),
         TEST(events_go_on_to_the_next_one), TEST(bad_starts_change_nothing),
         TEST(the_checker_names_what_is_wrong))
