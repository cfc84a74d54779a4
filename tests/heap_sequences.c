/* SPDX-License-Identifier: MIT */
#include "heap_sequences.h"

#include <stddef.h>

/* What scripts/prove says for an interpreter, which is given one heap at a time. */
#ifndef SEQUENCE_LAYOUT
#define SEQUENCE_LAYOUT TH_HEAP_LAYOUT_CLASSIC
#endif
#ifndef SEQUENCE_ALIGNMENT
#define SEQUENCE_ALIGNMENT 4
#endif
#ifndef SEQUENCE_REGION_BYTES
#define SEQUENCE_REGION_BYTES 320
#endif
#ifndef SEQUENCE_INDEX
#define SEQUENCE_INDEX false
#endif

sequence_heap sequence_with = {SEQUENCE_LAYOUT, SEQUENCE_ALIGNMENT, SEQUENCE_REGION_BYTES,
                               SEQUENCE_INDEX};

#define HEAD 0u
#define TAIL 1u

static th_heap heap;

/* An interpreter knows the addresses: what the heap decides depends on their low bits. The index
 * lies below the region, so that what leaves either of them at its outer end leaves all memory. */
#define INDEX_BYTES 256
#ifdef __FRAMAC__
static unsigned char *const region = (unsigned char *)0x10000;
static void *const index_memory = (void *)(0x10000 - INDEX_BYTES);
#else
static _Alignas(64) unsigned char region[SEQUENCE_REGION_BYTES];
static uint64_t index_memory[INDEX_BYTES / sizeof(uint64_t)];
#endif

static void start(void) {
    const th_heap_config config = {.alignment = sequence_with.alignment,
                                   .layout = sequence_with.layout,
                                   .index = sequence_with.index ? TH_HEAP_INDEX_GIVEN
                                                                : TH_HEAP_INDEX_NONE,
                                   .index_memory = index_memory,
                                   .index_bytes = INDEX_BYTES};
    th_status status = th_heap_init(&heap, region, sequence_with.region_bytes, &config);
    sequence_demand(status == TH_OK);
}

static void demand_sound(void) {
    th_status status = th_heap_check(&heap, NULL);
    sequence_demand(status == TH_OK);
}

static uint32_t bytes_of(uint32_t dwords) {
    return sequence_any(4 * dwords - 3, 4 * dwords);
}

static uint32_t tag_free(void) {
    return sequence_with.layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_FREE : TH_TAG_FREE;
}

/* The side's lowest tag. */
static uint32_t tag_min(uint32_t side) {
    return side == HEAD ? 0 : tag_free() / 2 + 1;
}

static uint32_t tag_of(uint32_t side) {
    return sequence_any(tag_min(side), side == HEAD ? tag_min(TAIL) - 1 : tag_free() - 1);
}

static uint32_t site(void) {
    return sequence_any(0, UINT32_MAX);
}

/* A payload of so many bytes, if there is one, lies in the region, aligned. */
static void demand_inside(const void *payload, uint32_t bytes, uint32_t alignment) {
    if (payload != NULL) {
        uintptr_t at = (uintptr_t)payload;
        uintptr_t base = (uintptr_t)region;
        sequence_demand(at > base && at + bytes < base + sequence_with.region_bytes);
        sequence_demand((at & (alignment - 1)) == 0);
    }
}

/* A block of so many bytes, which take so many dwords. */
static unsigned char *take_bytes(uint32_t dwords, uint32_t bytes, uint32_t side,
                                 uint32_t alignment) {
    unsigned char *payload = th_heap_alloc_at(&heap, bytes, alignment, tag_of(side), site());
    demand_inside(payload, 4 * dwords, alignment);
    if (payload != NULL) {
        payload[0] = (unsigned char)dwords;
        payload[bytes - 1] = (unsigned char)dwords;
    }
    return payload;
}

static unsigned char *take(uint32_t dwords, uint32_t side, uint32_t alignment) {
    return take_bytes(dwords, bytes_of(dwords), side, alignment);
}

/* Two blocks, one of them resized, the other one freed, and compaction. */
void sequence_resize(void) {
    uint32_t first, first_side, second, second_side, resized;
    first = sequence_each(1, 3);
    //@ split first;
    first_side = sequence_each(HEAD, TAIL);
    //@ split first_side;
    second = sequence_each(1, 2);
    //@ split second;
    second_side = sequence_each(HEAD, TAIL);
    //@ split second_side;
    resized = sequence_each(1, 7);
    //@ split resized;
    start();
    unsigned char *a = take(first, first_side, 4);
    unsigned char *b = take(second, second_side, 4);
    unsigned char *moved = th_heap_realloc(&heap, a, bytes_of(resized));
    demand_inside(moved, 4 * resized, 4);
    if (moved != NULL) {
        sequence_demand(moved[0] == first);
    }
    demand_sound();
    (void)th_heap_free(&heap, b);
    (void)th_heap_compact(&heap, NULL, NULL);
    demand_sound();
    sequence_end();
}

