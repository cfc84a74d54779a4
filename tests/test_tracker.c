/* SPDX-License-Identifier: MIT */
/* The tracker: what it knows of blocks and sites, at any number of them, and what it refuses.
 * test_tracker_views.c has samples, history, visits and snapshots. */
#include <string.h>

#include "resource/tracker_table.h"
#include "tagheap/heap.h"
#include "tracker_fixture.h"

/* ---- who allocated what --------------------------------------------------------------------- */

static void know_lines(int level) {
    tracker_start_at(level);
    uint32_t line = __LINE__ + 1;
    void *a = TH_TRACKED_ALLOC(&tracker, 100);
    void *b = TH_TRACKED_ALLOC_TAGGED(&tracker, 20, 0x1001);
    CHECK(strcmp(tracker_site_of(a)->file, __FILE__) == 0);
    CHECK_EQ(tracker_site_of(a)->line, line);
    CHECK_EQ(tracker_site_of(a)->tag, 0);
    CHECK_EQ(tracker_site_of(b)->line, line + 1);
    CHECK_EQ(tracker_site_of(b)->tag, 0x1001);
    CHECK_EQ(tracker_site_of(a)->live_bytes, 100);
    b = TH_TRACKED_REALLOC(&tracker, b, 20, 500);
    CHECK(b != NULL);
    CHECK_EQ(tracker_site_of(b)->line, __LINE__ - 2);
    CHECK_EQ(tracker_site_of(b)->live_bytes, 500);
    void *c = TH_TRACKED_REALLOC(&tracker, NULL, 0, 7);
    CHECK_EQ(tracker_site_of(c)->line, __LINE__ - 1);
    CHECK(TH_TRACKED_REALLOC(&tracker, c, 7, 0) == NULL);
    CHECK(!th_tracker_find(&tracker, c, NULL));
    const th_tracker_stats stats = th_tracker_get_stats(&tracker);
    CHECK_EQ(stats.live, 2);
    CHECK_EQ(stats.live_max, 3);
    CHECK_EQ(stats.requested_bytes, 600);
    CHECK_EQ(stats.requested_bytes_max, 607);
    CHECK_EQ(stats.estimated_bytes, 600);
    CHECK_EQ(stats.allocs, 4);
    CHECK_EQ(stats.frees, 2);
    CHECK_EQ(stats.sites, 4);
    th_tracker_free(&tracker, a);
    th_tracker_free(&tracker, b);
    tracker_stop();
}

static void every_block_knows_its_line(void) {
    at_levels(0, know_lines);
}

/* The same line three times is one site; another tag, line or file makes another one. */
static void sites_are_told_apart(void) {
    static const char file[] = "a.c";
    const uintptr_t one[] = {1, 2, 3}, two[] = {1, 2, 4};
    const th_tracker_origin origins[] = {
        {file, 1, 0, NULL, 0}, {file, 2, 0, NULL, 0}, {file, 1, 5, NULL, 0}, {NULL, 1, 0, NULL, 0},
        {file, 1, 0, one, 3},  {file, 1, 0, two, 3},  {file, 1, 0, one, 2}};
    enum { ORIGINS = sizeof origins / sizeof origins[0] };
    void *blocks[3][ORIGINS];
    tracker_start_at(0);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < ORIGINS; i++) {
            blocks[round][i] = th_tracker_alloc_from(&tracker, 10 + i, 16, origins[i]);
            CHECK_EQ(tracker_site_of(blocks[round][i])->number, i);
        }
    }
    for (size_t i = 0; i < ORIGINS; i++) {
        CHECK_EQ(tracker_site_of(blocks[0][i])->live_blocks, 3);
        CHECK_EQ(tracker_site_of(blocks[0][i])->live_bytes, 3 * (10 + i));
        CHECK_EQ(tracker_site_of(blocks[0][i])->depth, origins[i].depth);
        for (size_t round = 0; round < 3; round++) {
            th_tracker_free(&tracker, blocks[round][i]);
        }
    }
    CHECK_EQ(th_tracker_get_stats(&tracker).sites, ORIGINS);
    tracker_stop();
}

