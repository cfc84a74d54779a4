/* SPDX-License-Identifier: MIT */
#include "heap_fixture.h"

#include <stdio.h>
#include <string.h>

#define WALL_BYTE   0xA7
#define REGION_BYTE 0x5C

/* ---- hooks -------------------------------------------------------------------------------- */

static void record_fault(void *context, const th_fault *fault) {
    fixture *f = context;
    f->faults++;
    f->last_fault = *fault;
}

static void count_lock(void *context) {
    fixture *f = context;
    f->locks++;
    f->lock_depth++;
    if (f->lock_depth > f->lock_depth_max) {
        f->lock_depth_max = f->lock_depth;
    }
}

static void count_unlock(void *context) {
    fixture *f = context;
    f->lock_depth--;
    CHECK(f->lock_depth >= 0);
}

/* ---- layouts ------------------------------------------------------------------------------ */

/* What docs/heap.md says; AUTO is classic in a region as small as a fixture's. */
static uint32_t header_dwords(unsigned layout, uint32_t unit) {
    uint32_t dwords = layout == TH_HEAP_LAYOUT_LEAN ? 2 : layout == TH_HEAP_LAYOUT_WIDE ? 7 : 6;
    return (dwords + unit - 1) / unit * unit;
}

static bool is_lean(const th_heap *heap) {
    return heap->layout == TH_HEAP_LAYOUT_LEAN;
}

/* The lowest TAIL tag. */
static uint32_t tail_of(const th_heap *heap) {
    return heap->tag_free / 2 + 1;
}

/* ---- start and stop ----------------------------------------------------------------------- */

/* A test that failed inside a callback leaves a busy heap; only init is sure to take it over. */
static void abandon(fixture *f) {
    if (f->live) {
        CHECK_EQ(th_heap_init(&f->heap, f->region, f->bytes, &(th_heap_config){.alignment = 4}),
                 TH_OK);
        th_heap_clean_up(&f->heap);
        f->live = false;
    }
}

void fixture_prepare(fixture *f, size_t skew, size_t bytes, th_heap_config *config) {
    abandon(f);
    CHECK(skew + bytes <= FIXTURE_REGION_BYTES_MAX);
    memset(f->store, WALL_BYTE, sizeof f->store);
    f->region = f->store + FIXTURE_WALL_BYTES + skew;
    f->bytes = bytes;
    memset(f->region, REGION_BYTE, bytes);
    CHECK(config->alignment != 0);
    f->alignment = config->alignment;
    f->unit = (uint32_t)(f->alignment / 4);
    f->header = header_dwords(config->layout, f->unit);
    f->lean = config->layout == TH_HEAP_LAYOUT_LEAN;
    f->tail = config->layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_TAIL_MIN : TH_TAG_TAIL_MIN;
    f->faults = 0;
    f->lock_depth = 0;
    f->lock_depth_max = 0;
    f->locks = 0;
    if (config->guarding.on_fault == NULL) {
        config->guarding.on_fault = record_fault;
        config->guarding.fault_context = f;
    }
    if (config->index == TH_HEAP_INDEX_AUTO) { /* the geometry is that of the whole region */
        config->index = TH_HEAP_INDEX_GIVEN;
        config->index_memory = f->index;
        config->index_bytes = sizeof f->index;
    }
    if (config->lock.acquire == NULL) {
        config->lock = (th_lock){.acquire = count_lock, .release = count_unlock, .context = f};
    }
}

void fixture_start_with(fixture *f, size_t skew, size_t bytes, const th_heap_config *config) {
    th_heap_config hooked = *config;
    fixture_prepare(f, skew, bytes, &hooked);
    CHECK_EQ(th_heap_init(&f->heap, f->region, bytes, &hooked), TH_OK);
    f->live = true;
    validate_heap(&f->heap, f->alignment);
}

void fixture_start(fixture *f, size_t alignment, uint32_t dwords) {
    th_heap_config config = {.alignment = alignment, .guarding.level = th_guard_max()};
    fixture_start_with(f, 0, (size_t)dwords * 4, &config);
}

static void expect_wall(const unsigned char *from, const unsigned char *to) {
    for (const unsigned char *byte = from; byte < to; byte++) {
        CHECK_EQ(*byte, WALL_BYTE);
    }
}

