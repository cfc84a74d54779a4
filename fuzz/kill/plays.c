/* SPDX-License-Identifier: MIT */
/* The operations of the shared heap, each on a small heap where it has all to do that it can have
 * to do: free neighbours below and above, remainders, slack, both sides, contents that overlap. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kill/kill.h"

enum { A = 0x1001, B, C, D, E, F, T = 0x4001, U, V };

#define MAKE(tag, bytes)                                                                           \
    { LAB_KILL_ALLOC, tag, 0, bytes, 1 }
#define MAKE_AT(tag, bytes, alignment)                                                             \
    { LAB_KILL_ALLOC, tag, 0, bytes, alignment }
#define GO(tag)                                                                                    \
    { LAB_KILL_FREE, tag, 0, 0, 0 }
#define SIZE(tag, bytes)                                                                           \
    { LAB_KILL_RESIZE, tag, 0, bytes, 0 }

const lab_kill_play lab_kill_plays[] = {
    {"alloc HEAD, the rest of the middle", {MAKE(A, 40)}, 1, MAKE(B, 100)},
    {"alloc HEAD, an exact hole", {MAKE(A, 40), MAKE(B, 64), MAKE(C, 40), GO(B)}, 4, MAKE(D, 64)},
    {"alloc HEAD, a hole with slack",
     {MAKE(A, 40), MAKE(B, 72), MAKE(C, 40), GO(B)},
     4,
     MAKE(D, 50)},
    {"alloc HEAD, a hole that is split",
     {MAKE(A, 40), MAKE(B, 300), MAKE(C, 40), GO(B)},
     4,
     MAKE(D, 61)},
    {"alloc HEAD, no room", {MAKE(A, 40)}, 1, MAKE(B, 100000)},
    {"alloc TAIL, the rest of the middle", {MAKE(A, 40), MAKE(T, 40)}, 2, MAKE(U, 90)},
    {"alloc TAIL, a hole that is split",
     {MAKE(T, 40), MAKE(U, 300), MAKE(V, 40), GO(U)},
     4,
     MAKE(U, 61)},
    {"alloc aligned HEAD, with a gap", {MAKE(A, 40)}, 1, MAKE_AT(B, 100, 256)},
    {"alloc aligned TAIL", {MAKE(A, 40), MAKE(T, 24)}, 2, MAKE_AT(U, 100, 128)},
    {"alloc zeroed", {MAKE(A, 40)}, 1, {LAB_KILL_ZEROED, B, 0, 64, 16}},
    {"free alone", {MAKE(A, 40), MAKE(B, 61), MAKE(C, 40)}, 3, GO(B)},
    {"free, merged below", {MAKE(A, 40), MAKE(B, 61), MAKE(C, 40), GO(A)}, 4, GO(B)},
    {"free, merged above", {MAKE(A, 40), MAKE(B, 61), MAKE(C, 40), MAKE(D, 8), GO(C)}, 5, GO(B)},
    {"free, merged on both sides",
     {MAKE(A, 40), MAKE(B, 61), MAKE(C, 40), MAKE(D, 8), GO(A), GO(C)},
     6,
     GO(B)},
    {"free TAIL into the middle", {MAKE(A, 40), MAKE(T, 61)}, 2, GO(T)},
    {"free by tags, four of six",
     {MAKE(A, 40), MAKE(B, 61), MAKE(C, 40), MAKE(D, 8), MAKE(E, 30), MAKE(T, 50), GO(C)},
     7,
     {LAB_KILL_FREE_TAGS, B, T, 0, 0}},
    {"resize in slack, larger", {MAKE(A, 40), MAKE(B, 33), MAKE(C, 8)}, 3, SIZE(B, 35)},
    {"resize smaller", {MAKE(A, 40), MAKE(B, 200), MAKE(C, 8)}, 3, SIZE(B, 21)},
    {"resize in place, the block above split",
     {MAKE(A, 40), MAKE(B, 40), MAKE(C, 300), MAKE(D, 8), GO(C)},
     5,
     SIZE(B, 75)},
    {"resize in place, the block above whole",
     {MAKE(A, 40), MAKE(B, 40), MAKE(C, 40), MAKE(D, 8), GO(C)},
     5,
     SIZE(B, 90)},
    {"resize that moves", {MAKE(A, 40), MAKE(B, 61), MAKE(C, 40), GO(A)}, 4, SIZE(B, 150)},
    {"resize that moves, aligned", {MAKE(A, 40), MAKE_AT(B, 61, 64), MAKE(C, 40)}, 3, SIZE(B, 150)},
    {"resize to nothing", {MAKE(A, 40), MAKE(B, 61)}, 2, SIZE(B, 0)},
    {"trim, a new block",
     {MAKE(A, 40), MAKE(B, 200), MAKE(C, 8), SIZE(B, 30)},
     4,
     {LAB_KILL_TRIM, B, 0, 0, 0}},
    {"trim, to the free block above",
     {MAKE(A, 40), MAKE(B, 100), MAKE(C, 40), MAKE(D, 8), SIZE(B, 70), GO(C)},
     6,
     {LAB_KILL_TRIM, B, 0, 0, 0}},
    {"retag", {MAKE(A, 40), MAKE(B, 61)}, 2, {LAB_KILL_RETAG, B, F, 0, 0}},
    {"compact, one far move",
     {MAKE(A, 300), MAKE(B, 61), MAKE(C, 8), GO(A)},
     4,
     {LAB_KILL_COMPACT, 0, 0, 1, 0}},
    {"compact, contents overlap",
     {MAKE(A, 8), MAKE(B, 301), MAKE(C, 8), GO(A)},
     4,
     {LAB_KILL_COMPACT, 0, 0, 1, 0}},
    {"compact, merged above",
     {MAKE(A, 20), MAKE(B, 131), MAKE(C, 60), MAKE(D, 8), GO(A), GO(C)},
     6,
     {LAB_KILL_COMPACT, 0, 0, 1, 0}},
    {"compact, all of it, around an aligned one",
     {MAKE(A, 20), MAKE(B, 61), MAKE_AT(C, 40, 128), MAKE(D, 70), MAKE(E, 30), MAKE(F, 9),
      MAKE(T, 12), GO(A), GO(E)},
     9,
     {LAB_KILL_COMPACT, 0, 0, SIZE_MAX, 0}},
};
const size_t lab_kill_plays_count = sizeof lab_kill_plays / sizeof lab_kill_plays[0];

/* ---- playing ------------------------------------------------------------------------------- */

