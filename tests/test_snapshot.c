/* SPDX-License-Identifier: MIT */
/* The runner's ways of comparing (lab_comparison) come to the same result: for each byte in and
 * around the region that is not what it was, for what else a walk depends on, and for scripts that
 * nobody wrote; and the fast ones compare all blocks as seldom as they say. What SPARSE may miss is
 * what puts itself right before it looks. */
#include "runner/plain.h"
#include "runner/runner.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { DWORDS = 400, EDGE = 64, SPOILED_AFTER = 6 };

/* Blocks of both sides, slack, a gap between blocks and one between the sides; one more operation
 * after the spoiling, and then others. */
static const char text[] = "heap dwords=400 align=4 guard=%d slots=8 lowmem=0 skew=0\n"
                           "alloc s0 tag=0x1001 bytes=40\n"
                           "alloc s1 tag=0x1002 bytes=17\n"
                           "alloc s2 tag=0x1003 bytes=60\n"
                           "alloc s3 tag=0x4001 bytes=42\n"
                           "alloc s4 tag=0x4002 bytes=44\n"
                           "free s3\n"
                           "free s1\n"
                           "%s\n"
                           "trim s0\n"
                           "alloc s5 tag=0x1001 bytes=8\n"
                           "compact\n"
                           "resize s0 bytes=80\n";

/* One for each way: what a spoiler leaves where no heap ever was is the same for all of them. */
enum { WAYS = LAB_COMPARE_SPARSE + 1 };
static lab_runner *runners[WAYS];

/* What is done to the heap after one operation. */
static void (*spoil)(th_heap *heap);
static void (*mend)(th_heap *heap); /* the same after the next one */
static ptrdiff_t spoilt_byte;       /* from the region's start */

static void after_op(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    (void)context;
    if (op != NULL && index == SPOILED_AFTER && spoil != NULL) {
        spoil((th_heap *)(uintptr_t)heap);
    }
    if (op != NULL && index == SPOILED_AFTER + 1 && mend != NULL) {
        mend((th_heap *)(uintptr_t)heap);
    }
}

typedef struct outcome {
    bool passed;
    lab_failure failure;
    lab_run_counts counts;
} outcome;

static outcome play(const lab_script *script, lab_comparison comparison) {
    outcome o = {0};
    const lab_run_options options = {.guard = -1, .comparison = comparison, .after_op = after_op};
    o.passed = lab_runner_play(runners[comparison], script, &options, &o.failure, &o.counts);
    return o;
}

static void expect_same(const outcome *a, const outcome *b) {
    CHECK_EQ(a->passed, b->passed);
    CHECK_EQ(a->failure.property, b->failure.property);
    CHECK_EQ(a->failure.op, b->failure.op);
    CHECK(strcmp(a->failure.detail, b->failure.detail) == 0);
    CHECK(strcmp(a->failure.message, b->failure.message) == 0);
    CHECK_EQ(a->counts.checked, b->counts.checked);
}

static lab_script parse(int guard, const char *then) {
    char whole[768];
    lab_script script = {0};
    lab_text_error error;
    int length = snprintf(whole, sizeof whole, text, guard, then);
    CHECK(length > 0 && (size_t)length < sizeof whole);
    CHECK(lab_script_parse(&script, whole, (size_t)length, &error));
    return script;
}

static void begin(void) {
    for (int way = 0; way < WAYS; way++) {
        runners[way] = lab_runner_new();
        CHECK(runners[way] != NULL);
    }
    spoil = NULL;
    mend = NULL;
}

static void end(void) {
    for (int way = 0; way < WAYS; way++) {
        lab_runner_destroy(runners[way]);
    }
    spoil = NULL;
    mend = NULL;
}

/* SPARSE finds nothing that ALL does not find, nothing else, and nothing at another operation. */
static void expect_no_other(const outcome *all, const outcome *sparse) {
    if (!sparse->passed) {
        expect_same(all, sparse);
    }
}

/* ---- damage ------------------------------------------------------------------------------- */

static LAB_PLAIN void flip(th_heap *heap) {
    LAB_BLIND_BEGIN;
    heap->base[spoilt_byte] ^= 0x10;
    LAB_BLIND_END;
}

/* Each byte (each `step`-th); returns how many were noticed, and how many by SPARSE. */
static unsigned sparsely_noticed;

static unsigned flip_each(int guard, const char *then, ptrdiff_t step) {
    lab_script script = parse(guard, then);
    unsigned noticed = 0;
    begin();
    spoil = flip;
    sparsely_noticed = 0;
    for (spoilt_byte = -EDGE; spoilt_byte < 4 * DWORDS + EDGE; spoilt_byte += step) {
        outcome all = play(&script, LAB_COMPARE_ALL);
        outcome touched = play(&script, LAB_COMPARE_TOUCHED);
        outcome both = play(&script, LAB_COMPARE_BOTH);
        expect_same(&all, &touched);
        outcome sparse = play(&script, LAB_COMPARE_SPARSE);
        expect_same(&all, &both);
        expect_no_other(&all, &sparse);
        noticed += !all.passed;
        sparsely_noticed += !sparse.passed;
    }
    end();
    lab_script_clean_up(&script);
    return noticed;
}

