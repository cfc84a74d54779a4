/* SPDX-License-Identifier: MIT */
/* The shared heap as its users see it: two attachments at different addresses, and other processes.
 * What memory is refused: test_shared_heap_refusals.c; what dying processes leave:
 * test_shared_heap_repair.c, `make kill-test`. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/guard_max.h"
#include "death.h"
#include "heap/journal.h"
#include "played_process.h"
#include "resource/shared_heap.h"
#include "shared_fixture.h"
#include "tagheap/file_map.h"
#include "tagheap/shared_memory.h"

enum { A = 0x1001, B = 0x1002, C = 0x1003, T = 0x4001, U = 0x4002 };

/* ---- two views of one heap ----------------------------------------------------------------- */

static void blocks_are_seen_at_other_addresses(void) {
    shared_pair p;
    shared_start(&p, NULL);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 100, A);
    CHECK(a != 0);
    unsigned char *mine = th_shared_heap_at(&p.one, a);
    unsigned char *theirs = th_shared_heap_at(&p.other, a);
    CHECK(mine != theirs);
    CHECK_EQ(mine - p.memory[0], theirs - p.memory[1]);
    CHECK_EQ(th_shared_heap_ref(&p.one, mine), a);
    CHECK_EQ(th_shared_heap_ref(&p.other, theirs), a);
    shared_fill(&p.one, a, 100, 3);
    CHECK(shared_holds(&p.other, a, 100, 3));
    CHECK_EQ(th_shared_heap_requested_size(&p.other, a), 100);
    CHECK(th_shared_heap_free(&p.other, a) > 0);
    CHECK_EQ(th_shared_heap_get_stats(&p.one).head_blocks, 0);
    CHECK_EQ(th_shared_heap_check(&p.one, NULL), TH_OK);
    shared_stop(&p);
}

/* What one attachment counts, and where its compaction stopped, the other one has as well. */
static void counters_are_seen_by_the_other(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK_EQ(th_shared_heap_alloc(&p.one, SHARED_BYTES, A), 0);
    CHECK_EQ(th_shared_heap_get_stats(&p.other).failed_allocs, 1);
    th_shared_ref holes[2];
    for (unsigned i = 0; i < 2; i++) {
        holes[i] = th_shared_heap_alloc(&p.one, 100, A);
        CHECK(th_shared_heap_alloc(&p.one, 100, B) != 0);
    }
    CHECK(th_shared_heap_free(&p.one, holes[0]) > 0 && th_shared_heap_free(&p.one, holes[1]) > 0);
    th_heap_compaction done = th_shared_heap_compact(&p.one, 1, NULL, NULL);
    CHECK(!done.done && done.blocks_moved == 1);
    CHECK(p.one.heap.compact_cursor > 0);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    CHECK_EQ(p.other.heap.compact_cursor, p.one.heap.compact_cursor);
    shared_stop(&p);
}

static void no_reference_is_no_address(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK(th_shared_heap_at(&p.one, 0) == NULL);
    CHECK_EQ(th_shared_heap_ref(&p.one, NULL), 0);
    CHECK_EQ(th_shared_heap_free(&p.one, 0), 0);
    CHECK_EQ(th_shared_heap_resize(&p.one, 0, 10), 0);
    CHECK_EQ(th_shared_heap_trim(&p.one, 0), 0);
    CHECK(!th_shared_heap_retag(&p.one, 0, B));
    CHECK_EQ(th_shared_heap_requested_size(&p.one, 0), 0);
    CHECK_EQ(th_shared_heap_status(&p.one), TH_OK);
    shared_stop(&p);
}

static void expect_same_blocks(const th_heap *shared, const th_heap *plain) {
    th_heap_block one, other;
    bool more = th_heap_first(shared, &one);
    CHECK_EQ(th_heap_first(plain, &other), more);
    while (more) {
        CHECK_EQ(one.offset, other.offset);
        CHECK_EQ(one.tag, other.tag);
        CHECK_EQ(one.size_dwords, other.size_dwords);
        CHECK_EQ(one.requested_bytes, other.requested_bytes);
        CHECK_EQ(one.alignment, other.alignment);
        more = th_heap_next(shared, &one);
        CHECK_EQ(th_heap_next(plain, &other), more);
    }
}

