/* SPDX-License-Identifier: MIT */
/* What processes leave that die in a call of the shared heap: each dies by a store to a page that
 * it may not write. All other places: `make kill-test`. And what no repair believes. */
#define _DEFAULT_SOURCE

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/guard_max.h"
#include "death.h"
#include "resource/shared_heap.h"
#include "shared_fixture.h"

enum { A = 0x1001, B = 0x1002, C = 0x1003, D = 0x1004, T = 0x4001 };
enum { HEADER = 8, LARGE = 9000 };

static th_shared_ref at_page(shared_pair *p, size_t bytes, uint32_t tag) {
    th_shared_ref ref = th_shared_heap_alloc_at(&p->one, bytes, SHARED_PAGE, tag, 0);
    CHECK(ref != 0);
    shared_fill(&p->one, ref, bytes, tag);
    return ref;
}

static th_shared_ref found(shared_pair *p, uint32_t tag) {
    return th_shared_heap_find(&p->other, tag, 0);
}

/* The other process goes on: the heap is sound, and was repaired if it had to be. */
static void expect_repaired(shared_pair *p, unsigned repairs) {
    th_fault fault;
    CHECK_EQ(th_shared_heap_check(&p->other, &fault), TH_OK);
    CHECK_EQ(th_shared_heap_get_stats(&p->other).repairs, repairs);
    CHECK(th_shared_heap_explain(p->memory[1], p->bytes) == NULL);
    CHECK_EQ(th_shared_heap_check(&p->one, &fault), TH_OK);
    th_shared_ref probe = th_shared_heap_alloc(&p->one, 40, D);
    CHECK(probe != 0 && th_shared_heap_free(&p->other, probe) > 0);
}

/* `body` for every configuration, with a heap in `p`. */
#define EACH(body)                                                                                 \
    do {                                                                                           \
        th_shared_heap_config config;                                                              \
        for (unsigned turn = 0; shared_next_config(&config, &turn);) {                             \
            shared_pair p;                                                                         \
            shared_start(&p, &config);                                                             \
            body shared_stop(&p);                                                                  \
        }                                                                                          \
    } while (false)

static void make_then_die(shared_pair *p) {
    shared_trap(p, found(p, A), 0);
    (void)th_shared_heap_alloc(&p->one, 6000, B);
}

static void what_was_being_made_is_not_there(void) {
    EACH({
        th_shared_ref a = at_page(&p, 100, A);
        shared_die(&p, make_then_die);
        expect_repaired(&p, 1);
        CHECK_EQ(found(&p, B), 0);
        CHECK(shared_holds(&p.other, a, 100, A));
    });
}

static void zero_then_die(shared_pair *p) {
    shared_trap(p, found(p, A) + 5 * SHARED_PAGE / 4, 0); /* above it: inside the new block */
    (void)th_shared_heap_alloc_zeroed(&p->one, LARGE, 1, B, 0);
}

static void so_is_what_was_being_zeroed(void) {
    EACH({
        th_shared_ref a = at_page(&p, 2 * LARGE, A);
        CHECK(th_shared_heap_alloc(&p.one, 10, C) != 0);
        shared_die(&p, zero_then_die);
        expect_repaired(&p, 1);
        CHECK_EQ(found(&p, B), 0);
        CHECK(shared_holds(&p.other, a, 2 * LARGE, A));
    });
}

static void free_then_die(shared_pair *p) {
    shared_trap(p, found(p, B) - HEADER, 0);
    (void)th_shared_heap_free(&p->one, found(p, B));
}

static void what_was_being_freed_is_free(void) {
    EACH({
        th_shared_ref a = at_page(&p, 100, A);
        (void)at_page(&p, LARGE, B);
        th_shared_ref c = at_page(&p, 100, C);
        shared_die(&p, free_then_die);
        expect_repaired(&p, 1);
        CHECK_EQ(found(&p, B), 0);
        CHECK(shared_holds(&p.other, a, 100, A));
        CHECK(shared_holds(&p.other, c, 100, C));
    });
}

static void wipe_then_die(shared_pair *p) {
    shared_trap(p, found(p, B) + SHARED_PAGE / 4, 0);
    (void)th_shared_heap_free(&p->one, found(p, B));
}

static void contents_may_be_gone_by_then(void) {
    if (th_guard_max() < 2) {
        return; /* nothing is written there */
    }
    const th_shared_heap_config config = {.guarding.level = 2};
    shared_pair p;
    shared_start(&p, &config);
    (void)at_page(&p, LARGE, B);
    shared_die(&p, wipe_then_die);
    expect_repaired(&p, 1);
    CHECK_EQ(found(&p, B), 0);
    shared_stop(&p);
}

