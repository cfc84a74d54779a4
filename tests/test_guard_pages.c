/* SPDX-License-Identifier: MIT */
/* Large blocks in guard pages. What must end the program is tried in a child. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "death.h"
#include "heap_fixture.h"
#include "system_fixture.h"
#include "tagheap/arena.h"
#include "tagheap/large.h"
#include "tagheap/pages.h"

static fault_log faults;
static th_large large;
static size_t page;

static void start(int level) {
    page = th_pages_size();
    const th_large_config config = {.guard_pages = true, .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
}

static void stop(void) {
    CHECK_EQ(th_large_check(&large, NULL), TH_OK);
    CHECK_EQ(faults.count, 0);
    th_large_clean_up(&large);
}

static unsigned char *take(size_t bytes, size_t alignment) {
    unsigned char *block = th_large_alloc_aligned(&large, bytes, alignment);
    CHECK(block != NULL);
    CHECK_EQ((uintptr_t)block % alignment, 0);
    fill(block, bytes, (uint32_t)bytes);
    return block;
}

static void expect_access(unsigned char *at, bool accessible) {
    CHECK_EQ(may_access(at, false), accessible);
    CHECK_EQ(may_access(at, true), accessible);
}

/* ---- where a program ends -------------------------------------------------------------------- */

static void touch_the_ends(int level) {
    start(level);
    const size_t sizes[] = {1, 7, 100, page - 1, page, page + 1, 3 * page};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *block = take(sizes[i], 1);
        CHECK_EQ((uintptr_t)(block + sizes[i]) % page, 0);
        expect_access(block, true);
        expect_access(block + sizes[i] - 1, true);
        expect_access(block + sizes[i], false);
        expect_access(block + sizes[i] + page - 1, false);
        CHECK(filled(block, sizes[i], (uint32_t)sizes[i]));
    }
    stop();
}

static void the_first_byte_after_a_block_faults(void) {
    at_levels(0, touch_the_ends);
}

static void the_page_in_front_faults(void) {
    start(0);
    const size_t sizes[] = {1, page, 2 * page, 2 * page + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *block = take(sizes[i], 1);
        unsigned char *first_page = block - (uintptr_t)block % page;
        expect_access(first_page - 1, false);
        expect_access(first_page - page, false);
    }
    stop();
}

static void a_freed_block_faults(void) {
    start(0);
    unsigned char *block = take(5000, 1);
    unsigned char *other = take(10, 1);
    th_large_free(&large, block);
    expect_access(block, false);
    expect_access(block + 4999, false);
    expect_access(other, true);
    CHECK_EQ(th_large_reset(&large), TH_OK);
    expect_access(other, false);
    stop();
}

static void align_blocks(int level) {
    start(level);
    for (size_t alignment = 1; alignment <= 16 * page; alignment *= 2) {
        for (size_t bytes = 33; bytes < 3 * page; bytes += page - 1) {
            unsigned char *block = take(bytes, alignment);
            size_t usable = th_large_usable_size(&large, block);
            CHECK(usable - bytes < (alignment < page ? alignment : page));
            CHECK_EQ((uintptr_t)(block + usable) % page, 0);
            CHECK(!may_access(block + usable, true));
            CHECK(!may_access(block - (uintptr_t)block % page - 1, true));
            CHECK(filled(block, bytes, (uint32_t)bytes));
            if (alignment > 16) {
                th_large_free(&large, block);
            }
        }
    }
    stop();
}

static void every_alignment_keeps_the_page_near(void) {
    align_blocks(0);
    align_blocks(th_guard_max());
}

/* The last chunk of an arena, written over. */
static void an_arena_in_guard_pages(void) {
    th_arena arena;
    start(0);
    const th_arena_config config = {.backing = th_large_allocator(&large), .chunk_bytes = 4096};
    CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
    unsigned char *block = th_arena_alloc(&arena, 1000);
    CHECK(block != NULL);
    fill(block, 1000, 1);
    unsigned char *end = block + (page - (uintptr_t)block % page);
    expect_access(end, false);
    expect_access(end + page - 1, false);
    CHECK(filled(block, 1000, 1));
    th_arena_clean_up(&arena);
    CHECK_EQ(th_large_get_stats(&large).live, 0);
    stop();
}

/* ---- the bytes between a block and its guard page ------------------------------------------- */

static void write_into_the_gap(int level) {
    start(level);
    unsigned char *block = take(100, 64);
    CHECK_EQ(th_large_usable_size(&large, block), 128);
    for (size_t i = 100; i < 128; i++) {
        unsigned char due = poke(block + i, 0x41);
        th_large_free(&large, block);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, TH_FAULT_NOWHERE, 0, (uint32_t)i, due, 0x41);
        (void)poke(block + i, due);
    }
    CHECK(filled(block, 100, 100));
    stop();
}

