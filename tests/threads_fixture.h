/* SPDX-License-Identifier: MIT */
/* What suites with threads share. A check that fails in a thread ends the program: a framework's
 * checks may be used by the first thread only. */
#ifndef TESTS_THREADS_FIXTURE_H
#define TESTS_THREADS_FIXTURE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define THREAD_CHECK(condition)                                                                    \
    ((condition) ? (void)0 : thread_check_failed(__FILE__, __LINE__, #condition))

void thread_check_failed(const char *file, int line, const char *text);

#define THREADS_MAX 8

/* Runs each body in a thread of its own, `context` for all, and waits for the end of all. */
void threads_run(void *(*const bodies[])(void *), size_t count, void *context);

/* One body `count` times; each is given contexts + its number * size. */
void threads_run_alike(void *(*body)(void *), size_t count, void *contexts, size_t size);

/* A number that threads wait for, under a mutex of its own, which every tool understands. */
typedef struct stage {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned value;
} stage;

void stage_start(stage *s);
void stage_stop(stage *s);
void stage_set(stage *s, unsigned value);
void stage_add(stage *s);
unsigned stage_get(stage *s);

/* Until it is `value` or more. A program that waits for 60 s is stuck, and ends. */
void stage_await(stage *s, unsigned value);

#endif
