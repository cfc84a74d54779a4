/* SPDX-License-Identifier: MIT */
/* As test_null_resources.c, for what watches a heap, and for references to its blocks. */
#include "null_objects.h"
#include "suite.h"
#include "tagheap/cache.h"
#include "tagheap/handles.h"
#include "tagheap/tag_totals.h"

static void no_tag_totals(void) {
    const th_event event = {.kind = TH_EVENT_ALLOC, .tag = 1, .old_tag = 1, .bytes = 1};
    TWICE(tag_totals, {
        EXPECT_NOTHING(tag_totals, object);
        th_tag_totals_on_event(object, &event);
        CHECK_EQ(th_tag_totals_forward(object, NULL, NULL), TH_ERR_NULL);
        CHECK_EQ(th_tag_totals_reset(object), TH_ERR_NULL);
        CHECK_EQ(th_tag_totals_find(object, 1).allocs, 0);
        CHECK_EQ(th_tag_totals_others(object).allocs, 0);
        CHECK(th_tag_totals_row(object, 0) == NULL);
    });
}

static void no_handles(void) {
    TWICE(handles, {
        const th_handle handle = {.generation = 1};
        th_handle_info info;
        EXPECT_NOTHING(handles, object);
        CHECK_EQ(th_handles_alloc(object, 16, 1).generation, 0);
        CHECK_EQ(th_handles_alloc_aligned(object, 16, 64, 1).generation, 0);
        CHECK_EQ(th_handles_free(object, handle), TH_ERR_NULL);
        CHECK_EQ(th_handles_free_tags(object, 0, 9), 0);
        CHECK(th_handles_get(object, handle) == NULL);
        CHECK(th_handles_pin(object, handle) == NULL);
        CHECK_EQ(th_handles_unpin(object, handle), TH_ERR_NULL);
        CHECK(th_handles_realloc(object, handle, 16) == NULL);
        CHECK(th_handles_realloc(object, handle, 0) == NULL);
        CHECK_EQ(th_handles_set_purgeable(object, handle, true), TH_ERR_NULL);
        CHECK_EQ(th_handles_purge(object, SIZE_MAX), 0);
        CHECK(!th_handles_compact(object).done);
        CHECK(!th_handles_compact_some(object, 1).done);
        CHECK_EQ(th_handles_plan(object, NULL, 0).blocks_moved, 0);
        CHECK_EQ(th_handles_commit(object, (const th_handles_move[1]){{.bytes = 1}}, 0),
                 TH_ERR_NULL);
        CHECK_EQ(th_handles_recover(object, elsewhere).generation, 0);
        CHECK(!th_handles_describe(object, handle, &info));
        CHECK_EQ(th_handles_reset(object), TH_ERR_NULL);
    });
}

static th_status load_nothing(void *context, uint64_t key, void *payload, size_t bytes) {
    (void)context;
    (void)key;
    (void)payload;
    (void)bytes;
    th_check_failed(__FILE__, __LINE__, "nothing is loaded");
}

static void no_cache(void) {
    TWICE(cache, {
        void *payload = elsewhere;
        size_t bytes = 7;
        EXPECT_NOTHING(cache, object);
        CHECK(th_cache_get(object, 1, &bytes) == NULL && bytes == 7);
        CHECK(th_cache_pin(object, 1, &bytes) == NULL && bytes == 7);
        CHECK_EQ(th_cache_unpin(object, 1), TH_ERR_NULL);
        CHECK(!th_cache_contains(object, 1));
        CHECK_EQ(th_cache_insert(object, 1, 16, 1, &payload), TH_ERR_NULL);
        CHECK(payload == NULL);
        payload = elsewhere;
        CHECK_EQ(th_cache_load(object, 1, 16, 1, load_nothing, NULL, &payload), TH_ERR_NULL);
        CHECK(payload == NULL);
        CHECK_EQ(th_cache_invalidate(object, 1), TH_ERR_NULL);
        CHECK_EQ(th_cache_invalidate_tags(object, 0, 9), 0);
        CHECK_EQ(th_cache_trim(object, 0), 0);
        CHECK_EQ(th_cache_reset(object), TH_ERR_NULL);
    });
}

TH_SUITE("null_handles", TEST(no_tag_totals), TEST(no_handles), TEST(no_cache))
