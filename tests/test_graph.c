/* SPDX-License-Identifier: MIT */
/* Resource graphs: order of ends, cycles, failures, and a model that takes the order at its word.
 */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/graph.h"

static th_graph graph;
static backing own;
static fault_log faults;
static char trace[64];
static char letters[] = "abcdefghijklmnopqrstuvwxyz";
static th_graph_node *of[26];

static void note(void *context) {
    size_t length = strlen(trace);
    trace[length] = *(const char *)context;
    trace[length + 1] = '\0';
}

static void start_with(int level, size_t nodes_max) {
    const th_graph_config config = {.backing = backing_start(&own),
                                    .nodes_max = nodes_max,
                                    .guarding = guarding_with(&faults, level)};
    trace[0] = '\0';
    CHECK_EQ(th_graph_init(&graph, &config), TH_OK);
}

static void add(const char *names) {
    for (; *names != '\0'; names++) {
        char *name = &letters[*names - 'a'];
        of[*names - 'a'] = th_graph_add(&graph, name, note, name);
        CHECK(of[*names - 'a'] != NULL);
    }
}

static th_graph_node *node(char name) {
    return of[name - 'a'];
}

/* "ab": a needs b. */
static void depend(const char *pair) {
    CHECK_EQ(th_graph_depend(&graph, node(pair[0]), node(pair[1])), TH_OK);
}

