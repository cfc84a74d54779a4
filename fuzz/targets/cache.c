/* SPDX-License-Identifier: MIT */
/* Property: whatever is done with a cache over a small heap, what it finds, what goes, in which
 * order, and every count is what the exact model (model/cache.h) says; contents stay, and what is
 * pinned is where it was.
 *
 * Any bytes are an input; spaces and line ends are skipped. Six characters say how heap and cache
 * are (alignment, guard level, size, policy, entries, limit in bytes), then each operation is four:
 * what (OPERATIONS; a byte that is none of these stands for the one that its value modulo their
 * number is), a key, and two numbers counted from '0'. */
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "model/cache.h"
#include "mutate/mutate.h"
#include "result/failure.h"
#include "script/characters.h"
#include "tagheap/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_BYTES;

/* i insert   l load   L load, which fails   g get   p pin   u unpin   d invalidate   t by tags
 * m trim   R reset   x refuse eviction, or not any more   c compact */
static const char OPERATIONS[] = "ilLgpudtmRxc";

#define KEYS       16u
#define DWORDS_MAX 512u
#define SLOTS      12u

static lab_exact model_heap;
static lab_handles model_handles;
static lab_cache model;
static th_heap heap;
static th_handles handles;
static th_handles_slot slots[SLOTS];
static th_cache cache;
static alignas(8) unsigned char table[2048];
static alignas(256) unsigned char region[DWORDS_MAX * 4];
static const void *pinned_at[KEYS];
static uint32_t pins[KEYS];
static uint32_t refused; /* keys, a bit each */
static uint32_t told;    /* of what the model told, how much has been told */
static uint64_t faults;

static void expect(const char *detail, uint64_t expected, uint64_t found) {
    lab_failure_expect("cache", detail, expected, found);
}

static void note_fault(void *context, const th_fault *fault) {
    (void)context;
    expect("fault", TH_FAULT_UNPINNED, fault->kind);
    faults++;
}

/* ---- keys and contents ---------------------------------------------------------------------- */

/* Far apart, and some alike in their low half. */
static uint64_t key_of(uint32_t name) {
    return (uint64_t)(name / 4) << 61 | (uint64_t)(name % 4) << 32 | name % 2;
}

static uint32_t name_of(uint64_t key) {
    uint32_t name = 0;
    while (key_of(name) != key) {
        name++;
        expect("key", 1, name < KEYS);
    }
    return name;
}

static unsigned char content(uint64_t key, size_t at) {
    return (unsigned char)(name_of(key) * 31 + at);
}

static void fill(uint64_t key, void *payload, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        ((unsigned char *)payload)[i] = content(key, i);
    }
}

static void expect_contents(uint64_t key, const void *payload, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        expect("contents", content(key, i), ((const unsigned char *)payload)[i]);
    }
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static bool refuses(uint64_t key) {
    return (refused >> name_of(key) & 1) != 0;
}

static bool on_evict(void *context, uint64_t key, void *payload, size_t bytes,
                     th_cache_reason reason) {
    expect("context", (uintptr_t)table, (uintptr_t)context);
    expect("told too much", 1, told < model.told_count);
    expect("told key", model.told[told].key, key);
    expect("told reason", model.told[told].evicted, reason == TH_CACHE_EVICTED);
    expect_contents(key, payload, bytes);
    told++;
    return !refuses(key);
}

static th_status load(void *context, uint64_t key, void *payload, size_t bytes) {
    fill(key, payload, bytes);
    return *(const th_status *)context;
}

/* ---- operations ----------------------------------------------------------------------------- */

static size_t bytes_of(uint8_t n) {
    return n < 100 ? (size_t)n * 5 : (size_t)n * 40;
}

static uint32_t tag_of(uint8_t n) {
    return n % 8 < 6 ? n % 8u : 0x4000u + n % 8;
}

static th_status status_of(lab_cache_result result) {
    static const th_status statuses[] = {
        [LAB_CACHE_DONE] = TH_OK,
        [LAB_CACHE_BAD] = TH_ERR_CONFIG,
        [LAB_CACHE_TOO_LARGE] = TH_ERR_TOO_LARGE,
        [LAB_CACHE_PINNED] = TH_ERR_PINNED,
        [LAB_CACHE_EXHAUSTED] = TH_ERR_EXHAUSTED,
        [LAB_CACHE_UNKNOWN] = TH_ERR_UNKNOWN,
    };
    return statuses[result];
}

