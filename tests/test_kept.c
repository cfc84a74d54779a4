/* SPDX-License-Identifier: MIT */
/* Pages that the system refuses to take back. The refusal is made for real, in a child whose table
 * of mappings is full, and for each call of the system in turn by system calls of our own. */
#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "base/assert.h"
#include "base/track.h"
#include "death.h"
#include "suite.h"
#include "system_fixture.h"
#include "tagheap/classes.h"
#include "tagheap/large.h"
#include "tagheap/pages.h"
#include "tagheap/slab.h"

static size_t page;

/* ---- a table of mappings that is full ------------------------------------------------------- */

enum {
    BLOCKS = 1200,        /* that are allocated there, of a page each */
    ROOM = 100,           /* mappings that may still be made, roughly: not one for every other */
    MAPPINGS_MAX = 200000 /* a system that has room for more is not tried */
};

static unsigned char *blocks[BLOCKS];

/* Uses up all room but some: every other page of a reservation gets an access of its own. Its
 * pages; NULL if the system refuses nothing. */
static unsigned char *fill_the_table(void) {
    unsigned char *pages = th_pages_reserve(MAPPINGS_MAX * page, 0);
    size_t i = 1;
    while (i < MAPPINGS_MAX && th_pages_protect(pages + i * page, page, TH_PAGES_READ) == TH_OK) {
        i += 2;
    }
    if (i >= MAPPINGS_MAX) {
        return NULL;
    }
    for (size_t undone = 0; undone < ROOM / 2; undone++) {
        i -= 2;
        (void)th_pages_protect(pages + i * page, page, TH_PAGES_NONE);
    }
    return pages;
}

static th_large large;
static th_slab slab;
static th_classes classes;

static th_allocator start(int which) {
    if (which == 0) {
        (void)th_large_init(&large, NULL);
        return th_large_allocator(&large);
    }
    if (which == 1) {
        const th_slab_config config = {.object_bytes = page - 512,
                                       .alignment = 16,
                                       .slab_bytes = page,
                                       .empty_slabs_max = TH_SLAB_KEEP_NONE};
        (void)th_slab_init(&slab, &config);
        return th_slab_allocator(&slab);
    }
    (void)th_classes_init(&classes, NULL);
    return th_classes_allocator(&classes);
}

static void clean_up(int which) {
    if (which == 0) {
        th_large_clean_up(&large);
    } else if (which == 1) {
        th_slab_clean_up(&slab);
    } else {
        th_classes_clean_up(&classes);
    }
}

static bool take_blocks(th_allocator allocator, size_t bytes) {
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = th_allocator_alloc(allocator, bytes);
        if (blocks[i] == NULL) {
            return false;
        }
        memset(blocks[i], 0xAA, bytes);
    }
    return true;
}

/* True: all that was given back is counted or gone, and all is gone in the end. */
static bool play_a_round(int which) {
    static const size_t parts_of_3[] = {3, 2, 7}; /* pages of a block: large ones of the classes */
    size_t bytes = page * parts_of_3[which] / 3;
    long before = pages_in_use();
    th_allocator allocator = start(which);
    bool good = take_blocks(allocator, bytes);
    size_t kept_before = th_pages_kept();
    for (size_t i = 0; i < BLOCKS; i += 2) {
        th_allocator_free(allocator, blocks[i]);
    }
    good = good && th_pages_kept() > kept_before;
    for (size_t i = 1; i < BLOCKS; i += 2) {
        good = good && blocks[i][0] == 0xAA && blocks[i][bytes - 1] == 0xAA;
        th_allocator_free(allocator, blocks[i]);
    }
    good = good && th_allocator_check(allocator, NULL) == TH_OK;
    clean_up(which);
    return good && th_pages_kept() == 0 && (tools_take_pages() || pages_in_use() == before);
}

static bool play_with_a_full_table(void *rounds) {
    unsigned char *pages = fill_the_table();
    if (pages == NULL) {
        printf("# this system has room for %d mappings: none of its refusals is seen\n",
               MAPPINGS_MAX);
        return true;
    }
    for (int round = 0; round < *(int *)rounds; round++) {
        for (int which = 0; which < 3; which++) {
            if (!play_a_round(which)) {
                printf("# round %d, allocator %d\n", round, which);
                return false;
            }
        }
    }
    return th_pages_release(pages, MAPPINGS_MAX * page) == TH_OK;
}

