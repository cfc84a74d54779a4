/* SPDX-License-Identifier: MIT */
/* Arena: where blocks go, marks, the checker. chunk.c looks after the chunks. */
#include "alloc/arena.h"

#include <string.h>

#include "alloc/chunk.h"
#include "alloc/thunks.h"
#include "base/align.h"
#include "base/assert.h"

static size_t chunk_bytes_of(const th_arena_config *config) {
    return config->chunk_bytes != 0 ? config->chunk_bytes : TH_ARENA_CHUNK_BYTES;
}

/* Bytes in use, as marks count them. */
static size_t used_now(const th_arena *arena) {
    return arena->position + th_span_used(&arena->span) + arena->large_position;
}

static void note_high_water(th_arena *arena) {
    size_t used = used_now(arena);
    arena->high_water = used > arena->high_water ? used : arena->high_water;
}

/* NULL and a zeroed arena are not. */
static bool is_started(const th_arena *arena) {
    return arena != NULL && arena->config.chunk_bytes != 0;
}

/* ---- starting and ending ------------------------------------------------------------------ */

static th_status check_memory(const th_arena_config *config) {
    size_t skipped = th_chunk_skipped(config->memory);
    if (config->memory == NULL) {
        return TH_OK;
    }
    if (config->memory_bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    return config->memory_bytes > skipped + TH_CHUNK_HEADER ? TH_OK : TH_ERR_TOO_SMALL;
}

static th_status check_config(const th_arena_config *config) {
    if (config->backing.table == NULL && config->memory == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_guarding_is_valid(&config->guarding) || !th_backing_is_usable(&config->backing)) {
        return TH_ERR_CONFIG;
    }
    if (chunk_bytes_of(config) < TH_ARENA_CHUNK_BYTES_MIN) {
        return TH_ERR_TOO_SMALL;
    }
    return chunk_bytes_of(config) > PTRDIFF_MAX ? TH_ERR_TOO_LARGE : check_memory(config);
}

th_status th_arena_init(th_arena *arena, const th_arena_config *config) {
    if (arena == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_config(config);
    if (status != TH_OK) {
        return status;
    }
    *arena = (th_arena){.config = *config};
    arena->config.chunk_bytes = chunk_bytes_of(config);
    if (config->memory != NULL) {
        size_t skipped = th_chunk_skipped(config->memory);
        th_chunk p = th_chunk_make(arena, (unsigned char *)config->memory + skipped,
                                   config->memory_bytes - skipped);
        arena->reserved = p.header.bytes;
        th_chunk_push(arena, &p);
    }
    return TH_OK;
}

/* The chunk that lies in the caller's memory is always the lowest one. */
static bool is_callers(const th_arena *arena, const th_chunk *p) {
    return p->header.prev == NULL && arena->config.memory != NULL;
}

/* Gives back a list of chunks as far as the headers can be trusted. */
static void give_back_all(th_arena *arena, th_arena_chunk *chunk, bool is_chain) {
    while (chunk != NULL) {
        th_chunk p;
        if (!th_chunk_load_verified(arena, chunk, &p) || (is_chain && is_callers(arena, &p))) {
            return;
        }
        (void)th_span_verify(&p.span, th_arena_guarding(arena), p.header.number, p.span.base);
        chunk = p.header.prev;
        th_chunk_give_back(arena, &p);
    }
}

void th_arena_clean_up(th_arena *arena) {
    if (arena == NULL) {
        return;
    }
    give_back_all(arena, arena->large, false);
    give_back_all(arena, arena->spare, false);
    give_back_all(arena, arena->chunk, true);
    if (arena->config.memory != NULL) {
        th_track_release(arena->config.memory, arena->config.memory_bytes);
    }
    *arena = (th_arena){0};
}

/* ---- allocation --------------------------------------------------------------------------- */

TH_DEFINE_SETTLE(arena);

static void *take(th_arena *arena, th_chunk *p, size_t bytes, size_t mask) {
    unsigned char *start = NULL;
    bool found = th_span_find(&p->span, bytes, mask, &start);
    TH_ASSERT(found);
    (void)found;
    return th_span_take(&p->span, th_arena_guarding(arena), p->header.number, start, bytes) ? start
                                                                                            : NULL;
}

/* A chunk for this block alone; `need` covers its alignment. */
static void *alloc_large(th_arena *arena, size_t bytes, size_t mask, size_t need) {
    th_chunk p;
    if (need > PTRDIFF_MAX - TH_CHUNK_HEADER - TH_CHUNK_UNIT ||
        !th_chunk_take(arena, TH_CHUNK_HEADER + ((need + TH_CHUNK_UNIT - 1) & ~(TH_CHUNK_UNIT - 1)),
                       &p)) {
        arena->failed_allocs++;
        return NULL;
    }
    void *block = take(arena, &p, bytes, mask);
    p.header.prev = arena->large;
    p.header.position = arena->large_position;
    arena->large = p.chunk;
    arena->large_open = true;
    arena->large_position += th_span_used(&p.span);
    arena->larges++;
    arena->numbers++;
    arena->allocs++;
    th_chunk_store(arena, &p);
    return block;
}

/* The first block of a new current chunk. */
static void *alloc_in_next(th_arena *arena, size_t bytes, size_t mask) {
    th_chunk p;
    th_arena_chunk *spare = arena->spare;
    if (spare != NULL) {
        if (!th_chunk_load_verified(arena, spare, &p)) {
            return NULL;
        }
    } else if (!th_chunk_take(arena, arena->config.chunk_bytes, &p)) {
        arena->failed_allocs++;
        return NULL;
    }
    void *block = take(arena, &p, bytes, mask);
    if (block == NULL) {
        return NULL;
    }
    if (spare != NULL) {
        arena->spare = p.header.prev;
        arena->spares--;
    }
    th_chunk_push(arena, &p);
    arena->allocs++;
    return block;
}

/* There is no room in the current chunk. */
static void *alloc_elsewhere(th_arena *arena, size_t bytes, size_t mask) {
    size_t capacity = arena->config.chunk_bytes - TH_CHUNK_HEADER;
    size_t skipped_max = mask >= TH_CHUNK_UNIT ? mask - (TH_CHUNK_UNIT - 1) : 0;
    if (bytes == 0 || bytes > PTRDIFF_MAX) {
        return NULL;
    }
    if (arena->config.backing.table == NULL || skipped_max > PTRDIFF_MAX - bytes) {
        arena->failed_allocs++;
        return NULL;
    }
    size_t need = bytes + skipped_max;
    if (need > capacity || (need > capacity / 4 && arena->spare == NULL)) {
        return alloc_large(arena, bytes, mask, need);
    }
    return alloc_in_next(arena, bytes, mask);
}

static void *alloc_elsewhere_and_settle(th_arena *arena, size_t bytes, size_t mask) {
    void *block = alloc_elsewhere(arena, bytes, mask);
    th_arena_settle(arena);
    return block;
}

static inline void *alloc_here(th_arena *arena, size_t bytes, size_t mask) {
    unsigned char *start;
    if (th_guarding_is_null(arena)) {
        return NULL;
    }
    if (!th_span_find(&arena->span, bytes, mask, &start)) {
        return alloc_elsewhere_and_settle(arena, bytes, mask);
    }
    bool taken = th_span_take(&arena->span, th_arena_guarding(arena), arena->number, start, bytes);
    arena->allocs += taken;
    th_arena_settle(arena);
    return taken ? start : NULL;
}

void *th_arena_alloc(th_arena *arena, size_t bytes) {
    return alloc_here(arena, bytes, TH_ALLOCATOR_ALIGNMENT - 1);
}

void *th_arena_alloc_aligned(th_arena *arena, size_t bytes, size_t alignment) {
    return th_is_power_of_two(alignment) ? alloc_here(arena, bytes, alignment - 1) : NULL;
}

/* ---- single blocks ------------------------------------------------------------------------ */

/* Does a chunk of the list hold the address? */
static bool is_in(const th_arena *arena, th_arena_chunk *chunk, const void *pointer) {
    while (chunk != NULL) {
        th_chunk p;
        if (th_chunk_load(arena, chunk, &p, NULL) != TH_OK) {
            return false;
        }
        if (th_span_holds(&p.span, pointer)) {
            return true;
        }
        chunk = p.header.prev;
    }
    return false;
}

bool th_arena_owns(const th_arena *arena, const void *pointer) {
    if (arena == NULL) {
        return false;
    }
    return is_in(arena, arena->chunk, pointer) || is_in(arena, arena->large, pointer);
}

static bool verify_pointer(const th_arena *arena, const void *pointer) {
    if (!th_arena_is_guarded(arena) || th_arena_owns(arena, pointer)) {
        return true;
    }
    th_span_raise_bad_pointer(&arena->span, th_arena_guarding(arena), arena->number, pointer);
    return false;
}

/* Is it the block with the newest chunk of its own, and may it be changed? */
static bool is_open_large(const th_arena *arena, const void *pointer, th_chunk *p) {
    return arena->large_open && th_chunk_load(arena, arena->large, p, NULL) == TH_OK &&
           pointer == p->span.last;
}

static bool resize_large(th_arena *arena, th_chunk *p, size_t bytes) {
    if (!th_span_resize(&p->span, th_arena_guarding(arena), p->header.number, bytes)) {
        return false;
    }
    arena->large_position = p->header.position + th_span_used(&p->span);
    th_chunk_store(arena, p);
    return true;
}

bool th_arena_resize_in_place(th_arena *arena, void *pointer, size_t bytes) {
    bool resized = false;
    th_chunk p;
    if (arena == NULL || pointer == NULL || !verify_pointer(arena, pointer)) {
        return false;
    }
    note_high_water(arena);
    if (pointer == arena->span.last) {
        resized = th_span_resize(&arena->span, th_arena_guarding(arena), arena->number, bytes);
    } else if (is_open_large(arena, pointer, &p)) {
        resized = resize_large(arena, &p, bytes);
    }
    th_arena_settle(arena);
    return resized;
}

void th_arena_free(th_arena *arena, void *pointer) {
    th_chunk p;
    if (arena == NULL || pointer == NULL || !verify_pointer(arena, pointer)) {
        return;
    }
    const th_guarding *guarding = th_arena_guarding(arena);
    note_high_water(arena);
    if (pointer == arena->span.last) {
        if (th_span_verify(&arena->span, guarding, arena->number, arena->span.last)) {
            th_span_cut(&arena->span, guarding, arena->span.last);
        }
    } else if (is_open_large(arena, pointer, &p) &&
               th_span_verify(&p.span, guarding, p.header.number, p.span.base)) {
        th_chunk_pop_large(arena, &p);
    }
    th_arena_settle(arena);
}

/* ---- marks -------------------------------------------------------------------------------- */

th_arena_mark th_arena_take_mark(th_arena *arena) {
    if (arena == NULL) {
        return (th_arena_mark){0};
    }
    arena->span.last = NULL;
    arena->large_open = false;
    return (th_arena_mark){.arena = arena,
                           .chunk = arena->chunk,
                           .large = arena->large,
                           .used = th_span_used(&arena->span),
                           .position = used_now(arena),
                           .generation = arena->generation};
}

/* Has the arena been below the mark since it was taken? */
static bool is_stale(const th_arena *arena, const th_arena_mark *mark) {
    if (mark->generation < arena->oldest || mark->position > used_now(arena)) {
        return true;
    }
    for (unsigned i = 0; i < arena->notes; i++) {
        if (arena->note[i].generation > mark->generation &&
            arena->note[i].position < mark->position) {
            return true;
        }
    }
    return false;
}

static bool raise_stale(const th_arena *arena, const th_arena_mark *mark) {
    th_guarding_raise(th_arena_guarding(arena), TH_FAULT_DOUBLE_FREE, SIZE_MAX, SIZE_MAX,
                      used_now(arena), mark->position);
    return false;
}

/* Every chunk that a rollback would empty, and the one that it would cut. */
static bool verify_chain(const th_arena *arena, const th_arena_mark *mark) {
    th_chunk p = {0};
    for (th_arena_chunk *chunk = arena->chunk; chunk != mark->chunk; chunk = p.header.prev) {
        if (chunk == NULL) {
            return raise_stale(arena, mark);
        }
        if (!th_chunk_load_verified(arena, chunk, &p) ||
            !th_span_verify(&p.span, th_arena_guarding(arena), p.header.number, p.span.base)) {
            return false;
        }
    }
    if (mark->chunk == NULL) {
        return true;
    }
    if (!th_chunk_load_verified(arena, mark->chunk, &p)) {
        return false;
    }
    if (mark->used > th_span_used(&p.span)) {
        return raise_stale(arena, mark);
    }
    return th_span_verify(&p.span, th_arena_guarding(arena), p.header.number,
                          p.span.base + mark->used);
}

static bool verify_larges(const th_arena *arena, const th_arena_mark *mark) {
    th_chunk p;
    for (th_arena_chunk *chunk = arena->large; chunk != mark->large; chunk = p.header.prev) {
        if (chunk == NULL) {
            return raise_stale(arena, mark);
        }
        if (!th_chunk_load_verified(arena, chunk, &p) ||
            !th_span_verify(&p.span, th_arena_guarding(arena), p.header.number, p.span.base)) {
            return false;
        }
    }
    return true;
}

/* Nothing can go wrong any more. */
static void empty_down_to(th_arena *arena, const th_arena_mark *mark) {
    th_chunk p;
    note_high_water(arena);
    while (arena->large != mark->large) {
        (void)th_chunk_load(arena, arena->large, &p, NULL);
        th_chunk_pop_large(arena, &p);
    }
    while (arena->chunk != mark->chunk) {
        (void)th_chunk_load(arena, arena->chunk, &p, NULL);
        th_chunk_pop(arena, &p);
    }
    if (arena->chunk != NULL) {
        th_span_cut(&arena->span, th_arena_guarding(arena), arena->span.base + mark->used);
    }
    arena->large_open = false;
    arena->generation++;
}

/* Keeps the notes ascending; when there are too many, the lowest one is forgotten. */
static void note_rollback(th_arena *arena, size_t position) {
    while (arena->notes > 0 && arena->note[arena->notes - 1].position >= position) {
        arena->notes--;
    }
    if (arena->notes == TH_ARENA_NOTES) {
        memmove(arena->note, arena->note + 1, (TH_ARENA_NOTES - 1) * sizeof arena->note[0]);
        arena->notes--;
    }
    arena->note[arena->notes++] = (th_arena_rollback_note){arena->generation, position};
}

th_status th_arena_rollback(th_arena *arena, const th_arena_mark *mark) {
    if (!is_started(arena) || mark == NULL) {
        return TH_ERR_NULL;
    }
    if (th_arena_is_guarded(arena)) {
        if (mark->arena != arena) {
            th_guarding_raise(th_arena_guarding(arena), TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 0, 0);
            return TH_ERR_CORRUPT;
        }
        if (is_stale(arena, mark)) {
            (void)raise_stale(arena, mark);
            return TH_ERR_CORRUPT;
        }
        if (!verify_larges(arena, mark) || !verify_chain(arena, mark)) {
            return TH_ERR_CORRUPT;
        }
    }
    empty_down_to(arena, mark);
    note_rollback(arena, mark->position);
    th_arena_settle(arena);
    return TH_OK;
}

/* The lowest chunk is the caller's memory, if there is any. */
static th_arena_chunk *lowest_of(const th_arena *arena) {
    size_t skipped = th_chunk_skipped(arena->config.memory);
    if (arena->config.memory == NULL) {
        return NULL;
    }
    return (void *)((unsigned char *)arena->config.memory + skipped);
}

th_status th_arena_reset(th_arena *arena) {
    if (!is_started(arena)) {
        return TH_ERR_NULL;
    }
    const th_arena_mark bottom = {.arena = arena, .chunk = lowest_of(arena)};
    if (th_arena_is_guarded(arena) &&
        (!verify_larges(arena, &bottom) || !verify_chain(arena, &bottom))) {
        return TH_ERR_CORRUPT;
    }
    empty_down_to(arena, &bottom);
    arena->oldest = arena->generation;
    arena->notes = 0;
    th_arena_settle(arena);
    return TH_OK;
}

size_t th_arena_trim(th_arena *arena) {
    if (arena == NULL) {
        return 0;
    }
    size_t before = arena->reserved;
    while (arena->spare != NULL) {
        th_chunk p;
        if (!th_chunk_load_verified(arena, arena->spare, &p)) {
            return 0;
        }
        arena->spare = p.header.prev;
        arena->spares--;
        th_chunk_give_back(arena, &p);
    }
    th_arena_settle(arena);
    return before - arena->reserved;
}

/* ---- questions ---------------------------------------------------------------------------- */

th_arena_stats th_arena_get_stats(const th_arena *arena) {
    if (arena == NULL) {
        return (th_arena_stats){0};
    }
    size_t used = used_now(arena);
    return (th_arena_stats){.used_bytes = used,
                            .high_water_bytes = used > arena->high_water ? used : arena->high_water,
                            .reserved_bytes = arena->reserved,
                            .chunks = arena->chunks,
                            .large_chunks = arena->larges,
                            .spare_chunks = arena->spares,
                            .allocs = arena->allocs,
                            .failed_allocs = arena->failed_allocs};
}

static th_status wrong_count(th_fault *fault, size_t expected, size_t found) {
    return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, expected, found);
}

/* What a list of chunks comes to. */
typedef struct tally {
    size_t chunks;
    size_t bytes;
    size_t used;
} tally;

/* A list of `count` chunks; their positions, if they have any, are what lies below them. */
static th_status check_list(const th_arena *arena, th_arena_chunk *chunk, size_t count,
                            tally *total, th_fault *fault) {
    size_t above = SIZE_MAX;
    *total = (tally){0};
    while (chunk != NULL && total->chunks <= count) {
        th_chunk p;
        th_status status = th_chunk_load(arena, chunk, &p, fault);
        if (status == TH_OK) {
            status = th_span_check(&p.span, th_arena_guarding(arena), p.header.number, fault);
        }
        if (status != TH_OK) {
            return status;
        }
        size_t used = th_span_used(&p.span);
        if (above != SIZE_MAX && p.header.position + used != above) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, p.header.number, SIZE_MAX, above,
                                       p.header.position + used);
        }
        above = p.header.position;
        total->chunks++;
        total->bytes += p.header.bytes;
        total->used += used;
        chunk = p.header.prev;
    }
    return total->chunks == count ? TH_OK : wrong_count(fault, count, total->chunks);
}

