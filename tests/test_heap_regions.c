/* SPDX-License-Identifier: MIT */
/* Large regions: the layout that they get without asking, how far it reaches, and places that have
 * numbers beyond 32 bits. */
#define _DEFAULT_SOURCE
#include <sys/mman.h>

#include "base/track.h"
#include "heap_fixture.h"

static unsigned char *map(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static unsigned faults;
static th_fault last_fault;

static void note_fault(void *context, const th_fault *fault) {
    (void)context;
    faults++;
    last_fault = *fault;
}

/* Nobody has to ask for a layout: pages that are not touched cost nothing. */
static void a_large_region_just_works(void) {
    const size_t bytes = (size_t)64 << 20;
    unsigned char *region = map(bytes);
    th_heap heap;
    const th_heap_config config = {.alignment = 16,
                                   .guarding.level = th_guard_max(),
                                   .index = TH_HEAP_INDEX_NONE,
                                   .guarding.on_fault = note_fault};
    faults = 0;
    CHECK_EQ(th_heap_init(&heap, region, bytes, &config), TH_OK);
    CHECK_EQ(heap.layout, TH_HEAP_LAYOUT_WIDE);
    CHECK_EQ(th_heap_region_bytes(&heap), bytes);
    unsigned char *head = th_heap_alloc(&heap, 40000000, 1);
    unsigned char *tail = th_heap_alloc(&heap, 5000000, 0x4001);
    CHECK_PTR_EQ(head, region + 32);
    CHECK_PTR_EQ(tail, region + bytes - 32 - 5000000);
    CHECK(th_heap_alloc(&heap, 4, 0x7FFF) == NULL);
    CHECK(th_heap_alloc(&heap, 4, 0x10000) == NULL);
    CHECK(th_heap_alloc(&heap, 30000000, 1) == NULL);
    fill(head + 39999000, 1000, 1);
    CHECK_PTR_EQ(th_heap_realloc(&heap, head, 50000000), head);
    CHECK(filled(head + 39999000, 1000, 1));
    CHECK_EQ(th_heap_requested_size(&heap, head), 50000000);
    CHECK_EQ(th_heap_largest_free_bytes(&heap),
             bytes - 4 * 32 - (size_t)50000000 - (size_t)5000000);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK(th_heap_realloc(&heap, head, 1000) == head);
    CHECK_EQ(th_heap_trim(&heap, head), (size_t)50000000 - 1008);
    validate_heap(&heap, 16);
    CHECK_EQ(th_heap_free_tags(&heap, 0, 0x7FFE), 2);
    validate_heap(&heap, 16);
    CHECK_EQ(faults, 0);
    th_heap_clean_up(&heap);
    CHECK_EQ(munmap(region, bytes), 0);
}

/* The tools would write their shadow of it. */
#if SIZE_MAX > UINT32_MAX && !TH_TRACK_ANY

#define GIB ((size_t)1 << 30)

static void all_of_16_gib_but_the_last_16_bytes(void) {
    unsigned char *region = map(16 * GIB);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        for (size_t less = 0; less <= 32; less += 4) {
            th_heap heap;
            const th_heap_config config = {.alignment = alignment, .index = TH_HEAP_INDEX_NONE};
            size_t bytes = 16 * GIB - less;
            size_t managed = less < 16 ? 16 * GIB - 16 : bytes / alignment * alignment;
            CHECK_EQ(th_heap_init(&heap, region, bytes, &config), TH_OK);
            size_t headers = (alignment == 4 ? 2 * 7 : 2 * 8) * 4;
            CHECK_EQ(th_heap_region_bytes(&heap), managed);
            CHECK_EQ(th_heap_largest_free_bytes(&heap), managed - headers);
            unsigned char *all = th_heap_alloc(&heap, managed - headers, 1);
            CHECK_PTR_EQ(all, region + headers / 2);
            CHECK_EQ(th_heap_requested_size(&heap, all), managed - headers);
            CHECK_EQ(stats_of(&heap).used_bytes, managed - headers / 2);
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            CHECK_EQ(th_heap_free(&heap, all), managed - headers);
            CHECK(th_heap_alloc(&heap, managed - headers + 1, 1) == NULL);
            CHECK(th_heap_alloc(&heap, 16 * GIB, 1) == NULL);
            CHECK(th_heap_alloc(&heap, 16 * GIB + 64, 1) == NULL);
            th_heap_clean_up(&heap);
        }
    }
    CHECK_EQ(munmap(region, 16 * GIB), 0);
}

