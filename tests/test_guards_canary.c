/* SPDX-License-Identifier: MIT */
/* Canaries depend on the heap's seed and on the place: no byte can be written over them that is not
 * noticed, and what is left of an earlier heap is no canary. */
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"

enum { DWORDS = 4000, BLOCKS = 60 };

static alignas(64) unsigned char region[DWORDS * 4];
static th_heap heap;

static void start(size_t alignment) {
    const th_heap_config config = {.alignment = alignment, .guarding.level = 1};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
}

static unsigned char *take(size_t bytes) {
    unsigned char *payload = th_heap_alloc(&heap, bytes, 0x1001);
    CHECK(payload != NULL);
    return payload;
}

/* Blocks of 4 bytes, with the canary in the other 12 of 16, and of 1, with 3 in the first dword. */
static void smash_with_each_byte(size_t bytes) {
    start(16);
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned char *payload = take(bytes);
        for (unsigned value = 0; value <= UINT8_MAX; value++) {
            unsigned char kept[16];
            th_fault fault;
            for (size_t at = bytes; at < 16; at++) {
                kept[at] = poke(payload + at, (unsigned char)value);
            }
            CHECK_EQ(th_heap_check(&heap, &fault), TH_ERR_CORRUPT);
            CHECK_EQ(fault.kind, TH_FAULT_CANARY);
            CHECK_EQ(fault.found, value);
            CHECK_EQ(fault.expected, kept[fault.offset % 16]);
            for (size_t at = bytes; at < 16; at++) {
                (void)poke(payload + at, kept[at]);
            }
        }
        CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    }
    th_heap_clean_up(&heap);
}

static void no_byte_can_be_written_over_a_canary(void) {
    if (th_guard_max() >= 1) {
        smash_with_each_byte(4);
        smash_with_each_byte(1);
    }
}

/* Of the bytes of a long canary each value is about one in 256, at each place within a dword, and
 * they do not come again after a page's worth or less. */
static void canaries_are_bytes_of_all_kinds(void) {
    static unsigned char found[12000];
    unsigned seen[4][UINT8_MAX + 1] = {0};
    if (th_guard_max() < 1) {
        return;
    }
    start(4);
    unsigned char *payload = take(12000);
    CHECK_PTR_EQ(th_heap_realloc(&heap, payload, 1), payload);
    for (size_t at = 4; at < 12000; at++) {
        unsigned char value = poke(payload + at, 0);
        seen[at % 4][value]++;
        found[at] = value;
        (void)poke(payload + at, value);
    }
    for (unsigned lane = 0; lane < 4; lane++) {
        for (unsigned value = 0; value <= UINT8_MAX; value++) {
            CHECK(seen[lane][value] <= 60); /* 12 on average */
        }
    }
    for (size_t distance = 4; distance <= 4096; distance += 4) {
        unsigned same[4] = {0};
        for (size_t at = 4; at + distance < sizeof found; at++) {
            same[at % 4] += found[at] == found[at + distance];
        }
        for (unsigned lane = 0; lane < 4; lane++) {
            CHECK(same[lane] <= (sizeof found - distance) / 16);
        }
    }
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
}

/* Another heap in the same memory has another seed. */
static void another_heap_has_other_canaries(void) {
    unsigned char before[12];
    unsigned same = 0;
    if (th_guard_max() < 1) {
        return;
    }
    start(16);
    unsigned char *payload = take(4);
    for (size_t i = 0; i < sizeof before; i++) {
        before[i] = poke(payload + 4 + i, 0);
    }
    th_heap old = heap;
    start(16);
    CHECK(heap.check_seed != old.check_seed);
    CHECK_PTR_EQ(take(4), payload);
    for (size_t i = 0; i < sizeof before; i++) {
        unsigned char now = poke(payload + 4 + i, before[i]);
        same += now == before[i];
    }
    CHECK(same < 4);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_ERR_CORRUPT);
    start(16);
    th_heap_clean_up(&heap);
}

static unsigned told; /* of smashed canaries */

static void note(void *context, const th_fault *fault) {
    (void)context;
    told += fault->kind == TH_FAULT_CANARY;
}

/* Of a block of 96 bytes, of which fewer and fewer are asked for, each byte that is canary: the
 * checker finds it, and a free, which keeps the block then. */
static void spoil_each_byte(size_t alignment) {
    enum { BYTES = 96 };
    const th_heap_config config = {
        .alignment = alignment, .guarding.level = 1, .guarding.on_fault = note};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    unsigned char *payload = take(BYTES);
    CHECK(take(16) != NULL);
    for (size_t bytes = BYTES - 1; bytes > 0; bytes--) {
        CHECK_PTR_EQ(th_heap_realloc(&heap, payload, bytes), payload);
        for (size_t at = bytes; at < BYTES; at++) {
            th_fault fault;
            unsigned char kept = poke(payload + at, 0);
            (void)poke(payload + at, kept ^ 0x10);
            CHECK_EQ(th_heap_check(&heap, &fault), TH_ERR_CORRUPT);
            CHECK_EQ(fault.kind, TH_FAULT_CANARY);
            CHECK_EQ(fault.offset, (size_t)(payload - heap.base) + at);
            told = 0;
            CHECK_EQ(th_heap_free(&heap, payload), 0);
            CHECK_EQ(told, 1);
            (void)poke(payload + at, kept);
        }
    }
    CHECK(th_heap_free(&heap, payload) > 0);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
}

static void each_byte_of_a_canary_is_verified(void) {
    for (size_t alignment = 4; alignment <= 16 && th_guard_max() >= 1; alignment *= 2) {
        spoil_each_byte(alignment);
    }
}

TH_SUITE("guards_canary", TEST(no_byte_can_be_written_over_a_canary),
         TEST(each_byte_of_a_canary_is_verified), TEST(canaries_are_bytes_of_all_kinds),
         TEST(another_heap_has_other_canaries))
