/* SPDX-License-Identifier: MIT */
/* The pool: what it promises at every guard level. test_pool_guards.c has what guards notice. */
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/bump.h"
#include "tagheap/pool.h"

TH_ALLOCATOR_ALIGNAS static unsigned char memory[8192];

static fault_log faults;
static backing chunks;
static th_pool pool;

static void start(const th_pool_config *config) {
    CHECK_EQ(th_pool_init(&pool, config), TH_OK);
    CHECK_EQ(th_pool_check(&pool, NULL), TH_OK);
}

static void stop(void) {
    CHECK_EQ(th_pool_check(&pool, NULL), TH_OK);
    CHECK_EQ(faults.count, 0);
    th_pool_clean_up(&pool);
    static const th_pool zeroed;
    CHECK(memcmp(&pool, &zeroed, sizeof pool) == 0);
    CHECK(th_pool_alloc(&pool) == NULL);
    CHECK(th_pool_take(&pool, NULL) == NULL);
    th_pool_free(&pool, memory);
    CHECK(th_pool_alloc(&pool) == NULL);
}

static void *take(uint32_t seed) {
    void *object = th_pool_alloc(&pool);
    CHECK(object != NULL);
    fill(object, pool.config.object_bytes, seed);
    return object;
}

/* ---- over the caller's memory --------------------------------------------------------------- */

static void take_all_and_give_back(int level, size_t bytes, size_t alignment, bool beside) {
    static unsigned char *objects[sizeof memory];
    th_pool_config config = {.object_bytes = bytes,
                             .alignment = alignment,
                             .memory = memory,
                             .memory_bytes = sizeof memory,
                             .links_beside = beside,
                             .guarding = guarding_with(&faults, level)};
    start(&config);
    th_pool_stats stats = th_pool_get_stats(&pool);
    size_t count = (size_t)stats.capacity;
    CHECK(th_pool_bytes(&config, count) <= sizeof memory);
    CHECK(th_pool_bytes(&config, count + 1) > sizeof memory);
    for (size_t i = 0; i < count; i++) {
        objects[i] = take((uint32_t)i);
        CHECK_PTR_EQ(objects[i], memory + i * stats.stride_bytes);
        CHECK_EQ((uintptr_t)objects[i] % (alignment != 0 ? alignment : 1), 0);
    }
    CHECK(th_pool_alloc(&pool) == NULL);
    CHECK(th_pool_alloc(&pool) == NULL);
    for (size_t i = 0; i < count; i++) {
        CHECK(filled(objects[i], bytes, (uint32_t)i));
        CHECK(th_pool_owns(&pool, objects[i]));
        th_pool_free(&pool, objects[i]);
    }
    stats = th_pool_get_stats(&pool);
    CHECK_EQ(stats.live, 0);
    CHECK_EQ(stats.live_max, count);
    CHECK_EQ(stats.failed_allocs, 2);
    CHECK_EQ(stats.chunks, 1);
    for (size_t i = count; i-- > 0;) {
        CHECK_PTR_EQ(take(0), objects[i]); /* freed last, taken first */
    }
    stop();
    memset(memory, 0, sizeof memory); /* ordinary memory again */
}

static void sizes_and_alignments(int level) {
    static const size_t bytes[] = {1, 3, 7, 8, 9, 16, 24, 40, 100, 256};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        for (size_t alignment = 0; alignment <= 16;
             alignment = alignment != 0 ? alignment * 2 : 1) {
            bool large =
                bytes[i] >= 24 || level < 3; /* the checker looks at all of them each time */
            if (large) {
                take_all_and_give_back(level, bytes[i], alignment, false);
                take_all_and_give_back(level, bytes[i], alignment, true);
            }
        }
    }
}

static void every_object_is_usable_and_reused(void) {
    at_levels(0, sizes_and_alignments);
}

