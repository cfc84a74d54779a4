/* SPDX-License-Identifier: MIT */
/* Attacks: what a buggy caller or an attacker does to a heap, in the middle of a script.
 *
 * An attack damages one byte or dword (or takes a pointer that is none), provokes the heap with
 * calls that must meet the damage, demands the right fault at the right block each time and that
 * nothing is changed, repairs the damage, and lets the script go on: the heap and the model must
 * still agree. What must be noticed depends on the guard level (docs/guards.md). At level 0 nothing
 * need be, but the checker, the walk and the lookup must still come to an end. */
#include <assert.h>
#include <stdio.h>

#include "runner/plain.h"
#include "runner/state.h"

/* One attack. */
typedef struct attack {
    th_fault_kind kind; /* what the heap must say */
    uint32_t block;     /* of which block; LAB_EXACT_NONE: any */
    uint32_t byte;      /* where, from the start of the region; LAB_EXACT_NONE: anywhere */
    th_heap control;    /* the control structure before it */
    void *payload;      /* of the attacked slot */
    uint32_t slot;
} attack;

static LAB_PLAIN void flip(lab_runner *r, uint32_t byte, unsigned char mask) {
    LAB_BLIND_BEGIN;
    r->base[byte] ^= mask;
    LAB_BLIND_END;
}

static void flip_dword(lab_runner *r, uint32_t dword, uint32_t mask) {
    for (uint32_t i = 0; i < 4; i++) {
        flip(r, 4 * dword + i, (unsigned char)(mask >> 8 * i));
    }
}

static bool same_control(const th_heap *a, const th_heap *b) {
    return a->base == b->base && a->dwords == b->dwords && a->last == b->last &&
           a->compact_cursor == b->compact_cursor && a->low_used == b->low_used &&
           a->high_used == b->high_used && a->head_blocks == b->head_blocks &&
           a->tail_blocks == b->tail_blocks && a->free_blocks == b->free_blocks &&
           a->head_dwords == b->head_dwords && a->tail_dwords == b->tail_dwords &&
           a->high_water_dwords == b->high_water_dwords && a->check_seed == b->check_seed &&
           a->failed_allocs == b->failed_allocs && a->busy == b->busy &&
           a->in_low_memory == b->in_low_memory && a->seal_layout == b->seal_layout &&
           a->seal_counts == b->seal_counts;
}

enum { PLACE_BYTES_MAX = 64 };

/* What does not matter, as a fault says that there is none. */
static size_t or_nowhere(uint32_t place) {
    return place != LAB_EXACT_NONE ? place : TH_FAULT_NOWHERE;
}

/* " at block 3 byte 12"; what is not there, or does not matter, in a word. */
static const char *place(size_t block, size_t byte, const char *none, char text[PLACE_BYTES_MAX]) {
    int used = block == TH_FAULT_NOWHERE ? snprintf(text, PLACE_BYTES_MAX, " at %s block", none)
                                         : snprintf(text, PLACE_BYTES_MAX, " at block %zu", block);
    (void)(byte == TH_FAULT_NOWHERE
               ? snprintf(text + used, PLACE_BYTES_MAX - (size_t)used, ", %s byte", none)
               : snprintf(text + used, PLACE_BYTES_MAX - (size_t)used, ", byte %zu", byte));
    return text;
}

/* The last call must have raised the fault, and must not have touched the control structure. */
static bool expect_fault(lab_runner *r, const attack *a, const char *call, bool gave_up) {
    const th_fault *fault = &r->attack_fault;
    uint32_t faults = r->attack_faults;
    r->attack_faults = 0;
    if (!gave_up) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s did not give up", call);
    }
    if (faults == 0) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s raised no fault; expected %s", call,
                        th_fault_name(a->kind));
    }
    if (fault->kind != a->kind || (a->block != LAB_EXACT_NONE && fault->block != a->block) ||
        (a->byte != LAB_EXACT_NONE && fault->offset != a->byte)) {
        char want[PLACE_BYTES_MAX];
        char have[PLACE_BYTES_MAX];
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s: expected %s%s, found %s%s", call,
                        th_fault_name(a->kind),
                        place(or_nowhere(a->block), or_nowhere(a->byte), "any", want),
                        th_fault_name(fault->kind), place(fault->block, fault->offset, "no", have));
    }
    if (!same_control(&a->control, &r->heap)) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, call, "%s changed the heap", call);
    }
    return true;
}

