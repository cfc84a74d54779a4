/* SPDX-License-Identifier: MIT */
/* What the tracker shows: samples, the history, what a heap tells it, visits and snapshots. */
#include <string.h>

#include "resource/tracker_table.h"
#include "tagheap/heap.h"
#include "tracker_fixture.h"

/* ---- samples -------------------------------------------------------------------------------- */

static void start_sampling(uint32_t sample_bytes, uint64_t seed) {
    th_tracker_config config = tracker_config_at(0);
    config.sample_bytes = sample_bytes;
    config.seed = seed;
    tracker_start(&config);
}

/* The estimate is true on average: within 5 standard deviations of what was allocated. */
static void estimate(size_t bytes, uint32_t sample_bytes) {
    enum { BLOCKS = 20000 };
    uint64_t seed = th_test_seed(20261130);
    th_tracker_config config = tracker_config_at(0);
    config.tracked = (th_allocator){0};
    config.sample_bytes = sample_bytes;
    config.seed = seed;
    tracker_start(&config);
    uint64_t noted = 0;
    for (uintptr_t i = 1; i <= BLOCKS; i++) {
        CHECK(th_tracker_note_alloc(&tracker, (void *)(i * 16), bytes, tracker_frames_of(NULL, 0)));
        noted += th_tracker_find(&tracker, (void *)(i * 16), NULL);
    }
    const th_tracker_stats stats = th_tracker_get_stats(&tracker);
    double all = (double)(bytes * BLOCKS), points = all / sample_bytes;
    double off = ((double)stats.estimated_bytes - all) / sample_bytes;
    CHECK(off * off <= 25 * points);
    CHECK_EQ(stats.live, noted);
    CHECK_EQ(stats.requested_bytes, noted * bytes);
    CHECK_EQ(th_tracker_check(&tracker, NULL), TH_OK);
    for (uintptr_t i = 1; i <= BLOCKS; i++) {
        (void)th_tracker_note_free(&tracker, (void *)(i * 16));
    }
    CHECK_EQ(th_tracker_get_stats(&tracker).estimated_bytes, 0);
    tracker_stop();
}

static void samples_estimate_what_is_allocated(void) {
    estimate(16, 512);
    estimate(100, 512);
    estimate(1000, 512);
    estimate(5000, 512);
    estimate(3, 1 << 16);
    estimate(1 << 20, UINT32_MAX);
}

/* Half of all distances are below ln 2 times the average, a tenth above 2.3 times. */
static void distances_are_exponential(void) {
    enum { DRAWS = 10000, MEAN = 1000 };
    unsigned below_half = 0, far = 0;
    start_sampling(MEAN, 1);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t distance = tracker.until_sample;
        below_half += distance <= 693;
        far += distance > 2303;
        void *block = th_tracker_alloc(&tracker, (size_t)distance);
        CHECK(th_tracker_find(&tracker, block, NULL)); /* it reaches up to the point */
        th_tracker_free(&tracker, block);
        CHECK(tracker.until_sample >= 1);
    }
    CHECK(below_half > DRAWS / 2 - 250 && below_half < DRAWS / 2 + 250);
    CHECK(far > DRAWS / 10 - 150 && far < DRAWS / 10 + 150);
    tracker_stop();
}

static void the_same_seed_gives_the_same_samples(void) {
    uint64_t after[3];
    for (size_t round = 0; round < 3; round++) {
        start_sampling(100, round < 2 ? 7 : 8);
        for (unsigned i = 0; i < 50; i++) {
            th_tracker_free(&tracker, th_tracker_alloc(&tracker, 33));
        }
        after[round] = th_tracker_get_stats(&tracker).allocs * 1000 + tracker.until_sample;
        tracker_stop();
    }
    CHECK_EQ(after[0], after[1]);
    CHECK(after[0] != after[2]);
}

