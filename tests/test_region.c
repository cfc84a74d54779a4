/* SPDX-License-Identifier: MIT */
/* Regions: phases that nest, cleanups, misuse. Blocks are the arena's matter. */
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/region.h"

#define CHUNK 2048

static th_region root;
static backing own;
static fault_log faults;

/* What the cleanups did, in order. */
static char trace[64];
static size_t traced;

static void note(void *context) {
    trace[traced++] = *(const char *)context;
    trace[traced] = '\0';
}

static char letters[] = "abcdefghijklmnopqrstuvwxyz";

static void defer(th_region *region, char letter) {
    CHECK_EQ(th_region_defer(region, note, &letters[letter - 'a']), TH_OK);
}

static void start(int level) {
    const th_arena_config config = {.backing = backing_start(&own),
                                    .chunk_bytes = CHUNK,
                                    .guarding = guarding_with(&faults, level)};
    traced = 0;
    trace[0] = '\0';
    CHECK_EQ(th_region_init(&root, &config), TH_OK);
}

static th_region *begin(th_region *parent) {
    th_region *child = th_region_create(parent);
    CHECK(child != NULL);
    return child;
}

static unsigned char *take(th_region *region, size_t bytes, uint32_t seed) {
    unsigned char *block = th_region_alloc(region, bytes);
    CHECK(block != NULL);
    fill(block, bytes, seed);
    return block;
}

static void stop(void) {
    static const th_region zeroed;
    th_fault fault;
    CHECK_EQ(th_region_check(&root, &fault), TH_OK);
    CHECK_EQ(th_region_destroy(&root), TH_OK);
    CHECK(memcmp(&root, &zeroed, sizeof root) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

static void nest(int level) {
    start(level);
    th_region *session = begin(&root);
    th_region *first = begin(session);
    th_region *second = begin(session);
    unsigned char *blocks[] = {take(&root, 100, 0), take(session, 100, 1), take(first, 100, 2),
                               take(second, 3000, 3), take(first, 100, 4)};
    for (uint32_t i = 0; i < 5; i++) {
        CHECK(filled(blocks[i], i == 3 ? 3000 : 100, i));
    }
    th_region_stats stats = th_region_get_stats(&root);
    CHECK_EQ(stats.regions, 4);
    CHECK_EQ(stats.tree_reserved_bytes, own.live_bytes);
    CHECK_EQ(th_region_get_stats(first).depth, 2);
    CHECK_EQ(th_region_get_stats(session).regions, 3);
    CHECK_EQ(th_region_get_stats(second).regions, 1); /* without `first`, which is older */
    /* What the tree has is what each of its regions has. */
    CHECK(stats.reserved_bytes > 0);
    CHECK_EQ(stats.tree_reserved_bytes, stats.reserved_bytes +
                                            th_region_get_stats(session).reserved_bytes +
                                            th_region_get_stats(first).reserved_bytes +
                                            th_region_get_stats(second).reserved_bytes);
    CHECK_EQ(th_region_destroy(first), TH_OK); /* the older one: any order will do */
    CHECK(filled(blocks[0], 100, 0) && filled(blocks[1], 100, 1) && filled(blocks[3], 3000, 3));
    CHECK_EQ(th_region_destroy(session), TH_OK);
    CHECK(filled(blocks[0], 100, 0));
    CHECK_EQ(th_region_get_stats(&root).regions, 1);
    CHECK_EQ(th_region_get_stats(&root).tree_reserved_bytes, own.live_bytes);
    stop();
}

/* The caller's memory is the root's alone: the children begin with chunks of their own. */
static void begin_in_memory(int level) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[4096];
    const th_arena_config config = {.backing = backing_start(&own),
                                    .memory = memory,
                                    .memory_bytes = sizeof memory,
                                    .chunk_bytes = CHUNK,
                                    .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_region_init(&root, &config), TH_OK);
    const unsigned char *outer = take(&root, 100, 1);
    th_region *child = begin(&root);
    const unsigned char *inner = take(child, 100, 2);
    CHECK((uintptr_t)outer - (uintptr_t)memory < sizeof memory);
    CHECK((uintptr_t)inner - (uintptr_t)memory >= sizeof memory);
    CHECK(filled(outer, 100, 1) && filled(inner, 100, 2));
    CHECK_EQ(own.live, 1);
    CHECK_EQ(th_region_destroy(child), TH_OK);
    CHECK_EQ(own.live, 0);
    CHECK(filled(outer, 100, 1));
    stop();
}

static void the_callers_memory_is_the_roots(void) {
    at_levels(0, begin_in_memory);
}

static void phases_nest(void) {
    at_levels(0, nest);
}

static void clean_up_in_order(int level) {
    start(level);
    defer(&root, 'a');
    th_region *x = begin(&root);
    defer(x, 'b');
    defer(x, 'c');
    th_region *y = begin(x);
    defer(y, 'd');
    th_region *z = begin(x);
    defer(z, 'e');
    defer(z, 'f');
    th_region *u = begin(z);
    defer(u, 'g');
    defer(&root, 'h');
    CHECK_EQ(th_region_defer(u, NULL, letters), TH_ERR_NULL);
    CHECK_EQ(th_region_destroy(x), TH_OK);
    CHECK(strcmp(trace, "gfedcb") == 0);
    stop();
    CHECK(strcmp(trace, "gfedcbha") == 0);
}

static void cleanups_run_in_reverse_and_children_first(void) {
    at_levels(0, clean_up_in_order);
}

/* A loop of phases needs no more memory than one. */
static void repeat(int level) {
    start(level);
    size_t bytes = 0;
    for (unsigned round = 0; round < 50; round++) {
        th_region *phase = begin(&root);
        th_region *inner = begin(phase);
        (void)take(phase, 500, round);
        (void)take(inner, 500, round);
        defer(inner, 'a');
        traced = 0;
        CHECK_EQ(th_region_destroy(round % 2 == 0 ? inner : phase), TH_OK);
        if (round % 2 == 0) {
            CHECK_EQ(th_region_destroy(phase), TH_OK);
        }
        bytes = round == 0 ? own.live_bytes : bytes;
        CHECK_EQ(own.live_bytes, bytes);
        CHECK_EQ(th_region_check(&root, NULL), TH_OK);
    }
    stop();
}

static void repeated_phases_need_no_more_memory(void) {
    at_levels(0, repeat);
}

/* Every place is used again, not only that of the child that ended last. */
static void begin_many_again(int level) {
    enum { CHILDREN = 3 };
    start(level);
    th_region *children[CHILDREN];
    size_t bytes = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < CHILDREN; i++) {
            children[i] = begin(&root);
        }
        bytes = round == 0 ? th_region_get_stats(&root).used_bytes : bytes;
        CHECK_EQ(th_region_get_stats(&root).used_bytes, bytes);
        for (size_t i = 0; i < CHILDREN; i++) {
            CHECK_EQ(th_region_destroy(children[i]), TH_OK);
        }
    }
    stop();
}

