/* SPDX-License-Identifier: MIT */
#include "runner/attack_plan.h"

#include <assert.h>

/* In dwords: no free block that a placement leaves has fewer. */
enum { SPLIT_PAYLOAD = 4 };

/* A plan in the making. */
typedef struct planner {
    const lab_exact *model;
    const lab_attack_target *target;
    const lab_extent *own; /* the attacked slot's block */
    uint32_t at;           /* the operand that says which byte, bit or address */
    lab_attack_plan plan;
} planner;

/* ---- calls -------------------------------------------------------------------------------- */

static void add_call(planner *p, lab_attack_call call) {
    assert(p->plan.calls_count < LAB_ATTACK_CALLS_MAX);
    p->plan.calls[p->plan.calls_count++] = call;
}

static void add_pointer(planner *p, lab_attack_function function, const char *detail,
                        size_t bytes) {
    add_call(p, (lab_attack_call){.function = function, .detail = detail, .bytes = bytes});
}

/* Calls on the payload that all meet the damage. */
static void add_payload_calls(planner *p) {
    size_t bytes = p->own->requested;
    add_pointer(p, LAB_CALL_FREE, "free", 0);
    add_pointer(p, LAB_CALL_RESIZE, "resize to 0", 0);
    add_pointer(p, LAB_CALL_RESIZE, "resize", bytes);
    add_pointer(p, LAB_CALL_RESIZE, "grow", bytes + 500);
    add_pointer(p, LAB_CALL_TRIM, "trim", 0);
}

/* With its header damaged, a pointer into the middle of the block leads to the same report. */
static void add_interior_call(planner *p) {
    if (p->own->size > p->model->unit && p->plan.block == p->own->offset) {
        add_call(p, (lab_attack_call){.function = LAB_CALL_FREE,
                                      .detail = "free inside",
                                      .inside = 4 * p->model->unit});
    }
}

/* The free block that the next small allocation of a side is carved from; LAST: there is none. */
static const lab_extent *carved_block(const lab_exact *model, bool tail) {
    const lab_extent *first = model->extents;
    const lab_extent *last = first + model->count - 1;
    const lab_extent *carved = tail ? last - 1 : first;
    if (tail) {
        while (carved > first && lab_exact_is_tail(model, carved)) {
            carved--;
        }
    } else {
        while (lab_exact_is_head(model, carved)) {
            carved++;
        }
    }
    return lab_exact_is_free(model, carved) ? carved : last;
}

/* Does what is left of a free block, without the header that it gets, become a block? */
static bool is_split(int64_t payload) {
    return payload >= SPLIT_PAYLOAD;
}

/* With guards: does an allocation of one byte load the damaged header? It is made in the free block
 * at the side's end; a walk, or the comparison with it at level 3, passes everything up to there,
 * an index leads to it, and the blocks below and above are loaded from level 2 on. */
static bool is_met_by_alloc(const planner *p, bool tail) {
    const lab_exact *model = p->model;
    const lab_extent *first = model->extents;
    const lab_extent *last = first + model->count - 1;
    const lab_extent *carved = carved_block(model, tail);
    if (carved == last) {
        return false;
    }
    int guard = p->target->guard;
    bool walked = !p->target->indexed || guard >= 3;
    bool around = guard > 1;
    uint32_t above = walked && tail ? last->offset : carved[around].offset;
    uint32_t below = walked && !tail ? 0 : carved[-(around && carved > first)].offset;
    return p->plan.block >= below && p->plan.block <= above;
}

/* Small allocations that must load the damaged header. */
static void add_alloc_calls(planner *p) {
    if (is_met_by_alloc(p, false)) {
        add_call(p, (lab_attack_call){.function = LAB_CALL_ALLOC, .detail = "alloc 1", .bytes = 1});
    }
    if (is_met_by_alloc(p, true)) {
        add_call(p, (lab_attack_call){.function = LAB_CALL_ALLOC,
                                      .detail = "alloc 1 tail",
                                      .bytes = 1,
                                      .low = p->model->tag_tail});
    }
}

