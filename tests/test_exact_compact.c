/* SPDX-License-Identifier: MIT */
/* The exact model against docs/heap.md: compaction, copies and the low-memory callback with
 * numbers worked out by hand (test_exact.c explains them), then random operations, after each of
 * which the blocks are proved to be a heap, and every place is compared with a literal search
 * through all offsets. */
#include "exact_fixture.h"

/* ---- section 4: compaction ---------------------------------------------------------------- */

#define MOVES_MAX 8u

typedef struct mover {
    uint32_t veto; /* the tag whose moves are refused; F: none */
    uint32_t count;
    uint32_t moves[MOVES_MAX][4]; /* asked: tag, from, to, bytes */
} mover;

static mover asked;

static bool may_move(void *context, uint32_t tag, uint32_t from, uint32_t to, uint32_t bytes) {
    mover *m = context;
    CHECK(m->count < MOVES_MAX);
    const uint32_t move[4] = {tag, from, to, bytes};
    for (uint32_t i = 0; i < 4; i++) {
        m->moves[m->count][i] = move[i];
    }
    m->count++;
    return tag != m->veto;
}

static lab_exact_compaction compact(uint32_t veto) {
    asked = (mover){.veto = veto};
    return lab_exact_compact(&model, may_move, &asked);
}

static lab_exact_compaction compact_some(size_t budget, uint32_t veto) {
    asked = (mover){.veto = veto};
    return lab_exact_compact_some(&model, budget, may_move, &asked);
}

#define CHECK_MOVE(index, tag, from, to, bytes)                                                    \
    do {                                                                                           \
        CHECK(asked.count > (index));                                                              \
        CHECK_EQ(asked.moves[index][0], tag);                                                      \
        CHECK_EQ(asked.moves[index][1], from);                                                     \
        CHECK_EQ(asked.moves[index][2], to);                                                       \
        CHECK_EQ(asked.moves[index][3], bytes);                                                    \
    } while (0)

#define CHECK_PASS(result, moved_, vetoed_, bytes_, done_)                                         \
    do {                                                                                           \
        lab_exact_compaction pass_ = (result);                                                     \
        CHECK_EQ(pass_.moved, moved_);                                                             \
        CHECK_EQ(pass_.vetoed, vetoed_);                                                           \
        CHECK_EQ(pass_.bytes, bytes_);                                                             \
        CHECK_EQ(pass_.done, done_);                                                               \
    } while (0)

static void compact_slides_down(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(tagged(37, 0x21), 16);
    CHECK_EQ(lab_exact_alloc(&model, 4, 40, 0x22, 99), 32);
    CHECK_PASS(compact(F), 0, 0, 0, true);
    CHECK_EQ(asked.count, 0);
    release(0);
    CHECK_PASS(compact(F), 2, 0, 77, true);
    CHECK_EQ(asked.count, 2);
    CHECK_MOVE(0, 0x21, 16, 0, 37);
    CHECK_MOVE(1, 0x22, 32, 16, 40);
    BLOCKS({0, 10, 0x21}, {16, 10, 0x22}, {32, 156, F});
    CHECK_EQ(model.extents[0].requested, 37);
    CHECK_EQ(model.extents[1].site, 99);
    CHECK_EQ(stats().used, 128);
    CHECK_EQ(stats().high_water, 192);

    start_with_four(); /* slack moves with its block, and without a callback all may move */
    CHECK_EQ(resize(16, 4), 16);
    release(0);
    release(32);
    CHECK_PASS(lab_exact_compact(&model, NULL, NULL), 2, 0, 44, true);
    BLOCKS({0, 10, 2}, {16, 10, 4}, {32, 156, F});

    start(100, 4, BASE); /* what is vacated does not merge with LAST */
    CHECK_EQ(head(40), 0);
    CHECK_EQ(head(288), 16);
    release(0);
    CHECK_PASS(compact(F), 1, 0, 288, true);
    BLOCKS({0, 72, H}, {78, 10, F});
}

static void compact_goes_on_above_a_veto(void) {
    start_with_four();
    release(0);
    release(32);
    CHECK_PASS(compact(2), 1, 1, 40, true);
    CHECK_EQ(asked.count, 2);
    CHECK_MOVE(0, 2, 16, 0, 40);
    CHECK_MOVE(1, 4, 48, 32, 40);
    BLOCKS({0, 10, F}, {16, 10, 2}, {32, 10, 4}, {48, 140, F});
    CHECK_PASS(compact(2), 0, 1, 0, true);
    CHECK_EQ(asked.count, 1); /* the block above the vetoed one has nowhere to go */
}

