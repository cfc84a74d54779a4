/* SPDX-License-Identifier: MIT */
#include "heap/index.h"
#include "heap/report.h"

#include <string.h>

#define LARGE        TH_INDEX_LARGE
#define SLOT_LOG2    TH_INDEX_SLOT_LOG2
#define STRETCH_LOG2 TH_INDEX_STRETCH_LOG2
#define SMALL_FAN    TH_BYTES16
#define LARGE_FAN    8u
static_assert(1u << STRETCH_LOG2 == SMALL_FAN << SLOT_LOG2, "a stretch is sixteen slots");
static_assert(1ull << 4 * (TH_HEAP_INDEX_LEVELS - 1) >= 1ull << (32 - SLOT_LOG2),
              "with the stop, the small tree of 2^32 units has that many levels");

/* ---- trees -------------------------------------------------------------------------------- */

/* Of a large tree with so many leaves: the first leaf's node. */
static uint32_t first_leaf(uint32_t leaves) {
    uint32_t node = 0;
    for (uint64_t width = LARGE_FAN; width < leaves; width *= LARGE_FAN) {
        node = (node + 1) * LARGE_FAN;
    }
    return node;
}

TH_CHAIN_INLINE uint32_t large_parent(uint32_t node) {
    return node / LARGE_FAN - 1;
}

/* Of so many nodes of the small tree: how many there are above them. */
TH_CHAIN_INLINE uint32_t small_parents(uint32_t nodes) {
    return (nodes - 1) / SMALL_FAN + 1;
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
    uint32_t slots, stretches;
    uint32_t large_leaf, large_nodes; /* the first leaf */
} tables;

static tables tables_of(uint32_t units) {
    tables s = {.slots = ((units - 1) >> SLOT_LOG2) + 1,
                .stretches = ((units - 1) >> STRETCH_LOG2) + 1};
    s.large_leaf = first_leaf(s.stretches);
    s.large_nodes = s.large_leaf + th_round_up(s.stretches, LARGE_FAN);
    return s;
}

/* Not among the tables, where it could be written over: then a climb would not end. Nobody writes
 * it, for nothing is more. */
static const uint8_t index_stop = TH_INDEX_STOP;

/* The small tree: its levels lie at `memory`, where they are noted in *index, if that is not NULL.
 * Its bytes. There are two levels at least, and the stop. */
static size_t lay_small(uint32_t slots, uint8_t *memory, th_heap_index_arrays *index) {
    size_t bytes = 0;
    uint32_t nodes = slots;
    for (uint32_t level = 0;; level++) {
        if (index != NULL) {
            index->small[level] = memory + bytes;
            index->small_top = level;
        }
        bytes += th_round_up(nodes, SMALL_FAN);
        if (nodes <= SMALL_FAN && level > 0) {
            if (index != NULL) {
                index->small[level + 1] = (uint8_t *)(uintptr_t)&index_stop;
            }
            return bytes;
        }
        nodes = small_parents(nodes);
    }
}

