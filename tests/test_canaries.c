/* SPDX-License-Identifier: MIT */
/* The canaries of the companions depend on the place: no byte can be written over one, of two bytes
 * or more, that is not noticed, and the byte that stood there is what the fault expects. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/arena.h"
#include "tagheap/buddy.h"
#include "tagheap/bump.h"
#include "tagheap/large.h"
#include "tagheap/pool.h"
#include "tagheap/slab.h"

enum { MEMORY_BYTES = 16384, BLOCKS = 40, CANARY_MAX = 4096, BYTE_VALUES = UINT8_MAX + 1 };

static alignas(64) unsigned char memory[MEMORY_BYTES];
static alignas(64) unsigned char bookkeeping[MEMORY_BYTES];
static fault_log faults;

/* All of the canary at[0 .. bytes-1] becomes one byte, each in turn. */
static void smash_with_each_byte(th_allocator allocator, unsigned char *at, size_t bytes) {
    static unsigned char kept[CANARY_MAX];
    CHECK(bytes >= 2 && bytes <= sizeof kept);
    for (unsigned value = 0; value < BYTE_VALUES; value++) {
        th_fault fault;
        size_t first = bytes;
        for (size_t i = 0; i < bytes; i++) {
            kept[i] = poke(at + i, (unsigned char)value);
            first = first == bytes && kept[i] != value ? i : first;
        }
        CHECK(first < 2); /* neighbours are never equal */
        CHECK_EQ(th_allocator_check(allocator, &fault), TH_ERR_CORRUPT);
        CHECK_EQ(fault.kind, TH_FAULT_CANARY);
        CHECK_EQ(fault.found, value);
        CHECK_EQ(fault.expected, kept[first]);
        for (size_t i = 0; i < bytes; i++) {
            (void)poke(at + i, kept[i]);
        }
    }
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
}

/* The canary above the last block, and those of the gaps below it; the memory begins anywhere. */
static void smash_linear(int level) {
    for (size_t skip = 0; skip < 8; skip++) {
        th_bump bump;
        const th_bump_config config = {.guarding = guarding_with(&faults, level)};
        CHECK_EQ(th_bump_init(&bump, memory + skip, MEMORY_BYTES - skip, &config), TH_OK);
        th_allocator allocator = th_bump_allocator(&bump);
        for (size_t i = 0; i < BLOCKS; i++) {
            unsigned char *block = th_bump_alloc_aligned(&bump, 1 + i, 64);
            CHECK(block != NULL);
            smash_with_each_byte(allocator, block + 1 + i, 16);
        }
        unsigned char *block = th_bump_alloc_aligned(&bump, 64, 64);
        CHECK(block != NULL);
        smash_with_each_byte(allocator, block - 64 + BLOCKS, 64 - BLOCKS); /* a gap */
        th_bump_clean_up(&bump);
    }
}

static void smash_chunks(int level) {
    th_arena arena;
    backing chunks;
    const th_arena_config config = {.chunk_bytes = 1024,
                                    .backing = backing_start(&chunks),
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *block = th_arena_alloc(&arena, 37);
        CHECK(block != NULL);
        if (th_arena_get_stats(&arena).chunks > 1) {
            smash_with_each_byte(th_arena_allocator(&arena), block + 37, 2);
        }
    }
    th_arena_clean_up(&arena);
    backing_stop(&chunks);
}

static void smash_objects(int level) {
    th_pool pool;
    const th_pool_config config = {.object_bytes = 45,
                                   .memory = memory,
                                   .memory_bytes = sizeof memory,
                                   .alignment = 16,
                                   .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_pool_init(&pool, &config), TH_OK);
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned char *object = th_pool_alloc(&pool);
        CHECK(object != NULL);
        smash_with_each_byte(th_pool_allocator(&pool), object + 45, 3);
    }
    th_pool_clean_up(&pool);
}

static void smash_slabs(int level) {
    th_slab slab;
    backing slabs;
    const th_slab_config config = {.object_bytes = 96,
                                   .slab_bytes = 1024,
                                   .backing = backing_start(&slabs),
                                   .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_slab_init(&slab, &config), TH_OK);
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *object = th_slab_alloc_bytes(&slab, 80 + i % 15);
        CHECK(object != NULL);
        smash_with_each_byte(th_slab_allocator(&slab), object + 80 + i % 15, 16 - i % 15);
    }
    th_slab_clean_up(&slab);
    backing_stop(&slabs);
}

