/* SPDX-License-Identifier: MIT */
/* Size classes: the mapping and its bound, and malloc's semantics on top of it. */
#include <string.h>

#include "alloc/slab.h"
#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/classes.h"
#include "tagheap/pages.h"

static fault_log faults;
static backing blocks;
static th_classes classes;

/* Small slabs, so that level 3 has little to look at. */
static void start(int level) {
    const th_classes_config config = {.backing = backing_start(&blocks),
                                      .slab_bytes = 4096,
                                      .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_classes_init(&classes, &config), TH_OK);
    CHECK_EQ(classes.class_bytes_max, 512);
}

static void stop(void) {
    CHECK_EQ(th_classes_check(&classes, NULL), TH_OK);
    CHECK_EQ(faults.count, 0);
    th_classes_clean_up(&classes);
    static const th_classes zeroed;
    CHECK(memcmp(&classes, &zeroed, sizeof classes) == 0);
    CHECK(th_classes_alloc(&classes, 1) == NULL);
    CHECK(th_classes_realloc(&classes, NULL, 100000) == NULL);
    th_classes_free(&classes, &classes);
    CHECK(th_classes_realloc(&classes, &classes, 5) == NULL);
    CHECK(!th_classes_owns(&classes, &classes));
    CHECK_EQ(th_classes_reset(&classes), TH_ERR_NULL);
    CHECK_EQ(th_classes_trim(&classes), 0);
    backing_stop(&blocks);
}

static unsigned char *take(size_t bytes, uint32_t seed) {
    unsigned char *block = th_classes_alloc(&classes, bytes);
    CHECK(block != NULL);
    CHECK_EQ((uintptr_t)block % 16, 0);
    fill(block, bytes, seed);
    return block;
}

/* ---- the mapping ---------------------------------------------------------------------------- */

static void the_boundaries_are_where_they_are_said_to_be(void) {
    static const size_t sizes[] = {16,  32,  48,  64,  80,  96,  112, 128,  160,  192,  224,  256,
                                   320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK_EQ(th_class_bytes(i), sizes[i]);
        CHECK_EQ(th_class_of(sizes[i]), i);
        CHECK_EQ(th_class_of(sizes[i] + 1), i + 1);
    }
    CHECK_EQ(th_class_of(0), 0);
    CHECK_EQ(th_class_of(1), 0);
    CHECK_EQ(th_class_bytes(TH_CLASSES_COUNT_MAX - 1), TH_CLASSES_SLAB_BYTES_MAX / 8);
}

/* For every size there is: the first class that is large enough, and the waste that is promised. */
static void the_waste_is_bounded(void) {
    unsigned before = 0;
    for (size_t bytes = 1; bytes <= TH_CLASSES_SLAB_BYTES_MAX / 8; bytes++) {
        unsigned number = th_class_of(bytes);
        size_t taken = th_class_bytes(number);
        size_t waste = taken - bytes;
        CHECK(taken >= bytes);
        CHECK(number == 0 || th_class_bytes(number - 1) < bytes);
        CHECK(number == before || number == before + 1);
        CHECK(waste < 16 || waste * 4 < bytes);
        CHECK(bytes <= 64 || waste * 5 < taken);
        CHECK_EQ(taken % 16, 0);
        before = number;
    }
    CHECK_EQ(before, TH_CLASSES_COUNT_MAX - 1);
}

/* What a slab spends: that of each class, of each size of slab. */
static void slabs_waste_little(void) {
    for (size_t slab = TH_CLASSES_SLAB_BYTES_MIN; slab <= TH_CLASSES_SLAB_BYTES_MAX; slab *= 2) {
        th_classes_config config = {.slab_bytes = slab, .backing = th_system_allocator()};
        CHECK_EQ(th_classes_init(&classes, &config), TH_OK);
        CHECK_EQ(classes.class_bytes_max, slab / 8);
        for (unsigned i = 0; i < classes.count; i++) {
            const th_slab *of = &classes.slabs[i];
            size_t spent = slab - of->capacity * of->stride;
            CHECK_EQ(of->stride, th_class_bytes(i));
            CHECK(of->capacity >= 6);
            CHECK(spent < 128 + of->capacity + of->stride + of->alignment);
        }
        th_classes_clean_up(&classes);
    }
}

