/* SPDX-License-Identifier: MIT */
/* A small server that gives everything back: one policy is the only memory that it gets, workers
 * come from a resource pool, requests arrive in a ring, replies leave as gather lists, each request
 * has a scope, what is shared is counted, and the parts of the server end in the order of a graph.
 * In the end the memory that the policy counts is none. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "expect.h"
#include "tagheap/buffer_pool.h"
#include "tagheap/graph.h"
#include "tagheap/policy.h"
#include "tagheap/ref.h"
#include "tagheap/resource_pool.h"
#include "tagheap/ring.h"
#include "tagheap/scope.h"

enum { REQUESTS = 200, CONNECTIONS = 3, NAME_BYTES = 12 };

/* The greeting is shared by all replies that are on their way. */
typedef struct greeting {
    char text[16];
    th_allocator allocator;
} greeting;

static unsigned greetings_ended;

static void end_greeting(void *object) {
    greeting *g = object;
    greetings_ended++;
    th_allocator_free(g->allocator, g);
}

static const th_ref_type greeting_type = {"greeting", end_greeting, NULL};

static th_ref *make_greeting(th_refs *refs, th_allocator allocator) {
    greeting *g = th_allocator_alloc(allocator, sizeof *g);
    if (g == NULL) {
        return NULL;
    }
    *g = (greeting){"hello, ", allocator};
    th_ref *ref = th_refs_add(refs, g, &greeting_type);
    if (ref == NULL) {
        end_greeting(g);
    }
    return ref;
}

/* A connection is a pair of sockets; the far end is the client's. */
static int far_ends[256];

static th_status open_connection(void *context, uintptr_t *resource) {
    int ends[2];
    (void)context;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    far_ends[ends[0] % 256] = ends[1];
    *resource = (uintptr_t)(intptr_t)ends[0];
    return TH_OK;
}

static void close_connection(void *context, uintptr_t resource) {
    (void)context;
    (void)close(far_ends[resource % 256]);
    (void)close((int)resource);
}

typedef struct server {
    th_allocator memory;
    th_resource_pool connections;
    th_buffer_pool buffers;
    th_refs refs;
    th_ref *greeting;
    th_graph parts;
    char order[8];
} server;

/* ---- one request: everything that it takes is its scope's ---------------------------------- */

typedef struct loan {
    server *of;
    th_lease connection;
    th_buffer *buffer;
} loan;

static void give_back_connection(void *context) {
    loan *l = context;
    EXPECT(th_resource_pool_give_back(&l->of->connections, l->connection) == TH_OK);
}

static void give_back_buffer(void *context) {
    loan *l = context;
    EXPECT(th_buffer_pool_give_back(&l->of->buffers, l->buffer) == TH_OK);
}

static void release(void *context) {
    EXPECT(th_ref_release(context) == TH_OK);
}

/* Sends greeting and name in one call, without a copy of either. */
static th_status reply(server *s, loan *l, th_scope *scope, const char *name) {
    th_gather_part parts[3];
    th_gather list;
    const th_gather_config config = {.memory = parts, .memory_bytes = sizeof parts};
    const greeting *g = th_ref_object(s->greeting);
    EXPECT(th_ref_retain(s->greeting) == TH_OK);
    th_status status = th_scope_defer_or_run(scope, release, s->greeting, NULL);
    if (status != TH_OK) {
        return status;
    }
    EXPECT(th_gather_init(&list, &config) == TH_OK);
    EXPECT(th_gather_add(&list, g->text, strlen(g->text)) == TH_OK);
    EXPECT(th_gather_add(&list, name, strlen(name)) == TH_OK);
    while (th_gather_size(&list) > 0) {
        size_t count;
        const struct iovec *left = (const void *)th_gather_parts(&list, &count);
        ssize_t sent = writev((int)l->connection.resource, left, (int)count);
        if (sent < 0) {
            return TH_ERR_EXHAUSTED;
        }
        EXPECT(th_gather_consume(&list, (size_t)sent) == TH_OK);
    }
    return TH_OK;
}

static th_status serve(server *s, const char *name) {
    TH_ALLOCATOR_ALIGNAS unsigned char records[4 * TH_SCOPE_RECORD_BYTES];
    th_scope scope = {0};
    const th_scope_config config = {.memory = records, .memory_bytes = sizeof records};
    loan l = {.of = s};
    EXPECT(th_scope_init(&scope, &config) == TH_OK);
    th_status status = th_resource_pool_take(&s->connections, &l.connection);
    if (status == TH_OK) {
        status = th_scope_defer_or_run(&scope, give_back_connection, &l, NULL);
    }
    if (status == TH_OK) {
        l.buffer = th_buffer_pool_take(&s->buffers, NAME_BYTES + 1);
        status = l.buffer == NULL ? TH_ERR_EXHAUSTED
                                  : th_scope_defer_or_run(&scope, give_back_buffer, &l, NULL);
    }
    if (status == TH_OK) {
        status = th_buffer_append(l.buffer, name, strlen(name) + 1);
    }
    if (status == TH_OK) {
        status = reply(s, &l, &scope, th_buffer_data(l.buffer));
    }
    if (status == TH_OK) { /* the client has it, whole */
        char answer[64] = {0};
        ssize_t came = read(far_ends[l.connection.resource % 256], answer, sizeof answer - 1);
        EXPECT(came == (ssize_t)(7 + strlen(name)));
        EXPECT(strncmp(answer, "hello, ", 7) == 0 && strcmp(answer + 7, name) == 0);
    }
    (void)th_scope_fail(&scope, status);
    return th_scope_reset(&scope); /* connection, buffer and greeting are free again */
}

