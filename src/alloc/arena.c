/* SPDX-License-Identifier: MIT */
/* Arena: the current chunk is a span in th_arena; those below it, those with one large block and
 * the spares keep theirs in their headers. A header is closed to callers and sealed with a check
 * word; everything that reads one goes through load(). */
#include "alloc/arena.h"

#include <assert.h>
#include <string.h>

#include "alloc/span.h"
#include "base/align.h"
#include "base/assert.h"

#define UNIT TH_ALLOCATOR_ALIGNMENT /* chunks, headers and large blocks come in units of this */

struct th_arena_chunk {
    th_arena_chunk *prev;             /* the older one; of a spare: the next spare */
    size_t bytes;                     /* header included */
    unsigned char *at, *last, *dirty; /* the span, but of the current chunk */
    size_t position;                  /* what the arena had in use below it in its chain */
    uint32_t gaps;
    uint32_t number;
    uint32_t check;
};

#define HEADER ((sizeof(th_arena_chunk) + UNIT - 1) & ~(UNIT - 1))

static_assert(HEADER <= TH_ARENA_HEADER_BYTES, "what arena.h says");
static_assert(TH_ARENA_CHUNK_BYTES_MIN >= TH_ARENA_HEADER_BYTES + 4 * UNIT, "room for blocks");
static_assert(TH_ARENA_CHUNK_BYTES >= TH_ARENA_CHUNK_BYTES_MIN, "the default is possible");

/* A chunk, as it is worked with. */
typedef struct place {
    th_arena_chunk *chunk;
    th_arena_chunk header;
    th_span span;
} place;

static const th_guarding *guarding_of(const th_arena *arena) {
    return &arena->config.guarding;
}

static bool is_guarded(const th_arena *arena) {
    return th_guarding_level(guarding_of(arena)) > 0;
}

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

/* ---- headers ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return sum ^ (sum >> 32);
}

static uint32_t check_due(const th_arena_chunk *chunk, const th_arena_chunk *header) {
    uint64_t sum = mix(0, (uintptr_t)chunk);
    sum = mix(sum, (uintptr_t)header->prev);
    sum = mix(sum, header->bytes);
    sum = mix(sum, (uintptr_t)header->at);
    sum = mix(sum, (uintptr_t)header->last);
    sum = mix(sum, (uintptr_t)header->dirty);
    sum = mix(sum, header->position);
    return (uint32_t)mix(sum, (uint64_t)header->gaps << 32 | header->number);
}

static TH_TRACK_BLIND void peek(const th_arena_chunk *chunk, th_arena_chunk *header) {
    th_track_blind_begin();
    header->prev = chunk->prev;
    header->bytes = chunk->bytes;
    header->at = chunk->at;
    header->last = chunk->last;
    header->dirty = chunk->dirty;
    header->position = chunk->position;
    header->gaps = chunk->gaps;
    header->number = chunk->number;
    header->check = chunk->check;
    th_track_trust(header, sizeof *header);
    th_track_blind_end();
}

static TH_TRACK_BLIND void put(th_arena_chunk *chunk, const th_arena_chunk *header) {
    th_track_blind_begin();
    chunk->prev = header->prev;
    chunk->bytes = header->bytes;
    chunk->at = header->at;
    chunk->last = header->last;
    chunk->dirty = header->dirty;
    chunk->position = header->position;
    chunk->gaps = header->gaps;
    chunk->number = header->number;
    chunk->check = header->check;
    th_track_blind_end();
}

static unsigned char *base_of(th_arena_chunk *chunk) {
    return (unsigned char *)chunk + HEADER;
}

/* Writes what *p has become to the header. */
static void store(const th_arena *arena, place *p) {
    p->header.at = p->span.at;
    p->header.last = p->span.last;
    p->header.dirty = p->span.dirty;
    p->header.gaps = (uint32_t)p->span.gaps;
    p->header.check = is_guarded(arena) ? check_due(p->chunk, &p->header) : 0;
    put(p->chunk, &p->header);
}

