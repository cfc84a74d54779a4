/* SPDX-License-Identifier: MIT */
#include "heap/fast.h"

#include "heap/alloc.h"
#include "heap/count.h"
#include "heap/guard.h"

#if TH_FAST

#define CLASSIC TH_HEAP_LAYOUT_CLASSIC
#define LEAN    TH_HEAP_LAYOUT_LEAN
#define WIDE    TH_HEAP_LAYOUT_WIDE

/* Values of heap->fast: a layout, and what else there are instances for, beside a mark: what others
 * write over the field is none of them, or as good as never, and is noticed where seals are. */
#define FAST_MARK               0x5B1E9A00u
#define FAST_16                 4u /* alignment 16 */
#define FAST_GUARDED            8u /* guard level 1 or 2 */
#define FAST_CLASSIC            (FAST_MARK + CLASSIC)
#define FAST_LEAN               (FAST_MARK + LEAN)
#define FAST_WIDE               (FAST_MARK + WIDE)
#define FAST_CLASSIC_16         (FAST_CLASSIC + FAST_16)
#define FAST_WIDE_16            (FAST_WIDE + FAST_16)
#define FAST_CLASSIC_GUARDED    (FAST_CLASSIC + FAST_GUARDED)
#define FAST_WIDE_GUARDED       (FAST_WIDE + FAST_GUARDED)
#define FAST_CLASSIC_16_GUARDED (FAST_CLASSIC_16 + FAST_GUARDED)

void th_fast_choose(th_heap *heap) {
    bool plain = heap->guard < 3 && heap->config.lock == NULL && !heap->busy;
    heap->fast = plain && th_indexed(heap) ? FAST_MARK + (uint32_t)th_layout(heap) : TH_FAST_NONE;
    if (heap->fast != TH_FAST_NONE) {
        bool guarded = heap->guard > 0;
        bool constant = th_unit(heap) == 4 &&
                        (heap->fast == FAST_CLASSIC || (heap->fast == FAST_WIDE && !guarded));
        heap->fast += (guarded ? FAST_GUARDED : 0) + (constant ? FAST_16 : 0);
    }
}

/* What is constant in each of the instances below, or as good as that. */
typedef struct shape {
    th_heap_layout layout;
    int guard;       /* 0, or 1 for any level that is not 0 */
    unsigned log2;   /* of the unit */
    uint32_t header; /* dwords */
} shape;

TH_CHAIN_INLINE shape shape_of(const th_heap *heap, th_heap_layout layout, int guard) {
    return (shape){layout, guard, th_unit_log2(heap), th_header_dwords(heap)};
}

/* Alignment 16 is the default of most machines: there, all is constant. */
#define CLASSIC_16         ((shape){CLASSIC, 0, 2, 8})
#define WIDE_16            ((shape){WIDE, 0, 2, 8})
#define CLASSIC_16_GUARDED ((shape){CLASSIC, 1, 2, 8})

/* ---- with guards -------------------------------------------------------------------------
 *
 * Everything is verified that alloc.c verifies, before anything is changed. What is not as it
 * should be is left to alloc.c, which looks again, and says so. */

TH_CHAIN_INLINE bool poisons(const th_heap *heap, shape s) {
    return s.guard > 0 && th_guard(heap) >= 2;
}

/* Is what becomes free wiped, or payloads that are made announced: for guards, or for a tool? */
TH_CHAIN_INLINE bool wipes(const th_heap *heap, shape s) {
#if TH_TRACK_ANY
    (void)heap;
    (void)s;
    return true;
#else
    return poisons(heap, s);
#endif
}

TH_CHAIN_INLINE bool announces(shape s) {
#if TH_TRACK_ANY
    (void)s;
    return true;
#else
    return s.guard > 0;
#endif
}

/* Reads a header. False: with guards, it does not agree with its check word. */
TH_TRACK_BLIND_PART bool read_as(const th_heap *heap, uint32_t offset, shape s, th_header *block) {
    *block = th_header_peek_as(heap, offset, s.layout, s.guard);
    return s.guard == 0 || block->check == block->check_due;
}

