/* SPDX-License-Identifier: MIT */
/* The two words of a ticket lock (Reed and Kanodia, CACM 22(2), 1979): who asks draws a ticket, and
 * has the lock when that is served; who lets it go serves the next one.
 *
 *   next      the ticket that is drawn next
 *   serving   the ticket that has the lock, or that gets it next; equal to next: it is free
 *
 * Progress: blocking, as a lock is; tickets are served in the order in which they were drawn.
 *
 * Memory orders. What was done under the lock is to be seen by the next one who has it: the release
 * of th_ticket_serve_next and an acquire of `serving` that reads it. `next` carries nothing.
 *
 * In the common part of C and C++: `make relacy` compiles this same file. */
#ifndef TH_BASE_TICKET_H
#define TH_BASE_TICKET_H

#include <stdbool.h>

#include "base/atomic.h"

static inline uint32_t th_ticket_draw(th_atomic_u32 *next) {
    /* Relaxed: a number, no more. */
    return TH_ATOMIC_ADD(next, 1, TH_RELAXED);
}

static inline bool th_ticket_is_served(const th_atomic_u32 *serving, uint32_t ticket) {
    /* Acquire: with it comes what the last one did. */
    return TH_ATOMIC_LOAD(serving, TH_ACQUIRE) == ticket;
}

/* Draws the ticket that is served now, if nobody has drawn it: true. */
static inline bool th_ticket_draw_if_first(th_atomic_u32 *next, const th_atomic_u32 *serving) {
    /* Acquire, as above: the exchange, if it succeeds, makes this ticket the caller's. */
    uint32_t ticket = TH_ATOMIC_LOAD(serving, TH_ACQUIRE);
    return TH_ATOMIC_CAS(next, &ticket, ticket + 1, TH_RELAXED, TH_RELAXED);
}

/* By the one who has the lock, alone. */
static inline void th_ticket_serve_next(th_atomic_u32 *serving) {
    /* Relaxed: whoever has the lock is the only one that writes this. */
    uint32_t ticket = TH_ATOMIC_LOAD(serving, TH_RELAXED);
    /* Release: what was done under the lock is seen by the next one. */
    TH_ATOMIC_STORE(serving, ticket + 1, TH_RELEASE);
}

#endif
