/* SPDX-License-Identifier: MIT */
/* The fast path: whatever way an allocation or a free goes, layouts, alignments and guard levels
 * having their own, it decides what the plain walk decides. The same random calls on a heap with an
 * index and on one without come to the same blocks. */
#include <string.h>

#include "base/track.h"
#include "heap/index.h"
#include "heap_fixture.h"

#define REGION_BYTES ((size_t)131083 * 4)

enum { PAYLOADS_MAX = 4096 };

static alignas(1024) unsigned char region[REGION_BYTES];
static alignas(1024) unsigned char twin_region[REGION_BYTES];
static uint64_t memory[TH_HEAP_INDEX_BYTES_MAX(REGION_BYTES, 4) / 8 + 2];
static th_heap heap, twin;
static unsigned faults;
static th_fault last;

static void note(void *context, const th_fault *fault) {
    (void)context;
    faults++;
    last = *fault;
}

static uint64_t seed;

static uint32_t draw(uint32_t below) {
    return (uint32_t)(th_test_random(&seed) % below);
}

/* One way of drawing calls. */
typedef struct mix {
    size_t bytes;       /* of the region */
    uint32_t payloads;  /* at most so many are live */
    uint32_t large;     /* the largest size, now and then */
    unsigned steps;     /* so many calls */
    unsigned all_steps; /* after so many all blocks are compared, and checked */
    bool plain;         /* only allocations and frees */
} mix;

static size_t draw_size(const mix *m) {
    return 1 + (draw(24) == 0   ? draw(m->large)
                : draw(16) == 0 ? draw(4000)
                                : draw(m->plain ? 700 : 150));
}

static ptrdiff_t distance(const th_heap *of, const void *payload) {
    return payload == NULL ? -1 : (const unsigned char *)payload - of->base;
}

typedef struct pair {
    void *a, *b;
} pair;

static pair payloads[PAYLOADS_MAX];

static void *allocate(th_heap *from, size_t bytes, size_t alignment, uint32_t tag) {
    return alignment == 4 ? th_heap_alloc(from, bytes, tag)
                          : th_heap_alloc_aligned(from, bytes, alignment, tag);
}

static void step(const mix *m) {
    pair *p = &payloads[draw(m->payloads)];
    uint32_t tag = draw(8) + (draw(3) == 0 ? heap.tag_free / 2 + 1 : 0);
    size_t bytes = draw_size(m);
    size_t alignment = !m->plain && draw(12) == 0 ? (size_t)8 << draw(7) : 4;
    if (p->a == NULL) {
        p->a = allocate(&heap, bytes, alignment, tag);
        p->b = allocate(&twin, bytes, alignment, tag);
    } else if (!m->plain && draw(6) == 0) {
        void *a = th_heap_realloc(&heap, p->a, bytes);
        void *b = th_heap_realloc(&twin, p->b, bytes);
        *p = a != NULL ? (pair){a, b} : *p;
        CHECK_EQ(a == NULL, b == NULL);
    } else if (!m->plain && draw(8) == 0) {
        CHECK_EQ(th_heap_trim(&heap, p->a), th_heap_trim(&twin, p->b));
    } else {
        CHECK_EQ(th_heap_free(&heap, p->a), th_heap_free(&twin, p->b));
        *p = (pair){NULL, NULL};
    }
    CHECK_EQ(distance(&heap, p->a), distance(&twin, p->b));
    if (p->a != NULL) {
        CHECK_EQ(th_heap_requested_size(&heap, p->a), th_heap_requested_size(&twin, p->b));
    }
}

static th_heap_config config_of(th_heap_layout layout, size_t alignment, int guard) {
    return (th_heap_config){.alignment = alignment,
                            .guarding.level = guard,
                            .guarding.on_fault = note,
                            .layout = layout,
                            .index = TH_HEAP_INDEX_GIVEN,
                            .index_memory = memory,
                            .index_bytes = sizeof memory};
}

static void decide_alike(th_heap_layout layout, size_t alignment, int guard, const mix *m) {
    th_heap_config config = config_of(layout, alignment, guard);
    CHECK_EQ(th_heap_init(&heap, region, m->bytes, &config), TH_OK);
    config.index = TH_HEAP_INDEX_NONE;
    CHECK_EQ(th_heap_init(&twin, twin_region, m->bytes, &config), TH_OK);
    memset(payloads, 0, sizeof payloads);
    faults = 0;
    uint32_t tails = 0; /* the most there were */
    for (unsigned i = 1; i <= m->steps; i++) {
        step(m);
        tails = heap.tail_blocks > tails ? heap.tail_blocks : tails;
        if (i % m->all_steps == 0) {
            CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
            expect_same_heaps(&heap, &twin);
        }
    }
    CHECK_EQ(faults, 0);
    CHECK(tails > (m->plain ? 2u : 10u));
    th_heap_clean_up(&heap);
    th_heap_clean_up(&twin);
}

