/* SPDX-License-Identifier: MIT */
/* Pointers that are no live payload, handed to every call that takes one: each is named as what it
 * is, the call returns its failure value, and nothing is changed. Without guards a misused pointer
 * is undefined behaviour; then only NULL is tested. */
#include <string.h>

#include "guard_fixture.h"
#include "heap_fixture.h"

/* Every call with this pointer raises this fault, once, and changes nothing. */
static void expect_refused(int line, uintptr_t pointer, th_fault expected) {
    for (block_call call = 0; call < BLOCK_CALL_COUNT; call++) {
        scene_remember();
        CHECK(block_call_fails(call, (void *)pointer));
        expect_fault(__FILE__, line, expected);
        CHECK_EQ(sc.faults, 1);
        expect_unchanged();
    }
}

#define EXPECT_REFUSED(pointer, ...)                                                               \
    expect_refused(__LINE__, (uintptr_t)(pointer), (th_fault){__VA_ARGS__})

#define EXPECT_FOREIGN(pointer)                                                                    \
    EXPECT_REFUSED(pointer, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,            \
                   (uint32_t)((uintptr_t)(pointer) - (uintptr_t)sc.region))

#define EXPECT_MISALIGNED(pointer)                                                                 \
    EXPECT_REFUSED(pointer, TH_FAULT_MISALIGNED, TH_FAULT_NOWHERE, 0, byte_of(pointer),            \
                   sc.header * 4, byte_of(pointer))

/* The block around `byte` is live (kind NOT_A_BLOCK) or free (DOUBLE_FREE). */
static void expect_inside(int line, uint32_t byte, uint32_t header, uint32_t tag) {
    th_fault expected = {.kind = tag == FREE ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK,
                         .block = header,
                         .tag = tag,
                         .offset = byte,
                         .expected = (header + sc.header) * 4,
                         .found = byte};
    expect_refused(line, (uintptr_t)sc.region + byte, expected);
}

#define EXPECT_INSIDE(pointer, header, tag) expect_inside(__LINE__, byte_of(pointer), header, tag)

/* ---- NULL ----------------------------------------------------------------------------------- */

static void give_null(void) {
    for (block_call call = 0; call < BLOCK_CALL_COUNT; call++) {
        scene_remember();
        CHECK(block_call_fails(call, NULL));
        CHECK_EQ(sc.faults, 0);
        expect_unchanged();
    }
}

static void null_is_no_fault(void) {
    scene_play(0, give_null);
}

/* ---- outside -------------------------------------------------------------------------------- */

static unsigned char elsewhere[64];

static void give_foreign(void) {
    unsigned char on_stack[64];
    uintptr_t below = (uintptr_t)sc.region;
    uintptr_t above = below + SCENE_DWORDS * 4;
    for (uintptr_t distance = 1; distance <= 64; distance++) {
        EXPECT_FOREIGN(below - distance);
        EXPECT_FOREIGN(above + distance - 1);
    }
    EXPECT_FOREIGN(elsewhere);
    EXPECT_FOREIGN(elsewhere + 16);
    EXPECT_FOREIGN((uintptr_t)&on_stack[16]);
    EXPECT_FOREIGN(&sc.heap);
    EXPECT_FOREIGN((uintptr_t)16);
    EXPECT_FOREIGN(UINTPTR_MAX);
    EXPECT_FOREIGN(UINTPTR_MAX / 2);
    EXPECT_FOREIGN(below ^ ((uintptr_t)1 << (sizeof below * 8 - 1)));
}

static void pointers_outside_the_region_are_foreign(void) {
    scene_play(1, give_foreign);
}

/* LAST has no payload: its place is the region's end, and its header is no payload either. */
static void give_last(void) {
    unsigned char *last = sc.region + (size_t)last_offset() * 4;
    for (uint32_t byte = 0; byte < sc.header * 4; byte++) {
        scene_remember();
        CHECK_EQ(th_heap_free(&sc.heap, last + byte), 0);
        CHECK_EQ(sc.faults, 1);
        CHECK(sc.first.kind == TH_FAULT_FOREIGN || sc.first.kind == TH_FAULT_MISALIGNED);
        expect_unchanged();
    }
    EXPECT_FOREIGN(last + (size_t)sc.header * 4);
}

