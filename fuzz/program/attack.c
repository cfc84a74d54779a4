/* SPDX-License-Identifier: MIT */
/* Attacks: damage, calls that must meet it, repair. */
#include "program/attack.h"

#include "program/control.h"
#include "program/saboteur.h"

static th_heap control; /* the control structure with the damage, if that is there */
static th_fault_kind wanted_kind;
static uint32_t wanted_block, wanted_byte;

#if ASAN
__attribute__((no_sanitize("address")))
#endif
void damage(uint32_t dword, uint32_t mask) {
    for (unsigned i = 0; i < 4; i++) {
        base[4 * dword + i] = (unsigned char)(base[4 * dword + i] ^ (mask >> 8 * i & 0xFF));
    }
}

void begin_attack(th_fault_kind kind, uint32_t block, uint32_t byte) {
    control = heap;
    wanted_kind = kind;
    wanted_block = block;
    wanted_byte = byte;
    attacking = true;
    attack_faults = 0;
}

void must_refuse(const char *call, bool refused) {
    unsigned faults = attack_faults;
    attack_faults = 0;
    if (!refused || faults == 0 || attack_fault.kind != wanted_kind ||
        (wanted_block != UINT32_MAX && attack_fault.block != wanted_block) ||
        (wanted_byte != UINT32_MAX && attack_fault.offset != wanted_byte) ||
        !same_control(&control, &heap)) {
        differ(NAME_ATTACK, call, 1, 0);
    }
}

void may_pass(bool refused) {
    (void)refused;
    attack_faults = 0;
}

bool without_notes(bool refused) {
    heap.failed_allocs = control.failed_allocs;
    heap.compact_cursor = control.compact_cursor;
    heap.seal_counts = control.seal_counts;
    return refused;
}

void examine(bool must) {
    th_fault fault;
    th_heap_block block;
    th_heap copy = heap;
    uint32_t blocks = 0;
    memset(&fault, 0, sizeof fault);
    th_status status = th_heap_check(&heap, &fault);
    (void)th_heap_get_stats(&heap);
    for (bool more = th_heap_first(&heap, &block); more; more = th_heap_next(&heap, &block)) {
        blocks++;
    }
    (void)th_heap_find(&heap, base + 4 * (size_t)DWORDS - 1, &block);
    attack_faults = 0;
    if (blocks > DWORDS) {
        differ(NAME_ATTACK, "walk", DWORDS, blocks);
    }
    if (th_heap_check(&heap, NULL) != status) {
        differ(NAME_ATTACK, "check NULL", 1, 0);
    }
    if (must && (status == TH_OK || (heap.guard > 0 && fault.kind != wanted_kind))) {
        differ(NAME_ATTACK, "check", wanted_kind, status == TH_OK ? TH_FAULT_NONE : fault.kind);
    }
    if (status != TH_OK && th_heap_attach(&copy, base) == TH_OK) {
        differ(NAME_ATTACK, "attach", 0, 1);
    }
}

bool veto(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    return false;
}

bool copy_and_end(void) {
    static th_heap copy;
    (void)th_heap_copy(&heap, &copy, arenas[1 - arena] + START);
    forget(&copy);
    return true;
}

typedef struct place_and_mask {
    uint32_t dword, mask;
} place_and_mask;

static void damage_there(const void *what) {
    const place_and_mask *there = what;
    damage(there->dword, there->mask);
}

void refuse_move(unsigned char *moving, uint32_t dword, uint32_t mask) {
    const place_and_mask there = {dword, mask};
    saboteur s = {moving, damage_there, &there, false};
    th_heap_compaction result = th_heap_compact(&heap, damage_and_allow, &s);
    (void)without_notes(true);
    if (s.asked) {
        damage(dword, mask);
        must_refuse("move", result.blocks_moved == 0 && !result.done);
    }
}
