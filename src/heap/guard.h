/* SPDX-License-Identifier: MIT */
/* What the heap notices, by guard level, and how it says so.
 *
 *   live block   [header][ requested bytes ][ canary bytes to the end of the block ]
 *   free block   [header][ poison, where the memory has ever been used             ]
 *
 * Canaries are kept at level 1 and up, poison at 2 and up. Memory that was never part of a block
 * in use ([low_used, high_used), see th_heap) is neither written nor looked at, so that the cost
 * of an operation does not depend on the size of the region; with config.poison_unused there is no
 * such memory. */
#ifndef TH_HEAP_GUARD_H
#define TH_HEAP_GUARD_H

#include "base/pattern.h"
#include "heap/chain.h"

/* Hands a fault to the heap's handler, or to th_fault_abort if it has none. */
void th_report(const th_heap *heap, const th_fault *fault);

/* The same for one that is put together here. `block` may be NULL. */
void th_raise(const th_heap *heap, th_fault_kind kind, const th_header *block, size_t offset,
              uint32_t expected, uint32_t found);

/* TH_FAULT_HEADER for a header that does not agree with its check word. */
void th_raise_header(const th_heap *heap, const th_header *block);

/* Finds the live block whose payload starts at `pointer`. With guards: false after a fault if
 * there is none, or its header or canary is damaged. */
bool th_require_live(const th_heap *heap, const void *pointer, th_header *block);

/* False after a fault if the header, not of LAST, says what cannot be: the block ends beyond LAST,
 * or elsewhere than its link says, or was asked for more than it has. One whose check word is right
 * may have been made up. */
bool th_guard_possible(const th_heap *heap, const th_header *block);

/* Level >= 2: verifies the header and link of the block below, if there is one, or above (not of
 * LAST). False after a fault. For operations that do not load that neighbour anyway. */
bool th_guard_below(const th_heap *heap, const th_header *block);
bool th_guard_above(const th_heap *heap, const th_header *block);

/* Level >= 1: verifies the canary. False after a fault. */
bool th_guard_canary(const th_heap *heap, const th_header *block);

/* Level >= 2: verifies that the free dwords [from, to) still hold poison where they should.
 * False after a fault. `block` is the free block they belong to. */
bool th_guard_poison(const th_heap *heap, const th_header *block, uint32_t from, uint32_t to);

/* How many bytes of a live block are canary; 0 of one that says it was asked for more than it has.
 */
TH_CHAIN_INLINE size_t th_canary_bytes(const th_header *block) {
    size_t payload = (size_t)block->size * TH_DWORD_BYTES;
    return block->requested < payload ? payload - block->requested : 0;
}

/* Where the sixteen bytes begin that a block ends with, as a dword. */
TH_CHAIN_INLINE uint32_t th_canary_end_dword(const th_header *block, uint32_t header) {
    return block->offset + header + block->size - TH_CANARY_END / TH_DWORD_BYTES;
}

/* For blind functions, of a canary of so many bytes, sixteen at most: is it what it should be?
 * `four`: the alignment is 16. */
TH_TRACK_BLIND_PART bool th_canary_end_is(const th_heap *heap, const th_header *block,
                                          uint32_t header, size_t bytes, bool four) {
    uint32_t at = th_canary_end_dword(block, header);
    return th_canary_end_holds(heap->check_seed, at, th_at(heap, at), (uint32_t)bytes, four);
}

/* Of any, from the block's end downwards. */
TH_TRACK_BLIND_PART bool th_canary_holds(const th_heap *heap, const th_header *block,
                                         uint32_t header, bool four) {
    size_t bytes = th_canary_bytes(block);
    uint32_t at = th_canary_end_dword(block, header);
    const unsigned char *here = th_at(heap, at);
    uint32_t seed = heap->check_seed;
    for (; bytes > TH_CANARY_END; bytes -= TH_CANARY_END, at -= TH_CANARY_WORDS) {
        if (!th_canary_end_holds(seed, at, here, TH_CANARY_END, four)) {
            return false;
        }
        here -= TH_CANARY_END;
    }
    return th_canary_end_holds(seed, at, here, (uint32_t)bytes, four);
}

/* Writes it. */
TH_TRACK_BLIND_PART void th_canary_put(th_heap *heap, const th_header *block, uint32_t header) {
    size_t bytes = th_canary_bytes(block);
    uint32_t at = th_canary_end_dword(block, header);
    for (; bytes > TH_CANARY_END; bytes -= TH_CANARY_END, at -= TH_CANARY_END / TH_DWORD_BYTES) {
        th_canary_end_write(heap->check_seed, at, th_at(heap, at), TH_CANARY_END);
    }
    th_canary_end_write(heap->check_seed, at, th_at(heap, at), (uint32_t)bytes);
}

/* Writes it to a block that is new, at alignment 16: what is written below it does not matter.
 * `short_one`: it has no more than sixteen bytes. */
