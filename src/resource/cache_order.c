/* SPDX-License-Identifier: MIT */
/* LRU keeps the entries in the order of their last use, SIEVE in the order in which they came. */
#include "resource/cache.h"

void th_cache_order_insert(th_cache *c, uint32_t entry) {
    th_cache_entry *e = &c->entries[entry];
    e->visited = false;
    e->older = c->youngest;
    e->younger = TH_CACHE_NONE;
    if (c->youngest != TH_CACHE_NONE) {
        c->entries[c->youngest].younger = entry;
    } else {
        c->oldest = entry;
    }
    c->youngest = entry;
}

void th_cache_order_remove(th_cache *c, uint32_t entry) {
    const th_cache_entry *e = &c->entries[entry];
    if (c->hand == entry) {
        c->hand = e->younger;
    }
    if (e->older != TH_CACHE_NONE) {
        c->entries[e->older].younger = e->younger;
    } else {
        c->oldest = e->younger;
    }
    if (e->younger != TH_CACHE_NONE) {
        c->entries[e->younger].older = e->older;
    } else {
        c->youngest = e->older;
    }
}

void th_cache_order_use(th_cache *c, uint32_t entry) {
    if (c->config.policy == TH_CACHE_LRU) {
        th_cache_order_remove(c, entry);
        th_cache_order_insert(c, entry);
    }
    c->entries[entry].visited = true;
}

/* The longest unused. One that may not go is not younger for it, unless it was used by that. */
static uint32_t lru_victim(th_cache *c, th_cache_may_go_fn may_go) {
    uint32_t at = c->oldest;
    for (uint32_t left = c->count; left > 0; left--) {
        uint32_t younger = c->entries[at].younger;
        if (may_go(c, at)) {
            return at;
        }
        at = younger;
    }
    return TH_CACHE_NONE;
}

/* Two rounds at most: in the first all marks are taken off. */
static uint32_t sieve_victim(th_cache *c, th_cache_may_go_fn may_go) {
    for (uint64_t left = 2 * (uint64_t)c->count; left > 0; left--) {
        uint32_t at = c->hand != TH_CACHE_NONE ? c->hand : c->oldest;
        th_cache_entry *e = &c->entries[at];
        c->hand = e->younger;
        if (e->visited) {
            e->visited = false;
        } else if (may_go(c, at)) {
            return at;
        }
    }
    return TH_CACHE_NONE;
}

uint32_t th_cache_order_victim(th_cache *c, th_cache_may_go_fn may_go) {
    return c->config.policy == TH_CACHE_LRU ? lru_victim(c, may_go) : sieve_victim(c, may_go);
}
