/* SPDX-License-Identifier: MIT */
/* What no guard can notice, each with a proof: the attack is played on one scene, a legitimate call
 * or write on a twin, and the two end up the same, byte for byte. */
#include <string.h>

#include "attack/matrix.h"
#include "attack/scene.h"

/* Two scenes at the same addresses one after the other: what the first comes to, and then the
 * second. */
typedef struct trial {
    unsigned char image[LAB_SCENE_BYTES];
    th_heap heap;
    uint32_t faults;
} trial;

static void finish(lab_scene *s, trial *t) {
    lab_scene_image(s, t->image);
    t->heap = s->heap;
    t->faults = s->faults;
}

static bool same(const trial *a, const trial *b) {
    return a->faults == 0 && b->faults == 0 && memcmp(a->image, b->image, sizeof a->image) == 0 &&
           memcmp(&a->heap, &b->heap, offsetof(th_heap, config)) == 0;
}

static bool prove_each(bool (*prove)(lab_scene *s)) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        lab_scene *s = lab_scene_new(TH_HEAP_LAYOUT_CLASSIC, alignment, th_guard_max(), false);
        bool proved = s != NULL && prove(s);
        lab_scene_destroy(s);
        if (!proved) {
            return false;
        }
    }
    return true;
}

/* ---- a stale pointer into a live payload -------------------------------------------------- */

/* Writes the byte `i` of the old payload of d after a compaction, through the old pointer or
 * through the one of the payload that lies there now. */
static bool write_moved(lab_scene *s, uint32_t i, bool stale, trial *t) {
    lab_scene_restore(s);
    unsigned char *at = s->holdings[LAB_D].at + i;
    lab_scene_compact(s, false);
    for (unsigned k = 0; !stale && k < s->holding_count; k++) {
        lab_holding *h = &s->holdings[k];
        if (at >= h->at && at < h->at + h->bytes) {
            h->at[at - h->at] = 'A';
            finish(s, t);
            return true;
        }
    }
    if (stale) {
        *at = 'A';
        finish(s, t);
    }
    return stale;
}

static bool is_owners_write(lab_scene *s) {
    trial own, stale;
    unsigned shared = 0;
    for (uint32_t i = 0; i < s->saved_holdings[LAB_D].bytes; i++) {
        if (write_moved(s, i, false, &own)) {
            shared++;
            if (!write_moved(s, i, true, &stale) || !same(&own, &stale)) {
                return false;
            }
        }
    }
    return shared > 0;
}

static bool prove_stale_write(void) {
    return prove_each(is_owners_write);
}

/* ---- a freed pointer that is a payload again ---------------------------------------------- */

static bool is_owners_free(lab_scene *s) {
    trial own, stale;
    for (unsigned turn = 0; turn < 2; turn++) {
        lab_scene_restore(s);
        unsigned char *old = s->holdings[LAB_D].at;
        lab_scene_give(s, old);
        (void)lab_scene_take(s, 64, 0x1010, 4); /* the hole, which is lower */
        unsigned char *now = lab_scene_take(s, 64, 0x1011, 4);
        (void)th_heap_free(&s->heap, turn == 0 ? now : old);
        finish(s, turn == 0 ? &own : &stale);
        if (now != old) {
            return false;
        }
    }
    return same(&own, &stale);
}

static bool prove_stale_free(void) {
    return prove_each(is_owners_free);
}

/* ---- calls from lock hooks ---------------------------------------------------------------- */

static th_heap *hooked;
static unsigned hook_calls;
static void *hook_payload;

static void call_from_hook(void *context) {
    (void)context;
    if (hook_calls++ == 0) {
        hook_payload = th_heap_alloc(hooked, 8, 0x1010);
    }
}

static void do_nothing(void *context) {
    (void)context;
}

/* One allocation from inside the hook of another, against the two in order: the lock hook's comes
 * first, the unlock hook's last. */
static bool is_in_sequence(lab_scene *s) {
    trial nested, plain;
    for (unsigned turn = 0; turn < 2; turn++) {
        bool lock = turn == 0;
        lab_scene_restore(s);
        hooked = &s->heap;
        hook_calls = 0;
        s->heap.config.lock.acquire = lock ? call_from_hook : do_nothing;
        s->heap.config.lock.release = lock ? do_nothing : call_from_hook;
        void *outer = th_heap_alloc(&s->heap, 12, 0x1011);
        finish(s, &nested);
        lab_scene_restore(s);
        void *first = th_heap_alloc(&s->heap, lock ? 8 : 12, lock ? 0x1010 : 0x1011);
        void *second = th_heap_alloc(&s->heap, lock ? 12 : 8, lock ? 0x1011 : 0x1010);
        finish(s, &plain);
        if (!same(&nested, &plain) || first != (lock ? hook_payload : outer) ||
            second != (lock ? outer : hook_payload)) {
            return false;
        }
    }
    return true;
}

static bool prove_hooks(void) {
    return prove_each(is_in_sequence);
}

const lab_exclusion lab_exclusions[] = {
    {"write after compaction, to a live payload",
     "it is the write of the block that lies there now", prove_stale_write},
    {"free of a freed pointer that is a payload again", "it is the free of its new owner",
     prove_stale_free},
    {"call from a lock hook", "the heap is at rest then: an ordinary call", prove_hooks},
};

const unsigned lab_exclusion_count = sizeof lab_exclusions / sizeof lab_exclusions[0];
