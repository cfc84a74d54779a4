/* SPDX-License-Identifier: MIT */
/* Three passes:
 *   survey   which blocks concern the window, how old they are, what is dropped
 *   measure  the peak, and from it the least region, the slots and the divisor of all sizes
 *   emit     the script
 * Measure and emit walk the same steps: the window's events as far as they are kept, with the
 * births of the carried blocks before them. What lies lost between the blocks (alignment,
 * fragmentation, blocks that may not move) only the heap itself knows: the script is played, and
 * the region grows, or the sizes shrink, until every request finds room. */
#include "record/plan.h"

#include <stdlib.h>
#include <string.h>

#include "bare/bare.h"

#define HEADER_DWORDS(unit) ((LAB_CLASSIC_HEADER_DWORDS + (unit)-1u) / (unit) * (unit))
#define SIZE_MAX_DWORDS     0x1FFFFu
#define ALIGN_LOG2_MAX      12u /* the region holds no more than a few pages of padding */
#define SHIFT_MAX           24u
#define REGION_STEP         64u /* dwords: what a region's size is a multiple of */
#define GROWTH              8u  /* a region that is too small grows by an eighth */

#define TAG_BEFORE      0x0FFFu /* short-lived, from before the window */
#define TAG_EPOCH_FIRST 0x1000u
#define TAG_EPOCHS      0x2000u
#define TAG_LONG_FIRST  0x4000u

/* Every so many epochs the one before the last is freed by its tag. */
#define EPOCHS_PER_TAG_FREE 2u

#define NO_SLOT UINT32_MAX
#define NEVER   SIZE_MAX

typedef enum fate { FATE_OUT, FATE_KEPT, FATE_TOO_LARGE } fate;

typedef struct block {
    size_t birth;    /* operation; `start` if carried */
    size_t death;    /* operation inside the window, or NEVER */
    uint64_t size;   /* at the window's start */
    uint32_t dwords; /* measure: header and payload, 0 if not live */
    uint32_t slot;   /* emit: NO_SLOT if not live in the script */
    uint16_t tag;
    uint8_t align_log2;
    uint8_t fate;
    bool live_before; /* at the window's start */
    bool touched;     /* resized or freed inside the window */
    bool lasting;     /* long-lived */
} block;

typedef struct step {
    uint64_t size;
    uint32_t block;
    uint8_t kind; /* lab_event_kind */
    bool carried; /* a birth before the window */
} step;

typedef struct plan {
    const lab_trace_history *history;
    lab_plan_options options;
    lab_plan_report *report;
    size_t start, end;
    block *blocks;
    step *steps;
    size_t step_count;
    uint32_t *by_slot; /* block in each slot, or NO_SLOT */
    uint32_t slots;
    uint32_t lowest; /* no slot below is free */
    size_t epoch;
    lab_script *script;
    bool no_memory;
} plan;

lab_plan_options lab_plan_defaults(void) {
    return (lab_plan_options){.ops = 1000,
                              .alignment = 4,
                              .max_size = 65536,
                              .carry = 256,
                              .epoch_ops = 64,
                              .compact_every = 250};
}

/* ---- survey --------------------------------------------------------------------------------- */

static void survey_before(block *b, const lab_event *event) {
    switch (event->kind) {
    case LAB_EVENT_BIRTH:
        b->live_before = true;
        b->align_log2 = event->align_log2;
        b->size = event->size;
        break;
    case LAB_EVENT_RESIZE:
        b->size = event->size;
        break;
    default:
        b->live_before = false;
        break;
    }
}

static void survey_inside(block *b, const lab_event *event) {
    switch (event->kind) {
    case LAB_EVENT_BIRTH:
        b->birth = event->op;
        b->align_log2 = event->align_log2;
        b->fate = FATE_KEPT;
        break;
    case LAB_EVENT_RESIZE:
        b->touched = true;
        break;
    default:
        b->touched = true;
        b->death = event->op;
        break;
    }
}

