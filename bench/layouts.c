/* SPDX-License-Identifier: MIT */
/* What the layout of data costs: order of traversal, of fields and of nodes in memory. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate/random.h"
#include "tagheap/pool.h"

enum { LINE_BYTES = 64 };

/* ---- fields: the same three in other orders, whose sizes this file does not compile without - */

typedef struct scattered {
    char a;
    uint32_t b;
    char c;
} scattered;

typedef struct ordered {
    uint32_t b;
    char a, c;
} ordered;

typedef struct __attribute__((packed)) packed {
    char a;
    uint32_t b;
    char c;
} packed;

typedef struct one_line {
    _Alignas(LINE_BYTES) uint32_t counter;
} one_line;

_Static_assert(sizeof(scattered) == 12 && _Alignof(scattered) == 4, "3 + 3 bytes of padding");
_Static_assert(sizeof(ordered) == 8 && _Alignof(ordered) == 4, "2 bytes of padding at the end");
_Static_assert(sizeof(packed) == 6 && _Alignof(packed) == 1, "none, and unaligned accesses");
_Static_assert(offsetof(packed, b) == 1 && offsetof(scattered, b) == 4, "where b lies");
_Static_assert(sizeof(one_line) == LINE_BYTES, "no two of them share a cache line");

void bench_print_sizes(void) {
    printf("scattered\t%zu\t%zu\n", sizeof(scattered), _Alignof(scattered));
    printf("ordered\t%zu\t%zu\n", sizeof(ordered), _Alignof(ordered));
    printf("packed\t%zu\t%zu\n", sizeof(packed), _Alignof(packed));
    printf("one_line\t%zu\t%zu\n", sizeof(one_line), _Alignof(one_line));
}

/* ---- a matrix of n x n, by rows and by columns ---------------------------------------------- */

typedef struct matrix {
    uint32_t *cells;
    size_t n;
} matrix;

static void write_rows(void *context) {
    const matrix *m = context;
    for (size_t i = 0; i < m->n; i++) {
        for (size_t j = 0; j < m->n; j++) {
            m->cells[i * m->n + j] = (uint32_t)(i + j);
        }
    }
}

static void write_columns(void *context) {
    const matrix *m = context;
    for (size_t j = 0; j < m->n; j++) {
        for (size_t i = 0; i < m->n; i++) {
            m->cells[i * m->n + j] = (uint32_t)(i + j);
        }
    }
}

static void run_matrix(void (*work)(void *), size_t n) {
    matrix m = {bench_memory(n * n * sizeof *m.cells), n};
    memset(m.cells, 1, n * n * sizeof *m.cells);
    bench_measure(work, &m);
    bench_use(m.cells[n]);
    free(m.cells);
}

static void run_rows(size_t n) {
    run_matrix(write_rows, n);
}

static void run_columns(size_t n) {
    run_matrix(write_columns, n);
}

/* ---- n points, one coordinate of each ------------------------------------------------------- */

typedef struct point {
    float x, y, z;
} point;

typedef struct points {
    point *structures; /* an array of structures, */
    float *x;          /* and the x of a structure of arrays */
    size_t n;
} points;

static void scale_structures(void *context) {
    const points *p = context;
    for (size_t i = 0; i < p->n; i++) {
        p->structures[i].x *= 2.0F;
    }
}

static void scale_array(void *context) {
    const points *p = context;
    for (size_t i = 0; i < p->n; i++) {
        p->x[i] *= 2.0F;
    }
}

static void run_points(void (*work)(void *), size_t n) {
    points p = {bench_memory(n * sizeof *p.structures), bench_memory(n * sizeof *p.x), n};
    for (size_t i = 0; i < n; i++) {
        p.structures[i] = (point){1.0F, 2.0F, 3.0F};
        p.x[i] = 1.0F;
    }
    bench_measure(work, &p);
    bench_use((uint64_t)(p.structures[n - 1].x + p.x[n - 1]));
    free(p.structures);
    free(p.x);
}

static void run_aos(size_t n) {
    run_points(scale_structures, n);
}

static void run_soa(size_t n) {
    run_points(scale_array, n);
}

/* ---- n elements, in order and in a random order --------------------------------------------- */

typedef struct walk {
    const uint64_t *values;
    const uint32_t *order;
    size_t n;
} walk;

static void sum_in_order(void *context) {
    const walk *w = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < w->n; i++) {
        sum += w->values[w->order[i]];
    }
    bench_use(sum);
}

/* Fetches ahead what the order says will be needed. */
static void sum_with_prefetch(void *context) {
    enum { AHEAD = 16 };
    const walk *w = context;
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + AHEAD < w->n; i++) {
        __builtin_prefetch(&w->values[w->order[i + AHEAD]]);
        sum += w->values[w->order[i]];
    }
    for (; i < w->n; i++) {
        sum += w->values[w->order[i]];
    }
    bench_use(sum);
}

static uint32_t *make_order(size_t n, int shuffled) {
    uint32_t *order = bench_memory(n * sizeof *order);
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++) {
        size_t j = shuffled ? (size_t)(lab_random_step(&state) % (i + 1)) : i;
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    return order;
}

