/* SPDX-License-Identifier: MIT */
/* A script's requests, as every allocator has them: what it allocates, resizes and frees, without
 * what only heaplab does. Ranges of tags are freed block by block, and what is left in the end,
 * too, so that a trace can be played again and again. */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include "script/script.h"

typedef struct bench_trace {
    lab_script requests; /* ALLOC, ALIGNED, RESIZE (not to 0 bytes) and FREE, each on a slot that
                            suits it */
    size_t blocks_peak;
    size_t bytes_peak; /* asked for by those that are live */
    size_t bytes_most; /* of one block */
} bench_trace;

/* Reads a script file in either form. The end of the program if that fails. */
void bench_trace_read(bench_trace *trace, const char *path);
void bench_trace_clean_up(bench_trace *trace);

#endif
