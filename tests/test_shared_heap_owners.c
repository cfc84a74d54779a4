/* SPDX-License-Identifier: MIT */
/* Who has a shared heap's lock, and who else may work in it then: other attachments of the thread,
 * other threads of the attachment, children of a program with threads, and processes of another PID
 * namespace. */
#define _GNU_SOURCE

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "death.h"
#include "played_process.h"
#include "resource/shared_heap.h"
#include "shared_fixture.h"
#include "threads_fixture.h"

enum { A = 0x1001, B = 0x1002, C = 0x1003 };

static void expect_busy(th_shared_heap *heap) {
    CHECK_EQ(th_shared_heap_alloc(heap, 100, C), 0);
    CHECK_EQ(th_shared_heap_status(heap), TH_ERR_BUSY);
    CHECK_EQ(th_shared_heap_lock(heap), TH_ERR_BUSY);
    CHECK_EQ(th_shared_heap_check(heap, NULL), TH_ERR_BUSY);
}

static void expect_sound(shared_pair *p, uint64_t blocks) {
    CHECK_EQ(th_shared_heap_check(&p->one, NULL), TH_OK);
    CHECK_EQ(th_shared_heap_check(&p->other, NULL), TH_OK);
    CHECK_EQ(th_shared_heap_get_stats(&p->other).head_blocks, blocks);
    CHECK_EQ(th_shared_heap_get_stats(&p->one).repairs, 0);
    CHECK(th_shared_heap_explain(p->memory[1], p->bytes) == NULL);
}

/* Does another process get the lock? */
static bool gets_the_lock(void *context) {
    shared_pair *p = context;
    th_shared_heap heap;
    const th_shared_heap_config hurried = {.wait_ns = 1000000};
    return th_shared_heap_attach(&heap, p->memory[1], p->bytes, &hurried) == TH_OK &&
           th_shared_heap_lock(&heap) == TH_OK;
}

/* ---- two attachments of one thread --------------------------------------------------------- */

static void another_attachment_has_to_wait(void) {
    for (size_t bytes = SHARED_PAGE; bytes <= SHARED_BYTES;
         bytes *= 16) { /* without an index, too */
        shared_pair p;
        th_shared_heap third = {.held = 7};
        shared_map(&p, bytes);
        CHECK_EQ(th_shared_heap_init(&p.one, p.memory[0], p.bytes, NULL), TH_OK);
        CHECK_EQ(th_shared_heap_attach(&p.other, p.memory[1], p.bytes, NULL), TH_OK);
        CHECK(th_shared_heap_alloc(&p.one, 100, A) != 0);
        CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
        expect_busy(&p.other);
        CHECK_EQ(th_shared_heap_attach(&third, p.memory[1], p.bytes, NULL), TH_ERR_BUSY);
        CHECK_EQ(third.held, 7);
        th_shared_heap_unlock(&p.other); /* not its own */
        CHECK(th_shared_heap_alloc(&p.one, 100, B) != 0);
        CHECK(!holds_in_child(gets_the_lock, &p));
        th_shared_heap_unlock(&p.one);
        CHECK(th_shared_heap_alloc(&p.other, 100, C) != 0);
        CHECK(holds_in_child(gets_the_lock, &p));
        expect_sound(&p, 3);
        shared_stop(&p);
    }
}

static bool call_with_another(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    shared_pair *p = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    expect_busy(&p->other);
    CHECK_EQ(th_shared_heap_compact(&p->other, SIZE_MAX, NULL, NULL).blocks_moved, 0);
    CHECK(!holds_in_child(gets_the_lock, p));
    return true;
}

static void so_has_one_in_a_callback(void) {
    shared_pair p;
    shared_start(&p, NULL);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 200, A);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(th_shared_heap_alloc(&p.one, 200, B) != 0);
    }
    CHECK(th_shared_heap_free(&p.one, a) > 0);
    CHECK_EQ(th_shared_heap_compact(&p.one, SIZE_MAX, call_with_another, &p).blocks_moved, 4);
    CHECK_EQ(th_shared_heap_get_stats(&p.other).moves, 4);
    expect_sound(&p, 4);
    shared_stop(&p);
}