th_status th_arena_check(const th_arena *arena, th_fault *fault) {
    tally chain, larges, spares;
    th_no_fault(fault);
    if (!is_started(arena)) {
        return TH_ERR_NULL;
    }
    th_status status = check_list(arena, arena->chunk, arena->chunks, &chain, fault);
    if (status == TH_OK) {
        status = check_list(arena, arena->large, arena->larges, &larges, fault);
    }
    if (status == TH_OK) {
        status = check_list(arena, arena->spare, arena->spares, &spares, fault);
    }
    if (status != TH_OK) {
        return status;
    }
    size_t bytes = chain.bytes + larges.bytes + spares.bytes;
    if (bytes != arena->reserved) {
        return wrong_count(fault, bytes, arena->reserved);
    }
    if (chain.used + larges.used + spares.used != used_now(arena)) {
        return wrong_count(fault, chain.used + larges.used, used_now(arena));
    }
    return TH_OK;
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return alloc_here(self, bytes, alignment - 1);
}

TH_THUNKS(arena);
TH_THUNK_RESIZE_IN_PLACE(arena);

/* What shrinks stays, for its memory could not be used anyway. A bad pointer has been reported by
 * resize_in_place, which is always asked first; in an arena without memory, which may have
 * ended, every pointer is one. */
void *th_arena_move(th_arena *arena, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    bool is_empty = arena->chunk == NULL && arena->large == NULL;
    if (is_empty || (th_arena_is_guarded(arena) && !th_arena_owns(arena, pointer))) {
        return NULL;
    }
    if (bytes <= kept) {
        return pointer;
    }
    void *block = alloc_here(arena, bytes, alignment - 1);
    if (block != NULL) {
        memcpy(block, pointer, kept);
        th_arena_free(arena, pointer);
    }
    return block;
}

static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    return th_arena_move(self, pointer, kept, bytes, alignment);
}

th_allocator th_arena_allocator(th_arena *arena) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .resize_in_place = th_arena_thunk_resize_in_place,
                                             .realloc = table_realloc,
                                             TH_THUNKS_OF(arena)};
    return th_allocator_of(&table, arena);
}
