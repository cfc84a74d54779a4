/* SPDX-License-Identifier: MIT */
/* What the levels are to each other: level 3 notices any damage at the next call of any kind,
 * level 0 writes nothing but headers, and none of them changes what the heap decides. */
#include <stdalign.h>
#include <string.h>

#include "base/track.h"
#include "guard_fixture.h"
#include "heap_fixture.h"

#define POISON 0xFDFDFDFDu

/* ---- level 3: anywhere, at the next call ---------------------------------------------------- */

/* The first fault describes the damage. The block named is the one around the damage, which may
 * have been merged with another by the call itself. */
static void expect_noticed(unsigned call, th_fault expected) {
    scene_remember();
    any_call(call);
    CHECK(sc.faults > 0);
    CHECK_EQ(sc.first.kind, expected.kind);
    CHECK_EQ(sc.first.offset, expected.offset);
    CHECK_EQ(sc.first.expected, expected.expected);
    CHECK_EQ(sc.first.found, expected.found);
    CHECK_EQ(sc.first.tag, expected.tag);
    if (expected.kind != TH_FAULT_POISON) {
        CHECK_EQ(sc.first.block, expected.block);
        return;
    }
    th_heap_block block;
    CHECK(th_heap_find(&sc.heap, sc.region + expected.offset, &block));
    CHECK_EQ(sc.first.block, block.offset);
    CHECK_EQ(block.tag, FREE);
}

static uint32_t header_by_number(unsigned number) {
    const uint32_t headers[] = {header_of(sc.a), hole_offset(),   header_of(sc.c),
                                header_of(sc.d), middle_offset(), header_of(sc.v),
                                gap_offset(),    header_of(sc.t), last_offset()};
    return headers[number];
}

#define HEADERS 9u

static void every_call_meets_a_damaged_header(void) {
    for (unsigned call = 0; call < ANY_CALL_COUNT; call++) {
        for (unsigned number = 0; number < HEADERS; number++) {
            for (uint32_t dword = 0; dword < SCENE_HEADER_WORDS; dword++) {
                scene_start(sc.alignment, sc.level);
                uint32_t header = header_by_number(number);
                scene_flip(header + dword, 1u << (call + number + dword) % 32);
                expect_noticed(call, header_fault(header));
            }
        }
    }
    scene_start(sc.alignment, sc.level);
}

static void every_call_notices_a_damaged_header(void) {
    scene_play(3, every_call_meets_a_damaged_header);
}

static void every_bit_is_flipped(void) {
    for (unsigned number = 0; number < HEADERS; number++) {
        uint32_t header = header_by_number(number);
        for (uint32_t bit = 0; bit < SCENE_HEADER_WORDS * 32; bit++) {
            scene_flip(header + bit / 32, 1u << bit % 32);
            expect_noticed(0, header_fault(header));
            expect_unchanged();
            scene_flip(header + bit / 32, 1u << bit % 32);
        }
    }
}

static void every_bit_of_every_header_is_noticed_at_once(void) {
    scene_play(3, every_bit_is_flipped);
}

typedef struct canary_place {
    unsigned char *payload;
    uint32_t tag, from, to; /* bytes of the payload */
} canary_place;

static void every_call_meets_a_smashed_canary(void) {
    for (unsigned call = 0; call < ANY_CALL_COUNT; call++) {
        for (unsigned i = 0; i < 3; i++) {
            scene_start(sc.alignment, sc.level);
            const canary_place places[] = {
                {sc.a, 0x1001, 30, 32}, {sc.c, 0x1003, 45, 48}, {sc.t, 0x4001, 33, 36}};
            const canary_place *place = &places[i];
            uint32_t byte =
                byte_of(place->payload) + place->from + call % (place->to - place->from);
            uint32_t due = scene_canary(byte);
            uint32_t wrong = due ^ (1 + call);
            scene_poke(byte, (unsigned char)wrong);
            expect_noticed(call, (th_fault){TH_FAULT_CANARY, header_of(place->payload), place->tag,
                                            byte, due, wrong});
        }
    }
    scene_start(sc.alignment, sc.level);
}

static void every_call_notices_a_smashed_canary(void) {
    scene_play(3, every_call_meets_a_smashed_canary);
}