/* What is not tracked goes its way; large blocks stand for themselves. */
static void what_is_not_sampled_is_passed_on(void) {
    start_sampling(100, 1);
    tracker.until_sample = 1000;
    void *small = th_tracker_alloc(&tracker, 16);
    CHECK(!th_tracker_find(&tracker, small, NULL));
    CHECK_EQ(tracker.until_sample, 984);
    CHECK(th_tracker_resize_in_place(&tracker, small, 10));
    void *large = th_tracker_alloc(&tracker, 3200);
    CHECK_EQ(tracker_site_of(large)->live_estimate, 3200);
    CHECK_EQ(tracker.until_sample, 984);
    tracker.until_sample = 16;
    void *sample = th_tracker_alloc(&tracker, 16);
    CHECK_EQ(th_tracker_get_stats(&tracker).estimated_bytes, 3300);
    CHECK(th_tracker_resize_in_place(&tracker, sample, 12)); /* stands for as many as before */
    CHECK_EQ(th_tracker_get_stats(&tracker).estimated_bytes, 3300);
    tracker.until_sample = 10000;
    small = TH_TRACKED_REALLOC(&tracker, small, 10, 500);
    CHECK(small != NULL && !th_tracker_find(&tracker, small, NULL));
    th_tracker_free(&tracker, small);
    th_tracker_free(&tracker, sample);
    th_tracker_free(&tracker, large);
    tracker_stop();
}

static void growing_a_sample_in_place_stands_for_no_more(void) {
    start_sampling(100, 1);
    tracker.until_sample = 8;
    void *sample = th_tracker_alloc(&tracker, 8);
    CHECK(th_tracker_resize_in_place(&tracker, sample, 16));
    const th_tracker_site *site = tracker_site_of(sample);
    CHECK_EQ(site->alloc_bytes, 16);
    CHECK_EQ(site->alloc_estimate, 100);
    th_tracker_free(&tracker, sample);
    tracker_stop();
}

/* In two steps, as it is done without a lock between. */
static void samples_can_be_noted_in_two_steps(void) {
    uint32_t points = 7;
    tracker_start_at(0);
    CHECK(th_tracker_sample(&tracker, 1, &points));
    CHECK_EQ(points, 0);
    tracker_stop();
    start_sampling(100, 1);
    tracker.until_sample = 10;
    CHECK(!th_tracker_sample(&tracker, 9, &points));
    CHECK(th_tracker_sample(&tracker, 1, &points));
    CHECK(points >= 1);
    CHECK(!th_tracker_note_sample(&tracker, NULL, 1, 3, tracker_frames_of(NULL, 0)));
    CHECK(th_tracker_note_sample(&tracker, tracker_nobodys, 1, 3, tracker_frames_of(NULL, 0)));
    CHECK_EQ(th_tracker_get_stats(&tracker).estimated_bytes, 300);
    tracker_own.left = 0;
    CHECK(!th_tracker_note_sample(&tracker, tracker_nobodys + 1, 1, 1,
                                  tracker_frames_of((uintptr_t[]){5}, 1)));
    CHECK_EQ(th_tracker_get_stats(&tracker).failed_allocs, 1);
    tracker_own.left = SIZE_MAX;
    CHECK(th_tracker_note_free(&tracker, tracker_nobodys));
    tracker_stop();
}

/* ---- history -------------------------------------------------------------------------------- */

typedef struct seen {
    th_tracker_event events[8];
    size_t count;
    size_t stop_after;
} seen;

static bool see(void *context, const th_tracker_event *event) {
    seen *all = context;
    CHECK(all->count < 8);
    all->events[all->count++] = *event;
    return all->count != all->stop_after;
}

static void expect_event(const th_tracker_event *event, th_event_kind kind, const void *address,
                         const void *old_address, size_t bytes, size_t old_bytes, uint64_t serial) {
    CHECK_EQ(event->what.kind, kind);
    CHECK_PTR_EQ(event->what.address, address);
    CHECK_PTR_EQ(event->what.old_address, old_address);
    CHECK_EQ(event->what.bytes, bytes);
    CHECK_EQ(event->what.old_bytes, old_bytes);
    CHECK_EQ(event->serial, serial);
}

