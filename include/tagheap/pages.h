/* SPDX-License-Identifier: MIT */
/* Pages: memory straight from the operating system, in whole pages. The allocators that map memory
 * do it through these calls, and only through them. Hosted builds on POSIX systems only.
 *
 *   th_pages_reserve  addresses that nobody may touch; they cost no memory
 *   th_pages_commit   pages of a reservation become zeroed memory
 *   th_pages_decommit and addresses again; the memory goes back to the system
 *   th_pages_release  the addresses go back, too
 *   th_pages_map      reserve and commit in one
 *
 * Sizes are bytes, and are rounded up to whole pages. Alignments are powers of two, 0 for any.
 * Ownership: the caller's, from reserve or map until release. A part (whole pages) of what was
 * reserved in one call may be committed, protected or released on its own.
 * Errors: the system's own refusals, nothing else is checked. TH_ERR_EXHAUSTED: no memory, or no
 * addresses, or (the system does not tell these apart) some of the pages are not mapped at all.
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

/* The size of a page: a power of two, asked of the system at each call. */
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

/* Makes pages of a reservation readable and writable; zeroed, if they were reserved or
 * decommitted, else as they are; of 0 bytes, nothing. TH_ERR_NULL, TH_ERR_MISALIGNED (`pages` is
 * not at a page's start) or TH_ERR_EXHAUSTED, and then pages before the first one that is not
 * mapped may have changed. */
th_status th_pages_commit(void *pages, size_t bytes);

/* Gives the memory back and keeps the addresses: contents are lost, access is SIGSEGV. Errors as
 * th_pages_commit. */
th_status th_pages_decommit(void *pages, size_t bytes);

/* Changes what may be done with committed pages. Errors as th_pages_commit; TH_ERR_CONFIG for an
 * access that is none of the three. */
th_status th_pages_protect(void *pages, size_t bytes, th_pages_access access);

/* Gives back pages and their addresses. TH_ERR_NULL, TH_ERR_MISALIGNED (also for 0 bytes, and for
 * more than there are addresses), or TH_ERR_EXHAUSTED: the system could not split a mapping;
 * nothing was given back. That some of the pages are not mapped is not noticed. */
th_status th_pages_release(void *pages, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