/* Valgrind has a table of its own, which is smaller, and ends the program when that is full. */
static void nothing_stays_when_the_table_is_full(void) {
    int rounds = 3;
    page = th_pages_size();
    if (TH_TRACK_VALGRIND) {
        printf("# not under Valgrind, which ends a program with so many mappings\n");
        return;
    }
    CHECK(holds_in_child(play_with_a_full_table, &rounds));
}

/* ---- refusals of our own -------------------------------------------------------------------- */

/* Instrumented builds have these system calls of their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

#define REFUSALS

#else

static bool refuses_munmap, refuses_mprotect, refuses_madvise, refuses_mmap;
static atomic_size_t munmaps; /* asked for */

enum { AREA_PAGES = 2048 };
static unsigned char *area;        /* NULL: none is watched */
static bool is_mapped[AREA_PAGES]; /* by page of the area, as the system has it */

static int refuse(void) {
    errno = ENOMEM;
    return -1;
}

int munmap(void *pages, size_t bytes) {
    munmaps++;
    if (refuses_munmap) {
        return refuse();
    }
    size_t at = (size_t)((uintptr_t)pages - (uintptr_t)area) / (page > 0 ? page : 1);
    int result = (int)syscall(SYS_munmap, pages, bytes);
    for (size_t i = at; area != NULL && result == 0 && i < AREA_PAGES; i++) {
        is_mapped[i] = is_mapped[i] && i - at >= th_pages_round(bytes) / page;
    }
    return result;
}

int mprotect(void *pages, size_t bytes, int protection) {
    return refuses_mprotect ? refuse() : (int)syscall(SYS_mprotect, pages, bytes, protection);
}

int madvise(void *pages, size_t bytes, int advice) {
    return refuses_madvise ? refuse() : (int)syscall(SYS_madvise, pages, bytes, advice);
}

void *mmap(void *pages, size_t bytes, int protection, int flags, int file, off_t offset) {
    if (refuses_mmap) {
        (void)refuse();
        return MAP_FAILED;
    }
    return system_mmap(pages, bytes, protection, flags, file, offset);
}

#ifdef __GLIBC__ /* where a file that asks for large offsets calls this one */
void *mmap64(void *pages, size_t bytes, int protection, int flags, int file, off64_t offset) {
    return mmap(pages, bytes, protection, flags, file, (off_t)offset);
}
#endif

/* Pages of ours that were in use for something. */
static unsigned char *take(size_t pages) {
    page = th_pages_size();
    CHECK_EQ(th_pages_kept(), 0);
    unsigned char *taken = th_pages_map(pages * page, 0);
    CHECK(taken != NULL);
    memset(taken, 0xAA, pages * page);
    return taken;
}

static void release(unsigned char *pages, size_t count) {
    CHECK_EQ(th_pages_release(pages, count * page), TH_OK);
}

static void release_refused(unsigned char *pages, size_t count) {
    refuses_munmap = true;
    th_status status = th_pages_release(pages, count * page);
    refuses_munmap = false;
    CHECK_EQ(status, TH_OK);
}

static void expect_kept(size_t pages) {
    CHECK_EQ(th_pages_kept(), pages * page);
}

/* The system is asked for each range once. */
static void expect_ranges(size_t count) {
    refuses_munmap = true;
    munmaps = 0;
    size_t left = th_pages_return_kept();
    refuses_munmap = false;
    CHECK_EQ(left, th_pages_kept());
    CHECK_EQ(munmaps, count);
}

static void expect_none_kept(long pages_before) {
    CHECK_EQ(th_pages_return_kept(), 0);
    expect_kept(0);
    CHECK(tools_take_pages() || pages_in_use() == pages_before);
}

