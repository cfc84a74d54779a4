/* SPDX-License-Identifier: MIT */
#include "sources.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "tagheap/arena.h"
#include "tagheap/buddy.h"
#include "tagheap/bump.h"
#include "tagheap/classes.h"
#include "tagheap/concurrent_pool.h"
#include "tagheap/fifo.h"
#include "tagheap/frame.h"
#include "tagheap/heap.h"
#include "tagheap/hybrid.h"
#include "tagheap/large.h"
#include "tagheap/pool.h"
#include "tagheap/region.h"
#include "tagheap/shared_heap.h"
#include "tagheap/slab.h"

enum { CHUNK_BYTES = 64 * 1024, STATIC_CELLS = 200 * 1000, HEAD_TAG = 0x1001, TAIL_TAG = 0x4001 };

static void must(th_status status) {
    if (status != TH_OK) {
        abort();
    }
}

/* Memory for blocks that come and go: twice what they need. */
static size_t room_for(bench_need need) {
    return 2 * need.blocks * need.bytes;
}

/* ---- linear ones ---------------------------------------------------------------------------- */

static void *memory; /* of the only source that runs */

static void *bump_start(bench_need need) {
    static th_bump bump;
    size_t bytes = (need.blocks + 1) * need.bytes;
    memory = bench_memory(bytes);
    must(th_bump_init(&bump, memory, bytes, NULL));
    return &bump;
}

static void bump_end(void *self) {
    th_bump_clean_up(self);
    free(memory);
}

static th_arena_config arena_config(void) {
    return (th_arena_config){.backing = th_system_allocator(), .chunk_bytes = CHUNK_BYTES};
}

static void *arena_start(bench_need need) {
    static th_arena arena;
    const th_arena_config config = arena_config();
    (void)need;
    must(th_arena_init(&arena, &config));
    return &arena;
}

static th_arena_mark mark;

static void *arena_begin(void *self) {
    mark = th_arena_take_mark(self);
    return self;
}

static void arena_finish(void *self, void *phase) {
    (void)phase;
    must(th_arena_rollback(self, &mark));
}

static void *region_start(bench_need need) {
    static th_region region;
    const th_arena_config config = arena_config();
    (void)need;
    must(th_region_init(&region, &config));
    return &region;
}

static void *region_begin(void *self) {
    return th_region_create(self);
}

static void region_finish(void *self, void *phase) {
    (void)self;
    must(th_region_destroy(phase));
}

static void *frame_start(bench_need need) {
    static th_frame frame;
    const th_frame_config config = {.frame_bytes = need.blocks * need.bytes,
                                    .backing = th_system_allocator()};
    must(th_frame_init(&frame, &config));
    return &frame;
}

static void *frame_begin(void *self) {
    return self;
}

static void frame_finish(void *self, void *phase) {
    (void)phase;
    must(th_frame_flip(self));
}

static void *hybrid_start(bench_need need) {
    static th_hybrid hybrid;
    const th_hybrid_config config = {.backing = th_system_allocator()};
    (void)need;
    must(th_hybrid_init(&hybrid, NULL, 0, &config));
    return &hybrid;
}

static void hybrid_end(void *self) {
    th_hybrid_clean_up(self);
}

static void *hybrid_grow(void *self, void *block, size_t bytes) {
    (void)block;
    must(th_hybrid_resize(self, bytes));
    return th_hybrid_data(self);
}

static void *fifo_start(bench_need need) {
    static th_fifo fifo;
    size_t bytes = need.blocks * (need.bytes + TH_FIFO_HEADER_BYTES);
    memory = bench_memory(bytes);
    must(th_fifo_init(&fifo, memory, bytes, NULL));
    return &fifo;
}

static void fifo_end(void *self) {
    th_fifo_clean_up(self);
    free(memory);
}

/* ---- objects of one size --------------------------------------------------------------------- */

static void *pool_start(bench_need need) {
    static th_pool pool;
    const th_pool_config config = {
        .object_bytes = need.bytes, .backing = th_system_allocator(), .grow_objects = need.blocks};
    must(th_pool_init(&pool, &config));
    must(th_pool_reserve(&pool, need.blocks));
    return &pool;
}

