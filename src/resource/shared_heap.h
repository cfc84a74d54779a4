/* SPDX-License-Identifier: MIT */
/* What lies in a shared object, and what the files of the shared heap share.
 *
 *   [ header, never changed ][ lock, state ][ 2 records ][ 2 controls ][ index ][ region ]
 *
 * State is one word, and to store it is the one step by which anything becomes true:
 *
 *   kind     what a change in progress is part of; NONE: there is none
 *   old      how many headers the record holds
 *   record   which of the two records tells of the change
 *   control  which of the two controls is valid
 *   number   one more with each operation
 *
 * An operation that begins a change writes what was there before into the record that is not valid,
 * then publishes the state with its kind; when all is done it writes the control that is not valid,
 * then publishes the state with kind NONE. So at any moment a process may die:
 *
 *   kind UNDO    what the record tells of is put back: the operation has not happened
 *   kind FREE, FREE_TAGS, SHRINK
 *                contents may be gone: what the record tells of is put back, then all of the
 *                operation is done again
 *   kind MOVE    contents are moved in pieces that do not overlap, each published, and go on from
 *                there: the move is brought to its end
 *
 * and whoever repairs may die as well: until the state is published as NONE everything is done
 * again from the same record, to the same end. Counters are counted anew, the index is built anew.
 */
#ifndef TH_RESOURCE_SHARED_HEAP_H
#define TH_RESOURCE_SHARED_HEAP_H

#include <assert.h>

#include "base/publish.h"
#include "heap/chain.h"
#include "tagheap/process_lock.h"
#include "tagheap/shared_heap.h"

enum {
    TH_SHARED_NONE,
    TH_SHARED_UNDO,
    TH_SHARED_FREE,      /* first: the header's offset */
    TH_SHARED_FREE_TAGS, /* first, second: the range */
    TH_SHARED_SHRINK,    /* first: the header's offset, second: bytes */
    TH_SHARED_MOVE,
    TH_SHARED_KINDS
};

#define TH_SHARED_KIND_BITS    3u
#define TH_SHARED_OLD_SHIFT    3u
#define TH_SHARED_OLD_BITS     3u
#define TH_SHARED_RECORD_BIT   6u
#define TH_SHARED_CONTROL_BIT  7u
#define TH_SHARED_NUMBER_SHIFT 8u

/* The most headers that a change of a run touches, the one above included, and the most it makes.
 */
#define TH_SHARED_OLD_MAX    4u
#define TH_SHARED_RUN_MAX    3u
#define TH_SHARED_HEADER_MAX 8u /* dwords of a header */
static_assert(TH_SHARED_KINDS <= 1 << TH_SHARED_KIND_BITS, "kinds fit");
static_assert(TH_SHARED_OLD_MAX < 1 << TH_SHARED_OLD_BITS, "counts fit");

#define TH_SHARED_MARK    0x54685368u
#define TH_SHARED_VERSION 2u

/* What was there, and what is to be. */
typedef struct th_shared_record {
    th_shared_intent intent;
    th_mapped_u32 moved; /* pieces of contents that have been moved */
    uint32_t run_count;
    uint32_t run[TH_SHARED_RUN_MAX]; /* offsets of what is made */
    uint32_t offsets[TH_SHARED_OLD_MAX];
    uint32_t headers[TH_SHARED_OLD_MAX][TH_SHARED_HEADER_MAX];
} th_shared_record;

/* What an operation changes of a th_heap: WIDE fields have 64 bits, NARROW ones 32. */
#define TH_SHARED_COUNTERS(WIDE, NARROW)                                                           \
    WIDE(failed_allocs)                                                                            \
    WIDE(live_sum)                                                                                 \
    NARROW(low_used)                                                                               \
    NARROW(high_used)                                                                              \
    NARROW(compact_cursor)                                                                         \
    NARROW(head_blocks)                                                                            \
    NARROW(tail_blocks)                                                                            \
    NARROW(free_blocks)                                                                            \
    NARROW(head_dwords)                                                                            \
    NARROW(tail_dwords)                                                                            \
    NARROW(high_water_dwords)                                                                      \
    NARROW(first_tail)                                                                             \
    NARROW(middle)                                                                                 \
    NARROW(high_free_blocks)

#define TH_SHARED_WIDE(name)   uint64_t name;
#define TH_SHARED_NARROW(name) uint32_t name;

typedef struct th_shared_control {
    uint64_t operations;
    uint64_t moves;
    uint64_t repairs;
    TH_SHARED_COUNTERS(TH_SHARED_WIDE, TH_SHARED_NARROW)
    uint64_t check; /* over all of it */
} th_shared_control;

#undef TH_SHARED_WIDE
#undef TH_SHARED_NARROW

/* All of what never changes. */
typedef struct th_shared_header {
    th_mapped_u32 mark; /* written last */
    uint32_t version;
    uint32_t lock_layout;
    uint32_t check_seed;
    uint64_t bytes; /* of the object */
    uint64_t index_start;
    uint64_t index_bytes; /* 0: there is none */
    uint64_t region_start;
    uint64_t space; /* th_process_space of its maker */
    uint32_t dwords;
    uint32_t last;
    uint32_t tag_free;
    uint32_t size_max;
    uint32_t unit_dwords;
    uint32_t header_dwords;
    uint32_t guard;
    uint32_t layout;
    uint64_t check;
} th_shared_header;

typedef struct th_shared_object {
    th_shared_header header;
    th_process_lock lock;
    th_mapped_u32 state;
    th_mapped_u32 refused; /* a th_fault_kind and 1: what could not be repaired */
    th_shared_record records[2];
    th_shared_control controls[2];
} th_shared_object;

static inline th_shared_object *th_shared_object_of(const th_shared_heap *shared) {
    return shared->object;
}

static inline uint32_t th_shared_kind(uint32_t state) {
    return state & ((1u << TH_SHARED_KIND_BITS) - 1);
}

static inline uint32_t th_shared_old(uint32_t state) {
    return state >> TH_SHARED_OLD_SHIFT & ((1u << TH_SHARED_OLD_BITS) - 1);
}

static inline uint32_t th_shared_record_number(uint32_t state) {
    return state >> TH_SHARED_RECORD_BIT & 1;
}

static inline uint32_t th_shared_control_number(uint32_t state) {
    return state >> TH_SHARED_CONTROL_BIT & 1;
}

/* ---- shared_heap_journal.c ---------------------------------------------------------------- */

/* Brings shared->heap into line with the valid control. False: that is damaged. */
bool th_shared_load(th_shared_heap *shared, uint32_t state);

/* Publishes what shared->heap says: the operation has happened. */
void th_shared_commit(th_shared_heap *shared);

/* Has shared->heap write the journal, as part of that from now on, or not (NULL). */
void th_shared_journal(th_shared_heap *shared, const th_shared_intent *intent);

/* Copies the contents of a block down from where `moved` pieces say that it has come to. */
void th_shared_move(th_shared_record *record, unsigned char *to, const unsigned char *from,
                    size_t bytes);

/* ---- shared_heap_repair.c ----------------------------------------------------------------- */

/* With the lock: brings what a dead process has begun to its end, and checks all. False: it cannot
 * be, and *fault says why. */
bool th_shared_repair(th_shared_heap *shared, th_fault *fault);

#endif
