/* SPDX-License-Identifier: MIT */
/* A heap at another address: th_heap_copy, and detach, memcpy, attach. Links are offsets, so an
 * image goes on working wherever it lies, as long as its alignments hold there. */
#include <string.h>

#include "heap/seal.h"
#include "heap_player.h"

static fixture fx;
static fixture twin;

/* HEAD 1 and 3 and TAIL 0x4001 in use, a hole between them, 99 bytes requested of 25 dwords. */
static void start_with_blocks(size_t alignment, size_t skew) {
    th_heap_config config = {.alignment = alignment, .guarding.level = th_guard_max()};
    fixture_start_with(&fx, skew, 1600, &config);
    fill(checked_alloc(&fx, 99, 1), 99, 1);
    void *hole = checked_alloc(&fx, 120, 2);
    fill(checked_alloc(&fx, 33, 3), 33, 3);
    fill(checked_alloc(&fx, 200, 0x4001), 200, 4);
    CHECK(checked_alloc(&fx, 4000, 5) == NULL);
    CHECK_EQ(checked_free(&fx, hole), 120 + (alignment == 16 ? 8 : 0));
}

static void expect_contents(const th_heap *heap) {
    CHECK(filled(block_tagged(heap, 1).payload, 99, 1));
    CHECK(filled(block_tagged(heap, 3).payload, 33, 3));
    CHECK(filled(block_tagged(heap, 0x4001).payload, 200, 4));
}

/* Room for a copy of fx's heap, with twin's own hooks. */
static th_heap_config prepare_twin(size_t skew) {
    th_heap_config config = {.alignment = fx.alignment, .guarding.level = th_guard_max()};
    fixture_prepare(&twin, skew, th_heap_region_bytes(&fx.heap), &config);
    return config;
}

static void copy_to_twin(size_t skew) {
    th_heap_config config = prepare_twin(skew);
    CHECK_EQ(th_heap_copy(&fx.heap, &twin.heap, twin.region), TH_OK);
    twin.heap.config = config;
    twin.live = true;
}

/* ---- copy ----------------------------------------------------------------------------------- */

static void a_copy_has_the_same_blocks_and_contents(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        for (size_t skew = 0; skew <= 3; skew++) {
            start_with_blocks(alignment, alignment);
            copy_to_twin(skew * alignment);
            expect_same_heaps(&fx.heap, &twin.heap);
            CHECK_EQ(stats_of(&twin.heap).failed_allocs, 1);
            CHECK(stats_of(&twin.heap).high_water_bytes > stats_of(&twin.heap).used_bytes);
            expect_contents(&fx.heap);
            expect_contents(&twin.heap);
            validate_heap(&twin.heap, alignment);
            fixture_stop(&fx);
            expect_contents(&twin.heap);
            fixture_stop(&twin);
        }
    }
}

static void copies_live_independently(void) {
    start_with_blocks(4, 0);
    copy_to_twin(4);
    remember_blocks(&fx);
    fill(block_tagged(&twin.heap, 1).payload, 99, 77);
    CHECK_EQ(checked_free_tags(&twin, 3, 3), 1);
    CHECK(checked_alloc(&twin, 500, 9) != NULL);
    expect_blocks_unchanged(&fx);
    expect_contents(&fx.heap);
    remember_blocks(&twin);
    CHECK_EQ(checked_free_tags(&fx, 0, 0x7FFE), 3);
    expect_blocks_unchanged(&twin);
    CHECK(filled(block_tagged(&twin.heap, 1).payload, 99, 77));
    fixture_stop(&fx);
    fixture_stop(&twin);
}

/* Only what was ever used is copied: all that a block has grown into is. */
static void a_copy_carries_what_grew_in_place(void) {
    fixture_start(&fx, 4, 400);
    void *head = checked_alloc(&fx, 40, 1);
    void *tail = checked_alloc(&fx, 40, 0x4001);
    CHECK_PTR_EQ(checked_resize(&fx, head, 400), head);
    fill(head, 400, 1);
    fill(tail, 40, 2);
    copy_to_twin(4);
    CHECK(filled(block_tagged(&twin.heap, 1).payload, 400, 1));
    CHECK(filled(block_tagged(&twin.heap, 0x4001).payload, 40, 2));
    fixture_stop(&twin);
    CHECK(checked_free(&fx, tail) > 0);
    CHECK_PTR_EQ(checked_resize(&fx, head, 388 * 4), head);
    fill(head, 388 * 4, 3);
    copy_to_twin(8);
    CHECK(filled(block_tagged(&twin.heap, 1).payload, 388 * 4, 3));
    fixture_stop(&twin);
    fixture_stop(&fx);
}

