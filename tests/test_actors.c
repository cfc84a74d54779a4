/* SPDX-License-Identifier: MIT */
/* Actors: every order is played, each once, and what only one of them shows is found; threads leave
 * histories that are right, and a subject that is not made for them is noticed. */
#define _GNU_SOURCE

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "actors/actors.h"
#include "base/compiler.h"
#include "subjects/subjects.h"
#include "suite.h"

enum { OPS_MAX = 16, ACTORS = 4, MOST = 200000 };

static lab_script scripts[ACTORS];
static lab_actors actors;
static lab_player *player;

static void start(uint32_t count, const lab_config *config) {
    CHECK(count <= ACTORS);
    if (player == NULL) {
        player = lab_player_new();
    }
    actors = (lab_actors){.count = count};
    for (uint32_t i = 0; i < count; i++) {
        scripts[i].count = 0;
        scripts[i].config = *config;
        CHECK(lab_script_reserve(&scripts[i], OPS_MAX));
        actors.scripts[i] = &scripts[i];
    }
}

static void stop(void) {
    for (uint32_t i = 0; i < ACTORS; i++) {
        lab_script_clean_up(&scripts[i]);
    }
    lab_player_destroy(player);
    player = NULL;
}

static void add(uint32_t actor, lab_op_kind kind, uint16_t slot, uint32_t bytes) {
    lab_op op = {.kind = (uint8_t)kind, .slot = slot, .size.value = bytes};
    if (kind == LAB_OP_ALLOC) {
        op.tag = (uint16_t)(actor + 1 + (slot % 2 == 0 ? 0 : 0x4000));
    }
    CHECK(lab_script_append(&scripts[actor], op));
}

static const lab_config heap_config = {
    .dwords = 1000, .alignment = 8, .guard = 3, .slots = 8, .subject = LAB_SUBJECT_HEAP};

/* ---- every order ---------------------------------------------------------------------------- */

static uint8_t seen[64][OPS_MAX]; /* the slots of each order's operations */
static size_t seen_count;

static void note_op(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    (void)context;
    (void)heap;
    if (op == NULL) {
        CHECK(seen_count < 64);
        seen_count++;
    } else {
        seen[seen_count - 1][index] = (uint8_t)op->slot;
    }
}

/* The actors' slots follow each other as in their scripts; no two orders are alike. */
static void each_order_is_played_once(void) {
    const lab_run_options options = {.guard = -1, .after_op = note_op};
    lab_interleaving result;
    start(3, &heap_config);
    for (uint16_t slot = 0; slot < 6; slot++) {
        add(slot < 2 ? 0 : slot < 4 ? 1 : 2, LAB_OP_ALLOC, slot == 4 ? 5 : slot == 5 ? 4 : slot, 8);
    }
    scripts[2].count = 1;
    CHECK_EQ(lab_actors_orders(&actors), 30);
    seen_count = 0;
    memset(seen, 0, sizeof seen);
    CHECK(lab_actors_interleave(&actors, player, &options, NULL, NULL, &result));
    CHECK_EQ(result.failure.property, LAB_PROPERTY_NONE);
    CHECK_EQ(result.orders, 30);
    CHECK_EQ(result.operations, 150);
    CHECK_EQ(result.script.count, 0);
    CHECK_EQ(seen_count, 30);
    for (size_t i = 0; i < seen_count; i++) {
        for (size_t j = 0; j < i; j++) {
            CHECK(memcmp(seen[i], seen[j], OPS_MAX) != 0);
        }
        const uint8_t *zero = memchr(seen[i], 0, 5);
        const uint8_t *one = memchr(seen[i], 1, 5);
        const uint8_t *two = memchr(seen[i], 2, 5);
        const uint8_t *three = memchr(seen[i], 3, 5);
        CHECK(zero != NULL && one > zero && two != NULL && three > two);
    }
    static const uint8_t first[] = {0, 1, 2, 3, 5};
    CHECK(memcmp(seen[0], first, sizeof first) == 0);
    CHECK(memcmp(seen[29], (const uint8_t[]){5, 2, 3, 0, 1}, sizeof first) == 0);
    lab_interleaving_clean_up(&result);
    stop();
}

