/* SPDX-License-Identifier: MIT */
/* Handles over a heap: they follow their blocks, name what is gone, pin, purge, and plan: the
 * last two in test_handles_plans.c. */
#include "tagheap/handles.h"

#include <string.h>

#include "alloc_fixture.h"
#include "handles_fixture.h"
#include "tagheap/heap_allocator.h"

/* ---- lives --------------------------------------------------------------------------------- */

static void a_handle_leads_to_its_block(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    th_handle b = th_handles_alloc_aligned(&handles, 50, 64, 0x4001);
    th_handle_info info;
    CHECK(th_handles_describe(&handles, b, &info));
    CHECK_PTR_EQ(info.payload, th_handles_get(&handles, b));
    CHECK_EQ((uintptr_t)info.payload % 64, 0);
    CHECK(info.bytes == 50 && info.alignment == 64 && info.tag == 0x4001 && info.pins == 0);
    CHECK(!info.purgeable);
    CHECK_EQ(block_of(&handles_fx.heap, info.payload).tag, 0x4001);
    CHECK_EQ(th_heap_site(&handles_fx.heap, info.payload), b.slot);
    CHECK_EQ(th_heap_site(&handles_fx.heap, NULL), 0);
    th_handles_stats s = handles_stats();
    CHECK(s.live == 2 && s.live_bytes == 90 && s.allocs == 2 && s.slots == HANDLES_SLOTS);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    CHECK_EQ(th_handles_free(&handles, (th_handle){0}), TH_OK);
    s = handles_stats();
    CHECK(s.live == 1 && s.live_bytes == 50 && s.frees == 1);
    CHECK_EQ(handles_faults, 0);
    handles_stop();
}

static void a_stale_handle_is_named_and_never_followed(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    th_handle_info info = {.bytes = 77};
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    CHECK(th_handles_get(&handles, a) == NULL);
    handles_expect_stale(0, 2, 1);
    CHECK(th_handles_pin(&handles, a) == NULL);
    handles_expect_stale(0, 2, 1);
    CHECK_EQ(th_handles_unpin(&handles, a), TH_ERR_STALE);
    handles_expect_stale(0, 2, 1);
    CHECK_EQ(th_handles_free(&handles, a), TH_ERR_STALE);
    handles_expect_stale(0, 2, 1);
    CHECK(th_handles_realloc(&handles, a, 8) == NULL);
    handles_expect_stale(0, 2, 1);
    CHECK(th_handles_realloc(&handles, a, 0) == NULL);
    handles_expect_stale(0, 2, 1);
    CHECK_EQ(th_handles_set_purgeable(&handles, a, true), TH_ERR_STALE);
    handles_expect_stale(0, 2, 1);
    CHECK(!th_handles_describe(&handles, a, &info) && info.bytes == 77);
    th_handle b = handles_take(10, 2); /* the same slot */
    CHECK(b.slot == a.slot && b.generation == 3);
    CHECK(th_handles_get(&handles, a) == NULL);
    handles_expect_stale(0, 3, 1);
    CHECK(th_handles_get(&handles, (th_handle){5, 1}) == NULL);
    handles_expect_stale(5, 0, 1);
    CHECK(th_handles_get(&handles, (th_handle){0}) == NULL);
    CHECK_EQ(handles_faults, 0);
    CHECK_EQ(handles_stats().faults, 9);
    handles_stop();
}

