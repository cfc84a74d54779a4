/* SPDX-License-Identifier: MIT */
/* Reference counts: ends, weak references, misuse, cycles. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/ref.h"

#define HELD_MAX 4

typedef struct thing thing;
struct thing {
    th_ref *held[HELD_MAX];
    char name;
    bool is_over;
    thing *calls_back; /* its cleanup looks at this one */
};

static th_refs refs;
static backing own;
static fault_log faults;
static char trace[64];
static thing things[16];
static th_ref *of[16];

static void end_thing(void *object) {
    thing *t = object;
    size_t length = strlen(trace);
    CHECK(!t->is_over);
    t->is_over = true;
    trace[length] = t->name;
    trace[length + 1] = '\0';
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (t->held[i] != NULL) {
            (void)th_ref_release(t->held[i]);
        }
    }
}

static void visit_thing(const void *object, th_ref_visit_fn visit, void *context) {
    const thing *t = object;
    for (size_t i = 0; i < HELD_MAX; i++) {
        visit(context, t->held[i]);
    }
}

static const th_ref_type kind = {"thing", end_thing, visit_thing};
static const th_ref_type closed_kind = {"closed", end_thing, NULL};

static void start(int level) {
    const th_refs_config config = {.backing = backing_start(&own),
                                   .guarding = guarding_with(&faults, level)};
    trace[0] = '\0';
    CHECK_EQ(th_refs_init(&refs, &config), TH_OK);
    for (size_t i = 0; i < 16; i++) {
        things[i] = (thing){.name = (char)('a' + (int)i)};
        of[i] = NULL;
    }
}

static void add(size_t count) {
    for (size_t i = 0; i < count; i++) {
        of[i] = th_refs_add(&refs, &things[i], &kind);
        CHECK(of[i] != NULL);
    }
}

