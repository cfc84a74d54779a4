/* SPDX-License-Identifier: MIT */
/* A word by which processes that share memory tell each other what its other words are worth, and
 * how one that may not lock reads those without tearing (a sequence counter: C. Lameter, "Effective
 * Synchronization on Linux/NUMA Systems", 2005; H.-J. Boehm, "Can Seqlocks Get Along with
 * Programming Language Memory Models?", MSPC 2012):
 *
 *   th_publish(&word, BUSY);       first = th_published(&word);
 *   ... stores ...                 ... loads, thrown away if first is BUSY, or if not: ...
 *   th_publish(&word, DONE);       th_published_still(&word) == first
 *
 * What a process has stored that ends in between is ordered in the same way.
 *
 * In the common part of C and C++: `make relacy` compiles this same file. */
#ifndef TH_BASE_PUBLISH_H
#define TH_BASE_PUBLISH_H

#include <stdint.h>

#include "base/atomic.h"

/* Whatever was stored before is stored when this is, and whatever is stored later is stored after
 * it. */
static inline void th_publish(th_mapped_u32 *word, uint32_t value) {
    /* Release: who loads this value sees what was stored before. */
    TH_MAPPED_STORE(word, value, TH_RELEASE);
    /* Release, again: who loads anything that is stored from here on finds this value, or a later
     * one, if it looks once more. */
    TH_MAPPED_FENCE(TH_RELEASE);
}

/* Nothing that is loaded later was loaded before it. */
static inline uint32_t th_published(const th_mapped_u32 *word) {
    /* Acquire: with the value comes all that was stored before it. */
    return TH_MAPPED_LOAD(word, TH_ACQUIRE);
}

/* The same once more, after what was to be loaded in between. */
static inline uint32_t th_published_still(const th_mapped_u32 *word) {
    /* Acquire: what was loaded before this was loaded, and with it comes what was published before
     * it was stored. The load itself needs nothing more. */
    TH_MAPPED_FENCE(TH_ACQUIRE);
    return TH_MAPPED_LOAD(word, TH_RELAXED);
}

#endif