/* Reads the header of the block above (not of LAST). */
TH_TRACK_BLIND_PART bool read_above_as(const th_heap *heap, const th_header *block, uint32_t end,
                                       shape s, th_header *above) {
    if (s.guard == 0) {
        return read_as(heap, end, s, above);
    }
    return block->next == end && read_as(heap, end, s, above) && above->prev == block->offset;
}

/* Reads the header of the block below; of FIRST its own. */
TH_TRACK_BLIND_PART bool read_below_as(const th_heap *heap, const th_header *block, shape s,
                                       th_header *below) {
    return read_as(heap, block->prev, s, below) &&
           (s.guard == 0 || block->offset == 0 ||
            (below->next == block->offset && th_end(heap, below) == block->offset));
}

/* What the layout says, as a constant where it can be one. */
TH_CHAIN_INLINE uint32_t tag_free_as(const th_heap *heap, th_heap_layout layout) {
    return layout == WIDE ? heap->tag_free : TH_TAG_FREE;
}

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

static TH_NOINLINE size_t raise(th_heap *heap, size_t freed, uint32_t node, uint32_t units) {
    th_index_raise_inline(heap, node, units);
    return freed;
}

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

TH_CHAIN_INLINE uint64_t bit_of(uint32_t place) {
    return (uint64_t)1 << place % TH_INDEX_SEGMENT_UNITS;
}

/* ---- allocation ------------------------------------------------------------------------- */

