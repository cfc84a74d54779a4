/* SPDX-License-Identifier: MIT */
/* The classic facade against the white-box document: its tests 1-13 and 15-18 under their own
 * names, with the exit state that each draws, block for block. Sizes are worked out from the
 * document's layout: 75,000 dwords, 6 to a header, so a fresh FIRST has 74,988.
 *
 * The document draws FIRSTBLOCK beside the first allocated block; here FIRST is whichever block
 * lies at offset 0. Where it draws TAIL blocks in the order of their allocation from low to high,
 * docs/heap.md section 3 wins: TAIL is carved from the high end of the highest free block that
 * fits, so a later TAIL block lies below an earlier one. */
#include <limits.h>
#include <string.h>

#include "death.h"
#include "heap_fixture.h"
#include "tagheap/classic.h"

#define ALL 74988u /* FIRST of a fresh heap, in dwords */

static void validate(void) {
    validate_heap(TH_heap(), 4);
}

static void start(void) {
    TH_init();
    validate();
}

static void *take(int bytes, uint32_t tag) {
    validate();
    void *pointer = TH_alloc(bytes, tag);
    validate();
    return pointer;
}

static int give(void *pointer) {
    validate();
    int bytes = TH_free(pointer);
    validate();
    return bytes;
}

static bool disjoint(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    uintptr_t a_start = (uintptr_t)a;
    uintptr_t b_start = (uintptr_t)b;
    return a_start + a_bytes <= b_start || b_start + b_bytes <= a_start;
}

/* ---- callbacks ---------------------------------------------------------------------------- */

static unsigned asked;
static uint32_t pinned_tag;

static bool count_and_allow(uint32_t tag, void *from, void *to, int bytes) {
    (void)tag;
    CHECK((uintptr_t)to < (uintptr_t)from);
    CHECK(bytes > 0);
    asked++;
    return true;
}

static bool veto_pinned(uint32_t tag, void *from, void *to, int bytes) {
    (void)from;
    (void)to;
    (void)bytes;
    asked++;
    return tag != pinned_tag;
}

/* ---- the facade itself -------------------------------------------------------------------- */

typedef struct faults_heard {
    unsigned count;
    th_fault_kind kind;
} faults_heard;

static faults_heard early;

static void hear(void *context, const th_fault *fault) {
    faults_heard *heard = context;
    heard->count++;
    heard->kind = fault->kind;
}

/* Must be the first test of the suite: nothing undoes TH_init. */
static void before_the_first_init_every_call_fails(void) {
    static int outside;
    CHECK(TH_heap() == NULL);
    CHECK(TH_alloc(16, 0x1001) == NULL);
    CHECK(TH_realloc(NULL, 16) == NULL);
    CHECK(TH_realloc(&outside, 16) == NULL);
    CHECK_EQ(TH_free(NULL), 0);
    CHECK_EQ(TH_free(&outside), 0);
    CHECK_EQ(TH_freetags(0, UINT32_MAX), 0);
    CHECK_EQ(TH_defrag(count_and_allow), 0);
    CHECK_EQ(TH_countfreehead(), 0);
    TH_on_fault(hear, &early);
    CHECK(TH_heap() == NULL);
}

static void init_again_starts_afresh(void) {
    start();
    CHECK(take(100, 0x1001) != NULL);
    CHECK(take(100, 0x8001) != NULL);
    CHECK(take(10000000, 0x1001) == NULL);
    CHECK_EQ(stats_of(TH_heap()).failed_allocs, 1);
    start();
    EXPECT_BLOCKS(TH_heap(), {FREE, ALL});
    th_heap_stats stats = stats_of(TH_heap());
    CHECK_EQ(stats.used_bytes, 0);
    CHECK_EQ(stats.high_water_bytes, 0);
    CHECK_EQ(stats.failed_allocs, 0);
}

