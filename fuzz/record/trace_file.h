/* SPDX-License-Identifier: MIT */
/* The trace as a file: made before the program runs, cut to what it holds after that, read. */
#ifndef LAB_RECORD_TRACE_FILE_H
#define LAB_RECORD_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "record/trace.h"

/* Makes an empty trace for at most `limit` records (1 .. LAB_TRACE_RECORDS_MAX), as a hole of that
 * size. Where no file can be so large (ulimit -f, the file system), it is as large as it can be. An
 * existing file is refused. On false, message[0 .. capacity-1] holds one line that begins with the
 * path, and there is no file. */
bool lab_trace_create(const char *path, uint64_t limit, char *message, size_t capacity);

/* Cuts the file to the records that it holds; *header is what it says of itself. A trace in which
 * nothing was recorded is not refused. On false: as above, and the file is as it was. */
bool lab_trace_cut(const char *path, lab_trace_header *header, char *message, size_t capacity);

/* Why the recording stopped before the program's end: what follows "stopped", in line[0 ..
 * capacity-1]. Empty if it did not. */
void lab_trace_stop_format(const lab_trace_header *header, char *line, size_t capacity);

typedef struct lab_trace {
    lab_trace_header header;
    lab_trace_record *records; /* records[0 .. count-1]; owned */
    size_t count;
} lab_trace;

/* Reads and checks a trace. On false, message[0 .. capacity-1] holds one line that begins with
 * the path and says what is wrong (unreadable, no trace, empty, truncated, damaged), and *trace is
 * empty. */
bool lab_trace_read(lab_trace *trace, const char *path, char *message, size_t capacity);
void lab_trace_clean_up(lab_trace *trace);

/* One line for each record, for people and for tests. */
void lab_trace_print(const lab_trace *trace, FILE *out);

#endif