/* Each part of a site is compared, even if the hashes are the same. */
static void equal_hashes_are_no_equal_sites(void) {
    static const char file[] = "a.c";
    const uintptr_t frames[] = {1, 2}, others[] = {1, 3};
    const th_tracker_origin first = {file, 1, 7, frames, 2};
    tracker_start_at(0);
    void *block = th_tracker_alloc_from(&tracker, 8, 16, first);
    th_tracker_site *site = tracker.sites[0];
    th_tracker_site right = *site;
    const th_tracker_site wrongs[] = {{.file = NULL, .line = 1, .tag = 7, .depth = 2},
                                      {.file = file, .line = 2, .tag = 7, .depth = 2},
                                      {.file = file, .line = 1, .tag = 8, .depth = 2},
                                      {.file = file, .line = 1, .tag = 7, .depth = 1},
                                      {.file = file, .line = 1, .tag = 7, .depth = 2}};
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        site->file = wrongs[i].file;
        site->line = wrongs[i].line;
        site->tag = wrongs[i].tag;
        site->depth = wrongs[i].depth;
        site->frames = i == 4 ? others : right.frames;
        size_t sites = tracker.site_count;
        void *other = th_tracker_alloc_from(&tracker, 8, 16, first);
        CHECK_EQ(tracker_site_of(other)->number, i == 0 ? 1 : 1);
        CHECK_EQ(tracker.site_count, i == 0 ? sites + 1 : sites);
        th_tracker_free(&tracker, other);
    }
    *site = right;
    site->live_blocks = 1;
    th_tracker_free(&tracker, block);
    tracker_stop();
}

/* A function that finds stacks: what is told of it. */
typedef struct stack {
    uintptr_t frames[TH_TRACKER_FRAMES_MAX];
    size_t depth;
    size_t asked_for;
} stack;

static size_t unwind(void *context, uintptr_t *frames, size_t frames_max) {
    stack *from = context;
    size_t depth = from->depth < frames_max ? from->depth : frames_max;
    from->asked_for = frames_max;
    memcpy(frames, from->frames, depth * sizeof *frames);
    return depth;
}

static void stacks_come_from_the_caller(void) {
    stack here = {.frames = {0x30, 0x20, 0x10}, .depth = 3};
    const uintptr_t given[] = {9, 8, 7};
    th_tracker_config config = tracker_config_at(0);
    config.unwind = unwind;
    config.unwind_context = &here;
    tracker_start(&config);
    void *a = th_tracker_alloc(&tracker, 10);
    CHECK_EQ(here.asked_for, TH_TRACKER_FRAMES_MAX);
    CHECK_EQ(tracker_site_of(a)->depth, 3);
    CHECK_EQ(tracker_site_of(a)->frames[0], 0x30);
    CHECK_EQ(tracker_site_of(a)->frames[2], 0x10);
    void *b = th_tracker_alloc_from(&tracker, 10, 16, tracker_frames_of(given, 3));
    CHECK_EQ(tracker_site_of(b)->frames[1], 8);
    here.frames[2] = 0x11;
    void *c = th_tracker_alloc_aligned(&tracker, 10, 32);
    CHECK(tracker_site_of(c) != tracker_site_of(a));
    th_tracker_free(&tracker, a);
    th_tracker_free(&tracker, b);
    th_tracker_free(&tracker, c);
    tracker_stop();
    config = tracker_config_at(0);
    config.unwind = unwind;
    config.unwind_context = &here;
    config.frames_max = 2;
    tracker_start(&config);
    a = th_tracker_alloc(&tracker, 10);
    CHECK_EQ(here.asked_for, 2);
    CHECK_EQ(tracker_site_of(a)->depth, 2);
    b = th_tracker_alloc_from(&tracker, 10, 16, tracker_frames_of(given, 3));
    CHECK_EQ(tracker_site_of(b)->depth, 2);
    th_tracker_free(&tracker, a);
    th_tracker_free(&tracker, b);
    tracker_stop();
}

