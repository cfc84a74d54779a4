/* SPDX-License-Identifier: MIT */
/* What of locks needs no operating system. The owner of a spin lock is written by the thread that
 * has it only: a thread that reads its own number there has the lock, whatever else it may read.
 * A signal handler reads it, too, in the middle of its own thread's acquire or release: it is the
 * last thing that an acquire writes, and the first one that the last release takes back, while the
 * ticket is still drawn. In between, what a handler takes it gives back: nothing has changed. */
#include "tagheap/lock.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/ticket.h"

bool th_lock_is_valid(const th_lock *lock) {
    bool is_whole = (lock->acquire == NULL) == (lock->release == NULL) &&
                    (lock->wait == NULL) == (lock->wake == NULL);
    bool has_more = lock->try_acquire != NULL || lock->wait != NULL;
    return is_whole && (lock->acquire != NULL || !has_more);
}

void th_lock_acquire(const th_lock *lock) {
    if (lock->acquire != NULL) {
        lock->acquire(lock->context);
    }
}

void th_lock_release(const th_lock *lock) {
    if (lock->release != NULL) {
        lock->release(lock->context);
    }
}

bool th_lock_try_acquire(const th_lock *lock, uint64_t timeout_ns) {
    if (lock->acquire == NULL) {
        return true;
    }
    return lock->try_acquire != NULL && lock->try_acquire(lock->context, timeout_ns);
}

/* ---- spin locks --------------------------------------------------------------------------- */

#if TH_ATOMIC

static uintptr_t caller(const th_spin *spin) {
    return spin->hooks.thread != NULL ? spin->hooks.thread() : 0;
}

static bool has_it(const th_spin *spin, uintptr_t thread) {
    return thread != 0 && TH_ATOMIC_LOAD(&spin->owner, TH_RELAXED) == thread;
}

static void relax(const th_spin *spin) {
    if (spin->hooks.relax != NULL) {
        spin->hooks.relax();
    }
}

static void note_owner(th_spin *spin, uintptr_t thread) {
    TH_ASSERT(spin->depth == 0);
    TH_ATOMIC_STORE(&spin->owner, thread, TH_RELAXED);
}

static void acquire_spin(void *context) {
    th_spin *spin = context;
    uintptr_t thread = caller(spin);
    if (has_it(spin, thread)) {
        spin->depth++;
        return;
    }
    uint32_t ticket = th_ticket_draw(&spin->next);
    while (!th_ticket_is_served(&spin->serving, ticket)) {
        relax(spin);
    }
    note_owner(spin, thread);
}

static void release_spin(void *context) {
    th_spin *spin = context;
    TH_ASSERT(!th_ticket_is_served(&spin->serving, TH_ATOMIC_LOAD(&spin->next, TH_RELAXED)));
    if (spin->depth > 0) {
        spin->depth--;
        return;
    }
    /* Relaxed: th_ticket_serve_next's release comes after it. */
    TH_ATOMIC_STORE(&spin->owner, 0, TH_RELAXED);
    th_ticket_serve_next(&spin->serving);
}

static bool try_spin(void *context, uint64_t timeout_ns) {
    th_spin *spin = context;
    uintptr_t thread = caller(spin);
    if (has_it(spin, thread)) {
        spin->depth++;
        return true;
    }
    bool waits = timeout_ns > 0 && spin->hooks.now_ns != NULL;
    uint64_t start_ns = waits ? spin->hooks.now_ns() : 0;
    bool is_drawn = th_ticket_draw_if_first(&spin->next, &spin->serving);
    while (!is_drawn && waits) {
        relax(spin);
        is_drawn = th_ticket_draw_if_first(&spin->next, &spin->serving);
        waits = spin->hooks.now_ns() - start_ns < timeout_ns;
    }
    if (is_drawn) {
        note_owner(spin, thread);
    }
    return is_drawn;
}

th_status th_spin_init(th_spin *spin, const th_spin_hooks *hooks) {
    static const th_spin_hooks plain = {0};
    if (spin == NULL) {
        return TH_ERR_NULL;
    }
    *spin = (th_spin){.is_started = true, .hooks = hooks != NULL ? *hooks : plain};
    return TH_OK;
}

th_lock th_spin_lock(th_spin *spin) {
    if (spin == NULL || !spin->is_started) {
        return (th_lock){0};
    }
    return (th_lock){
        .acquire = acquire_spin, .release = release_spin, .try_acquire = try_spin, .context = spin};
}

#else

th_status th_spin_init(th_spin *spin, const th_spin_hooks *hooks) {
    (void)hooks;
    return spin == NULL ? TH_ERR_NULL : TH_ERR_UNSUPPORTED;
}

th_lock th_spin_lock(th_spin *spin) {
    (void)spin;
    return (th_lock){0};
}

#endif

th_status th_spin_renew(th_spin *spin) {
    if (spin == NULL || !spin->is_started) {
        return TH_ERR_NULL;
    }
    const th_spin_hooks hooks = spin->hooks;
    return th_spin_init(spin, &hooks);
}

void th_spin_clean_up(th_spin *spin) {
    if (spin != NULL) {
        *spin = (th_spin){0};
    }
}

/* ---- the interrupt mask ------------------------------------------------------------------- */

static void acquire_interrupts(void *context) {
    th_interrupts *interrupts = context;
    uintptr_t state = interrupts->mask();
    if (interrupts->depth++ == 0) {
        interrupts->state = state;
    }
}

static void release_interrupts(void *context) {
    th_interrupts *interrupts = context;
    TH_ASSERT(interrupts->depth > 0);
    if (--interrupts->depth == 0) {
        interrupts->restore(interrupts->state);
    }
}

static bool try_interrupts(void *context, uint64_t timeout_ns) {
    (void)timeout_ns;
    acquire_interrupts(context);
    return true;
}

th_status th_interrupts_init(th_interrupts *interrupts, th_interrupts_mask_fn mask,
                             th_interrupts_restore_fn restore) {
    if (interrupts == NULL || mask == NULL || restore == NULL) {
        return TH_ERR_NULL;
    }
    *interrupts = (th_interrupts){.mask = mask, .restore = restore};
    return TH_OK;
}

void th_interrupts_clean_up(th_interrupts *interrupts) {
    if (interrupts != NULL) {
        *interrupts = (th_interrupts){0};
    }
}

th_lock th_interrupts_lock(th_interrupts *interrupts) {
    if (interrupts == NULL || interrupts->mask == NULL) {
        return (th_lock){0};
    }
    return (th_lock){.acquire = acquire_interrupts,
                     .release = release_interrupts,
                     .try_acquire = try_interrupts,
                     .context = interrupts};
}
