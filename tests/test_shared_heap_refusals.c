/* SPDX-License-Identifier: MIT */
/* Memory in which there is no shared heap, or none for us: what is refused, with which words. */
#define _DEFAULT_SOURCE

#include <string.h>

#include "base/guard_max.h"
#include "base/mix.h"
#include "death.h"
#include "heap/seal.h"
#include "resource/shared_heap.h"
#include "shared_fixture.h"

enum { A = 0x1001, B };

static void expect_refused(shared_pair *p, size_t bytes, th_status status, const char *text) {
    th_shared_heap heap = {.held = 7};
    const char *told = th_shared_heap_explain(p->memory[1], bytes);
    CHECK(told != NULL && strstr(told, text) != NULL);
    CHECK_EQ(th_shared_heap_attach(&heap, p->memory[1], bytes, NULL), status);
    CHECK_EQ(heap.held, 7); /* untouched */
}

/* The header with one field changed, rightly summed up or not: only its own words are written. */
static void with_field(shared_pair *p, size_t offset, uint32_t value, th_status status,
                       const char *text) {
    uint32_t *field = (void *)(p->memory[0] + offset);
    uint32_t before = *field;
    *field = value;
    expect_refused(p, p->bytes, status, text);
    *field = before;
}

static void what_is_no_heap_is_refused(void) {
    shared_pair p;
    shared_map(&p, SHARED_BYTES);
    expect_refused(&p, p.bytes, TH_ERR_BUSY, "has not finished");
    expect_refused(&p, 64, TH_ERR_TOO_SMALL, "shorter than a shared heap's header");
    memset(p.memory[0], 0x7F, p.bytes);
    expect_refused(&p, p.bytes, TH_ERR_UNKNOWN, "no shared heap");
    uint64_t random = th_test_seed(92);
    for (unsigned i = 0; i < 100; i++) {
        for (size_t j = 0; j < p.bytes; j += 8) {
            uint64_t word = th_test_random(&random);
            memcpy(p.memory[0] + j, &word, sizeof word);
        }
        expect_refused(&p, p.bytes, TH_ERR_UNKNOWN, "no shared heap");
    }
    CHECK_EQ(th_shared_heap_attach(&p.one, NULL, p.bytes, NULL), TH_ERR_NULL);
    CHECK_EQ(th_shared_heap_attach(NULL, p.memory[0], p.bytes, NULL), TH_ERR_NULL);
    CHECK_EQ(th_shared_heap_attach(&p.one, p.memory[0] + 16, p.bytes - 16, NULL),
             TH_ERR_MISALIGNED);
    CHECK(strstr(th_shared_heap_explain(NULL, 0), "no memory") != NULL);
    CHECK(strstr(th_shared_heap_explain(p.memory[0] + 8, 100), "4096") != NULL);
    shared_stop(&p);
}

static void heaps_of_others_are_refused(void) {
    shared_pair p;
    shared_start(&p, NULL);
    CHECK(th_shared_heap_explain(p.memory[1], p.bytes) == NULL);
    with_field(&p, offsetof(th_shared_header, mark), 0x68536854, TH_ERR_LAYOUT, "byte order");
    with_field(&p, offsetof(th_shared_header, version), TH_SHARED_VERSION + 1, TH_ERR_LAYOUT,
               "version");
    with_field(&p, offsetof(th_shared_header, lock_layout), 3, TH_ERR_LAYOUT, "C library");
    for (size_t i = offsetof(th_shared_header, check_seed); i < sizeof(th_shared_header); i += 4) {
        with_field(&p, i, *(uint32_t *)(void *)(p.memory[0] + i) ^ 0x10000, TH_ERR_CORRUPT,
                   "header of the heap is damaged");
    }
    expect_refused(&p, p.bytes - SHARED_PAGE, TH_ERR_TOO_SMALL, "shorter than the heap says");
    expect_refused(&p, p.bytes + SHARED_PAGE, TH_ERR_TOO_LARGE, "longer than the heap says");
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    shared_stop(&p);
}

/* As the maker sums the header up. */
static uint64_t sum_of(const th_shared_header *header) {
    const uint64_t words[] = {th_word_pair(header->version, header->lock_layout),
                              header->bytes,
                              header->index_start,
                              header->index_bytes,
                              header->region_start,
                              header->space,
                              th_word_pair(header->check_seed, header->dwords),
                              th_word_pair(header->last, header->tag_free),
                              th_word_pair(header->size_max, header->unit_dwords),
                              th_word_pair(header->header_dwords, header->guard),
                              header->layout};
    uint64_t sum = TH_SHARED_MARK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        sum = th_mix(sum, words[i]);
    }
    return sum;
}

