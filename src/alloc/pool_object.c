/* SPDX-License-Identifier: MIT */
/* Single objects of a pool: is one free, is one live, and are they whole? */
#include "alloc/pool.h"

bool th_pool_is_free_object(const th_pool *pool, const void *object) {
    size_t index;
    const th_pool_chunk *chunk = th_pool_chunk_of(pool, object);
    if (chunk == NULL) {
        return false;
    }
    th_cells cells = th_pool_cells_of(pool, chunk);
    return th_cells_find(&cells, object, &index, NULL) == TH_OK &&
           (!th_pool_keeps_map(pool) || !th_pool_is_live(chunk, index));
}

th_status th_pool_verify_free(const th_pool *pool, const th_pool_chunk *chunk, size_t index,
                              const void *next, th_fault *fault) {
    th_cells cells = th_pool_cells_of(pool, chunk);
    int level = th_pool_level(pool);
    if (level >= 1 && next != NULL && !th_pool_is_free_object(pool, next)) {
        return th_cells_bad_link(&cells, index, next, fault);
    }
    return level >= 2 ? th_cell_verify_poison(&cells, index, th_pool_poison_from(pool), fault)
                      : TH_OK;
}

th_status th_pool_find_live(const th_pool *pool, const void *pointer, th_pool_chunk **chunk,
                            size_t *index, th_fault *fault) {
    *chunk = th_pool_chunk_of(pool, pointer);
    *index = 0;
    if (*chunk == NULL) {
        return th_cells_foreign(pointer, fault);
    }
    if (th_pool_level(pool) < 1) {
        *index = th_pool_index_of(pool, *chunk, pointer);
        return TH_OK;
    }
    th_cells cells = th_pool_cells_of(pool, *chunk);
    th_status status = th_cells_find(&cells, pointer, index, fault);
    if (status == TH_OK && !th_pool_is_live(*chunk, *index)) {
        status = th_cells_double_free(&cells, *index, fault);
    }
    if (status == TH_OK) {
        status =
            th_cell_verify_canary(&cells, *index, pool->config.object_bytes, pool->stride, fault);
    }
    return status;
}