static void compact_leaves_the_tail_side(void) {
    start(200, 4, BASE);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(tagged(40, 0x4001 + i), 178 - 16 * i);
    }
    CHECK_EQ(head(40), 0);
    CHECK_EQ(tagged(40, 2), 16);
    release(0);
    release(162);
    CHECK_PASS(compact(F), 1, 0, 40, true);
    BLOCKS({0, 10, 2}, {16, 124, F}, {146, 10, 0x4003}, {162, 10, F}, {178, 10, 0x4001});
}

static void compact_keeps_alignment(void) {
    start(200, 4, BASE);
    CHECK_EQ(head(100), 0);
    CHECK_EQ(aligned(32, 16, 7), 42); /* 34 would leave a gap of 3 */
    CHECK_EQ(head(40), 52);
    BLOCKS({0, 25, H}, {31, 5, F}, {42, 4, 7}, {52, 10, H}, {68, 120, F});
    release(0);
    CHECK_PASS(compact(H), 1, 1, 16, true);
    CHECK_MOVE(0, 7, 42, 10, 16);
    CHECK_MOVE(1, H, 52, 20, 40);
    BLOCKS({0, 4, F}, {10, 4, 7}, {20, 26, F}, {52, 10, H}, {68, 120, F});
    CHECK_EQ(model.extents[0].alignment, 4);
    CHECK_EQ(model.extents[1].alignment, 32);
    CHECK_PASS(compact(F), 1, 0, 40, true);
    BLOCKS({0, 4, F}, {10, 4, 7}, {20, 10, H}, {36, 152, F});
    CHECK_PASS(compact(F), 0, 0, 0, true);
    CHECK_EQ(asked.count, 0);

    start(200, 4, BASE); /* with a gap below and no free block above */
    CHECK_EQ(head(100), 0);
    CHECK_EQ(aligned(32, 16, 7), 42);
    CHECK_EQ(tagged(544, 8), 52);
    release(0);
    CHECK_PASS(compact(8), 1, 1, 16, true);
    BLOCKS({0, 4, F}, {10, 4, 7}, {20, 26, F}, {52, 136, 8});

    start(200, 4, BASE + 8); /* multiples of 8 are aligned: no gap */
    CHECK_EQ(head(40), 0);
    CHECK_EQ(aligned(32, 16, 7), 16);
    release(0);
    CHECK_PASS(compact(F), 1, 0, 16, true);
    BLOCKS({0, 4, 7}, {10, 178, F});

    start(200, 4, BASE); /* the smallest place is where it is */
    CHECK_EQ(head(16), 0);
    CHECK_EQ(aligned(32, 16, 7), 10);
    release(0);
    CHECK_PASS(compact(F), 0, 0, 0, true);
    BLOCKS({0, 4, F}, {10, 4, 7}, {20, 168, F});
    CHECK_EQ(asked.count, 0);

    start(200, 4, BASE); /* and here it is 18, the first one from 7 + 10 on */
    CHECK_EQ(head(4), 0);
    CHECK_EQ(head(24), 7);
    CHECK_EQ(aligned(32, 16, 7), 34);
    BLOCKS({0, 1, H}, {7, 6, H}, {19, 9, F}, {34, 4, 7}, {44, 144, F});
    release(7);
    CHECK_PASS(compact(F), 1, 0, 16, true);
    BLOCKS({0, 1, H}, {7, 5, F}, {18, 4, 7}, {28, 160, F});
}

/* [ 0: one dword ][ 7: z ][ aligned to 8 ][ c, tag 3 ], z freed. The aligned block can go to 18,
 * the first even offset from 7 + SPLIT on. */
static void start_with_aligned_on(uint32_t dwords, size_t z_bytes, uint32_t at) {
    start(dwords, 4, BASE);
    CHECK_EQ(head(4), 0);
    CHECK_EQ(head(z_bytes), 7);
    CHECK_EQ(aligned(8, 16, 2), at);
    CHECK_EQ(tagged(4, 3), dwords == 200 ? at + 10 : NONE);
    release(7);
}

