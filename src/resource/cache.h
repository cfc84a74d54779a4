/* SPDX-License-Identifier: MIT */
/* The order of a cache's entries, which is its policy. */
#ifndef TH_RESOURCE_CACHE_H
#define TH_RESOURCE_CACHE_H

#include "tagheap/cache.h"

#define TH_CACHE_NONE UINT32_MAX

/* A new entry, which is the youngest. */
void th_cache_order_insert(th_cache *cache, uint32_t entry);

void th_cache_order_remove(th_cache *cache, uint32_t entry);

/* The entry was used. */
void th_cache_order_use(th_cache *cache, uint32_t entry);

/* May the entry be evicted? */
typedef bool (*th_cache_may_go_fn)(th_cache *cache, uint32_t entry);

/* The entry to be evicted, of those that may; TH_CACHE_NONE if there is none. Each is asked at most
 * once. */
uint32_t th_cache_order_victim(th_cache *cache, th_cache_may_go_fn may_go);

#endif
