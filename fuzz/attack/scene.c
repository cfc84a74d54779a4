/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "attack/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/plain.h"

#define EDGE_BYTE 0xE7u

enum { SPAN_BYTES = LAB_SCENE_BYTES + 2 * LAB_SCENE_EDGE };

/* ---- behind the back of every tool -------------------------------------------------------- */

LAB_PLAIN void lab_scene_image(const lab_scene *scene, unsigned char image[LAB_SCENE_BYTES]) {
    const volatile unsigned char *region = scene->region;
    LAB_BLIND_BEGIN;
    for (uint32_t i = 0; i < LAB_SCENE_BYTES; i++) {
        image[i] = region[i];
    }
    LAB_BLIND_END;
    LAB_TRUST(image, LAB_SCENE_BYTES);
}

static LAB_PLAIN unsigned char peek(const volatile unsigned char *at) {
    unsigned char value;
    LAB_BLIND_BEGIN;
    value = *at;
    LAB_BLIND_END;
    LAB_TRUST(&value, sizeof value);
    return value;
}

static LAB_PLAIN void poke(volatile unsigned char *at, unsigned char value) {
    LAB_BLIND_BEGIN;
    *at = value;
    LAB_BLIND_END;
}

/* ---- hooks -------------------------------------------------------------------------------- */

static void on_fault(void *context, const th_fault *fault) {
    lab_scene *s = context;
    if (!s->muted && s->faults++ == 0) {
        s->fault = *fault;
    }
}

static void lock(void *context) {
    lab_scene *s = context;
    s->lock_depth++;
}

static void unlock(void *context) {
    lab_scene *s = context;
    s->lock_depth--;
}

/* ---- contents ----------------------------------------------------------------------------- */

static unsigned char content(uint32_t seed, uint32_t i) {
    return (unsigned char)(seed * 37 + i * 11 + 1);
}

static void harm(lab_scene *s, const char *what, uint32_t byte) {
    if (s->harm[0] == '\0') {
        (void)snprintf(s->harm, sizeof s->harm, "%s at byte %u", what, byte);
    }
}

/* A payload that the heap has just handed out is the caller's alone. */
static void hold(lab_scene *s, unsigned char *at, size_t bytes) {
    uint32_t from = lab_scene_byte(s, at);
    if (from >= LAB_SCENE_BYTES || bytes > LAB_SCENE_BYTES - from) {
        harm(s, "memory outside the region was handed out", from);
        return;
    }
    for (uint32_t i = 0; i < s->holding_count; i++) {
        const lab_holding *h = &s->holdings[i];
        if (h->live && at < h->at + h->bytes && h->at < at + bytes) {
            harm(s, "memory was handed out twice", from);
            return;
        }
    }
    if (s->holding_count == LAB_SCENE_LIVE) {
        harm(s, "the harness has no room for another payload", from);
        return;
    }
    lab_holding *h = &s->holdings[s->holding_count++];
    *h = (lab_holding){.at = at, .bytes = (uint32_t)bytes, .seed = ++s->seed, .live = true};
    for (uint32_t i = 0; i < h->bytes; i++) {
        at[i] = content(h->seed, i);
        s->hit[from + i] = false;
    }
}

static lab_holding *held(lab_scene *s, const void *at) {
    for (uint32_t i = 0; i < s->holding_count; i++) {
        if (s->holdings[i].live && s->holdings[i].at == at) {
            return &s->holdings[i];
        }
    }
    return NULL;
}

unsigned char *lab_scene_take(lab_scene *s, size_t bytes, uint32_t tag, size_t alignment) {
    uint32_t side = (tag & TH_TAG_TAIL_MIN) != 0 ? s->heap.tag_free / 2 + 1 : 0;
    unsigned char *at =
        th_heap_alloc_aligned(&s->heap, bytes, alignment, (tag & TH_TAG_HEAD_MAX) | side);
    if (at != NULL) {
        hold(s, at, bytes);
    }
    return at;
}

