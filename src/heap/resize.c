/* SPDX-License-Identifier: MIT */
/* Resizing and trimming live blocks. */
#include <string.h>

#include "heap/alloc.h"
#include "heap/count.h"
#include "heap/enter.h"

/* Stores a live block in place with a new requested size. */
static void set_requested(th_heap *heap, th_header *block, size_t bytes) {
    size_t old = block->requested;
    block->requested = bytes;
    th_header_store(heap, block);
    th_guard_reopen(heap, block, old);
}

/* The payload dwords of the block together with all of `above`. */
static uint32_t joint_dwords(const th_heap *heap, const th_header *block, const th_header *above) {
    return th_end(heap, above) - block->offset - th_header_dwords(heap);
}

/* [ block ][ ---- above, free ---- ] => [ ---- block ---- ][ rest ], rest if it can be a block.
 * The two must have room for `need` dwords. */
static th_outcome grow_in_place(th_heap *heap, const th_header *block, const th_header *above,
                                uint32_t need, size_t bytes) {
    th_header beyond;
    if (!th_chain_above(heap, above, &beyond) ||
        !th_guard_poison(heap, above, above->offset + th_header_dwords(heap),
                         th_end(heap, above))) {
        return TH_OUTCOME_FAULT;
    }
    th_count_out(heap, block);
    th_count_out(heap, above);
    th_header_retire(heap, above->offset);
    th_header run[2] = {*block};
    unsigned count = 1;
    uint32_t left = joint_dwords(heap, block, above) - need;
    if (left >= th_split_dwords(heap)) {
        run[0].size = need;
        run[1] = th_header_free(heap, th_end(heap, &run[0]), left - th_header_dwords(heap));
        count = 2;
    } else {
        run[0].size = need + left;
    }
    run[0].requested = bytes;
    th_chain_replace(heap, block->prev, run, count, beyond.offset);
    th_note_used(heap, &run[0], NULL, NULL);
    th_note_high_water(heap);
    th_seal(heap);
    th_guard_reopen(heap, &run[0], block->requested);
    return TH_OUTCOME_DONE;
}

/* With guards: loads, and thereby verifies, what freeing the block will need beside `above`,
 * before another one is made in its stead. */
static bool can_be_freed(const th_heap *heap, const th_header *block, const th_header *above) {
    th_header below, beyond;
    return th_guard(heap) == 0 ||
           ((block->offset == 0 || th_chain_below(heap, block, &below)) &&
            (!th_is_spare(heap, above) || th_chain_above(heap, above, &beyond)));
}

/* A new block, the contents copied, the old block freed. */
static th_outcome move(th_heap *heap, const th_header *block, const th_header *above, size_t bytes,
                       void **payload) {
    const th_wish wish = {.bytes = bytes,
                          .alignment = (size_t)1 << block->align_log2,
                          .tag = block->tag,
                          .site = block->site};
    th_header made;
    if (!can_be_freed(heap, block, above)) {
        return TH_OUTCOME_FAULT;
    }
    th_outcome outcome = th_block_make(heap, &wish, &made);
    if (outcome != TH_OUTCOME_DONE) {
        return outcome;
    }
    memcpy(th_payload(heap, &made), th_payload(heap, block), block->requested);
    *payload = th_payload(heap, &made);
    /* Making the new block may have changed this one's links. */
    th_header old;
    th_header_load(heap, block->offset, &old);
    (void)th_block_free(heap, &old);
    return TH_OUTCOME_DONE;
}

/* One attempt; *payload is the result if it is done. */
static th_outcome resize_once(th_heap *heap, void *pointer, size_t bytes, void **payload) {
    th_header block, above;
    if (!th_claim(heap, pointer, &block) || !th_guard_below(heap, &block) ||
        !th_guard_above(heap, &block)) {
        return TH_OUTCOME_FAULT;
    }
    uint32_t need = th_need_dwords(heap, bytes);
    if (need == 0) {
        return TH_OUTCOME_NO_ROOM;
    }
    *payload = pointer;
    if (need <= block.size) {
        set_requested(heap, &block, bytes);
        return TH_OUTCOME_DONE;
    }
    if (!th_chain_above(heap, &block, &above)) {
        return TH_OUTCOME_FAULT;
    }
    return th_is_spare(heap, &above) && joint_dwords(heap, &block, &above) >= need
               ? grow_in_place(heap, &block, &above, need, bytes)
               : move(heap, &block, &above, bytes, payload);
}

void *th_heap_resize(th_heap *heap, void *pointer, size_t bytes) {
    void *payload = NULL;
    th_outcome outcome = TH_OUTCOME_FAULT;
    if (!th_enter(heap)) {
        return NULL;
    }
    th_header block;
    if (pointer != NULL && bytes == 0) {
        if (th_claim(heap, pointer, &block)) {
            (void)th_block_free(heap, &block);
        }
    } else if (pointer != NULL) {
        do {
            outcome = resize_once(heap, pointer, bytes, &payload);
        } while (th_ask_low_memory(heap, bytes, &outcome));
        if (outcome != TH_OUTCOME_DONE) {
            payload = NULL;
        }
        if (outcome == TH_OUTCOME_NO_ROOM) {
            th_note_failure(heap);
        }
    }
    th_leave(heap, outcome != TH_OUTCOME_BROKEN);
    return payload;
}

/* The block keeps `need` dwords; what it has beyond goes to the free block above, or becomes one.
 *   [ block ------ ][ above, free ] => [ block ][ ------ above ------ ]
 *   [ block ------ ][ above       ] => [ block ][ free ][ above       ] */
static size_t trim(th_heap *heap, const th_header *block) {
    th_header above, beyond;
    uint32_t spare = block->size - th_need_dwords(heap, block->requested);
    if (!th_guard_below(heap, block) || !th_chain_above(heap, block, &above) || spare == 0) {
        return 0;
    }
    bool merge = th_is_spare(heap, &above);
    if (merge ? !th_chain_above(heap, &above, &beyond) : spare < th_split_dwords(heap)) {
        return 0;
    }
    th_header run[2] = {*block};
    run[0].size -= spare;
    uint32_t from = th_end(heap, &run[0]);
    uint32_t end = th_end(heap, merge ? &above : block);
    run[1] = th_header_free(heap, from, end - from - th_header_dwords(heap));
    th_count_out(heap, block);
    if (merge) {
        th_count_out(heap, &above);
        th_header_retire(heap, above.offset);
    }
    th_guard_wipe(heap, from, th_end(heap, block) + (merge ? th_header_dwords(heap) : 0));
    th_chain_replace(heap, block->prev, run, 2, merge ? beyond.offset : above.offset);
    th_seal(heap);
    th_guard_reopen(heap, &run[0], run[0].requested);
    return (size_t)(merge ? spare : spare - th_header_dwords(heap)) * TH_DWORD_BYTES;
}

size_t th_heap_trim(th_heap *heap, void *pointer) {
    size_t freed = 0;
    if (!th_enter(heap)) {
        return 0;
    }
    th_header block;
    if (pointer != NULL && th_claim(heap, pointer, &block)) {
        freed = trim(heap, &block);
    }
    th_leave(heap, true);
    return freed;
}
