/* SPDX-License-Identifier: MIT */
/* What the misuse programs of pools, slabs, size classes and large blocks start with. */
#ifndef TESTS_MISUSE_COMPANIONS_H
#define TESTS_MISUSE_COMPANIONS_H

#define _DEFAULT_SOURCE

#include <sys/mman.h>

#include "misuse.h"
#include "tagheap/bump.h"
#include "tagheap/classes.h"
#include "tagheap/large.h"
#include "tagheap/pool.h"
#include "tagheap/slab.h"

/* An address that stands in a report is the same in each run. Nothing is there, unless it is
 * mapped. */
#define MISUSE_ELSEWHERE       ((void *)0x20000000)
#define MISUSE_ELSEWHERE_BYTES ((size_t)65536)

static th_pool pool;
static th_slab slab;
static th_classes classes;
static th_large large;

static inline void misuse_require(th_status status) {
    if (status != TH_OK) {
        exit(2);
    }
}

static inline th_guarding misuse_guarding(int argc, char **argv) {
    return (th_guarding){.level = misuse_level(argc, argv)};
}

static inline void misuse_start_pool(int argc, char **argv, size_t object_bytes) {
    const th_pool_config config = {.object_bytes = object_bytes,
                                   .memory = memory.region,
                                   .memory_bytes = sizeof memory.region,
                                   .guarding = misuse_guarding(argc, argv)};
    misuse_require(th_pool_init(&pool, &config));
}

static inline void misuse_start_slab(int argc, char **argv, size_t object_bytes) {
    const th_slab_config config = {.object_bytes = object_bytes,
                                   .guarding = misuse_guarding(argc, argv)};
    misuse_require(th_slab_init(&slab, &config));
}

static inline void misuse_start_classes(int argc, char **argv) {
    const th_classes_config config = {.guarding = misuse_guarding(argc, argv)};
    misuse_require(th_classes_init(&classes, &config));
}

static inline void misuse_start_large(int argc, char **argv) {
    const th_large_config config = {.guarding = misuse_guarding(argc, argv)};
    misuse_require(th_large_init(&large, &config));
}

/* The first block lies at MISUSE_ELSEWHERE. */
static inline void misuse_start_large_elsewhere(int argc, char **argv) {
    static th_bump bump;
    void *mapped = mmap(MISUSE_ELSEWHERE, MISUSE_ELSEWHERE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped != MISUSE_ELSEWHERE) {
        exit(2);
    }
    misuse_require(th_bump_init(&bump, mapped, MISUSE_ELSEWHERE_BYTES, NULL));
    const th_large_config config = {.backing = th_bump_allocator(&bump),
                                    .guarding = misuse_guarding(argc, argv)};
    misuse_require(th_large_init(&large, &config));
}

#endif
