/* SPDX-License-Identifier: MIT */
/* The index: it finds blocks that the edges of its tables are near to, it is refused where it
 * cannot lie, and damage to it is noticed. */
#include <string.h>

#include "base/track.h"
#include "heap/chain.h"
#include "heap/fast.h"
#include "heap_fixture.h"

#define REGION_BYTES ((size_t)131083 * 4)
#define WALL         64

enum { UNTOUCHED = 0xEE };

static alignas(1024) unsigned char region[REGION_BYTES + 2 * WALL];
static alignas(1024) unsigned char twin_region[REGION_BYTES + 2 * WALL];
static uint64_t memory[TH_HEAP_INDEX_BYTES_MAX(REGION_BYTES, 4) / 8 + 2];
static th_heap heap, twin;
static unsigned faults;
static th_fault last;

static void note(void *context, const th_fault *fault) {
    (void)context;
    faults++;
    last = *fault;
}

static th_heap_config given(size_t alignment, int guard, size_t bytes) {
    return (th_heap_config){.alignment = alignment,
                            .guarding.level = guard,
                            .guarding.on_fault = note,
                            .index = TH_HEAP_INDEX_GIVEN,
                            .index_memory = memory,
                            .index_bytes = bytes};
}

static TH_TRACK_BLIND void flip(unsigned char *at, unsigned char mask) {
    th_track_blind_begin();
    *at ^= mask;
    th_track_blind_end();
}

/* ---- what it finds ------------------------------------------------------------------------ */

static ptrdiff_t distance(const th_heap *of, const void *payload) {
    return payload == NULL ? -1 : (const unsigned char *)payload - of->base;
}

/* 0x4001, or as many above the lowest TAIL tag of 31 bits. */
static uint32_t tail_tag(void) {
    return heap.tag_free / 2 + 2;
}

/* FIRST, which has no block below it, takes in the one above. */
static void first_is_merged_with(void) {
    for (int guard = 0; guard <= 2; guard++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            th_heap_config config = given(alignment, guard, sizeof memory);
            CHECK_EQ(th_heap_init(&heap, region, 8000, &config), TH_OK);
            void *first = th_heap_alloc(&heap, 48, 1);
            void *second = th_heap_alloc(&heap, 48, 1);
            CHECK(second != NULL && th_heap_alloc(&heap, 48, 1) != NULL);
            CHECK_EQ(th_heap_free(&heap, first), 48);
            CHECK_EQ(th_heap_free(&heap, second), 48 + 4 * (size_t)heap.header_dwords);
            EXPECT_BLOCKS(&heap, {FREE, 24 + heap.header_dwords}, {1, 12},
                          {FREE, heap.dwords - 5 * (uint32_t)heap.header_dwords - 36});
            th_heap_clean_up(&heap);
        }
    }
}

/* Sizes around the one at which the other tree begins, on both sides: the hole is found again. */
static void small_ends_where_large_begins(void) {
    for (size_t units = 56; units <= 260; units = units == 68 ? 250 : units + 1) {
        for (uint32_t tag = 1; tag <= 0x4001; tag += 0x4000) {
            th_heap_config config = given(16, 0, sizeof memory);
            CHECK_EQ(th_heap_init(&heap, region, 40000, &config), TH_OK);
            void *hole = th_heap_alloc(&heap, 16 * units, tag);
            CHECK(hole != NULL && th_heap_alloc(&heap, 16, tag) != NULL);
            CHECK_EQ(th_heap_free(&heap, hole), 16 * units);
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            CHECK(th_heap_alloc(&heap, 16 * units + 1, tag) != hole);
            CHECK(th_heap_alloc(&heap, 16, TH_TAG_FREE) == NULL);
            CHECK(th_heap_alloc(&heap, 16 * units, tag) == hole);
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            th_heap_clean_up(&heap);
        }
    }
}

