/* SPDX-License-Identifier: MIT */
/* Huge pages from mmap and madvise. Their size is that of transparent ones, which the pool has on
 * every machine that has both. */
#define _DEFAULT_SOURCE

#include "os/huge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/align.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "tagheap/pages.h"

#define SIZE_FILE         "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#define DIGITS_MAX        32u
#define SIZE_IS_NOT_KNOWN UINTPTR_MAX

/* mmap has the binary logarithm of the size among its flags. */
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

/* Not what the system has, but that it is short of something, or was interrupted. */
static bool will_pass(int reason) {
    return reason == EMFILE || reason == ENFILE || reason == ENOMEM || reason == EINTR;
}

/* The number that the file begins with; 0 if it cannot be read. False: for a reason that passes. */
static bool read_number(const char *path, size_t *number) {
    char text[DIGITS_MAX];
    *number = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return !will_pass(errno);
    }
    ssize_t length = read(file, text, sizeof text);
    bool is_answer = length >= 0 || !will_pass(errno);
    for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        *number = *number * 10 + (size_t)(text[i] - '0');
    }
    (void)close(file);
    return is_answer;
}

bool th_huge_ask_size(size_t *size) {
    bool is_answer = read_number(SIZE_FILE, size);
    if (*size <= th_pages_size() || !th_is_power_of_two(*size)) {
        *size = 0;
    }
    return is_answer;
}

static th_atomic_address known = {SIZE_IS_NOT_KNOWN};

/* It is the size from now on, for all threads, unless there is one: that. */
static size_t settle(size_t size) {
    uintptr_t there = SIZE_IS_NOT_KNOWN;
    return TH_ATOMIC_CAS(&known, &there, size, TH_RELAXED, TH_RELAXED) ? size : there;
}

size_t th_huge_pages_size(void) {
    size_t size = TH_ATOMIC_LOAD(&known, TH_RELAXED);
    return size == SIZE_IS_NOT_KNOWN && th_huge_ask_size(&size) ? settle(size) : size;
}

size_t th_huge_round(size_t bytes, size_t huge) {
    if (huge == 0) {
        return th_pages_round(bytes);
    }
    return bytes <= (size_t)PTRDIFF_MAX - (huge - 1) ? th_size_round_up(bytes, huge) : 0;
}

/* NULL: the pool has not as many. */
static void *map_of_pool(size_t bytes, size_t huge) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
    flags |= (int)(th_highest_bit(huge) << MAP_HUGE_SHIFT);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return pages != MAP_FAILED ? pages : NULL;
}

void *th_huge_map(size_t bytes, size_t huge, th_huge_pages_kind *kind) {
    size_t whole = th_huge_round(bytes, huge);
    th_huge_pages_kind made = TH_HUGE_PAGES_POOL;
    void *pages = huge > 0 && whole > 0 ? map_of_pool(whole, huge) : NULL;
    if (pages == NULL) {
        made = TH_HUGE_PAGES_NONE;
        pages = th_pages_map(whole, huge);
        if (pages != NULL && huge > 0 && madvise(pages, whole, MADV_HUGEPAGE) == 0) {
            made = TH_HUGE_PAGES_ASKED;
        }
    }
    if (pages != NULL && kind != NULL) {
        *kind = made;
    }
    return pages;
}

size_t th_huge_pages_round(size_t bytes) {
    return th_huge_round(bytes, th_huge_pages_size());
}

/* What is mapped by a size is released by it, and so the size must be known now. */
void *th_huge_pages_map(size_t bytes, th_huge_pages_kind *kind) {
    return th_huge_map(bytes, settle(th_huge_pages_size()), kind);
}

th_status th_huge_pages_release(void *pages, size_t bytes) {
    return th_pages_release(pages, th_huge_pages_round(bytes));
}