static void the_memory_is_used_to_the_last_object(void) {
    for (size_t beside = 0; beside < 2; beside++) {
        th_pool_config config = {.object_bytes = 24, .memory = memory, .links_beside = beside != 0};
        for (size_t count = 1; count < 100; count++) {
            config.memory_bytes = th_pool_bytes(&config, count);
            start(&config);
            CHECK_EQ(th_pool_get_stats(&pool).capacity, count);
            stop();
            config.memory_bytes--;
            CHECK_EQ(th_pool_init(&pool, &config), count == 1 ? TH_ERR_TOO_SMALL : TH_OK);
            CHECK(count == 1 || th_pool_get_stats(&pool).capacity == count - 1);
            th_pool_clean_up(&pool);
        }
    }
}

/* The map begins where it is first needed, whatever the memory held before. */
static void a_map_over_used_memory_is_right(void) {
    memset(memory, 0xFF, sizeof memory);
    th_pool_config config = {.object_bytes = 32,
                             .memory = memory,
                             .memory_bytes = sizeof memory,
                             .iterable = true,
                             .guarding = guarding_with(&faults, 3)};
    start(&config);
    for (size_t count = 1; count <= 70; count++) {
        size_t met = 0;
        th_pool_free(&pool, take(0)); /* the first without a live one above it in the map */
        CHECK(count == 1 || th_pool_next(&pool, memory + (count - 2) * 32) == NULL);
        (void)take(0);
        for (void *o = th_pool_next(&pool, NULL); o != NULL; o = th_pool_next(&pool, o)) {
            met++;
        }
        CHECK_EQ(met, count);
    }
    stop();
}

/* Nothing is written before it is needed: neither the objects nor their map. */
static void starting_touches_no_memory(void) {
    memset(memory, 0x77, sizeof memory);
    th_pool_config config = {.object_bytes = 32,
                             .memory = memory,
                             .memory_bytes = sizeof memory,
                             .iterable = true,
                             .guarding = guarding_with(&faults, 2)};
    start(&config);
    stop();
    for (size_t i = 0; i < sizeof memory; i++) {
        CHECK_EQ(memory[i], 0x77);
    }
}

static void a_reset_pool_is_like_new(void) {
    th_pool_config config = {
        .object_bytes = 48, .memory = memory, .memory_bytes = 1000, .guarding = {.level = 3}};
    start(&config);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 10; i++) {
            CHECK_PTR_EQ(take(i), memory + i * 48);
        }
        th_pool_free(&pool, memory + 48);
        CHECK_EQ(th_pool_reset(&pool), TH_OK);
        CHECK_EQ(th_pool_get_stats(&pool).live, 0);
        CHECK_EQ(th_pool_get_stats(&pool).live_max, 10);
        CHECK(!th_pool_owns(&pool, memory));
    }
    stop();
    CHECK_EQ(th_pool_reset(&pool), TH_ERR_NULL);
    CHECK(th_pool_alloc(&pool) == NULL);
}

static void the_limit_holds(void) {
    th_pool_config config = {
        .object_bytes = 16, .memory = memory, .memory_bytes = sizeof memory, .objects_max = 7};
    start(&config);
    for (uint32_t i = 0; i < 7; i++) {
        (void)take(i);
    }
    CHECK(th_pool_alloc(&pool) == NULL);
    CHECK_EQ(th_pool_reserve(&pool, 7), TH_OK);
    CHECK_EQ(th_pool_reserve(&pool, 8), TH_ERR_TOO_LARGE);
    stop();
    config.objects_max = SIZE_MAX;
    config.memory_bytes = 200;
    config.backing = backing_start(&chunks);
    start(&config);
    size_t inside = (size_t)th_pool_get_stats(&pool).capacity;
    CHECK_EQ(th_pool_reserve(&pool, inside + 1), TH_OK);
    CHECK_EQ(th_pool_reserve(&pool, SIZE_MAX), TH_ERR_TOO_LARGE);
    stop();
    backing_stop(&chunks);
}

/* ---- over a backing ------------------------------------------------------------------------- */

