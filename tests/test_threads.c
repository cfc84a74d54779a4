/* SPDX-License-Identifier: MIT */
/* Threads on one heap, and on one locked allocator: nothing overlaps, nothing is lost, no check and
 * no walk sees the middle of a call, others get in between two steps of a compaction. All with
 * mutexes, so that helgrind and DRD can follow. Signal handlers as well; forks: test_fork.c. */
#define _GNU_SOURCE

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "tagheap/heap.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/locked.h"
#include "tagheap/mutex.h"
#include "tagheap/quota.h"
#include "threads_fixture.h"

enum { REGION = 64 * 1024, SLOTS = 8, MUTATORS = 3, ROUNDS = 400 };

static _Alignas(16) unsigned char region[REGION];
static th_heap heap;
static th_mutex mutex;

static void start_heap(th_heap_config config) {
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    config.lock = th_mutex_lock(&mutex);
    config.guarding.level = 3;
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
}

static void stop_heap(void) {
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
    th_mutex_clean_up(&mutex);
}

/* ---- mutators -------------------------------------------------------------------------------- */

/* Blocks that one thread has; each filled with bytes that are its own. */
typedef struct mutator {
    unsigned number;
    uint64_t random;
    th_allocator allocator; /* zeroed: the heap itself */
    unsigned char *blocks[SLOTS];
    size_t sizes[SLOTS];
    size_t allocated;
} mutator;

static mutator mutators[MUTATORS];

static unsigned char mark_of(const mutator *m, size_t slot) {
    return (unsigned char)(m->number * 16 + slot + 1);
}

static void verify(const mutator *m, size_t slot) {
    for (size_t i = 0; i < m->sizes[slot]; i++) {
        THREAD_CHECK(m->blocks[slot][i] == mark_of(m, slot));
    }
}

static void drop(mutator *m, size_t slot) {
    verify(m, slot);
    if (m->allocator.table != NULL) {
        th_allocator_free(m->allocator, m->blocks[slot]);
    } else {
        THREAD_CHECK(th_heap_free(&heap, m->blocks[slot]) > 0);
    }
    m->blocks[slot] = NULL;
}

static void *make(mutator *m, size_t slot, size_t bytes) {
    if (m->allocator.table != NULL) {
        return th_allocator_alloc(m->allocator, bytes);
    }
    return th_heap_alloc(&heap, bytes, (slot % 2 == 0 ? 0u : 0x4000u) + m->number);
}

static void *change(mutator *m, size_t slot, size_t bytes) {
    void *block = m->blocks[slot];
    return m->allocator.table != NULL
               ? th_allocator_realloc(m->allocator, block, m->sizes[slot], bytes, 16, NULL)
               : th_heap_realloc(&heap, block, bytes);
}

static void fill_slot(mutator *m, size_t slot, void *block, size_t bytes) {
    if (block != NULL) {
        m->blocks[slot] = block;
        m->sizes[slot] = bytes;
        m->allocated++;
        memset(block, mark_of(m, slot), bytes);
    }
}

static void *mutate(void *context) {
    mutator *m = context;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t slot = (size_t)(th_test_random(&m->random) % SLOTS);
        size_t bytes = 1 + (size_t)(th_test_random(&m->random) % 900);
        if (m->blocks[slot] == NULL) {
            fill_slot(m, slot, make(m, slot, bytes), bytes);
        } else if (round % 3 == 0) {
            verify(m, slot);
            void *changed = change(m, slot, bytes);
            if (changed != NULL && bytes < m->sizes[slot]) {
                THREAD_CHECK(((unsigned char *)changed)[bytes - 1] == mark_of(m, slot));
            }
            fill_slot(m, slot, changed, bytes);
        } else {
            drop(m, slot);
        }
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (m->blocks[slot] != NULL) {
            drop(m, slot);
        }
    }
    THREAD_CHECK(m->allocated > ROUNDS / 4);
    return NULL;
}

