/* SPDX-License-Identifier: MIT */
/* Handles and a cache over a heap that is frozen, in pages that are read-only: they can be
 * followed, found and pinned, for their books lie elsewhere; what would change a block is refused,
 * is said to be a change of a frozen heap, and changes neither. */
#include <string.h>

#include "heap_fixture.h"
#include "tagheap/cache.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/page_heap.h"

enum { SLOTS = 8, ENTRIES = 8 };

static th_page_heap *pages;
static th_handles handles;
static th_handles_slot slots[SLOTS];
static th_cache cache;
static _Alignas(8) unsigned char table[ENTRIES * (sizeof(th_cache_entry) + sizeof(uint32_t))];
static unsigned faults;
static th_fault last;

static void note_fault(void *context, const th_fault *fault) {
    CHECK_PTR_EQ(context, slots);
    faults++;
    last = *fault;
}

static void start(int level, th_cache_policy policy) {
    const th_guarding guarding = {level, note_fault, slots};
    const th_heap_config heap_config = {.guarding = guarding};
    const th_handles_config config = {
        .memory = slots, .memory_bytes = sizeof slots, .guarding = guarding};
    const th_cache_config cache_config = {.handles = &handles,
                                          .memory = table,
                                          .memory_bytes = sizeof table,
                                          .policy = policy,
                                          .guarding = guarding};
    faults = 0;
    pages = th_page_heap_create(20000, &heap_config);
    CHECK(pages != NULL);
    CHECK_EQ(th_handles_init(&handles, &pages->heap, &config), TH_OK);
    CHECK_EQ(th_cache_init(&cache, &cache_config), TH_OK);
}

static void stop(void) {
    CHECK_EQ(faults, 0);
    CHECK_EQ(th_cache_check(&cache, NULL), TH_OK);
    CHECK_EQ(th_handles_check(&handles, NULL), TH_OK);
    th_cache_clean_up(&cache);
    th_handles_clean_up(&handles);
    CHECK(cache.entries == NULL && handles.heap == NULL);
    CHECK_EQ(th_heap_get_stats(&pages->heap).head_blocks, 0);
    th_page_heap_destroy(pages);
    CHECK_EQ(faults, 0);
}

/* So many faults since they were counted last, all of this kind. */
static void expect_refused(unsigned count) {
    CHECK_EQ(faults, count);
    CHECK_EQ(last.kind, TH_FAULT_FROZEN);
    CHECK(last.block == TH_FAULT_NOWHERE && last.offset == TH_FAULT_NOWHERE);
    CHECK(last.expected == 0 && last.found == 1);
    faults = 0;
}

/* ---- handles -------------------------------------------------------------------------------- */

static void expect_no_change(th_handle handle) {
    static const th_handle none;
    const th_handles_stats before = th_handles_get_stats(&handles);
    CHECK_EQ(th_handles_alloc(&handles, 100, 1).generation, 0);
    CHECK_EQ(th_handles_alloc_aligned(&handles, 100, 64, 1).generation, 0);
    CHECK(th_handles_realloc(&handles, handle, 5000) == NULL);
    CHECK(th_handles_realloc(&handles, handle, 10) == NULL);
    CHECK(th_handles_realloc(&handles, handle, 0) == NULL);
    CHECK_EQ(th_handles_free(&handles, handle), TH_ERR_BUSY);
    CHECK_EQ(th_handles_free(&handles, none), TH_ERR_BUSY);
    CHECK_EQ(th_handles_free_tags(&handles, 0, 9), 0);
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 0);
    CHECK(!th_handles_compact(&handles).done);
    CHECK(!th_handles_compact_some(&handles, 100).done);
    const th_handles_move move = {.handle = handle};
    CHECK_EQ(th_handles_commit(&handles, &move, 1), TH_ERR_BUSY);
    CHECK_EQ(th_handles_reset(&handles), TH_ERR_BUSY);
    th_handles_clean_up(&handles);
    expect_refused(14);
    const th_handles_stats now = th_handles_get_stats(&handles);
    CHECK_EQ(now.faults, before.faults + 14);
    CHECK(now.live == before.live && now.purged == 0 && now.allocs == before.allocs);
    CHECK(now.failed_allocs == before.failed_allocs && now.live_bytes == before.live_bytes);
}

static void play_handles(int level) {
    th_handles_move move;
    th_handle_info info;
    start(level, TH_CACHE_LRU);
    th_handle gone = th_handles_alloc(&handles, 200, 1), handle = th_handles_alloc(&handles, 50, 2);
    CHECK_EQ(th_handles_free(&handles, gone), TH_OK);
    CHECK_EQ(th_page_heap_freeze(pages), TH_OK);
    unsigned char *block = th_handles_get(&handles, handle);
    CHECK(th_handles_recover(&handles, block + 5).slot == handle.slot);
    CHECK(th_handles_pin(&handles, handle) == (void *)block);
    CHECK_EQ(th_handles_unpin(&handles, handle), TH_OK);
    CHECK_EQ(th_handles_set_purgeable(&handles, handle, true), TH_OK);
    CHECK(th_handles_describe(&handles, handle, &info) && info.purgeable);
    CHECK_EQ(th_handles_plan(&handles, &move, 1).blocks_moved, 1);
    CHECK_EQ(th_handles_check(&handles, NULL), TH_OK);
    CHECK_EQ(faults, 0);
    expect_no_change(handle);
    CHECK(th_handles_get(&handles, handle) == (void *)block);
    CHECK_EQ(th_page_heap_thaw(pages), TH_OK);
    CHECK_EQ(th_handles_commit(&handles, &move, 1), TH_OK); /* as it was planned meanwhile */
    CHECK(th_handles_get(&handles, handle) != (void *)block);
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 50);
    stop();
}