/* Nothing is known of what it was before. */
static void a_block_may_become_a_sample_by_moving(void) {
    seen all = {.count = 0};
    start_sampling(100, 1);
    tracker.until_sample = 100;
    void *block = th_tracker_alloc(&tracker, 16);
    CHECK(!th_tracker_find(&tracker, block, NULL));
    void *moved = TH_TRACKED_REALLOC(&tracker, block, 16, 2000);
    CHECK(th_tracker_visit_events(&tracker, see, &all));
    CHECK_EQ(all.count, 1);
    expect_event(&all.events[0], TH_EVENT_ALLOC, moved, NULL, 2000, 0, 1);
    tracker.until_sample = 5000;
    block = TH_TRACKED_REALLOC(&tracker, moved, 16, 2500); /* and no sample any more */
    CHECK(!th_tracker_find(&tracker, block, NULL));
    all.count = 0;
    CHECK(th_tracker_visit_events(&tracker, see, &all));
    CHECK_EQ(all.count, 2);
    expect_event(&all.events[1], TH_EVENT_FREE, NULL, moved, 0, 2000, 1);
    th_tracker_free(&tracker, block);
    tracker_stop();
}

static void the_history_holds_the_last_events(void) {
    seen all = {.count = 0};
    tracker_start_at(0);
    CHECK(th_tracker_visit_events(&tracker, see, &all));
    CHECK_EQ(all.count, 0);
    void *a = TH_TRACKED_ALLOC(&tracker, 70);
    (void)th_tracker_resize_in_place(&tracker, a, 60);
    CHECK(th_tracker_visit_events(&tracker, see, &all));
    CHECK_EQ(all.count, 2);
    expect_event(&all.events[0], TH_EVENT_ALLOC, a, NULL, 70, 0, 1);
    CHECK_EQ(all.events[0].what.site, tracker_site_of(a)->line);
    CHECK_PTR_EQ(all.events[0].site, tracker_site_of(a));
    expect_event(&all.events[1], TH_EVENT_RESIZE, a, a, 60, 70, 1);
    void *b = TH_TRACKED_REALLOC(&tracker, a, 60, 900);
    tracker_memory.left = 0;
    CHECK(th_tracker_alloc(&tracker, 100000) == NULL);
    tracker_memory.left = SIZE_MAX;
    th_tracker_free(&tracker, b);
    CHECK_EQ(th_tracker_reset(&tracker), TH_OK);
    all = (seen){.count = 0};
    CHECK(th_tracker_visit_events(&tracker, see, &all));
    CHECK_EQ(all.count, 4); /* of 6 */
    expect_event(&all.events[0], TH_EVENT_RESIZE, b, a, 900, 60, 2);
    expect_event(&all.events[1], TH_EVENT_FAIL, NULL, NULL, 100000, 0, 2);
    expect_event(&all.events[2], TH_EVENT_FREE, NULL, b, 0, 900, 2);
    expect_event(&all.events[3], TH_EVENT_RESET, NULL, NULL, 0, 0, 2);
    CHECK(all.events[3].site == NULL);
    all = (seen){.stop_after = 2};
    CHECK(!th_tracker_visit_events(&tracker, see, &all));
    CHECK_EQ(all.count, 2);
    tracker_stop();
    th_tracker_config config = tracker_config_at(0);
    config.history_events = 0;
    tracker_start(&config);
    th_tracker_free(&tracker, th_tracker_alloc(&tracker, 10));
    all = (seen){.count = 0};
    CHECK(th_tracker_visit_events(&tracker, see, &all));
    CHECK_EQ(all.count, 0);
    tracker_stop();
}

/* ---- a heap that tells ---------------------------------------------------------------------- */

static bool is_a_block(void *context, const th_tracker_block *block) {
    const th_heap *heap = context;
    th_heap_block found;
    CHECK_EQ(th_heap_requested_size(heap, block->address), block->bytes);
    CHECK(th_heap_find(heap, block->address, &found));
    CHECK_EQ(found.tag, block->site->tag);
    return true;
}

static void expect_agreement(const th_heap *heap, uint64_t blocks) {
    CHECK_EQ(th_tracker_get_stats(&tracker).live, blocks);
    CHECK(th_tracker_visit_blocks(&tracker, is_a_block, (void *)(uintptr_t)heap));
    CHECK_EQ(th_tracker_check(&tracker, NULL), TH_OK);
}

