/* SPDX-License-Identifier: MIT */
/* Reading a shared heap without its lock, and without the right to write it. */
#define _DEFAULT_SOURCE

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard_max.h"
#include "heap/index.h"
#include "resource/shared_heap.h"
#include "shared_fixture.h"

enum { A = 0x1001, B = 0x1002, T = 0x4001 };

typedef struct seen {
    shared_pair *p;
    unsigned looks;
    uint64_t blocks;
    unsigned changes; /* so often something changes while it looks */
} seen;

static void count_blocks(void *context, const th_heap *heap) {
    seen *s = context;
    th_heap_block block;
    s->looks++;
    s->blocks = 0;
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        s->blocks += block.requested_bytes != 0;
    }
    if (s->changes > 0) {
        s->changes--;
        CHECK(th_shared_heap_alloc(&s->p->one, 10, A) != 0);
    }
}

static void a_heap_can_be_read_only(void) {
    shared_pair p;
    th_shared_heap reader;
    const th_shared_heap_config config = {.read_only = true};
    shared_start(&p, NULL);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 10, A);
    shared_fill(&p.one, a, 10, 5);
    CHECK_EQ(mprotect(p.memory[1], p.bytes, PROT_READ), 0);
    CHECK_EQ(th_shared_heap_attach(&reader, p.memory[1], p.bytes, &config), TH_OK);
    CHECK(shared_holds(&reader, a, 10, 5));
    seen s = {.p = &p};
    CHECK_EQ(th_shared_heap_view(&reader, count_blocks, &s), TH_OK);
    CHECK_EQ(s.blocks, 1);
    CHECK_EQ(s.looks, 1);
    CHECK_EQ(th_shared_heap_status(&reader), TH_OK);
    CHECK_EQ(th_shared_heap_alloc(&reader, 10, A), 0);
    CHECK_EQ(th_shared_heap_status(&reader), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_shared_heap_lock(&reader), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_shared_heap_check(&reader, NULL), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_shared_heap_free(&reader, a), 0);
    CHECK_EQ(th_shared_heap_trim(&reader, a), 0);
    CHECK(!th_shared_heap_retag(&reader, a, B));
    CHECK_EQ(th_shared_heap_resize(&reader, a, 5), 0);
    CHECK_EQ(th_shared_heap_free_tags(&reader, 0, T), 0);
    CHECK_EQ(th_shared_heap_compact(&reader, 1, NULL, NULL).blocks_moved, 0);
    CHECK_EQ(th_shared_heap_find(&reader, A, 0), 0);
    CHECK_EQ(th_shared_heap_requested_size(&reader, a), 0);
    CHECK_EQ(th_shared_heap_get_stats(&reader).operations, 0);
    th_shared_heap_clean_up(&reader);
    CHECK_EQ(mprotect(p.memory[1], p.bytes, PROT_READ | PROT_WRITE), 0);
    shared_stop(&p);
}

static void readers_look_again_when_it_changes(void) {
    shared_pair p;
    shared_start(&p, NULL);
    seen s = {.p = &p, .changes = 3};
    CHECK_EQ(th_shared_heap_view(&p.other, count_blocks, &s), TH_OK);
    CHECK_EQ(s.looks, 4);
    CHECK_EQ(s.blocks, 3);
    s = (seen){.p = &p, .changes = UINT32_MAX};
    CHECK_EQ(th_shared_heap_view(&p.other, count_blocks, &s), TH_ERR_BUSY);
    CHECK_EQ(s.looks, 100);
    CHECK_EQ(th_shared_heap_view(&p.other, NULL, &s), TH_ERR_NULL);
    shared_stop(&p);
}

static void work_unseen(void *context, const th_heap *heap) {
    seen *s = context;
    th_shared_object *object = (void *)s->p->memory[0];
    (void)heap;
    s->looks++;
    object->controls[object->state >> TH_SHARED_CONTROL_BIT & 1].operations += 1u << 24;
}