/* The checker, the walk, the lookup and attach on a damaged heap: they end, and if `must` is set
 * the damage is found. */
static bool examine(lab_runner *r, const attack *a, bool must) {
    th_fault fault = {0};
    th_heap_block block;
    th_heap copy = r->heap;
    uint32_t blocks = 0;
    th_heap_stats stats;
    th_status status = th_heap_check(&r->heap, &fault);
    th_heap_get_stats(&r->heap, &stats);
    for (bool more = th_heap_first(&r->heap, &block); more; more = th_heap_next(&r->heap, &block)) {
        blocks++;
    }
    (void)th_heap_find(&r->heap, r->base + 4 * (size_t)r->model.dwords - 1, &block);
    r->attack_faults = 0;
    if (blocks > r->model.dwords) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "walk", "a walk of %u blocks", blocks);
    }
    if (th_heap_check(&r->heap, NULL) != status) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "check NULL",
                        "the checker says %s, without a place for the fault %s",
                        th_status_name(status), th_status_name(th_heap_check(&r->heap, NULL)));
    }
    if (status == TH_OK) {
        return !must || lab_fail(r, LAB_PROPERTY_ATTACK, "check", "expected %s, found nothing",
                                 th_fault_name(a->kind));
    }
    if (must && r->heap.guard > 0 && fault.kind != a->kind) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "check", "expected %s, found %s",
                        th_fault_name(a->kind), th_fault_name(fault.kind));
    }
    if (th_heap_attach(&copy, r->base) == TH_OK) {
        return lab_fail(r, LAB_PROPERTY_ATTACK, "attach", "a damaged image was accepted");
    }
    return true;
}

/* Calls on the payload that all meet the damage. */
static bool provoke_payload(lab_runner *r, const attack *a) {
    size_t bytes = lab_exact_find(&r->model, r->slots[a->slot].block)->requested;
    return expect_fault(r, a, "free", th_heap_free(&r->heap, a->payload) == 0) &&
           expect_fault(r, a, "resize to 0", th_heap_resize(&r->heap, a->payload, 0) == NULL) &&
           expect_fault(r, a, "resize", th_heap_resize(&r->heap, a->payload, bytes) == NULL) &&
           expect_fault(r, a, "grow", th_heap_resize(&r->heap, a->payload, bytes + 500) == NULL) &&
           expect_fault(r, a, "trim", th_heap_trim(&r->heap, a->payload) == 0);
}

/* Small allocations that must load the damaged header. */
static bool provoke_alloc(lab_runner *r, const attack *a) {
    bool indexed = r->indexes[r->arena].memory != NULL;
    int guard = r->heap.guard;
    return (!lab_alloc_meets(&r->model, indexed, guard, false, a->block) ||
            expect_fault(r, a, "alloc 1", th_heap_alloc(&r->heap, 1, 0) == NULL)) &&
           (!lab_alloc_meets(&r->model, indexed, guard, true, a->block) ||
            expect_fault(r, a, "alloc 1 tail",
                         th_heap_alloc(&r->heap, 1, r->model.tag_tail) == NULL));
}

/* The lowest block of its tag is damaged: nothing of that tag is freed. */
static bool provoke_free_tags(lab_runner *r, const attack *a) {
    const lab_extent *extent = r->model.extents;
    uint32_t tag = lab_exact_find(&r->model, a->block)->tag;
    while (extent->tag != tag) {
        extent++;
    }
    return extent->offset != a->block || tag == r->model.tag_free ||
           expect_fault(r, a, "free tags", th_heap_free_tags(&r->heap, tag, tag) == 0);
}

static bool veto_all(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    return false;
}

