/* SPDX-License-Identifier: MIT */
#include "model/cache.h"

#include <string.h>

void lab_cache_start(lab_cache *c, lab_handles *handles, bool sieve, uint32_t entries_max,
                     size_t bytes_max, bool (*refuses)(uint64_t key)) {
    memset(c, 0, sizeof *c);
    c->handles = handles;
    c->sieve = sieve;
    c->entries_max = entries_max;
    c->bytes_max = bytes_max;
    c->refuses = refuses;
}

static uint32_t place_of(const lab_cache *c, uint64_t key) {
    uint32_t at = 0;
    while (at < c->count && c->list[at].key != key) {
        at++;
    }
    return at;
}

const lab_cache_entry *lab_cache_find(const lab_cache *c, uint64_t key) {
    uint32_t at = place_of(c, key);
    return at < c->count ? &c->list[at] : NULL;
}

size_t lab_cache_live_bytes(const lab_cache *c) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        bytes += c->list[i].bytes;
    }
    return bytes;
}

static bool is_pinned(const lab_cache *c, uint32_t at) {
    return c->handles->slots[c->list[at].slot].pins > 0;
}

static void tell(lab_cache *c, uint64_t key, bool evicted) {
    if (c->told_count < LAB_CACHE_TOLD_MAX) {
        c->told[c->told_count].key = key;
        c->told[c->told_count++].evicted = evicted;
    }
}

/* Takes it out of the list; the hand stays at the entry where it is, or goes on to the next. */
static lab_cache_entry take(lab_cache *c, uint32_t at) {
    lab_cache_entry taken = c->list[at];
    memmove(&c->list[at], &c->list[at + 1], (c->count - at - 1) * sizeof taken);
    c->count--;
    c->hand -= at < c->hand;
    return taken;
}

/* A hand at the end of the list is not at the new entry, but will begin anew. */
static void append(lab_cache *c, lab_cache_entry entry) {
    if (c->hand >= c->count) {
        c->hand = 0;
    }
    c->list[c->count++] = entry;
}

static void drop(lab_cache *c, uint32_t at) {
    lab_cache_entry gone = take(c, at);
    lab_handles_free(c->handles, gone.slot);
}

void lab_cache_drop(lab_cache *c, uint64_t key) {
    drop(c, place_of(c, key));
}

static void use(lab_cache *c, uint32_t at) {
    if (c->sieve) {
        c->list[at].visited = true;
    } else {
        append(c, take(c, at));
    }
}

const lab_cache_entry *lab_cache_get(lab_cache *c, uint64_t key) {
    uint32_t at = place_of(c, key);
    if (at == c->count) {
        c->misses++;
        return NULL;
    }
    c->hits++;
    use(c, at);
    return lab_cache_find(c, key);
}

/* ---- eviction ------------------------------------------------------------------------------- */

/* True: it has gone. */
static bool ask(lab_cache *c, uint64_t key) {
    uint32_t at = place_of(c, key);
    if (is_pinned(c, at)) {
        return false;
    }
    tell(c, key, true);
    if (c->refuses(key)) {
        c->refusals++;
        use(c, at);
        return false;
    }
    c->evictions++;
    drop(c, at);
    return true;
}

static bool evict_lru(lab_cache *c) {
    uint64_t keys[LAB_CACHE_ENTRIES_MAX];
    uint32_t count = c->count;
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = c->list[i].key;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (ask(c, keys[i])) {
            return true;
        }
    }
    return false;
}

static bool evict_sieve(lab_cache *c) {
    uint32_t steps = 2 * c->count;
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t at = c->hand < c->count ? c->hand : 0;
        c->hand = at + 1;
        if (c->list[at].visited) {
            c->list[at].visited = false;
        } else if (ask(c, c->list[at].key)) {
            return true;
        }
    }
    return false;
}

static bool evict(lab_cache *c) {
    return c->sieve ? evict_sieve(c) : evict_lru(c);
}

/* ---- insertion ------------------------------------------------------------------------------ */

static void invalidate(lab_cache *c, uint32_t at) {
    tell(c, c->list[at].key, false);
    c->invalidations++;
    drop(c, at);
}

static bool is_over(const lab_cache *c, size_t bytes) {
    return c->count >= c->entries_max ||
           (c->bytes_max != 0 && lab_cache_live_bytes(c) + bytes > c->bytes_max);
}

static uint32_t make_block(lab_cache *c, size_t bytes, uint32_t tag) {
    while (is_over(c, bytes)) {
        if (!evict(c)) {
            return LAB_HANDLES_NONE;
        }
    }
    uint32_t slot;
    do {
        slot = lab_handles_alloc(c->handles, bytes, 4, tag);
    } while (slot == LAB_HANDLES_NONE && evict(c));
    return slot;
}

lab_cache_result lab_cache_insert(lab_cache *c, uint64_t key, size_t bytes, uint32_t tag) {
    uint32_t old = place_of(c, key);
    if (bytes == 0 || tag >= c->handles->heap->tag_free) {
        return LAB_CACHE_BAD;
    }
    if (bytes > 4 * (size_t)c->handles->heap->dwords ||
        (c->bytes_max != 0 && bytes > c->bytes_max)) {
        return LAB_CACHE_TOO_LARGE;
    }
    if (old < c->count) {
        if (is_pinned(c, old)) {
            return LAB_CACHE_PINNED;
        }
        invalidate(c, old);
    }
    uint32_t slot = make_block(c, bytes, tag);
    if (slot == LAB_HANDLES_NONE) {
        c->failures++;
        return LAB_CACHE_EXHAUSTED;
    }
    append(c, (lab_cache_entry){key, (uint32_t)bytes, tag, slot, false});
    c->inserts++;
    return LAB_CACHE_DONE;
}

/* ---- invalidation --------------------------------------------------------------------------- */

lab_cache_result lab_cache_invalidate(lab_cache *c, uint64_t key) {
    uint32_t at = place_of(c, key);
    if (at == c->count) {
        return LAB_CACHE_UNKNOWN;
    }
    if (is_pinned(c, at)) {
        return LAB_CACHE_PINNED;
    }
    invalidate(c, at);
    return LAB_CACHE_DONE;
}

uint64_t lab_cache_invalidate_tags(lab_cache *c, uint32_t low, uint32_t high) {
    uint64_t gone = 0;
    for (uint32_t at = 0; at < c->count;) {
        if (c->list[at].tag >= low && c->list[at].tag <= high && !is_pinned(c, at)) {
            invalidate(c, at);
            gone++;
        } else {
            at++;
        }
    }
    return gone;
}

size_t lab_cache_trim(lab_cache *c, size_t bytes) {
    size_t before = lab_cache_live_bytes(c);
    while (lab_cache_live_bytes(c) > bytes && evict(c)) {
    }
    return before - lab_cache_live_bytes(c);
}

void lab_cache_reset(lab_cache *c) {
    while (c->count > 0) {
        c->handles->slots[c->list[0].slot].pins = 0;
        invalidate(c, 0);
    }
}
