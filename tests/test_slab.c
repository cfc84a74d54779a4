/* SPDX-License-Identifier: MIT */
/* The slab allocator: what it promises at every guard level. test_slab_guards.c has what guards
 * notice. */
#include <string.h>

#include "alloc/slab.h"
#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/pages.h"

enum { OBJECTS_MAX = 4096 };

static fault_log faults;
static backing slabs;
static th_slab slab;

static void start(const th_slab_config *config) {
    CHECK_EQ(th_slab_init(&slab, config), TH_OK);
    CHECK_EQ(th_slab_check(&slab, NULL), TH_OK);
}

static void stop(void) {
    CHECK_EQ(th_slab_check(&slab, NULL), TH_OK);
    CHECK_EQ(faults.count, 0);
    th_slab_clean_up(&slab);
    static const th_slab zeroed;
    CHECK(memcmp(&slab, &zeroed, sizeof slab) == 0);
    CHECK(th_slab_alloc(&slab) == NULL);
    CHECK(th_slab_alloc_bytes(&slab, 1) == NULL);
    th_slab_free(&slab, &slab);
    CHECK(!th_slab_resize_in_place(&slab, &slab, 1));
    CHECK_EQ(th_slab_requested_size(&slab, &slab), 0);
    CHECK(!th_slab_owns(&slab, &slab));
    CHECK_EQ(th_slab_reset(&slab), TH_ERR_NULL);
    CHECK_EQ(th_slab_trim(&slab), 0);
    CHECK(memcmp(&slab, &zeroed, sizeof slab) == 0);
}

static unsigned char *take(size_t bytes, uint32_t seed) {
    unsigned char *object = th_slab_alloc_bytes(&slab, bytes);
    CHECK(object != NULL);
    fill(object, bytes, seed);
    return object;
}

static void *head_of(unsigned char *object) {
    return object - (uintptr_t)object % slab.slab_bytes;
}

/* ---- objects -------------------------------------------------------------------------------- */

static void fill_three_slabs(int level, size_t bytes, size_t alignment, bool mapped) {
    static unsigned char *objects[OBJECTS_MAX];
    th_slab_config config = {.object_bytes = bytes,
                             .alignment = alignment,
                             .slab_bytes = mapped ? th_pages_size() : 2048,
                             .backing = mapped ? (th_allocator){0} : backing_start(&slabs),
                             .guarding = guarding_with(&faults, level)};
    start(&config);
    size_t capacity = slab.capacity;
    CHECK(capacity > 0 && 3 * capacity <= OBJECTS_MAX);
    for (size_t i = 0; i < 3 * capacity; i++) {
        objects[i] = take(bytes, (uint32_t)i);
        CHECK_EQ((uintptr_t)objects[i] % (alignment != 0 ? alignment : sizeof(void *)), 0);
        CHECK_EQ((uintptr_t)objects[i] % slab.slab_bytes,
                 slab.first + i % capacity * slab.stride); /* one after the other */
    }
    CHECK_EQ(th_slab_get_stats(&slab).slabs, 3);
    CHECK_EQ(th_slab_get_stats(&slab).capacity, 3 * capacity);
    for (size_t i = 0; i < 3 * capacity; i++) {
        CHECK(filled(objects[i], bytes, (uint32_t)i));
        CHECK(th_slab_owns(&slab, objects[i]) && th_slab_owns(&slab, objects[i] + bytes - 1));
        CHECK_EQ(th_slab_requested_size(&slab, objects[i]), bytes);
        CHECK(i % capacity != 0 || !th_slab_owns(&slab, head_of(objects[i])));
        th_slab_free(&slab, objects[i]);
        CHECK(!th_slab_owns(&slab, objects[i]));
    }
    th_slab_stats stats = th_slab_get_stats(&slab);
    CHECK_EQ(stats.live, 0);
    CHECK_EQ(stats.live_max, 3 * capacity);
    CHECK_EQ(stats.slabs, 1);
    CHECK_EQ(stats.empty_slabs, 1);
    CHECK_EQ(stats.slabs_made, 3);
    CHECK_EQ(stats.slabs_returned, 2);
    stop();
    if (!mapped) {
        backing_stop(&slabs);
    }
}

