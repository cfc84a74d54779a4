/* SPDX-License-Identifier: MIT */
/* What allocators cost: n blocks of BLOCK_BYTES from each, a tree of n nodes, n objects at once. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "tagheap/allocator.h"
#include "tagheap/arena.h"
#include "tagheap/buddy.h"
#include "tagheap/bump.h"
#include "tagheap/frame.h"
#include "tagheap/pool.h"

enum { BLOCK_BYTES = 32, CHUNK_BYTES = 64 * 1024, BATCH = 64 };

static void must(th_status status) {
    if (status != TH_OK) {
        abort();
    }
}

/* n blocks, and then all of them freed in the order in which they were made. */
typedef struct blocks {
    void **at;
    size_t n;
    void *(*alloc)(void *self, size_t bytes);
    void (*free)(void *self, void *pointer); /* NULL: not one by one */
    void *self;
} blocks;

static void alloc_and_free(void *context) {
    blocks *b = context;
    for (size_t i = 0; i < b->n; i++) {
        b->at[i] = b->alloc(b->self, BLOCK_BYTES);
        if (b->at[i] == NULL) {
            abort();
        }
    }
    for (size_t i = 0; b->free != NULL && i < b->n; i++) {
        b->free(b->self, b->at[i]);
    }
}

static void run_blocks(size_t n, void *(*alloc)(void *, size_t), void (*release)(void *, void *),
                       void *self) {
    blocks b = {bench_memory(n * sizeof *b.at), n, alloc, release, self};
    bench_measure(alloc_and_free, &b);
    free(b.at);
}

static void *arena_alloc(void *self, size_t bytes) {
    return th_arena_alloc(self, bytes);
}

static void run_arena(size_t n) {
    const th_arena_config config = {.backing = th_system_allocator(), .chunk_bytes = CHUNK_BYTES};
    th_arena arena;
    must(th_arena_init(&arena, &config));
    run_blocks(n, arena_alloc, NULL, &arena);
    th_arena_clean_up(&arena);
}

static void *bump_alloc(void *self, size_t bytes) {
    return th_bump_alloc(self, bytes);
}

static void run_bump(size_t n) {
    th_bump bump;
    void *memory = bench_memory((n + 1) * BLOCK_BYTES);
    must(th_bump_init(&bump, memory, (n + 1) * BLOCK_BYTES, NULL));
    run_blocks(n, bump_alloc, NULL, &bump);
    th_bump_clean_up(&bump);
    free(memory);
}

static void *frame_alloc(void *self, size_t bytes) {
    return th_frame_alloc(self, bytes);
}

static void run_frame(size_t n) {
    const th_frame_config config = {.frame_bytes = n * BLOCK_BYTES,
                                    .backing = th_system_allocator()};
    th_frame frame;
    must(th_frame_init(&frame, &config));
    run_blocks(n, frame_alloc, NULL, &frame);
    th_frame_clean_up(&frame);
}

static void *pool_alloc(void *self, size_t bytes) {
    (void)bytes;
    return th_pool_alloc(self);
}

static void pool_free(void *self, void *pointer) {
    th_pool_free(self, pointer);
}

static void pool_start(th_pool *pool, size_t object_bytes, size_t n) {
    const th_pool_config config = {
        .object_bytes = object_bytes, .backing = th_system_allocator(), .grow_objects = n};
    must(th_pool_init(pool, &config));
    must(th_pool_reserve(pool, n));
}

static void run_pool(size_t n) {
    th_pool pool;
    pool_start(&pool, BLOCK_BYTES, n);
    run_blocks(n, pool_alloc, pool_free, &pool);
    th_pool_clean_up(&pool);
}

static void *buddy_alloc(void *self, size_t bytes) {
    return th_buddy_alloc(self, bytes);
}

static void buddy_free(void *self, void *pointer) {
    th_buddy_free(self, pointer);
}

static void run_buddy(size_t n) {
    th_buddy buddy;
    must(th_buddy_create(&buddy, th_system_allocator(), 4 * n * BLOCK_BYTES, NULL));
    run_blocks(n, buddy_alloc, buddy_free, &buddy);
    th_buddy_clean_up(&buddy);
}

static void *system_alloc(void *self, size_t bytes) {
    (void)self;
    return malloc(bytes);
}

static void system_free(void *self, void *pointer) {
    (void)self;
    free(pointer);
}

static void run_malloc(size_t n) {
    run_blocks(n, system_alloc, system_free, NULL);
}

/* One block at a time, freed before the next one is made: what caches of freed blocks are best at.
 */
static void pair_by_pair(void *context) {
    const blocks *b = context;
    for (size_t i = 0; i < b->n; i++) {
        void *pointer = b->alloc(b->self, BLOCK_BYTES);
        bench_use((uintptr_t)pointer);
        b->free(b->self, pointer);
    }
}

static void run_pair_pool(size_t n) {
    th_pool pool;
    pool_start(&pool, BLOCK_BYTES, 1);
    bench_measure(pair_by_pair, &(blocks){NULL, n, pool_alloc, pool_free, &pool});
    th_pool_clean_up(&pool);
}

static void run_pair_malloc(size_t n) {
    bench_measure(pair_by_pair, &(blocks){NULL, n, system_alloc, system_free, NULL});
}

/* ---- a tree of nodes: the hot path of the document's 8.7.3 ------------------------------------
 */

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
        insert(t, bench_random(&state));
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

/* ---- n objects: n calls, one batch, one array --------------------------------------------------
 */

typedef struct objects {
    th_allocator from;
    size_t n;
} objects;

static void by_calls(void *context) {
    const objects *o = context;
    void *at[BATCH];
    for (size_t done = 0; done < o->n; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            at[i] = th_allocator_alloc(o->from, BLOCK_BYTES);
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
        if (!th_allocator_alloc_batch(o->from, BLOCK_BYTES, TH_ALLOCATOR_ALIGNMENT, at, BATCH)) {
            abort();
        }
        th_allocator_free_batch(o->from, at, BATCH);
    }
}

static void by_array(void *context) {
    const objects *o = context;
    for (size_t done = 0; done < o->n; done += BATCH) {
        void *array = th_allocator_alloc_array(o->from, BATCH, BLOCK_BYTES);
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
    {"arena", run_arena},           {"bump", run_bump},
    {"frame", run_frame},           {"pool", run_pool},
    {"buddy", run_buddy},           {"malloc", run_malloc},
    {"pair-pool", run_pair_pool},   {"pair-malloc", run_pair_malloc},
    {"tree-pool", run_tree_pool},   {"tree-malloc", run_tree_malloc},
    {"nodes-pool", run_nodes_pool}, {"nodes-malloc", run_nodes_malloc},
    {"calls", run_calls},           {"batch", run_batch},
    {"array", run_array},           {NULL, NULL}};
