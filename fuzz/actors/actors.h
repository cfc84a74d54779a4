/* SPDX-License-Identifier: MIT */
/* Actors: several scripts, played at once on one subject. Each actor has an ordinary script, which
 * means what it always means; the slots are shared, so that one may free what another allocated.
 *
 * lab_actors_interleave plays every order in which whole operations can follow each other, one
 * thread, each order on a fresh subject, with all that heaplab checks of a script: an order is a
 * script. lab_actors_thread plays them by real threads, for subjects that any threads may use, and
 * records what was called and when; what came out is checked afterwards (lab_actors_verify), so
 * that the threads are held together by nothing but the subject. */
#ifndef LAB_ACTORS_ACTORS_H
#define LAB_ACTORS_ACTORS_H

#include "history/models.h"
#include "player/player.h"

enum { LAB_ACTORS_MAX = 8 };

typedef struct lab_actors {
    const lab_script *scripts[LAB_ACTORS_MAX]; /* the first one's config is for all */
    uint32_t count;
} lab_actors;

/* ---- every order ---------------------------------------------------------------------------- */

/* How many there are: (a + b + ...)! / (a! b! ...); UINT64_MAX for more than 2^64 - 1. */
uint64_t lab_actors_orders(const lab_actors *actors);

typedef struct lab_interleaving {
    uint64_t orders;     /* played */
    uint64_t operations; /* in all */
    uint8_t *order;      /* of the one that failed: the actor of each operation; owned */
    lab_script script;   /* it, as a script; empty: none failed; owned */
    lab_failure failure;
} lab_interleaving;

/* Plays them in lexical order up to the first that fails. `going`, if not NULL, is asked before
 * each; false ends it. False: no memory. */
bool lab_actors_interleave(const lab_actors *actors, lab_player *player,
                           const lab_run_options *options,
                           bool (*going)(void *context, uint64_t orders), void *context,
                           lab_interleaving *result);
void lab_interleaving_clean_up(lab_interleaving *result);

/* ---- real threads --------------------------------------------------------------------------- */

/* What they share: the tagged heap with a lock, or a subject that any threads may use. */
typedef struct lab_shared lab_shared;

/* NULL, with *why a static string: it cannot be made, or is not for threads. */
lab_shared *lab_shared_new(const lab_config *config, const char **why);
void lab_shared_destroy(lab_shared *shared);

/* Takes part in locking: a test replaces it. NULL for what is not the heap. */
th_heap *lab_shared_heap(lab_shared *shared);

/* Plays the scripts by a thread each, from one moment on. Operations that are not alloc, aligned,
 * zeroed, resize, free or find do nothing; find asks the checker. In the end every block is freed.
 * False: no memory, or no thread. Calls are added to *history. */
bool lab_actors_thread(const lab_actors *actors, lab_shared *shared, lab_history *history,
                       lab_failure *failure);

/* Two blocks whose times overlap must not overlap in memory, and the calls must be linearizable: by
 * the exact model for the heap, by `blocks` for others. `most`: configurations, beyond which
 * nothing is said of the second. False: *failure says what. */
bool lab_actors_verify(const lab_shared *shared, const lab_history *history, uint64_t most,
                       lab_linear_result *linear, lab_failure *failure);

/* The model that fits. */
lab_sequential lab_actors_model(const lab_shared *shared);

#endif
