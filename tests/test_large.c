/* SPDX-License-Identifier: MIT */
/* Large blocks: on mapped pages and over a backing. test_large_guards.c has what is noticed. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/track.h"
#include "heap_fixture.h"
#include "large_fixture.h"
#include "system_fixture.h"
#include "tagheap/classes.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/pages.h"

/* On mapped pages, with kept ones. */
static void start_keeping(int level, size_t bytes) {
    page = th_pages_size();
    const th_large_config config = {.kept_bytes_max = bytes,
                                    .guarding = guarding_with(&large_faults, level)};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
}

static size_t kept(void) {
    return th_large_get_stats(&large).kept_bytes;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void come_and_go(int level) {
    static const size_t sizes[] = {1, 100, 4096, 5000, 70000};
    for (size_t mapped = 0; mapped < 2; mapped++) {
        unsigned char *taken[5];
        large_start(level, mapped != 0);
        for (uint32_t i = 0; i < 5; i++) {
            taken[i] = large_take(sizes[i], i == 0 ? 0 : (size_t)16 << (2 * i), i);
        }
        th_large_stats stats = th_large_get_stats(&large);
        CHECK_EQ(stats.live, 5);
        CHECK_EQ(stats.requested_bytes, 1 + 100 + 4096 + 5000 + 70000);
        CHECK(mapped != 0 ? stats.bytes % page == 0 : stats.bytes == stats.requested_bytes);
        for (uint32_t i = 0; i < 5; i++) {
            CHECK(filled(taken[i], sizes[i], i));
            CHECK_EQ(th_large_requested_size(&large, taken[i]), sizes[i]);
            CHECK(th_large_owns(&large, taken[i] + sizes[i] - 1));
            CHECK(mapped == 0 || sizes[i] % page == 0 ||
                  !th_large_owns(&large, taken[i] + sizes[i]));
        }
        th_large_free(&large, taken[2]);
        th_large_free(&large, taken[0]);
        th_large_free(&large, taken[4]);
        th_large_free(&large, NULL);
        CHECK_EQ(th_large_get_stats(&large).live, 2);
        CHECK(filled(taken[1], sizes[1], 1) && filled(taken[3], sizes[3], 3));
        CHECK_EQ(th_large_reset(&large), TH_OK);
        CHECK_EQ(th_large_get_stats(&large).live, 0);
        CHECK_EQ(th_large_get_stats(&large).bytes, 0);
        CHECK_EQ(th_large_get_stats(&large).bytes_max, stats.bytes);
        (void)large_take(10, 0, 0);
        large_stop();
    }
}

static void blocks_come_and_go(void) {
    at_levels(0, come_and_go);
}

static void mapped_blocks_are_zeroed(void) {
    large_start(0, true);
    for (int round = 0; round < 3; round++) {
        unsigned char *block = th_large_alloc(&large, 3 * page);
        for (size_t i = 0; i < 3 * page; i++) {
            CHECK_EQ(block[i], 0);
        }
        memset(block, 0xAA, 3 * page);
        th_large_free(&large, block);
    }
    large_stop();
}

static void resize_mapped(int level) {
    large_start(level, true);
    unsigned char *block = large_take(3 * page + 5, 0, 1);
    CHECK(th_large_resize_in_place(&large, block, 4 * page));
    CHECK(filled(block, 3 * page + 5, 1));
    memset(block + 3 * page, 0x11, page);
    CHECK(!th_large_resize_in_place(&large, block, 4 * page + 1));
    CHECK(!th_large_resize_in_place(&large, block, 0));
    CHECK(!th_large_resize_in_place(&large, block, SIZE_MAX));
    CHECK(th_large_resize_in_place(&large, block, page - 7));
    CHECK_EQ(th_large_get_stats(&large).bytes, page);
    CHECK_EQ(th_pages_commit(block + page, 3 * page), TH_ERR_EXHAUSTED); /* gone */
    CHECK(!th_large_resize_in_place(&large, block, page + 1));
    CHECK_EQ(th_large_requested_size(&large, block), page - 7);
    CHECK(filled(block, page - 7, 1));
    CHECK(!th_large_resize_in_place(&large, NULL, 5));
    large_stop();
}

static void pages_that_are_not_needed_go_back(void) {
    at_levels(0, resize_mapped);
}

/* Over the tagged heap, which can grow a block where it is. */
static void a_backing_that_can_resizes_in_place(void) {
    static uint32_t region[4096];
    static th_heap heap;
    th_tagged_allocator adapter;
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, NULL), TH_OK);
    const th_large_config config = {.backing = th_heap_allocator(&adapter, &heap, 0x1001)};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
    unsigned char *block = large_take(500, 0, 1);
    CHECK(th_large_resize_in_place(&large, block, 300));
    CHECK_EQ(th_large_get_stats(&large).bytes, 300);
    CHECK(th_large_resize_in_place(&large, block, 400));
    CHECK(filled(block, 300, 1));
    CHECK(!th_large_resize_in_place(&large, block, 100000));
    CHECK_EQ(th_large_requested_size(&large, block), 400);
    CHECK(th_large_resize_in_place(&large, block, 100)); /* the heap takes the rest back */
    CHECK(th_large_resize_in_place(&large, block, 90));
    CHECK(!th_large_resize_in_place(&large, block, 400));
    CHECK(filled(block, 90, 1));
    CHECK_EQ(th_large_check(&large, NULL), TH_OK);
    th_large_clean_up(&large);
    th_heap_clean_up(&heap);
}