/* ---- two threads of one attachment ---------------------------------------------------------- */

static void run_thread(void *(*body)(void *), void *context) {
    threads_run(&body, 1, context);
}

static void *try_all(void *context) {
    shared_pair *p = context;
    for (unsigned i = 0; i < 2; i++) {
        THREAD_CHECK(th_shared_heap_alloc(&p->one, 100, C) == 0);
        THREAD_CHECK(th_shared_heap_status(&p->one) == TH_ERR_BUSY);
        THREAD_CHECK(th_shared_heap_lock(&p->one) == TH_ERR_BUSY);
        p->one.status = TH_OK;
        th_shared_heap_unlock(&p->one);
        THREAD_CHECK(th_shared_heap_status(&p->one) == TH_ERR_BUSY);
        p->one.status = TH_OK;
        th_shared_heap_clean_up(&p->one);
        THREAD_CHECK(th_shared_heap_status(&p->one) == TH_ERR_BUSY);
    }
    return NULL;
}

static void the_lock_is_the_threads(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    run_thread(try_all, &p);
    CHECK_EQ(p.one.held, 2);
    CHECK(th_shared_heap_alloc(&p.one, 100, A) != 0);
    th_shared_heap_unlock(&p.one);
    run_thread(try_all, &p);
    CHECK(!holds_in_child(gets_the_lock, &p));
    th_shared_heap_unlock(&p.one);
    CHECK(holds_in_child(gets_the_lock, &p));
    expect_sound(&p, 1);
    shared_stop(&p);
}

static void *lock_and_end(void *context) {
    shared_pair *p = context;
    THREAD_CHECK(th_shared_heap_lock(&p->one) == TH_OK);
    THREAD_CHECK(th_shared_heap_lock(&p->one) == TH_OK);
    return NULL;
}

/* ThreadSanitizer does not know that a lock which is had within a time may be a dead one's. */
#define NOTHING_IS_LOST TH_COMPILER_TSAN

/* With the thread its lock has gone: the attachment takes it again, by whichever thread. */
static void the_lock_ends_with_its_thread(void) {
    enum { AT_ONCE, AFTER_ANOTHER, WHILE_ANOTHER, WAYS };
    for (int way = AT_ONCE; !NOTHING_IS_LOST && way < WAYS; way++) {
        shared_pair p;
        uint64_t blocks = 1;
        shared_start(&p, NULL);
        run_thread(lock_and_end, &p);
        CHECK_EQ(p.one.held, 2);
        th_shared_heap_unlock(&p.one); /* not this thread's */
        if (way != AT_ONCE) {
            CHECK(th_shared_heap_alloc(&p.other, 100, A) != 0);
            blocks++;
        }
        if (way == WHILE_ANOTHER) {
            CHECK_EQ(th_shared_heap_lock(&p.other), TH_OK);
            expect_busy(&p.one);
            th_shared_heap_clean_up(&p.one);
            CHECK_EQ(p.one.held, 2);
            th_shared_heap_unlock(&p.other);
        }
        CHECK(th_shared_heap_alloc(&p.one, 100, B) != 0);
        CHECK_EQ(p.one.held, 0);
        CHECK(holds_in_child(gets_the_lock, &p));
        expect_sound(&p, blocks);
        shared_stop(&p);
    }
}

/* Even if the heap is refused. */
static void a_clean_up_ends_what_a_thread_has_left(void) {
    for (uint32_t refused = 0; !NOTHING_IS_LOST && refused < 2; refused++) {
        shared_pair p;
        shared_start(&p, NULL);
        th_shared_object *object = (void *)p.memory[0];
        run_thread(lock_and_end, &p);
        object->refused = refused;
        th_shared_heap_clean_up(&p.one);
        CHECK_EQ(th_shared_heap_status(&p.one), TH_ERR_NULL);
        CHECK(holds_in_child(gets_the_lock, &p) == (refused == 0));
        shared_stop(&p);
    }
}

