/* SPDX-License-Identifier: MIT */
#include "alloc/chunk.h"

#include "base/mix.h"

/* ---- headers ------------------------------------------------------------------------------ */

static uint32_t check_due(const th_arena_chunk *chunk, const th_arena_chunk *header) {
    uint64_t sum = th_mix(0, (uintptr_t)chunk);
    sum = th_mix(sum, (uintptr_t)header->prev);
    sum = th_mix(sum, header->bytes);
    sum = th_mix(sum, (uintptr_t)header->at);
    sum = th_mix(sum, (uintptr_t)header->last);
    sum = th_mix(sum, (uintptr_t)header->dirty);
    sum = th_mix(sum, header->position);
    return (uint32_t)th_mix(sum, (uint64_t)header->gaps << 32 | header->number);
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
    return (unsigned char *)chunk + TH_CHUNK_HEADER;
}

void th_chunk_store(const th_arena *arena, th_chunk *p) {
    p->header.at = p->span.at;
    p->header.last = p->span.last;
    p->header.dirty = p->span.dirty;
    p->header.gaps = (uint32_t)p->span.gaps;
    p->header.check = th_arena_is_guarded(arena) ? check_due(p->chunk, &p->header) : 0;
    put(p->chunk, &p->header);
}

th_status th_chunk_load(const th_arena *arena, th_arena_chunk *chunk, th_chunk *p,
                        th_fault *fault) {
    p->chunk = chunk;
    peek(chunk, &p->header);
    if (th_arena_is_guarded(arena)) {
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

bool th_chunk_load_verified(const th_arena *arena, th_arena_chunk *chunk, th_chunk *p) {
    th_fault fault = {0}; /* gcc with ASan cannot see that it is always written */
    if (th_chunk_load(arena, chunk, p, &fault) == TH_OK) {
        return true;
    }
    th_guarding_report(th_arena_guarding(arena), &fault);
    return false;
}

/* ---- chunks come and go ------------------------------------------------------------------- */

th_chunk th_chunk_make(const th_arena *arena, void *memory, size_t bytes) {
    th_chunk p = {.chunk = memory, .header = {.bytes = bytes, .number = (uint32_t)arena->numbers}};
    th_track_close(memory, TH_CHUNK_HEADER);
    p.span = th_span_make(base_of(p.chunk), bytes - TH_CHUNK_HEADER);
    return p;
}

bool th_chunk_take(th_arena *arena, size_t bytes, th_chunk *p) {
    void *memory = th_allocator_alloc_aligned(arena->config.backing, bytes, TH_CHUNK_UNIT);
    if (memory == NULL) {
        return false;
    }
    *p = th_chunk_make(arena, memory, bytes);
    arena->reserved += bytes;
    return true;
}

void th_chunk_give_back(th_arena *arena, const th_chunk *p) {
    th_track_release(p->chunk, p->header.bytes);
    arena->reserved -= p->header.bytes;
    th_allocator_free(arena->config.backing, p->chunk);
}

void th_chunk_push(th_arena *arena, th_chunk *p) {
    th_chunk below;
    if (arena->chunk != NULL) {
        below = (th_chunk){.chunk = arena->chunk, .span = arena->span};
        peek(arena->chunk, &below.header);
        below.span.last = NULL;
        th_chunk_store(arena, &below);
    }
    p->header.prev = arena->chunk;
    p->header.position = arena->position + th_span_used(&arena->span);
    p->header.number = (uint32_t)arena->numbers;
    arena->number = arena->numbers++;
    arena->position = p->header.position;
    arena->chunk = p->chunk;
    arena->span = p->span;
    arena->chunks++;
    th_chunk_store(arena, p);
}

void th_chunk_pop(th_arena *arena, th_chunk *p) {
    th_chunk below = {0};
    if (p->header.prev != NULL) {
        below.chunk = p->header.prev;
        (void)th_chunk_load(arena, below.chunk, &below, NULL);
        below.span.last = NULL;
    }
    arena->chunk = below.chunk;
    arena->span = below.span;
    arena->number = below.header.number;
    arena->position = below.header.position;
    arena->chunks--;
    if (arena->config.return_chunks) {
        th_chunk_give_back(arena, p);
        return;
    }
    th_span_cut(&p->span, th_arena_guarding(arena), p->span.base);
    p->header.prev = arena->spare;
    p->header.position = 0;
    arena->spare = p->chunk;
    arena->spares++;
    th_chunk_store(arena, p);
}

void th_chunk_pop_large(th_arena *arena, const th_chunk *p) {
    arena->large = p->header.prev;
    arena->large_open = false;
    arena->large_position = p->header.position;
    arena->larges--;
    th_chunk_give_back(arena, p);
}