static void no_allocation_after_the_start(void) {
    th_pool_config config = {.object_bytes = 100, .backing = backing_start(&chunks)};
    start(&config);
    CHECK(th_pool_alloc(&pool) == NULL);
    CHECK_EQ(th_pool_reserve(&pool, 50), TH_OK);
    CHECK_EQ(th_pool_reserve(&pool, 50), TH_OK);
    chunks.left = 0;
    void *objects[50];
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 50; i++) {
            objects[i] = take(i);
        }
        CHECK(th_pool_alloc(&pool) == NULL);
        for (uint32_t i = 0; i < 50; i++) {
            CHECK(filled(objects[i], 100, i));
            th_pool_free(&pool, objects[i]);
        }
    }
    CHECK_EQ(chunks.allocs, 1);
    CHECK_EQ(chunks.refusals, 0);
    CHECK_EQ(th_pool_reserve(&pool, 51), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_pool_reserve(&pool, SIZE_MAX / 2), TH_ERR_TOO_LARGE);
    stop();
    backing_stop(&chunks);
}

static void capacities_while_growing(const th_pool_config *config, const size_t *expected,
                                     size_t count) {
    start(config);
    for (size_t i = 0; i < count; i++) {
        size_t before = (size_t)th_pool_get_stats(&pool).capacity;
        while (th_pool_get_stats(&pool).capacity == before && th_pool_alloc(&pool) != NULL) {
        }
        CHECK_EQ(th_pool_get_stats(&pool).capacity, expected[i]);
    }
    stop();
    backing_stop(&chunks);
}

static void growth_follows_its_policy(void) {
    static const size_t steps[] = {10, 20, 30, 40};
    static const size_t doubled[] = {10, 20, 40, 80};
    static const size_t limited[] = {10, 20, 35, 35};
    th_pool_config config = {
        .object_bytes = 64, .backing = backing_start(&chunks), .grow_objects = 10};
    capacities_while_growing(&config, steps, 4);
    config.grow_doubling = true;
    capacities_while_growing(&config, doubled, 4);
    config.objects_max = 35;
    capacities_while_growing(&config, limited, 4);
}

/* Over memory where twice as much does not fit: what fits is taken. */
static void growth_takes_what_there_is(void) {
    static unsigned char room[16384];
    th_bump bump;
    CHECK_EQ(th_bump_init(&bump, room, sizeof room, NULL), TH_OK);
    th_pool_config config = {.object_bytes = 64,
                             .backing = th_bump_allocator(&bump),
                             .grow_objects = 8,
                             .grow_doubling = true};
    start(&config);
    size_t count = 0;
    while (th_pool_alloc(&pool) != NULL) {
        count++;
    }
    th_bump_stats stats = th_bump_get_stats(&bump);
    CHECK(count > 128 && sizeof room - stats.used_bytes < 2 * 64 * 8);
    CHECK_EQ(th_pool_reserve(&pool, count + 8), TH_ERR_EXHAUSTED);
    stop();
}

static void a_failing_backing_leaves_the_pool_usable(void) {
    th_pool_config config = {
        .object_bytes = 64, .backing = backing_start(&chunks), .grow_objects = 2};
    start(&config);
    chunks.left = 1;
    void *one = take(1);
    (void)take(2);
    CHECK(th_pool_alloc(&pool) == NULL);
    CHECK_EQ(th_pool_get_stats(&pool).failed_allocs, 1);
    th_pool_free(&pool, one);
    CHECK_PTR_EQ(th_pool_alloc(&pool), one);
    chunks.left = 1;
    CHECK(th_pool_alloc(&pool) != NULL);
    stop();
    backing_stop(&chunks);
}

