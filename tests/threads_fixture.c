/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include "threads_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "suite.h"

enum { STUCK_S = 60 };

void thread_check_failed(const char *file, int line, const char *text) {
    fprintf(stderr, "%s:%d: check failed in a thread: %s\n", file, line, text);
    abort();
}

static void join(const pthread_t *threads, size_t count) {
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
}

void threads_run(void *(*const bodies[])(void *), size_t count, void *context) {
    pthread_t threads[THREADS_MAX];
    CHECK(count <= THREADS_MAX);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, bodies[i], context), 0);
    }
    join(threads, count);
}

void threads_run_alike(void *(*body)(void *), size_t count, void *contexts, size_t size) {
    pthread_t threads[THREADS_MAX];
    CHECK(count <= THREADS_MAX);
    for (size_t i = 0; i < count; i++) {
        void *context = (unsigned char *)contexts + i * size;
        CHECK_EQ(pthread_create(&threads[i], NULL, body, context), 0);
    }
    join(threads, count);
}

void stage_start(stage *s) {
    THREAD_CHECK(pthread_mutex_init(&s->mutex, NULL) == 0);
    THREAD_CHECK(pthread_cond_init(&s->changed, NULL) == 0);
    s->value = 0;
}

void stage_stop(stage *s) {
    THREAD_CHECK(pthread_cond_destroy(&s->changed) == 0);
    THREAD_CHECK(pthread_mutex_destroy(&s->mutex) == 0);
}

void stage_set(stage *s, unsigned value) {
    (void)pthread_mutex_lock(&s->mutex);
    s->value = value;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->mutex);
}

void stage_add(stage *s) {
    (void)pthread_mutex_lock(&s->mutex);
    s->value++;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->mutex);
}

unsigned stage_get(stage *s) {
    (void)pthread_mutex_lock(&s->mutex);
    unsigned value = s->value;
    (void)pthread_mutex_unlock(&s->mutex);
    return value;
}

void stage_await(stage *s, unsigned value) {
    struct timespec late;
    (void)clock_gettime(CLOCK_REALTIME, &late);
    late.tv_sec += STUCK_S;
    (void)pthread_mutex_lock(&s->mutex);
    while (s->value < value) {
        THREAD_CHECK(pthread_cond_timedwait(&s->changed, &s->mutex, &late) != ETIMEDOUT);
    }
    (void)pthread_mutex_unlock(&s->mutex);
}
