/* SPDX-License-Identifier: MIT */
/* What suites ask the system itself: without the C library, whose functions they replace, and about
 * this process. */
#ifndef TESTS_SYSTEM_FIXTURE_H
#define TESTS_SYSTEM_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

/* What mmap does. */
void *system_mmap(void *pages, size_t bytes, int protection, int flags, int file, int64_t offset);

/* Pages that are mapped or reserved in this process. Takes no memory itself. */
long pages_in_use(void);

#endif