static void every_call_meets_smashed_poison(void) {
    for (unsigned call = 0; call < ANY_CALL_COUNT; call++) {
        for (unsigned i = 0; i < 6; i++) {
            scene_start(sc.alignment, sc.level);
            const uint32_t bytes[] = {byte_of(sc.b),      byte_of(sc.b) + 63, byte_of(sc.e),
                                      byte_of(sc.e) + 79, byte_of(sc.u),      byte_of(sc.u) + 23};
            uint32_t byte = bytes[i];
            scene_poke(byte, 0x41);
            expect_noticed(call, (th_fault){TH_FAULT_POISON, 0, FREE, byte & ~3u, POISON,
                                            scene_word(byte / 4)});
        }
    }
    scene_start(sc.alignment, sc.level);
}

static void every_call_notices_smashed_poison(void) {
    scene_play(3, every_call_meets_smashed_poison);
}

static void every_call_meets_a_broken_link(void) {
    for (unsigned number = 0; number < HEADERS; number++) {
        for (uint32_t dword = 0; dword < 2; dword++) {
            uint32_t header = header_by_number(number);
            uint32_t was = scene_word(header + dword);
            scene_forge(header, dword, 0x3F, was ^ 0x20);
            scene_remember();
            CHECK_EQ(th_heap_free(&sc.heap, NULL), 0);
            CHECK_EQ(sc.faults, 1);
            CHECK_EQ(sc.first.kind, TH_FAULT_CHAIN);
            CHECK_EQ(sc.first.block, header);
            CHECK_EQ(sc.first.offset, header * 4);
            CHECK_EQ(sc.first.found ^ sc.first.expected, 0x20);
            expect_unchanged();
            scene_forge(header, dword, 0x3F, was);
        }
    }
}

static void broken_links_are_noticed_at_once(void) {
    scene_play(3, every_call_meets_a_broken_link);
}

/* ---- re-entry: every level ------------------------------------------------------------------ */

static bool call_from_inside(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)to;
    (void)bytes;
    for (block_call call = 0; call < CHANGING_CALL_COUNT; call++) {
        scene_remember();
        CHECK(block_call_fails(call, from));
        EXPECT_FAULT(TH_FAULT_REENTRY, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0, 1);
        CHECK_EQ(sc.faults, 1);
        expect_unchanged();
    }
    for (unsigned call = 0; call < ANY_CALL_COUNT; call++) {
        scene_remember();
        any_call(call);
        EXPECT_FAULT(TH_FAULT_REENTRY, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0, 1);
        CHECK_EQ(sc.faults, 1);
        expect_unchanged();
    }
    return false;
}

static void compact_and_call(void) {
    th_heap_compaction result = th_heap_compact(&sc.heap, call_from_inside, NULL);
    CHECK_EQ(result.blocks_moved, 0);
    CHECK_EQ(result.blocks_vetoed, 1);
    CHECK(result.done);
}

static void calls_from_a_callback_are_refused_at_every_level(void) {
    scene_play(0, compact_and_call);
}

/* ---- level 0 -------------------------------------------------------------------------------- */

/* The dwords that may be written: headers of blocks that are there now, or were before the call. */
static bool header_here[SCENE_DWORDS];

static void mark_headers(void) {
    th_heap_block block;
    for (bool more = th_heap_first(&sc.heap, &block); more; more = th_heap_next(&sc.heap, &block)) {
        memset(header_here + block.offset, true, SCENE_HEADER_WORDS);
    }
}

static void look_before(void) {
    memset(header_here, false, sizeof header_here);
    mark_headers();
    scene_remember();
}

/* Since look_before nothing was written after a requested size, nor into what was freed. */
static void expect_only_headers_written(void) {
    mark_headers();
    for (uint32_t dword = 0; dword < SCENE_DWORDS; dword++) {
        CHECK(header_here[dword] || scene_word(dword) == sc.image_before[dword]);
    }
    CHECK_EQ(sc.faults, 0);
    look_before();
}

