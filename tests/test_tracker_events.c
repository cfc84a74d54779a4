/* SPDX-License-Identifier: MIT */
/* The tracker as the event hook of any allocator. */
#include <string.h>

#include "tagheap/heap.h"
#include "tagheap/tag_totals.h"
#include "tracker_fixture.h"

enum { EVENTS_MAX = 16 };

static th_event told[EVENTS_MAX];
static size_t told_count;

static void log_event(void *context, const th_event *event) {
    CHECK(context == told && told_count < EVENTS_MAX);
    told[told_count++] = *event;
    CHECK_EQ(th_tracker_check(&tracker, NULL), TH_OK); /* whole, and may be asked */
}

static void start_watched(int level, th_event_fn on_event, void *context) {
    th_tracker_config config = tracker_config_at(level);
    config.on_event = on_event;
    config.event_context = context;
    told_count = 0;
    tracker_start(&config);
}

/* The next event is this one, and no further. */
static void expect_told(th_event due) {
    CHECK_EQ(told_count, 1);
    told_count = 0;
    CHECK_EQ(told[0].kind, due.kind);
    CHECK_EQ(told[0].tag, due.tag);
    CHECK_EQ(told[0].old_tag, due.old_tag);
    CHECK_EQ(told[0].site, due.site);
    CHECK_PTR_EQ(told[0].address, due.address);
    CHECK_PTR_EQ(told[0].old_address, due.old_address);
    CHECK_EQ(told[0].bytes, due.bytes);
    CHECK_EQ(told[0].old_bytes, due.old_bytes);
}

#define FROM(its_line, its_tag) .site = its_line, .tag = its_tag, .old_tag = its_tag

static void watch(int level) {
    start_watched(level, log_event, told);
    th_tracker_view view = {&tracker, th_tracker_line("a.c", 12, 7)};
    th_allocator a = th_tracker_view_allocator(&view);
    const th_tracker_origin grown = th_tracker_line("a.c", 13, 8);
    void *x = th_allocator_alloc(a, 70);
    expect_told((th_event){.kind = TH_EVENT_ALLOC, .address = x, .bytes = 70, FROM(12, 7)});
    CHECK(th_allocator_resize_in_place(a, x, 60));
    expect_told((th_event){.kind = TH_EVENT_RESIZE,
                           .address = x,
                           .old_address = x,
                           .bytes = 60,
                           .old_bytes = 70,
                           FROM(12, 7)});
    void *y = th_tracker_realloc_from(&tracker, x, 60, 900, 16, grown);
    CHECK(y != x);
    expect_told((th_event){.kind = TH_EVENT_RESIZE,
                           .address = y,
                           .old_address = x,
                           .bytes = 900,
                           .old_bytes = 60,
                           .site = 13,
                           .tag = 8,
                           .old_tag = 7});
    tracker_memory.left = 0;
    CHECK(th_allocator_alloc(a, 100000) == NULL);
    expect_told((th_event){.kind = TH_EVENT_FAIL, .bytes = 100000, FROM(12, 7)});
    CHECK(th_tracker_realloc_from(&tracker, y, 900, 100000, 16, grown) == NULL);
    expect_told((th_event){
        .kind = TH_EVENT_FAIL, .old_address = y, .bytes = 100000, .old_bytes = 900, FROM(13, 8)});
    tracker_memory.left = SIZE_MAX;
    th_allocator_free(a, y);
    expect_told((th_event){.kind = TH_EVENT_FREE, .old_address = y, .old_bytes = 900, FROM(13, 8)});
    CHECK_EQ(th_allocator_reset(a), TH_OK);
    expect_told((th_event){.kind = TH_EVENT_RESET});
    CHECK(th_tracker_note_alloc(&tracker, tracker_nobodys, 5, grown));
    expect_told(
        (th_event){.kind = TH_EVENT_ALLOC, .address = tracker_nobodys, .bytes = 5, FROM(13, 8)});
    CHECK(th_tracker_note_free(&tracker, tracker_nobodys));
    CHECK_EQ(told_count, 1);
    tracker_stop();
}

static void any_allocator_is_watched(void) {
    at_levels(0, watch);
}

