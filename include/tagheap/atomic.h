/* SPDX-License-Identifier: MIT */
/* Atomic words: the types of the fields that several threads work on at once (th_concurrent_pool,
 * th_thread_cache). They stand here so that those structures can be declared; what they hold is the
 * library's own, and src/base/atomic.h has the operations.
 *
 * TH_ATOMIC is 1 if this compiler and machine have operations on all of them that need no lock: gcc
 * and clang on machines with a compare and exchange of 64 bits. It is 0 on a Cortex-M3 and for tcc:
 * there the types are plain, and what needs them cannot be started (TH_ERR_UNSUPPORTED).
 * Thread rule: a word is accessed by the library only. */
#ifndef TAGHEAP_ATOMIC_H
#define TAGHEAP_ATOMIC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && defined(__GCC_ATOMIC_LLONG_LOCK_FREE) && __GCC_ATOMIC_LLONG_LOCK_FREE == 2
#define TH_ATOMIC 1
#else
#define TH_ATOMIC 0
#endif

/* In C++ they have the same layout, and are not to be touched. */
#if defined(__cplusplus)
#define TH_ATOMIC_QUALIFIER_
#define TH_ATOMIC_ALIGNAS_(bytes) alignas(bytes)
#elif TH_ATOMIC
#define TH_ATOMIC_QUALIFIER_      _Atomic
#define TH_ATOMIC_ALIGNAS_(bytes) _Alignas(bytes)
#else
#define TH_ATOMIC_QUALIFIER_
#define TH_ATOMIC_ALIGNAS_(bytes) _Alignas(bytes)
#endif

typedef struct th_atomic_u32 {
    TH_ATOMIC_ALIGNAS_(4) TH_ATOMIC_QUALIFIER_ uint32_t word;
} th_atomic_u32;

typedef struct th_atomic_u64 {
    TH_ATOMIC_ALIGNAS_(8) TH_ATOMIC_QUALIFIER_ uint64_t word;
} th_atomic_u64;

/* An address. */
typedef struct th_atomic_address {
    TH_ATOMIC_QUALIFIER_ uintptr_t word;
} th_atomic_address;

#ifdef __cplusplus
}
#endif
#endif
