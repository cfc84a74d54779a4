/* SPDX-License-Identifier: MIT */
/* Classes. Sizes are counted in granules. Sizes 1 to 15 have classes of their own; from there on
 * each power of two is divided into 8 steps. A class's extents are at least as large as its number
 * says and smaller than the next one's; a request is looked for from the first class on all of
 * whose extents are large enough. */
#include "tagheap/offsets.h"

#include <assert.h>
#include <string.h>

#include "alloc/guarding.h"
#include "base/align.h"
#include "base/compiler.h"
#include "base/track.h"

#define NONE      UINT32_MAX
#define BYTES_MAX ((uint64_t)1 << 62)
#define NODES_MAX ((size_t)1 << TH_OFFSETS_EXTENTS_LOG2)
#define STEPS     8u

typedef th_offsets_node node;

static_assert(SIZE_MAX / sizeof(node) > NODES_MAX, "bookkeeping that a size_t can say");

/* ---- classes ------------------------------------------------------------------------------ */

/* The class of a size of at least 1 granule. */
static unsigned class_of(uint64_t granules) {
    if (granules < 2 * STEPS) {
        return (unsigned)granules;
    }
    unsigned power = th_highest_bit(granules);
    return (power - 2) * STEPS + (unsigned)(granules >> (power - 3) & (STEPS - 1));
}

/* The smallest size of a class. */
static uint64_t class_least(unsigned class) {
    if (class < 2 * STEPS) {
        return class;
    }
    unsigned power = class / STEPS + 2;
    return (uint64_t)(STEPS + class % STEPS) << (power - 3);
}

static uint64_t granules_of(const th_offsets *o, uint64_t bytes) {
    return bytes >> th_highest_bit(o->config.granule);
}

static void put_in_class(th_offsets *o, uint32_t index) {
    node *n = &o->nodes[index];
    unsigned class = class_of(granules_of(o, n->bytes));
    n->before = NONE;
    n->after = o->heads[class];
    if (n->after != NONE) {
        o->nodes[n->after].before = index;
    }
    o->heads[class] = index;
    o->steps[class / STEPS] |= (uint8_t)(1u << class % STEPS);
    o->powers |= (uint64_t)1 << class / STEPS;
    o->free_extents++;
}

static void take_from_class(th_offsets *o, uint32_t index) {
    const node *n = &o->nodes[index];
    unsigned class = class_of(granules_of(o, n->bytes));
    if (n->before != NONE) {
        o->nodes[n->before].after = n->after;
    } else {
        o->heads[class] = n->after;
    }
    if (n->after != NONE) {
        o->nodes[n->after].before = n->before;
    }
    if (o->heads[class] == NONE) {
        o->steps[class / STEPS] &= (uint8_t) ~(1u << class % STEPS);
        if (o->steps[class / STEPS] == 0) {
            o->powers &= ~((uint64_t)1 << class / STEPS);
        }
    }
    o->free_extents--;
}

/* The first class from `class` on that is not empty; TH_OFFSETS_CLASSES if there is none. No
 * request leads to the last classes, so that there is always one above. */
static unsigned next_class(const th_offsets *o, unsigned class) {
    unsigned power = class / STEPS;
    unsigned steps = o->steps[power] & (0xFFu << class % STEPS);
    if (steps == 0) {
        uint64_t powers = o->powers & ~(((uint64_t)2 << power) - 1);
        if (powers == 0) {
            return TH_OFFSETS_CLASSES;
        }
        power = th_lowest_bit(powers);
        steps = o->steps[power];
    }
    return power * STEPS + th_lowest_bit(steps);
}

/* ---- nodes -------------------------------------------------------------------------------- */

static bool is_live(const node *n) {
    return n->generation % 2 != 0;
}

static uint32_t take_node(th_offsets *o) {
    uint32_t index = o->unused;
    o->unused = o->nodes[index].after;
    return index;
}

static void give_node(th_offsets *o, uint32_t index) {
    o->nodes[index].bytes = 0;
    o->nodes[index].after = o->unused;
    o->unused = index;
}

