/* SPDX-License-Identifier: MIT */
/* The cache: what it finds, what goes for room and in which order, what stays, and who is told. */
#include "tagheap/cache.h"

#include <string.h>

#include "heap_fixture.h"

#define SLOTS   16
#define ENTRIES 12

static fixture fx;
static th_handles handles;
static th_handles_slot slots[SLOTS];
static th_cache cache;
static _Alignas(8) unsigned char table[ENTRIES * sizeof(th_cache_entry) + 16 * sizeof(uint32_t)];
static unsigned faults;
static th_fault last_fault;

static void note_fault(void *context, const th_fault *fault) {
    CHECK_PTR_EQ(context, slots);
    faults++;
    last_fault = *fault;
}

/* ---- who is told ----------------------------------------------------------------------------- */

static struct {
    uint64_t key;
    th_cache_reason reason;
} told[32];
static size_t told_count;
static uint64_t refuses_below; /* evictions of smaller keys */

static bool note_evicted(void *context, uint64_t key, void *payload, size_t bytes,
                         th_cache_reason reason) {
    CHECK_PTR_EQ(context, told);
    CHECK(filled(payload, bytes, (uint32_t)key));
    CHECK(told_count < 32);
    told[told_count].key = key;
    told[told_count++].reason = reason;
    return key >= refuses_below;
}

static th_cache_config usual_config(th_cache_policy policy) {
    return (th_cache_config){.handles = &handles,
                             .memory = table,
                             .memory_bytes = sizeof table,
                             .policy = policy,
                             .on_evict = note_evicted,
                             .evict_context = told,
                             .guarding = {3, note_fault, slots}};
}

static void start_on(uint32_t dwords, const th_cache_config *config) {
    const th_heap_config heap_config = {.alignment = 4, .guarding.level = 3};
    const th_handles_config handles_config = {
        .memory = slots, .memory_bytes = sizeof slots, .guarding = {3, note_fault, slots}};
    faults = 0;
    told_count = 0;
    refuses_below = 0;
    fixture_start_with(&fx, 0, (size_t)dwords * 4, &heap_config);
    CHECK_EQ(th_handles_init(&handles, &fx.heap, &handles_config), TH_OK);
    CHECK_EQ(th_cache_init(&cache, config), TH_OK);
}

static void start(uint32_t dwords, th_cache_policy policy) {
    const th_cache_config config = usual_config(policy);
    start_on(dwords, &config);
}

static void stop(void) {
    CHECK_EQ(th_cache_check(&cache, NULL), TH_OK);
    th_cache_clean_up(&cache);
    CHECK(cache.entries == NULL);
    CHECK_EQ(th_handles_get_stats(&handles).live, 0);
    th_handles_clean_up(&handles);
    CHECK_EQ(faults, 0);
    CHECK_EQ(fx.faults, 0);
    fixture_stop(&fx);
}

static th_cache_stats stats(void) {
    CHECK_EQ(th_cache_check(&cache, NULL), TH_OK);
    CHECK_EQ(th_handles_check(&handles, NULL), TH_OK);
    return th_cache_get_stats(&cache);
}

static th_status insert_tagged(uint64_t key, uint32_t dwords, uint32_t tag) {
    void *payload = &fx;
    th_status status = th_cache_insert(&cache, key, (size_t)dwords * 4, tag, &payload);
    if (status == TH_OK) {
        fill(payload, (size_t)dwords * 4, (uint32_t)key);
    } else {
        CHECK(payload == NULL);
    }
    return status;
}

static void insert(uint64_t key, uint32_t dwords) {
    CHECK_EQ(insert_tagged(key, dwords, 1), TH_OK);
}

static bool get(uint64_t key) {
    size_t bytes = 0;
    const void *payload = th_cache_get(&cache, key, &bytes);
    CHECK(payload == NULL || filled(payload, bytes, (uint32_t)key));
    return payload != NULL;
}

/* The keys that were told of since the last time, as evicted. */
static void expect_told(const uint64_t *keys, size_t count, th_cache_reason reason) {
    CHECK_EQ(told_count, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(told[i].key, keys[i]);
        CHECK_EQ(told[i].reason, reason);
    }
    told_count = 0;
}

