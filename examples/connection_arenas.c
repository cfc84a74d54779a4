/* SPDX-License-Identifier: MIT */
/* Connections with two arenas each, one for the request and one for the response, on real sockets
 * over the loopback interface: a small HTTP-like server and its clients in one process, driven by
 * poll. A request arrives in pieces; it is collected at the end of the request arena, where the
 * newest block grows in place. When the response has been sent, both arenas are reset, and the
 * connection waits for its next request. Its first request needs one chunk for each arena, and no
 * later one needs any: the backing is not called again.
 *
 *   GET /NAME        -> 200, "hello NAME"
 *   POST /echo BODY  -> 200, BODY
 *   more than REQUEST_BYTES_MAX -> 413, and the connection is closed
 *
 * Ends within DEADLINE_SECONDS, with status 1 if anything is not as it must be. */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "expect.h"
#include "tagheap/arena.h"

enum {
    CLIENTS = 6,
    REQUESTS = 20, /* of each client */
    PIECE_BYTES_MAX = 23,
    REQUEST_BYTES_MAX = 600,
    RESPONSE_BYTES_MAX = 1000,
    CHUNK_BYTES = 4096, /* more than four times as much: no block gets a chunk of its own */
    DEADLINE_SECONDS = 60
};

typedef struct connection {
    int socket; /* -1: closed */
    th_arena request_arena;
    th_arena response_arena;
    char *request; /* in the request arena: what has arrived so far */
    size_t request_bytes;
    const char *response; /* in the response arena; NULL: none yet */
    size_t response_bytes, sent;
    bool last; /* close when the response has been sent */
    unsigned served;
} connection;

typedef struct client {
    int socket;
    unsigned number, done;
    char request[2 * REQUEST_BYTES_MAX], expected[RESPONSE_BYTES_MAX], seen[RESPONSE_BYTES_MAX];
    size_t request_bytes, sent, seen_bytes;
} client;

static void set_nonblocking(int s) {
    int flags = fcntl(s, F_GETFL);
    EXPECT(flags != -1 && fcntl(s, F_SETFL, flags | O_NONBLOCK) == 0);
}

/* ---- the server ----------------------------------------------------------------------------- */

/* Before the arenas are reset: all that this request needed. */
static size_t reserved(const connection *c) {
    return th_arena_get_stats(&c->request_arena).reserved_bytes +
           th_arena_get_stats(&c->response_arena).reserved_bytes;
}

static void connection_open(connection *c, int s) {
    const th_arena_config config = {.backing = th_system_allocator(),
                                    .chunk_bytes = CHUNK_BYTES,
                                    .guarding = {.level = th_guard_max()}};
    *c = (connection){.socket = s};
    set_nonblocking(s);
    EXPECT(th_arena_init(&c->request_arena, &config) == TH_OK);
    EXPECT(th_arena_init(&c->response_arena, &config) == TH_OK);
}

static void connection_close(connection *c) {
    th_arena_clean_up(&c->request_arena);
    th_arena_clean_up(&c->response_arena);
    (void)close(c->socket);
    c->socket = -1;
}

/* Ready for the next request: everything of this one is gone. */
static void connection_reset(connection *c) {
    EXPECT(reserved(c) == 2 * CHUNK_BYTES);
    EXPECT(th_arena_reset(&c->request_arena) == TH_OK);
    EXPECT(th_arena_reset(&c->response_arena) == TH_OK);
    c->request = NULL;
    c->response = NULL;
    c->request_bytes = c->response_bytes = c->sent = 0;
    c->served++;
}

static void respond(connection *c, const char *status, const char *prefix, const char *body) {
    char *text = th_arena_alloc(&c->response_arena, RESPONSE_BYTES_MAX);
    EXPECT(text != NULL);
    int length =
        snprintf(text, RESPONSE_BYTES_MAX, "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n%s%s", status,
                 strlen(prefix) + strlen(body), prefix, body);
    EXPECT(length > 0 && length < RESPONSE_BYTES_MAX);
    EXPECT(th_arena_resize_in_place(&c->response_arena, text, (size_t)length + 1));
    c->response = text;
    c->response_bytes = (size_t)length;
}