static void orders_are_counted(void) {
    static const struct {
        size_t counts[ACTORS];
        uint64_t orders;
    } rows[] = {{{0, 0, 0, 0}, 1},
                {{5, 0, 0, 0}, 1},
                {{1, 1, 1, 1}, 24},
                {{2, 2, 2, 2}, 2520},
                {{8, 8, 0, 0}, 12870},
                {{3, 4, 4, 0}, 11550},
                {{16, 16, 16, 16}, UINT64_MAX}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        start(ACTORS, &heap_config);
        for (uint32_t i = 0; i < ACTORS; i++) {
            scripts[i].count = rows[row].counts[i];
        }
        CHECK(lab_actors_orders(&actors) == rows[row].orders);
    }
    stop();
}

/* Three actors, one of which compacts in steps while the others resize and free: the exact model
 * agrees in every order. */
static void a_compaction_in_steps_in_every_order(void) {
    const lab_run_options options = {.guard = -1, .comparison = LAB_COMPARE_TOUCHED};
    lab_interleaving result;
    start(3, &heap_config);
    for (unsigned i = 0; i < 3; i++) {
        add(0, LAB_OP_COMPACT_SOME, 0, 1);
    }
    add(1, LAB_OP_ALLOC, 0, 100);
    add(1, LAB_OP_ALLOC, 2, 60);
    add(1, LAB_OP_FREE, 0, 0);
    add(1, LAB_OP_RESIZE, 2, 90);
    add(2, LAB_OP_ALLOC, 4, 70);
    add(2, LAB_OP_ALLOC, 0, 40);
    add(2, LAB_OP_FREE, 2, 0);
    CHECK(lab_actors_interleave(&actors, player, &options, NULL, NULL, &result));
    CHECK_EQ(result.failure.property, LAB_PROPERTY_NONE);
    CHECK_EQ(result.orders, 4200);
    CHECK(result.orders == lab_actors_orders(&actors));
    lab_interleaving_clean_up(&result);
    stop();
}

static bool stop_at_three(void *context, uint64_t orders) {
    (void)context;
    return orders < 3;
}

static void it_can_be_ended(void) {
    const lab_run_options options = {.guard = -1};
    lab_interleaving result;
    start(2, &heap_config);
    for (unsigned i = 0; i < 4; i++) {
        add(i % 2, LAB_OP_ALLOC, 0, 8);
    }
    CHECK(lab_actors_interleave(&actors, player, &options, stop_at_three, NULL, &result));
    CHECK_EQ(result.orders, 3);
    lab_interleaving_clean_up(&result);
    stop();
}

/* ---- subjects with a mistake ---------------------------------------------------------------- */

/* Blocks one after the other. `resets` goes back to the beginning as soon as two blocks were freed
 * in a row: wrong if a third one lives. */
typedef struct broken {
    _Alignas(16) unsigned char memory[4096];
    size_t used;
    unsigned freed_in_a_row;
    bool resets;
    bool races;     /* reads, lets others run, and writes */
    int inside;     /* atomic: calls that have read */
    bool is_atomic; /* no mistake */
} broken;

static broken subject_state;

static void *alloc_broken(void *self, size_t bytes, size_t alignment) {
    broken *b = self;
    bytes = (bytes + 15) / 16 * 16;
    (void)alignment;
    size_t at = __atomic_load_n(&b->used, __ATOMIC_RELAXED);
    if (b->races) {
        (void)__atomic_add_fetch(&b->inside, 1, __ATOMIC_RELAXED);
        for (unsigned i = 0; i < 100000 && __atomic_load_n(&b->inside, __ATOMIC_RELAXED) < 2; i++) {
            (void)sched_yield();
        }
        __atomic_store_n(&b->used, at + bytes, __ATOMIC_RELAXED);
    } else if (b->is_atomic) {
        at = __atomic_fetch_add(&b->used, bytes, __ATOMIC_RELAXED);
    } else {
        b->used += bytes;
        b->freed_in_a_row = 0;
    }
    return at + bytes <= sizeof b->memory ? b->memory + at : NULL;
}

static void free_broken(void *self, void *block) {
    broken *b = self;
    (void)block;
    if (b->resets && ++b->freed_in_a_row == 2) {
        b->used = 0;
    }
}

static bool create_broken(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = alloc_broken, .free = free_broken};
    (void)setup;
    subject_state.used = 0;
    subject_state.inside = 0;
    subject_state.freed_in_a_row = 0;
    instance->state = &subject_state;
    instance->allocator = (th_allocator){.table = &table, .self = &subject_state};
    return true;
}

static void destroy_broken(void *state) {
    (void)state;
}

static const lab_subject broken_subject = {.version = LAB_SUBJECT_VERSION,
                                           .name = "broken",
                                           .purpose = "a mistake",
                                           .flags =
                                               LAB_SUBJECT_OWN_MEMORY | LAB_SUBJECT_ANY_THREADS,
                                           .create = create_broken,
                                           .destroy = destroy_broken};

