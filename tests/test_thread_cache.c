/* SPDX-License-Identifier: MIT */
/* Thread caches (include/tagheap/thread_cache.h): by one thread that plays several, with another
 * one that gets in between two atomic operations, and by real threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "bad_input.h"
#include "base/atomic.h"
#include "base/track.h"
#include "heap_fixture.h"
#include "null_objects.h"
#include "tagheap/concurrent_pool.h"
#include "tagheap/thread_cache.h"

enum { BYTES = 100, HEADER = 16, CACHES = 3, KEPT_MAX = 4 };

static th_thread_caches all;
static th_thread_cache caches[CACHES];
static th_thread_cache *first, *second;
static backing shared;
static fault_log faults;

static void start(int level) {
    const th_thread_caches_config config = {.backing = backing_start(&shared),
                                            .block_bytes = BYTES,
                                            .kept_max = KEPT_MAX,
                                            .caches = caches,
                                            .caches_count = CACHES,
                                            .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_thread_caches_init(&all, &config), TH_OK);
    first = th_thread_cache_join(&all);
    second = th_thread_cache_join(&all);
    CHECK_PTR_EQ(first, &caches[0]);
    CHECK_PTR_EQ(second, &caches[1]);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_thread_caches_check(&all, NULL), TH_OK);
    th_thread_caches_clean_up(&all);
    static const th_thread_caches zeroed;
    static const th_thread_cache none;
    CHECK(memcmp(&all, &zeroed, sizeof all) == 0);
    for (size_t i = 0; i < CACHES; i++) {
        CHECK(memcmp(&caches[i], &none, sizeof none) == 0);
    }
    backing_stop(&shared);
}

static unsigned char *take(th_thread_cache *cache, size_t bytes) {
    unsigned char *block = th_thread_cache_alloc(cache, bytes);
    CHECK(block != NULL && (uintptr_t)block % 16 == 0);
    fill(block, bytes, (uint32_t)bytes);
    return block;
}

/* ---- one thread ----------------------------------------------------------------------------- */

static void what_is_freed_is_kept_at(int level) {
    unsigned char *blocks[KEPT_MAX + 2];
    start(level);
    for (size_t i = 0; i < KEPT_MAX + 2; i++) {
        blocks[i] = take(first, i + 1);
    }
    CHECK_EQ(shared.allocs, KEPT_MAX + 2);
    CHECK_EQ(shared.live_bytes, (KEPT_MAX + 2) * (HEADER + BYTES));
    for (size_t i = 0; i < KEPT_MAX + 2; i++) {
        CHECK(filled(blocks[i], i + 1, (uint32_t)(i + 1)));
        th_thread_cache_free(first, blocks[i]);
    }
    CHECK_EQ(shared.live, KEPT_MAX); /* no more are kept */
    th_thread_cache_stats stats = th_thread_cache_get_stats(first);
    CHECK_EQ(stats.kept, KEPT_MAX);
    CHECK_EQ(stats.given_back, 2);
    CHECK_EQ(stats.misses, KEPT_MAX + 2);
    CHECK_EQ(stats.hits, 0);
    for (size_t i = KEPT_MAX; i-- > 0;) {
        CHECK_PTR_EQ(take(first, BYTES), blocks[i]); /* freed last, given first */
    }
    CHECK_EQ(th_thread_cache_get_stats(first).hits, KEPT_MAX);
    CHECK_EQ(th_thread_cache_get_stats(first).kept, 0);
    CHECK_EQ(shared.allocs, KEPT_MAX + 2);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        th_thread_cache_free(first, blocks[i]);
    }
    CHECK_EQ(th_thread_cache_flush(first), KEPT_MAX);
    CHECK_EQ(th_thread_cache_flush(first), 0);
    CHECK_EQ(th_thread_cache_get_stats(first).given_back, 2 + KEPT_MAX);
    CHECK_EQ(shared.live, 0);
    stop();
}

static void what_is_freed_is_kept(void) {
    at_levels(0, what_is_freed_is_kept_at);
}

