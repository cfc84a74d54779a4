/* SPDX-License-Identifier: MIT */
/* Fault sweeps: how often each kind of failure has a chance in scripts where that can be counted by
 * hand, what a planted failure does to the run, and that every combination agrees with the model.
 */
#include "sweep/sweep.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

static lab_script script;

static void parse(const char *text) {
    lab_text_error error;
    CHECK(lab_script_parse(&script, text, strlen(text), &error));
}

/* 4 allocations and a growth; two blocks that can slide. */
static const char plain[] = "heap dwords=400\n"
                            "alloc s0 tag=0x1001 bytes=100\n"
                            "alloc s1 tag=0x1002 bytes=24\n"
                            "alloc s2 tag=0x1003 bytes=200\n"
                            "alloc s3 tag=0x4001 bytes=64\n"
                            "free s0\n"
                            "resize s1 bytes=130\n"
                            "compact veto=0x00\n"
                            "resize s2 bytes=0\n";

/* The third finds no room: the callback frees s0. */
static const char scarce[] = "heap dwords=100 lowmem=1\n"
                             "alloc s0 tag=0x1001 bytes=150\n"
                             "alloc s1 tag=0x1002 bytes=150\n"
                             "alloc s2 tag=0x1003 bytes=150\n";

static const char rich[] = "heap dwords=300 align=8 lowmem=1 slots=8\n"
                           "alloc s0 tag=0x1001 bytes=100\n"
                           "aligned s1 tag=0x1002 bytes=24 align=64\n"
                           "alloc s2 tag=0x1003 bytes=200\n"
                           "alloc s3 tag=0x4001 bytes=64\n"
                           "free s0\n"
                           "compact budget=10 veto=0x00\n"
                           "resize s2 bytes=300\n"
                           "alloc s4 tag=0x1004 bytes=500\n"
                           "alloc s7 tag=0x1005 bytes=900\n"
                           "copy\n"
                           "compact veto=0x02 reenter\n"
                           "resize s4 bytes=20\n"
                           "trim s4\n"
                           "alloc s5 tag=0x4002 bytes=90\n"
                           "attack s4 on=header at=3\n"
                           "freetags 0x1000..0x1003\n"
                           "compact veto=0x00\n"
                           "init\n"
                           "alloc s6 tag=0x1001 bytes=10\n";

static lab_runner *runner(void) {
    static lab_runner *one;
    if (one == NULL) {
        one = lab_runner_new();
        CHECK(one != NULL);
    }
    return one;
}

static void expect_sweep(const char *text, int guard, lab_sweep *sweep) {
    parse(text);
    if (!lab_sweep_script(runner(), &script, guard, NULL, NULL, sweep)) {
        printf("# %s:%llu%s: %s\n", lab_inject_name(sweep->plan.kind),
               (unsigned long long)sweep->plan.n, sweep->plan.for_ever ? "+" : "",
               sweep->failure.message);
        CHECK(false);
    }
    CHECK(sweep->complete);
}

static void chances_are_counted(void) {
    lab_sweep sweep;
    expect_sweep(plain, -1, &sweep);
    CHECK_EQ(sweep.chances[LAB_INJECT_ALLOC], 5);
    CHECK_EQ(sweep.chances[LAB_INJECT_LOW_MEMORY], 0);
    CHECK_EQ(sweep.chances[LAB_INJECT_MOVE], 2);
    CHECK_EQ(sweep.chances[LAB_INJECT_HARNESS], 2);
    /* Each n from 1 to one above the chances, once and for ever. */
    CHECK_EQ(sweep.runs, 2 * (6 + 1 + 3 + 3));
    expect_sweep(scarce, -1, &sweep);
    CHECK_EQ(sweep.chances[LAB_INJECT_ALLOC], 3);
    CHECK_EQ(sweep.chances[LAB_INJECT_LOW_MEMORY], 1);
    CHECK_EQ(sweep.chances[LAB_INJECT_MOVE], 0);
}

/* What a run with a plan came to. */
typedef struct outcome {
    lab_run_counts counts;
    uint64_t live;
} outcome;

static void count_live(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    th_heap_stats stats;
    (void)op;
    (void)index;
    stats = th_heap_get_stats(heap);
    ((outcome *)context)->live = stats.head_blocks + stats.tail_blocks;
}