static void tags_may_be_spelled_with_16_bits(void) {
    static const uint32_t spelled[] = {0x0000, 0x3FFF, 0x4000, 0x7FFE, 0x8000, 0x8001, 0xBFFE};
    static const uint32_t stored[] = {0x0000, 0x3FFF, 0x4000, 0x7FFE, 0x4000, 0x4001, 0x7FFE};
    for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
        start();
        void *pointer = take(20, spelled[i]);
        CHECK_EQ(block_of(TH_heap(), pointer).tag, stored[i]);
        CHECK_EQ(stored[i] <= TH_TAG_HEAD_MAX ? 1 : 0, stats_of(TH_heap()).head_blocks);
    }
}

static void other_tags_are_refused_and_never_truncated(void) {
    static const uint32_t refused[] = {0x7FFF,  0xBFFF,  0xC000,  0xC001,     0xFFFE,    0xFFFF,
                                       0x10000, 0x11001, 0x18001, 0x80000001, UINT32_MAX};
    start();
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        CHECK(take(20, refused[i]) == NULL);
    }
    EXPECT_BLOCKS(TH_heap(), {FREE, ALL});
    CHECK_EQ(stats_of(TH_heap()).failed_allocs, 0);
}

static void bad_sizes_are_refused(void) {
    start();
    CHECK(take(0, 0x1001) == NULL);
    CHECK(take(-1, 0x1001) == NULL);
    CHECK(take(INT_MIN, 0x8001) == NULL);
    CHECK(take(INT_MAX, 0x1001) == NULL);
    EXPECT_BLOCKS(TH_heap(), {FREE, ALL});
}

static void place_for_freetags(void) {
    start();
    CHECK(take(4, 0x1001) != NULL);
    CHECK(take(4, 0x3FFF) != NULL);
    CHECK(take(4, 0x8000) != NULL);
    CHECK(take(4, 0x8001) != NULL);
    CHECK(take(4, 0x4002) != NULL);
    CHECK(take(4, 0xBFFE) != NULL);
}

static int free_tags(uint32_t low, uint32_t high) {
    place_for_freetags();
    int freed = TH_freetags(low, high);
    validate();
    return freed;
}

static void freetags_takes_both_spellings(void) {
    CHECK_EQ(free_tags(0x8001, 0x4002), 2);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 1}, {0x3FFF, 1}, {FREE, ALL - 42}, {0x7FFE, 1}, {FREE, 8},
                  {0x4000, 1});
    CHECK_EQ(free_tags(0x4000, 0x8001), 2);
    CHECK_EQ(free_tags(0x8000, 0x8000), 1);
    CHECK_EQ(free_tags(0x3FFF, 0x8000), 2);
    CHECK_EQ(free_tags(0x8001, 0xBFFE), 3);
    CHECK_EQ(free_tags(0x8001, 0xBFFF), 3);
    CHECK_EQ(free_tags(0x8002, 0x8001), 0);
    CHECK_EQ(free_tags(0, 0xC000), 6);
    EXPECT_BLOCKS(TH_heap(), {FREE, ALL});
    CHECK_EQ(free_tags(0, UINT32_MAX), 6);
    CHECK_EQ(free_tags(0x7FFE, 0xFFFF), 1);
    CHECK_EQ(free_tags(0xC000, 0xFFFF), 0);
    CHECK_EQ(free_tags(0x10000, UINT32_MAX), 0);
    CHECK_EQ(free_tags(0x7FFF, 0x7FFF), 0);
    CHECK_EQ(free_tags(0xBFFF, 0xBFFF), 0);
}

static void a_callback_may_be_null(void) {
    start();
    void *a = take(40, 0x1001);
    CHECK(take(40, 0x1002) != NULL);
    CHECK_EQ(give(a), 40);
    CHECK_EQ(TH_defrag(NULL), 1);
    validate();
    EXPECT_BLOCKS(TH_heap(), {0x1002, 10}, {FREE, ALL - 16});
}

static bool call_from_inside(uint32_t tag, void *from, void *to, int bytes) {
    (void)tag;
    (void)to;
    (void)bytes;
    CHECK_EQ(TH_free(from), 0);
    return false;
}