/* One block is given another tag, if it can have it, and a range of tags is freed. */
void sequence_tags(void) {
    uint32_t sides, low, high;
    sides = sequence_each(0, 3);
    //@ split sides;
    low = sequence_each(0, 5);
    //@ split low;
    high = sequence_each(low, 5);
    //@ split high;
    start();
    const uint32_t tags[2] = {tag_min(sides % 2) + 1, tag_min(sides / 2) + 2};
    const uint32_t bounds[6] = {0, 1, 2, tag_min(TAIL) + 1, tag_min(TAIL) + 2, tag_free()};
    unsigned char *a = th_heap_alloc_at(&heap, bytes_of(2), 4, tags[0], site());
    unsigned char *b = take(1, sides / 2, 4);
    (void)th_heap_retag(&heap, b, sequence_any(0, UINT32_MAX));
    bool retagged = th_heap_retag(&heap, b, tags[1]);
    sequence_demand(a != NULL && retagged);
    uint32_t freed = th_heap_free_tags(&heap, bounds[low], bounds[high]);
    uint32_t due = 0;
    for (uint32_t i = 0; i < 2; i++) {
        due += bounds[low] <= tags[i] && tags[i] <= bounds[high] ? 1u : 0u;
    }
    sequence_demand(freed == due);
    demand_sound();
    sequence_end();
}

/* A specially aligned block beside an ordinary one, which goes: compaction keeps the alignment. */
void sequence_aligned(void) {
    uint32_t first, second, sides, log2;
    first = sequence_each(1, 4);
    //@ split first;
    second = sequence_each(1, 2);
    //@ split second;
    sides = sequence_each(0, 3);
    //@ split sides;
    log2 = sequence_each(4, 6);
    //@ split log2;
    start();
    unsigned char *a = take(first, sides % 2, 4);
    unsigned char *b = take(second, sides / 2, 1u << log2);
    (void)th_heap_free(&heap, a);
    demand_sound();
    (void)th_heap_compact(&heap, NULL, NULL);
    th_heap_block block;
    if (b != NULL && th_heap_first(&heap, &block)) {
        while (block.requested_bytes == 0 && th_heap_next(&heap, &block)) {
        }
        demand_inside(block.payload, 4 * second, 1u << log2);
    }
    demand_sound();
    sequence_end();
}

/* A block shrinks, gives back what it has too much, and another one goes there. */
void sequence_trim(void) {
    uint32_t first, sides, less, third;
    first = sequence_each(1, 4);
    //@ split first;
    first *= 5;
    sides = sequence_each(0, 3);
    //@ split sides;
    less = sequence_each(1, 3);
    //@ split less;
    third = sequence_each(1, 2);
    //@ split third;
    third *= 5;
    start();
    unsigned char *a = take(first, sides % 2, 4);
    unsigned char *b = take(2, sides / 2, 4);
    unsigned char *same = th_heap_realloc(&heap, a, bytes_of(less));
    if (less <= first) {
        sequence_demand(same == a);
    }
    (void)th_heap_trim(&heap, same);
    demand_sound();
    unsigned char *c = take(third, sides % 2, 4);
    demand_sound();
    (void)th_heap_free(&heap, b);
    (void)th_heap_trim(&heap, c);
    demand_sound();
    sequence_end();
}

/* Compaction in steps, of which each moves one block at least if there is one to move. */
void sequence_budget(void) {
    uint32_t first, second, third, gone, budget;
    first = sequence_each(1, 2);
    //@ split first;
    second = sequence_each(1, 2);
    //@ split second;
    third = sequence_each(1, 3);
    //@ split third;
    gone = sequence_each(0, 1);
    //@ split gone;
    budget = sequence_each(0, 2);
    //@ split budget;
    start();
    unsigned char *a = take_bytes(first, 4 * first - 1, HEAD, 4);
    unsigned char *b = take_bytes(second, 4 * second - 2, HEAD, 4);
    (void)take_bytes(third, 4 * third, HEAD, 4);
    (void)th_heap_free(&heap, gone == 0 ? a : b);
    th_heap_compaction done = th_heap_compact_some(&heap, (size_t)budget * 8, NULL, NULL);
    demand_sound();
    if (!done.done) {
        done = th_heap_compact_some(&heap, (size_t)budget * 8, NULL, NULL);
    }
    if (!done.done) {
        done = th_heap_compact_some(&heap, (size_t)budget * 8, NULL, NULL);
    }
    sequence_demand(done.done);
    demand_sound();
    sequence_end();
}

/* What one block leaves another one takes, whole or in part: the index finds it. */
void sequence_reuse(void) {
    uint32_t first, second, sides, third;
    first = sequence_each(1, 3);
    //@ split first;
    first *= 4;
    second = sequence_each(1, 2);
    //@ split second;
    sides = sequence_each(0, 3);
    //@ split sides;
    third = sequence_each(1, 4);
    //@ split third;
    third *= 3;
    start();
    unsigned char *a = take(first, sides % 2, 4);
    unsigned char *b = take(second, sides / 2, 4);
    (void)th_heap_free(&heap, a);
    unsigned char *c = take(third, sides % 2, 4);
    demand_sound();
    (void)th_heap_free(&heap, b);
    (void)th_heap_free(&heap, c);
    sequence_demand(th_heap_get_stats(&heap).free_blocks == 1);
    demand_sound();
    sequence_end();
}