static void smash_buddies(int level) {
    th_buddy buddy;
    const th_buddy_config config = {.unit = 64, .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_buddy_init(&buddy, memory, sizeof memory, bookkeeping, sizeof bookkeeping, &config),
             TH_OK);
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *block = th_buddy_alloc(&buddy, 65 + i);
        CHECK(block != NULL);
        smash_with_each_byte(th_buddy_allocator(&buddy), block + 65 + i, 63 - i);
    }
    th_buddy_clean_up(&buddy);
}

static void smash_mappings(int level) {
    th_large large;
    const th_large_config config = {.guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
    for (size_t bytes = 1; bytes < 4096; bytes += 1023) {
        unsigned char *block = th_large_alloc(&large, bytes);
        CHECK(block != NULL);
        smash_with_each_byte(th_large_allocator(&large), block + bytes, 4096 - bytes);
    }
    th_large_clean_up(&large);
}

static void no_byte_can_be_written_over_a_canary(void) {
    at_levels(1, smash_linear);
    at_levels(1, smash_chunks);
    at_levels(1, smash_objects);
    at_levels(1, smash_slabs);
    at_levels(1, smash_buddies);
    at_levels(1, smash_mappings);
}

/* ---- places ------------------------------------------------------------------------------- */

enum { OBJECT_BYTES = 24, OBJECT_ASKED = 20, CANARY_BYTES = OBJECT_BYTES - OBJECT_ASKED };

/* How many of BLOCKS objects in a row have the canary of another one. */
static size_t count_equal(unsigned char *first) {
    size_t equal = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t k = i + 1; k < BLOCKS; k++) {
            equal += memcmp(first + i * CANARY_BYTES, first + k * CANARY_BYTES, CANARY_BYTES) == 0;
        }
    }
    return equal;
}

static void compare_objects(int level) {
    static unsigned char canaries[BLOCKS * CANARY_BYTES];
    th_pool pool;
    const th_pool_config config = {.object_bytes = OBJECT_ASKED,
                                   .alignment = 8,
                                   .memory = memory,
                                   .memory_bytes = sizeof memory,
                                   .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_pool_init(&pool, &config), TH_OK);
    for (size_t i = 0; i < sizeof canaries; i++) {
        unsigned char *object = i % CANARY_BYTES == 0 ? th_pool_alloc(&pool) : NULL;
        for (size_t k = 0; object != NULL && k < CANARY_BYTES; k++) {
            canaries[i + k] = poke(object + OBJECT_ASKED + k, 0);
            (void)poke(object + OBJECT_ASKED + k, canaries[i + k]);
        }
    }
    CHECK_EQ(count_equal(canaries), 0);
    CHECK_EQ(th_pool_check(&pool, NULL), TH_OK);
    th_pool_clean_up(&pool);
}

static void objects_have_canaries_of_their_own(void) {
    at_levels(1, compare_objects);
}

/* Memory that begins between two dwords has the canaries of the dword that it begins in, and where
 * all of it lies makes no difference. */
static void compare_starts(int level) {
    unsigned char seen[64][16];
    for (size_t skip = 0; skip < 64; skip++) {
        th_bump bump;
        const th_bump_config config = {.guarding = guarding_with(&faults, level)};
        CHECK_EQ(th_bump_init(&bump, memory + skip, 1024, &config), TH_OK);
        CHECK_PTR_EQ(th_bump_alloc_aligned(&bump, 100 - skip % 4, 1), memory + skip);
        for (size_t i = 0; i < 16; i++) {
            unsigned char *byte = memory + skip - skip % 4 + 100 + i;
            seen[skip][i] = poke(byte, 0);
            (void)poke(byte, seen[skip][i]);
            CHECK_EQ(seen[skip][i], seen[0][i]);
        }
        th_bump_clean_up(&bump);
    }
}

static void canaries_do_not_depend_on_the_address(void) {
    at_levels(1, compare_starts);
}

TH_SUITE("canaries", TEST(no_byte_can_be_written_over_a_canary),
         TEST(objects_have_canaries_of_their_own), TEST(canaries_do_not_depend_on_the_address))
