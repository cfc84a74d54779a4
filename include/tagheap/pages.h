/* SPDX-License-Identifier: MIT */
/* Pages: memory straight from the operating system, in whole pages. The allocators that map memory
 * do it through these calls, and only through them. Hosted builds on POSIX systems only.
 *
 *   th_pages_reserve  addresses that nobody may touch; they cost no memory
 *   th_pages_commit   pages of a reservation become zeroed memory
 *   th_pages_decommit and addresses again; the memory goes back to the system
 *   th_pages_release  the addresses go back, too
 *   th_pages_map      reserve and commit in one
 *   th_pages_map_guarded  the same between two pages that nobody may touch
 *   th_pages_lock     pages are never written to swap; th_pages_hide: nor to core dumps
 *
 * No page is ever code: to execute what stands in one is SIGSEGV, whatever its access.
 *
 * Sizes are bytes, and are rounded up to whole pages. Alignments are powers of two, 0 for any.
 * Ownership: the caller's, from reserve or map until release. A part (whole pages) of what was
 * reserved in one call may be committed, protected or released on its own.
 *
 * Kept pages. A system has room for so many mappings (Linux: vm.max_map_count), and may need one
 * more to take back a part of one: then it refuses. What was released is not the caller's any more
 * all the same. It is kept here, for the whole process: its memory is given back at once (unless it
 * is locked), its addresses are what th_pages_map gives out first, and the system is asked again at
 * later releases and by th_pages_return_kept, which slabs, size classes and large blocks on mapped
 * pages call when they are cleaned up. To touch kept pages is as wrong as to touch released ones,
 * but may not be SIGSEGV.
 *
 * Errors: the system's own refusals, nothing else is checked. TH_ERR_EXHAUSTED: no memory, no
 * addresses or no room for one more mapping, or (the system does not tell these apart) some of the
 * pages are not mapped at all. After each error the pages are still the caller's, as they were
 * before reserve or map; what else is so stands with each call.
 * Thread rule: any thread. Complexity: what the system makes of it. */
#ifndef TAGHEAP_PAGES_H
#define TAGHEAP_PAGES_H

#include <stddef.h>

#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_pages_access {
    TH_PAGES_NONE, /* any access is SIGSEGV; contents are kept */
    TH_PAGES_READ,
    TH_PAGES_READ_WRITE
} th_pages_access;

/* The size of a page: a power of two, asked of the system once. */
size_t th_pages_size(void);

/* `bytes` rounded up to whole pages; 0 if bytes is 0 or that exceeds PTRDIFF_MAX. */
size_t th_pages_round(size_t bytes);

/* Addresses for `bytes` bytes at a multiple of `alignment`, inaccessible. NULL iff bytes is 0 or
 * above PTRDIFF_MAX, the alignment is neither 0 nor a power of two, or the system has no such
 * addresses left. */
void *th_pages_reserve(size_t bytes, size_t alignment);

/* The same, accessible and zeroed: NULL also if the system refuses the memory. Memory that is not
 * touched may cost nothing yet; a system that promises more than it has ends programs later, where
 * nothing can be returned. */
void *th_pages_map(size_t bytes, size_t alignment);

/* As th_pages_map at any page, with a page before them and a page after them that are not
 * accessible: to touch either is SIGSEGV.
 *
 *   [ guard ][ bytes, rounded up to whole pages ][ guard ]
 *
 * They are released by th_pages_release_guarded, as a whole; the other calls take parts of them as
 * of any pages. NULL iff bytes is 0, both guards with it exceed PTRDIFF_MAX, or the system has no
 * such addresses, no such memory or no room for two more mappings. */
void *th_pages_map_guarded(size_t bytes);

/* Gives back what th_pages_map_guarded gave for `bytes` bytes, with its guards. Errors as
 * th_pages_release. */
th_status th_pages_release_guarded(void *pages, size_t bytes);

/* Makes pages of a reservation readable and writable; zeroed, if they were reserved or
 * decommitted, else as they are; of 0 bytes, nothing. TH_ERR_NULL, TH_ERR_MISALIGNED (`pages` is
 * not at a page's start) or TH_ERR_EXHAUSTED: all contents are as they were, but the first of the
 * pages, any number of them, may have the new access. Decommit or release all of them, or try
 * again. */
th_status th_pages_commit(void *pages, size_t bytes);

/* Gives the memory back and keeps the addresses: contents are lost, access is SIGSEGV. Errors as
 * th_pages_commit: all contents are as they were, and what has lost its access gets it again by
 * th_pages_commit. */
th_status th_pages_decommit(void *pages, size_t bytes);

/* Changes what may be done with committed pages. Errors as th_pages_commit; TH_ERR_CONFIG for an
 * access that is none of the three. */
th_status th_pages_protect(void *pages, size_t bytes, th_pages_access access);

/* Keeps pages in memory, so that their contents are never written to swap, until they are unlocked,
 * decommitted or released. TH_ERR_NULL; TH_ERR_MISALIGNED as th_pages_commit; TH_ERR_UNSUPPORTED:
 * this process may lock nothing; TH_ERR_EXHAUSTED: no more than its limit (RLIMIT_MEMLOCK), no
 * memory, or some of them are not accessible. After an error any number of the pages may be locked;
 * contents and access are as they were. A machine that is suspended to disk writes all memory
 * there; a child process has none of the locks. */
th_status th_pages_lock(void *pages, size_t bytes);

/* They may be swapped again. Errors as th_pages_lock; what is not locked is no error. */
th_status th_pages_unlock(void *pages, size_t bytes);

/* Leaves pages out of core dumps from now on. TH_ERR_NULL, TH_ERR_MISALIGNED; TH_ERR_UNSUPPORTED:
 * the system knows no such thing; TH_ERR_EXHAUSTED: no room for one more mapping, or some of the
 * pages are not mapped. */
th_status th_pages_hide(void *pages, size_t bytes);

/* Gives back pages and their addresses: neither is the caller's any more, also if the system
 * refuses and they are kept. TH_ERR_NULL, TH_ERR_MISALIGNED (also for 0 bytes, and for more than
 * there are addresses; nothing was given back), or TH_ERR_EXHAUSTED: the system refuses, and there
 * is no room to note that either, which happens only to pages that are not accessible, after 64
 * ranges of such pages; the memory was given back, the addresses were not. That some of the pages
 * are not mapped is not noticed. O(log ranges kept) expected, and a few calls of the system. */
th_status th_pages_release(void *pages, size_t bytes);

/* The bytes of addresses that are kept now, with what it takes to note them: 0 but for a process
 * that has come to the limit. O(1). */
size_t th_pages_kept(void);

/* Asks the system to take all kept pages, as long as it takes any; the bytes that are kept after
 * that. O(ranges kept) calls of the system each time that it refuses one and takes another. */
size_t th_pages_return_kept(void);

#ifdef __cplusplus
}
#endif
#endif