static void stop(const char *order) {
    static const th_refs zeroed;
    CHECK_EQ(th_refs_check(&refs, NULL), TH_OK);
    th_refs_clean_up(&refs);
    CHECK(memcmp(&refs, &zeroed, sizeof refs) == 0);
    CHECK(strcmp(trace, order) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

/* The thing holds another one. */
static void hold(size_t holder, size_t held) {
    size_t place = 0;
    while (things[holder].held[place] != NULL) {
        place++;
    }
    CHECK_EQ(th_ref_retain(of[held]), TH_OK);
    things[holder].held[place] = of[held];
}

static void let_go(size_t i) {
    CHECK_EQ(th_ref_release(of[i]), TH_OK);
}

static void count_up_and_down(int level) {
    start(level);
    add(2);
    CHECK_EQ(th_ref_count(of[0]), 1);
    CHECK_EQ(th_ref_retain(of[0]), TH_OK);
    CHECK_EQ(th_ref_count(of[0]), 2);
    CHECK_PTR_EQ(th_ref_object(of[0]), &things[0]);
    CHECK(strcmp(th_ref_name(of[0]), "thing") == 0);
    let_go(0);
    CHECK(strcmp(trace, "") == 0);
    let_go(0);
    CHECK(strcmp(trace, "a") == 0);
    CHECK_EQ(own.live, 1);
    th_refs_stats stats = th_refs_get_stats(&refs);
    CHECK(stats.live == 1 && stats.live_peak == 2 && stats.ended == 0 && stats.cleanups == 1);
    stop("ab");
}

static void the_last_reference_ends_the_object(void) {
    at_levels(0, count_up_and_down);
}

static void hold_in_a_chain(int level) {
    start(level);
    add(6);
    for (size_t i = 0; i < 5; i++) {
        hold(i, i + 1);
        let_go(i + 1);
    }
    hold(0, 3);
    let_go(0);
    stop("abcdef"); /* each after the one that held it */
}

static void what_is_held_ends_after_its_holder(void) {
    at_levels(0, hold_in_a_chain);
}

static void hold_several(int level) {
    start(level);
    add(5);
    for (size_t i = 1; i < 4; i++) {
        hold(0, i);
        let_go(i);
    }
    let_go(0); /* three of them end at once */
    CHECK_EQ(strlen(trace), 4);
    CHECK_EQ(th_refs_get_stats(&refs).live, 1);
    CHECK_EQ(own.live, 1);
    stop("adcbe");
}

static void several_end_at_once(void) {
    at_levels(0, hold_several);
}

/* A list longer than any stack. */
typedef struct link {
    th_ref *next;
} link;

static size_t links_ended;

static void end_link(void *object) {
    link *l = object;
    links_ended++;
    if (l->next != NULL) {
        CHECK_EQ(th_ref_release(l->next), TH_OK);
    }
}

static void a_long_list_ends_without_recursion(void) {
    static const th_ref_type link_kind = {"link", end_link, NULL};
    static link links[200000];
    const th_refs_config config = {.backing = th_system_allocator()};
    CHECK_EQ(th_refs_init(&refs, &config), TH_OK);
    links_ended = 0;
    th_ref *head = NULL;
    for (size_t i = 0; i < 200000; i++) {
        links[i].next = head;
        head = th_refs_add(&refs, &links[i], &link_kind);
        CHECK(head != NULL);
    }
    CHECK_EQ(th_ref_release(head), TH_OK);
    CHECK_EQ(links_ended, 200000);
    th_refs_clean_up(&refs);
}

static void watch(int level) {
    start(level);
    add(2);
    CHECK_EQ(th_ref_retain_weak(of[0]), TH_OK);
    CHECK_EQ(th_ref_retain_weak(of[0]), TH_OK);
    CHECK(th_ref_upgrade(of[0]));
    CHECK_EQ(th_ref_count(of[0]), 2);
    let_go(0);
    let_go(0);
    CHECK(strcmp(trace, "a") == 0);
    CHECK(!th_ref_upgrade(of[0]));
    CHECK(th_ref_object(of[0]) == NULL);
    CHECK_EQ(th_refs_get_stats(&refs).ended, 1);
    CHECK_EQ(own.live, 2); /* the th_ref outlives its object */
    CHECK_EQ(th_refs_check(&refs, NULL), TH_OK);
    CHECK_EQ(th_ref_retain_weak(of[0]), TH_OK);
    CHECK_EQ(th_ref_release_weak(of[0]), TH_OK);
    CHECK_EQ(th_ref_release_weak(of[0]), TH_OK);
    CHECK_EQ(own.live, 2);
    CHECK_EQ(th_ref_release_weak(of[0]), TH_OK);
    CHECK_EQ(own.live, 1);
    CHECK_EQ(th_ref_retain_weak(of[1]), TH_OK);
    stop("ab"); /* with a weak reference left */
}

static void weak_references_learn_of_the_end(void) {
    at_levels(0, watch);
}

static void misuse(int level) {
    start(level);
    add(1);
    CHECK_EQ(th_ref_release_weak(of[0]), TH_ERR_CORRUPT); /* there is none */
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE,
                      1, 0);
    }
    CHECK_EQ(th_ref_retain_weak(of[0]), TH_OK);
    let_go(0);
    CHECK_EQ(th_ref_release(of[0]), TH_ERR_CORRUPT);
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE,
                      1, 0);
    }
    CHECK_EQ(th_ref_retain(of[0]), TH_ERR_CORRUPT);
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_NOT_A_BLOCK, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE,
                      1, 0);
    }
    CHECK_EQ(th_ref_release_weak(of[0]), TH_OK);
    add(1);
    of[0]->strong = UINT32_MAX;
    CHECK_EQ(th_ref_retain(of[0]), TH_ERR_TOO_LARGE);
    CHECK(!th_ref_upgrade(of[0]));
    of[0]->weak = UINT32_MAX;
    CHECK_EQ(th_ref_retain_weak(of[0]), TH_ERR_TOO_LARGE);
    CHECK_EQ(of[0]->weak, UINT32_MAX);
    of[0]->weak = 1;
    of[0]->strong = 1;
    things[0].is_over = false;
    stop("aa");
}

static void misuse_and_overflow_are_named(void) {
    at_levels(0, misuse);
}

/* A cleanup that gives up more than it has, and calls back in. */
static void end_badly(void *object) {
    th_ref *ref = *(th_ref **)object;
    (void)th_ref_release_weak(ref); /* its own */
    CHECK(th_ref_object(ref) == NULL);
    CHECK(!th_ref_upgrade(ref));
    th_refs_clean_up(&refs);
    CHECK_EQ(th_refs_check(&refs, NULL), TH_OK);
}

