/* SPDX-License-Identifier: MIT */
/* Splitting and merging; the tree itself is described in buddy_tree.h, its checker is
 * buddy_check.c. */
#include "tagheap/buddy.h"

#include <string.h>

#include "alloc/buddy_tree.h"
#include "alloc/guarding.h"
#include "alloc/moving.h"
#include "base/align.h"
#include "base/track.h"

#define UNIT_MIN     ((size_t)16)
#define UNIT_DEFAULT ((size_t)64)
#define UNITS_MAX    ((size_t)1 << 30)

#define BOOKKEEPING_ALIGNMENT ((size_t)8)

/* ---- shape -------------------------------------------------------------------------------- */

/* What the tree will look like over a piece of memory. */
typedef struct shape {
    uintptr_t origin, low, high;
    uint8_t unit_log2, order_max;
} shape;

static th_status check_config(const th_buddy_config *config) {
    if (!th_is_power_of_two(config->unit) || config->unit < UNIT_MIN) {
        return TH_ERR_ALIGNMENT;
    }
    return th_guarding_is_valid(&config->guarding) ? TH_OK : TH_ERR_CONFIG;
}

static th_buddy_config config_of(const th_buddy_config *config) {
    th_buddy_config c = {0};
    if (config != NULL) {
        c = *config;
    }
    c.unit = c.unit == 0 ? UNIT_DEFAULT : c.unit;
    return c;
}

/* The root covers one or two powers of two that are not smaller than the memory, so that every
 * block but the root, which is never free as a whole then, is aligned to its size. */
static th_status find_shape(shape *s, const void *memory, size_t bytes, size_t unit) {
    uintptr_t at = (uintptr_t)memory;
    uintptr_t mask = unit - 1;
    if (bytes > PTRDIFF_MAX || bytes > UINTPTR_MAX - at || at > UINTPTR_MAX - mask) {
        return TH_ERR_TOO_LARGE;
    }
    s->low = (at + mask) & ~mask;
    s->high = (at + bytes) & ~mask;
    if (s->high <= s->low) {
        return TH_ERR_TOO_SMALL;
    }
    uintptr_t span = unit;
    while (span < s->high - s->low) {
        span <<= 1;
    }
    s->origin = s->low & ~(span - 1);
    s->unit_log2 = (uint8_t)th_highest_bit(unit);
    s->order_max = (uint8_t)(th_highest_bit(span) - s->unit_log2);
    if (s->high - s->origin > span) {
        s->order_max++;
    }
    return ((size_t)1 << s->order_max) > UNITS_MAX ? TH_ERR_TOO_LARGE : TH_OK;
}

/* From level 1 on the sizes asked for are known; so they are where a tool wants to know them. */
static bool keeps_slack(int level) {
#if TH_TRACK_ANY
    (void)level;
    return true;
#else
    return level >= 1;
#endif
}

/* Tree, slack, use from level 2 on. */
static size_t bookkeeping_bytes(uint8_t order_max, int level) {
    size_t units = (size_t)1 << order_max;
    return 2 * units + (keeps_slack(level) ? units * sizeof(size_t) : 0) + (level >= 2 ? units : 0);
}

size_t th_buddy_bookkeeping_bytes(const void *memory, size_t bytes, const th_buddy_config *config) {
    th_buddy_config c = config_of(config);
    shape s;
    if (memory == NULL || check_config(&c) != TH_OK ||
        find_shape(&s, memory, bytes, c.unit) != TH_OK) {
        return 0;
    }
    return bookkeeping_bytes(s.order_max, th_guarding_level(&c.guarding));
}

/* The smallest order whose blocks hold `bytes` bytes; above order_max if there is none. A root over
 * memory that straddles the middle of the address space has more bytes than a size_t can say. */
static unsigned order_for(const th_buddy *b, size_t bytes) {
    size_t units = (bytes - 1) >> b->unit_log2;
    unsigned order = 0;
    while (order <= b->order_max && units >> order != 0) {
        order++;
    }
    return order;
}

/* ---- the tree ----------------------------------------------------------------------------- */

/* The node has changed: so may have those above it. */
static void update_above(th_buddy *b, size_t node, unsigned order) {
    while (node > 1) {
        node /= 2;
        order++;
        b->tree[node] = th_buddy_join(b->tree, node, order);
    }
}

/* The largest node around a unit inside the memory that is a block, which holds 0, or free as a
 * whole. */