/* Takes back what a call may count or note though it gave up. */
static void uncount(lab_runner *r, const attack *a) {
    r->heap.failed_allocs = a->control.failed_allocs;
    r->heap.compact_cursor = a->control.compact_cursor;
    r->heap.seal_counts = a->control.seal_counts;
}

/* Calls on the whole heap that change nothing on a sound one; on a damaged one they may give up
 * early, and at level 3 must say why. */
static bool provoke_heap(lab_runner *r, const attack *a) {
    static th_heap copy;
    bool quiet = r->heap.guard < 3;
    size_t impossible = lab_impossible_bytes(&r->model);
    unsigned char *other = r->arenas[1 - r->arena] + (r->base - r->arenas[r->arena]);
    (void)th_heap_copy(&r->heap, &copy, other);
    lab_forget(&copy);
    r->attack_faults = 0;
    bool null = th_heap_alloc(&r->heap, impossible, 0) == NULL;
    uncount(r, a);
    bool said = quiet || expect_fault(r, a, "alloc", null);
    null = said && th_heap_alloc(&r->heap, impossible, r->model.tag_tail) == NULL;
    uncount(r, a);
    said = said && (quiet || expect_fault(r, a, "alloc tail", null));
    uint32_t moved = said ? th_heap_compact(&r->heap, veto_all, NULL).blocks_moved : 0;
    uncount(r, a);
    said = said && (quiet || expect_fault(r, a, "compact", moved == 0));
    uint32_t freed = said ? th_heap_free_tags(&r->heap, 1, 0) : 0;
    said = said && (quiet || expect_fault(r, a, "free_tags", freed == 0));
    r->attack_faults = 0;
    return said;
}

/* The free block below a HEAD block, or that block itself, is damaged: compaction verifies both
 * before it asks about the block, and asks about nothing above it. */
static bool provoke_compact(lab_runner *r, const attack *a, const lab_extent *moving) {
    if (!lab_exact_is_head(&r->model, moving) || moving == r->model.extents ||
        !lab_exact_is_free(&r->model, &moving[-1])) {
        return true;
    }
    uint32_t moved = th_heap_compact(&r->heap, veto_all, NULL).blocks_moved;
    uncount(r, a);
    return expect_fault(r, a, "compact past it", moved == 0);
}

/* A move callback that makes the damage, and allows the move of one block. */
typedef struct striker {
    lab_runner *r;
    const void *moving;
    uint32_t dword, mask;
    bool struck;
} striker;

static bool strike_and_allow(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    striker *k = context;
    (void)tag;
    (void)to;
    (void)bytes;
    if (from != k->moving) {
        return false;
    }
    flip_dword(k->r, k->dword, k->mask);
    k->struck = true;
    return true;
}

/* Would the move of this block meet what the attack damages in `hit`? */
static bool is_met_by_move(const lab_runner *r, const attack *a, const lab_extent *moving,
                           const lab_extent *hit) {
    const lab_extent *first = r->model.extents;
    if (!lab_exact_is_head(&r->model, moving) || !lab_exact_is_free(&r->model, &moving[-1])) {
        return false;
    }
    switch (a->kind) {
    case TH_FAULT_CANARY:
        return hit == moving;
    case TH_FAULT_POISON:
        return hit == moving - 1;
    default: {
        bool merge = lab_exact_is_free(&r->model, &moving[1]) && moving[1].size > 0;
        const lab_extent *low = moving - (r->heap.guard > 1 && moving > first + 1 ? 2 : 1);
        return hit >= low && hit <= moving + (merge ? 2 : 1);
    }
    }
}

/* The same damage, made while the heap waits for the answer of a callback: before it moves the
 * block it must look again. The damage is repaired here. */
