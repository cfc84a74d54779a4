/* SPDX-License-Identifier: MIT */
/* The allocator interface: what th_allocator_* promise over any table, and the adapters for the
 * tagged heap and the system's malloc. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/allocator.h"
#include "tagheap/arena.h"
#include "tagheap/bump.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/hybrid.h"

#define REGION_BYTES 4096

static alignas(64) unsigned char region[REGION_BYTES];
static th_heap heap;
static th_tagged_allocator adapter;

static th_allocator heap_start(int level) {
    const th_heap_config config = {.alignment = 16, .guarding.level = level};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    return th_heap_allocator(&adapter, &heap, 0x1001);
}

static void heap_stop(void) {
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK_EQ(th_heap_free_tags(&heap, 0, TH_TAG_TAIL_MAX), 0);
    th_heap_clean_up(&heap);
}

/* ---- a table that writes down what it is asked ----------------------------------------------- */

typedef struct recorder {
    th_allocator inner;
    unsigned calls;
    size_t bytes;
    size_t alignment;
    size_t kept;
    const void *freed[8];
    size_t frees;
    bool may_stay; /* resize_in_place succeeds */
} recorder;

static void *recorder_alloc(void *self, size_t bytes, size_t alignment) {
    recorder *r = self;
    r->calls++;
    r->bytes = bytes;
    r->alignment = alignment;
    return th_allocator_alloc_aligned(r->inner, bytes, alignment);
}

static void recorder_free(void *self, void *pointer) {
    recorder *r = self;
    r->freed[r->frees++ % 8] = pointer;
    th_allocator_free(r->inner, pointer);
}

static bool recorder_resize_in_place(void *self, void *pointer, size_t bytes) {
    recorder *r = self;
    (void)pointer;
    r->bytes = bytes;
    return r->may_stay;
}

static void *recorder_resize(void *self, void *pointer, size_t kept, size_t bytes,
                             size_t alignment) {
    recorder *r = self;
    r->kept = kept;
    r->bytes = bytes;
    r->alignment = alignment;
    return pointer;
}

/* The least that a table has, and the most that matters here. */
static const th_allocator_table least = {.alloc = recorder_alloc, .free = recorder_free};
static const th_allocator_table staying = {
    .alloc = recorder_alloc, .free = recorder_free, .resize_in_place = recorder_resize_in_place};
static const th_allocator_table moving = {.alloc = recorder_alloc,
                                          .free = recorder_free,
                                          .resize_in_place = recorder_resize_in_place,
                                          .realloc = recorder_resize};

/* ---- the promises ---------------------------------------------------------------------------- */

static void an_allocator_without_table_has_no_memory(void) {
    const th_allocator none = {NULL, NULL};
    void *blocks[2] = {region, region};
    bool moved = true;
    th_fault fault;
    CHECK(th_allocator_alloc(none, 8) == NULL);
    CHECK(th_allocator_alloc_aligned(none, 8, 8) == NULL);
    CHECK(th_allocator_alloc_zeroed(none, 8) == NULL);
    CHECK(th_allocator_alloc_array(none, 2, 8) == NULL);
    CHECK(th_allocator_alloc_array_zeroed(none, 2, 8) == NULL);
    CHECK(th_allocator_duplicate(none, "x", 1) == NULL);
    CHECK(th_allocator_duplicate_string(none, "x", 1) == NULL);
    CHECK(!th_allocator_alloc_batch(none, 8, 8, blocks, 2));
    CHECK(blocks[0] == NULL && blocks[1] == NULL);
    CHECK(th_allocator_realloc(none, region, 8, 16, 8, &moved) == NULL && !moved);
    CHECK(th_allocator_realloc(none, NULL, 0, 16, 8, &moved) == NULL && !moved);
    CHECK(th_allocator_realloc_array(none, region, 1, 2, 8) == NULL);
    CHECK(!th_allocator_resize_in_place(none, region, 8));
    th_allocator_free(none, region);
    th_allocator_free(none, NULL);
    CHECK_EQ(th_allocator_reset(none), TH_ERR_NULL);
    CHECK(!th_allocator_owns(none, region));
    CHECK_EQ(th_allocator_usable_size(none, region), 0);
    CHECK_EQ(th_allocator_check(none, &fault), TH_ERR_NULL);
}