static size_t find_extent(const th_buddy *b, size_t unit, unsigned *order) {
    const uint8_t *tree = b->tree;
    size_t node = th_buddy_units(b) + unit;
    size_t above = node / 2;
    *order = 0;
    while (above > 0 && tree[2 * above] == *order + 1 &&
           (tree[above] == *order + 2 || tree[above] == 0)) {
        node = above;
        above /= 2;
        ++*order;
    }
    return node;
}

size_t th_buddy_find_block(const th_buddy *b, size_t unit, unsigned *order) {
    size_t node = find_extent(b, unit, order);
    return b->tree[node] == 0 ? node : 0;
}

/* The lowest free node of that order: there is one. */
static size_t descend(const th_buddy *b, unsigned order) {
    size_t node = 1;
    for (unsigned k = b->order_max; k > order; k--) {
        node = 2 * node + (b->tree[2 * node] > order ? 0 : 1);
    }
    return node;
}

static void build(th_buddy *b) {
    size_t units = th_buddy_units(b);
    size_t first = th_buddy_lowest_unit(b);
    memset(b->tree + units, 0, units);
    memset(b->tree + units + first, 1, th_buddy_end_unit(b) - first);
    for (unsigned order = 1; order <= b->order_max; order++) {
        size_t nodes = units >> order;
        for (size_t node = nodes; node < 2 * nodes; node++) {
            b->tree[node] = th_buddy_join(b->tree, node, order);
        }
    }
    b->tree[0] = 0;
}

/* ---- guards ------------------------------------------------------------------------------- */

static void raise(const th_buddy *b, th_fault_kind kind, size_t unit, size_t offset,
                  uint32_t expected, uint32_t found) {
    th_guarding_raise(&b->config.guarding, kind, unit, offset, expected, found);
}

bool th_buddy_has_size(const th_buddy *b, size_t unit, unsigned order) {
    return b->slack[unit] < th_buddy_block_bytes(b, order);
}

th_status th_buddy_find_canary(const th_buddy *b, size_t unit, unsigned order, th_fault *fault) {
    size_t slack = b->slack[unit];
    unsigned char *end = th_buddy_unit_at(b, unit) + th_buddy_block_bytes(b, order);
    return th_guarding_find_canary(b->origin, end - slack, slack, unit, fault);
}

size_t th_buddy_find_written(const th_buddy *b, size_t unit, size_t count, uint32_t *found) {
    size_t bytes = th_buddy_block_bytes(b, 0);
    for (size_t i = unit; i < unit + count; i++) {
        size_t good = b->used[i] == 0
                          ? bytes
                          : th_pattern_find(th_buddy_unit_at(b, i), TH_POISON_BYTE, bytes, found);
        if (good < bytes) {
            return (i << b->unit_log2) + good;
        }
    }
    return SIZE_MAX;
}

/* Before free units are used. False after a fault. */
static bool verify_poison(const th_buddy *b, size_t unit, size_t count) {
    uint32_t found = 0;
    size_t bad = th_buddy_level(b) >= 2 ? th_buddy_find_written(b, unit, count, &found) : SIZE_MAX;
    if (bad != SIZE_MAX) {
        raise(b, TH_FAULT_POISON, bad >> b->unit_log2, bad, TH_POISON_BYTE, found);
    }
    return bad == SIZE_MAX;
}

/* Units have become free. */
static void wipe(th_buddy *b, size_t unit, size_t count) {
    unsigned char *at = th_buddy_unit_at(b, unit);
    size_t bytes = count << b->unit_log2;
    if (th_buddy_level(b) >= 2) {
        th_pattern_fill(at, TH_POISON_BYTE, bytes);
        memset(b->used + unit, 1, count);
    }
    th_track_close(at, bytes);
}

/* A block has become live, or its size another one: bytes [opened, bytes) are new to the caller. */
static void open(th_buddy *b, size_t unit, unsigned order, size_t opened, size_t bytes) {
    unsigned char *at = th_buddy_unit_at(b, unit);
    size_t slack = th_buddy_block_bytes(b, order) - bytes;
    if (bytes > opened) {
        th_track_open(at + opened, bytes - opened);
    }
    if (b->slack != NULL) {
        b->slack[unit] = slack;
    }
    if (th_buddy_level(b) >= 1) {
        th_guarding_write_canary(b->origin, at + bytes, slack);
    }
    th_track_close(at + bytes, slack);
}