static void large_blocks_are_the_backings_at(int level) {
    start(level);
    unsigned char *block = take(first, BYTES + 1);
    CHECK_EQ(shared.live_bytes, HEADER + BYTES + 1);
    th_thread_cache_free(second, block); /* by whoever */
    CHECK_EQ(shared.live, 0);
    CHECK_EQ(th_thread_cache_get_stats(second).sent, 0);
    CHECK_EQ(th_thread_cache_get_stats(first).misses, 0);
    CHECK(th_thread_cache_alloc(first, PTRDIFF_MAX - 15) == NULL);
    CHECK(th_thread_cache_alloc(first, 0) == NULL);
    CHECK_EQ(th_thread_cache_get_stats(first).failed_allocs, 0);
    stop();
}

static void large_blocks_are_the_backings(void) {
    at_levels(0, large_blocks_are_the_backings_at);
}

static void what_the_backing_refuses(void) {
    start(0);
    unsigned char *block = take(first, 1);
    shared.left = 0;
    CHECK(th_thread_cache_alloc(first, 1) == NULL);
    CHECK(th_thread_cache_alloc(first, BYTES + 1) == NULL);
    CHECK_EQ(th_thread_cache_get_stats(first).failed_allocs, 2);
    CHECK_EQ(th_thread_cache_get_stats(first).misses, 1);
    th_thread_cache_free(first, block);
    CHECK_PTR_EQ(take(first, 1), block);
    th_thread_cache_free(first, block);
    stop();
}

static void kept_by_default(void) {
    static unsigned char *blocks[65];
    const th_thread_caches_config config = {
        .backing = backing_start(&shared), .block_bytes = 1, .caches = caches, .caches_count = 1};
    CHECK_EQ(th_thread_caches_init(&all, &config), TH_OK);
    first = th_thread_cache_join(&all);
    for (size_t i = 0; i < 65; i++) {
        blocks[i] = take(first, 1);
    }
    for (size_t i = 0; i < 65; i++) {
        th_thread_cache_free(first, blocks[i]);
    }
    CHECK_EQ(th_thread_cache_get_stats(first).kept, 64);
    th_thread_caches_clean_up(&all);
    backing_stop(&shared);
}

/* ---- several ------------------------------------------------------------------------------- */

static void what_others_free_comes_back_at(int level) {
    unsigned char *blocks[KEPT_MAX + 1];
    start(level);
    for (size_t i = 0; i < KEPT_MAX + 1; i++) {
        blocks[i] = take(first, 1);
    }
    for (size_t i = 0; i < KEPT_MAX + 1; i++) {
        th_thread_cache_free(second, blocks[i]);
    }
    CHECK_EQ(th_thread_caches_check(&all, NULL), TH_OK);
    CHECK_EQ(th_thread_cache_get_stats(second).sent, KEPT_MAX + 1);
    CHECK_EQ(th_thread_cache_get_stats(second).kept, 0);
    CHECK_EQ(th_thread_cache_get_stats(first).taken_back, 0);
    unsigned char *twos = take(second, 1);
    CHECK(twos != blocks[0]);
    CHECK_PTR_EQ(take(first, 1),
                 blocks[1]); /* one more than may be kept: the first that was freed */
    th_thread_cache_stats stats = th_thread_caches_get_stats(&all);
    CHECK_EQ(stats.taken_back, KEPT_MAX + 1);
    CHECK_EQ(stats.kept, KEPT_MAX - 1);
    CHECK_EQ(stats.given_back, 1);
    CHECK_EQ(stats.misses, KEPT_MAX + 2);
    CHECK_EQ(stats.hits, 1);
    CHECK_EQ(stats.sent, KEPT_MAX + 1);
    CHECK_EQ(stats.failed_allocs, 0);
    th_thread_cache_free(second, blocks[1]);
    CHECK_EQ(th_thread_cache_flush(first), KEPT_MAX);
    CHECK_EQ(th_thread_cache_get_stats(first).taken_back, KEPT_MAX + 2);
    CHECK_EQ(shared.live, 1); /* that of two's */
    th_thread_cache_free(first, twos);
    stop();
}