/* ---- malloc, calloc, aligned_alloc ---------------------------------------------------------- */

static void every_size(int level) {
    start(level);
    for (size_t bytes = 1; bytes <= 700; bytes += level == 3 ? 23 : 1) {
        unsigned char *block = take(bytes, (uint32_t)bytes);
        size_t taken = bytes <= 512 ? th_class_bytes(th_class_of(bytes)) : bytes;
        CHECK_EQ(th_classes_requested_size(&classes, block), bytes);
        th_classes_stats stats = th_classes_get_stats(&classes);
        CHECK_EQ(stats.live, 1);
        CHECK_EQ(stats.live_large, bytes > 512);
        CHECK_EQ(stats.requested_bytes, bytes);
        CHECK_EQ(stats.block_bytes, taken);
        CHECK_EQ(th_classes_usable_size(&classes, block), taken);
        CHECK(stats.memory_bytes >= taken);
        CHECK(th_classes_owns(&classes, block) && th_classes_owns(&classes, block + bytes - 1));
        CHECK(filled(block, bytes, (uint32_t)bytes));
        th_classes_free(&classes, block);
        CHECK(!th_classes_owns(&classes, block));
    }
    th_classes_free(&classes, NULL);
    CHECK_EQ(th_classes_requested_size(&classes, NULL), 0);
    CHECK_EQ(th_classes_get_stats(&classes).requested_bytes, 0);
    CHECK(th_classes_trim(&classes) > 0);
    CHECK_EQ(th_classes_get_stats(&classes).slabs, 0);
    stop();
}

static void every_size_works(void) {
    at_levels(0, every_size);
}

static void use_zeroed(size_t count, size_t size) {
    for (int round = 0; round < 2; round++) {
        unsigned char *block = th_classes_alloc_array_zeroed(&classes, count, size);
        CHECK(block != NULL);
        for (size_t i = 0; i < count * size; i++) {
            CHECK_EQ(block[i], 0);
        }
        memset(block, 0xAA, count * size);
        th_classes_free(&classes, block);
    }
}

static void zeroed_memory_is_zero(void) {
    for (int mapped = 0; mapped < 2; mapped++) {
        th_classes_config config = {.backing =
                                        mapped != 0 ? (th_allocator){0} : backing_start(&blocks)};
        CHECK_EQ(th_classes_init(&classes, &config), TH_OK);
        for (size_t count = 1; count < 30000; count = count * 3 + 1) {
            use_zeroed(count, 7);
        }
        const size_t most = classes.class_bytes_max; /* of those that were used before */
        unsigned char *neighbour = take(most, 1);
        for (size_t bytes = most - 1; bytes <= most + 1; bytes++) {
            use_zeroed(bytes, 1);
        }
        th_classes_free(&classes, neighbour);
        CHECK(th_classes_alloc_array_zeroed(&classes, SIZE_MAX / 2, 3) == NULL);
        CHECK(th_classes_alloc_array_zeroed(&classes, 0, 3) == NULL);
        CHECK(th_classes_alloc_array_zeroed(&classes, 3, 0) == NULL);
        stop();
    }
}

static void every_alignment(int level) {
    start(level);
    for (size_t alignment = 1; alignment <= 16384; alignment *= 2) {
        for (size_t bytes = 1; bytes <= 1300; bytes += 1 + bytes / 8) {
            unsigned char *block = th_classes_alloc_aligned(&classes, bytes, alignment);
            CHECK(block != NULL);
            CHECK_EQ((uintptr_t)block % alignment, 0);
            fill(block, bytes, 1);
            size_t larger = bytes > alignment ? bytes : alignment;
            if (larger <= 512) {
                CHECK_EQ(th_classes_get_stats(&classes).live_large, 0);
                CHECK(th_classes_get_stats(&classes).block_bytes < 2 * larger + 16);
            }
            CHECK(filled(block, bytes, 1));
            th_classes_free(&classes, block);
        }
    }
    CHECK(th_classes_alloc_aligned(&classes, 8, 0) == NULL);
    CHECK(th_classes_alloc_aligned(&classes, 8, 24) == NULL);
    CHECK(th_classes_alloc_aligned(&classes, 0, 16) == NULL);
    CHECK(th_classes_alloc(&classes, (size_t)PTRDIFF_MAX + 1) == NULL);
    CHECK_EQ(th_classes_get_stats(&classes).failed_allocs, 0);
    stop();
}