static void survey(plan *p) {
    for (uint32_t i = 0; i < p->history->blocks; i++) {
        p->blocks[i] = (block){.birth = p->start, .death = NEVER, .slot = NO_SLOT};
    }
    for (size_t i = 0; i < p->history->count && p->history->events[i].op < p->end; i++) {
        const lab_event *event = &p->history->events[i];
        block *b = &p->blocks[event->block];
        if (event->op < p->start) {
            survey_before(b, event);
        } else {
            survey_inside(b, event);
        }
    }
}

/* Of the blocks from before the window, all that it touches are carried, and of the others as
 * many as `carry` allows, evenly spread over their ages. */
static void choose_carried(plan *p) {
    uint64_t untouched = 0, seen = 0;
    for (uint32_t i = 0; i < p->history->blocks; i++) {
        untouched += p->blocks[i].live_before && !p->blocks[i].touched;
    }
    uint64_t carry = p->options.carry < untouched ? p->options.carry : untouched;
    for (uint32_t i = 0; i < p->history->blocks; i++) {
        block *b = &p->blocks[i];
        if (!b->live_before) {
            continue;
        }
        bool chosen = b->touched;
        if (!chosen) {
            chosen = seen * carry / untouched != (seen + 1) * carry / untouched;
            seen++;
        }
        b->fate = chosen ? FATE_KEPT : FATE_OUT;
        p->report->not_carried += !chosen;
    }
}

/* A request above max_size is dropped. Without its birth a block has no other operations either;
 * without a growth it keeps the size it had. */
static void add_step(plan *p, lab_event_kind kind, uint32_t index, uint64_t size, bool carried) {
    block *b = &p->blocks[index];
    bool too_large =
        (kind == LAB_EVENT_BIRTH || kind == LAB_EVENT_RESIZE) && size > p->options.max_size;
    if (kind == LAB_EVENT_BIRTH && too_large) {
        b->fate = FATE_TOO_LARGE;
    }
    if (too_large || b->fate == FATE_TOO_LARGE) {
        p->report->too_large++;
        return;
    }
    if (b->fate == FATE_KEPT) {
        p->steps[p->step_count++] =
            (step){.size = size, .block = index, .kind = (uint8_t)kind, .carried = carried};
    }
}

static void list_steps(plan *p) {
    for (uint32_t i = 0; i < p->history->blocks; i++) {
        if (p->blocks[i].live_before && p->blocks[i].fate == FATE_KEPT) {
            add_step(p, LAB_EVENT_BIRTH, i, p->blocks[i].size, true);
        }
    }
    for (size_t i = 0; i < p->history->count && p->history->events[i].op < p->end; i++) {
        const lab_event *event = &p->history->events[i];
        if (event->op >= p->start) {
            add_step(p, (lab_event_kind)event->kind, event->block, event->size, false);
        }
    }
}

static void judge_lives(plan *p) {
    size_t window = p->end - p->start;
    size_t long_ops = p->options.long_ops != 0 ? p->options.long_ops : window / 4 + 1;
    p->report->long_ops = long_ops;
    for (uint32_t i = 0; i < p->history->blocks; i++) {
        block *b = &p->blocks[i];
        b->lasting = b->death == NEVER || b->death - b->birth > long_ops;
    }
}

/* ---- measure -------------------------------------------------------------------------------- */

static uint32_t unit_of(const plan *p) {
    return p->options.alignment / 4u;
}

/* A request of 0 bytes is one of 1: malloc gives it a block of its own, the heap refuses it. */
static uint32_t scale(const plan *p, uint64_t size) {
    uint64_t scaled = size >> p->report->shift;
    return scaled == 0 ? 1u : (uint32_t)scaled;
}

/* Alignments are divided as sizes are: gaps that do not fit must become smaller, too. */
static unsigned scale_alignment(const plan *p, unsigned log2) {
    return log2 > p->report->shift ? log2 - p->report->shift : 0;
}

static uint32_t block_dwords(const plan *p, uint64_t size) {
    uint32_t unit = unit_of(p);
    uint32_t dwords = (scale(p, size) + 3u) / 4u;
    return HEADER_DWORDS(unit) + (dwords + unit - 1u) / unit * unit;
}

