/* SPDX-License-Identifier: MIT */
/* heaplab pairs: how often which operation of a script follows which. Nothing is played. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"

typedef struct pairs {
    uint64_t counts[LAB_OP_COUNT][LAB_OP_COUNT]; /* [first][second] */
    uint64_t operations;
} pairs;

static void count(pairs *p, const lab_script *script) {
    for (size_t i = 0; i < script->count; i++) {
        if (i > 0) {
            p->counts[script->ops[i - 1].kind][script->ops[i].kind]++;
        }
    }
    p->operations += script->count;
}

static void print(const pairs *p, int scripts) {
    (void)printf("%d scripts, %" PRIu64 " operations\n", scripts, p->operations);
    for (unsigned first = 0; first < LAB_OP_COUNT; first++) {
        for (unsigned second = 0; second < LAB_OP_COUNT; second++) {
            (void)printf("%s %s %" PRIu64 "\n", lab_op_rules[first].name, lab_op_rules[second].name,
                         p->counts[first][second]);
        }
    }
}

int lab_cli_pairs(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.many = true};
    static pairs all;
    lab_cli_files given;
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, NULL);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    int scripts = 0;
    for (int i = 1; i <= given.count; i++) {
        lab_script script = {0};
        if (lab_cli_read(argv[0], argv[i], &given, &script)) {
            count(&all, &script);
            scripts++;
        }
        lab_script_clean_up(&script);
    }
    print(&all, scripts);
    return scripts == given.count ? LAB_CLI_DONE : LAB_CLI_BAD_INPUT;
}