/* ---- children of a program with threads ----------------------------------------------------- */

static stage turns;

static bool await_the_fork(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    stage_set(&turns, 1);
    stage_await(&turns, 2);
    return true;
}

static void *compact_slowly(void *context) {
    shared_pair *p = context;
    THREAD_CHECK(th_shared_heap_compact(&p->one, 1, await_the_fork, NULL).blocks_moved == 1);
    return NULL;
}

static bool is_stale(void *context) {
    shared_pair *p = context;
    bool stale = th_shared_heap_alloc(&p->one, 10, B) == 0 &&
                 th_shared_heap_status(&p->one) == TH_ERR_STALE &&
                 th_shared_heap_lock(&p->one) == TH_ERR_STALE;
    p->one.status = TH_OK;
    th_shared_heap_unlock(&p->one);
    stale = stale && th_shared_heap_status(&p->one) == TH_ERR_STALE;
    th_shared_heap_clean_up(&p->one);
    return stale && th_shared_heap_status(&p->one) == TH_ERR_NULL;
}

static void a_child_has_no_call_of_another_thread(void) {
    shared_pair p;
    pthread_t thread;
    shared_start(&p, NULL);
    stage_start(&turns);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 200, A);
    CHECK(th_shared_heap_alloc(&p.one, 200, B) != 0);
    CHECK(th_shared_heap_free(&p.one, a) > 0);
    CHECK_EQ(pthread_create(&thread, NULL, compact_slowly, &p), 0);
    stage_await(&turns, 1);
    CHECK(holds_in_child(is_stale, &p));
    stage_set(&turns, 2);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    stage_stop(&turns);
    expect_sound(&p, 1);
    shared_stop(&p);
}

/* The same where a process is played by a number: what children do is not measured. */
static void a_number_without_the_call(void) {
    shared_pair p;
    shared_start(&p, NULL);
    for (uint32_t held = 0; held < 2; held++) { /* it waits for the lock, or has it */
        CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
        shared_pair child = {.one = p.one};
        child.one.is_inside = true;
        child.one.held = held;
        played_process = 1;
        bool stale = held != 0 ? is_stale(&child) : th_shared_heap_lock(&child.one) == TH_ERR_STALE;
        th_shared_heap_clean_up(&child.one);
        played_process = 0;
        CHECK(stale);
        CHECK_EQ(th_shared_heap_status(&child.one), TH_ERR_NULL);
        CHECK(!holds_in_child(gets_the_lock, &p)); /* it was not the child's to give back */
        th_shared_heap_unlock(&p.one);
    }
    expect_sound(&p, 0);
    shared_stop(&p);
}

/* ---- PID namespaces -------------------------------------------------------------------------- */

static const char *played_space; /* what the link says; NULL: as it is; "": there is none */

ssize_t readlink(const char *restrict path, char *restrict text, size_t bytes) {
    if (played_space == NULL) {
        memset(text, 0, bytes); /* MemorySanitizer does not know what the system writes */
        return (ssize_t)syscall(SYS_readlinkat, AT_FDCWD, path, text, bytes);
    }
    size_t length = strlen(played_space);
    CHECK(strcmp(path, "/proc/self/ns/pid") == 0 && length < bytes);
    memcpy(text, played_space, length);
    return length != 0 ? (ssize_t)length : -1;
}

