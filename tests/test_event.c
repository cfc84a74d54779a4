/* SPDX-License-Identifier: MIT */
/* The event hook of the heap: what each call tells, that what is told adds up to the blocks that
 * there are, what a callback may not do, and totals by tag. Offsets and sizes are dwords; header
 * 6. */
#include <string.h>

#include "guard_fixture.h"
#include "heap_player.h"
#include "tagheap/tag_totals.h"

static fixture fx;

/* ---- a log of events ------------------------------------------------------------------------- */

#define LOG_MAX 64

static th_event events[LOG_MAX];
static size_t logged, expected_next;

static void log_event(void *context, const th_event *event) {
    CHECK_PTR_EQ(context, events);
    CHECK(fx.heap.config.lock.acquire == NULL || fx.lock_depth == 1);
    CHECK_EQ(th_heap_check(&fx.heap, NULL), TH_OK);
    CHECK(logged < LOG_MAX);
    events[logged++] = *event;
}

static void start_logged(uint32_t dwords, th_heap_layout layout) {
    const th_heap_config config = {.alignment = 4,
                                   .guarding.level = layout == TH_HEAP_LAYOUT_LEAN ? 0 : 3,
                                   .layout = layout,
                                   .on_event = log_event,
                                   .event_context = events};
    logged = 0;
    expected_next = 0;
    fixture_start_with(&fx, 0, (size_t)dwords * 4, &config);
    CHECK_EQ(logged, 0);
}

/* The next event of the log is this one. */
static void expect_event(th_event due) {
    CHECK(expected_next < logged);
    const th_event *found = &events[expected_next++];
    CHECK_EQ(found->kind, due.kind);
    CHECK_EQ(found->tag, due.tag);
    CHECK_EQ(found->old_tag, due.old_tag);
    CHECK_EQ(found->site, due.site);
    CHECK_PTR_EQ(found->address, due.address);
    CHECK_PTR_EQ(found->old_address, due.old_address);
    CHECK_EQ(found->bytes, due.bytes);
    CHECK_EQ(found->old_bytes, due.old_bytes);
}

#define EXPECT_EVENT(...) expect_event((th_event){__VA_ARGS__})

static void expect_no_more_events(void) {
    CHECK_EQ(logged, expected_next);
}

static void blocks_that_come_and_go_are_told(void) {
    start_logged(200, TH_HEAP_LAYOUT_CLASSIC);
    void *a = checked_alloc(&fx, 10, 7);
    EXPECT_EVENT(TH_EVENT_ALLOC, 7, 7, 0, a, NULL, 10, 0);
    void *b = checked_alloc_at(&fx, 64, 33, 0x4001, 99);
    EXPECT_EVENT(TH_EVENT_ALLOC, 0x4001, 0x4001, 99, b, NULL, 33, 0);
    CHECK(checked_free(&fx, a) > 0);
    EXPECT_EVENT(TH_EVENT_FREE, 7, 7, 0, NULL, a, 0, 10);
    CHECK(checked_resize(&fx, b, 0) == NULL);
    EXPECT_EVENT(TH_EVENT_FREE, 0x4001, 0x4001, 99, NULL, b, 0, 33);
    CHECK_EQ(checked_free(&fx, NULL), 0);
    CHECK(checked_resize(&fx, NULL, 10) == NULL);
    CHECK(checked_alloc(&fx, 0, 7) == NULL);
    CHECK(checked_alloc(&fx, 10, FREE) == NULL);
    expect_no_more_events();
    th_heap_clean_up(&fx.heap);
    EXPECT_EVENT(TH_EVENT_RESET, 0, 0, 0, NULL, NULL, 0, 0);
    expect_no_more_events();
    fx.live = false;
}

static void resizes_are_told_wherever_they_lead(void) {
    start_logged(200, TH_HEAP_LAYOUT_CLASSIC);
    void *a = checked_alloc_at(&fx, 4, 80, 1, 5);
    void *b = checked_alloc(&fx, 80, 2);
    expected_next = logged;
    CHECK_PTR_EQ(checked_resize(&fx, a, 8), a);
    EXPECT_EVENT(TH_EVENT_RESIZE, 1, 1, 5, a, a, 8, 80);
    CHECK(checked_trim(&fx, a) > 0);
    EXPECT_EVENT(TH_EVENT_RESIZE, 1, 1, 5, a, a, 8, 8);
    CHECK_EQ(checked_trim(&fx, a), 0);
    CHECK_PTR_EQ(checked_resize(&fx, b, 120), b);
    EXPECT_EVENT(TH_EVENT_RESIZE, 2, 2, 0, b, b, 120, 80);
    void *moved = checked_resize(&fx, a, 200);
    CHECK(moved != NULL && moved != a);
    EXPECT_EVENT(TH_EVENT_RESIZE, 1, 1, 5, moved, a, 200, 8);
    expect_no_more_events();
    fixture_stop(&fx);
}

