/* SPDX-License-Identifier: MIT */
/* The pool: what only looks at it, the checker, iteration, statistics. */
#include <string.h>

#include "alloc/pool.h"
#include "base/compiler.h"

/* ---- the checker -------------------------------------------------------------------------- */

static th_status wrong_count(size_t expected, size_t found, th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, expected, found);
}

/* The live objects of a chunk join *live; their canaries must be whole. */
static th_status check_live(const th_pool *pool, const th_pool_chunk *chunk, size_t *live,
                            th_fault *fault) {
    th_cells cells = th_pool_cells_of(pool, chunk);
    th_status status = TH_OK;
    for (size_t i = 0; i < cells.used && status == TH_OK; i++) {
        if (!th_pool_is_live(chunk, i)) {
            continue;
        }
        ++*live;
        if (th_pool_level(pool) >= 1) {
            status =
                th_cell_verify_canary(&cells, i, pool->config.object_bytes, pool->stride, fault);
        }
    }
    return status;
}

static th_status check_chunks(const th_pool *pool, th_fault *fault) {
    size_t live = 0;
    size_t capacity = 0;
    th_status status = TH_OK;
    for (const th_pool_chunk *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
        size_t used = th_pool_used_of(pool, chunk);
        if (th_pool_chunk_of(pool, chunk->objects) != chunk || used > chunk->capacity) {
            return th_guarding_corrupt(fault, TH_FAULT_HEADER, SIZE_MAX, SIZE_MAX, chunk->capacity,
                                       used);
        }
        capacity += chunk->capacity;
        if (th_pool_keeps_map(pool)) {
            status = check_live(pool, chunk, &live, fault);
        }
        if (status != TH_OK) {
            return status;
        }
    }
    if (capacity != pool->capacity) {
        return wrong_count(capacity, pool->capacity, fault);
    }
    return th_pool_keeps_map(pool) && live != pool->live ? wrong_count(live, pool->live, fault)
                                                         : TH_OK;
}

/* The free list must hold exactly the objects that were used and are not live: as many different
 * ones, for a list that comes back to itself never ends. */
static th_status check_free_list(const th_pool *pool, th_fault *fault) {
    size_t due = th_pool_used_objects(pool) - pool->live;
    size_t count = 0;
    const void *object = pool->free_list;
    if (object != NULL && !th_pool_is_free_object(pool, object)) {
        return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, 0,
                                   (uint32_t)(uintptr_t)object);
    }
    while (object != NULL && count <= due) {
        const th_pool_chunk *chunk = th_pool_chunk_of(pool, object);
        size_t index = th_pool_index_of(pool, chunk, object);
        const void *next = th_cell_link_load(th_pool_link_place(pool, chunk, index));
        th_status status = th_pool_verify_free(pool, chunk, index, next, fault);
        if (status != TH_OK) {
            return status;
        }
        count++;
        object = next;
    }
    return count == due ? TH_OK : wrong_count(due, count, fault);
}

th_status th_pool_check(const th_pool *pool, th_fault *fault) {
    th_no_fault(fault);
    if (pool == NULL || pool->stride == 0) {
        return TH_ERR_NULL;
    }
    th_status status = check_chunks(pool, fault);
    return status == TH_OK ? check_free_list(pool, fault) : status;
}

/* ---- queries ------------------------------------------------------------------------------ */

void *th_pool_next(const th_pool *pool, const void *object) {
    if (pool == NULL) {
        return NULL;
    }
    const th_pool_chunk *chunk = pool->chunks;
    size_t index = 0;
    if (!pool->config.iterable) {
        return NULL;
    }
    if (object != NULL) {
        chunk = th_pool_chunk_of(pool, object);
        index = chunk != NULL ? th_pool_index_of(pool, chunk, object) + 1 : 0;
    }
    for (; chunk != NULL; chunk = chunk->next, index = 0) {
        size_t used = th_pool_used_of(pool, chunk);
        while (index < used) {
            uint32_t word = chunk->live[index / TH_POOL_MAP_BITS] >> (index % TH_POOL_MAP_BITS);
            if (word != 0) {
                return chunk->objects + (index + th_lowest_bit(word)) * pool->stride;
            }
            index = (index / TH_POOL_MAP_BITS + 1) * TH_POOL_MAP_BITS;
        }
    }
    return NULL;
}

bool th_pool_owns(const th_pool *pool, const void *address) {
    if (pool == NULL) {
        return false;
    }
    const th_pool_chunk *chunk = th_pool_chunk_of(pool, address);
    if (chunk == NULL) {
        return false;
    }
    size_t index = th_pool_index_of(pool, chunk, address);
    return index < th_pool_used_of(pool, chunk) &&
           (!th_pool_keeps_map(pool) || th_pool_is_live(chunk, index));
}

th_pool_stats th_pool_get_stats(const th_pool *pool) {
    if (pool == NULL) {
        return (th_pool_stats){0};
    }
    th_pool_stats stats = {.live = pool->live,
                           .live_max = th_pool_live_max_now(pool),
                           .capacity = pool->capacity,
                           .object_bytes = pool->config.object_bytes,
                           .stride_bytes = pool->stride,
                           .failed_allocs = pool->failed_allocs};
    for (const th_pool_chunk *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
        stats.chunks++;
    }
    return stats;
}
