/* SPDX-License-Identifier: MIT */
/* The trace of a program's allocations: labconvert makes the file (trace_file.c), the preload
 * library (recorder.c) fills it from inside the program, labconvert reads it. One machine writes
 * and reads it, so numbers are in its byte order.
 *
 *   [ header | padding to LAB_TRACE_HEADER_BYTES ][ record 0 ][ record 1 ] ... [ unused ]
 *
 * The file has its full length, as a hole, before the program starts: the recorder changes nothing
 * but bytes of mapped pages, so that no limit of the program stands in its way. header.count says
 * how many records are complete, whatever way the process ended. */
#ifndef LAB_RECORD_TRACE_H
#define LAB_RECORD_TRACE_H

#include <assert.h>
#include <stdint.h>

#define LAB_TRACE_MAGIC   "LABTRACE"
#define LAB_TRACE_VERSION 2u

/* What is mapped at a time: each begins at a page, of whatever size up to 64 KiB. */
#define LAB_TRACE_HEADER_BYTES  65536u
#define LAB_TRACE_CHUNK_BYTES   65536u
#define LAB_TRACE_CHUNK_RECORDS (LAB_TRACE_CHUNK_BYTES / sizeof(lab_trace_record))

/* The converter numbers the blocks with 32 bits. */
#define LAB_TRACE_RECORDS_MAX (UINT32_MAX / 2)

/* Environment variables through which the recorder is told what to do. */
#define LAB_TRACE_ENV_FILE    "LAB_RECORD_FILE"    /* absolute path of the trace */
#define LAB_TRACE_ENV_PROCESS "LAB_RECORD_PROCESS" /* who is recorded: "NUMBER:NAMESPACE" */

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
    LAB_TRACE_FILE_SIZE,    /* the file could not be made large enough for the limit */
    LAB_TRACE_DISK_FULL,    /* the system had no room for what the file was to hold */
    LAB_TRACE_NO_MAPPING,   /* the process may not map the next piece: see header.error */
    LAB_TRACE_STOPS
} lab_trace_stop;

typedef struct lab_trace_header {
    char magic[8];
    uint32_t version;
    uint32_t record_bytes;
    uint32_t stop;  /* lab_trace_stop */
    int32_t error;  /* NO_MAPPING: the errno */
    uint64_t limit; /* most records that were asked for */
    uint64_t room;  /* records that the file can hold: whole chunks */
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

static_assert(sizeof(lab_trace_header) == 48, "no padding, the same in 32 and 64 bits");
static_assert(sizeof(lab_trace_header) <= LAB_TRACE_HEADER_BYTES, "the header has its place");
static_assert(sizeof(lab_trace_record) == 32, "no padding: every byte of a record is written");
static_assert(LAB_TRACE_CHUNK_BYTES % sizeof(lab_trace_record) == 0, "records fill a chunk");

#endif
