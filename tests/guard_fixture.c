/* SPDX-License-Identifier: MIT */
#include "guard_fixture.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "base/track.h"
#include "heap/chain.h"
#include "heap_fixture.h"

static_assert((int)SCENE_CHECK_DWORD == (int)TH_LAYOUT_CHECK_DWORD, "the layout's check word");
static_assert((int)SCENE_HEADER_WORDS == (int)TH_LAYOUT_CLASSIC_DWORDS, "the layout's header");

scene sc;

static alignas(64) unsigned char store[SCENE_DWORDS * 4 + 2 * SCENE_WALL_BYTES];

/* ---- start and stop ----------------------------------------------------------------------- */

static void record_fault(void *context, const th_fault *fault) {
    scene *s = context;
    if (s->faults == 0) {
        s->first = *fault;
    }
    s->last = *fault;
    s->faults++;
}

static unsigned char *take(size_t bytes, uint32_t tag) {
    unsigned char *payload = th_heap_alloc(&sc.heap, bytes, tag);
    CHECK(payload != NULL);
    fill(payload, bytes, tag);
    return payload;
}

void scene_start(size_t alignment, int level) {
    if (sc.region != NULL) {
        CHECK_EQ(
            th_heap_init(&sc.heap, sc.region, SCENE_DWORDS * 4, &(th_heap_config){.alignment = 4}),
            TH_OK);
        th_heap_clean_up(&sc.heap);
    }
    memset(store, 0x5C, sizeof store);
    sc = (scene){.region = store + SCENE_WALL_BYTES, .alignment = alignment, .level = level};
    sc.header = alignment == 16 ? 8 : 6;
    const th_heap_config config = {.alignment = alignment,
                                   .guarding.level = level,
                                   .guarding.on_fault = record_fault,
                                   .guarding.fault_context = &sc};
    CHECK_EQ(th_heap_init(&sc.heap, sc.region, SCENE_DWORDS * 4, &config), TH_OK);
    sc.a = take(30, 0x1001);
    sc.b = take(64, 0x1002);
    sc.c = take(45, 0x1003);
    sc.d = take(16, 0x1004);
    sc.e = take(80, 0x1005);
    sc.t = take(33, 0x4001);
    sc.u = take(24, 0x4002);
    sc.v = take(20, 0x4003);
    CHECK(th_heap_free(&sc.heap, sc.b) != 0);
    CHECK(th_heap_free(&sc.heap, sc.e) != 0);
    CHECK(th_heap_free(&sc.heap, sc.u) != 0);
    CHECK_EQ(sc.faults, 0);
    scene_remember();
}

void scene_stop(void) {
    validate_heap(&sc.heap, sc.alignment);
    th_heap_clean_up(&sc.heap);
    sc.region = NULL;
    for (size_t i = 0; i < SCENE_WALL_BYTES; i++) {
        CHECK_EQ(store[i], 0x5C);
        CHECK_EQ(store[sizeof store - 1 - i], 0x5C);
    }
}

void scene_play(int lowest, void (*play)(void)) {
    for (int level = lowest; level <= th_guard_max(); level++) {
        for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
            scene_start(alignment, level);
            play();
            scene_stop();
        }
    }
}

/* ---- places ------------------------------------------------------------------------------- */

uint32_t byte_of(const void *address) {
    return (uint32_t)((uintptr_t)address - (uintptr_t)sc.region);
}

uint32_t header_of(const void *payload) {
    return byte_of(payload) / 4 - sc.header;
}

uint32_t hole_offset(void) {
    return header_of(sc.b);
}

uint32_t middle_offset(void) {
    return header_of(sc.e);
}

uint32_t gap_offset(void) {
    return header_of(sc.u);
}

uint32_t last_offset(void) {
    return sc.heap.last;
}

/* ---- behind the back ---------------------------------------------------------------------- */

