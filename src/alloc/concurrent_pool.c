/* SPDX-License-Identifier: MIT */
/* Concurrent pool: the stack of free objects is alloc/index_stack.h, where the memory orders are
 * explained. What is done to an object here is done by the thread that has it alone: after it was
 * popped, or before it is pushed.
 *
 * The link of an object that is not on the stack says what it is:
 *
 *   LIVE      the caller's
 *   CLAIMED   on its way from the caller to the stack, from guard level 1 on
 *
 * All accesses to links are relaxed. LIVE is read by the thread that frees the object, which has
 * the pointer from the one that allocated it, and so sees what that one wrote before; of two that
 * free it, whatever they see, one exchange fails. The rest are statistics. */
#include "tagheap/concurrent_pool.h"

#include <assert.h>
#include <string.h>

#include "alloc/cells.h"
#include "alloc/index_stack.h"
#include "alloc/moving.h"
#include "alloc/thunks.h"
#include "base/compiler.h"

#define LIVE         (TH_INDEX_NONE - 1)
#define CLAIMED      (TH_INDEX_NONE - 2)
#define CAPACITY_MAX ((size_t)CLAIMED)
#define LINK_BYTES   sizeof(th_atomic_u32)
#define LINE_BYTES   64u

static_assert(offsetof(th_concurrent_pool, objects) - offsetof(th_concurrent_pool, head) ==
                  LINE_BYTES,
              "what changes and what is only read are a cache line apart");

static int level_of(const th_concurrent_pool *pool) {
    return th_guarding_level(&pool->config.guarding);
}

static th_cells cells_of(const th_concurrent_pool *pool) {
    return (th_cells){pool->objects, pool->stride, pool->alignment, pool->capacity};
}

static uint32_t link_of(const th_concurrent_pool *pool, size_t index) {
    return TH_ATOMIC_LOAD(&pool->links[index], TH_RELAXED);
}

TH_DEFINE_IS_SOUND(concurrent_pool);

/* ---- sizes -------------------------------------------------------------------------------- */

typedef struct layout {
    size_t alignment;
    size_t stride;
} layout;

static th_status lay_out(const th_concurrent_pool_config *config, layout *out) {
    return th_cell_lay_out(config->object_bytes, config->alignment, 1, PTRDIFF_MAX / 2,
                           &out->alignment, &out->stride);
}

static size_t memory_alignment(const layout *of) {
    return of->alignment < LINK_BYTES ? LINK_BYTES : of->alignment;
}

static size_t links_offset(const layout *of, size_t count) {
    return th_size_round_up(count * of->stride + TH_CELL_WALL_BYTES, LINK_BYTES);
}