/* Without guards nothing but the comparison notices: the edges (128 bytes), the headers of 3 live
 * and 3 free blocks and LAST, but for the dword of check words and the padding bits (each byte that
 * holds a field counts), and 40 + 60 + 44 bytes of contents. */
static void every_byte_where_nothing_changes(void) {
    unsigned noticed = flip_each(0, "find byte=0", 1);
    CHECK(noticed >= 128 + 7 * 18 + 40 + 60 + 44);
    CHECK(noticed <= 128 + 7 * 20 + 40 + 60 + 44);
    CHECK_EQ(sparsely_noticed, noticed);
}

static const char *const changes[] = {"alloc s6 tag=0x1004 bytes=12",
                                      "alloc s6 tag=0x4004 bytes=12",
                                      "aligned s6 tag=0x1004 bytes=12 align=64",
                                      "free s0",
                                      "free s2",
                                      "free s4",
                                      "resize s0 bytes=41",
                                      "resize s2 bytes=20",
                                      "resize s2 bytes=300",
                                      "trim s2",
                                      "compact",
                                      "compact veto=0x01",
                                      "freetags 0x1003..0x1003",
                                      "copy",
                                      "null bytes=3",
                                      "init"};
enum { CHANGES = sizeof changes / sizeof changes[0] };

/* With guards every call is safe on a damaged heap. */
static void bytes_around_a_change(void) {
    for (size_t i = 0; i < CHANGES && th_guard_max() > 0; i++) {
        (void)flip_each(th_guard_max(), changes[i], 13);
    }
}

/* Of one block, what no call depends on, with or without guards: the site, which is dword 4 of the
 * header; the first byte of the contents, and the last one. */
static unsigned spoilt_block;
static enum { SITE, FIRST_BYTE, LAST_BYTE, PARTS } spoilt_part;

static void flip_part(th_heap *heap) {
    th_heap_block block;
    bool more = th_heap_first(heap, &block);
    for (unsigned i = 0; i < spoilt_block && more; i++) {
        more = th_heap_next(heap, &block);
    }
    if (more && (spoilt_part == SITE || block.requested_bytes > 0)) {
        ptrdiff_t payload = 4 * (ptrdiff_t)(block.offset + heap->header_dwords);
        spoilt_byte = spoilt_part == SITE         ? 4 * (ptrdiff_t)block.offset + 16
                      : spoilt_part == FIRST_BYTE ? payload
                                                  : payload + (ptrdiff_t)block.requested_bytes - 1;
        flip(heap);
    }
}

static void parts_of_blocks_around_a_change(void) {
    enum { BLOCKS = 7 };
    unsigned noticed = 0;
    begin();
    spoil = flip_part;
    for (size_t i = 0; i < CHANGES; i++) {
        lab_script script = parse(0, changes[i]);
        for (unsigned k = 0; k < BLOCKS * PARTS; k++) {
            spoilt_block = k / PARTS;
            spoilt_part = k % PARTS;
            outcome all = play(&script, LAB_COMPARE_ALL);
            outcome touched = play(&script, LAB_COMPARE_TOUCHED);
            expect_same(&all, &touched);
            noticed += !all.passed;
        }
        lab_script_clean_up(&script);
    }
    end();
    CHECK(noticed > CHANGES * BLOCKS);
}

static void move_base(th_heap *heap) {
    heap->base += 4;
}

static void lower_last(th_heap *heap) {
    heap->last -= 6;
}

static void double_unit(th_heap *heap) {
    heap->unit_dwords *= 2;
}

static void change_layout(th_heap *heap) {
    heap->layout =
        heap->layout == TH_HEAP_LAYOUT_LEAN ? TH_HEAP_LAYOUT_CLASSIC : TH_HEAP_LAYOUT_LEAN;
}

static void count_a_block(th_heap *heap) {
    heap->free_blocks++;
}

/* Only the checker sees it. */
static void flip_a_leaf(th_heap *heap) {
    heap->index.small[0][1] ^= 1; /* there is no free block so low */
}

/* The attack does nothing at guard level 0. */
static void what_a_walk_depends_on(void) {
    static void (*const spoilers[])(th_heap *) = {move_base,     lower_last,    double_unit,
                                                  change_layout, count_a_block, flip_a_leaf};
    lab_script script = parse(0, "attack s0 on=pointer at=0");
    begin();
    for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++) {
        spoil = spoilers[i];
        outcome all = play(&script, LAB_COMPARE_ALL);
        outcome touched = play(&script, LAB_COMPARE_TOUCHED);
        outcome sparse = play(&script, LAB_COMPARE_SPARSE);
        CHECK(!all.passed);
        CHECK_EQ(all.failure.op, SPOILED_AFTER + 1);
        expect_same(&all, &touched);
        expect_same(&all, &sparse);
    }
    end();
    lab_script_clean_up(&script);
}