static void vacated_must_be_a_block(void) {
    start_with_aligned_on(200, 44, 24);
    CHECK_PASS(compact(F), 0, 0, 0, true); /* would vacate 6 dwords */
    CHECK_EQ(asked.count, 0);
    BLOCKS({0, 1, H}, {7, 11, F}, {24, 4, 2}, {34, 1, 3}, {41, 147, F});
    release(34);
    CHECK_PASS(compact(F), 1, 0, 16, true); /* they merge with what is free above */
    BLOCKS({0, 1, H}, {7, 5, F}, {18, 4, 2}, {28, 160, F});

    start_with_aligned_on(200, 52, 26);
    CHECK_PASS(compact(3), 1, 1, 16, true);
    BLOCKS({0, 1, H}, {7, 5, F}, {18, 4, 2}, {28, 2, F}, {36, 1, 3}, {43, 145, F});

    start_with_aligned_on(40, 44, 24); /* LAST is no free block to merge with */
    CHECK_PASS(compact(F), 0, 0, 0, true);
    BLOCKS({0, 1, H}, {7, 11, F}, {24, 4, 2});
}

/* At alignment 8, H + U is 8, and a block aligned to 16 can vacate exactly that. */
static void vacated_block_of_one_unit(void) {
    for (uint32_t units = 0; units < 2; units++) {
        start(200, 8, BASE);
        CHECK_EQ(head(8), 0);
        CHECK_EQ(head(32 + 16 * units), 8);
        CHECK_EQ(aligned(16, 8, 2), 22 + 4 * units);
        CHECK_EQ(tagged(8, 3), 30 + 4 * units);
        release(8);
        CHECK_PASS(compact(3), units, units, 8 * units, true);
        if (units == 0) {
            BLOCKS({0, 2, H}, {8, 8, F}, {22, 2, 2}, {30, 2, 3}, {38, 150, F});
        } else {
            BLOCKS({0, 2, H}, {8, 4, F}, {18, 2, 2}, {26, 2, F}, {34, 2, 3}, {42, 146, F});
        }
    }
}

static void budget_stops_before_a_block(void) {
    start_with_four();
    release(0);
    CHECK_PASS(compact_some(79, F), 1, 0, 40, false);
    CHECK_EQ(asked.count, 1); /* the block that was too much was not asked about */
    CHECK_EQ(model.cursor, 32);
    BLOCKS({0, 10, 2}, {16, 10, F}, {32, 10, 3}, {48, 10, 4}, {64, 124, F});
    CHECK_PASS(compact_some(80, F), 2, 0, 80, true);
    CHECK_EQ(model.cursor, 0);
    BLOCKS({0, 10, 2}, {16, 10, 3}, {32, 10, 4}, {48, 140, F});

    start_with_four();
    release(0);
    CHECK_PASS(compact_some(80, F), 2, 0, 80, false);
    CHECK_EQ(model.cursor, 48);
    release(0); /* a hole below the cursor is for the next pass */
    CHECK_PASS(compact_some(SIZE_MAX, F), 1, 0, 40, true);
    BLOCKS({0, 10, F}, {16, 10, 3}, {32, 10, 4}, {48, 140, F});
    CHECK_PASS(compact_some(0, F), 1, 0, 40, false);
    CHECK_EQ(model.cursor, 32);
    CHECK_PASS(compact_some(0, F), 1, 0, 40, true);
    BLOCKS({0, 10, 3}, {16, 10, 4}, {32, 156, F});
}

static void budget_counts_moves_only(void) {
    start(200, 4, BASE);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_EQ(tagged(40, 1 + i), 16 * i);
    }
    release(0);
    release(32);
    release(64);
    CHECK_PASS(compact_some(0, 2), 1, 1, 40, false);
    CHECK_EQ(asked.count, 2);
    CHECK_EQ(model.cursor, 80);
    BLOCKS({0, 10, F}, {16, 10, 2}, {32, 10, 4}, {48, 26, F}, {80, 10, 6}, {96, 92, F});
    CHECK_PASS(compact(F), 3, 0, 120, true); /* from the bottom again */
    CHECK_MOVE(0, 2, 16, 0, 40);
    CHECK_EQ(model.cursor, 0);
}