void fixture_stop(fixture *f) {
    validate_heap(&f->heap, f->alignment);
    size_t managed = th_heap_region_bytes(&f->heap);
    th_heap_clean_up(&f->heap);
    f->live = false;
    CHECK(f->heap.base == NULL && f->heap.dwords == 0);
    CHECK(f->heap.config.lock.acquire == NULL && f->heap.config.guarding.on_fault == NULL);
    expect_wall(f->store, f->region);
    expect_wall(f->region + f->bytes, f->store + sizeof f->store);
    for (size_t i = managed; i < f->bytes; i++) {
        CHECK_EQ(f->region[i], REGION_BYTE);
    }
}

/* ---- proving a heap ----------------------------------------------------------------------- */

static bool power_of_two(size_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

static void validate_block(const th_heap *heap, const th_heap_block *block, size_t alignment) {
    uint32_t unit = (uint32_t)(alignment / 4);
    CHECK_EQ(block->offset % unit, 0);
    CHECK_EQ(block->size_dwords % unit, 0);
    CHECK(block->size_dwords >= unit);
    CHECK(power_of_two(block->alignment) && block->alignment >= alignment);
    CHECK_EQ((uintptr_t)block->payload % block->alignment, 0);
    if (block->tag == heap->tag_free) {
        CHECK_EQ(block->requested_bytes, 0);
        CHECK_EQ(block->site, 0);
        CHECK_EQ(block->alignment, alignment);
    } else {
        size_t usable = (size_t)block->size_dwords * 4;
        CHECK(block->tag < heap->tag_free);
        CHECK(block->requested_bytes >= (is_lean(heap) ? usable : 1));
        CHECK(block->requested_bytes <= usable);
        CHECK(!is_lean(heap) || block->site == 0);
    }
}

/* Adds a block to the statistics; the sides are proved on the way. */
static void tally(const th_heap *heap, th_heap_stats *stats, const th_heap_block *block,
                  size_t header_bytes) {
    size_t payload = (size_t)block->size_dwords * 4;
    if (block->tag == heap->tag_free) {
        stats->free_blocks++;
        stats->free_bytes += payload;
        stats->free_head_bytes += stats->tail_blocks == 0 ? payload : 0;
        if (payload > stats->largest_free_bytes) {
            stats->largest_free_bytes = payload;
        }
        return;
    }
    stats->used_bytes += payload + header_bytes;
    if (block->tag < tail_of(heap)) {
        CHECK_EQ(stats->tail_blocks, 0);
        stats->head_blocks++;
        stats->head_bytes += payload;
    } else {
        stats->tail_blocks++;
        stats->tail_bytes += payload;
    }
}

static void compare_stats(const th_heap *heap, th_heap_stats *counted) {
    th_heap_stats told = stats_of(heap);
    CHECK(told.high_water_bytes >= told.used_bytes);
    counted->high_water_bytes = told.high_water_bytes;
    counted->failed_allocs = told.failed_allocs;
    expect_stats(&told, counted);
    CHECK_EQ(th_heap_free_head_bytes(heap), counted->free_head_bytes);
    CHECK_EQ(th_heap_largest_free_bytes(heap), counted->largest_free_bytes);
    size_t index = heap->index_inside
                       ? th_heap_index_bytes(counted->region_bytes, 4 * (size_t)heap->unit_dwords)
                       : 0;
    CHECK(th_heap_region_bytes(heap) >= counted->region_bytes);
    CHECK(th_heap_region_bytes(heap) <= counted->region_bytes + index + 8);
    CHECK_EQ(th_heap_region_bytes(heap) == counted->region_bytes, index == 0);
}

void validate_heap(const th_heap *heap, size_t alignment) {
    th_fault fault;
    if (th_heap_check(heap, &fault) != TH_OK) {
        char line[TH_FAULT_LINE_BYTES_MAX];
        th_fault_format(&fault, line, sizeof line);
        fprintf(stderr, "%s\n", line);
        th_check_failed(__FILE__, __LINE__, "the checker finds the heap sound");
    }
    uint32_t header = header_dwords(heap->layout, (uint32_t)(alignment / 4));
    CHECK(heap->tag_free == TH_TAG_FREE ||
          (heap->tag_free == TH_TAG_WIDE_FREE && heap->layout == TH_HEAP_LAYOUT_WIDE));
    th_heap_stats counted = {0};
    th_heap_block block;
    uint32_t end = 0;
    uint32_t previous_tag = 0;
    bool more = th_heap_first(heap, &block);
    CHECK(more);
    const unsigned char *base = (const unsigned char *)block.payload - (size_t)header * 4;
    for (; more && block.next_offset != 0; more = th_heap_next(heap, &block)) {
        CHECK_EQ(block.offset, end);
        end += header + block.size_dwords;
        CHECK_EQ(block.next_offset, end);
        CHECK_PTR_EQ(block.payload, base + (size_t)(block.offset + header) * 4);
        CHECK(!(block.tag == heap->tag_free && previous_tag == heap->tag_free));
        previous_tag = block.tag;
        validate_block(heap, &block, alignment);
        tally(heap, &counted, &block, (size_t)header * 4);
    }
    CHECK(more);
    CHECK_EQ(block.offset, end);
    CHECK_EQ(block.tag, heap->tag_free);
    CHECK_EQ(block.size_dwords, 0);
    CHECK(!th_heap_next(heap, &block));
    counted.region_bytes = (size_t)(end + header) * 4;
    compare_stats(heap, &counted);
}

/* ---- checked calls ------------------------------------------------------------------------ */

void remember_blocks(fixture *f) {
    th_heap_block block;
    uint32_t count = 0;
    for (bool more = th_heap_first(&f->heap, &block); more; more = th_heap_next(&f->heap, &block)) {
        CHECK(count < FIXTURE_BLOCKS_MAX);
        f->snapshot[count] = block;
        count++;
    }
    f->blocks_before = count;
    f->before = stats_of(&f->heap);
}

static bool same_block(const th_heap_block *a, const th_heap_block *b) {
    return a->offset == b->offset && a->next_offset == b->next_offset &&
           a->size_dwords == b->size_dwords && a->tag == b->tag &&
           a->requested_bytes == b->requested_bytes && a->site == b->site &&
           a->alignment == b->alignment && a->payload == b->payload;
}

void expect_blocks_unchanged(const fixture *f) {
    th_heap_block block;
    uint32_t count = 0;
    for (bool more = th_heap_first(&f->heap, &block); more; more = th_heap_next(&f->heap, &block)) {
        CHECK(count < f->blocks_before);
        CHECK(same_block(&f->snapshot[count], &block));
        count++;
    }
    CHECK_EQ(count, f->blocks_before);
}

static void enter(fixture *f) {
    validate_heap(&f->heap, f->alignment);
    remember_blocks(f);
    CHECK_EQ(f->faults, 0);
    CHECK_EQ(f->lock_depth, 0);
}

static th_heap_stats leave(fixture *f) {
    CHECK_EQ(f->faults, 0);
    CHECK_EQ(f->lock_depth, 0);
    validate_heap(&f->heap, f->alignment);
    th_heap_stats after = stats_of(&f->heap);
    CHECK(after.high_water_bytes >= f->before.high_water_bytes);
    return after;
}

/* A low-memory callback may have freed blocks before the call failed. */
static void expect_failed(fixture *f, const th_heap_stats *after, bool counted) {
    if (f->heap.config.low_memory == NULL) {
        expect_blocks_unchanged(f);
        CHECK_EQ(after->failed_allocs, f->before.failed_allocs + (counted ? 1 : 0));
        CHECK_EQ(after->high_water_bytes, f->before.high_water_bytes);
    }
}

static void expect_block(const fixture *f, const void *pointer, size_t bytes) {
    th_heap_block block = block_of(&f->heap, pointer);
    size_t usable = (size_t)block.size_dwords * 4;
    CHECK_EQ(block.requested_bytes, f->lean ? usable : bytes);
    CHECK_EQ(th_heap_requested_size(&f->heap, pointer), f->lean ? usable : bytes);
    CHECK_EQ(th_heap_usable_size(&f->heap, pointer), usable);
    CHECK(usable >= bytes);
}

static void *leave_alloc(fixture *f, void *pointer, size_t alignment, size_t bytes, uint32_t tag,
                         uint32_t site) {
    th_heap_stats after = leave(f);
    if (pointer == NULL) {
        bool well_formed = bytes != 0 && tag < f->heap.tag_free && power_of_two(alignment);
        expect_failed(f, &after, well_formed);
        return NULL;
    }
    expect_block(f, pointer, bytes);
    th_heap_block block = block_of(&f->heap, pointer);
    CHECK_EQ(block.tag, tag);
    CHECK_EQ(block.site, f->lean ? 0 : site);
    CHECK_EQ(block.alignment, alignment < f->alignment ? f->alignment : alignment);
    return pointer;
}

void *checked_alloc(fixture *f, size_t bytes, uint32_t tag) {
    enter(f);
    void *pointer = th_heap_alloc(&f->heap, bytes, tag);
    return leave_alloc(f, pointer, f->alignment, bytes, tag, 0);
}

void *checked_alloc_at(fixture *f, size_t alignment, size_t bytes, uint32_t tag, uint32_t site) {
    enter(f);
    void *pointer = site == 0 ? th_heap_alloc_aligned(&f->heap, bytes, alignment, tag)
                              : th_heap_alloc_at(&f->heap, bytes, alignment, tag, site);
    return leave_alloc(f, pointer, alignment, bytes, tag, site);
}

void *checked_resize(fixture *f, void *pointer, size_t bytes) {
    enter(f);
    th_heap_block old = {0};
    if (pointer != NULL) {
        old = block_of(&f->heap, pointer);
    }
    void *result = th_heap_realloc(&f->heap, pointer, bytes);
    th_heap_stats after = leave(f);
    if (pointer == NULL) {
        CHECK(result == NULL);
        expect_failed(f, &after, false);
    } else if (bytes == 0) {
        CHECK(result == NULL);
        CHECK_EQ(after.head_blocks + after.tail_blocks + 1,
                 f->before.head_blocks + f->before.tail_blocks);
    } else if (result == NULL) {
        expect_failed(f, &after, true);
    } else {
        expect_block(f, result, bytes);
        th_heap_block block = block_of(&f->heap, result);
        CHECK_EQ(block.tag, old.tag);
        CHECK_EQ(block.site, old.site);
        CHECK_EQ(block.alignment, old.alignment);
    }
    return result;
}

size_t checked_trim(fixture *f, void *pointer) {
    enter(f);
    size_t gained = th_heap_trim(&f->heap, pointer);
    th_heap_stats after = leave(f);
    CHECK_EQ(after.free_bytes - f->before.free_bytes, gained);
    if (gained == 0) {
        expect_blocks_unchanged(f);
    }
    return gained;
}

size_t checked_free(fixture *f, void *pointer) {
    enter(f);
    size_t gained = th_heap_free(&f->heap, pointer);
    th_heap_stats after = leave(f);
    CHECK_EQ(after.free_bytes - f->before.free_bytes, gained);
    if (pointer == NULL) {
        expect_blocks_unchanged(f);
    } else {
        th_heap_block block;
        CHECK(th_heap_find(&f->heap, pointer, &block));
        CHECK_EQ(block.tag, f->heap.tag_free);
    }
    return gained;
}

uint32_t checked_free_tags(fixture *f, uint32_t low, uint32_t high) {
    enter(f);
    uint32_t freed = th_heap_free_tags(&f->heap, low, high);
    th_heap_stats after = leave(f);
    CHECK_EQ(after.head_blocks + after.tail_blocks + freed,
             f->before.head_blocks + f->before.tail_blocks);
    if (freed == 0) {
        expect_blocks_unchanged(f);
    }
    return freed;
}

static th_heap_compaction leave_compact(fixture *f, th_heap_compaction result) {
    th_heap_stats after = leave(f);
    CHECK_EQ(after.used_bytes, f->before.used_bytes);
    CHECK_EQ(after.head_blocks, f->before.head_blocks);
    CHECK_EQ(after.tail_blocks, f->before.tail_blocks);
    CHECK_EQ(after.high_water_bytes, f->before.high_water_bytes);
    if (result.blocks_moved == 0) {
        CHECK_EQ(result.bytes_moved, 0);
        expect_blocks_unchanged(f);
    }
    return result;
}

th_heap_compaction checked_compact(fixture *f, th_heap_move_fn may_move, void *context) {
    enter(f);
    th_heap_compaction result = th_heap_compact(&f->heap, may_move, context);
    CHECK(result.done);
    return leave_compact(f, result);
}

th_heap_compaction checked_compact_some(fixture *f, size_t budget_bytes, th_heap_move_fn may_move,
                                        void *context) {
    enter(f);
    th_heap_compaction result = th_heap_compact_some(&f->heap, budget_bytes, may_move, context);
    CHECK(result.done || result.blocks_moved >= 1);
    return leave_compact(f, result);
}

/* ---- looking at blocks -------------------------------------------------------------------- */

static void print_blocks(const th_heap *heap, const expected_block *blocks, size_t count) {
    th_heap_block block;
    fprintf(stderr, "expected:");
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, " {%04x %u}", (unsigned)blocks[i].tag, (unsigned)blocks[i].size_dwords);
    }
    fprintf(stderr, "\nfound:   ");
    for (bool more = th_heap_first(heap, &block); more && block.next_offset != 0;
         more = th_heap_next(heap, &block)) {
        fprintf(stderr, " {%04x %u}", (unsigned)block.tag, (unsigned)block.size_dwords);
    }
    fprintf(stderr, "\n");
}

