/* SPDX-License-Identifier: MIT */
/* A tagged heap on pages of its own, which may be frozen: read-only between two phases of a
 * program, for every writer, our own calls and wild pointers alike.
 *
 *   [ guard ][ th_page_heap | region, index ][ guard ]
 *
 * The heap is used by its own calls, on &page_heap->heap. A write that leaves the pages at either
 * end is SIGSEGV at any time. While it is frozen:
 *
 *   calls that would change it raise TH_FAULT_FROZEN and give their failure value (heap.h)
 *   a write to a payload, a header or the th_heap itself is SIGSEGV
 *   th_heap_init, th_heap_attach and th_heap_copy to it write the th_heap, too
 *   walk, queries, th_heap_check and th_heap_copy of it go on
 *
 * What keeps books of its own in blocks of the heap is SIGSEGV, too, when it writes them.
 *
 * Ownership: th_page_heap_create's result is the caller's until th_page_heap_destroy.
 * Hosted builds on POSIX systems only. Thread rule: as the heap (tagheap/heap.h): with config.lock
 * any thread may freeze and thaw it, and others find it frozen, pages and all, or not at all.
 * create and destroy are for one alone. Complexity: what the system makes of it. */
#ifndef TAGHEAP_PAGE_HEAP_H
#define TAGHEAP_PAGE_HEAP_H

#include <stddef.h>

#include "tagheap/heap.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_page_heap {
    th_heap heap;
    size_t bytes; /* of all of it, rounded up to whole pages, guards apart; the library's own */
} th_page_heap;

/* A heap with a region of `bytes` bytes at least: what is left of the last page belongs to it, too.
 * NULL iff bytes is 0 or exceeds PTRDIFF_MAX with what comes before it and after it, the config
 * asks for an index in memory of the caller's, which would not be frozen (TH_HEAP_INDEX_GIVEN),
 * th_heap_init refuses the region with this config, or the system refuses pages. config may be
 * NULL. */
th_page_heap *th_page_heap_create(size_t bytes, const th_heap_config *config);

/* Makes the heap read-only. As th_heap_freeze, and TH_ERR_EXHAUSTED, with the heap as it was: the
 * system has no room for one more mapping. */
th_status th_page_heap_freeze(th_page_heap *page_heap);

/* Makes it an ordinary heap again. As th_heap_thaw, and TH_ERR_EXHAUSTED as above, or because the
 * system does not give so much memory to write to (RLIMIT_DATA): it stays frozen. After
 * TH_ERR_CORRUPT it can be written to, but is not thawed: it may be destroyed. */
th_status th_page_heap_thaw(th_page_heap *page_heap);

/* Ends the heap, frozen or not; one that is frozen without a write to it, so that it ends where the
 * system refuses to thaw it, too. Every pointer into it is dead, and to use one is SIGSEGV. Of what
 * refuses th_heap_clean_up (a call from inside a callback) nothing is heard but the fault: do not.
 * NULL is allowed. */
void th_page_heap_destroy(th_page_heap *page_heap);

#ifdef __cplusplus
}
#endif
#endif
