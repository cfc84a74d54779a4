/* SPDX-License-Identifier: MIT */
/* Buffer pools: reuse, limits, misuse. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/buffer_pool.h"

static th_buffer_pool pool;
static backing own;
static fault_log faults;

static void start_with(int level, th_buffer_pool_config config) {
    config.buffers.backing = backing_start(&own);
    config.guarding = guarding_with(&faults, level);
    CHECK_EQ(th_buffer_pool_init(&pool, &config), TH_OK);
}

static void stop(void) {
    static const th_buffer_pool zeroed;
    CHECK_EQ(th_buffer_pool_check(&pool, NULL), TH_OK);
    th_buffer_pool_clean_up(&pool);
    CHECK(memcmp(&pool, &zeroed, sizeof pool) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

static th_buffer *take(size_t bytes) {
    th_buffer *buffer = th_buffer_pool_take(&pool, bytes);
    CHECK(buffer != NULL && th_buffer_size(buffer) == 0);
    CHECK(th_buffer_get_stats(buffer).capacity_bytes >= bytes);
    return buffer;
}

static void give_back(th_buffer *buffer) {
    CHECK_EQ(th_buffer_pool_give_back(&pool, buffer), TH_OK);
}

static void reuse(int level) {
    start_with(level, (th_buffer_pool_config){0});
    th_buffer *small = take(100);
    th_buffer *large = take(1000);
    th_buffer *other = take(100);
    CHECK_EQ(th_buffer_append(large, "xyz", 3), TH_OK);
    give_back(large);
    give_back(small);
    size_t allocs = own.allocs;
    CHECK_PTR_EQ(take(10), small); /* the last one */
    give_back(small);
    CHECK_PTR_EQ(take(500), large); /* one that is large enough */
    give_back(large);
    CHECK_EQ(own.allocs, allocs);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept_bytes, 1100);
    CHECK_PTR_EQ(take(2000), large); /* none is: the last one grows */
    CHECK_EQ(own.allocs, allocs + 1);
    th_buffer_pool_stats stats = th_buffer_pool_get_stats(&pool);
    CHECK(stats.out == 2 && stats.out_peak == 3 && stats.kept == 1 && stats.kept_bytes == 100);
    CHECK(stats.takes == 6 && stats.reuses == 3 && stats.refusals == 0);
    give_back(other);
    give_back(NULL);
    CHECK_EQ(th_buffer_pool_reset(&pool), TH_OK);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).out, 0);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept, 3);
    CHECK_EQ(th_buffer_pool_trim(&pool, 5), 0);
    CHECK_EQ(th_buffer_pool_trim(&pool, 1), 2);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept_bytes, 2000); /* the one last given back */
    (void)take(1);
    (void)take(1);
    stop(); /* those that are out go, too */
}

static void buffers_are_used_again(void) {
    at_levels(0, reuse);
}

static void limit(int level) {
    start_with(level, (th_buffer_pool_config){.out_max = 3,
                                              .kept_max = 2,
                                              .kept_bytes_max = 500,
                                              .buffers = {.bytes_max = 1000}});
    th_buffer *out[] = {take(200), take(300), take(100)};
    CHECK(th_buffer_pool_take(&pool, 1) == NULL);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).refusals, 1);
    give_back(out[0]);
    give_back(out[1]);
    give_back(out[2]); /* too many */
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept, 2);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept_bytes, 500);
    CHECK_EQ(th_buffer_pool_trim(&pool, 1), 1);
    th_buffer *large = take(201);
    th_buffer *second = take(201);
    give_back(second);
    CHECK_PTR_EQ(take(300), second);
    give_back(large); /* 300 or more, and a second one would be too much */
    give_back(second);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept, 1);
    CHECK(th_buffer_pool_take(&pool, 1001) == NULL);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept, 1); /* it stays */
    (void)take(1);
    CHECK(th_buffer_pool_take(&pool, 1001) == NULL); /* a new one would not do either */
    stop();
    start_with(level, (th_buffer_pool_config){.out_max = 3, .kept_max = 2});
    for (unsigned round = 0; round < 2; round++) {
        th_buffer *all[] = {take(10), take(10), take(10)};
        for (size_t i = 0; i < 3; i++) {
            give_back(all[i]);
        }
        CHECK_EQ(th_buffer_pool_get_stats(&pool).kept, 2);
    }
    stop();
    start_with(level, (th_buffer_pool_config){.out_max = 2});
    for (unsigned round = 0; round < 2; round++) {
        th_buffer *first = take(10);
        give_back(take(10)); /* what is kept does not count */
        give_back(first);
    }
    stop();
}

