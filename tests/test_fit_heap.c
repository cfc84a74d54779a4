/* SPDX-License-Identifier: MIT */
/* The placement-policy heap (include/tagheap/offsets.h): offsets over memory, as an allocator. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "death.h"
#include "suite.h"
#include "tagheap/fit_heap.h"
#include "tagheap/offsets.h"

enum { BYTES = 4096, NODES = 160 };

static alignas(BYTES) unsigned char region[BYTES];
static th_offsets_node nodes[NODES];
static th_fit_heap heap;
static th_allocator allocator;
static fault_log faults;

static void start(int level, void *memory, size_t bytes, uint64_t granule,
                  th_offsets_policy policy) {
    th_offsets_config config = {
        .granule = granule, .policy = policy, .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_fit_heap_init(&heap, memory, bytes, nodes, sizeof nodes, &config), TH_OK);
    allocator = th_fit_heap_allocator(&heap);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    th_fit_heap_clean_up(&heap);
}

static th_offsets_stats stats(void) {
    th_offsets_stats s = th_offsets_get_stats(&heap.offsets);
    return s;
}

/* Over `bytes` units, as the examples count: one unit is 16 bytes. */
static unsigned char *units(size_t count) {
    return th_allocator_alloc(allocator, 16 * count);
}

static size_t unit_of(const unsigned char *pointer) {
    return (size_t)(pointer - region) / 16;
}

/* ---- life --------------------------------------------------------------------------------- */

