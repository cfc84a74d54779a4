/* SPDX-License-Identifier: MIT */
/* Stands in for src/base/atomic.h when lock-free code is compiled for relacy (make relacy): the
 * same macros over relacy's atomic words, which may show each thread every value that its memory
 * order allows. */
#ifndef TH_BASE_ATOMIC_H
#define TH_BASE_ATOMIC_H

#include <relacy/relacy.hpp>

#include <stddef.h>
#include <stdint.h>

struct th_atomic_u32 {
    rl::atomic<uint32_t> word;
};

struct th_atomic_u64 {
    rl::atomic<uint64_t> word;
};

struct th_atomic_address {
    rl::atomic<uintptr_t> word;
};

struct th_plain_address {
    rl::var<uintptr_t> word;
};

struct th_mapped_u32 {
    rl::atomic<uint32_t> word;
};

#define TH_PLAIN_LOAD(place)         ((place)->word($).load())
#define TH_PLAIN_STORE(place, value) ((void)((place)->word($) = (value)))

/* May a weak exchange fail for no reason, once for each word? */
extern bool lab_relacy_fails_at_will;

#define TH_RELAXED rl::mo_relaxed
#define TH_ACQUIRE rl::mo_acquire
#define TH_RELEASE rl::mo_release

#define TH_ATOMIC_LOAD(place, order)            ((place)->word.load(order, $))
#define TH_ATOMIC_STORE(place, value, order)    ((place)->word.store(value, order, $))
#define TH_ATOMIC_EXCHANGE(place, value, order) ((place)->word.exchange(value, order, $))
#define TH_ATOMIC_ADD(place, value, order)      ((place)->word.fetch_add(value, order, $))
#define TH_ATOMIC_CAS(place, expected, value, order, otherwise)                                    \
    ((place)->word.compare_exchange_strong(*(expected), value, order, $, otherwise, $))
#define TH_ATOMIC_CAS_WEAK(place, expected, value, order, otherwise)                               \
    (lab_relacy_fails_at_will                                                                      \
         ? (place)->word.compare_exchange_weak(*(expected), value, order, $, otherwise, $)         \
         : TH_ATOMIC_CAS(place, expected, value, order, otherwise))
#define TH_MAPPED_LOAD(place, order)         TH_ATOMIC_LOAD(place, order)
#define TH_MAPPED_STORE(place, value, order) TH_ATOMIC_STORE(place, value, order)
#define TH_MAPPED_FENCE(order)               rl::atomic_thread_fence(order, $)

/* Time does not pass here; but the thread may end here. */
void th_atomic_back_off();

#define TH_ATOMIC_INIT(place, value) ((place)->word.store(value, rl::mo_relaxed, $))

#endif
