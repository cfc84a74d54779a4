/* SPDX-License-Identifier: MIT */
/* The examples check themselves: what does not hold is printed, and ends the program with
 * status 1. */
#ifndef EXAMPLES_EXPECT_H
#define EXAMPLES_EXPECT_H

#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition) ((condition) ? (void)0 : expect_failed(__FILE__, __LINE__, #condition))

static inline void expect_failed(const char *file, int line, const char *text) {
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    exit(1);
}

#endif
