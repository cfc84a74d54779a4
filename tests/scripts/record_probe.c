/* SPDX-License-Identifier: MIT */
/* A program with a known sequence of allocations, for test_record.py.
 *
 *   record_probe LOG ENDING      ENDING: a number (exit status), "quick" (_exit) or "kill"
 *
 * Every thread writes down its own calls; LOG gets them as lines "THREAD CALL size align old
 * result". Each thread's part of the trace lies between two marks, allocations of unusual sizes.
 * Then blocks pass between threads, and a forked child allocates too. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS     4
#define ROUNDS      6000
#define CALLS_MAX   (ROUNDS * 8)
#define MARK_BEGIN  0xA100u /* + thread */
#define MARK_END    0xA200u
#define CHILD_BYTES 0xA300u

typedef struct call {
    const char *name;
    size_t size, align;
    uintptr_t old, result;
} call;

typedef struct worker {
    unsigned number; /* 0: the main thread */
    uint64_t random;
    size_t count;
    call calls[CALLS_MAX];
} worker;

static worker workers[THREADS + 1];
static _Atomic(void *) exchange[16];
static pthread_barrier_t start_line;

static void note(worker *w, const char *name, size_t size, size_t align, uintptr_t old,
                 const void *result) {
    if (w->count == CALLS_MAX) {
        abort();
    }
    w->calls[w->count++] = (call){name, size, align, old, (uintptr_t)result};
}

static void *take(worker *w, size_t size) {
    void *p = malloc(size);
    note(w, "malloc", size, 1, 0, p);
    return p;
}

static void *take_zeroed(worker *w, size_t count, size_t size) {
    void *p = calloc(count, size);
    note(w, "calloc", count * size, 1, 0, p);
    return p;
}

static void *change(worker *w, void *old, size_t size) {
    uintptr_t before = (uintptr_t)old;
    void *p = realloc(old, size);
    note(w, before == 0 ? "malloc" : "realloc", size, 1, before, p);
    return p;
}

static void give(worker *w, void *p) {
    if (p != NULL) {
        note(w, "free", 0, 1, (uintptr_t)p, NULL);
    }
    free(p);
}

static void mark(unsigned size) {
    free(malloc(size));
}

static void call_every_function(worker *w) {
    void *p = NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    give(w, take(w, 0));
    give(w, take_zeroed(w, 7, 9));
    p = change(w, NULL, 10);
    for (size_t size = 20; size < 200000; size *= 3) {
        p = change(w, p, size);
    }
    p = change(w, p, 5);
    p = reallocarray(p, 30, 4);
    note(w, "realloc", 120, 1, w->calls[w->count - 1].result, p);
    change(w, p, 0);
    p = aligned_alloc(64, 128);
    note(w, "aligned", 128, 64, 0, p);
    give(w, p);
    if (posix_memalign(&p, 256, 100) == 0) {
        note(w, "aligned", 100, 256, 0, p);
    }
    give(w, p);
    p = memalign(32, 33);
    note(w, "aligned", 33, 32, 0, p);
    give(w, p);
    p = valloc(50);
    note(w, "aligned", 50, page, 0, p);
    give(w, p);
    p = pvalloc(page + 1);
    note(w, "aligned", page * 2, page, 0, p);
    give(w, p);
    p = strdup("sixteen letters.");
    note(w, "malloc", 17, 1, 0, p);
    if (malloc_usable_size(p) < 17) {
        abort();
    }
    give(w, p);
    give(w, NULL);
    volatile size_t huge = SIZE_MAX;
    note(w, "malloc", huge / 2 + 1, 1, 0, malloc(huge / 2 + 1));
    note(w, "calloc", huge, 1, 0, calloc(huge, 2));
    note(w, "malloc", huge, 1, 0, reallocarray(NULL, huge, 2));
}

static size_t next_random(worker *w, size_t below) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(w->random >> 33) % below;
}

/* What a thread takes out of the exchange is mostly another thread's block. One arena, and sizes
 * above those that glibc keeps for each thread: an address freed here is at once taken there. */
static void *work(void *argument) {
    worker *w = argument;
    pthread_barrier_wait(&start_line);
    mark(MARK_BEGIN + w->number);
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = 1100 + 16 * next_random(w, 4);
        void *p = next_random(w, 2) ? take(w, size) : take_zeroed(w, 2, size);
        if (next_random(w, 8) == 0) {
            p = change(w, p, size * 4);
        }
        give(w, atomic_exchange(&exchange[next_random(w, 16)], p));
    }
    mark(MARK_END + w->number);
    return NULL;
}

static void run_threads(void) {
    pthread_t threads[THREADS];
    mallopt(M_ARENA_MAX, 1);
    pthread_barrier_init(&start_line, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i + 1].number = i + 1;
        workers[i + 1].random = 77u + i;
        if (pthread_create(&threads[i], NULL, work, &workers[i + 1]) != 0) {
            abort();
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < sizeof exchange / sizeof exchange[0]; i++) {
        free(exchange[i]);
    }
}

static void run_child(void) {
    pid_t child = fork();
    if (child == 0) {
        mark(CHILD_BYTES);
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) {
        abort();
    }
}

static void write_log(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char line[128];
    for (unsigned t = 0; t <= THREADS; t++) {
        for (size_t i = 0; i < workers[t].count; i++) {
            const call *c = &workers[t].calls[i];
            int length = snprintf(line, sizeof line, "%u %s %zu %zu %#zx %#zx\n", t, c->name,
                                  c->size, c->align, (size_t)c->old, (size_t)c->result);
            if (write(fd, line, (size_t)length) != length) {
                abort();
            }
        }
    }
    close(fd);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 99;
    }
    mark(MARK_BEGIN);
    call_every_function(&workers[0]);
    mark(MARK_END);
    run_threads();
    run_child();
    write_log(argv[1]);
    if (strcmp(argv[2], "kill") == 0) {
        raise(SIGKILL);
    }
    if (strcmp(argv[2], "quick") == 0) {
        _exit(0);
    }
    return atoi(argv[2]);
}
