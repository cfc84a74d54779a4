/* SPDX-License-Identifier: MIT */
/* A resource graph beside a matrix of who needs whom. */
#include "tagheap/graph.h"
#include "resources/play.h"

#define NODES 12u

static th_graph_node *nodes[NODES];
static bool needs[NODES][NODES];
static char names[NODES][2];
static size_t ended_in_all;

static void require(bool holds, const char *detail) {
    lab_require(holds, "graph", detail);
}

static bool reaches(size_t from, size_t to) {
    bool seen[NODES] = {false};
    size_t todo[NODES] = {from};
    size_t count = 1;
    seen[from] = true;
    while (count > 0) {
        size_t at = todo[--count];
        if (at == to) {
            return true;
        }
        for (size_t i = 0; i < NODES; i++) {
            if (needs[at][i] && !seen[i]) {
                seen[i] = true;
                todo[count++] = i;
            }
        }
    }
    return false;
}

static void end(void *context) {
    size_t i = (size_t)((char(*)[2])context - names);
    require(nodes[i] != NULL, "ended-twice");
    for (size_t k = 0; k < NODES; k++) {
        require(!needs[k][i], "ended-before-a-dependent");
        needs[i][k] = false;
    }
    nodes[i] = NULL;
    ended_in_all++;
}

static void expect_cycle(const th_graph *graph, size_t i, size_t k) {
    const char *cycle[NODES];
    size_t length = th_graph_cycle(graph, cycle, NODES);
    require(length > 0 && length <= NODES, "cycle-not-named");
    require(cycle[0] == names[i] && cycle[length > 1] == names[k], "cycle-begins-elsewhere");
    for (size_t at = 1; at < length; at++) {
        size_t from = (size_t)((const char(*)[2])cycle[at] - (const char(*)[2])names);
        size_t to = (size_t)((const char(*)[2])cycle[(at + 1) % length] - (const char(*)[2])names);
        require(needs[from][to], "cycle-of-others");
    }
}

static void depend(th_graph *graph, lab_source *source, size_t i, size_t k) {
    bool is_cycle = reaches(k, i);
    size_t refusals = source->refusals;
    th_status status = th_graph_depend(graph, nodes[i], nodes[k]);
    if (is_cycle) {
        require(status == TH_ERR_CYCLE, "cycle-accepted");
        expect_cycle(graph, i, k);
    } else if (status == TH_OK) {
        needs[i][k] = true;
    } else {
        require(status == TH_ERR_EXHAUSTED && source->refusals > refusals, "refused");
    }
}

static void release(th_graph *graph, size_t i, bool with_dependents) {
    size_t due = 1;
    bool is_needed = false;
    for (size_t k = 0; k < NODES; k++) {
        is_needed = is_needed || needs[k][i];
        due += k != i && nodes[k] != NULL && reaches(k, i);
    }
    size_t before = ended_in_all;
    if (with_dependents) {
        require(th_graph_release_dependents(graph, nodes[i]) == TH_OK, "not-released");
        require(ended_in_all == before + due, "too-many-or-few-ended");
    } else {
        th_status status = th_graph_release(graph, nodes[i]);
        require(status == (is_needed ? TH_ERR_BUSY : TH_OK), "release-of-what-is-needed");
        require(ended_in_all == before + !is_needed, "too-many-or-few-ended");
    }
}

static void check(const th_graph *graph) {
    th_graph_stats stats = th_graph_get_stats(graph);
    uint64_t live = 0, dependencies = 0;
    for (size_t i = 0; i < NODES; i++) {
        live += nodes[i] != NULL;
        for (size_t k = 0; k < NODES; k++) {
            dependencies += needs[i][k];
        }
    }
    require(stats.nodes == live && stats.dependencies == dependencies, "count");
    require(th_graph_check(graph, NULL) == TH_OK, "check");
}

void lab_play_graph(lab_input *input) {
    lab_source source;
    unsigned faults;
    th_graph graph;
    const th_graph_config config = {.backing = lab_source_start(&source),
                                    .nodes_max = 1 + lab_input_below(input, 20),
                                    .guarding = lab_count_faults(&faults)};
    for (size_t i = 0; i < NODES; i++) {
        nodes[i] = NULL;
        for (size_t k = 0; k < NODES; k++) {
            needs[i][k] = false;
        }
    }
    (void)th_graph_init(&graph, &config);
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t i = lab_input_below(input, NODES);
        size_t k = lab_input_below(input, NODES);
        uint64_t live = th_graph_get_stats(&graph).nodes;
        source.left = op % 32 == 31 ? 0 : LAB_SOURCE_ANY;
        if (nodes[i] == NULL) {
            nodes[i] = th_graph_add(&graph, names[i], end, names[i]);
            require((nodes[i] != NULL) == (source.left > 0 && live < config.nodes_max), "limit");
        } else if (op % 8 < 2) {
            release(&graph, i, op % 8 == 0);
        } else if (op == 255) {
            require(th_graph_reset(&graph) == TH_OK, "not-reset");
        } else if (nodes[k] != NULL) {
            depend(&graph, &source, i, k);
        }
        check(&graph);
    }
    th_graph_clean_up(&graph);
    for (size_t i = 0; i < NODES; i++) {
        require(nodes[i] == NULL, "not-ended");
    }
    require(faults == 0, "faults");
    lab_source_stop(&source, "graph");
}
