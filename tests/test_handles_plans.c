/* SPDX-License-Identifier: MIT */
/* Handles over a heap: what is purged when memory is short, and what a plan of moves says. */
#include <string.h>

#include "handles_fixture.h"
#include "tagheap/heap_allocator.h"

/* ---- purging -------------------------------------------------------------------------------- */

static void purgeable_blocks_go_oldest_first(void) {
    handles_start(120);
    th_handle a = handles_take(20, 1);
    th_handle b = handles_take(20, 2);
    th_handle c = handles_take(20, 3);
    CHECK_EQ(th_handles_set_purgeable(&handles, b, true), TH_OK);
    CHECK_EQ(th_handles_set_purgeable(&handles, a, true), TH_OK);
    CHECK_EQ(th_handles_set_purgeable(&handles, c, true), TH_OK);
    CHECK_EQ(th_handles_set_purgeable(&handles, b, true), TH_OK);
    th_handle d = handles_take(40, 4); /* more than the 30 that are free above */
    CHECK(th_handles_get(&handles, b) == NULL);
    CHECK(handles_holds(a, 20, 1) && handles_holds(c, 20, 3) && handles_holds(d, 40, 4));
    th_handles_stats s = handles_stats();
    CHECK(s.live == 3 && s.purged == 1 && s.purges == 1 && s.live_bytes == 80 * 4);
    th_handle_info info;
    CHECK(th_handles_describe(&handles, b, &info));
    CHECK(info.payload == NULL && info.bytes == 80 && info.tag == 2 && info.purgeable);
    CHECK(th_handles_pin(&handles, b) == NULL);
    CHECK_EQ(th_handles_purge(&handles, 1), 80);
    CHECK(th_handles_get(&handles, a) == NULL && handles_holds(c, 20, 3));
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 80);
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 0);
    CHECK_EQ(handles_stats().purged, 3);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    CHECK_EQ(handles_stats().purged, 2);
    CHECK_EQ(th_handles_free_tags(&handles, 2, 3), 2);
    CHECK_EQ(handles_faults, 0);
    handles_stop();
}

static void a_purged_handle_gets_another_block(void) {
    handles_start(120);
    th_handle a = th_handles_alloc_aligned(&handles, 80, 64, 0x4001);
    CHECK_EQ(th_handles_set_purgeable(&handles, a, true), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, 1), 80);
    CHECK(th_handles_realloc(&handles, a, 470) == NULL);
    void *again = th_handles_realloc(&handles, a, 60);
    CHECK(again != NULL && (uintptr_t)again % 64 == 0);
    CHECK_EQ(block_of(&handles_fx.heap, again).tag, 0x4001);
    th_handles_stats s = handles_stats();
    CHECK(s.purged == 0 && s.live == 1 && s.live_bytes == 60);
    CHECK_EQ(th_handles_purge(&handles, 1), 60); /* it may still be purged */
    handles_stop();
}

static void pinned_blocks_are_not_purged(void) {
    handles_start(120);
    th_handle a = handles_take(20, 1);
    th_handle b = handles_take(20, 2);
    CHECK_EQ(th_handles_set_purgeable(&handles, a, true), TH_OK);
    CHECK(th_handles_pin(&handles, a) != NULL);
    CHECK(th_handles_pin(&handles, b) != NULL);
    CHECK_EQ(th_handles_set_purgeable(&handles, b, true), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 0);
    CHECK_EQ(th_handles_unpin(&handles, b), TH_OK);
    CHECK_EQ(th_handles_unpin(&handles, a), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, 1), 80); /* b, which was unpinned first */
    CHECK(th_handles_get(&handles, b) == NULL && handles_holds(a, 20, 1));
    CHECK_EQ(th_handles_set_purgeable(&handles, a, false), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, 1), 0);
    CHECK_EQ(th_handles_set_purgeable(&handles, a, true), TH_OK);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, 1), 0);
    handles_stop();
}

static void queues_lose_members_anywhere(void) {
    handles_start(200);
    th_handle h[4];
    for (uint32_t i = 0; i < 4; i++) {
        h[i] = handles_take(4, i);
        CHECK_EQ(th_handles_set_purgeable(&handles, h[i], true), TH_OK);
    }
    CHECK_EQ(th_handles_set_purgeable(&handles, h[1], false), TH_OK);
    CHECK_EQ(th_handles_set_purgeable(&handles, h[3], false), TH_OK);
    CHECK_EQ(th_handles_set_purgeable(&handles, h[0], false), TH_OK);
    CHECK_EQ(handles_stats().live, 4);
    CHECK_EQ(th_handles_set_purgeable(&handles, h[2], false), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 0);
    handles_stop();
}

static void what_grows_is_not_purged_for_itself(void) {
    handles_start(120);
    th_handle a = handles_take(20, 1);
    th_handle b = handles_take(20, 2);
    CHECK_EQ(th_handles_set_purgeable(&handles, a, true), TH_OK);
    CHECK_EQ(th_handles_set_purgeable(&handles, b, true), TH_OK);
    CHECK(th_handles_realloc(&handles, a, 84 * 4) != NULL);
    CHECK(handles_holds(a, 20, 1));
    CHECK(th_handles_get(&handles, b) == NULL);
    CHECK(th_handles_realloc(&handles, a, 110 * 4) == NULL);
    CHECK(handles_holds(a, 20, 1));
    CHECK_EQ(th_handles_purge(&handles, 1), 84 * 4);
    handles_stop();
}

/* ---- plans ---------------------------------------------------------------------------------- */

