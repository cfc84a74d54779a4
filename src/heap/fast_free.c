/* SPDX-License-Identifier: MIT */
#include "heap/alloc.h"
#include "heap/fast_shape.h"
#include "heap/guard.h"

#if TH_FAST

/* A free block of that size is where, below and above, blocks of those sizes were free before (0:
 * none).
 */
static TH_NOINLINE size_t merge(th_heap *heap, size_t freed, uint32_t offset, uint32_t size,
                                uint32_t below_size, uint32_t above_size) {
    uint32_t next = offset + th_header_dwords(heap) + size;
    uint32_t above = next - th_header_dwords(heap) - above_size;
    if (below_size != 0 && offset != heap->middle) {
        th_index_erase(heap, offset, below_size);
    }
    if (above_size != 0 && above != heap->middle) {
        th_index_erase(heap, above, above_size);
    }
    if (next == heap->first_tail) {
        heap->middle = offset;
    } else {
        th_index_insert(heap, offset, size);
    }
    return freed;
}

/* The counters of a block that has been freed, `freed` being how many free ones there are more.
 * False: it was the first TAIL block, the TAIL side begins at `next` now, and what is free is not
 * above it. */
TH_CHAIN_INLINE bool count_freed(th_heap *heap, uint32_t offset, uint32_t dwords, bool tail,
                                 uint32_t next, uint32_t freed) {
    heap->free_blocks += freed;
    th_count_live_out(heap, tail, dwords);
    if (!tail) {
        return true;
    }
    if (offset == heap->first_tail) {
        heap->first_tail = next;
        return false;
    }
    heap->high_free_blocks += freed;
    return true;
}

/* A free block, of a size that the small tree knows, is where none was, or has become larger. */
TH_CHAIN_INLINE size_t insert(th_heap *heap, size_t freed, uint32_t offset, uint32_t size,
                              th_shape s) {
    uint32_t slot = th_fast_slot(offset, s);
    uint8_t leaf = th_fast_leaf(offset, size, s);
    heap->index.small[0][slot] = leaf;
    th_index_raise_inline(heap, slot, leaf);
    return freed;
}

TH_CHAIN_INLINE void *payload_of(const th_heap *heap, uint32_t offset, th_shape s) {
    return th_at(heap, offset + s.header);
}

/* With guards: is the block above, or below, a sound free one, and are the links right? */
TH_TRACK_BLIND_PART bool is_free_above(const th_heap *heap, const th_header *block,
                                       const th_header *above, th_shape s) {
    return block->next == above->offset && above->prev == block->offset &&
           th_fast_is_free(heap, above->offset, above->size, s);
}

TH_TRACK_BLIND_PART bool is_free_below(const th_heap *heap, const th_header *block,
                                       const th_header *below, th_shape s) {
    return below->offset + s.header + below->size == block->offset &&
           below->next == block->offset && th_fast_is_free(heap, below->offset, below->size, s);
}

/* At level 2: are those sound that are not merged, and the one above it? */
TH_TRACK_BLIND_PART bool is_sound_around(const th_heap *heap, const th_header *block,
                                         bool with_below, bool with_above, th_shape s) {
    uint32_t end = block->offset + s.header + block->size;
    th_header above, below, beyond;
    if (!with_below && !th_fast_read_below(heap, block, s, &below)) {
        return false;
    }
    if (!with_above) {
        return th_fast_read_above(heap, block, end, s, &above);
    }
    above = th_header_peek_as(heap, end, s.layout, 0, s.header);
    return th_fast_read_above(heap, &above, end + s.header + above.size, s, &beyond);
}

/* Has what became free by a merge its padding? Of the block that was freed all was wiped. */
TH_CHAIN_INLINE bool is_padded(bool with_below, th_shape s) {
#if TH_TRACK_ANY
    (void)with_below;
    (void)s;
    return false;
#else
    return with_below || !th_fast_wipes(s);
#endif
}

/* [ below ][ block ][ above ] => [ ---------- free ---------- ], free neighbours, of which there is
 * one at least, taken in: `with_below`, `with_above`. */
