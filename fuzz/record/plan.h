/* SPDX-License-Identifier: MIT */
/* Turns a window of a program's history into a script that uses the tagged heap as a program of
 * its own would: short-lived blocks on the HEAD side with a tag for their epoch, long-lived ones
 * on the TAIL side with a tag for their size class, compaction at intervals, and now and then one
 * call that frees a whole epoch. docs/recording.md gives the rules. */
#ifndef LAB_RECORD_PLAN_H
#define LAB_RECORD_PLAN_H

#include "record/history.h"
#include "script/script.h"

typedef struct lab_plan_options {
    size_t start;           /* first operation of the window ... */
    size_t ops;             /* ... and how many; the window ends with the trace at the latest */
    uint32_t dwords;        /* 0: what everything fits into, and at least the peak and 25 % */
    uint32_t slots;         /* 0: the smallest number that suffices */
    uint8_t alignment;      /* 4, 8 or 16 */
    uint8_t low_memory;     /* 0 or 1, as in the script */
    uint32_t max_size;      /* bytes; larger requests are dropped */
    uint32_t carry;         /* most untouched blocks from before the window to take along */
    uint32_t long_ops;      /* blocks that live longer are long-lived; 0: a quarter of the window */
    uint32_t epoch_ops;     /* length of an epoch; 0: no epochs, nothing is freed by tag */
    uint32_t compact_every; /* operations between compactions; 0: none */
} lab_plan_options;

/* A good set, for a window of `ops` operations at the start. */
lab_plan_options lab_plan_defaults(void);

typedef struct lab_plan_report {
    size_t window_start, window_end; /* as used: records [start, end) */
    size_t births, resizes, frees;   /* operations of the window that are in the script */
    size_t long_ops;                 /* blocks that live longer are long-lived */
    size_t carried;                  /* blocks from before the window, allocated first */
    size_t not_carried;              /* blocks from before the window, left out: see carry */
    size_t compactions, tag_frees;   /* operations put in */
    size_t freed_early;              /* blocks that a tag_free freed before the program did */
    size_t too_large;                /* operations dropped because of max_size */
    size_t no_slot;                  /* operations dropped because all slots were taken */
    unsigned shift;                  /* all sizes and alignments were divided by 1 << shift */
    uint64_t peak_dwords;            /* the most in use at a time, headers included */
    uint32_t peak_blocks;
    size_t idle; /* operations of the script that do nothing, since the region is too small */
} lab_plan_report;

/* Makes the script (an empty, zeroed one is filled). False with one line in message[0 ..
 * capacity-1] if the window lies outside the history, nothing is left in it, or there is no
 * memory; the script is empty then. */
bool lab_plan_make(const lab_trace_history *history, const lab_plan_options *options,
                   lab_script *script, lab_plan_report *report, char *message, size_t capacity);

#endif