enum { SLOTS = 24 };

/* One step on a plain heap and on a shared one, by this or that attachment. */
static void step(th_shared_heap *shared, th_heap *plain, th_shared_ref *refs, void **blocks,
                 uint64_t *random) {
    size_t i = (size_t)(th_test_random(random) % SLOTS);
    size_t bytes = 1 + (size_t)(th_test_random(random) % 700);
    size_t alignment = (size_t)1 << th_test_random(random) % 9;
    uint32_t tag = (uint32_t)(th_test_random(random) % 2 != 0 ? A : T) + (uint32_t)i;
    switch (th_test_random(random) % 8) {
    case 0:
        CHECK_EQ(th_shared_heap_trim(shared, refs[i]), th_heap_trim(plain, blocks[i]));
        break;
    case 1:
        CHECK_EQ(th_shared_heap_retag(shared, refs[i], tag), th_heap_retag(plain, blocks[i], tag));
        break;
    case 2:
    case 3:
        CHECK_EQ(th_shared_heap_requested_size(shared, refs[i]),
                 th_heap_requested_size(plain, blocks[i]));
        if (refs[i] != 0) {
            void *moved = th_heap_realloc(plain, blocks[i], bytes);
            th_shared_ref ref = th_shared_heap_resize(shared, refs[i], bytes);
            CHECK_EQ(ref != 0, moved != NULL);
            blocks[i] = moved != NULL ? moved : blocks[i];
            refs[i] = ref != 0 ? ref : refs[i];
        }
        break;
    default:
        if (refs[i] != 0) {
            CHECK_EQ(th_shared_heap_free(shared, refs[i]), th_heap_free(plain, blocks[i]));
            refs[i] = 0;
            blocks[i] = NULL;
        } else {
            refs[i] = th_shared_heap_alloc_at(shared, bytes, alignment, tag, 0);
            blocks[i] = th_heap_alloc_at(plain, bytes, alignment, tag, 0);
        }
        break;
    }
    CHECK_EQ(refs[i] != 0, blocks[i] != NULL);
    CHECK(blocks[i] == NULL ||
          (size_t)((unsigned char *)blocks[i] - plain->base) == (size_t)refs[i] * 4);
}

static void it_does_what_a_plain_heap_does(void) {
    static _Alignas(SHARED_PAGE) unsigned char memory[SHARED_BYTES];
    uint64_t random = th_test_seed(91);
    th_shared_heap_config config;
    for (unsigned turn = 0; shared_next_config(&config, &turn);) {
        shared_pair p;
        th_heap plain;
        th_shared_ref refs[SLOTS] = {0};
        void *blocks[SLOTS] = {NULL};
        shared_start(&p, &config);
        size_t start = (size_t)(p.one.heap.base - p.memory[0]);
        const th_heap_config same = {.alignment = (size_t)p.one.heap.unit_dwords * 4,
                                     .layout = config.layout,
                                     .guarding.level = config.guarding.level,
                                     .index = TH_HEAP_INDEX_NONE};
        CHECK_EQ(th_heap_init(&plain, memory + start, SHARED_BYTES - start, &same), TH_OK);
        for (unsigned i = 0; i < 400; i++) {
            step(i % 3 == 0 ? &p.other : &p.one, &plain, refs, blocks, &random);
            expect_same_blocks(&(i % 3 == 0 ? &p.other : &p.one)->heap, &plain);
        }
        CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
        th_shared_heap_stats stats = th_shared_heap_get_stats(&p.other);
        th_heap_stats due = th_heap_get_stats(&plain);
        CHECK_EQ(stats.region_bytes, due.region_bytes);
        CHECK_EQ(stats.used_bytes, due.used_bytes);
        CHECK_EQ(stats.high_water_bytes, due.high_water_bytes);
        CHECK_EQ(stats.free_bytes, due.free_bytes);
        CHECK_EQ(stats.largest_free_bytes, due.largest_free_bytes);
        CHECK_EQ(stats.head_blocks, due.head_blocks);
        CHECK_EQ(stats.tail_blocks, due.tail_blocks);
        CHECK_EQ(stats.free_blocks, due.free_blocks);
        CHECK_EQ(stats.failed_allocs, due.failed_allocs);
        th_heap_compaction one = th_shared_heap_compact(&p.one, SIZE_MAX, NULL, NULL);
        th_heap_compaction other = th_heap_compact(&plain, NULL, NULL);
        CHECK_EQ(one.blocks_moved, other.blocks_moved);
        CHECK_EQ(one.bytes_moved, other.bytes_moved);
        CHECK(one.done);
        expect_same_blocks(&p.one.heap, &plain);
        CHECK_EQ(th_shared_heap_get_stats(&p.other).moves, one.blocks_moved);
        CHECK_EQ(th_shared_heap_free_tags(&p.other, 0, TH_TAG_TAIL_MAX),
                 th_heap_free_tags(&plain, 0, TH_TAG_TAIL_MAX));
        CHECK_EQ(th_shared_heap_get_stats(&p.one).free_blocks, 1);
        CHECK(th_shared_heap_get_stats(&p.one).operations > 300);
        th_heap_clean_up(&plain);
        shared_stop(&p);
    }
}

