/* SPDX-License-Identifier: MIT */
/* Damage: what each guard level notices, when, and how it is described. Each kind is done to a
 * small heap (guard_fixture.h) behind the back of the library; the call that meets it must raise
 * exactly the fault that describes it, return its failure value and change nothing. */
#include <stdalign.h>
#include <string.h>

#include "base/align.h"
#include "guard_fixture.h"
#include "heap_fixture.h"

#define POISON 0xFDFDFDFDu

/* ---- canaries: level 1 ---------------------------------------------------------------------- */

/* The block of `payload` has a byte of its canary at `byte` set to `value`: every call that names
 * the block says so. */
static void smash_and_call(unsigned char *payload, uint32_t tag, uint32_t byte,
                           unsigned char value) {
    scene_poke(byte, value);
    for (block_call call = 0; call < BLOCK_CALL_COUNT; call++) {
        scene_remember();
        CHECK(block_call_fails(call, payload));
        EXPECT_FAULT(TH_FAULT_CANARY, header_of(payload), tag, byte, scene_canary(byte), value);
        expect_unchanged();
    }
    scene_remember();
    CHECK_EQ(th_heap_free_tags(&sc.heap, tag, tag), 0);
    EXPECT_FAULT(TH_FAULT_CANARY, header_of(payload), tag, byte, scene_canary(byte), value);
    expect_unchanged();
    scene_poke(byte, scene_canary(byte));
}

static void every_byte_of(unsigned char *payload, uint32_t tag) {
    size_t requested = th_heap_requested_size(&sc.heap, payload);
    size_t usable = th_heap_usable_size(&sc.heap, payload);
    CHECK(requested < usable);
    for (size_t i = requested; i < usable; i++) {
        uint32_t byte = byte_of(payload + i);
        smash_and_call(payload, tag, byte, 0x41);
        smash_and_call(payload, tag, byte, scene_canary(byte) ^ 1);
        smash_and_call(payload, tag, byte, scene_canary(byte) ^ 0x80);
    }
}

static void smash_canaries(void) {
    every_byte_of(sc.a, 0x1001);
    every_byte_of(sc.c, 0x1003);
    every_byte_of(sc.t, 0x4001);
}

static void a_canary_is_verified_by_every_call_on_its_block(void) {
    scene_play(1, smash_canaries);
}

/* The lowest smashed byte is the one reported. */
static void smash_two_bytes(void) {
    uint32_t byte = byte_of(sc.t) + 33;
    scene_poke(byte + 2, 0x42);
    scene_poke(byte, 0x41);
    scene_remember();
    CHECK_EQ(th_heap_free(&sc.heap, sc.t), 0);
    EXPECT_FAULT(TH_FAULT_CANARY, header_of(sc.t), 0x4001, byte, scene_canary(byte), 0x41);
    expect_unchanged();
    scene_poke(byte, scene_canary(byte));
    scene_poke(byte + 2, scene_canary(byte + 2));
}

static void the_lowest_smashed_byte_is_reported(void) {
    scene_play(1, smash_two_bytes);
}

/* c is what a compaction would move first. */
static void smash_before_move(void) {
    for (uint32_t i = 45; i < 48; i++) {
        uint32_t byte = byte_of(sc.c) + i;
        scene_poke(byte, 0x41);
        for (int budgeted = 0; budgeted <= 1; budgeted++) {
            scene_remember();
            CHECK(compaction_fails(budgeted != 0));
            EXPECT_FAULT(TH_FAULT_CANARY, header_of(sc.c), 0x1003, byte, scene_canary(byte), 0x41);
            expect_unchanged();
        }
        scene_poke(byte, scene_canary(byte));
    }
}

static void a_canary_is_verified_before_a_move(void) {
    scene_play(1, smash_before_move);
}

