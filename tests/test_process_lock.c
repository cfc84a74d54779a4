/* SPDX-License-Identifier: MIT */
/* Locks between processes: what the next one is told when a holder dies. */
#define _DEFAULT_SOURCE

#include "tagheap/process_lock.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "death.h"
#include "suite.h"
#include "tagheap/lock.h"
#include "threads_fixture.h"

static th_process_lock *map(void) {
    th_process_lock *lock =
        mmap(NULL, sizeof *lock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(lock != MAP_FAILED);
    return lock;
}

static th_process_lock *make(void) {
    th_process_lock *lock = map();
    CHECK_EQ(th_process_lock_make(lock), TH_OK);
    return lock;
}

static void end(th_process_lock *lock) {
    CHECK_EQ(munmap(lock, sizeof *lock), 0);
}

/* A process takes the lock and dies. */
static void die_with(th_process_lock *lock) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)th_process_lock_acquire(lock);
        (void)kill(getpid(), SIGKILL);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

static bool is_refused(void *context) {
    return th_process_lock_release(context) == TH_ERR_EXHAUSTED;
}

/* A release without a hold is refused; ThreadSanitizer, which reports it, is spared it. */
static bool is_not_its_holder(th_process_lock *lock) {
    return TH_COMPILER_TSAN || is_refused(lock);
}

static void it_is_held_by_one_process(void) {
    th_process_lock *lock = make();
    CHECK_EQ(th_process_lock_acquire(lock), TH_OK);
    CHECK_EQ(th_process_lock_acquire(lock), TH_OK); /* the holder may take it again */
    CHECK(holds_in_child(is_refused, lock));
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    CHECK(holds_in_child(is_refused, lock));
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    CHECK(is_not_its_holder(lock));
    end(lock);
}

static bool adds_a_thousand(void *context) {
    th_process_lock *lock = context;
    volatile uint64_t *count = (volatile uint64_t *)(void *)(lock + 1);
    bool good = true;
    for (unsigned i = 0; i < 1000; i++) {
        good = good && th_process_lock_acquire(lock) == TH_OK;
        uint64_t before = *count;
        if (i % 16 == 0) {
            th_process_yield();
        }
        *count = before + 1;
        good = good && th_process_lock_release(lock) == TH_OK;
    }
    return good;
}

static void nobody_else_gets_in_between(void) {
    th_process_lock *lock = mmap(NULL, sizeof *lock + sizeof(uint64_t), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(lock != MAP_FAILED);
    CHECK_EQ(th_process_lock_make(lock), TH_OK);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        _exit(adds_a_thousand(lock) ? 0 : 1);
    }
    CHECK(adds_a_thousand(lock));
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(*(uint64_t *)(void *)(lock + 1), 2000);
    CHECK_EQ(munmap(lock, sizeof *lock + sizeof(uint64_t)), 0);
}

static void a_holder_that_dies_is_noticed(void) {
    th_process_lock *lock = make();
    die_with(lock);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_STALE);
    CHECK_EQ(th_process_lock_mend(lock), TH_OK);
    CHECK_EQ(th_process_lock_mend(lock), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    CHECK_EQ(th_process_lock_acquire(lock), TH_OK);
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    end(lock);
}

static void so_is_one_that_dies_before_it_has_mended(void) {
    th_process_lock *lock = make();
    die_with(lock);
    die_with(lock);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_STALE);
    CHECK_EQ(th_process_lock_mend(lock), TH_OK);
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    end(lock);
}

static void what_is_not_mended_is_nobodys(void) {
    th_process_lock *lock = make();
    die_with(lock);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_STALE);
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_CORRUPT);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_CORRUPT);
    end(lock);
}

static bool gives_up_in_time(void *context) {
    return th_process_lock_try_acquire(context, 0) == TH_ERR_BUSY &&
           th_process_lock_try_acquire(context, 2000000) == TH_ERR_BUSY;
}

/* Given back as often as it was taken: only the last time can it be too late to mend. */
static void the_next_holder_may_take_it_again(void) {
    for (unsigned mends = 0; mends < 2; mends++) {
        th_process_lock *lock = make();
        die_with(lock);
        CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_STALE);
        CHECK_EQ(th_process_lock_acquire(lock), TH_OK); /* it has been told */
        CHECK_EQ(th_process_lock_try_acquire(lock, 0), TH_OK);
        CHECK_EQ(th_process_lock_release(lock), TH_OK);
        CHECK(holds_in_child(gives_up_in_time, lock)); /* it still has it */
        CHECK_EQ(th_process_lock_release(lock), TH_OK);
        CHECK(holds_in_child(gives_up_in_time, lock));
        if (mends) {
            CHECK_EQ(th_process_lock_mend(lock), TH_OK);
        }
        CHECK_EQ(th_process_lock_release(lock), TH_OK);
        CHECK(is_not_its_holder(lock)); /* now it is nobody's */
        CHECK_EQ(th_process_lock_acquire(lock), mends ? TH_OK : TH_ERR_CORRUPT);
        CHECK(mends ? th_process_lock_release(lock) == TH_OK : is_not_its_holder(lock));
        end(lock);
    }
}

