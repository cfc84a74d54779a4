/* SPDX-License-Identifier: MIT */
/* The caller's hooks: the low-memory callback, the lock, and calls from inside a move callback,
 * which are refused and change nothing. Offsets and sizes are dwords; header 6. */
#include <string.h>

#include "heap_fixture.h"

static fixture fx;
static fixture other;

static void *take(uint32_t dwords, uint32_t tag) {
    void *pointer = checked_alloc(&fx, (size_t)dwords * 4, tag);
    CHECK(pointer != NULL);
    return pointer;
}

/* ---- low memory ------------------------------------------------------------------------------ */

/* What the callback does, in this order, and what it saw. */
typedef struct helper {
    uint32_t free_tags[4]; /* the block with this tag is freed in the n-th call; 0: none */
    bool answers[4];
    bool compacts;
    size_t allocates; /* bytes, under tag 0x3000, in the first call; 0: none */
    unsigned calls;
    size_t asked_bytes;
    void *allocated;
} helper;

static bool help(void *context, th_heap *heap, size_t bytes) {
    helper *h = context;
    unsigned call = h->calls++;
    CHECK(call < 4);
    CHECK(heap == &fx.heap);
    CHECK_EQ(fx.lock_depth, 0);
    h->asked_bytes = bytes;
    if (h->free_tags[call] != 0) {
        CHECK_EQ(th_heap_free_tags(heap, h->free_tags[call], h->free_tags[call]), 1);
    }
    if (h->compacts) {
        CHECK(th_heap_compact(heap, NULL, NULL).done);
    }
    if (h->allocates != 0 && call == 0) {
        h->allocated = th_heap_alloc(heap, h->allocates, 0x3000);
    }
    CHECK_EQ(fx.lock_depth, 0);
    return h->answers[call];
}

/* Blocks 1 to 4 of 20 dwords, and 6 left. */
static void start_helped(helper *h) {
    th_heap_config config = {.alignment = 4,
                             .guarding.level = th_guard_max(),
                             .low_memory = help,
                             .low_memory_context = h};
    fixture_start_with(&fx, 0, 122 * 4, &config);
    for (uint32_t i = 1; i <= 4; i++) {
        fill(take(20, i), 80, i);
    }
    EXPECT_BLOCKS(&fx.heap, {1, 20}, {2, 20}, {3, 20}, {4, 20}, {FREE, 6});
    CHECK_EQ(h->calls, 0);
}

static void low_memory_frees_and_the_allocation_succeeds(void) {
    helper h = {.free_tags = {2}, .answers = {true}};
    start_helped(&h);
    void *pointer = checked_alloc(&fx, 77, 7);
    CHECK_EQ(offset_of(&fx, pointer), 26);
    CHECK_EQ(h.calls, 1);
    CHECK_EQ(h.asked_bytes, 77);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 0);
    CHECK(filled(block_tagged(&fx.heap, 1).payload, 80, 1));
    fixture_stop(&fx);
}

static void low_memory_is_asked_until_it_fits(void) {
    helper h = {.free_tags = {1, 3, 2}, .answers = {true, true, true}};
    start_helped(&h);
    void *pointer = checked_alloc(&fx, 60 * 4, 7);
    CHECK_EQ(offset_of(&fx, pointer), 0);
    CHECK_EQ(h.calls, 3);
    EXPECT_BLOCKS(&fx.heap, {7, 60}, {FREE, 6}, {4, 20}, {FREE, 6});
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 0);
    fixture_stop(&fx);
}

static void low_memory_gives_up(void) {
    helper h = {.free_tags = {2}, .answers = {false}};
    start_helped(&h);
    CHECK(checked_alloc(&fx, 80, 7) == NULL);
    CHECK_EQ(h.calls, 1);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 1);
    EXPECT_BLOCKS(&fx.heap, {1, 20}, {FREE, 20}, {3, 20}, {4, 20}, {FREE, 6});

    h = (helper){.answers = {true, true, false}};
    CHECK(checked_alloc(&fx, 21 * 4, 7) == NULL);
    CHECK_EQ(h.calls, 3);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 2);
    fixture_stop(&fx);
}

