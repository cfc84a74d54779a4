/* SPDX-License-Identifier: MIT */
/* One attack: where the damage is, and which calls must meet it, is known from the model. The order
 * of the calls is that of fuzz/runner/attack.c, where the reasons stand. */
#include <string.h>

#include "export/state.h"
#include "tagheap/heap.h"

enum { COUNTERS = 6 };

static const lab_extent *own_extent(const lab_export *e) {
    return lab_exact_find(&e->model, e->slots[e->op->slot].block);
}

static void begin(lab_export *e, const char *kind, uint32_t block, uint32_t byte) {
    lab_export_line(e, "begin_attack(TH_FAULT_%s, 0x%x, 0x%x);", kind, block, byte);
}

static void damage(lab_export *e, uint32_t byte, uint32_t mask) {
    lab_export_line(e, "damage(%u, 0x%x);", byte, mask);
}

static void examine(lab_export *e, bool must) {
    lab_export_line(e, "examine(%s);", must ? "true" : "false");
}

static void provoke_payload(lab_export *e) {
    lab_export_line(e, "provoke_payload(slot[%u], %u);", e->op->slot, own_extent(e)->requested);
}

static void provoke_free_tags(lab_export *e, uint32_t block) {
    const lab_extent *extent = e->model.extents;
    uint32_t tag = lab_exact_find(&e->model, block)->tag;
    while (extent->tag != tag) {
        extent++;
    }
    if (extent->offset == block && tag != e->model.tag_free) {
        lab_export_line(e, "caught(\"free tags\", th_heap_free_tags(&heap, 0x%04x, 0x%04x) == 0);",
                        tag, tag);
    }
}

static void provoke_compact(lab_export *e, const lab_extent *moving) {
    if (lab_exact_is_head(&e->model, moving) && moving != e->model.extents &&
        lab_exact_is_free(&e->model, &moving[-1])) {
        lab_export_line(e, "provoke_compact();");
    }
}

static bool is_met_by_move(const lab_export *e, const char *kind, const lab_extent *moving,
                           const lab_extent *hit) {
    const lab_extent *first = e->model.extents;
    if (!lab_exact_is_head(&e->model, moving) || !lab_exact_is_free(&e->model, &moving[-1])) {
        return false;
    }
    if (strcmp(kind, "HEADER") != 0) {
        return hit == (strcmp(kind, "CANARY") == 0 ? moving : moving - 1);
    }
    bool merge = lab_exact_is_free(&e->model, &moving[1]) && moving[1].size > 0;
    const lab_extent *low = moving - (e->guard > 1 && moving > first + 1 ? 2 : 1);
    return hit >= low && hit <= moving + (merge ? 2 : 1);
}

static void provoke_move(lab_export *e, const char *kind, const lab_extent *hit, uint32_t byte,
                         uint32_t mask) {
    const lab_extent *first = e->model.extents;
    const lab_extent *last = first + e->model.count - 1;
    const lab_extent *moving = hit > first + 2 ? hit - 2 : first + 1;
    for (; moving < last && moving - hit <= 2; moving++) {
        if (is_met_by_move(e, kind, moving, hit)) {
            lab_export_line(e, "provoke_move(base + %u, %u, 0x%x);",
                            4 * (moving->offset + e->model.header), byte, mask);
        }
    }
}

static void attack_canary(lab_export *e, uint32_t at) {
    const lab_extent *extent = own_extent(e);
    uint32_t span = 4 * extent->size - extent->requested;
    if (span == 0 || e->guard < 1) {
        return;
    }
    uint32_t byte = 4 * (extent->offset + e->model.header) + extent->requested + at % span;
    uint32_t mask = 1u << (at >> 20 & 7);
    begin(e, "CANARY", extent->offset, byte);
    damage(e, byte, mask);
    examine(e, true);
    provoke_payload(e);
    provoke_free_tags(e, extent->offset);
    provoke_compact(e, extent);
    lab_export_line(e, "provoke_heap();");
    damage(e, byte, mask);
    provoke_move(e, "CANARY", extent, byte, mask);
}

static void provoke_interior(lab_export *e, const lab_extent *extent) {
    if (extent->size > e->model.unit && extent->offset == e->slots[e->op->slot].block) {
        lab_export_line(e, "caught(\"free inside\", th_heap_free(&heap, slot[%u] + %u) == 0);",
                        e->op->slot, 4 * e->model.unit);
    }
}