static void free_tags_then_die(shared_pair *p) {
    shared_trap(p, found(p, C) - HEADER, 0);
    (void)th_shared_heap_free_tags(&p->one, B, C);
}

static void all_of_a_group_is_freed(void) {
    EACH({
        th_shared_ref a = at_page(&p, 100, A);
        (void)at_page(&p, 100, B);
        th_shared_ref d = at_page(&p, 100, D);
        (void)at_page(&p, 100, C);
        shared_die(&p, free_tags_then_die);
        expect_repaired(&p, 1);
        CHECK_EQ(found(&p, B), 0);
        CHECK_EQ(found(&p, C), 0);
        CHECK(shared_holds(&p.other, a, 100, A));
        CHECK(shared_holds(&p.other, d, 100, D));
    });
}

static void shrink_then_die(shared_pair *p) {
    shared_trap(p, found(p, B) + SHARED_PAGE / 4, 0);
    (void)th_shared_heap_resize(&p->one, found(p, B), 100);
}

static void what_was_being_made_smaller_is_smaller(void) {
    if (th_guard_max() < 1) {
        return;
    }
    const th_shared_heap_config config = {.guarding.level = 1};
    shared_pair p;
    shared_start(&p, &config);
    th_shared_ref b = at_page(&p, LARGE, B);
    shared_die(&p, shrink_then_die);
    expect_repaired(&p, 1);
    CHECK_EQ(found(&p, B), b);
    CHECK_EQ(th_shared_heap_requested_size(&p.other, b), 100);
    CHECK(shared_holds(&p.other, b, 100, B));
    shared_stop(&p);
}

static void grow_then_die(shared_pair *p) {
    shared_trap(p, found(p, C), 0);
    (void)th_shared_heap_resize(&p->one, found(p, B), LARGE);
}

static void a_copy_that_is_not_whole_is_not_there(void) {
    EACH({
        th_shared_ref b = at_page(&p, 3000, B);
        (void)at_page(&p, 100, C);
        shared_die(&p, grow_then_die);
        expect_repaired(&p, 1);
        CHECK_EQ(found(&p, B), b);
        CHECK(shared_holds(&p.other, b, 3000, B));
    });
}

static void leave_then_die(shared_pair *p) {
    shared_trap(p, found(p, B) - HEADER, 0);
    (void)th_shared_heap_resize(&p->one, found(p, B), LARGE);
}

static void one_that_is_whole_stays_alone(void) {
    EACH({
        (void)at_page(&p, 100, A);
        th_shared_ref b = at_page(&p, 3000, B);
        (void)at_page(&p, 5000, C);
        shared_die(&p, leave_then_die);
        expect_repaired(&p, 1);
        th_shared_ref moved = found(&p, B);
        CHECK(moved != b && moved != 0);
        CHECK_EQ(th_shared_heap_get_stats(&p.other).head_blocks, 3);
        CHECK(shared_holds(&p.other, moved, 3000, B));
    });
}

static void leave_tail_then_die(shared_pair *p) {
    shared_trap(p, found(p, T) - HEADER, 0);
    (void)th_shared_heap_resize(&p->one, found(p, T), LARGE);
}

/* Memory that the dead one was the first to use counts as used: at level 2 a write to it is seen
 * when it is free. */
static void what_the_dead_one_used_first_counts_as_used(void) {
    static const struct {
        uint32_t tag, above;
        void (*act)(shared_pair *p);
    } sides[] = {{B, C, leave_then_die}, {T, T + 1, leave_tail_then_die}};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        EACH({
            (void)at_page(&p, 100, A); /* away from the lock */
            th_shared_ref old = at_page(&p, 3000, sides[i].tag);
            (void)at_page(&p, 5000, sides[i].above);
            shared_die(&p, sides[i].act);
            expect_repaired(&p, 1);
            th_shared_ref moved = found(&p, sides[i].tag);
            CHECK(moved != old && moved != 0);
            CHECK(moved + LARGE / 4 <= p.other.heap.low_used || moved > p.other.heap.high_used);
            CHECK(th_shared_heap_free(&p.other, moved) > 0);
            CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
            *(unsigned char *)th_shared_heap_at(&p.other, moved + LARGE / 8) ^= 1;
            CHECK_EQ(th_shared_heap_check(&p.other, NULL),
                     config.guarding.level < 2 ? TH_OK : TH_ERR_CORRUPT);
        });
    }
}