static void places_of_all_ended_children_are_used_again(void) {
    at_levels(0, begin_many_again);
}

static void reset(int level) {
    start(level);
    for (unsigned round = 0; round < 5; round++) {
        th_region *child = begin(&root);
        (void)begin(child);
        (void)take(&root, 3000, round);
        defer(&root, 'a');
        defer(child, 'b');
        traced = 0;
        CHECK_EQ(th_region_reset(&root), TH_OK);
        CHECK(strcmp(trace, "ba") == 0);
        CHECK_EQ(th_region_get_stats(&root).regions, 1);
        CHECK_EQ(th_region_get_stats(&root).used_bytes, 0);
    }
    CHECK(own.live_bytes <= 2 * CHUNK);
    stop();
    CHECK_EQ(th_region_reset(&root), TH_ERR_NULL);
    CHECK_EQ(th_region_reset(NULL), TH_ERR_NULL);
}

static void a_region_can_be_reset(void) {
    at_levels(0, reset);
}

static void bad_arguments_are_refused(void) {
    th_arena_config config = {.memory = letters, .memory_bytes = 26};
    memset(&root, 7, sizeof root);
    th_region same = root;
    CHECK_EQ(th_region_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_region_init(&root, NULL), TH_ERR_NULL);
    CHECK_EQ(th_region_init(&root, &config), TH_ERR_CONFIG);
    config = (th_arena_config){.backing = backing_start(&own), .chunk_bytes = 1};
    CHECK_EQ(th_region_init(&root, &config), TH_ERR_TOO_SMALL);
    CHECK(memcmp(&root, &same, sizeof root) == 0);
    memset(&root, 0, sizeof root);
    CHECK(th_region_create(NULL) == NULL && th_region_create(&root) == NULL);
    CHECK_EQ(th_region_defer(&root, note, letters), TH_ERR_NULL);
    CHECK_EQ(th_region_defer(NULL, note, letters), TH_ERR_NULL);
    CHECK_EQ(th_region_defer(&root, NULL, letters), TH_ERR_NULL);
    CHECK(th_region_alloc(&root, 8) == NULL);
    CHECK_EQ(th_region_destroy(&root), TH_OK);
    CHECK_EQ(th_region_destroy(NULL), TH_OK);
    CHECK_EQ(th_region_get_stats(&root).regions, 0);
    CHECK_EQ(th_region_check(&root, NULL), TH_ERR_NULL);
}