static void cursor_is_a_plain_offset(void) {
    start_with_four();
    release(0);
    CHECK_PASS(compact_some(80, F), 2, 0, 80, false);
    release(48);
    CHECK_EQ(tagged(64, 5), 32); /* [32, 54): the cursor, 48, is inside */
    CHECK_EQ(tagged(40, 6), 54);
    lab_exact_free_tags(&model, 2, 3);
    CHECK_EQ(model.cursor, 48);
    CHECK_PASS(compact_some(0, F), 0, 0, 0, true);
    BLOCKS({0, 26, F}, {32, 16, 5}, {54, 10, 6}, {70, 118, F});
    CHECK_PASS(compact_some(0, F), 1, 0, 64, false);

    CHECK_EQ(model.cursor, 54); /* and here above a TAIL block, where there is nothing to visit */
    CHECK_EQ(lab_exact_free_tags(&model, 0, 0x7FFF), 2);
    CHECK_EQ(tail(600), 38);
    CHECK_PASS(compact_some(0, F), 0, 0, 0, true);
    CHECK_EQ(model.cursor, 0);
}

static void rebase_keeps_everything_or_refuses(void) {
    start(200, 8, BASE);
    CHECK_EQ(head(40), 0);
    CHECK(!lab_exact_rebase(&model, BASE + 4));
    CHECK(lab_exact_rebase(&model, BASE + 8));
    CHECK_EQ(model.base, BASE + 8);
    release(0);
    CHECK(!lab_exact_rebase(&model, BASE + 4)); /* not even if it is empty */

    start(200, 4, BASE);
    CHECK_EQ(aligned(64, 16, H), 10);
    CHECK_EQ(head(4000), NONE);
    model.cursor = 5;
    CHECK(!lab_exact_rebase(&model, 2 * BASE + 32));
    CHECK_EQ(model.base, BASE);
    CHECK(lab_exact_rebase(&model, ((uint64_t)7 << 32) + 2 * BASE + 64));
    CHECK_EQ(model.base, 2 * BASE + 64);
    CHECK_EQ(model.cursor, 5);
    CHECK_EQ(stats().failed_allocs, 1);
    CHECK_EQ(stats().used, 40);
    BLOCKS({0, 4, F}, {10, 4, H}, {20, 168, F});
    release(10);
    CHECK(lab_exact_rebase(&model, 2 * BASE + 32));
    CHECK_EQ(aligned(64, 16, H), 18); /* now 2 modulo 16; 2 itself would leave a gap of 2 */
}

/* ---- section 5: the low-memory callback --------------------------------------------------- */

typedef struct relief {
    uint32_t useless; /* how often it says true without doing anything */
    uint32_t block;   /* then freed; NONE: it says false */
    uint32_t calls;
    size_t bytes;
    bool inside;
} relief;

/* Frees a block; before that, allocations that fail inside the callback and must not ask it. */
static bool relieve(void *context, lab_exact *m, size_t bytes) {
    relief *r = context;
    CHECK(!r->inside);
    r->inside = true;
    r->calls++;
    r->bytes = bytes;
    CHECK_EQ(lab_exact_alloc(m, 4, 4000, H, 0), NONE);
    bool again = r->useless > 0 || r->block != NONE;
    if (r->useless > 0) {
        r->useless--;
    } else if (r->block != NONE) {
        CHECK_EQ(lab_exact_resize(m, r->block, 4000), NONE);
        lab_exact_free(m, r->block);
        r->block = NONE;
    }
    r->inside = false;
    return again;
}

static relief helper;

/* [ 0: 10 ][ 16: 10 ][ 32: 156 ], full. */
static void start_full(uint32_t useless, uint32_t block) {
    start(200, 4, BASE);
    CHECK_EQ(head(40), 0);
    CHECK_EQ(head(40), 16);
    CHECK_EQ(head(624), 32);
    helper = (relief){.useless = useless, .block = block};
    model.low_memory = relieve;
    model.low_memory_context = &helper;
}