/* What takes an allocator allocates for the view's origin. */
static void views_have_an_origin(void) {
    static const char file[] = "level.c";
    tracker_start_at(0);
    th_tracker_view view = {&tracker, th_tracker_line(file, 12, 0x4001)};
    th_allocator traced = th_tracker_view_allocator(&view);
    void *block = th_allocator_alloc(traced, 30);
    CHECK_PTR_EQ(tracker_site_of(block)->file, file);
    CHECK_EQ(tracker_site_of(block)->tag, 0x4001);
    block = th_allocator_realloc(traced, block, 30, 400, 16, NULL);
    CHECK_EQ(tracker_site_of(block)->line, 12);
    CHECK(th_allocator_owns(traced, block));
    CHECK_EQ(th_allocator_usable_size(traced, block),
             th_classes_usable_size(&tracker_below, block));
    th_allocator_free(traced, block);
    CHECK(th_tracker_view_allocator(NULL).table == NULL);
    tracker_stop();
}

/* ---- any number, in any order --------------------------------------------------------------- */

enum { MANY = 3000 };

static void note_free_all_forwards(void) {
    for (uintptr_t i = 1; i <= MANY; i++) {
        CHECK(th_tracker_note_free(&tracker, (void *)(i * 16)));
        CHECK(!th_tracker_note_free(&tracker, (void *)(i * 16)));
    }
}

static void no_number_is_too_large(void) {
    th_tracker_config config = tracker_config_at(0);
    config.tracked = (th_allocator){0};
    config.backing = th_system_allocator(); /* the fixture's keeps a list */
    tracker_start(&config);
    for (size_t round = 0; round < 2; round++) {
        for (uintptr_t i = 1; i <= MANY; i++) {
            const uintptr_t frames[] = {i};
            CHECK(
                th_tracker_note_alloc(&tracker, (void *)(i * 16), i, tracker_frames_of(frames, 1)));
        }
        CHECK_EQ(th_tracker_get_stats(&tracker).live, MANY);
        CHECK_EQ(th_tracker_get_stats(&tracker).sites, MANY);
        th_fault fault;
        CHECK_EQ(th_tracker_check(&tracker, &fault), TH_OK);
        for (uintptr_t i = 1; i <= MANY; i++) {
            CHECK_EQ(tracker_site_of((void *)(i * 16))->frames[0], i);
        }
        note_free_all_forwards();
        CHECK_EQ(th_tracker_get_stats(&tracker).live, 0);
    }
    /* As the header says: places are at most 8 / 3 of the blocks. */
    CHECK(tracker.capacity * 3 <= MANY * 8);
    CHECK(th_tracker_get_stats(&tracker).own_bytes <=
          tracker.capacity * sizeof(th_tracker_record) +
              MANY * (sizeof(th_tracker_site) + sizeof(uintptr_t) + 32) +
              4 * sizeof(th_tracker_event));
    th_tracker_clean_up(&tracker);
    th_classes_clean_up(&tracker_below);
}

/* Against an array, with addresses that meet in few places of the table. */
static void random_work_agrees_with_a_list(void) {
    enum { PLACES = 500, STEPS = 40000 };
    static size_t bytes_at[PLACES];
    uint64_t random = th_test_seed(20261130), live = 0, bytes = 0;
    th_tracker_config config = tracker_config_at(0);
    config.tracked = (th_allocator){0};
    tracker_start(&config);
    memset(bytes_at, 0, sizeof bytes_at);
    for (unsigned step = 0; step < STEPS; step++) {
        size_t at = (size_t)(th_test_random(&random) % PLACES);
        const void *address = (const void *)((at + 1) * 4096);
        const th_tracker_origin origin = {.line = (uint32_t)(at % 7)};
        if (bytes_at[at] == 0 || th_test_random(&random) % 8 == 0) {
            live += bytes_at[at] == 0;
            bytes -= bytes_at[at]; /* noted once more: its free was not seen */
            bytes_at[at] = (size_t)(th_test_random(&random) % 1000) + 1;
            bytes += bytes_at[at];
            CHECK(th_tracker_note_alloc(&tracker, address, bytes_at[at], origin));
        } else {
            CHECK(th_tracker_note_free(&tracker, address));
            live--;
            bytes -= bytes_at[at];
            bytes_at[at] = 0;
        }
        CHECK_EQ(th_tracker_get_stats(&tracker).live, live);
        CHECK_EQ(th_tracker_get_stats(&tracker).requested_bytes, bytes);
        if (step % 1000 == 0) {
            CHECK_EQ(th_tracker_check(&tracker, NULL), TH_OK);
        }
        CHECK_EQ(th_tracker_find(&tracker, address, NULL), bytes_at[at] != 0);
    }
    tracker_stop();
}

