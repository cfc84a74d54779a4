/* SPDX-License-Identifier: MIT */
/* The linearizability checker: histories that are and that are not, planted ones, and random ones
 * against a search that tries every order. */
#include <string.h>

#include "history/models.h"
#include "suite.h"

enum { MOST = 100000 };

static lab_history history;
static unsigned cells;

/* actor, invoked, returned, cell */
static void took(uint32_t actor, uint64_t invoked, uint64_t returned, uint64_t cell) {
    const lab_call_record call = {.actor = actor,
                                  .invoked = invoked,
                                  .returned = returned,
                                  .kind = LAB_POOL_TAKE,
                                  .result = cell};
    CHECK(lab_history_add(&history, &call));
}

static void gave(uint32_t actor, uint64_t invoked, uint64_t returned, uint64_t cell) {
    const lab_call_record call = {.actor = actor,
                                  .invoked = invoked,
                                  .returned = returned,
                                  .kind = LAB_POOL_GIVE,
                                  .arguments = {cell}};
    CHECK(lab_history_add(&history, &call));
}

static lab_linear_result check_pool(unsigned of_cells) {
    cells = of_cells;
    const lab_sequential model = lab_sequential_pool(&cells);
    lab_linear_result result = lab_history_check(&history, &model, MOST);
    lab_history_clean_up(&history);
    return result;
}

static void expect(unsigned of_cells, lab_linear answer) {
    CHECK_EQ(check_pool(of_cells).answer, answer);
}

/* ---- known answers --------------------------------------------------------------------------- */

static void one_after_the_other(void) {
    expect(1, LAB_LINEAR);
    took(0, 1, 2, 0);
    gave(0, 3, 4, 0);
    took(1, 5, 6, 0);
    expect(1, LAB_LINEAR);
    took(0, 1, 2, 0);
    took(1, 3, 4, 1);
    took(1, 5, 6, LAB_POOL_NONE);
    gave(0, 7, 8, 1);
    took(1, 9, 10, 1);
    expect(2, LAB_LINEAR);
}

/* What overlaps may have come in either order. */
static void calls_that_overlap(void) {
    took(0, 1, 10, 0);
    took(1, 2, 9, LAB_POOL_NONE);
    expect(1, LAB_LINEAR);
    took(1, 1, 10, LAB_POOL_NONE);
    took(0, 2, 9, 0);
    expect(1, LAB_LINEAR);
    took(0, 1, 20, 0); /* takes effect after the other one gave */
    took(1, 2, 5, 0);
    gave(1, 6, 9, 0);
    expect(1, LAB_LINEAR);
    took(0, 1, 3, 0);
    took(1, 3, 5, LAB_POOL_NONE); /* at the same time: they overlap */
    gave(0, 5, 7, 0);
    expect(1, LAB_LINEAR);
}

static void one_cell_for_two(void) {
    took(0, 1, 10, 0);
    took(1, 2, 9, 0);
    lab_linear_result result = check_pool(4);
    CHECK_EQ(result.answer, LAB_NOT_LINEAR);
    CHECK_EQ(result.placed, 1);
    CHECK_EQ(result.stuck.kind, LAB_POOL_TAKE);
    took(0, 1, 2, 0);
    took(1, 3, 4, 1);
    gave(0, 5, 8, 0);
    took(0, 6, 9, 1); /* which nobody gave */
    expect(2, LAB_NOT_LINEAR);
}

static void none_although_one_is_free(void) {
    took(0, 1, 2, LAB_POOL_NONE);
    expect(1, LAB_NOT_LINEAR);
    took(0, 1, 2, 0);
    gave(0, 3, 4, 0);
    took(1, 5, 6, LAB_POOL_NONE); /* after it was given */
    expect(1, LAB_NOT_LINEAR);
    took(0, 1, 2, 0);
    gave(0, 3, 6, 0);
    took(1, 5, 7, LAB_POOL_NONE); /* while it was */
    expect(1, LAB_LINEAR);
}

static void given_twice(void) {
    took(0, 1, 2, 0);
    gave(0, 3, 6, 0);
    gave(1, 4, 5, 0);
    expect(1, LAB_NOT_LINEAR);
    gave(0, 1, 2, 0);
    expect(1, LAB_NOT_LINEAR);
    took(0, 1, 2, 7); /* there is none */
    expect(7, LAB_NOT_LINEAR);
    gave(0, 1, 2, 7);
    expect(7, LAB_NOT_LINEAR);
}

