/* SPDX-License-Identifier: MIT */
/* A plug-in for heaplab, explained in docs/your-allocator.md: a small heap with tags, two sides and
 * compaction. Blocks stand in a list by address, beside the memory. Those of low tags are put as
 * low as they fit, those of high tags as high; compaction slides each side to its end.
 *
 *   [ low ][ low ]   [ low ] ................ [ high ]      [ high ]
 *   [ low ][ low ][ low ] ........................... [ high ][ high ] */
#include "subjects/subject.h"
#include <stdlib.h>
#include <string.h>

enum { UNIT = 16, BLOCKS_MAX = 1 << 12, TAG_TOP_MIN = 0x4000, TAG_MAX = 0x7FFE };

typedef struct block {
    size_t start, bytes; /* from the start of the memory; bytes are a multiple of UNIT */
    size_t alignment;    /* at least UNIT */
    uint32_t tag;
} block;

typedef struct heap {
    th_allocator backing;
    unsigned char *memory;
    size_t bytes;
    block blocks[BLOCKS_MAX + 1]; /* blocks[0 .. count-1], the lowest first */
    size_t count;
} heap;

static bool is_top(const block *b) {
    return b->tag >= TAG_TOP_MIN;
}

static size_t round_up(size_t value, size_t alignment) {
    return (value + alignment - 1) & ~(alignment - 1);
}

/* Where blocks[i] ends, and where it begins; for those that are none, the memory's ends. */
static size_t end_before(const heap *h, size_t i) {
    return i > 0 ? h->blocks[i - 1].start + h->blocks[i - 1].bytes : 0;
}

static size_t start_of(const heap *h, size_t i) {
    return i < h->count ? h->blocks[i].start : h->bytes;
}

/* The lowest place for a block between blocks[i - 1] and blocks[i], or the highest if it is a top
 * one; SIZE_MAX: it does not fit there. The memory is aligned to any alignment it is asked for. */
static size_t place_in(const heap *h, size_t i, const block *b) {
    size_t low = round_up(end_before(h, i), b->alignment);
    size_t high = start_of(h, i);
    if (low > high || high - low < b->bytes) {
        return SIZE_MAX;
    }
    return is_top(b) ? (high - b->bytes) & ~(b->alignment - 1) : low;
}

static size_t index_of(const heap *h, const void *pointer) {
    size_t start = (size_t)((const unsigned char *)pointer - h->memory);
    size_t i = 0;
    while (i < h->count && h->blocks[i].start != start) {
        i++;
    }
    return i;
}

/* The first block of a high tag; all from there on have one. */
static size_t first_top(const heap *h) {
    size_t i = 0;
    while (i < h->count && !is_top(&h->blocks[i])) {
        i++;
    }
    return i;
}

static void remove_at(heap *h, size_t i) {
    h->count--;
    memmove(&h->blocks[i], &h->blocks[i + 1], (h->count - i) * sizeof h->blocks[0]);
}

static void *alloc_tagged(void *self, size_t bytes, size_t alignment, uint32_t tag, bool zeroed) {
    heap *h = self;
    block b = {.bytes = round_up(bytes, UNIT), .alignment = alignment, .tag = tag};
    b.alignment = alignment < UNIT ? UNIT : alignment;
    if (bytes > h->bytes || alignment > LAB_HOLDS_ALIGNMENT_MAX || tag > TAG_MAX ||
        h->count == BLOCKS_MAX) {
        return NULL;
    }
    size_t middle = first_top(h);
    size_t gaps = is_top(&b) ? h->count - middle + 1 : middle + 1;
    for (size_t n = 0; n < gaps; n++) {
        size_t i = is_top(&b) ? h->count - n : n;
        b.start = place_in(h, i, &b);
        if (b.start != SIZE_MAX) {
            memmove(&h->blocks[i + 1], &h->blocks[i], (h->count - i) * sizeof b);
            h->blocks[i] = b;
            h->count++;
            return zeroed ? memset(h->memory + b.start, 0, bytes) : h->memory + b.start;
        }
    }
    return NULL;
}

static void *heap_alloc(void *self, size_t bytes, size_t alignment) {
    return alloc_tagged(self, bytes, alignment, 0, false);
}

static uint64_t free_one(void *self, void *pointer) {
    heap *h = self;
    size_t i = pointer != NULL ? index_of(h, pointer) : h->count;
    if (i == h->count) {
        return 0;
    }
    size_t bytes = h->blocks[i].bytes;
    remove_at(h, i);
    return bytes;
}

