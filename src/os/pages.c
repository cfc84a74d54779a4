/* SPDX-License-Identifier: MIT */
/* Pages from mmap. An aligned reservation is made larger than asked for, and what is too much at
 * both ends goes back. */
#define _DEFAULT_SOURCE

#include "tagheap/pages.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/align.h"
#include "os/kept.h"

/* So many kept ranges are looked at before the system is asked for memory. */
#define KEPT_LOOKS ((size_t)16)

size_t th_pages_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t whole_pages(size_t bytes, size_t page) {
    return bytes <= (size_t)PTRDIFF_MAX - (page - 1) ? (bytes + page - 1) & ~(page - 1) : 0;
}

size_t th_pages_round(size_t bytes) {
    return whole_pages(bytes, th_pages_size());
}

static th_status status_of(int result) {
    return result == 0 ? TH_OK : TH_ERR_EXHAUSTED;
}

/* Of the pages that are to be mapped. */
typedef struct request {
    size_t bytes;     /* whole pages */
    size_t alignment; /* a page at least */
    size_t page;
} request;

/* False: nothing can be so large, or so aligned. */
static bool make_request(size_t bytes, size_t alignment, request *out) {
    size_t page = th_pages_size();
    out->page = page;
    out->bytes = whole_pages(bytes, page);
    out->alignment = alignment < page ? page : alignment;
    return out->bytes != 0 && (alignment == 0 || th_is_power_of_two(alignment));
}

/* What lies before the first multiple of the alignment, and after the `bytes` bytes from there on,
 * goes back, or is kept. Pages of a reservation may not even be noted, but then nothing is lost but
 * addresses: no memory was ever there. */
static void *trim(unsigned char *pages, size_t whole, const request *asked) {
    size_t before = (size_t)(0 - (uintptr_t)pages) & (asked->alignment - 1);
    size_t after = whole - before - asked->bytes;
    if (before > 0) {
        (void)th_pages_release(pages, before);
    }
    if (after > 0) {
        (void)th_pages_release(pages + before + asked->bytes, after);
    }
    return pages + before;
}

static void *map(const request *asked, int protection, int flags) {
    /* bytes and alignment: at most half of all each */
    size_t whole = asked->bytes + (asked->alignment - asked->page);
    void *pages = mmap(NULL, whole, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return pages != MAP_FAILED ? trim(pages, whole, asked) : NULL;
}

void *th_pages_reserve(size_t bytes, size_t alignment) {
    request asked;
    return make_request(bytes, alignment, &asked) ? map(&asked, PROT_NONE, MAP_NORESERVE) : NULL;
}

/* Kept ranges first, so that they do not become more and more; all of them only when there is
 * nothing else. */
void *th_pages_map(size_t bytes, size_t alignment) {
    request asked;
    if (!make_request(bytes, alignment, &asked)) {
        return NULL;
    }
    void *pages = th_kept_reuse(asked.bytes, asked.alignment, KEPT_LOOKS);
    if (pages == NULL) {
        pages = map(&asked, PROT_READ | PROT_WRITE, 0);
    }
    return pages != NULL ? pages : th_kept_reuse(asked.bytes, asked.alignment, SIZE_MAX);
}

th_status th_pages_protect(void *pages, size_t bytes, th_pages_access access) {
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    if (pages == NULL) {
        return TH_ERR_NULL;
    }
    if ((unsigned)access > TH_PAGES_READ_WRITE) {
        return TH_ERR_CONFIG;
    }
    if (!th_is_aligned((uintptr_t)pages, th_pages_size())) { /* which some C libraries round */
        return TH_ERR_MISALIGNED;
    }
    return status_of(mprotect(pages, bytes, protections[access]));
}

th_status th_pages_commit(void *pages, size_t bytes) {
    return th_pages_protect(pages, bytes, TH_PAGES_READ_WRITE);
}

/* Mapping anew over them is the one call that gives the memory back at once on every system. It
 * would also take addresses that belong to somebody else, or to nobody: the other call refuses.
 * What has no room for one more mapping may still give the memory back. */
th_status th_pages_decommit(void *pages, size_t bytes) {
    th_status status = th_pages_protect(pages, bytes, TH_PAGES_NONE);
    if (status != TH_OK || bytes == 0) { /* which mmap refuses */
        return status;
    }
    void *anew = mmap(pages, bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return anew != MAP_FAILED ? TH_OK : status_of(madvise(pages, bytes, MADV_DONTNEED));
}
