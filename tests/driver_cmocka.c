/* SPDX-License-Identifier: MIT */
/* Runs a suite under cmocka. cmocka turns SIGSEGV and its like into a failed test and goes on
 * with the next one; in ASan builds that would swallow ASan's report, so they run with
 * ASAN_OPTIONS=allow_user_segv_handler=0. SIGABRT ends the program. Prints TAP, unless
 * CMOCKA_MESSAGE_OUTPUT asks for another form. */
#include "driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *running_suite;
static bool reached_end; /* of the running test */
static size_t failed_count;

void th_driver_end_test(const char *file, int line) {
    _fail(file, line);
    abort(); /* _fail jumps, but is not declared so */
}

static void run_one(void **state) {
    const th_test *test = *state;
    reached_end = false;
    test->run();
    reached_end = true;
}

/* cmocka calls this after every test, failed ones too: the only place that sees both. */
static int record_one(void **state) {
    const th_test *test = *state;
    failed_count += reached_end ? 0 : 1;
    th_driver_record(running_suite, test->name, reached_end);
    return 0;
}

size_t th_driver_run(const char *suite, const th_test *const *tests, size_t count) {
    struct CMUnitTest *group = calloc(count, sizeof *group);
    if (group == NULL) {
        fprintf(stderr, "%s: no memory for %zu tests\n", suite, count);
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        group[i].name = tests[i]->name;
        group[i].test_func = run_one;
        group[i].teardown_func = record_one;
        group[i].initial_state = (void *)(uintptr_t)tests[i];
    }
    running_suite = suite;
    failed_count = 0;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed_by_cmocka = _cmocka_run_group_tests(suite, group, count, NULL, NULL);
    free(group);
    /* cmocka also counts what it alone notices; the larger number is the careful one. */
    size_t noticed = failed_by_cmocka < 0 ? count : (size_t)failed_by_cmocka;
    return noticed > failed_count ? noticed : failed_count;
}