static bool provoke_move(lab_runner *r, const attack *a, const lab_extent *hit, uint32_t dword,
                         uint32_t mask) {
    const lab_extent *first = r->model.extents;
    const lab_extent *last = first + r->model.count - 1;
    const lab_extent *moving = hit > first + 2 ? hit - 2 : first + 1;
    for (; moving < last && moving - hit <= 2; moving++) {
        striker k = {.r = r, .dword = dword, .mask = mask};
        if (!is_met_by_move(r, a, moving, hit)) {
            continue;
        }
        k.moving = lab_payload(r, moving->offset);
        th_heap_compaction result = th_heap_compact(&r->heap, strike_and_allow, &k);
        uncount(r, a);
        if (k.struck) {
            flip_dword(r, dword, mask);
        }
        if (k.struck && !expect_fault(r, a, "move", result.blocks_moved == 0 && !result.done)) {
            return false;
        }
    }
    return true;
}

/* ---- the attacks -------------------------------------------------------------------------- */

static bool attack_canary(lab_runner *r, attack *a, const lab_extent *extent, uint32_t at) {
    uint32_t span = 4 * extent->size - extent->requested;
    if (span == 0 || r->heap.guard < 1) {
        return true;
    }
    a->kind = TH_FAULT_CANARY;
    a->block = extent->offset;
    a->byte = 4 * (extent->offset + r->model.header) + extent->requested + at % span;
    unsigned char mask = (unsigned char)(1u << (at >> 20 & 7));
    flip(r, a->byte, mask);
    bool right = examine(r, a, true) && provoke_payload(r, a) && provoke_free_tags(r, a) &&
                 provoke_compact(r, a, extent) && provoke_heap(r, a);
    flip(r, a->byte, mask);
    return right && provoke_move(r, a, extent, a->byte / 4, (uint32_t)mask << 8 * (a->byte % 4));
}

/* With its header damaged, a pointer into the middle of the block leads to the same report. */
static bool provoke_interior(lab_runner *r, const attack *a) {
    const lab_extent *extent = lab_exact_find(&r->model, a->block);
    void *interior = (char *)a->payload + 4 * (size_t)r->model.unit;
    return extent->size <= r->model.unit || extent->offset != r->slots[a->slot].block ||
           expect_fault(r, a, "free inside", th_heap_free(&r->heap, interior) == 0);
}

/* One dword of a header: its own block's is noticed by every call on the payload, a neighbour's
 * from level 2 on. */
static bool attack_header(lab_runner *r, attack *a, const lab_extent *extent, uint32_t at) {
    const lab_header_rule *header = lab_header_rule_of(&r->model);
    uint32_t dword = at % header->dwords;
    uint32_t bits = at / header->dwords;
    uint32_t mask = bits < 1u << 20 ? bits : bits << 12;
    mask = mask != 0 ? mask : 1u << at % 32;
    bool own = extent->offset == r->slots[a->slot].block;
    a->kind = TH_FAULT_HEADER;
    a->block = extent->offset;
    flip_dword(r, extent->offset + dword, mask);
    bool right = examine(r, a, r->heap.guard > 0 || (mask & header->structural[dword]) != 0);
    if (r->heap.guard > 0) {
        right = right && (r->heap.guard < (own ? 1 : 2) || provoke_payload(r, a)) &&
                provoke_interior(r, a) && provoke_alloc(r, a) && provoke_free_tags(r, a) &&
                provoke_heap(r, a);
    }
    flip_dword(r, extent->offset + dword, mask);
    return right && (r->heap.guard < 1 || provoke_move(r, a, extent, extent->offset + dword, mask));
}

/* The header of the second block above: met where the one above is free, and merged; by growth
 * also if it has to move the block, for then the old one will be freed. */