static outcome play(const char *text, lab_inject_kind kind, uint64_t n, bool for_ever) {
    outcome found = {0};
    lab_failure failure;
    lab_injection plan = {.kind = kind, .n = n, .for_ever = for_ever};
    const lab_run_options options = {
        .guard = -1, .after_op = count_live, .context = &found, .inject = &plan};
    parse(text);
    CHECK(lab_runner_play(runner(), &script, &options, &failure, &found.counts));
    return found;
}

static void an_allocation_fails_once(void) {
    CHECK_EQ(play(plain, LAB_INJECT_ALLOC, 6, false).counts.failed_allocs, 0);
    outcome found = play(plain, LAB_INJECT_ALLOC, 4, false); /* that of s3 */
    CHECK_EQ(found.counts.failed_allocs, 1);
    CHECK_EQ(found.live, 1);
}

static void allocations_fail_for_ever(void) {
    outcome found = play(plain, LAB_INJECT_ALLOC, 3, true); /* s2, s3, and s1's growth */
    CHECK_EQ(found.counts.failed_allocs, 3);
    CHECK_EQ(found.live, 1);
    CHECK_EQ(play(plain, LAB_INJECT_ALLOC, 1, true).live, 0);
}

static void a_request_for_more_is_declined(void) {
    CHECK_EQ(play(scarce, LAB_INJECT_LOW_MEMORY, 2, false).counts.failed_allocs, 0);
    outcome found = play(scarce, LAB_INJECT_LOW_MEMORY, 1, false);
    CHECK_EQ(found.counts.failed_allocs, 1);
    CHECK_EQ(found.live, 2);
}

static void a_move_is_vetoed(void) {
    CHECK_EQ(play(plain, LAB_INJECT_MOVE, 3, false).counts.moves, 2);
    outcome first = play(plain, LAB_INJECT_MOVE, 1, false);
    CHECK_EQ(first.counts.vetoes, 1);
    outcome all = play(plain, LAB_INJECT_MOVE, 1, true);
    CHECK_EQ(all.counts.moves, 0);
}

/* The harness says that it has no memory, and the next run is a good one again. */
static void the_harness_without_memory_says_so(void) {
    lab_failure failure;
    for (uint64_t n = 1; n <= 2; n++) {
        lab_injection plan = {.kind = LAB_INJECT_HARNESS, .n = n};
        const lab_run_options options = {.guard = -1, .inject = &plan};
        parse(plain);
        CHECK(!lab_runner_play(runner(), &script, &options, &failure, NULL));
        CHECK_EQ(failure.property, LAB_PROPERTY_MEMORY);
        CHECK_EQ(failure.op, 6);
        CHECK(lab_runner_play(runner(), &script, NULL, &failure, NULL));
    }
}

static void every_combination_agrees_with_the_model(void) {
    lab_sweep sweep;
    for (int guard = 0; guard <= th_guard_max(); guard++) {
        expect_sweep(rich, guard, &sweep);
        CHECK(sweep.chances[LAB_INJECT_ALLOC] > 5);
        CHECK(sweep.chances[LAB_INJECT_LOW_MEMORY] > 0);
        CHECK(sweep.chances[LAB_INJECT_MOVE] > 1);
    }
}

static bool three_times(void *context) {
    return (*(unsigned *)context)++ < 3;
}

static void a_sweep_stops_when_told(void) {
    unsigned asked = 0;
    lab_sweep sweep;
    parse(plain);
    CHECK(lab_sweep_script(runner(), &script, -1, three_times, &asked, &sweep));
    CHECK(!sweep.complete);
    CHECK_EQ(sweep.runs, 3);
    /* Once it has been told, it is not asked about the other kinds. */
    CHECK_EQ(asked, 4);
}

static void clean_up(void) {
    lab_runner_destroy(runner());
    lab_script_clean_up(&script);
}

TH_SUITE("sweep", TEST(chances_are_counted), TEST(an_allocation_fails_once),
         TEST(allocations_fail_for_ever), TEST(a_request_for_more_is_declined),
         TEST(a_move_is_vetoed), TEST(the_harness_without_memory_says_so),
         TEST(every_combination_agrees_with_the_model), TEST(a_sweep_stops_when_told),
         TEST(clean_up))
