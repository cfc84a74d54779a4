/* SPDX-License-Identifier: MIT */
/* What the companion allocators share: guard levels, fault reports, checked patterns, and what a
 * config may name as a backing. */
#ifndef TH_ALLOC_GUARDING_H
#define TH_ALLOC_GUARDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/guard_max.h"
#include "base/no_fault.h"
#include "base/pattern.h"
#include "base/track.h"
#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

static inline bool th_guarding_is_valid(const th_guarding *guarding) {
    return guarding->level >= 0 && guarding->level <= 3;
}

/* No backing, or one that can allocate and free? */
static inline bool th_backing_is_usable(const th_allocator *backing) {
    return backing->table == NULL ||
           (backing->table->alloc != NULL && backing->table->free != NULL);
}

/* The level that counts: a constant 0 where the build contains no guards. */
static inline int th_guarding_level(const th_guarding *guarding) {
#if TH_GUARD > 0
    return guarding->level < TH_GUARD ? guarding->level : TH_GUARD;
#else
    (void)guarding;
    return 0;
#endif
}

/* Is there no object? A constant no where the build contains no guards: for the calls for which two
 * instructions more are a tenth. */
static inline bool th_guarding_is_null(const void *object) {
#if TH_GUARD > 0
    return object == NULL;
#else
    (void)object;
    return false;
#endif
}

/* Must be known which bytes were asked for? From level 1 on, and where a tool wants to know it. */
static inline bool th_guarding_watches(int level) {
#if TH_TRACK_ANY
    (void)level;
    return true;
#else
    return level >= 1;
#endif
}

/* Reports to the handler. An expected or found value beyond 32 bits becomes 2^32 - 1: a size or a
 * count never a smaller one that could be true. Of an address the callers give the low 32 bits. */
void th_guarding_raise(const th_guarding *guarding, th_fault_kind kind, size_t block, size_t offset,
                       uint64_t expected, uint64_t found);

/* Of a call that is refused whatever it asks for: TH_FAULT_REENTRY, it comes from inside a
 * callback; TH_FAULT_FROZEN, what it would change is frozen. */
void th_guarding_raise_refusal(const th_guarding *guarding, th_fault_kind kind);

static inline void th_guarding_raise_reentry(const th_guarding *guarding) {
    th_guarding_raise_refusal(guarding, TH_FAULT_REENTRY);
}

/* Fills in *fault, which may be NULL, for a checker. */
void th_guarding_describe(th_fault *fault, th_fault_kind kind, size_t block, size_t offset,
                          uint64_t expected, uint64_t found);

/* The same, and what the checker returns then. A compiler that sees only the caller must know that
 * it is never TH_OK: after TH_OK the caller uses what the checker has found. */
static inline th_status th_guarding_corrupt(th_fault *fault, th_fault_kind kind, size_t block,
                                            size_t offset, uint64_t expected, uint64_t found) {
    th_guarding_describe(fault, kind, block, offset, expected, found);
    return TH_ERR_CORRUPT;
}

/* The canary of the bytes [0, bytes) at `at`, closed or not, by their distance from `start`, an
 * address: where the block or all of the memory begins. */
void th_guarding_write_canary(uintptr_t start, void *at, size_t bytes);

/* TH_ERR_CORRUPT, with *fault (which may be NULL) about the first bad byte, if they do not hold it
 * any more. `block` is the fault's, its `offset` is counted from `start`. */
th_status th_guarding_find_canary(uintptr_t start, const void *at, size_t bytes, size_t block,
                                  th_fault *fault);

/* Hands on what a checker found. */
void th_guarding_report(const th_guarding *guarding, const th_fault *fault);

/* What a checker said: true if it is TH_OK; else the fault is handed on. */
static inline bool th_guarding_passes(const th_guarding *guarding, th_status status,
                                      const th_fault *fault) {
    if (status == TH_OK) {
        return true;
    }
    th_guarding_report(guarding, fault);
    return false;
}

/* Defines th_<noun>_settle, which ends each operation: at level 3 the checker proves the whole
 * object, and what it finds is handed on. */
#define TH_DEFINE_SETTLE(noun)                                                                     \
    static inline void th_##noun##_settle(const th_##noun *object) {                               \
        th_fault fault;                                                                            \
        if (th_guarding_level(&object->config.guarding) >= 3) {                                    \
            (void)th_guarding_passes(&object->config.guarding, th_##noun##_check(object, &fault),  \
                                     &fault);                                                      \
        }                                                                                          \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

/* Defines th_<noun>_is_sound, to be asked before many blocks are dealt with at once: from level 1
 * on the checker proves the whole object, and what it finds is handed on. */
#define TH_DEFINE_IS_SOUND(noun)                                                                   \
    static inline bool th_##noun##_is_sound(const th_##noun *object) {                             \
        th_fault fault;                                                                            \
        if (th_guarding_level(&object->config.guarding) < 1) {                                     \
            return true;                                                                           \
        }                                                                                          \
        return th_guarding_passes(&object->config.guarding, th_##noun##_check(object, &fault),     \
                                  &fault);                                                         \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#endif
