/* SPDX-License-Identifier: MIT */
/* A program with threads that forks: what the child has of the locks. (Not for helgrind and DRD,
 * which take a child for the program with all its threads.) */
#define _GNU_SOURCE

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/track.h"
#include "suite.h"
#include "tagheap/heap.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/locked.h"
#include "tagheap/mutex.h"
#include "tagheap/resource_pool.h"
#include "threads_fixture.h"

static _Alignas(16) unsigned char region[16 * 1024];
static th_heap heap;
static th_mutex mutex;
static th_locked locked;
static stage turns;

static void start_locked(void) {
    static th_tagged_allocator adapter;
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, NULL), TH_OK);
    const th_locked_config config = {.backing = th_heap_allocator(&adapter, &heap, 7),
                                     .lock = th_mutex_lock(&mutex)};
    CHECK_EQ(th_locked_init(&locked, &config), TH_OK);
    stage_start(&turns);
}

static void stop_locked(void) {
    stage_stop(&turns);
    th_locked_clean_up(&locked);
    th_heap_clean_up(&heap);
    th_mutex_clean_up(&mutex);
}

/* What a library does that cannot know who forks: handlers of pthread_atfork. */
static void before_fork(void) {
    if (th_mutex_lock(&mutex).acquire != NULL) {
        (void)th_locked_lock(&locked);
    }
}

static void after_fork(void) {
    if (th_mutex_lock(&mutex).acquire != NULL) {
        th_locked_unlock(&locked);
    }
}

static void after_fork_in_child(void) {
    if (th_mutex_lock(&mutex).acquire != NULL) {
        (void)th_mutex_renew(&mutex);
    }
}

/* MemorySanitizer's fork() takes locks of its own before it calls handlers, while another thread
 * has ours and waits for those: there they are called by hand. */
static bool calls_handlers;

static pid_t fork_once(void) {
    if (calls_handlers) {
        before_fork();
    }
    pid_t child = fork();
    if (calls_handlers) {
        (child == 0 ? after_fork_in_child : after_fork)();
    }
    return child;
}

