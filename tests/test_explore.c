/* SPDX-License-Identifier: MIT */
/* The explorer: that it visits every state, counted another way; that it does not depend on the
 * number of threads; that it finds what is wrong, by the shortest way, crashes included. */
#include "explore/explore.h"

#include <stdlib.h>
#include <string.h>

#include "explore/states.h"
#include "model/exact.h"
#include "suite.h"

static const lab_explore_config small = {
    .dwords = 32,
    .alignment = 4,
    .sizes = {{1, 9, 20}, 3},
    .tags = {{0x1001, 0x1002, 0x4001}, 3},
    .budgets = {{0}, 1},
};

static lab_explore_result explore(const lab_explore_config *config) {
    lab_explore_result result;
    CHECK(lab_explore_refusal(config) == NULL);
    lab_explore(config, &result);
    return result;
}

static void expect_complete(const lab_explore_config *config, uint64_t states, uint64_t transitions,
                            uint32_t depth) {
    lab_explore_result result = explore(config);
    CHECK_EQ(result.end, LAB_EXPLORE_COMPLETE);
    CHECK_EQ(result.counts.states, states);
    CHECK_EQ(result.counts.expanded, states);
    CHECK_EQ(result.counts.frontier, 0);
    CHECK_EQ(result.counts.transitions, transitions);
    CHECK_EQ(result.deepest, depth);
    CHECK_EQ(result.script.count, 0);
}

/* 16 dwords hold one block, and what is left over is its slack. Fresh: alloc, free by tag,
 * compact. With the block: these, and resize, trim, free. */
static void counts_two_states(void) {
    lab_explore_config config = {
        .dwords = 16, .alignment = 4, .sizes = {{1}, 1}, .tags = {{0}, 1}, .jobs = 1};
    expect_complete(&config, 2, 3 + 6, 1);
}

/* Under Valgrind smaller heaps must do. */
#if TH_TRACK_VALGRIND
enum { DWORDS = 28, STATES = 262, TRANSITIONS = 6752, DEPTH = 5 };
enum { ALIGNED_DWORDS = 36, ALIGNED_STATES = 797, ALIGNED_TRANSITIONS = 19777, ALIGNED_DEPTH = 10 };
#else
enum { DWORDS = 32, STATES = 17299, TRANSITIONS = 494208, DEPTH = 22 };
enum {
    ALIGNED_DWORDS = 48,
    ALIGNED_STATES = 24546,
    ALIGNED_TRANSITIONS = 706362,
    ALIGNED_DEPTH = 15
};
#endif

static void explores_a_small_heap(void) {
    for (unsigned jobs = 1; jobs <= 3; jobs += 2) {
        lab_explore_config config = small;
        config.dwords = DWORDS;
        config.jobs = jobs;
        config.guard = th_guard_max() < 2 ? th_guard_max() : 2;
        expect_complete(&config, STATES, TRANSITIONS, DEPTH);
    }
}

static void explores_aligned_blocks(void) {
    lab_explore_config config = {.dwords = ALIGNED_DWORDS,
                                 .alignment = 8,
                                 .guard = th_guard_max(),
                                 .sizes = {{1, 24}, 2},
                                 .tags = {{0x1001, 0x4001}, 2},
                                 .aligned = {{16, 32}, 2}};
    expect_complete(&config, ALIGNED_STATES, ALIGNED_TRANSITIONS, ALIGNED_DEPTH);
}

static void explores_each_layout(void) {
    lab_explore_config config = small;
    config.dwords = 16;
    config.layout = LAB_LAYOUT_LEAN;
    expect_complete(&config, 2215, 62479, 16);
    config.dwords = 30;
    config.layout = LAB_LAYOUT_WIDE;
    config.guard = th_guard_max();
    expect_complete(&config, 295, 7591, 5);
    config.dwords = 28; /* as small as that it is classic */
    config.layout = LAB_LAYOUT_AUTO;
    expect_complete(&config, 262, 6752, 5);
}

/* ---- counted another way ------------------------------------------------------------------ */

/* A search in the model alone, where a state is every field of every block, and where a compaction
 * gets every sequence of four answers. */
enum { KNOWN_MAX = STATES + 100, BUCKETS = 4096, EXTENTS_MAX = 8, ANSWERS = 4 };

typedef struct known_state {
    lab_extent extents[EXTENTS_MAX];
    uint32_t count, cursor;
} known_state;

