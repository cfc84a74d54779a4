/* SPDX-License-Identifier: MIT */
/* The layouts of docs/heap.md: what a header holds and where, which layout a heap gets, how far
 * each reaches, what its tags mean, and images of one that are taken for another. The random runs
 * of test_heap_random.c are played here in each layout. test_heap_regions.c has regions of GiB. */
#include <limits.h>
#include <string.h>

#include "base/track.h"
#include "heap/chain.h"
#include "heap_player.h"

static fixture fx;
static fixture twin;

typedef struct layout_facts {
    th_heap_layout layout;
    uint32_t stored; /* dwords of a header without its padding */
    uint32_t free;   /* the tag of free blocks */
    int guard_max;
} layout_facts;

static const layout_facts layouts[] = {
    {TH_HEAP_LAYOUT_CLASSIC, 6, 0x7FFF, 3},
    {TH_HEAP_LAYOUT_LEAN, 2, 0x7FFF, 0},
    {TH_HEAP_LAYOUT_WIDE, 7, 0x7FFFFFFF, 3},
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])

static int guard_of(const layout_facts *facts) {
    return facts->guard_max < th_guard_max() ? facts->guard_max : th_guard_max();
}

static void start_in(const layout_facts *facts, size_t alignment, uint32_t dwords, int guard) {
    const th_heap_config config = {
        .alignment = alignment, .guarding.level = guard, .layout = facts->layout};
    fixture_start_with(&fx, 0, (size_t)dwords * 4, &config);
}

/* What stands in memory, wherever it is. */
static TH_TRACK_BLIND uint32_t word_at(const th_heap *heap, uint32_t dword) {
    const th_word *words = (const void *)heap->base;
    th_track_blind_begin();
    uint32_t value = words[dword];
    th_track_blind_end();
    th_track_trust(&value, sizeof value);
    return value;
}

static TH_TRACK_BLIND void set_word(const th_heap *heap, uint32_t dword, uint32_t value) {
    th_word *words = (void *)heap->base;
    th_track_blind_begin();
    words[dword] = value;
    th_track_blind_end();
}

/* ---- which layout a heap gets ------------------------------------------------------------- */

static alignas(16) unsigned char arena[131090 * 4];
static unsigned char large[131090 * 4 + 64];

static void expect_refused(size_t bytes, const th_heap_config *config, th_status expected) {
    th_heap heap;
    memset(&heap, 0xEE, sizeof heap);
    memset(arena, 0xEE, sizeof arena);
    CHECK_EQ(th_heap_init(&heap, arena, bytes, config), expected);
    memset(large, 0xEE, sizeof large);
    CHECK_EQ(memcmp(&heap, large, sizeof heap), 0);
    CHECK_EQ(memcmp(arena, large, sizeof arena), 0);
}

static void every_layout_is_contained(void) {
    CHECK(th_heap_has_layout(TH_HEAP_LAYOUT_AUTO));
    for (size_t i = 0; i < LAYOUTS; i++) {
        CHECK(th_heap_has_layout(layouts[i].layout));
    }
}

static void what_is_no_layout_is_refused(void) {
    static const int numbers[] = {4, 5, 31, 32, 33, 34, 35, 255, 256, 257, INT_MAX, -1, INT_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        th_heap_config config = {.layout = (th_heap_layout)numbers[i]};
        if (sizeof config.layout < sizeof(int) && (int)config.layout != numbers[i]) {
            continue; /* no such number can be said */
        }
        CHECK(!th_heap_has_layout(config.layout));
        expect_refused(4000, &config, TH_ERR_LAYOUT);
        expect_refused(0, &config, TH_ERR_LAYOUT);
    }
}

static void lean_heaps_take_no_guard(void) {
    for (int guard = 1; guard <= 3; guard++) {
        th_heap_config config = {.layout = TH_HEAP_LAYOUT_LEAN, .guarding.level = guard};
        expect_refused(4000, &config, TH_ERR_CONFIG);
    }
}

