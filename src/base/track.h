/* SPDX-License-Identifier: MIT */
/* The only seam to AddressSanitizer, MemorySanitizer and Valgrind. An allocator says here what
 * each byte of its memory is at the moment, in four words:
 *
 *   th_track_close   nobody may touch it (headers, slack, free memory)
 *   th_track_open    a caller's memory, contents indeterminate
 *   th_track_release ordinary memory again, contents as they are
 *   th_track_move    before the contents of an open payload are moved to a lower address
 *
 * and marks the few functions that look into closed memory on purpose: TH_TRACK_BLIND, with
 * th_track_blind_begin/end inside for Valgrind, which has no attribute. TH_TRACK_BLIND_INLINE is
 * its form for headers. TH_TRACK_BLIND_PART marks a part of such a function: it is inlined there
 * and must not be used anywhere else.
 *
 * ASan keeps one shadow byte for 8 bytes: it can express "the first k of these 8 are open", not
 * "the last k". Opening therefore starts at a multiple of 8, which may expose up to 4 bytes of
 * the header below a payload, and is exact at the end. In builds without any of the tools
 * everything here is nothing. */
#ifndef TH_BASE_TRACK_H
#define TH_BASE_TRACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

#define TH_TRACK_ASAN TH_COMPILER_ASAN
#if TH_TRACK_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define TH_TRACK_MSAN TH_COMPILER_MSAN
#if TH_TRACK_MSAN
#include <sanitizer/msan_interface.h>
#endif

#ifndef TH_TRACK_VALGRIND
#define TH_TRACK_VALGRIND 0
#endif
#if TH_TRACK_VALGRIND
#include <valgrind/memcheck.h>
#endif

/* Does a tool look for data races, byte by byte? */
#define TH_TRACK_THREADS (TH_COMPILER_TSAN || TH_TRACK_VALGRIND)

#define TH_TRACK_ANY (TH_TRACK_ASAN || TH_TRACK_MSAN || TH_TRACK_VALGRIND)

/* Blind functions visit every block or every byte: UBSan and coverage leave them out too, so that a
 * fuzz build spends its time on the code that changes the heap. Inlined into a function that is
 * instrumented they would be instrumented with it. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN
#define TH_TRACK_BLIND        TH_NO_CHECKS TH_NOINLINE
#define TH_TRACK_BLIND_INLINE static TH_TRACK_BLIND TH_UNUSED
#else
#define TH_TRACK_BLIND        TH_NO_CHECKS
#define TH_TRACK_BLIND_INLINE TH_TRACK_BLIND static inline
#endif
#define TH_TRACK_BLIND_PART static inline TH_NO_CHECKS TH_ALWAYS_INLINE

static inline void th_track_blind_begin(void) {
#if TH_TRACK_VALGRIND
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

static inline void th_track_blind_end(void) {
#if TH_TRACK_VALGRIND
    VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

/* Fills memory that may be closed. ASan checks memset even where nothing else is checked, so there
 * it is a loop which the compiler must not turn into a memset. */
#if TH_TRACK_ASAN
TH_NO_CHECKS TH_NO_MEMSET TH_NOINLINE TH_UNUSED static void
th_track_fill(void *address, unsigned char value, size_t bytes) {
    unsigned char *at = address;
    for (size_t i = 0; i < bytes; i++) {
        at[i] = value;
    }
}
#else
static inline void th_track_fill(void *address, unsigned char value, size_t bytes) {
    th_track_blind_begin();
    memset(address, value, bytes);
    th_track_blind_end();
}
#endif

static inline void th_track_close(const void *address, size_t bytes) {
    (void)address;
    (void)bytes;
#if TH_TRACK_ASAN
    __asan_poison_memory_region(address, bytes);
#elif TH_TRACK_MSAN
    __msan_poison(address, bytes);
#elif TH_TRACK_VALGRIND
    VALGRIND_MAKE_MEM_NOACCESS(address, bytes);
#endif
}

static inline void th_track_open(const void *address, size_t bytes) {
    (void)address;
    (void)bytes;
#if TH_TRACK_ASAN
    size_t below = (uintptr_t)address & 7;
    __asan_unpoison_memory_region((const char *)address - below, bytes + below);
#elif TH_TRACK_MSAN
    __msan_allocated_memory(address, bytes); /* poisons, and names this place as the origin */
#elif TH_TRACK_VALGRIND
    VALGRIND_MAKE_MEM_UNDEFINED(address, bytes);
#endif
}

static inline void th_track_release(const void *address, size_t bytes) {
    (void)address;
    (void)bytes;
#if TH_TRACK_ASAN
    __asan_unpoison_memory_region(address, bytes);
#elif TH_TRACK_MSAN
    __msan_unpoison(address, bytes);
#elif TH_TRACK_VALGRIND
    VALGRIND_MAKE_MEM_DEFINED(address, bytes);
#endif
}

/* Values that were read from anywhere on purpose count as initialised from here on. */
static inline void th_track_trust(const void *address, size_t bytes) {
    (void)address;
    (void)bytes;
#if TH_TRACK_MSAN
    __msan_unpoison(address, bytes);
#elif TH_TRACK_VALGRIND
    (void)VALGRIND_MAKE_MEM_DEFINED(address, bytes);
#endif
}

/* Opens what lies between `to` and the open payload at `from` above it, so that memmove may write
 * there; what the two places share keeps its contents and their definedness. The caller closes
 * what the move vacates. */
static inline void th_track_move(const void *from, const void *to, size_t bytes) {
    size_t distance = (size_t)((uintptr_t)from - (uintptr_t)to);
    th_track_open(to, distance < bytes ? distance : bytes);
}

#endif