void lab_scene_give(lab_scene *s, void *payload) {
    lab_holding *h = held(s, payload);
    if (th_heap_free(&s->heap, h != NULL ? payload : NULL) == 0 || h == NULL) {
        return;
    }
    h->live = false;
    if (s->freed_count < LAB_SCENE_FREED) {
        s->freed[s->freed_count++] = (lab_freed){h->at, h->bytes};
    }
}

static void resize(lab_scene *s, unsigned char *payload, size_t bytes) {
    lab_holding *h = held(s, payload);
    unsigned char *at = th_heap_realloc(&s->heap, h != NULL ? payload : NULL, bytes);
    if (at == NULL || h == NULL) {
        return;
    }
    uint32_t old = h->bytes;
    uint32_t seed = h->seed;
    h->live = false;
    if (at != payload && s->freed_count < LAB_SCENE_FREED) {
        s->freed[s->freed_count++] = (lab_freed){payload, old};
    }
    uint32_t kept = bytes < old ? (uint32_t)bytes : old;
    for (uint32_t i = 0; i < kept; i++) {
        bool was_hit = s->hit[lab_scene_byte(s, payload + i) % LAB_SCENE_BYTES];
        if (at[i] != content(seed, i) && !was_hit) {
            harm(s, "contents were lost by a resize", lab_scene_byte(s, at + i));
        }
    }
    hold(s, at, bytes);
}

typedef struct mover {
    lab_scene *scene;
    bool veto;
} mover;

static bool may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    mover *m = context;
    lab_holding *h = held(m->scene, from);
    (void)tag;
    if (m->veto || h == NULL || bytes != h->bytes) {
        return false;
    }
    /* What was hit moves along. */
    uint32_t old = lab_scene_byte(m->scene, from);
    uint32_t new = lab_scene_byte(m->scene, to);
    memmove(m->scene->hit + new, m->scene->hit + old, bytes * sizeof m->scene->hit[0]);
    h->at = to;
    return true;
}

static void compact(lab_scene *s, bool budgeted, bool veto) {
    mover m = {s, veto};
    if (budgeted) {
        (void)th_heap_compact_some(&s->heap, 1, may_move, &m);
    } else {
        (void)th_heap_compact(&s->heap, may_move, &m);
    }
}

void lab_scene_compact(lab_scene *s, bool veto) {
    compact(s, false, veto);
}

void lab_scene_compact_step(lab_scene *s) {
    compact(s, true, false);
}

/* ---- the scene ---------------------------------------------------------------------------- */

static void write_edges(lab_scene *s) {
    memset(s->region - LAB_SCENE_EDGE, EDGE_BYTE, LAB_SCENE_EDGE);
    memset(s->region + LAB_SCENE_BYTES, EDGE_BYTE, LAB_SCENE_EDGE);
    memset(s->copy - LAB_SCENE_EDGE, EDGE_BYTE, LAB_SCENE_EDGE);
    memset(s->copy + LAB_SCENE_BYTES, EDGE_BYTE, LAB_SCENE_EDGE);
}

static bool build(lab_scene *s) {
    unsigned char *a = lab_scene_take(s, 30, 0x1001, 4);
    unsigned char *b = lab_scene_take(s, 64, 0x1002, 4);
    unsigned char *c = lab_scene_take(s, 45, 0x1003, 4);
    unsigned char *d = lab_scene_take(s, 64, 0x1004, 4);
    unsigned char *e = lab_scene_take(s, 60, 0x1005, 4);
    unsigned char *f = lab_scene_take(s, 80, 0x1006, 4);
    unsigned char *t = lab_scene_take(s, 33, 0x4001, 4);
    unsigned char *u = lab_scene_take(s, 24, 0x4002, 4);
    unsigned char *v = lab_scene_take(s, 20, 0x4003, 4);
    lab_scene_give(s, b);
    lab_scene_give(s, f);
    lab_scene_give(s, u);
    resize(s, e, 33);
    unsigned char *const order[LAB_NAMED] = {a, c, d, e, v, t};
    lab_holding named[LAB_NAMED];
    for (unsigned i = 0; i < LAB_NAMED; i++) {
        const lab_holding *h = held(s, order[i]);
        if (h == NULL) {
            return false;
        }
        named[i] = *h;
    }
    memcpy(s->holdings, named, sizeof named);
    s->holding_count = LAB_NAMED;
    return s->faults == 0 && s->harm[0] == '\0' && s->freed_count == 3;
}