static void every_alignment_works(void) {
    at_levels(0, every_alignment);
}

/* ---- realloc -------------------------------------------------------------------------------- */

static void resize_from_all_to_all(int level) {
    static const size_t sizes[] = {1, 15, 16, 17, 100, 128, 129, 256, 500, 512, 513, 2000, 20000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    start(level);
    for (size_t from = 0; from < COUNT; from++) {
        for (size_t to = 0; to < COUNT; to++) {
            unsigned char *block = take(sizes[from], 3);
            block = th_classes_realloc(&classes, block, sizes[to]);
            CHECK(block != NULL);
            CHECK(filled(block, sizes[from] < sizes[to] ? sizes[from] : sizes[to], 3));
            CHECK_EQ(th_classes_requested_size(&classes, block), sizes[to]);
            th_classes_stats stats = th_classes_get_stats(&classes);
            CHECK_EQ(stats.live, 1);
            CHECK_EQ(stats.requested_bytes, sizes[to]);
            CHECK(stats.block_bytes <= 2 * sizes[to] + 16);
            CHECK(th_classes_realloc(&classes, block, 0) == NULL);
            CHECK_EQ(th_classes_get_stats(&classes).live, 0);
        }
    }
    stop();
}

static void resize_keeps_the_contents(void) {
    at_levels(0, resize_from_all_to_all);
}

static void resize_stays_where_it_can(void) {
    start(1);
    unsigned char *block = th_classes_realloc(&classes, NULL, 200);
    CHECK(block != NULL);
    for (size_t bytes = 112; bytes <= 224; bytes++) {
        CHECK_PTR_EQ(th_classes_realloc(&classes, block, bytes), block);
    }
    CHECK(th_classes_resize_in_place(&classes, block, 1));
    CHECK(th_classes_resize_in_place(&classes, block, 224));
    CHECK(!th_classes_resize_in_place(&classes, block, 225));
    CHECK(!th_classes_resize_in_place(&classes, block, 0));
    CHECK(!th_classes_resize_in_place(&classes, NULL, 5));
    CHECK(th_classes_realloc(&classes, block, 111) != block);
    stop();
}

static void a_shrinking_block_stays_when_there_is_no_room(void) {
    start(1);
    unsigned char *block = take(512, 1);
    blocks.left = 0;
    CHECK_PTR_EQ(th_classes_realloc(&classes, block, 20), block);
    CHECK(filled(block, 20, 1));
    CHECK_EQ(th_classes_requested_size(&classes, block), 20);
    CHECK(th_classes_realloc(&classes, block, 600) == NULL);
    CHECK(filled(block, 20, 1));
    CHECK_EQ(th_classes_get_stats(&classes).failed_allocs, 1); /* the other one was met */
    stop();
}

/* A large block, of `taken` bytes: down to half of them it stays, wherever it comes from. */
static void stay_until_half(size_t bytes, size_t alignment) {
    unsigned char *block = th_classes_alloc_aligned(&classes, bytes, alignment);
    CHECK(block != NULL);
    size_t taken = th_classes_usable_size(&classes, block);
    fill(block, bytes, 1);
    for (size_t size = taken; size >= taken / 2; size -= size % 100 + 1) {
        CHECK(th_classes_resize_in_place(&classes, block, taken));
        CHECK_PTR_EQ(th_classes_realloc_aligned(&classes, block, size, alignment), block);
        CHECK(filled(block, bytes < taken / 2 ? bytes : taken / 2, 1));
        if (th_classes_usable_size(&classes, block) != taken) {
            break; /* pages went back */
        }
    }
    th_classes_free(&classes, block);
}

static void large_blocks_stay_down_to_half(void) {
    const th_classes_config mapped = {.guarding = guarding_with(&faults, 1)};
    start(1);
    stay_until_half(20000, 16);
    stay_until_half(513, 16);
    unsigned char *block = take(20000, 1);
    unsigned char *moved = th_classes_realloc(&classes, block, 9999);
    CHECK(moved != NULL && moved != block && filled(moved, 9999, 1)); /* nothing was taken back */
    CHECK_EQ(th_classes_usable_size(&classes, moved), 9999);
    blocks.left = 0;
    CHECK_PTR_EQ(th_classes_realloc(&classes, moved, 600), moved);
    CHECK_PTR_EQ(th_classes_realloc(&classes, moved, 100), moved);
    CHECK_PTR_EQ(th_classes_realloc(&classes, moved, 9999), moved);
    CHECK(filled(moved, 100, 1));
    CHECK(th_classes_realloc(&classes, moved, 10000) == NULL);
    blocks.left = SIZE_MAX;
    stop();
    CHECK_EQ(th_classes_init(&classes, &mapped), TH_OK);
    stay_until_half(8193, 16);
    stay_until_half(3000, 16384);
    block = take(100000, 2);
    CHECK_PTR_EQ(th_classes_realloc(&classes, block, 9000), block); /* pages went back */
    CHECK(th_classes_usable_size(&classes, block) < 100000);
    CHECK(filled(block, 9000, 2));
    stop();
}

static void alignment_is_kept_when_asked_for(void) {
    start(1);
    unsigned char *block = th_classes_alloc_aligned(&classes, 100, 256);
    fill(block, 100, 1);
    unsigned char *moved = th_classes_realloc_aligned(&classes, block, 3000, 256);
    CHECK(moved != NULL && moved != block && (uintptr_t)moved % 256 == 0);
    CHECK(filled(moved, 100, 1));
    CHECK(th_classes_realloc_aligned(&classes, moved, 50, 24) == NULL);
    CHECK(th_classes_realloc_aligned(&classes, moved, SIZE_MAX, 256) == NULL);
    CHECK(filled(moved, 100, 1));
    unsigned char *plain = take(48, 2); /* of two neighbours, one is not at a multiple of 256 */
    unsigned char *other = take(48, 2);
    plain = (uintptr_t)plain % 256 == 0 ? other : plain;
    CHECK(th_classes_realloc_aligned(&classes, plain, 40, 256) == NULL);
    CHECK(filled(plain, 48, 2));
    CHECK_EQ(faults.count, 0);
    CHECK(th_classes_realloc_aligned(&classes, plain + 1, 40, 256) == NULL);
    if (th_guard_max() > 0) {
        CHECK_EQ(faults.first.kind, TH_FAULT_MISALIGNED);
    }
    faults = (fault_log){0};
    stop();
}

/* One byte beyond the largest class, also where there is no class number left. */
static void the_first_large_size_is_large(void) {
    for (size_t slab = 4096; slab <= TH_CLASSES_SLAB_BYTES_MAX; slab *= 2) {
        const th_classes_config config = {.slab_bytes = slab};
        CHECK_EQ(th_classes_init(&classes, &config), TH_OK);
        unsigned char *small = take(slab / 8, 1);
        unsigned char *block = take(slab / 8 + 1, 2);
        CHECK_EQ(th_classes_get_stats(&classes).live_large, 1);
        CHECK(filled(small, slab / 8, 1) && filled(block, slab / 8 + 1, 2));
        th_classes_clean_up(&classes);
    }
}

/* What is kept of large blocks is memory; and no block has to be moved for it. */
static void pages_of_large_blocks_are_kept(void) {
    static const size_t most[] = {0, 50000, TH_CLASSES_KEEP_NONE};
    for (size_t i = 0; i < 3; i++) {
        const th_classes_config config = {.kept_bytes_max = most[i]};
        size_t keeps = i == 0 ? TH_CLASSES_KEPT_BYTES : i == 1 ? 50000 : 0;
        CHECK_EQ(th_classes_init(&classes, &config), TH_OK);
        size_t before = th_classes_get_stats(&classes).memory_bytes;
        CHECK_EQ(before, 0);
        th_classes_free(&classes, take(45000, 1));
        size_t records = th_classes_get_stats(&classes).memory_bytes - classes.large.kept_bytes;
        CHECK_EQ(classes.large.kept_bytes, tools_look() || keeps == 0 ? 0 : th_pages_round(45000));
        CHECK_EQ(records, classes.large.records.slab_bytes);
        unsigned char *block = th_classes_alloc_array_zeroed(&classes, 44000, 1);
        CHECK(block != NULL);
        for (size_t byte = 0; byte < 44000; byte++) {
            CHECK_EQ(block[byte], 0);
        }
        CHECK_EQ(classes.large.kept_bytes, 0);
        th_classes_free(&classes, block);
        th_classes_free(&classes, take(keeps + 50000, 1));
        CHECK(classes.large.kept_bytes <= keeps);
        CHECK_EQ(th_classes_trim(&classes), 0);
        CHECK_EQ(classes.large.kept_bytes, 0);
        th_classes_clean_up(&classes);
    }
}

static void reset_frees_everything(void) {
    start(1);
    for (uint32_t i = 1; i < 60; i++) {
        (void)take(i * 20, i);
    }
    CHECK_EQ(th_classes_reset(&classes), TH_OK);
    th_classes_stats stats = th_classes_get_stats(&classes);
    CHECK_EQ(stats.live, 0);
    CHECK_EQ(stats.requested_bytes, 0);
    (void)take(100, 1);
    stop();
}

/* By default: on mapped pages, classes up to 8 KiB. */
static void defaults_work(void) {
    CHECK_EQ(th_classes_init(&classes, NULL), TH_OK);
    CHECK_EQ(th_classes_get_stats(&classes).class_bytes_max, TH_CLASSES_SLAB_BYTES / 8);
    unsigned char *small = take(8192, 1);
    unsigned char *big = take(8193, 2);
    CHECK_EQ(th_classes_get_stats(&classes).live_large, 1);
    CHECK(th_classes_alloc_aligned(&classes, 10, 4096) != NULL);
    CHECK_EQ(th_classes_get_stats(&classes).live_large, 1);
    CHECK(th_classes_alloc_aligned(&classes, 10, 8192) != NULL);
    CHECK_EQ(th_classes_get_stats(&classes).live_large, 2);
    big = th_classes_realloc(&classes, big, 3 * th_pages_size());
    CHECK(filled(big, 8193, 2) && filled(small, 8192, 1));
    stop();
}

static void expect_refused(th_classes_config config) {
    CHECK_EQ(th_classes_init(&classes, &config), TH_ERR_CONFIG);
}

static void bad_configs_are_refused(void) {
    CHECK_EQ(th_classes_init(NULL, NULL), TH_ERR_NULL);
    expect_refused((th_classes_config){.guarding = {.level = 5}});
    expect_refused((th_classes_config){.slab_bytes = 5000});
    expect_refused((th_classes_config){.slab_bytes = 512, .backing = th_system_allocator()});
    expect_refused((th_classes_config){.slab_bytes = TH_CLASSES_SLAB_BYTES_MAX * 2});
    expect_refused((th_classes_config){.slab_bytes = th_pages_size() / 2});
    th_classes_clean_up(NULL);
}

/* ---- guards --------------------------------------------------------------------------------- */

static void misuse_every_kind(int level, size_t bytes) {
    start(level);
    unsigned char *block = take(bytes, 1);
    unsigned char *freed = take(bytes, 2);
    th_classes_free(&classes, freed);
    th_classes_free(&classes, freed);
    CHECK_EQ(faults.first.kind, bytes > 512 ? TH_FAULT_FOREIGN : TH_FAULT_DOUBLE_FREE);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    th_classes_free(&classes, &classes);
    CHECK_EQ(faults.first.kind, TH_FAULT_FOREIGN);
    faults.count = 0;
    CHECK(th_classes_realloc(&classes, block + 16, 8) == NULL);
    CHECK_EQ(faults.first.kind, TH_FAULT_NOT_A_BLOCK);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    CHECK(!th_classes_resize_in_place(&classes, freed, 8));
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    bool moved;
    CHECK(th_allocator_realloc(th_classes_allocator(&classes), freed, 1, 2, 16, &moved) == NULL);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    CHECK_EQ(th_classes_get_stats(&classes).live, 1);
    CHECK(filled(block, bytes, 1));
    stop();
}

static void misuse(int level) {
    misuse_every_kind(level, 40);
    misuse_every_kind(level, 1000);
}

static void misuse_is_named(void) {
    at_levels(1, misuse);
}

static void overflow(int level) {
    start(level);
    unsigned char *block = take(40, 1);
    unsigned char due = poke(block + 40, 0x41);
    th_classes_free(&classes, block);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, 40, due, 0x41);
    CHECK_EQ(th_classes_usable_size(&classes, block), 0);
    faults.count = 0;
    CHECK_EQ(th_classes_reset(&classes), level > 0 ? TH_ERR_CORRUPT : TH_OK);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 0, 0, 40, due, 0x41);
    CHECK(filled(block, 40, 1));
    (void)poke(block + 40, due);
    th_slab_head *head = th_slab_find(classes.slab_ranges, block);
    head->check ^= 1;
    th_classes_free(&classes, block);
    CHECK_EQ(faults.first.kind, TH_FAULT_HEADER);
    CHECK_EQ(th_classes_requested_size(&classes, block), 0);
    CHECK(th_classes_realloc(&classes, block, 30) == NULL);
    CHECK_EQ(faults.last.kind, TH_FAULT_HEADER);
    head->check ^= 1;
    faults.count = 0;
    stop();
}