/* Level 3: after each call. */
static void settle(const th_buddy *b) {
    th_fault fault;
    if (th_buddy_level(b) >= 3 && th_buddy_check(b, &fault) != TH_OK) {
        th_guarding_report(&b->config.guarding, &fault);
    }
}

/* The node of the live block at `pointer`, and *order; raises nothing. With guards: TH_ERR_CORRUPT
 * if there is none, or its canary is damaged. */
static th_status find_live(const th_buddy *b, const void *pointer, size_t *node, unsigned *order,
                           th_fault *fault) {
    uintptr_t distance = (uintptr_t)pointer - b->origin;
    size_t unit = distance >> b->unit_log2;
    bool guarded = th_buddy_level(b) > 0;
    if (guarded && ((uintptr_t)pointer < b->low || (uintptr_t)pointer >= b->high)) {
        return th_guarding_corrupt(fault, TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 0,
                                   (uint32_t)distance);
    }
    if (guarded && distance % th_buddy_block_bytes(b, 0) != 0) {
        return th_guarding_corrupt(fault, TH_FAULT_MISALIGNED, unit, distance, 0, distance);
    }
    *node = th_buddy_find_block(b, unit, order);
    if (!guarded) {
        return TH_OK;
    }
    if (*node == 0) {
        return th_guarding_corrupt(fault, TH_FAULT_DOUBLE_FREE, unit, distance, 0, distance);
    }
    size_t first = th_buddy_first_unit(b, *node, *order);
    if (first != unit) {
        return th_guarding_corrupt(fault, TH_FAULT_NOT_A_BLOCK, first, distance,
                                   first << b->unit_log2, distance);
    }
    if (!th_buddy_has_size(b, unit, *order)) {
        return th_guarding_corrupt(fault, TH_FAULT_CONTROL, unit, SIZE_MAX, 0, b->slack[unit]);
    }
    return th_buddy_find_canary(b, unit, *order, fault);
}

/* The same, but 0 after a fault. */
static size_t claim(const th_buddy *b, const void *pointer, unsigned *order) {
    th_fault fault;
    size_t node;
    if (find_live(b, pointer, &node, order, &fault) == TH_OK) {
        return node;
    }
    th_guarding_report(&b->config.guarding, &fault);
    return 0;
}

/* ---- life --------------------------------------------------------------------------------- */

