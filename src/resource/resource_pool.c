/* SPDX-License-Identifier: MIT */
/* Resource pools: slots in two lists, idle ones and empty ones; those that are out, or on their way
 * between the lists while a function of the config works on them, are in none. No call takes more
 * than one slot on its way at a time, so that others find what is idle. */
#include "tagheap/resource_pool.h"

#include "alloc/guarding.h"

#define NONE SIZE_MAX

/* On their way are MAKING, with no resource yet, and BETWEEN. */
enum { EMPTY = 0, IDLE, OUT, MAKING, BETWEEN };

struct th_resource_slot {
    uintptr_t resource;
    uint64_t generation; /* of the lease */
    size_t next;         /* of idle ones the one that has been idle longer */
    unsigned state;
    size_t previous; /* of idle ones only */
    uint64_t turn;   /* when it became idle, counted in such events */
};

static bool is_started(const th_resource_pool *pool) {
    return pool != NULL && pool->slots != NULL;
}

static void lock(const th_resource_pool *pool) {
    th_lock_acquire(&pool->config.lock);
}

static void unlock(const th_resource_pool *pool) {
    th_lock_release(&pool->config.lock);
}

/* ---- slots, with the lock held ------------------------------------------------------------- */

static size_t pop_empty(th_resource_pool *pool) {
    size_t slot = pool->empty;
    if (slot != NONE) {
        pool->empty = pool->slots[slot].next;
        pool->slots[slot].state = MAKING;
    }
    return slot;
}

static void push_empty(th_resource_pool *pool, size_t slot) {
    pool->slots[slot].next = pool->empty;
    pool->slots[slot].state = EMPTY;
    pool->empty = slot;
}

/* There is a slot that can be had: who waits for one looks again. */
static void wake(const th_resource_pool *pool) {
    if (pool->config.lock.wake != NULL) {
        pool->config.lock.wake(pool->config.lock.context);
    }
}

/* Where the list comes to the slot, and goes on from it in the other direction. */
static size_t *link_to(th_resource_pool *pool, size_t previous) {
    return previous != NONE ? &pool->slots[previous].next : &pool->idle;
}

static size_t *link_back_to(th_resource_pool *pool, size_t next) {
    return next != NONE ? &pool->slots[next].previous : &pool->idle_last;
}

/* Takes an idle slot, or NONE, out of the list. */
static size_t take_idle(th_resource_pool *pool, size_t slot) {
    if (slot != NONE) {
        th_resource_slot *at = pool->slots + slot;
        *link_to(pool, at->previous) = at->next;
        *link_back_to(pool, at->next) = at->previous;
        at->state = BETWEEN;
        pool->idle_count--;
    }
    return slot;
}

static void push_idle(th_resource_pool *pool, size_t slot) {
    th_resource_slot *at = pool->slots + slot;
    at->next = pool->idle;
    at->previous = NONE;
    at->turn = ++pool->turn;
    at->state = IDLE;
    *link_back_to(pool, pool->idle) = slot;
    pool->idle = slot;
    pool->idle_count++;
    wake(pool);
}

static void lend(th_resource_pool *pool, size_t slot, th_lease *lease) {
    th_resource_slot *at = pool->slots + slot;
    at->state = OUT;
    at->generation = ++pool->generation;
    pool->out_count++;
    *lease = (th_lease){at->resource, slot, at->generation};
}

static void note_peak(th_resource_pool *pool) {
    uint64_t live = pool->created - pool->destroyed;
    if (live > pool->peak) {
        pool->peak = (size_t)live;
    }
}

/* ---- resources, without the lock ----------------------------------------------------------- */

/* Ends the resource of a slot that is between, and returns it to the empty ones. */
static void destroy(th_resource_pool *pool, size_t slot) {
    pool->config.destroy(pool->config.context, pool->slots[slot].resource);
    lock(pool);
    pool->destroyed++;
    push_empty(pool, slot);
    wake(pool);
    unlock(pool);
}

/* Makes one for a slot that was empty; if it cannot, the slot is empty again. */
static th_status create(th_resource_pool *pool, size_t slot) {
    uintptr_t resource = 0;
    th_status status = pool->config.create(pool->config.context, &resource);
    lock(pool);
    pool->slots[slot].resource = resource;
    if (status == TH_OK) {
        pool->slots[slot].state = BETWEEN;
        pool->created++;
        note_peak(pool);
    } else {
        push_empty(pool, slot);
        wake(pool);
    }
    unlock(pool);
    return status;
}