/* What a child says that does this and ends: from 0 to 255. */
static int answer_of_child(int (*act)(void)) {
    pid_t child = fork_once();
    CHECK(child >= 0);
    if (child == 0) {
        (void)syscall(SYS_exit_group, act()); /* it joins no threads, and need not */
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* 0 to 2: what the child could do. */
static int ask(void) {
    void *block;
    th_status status = th_locked_try_alloc(&locked, 16, 16, 10 * 1000 * 1000, &block);
    return status == TH_OK && th_heap_check(&heap, NULL) == TH_OK ? 2 : status == TH_ERR_BUSY;
}

static int renew_and_ask(void) {
    th_lock lock = th_mutex_lock(&mutex);
    if (th_mutex_renew(&mutex) == TH_OK) {
        th_lock_acquire(&lock);
        th_lock_release(&lock);
    }
    return ask();
}

static void *hold_it(void *context) {
    (void)context;
    THREAD_CHECK(th_locked_lock(&locked) == TH_OK);
    stage_set(&turns, 1);
    stage_await(&turns, 2);
    th_locked_unlock(&locked);
    return NULL;
}

/* A child of a program in which another thread holds the lock: it is never let go there. Who forks
 * with the lock in hand has it renewed there. */
static void a_child_has_the_lock_or_is_told(void) {
    pthread_t other;
    start_locked();
    CHECK_EQ(pthread_create(&other, NULL, hold_it, NULL), 0);
    stage_await(&turns, 1);
    CHECK_EQ(answer_of_child(ask), 1); /* TH_ERR_BUSY, not for ever waiting */
    stage_set(&turns, 2);
    CHECK_EQ(th_locked_lock(&locked), TH_OK); /* as an atfork handler does */
    CHECK_EQ(answer_of_child(renew_and_ask), 2);
    th_locked_unlock(&locked);
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(th_heap_get_stats(&heap).head_blocks, 0); /* the child's are its own */
    stop_locked();
}

/* ---- spin locks ------------------------------------------------------------------------------ */

static th_spin spin;

static void *wait_for_it(void *context) {
    void *block = th_heap_alloc(&heap, 64, 1);
    (void)context;
    THREAD_CHECK(block != NULL && th_heap_free(&heap, block) > 0);
    return NULL;
}

/* 1: it waits for ever; 2: it has the lock, and nobody else. */
static int ask_for_spin(void) {
    th_lock lock = th_spin_lock(&spin);
    if (!th_lock_try_acquire(&lock, 0)) {
        return 1;
    }
    bool is_alone = spin.depth == 0 && spin.next.word - spin.serving.word == 1;
    th_lock_release(&lock);
    return is_alone && th_heap_alloc(&heap, 64, 1) != NULL ? 2 : 0;
}

static int let_go_and_ask_for_spin(void) {
    th_heap_unlock(&heap);
    return ask_for_spin();
}

static int renew_and_ask_for_spin(void) {
    return th_spin_renew(&spin) == TH_OK ? ask_for_spin() : 0;
}

/* Others have asked for it already, and are not there in the child: a ticket that is theirs would
 * be served for ever. */
static void a_child_has_the_spin_lock(void) {
    const th_spin_hooks hooks = th_spin_hosted_hooks();
    pthread_t other;
    th_status status = th_spin_init(&spin, &hooks);
    if (status == TH_ERR_UNSUPPORTED) {
        return; /* built by a compiler without atomic operations */
    }
    CHECK_EQ(status, TH_OK);
    const th_heap_config config = {.lock = th_spin_lock(&spin)};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    th_heap_lock(&heap);
    CHECK_EQ(pthread_create(&other, NULL, wait_for_it, NULL), 0);
    while (spin.next.word - spin.serving.word < 2) {
        hooks.relax();
    }
    CHECK_EQ(answer_of_child(let_go_and_ask_for_spin), 1);
    CHECK_EQ(answer_of_child(renew_and_ask_for_spin), 2);
    th_heap_unlock(&heap);
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(th_heap_get_stats(&heap).head_blocks, 0);
    th_heap_clean_up(&heap);
    th_spin_clean_up(&spin);
}

/* ---- a callback in another thread -------------------------------------------- */

static bool is_child;
static unsigned asked;

/* In the parent: as long as it takes to fork. */
static bool wait_for_the_fork(void *context, th_heap *asking, size_t bytes) {
    (void)context, (void)asking, (void)bytes;
    asked++;
    if (!is_child) {
        stage_set(&turns, 1);
        stage_await(&turns, 2);
    }
    return false;
}

static void *ask_for_too_much(void *context) {
    (void)context;
    THREAD_CHECK(th_heap_alloc(&heap, sizeof region, 1) == NULL);
    return NULL;
}

/* 1: it is as it was in the parent, where the callback is another thread's; 2: it is as ever. */
static int ask_the_heap(void) {
    is_child = true;
    asked = 0;
    if (th_heap_alloc(&heap, sizeof region, 1) != NULL || th_heap_check(&heap, NULL) != TH_OK) {
        return 0;
    }
    th_status status = th_heap_freeze(&heap);
    return asked == 0 && status == TH_ERR_BUSY ? 1 : 2 * (asked == 1 && status == TH_OK);
}

static int renew_the_lock_and_ask(void) {
    return th_mutex_renew(&mutex) == TH_OK ? ask_the_heap() : 0;
}

static int renew_the_heap_and_ask(void) {
    return th_mutex_renew(&mutex) == TH_OK && th_heap_renew(&heap) == TH_OK ? ask_the_heap() : 0;
}

/* Who has the lock at the fork keeps nobody out of low_memory, for which it is let go. */
static void a_child_has_the_heap(void) {
    pthread_t other;
    CHECK_EQ(th_mutex_init(&mutex), TH_OK);
    stage_start(&turns);
    const th_heap_config config = {.lock = th_mutex_lock(&mutex),
                                   .low_memory = wait_for_the_fork,
                                   .guarding.level = th_guard_max()};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    CHECK_EQ(pthread_create(&other, NULL, ask_for_too_much, NULL), 0);
    stage_await(&turns, 1);
    th_heap_lock(&heap);
    CHECK_EQ(answer_of_child(renew_the_lock_and_ask), 1);
    CHECK_EQ(answer_of_child(renew_the_heap_and_ask), 2);
    th_heap_unlock(&heap);
    stage_set(&turns, 2);
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(th_heap_freeze(&heap), TH_OK);
    CHECK_EQ(th_heap_thaw(&heap), TH_OK);
    th_heap_clean_up(&heap);
    stage_stop(&turns);
    th_mutex_clean_up(&mutex);
}

/* ---- a resource pool's function in another thread -------------------------------------------- */

static th_resource_pool pool;
static bool is_slow;

static th_status make_slowly(void *context, uintptr_t *resource) {
    (void)context;
    *resource = 7;
    if (is_slow) {
        stage_set(&turns, 1);
        stage_await(&turns, 2);
    }
    return TH_OK;
}

static void forget(void *context, uintptr_t resource) {
    (void)context;
    (void)resource;
}

static void *take_slowly(void *context) {
    th_lease lease;
    (void)context;
    THREAD_CHECK(th_resource_pool_take(&pool, &lease) == TH_OK);
    THREAD_CHECK(th_resource_pool_give_back(&pool, lease) == TH_OK);
    return NULL;
}

/* 1: there is none, nor any that is out; 2: it has one. */
static int take_one(void) {
    th_lease lease;
    th_status status = th_resource_pool_take(&pool, &lease);
    if (th_resource_pool_check(&pool, NULL) != TH_OK) {
        return 0;
    }
    return status == TH_ERR_EXHAUSTED ? 1 : 2 * (status == TH_OK && lease.resource == 7);
}

static int renew_the_lock_and_take(void) {
    return th_mutex_renew(&mutex) == TH_OK ? take_one() : 0;
}

static int renew_the_pool_and_take(void) {
    return th_mutex_renew(&mutex) == TH_OK && th_resource_pool_renew(&pool) == TH_OK ? take_one()
                                                                                     : 0;
}

/* Another thread makes the only resource when the process forks: in the child nobody does. */
static void a_child_has_the_resource_pool(void) {
    pthread_t other;
    start_locked();
    const th_resource_pool_config config = {.create = make_slowly,
                                            .destroy = forget,
                                            .lock = th_mutex_lock(&mutex),
                                            .backing = th_system_allocator(),
                                            .resources_max = 1};
    CHECK_EQ(th_resource_pool_init(&pool, &config), TH_OK);
    is_slow = true;
    CHECK_EQ(pthread_create(&other, NULL, take_slowly, NULL), 0);
    stage_await(&turns, 1);
    is_slow = false;
    th_lock_acquire(&config.lock);
    CHECK_EQ(answer_of_child(renew_the_lock_and_take), 1);
    CHECK_EQ(answer_of_child(renew_the_pool_and_take), 2);
    th_lock_release(&config.lock);
    stage_set(&turns, 2);
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(th_resource_pool_get_stats(&pool).idle, 1); /* the child's is its own */
    th_resource_pool_clean_up(&pool);
    stop_locked();
}

/* ---- handlers of fork ------------------------------------------------------------------------ */

enum { FORKS = 20 };

static void *use_it(void *context) {
    (void)context;
    while (stage_get(&turns) < FORKS) {
        void *block = th_allocator_alloc(th_locked_allocator(&locked), 64);
        THREAD_CHECK(block != NULL);
        th_allocator_free(th_locked_allocator(&locked), block);
    }
    return NULL;
}

static void atfork_handlers_make_children_whole(void) {
    pthread_t other;
    start_locked();
    calls_handlers = TH_TRACK_MSAN;
    if (!calls_handlers) {
        CHECK_EQ(pthread_atfork(before_fork, after_fork, after_fork_in_child), 0);
    }
    CHECK_EQ(pthread_create(&other, NULL, use_it, NULL), 0);
    for (unsigned i = 0; i < FORKS; i++) {
        CHECK_EQ(answer_of_child(ask), 2);
        stage_add(&turns);
    }
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    stop_locked();
    calls_handlers = false;
}

TH_SUITE("fork", TEST(a_child_has_the_lock_or_is_told), TEST(a_child_has_the_spin_lock),
         TEST(a_child_has_the_heap), TEST(a_child_has_the_resource_pool),
         TEST(atfork_handlers_make_children_whole))
