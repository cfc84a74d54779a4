/* SPDX-License-Identifier: MIT */
/* Tracker: an allocator around any allocator, which knows of every live block who allocated it.
 *
 *   th_tracker tracker;
 *   th_tracker_init(&tracker, &(th_tracker_config){.tracked = th_system_allocator()});
 *   int *numbers = TH_TRACKED_ALLOC(&tracker, 100);               the line is the site
 *   th_allocator traced = th_tracker_allocator(&tracker);         for whatever takes an allocator
 *   ...
 *   th_tracker_write(&tracker, TH_TRACKER_LEAKS, write, context); what is live, by site
 *
 * A site is where memory is allocated: a source line, a tag and, if the config names a function
 * that finds them, the return addresses of the calls that led there. Sites are told apart by all of
 * these; file names by their addresses, as __FILE__ gives them. Of each site it is known what is
 * live and what ever was. Of each live block: address, bytes, site, serial number. Beside that
 * there are a ring of the last events, snapshots that are compared with what is live later, and
 * reports in the formats that others' tools read (tracker_write.h).
 *
 * What is tracked need not be reached through the tracker: th_tracker_note_alloc and _free tell it
 * of blocks that others allocate and free, th_tracker_on_event is told by whatever has an event
 * hook (event.h): th_heap_config.on_event takes it, and blocks keep their sites through compaction.
 *
 * Events. config.on_event (event.h) makes any allocator one that is watched: tag totals
 * (tag_totals.h), logs and other trackers are fed by it. It is told of each event once it has
 * happened, with the line and the tag of the site. It may ask the questions below; calls that
 * change the tracker are refused with TH_FAULT_REENTRY, at every level.
 *
 * Sampling. With config.sample_bytes only some allocations are tracked, chosen by a Poisson process
 * over the bytes allocated: the cost goes down, and estimates stay true on average. Each block
 * stands for as many bytes as its sample points are worth, each sample_bytes; a block of 32 times
 * sample_bytes and more is always tracked, and stands for itself. Deterministic: the same seed and
 * calls give the same samples.
 *
 * Misuse. Without sampling, a pointer that is freed or resized and is not live here raises a fault,
 * at every guard level, and nothing is done: the allocator below never sees it. The kind is
 * TH_FAULT_DOUBLE_FREE if the history holds its free, else TH_FAULT_FOREIGN; `block` and `offset`
 * are TH_FAULT_NOWHERE, `found` is the low 32 bits of the pointer. At level 3 the checker runs
 * after each operation. What is written beyond a block is for the allocator below to notice; a free
 * that it refuses with a fault has taken place for the tracker.
 *
 * Memory of its own, from the backing: 32 bytes for a place in the table (24 on 32-bit machines),
 * at most 2 2/3 places for as many live blocks as there ever were at once, 64 at least, while it
 * grows half as many again; at most 104 bytes and one address for each frame for each site, with 32
 * bytes for its places in the tables; history_events events of 64 bytes. Tables do not shrink.
 * No number is limited but by memory and by 2^32 - 1 sites. An allocation whose record finds no
 * memory fails.
 *
 * Sizes are bytes.
 * Ownership: the caller owns the th_tracker, which must not be copied or moved once initialised,
 * and the allocators, which must outlive it. Blocks are the caller's, and outlive the tracker.
 * Thread rule: one tracker, one thread at a time.
 * Complexity: O(1) expected, amortized, and what the allocator below costs; O(frames) with stacks;
 * a fault O(history_events).
 * Source: Poisson sampling by bytes is that of tcmalloc and jemalloc; that a block counts its
 * sample points in place of a probability needs no exponential function. The fixed table of the
 * document "Memory Management Techniques in C", 8.6.3, is what this is without limits. */
#ifndef TAGHEAP_TRACKER_H
#define TAGHEAP_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/event.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most return addresses that a site may have. */
#define TH_TRACKER_FRAMES_MAX 64

/* Who allocates. Everything may be zero. */
typedef struct th_tracker_origin {
    const char *file; /* as __FILE__: it must stay valid; NULL: not known */
    uint32_t line;
    uint32_t tag;
    const uintptr_t *frames; /* return addresses, innermost first; NULL: config.unwind is asked */
    size_t depth;            /* how many; those beyond config.frames_max are left out */
} th_tracker_origin;