/* What docs/heap.md names first wins. */
static void refusals_come_in_the_documented_order(void) {
    th_heap_config config = {.alignment = 8,
                             .guarding.level = 4,
                             .layout = (th_heap_layout)9,
                             .index = TH_HEAP_INDEX_NONE};
    expect_refused(0, &config, TH_ERR_CONFIG);
    config.guarding.level = 3;
    expect_refused(0, &config, TH_ERR_LAYOUT);
    config.layout = TH_HEAP_LAYOUT_LEAN;
    expect_refused(0, &config, TH_ERR_CONFIG);
    th_heap heap;
    CHECK_EQ(th_heap_init(&heap, arena + 4, 0, &config), TH_ERR_CONFIG);
    config.guarding.level = 0;
    CHECK_EQ(th_heap_init(&heap, arena + 4, 0, &config), TH_ERR_MISALIGNED);
    expect_refused(0, &config, TH_ERR_TOO_SMALL);
    expect_refused(sizeof arena, &config, TH_ERR_TOO_LARGE);
}

static void expect_first(size_t bytes, const th_heap_config *config, uint32_t layout,
                         uint32_t payload, uint32_t free) {
    th_heap heap;
    th_heap_block block;
    CHECK_EQ(th_heap_init(&heap, arena, bytes, config), TH_OK);
    CHECK_EQ(heap.layout, layout);
    CHECK(th_heap_first(&heap, &block));
    CHECK_EQ(block.size_dwords, payload);
    CHECK_EQ(block.tag, free);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
}

/* Two headers, and 4 dwords at least. */
static void headers_are_as_large_as_documented(void) {
    static const uint32_t headers[LAYOUTS][3] = {{6, 6, 8}, {2, 2, 4}, {7, 8, 8}};
    for (size_t i = 0; i < LAYOUTS; i++) {
        for (size_t a = 0; a < 3; a++) {
            th_heap_config config = {.alignment = (size_t)4 << a,
                                     .layout = layouts[i].layout,
                                     .index = TH_HEAP_INDEX_NONE};
            uint32_t both = 2 * headers[i][a];
            expect_refused((both + 4) * 4 - 1, &config, TH_ERR_TOO_SMALL);
            expect_first((both + 4) * 4, &config, layouts[i].layout, 4, layouts[i].free);
            expect_first(4000, &config, layouts[i].layout, 1000 - both, layouts[i].free);
        }
    }
}

static void sizes_of_17_bits_end_where_documented(void) {
    static const uint32_t largest[] = {0x1FFFF, 0x1FFFE, 0x1FFFC};
    for (size_t i = 0; i < 2; i++) {
        for (size_t a = 0; a < 3; a++) {
            th_heap_config config = {.alignment = (size_t)4 << a,
                                     .layout = layouts[i].layout,
                                     .index = TH_HEAP_INDEX_NONE};
            uint32_t unit = 1u << a;
            uint32_t header = (layouts[i].stored + unit - 1) / unit * unit;
            size_t beyond = (size_t)(largest[a] + unit + 2 * header) * 4;
            expect_first(beyond - 1, &config, layouts[i].layout, largest[a], 0x7FFF);
            expect_refused(beyond, &config, TH_ERR_TOO_LARGE);
        }
    }
}

/* Classic as far as it reaches; the tags mean the same on both sides of that. */
static void automatic_is_classic_then_wide(void) {
    static const uint32_t largest[] = {0x1FFFF, 0x1FFFE, 0x1FFFC};
    for (size_t a = 0; a < 3; a++) {
        th_heap_config config = {.alignment = (size_t)4 << a, .index = TH_HEAP_INDEX_NONE};
        uint32_t unit = 1u << a;
        uint32_t classic = (6 + unit - 1) / unit * unit;
        uint32_t wide = (7 + unit - 1) / unit * unit;
        uint32_t beyond = largest[a] + unit + 2 * classic;
        expect_first((size_t)beyond * 4 - 1, &config, TH_HEAP_LAYOUT_CLASSIC, largest[a], 0x7FFF);
        expect_first((size_t)beyond * 4, &config, TH_HEAP_LAYOUT_WIDE, beyond - 2 * wide, 0x7FFF);
    }
}