/* The whole of a block that is a little larger than what is asked for, and large. */
static void what_is_left_may_be_too_little(void) {
    for (uint32_t tag = 0x3FFF; tag <= 0x4000; tag++) { /* the last HEAD tag, the first TAIL tag */
        for (size_t more = 0; more < 24; more++) {
            const size_t least = more < 12 ? 1016 : 244;
            const size_t left = more % 12;
            th_heap_config config = given(4, 0, sizeof memory);
            CHECK_EQ(th_heap_init(&heap, region, 40000, &config), TH_OK);
            void *hole = th_heap_alloc(&heap, least + 4 * left, tag);
            CHECK(hole != NULL && th_heap_alloc(&heap, 16, tag) != NULL);
            CHECK(th_heap_free(&heap, hole) > 0);
            void *made = th_heap_alloc(&heap, least, tag);
            CHECK(made != NULL && (tag != 0x3FFF || made == hole));
            CHECK_EQ(th_heap_usable_size(&heap, made), left < 10 ? least + 4 * left : least);
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            CHECK(th_heap_alloc(&heap, 10, TH_TAG_FREE) == NULL);
            CHECK(th_heap_free(&heap, made) > 0);
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            th_heap_clean_up(&heap);
        }
    }
}

/* Blocks that are large enough and have no such address are passed, one after the other, small ones
 * and large ones, on both sides. */
static void alignment_passes_blocks(void) {
    for (size_t bytes = 400; bytes <= 4400; bytes += 4000) {
        for (uint32_t tag = 1; tag <= 0x4001; tag += 0x4000) {
            void *hole[5];
            th_heap_config config = given(16, 0, sizeof memory);
            CHECK_EQ(th_heap_init(&heap, region, 90000, &config), TH_OK);
            config.index = TH_HEAP_INDEX_NONE;
            CHECK_EQ(th_heap_init(&twin, twin_region, 90000, &config), TH_OK);
            for (unsigned side = 0; side < 2; side++) {
                th_heap *at = side == 0 ? &heap : &twin;
                for (unsigned i = 0; i < 5; i++) {
                    hole[i] = th_heap_alloc(at, bytes, tag);
                    CHECK(hole[i] != NULL && th_heap_alloc(at, 16, tag) != NULL);
                }
                for (unsigned i = 0; i < 5; i++) {
                    CHECK(th_heap_free(at, hole[i]) > 0);
                }
            }
            const void *a = th_heap_alloc_aligned(&heap, bytes - 8, 1024, tag);
            const void *b = th_heap_alloc_aligned(&twin, bytes - 8, 1024, tag);
            CHECK(a != NULL);
            CHECK_EQ(distance(&heap, a), distance(&twin, b));
            expect_same_heaps(&heap, &twin);
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            th_heap_clean_up(&heap);
            th_heap_clean_up(&twin);
        }
    }
}

/* ---- where it may lie --------------------------------------------------------------------- */

static void expect_refused(void *at, size_t bytes, th_status expected) {
    th_heap_config config = given(4, 0, bytes);
    th_heap none;
    config.index_memory = at;
    memset(&none, UNTOUCHED, sizeof none);
    memset(region, UNTOUCHED, sizeof region);
    memset(memory, UNTOUCHED, sizeof memory);
    CHECK_EQ(th_heap_init(&none, region + WALL, 8000, &config), expected);
    for (size_t i = 0; i < sizeof none; i++) {
        CHECK_EQ(((unsigned char *)&none)[i], UNTOUCHED);
    }
    for (size_t i = 0; i < sizeof memory; i++) {
        CHECK_EQ(((unsigned char *)memory)[i], UNTOUCHED);
    }
    for (size_t i = 0; i < 8000 + 2 * WALL; i++) {
        CHECK_EQ(region[i], UNTOUCHED);
    }
}

static size_t least_bytes(void) {
    for (size_t bytes = 8;; bytes += 8) {
        th_heap_config config = given(4, 0, bytes);
        if (th_heap_init(&heap, region + WALL, 8000, &config) == TH_OK) {
            th_heap_clean_up(&heap);
            return bytes;
        }
    }
}

static void memory_is_refused_where_it_cannot_serve(void) {
    size_t least = least_bytes();
    CHECK(least <= th_heap_index_bytes(8000, 4));
    expect_refused(NULL, least, TH_ERR_NULL);
    expect_refused((unsigned char *)memory + 4, least, TH_ERR_MISALIGNED);
    expect_refused((unsigned char *)memory + 1, least, TH_ERR_MISALIGNED);
    expect_refused(memory, least - 1, TH_ERR_TOO_SMALL);
    expect_refused(memory, 0, TH_ERR_TOO_SMALL);
    expect_refused(region + WALL, least, TH_ERR_CONFIG);
    expect_refused(region + WALL + 7992, least, TH_ERR_CONFIG);
    expect_refused(region + 8, least, TH_ERR_CONFIG);
    expect_refused(region, WALL + 1 + least, TH_ERR_CONFIG);
    th_heap_config odd = {.alignment = 4, .index = (th_heap_index)3};
    CHECK_EQ(th_heap_init(&heap, region, 8000, &odd), TH_ERR_CONFIG);
}

