/* SPDX-License-Identifier: MIT */
/* Actors as threads. A slot is taken by an actor for as long as its operation takes: who finds it
 * taken, or not as its operation wants it, does nothing. Handing a block on by a slot synchronizes
 * its two actors, as programs do who hand blocks on; the clock does not (it is relaxed where a tool
 * looks for races), and each actor keeps its calls for itself. */
#define _GNU_SOURCE

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "actors/shared.h"
#include "runner/content.h"

#if defined(__SANITIZE_THREAD__)
#define CLOCK_ORDER __ATOMIC_RELAXED
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLOCK_ORDER __ATOMIC_RELAXED
#endif
#endif
#ifndef CLOCK_ORDER
#define CLOCK_ORDER __ATOMIC_SEQ_CST
#endif

enum { EMPTY, TAKEN, LIVE };

enum { YIELDS_OF = 3 };

typedef struct slot {
    int state; /* atomic; the rest is its actor's */
    unsigned char *at;
    size_t bytes;
    size_t alignment;
    uint32_t seed;
} slot;

typedef struct play {
    lab_shared *shared;
    slot *slots;
    uint64_t clock; /* atomic */
    pthread_mutex_t mutex;
    pthread_cond_t begun;
    enum { WAIT, GO, GIVE_UP } gate;
} play;

typedef struct actor {
    play *play;
    const lab_script *script;
    uint32_t number;
    lab_history history;
    lab_failure failure;
    bool has_memory;
} actor;

/* ---- calls ---------------------------------------------------------------------------------- */

/* As the model names it. */
static uint64_t name_of(const lab_shared *s, const void *at) {
    if (at == NULL) {
        return LAB_BLOCK_NONE;
    }
    if (!s->is_heap) {
        return (uintptr_t)at;
    }
    uint32_t header = LAB_CLASSIC_HEADER_DWORDS;
    uint32_t unit = s->config.alignment / 4u;
    header = (header + unit - 1) / unit * unit;
    return ((uintptr_t)at - (uintptr_t)s->memory) / 4 - header + 1;
}

static uint64_t now(play *p) {
    return __atomic_add_fetch(&p->clock, 1, CLOCK_ORDER);
}

/* The invocation. Some let others run first, so that calls overlap on few processors, too. */
static uint64_t invoke(play *p) {
    uint64_t time = now(p);
    if (time % YIELDS_OF == 0) {
        (void)sched_yield();
    }
    return time;
}

static void record(actor *a, lab_call_record call) {
    call.returned = now(a->play);
    call.actor = a->number;
    a->has_memory = lab_history_add(&a->history, &call) && a->has_memory;
}

static bool fail(actor *a, size_t op, lab_property property, const char *detail,
                 const char *message) {
    if (a->failure.property == LAB_PROPERTY_NONE) {
        a->failure = (lab_failure){.property = property, .op = op, .detail = detail};
        (void)snprintf(a->failure.message, sizeof a->failure.message, "actor %u: %s", a->number,
                       message);
    }
    return false;
}

static void *call_alloc(lab_shared *s, size_t bytes, size_t alignment, uint32_t tag) {
    return s->is_heap ? th_heap_alloc_at(&s->heap, bytes, alignment, tag, 0)
                      : th_allocator_alloc_aligned(s->instance.allocator, bytes, alignment);
}

static void *call_resize(lab_shared *s, const slot *t, size_t bytes) {
    return s->is_heap ? th_heap_realloc(&s->heap, t->at, bytes)
                      : th_allocator_realloc(s->instance.allocator, t->at, t->bytes, bytes,
                                             t->alignment, NULL);
}

static uint64_t call_free(lab_shared *s, void *at) {
    if (s->is_heap) {
        return th_heap_free(&s->heap, at);
    }
    th_allocator_free(s->instance.allocator, at);
    return 0;
}

/* ---- operations ----------------------------------------------------------------------------- */

/* Byte by byte: what lies beyond them is another thread's. */
static void fill(actor *a, slot *t, size_t op) {
    t->seed = (uint32_t)(a->number * 0x10001u + op * 7 + 1);
    for (size_t i = 0; i < t->bytes; i++) {
        t->at[i] = lab_byte_at(i, t->seed);
    }
}