static void follow_a_heap(int level) {
    static uint32_t region[4096];
    th_heap heap;
    th_tracker_config config = tracker_config_at(level);
    config.tracked = (th_allocator){0};
    tracker_start(&config);
    const th_heap_config watched = {.on_event = th_tracker_on_event, .event_context = &tracker};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &watched), TH_OK);
    void *a = th_heap_alloc(&heap, 100, 0x1001);
    void *b = th_heap_alloc(&heap, 200, 0x1002);
    void *c = th_heap_alloc(&heap, 300, 0x4001);
    expect_agreement(&heap, 3);
    b = th_heap_realloc(&heap, b, 500);
    b = th_heap_realloc(&heap, b, 400);
    expect_agreement(&heap, 3);
    CHECK_EQ(tracker_site_of(b)->alloc_bytes, 500);
    CHECK_EQ(tracker_site_of(b)->allocs, 1);
    (void)th_heap_free(&heap, a);
    (void)th_heap_compact(&heap, NULL, NULL);
    expect_agreement(&heap, 2);
    CHECK_EQ(tracker_site_of(a)->tag, 0x1002); /* it has moved down */
    CHECK(th_heap_alloc(&heap, sizeof region, 0x1001) == NULL);
    CHECK_EQ(th_tracker_get_stats(&tracker).failed_allocs, 1);
    CHECK(th_heap_retag(&heap, a, 0x1003));
    expect_agreement(&heap, 2);
    CHECK_EQ(tracker_site_of(a)->tag, 0x1003);
    CHECK_EQ(tracker_site_of(a)->allocs, 1); /* the block came to it */
    CHECK_EQ(tracker_site_of(a)->alloc_bytes, 400);
    CHECK_EQ(tracker_site_of(a)->alloc_estimate, 400);
    CHECK_EQ(th_tracker_get_stats(&tracker).allocs, 3);
    (void)th_heap_free_tags(&heap, 0, 0x7FFE);
    expect_agreement(&heap, 0);
    th_tracker_free(&tracker, c);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_DOUBLE_FREE, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE,
                  0, (uint32_t)(uintptr_t)(c));
    th_heap_clean_up(&heap);
    tracker_stop();
}

static void a_heap_is_followed_by_its_events(void) {
    at_levels(0, follow_a_heap);
}

static void tell(th_event event) {
    th_tracker_on_event(&tracker, &event);
}

/* Of blocks that are not known nothing is noted; what comes to lie where a block was replaces it.
 */
static void events_of_others_are_passed_over(void) {
    const unsigned char *at = tracker_nobodys;
    th_tracker_config config = tracker_config_at(0);
    config.tracked = (th_allocator){0};
    tracker_start(&config);
    tell((th_event){.kind = TH_EVENT_FREE, .old_address = at});
    tell((th_event){.kind = TH_EVENT_RETAG, .address = at, .old_address = at, .tag = 7});
    tell((th_event){.kind = TH_EVENT_MOVE, .address = at, .old_address = at + 16, .bytes = 5});
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 0);
    CHECK_EQ(th_tracker_get_stats(&tracker).failed_allocs, 0);
    tell((th_event){.kind = TH_EVENT_ALLOC, .address = at, .bytes = 5, .site = 12, .tag = 3});
    CHECK_EQ(tracker_site_of(at)->line, 12);
    tell((th_event){.kind = TH_EVENT_ALLOC, .address = at + 16, .bytes = 6});
    tell((th_event){.kind = TH_EVENT_MOVE, .address = at, .old_address = at + 16, .bytes = 6});
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 1);
    CHECK_EQ(tracker_site_of(at)->live_bytes, 6);
    tracker_own.left = 0;
    tell((th_event){.kind = TH_EVENT_RETAG, .address = at, .old_address = at, .tag = 9});
    CHECK_EQ(th_tracker_get_stats(&tracker).failed_allocs, 1);
    CHECK_EQ(tracker_site_of(at)->tag, 0);
    tracker_own.left = SIZE_MAX;
    tell((th_event){.kind = (th_event_kind)TH_EVENT_KINDS}); /* no event of ours */
    tell((th_event){.kind = TH_EVENT_RESET});
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 0);
    th_tracker_on_event(&tracker, NULL);
    th_tracker_on_event(NULL, &(th_event){.kind = TH_EVENT_RESET});
    tracker_stop();
}

/* ---- visits --------------------------------------------------------------------------------- */

typedef struct totals {
    uint64_t count, bytes, serials;
    uint64_t stop_after;
} totals;

static bool add_block(void *context, const th_tracker_block *block) {
    totals *all = context;
    all->count++;
    all->bytes += block->bytes;
    all->serials |= (uint64_t)1 << block->serial;
    return all->count != all->stop_after;
}