/* The canary follows the requested size, down and up, and the block. */
static void follow_the_size(void) {
    unsigned char *payload = sc.d;
    for (uint32_t bytes = 1; bytes <= 16; bytes++) {
        CHECK_PTR_EQ(th_heap_realloc(&sc.heap, payload, bytes), payload);
        for (uint32_t i = 0; i < 16; i++) {
            bool inside = i < bytes;
            uint32_t byte = byte_of(payload) + i;
            unsigned char was = scene_byte(byte);
            scene_poke(byte, (unsigned char)~was);
            scene_remember();
            CHECK_EQ(th_heap_requested_size(&sc.heap, payload), inside ? bytes : 0);
            CHECK_EQ(sc.faults, inside ? 0 : 1);
            CHECK(inside || was == scene_canary(byte));
            scene_poke(byte, was);
        }
    }
    scene_remember();
}

static void the_canary_begins_at_the_requested_size(void) {
    scene_play(1, follow_the_size);
}

/* ---- poison: level 2 ---------------------------------------------------------------------- */

/* The free block at `header` has one byte smashed: an allocation that would use it says so. */
static void expect_poison(uint32_t header, uint32_t byte, void *(*allocate)(void)) {
    unsigned char was = scene_byte(byte);
    CHECK_EQ(was, POISON & 0xFF);
    scene_poke(byte, 0x41);
    scene_remember();
    CHECK(allocate() == NULL);
    EXPECT_FAULT(TH_FAULT_POISON, header, FREE, byte & ~3u, POISON, scene_word(byte / 4));
    expect_unchanged();
    scene_poke(byte, was);
}

static void *allocate_head(void) {
    return th_heap_alloc(&sc.heap, 10, 0x1006);
}

static void *allocate_tail(void) {
    return th_heap_alloc(&sc.heap, 10, 0x4006);
}

static void *allocate_large_head(void) {
    return th_heap_alloc(&sc.heap, 100, 0x1006);
}

/* All of a free block: b's, that of b and c, and the one in the middle. */
static void *allocate_hole(void) {
    return th_heap_alloc(&sc.heap, 64, 0x1006);
}

static void *allocate_two(void) {
    return th_heap_alloc(&sc.heap, 64 + sc.header * 4 + 48, 0x1006);
}

static void *allocate_middle(void) {
    return th_heap_alloc(&sc.heap, th_heap_largest_free_bytes(&sc.heap), 0x4006);
}

static void *grow_a(void) {
    return th_heap_realloc(&sc.heap, sc.a, 70);
}

static void *grow_c(void) {
    return th_heap_realloc(&sc.heap, sc.c, 100);
}

static void *compact(void) {
    CHECK(compaction_fails(false));
    return NULL;
}

static void *compact_some(void) {
    CHECK(compaction_fails(true));
    return NULL;
}

/* Of the 64 bytes of b, those that the block of allocate_head and the header above it will be. */
static uint32_t reused_by_head(void) {
    return (uint32_t)th_round_up(10, (uint32_t)sc.alignment) + sc.header * 4;
}

/* The same for what a grows by; the header that lies between is not used any more. */
static uint32_t reused_by_growth(void) {
    return (uint32_t)th_round_up(70, (uint32_t)sc.alignment) -
           (uint32_t)th_heap_usable_size(&sc.heap, sc.a);
}

static void smash_poison(void) {
    for (uint32_t i = 0; i < reused_by_head(); i++) {
        expect_poison(hole_offset(), byte_of(sc.b) + i, allocate_head);
    }
    for (uint32_t i = 0; i < reused_by_growth(); i++) {
        expect_poison(hole_offset(), byte_of(sc.b) + i, grow_a);
    }
    for (uint32_t i = 0; i < 64; i++) {
        expect_poison(hole_offset(), byte_of(sc.b) + i, allocate_hole);
        expect_poison(hole_offset(), byte_of(sc.b) + i, compact);
        expect_poison(hole_offset(), byte_of(sc.b) + i, compact_some);
    }
    for (uint32_t i = 0; i < 80; i++) {
        expect_poison(middle_offset(), byte_of(sc.e) + i, allocate_large_head);
        expect_poison(middle_offset(), byte_of(sc.e) + i, allocate_middle);
        expect_poison(middle_offset(), byte_of(sc.e) + i, grow_c);
    }
    for (uint32_t i = 0; i < 24; i++) {
        expect_poison(gap_offset(), byte_of(sc.u) + i, allocate_tail);
    }
}