static void it_decides_as_the_walk_does(void) {
    static const mix full = {REGION_BYTES,         PAYLOADS_MAX,        30000,
                             TH_TEST_TIMES(12000), TH_TEST_TIMES(1500), false};
    static const mix wide = {60000, PAYLOADS_MAX, 30000, TH_TEST_TIMES(6000), TH_TEST_TIMES(750),
                             false};
    static const mix lean = {60000, PAYLOADS_MAX, 9000, TH_TEST_TIMES(6000), TH_TEST_TIMES(750),
                             false};
    static const mix guarded = {40000, PAYLOADS_MAX, 9000, TH_TEST_TIMES(4000), TH_TEST_TIMES(500),
                                false};
    static const mix guarded_wide = {
        40000, PAYLOADS_MAX, 3000, TH_TEST_TIMES(4000), TH_TEST_TIMES(500), false};
    seed = th_test_seed(7);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        decide_alike(TH_HEAP_LAYOUT_CLASSIC, alignment, 0, &full);
        decide_alike(TH_HEAP_LAYOUT_WIDE, alignment, 0, &wide);
        decide_alike(TH_HEAP_LAYOUT_LEAN, alignment, 0, &lean);
        for (int guard = 1; guard <= 2; guard++) {
            decide_alike(TH_HEAP_LAYOUT_CLASSIC, alignment, guard, &guarded);
            decide_alike(TH_HEAP_LAYOUT_WIDE, alignment, guard, &guarded_wide);
        }
    }
}

/* Few blocks, and all of them compared after each call. */
static void it_does_so_at_each_step(void) {
    static const mix few = {40000, 40, 9000, TH_TEST_TIMES(1500), 1, true};
    seed = th_test_seed(0x66617374);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        decide_alike(TH_HEAP_LAYOUT_CLASSIC, alignment, 0, &few);
        decide_alike(TH_HEAP_LAYOUT_WIDE, alignment, 0, &few);
        decide_alike(TH_HEAP_LAYOUT_LEAN, alignment, 0, &few);
    }
}

/* Tags from that of free blocks on are none: a block that had it would be free. */
static void refuse_tags(th_heap_layout layout, size_t alignment, int guard) {
    const th_heap_config config = config_of(layout, alignment, guard);
    CHECK_EQ(th_heap_init(&heap, region, 40000, &config), TH_OK);
    const uint32_t tags[] = {heap.tag_free, heap.tag_free + 1, UINT32_MAX};
    faults = 0;
    for (unsigned i = 0; i < 3; i++) {
        CHECK(th_heap_alloc(&heap, 40, tags[i]) == NULL);
        CHECK_EQ(heap.head_blocks + heap.tail_blocks, 0);
    }
    CHECK(th_heap_alloc(&heap, 40, heap.tag_free - 1) != NULL);
    CHECK_EQ(heap.tail_blocks, 1);
    CHECK_EQ(faults, 0);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
}

static void it_refuses_tags_that_are_none(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        refuse_tags(TH_HEAP_LAYOUT_LEAN, alignment, 0);
        for (int guard = 0; guard <= th_guard_max() && guard <= 2; guard++) {
            refuse_tags(TH_HEAP_LAYOUT_CLASSIC, alignment, guard);
            refuse_tags(TH_HEAP_LAYOUT_WIDE, alignment, guard);
        }
    }
}

/* ---- what it verifies --------------------------------------------------------------------- */

static TH_TRACK_BLIND void flip(th_word *at, uint32_t mask) {
    th_track_blind_begin();
    *at ^= mask;
    th_track_blind_end();
}

static th_word *header_of(const void *payload) {
    return (th_word *)(void *)(heap.base + distance(&heap, payload)) - heap.header_dwords;
}

static void expect_refused(bool refused, th_fault_kind kind) {
    CHECK(refused);
    CHECK_EQ(faults, 1);
    CHECK_EQ(last.kind, kind);
    faults = 0;
}

/* A block of `hole` bytes becomes free, and one of `bytes` is made of it: not while its header is
 * damaged. */
