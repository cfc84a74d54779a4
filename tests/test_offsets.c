/* SPDX-License-Identifier: MIT */
/* The offset allocator (include/tagheap/offsets.h): what it decides. tests/test_offsets_guards.c
 * has what it notices. */
#define _DEFAULT_SOURCE

#include <string.h>
#include <sys/mman.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "suite.h"
#include "tagheap/offsets.h"

enum { NODES = 64 };

static th_offsets_node nodes[NODES];
static th_offsets range;
static fault_log faults;

static const th_offsets_policy policies[] = {TH_OFFSETS_GOOD_FIT, TH_OFFSETS_FIRST_FIT,
                                             TH_OFFSETS_BEST_FIT, TH_OFFSETS_WORST_FIT};

static void start_with(int level, uint64_t bytes, uint64_t granule, th_offsets_policy policy,
                       size_t count) {
    th_offsets_config config = {
        .granule = granule, .policy = policy, .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_offsets_init(&range, bytes, nodes, th_offsets_bookkeeping_bytes(count), &config),
             TH_OK);
}

static void start(int level, uint64_t bytes, th_offsets_policy policy) {
    start_with(level, bytes, 1, policy, NODES);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_offsets_check(&range, NULL), TH_OK);
    th_offsets_clean_up(&range);
}

static th_offsets_stats stats(void) {
    th_offsets_stats s = th_offsets_get_stats(&range);
    CHECK_EQ(s.bytes, s.live_bytes + s.free_bytes);
    return s;
}

static th_offsets_block get(uint64_t bytes, uint64_t offset) {
    th_offsets_block block = th_offsets_alloc_aligned(&range, bytes, 1);
    CHECK(block.generation != 0);
    CHECK_EQ(block.offset, offset);
    return block;
}

static bool fails(uint64_t bytes, uint64_t alignment) {
    th_offsets_block block = th_offsets_alloc_aligned(&range, bytes, alignment);
    return block.generation == 0 && block.offset == 0 && block.node == 0;
}

/* ---- init --------------------------------------------------------------------------------- */

typedef struct bad_init {
    th_status status;
    uint64_t bytes;
    void *bookkeeping;
    size_t room;
    uint64_t granule;
    int policy, level;
} bad_init;

static void init_refuses(void) {
    unsigned char *book = (unsigned char *)nodes;
    const uint64_t most = (uint64_t)1 << 62;
    const bad_init cases[] = {
        {TH_ERR_NULL, 100, NULL, sizeof nodes, 1, 0, 0},
        {TH_ERR_ALIGNMENT, 100, nodes, sizeof nodes, 3, 0, 0},
        {TH_ERR_ALIGNMENT, 100, nodes, sizeof nodes, UINT64_MAX, 0, 0},
        {TH_ERR_CONFIG, 100, nodes, sizeof nodes, 1, 4, 0},
        {TH_ERR_CONFIG, 100, nodes, sizeof nodes, 1, -1, 0},
        {TH_ERR_CONFIG, 100, nodes, sizeof nodes, 1, 0, -1},
        {TH_ERR_CONFIG, 100, nodes, sizeof nodes, 1, 0, 4},
        {TH_ERR_TOO_SMALL, 0, nodes, sizeof nodes, 1, 0, 0},
        {TH_ERR_TOO_SMALL, 15, nodes, sizeof nodes, 16, 0, 0},
        {TH_ERR_TOO_SMALL, most, nodes, sizeof nodes, most * 2, 0, 0},
        {TH_ERR_TOO_SMALL, 100, nodes, 0, 1, 0, 0},
        {TH_ERR_TOO_SMALL, 100, nodes, sizeof nodes[0] - 1, 1, 0, 0},
        {TH_ERR_TOO_LARGE, most + 1, nodes, sizeof nodes, 1, 0, 0},
        {TH_ERR_TOO_LARGE, UINT64_MAX, nodes, sizeof nodes, 1, 0, 0},
        {TH_ERR_TOO_LARGE, 100, nodes, SIZE_MAX, 1, 0, 0},
        {TH_ERR_MISALIGNED, 100, book + 4, sizeof nodes - 4, 1, 0, 0},
        {TH_ERR_MISALIGNED, 100, book + 1, sizeof nodes - 1, 1, 0, 0},
    };
    th_offsets untouched;
    memset(&untouched, 0x5A, sizeof untouched);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bad_init *c = &cases[i];
        th_offsets_config config = {.granule = c->granule,
                                    .policy = (th_offsets_policy)c->policy,
                                    .guarding = guarding_with(&faults, c->level)};
        th_offsets before = untouched;
        CHECK_EQ(th_offsets_init(&untouched, c->bytes, c->bookkeeping, c->room, &config),
                 c->status);
        CHECK(memcmp(&before, &untouched, sizeof before) == 0);
    }
    CHECK_EQ(th_offsets_init(NULL, 100, nodes, sizeof nodes, NULL), TH_ERR_NULL);
}

