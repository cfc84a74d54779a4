/* SPDX-License-Identifier: MIT */
/* What the other public headers say to compilers that understand it, and what C11 or C++11 knows
 * of it for all others. */
#ifndef TAGHEAP_COMPILER_H
#define TAGHEAP_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define TH_NORETURN __attribute__((__noreturn__)) /* the function does not return */
#define TH_UNUSED   __attribute__((__unused__))   /* no warning if nobody uses it */
#else
#if defined(__cplusplus)
#define TH_NORETURN [[noreturn]]
#else
#define TH_NORETURN _Noreturn
#endif
#define TH_UNUSED
#endif

#endif
