/* SPDX-License-Identifier: MIT */
/* Resizing, trimming and retagging live blocks. */
#include <string.h>

#include "heap/alloc.h"
#include "heap/call.h"
#include "heap/count.h"
#include "heap/event.h"
#include "heap/guard.h"
#include "heap/journal.h"
#include "heap/live.h"
#include "heap/seal.h"

/* Stores a live block in place with a new requested size. */
static void set_requested(th_heap *heap, th_header *block, size_t bytes) {
    size_t old = block->requested;
    th_count_says_out(heap, block);
    block->requested = bytes;
    th_count_says_in(heap, block);
    th_journal_before(heap, block, 1, block->next);
    th_header_store(heap, block);
    th_seal(heap);
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
    uint32_t left = joint_dwords(heap, block, above) - need;
    bool split = left >= th_split_dwords(heap);
    /* Of `above`, what the block will take, and the header of the rest. */
    if (!th_chain_above(heap, above, &beyond) ||
        !th_guard_poison(heap, above, above->offset + th_header_dwords(heap),
                         th_end(heap, above) - (split ? left - th_header_dwords(heap) : 0))) {
        return TH_OUTCOME_FAULT;
    }
    th_header run[2] = {*block};
    unsigned count = 1;
    if (split) {
        run[0].size = need;
        run[1] = th_header_free(heap, th_end(heap, &run[0]), left - th_header_dwords(heap));
        count = 2;
    } else {
        run[0].size = need + left;
    }
    run[0].requested = bytes;
    th_journal_before(heap, run, count, beyond.offset);
    th_count_out(heap, block);
    th_count_out(heap, above);
    th_header_retire(heap, above->offset);
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
            (!th_is_vacant(heap, above) || th_chain_above(heap, above, &beyond)));
}

/* A new block, the contents copied, the old block freed. */
static th_outcome move(th_heap *heap, const th_header *block, const th_header *above, size_t bytes,
                       void **payload) {
    const th_request request = {.bytes = bytes,
                                .alignment = (size_t)1 << block->align_log2,
                                .tag = block->tag,
                                .site = block->site};
    th_header made;
    if (!can_be_freed(heap, block, above)) {
        return TH_OUTCOME_FAULT;
    }
    th_outcome outcome = th_block_make(heap, &request, &made);
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

/* One attempt; *before is the block as it was, *payload is the result if it is done. */
static th_outcome resize_once(th_heap *heap, void *pointer, size_t bytes, th_header *before,
                              void **payload) {
    th_header block, above;
    if (!th_require_live(heap, pointer, &block) || !th_guard_below(heap, &block) ||
        !th_guard_above(heap, &block)) {
        return TH_OUTCOME_FAULT;
    }
    *before = block;
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
    return th_is_vacant(heap, &above) && joint_dwords(heap, &block, &above) >= need
               ? grow_in_place(heap, &block, &above, need, bytes)
               : move(heap, &block, &above, bytes, payload);
}

/* Counts and tells what became of a resize of `block`; *payload is NULL unless it is done. Is the
 * th_heap sound? */
static bool conclude(th_heap *heap, th_outcome outcome, const th_header *block, size_t bytes,
                     void **payload) {
    if (outcome == TH_OUTCOME_DONE) {
        return th_tell(heap, TH_EVENT_RESIZE, block, *payload);
    }
    *payload = NULL;
    if (outcome == TH_OUTCOME_NO_ROOM) {
        const th_request request = {.bytes = bytes, .tag = block->tag, .site = block->site};
        th_note_failure(heap);
        return th_tell_failure(heap, &request, block);
    }
    return outcome != TH_OUTCOME_BROKEN;
}

void *th_heap_realloc(th_heap *heap, void *pointer, size_t bytes) {
    void *payload = NULL;
    if (pointer == NULL || bytes == 0) {
        (void)th_free_checked(heap, pointer);
        return NULL;
    }
    if (!th_call_begin(heap)) {
        return NULL;
    }
    th_header block;
    th_outcome outcome;
    do {
        outcome = resize_once(heap, pointer, bytes, &block, &payload);
    } while (th_ask_low_memory(heap, bytes, &outcome));
    bool sound = conclude(heap, outcome, &block, bytes, &payload);
    th_call_end(heap, sound);
    return payload;
}

/* The block keeps `need` dwords; what it has beyond goes to the free block above, or becomes one.
 *   [ block ------ ][ above, free ] => [ block ][ ------ above ------ ]
 *   [ block ------ ][ above       ] => [ block ][ free ][ above       ] */
static size_t trim(th_heap *heap, const th_header *block) {
    th_header above, beyond;
    uint32_t excess = block->size - th_need_dwords(heap, block->requested);
    if (!th_guard_below(heap, block) || !th_chain_above(heap, block, &above) || excess == 0) {
        return 0;
    }
    bool merge = th_is_vacant(heap, &above);
    if (merge ? !th_chain_above(heap, &above, &beyond) : excess < th_split_dwords(heap)) {
        return 0;
    }
    th_header run[2] = {*block};
    run[0].size -= excess;
    uint32_t from = th_end(heap, &run[0]);
    uint32_t end = th_end(heap, merge ? &above : block);
    run[1] = th_header_free(heap, from, end - from - th_header_dwords(heap));
    uint32_t next = merge ? beyond.offset : above.offset;
    th_journal_before(heap, run, 2, next);
    th_count_out(heap, block);
    if (merge) {
        th_count_out(heap, &above);
        th_header_retire(heap, above.offset);
    }
    th_guard_wipe(heap, from, th_end(heap, block) + (merge ? th_header_dwords(heap) : 0));
    th_chain_replace(heap, block->prev, run, 2, next);
    th_seal(heap);
    th_guard_reopen(heap, &run[0], run[0].requested);
    return (size_t)(merge ? excess : excess - th_header_dwords(heap)) * TH_DWORD_BYTES;
}

size_t th_heap_trim(th_heap *heap, void *pointer) {
    size_t freed = 0;
    if (!th_call_begin(heap)) {
        return 0;
    }
    bool sound = true;
    th_header block;
    if (pointer != NULL && th_require_live(heap, pointer, &block)) {
        freed = trim(heap, &block);
        sound = freed == 0 || th_tell(heap, TH_EVENT_RESIZE, &block, pointer);
    }
    th_call_end(heap, sound);
    return freed;
}

/* FREE and what lies above it are no tags of either side. */
static bool retag(th_heap *heap, const th_header *block, uint32_t tag) {
    uint32_t tail = th_tag_tail_min(heap);
    if (!th_guard_below(heap, block) || !th_guard_above(heap, block) || tag >= th_tag_free(heap) ||
        (tag >= tail) != (block->tag >= tail)) {
        return false;
    }
    th_header other = *block;
    th_count_says_out(heap, block);
    other.tag = tag;
    th_count_says_in(heap, &other);
    th_journal_before(heap, &other, 1, other.next);
    th_header_store(heap, &other);
    th_seal(heap);
    return true;
}

bool th_heap_retag(th_heap *heap, void *pointer, uint32_t tag) {
    bool done = false;
    if (!th_call_begin(heap)) {
        return false;
    }
    bool sound = true;
    th_header block;
    if (pointer != NULL && th_require_live(heap, pointer, &block)) {
        done = retag(heap, &block, tag);
        sound = !done || th_tell(heap, TH_EVENT_RETAG, &block, pointer);
    }
    th_call_end(heap, sound);
    return done;
}
