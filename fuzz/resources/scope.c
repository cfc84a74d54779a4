/* SPDX-License-Identifier: MIT */
/* Two scopes, which hand over to each other, beside two lists of numbers. */
#include "tagheap/scope.h"
#include "resources/play.h"

#define THINGS 64u

typedef struct entry {
    uint64_t token;
    unsigned thing;
    bool on_error;
} entry;

typedef struct list {
    entry entries[THINGS];
    size_t count;
    bool failed;
    th_status error;
} list;

static th_scope scopes[2];
static list lists[2];
static unsigned char places[THINGS];
static bool is_running_early;
static unsigned early;
static size_t ending; /* the one of the two that is */

static void require(bool holds, const char *detail) {
    lab_require(holds, "scope", detail);
}

/* Whose cleanup is due? Those that are for errors only are passed by if there was none. */
static void run(void *context) {
    unsigned thing = (unsigned)((unsigned char *)context - places);
    if (is_running_early) {
        require(thing == early, "another-one-run-early");
        is_running_early = false;
        return;
    }
    list *l = &lists[ending];
    while (l->count > 0 && l->entries[l->count - 1].on_error && !l->failed) {
        l->count--;
    }
    require(l->count > 0 && l->entries[l->count - 1].thing == thing, "run-out-of-turn");
    l->count--;
}

static void expect_all_run(list *l) {
    for (size_t i = 0; i < l->count; i++) {
        require(l->entries[i].on_error && !l->failed, "not-run");
    }
    *l = (list){.count = 0};
}

static void add(size_t s, unsigned thing, bool on_error, size_t max) {
    uint64_t token = 0;
    list *l = &lists[s];
    th_status status = on_error ? th_scope_defer_on_error(&scopes[s], run, &places[thing], &token)
                                : th_scope_defer(&scopes[s], run, &places[thing], &token);
    require((status == TH_OK) == (token != 0), "token-without-registration");
    require(status != TH_ERR_TOO_LARGE || l->count >= max, "limit-too-early");
    require(status != TH_OK || l->count < max, "limit-too-late");
    if (status == TH_OK) {
        require(l->count == 0 || token > l->entries[l->count - 1].token, "token-used-twice");
        l->entries[l->count++] = (entry){token, thing, on_error};
    }
}

static entry take_out(list *l, size_t place) {
    entry e = l->entries[place];
    l->count--;
    for (size_t i = place; i < l->count; i++) {
        l->entries[i] = l->entries[i + 1];
    }
    return e;
}

static void act_on_one(lab_input *input, size_t s, unsigned action, size_t max) {
    list *l = &lists[s];
    if (l->count == 0) {
        return;
    }
    size_t place = lab_input_below(input, l->count);
    entry e = l->entries[place];
    if (action == 0) {
        (void)take_out(l, place);
        early = e.thing;
        is_running_early = true;
        require(th_scope_run(&scopes[s], e.token) == TH_OK && !is_running_early, "not-run-early");
        require(th_scope_run(&scopes[s], e.token) == TH_ERR_CORRUPT, "run-twice");
    } else if (action == 1) {
        (void)take_out(l, place);
        require(th_scope_cancel(&scopes[s], e.token) == TH_OK, "not-cancelled");
    } else {
        size_t to = lab_input_below(input, 2);
        uint64_t token = 0;
        bool fits = lists[to].count < (to == 0 ? max : THINGS);
        th_status status = th_scope_hand_over(&scopes[s], e.token, &scopes[to], &token);
        require(status != TH_OK || fits, "limit-too-late");
        if (status == TH_OK) {
            (void)take_out(l, place);
            e.token = token;
            lists[to].entries[lists[to].count++] = e;
        }
    }
}

static void check(size_t s, size_t held) {
    require(th_scope_check(&scopes[s], NULL) == TH_OK, "check");
    require(th_scope_get_stats(&scopes[s]).deferred == lists[s].count + held, "count");
}

void lab_play_scope(lab_input *input) {
    lab_source source;
    unsigned faults, expected = 0;
    th_allocator backing = lab_source_start(&source);
    size_t max = 1 + lab_input_below(input, 40);
    const th_scope_config outer = {
        .backing = backing, .deferred_max = max, .guarding = lab_count_faults(&faults)};
    const th_scope_config inner = {.backing = backing, .guarding = outer.guarding};
    lists[0] = lists[1] = (list){.count = 0};
    is_running_early = false;
    (void)th_scope_init(&scopes[0], &outer);
    (void)th_scope_init(&scopes[1], &inner);
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t s = op >> 7;
        unsigned thing = (op >> 3) % 16;
        list *l = &lists[s];
        source.left = op == 0xFF ? 0 : LAB_SOURCE_ANY;
        if (op % 8 < 3 && l->count < THINGS - 1) {
            add(s, thing, op % 8 == 2, s == 0 ? max : THINGS);
        } else if (op % 8 < 6 && lists[1].count < THINGS - 1) {
            bool double_run = op % 8 == 3 && l->count > 0;
            act_on_one(input, s, op % 8 - 3, max);
            expected += double_run;
        } else if (op % 8 == 6) {
            th_status error = thing % 2 != 0 ? TH_ERR_BUSY : TH_ERR_EXHAUSTED;
            l->error = l->failed ? l->error : error;
            l->failed = true;
            require(th_scope_fail(&scopes[s], error) == l->error, "first-error");
        } else if (op % 8 == 7) {
            th_status due = l->failed ? l->error : TH_OK;
            ending = s;
            require(th_scope_reset(&scopes[s]) == due, "error-lost");
            expect_all_run(l);
        }
        check(0, 0);
        check(1, 0);
    }
    for (size_t s = 2; s-- > 0;) {
        ending = s;
        th_scope_clean_up(&scopes[s]);
        expect_all_run(&lists[s]);
    }
    require(faults == expected || th_guard_max() == 0, "faults");
    lab_source_stop(&source, "scope");
}
