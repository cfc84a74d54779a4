/* SPDX-License-Identifier: MIT */
/* The concurrent pool: what actors do with it, and what must hold whoever goes first. */
#include <string.h>

#include "interleave/worlds.h"
#include "tagheap/concurrent_pool.h"

enum { CAPACITY_MAX = 3, OBJECT_BYTES = 16, HELD_MAX = 8, NOBODY = 0xFF };

typedef struct hands {
    unsigned char held[HELD_MAX]; /* numbers of objects, oldest first */
    unsigned char count;
    unsigned char position; /* in its word */
    bool allocates;         /* at the moment */
    bool frees;
    bool was_short; /* while it allocated, all others might have had all objects at once */
} hands;

/* Everything: it is hashed. */
static struct {
    _Alignas(64) unsigned char memory[256];
    th_concurrent_pool pool;
    unsigned char owners[CAPACITY_MAX];
    hands of[LAB_INTERLEAVED_MAX];
} now;

static const lab_program *program;

static void on_fault(void *context, const th_fault *fault) {
    (void)context;
    (void)fault;
    lab_violate("a fault was raised");
}

static void start(void) {
    memset(&now, 0, sizeof now);
    memset(now.owners, NOBODY, sizeof now.owners);
    const th_concurrent_pool_config config = {
        .object_bytes = OBJECT_BYTES,
        .memory = now.memory,
        .memory_bytes = sizeof now.memory,
        .capacity = program->capacity,
        .guarding = {.level = program->guard, .on_fault = on_fault}};
    if (th_concurrent_pool_init(&now.pool, &config) != TH_OK) {
        lab_violate("the pool does not start");
    }
}

/* Objects that somebody has, or may have just popped or not yet pushed. */
static unsigned in_use_but_for(unsigned actor) {
    unsigned count = 0;
    for (unsigned i = 0; i < program->capacity; i++) {
        count += now.owners[i] != NOBODY;
    }
    for (unsigned a = 0; a < LAB_INTERLEAVED_MAX; a++) {
        count += a != actor && (now.of[a].allocates || now.of[a].frees);
    }
    return count;
}

/* Whenever an operation begins or ends. */
static void note_shortage(void) {
    for (unsigned a = 0; a < LAB_INTERLEAVED_MAX; a++) {
        if (now.of[a].allocates && in_use_but_for(a) >= program->capacity) {
            now.of[a].was_short = true;
        }
    }
}

static void allocate(unsigned actor) {
    hands *own = &now.of[actor];
    own->allocates = true;
    own->was_short = false;
    note_shortage();
    unsigned char *object = th_concurrent_pool_alloc(&now.pool);
    note_shortage();
    own->allocates = false;
    if (object == NULL) {
        if (!own->was_short) {
            lab_violate("NULL while an object was free all the time");
        }
        return;
    }
    size_t number = (size_t)(object - now.memory) / now.pool.stride;
    if (object < now.memory || number >= program->capacity ||
        object != now.memory + number * now.pool.stride) {
        lab_violate("no object is there");
        return;
    }
    if (now.owners[number] != NOBODY) {
        lab_violate("an object belongs to two at once");
    }
    now.owners[number] = (unsigned char)actor;
    memset(object, (int)(1 + actor), OBJECT_BYTES);
    own->held[own->count++] = (unsigned char)number;
    note_shortage();
}

static bool is_as_written(const unsigned char *object, unsigned actor) {
    for (size_t i = 0; i < OBJECT_BYTES; i++) {
        if (object[i] != 1 + actor) {
            return false;
        }
    }
    return true;
}

static void free_held(unsigned actor, unsigned which) {
    hands *own = &now.of[actor];
    if (own->count == 0) {
        return;
    }
    unsigned number = own->held[which];
    unsigned char *object = now.memory + number * now.pool.stride;
    if (!is_as_written(object, actor)) {
        lab_violate("somebody wrote to what is another's");
    }
    memmove(own->held + which, own->held + which + 1, HELD_MAX - which - 1);
    own->count--;
    own->frees = true;
    now.owners[number] = NOBODY;
    note_shortage();
    th_concurrent_pool_free(&now.pool, object);
    own->frees = false;
    note_shortage();
}

static bool act(unsigned actor) {
    hands *own = &now.of[actor];
    switch (program->words[actor][own->position]) {
    case 'a':
        allocate(actor);
        break;
    case 'f':
        free_held(actor, 0);
        break;
    case 'r':
        free_held(actor, own->count > 0 ? own->count - 1u : 0);
        break;
    default:
        return false;
    }
    own->position++;
    return true;
}

static void finish(void) {
    unsigned held = 0;
    for (unsigned a = 0; a < program->actors; a++) {
        for (unsigned i = 0; i < now.of[a].count; i++, held++) {
            if (!is_as_written(now.memory + now.of[a].held[i] * now.pool.stride, a)) {
                lab_violate("somebody wrote to what is another's");
            }
        }
    }
    if (th_concurrent_pool_check(&now.pool, NULL) != TH_OK) {
        lab_violate("the checker finds damage");
    }
    if (th_concurrent_pool_get_stats(&now.pool).live != held) {
        lab_violate("an object is lost");
    }
}

lab_shared_world lab_pool_world(const lab_program *of) {
    program = of;
    return (lab_shared_world){of->actors, &now, sizeof now, start, act, finish};
}