static void overflow_and_damaged_headers_are_noticed(void) {
    at_levels(1, overflow);
}

/* Level 3 looks at the other classes, and at large blocks, too. */
static void level_3_looks_at_everything(void) {
    if (th_guard_max() < 3) {
        return;
    }
    start(3);
    unsigned char *block = take(40, 1);
    unsigned char due = poke(block + 40, 0x41);
    unsigned char *other = take(100, 2);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(th_classes_trim(&classes), 0);
    CHECK_EQ(faults.count, 2);
    (void)poke(block + 40, due);
    faults.count = 0;
    th_classes_free(&classes, other);
    stop();
}

/* ---- as an allocator, and at random --------------------------------------------------------- */

static void resize_through_the_table(int level) {
    start(level);
    th_allocator allocator = th_classes_allocator(&classes);
    unsigned char *block = th_allocator_alloc_aligned(allocator, 100, 128);
    fill(block, 100, 1);
    bool moved;
    CHECK_PTR_EQ(th_allocator_realloc(allocator, block, 100, 128, 128, &moved), block);
    CHECK(!moved);
    unsigned char *larger = th_allocator_realloc(allocator, block, 100, 3000, 128, &moved);
    CHECK(larger != NULL && moved && (uintptr_t)larger % 128 == 0);
    CHECK(filled(larger, 100, 1));
    CHECK_EQ(th_allocator_usable_size(allocator, larger), 3000);
    CHECK(th_allocator_owns(allocator, larger + 2999));
    void *batch[20];
    CHECK(th_allocator_alloc_batch(allocator, 33, 16, batch, 20));
    th_allocator_free_batch(allocator, batch, 20);
    th_allocator_free(allocator, larger);
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    stop();
}