static void last_is_never_a_payload(void) {
    scene_play(1, give_last);
}

/* ---- misaligned ----------------------------------------------------------------------------- */

static void give_misaligned(void) {
    unsigned char *payloads[] = {sc.a, sc.c, sc.d, sc.v, sc.t, sc.b, sc.e, sc.u};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        for (size_t by = 1; by < sc.alignment; by++) {
            EXPECT_MISALIGNED(payloads[i] + by);
            if (payloads[i] != sc.a) {
                EXPECT_MISALIGNED(payloads[i] - by);
            }
        }
    }
    /* FIRST's header: no payload can start so low. */
    for (size_t byte = 0; byte < sc.header * 4; byte++) {
        EXPECT_MISALIGNED(sc.region + byte);
    }
}

static void misaligned_pointers_are_refused(void) {
    scene_play(1, give_misaligned);
}

/* ---- inside a block ------------------------------------------------------------------------- */

static void give_interior(void) {
    const struct {
        unsigned char *payload;
        uint32_t tag, bytes;
    } blocks[] = {{sc.c, 0x1003, 48}, {sc.a, 0x1001, 32}, {sc.d, 0x1004, 16}, {sc.t, 0x4001, 36}};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        for (size_t by = sc.alignment; by < blocks[i].bytes; by += sc.alignment) {
            EXPECT_INSIDE(blocks[i].payload + by, header_of(blocks[i].payload), blocks[i].tag);
        }
    }
    /* A header belongs to its block. */
    for (size_t by = sc.alignment; by <= (size_t)sc.header * 4; by += sc.alignment) {
        EXPECT_INSIDE(sc.c - by, header_of(sc.c), 0x1003);
        EXPECT_INSIDE(sc.b - by, hole_offset(), FREE);
    }
    for (size_t by = 0; by < 64; by += sc.alignment) {
        EXPECT_INSIDE(sc.b + by, hole_offset(), FREE);
        EXPECT_INSIDE(sc.e + by, middle_offset(), FREE);
    }
    /* Where nothing was ever written. */
    EXPECT_INSIDE(sc.e + 80 + sc.header * 4, middle_offset(), FREE);
    EXPECT_INSIDE(sc.v - (size_t)sc.header * 4 - sc.alignment, middle_offset(), FREE);
}

static void pointers_into_blocks_are_refused(void) {
    scene_play(1, give_interior);
}

/* A payload that holds what looks like headers, with every bit set or none, is no block. */
static void give_interior_of_patterns(void) {
    static const unsigned char patterns[] = {0x00, 0xFF, 0xFD, 0xC5};
    for (size_t i = 0; i < sizeof patterns; i++) {
        memset(sc.c, patterns[i], 45);
        for (size_t by = sc.alignment; by < 48; by += sc.alignment) {
            EXPECT_INSIDE(sc.c + by, header_of(sc.c), 0x1003);
        }
    }
    /* A header copied into a payload is none there: the check word holds its place, too. */
    memset(sc.c, 0, 45);
    for (uint32_t i = 0; i < SCENE_HEADER_WORDS * 4; i++) {
        scene_poke(byte_of(sc.c) + i, scene_byte(header_of(sc.d) * 4 + i));
    }
    if (sc.alignment < 16) {
        EXPECT_INSIDE(sc.c + SCENE_HEADER_WORDS * 4, header_of(sc.c), 0x1003);
    } else {
        EXPECT_INSIDE(sc.c + 32, header_of(sc.c), 0x1003);
    }
}

static void contents_are_not_taken_for_headers(void) {
    scene_play(1, give_interior_of_patterns);
}

/* ---- twice ---------------------------------------------------------------------------------- */