static void handles_of_another_table_are_told_apart(void) {
    static th_handles other;
    static th_handles_slot other_slots[2];
    const th_handles_config config = {.memory = other_slots,
                                      .memory_bytes = sizeof other_slots,
                                      .number = 9,
                                      .guarding = {0, handles_note_fault, handles_slots}};
    handles_start(200);
    CHECK_EQ(th_handles_init(&other, &handles_fx.heap, &config), TH_OK);
    th_handle mine = handles_take(10, 1);
    th_handle theirs = th_handles_alloc(&other, 40, 2);
    CHECK(mine.slot == theirs.slot && theirs.generation == 0x09000001);
    CHECK(th_handles_get(&handles, theirs) == NULL);
    handles_expect_stale(0, 1, 0x09000001);
    CHECK(th_handles_get(&other, mine) == NULL);
    handles_expect_stale(0, 0x09000001, 1);
    /* Their blocks are not ours to move: they have the same site, and another payload. */
    CHECK_EQ(th_handles_recover(&handles, th_handles_get(&other, theirs)).generation, 0);
    CHECK_EQ(th_handles_free(&handles, mine), TH_OK);
    CHECK_EQ(th_handles_compact(&handles).blocks_vetoed, 1);
    CHECK_EQ(th_handles_compact(&other).blocks_moved, 1);
    th_handles_clean_up(&other);
    handles_stop();
}

static void a_slot_without_generations_is_retired(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    handles_slots[a.slot].life = 0xFFFFFD;
    a.generation = 0xFFFFFD;
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    th_handle b = handles_take(10, 1);
    CHECK(b.slot == a.slot && b.generation == 0xFFFFFF);
    CHECK_EQ(th_handles_free(&handles, b), TH_OK);
    CHECK_EQ(handles_stats().retired, 1);
    th_handle c = handles_take(10, 1);
    CHECK(c.slot == a.slot + 1);
    CHECK(th_handles_get(&handles, b) == NULL);
    handles_expect_stale(a.slot, 0, 0xFFFFFF);
    handles_stop();
}

static void a_full_table_gives_no_handle(void) {
    handles_start(1000);
    for (uint32_t i = 0; i < HANDLES_SLOTS; i++) {
        (void)handles_take(4, i);
    }
    CHECK_EQ(th_handles_alloc(&handles, 4, 1).generation, 0);
    CHECK_EQ(handles_stats().failed_allocs, 1);
    CHECK_EQ(th_handles_free_tags(&handles, 3, 5), 3);
    (void)handles_take(4, 1);
    handles_stop();
}

static void the_table_grows_by_its_backing(void) {
    static TH_ALLOCATOR_ALIGNAS unsigned char room[80 * sizeof(th_handles_slot)];
    static th_heap table_heap;
    static th_tagged_allocator adapter;
    CHECK_EQ(th_heap_init(&table_heap, room, sizeof room, NULL), TH_OK);
    for (unsigned with_memory = 0; with_memory < 2; with_memory++) {
        th_handle taken[40];
        const th_handles_config config = {.memory = with_memory ? handles_slots : NULL,
                                          .memory_bytes = with_memory ? sizeof handles_slots : 0,
                                          .backing = th_heap_allocator(&adapter, &table_heap, 1),
                                          .guarding = {3, handles_note_fault, handles_slots}};
        handles_start_on(3000, &config);
        unsigned count = 0;
        th_handle next;
        while ((next = th_handles_alloc(&handles, 4, count)).generation != 0) {
            CHECK(count < 40);
            taken[count++] = next;
        }
        CHECK_EQ(count, 32);
        for (unsigned i = 0; i < count; i++) {
            CHECK(th_handles_get(&handles, taken[i]) != NULL);
        }
        CHECK_EQ(handles_stats().slots, 32);
        CHECK_EQ(th_heap_get_stats(&table_heap).head_blocks, 1);
        handles_stop();
        CHECK_EQ(th_heap_get_stats(&table_heap).used_bytes, 0);
    }
    th_heap_clean_up(&table_heap);
}

static void no_table_has_more_slots_than_handles_can_name(void) {
    handles_start(200);
    const th_handles_config config = {.backing = th_system_allocator()};
    th_handles_clean_up(&handles);
    CHECK_EQ(th_handles_init(&handles, &handles_fx.heap, &config), TH_OK);
    handles.slots_max = 0x40000000;
    handles.slots_used = 0x40000000;
    CHECK_EQ(th_handles_alloc(&handles, 4, 1).generation, 0);
    handles.slots_max = 0;
    handles.slots_used = 0;
    handles_stop();
}

