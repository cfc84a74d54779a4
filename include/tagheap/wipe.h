/* SPDX-License-Identifier: MIT */
/* Wiping: to overwrite what must not be read by whoever gets the memory next. A plain memset of
 * memory that is not read again is dropped by compilers, which see that it changes nothing; this is
 * not, at any level of optimization, across files neither (tests/scripts/test_wipe.py).
 *
 * What a compiler has copied elsewhere (registers, other places of the stack) it does not reach,
 * nor what the system has written to swap or into a core dump before: th_pages_lock and
 * th_pages_hide (tagheap/pages.h) see to these.
 *
 * Thread rule: as memset. Source: C11 K.3.7.4.1 (memset_s), explicit_bzero of OpenBSD. */
#ifndef TAGHEAP_WIPE_H
#define TAGHEAP_WIPE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets memory[0 .. bytes-1] to 0. NULL is allowed, and so are 0 bytes: nothing happens. O(bytes).
 */
void th_memory_wipe(void *memory, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
