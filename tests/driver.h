/* SPDX-License-Identifier: MIT */
/* What the two drivers share. driver_common.c owns the command line, the results file and the
 * random numbers of suite.h; driver_cmocka.c and driver_plain.c own how a test is run and ended.
 *
 *   test_<noun> [TEXT]     runs the tests whose names contain TEXT
 *   test_<noun> --list     prints "suite<TAB>test" for each test and runs none */
#ifndef TESTS_DRIVER_H
#define TESTS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#include "suite.h"

/* Given by the framework: runs the tests in order, calls th_driver_record once for each, and
 * returns how many failed. */
size_t th_driver_run(const char *suite, const th_test *const *tests, size_t count);

/* Given by the framework: ends the running test as failed. */
noreturn void th_driver_end_test(const char *file, int line);

/* Appends the result to the file named by TH_RESULTS, at once: a later crash loses nothing. */
void th_driver_record(const char *suite, const char *test, bool passed);

#endif