/* First the caller's memory, then chunks, which go back when they are empty. */
static void shrink(int level) {
    th_pool_config config = {.object_bytes = 64,
                             .memory = memory,
                             .memory_bytes = 64 * 4 + 24,
                             .backing = backing_start(&chunks),
                             .grow_objects = 4,
                             .guarding = guarding_with(&faults, level)};
    unsigned char *objects[20];
    start(&config);
    for (uint32_t i = 0; i < 20; i++) {
        objects[i] = take(i);
    }
    CHECK_EQ(th_pool_get_stats(&pool).chunks, 5);
    CHECK_EQ(th_pool_trim(&pool, 0), 0);
    for (uint32_t i = 0; i < 20; i++) {
        if (i / 4 != 2 && i != 19) {
            th_pool_free(&pool, objects[i]);
        }
    }
    CHECK_EQ(th_pool_trim(&pool, 13), 4); /* chunk 1; chunks 2 and 4 have live objects */
    CHECK_EQ(th_pool_trim(&pool, 13), 0);
    CHECK_EQ(th_pool_trim(&pool, 0), 4);
    CHECK_EQ(th_pool_get_stats(&pool).capacity, 12);
    CHECK_EQ(th_pool_get_stats(&pool).live_max, 20);
    for (uint32_t i = 8; i < 12; i++) {
        CHECK(filled(objects[i], 64, i));
    }
    CHECK_EQ(chunks.live, 2);
    for (uint32_t i = 0; i < 7; i++) {
        (void)take(i);
    }
    CHECK_EQ(th_pool_get_stats(&pool).capacity, 12);
    (void)take(0);
    CHECK_EQ(th_pool_get_stats(&pool).capacity, 16);
    CHECK(filled(objects[19], 64, 19));
    stop();
    backing_stop(&chunks);
}

static void empty_chunks_go_back(void) {
    at_levels(0, shrink);
}

/* Chunks that were reserved, but never used, go too; with the last one the pool has no memory. */
static void an_unused_pool_shrinks_to_nothing(void) {
    th_pool_config config = {.object_bytes = 64, .backing = backing_start(&chunks)};
    start(&config);
    CHECK_EQ(th_pool_reserve(&pool, 4), TH_OK);
    CHECK_EQ(th_pool_reserve(&pool, 8), TH_OK);
    CHECK_EQ(th_pool_reserve(&pool, 12), TH_OK);
    void *object = take(1);
    CHECK_EQ(th_pool_trim(&pool, 0), 8);
    th_pool_free(&pool, object);
    CHECK_EQ(th_pool_trim(&pool, 1), 0);
    CHECK_EQ(th_pool_trim(&pool, 0), 4);
    CHECK(th_pool_alloc(&pool) == NULL);
    CHECK_EQ(th_pool_reserve(&pool, 1), TH_OK);
    CHECK(th_pool_alloc(&pool) != NULL);
    CHECK(th_pool_alloc(&pool) == NULL);
    stop();
    backing_stop(&chunks);
}

/* ---- objects that stay as they are ---------------------------------------------------------- */

static void keep_contents(int level) {
    th_pool_config config = {.object_bytes = 33,
                             .alignment = 1,
                             .backing = backing_start(&chunks),
                             .grow_objects = 5,
                             .links_beside = true,
                             .guarding = guarding_with(&faults, level)};
    bool fresh = false;
    unsigned char *objects[12];
    start(&config);
    for (uint32_t i = 0; i < 12; i++) {
        objects[i] = th_pool_take(&pool, &fresh);
        CHECK(fresh);
        fill(objects[i], 33, i);
    }
    for (uint32_t i = 0; i < 12; i++) {
        th_pool_free(&pool, objects[i]);
    }
    for (uint32_t i = 12; i-- > 0;) {
        CHECK_PTR_EQ(th_pool_take(&pool, &fresh), objects[i]);
        CHECK(!fresh);
        CHECK(filled(objects[i], 33, i));
    }
    for (uint32_t i = 0; i < 10; i++) {
        th_pool_free(&pool, objects[i]);
    }
    CHECK_EQ(th_pool_trim(&pool, 0), 10);
    CHECK(filled(objects[11], 33, 11));
    CHECK_EQ(th_pool_reset(&pool), TH_OK);
    CHECK(th_pool_take(&pool, &fresh) != NULL);
    CHECK(fresh);
    stop();
    backing_stop(&chunks);
}