static lab_config broken_config(void) {
    lab_config config = {.dwords = 1000, .alignment = 16, .slots = 8};
    lab_subject_plug_in(&broken_subject);
    lab_subject_choose(&config, LAB_SUBJECT_PLUGIN);
    return config;
}

/* Only where both frees come together while the third block lives, and one more follows. */
static void an_order_that_fails_is_found_and_shown(void) {
    const lab_run_options options = {.guard = -1};
    lab_interleaving result;
    const lab_config config = broken_config();
    subject_state = (broken){.resets = true};
    start(2, &config);
    add(0, LAB_OP_ALLOC, 0, 32);
    add(0, LAB_OP_ALLOC, 1, 32);
    add(0, LAB_OP_FREE, 0, 0);
    add(0, LAB_OP_FREE, 1, 0);
    add(1, LAB_OP_ALLOC, 2, 32);
    add(1, LAB_OP_ALLOC, 3, 32);
    CHECK(lab_actors_interleave(&actors, player, &options, NULL, NULL, &result));
    CHECK(result.failure.property != LAB_PROPERTY_NONE);
    CHECK_EQ(result.orders, 11);

    CHECK_EQ(result.script.count, 6);
    lab_failure again;
    CHECK(!lab_player_play(player, &result.script, &options, &again, NULL)); /* as a script */
    CHECK(again.property == result.failure.property);
    size_t of_second = 0;
    for (size_t i = 0; i < 6; i++) {
        of_second += result.order[i];
        CHECK_EQ(result.order[i], result.script.ops[i].slot >= 2);
    }
    CHECK_EQ(of_second, 2);
    lab_interleaving_clean_up(&result);
    stop();
}

/* ---- threads -------------------------------------------------------------------------------- */

static void share(uint32_t count, const lab_config *config) {
    start(count, config);
    for (uint32_t actor = 0; actor < count; actor++) {
        uint16_t slot = (uint16_t)(2 * actor);
        add(actor, LAB_OP_ALLOC, slot, 100 + actor);
        add(actor, LAB_OP_FIND, 0, 0);
        add(actor, LAB_OP_ALLOC, (uint16_t)(slot + 1), 50);
        add(actor, LAB_OP_RESIZE, slot, 200);
        add(actor, LAB_OP_FREE, (uint16_t)((slot + 2) % 8), 0);
        add(actor, LAB_OP_FREE, (uint16_t)(slot + 1), 0);
        add(actor, LAB_OP_COMPACT, 0, 0); /* does nothing here */
        add(actor, LAB_OP_ALLOC, (uint16_t)((slot + 3) % 8), 20);
    }
}

/* Rounds that pass; *overlaps: those in which calls did. */
static unsigned play_rounds(unsigned rounds, lab_failure *failure, uint64_t *calls) {
    unsigned passed = 0;
    for (unsigned i = 0; i < rounds; i++) {
        const char *why;
        lab_history history = {0};
        lab_linear_result linear;
        lab_shared *shared = lab_shared_new(&scripts[0].config, &why);
        CHECK(shared != NULL);
        CHECK(lab_actors_thread(&actors, shared, &history, failure));
        *calls += history.count;
        passed += failure->property == LAB_PROPERTY_NONE &&
                  lab_actors_verify(shared, &history, MOST, &linear, failure);
        lab_history_clean_up(&history);
        lab_shared_destroy(shared);
        if (failure->property != LAB_PROPERTY_NONE) {
            break;
        }
    }
    return passed;
}

static void threads_on_one_heap(void) {
    lab_failure failure;
    uint64_t calls = 0;
    share(3, &heap_config);
    CHECK_EQ(play_rounds(60, &failure, &calls), 60);
    CHECK(calls > 60u * 3 * 5);
    stop();
}

static void threads_on_a_locked_allocator(void) {
    lab_failure failure;
    uint64_t calls = 0;
    lab_config config = {.dwords = 4000, .alignment = 16, .guard = 3, .slots = 8};
    const char *const name = "locked";
    for (unsigned i = 0; i < lab_subject_names_count; i++) {
        if (strcmp(lab_subject_names[i], name) == 0) {
            lab_subject_choose(&config, i);
        }
    }
    share(3, &config);
    CHECK_EQ(play_rounds(60, &failure, &calls), 60);
    CHECK(calls > 60u * 3 * 4);
    stop();
}

