/* SPDX-License-Identifier: MIT */
/* Spin locks with real threads: one at a time, in the order of asking, and bounded: who waits for
 * the heap gets in between two steps of a compaction, however fast the next one is asked for. */
#include "suite.h"
#include "tagheap/heap.h"
#include "tagheap/mutex.h"
#include "threads_fixture.h"

static th_spin spin;
static th_lock lock;

static void start(void) {
    const th_spin_hooks hooks = th_spin_hosted_hooks();
    CHECK_EQ(th_spin_init(&spin, &hooks), TH_OK);
    lock = th_spin_lock(&spin);
}

/* ---- one at a time --------------------------------------------------------------------------- */

enum { THREADS = 3, TURNS = 3000 };

static unsigned long plain; /* not atomic: the lock is what keeps it whole */
static unsigned inside;

static void *count_up(void *context) {
    unsigned long *tries = context;
    for (unsigned i = 0; i < TURNS; i++) {
        bool is_tried = i % 3 == 0 && th_lock_try_acquire(&lock, i % 2 == 0 ? 0 : 20000);
        *tries += is_tried;
        if (!is_tried) {
            th_lock_acquire(&lock);
        }
        th_lock_acquire(&lock); /* again */
        THREAD_CHECK(inside++ == 0);
        plain++;
        inside--;
        th_lock_release(&lock);
        th_lock_release(&lock);
    }
    return NULL;
}

static void one_thread_has_it_at_a_time(void) {
    unsigned long tries[THREADS] = {0};
    start();
    plain = 0;
    threads_run_alike(count_up, THREADS, tries, sizeof tries[0]);
    CHECK_EQ(plain, THREADS * TURNS);
    CHECK(spin.next.word == spin.serving.word && spin.depth == 0 && spin.owner.word == 0);
}

/* ---- bounded --------------------------------------------------------------------------------- */

static _Alignas(16) unsigned char region[4096];
static th_heap heap;
static unsigned now; /* under the lock */
static unsigned second_step_at;
static unsigned inserted_at;
static unsigned asked;

static bool waits(void) {
    return spin.next.word - spin.serving.word > 1;
}

/* In the first step: until the other thread has asked for the lock. */
static bool note_time(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    if (asked++ == 0) {
        while (!waits()) {
            spin.hooks.relax();
        }
    } else if (second_step_at == 0) {
        second_step_at = ++now;
    }
    return true;
}

static stage started;

static void *insert(void *context) {
    (void)context;
    stage_await(&started, 1);
    th_lock_acquire(&lock);
    inserted_at = ++now;
    THREAD_CHECK(th_heap_alloc(&heap, 40, 0x4001) != NULL);
    th_lock_release(&lock);
    return NULL;
}

static bool release_the_other(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    stage_set(&started, 1);
    return note_time(context, tag, from, to, bytes);
}

static void *compact(void *context) {
    (void)context;
    th_heap_compaction step;
    do {
        step = th_heap_compact_some(&heap, 1, release_the_other, NULL);
    } while (!step.done);
    return NULL;
}

static void who_waits_gets_in_between_two_steps(void) {
    static void *(*const bodies[])(void *) = {compact, insert};
    for (unsigned round = 0; round < 20; round++) {
        start();
        const th_heap_config config = {.alignment = 16, .lock = lock};
        CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
        for (uint32_t tag = 1; tag <= 6; tag++) {
            CHECK(th_heap_alloc(&heap, 100, tag) != NULL);
        }
        CHECK_EQ(th_heap_free_tags(&heap, 1, 1), 1);
        now = asked = second_step_at = inserted_at = 0;
        stage_start(&started);
        threads_run(bodies, 2, NULL);
        stage_stop(&started);
        CHECK_EQ(inserted_at, 1);
        CHECK_EQ(second_step_at, 2);
        CHECK_EQ(asked, 5);
        th_heap_clean_up(&heap);
    }
}

TH_SUITE("spin", TEST(one_thread_has_it_at_a_time), TEST(who_waits_gets_in_between_two_steps))
