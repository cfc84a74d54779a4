/* SPDX-License-Identifier: MIT */
/* Repairing what a dead process has left. Each step can be done any number of times, and is done
 * again from the start if the one who repairs dies, too: only from the record, the valid control
 * and contents that are still where they were. Nothing that is read here is believed before it is
 * verified: a record of nonsense must not make us write outside the region. */
#include <string.h>

#include "heap/check.h"
#include "heap/compact.h"
#include "heap/fast.h"
#include "heap/guard.h"
#include "heap/index.h"
#include "heap/journal.h"
#include "heap/seal.h"
#include "resource/shared_heap.h"

/* A repair in progress. */
typedef struct repair {
    th_shared_heap *shared;
    th_heap *heap;
    th_shared_record *record;
    uint32_t kind;
    uint32_t count; /* of old headers */
    th_header old[TH_SHARED_OLD_MAX];
    th_fault *fault;
} repair;

/* Nonsense is found. */
static bool broken(const repair *r, uint32_t expected, uint32_t found) {
    *r->fault = (th_fault){.kind = TH_FAULT_CONTROL,
                           .block = TH_FAULT_NOWHERE,
                           .offset = TH_FAULT_NOWHERE,
                           .expected = expected,
                           .found = found};
    return false;
}

/* What is found on the way, instead of what the process does about faults. */
static void note_fault(void *context, const th_fault *fault) {
    th_fault *found = context;
    *found = *fault;
}

/* ---- what was there ------------------------------------------------------------------------ */

static TH_TRACK_BLIND void put_header(const th_heap *heap, uint32_t offset,
                                      const uint32_t from[TH_SHARED_HEADER_MAX]) {
    th_word *at = (th_word *)(void *)heap->base + offset;
    uint32_t dwords = th_header_dwords(heap);
    th_track_blind_begin();
    for (uint32_t i = 0; i < dwords; i++) {
        at[i] = from[i];
    }
    th_track_blind_end();
}

/* The header that the record has, decoded as if it stood in its place; nothing is written. */
static TH_TRACK_BLIND th_header decode(const th_heap *heap, uint32_t offset,
                                       const uint32_t from[TH_SHARED_HEADER_MAX]) {
    /* A heap that has nothing but this. */
    th_word dwords[TH_SHARED_HEADER_MAX];
    memcpy(dwords, from, sizeof dwords);
    th_heap there = *heap;
    there.base = (unsigned char *)dwords;
    th_track_blind_begin();
    th_header block = th_header_peek_as(&there, 0, th_layout(heap), 0, th_header_dwords(heap));
    th_track_blind_end();
    block.offset = offset;
    if (th_layout(heap) != TH_HEAP_LAYOUT_CLASSIC) { /* where it is not stored it is the end */
        block.next = block.size != 0 ? th_end(heap, &block) : 0;
    }
    return block;
}

/* Are the headers those of neighbours, in the region? */
static bool read_record(repair *r) {
    const th_shared_record *record = r->record;
    if (r->count < 2 || r->count > TH_SHARED_OLD_MAX) {
        return broken(r, TH_SHARED_OLD_MAX, r->count);
    }
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t offset = record->offsets[i];
        if (!th_offset_ok(r->heap, offset)) {
            return broken(r, r->heap->last, offset);
        }
        r->old[i] = decode(r->heap, offset, record->headers[i]);
        if (i > 0 &&
            (offset <= record->offsets[i - 1] || offset != th_end(r->heap, &r->old[i - 1]))) {
            return broken(r, th_end(r->heap, &r->old[i - 1]), offset);
        }
    }
    if (record->run_count < 1 || record->run_count > TH_SHARED_RUN_MAX) {
        return broken(r, TH_SHARED_RUN_MAX, record->run_count);
    }
    for (uint32_t i = 0; i < record->run_count; i++) {
        uint32_t offset = record->run[i];
        if (!th_offset_ok(r->heap, offset) || offset < record->offsets[0] ||
            offset >= record->offsets[r->count - 1]) {
            return broken(r, record->offsets[0], offset);
        }
    }
    return true;
}

/* Poison in those of the dwords [from, to) that have ever been used. */
static void poison_used(th_heap *heap, uint32_t from, uint32_t to) {
    uint32_t high = heap->high_used > heap->low_used ? heap->high_used : heap->low_used;
    th_guard_wipe(heap, from, to < heap->low_used ? to : heap->low_used);
    th_guard_wipe(heap, from > high ? from : high, to);
}

/* Puts back all headers, and what guards want in and after the blocks. */
static void undo(const repair *r) {
    th_heap *heap = r->heap;
    uint32_t dwords = th_header_dwords(heap);
    /* Headers that were made where none was must not be taken for such: poison is what is due there
     * if anything is. */
    for (uint32_t i = 0; i < r->record->run_count && th_guard(heap) > 0; i++) {
        th_track_fill(th_at(heap, r->record->run[i]), TH_POISON_BYTE, dwords * TH_DWORD_BYTES);
    }
    for (uint32_t i = 0; i < r->count; i++) {
        put_header(heap, r->record->offsets[i], r->record->headers[i]);
    }
    /* Of the block above only the header was written. */
    for (uint32_t i = 0; i + 1 < r->count; i++) {
        const th_header *block = &r->old[i];
        if (th_is_free(heap, block)) {
            poison_used(heap, block->offset + dwords, th_end(heap, block));
        } else {
            th_guard_reopen(heap, block, block->requested);
        }
    }
}