static void small_objects_have_no_index(void) {
    shared_pair p;
    shared_map(&p, SHARED_PAGE);
    CHECK_EQ(th_shared_heap_init(&p.one, p.memory[0], p.bytes, NULL), TH_OK);
    CHECK_EQ(th_shared_heap_attach(&p.other, p.memory[1], p.bytes, NULL), TH_OK);
    CHECK(th_shared_heap_get_stats(&p.one).region_bytes >= SHARED_PAGE - 770);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 100, A);
    th_shared_ref b = th_shared_heap_alloc(&p.other, 100, B);
    CHECK(a != 0 && b != 0);
    CHECK(th_shared_heap_free(&p.one, a) > 0);
    CHECK_EQ(th_shared_heap_alloc(&p.other, 90, C), a);
    CHECK_EQ(th_shared_heap_check(&p.one, NULL), TH_OK);
    shared_stop(&p);
}

static void zeroed_memory_is_zero(void) {
    shared_pair p;
    static const unsigned char zeros[64];
    shared_start(&p, NULL);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 64, A);
    memset(th_shared_heap_at(&p.one, a), 0xEE, 64);
    CHECK(th_shared_heap_free(&p.one, a) > 0);
    CHECK_EQ(th_shared_heap_alloc_zeroed(&p.one, 64, 16, A, 9), a);
    CHECK_EQ(memcmp(th_shared_heap_at(&p.other, a), zeros, 64), 0);
    CHECK_EQ(th_shared_heap_resize(&p.one, a, 0), 0);
    CHECK_EQ(th_shared_heap_get_stats(&p.one).head_blocks, 0);
    shared_stop(&p);
}

static void blocks_are_found_by_tag_and_site(void) {
    shared_pair p;
    shared_start(&p, NULL);
    th_shared_ref a = th_shared_heap_alloc_at(&p.one, 10, 1, A, 1);
    th_shared_ref b = th_shared_heap_alloc_at(&p.one, 10, 1, A, 2);
    th_shared_ref c = th_shared_heap_alloc_at(&p.one, 10, 1, B, 2);
    CHECK_EQ(th_shared_heap_find(&p.other, A, 1), a);
    CHECK_EQ(th_shared_heap_find(&p.other, A, 2), b);
    CHECK_EQ(th_shared_heap_find(&p.other, B, 2), c);
    CHECK_EQ(th_shared_heap_find(&p.other, B, 1), 0);
    CHECK_EQ(th_shared_heap_find(&p.other, p.other.heap.tag_free, 0), 0); /* what is free is none */
    shared_stop(&p);
}