lab_scene *lab_scene_new(th_heap_layout layout, size_t alignment, int level, bool poisoned) {
    lab_scene *s = calloc(1, sizeof *s);
    void *memory = NULL;
    if (s == NULL || posix_memalign(&memory, 64, 2 * (size_t)SPAN_BYTES) != 0) {
        free(s);
        return NULL;
    }
    memset(memory, 0, 2 * (size_t)SPAN_BYTES);
    s->memory = memory;
    s->region = s->memory + LAB_SCENE_EDGE;
    s->copy = s->region + SPAN_BYTES;
    s->header = layout == TH_HEAP_LAYOUT_WIDE ? (alignment == 4 ? 7 : 8) : alignment == 16 ? 8 : 6;
    write_edges(s);
    const th_heap_config config = {.alignment = alignment,
                                   .guarding.level = level,
                                   .layout = layout,
                                   .poison_unused = poisoned,
                                   .guarding.on_fault = on_fault,
                                   .guarding.fault_context = s,
                                   .lock = {.acquire = lock, .release = unlock, .context = s}};
    if (th_heap_init(&s->heap, s->region, LAB_SCENE_BYTES, &config) != TH_OK || !build(s)) {
        lab_scene_destroy(s);
        return NULL;
    }
    s->saved_heap = s->heap;
    lab_scene_image(s, s->saved_image);
    memcpy(s->saved_holdings, s->holdings, sizeof s->holdings);
    s->saved_holding_count = s->holding_count;
    s->saved_seed = s->seed;
    return s;
}

void lab_scene_destroy(lab_scene *s) {
    if (s != NULL) {
        if (s->saved_heap.base != NULL) {
            lab_scene_restore(s);
            th_heap_clean_up(&s->heap);
        }
        free(s->memory);
        free(s);
    }
}

void lab_scene_restore(lab_scene *s) {
    s->muted = true;
    s->heap = s->saved_heap;
    th_heap_detach(&s->heap);
    write_edges(s);
    memcpy(s->region, s->saved_image, LAB_SCENE_BYTES);
    th_status status = th_heap_attach(&s->heap, s->region);
    s->muted = false;
    memcpy(s->holdings, s->saved_holdings, sizeof s->holdings);
    s->holding_count = s->saved_holding_count;
    s->freed_count = 3;
    s->seed = s->saved_seed;
    s->faults = 0;
    s->lock_depth = 0;
    s->harm[0] = '\0';
    s->kinds = 0;
    s->block = TH_FAULT_NOWHERE;
    s->victim = NULL;
    s->written = false;
    s->skip = false;
    s->refused = true;
    s->may_change = false;
    memset(s->hit, 0, sizeof s->hit);
    if (status != TH_OK) {
        harm(s, "the scene could not be restored", 0);
    }
}

void lab_scene_mark(lab_scene *s) {
    th_heap_block block;
    s->ground_count = 0;
    for (bool more = th_heap_first(&s->heap, &block); more; more = th_heap_next(&s->heap, &block)) {
        s->ground[s->ground_count++] =
            (lab_scene_block){.offset = block.offset,
                              .end = block.offset + s->header + block.size_dwords,
                              .requested = (uint32_t)block.requested_bytes,
                              .free = block.tag == s->heap.tag_free};
    }
    s->marked_heap = s->heap;
    lab_scene_image(s, s->marked_image);
}

/* ---- attacking ---------------------------------------------------------------------------- */

void lab_scene_flip(lab_scene *s, uint32_t byte, unsigned char mask) {
    if (byte < LAB_SCENE_BYTES && mask != 0) {
        poke(s->region + byte, peek(s->region + byte) ^ mask);
        s->hit[byte] = true;
        s->written = true;
    }
}

