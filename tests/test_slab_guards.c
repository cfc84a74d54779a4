/* SPDX-License-Identifier: MIT */
/* What the slab allocator's guards, its checker and the tools notice. */
#include "alloc/slab.h"
#include "alloc_fixture.h"
#include "heap_fixture.h"

#define POISON 0xFDu
#define BYTES  400u
#define STRIDE 400u

enum { OBJECTS = 6 }; /* of them, 4 fill the first slab; the last two are freed again */

static fault_log faults;
static backing slabs;
static th_slab slab;
static unsigned char *objects[OBJECTS];
static size_t sizes[OBJECTS] = {397, 100, 390, 147, 396, 1};

static void start(int level) {
    const th_slab_config config = {.object_bytes = BYTES,
                                   .alignment = 16,
                                   .slab_bytes = 2048,
                                   .backing = backing_start(&slabs),
                                   .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_slab_init(&slab, &config), TH_OK);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        objects[i] = th_slab_alloc_bytes(&slab, sizes[i]);
        CHECK(objects[i] != NULL);
        fill(objects[i], sizes[i], i);
    }
    th_slab_free(&slab, objects[4]);
    CHECK(th_slab_alloc(&slab) == objects[4]);
    th_slab_free(&slab, objects[5]);
    th_slab_free(&slab, objects[4]);
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(slab.capacity, 4);
}

static void stop(void) {
    CHECK_EQ(faults.count, 0);
    CHECK_EQ(th_slab_check(&slab, NULL), TH_OK);
    CHECK_EQ(th_slab_get_stats(&slab).live, 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(filled(objects[i], sizes[i], i));
    }
    th_slab_clean_up(&slab);
    backing_stop(&slabs);
}

static th_slab_head *head_of(unsigned char *object) {
    return (th_slab_head *)(void *)(object - (uintptr_t)object % slab.slab_bytes);
}

/* ---- pointers ------------------------------------------------------------------------------- */

static void free_bad_pointers(int level) {
    unsigned char *foreign[] = {(unsigned char *)&slab, (unsigned char *)&faults};
    start(level);
    for (size_t i = 0; i < 2; i++) {
        th_slab_free(&slab, foreign[i]);
        EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                      (uint32_t)(uintptr_t)foreign[i]);
    }
    th_slab_free(&slab, head_of(objects[0]));
    EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  (uint32_t)(uintptr_t)head_of(objects[0]));
    th_slab_free(&slab, objects[1] + 5);
    EXPECT_LOGGED(&faults, level, TH_FAULT_MISALIGNED, 1, 0, STRIDE + 5, STRIDE, STRIDE + 5);
    th_slab_free(&slab, objects[1] + 16);
    EXPECT_LOGGED(&faults, level, TH_FAULT_NOT_A_BLOCK, 1, 0, STRIDE + 16, STRIDE, STRIDE + 16);
    th_slab_free(&slab, objects[5] + STRIDE); /* never used */
    EXPECT_LOGGED(&faults, level, TH_FAULT_NOT_A_BLOCK, 2, 0, 2 * STRIDE, 2 * STRIDE, 2 * STRIDE);
    th_slab_free(&slab, objects[5]);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 1, 0, STRIDE, STRIDE, STRIDE);
    CHECK(!th_slab_resize_in_place(&slab, objects[4], 5));
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 0, 0, 0);
    CHECK_EQ(th_slab_requested_size(&slab, objects[4]), 0);
    EXPECT_LOGGED(&faults, level, TH_FAULT_DOUBLE_FREE, 0, 0, 0, 0, 0);
    CHECK_EQ(th_allocator_usable_size(th_slab_allocator(&slab), objects[4]), 0);
    CHECK_EQ(faults.count, 1);
    faults.count = 0;
    stop();
}

static void bad_pointers_are_named(void) {
    at_levels(1, free_bad_pointers);
}