#define EXPECT_TOLD(reason, ...)                                                                   \
    expect_told((const uint64_t[]){__VA_ARGS__},                                                   \
                sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), reason)

/* ---- entries --------------------------------------------------------------------------------- */

static void entries_are_found_by_key(void) {
    start(400, TH_CACHE_LRU);
    insert(7, 10);
    insert(UINT64_MAX, 20);
    insert(0, 5);
    CHECK(get(7) && get(UINT64_MAX) && get(0));
    CHECK(!get(8));
    CHECK(th_cache_get(&cache, 7, NULL) != NULL);
    CHECK(th_cache_contains(&cache, 7) && !th_cache_contains(&cache, 8));
    th_cache_stats s = stats();
    CHECK(s.hits == 4 && s.misses == 1 && s.inserts == 3 && s.entries == 3);
    CHECK(s.live_bytes == 140 && s.entries_max == ENTRIES);
    stop();
    EXPECT_TOLD(TH_CACHE_INVALIDATED, UINT64_MAX, 0, 7);
}

static void many_keys_share_buckets(void) {
    start(1200, TH_CACHE_SIEVE);
    for (uint64_t key = 0; key < ENTRIES; key++) {
        insert(key << 40 ^ key * 977, 4);
    }
    for (uint64_t key = ENTRIES; key > 0; key--) {
        CHECK(get((key - 1) << 40 ^ (key - 1) * 977));
    }
    for (uint64_t key = 0; key < ENTRIES; key += 2) {
        CHECK_EQ(th_cache_invalidate(&cache, key << 40 ^ key * 977), TH_OK);
        CHECK(!th_cache_contains(&cache, key << 40 ^ key * 977));
    }
    for (uint64_t key = 1; key < ENTRIES; key += 2) {
        CHECK(get(key << 40 ^ key * 977));
    }
    CHECK_EQ(stats().invalidations, ENTRIES / 2);
    stop();
}

static void a_new_entry_takes_the_place_of_the_old(void) {
    start(400, TH_CACHE_LRU);
    insert(1, 10);
    insert(1, 30);
    EXPECT_TOLD(TH_CACHE_INVALIDATED, 1);
    size_t bytes;
    CHECK(th_cache_pin(&cache, 1, &bytes) != NULL);
    CHECK_EQ(bytes, 120);
    CHECK_EQ(insert_tagged(1, 10, 1), TH_ERR_PINNED);
    CHECK(get(1));
    CHECK_EQ(th_cache_unpin(&cache, 1), TH_OK);
    CHECK_EQ(stats().entries, 1);
    stop();
}

/* ---- policies -------------------------------------------------------------------------------- */

/* Room for five blocks of 10 dwords and their headers. */
#define FIVE (5 * 16 + 6)

static void lru_evicts_what_was_used_longest_ago(void) {
    start(FIVE, TH_CACHE_LRU);
    for (uint64_t key = 1; key <= 5; key++) {
        insert(key, 10);
    }
    CHECK(get(1) && get(3));
    insert(6, 10);
    EXPECT_TOLD(TH_CACHE_EVICTED, 2);
    insert(7, 10);
    EXPECT_TOLD(TH_CACHE_EVICTED, 4);
    CHECK(get(5));
    insert(8, 10);
    EXPECT_TOLD(TH_CACHE_EVICTED, 1);
    insert(9, 10);
    EXPECT_TOLD(TH_CACHE_EVICTED, 3);
    CHECK_EQ(stats().evictions, 4);
    stop();
}

/* The example of the paper: hits set a bit, the hand takes it off and goes on. */
static void sieve_evicts_what_its_hand_finds_unused(void) {
    start(FIVE, TH_CACHE_SIEVE);
    for (uint64_t key = 1; key <= 5; key++) {
        insert(key, 10);
    }
    CHECK(get(1) && get(2) && get(4));
    insert(6, 10); /* over 1 and 2, evicts 3 */
    EXPECT_TOLD(TH_CACHE_EVICTED, 3);
    insert(7, 10); /* over 4, evicts 5 */
    EXPECT_TOLD(TH_CACHE_EVICTED, 5);
    CHECK(get(6));
    insert(8, 10); /* over 6, evicts 7: new ones go first if nobody asks for them */
    EXPECT_TOLD(TH_CACHE_EVICTED, 7);
    insert(9, 10); /* 7 was the youngest: round again from the oldest */
    EXPECT_TOLD(TH_CACHE_EVICTED, 1);
    CHECK(get(2));
    insert(10, 10); /* over 2, evicts 4 */
    EXPECT_TOLD(TH_CACHE_EVICTED, 4);
    insert(11, 10);
    EXPECT_TOLD(TH_CACHE_EVICTED, 6);
    CHECK(get(2) && get(8) && get(9) && get(10) && get(11));
    stop();
}