#define UNTOUCHED 0xEE

static void expect_copy_refused(void *region, th_status expected) {
    th_heap to;
    memset(&to, UNTOUCHED, sizeof to);
    CHECK_EQ(th_heap_copy(&fx.heap, &to, region), expected);
    const unsigned char *control = (const unsigned char *)&to;
    for (size_t i = 0; i < sizeof to; i++) {
        CHECK_EQ(control[i], UNTOUCHED);
    }
}

static void copies_to_null_are_refused(void) {
    start_with_blocks(4, 0);
    prepare_twin(0);
    expect_copy_refused(NULL, TH_ERR_NULL);
    CHECK_EQ(th_heap_copy(&fx.heap, NULL, twin.region), TH_ERR_NULL);
    CHECK_EQ(th_heap_copy(NULL, &twin.heap, twin.region), TH_ERR_NULL);
    fixture_stop(&fx);
}

static void copies_to_misaligned_regions_are_refused(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        start_with_blocks(alignment, 0);
        prepare_twin(64);
        for (size_t off = 1; off < alignment; off++) {
            expect_copy_refused(twin.region + off, TH_ERR_MISALIGNED);
        }
        for (size_t i = 0; i < twin.bytes; i++) {
            CHECK_EQ(twin.region[i], twin.region[0]);
        }
        fixture_stop(&fx);
    }
}

static void copies_that_lose_a_special_alignment_are_refused(void) {
    fixture_start(&fx, 4, 400);
    void *special = checked_alloc_at(&fx, 64, 100, 1, 0);
    fill(special, 100, 1);
    fill(checked_alloc(&fx, 100, 2), 100, 2);
    prepare_twin(0);
    expect_copy_refused(twin.region + 4, TH_ERR_MISALIGNED);
    expect_copy_refused(twin.region + 32, TH_ERR_MISALIGNED);
    copy_to_twin(192);
    CHECK(filled(block_tagged(&twin.heap, 1).payload, 100, 1));
    fixture_stop(&twin);
    CHECK(checked_free(&fx, special) > 100);
    copy_to_twin(4);
    CHECK(filled(block_tagged(&twin.heap, 2).payload, 100, 2));
    fixture_stop(&twin);
    fixture_stop(&fx);
}

static void translate_gives_the_counterpart(void) {
    start_with_blocks(4, 0);
    copy_to_twin(12);
    CHECK(th_heap_translate(&fx.heap, &twin.heap, NULL) == NULL);
    for (size_t i = 0; i < 1600; i += 7) {
        void *there = th_heap_translate(&fx.heap, &twin.heap, fx.region + i);
        CHECK_PTR_EQ(there, twin.region + i);
        CHECK_PTR_EQ(th_heap_translate(&twin.heap, &fx.heap, there), fx.region + i);
    }
    size_t managed = (size_t)fx.heap.dwords * 4;
    unsigned char *first = fx.heap.base;
    CHECK_PTR_EQ(th_heap_translate(&fx.heap, &twin.heap, first + managed),
                 twin.heap.base + managed);
    CHECK(th_heap_translate(&fx.heap, &twin.heap, first + managed + 1) == NULL);
    CHECK(th_heap_translate(&fx.heap, &twin.heap, first - 1) == NULL);
    CHECK(th_heap_translate(&fx.heap, &twin.heap, twin.heap.base + 8) == NULL);
    const th_heap none = {0};
    CHECK(th_heap_translate(&none, &twin.heap, first) == NULL);
    fixture_stop(&fx);
    fixture_stop(&twin);
}

/* ---- detach and attach ---------------------------------------------------------------------- */

static void a_detached_heap_is_plain_bytes(void) {
    start_with_blocks(4, 0);
    copy_to_twin(0);
    th_heap_detach(&fx.heap);
    static unsigned char saved[1600];
    memcpy(saved, fx.region, 1600);
    memset(fx.region, 0, 1600);
    memcpy(fx.region, saved, 1600);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    expect_same_heaps(&fx.heap, &twin.heap);
    expect_contents(&fx.heap);
    CHECK(checked_alloc(&fx, 10, 9) != NULL);
    fixture_stop(&fx);
    fixture_stop(&twin);
}

