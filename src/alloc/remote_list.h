/* SPDX-License-Identifier: MIT */
/* A list that one thread, its owner, empties, and to which any thread pushes: how a block that
 * another thread frees comes back to the cache that it is from. One word says whether the list has
 * an owner, too:
 *
 *   CLOSED   nobody's: a push is refused, and whoever opens the list owns it
 *   EMPTY    an owner's, nothing is on it
 *   else     the address of the node that was pushed last, which has that of the one before
 *
 * The owner takes the whole list at once, and nobody else takes anything: so a node that a push has
 * read may leave the list and be pushed again before the exchange of that push; it then is the last
 * one still, and a right link (no ABA).
 *
 * Progress: a push is lock-free (an exchange fails only because another one succeeded); everything
 * else here is wait-free, but for closing, which is to be tried again while others push.
 *
 * Memory orders. Every change of the word is a read-modify-write, so the owner who takes the list
 * synchronizes with all the pushes on it, of which each has released (release sequences).
 *
 * In the common part of C and C++: `make relacy` compiles this same file. */
#ifndef TH_ALLOC_REMOTE_LIST_H
#define TH_ALLOC_REMOTE_LIST_H

#include <stdbool.h>

#include "base/atomic.h"

#define TH_REMOTE_EMPTY  ((uintptr_t)0)
#define TH_REMOTE_CLOSED ((uintptr_t)1) /* no node's address */

/* Pushes `node`, of which `*below` is the link. False: the list is nobody's, and the node is still
 * the caller's. */
static inline bool th_remote_list_push(th_atomic_address *list, uintptr_t node,
                                       th_plain_address *below) {
    /* Relaxed: what is read becomes a link, and nothing that it leads to is looked at. */
    uintptr_t old = TH_ATOMIC_LOAD(list, TH_RELAXED);
    do {
        if (old == TH_REMOTE_CLOSED) {
            return false;
        }
        TH_PLAIN_STORE(below, old);
        /* Release: the link, and all that this thread did to the node, come before it for the owner
         * who takes it. On failure relaxed, as the load above. */
    } while (!TH_ATOMIC_CAS_WEAK(list, &old, node, TH_RELEASE, TH_RELAXED));
    return true;
}

/* The owner takes all of it: the node pushed last, TH_REMOTE_EMPTY if there is none. */
static inline uintptr_t th_remote_list_take(th_atomic_address *list) {
    /* Relaxed: to see that there is nothing, as is usual, costs no exchange. What is missed now is
     * found the next time. */
    if (TH_ATOMIC_LOAD(list, TH_RELAXED) == TH_REMOTE_EMPTY) {
        return TH_REMOTE_EMPTY;
    }
    /* Acquire: with it come the links, and what the others did to the nodes. */
    return TH_ATOMIC_EXCHANGE(list, TH_REMOTE_EMPTY, TH_ACQUIRE);
}

/* The owner gives the list up. False: something was pushed meanwhile, which is to be taken first.
 */
static inline bool th_remote_list_close(th_atomic_address *list) {
    uintptr_t expected = TH_REMOTE_EMPTY;
    /* Release: whoever opens it next sees what this owner did to all that goes with the list. On
     * failure relaxed: the list is taken then, which acquires. */
    return TH_ATOMIC_CAS(list, &expected, TH_REMOTE_CLOSED, TH_RELEASE, TH_RELAXED);
}

/* Whoever gets true owns the list from here on. */
static inline bool th_remote_list_open(th_atomic_address *list) {
    uintptr_t expected = TH_REMOTE_CLOSED;
    /* Acquire: with it comes what the last owner did. On failure relaxed: it is somebody else's. */
    return TH_ATOMIC_CAS(list, &expected, TH_REMOTE_EMPTY, TH_ACQUIRE, TH_RELAXED);
}

#endif
