/* SPDX-License-Identifier: MIT */
#include "explore/trap.h"

#include "synthesis/play.h"

#include <string.h>
#include <time.h>

/* Of processor time. A play takes microseconds, but for those that end in a crash. */
enum { HANG_MS = 5, HANG_MS_LEVEL_3 = 500 };

typedef struct player {
    lab_world *world;
    const lab_synthesis_script *script;
    lab_synthesis_result *result;
    uint32_t next;           /* operation */
    bool attack_inside;      /* the next one is done in the move callback */
    uint32_t veto;           /* a slot that must not move */
    lab_synthesis_what last; /* attack */
} player;

static uint32_t tail_min(const lab_world *w) {
    return w->layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_TAIL_MIN : TH_TAG_TAIL_MIN;
}

static uint32_t tag_of(const lab_world *w, unsigned y, bool tail) {
    return (tail ? tail_min(w) : 0) + 1 + y % 4;
}

/* ---- ordinary calls ----------------------------------------------------------------------- */

static unsigned char *payload_of(const lab_world *w, const lab_world_slot *slot) {
    return w->region + lab_world_payload(w, slot->place);
}

static void allocate(lab_world *w, uint32_t slot, uint32_t bytes, size_t alignment, uint32_t tag) {
    if (!w->slots[slot].live) {
        unsigned char *at = th_heap_alloc_aligned(&w->heap, bytes, alignment, tag);
        if (at != NULL) {
            lab_world_hold(w, slot, at, bytes, tag);
        }
    }
}

static void release(lab_world *w, lab_world_slot *slot) {
    if (slot->live && th_heap_free(&w->heap, payload_of(w, slot)) != 0) {
        slot->live = false;
    }
}

static void resize(lab_world *w, uint32_t number, uint32_t bytes) {
    lab_world_slot *slot = &w->slots[number];
    if (!slot->live) {
        return;
    }
    lab_world_slot old = *slot;
    unsigned char *at = th_heap_realloc(&w->heap, payload_of(w, slot), bytes);
    if (at == NULL) {
        return;
    }
    unsigned char found[LAB_WORLD_BYTES_MAX];
    uint32_t kept = bytes < old.bytes ? bytes : old.bytes;
    uintptr_t from = (uintptr_t)at - (uintptr_t)w->region;
    lab_world_given(w, at, bytes, number);
    if (w->harm != LAB_END_HARMLESS) {
        return;
    }
    lab_world_read(w, (uint32_t)from, found, kept);
    if (memcmp(found, w->shadow + lab_world_payload(w, old.place), kept) != 0) {
        w->harm = LAB_END_CONTENTS;
        return;
    }
    slot->live = false;
    lab_world_hold(w, number, at, bytes, old.tag);
}

static void free_tags(lab_world *w, bool tail, unsigned a, unsigned b) {
    uint32_t low = tag_of(w, a, tail);
    uint32_t high = tag_of(w, b, tail);
    (void)th_heap_free_tags(&w->heap, low, high);
    for (uint32_t i = 0; i < LAB_SYNTHESIS_SLOTS; i++) {
        lab_world_slot *slot = &w->slots[i];
        slot->live = slot->live && (slot->tag < low || slot->tag > high);
    }
}

static void retag(lab_world *w, lab_world_slot *slot, unsigned y) {
    uint32_t tag = tag_of(w, y, slot->tag >= tail_min(w));
    if (slot->live && th_heap_retag(&w->heap, payload_of(w, slot), tag)) {
        slot->tag = tag;
    }
}