static void sizes_and_alignments(int level) {
    static const size_t bytes[] = {1, 8, 9, 24, 100, 250, 260, 600};
    for (size_t i = level == 3 ? 3 : 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        for (size_t alignment = 0; alignment <= 64;
             alignment = alignment != 0 ? alignment * 2 : 8) {
            fill_three_slabs(level, bytes[i], alignment, false);
            fill_three_slabs(level, bytes[i], alignment, true);
        }
    }
}

static void every_object_of_every_slab_is_usable(void) {
    at_levels(0, sizes_and_alignments);
}

/* Never a byte more than the slab, never room left for one object more. */
static void slabs_hold_as_many_objects_as_fit(void) {
    for (size_t stride = 8; stride <= 2048; stride += 8) {
        size_t alignment_max = stride & (0 - stride);
        for (size_t alignment = 8; alignment <= alignment_max; alignment *= 2) {
            th_slab_layout layout = th_slab_lay_out(4096, stride, alignment);
            size_t end = layout.first + layout.capacity * stride;
            if (alignment == 2048) { /* the wall after the object has no room */
                CHECK_EQ(layout.capacity, 0);
                continue;
            }
            CHECK(layout.capacity >= 1);
            CHECK_EQ(layout.first % alignment, 0);
            CHECK(layout.first >= sizeof(th_slab_head) + layout.capacity + 16);
            CHECK(end + 16 <= 4096);
            CHECK(4096 - end - 16 < stride + alignment);
        }
    }
    CHECK_EQ(th_slab_lay_out(4096, 4096, 4096).capacity, 0);
    CHECK_EQ(th_slab_lay_out(64, 8, 8).capacity, 0);
}

static void requested_sizes(int level) {
    th_slab_config config = {.object_bytes = 700,
                             .slab_bytes = 4096,
                             .backing = backing_start(&slabs),
                             .guarding = guarding_with(&faults, level)};
    start(&config);
    unsigned char *object = take(1, 5);
    CHECK(!th_slab_owns(&slab, object + slab.stride)); /* never used */
    for (size_t bytes = 1; bytes <= 700; bytes++) {
        CHECK(th_slab_resize_in_place(&slab, object, bytes));
        CHECK_EQ(th_slab_requested_size(&slab, object), bytes);
        fill(object, bytes, 5);
        size_t smaller = 1 + bytes * 7 % bytes;
        CHECK(th_slab_resize_in_place(&slab, object, smaller));
        CHECK(filled(object, smaller, 5));
    }
    CHECK(!th_slab_resize_in_place(&slab, object, 701));
    CHECK(!th_slab_resize_in_place(&slab, object, 0));
    CHECK(!th_slab_resize_in_place(&slab, NULL, 5));
    CHECK_EQ(th_slab_requested_size(&slab, NULL), 0);
    CHECK(th_slab_alloc_bytes(&slab, 0) == NULL);
    CHECK(th_slab_alloc_bytes(&slab, 701) == NULL);
    CHECK_EQ(th_slab_get_stats(&slab).failed_allocs, 0);
    stop();
    backing_stop(&slabs);
}

static void the_requested_size_is_remembered(void) {
    at_levels(0, requested_sizes);
}

/* Each size as it is allocated, in a slab that has a live object and free ones. */
static void sizes_at_allocation(int level) {
    th_slab_config config = {.object_bytes = 700,
                             .slab_bytes = 4096,
                             .backing = backing_start(&slabs),
                             .guarding = guarding_with(&faults, level)};
    start(&config);
    (void)take(700, 1);
    for (size_t bytes = 1; bytes <= 700; bytes++) {
        unsigned char *object = take(bytes, 2);
        CHECK_EQ(th_slab_requested_size(&slab, object), bytes);
        th_slab_free(&slab, object);
    }
    CHECK(th_slab_alloc_bytes(&slab, 0) == NULL);
    CHECK(th_slab_alloc_bytes(&slab, 701) == NULL);
    CHECK(th_slab_alloc_bytes(&slab, 704) == NULL);
    CHECK(th_slab_alloc_bytes(&slab, SIZE_MAX) == NULL);
    stop();
    config.object_bytes = 30;
    start(&config);
    (void)take(30, 1);
    CHECK_EQ(th_slab_requested_size(&slab, th_slab_alloc(&slab)), 30);
    CHECK(th_slab_alloc_bytes(&slab, 0) == NULL);
    CHECK(th_slab_alloc_bytes(&slab, 31) == NULL);
    stop();
    config.object_bytes = 100; /* far from its end */
    config.alignment = 512;
    start(&config);
    (void)take(100, 1);
    CHECK_EQ(th_slab_requested_size(&slab, th_slab_alloc(&slab)), 100);
    stop();
    backing_stop(&slabs);
}

