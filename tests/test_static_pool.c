/* SPDX-License-Identifier: MIT */
/* Pools in static storage: ready with no call, exactly as large as declared, nothing allocated. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/pool.h"

typedef struct task {
    uint32_t id;
    char name[13];
} task;

typedef struct vector {
    _Alignas(32) float lanes[8];
} vector;

TH_POOL_STATIC(tasks, task, 10);
TH_POOL_STATIC(bytes, char, 3);
TH_POOL_STATIC(vectors, vector, 33);

static fault_log faults;

static void remember(void *context, const th_fault *fault) {
    (void)context;
    faults.first = *fault;
    faults.count++;
}

TH_POOL_STATIC_GUARDED(guarded, task, 5, 3, remember);

_Static_assert(TH_POOL_STATIC_BYTES(task, 10) <= 10 * 24 + 16 + 8, "known when it is compiled");

static void a_static_pool_needs_no_start(void) {
    task *all[10];
    CHECK_EQ(th_pool_get_stats(&tasks).capacity, 10);
    CHECK_EQ(th_pool_check(&tasks, NULL), TH_OK);
    for (uint32_t i = 0; i < 10; i++) {
        all[i] = tasks_alloc();
        CHECK(all[i] != NULL);
        *all[i] = (task){.id = i, .name = "static"};
    }
    CHECK(tasks_alloc() == NULL);
    for (uint32_t i = 0; i < 10; i++) {
        CHECK_EQ(all[i]->id, i);
        tasks_free(all[i]);
    }
    CHECK_PTR_EQ(tasks_alloc(), all[9]);
    CHECK_EQ(th_pool_reset(&tasks), TH_OK);
    CHECK_PTR_EQ(tasks_alloc(), all[0]);
    tasks_free(all[0]);
    CHECK_EQ(th_pool_get_stats(&tasks).live, 0);
    CHECK_EQ(th_pool_get_stats(&tasks).live_max, 10);
    CHECK_EQ(th_pool_get_stats(&tasks).failed_allocs, 1);
}

static void small_and_aligned_types(void) {
    char *all[3];
    for (int i = 0; i < 3; i++) {
        all[i] = bytes_alloc();
        CHECK(all[i] != NULL);
        *all[i] = (char)i;
    }
    CHECK(bytes_alloc() == NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(*all[i], i);
        bytes_free(all[i]);
    }
    for (int i = 0; i < 33; i++) {
        vector *v = vectors_alloc();
        CHECK(v != NULL && (uintptr_t)v % 32 == 0);
        memset(v, i, sizeof *v);
    }
    CHECK(vectors_alloc() == NULL);
    CHECK_EQ(th_pool_reset(&vectors), TH_OK);
}

/* The same layout as over memory of the caller's. */
static void the_size_is_that_of_any_pool(void) {
    th_pool_config config = {.object_bytes = sizeof(task), .alignment = _Alignof(task)};
    CHECK_EQ(th_pool_bytes(&config, 10), TH_POOL_STATIC_BYTES(task, 10));
    config = (th_pool_config){.object_bytes = 1, .alignment = 1};
    CHECK_EQ(th_pool_bytes(&config, 3), TH_POOL_STATIC_BYTES(char, 3));
    config = (th_pool_config){.object_bytes = sizeof(vector), .alignment = _Alignof(vector)};
    CHECK_EQ(th_pool_bytes(&config, 33), TH_POOL_STATIC_BYTES(vector, 33));
}

static void guards_work_in_static_pools(void) {
    task *one = guarded_alloc();
    task *two = guarded_alloc();
    CHECK(one != NULL && two != NULL);
    guarded_free(one);
    if (th_guard_max() >= 1) {
        guarded_free(one);
        CHECK_EQ(faults.count, 1);
        CHECK_EQ(faults.first.kind, TH_FAULT_DOUBLE_FREE);
        CHECK_EQ(faults.first.block, 0);
    }
    guarded_free(two);
    CHECK_EQ(th_pool_get_stats(&guarded).live, 0);
}

TH_POOL_STATIC(ended, task, 2);

static void after_clean_up_there_is_no_memory(void) {
    CHECK(ended_alloc() != NULL);
    th_pool_clean_up(&ended);
    CHECK(ended_alloc() == NULL);
    CHECK_EQ(th_pool_get_stats(&ended).capacity, 0);
}

TH_SUITE("static_pool", TEST(a_static_pool_needs_no_start), TEST(small_and_aligned_types),
         TEST(the_size_is_that_of_any_pool), TEST(guards_work_in_static_pools),
         TEST(after_clean_up_there_is_no_memory))