static void the_hand_goes_round_and_survives_its_entry(void) {
    start(FIVE, TH_CACHE_SIEVE);
    for (uint64_t key = 1; key <= 5; key++) {
        insert(key, 10);
    }
    CHECK(get(1) && get(2) && get(3) && get(4) && get(5));
    insert(6, 10); /* all were used: the second round begins at 1 */
    EXPECT_TOLD(TH_CACHE_EVICTED, 1);
    CHECK_EQ(th_cache_invalidate(&cache, 2), TH_OK); /* the hand is there */
    told_count = 0;
    insert(7, 10);
    insert(8, 10);
    EXPECT_TOLD(TH_CACHE_EVICTED, 3);
    CHECK_EQ(th_cache_invalidate(&cache, 6), TH_OK); /* the hand is elsewhere */
    told_count = 0;
    insert(9, 10);
    insert(10, 10);
    EXPECT_TOLD(TH_CACHE_EVICTED, 4);
    stop();
}

/* ---- room ------------------------------------------------------------------------------------ */

static void the_heap_is_compacted_before_more_is_evicted(void) {
    start(FIVE, TH_CACHE_LRU);
    for (uint64_t key = 1; key <= 5; key++) {
        insert(key, 10);
    }
    CHECK_EQ(th_cache_invalidate(&cache, 2), TH_OK);
    CHECK_EQ(th_cache_invalidate(&cache, 4), TH_OK);
    told_count = 0;
    insert(6, 26); /* two holes of 10, with a header between them */
    CHECK_EQ(told_count, 0);
    th_cache_stats s = stats();
    CHECK(s.moves == 2 && s.evictions == 0);
    CHECK(get(1) && get(3) && get(5) && get(6));
    insert(7, 42); /* 1, 3 and 5 have to go, and then they lie side by side */
    EXPECT_TOLD(TH_CACHE_EVICTED, 1, 3, 5);
    CHECK(get(6) && get(7));
    stop();
}

static void pinned_entries_neither_move_nor_go(void) {
    for (unsigned policy = 0; policy < 2; policy++) {
        start(FIVE, (th_cache_policy)policy);
        for (uint64_t key = 1; key <= 5; key++) {
            insert(key, 10);
        }
        void *there = th_cache_pin(&cache, 3, NULL);
        CHECK(th_cache_pin(&cache, 9, NULL) == NULL);
        insert(6, 26);
        EXPECT_TOLD(TH_CACHE_EVICTED, 1, 2);
        CHECK_EQ(insert_tagged(7, 74, 1), TH_ERR_EXHAUSTED);
        EXPECT_TOLD(TH_CACHE_EVICTED, 4, 5, 6);
        CHECK_PTR_EQ(th_cache_get(&cache, 3, NULL), there);
        CHECK(get(3));
        CHECK_EQ(stats().failures, 1);
        CHECK_EQ(th_cache_invalidate(&cache, 3), TH_ERR_PINNED);
        CHECK_EQ(th_cache_invalidate_tags(&cache, 0, 9), 0);
        CHECK_EQ(th_cache_unpin(&cache, 3), TH_OK);
        CHECK_EQ(faults, 0);
        CHECK_EQ(th_cache_unpin(&cache, 3), TH_ERR_STALE);
        CHECK_EQ(last_fault.kind, TH_FAULT_UNPINNED);
        faults = 0;
        CHECK_EQ(th_cache_unpin(&cache, 4), TH_ERR_UNKNOWN);
        stop();
    }
}

