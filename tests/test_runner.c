/* SPDX-License-Identifier: MIT */
/* The runner as a checker: each test damages a sound heap without its knowledge, between two
 * operations, and the runner must say which property fails. A check that has stopped to look fails
 * here. */
#include "runner/attack_plan.h"
#include "runner/plain.h"
#include "runner/runner.h"
#include "script/script.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { GUARD_ANY = -1 };

/* What is done to the heap after the operation with index `at`. */
typedef struct spoiler {
    void (*spoil)(th_heap *heap);
    size_t at;
    bool done;
} spoiler;

static void after_op(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    spoiler *s = context;
    if (op != NULL && index == s->at && s->spoil != NULL) {
        s->done = true;
        s->spoil((th_heap *)(uintptr_t)heap);
    }
}

/* Two HEAD blocks of equal size, one TAIL block, a gap, then some that change nothing. */
static const char text[] = "heap dwords=400 align=4 guard=%d slots=8 lowmem=1 skew=0\n"
                           "alloc s0 tag=0x1001 bytes=40\n"
                           "alloc s1 tag=0x1002 bytes=40\n"
                           "alloc s2 tag=0x4001 bytes=42\n"
                           "alloc s3 tag=0x4002 bytes=40\n"
                           "free s3\n"
                           "%s\n"
                           "find byte=0\n";

#define SPOILED_AFTER 4 /* the free */

static lab_failure failure;
static lab_run_counts counts;

/* Plays the text with one more operation; what the runner says is in `failure`. */
static bool plays(int guard, void (*spoil)(th_heap *), const char *then) {
    char whole[512];
    lab_script script = {0};
    lab_text_error error;
    int length = snprintf(whole, sizeof whole, text, guard, then);
    CHECK(length > 0 && (size_t)length < sizeof whole);
    CHECK(lab_script_parse(&script, whole, (size_t)length, &error));
    spoiler s = {spoil, SPOILED_AFTER, false};
    const lab_run_options options = {.guard = GUARD_ANY, .after_op = after_op, .context = &s};
    lab_runner *runner = lab_runner_new();
    CHECK(runner != NULL);
    memset(&counts, 0, sizeof counts);
    bool passed = lab_runner_play(runner, &script, &options, &failure, &counts);
    CHECK_EQ(s.done, spoil != NULL);
    lab_runner_destroy(runner);
    lab_script_clean_up(&script);
    return passed;
}

/* Spoiled like that, the heap must not pass, and it must be this property that fails. */
static void expect_failure(int guard, void (*spoil)(th_heap *), const char *then,
                           lab_property property) {
    CHECK(plays(guard, NULL, then));
    CHECK(!plays(guard, spoil, then));
    if (failure.property != property) {
        printf("expected %s, found %s\n", lab_property_name(property),
               lab_property_name(failure.property));
    }
    CHECK_EQ(failure.property, property);
    CHECK_EQ(failure.op, SPOILED_AFTER + 1);
}

/* The payload of the block that has this tag. */
static unsigned char *payload_of(const th_heap *heap, uint32_t tag) {
    th_heap_block block;
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        if (block.tag == tag) {
            return block.payload;
        }
    }
    CHECK(false);
    return NULL;
}

#define NEXT "find byte=0"

/* ---- contents ------------------------------------------------------------------------------- */

static void spoil_head(th_heap *heap) {
    payload_of(heap, 0x1002)[39] ^= 1;
}

static void spoil_tail(th_heap *heap) {
    payload_of(heap, 0x4001)[41] ^= 0x80;
}

static void exchange(th_heap *heap) {
    unsigned char bytes[40];
    memcpy(bytes, payload_of(heap, 0x1001), sizeof bytes);
    memcpy(payload_of(heap, 0x1001), payload_of(heap, 0x1002), sizeof bytes);
    memcpy(payload_of(heap, 0x1002), bytes, sizeof bytes);
}

static void shift_by_a_word(th_heap *heap) {
    unsigned char *payload = payload_of(heap, 0x1001);
    memmove(payload, payload + 8, 32);
}