/* ---- the server: parts that end before what they need ------------------------------------- */

static void note(server *s, char part) {
    s->order[strlen(s->order)] = part;
}

static void end_connections(void *context) {
    server *s = context;
    note(s, 'c');
    th_resource_pool_clean_up(&s->connections);
}

static void end_buffers(void *context) {
    server *s = context;
    note(s, 'b');
    th_buffer_pool_clean_up(&s->buffers);
}

static void end_refs(void *context) {
    server *s = context;
    note(s, 'r');
    EXPECT(th_refs_find_cycles(&s->refs, NULL, NULL) == 0);
    th_refs_clean_up(&s->refs);
}

static void start(server *s, th_allocator memory) {
    const th_graph_config parts = {.backing = memory};
    const th_refs_config refs = {.backing = memory};
    const th_buffer_pool_config buffers = {.buffers = {.backing = memory}, .kept_max = 2};
    const th_resource_pool_config connections = {.create = open_connection,
                                                 .destroy = close_connection,
                                                 .backing = memory,
                                                 .resources_max = CONNECTIONS};
    *s = (server){.memory = memory};
    EXPECT(th_graph_init(&s->parts, &parts) == TH_OK);
    EXPECT(th_refs_init(&s->refs, &refs) == TH_OK);
    EXPECT(th_buffer_pool_init(&s->buffers, &buffers) == TH_OK);
    EXPECT(th_resource_pool_init(&s->connections, &connections) == TH_OK);
    s->greeting = make_greeting(&s->refs, memory);
    EXPECT(s->greeting != NULL);
    th_graph_node *r = th_graph_add(&s->parts, "references", end_refs, s);
    th_graph_node *b = th_graph_add(&s->parts, "buffers", end_buffers, s);
    th_graph_node *c = th_graph_add(&s->parts, "connections", end_connections, s);
    EXPECT(r != NULL && b != NULL && c != NULL);
    EXPECT(th_graph_depend(&s->parts, b, c) == TH_OK); /* buffers are filled from connections */
    EXPECT(th_graph_depend(&s->parts, r, b) == TH_OK);
    EXPECT(th_graph_depend(&s->parts, c, r) == TH_ERR_CYCLE);
}

/* Requests arrive as lines, in pieces of any size. */
static unsigned serve_all(server *s) {
    unsigned char memory[64];
    th_ring ring;
    const th_ring_config config = {.memory = memory, .memory_bytes = sizeof memory};
    char line[NAME_BYTES + 1];
    size_t length = 0;
    unsigned served = 0;
    EXPECT(th_ring_init(&ring, &config) == TH_OK);
    for (unsigned i = 0; i < REQUESTS; i++) {
        char text[NAME_BYTES];
        int bytes = snprintf(text, sizeof text, "client %u\n", i);
        EXPECT(th_ring_write(&ring, text, (size_t)bytes) == (size_t)bytes);
        if (i % 4 != 3) {
            continue; /* some at a time */
        }
        while (th_ring_read(&ring, &line[length], 1) == 1) {
            if (line[length] != '\n') {
                length++;
                continue;
            }
            line[length] = '\0';
            length = 0;
            EXPECT(serve(s, line) == TH_OK);
            served++;
        }
    }
    th_ring_clean_up(&ring);
    return served;
}

int main(void) {
    static server s;
    th_policy policy;
    const th_quota_config quota = {.bytes_max = 16384, .blocks_max = 64, .bytes_soft = 8192};
    const th_policy_config config = {
        .base = th_system_allocator(), .reserve_bytes = 1024, .quota = &quota};
    EXPECT(th_policy_init(&policy, &config) == TH_OK);
    start(&s, th_policy_allocator(&policy));
    unsigned served = serve_all(&s);
    EXPECT(served == REQUESTS);

    /* With nothing left, a request fails by its status, and costs the next one nothing. */
    EXPECT(th_quota_set_limits(th_policy_get_quota(&policy), 0, 0) == TH_OK);
    EXPECT(th_buffer_pool_trim(&s.buffers, 0) > 0);
    EXPECT(serve(&s, "nobody") == TH_ERR_EXHAUSTED);
    EXPECT(th_quota_set_limits(th_policy_get_quota(&policy), 16384, 64) == TH_OK);
    EXPECT(serve(&s, "somebody") == TH_OK);

    th_resource_pool_stats connections = th_resource_pool_get_stats(&s.connections);
    EXPECT(connections.out == 0 && connections.created == 1);
    EXPECT(th_ref_count(s.greeting) == 1 && greetings_ended == 0);
    size_t most = th_policy_get_stats(&policy).high_water_bytes;
    th_graph_clean_up(&s.parts);
    EXPECT(strcmp(s.order, "rbc") == 0 && greetings_ended == 1);
    EXPECT(th_policy_get_stats(&policy).used_bytes == 0);
    char line[64];
    (void)th_policy_describe(&policy, line, sizeof line);
    th_policy_clean_up(&policy);
    (void)printf("resource_server: %u requests in %zu bytes of \"%s\", all given back\n", served,
                 most, line);
    return 0;
}