/* Over a backing that cannot: shorter blocks keep what it does not take back. */
static void shrink_over_backing(int level) {
    large_start(level, false);
    unsigned char *block = large_take(1000, 0, 1);
    const size_t sizes[] = {1000, 999, 500, 1, 1000};
    for (size_t i = 0; i < 5; i++) {
        CHECK(th_large_resize_in_place(&large, block, sizes[i]));
        CHECK_EQ(th_large_requested_size(&large, block), sizes[i]);
        CHECK_EQ(th_large_usable_size(&large, block), 1000);
        CHECK_EQ(th_large_get_stats(&large).bytes, 1000);
        CHECK_EQ(th_large_check(&large, NULL), TH_OK);
        CHECK(filled(block, 1, 1));
    }
    CHECK(!th_large_resize_in_place(&large, block, 1001));
    CHECK(th_large_resize_in_place(&large, block, 700));
    CHECK(!th_large_resize_in_place(&large, block, 1001));
    CHECK(!tools_look() || is_closed(block + 700));
    if (level > 0) {
        unsigned char due = poke(block + 700, 0x41);
        th_large_free(&large, block);
        EXPECT_LOGGED(&large_faults, level, TH_FAULT_CANARY, TH_FAULT_NOWHERE, 0, 700, due, 0x41);
        (void)poke(block + 700, due);
    }
    CHECK(th_allocator_resize_in_place(th_large_allocator(&large), block, 500));
    CHECK(!th_allocator_resize_in_place(th_large_allocator(&large), block, 499));
    large_stop();
}

static void a_backing_that_cannot_lets_blocks_shrink(void) {
    at_levels(0, shrink_over_backing);
}

/* One that shrinks now and then, and uses at once what it got back. */
static bool shrink_to_500(void *self, void *pointer, size_t bytes) {
    (void)self;
    if (bytes == 500) {
        memset((unsigned char *)pointer + bytes, 0xEE, 1000 - bytes);
    }
    return bytes == 500;
}

static void shrink_twice(int level) {
    backing own = {.left = 0};
    th_allocator from = backing_start(&own);
    th_allocator_table table = *from.table;
    table.resize_in_place = shrink_to_500;
    const th_large_config config = {.backing = {.table = &table, .self = from.self},
                                    .guarding = guarding_with(&large_faults, level)};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
    unsigned char *block = large_take(1000, 0, 1);
    CHECK(th_large_resize_in_place(&large, block, 700));
    CHECK_EQ(th_large_usable_size(&large, block), 1000);
    CHECK(th_large_resize_in_place(&large, block, 500));
    CHECK_EQ(th_large_usable_size(&large, block), 500);
    CHECK(filled(block, 500, 1));
    CHECK_EQ(th_large_check(&large, NULL), TH_OK);
    th_large_clean_up(&large);
    backing_stop(&own);
}

static void what_a_backing_takes_back_is_its_own(void) {
    at_levels(0, shrink_twice);
}

