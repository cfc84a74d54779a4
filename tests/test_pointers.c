/* SPDX-License-Identifier: MIT */
/* Bad pointers and writes out of bounds, at every guard level that the build contains. The fault
 * handler leaves the guilty call by longjmp, as a program that wants to go on would.
 *
 * Level 0 notices nothing, and a misused pointer is undefined there, as with malloc; what it does
 * promise is checked instead: NULL is safe, th_heap_find tells live payloads from everything
 * else, and a write that stays within its bytes harms nothing.
 * Offsets and sizes are dwords unless they end in bytes; header 6. */
#include <setjmp.h>
#include <string.h>

#include "base/track.h"
#include "heap_fixture.h"

#define REGION_DWORDS 200

static alignas(64) unsigned char region[REGION_DWORDS * 4 + 64];
static alignas(64) unsigned char elsewhere[400];
static th_heap heap;
static th_heap another;

/* ---- faults --------------------------------------------------------------------------------- */

static jmp_buf caught_at;
static th_fault caught;

static void jump_out(void *context, const th_fault *fault) {
    CHECK(context == &heap);
    caught = *fault;
    longjmp(caught_at, 1);
}

/* Each of these gives the fault that the call raises, or TH_FAULT_NONE. */
typedef th_fault_kind (*fault_of_call)(void *pointer);

static th_fault_kind fault_of_free(void *pointer) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        th_heap_free(&heap, pointer);
    }
    return caught.kind;
}

static th_fault_kind fault_of_resize(void *pointer) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        th_heap_realloc(&heap, pointer, 100);
    }
    return caught.kind;
}

static th_fault_kind fault_of_resize_to_nothing(void *pointer) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        th_heap_realloc(&heap, pointer, 0);
    }
    return caught.kind;
}

static th_fault_kind fault_of_trim(void *pointer) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        th_heap_trim(&heap, pointer);
    }
    return caught.kind;
}

static th_fault_kind fault_of_retag(void *pointer) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        (void)th_heap_retag(&heap, pointer, 1);
    }
    return caught.kind;
}

static th_fault_kind fault_of_requested_size(void *pointer) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        (void)th_heap_requested_size(&heap, pointer);
    }
    return caught.kind;
}

static th_fault_kind fault_of_usable_size(void *pointer) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        (void)th_heap_usable_size(&heap, pointer);
    }
    return caught.kind;
}

static th_fault_kind fault_of_free_tags(uint32_t tag) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        th_heap_free_tags(&heap, tag, tag);
    }
    return caught.kind;
}

static th_fault_kind fault_of_compact(void) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        th_heap_compact(&heap, NULL, NULL);
    }
    return caught.kind;
}

static th_fault_kind fault_of_alloc(size_t bytes) {
    caught = (th_fault){0};
    if (setjmp(caught_at) == 0) {
        (void)th_heap_alloc(&heap, bytes, 9);
    }
    return caught.kind;
}

static const fault_of_call every_call[] = {
    fault_of_free,  fault_of_resize,         fault_of_resize_to_nothing, fault_of_trim,
    fault_of_retag, fault_of_requested_size, fault_of_usable_size};

#define CALLS (sizeof every_call / sizeof every_call[0])

/* ---- the heap under test -------------------------------------------------------------------- */

static unsigned char *a, *b, *c, *tail;

/* a (10 bytes), b (30) and c (50) from the bottom, and a TAIL block of 20. */
static void start_level(int level) {
    th_heap_config config = {.alignment = 4,
                             .guarding.level = level,
                             .guarding.on_fault = jump_out,
                             .guarding.fault_context = &heap};
    CHECK_EQ(th_heap_init(&heap, region, REGION_DWORDS * 4, &config), TH_OK);
    a = th_heap_alloc(&heap, 10, 1);
    b = th_heap_alloc(&heap, 30, 2);
    c = th_heap_alloc(&heap, 50, 3);
    tail = th_heap_alloc(&heap, 20, 0x4001);
    CHECK(a != NULL && b != NULL && c != NULL && tail != NULL);
    fill(a, 10, 1);
    fill(b, 30, 2);
    fill(c, 50, 3);
    fill(tail, 20, 4);
    validate_heap(&heap, 4);
    EXPECT_BLOCKS(&heap, {1, 3}, {2, 8}, {3, 13}, {FREE, 135}, {0x4001, 5});
}

