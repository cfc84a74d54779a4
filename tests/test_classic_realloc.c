/* SPDX-License-Identifier: MIT */
/* TH_realloc against the white-box document: its tests 19-28 under their own names, with the exit
 * state of each, block for block. A dword is 4 bytes, a header 6 dwords, and FIRST of a fresh
 * heap has 74,988 dwords; LAST lies at 74,994. */
#include <limits.h>
#include <string.h>

#include "heap_fixture.h"
#include "tagheap/classic.h"

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
    CHECK(pointer != NULL);
    validate();
    return pointer;
}

static void *change(void *pointer, int bytes) {
    validate();
    void *result = TH_realloc(pointer, bytes);
    validate();
    return result;
}

static int give(void *pointer) {
    validate();
    int bytes = TH_free(pointer);
    validate();
    return bytes;
}

static void write_words(void *payload, uint32_t first, uint32_t count) {
    uint32_t *words = payload;
    for (uint32_t i = 0; i < count; i++) {
        words[i] = first + i;
    }
}

static void expect_words(const void *payload, uint32_t first, uint32_t count) {
    const uint32_t *words = payload;
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(words[i], first + i);
    }
}

static void test_realloc_null_ptr(void) {
    start();
    CHECK(change(NULL, 100) == NULL);
    EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
    CHECK(take(40, 0x2000) != NULL);
    CHECK(change(NULL, 0) == NULL);
    CHECK(change(NULL, -1) == NULL);
    EXPECT_BLOCKS(TH_heap(), {0x2000, 10}, {FREE, 74972});
}

static void test_realloc_zero_size(void) {
    static const int sizes[] = {0, -1, INT_MIN};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        start();
        void *pointer = take(100, 0x2000);
        EXPECT_BLOCKS(TH_heap(), {0x2000, 25}, {FREE, 74957});
        int before = TH_countfreehead();
        CHECK(change(pointer, sizes[i]) == NULL);
        EXPECT_BLOCKS(TH_heap(), {FREE, 74988});
        CHECK_EQ(TH_countfreehead() - before, 100 + 24);
    }
}

static void test_realloc_no_op_shrink(void) {
    start();
    void *pointer = take(200, 0x2000);
    write_words(pointer, 0xA5A50000, 50);
    CHECK_PTR_EQ(change(pointer, 100), pointer);
    expect_words(pointer, 0xA5A50000, 25);
    EXPECT_BLOCKS(TH_heap(), {0x2000, 50}, {FREE, 74932});
    CHECK_EQ(block_of(TH_heap(), pointer).requested_bytes, 100);
}

/* The document's call, and then a growth that the block satisfies as well. */
static void test_realloc_no_growth_needed(void) {
    start();
    void *pointer = take(200, 0x2000);
    write_words(pointer, 0x5A5A0000, 50);
    CHECK_PTR_EQ(change(pointer, 100), pointer);
    expect_words(pointer, 0x5A5A0000, 25);
    CHECK_PTR_EQ(change(pointer, 200), pointer);
    expect_words(pointer, 0x5A5A0000, 25);
    EXPECT_BLOCKS(TH_heap(), {0x2000, 50}, {FREE, 74932});
    CHECK_EQ(block_of(TH_heap(), pointer).requested_bytes, 200);
}

static void test_realloc_in_place_expansion(void) {
    start();
    void *a = take(100, 0x2001);
    void *b = take(100, 0x2002);
    void *c = take(100, 0x2003);
    write_words(a, 0x11110000, 25);
    write_words(c, 0x33330000, 25);
    CHECK_EQ(give(b), 100);
    CHECK_PTR_EQ(change(a, 150), a);
    expect_words(a, 0x11110000, 25);
    expect_words(c, 0x33330000, 25);
    /* 25 + 6 + 25 = 56; 150 bytes are 38; what is left holds a header and 12. */
    EXPECT_BLOCKS(TH_heap(), {0x2001, 38}, {FREE, 12}, {0x2003, 25}, {FREE, 74895});
    CHECK_PTR_EQ(block_tagged(TH_heap(), 0x2003).payload, c);
}

/* The document's "~350 bytes" leaves out A's and B's headers: exactly 448 bytes remain. */
static void test_realloc_with_block_splitting(void) {
    start();
    void *a = take(100, 0x2001);
    void *b = take(500, 0x2002);
    void *c = take(100, 0x2003);
    write_words(a, 0x11110000, 25);
    write_words(c, 0x33330000, 25);
    CHECK_EQ(give(b), 500);
    CHECK_PTR_EQ(change(a, 150), a);
    expect_words(a, 0x11110000, 25);
    expect_words(c, 0x33330000, 25);
    EXPECT_BLOCKS(TH_heap(), {0x2001, 38}, {FREE, 112}, {0x2003, 25}, {FREE, 74795});
}

