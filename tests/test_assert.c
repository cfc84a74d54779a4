/* SPDX-License-Identifier: MIT */
/* Every assertion of src/base, src/heap, src/alloc and src/resource (those of src/os: test_kept.c,
 * test_mutex.c; of the shared heap: test_shared_heap.c) ends the program with its line when what it
 * asserts is false. The functions are called with what
 * no caller in src/ gives them, or after something was forged. */
#include <stdalign.h>
#include <string.h>

#include "alloc/chunk.h"
#include "base/assert.h"
#include "base/ranges.h"
#include "base/track.h"
#include "death.h"
#include "heap/chain.h"
#include "heap/compact.h"
#include "resource/tracker_table.h"
#include "suite.h"
#include "tagheap/buddy.h"
#include "tagheap/pool.h"

static alignas(16) unsigned char region[400];
static th_heap heap;

static void start(void) {
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, NULL), TH_OK);
}

static void fail_by_hand(void) {
    th_assert_failed("some/file.c", 4711, "this && that");
}

static void a_failed_assertion_says_where_and_what(void) {
    expect_death(fail_by_hand, "tagheap: assertion failed: some/file.c:4711: this && that");
}

static void fail_at_length(void) {
    static const char text[] = "0123456789012345678901234567890123456789012345678901234567890123456"
                               "7890123456789012345678901234567890123456789012345678901234567890123"
                               "4567890123456789";
    th_assert_failed("some/file.c", 1, text);
}

static void a_long_line_is_cut(void) {
    char text[DEATH_TEXT_BYTES];
    CHECK_EQ(death_text(fail_at_length, text), TH_FAULT_LINE_BYTES_MAX);
    CHECK_EQ(text[TH_FAULT_LINE_BYTES_MAX - 1], '\n');
}

#if TH_ASSERTS

static th_header block;

static void format_into_nothing(void) {
    char none[1];
    (void)th_fault_format(&(th_fault){0}, none, 0);
}

static void need_of_no_bytes(void) {
    (void)th_need_dwords(&heap, 0);
}

static void load_beyond_last(void) {
    th_header_load(&heap, heap.last + 1, &block);
}

/* With guards, that is a fault. */
static void follow_beyond_last(void) {
    (void)th_chain_load(&heap, heap.last + 1, &block);
}

static void store_beyond_last(void) {
    block = th_header_free(&heap, heap.last + 1, 4);
    th_header_store(&heap, &block);
}

static void store_too_large(void) {
    block = th_header_free(&heap, 0, TH_LAYOUT_SIZE_MAX + 1);
    th_header_store(&heap, &block);
}

static void store_a_tag_of_16_bits(void) {
    block = th_header_free(&heap, 0, 4);
    block.tag = 0x8000;
    th_header_store(&heap, &block);
}

static void look_below_first(void) {
    th_header below;
    th_header_load(&heap, 0, &block);
    (void)th_chain_below(&heap, &block, &below);
}

static void look_above_last(void) {
    th_header above;
    th_header_load(&heap, heap.last, &block);
    (void)th_chain_above(&heap, &block, &above);
}

static void settle_two_blocks(void) {
    static const th_header old[TH_COMPACT_RUN_MAX];
    th_compact_settle(&heap, old, 2, 0);
}

static void settle_five_blocks(void) {
    static const th_header old[TH_COMPACT_RUN_MAX];
    th_compact_settle(&heap, old, TH_COMPACT_RUN_MAX + 1, 0);
}

static void replace_by_less(void) {
    block = th_header_free(&heap, 0, 4);
    th_chain_replace(&heap, 0, &block, 1, heap.last);
}

static void cut_above_the_end(void) {
    th_span span = th_span_make(region, sizeof region);
    th_span_cut(&span, &(th_guarding){0}, span.base + 16);
}

static void cut_below_the_start(void) {
    th_span span = th_span_make(region + 16, sizeof region - 16);
    th_span_cut(&span, &(th_guarding){0}, span.base - 16);
}

static void remove_no_member(void) {
    th_range *root = NULL;
    th_range other = {.start = region, .bytes = 16};
    th_ranges_remove(&root, &other);
}

/* A spare chunk says that it is full. */
static void take_from_a_full_spare(void) {
    const th_arena_config config = {.backing = th_system_allocator(), .chunk_bytes = 512};
    th_arena arena;
    th_chunk spare;
    (void)th_arena_init(&arena, &config);
    (void)th_arena_alloc(&arena, 16);
    (void)th_arena_reset(&arena);
    (void)th_chunk_load(&arena, arena.spare, &spare, NULL);
    spare.span.at = spare.span.end;
    th_chunk_store(&arena, &spare);
    (void)th_arena_alloc(&arena, 16);
}

static void take_a_foreign_object(void) {
    const th_pool_config config = {
        .object_bytes = 16, .memory = region, .memory_bytes = sizeof region, .iterable = true};
    th_pool pool;
    (void)th_pool_init(&pool, &config);
    pool.free_list = &pool;
    (void)th_pool_alloc(&pool);
}

/* A tree that adds up to more than is in it: of the words above the lowest, and of these. */
/* The bookkeeping is closed to everybody else. */
static TH_TRACK_BLIND void fill_root(th_buddy *buddy) {
    th_track_blind_begin();
    buddy->tree[0] = 0;
    th_track_blind_end();
}