/* Only the real-time order is wrong: a stale answer. */
static void an_answer_from_the_past(void) {
    took(0, 1, 2, 0);
    took(1, 3, 4, 1);
    gave(0, 5, 6, 0);
    took(1, 7, 8, LAB_POOL_NONE);
    took(0, 9, 10, 0);
    expect(2, LAB_NOT_LINEAR);
    took(0, 2, 1, 0); /* returned before it was invoked */
    expect(1, LAB_NOT_LINEAR);
    took(0, 2, 2, 0);
    expect(1, LAB_NOT_LINEAR);
}

static void all_cells_of_the_largest_pool(void) {
    for (uint64_t i = 0; i < LAB_POOL_CELLS_MAX; i++) {
        took(0, 2 * i + 1, 2 * i + 2, LAB_POOL_CELLS_MAX - 1 - i);
    }
    took(0, 1000, 1001, LAB_POOL_NONE);
    expect(LAB_POOL_CELLS_MAX, LAB_LINEAR);
}

/* ---- objects, memory, bounds ----------------------------------------------------------------- */

static void each_object_is_searched_alone(void) {
    for (uint32_t object = 0; object < 3; object++) {
        took(0, 1, 10, 0);
        history.calls[history.count - 1].object = object;
    }
    CHECK_EQ(lab_history_add(&history, &history.calls[0]), true);
    history.calls[3].object = 5;
    lab_linear_result result = check_pool(1);
    CHECK_EQ(result.answer, LAB_LINEAR);
    CHECK_EQ(result.objects, 4);
    CHECK_EQ(result.configurations, 4);
    took(0, 1, 2, 0);
    took(1, 3, 4, 0);
    history.calls[0].object = 1;
    expect(1, LAB_LINEAR);
    took(0, 1, 2, 0);
    took(1, 3, 4, 0);
    took(2, 5, 6, 0);
    history.calls[0].object = 1;
    expect(1, LAB_NOT_LINEAR);
}

/* n calls that all overlap have n! orders, and 2^n configurations. */
static void failed_configurations_are_remembered(void) {
    enum { CALLS = 12 };
    for (uint32_t i = 0; i < CALLS; i++) {
        took(i, 1 + i, 100 + i, i);
    }
    took(0, 200, 201, 3); /* which is taken */
    lab_linear_result result = check_pool(CALLS + 1);
    CHECK_EQ(result.answer, LAB_NOT_LINEAR);
    CHECK_EQ(result.placed, CALLS);
    CHECK_EQ(result.configurations - result.known, (1 << CALLS) - 1);
    for (uint32_t i = 0; i < 2 * CALLS; i++) {
        took(i, 1 + i, 100 + i, i);
    }
    took(0, 200, 201, 3);
    expect(2 * CALLS + 1, LAB_LINEAR_UNKNOWN);
}

/* A word: 0 writes argument 0, 1 reads it. Here the same calls lead to two states. */
static void start_word(const void *context, void *state) {
    (void)context;
    *(uint64_t *)state = 0;
}

static bool step_word(const void *context, void *state, const lab_call_record *record) {
    uint64_t *word = state;
    (void)context;
    if (record->kind == 1) {
        return *word == record->result;
    }
    *word = record->arguments[0];
    return true;
}

static void word_call(uint64_t invoked, uint64_t returned, uint32_t kind, uint64_t value) {
    const lab_call_record record = {.invoked = invoked,
                                    .returned = returned,
                                    .kind = kind,
                                    .arguments = {value},
                                    .result = value};
    CHECK(lab_history_add(&history, &record));
}

static lab_linear check_word(void) {
    const lab_sequential model = {.state_bytes = sizeof(uint64_t),
                                  .key_bytes = sizeof(uint64_t),
                                  .start = start_word,
                                  .step = step_word};
    lab_linear answer = lab_history_check(&history, &model, MOST).answer;
    lab_history_clean_up(&history);
    return answer;
}