static void a_cleanup_may_call_back_in(void) {
    static const th_ref_type bad = {"bad", end_badly, NULL};
    static th_ref *ref;
    start(th_guard_max());
    ref = th_refs_add(&refs, &ref, &bad);
    CHECK_EQ(th_ref_release(ref), TH_OK);
    CHECK_EQ(faults.count, th_guard_max() > 0);
    CHECK_EQ(own.live, 0);
    ref = th_refs_add(&refs, &ref, &bad);
    faults.count = 0;
    stop("");
}

static th_ref *added_late;

static void end_and_add(void *object) {
    th_ref *held = *(th_ref **)object;
    (void)th_ref_release_weak(held);
    added_late = th_refs_add(&refs, object, &kind);
}

static void what_is_ending_takes_nothing_new(void) {
    static const th_ref_type late = {"late", end_and_add, NULL};
    static th_ref *held;
    start(0);
    add(1);
    held = of[0];
    CHECK_EQ(th_ref_retain_weak(held), TH_OK);
    CHECK(th_refs_add(&refs, &held, &late) != NULL);
    added_late = of[0];
    stop("a");
    CHECK(added_late == NULL);
}

/* ---- cycles ------------------------------------------------------------------------------- */

static char cycle[64];
static size_t cycles;

static void name_cycle(void *context, const th_ref *held, size_t place, size_t length) {
    const thing *t = th_ref_object(held);
    size_t end = strlen(cycle);
    CHECK(context == cycle && place < length);
    cycles += place == 0;
    cycle[end] = t->name;
    cycle[end + 1] = '\0';
    if (place + 1 < length) {
        return;
    }
    cycle[end + 1] = ' ';
    cycle[end + 2] = '\0';
}

static size_t find(void) {
    cycle[0] = '\0';
    cycles = 0;
    return th_refs_find_cycles(&refs, name_cycle, cycle);
}

/* Is the text one of the cycle's turns, in the order holder, held? */
static bool is_turn_of(const char *text, const char *turn) {
    size_t length = strlen(turn);
    for (size_t i = 0; i < length; i++) {
        bool same = strlen(text) == length + 1;
        for (size_t k = 0; same && k < length; k++) {
            same = text[k] == turn[(i + k) % length];
        }
        if (same) {
            return true;
        }
    }
    return false;
}

static void go_round(int level) {
    start(level);
    add(8);
    hold(0, 1);
    hold(1, 2);
    hold(2, 0);
    hold(2, 3); /* hangs on it */
    hold(4, 4); /* holds itself */
    hold(5, 6); /* held by one that is held from outside */
    hold(6, 5);
    hold(7, 0);
    CHECK_EQ(find(), 0); /* all are held from outside */
    CHECK_EQ(cycles, 0);
    for (size_t i = 0; i < 5; i++) {
        let_go(i);
    }
    let_go(6);
    CHECK_EQ(find(), 1); /* e; the seventh still holds the first */
    CHECK(strcmp(cycle, "e ") == 0);
    let_go(7);
    CHECK(strcmp(trace, "h") == 0);
    CHECK_EQ(find(), 5);
    CHECK_EQ(cycles, 2);
    CHECK(strncmp(cycle, "e ", 2) == 0);
    CHECK(is_turn_of(cycle + 2, "abc"));
    CHECK_EQ(th_refs_find_cycles(&refs, NULL, NULL), 5);
    CHECK_EQ(th_ref_retain_weak(of[5]), TH_OK); /* which holds nothing from outside */
    let_go(5);
    CHECK_EQ(find(), 7);
    CHECK_EQ(cycles, 3);
    CHECK_EQ(th_refs_get_stats(&refs).live, 7);
    CHECK_EQ(th_refs_check(&refs, NULL), TH_OK);
    stop("hgfedcab"); /* all are ended in the end, whatever they hold */
}

static void cycles_are_found_and_named(void) {
    at_levels(0, go_round);
}