TH_TRACK_BLIND static void copy_image(uint32_t *to) {
    const volatile th_word *from = (const void *)sc.region;
    th_track_blind_begin();
    for (uint32_t i = 0; i < SCENE_DWORDS; i++) {
        to[i] = from[i];
    }
    th_track_blind_end();
    th_track_release(to, SCENE_DWORDS * sizeof *to);
}

TH_TRACK_BLIND uint32_t scene_word(uint32_t dword) {
    const volatile th_word *words = (const void *)sc.region;
    uint32_t value;
    th_track_blind_begin();
    value = words[dword];
    th_track_blind_end();
    th_track_release(&value, sizeof value);
    return value;
}

TH_TRACK_BLIND unsigned char scene_byte(uint32_t byte) {
    unsigned char value;
    th_track_blind_begin();
    value = *(const volatile unsigned char *)(sc.region + byte);
    th_track_blind_end();
    th_track_release(&value, sizeof value);
    return value;
}

TH_TRACK_BLIND void scene_flip(uint32_t dword, uint32_t bits) {
    volatile th_word *words = (void *)sc.region;
    th_track_blind_begin();
    words[dword] ^= bits;
    th_track_blind_end();
}

TH_TRACK_BLIND void scene_poke(uint32_t byte, unsigned char value) {
    th_track_blind_begin();
    *(volatile unsigned char *)(sc.region + byte) = value;
    th_track_blind_end();
}

uint32_t scene_check_due(uint32_t header) {
    uint32_t dword[SCENE_HEADER_MAX];
    for (uint32_t i = 0; i < sc.heap.header_dwords; i++) {
        dword[i] = scene_word(header + i);
    }
    return th_check_due(dword, (th_heap_layout)sc.heap.layout, sc.heap.header_dwords, header,
                        sc.heap.check_seed);
}

unsigned char scene_canary(uint32_t byte) {
    return th_canary_byte(sc.heap.check_seed, byte);
}

void scene_forge(uint32_t header, uint32_t dword, uint32_t mask, uint32_t value) {
    scene_flip(header + dword, (scene_word(header + dword) ^ value) & mask);
    scene_flip(header + SCENE_CHECK_DWORD,
               scene_word(header + SCENE_CHECK_DWORD) ^ scene_check_due(header));
}

/* ---- before and after --------------------------------------------------------------------- */

void scene_remember(void) {
    sc.faults = 0;
    sc.moves_asked = 0;
    sc.before = sc.heap;
    sc.stats_before = th_heap_get_stats(&sc.heap);
    copy_image(sc.image_before);
}

void expect_unchanged(void) {
    static uint32_t image[SCENE_DWORDS];
    copy_image(image);
    for (uint32_t i = 0; i < SCENE_DWORDS; i++) {
        CHECK_EQ(image[i], sc.image_before[i]);
    }
    th_heap_stats stats = stats_of(&sc.heap);
    expect_stats(&stats, &sc.stats_before);
    CHECK(sc.heap.base == sc.before.base);
    CHECK_EQ(sc.heap.dwords, sc.before.dwords);
    CHECK_EQ(sc.heap.last, sc.before.last);
    CHECK_EQ(sc.heap.compact_cursor, sc.before.compact_cursor);
    CHECK_EQ(sc.heap.low_used, sc.before.low_used);
    CHECK_EQ(sc.heap.high_used, sc.before.high_used);
    CHECK_EQ(sc.heap.guard, sc.before.guard);
    CHECK_EQ(sc.heap.busy, sc.before.busy);
    CHECK_EQ(sc.heap.in_low_memory, sc.before.in_low_memory);
}

static bool same_fault(const th_fault *a, const th_fault *b) {
    return a->kind == b->kind && a->block == b->block && a->tag == b->tag &&
           a->offset == b->offset && a->expected == b->expected && a->found == b->found;
}

static void print_fault(const char *what, const th_fault *fault) {
    char text[TH_FAULT_LINE_BYTES_MAX];
    th_fault_format(fault, text, sizeof text);
    printf("# %s %s\n", what, text);
}

