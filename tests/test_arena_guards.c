/* SPDX-License-Identifier: MIT */
/* What the arena's guards and its checker notice. */
#include <string.h>

#include "alloc/chunk.h"
#include "arena_fixture.h"
#include "heap_fixture.h"

#define POISON 0xFDu

/* ---- what guards notice --------------------------------------------------------------------- */

/* Four blocks in each chunk, with room for the records of their gaps. */
static void smash_and_reset(int level) {
    arena_start(level);
    unsigned char *blocks[12];
    for (uint32_t i = 0; i < 12; i++) {
        blocks[i] = arena_take(90, i);
    }
    unsigned char *large = arena_take(1000, 20);
    th_arena_mark mark = {.arena = &arena};
    for (uint32_t i = 0; i < 12; i++) {
        unsigned char due = poke(blocks[i] + 90, 0x41);
        CHECK_EQ(th_arena_reset(&arena), TH_ERR_CORRUPT);
        CHECK_EQ(faults.first.kind, TH_FAULT_CANARY);
        CHECK_EQ(faults.first.block, i / 4);
        CHECK_EQ(faults.first.offset, i % 4 * 96 + 90);
        faults.count = 0;
        CHECK_EQ(th_arena_rollback(&arena, &mark), TH_ERR_CORRUPT);
        CHECK(faults.count > 0);
        CHECK_EQ(th_arena_check(&arena, NULL), TH_ERR_CORRUPT);
        CHECK_EQ(poke(blocks[i] + 90, due), 0x41);
        faults.count = 0;
    }
    unsigned char due = poke(large + 1003, 0x42);
    th_arena_free(&arena, large);
    CHECK_EQ(faults.first.kind, TH_FAULT_CANARY);
    faults.count = 0;
    CHECK_EQ(th_arena_reset(&arena), TH_ERR_CORRUPT);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 3, 0, 1003, due, 0x42);
    CHECK_EQ(poke(large + 1003, due), 0x42);
    for (uint32_t i = 0; i < 12; i++) {
        CHECK(filled(blocks[i], 90, i));
    }
    CHECK_EQ(th_arena_reset(&arena), TH_OK);
    arena_stop();
}

static void an_overflow_is_noticed_before_anything_is_freed(void) {
    at_levels(1, smash_and_reset);
}

static void smash_headers(int level) {
    arena_start(level);
    for (uint32_t i = 0; i < 12; i++) {
        (void)arena_take(100, i);
    }
    unsigned char *large = arena_take(1000, 20);
    unsigned char *headers[] = {(unsigned char *)arena.chunk, (unsigned char *)arena.large};
    CHECK(large > headers[1]);
    size_t bytes = (size_t)(arena.span.base - headers[0]);
    for (size_t h = 0; h < 2; h++) {
        for (size_t i = 0; i < bytes; i++) {
            unsigned char was = poke(headers[h] + i, 0);
            (void)poke(headers[h] + i, (unsigned char)~was);
            th_fault fault;
            bool noticed = th_arena_check(&arena, &fault) == TH_ERR_CORRUPT;
            CHECK(!noticed || fault.kind == TH_FAULT_HEADER);
            CHECK(noticed || i + 16 >= bytes); /* the rest fills the header up */
            if (noticed) {
                CHECK_EQ(th_arena_reset(&arena), TH_ERR_CORRUPT);
                CHECK_EQ(faults.first.kind, TH_FAULT_HEADER);
                faults.count = 0;
            }
            (void)poke(headers[h] + i, was);
        }
    }
    arena_stop();
}

static void damaged_headers_are_noticed(void) {
    at_levels(1, smash_headers);
}

static void write_to_spare(int level) {
    arena_start(level);
    unsigned char *block = arena_take(100, 1);
    CHECK_EQ(th_arena_reset(&arena), TH_OK);
    CHECK_EQ(poke(block + 50, 0x41), POISON);
    faults.count = 0;
    CHECK(th_arena_alloc(&arena, 100) == NULL);
    EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 0, 0, 50, POISON, 0x41);
    CHECK_EQ(th_arena_get_stats(&arena).spare_chunks, 1);
    CHECK_EQ(poke(block + 50, POISON), 0x41);
    CHECK(arena_take(100, 2) == block);
    arena_stop();
}

static void a_write_after_reset_is_noticed(void) {
    at_levels(2, write_to_spare);
}

