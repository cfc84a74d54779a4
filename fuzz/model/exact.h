/* SPDX-License-Identifier: MIT */
/* The exact model of the tagged heap: docs/heap.md written down in the simplest way, as an array
 * of extents in address order. It holds no memory of the heap's and shares no code with src/: it
 * predicts where every block lies, what every call returns, and every statistic.
 *
 * Offsets and sizes are in dwords from the start of the region, as in docs/heap.md. Pointers of
 * the real heap appear here as the offset of the block's header; LAB_EXACT_NONE stands for NULL.
 * Calls that name a block take its header offset, which must be a live block's. */
#ifndef LAB_MODEL_EXACT_H
#define LAB_MODEL_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_EXACT_NONE UINT32_MAX

typedef enum lab_exact_layout {
    LAB_EXACT_CLASSIC,
    LAB_EXACT_LEAN,
    LAB_EXACT_WIDE,
    LAB_EXACT_AUTO /* classic if that can be, else wide with the tags of classic */
} lab_exact_layout;

typedef struct lab_extent {
    uint32_t offset;    /* of the header */
    uint32_t size;      /* payload, slack included */
    uint32_t tag;       /* FREE: free */
    uint32_t requested; /* bytes; 0 if free */
    uint32_t alignment; /* bytes; if free: the heap's own */
    uint32_t site;      /* 0 if free; what the caller gave, even if a heap would not keep it */
} lab_extent;

/* Asked before each move of a compaction, with header offsets. */
typedef bool (*lab_exact_move_fn)(void *context, uint32_t tag, uint32_t from, uint32_t to,
                                  uint32_t bytes);

/* The live blocks of one side. */
typedef struct lab_exact_side {
    uint32_t blocks;
    uint32_t dwords; /* headers and payloads */
} lab_exact_side;

typedef struct lab_exact lab_exact;

typedef bool (*lab_exact_low_memory_fn)(void *context, lab_exact *model, size_t bytes);

struct lab_exact {
    lab_extent *extents; /* extents[0 .. count-1], in address order, LAST included */
    uint32_t count;
    uint32_t capacity;
    uint32_t unit;           /* U */
    uint32_t header;         /* H */
    uint32_t dwords;         /* N */
    lab_exact_layout layout; /* not AUTO */
    uint32_t payload_max;
    uint32_t tag_free; /* FREE */
    uint32_t tag_tail; /* TAIL */
    bool keeps;        /* requested sizes and sites */
    uint64_t base;     /* address of the region modulo 2^32 */
    uint32_t cursor;
    lab_exact_side sides[2];            /* HEAD, TAIL */
    uint32_t high_water;                /* dwords */
    uint32_t largest_free;              /* no free extent is larger, */
    bool is_largest_there;              /* and one that large certainly exists */
    uint32_t last_change;               /* an index: where extents were changed last */
    uint32_t changed_low, changed_high; /* of the dwords [0, N), those whose blocks have changed:
                                           [low, high), low > high if none; see below */
    uint64_t failed_allocs;
    bool in_low_memory;
    lab_exact_low_memory_fn low_memory; /* NULL: none; set after lab_exact_start */
    void *low_memory_context;
};

typedef struct lab_exact_stats { /* bytes, as th_heap_stats */
    size_t region, used, high_water, head, tail, free, free_head, largest_free;
    uint32_t head_blocks, tail_blocks, free_blocks;
    uint64_t failed_allocs;
} lab_exact_stats;

typedef struct lab_exact_compaction {
    uint32_t moved, vetoed;
    size_t bytes;
    bool done;
} lab_exact_compaction;

/* A zeroed lab_exact is empty and may be started, again and again; its array is kept between
 * starts. False (and nothing changes) if the region would be refused for its size or alignment,
 * or there is no memory for the model. `alignment` is 4, 8 or 16. */
bool lab_exact_start(lab_exact *model, uint64_t base, size_t region_bytes, uint32_t alignment,
                     lab_exact_layout layout);
void lab_exact_clean_up(lab_exact *model);

/* What an extent is. LAST is free, too. */
static inline bool lab_exact_is_free(const lab_exact *model, const lab_extent *extent) {
    return extent->tag == model->tag_free;
}

static inline bool lab_exact_is_head(const lab_exact *model, const lab_extent *extent) {
    return extent->tag < model->tag_tail;
}

static inline bool lab_exact_is_tail(const lab_exact *model, const lab_extent *extent) {
    return extent->tag >= model->tag_tail && extent->tag != model->tag_free;
}

/* The header offset of the new block, or LAB_EXACT_NONE. */
uint32_t lab_exact_alloc(lab_exact *model, size_t alignment, size_t bytes, uint32_t tag,
                         uint32_t site);

/* The header offset of the block afterwards (the same unless it moved), or LAB_EXACT_NONE (bytes
 * 0: it was freed; else: it failed and is untouched). */
uint32_t lab_exact_resize(lab_exact *model, uint32_t block, size_t bytes);

/* False, and nothing changes: the tag is none, or of the other side. */
bool lab_exact_retag(lab_exact *model, uint32_t block, uint32_t tag);

size_t lab_exact_trim(lab_exact *model, uint32_t block);
size_t lab_exact_free(lab_exact *model, uint32_t block);
uint32_t lab_exact_free_tags(lab_exact *model, uint32_t low, uint32_t high);

/* may_move NULL: yes to all. */
lab_exact_compaction lab_exact_compact(lab_exact *model, lab_exact_move_fn may_move, void *context);
lab_exact_compaction lab_exact_compact_some(lab_exact *model, size_t budget_bytes,
                                            lab_exact_move_fn may_move, void *context);

/* From now on no block has changed. Changes add up until then, to one range: outside of it, the
 * list has the same blocks as before, inside it may have others; both its ends are ends of blocks.
 * A fresh model has changed as a whole. */
void lab_exact_forget_changes(lab_exact *model);

/* Moves the model to another base; false (and nothing changes) if alignment forbids it. */
bool lab_exact_rebase(lab_exact *model, uint64_t base);

/* The extent whose header or payload contains the dword `offset`; NULL outside [0, N). */
const lab_extent *lab_exact_find(const lab_exact *model, uint32_t offset);

/* Counted from the extents. */
void lab_exact_get_stats(const lab_exact *model, lab_exact_stats *stats);

/* The same from what was counted along the way; the largest free extent is looked for where it may
 * be gone. */
void lab_exact_recall_stats(lab_exact *model, lab_exact_stats *stats);

#endif