static void bookkeeping_is_counted(void) {
    CHECK_EQ(th_offsets_bookkeeping_bytes(0), 0);
    CHECK_EQ(th_offsets_bookkeeping_bytes(1), sizeof(th_offsets_node));
    CHECK_EQ(th_offsets_bookkeeping_bytes(1000), 1000 * sizeof(th_offsets_node));
    CHECK_EQ(th_offsets_bookkeeping_bytes((size_t)1 << TH_OFFSETS_EXTENTS_LOG2), 0);
    CHECK_EQ(th_offsets_bookkeeping_bytes(SIZE_MAX), 0);
    CHECK_EQ(th_offsets_bookkeeping_bytes(SIZE_MAX / sizeof(th_offsets_node) + 1), 0);
    size_t most = ((size_t)1 << TH_OFFSETS_EXTENTS_LOG2) - 1;
    CHECK_EQ(th_offsets_bookkeeping_bytes(most) / sizeof(th_offsets_node), most);
}

/* A config of NULL: granule 1, good fit. What is no whole granule at the end is left out. */
static void defaults_and_granules(void) {
    CHECK_EQ(th_offsets_init(&range, 100, nodes, sizeof nodes, NULL), TH_OK);
    th_offsets_block block = get(99, 0);
    CHECK_EQ(th_offsets_size(&range, block), 99);
    CHECK_EQ(stats().largest_free_bytes, 1);
    faults = (fault_log){0};
    stop();
    start_with(0, 255, 16, TH_OFFSETS_FIRST_FIT, NODES);
    CHECK_EQ(stats().bytes, 240);
    block = get(1, 0);
    CHECK_EQ(th_offsets_size(&range, block), 16);
    block = get(17, 16);
    CHECK_EQ(th_offsets_size(&range, block), 32);
    CHECK_EQ(stats().live_bytes, 48);
    CHECK(fails(193, 1));
    block = get(192, 48);
    CHECK_EQ(stats().free_bytes, 0);
    stop();
}

static void without_a_range_calls_do_nothing(void) {
    start(0, 100, TH_OFFSETS_GOOD_FIT);
    th_offsets_block block = get(10, 0);
    th_offsets_clean_up(&range);
    CHECK(fails(1, 1));
    CHECK(!th_offsets_free(&range, block));
    CHECK(!th_offsets_resize_in_place(&range, block, 1));
    CHECK_EQ(th_offsets_size(&range, block), 0);
    CHECK_EQ(th_offsets_find(&range, 0).generation, 0);
    CHECK_EQ(th_offsets_reset(&range), TH_ERR_NULL);
    CHECK_EQ(stats().bytes, 0);
    CHECK_EQ(stats().largest_free_bytes, 0);
    CHECK_EQ(th_offsets_check(&range, NULL), TH_ERR_NULL);
    th_offsets_clean_up(&range);
    th_offsets_clean_up(NULL);
    CHECK_EQ(th_offsets_check(NULL, NULL), TH_ERR_NULL);
}

/* ---- requests ----------------------------------------------------------------------------- */

