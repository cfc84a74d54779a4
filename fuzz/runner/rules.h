/* SPDX-License-Identifier: MIT */
/* The rules of a run that do not depend on the heap: what the callbacks of a script do, what slots
 * hold, what is compared and in which order. The runner holds the heap against them, the exporter
 * (fuzz/export) writes them down as a program. */
#ifndef LAB_RUNNER_RULES_H
#define LAB_RUNNER_RULES_H

#include "model/exact.h"
#include "script/script.h"
#include "tagheap/heap.h"

/* A region lies inside a block of LAB_ARENA_BYTES that is aligned to its own size, at
 * LAB_ARENA_START: which alignments hold in it does not depend on where the block is, so that a
 * script means the same in every process. */
#define LAB_ARENA_BYTES ((size_t)1 << 22)
#define LAB_ARENA_START ((size_t)1 << 16)

/* Where the region of a script begins in its arena. */
size_t lab_region_start(const lab_config *config);

/* Memory for the index of a heap in an arena: the last `bytes` bytes of an allocation, so that a
 * sanitizer notices what is written after it. */
typedef struct lab_index {
    unsigned char *store;
    size_t store_bytes;
    void *memory; /* NULL: no index */
    size_t bytes;
} lab_index;

/* False if there is no memory. */
bool lab_index_open(lab_index *index);
void lab_index_close(lab_index *index);

/* Chooses what a heap of that config gets. */
void lab_index_choose(lab_index *index, const lab_config *config);

/* Says so in the heap's config. */
void lab_index_tell(const lab_index *index, th_heap_config *config);

typedef struct lab_slot {
    uint32_t block; /* header offset; LAB_EXACT_NONE: empty */
    uint32_t seed;  /* of the contents */
} lab_slot;

/* The contents of the `number`-th allocated block, counted from 1, begin with this. */
uint32_t lab_seed_of(uint32_t number);

/* The model's word for a layout, and the heap's. */
static inline lab_exact_layout lab_model_layout(const lab_config *config) {
    return (lab_exact_layout)config->layout;
}

th_heap_layout lab_heap_layout(const lab_config *config);

/* The guard level of a run that asks for another than the script's, or (-1) does not. */
static inline int lab_guard(const lab_config *config, int asked) {
    return config->layout == LAB_LAYOUT_LEAN ? 0 : asked >= 0 ? asked : config->guard;
}

/* A heap as the script wants it, but for its hooks and its index. */
th_heap_config lab_heap_config(const lab_config *config, int asked);

/* What of the blocks that were there before attacks can still meet. */
typedef struct lab_heap_history {
    uint32_t ever_low;  /* dwords [0, ever_low) have been part of a HEAD block, or lay below one */
    uint32_t ever_high; /* dwords [ever_high, end): the same with TAIL and above */
    uint32_t stale;     /* where a block was that was freed, or moved by compaction, last */
} lab_heap_history;

lab_heap_history lab_heap_history_none(const lab_exact *model);

/* `extent` was allocated, or grew. */
void lab_heap_history_note(lab_heap_history *history, const lab_exact *model,
                           const lab_extent *extent);

/* A well-formed request that no heap of this region can serve. */
static inline size_t lab_impossible_bytes(const lab_exact *model) {
    return 4 * (size_t)model->dwords;
}

/* ---- what is compared --------------------------------------------------------------------- */

/* After each operation that did something, in this order. The checks of the state are made on the
 * fresh heap, too. X(name) */
#define LAB_CHECKS_OF_OP(X)    X(fault) X(lock)
#define LAB_CHECKS_OF_STATE(X) X(blocks) X(stats) X(checker) X(edges)

/* At guard level 3 the heap has just run its checker itself; that it has not forgotten to is seen
 * every 64 operations and at the end. */
bool lab_checker_is_due(int guard, size_t index, const lab_script *script);

/* With LAB_COMPARE_TOUCHED: is everything compared all the same? */
bool lab_comparison_is_due(size_t index, const lab_script *script);

/* With LAB_COMPARE_SPARSE, below guard level 3: is the checker asked? Counted back from the end, so
 * that the end is one of the places, and scripts of other lengths have others. */
bool lab_sparse_is_due(size_t index, const lab_script *script);

/* ---- moves -------------------------------------------------------------------------------- */

/* One move callback as the model predicts it. */
typedef struct lab_move {
    uint32_t tag, from, to, bytes; /* header offsets */
    uint32_t slot;
    bool vetoed;
} lab_move;

typedef struct lab_moves {
    lab_move *at; /* at[0 .. count-1]; owned */
    size_t count, capacity;
} lab_moves;

/* Does this compaction go with a callback? A whole one without a veto goes without. */
bool lab_asks_to_move(const lab_op *op);

/* The model's question: writes it down. False: there was no memory. */
bool lab_moves_add(lab_moves *moves, const lab_exact *model, const lab_op *op, lab_move move);

/* ---- low memory --------------------------------------------------------------------------- */

/* The model's callback during one operation. */
typedef struct lab_low_memory {
    uint32_t protected_slot; /* must not be freed: it is being resized; LAB_EXACT_NONE */
    uint32_t freed;          /* the slot that was; LAB_EXACT_NONE */
    uint32_t calls;
} lab_low_memory;

#define LAB_LOW_MEMORY_NONE ((lab_low_memory){LAB_EXACT_NONE, LAB_EXACT_NONE, 0})

/* Frees the lowest live slot of slots[0 .. count-1], once for each operation, after an allocation
 * that cannot succeed. Its lab_slot stays as it is. False: nothing was freed. */
bool lab_low_memory_ask(lab_low_memory *low, lab_exact *model, const lab_slot *slots,
                        uint32_t count);

#endif