static void every_byte_of_contents(void) {
    for (int guard = 0; guard <= th_guard_max(); guard++) {
        expect_failure(guard, spoil_head, NEXT, LAB_PROPERTY_CONTENTS);
        expect_failure(guard, spoil_tail, NEXT, LAB_PROPERTY_CONTENTS);
    }
}

static void contents_of_another_block_or_place(void) {
    expect_failure(0, exchange, NEXT, LAB_PROPERTY_CONTENTS);
    expect_failure(0, shift_by_a_word, NEXT, LAB_PROPERTY_CONTENTS);
}

static void contents_before_a_move_and_after_a_resize(void) {
    expect_failure(0, shift_by_a_word, "resize s0 bytes=30", LAB_PROPERTY_CONTENTS);
}

/* ---- blocks and statistics ------------------------------------------------------------------- */

static LAB_PLAIN void flip_dword(th_heap *heap, uint32_t tag, int dword, uint32_t mask) {
    unsigned char *header = payload_of(heap, tag) - 4 * (size_t)heap->header_dwords + 4 * dword;
    LAB_BLIND_BEGIN;
    for (unsigned i = 0; i < 4; i++) {
        header[i] ^= (unsigned char)(mask >> 8 * i);
    }
    LAB_BLIND_END;
}

static void spoil_site(th_heap *heap) {
    flip_dword(heap, 0x4001, 4, 4);
}

static void spoil_requested(th_heap *heap) {
    flip_dword(heap, 0x1001, 3, 1);
}

static void spoil_tag(th_heap *heap) {
    flip_dword(heap, 0x1002, 2, 0x10);
}

static void every_field_of_a_block(void) {
    expect_failure(0, spoil_site, NEXT, LAB_PROPERTY_BLOCKS);
    expect_failure(0, spoil_requested, NEXT, LAB_PROPERTY_BLOCKS);
    expect_failure(0, spoil_tag, NEXT, LAB_PROPERTY_BLOCKS);
}

static void count_a_failure(th_heap *heap) {
    heap->failed_allocs++;
}

static void raise_high_water(th_heap *heap) {
    heap->high_water_dwords++;
}

static void lose_a_block(th_heap *heap) {
    heap->tail_blocks--;
}

static void every_statistic(void) {
    expect_failure(0, count_a_failure, NEXT, LAB_PROPERTY_STATS);
    expect_failure(0, raise_high_water, NEXT, LAB_PROPERTY_STATS);
    expect_failure(0, lose_a_block, NEXT, LAB_PROPERTY_STATS);
}

/* ---- edges, guards, hooks -------------------------------------------------------------------- */

static LAB_PLAIN void write_below(th_heap *heap) {
    heap->base[-1] ^= 1;
}

static LAB_PLAIN void write_above(th_heap *heap) {
    heap->base[4 * (size_t)heap->dwords] ^= 1;
}

static void both_edges_of_the_region(void) {
    expect_failure(0, write_below, NEXT, LAB_PROPERTY_BOUNDS);
    expect_failure(0, write_above, NEXT, LAB_PROPERTY_BOUNDS);
}

/* A canary is nothing to the model: only the heap's own checker can tell. */
static LAB_PLAIN void spoil_canary(th_heap *heap) {
    unsigned char *payload = payload_of(heap, 0x4001);
    LAB_BLIND_BEGIN;
    payload[43] ^= 1;
    LAB_BLIND_END;
}

static void what_the_checker_alone_can_see(void) {
    for (int guard = 1; guard <= 2 && guard <= th_guard_max(); guard++) {
        expect_failure(guard, spoil_canary, NEXT, LAB_PROPERTY_CHECKER);
    }
}

static void raise_a_fault(th_heap *heap) {
    const th_fault fault = {.kind = TH_FAULT_CHAIN};
    heap->config.guarding.on_fault(heap->config.guarding.fault_context, &fault);
}

static void a_fault_without_a_cause(void) {
    for (int guard = 0; guard <= th_guard_max(); guard++) {
        expect_failure(guard, raise_a_fault, NEXT, LAB_PROPERTY_FAULT);
    }
}