/* Exactly: nothing beside it is written, and it may lie next to the region, on both sides. */
static void it_keeps_to_its_memory(void) {
    for (size_t bytes = 128; bytes <= 80000; bytes += bytes / 3 / 64 * 64 + 64) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            size_t size = th_heap_index_bytes(bytes, alignment);
            size_t place[] = {WALL, WALL + 64 + (size + 63) / 64 * 64 - size};
            CHECK_EQ(size % 8, 0);
            CHECK(size <= TH_HEAP_INDEX_BYTES_MAX(bytes, alignment));
            for (unsigned side = 0; side < 2; side++) {
                unsigned char *at = twin_region + (side == 0 ? WALL + bytes : place[1]);
                unsigned char *base = side == 0 ? twin_region + WALL : at + size;
                th_heap_config config = given(alignment, 0, size);
                config.index_memory = at;
                memset(twin_region, UNTOUCHED, sizeof twin_region);
                CHECK_EQ(th_heap_init(&heap, base, bytes, &config), TH_OK);
                CHECK_EQ(th_heap_region_bytes(&heap), stats_of(&heap).region_bytes);
                (void)th_heap_alloc(&heap, 1, 1);
                CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
                unsigned char *low = side == 0 ? base : at;
                unsigned char *high = side == 0 ? at + size : base + bytes;
                CHECK(low[-1] == UNTOUCHED && low[-2] == UNTOUCHED);
                CHECK(high[0] == UNTOUCHED && high[1] == UNTOUCHED);
                th_heap_clean_up(&heap);
            }
        }
    }
    CHECK_EQ(th_heap_index_bytes(8000, 0), th_heap_index_bytes(8000, alignof(max_align_t)));
    CHECK(th_heap_index_bytes(SIZE_MAX, 4) > 0);
}

/* From 4 KiB on in the region itself; the heap is that much smaller, and writes nowhere else. */
static void by_default_it_lies_in_the_region(void) {
    for (size_t bytes = 4000; bytes <= 65536; bytes += 97) {
        const th_heap_config config = {.alignment = 4};
        memset(region, UNTOUCHED, sizeof region);
        CHECK_EQ(th_heap_init(&heap, region + 4, bytes, &config), TH_OK);
        th_heap_stats s = stats_of(&heap);
        CHECK_EQ(th_heap_region_bytes(&heap) == s.region_bytes, bytes < 4096);
        CHECK(th_heap_region_bytes(&heap) <= bytes);
        CHECK(bytes - s.region_bytes <= TH_HEAP_INDEX_BYTES_MAX(bytes, 4) + 16);
        CHECK(th_heap_alloc(&heap, s.largest_free_bytes, 1) != NULL);
        CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
        for (size_t i = 0; i < 64; i++) {
            CHECK_EQ(region[4 + bytes + i], UNTOUCHED);
        }
        th_heap_clean_up(&heap);
    }
}

/* ---- taken, given, copied ----------------------------------------------------------------- */

static void start_with_holes(size_t alignment, int guard) {
    th_heap_config config = given(alignment, guard, sizeof memory);
    CHECK_EQ(th_heap_init(&heap, region, 8000, &config), TH_OK);
    void *hole[3] = {NULL};
    for (unsigned i = 0; i < 3; i++) {
        hole[i] = th_heap_alloc(&heap, i == 1 ? 2000 : 40, 1);
        CHECK(hole[i] != NULL && th_heap_alloc(&heap, 40, 2) != NULL);
    }
    for (unsigned i = 0; i < 3; i++) {
        CHECK(th_heap_free(&heap, hole[i]) > 0);
    }
    faults = 0;
}