TH_TRACK_BLIND_PART size_t join_as(th_heap *heap, uint32_t offset, bool with_below, bool with_above,
                                   th_shape s) {
    uint32_t tag_free = th_fast_tag_free(heap, s.layout);
    th_header block = th_header_peek_as(heap, offset, s.layout, 0, s.header);
    uint32_t end = offset + s.header + block.size;
    th_header above = th_header_peek_as(heap, end, s.layout, 0, s.header);
    th_header below = th_header_peek_as(heap, block.prev, s.layout, 0, s.header);
    if (s.guard > 0 &&
        ((with_above && !is_free_above(heap, &block, &above, s)) ||
         (with_below && !is_free_below(heap, &block, &below, s)) ||
         (th_fast_is_level_2(s) && !is_sound_around(heap, &block, with_below, with_above, s)))) {
        return th_free_checked(heap, payload_of(heap, offset, s));
    }
    th_header merged = {
        .offset = offset, .tag = tag_free, .size = block.size, .align_log2 = s.log2 + 2};
    uint32_t prev = block.prev;
    uint32_t above_size = 0, below_size = 0;
    if (with_above) {
        above_size = above.size;
        merged.size += s.header + above_size;
    }
    uint32_t next = offset + s.header + merged.size;
    if (with_below) {
        below_size = below.size;
        merged.offset = prev;
        merged.size += s.header + below_size;
        prev = below.prev;
    }
    uint32_t more = 1u - with_below - with_above; /* free blocks */
    if (with_above) {
        th_header_spoil_as(heap, end, s.guard);
    }
    if (with_below) {
        th_header_spoil_as(heap, offset, s.guard);
    }
    if (th_fast_wipes(s)) {
        th_guard_wipe(heap, offset, end + (with_above ? s.header : 0));
    }
    th_chain_link_one_as(heap, prev, &merged, next, s.layout, s.guard, s.header,
                         is_padded(with_below, s));
    size_t freed = (size_t)(merged.size - above_size - below_size) * TH_DWORD_BYTES;
    if (!count_freed(heap, offset, s.header + block.size, block.tag > tag_free / 2, next, more)) {
        heap->high_free_blocks -= with_above;
    }
    if (next == heap->first_tail || merged.size >> s.log2 >= TH_INDEX_LARGE) {
        return merge(heap, freed, merged.offset, merged.size, below_size, above_size);
    }
    if (with_above) {
        uint32_t above_slot = th_fast_slot(end, s);
        if (!th_fast_siblings(th_fast_slot(merged.offset, s), above_slot)) {
            return merge(heap, freed, merged.offset, merged.size, below_size, above_size);
        }
        heap->index.small[0][above_slot] = 0;
    }
    return insert(heap, freed, merged.offset, merged.size, s);
}

/*   [ block ] => [ free ], links and all. At level 2 its poison has been written. */
TH_TRACK_BLIND_PART size_t leave_as(th_heap *heap, const th_header *block, uint32_t end,
                                    th_shape s) {
    uint32_t tag_free = th_fast_tag_free(heap, s.layout);
    th_header free = *block;
    free.tag = tag_free;
    free.requested = 0;
    free.site = 0;
    free.align_log2 = s.log2 + 2;
#if TH_TRACK_ANY
    th_guard_wipe(heap, block->offset, end); /* the header too: of eight bytes, ASan opened all */
#endif
    th_header_poke_as(heap, &free, s.layout, s.guard, s.header, TH_FAST_PADDED);
    size_t freed = (size_t)block->size * TH_DWORD_BYTES;
    (void)count_freed(heap, block->offset, s.header + block->size, block->tag > tag_free / 2, end,
                      1);
    if (end == heap->first_tail) {
        heap->middle = block->offset;
        return freed;
    }
    return block->size >> s.log2 < TH_INDEX_LARGE
               ? insert(heap, freed, block->offset, block->size, s)
               : merge(heap, freed, block->offset, block->size, 0, 0);
}

/* What a function does that is given where the header of a payload is. */
typedef size_t free_fn(th_heap *heap, uint32_t offset);

/* The same, given also what is known of it. */
typedef size_t leave_fn(th_heap *heap, uint32_t offset, uint32_t prev, uint32_t tag, uint32_t size);

/* The functions that a free may end in. */
typedef struct free_ends {
    leave_fn *leave;
    free_fn *join_below, *join_above, *join_both;
} free_ends;

/* A live block becomes free. Above it may lie LAST, free and of no size, which is not merged; below
 * FIRST lies, so to speak, FIRST, which is live. */