static void bring_back_bad_pointers(int level) {
    arena_start(level);
    unsigned char *block = arena_take(20, 1);
    unsigned char *last = arena_take(20, 2);
    th_arena_free(&arena, last);
    th_arena_free(&arena, last);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 32, 32, 32);
    CHECK(!th_arena_resize_in_place(&arena, memory, 4));
    CHECK_EQ(faults.first.kind, TH_FAULT_FOREIGN);
    faults.count = 0;
    bool moved;
    th_allocator allocator = th_arena_allocator(&arena);
    CHECK(th_allocator_realloc(allocator, memory, 20, 30, 16, &moved) == NULL);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    CHECK(filled(block, 20, 1));
    arena_stop();
}

static void bad_pointers_are_noticed(void) {
    at_levels(1, bring_back_bad_pointers);
}

static void miscount(int level) {
    arena_start(level);
    for (uint32_t i = 0; i < 12; i++) {
        (void)arena_take(100, i);
    }
    (void)arena_take(1000, 1);
    size_t *counters[] = {&arena.chunks,   &arena.larges,         &arena.spares,
                          &arena.reserved, &arena.large_position, &arena.position};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        th_fault fault;
        *counters[i] += 1;
        CHECK_EQ(th_arena_check(&arena, &fault), TH_ERR_CORRUPT);
        CHECK_EQ(fault.kind, TH_FAULT_COUNT);
        CHECK_EQ(th_arena_check(&arena, NULL), TH_ERR_CORRUPT);
        *counters[i] -= 1;
    }
    arena_stop();
}

static void the_checker_counts(void) {
    at_levels(0, miscount);
}

static void clean_up_with_damage(int level) {
    arena_start(level);
    unsigned char *block = arena_take(20, 1);
    (void)poke(block + 20, 0x41);
    th_arena_clean_up(&arena);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(faults.first.kind, TH_FAULT_CANARY);
    CHECK(th_arena_alloc(&arena, 1) == NULL);
    backing_stop(&own);
}

static void clean_up_reports_and_goes_on(void) {
    at_levels(1, clean_up_with_damage);
}

/* ---- each place that may meet damage, one at a time ------------------------------------------ */

/* A byte of a header becomes another one, or (again) what it was. */
static void flip_header(th_arena_chunk *chunk) {
    unsigned char *first = (unsigned char *)chunk;
    unsigned char was = poke(first, 0);
    (void)poke(first, (unsigned char)~was);
}

/* One fault of that kind at least, and what stays so is reported again. */
static void expect_kind(th_fault_kind kind) {
    CHECK(faults.count > 0);
    CHECK_EQ(faults.first.kind, kind);
    faults.count = 0;
}

/* Chunks that a damaged header leads to cannot be found, and stay with the backing. */
static void clean_up_without_a_header(int level) {
    arena_start(level);
    th_allocator backing_of_arena = arena.config.backing;
    (void)arena_take(100, 1);
    (void)arena_take(1000, 2);
    th_arena_chunk *large = arena.large;
    flip_header(large);
    th_arena_clean_up(&arena);
    expect_kind(TH_FAULT_HEADER);
    CHECK_EQ(own.live, 1);
    CHECK_PTR_EQ(own.blocks[0].pointer, large);
    th_track_release(large, own.blocks[0].bytes);
    th_allocator_free(backing_of_arena, large);
    backing_stop(&own);
}

static void a_chunk_without_header_stays_with_the_backing(void) {
    at_levels(1, clean_up_without_a_header);
}

static void damage_the_large_chunk(int level) {
    arena_start(level);
    unsigned char *block = arena_take(100, 1);
    unsigned char *last = arena_take(100, 2);
    unsigned char *large = arena_take(1000, 3);
    flip_header(arena.large);
    CHECK(!th_arena_owns(&arena, large));
    CHECK(!th_arena_resize_in_place(&arena, block, 50)); /* it is not the last one, and not large */
    faults.count = 0;
    th_arena_free(&arena, large);
    expect_kind(TH_FAULT_FOREIGN);
    CHECK_EQ(th_arena_reset(&arena), TH_ERR_CORRUPT);
    expect_kind(TH_FAULT_HEADER);
    flip_header(arena.large);
    CHECK(filled(block, 100, 1) && filled(last, 100, 2) && filled(large, 1000, 3));
    arena_stop();
}

static void a_damaged_large_chunk_is_not_touched(void) {
    at_levels(1, damage_the_large_chunk);
}

static void damage_a_spare(int level) {
    arena_start(level);
    unsigned char *block = arena_take(100, 1);
    CHECK_EQ(th_arena_reset(&arena), TH_OK);
    flip_header(arena.spare);
    faults.count = 0;
    CHECK(th_arena_alloc(&arena, 100) == NULL);
    expect_kind(TH_FAULT_HEADER);
    CHECK_EQ(th_arena_trim(&arena), 0);
    expect_kind(TH_FAULT_HEADER);
    CHECK_EQ(th_arena_get_stats(&arena).spare_chunks, 1);
    flip_header(arena.spare);
    CHECK(arena_take(100, 2) == block);
    arena_stop();
}

