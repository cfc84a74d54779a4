/* SPDX-License-Identifier: MIT */
#include "heap/guard.h"

void th_report(const th_heap *heap, const th_fault *fault) {
    if (heap->config.guarding.on_fault != NULL) {
        heap->config.guarding.on_fault(heap->config.guarding.fault_context, fault);
    } else {
        th_fault_abort(NULL, fault);
    }
}

void th_raise(const th_heap *heap, th_fault_kind kind, const th_header *block, size_t offset,
              uint32_t expected, uint32_t found) {
    const th_fault fault = {.kind = kind,
                            .block = block != NULL ? block->offset : TH_FAULT_NOWHERE,
                            .tag = block != NULL ? block->tag : 0,
                            .offset = offset,
                            .expected = expected,
                            .found = found};
    th_report(heap, &fault);
}

void th_raise_header(const th_heap *heap, const th_header *block) {
    th_raise(heap, TH_FAULT_HEADER, block,
             (size_t)(block->offset + TH_LAYOUT_CHECK_DWORD) * TH_DWORD_BYTES, block->check_due,
             block->check);
}

/* No live payload starts at the dword that `wanted` would be the header of: is that header damaged,
 * does the pointer lie in free memory, or inside another block? Follows the chain as far as it is
 * sound. */
static void raise_bad_pointer(const th_heap *heap, const th_header *wanted) {
    uint32_t dword = wanted->offset + th_header_dwords(heap);
    size_t at = (size_t)dword * TH_DWORD_BYTES;
    uint32_t offset = 0;
    for (;;) {
        th_header block;
        if (offset == wanted->offset && wanted->check != wanted->check_due) {
            th_raise_header(heap, wanted);
            return;
        }
        if (!th_chain_load(heap, offset, &block)) {
            return;
        }
        if (dword < th_end(heap, &block)) {
            th_fault_kind kind =
                th_is_free(heap, &block) ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK;
            th_raise(heap, kind, &block, at,
                     (block.offset + th_header_dwords(heap)) * TH_DWORD_BYTES, (uint32_t)at);
            return;
        }
        offset = block.next;
    }
}

/* *offset is that of the header that belongs to a payload at `pointer`; false after a fault if no
 * payload can start there. */
static bool header_offset(const th_heap *heap, const void *pointer, uint32_t *offset) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->base;
    if (th_guard(heap) > 0) {
        if (distance >= th_managed_bytes(heap)) {
            th_raise(heap, TH_FAULT_FOREIGN, NULL, TH_FAULT_NOWHERE, 0, (uint32_t)distance);
            return false;
        }
        uintptr_t first = (uintptr_t)th_header_dwords(heap) * TH_DWORD_BYTES;
        uintptr_t last = (uintptr_t)heap->last * TH_DWORD_BYTES;
        if (distance < first || distance >= last ||
            distance % ((size_t)th_unit(heap) * TH_DWORD_BYTES) != 0) {
            th_raise(heap, TH_FAULT_MISALIGNED, NULL, distance, (uint32_t)first,
                     (uint32_t)distance);
            return false;
        }
    }
    *offset = (uint32_t)(distance / TH_DWORD_BYTES) - th_header_dwords(heap);
    return true;
}

bool th_guard_possible(const th_heap *heap, const th_header *block) {
    size_t bytes = (size_t)block->size * TH_DWORD_BYTES;
    if (block->size > heap->last - block->offset || block->next != th_end(heap, block)) {
        th_raise(heap, TH_FAULT_CHAIN, block, TH_FAULT_NOWHERE, th_end(heap, block), block->next);
        return false;
    }
    if (block->requested > bytes) {
        th_raise(heap, TH_FAULT_CHAIN, block, TH_FAULT_NOWHERE, (uint32_t)bytes,
                 (uint32_t)block->requested);
        return false;
    }
    return true;
}

bool th_require_live(const th_heap *heap, const void *pointer, th_header *block) {
    uint32_t offset;
    if (!header_offset(heap, pointer, &offset)) {
        return false;
    }
    th_header_load(heap, offset, block);
    if (th_guard(heap) == 0) {
        return true;
    }
    th_track_trust(block, sizeof *block); /* a bad pointer may lead to uninitialised bytes */
    if (block->check != block->check_due || th_is_free(heap, block)) {
        raise_bad_pointer(heap, block);
        return false;
    }
    return th_guard_possible(heap, block) && th_guard_canary(heap, block);
}

bool th_guard_below(const th_heap *heap, const th_header *block) {
    th_header below;
    return th_guard(heap) < 2 || block->offset == 0 || th_chain_below(heap, block, &below);
}

bool th_guard_above(const th_heap *heap, const th_header *block) {
    th_header above;
    return th_guard(heap) < 2 || th_chain_above(heap, block, &above);
}

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

/* ---- the control structure ---------------------------------------------------------------- */

#if TH_GUARD >= 3
TH_TRACK_BLIND void th_seal(th_heap *heap) {
    if (heap->guard >= 3) {
        th_seals due = th_seals_due(heap);
        heap->seal_layout = due.layout;
        heap->seal_counts = due.counts;
    }
}

TH_TRACK_BLIND bool th_seal_holds(const th_heap *heap) {
    if (!th_sealed(heap)) {
        return true;
    }
    th_seals due = th_seals_due(heap);
    return heap->seal_layout == due.layout && heap->seal_counts == due.counts;
}
#endif

/* ---- the full validator ------------------------------------------------------------------- */

bool th_guard_sound(const th_heap *heap) {
    th_fault fault;
    if (th_guard(heap) < 3 || th_check_blocks(heap, &fault)) {
        return true;
    }
    th_report(heap, &fault);
    return false;
}

/* The checker looks at the seals, too: where they do not hold it finds that, or what caused it.
 */
bool th_guard_control(const th_heap *heap) {
    th_fault fault;
    if (th_seal_holds(heap)) {
        return true;
    }
    (void)th_check(heap, &fault);
    th_report(heap, &fault);
    return false;
}

bool th_guard_control_after(const th_heap *heap, const th_heap *before) {
    if (!th_sealed(before) || th_sealed(heap)) {
        return th_guard_control(heap);
    }
    th_raise(before, TH_FAULT_CONTROL, NULL, TH_FAULT_NOWHERE, (uint32_t)before->seal_layout,
             (uint32_t)heap->seal_layout);
    return false;
}