/* The largest block of the segment is not there any more. */
#define LOWER_FOR(name, layout)                                                                    \
    static TH_TRACK_BLIND TH_NOINLINE void *name(th_heap *heap, void *payload, uint32_t segment) { \
        uint32_t node = heap->index.small_leaf + segment;                                          \
        uint8_t enough = heap->index.small[node];                                                  \
        th_index_lower_to(heap, node,                                                              \
                          th_index_largest_start_as(heap, segment, enough, layout, 2));            \
        return payload;                                                                            \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")
LOWER_FOR(lower_classic_16, CLASSIC);
LOWER_FOR(lower_wide_16, WIDE);

static TH_NOINLINE void *lower_any(th_heap *heap, void *payload, uint32_t segment) {
    th_index_lower(heap, segment);
    return payload;
}

TH_CHAIN_INLINE void *lower(th_heap *heap, void *payload, uint32_t segment, shape s) {
    if (s.log2 != 2) {
        return lower_any(heap, payload, segment);
    }
    return s.layout == CLASSIC ? lower_classic_16(heap, payload, segment)
           : s.layout == WIDE  ? lower_wide_16(heap, payload, segment)
                               : lower_any(heap, payload, segment);
}

/* A start that was that large is gone from its segment, or has moved in it. */
TH_CHAIN_INLINE void *change_starts(th_heap *heap, void *payload, uint32_t segment, uint64_t change,
                                    uint32_t units, shape s) {
    heap->index.starts[segment] ^= change;
    return heap->index.small[heap->index.small_leaf + segment] != units
               ? payload
               : lower(heap, payload, segment, s);
}

/* A tag and a site, in one register. */
typedef uint64_t label;

TH_CHAIN_INLINE label label_of(uint32_t tag, uint32_t site) {
    return (label)site << 32 | tag;
}

TH_CHAIN_INLINE uint32_t tag_of(label name) {
    return (uint32_t)name;
}

TH_CHAIN_INLINE uint32_t site_of(label name) {
    return (uint32_t)(name >> 32);
}

/* A free block, and what is to be carved from it. */
typedef struct carving {
    uint32_t offset, size;
    uint32_t need;
    bool middle; /* it lies between the sides */
} carving;

/* Where a block of that size goes. False: the slow path may know. */
TH_TRACK_BLIND_PART bool find_place(const th_heap *heap, uint32_t units, bool tail, shape s,
                                    carving *c) {
    uint32_t mask = th_index_mask(heap, 0, units);
    if (mask != 0) {
        uint32_t place =
            th_index_descend_as(heap, tail, 0, mask, units, s.layout, s.guard, s.log2, &c->size);
        if (place == TH_INDEX_DAMAGED) {
            return false;
        }
        c->offset = place << s.log2;
        c->middle = false;
        if (tail == (c->offset > heap->first_tail)) {
            return true;
        }
    }
    c->middle = true;
    c->offset = heap->middle;
    c->size = heap->first_tail - c->offset - s.header;
    return c->offset != TH_INDEX_NOWHERE && c->size >= c->need;
}

/* The counters of a block that has been made. */
TH_CHAIN_INLINE void count_made(th_heap *heap, uint32_t offset, uint32_t dwords, bool tail) {
    th_count_live_in(heap, tail, dwords);
    if (tail && offset < heap->high_used) {
        heap->high_used = offset;
    }
    if (!tail && offset + dwords > heap->low_used) {
        heap->low_used = offset + dwords;
    }
    th_note_high_water(heap);
}

/* Opens the payload of a block that has been made. */
TH_CHAIN_INLINE void *open_made(th_heap *heap, const th_header *block, shape s) {
    if (announces(s)) {
        th_guard_open(heap, block);
    }
    return th_at(heap, block->offset + s.header);
}

/* With guards: is the place sound? */
TH_TRACK_BLIND_PART bool verify_place(const th_heap *heap, const carving *c, shape s) {
    th_header free, above, below;
    uint32_t end = c->offset + s.header + c->size;
    uint32_t found;
    if (s.guard == 0) {
        return true;
    }
    return read_as(heap, c->offset, s, &free) && th_is_free(heap, &free) && free.size == c->size &&
           read_above_as(heap, &free, end, s, &above) &&
           (!poisons(heap, s) ||
            (read_below_as(heap, &free, s, &below) &&
             th_peek_poison(heap, c->offset + s.header, end, &found) == TH_FAULT_NOWHERE));
}

/*   [ ------- free ------- ] => HEAD: [ block ][ rest ]   TAIL: [ rest ][ block ] */
TH_TRACK_BLIND_PART void *carve_as(th_heap *heap, size_t bytes, label name, carving c, bool tail,
                                   shape s) {
    th_header free = th_header_peek_as(heap, c.offset, s.layout, 0);
    uint32_t above = c.offset + s.header + c.size;
    uint32_t room = c.size - c.need;
    th_header block = {.offset = c.offset,
                       .tag = tag_of(name),
                       .size = c.need,
                       .requested = bytes,
                       .site = site_of(name),
                       .align_log2 = free.align_log2};
    th_header rest = {.offset = c.offset,
                      .tag = tag_free_as(heap, s.layout),
                      .size = room - s.header,
                      .align_log2 = free.align_log2};
    if (tail) {
        block.offset += room;
        th_header run[2] = {rest, block};
        th_chain_link_as(heap, free.prev, run, 2, above, s.layout, s.guard);
        block = run[1]; /* which says what the layout has kept */
    } else {
        rest.offset += s.header + c.need;
        th_header run[2] = {block, rest};
        th_chain_link_as(heap, free.prev, run, 2, above, s.layout, s.guard);
        block = run[0];
    }
    count_made(heap, block.offset, s.header + c.need, tail);
    void *payload = open_made(heap, &block, s);
    if (c.middle) {
        heap->middle = rest.offset;
        if (tail) {
            heap->first_tail = block.offset;
        }
        return payload;
    }
    uint32_t place = c.offset >> s.log2;
    uint32_t rest_place = rest.offset >> s.log2;
    uint32_t units = c.size >> s.log2;
    uint32_t segment = place / TH_INDEX_SEGMENT_UNITS;
    if (units >= TH_INDEX_LARGE || segment != rest_place / TH_INDEX_SEGMENT_UNITS) {
        return shrink(heap, payload, c.offset, c.size, rest.offset, rest.size);
    }
    return change_starts(heap, payload, segment, bit_of(place) ^ bit_of(rest_place), units, s);
}

/*   [ free ] => [ block ], links and all */
TH_TRACK_BLIND_PART void *take_as(th_heap *heap, size_t bytes, label name, carving c, bool tail,
                                  shape s) {
    th_header block = th_header_peek_as(heap, c.offset, s.layout, 0);
    block.tag = tag_of(name);
    block.requested = bytes;
    block.site = site_of(name);
    th_header_poke_as(heap, &block, s.layout, s.guard);
    heap->free_blocks--;
    heap->low_free_blocks -= !tail || c.middle; /* no other free block of the TAIL side is low */
    count_made(heap, c.offset, s.header + c.size, tail);
    void *payload = open_made(heap, &block, s);
    if (c.middle) {
        heap->middle = TH_INDEX_NOWHERE;
        if (tail) {
            heap->first_tail = c.offset;
        }
        return payload;
    }
    uint32_t place = c.offset >> s.log2;
    uint32_t units = c.size >> s.log2;
    uint32_t segment = place / TH_INDEX_SEGMENT_UNITS;
    if (units >= TH_INDEX_LARGE) {
        return shrink(heap, payload, c.offset, c.size, 0, 0);
    }
    return change_starts(heap, payload, segment, bit_of(place), units, s);
}

/* What is looked at here, in bytes: at the largest unit, the sizes that the small tree knows. */
#define BYTES_MAX ((size_t)(TH_INDEX_LARGE - 1) * 16u)

typedef void *carve_fn(th_heap *heap, size_t bytes, label name, carving c);

TH_TRACK_BLIND_PART void *alloc_as(th_heap *heap, size_t bytes, label name, bool tail, shape s,
                                   carve_fn *carve) {
    uint32_t unit_bytes = TH_DWORD_BYTES << s.log2;
    uint32_t units = ((uint32_t)bytes + unit_bytes - 1) >> (s.log2 + 2);
    carving c = {.need = units << s.log2};
    if (units >= TH_INDEX_LARGE || !find_place(heap, units, tail, s, &c) ||
        !verify_place(heap, &c, s)) {
        return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag_of(name), site_of(name));
    }
    return c.size - c.need >= s.header + TH_LAYOUT_SPLIT_PAYLOAD
               ? carve(heap, bytes, name, c)
               : take_as(heap, bytes, name, c, tail, s);
}

