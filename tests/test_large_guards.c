/* SPDX-License-Identifier: MIT */
/* What large blocks notice: pointers that are none, canaries, and damage in their structure. */
#include "heap_fixture.h"
#include "large_fixture.h"

static void bring_back_bad_pointers(int level) {
    large_start(level, true);
    unsigned char *block = large_take(100, 0, 1);
    th_large_free(&large, block + 16);
    EXPECT_LOGGED(&large_faults, level, TH_FAULT_NOT_A_BLOCK, TH_FAULT_NOWHERE, 0, 16, 0, 16);
    th_large_free(&large, &large);
    EXPECT_LOGGED(&large_faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  (uint32_t)(uintptr_t)&large);
    unsigned char *gone = large_take(100, 0, 2);
    th_large_free(&large, gone);
    th_large_free(&large, gone);
    EXPECT_LOGGED(&large_faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  (uint32_t)(uintptr_t)gone);
    CHECK(th_allocator_realloc(th_large_allocator(&large), gone, 1, 9, 16, NULL) == NULL);
    CHECK_EQ(large_faults.count, 1);
    large_faults.count = 0;
    CHECK(filled(block, 100, 1));
    large_stop();
}

static void bad_pointers_are_named(void) {
    at_levels(1, bring_back_bad_pointers);
}

static void smash_canaries(int level) {
    large_start(level, true);
    unsigned char *block = large_take(page - 40, 0, 1);
    for (size_t i = page - 40; i < page; i += 13) {
        unsigned char due = poke(block + i, 0x41);
        th_large_free(&large, block);
        EXPECT_LOGGED(&large_faults, level, TH_FAULT_CANARY, TH_FAULT_NOWHERE, 0, (uint32_t)i, due,
                      0x41);
        CHECK(!th_large_resize_in_place(&large, block, 10));
        EXPECT_LOGGED(&large_faults, level, TH_FAULT_CANARY, TH_FAULT_NOWHERE, 0, (uint32_t)i, due,
                      0x41);
        CHECK_EQ(th_large_requested_size(&large, block), 0);
        CHECK_EQ(th_large_usable_size(&large, block), 0);
        large_faults.count = 0;
        CHECK_EQ(th_large_reset(&large), TH_ERR_CORRUPT);
        EXPECT_LOGGED(&large_faults, level, TH_FAULT_CANARY, TH_FAULT_NOWHERE, 0, (uint32_t)i, due,
                      0x41);
        (void)poke(block + i, due);
    }
    CHECK(filled(block, page - 40, 1));
    large_stop();
}

static void an_overflow_is_noticed_to_the_byte(void) {
    at_levels(1, smash_canaries);
}

static void expect_found(th_fault_kind kind) {
    expect_damage(th_large_allocator(&large), kind);
}

static void damage_the_structure(int level) {
    large_start(level, true);
    (void)large_take(100, 0, 1);
    (void)large_take(5000, 0, 2);
    large.live++;
    expect_found(TH_FAULT_COUNT);
    large.live--;
    large.records.live++;
    expect_found(TH_FAULT_COUNT);
    large.records.live--;
    void *record = th_slab_alloc(&large.records); /* of no block */
    expect_found(TH_FAULT_COUNT);
    th_slab_free(&large.records, record);
    large.bytes++;
    expect_found(TH_FAULT_COUNT);
    large.bytes--;
    large.requested_bytes++;
    expect_found(TH_FAULT_COUNT);
    large.requested_bytes--;
    for (size_t i = 0; i < TH_LARGE_SETS; i++) {
        th_range *set = large.ranges[i];
        large.ranges[i] = NULL;
        CHECK_EQ(th_large_check(&large, NULL), set != NULL ? TH_ERR_CORRUPT : TH_OK);
        if (set != NULL) {
            expect_found(TH_FAULT_CHAIN);
        }
        large.ranges[i] = set;
    }
    struct th_large_record *newest = large.newest;
    large.newest = (struct th_large_record *)(void *)&large;
    expect_found(TH_FAULT_CHAIN);
    large.newest = newest;
    unsigned char *object = (unsigned char *)newest;
    large.newest = *(struct th_large_record **)(void *)(object + sizeof(th_range)); /* older */
    expect_found(TH_FAULT_CHAIN);
    large.newest = newest;
    size_t *requested = (size_t *)(void *)(object + sizeof(th_range) + 2 * sizeof(void *));
    CHECK_EQ(*requested, 5000);
    *requested = 1000000;
    expect_found(TH_FAULT_CHAIN);
    *requested = 5000;
    large_stop();
}

static void the_checker_finds_damage_in_the_structure(void) {
    at_levels(0, damage_the_structure);
}

TH_SUITE("large_guards", TEST(bad_pointers_are_named), TEST(an_overflow_is_noticed_to_the_byte),
         TEST(the_checker_finds_damage_in_the_structure))