/* Both go on: the one that was copied after it was attached again. */
static void attach_to_twin(size_t skew) {
    th_heap_config config = prepare_twin(skew);
    th_heap_detach(&fx.heap);
    memcpy(twin.region, fx.region, th_heap_region_bytes(&fx.heap));
    twin.heap = fx.heap;
    twin.heap.config = config;
    CHECK_EQ(th_heap_attach(&twin.heap, twin.region), TH_OK);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    twin.live = true;
}

static void an_attached_image_goes_on(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        start_with_blocks(alignment, 0);
        attach_to_twin(alignment);
        expect_same_heaps(&fx.heap, &twin.heap);
        expect_contents(&twin.heap);
        CHECK_EQ(checked_compact(&twin, NULL, NULL).blocks_moved, 1);
        CHECK_EQ(checked_compact(&fx, NULL, NULL).blocks_moved, 1);
        expect_same_heaps(&fx.heap, &twin.heap);
        expect_contents(&fx.heap);
        expect_contents(&twin.heap);
        fixture_stop(&fx);
        fixture_stop(&twin);
    }
}

/* As if a later library, with more levels, had written the image. */
static void attach_lowers_the_guard_level_to_the_builds(void) {
    start_with_blocks(4, 0);
    th_heap_detach(&fx.heap);
    fx.heap.guard = (uint8_t)(th_guard_max() + 1);
    th_seal(&fx.heap);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    CHECK_EQ(fx.heap.guard, th_guard_max());
    expect_contents(&fx.heap);
    CHECK(checked_alloc(&fx, 20, 6) != NULL);
    fixture_stop(&fx);
}

/* A pass that has stopped half way goes on in the image where it stopped. */
static void expect_resumed(void (*take_image)(size_t skew)) {
    fixture_start(&fx, 4, 200);
    void *hole = checked_alloc(&fx, 40, 0);
    for (uint32_t i = 1; i <= 3; i++) {
        fill(checked_alloc(&fx, 100, i), 100, i);
    }
    CHECK_EQ(checked_free(&fx, hole), 40);
    CHECK(!checked_compact_some(&fx, 100, NULL, NULL).done);
    CHECK(!checked_compact_some(&fx, 100, NULL, NULL).done);
    CHECK_EQ(checked_free_tags(&fx, 1, 1), 1);
    take_image(8);
    fixture *both[2] = {&fx, &twin};
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(checked_compact_some(both[i], 1000, NULL, NULL).blocks_moved, 1);
        EXPECT_BLOCKS(&both[i]->heap, {FREE, 25}, {2, 25}, {3, 25}, {FREE, 95});
        CHECK_EQ(checked_compact_some(both[i], 1000, NULL, NULL).blocks_moved, 2);
        EXPECT_BLOCKS(&both[i]->heap, {2, 25}, {3, 25}, {FREE, 126});
        CHECK(filled(block_tagged(&both[i]->heap, 3).payload, 100, 3));
    }
    fixture_stop(&fx);
    fixture_stop(&twin);
}

static void a_copy_resumes_a_compaction(void) {
    expect_resumed(copy_to_twin);
}

static void an_attached_image_resumes_a_compaction(void) {
    expect_resumed(attach_to_twin);
}

/* A refused attach leaves the control structure as it is. */
static void expect_attach_refused(void *region, th_status expected) {
    th_heap heap = fx.heap;
    th_heap before;
    memcpy(&before, &heap, sizeof before);
    CHECK_EQ(th_heap_attach(&heap, region), expected);
    CHECK_EQ(memcmp(&before, &heap, sizeof before), 0);
    CHECK_EQ(fx.lock_depth, 0);
}

static void attach_refuses_null_and_misaligned_regions(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        start_with_blocks(alignment, 0);
        prepare_twin(0);
        th_heap_detach(&fx.heap);
        CHECK_EQ(th_heap_attach(NULL, fx.region), TH_ERR_NULL);
        expect_attach_refused(NULL, TH_ERR_NULL);
        for (size_t off = 1; off < alignment; off++) {
            memcpy(twin.region + off, fx.region, 1500);
            expect_attach_refused(twin.region + off, TH_ERR_MISALIGNED);
        }
        CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
        expect_contents(&fx.heap);
        fixture_stop(&fx);
    }
}