static void prepare(th_allocator allocator) {
    uint64_t seed = th_test_seed(14);
    for (unsigned i = 0; i < MUTATORS; i++) {
        mutators[i] =
            (mutator){.number = i + 1, .random = th_test_random(&seed), .allocator = allocator};
    }
}

/* ---- observers ------------------------------------------------------------------------------- */

static stage running; /* mutators that have ended */

static void *mutate_and_say(void *context) {
    (void)mutate(context);
    stage_add(&running);
    return NULL;
}

/* One look at everything. What a walk sums up is what the statistics say, if both are of one
 * moment. */
static void walk_once(void) {
    th_heap_block block;
    size_t live_bytes = 0;
    uint32_t due = 0;
    uint64_t live = 0;
    th_heap_lock(&heap);
    th_heap_stats stats = th_heap_get_stats(&heap);
    for (bool more = th_heap_first(&heap, &block); more; more = th_heap_next(&heap, &block)) {
        THREAD_CHECK(block.offset == due);
        due = block.next_offset;
        if (block.tag != TH_TAG_FREE) {
            live++;
            live_bytes += (size_t)block.size_dwords * 4;
        }
    }
    th_heap_unlock(&heap);
    THREAD_CHECK(due == 0);
    THREAD_CHECK(live == stats.head_blocks + stats.tail_blocks);
    THREAD_CHECK(live_bytes == stats.head_bytes + stats.tail_bytes);
}

/* These take the lock themselves. */
static void ask_once(void) {
    th_fault fault;
    th_heap_block block;
    THREAD_CHECK(th_heap_check(&heap, &fault) == TH_OK);
    th_heap_stats stats = th_heap_get_stats(&heap);
    THREAD_CHECK(stats.used_bytes <= stats.high_water_bytes);
    THREAD_CHECK(stats.used_bytes + stats.free_bytes <= stats.region_bytes);
    THREAD_CHECK(stats.largest_free_bytes <= stats.free_bytes);
    THREAD_CHECK(th_heap_find(&heap, region + REGION / 2, &block));
    THREAD_CHECK(th_heap_largest_free_bytes(&heap) > 0 && th_heap_free_head_bytes(&heap) > 0);
    THREAD_CHECK(th_heap_plan_compaction(&heap, NULL, NULL).largest_free_bytes > 0);
}

static void *observe(void *context) {
    (void)context;
    while (stage_get(&running) < MUTATORS) {
        walk_once();
        ask_once();
    }
    return NULL;
}

static void *run_number(void *context) {
    static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    (void)context;
    (void)pthread_mutex_lock(&own);
    static unsigned next;
    mutator *m = &mutators[next++ % MUTATORS];
    (void)pthread_mutex_unlock(&own);
    return mutate_and_say(m);
}

static void checks_and_walks_are_never_torn(void) {
    static void *(*const bodies[])(void *) = {run_number, run_number, run_number, observe};
    start_heap((th_heap_config){.alignment = 16});
    prepare((th_allocator){0});
    stage_start(&running);
    threads_run(bodies, 4, NULL);
    stage_stop(&running);
    th_heap_stats stats = th_heap_get_stats(&heap);
    CHECK_EQ(stats.head_blocks + stats.tail_blocks, 0);
    CHECK_EQ(stats.free_blocks, 1);
    stop_heap();
}

/* ---- locked allocators ----------------------------------------------------------------------- */

static th_locked locked;
static th_tagged_allocator adapter;

static th_allocator start_locked(void) {
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    const th_heap_config plain = {.alignment = 16, .guarding.level = 3};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &plain), TH_OK);
    const th_locked_config config = {.backing = th_heap_allocator(&adapter, &heap, 7),
                                     .lock = th_mutex_lock(&mutex)};
    CHECK_EQ(th_locked_init(&locked, &config), TH_OK);
    return th_locked_allocator(&locked);
}

static void stop_locked(void) {
    th_locked_clean_up(&locked);
    stop_heap();
}