static void requests_that_are_refused(void) {
    for (size_t i = 0; i < 4; i++) {
        start(0, 1000, policies[i]);
        CHECK(fails(0, 1));
        CHECK(fails(1, 0));
        CHECK(fails(1, 3));
        CHECK(fails(1, UINT64_MAX));
        CHECK(fails(0, 0));
        CHECK_EQ(stats().failed_allocs, 0);
        CHECK(fails(1001, 1));
        CHECK(fails(UINT64_MAX, 1));
        CHECK(fails(UINT64_MAX - 1, 16));
        CHECK(fails((uint64_t)1 << 62, (uint64_t)1 << 62));
        CHECK_EQ(stats().failed_allocs, 4);
        th_offsets_block low = get(1, 0); /* offset 0 is aligned to everything */
        CHECK(fails(1, (uint64_t)1 << 62));
        CHECK(fails(1, (uint64_t)1 << 63));
        CHECK(fails(1, 1024));
        CHECK_EQ(stats().failed_allocs, 7);
        CHECK(th_offsets_free(&range, low));
        low = th_offsets_alloc_aligned(&range, 1, (uint64_t)1 << 62);
        CHECK(low.generation != 0 && low.offset == 0);
        CHECK(fails(1, (uint64_t)1 << 63));
        CHECK_EQ(stats().live, 1);
        CHECK(th_offsets_free(&range, (th_offsets_block){0}));
        stop();
    }
}

static void alignments_hold(void) {
    for (size_t i = 0; i < 4; i++) {
        start(0, 5000, policies[i]);
        (void)get(3, 0);
        for (uint64_t alignment = 1; alignment <= 2048; alignment *= 2) {
            th_offsets_block block = th_offsets_alloc_aligned(&range, 7, alignment);
            CHECK(block.generation != 0);
            CHECK_EQ(block.offset % alignment, 0);
            CHECK_EQ(th_offsets_check(&range, NULL), TH_OK);
            CHECK(th_offsets_free(&range, block));
        }
        CHECK_EQ(stats().free_extents, 1);
        stop();
    }
}

/* Holes of 30, 50, 20 and 50 bytes, and 100 at the end, with a byte between them. */
static void make_holes(th_offsets_policy policy) {
    const uint64_t holes[] = {30, 50, 20, 50};
    th_offsets_block blocks[4];
    uint64_t at = 0;
    start(0, 254, policy);
    for (size_t i = 0; i < 4; i++) {
        blocks[i] = get(holes[i], at);
        (void)get(1, at + holes[i]);
        at += holes[i] + 1;
    }
    for (size_t i = 0; i < 4; i++) {
        CHECK(th_offsets_free(&range, blocks[i]));
    }
    CHECK_EQ(stats().free_extents, 5);
    CHECK_EQ(stats().largest_free_bytes, 100);
}

static void each_policy_places_as_it_says(void) {
    make_holes(TH_OFFSETS_FIRST_FIT);
    (void)get(18, 0);
    (void)get(40, 31);
    (void)get(12, 18);
    (void)get(51, 154);
    stop();
    make_holes(TH_OFFSETS_BEST_FIT);
    (void)get(18, 82);  /* 20 */
    (void)get(40, 31);  /* the lower 50 */
    (void)get(10, 71);  /* what is left of it, exactly */
    (void)get(2, 100);  /* what is left of the 20 */
    (void)get(31, 103); /* the other 50 */
    stop();
    make_holes(TH_OFFSETS_WORST_FIT);
    (void)get(18, 154);
    (void)get(40, 172); /* 82 are left of the 100 */
    (void)get(10, 31);  /* the lower 50, of two */
    (void)get(10, 103); /* 50 against 42 and 40 */
    stop();
    make_holes(TH_OFFSETS_GOOD_FIT);
    (void)get(18, 82); /* 18 and 20 have classes of their own */
    CHECK(fails(101, 1));
    (void)get(97, 154); /* found, though its class may hold smaller ones */
    stop();
}