static void what_is_not_for_threads_is_refused(void) {
    const char *why;
    lab_config config = heap_config;
    config.slots = 256;
    CHECK(lab_shared_new(&config, &why) == NULL);
    CHECK(strstr(why, "slots") != NULL);
    config = heap_config;
    config.dwords = 4;
    CHECK(lab_shared_new(&config, &why) == NULL);
    CHECK(strstr(why, "config") != NULL);
    for (unsigned i = 1; i < lab_subject_names_count; i++) {
        const lab_subject *subject = lab_subject_at(i);
        if (strcmp(lab_subject_names[i], "bump") == 0 && subject != NULL) {
            config = heap_config;
            lab_subject_choose(&config, i);
            CHECK(lab_shared_new(&config, &why) == NULL);
            CHECK(strstr(why, "not for several threads") != NULL);
        }
    }
}

/* Both threads read the same place before one of them writes. */
static void a_race_for_a_block_is_noticed(void) {
    lab_failure failure;
    uint64_t calls = 0;
    const lab_config config = broken_config();
    start(2, &config);
    add(0, LAB_OP_ALLOC, 0, 32);
    add(1, LAB_OP_ALLOC, 1, 32);
#if !TH_COMPILER_TSAN /* which would notice it first, and end as it must */
    subject_state = (broken){.races = true};
    CHECK_EQ(play_rounds(1, &failure, &calls), 0);
    /* Contents may be seen to be broken first. */
    CHECK(failure.property == LAB_PROPERTY_BLOCKS || failure.property == LAB_PROPERTY_CONTENTS);
#endif
    subject_state = (broken){.is_atomic = true};
    CHECK_EQ(play_rounds(20, &failure, &calls), 20);
    stop();
}

/* What threads cannot be made to do on purpose, planted into a history. */
static lab_failure verify_planted(const lab_call_record *calls, size_t count) {
    const char *why;
    lab_failure failure;
    lab_linear_result linear;
    lab_history history = {0};
    lab_shared *shared = lab_shared_new(&heap_config, &why);
    for (size_t i = 0; i < count; i++) {
        CHECK(lab_history_add(&history, &calls[i]));
    }
    (void)lab_actors_verify(shared, &history, MOST, &linear, &failure);
    lab_history_clean_up(&history);
    lab_shared_destroy(shared);
    return failure;
}

static void a_history_that_is_wrong_is_noticed(void) {
    const uint64_t how = UINT64_C(1) << 32 | 8; /* tag 1, alignment 8 */
    lab_call_record calls[] = {
        {.invoked = 1, .returned = 2, .arguments = {40, 0, 0, how}, .result = 1},
        {.invoked = 3, .returned = 4, .arguments = {40, 1}, .result = 64, .kind = LAB_BLOCK_FREE},
        {.invoked = 5, .returned = 6, .arguments = {40, 0, 0, how}, .result = 1, .actor = 1}};
    CHECK_EQ(verify_planted(calls, 3).property, LAB_PROPERTY_NONE);
    calls[2].invoked = calls[1].invoked;
    CHECK_EQ(verify_planted(calls, 3).property, LAB_PROPERTY_NONE); /* they overlap */
    calls[1].invoked = 7; /* freed only after it was given again */
    calls[1].returned = 8;
    calls[1].result = 40; /* what is above it is live */
    lab_failure failure = verify_planted(calls, 3);
    CHECK_EQ(failure.property, LAB_PROPERTY_BLOCKS);
    CHECK(strcmp(failure.detail, "overlap") == 0);
    calls[2].result = 10; /* one dword below the first one's end */
    CHECK_EQ(verify_planted(calls, 3).property, LAB_PROPERTY_BLOCKS);
    calls[2].result = 17;
    CHECK_EQ(verify_planted(calls, 3).property, LAB_PROPERTY_NONE);
    calls[2].result = 33; /* nothing overlaps, but it is not first fit */
    failure = verify_planted(calls, 3);
    CHECK_EQ(failure.property, LAB_PROPERTY_RESULT);
    CHECK(strcmp(failure.detail, "not linearizable") == 0);
}

TH_SUITE("actors", TEST(each_order_is_played_once), TEST(orders_are_counted),
         TEST(a_compaction_in_steps_in_every_order), TEST(it_can_be_ended),
         TEST(an_order_that_fails_is_found_and_shown), TEST(threads_on_one_heap),
         TEST(threads_on_a_locked_allocator), TEST(what_is_not_for_threads_is_refused),
         TEST(a_race_for_a_block_is_noticed), TEST(a_history_that_is_wrong_is_noticed))
