/* SPDX-License-Identifier: MIT */
/* For the suite of bad input: what no allocator can be started with. */
#ifndef TESTS_BAD_STARTS_H
#define TESTS_BAD_STARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tagheap/status.h"

/* No allocator's structure is larger, nor needs more alignment than 16. */
#define BAD_START_OBJECT_BYTES 32768

typedef struct bad_start {
    const char *what;
    th_status (*start)(void *object, const void *arguments);
    const void *arguments;
    th_status expected;
} bad_start;

extern const bad_start bad_starts[];
extern const size_t bad_start_count;

/* Is the answer of each TH_ERR_NULL? */
bool bad_starts_without_object(void);
bool bad_starts_without_config(void *object);

#endif