TH_TRACK_BLIND_PART size_t free_as(th_heap *heap, const th_header *block, th_shape s,
                                   free_ends ends) {
    uint32_t tag_free = th_fast_tag_free(heap, s.layout);
    uint32_t offset = block->offset;
    uint32_t end = offset + s.header + block->size;
    th_header above = th_header_peek_as(heap, end, s.layout, 0, s.header);
    th_header below = th_header_peek_as(heap, block->prev, s.layout, 0, s.header);
    if (above.tag == tag_free && above.size != 0) {
        return below.tag == tag_free ? ends.join_both(heap, offset) : ends.join_above(heap, offset);
    }
    if (below.tag == tag_free) {
        return ends.join_below(heap, offset);
    }
    return s.guard > 0 ? ends.leave(heap, offset, block->prev, block->tag, block->size)
                       : leave_as(heap, block, end, s);
}

/* The header of a payload at that distance, if there is one. */
TH_CHAIN_INLINE uint32_t header_at(uintptr_t distance, th_shape s) {
    return (uint32_t)(distance / TH_DWORD_BYTES) - s.header;
}

#if TH_GUARD > 0
/* May a payload lie at that distance, whose header, then, is at *offset, and below LAST's? */
TH_CHAIN_INLINE bool may_be_payload(const th_heap *heap, uintptr_t distance, th_shape s,
                                    uint32_t *offset) {
    uintptr_t mask = ((uintptr_t)TH_DWORD_BYTES << s.log2) - 1;
    uintptr_t dword = distance / TH_DWORD_BYTES - s.header;
    *offset = (uint32_t)dword;
    return dword < heap->last && (distance & mask) == 0;
}

/* With guards, in functions of their own, each of which ends in the next one, for what was looked
 * at need not be kept: is there a live block? Has nobody written after it? Most canaries have no
 * more than sixteen bytes; others are `slack`'s. */
TH_TRACK_BLIND_PART size_t verify_live_as(th_heap *heap, void *pointer, th_shape s, free_fn *next) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->base;
    uint32_t offset;
    th_header block;
    if (!may_be_payload(heap, distance, s, &offset) || !th_fast_read(heap, offset, s, &block) ||
        block.tag == th_fast_tag_free(heap, s.layout)) {
        return th_free_checked(heap, pointer);
    }
    return next(heap, offset);
}

TH_TRACK_BLIND_PART size_t free_live_as(th_heap *heap, uint32_t offset, th_shape s, free_fn *slack,
                                        free_ends ends) {
    th_header block = th_header_peek_as(heap, offset, s.layout, 0, s.header);
    size_t bytes = (size_t)block.size * TH_DWORD_BYTES - block.requested;
    if (bytes > TH_CANARY_END) {
        return slack(heap, offset);
    }
    return th_canary_end_is(heap, &block, s.header, bytes, s.log2 == 2)
               ? free_as(heap, &block, s, ends)
               : th_free_checked(heap, payload_of(heap, offset, s));
}

TH_TRACK_BLIND_PART size_t free_slack_as(th_heap *heap, uint32_t offset, th_shape s,
                                         free_ends ends) {
    th_header block = th_header_peek_as(heap, offset, s.layout, 0, s.header);
    return th_canary_holds(heap, &block, s.header, s.log2 == 2)
               ? free_as(heap, &block, s, ends)
               : th_free_checked(heap, payload_of(heap, offset, s));
}

/* A block that is not merged, in a function of its own: what was looked at until then need not be
 * kept. At level 2: is what lies around it sound? */
TH_TRACK_BLIND_PART size_t leave_guarded_as(th_heap *heap, uint32_t offset, uint32_t prev,
                                            uint32_t tag, uint32_t size, th_shape s) {
    th_header block = th_header_peek_as(heap, offset, s.layout, 0, s.header);
    uint32_t end = offset + s.header + size;
    block.prev = prev;
    block.tag = tag;
    block.size = size;
    if (th_fast_is_level_2(s)) {
        th_header above, below;
        if (!th_fast_read_above(heap, &block, end, s, &above) ||
            !th_fast_read_below(heap, &block, s, &below)) {
            return th_free_checked(heap, payload_of(heap, offset, s));
        }
        th_guard_wipe(heap, offset + s.header, end);
    }
    return leave_as(heap, &block, end, s);
}
#endif

#define FREE_FN(name) static TH_TRACK_BLIND TH_NOINLINE size_t name(th_heap *heap, uint32_t offset)