static void it_works_as_an_allocator(void) {
    at_levels(0, resize_through_the_table);
}

static void play_at_random(int level) {
    enum { SLOTS = 100 };
    unsigned char *owned[SLOTS] = {NULL};
    size_t sizes[SLOTS] = {0};
    uint64_t state = th_test_seed(3);
    size_t requested = 0;
    start(level);
    for (uint32_t step = 0; step < (level == 3 ? 600u : 4000u); step++) {
        uint64_t random = th_test_random(&state);
        size_t slot = (size_t)random % SLOTS;
        size_t bytes = (size_t)(random >> 16) % (random >> 60 == 0 ? 5000 : 520);
        CHECK(owned[slot] == NULL || filled(owned[slot], sizes[slot], (uint32_t)slot));
        if ((random >> 40) % 4 == 0) {
            th_classes_free(&classes, owned[slot]);
            owned[slot] = NULL;
            bytes = 0;
        } else {
            size_t kept = sizes[slot] < bytes ? sizes[slot] : bytes;
            owned[slot] = th_classes_realloc(&classes, owned[slot], bytes);
            CHECK((owned[slot] != NULL) == (bytes > 0));
            CHECK(bytes == 0 || filled(owned[slot], kept, (uint32_t)slot));
        }
        requested += bytes - sizes[slot];
        sizes[slot] = bytes;
        fill(owned[slot], bytes, (uint32_t)slot);
        CHECK_EQ(th_classes_get_stats(&classes).requested_bytes, requested);
        if (step % 100 == 0) {
            CHECK_EQ(th_classes_check(&classes, NULL), TH_OK);
        }
    }
    stop();
}