static void links_beside_leave_objects_alone(void) {
    at_levels(0, keep_contents);
}

/* With links inside nothing is kept, and take says so. */
static void take_tells_what_is_fresh(void) {
    th_pool_config config = {.object_bytes = 32, .memory = memory, .memory_bytes = 1000};
    bool fresh = false;
    start(&config);
    void *object = th_pool_take(&pool, &fresh);
    CHECK(object != NULL && fresh);
    th_pool_free(&pool, object);
    fresh = false;
    CHECK_PTR_EQ(th_pool_take(&pool, &fresh), object);
    CHECK(fresh);
    th_pool_free(&pool, NULL);
    stop();
}

/* ---- iteration ------------------------------------------------------------------------------ */

typedef struct entity {
    uint32_t id;
    uint32_t updates;
} entity;

static void visit(int level) {
    th_pool_config config = {.object_bytes = sizeof(entity),
                             .backing = backing_start(&chunks),
                             .grow_objects = 50,
                             .iterable = true,
                             .guarding = guarding_with(&faults, level)};
    entity *entities[180];
    start(&config);
    CHECK(th_pool_next(&pool, NULL) == NULL);
    for (uint32_t i = 0; i < 180; i++) {
        entities[i] = take(0);
        *entities[i] = (entity){.id = i};
    }
    for (uint32_t i = 0; i < 180; i++) {
        if (i % 3 == 0 || (i > 60 && i < 140)) {
            th_pool_free(&pool, entities[i]);
            entities[i] = NULL;
        }
    }
    uint32_t met = 0;
    for (entity *e = th_pool_next(&pool, NULL); e != NULL; e = th_pool_next(&pool, e)) {
        CHECK_PTR_EQ(e, entities[e->id]);
        CHECK_EQ(e->updates++, 0);
        met++;
        if (e->id % 2 == 0) { /* ends while it is visited */
            entities[e->id] = NULL;
            th_pool_free(&pool, e);
        }
    }
    for (uint32_t i = 0; i < 180; i++) {
        if (entities[i] != NULL) {
            CHECK_EQ(entities[i]->updates, 1);
            CHECK_EQ(i % 2, 1);
        }
    }
    CHECK_EQ(met, 41 + 26);
    CHECK(th_pool_next(&pool, memory) == NULL);
    stop();
    backing_stop(&chunks);
}

static void iteration_meets_live_objects_only(void) {
    at_levels(0, visit);
}

static void without_a_map_nothing_is_met(void) {
    th_pool_config config = {.object_bytes = 32, .memory = memory, .memory_bytes = 1000};
    for (int level = 0; level <= 1; level++) {
        config.guarding.level = level;
        start(&config);
        (void)take(1);
        CHECK(th_pool_next(&pool, NULL) == NULL);
        stop();
    }
}

/* ---- bad requests --------------------------------------------------------------------------- */

static void expect_refused(th_status expected, th_pool_config config) {
    th_pool before;
    memset(&pool, 0x3C, sizeof pool);
    before = pool;
    CHECK_EQ(th_pool_init(&pool, &config), expected);
    CHECK(memcmp(&pool, &before, sizeof pool) == 0);
    pool = (th_pool){0};
}

#define EXPECT_REFUSED(expected, ...) expect_refused(expected, (th_pool_config){__VA_ARGS__})
#define MEMORY                        .memory = memory, .memory_bytes = sizeof memory

