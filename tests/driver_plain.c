/* SPDX-License-Identifier: MIT */
/* Runs a suite with no framework, where cmocka cannot go: MSan (cmocka is not instrumented) and
 * 32 bits (there is no 32-bit cmocka beside a 64-bit one). Prints TAP. */
#include "driver.h"

#include <setjmp.h>
#include <stdio.h>

static jmp_buf test_end;

void th_driver_end_test(const char *file, int line) {
    (void)file;
    (void)line;
    longjmp(test_end, 1);
}

static bool run_one(const th_test *test) {
    if (setjmp(test_end) != 0) {
        return false;
    }
    test->run();
    return true;
}

size_t th_driver_run(const char *suite, const th_test *const *tests, size_t count) {
    size_t failed = 0;
    printf("1..%u\n", (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        bool passed = run_one(tests[i]);
        failed += passed ? 0 : 1;
        printf("%sok %u - %s\n", passed ? "" : "not ", (unsigned)(i + 1), tests[i]->name);
        th_driver_record(suite, tests[i]->name, passed);
    }
    return failed;
}