static void failures_change_nothing(void) {
    large_start(0, false);
    large_backing.left = 1; /* the block, but not the record's slab */
    CHECK(th_large_alloc(&large, 1000) == NULL);
    CHECK_EQ(large_backing.live, 0);
    large_backing.left = 2;
    unsigned char *block = large_take(1000, 0, 1);
    size_t count = 1;
    large_backing.left = SIZE_MAX;
    while (large.records.live < large.records.capacity) {
        (void)large_take(10, 0, 0);
        count++;
    }
    large_backing.left = 0;
    CHECK(th_large_alloc(&large, 1000) == NULL);
    CHECK_EQ(th_large_get_stats(&large).live, count);
    CHECK_EQ(th_large_get_stats(&large).failed_allocs, 2);
    CHECK(filled(block, 1000, 1));
    CHECK(th_large_alloc(&large, 0) == NULL);
    CHECK(th_large_alloc(&large, SIZE_MAX) == NULL);
    CHECK(th_large_alloc_aligned(&large, 10, 3) == NULL);
    CHECK_EQ(th_large_get_stats(&large).failed_allocs, 2);
    large_stop();
    large_start(0, true);
    CHECK(th_large_alloc(&large, PTRDIFF_MAX) == NULL);
    large_stop();
}

/* The system may refuse to give back a part of a mapping, because it has to split it and has no
 * room for one more. Instrumented builds have a munmap of their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void pages_that_do_not_go_are_kept(void) {}
static void kept_pages_go_back_when_memory_is_short(void) {}

#else

static bool refuses_to_unmap;

int munmap(void *pages, size_t bytes) {
    if (refuses_to_unmap) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_munmap, pages, bytes);
}

static size_t maps_to_refuse;

void *mmap(void *pages, size_t bytes, int protection, int flags, int file, off_t offset) {
    if (maps_to_refuse > 0) {
        maps_to_refuse--;
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return system_mmap(pages, bytes, protection, flags, file, offset);
}

/* The same for a library that was compiled for files of any size. */
void *mmap64(void *pages, size_t bytes, int protection, int flags, int file, int64_t offset);

void *mmap64(void *pages, size_t bytes, int protection, int flags, int file, int64_t offset) {
    return mmap(pages, bytes, protection, flags, file, (off_t)offset);
}

static void large_blocks_short_of_memory(void) {
    start_keeping(0, 100 * page);
    unsigned char *other = large_take(page, 0, 1);
    for (size_t refusals = 1; refusals <= 2; refusals++) {
        th_large_free(&large, large_take(20 * page, 0, 2));
        th_large_free(&large, large_take(40 * page, 0, 3));
        CHECK_EQ(kept(), 60 * page);
        maps_to_refuse = refusals;
        unsigned char *block = th_large_alloc(&large, 21 * page);
        CHECK_EQ(maps_to_refuse, 0);
        CHECK_EQ(block == NULL, refusals == 2);
        CHECK_EQ(kept(), 0);
        CHECK_EQ(th_large_get_stats(&large).failed_allocs, refusals - 1);
        CHECK(block == NULL || block[21 * page - 1] == 0);
        th_large_free(&large, block);
        CHECK_EQ(th_large_trim(&large), refusals == 1 ? 21 * page : 0);
    }
    maps_to_refuse = 1;
    CHECK(th_large_alloc(&large, 21 * page) == NULL); /* and nothing is kept */
    CHECK_EQ(maps_to_refuse, 0);
    CHECK(filled(other, page, 1));
    large_stop();
}

static void size_classes_short_of_memory(void) {
    static th_classes classes;
    CHECK_EQ(th_classes_init(&classes, NULL), TH_OK);
    for (size_t refusals = 1; refusals <= 2; refusals++) {
        unsigned char *large_block = th_classes_alloc(&classes, 100 * 1000);
        CHECK(large_block != NULL);
        th_classes_free(&classes, large_block);
        CHECK(classes.large.kept_bytes >= 100 * 1000);
        maps_to_refuse = refusals;
        unsigned char *block = th_classes_alloc(&classes, refusals * 100);
        CHECK_EQ(maps_to_refuse, 0);
        CHECK_EQ(block == NULL, refusals == 2);
        CHECK_EQ(classes.large.kept_bytes, 0);
        CHECK_EQ(th_classes_get_stats(&classes).requested_bytes, 100);
    }
    maps_to_refuse = 1;
    CHECK(th_classes_alloc(&classes, 200) == NULL);
    CHECK_EQ(maps_to_refuse, 0);
    th_classes_clean_up(&classes);
}