static void the_order_of_the_same_calls_matters(void) {
    for (uint64_t last = 1; last <= 3; last++) {
        word_call(1, 10, 0, 1);
        word_call(2, 9, 0, 2);
        word_call(11, 12, 1, last);
        word_call(13, 14, 1, last);
        CHECK_EQ(check_word(), last == 3 ? LAB_NOT_LINEAR : LAB_LINEAR);
    }
    word_call(1, 10, 0, 1);
    word_call(2, 9, 0, 2);
    word_call(11, 13, 1, 1);
    word_call(14, 15, 1, 2); /* it cannot have been both in the end */
    CHECK_EQ(check_word(), LAB_NOT_LINEAR);
}

/* ---- every order ---------------------------------------------------------------------------- */

enum { CALLS_MAX = 7, RANDOM = 6000 };

/* Is there an order of those that are not placed yet? */
static bool try_all(const lab_sequential *model, unsigned placed, uint64_t state) {
    if (placed == (1u << history.count) - 1) {
        return true;
    }
    for (size_t i = 0; i < history.count; i++) {
        bool may = (placed >> i & 1) == 0;
        for (size_t j = 0; j < history.count; j++) {
            may = may &&
                  ((placed >> j & 1) != 0 || history.calls[j].returned >= history.calls[i].invoked);
        }
        uint64_t next = state;
        if (may && model->step(model->context, &next, &history.calls[i]) &&
            try_all(model, placed | 1u << i, next)) {
            return true;
        }
    }
    return false;
}

static void draw(uint64_t *random) {
    uint64_t free_at[3] = {0};
    size_t count = 1 + (size_t)(th_test_random(random) % CALLS_MAX);
    for (size_t i = 0; i < count; i++) {
        uint32_t actor = (uint32_t)(th_test_random(random) % 3);
        uint64_t invoked = free_at[actor] + 1 + th_test_random(random) % 4;
        uint64_t returned = invoked + 1 + th_test_random(random) % 8;
        uint64_t cell = th_test_random(random) % 3;
        free_at[actor] = returned;
        if (th_test_random(random) % 5 < 2) {
            gave(actor, invoked, returned, cell % 2);
        } else {
            took(actor, invoked, returned, cell == 2 ? LAB_POOL_NONE : cell);
        }
    }
}

static void random_histories_by_every_order(void) {
    uint64_t random = th_test_seed(1990);
    unsigned linear = 0;
    for (unsigned i = 0; i < RANDOM; i++) {
        cells = 2;
        const lab_sequential model = lab_sequential_pool(&cells);
        draw(&random);
        bool due = try_all(&model, 0, 0);
        lab_linear_result result = lab_history_check(&history, &model, MOST);
        CHECK_EQ(result.answer, due ? LAB_LINEAR : LAB_NOT_LINEAR);
        CHECK(due || result.placed < history.count);
        linear += due;
        lab_history_clean_up(&history);
    }
    CHECK(linear > RANDOM / 20 && linear < RANDOM / 2); /* both kinds were tried */
}

/* ---- blocks and the heap -------------------------------------------------------------------- */

static void call(uint32_t actor, uint64_t time, lab_block_call kind, uint64_t bytes, uint64_t at,
                 uint64_t other, uint64_t result) {
    const lab_call_record record = {.actor = actor,
                                    .invoked = time,
                                    .returned = time + 3,
                                    .kind = kind,
                                    .arguments = {bytes, at, other, UINT64_C(1) << 32 | 4},
                                    .result = result};
    CHECK(lab_history_add(&history, &record));
}

static lab_linear check_blocks(void) {
    const lab_sequential model = lab_sequential_blocks();
    lab_linear answer = lab_history_check(&history, &model, MOST).answer;
    lab_history_clean_up(&history);
    return answer;
}