static void a_damaged_spare_is_not_used(void) {
    at_levels(1, damage_a_spare);
}

static void smash_after_last(int level) {
    arena_start(level);
    unsigned char *block = arena_take(100, 1);
    unsigned char due = poke(block + 100, 0x41);
    CHECK(th_arena_alloc(&arena, 10) == NULL);
    expect_kind(TH_FAULT_CANARY);
    th_arena_free(&arena, block);
    expect_kind(TH_FAULT_CANARY);
    CHECK(th_arena_owns(&arena, block));
    CHECK_EQ(th_arena_get_stats(&arena).allocs, 1);
    (void)poke(block + 100, due);
    arena_stop();
}

static void nothing_goes_on_after_a_smashed_canary(void) {
    at_levels(1, smash_after_last);
}

static void roll_back_to_damage(int level) {
    arena_start(level);
    (void)arena_take(100, 1);
    th_arena_mark mark = th_arena_take_mark(&arena);
    for (uint32_t i = 0; i < 8; i++) {
        (void)arena_take(100, i);
    }
    (void)arena_take(1000, 9);
    CHECK(arena.chunk != mark.chunk);
    flip_header(mark.chunk);
    CHECK_EQ(th_arena_rollback(&arena, &mark), TH_ERR_CORRUPT);
    expect_kind(TH_FAULT_HEADER);
    flip_header(mark.chunk);
    th_arena_mark forged = mark;
    forged.used += 1000; /* more than the chunk can have in use */
    CHECK_EQ(th_arena_rollback(&arena, &forged), TH_ERR_CORRUPT);
    expect_kind(TH_FAULT_DOUBLE_FREE);
    forged = mark;
    forged.large = arena.chunk; /* no such large block */
    CHECK_EQ(th_arena_rollback(&arena, &forged), TH_ERR_CORRUPT);
    expect_kind(TH_FAULT_DOUBLE_FREE);
    CHECK_EQ(th_arena_rollback(&arena, &mark), TH_OK);
    arena_stop();
}

static void a_rollback_looks_at_what_it_cuts(void) {
    at_levels(1, roll_back_to_damage);
}

/* A header that agrees with its check word, but not with the others. */
static void forge_a_position(int level) {
    arena_start(level);
    for (uint32_t i = 0; i < 12; i++) {
        (void)arena_take(100, i);
    }
    th_chunk top, below;
    th_fault fault;
    CHECK_EQ(th_chunk_load(&arena, arena.chunk, &top, NULL), TH_OK);
    CHECK_EQ(th_chunk_load(&arena, top.header.prev, &below, NULL), TH_OK);
    below.header.position += 16;
    th_chunk_store(&arena, &below);
    CHECK_EQ(th_arena_check(&arena, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CHAIN);
    CHECK_EQ(fault.block, below.header.number);
    below.header.position -= 16;
    th_chunk_store(&arena, &below);
    arena.chunks -= 2; /* the list is longer than it should be by more than one */
    CHECK_EQ(th_arena_check(&arena, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    arena.chunks += 2;
    arena_stop();
}

static void the_checker_adds_up(void) {
    at_levels(0, forge_a_position);
}

/* An arena that has nothing but a large block. */
static void move_a_large_block(int level) {
    arena_start(level);
    th_allocator allocator = th_arena_allocator(&arena);
    unsigned char *large = arena_take(1000, 1);
    CHECK(arena.chunk == NULL && arena.large != NULL);
    unsigned char *moved = th_allocator_realloc(allocator, large, 1000, 3000, 16, NULL);
    CHECK(moved != NULL && moved != large && filled(moved, 1000, 1));
    arena_stop();
}

static void a_large_block_may_be_all_there_is(void) {
    at_levels(0, move_a_large_block);
}

TH_SUITE("arena_guards", TEST(an_overflow_is_noticed_before_anything_is_freed),
         TEST(damaged_headers_are_noticed), TEST(a_write_after_reset_is_noticed),
         TEST(bad_pointers_are_noticed), TEST(the_checker_counts),
         TEST(clean_up_reports_and_goes_on), TEST(a_chunk_without_header_stays_with_the_backing),
         TEST(a_damaged_large_chunk_is_not_touched), TEST(a_damaged_spare_is_not_used),
         TEST(nothing_goes_on_after_a_smashed_canary), TEST(a_rollback_looks_at_what_it_cuts),
         TEST(the_checker_adds_up), TEST(a_large_block_may_be_all_there_is))