static void low_memory_retries_until_false(void) {
    start_full(0, 16);
    CHECK_EQ(head(36), 16);
    CHECK_EQ(helper.calls, 1);
    CHECK_EQ(helper.bytes, 36);
    CHECK_EQ(stats().failed_allocs, 2); /* the two inside the callback */
    BLOCKS({0, 10, H}, {16, 10, H}, {32, 156, H});

    start_full(3, 16);
    CHECK_EQ(head(40), 16);
    CHECK_EQ(helper.calls, 4);
    CHECK_EQ(stats().failed_allocs, 5);

    start_full(2, 16); /* what is freed is not enough */
    CHECK_EQ(head(44), NONE);
    CHECK_EQ(helper.calls, 4);
    CHECK_EQ(stats().failed_allocs, 6);
    BLOCKS({0, 10, H}, {16, 10, F}, {32, 156, H});
}

static void low_memory_is_asked_for_what_cannot_be(void) {
    start_full(1, NONE);
    CHECK_EQ(head(SIZE_MAX), NONE);
    CHECK_EQ(helper.calls, 2);
    CHECK_EQ(helper.bytes, SIZE_MAX);
    CHECK_EQ(stats().failed_allocs, 3);
    helper.useless = 1;
    CHECK_EQ(resize(0, 524285), NONE);
    CHECK_EQ(helper.calls, 4);
    CHECK_EQ(helper.bytes, 524285);
    CHECK_EQ(stats().failed_allocs, 6);
    CHECK_EQ(aligned((size_t)1 << 31, 4, T), NONE);
    CHECK_EQ(helper.calls, 5);
#if SIZE_MAX > UINT32_MAX
    CHECK_EQ(aligned((size_t)1 << 32, 4, T), NONE);
    CHECK_EQ(helper.calls, 6);
#endif
}

static void low_memory_lets_a_resize_begin_again(void) {
    start_full(0, 16);
    CHECK_EQ(resize(0, 60), 0); /* in place now, at step 5 */
    CHECK_EQ(helper.calls, 1);
    CHECK_EQ(helper.bytes, 60);
    BLOCKS({0, 15, H}, {21, 5, F}, {32, 156, H});
    CHECK_EQ(stats().failed_allocs, 2);
    CHECK_EQ(stats().high_water, 776); /* the heap was full */

    start_full(0, 32);
    CHECK_EQ(resize(0, 60), 32); /* and here by moving, at step 6 */
    BLOCKS({0, 10, F}, {16, 10, H}, {32, 15, H}, {53, 135, F});

    start_full(0, NONE);
    CHECK_EQ(resize(0, 60), NONE);
    CHECK_EQ(stats().failed_allocs, 2);
    BLOCKS({0, 10, H}, {16, 10, H}, {32, 156, H});
    CHECK_EQ(model.extents[0].requested, 40);
}

/* ---- random operations -------------------------------------------------------------------- */

#define SLOTS  24u
#define ROUNDS 1500u

static lab_extent slots[SLOTS]; /* what must be there; tag F: nothing */
static uint64_t random_state;

static uint32_t pick(uint32_t below) {
    return (uint32_t)(th_test_random(&random_state) % below);
}

static bool is_free_at(uint32_t i) {
    return i + 1 < model.count && model.extents[i].tag == F;
}

static bool fits_at(uint32_t f, uint32_t n, uint32_t alignment) {
    uint32_t gap = n - f;
    return (model.base + 4 * ((uint64_t)n + model.header)) % alignment == 0 &&
           (gap == 0 || gap >= model.header + 4) && n % model.unit == 0;
}

static uint32_t units(uint32_t bytes) {
    uint32_t dwords = (bytes + 3) / 4;
    return (dwords + model.unit - 1) / model.unit * model.unit;
}

/* Section 3, literally: tries every place in every free block. */
static uint32_t search_place(uint32_t bytes, uint32_t alignment, uint32_t tag) {
    uint32_t found = NONE;
    uint32_t whole = model.header + units(bytes);
    bool is_tail = tag >= 0x4000;
    for (uint32_t i = 0; i + 1 < model.count; i++) {
        const lab_extent *x = &model.extents[i];
        uint32_t e = x->offset + model.header + x->size;
        if (x->tag == F) {
            for (uint32_t n = x->offset; n + whole <= e; n++) {
                if (fits_at(x->offset, n, alignment) && (is_tail || found == NONE)) {
                    found = n;
                }
            }
        } else if (is_tail && x->tag < 0x4000) {
            found = NONE;
        } else if (!is_tail && x->tag >= 0x4000) {
            break;
        }
    }
    return found;
}

