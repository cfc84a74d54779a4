/* SPDX-License-Identifier: MIT */
/* bench-threads SOURCE LOOP THREADS ROUNDS | bench-threads --list
 *
 * So many threads run the same loop on one allocator, ROUNDS times each. Prints "operations K" (an
 * allocation or a free is one) and "seconds S" by the clock, from the moment at which all stand
 * ready to the end of the last one. scripts/bench-threads makes tables of it. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tagheap/concurrent_pool.h"
#include "tagheap/pool.h"
#include "tagheap/thread_cache.h"

enum { BLOCK_BYTES = 64, LIVE = 64, THREADS_MAX = 64, CAPACITY = 64 * 1024, HEADER_BYTES = 16 };

typedef struct source {
    const char *name;
    void (*start)(void);
    void *(*join)(void); /* what a thread hands to the calls; NULL: nothing */
    void (*leave)(void *own);
    void *(*alloc)(void *own);
    void (*free)(void *own, void *block);
} source;

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "bench-threads: %s\n", what);
    exit(2);
}

static void must(bool is_done, const char *what) {
    if (!is_done) {
        fail(what);
    }
}

/* ---- allocators --------------------------------------------------------------------------- */

static th_concurrent_pool pool;
static th_pool locked_pool;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static th_thread_caches caches;
static th_thread_cache cache_of[THREADS_MAX];

static void nothing(void) {}

static void *no_join(void) {
    return NULL;
}

static void no_leave(void *own) {
    (void)own;
}

static void *malloc_alloc(void *own) {
    (void)own;
    return malloc(BLOCK_BYTES);
}

static void malloc_free(void *own, void *block) {
    (void)own;
    free(block);
}

static void start_pool(size_t bytes) {
    const th_concurrent_pool_config config = {.object_bytes = bytes,
                                              .alignment = 16,
                                              .backing = th_system_allocator(),
                                              .capacity = CAPACITY};
    must(th_concurrent_pool_init(&pool, &config) == TH_OK, "the pool does not start");
}

static void pool_start(void) {
    start_pool(BLOCK_BYTES);
}

static void *pool_alloc(void *own) {
    (void)own;
    return th_concurrent_pool_alloc(&pool);
}

static void pool_free(void *own, void *block) {
    (void)own;
    th_concurrent_pool_free(&pool, block);
}

static void locked_start(void) {
    const th_pool_config config = {.object_bytes = BLOCK_BYTES,
                                   .alignment = 16,
                                   .backing = th_system_allocator(),
                                   .grow_objects = CAPACITY};
    must(th_pool_init(&locked_pool, &config) == TH_OK &&
             th_pool_reserve(&locked_pool, CAPACITY) == TH_OK,
         "the pool does not start");
}

static void *locked_alloc(void *own) {
    (void)own;
    pthread_mutex_lock(&lock);
    void *block = th_pool_alloc(&locked_pool);
    pthread_mutex_unlock(&lock);
    return block;
}

static void locked_free(void *own, void *block) {
    (void)own;
    pthread_mutex_lock(&lock);
    th_pool_free(&locked_pool, block);
    pthread_mutex_unlock(&lock);
}

static void start_caches(th_allocator backing) {
    const th_thread_caches_config config = {.backing = backing,
                                            .block_bytes = BLOCK_BYTES,
                                            .kept_max = 2 * LIVE,
                                            .caches = cache_of,
                                            .caches_count = THREADS_MAX};
    must(th_thread_caches_init(&caches, &config) == TH_OK, "the caches do not start");
}

static void cached_pool_start(void) {
    start_pool(HEADER_BYTES + BLOCK_BYTES);
    start_caches(th_concurrent_pool_allocator(&pool));
}

static void cached_malloc_start(void) {
    start_caches(th_system_allocator());
}

static void *cache_join(void) {
    return th_thread_cache_join(&caches);
}

static void cache_leave(void *own) {
    th_thread_cache_leave(own);
}

static void *cache_alloc(void *own) {
    return th_thread_cache_alloc(own, BLOCK_BYTES);
}

static void cache_free(void *own, void *block) {
    th_thread_cache_free(own, block);
}

static const source sources[] = {
    {"malloc", nothing, no_join, no_leave, malloc_alloc, malloc_free},
    {"locked", locked_start, no_join, no_leave, locked_alloc, locked_free},
    {"pool", pool_start, no_join, no_leave, pool_alloc, pool_free},
    {"cached-pool", cached_pool_start, cache_join, cache_leave, cache_alloc, cache_free},
    {"cached-malloc", cached_malloc_start, cache_join, cache_leave, cache_alloc, cache_free},
};

