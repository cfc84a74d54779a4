/* SPDX-License-Identifier: MIT */
/* Attack synthesis: scripts go to characters and back, the harness sees harm that is done, level 3
 * reports what was found to escape before, and a short search finds nothing. */
#include "synthesis/search.h"

#include <stdio.h>
#include <string.h>

#include "runner/plain.h"
#include "suite.h"
#include "synthesis/escapes.h"

static lab_synthesis_script script;

static void decode(const char *text) {
    lab_synthesis_decode(&script, (const uint8_t *)text, strlen(text));
}

static lab_world *world(void) {
    static lab_world *one;
    if (one == NULL) {
        one = lab_world_new(false);
        CHECK(one != NULL);
    }
    return one;
}

/* ---- scripts ------------------------------------------------------------------------------ */

static void expect_kept(const char *text) {
    char again[LAB_SYNTHESIS_TEXT_MAX];
    decode(text);
    lab_synthesis_encode(&script, again);
    CHECK_EQ(strcmp(text, again), 0);
}

static void characters_lead_there_and_back(void) {
    expect_kept("000");
    expect_kept("217 a0~0 A7y3 t00~ f000 r100 i000 g001 G013 c084 s010");
    expect_kept(
        "103 o000 u141 p032 z002 l021 h011 H12y n001 C0@4 L010 R000 m02y P000 F110 K14h X2;0");
}

static void any_bytes_are_a_script(void) {
    uint8_t bytes[600];
    uint64_t seed = th_test_seed(1);
    for (unsigned i = 0; i < 200; i++) {
        char text[LAB_SYNTHESIS_TEXT_MAX], again[LAB_SYNTHESIS_TEXT_MAX];
        for (unsigned k = 0; k < sizeof bytes; k++) {
            bytes[k] = (uint8_t)th_test_random(&seed);
        }
        lab_synthesis_decode(&script, bytes, (size_t)(th_test_random(&seed) % sizeof bytes));
        CHECK(script.count <= LAB_SYNTHESIS_OPS_MAX);
        lab_synthesis_encode(&script, text);
        decode(text);
        lab_synthesis_encode(&script, again);
        CHECK_EQ(strcmp(text, again), 0);
    }
    lab_synthesis_decode(&script, NULL, 0);
    CHECK_EQ(script.count, 0);
}

static void every_operation_has_words_of_its_own(void) {
    char said[LAB_SYNTHESIS_WHATS][96];
    for (unsigned what = 0; what < LAB_SYNTHESIS_WHATS; what++) {
        const lab_synthesis_op op = {(uint8_t)what, 1, 2, 40};
        (void)snprintf(said[what], sizeof said[what], "%s", lab_synthesis_describe(&op));
        for (unsigned other = 0; other < what; other++) {
            CHECK(strcmp(said[what], said[other]) != 0);
        }
    }
}

static void every_value_has_words_of_its_own(void) {
    char said[LAB_SYNTHESIS_NUMBERS][96];
    for (unsigned y = 0; y < LAB_SYNTHESIS_NUMBERS; y++) {
        const lab_synthesis_op op = {LAB_SYNTHESIS_HEADER, 1, 2, (uint8_t)y};
        (void)snprintf(said[y], sizeof said[y], "%s", lab_synthesis_describe(&op));
        for (unsigned other = 0; other < y; other++) {
            CHECK(strcmp(said[y], said[other]) != 0);
        }
    }
}

static void a_class_is_the_most_that_is_done(void) {
    decode("000 a000 L000 m000 f000");
    CHECK_EQ(lab_synthesis_class(&script), LAB_SYNTHESIS_ALLOC);
    decode("000 a000 o000 X000 u000");
    CHECK_EQ(lab_synthesis_class(&script), LAB_SYNTHESIS_POINTER);
    decode("000 a000 o000 u000 o000");
    CHECK_EQ(lab_synthesis_class(&script), LAB_SYNTHESIS_UNDERFLOW);
}

/* ---- harm --------------------------------------------------------------------------------- */

static const th_heap_layout layouts[] = {TH_HEAP_LAYOUT_CLASSIC, TH_HEAP_LAYOUT_WIDE};

static bool has_level_3(void) {
    return th_guard_max() >= 3;
}

static void start(const char *text) {
    decode(text);
    CHECK(lab_world_start(world(), &script, 0, TH_HEAP_LAYOUT_CLASSIC));
}

