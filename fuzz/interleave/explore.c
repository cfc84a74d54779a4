/* SPDX-License-Identifier: MIT */
/* The scheduler. A state is reached by its choices from the start on (nothing is ever undone), so
 * the search is a recursion that, for each further choice at a state, plays its choices again. */
#define _XOPEN_SOURCE 700 /* contexts */

#include "interleave/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "base/atomic.h"

enum {
    STACK_BYTES = 128 * 1024,
    ATTEMPT = 3, /* atomic operations of one, the exchange among them (alloc/index_stack.h) */
};

#if !TH_ATOMIC_STEPS
#error "the library needs TH_ATOMIC_STEPS"
#endif

typedef struct actor {
    ucontext_t context;
    bool has_ended;
    uint64_t seen;                      /* since its operation began */
    uint64_t seen_before[ATTEMPT];      /* the last operations, the latest first */
    const volatile void *word[ATTEMPT]; /* that it is about to access; and before */
    unsigned char stack[STACK_BYTES];
} actor;

typedef struct state {
    uint64_t key[2]; /* both 0: no state */
    uint64_t interleavings;
} state;

static const lab_shared_world *world;
static lab_explored result;
static actor actors[LAB_INTERLEAVED_MAX];
static unsigned running;
static ucontext_t scheduler;
static state *states;
static size_t states_room;

/* ---- hashes ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    uint64_t word;
    for (; count >= sizeof word; count -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, at, count);
    return mix(hash, word);
}

static void hash_state(uint64_t key[2]) {
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t hash = mix_bytes(i + 1, world->memory, world->bytes);
        for (unsigned a = 0; a < world->actors; a++) {
            hash = mix(mix(hash, actors[a].has_ended), actors[a].seen + i);
        }
        key[i] = hash | 1;
    }
}

static state *look_up(const uint64_t key[2]) {
    size_t at = (size_t)key[0] & (states_room - 1);
    while (states[at].key[0] != 0 && (states[at].key[0] != key[0] || states[at].key[1] != key[1])) {
        at = (at + 1) & (states_room - 1);
    }
    return &states[at];
}

static void grow_states(void) {
    state *old = states;
    size_t old_room = states_room;
    states_room = old_room > 0 ? old_room * 2 : 1 << 12;
    states = calloc(states_room, sizeof *states);
    if (states == NULL) {
        fputs("interleave: no memory for more states\n", stderr);
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].key[0] != 0) {
            *look_up(old[i].key) = old[i];
        }
    }
    free(old);
}

static void remember(const uint64_t key[2], uint64_t interleavings) {
    if (result.states * 2 >= states_room) {
        grow_states();
    }
    *look_up(key) = (state){{key[0], key[1]}, interleavings};
    result.states++;
}

/* ---- actors ------------------------------------------------------------------------------- */

/* An exchange has failed: it was on the word that the attempt began with. */
static void begin_anew(actor *a) {
    if (a->word[0] != a->word[ATTEMPT - 1]) {
        lab_violate("an attempt of another length");
    }
    a->seen = a->seen_before[ATTEMPT - 1];
}

/* Before an atomic operation of the running actor. */
static void step(const volatile void *word, size_t bytes) {
    actor *a = &actors[running];
    if (word == NULL) {
        begin_anew(a);
        return;
    }
    memmove(a->word + 1, a->word, sizeof a->word - sizeof a->word[0]);
    a->word[0] = word;
    swapcontext(&a->context, &scheduler);
    memmove(a->seen_before + 1, a->seen_before, sizeof a->seen_before - sizeof a->seen_before[0]);
    a->seen_before[0] = a->seen;
    a->seen = mix_bytes(mix(a->seen, (uintptr_t)word), (const void *)(uintptr_t)word, bytes);
}

static void live(void) {
    actor *a = &actors[running];
    do {
        a->seen = 0;
    } while (world->act(running));
    a->seen = 0;
    a->has_ended = true;
    setcontext(&scheduler);
}

static void resume(unsigned which) {
    running = which;
    th_atomic_step = step;
    swapcontext(&scheduler, &actors[which].context);
    th_atomic_step = NULL;
}

void lab_violate(const char *text) {
    if (result.violation == NULL) {
        result.violation = text;
    }
    if (th_atomic_step != NULL) { /* in an actor, which goes no further */
        th_atomic_step = NULL;
        setcontext(&scheduler);
    }
}

/* Everyone stands before his first atomic operation. */
static void begin(void) {
    world->start();
    for (unsigned a = 0; a < world->actors && result.violation == NULL; a++) {
        getcontext(&actors[a].context);
        actors[a].context.uc_stack.ss_sp = actors[a].stack;
        actors[a].context.uc_stack.ss_size = STACK_BYTES;
        actors[a].context.uc_link = NULL;
        actors[a].has_ended = false;
        actors[a].seen = 0;
        makecontext(&actors[a].context, live, 0);
        resume(a);
    }
}

/* ---- the search --------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void play_again(unsigned count) {
    begin();
    for (unsigned i = 0; i < count; i++) {
        resume(result.choices[i]);
    }
}

/* How many interleavings go on from here, where `depth` choices lead. */
static uint64_t explore_from(unsigned depth) {
    uint64_t key[2], interleavings = 0;
    bool is_here = true;
    hash_state(key);
    const state *known = look_up(key);
    if (known->key[0] != 0) {
        return known->interleavings;
    }
    for (unsigned a = 0; a < world->actors && result.violation == NULL; a++) {
        if (!is_here) {
            play_again(depth);
        }
        if (actors[a].has_ended) {
            continue;
        }
        if (depth == LAB_CHOICES_MAX) {
            lab_violate("no end");
            break;
        }
        result.choices[depth] = a;
        result.choices_count = depth + 1;
        resume(a);
        is_here = false;
        if (result.violation == NULL) {
            interleavings = add(interleavings, explore_from(depth + 1));
        }
    }
    if (interleavings == 0 && result.violation == NULL) { /* all have ended */
        result.choices_count = depth;
        world->finish();
        interleavings = 1;
    }
    remember(key, interleavings);
    return interleavings;
}

lab_explored lab_explore_interleavings(const lab_shared_world *of) {
    world = of;
    result = (lab_explored){.states = 0};
    free(states);
    states = NULL;
    states_room = 0;
    grow_states();
    begin();
    if (result.violation == NULL) {
        result.interleavings = explore_from(0);
    }
    return result;
}