void expect_blocks(const char *file, int line, const th_heap *heap, const expected_block *blocks,
                   size_t count) {
    th_heap_block block;
    size_t found = 0;
    bool same = true;
    bool more = th_heap_first(heap, &block);
    for (; same && more && block.next_offset != 0; more = th_heap_next(heap, &block)) {
        same = found < count && block.tag == blocks[found].tag &&
               block.size_dwords == blocks[found].size_dwords;
        found++;
    }
    same = same && found == count && more && block.tag == heap->tag_free && block.size_dwords == 0;
    if (!same) {
        print_blocks(heap, blocks, count);
        th_check_failed(file, line, "the blocks are as drawn");
    }
}

uint32_t offset_of(const fixture *f, const void *pointer) {
    CHECK(pointer != NULL);
    size_t bytes = (size_t)((const unsigned char *)pointer - f->region);
    CHECK(bytes < f->bytes && bytes % 4 == 0);
    return (uint32_t)(bytes / 4) - f->header;
}

th_heap_block block_of(const th_heap *heap, const void *pointer) {
    th_heap_block block = {0};
    CHECK(th_heap_find(heap, pointer, &block));
    CHECK_PTR_EQ(block.payload, pointer);
    CHECK(block.tag != heap->tag_free);
    return block;
}

