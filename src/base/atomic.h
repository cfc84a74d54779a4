/* SPDX-License-Identifier: MIT */
/* The only seam to atomic operations. What is lock-free here is written in these macros alone, so
 * that the same source is compiled three times:
 *
 *   the library    C11's operations (this file)
 *   make relacy    relacy's, which tries every memory order's every effect
 *                  (sanitize/relacy/base/atomic.h stands in for this file)
 *   suites         with TH_ATOMIC_STEPS each operation first calls th_atomic_step, by which a
 *                  scheduler or a test takes its turn (fuzz/interleave)
 *
 * `place` points to a th_atomic_* of tagheap/atomic.h. A memory order is one of TH_RELAXED,
 * TH_ACQUIRE, TH_RELEASE; who uses one says why it is enough. Nothing is sequentially consistent:
 * no algorithm here compares the order of accesses to two words.
 *
 *   TH_ATOMIC_LOAD(place, order)
 *   TH_ATOMIC_STORE(place, value, order)
 *   TH_ATOMIC_EXCHANGE(place, value, order)      returns what was there
 *   TH_ATOMIC_ADD(place, value, order)           returns what was there
 *   TH_ATOMIC_CAS(place, expected, value, order, otherwise)
 *       *expected == there: stores value, true. Else *expected becomes what is there: false, with
 *       the order `otherwise`, which C11 wants no stronger than `order`.
 *   TH_ATOMIC_CAS_WEAK    the same, for loops: may be false for no reason
 *   TH_ATOMIC_INIT(place, value)                 before any other thread knows of the word
 *   TH_PLAIN_LOAD(place), TH_PLAIN_STORE(place, value)
 *       an ordinary word, a th_plain_address: relacy reports it if two threads access it, and
 *       nothing orders the two.
 *   TH_MAPPED_LOAD(place, order), TH_MAPPED_STORE(place, value, order), TH_MAPPED_FENCE(order)
 *       an ordinary word of memory that processes share, a th_mapped_u32, and fences. They are
 *       there, too, where there are no atomic operations of 64 bits; a compiler without any makes
 *       plain accesses of them, which it must not leave out. */
#ifndef TH_BASE_ATOMIC_H
#define TH_BASE_ATOMIC_H

#include <assert.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "tagheap/atomic.h"

typedef uintptr_t th_plain_address;
typedef uint32_t th_mapped_u32;

#define TH_PLAIN_LOAD(place)         (*(place))
#define TH_PLAIN_STORE(place, value) ((void)(*(place) = (value)))

static_assert(sizeof(th_atomic_u32) == sizeof(uint32_t), "as it is declared to C++");
static_assert(sizeof(th_atomic_u64) == sizeof(uint64_t), "as it is declared to C++");
static_assert(sizeof(th_atomic_address) == sizeof(uintptr_t), "as it is declared to C++");

/* 1: a step before each operation. Where there are assertions, unless a build says otherwise. */
#ifndef TH_ATOMIC_STEPS
#define TH_ATOMIC_STEPS TH_ASSERTS
#endif

#if TH_ATOMIC_STEPS
/* Called before each atomic operation, with the word that it is on; and with NULL after an exchange
 * that failed, before what led to it is done anew. NULL: nothing is called. Set by one thread,
 * while no other one works on atomic words. */
typedef void (*th_atomic_step_fn)(const volatile void *word, size_t bytes);
extern th_atomic_step_fn th_atomic_step;

static inline void th_atomic_take_step(const volatile void *word, size_t bytes) {
    if (th_atomic_step != NULL) {
        th_atomic_step(word, bytes);
    }
}

#define TH_ATOMIC_STEP_(place) th_atomic_take_step(&(place)->word, sizeof(place)->word)
#else
#define TH_ATOMIC_STEP_(place) ((void)0)
#endif

#if TH_ATOMIC
#include <stdatomic.h>

#define TH_RELAXED memory_order_relaxed
#define TH_ACQUIRE memory_order_acquire
#define TH_RELEASE memory_order_release

