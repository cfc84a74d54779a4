/* SPDX-License-Identifier: MIT */
/* Pool: the free list and the lazy start are one branch each in th_pool_alloc and th_pool_free, as
 * long as the pool is quick. Everything else (guards, the map, links beside, tools, chunks) is the
 * careful way. The set of ranges says in which chunk an object lies. */
#include "alloc/pool.h"

#include <assert.h>
#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"

#define CAPACITY_MAX  ((size_t)UINT32_MAX - 1)
#define POINTER_BYTES sizeof(void *)

static_assert(TH_CELL_WALL_BYTES == TH_POOL_WALL_BYTES_, "static pools have the same wall");
static_assert(offsetof(th_pool_chunk, range) == 0, "a range of the set is a chunk");

static bool can_be_quick(const th_pool *pool) {
    return !th_guarding_watches(th_pool_level(pool)) && !pool->config.links_beside &&
           !th_pool_keeps_map(pool);
}

TH_DEFINE_SETTLE(pool);

TH_DEFINE_IS_SOUND(pool);

/* ---- sizes -------------------------------------------------------------------------------- */

typedef struct layout {
    size_t alignment;
    size_t stride;
    bool links_beside;
} layout;

static th_status lay_out(const th_pool_config *config, layout *out) {
    out->links_beside = config->links_beside;
    return th_cell_lay_out(config->object_bytes, config->alignment,
                           config->links_beside ? 1 : POINTER_BYTES, PTRDIFF_MAX / 2,
                           &out->alignment, &out->stride);
}

/* Where the map begins, from the first of `count` objects on. */
static size_t map_offset(const layout *of, size_t count) {
    return th_size_round_up(count * of->stride + TH_CELL_WALL_BYTES, POINTER_BYTES);
}

static size_t links_offset(const layout *of, size_t count) {
    return map_offset(of, count) + th_size_round_up((count + 7) / 8, POINTER_BYTES);
}

/* What `count` objects and all that belongs to them take; SIZE_MAX if that exceeds PTRDIFF_MAX. */
static size_t total_bytes(const layout *of, size_t count) {
    size_t objects;
    size_t each = of->stride + 1 + (of->links_beside ? POINTER_BYTES : 0);
    if (count > CAPACITY_MAX || th_mul_overflows(count, each, &objects) ||
        objects > PTRDIFF_MAX - TH_CELL_WALL_BYTES - 2 * POINTER_BYTES) {
        return SIZE_MAX;
    }
    return links_offset(of, count) + (of->links_beside ? count * POINTER_BYTES : 0);
}

