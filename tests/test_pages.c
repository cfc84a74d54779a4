/* SPDX-License-Identifier: MIT */
/* Pages from the operating system. What access does to protected pages is tried in a child. */
#define _DEFAULT_SOURCE

#include <string.h>

#include "death.h"
#include "suite.h"
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

TH_SUITE("pages", TEST(sizes_round_up_to_pages), TEST(mapped_memory_is_zeroed_and_aligned),
         TEST(a_reservation_is_not_accessible), TEST(decommitted_pages_come_back_zeroed),
         TEST(protection_keeps_the_contents), TEST(memory_is_never_code),
         TEST(pages_belong_to_one_process), TEST(a_part_can_be_released),
         TEST(exhaustion_is_reported), TEST(bad_requests_are_refused))