static void optional_functions_may_be_missing(void) {
    recorder r = {.inner = th_system_allocator()};
    const th_allocator allocator = {&least, &r};
    void *block = th_allocator_alloc(allocator, 8);
    CHECK(!th_allocator_resize_in_place(allocator, block, 4));
    CHECK_EQ(th_allocator_reset(allocator), TH_ERR_UNSUPPORTED);
    CHECK(!th_allocator_owns(allocator, block));
    CHECK_EQ(th_allocator_usable_size(allocator, block), 0);
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    th_allocator_free(allocator, block);
    th_allocator_free(allocator, NULL);
    CHECK_EQ(r.frees, 1);
}

static void a_table_sees_only_possible_requests(void) {
    recorder r = {.inner = th_system_allocator()};
    const th_allocator allocator = {&moving, &r};
    const size_t absurd[] = {0, SIZE_MAX, (size_t)PTRDIFF_MAX + 1};
    const size_t no_powers[] = {0, 3, 6, 12, 24, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        CHECK(th_allocator_alloc(allocator, absurd[i]) == NULL);
        CHECK(th_allocator_alloc_aligned(allocator, absurd[i], 64) == NULL);
        CHECK(th_allocator_alloc_zeroed(allocator, absurd[i]) == NULL);
        CHECK(th_allocator_duplicate(allocator, region, absurd[i]) == NULL);
        if (absurd[i] != 0) { /* 0 bytes free */
            CHECK(th_allocator_realloc(allocator, region, 8, absurd[i], 8, NULL) == NULL);
        }
        CHECK(!th_allocator_resize_in_place(allocator, region, absurd[i]));
    }
    for (size_t i = 0; i < sizeof no_powers / sizeof no_powers[0]; i++) {
        CHECK(th_allocator_alloc_aligned(allocator, 8, no_powers[i]) == NULL);
        CHECK(th_allocator_realloc(allocator, region, 8, 16, no_powers[i], NULL) == NULL);
    }
    CHECK(!th_allocator_resize_in_place(allocator, NULL, 8));
    CHECK(!th_allocator_owns(allocator, NULL));
    CHECK_EQ(th_allocator_usable_size(allocator, NULL), 0);
    CHECK(th_allocator_duplicate(allocator, NULL, 8) == NULL);
    CHECK(th_allocator_duplicate_string(allocator, NULL, 8) == NULL);
    CHECK_EQ(r.calls, 0);
    CHECK_EQ(r.bytes, 0);
}

static void to_resize_to_nothing_is_to_free(void) {
    recorder r = {.inner = th_system_allocator()};
    const th_allocator allocator = {&moving, &r};
    bool moved = true;
    void *block = th_allocator_alloc(allocator, 8);
    CHECK(th_allocator_realloc(allocator, block, 8, 0, 16, &moved) == NULL && !moved);
    block = th_allocator_alloc(allocator, 8);
    CHECK(th_allocator_realloc(allocator, block, 8, 0, 3, NULL) == NULL);
    block = th_allocator_alloc_array(allocator, 2, 4);
    CHECK(th_allocator_realloc_array(allocator, block, 2, 0, 4) == NULL);
    block = th_allocator_alloc_array(allocator, 2, 4);
    CHECK(th_allocator_realloc_array(allocator, block, 2, 4, 0) == NULL);
    CHECK(r.calls == 4 && r.frees == 4); /* and nothing else */
    CHECK(th_allocator_realloc(allocator, NULL, 0, 0, 16, NULL) == NULL);
    CHECK(r.calls == 4 && r.frees == 4);
}