/* What finds no memory for its site is told with what was asked for. */
static void a_failure_without_a_site_has_its_origin(void) {
    start_watched(0, log_event, told);
    tracker_own.left = 0;
    CHECK(TH_TRACKED_ALLOC_TAGGED(&tracker, 10, 9) == NULL);
    CHECK(told[0].site > 0);
    expect_told((th_event){.kind = TH_EVENT_FAIL, .bytes = 10, FROM(told[0].site, 9)});
    tracker_own.left = SIZE_MAX;
    tracker_stop();
}

/* ---- when ----------------------------------------------------------------------------------- */

static void see_it_gone(void *context, const th_event *event) {
    CHECK(context == &tracker_memory);
    CHECK_EQ(tracker_memory.live, event->kind == TH_EVENT_FREE ? 0 : 1);
    CHECK(!th_tracker_find(&tracker, event->old_address, NULL));
    told_count++;
}

static void a_free_is_told_after_it(void) {
    th_tracker_config config = tracker_config_at(0);
    config.tracked = backing_start(&tracker_memory);
    config.on_event = see_it_gone;
    config.event_context = &tracker_memory;
    told_count = 0;
    tracker_start(&config);
    th_tracker_free(&tracker, th_tracker_alloc(&tracker, 10));
    CHECK_EQ(told_count, 2);
    tracker_stop();
}

/* ---- calls from inside ---------------------------------------------------------------------- */

static void *block;

static void expect_reentry(void) {
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_REENTRY, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  1);
}

static void call_from_inside(void *context, const th_event *event) {
    uint32_t points;
    th_allocator a = th_tracker_allocator(&tracker);
    const th_tracker_origin here = {.line = 1};
    const th_event other = {.kind = TH_EVENT_RESET};
    CHECK(context == NULL && event != &other);
    told_count++;
    if (block == NULL) {
        return;
    }
    CHECK(th_tracker_alloc(&tracker, 8) == NULL);
    expect_reentry();
    th_tracker_free(&tracker, block);
    expect_reentry();
    CHECK(th_tracker_realloc_from(&tracker, block, 1, 8, 16, here) == NULL);
    expect_reentry();
    CHECK(a.table->realloc(a.self, block, 1, 8, 16) == NULL);
    expect_reentry();
    CHECK(!th_tracker_resize_in_place(&tracker, block, 8));
    expect_reentry();
    CHECK_EQ(th_tracker_reset(&tracker), TH_ERR_BUSY);
    expect_reentry();
    CHECK(!th_tracker_sample(&tracker, 1, &points));
    expect_reentry();
    CHECK(!th_tracker_note_sample(&tracker, tracker_nobodys, 1, 0, here));
    expect_reentry();
    CHECK(!th_tracker_note_alloc(&tracker, tracker_nobodys, 1, here));
    expect_reentry();
    CHECK(!th_tracker_note_free(&tracker, block));
    expect_reentry();
    th_tracker_on_event(&tracker, &other);
    expect_reentry();
    th_tracker_clean_up(&tracker);
    expect_reentry();
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 2);
}

static void calls_from_inside_are_refused(void) {
    start_watched(0, call_from_inside, NULL);
    block = NULL;
    block = th_tracker_alloc(&tracker, 30);
    void *y = th_tracker_alloc(&tracker, 40);
    CHECK_EQ(told_count, 2);
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 2);
    void *x = block;
    block = NULL;
    th_tracker_free(&tracker, x);
    th_tracker_free(&tracker, y);
    CHECK_EQ(told_count, 4);
    tracker_stop();
}

/* ---- totals --------------------------------------------------------------------------------- */