static void expect_untouched(void) {
    EXPECT_BLOCKS(&heap, {1, 3}, {2, 8}, {3, 13}, {FREE, 135}, {0x4001, 5});
    CHECK(filled(a, 10, 1) && filled(b, 30, 2) && filled(c, 50, 3) && filled(tail, 20, 4));
    validate_heap(&heap, 4);
}

static void let_pass(void *context, const th_fault *fault) {
    (void)context;
    (void)fault;
}

/* At level 3 the end of a damaged heap is a fault, too: then there is nowhere to jump to. */
static void stop_level(void) {
    heap.config.guarding.on_fault = let_pass;
    th_heap_clean_up(&heap);
}

/* Reads and writes where nobody may: what an overflow does, without the sanitizers' veto. */
static TH_TRACK_BLIND unsigned char peek(const unsigned char *address) {
    th_track_blind_begin();
    unsigned char value = *(const volatile unsigned char *)address;
    th_track_blind_end();
    return value;
}

static TH_TRACK_BLIND void poke(unsigned char *address, unsigned char value) {
    th_track_blind_begin();
    *(volatile unsigned char *)address = value;
    th_track_blind_end();
}

static uint32_t byte_offset(const void *address) {
    return (uint32_t)((const unsigned char *)address - region);
}

static th_fault_kind found_by_check(void) {
    th_fault fault = {0};
    th_status status = th_heap_check(&heap, &fault);
    CHECK_EQ(status, fault.kind == TH_FAULT_NONE ? TH_OK : TH_ERR_CORRUPT);
    return fault.kind;
}

/* ---- NULL ----------------------------------------------------------------------------------- */

static void null_is_safe_everywhere(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        for (size_t i = 0; i < CALLS; i++) {
            CHECK_EQ(every_call[i](NULL), TH_FAULT_NONE);
        }
        CHECK_EQ(th_heap_free(&heap, NULL), 0);
        CHECK_EQ(th_heap_trim(&heap, NULL), 0);
        CHECK(th_heap_realloc(&heap, NULL, 100) == NULL);
        CHECK_EQ(th_heap_requested_size(&heap, NULL), 0);
        CHECK_EQ(th_heap_usable_size(&heap, NULL), 0);
        CHECK(th_heap_translate(&heap, &heap, NULL) == NULL);
        th_heap_block block;
        CHECK(!th_heap_find(&heap, NULL, &block));
        CHECK_EQ(th_heap_init(NULL, region, 800, NULL), TH_ERR_NULL);
        CHECK_EQ(th_heap_copy(NULL, &heap, elsewhere), TH_ERR_NULL);
        CHECK_EQ(th_heap_attach(NULL, region), TH_ERR_NULL);
        CHECK_EQ(th_heap_check(NULL, NULL), TH_ERR_NULL);
        th_heap_clean_up(NULL);
        expect_untouched();
        CHECK_EQ(stats_of(&heap).failed_allocs, 0);
        stop_level();
    }
}

/* ---- bounds and arithmetic ------------------------------------------------------------------ */

static void expect_refused(void *pointer, th_fault_kind kind) {
    for (size_t i = 0; i < CALLS; i++) {
        CHECK_EQ(every_call[i](pointer), kind);
        expect_untouched();
    }
}