/* A fault that every guard level raises. */
static void misuse(void) {
    void *hole = take(40, 0x1001);
    CHECK(take(40, 0x1002) != NULL);
    CHECK_EQ(give(hole), 40);
    CHECK_EQ(TH_defrag(call_from_inside), 0);
    validate();
}

/* The suite's first test has set it before the first TH_init. */
static void faults_go_to_the_handler_that_was_installed(void) {
    faults_heard late = {0};
    start();
    misuse();
    CHECK_EQ(early.count, 1);
    CHECK_EQ(early.kind, TH_FAULT_REENTRY);
    TH_on_fault(hear, &late);
    TH_freetags(0, UINT32_MAX);
    misuse();
    start();
    misuse();
    CHECK_EQ(early.count, 1);
    CHECK_EQ(late.count, 2);
    CHECK_EQ(late.kind, TH_FAULT_REENTRY);
    TH_on_fault(NULL, NULL);
    start();
    expect_death(misuse, "tagheap: re-entry from callback: expected 0x00000000 found 0x00000001");
}

/* ---- the white-box document --------------------------------------------------------------- */

static void test_initialization(void) {
    start();
    EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
    th_heap_block first;
    CHECK(th_heap_first(TH_heap(), &first));
    CHECK_EQ(first.offset, 0);
    CHECK_EQ(first.tag, 0x7FFF);
    CHECK_EQ(first.size_dwords, 74988);
    CHECK_EQ(first.next_offset, 74994);
    th_heap_block last = first;
    CHECK(th_heap_next(TH_heap(), &last));
    CHECK_EQ(last.offset, 74994);
    CHECK_EQ(last.tag, 0x7FFF);
    CHECK_EQ(last.size_dwords, 0);
    CHECK_EQ(last.next_offset, 0);
    CHECK(!th_heap_next(TH_heap(), &last));
    /* The links back: the dword below LAST is FIRST's, and nothing lies below FIRST. */
    th_heap_block found;
    const unsigned char *base = (const unsigned char *)first.payload - 24;
    CHECK(th_heap_find(TH_heap(), base + 299976 - 1, &found));
    CHECK_EQ(found.offset, 0);
    CHECK(th_heap_find(TH_heap(), base + 299976, &found));
    CHECK_EQ(found.offset, 74994);
    CHECK(!th_heap_find(TH_heap(), base - 1, &found));
    CHECK_EQ(th_heap_region_bytes(TH_heap()), 300000);
}

static void test_simple_head_allocation(void) {
    start();
    void *first = take(16, 0x1001);
    CHECK(first != NULL);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 4}, {FREE, 74978});
    void *second = take(32, 0x1002);
    CHECK(second != NULL);
    CHECK(second != first);
    CHECK(disjoint(first, 16, second, 32));
    CHECK((uintptr_t)second > (uintptr_t)first);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 4}, {0x1002, 8}, {FREE, 74964});
}

static void test_simple_tail_allocation(void) {
    start();
    void *first = take(16, 0x8001);
    CHECK(first != NULL);
    EXPECT_BLOCKS(TH_heap(), {FREE, 74978}, {0x4001, 4});
    void *second = take(32, 0x8002);
    CHECK(second != NULL);
    CHECK((uintptr_t)second < (uintptr_t)first);
    CHECK(disjoint(first, 16, second, 32));
    CHECK_EQ(stats_of(TH_heap()).tail_blocks, 2);
    CHECK_EQ(stats_of(TH_heap()).head_blocks, 0);
    EXPECT_BLOCKS(TH_heap(), {FREE, 74964}, {0x4002, 8}, {0x4001, 4});
}

static void test_mixed_head_tail_allocation(void) {
    start();
    CHECK(take(16, 0x1001) != NULL);
    CHECK(take(32, 0x1002) != NULL);
    CHECK(take(16, 0x8001) != NULL);
    CHECK(take(32, 0x8002) != NULL);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 4}, {0x1002, 8}, {FREE, 74940}, {0x4002, 8}, {0x4001, 4});
}