static void low_memory_may_compact(void) {
    helper h = {.answers = {true}, .compacts = true};
    start_helped(&h);
    CHECK_EQ(checked_free_tags(&fx, 2, 2), 1);
    CHECK_EQ(offset_of(&fx, checked_alloc(&fx, 32 * 4, 7)), 78);
    CHECK_EQ(h.calls, 1);
    EXPECT_BLOCKS(&fx.heap, {1, 20}, {3, 20}, {4, 20}, {7, 32});
    for (uint32_t i = 1; i <= 4; i++) {
        CHECK(i == 2 || filled(block_tagged(&fx.heap, i).payload, 80, i));
    }
    fixture_stop(&fx);
}

static void low_memory_is_asked_about_impossible_sizes(void) {
    helper h = {.answers = {true, false}};
    start_helped(&h);
    CHECK(checked_alloc(&fx, SIZE_MAX, 7) == NULL);
    CHECK_EQ(h.calls, 2);
    CHECK(h.asked_bytes == SIZE_MAX);
    h = (helper){.answers = {false}};
    CHECK(checked_alloc_at(&fx, (size_t)1 << 31, 4, 7, 0) == NULL);
    CHECK_EQ(h.calls, 1);
    h = (helper){.answers = {false}};
    CHECK(checked_resize(&fx, block_tagged(&fx.heap, 1).payload, SIZE_MAX - 5) == NULL);
    CHECK_EQ(h.calls, 1);
    CHECK(h.asked_bytes == SIZE_MAX - 5);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 3);
    fixture_stop(&fx);
}

static void low_memory_is_not_asked_about_bad_requests(void) {
    helper h = {.answers = {true, true, true, true}};
    start_helped(&h);
    CHECK(checked_alloc(&fx, 0, 7) == NULL);
    CHECK(checked_alloc(&fx, 80, 0x7FFF) == NULL);
    CHECK(checked_alloc_at(&fx, 0, 80, 7, 0) == NULL);
    CHECK(checked_alloc_at(&fx, 24, 80, 7, 0) == NULL);
    CHECK(checked_resize(&fx, NULL, 1000) == NULL);
    CHECK(checked_alloc(&fx, 8, 7) != NULL);
    CHECK_EQ(h.calls, 0);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 0);
    fixture_stop(&fx);
}

static void low_memory_does_not_call_itself(void) {
    helper h = {.answers = {false}, .allocates = 80};
    start_helped(&h);
    CHECK(checked_alloc(&fx, 84, 7) == NULL);
    CHECK_EQ(h.calls, 1);
    CHECK(h.allocated == NULL);
    CHECK_EQ(h.asked_bytes, 84);
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 2);

    h = (helper){.free_tags = {3}, .answers = {true}, .allocates = 8};
    CHECK_EQ(offset_of(&fx, checked_alloc(&fx, 48, 7)), 60);
    CHECK_EQ(h.calls, 1);
    CHECK_EQ(block_of(&fx.heap, h.allocated).tag, 0x3000);
    fixture_stop(&fx);
}

static bool copy_to_context(void *context, th_heap *heap, size_t bytes) {
    static uint32_t region[122];
    (void)bytes;
    CHECK_EQ(th_heap_copy(heap, context, region), TH_OK);
    return false;
}

static bool count_the_call(void *context, th_heap *heap, size_t bytes) {
    unsigned *calls = context;
    (void)heap;
    (void)bytes;
    (*calls)++;
    return false;
}

/* The copy is not inside the callback, though the heap that it was made of is. */
static void a_copy_made_in_low_memory_asks_its_own(void) {
    th_heap copy = {0};
    unsigned calls = 0;
    th_heap_config config = {.alignment = 4,
                             .guarding.level = th_guard_max(),
                             .low_memory = copy_to_context,
                             .low_memory_context = &copy};
    fixture_start_with(&fx, 0, 122 * 4, &config);
    CHECK(checked_alloc(&fx, 122 * 4, 1) == NULL);
    copy.config.low_memory = count_the_call;
    copy.config.low_memory_context = &calls;
    CHECK(th_heap_alloc(&copy, 122 * 4, 1) == NULL);
    CHECK_EQ(calls, 1);
    th_heap_clean_up(&copy);
    fixture_stop(&fx);
}

