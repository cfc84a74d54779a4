/* SPDX-License-Identifier: MIT */
/* The buddy allocator (include/tagheap/buddy.h) against the simplest model: a map of units. A
 * request goes to the lowest place at a multiple of its block's size where all units are free. */
#define _DEFAULT_SOURCE

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/track.h"
#include "buddy_fixture.h"

enum { UNIT = 16, UNITS_MAX = 1200, SLOTS = 24 };

typedef struct model_block {
    unsigned char *at;
    size_t asked, size;
    unsigned char fill;
} model_block;

typedef struct model {
    bool taken[UNITS_MAX];
    uintptr_t low;
    size_t units;
    model_block slots[SLOTS];
} model;

static size_t block_size(size_t bytes) {
    size_t size = UNIT;
    while (size < bytes) {
        size *= 2;
    }
    return size;
}

static bool is_free(const model *m, size_t unit, size_t size) {
    for (size_t i = unit; i < unit + size / UNIT; i++) {
        if (i >= m->units || m->taken[i]) {
            return false;
        }
    }
    return true;
}

static uintptr_t expect_place(const model *m, size_t size) {
    for (size_t i = 0; i < m->units; i++) {
        if (((m->low + UNIT * i) & (size - 1)) == 0 && is_free(m, i, size)) {
            return m->low + UNIT * i;
        }
    }
    return 0;
}

static void take(model *m, const model_block *block, bool taken) {
    size_t first = ((uintptr_t)block->at - m->low) / UNIT;
    for (size_t i = 0; i < block->size / UNIT; i++) {
        m->taken[first + i] = taken;
    }
}

static void check_fill(const model_block *block, size_t count) {
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(block->at[i], block->fill);
    }
}

static void do_alloc(model *m, model_block *block, size_t bytes, size_t alignment) {
    size_t size = block_size(bytes > alignment ? bytes : alignment);
    unsigned char *at = th_buddy_alloc_aligned(&buddy, bytes, alignment);
    CHECK_EQ((uintptr_t)at, expect_place(m, size));
    if (at != NULL) {
        *block = (model_block){at, bytes, size, (unsigned char)(block->fill + 29)};
        take(m, block, true);
        memset(at, block->fill, bytes);
    }
}

static void do_resize(model *m, model_block *block, size_t bytes) {
    size_t size = block_size(bytes);
    take(m, block, false);
    bool possible = ((uintptr_t)block->at & (size - 1)) == 0 &&
                    is_free(m, ((uintptr_t)block->at - m->low) / UNIT, size);
    possible = possible || size <= block->size;
    CHECK_EQ(th_buddy_resize_in_place(&buddy, block->at, bytes), possible);
    check_fill(block, bytes < block->asked && possible ? bytes : block->asked);
    if (possible) {
        block->asked = bytes;
        block->size = size;
        memset(block->at, block->fill, bytes);
    }
    take(m, block, true);
}

static void compare(const model *m) {
    size_t used = 0;
    size_t largest = 0;
    for (size_t i = 0; i < m->units; i++) {
        used += m->taken[i];
    }
    for (size_t size = UNIT; size <= UNIT * m->units; size *= 2) {
        largest = expect_place(m, size) != 0 ? size : largest;
    }
    CHECK_EQ(buddy_stats().live_bytes, used * UNIT);
    CHECK_EQ(buddy_stats().largest_free_bytes, largest);
    CHECK_EQ(th_buddy_check(&buddy, NULL), TH_OK);
}