static void no_unlock(void *context) {
    (void)context;
}

static void forget_to_unlock(th_heap *heap) {
    heap->config.lock.release = no_unlock;
}

static void a_lock_that_is_kept(void) {
    expect_failure(0, forget_to_unlock, "free s1", LAB_PROPERTY_LOCK);
}

/* ---- results and callbacks ------------------------------------------------------------------ */

static void forget_whom_to_ask(th_heap *heap) {
    heap->config.low_memory = NULL;
}

static void a_low_memory_callback_that_is_not_asked(void) {
    expect_failure(0, forget_whom_to_ask, "alloc s5 tag=0x1003 bytes=4000",
                   LAB_PROPERTY_LOW_MEMORY);
}

static void free_behind_its_back(th_heap *heap) {
    (void)th_heap_free(heap, payload_of(heap, 0x1001));
}

static void a_block_that_went(void) {
    expect_failure(0, free_behind_its_back, "trim s1", LAB_PROPERTY_BLOCKS);
    expect_failure(0, free_behind_its_back, NEXT, LAB_PROPERTY_FIND);
    expect_failure(0, free_behind_its_back, "alloc s4 tag=0x1003 bytes=4", LAB_PROPERTY_RESULT);
    expect_failure(0, free_behind_its_back, "freetags 0x0000..0x7ffe", LAB_PROPERTY_RESULT);
    expect_failure(0, free_behind_its_back, "compact veto=0xff", LAB_PROPERTY_CALLBACK);
}

/* ---- what is counted ------------------------------------------------------------------------ */

/* An operation on an unsuitable slot checks nothing, and is not counted as if it had. */
static void skipped_operations_are_not_checked(void) {
    CHECK(plays(0, NULL, NEXT));
    CHECK_EQ(counts.ops, 7);
    CHECK_EQ(counts.acted, 7);
    uint64_t checked = counts.checked;
    CHECK(plays(0, NULL, "free s7"));
    CHECK_EQ(counts.ops, 7);
    CHECK_EQ(counts.acted, 6);
    CHECK_EQ(counts.checked, checked - 1);
    CHECK_EQ(counts.by_kind[LAB_OP_ALLOC], 4);
    CHECK_EQ(counts.by_kind[LAB_OP_FREE], 1);
    CHECK_EQ(counts.by_kind[LAB_OP_FIND], 1);
}

static int level_seen;

static void note_level(th_heap *heap) {
    level_seen = heap->guard;
}

static void the_script_sets_the_guard_level(void) {
    for (int guard = 0; guard <= th_guard_max(); guard++) {
        level_seen = -1;
        CHECK(plays(guard, note_level, NEXT));
        CHECK_EQ(level_seen, guard);
    }
}

/* ---- layouts ------------------------------------------------------------------------------ */

typedef struct seen_heap {
    uint32_t layout, tag_free, blocks;
    int guard;
} seen_heap;

static void note_heap(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    seen_heap *seen = context;
    (void)op;
    (void)index;
    *seen = (seen_heap){heap->layout, heap->tag_free, heap->head_blocks + heap->tail_blocks,
                        heap->guard};
}

static seen_heap play_layout(const char *line, int guard) {
    char whole[256];
    lab_script script = {0};
    lab_text_error error;
    seen_heap seen = {0};
    int length = snprintf(whole, sizeof whole,
                          "%s\nalloc s0 tag=0x3fff bytes=24\nalloc s1 tag=0x4000 bytes=24\n"
                          "alloc s2 tag=0x7fff bytes=24\n",
                          line);
    CHECK(lab_script_parse(&script, whole, (size_t)length, &error));
    const lab_run_options options = {.guard = guard, .after_op = note_heap, .context = &seen};
    lab_runner *runner = lab_runner_new();
    CHECK(runner != NULL);
    CHECK(lab_runner_play(runner, &script, &options, &failure, NULL));
    lab_runner_destroy(runner);
    lab_script_clean_up(&script);
    return seen;
}

