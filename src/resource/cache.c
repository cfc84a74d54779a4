/* SPDX-License-Identifier: MIT */
#include "resource/cache.h"

#include <stdalign.h>

#include "alloc/guarding.h"
#include "base/align.h"
#include "resource/handles.h"

/* Neither a table's bytes nor its numbers overflow. */
#if SIZE_MAX > UINT32_MAX
#define ENTRIES_MAX ((size_t)1 << 30)
#else
#define ENTRIES_MAX ((size_t)1 << 24)
#endif

TH_DEFINE_SETTLE(cache);

/* ---- keys ----------------------------------------------------------------------------------- */

/* Of its bucket. The multiplier is that of Fibonacci hashing (Knuth, vol. 3, 6.4). */
static uint32_t *bucket_of(const th_cache *c, uint64_t key) {
    uint64_t mixed = (key ^ key >> 32) * 0x9E3779B97F4A7C15u;
    return &c->buckets[(uint32_t)(mixed >> 32) & c->bucket_mask];
}

static uint32_t find(const th_cache *c, uint64_t key) {
    uint32_t entry = *bucket_of(c, key);
    while (entry != TH_CACHE_NONE && c->entries[entry].key != key) {
        entry = c->entries[entry].next;
    }
    return entry;
}

static void put_in_bucket(th_cache *c, uint32_t entry) {
    uint32_t *bucket = bucket_of(c, c->entries[entry].key);
    c->entries[entry].next = *bucket;
    *bucket = entry;
}

