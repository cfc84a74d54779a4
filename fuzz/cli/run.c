/* SPDX-License-Identifier: MIT */
/* heaplab run: plays script files. */
#include <string.h>

#include "cli/cli.h"
#include "runner/runner.h"

typedef struct run_settings {
    lab_run_options options;
    lab_script_form form;
    bool verbose;
    int files; /* argv[1 .. files] */
} run_settings;

static int set_option(lab_cli_arguments *from, const char *option, run_settings *out) {
    const char *name = from->argv[0];
    if (strcmp(option, "-v") == 0) {
        out->verbose = true;
        return LAB_CLI_DONE;
    }
    if (lab_cli_is_form(option, &out->form)) {
        return LAB_CLI_DONE;
    }
    bool guard = strcmp(option, "--guard") == 0;
    if (!guard && strcmp(option, "--subject") != 0) {
        return lab_cli_refuse(name, "unknown option", option);
    }
    const char *value = lab_cli_value(from, option);
    if (value == NULL) {
        return LAB_CLI_BAD_INPUT;
    }
    if (!guard) {
        return strcmp(value, "heap") == 0
                   ? LAB_CLI_DONE
                   : lab_cli_refuse(name, "unknown subject (`heaplab subjects` lists them)", value);
    }
    out->options.guard = value[0] - '0';
    if (value[0] < '0' || value[0] > '3' || value[1] != '\0') {
        return lab_cli_refuse(name, "no guard level:", value);
    }
    if (out->options.guard > th_heap_guard_max()) {
        return lab_cli_refuse(name, "this build has no guard level", value);
    }
    return LAB_CLI_DONE;
}

/* Moves the files to the front of argv. */
static int read_arguments(int argc, char **argv, run_settings *out) {
    lab_cli_arguments from = {argc, argv, 1, false};
    const char *argument;
    bool is_option;
    *out = (run_settings){.options = {.guard = -1}, .form = LAB_FORM_ANY};
    while ((argument = lab_cli_next(&from, &is_option)) != NULL) {
        if (!is_option) {
            argv[++out->files] = argv[from.next - 1];
        } else if (set_option(&from, argument, out) != LAB_CLI_DONE) {
            return LAB_CLI_BAD_INPUT;
        }
    }
    return out->files > 0 ? LAB_CLI_DONE : lab_cli_refuse(argv[0], "no FILE given", NULL);
}

static int run_file(lab_runner *runner, const char *path, const run_settings *settings) {
    lab_script script = {0};
    lab_failure failure;
    lab_run_counts counts = {0};
    int status = LAB_CLI_DONE;
    if (!lab_cli_read("run", path, settings->form, &script)) {
        lab_script_clean_up(&script);
        return LAB_CLI_BAD_INPUT;
    }
    if (!lab_runner_play(runner, &script, &settings->options, &failure, &counts)) {
        (void)printf("%s: ", path);
        lab_failure_print(&failure, &script, stdout);
        status = LAB_CLI_FOUND;
    } else if (settings->verbose) {
        (void)printf("%s: passed, %llu operations, %llu acted, %llu moves\n", path,
                     (unsigned long long)counts.ops, (unsigned long long)counts.acted,
                     (unsigned long long)counts.moves);
    }
    lab_script_clean_up(&script);
    return status;
}

int lab_cli_run(int argc, char **argv) {
    run_settings settings;
    int status = read_arguments(argc, argv, &settings);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    lab_runner *runner = lab_runner_new();
    if (runner == NULL) {
        return lab_cli_complain(argv[0], "no memory for the runner");
    }
    int count[LAB_CLI_BAD_INPUT + 1] = {0}; /* of files, by what came of them */
    for (int i = 1; i <= settings.files; i++) {
        int one = run_file(runner, argv[i], &settings);
        status = one > status ? one : status;
        count[one]++;
    }
    lab_runner_destroy(runner);
    if (count[LAB_CLI_BAD_INPUT] < settings.files) {
        int passed = count[LAB_CLI_DONE];
        (void)printf("%d script%s passed, %d failed", passed, passed == 1 ? "" : "s",
                     count[LAB_CLI_FOUND]);
        if (count[LAB_CLI_BAD_INPUT] > 0) {
            (void)printf(", %d could not be read", count[LAB_CLI_BAD_INPUT]);
        }
        (void)printf("\n");
    }
    return status;
}

int lab_cli_subjects(int argc, char **argv) {
    if (argc > 1) {
        return lab_cli_refuse(argv[0], "unexpected argument", argv[1]);
    }
    (void)printf("heap    the tagged heap, classic layout, against the exact model\n");
    return LAB_CLI_DONE;
}
