/* SPDX-License-Identifier: MIT */
/* Limits of the system, and what a child process says of what it finds at them. */
#ifndef TESTS_LIMIT_FIXTURE_H
#define TESTS_LIMIT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define UNLIMITED UINT64_MAX

/* Sets the soft limit alone, to `most` or the hard one, so that it can be lifted again. */
bool limit(int resource, uint64_t most);

/* Descriptors below 64 that are open. */
size_t open_files(void);

/* In a child no check can fail: it says where it does not hold, and returns false. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
            (void)fflush(stdout);                                                                  \
            return false;                                                                          \
        }                                                                                          \
    } while (false)

#endif