static void requests_that_find_no_room_are_told(void) {
    start_logged(100, TH_HEAP_LAYOUT_CLASSIC);
    void *a = checked_alloc_at(&fx, 4, 80, 3, 6);
    expected_next = logged;
    CHECK(checked_alloc_at(&fx, 8, 4000, 0x4005, 8) == NULL);
    EXPECT_EVENT(TH_EVENT_FAIL, 0x4005, 0x4005, 8, NULL, NULL, 4000, 0);
    CHECK(checked_resize(&fx, a, 3000) == NULL);
    EXPECT_EVENT(TH_EVENT_FAIL, 3, 3, 6, NULL, a, 3000, 80);
    expect_no_more_events();
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 2);
    fixture_stop(&fx);
}

static void blocks_freed_by_tag_are_told_one_by_one(void) {
    start_logged(200, TH_HEAP_LAYOUT_CLASSIC);
    void *a = checked_alloc(&fx, 4, 1);
    void *b = checked_alloc(&fx, 8, 2);
    void *t = checked_alloc(&fx, 12, 0x4001);
    expected_next = logged;
    CHECK_EQ(checked_free_tags(&fx, 2, 0x4001), 2);
    EXPECT_EVENT(TH_EVENT_FREE, 2, 2, 0, NULL, b, 0, 8);
    EXPECT_EVENT(TH_EVENT_FREE, 0x4001, 0x4001, 0, NULL, t, 0, 12);
    CHECK(th_heap_retag(&fx.heap, a, 9));
    EXPECT_EVENT(TH_EVENT_RETAG, 9, 1, 0, a, a, 4, 4);
    CHECK(!th_heap_retag(&fx.heap, a, 0x4001));
    expect_no_more_events();
    fixture_stop(&fx);
}

static bool veto_tag_3(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)from;
    (void)to;
    (void)bytes;
    return tag != 3;
}

static void moves_are_told_after_they_are_made(void) {
    start_logged(200, TH_HEAP_LAYOUT_CLASSIC);
    void *hole = checked_alloc(&fx, 40, 1);
    void *b = checked_alloc(&fx, 41, 2);
    void *c = checked_alloc(&fx, 42, 3);
    void *d = checked_alloc(&fx, 43, 4);
    CHECK(checked_free(&fx, hole) > 0);
    expected_next = logged;
    CHECK_EQ(checked_compact_some(&fx, 1, veto_tag_3, NULL).blocks_moved, 1);
    EXPECT_EVENT(TH_EVENT_MOVE, 2, 2, 0, hole, b, 41, 41);
    CHECK_EQ(checked_compact(&fx, veto_tag_3, NULL).blocks_vetoed, 1);
    expect_no_more_events();
    CHECK_EQ(checked_free(&fx, c) > 0, true);
    expected_next = logged;
    CHECK_EQ(checked_compact(&fx, NULL, NULL).blocks_moved, 1);
    CHECK_PTR_EQ(events[expected_next].old_address, d);
    CHECK_EQ(logged, expected_next + 1);
    fixture_stop(&fx);
}

/* A lean heap does not know what was asked for. */
static void a_lean_heap_counts_whole_payloads(void) {
    if (!th_heap_has_layout(TH_HEAP_LAYOUT_LEAN)) {
        return;
    }
    start_logged(200, TH_HEAP_LAYOUT_LEAN);
    void *a = th_heap_alloc_at(&fx.heap, 10, 4, 7, 3);
    EXPECT_EVENT(TH_EVENT_ALLOC, 7, 7, 0, a, NULL, 12, 0);
    CHECK_PTR_EQ(th_heap_realloc(&fx.heap, a, 50), a);
    EXPECT_EVENT(TH_EVENT_RESIZE, 7, 7, 0, a, a, 52, 12);
    CHECK(th_heap_free(&fx.heap, a) > 0);
    EXPECT_EVENT(TH_EVENT_FREE, 7, 7, 0, NULL, a, 0, 52);
    th_heap_clean_up(&fx.heap);
    fx.live = false;
}