static void test_realloc_full_reallocation(void) {
    start();
    void *a = take(100, 0x2001);
    void *b = take(100, 0x2002);
    write_words(a, 0x11110000, 25);
    write_words(b, 0x22220000, 25);
    void *moved = change(a, 300);
    CHECK(moved != NULL);
    CHECK(moved != a);
    expect_words(moved, 0x11110000, 25);
    expect_words(b, 0x22220000, 25);
    EXPECT_BLOCKS(TH_heap(), {FREE, 25}, {0x2002, 25}, {0x2001, 75}, {FREE, 74845});

    /* The old block merged with its neighbours: here with the free block below it. */
    start();
    void *below = take(60, 0x2000);
    a = take(100, 0x2001);
    b = take(100, 0x2002);
    write_words(a, 0x44440000, 25);
    write_words(b, 0x22220000, 25);
    CHECK_EQ(give(below), 60);
    moved = change(a, 300);
    CHECK(moved != NULL && moved != a);
    expect_words(moved, 0x44440000, 25);
    expect_words(b, 0x22220000, 25);
    EXPECT_BLOCKS(TH_heap(), {FREE, 46}, {0x2002, 25}, {0x2001, 75}, {FREE, 74824});
}

static void write_xor(void *payload, int bytes, int key) {
    unsigned char *at = payload;
    for (int i = 0; i < bytes; i++) {
        at[i] = (unsigned char)(i ^ key);
    }
}

static void expect_xor(const void *payload, int bytes, int key) {
    const unsigned char *at = payload;
    for (int i = 0; i < bytes; i++) {
        CHECK_EQ(at[i], (unsigned char)(i ^ key));
    }
}

/* Each block is the highest one when it is resized, so all of them grow in place. */
static void test_realloc_data_integrity(void) {
    static const int sizes[4][2] = {{50, 150}, {100, 300}, {200, 100}, {80, 200}};
    void *blocks[4];
    start();
    for (int i = 0; i < 4; i++) {
        int kept = sizes[i][0] < sizes[i][1] ? sizes[i][0] : sizes[i][1];
        blocks[i] = take(sizes[i][0], 0x2000 + (uint32_t)i);
        write_xor(blocks[i], sizes[i][0], 0x5A + i);
        CHECK_PTR_EQ(change(blocks[i], sizes[i][1]), blocks[i]);
        expect_xor(blocks[i], kept, 0x5A + i);
    }
    for (int i = 0; i < 4; i++) {
        int kept = sizes[i][0] < sizes[i][1] ? sizes[i][0] : sizes[i][1];
        expect_xor(blocks[i], kept, 0x5A + i);
    }
    EXPECT_BLOCKS(TH_heap(), {0x2000, 38}, {0x2001, 75}, {0x2002, 50}, {0x2003, 50}, {FREE, 74751});
}

/* Each resized block has a used block above it, so all of them move, each beyond the last one. */
static void test_realloc_alignment(void) {
    static const int sizes[4] = {10, 50, 100, 200};
    void *blocks[4];
    start();
    for (int i = 0; i < 4; i++) {
        blocks[i] = take(sizes[i], 0x2000 + (uint32_t)i);
        write_xor(blocks[i], sizes[i], 0x11 * (i + 1));
    }
    for (int i = 0; i < 4; i++) {
        void *moved = change(blocks[i], sizes[i] + 50);
        CHECK(moved != NULL);
        CHECK(moved != blocks[i]);
        CHECK_EQ((uintptr_t)moved % 4, 0);
        expect_xor(moved, sizes[i], 0x11 * (i + 1));
        blocks[i] = moved;
    }
    for (int i = 0; i < 4; i++) {
        expect_xor(blocks[i], sizes[i], 0x11 * (i + 1));
    }
    EXPECT_BLOCKS(TH_heap(), {FREE, 109}, {0x2000, 15}, {0x2001, 25}, {0x2002, 38}, {0x2003, 63},
                  {FREE, 74708});
}

/* 25 + 6 + 25 = 56, which 200 bytes (50) leave too little of for another block: A takes all. */
static void test_realloc_with_pinned_blocks(void) {
    start();
    void *a = take(100, 0x2001);
    void *b = take(100, 0x2002);
    void *c = take(100, 0x2003);
    write_words(a, 0x11110000, 25);
    write_words(c, 0x33330000, 25);
    CHECK_EQ(give(b), 100);
    void *grown = change(a, 200);
    CHECK(grown != NULL);
    expect_words(grown, 0x11110000, 25);
    expect_words(c, 0x33330000, 25);
    CHECK_PTR_EQ(block_tagged(TH_heap(), 0x2003).payload, c);
    EXPECT_BLOCKS(TH_heap(), {0x2001, 56}, {0x2003, 25}, {FREE, 74895});
}

static void a_failed_realloc_leaves_the_block(void) {
    start();
    void *a = take(100, 0x2001);
    CHECK(take(100, 0x2002) != NULL);
    write_words(a, 0x11110000, 25);
    CHECK(change(a, 10000000) == NULL);
    CHECK(change(a, INT_MAX) == NULL);
    CHECK(change(a, 299952) == NULL);
    expect_words(a, 0x11110000, 25);
    EXPECT_BLOCKS(TH_heap(), {0x2001, 25}, {0x2002, 25}, {FREE, 74926});
    CHECK_EQ(stats_of(TH_heap()).failed_allocs, 3);
}

TH_SUITE("classic_realloc", TEST(test_realloc_null_ptr), TEST(test_realloc_zero_size),
         TEST(test_realloc_no_op_shrink), TEST(test_realloc_no_growth_needed),
         TEST(test_realloc_in_place_expansion), TEST(test_realloc_with_block_splitting),
         TEST(test_realloc_full_reallocation), TEST(test_realloc_data_integrity),
         TEST(test_realloc_alignment), TEST(test_realloc_with_pinned_blocks),
         TEST(a_failed_realloc_leaves_the_block))