/* On so many bytes at `memory`; the largest request is less than twice as long. */
static void play_random(int level, unsigned char *memory, size_t bytes, uint64_t *state,
                        unsigned ops) {
    model m = {.low = ((uintptr_t)memory + UNIT - 1) & ~(uintptr_t)(UNIT - 1)};
    unsigned powers = 1;
    while (bytes >> powers != 0) {
        powers++;
    }
    buddy_start(level, memory, bytes, UNIT);
    m.units = buddy_stats().managed_bytes / UNIT;
    for (unsigned i = 0; i < ops; i++) {
        uint64_t r = th_test_random(state);
        model_block *block = &m.slots[r % SLOTS];
        size_t asked = (size_t)(r >> 16) % ((size_t)1 << (r >> 8) % powers) + 1;
        if (block->at == NULL) {
            do_alloc(&m, block, asked, (size_t)1 << (r >> 40) % (powers - 4));
        } else if (r >> 60 < 8) {
            do_resize(&m, block, asked);
        } else {
            check_fill(block, block->asked);
            CHECK(th_buddy_owns(&buddy, block->at + block->size - 1));
            CHECK_EQ(th_buddy_usable_size(&buddy, block->at), block->size);
            th_buddy_free(&buddy, block->at);
            take(&m, block, false);
            block->at = NULL;
        }
        compare(&m);
    }
    buddy_stop();
}

static void random_work_agrees_with_the_model_at(int level) {
    static alignas(UNIT) unsigned char large[UNIT * UNITS_MAX];
    uint64_t state = th_test_seed(17 + (uint64_t)level);
    size_t scale = TH_TRACK_VALGRIND ? 8 : 1;
    for (unsigned round = 0; round < 12 / scale; round++) {
        size_t shift = round % 3 == 0 ? 0 : (size_t)th_test_random(&state) % REGION_BYTES;
        play_random(level, buddy_region + shift, 3008, &state, (unsigned)(400 / scale));
    }
    for (size_t bytes = sizeof large; bytes > 400; bytes = bytes * 2 / 5) {
        play_random(level, large, bytes, &state, (unsigned)(400 / scale));
    }
}

static void random_work_agrees_with_the_model(void) {
    at_levels(0, random_work_agrees_with_the_model_at);
}

/* Blocks of each order, from the first place to the last one; and when they are freed, from the
 * last one to the first, all is as it was. Nothing is touched, so that the tree can be tall. */
static void each_order_fills_the_memory(void) {
    enum { ORDERS = 15, TALL_UNITS = 1 << ORDERS };
    static void *blocks[TALL_UNITS];
    size_t bytes = (size_t)UNIT << ORDERS;
    th_buddy_config config = {.unit = UNIT, .guarding = guarding_with(&buddy_faults, 0)};
    unsigned char *memory = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    unsigned char *at = (unsigned char *)(((uintptr_t)memory + bytes - 1) & ~(bytes - 1));
    size_t room = th_buddy_bookkeeping_bytes(at, bytes, &config);
    void *bookkeeping = malloc(room);
    CHECK_EQ(th_buddy_init(&buddy, at, bytes, bookkeeping, room, &config), TH_OK);
    for (unsigned order = TH_TRACK_VALGRIND ? 4 : 0; order <= ORDERS; order++) {
        size_t count = (size_t)1 << (ORDERS - order);
        for (size_t i = 0; i < count; i++) {
            blocks[i] = th_buddy_alloc(&buddy, (size_t)UNIT << order);
            CHECK_PTR_EQ(blocks[i], at + (i << order) * UNIT);
        }
        CHECK_EQ(buddy_stats().largest_free_bytes, 0);
        CHECK_EQ(th_buddy_check(&buddy, NULL), TH_OK);
        for (size_t i = count; i > 0; i--) {
            th_buddy_free(&buddy, blocks[i - 1]);
            size_t free_units = (count - i + 1) << order;
            CHECK(buddy_stats().largest_free_bytes <= free_units * UNIT);
            CHECK(2 * buddy_stats().largest_free_bytes > free_units * UNIT);
        }
        CHECK_EQ(buddy_stats().largest_free_bytes, bytes);
        CHECK_EQ(th_buddy_check(&buddy, NULL), TH_OK);
    }
    buddy_stop();
    free(bookkeeping);
    CHECK_EQ(munmap(memory, 2 * bytes), 0);
}

TH_SUITE("buddy_model", TEST(random_work_agrees_with_the_model), TEST(each_order_fills_the_memory))