static void provoke_alloc(lab_export *e, uint32_t block) {
    bool indexed = lab_index_wanted(&e->script->config);
    if (lab_alloc_meets(&e->model, indexed, e->guard, false, block)) {
        lab_export_line(e, "caught(\"alloc 1\", th_heap_alloc(&heap, 1, 0) == NULL);");
    }
    if (lab_alloc_meets(&e->model, indexed, e->guard, true, block)) {
        lab_export_line(e, "caught(\"alloc 1 tail\", th_heap_alloc(&heap, 1, TAG_TAIL) "
                           "== NULL);");
    }
}

static void attack_header(lab_export *e, const lab_extent *extent, uint32_t at) {
    const lab_header_rule *header = lab_header_rule_of(&e->model);
    uint32_t dword = at % header->dwords;
    uint32_t bits = at / header->dwords;
    uint32_t mask = bits < 1u << 20 ? bits : bits << 12;
    mask = mask != 0 ? mask : 1u << at % 32;
    bool own = extent->offset == e->slots[e->op->slot].block;
    begin(e, "HEADER", extent->offset, LAB_EXACT_NONE);
    damage(e, 4 * (extent->offset + dword), mask);
    examine(e, e->guard > 0 || (mask & header->structural[dword]) != 0);
    if (e->guard > 0) {
        if (e->guard >= (own ? 1 : 2)) {
            provoke_payload(e);
        }
        provoke_interior(e, extent);
        provoke_alloc(e, extent->offset);
        provoke_free_tags(e, extent->offset);
        lab_export_line(e, "provoke_heap();");
    }
    damage(e, 4 * (extent->offset + dword), mask);
    if (e->guard > 0) {
        provoke_move(e, "HEADER", extent, 4 * (extent->offset + dword), mask);
    }
}

static void attack_beyond(lab_export *e, uint32_t at) {
    const lab_extent *own = own_extent(e);
    const lab_extent *above = own + 1;
    if (!lab_exact_is_free(&e->model, above) || above->size == 0 || e->guard < 1) {
        return;
    }
    uint32_t block = above[1].offset;
    uint32_t dwords = lab_header_rule_of(&e->model)->dwords;
    uint32_t byte = 4 * (block + at % dwords);
    uint32_t mask = 1u << at / dwords % 32;
    uint32_t usable = 4 * own->size;
    unsigned slot = e->op->slot;
    begin(e, "HEADER", block, LAB_EXACT_NONE);
    damage(e, byte, mask);
    examine(e, true);
    lab_export_line(e, "caught(\"free\", th_heap_free(&heap, slot[%u]) == 0);", slot);
    lab_export_line(e, "caught(\"grow\", th_heap_resize(&heap, slot[%u], %u) == NULL);", slot,
                    usable + 1);
    uint32_t too_much = 4 * (block - own->offset);
    if (too_much / 4 <= e->model.payload_max - 4) {
        lab_export_line(e, "caught(\"move\", th_heap_resize(&heap, slot[%u], %u) == NULL);", slot,
                        too_much);
    }
    if (usable - own->requested >= 4 * e->model.unit) {
        lab_export_line(e, "caught(\"trim\", th_heap_trim(&heap, slot[%u]) == 0);", slot);
    }
    damage(e, byte, mask);
    provoke_move(e, "HEADER", above + 1, byte, mask);
}

static void attack_counts(lab_export *e, uint32_t at) {
    static const char *const counters[COUNTERS] = {"head_blocks", "tail_blocks",
                                                   "free_blocks", "head_dwords",
                                                   "tail_dwords", "high_water_dwords"};
    uint32_t mask = 1u << at / COUNTERS % 16;
    bool wrong = at % COUNTERS != COUNTERS - 1 || (e->model.high_water ^ mask) < e->model.used;
    const char *name = counters[at % COUNTERS];
    lab_export_line(e, "heap.%s ^= 0x%x;", name, mask);
    begin(e, wrong ? "COUNT" : "CONTROL", LAB_EXACT_NONE, LAB_EXACT_NONE);
    examine(e, wrong || e->guard >= 3);
    if (e->guard >= 3) {
        lab_export_line(e, "provoke_heap();");
    }
    lab_export_line(e, "heap.%s ^= 0x%x;", name, mask);
}

typedef enum reuse { REUSE_GROW, REUSE_HEAD, REUSE_TAIL } reuse;