static bool save_to_context(void *context, th_heap *heap, size_t bytes) {
    (void)bytes;
    memcpy(context, heap, sizeof *heap);
    return false;
}

/* An image that was saved inside the callback comes back outside of it. */
static void an_image_saved_in_low_memory_asks_its_own(void) {
    th_heap image = {0};
    unsigned calls = 0;
    th_heap_config config = {.alignment = 4,
                             .guarding.level = th_guard_max(),
                             .low_memory = save_to_context,
                             .low_memory_context = &image};
    fixture_start_with(&fx, 0, 122 * 4, &config);
    CHECK(checked_alloc(&fx, 122 * 4, 1) == NULL);
    th_heap_detach(&fx.heap);
    CHECK_EQ(th_heap_attach(&image, fx.region), TH_OK);
    image.config.low_memory = count_the_call;
    image.config.low_memory_context = &calls;
    CHECK(th_heap_alloc(&image, 122 * 4, 1) == NULL);
    CHECK_EQ(calls, 1);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    fixture_stop(&fx);
}

/* What was freed may lie just above the block: everything is tried again, in place too. */
/* As the child of a fork does, in which the callback is another thread's, and does not return. */
static bool renew_and_ask_again(void *context, th_heap *heap, size_t bytes) {
    unsigned *calls = context;
    if (++*calls == 1) {
        CHECK(th_heap_alloc(heap, bytes, 1) == NULL && *calls == 1);
        CHECK_EQ(th_heap_freeze(heap), TH_ERR_BUSY);
        CHECK_EQ(th_heap_renew(heap), TH_OK);
        CHECK(th_heap_alloc(heap, bytes, 1) == NULL && *calls == 2);
        CHECK_EQ(th_heap_freeze(heap), TH_OK);
        CHECK_EQ(th_heap_thaw(heap), TH_OK);
        CHECK_EQ(th_heap_check(heap, NULL), TH_OK);
    }
    return false;
}

static void a_renewed_heap_is_in_no_low_memory(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        unsigned calls = 0;
        const th_heap_config config = {.alignment = 16,
                                       .guarding.level = level,
                                       .low_memory = renew_and_ask_again,
                                       .low_memory_context = &calls};
        fixture_start_with(&fx, 0, 1024, &config);
        CHECK(th_heap_alloc(&fx.heap, 5000, 1) == NULL);
        CHECK_EQ(calls, 2);
        CHECK_EQ(fx.faults, 0);
        CHECK_EQ(fx.lock_depth, 0);
        CHECK_EQ(stats_of(&fx.heap).failed_allocs, 3);
        fixture_stop(&fx);
    }
}

static void low_memory_lets_a_resize_grow_in_place(void) {
    helper h = {.free_tags = {2}, .answers = {true}};
    start_helped(&h);
    void *pointer = block_tagged(&fx.heap, 1).payload;
    CHECK_PTR_EQ(checked_resize(&fx, pointer, 46 * 4), pointer);
    CHECK_EQ(h.calls, 1);
    CHECK_EQ(h.asked_bytes, 46 * 4);
    CHECK(filled(pointer, 80, 1));
    EXPECT_BLOCKS(&fx.heap, {1, 46}, {3, 20}, {4, 20}, {FREE, 6});
    fixture_stop(&fx);
}

static void low_memory_lets_a_resize_move(void) {
    helper h = {.free_tags = {2, 3}, .answers = {true, true}};
    start_helped(&h);
    void *moved = checked_resize(&fx, block_tagged(&fx.heap, 4).payload, 40 * 4);
    CHECK_EQ(offset_of(&fx, moved), 26);
    CHECK_EQ(h.calls, 2);
    CHECK(filled(moved, 80, 4));
    h = (helper){.answers = {false}};
    CHECK(checked_resize(&fx, moved, 500) == NULL);
    CHECK_EQ(h.calls, 1);
    CHECK(filled(moved, 80, 4));
    CHECK_EQ(stats_of(&fx.heap).failed_allocs, 1);
    fixture_stop(&fx);
}

