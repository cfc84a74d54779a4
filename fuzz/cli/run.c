/* SPDX-License-Identifier: MIT */
/* heaplab run: plays script files. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "runner/runner.h"

enum { DONE = 0, FOUND = 1, BAD_INPUT = 2 };

typedef struct run_arguments {
    lab_run_options options;
    int first_file;
    bool verbose;
} run_arguments;

static int usage_error(const char *what, const char *value) {
    (void)fprintf(stderr,
                  "heaplab run: %s '%s'; usage: heaplab run [-v] [--guard 0..3] "
                  "[--subject heap] FILE...\n",
                  what, value);
    return BAD_INPUT;
}

/* The value of the option argv[*i], or NULL with the usage printed. */
static const char *option_value(int argc, char **argv, int *i) {
    if (*i + 1 >= argc) {
        (void)usage_error("a value is missing after", argv[*i]);
        return NULL;
    }
    return argv[++*i];
}

static int parse_arguments(int argc, char **argv, run_arguments *out) {
    int i = 1;
    *out = (run_arguments){.options = {.guard = -1}};
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *value = NULL;
        if (strcmp(argv[i], "-v") == 0) {
            out->verbose = true;
            continue;
        }
        bool guard = strcmp(argv[i], "--guard") == 0;
        if (!guard && strcmp(argv[i], "--subject") != 0) {
            return usage_error("unknown option", argv[i]);
        }
        value = option_value(argc, argv, &i);
        if (value == NULL) {
            return BAD_INPUT;
        }
        if (guard) {
            if (value[0] < '0' || value[0] > '3' || value[1] != '\0') {
                return usage_error("no guard level", value);
            }
            out->options.guard = value[0] - '0';
        } else if (strcmp(value, "heap") != 0) {
            return usage_error("unknown subject (see heaplab subjects)", value);
        }
    }
    if (i == argc) {
        return usage_error("no script file after", argv[argc - 1]);
    }
    out->first_file = i;
    return DONE;
}

static int run_file(lab_runner *runner, const char *path, const run_arguments *arguments) {
    lab_script script = {0};
    lab_failure failure;
    lab_run_counts counts = {0};
    char message[512];
    int status = DONE;
    if (!lab_script_read_file(&script, path, message, sizeof message)) {
        (void)fprintf(stderr, "heaplab run: %s\n", message);
        return BAD_INPUT;
    }
    if (!lab_runner_play(runner, &script, &arguments->options, &failure, &counts)) {
        (void)printf("%s: ", path);
        lab_failure_print(&failure, &script, stdout);
        status = FOUND;
    } else if (arguments->verbose) {
        (void)printf("%s: passed, %llu operations, %llu acted, %llu moves\n", path,
                     (unsigned long long)counts.ops, (unsigned long long)counts.acted,
                     (unsigned long long)counts.moves);
    }
    lab_script_clean_up(&script);
    return status;
}

int lab_cli_run(int argc, char **argv) {
    run_arguments arguments;
    int status = parse_arguments(argc, argv, &arguments);
    if (status != DONE) {
        return status;
    }
    lab_runner *runner = lab_runner_new();
    if (runner == NULL) {
        (void)fprintf(stderr, "heaplab run: no memory for the runner\n");
        return BAD_INPUT;
    }
    int passed = 0;
    int failed = 0;
    for (int i = arguments.first_file; i < argc; i++) {
        int one = run_file(runner, argv[i], &arguments);
        status = one > status ? one : status;
        passed += one == DONE;
        failed += one != DONE;
    }
    (void)printf("%d scripts passed, %d failed\n", passed, failed);
    lab_runner_destroy(runner);
    return status;
}

int lab_cli_subjects(int argc, char **argv) {
    if (argc > 1) {
        (void)fprintf(stderr, "heaplab subjects: unexpected argument '%s'\n", argv[1]);
        return BAD_INPUT;
    }
    (void)printf("heap    the tagged heap, classic layout, against the exact model\n");
    return DONE;
}