static void overflowing_counts_are_refused(void) {
    recorder r = {.inner = th_system_allocator()};
    const th_allocator allocator = {&moving, &r};
    const size_t half = SIZE_MAX / 2 + 1;
    const size_t pairs[][2] = {
        {half, 2}, {2, half}, {SIZE_MAX, SIZE_MAX}, {SIZE_MAX / 8, 9}, {SIZE_MAX, 2}, {half, half},
        {0, 8},    {8, 0}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        size_t count = pairs[i][0];
        size_t size = pairs[i][1];
        CHECK(th_allocator_alloc_array(allocator, count, size) == NULL);
        CHECK(th_allocator_alloc_array_zeroed(allocator, count, size) == NULL);
        if (count != 0 && size != 0) { /* 0 bytes free */
            CHECK(th_allocator_realloc_array(allocator, region, 1, count, size) == NULL);
        }
        if (count != 0 && size != 0) {
            CHECK(th_allocator_realloc_array(allocator, region, count, 1, size) == NULL);
            CHECK(th_allocator_realloc_array(allocator, NULL, count, 1, size) == NULL);
        }
    }
    CHECK_EQ(r.calls, 0);
    unsigned char *block = th_allocator_alloc_array(allocator, 5, 7);
    CHECK_EQ(r.bytes, 35);
    CHECK_EQ(r.alignment, TH_ALLOCATOR_ALIGNMENT);
    CHECK(th_allocator_realloc_array(allocator, block, 5, 9, 7) == block);
    CHECK(r.kept == 35 && r.bytes == 63 && r.alignment == TH_ALLOCATOR_ALIGNMENT);
    th_allocator_free(allocator, block);
    block = th_allocator_realloc_array(allocator, NULL, 0, 9, 7);
    CHECK_EQ(r.bytes, 63);
    CHECK(th_allocator_realloc_array(allocator, block, 0, 3, 7) == block);
    CHECK_EQ(r.kept, 0);
    th_allocator_free(allocator, block);
}

static void zeroed_memory_is_zero(void) {
    static const unsigned char zeros[100];
    th_allocator allocator = heap_start(0);
    for (size_t bytes = 1; bytes <= 100; bytes++) {
        void *block = th_allocator_alloc_zeroed(allocator, bytes);
        CHECK(block != NULL && memcmp(block, zeros, bytes) == 0);
        memset(block, 0xAA, bytes);
        th_allocator_free(allocator, block);
    }
    void *block = th_allocator_alloc_array_zeroed(allocator, 10, 10);
    CHECK(block != NULL && memcmp(block, zeros, 100) == 0);
    th_allocator_free(allocator, block);
    heap_stop();
}