static void what_cannot_be_visited_is_never_reported(void) {
    start(0);
    of[0] = th_refs_add(&refs, &things[0], &closed_kind);
    of[1] = th_refs_add(&refs, &things[1], &kind);
    hold(0, 1);
    hold(1, 0);
    let_go(0);
    let_go(1);
    CHECK_EQ(find(), 0);
    CHECK_EQ(th_ref_retain_weak(of[1]), TH_OK);
    stop("ba");
}

static void an_ended_object_is_in_no_cycle(void) {
    start(0);
    add(2);
    CHECK_EQ(th_ref_retain_weak(of[0]), TH_OK);
    let_go(0);
    CHECK_EQ(find(), 0);
    stop("ab");
}

/* ---- the rest ----------------------------------------------------------------------------- */

static void bad_arguments_are_refused(void) {
    static const th_allocator_table nothing;
    static const th_ref_type no_cleanup = {"none", NULL, NULL};
    memset(&refs, 7, sizeof refs);
    const th_refs same = refs;
    th_refs_config config = {.backing = backing_start(&own)};
    CHECK_EQ(th_refs_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_refs_init(&refs, NULL), TH_ERR_NULL);
    config.guarding.level = 4;
    CHECK_EQ(th_refs_init(&refs, &config), TH_ERR_CONFIG);
    config = (th_refs_config){.backing = {&nothing, NULL}};
    CHECK_EQ(th_refs_init(&refs, &config), TH_ERR_CONFIG);
    config = (th_refs_config){.backing = {0}};
    CHECK_EQ(th_refs_init(&refs, &config), TH_ERR_CONFIG);
    CHECK(memcmp(&refs, &same, sizeof refs) == 0);
    start(0);
    CHECK(th_refs_add(&refs, NULL, &kind) == NULL);
    CHECK(th_refs_add(&refs, &things[0], NULL) == NULL);
    CHECK(th_refs_add(&refs, &things[0], &no_cleanup) == NULL);
    own.left = 0;
    CHECK(th_refs_add(&refs, &things[0], &kind) == NULL);
    stop("");
}

static void expect_corrupt(th_fault_kind due) {
    th_fault fault;
    CHECK_EQ(th_refs_check(&refs, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, due);
}

static void level_3_proves_the_set_after_each_change(void) {
    start(3);
    add(2);
    refs.ended++;
    let_go(0);
    CHECK_EQ(faults.count, th_guard_max() >= 3);
    of[0] = th_refs_add(&refs, &things[2], &kind);
    CHECK_EQ(faults.count, th_guard_max() >= 3 ? 2 : 0);
    refs.ended--;
    faults.count = 0;
    stop("acb");
}

static void damage_is_found(void) {
    start(0);
    add(3);
    th_refs other = refs;
    of[1]->previous = NULL;
    expect_corrupt(TH_FAULT_CHAIN);
    of[1]->previous = of[2];
    of[1]->refs = &other;
    expect_corrupt(TH_FAULT_CHAIN);
    of[1]->refs = &refs;
    of[1]->weak = 0;
    expect_corrupt(TH_FAULT_COUNT);
    of[1]->weak = 1;
    of[1]->object = NULL;
    expect_corrupt(TH_FAULT_COUNT);
    of[1]->object = &things[1];
    refs.live++;
    expect_corrupt(TH_FAULT_COUNT);
    refs.live--;
    refs.ended++;
    expect_corrupt(TH_FAULT_COUNT);
    refs.ended--;
    let_go(1); /* out of the middle, the end, and the beginning */
    let_go(0);
    CHECK_EQ(th_refs_check(&refs, NULL), TH_OK);
    let_go(2);
    stop("bac");
}

TH_SUITE("ref", TEST(the_last_reference_ends_the_object), TEST(what_is_held_ends_after_its_holder),
         TEST(several_end_at_once), TEST(a_long_list_ends_without_recursion),
         TEST(weak_references_learn_of_the_end), TEST(misuse_and_overflow_are_named),
         TEST(a_cleanup_may_call_back_in), TEST(what_is_ending_takes_nothing_new),
         TEST(cycles_are_found_and_named), TEST(what_cannot_be_visited_is_never_reported),
         TEST(an_ended_object_is_in_no_cycle), TEST(bad_arguments_are_refused),
         TEST(level_3_proves_the_set_after_each_change), TEST(damage_is_found))
