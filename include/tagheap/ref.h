/* SPDX-License-Identifier: MIT */
/* Reference counts: an object ends when nobody holds it any more. Weak references do not hold it;
 * they can ask for it, and learn that it has ended. What counts can never find, objects that hold
 * each other in a circle, is found and named by th_refs_find_cycles.
 *
 *   th_ref (one for each object, from the backing)        object (yours)
 *   [ strong, weak | type | object ] ---------------------> [ ... holds other th_refs ... ]
 *
 * The th_ref lives as long as there is a reference of either kind; the object is ended by its
 * type's cleanup when the last strong one is released. Cleanups may release other references: those
 * that end thereby are cleaned up after this one has returned, one after the other, so that a list
 * of any length ends without recursion.
 *
 * Ownership: the caller owns the th_refs and the objects; th_refs owns the th_ref. A th_ref that
 * was given up (its last reference of the caller's released) must not be used again.
 * Thread rule: one th_refs with all its objects, one thread at a time.
 * Complexity: O(1); find_cycles O(objects and references).
 * Guards: at level 1 and up, releasing more than was retained is TH_FAULT_DOUBLE_FREE, retaining
 * what has ended TH_FAULT_NOT_A_BLOCK, as long as the th_ref is there; `found` is the count. A
 * count that would overflow is refused with TH_ERR_TOO_LARGE.
 * Source of the cycle search: trial deletion, D. F. Bacon, V. T. Rajan, "Concurrent cycle
 * collection in reference counted systems", ECOOP 2001. */
#ifndef TAGHEAP_REF_H
#define TAGHEAP_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_ref th_ref;
typedef struct th_refs th_refs;

/* Called by a visit function for each strong reference that its object holds. NULL is allowed. */
typedef void (*th_ref_visit_fn)(void *context, th_ref *held);

/* What objects of a kind have in common. It must outlive them. */
typedef struct th_ref_type {
    const char *name;              /* for reports; a static string */
    void (*cleanup)(void *object); /* ends the object, and releases what it holds */
    /* Calls visit(context, ref) once for each strong reference that the object holds; for
     * find_cycles. NULL: it holds none. Must change nothing. */
    void (*visit_held)(const void *object, th_ref_visit_fn visit, void *context);
} th_ref_type;

/* Its fields are the library's own. */
struct th_ref {
    uint32_t strong;
    uint32_t weak; /* and one for all strong ones together */
    void *object;
    const th_ref_type *type;
    th_refs *refs;
    th_ref *next; /* of all, the newest first */
    th_ref *previous;
    th_ref *pending; /* the next one that is to be cleaned up */
    th_ref *from;    /* find_cycles: who holds it */
    uint32_t trial;
    uint32_t walk;
    bool is_over; /* its cleanup has returned */
};

typedef struct th_refs_config {
    th_allocator backing;
    th_guarding guarding;
} th_refs_config;

/* Its fields are the library's own. */
struct th_refs {
    th_ref *newest;
    th_ref *pending;
    uint64_t live;
    uint64_t ended; /* objects; their th_ref is still there for weak references */
    uint64_t peak;
    uint64_t cleanups;
    bool is_draining;
    bool is_closing;
    th_refs_config config;
};

/* Starts an empty set. Fails, leaving *refs untouched, iff refs or config is NULL (TH_ERR_NULL),
 * there is no backing, it cannot allocate or free, or guarding.level is not 0 to 3
 * (TH_ERR_CONFIG). */
th_status th_refs_init(th_refs *refs, const th_refs_config *config);

/* Ends every object that is still live, the newest first, whatever its count, then the th_refs
 * themselves; *refs is zeroed. Inside, releases of what has ended already are no misuse. NULL is
 * allowed. From inside a cleanup: nothing. */
void th_refs_clean_up(th_refs *refs);

/* Puts an object under reference counting, with one strong reference, the caller's. NULL iff refs,
 * object, type or its cleanup is NULL, refs is zeroed or ending, or there is no memory for the
 * th_ref: then the object is the caller's as before. */
th_ref *th_refs_add(th_refs *refs, void *object, const th_ref_type *type);

/* One strong reference more. TH_ERR_TOO_LARGE, with nothing done, iff there are 2^32 - 1;
 * TH_ERR_CORRUPT, after a fault, iff the object has ended; TH_ERR_NULL for NULL. */
th_status th_ref_retain(th_ref *ref);

/* One less; the last one ends the object. TH_ERR_CORRUPT, after a fault, iff there is none;
 * TH_ERR_NULL for NULL. */
th_status th_ref_release(th_ref *ref);

/* One weak reference more, or less. Fail as the strong ones do; but a weak reference may be taken
 * of what has ended, if there is one. */
th_status th_ref_retain_weak(th_ref *ref);
th_status th_ref_release_weak(th_ref *ref);

/* From a weak reference to a strong one. False iff the object has ended, or for NULL, or as
 * th_ref_retain fails. */
bool th_ref_upgrade(th_ref *ref);

/* The object; NULL iff it has ended, or for NULL. */
void *th_ref_object(const th_ref *ref);

/* The name of its type; NULL for NULL. */
const char *th_ref_name(const th_ref *ref);

/* How many strong references there are; 0 for NULL. */
uint32_t th_ref_count(const th_ref *ref);

/* Told of each member of a cycle: the object `held` is held by the one before it, the first one
 * (place 0) by the last one (place length - 1). Must not change any reference. */
typedef void (*th_ref_cycle_fn)(void *context, const th_ref *held, size_t place, size_t length);

/* Looks for objects that nobody holds but each other, and reports (unless report is NULL) a cycle
 * in each group of them, each object in one report at most. Returns how many live objects are out
 * of everybody's reach: those in cycles, and what they hold. 0 for NULL and a zeroed set. Objects
 * whose type has no visit_held count as holding nothing, so that what they hold seems to be held
 * from outside: nothing that can be reached is ever reported, as long as the visits are right. */
size_t th_refs_find_cycles(th_refs *refs, th_ref_cycle_fn report, void *context);

typedef struct th_refs_stats {
    uint64_t live; /* objects */
    uint64_t live_peak;
    uint64_t ended;    /* objects that weak references still ask for */
    uint64_t cleanups; /* objects that were ended */
} th_refs_stats;

/* All of them are 0 for NULL and a zeroed set. */
th_refs_stats th_refs_get_stats(const th_refs *refs);

/* Proves links and counts. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be
 * NULL), or TH_OK; TH_ERR_NULL for NULL and a zeroed set. O(objects). */
th_status th_refs_check(const th_refs *refs, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