static void test_freeblock_case_0_isolated_free(void) {
    start();
    void *a = take(100, 0x1001);
    CHECK(take(60, 0x1002) != NULL);
    CHECK(take(80, 0x1003) != NULL);
    CHECK_EQ(give(a), 100);
    EXPECT_BLOCKS(TH_heap(), {FREE, 25}, {0x1002, 15}, {0x1003, 20}, {FREE, 74910});
}

/* Cases 1 to 3 draw no free block before LASTBLOCK: the last block takes all that is left. */
static void test_freeblock_case_1_merge_with_next(void) {
    start();
    void *a = take(100, 0x1001);
    void *b = take(60, 0x1002);
    CHECK(take(299744, 0x1003) != NULL);
    CHECK_EQ(give(b), 60);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 25}, {FREE, 15}, {0x1003, 74936});
    CHECK_EQ(give(a), 100 + 24);
    EXPECT_BLOCKS(TH_heap(), {FREE, 46}, {0x1003, 74936});
}

static void test_freeblock_case_2_merge_with_prev(void) {
    start();
    void *a = take(100, 0x1001);
    void *b = take(60, 0x1002);
    CHECK(take(299744, 0x1003) != NULL);
    CHECK_EQ(give(a), 100);
    EXPECT_BLOCKS(TH_heap(), {FREE, 25}, {0x1002, 15}, {0x1003, 74936});
    CHECK_EQ(give(b), 60 + 24);
    EXPECT_BLOCKS(TH_heap(), {FREE, 46}, {0x1003, 74936});
}

static void test_freeblock_case_3_merge_both(void) {
    start();
    void *a = take(100, 0x1001);
    void *b = take(60, 0x1002);
    void *c = take(80, 0x1003);
    CHECK(take(299640, 0x1004) != NULL);
    CHECK_EQ(give(a), 100);
    CHECK_EQ(give(c), 80);
    EXPECT_BLOCKS(TH_heap(), {FREE, 25}, {0x1002, 15}, {FREE, 20}, {0x1004, 74910});
    CHECK_EQ(give(b), 60 + 24 + 24);
    EXPECT_BLOCKS(TH_heap(), {FREE, 72}, {0x1004, 74910});
}

static void test_cascade_merges(void) {
    void *blocks[10];
    start();
    for (uint32_t i = 0; i < 10; i++) {
        blocks[i] = take(64, 0x1000 + i);
        CHECK(blocks[i] != NULL);
    }
    for (size_t i = 0; i < 10; i += 2) {
        CHECK_EQ(give(blocks[i]), 64);
    }
    EXPECT_BLOCKS(TH_heap(), {FREE, 16}, {0x1001, 16}, {FREE, 16}, {0x1003, 16}, {FREE, 16},
                  {0x1005, 16}, {FREE, 16}, {0x1007, 16}, {FREE, 16}, {0x1009, 16}, {FREE, 74768});
    for (size_t i = 1; i < 10; i += 2) {
        CHECK_EQ(give(blocks[i]), 64 + 24 + 24);
    }
    EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
}

static void test_freetags_range(void) {
    start();
    CHECK(take(100, 0x1001) != NULL);
    CHECK(take(60, 0x1002) != NULL);
    CHECK(take(80, 0x1003) != NULL);
    CHECK(take(40, 0x1004) != NULL);
    CHECK_EQ(TH_freetags(0x1002, 0x1003), 2);
    validate();
    EXPECT_BLOCKS(TH_heap(), {0x1001, 25}, {FREE, 41}, {0x1004, 10}, {FREE, 74894});
}

static void test_countfreehead(void) {
    start();
    CHECK_EQ(TH_countfreehead(), 299952);
    void *pointer = take(256, 0x1001);
    CHECK(pointer != NULL);
    CHECK_EQ(TH_countfreehead(), 299952 - 256 - 24);
    CHECK_EQ(give(pointer), 256 + 24);
    CHECK_EQ(TH_countfreehead(), 299952);
    EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
}