/* ---- misuse --------------------------------------------------------------------------------- */

#define LOW(pointer) (uint32_t)(uintptr_t)(pointer)
#define NOWHERE      TH_FAULT_NOWHERE

static void name_stray_pointers(int level) {
    unsigned char elsewhere[16];
    bool moved;
    tracker_start_at(level);
    th_allocator traced = th_tracker_allocator(&tracker);
    unsigned char *block = th_tracker_alloc(&tracker, 100);
    th_tracker_free(&tracker, elsewhere);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, LOW(elsewhere));
    th_tracker_free(&tracker, block + 16);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, LOW(block + 16));
    CHECK(!th_tracker_resize_in_place(&tracker, block + 1, 5));
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, LOW(block + 1));
    CHECK(th_tracker_realloc_from(&tracker, elsewhere, 4, 8, 16, tracker_frames_of(NULL, 0)) ==
          NULL);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, LOW(elsewhere));
    CHECK(th_allocator_realloc(traced, elsewhere, 4, 8, 16, &moved) == NULL && !moved);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, LOW(elsewhere));
    th_tracker_free(&tracker, block);
    th_tracker_free(&tracker, block);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_DOUBLE_FREE, NOWHERE, 0, NOWHERE, 0, LOW(block));
    CHECK_EQ(th_tracker_get_stats(&tracker).frees, 1);
    tracker_stop();
}

static void stray_pointers_are_named_and_not_followed(void) {
    at_levels(0, name_stray_pointers);
}

/* A block that has moved away was one, too; and what the history has forgotten is foreign. */
static void the_history_tells_a_double_free(void) {
    th_tracker_config config = tracker_config_at(0);
    config.history_events = 1;
    tracker_start(&config);
    void *block = th_tracker_alloc(&tracker, 16);
    void *moved = TH_TRACKED_REALLOC(&tracker, block, 16, 2000);
    CHECK(moved != block);
    th_tracker_free(&tracker, block);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_DOUBLE_FREE, NOWHERE, 0, NOWHERE, 0, LOW(block));
    void *other = th_tracker_alloc(&tracker, 3000);
    th_tracker_free(&tracker, block);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, LOW(block));
    th_tracker_free(&tracker, moved);
    th_tracker_free(&tracker, other);
    tracker_stop();
    config = tracker_config_at(0);
    config.history_events = 0;
    tracker_start(&config);
    block = th_tracker_alloc(&tracker, 16);
    th_tracker_free(&tracker, block);
    th_tracker_free(&tracker, block);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, LOW(block));
    tracker_stop();
}

static void bad_requests_change_nothing(void) {
    tracker_start_at(0);
    const th_tracker_origin none = {.file = NULL};
    void *block = th_tracker_alloc(&tracker, 24);
    CHECK(th_tracker_alloc(&tracker, 0) == NULL);
    CHECK(th_tracker_alloc(&tracker, (size_t)PTRDIFF_MAX + 1) == NULL);
    CHECK(th_tracker_alloc_aligned(&tracker, 8, 24) == NULL);
    CHECK(th_tracker_realloc_from(&tracker, block, 24, SIZE_MAX, 16, none) == NULL);
    CHECK(th_tracker_realloc_from(&tracker, block, 24, 30, 3, none) == NULL);
    CHECK(!th_tracker_resize_in_place(&tracker, NULL, 8));
    CHECK(!th_tracker_resize_in_place(&tracker, block, 0));
    CHECK(!th_tracker_note_alloc(&tracker, NULL, 8, none));
    CHECK(!th_tracker_note_free(&tracker, NULL));
    CHECK(!th_tracker_find(&tracker, NULL, NULL));
    th_tracker_free(&tracker, NULL);
    CHECK_EQ(th_tracker_get_stats(&tracker).failed_allocs, 0);
    CHECK_EQ(tracker_site_of(block)->live_bytes, 24);
    th_tracker_free(&tracker, block);
    tracker_stop();
}

