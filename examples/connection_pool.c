/* SPDX-License-Identifier: MIT */
/* A pool of connections that threads share: four workers, two connections, each a pair of sockets
 * with an echo at its far end. A worker takes a connection, waits if both are out, and hands it
 * with its question in flight to the collector, which reads the answer and gives it back: a lease
 * may be given back by another thread. In the end none was lent twice, and all are closed. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"
#include "tagheap/mutex.h"
#include "tagheap/resource_pool.h"

enum { WORKERS = 4, CONNECTIONS = 2, QUESTIONS = 50, DESCRIPTORS = 256 };

#define SECOND_NS UINT64_C(1000000000)

static th_mutex pool_mutex;
static th_resource_pool pool;
static int far_ends[DESCRIPTORS]; /* by descriptor; written before the connection is lent */

/* ---- connections ---------------------------------------------------------------------------- */

static th_status open_connection(void *context, uintptr_t *resource) {
    int ends[2];
    (void)context;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    EXPECT(ends[0] < DESCRIPTORS);
    far_ends[ends[0]] = ends[1];
    *resource = (uintptr_t)ends[0];
    return TH_OK;
}

static void close_connection(void *context, uintptr_t resource) {
    (void)context;
    (void)close(far_ends[resource]);
    (void)close((int)resource);
}

/* ---- what workers hand to the collector ----------------------------------------------------- */

typedef struct sent {
    th_lease lease;
    unsigned question;
} sent;

static pthread_mutex_t box_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t box_changed = PTHREAD_COND_INITIALIZER;
static sent box[CONNECTIONS]; /* no more can be out */
static size_t box_count;

static void hand_over(sent message) {
    (void)pthread_mutex_lock(&box_mutex);
    EXPECT(box_count < CONNECTIONS);
    box[box_count++] = message;
    (void)pthread_cond_signal(&box_changed);
    (void)pthread_mutex_unlock(&box_mutex);
}

static sent receive(void) {
    (void)pthread_mutex_lock(&box_mutex);
    while (box_count == 0) {
        (void)pthread_cond_wait(&box_changed, &box_mutex);
    }
    sent message = box[--box_count];
    (void)pthread_mutex_unlock(&box_mutex);
    return message;
}

/* ---- threads -------------------------------------------------------------------------------- */

static void *ask(void *context) {
    unsigned first = *(const unsigned *)context;
    for (unsigned i = 0; i < QUESTIONS; i++) {
        sent message = {.question = first + i};
        /* Waits until the collector gives one back. */
        EXPECT(th_resource_pool_take(&pool, &message.lease) == TH_OK);
        int near = (int)message.lease.resource;
        EXPECT(write(near, &message.question, sizeof message.question) ==
               (ssize_t)sizeof message.question);
        hand_over(message);
    }
    return NULL;
}

/* The far end's echo, the answer, and the connection back. */
static void *collect(void *context) {
    (void)context;
    for (unsigned i = 0; i < WORKERS * QUESTIONS; i++) {
        sent message = receive();
        unsigned answer = 0;
        int near = (int)message.lease.resource;
        int far = far_ends[near];
        EXPECT(read(far, &answer, sizeof answer) == (ssize_t)sizeof answer);
        EXPECT(answer == message.question);
        EXPECT(write(far, &answer, sizeof answer) == (ssize_t)sizeof answer);
        EXPECT(read(near, &answer, sizeof answer) == (ssize_t)sizeof answer);
        EXPECT(answer == message.question);
        EXPECT(th_resource_pool_give_back(&pool, message.lease) == TH_OK);
    }
    return NULL;
}

int main(void) {
    pthread_t collector, workers[WORKERS];
    unsigned firsts[WORKERS];
    EXPECT(th_mutex_init(&pool_mutex) == TH_OK);
    const th_resource_pool_config config = {.create = open_connection,
                                            .destroy = close_connection,
                                            .wait_ns = 60 * SECOND_NS,
                                            .lock = th_mutex_lock(&pool_mutex),
                                            .backing = th_system_allocator(),
                                            .resources_max = CONNECTIONS};
    EXPECT(th_resource_pool_init(&pool, &config) == TH_OK);
    EXPECT(pthread_create(&collector, NULL, collect, NULL) == 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        firsts[i] = i * QUESTIONS;
        EXPECT(pthread_create(&workers[i], NULL, ask, &firsts[i]) == 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        EXPECT(pthread_join(workers[i], NULL) == 0);
    }
    EXPECT(pthread_join(collector, NULL) == 0);
    th_resource_pool_stats stats = th_resource_pool_get_stats(&pool);
    EXPECT(stats.out == 0 && stats.created <= CONNECTIONS && stats.refusals == 0);
    th_resource_pool_clean_up(&pool);
    th_mutex_clean_up(&pool_mutex);
    (void)printf("connection_pool: %d questions by %d threads over %u connections\n",
                 WORKERS * QUESTIONS, WORKERS, (unsigned)stats.created);
    return 0;
}