/* ---- what is to be ------------------------------------------------------------------------- */

/* Is it a move: of a live block into the free block below it, with room for the headers that are to
 * be? */
static bool is_move(const repair *r, uint32_t to) {
    const th_header *below = &r->old[0];
    const th_header *block = &r->old[1];
    uint32_t least = th_header_dwords(r->heap) + th_unit(r->heap);
    uint32_t gap = to - below->offset;
    return th_is_free(r->heap, below) && !th_is_free(r->heap, block) && to < block->offset &&
           (gap == 0 || gap >= least) &&
           (r->count == TH_COMPACT_RUN_MAX || block->offset - to >= least) &&
           block->requested <= (size_t)block->size * TH_DWORD_BYTES;
}

/* Moves the contents that have not been moved, then writes the headers. */
static bool finish_move(repair *r) {
    const th_header *block = &r->old[1];
    uint32_t to = r->record->run_count == 1 ? 0 : r->record->run[r->record->run_count - 2];
    if (r->count < 3 || r->record->run_count == 1 || !is_move(r, to)) {
        return broken(r, block->offset, to);
    }
    uint32_t dwords = th_header_dwords(r->heap);
    th_shared_move(r->record, th_at(r->heap, to + dwords), th_payload(r->heap, block),
                   block->requested);
    th_compact_settle(r->heap, r->old, r->count, to);
    return true;
}

/* The counters and the index, from the blocks. */
static bool renew(repair *r) {
    if (!th_check_recount(r->heap, r->fault)) {
        return false;
    }
    th_index_rebuild(r->heap);
    th_seal(r->heap);
    return true;
}

/* Does the operation again: it writes its journal as it did at first. */
static void redo(repair *r) {
    const th_shared_intent intent = r->record->intent;
    void *payload = th_at(r->heap, (uint32_t)intent.first + th_header_dwords(r->heap));
    th_shared_journal(r->shared, &intent);
    if (r->kind == TH_SHARED_FREE) {
        (void)th_heap_free(r->heap, payload);
    } else if (r->kind == TH_SHARED_FREE_TAGS) {
        (void)th_heap_free_tags(r->heap, (uint32_t)intent.first, (uint32_t)intent.second);
    } else if (r->kind == TH_SHARED_SHRINK) {
        (void)th_heap_realloc(r->heap, payload, (size_t)intent.second);
    }
    r->heap->journal = NULL;
}

/* The offset of a header that the operation is to be done again for must be one of the record's. */
static bool names_a_block(const repair *r) {
    bool found = r->kind != TH_SHARED_FREE && r->kind != TH_SHARED_SHRINK;
    for (uint32_t i = 0; i < r->count && !found; i++) {
        found = r->record->intent.first == r->record->offsets[i];
    }
    return found ? true : broken(r, r->record->offsets[0], (uint32_t)r->record->intent.first);
}

/* What was begun is undone or done. */
static bool settle(repair *r) {
    if (!read_record(r) || !names_a_block(r)) {
        return false;
    }
    /* It may be half built, and not even be safe to write. */
    r->heap->index = (th_heap_index_arrays){0};
    if (r->kind == TH_SHARED_MOVE) {
        if (!finish_move(r)) {
            return false;
        }
    } else {
        undo(r);
    }
    if (!renew(r)) {
        return false;
    }
    redo(r);
    return r->fault->kind == TH_FAULT_NONE;
}

bool th_shared_repair(th_shared_heap *shared, th_fault *fault) {
    th_shared_object *object = th_shared_object_of(shared);
    uint32_t state = th_published(&object->state);
    repair r = {.shared = shared,
                .heap = &shared->heap,
                .record = &object->records[th_shared_record_number(state)],
                .kind = th_shared_kind(state),
                .count = th_shared_old(state),
                .fault = fault};
    *fault = (th_fault){.kind = TH_FAULT_NONE};
    if (r.kind >= TH_SHARED_KINDS || !th_shared_load(shared, state)) {
        return broken(&r, TH_SHARED_KINDS, r.kind + TH_SHARED_KINDS);
    }
    const th_guarding guarding = shared->heap.config.guarding;
    shared->heap.config.guarding.on_fault = note_fault;
    shared->heap.config.guarding.fault_context = fault;
    shared->heap.journal = NULL;
    bool settled = true;
    if (r.kind != TH_SHARED_NONE) {
        settled = settle(&r);
    }
    shared->heap.config.guarding = guarding;
    if (!settled || th_heap_check(&shared->heap, fault) != TH_OK) {
        return false;
    }
    if (r.kind != TH_SHARED_NONE) {
        shared->moves += r.kind == TH_SHARED_MOVE;
        shared->repairs++;
        th_shared_commit(shared);
    }
    return true;
}
