/* SPDX-License-Identifier: MIT */
/* What the offset allocator notices (include/tagheap/offsets.h): blocks that are not live, at every
 * level, and whatever is wrong in its bookkeeping. */
#include <string.h>

#include "alloc_fixture.h"
#include "suite.h"
#include "tagheap/offsets.h"

enum { NODES = 12 };

static th_offsets_node nodes[NODES];
static th_offsets range;
static fault_log faults;

static void start(int level, uint64_t bytes) {
    th_offsets_config config = {.guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_offsets_init(&range, bytes, nodes, sizeof nodes, &config), TH_OK);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_offsets_check(&range, NULL), TH_OK);
    th_offsets_clean_up(&range);
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void refuse_at(int level, th_offsets_block block, th_fault_kind kind) {
    th_offsets_stats before, after;
    size_t offset = block.offset < TH_FAULT_NOWHERE ? (size_t)block.offset : TH_FAULT_NOWHERE;
    before = th_offsets_get_stats(&range);
    const uint64_t sizes[] = {0, 1, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        CHECK(!th_offsets_resize_in_place(&range, block, sizes[i]));
        EXPECT_LOGGED(&faults, level, kind, block.node, 0, offset, 0, block.generation);
    }
    CHECK_EQ(th_offsets_size(&range, block), 0);
    EXPECT_LOGGED(&faults, level, kind, block.node, 0, offset, 0, block.generation);
    if (block.generation != 0) {
        CHECK(!th_offsets_free(&range, block));
        EXPECT_LOGGED(&faults, level, kind, block.node, 0, offset, 0, block.generation);
    }
    after = th_offsets_get_stats(&range);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK_EQ(th_offsets_check(&range, NULL), TH_OK);
}

static void wrong_blocks_at(int level) {
    start(level, (uint64_t)1 << 40);
    th_offsets_block a = th_offsets_alloc_aligned(&range, 100, 1);
    th_offsets_block b = th_offsets_alloc_aligned(&range, 100, (uint64_t)1 << 33);
    th_offsets_block wrong = a;
    CHECK(th_offsets_free(&range, b));
    refuse_at(level, b, TH_FAULT_DOUBLE_FREE);
    wrong.offset = 50; /* inside */
    refuse_at(level, wrong, TH_FAULT_NOT_A_BLOCK);
    wrong.offset = UINT64_MAX; /* is nowhere */
    refuse_at(level, wrong, TH_FAULT_NOT_A_BLOCK);
    wrong = a;
    wrong.node = NODES;
    refuse_at(level, wrong, TH_FAULT_NOT_A_BLOCK);
    wrong.node = UINT32_MAX;
    refuse_at(level, wrong, TH_FAULT_NOT_A_BLOCK);
    wrong = a;
    wrong.generation = 2;
    refuse_at(level, wrong, TH_FAULT_NOT_A_BLOCK);
    wrong.generation = 0;
    refuse_at(level, wrong, TH_FAULT_NOT_A_BLOCK);
    wrong.generation = 3; /* of a life that the node has not had yet */
    refuse_at(level, wrong, TH_FAULT_NOT_A_BLOCK);
    CHECK(th_offsets_free(&range, a));
    refuse_at(level, a, TH_FAULT_DOUBLE_FREE);
    stop();
}

/* At level 0, too: the bookkeeping knows. */
static void wrong_blocks_are_named(void) {
    at_levels(0, wrong_blocks_at);
}

/* A stale block is told from the one that has its node now, and its offset. */
static void stale_at(int level) {
    start(level, 100);
    th_offsets_block old = th_offsets_alloc_aligned(&range, 10, 1);
    for (unsigned i = 0; i < 100; i++) {
        CHECK(th_offsets_free(&range, old));
        th_offsets_block new = th_offsets_alloc_aligned(&range, 10, 1);
        CHECK_EQ(new.offset, old.offset);
        refuse_at(level, old, TH_FAULT_DOUBLE_FREE);
        CHECK_EQ(th_offsets_size(&range, new), 10);
        old = new;
    }
    CHECK_EQ(th_offsets_reset(&range), TH_OK);
    refuse_at(level, old, TH_FAULT_DOUBLE_FREE);
    stop();
}

static void stale_blocks_are_named(void) {
    at_levels(0, stale_at);
}

/* ---- the checker -------------------------------------------------------------------------- */

/* Live blocks, free extents in three classes, two of them in one, unused nodes. */
static void furnish(void) {
    th_offsets_block blocks[6];
    static const uint64_t sizes[6] = {20, 9, 20, 7, 300, 5};
    start(0, 1000);
    for (size_t i = 0; i < 6; i++) {
        blocks[i] = th_offsets_alloc_aligned(&range, sizes[i], 1);
        CHECK(blocks[i].generation != 0);
    }
    CHECK(th_offsets_free(&range, blocks[0]));
    CHECK(th_offsets_free(&range, blocks[2]));
    CHECK(th_offsets_free(&range, blocks[4]));
    CHECK_EQ(range.free_extents, 4);
    CHECK_EQ(range.live, 3);
}

