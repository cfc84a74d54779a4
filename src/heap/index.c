/* SPDX-License-Identifier: MIT */
#include "heap/index.h"

#include <string.h>

#include "heap/guard.h"

#define SEGMENT_UNITS TH_INDEX_SEGMENT_UNITS
#define LARGE         TH_INDEX_LARGE
#define STRETCH_LOG2  TH_INDEX_LARGE_LOG2
#define SMALL_FAN     TH_BYTES16
#define LARGE_FAN     8u

/* ---- trees -------------------------------------------------------------------------------- */

/* Of a tree with so many leaves: the first leaf's node. */
static uint32_t first_leaf(uint32_t leaves, uint32_t fan) {
    uint32_t node = 0;
    for (uint64_t width = fan; width < leaves; width *= fan) {
        node = (node + 1) * fan;
    }
    return node;
}

TH_CHAIN_INLINE uint32_t parent(uint32_t node, uint32_t fan) {
    return node / fan - 1;
}

static uint32_t first_child(uint32_t node, uint32_t fan) {
    return (node + 1) * fan;
}

TH_CHAIN_INLINE uint32_t words_max(const uint32_t *words) {
    uint32_t max = 0;
    for (unsigned i = 0; i < LARGE_FAN; i++) {
        max = words[i] > max ? words[i] : max;
    }
    return max;
}

/* Bit i is set iff words[i] >= least. */
static uint32_t words_at_least(const uint32_t *words, uint32_t least) {
    uint32_t mask = 0;
    for (unsigned i = 0; i < LARGE_FAN; i++) {
        mask |= (uint32_t)(words[i] >= least) << i;
    }
    return mask;
}

/* ---- memory ------------------------------------------------------------------------------- */

typedef struct tables {
    uint32_t segments, stretches;
    uint32_t small_leaf, large_leaf; /* the first leaves */
    uint32_t small_nodes, large_nodes;
} tables;

static tables tables_of(uint32_t units) {
    tables s = {.segments = (units - 1) / SEGMENT_UNITS + 1,
                .stretches = ((units - 1) >> STRETCH_LOG2) + 1};
    s.small_leaf = first_leaf(s.segments, SMALL_FAN);
    s.large_leaf = first_leaf(s.stretches, LARGE_FAN);
    s.small_nodes = s.small_leaf + th_round_up(s.segments, SMALL_FAN);
    s.large_nodes = s.large_leaf + th_round_up(s.stretches, LARGE_FAN);
    return s;
}

static size_t bytes_of(const tables *s) {
    return th_size_round_up((size_t)s->segments * sizeof(uint64_t) +
                                (size_t)s->large_nodes * sizeof(uint32_t) + s->small_nodes +
                                s->stretches,
                            sizeof(uint64_t));
}

static tables tables_of_heap(const th_heap *heap) {
    return tables_of(heap->dwords >> th_unit_log2(heap));
}

size_t th_index_bytes(uint32_t units) {
    tables s = tables_of(units);
    return bytes_of(&s);
}

th_status th_index_accepts(const th_heap *heap) {
    const th_heap_config *config = &heap->config;
    if (config->index != TH_HEAP_INDEX_GIVEN) {
        return TH_OK;
    }
#if TH_INDEX
    uintptr_t memory = (uintptr_t)config->index_memory;
    uintptr_t base = (uintptr_t)heap->base;
    if (config->index_memory == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_is_aligned(memory, sizeof(uint64_t))) {
        return TH_ERR_MISALIGNED;
    }
    if (config->index_bytes < th_index_bytes(heap->dwords >> th_unit_log2(heap))) {
        return TH_ERR_TOO_SMALL;
    }
    bool apart = memory >= base ? memory - base >= th_managed_bytes(heap)
                                : base - memory >= config->index_bytes;
    return apart ? TH_OK : TH_ERR_CONFIG;
#else
    return TH_ERR_CONFIG;
#endif
}

void th_index_start(th_heap *heap) {
#if TH_INDEX
    tables s = tables_of_heap(heap);
    void *memory = heap->config.index_memory;
    if (heap->index_inside) {
        uintptr_t end = (uintptr_t)heap->base + th_managed_bytes(heap);
        memory = heap->base + th_managed_bytes(heap) + (0 - end) % sizeof(uint64_t);
    } else if (heap->config.index != TH_HEAP_INDEX_GIVEN) {
        heap->index = (th_heap_index_arrays){0};
        return;
    }
    heap->index.starts = memory;
    heap->index.large = (void *)(heap->index.starts + s.segments);
    heap->index.small = (void *)(heap->index.large + s.large_nodes);
    heap->index.large_at = heap->index.small + s.small_nodes;
    heap->index.small_leaf = s.small_leaf;
    heap->index.large_leaf = s.large_leaf;
    memset(memory, 0, bytes_of(&s));
#else
    heap->index = (th_heap_index_arrays){0};
#endif
}