static void alignments_end_at_the_page(void) {
    shared_pair p;
    shared_start(&p, NULL);
    th_shared_ref a = th_shared_heap_alloc_at(&p.one, 10, TH_SHARED_HEAP_ALIGNMENT_MAX, A, 0);
    CHECK(a != 0);
    CHECK_EQ((uintptr_t)th_shared_heap_at(&p.one, a) % TH_SHARED_HEAP_ALIGNMENT_MAX, 0);
    CHECK_EQ((uintptr_t)th_shared_heap_at(&p.other, a) % TH_SHARED_HEAP_ALIGNMENT_MAX, 0);
    CHECK_EQ(th_shared_heap_alloc_at(&p.one, 10, 2 * TH_SHARED_HEAP_ALIGNMENT_MAX, A, 0), 0);
    CHECK_EQ(th_shared_heap_alloc_zeroed(&p.one, 10, 2 * TH_SHARED_HEAP_ALIGNMENT_MAX, A, 0), 0);
    CHECK_EQ(th_shared_heap_status(&p.one), TH_OK);
    shared_stop(&p);
}

/* ---- the lock ------------------------------------------------------------------------------ */

static void the_lock_may_be_held_over_calls(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 10, A);
    CHECK(a != 0);
    th_shared_heap_unlock(&p.one);
    CHECK(th_shared_heap_free(&p.one, a) > 0);
    th_shared_heap_unlock(&p.one);
    th_shared_heap_unlock(&p.one); /* once too often does nothing */
    CHECK(th_shared_heap_alloc(&p.other, 10, B) != 0);
    CHECK_EQ(th_shared_heap_get_stats(&p.one).head_blocks, 1);
    CHECK_EQ(th_shared_heap_lock(&p.other), TH_OK);
    th_shared_heap_clean_up(&p.other); /* gives it back */
    shared_stop(&p);
}

static bool gets_the_lock(void *context) {
    shared_pair *p = context;
    return th_shared_heap_lock(&p->other) == TH_OK;
}

static void a_clean_up_gives_the_lock_back(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    th_shared_heap_clean_up(&p.one);
    CHECK(holds_in_child(gets_the_lock, &p));
    shared_stop(&p);
}

/* ---- callbacks ----------------------------------------------------------------------------- */

typedef struct asked {
    shared_pair *p;
    unsigned calls;
    th_fault_kind fault;
    bool yes;
} asked;

static void note_fault(void *context, const th_fault *fault) {
    *(th_fault_kind *)context = fault->kind;
}

static void make_a_gap(shared_pair *p, th_shared_ref refs[3]) {
    static const uint32_t tags[] = {A, B, C};
    for (unsigned i = 0; i < 3; i++) {
        refs[i] = th_shared_heap_alloc(&p->one, 200, tags[i]);
        CHECK(refs[i] != 0);
        shared_fill(&p->one, refs[i], 200, tags[i]);
    }
    CHECK(th_shared_heap_free(&p->one, refs[0]) > 0);
}

static bool answer(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    asked *a = context;
    CHECK_EQ(bytes, 200);
    CHECK((unsigned char *)to < (unsigned char *)from);
    CHECK_EQ(tag, a->calls == 0 ? B : C);
    CHECK(th_shared_heap_ref(&a->p->one, from) > th_shared_heap_ref(&a->p->one, to));
    a->calls++;
    return a->yes;
}

static void compaction_asks(void) {
    shared_pair p;
    th_shared_ref refs[3];
    shared_start(&p, NULL);
    make_a_gap(&p, refs);
    asked a = {.p = &p};
    CHECK_EQ(th_shared_heap_compact(&p.one, SIZE_MAX, answer, &a).blocks_vetoed, 1);
    CHECK_EQ(a.calls, 1); /* what lies above has nothing free below it */
    CHECK_EQ(th_shared_heap_get_stats(&p.other).moves, 0);
    a = (asked){.p = &p, .yes = true};
    CHECK_EQ(th_shared_heap_compact(&p.one, SIZE_MAX, answer, &a).blocks_moved, 2);
    CHECK_EQ(a.calls, 2);
    CHECK_EQ(th_shared_heap_find(&p.other, B, 0), refs[0]);
    CHECK(shared_holds(&p.other, refs[0], 200, B));
    CHECK(shared_holds(&p.other, th_shared_heap_find(&p.other, C, 0), 200, C));
    CHECK_EQ(th_shared_heap_get_stats(&p.other).moves, 2);
    shared_stop(&p);
}