/* A gap in front of an aligned block and a rest after it stay free. */
static void gaps_and_rests_stay_free(void) {
    for (size_t i = 0; i < 4; i++) {
        start(0, 256, policies[i]);
        th_offsets_block low = get(5, 0);
        th_offsets_block block = th_offsets_alloc_aligned(&range, 10, 64);
        CHECK_EQ(block.offset, 64);
        CHECK_EQ(stats().free_extents, 2); /* [5, 64) and [74, 256) */
        CHECK_EQ(stats().free_bytes, 256 - 15);
        CHECK(th_offsets_free(&range, low));
        CHECK_EQ(stats().free_extents, 2);
        low = th_offsets_alloc_aligned(&range, 64, 64);
        CHECK(low.offset == 0 || low.offset == 128);
        CHECK(th_offsets_free(&range, block));
        CHECK(th_offsets_free(&range, low));
        CHECK_EQ(stats().free_extents, 1);
        CHECK_EQ(stats().largest_free_bytes, 256);
        stop();
    }
}

/* Twice the blocks that will be live, plus one, suffice; one less does not always. */
static void nodes_run_out(void) {
    th_offsets_block blocks[4];
    start_with(0, 100, 1, TH_OFFSETS_FIRST_FIT, 2 * 4 + 1);
    for (size_t i = 0; i < 4; i++) {
        blocks[i] =
            th_offsets_alloc_aligned(&range, 2, 16); /* a gap in front of each, but the first */
        CHECK_EQ(blocks[i].offset, 16 * i);
    }
    CHECK(fails(1, 1));
    CHECK_EQ(stats().failed_allocs, 1);
    CHECK(th_offsets_free(&range, blocks[2]));
    CHECK_EQ(th_offsets_alloc_aligned(&range, 2, 16).offset, 32);
    stop();
    start_with(0, 100, 1, TH_OFFSETS_FIRST_FIT, 3);
    blocks[0] = get(40, 0);
    CHECK(fails(10, 1)); /* one node is unused, two might be needed */
    stop();
    start_with(0, 100, 1, TH_OFFSETS_FIRST_FIT, 1);
    CHECK(fails(100, 1));
    stop();
}

/* Giving up the end below a live block needs a node. */
static void resize_without_nodes(void) {
    start_with(0, 100, 1, TH_OFFSETS_FIRST_FIT, 4);
    th_offsets_block a = get(40, 0);
    th_offsets_block b = get(60, 40);
    CHECK(th_offsets_resize_in_place(&range, b, 50));
    CHECK(
        th_offsets_resize_in_place(&range, b, 45)); /* into the free extent: its node is at hand */
    CHECK_EQ(stats().free_extents, 1);
    CHECK(th_offsets_resize_in_place(&range, a, 39)); /* the last node */
    CHECK(th_offsets_resize_in_place(&range, a, 38));
    CHECK_EQ(stats().free_extents, 2);
    CHECK(th_offsets_resize_in_place(&range, b, 60));
    CHECK(th_offsets_resize_in_place(&range, a, 40));
    stop();
    start_with(0, 100, 1, TH_OFFSETS_FIRST_FIT, 5);
    a = get(10, 0);
    b = get(10, 10);
    th_offsets_block c = get(10, 20);
    CHECK(th_offsets_resize_in_place(&range, a, 9));
    CHECK(!th_offsets_resize_in_place(&range, b, 9));
    CHECK_EQ(th_offsets_size(&range, b), 10);
    CHECK(th_offsets_resize_in_place(&range, c, 9));
    CHECK(th_offsets_resize_in_place(&range, c, 80));
    CHECK(th_offsets_resize_in_place(&range, b, 9));
    stop();
}