static void it_can_be_given_and_taken_away(void) {
    start_with_holes(8, th_guard_max());
    th_heap_config config = heap.config;
    static const th_heap zeroed;
    th_heap none = zeroed;
    CHECK_EQ(th_heap_set_index(NULL, memory, sizeof memory), TH_ERR_NULL);
    CHECK_EQ(th_heap_set_index(&none, memory, sizeof memory), TH_ERR_NULL);
    const th_heap before = heap;
    CHECK_EQ(th_heap_set_index(&heap, (char *)memory + 4, 4000), TH_ERR_MISALIGNED);
    CHECK_EQ(th_heap_set_index(&heap, memory, 8), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_heap_set_index(&heap, region, 4000), TH_ERR_CONFIG);
    CHECK_EQ(memcmp(&heap, &before, offsetof(th_heap, config)), 0);
    CHECK(heap.config.index == before.config.index &&
          heap.config.index_memory == before.config.index_memory &&
          heap.config.index_bytes == before.config.index_bytes);
    CHECK_EQ(th_heap_set_index(&heap, NULL, 0), TH_OK);
    CHECK_EQ(heap.config.index, TH_HEAP_INDEX_NONE);
    memset(memory, UNTOUCHED, sizeof memory);
    size_t largest = th_heap_largest_free_bytes(&heap);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK(th_heap_alloc(&heap, 30, 3) != NULL);
    CHECK_EQ(((unsigned char *)memory)[0], UNTOUCHED);
    CHECK_EQ(th_heap_set_index(&heap, config.index_memory, config.index_bytes), TH_OK);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK_EQ(th_heap_largest_free_bytes(&heap), largest);
    CHECK_EQ(faults, 0);
    if (heap.guard == 3) {
        heap.head_blocks++;
        CHECK_EQ(th_heap_set_index(&heap, memory, sizeof memory), TH_ERR_CORRUPT);
        CHECK_EQ(faults, 1);
        heap.head_blocks--;
        unsigned char *canary = (unsigned char *)th_heap_alloc(&heap, 29, 1) + 29;
        flip(canary, 1);
        CHECK_EQ(th_heap_set_index(&heap, memory, sizeof memory), TH_ERR_CORRUPT);
        CHECK_EQ(faults, 2);
        CHECK_EQ(last.kind, TH_FAULT_CANARY);
        flip(canary, 1);
    }
    th_heap_clean_up(&heap);
}

static bool set_inside(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)to;
    (void)bytes;
    CHECK_EQ(th_heap_set_index(&heap, NULL, 0), TH_ERR_BUSY);
    CHECK(th_heap_alloc(&heap, 8, 1) == NULL && th_heap_free(&heap, from) == 0);
    return false;
}

static void it_is_not_changed_from_a_callback(void) {
    start_with_holes(16, 0);
    CHECK(th_heap_compact(&heap, set_inside, NULL).blocks_vetoed > 0);
    CHECK_EQ(last.kind, TH_FAULT_REENTRY);
    CHECK(heap.config.index == TH_HEAP_INDEX_GIVEN);
    th_heap_clean_up(&heap);
}

/* A copy of a heap whose index is elsewhere has none, one whose index lies inside has its own. */
static void copies_share_none(void) {
    start_with_holes(4, th_guard_max());
    CHECK_EQ(th_heap_copy(&heap, &twin, twin_region), TH_OK);
    CHECK_EQ(twin.config.index, TH_HEAP_INDEX_NONE);
    CHECK(twin.index.small[0] == NULL);
    expect_same_heaps(&heap, &twin);
    th_heap_clean_up(&twin);
    th_heap_clean_up(&heap);
    for (size_t skew = 0; skew < 16; skew += 4) {
        const th_heap_config config = {.alignment = 4, .guarding.level = th_guard_max()};
        CHECK_EQ(th_heap_init(&heap, region + 4, 8001, &config), TH_OK);
        void *hole = th_heap_alloc(&heap, 2000, 1);
        CHECK(th_heap_alloc(&heap, 10, 1) != NULL && th_heap_free(&heap, hole) > 0);
        size_t bytes = th_heap_region_bytes(&heap);
        memset(twin_region, UNTOUCHED, sizeof twin_region);
        CHECK_EQ(th_heap_copy(&heap, &twin, twin_region + skew), TH_OK);
        CHECK_EQ(twin_region[skew + bytes], UNTOUCHED);
        expect_same_heaps(&heap, &twin);
        CHECK(th_heap_alloc(&heap, 100, 1) != NULL && th_heap_alloc(&twin, 50, 1) != NULL);
        CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
        CHECK_EQ(th_heap_check(&twin, NULL), TH_OK);
        th_heap_clean_up(&heap);
        th_heap_clean_up(&twin);
    }
}