static void threads_share_a_locked_allocator(void) {
    prepare(start_locked());
    threads_run_alike(mutate, MUTATORS, mutators, sizeof mutators[0]);
    CHECK_EQ(th_heap_get_stats(&heap).head_blocks, 0);
    CHECK(th_locked_get_stats(&locked).calls > MUTATORS * ROUNDS / 2);
    CHECK_EQ(th_locked_get_stats(&locked).reentries, 0);
    stop_locked();
}

/* What one thread makes, another frees. */
enum { HANDED = 300 };
static void *handed[HANDED];
static stage given;

static void *produce(void *context) {
    (void)context;
    for (unsigned i = 0; i < HANDED; i++) {
        do {
            handed[i] = th_allocator_alloc(th_locked_allocator(&locked), 200);
        } while (handed[i] == NULL);
        memset(handed[i], (int)(i & 0xFF), 200);
        stage_set(&given, i + 1);
    }
    return NULL;
}

static void *consume(void *context) {
    (void)context;
    for (unsigned i = 0; i < HANDED; i++) {
        stage_await(&given, i + 1);
        THREAD_CHECK(((unsigned char *)handed[i])[199] == (i & 0xFF));
        th_allocator_free(th_locked_allocator(&locked), handed[i]);
    }
    return NULL;
}

static void blocks_are_freed_by_another_thread(void) {
    static void *(*const bodies[])(void *) = {produce, consume};
    (void)start_locked();
    stage_start(&given);
    threads_run(bodies, 2, NULL);
    stage_stop(&given);
    CHECK_EQ(th_heap_get_stats(&heap).head_blocks, 0);
    stop_locked();
}

/* ---- compaction in steps --------------------------------------------------------------------- */

static stage turns; /* odd: the other thread may; even: it has done */
static void *inserted;

static void *insert_between(void *context) {
    (void)context;
    stage_await(&turns, 1);
    /* As long as a step holds the lock there is no getting in. */
    THREAD_CHECK(!th_lock_try_acquire(&heap.config.lock, 0));
    stage_set(&turns, 2);
    stage_await(&turns, 3);
    THREAD_CHECK(th_lock_try_acquire(&heap.config.lock, 0));
    inserted = th_heap_alloc(&heap, 48, 0x4001);
    th_lock_release(&heap.config.lock);
    stage_set(&turns, 4);
    return NULL;
}

static unsigned asked;

static bool let_the_other_try(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    if (asked++ == 0) {
        stage_set(&turns, 1);
        stage_await(&turns, 2);
    }
    return true;
}

static void *compact_in_steps(void *context) {
    (void)context;
    th_heap_compaction step = th_heap_compact_some(&heap, 1, let_the_other_try, NULL);
    THREAD_CHECK(step.blocks_moved == 1 && !step.done);
    THREAD_CHECK(inserted == NULL);
    stage_set(&turns, 3);
    stage_await(&turns, 4); /* it has got in between two steps */
    THREAD_CHECK(inserted != NULL);
    do {
        step = th_heap_compact_some(&heap, 1, NULL, NULL);
    } while (!step.done);
    return NULL;
}

static void others_get_in_between_two_steps(void) {
    static void *(*const bodies[])(void *) = {compact_in_steps, insert_between};
    start_heap((th_heap_config){.alignment = 16});
    for (uint32_t tag = 1; tag <= 6; tag++) {
        CHECK(th_heap_alloc(&heap, 100, tag) != NULL);
    }
    CHECK_EQ(th_heap_free_tags(&heap, 1, 1), 1);
    inserted = NULL;
    asked = 0;
    stage_start(&turns);
    threads_run(bodies, 2, NULL);
    stage_stop(&turns);
    CHECK_EQ(th_heap_get_stats(&heap).free_blocks, 1);
    stop_heap();
}

/* ---- the low-memory callback ----------------------------------------------------------------- */

static unsigned refusals;

static void count_refusal(void *context, const th_fault *fault) {
    (void)context, (void)fault;
    refusals++;
}

static bool wait_for_the_other(void *context, th_heap *asking, size_t bytes) {
    (void)context, (void)asking, (void)bytes;
    asked++;
    stage_set(&turns, 1);
    stage_await(&turns, 2);
    return false;
}

