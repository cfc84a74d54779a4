/* SPDX-License-Identifier: MIT */
/* TH_ASSERT is for the library's own bugs only: what callers do wrong is a status or a fault.
 * TH_ASSERTS=1 (debug, sanitizer and fuzz builds) turns it on; at 0 it costs nothing. */
#ifndef TH_BASE_ASSERT_H
#define TH_BASE_ASSERT_H

#include <stdnoreturn.h>

#ifndef TH_ASSERTS
#define TH_ASSERTS 0
#endif

/* Ends the program through th_port_panic with "tagheap: assertion failed: FILE:LINE: TEXT". */
noreturn void th_assert_failed(const char *file, int line, const char *text);

#if TH_ASSERTS
#define TH_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : th_assert_failed(__FILE__, __LINE__, #condition))
#else
#define TH_ASSERT(condition) ((void)0)
#endif

#endif
