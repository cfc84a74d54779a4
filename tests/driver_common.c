/* SPDX-License-Identifier: MIT */
/* The part of suite.h that needs no framework. */
#define _POSIX_C_SOURCE 200809L

#include "driver.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mutate/random.h"

#define EXIT_BAD_INPUT    2
#define EXIT_CHILD_FAILED 101

static pid_t driver_process;

static void list(const char *suite, const th_test *tests, size_t count) {
    for (size_t i = 0; i < count; i++) {
        printf("%s\t%s\n", suite, tests[i].name);
    }
}

/* Runs the tests whose names contain `text`. */
static int run_selected(const char *suite, const th_test *tests, size_t count, const char *text) {
    const th_test **selected = calloc(count + 1, sizeof *selected);
    if (selected == NULL) {
        fprintf(stderr, "%s: no memory to list the tests\n", suite);
        return EXIT_FAILURE;
    }
    size_t selected_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (strstr(tests[i].name, text) != NULL) {
            selected[selected_count++] = &tests[i];
        }
    }
    if (selected_count == 0) {
        fprintf(stderr, "%s: no test has \"%s\" in its name; --list shows them\n", suite, text);
        free(selected);
        return EXIT_FAILURE;
    }
    size_t failed = th_driver_run(suite, selected, selected_count);
    free(selected);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int th_suite_main(const char *suite, const th_test *tests, size_t count, int argc, char **argv) {
    driver_process = getpid();
    /* Whole lines, so that neither a crash nor a fork loses or doubles output. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (argc > 2 || (argc == 2 && argv[1][0] == '-' && strcmp(argv[1], "--list") != 0)) {
        fprintf(stderr, "%s: usage: %s [TEXT | --list]\n", suite, argv[0]);
        return EXIT_BAD_INPUT;
    }
    if (argc == 2 && argv[1][0] == '-') {
        list(suite, tests, count);
        return EXIT_SUCCESS;
    }
    return run_selected(suite, tests, count, argc == 2 ? argv[1] : "");
}

void th_driver_record(const char *suite, const char *test, bool passed) {
    const char *path = getenv("TH_RESULTS");
    if (path == NULL || path[0] == '\0') {
        return;
    }
    FILE *file = fopen(path, "a");
    if (file == NULL ||
        fprintf(file, "%s\t%s\t%s\n", suite, test, passed ? "passed" : "failed") < 0 ||
        fclose(file) != 0) {
        fprintf(stderr, "%s: cannot write the results file %s: %s\n", suite, path, strerror(errno));
        exit(EXIT_BAD_INPUT);
    }
}

/* A forked child has no test of its own to end: jumping back would make it run the rest of the
 * suite a second time. Its parent sees the exit status. */
static noreturn void end_failed(const char *file, int line) {
    fflush(stdout);
    if (getpid() != driver_process) {
        _exit(EXIT_CHILD_FAILED);
    }
    th_driver_end_test(file, line);
}

void th_check_failed(const char *file, int line, const char *text) {
    printf("# %s:%d: check failed: %s\n", file, line, text);
    end_failed(file, line);
}

void th_check_failed_values(const char *file, int line, const char *text, long long actual,
                            long long expected) {
    printf("# %s:%d: check failed: %s\n#   is       %lld (%#llx)\n#   expected %lld (%#llx)\n",
           file, line, text, actual, (unsigned long long)actual, expected,
           (unsigned long long)expected);
    end_failed(file, line);
}

uint64_t th_test_seed(uint64_t fixed) {
    uint64_t seed = fixed;
    const char *given = getenv("TH_SEED");
    if (given != NULL && given[0] != '\0') {
        char *end = NULL;
        errno = 0;
        seed = strtoull(given, &end, 0);
        if (errno != 0 || end == given || *end != '\0' || given[0] == '-') {
            fprintf(stderr, "TH_SEED=%s is no 64-bit number\n", given);
            exit(EXIT_BAD_INPUT);
        }
    }
    printf("# seed: TH_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

uint64_t th_test_random(uint64_t *state) {
    return lab_random_step(state);
}