/* No object is larger than PTRDIFF_MAX, whatever dwords could express. */
static void what_cannot_be_an_object_is_too_large(void) {
    static const th_heap_layout by_name[] = {TH_HEAP_LAYOUT_AUTO, TH_HEAP_LAYOUT_CLASSIC,
                                             TH_HEAP_LAYOUT_LEAN, TH_HEAP_LAYOUT_WIDE};
    for (size_t i = 0; i < 4; i++) {
        th_heap_config config = {.layout = by_name[i], .index = TH_HEAP_INDEX_NONE};
        expect_refused(SIZE_MAX, &config, TH_ERR_TOO_LARGE);
        expect_refused((size_t)PTRDIFF_MAX + 1, &config, TH_ERR_TOO_LARGE);
#if SIZE_MAX > UINT32_MAX
        expect_refused(((size_t)1 << 34) + 4, &config, TH_ERR_TOO_LARGE);
        expect_refused(((size_t)1 << 34) + 64, &config, TH_ERR_TOO_LARGE);
        expect_refused((size_t)1 << 36, &config, TH_ERR_TOO_LARGE);
#endif
    }
}

/* ---- headers in memory ---------------------------------------------------------------------- */

/* A HEAD block of 33 bytes, one of 10 above it that is freed, and LAST. */
static void classic_headers_lie_as_documented(void) {
    start_in(&layouts[0], 4, 100, 0);
    CHECK(checked_alloc_at(&fx, 8, 33, 0x1234, 77) != NULL);
    CHECK_EQ(word_at(&fx.heap, 0), 3u << 27);
    CHECK_EQ(word_at(&fx.heap, 1), 15);
    CHECK_EQ(word_at(&fx.heap, 2), 0x1234 | 9u << 15);
    CHECK_EQ(word_at(&fx.heap, 3), 33);
    CHECK_EQ(word_at(&fx.heap, 4), 77);
    CHECK_EQ(word_at(&fx.heap, 15), 2u << 27);
    CHECK_EQ(word_at(&fx.heap, 16), 94);
    CHECK_EQ(word_at(&fx.heap, 17), 0x7FFF | 73u << 15);
    CHECK_EQ(word_at(&fx.heap, 94), 15 | 2u << 27);
    CHECK_EQ(word_at(&fx.heap, 95), 0);
    CHECK_EQ(word_at(&fx.heap, 96), 0x7FFF);
    fixture_stop(&fx);
}

static void lean_headers_lie_as_documented(void) {
    start_in(&layouts[1], 4, 100, 0);
    CHECK(checked_alloc_at(&fx, 8, 33, 0x1234, 77) != NULL);
    CHECK_EQ(word_at(&fx.heap, 0), 3u << 27);
    CHECK_EQ(word_at(&fx.heap, 1), 0x1234 | 9u << 15);
    CHECK_EQ(word_at(&fx.heap, 11), 2u << 27);
    CHECK_EQ(word_at(&fx.heap, 12), 0x7FFF | 85u << 15);
    CHECK_EQ(word_at(&fx.heap, 98), 11 | 2u << 27);
    CHECK_EQ(word_at(&fx.heap, 99), 0x7FFF);
    fixture_stop(&fx);
}

static void wide_headers_lie_as_documented(void) {
    start_in(&layouts[2], 4, 100, 0);
    CHECK(checked_alloc_at(&fx, 4, 33, 0x12345678, 77) != NULL);
    CHECK_EQ(word_at(&fx.heap, 0), 0);
    CHECK_EQ(word_at(&fx.heap, 1), 9);
    CHECK_EQ(word_at(&fx.heap, 2), 0x12345678);
    CHECK_EQ(word_at(&fx.heap, 3), 33);
    CHECK_EQ(word_at(&fx.heap, 4), 77);
    CHECK_EQ(word_at(&fx.heap, 6), 2);
    CHECK_EQ(word_at(&fx.heap, 16), 0);
    CHECK_EQ(word_at(&fx.heap, 17), 70);
    CHECK_EQ(word_at(&fx.heap, 18), 0x7FFFFFFF);
    CHECK_EQ(word_at(&fx.heap, 22), 2);
    CHECK_EQ(word_at(&fx.heap, 93), 16);
    CHECK_EQ(word_at(&fx.heap, 94), 0);
    CHECK_EQ(word_at(&fx.heap, 95), 0x7FFFFFFF);
    fixture_stop(&fx);
}