void expect_fault(const char *file, int line, th_fault expected) {
    bool same = sc.faults > 0 && same_fault(&sc.first, &expected);
    bool again = sc.level == 3 && sc.faults == 2 && same_fault(&sc.last, &sc.first);
    if (same && (sc.faults == 1 || again)) {
        return;
    }
    printf("# level %d, alignment %zu, %u faults\n", sc.level, sc.alignment, sc.faults);
    print_fault("expected", &expected);
    print_fault("first   ", &sc.first);
    print_fault("last    ", &sc.last);
    th_check_failed(file, line, "the fault is the expected one");
}

th_fault header_fault(uint32_t header) {
    return (th_fault){.kind = TH_FAULT_HEADER,
                      .block = header,
                      .tag = scene_word(header + 2) & 0x7FFF,
                      .offset = (header + SCENE_CHECK_DWORD) * 4,
                      .expected = scene_check_due(header),
                      .found = scene_word(header + SCENE_CHECK_DWORD)};
}

/* ---- calls -------------------------------------------------------------------------------- */

bool block_call_fails(block_call call, void *payload) {
    switch (call) {
    case CALL_FREE:
        return th_heap_free(&sc.heap, payload) == 0;
    case CALL_SHRINK:
        return th_heap_realloc(&sc.heap, payload, 3) == NULL;
    case CALL_GROW:
        return th_heap_realloc(&sc.heap, payload, 90) == NULL;
    case CALL_RESIZE_TO_0:
        return th_heap_realloc(&sc.heap, payload, 0) == NULL;
    case CALL_TRIM:
        return th_heap_trim(&sc.heap, payload) == 0;
    case CALL_RETAG:
        return !th_heap_retag(&sc.heap, payload, 5);
    case CALL_REQUESTED_SIZE:
        return th_heap_requested_size(&sc.heap, payload) == 0;
    case CALL_USABLE_SIZE:
        return th_heap_usable_size(&sc.heap, payload) == 0;
    case BLOCK_CALL_COUNT:
        break;
    }
    return false;
}

static bool count_question(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    sc.moves_asked++;
    return true;
}

bool compaction_fails(bool budgeted) {
    th_heap_compaction result = budgeted ? th_heap_compact_some(&sc.heap, 1, count_question, NULL)
                                         : th_heap_compact(&sc.heap, count_question, NULL);
    return result.blocks_moved == 0 && result.blocks_vetoed == 0 && result.bytes_moved == 0 &&
           !result.done && sc.moves_asked == 0;
}

static void any_block_call(unsigned call) {
    switch (call) {
    case 0:
        (void)th_heap_free(&sc.heap, NULL);
        break;
    case 1:
        (void)th_heap_free(&sc.heap, sc.v);
        break;
    case 2:
        (void)th_heap_realloc(&sc.heap, NULL, 8);
        break;
    case 3:
        (void)th_heap_realloc(&sc.heap, sc.c, 44);
        break;
    case 4:
        (void)th_heap_realloc(&sc.heap, sc.a, 60);
        break;
    case 5:
        (void)th_heap_trim(&sc.heap, NULL);
        break;
    default:
        (void)th_heap_trim(&sc.heap, sc.d);
        break;
    }
}

void any_call(unsigned call) {
    switch (call) {
    case 7:
        (void)th_heap_alloc(&sc.heap, 40, 0x1006);
        break;
    case 8:
        (void)th_heap_alloc(&sc.heap, 100, 0x4006);
        break;
    case 9:
        (void)th_heap_alloc(&sc.heap, 100000, 0x1006);
        break;
    case 10:
        (void)th_heap_alloc(&sc.heap, 0, 0x1006);
        break;
    case 11:
        (void)th_heap_free_tags(&sc.heap, 0x2000, 0x2001);
        break;
    case 12:
        (void)th_heap_free_tags(&sc.heap, 0x1003, 0x4001);
        break;
    case 13:
        (void)th_heap_compact(&sc.heap, NULL, NULL);
        break;
    case 14:
        (void)th_heap_compact_some(&sc.heap, 1, NULL, NULL);
        break;
    default:
        any_block_call(call);
        break;
    }
}