static void pointers_outside_the_region_are_foreign(void) {
    static unsigned char outside;
    CHECK_EQ(th_heap_init(&another, elsewhere, sizeof elsewhere, NULL), TH_OK);
    void *other_heaps = th_heap_alloc(&another, 20, 1);
    void *foreign[] = {&outside,     other_heaps,  elsewhere,    &heap,
                       region + 800, region + 804, region + 863, (unsigned char *)&outside + 0};
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
            th_heap_block block;
            CHECK(!th_heap_find(&heap, foreign[i], &block));
            if (level >= 1) {
                expect_refused(foreign[i], TH_FAULT_FOREIGN);
                CHECK_EQ(caught.block, TH_FAULT_NOWHERE);
                CHECK_EQ(caught.tag, 0);
            }
        }
        CHECK(th_heap_find(&another, other_heaps, &(th_heap_block){0}));
        expect_untouched();
        stop_level();
    }
    th_heap_clean_up(&another);
}

/* Every pointer that arithmetic on b can give: only b itself is b. */
static void pointer_arithmetic_gives_no_other_payload(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        for (int distance = -24; distance < 32; distance++) {
            unsigned char *pointer = b + distance;
            th_heap_block block;
            CHECK(th_heap_find(&heap, pointer, &block));
            CHECK_PTR_EQ(block.payload, b);
            if (level >= 1 && distance != 0) {
                expect_refused(pointer,
                               distance % 4 == 0 ? TH_FAULT_NOT_A_BLOCK : TH_FAULT_MISALIGNED);
                CHECK_EQ(caught.offset, byte_offset(pointer));
            }
        }
        CHECK_EQ(th_heap_requested_size(&heap, b), 30);
        stop_level();
    }
}

static void the_bottom_of_the_region_is_no_payload(void) {
    for (int level = 1; level <= th_guard_max(); level++) {
        start_level(level);
        for (size_t i = 0; i < 24; i++) {
            expect_refused(region + i, TH_FAULT_MISALIGNED);
        }
        stop_level();
    }
    start_level(0);
    th_heap_block block;
    CHECK(th_heap_find(&heap, region, &block));
    CHECK_PTR_EQ(block.payload, a);
    CHECK(block.payload != region);
    stop_level();
}

/* ---- dangling pointers ---------------------------------------------------------------------- */

/* The pointer died: no live payload starts there any more, and with guards every use is noticed
 * and changes nothing. */
static void expect_dangling(int level, void *pointer, th_fault_kind kind, uint32_t live_blocks) {
    th_heap_block block;
    CHECK(th_heap_find(&heap, pointer, &block));
    CHECK(block.tag == FREE || block.payload != pointer);
    if (level >= 1) {
        th_heap_stats before = stats_of(&heap);
        for (size_t i = 0; i < CALLS; i++) {
            CHECK_EQ(every_call[i](pointer), kind);
            CHECK_EQ(caught.offset, byte_offset(pointer));
            th_heap_stats after = stats_of(&heap);
            expect_stats(&after, &before);
        }
    }
    validate_heap(&heap, 4);
    CHECK_EQ(stats_of(&heap).head_blocks + stats_of(&heap).tail_blocks, live_blocks);
}

static void freed_pointers_are_noticed(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        CHECK_EQ(th_heap_free(&heap, b), 32);
        expect_dangling(level, b, TH_FAULT_DOUBLE_FREE, 3);
        CHECK(level == 0 || (caught.block == 9 && caught.tag == FREE));
        /* Merged with the free blocks on both sides: no header is left where it was. */
        CHECK_EQ(th_heap_free(&heap, c), 52 + 48);
        expect_dangling(level, c, TH_FAULT_DOUBLE_FREE, 2);
        expect_dangling(level, b, TH_FAULT_DOUBLE_FREE, 2);
        CHECK_EQ(th_heap_free_tags(&heap, 0, 0x7FFE), 2);
        expect_dangling(level, a, TH_FAULT_DOUBLE_FREE, 0);
        expect_dangling(level, tail, TH_FAULT_DOUBLE_FREE, 0);
        stop_level();
    }
}