/* The most objects that fit: their bytes grow with their number. */
static size_t count_that_fits(const layout *of, size_t bytes) {
    size_t fits = 0;
    size_t too_many = bytes / of->stride + 1;
    while (too_many - fits > 1) {
        size_t middle = fits + (too_many - fits) / 2;
        if (total_bytes(of, middle) <= bytes) {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    return fits;
}

size_t th_pool_bytes(const th_pool_config *config, size_t count) {
    layout of;
    if (config == NULL || count == 0 || lay_out(config, &of) != TH_OK) {
        return 0;
    }
    size_t bytes = total_bytes(&of, count);
    return bytes != SIZE_MAX ? bytes : 0;
}

static layout layout_of(const th_pool *pool) {
    return (layout){pool->alignment, pool->stride, pool->config.links_beside};
}

/* ---- chunks ------------------------------------------------------------------------------- */

static void go_to(th_pool *pool, th_pool_chunk *chunk) {
    pool->current = chunk;
    pool->fresh = chunk->objects + chunk->used * pool->stride;
    pool->fresh_end = chunk->objects + chunk->range.bytes;
}

/* A chunk of `capacity` objects, the first of them at `objects`, joins the pool. */
static void add_chunk(th_pool *pool, th_pool_chunk *chunk, unsigned char *objects, size_t capacity,
                      void *block) {
    layout of = layout_of(pool);
    th_pool_chunk **link = pool->current != NULL ? &pool->current->next : &pool->chunks;
    *chunk = (th_pool_chunk){
        .range = {.start = objects, .bytes = capacity * of.stride},
        .objects = objects,
        .capacity = capacity,
        .live = (uint32_t *)(void *)(objects + map_offset(&of, capacity)),
        .links = of.links_beside ? (void **)(void *)(objects + links_offset(&of, capacity)) : NULL,
        .block = block};
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = chunk;
    th_ranges_insert(&pool->ranges, &chunk->range);
    pool->capacity += capacity;
    if (pool->current == NULL) {
        go_to(pool, chunk);
    }
}

/* From the start of a backing's block to the first object. */
static size_t header_bytes(const th_pool *pool) {
    return th_size_round_up(sizeof(th_pool_chunk) + TH_CELL_WALL_BYTES, pool->alignment);
}

static size_t block_bytes(const th_pool *pool, size_t capacity) {
    layout of = layout_of(pool);
    size_t bytes = total_bytes(&of, capacity);
    size_t header = header_bytes(pool);
    return bytes <= PTRDIFF_MAX - header ? header + bytes : 0;
}

static th_status add_from_backing(th_pool *pool, size_t capacity) {
    size_t alignment = pool->alignment < POINTER_BYTES ? POINTER_BYTES : pool->alignment;
    size_t bytes = block_bytes(pool, capacity);
    if (bytes == 0) {
        return TH_ERR_TOO_LARGE;
    }
    unsigned char *block = th_allocator_alloc_aligned(pool->config.backing, bytes, alignment);
    if (block == NULL) {
        return TH_ERR_EXHAUSTED;
    }
    size_t header = header_bytes(pool);
    add_chunk(pool, (void *)block, block + header, capacity, block);
    th_track_close(block + sizeof(th_pool_chunk), header - sizeof(th_pool_chunk));
    return TH_OK;
}

static void give_back(th_pool *pool, th_pool_chunk *chunk) {
    void *block = chunk->block;
    th_track_open(block, block_bytes(pool, chunk->capacity));
    th_allocator_free(pool->config.backing, block);
}

static size_t room_to_grow(const th_pool *pool) {
    size_t most = pool->config.objects_max;
    return (most == 0 || most > CAPACITY_MAX ? CAPACITY_MAX : most) - pool->capacity;
}

/* Of its own accord, because all objects are in use. */
static bool grow(th_pool *pool) {
    size_t count = pool->config.grow_objects;
    size_t room = room_to_grow(pool);
    if (count == 0) {
        return false;
    }
    if (pool->config.grow_doubling && count < pool->capacity) {
        count = pool->capacity;
    }
    count = count < room ? count : room;
    size_t least = pool->config.grow_objects < room ? pool->config.grow_objects : room;
    return count > 0 && (add_from_backing(pool, count) == TH_OK ||
                         (count > least && add_from_backing(pool, least) == TH_OK));
}

/* Makes a chunk with a fresh object the current one. */
static bool find_fresh(th_pool *pool) {
    if (pool->fresh < pool->fresh_end) {
        return true;
    }
    th_pool_chunk *spent = pool->current;
    if ((spent == NULL || spent->next == NULL) && !grow(pool)) {
        return false;
    }
    if (spent != NULL) {
        spent->used = spent->capacity;
        go_to(pool, spent->next);
    }
    return true;
}

/* ---- start and end ------------------------------------------------------------------------ */

static th_status verify_config(const th_pool_config *config, const layout *of, size_t *capacity) {
    bool backed = config->backing.table != NULL;
    size_t alignment = of->alignment < POINTER_BYTES ? POINTER_BYTES : of->alignment;
    *capacity = 0;
    if (!th_guarding_is_valid(&config->guarding) || !th_backing_is_usable(&config->backing) ||
        (config->memory == NULL && !backed) || (config->grow_objects > 0 && !backed)) {
        return TH_ERR_CONFIG;
    }
    if (config->memory == NULL) {
        return TH_OK;
    }
    if (!th_is_aligned((uintptr_t)config->memory, alignment)) {
        return TH_ERR_MISALIGNED;
    }
    if (config->memory_bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    *capacity = count_that_fits(of, config->memory_bytes);
    if (config->objects_max != 0 && *capacity > config->objects_max) {
        *capacity = config->objects_max;
    }
    return *capacity > 0 ? TH_OK : TH_ERR_TOO_SMALL;
}

th_status th_pool_init(th_pool *pool, const th_pool_config *config) {
    layout of;
    size_t capacity;
    if (pool == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = lay_out(config, &of);
    if (status == TH_OK) {
        status = verify_config(config, &of, &capacity);
    }
    if (status != TH_OK) {
        return status;
    }
    *pool = (th_pool){.stride = of.stride, .alignment = of.alignment, .config = *config};
    pool->quick = can_be_quick(pool);
    if (capacity > 0) {
        add_chunk(pool, &pool->first, config->memory, capacity, NULL);
    }
    return TH_OK;
}

void th_pool_clean_up(th_pool *pool) {
    if (pool == NULL) {
        return;
    }
    for (th_pool_chunk *chunk = pool->chunks; chunk != NULL;) {
        th_pool_chunk *next = chunk->next;
        if (chunk->block != NULL) {
            give_back(pool, chunk);
        } else {
            th_track_release(chunk->objects, chunk->range.bytes + TH_CELL_WALL_BYTES);
        }
        chunk = next;
    }
    memset(pool, 0, sizeof *pool);
}

/* ---- allocation --------------------------------------------------------------------------- */

/* Takes the first of the free list, which is not empty. False iff it is damaged. */
static bool take_freed(th_pool *pool, th_pool_chunk **chunk, size_t *index) {
    th_fault fault;
    *chunk = th_pool_chunk_of(pool, pool->free_list);
    TH_ASSERT(*chunk != NULL);
    *index = th_pool_index_of(pool, *chunk, pool->free_list);
    void *next = th_cell_link_load(th_pool_link_place(pool, *chunk, *index));
    if (!th_guarding_passes(&pool->config.guarding,
                            th_pool_verify_free(pool, *chunk, *index, next, &fault), &fault)) {
        return false;
    }
    pool->free_list = next;
    return true;
}

/* Takes the lowest object never used. False iff there is none. */
static bool take_fresh(th_pool *pool, th_pool_chunk **chunk, size_t *index) {
    if (!find_fresh(pool)) {
        pool->failed_allocs++;
        return false;
    }
    *chunk = pool->current;
    *index = th_pool_index_of(pool, *chunk, pool->fresh);
    if (*index == 0) {
        th_track_close((*chunk)->objects, (*chunk)->range.bytes + TH_CELL_WALL_BYTES);
    }
    if (th_pool_keeps_map(pool) && *index % TH_POOL_MAP_BITS == 0) {
        (*chunk)->live[*index / TH_POOL_MAP_BITS] = 0;
    }
    pool->fresh += pool->stride;
    return true;
}

static void *alloc_carefully(th_pool *pool, bool *fresh) {
    th_pool_chunk *chunk;
    size_t index;
    void *object = NULL;
    if (pool == NULL) {
        return NULL;
    }
    *fresh = pool->free_list == NULL;
    pool->quick = pool->chunks != NULL && can_be_quick(pool);
    if (*fresh ? take_fresh(pool, &chunk, &index) : take_freed(pool, &chunk, &index)) {
        th_cells cells = th_pool_cells_of(pool, chunk);
        bool kept = !*fresh && pool->config.links_beside;
        th_cell_open(&cells, index, pool->config.object_bytes, pool->stride, kept,
                     th_pool_level(pool));
        if (th_pool_keeps_map(pool)) {
            chunk->live[index / TH_POOL_MAP_BITS] |= 1u << (index % TH_POOL_MAP_BITS);
        }
        pool->live++;
        *fresh = !kept;
        object = th_cell_at(&cells, index);
    }
    th_pool_settle(pool);
    return object;
}

void *th_pool_alloc(th_pool *pool) {
    bool fresh;
    if (pool == NULL || !pool->quick) {
        return alloc_carefully(pool, &fresh);
    }
    void *object = pool->free_list;
    if (object != NULL) {
        pool->free_list = th_cell_link_load(object);
    } else if (pool->fresh < pool->fresh_end) {
        object = pool->fresh;
        pool->fresh += pool->stride;
    } else {
        return alloc_carefully(pool, &fresh);
    }
    pool->live++;
    return object;
}

void *th_pool_take(th_pool *pool, bool *fresh) {
    bool unasked;
    if (fresh == NULL) {
        fresh = &unasked;
    }
    *fresh = true;
    return pool != NULL && pool->quick ? th_pool_alloc(pool) : alloc_carefully(pool, fresh);
}

/* ---- free --------------------------------------------------------------------------------- */

/* False after a report; at level 0 a foreign pointer that is noticed is none of our business. */
static bool require_live(const th_pool *pool, const void *pointer, th_pool_chunk **chunk,
                         size_t *index) {
    th_fault fault;
    th_status status = th_pool_find_live(pool, pointer, chunk, index, &fault);
    return th_pool_level(pool) < 1 ? status == TH_OK
                                   : th_guarding_passes(&pool->config.guarding, status, &fault);
}

/* Never inlined: th_pool_free would save the registers that this needs on its quick way, too. */
TH_NOINLINE static void free_carefully(th_pool *pool, void *object) {
    th_pool_chunk *chunk;
    size_t index;
    if (pool == NULL) {
        return;
    }
    if (object != NULL && require_live(pool, object, &chunk, &index)) {
        th_cells cells = th_pool_cells_of(pool, chunk);
        if (th_pool_keeps_map(pool)) {
            chunk->live[index / TH_POOL_MAP_BITS] &= ~(1u << (index % TH_POOL_MAP_BITS));
        }
        th_cell_link_store(th_pool_link_place(pool, chunk, index), pool->free_list);
        th_cell_close(&cells, index, th_pool_poison_from(pool), th_pool_level(pool));
        pool->free_list = object;
        pool->live--;
    }
    th_pool_settle(pool);
}

void th_pool_free(th_pool *pool, void *object) {
    if (pool == NULL || !pool->quick) {
        free_carefully(pool, object);
        return;
    }
    if (object != NULL) {
        th_cell_link_store(object, pool->free_list);
        pool->free_list = object;
        pool->live--;
    }
}

/* ---- all at once -------------------------------------------------------------------------- */

th_status th_pool_reset(th_pool *pool) {
    if (pool == NULL || pool->stride == 0) {
        return TH_ERR_NULL;
    }
    if (!th_pool_is_sound(pool)) {
        return TH_ERR_CORRUPT;
    }
    if (pool->chunks != NULL) {
        pool->live_max = th_pool_live_max_now(pool);
        pool->live = 0;
        pool->free_list = NULL;
        for (th_pool_chunk *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
            chunk->used = 0;
            th_track_close(chunk->objects, chunk->range.bytes + TH_CELL_WALL_BYTES);
        }
        go_to(pool, pool->chunks);
    }
    th_pool_settle(pool);
    return TH_OK;
}

th_status th_pool_reserve(th_pool *pool, size_t count) {
    th_status status = TH_OK;
    if (pool == NULL || pool->stride == 0) {
        return TH_ERR_NULL;
    }
    if (count > pool->capacity) {
        size_t more = count - pool->capacity;
        status = more <= room_to_grow(pool) ? add_from_backing(pool, more) : TH_ERR_TOO_LARGE;
    }
    th_pool_settle(pool);
    return status;
}

static void count_free(th_pool *pool) {
    for (th_pool_chunk *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
        chunk->used = th_pool_used_of(pool, chunk);
        chunk->free = 0;
    }
    for (void *object = pool->free_list; object != NULL;) {
        th_pool_chunk *chunk = th_pool_chunk_of(pool, object);
        chunk->free++;
        object = th_cell_link_load(
            th_pool_link_place(pool, chunk, th_pool_index_of(pool, chunk, object)));
    }
}

/* Takes the objects of chunks that are about to go (capacity 0) out of the free list. */
static void thin_out(th_pool *pool) {
    void *place = NULL;
    for (void *object = pool->free_list; object != NULL;) {
        th_pool_chunk *chunk = th_pool_chunk_of(pool, object);
        void *link = th_pool_link_place(pool, chunk, th_pool_index_of(pool, chunk, object));
        void *next = th_cell_link_load(link);
        bool goes = chunk->free == SIZE_MAX;
        if (!goes) {
            place = link;
        } else if (place == NULL) {
            pool->free_list = next;
        } else {
            th_cell_link_store(place, next);
        }
        object = next;
    }
}

/* Marks the chunks that go with free == SIZE_MAX; returns how many objects that are. */
static size_t mark_empty(th_pool *pool, size_t keep) {
    size_t going = 0;
    for (th_pool_chunk *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
        if (chunk->block != NULL && chunk->free == chunk->used &&
            pool->capacity - going - chunk->capacity >= keep) {
            chunk->free = SIZE_MAX;
            going += chunk->capacity;
        }
    }
    return going;
}

static void remove_marked(th_pool *pool) {
    pool->current = NULL;
    pool->fresh = NULL;
    pool->fresh_end = NULL;
    for (th_pool_chunk **link = &pool->chunks; *link != NULL;) {
        th_pool_chunk *chunk = *link;
        if (chunk->free == SIZE_MAX) {
            *link = chunk->next;
            th_ranges_remove(&pool->ranges, &chunk->range);
            pool->capacity -= chunk->capacity;
            give_back(pool, chunk);
            continue;
        }
        if (pool->current == NULL || pool->fresh == pool->fresh_end) {
            go_to(pool, chunk);
        }
        link = &chunk->next;
    }
}

size_t th_pool_trim(th_pool *pool, size_t keep) {
    size_t going = 0;
    if (pool == NULL) {
        return 0;
    }
    if (th_pool_is_sound(pool)) {
        pool->live_max = th_pool_live_max_now(pool);
        count_free(pool);
        going = mark_empty(pool, keep);
        if (going > 0) {
            thin_out(pool);
            remove_marked(pool);
        }
    }
    th_pool_settle(pool);
    return going;
}
