/* SPDX-License-Identifier: MIT */
/* Pages from the operating system. What access does to protected pages is tried in a child. */
#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "death.h"
#include "suite.h"
#include "system_fixture.h"
#include "tagheap/pages.h"

static void expect_access(unsigned char *at, bool readable, bool writable) {
    CHECK_EQ(may_access(at, false), readable);
    CHECK_EQ(may_access(at, true), writable);
}

static void sizes_round_up_to_pages(void) {
    size_t page = th_pages_size();
    CHECK(page >= 4096 && (page & (page - 1)) == 0);
    CHECK_EQ(th_pages_round(0), 0);
    CHECK_EQ(th_pages_round(1), page);
    CHECK_EQ(th_pages_round(page), page);
    CHECK_EQ(th_pages_round(page + 1), 2 * page);
    CHECK_EQ(th_pages_round((size_t)PTRDIFF_MAX - page + 1), (size_t)PTRDIFF_MAX - page + 1);
    CHECK_EQ(th_pages_round((size_t)PTRDIFF_MAX - page + 2), 0);
    CHECK_EQ(th_pages_round(SIZE_MAX), 0);
}

static void mapped_memory_is_zeroed_and_aligned(void) {
    enum { COUNT = 24 };
    size_t page = th_pages_size();
    unsigned char *pages[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t alignment = i % 4 == 0 ? 0 : page << (i % 4);
        pages[i] = th_pages_map(page + i, alignment);
        CHECK(pages[i] != NULL);
        CHECK_EQ((uintptr_t)pages[i] % (alignment != 0 ? alignment : page), 0);
        for (size_t byte = 0; byte < 2 * page; byte += 64) {
            CHECK(i == 0 || pages[i][byte] == 0);
            if (i == 0 && byte + 64 == page) {
                break;
            }
        }
        memset(pages[i], 0xAA, page + i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(th_pages_release(pages[i], page + i), TH_OK);
    }
}

static void a_reservation_is_not_accessible(void) {
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_reserve(4 * page, 2 * page);
    CHECK(pages != NULL && (uintptr_t)pages % (2 * page) == 0);
    expect_access(pages, false, false);
    CHECK_EQ(th_pages_commit(pages + page, page), TH_OK);
    expect_access(pages + page - 1, false, false);
    expect_access(pages + page, true, true);
    expect_access(pages + 2 * page, false, false);
    CHECK_EQ(pages[page], 0);
    CHECK_EQ(th_pages_release(pages, 4 * page), TH_OK);
}

static void decommitted_pages_come_back_zeroed(void) {
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_map(2 * page, 0);
    memset(pages, 0xAA, 2 * page);
    CHECK_EQ(th_pages_decommit(pages, 0), TH_OK);
    CHECK_EQ(pages[0], 0xAA);
    CHECK_EQ(th_pages_decommit(pages, page), TH_OK);
    expect_access(pages, false, false);
    CHECK_EQ(pages[page], 0xAA);
    CHECK_EQ(th_pages_commit(pages, 2 * page), TH_OK);
    CHECK_EQ(pages[0], 0);
    CHECK_EQ(pages[page], 0xAA);
    CHECK_EQ(th_pages_release(pages, 2 * page), TH_OK);
}

static void protection_keeps_the_contents(void) {
    unsigned char *pages = th_pages_map(1, 0);
    pages[0] = 0x5A;
    expect_access(pages, true, true);
    CHECK_EQ(th_pages_protect(pages, 1, TH_PAGES_READ), TH_OK);
    expect_access(pages, true, false);
    CHECK_EQ(th_pages_protect(pages, 1, TH_PAGES_NONE), TH_OK);
    expect_access(pages, false, false);
    CHECK_EQ(th_pages_protect(pages, 1, TH_PAGES_READ_WRITE), TH_OK);
    expect_access(pages, true, true);
    CHECK_EQ(pages[0], 0x5A);
    CHECK_EQ(th_pages_release(pages, 1), TH_OK);
}

/* Whatever stands in it: the first instruction is not fetched. */
static bool call(void *code) {
    void (*function)(void);
    memcpy(&function, &code, sizeof function);
    function();
    return true;
}

static void memory_is_never_code(void) {
    static const th_pages_access accesses[] = {TH_PAGES_READ, TH_PAGES_READ_WRITE};
    const unsigned char return_x86 = 0xC3;
    const uint32_t return_arm64 = 0xD65F03C0;
    unsigned char *pages = th_pages_map(1, 0);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(th_pages_commit(pages, 1), TH_OK);
        memcpy(pages, i < 2 ? (const void *)&return_x86 : (const void *)&return_arm64,
               i < 2 ? sizeof return_x86 : sizeof return_arm64);
        CHECK_EQ(th_pages_protect(pages, 1, accesses[i % 2]), TH_OK);
        expect_access(pages, true, accesses[i % 2] == TH_PAGES_READ_WRITE);
        CHECK(!holds_in_child(call, pages));
    }
    CHECK_EQ(th_pages_release(pages, 1), TH_OK);
}

