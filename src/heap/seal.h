/* SPDX-License-Identifier: MIT */
/* The control structure: at level 3 the fields of the th_heap have two check words: one for those
 * that every look into the region depends on, one for those that only count. They are written when
 * a change is complete, before anything that could end the call, and verified when a call begins.
 */
#ifndef TH_HEAP_SEAL_H
#define TH_HEAP_SEAL_H

#include "heap/chain.h"

/* What the two are set to, or should be; .layout is never 0, which means that there is none. */
typedef struct th_seals {
    uint64_t layout;
    uint64_t counts;
} th_seals;

#define TH_MIX 0x9E3779B97F4A7C15u

/* Two fields as one word. */
TH_TRACK_BLIND_PART uint64_t th_word_pair(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}

/* A word more. The step can be undone, so that any change that is confined to one word changes the
 * result; and what a change does to it is not what the same change does to another word, so that
 * two do not make up for each other. (What mixing begins with is such a word only if it is mixed
 * in: in the first step alone the same change of both leaves nothing.) */
TH_TRACK_BLIND_PART uint64_t th_mix_in(uint64_t mixed, uint64_t word) {
    uint64_t product = (mixed ^ word) * TH_MIX;
    return product ^ product >> 32;
}

/* What the header of a live block says, as its part of heap->live_sum: all but the links, which
 * follow from where the blocks are. Whoever makes up a header together with its check word, or
 * brings back an old one, does not make up this. */
TH_TRACK_BLIND_PART uint64_t th_header_says(const th_heap *heap, const th_header *block) {
    uint64_t says = th_mix_in(heap->check_seed, th_word_pair(block->offset, block->tag));
    says = th_mix_in(says, th_word_pair(block->size, block->site));
    says = th_mix_in(says, block->requested);
    return th_mix_in(says, block->align_log2);
}

/* The one-byte fields are taken as they lie in memory, for what was overwritten need not be a bool.
 */
TH_TRACK_BLIND_PART th_seals th_seals_due(const th_heap *heap) {
    const th_word *flags = (const void *)&heap->unit_dwords;
    uint64_t layout = th_mix_in(th_mix_in(TH_MIX, heap->check_seed), (uintptr_t)heap->base);
    layout = th_mix_in(layout, th_word_pair(heap->dwords, heap->last));
    layout = th_mix_in(layout, th_word_pair(heap->low_used, heap->high_used));
    layout = th_mix_in(layout, th_word_pair(flags[0], flags[1]));
    layout = th_mix_in(layout, (uintptr_t)heap->index.large);
    layout = th_mix_in(layout, th_word_pair(heap->index.small_top, heap->index.large_leaf));
    layout = th_mix_in(layout, th_word_pair(heap->tag_free, heap->size_max));
    for (unsigned i = 0; i < TH_HEAP_INDEX_LEVELS; i++) {
        layout = th_mix_in(layout, (uintptr_t)heap->index.small[i]);
    }
    uint64_t counts = th_mix_in(th_mix_in(TH_MIX, heap->compact_cursor), heap->live_sum);
    counts = th_mix_in(counts, th_word_pair(heap->head_blocks, heap->tail_blocks));
    counts = th_mix_in(counts, th_word_pair(heap->free_blocks, heap->head_dwords));
    counts = th_mix_in(counts, th_word_pair(heap->tail_dwords, heap->high_water_dwords));
    counts = th_mix_in(counts, heap->failed_allocs);
    counts = th_mix_in(counts, th_word_pair(heap->first_tail, heap->middle));
    counts = th_mix_in(counts, th_word_pair(heap->high_free_blocks, heap->fast));
    return (th_seals){layout + (layout == 0), counts};
}
static_assert(offsetof(th_heap, seal_layout) ==
                      offsetof(th_heap, unit_dwords) + 2 * TH_DWORD_BYTES &&
                  offsetof(th_heap, unit_dwords) % TH_DWORD_BYTES == 0,
              "the one-byte fields are two words");

/* Is the heap sealed? So is one whose level has been overwritten. */
TH_CHAIN_INLINE bool th_sealed(const th_heap *heap) {
#if TH_GUARD >= 3
    return heap->guard >= 3 || heap->seal_layout != 0;
#else
    (void)heap;
    return false;
#endif
}

/* Zeroed: never started, or cleaned up. A sealed one whose base was overwritten is damaged, even if
 * one of its check words is gone as well. */
static inline bool th_is_ended(const th_heap *heap) {
    return heap->base == NULL && !th_sealed(heap);
}

#if TH_GUARD >= 3
void th_seal(th_heap *heap);
bool th_seal_holds(const th_heap *heap);
#else
static inline void th_seal(th_heap *heap) {
    (void)heap;
}
static inline bool th_seal_holds(const th_heap *heap) {
    (void)heap;
    return true;
}
#endif

/* False after a fault if the control structure was written by others: the counter that does not
 * agree with the blocks, or TH_FAULT_CONTROL. */
bool th_guard_control(const th_heap *heap);

/* The same after a callback, `before` being the th_heap as it was when the callback began: one that
 * was zeroed in it says no more that it was sealed, nor who wants to hear of the fault. */
bool th_guard_control_after(const th_heap *heap, const th_heap *before);

#endif