static bool add_site(void *context, const th_tracker_site *site) {
    totals *all = context;
    CHECK_EQ(site->number, all->count);
    all->count++;
    all->bytes += site->live_bytes;
    return all->count != all->stop_after;
}

static void visitors_see_everything_once(void) {
    totals blocks = {0}, sites = {0}, some = {.stop_after = 2};
    void *made[5];
    tracker_start_at(0);
    for (uint32_t i = 0; i < 5; i++) {
        const th_tracker_origin origin = {.line = i / 2};
        made[i] = th_tracker_alloc_from(&tracker, (size_t)1 << i, 16, origin);
    }
    CHECK(th_tracker_visit_blocks(&tracker, add_block, &blocks));
    CHECK_EQ(blocks.count, 5);
    CHECK_EQ(blocks.bytes, 31);
    CHECK_EQ(blocks.serials, 62);
    CHECK(th_tracker_visit_sites(&tracker, add_site, &sites));
    CHECK_EQ(sites.count, 3);
    CHECK_EQ(sites.bytes, 31);
    CHECK(!th_tracker_visit_blocks(&tracker, add_block, &some));
    CHECK_EQ(some.count, 2);
    some = (totals){.stop_after = 2};
    CHECK(!th_tracker_visit_sites(&tracker, add_site, &some));
    CHECK_EQ(some.count, 2);
    for (uint32_t i = 0; i < 5; i++) {
        th_tracker_free(&tracker, made[i]);
    }
    tracker_stop();
}

/* ---- snapshots ------------------------------------------------------------------------------ */

typedef struct changes {
    th_tracker_change list[8];
    size_t count;
    size_t stop_after;
} changes;

static bool add_change(void *context, const th_tracker_change *change) {
    changes *all = context;
    CHECK(all->count < 8);
    all->list[all->count++] = *change;
    return all->count != all->stop_after;
}

static void expect_change(const th_tracker_change *change, uint32_t line, uint64_t blocks_before,
                          uint64_t bytes_before, uint64_t blocks, uint64_t bytes) {
    CHECK_EQ(change->site->line, line);
    CHECK_EQ(change->before.blocks, blocks_before);
    CHECK_EQ(change->before.bytes, bytes_before);
    CHECK_EQ(change->after.blocks, blocks);
    CHECK_EQ(change->after.bytes, bytes);
}

static void a_snapshot_may_have_one_site(void) {
    th_tracker_snapshot before;
    changes all = {.count = 0};
    tracker_start_at(0);
    void *block = tracker_alloc_at(1, 10);
    CHECK_EQ(th_tracker_snapshot_init(&before, &tracker), TH_OK);
    th_tracker_free(&tracker, block);
    CHECK(th_tracker_visit_changes(&tracker, &before, NULL, add_change, &all));
    CHECK_EQ(all.count, 1);
    expect_change(&all.list[0], 1, 1, 10, 0, 0);
    th_tracker_snapshot_clean_up(&before);
    tracker_stop();
}