static void poison_is_verified_before_memory_is_reused(void) {
    scene_play(2, smash_poison);
}

/* A byte of the part that stays free is not looked at: the call makes its block, and the damage is
 * there for the checker, for level 3, and for whoever uses that part. */
static void expect_no_look(uint32_t byte, void *(*allocate)(void)) {
    th_fault fault;
    unsigned char was = scene_byte(byte);
    CHECK_EQ(was, POISON & 0xFF);
    scene_poke(byte, 0x41);
    scene_remember();
    CHECK(allocate() != NULL);
    CHECK_EQ(sc.faults, sc.level == 2 ? 0 : 1);
    CHECK_EQ(th_heap_check(&sc.heap, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_POISON);
    CHECK_EQ(fault.offset, byte & ~3u);
    scene_poke(byte, was);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    scene_remember();
}

static void smash_what_stays_free(void) {
    for (uint32_t i = reused_by_head(); i < 64; i++) {
        expect_no_look(byte_of(sc.b) + i, allocate_head);
        CHECK(th_heap_free_tags(&sc.heap, 0x1006, 0x1006) == 1);
    }
    for (uint32_t i = reused_by_growth(); i < 64; i++) {
        expect_no_look(byte_of(sc.b) + i, grow_a);
        CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.a, 30), sc.a);
        CHECK(th_heap_trim(&sc.heap, sc.a) != 0);
    }
    scene_remember();
}

static void poison_that_stays_free_is_not_looked_at(void) {
    scene_play(2, smash_what_stays_free);
}

/* A header that was merged away is poison like everything around it. */
static void smash_merged_header(void) {
    CHECK(th_heap_free(&sc.heap, sc.c) != 0);
    uint32_t header = header_of(sc.c);
    for (uint32_t i = 0; i < sc.header * 4; i++) {
        expect_poison(hole_offset(), header * 4 + i, allocate_two);
    }
    scene_remember();
}

static void merged_headers_are_poison(void) {
    scene_play(2, smash_merged_header);
}

/* Between what HEAD and what TAIL blocks have ever used nothing is written, and nothing seen. */
static void write_where_nothing_was(void) {
    uint32_t from = byte_of(sc.e) + 80 + sc.header * 4;
    uint32_t to = header_of(sc.v) * 4;
    CHECK(from < to);
    for (uint32_t byte = from; byte < to; byte++) {
        scene_poke(byte, 0x41);
    }
    scene_remember();
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    for (unsigned call = 0; call < ANY_CALL_COUNT; call++) {
        scene_start(sc.alignment, sc.level);
        scene_poke(from, 0x41);
        scene_poke(to - 1, 0x41);
        any_call(call);
        CHECK_EQ(sc.faults, 0);
        CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    }
}

static void memory_never_used_is_not_looked_at(void) {
    scene_play(0, write_where_nothing_was);
}

/* ---- headers -------------------------------------------------------------------------------- */

static void expect_own_header(unsigned char *payload) {
    uint32_t header = header_of(payload);
    for (block_call call = 0; call < BLOCK_CALL_COUNT; call++) {
        scene_remember();
        CHECK(block_call_fails(call, payload));
        th_fault expected = header_fault(header);
        expect_fault(__FILE__, __LINE__, expected);
        expect_unchanged();
    }
}

static void flip_all_bits_of(unsigned char *payload) {
    uint32_t header = header_of(payload);
    for (uint32_t dword = 0; dword < SCENE_HEADER_WORDS; dword++) {
        for (uint32_t bit = 0; bit < 32; bit++) {
            scene_flip(header + dword, 1u << bit);
            scene_remember();
            CHECK_EQ(th_heap_free(&sc.heap, payload), 0);
            expect_fault(__FILE__, __LINE__, header_fault(header));
            expect_unchanged();
            if (bit % 11 == dword) {
                expect_own_header(payload);
            }
            scene_flip(header + dword, 1u << bit);
        }
    }
}