/* ---- who watches ----------------------------------------------------------------------------- */

static void a_heap_can_be_watched_from_the_middle_of_its_life_on(void) {
    const th_heap_config config = {.alignment = 16};
    logged = 0;
    expected_next = 0;
    fixture_start_with(&fx, 0, 8192, &config);
    CHECK(checked_alloc(&fx, 10, 1) != NULL);
    CHECK_EQ(th_heap_set_on_event(&fx.heap, log_event, events), TH_OK);
    void *b = th_heap_alloc(&fx.heap, 20, 2);
    EXPECT_EVENT(TH_EVENT_ALLOC, 2, 2, 0, b, NULL, 20, 0);
    CHECK(th_heap_free(&fx.heap, b) > 0);
    EXPECT_EVENT(TH_EVENT_FREE, 2, 2, 0, NULL, b, 0, 20);
    CHECK_EQ(th_heap_set_on_event(&fx.heap, NULL, NULL), TH_OK);
    CHECK(th_heap_alloc(&fx.heap, 20, 2) != NULL);
    expect_no_more_events();
    fixture_stop(&fx);
    CHECK_EQ(th_heap_set_on_event(&fx.heap, log_event, events), TH_ERR_NULL);
    CHECK_EQ(th_heap_set_on_event(NULL, log_event, events), TH_ERR_NULL);
}

static void a_damaged_heap_is_not_watched(void) {
    if (th_guard_max() < 3) {
        return;
    }
    const th_heap_config config = {.alignment = 4, .guarding.level = 3};
    fixture_start_with(&fx, 0, 400, &config);
    fx.heap.head_blocks++;
    CHECK_EQ(th_heap_set_on_event(&fx.heap, log_event, events), TH_ERR_CORRUPT);
    fx.heap.head_blocks--;
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_COUNT);
    CHECK(fx.heap.config.on_event == NULL);
    fx.faults = 0;
    fixture_stop(&fx);
}

/* A heap that nobody watches takes the same path as before there were events. */
static void to_be_watched_is_to_leave_the_fast_path(void) {
    static unsigned char region[8192];
    th_heap heap;
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, NULL), TH_OK);
    uint32_t fast = heap.fast;
    CHECK_EQ(th_heap_set_on_event(&heap, log_event, events), TH_OK);
    CHECK_EQ(heap.fast, 0);
    CHECK_EQ(th_heap_set_on_event(&heap, NULL, NULL), TH_OK);
    CHECK_EQ(heap.fast, fast);
    th_heap_clean_up(&heap);
}

/* ---- callbacks that call back, or write where they must not ---------------------------------- */

static unsigned refusals;

static void call_back(void *context, const th_event *event) {
    unsigned faults = fx.faults;
    th_heap_block block;
    (void)context;
    if (event->kind == TH_EVENT_RESET) {
        return;
    }
    CHECK(th_heap_alloc(&fx.heap, 10, 1) == NULL);
    CHECK_EQ(th_heap_free_tags(&fx.heap, 0, 0x7FFE), 0);
    CHECK(!th_heap_compact(&fx.heap, NULL, NULL).done);
    CHECK_EQ(th_heap_set_on_event(&fx.heap, NULL, NULL), TH_ERR_BUSY);
    th_heap_clean_up(&fx.heap);
    CHECK_EQ(fx.faults, faults + 5);
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_REENTRY);
    fx.faults = faults;
    refusals++;
    CHECK(th_heap_first(&fx.heap, &block));
    CHECK(th_heap_get_stats(&fx.heap).region_bytes > 0);
}

static void calls_from_inside_are_refused(void) {
    for (int guard = 0; guard <= 3; guard++) {
        const th_heap_config config = {
            .alignment = 4, .guarding.level = guard, .on_event = call_back};
        refusals = 0;
        fixture_start_with(&fx, 0, 800, &config);
        void *a = checked_alloc(&fx, 40, 1);
        void *b = checked_alloc(&fx, 40, 2);
        CHECK(checked_alloc(&fx, 9000, 3) == NULL);
        CHECK(checked_free(&fx, a) > 0);
        CHECK_EQ(checked_compact(&fx, NULL, NULL).blocks_moved, 1);
        b = block_tagged(&fx.heap, 2).payload;
        CHECK(th_heap_retag(&fx.heap, b, 4));
        CHECK_PTR_EQ(checked_resize(&fx, b, 60), b);
        CHECK_EQ(checked_free_tags(&fx, 4, 4), 1);
        CHECK_EQ(refusals, 8);
        CHECK_EQ(fx.faults, 0);
        fixture_stop(&fx);
    }
}