static void call_and_look(void) {
    for (unsigned call = 0; call < ANY_CALL_COUNT; call++) {
        if (call != 4 && call < 13) { /* what moves contents is looked at below */
            scene_start(sc.alignment, sc.level);
            look_before();
            any_call(call);
            expect_only_headers_written();
        }
    }
    scene_start(sc.alignment, sc.level);
    look_before();
    uint32_t free_dwords = (uint32_t)(stats_of(&sc.heap).largest_free_bytes / 4);
    unsigned char *payload = th_heap_alloc(&sc.heap, free_dwords * 4 - 3, 0x1006);
    CHECK(payload != NULL);
    expect_only_headers_written();
    CHECK_PTR_EQ(th_heap_realloc(&sc.heap, payload, 1), payload);
    expect_only_headers_written();
    CHECK(th_heap_trim(&sc.heap, payload) != 0);
    expect_only_headers_written();
    CHECK_PTR_EQ(th_heap_realloc(&sc.heap, payload, 40), payload);
    expect_only_headers_written();
    CHECK_EQ(th_heap_free_tags(&sc.heap, 0, 0x7FFE), 6);
    CHECK_EQ(stats_of(&sc.heap).free_blocks, 1);
    expect_only_headers_written();
}

static void expect_canaries_unwritten(unsigned char *payload, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        CHECK_EQ(scene_byte(byte_of(payload) + i), 0x5C);
    }
}

/* A move takes the requested bytes along, and nothing else is written but headers. */
static void move_and_look(void) {
    static uint32_t before[SCENE_DWORDS];
    uint32_t to = hole_offset() + sc.header;
    memcpy(before, sc.image_before, sizeof before);
    CHECK_EQ(th_heap_compact_some(&sc.heap, 1, NULL, NULL).blocks_moved, 1);
    unsigned char *moved = sc.region + (size_t)to * 4;
    CHECK(filled(moved, 45, 0x1003));
    CHECK_EQ(scene_byte(to * 4 + 45), ((unsigned char *)&before[to + 11])[1]);
    CHECK_EQ(scene_byte(to * 4 + 47), ((unsigned char *)&before[to + 11])[3]);
    for (uint32_t dword = to + 12 + SCENE_HEADER_WORDS; dword < header_of(sc.d); dword++) {
        CHECK_EQ(scene_word(dword), before[dword]);
    }
    CHECK_EQ(sc.faults, 0);
}

static void level_0_writes_nothing_but_headers(void) {
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        scene_start(alignment, 0);
        expect_canaries_unwritten(sc.a, 30, 32);
        expect_canaries_unwritten(sc.t, 33, 36);
        call_and_look();
        scene_start(alignment, 0);
        move_and_look();
        scene_stop();
    }
}

/* Level 0 does not even keep check words: the seed stands there. */
static void level_0_keeps_no_check_word(void) {
    scene_start(4, 0);
    for (unsigned number = 0; number < HEADERS; number++) {
        CHECK_EQ(scene_word(header_by_number(number) + SCENE_CHECK_DWORD), sc.heap.check_seed);
    }
    scene_stop();
}

static void a_level_above_what_is_built_is_lowered(void) {
    for (int level = 0; level <= 3; level++) {
        scene_start(4, level);
        CHECK_EQ(sc.heap.guard, level < th_guard_max() ? level : th_guard_max());
        CHECK_EQ(sc.heap.config.guarding.level, level);
        scene_stop();
    }
}

/* ---- decisions ------------------------------------------------------------------------------ */

#define LEVELS      4
#define TWIN_DWORDS 600u
#define TWIN_SLOTS  24
#define TWIN_STEPS  1500

/* Four heaps, one at each level, play the same calls. */
typedef struct twin {
    th_heap heap;
    unsigned char *slots[TWIN_SLOTS];
    uint64_t moves; /* a digest of all questions */
    alignas(512) unsigned char region[TWIN_DWORDS * 4];
} twin;

static twin twins[LEVELS];

static void expect_no_fault(void *context, const th_fault *fault) {
    (void)context;
    (void)fault;
    th_check_failed(__FILE__, __LINE__, "no call breaks a rule");
}

static bool decide(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    twin *w = context;
    uint64_t question = (uint64_t)tag << 40 ^ (uint64_t)bytes << 20;
    question ^= (uint64_t)((unsigned char *)from - w->region) << 10;
    question ^= (uint64_t)((unsigned char *)to - w->region);
    w->moves = w->moves * 31 + question;
    if (tag % 5 == 0) {
        return false;
    }
    for (size_t i = 0; i < TWIN_SLOTS; i++) {
        w->slots[i] = w->slots[i] == from ? to : w->slots[i];
    }
    return true;
}