static void flip_live_headers(void) {
    unsigned char *payloads[SCENE_LIVE] = {sc.a, sc.c, sc.d, sc.v, sc.t};
    for (size_t i = 0; i < SCENE_LIVE; i++) {
        flip_all_bits_of(payloads[i]);
    }
}

static void every_bit_of_a_header_counts(void) {
    scene_play(1, flip_live_headers);
}

static void expect_neighbour(uint32_t damaged, unsigned char *payload) {
    scene_flip(damaged + 3, 0x10);
    for (block_call call = 0; call < CHANGING_CALL_COUNT; call++) {
        scene_remember();
        CHECK(block_call_fails(call, payload));
        expect_fault(__FILE__, __LINE__, header_fault(damaged));
        expect_unchanged();
    }
    scene_flip(damaged + 3, 0x10);
}

static void damage_neighbours(void) {
    expect_neighbour(hole_offset(), sc.a);
    expect_neighbour(hole_offset(), sc.c);
    expect_neighbour(header_of(sc.d), sc.c);
    expect_neighbour(header_of(sc.c), sc.d);
    expect_neighbour(middle_offset(), sc.d);
    expect_neighbour(middle_offset(), sc.v);
    expect_neighbour(gap_offset(), sc.v);
    expect_neighbour(gap_offset(), sc.t);
    expect_neighbour(last_offset(), sc.t);
}

static void neighbours_headers_are_verified(void) {
    scene_play(2, damage_neighbours);
}

/* Around the block that a compaction would move: below the hole, the hole, itself, above it. */
static void damage_around_a_move(void) {
    uint32_t around[] = {header_of(sc.a), hole_offset(), header_of(sc.c), header_of(sc.d)};
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        scene_flip(around[i] + 1, 0x4);
        for (int budgeted = 0; budgeted <= 1; budgeted++) {
            scene_remember();
            CHECK(compaction_fails(budgeted != 0));
            expect_fault(__FILE__, __LINE__, header_fault(around[i]));
            expect_unchanged();
        }
        scene_flip(around[i] + 1, 0x4);
    }
}

static void headers_around_a_move_are_verified(void) {
    scene_play(1, damage_around_a_move);
}

/* On the way to the place of a new block, and around it. */
static void damage_on_the_way(void) {
    uint32_t head[] = {header_of(sc.a), hole_offset(), header_of(sc.c)};
    uint32_t tail[] = {last_offset(), header_of(sc.t), gap_offset()};
    for (size_t i = 0; i < 3; i++) {
        scene_flip(head[i] + 4, 0x80);
        scene_remember();
        CHECK(allocate_head() == NULL);
        expect_fault(__FILE__, __LINE__, header_fault(head[i]));
        expect_unchanged();
        scene_flip(head[i] + 4, 0x80);

        scene_flip(tail[i] + 4, 0x80);
        scene_remember();
        CHECK(allocate_tail() == NULL);
        expect_fault(__FILE__, __LINE__, header_fault(tail[i]));
        expect_unchanged();
        scene_flip(tail[i] + 4, 0x80);
    }
}

static void headers_on_the_way_to_a_place_are_verified(void) {
    scene_play(1, damage_on_the_way);
}

/* free_tags walks from the bottom; the first match lies above what is damaged. */
static void damage_below_the_tag(void) {
    uint32_t below[] = {header_of(sc.a), hole_offset(), header_of(sc.c), header_of(sc.d)};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        scene_flip(below[i] + 2, 0x10000);
        scene_remember();
        CHECK_EQ(th_heap_free_tags(&sc.heap, 0x1003, 0x1003), 0);
        expect_fault(__FILE__, __LINE__, header_fault(below[i]));
        expect_unchanged();
        scene_flip(below[i] + 2, 0x10000);
    }
}