static void copies_are_exact(void) {
    th_allocator allocator = th_system_allocator();
    unsigned char source[50];
    fill(source, sizeof source, 1);
    unsigned char *copy = th_allocator_duplicate(allocator, source, 50);
    CHECK(copy != NULL && filled(copy, 50, 1));
    th_allocator_free(allocator, copy);
    const struct {
        const char *string;
        size_t length_max;
        const char *expected;
    } cases[] = {{"hello", SIZE_MAX, "hello"},
                 {"hello", 5, "hello"},
                 {"hello", 2, "he"},
                 {"hello", 0, ""},
                 {"", 10, ""},
                 {"a", 1, "a"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *string =
            th_allocator_duplicate_string(allocator, cases[i].string, cases[i].length_max);
        CHECK(string != NULL && strcmp(string, cases[i].expected) == 0);
        th_allocator_free(allocator, string);
    }
}

/* ---- batches --------------------------------------------------------------------------------- */

static void a_batch_is_all_or_nothing(void) {
    backing own;
    void *blocks[16];
    th_allocator allocator = backing_start(&own);
    for (size_t left = 0; left <= 16; left++) {
        own.left = left;
        memset(blocks, 0xEE, sizeof blocks);
        bool made = th_allocator_alloc_batch(allocator, 24, 32, blocks, 16);
        CHECK_EQ(made, left == 16);
        CHECK_EQ(own.live, made ? 16 : 0);
        for (size_t i = 0; i < 16; i++) {
            CHECK_EQ(blocks[i] != NULL, made);
            CHECK((uintptr_t)blocks[i] % 32 == 0);
        }
    }
    th_allocator_free(allocator, blocks[3]);
    blocks[3] = NULL;
    th_allocator_free_batch(allocator, blocks, 16);
    for (size_t i = 0; i < 16; i++) {
        CHECK(blocks[i] == NULL);
    }
    own.left = SIZE_MAX;
    CHECK(th_allocator_alloc_batch(allocator, 8, 8, blocks, 0));
    CHECK(th_allocator_alloc_batch(allocator, 8, 8, NULL, 0));
    CHECK(!th_allocator_alloc_batch(allocator, 8, 8, NULL, 1));
    CHECK(!th_allocator_alloc_batch(allocator, 0, 8, blocks, 2));
    CHECK(!th_allocator_alloc_batch(allocator, 8, 3, blocks, 2));
    backing_stop(&own);
}

static void a_batch_is_freed_last_first(void) {
    void *blocks[5];
    void *made[5];
    recorder r = {.inner = th_system_allocator()};
    const th_allocator allocator = {&least, &r};
    CHECK(th_allocator_alloc_batch(allocator, 8, 8, blocks, 5));
    memcpy(made, blocks, sizeof made);
    th_allocator_free_batch(allocator, blocks, 5);
    CHECK_EQ(r.frees, 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK(r.freed[i] == made[4 - i]);
    }
}

/* ---- resize ---------------------------------------------------------------------------------- */

static void resize_tells_whether_it_moved(void) {
    recorder r = {.inner = th_system_allocator(), .may_stay = true};
    bool moved = true;
    const th_allocator stays = {&staying, &r};
    unsigned char *block = th_allocator_realloc(stays, NULL, 0, 20, 16, &moved);
    CHECK(block != NULL && !moved && r.calls == 1);
    fill(block, 20, 1);
    moved = true;
    CHECK(th_allocator_realloc(stays, block, 20, 30, 16, &moved) == block && !moved);
    CHECK_EQ(r.calls, 1);
    r.may_stay = false;
    unsigned char *other = th_allocator_realloc(stays, block, 20, 60, 16, &moved);
    CHECK(other != NULL && moved && filled(other, 20, 1));
    CHECK(r.calls == 2 && r.frees == 1);
    other = th_allocator_realloc(stays, other, 20, 5, 16, NULL);
    CHECK(filled(other, 5, 1));
    const th_allocator moves = {&moving, &r};
    CHECK(th_allocator_realloc(moves, other, 5, 50, 16, &moved) == other && !moved);
    CHECK(r.kept == 5 && r.bytes == 50);
    th_allocator_free(moves, other);
}

static void a_failed_resize_keeps_the_original(void) {
    backing own;
    bool moved = true;
    th_allocator allocator = backing_start(&own);
    unsigned char *block = th_allocator_alloc(allocator, 40);
    fill(block, 40, 1);
    own.left = 0;
    CHECK(th_allocator_realloc(allocator, block, 40, 80, 16, &moved) == NULL && !moved);
    CHECK(th_allocator_realloc_array(allocator, block, 5, 10, 8) == NULL);
    CHECK(filled(block, 40, 1));
    th_allocator_free(allocator, block);
    backing_stop(&own);
}

/* ---- adapters -------------------------------------------------------------------------------- */

static void align_everything(th_allocator allocator, size_t alignment_max) {
    for (size_t alignment = 1; alignment <= alignment_max; alignment *= 2) {
        for (size_t bytes = 1; bytes <= 70; bytes += 3) {
            unsigned char *block = th_allocator_alloc_aligned(allocator, bytes, alignment);
            CHECK(block != NULL && (uintptr_t)block % alignment == 0);
            fill(block, bytes, 1);
            bool moved;
            unsigned char *other =
                th_allocator_realloc(allocator, block, bytes, 3 * bytes, alignment, &moved);
            CHECK(other != NULL && (uintptr_t)other % alignment == 0 && filled(other, bytes, 1));
            other = th_allocator_realloc(allocator, other, bytes, 1, alignment, NULL);
            CHECK(other != NULL && (uintptr_t)other % alignment == 0 && filled(other, 1, 1));
            th_allocator_free(allocator, other);
        }
    }
    const size_t common[] = {16, 32, 64, 128, 512};
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        void *block = th_allocator_alloc_aligned(allocator, 100, common[i]);
        CHECK(block != NULL && (uintptr_t)block % common[i] == 0);
        th_allocator_free(allocator, block);
    }
}

/* SIMD 16 to 64, cache lines 64 and 128, DMA 512, pages 4096. */
static void every_power_of_two_by_malloc(void) {
    align_everything(th_system_allocator(), 65536);
}

static void align_on_the_heap(int level) {
    align_everything(heap_start(level), 1024);
    heap_stop();
}

static void every_power_of_two_on_the_heap(void) {
    at_levels(0, align_on_the_heap);
}