static void the_size_of_a_request_is_remembered(void) {
    at_levels(0, sizes_at_allocation);
}

/* The reciprocal finds every object: at the limits, nearly 2^27 of them, a few. */
static void an_offset_leads_to_its_object(void) {
    static const size_t strides[] = {8, 16, 24, 40, 56, 72, 1000, 4104, 65544, (1 << 20) + 8};
    for (size_t s = 0; s < sizeof strides / sizeof strides[0]; s++) {
        th_slab_config config = {.object_bytes = strides[s],
                                 .slab_bytes = TH_SLAB_BYTES_MAX,
                                 .backing = th_system_allocator()};
        CHECK_EQ(th_slab_init(&slab, &config), TH_OK);
        CHECK_EQ(slab.stride, strides[s]);
        for (uint32_t i = 0; i < slab.capacity; i += 1 + i / 64) {
            uint32_t mirrored = slab.capacity - 1 - i;
            CHECK_EQ(th_slab_index(&slab, i * strides[s]), i);
            CHECK_EQ(th_slab_index(&slab, mirrored * strides[s]), mirrored);
        }
    }
    th_slab_clean_up(&slab);
}

/* ---- slabs ---------------------------------------------------------------------------------- */

static void empty_slabs(uint32_t max, size_t kept) {
    unsigned char *objects[40];
    th_slab_config config = {.object_bytes = 400,
                             .slab_bytes = 2048,
                             .empty_slabs_max = max,
                             .backing = backing_start(&slabs),
                             .guarding = guarding_with(&faults, 1)};
    start(&config);
    CHECK_EQ(slab.capacity, 4);
    for (uint32_t i = 0; i < 40; i++) {
        objects[i] = take(400, i);
    }
    CHECK_EQ(slabs.live, 10);
    for (uint32_t i = 0; i < 40; i++) {
        th_slab_free(&slab, objects[(i * 7) % 40]);
    }
    CHECK_EQ(th_slab_get_stats(&slab).empty_slabs, kept);
    CHECK_EQ(slabs.live, kept);
    CHECK_EQ(th_slab_trim(&slab), kept);
    CHECK_EQ(slabs.live, 0);
    stop();
    backing_stop(&slabs);
}

static void empty_slabs_are_returned_but_for_a_few(void) {
    empty_slabs(0, 1);
    empty_slabs(3, 3);
    empty_slabs(100, 10);
    empty_slabs(TH_SLAB_KEEP_NONE, 0);
}

static void partial_slabs_are_used_first(void) {
    unsigned char *objects[12];
    th_slab_config config = {
        .object_bytes = 400, .slab_bytes = 2048, .backing = backing_start(&slabs)};
    start(&config);
    for (uint32_t i = 0; i < 12; i++) {
        objects[i] = take(400, i);
    }
    for (uint32_t i = 4; i < 8; i++) {
        th_slab_free(&slab, objects[i]); /* an empty slab */
    }
    th_slab_free(&slab, objects[1]);
    th_slab_free(&slab, objects[10]);
    th_slab_free(&slab, objects[2]);
    CHECK_PTR_EQ(take(400, 0), objects[10]); /* that slab became partial last */
    CHECK_PTR_EQ(take(400, 0), objects[2]);
    CHECK_PTR_EQ(take(400, 0), objects[1]);
    CHECK_PTR_EQ(take(400, 0), objects[7]);
    CHECK_EQ(th_slab_get_stats(&slab).slabs_made, 3);
    stop();
    backing_stop(&slabs);
}