static void init_refuses(void) {
    th_fit_heap untouched;
    memset(&untouched, 0x5A, sizeof untouched);
    th_fit_heap before = untouched;
    th_offsets_config bad = {.granule = 3};
    CHECK_EQ(th_fit_heap_init(NULL, region, BYTES, nodes, sizeof nodes, NULL), TH_ERR_NULL);
    CHECK_EQ(th_fit_heap_init(&untouched, NULL, BYTES, nodes, sizeof nodes, NULL), TH_ERR_NULL);
    CHECK_EQ(th_fit_heap_init(&untouched, region, BYTES, NULL, sizeof nodes, NULL), TH_ERR_NULL);
    CHECK_EQ(th_fit_heap_init(&untouched, region, BYTES, nodes, sizeof nodes, &bad),
             TH_ERR_ALIGNMENT);
    CHECK_EQ(th_fit_heap_init(&untouched, region, 0, nodes, sizeof nodes, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_fit_heap_init(&untouched, region, BYTES, nodes, 1, NULL), TH_ERR_TOO_SMALL);
    CHECK(memcmp(&before, &untouched, sizeof before) == 0);
}

static void without_memory_calls_do_nothing(void) {
    start(0, region, BYTES, 16, TH_OFFSETS_FIRST_FIT);
    unsigned char *block = units(1);
    th_fit_heap_clean_up(&heap);
    memset(region, 0, BYTES); /* ordinary memory again */
    CHECK(units(1) == NULL);
    th_allocator_free(allocator, block);
    CHECK(!th_allocator_resize_in_place(allocator, block, 5));
    CHECK_EQ(th_allocator_usable_size(allocator, block), 0);
    CHECK(!th_allocator_owns(allocator, block));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_ERR_NULL);
    CHECK_EQ(th_allocator_reset(allocator), TH_ERR_NULL);
    th_fit_heap_clean_up(&heap);
    th_fit_heap_clean_up(NULL);
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void blocks_hold_contents(void) {
    for (int policy = TH_OFFSETS_GOOD_FIT; policy <= TH_OFFSETS_WORST_FIT; policy++) {
        start(th_guard_max(), region, BYTES, 1, (th_offsets_policy)policy);
        unsigned char *a = th_allocator_alloc_aligned(allocator, 100, 1);
        unsigned char *b = th_allocator_alloc_aligned(allocator, 33, 4);
        unsigned char *c = th_allocator_alloc_aligned(allocator, 50, 1024);
        CHECK(a != NULL && b != NULL && c != NULL);
        memset(a, 1, 100);
        memset(b, 2, 33);
        memset(c, 3, 50);
        CHECK_EQ((uintptr_t)b & 3, 0);
        CHECK_EQ((uintptr_t)c & 1023, 0);
        CHECK_EQ(th_allocator_usable_size(allocator, a), 100);
        CHECK(th_allocator_owns(allocator, a + 99));
        CHECK(!th_allocator_owns(allocator, (void *)((uintptr_t)region - 1)));
        CHECK(!th_allocator_owns(allocator, region + BYTES));
        CHECK(a[0] == 1 && a[99] == 1 && b[0] == 2 && b[32] == 2 && c[0] == 3 && c[49] == 3);
        th_allocator_free(allocator, b);
        CHECK(!th_allocator_owns(allocator, b));
        CHECK_EQ(th_allocator_reset(allocator), TH_OK);
        CHECK_EQ(stats().largest_free_bytes, BYTES);
        stop();
    }
}

/* All bytes of a block are its owner's, to the granule, whatever size it is given. */
static void resize_within_and_beyond_the_granule(void) {
    start(th_guard_max(), region, 256, 16, TH_OFFSETS_FIRST_FIT);
    unsigned char *block = th_allocator_alloc(allocator, 5);
    CHECK_EQ(th_allocator_usable_size(allocator, block), 16);
    memset(block, 7, 16);
    CHECK(th_allocator_resize_in_place(allocator, block, 10));
    memset(block, 8, 10);
    CHECK(th_allocator_resize_in_place(allocator, block, 40));
    CHECK(block[15] == 7 && block[9] == 8);
    memset(block, 9, 48);
    CHECK(th_allocator_resize_in_place(allocator, block, 17));
    CHECK_EQ(th_allocator_usable_size(allocator, block), 32);
    CHECK_EQ(block[31], 9);
    CHECK_EQ(stats().free_bytes, 256 - 32);
    CHECK(!th_allocator_resize_in_place(allocator, block, 257));
    CHECK(th_allocator_resize_in_place(allocator, block, 256));
    CHECK(th_allocator_alloc(allocator, 1) == NULL);
    th_allocator_free(allocator, block);
    CHECK_EQ(stats().largest_free_bytes, 256);
    stop();
}

/* Memory at odd addresses gives what needs no alignment. */
static void alignments_of_the_memory_bound_the_blocks(void) {
    for (size_t shift = 0; shift < 64; shift++) {
        start(0, region + shift, 512, 1, TH_OFFSETS_BEST_FIT);
        uint64_t failed = 0;
        for (size_t alignment = 1; alignment <= 128; alignment *= 2) {
            bool possible = ((uintptr_t)(region + shift) & (alignment - 1)) == 0;
            unsigned char *block = th_allocator_alloc_aligned(allocator, 8, alignment);
            CHECK_EQ(block != NULL, possible);
            CHECK_EQ((uintptr_t)block & (alignment - 1), 0);
            failed += !possible;
            if (possible) {
                memset(block, 1, 8);
            }
        }
        CHECK_EQ(stats().failed_allocs, failed);
        stop();
    }
}

/* ---- misuse ------------------------------------------------------------------------------- */

static void refuse_at(int level, unsigned char *pointer, th_fault due) {
    th_offsets_stats before = stats();
    th_allocator_free(allocator, pointer);
    EXPECT_LOGGED(&faults, level, due.kind, due.block, 0, due.offset, due.expected, due.found);
    CHECK(!th_allocator_resize_in_place(allocator, pointer, 1));
    EXPECT_LOGGED(&faults, level, due.kind, due.block, 0, due.offset, due.expected, due.found);
    CHECK_EQ(th_allocator_usable_size(allocator, pointer), 0);
    EXPECT_LOGGED(&faults, level, due.kind, due.block, 0, due.offset, due.expected, due.found);
    th_offsets_stats after = stats();
    CHECK(memcmp(&before, &after, sizeof before) == 0);
}

static void wrong_pointers_at(int level) {
    const size_t none = TH_FAULT_NOWHERE;
    start(level, region, BYTES, 16, TH_OFFSETS_FIRST_FIT);
    unsigned char *a = units(2);
    unsigned char *b = units(3);
    th_offsets_block inside = th_offsets_find(&heap.offsets, 40);
    th_allocator_free(allocator, a);
    refuse_at(level, a, (th_fault){TH_FAULT_DOUBLE_FREE, none, 0, 0, 0, 0});
    refuse_at(level, a + 5, (th_fault){TH_FAULT_DOUBLE_FREE, none, 0, 5, 0, 5});
    refuse_at(level, b + 8, (th_fault){TH_FAULT_NOT_A_BLOCK, inside.node, 0, 40, 32, 40});
    refuse_at(level, region + BYTES, (th_fault){TH_FAULT_FOREIGN, none, 0, BYTES, 0, BYTES});
    th_allocator_free(allocator, b);
    refuse_at(level, b, (th_fault){TH_FAULT_DOUBLE_FREE, none, 0, 32, 0, 32});
    th_allocator_free(allocator, (void *)((uintptr_t)region - 1));
    CHECK_EQ(faults.first.kind, TH_FAULT_FOREIGN);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    stop();
}

static void wrong_pointers_are_named(void) {
    at_levels(0, wrong_pointers_at);
}

static void free_without_a_handler(void) {
    const th_offsets_config config = {.granule = 16};
    CHECK_EQ(th_fit_heap_init(&heap, region, BYTES, nodes, sizeof nodes, &config), TH_OK);
    th_allocator_free(th_fit_heap_allocator(&heap), region + 32);
}

static void without_a_handler_the_program_ends(void) {
    expect_death(free_without_a_handler,
                 "tagheap: double free: byte 32 expected 0x00000000 found 0x00000020");
}

/* What is shrunk stays where it is; who asks for a move all the same gets what fits. */
static void a_move_keeps_no_more_than_there_is_room_for(void) {
    start(0, region, BYTES, 16, TH_OFFSETS_FIRST_FIT);
    unsigned char *block = th_allocator_alloc(allocator, 64);
    memset(block, 7, 64);
    unsigned char *moved = allocator.table->realloc(allocator.self, block, 64, 16, 16);
    CHECK(moved != NULL && moved != block);
    CHECK(th_allocator_alloc(allocator, 64) == block);
    for (size_t i = 0; i < 16; i++) {
        CHECK_EQ(moved[i], 7);
    }
    CHECK_EQ(th_allocator_usable_size(allocator, moved), 16);
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    stop();
}

/* ---- fragmentation ------------------------------------------------------------------------ */

/* The textbook example, 16 units: "allocate 5, allocate 4, free the first, allocate 6: cannot,
 * despite 9 free". The figures do not add up: 9 units are free then, but they are
 *
 *   [     ####       ]    5 at the start and 7 at the end, 12 in all: 4 are live
 *
 * and 6 fits into the 7. This is what really happens. */
static void the_textbook_example_step_by_step(void) {
    for (int policy = TH_OFFSETS_GOOD_FIT; policy <= TH_OFFSETS_WORST_FIT; policy++) {
        start(0, region, 16 * 16, 16, (th_offsets_policy)policy);
        CHECK_EQ(stats().free_bytes, 16 * 16);
        unsigned char *first = units(5);
        CHECK_EQ(unit_of(first), 0);
        CHECK_EQ(stats().free_bytes, 16 * 11);
        unsigned char *second = units(4);
        CHECK_EQ(unit_of(second), 5);
        CHECK_EQ(stats().free_bytes, 16 * 7);
        th_allocator_free(allocator, first);
        CHECK_EQ(stats().free_bytes, 16 * 12);
        CHECK_EQ(stats().largest_free_bytes, 16 * 7);
        CHECK_EQ(unit_of(units(6)), 9);
        stop();
    }
}

/* What the example is meant to show: one more block after the second, of 4 units.
 *
 *   [     ########   ]    5 and 3: 8 units are free, and 6 cannot be had
 */
static void the_variant_that_shows_fragmentation(void) {
    for (int policy = TH_OFFSETS_GOOD_FIT; policy <= TH_OFFSETS_WORST_FIT; policy++) {
        start(0, region, 16 * 16, 16, (th_offsets_policy)policy);
        unsigned char *first = units(5);
        unsigned char *second = units(4);
        unsigned char *third = units(4);
        CHECK_EQ(unit_of(third), 9);
        th_allocator_free(allocator, first);
        CHECK_EQ(stats().free_bytes, 16 * 8);
        CHECK_EQ(stats().largest_free_bytes, 16 * 5);
        CHECK(units(6) == NULL);
        CHECK_EQ(stats().failed_allocs, 1);
        th_allocator_free(allocator, second); /* and the neighbours become one */
        CHECK_EQ(stats().largest_free_bytes, 16 * 9);
        CHECK_EQ(unit_of(units(6)), 0);
        stop();
    }
}

/* ---- against a model ---------------------------------------------------------------------- */

static void play_random(int level, th_offsets_policy policy, uint64_t *state) {
    enum { SLOTS = 32 };
    unsigned char *blocks[SLOTS] = {NULL};
    size_t sizes[SLOTS] = {0};
    start(level, region, BYTES, 8, policy);
    for (unsigned i = 0; i < (TH_TRACK_VALGRIND ? 100 : 800); i++) {
        uint64_t r = th_test_random(state);
        size_t slot = (size_t)(r % SLOTS);
        size_t bytes = (size_t)(r >> 8) % 300 + 1;
        size_t kept = sizes[slot] < bytes ? sizes[slot] : bytes;
        unsigned char *at =
            th_allocator_realloc(allocator, blocks[slot], sizes[slot], bytes, 8, NULL);
        if (at != NULL) {
            CHECK(at >= region && at + bytes <= region + BYTES);
            CHECK(kept == 0 || (at[0] == slot && at[kept - 1] == slot));
            memset(at, (int)slot, bytes);
            blocks[slot] = at;
            sizes[slot] = bytes;
        }
        slot = (size_t)(r >> 40) % SLOTS;
        if (at == NULL || r >> 62 == 0) {
            CHECK(sizes[slot] == 0 || blocks[slot][sizes[slot] - 1] == slot);
            th_allocator_free(allocator, blocks[slot]);
            blocks[slot] = NULL;
            sizes[slot] = 0;
        }
    }
    th_allocator_free_batch(allocator, (void **)blocks, SLOTS);
    CHECK_EQ(stats().largest_free_bytes, BYTES);
    stop();
}

static void random_work_keeps_contents(void) {
    uint64_t state = th_test_seed(29);
    for (int policy = TH_OFFSETS_GOOD_FIT; policy <= TH_OFFSETS_WORST_FIT; policy++) {
        play_random(0, (th_offsets_policy)policy, &state);
        play_random(th_guard_max(), (th_offsets_policy)policy, &state);
    }
}

TH_SUITE("fit_heap", TEST(init_refuses), TEST(without_memory_calls_do_nothing),
         TEST(blocks_hold_contents), TEST(resize_within_and_beyond_the_granule),
         TEST(alignments_of_the_memory_bound_the_blocks), TEST(wrong_pointers_are_named),
         TEST(without_a_handler_the_program_ends),
         TEST(a_move_keeps_no_more_than_there_is_room_for), TEST(the_textbook_example_step_by_step),
         TEST(the_variant_that_shows_fragmentation), TEST(random_work_keeps_contents))