static bool overwrite(void *pages) {
    memset(pages, 0x22, th_pages_size());
    return *(unsigned char *)pages == 0x22;
}

static void pages_belong_to_one_process(void) {
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_map(page, 0);
    memset(pages, 0x11, page);
    CHECK(holds_in_child(overwrite, pages));
    for (size_t i = 0; i < page; i++) {
        CHECK_EQ(pages[i], 0x11);
    }
    CHECK_EQ(th_pages_release(pages, page), TH_OK);
}

static void a_part_can_be_released(void) {
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_map(3 * page, 0);
    CHECK_EQ(th_pages_release(pages + page, page), TH_OK);
    expect_access(pages, true, true);
    expect_access(pages + 2 * page, true, true);
    CHECK_EQ(th_pages_release(pages, page), TH_OK);
    CHECK_EQ(th_pages_release(pages + 2 * page, page), TH_OK);
}

/* A 32-bit process may get half of all addresses once, but never twice. */
static void exhaustion_is_reported(void) {
    size_t half = (size_t)PTRDIFF_MAX - th_pages_size() + 1;
    void *first = th_pages_map(half, 0);
    CHECK(th_pages_map(half, 0) == NULL);
    CHECK(first == NULL || th_pages_release(first, half) == TH_OK);
}

static void bad_requests_are_refused(void) {
    size_t page = th_pages_size();
    CHECK(th_pages_map(0, 0) == NULL);
    CHECK(th_pages_map(page, 3 * page) == NULL);
    CHECK(th_pages_map(page, page + 1) == NULL);
    CHECK(th_pages_map(page, 48) == NULL);
    CHECK(th_pages_reserve(page, 3) == NULL);
    CHECK(th_pages_map(PTRDIFF_MAX, 0) == NULL);
    CHECK(th_pages_map(SIZE_MAX, 0) == NULL);
    CHECK(th_pages_reserve((size_t)PTRDIFF_MAX - page + 1, SIZE_MAX / 2 + 1) == NULL);
    CHECK_EQ(th_pages_commit(NULL, page), TH_ERR_NULL);
    CHECK_EQ(th_pages_decommit(NULL, page), TH_ERR_NULL);
    CHECK_EQ(th_pages_release(NULL, page), TH_ERR_NULL);
    unsigned char *pages = th_pages_map(page, 0);
    CHECK_EQ(th_pages_commit(pages + 1, page), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_decommit(pages + 1, page), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_release(pages + 1, page), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_decommit(pages + 1, 0), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_release(pages, 0), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_protect(pages, page, (th_pages_access)3), TH_ERR_CONFIG);
    CHECK_EQ(th_pages_protect(pages, page, (th_pages_access)-1), TH_ERR_CONFIG);
    CHECK_EQ(th_pages_release(pages, page), TH_OK);
    CHECK_EQ(th_pages_commit(pages, page), TH_ERR_EXHAUSTED); /* not mapped any more */
    pages = th_pages_reserve(3 * page, 0);
    CHECK_EQ(th_pages_release(pages + page, page), TH_OK);
    CHECK_EQ(th_pages_decommit(pages, 3 * page), TH_ERR_EXHAUSTED);  /* what has a hole */
    CHECK_EQ(th_pages_commit(pages + page, page), TH_ERR_EXHAUSTED); /* which is still there */
    CHECK_EQ(th_pages_release(pages, 3 * page), TH_OK);
}

/* ---- guards --------------------------------------------------------------------------------- */

