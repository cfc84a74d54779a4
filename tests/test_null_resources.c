/* SPDX-License-Identifier: MIT */
/* As test_null_objects.c, for the nouns of src/resource: NULL in place of an object, and an object
 * that is zeroed, are answered alike, and nothing is done. */
#include "null_objects.h"
#include "suite.h"
#include "tagheap/buffer.h"
#include "tagheap/buffer_pool.h"
#include "tagheap/fallback.h"
#include "tagheap/gather.h"
#include "tagheap/graph.h"
#include "tagheap/locked.h"
#include "tagheap/mutex.h"
#include "tagheap/page_heap.h"
#include "tagheap/policy.h"
#include "tagheap/quota.h"
#include "tagheap/ref.h"
#include "tagheap/reserve.h"
#include "tagheap/resource_pool.h"
#include "tagheap/ring.h"
#include "tagheap/scope.h"
#include "tagheap/shared_heap.h"

static void run_nothing(void *context) {
    (void)context;
    th_check_failed(__FILE__, __LINE__, "nothing runs");
}

static void no_scope(void) {
    TWICE(scope, {
        uint64_t token = 7;
        EXPECT_NOTHING(scope, object);
        CHECK_EQ(th_scope_reset(object), TH_ERR_NULL);
        CHECK_EQ(th_scope_defer(object, run_nothing, elsewhere, &token), TH_ERR_NULL);
        CHECK_EQ(token, 0);
        CHECK_EQ(th_scope_defer_on_error(object, run_nothing, elsewhere, NULL), TH_ERR_NULL);
        CHECK_EQ(th_scope_defer_or_run(object, NULL, elsewhere, NULL), TH_ERR_NULL);
        CHECK_EQ(th_scope_reserve(object, 1), TH_ERR_NULL);
        CHECK_EQ(th_scope_run(object, 1), TH_ERR_NULL);
        CHECK_EQ(th_scope_cancel(object, 1), TH_ERR_NULL);
        CHECK_EQ(th_scope_hand_over(object, 1, object, NULL), TH_ERR_NULL);
        CHECK_EQ(th_scope_fail(object, TH_ERR_BUSY), TH_ERR_NULL);
        CHECK_EQ(th_scope_error(object), TH_ERR_NULL);
        CHECK_EQ(th_scope_get_stats(object).deferred, 0);
    });
}

static void no_buffer(void) {
    TWICE(buffer, {
        EXPECT_NOTHING(buffer, object);
        CHECK_EQ(th_buffer_get_stats(object).capacity_bytes, 0);
        CHECK_EQ(th_buffer_resize(object, 1), TH_ERR_NULL);
        CHECK_EQ(th_buffer_reserve(object, 1), TH_ERR_NULL);
        CHECK_EQ(th_buffer_append(object, elsewhere, 1), TH_ERR_NULL);
        CHECK_EQ(th_buffer_remove(object, 0, 0), TH_ERR_NULL);
        CHECK_EQ(th_buffer_trim(object), TH_ERR_NULL);
        CHECK_EQ(th_buffer_reset(object), TH_ERR_NULL);
        CHECK(th_buffer_extend(object, 1) == NULL);
        CHECK(th_buffer_data(object) == NULL);
        CHECK_EQ(th_buffer_size(object), 0);
    });
}

static void no_buffer_pool(void) {
    TWICE(buffer_pool, {
        EXPECT_NOTHING(buffer_pool, object);
        CHECK_EQ(th_buffer_pool_get_stats(object).out, 0);
        CHECK(th_buffer_pool_take(object, 1) == NULL);
        CHECK_EQ(th_buffer_pool_give_back(object, NULL), TH_ERR_NULL);
        CHECK_EQ(th_buffer_pool_trim(object, 0), 0);
        CHECK_EQ(th_buffer_pool_reset(object), TH_ERR_NULL);
    });
}

static void no_gather(void) {
    TWICE(gather, {
        size_t count = 7;
        EXPECT_NOTHING(gather, object);
        CHECK_EQ(th_gather_get_stats(object).parts, 0);
        CHECK_EQ(th_gather_add(object, elsewhere, 1), TH_ERR_NULL);
        CHECK_EQ(th_gather_consume(object, 0), TH_ERR_NULL);
        CHECK_EQ(th_gather_reset(object), TH_ERR_NULL);
        CHECK(th_gather_parts(object, &count) == NULL && count == 0);
        CHECK_EQ(th_gather_size(object), 0);
        CHECK_EQ(th_gather_copy(object, elsewhere, 1), 0);
        CHECK_EQ(th_gather_fill(object, elsewhere, 1), 0);
    });
}

