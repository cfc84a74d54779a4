/* SPDX-License-Identifier: MIT */
/* Buffer pools: two lists of buffers, those that are out and those that are kept. */
#include "tagheap/buffer_pool.h"

#include <assert.h>

#include "alloc/guarding.h"

enum { KEPT_MAX = 16 };

struct th_pooled_buffer {
    th_buffer buffer;
    th_pooled_buffer *next;
    th_pooled_buffer *previous;
    th_buffer_pool *pool;
    bool is_out;
};

static_assert(offsetof(th_pooled_buffer, buffer) == 0, "a buffer of the pool's is its record");

static bool is_started(const th_buffer_pool *pool) {
    return pool != NULL && pool->config.kept_max != 0;
}

th_status th_buffer_pool_init(th_buffer_pool *pool, const th_buffer_pool_config *config) {
    th_buffer trial;
    if (pool == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = th_buffer_init(&trial, &config->buffers);
    if (status == TH_OK && !th_guarding_is_valid(&config->guarding)) {
        status = TH_ERR_CONFIG;
    }
    if (status != TH_OK) {
        return status;
    }
    *pool = (th_buffer_pool){.config = *config};
    if (config->kept_max == 0) {
        pool->config.kept_max = KEPT_MAX;
    }
    return TH_OK;
}

/* ---- lists -------------------------------------------------------------------------------- */

static void link_to(th_pooled_buffer **list, th_pooled_buffer *record) {
    record->next = *list;
    record->previous = NULL;
    if (*list != NULL) {
        (*list)->previous = record;
    }
    *list = record;
}

static void unlink_from(th_pooled_buffer **list, th_pooled_buffer *record) {
    if (record->previous != NULL) {
        record->previous->next = record->next;
    } else {
        *list = record->next;
    }
    if (record->next != NULL) {
        record->next->previous = record->previous;
    }
}

static void keep(th_buffer_pool *pool, th_pooled_buffer *record) {
    record->is_out = false;
    link_to(&pool->kept, record);
    pool->kept_count++;
    pool->kept_bytes += record->buffer.capacity;
}

static void unkeep(th_buffer_pool *pool, th_pooled_buffer *record) {
    unlink_from(&pool->kept, record);
    pool->kept_count--;
    pool->kept_bytes -= record->buffer.capacity;
}

static void end(th_buffer_pool *pool, th_pooled_buffer *record) {
    th_buffer_clean_up(&record->buffer);
    th_allocator_free(pool->config.buffers.backing, record);
}

static void end_all(th_buffer_pool *pool, th_pooled_buffer *list) {
    while (list != NULL) {
        th_pooled_buffer *record = list;
        list = record->next;
        end(pool, record);
    }
}

TH_DEFINE_SETTLE(buffer_pool);

void th_buffer_pool_clean_up(th_buffer_pool *pool) {
    if (pool == NULL) {
        return;
    }
    end_all(pool, pool->out);
    end_all(pool, pool->kept);
    *pool = (th_buffer_pool){0};
}

/* ---- taking ------------------------------------------------------------------------------- */

/* One that was kept, or a new one, in no list. */
static th_pooled_buffer *find(th_buffer_pool *pool, size_t bytes) {
    th_pooled_buffer *record = pool->kept;
    while (record != NULL && record->buffer.capacity < bytes) {
        record = record->next;
    }
    if (record == NULL) {
        record = pool->kept;
    }
    if (record != NULL) {
        unkeep(pool, record);
        return record;
    }
    record = th_allocator_alloc(pool->config.buffers.backing, sizeof *record);
    if (record != NULL) {
        *record = (th_pooled_buffer){.pool = pool};
        (void)th_buffer_init(&record->buffer, &pool->config.buffers); /* init has tried it */
    }
    return record;
}

static th_buffer *take(th_buffer_pool *pool, size_t bytes) {
    if (pool->config.out_max != 0 && pool->out_count >= pool->config.out_max) {
        return NULL;
    }
    size_t kept = pool->kept_count;
    th_pooled_buffer *record = find(pool, bytes);
    if (record == NULL) {
        return NULL;
    }
    bool is_reused = pool->kept_count < kept;
    if (th_buffer_reserve(&record->buffer, bytes) != TH_OK) {
        if (is_reused) {
            keep(pool, record);
        } else {
            end(pool, record);
        }
        return NULL;
    }
    record->is_out = true;
    link_to(&pool->out, record);
    pool->reuses += is_reused;
    pool->out_count++;
    if (pool->out_count > pool->out_peak) {
        pool->out_peak = pool->out_count;
    }
    return &record->buffer;
}

th_buffer *th_buffer_pool_take(th_buffer_pool *pool, size_t bytes) {
    if (!is_started(pool)) {
        return NULL;
    }
    th_buffer *buffer = take(pool, bytes);
    pool->takes++;
    pool->refusals += buffer == NULL;
    th_buffer_pool_settle(pool);
    return buffer;
}

/* ---- giving back -------------------------------------------------------------------------- */

/* Is it out? False after a fault. */
static bool verify(const th_buffer_pool *pool, const th_pooled_buffer *record) {
    if (record->pool == pool && record->is_out) {
        return true;
    }
    if (th_guarding_level(&pool->config.guarding) > 0) {
        th_guarding_raise(&pool->config.guarding,
                          record->pool == pool ? TH_FAULT_DOUBLE_FREE : TH_FAULT_FOREIGN, SIZE_MAX,
                          SIZE_MAX, 1, 0);
    }
    return false;
}

static void take_back(th_buffer_pool *pool, th_pooled_buffer *record) {
    size_t most = pool->config.kept_bytes_max;
    unlink_from(&pool->out, record);
    pool->out_count--;
    (void)th_buffer_reset(&record->buffer); /* becoming shorter never fails */
    size_t bytes = pool->kept_bytes + record->buffer.capacity;
    if (pool->kept_count >= pool->config.kept_max || (most != 0 && bytes > most)) {
        end(pool, record);
    } else {
        keep(pool, record);
    }
}

th_status th_buffer_pool_give_back(th_buffer_pool *pool, th_buffer *buffer) {
    th_pooled_buffer *record = (th_pooled_buffer *)(void *)buffer;
    if (!is_started(pool)) {
        return TH_ERR_NULL;
    }
    if (record == NULL) {
        return TH_OK;
    }
    if (!verify(pool, record)) {
        return TH_ERR_CORRUPT;
    }
    take_back(pool, record);
    th_buffer_pool_settle(pool);
    return TH_OK;
}

th_status th_buffer_pool_reset(th_buffer_pool *pool) {
    if (!is_started(pool)) {
        return TH_ERR_NULL;
    }
    while (pool->out != NULL) {
        take_back(pool, pool->out);
    }
    th_buffer_pool_settle(pool);
    return TH_OK;
}

size_t th_buffer_pool_trim(th_buffer_pool *pool, size_t kept) {
    size_t gone = 0;
    if (!is_started(pool)) {
        return 0;
    }
    th_pooled_buffer *record = pool->kept;
    for (size_t place = 0; record != NULL; place++) {
        th_pooled_buffer *next = record->next;
        if (place >= kept) {
            unkeep(pool, record);
            end(pool, record);
            gone++;
        }
        record = next;
    }
    th_buffer_pool_settle(pool);
    return gone;
}

/* ---- questions ---------------------------------------------------------------------------- */

th_buffer_pool_stats th_buffer_pool_get_stats(const th_buffer_pool *pool) {
    if (pool == NULL) {
        return (th_buffer_pool_stats){0};
    }
    return (th_buffer_pool_stats){.out = pool->out_count,
                                  .out_peak = pool->out_peak,
                                  .kept = pool->kept_count,
                                  .kept_bytes = pool->kept_bytes,
                                  .takes = pool->takes,
                                  .reuses = pool->reuses,
                                  .refusals = pool->refusals};
}

static th_status check_list(const th_buffer_pool *pool, const th_pooled_buffer *list, bool is_out,
                            size_t count, size_t *bytes, th_fault *fault) {
    const th_pooled_buffer *previous = NULL;
    size_t found = 0;
    for (; list != NULL; list = list->next) {
        if (list->pool != pool || list->is_out != is_out || list->previous != previous) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, found, SIZE_MAX, is_out,
                                       list->is_out);
        }
        th_status status = th_buffer_check(&list->buffer, fault);
        if (status != TH_OK) {
            return status;
        }
        *bytes += list->buffer.capacity;
        previous = list;
        found++;
    }
    return found == count
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, found, count);
}

th_status th_buffer_pool_check(const th_buffer_pool *pool, th_fault *fault) {
    size_t out_bytes = 0;
    size_t kept_bytes = 0;
    th_no_fault(fault);
    if (!is_started(pool)) {
        return TH_ERR_NULL;
    }
    th_status status = check_list(pool, pool->out, true, pool->out_count, &out_bytes, fault);
    if (status == TH_OK) {
        status = check_list(pool, pool->kept, false, pool->kept_count, &kept_bytes, fault);
    }
    if (status == TH_OK && kept_bytes != pool->kept_bytes) {
        status = th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, kept_bytes,
                                     pool->kept_bytes);
    }
    return status;
}