/* Reads a chunk. TH_ERR_CORRUPT, with *fault filled in, if its check word does not agree. */
static th_status load(const th_arena *arena, th_arena_chunk *chunk, place *p, th_fault *fault) {
    p->chunk = chunk;
    peek(chunk, &p->header);
    if (is_guarded(arena)) {
        uint32_t due = check_due(chunk, &p->header);
        if (p->header.check != due) {
            return th_guarding_corrupt(fault, TH_FAULT_HEADER, p->header.number, SIZE_MAX, due,
                                       p->header.check);
        }
    }
    p->span = (th_span){.at = p->header.at,
                        .end = (unsigned char *)chunk + p->header.bytes,
                        .last = p->header.last,
                        .base = base_of(chunk),
                        .dirty = p->header.dirty,
                        .gaps = p->header.gaps};
    if (chunk == arena->chunk) {
        p->span = arena->span;
    }
    return TH_OK;
}

static bool load_or_report(const th_arena *arena, th_arena_chunk *chunk, place *p) {
    th_fault fault;
    if (load(arena, chunk, p, &fault) == TH_OK) {
        return true;
    }
    th_guarding_report(guarding_of(arena), &fault);
    return false;
}

/* ---- chunks come and go ------------------------------------------------------------------- */

/* The memory as a chunk in no list. */
static place make(const th_arena *arena, void *memory, size_t bytes) {
    place p = {.chunk = memory, .header = {.bytes = bytes, .number = (uint32_t)arena->numbers}};
    th_track_close(memory, HEADER);
    p.span = th_span_make(base_of(p.chunk), bytes - HEADER);
    return p;
}

static bool take_from_backing(th_arena *arena, size_t bytes, place *p) {
    void *memory = th_allocator_alloc_aligned(arena->config.backing, bytes, UNIT);
    if (memory == NULL) {
        return false;
    }
    *p = make(arena, memory, bytes);
    arena->reserved += bytes;
    return true;
}

static void give_back(th_arena *arena, const place *p) {
    th_track_release(p->chunk, p->header.bytes);
    arena->reserved -= p->header.bytes;
    th_allocator_free(arena->config.backing, p->chunk);
}

/* Makes it the current chunk. */
static void push(th_arena *arena, place *p) {
    place below;
    if (arena->chunk != NULL) {
        below = (place){.chunk = arena->chunk, .span = arena->span};
        peek(arena->chunk, &below.header);
        below.span.last = NULL;
        store(arena, &below);
    }
    p->header.prev = arena->chunk;
    p->header.position = arena->position + th_span_used(&arena->span);
    p->header.number = (uint32_t)arena->numbers;
    arena->number = arena->numbers++;
    arena->position = p->header.position;
    arena->chunk = p->chunk;
    arena->span = p->span;
    arena->chunks++;
    store(arena, p);
}

/* The current chunk goes, and the one below it becomes current. */
static void pop(th_arena *arena, place *p) {
    place below = {0};
    if (p->header.prev != NULL) {
        below.chunk = p->header.prev;
        (void)load(arena, below.chunk, &below, NULL);
        below.span.last = NULL;
    }
    arena->chunk = below.chunk;
    arena->span = below.span;
    arena->number = below.header.number;
    arena->position = below.header.position;
    arena->chunks--;
    if (arena->config.return_chunks) {
        give_back(arena, p);
        return;
    }
    th_span_cut(&p->span, guarding_of(arena), p->span.base);
    p->header.prev = arena->spare;
    p->header.position = 0;
    arena->spare = p->chunk;
    arena->spares++;
    store(arena, p);
}

static void pop_large(th_arena *arena, const place *p) {
    arena->large = p->header.prev;
    arena->large_open = false;
    arena->large_position = p->header.position;
    arena->larges--;
    give_back(arena, p);
}