th_heap_block block_tagged(const th_heap *heap, uint32_t tag) {
    th_heap_block block;
    th_heap_block match = {0};
    unsigned matches = 0;
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        if (block.tag == tag) {
            match = block;
            matches++;
        }
    }
    CHECK_EQ(matches, 1);
    return match;
}

th_heap_stats stats_of(const th_heap *heap) {
    th_heap_stats stats = th_heap_get_stats(heap);
    return stats;
}

void expect_stats(const th_heap_stats *found, const th_heap_stats *expected) {
    CHECK_EQ(found->region_bytes, expected->region_bytes);
    CHECK_EQ(found->used_bytes, expected->used_bytes);
    CHECK_EQ(found->high_water_bytes, expected->high_water_bytes);
    CHECK_EQ(found->head_bytes, expected->head_bytes);
    CHECK_EQ(found->tail_bytes, expected->tail_bytes);
    CHECK_EQ(found->free_bytes, expected->free_bytes);
    CHECK_EQ(found->free_head_bytes, expected->free_head_bytes);
    CHECK_EQ(found->largest_free_bytes, expected->largest_free_bytes);
    CHECK_EQ(found->head_blocks, expected->head_blocks);
    CHECK_EQ(found->tail_blocks, expected->tail_blocks);
    CHECK_EQ(found->free_blocks, expected->free_blocks);
    CHECK_EQ(found->failed_allocs, expected->failed_allocs);
}

