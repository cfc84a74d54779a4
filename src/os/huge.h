/* SPDX-License-Identifier: MIT */
/* Huge pages of a given size, so that other systems than this one can be played in tests. What the
 * system has answered holds as long as the process (huge_pages.c): what was rounded by it is
 * rounded alike when it is released. */
#ifndef TH_OS_HUGE_H
#define TH_OS_HUGE_H

#include <stdbool.h>

#include "tagheap/huge_pages.h"

/* th_huge_pages_size, asked anew, to *size. False, and *size is 0: the system could not say, for a
 * reason that passes. */
bool th_huge_ask_size(size_t *size);

/* th_huge_pages_round and th_huge_pages_map where huge pages have `huge` bytes; 0: there are none.
 */
size_t th_huge_round(size_t bytes, size_t huge);
void *th_huge_map(size_t bytes, size_t huge, th_huge_pages_kind *kind);

#endif
