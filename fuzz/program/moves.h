/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_MOVES_H
#define LAB_PROGRAM_MOVES_H

#include "program/core.h"

/* A move that compaction must ask for. */
typedef struct expected_move {
    uint32_t tag, from, to, bytes, seed;
    bool vetoed;
} expected_move;

extern const expected_move *moves;
extern size_t moves_count, moves_seen;
extern bool reenter;

/* The move callback. */
bool may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes);

void expect_compaction(th_heap_compaction want, bool asked, th_heap_compaction have);

#endif
