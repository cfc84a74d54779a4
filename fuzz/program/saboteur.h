/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_SABOTEUR_H
#define LAB_PROGRAM_SABOTEUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A move callback that does damage, and allows the move of one block. */
typedef struct saboteur {
    const void *moving;
    void (*damage)(const void *what);
    const void *what;
    bool asked; /* the damage is done */
} saboteur;

static inline bool damage_and_allow(void *context, uint32_t tag, void *from, void *to,
                                    size_t bytes) {
    saboteur *s = context;
    (void)tag;
    (void)to;
    (void)bytes;
    if (from != s->moving) {
        return false;
    }
    s->damage(s->what);
    s->asked = true;
    return true;
}

#endif