/* A runner that plays another layout finds nothing wrong with it. */
static void the_script_sets_the_layout(void) {
    static const struct {
        const char *line;
        uint32_t layout, tag_free;
    } rows[] = {{"heap dwords=400 guard=0", TH_HEAP_LAYOUT_CLASSIC, 0x7FFF},
                {"heap dwords=400 guard=0 layout=lean", TH_HEAP_LAYOUT_LEAN, 0x7FFF},
                {"heap dwords=400 guard=0 layout=wide", TH_HEAP_LAYOUT_WIDE, 0x7FFFFFFF},
                {"heap dwords=400 guard=0 layout=auto", TH_HEAP_LAYOUT_CLASSIC, 0x7FFF},
                {"heap dwords=200000 guard=0 layout=auto", TH_HEAP_LAYOUT_WIDE, 0x7FFF},
                {"heap dwords=786432 guard=0 layout=wide", TH_HEAP_LAYOUT_WIDE, 0x7FFFFFFF}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int guard = GUARD_ANY; guard <= 3; guard++) {
            seen_heap seen = play_layout(rows[i].line, guard);
            int due = rows[i].layout == TH_HEAP_LAYOUT_LEAN || guard < 0 ? 0
                      : guard < th_guard_max()                           ? guard
                                                                         : th_guard_max();
            CHECK_EQ(seen.layout, rows[i].layout);
            CHECK_EQ(seen.tag_free, rows[i].tag_free);
            CHECK_EQ(seen.blocks, 2);
            CHECK_EQ(seen.guard, due);
        }
    }
}

/* The forged link leads to any block but the one below: for each block, at each level, it is what
 * the plan says, and the heap stands up to it. */
static void a_forged_link(void) {
    for (int guard = 0; guard <= 3; guard++) {
        for (unsigned at = 0; at < 7; at++) {
            char attacks[128];
            (void)snprintf(attacks, sizeof attacks,
                           "attack s0 on=link at=%u\nattack s1 on=link at=%u\n"
                           "attack s2 on=link at=%u",
                           at, at, at);
            CHECK(plays(guard, NULL, attacks));
            CHECK_EQ(counts.by_kind[LAB_OP_ATTACK], 3);
        }
    }
}

static void a_forged_link_leads_elsewhere(void) {
    lab_exact model = {0};
    CHECK(lab_exact_start(&model, 0, 4 * 100, 4, LAB_EXACT_CLASSIC));
    uint32_t below = lab_exact_alloc(&model, 4, 4, 1, 1);
    uint32_t own = lab_exact_alloc(&model, 4, 4, 1, 2);
    const lab_heap_history history = lab_heap_history_none(&model);
    for (uint32_t at = 0; at < 2 * model.count; at++) {
        const lab_op op = {.kind = LAB_OP_ATTACK, .attack = LAB_ATTACK_LINK, .size = {.value = at}};
        const lab_attack_target target = {.model = &model, .history = &history, .block = own};
        const lab_attack_plan plan = lab_attack_plan_of(&target, &op);
        CHECK(plan.possible && plan.found && plan.damage == LAB_DAMAGE_DWORD);
        CHECK_EQ(plan.place, own);
        uint32_t forged = plan.mask ^ below, due = at % model.count == 0 ? 1 : at % model.count;
        CHECK(forged != below);
        CHECK_EQ(forged, model.extents[due].offset);
    }
    lab_exact_clean_up(&model);
}

TH_SUITE("runner", TEST(every_byte_of_contents), TEST(contents_of_another_block_or_place),
         TEST(contents_before_a_move_and_after_a_resize), TEST(every_field_of_a_block),
         TEST(every_statistic), TEST(both_edges_of_the_region),
         TEST(what_the_checker_alone_can_see), TEST(a_fault_without_a_cause),
         TEST(a_lock_that_is_kept), TEST(a_low_memory_callback_that_is_not_asked),
         TEST(a_block_that_went), TEST(skipped_operations_are_not_checked),
         TEST(the_script_sets_the_guard_level), TEST(the_script_sets_the_layout),
         TEST(a_forged_link), TEST(a_forged_link_leads_elsewhere))