/* ---- locks ---------------------------------------------------------------------------------- */

static bool expect_locked(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    CHECK_EQ(fx.lock_depth, 1);
    return true;
}

#define EXPECT_LOCKED(call)                                                                        \
    do {                                                                                           \
        unsigned locks_before_ = fx.locks;                                                         \
        (void)(call);                                                                              \
        CHECK(fx.locks > locks_before_);                                                           \
        CHECK_EQ(fx.lock_depth, 0);                                                                \
    } while (0)

static void every_changing_call_takes_the_lock_and_gives_it_back(void) {
    fixture_start(&fx, 4, 200);
    void *hole = th_heap_alloc(&fx.heap, 40, 1);
    void *a = NULL;
    EXPECT_LOCKED(a = th_heap_alloc(&fx.heap, 40, 2));
    EXPECT_LOCKED(th_heap_alloc_aligned(&fx.heap, 40, 64, 3));
    EXPECT_LOCKED(th_heap_alloc_at(&fx.heap, 40, 64, 4, 5));
    EXPECT_LOCKED(th_heap_alloc(&fx.heap, 4000, 5));
    EXPECT_LOCKED(th_heap_realloc(&fx.heap, a, 20));
    EXPECT_LOCKED(th_heap_realloc(&fx.heap, a, 4000));
    EXPECT_LOCKED(th_heap_trim(&fx.heap, a));
    EXPECT_LOCKED(th_heap_retag(&fx.heap, a, 6));
    EXPECT_LOCKED(th_heap_free(&fx.heap, hole));
    EXPECT_LOCKED(th_heap_free_tags(&fx.heap, 0x4000, 0x4001));
    EXPECT_LOCKED(th_heap_compact_some(&fx.heap, 0, expect_locked, NULL));
    EXPECT_LOCKED(th_heap_compact(&fx.heap, expect_locked, NULL));
    CHECK_EQ(fx.lock_depth_max, 1);
    fixture_stop(&fx);
}

/* Each is of one moment. The walk takes no lock, so that a crash handler can use it. */
static void queries_take_the_lock_and_the_walk_does_not(void) {
    fixture_start(&fx, 4, 200);
    void *a = take(10, 1);
    unsigned before = fx.locks;
    th_heap_block block;
    fx.lock_depth_max = 0;
    for (bool more = th_heap_first(&fx.heap, &block); more; more = th_heap_next(&fx.heap, &block)) {
        CHECK_EQ(fx.lock_depth, 0);
    }
    (void)th_heap_region_bytes(&fx.heap);
    CHECK_EQ(fx.locks, before);
    EXPECT_LOCKED(CHECK(th_heap_find(&fx.heap, a, &block)));
    EXPECT_LOCKED(CHECK(!th_heap_find(&fx.heap, &before, &block)));
    EXPECT_LOCKED(CHECK(th_heap_requested_size(&fx.heap, a) == 40));
    EXPECT_LOCKED(CHECK(th_heap_usable_size(&fx.heap, a) == 40));
    EXPECT_LOCKED(CHECK(th_heap_site(&fx.heap, a) == 0));
    EXPECT_LOCKED((void)th_heap_get_stats(&fx.heap));
    EXPECT_LOCKED((void)th_heap_free_head_bytes(&fx.heap));
    EXPECT_LOCKED((void)th_heap_largest_free_bytes(&fx.heap));
    EXPECT_LOCKED((void)th_heap_plan_compaction(&fx.heap, expect_locked, NULL));
    EXPECT_LOCKED(CHECK(th_heap_check(&fx.heap, NULL) == TH_OK));
    CHECK_EQ(fx.lock_depth_max, 1);
    before = fx.locks;
    th_heap_lock(&fx.heap);
    CHECK_EQ(fx.lock_depth, 1);
    th_heap_unlock(&fx.heap);
    CHECK_EQ(fx.lock_depth, 0);
    CHECK_EQ(fx.locks, before + 1);
    fixture_stop(&fx);
}