size_t th_index_inside_bytes(const th_heap *heap) {
    tables s = tables_of_heap(heap);
    return bytes_of(&s) + sizeof(uint64_t);
}

/* ---- changes ------------------------------------------------------------------------------ */

void th_index_raise(th_heap *heap, uint32_t node, uint32_t value) {
    th_index_raise_inline(heap, node, value);
}

static TH_TRACK_BLIND uint8_t largest_start(const th_heap *heap, uint32_t segment, uint8_t enough) {
    th_track_blind_begin();
    uint8_t largest =
        th_index_largest_start_as(heap, segment, enough, th_layout(heap), th_unit_log2(heap));
    th_track_blind_end();
    return largest;
}

void th_index_lower(th_heap *heap, uint32_t segment) {
    uint32_t node = heap->index.small_leaf + segment;
    th_index_lower_to(heap, node, largest_start(heap, segment, heap->index.small[node]));
}

void th_index_set_large(th_heap *heap, uint32_t place, uint32_t size) {
    uint32_t *tree = heap->index.large;
    uint32_t stretch = place >> STRETCH_LOG2;
    uint32_t node = heap->index.large_leaf + stretch;
    uint32_t value = size;
    heap->index.large_at[stretch] = (uint8_t)(place & LARGE);
    while (tree[node] != value) {
        tree[node] = value;
        if (node < LARGE_FAN) {
            break;
        }
        value = words_max(&tree[node & ~(LARGE_FAN - 1)]);
        node = parent(node, LARGE_FAN);
    }
}

/* ---- searches ----------------------------------------------------------------------------- */

static TH_TRACK_BLIND uint32_t find_start(const th_heap *heap, bool high, uint32_t segment,
                                          uint64_t starts, uint32_t need) {
    uint32_t size;
    th_track_blind_begin();
    uint32_t place = th_index_start_as(heap, high, segment, starts, need, th_layout(heap),
                                       th_guard(heap), th_unit_log2(heap), &size);
    th_track_blind_end();
    return place;
}

static TH_TRACK_BLIND uint32_t descend_small(const th_heap *heap, bool high, uint32_t group,
                                             uint32_t mask, uint32_t need) {
    uint32_t size;
    th_track_blind_begin();
    uint32_t place = th_index_descend_as(heap, high, group, mask, need, th_layout(heap),
                                         th_guard(heap), th_unit_log2(heap), &size);
    th_track_blind_end();
    return place;
}

/* The bits beyond a position, on the way to the search's other end. */
static uint64_t bits_beyond(unsigned position, bool high) {
    uint64_t below = ((uint64_t)1 << position) - 1;
    return high ? below : ~below - ((uint64_t)1 << position);
}

static uint32_t large_mask(const th_heap *heap, uint32_t node, uint32_t need) {
    return words_at_least(&heap->index.large[node & ~(LARGE_FAN - 1)], need);
}

/* The next block from the one at `place` on: in its segment, or in what lies beside the nodes on
 * the way from there to the root. */
static uint32_t next_small(const th_heap *heap, bool high, uint32_t need, uint32_t place) {
    uint32_t segment = place / SEGMENT_UNITS;
    uint64_t starts = heap->index.starts[segment] & bits_beyond(place % SEGMENT_UNITS, high);
    uint32_t found = find_start(heap, high, segment, starts, need);
    if (found != TH_INDEX_NOWHERE) {
        return found;
    }
    uint32_t node = heap->index.small_leaf + segment;
    for (;;) {
        uint32_t mask =
            th_index_mask(heap, node, need) & (uint32_t)bits_beyond(node % SMALL_FAN, high);
        if (mask != 0) {
            return descend_small(heap, high, node & ~(SMALL_FAN - 1), mask, need);
        }
        if (node < SMALL_FAN) {
            return TH_INDEX_NOWHERE;
        }
        node = parent(node, SMALL_FAN);
    }
}

/* From those of the eight nodes at `group` that `mask` says, to a leaf: the place of the large
 * block there. */
static uint32_t descend_large(const th_heap *heap, bool high, uint32_t group, uint32_t mask,
                              uint32_t need) {
    uint32_t node = group + th_index_end_bit(mask, high);
    while (node < heap->index.large_leaf) {
        group = first_child(node, LARGE_FAN);
        mask = large_mask(heap, group, need);
        if (mask == 0) {
            return TH_INDEX_DAMAGED;
        }
        node = group + th_index_end_bit(mask, high);
    }
    uint32_t stretch = node - heap->index.large_leaf;
    return stretch << STRETCH_LOG2 | heap->index.large_at[stretch];
}

