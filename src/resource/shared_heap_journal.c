/* SPDX-License-Identifier: MIT */
/* Writing the journal: the order of the stores is what everything else depends on. */
#include <string.h>

#include "base/mix.h"
#include "heap/fast.h"
#include "heap/journal.h"
#include "heap/seal.h"
#include "resource/shared_heap.h"

/* ---- records ------------------------------------------------------------------------------ */

static TH_TRACK_BLIND void save_header(const th_heap *heap, uint32_t offset,
                                       uint32_t to[TH_SHARED_HEADER_MAX]) {
    const th_word *at = (const th_word *)(const void *)heap->base + offset;
    uint32_t dwords = th_header_dwords(heap);
    th_track_blind_begin();
    for (uint32_t i = 0; i < dwords; i++) {
        to[i] = at[i];
    }
    th_track_blind_end();
}

/* The headers from the run's start to `above`, that included; how many there are. */
static uint32_t save_headers(th_shared_record *record, const th_heap *heap, uint32_t first,
                             uint32_t above) {
    uint32_t count = 0;
    uint32_t offset = first;
    for (;;) {
        TH_ASSERT(count < TH_SHARED_OLD_MAX);
        record->offsets[count] = offset;
        save_header(heap, offset, record->headers[count]);
        count++;
        if (offset == above) {
            return count;
        }
        th_header block;
        th_header_load(heap, offset, &block);
        offset = block.next;
    }
}

/* The record that is not valid is written, then it is. */
static void before_change(void *context, const th_heap *heap, const th_header *run, unsigned count,
                          uint32_t above) {
    th_shared_heap *shared = context;
    th_shared_object *object = th_shared_object_of(shared);
    uint32_t state = object->state;
    uint32_t number = th_shared_record_number(state) ^ 1;
    th_shared_record *record = &object->records[number];
    record->intent = shared->now;
    record->moved = 0;
    record->run_count = count;
    for (unsigned i = 0; i < count; i++) {
        record->run[i] = run[i].offset;
    }
    uint32_t old = save_headers(record, heap, run[0].offset, above);
    uint32_t kept = state >> TH_SHARED_CONTROL_BIT << TH_SHARED_CONTROL_BIT;
    th_publish(&object->state, kept | number << TH_SHARED_RECORD_BIT | old << TH_SHARED_OLD_SHIFT |
                                   shared->now.kind);
    shared->moves += shared->now.kind == TH_SHARED_MOVE;
    if (shared->then.kind != TH_SHARED_NONE) {
        shared->now = shared->then;
    }
}

/* A piece is as long as the way: so it does not overlap the place that it goes to, and can be moved
 * once more if nobody knows whether it was. */
void th_shared_move(th_shared_record *record, unsigned char *to, const unsigned char *from,
                    size_t bytes) {
    size_t piece = (size_t)(from - to);
    for (size_t done = record->moved * piece; done < bytes; done += piece) {
        size_t left = bytes - done;
        memcpy(to + done, from + done, left < piece ? left : piece);
        th_publish(&record->moved, record->moved + 1);
    }
}

static void move_contents(void *context, unsigned char *to, const unsigned char *from,
                          size_t bytes) {
    th_shared_object *object = th_shared_object_of(context);
    th_shared_move(&object->records[th_shared_record_number(object->state)], to, from, bytes);
}

void th_shared_journal(th_shared_heap *shared, const th_shared_intent *intent) {
    static const th_journal journal = {before_change, move_contents};
    static const th_shared_intent nothing = {0};
    shared->heap.journal = &journal;
    shared->heap.journal_context = shared;
    shared->now = *intent;
    shared->then = nothing;
}

/* ---- controls ----------------------------------------------------------------------------- */

#define MIX_IN(name)   sum = th_mix(sum, control->name);
#define COPY_OUT(name) heap->name = control.name;
#define COPY_IN(name)  control->name = heap->name;

static uint64_t check_of(const th_shared_control *control) {
    uint64_t sum = th_mix(TH_SHARED_MARK, control->operations);
    sum = th_mix(sum, control->moves);
    sum = th_mix(sum, control->repairs);
    TH_SHARED_COUNTERS(MIX_IN, MIX_IN)
    return sum;
}

bool th_shared_load(th_shared_heap *shared, uint32_t state) {
    th_heap *heap = &shared->heap;
    const th_shared_control control =
        th_shared_object_of(shared)->controls[th_shared_control_number(state)];
    if (control.check != check_of(&control)) {
        return false;
    }
    shared->operations = control.operations;
    shared->moves = control.moves;
    shared->repairs = control.repairs;
    TH_SHARED_COUNTERS(COPY_OUT, COPY_OUT)
    heap->busy = TH_FAULT_NONE;
    heap->fast = TH_FAST_NONE;
    th_seal(heap);
    shared->seen = state;
    return true;
}

void th_shared_commit(th_shared_heap *shared) {
    const th_heap *heap = &shared->heap;
    th_shared_object *object = th_shared_object_of(shared);
    uint32_t state = object->state;
    uint32_t number = th_shared_control_number(state) ^ 1;
    th_shared_control *control = &object->controls[number];
    control->operations = ++shared->operations;
    control->moves = shared->moves;
    control->repairs = shared->repairs;
    TH_SHARED_COUNTERS(COPY_IN, COPY_IN)
    control->check = check_of(control);
    uint32_t next = (state >> TH_SHARED_NUMBER_SHIFT) + 1;
    shared->seen = next << TH_SHARED_NUMBER_SHIFT | number << TH_SHARED_CONTROL_BIT |
                   (state & 1u << TH_SHARED_RECORD_BIT);
    th_publish(&object->state, shared->seen);
}