static void resize_in_place(void) {
    start(0, 100, TH_OFFSETS_GOOD_FIT);
    th_offsets_block a = get(10, 0);
    th_offsets_block b = get(10, 10);
    CHECK(!th_offsets_resize_in_place(&range, a, 11));
    CHECK(th_offsets_resize_in_place(&range, a, 10));
    CHECK(th_offsets_resize_in_place(&range, b, 90)); /* to the end */
    CHECK_EQ(stats().free_extents, 0);
    CHECK(!th_offsets_resize_in_place(&range, b, 91));
    CHECK(!th_offsets_resize_in_place(&range, b, 0));
    CHECK(!th_offsets_resize_in_place(&range, b, 101));
    CHECK(!th_offsets_resize_in_place(&range, b, UINT64_MAX));
    CHECK(th_offsets_resize_in_place(&range, b, 30));
    CHECK_EQ(stats().live_bytes, 40);
    CHECK_EQ(stats().high_water_bytes, 100);
    CHECK_EQ(stats().largest_free_bytes, 60);
    CHECK(th_offsets_resize_in_place(&range, b, 31));
    CHECK_EQ(th_offsets_size(&range, b), 31);
    CHECK(th_offsets_resize_in_place(&range, a, 1));
    CHECK_EQ(get(9, 1).offset, 1);
    CHECK(th_offsets_free(&range, b));
    CHECK_EQ(stats().free_extents, 1);
    stop();
}

/* The four cases of neighbours. */
static void free_merges_both_ways(void) {
    for (unsigned which = 0; which < 4; which++) {
        start(0, 100, TH_OFFSETS_FIRST_FIT);
        th_offsets_block low = get(30, 0);
        th_offsets_block middle = get(30, 30);
        th_offsets_block high = get(40, 60);
        CHECK((which & 1) == 0 || th_offsets_free(&range, low));
        CHECK((which & 2) == 0 || th_offsets_free(&range, high));
        CHECK(th_offsets_free(&range, middle));
        CHECK_EQ(stats().free_extents, 1);
        CHECK_EQ(stats().largest_free_bytes, 30 + (which & 1 ? 30 : 0) + (which & 2 ? 40 : 0));
        CHECK_EQ(th_offsets_check(&range, NULL), TH_OK);
        stop();
    }
}

static void find_leads_to_the_block(void) {
    start(0, 100, TH_OFFSETS_FIRST_FIT);
    th_offsets_block a = get(10, 0);
    th_offsets_block b = get(10, 10);
    th_offsets_block c = get(10, 20);
    CHECK(th_offsets_free(&range, b));
    CHECK_EQ(th_offsets_find(&range, 0).node, a.node);
    CHECK_EQ(th_offsets_find(&range, 9).generation, a.generation);
    CHECK_EQ(th_offsets_find(&range, 10).generation, 0);
    CHECK_EQ(th_offsets_find(&range, 19).generation, 0);
    CHECK_EQ(th_offsets_find(&range, 29).offset, 20);
    CHECK_EQ(th_offsets_find(&range, 29).node, c.node);
    CHECK_EQ(th_offsets_find(&range, 30).generation, 0);
    CHECK_EQ(th_offsets_find(&range, 100).generation, 0);
    CHECK_EQ(th_offsets_find(&range, UINT64_MAX).generation, 0);
    stop();
}

static void reset_frees_everything(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start(level, 100, TH_OFFSETS_WORST_FIT);
        for (unsigned round = 0; round < 3; round++) {
            th_offsets_block block;
            while ((block = th_offsets_alloc_aligned(&range, 7, 1)).generation != 0) {
                CHECK(block.offset % 7 == 0);
            }
            CHECK_EQ(stats().live, 14);
            CHECK_EQ(th_offsets_reset(&range), TH_OK);
            CHECK_EQ(stats().live, 0);
            CHECK_EQ(stats().live_bytes, 0);
            CHECK_EQ(stats().high_water_bytes, 98);
            CHECK_EQ(stats().failed_allocs, round + 1);
            CHECK_EQ(stats().largest_free_bytes, 100);
        }
        stop();
    }
}

/* ---- what the range means is the caller's business ---------------------------------------- */