static void *ask_for_too_much(void *context) {
    (void)context;
    THREAD_CHECK(th_heap_alloc(&heap, REGION, 1) == NULL);
    return NULL;
}

/* Nothing of it is a fault: this thread is in no callback. */
static void *call_meanwhile(void *context) {
    (void)context;
    stage_await(&turns, 1);
    THREAD_CHECK(th_heap_alloc(&heap, REGION, 2) == NULL);
    THREAD_CHECK(th_heap_freeze(&heap) == TH_ERR_BUSY && th_heap_thaw(&heap) == TH_OK);
    void *block = th_heap_alloc(&heap, 100, 2);
    THREAD_CHECK(block != NULL && th_heap_free(&heap, block) > 0);
    stage_set(&turns, 2);
    return NULL;
}

static void one_is_asked_for_memory_at_a_time(void) {
    static void *(*const bodies[])(void *) = {ask_for_too_much, call_meanwhile};
    start_heap(
        (th_heap_config){.low_memory = wait_for_the_other, .guarding.on_fault = count_refusal});
    asked = 0;
    refusals = 0;
    stage_start(&turns);
    threads_run(bodies, 2, NULL);
    stage_stop(&turns);
    CHECK_EQ(asked, 1);
    CHECK_EQ(refusals, 0);
    CHECK_EQ(th_heap_get_stats(&heap).failed_allocs, 2);
    CHECK_EQ(th_heap_freeze(&heap), TH_OK); /* nobody is in the callback now */
    CHECK_EQ(th_heap_thaw(&heap), TH_OK);
    stop_heap();
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void *try_for_a_while(void *context) {
    void *block;
    (void)context;
    THREAD_CHECK(th_locked_try_alloc(&locked, 8, 16, 0, &block) == TH_ERR_BUSY);
    THREAD_CHECK(th_locked_try_alloc(&locked, 8, 16, 1000 * 1000, &block) == TH_ERR_BUSY);
    stage_set(&turns, 1);
    THREAD_CHECK(th_locked_try_alloc(&locked, 8, 16, TH_LOCK_FOREVER, &block) == TH_OK);
    THREAD_CHECK(th_locked_try_free(&locked, block, UINT64_C(60000000000)) == TH_OK);
    return NULL;
}

static void *hold_for_a_while(void *context) {
    (void)context;
    stage_await(&turns, 1);
    THREAD_CHECK(th_locked_lock(&locked) == TH_OK); /* once more */
    th_locked_unlock(&locked);
    return NULL;
}

static void a_try_ends_in_time(void) {
    pthread_t other;
    (void)start_locked();
    stage_start(&turns);
    CHECK_EQ(th_locked_lock(&locked), TH_OK);
    CHECK_EQ(pthread_create(&other, NULL, try_for_a_while, NULL), 0);
    (void)hold_for_a_while(NULL);
    th_locked_unlock(&locked);
    CHECK_EQ(pthread_join(other, NULL), 0);
    stage_stop(&turns);
    stop_locked();
}

/* Whoever waits is woken, also if what it waits for happens just before it begins. */
enum { TOKENS = 2000 };
static unsigned tokens;
static unsigned eaten;

static void *put_tokens(void *context) {
    th_lock lock = th_mutex_lock(context);
    for (unsigned i = 0; i < TOKENS; i++) {
        th_lock_acquire(&lock);
        tokens++;
        lock.wake(lock.context);
        th_lock_release(&lock);
    }
    return NULL;
}

static void *eat_tokens(void *context) {
    th_lock lock = th_mutex_lock(context);
    th_lock_acquire(&lock);
    while (eaten < TOKENS) {
        uint64_t left_ns = eaten % 2 == 0 ? TH_LOCK_FOREVER : UINT64_C(60000000000);
        while (tokens == 0) {
            THREAD_CHECK(lock.wait(lock.context, &left_ns));
        }
        tokens--;
        eaten++;
    }
    th_lock_release(&lock);
    return NULL;
}

static void no_wake_up_is_lost(void) {
    static void *(*const bodies[])(void *) = {eat_tokens, put_tokens};
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    tokens = eaten = 0;
    threads_run(bodies, 2, &mutex);
    CHECK(tokens == 0 && eaten == TOKENS);
    th_mutex_clean_up(&mutex);
}

/* One call of wake ends every wait of that time. */
enum { WAITERS = 3 };
static unsigned is_open;
static stage ready;

static void *wait_until_open(void *context) {
    th_lock lock = th_mutex_lock(context);
    uint64_t left_ns = UINT64_C(20000000000);
    th_lock_acquire(&lock);
    stage_add(&ready);
    while (!is_open) {
        THREAD_CHECK(lock.wait(lock.context, &left_ns));
    }
    th_lock_release(&lock);
    return NULL;
}

static void *open_once(void *context) {
    th_lock lock = th_mutex_lock(context);
    stage_await(&ready, WAITERS);
    th_lock_acquire(&lock); /* only when all of them wait */
    is_open = true;
    lock.wake(lock.context);
    th_lock_release(&lock);
    return NULL;
}

static void all_that_wait_are_woken(void) {
    static void *(*const bodies[])(void *) = {wait_until_open, wait_until_open, wait_until_open,
                                              open_once};
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    is_open = false;
    stage_start(&ready);
    threads_run(bodies, WAITERS + 1, &mutex);
    stage_stop(&ready);
    th_mutex_clean_up(&mutex);
}

/* However often it is woken for no reason. */
static stage over;

static void *wait_in_vain(void *context) {
    th_lock lock = th_mutex_lock(context);
    uint64_t left_ns = 30 * 1000 * 1000;
    th_lock_acquire(&lock);
    while (lock.wait(lock.context, &left_ns)) {
        THREAD_CHECK(left_ns <= 30 * 1000 * 1000);
    }
    THREAD_CHECK(left_ns == 0);
    th_lock_release(&lock);
    stage_set(&over, 1);
    return NULL;
}

static void *wake_in_vain(void *context) {
    th_lock lock = th_mutex_lock(context);
    unsigned wakes = 0;
    while (stage_get(&over) == 0) {
        THREAD_CHECK(wakes++ < 20000); /* two seconds at least */
        th_lock_acquire(&lock);
        lock.wake(lock.context);
        th_lock_release(&lock);
        (void)usleep(100);
    }
    return NULL;
}

static void a_wait_ends_however_often_it_is_woken(void) {
    static void *(*const bodies[])(void *) = {wait_in_vain, wake_in_vain};
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    stage_start(&over);
    threads_run(bodies, 2, &mutex);
    stage_stop(&over);
    th_mutex_clean_up(&mutex);
}

/* ---- two objects ----------------------------------------------------------------------------- */

/* Outer lock first, then the inner one: a thread that uses both, and one that uses the inner one
 * alone, come to their end. */
static th_quota quota;
static th_locked outer;
static th_mutex outer_mutex;

static void *use_inner(void *context) {
    (void)context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *block = th_allocator_alloc(th_locked_allocator(&locked), 32);
        th_allocator_free(th_locked_allocator(&locked), block);
    }
    return NULL;
}