static void pointers_into_the_old_place_of_a_resize_are_noticed(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        unsigned char *moved = th_heap_realloc(&heap, b, 200);
        CHECK(moved != NULL && moved != b);
        expect_dangling(level, b, TH_FAULT_DOUBLE_FREE, 4);
        CHECK(filled(moved, 30, 2));
        CHECK(th_heap_realloc(&heap, c, 0) == NULL);
        expect_dangling(level, c, TH_FAULT_DOUBLE_FREE, 3);
        stop_level();
    }
}

/* a was 9 dwords long in all, so b and c slid down by 9: b's old place is inside c now, or
 * free. */
static void pointers_into_the_old_place_of_a_compaction_are_noticed(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        CHECK_EQ(th_heap_free(&heap, a), 12);
        CHECK_EQ(th_heap_compact(&heap, NULL, NULL).blocks_moved, 2);
        EXPECT_BLOCKS(&heap, {2, 8}, {3, 13}, {FREE, 144}, {0x4001, 5});
        expect_dangling(level, b, TH_FAULT_NOT_A_BLOCK, 3);
        expect_dangling(level, c, TH_FAULT_NOT_A_BLOCK, 3);
        CHECK(filled(block_tagged(&heap, 2).payload, 30, 2));
        CHECK(filled(block_tagged(&heap, 3).payload, 50, 3));
        stop_level();
    }
}

/* Here b goes down far beyond its old place, which is free as a whole: its old header too. */
static void pointers_into_a_place_left_far_behind_are_noticed(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        CHECK(th_heap_realloc(&heap, a, 200) != NULL);
        CHECK_EQ(th_heap_free_tags(&heap, 2, 3), 2);
        EXPECT_BLOCKS(&heap, {FREE, 36}, {1, 50}, {FREE, 79}, {0x4001, 5});
        a = block_tagged(&heap, 1).payload;
        CHECK(th_heap_realloc(&heap, a, 4) == a);
        CHECK_EQ(th_heap_trim(&heap, a), 49 * 4);
        CHECK_EQ(th_heap_compact(&heap, NULL, NULL).blocks_moved, 1);
        EXPECT_BLOCKS(&heap, {1, 1}, {FREE, 170}, {0x4001, 5});
        expect_dangling(level, a, TH_FAULT_DOUBLE_FREE, 2);
        CHECK(filled(block_tagged(&heap, 1).payload, 4, 1));
        stop_level();
    }
}

/* Init writes two headers only, so an old one may still look sound; from level 2 on its neighbours
 * give it away before anything is changed. */
static void pointers_from_before_init_are_dead(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        th_heap_config config = heap.config;
        CHECK_EQ(th_heap_init(&heap, region, 800, &config), TH_OK);
        th_heap_block block;
        CHECK(th_heap_find(&heap, b, &block));
        CHECK_EQ(block.tag, FREE);
        CHECK_EQ(block.offset, 0);
        if (level >= 2) {
            CHECK(fault_of_free(b) != TH_FAULT_NONE);
            CHECK(fault_of_resize(b) != TH_FAULT_NONE);
        }
        EXPECT_BLOCKS(&heap, {FREE, 188});
        validate_heap(&heap, 4);
        stop_level();
    }
}

/* ---- overflow ------------------------------------------------------------------------------- */

/* The calls that free, resize or move the block see the byte after its last one. */
static th_fault_kind fault_of_overflown(unsigned way) {
    switch (way) {
    case 0:
        return fault_of_free(b);
    case 1:
        return fault_of_resize(b);
    case 2:
        return fault_of_resize_to_nothing(b);
    case 3:
        return fault_of_free_tags(2);
    default:
        return fault_of_compact();
    }
}

