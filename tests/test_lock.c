/* SPDX-License-Identifier: MIT */
/* Locks that need no operating system: none, one's own, the spin lock as one thread sees it (with
 * others played by hooks), the interrupt mask. Threads: test_spin.c and test_threads.c. */
#include "base/atomic.h"
#include "suite.h"
#include "tagheap/heap.h"
#include "tagheap/lock.h"

static void enter(void *context) {
    ++*(int *)context;
}

static void leave(void *context) {
    --*(int *)context;
}

static bool try_always(void *context, uint64_t timeout_ns) {
    enter(context);
    return timeout_ns != 13;
}

static bool wait_never(void *context, uint64_t *left_ns) {
    (void)context;
    *left_ns = 0;
    return false;
}

/* ---- what a lock consists of ---------------------------------------------------------------- */

static void a_lock_is_whole_or_none(void) {
    th_lock lock = {0};
    CHECK(th_lock_is_valid(&lock));
    lock.try_acquire = try_always;
    CHECK(!th_lock_is_valid(&lock)); /* nothing to try */
    lock.acquire = enter;
    CHECK(!th_lock_is_valid(&lock));
    lock.release = leave;
    CHECK(th_lock_is_valid(&lock));
    lock.acquire = NULL;
    CHECK(!th_lock_is_valid(&lock));
    lock.acquire = enter;
    lock.wait = wait_never;
    CHECK(!th_lock_is_valid(&lock));
    lock.wake = leave;
    CHECK(th_lock_is_valid(&lock));
    lock.wait = NULL;
    CHECK(!th_lock_is_valid(&lock));
    lock = (th_lock){.wait = wait_never, .wake = leave};
    CHECK(!th_lock_is_valid(&lock));
}

static void a_lock_of_ones_own(void) {
    int depth = 0;
    th_lock lock = {.acquire = enter, .release = leave, .context = &depth};
    th_lock_acquire(&lock);
    CHECK_EQ(depth, 1);
    CHECK(!th_lock_try_acquire(&lock, TH_LOCK_FOREVER)); /* it cannot be tried */
    CHECK_EQ(depth, 1);
    th_lock_release(&lock);
    CHECK_EQ(depth, 0);
    lock.try_acquire = try_always;
    CHECK(th_lock_try_acquire(&lock, 12));
    CHECK(!th_lock_try_acquire(&lock, 13));
    CHECK_EQ(depth, 2);
}

static void none_is_always_taken(void) {
    const th_lock none = {0};
    th_lock_acquire(&none);
    CHECK(th_lock_try_acquire(&none, 0));
    th_lock_release(&none);
}

/* ---- spin locks ------------------------------------------------------------------------------ */

static void what_is_not_started_gives_no_lock(void) {
    th_spin spin = {0};
    th_interrupts interrupts = {0};
    CHECK_EQ(th_spin_init(NULL, NULL), TH_ERR_NULL);
    CHECK(th_spin_lock(NULL).acquire == NULL);
    CHECK(th_spin_lock(&spin).acquire == NULL);
    CHECK(th_interrupts_lock(NULL).acquire == NULL);
    CHECK(th_interrupts_lock(&interrupts).acquire == NULL);
}

#if TH_ATOMIC

static th_spin spin;
static uintptr_t this_thread;
static uint64_t now;
static unsigned relaxed;
static unsigned release_at; /* the other thread lets go at the n-th look */
static bool takes_again;    /* and asks again at once */
static bool is_tried;       /* by another thread, while it waits; nothing is to be had */

static uintptr_t thread(void) {
    return this_thread;
}

static uint64_t clock_ns(void) {
    return now;
}

/* While this thread waits, the clock ticks and the other one runs. */
static void relax(void) {
    th_lock lock = th_spin_lock(&spin);
    uintptr_t me = this_thread;
    CHECK(++relaxed < 1000); /* or it waits for ever */
    now += 10;
    this_thread = 2;
    if (is_tried) {
        this_thread = 3;
        CHECK(!th_lock_try_acquire(&lock, 0));
        this_thread = 2;
    }
    if (relaxed == release_at) {
        th_lock_release(&lock);
        if (takes_again) {
            CHECK(!th_lock_try_acquire(&lock, 0)); /* who waits is first */
        }
    }
    this_thread = me;
}

