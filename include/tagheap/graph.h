/* SPDX-License-Identifier: MIT */
/* Resource graphs: what depends on what, and so what must be ended before what.
 *
 *   texture ---needs---> device ---needs---> window        ended: texture, device, window
 *
 * A node is ended after everything that depends on it; of those that are free to go, the younger
 * one first. A dependency that would close a circle is refused, and the circle can be named.
 *
 * Ownership: the caller owns the th_graph and what the contexts point to; the graph owns the nodes,
 * which lie in memory of the backing. A node must not be used after it was released.
 * Cleanup functions must not call the graph that is ending them: TH_ERR_BUSY, and clean_up a fault.
 * Thread rule: one graph, one thread at a time.
 * Complexity: add O(1); depend O(nodes and dependencies); release O(what goes).
 * Guards: at level 1 and up a node of another graph is TH_FAULT_FOREIGN; at every level, ending the
 * graph from inside a cleanup is TH_FAULT_REENTRY. `block` and `offset` are TH_FAULT_NOWHERE. */
#ifndef TAGHEAP_GRAPH_H
#define TAGHEAP_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ends the resource that the context stands for. */
typedef void (*th_graph_cleanup_fn)(void *context);

typedef struct th_graph_node th_graph_node;

typedef struct th_graph_config {
    th_allocator backing;
    size_t nodes_max; /* 0: as many as there is memory for */
    th_guarding guarding;
} th_graph_config;

/* Its fields are the library's own. */
typedef struct th_graph {
    th_graph_node *youngest;
    th_graph_node *cycle; /* of the dependency refused last; NULL: none, or something changed */
    uint64_t nodes;
    uint64_t dependencies;
    uint64_t cleanups;
    uint64_t refusals;
    uint64_t search;
    bool is_ending;
    th_graph_config config;
} th_graph;

/* Starts an empty graph. Fails, leaving *graph untouched, iff graph or config is NULL
 * (TH_ERR_NULL), there is no backing, it cannot allocate or free, or guarding.level is not 0 to 3
 * (TH_ERR_CONFIG). */
th_status th_graph_init(th_graph *graph, const th_graph_config *config);

/* Ends everything in it, dependents first; *graph is zeroed. NULL is allowed. From inside a
 * cleanup: nothing, after a fault. */
void th_graph_clean_up(th_graph *graph);

/* The same, but the graph stays, empty. TH_ERR_BUSY from inside a cleanup, after a fault;
 * TH_ERR_NULL for NULL and a zeroed graph. */
th_status th_graph_reset(th_graph *graph);

/* Adds a resource that depends on nothing. The name, for reports, is not copied. NULL iff cleanup
 * is NULL, there are nodes_max nodes or no memory, or the graph is NULL, zeroed or ending. */
th_graph_node *th_graph_add(th_graph *graph, const char *name, th_graph_cleanup_fn cleanup,
                            void *context);

/* `node` needs `on`, and will be ended before it. To say it twice changes nothing. Fails, with
 * nothing changed, iff `on` is node or depends on it, directly or not (TH_ERR_CYCLE: see
 * th_graph_cycle); there is no memory (TH_ERR_EXHAUSTED); a node is of another graph
 * (TH_ERR_CORRUPT, after a fault); a pointer is NULL (TH_ERR_NULL); or the graph is ending
 * (TH_ERR_BUSY). */
th_status th_graph_depend(th_graph *graph, th_graph_node *node, th_graph_node *on);

/* The circle that the dependency refused last would have closed, as long as nothing was changed
 * since: names[0] would depend on names[1], and so on, and the last one does on names[0]. Returns
 * how many there are, 0 if none was refused; at most names_max are written, none if names is
 * NULL. */
size_t th_graph_cycle(const th_graph *graph, const char *names[], size_t names_max);

/* Ends one resource. TH_ERR_BUSY, with nothing done, iff something depends on it or the graph is
 * ending; TH_ERR_CORRUPT and TH_ERR_NULL as before. */
th_status th_graph_release(th_graph *graph, th_graph_node *node);

/* Ends everything that depends on it, and it. Fails as th_graph_release but for dependents. */
th_status th_graph_release_dependents(th_graph *graph, th_graph_node *node);

typedef struct th_graph_stats {
    uint64_t nodes;
    uint64_t dependencies;
    uint64_t cleanups; /* ended since the graph was started */
    uint64_t refusals; /* dependencies refused for a cycle */
} th_graph_stats;

/* All of them are 0 for NULL and a zeroed graph. */
th_graph_stats th_graph_get_stats(const th_graph *graph);

/* Proves links and counts. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be
 * NULL), or TH_OK; TH_ERR_NULL for NULL and a zeroed graph. O(nodes and dependencies). */
th_status th_graph_check(const th_graph *graph, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