static bool call_back(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    asked *a = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    CHECK_EQ(th_shared_heap_alloc(&a->p->one, 10, A), 0);
    CHECK_EQ(th_shared_heap_status(&a->p->one), TH_ERR_BUSY);
    CHECK_EQ(a->fault, TH_FAULT_REENTRY);
    static void (*const ends[])(th_shared_heap *) = {
        th_shared_heap_clean_up, th_shared_heap_unlock /* it was not locked by hand */};
    for (unsigned i = 0; i < 2; i++) {
        a->fault = TH_FAULT_NONE;
        a->p->one.status = TH_OK;
        ends[i](&a->p->one);
        CHECK_EQ(a->fault, TH_FAULT_REENTRY);
        CHECK_EQ(th_shared_heap_status(&a->p->one), TH_ERR_BUSY);
    }
    CHECK_EQ(a->p->one.held, 1);
    a->calls++;
    return true;
}

static void calls_from_inside_are_refused(void) {
    shared_pair p;
    th_shared_ref refs[3];
    asked a = {.p = &p};
    const th_shared_heap_config config = {
        .guarding = {.level = th_guard_max(), .on_fault = note_fault, .fault_context = &a.fault}};
    shared_start(&p, &config);
    make_a_gap(&p, refs);
    CHECK_EQ(th_shared_heap_compact(&p.one, 1, call_back, &a).blocks_moved, 1);
    CHECK_EQ(a.calls, 1);
    CHECK_EQ(th_shared_heap_find(&p.other, B, 0), refs[0]);
    CHECK_EQ(th_shared_heap_check(&p.one, NULL), TH_OK);
    shared_stop(&p);
}

static void faults_change_nothing(void) {
#if TH_GUARD > 0
    shared_pair p;
    th_fault_kind fault = TH_FAULT_NONE;
    const th_shared_heap_config config = {
        .guarding = {.level = 1, .on_fault = note_fault, .fault_context = &fault}};
    shared_start(&p, &config);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 100, A);
    CHECK_EQ(th_shared_heap_free(&p.one, a + 4), 0);
    CHECK_EQ(fault, TH_FAULT_NOT_A_BLOCK);
    CHECK(th_shared_heap_free(&p.one, a) > 0);
    CHECK_EQ(th_shared_heap_free(&p.one, a), 0);
    CHECK_EQ(fault, TH_FAULT_DOUBLE_FREE);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    shared_stop(&p);
#endif
}

#if TH_GUARD > 0
static void count_fault(void *context, const th_fault *fault) {
    *(unsigned *)context += fault->kind == TH_FAULT_NOT_A_BLOCK;
}
#endif

static void a_resize_of_no_block_is_one_fault(void) {
#if TH_GUARD > 0
    shared_pair p;
    unsigned faults = 0;
    const th_shared_heap_config config = {
        .guarding = {.level = 1, .on_fault = count_fault, .fault_context = &faults}};
    shared_start(&p, &config);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 100, A);
    CHECK_EQ(th_shared_heap_resize(&p.one, a + 4, 10), 0);
    CHECK_EQ(faults, 1);
    CHECK_EQ(th_shared_heap_resize(&p.one, a + 4, 1000), 0);
    CHECK_EQ(faults, 2);
    CHECK_EQ(th_shared_heap_resize(&p.one, 0, 10), 0);
    CHECK_EQ(faults, 2);
    CHECK_EQ(th_shared_heap_resize(&p.one, a, 10), a);
    shared_stop(&p);
#endif
}

/* ---- fork ---------------------------------------------------------------------------------- */

static bool works_on(void *context) {
    shared_pair *p = context;
    return th_shared_heap_alloc(&p->one, 10, B) != 0 &&
           th_shared_heap_check(&p->one, NULL) == TH_OK;
}

static void a_child_has_the_attachments(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK(holds_in_child(works_on, &p));
    CHECK_EQ(th_shared_heap_get_stats(&p.one).head_blocks, 1);
    shared_stop(&p);
}

static bool has_no_lock(void *context) {
    shared_pair *p = context;
    bool stale =
        th_shared_heap_alloc(&p->one, 10, B) == 0 && th_shared_heap_status(&p->one) == TH_ERR_STALE;
    th_shared_heap_unlock(&p->one);
    th_shared_heap_clean_up(&p->one);
    return stale;
}

