/* SPDX-License-Identifier: MIT */
/* What a process said before it ended, reduced to a signature (trial.h). To turn addresses into
 * names takes a tool of the sanitizer's, some 100 ms each time it is started, or a search in files.
 * So the child that dies writes down the bare addresses, and the parent, which is loaded at the
 * same ones, names them. scripts/fuzz_lib/signature.py makes the same signatures of logs;
 * tests/scripts/test_signatures.py holds the two against each other. */
#ifndef LAB_SHRINK_REPORT_H
#define LAB_SHRINK_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "shrink/frames.h"

typedef struct lab_report {
    int frames_count;
    void *frames[LAB_FRAMES_MAX]; /* of the report or the signal, innermost first */
    char kind[64]; /* of AddressSanitizer's report: "heap-buffer-overflow"; "": there was none */
} lab_report;

/* In the parent, before it forks. */
void lab_report_prepare(void);

/* In the child: what ends it is to be written to *report. */
void lab_report_begin(lab_report *report);

/* In the parent, of a child that has ended with `status`: its report, and what it wrote to the
 * file `errors`. */
void lab_report_describe(lab_report *report, int errors, int status, char *signature,
                         size_t capacity);

#endif
