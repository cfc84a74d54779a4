/* SPDX-License-Identifier: MIT */
/* One arena per request: everything that a request needs is allocated from it, nothing is freed
 * one by one, and one reset at the end frees it all, on every path, the failing ones included.
 *
 *   request  "sum?a=1&b=41"  ->  parameters, response  ->  "sum 42"  ->  reset
 *
 * The arena keeps its chunks between requests, so that after the first large one the backing is
 * not called any more. A request that asks for more than the arena may have is answered with an
 * error, and the next one finds an arena as good as new. */
#include <inttypes.h>
#include <string.h>

#include "expect.h"
#include "tagheap/arena.h"
#include "tagheap/bump.h"

enum { ROUNDS = 400, CHUNK_BYTES = 1024, MEMORY_BYTES = 16 * 1024, NUMBER_CHARS_MAX = 20 };

typedef struct parameter {
    struct parameter *next;
    const char *name;
    const char *value;
} parameter;

static const char *const out_of_memory = "error: out of memory";

/* The text up to `end` becomes a string of the arena's. NULL: no memory. */
static char *copy_text(th_arena *arena, const char *from, const char *end) {
    return th_allocator_duplicate_string(th_arena_allocator(arena), from, (size_t)(end - from));
}

/* Parses name=value&name=value... False: no memory. What was made until then needs no clean-up. */
static bool parse(th_arena *arena, const char *text, parameter **list) {
    *list = NULL;
    while (*text != '\0') {
        const char *end = text + strcspn(text, "&");
        const char *equals = text + strcspn(text, "=&");
        parameter *p = th_arena_alloc(arena, sizeof *p);
        if (p == NULL) {
            return false;
        }
        p->name = copy_text(arena, text, equals);
        p->value = copy_text(arena, equals < end ? equals + 1 : end, end);
        if (p->name == NULL || p->value == NULL) {
            return false;
        }
        p->next = *list;
        *list = p;
        text = *end == '&' ? end + 1 : end;
    }
    return true;
}

static const char *respond_sum(th_arena *arena, const parameter *list) {
    long sum = 0;
    for (; list != NULL; list = list->next) {
        sum += strtol(list->value, NULL, 10);
    }
    char *response = th_arena_alloc(arena, sizeof "sum " + NUMBER_CHARS_MAX);
    if (response != NULL) {
        (void)snprintf(response, sizeof "sum " + NUMBER_CHARS_MAX, "sum %ld", sum);
    }
    return response;
}

/* The names, separated by blanks. The response is the newest block, so it grows where it is. */
static const char *respond_names(th_arena *arena, const parameter *list) {
    size_t length = 0;
    char *response = th_arena_alloc_aligned(arena, 1, 1);
    for (; response != NULL && list != NULL; list = list->next) {
        size_t more = strlen(list->name) + 1;
        if (!th_arena_resize_in_place(arena, response, length + more + 1)) {
            return NULL;
        }
        memcpy(response + length, list->name, more - 1);
        response[length + more - 1] = ' ';
        length += more;
    }
    if (response != NULL) {
        response[length] = '\0';
    }
    return response;
}

/* The response lies in the arena: it is the caller's until the reset. */
static const char *handle(th_arena *arena, const char *request) {
    const char *question = request + strcspn(request, "?");
    parameter *list;
    if (!parse(arena, *question == '?' ? question + 1 : question, &list)) {
        return out_of_memory;
    }
    bool sum = strncmp(request, "sum", 3) == 0;
    const char *response = sum ? respond_sum(arena, list) : respond_names(arena, list);
    return response != NULL ? response : out_of_memory;
}

static void serve(th_arena *arena, const char *request, const char *expected) {
    const char *response = handle(arena, request);
    EXPECT(strcmp(response, expected) == 0);
    EXPECT(th_arena_reset(arena) == TH_OK);
    EXPECT(th_arena_get_stats(arena).used_bytes == 0);
}

/* More parameters than the memory holds. */
static const char *too_large(char *request, size_t bytes) {
    (void)snprintf(request, bytes, "sum?");
    for (size_t at = strlen(request); at + 5 < bytes; at += 4) {
        memcpy(request + at, "x=1&", 5);
    }
    return request;
}

int main(void) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[MEMORY_BYTES];
    static char large[4096];
    th_bump limit;
    th_arena arena;
    EXPECT(th_bump_init(&limit, memory, sizeof memory, NULL) == TH_OK);
    const th_arena_config config = {.backing = th_bump_allocator(&limit),
                                    .chunk_bytes = CHUNK_BYTES,
                                    .guarding = {.level = th_guard_max()}};
    EXPECT(th_arena_init(&arena, &config) == TH_OK);
    (void)too_large(large, sizeof large);

    serve(&arena, large, out_of_memory);
    size_t reserved = th_arena_get_stats(&arena).reserved_bytes;
    for (unsigned i = 0; i < ROUNDS; i++) {
        serve(&arena, "sum?a=1&b=41", "sum 42");
        serve(&arena, "names?first=1&second&third=", "third second first ");
        serve(&arena, "names", "");
    }
    serve(&arena, large, out_of_memory);
    serve(&arena, "sum?a=-1", "sum -1");

    th_arena_stats stats = th_arena_get_stats(&arena);
    EXPECT(stats.reserved_bytes == reserved && stats.reserved_bytes <= MEMORY_BYTES);
    printf("request_arena: %d requests, %" PRIu64
           " blocks, never more than %zu bytes in use, %zu bytes of "
           "chunks\n",
           3 * ROUNDS + 3, stats.allocs, stats.high_water_bytes, stats.reserved_bytes);
    th_arena_clean_up(&arena);
    th_bump_clean_up(&limit);
    return 0;
}