static bool gets_it(void *context) {
    return th_process_lock_try_acquire(context, 2000000) == TH_OK &&
           th_process_lock_release(context) == TH_OK;
}

static void who_waits_with_a_limit_is_told(void) {
    th_process_lock *lock = make();
    CHECK_EQ(th_process_lock_try_acquire(lock, 0), TH_OK);
    CHECK(holds_in_child(gives_up_in_time, lock));
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    CHECK(holds_in_child(gets_it, lock));
    die_with(lock);
    /* ThreadSanitizer does not know that a lock which is had within a time may be a dead one's. */
    CHECK_EQ(th_process_lock_try_acquire(lock, TH_COMPILER_TSAN ? TH_LOCK_FOREVER : 0),
             TH_ERR_STALE);
    CHECK_EQ(th_process_lock_mend(lock), TH_OK);
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    end(lock);
}

/* A strict lock is not to be had twice, not even by who has it, and is given back once. */
static void a_strict_one_is_taken_once(void) {
    th_process_lock *lock = map();
    CHECK_EQ(th_process_lock_make_strict(lock), TH_OK);
    CHECK_EQ(th_process_lock_acquire(lock), TH_OK);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_BUSY);
    CHECK_EQ(th_process_lock_try_acquire(lock, 0), TH_ERR_BUSY);
    CHECK(holds_in_child(gives_up_in_time, lock));
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    CHECK(is_not_its_holder(lock));
    CHECK(holds_in_child(gets_it, lock));
    die_with(lock);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_STALE);
    CHECK_EQ(th_process_lock_acquire(lock), TH_ERR_BUSY);
    CHECK_EQ(th_process_lock_mend(lock), TH_OK);
    CHECK_EQ(th_process_lock_release(lock), TH_OK);
    end(lock);
}

static void no_lock_is_an_error(void) {
    CHECK_EQ(th_process_lock_make_strict(NULL), TH_ERR_NULL);
    CHECK_EQ(th_process_lock_make(NULL), TH_ERR_NULL);
    CHECK_EQ(th_process_lock_acquire(NULL), TH_ERR_NULL);
    CHECK_EQ(th_process_lock_try_acquire(NULL, 0), TH_ERR_NULL);
    CHECK_EQ(th_process_lock_mend(NULL), TH_ERR_NULL);
    CHECK_EQ(th_process_lock_release(NULL), TH_ERR_NULL);
    CHECK(th_process_lock_layout() != 0);
    CHECK_EQ(th_process_lock_layout() % 256, sizeof(void *));
}

static bool has_another_number(void *context) {
    return th_process_id() != *(const uint64_t *)context;
}

static void processes_have_numbers(void) {
    uint64_t own = th_process_id();
    CHECK_EQ(th_process_id(), own);
    CHECK(holds_in_child(has_another_number, &own));
}

typedef struct numbers {
    uint64_t process;
    uint64_t thread;
    uint64_t space;
} numbers;

static numbers numbers_here(void) {
    return (numbers){th_process_id(), th_process_thread(), th_process_space()};
}

static void *note_numbers(void *context) {
    *(numbers *)context = numbers_here();
    return NULL;
}

static bool is_a_childs(void *context) {
    const numbers *own = context;
    numbers n = numbers_here();
    return n.process != own->process && n.thread != own->thread && n.space == own->space;
}

static void threads_and_namespaces_have_numbers(void) {
    numbers own = numbers_here();
    numbers other = {0};
    threads_run(&(void *(*)(void *)){note_numbers}, 1, &other);
    CHECK(other.process == own.process && other.thread != own.thread && other.space == own.space);
    CHECK_EQ(th_process_thread(), own.thread);
    CHECK_EQ(own.space != 0, access("/proc/self/ns/pid", F_OK) == 0);
    CHECK(holds_in_child(is_a_childs, &own));
}

TH_SUITE("process_lock", TEST(it_is_held_by_one_process), TEST(nobody_else_gets_in_between),
         TEST(a_holder_that_dies_is_noticed), TEST(so_is_one_that_dies_before_it_has_mended),
         TEST(what_is_not_mended_is_nobodys), TEST(the_next_holder_may_take_it_again),
         TEST(who_waits_with_a_limit_is_told), TEST(a_strict_one_is_taken_once),
         TEST(no_lock_is_an_error), TEST(processes_have_numbers),
         TEST(threads_and_namespaces_have_numbers))
