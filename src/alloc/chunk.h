/* SPDX-License-Identifier: MIT */
/* The chunks of an arena: their headers, and how they come and go. The current chunk's span is in
 * th_arena; those of the others are in their headers. A header is closed to callers and has
 * a check word; everything that reads one goes through th_chunk_load. */
#ifndef TH_ALLOC_CHUNK_H
#define TH_ALLOC_CHUNK_H

#include <assert.h>

#include "alloc/span.h"
#include "tagheap/arena.h"

#define TH_CHUNK_UNIT TH_ALLOCATOR_ALIGNMENT /* of chunks, headers and large blocks */

struct th_arena_chunk {
    th_arena_chunk *prev;             /* the older one; of a spare: the next spare */
    size_t bytes;                     /* header included */
    unsigned char *at, *last, *dirty; /* the span, but of the current chunk */
    size_t position;                  /* what the arena had in use below it in its chain */
    uint32_t gaps;
    uint32_t number;
    uint32_t check;
};

#define TH_CHUNK_HEADER ((sizeof(th_arena_chunk) + TH_CHUNK_UNIT - 1) & ~(TH_CHUNK_UNIT - 1))

static_assert(TH_CHUNK_HEADER <= TH_ARENA_HEADER_BYTES, "what arena.h says");
static_assert(TH_ARENA_CHUNK_BYTES_MIN >= TH_ARENA_HEADER_BYTES + 4 * TH_CHUNK_UNIT,
              "room for blocks");
static_assert(TH_ARENA_CHUNK_BYTES >= TH_ARENA_CHUNK_BYTES_MIN, "the default is possible");

/* A chunk, as it is worked with. */
typedef struct th_chunk {
    th_arena_chunk *chunk;
    th_arena_chunk header;
    th_span span;
} th_chunk;

static inline const th_guarding *th_arena_guarding(const th_arena *arena) {
    return &arena->config.guarding;
}

static inline bool th_arena_is_guarded(const th_arena *arena) {
    return th_guarding_level(th_arena_guarding(arena)) > 0;
}

/* What lies before the first place in the memory where a chunk can begin. */
static inline size_t th_chunk_skipped(const void *memory) {
    return (size_t)(0 - (uintptr_t)memory) & (TH_CHUNK_UNIT - 1);
}

/* The memory as a chunk in no list, with the next number. Its header is not written yet. */
th_chunk th_chunk_make(const th_arena *arena, void *memory, size_t bytes);

/* The same with a block of the backing. False if there is none. */
bool th_chunk_take(th_arena *arena, size_t bytes, th_chunk *p);

/* Gives a chunk that is in no list back to the backing. */
void th_chunk_give_back(th_arena *arena, const th_chunk *p);

/* Writes what *p has become to the header. */
void th_chunk_store(const th_arena *arena, th_chunk *p);

/* Reads a chunk. TH_ERR_CORRUPT, with *fault filled in, if its check word does not agree. */
th_status th_chunk_load(const th_arena *arena, th_arena_chunk *chunk, th_chunk *p, th_fault *fault);

/* The same, but false after a fault. */
bool th_chunk_load_verified(const th_arena *arena, th_arena_chunk *chunk, th_chunk *p);

/* Makes it the current chunk, above the one that was. */
void th_chunk_push(th_arena *arena, th_chunk *p);

/* The current chunk goes, to the spares or to the backing, and the one below it is current. */
void th_chunk_pop(th_arena *arena, th_chunk *p);

/* The newest chunk with a block of its own goes back to the backing. */
void th_chunk_pop_large(th_arena *arena, const th_chunk *p);

#endif