/* Does the harness know the block, and may it go? What it is asked is noted as harm where it is. */
static bool may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    player *p = context;
    lab_world *w = p->world;
    (void)tag;
    if (p->attack_inside && p->next < p->script->count) {
        p->attack_inside = false;
        const lab_synthesis_op *op = &p->script->ops[p->next];
        if (lab_synthesis_is_attack((lab_synthesis_what)op->what) &&
            op->what != LAB_SYNTHESIS_POINTER) {
            p->next++;
            lab_world_attack(w, op);
            lab_world_open(w);
        }
    }
    for (uint32_t i = 0; i < LAB_SYNTHESIS_SLOTS; i++) {
        lab_world_slot *slot = &w->slots[i];
        if (!slot->live || payload_of(w, slot) != from || i == p->veto || w->faults > 0) {
            continue;
        }
        uint32_t old = lab_world_payload(w, slot->place);
        lab_world_given(w, to, slot->bytes, i);
        if (w->harm != LAB_END_HARMLESS || bytes > w->bytes) {
            return false;
        }
        uint32_t now = (uint32_t)((unsigned char *)to - w->region);
        memmove(w->shadow + now, w->shadow + old, slot->bytes);
        slot->place = now / 4 - w->header;
        return true;
    }
    return false;
}

static void compact(player *p, const lab_synthesis_op *op) {
    p->attack_inside = op->y % 2 == 1;
    if (op->what == LAB_SYNTHESIS_COMPACT_SOME) {
        p->veto = LAB_SYNTHESIS_SLOTS;
        (void)th_heap_compact_some(&p->world->heap, op->x, may_move, p);
    } else {
        p->veto = op->x % (LAB_SYNTHESIS_SLOTS + 1);
        (void)th_heap_compact(&p->world->heap, may_move, p);
    }
    p->attack_inside = false;
}

static void perform(player *p, const lab_synthesis_op *op) {
    lab_world *w = p->world;
    lab_world_slot *slot = &w->slots[op->slot];
    if (w->attacks > 0) {
        lab_world_open(w);
    }
    switch ((lab_synthesis_what)op->what) {
    case LAB_SYNTHESIS_ALLOC:
        allocate(w, op->slot, op->x + 1u, 1, tag_of(w, op->y, false));
        break;
    case LAB_SYNTHESIS_ALIGNED:
        allocate(w, op->slot, op->x + 1u, (size_t)8 << op->y % 4, tag_of(w, 0, false));
        break;
    case LAB_SYNTHESIS_TAIL:
        allocate(w, op->slot, op->x + 1u, 1, tag_of(w, op->y, true));
        break;
    case LAB_SYNTHESIS_FREE:
        release(w, slot);
        break;
    case LAB_SYNTHESIS_RESIZE:
        resize(w, op->slot, 2u * op->x + 1);
        break;
    case LAB_SYNTHESIS_TRIM:
        if (slot->live) {
            (void)th_heap_trim(&w->heap, payload_of(w, slot));
        }
        break;
    case LAB_SYNTHESIS_RETAG:
        retag(w, slot, op->y);
        break;
    case LAB_SYNTHESIS_FREE_TAGS:
        free_tags(w, op->slot % 2 == 1, op->x, op->y);
        break;
    case LAB_SYNTHESIS_COMPACT:
    case LAB_SYNTHESIS_COMPACT_SOME:
        compact(p, op);
        break;
    default:
        p->last = (lab_synthesis_what)op->what;
        lab_world_attack(w, op);
        break;
    }
}

/* ---- a play ------------------------------------------------------------------------------- */

/* How the operation went, beside the attack before it, as one of LAB_SYNTHESIS_FEATURES. */
static void note_feature(player *p, const lab_synthesis_op *op, bool did) {
    lab_synthesis_result *r = p->result;
    uint32_t free = p->world->heap.free_blocks < 3 ? p->world->heap.free_blocks : 3;
    uint32_t mixed = (uint32_t)op->what | (uint32_t)p->last << 5 | (uint32_t)p->world->fault << 10 |
                     (uint32_t)did << 14 | free << 15;
    if (p->last > LAB_SYNTHESIS_COMPACT_SOME && r->feature_count <= LAB_SYNTHESIS_OPS_MAX) {
        r->features[r->feature_count++] = (mixed * 0x9E3779B1u) >> 16;
    }
}

/* False: the play has ended. */
static bool go_on(player *p) {
    lab_world *w = p->world;
    if (w->faults > 0) {
        p->result->end = LAB_END_REPORTED;
        p->result->fault = w->fault;
        return false;
    }
    if (w->harm == LAB_END_HARMLESS) {
        lab_world_compare(w);
    }
    p->result->end = w->harm;
    return w->harm == LAB_END_HARMLESS;
}