static void threads_come_and_go(void) {
    start(0);
    th_thread_cache *three = th_thread_cache_join(&all);
    CHECK_PTR_EQ(three, &caches[2]);
    CHECK(th_thread_cache_join(&all) == NULL);
    unsigned char *left = take(second, 1);
    unsigned char *kept = take(second, 1);
    unsigned char *sent = take(second, 1);
    th_thread_cache_free(second, kept);
    th_thread_cache_free(first, sent);
    th_thread_cache_leave(second);
    CHECK_EQ(shared.live, 1);
    CHECK(th_thread_cache_alloc(second, 1) == NULL); /* nobody's */
    th_thread_cache_free(second, left);
    CHECK_EQ(th_thread_cache_flush(second), 0);
    th_thread_cache_leave(second);
    CHECK_EQ(th_thread_caches_check(&all, NULL), TH_OK);
    th_thread_cache_free(first, left); /* its thread has left */
    CHECK_EQ(shared.live, 0);
    CHECK_PTR_EQ(th_thread_cache_join(&all), second);
    CHECK_EQ(th_thread_cache_get_stats(second).misses, 0); /* a new one */
    unsigned char *mine = take(second, 1);
    th_thread_cache_free(first, mine);
    CHECK_PTR_EQ(take(second, 1), mine);
    th_thread_cache_free(second, mine);
    stop();
}

/* ---- somebody gets in between --------------------------------------------------------------- */

#if TH_ATOMIC_STEPS
static unsigned steps, act_at;
static unsigned char *blocks_between[2];

static void free_by_two(const volatile void *word, size_t bytes) {
    (void)word;
    (void)bytes;
    if (++steps == act_at) {
        th_atomic_step = NULL;
        th_thread_cache_free(second, blocks_between[1]);
        th_atomic_step = free_by_two;
    }
}

/* Three frees a block of one's while the second frees another: nothing is lost, whoever is first.
 */
static void pushes_meet_at(int level) {
    for (unsigned n = 1; n <= 5; n++) {
        start(level);
        th_thread_cache *three = th_thread_cache_join(&all);
        blocks_between[0] = take(first, 1);
        blocks_between[1] = take(first, 1);
        steps = 0;
        act_at = n;
        th_atomic_step = free_by_two;
        th_thread_cache_free(three, blocks_between[0]);
        th_atomic_step = NULL;
        if (n > steps) {
            th_thread_cache_free(second, blocks_between[1]);
        }
        CHECK_EQ(th_thread_cache_flush(first), 2);
        CHECK_EQ(shared.live, 0);
        stop();
    }
}

static void pushes_meet(void) {
    at_levels(0, pushes_meet_at);
}

/* One leaves while the second frees a block of one's: it is taken along, or goes to the backing. */
static void one_leaves_meanwhile(void) {
    for (unsigned n = 1; n <= 6; n++) {
        start(0);
        blocks_between[1] = take(first, 1);
        steps = 0;
        act_at = n;
        th_atomic_step = free_by_two;
        th_thread_cache_leave(first);
        th_atomic_step = NULL;
        if (n > steps) {
            th_thread_cache_free(second, blocks_between[1]);
        }
        CHECK_EQ(shared.live, 0);
        stop();
    }
}

static void leave_one(const volatile void *word, size_t bytes) {
    (void)word;
    (void)bytes;
    if (++steps == act_at) {
        th_atomic_step = NULL;
        th_thread_cache_leave(first);
        th_atomic_step = leave_one;
    }
}

static void its_owner_leaves_meanwhile(void) {
    for (unsigned n = 1; n <= 4; n++) {
        start(0);
        unsigned char *block = take(first, 1);
        steps = 0;
        act_at = n;
        th_atomic_step = leave_one;
        th_thread_cache_free(second, block);
        th_atomic_step = NULL;
        th_thread_cache_leave(first);
        CHECK_EQ(shared.live, 0);
        stop();
    }
}
#endif

/* ---- guards ------------------------------------------------------------------------------- */