/* What an image says of its index is not trusted: not where it lies, nor what it holds. */
static void an_attached_heap_has_a_new_one(void) {
    const th_heap_config config = {.alignment = 8, .guarding.level = th_guard_max()};
    CHECK_EQ(th_heap_init(&heap, region, 8000, &config), TH_OK);
    void *hole = th_heap_alloc(&heap, 100, 1);
    CHECK(th_heap_alloc(&heap, 10, 1) != NULL && th_heap_free(&heap, hole) > 0);
    th_heap_detach(&heap);
    memcpy(twin_region + 8, region, 8000);
    memset(twin_region + 8 + stats_of(&heap).region_bytes, UNTOUCHED,
           8000 - stats_of(&heap).region_bytes);
    twin = heap;
    CHECK_EQ(th_heap_attach(&twin, twin_region + 8), TH_OK);
    CHECK_EQ(th_heap_check(&twin, NULL), TH_OK);
    CHECK(th_heap_alloc(&twin, 100, 1) == twin_region + 8 + 24);
    th_heap_clean_up(&twin);

    start_with_holes(8, 0);
    th_heap_detach(&heap);
    twin = heap;
    twin.config.index_memory = NULL;
    CHECK_EQ(th_heap_attach(&twin, region), TH_ERR_NULL);
    twin.config.index_memory = memory;
    twin.config.index_bytes = 8;
    CHECK_EQ(th_heap_attach(&twin, region), TH_ERR_TOO_SMALL);
    twin.config.index_bytes = sizeof memory;
    memset(memory, UNTOUCHED, sizeof memory);
    CHECK_EQ(th_heap_attach(&twin, region), TH_OK);
    CHECK_EQ(th_heap_check(&twin, NULL), TH_OK);
    th_heap_clean_up(&twin);
}

/* ---- damage ------------------------------------------------------------------------------- */

static void expect_index_fault(void *made) {
    CHECK(made == NULL);
    CHECK_EQ(faults, 1);
    CHECK_EQ(last.kind, TH_FAULT_INDEX);
    CHECK_EQ(last.offset, TH_FAULT_NOWHERE);
    faults = 0;
}

static void expect_checked(th_status expected) {
    th_fault fault;
    CHECK_EQ(th_heap_check(&heap, &fault), expected);
    CHECK_EQ(fault.kind, expected == TH_OK ? TH_FAULT_NONE : TH_FAULT_INDEX);
}

static void damage_is_noticed_by_those_who_meet_it(void) {
    for (int guard = 0; guard <= th_guard_max() && guard < 3; guard++) {
        start_with_holes(16, guard);
        uint8_t *leaf = heap.index.small[0];
        uint8_t was = leaf[2];
        CHECK_EQ(was, 62 << 2 | 2); /* 2,000 bytes are large, and begin at unit 10 */
        leaf[2] = 0;
        expect_checked(TH_ERR_CORRUPT);
        expect_index_fault(th_heap_alloc(&heap, 600, 1));
        expect_index_fault(th_heap_alloc(&heap, 600, 0x4001));
        leaf[2] = was;
        CHECK_EQ(leaf[0], 3 << 2); /* 40 bytes at unit 0 */
        leaf[0] = 50 << 2;
        expect_checked(TH_ERR_CORRUPT);

        /* A leaf that promises more than the block there has: without guards it is trusted. */
        if (guard == 0) {
            th_heap_clean_up(&heap);
            continue;
        }
        expect_index_fault(th_heap_alloc(&heap, 600, 1));
        /* A free block where none is: a live block. */
        CHECK_EQ(th_heap_requested_size(&heap, heap.base + 5 * 16 + 32), 40);
        leaf[0] = 0;
        leaf[1] = 3 << 2 | 1;
        expect_checked(TH_ERR_CORRUPT);
        expect_index_fault(th_heap_alloc(&heap, 20, 1));
        th_heap_clean_up(&heap);
    }
}

static void expect_noticed(bool refused, th_fault_kind kind) {
    CHECK(refused);
    CHECK_EQ(faults, 1);
    CHECK_EQ(last.kind, kind);
    faults = 0;
}

static TH_TRACK_BLIND void flip_word(th_word *at, th_word mask) {
    th_track_blind_begin();
    *at ^= mask;
    th_track_blind_end();
}