/* A free extent [offset, offset + bytes) above `below`. There must be an unused node. */
static void insert_free(th_offsets *o, uint32_t below, uint64_t offset, uint64_t bytes) {
    uint32_t index = take_node(o);
    node *n = &o->nodes[index];
    n->offset = offset;
    n->bytes = bytes;
    n->below = below;
    n->above = below != NONE ? o->nodes[below].above : o->lowest;
    if (n->above != NONE) {
        o->nodes[n->above].below = index;
    }
    if (below != NONE) {
        o->nodes[below].above = index;
    } else {
        o->lowest = index;
    }
    put_in_class(o, index);
}

/* Takes the extent, which is in no class and not the lowest, out of the range. */
static void remove_node(th_offsets *o, uint32_t index) {
    const node *n = &o->nodes[index];
    if (n->above != NONE) {
        o->nodes[n->above].below = n->below;
    }
    o->nodes[n->below].above = n->above;
    give_node(o, index);
}

static bool has_nodes(const th_offsets *o, unsigned count) {
    uint32_t index = o->unused;
    while (count > 0 && index != NONE) {
        index = o->nodes[index].after;
        count--;
    }
    return count == 0;
}

/* ---- placement ---------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t value, uint64_t unit) {
    return (value + unit - 1) & ~(unit - 1);
}

static bool has_room(const node *n, uint64_t bytes, uint64_t alignment) {
    uint64_t gap = round_up(n->offset, alignment) - n->offset;
    return gap <= n->bytes && n->bytes - gap >= bytes;
}

/* By the policies that look at every free extent. */
static uint32_t search(const th_offsets *o, uint64_t bytes, uint64_t alignment) {
    uint32_t found = NONE;
    for (uint32_t i = o->lowest; i != NONE; i = o->nodes[i].above) {
        const node *n = &o->nodes[i];
        if (is_live(n) || !has_room(n, bytes, alignment)) {
            continue;
        }
        if (o->config.policy == TH_OFFSETS_FIRST_FIT) {
            return i;
        }
        bool better = found == NONE ||
                      (o->config.policy == TH_OFFSETS_WORST_FIT ? n->bytes > o->nodes[found].bytes
                                                                : n->bytes < o->nodes[found].bytes);
        found = better ? i : found;
    }
    return found;
}

/* Any extent of the first class that is large enough in every case. */
static uint32_t good_fit(const th_offsets *o, uint64_t bytes, uint64_t alignment) {
    uint64_t extra = alignment > o->config.granule ? alignment - o->config.granule : 0;
    uint64_t granules = granules_of(o, bytes + extra);
    unsigned class = class_of(granules);
    class += class_least(class) < granules ? 1 : 0;
    class = next_class(o, class);
    return class < TH_OFFSETS_CLASSES ? o->heads[class] : NONE;
}

/* Good fit may miss what fits exactly: then everything is looked at, so that a request fails only
 * if it must. */
static uint32_t find_room(const th_offsets *o, uint64_t bytes, uint64_t alignment) {
    uint32_t found = o->config.policy == TH_OFFSETS_GOOD_FIT ? good_fit(o, bytes, alignment) : NONE;
    return found != NONE ? found : search(o, bytes, alignment);
}

/* ---- life --------------------------------------------------------------------------------- */

size_t th_offsets_bookkeeping_bytes(size_t extents) {
    return extents < NODES_MAX ? extents * sizeof(node) : 0;
}

th_status th_offsets_reset(th_offsets *offsets) {
    th_offsets *o = offsets;
    if (o == NULL || o->nodes == NULL) {
        return TH_ERR_NULL;
    }
    memset(o->heads, 0xFF, sizeof o->heads);
    memset(o->steps, 0, sizeof o->steps);
    o->powers = 0;
    o->lowest = NONE;
    o->unused = NONE;
    o->live = 0;
    o->free_extents = 0;
    o->live_bytes = 0;
    for (uint32_t i = o->nodes_max; i-- > 0;) {
        o->nodes[i].generation += o->nodes[i].generation % 2;
        give_node(o, i);
    }
    insert_free(o, NONE, 0, o->bytes);
    return TH_OK;
}

