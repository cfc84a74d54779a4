/* SPDX-License-Identifier: MIT */
/* The heap's low-memory callback calls the table: what is being resized stays as it is meanwhile,
 * and the table cannot end. */
#include "alloc_fixture.h"
#include "handles_fixture.h"

static th_handle subject; /* that is being resized, if any is */
static void (*act)(void); /* what the callback does, once */

static bool act_once(void *context, th_heap *heap, size_t bytes) {
    void (*now)(void) = act;
    (void)context;
    CHECK_PTR_EQ(heap, &handles_fx.heap);
    CHECK(bytes > 0);
    act = NULL;
    if (now == NULL) {
        return false;
    }
    now();
    return true;
}

/* 100 dwords with `subject` of 40 and another one of 20: no room for 50 more, nor for 60. */
static th_handle start(void) {
    handles_start(100);
    subject = handles_take(40, 1);
    th_handle other = handles_take(20, 2);
    handles_fx.heap.config.low_memory = act_once;
    return other;
}

static void stop(void) {
    CHECK(act == NULL);
    CHECK_EQ(handles_faults, 0);
    handles_stop();
}

static void expect_reentry(void) {
    CHECK_EQ(handles_faults, 1);
    CHECK_EQ(handles_last_fault.kind, TH_FAULT_REENTRY);
    handles_faults = 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void reset(void) {
    CHECK_EQ(th_handles_reset(&handles), TH_ERR_BUSY);
    expect_reentry();
}

static void clean_up(void) {
    th_handles_clean_up(&handles);
    CHECK_PTR_EQ(handles.heap, &handles_fx.heap);
    expect_reentry();
}

/* The same from inside a call that the callback has made. */
static void alloc_then_reset(void) {
    CHECK(th_handles_alloc(&handles, 4, 3).generation != 0);
    reset();
}

static void try_to_end(void (*ending)(void)) {
    th_handle other = start();
    act = ending;
    CHECK_EQ(th_handles_alloc(&handles, 240, 3).generation, 0);
    CHECK(handles_holds(subject, 40, 1) && handles_holds(other, 20, 2));
    act = ending;
    CHECK(th_handles_realloc(&handles, subject, 360) == NULL);
    CHECK(handles_holds(subject, 40, 1) && handles_holds(other, 20, 2));
    CHECK_EQ(handles_stats().pinned, 0);
    stop();
}

static void the_table_does_not_end_in_a_callback(void) {
    try_to_end(reset);
    try_to_end(clean_up);
    try_to_end(alloc_then_reset);
}

/* ---- the block that is being resized -------------------------------------------------------- */

static void free_subject(void) {
    CHECK_EQ(th_handles_free(&handles, subject), TH_ERR_PINNED);
    CHECK(th_handles_realloc(&handles, subject, 0) == NULL);
}

static void free_all_tags(void) {
    CHECK_EQ(th_handles_free_tags(&handles, 0, 0x7FFE), 1); /* the other one */
}

static void resize_subject(void) {
    CHECK(th_handles_realloc(&handles, subject, 4) == NULL);
}

static void pin_subject(void) {
    CHECK(th_handles_pin(&handles, subject) == NULL);
}

static void unpin_subject(void) {
    CHECK_EQ(th_handles_unpin(&handles, subject), TH_ERR_STALE);
    CHECK_EQ(handles_faults, 1);
    CHECK_EQ(handles_last_fault.kind, TH_FAULT_UNPINNED);
    handles_faults = 0;
}

static void purge_subject(void) {
    CHECK_EQ(th_handles_set_purgeable(&handles, subject, true), TH_OK);
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 0);
}

static void compact(void) {
    const void *before = th_handles_get(&handles, subject);
    CHECK_EQ(th_handles_compact(&handles).blocks_moved, 0);
    CHECK_PTR_EQ(th_handles_get(&handles, subject), before);
}

/* It cannot grow, whatever the callback does, and is then as it was. */
static void try_while_resized(void (*doing)(void), bool other_stays) {
    th_handle other = start();
    act = doing;
    CHECK(th_handles_realloc(&handles, subject, 380) == NULL);
    CHECK(handles_holds(subject, 40, 1));
    CHECK(!other_stays || handles_holds(other, 20, 2));
    CHECK_EQ(handles_stats().pinned, 0);
    CHECK_EQ(handles_stats().live, 1 + other_stays);
    CHECK(th_handles_pin(&handles, subject) != NULL);
    CHECK_EQ(th_handles_unpin(&handles, subject), TH_OK);
    stop();
}

static void what_is_being_resized_stays_as_it_is(void) {
    try_while_resized(free_subject, true);
    try_while_resized(resize_subject, true);
    try_while_resized(pin_subject, true);
    try_while_resized(unpin_subject, true);
    try_while_resized(compact, true);
    try_while_resized(free_all_tags, false);
}

/* What the callback says of it holds afterwards. */
static void it_may_become_purgeable(void) {
    th_handle other = start();
    act = purge_subject;
    CHECK(th_handles_realloc(&handles, subject, 380) == NULL);
    CHECK(handles_holds(subject, 40, 1) && handles_holds(other, 20, 2));
    CHECK_EQ(th_handles_purge(&handles, SIZE_MAX), 160);
    CHECK(th_handles_get(&handles, subject) == NULL);
    CHECK_EQ(handles_stats().purged, 1);
    act = free_subject; /* which has no block */
    CHECK(th_handles_realloc(&handles, subject, 380) == NULL);
    CHECK_EQ(handles_stats().purged, 1);
    CHECK_EQ(handles_stats().live, 1);
    stop();
}

/* The slots may come to lie elsewhere meanwhile. */
static void take_more_slots(void) {
    for (unsigned i = 0; i < 16; i++) {
        (void)th_handles_alloc(&handles, 4, 3);
    }
}

static void the_table_may_grow_in_a_callback(void) {
    backing slots = {0};
    th_handles_config config = handles_usual_config();
    config.memory = NULL;
    config.backing = backing_start(&slots);
    handles_start_on(400, &config);
    subject = handles_take(40, 1);
    handles_fx.heap.config.low_memory = act_once;
    act = take_more_slots;
    CHECK(th_handles_realloc(&handles, subject, 1600) == NULL);
    CHECK(handles_holds(subject, 40, 1));
    CHECK_EQ(handles_stats().live, 17);
    act = take_more_slots;
    CHECK_EQ(th_handles_alloc(&handles, 1600, 1).generation, 0);
    CHECK_EQ(handles_stats().live, 33);
    stop();
    backing_stop(&slots);
}

TH_SUITE("handles_callback", TEST(the_table_does_not_end_in_a_callback),
         TEST(what_is_being_resized_stays_as_it_is), TEST(it_may_become_purgeable),
         TEST(the_table_may_grow_in_a_callback))