static void test_alloc_at_capacity(void) {
    start();
    CHECK(take(10000000, 0x1001) == NULL);
    EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
    CHECK(take(299953, 0x1001) == NULL);
    EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
    void *large = take(299952, 0x1001);
    CHECK(large != NULL);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 74988});
    CHECK(take(1, 0x1002) == NULL);
    CHECK_EQ(give(large), 299952);
    EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
}

static void write_words(void *payload, uint32_t first) {
    uint32_t *words = payload;
    for (uint32_t i = 0; i < 64; i++) {
        words[i] = first + i;
    }
}

static void expect_words(const void *payload, uint32_t first) {
    const uint32_t *words = payload;
    for (uint32_t i = 0; i < 64; i++) {
        CHECK_EQ(words[i], first + i);
    }
}

static void test_defragmentation(void) {
    start();
    void *a = take(256, 0x1001);
    void *b = take(256, 0x1002);
    void *c = take(256, 0x1003);
    write_words(a, 0x11110000);
    write_words(b, 0x22220000);
    write_words(c, 0x33330000);
    CHECK_EQ(give(b), 256);
    asked = 0;
    CHECK_EQ(TH_defrag(count_and_allow), 1);
    validate();
    CHECK_EQ(asked, 1);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 64}, {0x1003, 64}, {FREE, 74848});
    CHECK_PTR_EQ(block_tagged(TH_heap(), 0x1001).payload, a);
    expect_words(a, 0x11110000);
    CHECK_PTR_EQ(block_tagged(TH_heap(), 0x1003).payload, b);
    expect_words(b, 0x33330000);
}

static void test_complex_fragmentation_and_defrag(void) {
    void *blocks[20];
    start();
    for (uint32_t i = 0; i < 20; i++) {
        blocks[i] = take(128, 0x1000 + i);
        CHECK(blocks[i] != NULL);
        fill(blocks[i], 128, i);
    }
    for (size_t i = 0; i < 20; i += 3) {
        CHECK_EQ(give(blocks[i]), 128);
    }
    int before = TH_countfreehead();
    CHECK_EQ(before, 297808);
    asked = 0;
    CHECK_EQ(TH_defrag(count_and_allow), 13);
    validate();
    CHECK_EQ(asked, 13);
    CHECK(TH_countfreehead() >= before);
    CHECK_EQ(TH_countfreehead(), 297976);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 32}, {0x1002, 32}, {0x1004, 32}, {0x1005, 32}, {0x1007, 32},
                  {0x1008, 32}, {0x100A, 32}, {0x100B, 32}, {0x100D, 32}, {0x100E, 32},
                  {0x1010, 32}, {0x1011, 32}, {0x1013, 32}, {FREE, 74494});
    for (uint32_t i = 0; i < 20; i++) {
        if (i % 3 != 0) {
            CHECK(filled(block_tagged(TH_heap(), 0x1000 + i).payload, 128, i));
        }
    }
}

/* Four blocks, of which the first and the third are freed: both of the others can move. */
static int defrag_two_movable(uint32_t pinned) {
    void *blocks[4];
    start();
    for (uint32_t i = 0; i < 4; i++) {
        blocks[i] = take(128, 0x1000 + i);
        CHECK(blocks[i] != NULL);
    }
    CHECK_EQ(give(blocks[0]), 128);
    CHECK_EQ(give(blocks[2]), 128);
    pinned_tag = pinned;
    asked = 0;
    int moved = TH_defrag(veto_pinned);
    validate();
    CHECK_EQ(asked, 2);
    return moved;
}