/* With guards of level 3 a heap goes on after a report: without a crash, whatever it says. */
static const lab_synthesis_op afterwards[] = {
    {LAB_SYNTHESIS_ALLOC, 0, 15, 0},    {LAB_SYNTHESIS_ALLOC, 1, 30, 1},
    {LAB_SYNTHESIS_TAIL, 2, 15, 0},     {LAB_SYNTHESIS_ALLOC, 3, 70, 2},
    {LAB_SYNTHESIS_FREE, 4, 0, 0},      {LAB_SYNTHESIS_ALLOC, 4, 20, 0},
    {LAB_SYNTHESIS_FREE, 5, 0, 0},      {LAB_SYNTHESIS_TAIL, 5, 40, 0},
    {LAB_SYNTHESIS_RESIZE, 6, 60, 0},   {LAB_SYNTHESIS_FREE, 7, 0, 0},
    {LAB_SYNTHESIS_ALLOC, 7, 78, 0},    {LAB_SYNTHESIS_COMPACT, 0, 8, 0},
    {LAB_SYNTHESIS_FREE, 0, 0, 0},      {LAB_SYNTHESIS_FREE, 1, 0, 0},
    {LAB_SYNTHESIS_FREE, 3, 0, 0},      {LAB_SYNTHESIS_ALLOC, 0, 8, 0},
    {LAB_SYNTHESIS_ALLOC, 1, 8, 0},     {LAB_SYNTHESIS_ALLOC, 3, 50, 0},
    {LAB_SYNTHESIS_FREE_TAGS, 0, 0, 1}, {LAB_SYNTHESIS_ALLOC, 6, 70, 2},
};
enum { AFTERWARDS = sizeof afterwards / sizeof afterwards[0] };

static void play(player *p) {
    lab_world *w = p->world;
    bool more = true;
    while (more && p->next < p->script->count) {
        const lab_synthesis_op *op = &p->script->ops[p->next++];
        uint32_t attacks = w->attacks;
        p->result->ops = p->next; /* it may not come back */
        perform(p, op);
        more = go_on(p);
        note_feature(p, op, w->attacks != attacks);
        p->result->ops = p->next;
    }
    /* What was never attacked is for other suites. */
    for (unsigned i = 0; i < AFTERWARDS && w->attacks > 0; i++) {
        bool reported = p->result->end == LAB_END_REPORTED;
        if (more || (reported && w->level >= 3)) {
            perform(p, &afterwards[i]);
            more = !reported && go_on(p);
        }
    }
}

/* LAB_TRAP_HANG after so much processor time; 0: not any more. */
static void set_alarm(unsigned ms) {
    static timer_t timer;
    static bool made;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = LAB_TRAP_HANG};
    const struct itimerspec time = {.it_value = {.tv_nsec = (long)ms * 1000000}};
    made = made || timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0;
    if (made) {
        (void)timer_settime(timer, 0, &time, NULL);
    }
}

bool lab_synthesis_play(lab_world *world, const lab_synthesis_script *script, int level,
                        th_heap_layout layout, bool contained, lab_synthesis_result *result) {
    static sigjmp_buf point;
    player p = {world, script, result, 0, false, LAB_SYNTHESIS_SLOTS, LAB_SYNTHESIS_ALLOC};
    *result = (lab_synthesis_result){.end = LAB_END_HARMLESS};
    if (!lab_world_start(world, script, level, layout)) {
        return false;
    }
    if (!contained) {
        play(&p);
    } else {
        int number = sigsetjmp(point, 1);
        if (number == 0) {
            lab_trap_arm(&point);
            set_alarm(level >= 3 ? HANG_MS_LEVEL_3 : HANG_MS);
            play(&p);
        } else {
            result->end = number == LAB_TRAP_HANG ? LAB_END_HANG : LAB_END_CRASH;
        }
        lab_trap_disarm();
        set_alarm(0);
    }
    result->attacks = world->attacks;
    return true;
}