/* The payload under a tag; NULL: there is none. */
static void *find(const th_heap *heap, uint32_t tag) {
    th_heap_block block;
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        if (block.tag == tag) {
            return block.payload;
        }
    }
    return NULL;
}

static void play_plain(th_heap *heap, const lab_kill_op *op) {
    void *payload = find(heap, op->tag);
    switch (op->verb) {
    case LAB_KILL_ALLOC:
        (void)th_heap_alloc_at(heap, op->bytes, op->alignment, op->tag, 0);
        break;
    case LAB_KILL_ZEROED:
        (void)th_heap_alloc_zeroed(heap, op->bytes, op->alignment, op->tag, 0);
        break;
    case LAB_KILL_FREE:
        (void)th_heap_free(heap, payload);
        break;
    case LAB_KILL_FREE_TAGS:
        (void)th_heap_free_tags(heap, op->tag, op->other);
        break;
    case LAB_KILL_RESIZE:
        (void)th_heap_realloc(heap, payload, op->bytes);
        break;
    case LAB_KILL_TRIM:
        (void)th_heap_trim(heap, payload);
        break;
    case LAB_KILL_RETAG:
        (void)th_heap_retag(heap, payload, op->other);
        break;
    case LAB_KILL_COMPACT:
        (void)th_heap_compact_some(heap, op->bytes, NULL, NULL);
        break;
    }
}

