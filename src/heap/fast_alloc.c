/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "heap/alloc.h"
#include "heap/fast_shape.h"
#include "heap/guard.h"

#if TH_FAST

/* The index is brought up to date last, and what takes long there is left to functions that are
 * given the call's result to return: nothing has to be kept across a call. */

static TH_NOINLINE void *shrink(th_heap *heap, void *payload, uint32_t offset, uint32_t size,
                                uint32_t rest, uint32_t rest_size) {
    th_index_erase(heap, offset, size);
    if (rest_size != 0) {
        th_index_insert(heap, rest, rest_size);
    }
    return payload;
}

/* A free block, and what is to be carved from it. */
typedef struct carving {
    uint32_t offset, size;
    uint32_t need;
} carving;

/* 0 if that is more than there can be. */
TH_CHAIN_INLINE size_t units_of(size_t bytes, th_shape s) {
    size_t unit_bytes = (size_t)TH_DWORD_BYTES << s.log2;
    return (bytes + unit_bytes - 1) >> (s.log2 + 2);
}

/* Where in the index a block of that size goes. */
typedef enum finding { FOUND, NOT_INDEXED, DAMAGED } finding;

TH_TRACK_BLIND_PART finding find_slot(const th_heap *heap, uint32_t units, bool tail,
                                      uint32_t *slot) {
    uint8_t least = (uint8_t)(units << TH_INDEX_SLOT_LOG2);
    uint32_t top = heap->index.small_top;
    uint32_t mask = th_index_mask(heap, top, 0, least);
    if (mask == 0) {
        return NOT_INDEXED;
    }
    return th_index_descend(heap, tail, top, 0, mask, least, slot) ? FOUND : DAMAGED;
}

/* The counters of a block that has been made. */
TH_CHAIN_INLINE void count_made(th_heap *heap, uint32_t dwords, bool tail) {
    th_count_live_in(heap, tail, dwords);
    th_note_high_water(heap);
}

/* A block was made of the free block between the sides, of which `middle` is left. Only there is
 * memory used that never was: above any other free block of its side lies a block of that side. */
TH_CHAIN_INLINE void *made_in_middle(th_heap *heap, void *payload, uint32_t offset, uint32_t dwords,
                                     bool tail, uint32_t middle) {
    heap->middle = middle;
    if (tail) {
        heap->first_tail = offset;
        heap->high_used = offset < heap->high_used ? offset : heap->high_used;
    } else {
        uint32_t end = offset + dwords;
        heap->low_used = end > heap->low_used ? end : heap->low_used;
    }
    return payload;
}

/* Opens the payload of a block that has been made, of which, if it was `carved`, less than a unit
 * is canary. */
TH_TRACK_BLIND_PART void *open_made(th_heap *heap, const th_header *block, bool carved,
                                    th_shape s) {
#if TH_TRACK_ANY
    (void)carved;
    th_guard_open(heap, block);
#else
    if (s.guard > 0 && s.log2 == 2) {
        th_canary_begin(heap, block, s.header, carved);
    } else if (s.guard > 0) {
        th_canary_put(heap, block, s.header);
    }
#endif
    return th_at(heap, block->offset + s.header);
}

/* Is a block carved from the place, rather than given the whole of it? */
TH_CHAIN_INLINE bool is_carved(const carving *c, th_shape s) {
    return c->size - c->need >= s.header + TH_LAYOUT_SPLIT_PAYLOAD;
}

#if TH_GUARD > 0
/* With poison: is it there where the block will lie, and the header of what remains? */
TH_TRACK_BLIND_PART bool verify_poison(const th_heap *heap, const carving *c, bool carved,
                                       bool tail, th_shape s) {
    uint32_t from = c->offset + s.header;
    uint32_t end = from + c->size;
    uint32_t found;
    if (carved) {
        from = tail ? end - c->need - s.header : from;
        end = from + c->need + s.header;
    }
    return th_peek_poison(heap, from, end, &found) == TH_FAULT_NOWHERE;
}
#endif