/* ---- moves --------------------------------------------------------------------------------- */

static void compact(shared_pair *p) {
    (void)th_shared_heap_compact(&p->one, SIZE_MAX, NULL, NULL);
}

static void move_then_die_at_once(shared_pair *p) {
    shared_trap(p, found(p, B), 3);
    compact(p);
}

static void move_then_die_half_way(shared_pair *p) {
    shared_trap(p, found(p, B) + SHARED_PAGE / 4, 0);
    compact(p);
}

static void move_then_die_at_the_end(shared_pair *p) {
    shared_trap(p, found(p, C) - HEADER, 0);
    compact(p);
}

static void a_move_comes_to_its_end(void (*act)(shared_pair *p), size_t gap, bool merge) {
    EACH({
        CHECK(th_shared_heap_alloc(&p.one, LARGE, D + 1) != 0); /* away from the lock */
        th_shared_ref a = th_shared_heap_alloc(&p.one, gap, A);
        th_shared_ref b = th_shared_heap_alloc_at(&p.one, LARGE, 1, B, 0);
        shared_fill(&p.one, b, LARGE, B);
        th_shared_ref d = merge ? th_shared_heap_alloc(&p.one, 4000, D) : 0;
        (void)at_page(&p, 100, C);
        CHECK(th_shared_heap_free(&p.one, a) > 0);
        CHECK(!merge || th_shared_heap_free(&p.one, d) > 0);
        shared_die(&p, act);
        expect_repaired(&p, 1);
        CHECK_EQ(found(&p, B), a);
        CHECK(shared_holds(&p.other, a, LARGE, B));
        CHECK(shared_holds(&p.other, found(&p, C), 100, C));
        CHECK(th_shared_heap_get_stats(&p.other).moves >= 1);
    });
}

static void a_move_that_has_begun_is_done(void) {
    a_move_comes_to_its_end(move_then_die_at_once, 40, false);
    a_move_comes_to_its_end(move_then_die_half_way, 40, false);
    a_move_comes_to_its_end(move_then_die_half_way, 40, true);
    a_move_comes_to_its_end(move_then_die_half_way, 5000, true);
    a_move_comes_to_its_end(move_then_die_at_the_end, 40, true);
}

/* ---- deaths that leave nothing to repair --------------------------------------------------- */

static void lock_then_die(shared_pair *p) {
    (void)th_shared_heap_lock(&p->one);
    (void)th_shared_heap_alloc(&p->one, 100, A);
    (void)kill(getpid(), SIGKILL);
}

static void what_was_done_under_the_lock_stays(void) {
    EACH({
        shared_die(&p, lock_then_die);
        expect_repaired(&p, 0);
        CHECK(found(&p, A) != 0);
    });
}

static void readers_do_not_wait_for_the_dead(void) {
    shared_pair p;
    shared_start(&p, NULL);
    (void)at_page(&p, 100, A);
    shared_die(&p, make_then_die);
    CHECK_EQ(th_shared_heap_view(&p.other, NULL, NULL), TH_ERR_NULL);
    expect_repaired(&p, 1);
    shared_stop(&p);
}

static void look_at_nothing(void *context, const th_heap *heap) {
    (void)context;
    (void)heap;
}

static void nor_do_they_believe_what_is_half_done(void) {
    shared_pair p;
    shared_start(&p, NULL);
    (void)at_page(&p, 100, A);
    shared_die(&p, make_then_die);
    CHECK_EQ(th_shared_heap_view(&p.other, look_at_nothing, NULL), TH_ERR_BUSY);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    th_shared_heap_unlock(&p.one);
    CHECK_EQ(th_shared_heap_view(&p.other, look_at_nothing, NULL), TH_OK);
    shared_stop(&p);
}

static void init_then_die(shared_pair *p) {
    (void)mprotect(p->memory[0], SHARED_PAGE, PROT_READ);
    (void)th_shared_heap_init(&p->one, p->memory[0], p->bytes, NULL);
}

static void a_maker_that_dies_leaves_no_heap(void) {
    shared_pair p;
    shared_map(&p, SHARED_BYTES);
    shared_die(&p, init_then_die);
    CHECK_EQ(th_shared_heap_attach(&p.other, p.memory[1], p.bytes, NULL), TH_ERR_BUSY);
    CHECK_EQ(th_shared_heap_init(&p.one, p.memory[0], p.bytes, NULL), TH_OK);
    CHECK_EQ(th_shared_heap_attach(&p.other, p.memory[1], p.bytes, NULL), TH_OK);
    shared_stop(&p);
}

