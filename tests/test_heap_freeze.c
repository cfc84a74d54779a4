/* SPDX-License-Identifier: MIT */
/* A frozen heap: no call changes it, or as much as writes to it; what only looks goes on. That not
 * a byte is written is seen in pages that are read-only (test_page_heap.c). */
#include <string.h>

#include "guard_fixture.h"
#include "heap_fixture.h"

static void expect_refused(void) {
    CHECK(sc.faults > 0);
    CHECK_EQ(sc.first.kind, TH_FAULT_FROZEN);
    CHECK_EQ(sc.first.block, TH_FAULT_NOWHERE);
    CHECK_EQ(sc.first.offset, TH_FAULT_NOWHERE);
}

static void freeze_and_look(void) {
    const th_heap_stats before = th_heap_get_stats(&sc.heap);
    const uint32_t fast = sc.heap.fast;
    th_heap_block block;
    size_t blocks = 0;
    CHECK_EQ(th_heap_freeze(&sc.heap), TH_OK);
    scene_remember();
    const th_heap_stats now = th_heap_get_stats(&sc.heap);
    expect_stats(&now, &before);
    for (bool more = th_heap_first(&sc.heap, &block); more; more = th_heap_next(&sc.heap, &block)) {
        blocks++;
    }
    CHECK_EQ(blocks, SCENE_LIVE + 4); /* three free ones, and LAST */
    CHECK(th_heap_find(&sc.heap, sc.c + 3, &block) && block.payload == (void *)sc.c);
    CHECK_EQ(th_heap_requested_size(&sc.heap, sc.a), 30);
    CHECK(th_heap_usable_size(&sc.heap, sc.a) >= 30);
    CHECK_EQ(th_heap_site(&sc.heap, sc.a), 0);
    CHECK(th_heap_plan_compaction(&sc.heap, NULL, NULL).blocks_moved > 0);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    CHECK_EQ(th_heap_renew(&sc.heap), TH_OK);
    CHECK_EQ(sc.faults, 0);
    expect_unchanged();
    CHECK_EQ(th_heap_thaw(&sc.heap), TH_OK);
    CHECK_EQ(sc.heap.fast, fast);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    CHECK(th_heap_free(&sc.heap, sc.a) > 0);
    CHECK_EQ(sc.faults, 0);
}

static void looking_goes_on(void) {
    scene_play(0, freeze_and_look);
}

static void call_everything(void) {
    CHECK_EQ(th_heap_freeze(&sc.heap), TH_OK);
    for (unsigned call = 0; call < ANY_CALL_COUNT; call++) {
        scene_remember();
        any_call(call);
        if (call < CHANGING_CALL_COUNT || call >= BLOCK_CALL_COUNT) {
            expect_refused();
        }
        expect_unchanged();
    }
    scene_remember();
    CHECK(th_heap_alloc_aligned(&sc.heap, 10, 256, 1) == NULL);
    CHECK(th_heap_alloc_at(&sc.heap, 10, 4, 1, 7) == NULL);
    CHECK(th_heap_alloc_zeroed(&sc.heap, 10, 4, 1, 7) == NULL);
    CHECK_EQ(sc.faults, 3);
    CHECK_EQ(th_heap_freeze(&sc.heap), TH_ERR_BUSY);
    CHECK_EQ(th_heap_set_index(&sc.heap, NULL, 0), TH_ERR_BUSY);
    CHECK_EQ(th_heap_set_on_event(&sc.heap, NULL, NULL), TH_ERR_BUSY);
    th_heap_detach(&sc.heap);
    th_heap_clean_up(&sc.heap);
    CHECK_EQ(sc.faults, 8);
    expect_refused();
    expect_unchanged();
    CHECK_EQ(th_heap_thaw(&sc.heap), TH_OK);
}

static void no_call_changes_it(void) {
    scene_play(0, call_everything);
}

/* ---- copies and images ---------------------------------------------------------------------- */

static void expect_free_of(th_heap *heap, const unsigned char *there) {
    CHECK_EQ(heap->fast, sc.before.fast);
    CHECK_EQ(th_heap_check(heap, NULL), TH_OK);
    CHECK_EQ(memcmp(there + byte_of(sc.c), sc.c, 45), 0);
    void *added = th_heap_alloc(heap, 10, 1);
    CHECK(added != NULL && th_heap_free(heap, added) > 0);
    CHECK_EQ(th_heap_freeze(heap), TH_OK);
    CHECK_EQ(th_heap_thaw(heap), TH_OK);
}

static void copy_and_attach(void) {
    static _Alignas(64) unsigned char there[SCENE_DWORDS * 4];
    th_heap copy;
    CHECK_EQ(th_heap_freeze(&sc.heap), TH_OK);
    const uint32_t fast = sc.before.fast;
    scene_remember();
    sc.before.fast = fast;
    CHECK_EQ(th_heap_copy(&sc.heap, &copy, there), TH_OK);
    expect_unchanged();
    expect_free_of(&copy, there);
    th_heap image = sc.heap;
    CHECK_EQ(th_heap_attach(&image, there), TH_OK); /* where the bytes of it are */
    expect_free_of(&image, there);
    th_heap_clean_up(&image);
    memset(there, 0, sizeof there);
    CHECK_EQ(th_heap_attach(&sc.heap, there), TH_ERR_CORRUPT);
    CHECK_EQ(sc.faults, 0);
    expect_unchanged();
    CHECK(th_heap_alloc(&sc.heap, 10, 1) == NULL); /* it is frozen still */
    expect_refused();
    CHECK_EQ(th_heap_attach(&sc.heap, sc.region), TH_OK);
    expect_free_of(&sc.heap, sc.region);
    CHECK_EQ(sc.faults, 1);
}