static void refuse(th_thread_cache *cache, void *pointer, th_fault_kind kind) {
    th_thread_cache_free(cache, pointer);
    EXPECT_LOGGED(&faults, 1, kind, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  (uint32_t)(uintptr_t)pointer);
}

static void bad_pointers_are_named_at(int level) {
    start(level);
    unsigned char *kept = take(first, BYTES);
    unsigned char *sent = take(first, BYTES);
    unsigned char *live = take(first, BYTES);
    th_thread_cache_free(first, kept);
    th_thread_cache_free(second, sent);
    th_thread_cache_free(first, NULL);
    CHECK_EQ(faults.count, 0);
    refuse(first, kept, TH_FAULT_DOUBLE_FREE);
    refuse(second, kept, TH_FAULT_DOUBLE_FREE);
    refuse(first, sent, TH_FAULT_DOUBLE_FREE);
    refuse(second, sent, TH_FAULT_DOUBLE_FREE);
    refuse(first, live + 1, TH_FAULT_MISALIGNED);
    refuse(first, live + 16, TH_FAULT_FOREIGN);
    uint32_t owner = 2, stranger = CACHES;
    memcpy(&owner, live - HEADER + 4, sizeof owner);
    memcpy(live - HEADER + 4, &stranger, sizeof stranger);
    refuse(first, live, TH_FAULT_FOREIGN); /* of others' caches */
    refuse(first, live, TH_FAULT_FOREIGN);
    memcpy(live - HEADER + 4, &owner, sizeof owner);
    th_thread_cache_free(first, live);
    stop();
}

static void bad_pointers_are_named(void) {
    at_levels(1, bad_pointers_are_named_at);
}

/* Blocks of one set of caches are none of another's, whatever their numbers and sizes are. */
static void sets_are_kept_apart_at(int level) {
    static th_thread_cache others[1];
    th_thread_caches more;
    start(level);
    const th_thread_caches_config config = {.backing = all.config.backing,
                                            .block_bytes = 10 * BYTES,
                                            .caches = others,
                                            .caches_count = 1,
                                            .guarding = all.config.guarding};
    CHECK_EQ(th_thread_caches_init(&more, &config), TH_OK);
    th_thread_cache *other = th_thread_cache_join(&more);
    for (size_t bytes = BYTES; bytes <= 20 * BYTES; bytes *= 20) { /* small ones, and large ones */
        unsigned char *ours = take(first, bytes);
        unsigned char *theirs = take(other, bytes);
        refuse(first, theirs, TH_FAULT_FOREIGN);
        refuse(other, ours, TH_FAULT_FOREIGN);
        CHECK_EQ(th_allocator_usable_size(th_thread_cache_allocator(other), ours), 0);
        EXPECT_LOGGED(&faults, 1, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                      (uint32_t)(uintptr_t)ours);
        th_thread_cache_free(first, ours);
        th_thread_cache_free(other, theirs);
        CHECK_EQ(faults.count, 0);
    }
    unsigned char *kept = take(other, 1); /* a free block is theirs, too */
    th_thread_cache_free(other, kept);
    refuse(first, kept, TH_FAULT_FOREIGN);
    refuse(other, kept, TH_FAULT_DOUBLE_FREE);
    CHECK_EQ(th_thread_caches_check(&more, NULL), TH_OK);
    th_thread_caches_clean_up(&more);
    stop();
}

static void sets_are_kept_apart(void) {
    at_levels(1, sets_are_kept_apart_at);
}