static void free_twice(void) {
    unsigned char *c = sc.c;
    uint32_t hole = hole_offset();
    EXPECT_INSIDE(sc.b, hole, FREE);
    EXPECT_INSIDE(sc.u, gap_offset(), FREE);

    CHECK(th_heap_free(&sc.heap, c) != 0); /* merged with the hole below */
    EXPECT_INSIDE(c, hole, FREE);
    EXPECT_INSIDE(sc.b, hole, FREE);

    unsigned char *v = sc.v;
    CHECK(th_heap_free(&sc.heap, v) != 0); /* merged with both neighbours */
    EXPECT_INSIDE(v, middle_offset(), FREE);
    EXPECT_INSIDE(sc.u, middle_offset(), FREE);

    CHECK(th_heap_free(&sc.heap, sc.a) != 0); /* merged with the block above */
    EXPECT_INSIDE(sc.a, 0, FREE);
    EXPECT_INSIDE(sc.b, 0, FREE);
    EXPECT_INSIDE(c, 0, FREE);

    CHECK(th_heap_realloc(&sc.heap, sc.d, 0) == NULL); /* all of it */
    CHECK(th_heap_free(&sc.heap, sc.t) != 0);
    unsigned char *dead[] = {sc.a, sc.b, sc.c, sc.d, sc.e, sc.v, sc.u, sc.t};
    for (size_t i = 0; i < sizeof dead / sizeof dead[0]; i++) {
        EXPECT_INSIDE(dead[i], 0, FREE);
    }
}

static void freed_twice_is_a_double_free(void) {
    scene_play(1, free_twice);
}

/* The memory was handed out again, in part or as the inside of a larger block. */
static void free_after_reuse(void) {
    unsigned char *c = sc.c;
    CHECK(th_heap_free(&sc.heap, c) != 0);
    size_t gap = (size_t)(c - sc.b) - (size_t)sc.header * 4;
    unsigned char *part = th_heap_alloc(&sc.heap, 8, 0x1010);
    CHECK_PTR_EQ(part, sc.b);
    th_heap_block rest;
    CHECK(th_heap_find(&sc.heap, c, &rest));
    EXPECT_INSIDE(c, rest.offset, FREE);

    CHECK_PTR_EQ(th_heap_realloc(&sc.heap, part, gap + 60), part);
    memset(part, 0x33, gap + 60);
    EXPECT_INSIDE(c, header_of(part), 0x1010);

    /* A stale pointer to where a live payload starts again cannot be told from that. */
    scene_remember();
    CHECK(th_heap_free(&sc.heap, sc.b) != 0);
    CHECK_EQ(sc.faults, 0);
    EXPECT_INSIDE(part, hole_offset(), FREE);
}

static void stale_pointers_into_reused_memory_are_refused(void) {
    scene_play(1, free_after_reuse);
}

/* ---- stale ---------------------------------------------------------------------------------- */

static void free_after_compaction(void) {
    unsigned char *c = sc.c;
    unsigned char *d = sc.d;
    CHECK_EQ(th_heap_compact(&sc.heap, NULL, NULL).blocks_moved, 2);
    uint32_t new_d = hole_offset() + sc.header + 12;
    uint32_t rest = new_d + sc.header + 4;
    for (unsigned i = 0; i < 2; i++) {
        unsigned char *stale = i == 0 ? c : d;
        uint32_t dword = byte_of(stale) / 4;
        if (dword >= rest) {
            EXPECT_INSIDE(stale, rest, FREE);
        } else if (dword >= new_d) {
            EXPECT_INSIDE(stale, new_d, 0x1004);
        } else {
            EXPECT_INSIDE(stale, hole_offset(), 0x1003);
        }
    }
    CHECK_EQ(th_heap_requested_size(&sc.heap, sc.b), 45); /* where c is now */
    scene_remember();
}

static void stale_pointers_after_compaction_are_refused(void) {
    scene_play(1, free_after_compaction);
}

static void free_after_free_tags(void) {
    CHECK_EQ(th_heap_free_tags(&sc.heap, 0x1003, 0x4001), 3);
    EXPECT_INSIDE(sc.c, hole_offset(), FREE);
    EXPECT_INSIDE(sc.d, hole_offset(), FREE);
    EXPECT_INSIDE(sc.t, gap_offset(), FREE);
    CHECK_EQ(th_heap_free_tags(&sc.heap, 0x1001, 0x7FFE), 2);
    EXPECT_INSIDE(sc.a, 0, FREE);
    EXPECT_INSIDE(sc.v, 0, FREE);
}

static void stale_pointers_after_free_tags_are_refused(void) {
    scene_play(1, free_after_free_tags);
}