static th_lock start(bool has_thread, bool has_clock) {
    const th_spin_hooks hooks = {.thread = has_thread ? thread : NULL,
                                 .relax = relax,
                                 .now_ns = has_clock ? clock_ns : NULL};
    this_thread = 1;
    now = 1000;
    relaxed = release_at = 0;
    takes_again = is_tried = false;
    CHECK_EQ(th_spin_init(&spin, &hooks), TH_OK);
    th_lock lock = th_spin_lock(&spin);
    CHECK(th_lock_is_valid(&lock) && lock.wait == NULL);
    return lock;
}

static void a_thread_takes_it_again(void) {
    th_lock lock = start(true, true);
    for (int i = 0; i < 3; i++) {
        th_lock_acquire(&lock);
    }
    CHECK(th_lock_try_acquire(&lock, 0));
    for (int i = 0; i < 4; i++) {
        this_thread = 2;
        CHECK(!th_lock_try_acquire(&lock, 0));
        this_thread = 1;
        th_lock_release(&lock);
    }
    this_thread = 2;
    CHECK(th_lock_try_acquire(&lock, 0));
    th_lock_release(&lock);
    CHECK_EQ(relaxed, 0);
}

static void who_waits_gets_it_next(void) {
    th_lock lock = start(true, true);
    this_thread = 2;
    th_lock_acquire(&lock);
    this_thread = 1;
    release_at = 3;
    takes_again = is_tried = true;
    th_lock_acquire(&lock);
    CHECK_EQ(relaxed, 3);
    this_thread = 2;
    CHECK(!th_lock_try_acquire(&lock, 0));
    this_thread = 1;
    th_lock_release(&lock);
    CHECK(th_lock_try_acquire(&lock, 0));
}

static void a_try_waits_as_long_as_it_may(void) {
    th_lock lock = start(true, true);
    this_thread = 2;
    th_lock_acquire(&lock);
    this_thread = 1;
    CHECK(!th_lock_try_acquire(&lock, 0));
    CHECK_EQ(relaxed, 0);
    CHECK(!th_lock_try_acquire(&lock, 30));
    CHECK_EQ(relaxed, 3); /* at 1010, 1020 and 1030, when it is over */
    release_at = 5;
    CHECK(th_lock_try_acquire(&lock, 1000));
    CHECK_EQ(relaxed, 5);
    th_lock_release(&lock);
    CHECK(th_lock_try_acquire(&lock, TH_LOCK_FOREVER));
}

static void without_a_clock_a_try_is_one_look(void) {
    th_lock lock = start(true, false);
    this_thread = 2;
    th_lock_acquire(&lock);
    this_thread = 1;
    CHECK(!th_lock_try_acquire(&lock, TH_LOCK_FOREVER));
    CHECK_EQ(relaxed, 0);
}

static uint64_t ticking_ns(void) {
    now += 10;
    return now;
}

static void without_a_way_to_relax_a_try_ends_as_well(void) {
    const th_spin_hooks hooks = {.thread = thread, .now_ns = ticking_ns};
    CHECK_EQ(th_spin_init(&spin, &hooks), TH_OK);
    th_lock lock = th_spin_lock(&spin);
    this_thread = 2;
    th_lock_acquire(&lock);
    this_thread = 1;
    now = 1000;
    CHECK(!th_lock_try_acquire(&lock, 30));
    CHECK_EQ(now, 1040); /* it began at 1010 */
    this_thread = 2;
    th_lock_release(&lock);
    CHECK_EQ(spin.owner.word, 0);
}

static void without_threads_nobody_takes_it_again(void) {
    th_lock lock = start(false, true);
    CHECK(th_lock_try_acquire(&lock, 0));
    CHECK(!th_lock_try_acquire(&lock, 0));
    th_lock_release(&lock);
    CHECK_EQ(th_spin_init(&spin, NULL), TH_OK);
    th_lock_acquire(&lock);
    CHECK(!th_lock_try_acquire(&lock, TH_LOCK_FOREVER));
    th_lock_release(&lock);
    th_lock_acquire(&lock);
    th_lock_release(&lock);
}