void lab_scene_write(lab_scene *s, uint32_t from, uint32_t bytes, int fill) {
    for (uint32_t i = from; i < from + bytes && i < LAB_SCENE_BYTES; i++) {
        unsigned char old = peek(s->region + i);
        lab_scene_flip(s, i, fill < 0 ? 0xFF : (unsigned char)(old ^ (unsigned)fill));
    }
}

uint32_t lab_scene_byte(const lab_scene *s, const void *address) {
    return (uint32_t)((uintptr_t)address - (uintptr_t)s->region);
}

lab_zone lab_scene_zone(const lab_scene *s, size_t byte, const lab_scene_block **block) {
    const lab_scene_block *g = s->ground;
    while (byte >= 4 * g->end && g + 1 < s->ground + s->ground_count) {
        g++;
    }
    *block = g;
    uint32_t payload = 4 * (g->offset + s->header);
    if (byte < payload) {
        return LAB_ZONE_HEADER;
    }
    if (!g->free) {
        return byte < payload + g->requested ? LAB_ZONE_PAYLOAD : LAB_ZONE_CANARY;
    }
    for (uint32_t i = 0; i < s->freed_count; i++) {
        uint32_t from = lab_scene_byte(s, s->freed[i].at);
        if (byte >= from && byte < from + s->freed[i].bytes) {
            return LAB_ZONE_POISON;
        }
    }
    return LAB_ZONE_UNUSED;
}

/* ---- judging ------------------------------------------------------------------------------ */

static bool edges_hold(const unsigned char *region) {
    for (uint32_t i = 0; i < LAB_SCENE_EDGE; i++) {
        if (region[LAB_SCENE_BYTES + i] != EDGE_BYTE || *(region - 1 - i) != EDGE_BYTE) {
            return false;
        }
    }
    return true;
}

bool lab_scene_unharmed(lab_scene *s) {
    if (!edges_hold(s->region) || !edges_hold(s->copy)) {
        harm(s, "bytes outside the region were written", 0);
    }
    if (s->lock_depth != 0) {
        harm(s, "the lock was not released", 0);
    }
    for (uint32_t k = 0; k < s->holding_count; k++) {
        const lab_holding *h = &s->holdings[k];
        uint32_t from = lab_scene_byte(s, h->at);
        for (uint32_t i = 0; h->live && i < h->bytes; i++) {
            if (peek(h->at + i) != content(h->seed, i) && !s->hit[from + i]) {
                harm(s, "the contents of a live block were overwritten", from + i);
            }
        }
    }
    return s->harm[0] == '\0';
}

bool lab_scene_unchanged(const lab_scene *s) {
    unsigned char image[LAB_SCENE_BYTES];
    lab_scene_image(s, image);
    for (uint32_t i = 0; i < LAB_SCENE_BYTES; i++) {
        if (image[i] != s->marked_image[i] && !s->hit[i]) {
            return false;
        }
    }
    return memcmp(&s->heap, &s->marked_heap, offsetof(th_heap, config)) == 0;
}

bool lab_scene_names(const lab_scene *s, const th_fault *fault) {
    if ((s->kinds >> fault->kind & 1) != 0) {
        return s->block == TH_FAULT_NOWHERE || fault->block == s->block;
    }
    size_t byte = fault->offset;
    const lab_scene_block *block;
    if (!s->written || byte >= LAB_SCENE_BYTES) {
        return false;
    }
    switch (fault->kind) {
    case TH_FAULT_HEADER:
        for (byte = 4 * fault->block; byte < 4 * (fault->block + s->header); byte++) {
            if (s->hit[byte] && lab_scene_zone(s, byte, &block) == LAB_ZONE_HEADER &&
                block->offset == fault->block) {
                return true;
            }
        }
        return false;
    case TH_FAULT_CANARY:
        return s->hit[byte] && lab_scene_zone(s, byte, &block) == LAB_ZONE_CANARY &&
               block->offset == fault->block;
    case TH_FAULT_POISON:
        /* The call may have merged the block with the one below. */
        return (s->hit[byte] || s->hit[byte + 1] || s->hit[byte + 2] || s->hit[byte + 3]) &&
               4 * fault->block < byte && lab_scene_zone(s, byte, &block) >= LAB_ZONE_POISON;
    default:
        return false;
    }
}

