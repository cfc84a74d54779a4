/* SPDX-License-Identifier: MIT */
/* Huge pages from mmap and madvise. Their size is that of transparent ones, which the pool has on
 * every machine that has both. */
#define _DEFAULT_SOURCE

#include "os/huge.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/align.h"
#include "base/compiler.h"
#include "tagheap/pages.h"

#define SIZE_FILE         "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#define DIGITS_MAX        32u
#define SIZE_IS_NOT_KNOWN SIZE_MAX

/* mmap has the binary logarithm of the size among its flags. */
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

/* The number that the file begins with; 0 if it cannot be read. */
static size_t read_number(const char *path) {
    char text[DIGITS_MAX];
    size_t number = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t length = read(file, text, sizeof text);
    for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        number = number * 10 + (size_t)(text[i] - '0');
    }
    (void)close(file);
    return number;
}

size_t th_huge_ask_size(void) {
    size_t size = read_number(SIZE_FILE);
    return size > th_pages_size() && th_is_power_of_two(size) ? size : 0;
}

size_t th_huge_pages_size(void) {
    static size_t known = SIZE_IS_NOT_KNOWN;
    size_t size = th_load_shared(&known);
    if (size == SIZE_IS_NOT_KNOWN) {
        size = th_huge_ask_size();
        th_store_shared(&known, size);
    }
    return size;
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

void *th_huge_pages_map(size_t bytes, th_huge_pages_kind *kind) {
    return th_huge_map(bytes, th_huge_pages_size(), kind);
}

th_status th_huge_pages_release(void *pages, size_t bytes) {
    return th_pages_release(pages, th_huge_pages_round(bytes));
}
