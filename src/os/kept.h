/* SPDX-License-Identifier: MIT */
/* What src/os keeps because the system refused to take it back (tagheap/pages.h). */
#ifndef TH_OS_KEPT_H
#define TH_OS_KEPT_H

#include <stddef.h>

/* Kept memory as zeroed, accessible pages, the caller's from now on: `bytes` bytes, whole pages, at
 * a multiple of `alignment`, a page at least. NULL iff none of the `looks` ranges that were noted
 * last begins at such a multiple, is as long and can be made accessible. O(looks + bytes). */
void *th_kept_reuse(size_t bytes, size_t alignment, size_t looks);

#endif