static bool attack_beyond(lab_runner *r, attack *a, uint32_t at) {
    const lab_extent *own = lab_exact_find(&r->model, r->slots[a->slot].block);
    const lab_extent *above = own + 1;
    if (!lab_exact_is_free(&r->model, above) || above->size == 0 || r->heap.guard < 1) {
        return true;
    }
    a->kind = TH_FAULT_HEADER;
    a->block = above[1].offset;
    uint32_t dwords = lab_header_rule_of(&r->model)->dwords;
    uint32_t dword = a->block + at % dwords;
    uint32_t mask = 1u << at / dwords % 32;
    size_t usable = 4 * (size_t)own->size;
    size_t too_much = 4 * (size_t)(a->block - own->offset);
    flip_dword(r, dword, mask);
    bool right =
        examine(r, a, true) &&
        expect_fault(r, a, "free", th_heap_free(&r->heap, a->payload) == 0) &&
        expect_fault(r, a, "grow", th_heap_resize(&r->heap, a->payload, usable + 1) == NULL) &&
        (too_much / 4 > r->model.payload_max - 4 ||
         expect_fault(r, a, "move", th_heap_resize(&r->heap, a->payload, too_much) == NULL)) &&
        (usable - own->requested < 4 * (size_t)r->model.unit ||
         expect_fault(r, a, "trim", th_heap_trim(&r->heap, a->payload) == 0));
    flip_dword(r, dword, mask);
    return right && provoke_move(r, a, above + 1, dword, mask);
}

/* A counter of the control structure, which lies in the caller's memory. The high-water mark does
 * not agree with the blocks if it lies below what is in use; else only its seal is broken. */
static bool attack_counts(lab_runner *r, attack *a, uint32_t at) {
    uint32_t *const counters[] = {&r->heap.head_blocks, &r->heap.tail_blocks,
                                  &r->heap.free_blocks, &r->heap.head_dwords,
                                  &r->heap.tail_dwords, &r->heap.high_water_dwords};
    enum { COUNTERS = sizeof counters / sizeof counters[0] };
    uint32_t *counter = counters[at % COUNTERS];
    uint32_t mask = 1u << at / COUNTERS % 16;
    *counter ^= mask;
    a->control = r->heap;
    bool wrong = counter != &r->heap.high_water_dwords || *counter < r->model.used;
    bool sealed = r->heap.guard >= 3;
    a->kind = wrong ? TH_FAULT_COUNT : TH_FAULT_CONTROL;
    bool right = examine(r, a, wrong || sealed) && (!sealed || provoke_heap(r, a));
    *counter ^= mask;
    return right;
}

/* What reuses a free block: its own slot's block grows, or a small block is made there. */
typedef enum reuse { REUSE_GROW, REUSE_HEAD, REUSE_TAIL } reuse;

/* Poison in the free block, as far as it was ever used, on the TAIL side for a TAIL block: met by
 * calls that would reuse it. */
static bool spoil(lab_runner *r, attack *a, const lab_extent *extent, uint32_t at, reuse how) {
    uint32_t from = extent->offset + r->model.header;
    uint32_t end = from + extent->size;
    if (how == REUSE_TAIL) {
        from = from > r->past.ever_high ? from : r->past.ever_high;
    } else {
        end = end < r->past.ever_low ? end : r->past.ever_low;
    }
    if (!lab_exact_is_free(&r->model, extent) || from >= end || r->heap.guard < 2) {
        return true;
    }
    size_t usable = 4 * (size_t)lab_exact_find(&r->model, r->slots[a->slot].block)->size;
    uint32_t byte = 4 * from + at % (4 * (end - from));
    unsigned char mask = (unsigned char)(1u << (at >> 20 & 7));
    a->kind = TH_FAULT_POISON;
    a->block = extent->offset;
    a->byte = byte & ~3u;
    flip(r, byte, mask);
    bool right = examine(r, a, true);
    if (right && how == REUSE_GROW) {
        right =
            expect_fault(r, a, "grow", th_heap_resize(&r->heap, a->payload, usable + 1) == NULL);
    } else if (right) {
        uint32_t tag = how == REUSE_TAIL ? r->model.tag_tail : 0;
        right = expect_fault(r, a, "alloc", th_heap_alloc(&r->heap, 1, tag) == NULL);
    }
    right = right && provoke_compact(r, a, extent + 1) && provoke_heap(r, a);
    flip(r, byte, mask);
    return right && provoke_move(r, a, extent, byte / 4, (uint32_t)mask << 8 * (byte % 4));
}

/* The lowest free block is where a small HEAD allocation goes, the highest where a small TAIL
 * allocation does; the one above the slot's block is what it grows into. */