static void what_is_refused_is_kept_without_its_memory(void) {
    long before = pages_in_use();
    unsigned char *pages = take(9);
    release_refused(pages + page, 1);
    expect_kept(1);
    CHECK_EQ(pages[page], 0); /* given back */
    CHECK_EQ(pages[page - 1], 0xAA);
    CHECK_EQ(pages[2 * page], 0xAA);
    release_refused(pages + 3 * page, 2);
    expect_kept(3);
    expect_ranges(2);
    release_refused(pages + 2 * page, 1); /* between the two */
    expect_kept(4);
    expect_ranges(1);
    release_refused(pages + 5 * page, 1); /* above */
    expect_ranges(1);
    release_refused(pages, 1); /* below */
    expect_ranges(1);
    release_refused(pages + 8 * page, 1);
    expect_ranges(2);
    refuses_munmap = true;
    CHECK_EQ(th_pages_release(pages + 6 * page, page + 1), TH_OK); /* two pages */
    refuses_munmap = false;
    expect_ranges(1);
    expect_kept(9);
    CHECK_EQ(th_pages_protect(pages, 9 * page, TH_PAGES_READ), TH_OK); /* all still mapped */
    expect_none_kept(before);
    CHECK_EQ(th_pages_commit(pages, page), TH_ERR_EXHAUSTED);
}

static void a_release_takes_kept_neighbours_along(void) {
    long before = pages_in_use();
    unsigned char *pages = take(12);
    release_refused(pages + 8 * page, 1);
    release_refused(pages, 1);
    release_refused(pages + 2 * page, 3);
    release_refused(pages + 10 * page, 1);
    expect_kept(6);
    munmaps = 0;
    release(pages + page, 1); /* with both its neighbours, and the one that was noted last */
    CHECK_EQ(munmaps, 4);
    expect_kept(1);
    CHECK_EQ(pages[8 * page], 0);
    CHECK_EQ(th_pages_commit(pages + 10 * page, page), TH_ERR_EXHAUSTED);
    release(pages + 5 * page, 3);
    expect_kept(0);
    munmaps = 0;
    release(pages + 9 * page, 1);
    release(pages + 11 * page, 1);
    CHECK_EQ(munmaps, 2);
    expect_none_kept(before);
}

static void kept_pages_are_used_again(void) {
    long before = pages_in_use();
    unsigned char *pages = take(8);
    size_t odd = (uintptr_t)pages / page % 2 == 0 ? 1 : 2;
    release_refused(pages + odd * page, 3); /* at no multiple of two pages */
    refuses_mmap = true;
    unsigned char *elsewhere = th_pages_map(page, 2 * page);
    unsigned char *larger = th_pages_map(4 * page, 0);
    refuses_mmap = false;
    CHECK(elsewhere == NULL && larger == NULL);
    expect_kept(3);
    refuses_mprotect = true;
    unsigned char *other = th_pages_map(page, 0);
    refuses_mprotect = false;
    expect_kept(3);
    CHECK(other != pages + odd * page);
    CHECK_EQ(th_pages_protect(pages + odd * page, page, TH_PAGES_NONE), TH_OK);
    CHECK(th_pages_map(page, 0) == pages + odd * page);
    expect_kept(2);
    memset(pages + odd * page, 0xBB, page);
    CHECK(th_pages_map(page + 1, 2 * page) == pages + (odd + 1) * page);
    expect_kept(0);
    CHECK_EQ(pages[(odd + 1) * page], 0);
    CHECK(th_pages_reserve(page, 0) != pages + (odd + 2) * page);
    release(pages, 8);
    release(other, 1);
    CHECK(tools_take_pages() || pages_in_use() == before + 1); /* the reservation */
}

/* Pages that are locked cannot be given back without being unmapped. */
static void what_is_used_again_is_zeroed(void) {
    unsigned char *pages = take(3);
    refuses_madvise = true;
    release_refused(pages + page, 1);
    refuses_madvise = false;
    CHECK_EQ(pages[page], 0xAA);
    CHECK(th_pages_map(page, 0) == pages + page);
    for (size_t i = 0; i < page; i++) {
        CHECK_EQ(pages[page + i], 0);
    }
    CHECK_EQ(pages[page - 1], 0xAA);
    CHECK_EQ(pages[2 * page], 0xAA);
    release(pages, 3);
}

/* The one range of two pages is the oldest of so many. */
static unsigned char *keep_one_of_two(size_t ranges) {
    unsigned char *pages = take(2 * ranges + 1);
    release_refused(pages, 2);
    for (size_t i = 1; i < ranges; i++) {
        release_refused(pages + (2 * i + 1) * page, 1);
    }
    expect_ranges(ranges);
    return pages;
}