/* An instance for HEAD or TAIL; what is not always needed is a function of its own. */
#define ALLOC_FOR(name, is_tail, shape_here)                                                       \
    static TH_TRACK_BLIND TH_NOINLINE void *name##_carve(th_heap *heap, size_t bytes, label said,  \
                                                         carving c) {                              \
        return carve_as(heap, bytes, said, c, is_tail, shape_here);                                \
    }                                                                                              \
    static TH_TRACK_BLIND TH_NOINLINE void *name(th_heap *heap, size_t bytes, label said) {        \
        return alloc_as(heap, bytes, said, is_tail, shape_here, name##_carve);                     \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")
ALLOC_FOR(head_classic_16, false, CLASSIC_16);
ALLOC_FOR(tail_classic_16, true, CLASSIC_16);
ALLOC_FOR(head_wide_16, false, WIDE_16);
ALLOC_FOR(tail_wide_16, true, WIDE_16);
ALLOC_FOR(head_classic, false, shape_of(heap, CLASSIC, 0));
ALLOC_FOR(tail_classic, true, shape_of(heap, CLASSIC, 0));
ALLOC_FOR(head_wide, false, shape_of(heap, WIDE, 0));
ALLOC_FOR(tail_wide, true, shape_of(heap, WIDE, 0));
ALLOC_FOR(head_lean, false, shape_of(heap, LEAN, 0));
ALLOC_FOR(tail_lean, true, shape_of(heap, LEAN, 0));
#if TH_GUARD > 0
ALLOC_FOR(head_classic_16_guarded, false, CLASSIC_16_GUARDED);
ALLOC_FOR(tail_classic_16_guarded, true, CLASSIC_16_GUARDED);
ALLOC_FOR(head_classic_guarded, false, shape_of(heap, CLASSIC, 1));
ALLOC_FOR(tail_classic_guarded, true, shape_of(heap, CLASSIC, 1));
ALLOC_FOR(head_wide_guarded, false, shape_of(heap, WIDE, 1));
ALLOC_FOR(tail_wide_guarded, true, shape_of(heap, WIDE, 1));
#endif

/* Aligned as every payload is. */
TH_CHAIN_INLINE void *allocate(th_heap *heap, size_t bytes, uint32_t tag, uint32_t site) {
    label name = label_of(tag, site);
    if (bytes - 1 < BYTES_MAX) {
        if (heap->fast == FAST_CLASSIC_16) {
            if (tag <= TH_TAG_HEAD_MAX) {
                return head_classic_16(heap, bytes, name);
            }
            if (tag <= TH_TAG_TAIL_MAX) {
                return tail_classic_16(heap, bytes, name);
            }
        } else if (tag < heap->tag_free) {
            bool tail = tag >= th_tag_tail_min(heap);
            switch (heap->fast) {
            case FAST_WIDE_16:
                return tail ? tail_wide_16(heap, bytes, name) : head_wide_16(heap, bytes, name);
            case FAST_CLASSIC:
                return tail ? tail_classic(heap, bytes, name) : head_classic(heap, bytes, name);
            case FAST_WIDE:
                return tail ? tail_wide(heap, bytes, name) : head_wide(heap, bytes, name);
            case FAST_LEAN:
                return tail ? tail_lean(heap, bytes, name) : head_lean(heap, bytes, name);
#if TH_GUARD > 0
            case FAST_CLASSIC_16_GUARDED:
                return tail ? tail_classic_16_guarded(heap, bytes, name)
                            : head_classic_16_guarded(heap, bytes, name);
            case FAST_CLASSIC_GUARDED:
                return tail ? tail_classic_guarded(heap, bytes, name)
                            : head_classic_guarded(heap, bytes, name);
            case FAST_WIDE_GUARDED:
                return tail ? tail_wide_guarded(heap, bytes, name)
                            : head_wide_guarded(heap, bytes, name);
#endif
            }
        }
    }
    return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, site);
}

void *th_heap_alloc(th_heap *heap, size_t bytes, uint32_t tag) {
    return allocate(heap, bytes, tag, 0);
}

void *th_heap_alloc_at(th_heap *heap, size_t alignment, size_t bytes, uint32_t tag, uint32_t site) {
    bool usual = alignment <= (size_t)th_unit(heap) * TH_DWORD_BYTES;
    return usual && th_is_power_of_two(alignment)
               ? allocate(heap, bytes, tag, site)
               : th_alloc_checked(heap, alignment, bytes, tag, site);
}

/* ---- free ----------------------------------------------------------------------------------- */

/* The counters of a block that has been freed, `freed` being how many free ones there are more.
 * False: it was the first TAIL block, and the TAIL side begins at `next` now. */
TH_CHAIN_INLINE bool count_freed(th_heap *heap, uint32_t offset, uint32_t dwords, bool tail,
                                 uint32_t next, uint32_t freed) {
    heap->free_blocks += freed;
    th_count_live_out(heap, tail, dwords);
    if (offset == heap->first_tail) {
        heap->first_tail = next;
        return false;
    }
    heap->low_free_blocks += offset < heap->first_tail ? freed : 0;
    return true;
}

/* A free block, of a size that the small tree knows, is where none was, or has become larger. */
TH_CHAIN_INLINE size_t insert(th_heap *heap, size_t freed, uint32_t place, uint32_t units) {
    uint32_t segment = place / TH_INDEX_SEGMENT_UNITS;
    uint32_t node = heap->index.small_leaf + segment;
    heap->index.starts[segment] |= bit_of(place);
    return heap->index.small[node] >= units ? freed : raise(heap, freed, node, units);
}

/* [ below ][ block ][ above ] => [ ---------- free ---------- ], free neighbours, of which there is
 * one at least, taken in. */
TH_TRACK_BLIND_PART size_t join_as(th_heap *heap, void *pointer, uint32_t offset, shape s) {
    uint32_t tag_free = tag_free_as(heap, s.layout);
    th_header block = th_header_peek_as(heap, offset, s.layout, 0);
    uint32_t end = offset + s.header + block.size;
    th_header above = th_header_peek_as(heap, end, s.layout, 0);
    th_header below = th_header_peek_as(heap, block.prev, s.layout, 0);
    th_header merged = {
        .offset = offset, .tag = tag_free, .size = block.size, .align_log2 = s.log2 + 2};
    uint32_t prev = block.prev;
    uint32_t above_size = 0, below_size = 0;
    uint32_t more = 1; /* free blocks */
    if (above.tag == tag_free && end != heap->last) {
        th_header beyond;
        if (!read_above_as(heap, &above, end + s.header + above.size, s, &beyond)) {
            return th_free_checked(heap, pointer);
        }
        above_size = above.size;
        merged.size += s.header + above_size;
        more = 0;
    }
    uint32_t next = offset + s.header + merged.size;
    if (offset != 0 && below.tag == tag_free) {
        below_size = below.size;
        merged.offset = prev;
        merged.size += s.header + below_size;
        prev = below.prev;
        more--;
    }
    if (above_size != 0) {
        th_header_spoil_as(heap, end, s.guard);
    }
    if (below_size != 0) {
        th_header_spoil_as(heap, offset, s.guard);
    }
    if (wipes(heap, s)) {
        th_guard_wipe(heap, offset, end + (above_size != 0 ? s.header : 0));
    }
    th_chain_link_as(heap, prev, &merged, 1, next, s.layout, s.guard);
    size_t freed = (size_t)(merged.size - above_size - below_size) * TH_DWORD_BYTES;
    if (!count_freed(heap, offset, s.header + block.size, block.tag > tag_free / 2, next, more)) {
        heap->low_free_blocks += below_size == 0;
    }
    uint32_t place = merged.offset >> s.log2;
    uint32_t above_place = end >> s.log2;
    uint32_t segment = place / TH_INDEX_SEGMENT_UNITS;
    uint32_t units = merged.size >> s.log2;
    if (next == heap->first_tail || units >= TH_INDEX_LARGE) {
        return merge(heap, freed, merged.offset, merged.size, below_size, above_size);
    }
    if (above_size != 0) {
        if (segment != above_place / TH_INDEX_SEGMENT_UNITS) {
            return merge(heap, freed, merged.offset, merged.size, below_size, above_size);
        }
        heap->index.starts[segment] ^= bit_of(above_place);
    }
    return insert(heap, freed, place, units);
}

/*   [ block ] => [ free ], links and all */
TH_TRACK_BLIND_PART size_t leave_as(th_heap *heap, const th_header *block, uint32_t end, shape s) {
    uint32_t tag_free = tag_free_as(heap, s.layout);
    th_header free = *block;
    free.tag = tag_free;
    free.requested = 0;
    free.site = 0;
    free.align_log2 = s.log2 + 2;
    free.next = end;
    if (wipes(heap, s)) {
        th_guard_wipe(heap, block->offset, end);
    }
    th_header_poke_as(heap, &free, s.layout, s.guard);
    size_t freed = (size_t)block->size * TH_DWORD_BYTES;
    if (!count_freed(heap, block->offset, s.header + block->size, block->tag > tag_free / 2, end,
                     1)) {
        heap->low_free_blocks++;
    }
    if (end == heap->first_tail) {
        heap->middle = block->offset;
        return freed;
    }
    uint32_t units = block->size >> s.log2;
    return units < TH_INDEX_LARGE ? insert(heap, freed, block->offset >> s.log2, units)
                                  : merge(heap, freed, block->offset, block->size, 0, 0);
}

/* With guards: can a payload begin there? */
TH_CHAIN_INLINE bool may_be_payload(const th_heap *heap, uintptr_t distance, shape s) {
    uintptr_t first = (uintptr_t)s.header * TH_DWORD_BYTES;
    uintptr_t last = (uintptr_t)heap->last * TH_DWORD_BYTES;
    uintptr_t mask = ((uintptr_t)TH_DWORD_BYTES << s.log2) - 1;
    return s.guard == 0 || (distance - first < last - first && (distance & mask) == 0);
}

/* With guards: is it a live block, and has nobody written behind it? */
TH_TRACK_BLIND_PART bool verify_live(const th_heap *heap, const th_header *block, shape s) {
    uint32_t found;
    return s.guard == 0 ||
           (!th_is_free(heap, block) && th_peek_canary(heap, block, &found) == TH_FAULT_NOWHERE);
}

TH_TRACK_BLIND_PART bool verify_block(const th_heap *heap, uintptr_t distance, shape s,
                                      th_header *block, th_header *above, th_header *below) {
    if (!may_be_payload(heap, distance, s)) {
        return false;
    }
    uint32_t offset = (uint32_t)(distance / TH_DWORD_BYTES) - s.header;
    if (!read_as(heap, offset, s, block) || !verify_live(heap, block, s)) {
        return false;
    }
    return read_above_as(heap, block, offset + s.header + block->size, s, above) &&
           read_below_as(heap, block, s, below);
}

typedef size_t join_fn(th_heap *heap, void *pointer, uint32_t offset);

TH_TRACK_BLIND_PART size_t free_as(th_heap *heap, void *pointer, shape s, join_fn *join) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->base;
    uint32_t tag_free = tag_free_as(heap, s.layout);
    th_header block, above, below;
    if (!verify_block(heap, distance, s, &block, &above, &below)) {
        return th_free_checked(heap, pointer);
    }
    return above.tag == tag_free || below.tag == tag_free
               ? join(heap, pointer, block.offset)
               : leave_as(heap, &block, block.offset + s.header + block.size, s);
}