/* In the stretch of `place`, where a large block begins, no other one does. */
static uint32_t next_large(const th_heap *heap, bool high, uint32_t need, uint32_t place) {
    uint32_t node = heap->index.large_leaf + (place >> STRETCH_LOG2);
    for (;;) {
        uint32_t mask =
            large_mask(heap, node, need) & (uint32_t)bits_beyond(node % LARGE_FAN, high);
        if (mask != 0) {
            return descend_large(heap, high, node & ~(LARGE_FAN - 1), mask, need);
        }
        if (node < LARGE_FAN) {
            return TH_INDEX_NOWHERE;
        }
        node = parent(node, LARGE_FAN);
    }
}

/* A place as an offset. */
static uint32_t offset_of(const th_heap *heap, uint32_t place) {
    return place < TH_INDEX_DAMAGED ? place << th_unit_log2(heap) : place;
}

uint32_t th_index_first(const th_heap *heap, bool high, uint32_t need) {
    uint32_t units = need >> th_unit_log2(heap);
    bool large = units >= LARGE;
    uint32_t mask = large ? large_mask(heap, 0, units) : th_index_mask(heap, 0, units);
    if (mask == 0) {
        return TH_INDEX_NOWHERE;
    }
    return offset_of(heap, large ? descend_large(heap, high, 0, mask, units)
                                 : descend_small(heap, high, 0, mask, units));
}

uint32_t th_index_next(const th_heap *heap, bool high, uint32_t need, uint32_t offset) {
    uint32_t units = need >> th_unit_log2(heap);
    uint32_t place = offset >> th_unit_log2(heap);
    return offset_of(heap, units < LARGE ? next_small(heap, high, units, place)
                                         : next_large(heap, high, units, place));
}

uint32_t th_index_largest(const th_heap *heap) {
    uint32_t small = th_bytes16_max(heap->index.small);
    uint32_t units = small < LARGE ? small : words_max(heap->index.large);
    return units << th_unit_log2(heap);
}

/* ---- from the blocks ---------------------------------------------------------------------- */

void th_index_rebuild(th_heap *heap) {
    th_header block;
    th_index_start(heap);
    for (uint32_t offset = 0; offset != heap->last; offset = block.next) {
        th_header_load(heap, offset, &block);
        if (th_indexed(heap) && th_is_free(heap, &block) && block.offset != heap->middle) {
            th_index_insert(heap, block.offset, block.size);
        }
    }
}

/* The checker's question about one number of the index. */
TH_TRACK_BLIND_PART bool agrees(th_fault *fault, uint32_t expected, uint32_t found) {
    return th_agrees(fault, TH_FAULT_INDEX, expected, found);
}

/* Of a row of nodes (segments, stretches, a level of a tree), those that speak of memory that has
 * ever been used: [0, low) and [high, end). Below the others no block can begin but the middle one,
 * which the index does not hold: they stay as they were made, and are not looked at, so that the
 * cost of a check does not depend on the size of the region. */
typedef struct row {
    uint32_t low, high, end;
} row;

TH_TRACK_BLIND_PART row used_row(const th_heap *heap, uint32_t log2, uint32_t end) {
    uint32_t low = (heap->low_used >> th_unit_log2(heap) >> log2) + 1;
    uint32_t high = heap->high_used >> th_unit_log2(heap) >> log2;
    low = low < end ? low : end;
    return (row){low, high > low ? high : low, end};
}

/* The next node of a row, after all those before it. */
TH_TRACK_BLIND_PART uint32_t skip_unused(const row *r, uint32_t node) {
    return node == r->low ? r->high : node;
}

/* ... and all that lie beside them: a search looks at all children of a node. */
TH_TRACK_BLIND_PART row with_siblings(row r, uint32_t fan) {
    uint32_t low = (r.low + fan - 1) / fan * fan;
    uint32_t high = r.high / fan * fan;
    r.low = low < r.end ? low : r.end;
    r.high = high > r.low ? high : r.low;
    return r;
}

/* The nodes above those of a row. */
TH_TRACK_BLIND_PART row row_above(const row *r, uint32_t fan) {
    uint32_t low = (r->low - 1) / fan + 1;
    uint32_t high = r->high / fan;
    return (row){low, high > low ? high : low, (r->end - 1) / fan + 1};
}