static void limits_and_failures_are_exact(void) {
    th_slab_config config = {
        .object_bytes = 400, .slab_bytes = 2048, .slabs_max = 2, .backing = backing_start(&slabs)};
    start(&config);
    for (uint32_t i = 0; i < 8; i++) {
        (void)take(400, i);
    }
    CHECK(th_slab_alloc(&slab) == NULL);
    CHECK_EQ(slabs.refusals, 0);
    CHECK_EQ(th_slab_get_stats(&slab).failed_allocs, 1);
    stop();
    config.slabs_max = 0;
    start(&config);
    slabs.left = 1;
    for (uint32_t i = 0; i < 4; i++) {
        (void)take(400, i);
    }
    CHECK(th_slab_alloc(&slab) == NULL);
    CHECK_EQ(slabs.refusals, 1);
    slabs.left = 1;
    CHECK(th_slab_alloc(&slab) != NULL);
    stop();
    backing_stop(&slabs);
}

static void reset_at(int level) {
    th_slab_config config = {.object_bytes = 400,
                             .slab_bytes = 2048,
                             .empty_slabs_max = 2,
                             .backing = backing_start(&slabs),
                             .guarding = guarding_with(&faults, level)};
    start(&config);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 14; i++) {
            (void)take(400, i);
        }
        CHECK_EQ(th_slab_reset(&slab), TH_OK);
        CHECK_EQ(th_slab_get_stats(&slab).live, 0);
        CHECK_EQ(th_slab_get_stats(&slab).slabs, 2);
        CHECK_EQ(slabs.live, 2);
    }
    stop();
    backing_stop(&slabs);
}

static void reset_frees_everything(void) {
    at_levels(0, reset_at);
}

static void colours_differ_from_slab_to_slab(void) {
    th_slab_config config = {.object_bytes = 600,
                             .slab_bytes = 4096,
                             .coloured = true,
                             .backing = backing_start(&slabs)};
    start(&config);
    CHECK(slab.colours > 1);
    size_t starts[8];
    for (size_t s = 0; s < 8; s++) {
        starts[s] = (uintptr_t)take(600, 0) % 4096;
        CHECK_EQ(starts[s], slab.first + s % slab.colours * 64);
        for (size_t i = 1; i < slab.capacity; i++) {
            CHECK_EQ((uintptr_t)take(600, 0) % 4096, starts[s] + i * slab.stride);
        }
    }
    CHECK_EQ(slab.live, 8 * slab.capacity);
    stop();
    backing_stop(&slabs);
    config.alignment = 128;
    start(&config);
    CHECK_EQ(slab.colour_step, 128);
    (void)take(600, 0);
    stop();
}

/* Mapped slabs go back to the system: their addresses can be mapped again. */
static void mapped_slabs_are_unmapped(void) {
    th_slab_config config = {.object_bytes = 5000, .empty_slabs_max = TH_SLAB_KEEP_NONE};
    start(&config);
    CHECK(slab.slab_bytes >= TH_SLAB_BYTES_PAGES);
    unsigned char *object = take(5000, 1);
    unsigned char *base = object - (uintptr_t)object % slab.slab_bytes;
    th_slab_free(&slab, object);
    CHECK_EQ(th_pages_commit(base, slab.slab_bytes), TH_ERR_EXHAUSTED); /* nothing is there */
    stop();
}

/* ---- bad requests --------------------------------------------------------------------------- */

static void expect_refused(th_status expected, th_slab_config config) {
    memset(&slab, 0x3C, sizeof slab);
    th_slab before = slab;
    CHECK_EQ(th_slab_init(&slab, &config), expected);
    CHECK(memcmp(&slab, &before, sizeof slab) == 0);
}

#define EXPECT_REFUSED(expected, ...) expect_refused(expected, (th_slab_config){__VA_ARGS__})