/* ---- what cannot be repaired --------------------------------------------------------------- */

static void expect_refused(shared_pair *p) {
    th_shared_heap heap;
    CHECK_EQ(th_shared_heap_alloc(&p->other, 10, A), 0);
    CHECK_EQ(th_shared_heap_status(&p->other), TH_ERR_CORRUPT);
    CHECK_EQ(th_shared_heap_free_tags(&p->one, A, A), 0);
    CHECK_EQ(th_shared_heap_status(&p->one), TH_ERR_CORRUPT);
    CHECK_EQ(th_shared_heap_attach(&heap, p->memory[1], p->bytes, NULL), TH_ERR_CORRUPT);
    CHECK(strstr(th_shared_heap_explain(p->memory[1], p->bytes), "could not be repaired") != NULL);
    CHECK_EQ(th_shared_heap_view(&p->other, look_at_nothing, NULL), TH_ERR_CORRUPT);
}

static void a_heap_that_stays_damaged_is_refused(void) {
    EACH({
        th_shared_ref a = at_page(&p, 100, A);
        memset((unsigned char *)th_shared_heap_at(&p.one, a) - HEADER * 4, 0x55, HEADER * 4);
        shared_die(&p, lock_then_die);
        expect_refused(&p);
    });
}

/* A change in progress of that kind, as if its process had left it: the record of a free of block
 * A, below B. */
static th_shared_record *leave(shared_pair *p, uint32_t kind, uint32_t old) {
    th_shared_object *object = (void *)p->memory[0];
    th_shared_record *record = &object->records[th_shared_record_number(object->state)];
    object->state = (object->state & ~0x3Fu) | old << TH_SHARED_OLD_SHIFT | kind;
    return record;
}

/* A heap in which a free has happened, so that there is a record: of A, then B. */
static void start_with_record(shared_pair *p) {
    shared_start(p, NULL);
    th_shared_ref a = th_shared_heap_alloc(&p->one, 40, A);
    CHECK(th_shared_heap_alloc(&p->one, 40, B) != 0);
    CHECK(th_shared_heap_free(&p->one, a) > 0);
}

static void a_record_is_good_more_than_once(void) {
    shared_pair p;
    start_with_record(&p);
    (void)leave(&p, TH_SHARED_UNDO, 2);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    CHECK(found(&p, A) != 0); /* there again */
    (void)leave(&p, TH_SHARED_FREE, 2);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    CHECK_EQ(found(&p, A), 0);
    shared_stop(&p);
}

typedef struct lie {
    uint32_t kind;
    uint32_t old;
    size_t field; /* in the record; SIZE_MAX: none */
    uint32_t value;
} lie;

#define FIELD(name) offsetof(th_shared_record, name)

static void records_of_nonsense_are_refused(void) {
    static const lie lies[] = {
        {TH_SHARED_KINDS, 2, SIZE_MAX, 0},
        {TH_SHARED_UNDO, 1, SIZE_MAX, 0},
        {TH_SHARED_UNDO, 5, SIZE_MAX, 0},
        {TH_SHARED_UNDO, 2, FIELD(offsets[0]), 1},
        {TH_SHARED_UNDO, 2, FIELD(offsets[0]), UINT32_MAX - 3},
        {TH_SHARED_UNDO, 2, FIELD(offsets[1]), 0},
        {TH_SHARED_UNDO, 2, FIELD(offsets[1]), 4},
        {TH_SHARED_UNDO, 2, FIELD(run_count), 0},
        {TH_SHARED_UNDO, 2, FIELD(run_count), 4},
        {TH_SHARED_UNDO, 2, FIELD(run[0]), 1},
        {TH_SHARED_UNDO, 2, FIELD(run[0]), 1 << 20},
        {TH_SHARED_UNDO, 2, FIELD(run[0]), 400},
        {TH_SHARED_UNDO, 2, FIELD(headers[1][1]), 7},
        {TH_SHARED_FREE, 2, FIELD(intent.first), 4},
        {TH_SHARED_SHRINK, 2, FIELD(intent.first), 4},
        {TH_SHARED_FREE, 7, SIZE_MAX, 0}, /* more than there is room for */
        {TH_SHARED_MOVE, 2, SIZE_MAX, 0},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        shared_pair p;
        start_with_record(&p);
        th_shared_record *record = leave(&p, lies[i].kind, lies[i].old);
        if (lies[i].field != SIZE_MAX) {
            memcpy((unsigned char *)record + lies[i].field, &lies[i].value, sizeof lies[i].value);
        }
        expect_refused(&p);
        shared_stop(&p);
    }
}