static void a_heap_needs_no_locks(void) {
    th_heap heap;
    static alignas(16) unsigned char region[400];
    const th_heap_config config = {.alignment = 4};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    void *a = th_heap_alloc(&heap, 40, 1);
    void *b = th_heap_alloc(&heap, 40, 2);
    CHECK_EQ(th_heap_free(&heap, a), 40);
    CHECK_EQ(th_heap_compact(&heap, NULL, NULL).blocks_moved, 1);
    CHECK_PTR_EQ(block_tagged(&heap, 2).payload, a);
    CHECK(b != a);
    validate_heap(&heap, 4);
    th_heap_clean_up(&heap);
}

/* ---- re-entry ------------------------------------------------------------------------------- */

static void *trimmable;
static unsigned refused;

/* One refused call: a fault of the right kind, and no block, statistic or payload is changed. */
static void expect_refused(const th_heap_stats *before) {
    refused++;
    CHECK_EQ(fx.faults, refused);
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_REENTRY);
    expect_blocks_unchanged(&fx);
    th_heap_stats after = stats_of(&fx.heap);
    expect_stats(&after, before);
    CHECK_EQ(fx.lock_depth, 1);
}

static void allocate_from_inside(const th_heap_stats *before) {
    CHECK(th_heap_alloc(&fx.heap, 4, 9) == NULL);
    expect_refused(before);
    CHECK(th_heap_alloc(&fx.heap, 4, 0x4009) == NULL);
    expect_refused(before);
    CHECK(th_heap_alloc_aligned(&fx.heap, 4, 64, 9) == NULL);
    expect_refused(before);
    CHECK(th_heap_alloc_at(&fx.heap, 4, 4, 9, 1) == NULL);
    expect_refused(before);
    CHECK(th_heap_realloc(&fx.heap, trimmable, 8) == NULL);
    expect_refused(before);
    CHECK(th_heap_realloc(&fx.heap, trimmable, 0) == NULL);
    expect_refused(before);
    CHECK(th_heap_realloc(&fx.heap, trimmable, 200) == NULL);
    expect_refused(before);
}

static void free_from_inside(const th_heap_stats *before, void *moving) {
    CHECK_EQ(th_heap_trim(&fx.heap, trimmable), 0);
    expect_refused(before);
    CHECK(!th_heap_retag(&fx.heap, trimmable, 9));
    expect_refused(before);
    CHECK_EQ(th_heap_free(&fx.heap, trimmable), 0);
    expect_refused(before);
    CHECK_EQ(th_heap_free(&fx.heap, moving), 0);
    expect_refused(before);
    CHECK_EQ(th_heap_free_tags(&fx.heap, 0, 0x7FFE), 0);
    expect_refused(before);
}

static void compact_from_inside(const th_heap_stats *before) {
    th_heap_compaction empty = th_heap_compact(&fx.heap, NULL, NULL);
    CHECK(empty.blocks_moved == 0 && empty.blocks_vetoed == 0 && empty.bytes_moved == 0);
    CHECK(!empty.done);
    expect_refused(before);
    empty = th_heap_compact_some(&fx.heap, 1000, NULL, NULL);
    CHECK(empty.blocks_moved == 0 && empty.blocks_vetoed == 0 && empty.bytes_moved == 0);
    CHECK(!empty.done);
    expect_refused(before);
}

static void manage_from_inside(const th_heap_stats *before) {
    static th_heap copy;
    CHECK_EQ(th_heap_copy(&fx.heap, &copy, other.region), TH_ERR_BUSY);
    CHECK(copy.base == NULL && copy.dwords == 0);
    expect_refused(before);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_ERR_BUSY);
    expect_refused(before);
    th_heap_detach(&fx.heap);
    expect_refused(before);
    th_heap_clean_up(&fx.heap);
    expect_refused(before);
}