/* Two allocators, one set of ranges: each knows its own objects. */
static void share(int level) {
    static th_slab other;
    start(level);
    const th_slab_config config = slab.config;
    CHECK_EQ(th_slab_init_shared(&other, &config, slab.ranges), TH_OK);
    unsigned char *object = th_slab_alloc(&other);
    CHECK(object != NULL);
    CHECK(th_slab_owns(&other, object) && !th_slab_owns(&slab, object));
    th_slab_free(&slab, object);
    EXPECT_LOGGED(&faults, level, TH_FAULT_FOREIGN, TH_FAULT_NOWHERE, 0, TH_FAULT_NOWHERE, 0,
                  (uint32_t)(uintptr_t)object);
    CHECK_EQ(th_slab_check(&other, NULL), TH_OK);
    th_slab_clean_up(&other);
    stop();
}

static void objects_of_another_allocator_are_foreign(void) {
    at_levels(1, share);
}

/* ---- canaries and poison -------------------------------------------------------------------- */

static void smash_canaries(int level) {
    start(level);
    for (uint32_t i = 0; i < 4; i++) {
        size_t end = STRIDE - sizes[i] > TH_SLAB_SLACK_MAX ? STRIDE - 4 : STRIDE;
        for (size_t byte = sizes[i]; byte < end; byte++) {
            uint32_t offset = (uint32_t)(i * STRIDE + byte);
            unsigned char due = poke(objects[i] + byte, 0);
            unsigned char wrong = (unsigned char)~due;
            (void)poke(objects[i] + byte, wrong);
            th_slab_free(&slab, objects[i]);
            EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, i, 0, offset, due, wrong);
            CHECK(!th_slab_resize_in_place(&slab, objects[i], BYTES));
            EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, i, 0, offset, due, wrong);
            CHECK_EQ(th_slab_requested_size(&slab, objects[i]), 0);
            faults.count = 0;
            CHECK_EQ(th_slab_reset(&slab), TH_ERR_CORRUPT);
            EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, i, 0, offset, due, wrong);
            CHECK_EQ(poke(objects[i] + byte, due), wrong);
        }
    }
    stop();
}

static void an_overflow_is_noticed_to_the_byte(void) {
    at_levels(1, smash_canaries);
}

/* The number in an object's last bytes: 300 bytes of 400 were not asked for. */
static void smash_long_slack(int level) {
    start(level);
    unsigned char *last = objects[1] + STRIDE - 4;
    unsigned char *second = last + th_test_byte_place(1);
    unsigned char was = poke(second, 0x41); /* more than there are */
    th_slab_free(&slab, objects[1]);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 1, 0, 2 * STRIDE - 4, TH_SLAB_SLACK_MAX + 1,
                  0x412C);
    (void)poke(second, 0); /* fewer than would stand here: 44 */
    th_slab_free(&slab, objects[1]);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CANARY, 1, 0, 2 * STRIDE - 4, TH_SLAB_SLACK_MAX + 1,
                  0x2C);
    (void)poke(second, was);
    stop();
}

static void a_size_written_over_is_noticed(void) {
    at_levels(1, smash_long_slack);
}

/* At level 0 the size that cannot be is taken for the largest that is safe. */
static void level_0_stays_inside_the_object(void) {
    start(0);
    unsigned char was = poke(objects[1] + STRIDE - 3, 0x41);
    CHECK_EQ(th_slab_requested_size(&slab, objects[1]), STRIDE - 4);
    (void)poke(objects[1] + STRIDE - 3, was);
    stop();
}

static void write_after_free(int level) {
    start(level);
    for (uint32_t i = sizeof(void *); i < STRIDE; i++) {
        CHECK_EQ(poke(objects[4] + i, 0x41), POISON);
        CHECK(th_slab_alloc(&slab) == NULL);
        EXPECT_LOGGED(&faults, level, TH_FAULT_POISON, 0, 0, i, POISON, 0x41);
        CHECK_EQ(poke(objects[4] + i, POISON), 0x41);
    }
    CHECK_EQ(th_slab_get_stats(&slab).failed_allocs, 0);
    stop();
}

static void a_write_after_free_is_noticed_before_reuse(void) {
    at_levels(2, write_after_free);
}

