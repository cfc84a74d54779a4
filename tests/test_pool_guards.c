/* SPDX-License-Identifier: MIT */
/* What the pool's guards, its checker and the tools notice. */
#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/pool.h"

#define POISON 0xFDu
#define BYTES  45u
#define STRIDE 48u

TH_ALLOCATOR_ALIGNAS static unsigned char memory[1024];

static fault_log faults;
static th_pool pool;
static unsigned char *objects[6]; /* 4 and 5 are freed again */

static void start(int level, bool beside) {
    const th_pool_config config = {.object_bytes = BYTES,
                                   .alignment = 16,
                                   .memory = memory,
                                   .memory_bytes = sizeof memory,
                                   .links_beside = beside,
                                   .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_pool_init(&pool, &config), TH_OK);
    for (uint32_t i = 0; i < 6; i++) {
        objects[i] = th_pool_alloc(&pool);
        CHECK_PTR_EQ(objects[i], memory + i * STRIDE);
        fill(objects[i], BYTES, i);
    }
    th_pool_free(&pool, objects[4]);
    th_pool_free(&pool, objects[5]);
    CHECK_EQ(faults.count, 0);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_pool_check(&pool, NULL), TH_OK);
    CHECK_EQ(th_pool_get_stats(&pool).live, 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(filled(objects[i], BYTES, i));
    }
    th_pool_clean_up(&pool);
}

static void free_bad_pointers(int level) {
    start(level, false);
    th_pool_free(&pool, NULL);
    CHECK_EQ(faults.count, 0);
    th_pool_free(&pool, &pool);
    EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  (uint32_t)(uintptr_t)&pool);
    th_pool_free(&pool, memory + sizeof memory);
    EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  (uint32_t)(uintptr_t)(memory + sizeof memory));
    th_pool_free(&pool, objects[1] + 5);
    EXPECT_LOGGED(&faults, level, TH_FAULT_MISALIGNED, 1, 0, STRIDE + 5, STRIDE, STRIDE + 5);
    th_pool_free(&pool, objects[1] + 16);
    EXPECT_LOGGED(&faults, level, TH_FAULT_NOT_A_BLOCK, 1, 0, STRIDE + 16, STRIDE, STRIDE + 16);
    th_pool_free(&pool, memory + 6 * STRIDE); /* never used */
    EXPECT_LOGGED(&faults, level, TH_FAULT_NOT_A_BLOCK, 6, 0, 6 * STRIDE, 6 * STRIDE, 6 * STRIDE);
    th_pool_free(&pool, objects[5]);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 5, 0, 5 * STRIDE, 5 * STRIDE, 5 * STRIDE);
    th_allocator allocator = th_pool_allocator(&pool);
    CHECK_EQ(th_allocator_usable_size(allocator, objects[4]), 0);
    CHECK_EQ(faults.first.kind, TH_FAULT_DOUBLE_FREE);
    faults.count = 0;
    CHECK(th_allocator_realloc(allocator, objects[4], 1, 2, 16, NULL) == NULL);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 4, 0, 4 * STRIDE, 4 * STRIDE, 4 * STRIDE);
    stop();
}

static void bad_pointers_are_named(void) {
    at_levels(1, free_bad_pointers);
}

/* At level 0 nothing is verified, but a pointer from elsewhere does no harm where the chunk has to
 * be looked up anyway. */
static void level_0_ignores_foreign_pointers_with_links_beside(void) {
    start(0, true);
    th_pool_free(&pool, &pool);
    CHECK_EQ(th_allocator_usable_size(th_pool_allocator(&pool), &pool), 0);
    stop();
}

static void smash_canaries(int level) {
    start(level, false);
    for (uint32_t i = BYTES; i < STRIDE; i++) {
        unsigned char due = poke(objects[1] + i, 0x41);
        th_pool_free(&pool, objects[1]);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 1, 0, STRIDE + i, due, 0x41);
        CHECK_EQ(th_pool_check(&pool, NULL), TH_ERR_CORRUPT);
        CHECK_EQ(th_pool_reset(&pool), TH_ERR_CORRUPT);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 1, 0, STRIDE + i, due, 0x41);
        CHECK_EQ(th_pool_trim(&pool, 0), 0);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 1, 0, STRIDE + i, due, 0x41);
        CHECK_EQ(poke(objects[1] + i, due), 0x41);
    }
    stop();
}

static void an_overflow_is_noticed_when_the_object_is_freed(void) {
    at_levels(1, smash_canaries);
}

static void write_after_free(int level) {
    start(level, false);
    for (uint32_t i = sizeof(void *); i < STRIDE; i++) {
        CHECK_EQ(poke(objects[5] + i, 0x41), POISON);
        CHECK(th_pool_alloc(&pool) == NULL);
        EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 5, 0, 5 * STRIDE + i, POISON, 0x41);
        CHECK_EQ(poke(objects[5] + i, POISON), 0x41);
    }
    CHECK_EQ(th_pool_get_stats(&pool).failed_allocs, 0);
    stop();
}