/* The peaks with the present divisor, as if nothing were freed by tag and nothing lost to gaps. */
static void measure_peak(plan *p) {
    uint64_t used = 0, peak = 0;
    uint32_t live = 0, most = 0;
    for (uint32_t i = 0; i < p->history->blocks; i++) {
        p->blocks[i].dwords = 0;
    }
    for (size_t i = 0; i < p->step_count; i++) {
        const step *s = &p->steps[i];
        block *b = &p->blocks[s->block];
        used -= b->dwords;
        live += s->kind == LAB_EVENT_BIRTH;
        if (s->kind == LAB_EVENT_BIRTH || s->kind == LAB_EVENT_RESIZE) {
            b->dwords = block_dwords(p, s->size);
            used += b->dwords;
        } else {
            b->dwords = 0;
            live--;
        }
        peak = used > peak ? used : peak;
        most = live > most ? live : most;
    }
    p->report->peak_dwords = peak;
    p->report->peak_blocks = most;
}

/* The largest region that init accepts: two headers and the largest free block. */
static uint32_t largest_region(const plan *p) {
    uint32_t unit = unit_of(p);
    return 2 * HEADER_DWORDS(unit) + SIZE_MAX_DWORDS / unit * unit;
}

/* The least region for the present divisor: what the peak needs, and a quarter of that. */
static uint64_t least_region(const plan *p) {
    uint64_t peak = p->report->peak_dwords;
    uint64_t wanted = peak + peak / 4 + 2 * HEADER_DWORDS(unit_of(p));
    return (wanted + REGION_STEP - 1) / REGION_STEP * REGION_STEP;
}

/* Chooses the divisor, from the present one on, and the region, as if there were no gaps. */
static void measure(plan *p, lab_config *config) {
    uint32_t largest = largest_region(p);
    measure_peak(p);
    uint64_t wanted = least_region(p);
    while (p->options.dwords == 0 && wanted > largest && p->report->shift < SHIFT_MAX) {
        p->report->shift++;
        measure_peak(p);
        wanted = least_region(p);
    }
    config->dwords = p->options.dwords != 0 ? p->options.dwords
                     : wanted < largest     ? (uint32_t)wanted
                                            : largest;
}

static void choose_slots(plan *p, lab_config *config) {
    p->slots = p->options.slots != 0 ? p->options.slots : lab_slots_for(p->report->peak_blocks);
    config->slots = p->slots;
    config->alignment = p->options.alignment;
    config->low_memory = p->options.low_memory;
    config->guard = 3;
}

/* ---- emit ----------------------------------------------------------------------------------- */

static lab_op new_op(lab_op_kind kind) {
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)kind;
    return op;
}

static void put(plan *p, lab_op op) {
    p->no_memory = p->no_memory || !lab_script_append(p->script, op);
}

static bool take_slot(plan *p, uint32_t index) {
    while (p->lowest < p->slots && p->by_slot[p->lowest] != NO_SLOT) {
        p->lowest++;
    }
    if (p->lowest == p->slots) {
        return false;
    }
    p->blocks[index].slot = p->lowest;
    p->by_slot[p->lowest] = index;
    return true;
}

static void give_back_slot(plan *p, uint32_t index) {
    uint32_t slot = p->blocks[index].slot;
    p->blocks[index].slot = NO_SLOT;
    p->by_slot[slot] = NO_SLOT;
    p->lowest = slot < p->lowest ? slot : p->lowest;
}

static unsigned size_class(uint64_t size) {
    unsigned log = 0;
    while (size >>= 1) {
        log++;
    }
    return log;
}

static uint16_t epoch_tag(size_t epoch) {
    return (uint16_t)(TAG_EPOCH_FIRST + epoch % TAG_EPOCHS);
}

static uint16_t choose_tag(const plan *p, const block *b, const step *s) {
    if (b->lasting) {
        return (uint16_t)(TAG_LONG_FIRST + size_class(s->size));
    }
    return s->carried ? TAG_BEFORE : epoch_tag(p->epoch);
}

