/* SPDX-License-Identifier: MIT */
#include "arena_fixture.h"

#include <stdalign.h>
#include <string.h>

#include "heap_fixture.h"

alignas(64) unsigned char memory[ARENA_MEMORY_BYTES];
th_arena arena;
backing own;
fault_log faults;

void arena_start_with(int level, bool return_chunks) {
    const th_arena_config config = {.backing = backing_start(&own),
                                    .chunk_bytes = CHUNK,
                                    .return_chunks = return_chunks,
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
}

void arena_start(int level) {
    arena_start_with(level, false);
}

void arena_is_sound(void) {
    th_fault fault;
    CHECK_EQ(th_arena_check(&arena, &fault), TH_OK);
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_arena_get_stats(&arena).reserved_bytes, own.live_bytes + arena.config.memory_bytes);
}

void arena_stop(void) {
    static const th_arena zeroed;
    arena_is_sound();
    th_arena_clean_up(&arena);
    CHECK_EQ(faults.count, 0);
    CHECK(memcmp(&arena, &zeroed, sizeof arena) == 0);
    backing_stop(&own);
}

size_t arena_capacity(void) {
    unsigned char *block = th_arena_alloc(&arena, 16);
    size_t bytes = 16 + (size_t)(arena.span.end - arena.span.at);
    th_arena_free(&arena, block);
    return bytes;
}

unsigned char *arena_take(size_t bytes, uint32_t seed) {
    unsigned char *block = th_arena_alloc(&arena, bytes);
    CHECK(block != NULL && (uintptr_t)block % 16 == 0);
    fill(block, bytes, seed);
    return block;
}
