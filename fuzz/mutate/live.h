/* SPDX-License-Identifier: MIT */
/* What is live at some place of a script, as far as can be told without playing it: enough to free
 * what was allocated, and to ask for sizes that just fit. Wrong guesses only cost a little luck. */
#ifndef LAB_MUTATE_LIVE_H
#define LAB_MUTATE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "script/script.h"

#define LAB_LIVE_MAX  64u /* blocks that are known at a time; others are forgotten */
#define LAB_FREED_MAX 8u

typedef struct lab_live_block {
    uint16_t slot, tag;
    uint32_t bytes;
} lab_live_block;

typedef struct lab_live {
    lab_live_block blocks[LAB_LIVE_MAX];
    uint32_t count;
    uint32_t freed[LAB_FREED_MAX]; /* sizes of the blocks freed last; oldest are overwritten */
    uint32_t freed_count;          /* in all */
    uint32_t all;                  /* bytes of the one block that would fill the fresh region */
    uint32_t used;                 /* bytes of live blocks, headers included */
    uint32_t alignment;
} lab_live;

void lab_live_start(lab_live *live, const lab_config *config);

/* Takes into account what an operation does. */
void lab_live_note(lab_live *live, const lab_op *op);

/* The state before operation `at`. */
void lab_live_until(lab_live *live, const lab_script *script, size_t at);

/* The slot's block; NULL: it is empty, or unknown. */
const lab_live_block *lab_live_find(const lab_live *live, uint16_t slot);

/* Bytes that one more block may have, if what is free is in one piece. */
uint32_t lab_live_room(const lab_live *live);

#endif