void expect_same_heaps(const th_heap *a, const th_heap *b) {
    th_heap_block at_a, at_b;
    bool more_a = th_heap_first(a, &at_a);
    bool more_b = th_heap_first(b, &at_b);
    while (more_a && more_b) {
        CHECK_EQ(at_a.offset, at_b.offset);
        CHECK_EQ(at_a.size_dwords, at_b.size_dwords);
        CHECK_EQ(at_a.tag, at_b.tag);
        CHECK_EQ(at_a.requested_bytes, at_b.requested_bytes);
        CHECK_EQ(at_a.site, at_b.site);
        CHECK_EQ(at_a.alignment, at_b.alignment);
        more_a = th_heap_next(a, &at_a);
        more_b = th_heap_next(b, &at_b);
    }
    CHECK_EQ(more_a, more_b);
    th_heap_stats stats_a = stats_of(a);
    th_heap_stats stats_b = stats_of(b);
    expect_stats(&stats_b, &stats_a);
}

/* ---- contents ----------------------------------------------------------------------------- */

static unsigned char pattern(size_t index, uint32_t seed) {
    return (unsigned char)(index * 37 + (index >> 8) * 11 + seed * 101 + (seed >> 8));
}

void fill(void *payload, size_t bytes, uint32_t seed) {
    unsigned char *at = payload;
    for (size_t i = 0; i < bytes; i++) {
        at[i] = pattern(i, seed);
    }
}

bool filled(const void *payload, size_t bytes, uint32_t seed) {
    const unsigned char *at = payload;
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != pattern(i, seed)) {
            return false;
        }
    }
    return true;
}
