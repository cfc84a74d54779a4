/* SPDX-License-Identifier: MIT */
#include "heap/guard.h"

#include "heap/report.h"

/* ---- canaries ----------------------------------------------------------------------------- */

TH_TRACK_BLIND size_t th_search_canary(const th_heap *heap, const th_header *block,
                                       uint32_t *found) {
    size_t bytes = th_canary_bytes(block);
    size_t place = (size_t)th_end(heap, block) * TH_DWORD_BYTES - bytes;
    return place + th_canary_find(heap->check_seed, place, heap->base + place, bytes, found);
}

static TH_TRACK_BLIND size_t find_smashed_canary(const th_heap *heap, const th_header *block,
                                                 uint32_t *found) {
    th_track_blind_begin();
    size_t bad = th_peek_canary(heap, block, found);
    th_track_blind_end();
    return bad;
}

bool th_guard_canary(const th_heap *heap, const th_header *block) {
    uint32_t found = 0;
    if (th_guard(heap) < 1) {
        return true;
    }
    size_t bad = find_smashed_canary(heap, block, &found);
    if (bad != TH_FAULT_NOWHERE) {
        th_raise(heap, TH_FAULT_CANARY, block, bad, th_canary_byte(heap->check_seed, bad), found);
        return false;
    }
    return true;
}

/* Writes the canary after the requested bytes and closes it. Not sixteen bytes at a time: what is
 * written of a payload counts as its contents for MSan, though it is what stood there. */
static void write_canary(th_heap *heap, const th_header *block) {
    size_t bytes = th_canary_bytes(block);
    size_t place = (size_t)th_end(heap, block) * TH_DWORD_BYTES - bytes;
    unsigned char *at = heap->base + place;
    if (th_guard(heap) >= 1) {
        th_canary_write(heap->check_seed, place, at, bytes);
    }
    th_track_close(at, bytes);
}

void th_guard_open(th_heap *heap, const th_header *block) {
    th_track_open(th_payload(heap, block), block->requested);
    write_canary(heap, block);
}

void th_guard_reopen(th_heap *heap, const th_header *block, size_t old_requested) {
    if (block->requested > old_requested) {
        th_track_open(th_payload(heap, block) + old_requested, block->requested - old_requested);
    }
    write_canary(heap, block);
}

/* ---- poison ------------------------------------------------------------------------------- */

static TH_TRACK_BLIND size_t find_smashed_poison(const th_heap *heap, uint32_t from, uint32_t to,
                                                 uint32_t *found) {
    th_track_blind_begin();
    size_t bad = th_peek_poison(heap, from, to, found);
    th_track_blind_end();
    return bad;
}

bool th_guard_poison(const th_heap *heap, const th_header *block, uint32_t from, uint32_t to) {
    uint32_t found = 0;
    if (th_guard(heap) < 2) {
        return true;
    }
    size_t bad = find_smashed_poison(heap, from, to, &found);
    if (bad != TH_FAULT_NOWHERE) {
        th_raise(heap, TH_FAULT_POISON, block, bad, TH_POISON_DWORD, found);
        return false;
    }
    return true;
}

void th_guard_wipe(th_heap *heap, uint32_t from, uint32_t to) {
    if (from >= to) {
        return;
    }
    unsigned char *at = th_at(heap, from);
    size_t bytes = (size_t)(to - from) * TH_DWORD_BYTES;
    if (th_guard(heap) >= 2) {
        th_track_fill(at, TH_POISON_BYTE, bytes);
    }
    th_track_close(at, bytes);
}

void th_guard_close_move(th_heap *heap, const th_header *moved, uint32_t to) {
    th_guard_wipe(heap, th_end(heap, moved), to);
    write_canary(heap, moved);
}