/* With guards, every bit of a header matters, its padding included; without, those that links and
 * sizes are made of. */
static void every_bit_of_a_header_is_checked(void) {
    for (size_t i = 0; i < LAYOUTS; i++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            start_in(&layouts[i], alignment, 100, guard_of(&layouts[i]));
            unsigned char *payload = checked_alloc_at(&fx, 4, 33, 0x1234, 77);
            uint32_t header = offset_of(&fx, payload);
            for (uint32_t bit = 0; guard_of(&layouts[i]) > 0 && bit < 32 * fx.header; bit++) {
                th_fault fault;
                uint32_t dword = header + bit / 32;
                uint32_t was = word_at(&fx.heap, dword);
                set_word(&fx.heap, dword, was ^ 1u << bit % 32);
                CHECK_EQ(th_heap_check(&fx.heap, &fault), TH_ERR_CORRUPT);
                CHECK_EQ(fault.kind, TH_FAULT_HEADER);
                CHECK_EQ(fault.block, header);
                CHECK_EQ(fault.offset, (header + 5) * 4);
                fx.faults = 0;
                CHECK_EQ(th_heap_free(&fx.heap, payload), 0);
                CHECK(fx.faults > 0);
                fx.faults = 0;
                set_word(&fx.heap, dword, was);
            }
            CHECK(checked_free(&fx, payload) > 0);
            fixture_stop(&fx);
        }
    }
}

/* Nothing but links, sizes and tags tells a broken heap then: the checker and the walk end, and the
 * checker says so. */
static void broken_headers_are_found_without_guards(void) {
    static const uint32_t sizes[] = {0,       8,          10,         80,         93,        94,
                                     0x1FFFF, 0xFFFFFFFF, 0xFFFFFFF9, 0xFFFFFFF8, 0x80000000};
    for (size_t i = 1; i < LAYOUTS; i++) {
        start_in(&layouts[i], 4, 100, 0);
        (void)checked_alloc(&fx, 33, 1);
        uint32_t was = word_at(&fx.heap, 1);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            th_heap_block block;
            uint32_t steps = 0;
            set_word(&fx.heap, 1,
                     layouts[i].layout == TH_HEAP_LAYOUT_LEAN ? 1 | sizes[s] << 15 : sizes[s]);
            CHECK_EQ(th_heap_check(&fx.heap, NULL), TH_ERR_CORRUPT);
            bool more = th_heap_first(&fx.heap, &block);
            for (; more; more = th_heap_next(&fx.heap, &block)) {
                CHECK(++steps <= 100);
            }
            (void)stats_of(&fx.heap);
        }
        set_word(&fx.heap, 1, was);
        fixture_stop(&fx);
    }
}

/* The highest requested size, and what is beyond 32 bits where size_t has no more. */
static void requested_sizes_are_checked_without_guards(void) {
    start_in(&layouts[2], 4, 100, 0);
    (void)checked_alloc(&fx, 33, 1);
    set_word(&fx.heap, 6, 2 | 1u << 5);
    CHECK_EQ(th_heap_check(&fx.heap, NULL), TH_ERR_CORRUPT);
    CHECK(block_of(&fx.heap, fx.region + 28).requested_bytes > UINT32_MAX - 1u);
    set_word(&fx.heap, 6, 2);
    set_word(&fx.heap, 3, 37);
    CHECK_EQ(th_heap_check(&fx.heap, NULL), TH_ERR_CORRUPT);
    set_word(&fx.heap, 3, 33);
    fixture_stop(&fx);
}