th_status th_offsets_init(th_offsets *offsets, uint64_t bytes, void *bookkeeping,
                          size_t bookkeeping_bytes, const th_offsets_config *config) {
    th_offsets_config c = {0};
    if (config != NULL) {
        c = *config;
    }
    c.granule = c.granule == 0 ? 1 : c.granule;
    if (offsets == NULL || bookkeeping == NULL) {
        return TH_ERR_NULL;
    }
    if ((c.granule & (c.granule - 1)) != 0) {
        return TH_ERR_ALIGNMENT;
    }
    if ((unsigned)c.policy > TH_OFFSETS_WORST_FIT || !th_guarding_is_valid(&c.guarding)) {
        return TH_ERR_CONFIG;
    }
    size_t nodes = bookkeeping_bytes / sizeof(node);
    if (bytes > BYTES_MAX || nodes >= NODES_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    if (bytes < c.granule || nodes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (!th_is_aligned((uintptr_t)bookkeeping, 8)) {
        return TH_ERR_MISALIGNED;
    }
    memset(offsets, 0, sizeof *offsets);
    offsets->bytes = bytes & ~(c.granule - 1);
    offsets->nodes = bookkeeping;
    offsets->nodes_max = (uint32_t)nodes;
    offsets->config = c;
    memset(offsets->nodes, 0, offsets->nodes_max * sizeof(node));
    return th_offsets_reset(offsets);
}

void th_offsets_clean_up(th_offsets *offsets) {
    if (offsets != NULL) {
        memset(offsets, 0, sizeof *offsets);
    }
}

/* ---- blocks ------------------------------------------------------------------------------- */

TH_DEFINE_SETTLE(offsets);

static bool raise(const th_offsets *o, th_fault_kind kind, th_offsets_block block) {
    size_t offset = block.offset < TH_FAULT_NOWHERE ? (size_t)block.offset : SIZE_MAX;
    th_guarding_raise(&o->config.guarding, kind, block.node, offset, 0, block.generation);
    return false;
}

/* Is the block live? False after a fault. */
static bool verify(const th_offsets *o, th_offsets_block block) {
    if (o == NULL || o->nodes == NULL) {
        return false;
    }
    const node *n = block.node < o->nodes_max ? &o->nodes[block.node] : NULL;
    if (n == NULL || block.generation % 2 == 0 || block.generation > n->generation) {
        return raise(o, TH_FAULT_NOT_A_BLOCK, block);
    }
    if (n->generation != block.generation) {
        return raise(o, TH_FAULT_DOUBLE_FREE, block);
    }
    if (n->offset != block.offset) {
        return raise(o, TH_FAULT_NOT_A_BLOCK, block);
    }
    return true;
}

static void count_live(th_offsets *o, uint64_t more, uint64_t less) {
    o->live_bytes += more - less;
    if (o->live_bytes > o->high_water_bytes) {
        o->high_water_bytes = o->live_bytes;
    }
}

/* The free extent becomes [gap][block][rest], gap and rest if there are any. */
static th_offsets_block carve(th_offsets *o, uint32_t index, uint64_t bytes, uint64_t alignment) {
    node *n = &o->nodes[index];
    uint64_t offset = round_up(n->offset, alignment);
    uint64_t gap = offset - n->offset;
    uint64_t rest = n->bytes - gap - bytes;
    take_from_class(o, index);
    n->offset = offset;
    n->bytes = bytes;
    if (rest > 0) {
        insert_free(o, index, offset + bytes, rest);
    }
    if (gap > 0) {
        insert_free(o, n->below, offset - gap, gap);
    }
    n->generation++;
    o->live++;
    count_live(o, bytes, 0);
    return (th_offsets_block){.offset = offset, .node = index, .generation = n->generation};
}

th_offsets_block th_offsets_alloc_aligned(th_offsets *offsets, uint64_t bytes, uint64_t alignment) {
    th_offsets *o = offsets;
    th_offsets_block none = {0};
    bool possible = bytes > 0 && alignment != 0 && (alignment & (alignment - 1)) == 0;
    if (!possible || o == NULL || o->nodes == NULL) {
        return none;
    }
    uint32_t found = NONE;
    if (bytes <= o->bytes && alignment <= BYTES_MAX) {
        bytes = round_up(bytes, o->config.granule);
        found = find_room(o, bytes, alignment);
    }
    if (found == NONE || !has_nodes(o, 2)) {
        o->failed_allocs++;
        return none;
    }
    th_offsets_block block = carve(o, found, bytes, alignment);
    th_offsets_settle(o);
    return block;
}

th_offsets_block th_offsets_alloc(th_offsets *offsets, uint64_t bytes) {
    return th_offsets_alloc_aligned(offsets, bytes, 1);
}

/* Takes the neighbour `other`, which lies above, into the free extent. */
static void merge(th_offsets *o, uint32_t index, uint32_t other) {
    o->nodes[index].bytes += o->nodes[other].bytes;
    remove_node(o, other);
}

bool th_offsets_free(th_offsets *offsets, th_offsets_block block) {
    th_offsets *o = offsets;
    if (block.generation == 0) {
        return true;
    }
    if (!verify(o, block)) {
        return false;
    }
    uint32_t index = block.node;
    node *n = &o->nodes[index];
    uint32_t above = n->above;
    uint32_t below = n->below;
    n->generation++;
    o->live--;
    count_live(o, 0, n->bytes);
    if (above != NONE && !is_live(&o->nodes[above])) {
        take_from_class(o, above);
        merge(o, index, above);
    }
    if (below != NONE && !is_live(&o->nodes[below])) {
        take_from_class(o, below);
        merge(o, below, index);
        index = below;
    }
    put_in_class(o, index);
    th_offsets_settle(o);
    return true;
}

bool th_offsets_resize_in_place(th_offsets *offsets, th_offsets_block block, uint64_t bytes) {
    th_offsets *o = offsets;
    if (!verify(o, block) || bytes == 0 || bytes > o->bytes) {
        return false;
    }
    node *n = &o->nodes[block.node];
    uint32_t above = n->above;
    bool vacant = above != NONE && !is_live(&o->nodes[above]);
    uint64_t both = n->bytes + (vacant ? o->nodes[above].bytes : 0);
    uint64_t old = n->bytes;
    bytes = round_up(bytes, o->config.granule);
    if (bytes > both || (bytes < both && !vacant && !has_nodes(o, 1))) {
        return false;
    }
    if (vacant) {
        take_from_class(o, above);
        remove_node(o, above);
    }
    n->bytes = bytes;
    if (bytes < both) {
        insert_free(o, block.node, n->offset + bytes, both - bytes);
    }
    count_live(o, bytes, old);
    th_offsets_settle(o);
    return true;
}

uint64_t th_offsets_size(const th_offsets *offsets, th_offsets_block block) {
    return verify(offsets, block) ? offsets->nodes[block.node].bytes : 0;
}

th_offsets_block th_offsets_find(const th_offsets *offsets, uint64_t offset) {
    th_offsets_block none = {0};
    uint32_t i = offsets != NULL && offsets->nodes != NULL ? offsets->lowest : NONE;
    while (i != NONE && offset - offsets->nodes[i].offset >= offsets->nodes[i].bytes) {
        i = offsets->nodes[i].above;
    }
    if (i == NONE || !is_live(&offsets->nodes[i])) {
        return none;
    }
    const node *n = &offsets->nodes[i];
    return (th_offsets_block){.offset = n->offset, .node = i, .generation = n->generation};
}

/* The largest free extent is in the highest class that has any. */
static uint64_t largest_free(const th_offsets *o) {
    uint64_t largest = 0;
    if (o->powers == 0) {
        return 0;
    }
    unsigned power = th_highest_bit(o->powers);
    unsigned class = power * STEPS + th_highest_bit(o->steps[power]);
    for (uint32_t i = o->heads[class]; i != NONE; i = o->nodes[i].after) {
        if (o->nodes[i].bytes > largest) {
            largest = o->nodes[i].bytes;
        }
    }
    return largest;
}

th_offsets_stats th_offsets_get_stats(const th_offsets *offsets) {
    if (offsets == NULL) {
        return (th_offsets_stats){0};
    }
    const th_offsets *o = offsets;
    return (th_offsets_stats){.bytes = o->bytes,
                              .live_bytes = o->live_bytes,
                              .high_water_bytes = o->high_water_bytes,
                              .free_bytes = o->bytes - o->live_bytes,
                              .largest_free_bytes = largest_free(o),
                              .failed_allocs = o->failed_allocs,
                              .live = o->live,
                              .free_extents = o->free_extents};
}

/* ---- the checker -------------------------------------------------------------------------- */

typedef struct tally {
    uint32_t live, free, nodes;
    uint64_t live_bytes, bytes;
} tally;

static th_status corrupt(th_fault *fault, th_fault_kind kind, size_t block, uint64_t expected,
                         uint64_t found) {
    return th_guarding_corrupt(fault, kind, block, SIZE_MAX, expected, found);
}

/* From the bottom up: tiling, links, no two free neighbours. It ends, since nothing can be above
 * two extents. */
static th_status check_extents(const th_offsets *o, tally *t, th_fault *fault) {
    uint32_t below = NONE;
    for (uint32_t i = o->lowest; i != NONE; i = o->nodes[i].above) {
        if (i >= o->nodes_max) {
            return corrupt(fault, TH_FAULT_CHAIN, below, o->nodes_max, i);
        }
        const node *n = &o->nodes[i];
        bool adjacent = below != NONE && !is_live(n) && !is_live(&o->nodes[below]);
        if (n->below != below || n->offset != t->bytes || n->bytes == 0 || adjacent) {
            return corrupt(fault, TH_FAULT_CHAIN, i, t->bytes, n->offset);
        }
        t->nodes++;
        t->bytes += n->bytes;
        t->live += is_live(n);
        t->free += !is_live(n);
        t->live_bytes += is_live(n) ? n->bytes : 0;
        below = i;
    }
    return t->bytes == o->bytes ? TH_OK : corrupt(fault, TH_FAULT_CHAIN, below, o->bytes, t->bytes);
}

/* Do the bitmaps say which classes have extents? Without branches: level 3 looks at all of them
 * after each call. */
TH_TRACK_BLIND static bool are_bitmaps_sound(const th_offsets *o) {
    uint64_t powers = 0;
    bool sound = true;
    for (unsigned power = 0; power < sizeof o->steps; power++) {
        const uint32_t *heads = o->heads + power * STEPS;
        unsigned steps = 0;
        for (unsigned step = 0; step < STEPS; step++) {
            steps |= (unsigned)(heads[step] != NONE) << step;
        }
        sound &= o->steps[power] == steps;
        powers |= (uint64_t)(steps != 0) << power;
    }
    return sound & (o->powers == powers);
}

/* Every free extent is in its class, and nothing else. It ends, since nothing can be after two
 * extents. */
static th_status check_classes(const th_offsets *o, const tally *t, th_fault *fault) {
    uint32_t count = 0;
    if (!are_bitmaps_sound(o)) {
        return corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, 0, 0);
    }
    for (unsigned class = next_class(o, 0); class < TH_OFFSETS_CLASSES;
         class = next_class(o, class + 1)) {
        uint32_t before = NONE;
        for (uint32_t i = o->heads[class]; i != NONE; i = o->nodes[i].after) {
            const node *n = i < o->nodes_max ? &o->nodes[i] : NULL;
            if (n == NULL || is_live(n) || n->bytes == 0 || n->before != before ||
                class_of(granules_of(o, n->bytes)) != class) {
                return corrupt(fault, TH_FAULT_CHAIN, i, class, count);
            }
            before = i;
            count++;
        }
    }
    return count == t->free ? TH_OK : corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, t->free, count);
}