static void a_plan_is_what_compaction_does(void) {
    th_handles_move moves[HANDLES_SLOTS];
    handles_start(300);
    th_handle a = handles_take(10, 1);
    th_handle b = handles_take(20, 2);
    th_handle c = handles_take(12, 3);
    th_handle d = handles_take(8, 4);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    CHECK_EQ(th_handles_free(&handles, c), TH_OK);
    th_heap_plan plan = th_handles_plan(&handles, moves, HANDLES_SLOTS);
    CHECK(plan.blocks_moved == 2 && plan.bytes_moved == 28 * 4 && plan.blocks_vetoed == 0);
    CHECK_EQ(moves[0].handle.slot, b.slot);
    CHECK_EQ(moves[0].handle.generation, b.generation);
    CHECK_PTR_EQ(moves[0].from, th_handles_get(&handles, b));
    CHECK_EQ(moves[0].bytes, 80);
    CHECK(handles_holds(b, 20, 2)); /* nothing has moved yet */

    th_handles_move some[1];
    CHECK_EQ(th_handles_plan(&handles, some, 1).blocks_moved, 2);
    CHECK(memcmp(&some[0].handle, &b, sizeof b) == 0);
    CHECK_EQ(th_handles_commit(&handles, some, 1), TH_ERR_STALE);
    CHECK_EQ(th_handles_commit(&handles, moves, 3), TH_ERR_STALE);
    for (unsigned field = 0; field < 5; field++) {
        th_handles_move kept = moves[1];
        moves[1].handle.slot += field == 0;
        moves[1].handle.generation += field == 1;
        moves[1].from = field == 2 ? NULL : kept.from;
        moves[1].to = field == 3 ? NULL : kept.to;
        moves[1].bytes += field == 4;
        CHECK_EQ(th_handles_commit(&handles, moves, 2), TH_ERR_STALE);
        moves[1] = kept;
    }
    CHECK(th_handles_pin(&handles, d) != NULL);
    CHECK_EQ(th_handles_commit(&handles, moves, 2), TH_ERR_STALE);
    CHECK_EQ(th_handles_unpin(&handles, d), TH_OK);
    CHECK_EQ(handles_stats().moves, 0);
    CHECK_EQ(th_handles_commit(&handles, moves, 2), TH_OK);
    CHECK_PTR_EQ(th_handles_get(&handles, b), moves[0].to);
    CHECK_PTR_EQ(th_handles_get(&handles, d), moves[1].to);
    CHECK(handles_holds(b, 20, 2) && handles_holds(d, 8, 4));
    CHECK_EQ(stats_of(&handles_fx.heap).largest_free_bytes, plan.largest_free_bytes);
    CHECK_EQ(th_handles_commit(&handles, NULL, 0), TH_ERR_NULL);
    CHECK_EQ(th_handles_commit(&handles, moves, 0), TH_OK);
    handles_stop();
}

static void handles_are_recovered_from_addresses(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    th_handle b = handles_take(10, 2);
    unsigned char *raw = checked_alloc_at(&handles_fx, 4, 12, 3, a.slot);
    unsigned char *payload = th_handles_get(&handles, b);
    for (size_t i = 0; i < 40; i += 13) {
        th_handle found = th_handles_recover(&handles, payload + i);
        CHECK(found.slot == b.slot && found.generation == b.generation);
    }
    CHECK_EQ(th_handles_recover(&handles, raw).generation, 0);
    CHECK_EQ(th_handles_recover(&handles, &handles_fx).generation, 0);
    unsigned char *far = checked_alloc_at(&handles_fx, 4, 12, 3, 1000);
    CHECK_EQ(th_handles_recover(&handles, far).generation, 0);
    handles_stop();
}

/* Buffers that grow and go in turn leave holes; compaction makes one piece of them, around the one
 * that is being filled from outside. */
static void buffers_behind_handles_are_compacted(void) {
    enum { BUFFERS = 6 };
    th_handle buffers[BUFFERS];
    handles_start(600);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        buffers[i] = handles_take(10, i);
    }
    for (uint32_t i = 0; i < BUFFERS; i += 2) { /* each moves to where it has room */
        unsigned char *grown = th_handles_realloc(&handles, buffers[i], 40 * 4);
        CHECK(grown != NULL && filled(grown, 40, i));
        fill(grown, 40 * 4, i);
    }
    CHECK_EQ(th_handles_free(&handles, buffers[3]), TH_OK);
    void *filling = th_handles_pin(&handles, buffers[1]);
    th_heap_stats before = stats_of(&handles_fx.heap);
    CHECK(before.free_blocks > 2 && before.largest_free_bytes < before.free_head_bytes);
    size_t due = handles_stats().compacted_largest_bytes;
    CHECK(due > before.largest_free_bytes);
    CHECK(th_handles_compact(&handles).blocks_moved > 0);
    CHECK_EQ(stats_of(&handles_fx.heap).largest_free_bytes, due);
    CHECK_PTR_EQ(th_handles_get(&handles, buffers[1]), filling);
    CHECK_EQ(th_handles_unpin(&handles, buffers[1]), TH_OK);
    (void)th_handles_compact(&handles);
    th_heap_stats after = stats_of(&handles_fx.heap);
    CHECK_EQ(after.free_blocks, 1);
    CHECK_EQ(after.largest_free_bytes, after.free_head_bytes);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        CHECK(i == 3 || handles_holds(buffers[i], i % 2 == 0 ? 40 : 10, i));
    }
    handles_stop();
}

TH_SUITE("handles_plans", TEST(buffers_behind_handles_are_compacted),
         TEST(purgeable_blocks_go_oldest_first), TEST(a_purged_handle_gets_another_block),
         TEST(pinned_blocks_are_not_purged), TEST(queues_lose_members_anywhere),
         TEST(what_grows_is_not_purged_for_itself), TEST(a_plan_is_what_compaction_does),
         TEST(handles_are_recovered_from_addresses))