static void bad_configs_are_refused(void) {
    th_slab_config config = {.object_bytes = 8};
    size_t page = th_pages_size();
    CHECK_EQ(th_slab_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_slab_init(&slab, NULL), TH_ERR_NULL);
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 0);
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8, .guarding = {.level = 4});
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8, .guarding = {.level = -1});
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8, .slab_bytes = 3 * page);
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8, .slab_bytes = page / 2);
    EXPECT_REFUSED(TH_ERR_ALIGNMENT, .object_bytes = 8, .alignment = 24);
    EXPECT_REFUSED(TH_ERR_TOO_LARGE, .object_bytes = TH_SLAB_BYTES_MAX + 1);
    EXPECT_REFUSED(TH_ERR_TOO_LARGE, .object_bytes = TH_SLAB_BYTES_MAX / 4);
    EXPECT_REFUSED(TH_ERR_TOO_LARGE, .object_bytes = SIZE_MAX);
    EXPECT_REFUSED(TH_ERR_TOO_LARGE, .object_bytes = 8, .alignment = TH_SLAB_BYTES_MAX * 2);
    EXPECT_REFUSED(TH_ERR_TOO_LARGE, .object_bytes = 8, .slab_bytes = TH_SLAB_BYTES_MAX * 2);
    EXPECT_REFUSED(TH_ERR_TOO_SMALL, .object_bytes = page, .slab_bytes = page);
    EXPECT_REFUSED(TH_ERR_TOO_SMALL, .object_bytes = 8, .slab_bytes = 32,
                   .backing = th_system_allocator());
    th_slab_clean_up(NULL);
}

/* ---- as an allocator ------------------------------------------------------------------------ */

static void use_as_allocator(int level) {
    th_slab_config config = {.object_bytes = 40,
                             .alignment = 16,
                             .backing = backing_start(&slabs),
                             .guarding = guarding_with(&faults, level)};
    start(&config);
    th_allocator allocator = th_slab_allocator(&slab);
    char *text = th_allocator_duplicate_string(allocator, "slab", 40);
    CHECK(text != NULL && strcmp(text, "slab") == 0);
    CHECK(th_allocator_alloc(allocator, 41) == NULL);
    CHECK(th_allocator_alloc_aligned(allocator, 8, 32) == NULL);
    CHECK_EQ(th_allocator_usable_size(allocator, text), 40);
    CHECK(th_allocator_owns(allocator, text));
    CHECK(!th_allocator_owns(allocator, &slab));
    bool moved = true;
    CHECK_PTR_EQ(th_allocator_realloc(allocator, text, 5, 40, 16, &moved), text);
    CHECK(!moved && strcmp(text, "slab") == 0);
    CHECK(th_allocator_realloc(allocator, text, 5, 41, 16, &moved) == NULL);
    th_allocator_free(allocator, text);
    CHECK(!th_allocator_owns(allocator, text));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    CHECK(th_allocator_alloc(allocator, 1) != NULL);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    stop();
    backing_stop(&slabs);
}

static void it_works_as_an_allocator(void) {
    at_levels(0, use_as_allocator);
}

/* A composition: slabs out of the tagged heap. */
static void slabs_may_come_from_the_tagged_heap(void) {
    static uint32_t region[8 * 1024];
    static th_heap heap;
    th_tagged_allocator adapter;
    const th_heap_config heap_config = {.guarding.level = th_guard_max()};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &heap_config), TH_OK);
    th_slab_config config = {.object_bytes = 100,
                             .slab_bytes = 1024,
                             .backing = th_heap_allocator(&adapter, &heap, 0x1001),
                             .guarding = guarding_with(&faults, 3)};
    start(&config);
    unsigned char *objects[60];
    for (uint32_t i = 0; i < 60; i++) {
        objects[i] = take(100, i);
    }
    for (uint32_t i = 0; i < 60; i++) {
        CHECK(filled(objects[i], 100, i));
        th_slab_free(&slab, objects[i]);
    }
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    stop();
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
}

/* ---- two that must agree --------------------------------------------------------------------- */

enum { TWIN_SLABS_MAX = 64, TWIN_SLOTS = 90 };

