/* SPDX-License-Identifier: MIT */
/* Bad input, the same for every allocator: one table says what each of them owes (bad_input.h). */
#include <stdint.h>
#include <string.h>

#include "bad_input.h"
#include "tagheap/buddy.h"
#include "tagheap/classes.h"
#include "tagheap/hybrid.h"
#include "tagheap/offsets.h"
#include "tagheap/pool.h"

#define F TH_FAULT_FOREIGN
#define N TH_FAULT_NOT_A_BLOCK
#define M TH_FAULT_MISALIGNED
#define D TH_FAULT_DOUBLE_FREE

static const bad_row rows[] = {
    {"tagged heap", &bad_heap, {F, N, M, D}, BAD_ZERO_FREES},
    {"system",
     &bad_system,
     {BAD_UNDEFINED, BAD_UNDEFINED, BAD_UNDEFINED, BAD_UNDEFINED},
     BAD_NO_GUARDS | BAD_MAPPED},
    {"buffer", &bad_buffer, {F, BAD_UNNOTICED, BAD_UNNOTICED, D}, 0},
    {"bump",
     &bad_bump,
     {BAD_UNDEFINED, BAD_UNDEFINED, BAD_UNDEFINED, BAD_UNDEFINED},
     BAD_NO_GUARDS},
    {"arena", &bad_arena, {F, BAD_UNNOTICED, BAD_UNNOTICED, D}, 0},
    {"region", &bad_region, {F, BAD_UNNOTICED, BAD_UNNOTICED, D}, 0},
    {"frame", &bad_frame, {F, BAD_UNNOTICED, BAD_UNNOTICED, BAD_UNNOTICED}, BAD_NO_FREE},
    {"hybrid",
     &bad_hybrid,
     {BAD_UNDEFINED, BAD_UNDEFINED, BAD_UNDEFINED, BAD_UNDEFINED},
     BAD_ONE_ALIGNMENT | BAD_ZERO_FITS | BAD_ONE_BLOCK},
    {"buddy", &bad_buddy, {F, N, M, D}, 0},
    {"offsets", &bad_offsets, {N, N, N, D}, BAD_ALWAYS_NOTICES | BAD_NO_MEMORY},
    {"placement heap", &bad_fit_heap, {F, N, N, D}, BAD_ALWAYS_NOTICES},
    {"pool", &bad_pool, {F, N, M, D}, BAD_ONE_SIZE | BAD_ONE_ALIGNMENT},
    {"static pool", &bad_static_pool, {F, N, M, D}, BAD_ONE_SIZE | BAD_ONE_ALIGNMENT},
    {"slab", &bad_slab, {F, N, M, D}, BAD_ONE_ALIGNMENT},
    {"slab on pages", &bad_mapped_slab, {F, N, M, D}, BAD_ONE_ALIGNMENT},
    {"large", &bad_large, {F, N, N, F}, 0},
    {"large on pages", &bad_mapped_large, {F, N, N, F}, BAD_MAPPED},
    {"large in guard pages", &bad_guarded_large, {F, N, N, F}, BAD_MAPPED},
    {"classes", &bad_classes, {F, N, M, D}, BAD_ZERO_FREES},
    {"classes on pages", &bad_mapped_classes, {F, N, M, D}, BAD_ZERO_FREES | BAD_MAPPED},
    {"tracker", &bad_tracker, {F, F, F, D}, BAD_ALWAYS_NOTICES},
};

static void on_all(const bad_misuse *misuse) {
    bad_input_play(misuse, rows, sizeof rows / sizeof rows[0]);
}

static void zero_sizes(void) {
    on_all(&bad_zero_sizes);
}

static void negative_sizes(void) {
    on_all(&bad_negative_sizes);
}

static void unreasonable_sizes(void) {
    on_all(&bad_unreasonable_sizes);
}

static void overflowing_sizes(void) {
    on_all(&bad_overflowing_sizes);
}

static void alignments_that_are_no_power_of_two(void) {
    on_all(&bad_alignments);
}

static void pointers_that_are_no_block(void) {
    on_all(&bad_pointers);
}

static void addresses_of_others(void) {
    on_all(&bad_addresses);
}

static void use_after_clean_up(void) {
    on_all(&bad_use_after_clean_up);
}

static void exhausted_memory(void) {
    on_all(&bad_exhausted_memory);
}

/* Those that multiply themselves. */
static void counts_that_overflow(void) {
    const size_t half = SIZE_MAX / 2 + 1;
    const th_pool_config config = {.object_bytes = SAMPLE_BYTES, .backing = th_system_allocator()};
    th_classes classes;
    th_hybrid hybrid;
    th_pool pool;
    CHECK_EQ(th_classes_init(&classes, NULL), TH_OK);
    CHECK(th_classes_alloc_array_zeroed(&classes, half, 2) == NULL);
    CHECK(th_classes_alloc_array_zeroed(&classes, SIZE_MAX / 8, 9) == NULL);
    CHECK(th_classes_alloc_array_zeroed(&classes, 1, SIZE_MAX) == NULL);
    CHECK(th_classes_alloc_array_zeroed(&classes, 0, 8) == NULL);
    th_classes_clean_up(&classes);
    CHECK_EQ(th_hybrid_init(&hybrid, NULL, 0, NULL), TH_OK);
    CHECK_EQ(th_hybrid_resize_array(&hybrid, half, 2), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_hybrid_resize_array(&hybrid, 1, SIZE_MAX), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_hybrid_reserve(&hybrid, half), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_hybrid_reserve(&hybrid, 1), TH_ERR_EXHAUSTED);
    th_hybrid_clean_up(&hybrid);
    CHECK_EQ(th_pool_init(&pool, &config), TH_OK);
    CHECK_EQ(th_pool_bytes(&config, half), 0);
    CHECK_EQ(th_pool_bytes(&config, SIZE_MAX), 0);
    CHECK_EQ(th_pool_bytes(&config, 0), 0);
    CHECK_EQ(th_pool_reserve(&pool, SIZE_MAX), TH_ERR_TOO_LARGE);
    th_pool_clean_up(&pool);
    CHECK_EQ(th_offsets_bookkeeping_bytes(SIZE_MAX), 0);
    CHECK_EQ(th_offsets_bookkeeping_bytes(half), 0);
    CHECK_EQ(th_buddy_bookkeeping_bytes(&pool, SIZE_MAX, NULL), 0);
    CHECK_EQ(th_buddy_bookkeeping_bytes(&pool, half, NULL), 0);
}

static void a_bad_start_leaves_the_object_alone(void) {
    static _Alignas(64) unsigned char object[BAD_START_OBJECT_BYTES];
    bad_starts_play(bad_starts, bad_start_count);
    memset(object, 0xA5, sizeof object);
    CHECK(bad_starts_without_object());
    CHECK(bad_starts_without_config(object));
    for (size_t i = 0; i < sizeof object; i++) {
        CHECK_EQ(object[i], 0xA5);
    }
}

TH_SUITE("bad_input", TEST(zero_sizes), TEST(negative_sizes), TEST(unreasonable_sizes),
         TEST(overflowing_sizes), TEST(counts_that_overflow),
         TEST(alignments_that_are_no_power_of_two), TEST(pointers_that_are_no_block),
         TEST(addresses_of_others), TEST(use_after_clean_up), TEST(exhausted_memory),
         TEST(a_bad_start_leaves_the_object_alone))