static void the_system_has_no_absurd_memory(void) {
    th_allocator allocator = th_system_allocator();
    CHECK(th_allocator_alloc_aligned(allocator, 8, SIZE_MAX / 2 + 1) == NULL);
    unsigned char *block = th_allocator_alloc_aligned(allocator, 30, 64);
    fill(block, 30, 1);
    CHECK(th_allocator_realloc(allocator, block, 30, 30, SIZE_MAX / 2 + 1, NULL) == NULL);
    CHECK(filled(block, 30, 1));
    th_allocator_free(allocator, block);
}

static void use_the_heap(int level) {
    bool moved = true;
    th_fault fault;
    th_allocator allocator = heap_start(level);
    unsigned char *a = th_allocator_alloc(allocator, 40);
    unsigned char *b = th_allocator_alloc(allocator, 40);
    unsigned char *other = th_heap_alloc(&heap, 40, 0x1002);
    fill(a, 40, 1);
    CHECK(th_allocator_owns(allocator, a) && th_allocator_owns(allocator, a + 39));
    CHECK(!th_allocator_owns(allocator, other) && !th_allocator_owns(allocator, &heap));
    CHECK(th_allocator_usable_size(allocator, a) >= 40);
    CHECK(!th_allocator_resize_in_place(allocator, a, 60));
    CHECK(th_allocator_resize_in_place(allocator, a, 20));
    th_allocator_free(allocator, b);
    CHECK(th_allocator_realloc(allocator, a, 20, 60, 16, &moved) == a && !moved);
    CHECK(filled(a, 20, 1));
    a = th_allocator_realloc(allocator, a, 20, 300, 16, &moved);
    CHECK(a != NULL && moved && filled(a, 20, 1));
    CHECK(th_allocator_realloc(allocator, a, 300, REGION_BYTES, 16, &moved) == NULL && !moved);
    CHECK_EQ(th_allocator_check(allocator, &fault), TH_OK);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK(!th_allocator_owns(allocator, a));
    CHECK(th_heap_requested_size(&heap, other) == 40);
    CHECK(th_heap_free(&heap, other) > 0);
    heap_stop();
}

static void the_heap_is_an_allocator_under_one_tag(void) {
    at_levels(0, use_the_heap);
}

typedef struct call_from_move {
    th_allocator allocator;
    void *block;
    unsigned faults;
    th_fault_kind kind;
} call_from_move;

static void count_fault(void *context, const th_fault *fault) {
    call_from_move *c = context;
    c->faults++;
    c->kind = fault->kind;
}

/* The size is known, and the heap refuses all the same. */
static bool resize_while_moving(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    call_from_move *c = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    CHECK(!th_allocator_resize_in_place(c->allocator, c->block, 10));
    return false;
}

static void refuse_from_inside(int level) {
    call_from_move c = {.faults = 0};
    const th_heap_config config = {.alignment = 16,
                                   .guarding.level = level,
                                   .guarding.on_fault = count_fault,
                                   .guarding.fault_context = &c};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    c.allocator = th_heap_allocator(&adapter, &heap, 0x1001);
    void *hole = th_allocator_alloc(c.allocator, 40);
    c.block = th_allocator_alloc(c.allocator, 40);
    th_allocator_free(c.allocator, hole);
    CHECK_EQ(th_heap_compact(&heap, resize_while_moving, &c).blocks_vetoed, 1);
    CHECK(c.faults == 1 && c.kind == TH_FAULT_REENTRY);
    CHECK_EQ(th_heap_requested_size(&heap, c.block), 40);
    th_allocator_free(c.allocator, c.block);
    heap_stop();
}

static void the_heap_refuses_while_it_moves(void) {
    at_levels(0, refuse_from_inside);
}

/* The walk does not get past a broken link; what is wrong has not been reported yet, and is. */
static void move_above_a_broken_link(int level) {
    call_from_move c = {.faults = 0};
    const th_heap_config config = {.alignment = 16,
                                   .guarding.level = level,
                                   .index = TH_HEAP_INDEX_NONE,
                                   .guarding.on_fault = count_fault,
                                   .guarding.fault_context = &c};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    c.allocator = th_heap_allocator(&adapter, &heap, 0x1001);
    (void)th_allocator_alloc(c.allocator, 40);
    (void)th_allocator_alloc(c.allocator, 40);
    unsigned char *block = th_allocator_alloc(c.allocator, 40);
    (void)th_allocator_alloc(c.allocator, 40);
    fill(block, 40, 1);
    unsigned char *link = region + sizeof(uint32_t); /* of FIRST: dword 1, the next block */
    unsigned char was[sizeof(uint32_t)];
    for (size_t i = 0; i < sizeof was; i++) {
        was[i] = poke(link + i, 0xFF);
    }
    CHECK(th_allocator_realloc(c.allocator, block, 40, 400, 16, NULL) == NULL);
    CHECK(c.faults >= 1);
    for (size_t i = 0; i < sizeof was; i++) {
        (void)poke(link + i, was[i]);
    }
    CHECK(filled(block, 40, 1));
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK_EQ(th_allocator_reset(c.allocator), TH_OK);
    heap_stop();
}