static void other_namespaces_are_refused(void) {
    static const struct {
        const char *maker, *comer;
        th_status status;
    } rows[] = {{"pid:[1]", "pid:[1]", TH_OK},
                {"pid:[1]", "pid:[2]", TH_ERR_UNSUPPORTED},
                {"", "pid:[2]", TH_OK}, /* where there is no /proc nothing is noticed */
                {"pid:[1]", "", TH_OK}};
    static const th_shared_heap_config reading = {.read_only = true};
    static const th_shared_heap_config any = {.any_namespace = true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        shared_pair p;
        th_shared_heap heap = {.held = 7};
        shared_map(&p, SHARED_BYTES);
        played_space = rows[i].maker;
        CHECK_EQ(th_shared_heap_init(&p.one, p.memory[0], p.bytes, NULL), TH_OK);
        CHECK_EQ(th_process_space() != 0, *rows[i].maker != '\0');
        played_space = rows[i].comer;
        CHECK_EQ(th_shared_heap_attach(&heap, p.memory[1], p.bytes, NULL), rows[i].status);
        CHECK_EQ(heap.held, rows[i].status == TH_OK ? 0 : 7);
        const char *told = th_shared_heap_explain(p.memory[1], p.bytes);
        CHECK(rows[i].status == TH_OK ? told == NULL : strstr(told, "PID namespace") != NULL);
        CHECK_EQ(th_shared_heap_attach(&heap, p.memory[1], p.bytes, &reading), TH_OK);
        CHECK_EQ(th_shared_heap_attach(&heap, p.memory[1], p.bytes, &any), TH_OK);
        CHECK(th_shared_heap_alloc(&heap, 10, A) != 0);
        ((th_shared_object *)(void *)p.memory[0])->refused = 1;
        CHECK_EQ(th_shared_heap_attach(&heap, p.memory[1], p.bytes, &any), TH_ERR_CORRUPT);
        CHECK_EQ(th_shared_heap_attach(&heap, p.memory[1], p.bytes, &reading), TH_ERR_CORRUPT);
        played_space = NULL;
        shared_stop(&p);
    }
}

/* Is it true of the first process of a namespace of its own? -1: there may be none. */
static int run_in_namespace(bool (*act)(shared_pair *p), shared_pair *p) {
    enum { NOT_HAD = 7 };
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
            _exit(NOT_HAD);
        }
        pid_t first = fork();
        if (first == 0) {
            (void)alarm(60);
            _exit(act(p) ? 0 : 1);
        }
        _exit(first > 0 && waitpid(first, &status, 0) == first && status == 0 ? 0 : 1);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status) == NOT_HAD ? -1 : WEXITSTATUS(status) == 0;
}

static bool is_refused_there(shared_pair *p) {
    th_shared_heap heap;
    return th_shared_heap_attach(&heap, p->memory[1], p->bytes, NULL) == TH_ERR_UNSUPPORTED;
}

/* Two first processes have the same number: the other one must not be taken for the holder. */
static bool is_not_the_holder(shared_pair *p) {
    static const th_shared_heap_config any = {.any_namespace = true};
    th_shared_heap heap;
    return th_shared_heap_attach(&heap, p->memory[1], p->bytes, &any) == TH_ERR_BUSY;
}

static bool has_the_lock_meanwhile(shared_pair *p) {
    static const th_shared_heap_config any = {.any_namespace = true};
    th_shared_heap heap;
    return th_shared_heap_attach(&heap, p->memory[1], p->bytes, &any) == TH_OK &&
           th_shared_heap_lock(&heap) == TH_OK && th_process_id() == 1 &&
           run_in_namespace(is_not_the_holder, p) != 0 && th_shared_heap_alloc(&heap, 100, A) != 0;
}

static void real_namespaces_are_noticed(void) {
    shared_pair p;
    shared_start(&p, NULL);
    if (th_process_space() != 0) {
        CHECK(run_in_namespace(is_refused_there, &p) != 0);
    }
    CHECK(run_in_namespace(has_the_lock_meanwhile, &p) != 0);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    CHECK_EQ(th_shared_heap_check(&p.one, NULL), TH_OK);
    shared_stop(&p);
}

TH_SUITE("shared_heap_owners", TEST(another_attachment_has_to_wait), TEST(so_has_one_in_a_callback),
         TEST(the_lock_is_the_threads), TEST(the_lock_ends_with_its_thread),
         TEST(a_clean_up_ends_what_a_thread_has_left), TEST(a_child_has_no_call_of_another_thread),
         TEST(a_number_without_the_call), TEST(other_namespaces_are_refused),
         TEST(real_namespaces_are_noticed))