static void guards_stand_on_both_sides(void) {
    size_t page = th_pages_size();
    long before = pages_in_use();
    const size_t sizes[] = {1, page - 1, page, page + 1, 5 * page};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t inside = th_pages_round(sizes[i]);
        unsigned char *pages = th_pages_map_guarded(sizes[i]);
        CHECK(pages != NULL && (uintptr_t)pages % page == 0);
        for (size_t byte = 0; byte < inside; byte += 64) {
            CHECK_EQ(pages[byte], 0);
        }
        memset(pages, 0xAA, inside);
        expect_access(pages, true, true);
        expect_access(pages + inside - 1, true, true);
        expect_access(pages - 1, false, false);
        expect_access(pages - page, false, false);
        expect_access(pages + inside, false, false);
        expect_access(pages + inside + page - 1, false, false);
        CHECK_EQ(th_pages_protect(pages, inside, TH_PAGES_READ), TH_OK);
        expect_access(pages, true, false);
        CHECK_EQ(th_pages_release_guarded(pages, sizes[i]), TH_OK);
        CHECK_EQ(th_pages_commit(pages - page, page), TH_ERR_EXHAUSTED); /* not mapped any more */
        CHECK_EQ(th_pages_commit(pages + inside, page), TH_ERR_EXHAUSTED);
    }
    CHECK(tools_take_pages() || pages_in_use() == before);
}

static void guarded_pages_that_cannot_be(void) {
    size_t page = th_pages_size();
    const size_t whole = (size_t)PTRDIFF_MAX - page + 1;
    CHECK(th_pages_map_guarded(0) == NULL);
    CHECK(th_pages_map_guarded(SIZE_MAX) == NULL);
    CHECK(th_pages_map_guarded((size_t)PTRDIFF_MAX) == NULL);
    CHECK(th_pages_map_guarded(whole) == NULL);
    CHECK(th_pages_map_guarded(whole - page) == NULL);
    CHECK_EQ(th_pages_release_guarded(NULL, page), TH_ERR_NULL);
    unsigned char *pages = th_pages_map_guarded(page);
    CHECK_EQ(th_pages_release_guarded(pages, 0), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_release_guarded(pages, SIZE_MAX), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_release_guarded(pages + 1, page), TH_ERR_MISALIGNED);
    expect_access(pages, true, true);
    CHECK_EQ(th_pages_release_guarded(pages, page), TH_OK);
}

/* ---- memory that is nobody else's ------------------------------------------------------------ */

/* Is the flag (two letters) among those that the kernel shows for the mapping of the page? -1: it
 * shows none. */
static int kernel_says(const void *pages, const char *flag) {
    char line[512];
    unsigned long first = 0, end = 0;
    int says = -1;
    FILE *maps = fopen("/proc/self/smaps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long low, high;
        if (sscanf(line, "%lx-%lx ", &low, &high) == 2) {
            first = low;
            end = high;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && (uintptr_t)pages >= first &&
                   (uintptr_t)pages < end) {
            says = strstr(line, flag) != NULL;
        }
    }
    CHECK(maps == NULL || fclose(maps) == 0);
    return says;
}

/* Some tools lock nothing: what they say is not what the kernel does. */
static void expect_kernel_says(const void *pages, const char *flag, bool expected) {
    int says = kernel_says(pages, flag);
    CHECK(tools_look() || says == -1 || says == expected);
}

static void locked_pages_stay_in_memory(void) {
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_map_guarded(3 * page);
    pages[page] = 0x5A;
    expect_kernel_says(pages + page, " lo", false);
    th_status status = th_pages_lock(pages + page, page);
    CHECK(status == TH_OK || status == TH_ERR_EXHAUSTED || status == TH_ERR_UNSUPPORTED);
    if (status == TH_OK) {
        expect_kernel_says(pages, " lo", false);
        expect_kernel_says(pages + page, " lo", true);
        CHECK_EQ(pages[page], 0x5A);
        CHECK_EQ(th_pages_unlock(pages, 3 * page), TH_OK); /* what is not locked, too */
        expect_kernel_says(pages + page, " lo", false);
    } else {
        printf("# this process may lock no page\n");
    }
    CHECK_EQ(th_pages_release_guarded(pages, 3 * page), TH_OK);
}

static void hidden_pages_are_in_no_dump(void) {
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_map_guarded(3 * page);
    expect_kernel_says(pages + page, " dd", false);
    CHECK_EQ(th_pages_hide(pages + page, page), TH_OK);
    expect_kernel_says(pages, " dd", false);
    expect_kernel_says(pages + page, " dd", true);
    CHECK_EQ(pages[page], 0);
    CHECK_EQ(th_pages_release_guarded(pages, 3 * page), TH_OK);
}

