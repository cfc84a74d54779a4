/* SPDX-License-Identifier: MIT */
/* The exact model of th_handles: what tagheap/handles.h says, in the simplest way, over the exact
 * model of the heap. It predicts every slot, generation, place, and every count. A block is the
 * offset of its header, as in exact.h. */
#ifndef LAB_MODEL_HANDLES_H
#define LAB_MODEL_HANDLES_H

#include "model/exact.h"

#define LAB_HANDLES_SLOTS_MAX 32u
#define LAB_HANDLES_NONE      UINT32_MAX

typedef struct lab_handles_slot {
    uint32_t life;  /* odd: in use */
    uint32_t block; /* LAB_EXACT_NONE: purged */
    uint32_t bytes, tag, alignment, pins;
    bool purgeable;
    uint64_t since; /* when it last became one that may be purged */
} lab_handles_slot;

typedef struct lab_handles {
    lab_exact *heap;
    lab_handles_slot slots[LAB_HANDLES_SLOTS_MAX];
    uint32_t slots_max, slots_used;
    uint32_t unused[LAB_HANDLES_SLOTS_MAX], unused_count; /* what was freed last is used next */
    uint64_t clock;
    uint64_t allocs, frees, purges, moves, failed_allocs;
} lab_handles;

typedef struct lab_handles_plan {
    uint32_t moved, vetoed;
    size_t bytes, largest_free;
} lab_handles_plan;

/* An empty table on a model of a heap that is started. */
void lab_handles_start(lab_handles *h, lab_exact *heap, uint32_t slots_max);

/* The slot of the new handle, or LAB_HANDLES_NONE. */
uint32_t lab_handles_alloc(lab_handles *h, size_t bytes, size_t alignment, uint32_t tag);

/* Of a handle that is in use. False: it is pinned. */
bool lab_handles_free(lab_handles *h, uint32_t slot);
uint64_t lab_handles_free_tags(lab_handles *h, uint32_t low, uint32_t high);

/* Pins; takes a pin back. False: it is purged; not pinned. */
bool lab_handles_pin(lab_handles *h, uint32_t slot);
bool lab_handles_unpin(lab_handles *h, uint32_t slot);

/* The block, or LAB_EXACT_NONE. */
uint32_t lab_handles_realloc(lab_handles *h, uint32_t slot, size_t bytes);

void lab_handles_set_purgeable(lab_handles *h, uint32_t slot, bool purgeable);
size_t lab_handles_purge(lab_handles *h, size_t bytes);

lab_exact_compaction lab_handles_compact(lab_handles *h);
lab_exact_compaction lab_handles_compact_some(lab_handles *h, size_t budget_bytes);

/* What a compaction would do, played on a copy. */
lab_handles_plan lab_handles_plan_compaction(const lab_handles *h);

#endif