static void take_damaged(uint32_t tag, size_t hole, size_t bytes) {
    void *payload = th_heap_alloc(&heap, hole, tag);
    void *above = th_heap_alloc(&heap, 16, tag);
    CHECK(payload != NULL && above != NULL);
    CHECK_EQ(th_heap_free(&heap, payload), hole);
    flip(header_of(payload) + 3, 0x100);
    expect_refused(th_heap_alloc(&heap, bytes, tag) == NULL, TH_FAULT_HEADER);
    flip(header_of(payload) + 3, 0x100);
    unsigned char *made = th_heap_alloc(&heap, bytes, tag);
    bool is_at_top = tag > heap.tag_free / 2 && hole - bytes >= 4 * (size_t)heap.header_dwords;
    CHECK_PTR_EQ(made, (unsigned char *)payload + (is_at_top ? hole - bytes : 0));
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK(th_heap_free(&heap, made) > 0 && th_heap_free(&heap, above) > 0);
    CHECK_EQ(faults, 0);
}

static void take_each_way(th_heap_layout layout, size_t alignment, int guard) {
    const th_heap_config config = config_of(layout, alignment, guard);
    CHECK_EQ(th_heap_init(&heap, region, 40000, &config), TH_OK);
    faults = 0;
    const uint32_t tags[] = {1, heap.tag_free / 2 + 2};
    for (unsigned i = 0; i < 2; i++) {
        take_damaged(tags[i], 48, 48);  /* a small one, whole */
        take_damaged(tags[i], 320, 48); /* what is left remains free */
        take_damaged(tags[i], 4800, 48);
        /* A large one, whole: what would be left is too little for a block. */
        take_damaged(tags[i], TH_INDEX_LARGE * alignment, (TH_INDEX_LARGE - 1) * alignment);
    }
    th_heap_clean_up(&heap);
}

static void it_takes_nothing_that_is_damaged(void) {
    for (int guard = 1; guard <= th_guard_max() && guard <= 2; guard++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            take_each_way(TH_HEAP_LAYOUT_CLASSIC, alignment, guard);
            take_each_way(TH_HEAP_LAYOUT_WIDE, alignment, guard);
        }
    }
}

/* The link upwards, which is known from the size, is another one, under a right check word. */
static TH_TRACK_BLIND void forge_next(const void *payload, uint32_t more) {
    th_word *at = header_of(payload);
    uint32_t offset = (uint32_t)((size_t)distance(&heap, at) / TH_DWORD_BYTES);
    th_track_blind_begin();
    at[1] += more;
    at[TH_LAYOUT_CHECK_DWORD] =
        th_check_due(at, TH_HEAP_LAYOUT_CLASSIC, heap.header_dwords, offset, heap.check_seed);
    th_track_blind_end();
}

static void free_beside_wrong_links(size_t alignment, int guard) {
    const th_heap_config config = config_of(TH_HEAP_LAYOUT_CLASSIC, alignment, guard);
    const uint32_t more = (uint32_t)alignment / TH_DWORD_BYTES;
    void *block[4];
    CHECK_EQ(th_heap_init(&heap, region, 8000, &config), TH_OK);
    for (unsigned i = 0; i < 4; i++) {
        block[i] = th_heap_alloc(&heap, 48, 1);
        CHECK(block[i] != NULL);
    }
    faults = 0;
    /* Of the one below, and its own. At level 1 only those are looked at that merge. */
    for (unsigned wrong = guard > 1 ? 0 : 2; wrong < 2; wrong++) {
        forge_next(block[wrong], more);
        expect_refused(th_heap_free(&heap, block[1]) == 0, TH_FAULT_CHAIN);
        forge_next(block[wrong], 0 - more);
    }
    CHECK_EQ(th_heap_free(&heap, block[2]), 48);
    forge_next(block[1], more); /* and above it lies a free one */
    expect_refused(th_heap_free(&heap, block[1]) == 0, TH_FAULT_CHAIN);
    forge_next(block[1], 0 - more);
    CHECK_EQ(th_heap_free(&heap, block[1]), 48 + TH_DWORD_BYTES * (size_t)heap.header_dwords);
    forge_next(block[1], more); /* a free one, below */
    expect_refused(th_heap_free(&heap, block[3]) == 0, TH_FAULT_CHAIN);
    forge_next(block[1], 0 - more);
    CHECK(th_heap_free(&heap, block[3]) > 0);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK_EQ(faults, 0);
    th_heap_clean_up(&heap);
}

static void it_follows_no_wrong_link(void) {
    for (int guard = 1; guard <= th_guard_max() && guard <= 2; guard++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            free_beside_wrong_links(alignment, guard);
        }
    }
}

TH_SUITE("heap_fast", TEST(it_decides_as_the_walk_does), TEST(it_does_so_at_each_step),
         TEST(it_refuses_tags_that_are_none), TEST(it_takes_nothing_that_is_damaged),
         TEST(it_follows_no_wrong_link))