static void bad_configs_are_refused(void) {
    static const th_allocator_table half_table = {.free = NULL};
    static const th_tracker before;
    const th_allocator half = {.table = &half_table};
    const th_tracker_config good = tracker_config_at(0);
    th_tracker_config bad[5];
    for (size_t i = 0; i < 5; i++) {
        bad[i] = good;
    }
    bad[0].tracked = bad[0].backing = (th_allocator){0};
    bad[1].tracked = half;
    bad[2].backing = half;
    bad[3].frames_max = TH_TRACKER_FRAMES_MAX + 1;
    bad[4].guarding.level = 4;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(th_tracker_init(&tracker, &bad[i]), TH_ERR_CONFIG);
        CHECK(memcmp(&tracker, &before, sizeof before) == 0);
    }
    CHECK_EQ(th_tracker_init(NULL, &good), TH_ERR_NULL);
    CHECK_EQ(th_tracker_init(&tracker, NULL), TH_ERR_NULL);
    tracker_own.left = 0;
    CHECK_EQ(th_tracker_init(&tracker, &good), TH_ERR_EXHAUSTED);
    CHECK(memcmp(&tracker, &before, sizeof before) == 0);
    tracker_own.left = SIZE_MAX;
    tracker_start(&good);
    tracker_stop();
}

/* ---- no memory --------------------------------------------------------------------------- */

static void fail_at_each_request(int level) {
    for (size_t left = 0; left <= 3; left++) { /* sites, a site, records */
        tracker_start_at(level);
        tracker_own.left = left;
        void *block = th_tracker_alloc(&tracker, 50);
        CHECK_EQ(block != NULL, left == 3);
        CHECK_EQ(th_tracker_get_stats(&tracker).failed_allocs, left < 3);
        CHECK_EQ(th_classes_get_stats(&tracker_below).live, left == 3);
        tracker_own.left = SIZE_MAX;
        th_tracker_free(&tracker, block);
        tracker_stop();
        tracker_start_at(level);
        tracker_own.left = left;
        CHECK_EQ(th_tracker_note_alloc(&tracker, &tracker_own, 50, tracker_frames_of(NULL, 0)),
                 left == 3);
        tracker_own.left = SIZE_MAX;
        CHECK_EQ(th_tracker_note_free(&tracker, &tracker_own), left == 3);
        tracker_stop();
    }
}

static void without_memory_requests_fail(void) {
    at_levels(0, fail_at_each_request);
}

static void a_failed_resize_keeps_the_block(void) {
    tracker_start_at(0);
    unsigned char *block = TH_TRACKED_ALLOC(&tracker, 50);
    memset(block, 7, 50);
    tracker_memory.left = 0;
    CHECK(TH_TRACKED_REALLOC(&tracker, block, 50, 5000) == NULL);
    CHECK(TH_TRACKED_ALLOC(&tracker, 5000) == NULL);
    tracker_own.left = 0;
    CHECK(TH_TRACKED_REALLOC(&tracker, block, 50, 60) == NULL);
    CHECK_EQ(th_tracker_get_stats(&tracker).failed_allocs, 3);
    CHECK_EQ(tracker_site_of(block)->live_bytes, 50);
    CHECK_EQ(block[49], 7);
    tracker_memory.left = tracker_own.left = SIZE_MAX;
    th_tracker_free(&tracker, block);
    tracker_stop();
}

/* The table is full at three quarters, and stays as it is if it cannot grow. */
static void a_table_that_cannot_grow_refuses(void) {
    th_tracker_config config = tracker_config_at(0);
    config.tracked = (th_allocator){0};
    tracker_start(&config);
    CHECK(th_tracker_note_alloc(&tracker, (void *)16, 1, tracker_frames_of(NULL, 0)));
    tracker_own.left = 0;
    for (uintptr_t i = 2; i <= 48; i++) {
        CHECK(th_tracker_note_alloc(&tracker, (void *)(i * 16), 1, tracker_frames_of(NULL, 0)));
    }
    CHECK(!th_tracker_note_alloc(&tracker, (void *)(49 * 16), 1, tracker_frames_of(NULL, 0)));
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 48);
    CHECK(th_tracker_note_free(&tracker, (void *)16));
    CHECK(th_tracker_note_alloc(&tracker, (void *)(49 * 16), 1, tracker_frames_of(NULL, 0)));
    tracker_own.left = SIZE_MAX;
    for (uintptr_t i = 2; i <= 49; i++) {
        CHECK(th_tracker_note_free(&tracker, (void *)(i * 16)));
    }
    tracker_stop();
}