/* Of a page that may be had, and one that is not mapped. */
static void what_cannot_be_locked_is_told(void) {
    typedef th_status change_fn(void *pages, size_t bytes);
    static change_fn *const changes[] = {th_pages_lock, th_pages_unlock, th_pages_hide};
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_map(2 * page, 0);
    CHECK_EQ(th_pages_release(pages + page, page), TH_OK);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(changes[i](NULL, page), TH_ERR_NULL);
        CHECK_EQ(changes[i](pages + 1, page), TH_ERR_MISALIGNED);
        CHECK_EQ(changes[i](pages, (size_t)PTRDIFF_MAX + 1), TH_ERR_EXHAUSTED);
        CHECK_EQ(changes[i](pages, SIZE_MAX), TH_ERR_EXHAUSTED);
        if (!TH_TRACK_ANY) { /* whose mlock does nothing */
            CHECK_EQ(changes[i](pages, 2 * page), TH_ERR_EXHAUSTED);
        }
    }
    CHECK_EQ(th_pages_release(pages, page), TH_OK);
}

/* Instrumented builds have system calls of their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void refusals_have_their_reasons(void) {}
static void guarded_memory_that_is_refused_leaves_nothing(void) {}

#else

static int reason_to_refuse; /* 0: there is none */
static bool refuses_commits;

static int refuse(void) {
    errno = reason_to_refuse;
    return -1;
}

int mlock(const void *pages, size_t bytes) {
    return reason_to_refuse != 0 ? refuse() : (int)syscall(SYS_mlock, pages, bytes);
}

int munlock(const void *pages, size_t bytes) {
    return reason_to_refuse != 0 ? refuse() : (int)syscall(SYS_munlock, pages, bytes);
}

int madvise(void *pages, size_t bytes, int advice) {
    return reason_to_refuse != 0 ? refuse() : (int)syscall(SYS_madvise, pages, bytes, advice);
}

int mprotect(void *pages, size_t bytes, int protection) {
    if (refuses_commits) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_mprotect, pages, bytes, protection);
}

static void refusals_have_their_reasons(void) {
    static const struct {
        int reason;
        th_status of_lock, of_hide;
    } rows[] = {{EPERM, TH_ERR_UNSUPPORTED, TH_ERR_EXHAUSTED},
                {ENOSYS, TH_ERR_UNSUPPORTED, TH_ERR_UNSUPPORTED},
                {EINVAL, TH_ERR_EXHAUSTED, TH_ERR_UNSUPPORTED},
                {ENOMEM, TH_ERR_EXHAUSTED, TH_ERR_EXHAUSTED},
                {EAGAIN, TH_ERR_EXHAUSTED, TH_ERR_EXHAUSTED}};
    size_t page = th_pages_size();
    unsigned char *pages = th_pages_map(page, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reason_to_refuse = rows[i].reason;
        th_status lock = th_pages_lock(pages, page);
        th_status unlock = th_pages_unlock(pages, page);
        th_status hide = th_pages_hide(pages, page);
        int reason = errno;
        reason_to_refuse = 0;
        CHECK_EQ(lock, rows[i].of_lock);
        CHECK_EQ(unlock, rows[i].of_lock);
        CHECK_EQ(hide, rows[i].of_hide);
        CHECK_EQ(reason, rows[i].reason);
    }
    CHECK_EQ(th_pages_release(pages, page), TH_OK);
}

static void guarded_memory_that_is_refused_leaves_nothing(void) {
    long before = pages_in_use();
    refuses_commits = true;
    void *pages = th_pages_map_guarded(3 * th_pages_size());
    refuses_commits = false;
    CHECK(pages == NULL);
    CHECK(tools_take_pages() || pages_in_use() == before);
}

#endif

TH_SUITE("pages", TEST(sizes_round_up_to_pages), TEST(mapped_memory_is_zeroed_and_aligned),
         TEST(a_reservation_is_not_accessible), TEST(decommitted_pages_come_back_zeroed),
         TEST(protection_keeps_the_contents), TEST(memory_is_never_code),
         TEST(pages_belong_to_one_process), TEST(a_part_can_be_released),
         TEST(exhaustion_is_reported), TEST(bad_requests_are_refused),
         TEST(guards_stand_on_both_sides), TEST(guarded_pages_that_cannot_be),
         TEST(locked_pages_stay_in_memory), TEST(hidden_pages_are_in_no_dump),
         TEST(what_cannot_be_locked_is_told), TEST(refusals_have_their_reasons),
         TEST(guarded_memory_that_is_refused_leaves_nothing))