static void the_gap_is_watched(void) {
    at_levels(1, write_into_the_gap);
}

static void resize_blocks(int level) {
    start(level);
    unsigned char *block = take(100, 64);
    CHECK(!th_large_resize_in_place(&large, block, 99));
    CHECK(!th_large_resize_in_place(&large, block, 129));
    CHECK_EQ(th_large_requested_size(&large, block), 100);
    CHECK(th_large_resize_in_place(&large, block, 100));
    CHECK(th_large_resize_in_place(&large, block, 128));
    CHECK(filled(block, 100, 100));
    memset(block + 100, 0x11, 28);
    CHECK(!may_access(block + 128, false));
    CHECK_EQ(th_large_get_stats(&large).requested_bytes, 128);
    CHECK_EQ(th_large_get_stats(&large).bytes, 128);
    th_allocator allocator = th_large_allocator(&large);
    bool moved;
    unsigned char *shorter = th_allocator_realloc(allocator, block, 100, 50, 1, &moved);
    CHECK(shorter != NULL && moved && filled(shorter, 50, 100));
    CHECK(!may_access(shorter + 50, false));
    unsigned char *longer = th_allocator_realloc(allocator, shorter, 50, 2 * page, 1, &moved);
    CHECK(longer != NULL && moved && filled(longer, 50, 100));
    CHECK(!may_access(longer + 2 * page, false));
    CHECK_EQ(th_large_get_stats(&large).live, 1);
    stop();
}

static void the_page_after_stays_near(void) {
    at_levels(0, resize_blocks);
}

/* ---- what blocks cost, and when there are none ----------------------------------------------- */

static void all_pages_come_back(void) {
    start(0);
    unsigned char *first = take(1, 1); /* and the records' slab */
    long before = pages_in_use();
    for (size_t alignment = 1; alignment <= 64 * page; alignment *= 4) {
        for (size_t bytes = 1; bytes <= 4 * page; bytes += page / 2) {
            th_large_free(&large, take(bytes, alignment));
        }
    }
    CHECK(tools_take_pages() || pages_in_use() == before); /* the tools take some for themselves */
    th_large_free(&large, first);
    stop();
}

static void what_cannot_be_had_is_refused(void) {
    start(0);
    const size_t half = SIZE_MAX / 2 + 1;
    CHECK(th_large_alloc_aligned(&large, PTRDIFF_MAX, 1) == NULL);
    CHECK(th_large_alloc_aligned(&large, (size_t)PTRDIFF_MAX - page + 1, 1) == NULL);
    CHECK(th_large_alloc_aligned(&large, (size_t)PTRDIFF_MAX - page + 1, half) == NULL);
    CHECK(th_large_alloc_aligned(&large, 1, half) == NULL);
    CHECK_EQ(th_large_get_stats(&large).failed_allocs, 4);
    stop();
    const th_large_config both = {.guard_pages = true, .backing = th_system_allocator()};
    CHECK_EQ(th_large_init(&large, &both), TH_ERR_CONFIG);
}

/* The system may have addresses, and no memory for them. Instrumented builds have an mprotect of
 * their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void memory_that_is_refused_leaves_nothing(void) {}

#else

static bool refuses_memory;
static void *refused;

int mprotect(void *pages, size_t bytes, int protection) {
    if (refuses_memory) {
        refused = pages;
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_mprotect, pages, bytes, protection);
}

static void memory_that_is_refused_leaves_nothing(void) {
    start(0);
    unsigned char *good = take(100, 1);
    long before = pages_in_use();
    for (size_t alignment = 1; alignment <= 4 * page; alignment *= 4 * page) {
        refuses_memory = true;
        CHECK(th_large_alloc_aligned(&large, 5000, alignment) == NULL);
        refuses_memory = false;
        CHECK(refused != NULL);
        CHECK_EQ(th_pages_commit(refused, page), TH_ERR_EXHAUSTED); /* not mapped */
        CHECK(tools_take_pages() || pages_in_use() == before);
    }
    CHECK_EQ(th_large_get_stats(&large).live, 1);
    CHECK_EQ(th_large_get_stats(&large).failed_allocs, 2);
    CHECK(filled(good, 100, 100));
    stop();
}

#endif

TH_SUITE("guard_pages", TEST(the_first_byte_after_a_block_faults), TEST(the_page_in_front_faults),
         TEST(a_freed_block_faults), TEST(every_alignment_keeps_the_page_near),
         TEST(an_arena_in_guard_pages), TEST(the_gap_is_watched), TEST(the_page_after_stays_near),
         TEST(all_pages_come_back), TEST(what_cannot_be_had_is_refused),
         TEST(memory_that_is_refused_leaves_nothing))