static void attach_refuses_to_lose_a_special_alignment(void) {
    fixture_start(&fx, 4, 400);
    CHECK(checked_alloc_at(&fx, 64, 100, 1, 0) != NULL);
    th_heap_config config = {.alignment = 4};
    fixture_prepare(&twin, 0, 1600 + 64, &config);
    th_heap_detach(&fx.heap);
    memcpy(twin.region + 32, fx.region, 1600);
    expect_attach_refused(twin.region + 32, TH_ERR_MISALIGNED);
    memcpy(twin.region + 64, fx.region, 1600);
    th_heap heap = fx.heap;
    CHECK_EQ(th_heap_attach(&heap, twin.region + 64), TH_OK);
    validate_heap(&heap, 4);
    th_heap_clean_up(&heap);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    fixture_stop(&fx);
}

static void expect_damage_refused(const unsigned char *good, uint32_t dword, uint32_t flip) {
    uint32_t word;
    memcpy(twin.region, good, 1600);
    memcpy(&word, twin.region + (size_t)dword * 4, 4);
    word ^= flip;
    memcpy(twin.region + (size_t)dword * 4, &word, 4);
    expect_attach_refused(twin.region, TH_ERR_CORRUPT);
}

/* Links and sizes: dwords 0 to 2 of a header. What only the check word knows is not looked at
 * here; that needs guards. */
static void attach_refuses_damaged_images(void) {
    static unsigned char good[1600];
    start_with_blocks(4, 0);
    prepare_twin(0);
    remember_blocks(&fx);
    th_heap_detach(&fx.heap);
    memcpy(good, fx.region, 1600);
    memset(twin.region, 0, 1600);
    expect_attach_refused(twin.region, TH_ERR_CORRUPT);
    memset(twin.region, 0xFF, 1600);
    expect_attach_refused(twin.region, TH_ERR_CORRUPT);
    for (uint32_t i = 0; i < fx.blocks_before; i++) {
        uint32_t header = fx.snapshot[i].offset;
        expect_damage_refused(good, header + 1, 0x1);
        expect_damage_refused(good, header + 1, 0x40000000);
        expect_damage_refused(good, header + 0, 0x1);
        expect_damage_refused(good, header + 0, 0x400);
        expect_damage_refused(good, header + 2, 0x80000000);
        expect_damage_refused(good, header + 2, 0x10000000);
    }
    memcpy(twin.region, good, 1600);
    CHECK_EQ(th_heap_attach(&fx.heap, twin.region), TH_OK);
    expect_contents(&fx.heap);
    th_heap_detach(&fx.heap);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    fixture_stop(&fx);
}

/* The image of another heap: sound in itself, but not what the control structure counts. */
static void attach_refuses_the_image_of_another_heap(void) {
    start_with_blocks(4, 0);
    fixture_start(&twin, 4, 400);
    CHECK(checked_alloc(&twin, 99, 1) != NULL);
    th_heap_detach(&fx.heap);
    th_heap_detach(&twin.heap);
    expect_attach_refused(twin.region, TH_ERR_CORRUPT);
    CHECK_EQ(th_heap_attach(&twin.heap, twin.region), TH_OK);
    fixture_start(&twin, 4, 300);
    th_heap_detach(&twin.heap);
    expect_attach_refused(twin.region, TH_ERR_CORRUPT);
    CHECK_EQ(th_heap_attach(&twin.heap, twin.region), TH_OK);
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    fixture_stop(&fx);
    fixture_stop(&twin);
}

/* HEAD and TAIL blocks of these sizes in dwords, and holes where the tag is 0. */
static void start_counted(fixture *f, const uint32_t tags[5], const uint32_t sizes[5]) {
    void *holes[5] = {NULL};
    th_heap_config config = {.alignment = 4};
    fixture_start_with(f, 0, 1600, &config);
    for (size_t i = 0; i < 5; i++) {
        void *payload = sizes[i] == 0 ? NULL : checked_alloc(f, (size_t)sizes[i] * 4, tags[i]);
        holes[i] = tags[i] == 0 ? payload : NULL;
    }
    for (size_t i = 0; i < 5; i++) {
        CHECK(holes[i] == NULL || checked_free(f, holes[i]) > 0);
    }
}

/* Images that are sound, each with one count other than the control structure's: HEAD blocks,
 * TAIL blocks, free blocks, HEAD dwords, TAIL dwords. */