static void expect_corrupt(void) {
    th_fault found = {0};
    CHECK_EQ(th_offsets_check(&range, &found), TH_ERR_CORRUPT);
    CHECK(found.kind == TH_FAULT_CHAIN || found.kind == TH_FAULT_COUNT);
    CHECK_EQ(th_offsets_check(&range, NULL), TH_ERR_CORRUPT);
}

static void try_32(uint32_t *field) {
    const uint32_t good = *field;
    const uint32_t bad[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, NODES, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        *field = bad[i];
        if (bad[i] != good) {
            expect_corrupt();
        }
    }
    *field = good;
}

static void try_64(uint64_t *field) {
    const uint64_t good = *field;
    for (unsigned bit = 0; bit < 64; bit++) {
        *field = good ^ (uint64_t)1 << bit;
        expect_corrupt();
    }
    if (good != 0) {
        *field = 0;
        expect_corrupt();
    }
    *field = good;
}

/* Every field that is in use, with every value that looks like a node, and some that do not. */
static void every_link_is_proved(void) {
    furnish();
    for (uint32_t i = range.lowest; i != UINT32_MAX; i = nodes[i].above) {
        bool live = nodes[i].generation % 2 != 0;
        try_32(&nodes[i].below);
        try_32(&nodes[i].above);
        try_64(&nodes[i].bytes);
        try_64(&nodes[i].offset);
        if (!live) {
            try_32(&nodes[i].before);
            try_32(&nodes[i].after);
        }
        nodes[i].generation++;
        expect_corrupt();
        nodes[i].generation--;
    }
    for (uint32_t i = range.unused; i != UINT32_MAX; i = nodes[i].after) {
        try_32(&nodes[i].after);
        nodes[i].generation++;
        expect_corrupt();
        nodes[i].generation--;
    }
    try_32(&range.lowest);
    try_32(&range.unused);
    stop();
}

static void every_class_is_proved(void) {
    furnish();
    for (size_t class = 0; class < TH_OFFSETS_CLASSES; class ++) {
        try_32(&range.heads[class]);
    }
    for (size_t i = 0; i < sizeof range.steps; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            range.steps[i] ^= (uint8_t)(1u << bit);
            expect_corrupt();
            range.steps[i] ^= (uint8_t)(1u << bit);
        }
    }
    try_64(&range.powers);
    stop();
}

static void every_count_is_proved(void) {
    furnish();
    try_32(&range.live);
    try_32(&range.free_extents);
    try_64(&range.live_bytes);
    try_64(&range.bytes);
    const uint64_t live = range.live_bytes;
    range.live_bytes += UINT64_C(1) << 40; /* the low 32 bits are as they should be */
    th_fault found = {0};
    CHECK_EQ(th_offsets_check(&range, &found), TH_ERR_CORRUPT);
    CHECK_EQ(found.expected, live);
    CHECK_EQ(found.found, UINT32_MAX);
    range.live_bytes = live;
    uint64_t high = range.high_water_bytes;
    range.high_water_bytes = range.live_bytes - 1;
    expect_corrupt();
    range.high_water_bytes = high;
    range.nodes_max--;
    expect_corrupt();
    range.nodes_max++;
    stop();
}

/* Two free neighbours, though all the rest is in order. */
static void free_neighbours_are_noticed(void) {
    start(0, 100);
    th_offsets_block a = th_offsets_alloc_aligned(&range, 10, 1);
    th_offsets_block b = th_offsets_alloc_aligned(&range, 10, 1);
    CHECK(th_offsets_free(&range, a));
    th_offsets_node *n = &nodes[b.node];
    n->generation++;
    range.live--;
    range.live_bytes -= 10;
    th_fault found = {0};
    CHECK_EQ(th_offsets_check(&range, &found), TH_ERR_CORRUPT);
    CHECK_EQ(found.kind, TH_FAULT_CHAIN);
    CHECK_EQ(found.block, b.node);
    th_offsets_clean_up(&range);
}

/* At level 3 each call ends with the checker. */
static void level_three_checks_after_each_call(void) {
    const size_t none = TH_FAULT_NOWHERE;
    if (th_guard_max() < 3) {
        return;
    }
    start(3, 100);
    range.live = 7;
    th_offsets_block a = th_offsets_alloc_aligned(&range, 10, 1);
    EXPECT_LOGGED(&faults, 3, TH_FAULT_COUNT, none, 0, none, 1, 8);
    CHECK(th_offsets_resize_in_place(&range, a, 20));
    EXPECT_LOGGED(&faults, 3, TH_FAULT_COUNT, none, 0, none, 1, 8);
    CHECK(th_offsets_free(&range, a));
    EXPECT_LOGGED(&faults, 3, TH_FAULT_COUNT, none, 0, none, 0, 7);
    CHECK_EQ(th_offsets_reset(&range), TH_OK);
    stop();
}

TH_SUITE("offsets_guards", TEST(wrong_blocks_are_named), TEST(stale_blocks_are_named),
         TEST(every_link_is_proved), TEST(every_class_is_proved), TEST(every_count_is_proved),
         TEST(free_neighbours_are_noticed), TEST(level_three_checks_after_each_call))
