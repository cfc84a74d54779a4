/* SPDX-License-Identifier: MIT */
/* Failures that are known, so that the work goes on after them: a file with one signature (trial.h)
 * on each line, as `make triage`, `heaplab random` and the file `signature` of a finding have them.
 * Spaces around it and empty lines mean nothing; a line that begins with '#' is a comment. */
#ifndef LAB_SHRINK_KNOWN_H
#define LAB_SHRINK_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/runner.h"

/* As many as a fuzzing process can count (engines/stats.h). scripts/fuzz_lib/known.py says so too.
 */
#define LAB_KNOWN_MAX 64u

typedef struct lab_known {
    char signature[LAB_KNOWN_MAX][LAB_SIGNATURE_BYTES_MAX];
    uint64_t met[LAB_KNOWN_MAX]; /* how often */
    unsigned count;
} lab_known;

/* Reads the file; each signature once. False: it cannot be read, or a line is none, and `message`
 * says in one line what, where and why. */
bool lab_known_read(lab_known *known, const char *path, char *message, size_t capacity);

/* True: it is known, and is counted. */
bool lab_known_meet(lab_known *known, const char *signature);

#endif