static void attach_notices_every_count(void) {
    static const uint32_t tags[5] = {1, 2, 3, 0x4001, 0x4002};
    static const uint32_t sizes[5] = {10, 10, 0, 10, 10};
    static const uint32_t other_tags[5][5] = {{1, 2, 3, 0x4001, 0x4002},
                                              {1, 2, 3, 0x4001, 0x4002},
                                              {0, 2, 3, 0x4001, 0x4002},
                                              {1, 2, 3, 0x4001, 0x4002},
                                              {1, 2, 3, 0x4001, 0x4002}};
    static const uint32_t other_sizes[5][5] = {{20, 0, 0, 10, 10},
                                               {10, 10, 0, 20, 0},
                                               {10, 10, 10, 10, 10},
                                               {10, 11, 0, 10, 10},
                                               {10, 10, 0, 11, 10}};
    start_counted(&fx, tags, sizes);
    th_heap_detach(&fx.heap);
    for (size_t i = 0; i < 5; i++) {
        start_counted(&twin, other_tags[i], other_sizes[i]);
        th_heap_detach(&twin.heap);
        expect_attach_refused(twin.region, TH_ERR_CORRUPT);
        th_fault fault;
        th_heap other = fx.heap;
        other.base = twin.region;
        CHECK_EQ(th_heap_check(&other, &fault), TH_ERR_CORRUPT);
        CHECK_EQ(fault.kind, TH_FAULT_COUNT);
        CHECK(fault.expected != fault.found);
        CHECK_EQ(th_heap_attach(&twin.heap, twin.region), TH_OK);
        fixture_stop(&twin);
    }
    CHECK_EQ(th_heap_attach(&fx.heap, fx.region), TH_OK);
    fixture_stop(&fx);
}

/* ---- in the middle of a script -------------------------------------------------------------- */

static player original, follower;

/* After the image was taken both play the same steps, and every one has the same outcome. The two
 * regions are as good multiples of 256 as the player's alignments ask for. */
static void go_on_in_both(void) {
    for (int step = 0; step < 300; step++) {
        player_step(&original);
        player_step(&follower);
        player_expect_same(&original, &follower);
    }
    CHECK(original.moved > 0 && original.failed > 0);
}

static void play_until_the_image(size_t alignment, uint64_t seed) {
    th_heap_config config = {.alignment = alignment, .guarding.level = th_guard_max()};
    fixture_start_with(&fx, 0, 4000, &config);
    player_start(&original, &fx, seed);
    for (int step = 0; step < 300; step++) {
        player_step(&original);
    }
}

static void a_copy_taken_in_a_script_plays_on(void) {
    uint64_t seed = th_test_seed(0x636F7079);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        play_until_the_image(alignment, seed);
        copy_to_twin(256);
        player_follow(&follower, &twin, &original);
        go_on_in_both();
        fixture_stop(&fx);
        fixture_stop(&twin);
    }
}

static void an_attached_image_taken_in_a_script_plays_on(void) {
    uint64_t seed = th_test_seed(0x61747461);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        play_until_the_image(alignment, seed);
        attach_to_twin(512);
        player_follow(&follower, &twin, &original);
        go_on_in_both();
        fixture_stop(&fx);
        fixture_stop(&twin);
    }
}

TH_SUITE("heap_image", TEST(a_copy_has_the_same_blocks_and_contents),
         TEST(copies_live_independently), TEST(a_copy_carries_what_grew_in_place),
         TEST(a_copy_resumes_a_compaction), TEST(an_attached_image_resumes_a_compaction),
         TEST(copies_to_null_are_refused), TEST(copies_to_misaligned_regions_are_refused),
         TEST(copies_that_lose_a_special_alignment_are_refused),
         TEST(translate_gives_the_counterpart), TEST(a_detached_heap_is_plain_bytes),
         TEST(an_attached_image_goes_on), TEST(attach_lowers_the_guard_level_to_the_builds),
         TEST(attach_refuses_null_and_misaligned_regions),
         TEST(attach_refuses_to_lose_a_special_alignment), TEST(attach_refuses_damaged_images),
         TEST(attach_refuses_the_image_of_another_heap), TEST(attach_notices_every_count),
         TEST(a_copy_taken_in_a_script_plays_on),
         TEST(an_attached_image_taken_in_a_script_plays_on))