/* ---- loops -------------------------------------------------------------------------------- */

static const source *used;
static unsigned long rounds;
static _Atomic(void *) mail[THREADS_MAX]; /* a block on its way to that thread */
static unsigned threads_count;

static void *take(void *own) {
    void *block = used->alloc(own);
    must(block != NULL, "no memory");
    *(volatile unsigned char *)block = 1;
    return block;
}

/* One block is allocated and freed again: everybody wants the same few. Returns the operations. */
static unsigned long pair(void *own, unsigned number) {
    (void)number;
    for (unsigned long i = 0; i < rounds; i++) {
        used->free(own, take(own));
    }
    return 2 * rounds;
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* One of so many live blocks, any of them, is freed and allocated anew. */
static unsigned long churn(void *own, unsigned number) {
    void *live[LIVE];
    uint64_t state = 88172645463325252u + number;
    for (size_t i = 0; i < LIVE; i++) {
        live[i] = take(own);
    }
    for (unsigned long i = 0; i < rounds; i++) {
        void **slot = &live[next_random(&state) % LIVE];
        used->free(own, *slot);
        *slot = take(own);
    }
    for (size_t i = 0; i < LIVE; i++) {
        used->free(own, live[i]);
    }
    return 2 * (rounds + LIVE);
}

/* What one allocates the next one frees, if it comes in time. */
static unsigned long pass_on(void *own, unsigned number) {
    for (unsigned long i = 0; i < rounds; i++) {
        void *block = take(own);
        block = atomic_exchange_explicit(&mail[(number + 1) % threads_count], block,
                                         memory_order_acq_rel);
        if (block != NULL) {
            used->free(own, block);
        }
        block = atomic_exchange_explicit(&mail[number], NULL, memory_order_acq_rel);
        if (block != NULL) {
            used->free(own, block);
        }
    }
    return 2 * rounds;
}

static const struct {
    const char *name;
    unsigned long (*run)(void *own, unsigned number);
} loops[] = {{"pair", pair}, {"churn", churn}, {"pass-on", pass_on}};

static unsigned long (*loop)(void *own, unsigned number);
static pthread_barrier_t ready;
static atomic_ulong operations;

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

typedef struct worker {
    unsigned number;
    double start, end;
} worker;

static void *work(void *argument) {
    worker *self = argument;
    void *own = used->join();
    pthread_barrier_wait(&ready);
    self->start = now();
    atomic_fetch_add(&operations, loop(own, self->number));
    self->end = now();
    used->leave(own);
    return NULL;
}

static void measure(void) {
    pthread_t threads[THREADS_MAX];
    worker workers[THREADS_MAX];
    double start = 0, end = 0;
    used->start();
    (void)pthread_barrier_init(&ready, NULL, threads_count);
    for (unsigned i = 0; i < threads_count; i++) {
        workers[i].number = i;
        must(pthread_create(&threads[i], NULL, work, &workers[i]) == 0, "no thread");
    }
    for (unsigned i = 0; i < threads_count; i++) {
        (void)pthread_join(threads[i], NULL);
        start = i == 0 || workers[i].start < start ? workers[i].start : start;
        end = workers[i].end > end ? workers[i].end : end;
    }
    printf("operations %lu\nseconds %.6f\n", atomic_load(&operations), end - start);
}

static unsigned long number_of(const char *text, unsigned long most, const char *what) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    must(*text >= '1' && *text <= '9' && *end == '\0' && number <= most, what);
    return number;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
            printf("source %s\n", sources[i].name);
        }
        for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
            printf("loop %s\n", loops[i].name);
        }
        return 0;
    }
    must(argc == 5, "usage: bench-threads SOURCE LOOP THREADS ROUNDS | --list");
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        used = strcmp(sources[i].name, argv[1]) == 0 ? &sources[i] : used;
    }
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        loop = strcmp(loops[i].name, argv[2]) == 0 ? loops[i].run : loop;
    }
    must(used != NULL, "no such source: --list names them");
    must(loop != NULL, "no such loop: --list names them");
    threads_count = (unsigned)number_of(argv[3], THREADS_MAX, "threads: from 1 to 64");
    rounds = number_of(argv[4], 1000000000, "rounds: from 1 to 1000000000");
    measure();
    return 0;
}
