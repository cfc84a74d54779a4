/* SPDX-License-Identifier: MIT */
/* Pages from the operating system. What access does to protected pages is tried in a child. */
#define _DEFAULT_SOURCE

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "tagheap/pages.h"

/* May a child read, or write, this byte? If not, a signal ends it, or AddressSanitizer, which does
 * not let it have the signal. */
static bool may_access(volatile unsigned char *at, bool write) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGSEGV, SIG_DFL);
        unsigned char value = *at;
        if (write) {
            *at = value;
        }
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

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
    CHECK_EQ(th_pages_release(pages, 0), TH_ERR_MISALIGNED);
    CHECK_EQ(th_pages_protect(pages, page, (th_pages_access)3), TH_ERR_CONFIG);
    CHECK_EQ(th_pages_protect(pages, page, (th_pages_access)-1), TH_ERR_CONFIG);
    CHECK_EQ(th_pages_release(pages, page), TH_OK);
    CHECK_EQ(th_pages_commit(pages, page), TH_ERR_EXHAUSTED); /* not mapped any more */
}

TH_SUITE("pages", TEST(sizes_round_up_to_pages), TEST(mapped_memory_is_zeroed_and_aligned),
         TEST(a_reservation_is_not_accessible), TEST(decommitted_pages_come_back_zeroed),
         TEST(protection_keeps_the_contents), TEST(a_part_can_be_released),
         TEST(exhaustion_is_reported), TEST(bad_requests_are_refused))