static void expect_found(int level, th_fault_kind kind) {
    th_fault fault;
    (void)level;
    CHECK_EQ(th_thread_caches_check(&all, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, kind);
    CHECK_EQ(th_thread_caches_check(&all, NULL), TH_ERR_CORRUPT);
}

static void the_checker_finds_damage_at(int level) {
    start(level);
    unsigned char *kept = take(first, 1);
    unsigned char *sent = take(first, 1);
    th_thread_cache_free(first, kept);
    th_thread_cache_free(second, sent);
    first->kept_count = 2;
    expect_found(level, TH_FAULT_COUNT);
    first->kept_count = 0;
    expect_found(level, TH_FAULT_CHAIN);
    first->kept_count = 1;
    first->number = 2;
    expect_found(level, TH_FAULT_CHAIN);
    first->number = 0;
    CHECK_EQ(th_thread_caches_check(&all, NULL), TH_OK);
    if (level >= 1) {
        uint32_t due, bad = 1;
        unsigned char *places[] = {kept - HEADER, sent - HEADER};
        for (size_t i = 0; i < 2; i++) {
            memcpy(&due, places[i], sizeof due);
            memcpy(places[i], &bad, sizeof bad);
            expect_found(level, TH_FAULT_CHAIN);
            memcpy(places[i], &due, sizeof due);
        }
    }
    stop();
}

static void the_checker_finds_damage(void) {
    at_levels(0, the_checker_finds_damage_at);
}

static void tools_know_what_is_kept(void) {
    if (tools_look()) {
        start(0);
        unsigned char *block = take(first, 1);
        th_thread_cache_free(first, block);
        CHECK(is_closed(block) && is_closed(block + BYTES - 8));
        CHECK_PTR_EQ(take(first, 1), block);
        CHECK(!is_closed(block));
        th_thread_cache_free(first, block);
        stop();
    }
}

/* ---- the interface, and no object ------------------------------------------------------------ */

static void it_is_an_allocator(void) {
    bool moved;
    start(0);
    th_allocator own = th_thread_cache_allocator(first);
    CHECK(th_allocator_alloc_aligned(own, 1, 32) == NULL);
    unsigned char *block = th_allocator_alloc(own, 5);
    fill(block, 5, 7);
    CHECK_EQ(th_allocator_usable_size(own, block), BYTES);
    CHECK(th_allocator_resize_in_place(own, block, BYTES));
    CHECK(th_allocator_resize_in_place(own, block, 1));
    CHECK(!th_allocator_resize_in_place(own, block, BYTES + 1));
    block = th_allocator_realloc(own, block, 5, 400, 16, &moved);
    CHECK(block != NULL && moved && filled(block, 5, 7));
    CHECK_EQ(th_allocator_usable_size(own, block), 400);
    CHECK(th_allocator_resize_in_place(own, block, 200));
    CHECK(!th_allocator_resize_in_place(own, block, 199));
    CHECK(!th_allocator_resize_in_place(own, block, 401));
    CHECK_EQ(th_allocator_check(own, NULL), TH_OK);
    th_allocator_free(own, block);
    CHECK_EQ(th_allocator_reset(own), TH_ERR_UNSUPPORTED);
    stop();
}

/* What is live at the end stays in the backing, so that has its own end. */
static th_concurrent_pool under;

static void *calls_start(const th_guarding *guarding, th_allocator from) {
    const th_concurrent_pool_config pool = {.object_bytes = HEADER + SAMPLE_BYTES,
                                            .alignment = SAMPLE_ALIGNMENT,
                                            .backing = from,
                                            .capacity = 16};
    CHECK_EQ(th_concurrent_pool_init(&under, &pool), TH_OK);
    const th_thread_caches_config config = {.backing = th_concurrent_pool_allocator(&under),
                                            .block_bytes = SAMPLE_BYTES,
                                            .caches = caches,
                                            .caches_count = 1,
                                            .guarding = *guarding};
    CHECK_EQ(th_thread_caches_init(&all, &config), TH_OK);
    first = th_thread_cache_join(&all);
    return first;
}

static void calls_clean_up(void *self) {
    (void)self;
    th_thread_caches_clean_up(&all);
    th_concurrent_pool_clean_up(&under);
}

static void *calls_alloc(void *self, size_t bytes) {
    return th_thread_cache_alloc(self, bytes);
}

static void calls_free(void *self, void *block) {
    th_thread_cache_free(self, block);
}

static th_status calls_check(const void *self, th_fault *fault) {
    (void)self;
    return th_thread_caches_check(&all, fault);
}

/* A cache cannot free everything at once; what is under it can. */
static th_status calls_reset(void *self) {
    if (th_thread_caches_check(&all, NULL) != TH_OK) {
        return TH_ERR_NULL;
    }
    (void)th_thread_cache_flush(self);
    return th_concurrent_pool_reset(&under);
}

static th_allocator calls_interface(void *self) {
    static th_allocator_table table;
    table = *th_thread_cache_allocator(self).table;
    table.reset = calls_reset;
    return (th_allocator){&table, self};
}

static const lab_allocator own_calls = {.clean_up = calls_clean_up,
                                        .alloc = calls_alloc,
                                        .free = calls_free,
                                        .check = calls_check,
                                        .interface = calls_interface};

static const bad_calls calls = {calls_start, &own_calls};

static void bad_input_is_refused(void) {
    const bad_row row = {
        "thread cache",
        &calls,
        {TH_FAULT_FOREIGN, TH_FAULT_FOREIGN, TH_FAULT_MISALIGNED, TH_FAULT_DOUBLE_FREE},
        BAD_ONE_ALIGNMENT};
    bad_input_play_all(&row);
}

static th_status begin(void *object, const void *config) {
    return th_thread_caches_init(object, config);
}

#define ROW(status, ...)                                                                           \
    { #__VA_ARGS__, begin, &(const th_thread_caches_config){__VA_ARGS__ }, status }
#define GOOD .backing = system, .caches = caches, .caches_count = 1

static void bad_starts_are_refused(void) {
    const th_allocator system = th_system_allocator();
    static const th_allocator_table no_free = {.alloc = NULL};
    const bad_start rows[] = {
        {"no config", begin, NULL, TH_ERR_NULL},
        ROW(TH_ERR_NULL, .backing = system, .block_bytes = 8, .caches_count = 1),
        ROW(TH_ERR_CONFIG, GOOD),
        ROW(TH_ERR_CONFIG, .backing = system, .block_bytes = 8, .caches = caches),
        ROW(TH_ERR_CONFIG, .block_bytes = 8, .caches = caches, .caches_count = 1),
        ROW(TH_ERR_CONFIG, .block_bytes = 8, .caches = caches, .caches_count = 1,
            .backing = {&no_free, NULL}),
        ROW(TH_ERR_CONFIG, .block_bytes = 8, GOOD, .guarding.level = 4),
        ROW(TH_ERR_TOO_LARGE, .block_bytes = PTRDIFF_MAX - 15, GOOD),
        ROW(TH_ERR_TOO_LARGE, .block_bytes = 8, .backing = system, .caches = caches,
            .caches_count = UINT32_MAX),
    };
    bad_starts_play(rows, sizeof rows / sizeof rows[0]);
    CHECK_EQ(th_thread_caches_init(NULL, rows[2].arguments), TH_ERR_NULL);
}

static void no_caches(void) {
    TWICE(thread_caches, {
        CHECK(th_thread_cache_join(object) == NULL);
        EXPECT_NOTHING(thread_caches, object);
    });
    TWICE(thread_cache, {
        CHECK(th_thread_cache_alloc(object, 1) == NULL);
        th_thread_cache_free(object, elsewhere);
        CHECK_EQ(th_thread_cache_flush(object), 0);
        th_thread_cache_leave(object);
        CHECK_EQ(th_thread_cache_get_stats(object).kept, 0);
        th_allocator nothing = th_thread_cache_allocator(object);
        CHECK(th_allocator_alloc(nothing, 1) == NULL);
        CHECK(!th_allocator_resize_in_place(nothing, elsewhere, 1));
        CHECK_EQ(th_allocator_usable_size(nothing, elsewhere), 0);
        CHECK_EQ(th_allocator_check(nothing, NULL), TH_ERR_NULL);
        CHECK(th_allocator_realloc(nothing, elsewhere, 1, 2, 16, NULL) == NULL);
        th_allocator_free(nothing, elsewhere);
    });
}

/* ---- real threads ---------------------------------------------------------------------------- */

enum { THREADS = 3, ROUNDS = TH_TRACK_VALGRIND ? 300 : 20000, HELD_MAX = 6, POOLED = 200 };

static _Atomic(void *) mail;
static atomic_uint failures;

static void note(bool is_good) {
    if (!is_good) {
        atomic_fetch_add(&failures, 1);
    }
}

static void give(th_thread_cache *cache, unsigned char *block) {
    uint32_t seed;
    if (block != NULL) {
        memcpy(&seed, block, sizeof seed);
        note(filled(block + sizeof seed, BYTES - sizeof seed, seed));
        th_thread_cache_free(cache, block);
    }
}

static void *work(void *argument) {
    uint64_t state = *(const uint64_t *)argument;
    unsigned char *held[HELD_MAX] = {NULL};
    th_thread_cache *cache = th_thread_cache_join(&all);
    note(cache != NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t r = th_test_random(&state);
        unsigned char **slot = &held[r % HELD_MAX];
        if (*slot == NULL) {
            uint32_t seed = (uint32_t)(r >> 8);
            *slot = th_thread_cache_alloc(cache, BYTES);
            note(*slot != NULL);
            if (*slot != NULL) {
                memcpy(*slot, &seed, sizeof seed);
                fill(*slot + sizeof seed, BYTES - sizeof seed, seed);
            }
        } else if (r >> 8 & 1) {
            give(cache, *slot);
            *slot = NULL;
        } else {
            *slot = atomic_exchange(&mail, *slot);
        }
        if ((r >> 16) % 1000 == 0) {
            th_thread_cache_leave(cache);
            cache = th_thread_cache_join(&all); /* perhaps another one's */
            note(cache != NULL);
        }
    }
    for (size_t i = 0; i < HELD_MAX; i++) {
        give(cache, held[i]);
    }
    th_thread_cache_leave(cache);
    return NULL;
}

static void threads_at(int level) {
    static th_concurrent_pool pool;
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    const th_concurrent_pool_config pool_config = {.object_bytes = HEADER + BYTES,
                                                   .alignment = 16,
                                                   .backing = th_system_allocator(),
                                                   .capacity = POOLED,
                                                   .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_concurrent_pool_init(&pool, &pool_config), TH_OK);
    const th_thread_caches_config config = {.backing = th_concurrent_pool_allocator(&pool),
                                            .block_bytes = BYTES,
                                            .kept_max = KEPT_MAX,
                                            .caches = caches,
                                            .caches_count = CACHES,
                                            .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_thread_caches_init(&all, &config), TH_OK);
    uint64_t seed = th_test_seed(91);
    atomic_store(&failures, 0);
    for (size_t i = 0; i < THREADS; i++) {
        seeds[i] = seed + i;
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &seeds[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    th_thread_cache *last = th_thread_cache_join(&all);
    give(last, atomic_exchange(&mail, NULL));
    CHECK_EQ(atomic_load(&failures), 0);
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_thread_caches_check(&all, NULL), TH_OK);
    th_thread_caches_clean_up(&all);
    CHECK_EQ(th_concurrent_pool_get_stats(&pool).live, 0);
    CHECK_EQ(th_concurrent_pool_check(&pool, NULL), TH_OK);
    th_concurrent_pool_clean_up(&pool);
}

static void threads_share_a_pool(void) {
    at_levels(0, threads_at);
}

#if TH_ATOMIC_STEPS
#define BETWEEN TEST(pushes_meet), TEST(one_leaves_meanwhile), TEST(its_owner_leaves_meanwhile),
#else
#define BETWEEN
#endif

static void what_others_free_comes_back(void) {
    at_levels(0, what_others_free_comes_back_at);
}

TH_SUITE("thread_cache", TEST(what_is_freed_is_kept), TEST(large_blocks_are_the_backings),
         TEST(what_the_backing_refuses), TEST(kept_by_default), TEST(what_others_free_comes_back),
         TEST(threads_come_and_go), BETWEEN TEST(bad_pointers_are_named), TEST(sets_are_kept_apart),
         TEST(the_checker_finds_damage), TEST(tools_know_what_is_kept), TEST(it_is_an_allocator),
         TEST(bad_input_is_refused), TEST(bad_starts_are_refused), TEST(no_caches),
         TEST(threads_share_a_pool))