static void an_overflow_into_the_slack_is_noticed(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        for (unsigned way = 0; way < 5; way++) {
            for (uint32_t byte = 30; byte < 32; byte++) {
                start_level(level);
                CHECK_EQ(fault_of_free(a), TH_FAULT_NONE);
                unsigned char good = peek(b + byte);
                unsigned char bad = (unsigned char)~good;
                poke(b + byte, bad);
                CHECK_EQ(found_by_check(), level >= 1 ? TH_FAULT_CANARY : TH_FAULT_NONE);
                th_fault_kind kind = fault_of_overflown(way);
                if (level == 0) {
                    CHECK_EQ(kind, TH_FAULT_NONE);
                    CHECK_EQ(found_by_check(), TH_FAULT_NONE);
                } else {
                    CHECK_EQ(kind, TH_FAULT_CANARY);
                    CHECK_EQ(caught.block, 9);
                    CHECK_EQ(caught.tag, 2);
                    CHECK_EQ(caught.offset, byte_offset(b) + byte);
                    CHECK_EQ(caught.expected, good);
                    CHECK_EQ(caught.found, bad);
                    EXPECT_BLOCKS(&heap, {FREE, 3}, {2, 8}, {3, 13}, {FREE, 135}, {0x4001, 5});
                }
                CHECK(filled(c, 50, 3) || way == 4);
                stop_level();
            }
        }
    }
}

/* Beyond the slack lies the next header: noticed when that block is used, and from level 2 on
 * when its neighbours are. Level 0 leaves no way to notice; all of b may be written there. */
static void an_overflow_into_the_next_header_is_noticed(void) {
    start_level(0);
    fill(b, 30, 77);
    CHECK(filled(c, 50, 3) && filled(a, 10, 1));
    CHECK_EQ(found_by_check(), TH_FAULT_NONE);
    CHECK_EQ(th_heap_free(&heap, c), 52 + 24);
    stop_level();
    for (int level = 1; level <= th_guard_max(); level++) {
        for (uint32_t byte = 32; byte < 56; byte++) {
            start_level(level);
            poke(b + byte, (unsigned char)~peek(b + byte));
            CHECK_EQ(found_by_check(), TH_FAULT_HEADER);
            CHECK_EQ(fault_of_free(c), TH_FAULT_HEADER);
            CHECK_EQ(caught.block, 23);
            if (level >= 2) {
                CHECK_EQ(fault_of_resize(b), TH_FAULT_HEADER);
                CHECK_EQ(fault_of_free(b), TH_FAULT_HEADER);
                CHECK_EQ(caught.block, 23);
            }
            CHECK(filled(b, 30, 2) && filled(c, 50, 3));
            stop_level();
        }
    }
}

/* ---- underflow ------------------------------------------------------------------------------ */

static void an_underflow_into_the_header_is_noticed(void) {
    start_level(0);
    fill(b, 1, 99);
    CHECK_EQ(th_heap_requested_size(&heap, b), 30);
    fill(b, 30, 2);
    expect_untouched();
    stop_level();
    for (int level = 1; level <= th_guard_max(); level++) {
        for (int byte = 1; byte <= 24; byte++) {
            start_level(level);
            unsigned char good = peek(b - byte);
            poke(b - byte, (unsigned char)(good ^ 0x40));
            CHECK_EQ(found_by_check(), TH_FAULT_HEADER);
            for (size_t i = 0; i < CALLS; i++) {
                CHECK_EQ(every_call[i](b), TH_FAULT_HEADER);
                CHECK_EQ(caught.block, 9);
            }
            poke(b - byte, good);
            expect_untouched();
            CHECK_EQ(th_heap_requested_size(&heap, b), 30);
            stop_level();
        }
    }
}

/* ---- sentinels ------------------------------------------------------------------------------ */