/* The largest range, and the classes of all sizes: each power of two, one below and one above. */
static void ranges_beyond_four_gigabytes(void) {
    const uint64_t most = (uint64_t)1 << 62;
    start(0, most, TH_OFFSETS_GOOD_FIT);
    for (unsigned power = 0; power < 62; power++) {
        for (int more = -1; more <= 1; more++) {
            uint64_t bytes = ((uint64_t)1 << power) + (uint64_t)(int64_t)more;
            if (bytes == 0) {
                continue;
            }
            th_offsets_block block = get(bytes, 0);
            CHECK_EQ(th_offsets_size(&range, block), bytes);
            CHECK_EQ(stats().largest_free_bytes, most - bytes);
            uint64_t alignment = ((uint64_t)1 << power) / 2 + (power == 0);
            th_offsets_block high = th_offsets_alloc_aligned(&range, 1, alignment);
            CHECK(high.generation != 0 && high.offset >= bytes);
            CHECK_EQ(high.offset % alignment, 0);
            CHECK(th_offsets_free(&range, block));
            CHECK(th_offsets_free(&range, high));
        }
    }
    th_offsets_block all = get(most, 0);
    CHECK(fails(1, 1));
    CHECK(th_offsets_resize_in_place(&range, all, (uint64_t)5 << 32));
    CHECK_EQ(get(7, (uint64_t)5 << 32).offset, (uint64_t)5 << 32);
    stop();
}

/* Offsets into memory that the processor must not touch. */
static void nothing_is_touched(void) {
    size_t bytes = (size_t)1 << 22;
    unsigned char *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    th_offsets_block blocks[24] = {{0}};
    uint64_t state = th_test_seed(5);
    CHECK(memory != MAP_FAILED);
    for (size_t policy = 0; policy < 4; policy++) {
        start_with(th_guard_max(), bytes, 256, policies[policy], NODES);
        for (unsigned i = 0; i < 800; i++) {
            uint64_t r = th_test_random(&state);
            th_offsets_block *slot = &blocks[r % 24];
            if (slot->generation == 0) {
                *slot =
                    th_offsets_alloc_aligned(&range, (r >> 8) % 300000 + 1, 1u << (r >> 40) % 13);
                CHECK(slot->generation == 0 || memory + slot->offset < memory + bytes);
            } else if (!th_offsets_resize_in_place(&range, *slot, (r >> 8) % 300000 + 1)) {
                CHECK(th_offsets_free(&range, *slot));
                *slot = (th_offsets_block){0};
            }
        }
        CHECK(stats().live > 4);
        memset(blocks, 0, sizeof blocks);
        stop();
    }
    CHECK_EQ(munmap(memory, bytes), 0);
}

/* ---- against a model ---------------------------------------------------------------------- */

/* A map of granules; where each policy must go is found by looking at all free runs. */
enum { GRANULES = 160, SLOTS = 20 };

typedef struct model {
    bool taken[GRANULES];
    th_offsets_block slots[SLOTS];
    uint64_t sizes[SLOTS]; /* in granules; 0: the slot is empty */
    uint64_t granule;
    th_offsets_policy policy;
} model;

static size_t run_at(const model *m, size_t from) {
    size_t end = from;
    while (end < GRANULES && !m->taken[end]) {
        end++;
    }
    return end - from;
}

/* The place where the request must go, in granules; SIZE_MAX: none. *any: is there room at all? */
static size_t expect_place(const model *m, size_t need, size_t alignment, bool *any) {
    size_t best = SIZE_MAX;
    size_t best_run = 0;
    for (size_t i = 0, run; i<GRANULES; i += run> 0 ? run : 1) {
        run = run_at(m, i);
        size_t at = (i + alignment - 1) / alignment * alignment;
        if (run == 0 || at + need > i + run) {
            continue;
        }
        bool better = best == SIZE_MAX || (m->policy == TH_OFFSETS_BEST_FIT && run < best_run) ||
                      (m->policy == TH_OFFSETS_WORST_FIT && run > best_run);
        best_run = better ? run : best_run;
        best = better ? at : best;
    }
    *any = best != SIZE_MAX;
    return best;
}

static void mark(model *m, size_t slot, bool taken) {
    size_t at = (size_t)(m->slots[slot].offset / m->granule);
    for (size_t i = at; i < at + m->sizes[slot]; i++) {
        CHECK(m->taken[i] != taken);
        m->taken[i] = taken;
    }
}