/* Of any allocator there are totals by tag. */
static void totals_are_fed_by_any_allocator(void) {
    th_tag_total rows[4];
    th_tag_totals totals;
    CHECK_EQ(th_tag_totals_init(&totals, rows, 4), TH_OK);
    start_watched(0, th_tag_totals_on_event, &totals);
    void *x = TH_TRACKED_ALLOC_TAGGED(&tracker, 100, 1);
    void *y = TH_TRACKED_ALLOC_TAGGED(&tracker, 50, 2);
    x = TH_TRACKED_REALLOC(&tracker, x, 100, 300); /* under tag 0 now */
    CHECK_EQ(th_tag_totals_find(&totals, 0).live_bytes, 300);
    CHECK_EQ(th_tag_totals_find(&totals, 2).live_bytes, 50);
    th_tracker_free(&tracker, y);
    CHECK_EQ(th_tag_totals_find(&totals, 2).live_bytes, 0);
    CHECK_EQ(th_tag_totals_find(&totals, 2).peak_bytes, 50);
    CHECK_EQ(th_tag_totals_get_stats(&totals).live_bytes,
             th_tracker_get_stats(&tracker).requested_bytes);
    th_tracker_free(&tracker, x);
    CHECK_EQ(th_tag_totals_get_stats(&totals).live_blocks, 0);
    const th_tag_total row = th_tag_totals_find(&totals, 0);
    CHECK(row.allocs == 1 && row.frees == 1 && row.resizes == 1);
    CHECK_EQ(th_tag_totals_find(&totals, 1).frees, 1);
    CHECK_EQ(th_tag_totals_find(&totals, 1).resizes, 0);
    CHECK_EQ(th_tag_totals_check(&totals, NULL), TH_OK);
    tracker_stop();
}

/* A tracker that is told by a tracker knows the tags, too. */
static void trackers_tell_trackers(void) {
    th_tracker second;
    backing its_own = {0};
    th_tracker_block found;
    const th_tracker_config config = {.backing = backing_start(&its_own)};
    CHECK_EQ(th_tracker_init(&second, &config), TH_OK);
    start_watched(0, th_tracker_on_event, &second);
    void *x = TH_TRACKED_ALLOC_TAGGED(&tracker, 100, 1);
    x = TH_TRACKED_REALLOC(&tracker, x, 100, 3000);
    CHECK(th_tracker_find(&second, x, &found));
    CHECK(found.bytes == 3000 && found.site->tag == 0);
    th_tracker_free(&tracker, x);
    CHECK_EQ(th_tracker_get_stats(&second).live, 0);
    tracker_stop();
    th_tracker_clean_up(&second);
    backing_stop(&its_own);
}

/* Of a heap that tells the tracker, moves and tags are handed on. */
static void events_of_a_heap_go_on(void) {
    static uint32_t region[512];
    th_heap heap;
    th_tracker_config config = tracker_config_at(0);
    config.tracked = (th_allocator){0};
    config.on_event = log_event;
    config.event_context = told;
    told_count = 0;
    tracker_start(&config);
    const th_heap_config watched = {.on_event = th_tracker_on_event, .event_context = &tracker};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &watched), TH_OK);
    void *x = th_heap_alloc(&heap, 100, 1);
    void *y = th_heap_alloc_at(&heap, 60, 16, 2, 99);
    (void)th_heap_free(&heap, x);
    told_count = 0;
    (void)th_heap_compact(&heap, NULL, NULL);
    expect_told((th_event){.kind = TH_EVENT_MOVE,
                           .address = x,
                           .old_address = y,
                           .bytes = 60,
                           .old_bytes = 60,
                           FROM(99, 2)});
    CHECK(th_heap_retag(&heap, x, 3));
    expect_told((th_event){.kind = TH_EVENT_RETAG,
                           .address = x,
                           .old_address = x,
                           .bytes = 60,
                           .old_bytes = 60,
                           .site = 99,
                           .tag = 3,
                           .old_tag = 2});
    CHECK(th_heap_alloc_at(&heap, sizeof region, 16, 4, 98) == NULL);
    expect_told((th_event){.kind = TH_EVENT_FAIL, .bytes = sizeof region, FROM(98, 4)});
    (void)th_heap_free(&heap, x);
    told_count = 0;
    th_heap_clean_up(&heap);
    tracker_stop();
}

TH_SUITE("tracker_events", TEST(any_allocator_is_watched),
         TEST(a_failure_without_a_site_has_its_origin), TEST(a_free_is_told_after_it),
         TEST(calls_from_inside_are_refused), TEST(totals_are_fed_by_any_allocator),
         TEST(trackers_tell_trackers), TEST(events_of_a_heap_go_on))