static void copies_and_images_are_not_frozen(void) {
    scene_play(0, copy_and_attach);
}

/* ---- when it cannot be ---------------------------------------------------------------------- */

static th_status frozen_inside, thawed_inside, renewed_inside;

static bool freeze_in_a_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context, (void)tag, (void)from, (void)to, (void)bytes;
    frozen_inside = th_heap_freeze(&sc.heap);
    thawed_inside = th_heap_thaw(&sc.heap);
    renewed_inside = th_heap_renew(&sc.heap);
    return false;
}

static void freeze_in_callbacks(void) {
    scene_remember();
    (void)th_heap_compact(&sc.heap, freeze_in_a_move, NULL);
    CHECK(frozen_inside == TH_ERR_BUSY && thawed_inside == TH_ERR_BUSY);
    CHECK_EQ(renewed_inside, TH_ERR_BUSY);
    CHECK_EQ(sc.faults, 3); /* one block would move */
    CHECK_EQ(sc.first.kind, TH_FAULT_REENTRY);
    CHECK_EQ(sc.last.kind, TH_FAULT_REENTRY);
    CHECK_EQ(th_heap_thaw(&sc.heap), TH_OK); /* which is not frozen */
    CHECK(th_heap_alloc(&sc.heap, 10, 1) != NULL);
}

static void it_is_not_frozen_inside_a_move(void) {
    scene_play(0, freeze_in_callbacks);
}

static bool freeze_in_low_memory(void *context, th_heap *heap, size_t bytes) {
    (void)context, (void)bytes;
    frozen_inside = th_heap_freeze(heap);
    thawed_inside = th_heap_thaw(heap); /* of a heap that is not frozen: nothing */
    return false;
}

static void count(void *context, const th_fault *fault) {
    CHECK_EQ(fault->kind, TH_FAULT_REENTRY);
    ++*(unsigned *)context;
}

static void it_is_not_frozen_inside_low_memory(void) {
    static _Alignas(16) unsigned char region[1024];
    static th_heap heap;
    unsigned faults = 0;
    for (int level = 0; level <= th_guard_max(); level++) {
        const th_heap_config config = {.low_memory = freeze_in_low_memory,
                                       .guarding = {level, count, &faults}};
        CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
        CHECK(th_heap_alloc(&heap, 5000, 1) == NULL);
        CHECK(frozen_inside == TH_ERR_BUSY && thawed_inside == TH_OK);
        CHECK_EQ(faults, 0); /* it may be another thread's callback */
        CHECK(th_heap_alloc(&heap, 50, 1) != NULL);
        th_heap_clean_up(&heap);
    }
}

static void zeroed_heaps_are_refused(void) {
    th_heap none = {0};
    CHECK_EQ(th_heap_freeze(NULL), TH_ERR_NULL);
    CHECK_EQ(th_heap_thaw(NULL), TH_ERR_NULL);
    CHECK_EQ(th_heap_freeze(&none), TH_ERR_NULL);
    CHECK_EQ(th_heap_thaw(&none), TH_ERR_NULL);
    CHECK_EQ(th_heap_renew(NULL), TH_ERR_NULL);
    CHECK_EQ(th_heap_renew(&none), TH_ERR_NULL);
}

static void freeze_damaged(void) {
    const uint32_t good = sc.heap.head_blocks;
    sc.heap.head_blocks++;
    CHECK_EQ(th_heap_freeze(&sc.heap), TH_ERR_CORRUPT);
    sc.heap.head_blocks = good;
    CHECK_EQ(th_heap_freeze(&sc.heap), TH_OK);
    sc.heap.head_blocks++;
    CHECK_EQ(th_heap_thaw(&sc.heap), TH_ERR_CORRUPT);
    CHECK_EQ(sc.faults, 2);
    CHECK_EQ(th_heap_renew(&sc.heap), TH_ERR_CORRUPT);
    CHECK_EQ(sc.faults, 3);
    sc.heap.head_blocks = good;
    CHECK(th_heap_alloc(&sc.heap, 10, 1) == NULL); /* it is frozen still */
    CHECK_EQ(th_heap_thaw(&sc.heap), TH_OK);
}

static void damaged_heaps_are_refused(void) {
    if (th_guard_max() >= 3) {
        scene_play(3, freeze_damaged);
    }
}

/* ---- locks ---------------------------------------------------------------------------------- */

static void every_lock_is_released(void) {
    static fixture f;
    fixture_start(&f, 8, 200);
    unsigned before = f.locks;
    CHECK_EQ(th_heap_freeze(&f.heap), TH_OK);
    CHECK(f.locks == before + 1 && f.lock_depth == 0);
    CHECK(th_heap_alloc(&f.heap, 10, 1) == NULL && f.last_fault.kind == TH_FAULT_FROZEN);
    CHECK_EQ(th_heap_freeze(&f.heap), TH_ERR_BUSY);
    CHECK(f.locks == before + 3 && f.lock_depth == 0);
    CHECK_EQ(th_heap_thaw(&f.heap), TH_OK);
    CHECK(f.locks == before + 4 && f.lock_depth == 0);
    CHECK_EQ(th_heap_renew(&f.heap), TH_OK);
    CHECK(f.locks == before + 5 && f.lock_depth == 0);
    f.faults = 0;
    CHECK(checked_alloc(&f, 10, 1) != NULL);
    fixture_stop(&f);
}

TH_SUITE("heap_freeze", TEST(looking_goes_on), TEST(no_call_changes_it),
         TEST(copies_and_images_are_not_frozen), TEST(it_is_not_frozen_inside_a_move),
         TEST(it_is_not_frozen_inside_low_memory), TEST(zeroed_heaps_are_refused),
         TEST(damaged_heaps_are_refused), TEST(every_lock_is_released))
