/* SPDX-License-Identifier: MIT */
/* What ASan, MSan and memcheck are told, byte by byte: the requested bytes of live blocks are open,
 * all else in the region is closed. In builds without any of the tools there is nothing to ask. */
#include <string.h>

#include "base/track.h"
#include "guard_fixture.h"
#include "heap_fixture.h"

typedef enum tool_view { OPEN, CLOSED, UNKNOWN } tool_view;

/* MSan knows no closed memory: there, a byte that was given no value looks closed. */
static tool_view view(const unsigned char *byte) {
#if TH_TRACK_ASAN
    return __asan_address_is_poisoned(byte) ? CLOSED : OPEN;
#elif TH_TRACK_MSAN
    return __msan_test_shadow(byte, 1) == -1 ? OPEN : CLOSED;
#elif TH_TRACK_VALGRIND
    unsigned char bits;
    unsigned answer = (unsigned)VALGRIND_GET_VBITS(byte, &bits, 1);
    return answer == 0 ? UNKNOWN : answer == 3 ? CLOSED : OPEN;
#else
    (void)byte;
    return UNKNOWN;
#endif
}

static void expect_view(const unsigned char *byte, tool_view expected) {
    tool_view seen = view(byte);
    CHECK(seen == expected || seen == UNKNOWN);
}

static void expect_views_between(const unsigned char *from, const unsigned char *to,
                                 tool_view expected) {
    for (const unsigned char *at = from; at < to; at++) {
        expect_view(at, expected);
    }
}

static void expect_header_view(const unsigned char *header, const th_heap_block *block) {
    const unsigned char *payload = block->payload;
    /* ASan opens whole granules of 8 bytes at the low end. */
    bool shared = TH_TRACK_ASAN && block->tag != FREE && (uintptr_t)payload % 8 != 0;
    /* To MSan a header has a value, the library's. */
    if (!TH_TRACK_MSAN) {
        expect_views_between(header, payload - (shared ? 4 : 0), CLOSED);
    }
}

static void expect_views(void) {
    th_heap_block block;
    const unsigned char *at = sc.region;
    for (bool more = th_heap_first(&sc.heap, &block); more; more = th_heap_next(&sc.heap, &block)) {
        const unsigned char *payload = block.payload;
        const unsigned char *header = payload - (size_t)sc.header * 4;
        expect_views_between(at, header, CLOSED);
        expect_header_view(header, &block);
        at = payload + block.requested_bytes;
        expect_views_between(payload, at, OPEN);
    }
    expect_views_between(at, sc.region + SCENE_DWORDS * 4, CLOSED);
    expect_views_between(sc.region - SCENE_WALL_BYTES, sc.region, OPEN);
    at = sc.region + SCENE_DWORDS * 4;
    expect_views_between(at, at + SCENE_WALL_BYTES, OPEN);
}

/* MSan and memcheck: contents are given to whatever is open, so that it counts as such. */
static void give_contents(void) {
    th_heap_block block;
    for (bool more = th_heap_first(&sc.heap, &block); more; more = th_heap_next(&sc.heap, &block)) {
        if (block.tag != FREE) {
            fill(block.payload, block.requested_bytes, block.tag);
        }
    }
}

static void view_after_every_call(void) {
    expect_views();
    for (unsigned first = 0; first < ANY_CALL_COUNT; first++) {
        for (unsigned second = 0; second < ANY_CALL_COUNT; second++) {
            scene_start(sc.alignment, sc.level);
            any_call(first);
            give_contents();
            expect_views();
            if (second != 1 && second != 3 && second != 4 && second != 6) { /* no stale pointers */
                any_call(second);
                give_contents();
                expect_views();
            }
        }
    }
}

static void exactly_the_requested_bytes_are_open(void) {
    scene_play(0, view_after_every_call);
}

static void resize_in_all_steps(void) {
    for (uint32_t bytes = 1; bytes <= 30; bytes++) {
        CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.a, bytes), sc.a);
        CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.t, 34 - bytes), sc.t);
        give_contents();
        expect_views();
        CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.a, 31 - bytes), sc.a);
        give_contents();
        expect_views();
    }
}

static void a_resize_opens_and_closes_by_the_byte(void) {
    scene_play(0, resize_in_all_steps);
}

/* A new block's contents are indeterminate, even where its memory held something before. */
static void look_at_new_blocks(void) {
    const unsigned char *fresh = th_heap_alloc(&sc.heap, 20, 0x1010);
    CHECK_PTR_EQ(fresh, sc.b);
    CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.a, 16), sc.a);
    CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.a, 24), sc.a);
#if TH_TRACK_MSAN
    CHECK_EQ(__msan_test_shadow(fresh, 20), 0);
    CHECK_EQ(__msan_test_shadow(sc.a, 24), 16);
#elif TH_TRACK_VALGRIND
    unsigned char bits[24];
    if (VALGRIND_GET_VBITS(fresh, bits, 20) == 1) {
        CHECK(bits[0] == 0xFF && bits[19] == 0xFF);
        CHECK_EQ(VALGRIND_GET_VBITS(sc.a, bits, 24), 1);
        CHECK(bits[15] == 0 && bits[16] == 0xFF && bits[23] == 0xFF);
    }
#endif
    give_contents();
}

static void new_bytes_are_indeterminate(void) {
    scene_play(0, look_at_new_blocks);
}

static void clean_up_and_look(void) {
    unsigned char *region = sc.region;
    const th_heap_config config = sc.heap.config;
    th_heap_clean_up(&sc.heap);
    for (uint32_t i = 0; i < SCENE_DWORDS * 4; i++) {
        expect_view(region + i, OPEN);
    }
    CHECK_EQ(th_heap_init(&sc.heap, region, SCENE_DWORDS * 4, &config), TH_OK);
    expect_views();
}

static void clean_up_opens_everything(void) {
    scene_play(0, clean_up_and_look);
}

TH_SUITE("guards_tools", TEST(exactly_the_requested_bytes_are_open),
         TEST(a_resize_opens_and_closes_by_the_byte), TEST(new_bytes_are_indeterminate),
         TEST(clean_up_opens_everything))