static void stop(const char *order) {
    static const th_graph zeroed;
    CHECK_EQ(th_graph_check(&graph, NULL), TH_OK);
    th_graph_clean_up(&graph);
    CHECK(memcmp(&graph, &zeroed, sizeof graph) == 0);
    CHECK(strcmp(trace, order) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

static void end_in_order(int level) {
    start_with(level, 0);
    add("abcd");
    stop("dcba"); /* no dependencies: the younger first */
    start_with(level, 0);
    add("abcd");
    depend("ab");
    depend("bc");
    depend("cd");
    stop("abcd");
    start_with(level, 0);
    add("abcdef");
    depend("ac");
    depend("bc");
    depend("cf");
    depend("ad");
    depend("ad"); /* twice */
    CHECK_EQ(th_graph_get_stats(&graph).dependencies, 4);
    CHECK_EQ(th_graph_get_stats(&graph).nodes, 6);
    stop("bacfed"); /* f is the youngest; the dependent registered last goes first */
}

static void dependents_end_first(void) {
    at_levels(0, end_in_order);
}

static void release(int level) {
    start_with(level, 0);
    add("abcde");
    depend("ab");
    depend("bc");
    depend("db");
    CHECK_EQ(th_graph_release(&graph, node('b')), TH_ERR_BUSY);
    CHECK(strcmp(trace, "") == 0);
    CHECK_EQ(th_graph_release(&graph, node('a')), TH_OK);
    CHECK(strcmp(trace, "a") == 0);
    CHECK_EQ(th_graph_release_dependents(&graph, node('c')), TH_OK);
    CHECK(strcmp(trace, "adbc") == 0);
    CHECK_EQ(th_graph_get_stats(&graph).nodes, 1);
    CHECK_EQ(th_graph_get_stats(&graph).cleanups, 4);
    CHECK_EQ(th_graph_get_stats(&graph).dependencies, 0);
    CHECK_EQ(own.live, 1);
    add("a");
    CHECK_EQ(th_graph_reset(&graph), TH_OK);
    CHECK(strcmp(trace, "adbcae") == 0);
    add("x");
    stop("adbcaex");
}

static void one_is_released_with_or_without_dependents(void) {
    at_levels(0, release);
}

static void go_round(int level) {
    const char *names[8] = {NULL};
    start_with(level, 0);
    add("abcde");
    CHECK_EQ(th_graph_depend(&graph, node('a'), node('a')), TH_ERR_CYCLE);
    CHECK_EQ(th_graph_cycle(&graph, names, 8), 1);
    CHECK_EQ(*names[0], 'a');
    depend("ab");
    CHECK_EQ(th_graph_cycle(&graph, names, 8), 0);
    depend("bc");
    depend("be");
    depend("cd");
    depend("ce");
    depend("ed"); /* two ways lead to d */
    CHECK_EQ(th_graph_depend(&graph, node('d'), node('a')), TH_ERR_CYCLE);
    CHECK_EQ(th_graph_get_stats(&graph).refusals, 2);
    CHECK_EQ(th_graph_get_stats(&graph).dependencies, 6);
    size_t length = th_graph_cycle(&graph, names, 8);
    CHECK_EQ(length, 4);
    CHECK(*names[0] == 'd' && *names[1] == 'a' && *names[2] == 'b');
    CHECK(*names[3] == 'c' || *names[3] == 'e');
    const char *few[2] = {NULL, NULL};
    CHECK_EQ(th_graph_cycle(&graph, few, 1), 4);
    CHECK(few[0] == names[0] && few[1] == NULL);
    CHECK_EQ(th_graph_cycle(&graph, NULL, 0), 4);
    CHECK_EQ(th_graph_cycle(&graph, NULL, 8), 4);
    CHECK_EQ(th_graph_check(&graph, NULL), TH_OK);
    CHECK_EQ(th_graph_release(&graph, node('a')), TH_OK);
    CHECK_EQ(th_graph_cycle(&graph, names, 8), 0); /* something was changed */
    CHECK_EQ(th_graph_depend(&graph, node('d'), node('b')), TH_ERR_CYCLE);
    add("x");
    CHECK_EQ(th_graph_cycle(&graph, names, 8), 0);
    stop("axbced");
}

static void cycles_are_refused_and_named(void) {
    at_levels(0, go_round);
}

static void run_out(int level) {
    start_with(level, 2);
    add("ab");
    CHECK(th_graph_add(&graph, "c", note, letters) == NULL);
    own.left = 0;
    CHECK_EQ(th_graph_depend(&graph, node('a'), node('b')), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_graph_get_stats(&graph).dependencies, 0);
    CHECK_EQ(th_graph_release(&graph, node('a')), TH_OK);
    CHECK(th_graph_add(&graph, "c", note, letters) == NULL); /* room, but no memory */
    stop("ab");
}

static void exhaustion_changes_nothing(void) {
    at_levels(0, run_out);
}

static th_graph_node *seen;

static void call_back(void *context) {
    note(context);
    CHECK(th_graph_add(&graph, "x", note, letters) == NULL);
    CHECK_EQ(th_graph_depend(&graph, seen, seen), TH_ERR_BUSY);
    CHECK_EQ(th_graph_release(&graph, seen), TH_ERR_BUSY);
    CHECK_EQ(th_graph_release_dependents(&graph, seen), TH_ERR_BUSY);
    CHECK_EQ(faults.count, 0);
    th_graph_clean_up(&graph);
    CHECK_EQ(faults.count, 1);
    CHECK_EQ(faults.first.kind, TH_FAULT_REENTRY);
    CHECK_EQ(th_graph_reset(&graph), TH_ERR_BUSY);
    faults.count = 0;
}

static void misuse(int level) {
    start_with(level, 0);
    add("a");
    seen = node('a');
    CHECK(th_graph_add(&graph, "b", call_back, &letters[1]) != NULL);
    th_graph other;
    const th_graph_config config = {.backing = graph.config.backing};
    CHECK_EQ(th_graph_init(&other, &config), TH_OK);
    th_graph_node *foreign = th_graph_add(&other, "f", note, &letters[5]);
    CHECK_EQ(th_graph_release(&graph, foreign), TH_ERR_CORRUPT);
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 1,
                      0);
    }
    CHECK_EQ(th_graph_depend(&graph, seen, foreign), TH_ERR_CORRUPT);
    CHECK_EQ(th_graph_depend(&graph, foreign, seen), TH_ERR_CORRUPT);
    CHECK_EQ(th_graph_depend(&graph, seen, NULL), TH_ERR_NULL);
    CHECK_EQ(th_graph_depend(&graph, NULL, seen), TH_ERR_NULL);
    CHECK_EQ(th_graph_release(&graph, NULL), TH_ERR_NULL);
    CHECK(th_graph_add(&graph, "n", NULL, NULL) == NULL);
    faults.count = 0;
    th_graph_clean_up(&other);
    stop("fba");
}

static void misuse_is_named(void) {
    at_levels(0, misuse);
}

static void bad_configs_are_refused(void) {
    static const th_allocator_table nothing;
    memset(&graph, 7, sizeof graph);
    const th_graph same = graph;
    th_graph_config config = {.backing = backing_start(&own)};
    CHECK_EQ(th_graph_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_graph_init(&graph, NULL), TH_ERR_NULL);
    config.guarding.level = 4;
    CHECK_EQ(th_graph_init(&graph, &config), TH_ERR_CONFIG);
    config = (th_graph_config){.backing = {&nothing, NULL}};
    CHECK_EQ(th_graph_init(&graph, &config), TH_ERR_CONFIG);
    config = (th_graph_config){.backing = {0}};
    CHECK_EQ(th_graph_init(&graph, &config), TH_ERR_CONFIG);
    CHECK(memcmp(&graph, &same, sizeof graph) == 0);
}