static void heaps_that_this_build_cannot_serve_are_refused(void) {
    shared_pair p;
    shared_start(&p, NULL);
    th_shared_header *header = &((th_shared_object *)(void *)p.memory[0])->header;
    const th_shared_header before = *header;
    CHECK_EQ(header->check, sum_of(header));
    header->guard = (uint32_t)th_guard_max() + 1;
    header->check = sum_of(header);
    expect_refused(&p, p.bytes, TH_ERR_LAYOUT, "higher guard level");
    *header = before;
    header->layout = TH_HEAP_LAYOUT_WIDE + 1;
    header->check = sum_of(header);
    expect_refused(&p, p.bytes, TH_ERR_LAYOUT, "does not contain");
    *header = before;
    CHECK_EQ(th_shared_heap_check(&p.other, NULL), TH_OK);
    shared_stop(&p);
}

static void damage_is_noticed(void) {
    shared_pair p;
    th_fault fault;
    shared_start(&p, NULL);
    th_shared_ref a = th_shared_heap_alloc(&p.one, 100, A);
    memset((unsigned char *)th_shared_heap_at(&p.one, a) - 24, 0x55, 24); /* a header */
    CHECK_EQ(th_shared_heap_check(&p.other, &fault), TH_ERR_CORRUPT);
    CHECK(fault.kind != TH_FAULT_NONE);
    th_shared_heap heap;
    CHECK_EQ(th_shared_heap_attach(&heap, p.memory[1], p.bytes, NULL), TH_ERR_CORRUPT);
    shared_stop(&p);
}

static void damaged_counters_are_noticed(void) {
    shared_pair p;
    shared_start(&p, NULL);
    th_shared_object *object = (void *)p.memory[0];
    CHECK(th_shared_heap_alloc(&p.one, 100, A) != 0);
    th_shared_control *control = &object->controls[object->state >> TH_SHARED_CONTROL_BIT & 1];
    for (size_t i = 0; i < sizeof *control; i += 4) {
        uint32_t *word = (void *)((unsigned char *)control + i);
        *word ^= 1;
        CHECK_EQ(th_shared_heap_alloc(&p.other, 10, B), 0);
        CHECK_EQ(th_shared_heap_status(&p.other), TH_ERR_CORRUPT);
        *word ^= 1;
    }
    CHECK(th_shared_heap_alloc(&p.other, 10, B) != 0);
    shared_stop(&p);
}

static void what_cannot_be_made_is_refused(void) {
    shared_pair p;
    th_shared_heap heap = {.held = 7};
    const th_shared_heap_config odd = {.alignment = 5};
    const th_shared_heap_config reading = {.read_only = true};
    shared_map(&p, SHARED_BYTES);
    CHECK_EQ(th_shared_heap_init(NULL, p.memory[0], p.bytes, NULL), TH_ERR_NULL);
    CHECK_EQ(th_shared_heap_init(&heap, NULL, p.bytes, NULL), TH_ERR_NULL);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0] + 16, p.bytes - 16, NULL), TH_ERR_MISALIGNED);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0], 64, NULL), TH_ERR_TOO_SMALL);
    size_t header = sizeof(th_shared_object);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0], header, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0], header + 100, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0], p.bytes, &odd), TH_ERR_ALIGNMENT);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0], p.bytes, &reading), TH_ERR_CONFIG);
    CHECK_EQ(heap.held, 7);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0], p.bytes, NULL), TH_OK);
    CHECK_EQ(th_shared_heap_init(&heap, p.memory[0], p.bytes, NULL), TH_ERR_BUSY);
    CHECK_EQ(th_shared_heap_alloc(&heap, 1, A) != 0, true);
    shared_stop(&p);
}

/* ---- what lies behind the header ------------------------------------------------------------- */

static void count_fault(void *context, const th_fault *fault) {
    unsigned *faults = context;
    *faults += fault->kind != TH_FAULT_NONE;
}

/* Some bytes behind the header, not those of the lock, are overwritten by anything. */
static void scribble(shared_pair *p, uint64_t *random) {
    size_t first = offsetof(th_shared_object, state);
    size_t end = th_test_random(random) % 2 == 0 ? sizeof(th_shared_object) : p->bytes;
    size_t at = first + (size_t)(th_test_random(random) % (end - first));
    size_t most = th_test_random(random) % 8 == 0 ? end - at : 12;
    size_t count = 1 + (size_t)(th_test_random(random) % most);
    for (size_t i = at; i < at + count && i < end; i++) {
        p->memory[0][i] = (unsigned char)th_test_random(random);
    }
}

