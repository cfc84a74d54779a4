/* SPDX-License-Identifier: MIT */
/* What a tracker (tracker.h) knows, as text that people and others' tools read. It goes to a
 * function of the caller's, piece by piece, so that nothing is needed of the system.
 *
 * A frame of a stack is written as its address, a source line as `file:line`, a tag that is not 0
 * as `tag 0x1001`; a site that nothing is known of is `?`. Names for addresses are found afterwards
 * (scripts/track does it for the programs that it runs).
 * Thread rule: as the tracker's. */
#ifndef TAGHEAP_TRACKER_WRITE_H
#define TAGHEAP_TRACKER_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "tagheap/status.h"
#include "tagheap/tracker.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_tracker_format {
    /* For people: what is live, by site, most bytes first. */
    TH_TRACKER_LEAKS,

    /* Folded stacks, what flame graphs are drawn from: a line for each site, outermost frame first,
     * `outer;inner;file.c:12 120`, with the bytes that are live. */
    TH_TRACKER_FOLDED,

    /* The same with all bytes that were ever allocated. */
    TH_TRACKER_FOLDED_ALL,

    /* The heap profile that pprof (google-perftools), jeprof and Go's pprof read. With sampling its
     * type is heap_v2 and the readers scale it up; without, heapprofile: they take it as it is.
     * Only sites with frames. What maps the addresses to files (the lines of /proc/self/maps after
     * `MAPPED_LIBRARIES:`) is the caller's to append. */
    TH_TRACKER_HEAP_V2,

    /* The same as jemalloc writes it (`heap_v2/...` in the first line), for jeprof. Without
     * sampling it says a period of 1, which makes readers scale up blocks of a few bytes. */
    TH_TRACKER_JEMALLOC,

    /* Version 3 of what heaptrack_interpret writes, for heaptrack_print and heaptrack_gui. It is
     * made of the totals: calls, live blocks, and bytes are true; what is live is the peak, and
     * each block that was freed was so at once. O(blocks ever) long. */
    TH_TRACKER_HEAPTRACK
} th_tracker_format;

/* Takes text[0 .. bytes-1]; false ends the writing. It must not use the tracker. */
typedef bool (*th_tracker_write_fn)(void *context, const char *text, size_t bytes);

/* Writes it all. Fails iff the tracker or the function is NULL, or the tracker is zeroed
 * (TH_ERR_NULL); the format is none of these (TH_ERR_CONFIG); LEAKS finds no memory in the
 * tracker's backing for an address of each site with live blocks; or the function returned false
 * (TH_ERR_EXHAUSTED). O(sites * frames), LEAKS O(sites * log sites) more. */
th_status th_tracker_write(const th_tracker *tracker, th_tracker_format format,
                           th_tracker_write_fn write, void *context);

#ifdef __cplusplus
}
#endif
#endif