static void a_child_does_not_have_the_lock(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    CHECK(holds_in_child(has_no_lock, &p));
    CHECK(th_shared_heap_alloc(&p.one, 10, A) != 0);
    th_shared_heap_unlock(&p.one);
    CHECK_EQ(th_shared_heap_get_stats(&p.other).head_blocks, 1);
    shared_stop(&p);
}

static bool fork_once(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    asked *a = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    if (a->calls++ == 0) {
        pid_t child = fork();
        CHECK(child >= 0);
        a->yes = child != 0;
        if (child != 0) {
            int status;
            CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
                  WEXITSTATUS(status) == 0);
        }
    }
    return true;
}

static void a_child_of_a_callback_leaves_the_heap_alone(void) {
    shared_pair p;
    th_shared_ref refs[3];
    asked a = {.p = &p};
    shared_start(&p, NULL);
    make_a_gap(&p, refs);
    th_heap_compaction result = th_shared_heap_compact(&p.one, SIZE_MAX, fork_once, &a);
    if (!a.yes) { /* the child */
        bool good = result.blocks_moved == 0 && th_shared_heap_status(&p.one) == TH_ERR_STALE &&
                    th_shared_heap_alloc(&p.one, 10, A) == 0 &&
                    th_shared_heap_status(&p.one) == TH_ERR_STALE && a.calls == 1 &&
                    shared_holds(&p.one, refs[1], 200, B);
        _exit(good ? 0 : 1);
    }
    CHECK_EQ(result.blocks_moved, 2);
    CHECK(shared_holds(&p.other, refs[0], 200, B));
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    shared_stop(&p);
}

/* The same where a process is played by a number: what children do is not measured. */

static void a_number_without_the_lock(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    th_shared_heap child = p.one;
    played_process = 1;
    bool refused = has_no_lock(&(shared_pair){.one = child});
    th_shared_heap_unlock(&child);
    played_process = 0;
    CHECK(refused);
    CHECK_EQ(child.held, 1); /* not its own */
    th_shared_heap_unlock(&p.one);
    CHECK_EQ(p.one.held, 0);
    CHECK(th_shared_heap_alloc(&p.other, 10, A) != 0);
    shared_stop(&p);
}

static bool become_another(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    asked *a = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    a->calls++;
    played_process = 1;
    return true;
}

static void a_number_that_changes_in_a_callback(void) {
    shared_pair p;
    th_shared_ref refs[3];
    asked a = {.p = &p};
    shared_start(&p, NULL);
    make_a_gap(&p, refs);
    th_shared_ref gap = th_shared_heap_alloc(&p.one, 200, A);
    CHECK_EQ(gap, refs[0]);
    gap = th_shared_heap_alloc(&p.one, 200, A);
    CHECK(th_shared_heap_alloc(&p.one, 200, B) > gap);
    CHECK(th_shared_heap_free(&p.one, refs[0]) > 0 && th_shared_heap_free(&p.one, gap) > 0);
    th_heap_compaction result = th_shared_heap_compact(&p.one, SIZE_MAX, become_another, &a);
    played_process = 0;
    CHECK_EQ(a.calls, 1); /* of the second one nobody is asked */
    CHECK_EQ(result.blocks_moved, 0);
    CHECK_EQ(th_shared_heap_status(&p.one), TH_ERR_STALE);
    CHECK(shared_holds(&p.one, refs[1], 200, B));
    th_shared_heap_unlock(&p.one);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    shared_stop(&p);
}

/* ---- other processes ----------------------------------------------------------------------- */

static char name[64];

static bool adds_to_the_list(void *context) {
    th_file_map map;
    th_shared_heap heap;
    (void)context;
    bool good = th_shared_memory_open(&map, name, TH_FILE_MAP_SHARED) == TH_OK &&
                th_shared_heap_attach(&heap, map.start, map.bytes, NULL) == TH_OK;
    th_shared_ref root = good ? th_shared_heap_find(&heap, T, 0) : 0;
    th_shared_ref *next = th_shared_heap_at(&heap, root);
    th_shared_ref added = root != 0 ? th_shared_heap_alloc(&heap, sizeof added, A) : 0;
    if (added != 0) {
        *(th_shared_ref *)th_shared_heap_at(&heap, added) = *next;
        *next = added;
    }
    return added != 0;
}

