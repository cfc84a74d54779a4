/* SPDX-License-Identifier: MIT */
/* TagHeap: the public headers in one, for C11 and C++11. Beside it stands tagheap.c, which is
 * compiled once and linked. Made by `make dist`: change the sources, not this file. */
#ifndef TAGHEAP_H
#define TAGHEAP_H

/* @includes */

#ifdef __cplusplus
extern "C" {
#endif

/* @headers */

#ifdef __cplusplus
}
#endif
#endif