static void play_shared(th_shared_heap *heap, const lab_kill_op *op) {
    th_shared_ref ref = op->tag != 0 ? th_shared_heap_ref(heap, find(&heap->heap, op->tag)) : 0;
    switch (op->verb) {
    case LAB_KILL_ALLOC:
        (void)th_shared_heap_alloc_at(heap, op->bytes, op->alignment, op->tag, 0);
        break;
    case LAB_KILL_ZEROED:
        (void)th_shared_heap_alloc_zeroed(heap, op->bytes, op->alignment, op->tag, 0);
        break;
    case LAB_KILL_FREE:
        (void)th_shared_heap_free(heap, ref);
        break;
    case LAB_KILL_FREE_TAGS:
        (void)th_shared_heap_free_tags(heap, op->tag, op->other);
        break;
    case LAB_KILL_RESIZE:
        (void)th_shared_heap_resize(heap, ref, op->bytes);
        break;
    case LAB_KILL_TRIM:
        (void)th_shared_heap_trim(heap, ref);
        break;
    case LAB_KILL_RETAG:
        (void)th_shared_heap_retag(heap, ref, op->other);
        break;
    case LAB_KILL_COMPACT:
        (void)th_shared_heap_compact(heap, op->bytes, NULL, NULL);
        break;
    }
}

void lab_kill_play_op(lab_kill_side side, const lab_kill_op *op) {
    if (side.shared != NULL) {
        play_shared(side.shared, op);
    } else {
        play_plain(side.plain, op);
    }
}

void lab_kill_fill(lab_kill_side side, const lab_kill_op *op) {
    const th_heap *heap = side.shared != NULL ? &side.shared->heap : side.plain;
    unsigned char *payload = find(heap, op->tag);
    if (op->verb == LAB_KILL_ALLOC && payload != NULL) {
        for (size_t i = 0; i < op->bytes; i++) {
            payload[i] = (unsigned char)(op->tag * 31 + i * 7 + 1);
        }
    }
}

/* ---- looking ------------------------------------------------------------------------------- */

static uint64_t sum_of(const unsigned char *bytes, size_t count) {
    uint64_t sum = count;
    for (size_t i = 0; i < count; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001B3);
    }
    return sum;
}

void lab_kill_look(const th_heap *heap, uint32_t fresh, size_t known, lab_kill_state *state) {
    th_heap_block block;
    state->count = 0;
    for (bool more = th_heap_first(heap, &block); more && state->count < LAB_KILL_BLOCKS_MAX;
         more = th_heap_next(heap, &block)) {
        size_t bytes = block.requested_bytes;
        if (block.tag == fresh && bytes > known) {
            bytes = known;
        }
        state->blocks[state->count++] = (lab_kill_block){.offset = block.offset,
                                                         .size = block.size_dwords,
                                                         .tag = block.tag,
                                                         .alignment = block.alignment,
                                                         .requested = block.requested_bytes,
                                                         .contents = sum_of(block.payload, bytes)};
    }
}

bool lab_kill_is_used(const th_heap *heap) {
    th_heap_block block;
    bool is_used = true;
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        uint32_t end = block.offset + heap->header_dwords + block.size_dwords;
        is_used = is_used && (block.requested_bytes == 0 || end <= heap->low_used ||
                              block.offset >= heap->high_used);
    }
    return is_used;
}

bool lab_kill_same(const lab_kill_state *a, const lab_kill_state *b) {
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++) {
        const lab_kill_block *x = &a->blocks[i];
        const lab_kill_block *y = &b->blocks[i];
        same = x->offset == y->offset && x->size == y->size && x->tag == y->tag &&
               x->alignment == y->alignment && x->requested == y->requested &&
               x->contents == y->contents;
    }
    return same;
}

void lab_kill_print(const char *title, const lab_kill_state *state) {
    printf("  %s:\n", title);
    for (unsigned i = 0; i < state->count; i++) {
        const lab_kill_block *b = &state->blocks[i];
        printf("    offset %" PRIu32 " size %" PRIu32 " tag 0x%" PRIX32
               " requested %zu contents %" PRIx64 "\n",
               b->offset, b->size, b->tag, b->requested, b->contents);
    }
}