static void bad_configs_are_refused(void) {
    th_pool_config config = {.object_bytes = 8, MEMORY};
    CHECK_EQ(th_pool_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_pool_init(&pool, NULL), TH_ERR_NULL);
    EXPECT_REFUSED(TH_ERR_CONFIG, MEMORY);
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8);
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8, MEMORY, .grow_objects = 1);
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8, MEMORY, .guarding = {.level = 4});
    EXPECT_REFUSED(TH_ERR_CONFIG, .object_bytes = 8, MEMORY, .guarding = {.level = -1});
    EXPECT_REFUSED(TH_ERR_ALIGNMENT, .object_bytes = 8, MEMORY, .alignment = 3);
    EXPECT_REFUSED(TH_ERR_TOO_LARGE, .object_bytes = SIZE_MAX, MEMORY);
    EXPECT_REFUSED(TH_ERR_TOO_LARGE, .object_bytes = 8, MEMORY, .alignment = SIZE_MAX / 2 + 1);
    EXPECT_REFUSED(TH_ERR_MISALIGNED, .object_bytes = 8, .memory = memory + 1, .memory_bytes = 100);
    EXPECT_REFUSED(TH_ERR_MISALIGNED, .object_bytes = 1, .links_beside = true, .memory = memory + 2,
                   .memory_bytes = 100);
    EXPECT_REFUSED(TH_ERR_TOO_SMALL, .object_bytes = 8, .memory = memory, .memory_bytes = 0);
    EXPECT_REFUSED(TH_ERR_TOO_SMALL, .object_bytes = sizeof memory, MEMORY);
    CHECK_EQ(th_pool_bytes(NULL, 1), 0);
    CHECK_EQ(th_pool_bytes(&config, 0), 0);
    CHECK_EQ(th_pool_bytes(&config, SIZE_MAX), 0);
    CHECK_EQ(th_pool_bytes(&config, SIZE_MAX / 8), 0);
    config.object_bytes = PTRDIFF_MAX / 4;
    CHECK_EQ(th_pool_bytes(&config, 5), 0);
    CHECK_EQ(th_pool_bytes(&config, 9), 0);
    config.object_bytes = 0;
    CHECK_EQ(th_pool_bytes(&config, 1), 0);
    th_pool_clean_up(NULL);
}

/* A chunk that would fit but for its header. */
static void a_chunk_too_large_to_address_is_refused(void) {
    th_pool_config config = {.object_bytes = PTRDIFF_MAX / 2 - 7,
                             .alignment = 8,
                             .backing = backing_start(&chunks),
                             .grow_objects = 1};
    start(&config);
    chunks.left = 0;
    CHECK_EQ(th_pool_reserve(&pool, 2), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_pool_reserve(&pool, 1), TH_ERR_EXHAUSTED);
    CHECK(th_pool_alloc(&pool) == NULL);
    stop();
    config.object_bytes = 8;
    config.alignment = (size_t)PTRDIFF_MAX / 4 + 1;
    start(&config);
    CHECK_EQ(th_pool_reserve(&pool, 1), TH_ERR_EXHAUSTED);
    stop();
}

/* ---- as an allocator ------------------------------------------------------------------------ */

static void use_as_allocator(int level) {
    th_pool_config config = {.object_bytes = 40,
                             .alignment = 16,
                             .memory = memory,
                             .memory_bytes = 2000,
                             .guarding = guarding_with(&faults, level)};
    start(&config);
    th_allocator allocator = th_pool_allocator(&pool);
    char *text = th_allocator_duplicate_string(allocator, "pool", 40);
    CHECK(text != NULL && strcmp(text, "pool") == 0);
    CHECK(th_allocator_alloc(allocator, 41) == NULL);
    CHECK(th_allocator_alloc_aligned(allocator, 8, 32) == NULL);
    CHECK_EQ(th_allocator_usable_size(allocator, text), 40);
    CHECK(th_allocator_owns(allocator, text));
    CHECK(th_allocator_owns(allocator, text + 39));
    CHECK(!th_allocator_owns(allocator, text + 48)); /* never used */
    CHECK(!th_allocator_owns(allocator, &pool));
    bool moved = true;
    CHECK_PTR_EQ(th_allocator_realloc(allocator, text, 5, 40, 16, &moved), text);
    CHECK(!moved && strcmp(text, "pool") == 0);
    CHECK(th_allocator_realloc(allocator, text, 5, 41, 16, &moved) == NULL);
    CHECK(th_allocator_resize_in_place(allocator, text, 1));
    void *blocks[3];
    CHECK(th_allocator_alloc_batch(allocator, 40, 16, blocks, 3));
    th_allocator_free_batch(allocator, blocks, 3);
    th_allocator_free(allocator, text);
    CHECK(th_allocator_owns(allocator, text) == (level == 0));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    stop();
}

