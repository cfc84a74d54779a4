/* SPDX-License-Identifier: MIT */
/* What the parts of the pool share. */
#ifndef TH_ALLOC_POOL_H
#define TH_ALLOC_POOL_H

#include "alloc/cells.h"
#include "base/ranges.h"
#include "tagheap/pool.h"

#define TH_POOL_MAP_BITS 32u

static inline int th_pool_level(const th_pool *pool) {
    return th_guarding_level(&pool->config.guarding);
}

static inline bool th_pool_keeps_map(const th_pool *pool) {
    return pool->config.iterable || th_pool_level(pool) >= 1;
}

/* Where the poison of a free object begins. */
static inline size_t th_pool_poison_from(const th_pool *pool) {
    return pool->config.links_beside ? pool->stride : TH_CELL_LINK_BYTES;
}

static inline size_t th_pool_used_of(const th_pool *pool, const th_pool_chunk *chunk) {
    if (chunk == pool->current) {
        return (size_t)(pool->fresh - chunk->objects) / pool->stride;
    }
    return chunk->used;
}

static inline th_cells th_pool_cells_of(const th_pool *pool, const th_pool_chunk *chunk) {
    return (th_cells){chunk->objects, pool->stride, pool->alignment, th_pool_used_of(pool, chunk)};
}

static inline th_pool_chunk *th_pool_chunk_of(const th_pool *pool, const void *object) {
    return (th_pool_chunk *)th_ranges_find(pool->ranges, object);
}

static inline size_t th_pool_index_of(const th_pool *pool, const th_pool_chunk *chunk,
                                      const void *object) {
    return (size_t)((const unsigned char *)object - chunk->objects) / pool->stride;
}

static inline bool th_pool_is_live(const th_pool_chunk *chunk, size_t index) {
    return (chunk->live[index / TH_POOL_MAP_BITS] >> (index % TH_POOL_MAP_BITS) & 1) != 0;
}

/* Where the link of a free object is kept. */
static inline void *th_pool_link_place(const th_pool *pool, const th_pool_chunk *chunk,
                                       size_t index) {
    if (pool->config.links_beside) {
        return &chunk->links[index];
    }
    return chunk->objects + index * pool->stride;
}

/* Objects that were ever in use since the last reset; no fewer than at any time since then, for a
 * fresh one is taken only when none is free. */
static inline size_t th_pool_used_objects(const th_pool *pool) {
    size_t used = 0;
    for (const th_pool_chunk *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
        used += th_pool_used_of(pool, chunk);
    }
    return used;
}

static inline size_t th_pool_live_max_now(const th_pool *pool) {
    size_t used = th_pool_used_objects(pool);
    return used > pool->live_max ? used : pool->live_max;
}

/* Could `object` be the next of the free list? */
bool th_pool_is_free_object(const th_pool *pool, const void *object);

/* A free object with its link `next`. */
th_status th_pool_verify_free(const th_pool *pool, const th_pool_chunk *chunk, size_t index,
                              const void *next, th_fault *fault);

/* The live object at `pointer`; its canary is verified, too. */
th_status th_pool_find_live(const th_pool *pool, const void *pointer, th_pool_chunk **chunk,
                            size_t *index, th_fault *fault);

#endif