static size_t bytes_of(const tables *s) {
    return th_size_round_up((size_t)s->large_nodes * sizeof(uint32_t) +
                                lay_small(s->slots, NULL, NULL),
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

void th_index_lay(th_heap *heap) {
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
    heap->index.large = memory;
    heap->index.large_leaf = s.large_leaf;
    (void)lay_small(s.slots, (void *)(heap->index.large + s.large_nodes), &heap->index);
#else
    heap->index = (th_heap_index_arrays){0};
#endif
}

void th_index_start(th_heap *heap) {
    th_index_lay(heap);
#if TH_INDEX
    if (heap->index.large != NULL) {
        tables s = tables_of_heap(heap);
        memset(heap->index.large, 0, bytes_of(&s));
    }
#endif
}

size_t th_index_inside_bytes(const th_heap *heap) {
    tables s = tables_of_heap(heap);
    return bytes_of(&s) + sizeof(uint64_t);
}

/* ---- changes ------------------------------------------------------------------------------ */

void th_index_raise(th_heap *heap, uint32_t slot, uint8_t value) {
    th_index_raise_inline(heap, slot, value);
}

void th_index_lower(th_heap *heap, uint32_t slot, uint8_t old) {
    th_index_lower_inline(heap, slot, old);
}

void th_index_set_large(th_heap *heap, uint32_t place, uint32_t size) {
    uint32_t *tree = heap->index.large;
    uint32_t node = heap->index.large_leaf + (place >> STRETCH_LOG2);
    uint32_t value = size;
    while (tree[node] != value) {
        tree[node] = value;
        if (node < LARGE_FAN) {
            break;
        }
        value = words_max(&tree[node & ~(LARGE_FAN - 1)]);
        node = large_parent(node);
    }
}

/* ---- searches ----------------------------------------------------------------------------- */

/* From the nodes that `mask` says to a block. */
static uint32_t descend_small(const th_heap *heap, bool high, uint32_t level, uint32_t group,
                              uint32_t mask, uint8_t least) {
    uint32_t slot;
    return th_index_descend(heap, high, level, group, mask, least, &slot)
               ? th_index_place(slot, heap->index.small[0][slot])
               : TH_INDEX_DAMAGED;
}

/* The bits beyond a position, on the way to the search's other end. */
static uint32_t bits_beyond(unsigned position, bool high) {
    uint32_t below = (1u << position) - 1;
    return high ? below : ~below - (1u << position);
}

static uint32_t large_mask(const th_heap *heap, uint32_t node, uint32_t need) {
    return words_at_least(&heap->index.large[node & ~(LARGE_FAN - 1)], need);
}

/* The next block from the one at `place` on: in what lies beside its slot, or beside the nodes on
 * the way from there to the root. */
static uint32_t next_small(const th_heap *heap, bool high, uint8_t least, uint32_t place) {
    uint32_t node = place >> SLOT_LOG2;
    for (uint32_t level = 0; level <= heap->index.small_top; level++) {
        uint32_t mask =
            th_index_mask(heap, level, node, least) & bits_beyond(node % SMALL_FAN, high);
        if (mask != 0) {
            return descend_small(heap, high, level, node & ~(SMALL_FAN - 1), mask, least);
        }
        node /= SMALL_FAN;
    }
    return TH_INDEX_NOWHERE;
}

/* The slot of the large block that begins in a stretch. */
static uint32_t large_slot(const th_heap *heap, uint32_t stretch) {
    uint32_t first = stretch * SMALL_FAN;
    uint32_t mask = th_index_mask(heap, 0, first, th_index_least(LARGE));
    return mask != 0 ? first + th_lowest_bit(mask) : TH_INDEX_DAMAGED;
}

/* From those of the eight nodes at `group` that `mask` says, to a leaf: the place of the large
 * block there. */
static uint32_t descend_large(const th_heap *heap, bool high, uint32_t group, uint32_t mask,
                              uint32_t need) {
    uint32_t node = group + th_index_end_bit(mask, high);
    while (node < heap->index.large_leaf) {
        group = (node + 1) * LARGE_FAN;
        mask = large_mask(heap, group, need);
        if (mask == 0) {
            return TH_INDEX_DAMAGED;
        }
        node = group + th_index_end_bit(mask, high);
    }
    uint32_t slot = large_slot(heap, node - heap->index.large_leaf);
    return slot != TH_INDEX_DAMAGED ? th_index_place(slot, heap->index.small[0][slot]) : slot;
}

/* In the stretch of `place`, where a large block begins, no other one does. */
static uint32_t next_large(const th_heap *heap, bool high, uint32_t need, uint32_t place) {
    uint32_t node = heap->index.large_leaf + (place >> STRETCH_LOG2);
    for (;;) {
        uint32_t mask = large_mask(heap, node, need) & bits_beyond(node % LARGE_FAN, high);
        if (mask != 0) {
            return descend_large(heap, high, node & ~(LARGE_FAN - 1), mask, need);
        }
        if (node < LARGE_FAN) {
            return TH_INDEX_NOWHERE;
        }
        node = large_parent(node);
    }
}

/* A place as an offset. */
static uint32_t offset_of(const th_heap *heap, uint32_t place) {
    return place < TH_INDEX_DAMAGED ? place << th_unit_log2(heap) : place;
}

uint32_t th_index_first(const th_heap *heap, bool high, uint32_t need) {
    uint32_t units = need >> th_unit_log2(heap);
    uint8_t least = th_index_least(units);
    bool large = units >= LARGE;
    uint32_t top = heap->index.small_top;
    uint32_t mask = large ? large_mask(heap, 0, units) : th_index_mask(heap, top, 0, least);
    if (mask == 0) {
        return TH_INDEX_NOWHERE;
    }
    return offset_of(heap, large ? descend_large(heap, high, 0, mask, units)
                                 : descend_small(heap, high, top, 0, mask, least));
}

uint32_t th_index_next(const th_heap *heap, bool high, uint32_t need, uint32_t offset) {
    uint32_t units = need >> th_unit_log2(heap);
    uint32_t place = offset >> th_unit_log2(heap);
    return offset_of(heap, units < LARGE ? next_small(heap, high, th_index_least(units), place)
                                         : next_large(heap, high, units, place));
}

uint32_t th_index_largest(const th_heap *heap) {
    uint32_t small = th_bytes16_max(heap->index.small[heap->index.small_top]) >> SLOT_LOG2;
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

/* Of a row of nodes (slots, stretches, a level of a tree), those that speak of memory that has
 * ever been used: [0, low) and [high, end). Below the others no block can begin but the middle one,
 * which the index does not hold: they stay as they were made, and are not looked at, so that the
 * cost of a check does not depend on the size of the region. */
typedef struct row {
    uint32_t low, high, end;
} row;

/* The next node of a row, after all those before it. */
TH_TRACK_BLIND_PART uint32_t skip_unused(const row *r, uint32_t node) {
    return node == r->low ? r->high : node;
}

/* ... and all that lie beside them: a search looks at all children of a node. (Rows are changed in
 * place: tcc 0.9.27 writes 16 bytes where a function returns these 12.) */
TH_TRACK_BLIND_PART void add_siblings(row *r, uint32_t fan) {
    uint32_t low = (r->low + fan - 1) / fan * fan;
    uint32_t high = r->high / fan * fan;
    r->low = low < r->end ? low : r->end;
    r->high = high > r->low ? high : r->low;
}

/* The leaves of a tree, of which each speaks of 2^log2 units. */
TH_TRACK_BLIND_PART void start_row(row *r, const th_heap *heap, uint32_t log2, uint32_t end,
                                   uint32_t fan) {
    uint32_t low = (heap->low_used >> th_unit_log2(heap) >> log2) + 1;
    uint32_t high = heap->high_used >> th_unit_log2(heap) >> log2;
    r->low = low < end ? low : end;
    r->high = high > r->low ? high : r->low;
    r->end = end;
    add_siblings(r, fan);
}

/* The nodes above those of the row. */
TH_TRACK_BLIND_PART void climb_row(row *r, uint32_t fan) {
    uint32_t high = r->high / fan;
    r->low = (r->low - 1) / fan + 1;
    r->high = high > r->low ? high : r->low;
    r->end = (r->end - 1) / fan + 1;
    add_siblings(r, fan);
}

/* Sixteen bytes beside each other, which are to be `due`. */
TH_TRACK_BLIND_PART bool check_group(th_fault *fault, const uint8_t *due, const uint8_t *nodes) {
    unsigned i = 0;
    if (th_bytes16_same(due, nodes)) {
        return true;
    }
    while (due[i] == nodes[i]) {
        i++;
    }
    return agrees(fault, due[i], nodes[i]);
}

/* The groups [from, to), which are to be 0. */
TH_TRACK_BLIND_PART bool check_zeros(th_fault *fault, const uint8_t *nodes, uint32_t from,
                                     uint32_t to) {
    static const uint8_t zeros[SMALL_FAN];
    if (from >= to || th_bytes16_none(&nodes[from * SMALL_FAN], to - from)) {
        return true;
    }
    while (th_bytes16_none(&nodes[from * SMALL_FAN], 1)) {
        from++;
    }
    return check_group(fault, zeros, &nodes[from * SMALL_FAN]);
}

/* On the way along a level of the small tree: what a group is to be. */
typedef struct passage {
    uint8_t due[SMALL_FAN];
    uint32_t group;
} passage;

/* From a group to a later one, past those of the row that are to be 0. */
TH_TRACK_BLIND_PART bool pass(passage *p, const uint8_t *nodes, const row *groups, uint32_t to,
                              th_fault *fault) {
    if (!check_group(fault, p->due, &nodes[p->group * SMALL_FAN])) {
        return false;
    }
    uint32_t low = to < groups->low ? to : groups->low;
    uint32_t high = groups->high > p->group ? groups->high : p->group + 1;
    if (!check_zeros(fault, nodes, p->group + 1, low) || !check_zeros(fault, nodes, high, to)) {
        return false;
    }
    memset(p->due, 0, sizeof p->due);
    p->group = to;
    return true;
}

/* The leaves of the small tree are those of the free blocks, and of each sixteen the largest is
 * above them. */
TH_TRACK_BLIND_PART bool check_leaves(const th_heap *heap, const tables *s, th_fault *fault) {
    row nodes;
    start_row(&nodes, heap, SLOT_LOG2, s->slots, SMALL_FAN);
    climb_row(&nodes, SMALL_FAN);
    const row groups = {th_round_up(nodes.low, SMALL_FAN) / SMALL_FAN, nodes.high / SMALL_FAN,
                        th_round_up(nodes.end, SMALL_FAN) / SMALL_FAN};
    passage leaves = {{0}, 0}, above = {{0}, 0};
    uint8_t largest = 0; /* of the group of leaves */
    uint32_t offset = 0;
    for (;;) {
        th_header block = th_header_peek(heap, offset);
        bool last = th_is_last(heap, &block);
        if (last || (th_is_free(heap, &block) && block.offset != heap->middle)) {
            uint32_t place = offset >> th_unit_log2(heap);
            uint32_t node = last ? nodes.end : place >> STRETCH_LOG2;
            if (leaves.group != node) {
                uint32_t group = leaves.group / SMALL_FAN;
                if (above.group != group &&
                    !pass(&above, heap->index.small[1], &groups, group, fault)) {
                    return false;
                }
                above.due[leaves.group % SMALL_FAN] = largest;
                largest = 0;
                if (!pass(&leaves, heap->index.small[0], &nodes, node, fault)) {
                    return false;
                }
            }
            if (last) {
                return pass(&above, heap->index.small[1], &groups, groups.end, fault);
            }
            uint8_t leaf = th_index_leaf(place, block.size >> th_unit_log2(heap));
            leaves.due[(place >> SLOT_LOG2) % SMALL_FAN] = leaf;
            largest = leaf > largest ? leaf : largest;
        }
        offset = block.next;
    }
}

/* Nodes beside each other, `count` of the sixteen of a group, by their children. Most are 0. */
TH_TRACK_BLIND_PART bool check_parents(th_fault *fault, const uint8_t *nodes, uint32_t count,
                                       const uint8_t *children) {
    uint8_t due[SMALL_FAN] = {0};
    if (!th_bytes16_none(children, count)) {
        for (uint32_t i = 0; i < count; i++) {
            due[i] = th_bytes16_max(&children[i * SMALL_FAN]);
        }
    }
    return check_group(fault, due, nodes);
}

/* Each level above by the one below it, to the end of its last sixteen nodes. */
TH_TRACK_BLIND_PART bool check_small(const th_heap *heap, const tables *s, th_fault *fault) {
    row used;
    start_row(&used, heap, SLOT_LOG2, s->slots, SMALL_FAN);
    climb_row(&used, SMALL_FAN);
    for (uint32_t level = 2; level <= heap->index.small_top; level++) {
        climb_row(&used, SMALL_FAN);
        const uint8_t *nodes = heap->index.small[level];
        const uint8_t *children = heap->index.small[level - 1];
        for (uint32_t i = 0; i < used.end; i = skip_unused(&used, i + SMALL_FAN)) {
            uint32_t count = used.end - i < SMALL_FAN ? used.end - i : SMALL_FAN;
            if (!check_parents(fault, &nodes[i], count, &children[i * SMALL_FAN])) {
                return false;
            }
        }
    }
    return true;
}

/* The payload of the block at `place`, in units. */
TH_TRACK_BLIND_PART uint32_t size_at(const th_heap *heap, uint32_t place) {
    return th_header_peek(heap, place << th_unit_log2(heap)).size >> th_unit_log2(heap);
}

/* Are the words 0, `count` times eight? */
TH_TRACK_BLIND_PART bool are_none(const uint32_t *words, uint32_t count) {
    static_assert(LARGE_FAN * sizeof *words == 2 * TH_BYTES16, "eight words are 32 bytes");
    return th_bytes16_none((const void *)words, (size_t)2 * count);
}

/* Eight words beside each other, which are to be `due`. */
TH_TRACK_BLIND_PART bool check_words(th_fault *fault, const uint32_t *due, const uint32_t *nodes) {
    const uint8_t *expected = (const void *)due;
    const uint8_t *found = (const void *)nodes;
    unsigned i = 0;
    if (th_bytes16_same(expected, found) &&
        th_bytes16_same(expected + TH_BYTES16, found + TH_BYTES16)) {
        return true;
    }
    while (due[i] == nodes[i]) {
        i++;
    }
    return agrees(fault, due[i], nodes[i]);
}

/* The stretches from `first` on, of which the large tree has eight leaves: by their slots and the
 * nodes above those, which have been verified. */
TH_TRACK_BLIND_PART bool check_stretches(const th_heap *heap, uint32_t first, th_fault *fault) {
    uint32_t due[LARGE_FAN] = {0};
    uint8_t least = th_index_least(LARGE);
    uint32_t mask = th_index_mask(heap, 1, first, least) >> first % SMALL_FAN;
    for (mask &= (1u << LARGE_FAN) - 1; mask != 0; mask &= mask - 1) {
        unsigned i = th_lowest_bit(mask);
        uint32_t slots = (first + i) * SMALL_FAN;
        uint32_t slot = slots + th_lowest_bit(th_index_mask(heap, 0, slots, least));
        due[i] = size_at(heap, th_index_place(slot, heap->index.small[0][slot]));
    }
    return check_words(fault, due, &heap->index.large[heap->index.large_leaf + first]);
}

/* As check_parents. */
TH_TRACK_BLIND_PART bool check_large_parents(th_fault *fault, const uint32_t *nodes, uint32_t count,
                                             const uint32_t *children) {
    uint32_t due[LARGE_FAN] = {0};
    if (!are_none(children, count)) {
        for (uint32_t i = 0; i < count; i++) {
            due[i] = words_max(&children[i * LARGE_FAN]);
        }
    }
    return check_words(fault, due, nodes);
}

/* The leaves by the blocks, then as check_small. */
TH_TRACK_BLIND_PART bool check_large(const th_heap *heap, const tables *s, th_fault *fault) {
    row used;
    start_row(&used, heap, STRETCH_LOG2, s->stretches, LARGE_FAN);
    for (uint32_t i = 0; i < used.end; i = skip_unused(&used, i + LARGE_FAN)) {
        if (!check_stretches(heap, i, fault)) {
            return false;
        }
    }
    const uint32_t *children = &heap->index.large[s->large_leaf];
    for (uint32_t first = s->large_leaf; first != 0;) {
        first = large_parent(first);
        climb_row(&used, LARGE_FAN);
        const uint32_t *nodes = &heap->index.large[first];
        for (uint32_t i = 0; i < used.end; i = skip_unused(&used, i + LARGE_FAN)) {
            uint32_t count = used.end - i < LARGE_FAN ? used.end - i : LARGE_FAN;
            if (!check_large_parents(fault, &nodes[i], count, &children[i * LARGE_FAN])) {
                return false;
            }
        }
        children = nodes;
    }
    return true;
}

TH_TRACK_BLIND bool th_index_check(const th_heap *heap, th_fault *fault) {
    tables s = tables_of_heap(heap);
    th_track_blind_begin();
    bool right = check_leaves(heap, &s, fault) && check_small(heap, &s, fault) &&
                 check_large(heap, &s, fault);
    th_track_blind_end();
    return right;
}