/* objects[4] is first in the list of its slab, its link leads to objects[5]. */
static void smash_links(int level) {
    start(level);
    const void *bad[] = {&slab, objects[5] + 1, objects[5] + 16, objects[0], objects[5] + STRIDE};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        poke_link(objects[4], bad[i]);
        CHECK(th_slab_alloc(&slab) == NULL);
        EXPECT_LOGGED(&faults, level, TH_FAULT_CHAIN, 0, 0, 0, 0, (uint32_t)(uintptr_t)bad[i]);
        CHECK_EQ(th_slab_check(&slab, NULL), TH_ERR_CORRUPT);
    }
    poke_link(objects[4], objects[5]);
    CHECK_PTR_EQ(th_slab_alloc(&slab), objects[4]);
    poke_link(objects[5], objects[4]); /* live again */
    CHECK(th_slab_alloc(&slab) == NULL);
    EXPECT_LOGGED(&faults, level, TH_FAULT_CHAIN, 1, 0, STRIDE, 0, (uint32_t)(uintptr_t)objects[4]);
    poke_link(objects[5], NULL);
    th_slab_free(&slab, objects[4]);
    stop();
}

static void a_link_that_leads_astray_is_not_followed(void) {
    at_levels(1, smash_links);
}

/* ---- headers -------------------------------------------------------------------------------- */

static void smash_header(int level) {
    start(level);
    head_of(objects[0])->first ^= 16;
    th_slab_free(&slab, objects[0]);
    CHECK_EQ(faults.first.kind, TH_FAULT_HEADER);
    faults.count = 0;
    CHECK_EQ(th_slab_check(&slab, NULL), TH_ERR_CORRUPT);
    head_of(objects[0])->first ^= 16;
    head_of(objects[4])->check ^= 1;
    CHECK(th_slab_alloc(&slab) == NULL);
    CHECK_EQ(faults.first.kind, TH_FAULT_HEADER);
    faults.count = 0;
    head_of(objects[4])->check ^= 1;
    stop();
}

static void a_damaged_header_is_noticed(void) {
    at_levels(1, smash_header);
}

static void expect_found(th_fault_kind kind) {
    expect_damage(th_slab_allocator(&slab), kind);
}

#define EXPECT_FOUND_WITH(field, value, kind)                                                      \
    do {                                                                                           \
        __typeof__(field) was_ = (field);                                                          \
        (field) = (value);                                                                         \
        expect_found(kind);                                                                        \
        (field) = was_;                                                                            \
    } while (0)