static void *use_outer(void *context) {
    (void)context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *block = th_allocator_alloc(th_locked_allocator(&outer), 32);
        THREAD_CHECK(th_allocator_check(th_locked_allocator(&outer), NULL) == TH_OK);
        th_allocator_free(th_locked_allocator(&outer), block);
    }
    return NULL;
}

static void locks_are_taken_from_the_outside_in(void) {
    static void *(*const bodies[])(void *) = {use_inner, use_outer, use_outer};
    const th_quota_config limits = {
        .backing = start_locked(), .bytes_max = 1000, .blocks_max = TH_QUOTA_UNLIMITED};
    CHECK_EQ(th_quota_init(&quota, &limits), TH_OK);
    CHECK_EQ(th_mutex_init(&outer_mutex), TH_OK);
    const th_locked_config config = {.backing = th_quota_allocator(&quota),
                                     .lock = th_mutex_lock(&outer_mutex)};
    CHECK_EQ(th_locked_init(&outer, &config), TH_OK);
    threads_run(bodies, 3, NULL);
    CHECK_EQ(th_quota_get_stats(&quota).blocks, 0);
    th_locked_clean_up(&outer);
    th_mutex_clean_up(&outer_mutex);
    th_quota_clean_up(&quota);
    stop_locked();
}