/* The request is whole when its blank line has come. Its words are copied out of it, as a parser
 * does that keeps no pointers into the buffer. */
static void handle(connection *c) {
    const char *end = strstr(c->request, "\r\n\r\n");
    if (end == NULL) {
        return;
    }
    th_allocator words = th_arena_allocator(&c->request_arena);
    size_t method_bytes = strcspn(c->request, " ");
    const char *path = c->request + method_bytes + (c->request[method_bytes] == ' ');
    char *method = th_allocator_duplicate_string(words, c->request, method_bytes);
    char *rest = th_allocator_duplicate_string(words, path, (size_t)(end - path));
    EXPECT(method != NULL && rest != NULL);
    if (strcmp(method, "GET") == 0 && rest[0] == '/') {
        respond(c, "200 OK", "hello ", rest + 1);
    } else if (strcmp(method, "POST") == 0 && strncmp(rest, "/echo ", 6) == 0) {
        respond(c, "200 OK", "", rest + 6);
    } else {
        respond(c, "400 Bad Request", "", "");
    }
}

/* Appends what has arrived to the request, which is the newest block of its arena. */
static void collect(connection *c, const char *piece, size_t bytes) {
    size_t whole = c->request_bytes + bytes;
    if (whole > REQUEST_BYTES_MAX) {
        c->last = true;
        respond(c, "413 Content Too Large", "", "");
        return;
    }
    if (c->request == NULL) {
        c->request = th_arena_alloc(&c->request_arena, whole + 1);
        EXPECT(c->request != NULL);
    } else {
        EXPECT(th_arena_resize_in_place(&c->request_arena, c->request, whole + 1));
    }
    memcpy(c->request + c->request_bytes, piece, bytes);
    c->request[whole] = '\0';
    c->request_bytes = whole;
    handle(c);
}

static void connection_read(connection *c) {
    char piece[64];
    ssize_t bytes = recv(c->socket, piece, sizeof piece, 0);
    if (bytes > 0) {
        collect(c, piece, (size_t)bytes);
    } else if (bytes == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection_close(c); /* the client has gone */
    }
}

static void connection_write(connection *c) {
    ssize_t bytes =
        send(c->socket, c->response + c->sent, c->response_bytes - c->sent, MSG_NOSIGNAL);
    if (bytes < 0) {
        EXPECT(errno == EAGAIN || errno == EINTR);
        return;
    }
    c->sent += (size_t)bytes;
    if (c->sent == c->response_bytes) {
        bool last = c->last;
        connection_reset(c);
        if (last) {
            connection_close(c);
        }
    }
}

/* ---- the clients ---------------------------------------------------------------------------- */