#define TH_ATOMIC_LOAD(place, order)                                                               \
    (TH_ATOMIC_STEP_(place), atomic_load_explicit(&(place)->word, order))
#define TH_ATOMIC_STORE(place, value, order)                                                       \
    (TH_ATOMIC_STEP_(place), atomic_store_explicit(&(place)->word, value, order))
#define TH_ATOMIC_EXCHANGE(place, value, order)                                                    \
    (TH_ATOMIC_STEP_(place), atomic_exchange_explicit(&(place)->word, value, order))
#define TH_ATOMIC_ADD(place, value, order)                                                         \
    (TH_ATOMIC_STEP_(place), atomic_fetch_add_explicit(&(place)->word, value, order))
#define TH_ATOMIC_CAS(place, expected, value, order, otherwise)                                    \
    (TH_ATOMIC_STEP_(place),                                                                       \
     atomic_compare_exchange_strong_explicit(&(place)->word, expected, value, order, otherwise))
#define TH_ATOMIC_CAS_WEAK(place, expected, value, order, otherwise)                               \
    (TH_ATOMIC_STEP_(place),                                                                       \
     atomic_compare_exchange_weak_explicit(&(place)->word, expected, value, order, otherwise))
#define TH_ATOMIC_INIT(place, value) atomic_init(&(place)->word, value)

#else
#if TH_COMPILER_GNU
#define TH_RELAXED __ATOMIC_RELAXED
#define TH_ACQUIRE __ATOMIC_ACQUIRE
#define TH_RELEASE __ATOMIC_RELEASE
#else
#define TH_RELAXED 0
#define TH_ACQUIRE 0
#define TH_RELEASE 0
#endif

/* So that it compiles. Nothing that uses it can be started, but th_mutex, whose owner is one word
 * of the machine, loaded and stored by itself, and huge pages, whose size is such a word. */

#define TH_ATOMIC_LOAD(place, order)            ((void)(order), (place)->word)
#define TH_ATOMIC_STORE(place, value, order)    ((void)(order), (void)((place)->word = (value)))
#define TH_ATOMIC_INIT(place, value)            ((void)((place)->word = (value)))
#define TH_ATOMIC_EXCHANGE(place, value, order) ((void)(order), (place)->word = (value))
#define TH_ATOMIC_ADD(place, value, order)      ((void)(order), (place)->word += (value))
#define TH_ATOMIC_CAS(place, expected, value, order, otherwise)                                    \
    ((void)(order), (void)(otherwise),                                                             \
     (place)->word == *(expected) ? ((place)->word = (value), 1)                                   \
                                  : (*(expected) = (place)->word, 0))
#define TH_ATOMIC_CAS_WEAK TH_ATOMIC_CAS
#endif

/* After an exchange that has failed: another processor has the word. To try again at once takes it
 * away before that one has done its next operation as well, and both are slower than with a lock.
 * What a pause gains stands in docs/lock-free.md. Nothing where the processor has no such hint. */
#define TH_ATOMIC_PAUSES 64u

static inline void th_atomic_back_off(void) {
#if TH_ATOMIC_STEPS
    th_atomic_take_step(NULL, 0);
#endif
#if TH_COMPILER_GNU && (defined(__x86_64__) || defined(__i386__))
    for (unsigned i = 0; i < TH_ATOMIC_PAUSES; i++) {
        __builtin_ia32_pause();
    }
#endif
}

#if TH_COMPILER_GNU
#define TH_MAPPED_LOAD(place, order)         __atomic_load_n(place, order)
#define TH_MAPPED_STORE(place, value, order) __atomic_store_n(place, value, order)
#define TH_MAPPED_FENCE(order)               __atomic_thread_fence(order)
#else
#define TH_MAPPED_LOAD(place, order) ((void)(order), *(const volatile uint32_t *)(place))
#define TH_MAPPED_STORE(place, value, order)                                                       \
    ((void)(order), (void)(*(volatile uint32_t *)(place) = (value)))
#define TH_MAPPED_FENCE(order) ((void)(order))
#endif

#endif
