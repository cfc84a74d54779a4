/* SPDX-License-Identifier: MIT */
/* A heap on a region with walls around it, and a checked_ wrapper for every call that changes a
 * heap. A wrapper proves the whole heap before and after the call it makes, with the library's
 * checker and with a walk of its own, and compares what every call promises whatever the blocks
 * are: a failed call changes no block, what a free returns is what the free bytes grew by, every
 * lock is released, no fault is raised.
 *
 * A fixture is static storage and may be started again and again. Its region starts at a
 * multiple of 4096 plus the skew, so that the places of specially aligned blocks are known. */
#ifndef TESTS_HEAP_FIXTURE_H
#define TESTS_HEAP_FIXTURE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "suite.h"
#include "tagheap/heap.h"

#define FREE TH_TAG_FREE

#define FIXTURE_WALL_BYTES       4096u
#define FIXTURE_REGION_BYTES_MAX 65536u
#define FIXTURE_BLOCKS_MAX       4096u

typedef struct fixture {
    th_heap heap;
    unsigned char *region;
    size_t bytes; /* of the region, unused ones included */
    size_t alignment;
    uint32_t unit, header; /* dwords */
    uint32_t tail;         /* the lowest TAIL tag */
    bool lean;             /* requested sizes and sites are not kept */
    bool live;
    unsigned faults; /* raised since the start */
    th_fault last_fault;
    int lock_depth, lock_depth_max;
    unsigned locks;
    th_heap_stats before; /* of the last checked call */
    uint32_t blocks_before;
    th_heap_block snapshot[FIXTURE_BLOCKS_MAX]; /* blocks before the last checked call */
    alignas(8) uint64_t index[TH_HEAP_INDEX_BYTES_MAX(FIXTURE_REGION_BYTES_MAX, 4) / 8 + 1];
    alignas(4096) unsigned char store[2 * FIXTURE_WALL_BYTES + FIXTURE_REGION_BYTES_MAX];
} fixture;

/* Starts a heap of `dwords` dwords, with hooks that count locks and record faults. */
void fixture_start(fixture *f, size_t alignment, uint32_t dwords);

/* The same at `skew` bytes above a multiple of 4096, with any number of bytes. Of the config,
 * which must say the alignment, the lock hooks and the fault handler are replaced unless they are
 * set. */
void fixture_start_with(fixture *f, size_t skew, size_t bytes, const th_heap_config *config);

/* Proves the heap once more, cleans it up, and proves that the walls were not written to. */
void fixture_stop(fixture *f);

/* Prepares f's region for a heap that does not come from init; `config` gets the hooks. */
void fixture_prepare(fixture *f, size_t skew, size_t bytes, th_heap_config *config);

/* Proves a heap: the checker, and by a walk of our own the tiling, the order of the links, the
 * sides, the absence of adjacent free blocks, every field, and all statistics. */
void validate_heap(const th_heap *heap, size_t alignment);

void *checked_alloc(fixture *f, size_t bytes, uint32_t tag);
void *checked_alloc_at(fixture *f, size_t alignment, size_t bytes, uint32_t tag, uint32_t site);
void *checked_resize(fixture *f, void *pointer, size_t bytes);
size_t checked_trim(fixture *f, void *pointer);
size_t checked_free(fixture *f, void *pointer);
uint32_t checked_free_tags(fixture *f, uint32_t low, uint32_t high);
th_heap_compaction checked_compact(fixture *f, th_heap_move_fn may_move, void *context);
th_heap_compaction checked_compact_some(fixture *f, size_t budget_bytes, th_heap_move_fn may_move,
                                        void *context);

/* For calls without a wrapper: between the two, no block may change. */
void remember_blocks(fixture *f);
void expect_blocks_unchanged(const fixture *f);

/* The block list, FIRST to the one below LAST; LAST is expected after them. */
typedef struct expected_block {
    uint32_t tag;
    uint32_t size_dwords;
} expected_block;

void expect_blocks(const char *file, int line, const th_heap *heap, const expected_block *blocks,
                   size_t count);

#define EXPECT_BLOCKS(heap, ...)                                                                   \
    expect_blocks(__FILE__, __LINE__, (heap), (const expected_block[]){__VA_ARGS__},               \
                  sizeof((const expected_block[]){__VA_ARGS__}) / sizeof(expected_block))

/* The offset of the header of the payload `pointer`, in dwords. */
uint32_t offset_of(const fixture *f, const void *pointer);

/* The block that starts at the payload `pointer`, which must be live. */
th_heap_block block_of(const th_heap *heap, const void *pointer);

/* The one live block with this tag. */
th_heap_block block_tagged(const th_heap *heap, uint32_t tag);

th_heap_stats stats_of(const th_heap *heap);
void expect_stats(const th_heap_stats *found, const th_heap_stats *expected);

/* The same blocks and statistics, wherever the two lie? */
void expect_same_heaps(const th_heap *a, const th_heap *b);

/* Contents that tell every byte from its neighbours and every seed from the others. */
void fill(void *payload, size_t bytes, uint32_t seed);

/* Does the payload still hold what fill gave it? */
bool filled(const void *payload, size_t bytes, uint32_t seed);

#endif
