/* SPDX-License-Identifier: MIT */
/* Locked allocators: each call of the backing stands between enter and leave.
 *
 * A thread that comes again while it is inside (the lock lets it) is a callback of the backing's,
 * or a signal handler. What a handler may find: it came before is_inside was set, and the backing
 * is whole; or after, and is refused. */
#include "tagheap/locked.h"

#include "alloc/guarding.h"
#include "alloc/thunks.h"
#include "base/align.h"

static bool is_started(const th_locked *locked) {
    return locked != NULL && locked->config.lock.acquire != NULL;
}

/* With the lock held: may the backing be called? If not, the lock is let go. */
static bool begin(th_locked *locked) {
    if (locked->is_inside) {
        locked->reentries++;
        th_lock_release(&locked->config.lock);
        return false;
    }
    locked->is_inside = true;
    locked->calls++;
    return true;
}

static bool enter(th_locked *locked) {
    if (!is_started(locked)) {
        return false;
    }
    th_lock_acquire(&locked->config.lock);
    if (!begin(locked)) {
        th_guarding_raise_reentry(&locked->config.guarding);
        return false;
    }
    return true;
}

static void leave(th_locked *locked) {
    locked->is_inside = false;
    th_lock_release(&locked->config.lock);
}

/* ---- starting and ending ------------------------------------------------------------------ */

th_status th_locked_init(th_locked *locked, const th_locked_config *config) {
    if (locked == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    if (config->backing.table == NULL || !th_backing_is_usable(&config->backing) ||
        config->lock.acquire == NULL || !th_lock_is_valid(&config->lock) ||
        !th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *locked = (th_locked){.config = *config};
    return TH_OK;
}

void th_locked_clean_up(th_locked *locked) {
    if (locked != NULL) {
        *locked = (th_locked){0};
    }
}

/* ---- the interface ------------------------------------------------------------------------ */

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_locked *locked = self;
    if (!enter(locked)) {
        return NULL;
    }
    void *block = th_allocator_alloc_aligned(locked->config.backing, bytes, alignment);
    leave(locked);
    return block;
}

static void free_block(void *self, void *block) {
    th_locked *locked = self;
    if (enter(locked)) {
        th_allocator_free(locked->config.backing, block);
        leave(locked);
    }
}

static bool resize_in_place(void *self, void *block, size_t bytes) {
    th_locked *locked = self;
    if (!enter(locked)) {
        return false;
    }
    bool done = th_allocator_resize_in_place(locked->config.backing, block, bytes);
    leave(locked);
    return done;
}

static void *move(void *self, void *block, size_t kept, size_t bytes, size_t alignment) {
    th_locked *locked = self;
    if (!enter(locked)) {
        return NULL;
    }
    void *moved = th_allocator_realloc(locked->config.backing, block, kept, bytes, alignment, NULL);
    leave(locked);
    return moved;
}

static bool owns(const void *self, const void *address) {
    th_locked *locked = (th_locked *)(uintptr_t)self;
    if (!enter(locked)) {
        return false;
    }
    bool does = th_allocator_owns(locked->config.backing, address);
    leave(locked);
    return does;
}

static size_t usable_size(const void *self, const void *block) {
    th_locked *locked = (th_locked *)(uintptr_t)self;
    if (!enter(locked)) {
        return 0;
    }
    size_t bytes = th_allocator_usable_size(locked->config.backing, block);
    leave(locked);
    return bytes;
}

TH_THUNK_RESET(locked);
TH_THUNK_CHECK(locked);

th_allocator th_locked_allocator(th_locked *locked) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = move,
                                             .reset = th_locked_thunk_reset,
                                             .owns = owns,
                                             .usable_size = usable_size,
                                             .check = th_locked_thunk_check};
    return th_allocator_of(&table, locked);
}

/* ---- with a limit of time ----------------------------------------------------------------- */

/* TH_OK: inside. */
static th_status try_enter(th_locked *locked, uint64_t timeout_ns) {
    if (!is_started(locked)) {
        return TH_ERR_NULL;
    }
    return th_lock_try_acquire(&locked->config.lock, timeout_ns) && begin(locked) ? TH_OK
                                                                                  : TH_ERR_BUSY;
}

th_status th_locked_try_alloc(th_locked *locked, size_t bytes, size_t alignment,
                              uint64_t timeout_ns, void **block) {
    if (block == NULL) {
        return TH_ERR_NULL;
    }
    *block = NULL;
    if (!th_is_power_of_two(alignment)) {
        return is_started(locked) ? TH_ERR_ALIGNMENT : TH_ERR_NULL;
    }
    th_status status = try_enter(locked, timeout_ns);
    if (status == TH_OK) {
        *block = th_allocator_alloc_aligned(locked->config.backing, bytes, alignment);
        leave(locked);
        status = *block != NULL ? TH_OK : TH_ERR_EXHAUSTED;
    }
    return status;
}

th_status th_locked_try_free(th_locked *locked, void *block, uint64_t timeout_ns) {
    th_status status = try_enter(locked, timeout_ns);
    if (status == TH_OK) {
        th_allocator_free(locked->config.backing, block);
        leave(locked);
    }
    return status;
}

/* ---- the lock itself ---------------------------------------------------------------------- */

th_status th_locked_lock(th_locked *locked) {
    if (!is_started(locked)) {
        return TH_ERR_NULL;
    }
    if (!enter(locked)) {
        return TH_ERR_BUSY;
    }
    locked->calls--; /* it is none */
    locked->is_inside = false;
    return TH_OK;
}

void th_locked_unlock(th_locked *locked) {
    if (is_started(locked)) {
        th_lock_release(&locked->config.lock);
    }
}

th_status th_locked_reset(th_locked *locked) {
    if (!is_started(locked)) {
        return TH_ERR_NULL;
    }
    if (!enter(locked)) {
        return TH_ERR_BUSY;
    }
    th_status status = th_allocator_reset(locked->config.backing);
    leave(locked);
    return status;
}

/* ---- questions ---------------------------------------------------------------------------- */

th_locked_stats th_locked_get_stats(const th_locked *locked) {
    if (!is_started(locked)) {
        return (th_locked_stats){0};
    }
    th_lock_acquire(&locked->config.lock);
    th_locked_stats stats = {.calls = locked->calls, .reentries = locked->reentries};
    th_lock_release(&locked->config.lock);
    return stats;
}

th_status th_locked_check(const th_locked *locked, th_fault *fault) {
    th_locked *inside = (th_locked *)(uintptr_t)locked;
    th_no_fault(fault);
    if (!is_started(locked)) {
        return TH_ERR_NULL;
    }
    if (!enter(inside)) {
        return TH_ERR_BUSY;
    }
    th_status status = th_allocator_check(locked->config.backing, fault);
    leave(inside);
    return status;
}
