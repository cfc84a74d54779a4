/* SPDX-License-Identifier: MIT */
/* The calls of every allocator, alike, for the table of bad input (test_bad_input.c). There is one
 * of each, in static storage. */
#ifndef TESTS_BAD_CALLS_H
#define TESTS_BAD_CALLS_H

#include "alloc_fixture.h"
#include "subjects/allocator.h"
#include "tagheap/allocator.h"

/* What a good block of each is made with. */
#define SAMPLE_BYTES     ((size_t)48)
#define SAMPLE_ALIGNMENT ((size_t)16)

/* How it is started here, and its own calls. */
typedef struct bad_calls {
    void *(*start)(const th_guarding *guarding, th_allocator from); /* returns the object */
    const lab_allocator *own; /* without clean_up: has no end. Without interface: has none */
} bad_calls;

/* Of the caller's memory or the backing's, as each has it; mapped: of pages from the system. */
extern const bad_calls bad_buffer, bad_bump, bad_arena, bad_region, bad_frame, bad_hybrid;
extern const bad_calls bad_heap, bad_system, bad_buddy, bad_offsets, bad_fit_heap;
extern const bad_calls bad_pool, bad_static_pool, bad_slab, bad_mapped_slab;
extern const bad_calls bad_large, bad_mapped_large, bad_guarded_large;
extern const bad_calls bad_classes, bad_mapped_classes;
extern const bad_calls bad_tracker;

/* th_offsets has no pointers: what its calls above take is the place of a th_offsets_block. One
 * like *block, but of another node, or another offset. */
void *bad_offsets_block(const void *block, uint32_t node_more, uint64_t offset_more);

#endif