static void tickets_wrap_around(void) {
    th_lock lock = start(true, true);
    spin.next.word = UINT32_MAX;
    spin.serving.word = UINT32_MAX;
    th_lock_acquire(&lock);
    th_lock_release(&lock);
    CHECK_EQ(spin.serving.word, 0);
    CHECK(th_lock_try_acquire(&lock, 0));
    CHECK_EQ(spin.next.word, 1);
    th_lock_release(&lock);
    th_spin_clean_up(&spin);
    CHECK(th_spin_lock(&spin).acquire == NULL && spin.next.word == 0);
}

/* As the child of a fork has it: taken twice by the thread that forked, and others have drawn
 * tickets, but are not there. */
static void a_renewed_one_is_free(void) {
    th_lock lock = start(true, true);
    th_lock_acquire(&lock);
    th_lock_acquire(&lock);
    spin.next.word += 2;
    CHECK_EQ(th_spin_renew(&spin), TH_OK);
    CHECK(spin.next.word == spin.serving.word && spin.owner.word == 0 && spin.depth == 0);
    CHECK(spin.hooks.thread == thread && spin.hooks.relax == relax);
    CHECK(th_lock_try_acquire(&lock, 0)); /* by the hooks that it had: */
    CHECK(th_lock_try_acquire(&lock, 0));
    this_thread = 2;
    CHECK(!th_lock_try_acquire(&lock, 100));
    this_thread = 1;
    th_lock_release(&lock);
    th_lock_release(&lock);
    th_spin_clean_up(&spin);
    CHECK_EQ(th_spin_renew(&spin), TH_ERR_NULL);
}

#if TH_ATOMIC_STEPS
static unsigned steps, act_at;
static bool is_held; /* by thread 1, whatever it does now */

/* A signal handler of thread 1, then another thread that gets in, and one more handler. */
static void interrupt(void) {
    th_lock lock = th_spin_lock(&spin);
    bool is_mine = th_lock_try_acquire(&lock, 0);
    CHECK(is_mine || !is_held);
    this_thread = 2;
    bool is_others = th_lock_try_acquire(&lock, 0);
    this_thread = 1;
    if (is_mine) {
        CHECK(!is_others);
        th_lock_release(&lock);
        this_thread = 2;
        is_others = th_lock_try_acquire(&lock, 0);
        this_thread = 1;
    }
    if (is_others) {
        CHECK(!is_held && !th_lock_try_acquire(&lock, 0));
        this_thread = 2;
        th_lock_release(&lock);
        this_thread = 1;
    }
}

static void count_step(const volatile void *word, size_t bytes) {
    (void)word;
    (void)bytes;
    if (++steps == act_at) {
        th_atomic_step = NULL;
        interrupt();
        th_atomic_step = count_step;
    }
}

/* Before each atomic operation in turn. */
static void a_handler_has_it_with_its_thread_or_not_at_all(void) {
    steps = 1;
    for (act_at = 1; act_at <= steps; act_at++) {
        th_lock lock = start(true, true);
        steps = 0;
        th_atomic_step = count_step;
        th_lock_acquire(&lock);
        is_held = true;
        th_lock_acquire(&lock);
        CHECK(th_lock_try_acquire(&lock, 0));
        th_lock_release(&lock);
        th_lock_release(&lock);
        is_held = false;
        th_lock_release(&lock);
        if (th_lock_try_acquire(&lock, 0)) {
            th_lock_release(&lock);
        } else {
            CHECK(act_at <= steps); /* the handler had it meanwhile */
        }
        th_atomic_step = NULL;
        CHECK_EQ(spin.next.word, spin.serving.word);
        CHECK(spin.owner.word == 0 && spin.depth == 0);
    }
    CHECK(steps > 10);
}

#define STEP_TESTS TEST(a_handler_has_it_with_its_thread_or_not_at_all),
#else
#define STEP_TESTS
#endif

#define SPIN_TESTS                                                                                 \
    STEP_TESTS TEST(a_thread_takes_it_again), TEST(who_waits_gets_it_next),                        \
        TEST(a_try_waits_as_long_as_it_may), TEST(without_a_clock_a_try_is_one_look),              \
        TEST(without_a_way_to_relax_a_try_ends_as_well),                                           \
        TEST(without_threads_nobody_takes_it_again), TEST(tickets_wrap_around),                    \
        TEST(a_renewed_one_is_free)

#else