TH_TRACK_BLIND_PART void th_canary_begin(th_heap *heap, const th_header *block, uint32_t header,
                                         bool short_one) {
    uint32_t at = th_canary_end_dword(block, header);
    size_t bytes = (size_t)block->size * TH_DWORD_BYTES - block->requested;
    th_canary_ends_write(heap->check_seed, at, th_at(heap, at), short_one ? TH_CANARY_END : bytes);
}

/* The first byte of a canary that is not what it should be (there is one), as a byte offset from
 * the start of the region; and what was found there. For blind functions: raises nothing. */
size_t th_search_canary(const th_heap *heap, const th_header *block, uint32_t *found);

/* The same of any canary; TH_FAULT_NOWHERE: it holds. */
TH_TRACK_BLIND_PART size_t th_peek_canary(const th_heap *heap, const th_header *block,
                                          uint32_t *found) {
    return th_canary_holds(heap, block, th_header_dwords(heap), false)
               ? TH_FAULT_NOWHERE
               : th_search_canary(heap, block, found);
}

/* Of the dwords [from, to), the first that is not poison, likewise. */
TH_TRACK_BLIND_PART size_t th_peek_poison_range(const th_heap *heap, uint32_t from, uint32_t to,
                                                uint32_t *found) {
    const th_word *base = (const void *)heap->base;
    if (from >= to || th_poison_holds(base + from, to - from)) {
        return TH_FAULT_NOWHERE;
    }
    while (base[from] == TH_POISON_DWORD) {
        from++;
    }
    *found = base[from];
    return (size_t)from * TH_DWORD_BYTES;
}

/* Of the free dwords [from, to), those that have ever been used. */
TH_TRACK_BLIND_PART size_t th_peek_poison(const th_heap *heap, uint32_t from, uint32_t to,
                                          uint32_t *found) {
    uint32_t low_end = to < heap->low_used ? to : heap->low_used;
    size_t bad = th_peek_poison_range(heap, from, low_end, found);
    if (bad == TH_FAULT_NOWHERE && to > heap->high_used) {
        uint32_t high = heap->high_used > heap->low_used ? heap->high_used : heap->low_used;
        bad = th_peek_poison_range(heap, from > high ? from : high, to, found);
    }
    return bad;
}

/* A block has become live: opens its payload and writes the canary. */
void th_guard_open(th_heap *heap, const th_header *block);

/* The requested size of a live block has changed from `old_requested`. */
void th_guard_reopen(th_heap *heap, const th_header *block, size_t old_requested);

/* The dwords [from, to) have become the inside of a free block: poisons and closes them. */
void th_guard_wipe(th_heap *heap, uint32_t from, uint32_t to);

/* A block's contents have been moved down to their new place: closes everything after them up to
 * dword `to`, writing the canary of the block and the poison of what is vacated. */
void th_guard_close_move(th_heap *heap, const th_header *moved, uint32_t to);

/* Level 3: the full validator, for a control structure that is known to be sound. False after a
 * fault with what it finds. */
bool th_guard_sound(const th_heap *heap);

/* For checkers: false, and a fault that lies nowhere in the region, unless the two agree. */
TH_TRACK_BLIND_PART bool th_agrees(th_fault *fault, th_fault_kind kind, uint32_t expected,
                                   uint32_t found) {
    if (expected == found) {
        return true;
    }
    *fault = (th_fault){.kind = kind,
                        .block = TH_FAULT_NOWHERE,
                        .offset = TH_FAULT_NOWHERE,
                        .expected = expected,
                        .found = found};
    return false;
}

/* All that the checker looks at in the region, and the counters. False: *fault says what is wrong.
 */
bool th_check_blocks(const th_heap *heap, th_fault *fault);

/* th_heap_check with the lock held, on a heap that was not ended. */
th_status th_check(const th_heap *heap, th_fault *fault);

/* th_check_blocks of the blocks alone, and the counters are set to what they should be: high-water
 * mark and the ranges of memory ever used grow if need be. The index is not looked at. */
bool th_check_recount(th_heap *heap, th_fault *fault);

/* ---- the control structure ----------------------------------------------------------------
 *
 * At level 3 the fields of the th_heap have two check words: one for those that every look into
 * the region depends on, one for those that only count. They are written when a change is
 * complete, before anything that could end the call, and verified when a call begins. */

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
 * two do not make up for each other. */
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
    uint64_t layout = th_mix_in(heap->check_seed, (uintptr_t)heap->base);
    layout = th_mix_in(layout, th_word_pair(heap->dwords, heap->last));
    layout = th_mix_in(layout, th_word_pair(heap->low_used, heap->high_used));
    layout = th_mix_in(layout, th_word_pair(flags[0], flags[1]));
    layout = th_mix_in(layout, (uintptr_t)heap->index.large);
    layout = th_mix_in(layout, th_word_pair(heap->index.small_top, heap->index.large_leaf));
    layout = th_mix_in(layout, th_word_pair(heap->tag_free, heap->size_max));
    for (unsigned i = 0; i < TH_HEAP_INDEX_LEVELS; i++) {
        layout = th_mix_in(layout, (uintptr_t)heap->index.small[i]);
    }
    uint64_t counts = th_mix_in(heap->compact_cursor, heap->live_sum);
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