static void do_alloc(model *m, size_t slot, uint64_t bytes, uint64_t alignment) {
    bool any;
    size_t need = (size_t)((bytes + m->granule - 1) / m->granule);
    uint64_t coarse = alignment > m->granule ? alignment / m->granule : 1;
    size_t due = expect_place(m, need, (size_t)coarse, &any);
    th_offsets_block block = th_offsets_alloc_aligned(&range, bytes, alignment);
    CHECK_EQ(block.generation != 0, any);
    if (!any) {
        return;
    }
    if (m->policy != TH_OFFSETS_GOOD_FIT) {
        CHECK_EQ(block.offset, due * m->granule);
    }
    CHECK_EQ(block.offset % alignment, 0);
    m->slots[slot] = block;
    m->sizes[slot] = need;
    mark(m, slot, true);
}

static void do_resize(model *m, size_t slot, uint64_t bytes) {
    size_t need = (size_t)((bytes + m->granule - 1) / m->granule);
    mark(m, slot, false);
    bool possible = run_at(m, (size_t)(m->slots[slot].offset / m->granule)) >= need;
    CHECK_EQ(th_offsets_resize_in_place(&range, m->slots[slot], bytes), possible);
    m->sizes[slot] = possible ? need : m->sizes[slot];
    mark(m, slot, true);
}

static void compare(const model *m) {
    size_t largest = 0, extents = 0, used = 0;
    for (size_t i = 0, run; i<GRANULES; i += run> 0 ? run : 1) {
        run = run_at(m, i);
        largest = run > largest ? run : largest;
        extents += run > 0;
        used += run == 0;
    }
    CHECK_EQ(stats().live_bytes, used * m->granule);
    CHECK_EQ(stats().free_extents, extents);
    CHECK_EQ(stats().largest_free_bytes, largest * m->granule);
    CHECK_EQ(th_offsets_check(&range, NULL), TH_OK);
}

static void play_random(int level, th_offsets_policy policy, uint64_t granule, uint64_t *state) {
    model m = {.granule = granule, .policy = policy};
    start_with(level, granule * GRANULES, granule, policy, 2 * SLOTS + 1);
    for (unsigned i = 0; i < (TH_TRACK_VALGRIND ? 60 : 500); i++) {
        uint64_t r = th_test_random(state);
        size_t slot = (size_t)(r % SLOTS);
        uint64_t bytes = (r >> 8) % (granule << (r >> 4) % 7) + 1;
        if (m.sizes[slot] == 0) {
            do_alloc(&m, slot, bytes, (uint64_t)1 << (r >> 40) % 8);
        } else if (r >> 60 < 8) {
            do_resize(&m, slot, bytes);
        } else {
            CHECK_EQ(th_offsets_size(&range, m.slots[slot]), m.sizes[slot] * granule);
            CHECK(th_offsets_free(&range, m.slots[slot]));
            mark(&m, slot, false);
            m.sizes[slot] = 0;
        }
        compare(&m);
    }
    stop();
}

static void random_work_agrees_with_the_model(void) {
    const uint64_t granules[] = {1, 16, (uint64_t)1 << 33};
    uint64_t state = th_test_seed(23);
    for (size_t policy = 0; policy < 4; policy++) {
        for (size_t i = 0; i < 3; i++) {
            for (int level = 0; level <= th_guard_max(); level += 3) {
                play_random(level, policies[policy], granules[i], &state);
            }
        }
    }
}

TH_SUITE("offsets", TEST(init_refuses), TEST(bookkeeping_is_counted), TEST(defaults_and_granules),
         TEST(without_a_range_calls_do_nothing), TEST(requests_that_are_refused),
         TEST(alignments_hold), TEST(each_policy_places_as_it_says), TEST(gaps_and_rests_stay_free),
         TEST(nodes_run_out), TEST(resize_without_nodes), TEST(resize_in_place),
         TEST(free_merges_both_ways), TEST(find_leads_to_the_block), TEST(reset_frees_everything),
         TEST(ranges_beyond_four_gigabytes), TEST(nothing_is_touched),
         TEST(random_work_agrees_with_the_model))
