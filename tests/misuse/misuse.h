/* SPDX-License-Identifier: MIT */
/* What the misuse programs share. Each is one realistic mistake, on a small heap or with another
 * allocator; the guilty line is marked. The comment at its top says, for scripts/misuse, what each
 * detector reports:
 *
 *   guards    at guard level 3: the line on standard error, before the program aborts
 *   level 2   the same at lower levels; "same": the same line
 *   level 1
 *   asan      the words of AddressSanitizer's report, whose first frame is the guilty line
 *   memcheck  the same of Valgrind's memcheck
 *   msan      the same of MemorySanitizer
 *   lsan      the same of LeakSanitizer alone; may be absent: like guards
 *
 * "nothing": the program prints nothing and ends with status 0. "SIGSEGV": that signal ends it.
 * "guards": the tool itself has nothing to say, and what is reported is the guards' line. */
#ifndef TESTS_MISUSE_MISUSE_H
#define TESTS_MISUSE_MISUSE_H

#include <stdalign.h>
#include <stdlib.h>

#include "tagheap/heap.h"

static th_heap heap;

static struct {
    alignas(64) unsigned char region[1024];
    unsigned char outside[64];
} memory;

/* The guard level is the first argument; without one it is the highest. */
static inline int misuse_level(int argc, char **argv) {
    return argc > 1 ? atoi(argv[1]) : th_guard_max();
}

static inline void misuse_start(int argc, char **argv, size_t alignment) {
    const th_heap_config config = {.alignment = alignment,
                                   .guarding.level = misuse_level(argc, argv)};
    if (th_heap_init(&heap, memory.region, sizeof memory.region, &config) != TH_OK) {
        exit(2);
    }
}

#endif