static known_state known[KNOWN_MAX];
static uint32_t known_count;
static uint32_t buckets[BUCKETS]; /* 1 + a state; 0: none */
static uint32_t in_bucket[KNOWN_MAX];
static unsigned vetoed; /* bit n: the answer to question n is no */

static bool may_move(void *context, uint32_t tag, uint32_t from, uint32_t to, uint32_t bytes) {
    unsigned *asked = context;
    (void)tag, (void)from, (void)to, (void)bytes;
    CHECK(*asked < ANSWERS);
    return (vetoed >> (*asked)++ & 1) == 0;
}

static void know(const lab_exact *model) {
    known_state state = {.count = model->count, .cursor = model->cursor};
    CHECK(model->count <= EXTENTS_MAX);
    memcpy(state.extents, model->extents, model->count * sizeof state.extents[0]);
    uint32_t sum = state.cursor;
    for (uint32_t i = 0; i < state.count; i++) {
        sum =
            sum * 31 + state.extents[i].offset + state.extents[i].tag + state.extents[i].requested;
    }
    uint32_t *bucket = &buckets[sum % BUCKETS];
    for (uint32_t i = *bucket; i != 0; i = in_bucket[i - 1]) {
        if (memcmp(&known[i - 1], &state, sizeof state) == 0) {
            return;
        }
    }
    CHECK(known_count < KNOWN_MAX);
    known[known_count] = state;
    in_bucket[known_count++] = *bucket;
    *bucket = known_count;
}

static void become(lab_exact *model, uint32_t index) {
    memcpy(model->extents, known[index].extents, sizeof known[index].extents);
    model->count = known[index].count;
    model->cursor = known[index].cursor;
}

static void know_block(lab_exact *model, uint32_t index, uint32_t block) {
    for (uint32_t i = 0; i < small.sizes.count; i++) {
        become(model, index);
        (void)lab_exact_resize(model, block, small.sizes.value[i]);
        know(model);
    }
    become(model, index);
    (void)lab_exact_trim(model, block);
    know(model);
    become(model, index);
    (void)lab_exact_free(model, block);
    know(model);
}

static void know_successors(lab_exact *model, uint32_t index) {
    for (uint32_t tag = 0; tag < small.tags.count; tag++) {
        for (uint32_t i = 0; i < small.sizes.count; i++) {
            become(model, index);
            (void)lab_exact_alloc(model, 4, small.sizes.value[i], small.tags.value[tag], 0);
            know(model);
        }
        for (uint32_t high = tag; high < small.tags.count; high++) {
            become(model, index);
            (void)lab_exact_free_tags(model, small.tags.value[tag], small.tags.value[high]);
            know(model);
        }
    }
    for (uint32_t i = 0; i < known[index].count; i++) {
        if (known[index].extents[i].tag != TH_TAG_FREE) {
            know_block(model, index, known[index].extents[i].offset);
        }
    }
    for (vetoed = 0; vetoed < 1u << ANSWERS; vetoed++) {
        for (unsigned budgeted = 0; budgeted <= 1; budgeted++) {
            unsigned asked = 0;
            become(model, index);
            if (budgeted == 1) {
                (void)lab_exact_compact_some(model, 0, may_move, &asked);
            } else {
                (void)lab_exact_compact(model, may_move, &asked);
            }
            know(model);
        }
    }
}

static void finds_as_many_states_as_a_plain_search(void) {
    lab_exact model = {0};
    CHECK(lab_exact_start(&model, 0, DWORDS * (size_t)4, small.alignment, LAB_EXACT_CLASSIC));
    model.extents = realloc(model.extents, EXTENTS_MAX * sizeof model.extents[0]);
    CHECK(model.extents != NULL);
    memset(model.extents + model.count, 0, (EXTENTS_MAX - model.count) * sizeof model.extents[0]);
    memset(known, 0, sizeof known);
    memset(buckets, 0, sizeof buckets);
    known_count = 0;
    know(&model);
    for (uint32_t i = 0; i < known_count; i++) {
        know_successors(&model, i);
    }
    lab_exact_clean_up(&model);
    CHECK_EQ(known_count, STATES); /* which the explorer has found, too */
}

/* ---- what it finds ------------------------------------------------------------------------ */

