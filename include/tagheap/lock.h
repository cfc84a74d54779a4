/* SPDX-License-Identifier: MIT */
/* Locks, as the objects of this library take them: a few functions and what they work on. A zeroed
 * th_lock is none. Others are made from a spin lock (th_spin), from the interrupt mask of a machine
 * with one processor (th_interrupts), from a mutex of the operating system (mutex.h), or from
 * functions of your own.
 *
 *   static th_mutex mutex;
 *   th_mutex_init(&mutex);
 *   th_heap_init(&heap, region, sizeof region, &(th_heap_config){.lock = th_mutex_lock(&mutex)});
 *
 * Rules that hold for each object with a lock:
 *   Bounded.   It is held for one call, and in th_heap_compact_some for one step.
 *   Re-entry.  The locks of this library may be taken again by the thread that has them. So a call
 *              from inside a callback that runs under the lock comes to the object, which refuses
 *              it with a fault (TH_FAULT_REENTRY), and questions are answered. With a lock of your
 *              own that cannot be taken twice, such a call waits for ever.
 *   Order.     An object takes its own lock first, then that of its backing; the library never
 *              holds two locks in another order. Whoever holds several (th_heap_lock,
 *              th_locked_lock) takes them in one order everywhere: from the outermost allocator to
 *              the innermost, and objects of the same kind by address.
 *   Signals.   A handler may have interrupted its own thread under the lock, or while it was taking
 *              it. It must not wait: only calls with a time limit (th_locked_try_alloc,
 *              th_locked_try_free) may be made there, and say TH_ERR_BUSY; others raise
 *              TH_FAULT_REENTRY at best, and wait for ever at worst.
 *   fork.      The child has the memory, but only the thread that forked: a lock that another one
 *              held stays taken, and one that others waited for is given to them, who are not
 *              there. Take every lock before fork, let it go in the parent, and in the child renew
 *              it (th_mutex_renew, th_spin_renew); docs/threads.md shows this with
 *              pthread_atfork. */
#ifndef TAGHEAP_LOCK_H
#define TAGHEAP_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/atomic.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* No limit of time, in nanoseconds. */
#define TH_LOCK_FOREVER UINT64_MAX

/* Passed by value; it owns nothing, and is valid as long as what it was made from. */
typedef struct th_lock {
    void (*acquire)(void *context); /* both or none */
    void (*release)(void *context);
    /* Optional. Waits for the lock so many nanoseconds (0: not at all). True: it is taken. */
    bool (*try_acquire)(void *context, uint64_t timeout_ns);
    /* Optional, both or none: with the lock taken once, lets it go until another thread calls wake,
     * or *left_ns are over, and has it again when it returns. *left_ns becomes what is left of
     * them. False: they are over. It may return true for no reason. wake is called with the lock
     * taken, and ends every wait of that time: what is changed under the lock before wake is seen
     * by those that wait, or was seen before they began to. */
    bool (*wait)(void *context, uint64_t *left_ns);
    void (*wake)(void *context);
    void *context;
} th_lock;

/* Is it none, or does it have what it must have? */
bool th_lock_is_valid(const th_lock *lock);

/* Nothing, and true, for none. try_acquire of a lock without that function is false. */
void th_lock_acquire(const th_lock *lock);
void th_lock_release(const th_lock *lock);
bool th_lock_try_acquire(const th_lock *lock, uint64_t timeout_ns);

/* ---- spin locks ------------------------------------------------------------------------------
 *
 * A ticket lock: threads get it in the order in which they asked (Reed and Kanodia, CACM 22(2),
 * 1979; Mellor-Crummey and Scott, TOCS 9(1), 1991), so that nobody waits for more than one turn of
 * each other thread. For short sections on several processors; where threads share one, `relax`
 * has to let others run. */

typedef struct th_spin_hooks {
    uintptr_t (*thread)(void); /* a number of the calling thread, not 0, no other live thread's;
                                  NULL: unknown, and who takes the lock again waits for ever */
    void (*relax)(void);       /* called while it waits. NULL: nothing */
    uint64_t (*now_ns)(void);  /* a clock that never goes back. NULL: try_acquire does not wait */
} th_spin_hooks;

/* Its fields are the library's own. */
typedef struct th_spin {
    th_atomic_u32 next;      /* ticket */
    th_atomic_u32 serving;   /* the ticket that has the lock, or that gets it next */
    th_atomic_address owner; /* the thread that has it; 0: none, or unknown */
    volatile uint32_t depth; /* how often it took it again; a signal handler reads it */
    bool is_started;
    th_spin_hooks hooks;
} th_spin;

/* Fails, with *spin untouched, iff spin is NULL (TH_ERR_NULL), or there are no atomic
 * operations (TH_ERR_UNSUPPORTED: TH_ATOMIC is 0, atomic.h). hooks may be NULL (zeroed). Hosted
 * programs have th_spin_hosted_hooks (mutex.h). */
th_status th_spin_init(th_spin *spin, const th_spin_hooks *hooks);

/* Ends it: *spin is zeroed. Nobody may have it. NULL is allowed. */
void th_spin_clean_up(th_spin *spin);

/* For the child after a fork, by whoever forked: as it was after init with the same hooks, free,
 * whoever held it and waited for it in the parent. What it guards must be whole: either nobody held
 * it, or the thread that forked did. TH_OK, or TH_ERR_NULL for NULL and a zeroed one. */
th_status th_spin_renew(th_spin *spin);

/* With acquire, release and try_acquire. NULL or a zeroed one gives none. Tickets are 32 bits: up
 * to 2^32 - 1 threads may wait. */
th_lock th_spin_lock(th_spin *spin);

/* ---- the interrupt mask ----------------------------------------------------------------------
 *
 * On a machine with one processor and no operating system nothing gets in while interrupts are
 * masked: that is the lock. `mask` masks them and returns the state from before, which `restore`
 * puts back. On a Cortex-M:
 *
 *   static uintptr_t mask(void) { uint32_t was = __get_PRIMASK(); __disable_irq(); return was; }
 *   static void restore(uintptr_t was) { __set_PRIMASK(was); }
 *
 * It can be taken again; a handler finds it free, always: there try_acquire is always true. */

typedef uintptr_t (*th_interrupts_mask_fn)(void);
typedef void (*th_interrupts_restore_fn)(uintptr_t state);

/* Its fields are the library's own. */
typedef struct th_interrupts {
    th_interrupts_mask_fn mask;
    th_interrupts_restore_fn restore;
    uintptr_t state; /* from before it was taken first */
    uint32_t depth;
} th_interrupts;

/* Fails, with *interrupts untouched, iff a pointer is NULL (TH_ERR_NULL). */
th_status th_interrupts_init(th_interrupts *interrupts, th_interrupts_mask_fn mask,
                             th_interrupts_restore_fn restore);

/* Ends it: *interrupts is zeroed. NULL is allowed. */
void th_interrupts_clean_up(th_interrupts *interrupts);

/* With acquire, release and try_acquire. NULL or a zeroed one gives none. */
th_lock th_interrupts_lock(th_interrupts *interrupts);

#ifdef __cplusplus
}
#endif
#endif