/* What is in no extent is in the list of unused nodes. */
static th_status check_unused(const th_offsets *o, tally *t, th_fault *fault) {
    for (uint32_t i = o->unused; i != NONE; i = o->nodes[i].after) {
        const node *n = i < o->nodes_max ? &o->nodes[i] : NULL;
        if (n == NULL || ++t->nodes > o->nodes_max || is_live(n) || n->bytes != 0) {
            return corrupt(fault, TH_FAULT_CHAIN, i, o->nodes_max, t->nodes);
        }
    }
    return t->nodes == o->nodes_max
               ? TH_OK
               : corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, o->nodes_max, t->nodes);
}

static th_status check_counts(const th_offsets *o, const tally *t, th_fault *fault) {
    if (t->live != o->live) {
        return corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, t->live, o->live);
    }
    if (t->free != o->free_extents) {
        return corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, t->free, o->free_extents);
    }
    if (t->live_bytes != o->live_bytes) {
        return corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, t->live_bytes, o->live_bytes);
    }
    return t->live_bytes <= o->high_water_bytes
               ? TH_OK
               : corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, t->live_bytes, o->high_water_bytes);
}

th_status th_offsets_check(const th_offsets *offsets, th_fault *fault) {
    tally t = {0};
    th_no_fault(fault);
    if (offsets == NULL || offsets->nodes == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_extents(offsets, &t, fault);
    status = status == TH_OK ? check_classes(offsets, &t, fault) : status;
    status = status == TH_OK ? check_unused(offsets, &t, fault) : status;
    return status == TH_OK ? check_counts(offsets, &t, fault) : status;
}