/* A map looks at the last 16, and at all of them only if the system has nothing else. */
static void the_last_ranges_are_looked_at_first(void) {
    enum { LOOKS = 16 };
    unsigned char *pages = keep_one_of_two(LOOKS);
    CHECK(th_pages_map(2 * page, 0) == pages);
    release(pages, 2 * LOOKS + 1);
    CHECK_EQ(th_pages_return_kept(), 0);
    pages = keep_one_of_two(LOOKS + 1);
    unsigned char *mapped = th_pages_map(2 * page, 0);
    CHECK(mapped != NULL && mapped != pages);
    refuses_mmap = true;
    unsigned char *reused = th_pages_map(2 * page, 0);
    unsigned char *none = th_pages_map(2 * page, 0);
    refuses_mmap = false;
    CHECK(reused == pages && none == NULL);
    expect_kept(LOOKS);
    release(mapped, 2);
    release(pages, 2 * LOOKS + 3);
    CHECK_EQ(th_pages_return_kept(), 0);
}

/* More ranges than one table has nodes, or two. */
static void ranges_without_number_are_noted(void) {
    enum { RANGES = 1000 };
    long before = pages_in_use();
    unsigned char *pages = take(2 * RANGES);
    for (size_t i = 0; i < RANGES; i++) {
        release_refused(pages + 2 * i * page, 1);
        expect_kept(i + 1);
        CHECK_EQ(pages[(2 * i + 1) * page], 0xAA);
    }
    for (size_t i = 0; i < RANGES; i++) {
        release_refused(pages + (2 * i + 1) * page, 1);
        expect_kept(RANGES + i + 1);
    }
    expect_ranges(1); /* and no table is left */
    expect_none_kept(before);
}

/* The pages of a reservation cannot hold a table. */
static void what_cannot_be_noted_stays_the_callers(void) {
    enum { NODES = 64 };
    long before = pages_in_use();
    page = th_pages_size();
    unsigned char *pages = th_pages_reserve((2 * NODES + 3) * page, 0);
    CHECK(pages != NULL);
    refuses_mprotect = true;
    for (size_t i = 0; i < NODES; i++) {
        release_refused(pages + 2 * i * page, 1);
    }
    refuses_munmap = true;
    CHECK_EQ(th_pages_release(pages + 2 * NODES * page, page), TH_ERR_EXHAUSTED);
    refuses_munmap = false;
    expect_kept(NODES);
    release_refused(pages + page, 1); /* what has neighbours can be noted */
    expect_kept(NODES + 1);
    refuses_mprotect = false;
    release(pages + 2 * NODES * page, 1);
    CHECK_EQ(th_pages_release(pages, (2 * NODES + 3) * page), TH_OK);
    expect_none_kept(before);
}

static void errors_keep_nothing(void) {
    unsigned char *pages = take(2);
    refuses_munmap = true;
    CHECK_EQ(th_pages_release(NULL, page), TH_ERR_NULL);
    refuses_munmap = false;
    CHECK_EQ(th_pages_release(pages + 1, page), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_release(pages, 0), TH_ERR_MISALIGNED);
    expect_kept(0);
    CHECK_EQ(pages[0], 0xAA);
    release(pages, 2);
}

/* What the trimming of an aligned reservation leaves over is kept, too. */
static void alignment_loses_nothing(void) {
    enum { PAGES = 16 };
    long before = pages_in_use();
    page = th_pages_size();
    refuses_munmap = true;
    unsigned char *pages = th_pages_map(page, PAGES * page);
    refuses_munmap = false;
    CHECK(pages != NULL && (uintptr_t)pages % (PAGES * page) == 0);
    expect_kept(PAGES - 1);
    release(pages, 1);
    expect_none_kept(before);
}