/* Every bit of every canary byte counts, and the right value put back is right again. */
static void every_bit_of_a_canary_counts(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        CHECK(th_heap_realloc(&heap, c, 9) == c);
        fill(c, 9, 3);
        for (uint32_t bit = 9 * 8; bit < 52 * 8; bit++) {
            unsigned char good = peek(c + bit / 8);
            poke(c + bit / 8, (unsigned char)(good ^ 1u << bit % 8));
            CHECK_EQ(found_by_check(), level >= 1 ? TH_FAULT_CANARY : TH_FAULT_NONE);
            CHECK_EQ(fault_of_requested_size(c), level >= 1 ? TH_FAULT_CANARY : TH_FAULT_NONE);
            poke(c + bit / 8, good);
            CHECK_EQ(found_by_check(), TH_FAULT_NONE);
        }
        CHECK_EQ(th_heap_free(&heap, c), 52 + 24);
        stop_level();
    }
}

/* Freed payloads are poisoned from level 2 on; the poison is verified before they are used
 * again. */
static void every_byte_of_a_freed_payload_is_watched(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        for (uint32_t byte = 0; byte < 32; byte++) {
            start_level(level);
            CHECK_EQ(fault_of_free(b), TH_FAULT_NONE);
            unsigned char good = peek(b + byte);
            poke(b + byte, (unsigned char)~good);
            CHECK_EQ(found_by_check(), level >= 2 ? TH_FAULT_POISON : TH_FAULT_NONE);
            CHECK_EQ(fault_of_alloc(32), level >= 2 ? TH_FAULT_POISON : TH_FAULT_NONE);
            if (level >= 2) {
                CHECK_EQ(caught.block, 9);
                CHECK_EQ(caught.offset, byte_offset(b) + byte / 4 * 4);
                CHECK(caught.expected != caught.found);
                EXPECT_BLOCKS(&heap, {1, 3}, {FREE, 8}, {3, 13}, {FREE, 135}, {0x4001, 5});
                poke(b + byte, good);
                CHECK_EQ(fault_of_alloc(32), TH_FAULT_NONE);
            }
            EXPECT_BLOCKS(&heap, {1, 3}, {9, 8}, {3, 13}, {FREE, 135}, {0x4001, 5});
            stop_level();
        }
    }
}

/* FIRST and LAST are sentinels too: at level 1 and up every bit of their headers counts. */
static void every_bit_of_the_outer_headers_counts(void) {
    static const uint32_t headers[] = {0, 194};
    for (int level = 0; level <= th_guard_max(); level++) {
        start_level(level);
        for (uint32_t bit = 0; level >= 1 && bit < 2 * 24 * 8; bit++) {
            unsigned char *at = region + headers[bit / (24 * 8)] * 4 + bit % (24 * 8) / 8;
            poke(at, (unsigned char)(peek(at) ^ 1u << bit % 8));
            CHECK_EQ(found_by_check(), TH_FAULT_HEADER);
            poke(at, (unsigned char)(peek(at) ^ 1u << bit % 8));
            CHECK_EQ(found_by_check(), TH_FAULT_NONE);
        }
        expect_untouched();
        CHECK_EQ(th_heap_free_tags(&heap, 0, 0x7FFE), 4);
        EXPECT_BLOCKS(&heap, {FREE, 188});
        stop_level();
    }
}

TH_SUITE("pointers", TEST(null_is_safe_everywhere), TEST(pointers_outside_the_region_are_foreign),
         TEST(pointer_arithmetic_gives_no_other_payload),
         TEST(the_bottom_of_the_region_is_no_payload), TEST(freed_pointers_are_noticed),
         TEST(pointers_into_the_old_place_of_a_resize_are_noticed),
         TEST(pointers_into_the_old_place_of_a_compaction_are_noticed),
         TEST(pointers_into_a_place_left_far_behind_are_noticed),
         TEST(pointers_from_before_init_are_dead), TEST(an_overflow_into_the_slack_is_noticed),
         TEST(an_overflow_into_the_next_header_is_noticed),
         TEST(an_underflow_into_the_header_is_noticed), TEST(every_bit_of_a_canary_counts),
         TEST(every_byte_of_a_freed_payload_is_watched),
         TEST(every_bit_of_the_outer_headers_counts))