static void heap_free(void *self, void *pointer) {
    (void)free_one(self, pointer);
}

static bool heap_resize(void *self, void *pointer, size_t bytes) {
    heap *h = self;
    size_t i = index_of(h, pointer);
    if (bytes > start_of(h, i + 1) - h->blocks[i].start) {
        return false;
    }
    h->blocks[i].bytes = round_up(bytes, UNIT);
    return true;
}

/* The block keeps its tag, wherever it goes. */
static void *heap_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    heap *h = self;
    if (heap_resize(h, pointer, bytes)) {
        return pointer;
    }
    size_t tag = h->blocks[index_of(h, pointer)].tag;
    void *larger = alloc_tagged(h, bytes, alignment, (uint32_t)tag, false);
    if (larger != NULL) {
        memcpy(larger, pointer, kept);
        heap_free(h, pointer);
    }
    return larger;
}

static size_t heap_usable(const void *self, const void *pointer) {
    const heap *h = self;
    return h->blocks[index_of(h, pointer)].bytes;
}

static uint64_t free_tags(void *self, uint32_t low, uint32_t high) {
    heap *h = self;
    uint64_t freed = 0;
    for (size_t i = h->count; i-- > 0;) {
        if (h->blocks[i].tag >= low && h->blocks[i].tag <= high) {
            remove_at(h, i);
            freed++;
        }
    }
    return freed;
}

static uint32_t tag_of(const void *self, const void *pointer) {
    const heap *h = self;
    return h->blocks[index_of(h, pointer)].tag;
}

/* The side's end first: the lowest of the low blocks, the highest of the high ones. */
static uint64_t compact(void *self, size_t bytes, lab_may_move may_move, void *context) {
    heap *h = self;
    uint64_t moved = 0;
    size_t middle = first_top(h);
    for (size_t n = 0; n < h->count; n++) {
        size_t i = n < middle ? n : h->count - 1 - (n - middle);
        block *b = &h->blocks[i];
        /* As if it were not there: the gaps on both of its sides are one. */
        size_t low = round_up(end_before(h, i), b->alignment);
        size_t high = (start_of(h, i + 1) - b->bytes) & ~(b->alignment - 1);
        size_t to = is_top(b) ? high : low;
        if (to == b->start) {
            continue;
        }
        if (b->bytes > bytes && moved > 0) {
            break;
        }
        if (may_move(context, h->memory + b->start, h->memory + to, b->bytes)) {
            memmove(h->memory + to, h->memory + b->start, b->bytes);
            b->start = to;
            bytes -= b->bytes < bytes ? b->bytes : bytes;
            moved++;
        }
    }
    return moved;
}

static th_status reset(void *self) {
    ((heap *)self)->count = 0;
    return TH_OK;
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = heap_alloc,
                                             .free = heap_free,
                                             .resize_in_place = heap_resize,
                                             .realloc = heap_realloc,
                                             .usable_size = heap_usable,
                                             .reset = reset};
    heap *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return false;
    }
    h->backing = setup->backing;
    h->bytes = setup->bytes & ~(size_t)(UNIT - 1);
    h->memory = th_allocator_alloc_aligned(h->backing, h->bytes, LAB_HOLDS_ALIGNMENT_MAX);
    if (h->memory == NULL) {
        free(h);
        return false;
    }
    *instance = (lab_instance){.state = h,
                               .allocator = {&table, h},
                               .bytes_max = h->bytes,
                               .alignment_max = LAB_HOLDS_ALIGNMENT_MAX,
                               .holds = h->bytes,
                               .holds_extra = 2 * UNIT,
                               .holds_blocks = BLOCKS_MAX,
                               .tag_max = TAG_MAX,
                               .tag_top_min = TAG_TOP_MIN};
    return true;
}

static void destroy(void *state) {
    heap *h = state;
    th_allocator_free(h->backing, h->memory);
    free(h);
}

static const lab_tagging tags = {alloc_tagged, free_tags, compact, tag_of};

const lab_subject lab_subject_export = {.version = LAB_SUBJECT_VERSION,
                                        .name = "compacting",
                                        .purpose = "an example with tags and moves",
                                        .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_COMPACTS,
                                        .create = create,
                                        .destroy = destroy,
                                        .tags = &tags,
                                        .free_block = free_one,
                                        .freed = LAB_FREED_USABLE};