static void emit_birth(plan *p, const step *s) {
    block *b = &p->blocks[s->block];
    if (!take_slot(p, s->block)) {
        b->fate = FATE_OUT;
        p->report->no_slot++;
        return;
    }
    b->tag = choose_tag(p, b, s);
    unsigned log = scale_alignment(p, b->align_log2);
    bool special = log <= ALIGN_LOG2_MAX && (1u << log) > p->options.alignment;
    lab_op op = new_op(special ? LAB_OP_ALIGNED : LAB_OP_ALLOC);
    op.slot = (uint16_t)b->slot;
    op.tag = b->tag;
    op.size.value = scale(p, s->size);
    op.align = special ? (uint8_t)log : 0;
    put(p, op);
    p->report->births += !s->carried;
    p->report->carried += s->carried;
}

/* An operation on a block that the script holds already. */
static void emit_change(plan *p, const step *s) {
    block *b = &p->blocks[s->block];
    if (b->slot == NO_SLOT) {
        p->report->no_slot += b->fate == FATE_OUT;
        return;
    }
    lab_op op = new_op(s->kind == LAB_EVENT_DEATH ? LAB_OP_FREE : LAB_OP_RESIZE);
    op.slot = (uint16_t)b->slot;
    if (s->kind == LAB_EVENT_RESIZE) {
        op.size.value = scale(p, s->size);
        p->report->resizes++;
    } else {
        give_back_slot(p, s->block);
        p->report->frees++;
    }
    put(p, op);
}

/* Frees what is left of the epoch before the last by its tag. The program's own frees of these
 * blocks are left out later, for their slots may be in use again. */
static void emit_tag_free(plan *p, size_t epoch) {
    lab_op op = new_op(LAB_OP_FREE_TAGS);
    op.tag = epoch_tag(epoch);
    op.tag_high = op.tag;
    size_t freed = 0;
    for (uint32_t slot = 0; slot < p->slots; slot++) {
        uint32_t index = p->by_slot[slot];
        if (index != NO_SLOT && p->blocks[index].tag == op.tag) {
            give_back_slot(p, index);
            freed++;
        }
    }
    if (freed > 0) {
        put(p, op);
        p->report->tag_frees++;
        p->report->freed_early += freed;
    }
}

/* Mostly budgeted, with a veto now and then; every fourth one is whole. */
static void emit_compaction(plan *p) {
    size_t number = p->report->compactions++;
    bool whole = number % 4 == 3;
    lab_op op = new_op(whole ? LAB_OP_COMPACT : LAB_OP_COMPACT_SOME);
    op.veto = number % 3 == 2 ? 0x11 : 0;
    uint64_t budget = p->report->peak_dwords / 4 + 64;
    budget = budget < LAB_SIZE_VALUE_MAX ? budget : LAB_SIZE_VALUE_MAX;
    op.size.value = whole ? 0 : (uint32_t)budget;
    put(p, op);
}

/* As if nothing had been emitted: no block has a slot, no slot has a block. */
static void start_emitting(plan *p) {
    lab_plan_report *report = p->report;
    for (uint32_t i = 0; i < p->history->blocks; i++) {
        p->blocks[i].slot = NO_SLOT;
    }
    for (size_t i = 0; i < LAB_SLOTS_MAX; i++) {
        p->by_slot[i] = NO_SLOT;
    }
    p->lowest = 0;
    p->epoch = 0;
    p->script->count = 0;
    report->births = report->resizes = report->frees = report->carried = 0;
    report->compactions = report->tag_frees = report->freed_early = report->no_slot = 0;
}

static void emit(plan *p) {
    uint32_t every = p->options.compact_every, epoch_ops = p->options.epoch_ops;
    size_t done = 0;
    start_emitting(p);
    for (size_t i = 0; i < p->step_count; i++) {
        const step *s = &p->steps[i];
        if (s->kind == LAB_EVENT_BIRTH) {
            emit_birth(p, s);
        } else {
            emit_change(p, s);
        }
        if (s->carried) {
            continue;
        }
        done++;
        if (epoch_ops != 0 && done % epoch_ops == 0) {
            p->epoch++;
            if (p->epoch % EPOCHS_PER_TAG_FREE == 0) {
                emit_tag_free(p, p->epoch - 2);
            }
        }
        if (every != 0 && done % every == 0) {
            emit_compaction(p);
        }
    }
}