static void what_overlaps_is_harm(void) {
    lab_world *w = world();
    unsigned char *at;
    start("000");
    at = w->region + 100;
    lab_world_hold(w, 0, at, 20, 1);
    lab_world_hold(w, 1, at + 40, 20, 1);
    CHECK_EQ(w->harm, LAB_END_HARMLESS);
    lab_world_given(w, at + 20, 20, 2);
    CHECK_EQ(w->harm, LAB_END_HARMLESS);
    lab_world_given(w, at + 10, 20, 0); /* of the slot itself */
    CHECK_EQ(w->harm, LAB_END_HARMLESS);
    lab_world_given(w, at + 20, 21, 2);
    CHECK_EQ(w->harm, LAB_END_OVERLAP);
    w->harm = LAB_END_HARMLESS;
    lab_world_given(w, at + 19, 1, 2);
    CHECK_EQ(w->harm, LAB_END_OVERLAP);
}

static void what_lies_outside_is_harm(void) {
    lab_world *w = world();
    start("000");
    lab_world_given(w, w->region + w->bytes - 4, 4, 0);
    lab_world_given(w, w->region, 4, 0);
    CHECK_EQ(w->harm, LAB_END_HARMLESS);
    lab_world_given(w, w->region + w->bytes - 4, 5, 0);
    CHECK_EQ(w->harm, LAB_END_OUTSIDE);
    w->harm = LAB_END_HARMLESS;
    lab_world_given(w, w->region - 1, 1, 0);
    CHECK_EQ(w->harm, LAB_END_OUTSIDE);
    start("000");
    *(w->region - LAB_WORLD_EDGE) ^= 1;
    lab_world_compare(w);
    CHECK_EQ(w->harm, LAB_END_OUTSIDE);
}

/* Where the heap knows of no block, its memory is closed to tools. */
static LAB_PLAIN void add_to(volatile unsigned char *at, int by) {
    LAB_BLIND_BEGIN;
    *at = (unsigned char)(*at + by);
    LAB_BLIND_END;
}

static void contents_that_change_are_harm(void) {
    lab_world *w = world();
    start("000");
    unsigned char *at = w->region + 100;
    lab_world_hold(w, 3, at, 20, 1);
    add_to(at + 19, 1);
    add_to(at + 20, 1);
    lab_world_compare(w);
    CHECK_EQ(w->harm, LAB_END_CONTENTS);
    w->harm = LAB_END_HARMLESS;
    add_to(at + 19, -1);
    lab_world_compare(w);
    CHECK_EQ(w->harm, LAB_END_HARMLESS);
    lab_world_write(w, 100, "abc", 3); /* what an attacker writes into a payload is its contents */
    lab_world_compare(w);
    CHECK_EQ(w->harm, LAB_END_HARMLESS);
    CHECK_EQ(w->attacks, 3);
    lab_world_write(w, 100, "abc", 3); /* what stood there already is no attack */
    lab_world_write(w, w->bytes, "abc", 3);
    lab_world_write(w, -3, "abc", 3);
    CHECK_EQ(w->attacks, 3);
}

/* ---- plays -------------------------------------------------------------------------------- */

static lab_synthesis_result play(const char *text, int level, th_heap_layout layout) {
    lab_synthesis_result result;
    decode(text);
    CHECK(lab_synthesis_play(world(), &script, level, layout, false, &result));
    return result;
}

/* Scripts that attack nothing do no harm at any level. */
static void ordinary_scripts_are_harmless(void) {
    static const char *const texts[] = {
        "000 a0G0 a1O1 t2G0 A3G2 f0.. r1~0 i1.. g102 G023 c080 s0~0 a4~0 r4G0",
        "203 a0G0 a1G0 a2G0 a3G0 f0.. f2.. c080 A0G3 a2~0 t4~0 t5~1 G100 r3z0",
        "116 a0O0 a1O1 a2O2 f1.. c000 c010 s000 s000 r0W0 g202 i0.. a6y0 a7y0",
    };
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (int level = 0; level <= th_guard_max(); level++) {
            for (unsigned k = 0; k < 2; k++) {
                if (th_heap_has_layout(layouts[k])) {
                    lab_synthesis_result result = play(texts[i], level, layouts[k]);
                    CHECK_EQ(result.end, LAB_END_HARMLESS);
                    CHECK_EQ(result.attacks, 0);
                    CHECK_EQ(result.ops, script.count);
                }
            }
        }
    }
}