/* ---- tags ----------------------------------------------------------------------------------- */

static void expect_side(uint32_t tag, bool tail) {
    void *payload = checked_alloc(&fx, 4, tag);
    CHECK(payload != NULL);
    CHECK_EQ(stats_of(&fx.heap).tail_blocks, tail ? 1 : 0);
    CHECK_EQ(block_of(&fx.heap, payload).tag, tag);
    CHECK(checked_free(&fx, payload) > 0);
}

static void expect_no_tag(uint32_t tag) {
    CHECK(checked_alloc(&fx, 4, tag) == NULL);
}

static void tags_have_15_bits_or_31(void) {
    for (size_t i = 0; i < LAYOUTS; i++) {
        start_in(&layouts[i], 8, 100, guard_of(&layouts[i]));
        bool wide = layouts[i].free > 0x7FFF;
        uint32_t top = layouts[i].free;
        expect_side(0, false);
        expect_side(top / 2, false);
        expect_side(top / 2 + 1, true);
        expect_side(top - 1, true);
        expect_side(0x3FFF, false);
        expect_side(0x4000, !wide);
        expect_no_tag(top);
        expect_no_tag(top + 1);
        expect_no_tag(UINT32_MAX);
        if (wide) {
            expect_side(0x7FFF, false); /* an ordinary one */
            expect_side(0x8001, false);
        } else {
            expect_no_tag(0x40000000);
        }
        fixture_stop(&fx);
    }
}

static void free_tags_takes_31_bits(void) {
    start_in(&layouts[2], 4, 300, guard_of(&layouts[2]));
    static const uint32_t tags[] = {0x1001, 0x20001001, 0x3FFFFFFF, 0x40000000, 0x7FFFFFFE};
    for (size_t i = 0; i < 5; i++) {
        CHECK(checked_alloc(&fx, 20, tags[i]) != NULL);
    }
    CHECK_EQ(checked_free_tags(&fx, 0x7FFFFFFF, UINT32_MAX), 0);
    CHECK_EQ(checked_free_tags(&fx, 0x20001002, 0x3FFFFFFE), 0);
    CHECK_EQ(checked_free_tags(&fx, 0x20001001, 0x40000000), 3);
    CHECK_EQ(checked_free_tags(&fx, 0, 0x7FFF), 1);
    CHECK_EQ(checked_free_tags(&fx, 0, UINT32_MAX), 1);
    CHECK_EQ(stats_of(&fx.heap).used_bytes, 0);
    fixture_stop(&fx);
}

/* ---- lean: what is not stored --------------------------------------------------------------- */

typedef struct asked {
    size_t bytes;
    uint32_t calls;
} asked;

static bool note_bytes(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    asked *a = context;
    (void)tag;
    (void)from;
    (void)to;
    a->bytes = bytes;
    a->calls++;
    return true;
}

static void lean_blocks_are_as_large_as_they_are(void) {
    start_in(&layouts[1], 4, 100, 0);
    unsigned char *first = checked_alloc(&fx, 20, 1);
    unsigned char *payload = checked_alloc_at(&fx, 4, 33, 2, 77);
    CHECK_EQ(th_heap_requested_size(&fx.heap, payload), 36);
    CHECK_EQ(block_of(&fx.heap, payload).site, 0);
    fill(payload, 36, 5);
    CHECK_PTR_EQ(checked_resize(&fx, payload, 1), payload); /* stays as large */
    CHECK_EQ(th_heap_requested_size(&fx.heap, payload), 36);
    CHECK_EQ(checked_trim(&fx, payload), 0);
    unsigned char *wall = checked_alloc(&fx, 4, 3);
    unsigned char *moved = checked_resize(&fx, payload, 40); /* elsewhere: all of it is copied */
    CHECK(moved > wall && filled(moved, 36, 5));
    fill(moved, 40, 6);
    CHECK(checked_free(&fx, first) > 0);
    asked a = {0};
    CHECK_EQ(checked_compact_some(&fx, 0, note_bytes, &a).bytes_moved, 4);
    CHECK_EQ(a.bytes, 4);
    CHECK_EQ(checked_compact(&fx, note_bytes, &a).bytes_moved, 40);
    CHECK_EQ(a.bytes, 40);
    CHECK_EQ(a.calls, 2);
    CHECK(filled(block_tagged(&fx.heap, 2).payload, 40, 6));
    fixture_stop(&fx);
}