static void free_tags_verifies_what_it_walks_over(void) {
    scene_play(1, damage_below_the_tag);
}

/* d cannot grow in place, for the free block above it is too small; what lies above that one is
 * needed only to free the old block. */
static void damage_beyond_a_moving_resize(void) {
    unsigned char *plug = th_heap_alloc(&sc.heap, 64, 0x100F); /* in the hole */
    unsigned char *small = th_heap_alloc(&sc.heap, 10, 0x1010);
    unsigned char *beyond = th_heap_alloc(&sc.heap, 10, 0x1011);
    CHECK(th_heap_free(&sc.heap, small) != 0);
    CHECK(th_heap_free(&sc.heap, plug) != 0);
    scene_flip(header_of(beyond) + 4, 0x80);
    scene_remember();
    CHECK(th_heap_realloc(&sc.heap, sc.d, 60) == NULL);
    expect_fault(__FILE__, __LINE__, header_fault(header_of(beyond)));
    expect_unchanged();
    scene_flip(header_of(beyond) + 4, 0x80);
    unsigned char *moved = th_heap_realloc(&sc.heap, sc.d, 60);
    CHECK(moved != NULL && filled(moved, 16, 0x1004));
}

static void a_block_moves_only_if_the_old_one_can_be_freed(void) {
    scene_play(1, damage_beyond_a_moving_resize);
}

/* ---- links that agree with their check word ------------------------------------------------- */

static void expect_chain(unsigned char *payload, size_t block, uint32_t tag, uint32_t expected,
                         uint32_t found) {
    static const block_call calls[] = {CALL_FREE, CALL_RESIZE_TO_0};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        scene_remember();
        CHECK(block_call_fails(calls[i], payload));
        CHECK_EQ(sc.first.kind, TH_FAULT_CHAIN);
        CHECK_EQ(sc.first.block, block);
        CHECK_EQ(sc.first.tag, tag);
        CHECK_EQ(sc.first.offset, TH_FAULT_NOWHERE);
        CHECK_EQ(sc.first.expected, expected);
        CHECK_EQ(sc.first.found, found);
        expect_unchanged();
    }
}

static void forge_links(void) {
    uint32_t a = header_of(sc.a);
    uint32_t c = header_of(sc.c);
    uint32_t d = header_of(sc.d);
    const uint32_t prev = 0x07FFFFFF;
    const uint32_t next = 0xFFFFFFFF;

    scene_forge(a, 1, next, c); /* a links past the hole */
    expect_chain(sc.a, a, 0x1001, hole_offset(), c);
    scene_forge(a, 1, next, SCENE_DWORDS + 40); /* and out of the region */
    expect_chain(sc.a, a, 0x1001, hole_offset(), SCENE_DWORDS + 40);
    scene_forge(a, 1, next, hole_offset());

    scene_forge(c, 0, prev, a); /* c links back past the hole */
    expect_chain(sc.c, a, 0x1001, c, hole_offset());
    scene_forge(c, 0, prev, prev);
    expect_chain(sc.c, TH_FAULT_NOWHERE, 0, last_offset(), prev);
    scene_forge(c, 0, prev, hole_offset());

    uint32_t hole = hole_offset();
    uint32_t size = scene_word(hole + 2);
    scene_forge(hole, 2, UINT32_MAX, size + (1u << 15)); /* the hole ends above c */
    expect_chain(sc.c, hole, FREE, c + 1, c);
    scene_forge(hole, 2, UINT32_MAX, size);

    scene_forge(d, 0, prev, hole_offset()); /* d does not link back to c */
    expect_chain(sc.c, d, 0x1004, c, hole_offset());
    scene_forge(d, 0, prev, c);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
}

static void links_that_do_not_lead_back_are_a_broken_chain(void) {
    scene_play(1, forge_links);
}

/* The validator's own findings: a call that does nothing raises them at level 3, and the checker
 * finds them at every level. */