/* What `count` objects and all that belongs to them take; 0 if that exceeds PTRDIFF_MAX. */
static size_t total_bytes(const layout *of, size_t count) {
    size_t bytes;
    if (count > CAPACITY_MAX || th_mul_overflows(count, of->stride + LINK_BYTES, &bytes) ||
        bytes > PTRDIFF_MAX - TH_CELL_WALL_BYTES - LINK_BYTES) {
        return 0;
    }
    return links_offset(of, count) + count * LINK_BYTES;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The most objects that fit. */
static size_t count_that_fits(const layout *of, size_t bytes) {
    if (bytes < TH_CELL_WALL_BYTES) {
        return 0;
    }
    size_t count = (bytes - TH_CELL_WALL_BYTES) / (of->stride + LINK_BYTES);
    return links_offset(of, count) + count * LINK_BYTES <= bytes ? count : count - 1;
}

size_t th_concurrent_pool_bytes(const th_concurrent_pool_config *config, size_t count) {
    layout of;
    if (config == NULL || count == 0 || lay_out(config, &of) != TH_OK) {
        return 0;
    }
    return total_bytes(&of, count);
}

/* ---- start and end ------------------------------------------------------------------------ */

static th_status verify_config(const th_concurrent_pool_config *config, const layout *of,
                               size_t *capacity) {
    *capacity = config->capacity;
    if (!th_guarding_is_valid(&config->guarding) || !th_backing_is_usable(&config->backing)) {
        return TH_ERR_CONFIG;
    }
    if (config->memory == NULL) {
        if (config->backing.table == NULL || config->capacity == 0) {
            return TH_ERR_CONFIG;
        }
        return total_bytes(of, config->capacity) > 0 ? TH_OK : TH_ERR_TOO_LARGE;
    }
    if (!th_is_aligned((uintptr_t)config->memory, memory_alignment(of))) {
        return TH_ERR_MISALIGNED;
    }
    if (config->memory_bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    size_t most = config->capacity != 0 ? config->capacity : CAPACITY_MAX;
    *capacity = smaller(smaller(most, CAPACITY_MAX), count_that_fits(of, config->memory_bytes));
    return *capacity > 0 ? TH_OK : TH_ERR_TOO_SMALL;
}

/* All objects are free, the lowest on top. */
static void free_all(th_concurrent_pool *pool) {
    th_cells cells = cells_of(pool);
    for (size_t i = 0; i < pool->capacity; i++) {
        uint32_t below = i + 1 < pool->capacity ? (uint32_t)(i + 1) : TH_INDEX_NONE;
        TH_ATOMIC_INIT(&pool->links[i], below);
        if (level_of(pool) >= 2) {
            th_cell_close(&cells, i, 0, level_of(pool));
        }
    }
    TH_ATOMIC_INIT(&pool->head, th_index_stack_pack(0, 0));
    th_track_close(pool->objects, pool->capacity * pool->stride + TH_CELL_WALL_BYTES);
}

th_status th_concurrent_pool_init(th_concurrent_pool *pool,
                                  const th_concurrent_pool_config *config) {
    layout of;
    size_t capacity;
    if (pool == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
#if !TH_ATOMIC
    return TH_ERR_UNSUPPORTED;
#endif
    th_status status = lay_out(config, &of);
    if (status == TH_OK) {
        status = verify_config(config, &of, &capacity);
    }
    if (status != TH_OK) {
        return status;
    }
    unsigned char *memory = config->memory;
    void *block = NULL;
    if (memory == NULL) {
        block = th_allocator_alloc_aligned(config->backing, total_bytes(&of, capacity),
                                           memory_alignment(&of));
        if (block == NULL) {
            return TH_ERR_EXHAUSTED;
        }
        memory = block;
    }
    *pool = (th_concurrent_pool){.objects = memory,
                                 .links = (void *)(memory + links_offset(&of, capacity)),
                                 .stride = of.stride,
                                 .alignment = of.alignment,
                                 .capacity = capacity,
                                 .block = block,
                                 .config = *config};
    free_all(pool);
    return TH_OK;
}

void th_concurrent_pool_clean_up(th_concurrent_pool *pool) {
    if (pool == NULL) {
        return;
    }
    if (pool->block != NULL) {
        th_track_open(pool->objects, pool->capacity * pool->stride + TH_CELL_WALL_BYTES);
        th_allocator_free(pool->config.backing, pool->block);
    } else if (pool->capacity > 0) {
        th_track_release(pool->objects, pool->capacity * pool->stride + TH_CELL_WALL_BYTES);
    }
    memset(pool, 0, sizeof *pool);
}

th_status th_concurrent_pool_reset(th_concurrent_pool *pool) {
    if (pool == NULL || pool->capacity == 0) {
        return TH_ERR_NULL;
    }
    if (!th_concurrent_pool_is_sound(pool)) {
        return TH_ERR_CORRUPT;
    }
    free_all(pool);
    return TH_OK;
}

/* ---- allocation --------------------------------------------------------------------------- */

static th_status verify_free(const th_concurrent_pool *pool, size_t index, th_fault *fault) {
    th_cells cells = cells_of(pool);
    return level_of(pool) >= 2 ? th_cell_verify_poison(&cells, index, 0, fault) : TH_OK;
}

void *th_concurrent_pool_alloc(th_concurrent_pool *pool) {
    th_fault fault;
    if (pool == NULL || pool->capacity == 0) {
        return NULL;
    }
    uint32_t index = th_index_stack_pop(&pool->head, pool->links);
    if (index == TH_INDEX_NONE) {
        (void)TH_ATOMIC_ADD(&pool->failed_allocs, 1, TH_RELAXED); /* a number, no more */
        return NULL;
    }
    if (!th_guarding_passes(&pool->config.guarding, verify_free(pool, index, &fault), &fault)) {
        th_index_stack_push(&pool->head, pool->links, index); /* as it was */
        return NULL;
    }
    th_cells cells = cells_of(pool);
    th_cell_open(&cells, index, pool->config.object_bytes, pool->stride, false, level_of(pool));
    TH_ATOMIC_STORE(&pool->links[index], LIVE, TH_RELAXED);
    return th_cell_at(&cells, index);
}

/* ---- free --------------------------------------------------------------------------------- */

static bool contains(const th_concurrent_pool *pool, const void *address) {
    return (uintptr_t)address - (uintptr_t)pool->objects < pool->capacity * pool->stride;
}

/* Which object is at `pointer`? */
static th_status find(const th_concurrent_pool *pool, const void *pointer, size_t *index,
                      th_fault *fault) {
    *index = 0;
    if (!contains(pool, pointer)) {
        return th_cells_foreign(pointer, fault);
    }
    th_cells cells = cells_of(pool);
    return th_cells_find(&cells, pointer, index, fault);
}

static th_status verify_canary(const th_concurrent_pool *pool, size_t index, th_fault *fault) {
    th_cells cells = cells_of(pool);
    return th_cell_verify_canary(&cells, index, pool->config.object_bytes, pool->stride, fault);
}

/* From here on the object is this call's. */
static th_status claim(th_concurrent_pool *pool, void *pointer, size_t *index, th_fault *fault) {
    th_status status = find(pool, pointer, index, fault);
    if (level_of(pool) < 1 || status != TH_OK) {
        return status;
    }
    uint32_t expected = LIVE;
    if (!TH_ATOMIC_CAS(&pool->links[*index], &expected, CLAIMED, TH_RELAXED, TH_RELAXED)) {
        th_cells cells = cells_of(pool);
        return th_cells_double_free(&cells, *index, fault);
    }
    status = verify_canary(pool, *index, fault);
    if (status != TH_OK) {
        TH_ATOMIC_STORE(&pool->links[*index], LIVE, TH_RELAXED); /* it is not freed */
    }
    return status;
}

/* At level 0 a bad pointer that is noticed is none of our business. */
static bool passes(const th_concurrent_pool *pool, th_status status, const th_fault *fault) {
    return level_of(pool) < 1 ? status == TH_OK
                              : th_guarding_passes(&pool->config.guarding, status, fault);
}

void th_concurrent_pool_free(th_concurrent_pool *pool, void *object) {
    th_fault fault;
    size_t index;
    if (pool == NULL || object == NULL ||
        !passes(pool, claim(pool, object, &index, &fault), &fault)) {
        return;
    }
    th_cells cells = cells_of(pool);
    th_cell_close(&cells, index, 0, level_of(pool));
    th_index_stack_push(&pool->head, pool->links, (uint32_t)index);
}

/* ---- queries ------------------------------------------------------------------------------ */

bool th_concurrent_pool_owns(const th_concurrent_pool *pool, const void *address) {
    if (pool == NULL || !contains(pool, address)) {
        return false;
    }
    size_t offset = (size_t)((const unsigned char *)address - pool->objects);
    return link_of(pool, offset / pool->stride) == LIVE;
}

th_concurrent_pool_stats th_concurrent_pool_get_stats(const th_concurrent_pool *pool) {
    if (pool == NULL) {
        return (th_concurrent_pool_stats){0};
    }
    th_concurrent_pool_stats stats = {.capacity = pool->capacity,
                                      .object_bytes = pool->config.object_bytes,
                                      .stride_bytes = pool->stride,
                                      .failed_allocs =
                                          TH_ATOMIC_LOAD(&pool->failed_allocs, TH_RELAXED)};
    for (size_t i = 0; i < pool->capacity; i++) {
        stats.live += link_of(pool, i) == LIVE;
    }
    return stats;
}

static th_status check_stack(const th_concurrent_pool *pool, size_t due, th_fault *fault) {
    th_cells cells = cells_of(pool);
    size_t count = 0;
    size_t from = TH_FAULT_NOWHERE;
    uint32_t index = th_index_stack_top(TH_ATOMIC_LOAD(&pool->head, TH_RELAXED));
    for (; index != TH_INDEX_NONE; count++) {
        if (index >= pool->capacity || count == due) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, from, TH_FAULT_NOWHERE, due, index);
        }
        th_status status =
            level_of(pool) >= 2 ? th_cell_verify_poison(&cells, index, 0, fault) : TH_OK;
        if (status != TH_OK) {
            return status;
        }
        from = index;
        index = link_of(pool, index);
    }
    return count == due ? TH_OK
                        : th_guarding_corrupt(fault, TH_FAULT_COUNT, TH_FAULT_NOWHERE,
                                              TH_FAULT_NOWHERE, due, count);
}

th_status th_concurrent_pool_check(const th_concurrent_pool *pool, th_fault *fault) {
    th_no_fault(fault);
    if (pool == NULL || pool->capacity == 0) {
        return TH_ERR_NULL;
    }
    size_t live = 0;
    for (size_t i = 0; i < pool->capacity; i++) {
        if (link_of(pool, i) == LIVE) {
            th_status status = level_of(pool) >= 1 ? verify_canary(pool, i, fault) : TH_OK;
            if (status != TH_OK) {
                return status;
            }
            live++;
        }
    }
    return check_stack(pool, pool->capacity - live, fault);
}

/* ---- the pool as an allocator --------------------------------------------------------------- */

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_concurrent_pool *pool = self;
    if (bytes > pool->config.object_bytes || alignment > pool->alignment) {
        return NULL;
    }
    return th_concurrent_pool_alloc(pool);
}

static th_status find_live(const th_concurrent_pool *pool, const void *pointer, th_fault *fault) {
    size_t index;
    th_status status = find(pool, pointer, &index, fault);
    if (level_of(pool) < 1 || status != TH_OK) {
        return status;
    }
    if (link_of(pool, index) != LIVE) {
        th_cells cells = cells_of(pool);
        return th_cells_double_free(&cells, index, fault);
    }
    return verify_canary(pool, index, fault);
}

static size_t usable_size(const void *self, const void *pointer) {
    const th_concurrent_pool *pool = self;
    th_fault fault;
    return passes(pool, find_live(pool, pointer, &fault), &fault) ? pool->config.object_bytes : 0;
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    return bytes <= usable_size(self, pointer);
}

TH_THUNKS(concurrent_pool);

th_allocator th_concurrent_pool_allocator(th_concurrent_pool *pool) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .resize_in_place = resize_in_place,
                                             .realloc = th_realloc_impossible,
                                             .usable_size = usable_size,
                                             TH_THUNKS_OF(concurrent_pool)};
    return th_allocator_of(&table, pool);
}