static void bad_requests_change_nothing(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    CHECK_EQ(th_handles_set_purgeable(&handles, a, true), TH_OK);
    CHECK_EQ(th_handles_alloc(&handles, 0, 1).generation, 0);
    CHECK_EQ(th_handles_alloc(&handles, 801, 1).generation, 0);
    CHECK_EQ(th_handles_alloc(&handles, 4, TH_TAG_FREE).generation, 0);
    CHECK_EQ(th_handles_alloc_aligned(&handles, 4, 24, 1).generation, 0);
    CHECK_EQ(th_handles_alloc_aligned(&handles, 4, 0, 1).generation, 0);
    CHECK(th_handles_realloc(&handles, a, 801) == NULL);
    CHECK_EQ(handles_stats().failed_allocs, 0);
    CHECK(handles_holds(a, 10, 1));
    handles_stop();
}

/* ---- pins ---------------------------------------------------------------------------------- */

static void pins_are_counted(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    CHECK(th_handles_pin(&handles, a) != NULL);
    CHECK(th_handles_pin(&handles, a) != NULL);
    th_handles_stats s = handles_stats();
    CHECK(s.pinned == 1 && s.pinned_bytes == 40);
    CHECK_EQ(th_handles_free(&handles, a), TH_ERR_PINNED);
    CHECK_EQ(th_handles_free_tags(&handles, 0, 9), 0);
    CHECK_EQ(th_handles_unpin(&handles, a), TH_OK);
    CHECK_EQ(th_handles_free(&handles, a), TH_ERR_PINNED);
    CHECK_EQ(th_handles_unpin(&handles, a), TH_OK);
    CHECK_EQ(handles_faults, 0);
    CHECK_EQ(th_handles_unpin(&handles, a), TH_ERR_STALE);
    CHECK_EQ(handles_faults, 1);
    CHECK(handles_last_fault.kind == TH_FAULT_UNPINNED && handles_last_fault.block == a.slot);
    s = handles_stats();
    CHECK(s.pinned == 0 && s.pinned_bytes == 0 && s.faults == 1);
    CHECK_EQ(th_handles_unpin(&handles, (th_handle){0}), TH_ERR_STALE);
    CHECK_EQ(th_handles_set_purgeable(&handles, (th_handle){0}, true), TH_ERR_STALE);
    handles_slots[a.slot].pins = UINT32_MAX;
    CHECK(th_handles_pin(&handles, a) == NULL);
    CHECK_EQ(handles_slots[a.slot].pins, UINT32_MAX);
    handles_slots[a.slot].pins = 0;
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    handles_stop();
}

static void compaction_moves_what_is_not_pinned(void) {
    handles_start(300);
    th_handle a = handles_take(10, 1);
    th_handle b = handles_take(20, 2);
    void *raw = checked_alloc(&handles_fx, 12, 3); /* no handle */
    th_handle c = handles_take(30, 4);
    th_handle d = handles_take(8, 5);
    th_handle t = handles_take(9, 0x4001);
    void *pinned = th_handles_pin(&handles, c);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    CHECK_EQ(th_handles_compact_some(&handles, 1).blocks_moved, 1);
    CHECK(handles_holds(b, 20, 2));
    th_heap_compaction result = th_handles_compact(&handles);
    CHECK(result.done && result.blocks_moved == 0);
    CHECK_EQ(result.blocks_vetoed, 1); /* raw; what lies above it has no room below */
    CHECK_EQ(th_handles_free(&handles, b), TH_OK);
    CHECK_EQ(checked_free(&handles_fx, raw) > 0, true);
    CHECK_EQ(th_handles_compact(&handles).blocks_vetoed, 1);
    CHECK_PTR_EQ(th_handles_get(&handles, c), pinned);
    CHECK_EQ(th_handles_unpin(&handles, c), TH_OK);
    CHECK_EQ(th_handles_compact(&handles).blocks_moved, 2);
    CHECK(handles_holds(c, 30, 4) && handles_holds(d, 8, 5) && handles_holds(t, 9, 0x4001));
    EXPECT_BLOCKS(&handles_fx.heap, {4, 30}, {5, 8}, {FREE, 300 - 47 - 30}, {0x4001, 9});
    CHECK_EQ(handles_stats().moves, 3);
    handles_stop();
}

