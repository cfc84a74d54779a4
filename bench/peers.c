/* SPDX-License-Identifier: MIT */
/* Natural peers: malloc and obstacks of the C library, talloc, APR's pools. mimalloc and jemalloc
 * are malloc with another library in front (LD_PRELOAD): scripts/bench sees to that. talloc
 * and APR are loaded when they are asked for, by the names of their shared objects, so that nothing
 * but the running needs them. */
#include <dlfcn.h>
#include <obstack.h>
#include <stdlib.h>

#include "bench.h"
#include "sources.h"

/* ---- malloc ---------------------------------------------------------------------------------- */

static void *malloc_start(bench_need need) {
    static char any;
    (void)need;
    return &any;
}

static void nothing_to_end(void *self) {
    (void)self;
}

static void *malloc_alloc(void *self, size_t bytes) {
    (void)self;
    return malloc(bytes);
}

static void malloc_free(void *self, void *block) {
    (void)self;
    free(block);
}

static void *malloc_grow(void *self, void *block, size_t bytes) {
    (void)self;
    return realloc(block, bytes);
}

static void *malloc_place(void *self, size_t bytes, size_t alignment, bool high) {
    (void)self;
    (void)high;
    return alignment <= _Alignof(max_align_t)
               ? malloc(bytes)
               : aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void *malloc_resize(void *self, void *block, size_t kept, size_t bytes) {
    (void)kept;
    return malloc_grow(self, block, bytes);
}

BENCH_CHURN(malloc, malloc_place, malloc_free)

/* ---- nothing: what the scripts themselves cost ---------------------------------------------- */

static void *nothing_place(void *self, size_t bytes, size_t alignment, bool high) {
    static unsigned char all[64 * 1024];
    (void)self;
    (void)alignment;
    (void)high;
    return bytes <= sizeof all ? all : NULL;
}

static void nothing_free(void *self, void *block) {
    (void)self;
    (void)block;
}

static void *nothing_resize(void *self, void *block, size_t kept, size_t bytes) {
    (void)block;
    (void)kept;
    return nothing_place(self, bytes, 0, false);
}

static void *nothing_alloc(void *self, size_t bytes) {
    return nothing_place(self, bytes, 0, false);
}

BENCH_CHURN(nothing, nothing_place, nothing_free)

/* ---- obstacks are macros: what is counted is a function around each ------------------------- */

#define obstack_chunk_alloc bench_memory
#define obstack_chunk_free  free

static struct obstack stack;

static void *stack_start(bench_need need) {
    (void)need;
    obstack_begin(&stack, 64 * 1024);
    return &stack;
}

static void stack_end(void *self) {
    struct obstack *of = self;
    obstack_free(of, NULL);
}

static void *stack_alloc(void *self, size_t bytes) {
    struct obstack *of = self;
    return obstack_alloc(of, (int)bytes);
}

static void *stack_mark;

static void *stack_begin(void *self) {
    stack_mark = stack_alloc(self, 0);
    return self;
}

static void stack_finish(void *self, void *phase) {
    struct obstack *of = self;
    (void)phase;
    obstack_free(of, stack_mark);
}

static void *stack_grow(void *self, void *block, size_t bytes) {
    struct obstack *of = self;
    (void)block;
    obstack_blank(of, (int)(bytes - obstack_object_size(of)));
    return obstack_base(of);
}

/* ---- talloc, APR ---------------------------------------------------------------------------- */

/* The address of a function, as the type that it has. ISO C has no cast for that. */
#define LOOK_UP(library, function, name)                                                           \
    do {                                                                                           \
        void *address_ = dlsym(library, name);                                                     \
        __builtin_memcpy(&(function), &address_, sizeof address_);                                 \
    } while (0)

static void *(*talloc_named)(const void *parent, size_t bytes, const char *name);
static int (*talloc_end)(void *block, const char *location);
static void *talloc_root;

static void *talloc_start(bench_need need) {
    void *library = dlopen("libtalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    (void)need;
    if (library == NULL) {
        return NULL;
    }
    LOOK_UP(library, talloc_named, "talloc_named_const");
    LOOK_UP(library, talloc_end, "_talloc_free");
    talloc_root = talloc_named(NULL, 0, "bench");
    return talloc_root;
}

static void talloc_finish(void *self, void *phase) {
    (void)self;
    (void)talloc_end(phase, "bench");
}

static void talloc_stop(void *self) {
    talloc_finish(NULL, self);
}

static void *talloc_alloc(void *self, size_t bytes) {
    return talloc_named(self, bytes, "block");
}

static void talloc_free_block(void *self, void *block) {
    talloc_finish(self, block);
}

static void *talloc_begin(void *self) {
    return talloc_named(self, 0, "phase");
}

static int (*apr_start_all)(void);
static int (*apr_create)(void **pool, void *parent, void *abort_function, void *allocator);
static void *(*apr_take)(void *pool, size_t bytes);
static void (*apr_destroy)(void *pool);

static void *apr_begin(void *self) {
    void *pool = NULL;
    return apr_create(&pool, self, NULL, NULL) == 0 ? pool : NULL;
}

static void *apr_start(bench_need need) {
    void *library = dlopen("libapr-1.so.0", RTLD_NOW | RTLD_LOCAL);
    (void)need;
    if (library == NULL) {
        return NULL;
    }
    LOOK_UP(library, apr_start_all, "apr_initialize");
    LOOK_UP(library, apr_create, "apr_pool_create_ex");
    LOOK_UP(library, apr_take, "apr_palloc");
    LOOK_UP(library, apr_destroy, "apr_pool_destroy");
    return apr_start_all() == 0 ? apr_begin(NULL) : NULL;
}

static void apr_end(void *self) {
    apr_destroy(self);
}

static void *apr_alloc(void *self, size_t bytes) {
    return apr_take(self, bytes);
}

static void apr_finish(void *self, void *phase) {
    (void)self;
    apr_destroy(phase);
}

const bench_source bench_peers[] = {
    {"malloc", BENCH_BLOCKS | BENCH_MIXED | BENCH_PHASES | BENCH_GROW | BENCH_BIG | BENCH_CHURNS,
     malloc_start, nothing_to_end, .alloc = malloc_alloc, .free = malloc_free, .grow = malloc_grow,
     .place = malloc_place, .resize = malloc_resize, .churn = malloc_churn, .sides = malloc_sides},
    {"nothing", BENCH_CHURNS, malloc_start, nothing_to_end, .alloc = nothing_alloc,
     .free = nothing_free, .place = nothing_place, .resize = nothing_resize, .churn = nothing_churn,
     .sides = nothing_sides},
    {"obstack", BENCH_BLOCKS | BENCH_PHASES | BENCH_GROW, stack_start, stack_end,
     .alloc = stack_alloc, .begin = stack_begin, .finish = stack_finish, .grow = stack_grow},
    {"talloc", BENCH_BLOCKS | BENCH_MIXED | BENCH_PHASES, talloc_start, talloc_stop,
     .alloc = talloc_alloc, .free = talloc_free_block, .begin = talloc_begin,
     .finish = talloc_finish},
    {"apr", BENCH_BLOCKS | BENCH_PHASES, apr_start, apr_end, .alloc = apr_alloc, .begin = apr_begin,
     .finish = apr_finish},
    {.name = NULL}};