static void run_out(int level) {
    start(level);
    own.left = 0;
    CHECK(th_region_create(&root) == NULL);
    CHECK_EQ(th_region_defer(&root, note, letters), TH_ERR_EXHAUSTED);
    own.left = 1;
    th_region *child = begin(&root);
    CHECK(th_region_alloc(child, 8) == NULL);
    CHECK_EQ(th_region_get_stats(&root).regions, 2);
    stop();
}

static void exhaustion_changes_nothing(void) {
    at_levels(0, run_out);
}

/* ---- misuse --------------------------------------------------------------------------------- */

typedef struct attempt {
    th_region *region;
    th_region *other;
    unsigned runs;
} attempt;

/* What a cleanup must not do, and what it may. */
static void misbehave(void *context) {
    attempt *a = context;
    a->runs++;
    CHECK_EQ(th_region_destroy(a->region), TH_ERR_BUSY);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(faults.first.kind, TH_FAULT_REENTRY);
    CHECK_EQ(th_region_reset(a->region), TH_ERR_BUSY);
    CHECK_EQ(faults.count, 2);
    faults.count = 0;
    CHECK(th_region_create(a->region) == NULL);
    CHECK_EQ(th_region_defer(a->region, note, letters), TH_ERR_BUSY);
    CHECK(th_region_alloc(a->region, 20) != NULL);
    if (a->other != NULL) { /* an older child of the same parent, which is ending */
        CHECK_EQ(th_region_destroy(a->other), TH_ERR_BUSY);
        CHECK_EQ(th_region_reset(a->other), TH_ERR_BUSY);
        CHECK(th_region_create(a->other) != NULL);
    }
    CHECK_EQ(faults.count, 0);
}

static void enter_again(int level) {
    start(level);
    th_region *older = begin(&root);
    th_region *child = begin(&root);
    attempt first = {.region = child, .other = older};
    attempt second = {.region = &root};
    CHECK_EQ(th_region_defer(child, misbehave, &first), TH_OK);
    CHECK_EQ(th_region_defer(&root, misbehave, &second), TH_OK);
    stop();
    CHECK(first.runs == 1 && second.runs == 1);
}

/* What lies in something that is ending, however deep, goes with it and not before. */
static void end_cousin(void *context) {
    attempt *a = context;
    a->runs++;
    CHECK_EQ(th_region_destroy(a->other), TH_ERR_BUSY);
    CHECK_EQ(th_region_reset(a->other), TH_ERR_BUSY);
    CHECK_EQ(faults.count, 0);
    CHECK(th_region_alloc(a->other, 20) != NULL);
}

static void end_across(int level) {
    for (int reset = 0; reset < 2; reset++) {
        start(level);
        th_region *older = begin(&root);
        attempt a = {.other = begin(begin(older))};
        CHECK_EQ(th_region_defer(begin(&root), end_cousin, &a), TH_OK);
        if (reset != 0) {
            CHECK_EQ(th_region_reset(&root), TH_OK);
            CHECK_EQ(a.runs, 1);
        }
        stop();
        CHECK_EQ(a.runs, 1);
    }
}

static void what_ends_anyway_cannot_be_ended(void) {
    at_levels(0, end_across);
}

/* From the cleanup of a child: what it lies in cannot go. */
static void end_all_above(void *context) {
    attempt *a = context;
    a->runs++;
    for (th_region *above = a->region; above != NULL; above = above->parent) {
        CHECK_EQ(th_region_destroy(above), TH_ERR_BUSY);
        CHECK_EQ(th_region_reset(above), TH_ERR_BUSY);
        CHECK_EQ(faults.count, 2);
        CHECK_EQ(faults.first.kind, TH_FAULT_REENTRY);
        faults.count = 0;
    }
    CHECK_EQ(th_region_destroy(a->other), TH_OK); /* beside it */
}