static bool is_intact(actor *a, const slot *t, size_t bytes, size_t op) {
    for (size_t i = 0; i < bytes; i++) {
        if (t->at[i] != lab_byte_at(i, t->seed)) {
            return fail(a, op, LAB_PROPERTY_CONTENTS, "contents",
                        "a block is not what was written");
        }
    }
    return true;
}

static void allocate(actor *a, slot *t, const lab_op *op, size_t index) {
    const lab_shared *s = a->play->shared;
    size_t bytes = lab_size_bytes(op->size);
    size_t alignment =
        op->kind == LAB_OP_ALIGNED ? lab_align_bytes(op->align) : s->config.alignment;
    uint32_t tag = op->tag;
    lab_call_record call = {.kind = LAB_BLOCK_ALLOC,
                            .invoked = invoke(a->play),
                            .arguments = {bytes, 0, 0, (uint64_t)tag << 32 | (uint32_t)alignment}};
    unsigned char *at = call_alloc(a->play->shared, bytes, alignment, tag);
    call.result = name_of(s, at);
    record(a, call);
    if (at != NULL) {
        t->at = at;
        t->bytes = bytes;
        t->alignment = alignment;
        if ((uintptr_t)at % alignment != 0) {
            (void)fail(a, index, LAB_PROPERTY_RESULT, "alignment", "a block is not aligned");
        }
        fill(a, t, index);
    }
}

static void resize(actor *a, slot *t, const lab_op *op, size_t index) {
    size_t bytes = lab_size_bytes(op->size);
    size_t least = bytes < t->bytes ? bytes : t->bytes;
    if (bytes == 0 || !is_intact(a, t, t->bytes, index)) {
        return;
    }
    lab_call_record call = {.kind = LAB_BLOCK_RESIZE,
                            .invoked = invoke(a->play),
                            .arguments = {bytes, name_of(a->play->shared, t->at), t->bytes, 0}};
    unsigned char *at = call_resize(a->play->shared, t, bytes);
    call.result = name_of(a->play->shared, at);
    record(a, call);
    if (at != NULL) {
        t->at = at;
        (void)is_intact(a, t, least, index);
        t->bytes = bytes;
        fill(a, t, index);
    }
}

static void release(actor *a, slot *t, size_t index) {
    (void)is_intact(a, t, t->bytes, index);
    lab_call_record call = {.kind = LAB_BLOCK_FREE,
                            .invoked = invoke(a->play),
                            .arguments = {t->bytes, name_of(a->play->shared, t->at), 0, 0}};
    call.result = call_free(a->play->shared, t->at);
    record(a, call);
    t->at = NULL;
}

/* The checker, and of the heap a number that the model knows. */
static void ask(actor *a, size_t index) {
    lab_shared *s = a->play->shared;
    th_status status = s->is_heap ? th_heap_check(&s->heap, NULL)
                                  : th_allocator_check(s->instance.allocator, NULL);
    if (status != TH_OK) {
        (void)fail(a, index, LAB_PROPERTY_CHECKER, "check", "the checker found damage");
    }
    if (s->is_heap) {
        lab_call_record call = {.kind = LAB_BLOCK_ASK, .invoked = invoke(a->play)};
        call.result = th_heap_largest_free_bytes(&s->heap);
        record(a, call);
    }
}

/* Which operations there are, and what their slot must be. */
static bool wants(const lab_op *op, int *state) {
    switch (op->kind) {
    case LAB_OP_ALLOC:
    case LAB_OP_ALIGNED:
        *state = EMPTY;
        return true;
    case LAB_OP_RESIZE:
    case LAB_OP_FREE:
        *state = LIVE;
        return true;
    default:
        return false;
    }
}

