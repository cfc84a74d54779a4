/* SPDX-License-Identifier: MIT */
/* The trace of a program's allocations: what the preload library (recorder.c) writes and the
 * converter (trace.c) reads. One machine writes and reads it, so numbers are in its byte order.
 *
 *   [ header | padding to LAB_TRACE_HEADER_BYTES ][ record 0 ][ record 1 ] ... [ unused ]
 *
 * The file is mapped into the recorded process and grows by whole chunks; header.count says how
 * many records are complete, whatever way the process ended. */
#ifndef LAB_RECORD_TRACE_H
#define LAB_RECORD_TRACE_H

#include <assert.h>
#include <stdint.h>

#define LAB_TRACE_MAGIC        "LABTRACE"
#define LAB_TRACE_VERSION      1u
#define LAB_TRACE_HEADER_BYTES 4096u

/* Environment variables through which the recorder is told what to do. */
#define LAB_TRACE_ENV_FILE  "LAB_RECORD_FILE"  /* absolute path of the trace */
#define LAB_TRACE_ENV_LIMIT "LAB_RECORD_LIMIT" /* most records to write */

typedef enum lab_trace_kind {
    LAB_TRACE_NONE = 0,
    LAB_TRACE_MALLOC,  /* size; result */
    LAB_TRACE_CALLOC,  /* size (the product, UINT64_MAX if it overflows); result */
    LAB_TRACE_ALIGNED, /* size, align_log2; result */
    LAB_TRACE_REALLOC, /* size, old (never 0: that is MALLOC); result */
    LAB_TRACE_FREE,    /* old */
    LAB_TRACE_KINDS
} lab_trace_kind;

typedef enum lab_trace_stop {
    LAB_TRACE_COMPLETE = 0, /* everything that the process did is there */
    LAB_TRACE_LIMIT,        /* the limit was reached */
    LAB_TRACE_NO_ROOM,      /* the file could not grow */
    LAB_TRACE_STOPS
} lab_trace_stop;

typedef struct lab_trace_header {
    char magic[8];
    uint32_t version;
    uint32_t record_bytes;
    int32_t pid;
    uint32_t stop; /* lab_trace_stop */
    uint64_t count;
} lab_trace_header;

/* A request that failed has result 0. */
typedef struct lab_trace_record {
    uint8_t kind; /* lab_trace_kind */
    uint8_t align_log2;
    uint16_t thread; /* 0, 1, 2 ... in the order of their first records */
    uint32_t serial; /* the record's index modulo 2^32 */
    uint64_t size;   /* bytes */
    uint64_t result; /* address */
    uint64_t old;    /* address */
} lab_trace_record;

static_assert(sizeof(lab_trace_header) <= LAB_TRACE_HEADER_BYTES, "the header has its place");
static_assert(sizeof(lab_trace_record) == 32, "no padding: every byte of a record is written");

#endif