/* If the lowest block of its tag is damaged, nothing of that tag is freed. */
static void add_free_tags_call(planner *p) {
    const lab_extent *extent = p->model->extents;
    uint32_t tag = lab_exact_find(p->model, p->plan.block)->tag;
    while (extent->tag != tag) {
        extent++;
    }
    if (extent->offset == p->plan.block && tag != p->model->tag_free) {
        add_call(
            p, (lab_attack_call){
                   .function = LAB_CALL_FREE_TAGS, .detail = "free tags", .low = tag, .high = tag});
    }
}

/* The free block below a HEAD block, or that block itself, is damaged: compaction verifies both
 * before it asks about the block, and asks about nothing above it. */
static void add_compact_call(planner *p, const lab_extent *moving) {
    if (lab_exact_is_head(p->model, moving) && moving != p->model->extents &&
        lab_exact_is_free(p->model, &moving[-1])) {
        add_call(p, (lab_attack_call){.function = LAB_CALL_COMPACT,
                                      .detail = "compact past it",
                                      .takes_note = true});
    }
}

/* Calls on the whole heap that change nothing on a sound one. On a damaged one they may end early,
 * and at level 3 must say why. */
static void add_heap_calls(planner *p) {
    bool quiet = p->target->guard < 3;
    size_t impossible = lab_impossible_bytes(p->model);
    add_call(p, (lab_attack_call){.function = LAB_CALL_COPY, .detail = "copy", .may_pass = true});
    add_call(p, (lab_attack_call){.function = LAB_CALL_ALLOC,
                                  .detail = "alloc",
                                  .bytes = impossible,
                                  .may_pass = quiet,
                                  .takes_note = true});
    add_call(p, (lab_attack_call){.function = LAB_CALL_ALLOC,
                                  .detail = "alloc tail",
                                  .bytes = impossible,
                                  .low = p->model->tag_tail,
                                  .may_pass = quiet,
                                  .takes_note = true});
    add_call(p, (lab_attack_call){.function = LAB_CALL_COMPACT,
                                  .detail = "compact",
                                  .may_pass = quiet,
                                  .takes_note = true});
    add_call(
        p, (lab_attack_call){
               .function = LAB_CALL_FREE_TAGS, .detail = "free_tags", .low = 1, .may_pass = quiet});
}

/* ---- moves -------------------------------------------------------------------------------- */

/* Would the move of this block meet what is damaged in `hit`? */
static bool is_met_by_move(const planner *p, const lab_extent *moving, const lab_extent *hit) {
    const lab_exact *model = p->model;
    if (!lab_exact_is_head(model, moving) || !lab_exact_is_free(model, &moving[-1])) {
        return false;
    }
    switch (p->plan.kind) {
    case TH_FAULT_CANARY:
        return hit == moving;
    case TH_FAULT_POISON:
        return hit == moving - 1;
    default: {
        bool merge = lab_exact_is_free(model, &moving[1]) && moving[1].size > 0;
        bool neighbours = p->target->guard > 1 && moving > model->extents + 1;
        const lab_extent *low = moving - (neighbours ? 2 : 1);
        return hit >= low && hit <= moving + (merge ? 2 : 1);
    }
    }
}

/* Before it moves a block, the heap must look again at what it has seen before it asked. */
static void add_moves(planner *p, const lab_extent *hit) {
    const lab_extent *first = p->model->extents;
    const lab_extent *last = first + p->model->count - 1;
    const lab_extent *moving = hit > first + 2 ? hit - 2 : first + 1;
    for (; moving < last && moving - hit <= 2; moving++) {
        if (is_met_by_move(p, moving, hit)) {
            assert(p->plan.moves_count < LAB_ATTACK_MOVES_MAX);
            p->plan.moves[p->plan.moves_count++] = moving->offset;
        }
    }
}

/* ---- the attacks -------------------------------------------------------------------------- */

static void report(planner *p, th_fault_kind kind, uint32_t block, uint32_t byte) {
    p->plan.possible = true;
    p->plan.kind = kind;
    p->plan.block = block;
    p->plan.byte = byte;
}

