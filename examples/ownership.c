/* SPDX-License-Identifier: MIT */
/* Who frees what: each function says it in its comment, in one of four words, and its signature
 * follows from the word.
 *
 *   creates   returns an object: the caller owns it                    message_create
 *   takes     becomes the owner, and sets the caller's pointer to NULL; if it fails, the caller
 *             owns the object as before                                queue_push
 *   gives     the caller becomes the owner                             queue_pop
 *   borrows   const, or a pointer that is not kept: nothing changes    message_text
 *
 * What outlives its memory is copied before: a message is composed in an arena, the draft's, and
 * sealed into the heap. That everything was freed exactly once is not assumed but counted: the
 * messages have a tag of their own in the heap. */
#include <inttypes.h>
#include <string.h>

#include "expect.h"
#include "tagheap/arena.h"
#include "tagheap/heap.h"
#include <tagheap/heap_allocator.h>

enum { MESSAGE_TAG = 0x1001, QUEUE_TAG = 0x4001, QUEUE_LENGTH = 4 };

typedef struct message {
    th_allocator owner; /* what its memory goes back to */
    char *text;
} message;

typedef struct queue {
    th_allocator owner;
    size_t first, count;
    message *slots[QUEUE_LENGTH];
} queue;

/* Ends the message. Takes. NULL is allowed. */
static void message_destroy(message **m) {
    if (*m != NULL) {
        th_allocator owner = (*m)->owner;
        th_allocator_free(owner, (*m)->text);
        th_allocator_free(owner, *m);
        *m = NULL;
    }
}

/* Creates a message with a copy of the text, which it borrows. NULL: no memory, nothing is left
 * behind. */
static message *message_create(th_allocator owner, const char *text) {
    message *m = th_allocator_alloc(owner, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    *m = (message){owner, th_allocator_duplicate(owner, text, strlen(text) + 1)};
    if (m->text == NULL) {
        message_destroy(&m);
    }
    return m;
}

/* Borrows: the text belongs to the message, and lives as long as it does. */
static const char *message_text(const message *m) {
    return m->text;
}

/* Creates an empty queue. */
static queue *queue_create(th_allocator owner) {
    queue *q = th_allocator_alloc_zeroed(owner, sizeof *q);
    if (q != NULL) {
        q->owner = owner;
    }
    return q;
}

/* Takes the message; false: the queue is full, and the message is still the caller's. */
static bool queue_push(queue *q, message **m) {
    if (q->count == QUEUE_LENGTH) {
        return false;
    }
    q->slots[(q->first + q->count++) % QUEUE_LENGTH] = *m;
    *m = NULL;
    return true;
}

/* Gives the oldest message; NULL: there is none. */
static message *queue_pop(queue *q) {
    if (q->count == 0) {
        return NULL;
    }
    message *m = q->slots[q->first];
    q->first = (q->first + 1) % QUEUE_LENGTH;
    q->count--;
    return m;
}

/* Ends the queue and the messages that are still in it: an owner frees what it owns. Takes. */
static void queue_destroy(queue **q) {
    for (message *m = queue_pop(*q); m != NULL; m = queue_pop(*q)) {
        message_destroy(&m);
    }
    th_allocator_free((*q)->owner, *q);
    *q = NULL;
}

static uint64_t blocks(const th_heap *heap) {
    th_heap_stats stats = th_heap_get_stats(heap);
    return stats.head_blocks;
}

/* Creates a message; the draft's blocks die with the draft. */
static message *compose(th_allocator owner, unsigned number) {
    TH_ALLOCATOR_ALIGNAS unsigned char memory[256];
    const th_arena_config config = {.memory = memory, .memory_bytes = sizeof memory};
    th_arena draft;
    EXPECT(th_arena_init(&draft, &config) == TH_OK);
    char *text = th_arena_alloc(&draft, 32);
    EXPECT(text != NULL);
    (void)snprintf(text, 32, "message %u", number);
    message *m = message_create(owner, text);
    th_arena_clean_up(&draft);
    return m;
}

static void pass_through_a_queue(const th_heap *heap, th_allocator messages, queue *q) {
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        message *m = compose(messages, i);
        EXPECT(m != NULL && queue_push(q, &m));
        EXPECT(m == NULL); /* no longer ours: there is no pointer left to misuse */
    }
    EXPECT(blocks(heap) == 2 * QUEUE_LENGTH);

    message *refused = compose(messages, QUEUE_LENGTH);
    EXPECT(refused != NULL && !queue_push(q, &refused));
    EXPECT(refused != NULL && strcmp(message_text(refused), "message 4") == 0); /* still ours */
    message_destroy(&refused);

    message *oldest = queue_pop(q);
    EXPECT(oldest != NULL && strcmp(message_text(oldest), "message 0") == 0);
    message_destroy(&oldest);
    EXPECT(blocks(heap) == 2 * (QUEUE_LENGTH - 1));
}

/* Creation that fails half-way leaves nothing behind. */
static void fail_to_create(const th_heap *heap, th_allocator messages) {
    static char endless[4096];
    memset(endless, 'x', sizeof endless - 1);
    uint64_t before = blocks(heap);
    EXPECT(message_create(messages, endless) == NULL);
    EXPECT(blocks(heap) == before);
}

int main(void) {
    static uint32_t region[512];
    th_heap heap;
    th_tagged_allocator message_adapter, queue_adapter;
    const th_heap_config config = {.guarding.level = th_guard_max()};
    EXPECT(th_heap_init(&heap, region, sizeof region, &config) == TH_OK);
    th_allocator messages = th_heap_allocator(&message_adapter, &heap, MESSAGE_TAG);

    queue *q = queue_create(th_heap_allocator(&queue_adapter, &heap, QUEUE_TAG));
    EXPECT(q != NULL);
    pass_through_a_queue(&heap, messages, q);
    fail_to_create(&heap, messages);
    uint64_t left = blocks(&heap);
    queue_destroy(&q);

    th_heap_stats stats = th_heap_get_stats(&heap);
    EXPECT(q == NULL && stats.head_blocks == 0 && stats.tail_blocks == 0);
    printf("ownership: %" PRIu64 " blocks were the queue's when it ended, 0 are left\n", left);
    th_heap_clean_up(&heap);
    return 0;
}
