/* SPDX-License-Identifier: MIT */
/* A stack of numbers that any thread pushes and pops, without a lock: a Treiber stack (IBM Research
 * Report RJ 5118, 1986) of which the links stand in a table of their own, one for each number.
 *
 *   head   [ tag : 32 | index : 32 ]   index: the number on top, TH_INDEX_NONE if there is none
 *   links  [i]: the number below i, TH_INDEX_NONE below the last. Of a number that is not on the
 *          stack the link is its owner's, up to TH_INDEX_NONE.
 *
 * ABA. A thread that pops reads the top A and the link of A, B. Before it exchanges, others may pop
 * A, pop B and push A: A is on top again, and B is not below it. Each pop adds 1 to the tag, so the
 * exchange fails. (A push need not: a number comes back to the top only after a pop.) The tag has
 * 32 bits: what is not covered is a thread that is stopped between its two accesses while exactly a
 * multiple of 2^32 pops are done and the same number is on top.
 *
 * Progress: lock-free. An exchange fails only because another one succeeded (or, on machines that
 * may fail for no reason, is tried again), so some thread always gets on; a single thread may
 * fail any number of times: not wait-free.
 *
 * Memory orders. Every change of the head is a read-modify-write, so whoever reads a head that any
 * push has released since then synchronizes with that push (C11 5.1.2.4, release sequences): the
 * release of a push is enough, and a pop need not release anything.
 *
 * Plain functions over the macros of base/atomic.h, in the common part of C and C++: `make relacy`
 * compiles this same file. */
#ifndef TH_ALLOC_INDEX_STACK_H
#define TH_ALLOC_INDEX_STACK_H

#include <stdbool.h>

#include "base/atomic.h"

#define TH_INDEX_NONE     UINT32_MAX
#define TH_INDEX_TAG_BITS 32

static inline uint64_t th_index_stack_pack(uint64_t tag, uint32_t index) {
    return tag << TH_INDEX_TAG_BITS | index;
}

static inline uint32_t th_index_stack_top(uint64_t head) {
    return (uint32_t)head;
}

static inline uint64_t th_index_stack_tag(uint64_t head) {
    return head >> TH_INDEX_TAG_BITS;
}

/* Takes the number on top; TH_INDEX_NONE iff the stack was empty at some moment of the call. */
static inline uint32_t th_index_stack_pop(th_atomic_u64 *head, th_atomic_u32 *links) {
    /* Acquire: with it come the link that the push of this number wrote, and all that the thread
     * that pushed it did to what it stands for. */
    uint64_t old = TH_ATOMIC_LOAD(head, TH_ACQUIRE);
    while (th_index_stack_top(old) != TH_INDEX_NONE) {
        uint32_t index = th_index_stack_top(old);
        /* Relaxed: the acquire above orders it. The number may have been popped meanwhile, and its
         * link be anything: then the tag has changed, and what is read here is thrown away. */
        uint32_t below = TH_ATOMIC_LOAD(&links[index], TH_RELAXED);
        uint64_t next = th_index_stack_pack(th_index_stack_tag(old) + 1, below);
        /* Relaxed: the load that read this head has acquired it, and after a failure another one
         * reads the next. */
        if (TH_ATOMIC_CAS_WEAK(head, &old, next, TH_RELAXED, TH_RELAXED)) {
            return index;
        }
        th_atomic_back_off();
        old = TH_ATOMIC_LOAD(head, TH_ACQUIRE);
    }
    return TH_INDEX_NONE;
}

/* Puts the number, which is the caller's, on top. */
static inline void th_index_stack_push(th_atomic_u64 *head, th_atomic_u32 *links, uint32_t index) {
    /* Relaxed: the number read here becomes a link, and nothing of what it stands for is read. */
    uint64_t old = TH_ATOMIC_LOAD(head, TH_RELAXED);
    for (;;) {
        uint64_t next = th_index_stack_pack(th_index_stack_tag(old), index);
        /* Relaxed: the release below orders it. */
        TH_ATOMIC_STORE(&links[index], th_index_stack_top(old), TH_RELAXED);
        /* Release: the link, and all that this thread did to what the number stands for, come
         * before it for the thread that pops it. On failure relaxed, as the load above. */
        if (TH_ATOMIC_CAS_WEAK(head, &old, next, TH_RELEASE, TH_RELAXED)) {
            return;
        }
        th_atomic_back_off();
        old = TH_ATOMIC_LOAD(head, TH_RELAXED);
    }
}

#endif