/* The starts are those of the free blocks. */
TH_TRACK_BLIND_PART bool check_starts(const th_heap *heap, const tables *s, th_fault *fault) {
    const row used = used_row(heap, TH_INDEX_SEGMENT_LOG2, s->segments);
    uint32_t segment = 0;
    uint64_t starts = heap->index.starts[0];
    uint32_t offset = 0;
    for (;;) {
        th_header block = th_header_peek(heap, offset);
        bool last = th_is_last(heap, &block);
        if (last || (th_is_free(heap, &block) && block.offset != heap->middle)) {
            while (starts == 0 && skip_unused(&used, segment + 1) < s->segments) {
                segment = skip_unused(&used, segment + 1);
                starts = heap->index.starts[segment];
            }
            uint32_t place =
                starts != 0 ? segment * SEGMENT_UNITS + th_lowest_bit(starts) : TH_INDEX_NOWHERE;
            uint32_t expected = last ? TH_INDEX_NOWHERE : offset >> th_unit_log2(heap);
            if (last || !agrees(fault, expected, place)) {
                return agrees(fault, expected, place);
            }
            starts &= starts - 1;
        }
        offset = block.next;
    }
}

/* The payload of the block at `place`, in units. */
TH_TRACK_BLIND_PART uint32_t size_at(const th_heap *heap, uint32_t place) {
    return th_header_peek(heap, place << th_unit_log2(heap)).size >> th_unit_log2(heap);
}

/* Of a stretch: the large block that begins there. The small tree says in which segment. */
TH_TRACK_BLIND_PART uint32_t large_start(const th_heap *heap, const tables *s, uint32_t stretch,
                                         uint32_t *at) {
    uint32_t segment = (stretch << STRETCH_LOG2) / SEGMENT_UNITS;
    uint32_t end = ((stretch + 1) << STRETCH_LOG2) / SEGMENT_UNITS;
    uint32_t large = 0;
    for (; segment < end && segment < s->segments; segment++) {
        if (heap->index.small[s->small_leaf + segment] < LARGE) {
            continue;
        }
        for (uint64_t starts = heap->index.starts[segment]; starts != 0; starts &= starts - 1) {
            uint32_t place = segment * SEGMENT_UNITS + th_lowest_bit(starts);
            uint32_t size = size_at(heap, place);
            *at = size < LARGE ? *at : place & LARGE;
            large = size < LARGE ? large : size;
        }
    }
    return large;
}

/* One of the two trees, as numbers. */
TH_TRACK_BLIND_PART uint32_t node_at(const th_heap *heap, bool large, uint32_t node) {
    return large ? heap->index.large[node] : heap->index.small[node];
}

TH_TRACK_BLIND_PART uint32_t nodes_max(const th_heap *heap, bool large, uint32_t group) {
    return large ? words_max(&heap->index.large[group]) : th_bytes16_max(&heap->index.small[group]);
}

TH_TRACK_BLIND_PART bool check_leaf(const th_heap *heap, const tables *s, bool large, uint32_t leaf,
                                    th_fault *fault) {
    if (!large) {
        uint32_t due =
            th_index_largest_start_as(heap, leaf, LARGE, th_layout(heap), th_unit_log2(heap));
        return agrees(fault, due, heap->index.small[s->small_leaf + leaf]);
    }
    uint32_t at = heap->index.large_at[leaf];
    uint32_t due = large_start(heap, s, leaf, &at);
    return agrees(fault, due, heap->index.large[s->large_leaf + leaf]) &&
           agrees(fault, at, heap->index.large_at[leaf]);
}

/* The leaves by the starts, then each level by the one below it; of the highest one all nodes. */
TH_TRACK_BLIND_PART bool check_tree(const th_heap *heap, const tables *s, bool large,
                                    th_fault *fault) {
    uint32_t fan = large ? LARGE_FAN : SMALL_FAN;
    row used = with_siblings(large ? used_row(heap, STRETCH_LOG2, s->stretches)
                                   : used_row(heap, TH_INDEX_SEGMENT_LOG2, s->segments),
                             fan);
    for (uint32_t i = 0; i < used.end; i = skip_unused(&used, i + 1)) {
        if (!check_leaf(heap, s, large, i, fault)) {
            return false;
        }
    }
    for (uint32_t first = large ? s->large_leaf : s->small_leaf; first > 0;) {
        uint32_t children = first;
        first = parent(first, fan);
        used = with_siblings(row_above(&used, fan), fan);
        for (uint32_t i = 0; i < used.end; i = skip_unused(&used, i + 1)) {
            uint32_t due = nodes_max(heap, large, children + i * fan);
            if (!agrees(fault, due, node_at(heap, large, first + i))) {
                return false;
            }
        }
    }
    for (uint32_t i = used.end; i < fan; i++) {
        if (!agrees(fault, 0, node_at(heap, large, i))) {
            return false;
        }
    }
    return true;
}

TH_TRACK_BLIND bool th_index_check(const th_heap *heap, th_fault *fault) {
    tables s = tables_of_heap(heap);
    th_track_blind_begin();
    bool right = check_starts(heap, &s, fault) && check_tree(heap, &s, false, fault) &&
                 check_tree(heap, &s, true, fault);
    th_track_blind_end();
    return right;
}