/*   [ ------- free ------- ] => HEAD: [ block ][ rest ]   TAIL: [ rest ][ block ] */
TH_TRACK_BLIND_PART void *carve_as(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                   carving c, bool tail, th_shape s) {
    th_header free = th_header_peek_as(heap, c.offset, s.layout, 0, s.header);
    uint32_t above = c.offset + s.header + c.size;
    uint32_t room = c.size - c.need;
    th_header block = {.offset = tail ? c.offset + room : c.offset,
                       .tag = tag,
                       .size = c.need,
                       .requested = bytes,
                       .site = site,
                       .align_log2 = free.align_log2};
    th_header rest = {.offset = tail ? c.offset : c.offset + s.header + c.need,
                      .tag = th_fast_tag_free(heap, s.layout),
                      .size = room - s.header,
                      .align_log2 = free.align_log2};
    th_chain_link_two_as(heap, free.prev, tail ? &rest : &block, tail ? &block : &rest, above,
                         s.layout, s.guard, s.header, TH_FAST_PADDED);
    count_made(heap, s.header + c.need, tail);
    void *payload = open_made(heap, &block, true, s);
    if (c.offset == heap->middle) {
        return made_in_middle(heap, payload, block.offset, s.header + c.need, tail, rest.offset);
    }
    uint32_t slot = th_fast_slot(c.offset, s);
    uint32_t rest_slot = th_fast_slot(rest.offset, s);
    uint8_t *leaves = heap->index.small[0];
    uint8_t old = leaves[slot];
    if (old >= TH_FAST_LEAF_LARGE || !th_fast_siblings(slot, rest_slot)) {
        return shrink(heap, payload, c.offset, c.size, rest.offset, rest.size);
    }
    leaves[slot] = 0;
    leaves[rest_slot] = th_fast_leaf(rest.offset, rest.size, s);
    th_index_lower_inline(heap, slot, old);
    return payload;
}

/*   [ free ] => [ block ], links and all. What is to be done in the index is left to the caller. */
TH_TRACK_BLIND_PART void *take_as(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                  carving c, bool tail, th_shape s) {
    th_header block = th_header_peek_as(heap, c.offset, s.layout, 0, s.header);
    block.tag = tag;
    block.requested = bytes;
    block.site = site;
    th_header_poke_as(heap, &block, s.layout, s.guard, s.header, TH_FAST_PADDED);
    heap->free_blocks--;
    heap->high_free_blocks -= tail && c.offset != heap->middle;
    count_made(heap, s.header + c.size, tail);
    return open_made(heap, &block, false, s);
}

/* A free block that is not in the index, or large there, whole. */
TH_TRACK_BLIND_PART void *take_other_as(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                        carving c, bool tail, th_shape s) {
    bool middle = c.offset == heap->middle;
    void *payload = take_as(heap, bytes, tag, site, c, tail, s);
    return middle
               ? made_in_middle(heap, payload, c.offset, s.header + c.size, tail, TH_INDEX_NOWHERE)
               : shrink(heap, payload, c.offset, c.size, 0, 0);
}

#if TH_GUARD > 0
/* A small one that is in the index, whole. */
TH_TRACK_BLIND_PART void *take_indexed_as(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                          carving c, bool tail, th_shape s) {
    void *payload = take_as(heap, bytes, tag, site, c, tail, s);
    uint32_t slot = th_fast_slot(c.offset, s);
    uint8_t leaf = heap->index.small[0][slot];
    heap->index.small[0][slot] = 0;
    th_index_lower_inline(heap, slot, leaf);
    return payload;
}
#endif

/* All that a function is given stays in registers: the rest it can say itself. */
typedef void *place_fn(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site, uint32_t offset,
                       uint32_t size);

TH_CHAIN_INLINE carving carving_of(size_t bytes, uint32_t offset, uint32_t size, th_shape s) {
    return (carving){offset, size, (uint32_t)units_of(bytes, s) << s.log2};
}

#if TH_GUARD > 0
/* At level 2: and what lies around it? In a function of its own, which ends in the next one: what
 * it has looked at need not be kept for that. */
TH_TRACK_BLIND_PART void *verify_around_as(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                           uint32_t offset, uint32_t size, bool tail, th_shape s,
                                           place_fn *next) {
    th_header free = th_header_peek_as(heap, offset, s.layout, 0, s.header);
    carving c = carving_of(bytes, offset, size, s);
    th_header above, below;
    if (!th_fast_read_above(heap, &free, offset + s.header + size, s, &above) ||
        !th_fast_read_below(heap, &free, s, &below) ||
        !verify_poison(heap, &c, is_carved(&c, s), tail, s)) {
        return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, site);
    }
    return next(heap, bytes, tag, site, offset, size);
}