/* Damage that an operation has not met is still there after it. */
static void expect_still_damaged(th_fault_kind kind) {
    th_fault fault;
    CHECK_EQ(th_heap_check(&heap, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, kind);
    CHECK_EQ(faults, 0);
}

/* The fast path does not look, at level 1, at neighbours that stay as they are. Where the link back
 * is renewed, what was wrong with it is wrong with the check word afterwards. */
static void expect_kept_damage(unsigned char *const *block, size_t header) {
    for (unsigned i = 0; i < 3; i += 2) {
        flip(block[i] - header, 2);
        CHECK_EQ(th_heap_free(&heap, block[1]), 48);
        expect_still_damaged(TH_FAULT_HEADER);
        CHECK(th_heap_alloc(&heap, 48, 1) == block[1]);
        expect_still_damaged(TH_FAULT_HEADER);
        flip(block[i] - header, 2);
        CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    }
    CHECK_EQ(th_heap_free(&heap, block[3]), 48);
    for (size_t byte = 0; byte < 24; byte += 4) {
        bool link = byte == 0; /* back, which is renewed */
        flip(block[4] - header + byte, 2);
        CHECK_EQ(th_heap_free(&heap, block[2]), 48 + header);
        expect_still_damaged(TH_FAULT_HEADER);
        CHECK(th_heap_alloc(&heap, 48, 1) == block[2]);
        expect_still_damaged(TH_FAULT_HEADER);
        flip(block[4] - header + (link ? 20 : byte), 2);
        CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    }
    CHECK(th_heap_alloc(&heap, 48, 1) == block[3]);
}

/* Each bit of a live block's header is verified when that is freed; of a free one's, block[3], when
 * it is reused or merged. */
static void expect_each_bit(unsigned char *const *block, size_t header) {
    for (size_t bit = 0; bit < 8 * header; bit++) {
        unsigned char mask = (unsigned char)(1u << bit % 8);
        flip(block[1] - header + bit / 8, mask);
        expect_noticed(th_heap_free(&heap, block[1]) == 0, TH_FAULT_HEADER);
        flip(block[1] - header + bit / 8, mask);
        flip(block[3] - header + bit / 8, mask);
        if (th_guard(&heap) > 1 ||
            bit / 32 != 2) { /* at level 1 one whose tag is not FREE is none */
            expect_noticed(th_heap_free(&heap, block[2]) == 0, TH_FAULT_HEADER);
            expect_noticed(th_heap_free(&heap, block[4]) == 0, TH_FAULT_HEADER);
        }
        expect_noticed(th_heap_alloc(&heap, 48, 1) == NULL, TH_FAULT_HEADER);
        flip(block[3] - header + bit / 8, mask);
    }
}

/* With guards, a heap with an index and without a lock looks as closely as it is to. */
static void expect_guards(th_heap_layout layout, size_t alignment, int guard) {
    th_heap_config config = given(alignment, guard, sizeof memory);
    config.layout = layout;
    CHECK_EQ(th_heap_init(&heap, region, 8000, &config), TH_OK);
    size_t header = 4 * (size_t)heap.header_dwords;
    unsigned char *block[5];
    for (unsigned i = 0; i < 5; i++) {
        block[i] = th_heap_alloc(&heap, 48, 1);
        CHECK(block[i] != NULL);
    }
    void *odd = th_heap_alloc(&heap, 45, tail_tag());
    faults = 0;
    flip((unsigned char *)odd + 45, 4);
    expect_noticed(th_heap_free(&heap, odd) == 0, TH_FAULT_CANARY);
    flip((unsigned char *)odd + 45, 4);
    expect_noticed(th_heap_free(&heap, block[1] + alignment) == 0, TH_FAULT_NOT_A_BLOCK);
    expect_noticed(th_heap_free(&heap, block[1] + 1) == 0, TH_FAULT_MISALIGNED);
    expect_noticed(th_heap_free(&heap, region + 8000) == 0, TH_FAULT_FOREIGN);
    if (guard == 1 && heap.fast != TH_FAST_NONE) {
        expect_kept_damage(block, header);
    }
    for (unsigned i = guard > 1 ? 0 : 1; i < (guard > 1 ? 3 : 2); i++) { /* below, its own, above */
        flip(block[i] - header, 2);
        expect_noticed(th_heap_free(&heap, block[1]) == 0, TH_FAULT_HEADER);
        flip(block[i] - header, 2);
    }
    CHECK_EQ(th_heap_free(&heap, block[3]), 48);
    expect_noticed(th_heap_free(&heap, block[3]) == 0, TH_FAULT_DOUBLE_FREE);
    if (guard > 1) {
        flip(block[4] - header, 2); /* above the free block: met where that is merged, and reused */
        expect_noticed(th_heap_free(&heap, block[2]) == 0, TH_FAULT_HEADER);
        expect_noticed(th_heap_alloc(&heap, 48, 1) == NULL, TH_FAULT_HEADER);
        flip(block[4] - header, 2);
    }
    flip(block[3] - header, 2); /* what is merged, or reused, is always met */
    expect_noticed(th_heap_free(&heap, block[2]) == 0, TH_FAULT_HEADER);
    expect_noticed(th_heap_free(&heap, block[4]) == 0, TH_FAULT_HEADER);
    expect_noticed(th_heap_alloc(&heap, 48, 1) == NULL, TH_FAULT_HEADER);
    flip(block[3] - header, 2);
    expect_each_bit(block, header);
    /* The size, which becomes too small: the index has led to it. */
    const th_word twelve = layout == TH_HEAP_LAYOUT_WIDE ? 8u : 8u << 15;
    th_word *size =
        (th_word *)(void *)(block[3] - header) + (layout == TH_HEAP_LAYOUT_WIDE ? 1 : 2);
    flip_word(size, twelve);
    expect_noticed(th_heap_alloc(&heap, 48, 1) == NULL, TH_FAULT_HEADER);
    flip_word(size, twelve);
    if (guard == 2) {
        flip(block[3] + 20, 1);
        expect_noticed(th_heap_alloc(&heap, 48, 1) == NULL, TH_FAULT_POISON);
        flip(block[3] + 20, 1);
        flip(block[2] - header, 2);
        expect_noticed(th_heap_alloc(&heap, 48, 1) == NULL, TH_FAULT_HEADER);
        flip(block[2] - header, 2);
    }
    CHECK(th_heap_alloc(&heap, 48, 1) == block[3]);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
}

/* A header that agrees with its check word, and says what is not so. */
static th_header forge(const unsigned char *payload, uint32_t prev, uint32_t next, uint32_t size) {
    th_header was, forged;
    uint32_t offset = (uint32_t)((size_t)(payload - heap.base) / 4) - heap.header_dwords;
    th_header_load(&heap, offset, &was);
    forged = was;
    forged.prev += prev;
    forged.next += next;
    forged.size += size;
    th_header_store(&heap, &forged);
    return was;
}

static void expect_refused_free(unsigned char *payload, th_header was) {
    CHECK_EQ(th_heap_free(&heap, payload), 0);
    CHECK(faults == 1 && (last.kind == TH_FAULT_CHAIN || last.kind == TH_FAULT_HEADER));
    faults = 0;
    th_header_store(&heap, &was);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
}

static void forged_links_are_noticed(void) {
    for (int guard = 1; guard <= 2 && guard <= th_guard_max(); guard++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            th_heap_config config = given(alignment, guard, sizeof memory);
            CHECK_EQ(th_heap_init(&heap, region, 8000, &config), TH_OK);
            unsigned char *block[4];
            for (unsigned i = 0; i < 4; i++) {
                block[i] = th_heap_alloc(&heap, 48, 1);
                memset(block[i], 0x5A, 48); /* which a forged link leads to */
            }
            uint32_t unit = heap.unit_dwords;
            faults = 0;
            if (guard > 1) {
                expect_refused_free(block[1], forge(block[1], 0, unit, 0));
                expect_refused_free(block[1], forge(block[2], unit, 0, 0));
                expect_refused_free(block[1], forge(block[0], 0, unit, 0));
                expect_refused_free(block[1], forge(block[0], 0, 0, unit));
            }
            CHECK(th_heap_free(&heap, block[0]) > 0 && th_heap_free(&heap, block[2]) > 0);
            expect_refused_free(block[1], forge(block[1], 0, unit, 0)); /* both are merged */
            expect_refused_free(block[1], forge(block[2], unit, 0, 0));
            expect_refused_free(block[1], forge(block[0], 0, unit, 0));
            expect_refused_free(block[1], forge(block[0], 0, 0, unit));
            CHECK(th_heap_alloc(&heap, 48, 1) == block[0]);
            CHECK(th_heap_alloc(&heap, 48, 1) == block[2]);
            CHECK_EQ(th_heap_free(&heap, block[0]), 48);
            CHECK_EQ(th_heap_free(&heap, block[1]), 48 + 4 * (size_t)heap.header_dwords);
            CHECK(th_heap_alloc(&heap, 48, 1) == block[0]);
            CHECK(th_heap_alloc(&heap, 48, 1) == block[1]);
            const unsigned char *middle =
                heap.base + 4 * (size_t)(heap.middle + heap.header_dwords);
            th_header was = forge(middle, 0, 0u - unit, 0u - unit);
            CHECK(th_heap_alloc(&heap, 48, 1) == NULL);
            CHECK_EQ(faults, 1);
            th_header_store(&heap, &was);
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            th_heap_clean_up(&heap);
        }
    }
}