static void a_broken_heap_is_no_bad_pointer(void) {
    at_levels(1, move_above_a_broken_link);
}

/* ---- when memory is short -------------------------------------------------------------------- */

static bool give_way(void *context, th_heap *short_heap, size_t bytes) {
    void **cached = context;
    (void)bytes;
    bool had = *cached != NULL;
    (void)th_heap_free(short_heap, *cached);
    *cached = NULL;
    return had;
}

/* A cache gives way when the heap is full, and the request is tried again. */
static void a_low_memory_callback_frees_and_the_request_succeeds(void) {
    void *cached = NULL;
    const th_heap_config config = {
        .alignment = 16, .low_memory = give_way, .low_memory_context = &cached};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    th_allocator allocator = th_heap_allocator(&adapter, &heap, 0x1001);
    cached = th_heap_alloc(&heap, 3000, 0x1002);
    unsigned char *block = th_allocator_alloc(allocator, 2000);
    CHECK(block != NULL && cached == NULL);
    CHECK(th_allocator_alloc(allocator, 3000) == NULL);
    th_allocator_free(allocator, block);
    heap_stop();
}

/* What does not fit into the memory at hand goes to the backing, and nobody need know. */
static void an_allocator_falls_back_on_its_backing(void) {
    backing own;
    th_arena arena;
    const th_arena_config config = {
        .backing = backing_start(&own), .memory = region, .memory_bytes = 512};
    CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
    th_allocator allocator = th_arena_allocator(&arena);
    CHECK(th_allocator_alloc(allocator, 100) != NULL && own.live == 0);
    CHECK(th_allocator_alloc(allocator, 1000) != NULL && own.live == 1);
    own.left = 0;
    CHECK(th_allocator_alloc(allocator, 5000) == NULL);
    CHECK(th_allocator_alloc(allocator, 100) != NULL);
    th_arena_clean_up(&arena);
    backing_stop(&own);
}

/* Where the bytes of a buffer lie as it grows, in a chain of fallbacks. */
typedef enum place { ON_THE_STACK, IN_THE_BUFFER, IN_THE_HEAP, NOWHERE } place;

typedef struct chain {
    TH_ALLOCATOR_ALIGNAS unsigned char stack[64];
    TH_ALLOCATOR_ALIGNAS unsigned char buffer[1024];
    th_arena arena; /* of the buffer, and then of the heap */
    th_hybrid hybrid;
    void *cached; /* in the heap: gives way when that is full */
} chain;

static void chain_start(chain *c, int level) {
    const th_heap_config below = {.alignment = 16,
                                  .guarding.level = level,
                                  .low_memory = give_way,
                                  .low_memory_context = &c->cached};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &below), TH_OK);
    c->cached = th_heap_alloc(&heap, 3000, 0x1002);
    const th_arena_config middle = {.backing = th_heap_allocator(&adapter, &heap, 0x1001),
                                    .memory = c->buffer,
                                    .memory_bytes = sizeof c->buffer,
                                    .chunk_bytes = 256};
    CHECK_EQ(th_arena_init(&c->arena, &middle), TH_OK);
    const th_hybrid_config top = {.backing = th_arena_allocator(&c->arena)};
    CHECK_EQ(th_hybrid_init(&c->hybrid, c->stack, sizeof c->stack, &top), TH_OK);
}

static place place_of(chain *c) {
    unsigned char *data = th_hybrid_data(&c->hybrid);
    if (data == c->stack) {
        return ON_THE_STACK;
    }
    if (th_allocator_owns(th_heap_allocator(&adapter, &heap, 0x1001), data)) {
        return IN_THE_HEAP;
    }
    return data >= c->buffer && data < c->buffer + sizeof c->buffer ? IN_THE_BUFFER : NOWHERE;
}