#define JOINS_FOR(name, shape_here)                                                                \
    FREE_FN(name##_join_below) {                                                                   \
        return join_as(heap, offset, true, false, shape_here);                                     \
    }                                                                                              \
    FREE_FN(name##_join_above) {                                                                   \
        return join_as(heap, offset, false, true, shape_here);                                     \
    }                                                                                              \
    FREE_FN(name##_join_both) {                                                                    \
        return join_as(heap, offset, true, true, shape_here);                                      \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")

#define ENDS(name, leave)                                                                          \
    (free_ends) {                                                                                  \
        leave, name##_join_below, name##_join_above, name##_join_both                              \
    }

#define FREE_FOR(name, shape_here)                                                                 \
    JOINS_FOR(name, shape_here);                                                                   \
    static TH_TRACK_BLIND TH_NOINLINE size_t name(th_heap *heap, void *pointer) {                  \
        uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->base;                           \
        th_header block = th_header_peek_as(heap, header_at(distance, shape_here),                 \
                                            (shape_here).layout, 0, (shape_here).header);          \
        return free_as(heap, &block, shape_here, ENDS(name, NULL));                                \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")

#define GUARDED_FREE_FOR(name, shape_here)                                                         \
    JOINS_FOR(name, shape_here);                                                                   \
    static TH_TRACK_BLIND TH_NOINLINE size_t name##_leave(                                         \
        th_heap *heap, uint32_t offset, uint32_t prev, uint32_t tag, uint32_t size) {              \
        return leave_guarded_as(heap, offset, prev, tag, size, shape_here);                        \
    }                                                                                              \
    FREE_FN(name##_slack) {                                                                        \
        return free_slack_as(heap, offset, shape_here, ENDS(name, name##_leave));                  \
    }                                                                                              \
    FREE_FN(name##_live) {                                                                         \
        return free_live_as(heap, offset, shape_here, name##_slack, ENDS(name, name##_leave));     \
    }                                                                                              \
    static TH_TRACK_BLIND TH_NOINLINE size_t name(th_heap *heap, void *pointer) {                  \
        return verify_live_as(heap, pointer, shape_here, name##_live);                             \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")

FREE_FOR(free_classic_16, TH_CLASSIC_16);
FREE_FOR(free_wide_16, TH_WIDE_16);
FREE_FOR(free_classic, th_shape_of(heap, TH_HEAP_LAYOUT_CLASSIC, 0));
FREE_FOR(free_wide, th_shape_of(heap, TH_HEAP_LAYOUT_WIDE, 0));
FREE_FOR(free_lean, th_shape_of(heap, TH_HEAP_LAYOUT_LEAN, 0));
#if TH_GUARD > 0
GUARDED_FREE_FOR(free_classic_16_level_1, TH_CLASSIC_16_LEVEL_1);
GUARDED_FREE_FOR(free_classic_16_level_2, TH_CLASSIC_16_LEVEL_2);
GUARDED_FREE_FOR(free_classic_guarded, th_shape_of(heap, TH_HEAP_LAYOUT_CLASSIC, th_guard(heap)));
GUARDED_FREE_FOR(free_wide_guarded, th_shape_of(heap, TH_HEAP_LAYOUT_WIDE, th_guard(heap)));
#endif

size_t th_heap_free(th_heap *heap, void *pointer) {
    if (pointer != NULL) {
        if (heap->fast == TH_FAST_CLASSIC_16) {
            return free_classic_16(heap, pointer);
        }
#if TH_GUARD > 0
        if (heap->fast == TH_FAST_CLASSIC_16_LEVEL_1) {
            return free_classic_16_level_1(heap, pointer);
        }
#endif
        switch (heap->fast) {
        case TH_FAST_WIDE_16:
            return free_wide_16(heap, pointer);
        case TH_FAST_CLASSIC:
            return free_classic(heap, pointer);
        case TH_FAST_WIDE:
            return free_wide(heap, pointer);
        case TH_FAST_LEAN:
            return free_lean(heap, pointer);
#if TH_GUARD > 0
        case TH_FAST_CLASSIC_16_LEVEL_2:
            return free_classic_16_level_2(heap, pointer);
        case TH_FAST_CLASSIC_GUARDED:
            return free_classic_guarded(heap, pointer);
        case TH_FAST_WIDE_GUARDED:
            return free_wide_guarded(heap, pointer);
#endif
        }
    }
    return th_free_checked(heap, pointer);
}

#else

size_t th_heap_free(th_heap *heap, void *pointer) {
    return th_free_checked(heap, pointer);
}

#endif
