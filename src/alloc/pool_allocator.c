/* SPDX-License-Identifier: MIT */
/* The pool as an allocator. */
#include "alloc/moving.h"
#include "alloc/pool.h"
#include "alloc/thunks.h"

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_pool *pool = self;
    if (bytes > pool->config.object_bytes || alignment > pool->alignment) {
        return NULL;
    }
    return th_pool_alloc(pool);
}

static size_t usable_size(const void *self, const void *pointer) {
    const th_pool *pool = self;
    th_pool_chunk *chunk;
    size_t index;
    th_fault fault;
    if (th_pool_find_live(pool, pointer, &chunk, &index, &fault) == TH_OK) {
        return pool->config.object_bytes;
    }
    if (th_pool_level(pool) >= 1) {
        th_guarding_report(&pool->config.guarding, &fault);
    }
    return 0;
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    return bytes <= usable_size(self, pointer);
}

TH_THUNKS(pool);

th_allocator th_pool_allocator(th_pool *pool) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .resize_in_place = resize_in_place,
                                             .realloc = th_realloc_impossible,
                                             .usable_size = usable_size,
                                             TH_THUNKS_OF(pool)};
    return th_allocator_of(&table, pool);
}