static void decommit_gives_back_what_cannot_be_mapped_anew(void) {
    unsigned char *pages = take(3);
    refuses_mmap = true;
    CHECK_EQ(th_pages_decommit(pages + page, page), TH_OK);
    refuses_madvise = true;
    CHECK_EQ(th_pages_decommit(pages, page), TH_ERR_EXHAUSTED);
    refuses_madvise = false;
    refuses_mmap = false;
    CHECK(!may_access(pages, false) && !may_access(pages + page, false));
    CHECK_EQ(th_pages_commit(pages, 2 * page), TH_OK);
    CHECK_EQ(pages[0], 0xAA);
    CHECK_EQ(pages[page], 0);
    CHECK_EQ(pages[2 * page], 0xAA);
    release(pages, 3);
}

/* ---- owners --------------------------------------------------------------------------------- */

enum { SLABS = 12 };

/* Every other slab is refused, so that no release can take them all along. */
static void keep_slabs(th_slab *kept_of, void *objects[SLABS]) {
    page = th_pages_size();
    const th_slab_config config = {
        .object_bytes = page / 2, .slab_bytes = page, .empty_slabs_max = TH_SLAB_KEEP_NONE};
    CHECK_EQ(th_slab_init(kept_of, &config), TH_OK);
    for (size_t i = 0; i < SLABS; i++) {
        objects[i] = th_slab_alloc(kept_of);
        CHECK(objects[i] != NULL);
    }
    refuses_munmap = true;
    for (size_t i = 0; i < SLABS; i += 2) {
        th_slab_free(kept_of, objects[i]);
    }
    refuses_munmap = false;
    expect_kept(SLABS / 2);
    CHECK_EQ(th_slab_get_stats(kept_of).slabs, SLABS / 2);
}

static void clean_up_returns_what_was_kept(void) {
    void *objects[SLABS];
    long before = pages_in_use();
    th_slab own;
    keep_slabs(&own, objects);
    for (size_t i = 1; i + 1 < SLABS; i += 2) {
        refuses_munmap = true;
        th_slab_free(&own, objects[i]);
        refuses_munmap = false;
    }
    CHECK(th_pages_kept() > 0);
    th_slab_clean_up(&own);
    expect_kept(0);
    keep_slabs(&own, objects);
    CHECK_EQ(th_slab_trim(&own), 0);
    expect_kept(0);
    th_slab_clean_up(&own);
    CHECK(tools_take_pages() || pages_in_use() == before);
}

/* Over a backing there is nothing of the system's. */
static void a_backing_asks_the_system_for_nothing(void) {
    unsigned char *pages = take(2);
    release_refused(pages, 1);
    const th_slab_config config = {.object_bytes = 100, .backing = th_system_allocator()};
    CHECK_EQ(th_slab_init(&slab, &config), TH_OK);
    CHECK(th_slab_alloc(&slab) != NULL);
    th_slab_clean_up(&slab);
    expect_kept(1);
    release(pages + page, 1);
    expect_kept(0);
}

/* ---- against a map of the pages ------------------------------------------------------------- */

enum { FREE, LIVE };

/* Kept is what the system still has of what we have given back. */
static size_t kept_by_the_map(const unsigned char *state) {
    size_t kept = 0;
    for (size_t i = 0; i < AREA_PAGES; i++) {
        kept += is_mapped[i] && state[i] != LIVE;
    }
    return kept;
}

static size_t pick(uint64_t *random, size_t count) {
    return (size_t)(th_test_random(random) % count);
}

static void release_some(unsigned char *state, uint64_t *random) {
    size_t first = pick(random, AREA_PAGES);
    size_t count = 1 + pick(random, 3);
    size_t i = first;
    while (i < AREA_PAGES && i < first + count && state[i] == LIVE) {
        state[i++] = FREE;
    }
    refuses_munmap = pick(random, 8) != 0;
    if (i > first) {
        release(area + first * page, i - first);
    }
    refuses_munmap = false;
}

/* What is mapped again comes from the kept pages, which are not live then, and is zeroed; or from
 * elsewhere. */
static void map_some(unsigned char *state, uint64_t *random) {
    size_t count = 1 + pick(random, 4);
    unsigned char *pages = th_pages_map(count * page, 0);
    CHECK(pages != NULL);
    for (size_t byte = 0; byte < count * page; byte += 512) {
        CHECK_EQ(pages[byte], 0);
    }
    memset(pages, 0xAA, count * page);
    size_t first = (size_t)((uintptr_t)pages - (uintptr_t)area) / page;
    if ((uintptr_t)pages < (uintptr_t)area || first >= AREA_PAGES) {
        CHECK_EQ(syscall(SYS_munmap, pages, count * page), 0);
        return;
    }
    for (size_t i = first; i < first + count; i++) {
        CHECK(is_mapped[i] && state[i] == FREE);
        state[i] = LIVE;
    }
}