/* The state is the same after 2^24 operations; their number is not. */
static void readers_are_not_taken_in_by_a_state_that_comes_round(void) {
    shared_pair p;
    shared_start(&p, NULL);
    seen s = {.p = &p};
    /* From then on the number does not agree with its check. */
    CHECK_EQ(th_shared_heap_view(&p.other, work_unseen, &s), TH_ERR_CORRUPT);
    CHECK_EQ(s.looks, 1);
    shared_stop(&p);
}

static void readers_are_told_of_damage(void) {
    shared_pair p;
    shared_start(&p, NULL);
    seen s = {.p = &p};
    th_shared_object *object = (void *)p.memory[0];
    th_shared_control *control = &object->controls[th_shared_control_number(object->state)];
    control->free_blocks ^= 1; /* nobody is at work: it does not pass */
    CHECK_EQ(th_shared_heap_view(&p.other, count_blocks, &s), TH_ERR_CORRUPT);
    control->free_blocks ^= 1;
    CHECK_EQ(th_shared_heap_view(&p.other, count_blocks, &s), TH_OK);
    object->refused = 1;
    CHECK_EQ(th_shared_heap_view(&p.other, count_blocks, &s), TH_ERR_CORRUPT);
    CHECK_EQ(s.looks, 1);
    shared_stop(&p);
}

/* What stands in the index may be of another moment than what a walk has read. */
static void look_without_an_index(void *context, const th_heap *heap) {
    seen *s = context;
    th_heap_block block;
    s->looks++;
    s->blocks = !th_indexed(heap) && th_heap_find(heap, heap->base + 400, &block) &&
                th_heap_check(heap, NULL) == TH_OK;
}

static void readers_walk(void) {
    th_shared_heap_config config;
    for (unsigned turn = 0; shared_next_config(&config, &turn);) {
        shared_pair p;
        shared_start(&p, &config);
        CHECK(th_shared_heap_alloc(&p.one, 1000, A) != 0);
        CHECK(th_indexed(&p.one.heap) && th_indexed(&p.other.heap));
        seen s = {.p = &p};
        CHECK_EQ(th_shared_heap_view(&p.other, look_without_an_index, &s), TH_OK);
        CHECK(s.looks == 1 && s.blocks == 1);
        CHECK(th_indexed(&p.other.heap));
        shared_stop(&p);
    }
}

noreturn static void work_for_ever(th_shared_heap *heap) {
    th_shared_ref refs[30] = {0};
    uint64_t random = 5;
    for (;;) {
        uint64_t drawn = th_test_random(&random);
        th_shared_ref *ref = &refs[drawn % 30];
        if (*ref != 0) {
            (void)th_shared_heap_free(heap, *ref);
            *ref = 0;
        } else {
            *ref = th_shared_heap_alloc(heap, 1 + (size_t)(drawn >> 8) % 400, drawn & 64 ? A : T);
        }
    }
}

/* All that a reader may ask is asked while another process works in the heap. */
static void ask_all(void *context, const th_heap *heap) {
    seen *s = context;
    th_heap_block block;
    s->looks++;
    for (size_t at = 0; at < 20000; at += 4000) {
        s->blocks += th_heap_find(heap, heap->base + at, &block);
    }
    s->blocks += th_heap_check(heap, NULL) == TH_OK;
    s->blocks += th_heap_largest_free_bytes(heap) + th_heap_free_head_bytes(heap);
    s->blocks += th_heap_plan_compaction(heap, NULL, NULL).blocks_moved;
}

static void readers_bear_what_changes_under_them(void) {
    shared_pair p;
    const th_shared_heap_config config = {.guarding = {.level = th_guard_max()}};
    shared_start(&p, &config);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)alarm(60);
        work_for_ever(&p.one);
    }
    seen s = {.p = &p};
    for (unsigned i = 0; i < TH_TEST_TIMES(20000u); i++) {
        (void)th_shared_heap_view(&p.other, ask_all, &s);
    }
    CHECK(s.looks > 0);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    shared_stop(&p);
}

TH_SUITE("shared_heap_readers", TEST(a_heap_can_be_read_only),
         TEST(readers_look_again_when_it_changes),
         TEST(readers_are_not_taken_in_by_a_state_that_comes_round),
         TEST(readers_are_told_of_damage), TEST(readers_walk),
         TEST(readers_bear_what_changes_under_them))