static void limits_hold_in_entries_and_bytes(void) {
    th_cache_config config = usual_config(TH_CACHE_LRU);
    config.memory_bytes = th_cache_table_bytes(3);
    config.bytes_max = 100;
    start_on(400, &config);
    insert(1, 4);
    insert(2, 4);
    insert(3, 4);
    insert(4, 4);
    EXPECT_TOLD(TH_CACHE_EVICTED, 1);
    insert(5, 21); /* 84 bytes beside 16 */
    EXPECT_TOLD(TH_CACHE_EVICTED, 2, 3);
    insert(6, 25);
    EXPECT_TOLD(TH_CACHE_EVICTED, 4, 5);
    CHECK_EQ(insert_tagged(7, 26, 1), TH_ERR_TOO_LARGE);
    CHECK(th_cache_pin(&cache, 6, NULL) != NULL);
    CHECK_EQ(insert_tagged(7, 1, 1), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_cache_unpin(&cache, 6), TH_OK);
    CHECK_EQ(stats().live_bytes, 100);
    CHECK_EQ(th_cache_trim(&cache, 100), 0);
    CHECK_EQ(th_cache_trim(&cache, 99), 100);
    insert(8, 10);
    CHECK(th_cache_pin(&cache, 8, NULL) != NULL);
    CHECK_EQ(th_cache_trim(&cache, 0), 0);
    stop();
}

static void bad_requests_evict_nothing(void) {
    start(FIVE, TH_CACHE_LRU);
    insert(1, 60);
    CHECK_EQ(insert_tagged(2, 0, 1), TH_ERR_CONFIG);
    CHECK_EQ(insert_tagged(2, 10, TH_TAG_FREE), TH_ERR_CONFIG);
    CHECK_EQ(insert_tagged(2, FIVE + 1, 1), TH_ERR_TOO_LARGE);
    CHECK_EQ(insert_tagged(1, 0, 1), TH_ERR_CONFIG);
    CHECK_EQ(th_cache_insert(&cache, 2, 4, 1, NULL), TH_ERR_NULL);
    CHECK(get(1));
    CHECK_EQ(told_count, 0);
    stop();
}

/* ---- invalidation ---------------------------------------------------------------------------- */