/* Fills frames[0 .. frames_max-1] with the return addresses of its callers, innermost first, and
 * returns how many there are, at most frames_max. It must not use the tracker. */
typedef size_t (*th_tracker_unwind_fn)(void *context, uintptr_t *frames, size_t frames_max);

/* Everything may be zero but one of the two allocators. */
typedef struct th_tracker_config {
    th_allocator tracked;        /* where blocks come from; zeroed: only notes are taken */
    th_allocator backing;        /* of the tracker's own memory; zeroed: the tracked one */
    uint32_t history_events;     /* the ring's; 0: no history */
    uint32_t frames_max;         /* of a site, at most TH_TRACKER_FRAMES_MAX; 0: all of them */
    th_tracker_unwind_fn unwind; /* NULL: no stacks but those that an origin brings */
    void *unwind_context;
    th_event_fn on_event; /* NULL: none. Told of what happens to each block that is tracked,
                             whatever the allocator; of a heap that tells the tracker, in turn */
    void *event_context;
    uint32_t sample_bytes; /* on average one sample for so many; 0: everything is tracked */
    uint64_t seed;         /* of the samples */
    th_guarding guarding;
} th_tracker_config;

/* A site, and what was counted there. Read only. */
typedef struct th_tracker_site {
    const char *file;
    uint32_t line;
    uint32_t tag;
    const uintptr_t *frames; /* valid as long as the site: until th_tracker_clean_up */
    uint32_t depth;
    uint32_t number;         /* in the order of their first blocks, from 0 */
    uint64_t live_blocks;    /* tracked */
    uint64_t live_bytes;     /* asked for by them */
    uint64_t live_estimate;  /* bytes that they stand for: live_bytes without sampling */
    uint64_t allocs;         /* blocks ever tracked; one that was resized by moving once more, one
                                that was retagged once more at the site of its new tag */
    uint64_t alloc_bytes;    /* asked for by them, and by growing in place */
    uint64_t alloc_estimate; /* bytes that they stand for */
    uint64_t counted[2];     /* the library's own */
    size_t hash;             /* the same */
} th_tracker_site;

/* A live block. */
typedef struct th_tracker_block {
    const void *address;
    size_t bytes;
    const th_tracker_site *site;
    uint64_t serial; /* rises with each block */
} th_tracker_block;

/* What happened. The addresses are numbers only: the blocks may be gone. `what.site` is the line of
 * the site. A block that th_tracker_realloc_from has moved is a RESIZE; with sampling, if it is
 * tracked only since then, an ALLOC, if only until then, a FREE. */
typedef struct th_tracker_event {
    th_event what;
    const th_tracker_site *site; /* NULL of RESET, and of FAIL where it was not made */
    uint64_t serial;             /* how many blocks there had been when it had happened */
} th_tracker_event;

typedef struct th_tracker th_tracker;
typedef struct th_tracker_record th_tracker_record; /* the library's own */

/* An allocator that allocates for one origin: what th_tracker_view_allocator is made from. The
 * caller owns it; it must outlive its use. */
typedef struct th_tracker_view {
    th_tracker *tracker;
    th_tracker_origin origin;
} th_tracker_view;

/* The control structure. Its fields are the library's own. Zeroed, it is a tracker without memory.
 */
struct th_tracker {
    th_tracker_view view; /* of no origin; its tracker is this one once it is started */
    th_tracker_record *records;
    size_t capacity;
    size_t live;
    size_t live_max;
    uint64_t live_bytes;
    uint64_t live_bytes_max;
    uint64_t live_estimate;
    th_tracker_site **sites; /* and, in the same block, their hash table */
    uint32_t *site_slots;
    size_t site_capacity;
    size_t site_count;
    th_tracker_event *events;
    uint64_t events_seen;
    uint64_t serial;
    uint64_t frees;
    uint64_t failed_allocs;
    uint64_t random;
    uint64_t until_sample; /* bytes to the next sample point */
    size_t own_bytes;
    bool is_telling; /* inside on_event */
    th_tracker_config config;
};

/* ---- life ------------------------------------------------------------------------------------ */

/* Starts a tracker that knows no block. *config is copied. Fails, leaving *tracker untouched, iff
 * either is NULL (TH_ERR_NULL); both allocators are zeroed, one cannot allocate or free, frames_max
 * is above TH_TRACKER_FRAMES_MAX, or guarding.level is not 0 to 3 (TH_ERR_CONFIG); or there is no
 * memory for the history (TH_ERR_EXHAUSTED). O(1). */