static void free_after_move(void) {
    unsigned char *moved = th_heap_realloc(&sc.heap, sc.c, 100);
    CHECK(moved != NULL && moved != sc.c);
    EXPECT_INSIDE(sc.c, hole_offset(), FREE);
    CHECK(filled(moved, 45, 0x1003));
    unsigned char *tail = th_heap_realloc(&sc.heap, sc.t, 60);
    CHECK(tail != NULL && tail != sc.t);
    EXPECT_INSIDE(sc.t, gap_offset(), FREE);
}

static void stale_pointers_after_a_moving_resize_are_refused(void) {
    scene_play(1, free_after_move);
}

/* What grew over a free block, or was trimmed to one, has no second payload there. */
static void free_after_growth_and_trim(void) {
    CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.a, 90), sc.a);
    EXPECT_INSIDE(sc.b, 0, 0x1001);
    CHECK_PTR_EQ(th_heap_realloc(&sc.heap, sc.a, 8), sc.a);
    CHECK(th_heap_trim(&sc.heap, sc.a) != 0);
    EXPECT_INSIDE(sc.b, (uint32_t)sc.alignment == 16 ? 12 : 8, FREE);
}

static void grown_and_trimmed_blocks_leave_no_stale_payload(void) {
    scene_play(1, free_after_growth_and_trim);
}

/* After another init the old headers still lie in the region, sound as they are. */
static void free_after_init(void) {
    unsigned char *stale[] = {sc.c, sc.d, sc.v, sc.t, sc.b, sc.e, sc.u};
    const th_heap_config config = sc.heap.config;
    CHECK_EQ(th_heap_init(&sc.heap, sc.region, SCENE_DWORDS * 4, &config), TH_OK);
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++) {
        EXPECT_INSIDE(stale[i], 0, FREE);
    }
    CHECK_PTR_EQ(th_heap_alloc(&sc.heap, 8, 0x1001), sc.a);
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++) {
        EXPECT_INSIDE(stale[i], sc.header + (sc.alignment == 16 ? 4 : 2), FREE);
    }
    CHECK_EQ(th_heap_check(&sc.heap, NULL), TH_OK);
    scene_remember();
}

static void stale_pointers_from_before_init_are_refused(void) {
    scene_play(1, free_after_init);
}

/* The old header lies in the gap below an aligned block: in memory that is in use again, but that
 * level 1 writes nothing into. */
static void free_after_init_in_a_gap(void) {
    static _Alignas(1024) unsigned char region[2048];
    th_heap_config config = sc.heap.config;
    th_heap heap;
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    CHECK(th_heap_alloc(&heap, 64, 0x1001) != NULL);
    unsigned char *stale = th_heap_alloc(&heap, 64, 0x1002);
    CHECK(stale != NULL);
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    CHECK_PTR_EQ(th_heap_alloc_aligned(&heap, 40, 1024, 0x1001), region + 1024);
    sc.faults = 0;
    CHECK_EQ(th_heap_free(&heap, stale), 0);
    CHECK(sc.faults == 1 && sc.first.kind == TH_FAULT_DOUBLE_FREE && sc.first.block == 0);
    th_heap_clean_up(&heap);
    scene_remember();
}

static void stale_pointers_into_a_gap_from_before_init_are_refused(void) {
    scene_play(1, free_after_init_in_a_gap);
}

TH_SUITE("guards_pointers", TEST(null_is_no_fault), TEST(pointers_outside_the_region_are_foreign),
         TEST(last_is_never_a_payload), TEST(misaligned_pointers_are_refused),
         TEST(pointers_into_blocks_are_refused), TEST(contents_are_not_taken_for_headers),
         TEST(freed_twice_is_a_double_free), TEST(stale_pointers_into_reused_memory_are_refused),
         TEST(stale_pointers_after_compaction_are_refused),
         TEST(stale_pointers_after_free_tags_are_refused),
         TEST(stale_pointers_after_a_moving_resize_are_refused),
         TEST(grown_and_trimmed_blocks_leave_no_stale_payload),
         TEST(stale_pointers_from_before_init_are_refused),
         TEST(stale_pointers_into_a_gap_from_before_init_are_refused))