static void take_from_bucket(th_cache *c, uint32_t entry) {
    uint32_t *link = bucket_of(c, c->entries[entry].key);
    while (*link != entry) {
        link = &c->entries[*link].next;
    }
    *link = c->entries[entry].next;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* It has ended, too, if its handles have. */
static bool is_started(const th_cache *c) {
    return c != NULL && c->entries != NULL && th_handles_is_started(c->config.handles);
}

/* Why a call is refused now that changes blocks. Inside a callback one that only looks is, too. */
static th_fault_kind refusal_of(const th_cache *c) {
    return c->busy ? TH_FAULT_REENTRY : (th_fault_kind)c->config.handles->heap->busy;
}

static th_status refuse(const th_cache *c, th_fault_kind refusal) {
    th_guarding_raise_refusal(&c->config.guarding, refusal);
    return TH_ERR_BUSY;
}

/* Begins each call that changes blocks: TH_ERR_NULL without a table, TH_ERR_BUSY with a fault from
 * inside a callback, and on a frozen heap. */
static th_status enter(const th_cache *c) {
    if (!is_started(c)) {
        return TH_ERR_NULL;
    }
    th_fault_kind refusal = refusal_of(c);
    return refusal == TH_FAULT_NONE ? TH_OK : refuse(c, refusal);
}

/* The same for one that looks for an entry, which a frozen heap does not refuse: order and counts
 * are the cache's own. */
static th_status enter_to_look(const th_cache *c) {
    return is_started(c) && refusal_of(c) == TH_FAULT_FROZEN ? TH_OK : enter(c);
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool is_pinned(const th_cache *c, uint32_t entry) {
    th_handle_info info;
    return th_handles_describe(c->config.handles, c->entries[entry].handle, &info) && info.pins > 0;
}

/* Asks or tells on_evict. */
static bool tell(th_cache *c, uint32_t entry, th_cache_reason reason) {
    const th_cache_entry *e = &c->entries[entry];
    if (c->config.on_evict == NULL) {
        return true;
    }
    c->busy = true;
    bool yes = c->config.on_evict(c->config.evict_context, e->key,
                                  th_handles_get(c->config.handles, e->handle), e->bytes, reason);
    c->busy = false;
    return yes;
}

/* Takes the entry out of the cache, and frees its block. */
static void drop(th_cache *c, uint32_t entry) {
    th_cache_entry *e = &c->entries[entry];
    take_from_bucket(c, entry);
    th_cache_order_remove(c, entry);
    c->count--;
    c->live_bytes -= e->bytes;
    (void)th_handles_free(c->config.handles, e->handle);
    e->next = c->unused;
    c->unused = entry;
}

static void invalidate(th_cache *c, uint32_t entry) {
    (void)tell(c, entry, TH_CACHE_INVALIDATED);
    c->invalidations++;
    drop(c, entry);
}

/* The same, pinned or not. */
static void invalidate_pinned(th_cache *c, uint32_t entry) {
    while (is_pinned(c, entry)) {
        (void)th_handles_unpin(c->config.handles, c->entries[entry].handle);
    }
    invalidate(c, entry);
}

static bool may_go(th_cache *c, uint32_t entry) {
    if (is_pinned(c, entry)) {
        return false;
    }
    if (!tell(c, entry, TH_CACHE_EVICTED)) {
        c->refusals++;
        th_cache_order_use(c, entry);
        return false;
    }
    return true;
}

static bool evict(th_cache *c) {
    uint32_t victim = th_cache_order_victim(c, may_go);
    if (victim == TH_CACHE_NONE) {
        return false;
    }
    c->evictions++;
    drop(c, victim);
    return true;
}

static bool is_over(const th_cache *c, size_t bytes) {
    return c->count == c->entries_max ||
           (c->config.bytes_max != 0 && c->live_bytes > c->config.bytes_max - bytes);
}

/* A block for a new entry, whatever has to go for it; none if nothing is left. */
static th_handle make_block(th_cache *c, size_t bytes, uint32_t tag) {
    th_handle handle = {0};
    while (is_over(c, bytes)) {
        if (!evict(c)) {
            return handle;
        }
    }
    do {
        c->busy = true; /* the heap may ask its low-memory callback */
        handle = th_handles_alloc(c->config.handles, bytes, tag);
        c->busy = false;
    } while (handle.generation == 0 && evict(c));
    return handle;
}

static th_status check_request(const th_cache *c, size_t bytes, uint32_t tag) {
    const th_heap *heap = c->config.handles->heap;
    if (bytes == 0 || tag >= heap->tag_free) {
        return TH_ERR_CONFIG;
    }
    if (bytes > (size_t)heap->dwords * 4 ||
        (c->config.bytes_max != 0 && bytes > c->config.bytes_max)) {
        return TH_ERR_TOO_LARGE;
    }
    return TH_OK;
}

/* Makes an entry in place of the old one, if there is one; *made is its number. */
static th_status make_entry(th_cache *c, uint64_t key, size_t bytes, uint32_t tag, uint32_t *made) {
    uint32_t old = find(c, key);
    th_status status = check_request(c, bytes, tag);
    if (status != TH_OK) {
        return status;
    }
    if (old != TH_CACHE_NONE && is_pinned(c, old)) {
        return TH_ERR_PINNED;
    }
    if (old != TH_CACHE_NONE) {
        invalidate(c, old);
    }
    th_handle handle = make_block(c, bytes, tag);
    if (handle.generation == 0) {
        c->failures++;
        return TH_ERR_EXHAUSTED;
    }
    uint32_t entry = c->unused;
    th_cache_entry *e = &c->entries[entry];
    c->unused = e->next;
    *e = (th_cache_entry){.key = key, .bytes = bytes, .handle = handle, .tag = tag};
    put_in_bucket(c, entry);
    th_cache_order_insert(c, entry);
    c->count++;
    c->live_bytes += bytes;
    c->inserts++;
    *made = entry;
    return TH_OK;
}

th_status th_cache_insert(th_cache *c, uint64_t key, size_t bytes, uint32_t tag, void **payload) {
    uint32_t entry;
    if (payload == NULL) {
        return TH_ERR_NULL;
    }
    *payload = NULL;
    th_status status = enter(c);
    if (status != TH_OK) {
        return status;
    }
    status = make_entry(c, key, bytes, tag, &entry);
    if (status == TH_OK) {
        *payload = th_handles_get(c->config.handles, c->entries[entry].handle);
    }
    th_cache_settle(c);
    return status;
}

/* ---- uses ----------------------------------------------------------------------------------- */

/* Counts a hit or a miss. The entry, or TH_CACHE_NONE. */
static uint32_t use(th_cache *c, uint64_t key, size_t *bytes) {
    uint32_t entry = find(c, key);
    if (entry == TH_CACHE_NONE) {
        c->misses++;
        return entry;
    }
    c->hits++;
    th_cache_order_use(c, entry);
    if (bytes != NULL) {
        *bytes = c->entries[entry].bytes;
    }
    return entry;
}

void *th_cache_get(th_cache *c, uint64_t key, size_t *bytes) {
    if (enter_to_look(c) != TH_OK) {
        return NULL;
    }
    uint32_t entry = use(c, key, bytes);
    th_cache_settle(c);
    return entry != TH_CACHE_NONE ? th_handles_get(c->config.handles, c->entries[entry].handle)
                                  : NULL;
}

void *th_cache_pin(th_cache *c, uint64_t key, size_t *bytes) {
    if (enter_to_look(c) != TH_OK) {
        return NULL;
    }
    uint32_t entry = use(c, key, bytes);
    th_cache_settle(c);
    return entry != TH_CACHE_NONE ? th_handles_pin(c->config.handles, c->entries[entry].handle)
                                  : NULL;
}

th_status th_cache_unpin(th_cache *c, uint64_t key) {
    th_status status = enter_to_look(c);
    if (status != TH_OK) {
        return status;
    }
    uint32_t entry = find(c, key);
    return entry != TH_CACHE_NONE ? th_handles_unpin(c->config.handles, c->entries[entry].handle)
                                  : TH_ERR_UNKNOWN;
}

bool th_cache_contains(const th_cache *c, uint64_t key) {
    return is_started(c) && find(c, key) != TH_CACHE_NONE;
}

/* Calls the loader for a new entry; one that fails takes the entry with it. */
static th_status fill(th_cache *c, uint32_t entry, th_cache_load_fn load, void *context) {
    const th_cache_entry *e = &c->entries[entry];
    void *payload = th_handles_pin(c->config.handles, e->handle);
    c->busy = true;
    th_status status = load(context, e->key, payload, e->bytes);
    c->busy = false;
    (void)th_handles_unpin(c->config.handles, e->handle);
    if (status != TH_OK) {
        drop(c, entry);
    }
    return status;
}

th_status th_cache_load(th_cache *c, uint64_t key, size_t bytes, uint32_t tag,
                        th_cache_load_fn load, void *context, void **payload) {
    if (payload == NULL) {
        return TH_ERR_NULL;
    }
    *payload = NULL;
    th_status status = load != NULL ? enter_to_look(c) : TH_ERR_NULL;
    if (status != TH_OK) {
        return status;
    }
    uint32_t entry = use(c, key, NULL);
    if (entry == TH_CACHE_NONE) {
        status = enter(c);
        if (status == TH_OK) {
            status = make_entry(c, key, bytes, tag, &entry);
        }
        if (status == TH_OK) {
            status = fill(c, entry, load, context);
        }
    }
    if (status == TH_OK) {
        *payload = th_handles_get(c->config.handles, c->entries[entry].handle);
    }
    th_cache_settle(c);
    return status;
}

/* ---- invalidation --------------------------------------------------------------------------- */

th_status th_cache_invalidate(th_cache *c, uint64_t key) {
    th_status status = enter(c);
    if (status != TH_OK) {
        return status;
    }
    uint32_t entry = find(c, key);
    if (entry == TH_CACHE_NONE) {
        return TH_ERR_UNKNOWN;
    }
    if (is_pinned(c, entry)) {
        return TH_ERR_PINNED;
    }
    invalidate(c, entry);
    th_cache_settle(c);
    return TH_OK;
}

uint64_t th_cache_invalidate_tags(th_cache *c, uint32_t low, uint32_t high) {
    uint64_t gone = 0;
    if (enter(c) != TH_OK) {
        return 0;
    }
    for (uint32_t at = c->oldest; at != TH_CACHE_NONE;) {
        uint32_t entry = at;
        const th_cache_entry *e = &c->entries[entry];
        at = e->younger;
        if (e->tag >= low && e->tag <= high && !is_pinned(c, entry)) {
            invalidate(c, entry);
            gone++;
        }
    }
    th_cache_settle(c);
    return gone;
}

size_t th_cache_trim(th_cache *c, size_t bytes) {
    if (enter(c) != TH_OK) {
        return 0;
    }
    size_t before = c->live_bytes;
    while (c->live_bytes > bytes && evict(c)) {
    }
    th_cache_settle(c);
    return before - c->live_bytes;
}

th_status th_cache_reset(th_cache *c) {
    th_status status = enter(c);
    if (status != TH_OK) {
        return status;
    }
    while (c->oldest != TH_CACHE_NONE) {
        invalidate_pinned(c, c->oldest);
    }
    th_cache_settle(c);
    return TH_OK;
}

/* ---- start and end -------------------------------------------------------------------------- */

/* As many buckets as a power of two that is at least as large has. */
static size_t buckets_for(size_t entries) {
    size_t buckets = 1;
    while (buckets < entries) {
        buckets *= 2;
    }
    return buckets;
}

size_t th_cache_table_bytes(size_t entries) {
    return entries != 0 && entries <= ENTRIES_MAX
               ? entries * sizeof(th_cache_entry) + buckets_for(entries) * sizeof(uint32_t)
               : 0;
}

/* The most entries whose table fits. */
static size_t entries_for(size_t bytes) {
    size_t entries = bytes / (sizeof(th_cache_entry) + sizeof(uint32_t));
    while (th_cache_table_bytes(entries) > bytes) {
        entries--;
    }
    return entries;
}

static th_status check_config(const th_cache_config *config) {
    if (config->memory == NULL || config->handles == NULL || config->handles->heap == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_guarding_is_valid(&config->guarding) || (unsigned)config->policy > TH_CACHE_SIEVE) {
        return TH_ERR_CONFIG;
    }
    if (!th_is_aligned((uintptr_t)config->memory, alignof(th_cache_entry))) {
        return TH_ERR_MISALIGNED;
    }
    if (config->memory_bytes > th_cache_table_bytes(ENTRIES_MAX)) {
        return TH_ERR_TOO_LARGE;
    }
    return entries_for(config->memory_bytes) > 0 ? TH_OK : TH_ERR_TOO_SMALL;
}

th_status th_cache_init(th_cache *c, const th_cache_config *config) {
    if (c == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_config(config);
    if (status != TH_OK) {
        return status;
    }
    size_t entries = entries_for(config->memory_bytes);
    size_t buckets = buckets_for(entries);
    th_cache_entry *table = config->memory;
    *c = (th_cache){.entries = table,
                    .buckets = (uint32_t *)(void *)(table + entries),
                    .entries_max = (uint32_t)entries,
                    .bucket_mask = (uint32_t)buckets - 1,
                    .oldest = TH_CACHE_NONE,
                    .youngest = TH_CACHE_NONE,
                    .hand = TH_CACHE_NONE,
                    .config = *config};
    for (size_t i = 0; i < entries; i++) {
        table[i] = (th_cache_entry){.next = (uint32_t)i + 1};
    }
    for (size_t i = 0; i < buckets; i++) {
        c->buckets[i] = TH_CACHE_NONE;
    }
    return TH_OK;
}

void th_cache_clean_up(th_cache *c) {
    if (c != NULL && th_cache_reset(c) != TH_ERR_BUSY) {
        *c = (th_cache){0};
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

th_cache_stats th_cache_get_stats(const th_cache *c) {
    if (!is_started(c)) {
        return (th_cache_stats){0};
    }
    return (th_cache_stats){
        .entries = c->count,
        .entries_max = c->entries_max,
        .live_bytes = c->live_bytes,
        .hits = c->hits,
        .misses = c->misses,
        .inserts = c->inserts,
        .evictions = c->evictions,
        .refusals = c->refusals,
        .invalidations = c->invalidations,
        .failures = c->failures,
        .moves = c->config.handles->moves,
    };
}

/* Is the entry where its key says, with a block as it says? */
static bool is_sound(const th_cache *c, uint32_t entry, uint32_t older) {
    const th_cache_entry *e = &c->entries[entry];
    th_handle_info info;
    return e->older == older && find(c, e->key) == entry &&
           th_handles_describe(c->config.handles, e->handle, &info) && info.bytes == e->bytes &&
           info.tag == e->tag;
}

th_status th_cache_check(const th_cache *c, th_fault *fault) {
    th_no_fault(fault);
    if (!is_started(c)) {
        return TH_ERR_NULL;
    }
    uint32_t older = TH_CACHE_NONE;
    uint64_t count = 0;
    size_t bytes = 0;
    for (uint32_t at = c->oldest; at != TH_CACHE_NONE; at = c->entries[at].younger) {
        if (at >= c->entries_max || count == c->count || !is_sound(c, at, older)) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, at, TH_FAULT_NOWHERE, older, count);
        }
        count++;
        bytes += c->entries[at].bytes;
        older = at;
    }
    const uint64_t pairs[][2] = {{count, c->count}, {bytes, c->live_bytes}, {older, c->youngest}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] != pairs[i][1]) {
            return th_guarding_corrupt(fault, TH_FAULT_COUNT, TH_FAULT_NOWHERE, TH_FAULT_NOWHERE,
                                       pairs[i][0], pairs[i][1]);
        }
    }
    return TH_OK;
}