/* Is a free block there? It ends in one of the two: `around` at level 2, else `made`. */
TH_TRACK_BLIND_PART void *verify_free_as(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                         uint32_t offset, uint32_t size, th_shape s,
                                         place_fn *around, place_fn *made) {
    if (!th_fast_is_free(heap, offset, size, s)) {
        return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, site);
    }
    return th_fast_is_level_2(s) ? around(heap, bytes, tag, site, offset, size)
                                 : made(heap, bytes, tag, site, offset, size);
}
#endif

/* The functions that an allocation may end in: from a free block something is carved, it is taken
 * whole and is a small one of the index, or another one. */
typedef struct alloc_ends {
    place_fn *carve, *take, *take_other;
} alloc_ends;

/* There is room at c.offset, in a free block that is large, or lies between the sides. */
TH_CHAIN_INLINE void *place(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site, carving c,
                            th_shape s, alloc_ends ends) {
    return is_carved(&c, s) ? ends.carve(heap, bytes, tag, site, c.offset, c.size)
                            : ends.take_other(heap, bytes, tag, site, c.offset, c.size);
}

TH_CHAIN_INLINE void *alloc_middle(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                   size_t units, th_shape s, alloc_ends ends) {
    carving c = {.offset = heap->middle,
                 .size = heap->first_tail - heap->middle - s.header,
                 .need = (uint32_t)units << s.log2};
    return c.offset != TH_INDEX_NOWHERE && c.size >= c.need
               ? place(heap, bytes, tag, site, c, s, ends)
               : th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, site);
}

/* Most blocks are taken whole. */
TH_TRACK_BLIND_PART void *alloc_as(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site,
                                   bool tail, th_shape s, alloc_ends ends) {
    size_t units = units_of(bytes, s);
    uint32_t slot;
    finding result =
        units - 1 < TH_INDEX_LARGE - 1 ? find_slot(heap, (uint32_t)units, tail, &slot) : DAMAGED;
    if (result == NOT_INDEXED) {
        return alloc_middle(heap, bytes, tag, site, units, s, ends);
    }
    if (result == DAMAGED) {
        return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, site);
    }
    uint8_t leaf = heap->index.small[0][slot];
    carving c = {.offset = (slot << (TH_INDEX_SLOT_LOG2 + s.log2)) +
                           ((leaf & (TH_INDEX_SLOT - 1)) << s.log2),
                 .size = (uint32_t)(leaf & ~(TH_INDEX_SLOT - 1)) << s.log2 >> TH_INDEX_SLOT_LOG2,
                 .need = (uint32_t)units << s.log2};
    if (tail != (c.offset > heap->first_tail)) {
        return alloc_middle(heap, bytes, tag, site, units, s, ends);
    }
    if (leaf >= TH_FAST_LEAF_LARGE) {
        c.size = th_header_peek_as(heap, c.offset, s.layout, s.guard, s.header).size;
        return place(heap, bytes, tag, site, c, s, ends);
    }
    if (is_carved(&c, s)) {
        return ends.carve(heap, bytes, tag, site, c.offset, c.size);
    }
    if (s.guard > 0) {
        return ends.take(heap, bytes, tag, site, c.offset, c.size);
    }
    void *payload = take_as(heap, bytes, tag, site, c, tail, s);
    heap->index.small[0][slot] = 0;
    th_index_lower_inline(heap, slot, leaf);
    return payload;
}

/* A function of what is left to say: heap, bytes, tag, site, offset and size. */
#define PLACE_FOR(name)                                                                            \
    static TH_TRACK_BLIND TH_NOINLINE void *name(th_heap *heap, size_t bytes, uint32_t tag,        \
                                                 uint32_t site, uint32_t offset, uint32_t size)
#define CARVING(shape_here) carving_of(bytes, offset, size, shape_here)

/* An instance for HEAD or TAIL; what is not always needed is a function of its own. */
#define ALLOC_FOR(name, is_tail, shape_here)                                                       \
    PLACE_FOR(name##_carve) {                                                                      \
        return carve_as(heap, bytes, tag, site, CARVING(shape_here), is_tail, shape_here);         \
    }                                                                                              \
    PLACE_FOR(name##_other) {                                                                      \
        return take_other_as(heap, bytes, tag, site, CARVING(shape_here), is_tail, shape_here);    \
    }                                                                                              \
    ALLOC_WITH(name, is_tail, shape_here, NULL)

