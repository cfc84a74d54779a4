/* SPDX-License-Identifier: MIT */
/* The tracker's two tables. Records: open addressing by linear probing, at most three quarters
 * full; what is taken out leaves no mark, since those after it move up. Sites: numbers of an array,
 * found by open addressing, at most half full. */
#ifndef TH_RESOURCE_TRACKER_TABLE_H
#define TH_RESOURCE_TRACKER_TABLE_H

#include "tagheap/tracker.h"

struct th_tracker_record {
    uintptr_t address; /* 0: an empty place */
    size_t bytes;
    uint64_t serial;
    uint32_t site;
    uint32_t points; /* samples that the block stands for; 0: it stands for itself */
};

static inline bool th_tracker_is_started(const th_tracker *tracker) {
    return tracker != NULL && tracker->view.tracker != NULL;
}

/* Memory of the tracker's own, zeroed, counted in own_bytes. NULL: there is none. */
void *th_tracker_take(th_tracker *tracker, size_t count, size_t size);
void th_tracker_give(th_tracker *tracker, void *memory, size_t bytes);

/* ---- records ------------------------------------------------------------------------------ */

/* NULL: there is none with this address. */
th_tracker_record *th_tracker_look_up(const th_tracker *tracker, uintptr_t address);

/* Makes sure that one more fits. False: no memory. */
bool th_tracker_make_room(th_tracker *tracker);

/* Adds one of an address that is not there, for which there is room. */
void th_tracker_put(th_tracker *tracker, const th_tracker_record *record);

/* Others may move: pointers to records are dead. */
void th_tracker_take_out(th_tracker *tracker, th_tracker_record *record);

/* ---- sites -------------------------------------------------------------------------------- */

/* The site of the origin, which is made if it is not there. NULL: no memory. Frames are those of
 * the origin, or those that config.unwind finds. */
th_tracker_site *th_tracker_intern(th_tracker *tracker, const th_tracker_origin *origin);

/* Is the site found by its hash? */
bool th_tracker_site_is_found(const th_tracker *tracker, const th_tracker_site *site);

/* Gives the memory of both tables back. */
void th_tracker_drop_tables(th_tracker *tracker);

#endif