static void kept_pages_go_back_when_memory_is_short(void) {
    if (!TH_TRACK_ANY) { /* for tools none are kept */
        large_blocks_short_of_memory();
        size_classes_short_of_memory();
    }
}

static void shrink_refused(int level) {
    large_start(level, true);
    unsigned char *block = large_take(4 * page, 0, 1);
    refuses_to_unmap = true;
    CHECK(th_large_resize_in_place(&large, block, page + 1));
    refuses_to_unmap = false;
    CHECK_EQ(th_pages_kept(), 2 * page); /* the block's no more */
    CHECK_EQ(th_large_requested_size(&large, block), page + 1);
    CHECK_EQ(th_large_usable_size(&large, block), 2 * page);
    CHECK_EQ(th_large_get_stats(&large).bytes, 2 * page);
    CHECK_EQ(th_large_check(&large, NULL), TH_OK);
    CHECK(filled(block, page + 1, 1));
    CHECK(!th_large_resize_in_place(&large, block, 2 * page + 1));
    unsigned char *other = large_take(2 * page, 0, 2);
    CHECK(other == block + 2 * page);
    CHECK_EQ(th_pages_kept(), 0);
    CHECK(filled(block, page + 1, 1));
    large_stop();
}

static void pages_that_do_not_go_are_kept(void) {
    at_levels(0, shrink_refused);
}

#endif

/* ---- kept pages ----------------------------------------------------------------------------- */

#if TH_TRACK_ANY

/* Tools see an access to a freed block because it is not there. */
static void kept_pages_are_given_out_again(void) {
    start_keeping(0, 1 << 20);
    th_large_free(&large, large_take(100, 0, 1));
    CHECK_EQ(kept(), 0);
    large_stop();
}
static void so_many_pages_are_kept(void) {}

#else