static void random_use_agrees_with_a_model(void) {
    at_levels(0, play_at_random);
}

/* On mapped pages, with blocks that begin where pages do, as large ones, and neighbours of all. */
static void play_on_pages(int level) {
    enum { SLOTS = 200 };
    unsigned char *owned[SLOTS] = {NULL};
    size_t sizes[SLOTS] = {0};
    uint64_t state = th_test_seed(4);
    size_t requested = 0;
    size_t live = 0;
    const th_classes_config config = {.guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_classes_init(&classes, &config), TH_OK);
    for (uint32_t step = 0; step < (level == 3 ? 400u : 6000u); step++) {
        uint64_t random = th_test_random(&state);
        size_t slot = (size_t)random % SLOTS;
        unsigned shift = (unsigned)(random >> 16) % 15;
        size_t bytes = 1 + (size_t)(random >> 24) % ((size_t)2 << shift);
        if (owned[slot] != NULL) {
            CHECK(filled(owned[slot], sizes[slot], (uint32_t)slot));
            CHECK_EQ(th_classes_requested_size(&classes, owned[slot]), sizes[slot]);
            th_classes_free(&classes, owned[slot]);
            owned[slot] = NULL;
            requested -= sizes[slot];
            live--;
        } else {
            owned[slot] = random >> 62 == 0 ? th_classes_alloc_aligned(&classes, bytes, 4096)
                                            : take(bytes, (uint32_t)slot);
            CHECK(owned[slot] != NULL);
            sizes[slot] = bytes;
            fill(owned[slot], bytes, (uint32_t)slot);
            requested += bytes;
            live++;
        }
        CHECK_EQ(th_classes_get_stats(&classes).requested_bytes, requested);
        CHECK_EQ(th_classes_get_stats(&classes).live, live);
    }
    stop();
}

static void blocks_that_begin_with_a_page_are_told_apart(void) {
    at_levels(0, play_on_pages);
}

TH_SUITE("classes", TEST(the_boundaries_are_where_they_are_said_to_be), TEST(the_waste_is_bounded),
         TEST(slabs_waste_little), TEST(every_size_works), TEST(zeroed_memory_is_zero),
         TEST(every_alignment_works), TEST(resize_keeps_the_contents),
         TEST(resize_stays_where_it_can), TEST(a_shrinking_block_stays_when_there_is_no_room),
         TEST(large_blocks_stay_down_to_half), TEST(alignment_is_kept_when_asked_for),
         TEST(the_first_large_size_is_large), TEST(pages_of_large_blocks_are_kept),
         TEST(reset_frees_everything), TEST(defaults_work), TEST(bad_configs_are_refused),
         TEST(misuse_is_named), TEST(overflow_and_damaged_headers_are_noticed),
         TEST(level_3_looks_at_everything), TEST(it_works_as_an_allocator),
         TEST(random_use_agrees_with_a_model), TEST(blocks_that_begin_with_a_page_are_told_apart))
