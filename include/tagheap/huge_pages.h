/* SPDX-License-Identifier: MIT */
/* Huge pages: the same memory as th_pages_map, in fewer and larger pages where the system has them,
 * so that the processor's table of addresses (TLB) covers more of it. Whether it has any is asked,
 * and is no reason to fail. Hosted builds on POSIX systems only.
 *
 * Three ways are tried in this order:
 *   pages of the system's pool (Linux: vm.nr_hugepages, MAP_HUGETLB), which are taken at once
 *   pages that the system is asked to make huge when it can (transparent huge pages, MADV_HUGEPAGE)
 *   plain pages
 *
 * Sizes are bytes, and are rounded up to whole huge pages: th_huge_pages_round. Ownership: the
 * caller's from map to release, as a whole. A part of it (whole huge pages) may be protected by
 * th_pages_protect.
 * Pages of the pool are promised to this process. A child process that writes to them needs pages
 * of its own, and is ended by SIGBUS when the pool has none.
 * Thread rule: any thread; where TH_ATOMIC is 0 (atomic.h), the first call comes from one thread
 * alone. Complexity: what the system makes of it.
 * Source: Linux, Documentation/admin-guide/mm/hugetlbpage.rst and transhuge.rst. */
#ifndef TAGHEAP_HUGE_PAGES_H
#define TAGHEAP_HUGE_PAGES_H

#include <stddef.h>

#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_huge_pages_kind {
    TH_HUGE_PAGES_NONE,  /* plain pages */
    TH_HUGE_PAGES_ASKED, /* the system was asked, and makes huge ones of them when it can */
    TH_HUGE_PAGES_POOL   /* of the system's pool: huge from the start */
} th_huge_pages_kind;

/* The size of a huge page: a power of two above th_pages_size(); 0 if the system has none. Its
 * answer holds as long as the process. While it cannot answer (no descriptor is left, no memory),
 * that is 0, too, and it is asked again in the next call; until th_huge_pages_map maps something
 * meanwhile: from then on 0 is the answer, by which that is released. */
size_t th_huge_pages_size(void);

/* `bytes` rounded up to whole huge pages, or to whole pages if there are no huge ones; 0 if bytes
 * is 0 or that exceeds PTRDIFF_MAX. */
size_t th_huge_pages_round(size_t bytes);

/* Zeroed, accessible memory for th_huge_pages_round(bytes) bytes, at a multiple of the size of a
 * huge page, if there is one. What it was made of goes to *kind, unless that is NULL. NULL iff the
 * system has no such memory in pages of any kind (th_pages_map); then *kind is untouched. */
void *th_huge_pages_map(size_t bytes, th_huge_pages_kind *kind);

/* Gives back what th_huge_pages_map gave for `bytes` bytes. Errors as th_pages_release. */
th_status th_huge_pages_release(void *pages, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