/* Frees a block behind the explorer's back when there are two. */
static void free_secretly(void *context, th_heap *heap) {
    th_heap_stats stats;
    th_heap_block block;
    (void)context;
    stats = th_heap_get_stats(heap);
    if (stats.tail_blocks == 1 && stats.head_blocks == 1 && th_heap_first(heap, &block)) {
        (void)th_heap_free(heap, block.payload);
    }
}

static void finds_a_lost_block_by_the_shortest_script(void) {
    lab_explore_config config = small;
    config.tamper = free_secretly;
    for (config.jobs = 1; config.jobs <= 2; config.jobs++) {
        lab_explore_result result = explore(&config);
        CHECK_EQ(result.end, LAB_EXPLORE_VIOLATION);
        CHECK_EQ(result.failure.property, LAB_PROPERTY_BLOCKS);
        CHECK(!result.crashed);
        CHECK_EQ(result.script.count, 2);
        CHECK_EQ(result.failure.op, 1);
        CHECK_EQ(result.script.ops[0].kind, LAB_OP_ALLOC);
        CHECK_EQ(result.script.ops[1].kind, LAB_OP_ALLOC);
        CHECK_EQ(result.script.ops[0].tag, 0x1001);
        CHECK_EQ(result.script.ops[1].tag, 0x4001);
        CHECK(lab_script_is_valid(&result.script));
        lab_script_clean_up(&result.script);
    }
}

/* The runner's heap is not tampered with: there the script passes, in every variation. */
static void says_what_the_runner_does_not_confirm(void) {
    lab_explore_config config = small;
    lab_failure failure;
    config.tamper = free_secretly;
    lab_explore_result result = explore(&config);
    lab_runner *runner = lab_runner_new();
    CHECK(runner != NULL);
    CHECK(!lab_explore_confirm(&result, runner, &failure));
    CHECK_EQ(result.script.count, 2);
    lab_runner_destroy(runner);
    lab_script_clean_up(&result.script);
}

static void change_the_cursor(void *context, th_heap *heap) {
    (void)context;
    if (heap->compact_cursor != 0) {
        heap->compact_cursor += heap->unit_dwords;
    }
}

/* No query shows the cursor, and only a later compaction would notice. */
static void sees_the_cursor(void) {
    lab_explore_config config = small;
    config.dwords = 40;
    config.tamper = change_the_cursor;
    lab_explore_result result = explore(&config);
    CHECK_EQ(result.end, LAB_EXPLORE_VIOLATION);
    CHECK(strcmp(result.failure.detail, "cursor") == 0);
    CHECK_EQ(result.script.ops[result.script.count - 1].kind, LAB_OP_COMPACT_SOME);
    lab_script_clean_up(&result.script);
}

static void crash(void *context, th_heap *heap) {
    (void)context;
    th_heap_stats stats = th_heap_get_stats(heap);
    if (stats.head_blocks == 3) {
        abort();
    }
}

static void survives_a_crash(void) {
    lab_explore_config config = small;
    config.tamper = crash;
    lab_explore_result result = explore(&config);
    CHECK_EQ(result.end, LAB_EXPLORE_VIOLATION);
    CHECK(result.crashed);
    CHECK_EQ(result.failure.property, LAB_PROPERTY_FAULT);
    CHECK(strcmp(result.failure.detail, "abort") == 0);
    CHECK_EQ(result.script.count, 3);
    lab_script_clean_up(&result.script);
}

static void stops_at_the_limit(void) {
    lab_explore_config config = small;
    config.states_max = 1000;
    lab_explore_result result = explore(&config);
    CHECK_EQ(result.end, LAB_EXPLORE_LIMIT);
    CHECK_EQ(result.counts.states, 1001);
}

static void count_calls(void *context, const lab_explore_counts *counts) {
    unsigned *calls = context;
    (*calls)++;
    CHECK_EQ(counts->frontier, counts->states - counts->expanded);
}

static void reports_progress(void) {
    lab_explore_config config = small;
    unsigned calls = 0;
    config.states_max = 1000;
    config.progress = count_calls;
    config.progress_ms = 1;
    config.context = &calls;
    (void)explore(&config);
    CHECK(calls > 0);
}

static bool never(void *context) {
    (void)context;
    return false;
}

static bool three_ticks(void *context) {
    return (*(unsigned *)context)++ < 3;
}