/* ---- other sizes ---------------------------------------------------------------------------- */

static void blocks_get_other_sizes(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    th_handle b = handles_take(10, 2);
    CHECK(th_handles_realloc(&handles, a, 80) != NULL);
    CHECK(handles_holds(a, 10, 1));
    CHECK_EQ(handles_stats().live_bytes, 120);
    CHECK(th_handles_pin(&handles, b) != NULL);
    void *there = th_handles_get(&handles, b);
    CHECK_PTR_EQ(th_handles_realloc(&handles, b, 12), there);
    CHECK_EQ(handles_stats().pinned_bytes, 12);
    CHECK_PTR_EQ(th_handles_realloc(&handles, b, 40), there);
    CHECK(th_handles_realloc(&handles, b, 44) == NULL);
    CHECK(handles_holds(b, 3, 2));
    CHECK_EQ(th_handles_unpin(&handles, b), TH_OK);
    CHECK(th_handles_realloc(&handles, b, 44) != NULL);
    CHECK(th_handles_realloc(&handles, b, 780) == NULL);
    CHECK(handles_holds(b, 3, 2));
    CHECK_EQ(handles_stats().failed_allocs, 1);
    CHECK(th_handles_realloc(&handles, b, 0) == NULL);
    CHECK_EQ(handles_stats().frees, 1);
    CHECK(th_handles_realloc(&handles, (th_handle){0}, 8) == NULL);
    handles_stop();
}