static uint64_t place_of(const twin *w, const void *payload) {
    return payload == NULL ? UINT64_MAX : (uint64_t)((const unsigned char *)payload - w->region);
}

static uint64_t compaction_digest(const twin *w, th_heap_compaction result) {
    return w->moves * 7 + result.blocks_moved + ((uint64_t)result.blocks_vetoed << 8) +
           ((uint64_t)result.bytes_moved << 16) + (uint64_t)result.done;
}

/* One call, chosen by a random number; what it returned, as a number. */
static uint64_t play(twin *w, uint64_t random) {
    unsigned char **slot = &w->slots[random % TWIN_SLOTS];
    size_t bytes = 1 + (size_t)(random >> 16) % 180;
    uint32_t tag = (uint32_t)(random >> 8 & 1) * 0x4000 + (uint32_t)(random >> 32 & 15);
    switch (random >> 40 & 15) {
    case 0:
        return compaction_digest(w, th_heap_compact(&w->heap, decide, w));
    case 1:
    case 2:
        return compaction_digest(w, th_heap_compact_some(&w->heap, bytes, decide, w));
    case 3:
        return *slot == NULL ? 0 : th_heap_trim(&w->heap, *slot);
    case 4:
    case 5:
    case 6:
        if (*slot != NULL) {
            unsigned char *grown = th_heap_realloc(&w->heap, *slot, bytes);
            *slot = grown != NULL ? grown : *slot;
            return place_of(w, grown);
        }
        break;
    default:
        break;
    }
    if (*slot != NULL) {
        size_t gained = th_heap_free(&w->heap, *slot);
        *slot = NULL;
        return gained;
    }
    size_t alignment = (size_t)4 << (random >> 48 & 7);
    *slot = th_heap_alloc_aligned(&w->heap, bytes, alignment, tag);
    if (*slot != NULL) {
        memset(*slot, (int)(random & 0xFF), bytes);
    }
    return place_of(w, *slot);
}

static void play_in_step(size_t alignment, uint64_t seed) {
    for (int level = 0; level < LEVELS; level++) {
        twin *w = &twins[level];
        const th_heap_config config = {.alignment = alignment,
                                       .guarding.level = level,
                                       .poison_unused = (seed >> level & 1) != 0,
                                       .guarding.on_fault = expect_no_fault};
        memset(w->slots, 0, sizeof w->slots);
        w->moves = 0;
        CHECK_EQ(th_heap_init(&w->heap, w->region, sizeof w->region, &config), TH_OK);
    }
    uint64_t state = seed;
    for (int step = 0; step < TWIN_STEPS; step++) {
        uint64_t random = th_test_random(&state);
        uint64_t result = play(&twins[0], random);
        for (int level = 1; level < LEVELS; level++) {
            CHECK_EQ(play(&twins[level], random), result);
            CHECK_EQ(twins[level].heap.compact_cursor, twins[0].heap.compact_cursor);
        }
        if (step % 16 == 0) {
            for (int level = 1; level < LEVELS; level++) {
                expect_same_heaps(&twins[0].heap, &twins[level].heap);
            }
        }
    }
    CHECK(twins[0].moves != 0 && stats_of(&twins[0].heap).failed_allocs != 0);
    for (int level = 0; level < LEVELS; level++) {
        for (size_t i = 0; i < TWIN_SLOTS; i++) {
            CHECK_EQ(place_of(&twins[level], twins[level].slots[i]),
                     place_of(&twins[0], twins[0].slots[i]));
        }
        th_heap_clean_up(&twins[level].heap);
    }
}

static void guards_change_no_decision(void) {
    uint64_t seed = th_test_seed(0x6465636964650000);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        play_in_step(alignment, seed + alignment);
    }
}

TH_SUITE("guards_levels", TEST(every_call_notices_a_damaged_header),
         TEST(every_bit_of_every_header_is_noticed_at_once),
         TEST(every_call_notices_a_smashed_canary), TEST(every_call_notices_smashed_poison),
         TEST(broken_links_are_noticed_at_once),
         TEST(calls_from_a_callback_are_refused_at_every_level),
         TEST(level_0_writes_nothing_but_headers), TEST(level_0_keeps_no_check_word),
         TEST(a_level_above_what_is_built_is_lowered), TEST(guards_change_no_decision))