#define ALLOC_WITH(name, is_tail, shape_here, take)                                                \
    static TH_TRACK_BLIND TH_NOINLINE void *name(th_heap *heap, size_t bytes, uint32_t tag,        \
                                                 uint32_t site) {                                  \
        return alloc_as(heap, bytes, tag, site, is_tail, shape_here,                               \
                        (alloc_ends){name##_carve, take, name##_other});                           \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")

/* With guards: a function that verifies the place, and makes the block by `make`. Where it is known
 * that it is level 1, nothing around the place is looked at. */
#define MADE_FOR(name, is_tail, shape_here, make)                                                  \
    PLACE_FOR(name##_made) {                                                                       \
        return make(heap, bytes, tag, site, CARVING(shape_here), is_tail, shape_here);             \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")

#define VERIFY_WITH(name, shape_here, around)                                                      \
    PLACE_FOR(name) {                                                                              \
        return verify_free_as(heap, bytes, tag, site, offset, size, shape_here, around,            \
                              name##_made);                                                        \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")

#define VERIFY_LEVEL_1_FOR(name, is_tail, shape_here, make)                                        \
    MADE_FOR(name, is_tail, shape_here, make);                                                     \
    VERIFY_WITH(name, shape_here, NULL)

#define VERIFY_FOR(name, is_tail, shape_here, make)                                                \
    MADE_FOR(name, is_tail, shape_here, make);                                                     \
    PLACE_FOR(name##_around) {                                                                     \
        return verify_around_as(heap, bytes, tag, site, offset, size, is_tail, shape_here,         \
                                name##_made);                                                      \
    }                                                                                              \
    VERIFY_WITH(name, shape_here, name##_around)

#define GUARDED_ALLOC_WITH(verify, name, is_tail, shape_here)                                      \
    verify(name##_carve, is_tail, shape_here, carve_as);                                           \
    verify(name##_take, is_tail, shape_here, take_indexed_as);                                     \
    verify(name##_other, is_tail, shape_here, take_other_as);                                      \
    ALLOC_WITH(name, is_tail, shape_here, name##_take)
#define LEVEL_1_ALLOC_FOR(name, is_tail, shape_here)                                               \
    GUARDED_ALLOC_WITH(VERIFY_LEVEL_1_FOR, name, is_tail, shape_here)
#define GUARDED_ALLOC_FOR(name, is_tail, shape_here)                                               \
    GUARDED_ALLOC_WITH(VERIFY_FOR, name, is_tail, shape_here)

ALLOC_FOR(head_classic_16, false, TH_CLASSIC_16);
ALLOC_FOR(tail_classic_16, true, TH_CLASSIC_16);
ALLOC_FOR(head_wide_16, false, TH_WIDE_16);
ALLOC_FOR(tail_wide_16, true, TH_WIDE_16);
ALLOC_FOR(head_classic, false, th_shape_of(heap, TH_HEAP_LAYOUT_CLASSIC, 0));
ALLOC_FOR(tail_classic, true, th_shape_of(heap, TH_HEAP_LAYOUT_CLASSIC, 0));
ALLOC_FOR(head_wide, false, th_shape_of(heap, TH_HEAP_LAYOUT_WIDE, 0));
ALLOC_FOR(tail_wide, true, th_shape_of(heap, TH_HEAP_LAYOUT_WIDE, 0));
ALLOC_FOR(head_lean, false, th_shape_of(heap, TH_HEAP_LAYOUT_LEAN, 0));
ALLOC_FOR(tail_lean, true, th_shape_of(heap, TH_HEAP_LAYOUT_LEAN, 0));
#if TH_GUARD > 0
LEVEL_1_ALLOC_FOR(head_classic_16_level_1, false, TH_CLASSIC_16_LEVEL_1);
LEVEL_1_ALLOC_FOR(tail_classic_16_level_1, true, TH_CLASSIC_16_LEVEL_1);
GUARDED_ALLOC_FOR(head_classic_16_level_2, false, TH_CLASSIC_16_LEVEL_2);
GUARDED_ALLOC_FOR(tail_classic_16_level_2, true, TH_CLASSIC_16_LEVEL_2);
GUARDED_ALLOC_FOR(head_classic_guarded, false,
                  th_shape_of(heap, TH_HEAP_LAYOUT_CLASSIC, th_guard(heap)));
GUARDED_ALLOC_FOR(tail_classic_guarded, true,
                  th_shape_of(heap, TH_HEAP_LAYOUT_CLASSIC, th_guard(heap)));
GUARDED_ALLOC_FOR(head_wide_guarded, false, th_shape_of(heap, TH_HEAP_LAYOUT_WIDE, th_guard(heap)));
GUARDED_ALLOC_FOR(tail_wide_guarded, true, th_shape_of(heap, TH_HEAP_LAYOUT_WIDE, th_guard(heap)));
#endif

/* Those that are not for alignment 16; and level 2, where more is done. */
static TH_NOINLINE void *allocate_other(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site) {
    uint32_t tag_free = th_tag_free(heap);
    bool tail = tag > tag_free / 2;
    if (tag < tag_free) {
        switch (heap->fast) {
        case TH_FAST_CLASSIC:
            return tail ? tail_classic(heap, bytes, tag, site)
                        : head_classic(heap, bytes, tag, site);
        case TH_FAST_WIDE:
            return tail ? tail_wide(heap, bytes, tag, site) : head_wide(heap, bytes, tag, site);
        case TH_FAST_LEAN:
            return tail ? tail_lean(heap, bytes, tag, site) : head_lean(heap, bytes, tag, site);
        case TH_FAST_WIDE_16:
            return tail ? tail_wide_16(heap, bytes, tag, site)
                        : head_wide_16(heap, bytes, tag, site);
#if TH_GUARD > 0
        case TH_FAST_CLASSIC_16_LEVEL_2:
            return tail ? tail_classic_16_level_2(heap, bytes, tag, site)
                        : head_classic_16_level_2(heap, bytes, tag, site);
        case TH_FAST_CLASSIC_GUARDED:
            return tail ? tail_classic_guarded(heap, bytes, tag, site)
                        : head_classic_guarded(heap, bytes, tag, site);
        case TH_FAST_WIDE_GUARDED:
            return tail ? tail_wide_guarded(heap, bytes, tag, site)
                        : head_wide_guarded(heap, bytes, tag, site);
#endif
        }
    }
    return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, site);
}

/* Aligned as every payload is. The instances know what size is too much, or nothing. */
TH_CHAIN_INLINE void *allocate(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site) {
    if (heap->fast == TH_FAST_CLASSIC_16) {
        if (tag <= TH_TAG_HEAD_MAX) {
            return head_classic_16(heap, bytes, tag, site);
        }
        if (tag <= TH_TAG_TAIL_MAX) {
            return tail_classic_16(heap, bytes, tag, site);
        }
    }
#if TH_GUARD > 0
    if (heap->fast == TH_FAST_CLASSIC_16_LEVEL_1) {
        if (tag <= TH_TAG_HEAD_MAX) {
            return head_classic_16_level_1(heap, bytes, tag, site);
        }
        if (tag <= TH_TAG_TAIL_MAX) {
            return tail_classic_16_level_1(heap, bytes, tag, site);
        }
    }
#endif
    return allocate_other(heap, bytes, tag, site);
}

void *th_heap_alloc(th_heap *heap, size_t bytes, uint32_t tag) {
    return allocate(heap, bytes, tag, 0);
}

void *th_heap_alloc_at(th_heap *heap, size_t bytes, size_t alignment, uint32_t tag, uint32_t site) {
    bool usual = alignment <= (size_t)th_unit(heap) * TH_DWORD_BYTES;
    return usual && th_is_power_of_two(alignment)
               ? allocate(heap, bytes, tag, site)
               : th_alloc_checked(heap, alignment, bytes, tag, site);
}

#else

void *th_heap_alloc(th_heap *heap, size_t bytes, uint32_t tag) {
    return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, 0);
}

void *th_heap_alloc_at(th_heap *heap, size_t bytes, size_t alignment, uint32_t tag, uint32_t site) {
    return th_alloc_checked(heap, alignment, bytes, tag, site);
}

#endif

/* ---- whichever path it takes --------------------------------------------------------------- */

/* Other threads may free the block by its tag, or freeze the heap, as soon as the lock is let go:
 * with one, nothing is written after that. */
void *th_heap_alloc_zeroed(th_heap *heap, size_t bytes, size_t alignment, uint32_t tag,
                           uint32_t site) {
    if (heap->config.lock.acquire != NULL) {
        return th_alloc_checked_zeroed(heap, alignment, bytes, tag, site);
    }
    void *payload = th_heap_alloc_at(heap, bytes, alignment, tag, site);
    return payload != NULL ? memset(payload, 0, bytes) : NULL;
}

void *th_heap_alloc_aligned(th_heap *heap, size_t bytes, size_t alignment, uint32_t tag) {
    return th_heap_alloc_at(heap, bytes, alignment, tag, 0);
}
