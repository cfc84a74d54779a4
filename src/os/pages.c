/* SPDX-License-Identifier: MIT */
/* Pages from mmap. An aligned reservation is made larger than asked for, and what is too much at
 * both ends goes back. */
#define _DEFAULT_SOURCE

#include "tagheap/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/align.h"
#include "base/compiler.h"
#include "os/kept.h"

/* So many kept ranges are looked at before the system is asked for memory. */
#define KEPT_LOOKS ((size_t)16)

static th_status status_of(int result) {
    return result == 0 ? TH_OK : TH_ERR_EXHAUSTED;
}

/* What is to be mapped. */
typedef struct request {
    size_t bytes;     /* whole pages; 0: nothing can be so large, or so aligned */
    size_t alignment; /* a page at least */
    size_t whole;     /* in which so many bytes are so aligned, wherever it begins */
} request;

static request make_request(size_t bytes, size_t alignment) {
    size_t page = th_pages_size();
    bool is_possible = (alignment & (alignment - 1)) == 0;
    bytes = is_possible ? th_pages_round(bytes) : 0;
    alignment = alignment < page ? page : alignment;
    /* bytes and alignment: at most half of all each */
    return (request){bytes, alignment, bytes + (alignment - page)};
}

/* What lies before the first multiple of the alignment, and after the `bytes` bytes from there on,
 * goes back, or is kept. Pages of a reservation may not even be noted, but then nothing is lost but
 * addresses: no memory was ever there. */
TH_NOINLINE static void *trim(unsigned char *pages, request asked) {
    size_t before = (size_t)(0 - (uintptr_t)pages) & (asked.alignment - 1);
    size_t after = asked.whole - before - asked.bytes;
    if (before > 0) {
        (void)th_pages_release(pages, before);
    }
    if (after > 0) {
        (void)th_pages_release(pages + before + asked.bytes, after);
    }
    return pages + before;
}

/* NULL: the system has no such memory. */
static inline void *map(request asked, int protection, int flags) {
    void *pages = mmap(NULL, asked.whole, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    return asked.whole > asked.bytes ? trim(pages, asked) : pages;
}

void *th_pages_reserve(size_t bytes, size_t alignment) {
    request asked = make_request(bytes, alignment);
    return asked.bytes > 0 ? map(asked, PROT_NONE, MAP_NORESERVE) : NULL;
}

/* Kept ranges first, so that they do not become more and more; all of them only when there is
 * nothing else. */
void *th_pages_map(size_t bytes, size_t alignment) {
    request asked = make_request(bytes, alignment);
    void *pages = NULL;
    if (asked.bytes == 0) {
        return NULL;
    }
    if (th_pages_kept() > 0) {
        pages = th_kept_reuse(asked.bytes, asked.alignment, KEPT_LOOKS);
    }
    if (pages == NULL) {
        pages = map(asked, PROT_READ | PROT_WRITE, 0);
    }
    return pages != NULL ? pages : th_kept_reuse(asked.bytes, asked.alignment, SIZE_MAX);
}

/* Two guards more than half of all addresses is no overflow. */
void *th_pages_map_guarded(size_t bytes) {
    size_t page = th_pages_size();
    size_t inside = th_pages_round(bytes);
    unsigned char *guard = inside > 0 ? th_pages_reserve(inside + 2 * page, 0) : NULL;
    if (guard == NULL) {
        return NULL;
    }
    if (th_pages_commit(guard + page, inside) != TH_OK) {
        (void)th_pages_release(guard, inside + 2 * page);
        return NULL;
    }
    return guard + page;
}

th_status th_pages_release_guarded(void *pages, size_t bytes) {
    size_t page = th_pages_size();
    size_t inside = th_pages_round(bytes);
    if (pages == NULL) {
        return TH_ERR_NULL;
    }
    return inside > 0 ? th_pages_release((unsigned char *)pages - page, inside + 2 * page)
                      : TH_ERR_MISALIGNED;
}

/* May the system be asked about these? Some systems round where others refuse, and none has more
 * than PTRDIFF_MAX. */
static th_status check_range(const void *pages, size_t bytes) {
    if (pages == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_is_aligned((uintptr_t)pages, th_pages_size())) {
        return TH_ERR_MISALIGNED;
    }
    return bytes <= PTRDIFF_MAX ? TH_OK : TH_ERR_EXHAUSTED;
}

/* The system's answer; `never` is its reason where it would give the same one at any time. */
static th_status answer_of(int result, int never) {
    if (result != 0 && (errno == never || errno == ENOSYS)) {
        return TH_ERR_UNSUPPORTED;
    }
    return status_of(result);
}

th_status th_pages_lock(void *pages, size_t bytes) {
    th_status status = check_range(pages, bytes);
    return status == TH_OK ? answer_of(mlock(pages, bytes), EPERM) : status;
}

th_status th_pages_unlock(void *pages, size_t bytes) {
    th_status status = check_range(pages, bytes);
    return status == TH_OK ? answer_of(munlock(pages, bytes), EPERM) : status;
}

th_status th_pages_hide(void *pages, size_t bytes) {
    th_status status = check_range(pages, bytes);
    return status == TH_OK ? answer_of(madvise(pages, bytes, MADV_DONTDUMP), EINVAL) : status;
}

th_status th_pages_protect(void *pages, size_t bytes, th_pages_access access) {
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    if (pages == NULL) {
        return TH_ERR_NULL;
    }
    if ((unsigned)access > TH_PAGES_READ_WRITE) {
        return TH_ERR_CONFIG;
    }
    th_status status = check_range(pages, bytes);
    return status == TH_OK ? status_of(mprotect(pages, bytes, protections[access])) : status;
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