static void entries_are_invalidated_by_key_and_tag(void) {
    start(400, TH_CACHE_LRU);
    for (uint32_t key = 1; key <= 6; key++) {
        CHECK_EQ(insert_tagged(key, 4, key < 5 ? key : 0x4000 + key), TH_OK);
    }
    CHECK_EQ(th_cache_invalidate(&cache, 9), TH_ERR_UNKNOWN);
    CHECK_EQ(th_cache_invalidate(&cache, 1), TH_OK);
    CHECK(th_cache_pin(&cache, 3, NULL) != NULL);
    CHECK_EQ(th_cache_invalidate_tags(&cache, 2, 0x4005), 3);
    EXPECT_TOLD(TH_CACHE_INVALIDATED, 1, 2, 4, 5);
    CHECK(get(3) && get(6));
    CHECK_EQ(th_cache_reset(&cache), TH_OK); /* pinned or not */
    EXPECT_TOLD(TH_CACHE_INVALIDATED, 3, 6);
    CHECK_EQ(stats().entries, 0);
    CHECK_EQ(stats_of(&fx.heap).used_bytes, 0);
    CHECK_EQ(stats().invalidations, 6);
    stop();
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static void refused_evictions_look_for_another(void) {
    for (unsigned policy = 0; policy < 2; policy++) {
        start(FIVE, (th_cache_policy)policy);
        for (uint64_t key = 1; key <= 5; key++) {
            insert(key, 10);
        }
        refuses_below = 3;
        insert(6, 10);
        EXPECT_TOLD(TH_CACHE_EVICTED, 1, 2, 3);
        CHECK(get(1) && get(2));
        refuses_below = 100;
        CHECK_EQ(insert_tagged(7, 10, 1), TH_ERR_EXHAUSTED);
        CHECK_EQ(told_count, 5); /* each is asked once */
        CHECK_EQ(stats().refusals, 7);
        CHECK_EQ(stats().entries, 5);
        CHECK_EQ(th_cache_invalidate(&cache, 1), TH_OK);
        stop();
    }
}

static unsigned refused_calls;

/* Every call of the cache, from inside. */
static void call_everything(void) {
    void *payload;
    CHECK(th_cache_get(&cache, 1, NULL) == NULL);
    CHECK(th_cache_pin(&cache, 1, NULL) == NULL);
    CHECK_EQ(th_cache_unpin(&cache, 1), TH_ERR_BUSY);
    CHECK_EQ(th_cache_insert(&cache, 9, 4, 1, &payload), TH_ERR_BUSY);
    CHECK_EQ(th_cache_invalidate(&cache, 1), TH_ERR_BUSY);
    CHECK_EQ(th_cache_invalidate_tags(&cache, 0, 9), 0);
    CHECK_EQ(th_cache_trim(&cache, 0), 0);
    CHECK_EQ(th_cache_reset(&cache), TH_ERR_BUSY);
    th_cache_clean_up(&cache);
    CHECK_EQ(faults, 9);
    CHECK_EQ(last_fault.kind, TH_FAULT_REENTRY);
    CHECK(th_cache_contains(&cache, 1));
    CHECK(th_cache_get_stats(&cache).entries > 0);
    faults = 0;
    refused_calls++;
}

static bool call_from_eviction(void *context, uint64_t key, void *payload, size_t bytes,
                               th_cache_reason reason) {
    (void)context;
    (void)key;
    (void)payload;
    (void)bytes;
    (void)reason;
    call_everything();
    return true;
}

static th_status call_from_load(void *context, uint64_t key, void *payload, size_t bytes) {
    void *other;
    CHECK_EQ(th_cache_load(&cache, 5, 4, 1, call_from_load, NULL, &other), TH_ERR_BUSY);
    faults = 0;
    call_everything();
    fill(payload, bytes, (uint32_t)key);
    return *(th_status *)context;
}

static bool call_from_low_memory(void *context, th_heap *heap, size_t bytes) {
    (void)context;
    (void)heap;
    (void)bytes;
    call_everything();
    return false;
}

static void call_from_event(void *context, const th_event *event) {
    (void)context;
    if (event->kind == TH_EVENT_FREE) {
        call_everything();
    }
}

static void calls_from_inside_are_refused(void) {
    th_cache_config config = usual_config(TH_CACHE_LRU);
    th_status answer = TH_OK;
    void *payload;
    config.on_evict = call_from_eviction;
    start_on(FIVE, &config);
    refused_calls = 0;
    insert(1, 10);
    CHECK_EQ(th_cache_load(&cache, 2, 8, 1, call_from_load, &answer, &payload), TH_OK);
    CHECK_EQ(refused_calls, 1);
    CHECK_EQ(th_cache_trim(&cache, 40), 40);
    CHECK_EQ(refused_calls, 2);
    insert(1, 10);
    insert(3, 55);
    CHECK_EQ(refused_calls, 3);
    cache.config.on_evict = NULL;
    CHECK_EQ(th_cache_reset(&cache), TH_OK);
    insert(1, 10);
    insert(3, 40);
    CHECK(th_cache_pin(&cache, 1, NULL) != NULL);
    fx.heap.config.low_memory = call_from_low_memory;
    insert(4, 50);
    CHECK(refused_calls > 3);
    fx.heap.config.low_memory = NULL;
    stop();
}

static void what_cannot_be_loaded_is_not_there(void) {
    th_cache_config config = usual_config(TH_CACHE_SIEVE);
    th_status answer = TH_ERR_CORRUPT;
    void *payload = &fx;
    config.on_evict = NULL;
    start_on(FIVE, &config);
    insert(1, 10);
    CHECK_EQ(th_cache_load(&cache, 2, 8, 1, call_from_load, &answer, &payload), TH_ERR_CORRUPT);
    CHECK(payload == NULL);
    CHECK(!th_cache_contains(&cache, 2));
    answer = TH_OK;
    CHECK_EQ(th_cache_load(&cache, 2, 8, 1, call_from_load, &answer, &payload), TH_OK);
    CHECK(filled(payload, 8, 2));
    unsigned calls = refused_calls;
    CHECK_EQ(th_cache_load(&cache, 2, 8, 1, call_from_load, &answer, &payload), TH_OK);
    CHECK_EQ(refused_calls, calls); /* a hit */
    CHECK_EQ(th_cache_load(&cache, 3, 0, 1, call_from_load, &answer, &payload), TH_ERR_CONFIG);
    CHECK_EQ(th_cache_load(&cache, 3, 8, 1, NULL, &answer, &payload), TH_ERR_NULL);
    CHECK_EQ(th_cache_load(&cache, 3, 8, 1, call_from_load, &answer, NULL), TH_ERR_NULL);
    th_cache_stats s = stats();
    CHECK(s.hits == 1 && s.misses == 3 && s.inserts == 3 && s.entries == 2);
    stop();
}

static void the_heap_is_not_called_from_its_events(void) {
    start(400, TH_CACHE_LRU);
    insert(1, 10);
    CHECK_EQ(th_heap_set_on_event(&fx.heap, call_from_event, NULL), TH_OK);
    void *raw = th_heap_alloc(&fx.heap, 4, 9);
    refused_calls = 0;
    CHECK(th_heap_free(&fx.heap, raw) > 0);
    CHECK_EQ(refused_calls, 1);
    CHECK_EQ(th_heap_set_on_event(&fx.heap, NULL, NULL), TH_OK);
    stop();
}

static void a_handle_that_others_free_is_named(void) {
    th_cache_config config = usual_config(TH_CACHE_LRU);
    config.on_evict = NULL;
    config.guarding.level = 0;
    start_on(400, &config);
    insert(1, 10);
    CHECK_EQ(th_handles_free(&handles, cache.entries[0].handle), TH_OK);
    CHECK_EQ(th_cache_check(&cache, NULL), TH_ERR_CORRUPT);
    CHECK(th_cache_get(&cache, 1, NULL) == NULL);
    CHECK_EQ(last_fault.kind, TH_FAULT_STALE);
    CHECK_EQ(th_cache_invalidate(&cache, 1), TH_OK);
    CHECK_EQ(faults, 2);
    faults = 0;
    stop();
}

/* ---- starts and checks ----------------------------------------------------------------------- */

static void tables_take_what_they_say(void) {
    CHECK_EQ(th_cache_table_bytes(0), 0);
    CHECK_EQ(th_cache_table_bytes((size_t)1 << 30 | 1), 0);
    CHECK_EQ(th_cache_table_bytes(1), sizeof(th_cache_entry) + 4);
    CHECK_EQ(th_cache_table_bytes(5), 5 * sizeof(th_cache_entry) + 32);
    for (size_t entries = 1; entries <= ENTRIES; entries++) {
        th_cache_config config = usual_config(TH_CACHE_LRU);
        config.memory_bytes = th_cache_table_bytes(entries);
        start_on(400, &config);
        CHECK_EQ(stats().entries_max, entries);
        stop();
        config.memory_bytes--;
        if (entries > 1) {
            start_on(400, &config);
            CHECK_EQ(stats().entries_max, entries - 1);
            stop();
        }
    }
}

static void bad_starts_are_refused(void) {
    th_cache none;
    start(400, TH_CACHE_LRU);
    memset(&none, 0x5A, sizeof none);
    th_cache_config config = usual_config(TH_CACHE_LRU);
    CHECK_EQ(th_cache_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_cache_init(&none, NULL), TH_ERR_NULL);
    config.memory = NULL;
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_NULL);
    config = usual_config(TH_CACHE_LRU);
    config.handles = NULL;
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_NULL);
    static th_handles zeroed;
    config.handles = &zeroed;
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_NULL);
    config = usual_config((th_cache_policy)2);
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_CONFIG);
    config = usual_config(TH_CACHE_LRU);
    config.guarding.level = -1;
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_CONFIG);
    config = usual_config(TH_CACHE_LRU);
    config.memory = table + 1;
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_MISALIGNED);
    config = usual_config(TH_CACHE_LRU);
    config.memory_bytes = th_cache_table_bytes(1) - 1;
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_TOO_SMALL);
    config.memory_bytes = SIZE_MAX;
    CHECK_EQ(th_cache_init(&none, &config), TH_ERR_TOO_LARGE);
    CHECK_EQ(((unsigned char *)&none)[0], 0x5A);
    stop();
}