static void perform(actor *a, size_t index) {
    const lab_op *op = &a->script->ops[index];
    slot *t = &a->play->slots[op->slot];
    int state;
    if (op->kind == LAB_OP_FIND) {
        ask(a, index);
        return;
    }
    if (!wants(op, &state) || !__atomic_compare_exchange_n(&t->state, &state, TAKEN, false,
                                                           __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;
    }
    if (op->kind == LAB_OP_RESIZE) {
        resize(a, t, op, index);
    } else if (op->kind == LAB_OP_FREE) {
        release(a, t, index);
    } else {
        allocate(a, t, op, index);
    }
    __atomic_store_n(&t->state, t->at != NULL ? LIVE : EMPTY, __ATOMIC_RELEASE);
}

static void open_gate(play *p, bool all_there) {
    (void)pthread_mutex_lock(&p->mutex);
    p->gate = all_there ? GO : GIVE_UP;
    (void)pthread_cond_broadcast(&p->begun);
    (void)pthread_mutex_unlock(&p->mutex);
}

static bool pass_gate(play *p) {
    (void)pthread_mutex_lock(&p->mutex);
    while (p->gate == WAIT) {
        (void)pthread_cond_wait(&p->begun, &p->mutex);
    }
    bool goes = p->gate == GO;
    (void)pthread_mutex_unlock(&p->mutex);
    return goes;
}

static void *run(void *context) {
    actor *a = context;
    if (pass_gate(a->play)) {
        for (size_t i = 0; i < a->script->count; i++) {
            perform(a, i);
        }
    }
    return NULL;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* False: there are not so many threads; then none has played. */
static bool run_all(actor *actors, uint32_t count, play *p) {
    pthread_t threads[LAB_ACTORS_MAX];
    uint32_t made = 0;
    (void)pthread_mutex_init(&p->mutex, NULL);
    (void)pthread_cond_init(&p->begun, NULL);
    while (made < count && pthread_create(&threads[made], NULL, run, &actors[made]) == 0) {
        made++;
    }
    open_gate(p, made == count);
    for (uint32_t i = 0; i < made; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    (void)pthread_cond_destroy(&p->begun);
    (void)pthread_mutex_destroy(&p->mutex);
    return made == count;
}

/* Frees what is left, as the first actor. */
static void free_all(actor *a, uint32_t slots) {
    for (uint32_t i = 0; i < slots; i++) {
        if (a->play->slots[i].at != NULL) {
            release(a, &a->play->slots[i], a->script->count);
        }
    }
}

/* Is everything back? */
static void check_end(actor *a) {
    lab_shared *s = a->play->shared;
    ask(a, a->script->count);
    if (s->is_heap) {
        th_heap_stats stats = th_heap_get_stats(&s->heap);
        if (stats.head_blocks + stats.tail_blocks != 0) {
            (void)fail(a, a->script->count, LAB_PROPERTY_BLOCKS, "at the end", "blocks were lost");
        }
    }
}

static bool gather(actor *actors, uint32_t count, lab_history *history, lab_failure *failure) {
    bool has_memory = true;
    for (uint32_t i = 0; i < count; i++) {
        has_memory = has_memory && actors[i].has_memory;
        for (size_t j = 0; j < actors[i].history.count; j++) {
            has_memory = lab_history_add(history, &actors[i].history.calls[j]) && has_memory;
        }
        if (failure->property == LAB_PROPERTY_NONE) {
            *failure = actors[i].failure;
        }
        lab_history_clean_up(&actors[i].history);
    }
    return has_memory;
}

bool lab_actors_thread(const lab_actors *actors, lab_shared *shared, lab_history *history,
                       lab_failure *failure) {
    actor all[LAB_ACTORS_MAX] = {0};
    uint32_t slots = actors->scripts[0]->config.slots;
    play p = {.shared = shared, .slots = calloc(slots, sizeof(slot))};
    *failure = (lab_failure){0};
    if (p.slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < actors->count; i++) {
        all[i] = (actor){.play = &p, .script = actors->scripts[i], .number = i, .has_memory = true};
    }
    bool ran = run_all(all, actors->count, &p);
    free_all(&all[0], slots);
    check_end(&all[0]);
    free(p.slots);
    return gather(all, actors->count, history, failure) && ran;
}