static void snapshots_are_compared(void) {
    static const th_tracker_snapshot zeroed;
    th_tracker_snapshot before = zeroed, after;
    changes all = {.count = 0};
    tracker_start_at(0);
    CHECK_EQ(th_tracker_snapshot_init(&before, &tracker), TH_OK);
    CHECK(before.counts == NULL);
    th_tracker_snapshot_clean_up(&before);
    void *a = tracker_alloc_at(1, 10), *b = tracker_alloc_at(2, 20), *c = tracker_alloc_at(3, 30);
    tracker_own.left = 0;
    CHECK_EQ(th_tracker_snapshot_init(&before, &tracker), TH_ERR_EXHAUSTED);
    CHECK(memcmp(&before, &zeroed, sizeof before) == 0);
    tracker_own.left = SIZE_MAX;
    CHECK_EQ(th_tracker_snapshot_init(&before, &tracker), TH_OK);
    CHECK_EQ(before.serial, 3);
    CHECK(th_tracker_visit_changes(&tracker, &before, NULL, add_change, &all));
    CHECK_EQ(all.count, 0);
    void *d = tracker_alloc_at(1, 11), *e = tracker_alloc_at(4, 44);
    th_tracker_free(&tracker, b);
    CHECK(th_tracker_resize_in_place(&tracker, c, 31));
    CHECK_EQ(th_tracker_snapshot_init(&after, &tracker), TH_OK);
    th_tracker_free(&tracker, a);
    th_tracker_free(&tracker, d);
    CHECK(th_tracker_visit_changes(&tracker, &before, &after, add_change, &all));
    CHECK_EQ(all.count, 4);
    expect_change(&all.list[0], 1, 1, 10, 2, 21);
    expect_change(&all.list[1], 2, 1, 20, 0, 0);
    expect_change(&all.list[2], 3, 1, 30, 1, 31);
    expect_change(&all.list[3], 4, 0, 0, 1, 44);
    all.count = 0;
    CHECK(th_tracker_visit_changes(&tracker, &after, NULL, add_change, &all));
    CHECK_EQ(all.count, 1);
    expect_change(&all.list[0], 1, 2, 21, 0, 0);
    all = (changes){.stop_after = 2};
    CHECK(!th_tracker_visit_changes(&tracker, &zeroed, &after, add_change, &all));
    CHECK_EQ(all.count, 2);
    CHECK(th_tracker_visit_changes(&tracker, NULL, NULL, add_change, &all));
    CHECK_EQ(th_tracker_snapshot_init(NULL, &tracker), TH_ERR_NULL);
    CHECK_EQ(th_tracker_snapshot_init(&before, NULL), TH_ERR_NULL);
    th_tracker_snapshot_clean_up(&before);
    th_tracker_snapshot_clean_up(&after);
    CHECK(memcmp(&after, &zeroed, sizeof after) == 0);
    th_tracker_snapshot_clean_up(NULL);
    th_tracker_free(&tracker, c);
    th_tracker_free(&tracker, e);
    tracker_stop();
}

/* ---- NULL and zeroed ------------------------------------------------------------------------ */

static void nothing_is_tracked_by_nobody(void) {
    static th_tracker zeroed;
    th_tracker *nobodies[] = {NULL, &zeroed};
    const th_tracker_origin none = {.file = NULL};
    unsigned char elsewhere[16];
    uint32_t points;
    for (size_t i = 0; i < 2; i++) {
        seen events = {.count = 0};
        totals all = {0};
        th_tracker_snapshot snapshot;
        CHECK(!th_tracker_note_alloc(nobodies[i], elsewhere, 1, none));
        CHECK(!th_tracker_note_free(nobodies[i], elsewhere));
        CHECK(!th_tracker_note_sample(nobodies[i], elsewhere, 1, 1, none));
        CHECK(!th_tracker_sample(nobodies[i], 1, &points));
        CHECK(!th_tracker_find(nobodies[i], elsewhere, NULL));
        CHECK(th_tracker_realloc_from(nobodies[i], elsewhere, 1, 2, 16, none) == NULL);
        CHECK(th_tracker_realloc_from(nobodies[i], elsewhere, 1, 0, 16, none) == NULL);
        CHECK(th_tracker_visit_blocks(nobodies[i], add_block, &all));
        CHECK(th_tracker_visit_sites(nobodies[i], add_site, &all));
        CHECK(th_tracker_visit_events(nobodies[i], see, &events));
        CHECK_EQ(all.count + events.count, 0);
        CHECK_EQ(th_tracker_snapshot_init(&snapshot, nobodies[i]), TH_ERR_NULL);
        CHECK(th_tracker_visit_changes(nobodies[i], &(th_tracker_snapshot){0}, NULL, add_change,
                                       &all));
    }
}

TH_SUITE("tracker_views", TEST(samples_estimate_what_is_allocated), TEST(distances_are_exponential),
         TEST(the_same_seed_gives_the_same_samples), TEST(what_is_not_sampled_is_passed_on),
         TEST(growing_a_sample_in_place_stands_for_no_more),
         TEST(a_block_may_become_a_sample_by_moving), TEST(samples_can_be_noted_in_two_steps),
         TEST(the_history_holds_the_last_events), TEST(a_heap_is_followed_by_its_events),
         TEST(events_of_others_are_passed_over), TEST(visitors_see_everything_once),
         TEST(snapshots_are_compared), TEST(a_snapshot_may_have_one_site),
         TEST(nothing_is_tracked_by_nobody))
