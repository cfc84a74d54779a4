/* SPDX-License-Identifier: MIT */
/* th_heap_alloc_zeroed: the same block as th_heap_alloc_at makes, and all of its bytes zero; and
 * the operation `zeroed`, by which heaplab plays it. */

#include "heap_fixture.h"
#include "runner/runner.h"

static fixture fx, twin;

static void start_both(th_heap_layout layout, size_t alignment) {
    const th_heap_config config = {.alignment = alignment, .layout = layout};
    fixture_start_with(&fx, 0, 4096, &config);
    fixture_start_with(&twin, 0, 4096, &config);
}

static void stop_both(void) {
    CHECK_EQ(fx.faults, 0);
    fixture_stop(&fx);
    fixture_stop(&twin);
}

/* What the twin is asked in the usual way leads to the same blocks. */
static unsigned char *alloc_zeroed(size_t bytes, size_t alignment, uint32_t tag, uint32_t site) {
    unsigned char *payload = th_heap_alloc_zeroed(&fx.heap, bytes, alignment, tag, site);
    void *other = th_heap_alloc_at(&twin.heap, bytes, alignment, tag, site);
    CHECK_EQ(payload != NULL, other != NULL);
    validate_heap(&fx.heap, fx.alignment);
    expect_same_heaps(&fx.heap, &twin.heap);
    for (size_t i = 0; payload != NULL && i < bytes; i++) {
        CHECK_EQ(payload[i], 0);
    }
    return payload;
}

/* Between blocks that stay as they are, in memory that was full of something else. */
static void play_sizes(th_heap_layout layout, size_t alignment, uint32_t tag) {
    start_both(layout, alignment);
    unsigned char *blocks[3];
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = checked_alloc(&fx, 200, tag);
        (void)checked_alloc(&twin, 200, tag);
        fill(blocks[i], 200, i);
    }
    for (size_t bytes = 1; bytes <= 200; bytes++) {
        (void)checked_free_tags(&fx, tag + 1, tag + 1);
        (void)checked_free_tags(&twin, tag + 1, tag + 1);
        if (bytes == 1) { /* the middle one goes, and others come in its place */
            (void)checked_free(&fx, blocks[1]);
            (void)checked_free(&twin, twin.region + (blocks[1] - fx.region));
        }
        unsigned char *payload = alloc_zeroed(bytes, 1, tag + 1, (uint32_t)bytes);
        CHECK(payload != NULL);
        CHECK(filled(blocks[0], 200, 0) && filled(blocks[2], 200, 2));
        fill(payload, bytes, 7);
    }
    stop_both();
}

static void all_bytes_are_zero_and_no_others(void) {
    play_sizes(TH_HEAP_LAYOUT_CLASSIC, 4, 1);
    play_sizes(TH_HEAP_LAYOUT_CLASSIC, 16, 0x4001);
    play_sizes(TH_HEAP_LAYOUT_WIDE, 8, 0x40000001);
    play_sizes(TH_HEAP_LAYOUT_LEAN, 4, 1);
}

static void alignments_and_sites_are_kept(void) {
    start_both(TH_HEAP_LAYOUT_CLASSIC, 4);
    for (size_t alignment = 1; alignment <= 1024; alignment *= 2) {
        unsigned char *payload = alloc_zeroed(20, alignment, 3, (uint32_t)alignment + 5);
        CHECK(payload != NULL && (uintptr_t)payload % alignment == 0);
        CHECK_EQ(block_of(&fx.heap, payload).site, alignment + 5);
    }
    stop_both();
}

static void so_they_are_without_a_lock(void) {
    static alignas(16) unsigned char region[8192];
    th_heap heap;
    for (int level = 0; level <= th_guard_max(); level++) {
        memset(region, 0xAA, sizeof region);
        const th_heap_config config = {.guarding.level = level};
        CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
        for (uint32_t bytes = 1; bytes <= 100; bytes++) {
            unsigned char *payload = th_heap_alloc_zeroed(&heap, bytes, 1, bytes % 2, bytes);
            CHECK(payload != NULL && th_heap_site(&heap, payload) == bytes);
            for (size_t i = 0; i < bytes; i++) {
                CHECK_EQ(payload[i], 0);
            }
            fill(payload, bytes, 7);
            CHECK(bytes % 3 == 0 || th_heap_free(&heap, payload) > 0);
        }
        CHECK(th_heap_alloc_zeroed(&heap, 0, 1, 1, 1) == NULL);
        CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
        th_heap_clean_up(&heap);
    }
}

/* ---- with a lock ----------------------------------------------------------------------------- */

enum { WATCHED = 400 };

/* A lock whose release is the moment when other threads see the heap, and may free the block by
 * its tag, or freeze the heap. */
typedef struct watch {
    th_heap heap;
    int depth;
    unsigned releases;
    size_t blocks; /* seen at a release, of WATCHED bytes */
} watch;

static void take_lock(void *context) {
    watch *w = context;
    CHECK_EQ(++w->depth, 1); /* one that cannot be taken again */
}

static void expect_zeros(const th_heap_block *block) {
    const unsigned char *payload = block->payload;
    for (size_t i = 0; i < WATCHED; i++) {
        CHECK_EQ(payload[i], 0);
    }
}

static void look_and_let_go(void *context) {
    watch *w = context;
    th_heap_block block;
    CHECK_EQ(--w->depth, 0);
    w->releases++;
    w->blocks = 0;
    for (bool more = th_heap_first(&w->heap, &block); more; more = th_heap_next(&w->heap, &block)) {
        if (block.tag == 5) {
            w->blocks++;
            expect_zeros(&block);
        }
    }
}