/* What was begun is finished and counted: all that was found is expanded or still to be. */
static void stops_when_told(void) {
    unsigned ticks = 0;
    lab_explore_config config = small;
    config.go_on = never;
    lab_explore_result result = explore(&config);
    CHECK_EQ(result.end, LAB_EXPLORE_STOPPED);
    CHECK(result.counts.expanded > 0);
    config.go_on = three_ticks;
    config.context = &ticks;
    lab_explore_result later = explore(&config);
    CHECK(later.end == LAB_EXPLORE_STOPPED);
    CHECK(later.counts.states > result.counts.states);
    CHECK_EQ(later.counts.frontier, later.counts.states - later.counts.expanded);
    CHECK_EQ(ticks, 4);
}

static void refuses_bad_configurations(void) {
    lab_explore_config config = small;
    CHECK(lab_explore_refusal(&config) == NULL);
    config.dwords = 15;
    CHECK(lab_explore_refusal(&config) != NULL);
    config.dwords = 256;
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.alignment = 2;
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.guard = th_guard_max() + 1;
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.layout = LAB_LAYOUT_LEAN;
    CHECK(lab_explore_refusal(&config) == NULL);
    config.guard = 1;
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.layout = LAB_LAYOUT_WIDE, config.dwords = 17;
    CHECK(lab_explore_refusal(&config) != NULL);
    config.dwords = 18;
    CHECK(lab_explore_refusal(&config) == NULL);
    config = small, config.sizes.count = 0;
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.sizes.value[0] = 9;
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.tags.value[2] = TH_TAG_FREE;
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.aligned = (lab_explore_list){{4}, 1};
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.aligned = (lab_explore_list){{24}, 1};
    CHECK(lab_explore_refusal(&config) != NULL);
    config = small, config.jobs = LAB_EXPLORE_JOBS_MAX + 1;
    CHECK(lab_explore_refusal(&config) != NULL);
}

/* ---- the set of states -------------------------------------------------------------------- */

static lab_key numbered_key(uint32_t number) {
    lab_key key = {.size = (uint8_t)(4 + number % 90)};
    memcpy(key.bytes, &number, sizeof number);
    lab_key_finish(&key);
    return key;
}

static void states_are_found_again(void) {
    enum { KEYS = 150000 };
    lab_states *states = lab_states_new();
    CHECK(states != NULL);
    for (uint32_t i = 0; i < KEYS; i++) {
        lab_key key = numbered_key(i);
        CHECK(!lab_states_contains(states, &key));
        CHECK(lab_states_add(states, &key, i / 2, i * 3));
        CHECK_EQ(lab_states_count(states), i + 1);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        lab_key key = numbered_key(i);
        CHECK(lab_states_contains(states, &key));
        CHECK(lab_states_is(states, i, &key));
        CHECK_EQ(lab_states_parent(states, i), i / 2);
        CHECK_EQ(lab_states_step(states, i), i * 3);
        CHECK(lab_states_add(states, &key, 0, 0)); /* known: nothing changes */
    }
    CHECK_EQ(lab_states_count(states), KEYS);
    lab_states_destroy(states);
}

/* Equal hashes are no equal states. */
static void keys_are_compared_in_full(void) {
    lab_states *states = lab_states_new();
    lab_key key = numbered_key(1);
    lab_key longer = numbered_key(2);
    lab_key other = numbered_key(91);
    CHECK(states != NULL);
    CHECK_EQ(other.size, key.size);
    longer.hash = key.hash;
    other.hash = key.hash;
    CHECK(lab_states_add(states, &key, 0, 0));
    CHECK(!lab_states_contains(states, &longer));
    CHECK(!lab_states_contains(states, &other));
    CHECK(lab_states_add(states, &longer, 0, 0));
    CHECK(lab_states_add(states, &other, 0, 0));
    CHECK_EQ(lab_states_count(states), 3);
    lab_states_destroy(states);
}

TH_SUITE("explore", TEST(counts_two_states), TEST(explores_a_small_heap),
         TEST(explores_aligned_blocks), TEST(explores_each_layout),
         TEST(finds_as_many_states_as_a_plain_search),
         TEST(finds_a_lost_block_by_the_shortest_script),
         TEST(says_what_the_runner_does_not_confirm), TEST(sees_the_cursor), TEST(survives_a_crash),
         TEST(stops_at_the_limit), TEST(stops_when_told), TEST(reports_progress),
         TEST(refuses_bad_configurations), TEST(states_are_found_again),
         TEST(keys_are_compared_in_full))
