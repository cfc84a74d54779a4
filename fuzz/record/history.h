/* SPDX-License-Identifier: MIT */
/* The lives of the blocks in a trace. */
#ifndef LAB_RECORD_HISTORY_H
#define LAB_RECORD_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/trace_file.h"

typedef enum lab_event_kind {
    LAB_EVENT_BIRTH,
    LAB_EVENT_RESIZE,
    LAB_EVENT_RESIZE_FREE, /* freed by being resized to 0 */
    LAB_EVENT_DEATH
} lab_event_kind;

/* What one record did to one block. Blocks have numbers, 0, 1, 2 ... in the order of their births;
 * an address that is used again is another block. */
typedef struct lab_event {
    uint64_t size; /* BIRTH, RESIZE: bytes asked for */
    size_t op;     /* index of the record */
    uint32_t block;
    uint8_t kind; /* lab_event_kind */
    uint8_t align_log2;
} lab_event;

typedef struct lab_trace_history {
    lab_event *events; /* in the order of the trace; owned */
    size_t count;
    size_t ops;      /* records in the trace */
    uint32_t blocks; /* blocks born */
    size_t failed;   /* requests that the program's own heap refused: they leave no event */
    size_t foreign;  /* frees and resizes of blocks from before the recording: a resize counts as
                        a birth, a free leaves no event */
    size_t lost;     /* blocks whose address came back without a free: they die there */
} lab_trace_history;

/* Follows every address through the trace. False only if there is no memory. */
bool lab_trace_history_build(lab_trace_history *history, const lab_trace *trace);
void lab_trace_history_clean_up(lab_trace_history *history);

#endif