/* Slack belongs to what was requested. */
static void lean_blocks_keep_their_slack(void) {
    start_in(&layouts[1], 4, 100, 0);
    void *hole = checked_alloc(&fx, 40, 1);
    CHECK(checked_alloc(&fx, 4, 2) != NULL);
    CHECK(checked_free(&fx, hole) > 0);
    void *payload = checked_alloc(&fx, 20, 3); /* 5 of 10 dwords: less than SPLIT is left */
    CHECK_PTR_EQ(payload, hole);
    CHECK_EQ(th_heap_requested_size(&fx.heap, payload), 40);
    CHECK_EQ(checked_trim(&fx, payload), 0);
    CHECK_PTR_EQ(checked_resize(&fx, payload, 40), payload);
    fixture_stop(&fx);
}

/* ---- images --------------------------------------------------------------------------------- */

static void fill_up(const layout_facts *facts) {
    start_in(facts, 8, 100, 0);
    CHECK(checked_alloc(&fx, 50, 1) != NULL);
    CHECK(checked_alloc(&fx, 50, 2) != NULL);
    CHECK(checked_alloc(&fx, 50, fx.tail) != NULL);
    CHECK_EQ(checked_free_tags(&fx, 1, 1), 1);
}

/* The control structure of one layout with the region of another. */
static void images_of_another_layout_are_refused(void) {
    static uint32_t image[100];
    for (size_t i = 0; i < LAYOUTS; i++) {
        fill_up(&layouts[i]);
        th_heap heap = fx.heap;
        th_heap_detach(&fx.heap);
        memcpy(image, fx.region, sizeof image);
        CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
        for (size_t other = 0; other < LAYOUTS; other++) {
            th_heap_config config = {
                .alignment = 8, .layout = layouts[other].layout, .guarding.level = 0};
            fixture_start_with(&twin, 0, 400, &config);
            th_heap before = twin.heap;
            th_heap after = twin.heap;
            if (other != i) {
                CHECK_EQ(th_heap_attach(&after, image), TH_ERR_CORRUPT);
                CHECK_EQ(memcmp(&after, &before, sizeof after), 0);
            }
            fixture_stop(&twin);
        }
        th_heap same = heap;
        CHECK_EQ(th_heap_attach(&same, image), TH_OK);
        th_heap_detach(&same);
        fixture_stop(&fx);
    }
}

/* A library without it could not read a header. */
static void images_of_no_layout_are_refused(void) {
    static const uint8_t numbers[] = {0, 4, 33, 255};
    for (size_t i = 0; i < sizeof numbers; i++) {
        fill_up(&layouts[0]);
        th_heap before = fx.heap;
        before.layout = numbers[i];
        th_heap after = before;
        CHECK_EQ(th_heap_attach(&after, fx.region), TH_ERR_LAYOUT);
        CHECK_EQ(memcmp(&after, &before, sizeof after), 0);
        CHECK_EQ(fx.lock_depth, 0);
        fixture_stop(&fx);
    }
}

static void a_sealed_layout_is_not_another(void) {
    if (th_guard_max() < 3) {
        return;
    }
    start_in(&layouts[0], 4, 100, 3);
    const th_heap before = fx.heap;
    fx.heap.layout = TH_HEAP_LAYOUT_LEAN;
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_ERR_CORRUPT);
    fx.heap = before;
    fx.heap.tag_free = TH_TAG_WIDE_FREE;
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_ERR_CORRUPT);
    fx.heap = before;
    fx.heap.size_max++;
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_ERR_CORRUPT);
    fx.heap = before;
    fixture_stop(&fx);
}