/* ---- fit ------------------------------------------------------------------------------------ */

/* How many of the script's operations do nothing: what finds no room, and what then lacks it. */
static bool count_idle(plan *p, lab_bare *player) {
    lab_failure failure;
    lab_run_counts counts = {0};
    if (!lab_bare_play(player, p->script, 0, &failure, &counts)) {
        return false;
    }
    p->report->idle = p->script->count - (size_t)(counts.acted - counts.failed_allocs);
    return true;
}

/* The next larger region, or else the next divisor. False: there is none, or it is not for us to
 * choose. */
static bool enlarge(plan *p, lab_config *config) {
    uint32_t largest = largest_region(p);
    if (p->options.dwords != 0) {
        return false;
    }
    if (config->dwords < largest) {
        uint32_t more = (config->dwords / GROWTH + REGION_STEP) / REGION_STEP * REGION_STEP;
        config->dwords = more < largest - config->dwords ? config->dwords + more : largest;
        return true;
    }
    if (p->report->shift == SHIFT_MAX) {
        return false;
    }
    p->report->shift++;
    measure(p, config);
    emit(p);
    return true;
}

/* Emits the script, and enlarges its region until no operation is idle. False: no memory. */
static bool emit_and_fit(plan *p, lab_config *config) {
    lab_bare *player = lab_bare_new();
    bool ok = player != NULL;
    emit(p);
    do {
        ok = ok && !p->no_memory && count_idle(p, player);
    } while (ok && p->report->idle > 0 && enlarge(p, config));
    lab_bare_destroy(player);
    return ok;
}

/* ---- all together --------------------------------------------------------------------------- */

static bool allocate(plan *p) {
    /* calloc sees to it that the products are sizes; the sum is one, for the events are there. */
    size_t blocks = (size_t)p->history->blocks + 1;
    p->blocks = calloc(blocks, sizeof *p->blocks);
    p->steps = calloc(blocks + p->history->count, sizeof *p->steps);
    p->by_slot = calloc(LAB_SLOTS_MAX, sizeof *p->by_slot);
    return p->blocks != NULL && p->steps != NULL && p->by_slot != NULL;
}

static bool set_window(plan *p, char *message, size_t capacity) {
    if (p->options.start >= p->history->ops || p->options.ops == 0) {
        snprintf(message, capacity,
                 "the window %zu:%zu lies outside the %zu operations of the trace",
                 p->options.start, p->options.ops, p->history->ops);
        return false;
    }
    size_t rest = p->history->ops - p->options.start;
    p->start = p->options.start;
    p->end = p->start + (p->options.ops < rest ? p->options.ops : rest);
    p->report->window_start = p->start;
    p->report->window_end = p->end;
    return true;
}

bool lab_plan_make(const lab_trace_history *history, const lab_plan_options *options,
                   lab_script *script, lab_plan_report *report, char *message, size_t capacity) {
    memset(report, 0, sizeof *report);
    plan p = {.history = history, .options = *options, .report = report, .script = script};
    bool ok = set_window(&p, message, capacity);
    if (ok && !allocate(&p)) {
        snprintf(message, capacity, "the trace is too large for the memory of this machine");
        ok = false;
    }
    if (ok) {
        survey(&p);
        choose_carried(&p);
        list_steps(&p);
        judge_lives(&p);
        measure(&p, &script->config);
        choose_slots(&p, &script->config);
        ok = emit_and_fit(&p, &script->config);
        if (!ok || script->count == 0) {
            snprintf(message, capacity, ok ? "nothing in the window can be kept" : "out of memory");
            ok = false;
        }
    }
    free(p.blocks);
    free(p.steps);
    free(p.by_slot);
    if (!ok) {
        lab_script_clean_up(script);
    }
    return ok;
}