/* ---- resize and reset ----------------------------------------------------------------------- */

static void resize(int level) {
    tracker_start_at(level);
    void *block = th_tracker_alloc(&tracker, 70);
    const th_tracker_site *site = tracker_site_of(block);
    CHECK(th_tracker_resize_in_place(&tracker, block, 80));
    CHECK_EQ(site->live_bytes, 80);
    CHECK_EQ(site->alloc_bytes, 80);
    CHECK_EQ(site->alloc_estimate, 80);
    CHECK(th_tracker_resize_in_place(&tracker, block, 60));
    CHECK_EQ(site->live_bytes, 60);
    CHECK_EQ(site->live_estimate, 60);
    CHECK_EQ(site->alloc_bytes, 80);
    CHECK(!th_tracker_resize_in_place(&tracker, block, 90));
    CHECK_EQ(site->live_bytes, 60);
    const th_tracker_stats stats = th_tracker_get_stats(&tracker);
    CHECK_EQ(stats.requested_bytes, 60);
    CHECK_EQ(stats.requested_bytes_max, 80);
    CHECK_EQ(stats.estimated_bytes, 60);
    CHECK_EQ(stats.allocs, 1);
    th_tracker_free(&tracker, block);
    tracker_stop();
}

static void resizing_in_place_keeps_the_site(void) {
    at_levels(0, resize);
}

static void reset(int level) {
    tracker_start_at(level);
    void *last = NULL;
    for (unsigned i = 0; i < 200; i++) {
        last = th_tracker_alloc(&tracker, 16);
    }
    CHECK_EQ(th_tracker_reset(&tracker), TH_OK);
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 0);
    CHECK_EQ(th_tracker_get_stats(&tracker).requested_bytes, 0);
    CHECK_EQ(th_tracker_get_stats(&tracker).frees, 200);
    CHECK_EQ(th_classes_get_stats(&tracker_below).live, 0);
    th_tracker_free(&tracker, last);
    EXPECT_LOGGED(&tracker_faults, 0, TH_FAULT_DOUBLE_FREE, NOWHERE, 0, NOWHERE, 0, LOW(last));
    tracker_stop();
}

static void a_reset_forgets_all_blocks(void) {
    at_levels(0, reset);
    th_tracker_config config = tracker_config_at(0);
    config.tracked = config.backing; /* which has no reset */
    tracker_start(&config);
    void *block = th_tracker_alloc(&tracker, 16);
    CHECK_EQ(th_tracker_reset(&tracker), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 1);
    th_tracker_free(&tracker, block);
    tracker_stop();
}

/* ---- the checker ---------------------------------------------------------------------------- */

static void expect_bad(th_fault_kind kind) {
    expect_damage(th_tracker_allocator(&tracker), kind);
}

static void the_checker_finds_damage(void) {
    tracker_start_at(0);
    void *a = tracker_alloc_at(1, 10), *b = tracker_alloc_at(2, 20);
    th_tracker_record *record = th_tracker_look_up(&tracker, (uintptr_t)a);
    record->address = 1;
    expect_bad(TH_FAULT_INDEX);
    record->address = (uintptr_t)a;
    record->site = 2;
    expect_bad(TH_FAULT_CONTROL);
    record->site = 1;
    expect_bad(TH_FAULT_COUNT);
    record->site = 0;
    record->bytes++;
    expect_bad(TH_FAULT_COUNT);
    tracker.live_bytes++;
    expect_bad(TH_FAULT_COUNT); /* the site knows better */
    record->bytes--;
    tracker.live_bytes--;
    tracker.live--;
    expect_bad(TH_FAULT_COUNT);
    tracker.live++;
    tracker.live_estimate++;
    expect_bad(TH_FAULT_COUNT);
    tracker.live_estimate--;
    for (size_t i = 0; i < tracker.site_capacity; i++) {
        if (tracker.site_slots[i] == 2) {
            tracker.site_slots[i] = 0;
            expect_bad(TH_FAULT_INDEX);
            tracker.site_slots[i] = 2;
        }
    }
    CHECK_EQ(th_tracker_check(&tracker, NULL), TH_OK);
    uint64_t failed = tracker_below.slabs[0].config.object_bytes;
    tracker_below.slabs[0].config.object_bytes++;
    CHECK_EQ(th_tracker_check(&tracker, NULL), th_classes_check(&tracker_below, NULL));
    tracker_below.slabs[0].config.object_bytes = (size_t)failed;
    th_tracker_free(&tracker, a);
    th_tracker_free(&tracker, b);
    tracker_stop();
}