/* Each client asks for something else each time; client 0 ends with a request that is too large. */
static void compose(client *k) {
    char body[REQUEST_BYTES_MAX];
    unsigned length = (k->number * 7 + k->done * 13) % 300;
    memset(body, 'a' + (int)(k->done % 26), length);
    body[length] = '\0';
    bool too_large = k->number == 0 && k->done == REQUESTS - 1;
    bool echo = (k->number + k->done) % 2 == 0;
    int wrote;
    if (too_large) {
        memset(k->request, 'x', sizeof k->request);
        wrote = REQUEST_BYTES_MAX + 1;
        (void)snprintf(k->expected, sizeof k->expected,
                       "HTTP/1.0 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    } else {
        wrote = snprintf(k->request, sizeof k->request, "%s%s\r\n\r\n",
                         echo ? "POST /echo " : "GET /", body);
        (void)snprintf(k->expected, sizeof k->expected,
                       "HTTP/1.0 200 OK\r\nContent-Length: %u\r\n\r\n%s%s", length + (echo ? 0 : 6),
                       echo ? "" : "hello ", body);
    }
    k->request_bytes = (size_t)wrote;
    k->sent = k->seen_bytes = 0;
}

static void client_open(client *k, unsigned number, const struct sockaddr_in *address) {
    *k = (client){.number = number, .socket = socket(AF_INET, SOCK_STREAM, 0)};
    EXPECT(k->socket != -1);
    EXPECT(connect(k->socket, (const struct sockaddr *)address, sizeof *address) == 0);
    EXPECT(setsockopt(k->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0);
    set_nonblocking(k->socket);
    compose(k);
}

static void client_write(client *k) {
    size_t left = k->request_bytes - k->sent;
    size_t piece = 1 + (k->sent * 5 + k->number) % PIECE_BYTES_MAX;
    ssize_t bytes =
        send(k->socket, k->request + k->sent, piece < left ? piece : left, MSG_NOSIGNAL);
    EXPECT(bytes > 0 || (bytes < 0 && (errno == EAGAIN || errno == EINTR)));
    k->sent += bytes > 0 ? (size_t)bytes : 0;
}

static void client_read(client *k) {
    size_t whole = strlen(k->expected);
    ssize_t bytes = recv(k->socket, k->seen + k->seen_bytes, whole - k->seen_bytes, 0);
    EXPECT(bytes > 0 || (bytes < 0 && (errno == EAGAIN || errno == EINTR)));
    k->seen_bytes += bytes > 0 ? (size_t)bytes : 0;
    if (k->seen_bytes < whole) {
        return;
    }
    EXPECT(memcmp(k->seen, k->expected, whole) == 0);
    if (++k->done == REQUESTS) {
        (void)close(k->socket);
        k->socket = -1;
    } else {
        compose(k);
    }
}

/* ---- both ----------------------------------------------------------------------------------- */

static int listen_on_loopback(struct sockaddr_in *address) {
    socklen_t bytes = sizeof *address;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(s != -1);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* port 0: any free one */
    EXPECT(bind(s, (const struct sockaddr *)address, sizeof *address) == 0);
    EXPECT(getsockname(s, (struct sockaddr *)address, &bytes) == 0);
    EXPECT(listen(s, CLIENTS) == 0);
    return s;
}

static struct pollfd watch(int s, bool writes) {
    return (struct pollfd){.fd = s, .events = writes ? POLLOUT : POLLIN};
}

/* One round of the loop. Returns how many sockets are open. */
static unsigned serve(connection *connections, client *clients) {
    struct pollfd polled[2 * CLIENTS];
    unsigned open = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        const client *k = &clients[i];
        polled[i] = watch(connections[i].socket, connections[i].response != NULL);
        polled[CLIENTS + i] = watch(k->socket, k->sent < k->request_bytes);
        open += connections[i].socket != -1 ? 1 : 0;
        open += k->socket != -1 ? 1 : 0;
    }
    EXPECT(open == 0 || poll(polled, 2 * CLIENTS, 1000) >= 0 || errno == EINTR);
    for (unsigned i = 0; open > 0 && i < CLIENTS; i++) {
        if (polled[i].revents != 0) {
            (polled[i].events == POLLOUT ? connection_write : connection_read)(&connections[i]);
        }
        if (polled[CLIENTS + i].revents != 0) {
            (polled[CLIENTS + i].events == POLLOUT ? client_write : client_read)(&clients[i]);
        }
    }
    return open;
}

int main(void) {
    static connection connections[CLIENTS];
    static client clients[CLIENTS];
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], i, &address);
        int s = accept(listener, NULL, NULL);
        EXPECT(s != -1);
        connection_open(&connections[i], s);
    }
    time_t end = time(NULL) + DEADLINE_SECONDS;
    while (serve(connections, clients) > 0) {
        EXPECT(time(NULL) < end);
    }
    unsigned served = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        EXPECT(connections[i].served == REQUESTS && clients[i].done == REQUESTS);
        served += connections[i].served;
    }
    (void)close(listener);
    printf("connection_arenas: %u requests on %d connections, with 2 chunks of %d bytes for each\n",
           served, CLIENTS, CHUNK_BYTES);
    return 0;
}