static void end_from_below(int level) {
    start(level);
    th_region *inner = begin(begin(&root));
    attempt last = {.region = inner->parent, .other = begin(&root)};
    attempt first = {.region = inner->parent, .other = begin(inner->parent)};
    CHECK_EQ(th_region_defer(inner, end_all_above, &last), TH_OK);
    CHECK_EQ(th_region_defer(inner, end_all_above, &first), TH_OK);
    CHECK_EQ(th_region_destroy(inner), TH_OK);
    CHECK(first.runs == 1 && last.runs == 1);
    attempt at_reset = {.region = &root};
    th_region *child = begin(&root);
    at_reset.other = begin(&root);
    CHECK_EQ(th_region_defer(child, end_all_above, &at_reset), TH_OK);
    CHECK_EQ(th_region_reset(child), TH_OK);
    CHECK(at_reset.runs == 1);
    CHECK_EQ(th_region_reset(&root), TH_OK); /* through: it may go again */
    stop();
}

static void cleanups_cannot_end_what_their_region_lies_in(void) {
    at_levels(0, end_from_below);
}

typedef struct closing_look {
    const th_region *region;
    size_t depth;
    unsigned runs;
} closing_look;

static void look(void *context) {
    closing_look *l = context;
    th_region_stats stats = th_region_get_stats(l->region);
    CHECK(stats.regions == 1 && stats.depth == l->depth && stats.used_bytes > 0);
    CHECK_EQ(th_region_check(&root, NULL), TH_OK);
    l->runs++;
}

static void look_while_closing(int level) {
    start(level);
    th_region *child = begin(&root);
    closing_look of_child = {.region = child, .depth = 1};
    closing_look of_root = {.region = &root, .depth = 0};
    CHECK_EQ(th_region_defer(child, look, &of_child), TH_OK);
    CHECK_EQ(th_region_defer(&root, look, &of_root), TH_OK);
    stop();
    CHECK(of_child.runs == 1 && of_root.runs == 1);
}

static void a_cleanup_may_ask(void) {
    at_levels(0, look_while_closing);
}

static void cleanups_cannot_end_their_region(void) {
    at_levels(0, enter_again);
}

static void end_twice(int level) {
    start(level);
    th_region *child = begin(&root);
    CHECK_EQ(th_region_destroy(child), TH_OK);
    CHECK_EQ(th_region_destroy(child), TH_ERR_CORRUPT);
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE,
                      1, 3);
    }
    CHECK_EQ(th_region_reset(child), TH_ERR_CORRUPT);
    faults.count = 0;
    CHECK(th_region_alloc(child, 8) == NULL);
    CHECK(th_region_create(child) == NULL);
    CHECK_EQ(th_region_get_stats(child).regions, 0);
    CHECK_EQ(th_region_check(child, NULL), TH_OK);
    faults.count = 0;
    stop();
}

static void ending_twice_is_noticed(void) {
    at_levels(0, end_twice);
}

static void damage(int level) {
    start(level);
    th_region *child = begin(&root);
    unsigned char *block = take(child, 20, 1);
    (void)poke(block + 20, 0x41);
    CHECK_EQ(th_region_check(&root, NULL), TH_ERR_CORRUPT);
    CHECK_EQ(th_region_reset(child), TH_ERR_CORRUPT);
    CHECK_EQ(faults.first.kind, TH_FAULT_CANARY);
    faults.count = 0;
    CHECK_EQ(th_region_destroy(child), TH_OK);
    CHECK(faults.count > 0);
    faults.count = 0;
    stop();
}

static void damage_is_reported_and_stops_no_end(void) {
    at_levels(1, damage);
}