static void insert(uint64_t key, size_t bytes, uint32_t tag) {
    void *payload = table;
    th_status due = status_of(lab_cache_insert(&model, key, bytes, tag));
    expect("insert", due, th_cache_insert(&cache, key, bytes, tag, &payload));
    expect("payload", due == TH_OK, payload != NULL);
    if (payload != NULL) {
        fill(key, payload, bytes);
    }
}

static void fetch(uint64_t key, size_t bytes, uint32_t tag, th_status answer) {
    void *payload = table;
    th_status due = TH_OK;
    if (lab_cache_get(&model, key) == NULL) {
        due = status_of(lab_cache_insert(&model, key, bytes, tag));
        if (due == TH_OK && answer != TH_OK) {
            lab_cache_drop(&model, key);
            due = answer;
        }
    }
    expect("load", due, th_cache_load(&cache, key, bytes, tag, load, &answer, &payload));
    expect("loaded payload", due == TH_OK, payload != NULL);
}

static void get(uint64_t key) {
    const lab_cache_entry *due = lab_cache_get(&model, key);
    size_t bytes = 0;
    const void *found = th_cache_get(&cache, key, &bytes);
    expect("get", due != NULL, found != NULL);
    expect("size", due != NULL ? due->bytes : 0, bytes);
}

static void pin(uint64_t key) {
    const lab_cache_entry *due = lab_cache_get(&model, key);
    const void *found = th_cache_pin(&cache, key, NULL);
    expect("pin", due != NULL, found != NULL);
    if (due != NULL) {
        (void)lab_handles_pin(&model_handles, due->slot);
        pinned_at[name_of(key)] = found;
        pins[name_of(key)]++;
    }
}

static void unpin(uint64_t key) {
    const lab_cache_entry *due = lab_cache_find(&model, key);
    uint64_t before = faults;
    th_status found = th_cache_unpin(&cache, key);
    if (due == NULL) {
        expect("unpin of none", TH_ERR_UNKNOWN, found);
        return;
    }
    bool pinned = lab_handles_unpin(&model_handles, due->slot);
    expect("unpin", pinned ? TH_OK : TH_ERR_STALE, found);
    expect("unpin's fault", !pinned, faults - before);
    pins[name_of(key)] -= pinned;
}

/* The model goes first: what it tells is what the callback compares with. */
static void invalidate(uint64_t key) {
    th_status due = status_of(lab_cache_invalidate(&model, key));
    expect("invalidate", due, th_cache_invalidate(&cache, key));
}

static void invalidate_tags(uint32_t low, uint32_t high) {
    uint64_t due = lab_cache_invalidate_tags(&model, low, high);
    expect("invalidate tags", due, th_cache_invalidate_tags(&cache, low, high));
}

static void trim(size_t bytes) {
    size_t due = lab_cache_trim(&model, bytes);
    expect("trim", due, th_cache_trim(&cache, bytes));
}

static void perform(char what, uint32_t name, uint8_t x, uint8_t y) {
    uint64_t key = key_of(name);
    switch (what) {
    case 'i':
        insert(key, bytes_of(x), tag_of(y));
        break;
    case 'l':
    case 'L':
        fetch(key, bytes_of(x), tag_of(y), what == 'l' ? TH_OK : TH_ERR_CORRUPT);
        break;
    case 'g':
        get(key);
        break;
    case 'p':
        pin(key);
        break;
    case 'u':
        unpin(key);
        break;
    case 'd':
        invalidate(key);
        break;
    case 't':
        invalidate_tags(tag_of(x), tag_of(y));
        break;
    case 'm':
        trim(bytes_of(x));
        break;
    case 'R':
        lab_cache_reset(&model);
        expect("reset", TH_OK, th_cache_reset(&cache));
        memset(pins, 0, sizeof pins);
        break;
    case 'x':
        refused ^= 1u << name;
        break;
    default:
        expect("compact", lab_handles_compact(&model_handles).moved,
               th_handles_compact(&handles).blocks_moved);
        break;
    }
}

/* ---- comparison ----------------------------------------------------------------------------- */

