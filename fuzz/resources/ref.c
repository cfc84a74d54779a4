/* SPDX-License-Identifier: MIT */
/* Reference counts beside arrays of who holds whom how often. */
#include "tagheap/ref.h"
#include "resources/play.h"

#include <string.h>

#define THINGS 10u

typedef struct thing {
    th_ref *ref;
    unsigned mine; /* strong references of nobody's but the player's */
    unsigned weak;
    unsigned holds[THINGS];
    bool live;
} thing;

static thing things[THINGS];
static bool is_closing;
static unsigned reported[THINGS];

static void require(bool holds, const char *detail) {
    lab_require(holds, "ref", detail);
}

static unsigned held_by_others(size_t i) {
    unsigned count = 0;
    for (size_t k = 0; k < THINGS; k++) {
        count += things[k].holds[i];
    }
    return count;
}

/* Its holds must be let go one after the other, and not be counted any more. */
static void end(void *object) {
    thing *t = object;
    size_t i = (size_t)(t - things);
    require(t->live, "ended-twice");
    require(is_closing || (t->mine == 0 && held_by_others(i) == 0), "ended-while-held");
    require(th_ref_object(t->ref) == NULL, "ended-and-there");
    t->live = false;
    for (size_t k = 0; k < THINGS; k++) {
        while (t->holds[k] > 0) {
            t->holds[k]--;
            th_status status = th_ref_release(things[k].ref);
            require(status == TH_OK || is_closing, "release");
        }
    }
}

static void visit_held(const void *object, th_ref_visit_fn visit, void *context) {
    const thing *t = object;
    for (size_t k = 0; k < THINGS; k++) {
        for (unsigned n = 0; n < t->holds[k]; n++) {
            visit(context, things[k].ref);
        }
    }
    visit(context, NULL);
}

static const th_ref_type type = {"thing", end, visit_held};

/* ---- cycles */

static const thing *before, *first;

static void report(void *context, const th_ref *held, size_t place, size_t length) {
    const thing *t = th_ref_object(held);
    (void)context;
    require(t != NULL && place < length, "cycle-of-nothing");
    require(reported[t - things]++ == 0, "in-two-cycles");
    if (place == 0) {
        first = t;
    } else {
        require(before->holds[t - things] > 0, "cycle-of-others");
    }
    before = t;
    require(place + 1 < length || t->holds[first - things] > 0, "cycle-open");
}

static void find_cycles(th_refs *refs) {
    bool reached[THINGS] = {false};
    bool grows = true;
    size_t out_of_reach = 0;
    while (grows) {
        grows = false;
        for (size_t i = 0; i < THINGS; i++) {
            bool held = things[i].mine > 0;
            for (size_t k = 0; k < THINGS; k++) {
                held = held || (reached[k] && things[k].holds[i] > 0);
            }
            grows = grows || (things[i].live && held && !reached[i]);
            reached[i] = reached[i] || (things[i].live && held);
        }
    }
    for (size_t i = 0; i < THINGS; i++) {
        out_of_reach += things[i].live && !reached[i];
    }
    memset(reported, 0, sizeof reported);
    require(th_refs_find_cycles(refs, report, NULL) == out_of_reach, "out-of-reach");
    size_t named = 0;
    for (size_t i = 0; i < THINGS; i++) {
        require(reported[i] == 0 || !reached[i], "reported-in-reach");
        named += reported[i];
    }
    require((named > 0) == (out_of_reach > 0), "cycle-not-named");
}

static void check(const th_refs *refs) {
    uint64_t live = 0;
    for (size_t i = 0; i < THINGS; i++) {
        if (things[i].live) {
            live++;
            require(th_ref_count(things[i].ref) == things[i].mine + held_by_others(i), "count");
            require(things[i].mine + held_by_others(i) > 0, "not-ended");
        }
    }
    require(th_refs_get_stats(refs).live == live, "live");
    require(th_refs_check(refs, NULL) == TH_OK, "check");
}

/* A reference of the player's to i goes; of one that is gone for good nothing is known any more. */
static void forget_gone(void) {
    for (size_t i = 0; i < THINGS; i++) {
        if (!things[i].live && things[i].weak == 0) {
            things[i].ref = NULL;
        }
    }
}

static void act(lab_input *input, th_refs *refs, unsigned op, bool gives, size_t i) {
    thing *t = &things[i];
    size_t k = lab_input_below(input, THINGS);
    if (op == 0 && t->live) {
        t->mine += th_ref_retain(t->ref) == TH_OK;
    } else if (op <= 2 && t->mine > 0) {
        t->mine--;
        require(th_ref_release(t->ref) == TH_OK, "release");
    } else if (op == 3 && t->ref != NULL) {
        t->weak += th_ref_retain_weak(t->ref) == TH_OK;
    } else if (op == 4 && t->weak > 0) {
        t->weak--;
        require(th_ref_release_weak(t->ref) == TH_OK, "release-weak");
    } else if (op == 5 && t->weak > 0) {
        bool upgraded = th_ref_upgrade(t->ref);
        require(upgraded == t->live, "upgrade");
        t->mine += upgraded;
    } else if (op == 6 && t->live && things[k].live && t->holds[k] < 3) {
        require(th_ref_retain(things[k].ref) == TH_OK, "retain");
        t->holds[k]++;
        if (gives && things[k].mine > 0) { /* the player's own */
            things[k].mine--;
            require(th_ref_release(things[k].ref) == TH_OK, "release");
        }
    } else if (op == 7) {
        find_cycles(refs);
    }
}

void lab_play_ref(lab_input *input) {
    lab_source source;
    unsigned faults;
    th_refs refs;
    const th_refs_config config = {.backing = lab_source_start(&source),
                                   .guarding = lab_count_faults(&faults)};
    memset(things, 0, sizeof things);
    is_closing = false;
    (void)th_refs_init(&refs, &config);
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t i = lab_input_below(input, THINGS);
        source.left = op == 255 ? 0 : LAB_SOURCE_ANY;
        if (things[i].ref == NULL) {
            things[i].ref = th_refs_add(&refs, &things[i], &type);
            require((things[i].ref != NULL) == (source.left > 0), "add");
            things[i].live = things[i].ref != NULL;
            things[i].mine = things[i].live;
        } else {
            act(input, &refs, op % 8, op >= 128, i);
        }
        forget_gone();
        check(&refs);
        size_t there = 0;
        for (size_t k = 0; k < THINGS; k++) {
            there += things[k].ref != NULL;
        }
        require(source.live == there, "control-block-lost");
    }
    is_closing = true;
    th_refs_clean_up(&refs);
    for (size_t i = 0; i < THINGS; i++) {
        require(!things[i].live, "not-ended");
    }
    require(faults == 0, "faults");
    lab_source_stop(&source, "ref");
}