/* Of a free of B, between A and C: a header that was made below them all is none of theirs. */
static void records_of_others_headers_are_refused(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK(th_shared_heap_alloc(&p.one, 40, A) != 0);
    th_shared_ref b = th_shared_heap_alloc(&p.one, 40, B);
    CHECK(th_shared_heap_alloc(&p.one, 40, C) != 0);
    CHECK(th_shared_heap_free(&p.one, b) > 0);
    th_shared_record *record = leave(&p, TH_SHARED_UNDO, 2);
    CHECK(record->offsets[0] != 0 && record->run[0] == record->offsets[0]);
    record->run[0] = 0;
    expect_refused(&p);
    shared_stop(&p);
}

/* What the dead one left is not even begun without the counters from before. */
static void nothing_is_repaired_by_damaged_counters(void) {
    shared_pair p;
    start_with_record(&p);
    th_shared_object *object = (void *)p.memory[0];
    (void)leave(&p, TH_SHARED_UNDO, 2);
    object->controls[th_shared_control_number(object->state)].free_blocks ^= 1;
    expect_refused(&p);
    shared_stop(&p);
}

/* A record of a move of B to where A was, with one thing wrong. */
static void moves_of_nonsense_are_refused(void) {
    enum { GOOD, NO_RUN, TOO_FEW, UPWARDS, FREE, LIVE_BELOW, TOO_MUCH, NO_ROOM, NO_GAP, LIES };
    for (int i = GOOD; i < LIES; i++) {
        shared_pair p;
        const th_shared_heap_config plain = {.layout = TH_HEAP_LAYOUT_CLASSIC, .alignment = 4};
        shared_start(&p, &plain);
        th_shared_ref a = th_shared_heap_alloc(&p.one, 40, A);
        th_shared_ref b = th_shared_heap_alloc(&p.one, 40, B);
        CHECK(th_shared_heap_alloc(&p.one, 40, C) != 0);
        shared_fill(&p.one, b, 40, B);
        CHECK(th_shared_heap_free(&p.one, a) > 0);
        CHECK_EQ(th_shared_heap_compact(&p.one, 1, NULL, NULL).blocks_moved, 1);
        th_shared_record *record = leave(&p, TH_SHARED_MOVE, i == TOO_FEW ? 2 : 3);
        CHECK_EQ(record->run_count, 2);
        if (i == NO_RUN) {
            record->run_count = 1;
        } else if (i == UPWARDS) {
            record->run[0] = record->offsets[1];
        } else if (i == FREE) {
            record->headers[1][2] |= TH_TAG_FREE;
        } else if (i == LIVE_BELOW) {
            record->headers[0][2] &= ~0xFFFu;
        } else if (i == TOO_MUCH) {
            record->headers[1][3] = 41;
        } else if (i == NO_ROOM) { /* for the header of what is vacated */
            record->run[0] = record->offsets[1] - 6;
        } else if (i == NO_GAP) { /* for that of what is left below */
            record->run[0] = record->offsets[0] + 6;
        }
        if (i == GOOD) {
            CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
            CHECK(shared_holds(&p.other, a, 40, B));
        } else {
            expect_refused(&p);
        }
        shared_stop(&p);
    }
}

/* The same record, with a free block below where B comes to. */
static void moves_that_leave_a_gap_are_done(void) {
    enum { MERGED = 4 };
    for (uint32_t old = MERGED - 1; old <= MERGED; old++) {
        shared_pair p;
        const th_shared_heap_config plain = {.layout = TH_HEAP_LAYOUT_CLASSIC, .alignment = 4};
        shared_start(&p, &plain);
        th_shared_ref a = th_shared_heap_alloc(&p.one, 400, A);
        CHECK(th_shared_heap_alloc(&p.one, 40, B) != 0);
        th_shared_ref c = th_shared_heap_alloc(&p.one, 40, C);
        CHECK(th_shared_heap_alloc(&p.one, 40, D) != 0);
        CHECK(th_shared_heap_free(&p.one, a) > 0);
        CHECK(old < MERGED || th_shared_heap_free(&p.one, c) > 0);
        CHECK_EQ(th_shared_heap_compact(&p.one, 1, NULL, NULL).blocks_moved, 1);
        th_shared_record *record = leave(&p, TH_SHARED_MOVE, old);
        record->run_count = 3;
        record->run[2] = record->run[1];
        record->run[1] = record->offsets[0] + 40;
        record->moved = 0;
        CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
        CHECK_EQ(found(&p, B), a + 40);
        CHECK_EQ(th_shared_heap_get_stats(&p.other).free_blocks, 3);
        shared_stop(&p);
    }
}

