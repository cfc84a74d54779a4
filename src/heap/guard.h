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

#define TH_POISON_DWORD (TH_POISON_BYTE * 0x01010101u)

/* Hands a fault to the heap's handler, or to th_fault_abort if it has none. */
void th_report(const th_heap *heap, const th_fault *fault);

/* The same for one that is put together here. `block` may be NULL. */
void th_raise(const th_heap *heap, th_fault_kind kind, const th_header *block, size_t offset,
              uint32_t expected, uint32_t found);

/* TH_FAULT_HEADER for a header that does not agree with its check word. */
void th_raise_header(const th_heap *heap, const th_header *block);

/* Finds the live block whose payload starts at `pointer`. With guards: false after a fault if
 * there is none, or its header or canary is damaged. */
bool th_claim(const th_heap *heap, const void *pointer, th_header *block);

/* Level >= 2: verifies the header and link of the block below, if there is one, or above (not of
 * LAST). False after a fault. For operations that do not load that neighbour anyway. */
bool th_guard_below(const th_heap *heap, const th_header *block);
bool th_guard_above(const th_heap *heap, const th_header *block);

/* Level >= 1: verifies the canary. False after a fault. */
bool th_guard_canary(const th_heap *heap, const th_header *block);

/* Level >= 2: verifies that the free dwords [from, to) still hold poison where they should.
 * False after a fault. `block` is the free block they belong to. */
bool th_guard_poison(const th_heap *heap, const th_header *block, uint32_t from, uint32_t to);

/* Of the dword that holds byte `i` of a payload: the mask of that byte and the bytes behind it. */
TH_TRACK_BLIND_PART uint32_t th_mask_from(size_t i) {
    uint32_t bits = 8 * (uint32_t)(i % TH_DWORD_BYTES);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return UINT32_MAX << bits;
#else
    return UINT32_MAX >> bits;
#endif
}

/* The same two for blind functions, without raising: the first bad place, as a byte offset from
 * the start of the region, or TH_FAULT_NOWHERE; and what was found there.
 *
 * Most canaries lie in two dwords, the one where the requested bytes end and the block's last one.
 * Both are looked at in any case, with masks, because how long a canary is cannot be predicted. */
TH_TRACK_BLIND_PART size_t th_peek_canary(const th_heap *heap, const th_header *block,
                                          uint32_t *found) {
    uint32_t seed = heap->check_seed;
    uint32_t at = block->offset + th_header_dwords(heap);
    size_t start = (size_t)at * TH_DWORD_BYTES;
    const unsigned char *payload = heap->base + start;
    const th_word *words = (const void *)payload;
    size_t i = block->requested;
    uint32_t last = block->size - 1;
    uint32_t first = (uint32_t)(i / TH_DWORD_BYTES);
    uint32_t none = 0u - (uint32_t)(first > last); /* all bits set: there is no canary */
    uint32_t partial = first <= last ? first : last;
    uint32_t difference =
        (words[partial] ^ th_canary_dword(seed, at + partial)) & th_mask_from(i) & ~none;
    difference |=
        (words[last] ^ th_canary_dword(seed, at + last)) & (0u - (uint32_t)(first < last));
    for (uint32_t k = first + 1; k < last; k++) {
        difference |= words[k] ^ th_canary_dword(seed, at + k);
    }
    if (difference == 0) {
        return TH_FAULT_NOWHERE;
    }
    while (payload[i] == th_canary_byte(seed, start + i)) {
        i++;
    }
    *found = payload[i];
    return start + i;
}

TH_TRACK_BLIND_PART size_t th_peek_poison_range(const th_heap *heap, uint32_t from, uint32_t to,
                                                uint32_t *found) {
    const th_word *base = (const void *)heap->base;
    uint32_t difference = 0;
    for (uint32_t i = from; i < to; i++) {
        difference |= base[i] ^ TH_POISON_DWORD;
    }
    if (difference == 0) {
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

/* A block's contents have been moved down to their new place: closes everything behind them up to
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

#define TH_MIX_A 0x9E3779B97F4A7C15u
#define TH_MIX_B 0xC2B2AE3D27D4EB4Fu
#define TH_MIX_C 0x165667B19E3779F9u
#define TH_MIX_D 0xD6E8FEB86659FD93u
#define TH_MIX_E 0xA0761D6478BD642Fu

/* Two fields as one word. */
TH_TRACK_BLIND_PART uint64_t th_word_pair(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}

/* As with headers: each word is multiplied by an odd constant, so that any change that is confined
 * to one changes the sum. The one-byte fields are taken as they lie in memory, for what was
 * overwritten need not be a bool. */
TH_TRACK_BLIND_PART th_seals th_seals_due(const th_heap *heap) {
    const th_word *flags = (const void *)&heap->unit_dwords;
    uint64_t layout =
        heap->check_seed + (uintptr_t)heap->base * TH_MIX_A +
        th_word_pair(heap->dwords, heap->last) * TH_MIX_B +
        th_word_pair(heap->low_used, heap->high_used) * TH_MIX_C +
        th_word_pair(flags[0], flags[1]) * TH_MIX_D + (uintptr_t)heap->index.starts * TH_MIX_A +
        (uintptr_t)heap->index.large * TH_MIX_B + (uintptr_t)heap->index.small * TH_MIX_C +
        (uintptr_t)heap->index.large_at * TH_MIX_D +
        th_word_pair(heap->index.small_leaf, heap->index.large_leaf) * TH_MIX_A +
        th_word_pair(heap->tag_free, heap->size_max) * TH_MIX_E;
    uint64_t counts =
        heap->compact_cursor + th_word_pair(heap->head_blocks, heap->tail_blocks) * TH_MIX_A +
        th_word_pair(heap->free_blocks, heap->head_dwords) * TH_MIX_B +
        th_word_pair(heap->tail_dwords, heap->high_water_dwords) * TH_MIX_C +
        heap->failed_allocs * TH_MIX_D + th_word_pair(heap->first_tail, heap->middle) * TH_MIX_A +
        th_word_pair(heap->low_free_blocks, heap->fast) * TH_MIX_B;
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
