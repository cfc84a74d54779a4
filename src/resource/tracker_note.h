/* SPDX-License-Identifier: MIT */
/* What a tracker notes: records, the counters of sites, and history, kept in step. */
#ifndef TH_RESOURCE_TRACKER_NOTE_H
#define TH_RESOURCE_TRACKER_NOTE_H

#include "resource/tracker_table.h"

/* What is known of a block before it is there. */
typedef struct th_tracker_pending {
    th_tracker_site *site; /* NULL: the block is not tracked */
    uint32_t points;
} th_tracker_pending;

/* Gets all memory that it takes to note the block. False: there is not enough. make_ready does not
 * ask whether it is a sample: next->points says what it stands for. */
bool th_tracker_make_ready(th_tracker *tracker, const th_tracker_origin *origin,
                           th_tracker_pending *next);
bool th_tracker_prepare(th_tracker *tracker, size_t bytes, const th_tracker_origin *origin,
                        th_tracker_pending *next);

/* What a block was before it was resized by moving. */
typedef struct th_tracker_before {
    const void *address;
    size_t bytes;
    uint32_t tag;
} th_tracker_before;

/* The block is there. before: what it was; NULL: it is new, or was not tracked. */
void th_tracker_commit(th_tracker *tracker, const th_tracker_pending *next, const void *block,
                       size_t bytes, const th_tracker_before *before);

/* The request was not met: a FAIL as event.h says. site: NULL where it was not made. */
void th_tracker_note_failure(th_tracker *tracker, const th_event *what,
                             const th_tracker_site *site);

/* The block is gone: its record is dropped, and then there is an event of that. Also one by one. */
void th_tracker_note_end(th_tracker *tracker, th_tracker_record *record);
void th_tracker_drop(th_tracker *tracker, th_tracker_record *record);
void th_tracker_note_free_of(th_tracker *tracker, const th_tracker_record *was);

/* The block has another size where it is. */
void th_tracker_note_resize(th_tracker *tracker, th_tracker_record *record, size_t bytes);

/* The same, at another address; by compaction (MOVE), or because it was resized. */
void th_tracker_note_move(th_tracker *tracker, th_event_kind kind, const void *old_address,
                          const void *address, size_t bytes);

/* The block has another tag. False: no memory for its new site. */
bool th_tracker_note_tag(th_tracker *tracker, th_tracker_record *record, uint32_t tag);

/* All blocks are gone. */
void th_tracker_note_reset(th_tracker *tracker);

#endif