static void *concurrent_pool_start(bench_need need) {
    static th_concurrent_pool pool;
    const th_concurrent_pool_config config = {
        .object_bytes = need.bytes, .backing = th_system_allocator(), .capacity = need.blocks};
    must(th_concurrent_pool_init(&pool, &config));
    return &pool;
}

typedef struct cell {
    _Alignas(16) unsigned char bytes[BENCH_BLOCK_BYTES];
} cell;

TH_POOL_STATIC(cells, cell, STATIC_CELLS);

static void *static_pool_start(bench_need need) {
    (void)need;
    return &cells;
}

static void static_pool_end(void *self) {
    th_pool_reset(self);
}

/* Level 1, in a build that has it, beside level 0. */
static const th_guarding checked = {.level = 1};

static void *slab_start_with(bench_need need, th_guarding guarding) {
    static th_slab slab;
    const th_slab_config config = {.object_bytes = need.bytes, .guarding = guarding};
    must(th_slab_init(&slab, &config));
    return &slab;
}

static void *slab_start(bench_need need) {
    return slab_start_with(need, (th_guarding){0});
}

static void *slab_start_checked(bench_need need) {
    return slab_start_with(need, checked);
}

/* ---- of any size ----------------------------------------------------------------------------- */

static void *classes_start_with(th_guarding guarding) {
    static th_classes classes;
    const th_classes_config config = {.guarding = guarding};
    must(th_classes_init(&classes, &config));
    return &classes;
}

static void *classes_start(bench_need need) {
    (void)need;
    return classes_start_with((th_guarding){0});
}

static void *classes_start_checked(bench_need need) {
    (void)need;
    return classes_start_with(checked);
}

static void *large_start(bench_need need) {
    static th_large large;
    (void)need;
    must(th_large_init(&large, NULL));
    return &large;
}

static void *buddy_start(bench_need need) {
    static th_buddy buddy;
    must(th_buddy_create(&buddy, th_system_allocator(), 2 * room_for(need), NULL));
    return &buddy;
}

enum { HEAP_EXTRA = 64, HEAP_LEAST = 4096 };

static uint32_t tail_tag;

/* Half as much memory again as the blocks take, headers included: a region that is larger costs
 * nothing, but then memory says how the heap fills what it needs. */
static size_t heap_bytes(bench_need need) {
    size_t bytes =
        (need.live_bytes + need.blocks * HEAP_EXTRA) / 2 * 3 + 2 * need.bytes + HEAP_LEAST;
    return (bench_asked.region_bytes != 0 ? bench_asked.region_bytes : bytes) / 16 * 16;
}

static void *heap_start(bench_need need) {
    static th_heap heap;
    const th_heap_config config = {.alignment = 16,
                                   .guarding.level = bench_asked.guard,
                                   .layout = (th_heap_layout)bench_asked.layout,
                                   .index = (th_heap_index)bench_asked.index};
    size_t bytes = heap_bytes(need);
    memory = bench_memory(bytes);
    th_status status = th_heap_init(&heap, memory, bytes, &config);
    tail_tag = bench_asked.layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_TAIL_MIN : TAIL_TAG;
    if (status == TH_ERR_LAYOUT) {
        bench_refuse("this build of the library does not contain the layout", "heap");
    }
    if (status == TH_ERR_TOO_LARGE) {
        bench_refuse(
            "this build of the library has no layout for so large a region, or not this one",
            "heap");
    }
    must(status);
    if (th_guard_max() < bench_asked.guard) {
        bench_refuse("this build of the library has no such guard level", "heap");
    }
    return &heap;
}

static void heap_end(void *self) {
    th_heap_clean_up(self);
    free(memory);
}

static void *heap_alloc(void *self, size_t bytes) {
    return th_heap_alloc(self, bytes, HEAD_TAG);
}

static void heap_free(void *self, void *block) {
    (void)th_heap_free(self, block);
}

static void *heap_place(void *self, size_t bytes, size_t alignment, bool high) {
    uint32_t tag = high ? tail_tag : HEAD_TAG;
    return alignment <= 16 ? th_heap_alloc(self, bytes, tag)
                           : th_heap_alloc_aligned(self, bytes, alignment, tag);
}

static void *heap_resize(void *self, void *block, size_t kept, size_t bytes) {
    (void)kept;
    return th_heap_realloc(self, block, bytes);
}

BENCH_CHURN(heap, heap_place, heap_free)