static void expect_zeros_of_event(void *context, const th_event *event) {
    (void)context;
    if (event->kind == TH_EVENT_ALLOC && event->tag == 5) {
        th_heap_block block = {.payload = (void *)(uintptr_t)event->address};
        expect_zeros(&block);
    }
}

static bool free_one(void *context, th_heap *heap, size_t bytes) {
    const watch *w = context;
    CHECK(bytes == WATCHED && w->depth == 0); /* others may get in */
    return th_heap_free_tags(heap, 6, 6) == 1;
}

static void play_watched(int level, th_event_fn on_event) {
    static alignas(16) unsigned char region[2 * WATCHED];
    static watch w;
    w = (watch){0};
    memset(region, 0xAA, sizeof region);
    const th_heap_config config = {
        .guarding.level = level,
        .low_memory = free_one,
        .low_memory_context = &w,
        .on_event = on_event,
        .lock = {.acquire = take_lock, .release = look_and_let_go, .context = &w}};
    CHECK_EQ(th_heap_init(&w.heap, region, sizeof region, &config), TH_OK);
    unsigned char *before = th_heap_alloc(&w.heap, WATCHED, 6);
    CHECK(before != NULL);
    fill(before, WATCHED, 1);
    CHECK(th_heap_alloc_zeroed(&w.heap, WATCHED, 32, 5, 9) != NULL);
    CHECK_EQ(w.blocks, 1);
    CHECK_EQ(w.releases, 4); /* alloc; before low_memory; free_tags; at the end */
    CHECK(th_heap_alloc_zeroed(&w.heap, 0, 4, 5, 9) == NULL);
    CHECK(th_heap_alloc_zeroed(&w.heap, 4, 3, 5, 9) == NULL);
    CHECK_EQ(w.depth, 0);
    th_heap_clean_up(&w.heap);
}

static void nobody_sees_what_is_not_zero_yet(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        play_watched(level, NULL);
        play_watched(level, expect_zeros_of_event);
    }
}

static void what_alloc_refuses_is_refused(void) {
    start_both(TH_HEAP_LAYOUT_CLASSIC, 4);
    CHECK(alloc_zeroed(0, 4, 1, 0) == NULL);
    CHECK(alloc_zeroed(4, 0, 1, 0) == NULL);
    CHECK(alloc_zeroed(4, 3, 1, 0) == NULL);
    CHECK(alloc_zeroed(4, 4, FREE, 0) == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 0);
    CHECK(alloc_zeroed(SIZE_MAX, 4, 1, 0) == NULL);
    CHECK(alloc_zeroed(4096, 4, 1, 0) == NULL);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 2);
    stop_both();
    static th_heap none;
    CHECK(th_heap_alloc_zeroed(&none, 4, 4, 1, 0) == NULL);
}

static void the_lock_is_taken_and_given_back(void) {
    fixture_start(&fx, 4, 112);
    unsigned locks = fx.locks;
    CHECK(th_heap_alloc_zeroed(&fx.heap, 4, 4, 1, 0) != NULL);
    CHECK_EQ(fx.locks, locks + 1);
    CHECK_EQ(fx.lock_depth, 0);
    fixture_stop(&fx);
}

static bool call_from_inside(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    CHECK(th_heap_alloc_zeroed(&fx.heap, 4, 4, 1, 0) == NULL);
    CHECK_EQ(fx.faults, 1);
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_REENTRY);
    return true;
}

static void a_move_callback_must_not_call_it(void) {
    fixture_start(&fx, 4, 112);
    void *hole = checked_alloc(&fx, 40, 1);
    (void)checked_alloc(&fx, 40, 2);
    (void)checked_free(&fx, hole);
    CHECK_EQ(th_heap_compact(&fx.heap, call_from_inside, NULL).blocks_moved, 1);
    fx.faults = 0;
    fixture_stop(&fx);
}

static void heaplab_plays_it(void) {
    static const char text[] = "heap dwords=200 slots=8\n"
                               "alloc s0 tag=0x1001 bytes=100\n"
                               "zeroed s1 tag=0x4001 bytes=101\n"
                               "free s0\n"
                               "zeroed s0 tag=0x1001 bytes=77\n"
                               "zeroed s0 tag=0x1001 bytes=1\n"
                               "zeroed s2 tag=0x1001 bytes=max-0\n";
    lab_script script = {0};
    lab_text_error error;
    CHECK(lab_script_parse(&script, text, sizeof text - 1, &error));
    lab_runner *runner = lab_runner_new();
    CHECK(runner != NULL);
    const lab_run_options options = {.guard = -1, .comparison = LAB_COMPARE_BOTH};
    lab_failure failure;
    lab_run_counts counts = {0};
    CHECK(lab_runner_play(runner, &script, &options, &failure, &counts));
    CHECK_EQ(counts.by_kind[LAB_OP_ZEROED], 3); /* s0 is live the second time */
    CHECK_EQ(counts.failed_allocs, 1);
    lab_runner_destroy(runner);
    lab_script_clean_up(&script);
}

TH_SUITE("heap_zeroed", TEST(all_bytes_are_zero_and_no_others), TEST(alignments_and_sites_are_kept),
         TEST(so_they_are_without_a_lock), TEST(nobody_sees_what_is_not_zero_yet),
         TEST(what_alloc_refuses_is_refused), TEST(the_lock_is_taken_and_given_back),
         TEST(a_move_callback_must_not_call_it), TEST(heaplab_plays_it))