static void expect_finding(th_fault_kind kind, uint32_t header, uint32_t expected, uint32_t found) {
    th_fault fault;
    uint32_t tag = scene_word(header + 2) & 0x7FFF;
    CHECK_EQ(th_heap_check(&sc.heap, &fault), TH_ERR_CORRUPT);
    scene_remember();
    CHECK_EQ(th_heap_free(&sc.heap, NULL), 0);
    if (sc.level < 3) {
        CHECK_EQ(sc.faults, 0);
        sc.first = fault;
        sc.faults = 1;
    }
    EXPECT_FAULT(kind, header, tag, header * 4, expected, found);
    expect_unchanged();
}

/* A header's dword 2. */
static uint32_t tag_and_size(uint32_t header, uint32_t tag) {
    return (scene_word(header + 2) & ~0x7FFFu) | tag;
}

static void forge_and_find(uint32_t header, uint32_t dword, uint32_t value, th_fault_kind kind,
                           uint32_t named, uint32_t expected, uint32_t found) {
    uint32_t was = scene_word(header + dword);
    scene_forge(header, dword, UINT32_MAX, value);
    expect_finding(kind, named, expected, found);
    scene_forge(header, dword, UINT32_MAX, was);
}

static void forge_what_only_the_validator_sees(void) {
    uint32_t a = header_of(sc.a), c = header_of(sc.c), d = header_of(sc.d), t = header_of(sc.t);
    uint32_t hole = hole_offset();
    uint32_t a_bytes = (hole - a - sc.header) * 4;
    uint32_t aligned = (uint32_t)sc.alignment == 4 ? 2 : (uint32_t)sc.alignment == 8 ? 3 : 4;

    forge_and_find(c, 0, scene_word(c) ^ 1, TH_FAULT_CHAIN, c, hole, hole ^ 1);
    forge_and_find(c, 1, d + 4, TH_FAULT_CHAIN, c, d, d + 4);
    forge_and_find(a, 3, 0, TH_FAULT_CHAIN, a, a_bytes, 0);
    forge_and_find(a, 3, a_bytes + 1, TH_FAULT_CHAIN, a, a_bytes, a_bytes + 1);
    forge_and_find(hole, 3, 7, TH_FAULT_CHAIN, hole, 0, 7);
    forge_and_find(t, 2, tag_and_size(t, 0x1009), TH_FAULT_CHAIN, t, 0x4000, 0x1009);
    forge_and_find(a, 0, (aligned - 1) << 27, TH_FAULT_MISALIGNED, a, 0, aligned - 1);
    forge_and_find(a, 0, 31u << 27, TH_FAULT_MISALIGNED, a, 0, 31);
    forge_and_find(last_offset(), 1, 4, TH_FAULT_CHAIN, last_offset(), 0, 4);

    /* d without an owner: two free blocks side by side. */
    uint32_t requested = scene_word(d + 3);
    memset(sc.d, 0xFD, 16);
    scene_forge(d, 3, UINT32_MAX, 0);
    forge_and_find(d, 2, tag_and_size(d, FREE), TH_FAULT_CHAIN, middle_offset(), 0, FREE);
    scene_forge(d, 3, UINT32_MAX, requested);
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
}

static void the_validator_finds_what_links_do_not_show(void) {
    scene_play(1, forge_what_only_the_validator_sees);
}

static void expect_wrong_count(uint32_t *counter, uint32_t wrong) {
    uint32_t right = *counter;
    *counter = wrong;
    th_fault fault;
    CHECK_EQ(th_heap_check(&sc.heap, &fault), TH_ERR_CORRUPT);
    scene_remember();
    CHECK(th_heap_free(&sc.heap, NULL) == 0);
    CHECK_EQ(sc.faults, sc.level == 3 ? 1 : 0);
    sc.first = fault;
    sc.faults = 1;
    EXPECT_FAULT(TH_FAULT_COUNT, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, right, wrong);
    expect_unchanged();
    *counter = right;
}