/* ---- calls -------------------------------------------------------------------------------- */

static const char *const call_names[LAB_CALLS] = {"alloc HEAD",       "alloc HEAD, large",
                                                  "alloc TAIL",       "alloc TAIL, large",
                                                  "alloc aligned",    "alloc, too large",
                                                  "free NULL",        "free a",
                                                  "free c",           "free d",
                                                  "free e",           "free v",
                                                  "free t",           "shrink c",
                                                  "grow e in place",  "grow a by moving",
                                                  "grow v",           "trim e",
                                                  "trim a",           "free no tags",
                                                  "free d's tag",     "compact",
                                                  "compact one step", "compact, vetoed",
                                                  "copy and attach",  "find",
                                                  "clean up"};

const char *lab_scene_call_name(unsigned call) {
    return call_names[call];
}

static void free_tag(lab_scene *s, uint32_t tag, uint32_t holding) {
    if (th_heap_free_tags(&s->heap, tag, tag) == 1) {
        s->holdings[holding].live = false;
    }
}

/* A copy, and the image as it is taken for another process's. */
static bool copy_and_attach(lab_scene *s) {
    th_heap copy = {0};
    th_heap attached = s->heap;
    th_status copied = th_heap_copy(&s->heap, &copy, s->copy);
    if (copied == TH_OK) {
        s->muted = true;
        th_heap_clean_up(&copy);
        s->muted = false;
    }
    return th_heap_attach(&attached, s->region) == TH_ERR_CORRUPT;
}

static void call_block(lab_scene *s, unsigned call) {
    unsigned char *at[LAB_NAMED];
    for (unsigned i = 0; i < LAB_NAMED; i++) {
        at[i] = s->holdings[i].at;
    }
    switch (call) {
    case 13:
        resize(s, at[LAB_C], 44);
        break;
    case 14:
        resize(s, at[LAB_E], 100);
        break;
    case 15:
        resize(s, at[LAB_A], 200);
        break;
    case 16:
        resize(s, at[LAB_V], 60);
        break;
    case 17:
        (void)th_heap_trim(&s->heap, s->holdings[LAB_E].live ? at[LAB_E] : NULL);
        break;
    case 18:
        (void)th_heap_trim(&s->heap, s->holdings[LAB_A].live ? at[LAB_A] : NULL);
        break;
    default:
        lab_scene_give(s, at[call - 7]);
        break;
    }
}

static void call_alloc(lab_scene *s, unsigned call) {
    static const struct {
        size_t bytes;
        uint32_t tag;
        size_t alignment;
    } requests[] = {{8, 0x1010, 4},  {200, 0x1011, 4}, {8, 0x4010, 4},
                    {40, 0x4011, 4}, {40, 0x1012, 64}, {LAB_SCENE_BYTES, 0x1013, 4}};
    (void)lab_scene_take(s, requests[call].bytes, requests[call].tag, requests[call].alignment);
}

bool lab_scene_call(lab_scene *s, unsigned call) {
    th_heap_block block;
    if (call < 6) {
        call_alloc(s, call);
    } else if (call >= 7 && call < 19) {
        call_block(s, call);
    }
    switch (call) {
    case 6:
        (void)th_heap_free(&s->heap, NULL);
        break;
    case 19:
        (void)th_heap_free_tags(&s->heap, 0x2000, 0x2001);
        break;
    case 20:
        free_tag(s, 0x1004, LAB_D);
        break;
    case 21:
    case 22:
    case 23:
        compact(s, call == 22, call == 23);
        break;
    case 24:
        return copy_and_attach(s);
    case 25:
        (void)th_heap_find(&s->heap, s->region + LAB_SCENE_BYTES - 1, &block);
        break;
    case 26:
        th_heap_clean_up(&s->heap);
        break;
    default:
        break;
    }
    return false;
}