th_status th_buddy_init(th_buddy *buddy, void *memory, size_t bytes, void *bookkeeping, size_t room,
                        const th_buddy_config *config) {
    th_buddy_config c = config_of(config);
    shape s = {0};
    if (buddy == NULL || memory == NULL || bookkeeping == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_config(&c);
    status = status == TH_OK ? find_shape(&s, memory, bytes, c.unit) : status;
    if (status != TH_OK) {
        return status;
    }
    int level = th_guarding_level(&c.guarding);
    if (!th_is_aligned((uintptr_t)bookkeeping, BOOKKEEPING_ALIGNMENT)) {
        return TH_ERR_MISALIGNED;
    }
    if (room < bookkeeping_bytes(s.order_max, level)) {
        return TH_ERR_TOO_SMALL;
    }
    size_t units = (size_t)1 << s.order_max;
    unsigned char *at = bookkeeping;
    *buddy = (th_buddy){.origin = s.origin,
                        .low = s.low,
                        .high = s.high,
                        .unit_log2 = s.unit_log2,
                        .order_max = s.order_max,
                        .config = c};
    if (keeps_slack(level)) {
        buddy->slack = bookkeeping;
        memset(buddy->slack, 0, units * sizeof(size_t));
        at += units * sizeof(size_t);
    }
    buddy->tree = at;
    if (level >= 2) {
        buddy->used = at + 2 * units;
        memset(buddy->used, 0, units);
    }
    build(buddy);
    th_track_close((void *)buddy->low, buddy->high - buddy->low);
    return TH_OK;
}

th_status th_buddy_create(th_buddy *buddy, th_allocator backing, size_t bytes,
                          const th_buddy_config *config) {
    th_buddy_config c = config_of(config);
    if (buddy == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_config(&c);
    if (status != TH_OK) {
        return status;
    }
    if (backing.table == NULL || !th_backing_is_usable(&backing)) {
        return TH_ERR_CONFIG;
    }
    if (bytes < c.unit) {
        return TH_ERR_TOO_SMALL;
    }
    bytes &= ~(c.unit - 1);
    unsigned char *memory = th_allocator_alloc_aligned(backing, bytes, c.unit);
    size_t room = th_buddy_bookkeeping_bytes(memory, bytes, &c);
    void *bookkeeping = room != 0 ? th_allocator_alloc(backing, room) : NULL;
    status = memory == NULL || (room != 0 && bookkeeping == NULL)
                 ? TH_ERR_EXHAUSTED
                 : th_buddy_init(buddy, memory, bytes, bookkeeping, room, &c);
    if (status != TH_OK) {
        th_allocator_free(backing, bookkeeping);
        th_allocator_free(backing, memory);
        return room == 0 && memory != NULL ? TH_ERR_TOO_LARGE : status;
    }
    buddy->backing = backing;
    buddy->owned = bookkeeping;
    return TH_OK;
}

void th_buddy_clean_up(th_buddy *buddy) {
    if (buddy == NULL || buddy->tree == NULL) {
        return;
    }
    void *memory = (void *)buddy->low;
    th_track_release(memory, buddy->high - buddy->low);
    if (buddy->owned != NULL) {
        th_allocator_free(buddy->backing, buddy->owned);
        th_allocator_free(buddy->backing, memory);
    }
    memset(buddy, 0, sizeof *buddy);
}

void th_buddy_reset(th_buddy *buddy) {
    if (buddy->tree == NULL) {
        return;
    }
    size_t count;
    for (size_t i = th_buddy_lowest_unit(buddy); i < th_buddy_end_unit(buddy); i += count) {
        unsigned order;
        size_t node = th_buddy_find_block(buddy, i, &order);
        count = (size_t)1 << order;
        if (node != 0) {
            wipe(buddy, i, count);
        }
    }
    build(buddy);
    buddy->live_blocks = 0;
    buddy->live_bytes = 0;
    settle(buddy);
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void count_live(th_buddy *b, size_t bytes) {
    b->live_bytes += bytes;
    if (b->live_bytes > b->high_water_bytes) {
        b->high_water_bytes = b->live_bytes;
    }
}

void *th_buddy_alloc_aligned(th_buddy *buddy, size_t bytes, size_t alignment) {
    if (bytes == 0 || !th_is_power_of_two(alignment)) {
        return NULL;
    }
    unsigned order = order_for(buddy, bytes > alignment ? bytes : alignment);
    if (buddy->tree == NULL || buddy->tree[1] <= order) {
        buddy->failed_allocs++;
        return NULL;
    }
    size_t node = descend(buddy, order);
    size_t unit = th_buddy_first_unit(buddy, node, order);
    if (!verify_poison(buddy, unit, (size_t)1 << order)) {
        return NULL;
    }
    buddy->tree[node] = 0;
    update_above(buddy, node, order);
    buddy->live_blocks++;
    count_live(buddy, th_buddy_block_bytes(buddy, order));
    open(buddy, unit, order, 0, bytes);
    settle(buddy);
    return th_buddy_unit_at(buddy, unit);
}

void *th_buddy_alloc(th_buddy *buddy, size_t bytes) {
    return th_buddy_alloc_aligned(buddy, bytes, TH_ALLOCATOR_ALIGNMENT);
}

void th_buddy_free(th_buddy *buddy, void *pointer) {
    unsigned order;
    size_t node = pointer != NULL && buddy->tree != NULL ? claim(buddy, pointer, &order) : 0;
    if (node == 0) {
        return;
    }
    buddy->live_blocks--;
    buddy->live_bytes -= th_buddy_block_bytes(buddy, order);
    wipe(buddy, th_buddy_first_unit(buddy, node, order), (size_t)1 << order);
    buddy->tree[node] = (uint8_t)(order + 1);
    update_above(buddy, node, order);
    settle(buddy);
}

/* The node `wanted - order` levels above, of which `node` is the lowest part, all else being free;
 * 0 if it is not so. */
static size_t climb(const th_buddy *b, size_t node, unsigned order, unsigned wanted) {
    for (; order < wanted; order++) {
        if (node % 2 != 0 || b->tree[node + 1] != order + 1) {
            return 0;
        }
        node /= 2;
    }
    return node;
}

/* The block becomes the larger one `above`, whose lowest part it is. */
static void take_above(th_buddy *b, size_t above, unsigned order, unsigned wanted) {
    size_t node = above;
    for (unsigned k = wanted; k-- > order;) {
        node *= 2;
        b->tree[node] = (uint8_t)(k + 1);
    }
    b->tree[above] = 0;
    update_above(b, above, wanted);
}

/* The block keeps only its lowest part of order `wanted`. */
static void give_halves(th_buddy *b, size_t node, unsigned order, unsigned wanted) {
    size_t below = node << (order - wanted);
    b->tree[below] = 0;
    update_above(b, below, wanted);
    wipe(b, th_buddy_first_unit(b, below, wanted) + ((size_t)1 << wanted),
         ((size_t)1 << order) - ((size_t)1 << wanted));
}

bool th_buddy_resize(th_buddy *buddy, void *pointer, size_t bytes) {
    unsigned order;
    if (bytes == 0 || pointer == NULL || buddy->tree == NULL) {
        return false;
    }
    unsigned wanted = order_for(buddy, bytes);
    size_t node = claim(buddy, pointer, &order);
    if (node == 0 || wanted > buddy->order_max) {
        return false;
    }
    size_t unit = th_buddy_first_unit(buddy, node, order);
    size_t old = th_buddy_block_bytes(buddy, order);
    size_t opened = buddy->slack != NULL ? old - buddy->slack[unit] : old;
    if (wanted > order) {
        size_t above = climb(buddy, node, order, wanted);
        size_t count = (size_t)1 << order;
        if (above == 0 || !verify_poison(buddy, unit + count, ((size_t)1 << wanted) - count)) {
            return false;
        }
        take_above(buddy, above, order, wanted);
    } else if (wanted < order) {
        give_halves(buddy, node, order, wanted);
    }
    count_live(buddy, th_buddy_block_bytes(buddy, wanted) - old);
    open(buddy, unit, wanted, opened, bytes);
    settle(buddy);
    return true;
}

size_t th_buddy_usable_size(const th_buddy *buddy, const void *pointer) {
    unsigned order;
    size_t node = pointer != NULL && buddy->tree != NULL ? claim(buddy, pointer, &order) : 0;
    return node != 0 ? th_buddy_block_bytes(buddy, order) : 0;
}

bool th_buddy_owns(const th_buddy *buddy, const void *address) {
    uintptr_t at = (uintptr_t)address;
    unsigned order;
    return at >= buddy->low && at < buddy->high &&
           th_buddy_find_block(buddy, (at - buddy->origin) >> buddy->unit_log2, &order) != 0;
}

void th_buddy_get_stats(const th_buddy *buddy, th_buddy_stats *stats) {
    size_t managed = buddy->high - buddy->low;
    *stats = (th_buddy_stats){.managed_bytes = managed,
                              .live_bytes = buddy->live_bytes,
                              .high_water_bytes = buddy->high_water_bytes,
                              .free_bytes = managed - buddy->live_bytes,
                              .live_blocks = buddy->live_blocks,
                              .failed_allocs = buddy->failed_allocs};
    if (buddy->tree != NULL && buddy->tree[1] != 0) {
        stats->largest_free_bytes = th_buddy_block_bytes(buddy, buddy->tree[1] - 1u);
    }
}

/* ---- the interface ------------------------------------------------------------------------ */

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return th_buddy_alloc_aligned(self, bytes, alignment);
}

static void table_free(void *self, void *pointer) {
    th_buddy_free(self, pointer);
}

static bool table_resize(void *self, void *pointer, size_t bytes) {
    return th_buddy_resize(self, pointer, bytes);
}

/* table_resize, which is always asked first, has reported what is bad. */
static void *table_move(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_buddy *buddy = self;
    size_t node;
    unsigned order;
    if (th_buddy_level(buddy) > 0 && find_live(buddy, pointer, &node, &order, NULL) != TH_OK) {
        return NULL;
    }
    return th_move_by_copy(th_buddy_allocator(buddy), pointer, kept, bytes, alignment);
}

static void table_reset(void *self) {
    th_buddy_reset(self);
}

static bool table_owns(const void *self, const void *pointer) {
    return th_buddy_owns(self, pointer);
}

static size_t table_usable_size(const void *self, const void *pointer) {
    return th_buddy_usable_size(self, pointer);
}

static th_status table_check(const void *self, th_fault *fault) {
    return th_buddy_check(self, fault);
}

th_allocator th_buddy_allocator(th_buddy *buddy) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .free = table_free,
                                             .resize_in_place = table_resize,
                                             .resize = table_move,
                                             .reset = table_reset,
                                             .owns = table_owns,
                                             .usable_size = table_usable_size,
                                             .check = table_check};
    return (th_allocator){.table = &table, .self = buddy};
}