static void handles_can_be_followed(void) {
    play_handles(0);
    play_handles(th_guard_max());
}

/* ---- the cache ------------------------------------------------------------------------------ */

static void insert(uint64_t key) {
    void *payload;
    CHECK_EQ(th_cache_insert(&cache, key, 100, 1, &payload), TH_OK);
    fill(payload, 100, (uint32_t)key);
}

static th_status load_nothing(void *context, uint64_t key, void *payload, size_t bytes) {
    (void)context, (void)key, (void)payload, (void)bytes;
    CHECK(false); /* there is nothing to be loaded into */
    return TH_OK;
}

static void expect_no_new_entries(void) {
    void *payload;
    CHECK_EQ(th_cache_insert(&cache, 9, 10, 1, &payload), TH_ERR_BUSY);
    CHECK(payload == NULL);
    CHECK_EQ(th_cache_load(&cache, 9, 10, 1, load_nothing, NULL, &payload), TH_ERR_BUSY);
    CHECK(payload == NULL);
    CHECK_EQ(th_cache_invalidate(&cache, 1), TH_ERR_BUSY);
    CHECK_EQ(th_cache_invalidate_tags(&cache, 0, 9), 0);
    CHECK_EQ(th_cache_trim(&cache, 0), 0);
    CHECK_EQ(th_cache_reset(&cache), TH_ERR_BUSY);
    th_cache_clean_up(&cache);
    expect_refused(7);
}

/* Entries 1, 2 and 3; 1 is used while the heap is frozen, and so 2 goes first after it. */
static void play_cache(int level, th_cache_policy policy) {
    size_t bytes = 0;
    void *payload;
    start(level, policy);
    for (uint64_t key = 1; key <= 3; key++) {
        insert(key);
    }
    CHECK_EQ(th_page_heap_freeze(pages), TH_OK);
    const unsigned char *first = th_cache_get(&cache, 1, &bytes);
    CHECK(first != NULL && bytes == 100 && filled(first, 100, 1));
    CHECK(th_cache_get(&cache, 9, NULL) == NULL);
    CHECK(th_cache_pin(&cache, 1, NULL) == (const void *)first);
    CHECK(th_cache_pin(&cache, 9, NULL) == NULL);
    CHECK_EQ(th_cache_unpin(&cache, 1), TH_OK);
    CHECK_EQ(th_cache_unpin(&cache, 9), TH_ERR_UNKNOWN);
    CHECK_EQ(th_cache_load(&cache, 1, 100, 1, load_nothing, NULL, &payload), TH_OK);
    CHECK(payload == (const void *)first);
    CHECK(th_cache_contains(&cache, 3) && !th_cache_contains(&cache, 9));
    CHECK_EQ(th_cache_check(&cache, NULL), TH_OK);
    CHECK_EQ(faults, 0);
    expect_no_new_entries();
    const th_cache_stats stats = th_cache_get_stats(&cache);
    CHECK(stats.entries == 3 && stats.hits == 3 && stats.misses == 3);
    CHECK(stats.failures == 0 && stats.evictions == 0 && stats.invalidations == 0);
    CHECK_EQ(th_page_heap_thaw(pages), TH_OK);
    CHECK_EQ(th_cache_trim(&cache, 250), 100);
    CHECK(th_cache_contains(&cache, 1) && !th_cache_contains(&cache, 2));
    insert(9);
    stop();
}

static void entries_are_found_and_used(void) {
    for (th_cache_policy policy = TH_CACHE_LRU; policy <= TH_CACHE_SIEVE; policy++) {
        play_cache(0, policy);
        play_cache(th_guard_max(), policy);
    }
}

/* An allocator asks for a block's size in its place first, and then for another block. */
static void an_adapter_says_it_once(void) {
    th_tagged_allocator adapter;
    start(1, TH_CACHE_LRU);
    th_allocator a = th_heap_allocator(&adapter, &pages->heap, 0x1000);
    void *block = th_allocator_alloc(a, 100);
    CHECK(block != NULL);
    CHECK_EQ(th_page_heap_freeze(pages), TH_OK);
    const size_t sizes[] = {1, th_allocator_usable_size(a, block), 10000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK(th_allocator_realloc(a, block, 100, sizes[i], 4, NULL) == NULL);
        expect_refused(1);
    }
    CHECK_EQ(th_page_heap_thaw(pages), TH_OK);
    th_allocator_free(a, block);
    stop();
}

TH_SUITE("frozen", TEST(handles_can_be_followed), TEST(entries_are_found_and_used),
         TEST(an_adapter_says_it_once))
