/* SPDX-License-Identifier: MIT */
/* The placement-policy heap: th_offsets over memory, as an allocator, to compare placement policies
 * on the same requests. For study, not for use: its calls look their block up, O(extents). It is no
 * part of the library, but an archive of its own: link with -ltagheap-study -ltagheap.
 *
 * Ownership: the caller owns the memory, the bookkeeping and the th_fit_heap. Sizes are bytes.
 * Thread rule and faults: those of offsets.h; pointers that are no live block's raise a fault at
 * every level. */
#ifndef TAGHEAP_FIT_HEAP_H
#define TAGHEAP_FIT_HEAP_H

#include "tagheap/allocator.h"
#include "tagheap/offsets.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Its fields are the library's own. Zeroed, it is a heap without memory. */
typedef struct th_fit_heap {
    th_offsets offsets;
    unsigned char *memory;
} th_fit_heap;

/* As th_offsets_init, for memory[0 .. bytes-1], which may be aligned to anything; TH_ERR_NULL also
 * if memory is NULL. A request for an alignment that memory does not have is refused: only offsets
 * are aligned. */
th_status th_fit_heap_init(th_fit_heap *heap, void *memory, size_t bytes, void *bookkeeping,
                           size_t bookkeeping_bytes, const th_offsets_config *config);

/* Ends it: the memory is ordinary again, *heap is zeroed. NULL is allowed. */
void th_fit_heap_clean_up(th_fit_heap *heap);

/* Frees every block. TH_OK, or TH_ERR_NULL for NULL and a zeroed heap. O(nodes). */
th_status th_fit_heap_reset(th_fit_heap *heap);

/* Those of its offsets; all of them are 0 for NULL and a zeroed heap. */
th_offsets_stats th_fit_heap_get_stats(const th_fit_heap *heap);

/* As th_offsets_check. */
th_status th_fit_heap_check(const th_fit_heap *heap, th_fault *fault);

/* The heap as an allocator, valid as long as *heap is. */
th_allocator th_fit_heap_allocator(th_fit_heap *heap);

#ifdef __cplusplus
}
#endif
#endif
