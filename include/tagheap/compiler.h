/* SPDX-License-Identifier: MIT */
/* What the other public headers say to compilers that understand it, and what C11 or C++11 knows
 * of it for all others. */
#ifndef TAGHEAP_COMPILER_H
#define TAGHEAP_COMPILER_H

#include <stddef.h>

/* A constant as a size_t, in a way that neither language warns of. */
#if defined(__cplusplus)
#define TH_SIZE_C(number) static_cast<size_t>(number)
#else
#define TH_SIZE_C(number) ((size_t)(number))
#endif

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