static void random_releases_agree_with_the_map(void) {
    enum { OPERATIONS = 6000, LOOK = 16 };
    static unsigned char state[AREA_PAGES];
    uint64_t random = th_test_seed(10);
    unsigned char *pages = take(AREA_PAGES);
    memset(is_mapped, true, sizeof is_mapped);
    memset(state, LIVE, sizeof state);
    area = pages;
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (pick(&random, 4) == 0) {
            map_some(state, &random);
        } else {
            release_some(state, &random);
        }
        CHECK(i % LOOK != 0 || th_pages_kept() == kept_by_the_map(state) * page);
    }
    for (size_t i = 0; i < AREA_PAGES; i++) {
        CHECK(state[i] != LIVE || area[i * page] == 0xAA);
    }
    expect_kept(kept_by_the_map(state));
    CHECK_EQ(th_pages_return_kept(), 0);
    CHECK_EQ(kept_by_the_map(state), 0);
    area = NULL;
    CHECK_EQ(th_pages_release(pages, AREA_PAGES * page), TH_OK);
}

/* ---- many threads --------------------------------------------------------------------------- */

enum { THREADS = 4, THREAD_PAGES = 64, TURNS = 200 };

/* All pages of its own go back, every other one first, and are had again. */
static void *come_and_go(void *context) {
    unsigned char *pages[THREAD_PAGES];
    for (size_t turn = 0; turn < TURNS; turn++) {
        for (size_t i = 0; i < THREAD_PAGES; i++) {
            pages[i] = th_pages_map(page, 0);
            if (pages[i] == NULL || pages[i][0] != 0) {
                return context;
            }
            pages[i][0] = 0xAA;
        }
        for (size_t i = 0; i < THREAD_PAGES; i++) {
            size_t odd = i >= THREAD_PAGES / 2;
            (void)th_pages_release(pages[i * 2 % THREAD_PAGES + odd], page);
        }
    }
    return NULL;
}

static void threads_share_what_is_kept(void) {
    pthread_t threads[THREADS];
    void *wrong = NULL;
    unsigned char *pages = take(1);
    refuses_munmap = true;
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, come_and_go, pages), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        wrong = result != NULL ? result : wrong;
    }
    refuses_munmap = false;
    CHECK(wrong == NULL);
    CHECK(th_pages_kept() >= THREAD_PAGES * page);
    CHECK(th_pages_kept() <= THREADS * THREAD_PAGES * page);
    CHECK_EQ(th_pages_return_kept(), 0);
    release(pages, 1);
}

#if TH_ASSERTS
static void release_twice(void) {
    unsigned char *pages = take(1);
    refuses_munmap = true;
    (void)th_pages_release(pages, page);
    (void)th_pages_release(pages, page);
}
#endif

static void what_is_kept_is_released_once(void) {
#if TH_ASSERTS
    expect_assertion(release_twice, "src/os/kept.c", "th_ranges_find(ranges, pages) == NULL");
#endif
}

#define REFUSALS                                                                                   \
    , TEST(what_is_kept_is_released_once), TEST(what_is_refused_is_kept_without_its_memory),       \
        TEST(a_release_takes_kept_neighbours_along), TEST(kept_pages_are_used_again),              \
        TEST(what_is_used_again_is_zeroed), TEST(the_last_ranges_are_looked_at_first),             \
        TEST(ranges_without_number_are_noted), TEST(what_cannot_be_noted_stays_the_callers),       \
        TEST(errors_keep_nothing), TEST(alignment_loses_nothing),                                  \
        TEST(decommit_gives_back_what_cannot_be_mapped_anew),                                      \
        TEST(clean_up_returns_what_was_kept), TEST(a_backing_asks_the_system_for_nothing),         \
        TEST(random_releases_agree_with_the_map), TEST(threads_share_what_is_kept)

#endif

TH_SUITE("kept", TEST(nothing_stays_when_the_table_is_full) REFUSALS)