static bool works(const th_resource_pool *pool, size_t slot) {
    return pool->config.validate == NULL ||
           pool->config.validate(pool->config.context, pool->slots[slot].resource);
}

static void drop_invalid(th_resource_pool *pool, size_t slot) {
    lock(pool);
    pool->invalid++;
    unlock(pool);
    destroy(pool, slot);
}

/* ---- starting and ending ------------------------------------------------------------------ */

static th_status verify_config(const th_resource_pool_config *config) {
    if (config->create == NULL || config->destroy == NULL) {
        return TH_ERR_NULL;
    }
    if (config->resources_max == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (config->resources_first > config->resources_max) {
        return TH_ERR_TOO_LARGE;
    }
    bool can_wait = config->wait_ns == 0 || config->lock.wait != NULL;
    return can_wait && th_lock_is_valid(&config->lock) && config->backing.table != NULL &&
                   th_backing_is_usable(&config->backing) && th_guarding_is_valid(&config->guarding)
               ? TH_OK
               : TH_ERR_CONFIG;
}

static void make_slots_empty(th_resource_pool *pool) {
    for (size_t slot = pool->config.resources_max; slot-- > 0;) {
        pool->slots[slot] = (th_resource_slot){0};
        push_empty(pool, slot);
    }
}

th_status th_resource_pool_init(th_resource_pool *pool, const th_resource_pool_config *config) {
    if (pool == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = verify_config(config);
    if (status != TH_OK) {
        return status;
    }
    th_resource_pool fresh = {.idle = NONE, .idle_last = NONE, .empty = NONE, .config = *config};
    if (config->idle_max == 0) {
        fresh.config.idle_max = config->resources_max;
    }
    fresh.slots =
        th_allocator_alloc_array(config->backing, config->resources_max, sizeof *fresh.slots);
    if (fresh.slots == NULL) {
        return TH_ERR_EXHAUSTED;
    }
    make_slots_empty(&fresh);
    status = th_resource_pool_reserve(&fresh, config->resources_first);
    if (status == TH_OK) {
        *pool = fresh;
    } else {
        th_resource_pool_clean_up(&fresh);
    }
    return status;
}

void th_resource_pool_clean_up(th_resource_pool *pool) {
    if (!is_started(pool)) {
        return;
    }
    for (size_t slot = 0; slot < pool->config.resources_max; slot++) {
        if (pool->slots[slot].state == IDLE || pool->slots[slot].state == OUT) {
            pool->config.destroy(pool->config.context, pool->slots[slot].resource);
        }
    }
    th_allocator_free(pool->config.backing, pool->slots);
    *pool = (th_resource_pool){0};
}

th_status th_resource_pool_renew(th_resource_pool *pool) {
    if (!is_started(pool)) {
        return TH_ERR_NULL;
    }
    lock(pool);
    for (size_t slot = 0; slot < pool->config.resources_max; slot++) {
        unsigned state = pool->slots[slot].state;
        if (state == MAKING || state == BETWEEN) {
            pool->destroyed += state == BETWEEN;
            push_empty(pool, slot);
        }
    }
    pool->asked_count = 0;
    unlock(pool);
    return TH_OK;
}

/* ---- taking ------------------------------------------------------------------------------- */

/* With the lock held: an idle slot, or an empty one; NONE. */
static size_t pop_any(th_resource_pool *pool, bool *is_new) {
    size_t slot = take_idle(pool, pool->idle);
    *is_new = slot == NONE;
    return *is_new ? pop_empty(pool) : slot;
}

/* The same, waiting for one. Looking and beginning to wait is one step under the lock, and so is
 * to push and to wake: what is given back in between cannot be missed. */
static size_t await_any(th_resource_pool *pool, bool *is_new, uint64_t *left_ns) {
    size_t slot = pop_any(pool, is_new);
    while (slot == NONE && pool->config.wait == NULL && *left_ns > 0) {
        pool->waits++;
        (void)pool->config.lock.wait(pool->config.lock.context, left_ns);
        slot = pop_any(pool, is_new);
    }
    return slot;
}

/* One try; *again: something was done, or waited for, that makes another one worth while. */
static th_status try_take(th_resource_pool *pool, th_lease *lease, uint64_t *left_ns, bool *again) {
    bool is_new;
    *again = false;
    lock(pool);
    size_t slot = await_any(pool, &is_new, left_ns);
    pool->waits += slot == NONE && pool->config.wait != NULL;
    unlock(pool);
    if (slot == NONE) {
        *again = pool->config.wait != NULL && pool->config.wait(pool->config.context);
        return TH_ERR_EXHAUSTED;
    }
    if (is_new) {
        th_status status = create(pool, slot);
        if (status != TH_OK) {
            return status;
        }
    } else if (!works(pool, slot)) {
        drop_invalid(pool, slot);
        *again = true;
        return TH_ERR_EXHAUSTED;
    }
    lock(pool);
    lend(pool, slot, lease);
    unlock(pool);
    return TH_OK;
}

th_status th_resource_pool_take(th_resource_pool *pool, th_lease *lease) {
    bool again = true;
    th_status status = TH_ERR_NULL;
    if (lease != NULL) {
        *lease = (th_lease){0};
    }
    if (!is_started(pool) || lease == NULL) {
        return status;
    }
    uint64_t left_ns = pool->config.wait_ns;
    while (again) {
        status = try_take(pool, lease, &left_ns, &again);
    }
    if (status != TH_OK) {
        lock(pool);
        pool->refusals++;
        unlock(pool);
    }
    return status;
}

th_status th_resource_pool_reserve(th_resource_pool *pool, size_t count) {
    th_status status = is_started(pool) ? TH_OK : TH_ERR_NULL;
    while (status == TH_OK) {
        lock(pool);
        bool is_enough = pool->idle_count + pool->asked_count >= count;
        size_t slot = is_enough ? NONE : pop_empty(pool);
        unlock(pool);
        if (is_enough) {
            return TH_OK;
        }
        status = slot != NONE ? create(pool, slot) : TH_ERR_EXHAUSTED;
        if (status == TH_OK) {
            lock(pool);
            push_idle(pool, slot);
            unlock(pool);
        }
    }
    return status;
}

/* ---- giving back -------------------------------------------------------------------------- */

/* Is the lease one of those that are out? Else what is wrong with it. */
static th_fault_kind verify(const th_resource_pool *pool, const th_lease *lease) {
    bool is_slot = lease->slot < pool->config.resources_max;
    const th_resource_slot *slot = is_slot ? pool->slots + lease->slot : NULL;
    if (slot != NULL && slot->state == OUT && slot->generation == lease->generation) {
        return TH_FAULT_NONE;
    }
    bool was = slot != NULL && lease->generation != 0 && lease->generation <= slot->generation;
    return was ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK;
}

/* Without the lock, as every function of the caller's is called. */
static th_status refuse(const th_resource_pool *pool, th_fault_kind kind, const th_lease *lease) {
    if (th_guarding_level(&pool->config.guarding) > 0) {
        th_guarding_raise(&pool->config.guarding, kind, lease->slot, SIZE_MAX, 0,
                          lease->generation);
    }
    return TH_ERR_CORRUPT;
}

/* What another thread asks whether it works will be idle again. */
static bool has_idle_enough(const th_resource_pool *pool) {
    return pool->idle_count + pool->asked_count >= pool->config.idle_max;
}

static th_status end_lease(th_resource_pool *pool, th_lease lease, bool works_still) {
    if (!is_started(pool)) {
        return TH_ERR_NULL;
    }
    lock(pool);
    th_fault_kind kind = verify(pool, &lease);
    bool is_kept = works_still && !has_idle_enough(pool);
    if (kind == TH_FAULT_NONE) {
        pool->out_count--;
        pool->slots[lease.slot].state = BETWEEN;
        pool->invalid += !works_still;
        if (is_kept) {
            push_idle(pool, lease.slot);
        }
    }
    unlock(pool);
    if (kind != TH_FAULT_NONE) {
        return refuse(pool, kind, &lease);
    }
    if (!is_kept) {
        destroy(pool, lease.slot);
    }
    return TH_OK;
}

th_status th_resource_pool_give_back(th_resource_pool *pool, th_lease lease) {
    return end_lease(pool, lease, true);
}

th_status th_resource_pool_discard(th_resource_pool *pool, th_lease lease) {
    return end_lease(pool, lease, false);
}

size_t th_resource_pool_trim(th_resource_pool *pool, size_t kept) {
    size_t gone = 0, slot = 0;
    while (is_started(pool) && slot != NONE) {
        lock(pool);
        slot = pool->idle_count > kept ? take_idle(pool, pool->idle_last) : NONE;
        unlock(pool);
        if (slot != NONE) {
            destroy(pool, slot);
            gone++;
        }
    }
    return gone;
}

/* The one that has been idle for longest, if it became so before that turn. */
static size_t next_to_ask(th_resource_pool *pool, uint64_t turn) {
    lock(pool);
    bool is_any = pool->idle != NONE && pool->slots[pool->idle_last].turn <= turn;
    size_t slot = is_any ? take_idle(pool, pool->idle_last) : NONE;
    pool->asked_count += is_any;
    unlock(pool);
    return slot;
}

static void has_answered(th_resource_pool *pool, size_t slot, bool is_good) {
    lock(pool);
    pool->asked_count--;
    if (is_good) {
        push_idle(pool, slot);
    }
    unlock(pool);
}

/* The one unused for longest is asked first, and comes to the other end of the list: when all have
 * been asked, the list is as it was. */
size_t th_resource_pool_validate(th_resource_pool *pool) {
    size_t gone = 0;
    if (!is_started(pool)) {
        return 0;
    }
    lock(pool);
    uint64_t turn = pool->turn;
    unlock(pool);
    for (size_t slot = next_to_ask(pool, turn); slot != NONE; slot = next_to_ask(pool, turn)) {
        bool is_good = works(pool, slot);
        has_answered(pool, slot, is_good);
        if (!is_good) {
            drop_invalid(pool, slot);
            gone++;
        }
    }
    return gone;
}

/* ---- questions ---------------------------------------------------------------------------- */

th_resource_pool_stats th_resource_pool_get_stats(const th_resource_pool *pool) {
    if (!is_started(pool)) {
        return (th_resource_pool_stats){0};
    }
    lock(pool);
    th_resource_pool_stats stats = {.out = pool->out_count,
                                    .idle = pool->idle_count,
                                    .peak = pool->peak,
                                    .created = pool->created,
                                    .destroyed = pool->destroyed,
                                    .invalid = pool->invalid,
                                    .waits = pool->waits,
                                    .refusals = pool->refusals};
    unlock(pool);
    return stats;
}

/* The length of a list all of whose slots have the state; NONE: it is broken. Its last slot goes to
 * *last, and of idle ones each names the one before it. */
static size_t count_list(const th_resource_pool *pool, size_t list, unsigned state, size_t *last) {
    size_t count = 0;
    *last = NONE;
    for (size_t slot = list; slot != NONE; slot = pool->slots[slot].next) {
        if (slot >= pool->config.resources_max || pool->slots[slot].state != state ||
            count == pool->config.resources_max ||
            (state == IDLE && pool->slots[slot].previous != *last)) {
            return NONE;
        }
        *last = slot;
        count++;
    }
    return count;
}

static th_status check(const th_resource_pool *pool, th_fault *fault) {
    size_t between = 0;
    size_t out = 0;
    size_t idle_last, empty_last;
    size_t idle = count_list(pool, pool->idle, IDLE, &idle_last);
    size_t empty = count_list(pool, pool->empty, EMPTY, &empty_last);
    if (idle == NONE || empty == NONE || idle_last != pool->idle_last) {
        return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, idle, empty);
    }
    for (size_t slot = 0; slot < pool->config.resources_max; slot++) {
        out += pool->slots[slot].state == OUT;
        between += pool->slots[slot].state == BETWEEN || pool->slots[slot].state == MAKING;
    }
    if (idle != pool->idle_count || out != pool->out_count || pool->asked_count > between ||
        idle + empty + out + between != pool->config.resources_max) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, out, pool->out_count);
    }
    return TH_OK;
}

th_status th_resource_pool_check(const th_resource_pool *pool, th_fault *fault) {
    th_no_fault(fault);
    if (!is_started(pool)) {
        return TH_ERR_NULL;
    }
    lock(pool);
    th_status status = check(pool, fault);
    unlock(pool);
    return status;
}