static void damage_dword(planner *p, uint32_t dword, uint32_t mask, bool found) {
    p->plan.damage = LAB_DAMAGE_DWORD;
    p->plan.place = dword;
    p->plan.mask = mask;
    p->plan.found = found;
}

static void damage_byte(planner *p, uint32_t byte, uint32_t mask) {
    damage_dword(p, byte / 4, mask << 8 * (byte % 4), true);
}

static void plan_canary(planner *p) {
    const lab_extent *own = p->own;
    uint32_t span = 4 * own->size - own->requested;
    if (span == 0 || p->target->guard < 1) {
        return;
    }
    uint32_t byte = 4 * (own->offset + p->model->header) + own->requested + p->at % span;
    report(p, TH_FAULT_CANARY, own->offset, byte);
    damage_byte(p, byte, 1u << (p->at >> 20 & 7));
    add_payload_calls(p);
    add_free_tags_call(p);
    add_compact_call(p, own);
    add_heap_calls(p);
    add_moves(p, own);
}

/* What an attack on a header has to know of it. */
typedef struct header_rule {
    uint32_t dwords;        /* without padding */
    uint32_t structural[7]; /* the bits of each that hold links and sizes: at guard level 0, what
                               the checker must find wrong */
} header_rule;

static const header_rule *header_rule_of(const lab_exact *model) {
    static const header_rule rules[] = {
        [LAB_EXACT_CLASSIC] = {6, {0x07FFFFFF, 0xFFFFFFFF, 0xFFFF8000}},
        [LAB_EXACT_LEAN] = {2, {0x07FFFFFF, 0xFFFF8000}},
        [LAB_EXACT_WIDE] = {7, {0xFFFFFFFF, 0xFFFFFFFF}}};
    return &rules[model->layout];
}

/* Bits of one dword of a header: its own block's is noticed by every call on the payload, a
 * neighbour's from level 2 on. */
static void plan_header_bits(planner *p, const lab_extent *extent, uint32_t dword, uint32_t mask) {
    const header_rule *header = header_rule_of(p->model);
    int guard = p->target->guard;
    report(p, TH_FAULT_HEADER, extent->offset, LAB_EXACT_NONE);
    damage_dword(p, extent->offset + dword, mask,
                 guard > 0 || (mask & header->structural[dword]) != 0);
    if (guard < 1) {
        return;
    }
    if (extent == p->own || guard >= 2) {
        add_payload_calls(p);
    }
    add_interior_call(p);
    add_alloc_calls(p);
    add_free_tags_call(p);
    add_heap_calls(p);
    add_moves(p, extent);
}

static void plan_header(planner *p, const lab_extent *extent) {
    uint32_t dwords = header_rule_of(p->model)->dwords;
    uint32_t bits = p->at / dwords;
    uint32_t mask = bits < 1u << 20 ? bits : bits << 12;
    plan_header_bits(p, extent, p->at % dwords, mask != 0 ? mask : 1u << p->at % 32);
}

/* What an attacker forges: a link that leads to a block, but not to the one below. In every layout
 * it stands in the low bits of the first dword. */
static void plan_link(planner *p) {
    const lab_extent *blocks = p->model->extents;
    uint32_t below = p->own->offset != 0 ? p->own[-1].offset : 0;
    uint32_t index = p->at % p->model->count;
    if (blocks[index].offset == below) {
        index = (index + 1) % p->model->count;
    }
    plan_header_bits(p, p->own, 0, below ^ blocks[index].offset);
}

/* The header of the second block above: met where the one above is free, and merged, by freeing
 * from level 2 on; by growth also if it has to move the block, for then the old one will be freed.
 */