static void damage_the_structure(int level) {
    start(level);
    th_slab_head *full = head_of(objects[0]);
    th_slab_head *empty = head_of(objects[4]);
    CHECK(slab.lists[0] == empty && slab.lists[2] == full);
    EXPECT_FOUND_WITH(slab.live, 5, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(slab.slabs, 1, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(slab.empty_slabs, 0, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(slab.lists[1], full, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(slab.lists[1], (th_slab_head *)(void *)&slab, TH_FAULT_CHAIN);
    EXPECT_FOUND_WITH(slab.lists[2], (th_slab_head *)(void *)(objects[0]), TH_FAULT_CHAIN);
    EXPECT_FOUND_WITH(*slab.ranges, NULL, TH_FAULT_CHAIN);
    EXPECT_FOUND_WITH(full->prev, empty, TH_FAULT_CHAIN);
    EXPECT_FOUND_WITH(full->check, 0, TH_FAULT_HEADER);
    EXPECT_FOUND_WITH(full->used, 5, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(full->used, 3, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(full->live, 3, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(full->state[2], TH_SLAB_STATE_FREE, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(empty->live, 1, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(empty->free_list, objects[5], TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(empty->free_list, NULL, TH_FAULT_COUNT);
    EXPECT_FOUND_WITH(empty->free_list, objects[0], TH_FAULT_CHAIN);
    EXPECT_FOUND_WITH(slab.quick, full, TH_FAULT_CHAIN);
    slab.quick = full;
    th_fault fault;
    CHECK_EQ(th_slab_check(&slab, &fault), TH_ERR_CORRUPT);
    CHECK(fault.expected == 0 && fault.found == (uint32_t)(uintptr_t)full);
    slab.quick = NULL;
    poke_link(objects[5], objects[4]); /* a circle */
    expect_found(TH_FAULT_COUNT);
    poke_link(objects[5], NULL);
    stop();
}

static void the_checker_finds_damage_in_the_structure(void) {
    at_levels(0, damage_the_structure);
}

/* A slab whose count goes with the list that it is in, which is the wrong one for so many. */
static void damage_the_lists(int level) {
    start(level);
    th_slab_head *full = head_of(objects[0]);
    CHECK_EQ(full->live, -4);
    full->live = 4;
    slab.lists[1] = full;
    EXPECT_FOUND_WITH(slab.lists[2], NULL, TH_FAULT_COUNT);
    full->live = -4;
    slab.lists[1] = NULL;
    th_slab_free(&slab, objects[3]);
    CHECK(slab.lists[1] == full && slab.lists[2] == NULL);
    CHECK(slab.quick == (slab.quick_bits != 0 ? full : NULL));
    EXPECT_FOUND_WITH(slab.quick, slab.lists[0], TH_FAULT_CHAIN);
    full->live = -3;
    slab.lists[2] = full;
    EXPECT_FOUND_WITH(slab.lists[1], NULL, TH_FAULT_COUNT);
    full->live = 3;
    slab.lists[2] = NULL;
    CHECK_PTR_EQ(th_slab_alloc_bytes(&slab, sizes[3]), objects[3]);
    fill(objects[3], sizes[3], 3);
    stop();
}

static void the_checker_finds_a_slab_in_the_wrong_list(void) {
    at_levels(0, damage_the_lists);
}

/* Damage that has nothing to do with the operation is found after it, at level 3 only. */
static void damage_elsewhere(int level) {
    start(level);
    unsigned char due = poke(objects[1] + sizes[1], 0x41);
    CHECK_PTR_EQ(th_slab_alloc(&slab), objects[4]);
    CHECK_EQ(faults.count, level == 3);
    faults.count = 0;
    th_slab_free(&slab, objects[4]);
    CHECK_EQ(faults.count, level == 3);
    faults.count = 0;
    CHECK_EQ(th_slab_trim(&slab), 1);
    CHECK_EQ(faults.count, level == 3);
    faults.count = 0;
    (void)poke(objects[1] + sizes[1], due);
    stop();
}

static void level_3_looks_at_everything(void) {
    at_levels(1, damage_elsewhere);
}

/* ---- tools ---------------------------------------------------------------------------------- */

static void look_at_every_byte(int level) {
    start(level);
    for (size_t i = 0; i < 4; i++) {
        for (size_t byte = 0; byte < STRIDE; byte++) {
            CHECK_EQ(is_closed(objects[i] + byte), tools_look() && byte >= sizes[i]);
        }
    }
    for (size_t byte = 0; byte < 16; byte++) {
        CHECK_EQ(is_closed(objects[0] - 1 - byte), tools_look());
        CHECK_EQ(is_closed(objects[3] + STRIDE + byte), tools_look());
    }
    for (size_t byte = 0; byte < 4 * STRIDE; byte++) {
        CHECK_EQ(is_closed(objects[4] + byte), tools_look());
    }
    CHECK(th_slab_resize_in_place(&slab, objects[1], 101));
    CHECK(!is_closed(objects[1] + 99));
    CHECK_EQ(is_closed(objects[1] + 101), tools_look());
    CHECK(th_slab_resize_in_place(&slab, objects[1], 100));
    CHECK_EQ(is_closed(objects[1] + 100), tools_look());
    stop();
}

static void tools_see_exactly_the_requested_bytes(void) {
    at_levels(0, look_at_every_byte);
}

TH_SUITE("slab_guards", TEST(bad_pointers_are_named),
         TEST(objects_of_another_allocator_are_foreign), TEST(an_overflow_is_noticed_to_the_byte),
         TEST(a_size_written_over_is_noticed), TEST(level_0_stays_inside_the_object),
         TEST(a_write_after_free_is_noticed_before_reuse),
         TEST(a_link_that_leads_astray_is_not_followed), TEST(a_damaged_header_is_noticed),
         TEST(the_checker_finds_damage_in_the_structure),
         TEST(the_checker_finds_a_slab_in_the_wrong_list), TEST(level_3_looks_at_everything),
         TEST(tools_see_exactly_the_requested_bytes))