th_status th_tracker_init(th_tracker *tracker, const th_tracker_config *config);

/* Gives back the tracker's own memory and zeroes it. Live blocks stay with their allocator. NULL is
 * allowed. From inside on_event: nothing, after a fault. O(sites). */
void th_tracker_clean_up(th_tracker *tracker);

/* ---- allocating ------------------------------------------------------------------------------ */

/* A block of the tracked allocator, aligned to TH_ALLOCATOR_ALIGNMENT, of unknown origin (or that
 * of config.unwind). NULL iff th_allocator_alloc of that allocator is, or there is no memory for
 * what the tracker notes of it. */
void *th_tracker_alloc(th_tracker *tracker, size_t bytes);

/* The same at a multiple of `alignment`, a power of two. */
void *th_tracker_alloc_aligned(th_tracker *tracker, size_t bytes, size_t alignment);

/* The same for an origin. */
void *th_tracker_alloc_from(th_tracker *tracker, size_t bytes, size_t alignment,
                            th_tracker_origin origin);

/* As th_allocator_realloc, for an origin: a block that cannot be resized in place moves, and counts
 * as a new one of that origin. */
void *th_tracker_realloc_from(th_tracker *tracker, void *block, size_t kept, size_t bytes,
                              size_t alignment, th_tracker_origin origin);

/* Frees a live block. NULL is allowed. */
void th_tracker_free(th_tracker *tracker, void *block);

/* As th_allocator_resize_in_place. The block stays with its site. */
bool th_tracker_resize_in_place(th_tracker *tracker, void *block, size_t bytes);

/* Resets the tracked allocator, and forgets all blocks. As th_allocator_reset; TH_ERR_BUSY from
 * inside on_event, after a fault; TH_ERR_NULL for NULL and a zeroed tracker. O(the table). */
th_status th_tracker_reset(th_tracker *tracker);

/* What the tracked allocator answers. */
bool th_tracker_owns(const th_tracker *tracker, const void *pointer);

/* A line of the source as an origin. Pure. */
static inline th_tracker_origin th_tracker_line(const char *file, uint32_t line, uint32_t tag) {
    th_tracker_origin origin;
    origin.file = file;
    origin.line = line;
    origin.tag = tag;
    origin.frames = NULL;
    origin.depth = 0;
    return origin;
}

/* Where it stands in the source is the site. */
#define TH_TRACKED_ALLOC(tracker, bytes) TH_TRACKED_ALLOC_TAGGED(tracker, bytes, 0)
#define TH_TRACKED_ALLOC_TAGGED(tracker, bytes, tag)                                               \
    th_tracker_alloc_from(tracker, bytes, TH_ALLOCATOR_ALIGNMENT,                                  \
                          th_tracker_line(__FILE__, __LINE__, tag))
#define TH_TRACKED_REALLOC(tracker, block, kept, bytes)                                            \
    th_tracker_realloc_from(tracker, block, kept, bytes, TH_ALLOCATOR_ALIGNMENT,                   \
                            th_tracker_line(__FILE__, __LINE__, 0))

/* The tracker as an allocator, of unknown origin; by a view, for its origin. Zeroed for NULL. */
th_allocator th_tracker_allocator(th_tracker *tracker);
th_allocator th_tracker_view_allocator(th_tracker_view *view);

/* ---- notes of others' blocks ----------------------------------------------------------------- */

/* A block of `bytes` bytes (0 is allowed) was allocated at the address. One that is noted there
 * already is dropped first: its free was not seen. False iff there is no memory to note it, the
 * address is NULL, or the tracker is NULL or zeroed. */
bool th_tracker_note_alloc(th_tracker *tracker, const void *address, size_t bytes,
                           th_tracker_origin origin);

/* The same in two steps, for those who look for a stack only if it is needed, and not under a lock:
 * is a block of so many bytes tracked, and with which points? Then it is noted with them. Without
 * sampling each block is, with 0 points. False of NULL and a zeroed tracker. */
bool th_tracker_sample(th_tracker *tracker, size_t bytes, uint32_t *points);
bool th_tracker_note_sample(th_tracker *tracker, const void *address, size_t bytes, uint32_t points,
                            th_tracker_origin origin);

/* The block at the address was freed. False iff none is noted there (nothing is raised). */
bool th_tracker_note_free(th_tracker *tracker, const void *address);