/* Offsets in bytes have more than 32 bits, and so have requested sizes. */
static void faults_above_4_gib_say_where(void) {
    if (th_guard_max() < 1) {
        return;
    }
    unsigned char *region = map(16 * GIB);
    th_heap heap;
    const th_heap_config config = {.alignment = 8,
                                   .guarding.level = 1,
                                   .index = TH_HEAP_INDEX_NONE,
                                   .guarding.on_fault = note_fault};
    CHECK_EQ(th_heap_init(&heap, region, 16 * GIB, &config), TH_OK);
    const size_t bytes = 9 * GIB + 3;
    unsigned char *block = th_heap_alloc(&heap, bytes, 7);
    CHECK_PTR_EQ(block, region + 32);
    CHECK_EQ(th_heap_requested_size(&heap, block), bytes);
    faults = 0;
    unsigned char right = block[bytes];
    block[bytes] ^= 0x41;
    CHECK_EQ(th_heap_free(&heap, block), 0);
    CHECK_EQ(faults, 1);
    CHECK_EQ(last_fault.kind, TH_FAULT_CANARY);
    CHECK_EQ(last_fault.block, 0);
    CHECK_EQ(last_fault.offset, 32 + bytes);
    CHECK_EQ(last_fault.expected, right);
    block[bytes] = right;
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    unsigned char *above = th_heap_alloc(&heap, 8, 8);
    CHECK_EQ(th_heap_free(&heap, above + 8), 0);
    CHECK_EQ(last_fault.kind, TH_FAULT_DOUBLE_FREE);
    CHECK_EQ(last_fault.offset, (size_t)(above + 8 - region));
    CHECK_EQ(last_fault.block, (size_t)(above + 8 - region) / 4);
    CHECK_EQ(th_heap_free(&heap, above + 2), 0);
    CHECK_EQ(last_fault.kind, TH_FAULT_MISALIGNED);
    CHECK_EQ(last_fault.offset, (size_t)(above + 2 - region));
    CHECK_PTR_EQ(th_heap_realloc(&heap, block, bytes + 1), block);
    CHECK_EQ(th_heap_requested_size(&heap, block), bytes + 1);
    CHECK_EQ(th_heap_requested_size(&heap, above), 8);
    CHECK_EQ(faults, 3);
    th_heap_clean_up(&heap);
    CHECK_EQ(munmap(region, 16 * GIB), 0);
}

/* Below a block at the last multiple of 2 GiB, a hole that is too small to be a gap: the next such
 * place has a number beyond 32 bits, and is none. */
static void places_do_not_wrap_around(void) {
    unsigned char *region = map(16 * GIB);
    unsigned char *end = region + 16 * GIB;
    unsigned char *top = end - (uintptr_t)end % (2 * GIB);
    th_heap heap;
    const th_heap_config config = {.alignment = 4, .index = TH_HEAP_INDEX_NONE};
    CHECK_EQ(th_heap_init(&heap, region, 16 * GIB, &config), TH_OK);
    if (end - top < 64) {
        top -= 2 * GIB;
    }
    /* Three headers, and a dword for the hole. */
    size_t most = (size_t)(top - region) - (size_t)(3 * 7 + 1) * 4;
    CHECK_PTR_EQ(th_heap_alloc(&heap, most, 1), region + 28);
    void *hole = th_heap_alloc(&heap, 4, 2);
    CHECK_PTR_EQ(th_heap_alloc_aligned(&heap, 4, 2 * GIB, 3), top);
    CHECK_EQ(th_heap_free(&heap, hole), 4);
    CHECK_EQ(th_heap_compact(&heap, NULL, NULL).blocks_moved, 0);
    CHECK(th_heap_alloc_aligned(&heap, 4, 2 * GIB, 4) == NULL);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
    CHECK_EQ(munmap(region, 16 * GIB), 0);
}

#define FAR_TESTS                                                                                  \
    , TEST(all_of_16_gib_but_the_last_16_bytes), TEST(faults_above_4_gib_say_where),               \
        TEST(places_do_not_wrap_around)
#else
#define FAR_TESTS
#endif

TH_SUITE("heap_regions", TEST(a_large_region_just_works) FAR_TESTS)