/* How many HEAD blocks a pass that moves nothing yet would ask about. */
static uint32_t count_movable(void) {
    uint32_t movable = 0;
    for (uint32_t i = 1; i + 1 < model.count; i++) {
        const lab_extent *x = &model.extents[i];
        if (x->tag >= 0x4000 || !is_free_at(i - 1)) {
            continue;
        }
        uint32_t n = x[-1].offset;
        while (!fits_at(x[-1].offset, n, x->alignment)) {
            n++;
        }
        movable +=
            n < x->offset && (is_free_at(i + 1) || x->offset - n >= model.header + model.unit);
    }
    return movable;
}

/* The invariants of section 2, every live block against its slot, and what follows for the
 * statistics. */
static void prove(void) {
    uint32_t offset = 0;
    uint32_t live = 0;
    uint32_t used = 0;
    uint32_t free_dwords = 0;
    bool above_tail = false;
    for (uint32_t i = 0; i < model.count; i++) {
        const lab_extent *x = &model.extents[i];
        CHECK_EQ(x->offset, offset);
        CHECK_EQ(x->size % model.unit, 0);
        offset += model.header + x->size;
        if (x->tag == F) {
            CHECK((x->size > 0) == (i + 1 < model.count));
            CHECK(!is_free_at(i) || !is_free_at(i + 1));
            CHECK(x->requested == 0 && x->site == 0 && x->alignment == 4 * model.unit);
            free_dwords += x->size;
            continue;
        }
        const lab_extent *slot = &slots[x->site];
        CHECK_EQ(slot->offset, x->offset);
        CHECK_EQ(slot->tag, x->tag);
        CHECK_EQ(slot->requested, x->requested);
        CHECK_EQ(slot->alignment, x->alignment);
        CHECK_EQ((model.base + 4 * ((uint64_t)x->offset + model.header)) % x->alignment, 0);
        CHECK(x->size >= units(x->requested));
        CHECK(x->tag >= 0x4000 || !above_tail);
        above_tail = above_tail || x->tag >= 0x4000;
        used += model.header + x->size;
        live++;
    }
    CHECK_EQ(offset, model.dwords);
    for (uint32_t i = 0; i < SLOTS; i++) {
        live -= slots[i].tag != F;
    }
    CHECK_EQ(live, 0);
    CHECK_EQ(stats().used, 4 * used);
    CHECK_EQ(stats().free, 4 * free_dwords);
    CHECK(stats().high_water >= stats().used);
}

static bool move_slot(void *context, uint32_t tag, uint32_t from, uint32_t to, uint32_t bytes) {
    const lab_extent *x = lab_exact_find(&model, from);
    CHECK(x->offset == from && x->tag == tag && x->requested == bytes && to < from);
    CHECK(fits_at(x[-1].offset, to, x->alignment));
    if (pick(100) < *(const uint32_t *)context) {
        return false;
    }
    slots[x->site].offset = to;
    return true;
}

static void random_alloc(uint32_t s) {
    size_t high_water = stats().high_water;
    uint32_t bytes = 1 + pick(pick(8) == 0 ? 300 : 60);
    uint32_t alignment = (4 * model.unit) << (pick(3) == 0 ? pick(6) : 0);
    uint32_t tag = pick(3) == 0 ? 0x4000 + pick(4) : pick(4);
    uint32_t expected = search_place(bytes, alignment, tag);
    CHECK_EQ(lab_exact_alloc(&model, alignment, bytes, tag, s), expected);
    if (expected != NONE) {
        slots[s] = (lab_extent){expected, 0, tag, bytes, alignment, s};
        CHECK(lab_exact_find(&model, expected)->size < units(bytes) + model.header + 4);
    }
    CHECK_EQ(stats().high_water, stats().used > high_water ? stats().used : high_water);
}

static void random_resize(uint32_t s) {
    lab_exact_stats before = stats();
    uint32_t bytes = pick(20) == 0 ? 0 : 1 + pick(100);
    const lab_extent *x = lab_exact_find(&model, slots[s].offset);
    uint32_t i = (uint32_t)(x - model.extents);
    uint32_t reach = x->size + (is_free_at(i + 1) ? model.header + x[1].size : 0);
    uint32_t expected = slots[s].offset;
    if (bytes == 0) {
        expected = NONE;
    } else if (units(bytes) > reach) {
        expected = search_place(bytes, x->alignment, x->tag);
    }
    CHECK_EQ(resize(slots[s].offset, bytes), expected);
    size_t peak = stats().used;
    if (bytes == 0) {
        slots[s].tag = F;
    } else if (expected == NONE) {
        CHECK_EQ(stats().failed_allocs, before.failed_allocs + 1);
    } else {
        if (expected != slots[s].offset) {
            peak = before.used + 4 * (model.header + lab_exact_find(&model, expected)->size);
        }
        slots[s].offset = expected;
        slots[s].requested = bytes;
    }
    CHECK_EQ(stats().high_water, peak > before.high_water ? peak : before.high_water);
}