static void expect_wrong(th_fault_kind kind) {
    th_fault fault;
    CHECK_EQ(th_cache_check(&cache, NULL), TH_ERR_CORRUPT);
    CHECK_EQ(th_cache_check(&cache, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, kind);
    CHECK(kind != TH_FAULT_COUNT || fault.expected != fault.found);
}

#define EXPECT_WRONG(kind, place, value)                                                           \
    do {                                                                                           \
        th_cache kept_ = cache;                                                                    \
        unsigned char kept_table_[sizeof table];                                                   \
        memcpy(kept_table_, table, sizeof table);                                                  \
        (place) = (value);                                                                         \
        expect_wrong(kind);                                                                        \
        cache = kept_;                                                                             \
        memcpy(table, kept_table_, sizeof table);                                                  \
        CHECK_EQ(th_cache_check(&cache, NULL), TH_OK);                                             \
    } while (false)

static void the_checker_misses_nothing(void) {
    start(400, TH_CACHE_LRU);
    for (uint64_t key = 1; key <= 4; key++) {
        insert(key, 10);
    }
    th_cache_entry *e = cache.entries;
    EXPECT_WRONG(TH_FAULT_COUNT, cache.count, 5);
    EXPECT_WRONG(TH_FAULT_CHAIN, cache.count, 3);
    EXPECT_WRONG(TH_FAULT_COUNT, cache.live_bytes, 1);
    EXPECT_WRONG(TH_FAULT_COUNT, cache.youngest, 1);
    EXPECT_WRONG(TH_FAULT_CHAIN, cache.oldest, 1);
    EXPECT_WRONG(TH_FAULT_CHAIN, e[1].younger, 3);
    EXPECT_WRONG(TH_FAULT_CHAIN, e[1].younger, ENTRIES);
    EXPECT_WRONG(TH_FAULT_COUNT, e[1].younger, UINT32_MAX);
    EXPECT_WRONG(TH_FAULT_CHAIN, e[3].younger, 0);
    EXPECT_WRONG(TH_FAULT_CHAIN, e[2].key, (uint64_t)3 << 50);
    EXPECT_WRONG(TH_FAULT_CHAIN, e[2].handle.generation, 99);
    EXPECT_WRONG(TH_FAULT_CHAIN, e[2].bytes, 41);
    EXPECT_WRONG(TH_FAULT_CHAIN, e[2].tag, 2);
    cache.live_bytes++;
    CHECK(get(1));
    CHECK_EQ(faults, th_guard_max() < 3 ? 0 : 1); /* level 3 looks after each call */
    faults = 0;
    cache.live_bytes--;
    stop();
}

static void one_whose_handles_have_ended_is_as_zeroed(void) {
    static const th_cache zeroed;
    start(100, TH_CACHE_LRU);
    insert(1, 10);
    th_handles_clean_up(&handles);
    CHECK(!get(1));
    CHECK(!th_cache_contains(&cache, 1));
    CHECK_EQ(th_cache_get_stats(&cache).entries, 0);
    CHECK_EQ(th_cache_reset(&cache), TH_ERR_NULL);
    th_cache_clean_up(&cache);
    CHECK(memcmp(&cache, &zeroed, sizeof cache) == 0);
    CHECK_EQ(faults, 0);
    fixture_stop(&fx);
}

TH_SUITE("cache", TEST(one_whose_handles_have_ended_is_as_zeroed), TEST(entries_are_found_by_key),
         TEST(many_keys_share_buckets), TEST(a_new_entry_takes_the_place_of_the_old),
         TEST(lru_evicts_what_was_used_longest_ago), TEST(sieve_evicts_what_its_hand_finds_unused),
         TEST(the_hand_goes_round_and_survives_its_entry),
         TEST(the_heap_is_compacted_before_more_is_evicted),
         TEST(pinned_entries_neither_move_nor_go), TEST(limits_hold_in_entries_and_bytes),
         TEST(bad_requests_evict_nothing), TEST(entries_are_invalidated_by_key_and_tag),
         TEST(refused_evictions_look_for_another), TEST(calls_from_inside_are_refused),
         TEST(what_cannot_be_loaded_is_not_there), TEST(the_heap_is_not_called_from_its_events),
         TEST(a_handle_that_others_free_is_named), TEST(tables_take_what_they_say),
         TEST(bad_starts_are_refused), TEST(the_checker_misses_nothing))