static void test_defrag_with_pinned_blocks(void) {
    start();
    void *a = take(128, 0x1001);
    void *b = take(128, 0x1002);
    void *c = take(128, 0x1003);
    fill(a, 128, 1);
    fill(c, 128, 3);
    CHECK_EQ(give(b), 128);
    pinned_tag = 0x1001;
    CHECK_EQ(TH_defrag(veto_pinned), 1);
    validate();
    EXPECT_BLOCKS(TH_heap(), {0x1001, 32}, {0x1003, 32}, {FREE, 74912});
    CHECK_PTR_EQ(block_tagged(TH_heap(), 0x1001).payload, a);
    CHECK(filled(a, 128, 1));
    CHECK(filled(b, 128, 3));

    /* There 0x1001 lay at the bottom anyway. Where it could move, pinning saves that move. */
    CHECK_EQ(defrag_two_movable(0), 2);
    EXPECT_BLOCKS(TH_heap(), {0x1001, 32}, {0x1003, 32}, {FREE, 74912});
    CHECK_EQ(defrag_two_movable(0x1001), 1);
    EXPECT_BLOCKS(TH_heap(), {FREE, 32}, {0x1001, 32}, {0x1003, 32}, {FREE, 74874});
}

static void test_rapid_alloc_free_cycles(void) {
    void *blocks[10];
    start();
    for (int cycle = 0; cycle < 100; cycle++) {
        for (uint32_t i = 0; i < 10; i++) {
            blocks[i] = take(32, 0x1000 + i);
            CHECK(blocks[i] != NULL);
        }
        CHECK_EQ(TH_countfreehead(), (74988 - 10 * 14) * 4);
        for (size_t i = 10; i-- > 0;) {
            CHECK_EQ(give(blocks[i]), 32 + 24);
        }
        EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
    }
    CHECK_EQ(stats_of(TH_heap()).used_bytes, 0);
    CHECK_EQ(stats_of(TH_heap()).high_water_bytes, 10 * 14 * 4);
}

static void test_allocation_alignment(void) {
    static const int sizes[14] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 100, 256, 1000};
    start();
    for (uint32_t i = 0; i < 14; i++) {
        void *pointer = take(sizes[i], 0x1000 + i);
        CHECK(pointer != NULL);
        CHECK_EQ((uintptr_t)pointer % 4, 0);
        fill(pointer, (size_t)sizes[i], i);
    }
    EXPECT_BLOCKS(TH_heap(), {0x1000, 1}, {0x1001, 1}, {0x1002, 1}, {0x1003, 1}, {0x1004, 2},
                  {0x1005, 2}, {0x1006, 2}, {0x1007, 4}, {0x1008, 4}, {0x1009, 5}, {0x100A, 9},
                  {0x100B, 25}, {0x100C, 64}, {0x100D, 250}, {FREE, 74533});
    for (uint32_t i = 0; i < 14; i++) {
        CHECK(filled(block_tagged(TH_heap(), 0x1000 + i).payload, (size_t)sizes[i], i));
    }
}

TH_SUITE("classic", TEST(before_the_first_init_every_call_fails), TEST(init_again_starts_afresh),
         TEST(tags_may_be_spelled_with_16_bits), TEST(other_tags_are_refused_and_never_truncated),
         TEST(bad_sizes_are_refused), TEST(freetags_takes_both_spellings),
         TEST(a_callback_may_be_null), TEST(faults_go_to_the_handler_that_was_installed),
         TEST(test_initialization), TEST(test_simple_head_allocation),
         TEST(test_simple_tail_allocation), TEST(test_mixed_head_tail_allocation),
         TEST(test_freeblock_case_0_isolated_free), TEST(test_freeblock_case_1_merge_with_next),
         TEST(test_freeblock_case_2_merge_with_prev), TEST(test_freeblock_case_3_merge_both),
         TEST(test_cascade_merges), TEST(test_freetags_range), TEST(test_countfreehead),
         TEST(test_alloc_at_capacity), TEST(test_defragmentation),
         TEST(test_complex_fragmentation_and_defrag), TEST(test_defrag_with_pinned_blocks),
         TEST(test_rapid_alloc_free_cycles), TEST(test_allocation_alignment))