static bool attack_poison(lab_runner *r, attack *a, uint32_t at) {
    const lab_extent *extent = lab_exact_find(&r->model, r->slots[a->slot].block);
    extent = lab_exact_find(&r->model, extent->offset + r->model.header + extent->size);
    if (lab_exact_is_free(&r->model, extent) && at % 2 == 0) {
        return spoil(r, a, extent, at, REUSE_GROW);
    }
    if (at % 4 == 3) {
        extent = &r->model.extents[r->model.count - 2];
        while (extent > r->model.extents && lab_exact_is_tail(&r->model, extent)) {
            extent--;
        }
        return spoil(r, a, extent, at, REUSE_TAIL);
    }
    extent = r->model.extents;
    while (lab_exact_is_head(&r->model, extent)) {
        extent++;
    }
    return spoil(r, a, extent, at, REUSE_HEAD);
}

/* A pointer at byte `distance` from the start of the region, which may lie outside. */
static bool attack_pointer(lab_runner *r, attack *a, uint32_t at) {
    uint32_t region = 4 * r->model.dwords;
    uint32_t distance = lab_aim(&r->past, &r->model, at);
    uint32_t last = region - 4 * r->model.header;
    uint32_t first = 4 * r->model.header;
    if (r->heap.guard < 1) {
        return true;
    }
    if (distance >= region) {
        a->kind = TH_FAULT_FOREIGN;
    } else if (distance < first || distance >= last || distance % (4 * r->model.unit) != 0) {
        a->kind = TH_FAULT_MISALIGNED;
        a->byte = distance;
    } else {
        const lab_extent *extent = lab_exact_find(&r->model, distance / 4);
        bool free = lab_exact_is_free(&r->model, extent);
        if (!free && extent->offset == distance / 4 - r->model.header) {
            return true;
        }
        a->kind = free ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK;
        a->block = extent->offset;
        a->byte = distance;
    }
    void *pointer = (void *)((uintptr_t)r->base + (uintptr_t)(intptr_t)(int32_t)distance);
    return expect_fault(r, a, "free", th_heap_free(&r->heap, pointer) == 0) &&
           expect_fault(r, a, "resize", th_heap_resize(&r->heap, pointer, 8) == NULL) &&
           expect_fault(r, a, "trim", th_heap_trim(&r->heap, pointer) == 0) &&
           expect_fault(r, a, "usable size", th_heap_usable_size(&r->heap, pointer) == 0) &&
           expect_fault(r, a, "requested size", th_heap_requested_size(&r->heap, pointer) == 0);
}

static bool dispatch(lab_runner *r, const lab_op *op, attack *a) {
    uint32_t block = r->slots[op->slot].block;
    const lab_extent *extent = lab_exact_find(&r->model, block);
    uint32_t at = op->size.value;
    switch ((lab_attack)op->attack) {
    case LAB_ATTACK_CANARY:
        return attack_canary(r, a, extent, at);
    case LAB_ATTACK_HEADER:
        return attack_header(r, a, extent, at);
    case LAB_ATTACK_BELOW:
        return block == 0 || attack_header(r, a, lab_exact_find(&r->model, block - 1), at);
    case LAB_ATTACK_ABOVE:
        return attack_header(r, a,
                             lab_exact_find(&r->model, block + r->model.header + extent->size), at);
    case LAB_ATTACK_BEYOND:
        return attack_beyond(r, a, at);
    case LAB_ATTACK_COUNTS:
        return attack_counts(r, a, at);
    case LAB_ATTACK_POISON:
        return attack_poison(r, a, at);
    case LAB_ATTACK_POINTER:
        return attack_pointer(r, a, at);
    case LAB_ATTACK_COUNT:
        break;
    }
    return true;
}

bool lab_attack_heap(lab_runner *r, const lab_op *op) {
    attack a = {.block = LAB_EXACT_NONE,
                .byte = LAB_EXACT_NONE,
                .control = r->heap,
                .payload = lab_payload(r, r->slots[op->slot].block),
                .slot = op->slot};
    r->attacking = true;
    r->attack_faults = 0;
    bool right = dispatch(r, op, &a);
    r->attacking = false;
    return right;
}