static bool call_everything(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)to;
    (void)bytes;
    remember_blocks(&fx);
    th_heap_stats before = stats_of(&fx.heap);
    allocate_from_inside(&before);
    free_from_inside(&before, from);
    compact_from_inside(&before);
    manage_from_inside(&before);
    /* Another heap is another matter. */
    CHECK(checked_alloc(&other, 20, tag) != NULL);
    CHECK_EQ(th_heap_check(&fx.heap, NULL), TH_OK);
    return *(const bool *)context;
}

static void expect_reentry_refused(bool answer) {
    fixture_start(&fx, 4, 200);
    fixture_start(&other, 4, 200);
    void *hole = take(10, 1);
    fill(take(12, 2), 48, 2);
    trimmable = take(20, 3);
    CHECK_PTR_EQ(checked_resize(&fx, trimmable, 4), trimmable);
    fill(trimmable, 4, 3);
    CHECK(checked_free(&fx, hole) == 40);
    refused = 0;
    th_heap_compaction result = th_heap_compact(&fx.heap, call_everything, &answer);
    CHECK(result.done);
    CHECK_EQ(result.blocks_moved, answer ? 2 : 0);
    CHECK_EQ(result.blocks_vetoed, answer ? 0 : 1);
    CHECK_EQ(refused, answer ? 2 * 18 : 18);
    CHECK_EQ(fx.lock_depth, 0);
    fx.faults = 0;
    if (answer) {
        EXPECT_BLOCKS(&fx.heap, {2, 12}, {3, 20}, {FREE, 144});
    } else {
        EXPECT_BLOCKS(&fx.heap, {FREE, 10}, {2, 12}, {3, 20}, {FREE, 128});
    }
    CHECK(filled(block_tagged(&fx.heap, 2).payload, 48, 2));
    CHECK(filled(block_tagged(&fx.heap, 3).payload, 4, 3));
    CHECK(take(30, 4) != NULL);
    CHECK_EQ(checked_free_tags(&fx, 2, 4), 3);
    fixture_stop(&fx);
    fixture_stop(&other);
}

static void calls_from_a_move_callback_are_refused(void) {
    expect_reentry_refused(true);
}

static void they_are_refused_when_the_callback_vetoes_too(void) {
    expect_reentry_refused(false);
}

static bool call_in_a_step(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)to;
    (void)bytes;
    CHECK_EQ(th_heap_free(&fx.heap, from), 0);
    CHECK_EQ(fx.last_fault.kind, TH_FAULT_REENTRY);
    return true;
}

static void a_step_refuses_calls_as_well(void) {
    fixture_start(&fx, 4, 200);
    void *hole = take(10, 1);
    take(12, 2);
    take(12, 3);
    CHECK_EQ(checked_free(&fx, hole), 40);
    CHECK_EQ(th_heap_compact_some(&fx.heap, 0, call_in_a_step, NULL).blocks_moved, 1);
    CHECK_EQ(fx.faults, 1);
    fx.faults = 0;
    EXPECT_BLOCKS(&fx.heap, {2, 12}, {FREE, 10}, {3, 12}, {FREE, 136});
    CHECK(checked_alloc(&fx, 40, 4) != NULL);
    fixture_stop(&fx);
}

TH_SUITE("heap_hooks", TEST(low_memory_frees_and_the_allocation_succeeds),
         TEST(low_memory_is_asked_until_it_fits), TEST(low_memory_gives_up),
         TEST(low_memory_may_compact), TEST(low_memory_is_asked_about_impossible_sizes),
         TEST(low_memory_is_not_asked_about_bad_requests), TEST(low_memory_does_not_call_itself),
         TEST(a_copy_made_in_low_memory_asks_its_own),
         TEST(an_image_saved_in_low_memory_asks_its_own), TEST(a_renewed_heap_is_in_no_low_memory),
         TEST(low_memory_lets_a_resize_grow_in_place), TEST(low_memory_lets_a_resize_move),
         TEST(every_changing_call_takes_the_lock_and_gives_it_back),
         TEST(queries_take_the_lock_and_the_walk_does_not), TEST(a_heap_needs_no_locks),
         TEST(calls_from_a_move_callback_are_refused),
         TEST(they_are_refused_when_the_callback_vetoes_too), TEST(a_step_refuses_calls_as_well))