static void a_write_after_free_is_noticed_before_reuse(void) {
    at_levels(2, write_after_free);
}

/* objects[5] is first in the list, its link leads to objects[4], whose leads nowhere. */
static void smash_links(int level, bool beside) {
    start(level, beside);
    const void *bad[] = {&pool, objects[4] + 1, objects[4] + 16, objects[0], memory + 6 * STRIDE};
    void *place = beside ? (void *)&pool.first.links[5] : objects[5];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        poke_link(place, bad[i]);
        CHECK(th_pool_alloc(&pool) == NULL);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CHAIN, 5, 0, 5 * STRIDE, 0,
                      (uint32_t)(uintptr_t)bad[i]);
        CHECK_EQ(th_pool_check(&pool, NULL), TH_ERR_CORRUPT);
    }
    poke_link(place, objects[4]);
    stop();
}

static void smash_both_kinds_of_links(int level) {
    smash_links(level, false);
    smash_links(level, true);
}

static void a_link_that_leads_astray_is_not_followed(void) {
    at_levels(1, smash_both_kinds_of_links);
}

/* ---- the checker ---------------------------------------------------------------------------- */

static void expect_found(th_fault_kind kind) {
    expect_damage(th_pool_allocator(&pool), kind);
}

static void damage_the_structure(int level) {
    start(level, false);
    pool.live++;
    expect_found(TH_FAULT_COUNT);
    pool.live -= 2;
    expect_found(TH_FAULT_COUNT);
    pool.live++;
    pool.capacity++;
    expect_found(TH_FAULT_COUNT);
    pool.capacity--;
    pool.fresh = pool.fresh_end + STRIDE;
    expect_found(TH_FAULT_HEADER);
    pool.fresh = objects[5] + STRIDE;
    pool.ranges = NULL;
    expect_found(TH_FAULT_HEADER);
    pool.ranges = &pool.first.range;
    pool.free_list = objects[4]; /* objects[5] is lost */
    expect_found(TH_FAULT_COUNT);
    pool.free_list = objects[5] + 1;
    expect_found(TH_FAULT_CHAIN);
    pool.free_list = objects[5];
    poke_link(objects[4], objects[5]); /* a circle */
    expect_found(TH_FAULT_COUNT);
    poke_link(objects[4], NULL);
    stop();
}

static void the_checker_finds_damage_in_the_structure(void) {
    at_levels(0, damage_the_structure);
}

/* Damage that has nothing to do with the operation is found after it, at level 3 only. */
static void damage_elsewhere(int level) {
    start(level, false);
    unsigned char due = poke(objects[1] + BYTES, 0x41);
    th_pool_free(&pool, objects[0]);
    CHECK_EQ(faults.count, level == 3);
    faults.count = 0;
    CHECK_PTR_EQ(th_pool_alloc(&pool), objects[0]);
    CHECK_EQ(faults.count, level == 3);
    faults.count = 0;
    CHECK_EQ(th_pool_reserve(&pool, 1), TH_OK);
    CHECK_EQ(faults.count, level == 3);
    faults.count = 0;
    (void)poke(objects[1] + BYTES, due);
    fill(objects[0], BYTES, 0);
    stop();
}

static void level_3_looks_at_everything(void) {
    at_levels(1, damage_elsewhere);
}

/* ---- tools ---------------------------------------------------------------------------------- */

/* MSan knows no closed memory, only bytes without contents: those of the last object's wall. */
static void look_at_every_byte(int level) {
    start(level, false);
    for (size_t i = 0; i < 7 * STRIDE; i++) {
        bool open = i < 4 * STRIDE && i % STRIDE < BYTES;
        CHECK_EQ(is_closed(memory + i), tools_look() && !open);
    }
    size_t objects_end = pool.capacity * STRIDE;
    for (size_t i = 0; i < 16; i++) {
        CHECK_EQ(is_closed(memory + objects_end + i), tools_look());
    }
    stop();
    for (size_t i = 0; i < objects_end + 16; i++) {
        CHECK(!is_closed(memory + i));
    }
}

static void tools_see_exactly_the_live_objects(void) {
    at_levels(0, look_at_every_byte);
}

TH_SUITE("pool_guards", TEST(bad_pointers_are_named),
         TEST(level_0_ignores_foreign_pointers_with_links_beside),
         TEST(an_overflow_is_noticed_when_the_object_is_freed),
         TEST(a_write_after_free_is_noticed_before_reuse),
         TEST(a_link_that_leads_astray_is_not_followed),
         TEST(the_checker_finds_damage_in_the_structure), TEST(level_3_looks_at_everything),
         TEST(tools_see_exactly_the_live_objects))