static void spoil(lab_export *e, const lab_extent *extent, uint32_t at, reuse how) {
    uint32_t from = extent->offset + e->model.header;
    uint32_t end = from + extent->size;
    if (how == REUSE_TAIL) {
        from = from > e->past.ever_high ? from : e->past.ever_high;
    } else {
        end = end < e->past.ever_low ? end : e->past.ever_low;
    }
    if (!lab_exact_is_free(&e->model, extent) || from >= end || e->guard < 2) {
        return;
    }
    uint32_t byte = 4 * from + at % (4 * (end - from));
    uint32_t mask = 1u << (at >> 20 & 7);
    begin(e, "POISON", extent->offset, byte & ~3u);
    damage(e, byte, mask);
    examine(e, true);
    if (how == REUSE_GROW) {
        lab_export_line(e, "caught(\"grow\", th_heap_resize(&heap, slot[%u], %u) == NULL);",
                        e->op->slot, 4 * own_extent(e)->size + 1);
    } else {
        lab_export_line(e, "caught(\"alloc\", th_heap_alloc(&heap, 1, 0x%04x) == NULL);",
                        how == REUSE_TAIL ? e->model.tag_tail : 0);
    }
    provoke_compact(e, extent + 1);
    lab_export_line(e, "provoke_heap();");
    damage(e, byte, mask);
    provoke_move(e, "POISON", extent, byte, mask);
}

static void attack_poison(lab_export *e, uint32_t at) {
    const lab_extent *extent = own_extent(e) + 1;
    if (lab_exact_is_free(&e->model, extent) && at % 2 == 0) {
        spoil(e, extent, at, REUSE_GROW);
        return;
    }
    if (at % 4 == 3) {
        extent = &e->model.extents[e->model.count - 2];
        while (extent > e->model.extents && lab_exact_is_tail(&e->model, extent)) {
            extent--;
        }
        spoil(e, extent, at, REUSE_TAIL);
        return;
    }
    extent = e->model.extents;
    while (lab_exact_is_head(&e->model, extent)) {
        extent++;
    }
    spoil(e, extent, at, REUSE_HEAD);
}

static void attack_pointer(lab_export *e, uint32_t at) {
    uint32_t region = 4 * e->model.dwords;
    uint32_t distance = lab_aim(&e->past, &e->model, at);
    uint32_t last = region - 4 * e->model.header;
    uint32_t first = 4 * e->model.header;
    if (e->guard < 1) {
        return;
    }
    if (distance >= region) {
        begin(e, "FOREIGN", LAB_EXACT_NONE, LAB_EXACT_NONE);
    } else if (distance < first || distance >= last || distance % (4 * e->model.unit) != 0) {
        begin(e, "MISALIGNED", LAB_EXACT_NONE, distance);
    } else {
        const lab_extent *extent = lab_exact_find(&e->model, distance / 4);
        bool free = lab_exact_is_free(&e->model, extent);
        if (!free && extent->offset == distance / 4 - e->model.header) {
            return;
        }
        begin(e, free ? "DOUBLE_FREE" : "NOT_A_BLOCK", extent->offset, distance);
    }
    static const char *const calls[][2] = {{"free", "free(&heap, wild) == 0"},
                                           {"resize", "resize(&heap, wild, 8) == NULL"},
                                           {"trim", "trim(&heap, wild) == 0"},
                                           {"usable size", "usable_size(&heap, wild) == 0"},
                                           {"requested size", "requested_size(&heap, wild) == 0"}};
    lab_export_line(e, "wild = (void *)((uintptr_t)base + (uintptr_t)(intptr_t)%ld);",
                    (long)(int32_t)distance);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        lab_export_line(e, "caught(\"%s\", th_heap_%s);", calls[i][0], calls[i][1]);
    }
}

void lab_export_attack(lab_export *e) {
    const lab_extent *own = own_extent(e);
    uint32_t at = e->op->size.value;
    switch ((lab_attack)e->op->attack) {
    case LAB_ATTACK_CANARY:
        attack_canary(e, at);
        break;
    case LAB_ATTACK_HEADER:
        attack_header(e, own, at);
        break;
    case LAB_ATTACK_BELOW:
        if (own->offset != 0) {
            attack_header(e, own - 1, at);
        }
        break;
    case LAB_ATTACK_ABOVE:
        attack_header(e, own + 1, at);
        break;
    case LAB_ATTACK_BEYOND:
        attack_beyond(e, at);
        break;
    case LAB_ATTACK_POISON:
        attack_poison(e, at);
        break;
    case LAB_ATTACK_COUNTS:
        attack_counts(e, at);
        break;
    case LAB_ATTACK_POINTER:
        attack_pointer(e, at);
        break;
    case LAB_ATTACK_COUNT:
        break;
    }
    lab_export_line(e, "attacking = false;");
}