/* ---- starting and ending ------------------------------------------------------------------ */

static th_status check_memory(const th_arena_config *config) {
    uintptr_t skipped = (0 - (uintptr_t)config->memory) & (UNIT - 1);
    if (config->memory == NULL) {
        return TH_OK;
    }
    if (config->memory_bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    return config->memory_bytes > skipped + HEADER ? TH_OK : TH_ERR_TOO_SMALL;
}

static th_status check_config(const th_arena_config *config) {
    const th_allocator_table *table = config->backing.table;
    if (table == NULL && config->memory == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_guarding_is_valid(&config->guarding) ||
        (table != NULL && (table->alloc == NULL || table->free == NULL))) {
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
        size_t skipped = (size_t)(0 - (uintptr_t)config->memory) & (UNIT - 1);
        place p =
            make(arena, (unsigned char *)config->memory + skipped, config->memory_bytes - skipped);
        arena->reserved = p.header.bytes;
        push(arena, &p);
    }
    return TH_OK;
}

/* The chunk that lies in the caller's memory is always the lowest one. */
static bool is_callers(const th_arena *arena, const place *p) {
    return p->header.prev == NULL && arena->config.memory != NULL;
}

/* Gives back a list of chunks as far as the headers can be trusted. */
static void give_back_all(th_arena *arena, th_arena_chunk *chunk, bool is_chain) {
    while (chunk != NULL) {
        place p;
        if (!load_or_report(arena, chunk, &p) || (is_chain && is_callers(arena, &p))) {
            return;
        }
        (void)th_span_verify(&p.span, guarding_of(arena), p.header.number, p.span.base);
        chunk = p.header.prev;
        give_back(arena, &p);
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

static void settle(const th_arena *arena) {
    th_fault fault;
    if (th_guarding_level(guarding_of(arena)) >= 3 && th_arena_check(arena, &fault) != TH_OK) {
        th_guarding_report(guarding_of(arena), &fault);
    }
}

static void *take(th_arena *arena, place *p, size_t bytes, size_t mask) {
    unsigned char *start = NULL;
    bool found = th_span_find(&p->span, bytes, mask, &start);
    TH_ASSERT(found);
    (void)found;
    return th_span_take(&p->span, guarding_of(arena), p->header.number, start, bytes);
}

/* A chunk for this block alone; `need` covers its alignment. */
static void *alloc_large(th_arena *arena, size_t bytes, size_t mask, size_t need) {
    place p;
    if (need > PTRDIFF_MAX - HEADER - UNIT ||
        !take_from_backing(arena, HEADER + ((need + UNIT - 1) & ~(UNIT - 1)), &p)) {
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
    store(arena, &p);
    return block;
}

/* The first block of a new current chunk. */
static void *alloc_in_next(th_arena *arena, size_t bytes, size_t mask) {
    place p;
    th_arena_chunk *spare = arena->spare;
    if (spare != NULL) {
        if (!load_or_report(arena, spare, &p)) {
            return NULL;
        }
    } else if (!take_from_backing(arena, arena->config.chunk_bytes, &p)) {
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
    push(arena, &p);
    arena->allocs++;
    return block;
}

/* There is no room in the current chunk. */
static void *alloc_elsewhere(th_arena *arena, size_t bytes, size_t mask) {
    size_t capacity = arena->config.chunk_bytes - HEADER;
    size_t skipped_max = mask >= UNIT ? mask - (UNIT - 1) : 0;
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
    settle(arena);
    return block;
}

static inline void *alloc_here(th_arena *arena, size_t bytes, size_t mask) {
    unsigned char *start;
    if (!th_span_find(&arena->span, bytes, mask, &start)) {
        return alloc_elsewhere_and_settle(arena, bytes, mask);
    }
    void *block = th_span_take(&arena->span, guarding_of(arena), arena->number, start, bytes);
    arena->allocs += block != NULL;
    settle(arena);
    return block;
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
        place p;
        if (load(arena, chunk, &p, NULL) != TH_OK) {
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
    return is_in(arena, arena->chunk, pointer) || is_in(arena, arena->large, pointer);
}

static bool verify_pointer(const th_arena *arena, const void *pointer) {
    if (!is_guarded(arena) || th_arena_owns(arena, pointer)) {
        return true;
    }
    th_span_raise_bad_pointer(&arena->span, guarding_of(arena), arena->number, pointer);
    return false;
}

/* Is it the block with the newest chunk of its own, and may it be changed? */
static bool is_open_large(const th_arena *arena, const void *pointer, place *p) {
    return arena->large_open && load(arena, arena->large, p, NULL) == TH_OK &&
           pointer == p->span.last;
}

static bool resize_large(th_arena *arena, place *p, size_t bytes) {
    if (!th_span_resize(&p->span, guarding_of(arena), p->header.number, bytes)) {
        return false;
    }
    arena->large_position = p->header.position + th_span_used(&p->span);
    store(arena, p);
    return true;
}

bool th_arena_resize(th_arena *arena, void *pointer, size_t bytes) {
    bool resized = false;
    place p;
    if (pointer == NULL || !verify_pointer(arena, pointer)) {
        return false;
    }
    note_high_water(arena);
    if (pointer == arena->span.last) {
        resized = th_span_resize(&arena->span, guarding_of(arena), arena->number, bytes);
    } else if (is_open_large(arena, pointer, &p)) {
        resized = resize_large(arena, &p, bytes);
    }
    settle(arena);
    return resized;
}

void th_arena_free(th_arena *arena, void *pointer) {
    const th_guarding *guarding = guarding_of(arena);
    place p;
    if (pointer == NULL || !verify_pointer(arena, pointer)) {
        return;
    }
    note_high_water(arena);
    if (pointer == arena->span.last) {
        if (th_span_verify(&arena->span, guarding, arena->number, arena->span.last)) {
            th_span_cut(&arena->span, guarding, arena->span.last);
        }
    } else if (is_open_large(arena, pointer, &p) &&
               th_span_verify(&p.span, guarding, p.header.number, p.span.base)) {
        pop_large(arena, &p);
    }
    settle(arena);
}

/* ---- marks -------------------------------------------------------------------------------- */

th_arena_mark th_arena_take_mark(th_arena *arena) {
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
    th_guarding_raise(guarding_of(arena), TH_FAULT_DOUBLE_FREE, SIZE_MAX, SIZE_MAX,
                      (uint32_t)used_now(arena), (uint32_t)mark->position);
    return false;
}

/* Every chunk that a rollback would empty, and the one that it would cut. */
static bool verify_chain(const th_arena *arena, const th_arena_mark *mark) {
    place p = {0};
    for (th_arena_chunk *chunk = arena->chunk; chunk != mark->chunk; chunk = p.header.prev) {
        if (chunk == NULL) {
            return raise_stale(arena, mark);
        }
        if (!load_or_report(arena, chunk, &p) ||
            !th_span_verify(&p.span, guarding_of(arena), p.header.number, p.span.base)) {
            return false;
        }
    }
    if (mark->chunk == NULL) {
        return true;
    }
    if (!load_or_report(arena, mark->chunk, &p)) {
        return false;
    }
    if (mark->used > th_span_used(&p.span)) {
        return raise_stale(arena, mark);
    }
    return th_span_verify(&p.span, guarding_of(arena), p.header.number, p.span.base + mark->used);
}

static bool verify_larges(const th_arena *arena, const th_arena_mark *mark) {
    place p;
    for (th_arena_chunk *chunk = arena->large; chunk != mark->large; chunk = p.header.prev) {
        if (chunk == NULL) {
            return raise_stale(arena, mark);
        }
        if (!load_or_report(arena, chunk, &p) ||
            !th_span_verify(&p.span, guarding_of(arena), p.header.number, p.span.base)) {
            return false;
        }
    }
    return true;
}

/* Nothing can go wrong any more. */
static void empty_down_to(th_arena *arena, const th_arena_mark *mark) {
    place p;
    note_high_water(arena);
    while (arena->large != mark->large) {
        (void)load(arena, arena->large, &p, NULL);
        pop_large(arena, &p);
    }
    while (arena->chunk != mark->chunk) {
        (void)load(arena, arena->chunk, &p, NULL);
        pop(arena, &p);
    }
    if (arena->chunk != NULL) {
        th_span_cut(&arena->span, guarding_of(arena), arena->span.base + mark->used);
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
    if (is_guarded(arena)) {
        if (mark->arena != arena) {
            th_guarding_raise(guarding_of(arena), TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 0, 0);
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
    settle(arena);
    return TH_OK;
}

/* The lowest chunk is the caller's memory, if there is any. */
static th_arena_chunk *lowest_of(const th_arena *arena) {
    uintptr_t skipped = (0 - (uintptr_t)arena->config.memory) & (UNIT - 1);
    if (arena->config.memory == NULL) {
        return NULL;
    }
    return (void *)((unsigned char *)arena->config.memory + skipped);
}

th_status th_arena_reset(th_arena *arena) {
    const th_arena_mark bottom = {.arena = arena, .chunk = lowest_of(arena)};
    if (is_guarded(arena) && (!verify_larges(arena, &bottom) || !verify_chain(arena, &bottom))) {
        return TH_ERR_CORRUPT;
    }
    empty_down_to(arena, &bottom);
    arena->oldest = arena->generation;
    arena->notes = 0;
    settle(arena);
    return TH_OK;
}

size_t th_arena_trim(th_arena *arena) {
    size_t before = arena->reserved;
    while (arena->spare != NULL) {
        place p;
        if (!load_or_report(arena, arena->spare, &p)) {
            return 0;
        }
        arena->spare = p.header.prev;
        arena->spares--;
        give_back(arena, &p);
    }
    settle(arena);
    return before - arena->reserved;
}

/* ---- questions ---------------------------------------------------------------------------- */

th_arena_stats th_arena_get_stats(const th_arena *arena) {
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
    return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, (uint32_t)expected,
                               (uint32_t)found);
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
        place p;
        th_status status = load(arena, chunk, &p, fault);
        if (status == TH_OK) {
            status = th_span_check(&p.span, guarding_of(arena), p.header.number, fault);
        }
        if (status != TH_OK) {
            return status;
        }
        size_t used = th_span_used(&p.span);
        if (above != SIZE_MAX && p.header.position + used != above) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, p.header.number, SIZE_MAX,
                                       (uint32_t)above, (uint32_t)(p.header.position + used));
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

static void table_free(void *self, void *pointer) {
    th_arena_free(self, pointer);
}

static bool table_resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_arena_resize(self, pointer, bytes);
}

/* What shrinks stays, for its memory could not be used anyway. A bad pointer has been reported by
 * table_resize_in_place, which is always asked first. */
void *th_arena_move(th_arena *arena, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    if (is_guarded(arena) && !th_arena_owns(arena, pointer)) {
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

static void *table_resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    return th_arena_move(self, pointer, kept, bytes, alignment);
}

static void table_reset(void *self) {
    (void)th_arena_reset(self);
}

static bool table_owns(const void *self, const void *pointer) {
    return th_arena_owns(self, pointer);
}

static th_status table_check(const void *self, th_fault *fault) {
    return th_arena_check(self, fault);
}

th_allocator th_arena_allocator(th_arena *arena) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .free = table_free,
                                             .resize_in_place = table_resize_in_place,
                                             .resize = table_resize,
                                             .reset = table_reset,
                                             .owns = table_owns,
                                             .check = table_check};
    return (th_allocator){.table = &table, .self = arena};
}
