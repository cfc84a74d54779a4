/* SPDX-License-Identifier: MIT */
/* Moves: what compaction must ask. */
#include "program/moves.h"

const expected_move *moves;
size_t moves_count, moves_seen;
bool reenter;

/* Every call that would change the heap must be refused now. */
static void call_from_inside(void *payload) {
    th_heap copy;
    memset(&copy, 0, sizeof copy);
    reentries = 0;
    reentering = true;
    bool refused = th_heap_alloc(&heap, 4, 0) == NULL &&
                   th_heap_alloc_aligned(&heap, 4, 64, TAG_TAIL) == NULL &&
                   th_heap_realloc(&heap, payload, 1000) == NULL &&
                   th_heap_realloc(&heap, payload, 0) == NULL &&
                   th_heap_trim(&heap, payload) == 0 && th_heap_free(&heap, payload) == 0 &&
                   th_heap_free_tags(&heap, 0, TAG_FREE) == 0 &&
                   th_heap_compact(&heap, NULL, NULL).blocks_moved == 0 &&
                   th_heap_compact_some(&heap, 1000, NULL, NULL).blocks_moved == 0 &&
                   th_heap_copy(&heap, &copy, arenas[1 - arena]) == TH_ERR_BUSY &&
                   th_heap_attach(&heap, base) == TH_ERR_BUSY;
    th_heap_detach(&heap);
    th_heap_clean_up(&heap);
    reentering = false;
    if (!refused) {
        differ(NAME_REENTRY, "result", 1, 0);
    }
    expect(NAME_REENTRY, "faults", 13, reentries);
}

bool may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    if (moves_seen >= moves_count) {
        differ(NAME_CALLBACK, "extra", moves_count, moves_seen + 1);
    }
    const expected_move *move = &moves[moves_seen++];
    expect(NAME_LOCK, "in move", HOOKS, (uint64_t)lock_depth);
    expect(NAME_CALLBACK, "tag", move->tag, tag);
    expect(NAME_CALLBACK, "from", (uintptr_t)at(move->from), (uintptr_t)from);
    expect(NAME_CALLBACK, "to", (uintptr_t)at(move->to), (uintptr_t)to);
    expect(NAME_CALLBACK, "bytes", move->bytes, bytes);
    expect_contents("before move", from, bytes, move->seed);
    if (reenter) {
        call_from_inside(from);
    }
    return !move->vetoed;
}

void expect_compaction(th_heap_compaction want, bool asked, th_heap_compaction have) {
    expect(NAME_CALLBACK, "count", asked ? moves_count : 0, moves_seen);
    expect(NAME_RESULT, "moved", want.blocks_moved, have.blocks_moved);
    expect(NAME_RESULT, "vetoed", want.blocks_vetoed, have.blocks_vetoed);
    expect(NAME_RESULT, "moved-bytes", want.bytes_moved, have.bytes_moved);
    expect(NAME_RESULT, "done", want.done, have.done);
}