/* One attack of each kind, in both layouts, by what level 3 calls it. */
static void level_3_reports(void) {
    static const struct {
        const char *text;
        th_fault_kind kind;
    } rows[] = {
        {"003 a0E0 a1G1 o002 f0..", TH_FAULT_CANARY},
        {"000 a0G0 a1G1 u141 f1..", TH_FAULT_HEADER},
        {"000 a0W0 a1G1 f0.. p033 a2G1", TH_FAULT_POISON},
        {"000 a0W0 a1G1 f0.. z0.0 a2G1", TH_FAULT_POISON},
        {"000 a0G0 l131 a1G1", TH_FAULT_HEADER},
        {"000 a0G0 h031 a1G1", TH_FAULT_HEADER},
        {"000 a0G0 H061 a1G1", TH_FAULT_HEADER},
        {"002 a0G0 a1G0 f0.. n0P0 t2G1", TH_FAULT_INDEX},
        {"000 a0G0 C0;4 a1G1", TH_FAULT_COUNT}, /* head_dwords; in 32 bits, tail_dwords */
        /* These were not reported before the heap knew what it had written. */
        {"000 a0O0 L00. g003 R0.. a2O0", TH_FAULT_COUNT},
        {"000 a0O2 a1O1 K02y a2O0", TH_FAULT_COUNT},
        /* Before it asked whether a header can be: a crash. */
        {"000 a0G0 K03z f0..", TH_FAULT_CHAIN},
        {"002 a0G0 n0P1 a1G1", TH_FAULT_INDEX},
        /* Before the seed of the check words was mixed in as a word of its own: a crash. */
        {"120 C06= C00=", TH_FAULT_CONTROL},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0] && has_level_3(); i++) {
        for (unsigned k = 0; k < 2; k++) {
            if (th_heap_has_layout(layouts[k])) {
                lab_synthesis_result result = play(rows[i].text, 3, layouts[k]);
                if (result.end != LAB_END_REPORTED || result.fault != rows[i].kind) {
                    printf("# %s: %s, %s\n", rows[i].text, lab_synthesis_end_name(result.end),
                           th_fault_name(result.fault));
                }
                CHECK_EQ(result.end, LAB_END_REPORTED);
                CHECK_EQ(result.fault, rows[i].kind);
                CHECK(result.attacks > 0);
            }
        }
    }
}

static void a_search_at_level_3_finds_nothing(void) {
    enum { STEPS = 3000 };
    for (unsigned k = 0; k < 2 && has_level_3(); k++) {
        static lab_synthesis_search search;
        if (th_heap_has_layout(layouts[k])) {
            CHECK(lab_synthesis_search_init(&search, world(), 3, layouts[k], th_test_seed(7)));
            for (unsigned i = 0; i < STEPS; i++) {
                CHECK(lab_synthesis_search_step(&search));
            }
            CHECK_EQ(search.escaped, 0);
            CHECK(search.reported > STEPS / 2);
            CHECK_EQ(search.attacks, search.reported + search.harmless);
            CHECK(search.pool_count > 10);
            lab_synthesis_search_clean_up(&search);
        }
    }
}

static void what_is_known_is_below_level_3(void) {
    CHECK(lab_known_escape_count > 10);
    for (unsigned i = 0; i < lab_known_escape_count; i++) {
        const lab_known_escape *row = &lab_known_escapes[i];
        decode(row->text);
        CHECK(row->level < 3);
        CHECK(lab_synthesis_class(&script) != LAB_SYNTHESIS_ALLOC);
        CHECK(lab_escape_find(row->layout, row->level, lab_synthesis_class(&script)) == row);
        for (unsigned k = 0; k < 2 && has_level_3(); k++) {
            if (th_heap_has_layout(layouts[k])) {
                CHECK(!lab_synthesis_escaped(play(row->text, 3, layouts[k]).end));
            }
        }
    }
}

TH_SUITE("synthesis", TEST(characters_lead_there_and_back), TEST(any_bytes_are_a_script),
         TEST(every_operation_has_words_of_its_own), TEST(every_value_has_words_of_its_own),
         TEST(a_class_is_the_most_that_is_done), TEST(what_overlaps_is_harm),
         TEST(what_lies_outside_is_harm), TEST(contents_that_change_are_harm),
         TEST(ordinary_scripts_are_harmless), TEST(level_3_reports),
         TEST(a_search_at_level_3_finds_nothing), TEST(what_is_known_is_below_level_3))