/* ---- level 3 -------------------------------------------------------------------------------- */

static void expect_noticed(void) {
    CHECK_EQ(tracker_faults.count, 1);
    CHECK_EQ(tracker_faults.last.kind, TH_FAULT_COUNT);
    tracker_faults = (fault_log){0};
}

/* The checker runs after each operation. */
static void damage_is_noticed_by_the_next_operation(void) {
    if (th_guard_max() < 3) {
        return;
    }
    tracker_start_at(3);
    void *block = th_tracker_alloc(&tracker, 70);
    tracker.live_estimate++;
    void *other = th_tracker_alloc(&tracker, 16);
    expect_noticed();
    CHECK(th_tracker_resize_in_place(&tracker, block, 80));
    expect_noticed();
    block = TH_TRACKED_REALLOC(&tracker, block, 80, 300);
    expect_noticed();
    CHECK(th_tracker_note_alloc(&tracker, tracker_nobodys, 5, tracker_frames_of(NULL, 0)));
    expect_noticed();
    CHECK(th_tracker_note_free(&tracker, tracker_nobodys));
    expect_noticed();
    th_tracker_on_event(&tracker, &(th_event){.kind = TH_EVENT_FREE});
    expect_noticed();
    th_tracker_free(&tracker, other);
    expect_noticed();
    CHECK_EQ(th_tracker_reset(&tracker), TH_OK);
    expect_noticed();
    tracker.live_estimate--;
    tracker_stop();
}

/* A reset reaches each place of the table. */
static void a_reset_reaches_the_first_place(void) {
    th_tracker_config config = tracker_config_at(0);
    config.tracked = (th_allocator){0};
    tracker_start(&config);
    uintptr_t at = 4096;
    CHECK(th_tracker_note_alloc(&tracker, (const void *)at, 1, tracker_frames_of(NULL, 0)));
    while (th_tracker_look_up(&tracker, at) != tracker.records) {
        CHECK(th_tracker_note_free(&tracker, (const void *)at));
        at += 4096;
        CHECK(th_tracker_note_alloc(&tracker, (const void *)at, 1, tracker_frames_of(NULL, 0)));
    }
    th_tracker_on_event(&tracker, &(th_event){.kind = TH_EVENT_RESET});
    CHECK_EQ(th_tracker_get_stats(&tracker).live, 0);
    tracker_stop();
}

TH_SUITE("tracker", TEST(every_block_knows_its_line), TEST(sites_are_told_apart),
         TEST(equal_hashes_are_no_equal_sites), TEST(stacks_come_from_the_caller),
         TEST(views_have_an_origin), TEST(no_number_is_too_large),
         TEST(random_work_agrees_with_a_list), TEST(stray_pointers_are_named_and_not_followed),
         TEST(the_history_tells_a_double_free), TEST(bad_requests_change_nothing),
         TEST(bad_configs_are_refused), TEST(without_memory_requests_fail),
         TEST(a_failed_resize_keeps_the_block), TEST(a_table_that_cannot_grow_refuses),
         TEST(resizing_in_place_keeps_the_site), TEST(a_reset_forgets_all_blocks),
         TEST(damage_is_noticed_by_the_next_operation), TEST(a_reset_reaches_the_first_place),
         TEST(the_checker_finds_damage))