/* ---- random runs ---------------------------------------------------------------------------- */

static player players[2];

/* Every 200 steps the heap goes on at another address. */
static void play(const layout_facts *facts, size_t alignment, int guard, uint64_t seed) {
    const th_heap_config config = {
        .alignment = alignment, .guarding.level = guard, .layout = facts->layout};
    fixture *at[] = {&fx, &twin};
    fixture_start_with(at[0], 256, 6000, &config);
    player_start(&players[0], at[0], seed);
    for (size_t step = 1; step <= 2000; step++) {
        player_step(&players[0]);
        if (step % 200 == 0) {
            th_heap_config same = config;
            fixture_prepare(at[1], 256 * (step / 200 % 3), 6000, &same);
            CHECK_EQ(th_heap_copy(&at[0]->heap, &at[1]->heap, at[1]->region), TH_OK);
            at[1]->live = true;
            at[1]->heap.config = same;
            player_follow(&players[1], at[1], &players[0]);
            players[0] = players[1];
            fixture_stop(at[0]);
            fixture *left = at[0];
            at[0] = at[1];
            at[1] = left;
        }
    }
    CHECK(players[0].failed > 0 && players[0].moved > 0 && players[0].vetoed > 0);
    checked_free_tags(at[0], 0, UINT32_MAX);
    CHECK_EQ(stats_of(&at[0]->heap).used_bytes, 0);
    CHECK_EQ(stats_of(&at[0]->heap).free_blocks, 1);
    fixture_stop(at[0]);
}

static void play_layout(size_t index) {
    uint64_t seed = th_test_seed(0x6c61796f75740000 + index);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        play(&layouts[index], alignment, 0, seed + alignment);
        if (guard_of(&layouts[index]) > 0) {
            play(&layouts[index], alignment, guard_of(&layouts[index]), seed + alignment + 1);
        }
    }
}

static void random_runs_in_lean(void) {
    play_layout(1);
}

static void random_runs_in_wide(void) {
    play_layout(2);
}

/* A region that is wide because of its size keeps 15-bit tags: what is above FREE is broken. */
static void a_tag_above_free_is_broken(void) {
    th_heap heap;
    const th_heap_config config = {.alignment = 4, .index = TH_HEAP_INDEX_NONE};
    CHECK_EQ(th_heap_init(&heap, arena, sizeof arena, &config), TH_OK);
    CHECK_EQ(heap.layout, TH_HEAP_LAYOUT_WIDE);
    CHECK(th_heap_alloc(&heap, 4, 1) != NULL);
    set_word(&heap, 2, 0x8001);
    th_fault fault;
    CHECK_EQ(th_heap_check(&heap, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CHAIN);
    CHECK_EQ(fault.found, 0x8001);
    set_word(&heap, 2, 1);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
}

TH_SUITE("heap_layouts", TEST(every_layout_is_contained), TEST(what_is_no_layout_is_refused),
         TEST(lean_heaps_take_no_guard), TEST(refusals_come_in_the_documented_order),
         TEST(headers_are_as_large_as_documented), TEST(sizes_of_17_bits_end_where_documented),
         TEST(automatic_is_classic_then_wide), TEST(what_cannot_be_an_object_is_too_large),
         TEST(classic_headers_lie_as_documented), TEST(lean_headers_lie_as_documented),
         TEST(wide_headers_lie_as_documented), TEST(every_bit_of_a_header_is_checked),
         TEST(broken_headers_are_found_without_guards),
         TEST(requested_sizes_are_checked_without_guards), TEST(tags_have_15_bits_or_31),
         TEST(free_tags_takes_31_bits), TEST(lean_blocks_are_as_large_as_they_are),
         TEST(lean_blocks_keep_their_slack), TEST(images_of_another_layout_are_refused),
         TEST(images_of_no_layout_are_refused), TEST(a_sealed_layout_is_not_another),
         TEST(random_runs_in_lean), TEST(random_runs_in_wide), TEST(a_tag_above_free_is_broken))