static void blocks_do_not_overlap(void) {
    call(0, 1, LAB_BLOCK_ALLOC, 16, 0, 0, 100);
    call(1, 2, LAB_BLOCK_ALLOC, 16, 0, 0, 116);
    call(2, 3, LAB_BLOCK_ALLOC, 16, 0, 0, 84);
    call(0, 10, LAB_BLOCK_RESIZE, 32, 100, 16, 200);
    call(1, 10, LAB_BLOCK_ALLOC, 8, 0, 0, 104);
    call(2, 10, LAB_BLOCK_RESIZE, 99999, 84, 16, LAB_BLOCK_NONE);
    call(2, 20, LAB_BLOCK_FREE, 16, 84, 0, 0);
    call(2, 20, LAB_BLOCK_ALLOC, 5, 0, 0, LAB_BLOCK_NONE);
    call(2, 20, LAB_BLOCK_ASK, 0, 0, 0, 77);
    CHECK_EQ(check_blocks(), LAB_LINEAR);
    call(0, 1, LAB_BLOCK_ALLOC, 16, 0, 0, 100);
    call(1, 2, LAB_BLOCK_ALLOC, 16, 0, 0, 115);
    CHECK_EQ(check_blocks(), LAB_NOT_LINEAR);
    call(0, 1, LAB_BLOCK_ALLOC, 16, 0, 0, 100);
    call(1, 2, LAB_BLOCK_ALLOC, 16, 0, 0, 85);
    CHECK_EQ(check_blocks(), LAB_NOT_LINEAR);
    call(0, 1, LAB_BLOCK_ALLOC, 16, 0, 0, 100);
    call(0, 10, LAB_BLOCK_FREE, 15, 100, 0, 0); /* not what it was */
    CHECK_EQ(check_blocks(), LAB_NOT_LINEAR);
    call(0, 1, LAB_BLOCK_ALLOC, 16, 0, 0, 100);
    call(0, 10, LAB_BLOCK_RESIZE, 32, 101, 16, 101);
    CHECK_EQ(check_blocks(), LAB_NOT_LINEAR);
}

/* 1,000 dwords at alignment 4: header 6, so that the first block is 1, the next of 10 dwords 17. */
static lab_linear check_heap(void) {
    const lab_heap_start start = {
        .base = 0x10000, .bytes = 4000, .alignment = 4, .layout = LAB_EXACT_CLASSIC};
    const lab_sequential model = lab_sequential_heap(&start);
    lab_linear answer = lab_history_check(&history, &model, MOST).answer;
    lab_history_clean_up(&history);
    return answer;
}

static void the_heap_has_one_right_answer(void) {
    call(0, 1, LAB_BLOCK_ALLOC, 40, 0, 0, 17); /* the second of the two that overlap */
    call(1, 2, LAB_BLOCK_ALLOC, 40, 0, 0, 1);
    call(1, 10, LAB_BLOCK_FREE, 40, 1, 0, 40);
    call(0, 11, LAB_BLOCK_ALLOC, 40, 0, 0, 33);
    call(1, 20, LAB_BLOCK_ALLOC, 40, 0, 0, 1);
    call(0, 21, LAB_BLOCK_RESIZE, 100, 33, 40, 33);
    CHECK_EQ(check_heap(), LAB_LINEAR);
    call(0, 1, LAB_BLOCK_ALLOC, 40, 0, 0, 1);
    call(1, 10, LAB_BLOCK_ALLOC, 40, 0, 0, 33); /* not first fit */
    CHECK_EQ(check_heap(), LAB_NOT_LINEAR);
    call(0, 1, LAB_BLOCK_ALLOC, 40, 0, 0, 1);
    call(0, 10, LAB_BLOCK_FREE, 40, 1, 0, 41);
    CHECK_EQ(check_heap(), LAB_NOT_LINEAR);
    call(0, 1, LAB_BLOCK_ALLOC, 40, 0, 0, 1);
    call(0, 10, LAB_BLOCK_FREE, 40, 5, 0, 40);
    CHECK_EQ(check_heap(), LAB_NOT_LINEAR);
    call(0, 1, LAB_BLOCK_ASK, 0, 0, 0, 4000 - 48);
    call(1, 2, LAB_BLOCK_ALLOC, 40, 0, 0, 1);
    CHECK_EQ(check_heap(), LAB_LINEAR);
    call(0, 1, LAB_BLOCK_ASK, 0, 0, 0, 4000 - 44);
    CHECK_EQ(check_heap(), LAB_NOT_LINEAR);
}

TH_SUITE("history", TEST(one_after_the_other), TEST(calls_that_overlap), TEST(one_cell_for_two),
         TEST(none_although_one_is_free), TEST(given_twice), TEST(an_answer_from_the_past),
         TEST(all_cells_of_the_largest_pool), TEST(each_object_is_searched_alone),
         TEST(failed_configurations_are_remembered), TEST(random_histories_by_every_order),
         TEST(the_order_of_the_same_calls_matters), TEST(blocks_do_not_overlap),
         TEST(the_heap_has_one_right_answer))