static void it_works_as_an_allocator(void) {
    at_levels(0, use_as_allocator);
}

/* ---- against a model ------------------------------------------------------------------------ */

static void play_at_random(int level, uint64_t seed, th_pool_config config) {
    enum { SLOTS = 64 };
    unsigned char *objects[SLOTS] = {NULL};
    uint64_t state = seed;
    config.backing = backing_start(&chunks);
    config.guarding = guarding_with(&faults, level);
    start(&config);
    size_t live = 0;
    size_t live_max = 0;
    for (uint32_t step = 0; step < 1500; step++) {
        uint64_t random = th_test_random(&state);
        size_t slot = random % SLOTS;
        if ((random >> 20) % 200 == 0) {
            CHECK_EQ(th_pool_reset(&pool), TH_OK);
            memset(objects, 0, sizeof objects);
            live = 0;
        } else if (objects[slot] == NULL) {
            objects[slot] = th_pool_alloc(&pool);
            if (objects[slot] != NULL) {
                fill(objects[slot], config.object_bytes, (uint32_t)slot);
                live++;
            } else {
                CHECK(live == config.objects_max);
            }
        } else {
            CHECK(filled(objects[slot], config.object_bytes, (uint32_t)slot));
            th_pool_free(&pool, objects[slot]);
            objects[slot] = NULL;
            live--;
        }
        if ((random >> 32) % 100 == 0) {
            (void)th_pool_trim(&pool, (size_t)(random >> 40) % 20);
        }
        live_max = live > live_max ? live : live_max;
        th_pool_stats stats = th_pool_get_stats(&pool);
        CHECK_EQ(stats.live, live);
        CHECK_EQ(stats.live_max, live_max);
        CHECK(stats.capacity >= live && stats.capacity <= config.objects_max);
        if (step % 50 == 0) {
            CHECK_EQ(th_pool_check(&pool, NULL), TH_OK);
        }
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        CHECK(objects[slot] == NULL || filled(objects[slot], config.object_bytes, (uint32_t)slot));
    }
    stop();
    backing_stop(&chunks);
}

static void play_all(int level) {
    uint64_t seed = th_test_seed(1);
    for (uint32_t variant = 0; variant < 8; variant++) {
        th_pool_config config = {.object_bytes = 20 + variant,
                                 .grow_objects = 3 + variant,
                                 .objects_max = 45,
                                 .links_beside = (variant & 1) != 0,
                                 .iterable = (variant & 2) != 0,
                                 .grow_doubling = (variant & 4) != 0};
        play_at_random(level, seed + variant, config);
    }
}

static void random_use_agrees_with_a_model(void) {
    at_levels(0, play_all);
}

TH_SUITE("pool", TEST(every_object_is_usable_and_reused),
         TEST(the_memory_is_used_to_the_last_object), TEST(a_map_over_used_memory_is_right),
         TEST(starting_touches_no_memory), TEST(a_reset_pool_is_like_new), TEST(the_limit_holds),
         TEST(no_allocation_after_the_start), TEST(growth_follows_its_policy),
         TEST(growth_takes_what_there_is), TEST(a_failing_backing_leaves_the_pool_usable),
         TEST(empty_chunks_go_back), TEST(an_unused_pool_shrinks_to_nothing),
         TEST(links_beside_leave_objects_alone), TEST(take_tells_what_is_fresh),
         TEST(iteration_meets_live_objects_only), TEST(without_a_map_nothing_is_met),
         TEST(bad_configs_are_refused), TEST(a_chunk_too_large_to_address_is_refused),
         TEST(it_works_as_an_allocator), TEST(random_use_agrees_with_a_model))
