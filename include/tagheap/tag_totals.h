/* SPDX-License-Identifier: MIT */
/* Totals and peaks for each tag, fed by events (event.h): who uses how much, and who used how much
 * at most. One row for each tag that was ever seen, in the caller's memory, sorted by tag.
 *
 *   static th_tag_total rows[64];
 *   th_tag_totals totals;
 *   th_tag_totals_init(&totals, rows, 64);
 *   config.on_event = th_tag_totals_on_event;
 *   config.event_context = &totals;
 *
 * Tags that find no row any more are counted together, as th_tag_totals_others says. Where a heap
 * is watched from the middle of its life on, blocks that were never seen are not counted out: no
 * count falls below 0.
 *
 * Sizes are the requested bytes. Ownership: the caller owns object and rows. Thread rule: one
 * object, one thread at a time; as a hook it is called under the lock of what it watches, and may
 * be asked then. */
#ifndef TAGHEAP_TAG_TOTALS_H
#define TAGHEAP_TAG_TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "tagheap/event.h"
#include "tagheap/fault.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_tag_total {
    uint32_t tag;
    size_t live_bytes, peak_bytes;
    uint64_t live_blocks, peak_blocks;
    uint64_t allocs; /* blocks that came: made, or retagged (or resized) to this tag */
    uint64_t frees;  /* blocks that went: freed, or retagged (or resized) to another one */
    uint64_t resizes, moves, failures;
} th_tag_total;

/* Its fields are the library's own. Zeroed, it counts nothing. */
typedef struct th_tag_totals {
    th_tag_total *rows;
    size_t used, rows_max;
    th_tag_total all, others;
    th_event_fn forward;
    void *forward_context;
} th_tag_totals;

/* Starts with no tag seen. Fails, leaving *totals untouched, iff a pointer is NULL (TH_ERR_NULL) or
 * rows_max is 0 (TH_ERR_TOO_SMALL). O(1). */
th_status th_tag_totals_init(th_tag_totals *totals, th_tag_total *rows, size_t rows_max);

/* *totals is zeroed. NULL is allowed. O(1). */
void th_tag_totals_clean_up(th_tag_totals *totals);

/* The hook: a th_event_fn, whose context is the th_tag_totals. O(log rows); a tag that is seen for
 * the first time, O(rows). */
void th_tag_totals_on_event(void *totals, const th_event *event);

/* Each event goes on to this function after it is counted; NULL: it does not. So several can watch
 * one heap. TH_ERR_NULL for NULL and a zeroed object. O(1). */
th_status th_tag_totals_forward(th_tag_totals *totals, th_event_fn forward, void *context);

/* The row of a tag; of one that has none, one full of zeros. O(log rows). */
th_tag_total th_tag_totals_find(const th_tag_totals *totals, uint32_t tag);

/* The row at `index`, in the order of tags; NULL from th_tag_totals_stats.tags on. Valid until the
 * next event. O(1). */
const th_tag_total *th_tag_totals_row(const th_tag_totals *totals, size_t index);

/* Forgets everything, as after init; what events are forwarded to stays. TH_OK, or TH_ERR_NULL for
 * NULL and a zeroed object. O(1). */
th_status th_tag_totals_reset(th_tag_totals *totals);

/* What the tags that have no row come to together; its tag is 0. O(1). */
th_tag_total th_tag_totals_others(const th_tag_totals *totals);

/* The fields of a row over all tags, the peaks being those of the sum. */
typedef struct th_tag_totals_stats {
    uint64_t tags; /* rows in use */
    size_t live_bytes, peak_bytes;
    uint64_t live_blocks, peak_blocks;
    uint64_t allocs, frees, resizes, moves, failures;
} th_tag_totals_stats;

/* O(1). */
th_tag_totals_stats th_tag_totals_get_stats(const th_tag_totals *totals);

/* Proves that the rows are sorted, that no peak is below what is live, and that the rows sum up to
 * what is counted over all tags. Raises no fault: TH_OK, TH_ERR_CORRUPT with *fault (which may be
 * NULL) filled in, or TH_ERR_NULL for NULL and a zeroed object. O(rows). */
th_status th_tag_totals_check(const th_tag_totals *totals, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