static void plan_beyond(planner *p) {
    const lab_extent *own = p->own;
    const lab_extent *above = own + 1;
    if (!lab_exact_is_free(p->model, above) || above->size == 0 || p->target->guard < 1) {
        return;
    }
    uint32_t block = above[1].offset;
    uint32_t dwords = header_rule_of(p->model)->dwords;
    size_t usable = 4 * (size_t)own->size;
    size_t too_much = 4 * (size_t)(block - own->offset);
    report(p, TH_FAULT_HEADER, block, LAB_EXACT_NONE);
    damage_dword(p, block + p->at % dwords, 1u << p->at / dwords % 32, true);
    if (p->target->guard > 1) {
        add_pointer(p, LAB_CALL_FREE, "free", 0);
    }
    add_pointer(p, LAB_CALL_RESIZE, "grow", usable + 1);
    if (too_much / 4 <= p->model->payload_max - 4) {
        add_pointer(p, LAB_CALL_RESIZE, "move", too_much);
    }
    if (usable - own->requested >= 4 * (size_t)p->model->unit) {
        add_pointer(p, LAB_CALL_TRIM, "trim", 0);
    }
    add_moves(p, above + 1);
}

#define COUNT_ONE(field) +1

/* A counter of the control structure, which lies in the caller's memory. The high-water mark, the
 * last of them, does not agree with the blocks if it lies below what is in use; else only its seal
 * is broken. */
static void plan_counts(planner *p) {
    enum { COUNTERS = 0 LAB_ATTACK_COUNTERS(COUNT_ONE) };
    uint32_t mask = 1u << p->at / COUNTERS % 16;
    bool wrong =
        p->at % COUNTERS != COUNTERS - 1 ||
        (p->model->high_water ^ mask) < p->model->sides[0].dwords + p->model->sides[1].dwords;
    bool sealed = p->target->guard >= 3;
    report(p, wrong ? TH_FAULT_COUNT : TH_FAULT_CONTROL, LAB_EXACT_NONE, LAB_EXACT_NONE);
    p->plan.damage = LAB_DAMAGE_COUNTER;
    p->plan.place = p->at % COUNTERS;
    p->plan.mask = mask;
    p->plan.found = wrong || sealed;
    if (sealed) {
        add_heap_calls(p);
    }
}

/* What reuses a free block: the slot's own block grows by a byte more than it can hold, or a block
 * of one byte is made there, at the low end or, for the TAIL side, at the high end. */
typedef enum reuse { REUSE_GROW, REUSE_HEAD, REUSE_TAIL } reuse;

/* Poison in the free block, as far as it was ever used, on the TAIL side for a TAIL block: met by
 * calls that would reuse it there, that is, write or hand out that dword; by a move anywhere. */
static void plan_reuse(planner *p, const lab_extent *extent, reuse how) {
    uint32_t unit = p->model->unit;
    uint32_t from = extent->offset + p->model->header;
    uint32_t end = from + extent->size;
    const lab_heap_history *history = p->target->history;
    bool reused = (p->at >> 23 & 1) == 0;
    /* A block that grows takes the header of the free block, too. */
    uint32_t header = how == REUSE_GROW ? 0 : p->model->header;
    if (reused && is_split((int64_t)extent->size - unit - header)) {
        from = how == REUSE_TAIL ? end - unit - header : from;
        end = from + unit + header;
    }
    if (how == REUSE_TAIL) {
        from = from > history->ever_high ? from : history->ever_high;
    } else {
        end = end < history->ever_low ? end : history->ever_low;
    }
    if (!lab_exact_is_free(p->model, extent) || from >= end || p->target->guard < 2) {
        return;
    }
    uint32_t byte = 4 * from + p->at % (4 * (end - from));
    report(p, TH_FAULT_POISON, extent->offset, byte & ~3u);
    damage_byte(p, byte, 1u << (p->at >> 20 & 7));
    if (reused && how == REUSE_GROW) {
        add_pointer(p, LAB_CALL_RESIZE, "grow", 4 * (size_t)p->own->size + 1);
    } else if (reused) {
        add_call(p, (lab_attack_call){.function = LAB_CALL_ALLOC,
                                      .detail = "alloc",
                                      .bytes = 1,
                                      .low = how == REUSE_TAIL ? p->model->tag_tail : 0});
    }
    add_compact_call(p, extent + 1);
    add_heap_calls(p);
    add_moves(p, extent);
}

/* The lowest free block is where a small HEAD allocation goes, the highest where a small TAIL
 * allocation does; the one above the slot's block is what it grows into. */