static void run_walk(void (*work)(void *), size_t n, int shuffled) {
    uint64_t *values = bench_memory(n * sizeof *values);
    uint32_t *order = make_order(n, shuffled);
    for (size_t i = 0; i < n; i++) {
        values[i] = i;
    }
    bench_measure(work, &(walk){values, order, n});
    free(order);
    free(values);
}

static void run_sequential(size_t n) {
    run_walk(sum_in_order, n, 0);
}

static void run_random(size_t n) {
    run_walk(sum_in_order, n, 1);
}

static void run_prefetch(size_t n) {
    run_walk(sum_with_prefetch, n, 1);
}

/* ---- a list of n nodes, neighbours in memory or anywhere ------------------------------------ */

typedef struct link {
    struct link *next;
    uint64_t value;
} link;

static void sum_list(void *context) {
    uint64_t sum = 0;
    for (const link *l = context; l != NULL; l = l->next) {
        sum += l->value;
    }
    bench_use(sum);
}

static void run_list(size_t n, int shuffled) {
    link *links = bench_memory(n * sizeof *links);
    uint32_t *order = make_order(n, shuffled);
    for (size_t i = 0; i < n; i++) {
        links[order[i]] = (link){i + 1 < n ? &links[order[i + 1]] : NULL, i};
    }
    bench_measure(sum_list, &links[order[0]]);
    free(order);
    free(links);
}

static void run_list_near(size_t n) {
    run_list(n, 0);
}

static void run_list_far(size_t n) {
    run_list(n, 1);
}

/* ---- cache lines: n lines, one byte of each, or all ----------------------------------------- */

typedef struct lines {
    const unsigned char *bytes;
    size_t n, step;
} lines;

static void touch(void *context) {
    const lines *l = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < l->n * LINE_BYTES; i += l->step) {
        sum += *(const volatile unsigned char *)&l->bytes[i];
    }
    bench_use(sum);
}

static void run_lines(size_t n, size_t step) {
    unsigned char *bytes = aligned_alloc(LINE_BYTES, n * LINE_BYTES);
    if (bytes == NULL) {
        abort();
    }
    memset(bytes, 1, n * LINE_BYTES);
    bench_measure(touch, &(lines){bytes, n, step});
    free(bytes);
}

static void run_line_once(size_t n) {
    run_lines(n, LINE_BYTES);
}

static void run_line_whole(size_t n) {
    run_lines(n, 1);
}

/* ---- entities: n of ENTITIES_PER_LIVE * n live ---------------------------------------------- */

enum { ENTITIES_PER_LIVE = 16 };

typedef struct entity {
    uint32_t active;
    float x, velocity;
    unsigned char rest[52];
} entity;

typedef struct entities {
    th_pool pool;
    entity *all; /* as an array with flags has them */
    size_t n;
} entities;

static void move_live(void *context) {
    entities *e = context;
    for (entity *at = th_pool_next(&e->pool, NULL); at != NULL; at = th_pool_next(&e->pool, at)) {
        at->x += at->velocity;
    }
}

static void move_flagged(void *context) {
    const entities *e = context;
    for (size_t i = 0; i < e->n * ENTITIES_PER_LIVE; i++) {
        if (e->all[i].active != 0) {
            e->all[i].x += e->all[i].velocity;
        }
    }
}

static void run_entities(void (*work)(void *), size_t n) {
    size_t count = n * ENTITIES_PER_LIVE;
    const th_pool_config config = {.object_bytes = sizeof(entity),
                                   .backing = th_system_allocator(),
                                   .iterable = true,
                                   .grow_objects = count};
    entities e = {.n = n, .all = bench_memory(count * sizeof *e.all)};
    if (th_pool_init(&e.pool, &config) != TH_OK) {
        abort();
    }
    entity **made = bench_memory(count * sizeof(entity *));
    for (size_t i = 0; i < count; i++) {
        made[i] = th_pool_alloc(&e.pool);
        *made[i] = (entity){.active = i % ENTITIES_PER_LIVE == 0, .velocity = 1.0F};
        e.all[i] = *made[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (made[i]->active == 0) {
            th_pool_free(&e.pool, made[i]);
        }
    }
    bench_measure(work, &e);
    bench_use((uint64_t)e.all[0].x);
    th_pool_clean_up(&e.pool);
    free(made);
    free(e.all);
}

static void run_entities_live(size_t n) {
    run_entities(move_live, n);
}

static void run_entities_flags(size_t n) {
    run_entities(move_flagged, n);
}

const bench_case bench_layouts[] = {{"rows", run_rows},
                                    {"columns", run_columns},
                                    {"aos", run_aos},
                                    {"soa", run_soa},
                                    {"sequential", run_sequential},
                                    {"random", run_random},
                                    {"prefetch", run_prefetch},
                                    {"list-near", run_list_near},
                                    {"list-far", run_list_far},
                                    {"line-once", run_line_once},
                                    {"line-whole", run_line_whole},
                                    {"entities-live", run_entities_live},
                                    {"entities-flags", run_entities_flags},
                                    {NULL, NULL}};