static void there_are_limits(void) {
    at_levels(0, limit);
}

static void run_out(int level) {
    start_with(level, (th_buffer_pool_config){0});
    own.left = 0;
    CHECK(th_buffer_pool_take(&pool, 0) == NULL);
    own.left = 1; /* the record, not the block */
    CHECK(th_buffer_pool_take(&pool, 10) == NULL);
    CHECK_EQ(own.live, 0);
    own.left = 1;
    th_buffer *buffer = take(0);
    CHECK(th_buffer_data(buffer) == NULL);
    give_back(buffer);
    CHECK(th_buffer_pool_take(&pool, 10) == NULL);
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept, 1);
    stop();
}

static void exhaustion_loses_nothing(void) {
    at_levels(0, run_out);
}

static void misuse(int level) {
    start_with(level, (th_buffer_pool_config){0});
    th_buffer_pool other;
    const th_buffer_pool_config config = {.buffers = pool.config.buffers};
    CHECK_EQ(th_buffer_pool_init(&other, &config), TH_OK);
    th_buffer *buffer = take(10);
    give_back(buffer);
    CHECK_EQ(th_buffer_pool_give_back(&pool, buffer), TH_ERR_CORRUPT);
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE,
                      1, 0);
    }
    th_buffer *foreign = th_buffer_pool_take(&other, 10);
    CHECK_EQ(th_buffer_pool_give_back(&pool, foreign), TH_ERR_CORRUPT);
    if (level > 0) {
        EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 1,
                      0);
    }
    CHECK_EQ(th_buffer_pool_get_stats(&pool).kept, 1);
    th_buffer_pool_clean_up(&other);
    stop();
}

static void misuse_is_named(void) {
    at_levels(0, misuse);
}

static void bad_configs_are_refused(void) {
    memset(&pool, 7, sizeof pool);
    const th_buffer_pool same = pool;
    th_buffer_pool_config config = {.buffers = {.backing = backing_start(&own), .alignment = 3}};
    CHECK_EQ(th_buffer_pool_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_buffer_pool_init(&pool, NULL), TH_ERR_NULL);
    CHECK_EQ(th_buffer_pool_init(&pool, &config), TH_ERR_ALIGNMENT);
    config.buffers.alignment = 0;
    config.guarding.level = 4;
    CHECK_EQ(th_buffer_pool_init(&pool, &config), TH_ERR_CONFIG);
    CHECK(memcmp(&pool, &same, sizeof pool) == 0);
}

static void expect_corrupt(th_fault_kind kind) {
    th_fault fault;
    CHECK_EQ(th_buffer_pool_check(&pool, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, kind);
}

static void damage_is_found(void) {
    start_with(0, (th_buffer_pool_config){0});
    th_buffer *first = take(10);
    th_buffer *second = take(10);
    give_back(take(20));
    pool.out_count = 1;
    expect_corrupt(TH_FAULT_COUNT);
    pool.out_count = 2;
    pool.kept_count = 2;
    expect_corrupt(TH_FAULT_COUNT);
    pool.kept_count = 1;
    pool.kept_bytes++;
    expect_corrupt(TH_FAULT_COUNT);
    pool.kept_bytes--;
    second->bytes = SIZE_MAX;
    expect_corrupt(TH_FAULT_COUNT);
    second->bytes = 0;
    th_pooled_buffer *kept = pool.kept;
    pool.kept = pool.out; /* those are out */
    expect_corrupt(TH_FAULT_CHAIN);
    pool.kept = kept;
    th_pooled_buffer *out = pool.out;
    pool.out = (th_pooled_buffer *)(void *)first; /* not the first of its list */
    expect_corrupt(TH_FAULT_CHAIN);
    pool.out = out;
    th_buffer_pool copy = pool; /* whose buffers are another pool's */
    th_fault fault;
    CHECK_EQ(th_buffer_pool_check(&copy, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CHAIN);
    stop();
}

TH_SUITE("buffer_pool", TEST(buffers_are_used_again), TEST(there_are_limits),
         TEST(exhaustion_loses_nothing), TEST(misuse_is_named), TEST(bad_configs_are_refused),
         TEST(damage_is_found))