/* A th_event_fn whose context is the tracker: what is made, freed, resized, moved or retagged is
 * noted. The origin of a new block is event->site as its line, and its tag. A block that is resized
 * or moved keeps its site; one with another tag goes to the site that differs in the tag alone.
 * What finds no memory is not noted any more, and counts in failed_allocs. */
void th_tracker_on_event(void *tracker, const th_event *event);

/* ---- questions ------------------------------------------------------------------------------- */

/* The live block that begins at the address. False, with *block (which may be NULL) untouched, iff
 * there is none. O(1) expected. */
bool th_tracker_find(const th_tracker *tracker, const void *address, th_tracker_block *block);

/* Visitors: false ends the visit. They must not use the tracker but for these questions. */
typedef bool (*th_tracker_block_fn)(void *context, const th_tracker_block *block);
typedef bool (*th_tracker_site_fn)(void *context, const th_tracker_site *site);
typedef bool (*th_tracker_event_fn)(void *context, const th_tracker_event *event);

/* Each live block, in no order; O(the table). Each site, in the order of their first blocks. The
 * last events, at most history_events, oldest first. False iff a visitor ended it. */
bool th_tracker_visit_blocks(const th_tracker *tracker, th_tracker_block_fn visit, void *context);
bool th_tracker_visit_sites(const th_tracker *tracker, th_tracker_site_fn visit, void *context);
bool th_tracker_visit_events(const th_tracker *tracker, th_tracker_event_fn visit, void *context);

typedef struct th_tracker_stats {
    uint64_t live;                /* blocks tracked */
    uint64_t live_max;            /* the most that there were at once */
    uint64_t requested_bytes;     /* asked for by live ones */
    uint64_t requested_bytes_max; /* the most that were at once */
    uint64_t estimated_bytes;     /* that they stand for: the same without sampling */
    uint64_t allocs;              /* blocks ever tracked */
    uint64_t frees;
    uint64_t failed_allocs; /* requests that the tracked allocator or the backing did not meet */
    uint64_t sites;
    size_t own_bytes; /* the tracker's own memory, without the th_tracker */
} th_tracker_stats;

th_tracker_stats th_tracker_get_stats(const th_tracker *tracker);

/* Proves that each record is found where its address is looked for, that counters and sites agree
 * with the records, and what the tracked allocator's checker proves. Raises nothing: TH_ERR_CORRUPT
 * with the first thing wrong in *fault (which may be NULL), TH_OK, or TH_ERR_NULL for NULL and a
 * zeroed tracker. O(the table + sites). */
th_status th_tracker_check(const th_tracker *tracker, th_fault *fault);

/* ---- snapshots ------------------------------------------------------------------------------- */

typedef struct th_tracker_count {
    uint64_t blocks;
    uint64_t bytes;
} th_tracker_count;

/* What was live at each site at a time. Its fields are the library's own, but for `serial`: blocks
 * with higher numbers are younger. Zeroed: nothing was live. */
typedef struct th_tracker_snapshot {
    uint64_t serial;
    size_t site_count;
    th_tracker_count *counts;
    th_allocator backing;
} th_tracker_snapshot;

typedef struct th_tracker_change {
    const th_tracker_site *site;
    th_tracker_count before;
    th_tracker_count after;
} th_tracker_change;

typedef bool (*th_tracker_change_fn)(void *context, const th_tracker_change *change);

/* Takes a snapshot, 16 bytes a site from the tracker's backing. Fails, leaving *snapshot untouched,
 * iff either is NULL or the tracker is zeroed (TH_ERR_NULL), or there is no memory
 * (TH_ERR_EXHAUSTED). O(sites). */
th_status th_tracker_snapshot_init(th_tracker_snapshot *snapshot, const th_tracker *tracker);

/* Gives back its memory, and zeroes it. NULL is allowed. The backing must still be there, the
 * tracker need not. */
void th_tracker_snapshot_clean_up(th_tracker_snapshot *snapshot);

/* Each site at which not the same is live in the two snapshots of one tracker, in the order of the
 * sites. `after` NULL: as it is now. False iff a visitor ended it. O(sites). */
bool th_tracker_visit_changes(const th_tracker *tracker, const th_tracker_snapshot *before,
                              const th_tracker_snapshot *after, th_tracker_change_fn visit,
                              void *context);

#ifdef __cplusplus
}
#endif
#endif