/* Where all memory has been used, from both sides, poison is put back in all of what is free. */
static void what_was_made_where_all_was_used_is_poison(void) {
    EACH({
        uint32_t tail = p.one.heap.tag_free / 2 + 1; /* more tags in wide ones */
        for (uint32_t tag = A; tag != 0; tag = tag == A ? tail : 0) {
            th_shared_ref most = th_shared_heap_alloc(&p.one, SHARED_BYTES / 4 * 3, tag);
            CHECK(most != 0 && th_shared_heap_free(&p.one, most) > 0);
        }
        CHECK(p.one.heap.low_used > p.one.heap.high_used);
        th_shared_ref b = th_shared_heap_alloc(&p.one, 40, B);
        shared_fill(&p.one, b, 40, B);
        (void)leave(&p, TH_SHARED_UNDO, 2);
        CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
        CHECK_EQ(found(&p, B), 0);
        *(unsigned char *)th_shared_heap_at(&p.other, b) ^= 1;
        CHECK_EQ(th_shared_heap_check(&p.other, NULL),
                 config.guarding.level < 2 ? TH_OK : TH_ERR_CORRUPT);
    });
}

/* What is to be freed again was free: the repairer is told, and lives. */
static void a_free_of_what_is_free_is_refused(void) {
#if TH_GUARD > 0
    shared_pair p;
    const th_shared_heap_config config = {.guarding.level = 1};
    shared_start(&p, &config);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 40, A);
    th_shared_ref b = th_shared_heap_alloc(&p.one, 40, B);
    CHECK(th_shared_heap_alloc(&p.one, 40, C) != 0);
    CHECK(th_shared_heap_free(&p.one, a) > 0 && th_shared_heap_free(&p.one, b) > 0);
    th_shared_record *record = leave(&p, TH_SHARED_FREE, 3);
    record->intent.first = record->offsets[0];
    expect_refused(&p);
    shared_stop(&p);
#endif
}

/* To do it again meets damage: the repairer is told, and lives. */
static void damage_does_not_end_who_repairs(void) {
#if TH_GUARD > 0
    shared_pair p;
    const th_shared_heap_config config = {.guarding.level = 1}; /* the default handler aborts */
    shared_start(&p, &config);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 40, A);
    CHECK(th_shared_heap_alloc(&p.one, 40, B) != 0);
    th_shared_ref c = th_shared_heap_alloc(&p.one, 40, C);
    CHECK(th_shared_heap_free(&p.one, a) > 0);
    th_shared_record *record = leave(&p, TH_SHARED_FREE_TAGS, 2);
    record->intent.first = A;
    record->intent.second = C;
    ((unsigned char *)th_shared_heap_at(&p.one, c))[40] ^= 1;
    expect_refused(&p);
    shared_stop(&p);
#endif
}

TH_SUITE("shared_heap_repair", TEST(what_was_being_made_is_not_there),
         TEST(so_is_what_was_being_zeroed), TEST(what_was_being_freed_is_free),
         TEST(contents_may_be_gone_by_then), TEST(all_of_a_group_is_freed),
         TEST(what_was_being_made_smaller_is_smaller), TEST(a_copy_that_is_not_whole_is_not_there),
         TEST(one_that_is_whole_stays_alone), TEST(what_the_dead_one_used_first_counts_as_used),
         TEST(a_move_that_has_begun_is_done), TEST(what_was_done_under_the_lock_stays),
         TEST(readers_do_not_wait_for_the_dead), TEST(nor_do_they_believe_what_is_half_done),
         TEST(a_maker_that_dies_leaves_no_heap), TEST(a_heap_that_stays_damaged_is_refused),
         TEST(a_record_is_good_more_than_once), TEST(records_of_nonsense_are_refused),
         TEST(records_of_others_headers_are_refused), TEST(nothing_is_repaired_by_damaged_counters),
         TEST(moves_of_nonsense_are_refused), TEST(moves_that_leave_a_gap_are_done),
         TEST(what_was_made_where_all_was_used_is_poison), TEST(a_free_of_what_is_free_is_refused),
         TEST(damage_does_not_end_who_repairs))