/* An allocator, and which of its slabs lies where: number n was the nth that was made. */
typedef struct twin {
    th_slab slab;
    backing backing;
    uintptr_t bases[TWIN_SLABS_MAX]; /* of the latest ones, number n at n % TWIN_SLABS_MAX */
    uint64_t made;
    void *objects[TWIN_SLOTS];
} twin;

static twin twins[2];

static void twin_start(twin *t, th_slab_config config, int level) {
    *t = (twin){.made = 0};
    config.backing = backing_start(&t->backing);
    config.guarding = guarding_with(&faults, level);
    CHECK_EQ(th_slab_init(&t->slab, &config), TH_OK);
}

/* Where an object lies: the number of its slab, and how far from the start of that. */
static uint64_t twin_place(twin *t, const void *object) {
    uintptr_t offset = (uintptr_t)object % t->slab.slab_bytes;
    uintptr_t base = (uintptr_t)object - offset;
    if (object == NULL) {
        return UINT64_MAX;
    }
    if (t->slab.slabs_made != t->made) {
        t->made++;
        t->bases[t->made % TWIN_SLABS_MAX] = base;
    }
    uint64_t number = t->made;
    while (t->bases[number % TWIN_SLABS_MAX] != base) {
        number--;
    }
    return number << 32 | offset;
}

static void expect_equal_stats(const th_slab *one, const th_slab *other) {
    th_slab_stats a = th_slab_get_stats(one);
    th_slab_stats b = th_slab_get_stats(other);
    CHECK_EQ(a.live, b.live);
    CHECK_EQ(a.live_max, b.live_max);
    CHECK_EQ(a.slabs, b.slabs);
    CHECK_EQ(a.empty_slabs, b.empty_slabs);
    CHECK_EQ(a.slabs_made, b.slabs_made);
    CHECK_EQ(a.slabs_returned, b.slabs_returned);
    CHECK_EQ(a.failed_allocs, b.failed_allocs);
}

/* One step of both; the first one has no guards. Its phase makes slabs come and go. */
static void twins_step(uint64_t random, uint32_t step) {
    size_t slot = (size_t)random % (step / 400 % 2 == 0 ? TWIN_SLOTS : TWIN_SLOTS / 8);
    size_t bytes = 1 + (size_t)(random >> 32) % twins[0].slab.config.object_bytes;
    bool whole = random >> 62 != 0;
    for (size_t i = 0; i < 2; i++) {
        twin *t = &twins[i];
        if (random >> 52 == 5) {
            CHECK_EQ(th_slab_reset(&t->slab), TH_OK);
            memset(t->objects, 0, sizeof t->objects);
        } else if (t->objects[slot] != NULL) {
            th_slab_free(&t->slab, t->objects[slot]);
            t->objects[slot] = NULL;
        } else {
            t->objects[slot] =
                whole ? th_slab_alloc(&t->slab) : th_slab_alloc_bytes(&t->slab, bytes);
        }
    }
    CHECK_EQ(twin_place(&twins[0], twins[0].objects[slot]),
             twin_place(&twins[1], twins[1].objects[slot]));
    if (twins[0].objects[slot] != NULL) {
        CHECK_EQ(th_slab_requested_size(&twins[0].slab, twins[0].objects[slot]),
                 th_slab_requested_size(&twins[1].slab, twins[1].objects[slot]));
    }
    expect_equal_stats(&twins[0].slab, &twins[1].slab);
}