#define FREE_FOR(name, shape_here)                                                                 \
    static TH_TRACK_BLIND TH_NOINLINE size_t name##_join(th_heap *heap, void *pointer,             \
                                                         uint32_t offset) {                        \
        return join_as(heap, pointer, offset, shape_here);                                         \
    }                                                                                              \
    static TH_TRACK_BLIND TH_NOINLINE size_t name(th_heap *heap, void *pointer) {                  \
        return free_as(heap, pointer, shape_here, name##_join);                                    \
    }                                                                                              \
    static_assert(TH_FAST, "an instance")
FREE_FOR(free_classic_16, CLASSIC_16);
FREE_FOR(free_wide_16, WIDE_16);
FREE_FOR(free_classic, shape_of(heap, CLASSIC, 0));
FREE_FOR(free_wide, shape_of(heap, WIDE, 0));
FREE_FOR(free_lean, shape_of(heap, LEAN, 0));
#if TH_GUARD > 0
FREE_FOR(free_classic_16_guarded, CLASSIC_16_GUARDED);
FREE_FOR(free_classic_guarded, shape_of(heap, CLASSIC, 1));
FREE_FOR(free_wide_guarded, shape_of(heap, WIDE, 1));
#endif

size_t th_heap_free(th_heap *heap, void *pointer) {
    if (pointer != NULL) {
        if (heap->fast == FAST_CLASSIC_16) {
            return free_classic_16(heap, pointer);
        }
        switch (heap->fast) {
        case FAST_WIDE_16:
            return free_wide_16(heap, pointer);
        case FAST_CLASSIC:
            return free_classic(heap, pointer);
        case FAST_WIDE:
            return free_wide(heap, pointer);
        case FAST_LEAN:
            return free_lean(heap, pointer);
#if TH_GUARD > 0
        case FAST_CLASSIC_16_GUARDED:
            return free_classic_16_guarded(heap, pointer);
        case FAST_CLASSIC_GUARDED:
            return free_classic_guarded(heap, pointer);
        case FAST_WIDE_GUARDED:
            return free_wide_guarded(heap, pointer);
#endif
        }
    }
    return th_free_checked(heap, pointer);
}

#else

void *th_heap_alloc(th_heap *heap, size_t bytes, uint32_t tag) {
    return th_alloc_checked(heap, TH_DWORD_BYTES, bytes, tag, 0);
}

void *th_heap_alloc_at(th_heap *heap, size_t alignment, size_t bytes, uint32_t tag, uint32_t site) {
    return th_alloc_checked(heap, alignment, bytes, tag, site);
}

size_t th_heap_free(th_heap *heap, void *pointer) {
    return th_free_checked(heap, pointer);
}

#endif