/* ---- signal handlers ------------------------------------------------------------------------- */

static volatile sig_atomic_t handled;
static th_status handler_status;
static void *handler_block;
static unsigned handler_faults;

/* In the thread itself, as if it had been interrupted there. */
static void allocate_in_handler(int number) {
    (void)number;
    handler_block = NULL;
    handler_status = th_locked_try_alloc(&locked, 24, 16, 0, &handler_block);
    handled = 1;
}

static void allocate_without_a_limit(int number) {
    (void)number;
    handler_block = th_allocator_alloc(th_locked_allocator(&locked), 24);
    handled = 1;
}

static void note_handler_fault(void *context, const th_fault *fault) {
    (void)context;
    CHECK_EQ(fault->kind, TH_FAULT_REENTRY);
    handler_faults++;
}

static void *interrupted_alloc(void *self, size_t bytes, size_t alignment) {
    CHECK_EQ(raise(SIGUSR1), 0); /* in the middle of the backing's call */
    return th_allocator_alloc_aligned(*(th_allocator *)self, bytes, alignment);
}

static void interrupted_free(void *self, void *block) {
    th_allocator_free(*(th_allocator *)self, block);
}

static void handle_with(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    handled = 0;
    handler_faults = 0;
}

static void a_handler_that_allocates_is_answered(void) {
    static const th_allocator_table interrupted = {.alloc = interrupted_alloc,
                                                   .free = interrupted_free};
    (void)start_locked();
    th_allocator inner = locked.config.backing;
    const th_locked_config config = {.backing = {.table = &interrupted, .self = &inner},
                                     .lock = th_mutex_lock(&mutex),
                                     .guarding.on_fault = note_handler_fault};
    CHECK_EQ(th_locked_init(&locked, &config), TH_OK);
    handle_with(allocate_in_handler);
    void *block = th_allocator_alloc(th_locked_allocator(&locked), 24);
    CHECK(handled && block != NULL);
    CHECK(handler_status == TH_ERR_BUSY && handler_block == NULL);
    CHECK_EQ(handler_faults, 0);
    handle_with(allocate_without_a_limit);
    th_allocator_free(th_locked_allocator(&locked), block);
    block = th_allocator_alloc(th_locked_allocator(&locked), 24);
    CHECK(handled && block != NULL && handler_block == NULL);
    CHECK_EQ(handler_faults, 1);
    th_allocator_free(th_locked_allocator(&locked), block);
    /* Between two calls it gets its block, also if the thread holds the lock. */
    locked.config.backing = inner;
    handle_with(allocate_in_handler);
    CHECK_EQ(th_locked_lock(&locked), TH_OK);
    CHECK_EQ(raise(SIGUSR1), 0);
    th_locked_unlock(&locked);
    CHECK(handled && handler_status == TH_OK);
    th_allocator_free(th_locked_allocator(&locked), handler_block);
    (void)signal(SIGUSR1, SIG_DFL);
    CHECK_EQ(th_heap_get_stats(&heap).head_blocks, 0);
    stop_locked();
}

TH_SUITE("threads", TEST(checks_and_walks_are_never_torn), TEST(threads_share_a_locked_allocator),
         TEST(blocks_are_freed_by_another_thread), TEST(others_get_in_between_two_steps),
         TEST(one_is_asked_for_memory_at_a_time), TEST(a_try_ends_in_time),
         TEST(no_wake_up_is_lost), TEST(all_that_wait_are_woken),
         TEST(a_wait_ends_however_often_it_is_woken), TEST(locks_are_taken_from_the_outside_in),
         TEST(a_handler_that_allocates_is_answered))