static bool is_zero(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static void kept_pages_are_given_out_again(void) {
    start_keeping(0, 100 * page);
    unsigned char *block = large_take(8 * page, 0, 1);
    th_large_free(&large, block);
    CHECK_EQ(kept(), 8 * page);
    CHECK_EQ(th_large_get_stats(&large).bytes, 0);
    CHECK(!th_large_owns(&large, block));
    unsigned char *small = large_take(6 * page, 0, 2); /* a third of it would be too much */
    CHECK_EQ(kept(), 8 * page);
    unsigned char *longer = large_take(8 * page + 1, 0, 3);
    CHECK_EQ(kept(), 8 * page);
    size_t natural = (uintptr_t)block & (0 - (uintptr_t)block);
    unsigned char *aligned = large_take(8 * page, 2 * natural, 4);
    CHECK(aligned != block);
    CHECK_EQ(kept(), 8 * page);
    CHECK_PTR_EQ(th_large_alloc_aligned(&large, 6 * page + 1, natural), block);
    CHECK(is_zero(block, 6 * page + 1));
    CHECK_EQ(kept(), 0);
    CHECK_EQ(th_large_usable_size(&large, block), 8 * page);
    CHECK_EQ(th_large_requested_size(&large, block), 6 * page + 1);
    CHECK_EQ(th_large_check(&large, NULL), TH_OK);
    fill(block, 6 * page + 1, 5);
    unsigned char *other = large_take(8 * page, 0, 6);
    th_large_free(&large, other);
    th_large_free(&large, block);
    CHECK_PTR_EQ(th_large_alloc_unzeroed(&large, 8 * page, 16), block); /* freed last */
    CHECK(filled(block, 6 * page + 1, 5));
    CHECK_PTR_EQ(th_large_alloc(&large, 8 * page), other);
    CHECK(is_zero(other, 8 * page));
    CHECK(filled(small, 6 * page, 2) && filled(longer, 8 * page + 1, 3));
    CHECK(filled(aligned, 8 * page, 4));
    CHECK_EQ(th_large_trim(&large), 0);
    unsigned char *quarter = large_take(5 * page, 0, 7);
    th_large_free(&large, quarter);
    CHECK_PTR_EQ(th_large_alloc(&large, 4 * page), quarter);
    CHECK_EQ(th_large_reset(&large), TH_OK);
    CHECK(kept() > 0);
    size_t all = kept();
    CHECK_EQ(th_large_trim(&large), all);
    CHECK_EQ(th_large_trim(&large), 0);
    CHECK_EQ(th_pages_commit(block, page), TH_ERR_EXHAUSTED); /* nothing is there */
    block = large_take(page, 0, 1);
    th_large_free(&large, block);
    CHECK_EQ(kept(), page);
    large_stop();
    CHECK_EQ(th_pages_commit(block, page), TH_ERR_EXHAUSTED);
}

static void so_many_pages_are_kept(void) {
    unsigned char *taken[TH_LARGE_KEPT_MAX + 4];
    const size_t count = sizeof taken / sizeof taken[0];
    start_keeping(0, 100 * page);
    th_large_free(&large, large_take(101 * page, 0, 1));
    CHECK_EQ(kept(), 0);
    th_large_free(&large, large_take(100 * page, 0, 1));
    CHECK_EQ(kept(), 100 * page);
    for (size_t bytes = page; bytes <= 12 * page; bytes += 11 * page) {
        for (uint32_t i = 0; i < count; i++) {
            taken[i] = large_take(bytes, 0, i);
        }
        for (uint32_t i = 0; i < count; i++) {
            th_large_free(&large, taken[i]);
            CHECK(kept() <= 100 * page && kept() >= bytes);
            CHECK_EQ(th_large_check(&large, NULL), TH_OK);
        }
        CHECK_EQ(kept(), bytes == page ? TH_LARGE_KEPT_MAX * page : 96 * page);
        for (size_t i = count; i-- > count - kept() / bytes;) {
            CHECK_EQ(th_pages_commit(taken[i], bytes), TH_OK); /* the oldest went */
        }
        CHECK_EQ(th_pages_commit(taken[count - kept() / bytes - 1], page), TH_ERR_EXHAUSTED);
    }
    large.kept_bytes++;
    expect_damage(th_large_allocator(&large), TH_FAULT_COUNT);
    large.kept_bytes--;
    size_t was = large.kept_count;
    large.kept_count = TH_LARGE_KEPT_MAX + 1;
    expect_damage(th_large_allocator(&large), TH_FAULT_COUNT);
    large.kept_count = was;
    large_stop();
}

#endif

static void keep_nothing(int level) {
    start_keeping(level, 100 * th_pages_size());
    th_large_free(&large, large_take(page, 0, 1));
    CHECK_EQ(kept(), 0);
    large_stop();
}

static void guarded_blocks_are_not_kept(void) {
    if (th_guard_max() > 0) {
        at_levels(1, keep_nothing);
    }
    const th_large_config config = {.kept_bytes_max = 1 << 20, .guard_pages = true};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
    th_large_free(&large, large_take(5, 0, 1));
    CHECK_EQ(kept(), 0);
    large_stop();
}

/* ---- blocks are found ----------------------------------------------------------------------- */

/* Where one block ends, another may begin. */
static bool begins_there(unsigned char *const *taken, size_t count, const unsigned char *place) {
    bool begins = false;
    for (size_t i = 0; i < count; i++) {
        begins = begins || taken[i] == place;
    }
    return begins;
}

/* More blocks than there are sets of them: each is found from every place in it. */
static void find_all(int level) {
    enum { MANY = 6 * TH_LARGE_SETS };
    static unsigned char *taken[MANY];
    for (size_t mapped = 0; mapped < 2; mapped++) {
        large_start(level, mapped != 0);
        for (uint32_t i = 0; i < MANY; i++) {
            taken[i] = large_take(100 + i, 0, i);
        }
        for (uint32_t i = 0; i < MANY; i++) {
            CHECK_EQ(th_large_requested_size(&large, taken[i]), 100 + i);
            CHECK(th_large_owns(&large, taken[i]) && th_large_owns(&large, taken[i] + 99 + i));
            CHECK(th_large_owns(&large, taken[i] + 100 + i) ==
                  begins_there(taken, MANY, taken[i] + 100 + i));
            if (level < 3 || i % 16 == 0) {
                th_large_free(&large, taken[i] + 64);
                CHECK_EQ(large_faults.count, level > 0);
                CHECK(level == 0 || large_faults.first.kind == TH_FAULT_NOT_A_BLOCK);
                CHECK(level == 0 || large_faults.first.offset == 64);
                large_faults.count = 0;
            }
        }
        CHECK_EQ(th_large_get_stats(&large).live, MANY);
        for (uint32_t i = 0; i < MANY; i += level == 3 ? 2 : 1) {
            uint32_t at = i * 7 % MANY;
            CHECK(filled(taken[at], 100 + at, at));
            th_large_free(&large, taken[at]);
            CHECK(!th_large_owns(&large, taken[at] + 50));
        }
        CHECK_EQ(th_large_reset(&large), TH_OK);
        large_stop();
    }
}

static void a_block_is_found_from_every_place(void) {
    at_levels(0, find_all);
}

static void bad_configs_are_refused(void) {
    th_large_config config = {.guarding = {.level = 4}};
    CHECK_EQ(th_large_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_large_init(&large, &config), TH_ERR_CONFIG);
    config = (th_large_config){.record_slab_bytes = 1000};
    CHECK_EQ(th_large_init(&large, &config), TH_ERR_CONFIG);
    config = (th_large_config){.record_slab_bytes = 64, .backing = th_system_allocator()};
    CHECK_EQ(th_large_init(&large, &config), TH_ERR_TOO_SMALL);
    config = (th_large_config){.kept_bytes_max = 1, .backing = th_system_allocator()};
    CHECK_EQ(th_large_init(&large, &config), TH_ERR_CONFIG);
    CHECK_EQ(th_large_init(&large, NULL), TH_OK);
    th_large_clean_up(&large);
    th_large_clean_up(NULL);
}

/* ---- as an allocator ------------------------------------------------------------------------ */

static void use_as_allocator(int level) {
    large_start(level, true);
    th_allocator allocator = th_large_allocator(&large);
    unsigned char *block = th_allocator_alloc_aligned(allocator, 100, 8192);
    CHECK(block != NULL && (uintptr_t)block % 8192 == 0);
    fill(block, 100, 1);
    CHECK_EQ(th_allocator_usable_size(allocator, block), page);
    bool moved;
    CHECK_PTR_EQ(th_allocator_realloc(allocator, block, 100, page, 8192, &moved), block);
    CHECK(!moved);
    unsigned char *larger = th_allocator_realloc(allocator, block, 100, 5 * page, 8192, &moved);
    CHECK(larger != NULL && moved && (uintptr_t)larger % 8192 == 0);
    CHECK(filled(larger, 100, 1));
    CHECK(th_allocator_realloc(allocator, larger, 100, PTRDIFF_MAX, 16, &moved) == NULL);
    CHECK(th_allocator_owns(allocator, larger + 99));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    th_allocator_free(allocator, larger);
    CHECK(th_allocator_alloc(allocator, 1) != NULL);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK_EQ(th_large_get_stats(&large).live, 0);
    large_stop();
    /* a backing that cannot resize: even a smaller block is another one */
    large_start(level, false);
    block = large_take(300, 0, 1);
    larger = th_allocator_realloc(th_large_allocator(&large), block, 300, 100, 16, &moved);
    CHECK(larger != NULL && moved && filled(larger, 100, 1));
    large_stop();
}

static void it_works_as_an_allocator(void) {
    at_levels(0, use_as_allocator);
}

TH_SUITE("large", TEST(blocks_come_and_go), TEST(a_block_is_found_from_every_place),
         TEST(kept_pages_are_given_out_again), TEST(so_many_pages_are_kept),
         TEST(guarded_blocks_are_not_kept), TEST(kept_pages_go_back_when_memory_is_short),
         TEST(mapped_blocks_are_zeroed), TEST(pages_that_are_not_needed_go_back),
         TEST(a_backing_that_can_resizes_in_place), TEST(a_backing_that_cannot_lets_blocks_shrink),
         TEST(what_a_backing_takes_back_is_its_own), TEST(failures_change_nothing),
         TEST(pages_that_do_not_go_are_kept), TEST(bad_configs_are_refused),
         TEST(it_works_as_an_allocator))