static void level_3_proves_the_graph_after_each_change(void) {
    start_with(3, 0);
    add("abc");
    graph.nodes++;
    depend("ab");
    CHECK_EQ(faults.count, th_guard_max() >= 3);
    CHECK_EQ(th_graph_release(&graph, node('a')), TH_OK);
    CHECK_EQ(faults.count, th_guard_max() >= 3 ? 2 : 0);
    add("d");
    CHECK_EQ(faults.count, th_guard_max() >= 3 ? 3 : 0);
    graph.nodes--;
    faults.count = 0;
    stop("adcb");
}

static void expect_corrupt(th_fault_kind kind) {
    th_fault fault;
    CHECK_EQ(th_graph_check(&graph, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, kind);
}

/* The first pointers of a node: graph, older, younger, needs, dependents. Of an edge: dependent,
 * dependency, next_need, next_dependent, dependent_link. */
static void with_another(void *object, size_t place, void *other) {
    void **fields = object;
    void *was = fields[place];
    fields[place] = other;
    expect_corrupt(TH_FAULT_CHAIN);
    fields[place] = was;
    CHECK_EQ(th_graph_check(&graph, NULL), TH_OK);
}

static void damage_is_found(void) {
    start_with(0, 0);
    add("ab");
    depend("ab");
    void *edge = ((void **)(void *)node('a'))[3];
    void *nothing = NULL;
    CHECK_PTR_EQ(edge, ((void **)(void *)node('b'))[4]);
    with_another(node('a'), 0, &own);
    with_another(node('a'), 2, NULL);
    with_another(edge, 0, node('b'));
    with_another(edge, 1, node('a'));
    with_another(edge, 4, &nothing);
    graph.nodes++;
    expect_corrupt(TH_FAULT_COUNT);
    graph.nodes--;
    graph.dependencies++;
    expect_corrupt(TH_FAULT_COUNT);
    graph.dependencies--;
    void **dependents = (void **)(void *)node('b') + 4;
    *dependents = NULL; /* needed, and by nobody */
    expect_corrupt(TH_FAULT_COUNT);
    *dependents = edge;
    stop("ab");
}

/* ---- at random ------------------------------------------------------------------------------ */

#define NODES 12

static th_graph_node *nodes[NODES];
static bool needs[NODES][NODES];

static bool reaches(size_t from, size_t to) {
    bool seen_nodes[NODES] = {false};
    size_t todo[NODES] = {from};
    size_t count = 1;
    seen_nodes[from] = true;
    while (count > 0) {
        size_t at = todo[--count];
        if (at == to) {
            return true;
        }
        for (size_t i = 0; i < NODES; i++) {
            if (needs[at][i] && !seen_nodes[i]) {
                seen_nodes[i] = true;
                todo[count++] = i;
            }
        }
    }
    return false;
}

static void end_node(void *context) {
    size_t i = (size_t)((th_graph_node **)context - nodes);
    CHECK(nodes[i] != NULL);
    for (size_t k = 0; k < NODES; k++) {
        CHECK(!needs[k][i]);
        needs[i][k] = false;
    }
    nodes[i] = NULL;
}

static void play(int level) {
    uint64_t state = th_test_seed(3 + (uint64_t)level);
    start_with(level, 0);
    memset(nodes, 0, sizeof nodes);
    memset(needs, 0, sizeof needs);
    for (unsigned step = 0; step < 4000; step++) {
        uint64_t random = th_test_random(&state);
        size_t i = (size_t)(random >> 8) % NODES;
        size_t k = (size_t)(random >> 24) % NODES;
        if (nodes[i] == NULL) {
            nodes[i] = th_graph_add(&graph, letters, end_node, &nodes[i]);
        } else if (random % 16 == 0) {
            CHECK_EQ(th_graph_release_dependents(&graph, nodes[i]), TH_OK);
            CHECK(nodes[i] == NULL);
        } else if (nodes[k] != NULL) {
            bool is_cycle = reaches(k, i);
            CHECK_EQ(th_graph_depend(&graph, nodes[i], nodes[k]), is_cycle ? TH_ERR_CYCLE : TH_OK);
            needs[i][k] = needs[i][k] || !is_cycle;
            CHECK((th_graph_cycle(&graph, NULL, 0) > 0) >= is_cycle);
        }
        CHECK_EQ(th_graph_check(&graph, NULL), TH_OK);
    }
    stop("");
}

static void a_simple_model_agrees(void) {
    at_levels(0, play);
}

TH_SUITE("graph", TEST(dependents_end_first), TEST(one_is_released_with_or_without_dependents),
         TEST(cycles_are_refused_and_named), TEST(exhaustion_changes_nothing),
         TEST(misuse_is_named), TEST(bad_configs_are_refused),
         TEST(level_3_proves_the_graph_after_each_change), TEST(damage_is_found),
         TEST(a_simple_model_agrees))