static void guards_are_as_strict_as_ever(void) {
    for (int guard = 1; guard <= 2 && guard <= th_guard_max(); guard++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            expect_guards(TH_HEAP_LAYOUT_CLASSIC, alignment, guard);
            expect_guards(TH_HEAP_LAYOUT_WIDE, alignment, guard);
        }
    }
}

/* Trees of two levels and more, in which a node promises what no child holds. */
static void a_broken_promise_is_noticed(void) {
    th_heap_config config = given(4, 0, sizeof memory);
    CHECK_EQ(th_heap_init(&heap, region, REGION_BYTES, &config), TH_OK);
    CHECK(heap.index.small_top > 1 && heap.index.large_leaf > 8);
    void *low = th_heap_alloc(&heap, 40, 1);
    CHECK(low != NULL && th_heap_alloc(&heap, 40, 1) != NULL);
    CHECK(th_heap_alloc(&heap, 40, 0x4001) != NULL);
    void *high = th_heap_alloc(&heap, 40, 0x4001);
    CHECK(high != NULL && th_heap_alloc(&heap, 40, 0x4001) != NULL);
    CHECK(th_heap_free(&heap, low) > 0 && th_heap_free(&heap, high) > 0);
    faults = 0;
    uint8_t *root = heap.index.small[heap.index.small_top];
    CHECK_EQ(root[1], 0);
    root[1] = 200;
    expect_checked(TH_ERR_CORRUPT);
    expect_index_fault(th_heap_alloc(&heap, 160, 1));
    expect_index_fault(th_heap_alloc(&heap, 160, 0x4001));
    root[1] = 0;
    heap.index.large[1] = 5000;
    expect_checked(TH_ERR_CORRUPT);
    expect_index_fault(th_heap_alloc(&heap, 16000, 1));
    heap.index.large[1] = 0;
    heap.index.large[0] = 5000;
    expect_index_fault(th_heap_alloc(&heap, 16000, 0x4001));
    heap.index.large[0] = 0;
    expect_checked(TH_OK);
    /* The block that a leaf of the large tree names is not there; it is no free block of that size.
     */
    for (uint32_t node = heap.index.large_leaf;; node = node / 8 - 1) {
        heap.index.large[node] = 6000;
        if (node == 0) {
            break;
        }
    }
    expect_index_fault(th_heap_alloc(&heap, 20000, 1));
    CHECK_EQ(heap.index.small[0][0], 10 << 2);
    heap.index.small[0][0] = 62 << 2;
    expect_index_fault(th_heap_alloc(&heap, 20000, 1));
    th_heap_clean_up(&heap);
}