/* Looks at an entry without using it. */
static void compare_entry(const lab_cache_entry *due) {
    uint32_t block = model_handles.slots[due->slot].block;
    const unsigned char *payload = region + 4 * (size_t)(block + model_heap.header);
    expect("contained", 1, th_cache_contains(&cache, due->key));
    expect_contents(due->key, payload, due->bytes);
    if (pins[name_of(due->key)] > 0) {
        expect("pinned place", (uintptr_t)pinned_at[name_of(due->key)], (uintptr_t)payload);
    }
}

static void compare(void) {
    th_cache_stats found = th_cache_get_stats(&cache);
    expect("told", model.told_count, told);
    for (uint32_t i = 0; i < model.count; i++) {
        compare_entry(&model.list[i]);
    }
    expect("entries", model.count, found.entries);
    expect("bytes", lab_cache_live_bytes(&model), found.live_bytes);
    expect("hits", model.hits, found.hits);
    expect("misses", model.misses, found.misses);
    expect("inserts", model.inserts, found.inserts);
    expect("evictions", model.evictions, found.evictions);
    expect("refusals", model.refusals, found.refusals);
    expect("invalidations", model.invalidations, found.invalidations);
    expect("failures", model.failures, found.failures);
    expect("moves", model_handles.moves, found.moves);
    expect("cache check", TH_OK, th_cache_check(&cache, NULL));
    expect("handles check", TH_OK, th_handles_check(&handles, NULL));
    expect("heap check", TH_OK, th_heap_check(&heap, NULL));
}

/* ---- one input ------------------------------------------------------------------------------ */

static bool start(lab_characters *in) {
    uint8_t c[6];
    if (!lab_characters_next(in, c, 6)) {
        return false;
    }
    const th_guarding guarding = {lab_characters_number(c[1]) % 4, note_fault, NULL};
    uint32_t alignment = 4u << lab_characters_number(c[0]) % 3;
    size_t bytes = 4 * (150 + 40 * (size_t)(lab_characters_number(c[2]) % 8));
    uint32_t entries = 2 + lab_characters_number(c[4]) % 9u;
    size_t bytes_max = lab_characters_number(c[5]) % 8 * 150u;
    const th_heap_config heap_config = {.alignment = alignment, .guarding = guarding};
    const th_handles_config handles_config = {
        .memory = slots, .memory_bytes = sizeof slots, .guarding = guarding};
    const th_cache_config config = {.handles = &handles,
                                    .memory = table,
                                    .memory_bytes = th_cache_table_bytes(entries),
                                    .bytes_max = bytes_max,
                                    .policy = lab_characters_number(c[3]) % 2 == 0 ? TH_CACHE_LRU
                                                                                   : TH_CACHE_SIEVE,
                                    .on_evict = on_evict,
                                    .evict_context = table,
                                    .guarding = guarding};
    refused = 0;
    told = 0;
    memset(pins, 0, sizeof pins);
    expect("start", TH_OK, th_heap_init(&heap, region, bytes, &heap_config));
    expect("start", TH_OK, th_handles_init(&handles, &heap, &handles_config));
    expect("start", TH_OK, th_cache_init(&cache, &config));
    expect("start", 1,
           lab_exact_start(&model_heap, (uintptr_t)region, bytes, alignment, LAB_EXACT_CLASSIC));
    lab_handles_start(&model_handles, &model_heap, SLOTS);
    lab_cache_start(&model, &model_handles, lab_characters_number(c[3]) % 2 == 1, entries,
                    bytes_max, refuses);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    lab_characters in = {.bytes = bytes, .size = size};
    uint8_t op[4];
    if (!start(&in)) {
        return 0;
    }
    while (lab_characters_next(&in, op, 4)) {
        const char *known = op[0] != 0 ? strchr(OPERATIONS, op[0]) : NULL;
        model.told_count = 0;
        told = 0;
        perform(known != NULL ? *known : OPERATIONS[op[0] % (sizeof OPERATIONS - 1)],
                lab_characters_number(op[1]) % KEYS, lab_characters_number(op[2]),
                lab_characters_number(op[3]));
        compare();
    }
    model.told_count = 0;
    told = 0;
    lab_cache_reset(&model);
    th_cache_clean_up(&cache);
    expect("told at the end", model.told_count, told);
    th_handles_clean_up(&handles);
    expect("all is freed", 0, th_heap_get_stats(&heap).used_bytes);
    th_heap_clean_up(&heap);
    return 0;
}
