/* SPDX-License-Identifier: MIT */
/* heaplab attack: which guard level notices which attack, and when. */
#include <stdio.h>
#include <string.h>

#include "attack/matrix.h"
#include "cli/cli.h"

static int read_arguments(int argc, char **argv, lab_matrix_options *out) {
    lab_cli_arguments from = {argc, argv, 1, false};
    const char *argument;
    bool is_option;
    *out = (lab_matrix_options){.full = true, .undefined = true};
    while ((argument = lab_cli_next(&from, &is_option)) != NULL) {
        if (!is_option || strcmp(argument, "--quick") != 0) {
            return lab_cli_refuse(argv[0], is_option ? "unknown option" : "unexpected argument",
                                  argument);
        }
        out->full = false;
    }
    return LAB_CLI_DONE;
}

static void print_line(const char *name, const char *const cells[LAB_LEVELS]) {
    (void)printf("%-48s %-17s %-17s %-17s %s\n", name, cells[0], cells[1], cells[2], cells[3]);
}

static void print_row(const lab_matrix_row *row) {
    const char *cells[LAB_LEVELS];
    for (unsigned level = 0; level < LAB_LEVELS; level++) {
        cells[level] = lab_notice_name(row->worst[level]);
    }
    print_line(row->name, cells);
}

/* Says what the row does not achieve. */
static bool meets(const lab_matrix_row *row) {
    bool right = row->problems == 0;
    if (!right) {
        (void)printf("FAILURE %s: %s (%llu such)\n", row->name, row->problem,
                     (unsigned long long)row->problems);
    }
    for (unsigned level = 0; level < LAB_LEVELS; level++) {
        if (row->worst[level] > row->least[level]) {
            (void)printf("FAILURE %s: level %u must notice it %s; found: %s\n", row->name, level,
                         lab_notice_name(row->least[level]), lab_notice_name(row->worst[level]));
            right = false;
        }
    }
    return right;
}

static unsigned play_rows(const lab_matrix_options *options, uint64_t *runs) {
    static const char *const levels[LAB_LEVELS] = {"level 0", "level 1", "level 2", "level 3"};
    unsigned failed = 0;
    print_line("attack", levels);
    for (size_t i = 0; i < lab_matrix_row_count(); i++) {
        lab_matrix_row row;
        (void)lab_matrix_play(i, options, &row);
        *runs += row.runs;
        print_row(&row);
        failed += !meets(&row);
        (void)fflush(stdout);
    }
    return failed;
}

static unsigned prove_exclusions(void) {
    unsigned failed = 0;
    (void)printf("\nexcluded, for no guard can notice it:\n");
    for (unsigned i = 0; i < lab_exclusion_count; i++) {
        const lab_exclusion *exclusion = &lab_exclusions[i];
        bool proved = exclusion->prove();
        (void)printf("%-48s %s: %s\n", exclusion->name, proved ? "shown" : "NOT SHOWN",
                     exclusion->reason);
        failed += !proved;
    }
    return failed;
}

int lab_cli_attack(int argc, char **argv) {
    lab_matrix_options options;
    uint64_t runs = 0;
    if (read_arguments(argc, argv, &options) != LAB_CLI_DONE) {
        return LAB_CLI_BAD_INPUT;
    }
    unsigned failed = play_rows(&options, &runs);
    failed += prove_exclusions();
    (void)printf("\n%zu attacks, %llu runs, %u failed\n", lab_matrix_row_count(),
                 (unsigned long long)runs, failed);
    return failed == 0 ? LAB_CLI_DONE : LAB_CLI_FOUND;
}