/* At level 3 every placement is compared with the walk: also where what the index leads to would
 * do.
 */
static void level_3_compares_with_the_walk(void) {
    if (th_guard_max() < 3) {
        return;
    }
    start_with_holes(16, 3);
    uint8_t lowest = heap.index.small[0][0];
    CHECK(lowest != 0);
    heap.index.small[0][0] = 0;
    CHECK(th_heap_alloc(&heap, 20, 1) == NULL);
    CHECK(faults >= 1 && last.kind == TH_FAULT_INDEX);
    heap.index.small[0][0] = lowest;
    expect_checked(TH_OK);
    CHECK(th_heap_alloc(&heap, 20, 1) != NULL);
    th_heap_clean_up(&heap);
}

TH_SUITE("heap_index", TEST(first_is_merged_with), TEST(small_ends_where_large_begins),
         TEST(what_is_left_may_be_too_little), TEST(alignment_passes_blocks),
         TEST(memory_is_refused_where_it_cannot_serve), TEST(it_keeps_to_its_memory),
         TEST(by_default_it_lies_in_the_region), TEST(it_can_be_given_and_taken_away),
         TEST(it_is_not_changed_from_a_callback), TEST(copies_share_none),
         TEST(an_attached_heap_has_a_new_one), TEST(damage_is_noticed_by_those_who_meet_it),
         TEST(guards_are_as_strict_as_ever), TEST(forged_links_are_noticed),
         TEST(a_broken_promise_is_noticed), TEST(level_3_compares_with_the_walk))