static void a_heap_in_pieces_is_compacted_for_a_block(void) {
    handles_start(120);
    th_handle a = handles_take(20, 1);
    th_handle b = handles_take(20, 2);
    th_handle c = handles_take(20, 3);
    th_handle d = handles_take(15, 4);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    CHECK_EQ(th_handles_free(&handles, c), TH_OK);
    CHECK_EQ(stats_of(&handles_fx.heap).largest_free_bytes, 20 * 4);
    CHECK_EQ(handles_stats().compacted_largest_bytes, 61 * 4);
    th_handle e = handles_take(61, 5);
    CHECK(handles_holds(b, 20, 2) && handles_holds(d, 15, 4) && handles_holds(e, 61, 5));
    CHECK_EQ(handles_stats().moves, 2);
    CHECK_EQ(handles_stats().failed_allocs, 0);
    CHECK_EQ(th_handles_alloc(&handles, 4, 1).generation, 0);
    CHECK_EQ(handles_stats().failed_allocs, 1);
    handles_stop();
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static th_handle held;

static void call_from_an_event(void *context, const th_event *event) {
    unsigned before = handles_faults;
    (void)context;
    if (event->kind == TH_EVENT_RESET) {
        return;
    }
    CHECK_EQ(th_handles_alloc(&handles, 4, 1).generation, 0);
    CHECK_EQ(th_handles_free(&handles, held), TH_ERR_BUSY);
    CHECK(th_handles_realloc(&handles, held, 4) == NULL);
    CHECK_EQ(th_handles_free_tags(&handles, 0, 9), 0);
    CHECK_EQ(th_handles_purge(&handles, 1), 0);
    CHECK(!th_handles_compact(&handles).done);
    CHECK(!th_handles_compact_some(&handles, 1).done);
    CHECK_EQ(th_handles_commit(&handles, (const th_handles_move[1]){{.bytes = 1}}, 0), TH_ERR_BUSY);
    CHECK_EQ(th_handles_reset(&handles), TH_ERR_BUSY);
    th_handles_clean_up(&handles);
    CHECK_EQ(handles_faults, before + 10);
    CHECK_EQ(handles_last_fault.kind, TH_FAULT_REENTRY);
    CHECK(th_handles_get(&handles, held) != NULL);
    handles_faults = before;
}

static void calls_from_an_event_are_refused(void) {
    const th_handles_config config = {.memory = handles_slots,
                                      .memory_bytes = sizeof handles_slots,
                                      .guarding = {0, handles_note_fault, handles_slots}};
    handles_start_on(200, &config);
    held = handles_take(10, 1);
    CHECK_EQ(th_heap_set_on_event(&handles_fx.heap, call_from_an_event, NULL), TH_OK);
    th_handle b = handles_take(10, 2);
    CHECK_EQ(th_handles_free(&handles, b), TH_OK);
    CHECK_EQ(handles_faults, 0);
    CHECK_EQ(th_heap_set_on_event(&handles_fx.heap, NULL, NULL), TH_OK);
    handles_stop();
}

static bool free_held(void *context, th_heap *heap, size_t bytes) {
    (void)context;
    (void)bytes;
    CHECK_PTR_EQ(heap, &handles_fx.heap);
    return held.generation != 0 && th_handles_free(&handles, held) == TH_OK &&
           (held.generation = 0, true);
}

static void low_memory_may_free_handles(void) {
    handles_start(120);
    held = handles_take(60, 1);
    th_handle b = handles_take(10, 2);
    handles_fx.heap.config.low_memory = free_held;
    (void)handles_take(40, 3);
    CHECK_EQ(held.generation, 0);
    held = handles_take(18, 4);
    CHECK(th_handles_realloc(&handles, b, 120) != NULL);
    CHECK(handles_holds(b, 10, 2));
    handles_stop();
}

static void damage_ends_the_search_for_room(void) {
    if (th_guard_max() < 1) {
        return;
    }
    const th_handles_config config = {.memory = handles_slots,
                                      .memory_bytes = sizeof handles_slots};
    const th_heap_config heap_config = {.alignment = 4, .guarding.level = 1};
    fixture_start_with(&handles_fx, 0, 480, &heap_config);
    CHECK_EQ(th_handles_init(&handles, &handles_fx.heap, &config), TH_OK);
    th_handle a = th_handles_alloc(&handles, 80, 1);
    th_handle b = th_handles_alloc(&handles, 77, 2);
    (void)th_handles_alloc(&handles, 80, 3);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    unsigned char *canary = (unsigned char *)th_handles_get(&handles, b) + 77;
    unsigned char kept = poke(canary, 0);
    (void)poke(canary, (unsigned char)(kept ^ 1u));
    CHECK_EQ(th_handles_alloc(&handles, 160, 4).generation, 0);
    CHECK(handles_fx.faults > 0);
    CHECK_EQ(handles_fx.last_fault.kind, TH_FAULT_CANARY);
    (void)poke(canary, kept);
    handles_fx.faults = 0;
    handles_stop();
}

/* ---- starts and checks ---------------------------------------------------------------------- */

static bool compact_once(void *context, th_heap *heap, size_t bytes) {
    unsigned *left = context;
    CHECK_PTR_EQ(heap, &handles_fx.heap);
    CHECK(bytes > 0);
    if (*left == 0) {
        return false;
    }
    --*left;
    return th_handles_compact(&handles).blocks_moved > 0;
}

/* All but the block that is being resized, whose address the heap has. */
static void low_memory_may_compact(void) {
    unsigned left = 1;
    handles_start(100);
    handles_fx.heap.config.low_memory = compact_once;
    handles_fx.heap.config.low_memory_context = &left;
    th_handle a = handles_take(10, 1);
    th_handle b = handles_take(10, 2);
    th_handle c = handles_take(10, 3);
    th_handle d = handles_take(10, 4);
    CHECK_EQ(th_handles_free(&handles, a), TH_OK);
    const void *before = th_handles_get(&handles, c);
    CHECK(th_handles_realloc(&handles, c, 160) != NULL);
    CHECK_EQ(left, 0);
    CHECK(th_handles_get(&handles, c) != before); /* in the end it has, to where there is room */
    CHECK(handles_holds(b, 10, 2) && handles_holds(c, 10, 3) && handles_holds(d, 10, 4));
    CHECK_EQ(handles_stats().pinned, 0);
    CHECK_EQ(handles_stats().pinned_bytes, 0);
    handles_stop();
}

static void bad_starts_are_refused(void) {
    th_handles none;
    static th_heap zeroed, lean;
    static unsigned char region[400];
    th_handles_config config = handles_usual_config();
    handles_start(200);
    memset(&none, 0x5A, sizeof none);
    CHECK_EQ(th_handles_init(NULL, &handles_fx.heap, &config), TH_ERR_NULL);
    CHECK_EQ(th_handles_init(&none, NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_handles_init(&none, &handles_fx.heap, NULL), TH_ERR_NULL);
    CHECK_EQ(th_handles_init(&none, &zeroed, &config), TH_ERR_NULL);
    config.memory = NULL;
    CHECK_EQ(th_handles_init(&none, &handles_fx.heap, &config), TH_ERR_NULL);
    config = handles_usual_config();
    config.guarding.level = 4;
    CHECK_EQ(th_handles_init(&none, &handles_fx.heap, &config), TH_ERR_CONFIG);
    config = handles_usual_config();
    const th_allocator_table half = {0};
    config.backing.table = &half;
    CHECK_EQ(th_handles_init(&none, &handles_fx.heap, &config), TH_ERR_CONFIG);
    config = handles_usual_config();
    config.memory = (unsigned char *)handles_slots + 1;
    CHECK_EQ(th_handles_init(&none, &handles_fx.heap, &config), TH_ERR_MISALIGNED);
    config = handles_usual_config();
    config.memory_bytes = sizeof handles_slots[0] - 1;
    CHECK_EQ(th_handles_init(&none, &handles_fx.heap, &config), TH_ERR_TOO_SMALL);
    if (th_heap_has_layout(TH_HEAP_LAYOUT_LEAN)) {
        const th_heap_config lean_config = {.layout = TH_HEAP_LAYOUT_LEAN};
        config = handles_usual_config();
        CHECK_EQ(th_heap_init(&lean, region, sizeof region, &lean_config), TH_OK);
        CHECK_EQ(th_handles_init(&none, &lean, &config), TH_ERR_LAYOUT);
        th_heap_clean_up(&lean);
    }
    CHECK_EQ(((unsigned char *)&none)[0], 0x5A);
    config = handles_usual_config();
    config.memory_bytes = SIZE_MAX; /* more than handles can name */
    CHECK_EQ(th_handles_init(&none, &handles_fx.heap, &config), TH_OK);
    CHECK(none.slots_max <= 0x7FFFFFFF);
    th_handles_clean_up(&none);
    handles_stop();
}

static void a_reset_makes_every_handle_stale(void) {
    handles_start(200);
    th_handle a = handles_take(10, 1);
    th_handle b = handles_take(10, 2);
    th_handle c = handles_take(10, 3);
    CHECK(th_handles_pin(&handles, a) != NULL);
    CHECK_EQ(th_handles_set_purgeable(&handles, b, true), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, 1), 40);
    CHECK_EQ(th_handles_set_purgeable(&handles, c, true), TH_OK);
    CHECK_EQ(th_handles_reset(&handles), TH_OK);
    CHECK_EQ(stats_of(&handles_fx.heap).used_bytes, 0);
    th_handles_stats s = handles_stats();
    CHECK(s.live == 0 && s.purged == 0 && s.pinned == 0 && s.frees == 3 && s.pinned_bytes == 0);
    CHECK(th_handles_get(&handles, a) == NULL);
    handles_expect_stale(a.slot, 2, 1);
    handles.live = 1;
    CHECK_EQ(th_handles_reset(&handles), TH_OK);
    CHECK_EQ(handles_faults, th_guard_max() < 3 ? 0 : 1); /* level 3 looks after each call */
    handles.live = 0;
    handles_faults = 0;
    (void)handles_take(10, 4);
    handles_stop();
}

static void expect_wrong(void) {
    th_fault fault;
    CHECK_EQ(th_handles_check(&handles, NULL), TH_ERR_CORRUPT);
    CHECK_EQ(th_handles_check(&handles, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    CHECK(fault.expected != fault.found);
}

#define EXPECT_WRONG(place, value)                                                                 \
    do {                                                                                           \
        th_handles kept_ = handles;                                                                \
        th_handles_slot kept_slots_[HANDLES_SLOTS];                                                \
        memcpy(kept_slots_, handles_slots, sizeof handles_slots);                                  \
        (place) = (value);                                                                         \
        expect_wrong();                                                                            \
        handles = kept_;                                                                           \
        memcpy(handles_slots, kept_slots_, sizeof handles_slots);                                  \
        CHECK_EQ(th_handles_check(&handles, NULL), TH_OK);                                         \
    } while (false)

static void the_checker_misses_nothing(void) {
    handles_start(300);
    th_handle h[5];
    for (uint32_t i = 0; i < 5; i++) {
        h[i] = handles_take(10, i);
        CHECK_EQ(th_handles_set_purgeable(&handles, h[i], i < 4), TH_OK);
    }
    CHECK(th_handles_pin(&handles, h[4]) != NULL);
    CHECK_EQ(th_handles_purge(&handles, 1), 40);
    EXPECT_WRONG(handles.live, 3);
    EXPECT_WRONG(handles.purged, 0);
    EXPECT_WRONG(handles.pinned, 2);
    EXPECT_WRONG(handles.live_bytes, 161);
    EXPECT_WRONG(handles.pinned_bytes, 39);
    EXPECT_WRONG(handles_slots[1].tag, 9);
    EXPECT_WRONG(handles_slots[1].align_log2, 20);
    EXPECT_WRONG(handles_slots[1].bytes, 36);
    EXPECT_WRONG(handles_slots[1].payload, (char *)handles_slots[1].payload + 4);
    EXPECT_WRONG(handles_slots[1].purgeable, false);
    EXPECT_WRONG(handles_slots[2].older, 0);
    EXPECT_WRONG(handles_slots[1].younger, 3);
    EXPECT_WRONG(handles_slots[3].younger, 1);
    EXPECT_WRONG(handles_slots[3].younger, UINT32_MAX - 1);
    EXPECT_WRONG(handles.youngest, 2);
    EXPECT_WRONG(handles_slots[4].purgeable,
                 (handles_slots[4].pins = 0, handles.pinned = 0, handles.pinned_bytes = 0, true));
    /* What the heap frees behind the table's back. */
    th_handles_stats s = handles_stats();
    CHECK_EQ(s.live, 4);
    CHECK(checked_free(&handles_fx, th_handles_get(&handles, h[1])) > 0);
    expect_wrong();
    handles_faults = 0;
    CHECK_EQ(th_handles_set_purgeable(&handles, h[2], true), TH_OK);
    CHECK_EQ(handles_faults, th_guard_max() < 3 ? 0 : 1); /* level 3 looks after each call */
    CHECK(checked_alloc(&handles_fx, 40, 9) != NULL);     /* where h[0] was */
    void *again = th_heap_alloc_at(&handles_fx.heap, 40, 4, 1, h[1].slot);
    CHECK_PTR_EQ(again, th_handles_get(&handles, h[1]));
    handles_stop();
}

TH_SUITE("handles", TEST(a_handle_leads_to_its_block),
         TEST(a_stale_handle_is_named_and_never_followed),
         TEST(handles_of_another_table_are_told_apart), TEST(a_slot_without_generations_is_retired),
         TEST(a_full_table_gives_no_handle), TEST(the_table_grows_by_its_backing),
         TEST(no_table_has_more_slots_than_handles_can_name), TEST(bad_requests_change_nothing),
         TEST(pins_are_counted), TEST(compaction_moves_what_is_not_pinned),
         TEST(blocks_get_other_sizes), TEST(a_heap_in_pieces_is_compacted_for_a_block),
         TEST(calls_from_an_event_are_refused), TEST(low_memory_may_free_handles),
         TEST(low_memory_may_compact), TEST(damage_ends_the_search_for_room),
         TEST(bad_starts_are_refused), TEST(a_reset_makes_every_handle_stale),
         TEST(the_checker_misses_nothing))