static void take_from_full_buddies(size_t units) {
    static alignas(16) unsigned char memory[16 * 128];
    static alignas(8) unsigned char bookkeeping[32 * 128];
    const th_buddy_config config = {.unit = 16};
    th_buddy buddy;
    (void)th_buddy_init(&buddy, memory, 16 * units, bookkeeping, sizeof bookkeeping, &config);
    fill_root(&buddy);
    (void)th_buddy_alloc(&buddy, 16);
}

static void take_below_a_full_word(void) {
    take_from_full_buddies(128);
}

static void take_from_a_full_word(void) {
    take_from_full_buddies(1);
}

static void track_an_address_twice(void) {
    const th_tracker_config config = {.tracked = th_system_allocator()};
    th_tracker tracker;
    (void)th_tracker_init(&tracker, &config);
    void *tracked = th_allocator_alloc(th_tracker_allocator(&tracker), 16);
    const th_tracker_record again = {.address = (uintptr_t)tracked};
    th_tracker_put(&tracker, &again);
}

#if TH_ATOMIC
static void take_what_has_a_depth(void) {
    th_spin spin;
    CHECK_EQ(th_spin_init(&spin, NULL), TH_OK);
    spin.depth = 1;
    th_lock lock = th_spin_lock(&spin);
    th_lock_acquire(&lock);
}

static void release_a_free_spin_lock(void) {
    th_spin spin;
    CHECK_EQ(th_spin_init(&spin, NULL), TH_OK);
    th_lock lock = th_spin_lock(&spin);
    th_lock_release(&lock);
}
#endif

static uintptr_t mask_nothing(void) {
    return 0;
}

static void restore_nothing(uintptr_t state) {
    (void)state;
}

static void release_free_interrupts(void) {
    th_interrupts interrupts;
    CHECK_EQ(th_interrupts_init(&interrupts, mask_nothing, restore_nothing), TH_OK);
    th_lock lock = th_interrupts_lock(&interrupts);
    th_lock_release(&lock);
}

static void every_assertion_ends_the_program(void) {
    start();
    expect_assertion(format_into_nothing, "src/base/fault.c", "capacity > 0");
    expect_assertion(need_of_no_bytes, "src/heap/header.c", "bytes > 0");
    expect_assertion(load_beyond_last, "src/heap/header.c", "th_offset_ok(heap, offset)");
    expect_assertion(follow_beyond_last, "src/heap/chain.c", "th_offset_ok(heap, offset)");
    expect_assertion(store_beyond_last, "src/heap/header.c", "th_offset_ok(heap, block->offset)");
    static const char size_and_tag[] =
        "block->size <= th_size_max(heap) && block->tag <= th_tag_free(heap)";
    expect_assertion(store_too_large, "src/heap/header.c", size_and_tag);
    expect_assertion(store_a_tag_of_16_bits, "src/heap/header.c", size_and_tag);
    expect_assertion(look_below_first, "src/heap/chain.c", "block->offset != 0");
    expect_assertion(look_above_last, "src/heap/chain.c", "!th_is_last(heap, block)");
    expect_assertion(replace_by_less, "src/heap/chain.c", "th_end(heap, &run[i]) == end");
    static const char run[] = "count >= 3 && count <= TH_COMPACT_RUN_MAX";
    expect_assertion(settle_two_blocks, "src/heap/compact.c", run);
    expect_assertion(settle_five_blocks, "src/heap/compact.c", run);
    th_heap_clean_up(&heap);
    static const char inside[] = "span->base <= at && at <= span->at";
    expect_assertion(cut_above_the_end, "src/alloc/span.c", inside);
    expect_assertion(cut_below_the_start, "src/alloc/span.c", inside);
    expect_assertion(remove_no_member, "src/base/ranges.c", "*link == node");
    expect_assertion(take_from_a_full_spare, "src/alloc/arena.c", "found");
    expect_assertion(take_a_foreign_object, "src/alloc/pool.c", "*chunk != NULL");
    expect_assertion(take_below_a_full_word, "src/alloc/buddy_tree.h", "large != 0");
    expect_assertion(take_from_a_full_word, "src/alloc/buddy_tree.h", "set != 0");
#if TH_ATOMIC
    expect_assertion(take_what_has_a_depth, "src/base/lock.c", "spin->depth == 0");
    expect_assertion(release_a_free_spin_lock, "src/base/lock.c",
                     "!th_ticket_is_served(&spin->serving, "
                     "TH_ATOMIC_LOAD(&spin->next, TH_RELAXED))");
#endif
    expect_assertion(release_free_interrupts, "src/base/lock.c", "interrupts->depth > 0");
    expect_assertion(track_an_address_twice, "src/resource/tracker_table.c",
                     "tracker->records[at].address == 0");
}

#else

static void every_assertion_ends_the_program(void) {
    start();
    TH_ASSERT(heap.base == NULL); /* false, and compiled out */
    th_heap_clean_up(&heap);
}

#endif

TH_SUITE("assert", TEST(a_failed_assertion_says_where_and_what), TEST(a_long_line_is_cut),
         TEST(every_assertion_ends_the_program))
