/* SPDX-License-Identifier: MIT */
/* Shared heaps for the suites: an object that is mapped twice, and a process that dies in it. */
#ifndef TESTS_SHARED_FIXTURE_H
#define TESTS_SHARED_FIXTURE_H

#include <sys/types.h>

#include "suite.h"
#include "tagheap/shared_heap.h"

#define SHARED_PAGE  4096u
#define SHARED_BYTES (16 * (size_t)SHARED_PAGE)

/* Two processes' views of one heap, and the memory of each. */
typedef struct shared_pair {
    unsigned char *memory[2];
    size_t bytes;
    th_shared_heap one;
    th_shared_heap other;
} shared_pair;

/* Every layout and guard level that there is, in turn. False: there are no more. */
bool shared_next_config(th_shared_heap_config *config, unsigned *turn);

/* Memory, zeroed, mapped twice, without a heap. */
void shared_map(shared_pair *p, size_t bytes);
void shared_start(shared_pair *p, const th_shared_heap_config *config);
void shared_stop(shared_pair *p);

/* Has `act` run in a child, which must die by itself or by a store into what is protected there. Is
 * the first attachment's. */
void shared_die(shared_pair *p, void (*act)(shared_pair *p));

/* For `act`: from now on this process dies where it writes to the page of that payload, or to one
 * of the pages after it. */
void shared_trap(shared_pair *p, th_shared_ref ref, size_t pages_after);

/* The first bytes of a payload: `count` of a pattern of that number. */
void shared_fill(th_shared_heap *heap, th_shared_ref ref, size_t count, unsigned number);
bool shared_holds(const th_shared_heap *heap, th_shared_ref ref, size_t count, unsigned number);

#endif