static void random_compaction(uint32_t veto_percent) {
    bool whole = pick(2) == 0;
    size_t budget = pick(200);
    lab_exact_compaction result =
        whole ? lab_exact_compact(&model, move_slot, &veto_percent)
              : lab_exact_compact_some(&model, budget, move_slot, &veto_percent);
    CHECK(whole || result.bytes <= budget || result.moved <= 1);
    CHECK_EQ(result.done, model.cursor == 0);
    CHECK(!whole || result.done);
    if (whole) {
        CHECK_EQ(count_movable(), result.vetoed);
    }
}

static void random_free_tags(void) {
    uint32_t low = pick(2) * 0x4000 + pick(5);
    uint32_t high = low + pick(2);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (slots[i].tag != F && slots[i].tag >= low && slots[i].tag <= high) {
            slots[i].tag = F;
            expected++;
        }
    }
    CHECK_EQ(lab_exact_free_tags(&model, low, high), expected);
}

static void random_operation(void) {
    uint32_t s = pick(SLOTS);
    size_t free_before = stats().free;
    uint32_t kind = pick(100);
    if (kind < 8) {
        random_compaction(kind < 3 ? 30 : 0);
    } else if (kind < 10) {
        random_free_tags();
    } else if (slots[s].tag == F) {
        random_alloc(s);
    } else if (kind < 50) {
        random_resize(s);
    } else if (kind < 65) {
        CHECK_EQ(trim(slots[s].offset), stats().free - free_before);
    } else {
        slots[s].tag = F;
        CHECK_EQ(release(slots[s].offset), stats().free - free_before);
    }
}

static void random_operations_keep_the_invariants(void) {
    static const uint32_t heaps[][3] = {
        {150, 4, BASE},      {300, 4, BASE + 4},   {600, 4, 0xFFFFFFF4u}, {300, 8, BASE + 8},
        {600, 8, BASE + 24}, {300, 16, BASE + 16}, {600, 16, BASE + 48},  {40, 4, BASE + 12},
    };
    random_state = th_test_seed(20240917);
    for (uint32_t h = 0; h < sizeof heaps / sizeof heaps[0]; h++) {
        start(heaps[h][0], heaps[h][1], heaps[h][2]);
        for (uint32_t i = 0; i < SLOTS; i++) {
            slots[i].tag = F;
        }
        for (uint32_t round = 0; round < ROUNDS; round++) {
            random_operation();
            prove();
        }
    }
}

/* The model reserves its array once, for as many blocks as there can be. */
static void smallest_blocks_fill_the_array(void) {
    for (uint32_t alignment = 4; alignment <= 16; alignment *= 2) {
        start(2000, alignment, BASE);
        uint32_t block = 0;
        while (block != NONE) {
            block = head(1);
        }
        CHECK(model.count <= model.capacity);
        CHECK_EQ(stats().free, 0);
        CHECK(lab_exact_free_tags(&model, H, H) > 2000 / 13);
        BLOCKS({0, model.dwords - 2 * model.header, F});
    }
}

TH_SUITE("exact_compact", TEST(compact_slides_down), TEST(compact_goes_on_above_a_veto),
         TEST(compact_leaves_the_tail_side), TEST(compact_keeps_alignment),
         TEST(vacated_must_be_a_block), TEST(vacated_block_of_one_unit),
         TEST(budget_stops_before_a_block), TEST(budget_counts_moves_only),
         TEST(cursor_is_a_plain_offset), TEST(rebase_keeps_everything_or_refuses),
         TEST(low_memory_retries_until_false), TEST(low_memory_is_asked_for_what_cannot_be),
         TEST(low_memory_lets_a_resize_begin_again), TEST(random_operations_keep_the_invariants),
         TEST(smallest_blocks_fill_the_array))