/* Each strategy serves what the one before it cannot, in this order: the stack, the buffer, the
 * heap, the heap without its cache, a smaller request. The contents go along, and a strategy that
 * fails, too, changes nothing. */
static void fall_back_step_by_step(int level) {
    chain c;
    chain_start(&c, level);
    CHECK_EQ(th_hybrid_resize(&c.hybrid, 50), TH_OK);
    fill(th_hybrid_data(&c.hybrid), 50, 1);
    CHECK_EQ(place_of(&c), ON_THE_STACK);
    CHECK_EQ(th_hybrid_resize(&c.hybrid, 400), TH_OK);
    CHECK_EQ(place_of(&c), IN_THE_BUFFER);
    CHECK_EQ(stats_of(&heap).head_blocks, 1);
    CHECK_EQ(th_hybrid_resize(&c.hybrid, 1100), TH_OK);
    CHECK_EQ(place_of(&c), IN_THE_HEAP);
    CHECK(c.cached == NULL); /* it was in the way */
    CHECK_EQ(stats_of(&heap).head_blocks, 1);
    CHECK(filled(th_hybrid_data(&c.hybrid), 50, 1));
    fill(th_hybrid_data(&c.hybrid), 1100, 2);
    CHECK_EQ(th_hybrid_resize(&c.hybrid, 5000), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_hybrid_size(&c.hybrid), 1100);
    CHECK_EQ(place_of(&c), IN_THE_HEAP);
    CHECK(filled(th_hybrid_data(&c.hybrid), 1100, 2));
    size_t bytes = 5000;
    while (th_hybrid_resize(&c.hybrid, bytes) != TH_OK) {
        bytes /= 2;
    }
    CHECK_EQ(bytes, 2500);
    CHECK(filled(th_hybrid_data(&c.hybrid), 1100, 2));
    CHECK_EQ(th_allocator_check(th_arena_allocator(&c.arena), NULL), TH_OK);
    th_hybrid_clean_up(&c.hybrid);
    th_arena_clean_up(&c.arena);
    heap_stop();
}

static void each_fallback_serves_what_the_one_before_cannot(void) {
    at_levels(0, fall_back_step_by_step);
}

/* An arena over a bump heap over a block of the tagged heap. */
static void allocators_compose(void) {
    th_bump bump;
    th_arena arena;
    th_allocator below = heap_start(0);
    unsigned char *piece = th_allocator_alloc(below, 3000);
    CHECK_EQ(th_bump_init(&bump, piece, 3000, NULL), TH_OK);
    const th_arena_config config = {.backing = th_bump_allocator(&bump), .chunk_bytes = 512};
    CHECK_EQ(th_arena_init(&arena, &config), TH_OK);
    th_allocator allocator = th_arena_allocator(&arena);
    size_t blocks = 0;
    while (th_allocator_alloc(allocator, 100) != NULL) {
        blocks++;
    }
    CHECK(blocks >= 15);
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    th_arena_clean_up(&arena);
    th_bump_clean_up(&bump);
    th_allocator_free(below, piece);
    heap_stop();
}

TH_SUITE("allocator", TEST(an_allocator_without_table_has_no_memory),
         TEST(optional_functions_may_be_missing), TEST(a_table_sees_only_possible_requests),
         TEST(to_resize_to_nothing_is_to_free), TEST(overflowing_counts_are_refused),
         TEST(zeroed_memory_is_zero), TEST(copies_are_exact), TEST(a_batch_is_all_or_nothing),
         TEST(a_batch_is_freed_last_first), TEST(resize_tells_whether_it_moved),
         TEST(a_failed_resize_keeps_the_original), TEST(every_power_of_two_by_malloc),
         TEST(every_power_of_two_on_the_heap), TEST(the_system_has_no_absurd_memory),
         TEST(the_heap_is_an_allocator_under_one_tag), TEST(the_heap_refuses_while_it_moves),
         TEST(a_broken_heap_is_no_bad_pointer),
         TEST(a_low_memory_callback_frees_and_the_request_succeeds),
         TEST(an_allocator_falls_back_on_its_backing),
         TEST(each_fallback_serves_what_the_one_before_cannot), TEST(allocators_compose))
