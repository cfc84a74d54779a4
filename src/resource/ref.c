/* SPDX-License-Identifier: MIT */
/* Reference counts. All strong references together hold one weak one, so that a th_ref goes when
 * its weak count reaches 0. */
#include "tagheap/ref.h"

#include "alloc/guarding.h"

static bool is_started(const th_refs *refs) {
    return refs != NULL && refs->config.backing.table != NULL;
}

th_status th_refs_init(th_refs *refs, const th_refs_config *config) {
    if (refs == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    if (config->backing.table == NULL || !th_backing_is_usable(&config->backing) ||
        !th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *refs = (th_refs){.config = *config};
    return TH_OK;
}

TH_DEFINE_SETTLE(refs);

th_ref *th_refs_add(th_refs *refs, void *object, const th_ref_type *type) {
    if (!is_started(refs) || refs->is_closing) {
        return NULL;
    }
    if (object == NULL || type == NULL || type->cleanup == NULL) {
        return NULL;
    }
    th_ref *ref = th_allocator_alloc(refs->config.backing, sizeof *ref);
    if (ref == NULL) {
        return NULL;
    }
    *ref = (th_ref){
        .strong = 1, .weak = 1, .object = object, .type = type, .refs = refs, .next = refs->newest};
    if (refs->newest != NULL) {
        refs->newest->previous = ref;
    }
    refs->newest = ref;
    refs->live++;
    if (refs->live > refs->peak) {
        refs->peak = refs->live;
    }
    th_refs_settle(refs);
    return ref;
}

/* ---- ending ------------------------------------------------------------------------------- */

static void drop_weak(th_ref *ref) {
    th_refs *refs = ref->refs;
    if (--ref->weak > 0) {
        return;
    }
    if (ref->previous != NULL) {
        ref->previous->next = ref->next;
    } else {
        refs->newest = ref->next;
    }
    if (ref->next != NULL) {
        ref->next->previous = ref->previous;
    }
    refs->ended--;
    th_allocator_free(refs->config.backing, ref);
}

/* The object has no strong reference any more: it is the next to be cleaned up. */
static void make_pending(th_ref *ref) {
    th_refs *refs = ref->refs;
    ref->strong = 0;
    ref->pending = refs->pending;
    refs->pending = ref;
    refs->live--;
    refs->ended++;
}

/* Cleans up what is pending, and what becomes so by that. Inside of a cleanup that is left to the
 * call which has begun it. */
static void drain(th_refs *refs) {
    if (refs->is_draining) {
        return;
    }
    refs->is_draining = true;
    while (refs->pending != NULL) {
        th_ref *ref = refs->pending;
        void *object = ref->object;
        refs->pending = ref->pending;
        ref->object = NULL;
        refs->cleanups++;
        ref->type->cleanup(object);
        ref->is_over = true;
        if (!refs->is_closing) {
            drop_weak(ref);
        }
    }
    refs->is_draining = false;
}

void th_refs_clean_up(th_refs *refs) {
    if (!is_started(refs) || refs->is_draining) {
        return;
    }
    refs->is_closing = true; /* no th_ref goes while some may still be released */
    for (th_ref *ref = refs->newest; ref != NULL; ref = ref->next) {
        if (ref->strong > 0) {
            make_pending(ref);
            drain(refs);
        }
    }
    for (th_ref *ref = refs->newest; ref != NULL;) {
        th_ref *next = ref->next;
        th_allocator_free(refs->config.backing, ref);
        ref = next;
    }
    *refs = (th_refs){0};
}

/* ---- counting ----------------------------------------------------------------------------- */

/* There is no such reference: a fault, unless everything is ending. */
static th_status refuse(const th_ref *ref, th_fault_kind kind, uint32_t count) {
    const th_guarding *guarding = &ref->refs->config.guarding;
    if (th_guarding_level(guarding) > 0 && !ref->refs->is_closing) {
        th_guarding_raise(guarding, kind, SIZE_MAX, SIZE_MAX, 1, count);
    }
    return TH_ERR_CORRUPT;
}

static th_status increase(uint32_t *count) {
    if (*count == UINT32_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    ++*count;
    return TH_OK;
}

th_status th_ref_retain(th_ref *ref) {
    if (ref == NULL) {
        return TH_ERR_NULL;
    }
    return ref->strong > 0 ? increase(&ref->strong) : refuse(ref, TH_FAULT_NOT_A_BLOCK, 0);
}

th_status th_ref_release(th_ref *ref) {
    if (ref == NULL) {
        return TH_ERR_NULL;
    }
    if (ref->strong == 0) {
        return refuse(ref, TH_FAULT_DOUBLE_FREE, 0);
    }
    if (--ref->strong == 0) {
        th_refs *refs = ref->refs;
        make_pending(ref);
        drain(refs);
        th_refs_settle(refs);
    }
    return TH_OK;
}

th_status th_ref_retain_weak(th_ref *ref) {
    return ref != NULL ? increase(&ref->weak) : TH_ERR_NULL;
}

/* The object itself holds one until its cleanup has returned. */
th_status th_ref_release_weak(th_ref *ref) {
    if (ref == NULL) {
        return TH_ERR_NULL;
    }
    if (ref->weak == 1 && !ref->is_over) {
        return refuse(ref, TH_FAULT_DOUBLE_FREE, 0);
    }
    if (!ref->refs->is_closing) {
        drop_weak(ref);
    }
    return TH_OK;
}

bool th_ref_upgrade(th_ref *ref) {
    return ref != NULL && ref->strong > 0 && th_ref_retain(ref) == TH_OK;
}

void *th_ref_object(const th_ref *ref) {
    return ref != NULL ? ref->object : NULL;
}

const char *th_ref_name(const th_ref *ref) {
    return ref != NULL ? ref->type->name : NULL;
}

uint32_t th_ref_count(const th_ref *ref) {
    return ref != NULL ? ref->strong : 0;
}

/* ---- cycles -------------------------------------------------------------------------------
 *
 * What is held is subtracted from each count: what is left over is held from outside. From there
 * everything that can be reached is marked; the rest is out of reach, and each object of it is held
 * by another one of it. So a walk from holder to holder must come round. */

enum { UNREACHED = 0, REACHED = 1, FIRST_WALK = 2 };

static void visit_held(const th_ref *ref, th_ref_visit_fn visit, void *context) {
    if (ref->strong > 0 && ref->type->visit_held != NULL) {
        ref->type->visit_held(ref->object, visit, context);
    }
}

static void subtract(void *context, th_ref *held) {
    (void)context;
    if (held != NULL) {
        held->trial--;
    }
}

/* Onto the list of those whose references are to be followed. */
static void reach(void *context, th_ref *held) {
    th_ref **todo = context;
    if (held != NULL && held->walk == UNREACHED) {
        held->walk = REACHED;
        held->from = *todo;
        *todo = held;
    }
}

static void remember_holder(void *context, th_ref *held) {
    if (held != NULL) {
        held->from = context;
    }
}

static void mark_reachable(th_refs *refs) {
    th_ref *todo = NULL;
    for (th_ref *ref = refs->newest; ref != NULL; ref = ref->next) {
        ref->trial = ref->strong;
        ref->walk = UNREACHED;
        ref->from = NULL;
    }
    for (th_ref *ref = refs->newest; ref != NULL; ref = ref->next) {
        visit_held(ref, subtract, NULL);
    }
    for (th_ref *ref = refs->newest; ref != NULL; ref = ref->next) {
        if (ref->trial > 0) {
            reach(&todo, ref);
        }
    }
    while (todo != NULL) {
        th_ref *ref = todo;
        todo = ref->from;
        visit_held(ref, reach, &todo);
    }
}

/* The cycle that the object lies in: `from` leads from each to its holder, and is turned round, so
 * that it leads from each to what it holds. */
static void report_cycle(th_ref *start, th_ref_cycle_fn report, void *context) {
    th_ref *held = start;
    size_t length = 1;
    for (th_ref *ref = start->from; ref != start; length++) {
        th_ref *holder = ref->from;
        ref->from = held;
        held = ref;
        ref = holder;
    }
    start->from = held;
    for (size_t place = 0; place < length; place++) {
        report(context, start, place, length);
        start = start->from;
    }
}

size_t th_refs_find_cycles(th_refs *refs, th_ref_cycle_fn report, void *context) {
    size_t unreached = 0;
    uint32_t walk = FIRST_WALK;
    if (!is_started(refs)) {
        return 0;
    }
    mark_reachable(refs);
    for (th_ref *ref = refs->newest; ref != NULL; ref = ref->next) {
        if (ref->walk == UNREACHED && ref->strong > 0) {
            unreached++;
            visit_held(ref, remember_holder, ref);
        }
    }
    for (th_ref *ref = refs->newest; ref != NULL; ref = ref->next) {
        th_ref *at = ref;
        while (at != NULL && at->walk == UNREACHED) {
            at->walk = walk;
            at = at->from;
        }
        if (at != NULL && at->walk == walk && report != NULL) {
            report_cycle(at, report, context);
        }
        walk++;
    }
    return unreached;
}

/* ---- questions ---------------------------------------------------------------------------- */

th_refs_stats th_refs_get_stats(const th_refs *refs) {
    if (refs == NULL) {
        return (th_refs_stats){0};
    }
    return (th_refs_stats){.live = refs->live,
                           .live_peak = refs->peak,
                           .ended = refs->ended,
                           .cleanups = refs->cleanups};
}

th_status th_refs_check(const th_refs *refs, th_fault *fault) {
    const th_ref *previous = NULL;
    uint64_t live = 0;
    uint64_t ended = 0;
    th_no_fault(fault);
    if (!is_started(refs)) {
        return TH_ERR_NULL;
    }
    for (const th_ref *ref = refs->newest; ref != NULL; ref = ref->next) {
        if (ref->previous != previous || ref->refs != refs) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, live + ended, 0);
        }
        if (ref->weak == 0 || (ref->strong > 0 && ref->object == NULL)) {
            return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, ref->strong,
                                       ref->weak);
        }
        live += ref->strong > 0;
        ended += ref->strong == 0;
        previous = ref;
    }
    return live == refs->live && ended == refs->ended
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, live, refs->live);
}
