/* SPDX-License-Identifier: MIT */
/* heaplab attack: which guard level notices which attack, and when. */
#include <stdio.h>
#include <string.h>

#include "attack/matrix.h"
#include "cli/cli.h"

typedef struct attack_settings {
    lab_matrix_options options;
    bool table;
} attack_settings;

static int read_arguments(int argc, char **argv, attack_settings *out) {
    lab_cli_arguments from = {argc, argv, 1, false};
    const char *argument;
    bool is_option;
    *out = (attack_settings){.options = {.full = true, .undefined = true}};
    while ((argument = lab_cli_next(&from, &is_option)) != NULL) {
        if (is_option && strcmp(argument, "--quick") == 0) {
            out->options.full = false;
        } else if (is_option && strcmp(argument, "--table") == 0) {
            out->table = true;
        } else {
            return lab_cli_refuse(argv[0], is_option ? "unknown option" : "unexpected argument",
                                  argument);
        }
    }
    return LAB_CLI_DONE;
}

static void print_line(bool table, const char *name, const char *const cells[LAB_LEVELS]) {
    (void)printf(table ? "| %s |" : "%-48s", name);
    for (unsigned level = 0; level < LAB_LEVELS; level++) {
        (void)printf(table ? " %s |" : " %-17s", cells[level]);
    }
    (void)printf("\n");
}

static void print_row(bool table, const lab_matrix_row *row) {
    const char *cells[LAB_LEVELS];
    for (unsigned level = 0; level < LAB_LEVELS; level++) {
        cells[level] = lab_notice_name(row->worst[level]);
    }
    print_line(table, row->name, cells);
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

static unsigned play_rows(const attack_settings *settings, uint64_t *runs) {
    unsigned failed = 0;
    static const char *const levels[LAB_LEVELS] = {"level 0", "level 1", "level 2", "level 3"};
    static const char *const rule[LAB_LEVELS] = {"---", "---", "---", "---"};
    print_line(settings->table, "attack", levels);
    if (settings->table) {
        print_line(true, "---", rule);
    }
    for (size_t i = 0; i < lab_matrix_row_count(); i++) {
        lab_matrix_row row;
        (void)lab_matrix_play(i, &settings->options, &row);
        *runs += row.runs;
        print_row(settings->table, &row);
        failed += !meets(&row);
        (void)fflush(stdout);
    }
    return failed;
}

static unsigned prove_exclusions(bool table) {
    unsigned failed = 0;
    (void)printf("\n");
    for (unsigned i = 0; i < lab_exclusion_count; i++) {
        const lab_exclusion *exclusion = &lab_exclusions[i];
        bool proved = exclusion->prove();
        (void)printf("%s%s: excluded: %s (%s)\n", table ? "- " : "", exclusion->name,
                     exclusion->reason, proved ? "shown" : "NOT SHOWN");
        failed += !proved;
    }
    return failed;
}

int lab_cli_attack(int argc, char **argv) {
    attack_settings settings;
    uint64_t runs = 0;
    if (read_arguments(argc, argv, &settings) != LAB_CLI_DONE) {
        return LAB_CLI_BAD_INPUT;
    }
    unsigned failed = play_rows(&settings, &runs);
    failed += prove_exclusions(settings.table);
    if (!settings.table) {
        (void)printf("\n%zu attacks, %llu runs, %u failed\n", lab_matrix_row_count(),
                     (unsigned long long)runs, failed);
    }
    return failed == 0 ? LAB_CLI_DONE : LAB_CLI_FOUND;
}
