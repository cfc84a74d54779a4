/* SPDX-License-Identifier: MIT */
/* Functions that run over every block or byte after every operation are compiled without
 * instrumentation, so that a fuzz build spends its time on the code under test: LAB_PLAIN marks
 * such a function, LAB_PLAIN_PART what is inlined into one. They only read memory whose
 * accessibility has been proved otherwise, or which is the harness's own. */
#ifndef LAB_RUNNER_PLAIN_H
#define LAB_RUNNER_PLAIN_H

#if defined(__clang__)
#define LAB_NO_CHECKS  no_sanitize("address", "memory", "undefined", "coverage")
#define LAB_PLAIN      __attribute__((LAB_NO_CHECKS, noinline))
#define LAB_PLAIN_PART static inline __attribute__((LAB_NO_CHECKS, always_inline))
#else
#define LAB_PLAIN
#define LAB_PLAIN_PART static inline
#endif

/* The same for memcheck, around accesses to memory that the heap has closed. */
#if defined(TH_TRACK_VALGRIND) && TH_TRACK_VALGRIND
#include <valgrind/memcheck.h>
#define LAB_BLIND_BEGIN VALGRIND_DISABLE_ERROR_REPORTING
#define LAB_BLIND_END   VALGRIND_ENABLE_ERROR_REPORTING
/* Bytes that were read there count as initialised from here on. */
#define LAB_TRUST(address, bytes) (void)VALGRIND_MAKE_MEM_DEFINED(address, bytes)
#else
#define LAB_BLIND_BEGIN           ((void)0)
#define LAB_BLIND_END             ((void)0)
#define LAB_TRUST(address, bytes) ((void)(address))
#endif

#endif