/* What only the checker sees is missed by SPARSE, if it has gone when that asks. */
static void what_puts_itself_right(void) {
    lab_script script = parse(0, "find byte=0");
    begin();
    spoil = flip_a_leaf;
    mend = flip_a_leaf;
    outcome all = play(&script, LAB_COMPARE_ALL);
    outcome sparse = play(&script, LAB_COMPARE_SPARSE);
    CHECK(!all.passed);
    CHECK(sparse.passed);
    script.count = SPOILED_AFTER + 1; /* it asks in the end, before that */
    all = play(&script, LAB_COMPARE_ALL);
    sparse = play(&script, LAB_COMPARE_SPARSE);
    CHECK(!all.passed);
    expect_same(&all, &sparse);
    end();
    lab_script_clean_up(&script);
}

/* ---- sound heaps -------------------------------------------------------------------------- */

static void scripts_of_random_bytes(void) {
    enum { SCRIPTS = TH_TEST_TIMES(150), BYTES = LAB_HEADER_BYTES + 80 * LAB_RECORD_BYTES };
    static uint8_t bytes[BYTES];
    lab_script script = {0};
    uint64_t state = th_test_seed(7);
    uint64_t whole = 0, checked = 0;
    begin();
    for (int i = 0; i < SCRIPTS; i++) {
        for (size_t k = 0; k < BYTES; k++) {
            bytes[k] = (uint8_t)th_test_random(&state);
        }
        CHECK(lab_script_decode(&script, bytes, BYTES));
        outcome all = play(&script, LAB_COMPARE_ALL);
        outcome touched = play(&script, LAB_COMPARE_TOUCHED);
        outcome both = play(&script, LAB_COMPARE_BOTH);
        outcome sparse = play(&script, LAB_COMPARE_SPARSE);
        CHECK(all.passed);
        expect_same(&all, &touched);
        expect_same(&all, &both);
        expect_same(&all, &sparse);
        CHECK_EQ(sparse.counts.whole, touched.counts.whole);
        CHECK_EQ(all.counts.whole, both.counts.whole);
        whole += touched.counts.whole;
        checked += touched.counts.checked;
    }
    end();
    lab_script_clean_up(&script);
    CHECK(whole < checked / 4); /* each new heap, each image that is attached, every 64th */
}

/* On a new heap, after the first operation, after the 65th, and in the end; and the checker. */
static void all_blocks_are_seldom_compared(void) {
    static const char operations[] = "alloc s%u tag=0x%x bytes=%u\nresize s%u bytes=%u\n"
                                     "trim s%u\nfree s%u\n";
    char whole[4096] = "heap dwords=750 align=8 guard=3 slots=16 lowmem=0 skew=0\n";
    lab_script script = {0};
    lab_text_error error;
    for (unsigned i = 0; i < 25; i++) {
        size_t used = strlen(whole);
        (void)snprintf(whole + used, sizeof whole - used, operations, i % 16,
                       i % 3 == 0 ? 0x4001u : 0x1001u, 10 + 7 * i, i % 16, 30 + 5 * i, i % 16,
                       (i * 5 + 3) % 16);
    }
    CHECK(lab_script_parse(&script, whole, strlen(whole), &error));
    begin();
    outcome touched = play(&script, LAB_COMPARE_TOUCHED);
    outcome all = play(&script, LAB_COMPARE_ALL);
    CHECK(touched.passed);
    for (uint8_t guard = 0; guard <= 3; guard++) {
        script.config.guard = guard;
        outcome sparse = play(&script, LAB_COMPARE_SPARSE);
        touched = play(&script, LAB_COMPARE_TOUCHED);
        bool itself = guard < 3 || th_guard_max() < 3;
        CHECK_EQ(touched.counts.checkers, itself ? touched.counts.checked + 1 : 4);
        CHECK(sparse.counts.checkers >= 1);
        CHECK(sparse.counts.checkers <= 3 + touched.counts.checked / 8);
        expect_same(&touched, &sparse);
    }
    end();
    lab_script_clean_up(&script);
    CHECK(touched.counts.checked > 70);
    CHECK_EQ(all.counts.whole, all.counts.checked + 1);
    CHECK_EQ(touched.counts.whole, 4);
}

TH_SUITE("snapshot", TEST(every_byte_where_nothing_changes), TEST(bytes_around_a_change),
         TEST(parts_of_blocks_around_a_change), TEST(what_a_walk_depends_on),
         TEST(what_puts_itself_right), TEST(scripts_of_random_bytes),
         TEST(all_blocks_are_seldom_compared))