/* ---- the shared heap, in memory that nobody else maps --------------------------------------- */

static void *shared_start(bench_need need) {
    static th_shared_heap shared;
    const th_shared_heap_config config = {.alignment = 16,
                                          .guarding.level = bench_asked.guard,
                                          .layout = (th_heap_layout)bench_asked.layout};
    size_t bytes =
        (heap_bytes(need) / TH_SHARED_HEAP_ALIGNMENT_MAX + 1) * TH_SHARED_HEAP_ALIGNMENT_MAX;
    memory = aligned_alloc(TH_SHARED_HEAP_ALIGNMENT_MAX, bytes);
    if (memory == NULL) {
        bench_fail("no memory", "aligned_alloc");
    }
    memset(memory, 0, bytes);
    must(th_shared_heap_init(&shared, memory, bytes, &config));
    tail_tag = bench_asked.layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_TAIL_MIN : TAIL_TAG;
    return &shared;
}

static void shared_end(void *self) {
    th_shared_heap_clean_up(self);
    free(memory);
}

static void shared_free(void *self, void *block) {
    (void)th_shared_heap_free(self, th_shared_heap_ref(self, block));
}

static void *shared_place(void *self, size_t bytes, size_t alignment, bool high) {
    uint32_t tag = high ? tail_tag : HEAD_TAG;
    size_t any = alignment != 0 ? alignment : 1;
    return th_shared_heap_at(self, th_shared_heap_alloc_at(self, bytes, any, tag, 0));
}

static void *shared_resize(void *self, void *block, size_t kept, size_t bytes) {
    (void)kept;
    th_shared_ref ref = th_shared_heap_resize(self, th_shared_heap_ref(self, block), bytes);
    return th_shared_heap_at(self, ref);
}

BENCH_CHURN(shared, shared_place, shared_free)

const bench_source bench_sources[] = {
    {"bump", BENCH_BLOCKS, bump_start, .own = &lab_allocator_bump, .end = bump_end},
    {"arena", BENCH_BLOCKS | BENCH_PHASES, arena_start, .own = &lab_allocator_arena,
     .begin = arena_begin, .finish = arena_finish},
    {"region", BENCH_BLOCKS | BENCH_PHASES, region_start, .own = &lab_allocator_region,
     .begin = region_begin, .finish = region_finish},
    {"frame", BENCH_BLOCKS | BENCH_PHASES, frame_start, .own = &lab_allocator_frame,
     .begin = frame_begin, .finish = frame_finish},
    {"fifo", BENCH_BLOCKS, fifo_start, .own = &lab_allocator_fifo, .end = fifo_end},
    {"hybrid", BENCH_GROW, hybrid_start, .end = hybrid_end, .grow = hybrid_grow},
    {"pool", BENCH_BLOCKS, pool_start, .own = &lab_allocator_pool},
    {"concurrent_pool", BENCH_BLOCKS, concurrent_pool_start, .own = &lab_allocator_concurrent_pool},
    {"static_pool", BENCH_BLOCKS, static_pool_start, .own = &lab_allocator_pool,
     .end = static_pool_end},
    {"slab", BENCH_BLOCKS, slab_start, .own = &lab_allocator_slab},
    {"slab_guard1", BENCH_BLOCKS, slab_start_checked, .own = &lab_allocator_slab},
    {"classes", BENCH_BLOCKS | BENCH_MIXED | BENCH_BIG, classes_start,
     .own = &lab_allocator_classes},
    {"classes_guard1", BENCH_MIXED, classes_start_checked, .own = &lab_allocator_classes},
    {"large", BENCH_BIG, large_start, .own = &lab_allocator_large},
    {"buddy", BENCH_BLOCKS | BENCH_MIXED, buddy_start, .own = &lab_allocator_buddy},
    {"heap", BENCH_MIXED | BENCH_CHURNS, heap_start, .end = heap_end, .alloc = heap_alloc,
     .free = heap_free, .place = heap_place, .resize = heap_resize, .churn = heap_churn,
     .sides = heap_sides},
    {"shared", BENCH_CHURNS, shared_start, .end = shared_end, .free = shared_free,
     .place = shared_place, .resize = shared_resize, .churn = shared_churn, .sides = shared_sides},
    {.name = NULL}};