/* Which event the callback zeroes the heap at. */
static th_event_kind zero_at;
static th_heap zeroed;

static void zero_the_heap(void *context, const th_event *event) {
    (void)context;
    if (event->kind == zero_at) {
        zeroed = fx.heap;
        memset(&fx.heap, 0, sizeof fx.heap);
    }
}

/* A heap with a hole below block 2 and room above it, in which `zero_at` will zero it. */
static void *start_to_be_zeroed(th_event_kind kind) {
    const th_heap_config config = {.alignment = 4, .guarding.level = 3, .on_event = zero_the_heap};
    zero_at = TH_EVENT_RESET;
    fixture_start_with(&fx, 0, 800, &config);
    void *a = checked_alloc(&fx, 40, 1);
    void *b = checked_alloc(&fx, 40, 2);
    CHECK(checked_free(&fx, a) > 0);
    zero_at = kind;
    return b;
}

static void expect_zeroed(void) {
    CHECK_EQ(fx.faults, 1);
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_CONTROL);
    CHECK_EQ(fx.lock_depth, 1); /* who zeroes a heap holds its lock for good */
    fx.faults = 0;
    fx.lock_depth = 0; /* the next start takes the region over */
}

static void a_heap_that_its_callback_zeroes_is_missed(void) {
    if (th_guard_max() < 3) {
        return;
    }
    CHECK(start_to_be_zeroed(TH_EVENT_ALLOC) != NULL);
    CHECK(th_heap_alloc(&fx.heap, 8, 1) != NULL);
    expect_zeroed();
    CHECK(start_to_be_zeroed(TH_EVENT_FAIL) != NULL);
    CHECK(th_heap_alloc(&fx.heap, 8000, 1) == NULL);
    expect_zeroed();
    CHECK(th_heap_realloc(&fx.heap, start_to_be_zeroed(TH_EVENT_FAIL), 8000) == NULL);
    expect_zeroed();
    CHECK(th_heap_free(&fx.heap, start_to_be_zeroed(TH_EVENT_FREE)) > 0);
    expect_zeroed();
    CHECK(start_to_be_zeroed(TH_EVENT_FREE) != NULL);
    CHECK_EQ(th_heap_free_tags(&fx.heap, 0, 9), 1);
    expect_zeroed();
    CHECK(th_heap_realloc(&fx.heap, start_to_be_zeroed(TH_EVENT_RESIZE), 44) != NULL);
    expect_zeroed();
    CHECK(th_heap_retag(&fx.heap, start_to_be_zeroed(TH_EVENT_RETAG), 3));
    expect_zeroed();
    CHECK(start_to_be_zeroed(TH_EVENT_MOVE) != NULL);
    th_heap_compaction result = th_heap_compact(&fx.heap, NULL, NULL);
    CHECK(result.blocks_moved == 1 && !result.done);
    expect_zeroed();
    void *b = start_to_be_zeroed(TH_EVENT_RESET);
    CHECK_PTR_EQ(th_heap_realloc(&fx.heap, b, 4), b);
    zero_at = TH_EVENT_RESIZE;
    CHECK(th_heap_trim(&fx.heap, b) > 0);
    expect_zeroed();
}

/* ---- what is told adds up -------------------------------------------------------------------- */

#define MIRROR_MAX (PLAYER_SLOTS + 1)

static struct {
    const void *address;
    size_t bytes;
    uint32_t tag, site;
} mirror[MIRROR_MAX];
static size_t mirrored;
static th_tag_totals totals;

static size_t mirror_at(const void *address) {
    size_t at = 0;
    while (at < mirrored && mirror[at].address != address) {
        at++;
    }
    return at;
}

