/* SPDX-License-Identifier: MIT */
/* Resource graphs: nodes in a list by age, and for each dependency an edge in two lists, that of
 * what its dependent needs and that of what its dependency is needed by. */
#include "tagheap/graph.h"

#include "alloc/guarding.h"

typedef struct edge edge;

struct edge {
    th_graph_node *dependent;
    th_graph_node *dependency;
    edge *next_need;       /* of the dependent */
    edge *next_dependent;  /* of the dependency */
    edge **dependent_link; /* what leads to this one there */
};

struct th_graph_node {
    th_graph *graph;
    th_graph_node *older;
    th_graph_node *younger;
    edge *needs;
    edge *dependents;
    th_graph_node *via;  /* a walk: where it came from, or goes on */
    th_graph_node *todo; /* a search: the next one to be looked at */
    uint64_t search;     /* that has seen it last */
    const char *name;
    th_graph_cleanup_fn cleanup;
    void *context;
};

static bool is_started(const th_graph *graph) {
    return graph != NULL && graph->config.backing.table != NULL;
}

th_status th_graph_init(th_graph *graph, const th_graph_config *config) {
    if (graph == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    if (config->backing.table == NULL || !th_backing_is_usable(&config->backing) ||
        !th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *graph = (th_graph){.config = *config};
    return TH_OK;
}

TH_DEFINE_SETTLE(graph);

th_graph_node *th_graph_add(th_graph *graph, const char *name, th_graph_cleanup_fn cleanup,
                            void *context) {
    if (!is_started(graph) || graph->is_ending || cleanup == NULL) {
        return NULL;
    }
    if (graph->config.nodes_max != 0 && graph->nodes >= graph->config.nodes_max) {
        return NULL;
    }
    th_graph_node *node = th_allocator_alloc(graph->config.backing, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    *node = (th_graph_node){.graph = graph,
                            .older = graph->youngest,
                            .name = name,
                            .cleanup = cleanup,
                            .context = context};
    if (graph->youngest != NULL) {
        graph->youngest->younger = node;
    }
    graph->youngest = node;
    graph->nodes++;
    graph->cycle = NULL;
    th_graph_settle(graph);
    return node;
}

/* May the node be worked on? */
static th_status enter(const th_graph *graph, const th_graph_node *node) {
    if (!is_started(graph) || node == NULL) {
        return TH_ERR_NULL;
    }
    if (graph->is_ending) {
        return TH_ERR_BUSY;
    }
    if (node->graph == graph) {
        return TH_OK;
    }
    if (th_guarding_level(&graph->config.guarding) > 0) {
        th_guarding_raise(&graph->config.guarding, TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 1, 0);
    }
    return TH_ERR_CORRUPT;
}

/* ---- dependencies ------------------------------------------------------------------------- */

static bool depends_directly(const th_graph_node *node, const th_graph_node *on) {
    const edge *need = node->needs;
    while (need != NULL && need->dependency != on) {
        need = need->next_need;
    }
    return need != NULL;
}

/* Does `start` depend on `node`, directly or not? By `via` one comes from node back to start, to
 * which no way leads back. */
static bool depends(th_graph *graph, th_graph_node *start, const th_graph_node *node) {
    th_graph_node *todo = start;
    graph->search++;
    start->via = NULL;
    start->todo = NULL;
    while (todo != NULL && todo != node) {
        th_graph_node *at = todo;
        todo = at->todo;
        for (const edge *need = at->needs; need != NULL; need = need->next_need) {
            th_graph_node *next = need->dependency;
            if (next->search != graph->search) {
                next->search = graph->search;
                next->via = at;
                next->todo = todo;
                todo = next;
            }
        }
    }
    return todo != NULL;
}

/* After depends() said yes: `via` shall lead from node to start, and on to node. */
static void keep_cycle(th_graph *graph, th_graph_node *node) {
    th_graph_node *next = NULL;
    for (th_graph_node *at = node; at != NULL;) {
        th_graph_node *before = at->via;
        at->via = next;
        next = at;
        at = before;
    }
    node->via = next;
    graph->cycle = node;
    graph->refusals++;
}

static void add_edge(edge *fresh, th_graph_node *node, th_graph_node *on) {
    *fresh = (edge){.dependent = node,
                    .dependency = on,
                    .next_need = node->needs,
                    .next_dependent = on->dependents,
                    .dependent_link = &on->dependents};
    if (on->dependents != NULL) {
        on->dependents->dependent_link = &fresh->next_dependent;
    }
    node->needs = fresh;
    on->dependents = fresh;
}

th_status th_graph_depend(th_graph *graph, th_graph_node *node, th_graph_node *on) {
    th_status status = enter(graph, node);
    if (status == TH_OK) {
        status = enter(graph, on);
    }
    if (status != TH_OK || depends_directly(node, on)) {
        return status;
    }
    if (depends(graph, on, node)) {
        keep_cycle(graph, node);
        return TH_ERR_CYCLE;
    }
    graph->cycle = NULL; /* the search has used the links */
    edge *fresh = th_allocator_alloc(graph->config.backing, sizeof *fresh);
    if (fresh == NULL) {
        return TH_ERR_EXHAUSTED;
    }
    add_edge(fresh, node, on);
    graph->dependencies++;
    th_graph_settle(graph);
    return TH_OK;
}

size_t th_graph_cycle(const th_graph *graph, const char *names[], size_t names_max) {
    size_t count = 0;
    if (graph == NULL || graph->cycle == NULL) {
        return 0;
    }
    const th_graph_node *at = graph->cycle;
    do {
        if (names != NULL && count < names_max) {
            names[count] = at->name;
        }
        count++;
        at = at->via;
    } while (at != graph->cycle);
    return count;
}

/* ---- ending ------------------------------------------------------------------------------- */

static void drop_needs(th_graph *graph, th_graph_node *node) {
    while (node->needs != NULL) {
        edge *need = node->needs;
        node->needs = need->next_need;
        *need->dependent_link = need->next_dependent;
        if (need->next_dependent != NULL) {
            need->next_dependent->dependent_link = need->dependent_link;
        }
        th_allocator_free(graph->config.backing, need);
        graph->dependencies--;
    }
}

/* Of a node that nothing depends on. */
static void end_node(th_graph *graph, th_graph_node *node) {
    drop_needs(graph, node);
    if (node->younger != NULL) {
        node->younger->older = node->older;
    } else {
        graph->youngest = node->older;
    }
    if (node->older != NULL) {
        node->older->younger = node->younger;
    }
    graph->nodes--;
    graph->cleanups++;
    node->cleanup(node->context);
    th_allocator_free(graph->config.backing, node);
}

/* Goes up to what nothing depends on, ends that, and goes back. */
static void end_dependents_and(th_graph *graph, th_graph_node *node) {
    th_graph_node *at = node;
    graph->cycle = NULL;
    graph->is_ending = true;
    node->via = NULL;
    while (at != NULL) {
        if (at->dependents != NULL) {
            th_graph_node *dependent = at->dependents->dependent;
            dependent->via = at;
            at = dependent;
        } else {
            th_graph_node *back = at->via;
            end_node(graph, at);
            at = back;
        }
    }
    graph->is_ending = false;
}

th_status th_graph_release_dependents(th_graph *graph, th_graph_node *node) {
    th_status status = enter(graph, node);
    if (status == TH_OK) {
        end_dependents_and(graph, node);
        th_graph_settle(graph);
    }
    return status;
}

th_status th_graph_release(th_graph *graph, th_graph_node *node) {
    th_status status = enter(graph, node);
    if (status == TH_OK && node->dependents != NULL) {
        return TH_ERR_BUSY;
    }
    return status == TH_OK ? th_graph_release_dependents(graph, node) : status;
}

th_status th_graph_reset(th_graph *graph) {
    if (!is_started(graph)) {
        return TH_ERR_NULL;
    }
    if (graph->is_ending) {
        th_guarding_raise_reentry(&graph->config.guarding);
        return TH_ERR_BUSY;
    }
    while (graph->youngest != NULL) {
        end_dependents_and(graph, graph->youngest);
    }
    return TH_OK;
}

void th_graph_clean_up(th_graph *graph) {
    if (th_graph_reset(graph) == TH_OK) {
        *graph = (th_graph){0};
    }
}

/* ---- questions ---------------------------------------------------------------------------- */

th_graph_stats th_graph_get_stats(const th_graph *graph) {
    if (graph == NULL) {
        return (th_graph_stats){0};
    }
    return (th_graph_stats){.nodes = graph->nodes,
                            .dependencies = graph->dependencies,
                            .cleanups = graph->cleanups,
                            .refusals = graph->refusals};
}

/* Counts the node's needs and dependents; false: an edge is not its own. */
static bool count_edges(const th_graph_node *node, uint64_t *needs, uint64_t *dependents) {
    for (const edge *need = node->needs; need != NULL; need = need->next_need) {
        if (need->dependent != node) {
            return false;
        }
        ++*needs;
    }
    for (const edge *at = node->dependents; at != NULL; at = at->next_dependent) {
        if (at->dependency != node || *at->dependent_link != at) {
            return false;
        }
        ++*dependents;
    }
    return true;
}

th_status th_graph_check(const th_graph *graph, th_fault *fault) {
    const th_graph_node *younger = NULL;
    uint64_t nodes = 0;
    uint64_t needs = 0;
    uint64_t dependents = 0;
    th_no_fault(fault);
    if (!is_started(graph)) {
        return TH_ERR_NULL;
    }
    for (const th_graph_node *node = graph->youngest; node != NULL; node = node->older) {
        if (node->graph != graph || node->younger != younger ||
            !count_edges(node, &needs, &dependents)) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, nodes, 0);
        }
        younger = node;
        nodes++;
    }
    return nodes == graph->nodes && needs == graph->dependencies &&
                   dependents == graph->dependencies
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, graph->dependencies,
                                     needs);
}
