/* SPDX-License-Identifier: MIT */
/* The attack matrix, each position with one kind of call in turn: every guard level of this build
 * notices what it must, when it must, and names it; level 3 at the latest at the next operation.
 * What is excluded is shown to be the same as something that is right. */
#include <stdio.h>
#include <string.h>

#include "attack/matrix.h"
#include "suite.h"
#include "tagheap/heap.h"

static bool begins(const char *name, const char *const *prefixes) {
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0) {
            return true;
        }
    }
    return false;
}

static void expect_noticed(const lab_matrix_row *row) {
    bool right = row->problems == 0 && row->runs > 0;
    for (unsigned level = 0; level < LAB_LEVELS; level++) {
        right = right && row->worst[level] <= row->least[level];
    }
    if (!right) {
        printf("# %s: %s, %s, %s, %s; %llu problems %s\n", row->name,
               lab_notice_name(row->worst[0]), lab_notice_name(row->worst[1]),
               lab_notice_name(row->worst[2]), lab_notice_name(row->worst[3]),
               (unsigned long long)row->problems, row->problem);
    }
    CHECK(right);
    CHECK(row->least[3] <= LAB_NOTICE_NEXT);
}

/* The rows by how their names begin, one group for each test. */
enum { OVERFLOW, UNDERFLOW, FREED, HEADERS, CONTROL, POINTERS, CALLBACKS, GROUPS };
static const char *const groups[GROUPS][5] = {
    [OVERFLOW] = {"overflow", "one byte"},
    [UNDERFLOW] = {"underflow"},
    [FREED] = {"write"},
    [HEADERS] = {"header"},
    [CONTROL] = {"counter", "any other field"},
    [POINTERS] = {"free of", "resize, trim"},
    [CALLBACKS] = {"any call", "end of", "low memory", "a callback"},
};

static void play(unsigned group) {
    const lab_matrix_options options = {.stride = TH_TRACK_VALGRIND ? 7 : 1};
    for (size_t i = 0; i < lab_matrix_row_count(); i++) {
        lab_matrix_row row;
        if (begins(lab_matrix_row_name(i), groups[group])) {
            CHECK(lab_matrix_play(i, &options, &row));
            if (row.runs > 0 || th_guard_max() > 0) {
                expect_noticed(&row); /* without guards, some calls may do anything */
            }
        }
    }
}

static void overflow_is_noticed(void) {
    play(OVERFLOW);
}

static void underflow_is_noticed(void) {
    play(UNDERFLOW);
}

static void writes_after_free_are_noticed(void) {
    play(FREED);
}

static void every_header_bit_is_noticed(void) {
    play(HEADERS);
}

static void the_control_structure_is_noticed(void) {
    play(CONTROL);
}

static void pointers_are_refused(void) {
    play(POINTERS);
}

static void callbacks_are_refused(void) {
    play(CALLBACKS);
}

static void every_row_is_in_one_group(void) {
    for (size_t i = 0; i < lab_matrix_row_count(); i++) {
        unsigned in = 0;
        for (unsigned group = 0; group < GROUPS; group++) {
            in += begins(lab_matrix_row_name(i), groups[group]);
        }
        CHECK_EQ(in, 1);
    }
}

static void exclusions_are_shown(void) {
    CHECK(lab_exclusion_count > 0);
    for (unsigned i = 0; i < lab_exclusion_count; i++) {
        printf("# %s\n", lab_exclusions[i].name);
        CHECK(lab_exclusions[i].prove());
    }
}

TH_SUITE("attack_matrix", TEST(overflow_is_noticed), TEST(underflow_is_noticed),
         TEST(writes_after_free_are_noticed), TEST(every_header_bit_is_noticed),
         TEST(the_control_structure_is_noticed), TEST(pointers_are_refused),
         TEST(callbacks_are_refused), TEST(every_row_is_in_one_group), TEST(exclusions_are_shown))