static void follow(void *context, const th_event *event) {
    (void)context;
    if (event->kind == TH_EVENT_FAIL || event->kind == TH_EVENT_RESET) {
        return;
    }
    size_t at = mirrored;
    if (event->old_address != NULL) {
        at = mirror_at(event->old_address);
        CHECK(at < mirrored);
        CHECK_EQ(mirror[at].bytes, event->old_bytes);
        CHECK_EQ(mirror[at].tag, event->old_tag);
        CHECK_EQ(mirror[at].site, event->site);
        mirror[at] = mirror[--mirrored];
    }
    if (event->address != NULL) {
        CHECK(mirror_at(event->address) == mirrored && mirrored < MIRROR_MAX);
        mirror[mirrored].address = event->address;
        mirror[mirrored].bytes = event->bytes;
        mirror[mirrored].tag = event->tag;
        mirror[mirrored++].site = event->site;
    }
}

/* The blocks that the heap has are those that events told of. */
static void expect_mirrored(void) {
    th_heap_block block;
    size_t live = 0, bytes = 0;
    for (bool more = th_heap_first(&fx.heap, &block); more; more = th_heap_next(&fx.heap, &block)) {
        if (block.tag != fx.heap.tag_free) {
            size_t at = mirror_at(block.payload);
            CHECK(at < mirrored);
            CHECK_EQ(mirror[at].bytes, block.requested_bytes);
            CHECK_EQ(mirror[at].tag, block.tag);
            CHECK_EQ(mirror[at].site, block.site);
            live++;
            bytes += block.requested_bytes;
        }
    }
    CHECK_EQ(mirrored, live);
    th_tag_totals_stats stats = th_tag_totals_get_stats(&totals);
    CHECK_EQ(stats.live_blocks, live);
    CHECK_EQ(stats.live_bytes, bytes);
    CHECK_EQ(stats.allocs - stats.frees, live);
    CHECK_EQ(stats.failures, stats_of(&fx.heap).failed_allocs);
    CHECK_EQ(th_tag_totals_check(&totals, NULL), TH_OK);
}

static void events_add_up_to_the_blocks_that_there_are(void) {
    static player p;
    static th_tag_total rows[40]; /* of 128 tags */
    static const th_heap_layout layouts[] = {TH_HEAP_LAYOUT_CLASSIC, TH_HEAP_LAYOUT_LEAN,
                                             TH_HEAP_LAYOUT_WIDE};
    uint64_t seed = th_test_seed(0x6576656e74);
    for (size_t i = 0; i < 3; i++) {
        const th_heap_config config = {.alignment = (size_t)4 << i,
                                       .guarding.level = layouts[i] == TH_HEAP_LAYOUT_LEAN ? 0 : 2,
                                       .layout = layouts[i],
                                       .on_event = th_tag_totals_on_event,
                                       .event_context = &totals};
        if (!th_heap_has_layout(layouts[i])) {
            continue;
        }
        mirrored = 0;
        CHECK_EQ(th_tag_totals_init(&totals, rows, 40), TH_OK);
        CHECK_EQ(th_tag_totals_forward(&totals, follow, NULL), TH_OK);
        fixture_start_with(&fx, 0, 6000, &config);
        player_start(&p, &fx, seed + i);
        for (unsigned step = 0; step < 1500; step++) {
            player_step(&p);
            expect_mirrored();
        }
        th_tag_totals_stats stats = th_tag_totals_get_stats(&totals);
        CHECK(stats.moves > 0 && stats.resizes > 0 && stats.failures > 0);
        CHECK_EQ(stats.tags, 40);
        CHECK(th_tag_totals_others(&totals).allocs > 0);
        fixture_stop(&fx);
        CHECK_EQ(th_tag_totals_get_stats(&totals).live_blocks, 0);
    }
}

TH_SUITE("event", TEST(blocks_that_come_and_go_are_told), TEST(resizes_are_told_wherever_they_lead),
         TEST(requests_that_find_no_room_are_told), TEST(blocks_freed_by_tag_are_told_one_by_one),
         TEST(moves_are_told_after_they_are_made), TEST(a_lean_heap_counts_whole_payloads),
         TEST(a_heap_can_be_watched_from_the_middle_of_its_life_on),
         TEST(a_damaged_heap_is_not_watched), TEST(to_be_watched_is_to_leave_the_fast_path),
         TEST(calls_from_inside_are_refused), TEST(a_heap_that_its_callback_zeroes_is_missed),
         TEST(events_add_up_to_the_blocks_that_there_are))
