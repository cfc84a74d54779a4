/* SPDX-License-Identifier: MIT */
/* What a hot path costs with a pool and with malloc: one block at a time, a tree of n nodes, n
 * objects at once. What single calls of each allocator cost: scripts.c. */
#include <stdlib.h>

#include "bench.h"
#include "mutate/random.h"
#include "sources.h"
#include "tagheap/allocator.h"
#include "tagheap/pool.h"

enum { BATCH = 64 };

static void pool_start(th_pool *pool, size_t object_bytes, size_t n) {
    const th_pool_config config = {
        .object_bytes = object_bytes, .backing = th_system_allocator(), .grow_objects = n};
    if (th_pool_init(pool, &config) != TH_OK || th_pool_reserve(pool, n) != TH_OK) {
        abort();
    }
}

/* One block at a time, freed before the next one is made: what caches of freed blocks are best at.
 */
typedef struct pairs {
    th_pool *pool; /* NULL: malloc */
    size_t n;
} pairs;

static void pair_by_pair(void *context) {
    const pairs *p = context;
    for (size_t i = 0; i < p->n; i++) {
        void *block = p->pool != NULL ? th_pool_alloc(p->pool) : malloc(BENCH_BLOCK_BYTES);
        bench_use((uintptr_t)block);
        if (p->pool != NULL) {
            th_pool_free(p->pool, block);
        } else {
            free(block);
        }
    }
}

static void run_pair_pool(size_t n) {
    th_pool pool;
    pool_start(&pool, BENCH_BLOCK_BYTES, 1);
    bench_measure(pair_by_pair, &(pairs){&pool, n});
    th_pool_clean_up(&pool);
}

static void run_pair_malloc(size_t n) {
    bench_measure(pair_by_pair, &(pairs){NULL, n});
}

/* ---- a tree of nodes: the hot path of the document's 8.7.3 ---------------------------------- */

typedef struct node {
    struct node *left, *right;
    uint64_t key;
} node;

typedef struct tree {
    node *root;
    size_t n;
    th_pool *pool; /* NULL: malloc */
} tree;

static node *create_node(const tree *t) {
    node *new_node = t->pool != NULL ? th_pool_alloc(t->pool) : malloc(sizeof *new_node);
    if (new_node == NULL) {
        abort();
    }
    return new_node;
}

static void destroy_node(const tree *t, node *old) {
    if (t->pool != NULL) {
        th_pool_free(t->pool, old);
    } else {
        free(old);
    }
}

static void insert(tree *t, uint64_t key) {
    node **at = &t->root;
    while (*at != NULL) {
        at = key < (*at)->key ? &(*at)->left : &(*at)->right;
    }
    *at = create_node(t);
    **at = (node){NULL, NULL, key};
}

/* Rotates left children up until there are none: needs no stack. */
static void destroy_all(tree *t) {
    node *n = t->root;
    while (n != NULL) {
        node *left = n->left;
        if (left != NULL) {
            n->left = left->right;
            left->right = n;
            n = left;
        } else {
            node *right = n->right;
            destroy_node(t, n);
            n = right;
        }
    }
    t->root = NULL;
}

static void grow_and_fell(void *context) {
    tree *t = context;
    uint64_t state = 1;
    for (size_t i = 0; i < t->n; i++) {
        insert(t, lab_random_step(&state));
    }
    destroy_all(t);
}

/* The same without the inserting: nodes in a list. */
static void chain_and_unchain(void *context) {
    tree *t = context;
    for (size_t i = 0; i < t->n; i++) {
        node *new_node = create_node(t);
        *new_node = (node){NULL, t->root, i};
        t->root = new_node;
    }
    destroy_all(t);
}

static void run_with_pool(void (*work)(void *), size_t n) {
    th_pool pool;
    pool_start(&pool, sizeof(node), n);
    bench_measure(work, &(tree){NULL, n, &pool});
    th_pool_clean_up(&pool);
}

static void run_tree_pool(size_t n) {
    run_with_pool(grow_and_fell, n);
}

static void run_tree_malloc(size_t n) {
    bench_measure(grow_and_fell, &(tree){NULL, n, NULL});
}

static void run_nodes_pool(size_t n) {
    run_with_pool(chain_and_unchain, n);
}

static void run_nodes_malloc(size_t n) {
    bench_measure(chain_and_unchain, &(tree){NULL, n, NULL});
}

/* ---- n objects: n calls, one batch, one array ----------------------------------------------- */

typedef struct objects {
    th_allocator from;
    size_t n;
} objects;

static void by_calls(void *context) {
    const objects *o = context;
    void *at[BATCH];
    for (size_t done = 0; done < o->n; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            at[i] = th_allocator_alloc(o->from, BENCH_BLOCK_BYTES);
            bench_use((uintptr_t)at[i]);
        }
        for (size_t i = BATCH; i-- > 0;) {
            th_allocator_free(o->from, at[i]);
        }
    }
}

static void by_batch(void *context) {
    const objects *o = context;
    void *at[BATCH];
    for (size_t done = 0; done < o->n; done += BATCH) {
        if (!th_allocator_alloc_batch(o->from, BENCH_BLOCK_BYTES, TH_ALLOCATOR_ALIGNMENT, at,
                                      BATCH)) {
            abort();
        }
        th_allocator_free_batch(o->from, at, BATCH);
    }
}

static void by_array(void *context) {
    const objects *o = context;
    for (size_t done = 0; done < o->n; done += BATCH) {
        void *array = th_allocator_alloc_array(o->from, BATCH, BENCH_BLOCK_BYTES);
        bench_use((uintptr_t)array);
        th_allocator_free(o->from, array);
    }
}

static void run_calls(size_t n) {
    bench_measure(by_calls, &(objects){th_system_allocator(), n});
}

static void run_batch(size_t n) {
    bench_measure(by_batch, &(objects){th_system_allocator(), n});
}

static void run_array(size_t n) {
    bench_measure(by_array, &(objects){th_system_allocator(), n});
}

const bench_case bench_allocators[] = {
    {"pair-pool", run_pair_pool},   {"pair-malloc", run_pair_malloc},
    {"tree-pool", run_tree_pool},   {"tree-malloc", run_tree_malloc},
    {"nodes-pool", run_nodes_pool}, {"nodes-malloc", run_nodes_malloc},
    {"calls", run_calls},           {"batch", run_batch},
    {"array", run_array},           {NULL, NULL}};