static void without_atomics_there_are_no_spin_locks(void) {
    th_spin spin = {0};
    CHECK_EQ(th_spin_init(&spin, NULL), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_spin_renew(&spin), TH_ERR_NULL);
    CHECK(th_spin_lock(&spin).acquire == NULL);
}

#define SPIN_TESTS TEST(without_atomics_there_are_no_spin_locks)

#endif

/* ---- the interrupt mask ---------------------------------------------------------------------- */

static uintptr_t masked; /* as PRIMASK: 1, interrupts do not come */
static unsigned restored;

static uintptr_t mask(void) {
    uintptr_t was = masked;
    masked = 1;
    return was;
}

static void restore(uintptr_t state) {
    masked = state;
    restored++;
}

static void interrupts_stay_away_as_long_as_it_is_taken(void) {
    th_interrupts interrupts = {0};
    CHECK_EQ(th_interrupts_init(NULL, mask, restore), TH_ERR_NULL);
    CHECK_EQ(th_interrupts_init(&interrupts, NULL, restore), TH_ERR_NULL);
    CHECK_EQ(th_interrupts_init(&interrupts, mask, NULL), TH_ERR_NULL);
    CHECK(interrupts.mask == NULL && interrupts.restore == NULL);
    CHECK_EQ(th_interrupts_init(&interrupts, mask, restore), TH_OK);
    th_lock lock = th_interrupts_lock(&interrupts);
    CHECK(th_lock_is_valid(&lock));
    for (uintptr_t before = 0; before <= 1; before++) {
        masked = before;
        restored = 0;
        th_lock_acquire(&lock);
        CHECK(th_lock_try_acquire(&lock, 0));
        th_lock_release(&lock);
        CHECK_EQ(masked, 1);
        CHECK_EQ(restored, 0);
        th_lock_release(&lock);
        CHECK_EQ(masked, before);
        CHECK_EQ(restored, 1);
    }
}

static uint32_t region[1000];
static unsigned asked;
static th_heap heap;
static unsigned faults;

static void note_fault(void *context, const th_fault *fault) {
    (void)context;
    CHECK_EQ(fault->kind, TH_FAULT_REENTRY);
    faults++;
}

static bool ask_from_inside(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    CHECK_EQ(masked, 1);
    asked++;
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    CHECK(th_heap_get_stats(&heap).head_bytes >= bytes);
    CHECK(th_heap_alloc(&heap, 4, 1) == NULL); /* refused, not for ever waiting */
    CHECK_EQ(masked, 1);
    return true;
}

/* With an interrupt mask as its lock, every call of the heap is made without interrupts. */
static void a_heap_masks_interrupts(void) {
    th_interrupts interrupts;
    CHECK_EQ(th_interrupts_init(&interrupts, mask, restore), TH_OK);
    const th_heap_config config = {.alignment = 4,
                                   .guarding = {.on_fault = note_fault},
                                   .lock = th_interrupts_lock(&interrupts)};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
    masked = 0;
    restored = faults = asked = 0;
    void *low = th_heap_alloc(&heap, 40, 1);
    void *high = th_heap_alloc(&heap, 60, 2);
    CHECK(low != NULL && high != NULL);
    CHECK_EQ(restored, 2);
    CHECK_EQ(th_heap_requested_size(&heap, high), 60);
    CHECK_EQ(th_heap_free(&heap, low) > 0, true);
    CHECK_EQ(restored, 4);
    CHECK_EQ(th_heap_compact(&heap, ask_from_inside, NULL).blocks_moved, 1);
    CHECK_EQ(asked, 1);
    CHECK_EQ(faults, 1);
    CHECK_EQ(restored, 5);
    CHECK_EQ(masked, 0);
    th_heap_clean_up(&heap);
    CHECK_EQ(masked, 0);
    th_interrupts_clean_up(&interrupts);
    CHECK(interrupts.mask == NULL && interrupts.restore == NULL && interrupts.state == 0);
}

TH_SUITE("lock", TEST(a_lock_is_whole_or_none), TEST(a_lock_of_ones_own),
         TEST(none_is_always_taken), TEST(what_is_not_started_gives_no_lock), SPIN_TESTS,
         TEST(interrupts_stay_away_as_long_as_it_is_taken), TEST(a_heap_masks_interrupts))