static void unrelated_processes_build_a_list(void) {
    th_file_map map;
    th_shared_heap heap;
    (void)snprintf(name, sizeof name, "/test_shared_heap-%ld", (long)getpid());
    CHECK_EQ(th_shared_memory_open_new(&map, name, SHARED_BYTES, 0600), TH_OK);
    CHECK_EQ(th_shared_heap_init(&heap, map.start, map.bytes, NULL), TH_OK);
    th_shared_ref root = th_shared_heap_alloc_zeroed(&heap, sizeof root, 4, T, 0);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(holds_in_child(adds_to_the_list, NULL));
    }
    unsigned count = 0;
    for (th_shared_ref at = *(th_shared_ref *)th_shared_heap_at(&heap, root); at != 0;
         at = *(th_shared_ref *)th_shared_heap_at(&heap, at)) {
        count++;
    }
    CHECK_EQ(count, 3);
    th_shared_heap_clean_up(&heap);
    th_file_map_close(&map);
    CHECK_EQ(th_shared_memory_remove(name), TH_OK);
}

/* ---- the state comes round ----------------------------------------------------------------- */

/* After 2^24 operations its number is the same again. The number of operations is not. */
static void a_state_that_comes_round_takes_nobody_in(void) {
    shared_pair p;
    shared_start(&p, NULL);
    th_shared_object *object = (void *)p.memory[0];
    CHECK(th_shared_heap_alloc(&p.one, 10, A) != 0);
    CHECK(th_shared_heap_alloc(&p.other, 20, T) != 0);
    CHECK(th_shared_heap_alloc(&p.other, 20, T) != 0);
    CHECK_EQ(object->state & 0xFF, p.one.seen & 0xFF);
    CHECK_EQ(object->state >> TH_SHARED_NUMBER_SHIFT, (p.one.seen >> TH_SHARED_NUMBER_SHIFT) + 2);
    object->state = p.one.seen;
    CHECK_EQ(th_shared_heap_get_stats(&p.one).tail_blocks, 2);
    CHECK(th_shared_heap_alloc(&p.one, 10, A) != 0);
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    shared_stop(&p);
}

#if TH_ASSERTS

/* No change of the heap is about more than four headers. */
static void note_too_many_headers(void) {
    static const th_shared_intent intent = {.kind = TH_SHARED_UNDO};
    shared_pair p;
    shared_start(&p, NULL);
    for (unsigned i = 0; i < 4; i++) {
        (void)th_shared_heap_alloc(&p.one, 10, A);
    }
    th_shared_journal(&p.one, &intent);
    const th_header run[1] = {{.offset = 0}};
    p.one.heap.journal->before(&p.one, &p.one.heap, run, 1, p.one.heap.last);
}

static void a_change_of_too_much_is_an_assertion(void) {
    expect_assertion(note_too_many_headers, "src/resource/shared_heap_journal.c",
                     "count < TH_SHARED_OLD_MAX");
}

#define ASSERTION_TESTS TEST(a_change_of_too_much_is_an_assertion),
#else
#define ASSERTION_TESTS
#endif

TH_SUITE("shared_heap", ASSERTION_TESTS TEST(blocks_are_seen_at_other_addresses),
         TEST(counters_are_seen_by_the_other), TEST(no_reference_is_no_address),
         TEST(it_does_what_a_plain_heap_does), TEST(small_objects_have_no_index),
         TEST(zeroed_memory_is_zero), TEST(blocks_are_found_by_tag_and_site),
         TEST(alignments_end_at_the_page), TEST(the_lock_may_be_held_over_calls),
         TEST(a_clean_up_gives_the_lock_back), TEST(compaction_asks),
         TEST(calls_from_inside_are_refused), TEST(faults_change_nothing),
         TEST(a_resize_of_no_block_is_one_fault), TEST(a_child_has_the_attachments),
         TEST(a_child_does_not_have_the_lock), TEST(a_child_of_a_callback_leaves_the_heap_alone),
         TEST(a_state_that_comes_round_takes_nobody_in), TEST(a_number_without_the_lock),
         TEST(a_number_that_changes_in_a_callback), TEST(unrelated_processes_build_a_list))