static void play_twins(int level, uint64_t seed, th_slab_config config) {
    uint64_t state = seed;
    twin_start(&twins[0], config, 0);
    twin_start(&twins[1], config, level);
    for (uint32_t step = 0; step < 4000; step++) {
        twins_step(th_test_random(&state), step);
        if (step % 50 == 0) {
            CHECK_EQ(th_slab_check(&twins[0].slab, NULL), TH_OK);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        th_slab_clean_up(&twins[i].slab);
        backing_stop(&twins[i].backing);
    }
    CHECK_EQ(faults.count, 0);
}

/* The quick way, which is level 0's, and the careful one decide the same. */
static void play_all_twins(int level) {
    static const size_t sizes[] = {8, 30, 120, 500};
    uint64_t seed = th_test_seed(5);
    for (size_t i = 0; i < 8; i++) {
        th_slab_config config = {.object_bytes = sizes[i / 2],
                                 .slab_bytes = 1024,
                                 .empty_slabs_max = i % 2 == 0 ? 0 : TH_SLAB_KEEP_NONE,
                                 .coloured = i % 2 == 0,
                                 .slabs_max = i % 3 == 0 ? 5 : 0};
        play_twins(level, seed + i, config);
    }
}

static void guards_change_no_decision(void) {
    play_all_twins(1);
    play_all_twins(2);
}

/* ---- against a model ------------------------------------------------------------------------ */

static void play_at_random(int level, uint64_t seed, th_slab_config config) {
    enum { SLOTS = 60 };
    unsigned char *objects[SLOTS] = {NULL};
    size_t sizes[SLOTS] = {0};
    uint64_t state = seed;
    config.backing = backing_start(&slabs);
    config.guarding = guarding_with(&faults, level);
    start(&config);
    size_t live = 0;
    for (uint32_t step = 0; step < 1500; step++) {
        uint64_t random = th_test_random(&state);
        size_t slot = (size_t)random % SLOTS;
        size_t bytes = 1 + (size_t)(random >> 24) % config.object_bytes;
        if (objects[slot] == NULL) {
            objects[slot] = th_slab_alloc_bytes(&slab, bytes);
            if (objects[slot] == NULL) {
                CHECK_EQ(live, slab.capacity * config.slabs_max);
                continue;
            }
            live++;
            sizes[slot] = bytes;
            fill(objects[slot], bytes, (uint32_t)slot);
            continue;
        }
        CHECK(filled(objects[slot], sizes[slot], (uint32_t)slot));
        CHECK_EQ(th_slab_requested_size(&slab, objects[slot]), sizes[slot]);
        if (random >> 60 == 0) {
            CHECK(th_slab_resize_in_place(&slab, objects[slot], bytes));
            CHECK(filled(objects[slot], bytes < sizes[slot] ? bytes : sizes[slot], (uint32_t)slot));
            sizes[slot] = bytes;
            fill(objects[slot], bytes, (uint32_t)slot);
        } else {
            th_slab_free(&slab, objects[slot]);
            objects[slot] = NULL;
            live--;
        }
        CHECK_EQ(th_slab_get_stats(&slab).live, live);
        CHECK_EQ(th_slab_get_stats(&slab).slabs, slabs.live);
        if (step % 50 == 0) {
            CHECK_EQ(th_slab_check(&slab, NULL), TH_OK);
        }
    }
    stop();
    backing_stop(&slabs);
}

static void play_all(int level) {
    uint64_t seed = th_test_seed(2);
    static const size_t sizes[] = {8, 30, 120, 300};
    for (size_t i = 0; i < 8; i++) {
        th_slab_config config = {.object_bytes = sizes[i / 2],
                                 .slab_bytes = 1024,
                                 .empty_slabs_max = i % 2 == 0 ? 0 : TH_SLAB_KEEP_NONE,
                                 .coloured = i % 2 == 0,
                                 .slabs_max = 2 + i};
        play_at_random(level, seed + i, config);
    }
}

static void random_use_agrees_with_a_model(void) {
    at_levels(0, play_all);
}

TH_SUITE("slab", TEST(every_object_of_every_slab_is_usable),
         TEST(slabs_hold_as_many_objects_as_fit), TEST(the_requested_size_is_remembered),
         TEST(the_size_of_a_request_is_remembered), TEST(an_offset_leads_to_its_object),
         TEST(empty_slabs_are_returned_but_for_a_few), TEST(partial_slabs_are_used_first),
         TEST(limits_and_failures_are_exact), TEST(reset_frees_everything),
         TEST(colours_differ_from_slab_to_slab), TEST(mapped_slabs_are_unmapped),
         TEST(bad_configs_are_refused), TEST(it_works_as_an_allocator),
         TEST(slabs_may_come_from_the_tagged_heap), TEST(guards_change_no_decision),
         TEST(random_use_agrees_with_a_model))