static void spoil_counters(void) {
    uint32_t *counters[] = {&sc.heap.head_blocks, &sc.heap.tail_blocks, &sc.heap.free_blocks,
                            &sc.heap.head_dwords, &sc.heap.tail_dwords};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        expect_wrong_count(counters[i], *counters[i] + 1);
        expect_wrong_count(counters[i], *counters[i] - 1);
    }
    uint32_t high_water = sc.heap.high_water_dwords;
    sc.heap.high_water_dwords = (uint32_t)(stats_of(&sc.heap).used_bytes / 4);
    expect_wrong_count(&sc.heap.high_water_dwords, sc.heap.high_water_dwords - 1);
    sc.heap.high_water_dwords = high_water;
}

static void wrong_counters_are_found(void) {
    scene_play(0, spoil_counters);
}

/* ---- images --------------------------------------------------------------------------------- */

static alignas(64) unsigned char copy_region[SCENE_DWORDS * 4];

static void copy_damaged(void) {
    uint32_t headers[] = {header_of(sc.a), hole_offset(),   header_of(sc.c), header_of(sc.d),
                          middle_offset(), header_of(sc.v), gap_offset(),    header_of(sc.t)};
    memset(copy_region, 0x5C, sizeof copy_region);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        th_heap copy = {0};
        scene_flip(headers[i] + 1, 0x8);
        scene_remember();
        CHECK_EQ(th_heap_copy(&sc.heap, &copy, copy_region), TH_ERR_CORRUPT);
        expect_fault(__FILE__, __LINE__, header_fault(headers[i]));
        expect_unchanged();
        CHECK(copy.base == NULL && copy.dwords == 0);
        scene_flip(headers[i] + 1, 0x8);
    }
    for (size_t i = 0; i < sizeof copy_region; i++) {
        CHECK_EQ(copy_region[i], 0x5C);
    }
}

static void a_damaged_heap_is_not_copied(void) {
    scene_play(1, copy_damaged);
}

/* attach describes nothing: it refuses, and leaves the heap as it was. */
static void attach_damaged(void) {
    th_heap_detach(&sc.heap);
    uint32_t bytes[] = {byte_of(sc.a) + 30, header_of(sc.c) * 4 + 16, byte_of(sc.b) + 9};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        bool noticed = i < 2 || sc.level >= 2;
        if (noticed) {
            sc.region[bytes[i]] ^= 1;
            th_heap attached = sc.heap;
            CHECK_EQ(th_heap_attach(&attached, sc.region), TH_ERR_CORRUPT);
            CHECK_EQ(sc.faults, 0);
            sc.region[bytes[i]] ^= 1;
        }
    }
    CHECK_EQ(th_heap_attach(&sc.heap, sc.region), TH_OK);
    CHECK(filled(sc.c, 45, 0x1003));
}

static void a_damaged_image_is_not_attached(void) {
    scene_play(1, attach_damaged);
}

TH_SUITE("guards", TEST(a_canary_is_verified_by_every_call_on_its_block),
         TEST(the_lowest_smashed_byte_is_reported), TEST(a_canary_is_verified_before_a_move),
         TEST(the_canary_begins_at_the_requested_size),
         TEST(poison_is_verified_before_memory_is_reused),
         TEST(poison_that_stays_free_is_not_looked_at), TEST(merged_headers_are_poison),
         TEST(memory_never_used_is_not_looked_at), TEST(every_bit_of_a_header_counts),
         TEST(neighbours_headers_are_verified), TEST(headers_around_a_move_are_verified),
         TEST(headers_on_the_way_to_a_place_are_verified),
         TEST(free_tags_verifies_what_it_walks_over),
         TEST(a_block_moves_only_if_the_old_one_can_be_freed),
         TEST(links_that_do_not_lead_back_are_a_broken_chain),
         TEST(the_validator_finds_what_links_do_not_show), TEST(wrong_counters_are_found),
         TEST(a_damaged_heap_is_not_copied), TEST(a_damaged_image_is_not_attached))
