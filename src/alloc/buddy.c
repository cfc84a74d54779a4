/* SPDX-License-Identifier: MIT */
/* Blocks are taken and freed; that free memory is split and merged follows from what the words of
 * the tree, which is described in buddy_tree.h, add up to. The checker is buddy_check.c. */
#include "tagheap/buddy.h"

#include <string.h>

#include "alloc/buddy_tree.h"
#include "alloc/guarding.h"
#include "alloc/moving.h"
#include "alloc/thunks.h"
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

/* The words of the lowest lanes are the last ones. */
static size_t tree_bytes(uint8_t order_max) {
    size_t first = ((size_t)1 << order_max) >> TH_BUDDY_BITS_LOG2;
    return (first + th_buddy_words(first)) * sizeof(uint64_t);
}

/* Tree, slack, live blocks, use from level 2 on. */
static size_t bookkeeping_bytes(uint8_t order_max, int level) {
    size_t units = (size_t)1 << order_max;
    return tree_bytes(order_max) + (th_guarding_watches(level) ? units * sizeof(size_t) : 0) +
           units + (level >= 2 ? units : 0);
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

/* The smallest order whose blocks hold `bytes` bytes, which may be above order_max. */
static unsigned order_for(const th_buddy *b, size_t bytes) {
    size_t rest = (bytes - 1) >> b->unit_log2;
    return rest == 0 ? 0 : th_highest_bit(rest) + 1;
}

/* ---- the book of live blocks -------------------------------------------------------------- */

/* Nothing is live, and all that lies inside the memory is free. */
static void free_all(th_buddy *b) {
    th_buddy_build_tree(b);
    memset(b->live, 0, th_buddy_units(b));
}

/* ---- guards ------------------------------------------------------------------------------- */

/* Before free units are used. False after a fault. */
static bool verify_poison(const th_buddy *b, size_t unit, size_t count) {
    uint32_t found = 0;
    size_t bad = th_buddy_level(b) >= 2 ? th_buddy_find_written(b, unit, count, &found) : SIZE_MAX;
    if (bad != SIZE_MAX) {
        th_guarding_raise(&b->config.guarding, TH_FAULT_POISON, bad >> b->unit_log2, bad,
                          TH_POISON_BYTE, found);
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

/* Bytes [opened, bytes) of a block are new to the caller, and what follows is slack. */
static void open(th_buddy *b, size_t unit, unsigned order, size_t opened, size_t bytes) {
    unsigned char *at = th_buddy_unit_at(b, unit);
    size_t slack = th_buddy_block_bytes(b, order) - bytes;
    if (bytes > opened) {
        th_track_open(at + opened, bytes - opened);
    }
    if (th_guarding_watches(th_buddy_level(b))) {
        b->slack[unit] = slack;
    }
    if (th_buddy_level(b) >= 1) {
        th_guarding_write_canary(b->origin, at + bytes, slack);
    }
    th_track_close(at + bytes, slack);
}

TH_DEFINE_SETTLE(buddy);

/* What is wrong with a pointer to a unit in which no block begins. */
static th_status describe_stray(const th_buddy *b, size_t unit, th_fault *fault) {
    size_t at = unit << b->unit_log2;
    size_t first;
    return th_buddy_find_block(b, unit, &first)
               ? th_guarding_corrupt(fault, TH_FAULT_NOT_A_BLOCK, first, at, first << b->unit_log2,
                                     at)
               : th_guarding_corrupt(fault, TH_FAULT_DOUBLE_FREE, unit, at, 0, at);
}

/* TH_ERR_CORRUPT if no live block begins at `pointer`, or it is damaged; raises nothing. */
static th_status verify_live(const th_buddy *b, const void *pointer, th_fault *fault) {
    uintptr_t distance = (uintptr_t)pointer - b->origin;
    size_t unit = distance >> b->unit_log2;
    if ((uintptr_t)pointer < b->low || (uintptr_t)pointer >= b->high) {
        return th_guarding_corrupt(fault, TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 0,
                                   (uint32_t)distance);
    }
    if (distance % th_buddy_block_bytes(b, 0) != 0) {
        return th_guarding_corrupt(fault, TH_FAULT_MISALIGNED, unit, distance, 0, distance);
    }
    if (b->live[unit] == 0) {
        return describe_stray(b, unit, fault);
    }
    return th_buddy_check_block(b, unit, fault);
}

/* Finds the live block at `pointer`. False, after a fault if there are guards, if there is none. */
static inline TH_ALWAYS_INLINE bool require_live(const th_buddy *b, const void *pointer,
                                                 size_t *unit, unsigned *order) {
    th_fault fault;
    if (b == NULL || pointer == NULL || b->tree == NULL) {
        return false;
    }
    if (th_buddy_level(b) > 0 && verify_live(b, pointer, &fault) != TH_OK) {
        th_guarding_report(&b->config.guarding, &fault);
        return false;
    }
    *unit = ((uintptr_t)pointer - b->origin) >> b->unit_log2;
    *order = b->live[*unit] - 1u;
    return b->live[*unit] != 0;
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
    *buddy = (th_buddy){.origin = s.origin,
                        .low = s.low,
                        .high = s.high,
                        .tree = bookkeeping,
                        .unit_log2 = s.unit_log2,
                        .order_max = s.order_max,
                        .config = c};
    unsigned char *at = (unsigned char *)bookkeeping + tree_bytes(s.order_max);
    if (th_guarding_watches(level)) {
        buddy->slack = memset(at, 0, units * sizeof(size_t));
        at += units * sizeof(size_t);
    }
    buddy->live = at;
    if (level >= 2) {
        buddy->used = memset(at + units, 0, units);
    }
    free_all(buddy);
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

th_status th_buddy_reset(th_buddy *buddy) {
    if (buddy == NULL || buddy->tree == NULL) {
        return TH_ERR_NULL;
    }
    for (size_t unit = th_buddy_lowest_unit(buddy); unit < th_buddy_end_unit(buddy); unit++) {
        if (buddy->live[unit] != 0) {
            wipe(buddy, unit, (size_t)1 << (buddy->live[unit] - 1u));
        }
    }
    free_all(buddy);
    buddy->live_blocks = 0;
    buddy->live_bytes = 0;
    th_buddy_settle(buddy);
    return TH_OK;
}

/* ---- blocks ------------------------------------------------------------------------------- */

/* A block has become live, or its size another one. */
static inline TH_ALWAYS_INLINE void count_live(th_buddy *b, size_t unit, unsigned order) {
    b->live_bytes += th_buddy_block_bytes(b, order);
    if (b->live_bytes > b->high_water_bytes) {
        b->high_water_bytes = b->live_bytes;
    }
    b->live[unit] = (uint8_t)(order + 1);
}

/* A block of that order, of which one is free. */
static inline TH_ALWAYS_INLINE void *take_lowest(th_buddy *b, size_t bytes, unsigned order,
                                                 unsigned lane_order) {
    th_buddy_place at = th_buddy_find_lowest(b, order, lane_order);
    size_t unit = th_buddy_unit_of(b, at);
    void *block = th_buddy_unit_at(b, unit);
    if (!verify_poison(b, unit, (size_t)1 << order)) {
        return NULL;
    }
    b->live_blocks++;
    count_live(b, unit, order);
    open(b, unit, order, 0, bytes);
    th_buddy_take(b, at);
    th_buddy_settle(b);
    return block;
}

TH_NOINLINE static void *take_lowest_small(th_buddy *b, size_t bytes, unsigned order) {
    return take_lowest(b, bytes, order, 0);
}

TH_NOINLINE static void *take_lowest_large(th_buddy *b, size_t bytes, unsigned order) {
    return take_lowest(b, bytes, order, th_buddy_lane_order(order));
}

/* Of a block of at least `block_bytes` bytes. */
static inline TH_ALWAYS_INLINE void *alloc(th_buddy *b, size_t bytes, size_t block_bytes) {
    if (b == NULL) {
        return NULL;
    }
    unsigned order = order_for(b, block_bytes);
    if (order >= b->largest) { /* so it is without a tree */
        b->failed_allocs++;
        return NULL;
    }
    return order < TH_BUDDY_BITS_LOG2 ? take_lowest_small(b, bytes, order)
                                      : take_lowest_large(b, bytes, order);
}

void *th_buddy_alloc_aligned(th_buddy *buddy, size_t bytes, size_t alignment) {
    return bytes != 0 && th_is_power_of_two(alignment)
               ? alloc(buddy, bytes, bytes > alignment ? bytes : alignment)
               : NULL;
}

void *th_buddy_alloc(th_buddy *buddy, size_t bytes) {
    return bytes != 0 ? alloc(buddy, bytes, bytes) : NULL;
}

static inline TH_ALWAYS_INLINE void give_back(th_buddy *b, size_t unit, unsigned order,
                                              unsigned lane_order) {
    b->live_blocks--;
    b->live_bytes -= th_buddy_block_bytes(b, order);
    b->live[unit] = 0;
    wipe(b, unit, (size_t)1 << order);
    th_buddy_give(b, th_buddy_place_of(b, unit, order, lane_order));
    th_buddy_settle(b);
}

TH_NOINLINE static void give_back_large(th_buddy *b, size_t unit, unsigned order) {
    give_back(b, unit, order, th_buddy_lane_order(order));
}

void th_buddy_free(th_buddy *buddy, void *pointer) {
    size_t unit;
    unsigned order;
    if (!require_live(buddy, pointer, &unit, &order)) {
        return;
    }
    if (order < TH_BUDDY_BITS_LOG2) {
        give_back(buddy, unit, order, 0);
    } else {
        give_back_large(buddy, unit, order);
    }
}

/* May the block become one of the order `wanted`, of which it is the lowest part? */
static bool can_grow(const th_buddy *b, size_t unit, unsigned order, unsigned wanted) {
    while (order < wanted && th_is_aligned(unit, (size_t)2 << order) &&
           th_buddy_is_free(b, unit + ((size_t)1 << order), order)) {
        order++;
    }
    return order >= wanted;
}

bool th_buddy_resize_in_place(th_buddy *buddy, void *pointer, size_t bytes) {
    size_t unit;
    unsigned order;
    if (bytes == 0 || !require_live(buddy, pointer, &unit, &order)) {
        return false;
    }
    unsigned wanted = order_for(buddy, bytes);
    if (wanted > buddy->order_max || !can_grow(buddy, unit, order, wanted)) {
        return false;
    }
    size_t old = th_buddy_block_bytes(buddy, order);
    size_t opened = buddy->slack != NULL ? old - buddy->slack[unit] : old;
    size_t count = (size_t)1 << order;
    size_t wanted_count = (size_t)1 << wanted;
    if (wanted > order && !verify_poison(buddy, unit + count, wanted_count - count)) {
        return false;
    }
    if (wanted < order) {
        wipe(buddy, unit + wanted_count, count - wanted_count);
    }
    if (wanted != order) {
        th_buddy_place old_place =
            th_buddy_place_of(buddy, unit, order, th_buddy_lane_order(order));
        th_buddy_place new_place =
            th_buddy_place_of(buddy, unit, wanted, th_buddy_lane_order(wanted));
        th_buddy_give(buddy, old_place);
        th_buddy_take(buddy, new_place);
    }
    buddy->live_bytes -= old;
    count_live(buddy, unit, wanted);
    open(buddy, unit, wanted, opened, bytes);
    th_buddy_settle(buddy);
    return true;
}

size_t th_buddy_usable_size(const th_buddy *buddy, const void *pointer) {
    size_t unit;
    unsigned order;
    return require_live(buddy, pointer, &unit, &order) ? th_buddy_block_bytes(buddy, order) : 0;
}

bool th_buddy_owns(const th_buddy *buddy, const void *address) {
    if (buddy == NULL) {
        return false;
    }
    uintptr_t at = (uintptr_t)address;
    size_t first;
    return at >= buddy->low && at < buddy->high &&
           th_buddy_find_block(buddy, (at - buddy->origin) >> buddy->unit_log2, &first);
}

th_buddy_stats th_buddy_get_stats(const th_buddy *buddy) {
    if (buddy == NULL) {
        return (th_buddy_stats){0};
    }
    size_t managed = buddy->high - buddy->low;
    return (th_buddy_stats){
        .managed_bytes = managed,
        .live_bytes = buddy->live_bytes,
        .high_water_bytes = buddy->high_water_bytes,
        .free_bytes = managed - buddy->live_bytes,
        .largest_free_bytes =
            buddy->largest != 0 ? th_buddy_block_bytes(buddy, buddy->largest - 1u) : 0,
        .live = buddy->live_blocks,
        .failed_allocs = buddy->failed_allocs};
}

/* ---- the interface ------------------------------------------------------------------------ */

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return th_buddy_alloc_aligned(self, bytes, alignment);
}

TH_THUNKS(buddy);
TH_THUNK_RESIZE_IN_PLACE(buddy);
TH_THUNK_USABLE_SIZE(buddy);

/* resize_in_place, which is always asked first, has reported what is bad. */
static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_buddy *buddy = self;
    if (th_buddy_level(buddy) > 0 && verify_live(buddy, pointer, NULL) != TH_OK) {
        return NULL;
    }
    return th_move_by_copy(th_buddy_allocator(buddy), pointer, kept, bytes, alignment);
}

th_allocator th_buddy_allocator(th_buddy *buddy) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .resize_in_place = th_buddy_thunk_resize_in_place,
                                             .realloc = table_realloc,
                                             .usable_size = th_buddy_thunk_usable_size,
                                             TH_THUNKS_OF(buddy)};
    return th_allocator_of(&table, buddy);
}