static void no_ring(void) {
    TWICE(ring, {
        th_gather_part parts[2];
        EXPECT_NOTHING(ring, object);
        CHECK_EQ(th_ring_get_stats(object).bytes, 0);
        CHECK_EQ(th_ring_write(object, elsewhere, 1), 0);
        CHECK_EQ(th_ring_write_over(object, elsewhere, 1), 0);
        CHECK_EQ(th_ring_read(object, elsewhere, 1), 0);
        CHECK_EQ(th_ring_peek(object, parts), 0);
        CHECK_EQ(th_ring_space(object, parts), 0);
        CHECK_EQ(th_ring_consume(object, 0), TH_ERR_NULL);
        CHECK_EQ(th_ring_commit(object, 0), TH_ERR_NULL);
        CHECK_EQ(th_ring_reset(object), TH_ERR_NULL);
        CHECK_EQ(th_ring_size(object), 0);
    });
}

static void no_quota(void) {
    TWICE(quota, {
        EXPECT_NOTHING(quota, object);
        CHECK_EQ(th_quota_get_stats(object).used_bytes, 0);
        CHECK_EQ(th_quota_set_limits(object, 1, 1), TH_ERR_NULL);
        CHECK_EQ(th_quota_reset(object), TH_ERR_NULL);
        expect_nothing_of(th_quota_allocator(object));
    });
}

static void no_locked(void) {
    TWICE(locked, {
        void *block = elsewhere;
        EXPECT_NOTHING(locked, object);
        CHECK_EQ(th_locked_get_stats(object).calls, 0);
        CHECK_EQ(th_locked_try_alloc(object, 1, 16, 0, &block), TH_ERR_NULL);
        CHECK(block == NULL);
        CHECK_EQ(th_locked_try_alloc(object, 1, 3, 0, &block), TH_ERR_NULL);
        CHECK_EQ(th_locked_try_free(object, elsewhere, 0), TH_ERR_NULL);
        CHECK_EQ(th_locked_lock(object), TH_ERR_NULL);
        th_locked_unlock(object);
        CHECK_EQ(th_locked_reset(object), TH_ERR_NULL);
        expect_nothing_of(th_locked_allocator(object));
    });
}

static void no_locks(void) {
    TWICE(mutex, {
        CHECK(th_mutex_lock(object).acquire == NULL);
        CHECK_EQ(th_mutex_renew(object), TH_ERR_NULL);
        th_mutex_clean_up(object);
    });
    TWICE(spin, {
        CHECK(th_spin_lock(object).acquire == NULL);
        CHECK_EQ(th_spin_renew(object), TH_ERR_NULL);
        th_spin_clean_up(object);
    });
    TWICE(interrupts, {
        CHECK(th_interrupts_lock(object).acquire == NULL);
        th_interrupts_clean_up(object);
    });
}

static void no_fallback(void) {
    TWICE(fallback, {
        EXPECT_NOTHING(fallback, object);
        CHECK_EQ(th_fallback_get_stats(object).first_allocs, 0);
        CHECK_EQ(th_fallback_reset(object), TH_ERR_NULL);
        expect_nothing_of(th_fallback_allocator(object));
    });
}

static void no_reserve(void) {
    TWICE(reserve, {
        EXPECT_NOTHING(reserve, object);
        CHECK_EQ(th_reserve_get_stats(object).held_bytes, 0);
        CHECK_EQ(th_reserve_refill(object), TH_ERR_NULL);
        CHECK(!th_reserve_open(object));
        expect_nothing_of(th_reserve_allocator(object));
    });
}

static void no_policy(void) {
    TWICE(policy, {
        EXPECT_NOTHING(policy, object);
        CHECK_EQ(th_policy_get_stats(object).used_bytes, 0);
        CHECK_EQ(th_policy_parts(object), 0);
        CHECK(th_policy_get_quota(object) == NULL && th_policy_get_reserve(object) == NULL);
        expect_nothing_of(th_policy_allocator(object));
    });
}

static void no_refs(void) {
    static const th_ref_type type = {"nothing", run_nothing, NULL};
    TWICE(refs, {
        EXPECT_NOTHING(refs, object);
        CHECK_EQ(th_refs_get_stats(object).live, 0);
        CHECK(th_refs_add(object, elsewhere, &type) == NULL);
        CHECK_EQ(th_refs_find_cycles(object, NULL, NULL), 0);
    });
    CHECK_EQ(th_ref_retain(NULL), TH_ERR_NULL);
    CHECK_EQ(th_ref_release(NULL), TH_ERR_NULL);
    CHECK_EQ(th_ref_retain_weak(NULL), TH_ERR_NULL);
    CHECK_EQ(th_ref_release_weak(NULL), TH_ERR_NULL);
    CHECK(!th_ref_upgrade(NULL));
    CHECK(th_ref_object(NULL) == NULL && th_ref_name(NULL) == NULL);
    CHECK_EQ(th_ref_count(NULL), 0);
}