static void plan_poison(planner *p) {
    const lab_extent *above = p->own + 1;
    if (lab_exact_is_free(p->model, above) && p->at % 2 == 0) {
        plan_reuse(p, above, REUSE_GROW);
        return;
    }
    bool tail = p->at % 4 == 3;
    const lab_extent *first = p->model->extents;
    const lab_extent *extent = tail ? first + p->model->count - 2 : first;
    if (tail) {
        while (extent > first && lab_exact_is_tail(p->model, extent)) {
            extent--;
        }
    } else {
        while (lab_exact_is_head(p->model, extent)) {
            extent++;
        }
    }
    plan_reuse(p, extent, tail ? REUSE_TAIL : REUSE_HEAD);
}

/* Where a bad pointer points. Most addresses around a region mean little: every other one is that
 * of a payload or a header of a block, LAST included, or of the payload that was there last. */
static uint32_t bad_pointer(const planner *p) {
    const lab_extent *extent = &p->model->extents[p->at / 8 % p->model->count];
    switch (p->at % 8) {
    case 1:
    case 3:
        return 4 * (extent->offset + p->model->header);
    case 5:
        return 4 * extent->offset;
    case 7:
        return 4 * (p->target->history->stale + p->model->header);
    default:
        return p->at / 2 % (4 * p->model->dwords + 64) - 32;
    }
}

/* No damage, but a pointer that is no payload. */
static void plan_pointer(planner *p) {
    const lab_exact *model = p->model;
    uint32_t pointer = bad_pointer(p);
    uint32_t region = 4 * model->dwords;
    uint32_t first = 4 * model->header;
    uint32_t last = region - 4 * model->header;
    if (p->target->guard < 1) {
        return;
    }
    if (pointer >= region) {
        report(p, TH_FAULT_FOREIGN, LAB_EXACT_NONE, LAB_EXACT_NONE);
    } else if (pointer < first || pointer >= last || pointer % (4 * model->unit) != 0) {
        report(p, TH_FAULT_MISALIGNED, LAB_EXACT_NONE, pointer);
    } else {
        const lab_extent *extent = lab_exact_find(model, pointer / 4);
        bool free = lab_exact_is_free(model, extent);
        if (!free && extent->offset == pointer / 4 - model->header) {
            return;
        }
        report(p, free ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK, extent->offset, pointer);
    }
    p->plan.pointer = pointer;
    add_pointer(p, LAB_CALL_FREE, "free", 0);
    add_pointer(p, LAB_CALL_RESIZE, "resize", 8);
    add_pointer(p, LAB_CALL_TRIM, "trim", 0);
    add_pointer(p, LAB_CALL_USABLE_SIZE, "usable size", 0);
    add_pointer(p, LAB_CALL_REQUESTED_SIZE, "requested size", 0);
}

lab_attack_plan lab_attack_plan_of(const lab_attack_target *target, const lab_op *op) {
    const lab_extent *own = lab_exact_find(target->model, target->block);
    planner p = {.model = target->model,
                 .target = target,
                 .own = own,
                 .at = op->size.value,
                 .plan = {.pointer = 4 * (own->offset + target->model->header)}};
    switch ((lab_attack)op->attack) {
    case LAB_ATTACK_CANARY:
        plan_canary(&p);
        break;
    case LAB_ATTACK_HEADER:
        plan_header(&p, own);
        break;
    case LAB_ATTACK_BELOW:
        if (own->offset != 0) {
            plan_header(&p, lab_exact_find(p.model, own->offset - 1));
        }
        break;
    case LAB_ATTACK_ABOVE:
        plan_header(&p, own + 1);
        break;
    case LAB_ATTACK_BEYOND:
        plan_beyond(&p);
        break;
    case LAB_ATTACK_POISON:
        plan_poison(&p);
        break;
    case LAB_ATTACK_COUNTS:
        plan_counts(&p);
        break;
    case LAB_ATTACK_POINTER:
        plan_pointer(&p);
        break;
    case LAB_ATTACK_LINK:
        plan_link(&p);
        break;
    case LAB_ATTACK_COUNT:
        break;
    }
    return p.plan;
}
