/* SPDX-License-Identifier: MIT */
/* The concurrent pool (include/tagheap/concurrent_pool.h) used by several threads at once: each
 * object is one thread's alone, arrives as it was sent, and none is lost. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "heap_fixture.h"
#include "tagheap/concurrent_pool.h"

enum {
    THREADS = 4,
    ROUNDS = TH_TRACK_VALGRIND ? 300 : 20000,
    HELD_MAX = 4,
    OBJECT_BYTES = 40,
    CAPACITY = 10 /* fewer than all threads want: it is empty now and then */
};

static th_concurrent_pool pool;
static fault_log faults;
static atomic_uint failures;

/* One object on its way to another thread; NULL: none. */
static _Atomic(void *) mail;

static void note(bool is_good) {
    if (!is_good) {
        atomic_fetch_add(&failures, 1);
    }
}

/* Writes its number over all of it; whoever frees it looks whether that is still so. */
static void *take(uint32_t seed) {
    unsigned char *object = th_concurrent_pool_alloc(&pool);
    if (object != NULL) {
        memcpy(object, &seed, sizeof seed);
        fill(object + sizeof seed, OBJECT_BYTES - sizeof seed, seed);
    }
    return object;
}

static void give_back(unsigned char *object) {
    uint32_t seed;
    if (object != NULL) {
        memcpy(&seed, object, sizeof seed);
        note(filled(object + sizeof seed, OBJECT_BYTES - sizeof seed, seed));
        th_concurrent_pool_free(&pool, object);
    }
}

static void *work(void *argument) {
    uint64_t state = *(const uint64_t *)argument;
    unsigned char *held[HELD_MAX] = {NULL};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t r = th_test_random(&state);
        unsigned char **slot = &held[r % HELD_MAX];
        if (*slot == NULL) {
            *slot = take((uint32_t)r);
        } else if (r >> 8 & 1) {
            give_back(*slot);
            *slot = NULL;
        } else {
            *slot = atomic_exchange(&mail, *slot); /* what another one took is freed here */
        }
    }
    for (size_t i = 0; i < HELD_MAX; i++) {
        give_back(held[i]);
    }
    return NULL;
}

static void many_threads_at(int level) {
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    const th_concurrent_pool_config config = {.object_bytes = OBJECT_BYTES,
                                              .backing = th_system_allocator(),
                                              .capacity = CAPACITY,
                                              .guarding = guarding_with(&faults, level)};
    uint64_t seed = th_test_seed(71);
    atomic_store(&failures, 0);
    CHECK_EQ(th_concurrent_pool_init(&pool, &config), TH_OK);
    for (size_t i = 0; i < THREADS; i++) {
        seeds[i] = seed + i;
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &seeds[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    give_back(atomic_exchange(&mail, NULL));
    CHECK_EQ(atomic_load(&failures), 0);
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_concurrent_pool_get_stats(&pool).live, 0);
    CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
    th_concurrent_pool_clean_up(&pool);
}

static void objects_belong_to_one_thread_at_a_time(void) {
    at_levels(0, many_threads_at);
}

/* Of all that free the same object, all but one are told. */
static void *free_it(void *object) {
    th_concurrent_pool_free(&pool, object);
    return NULL;
}

static atomic_uint told;

static void on_fault(void *context, const th_fault *fault) {
    (void)context;
    note(fault->kind == TH_FAULT_DOUBLE_FREE);
    atomic_fetch_add(&told, 1);
}

static void freed_by_all_at(int level) {
    pthread_t threads[THREADS];
    const th_concurrent_pool_config config = {.object_bytes = OBJECT_BYTES,
                                              .backing = th_system_allocator(),
                                              .capacity = CAPACITY,
                                              .guarding = {.level = level, .on_fault = on_fault}};
    CHECK_EQ(th_concurrent_pool_init(&pool, &config), TH_OK);
    for (unsigned round = 0; round < (TH_TRACK_VALGRIND ? 5 : 100); round++) {
        void *object = th_concurrent_pool_alloc(&pool);
        atomic_store(&told, 0);
        atomic_store(&failures, 0);
        for (size_t i = 0; i < THREADS; i++) {
            CHECK_EQ(pthread_create(&threads[i], NULL, free_it, object), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
        }
        CHECK_EQ(atomic_load(&told), THREADS - 1);
        CHECK_EQ(atomic_load(&failures), 0);
        CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
    }
    th_concurrent_pool_clean_up(&pool);
}

static void a_double_free_by_several_threads_is_noticed(void) {
    at_levels(1, freed_by_all_at);
}

TH_SUITE("concurrent_pool_threads", TEST(objects_belong_to_one_thread_at_a_time),
         TEST(a_double_free_by_several_threads_is_noticed))