/* Who attaches, and works in it then, is answered; what is accepted is a heap. At level 0 nothing
 * is promised of contents that are changed under a heap, but that it can be looked at. */
static void any_contents_are_answered(void) {
    enum { ROUNDS = 60, BLOCKS = 12 };
    static unsigned char good[SHARED_BYTES];
    uint64_t random = th_test_seed(93);
    unsigned refusals = 0;
    unsigned faults = 0;
    th_shared_heap_config config;
    for (unsigned turn = 0; shared_next_config(&config, &turn);) {
        shared_pair p;
        config.guarding.on_fault = count_fault;
        config.guarding.fault_context = &faults;
        shared_start(&p, &config);
        for (unsigned i = 0; i < BLOCKS; i++) {
            CHECK(th_shared_heap_alloc(&p.one, 50 + i, i % 2 == 0 ? A : B) != 0);
        }
        CHECK_EQ(th_shared_heap_free_tags(&p.one, B, B), BLOCKS / 2);
        memcpy(good, p.memory[0], p.bytes);
        for (unsigned i = 0; i < ROUNDS; i++) {
            th_shared_heap heap;
            scribble(&p, &random);
            (void)th_shared_heap_explain(p.memory[1], p.bytes);
            th_status status = th_shared_heap_attach(&heap, p.memory[1], p.bytes, &config);
            CHECK(status == TH_OK || status == TH_ERR_CORRUPT);
            refusals += status != TH_OK;
            if (status == TH_OK) {
                CHECK_EQ(th_shared_heap_check(&heap, NULL), TH_OK);
                th_shared_ref ref = th_shared_heap_alloc(&heap, 40, A);
                CHECK(ref == 0 || th_shared_heap_free(&heap, ref) > 0);
                CHECK(th_shared_heap_free_tags(&heap, A, A) <= BLOCKS / 2);
                CHECK_EQ(th_shared_heap_check(&heap, NULL), TH_OK);
                th_shared_heap_clean_up(&heap);
            }
            memcpy(p.memory[0], good, p.bytes);
        }
        CHECK_EQ(th_shared_heap_check(&p.one, NULL), TH_OK);
        shared_stop(&p);
    }
    CHECK(refusals > 0);
}

/* ---- a lock that nobody gives back ----------------------------------------------------------- */

static const th_shared_heap_config hurried = {.wait_ns = 1000000};

static bool is_told_in_time(void *context) {
    shared_pair *p = context;
    th_shared_heap heap = {.held = 7};
    return th_shared_heap_explain(p->memory[1], p->bytes) == NULL &&
           th_shared_heap_attach(&heap, p->memory[1], p->bytes, &hurried) == TH_ERR_BUSY &&
           heap.held == 7;
}

static bool calls_are_told_in_time(void *context) {
    shared_pair *p = context;
    return th_shared_heap_alloc(&p->other, 10, A) == 0 &&
           th_shared_heap_status(&p->other) == TH_ERR_BUSY;
}

/* A copy of a heap has its lock as it was, whose holder knows of no copy. */
static void nobody_has_to_wait_for_ever(void) {
    shared_pair p;
    shared_pair copy;
    shared_map(&p, SHARED_BYTES);
    shared_map(&copy, SHARED_BYTES);
    CHECK_EQ(th_shared_heap_init(&p.one, p.memory[0], p.bytes, &hurried), TH_OK);
    CHECK_EQ(th_shared_heap_attach(&p.other, p.memory[1], p.bytes, &hurried), TH_OK);
    CHECK_EQ(th_shared_heap_lock(&p.one), TH_OK);
    CHECK(holds_in_child(is_told_in_time, &p));
    CHECK(holds_in_child(calls_are_told_in_time, &p));
    memcpy(copy.memory[0], p.memory[0], p.bytes);
    th_shared_heap_unlock(&p.one);
    CHECK(holds_in_child(is_told_in_time, &copy));
    CHECK(!holds_in_child(calls_are_told_in_time, &p));
    CHECK(th_shared_heap_alloc(&p.other, 10, A) != 0);
    shared_stop(&copy);
    shared_stop(&p);
}

TH_SUITE("shared_heap_refusals", TEST(what_is_no_heap_is_refused),
         TEST(heaps_of_others_are_refused), TEST(heaps_that_this_build_cannot_serve_are_refused),
         TEST(damage_is_noticed), TEST(damaged_counters_are_noticed),
         TEST(what_cannot_be_made_is_refused), TEST(any_contents_are_answered),
         TEST(nobody_has_to_wait_for_ever))