static void look_at_nothing(void *context, const th_heap *heap) {
    (void)heap;
    run_nothing(context);
}

static void no_shared_heap(void) {
    TWICE(shared_heap, {
        EXPECT_NOTHING(shared_heap, object);
        CHECK_EQ(th_shared_heap_get_stats(object).operations, 0);
        CHECK_EQ(th_shared_heap_status(object), TH_ERR_NULL);
        CHECK_EQ(th_shared_heap_lock(object), TH_ERR_NULL);
        th_shared_heap_unlock(object);
        CHECK(th_shared_heap_at(object, 8) == NULL);
        CHECK_EQ(th_shared_heap_ref(object, elsewhere), 0);
        CHECK_EQ(th_shared_heap_alloc(object, 8, 1), 0);
        CHECK_EQ(th_shared_heap_alloc_at(object, 8, 8, 1, 1), 0);
        CHECK_EQ(th_shared_heap_alloc_zeroed(object, 8, 8, 1, 1), 0);
        CHECK_EQ(th_shared_heap_resize(object, 8, 8), 0);
        CHECK_EQ(th_shared_heap_trim(object, 8), 0);
        CHECK(!th_shared_heap_retag(object, 8, 1));
        CHECK_EQ(th_shared_heap_free(object, 8), 0);
        CHECK_EQ(th_shared_heap_free_tags(object, 0, 1), 0);
        CHECK_EQ(th_shared_heap_compact(object, 1, NULL, NULL).blocks_moved, 0);
        CHECK_EQ(th_shared_heap_find(object, 1, 1), 0);
        CHECK_EQ(th_shared_heap_requested_size(object, 8), 0);
        CHECK_EQ(th_shared_heap_view(object, look_at_nothing, NULL), TH_ERR_NULL);
    });
}

static void no_page_heap(void) {
    TWICE(page_heap, {
        CHECK_EQ(th_page_heap_freeze(object), TH_ERR_NULL);
        CHECK_EQ(th_page_heap_thaw(object), TH_ERR_NULL);
        th_page_heap_destroy(object);
    });
}

static void no_graph(void) {
    TWICE(graph, {
        EXPECT_NOTHING(graph, object);
        CHECK_EQ(th_graph_get_stats(object).nodes, 0);
        CHECK(th_graph_add(object, "name", run_nothing, elsewhere) == NULL);
        CHECK_EQ(th_graph_depend(object, NULL, NULL), TH_ERR_NULL);
        CHECK_EQ(th_graph_release(object, NULL), TH_ERR_NULL);
        CHECK_EQ(th_graph_release_dependents(object, NULL), TH_ERR_NULL);
        CHECK_EQ(th_graph_cycle(object, NULL, 0), 0);
        CHECK_EQ(th_graph_reset(object), TH_ERR_NULL);
    });
}

static void no_resource_pool(void) {
    TWICE(resource_pool, {
        th_lease lease = {.generation = 7};
        EXPECT_NOTHING(resource_pool, object);
        CHECK_EQ(th_resource_pool_get_stats(object).out, 0);
        CHECK_EQ(th_resource_pool_give_back(object, lease), TH_ERR_NULL);
        CHECK_EQ(th_resource_pool_discard(object, lease), TH_ERR_NULL);
        CHECK_EQ(th_resource_pool_take(object, &lease), TH_ERR_NULL);
        CHECK_EQ(lease.generation, 0);
        CHECK_EQ(th_resource_pool_reserve(object, 0), TH_ERR_NULL);
        CHECK_EQ(th_resource_pool_trim(object, 0), 0);
        CHECK_EQ(th_resource_pool_validate(object), 0);
        CHECK_EQ(th_resource_pool_renew(object), TH_ERR_NULL);
    });
}

TH_SUITE("null_resources", TEST(no_scope), TEST(no_buffer), TEST(no_buffer_pool), TEST(no_gather),
         TEST(no_ring), TEST(no_quota), TEST(no_locked), TEST(no_locks), TEST(no_fallback),
         TEST(no_reserve), TEST(no_policy), TEST(no_refs), TEST(no_shared_heap), TEST(no_page_heap),
         TEST(no_graph), TEST(no_resource_pool))