static void break_links(int level) {
    start(level);
    th_region *older = begin(&root);
    th_region *child = begin(&root);
    th_region *ended = begin(&root);
    CHECK_EQ(th_region_destroy(ended), TH_OK);
    th_fault fault;
    child->parent = child;
    CHECK_EQ(th_region_check(&root, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CHAIN);
    child->parent = &root;
    older->younger = NULL;
    CHECK_EQ(th_region_check(&root, NULL), TH_ERR_CORRUPT);
    older->younger = child;
    child->state = 3;
    CHECK_EQ(th_region_check(&root, NULL), TH_ERR_CORRUPT);
    child->state = 1;
    ended->state = 1;
    CHECK_EQ(th_region_check(&root, NULL), TH_ERR_CORRUPT);
    ended->state = 3;
    ended->parent = child;
    CHECK_EQ(th_region_check(&root, NULL), TH_ERR_CORRUPT);
    ended->parent = &root;
    stop();
}

static void the_checker_knows_broken_links(void) {
    at_levels(0, break_links);
}

static void use_as_allocator(int level) {
    start(level);
    th_region *child = begin(&root);
    th_allocator allocator = th_region_allocator(child);
    bool moved;
    unsigned char *block = th_allocator_alloc(allocator, 30);
    fill(block, 30, 1);
    CHECK(th_allocator_alloc_aligned(allocator, 10, 64) != NULL);
    block = th_allocator_realloc(allocator, block, 30, 60, 16, &moved);
    CHECK(moved && filled(block, 30, 1));
    CHECK(th_allocator_realloc(allocator, block, 60, 90, 16, &moved) == block && !moved);
    CHECK(th_allocator_owns(allocator, block));
    CHECK(!th_allocator_owns(th_region_allocator(&root), block));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    th_allocator_free(allocator, block);
    defer(child, 'a');
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK(strcmp(trace, "a") == 0);
    CHECK_EQ(th_region_get_stats(child).used_bytes, 0);
    CHECK(th_region_alloc_aligned(child, 8, 3) == NULL);
    CHECK((uintptr_t)th_region_alloc_aligned(child, 8, 512) % 512 == 0);
    stop();
}

static void a_region_is_an_allocator(void) {
    at_levels(0, use_as_allocator);
}

/* ---- at random ------------------------------------------------------------------------------ */

#define NODES 24

typedef struct node {
    th_region *region; /* NULL: none */
    size_t parent;
    unsigned char *block;
    unsigned cleanups; /* still to run */
} node;

static node nodes[NODES];

static void count_cleanup(void *context) {
    node *n = context;
    CHECK(n->cleanups > 0);
    n->cleanups--;
}

static void expect_ended(size_t ended) {
    CHECK_EQ(nodes[ended].cleanups, 0);
    nodes[ended].region = NULL;
    for (size_t i = 1; i < NODES; i++) {
        if (nodes[i].region != NULL && nodes[i].parent == ended) {
            expect_ended(i);
        }
    }
}

static void begin_or_end(size_t i, size_t parent) {
    if (nodes[i].region != NULL) {
        CHECK_EQ(th_region_destroy(nodes[i].region), TH_OK);
        expect_ended(i);
    } else if (nodes[parent].region != NULL && parent != i) {
        nodes[i] = (node){.region = begin(nodes[parent].region), .parent = parent};
        nodes[i].block = take(nodes[i].region, 40, (uint32_t)i);
    }
}

static void play_at_random(int level) {
    uint64_t state = th_test_seed(100 + (uint64_t)level);
    start(level);
    memset(nodes, 0, sizeof nodes);
    nodes[0] = (node){.region = &root, .block = take(&root, 40, 0)};
    for (unsigned step = 0; step < 1000; step++) {
        uint64_t random = th_test_random(&state);
        size_t i = 1 + (size_t)(random % (NODES - 1));
        if (random >> 62 == 0) {
            begin_or_end(i, (size_t)(random >> 8) % NODES);
        } else if (nodes[i].region != NULL) {
            CHECK_EQ(th_region_defer(nodes[i].region, count_cleanup, &nodes[i]), TH_OK);
            nodes[i].cleanups++;
            (void)take(nodes[i].region, 1 + (size_t)((random >> 16) % 100), 9);
        } else {
            begin_or_end(i, (size_t)(random >> 8) % NODES);
        }
        size_t live = 0;
        for (size_t k = 0; k < NODES; k++) {
            live += nodes[k].region != NULL;
            CHECK(nodes[k].region == NULL || filled(nodes[k].block, 40, (uint32_t)k));
        }
        CHECK_EQ(th_region_get_stats(&root).regions, live);
        CHECK_EQ(th_region_get_stats(&root).tree_reserved_bytes, own.live_bytes);
        CHECK_EQ(th_region_check(&root, NULL), TH_OK);
    }
    stop();
}

static void a_simple_model_agrees(void) {
    at_levels(0, play_at_random);
}

TH_SUITE("region", TEST(what_ends_anyway_cannot_be_ended), TEST(phases_nest),
         TEST(the_callers_memory_is_the_roots), TEST(cleanups_run_in_reverse_and_children_first),
         TEST(repeated_phases_need_no_more_memory),
         TEST(places_of_all_ended_children_are_used_again), TEST(a_region_can_be_reset),
         TEST(bad_arguments_are_refused), TEST(exhaustion_changes_nothing),
         TEST(cleanups_cannot_end_their_region),
         TEST(cleanups_cannot_end_what_their_region_lies_in), TEST(a_cleanup_may_ask),
         TEST(ending_twice_is_noticed), TEST(damage_is_reported_and_stops_no_end),
         TEST(the_checker_knows_broken_links), TEST(a_region_is_an_allocator),
         TEST(a_simple_model_agrees))
