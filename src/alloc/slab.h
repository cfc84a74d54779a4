/* SPDX-License-Identifier: MIT */
/* What is built from slabs knows this much of them. Several th_slabs may share one set of ranges:
 * whose an object is then says the header of its slab. */
#ifndef TH_ALLOC_SLAB_H
#define TH_ALLOC_SLAB_H

#include "alloc/cells.h"
#include "base/ranges.h"
#include "tagheap/slab.h"

/* At the start of each slab. Open memory of ours: a closed wall lies between it and the objects. */
typedef struct th_slab_head {
    th_range range; /* of the objects */
    th_slab *owner;
    struct th_slab_head *prev, *next; /* in its list */
    void *free_list;
    uint32_t first;  /* offset of the first object */
    uint32_t used;   /* objects handed out at least once */
    int32_t live;    /* of a full slab, the negative: see th_slab_changes_list */
    uint32_t check;  /* sum of range.start, range.bytes, owner, first and where the slab lies */
    uint8_t state[]; /* of each object below used: see below */
} th_slab_head;

/* State of an object: 0 free, else 1 + the bytes of it that were not asked for, where these are
 * at most TH_SLAB_SLACK_MAX; if they are more, TH_SLAB_STATE_LONG, and their number stands in the
 * last 4 bytes of the object, which nobody asked for. */
#define TH_SLAB_STATE_FREE 0u
#define TH_SLAB_STATE_LONG 255u
#define TH_SLAB_SLACK_MAX  253u

/* th_slab_init with a set of ranges that others share. */
th_status th_slab_init_shared(th_slab *slab, const th_slab_config *config, th_range **ranges);

/* ---- the quick way ----------------------------------------------------------------------------
 *
 * Without guards and tools, an object that comes or goes is a link, a state and two counts. The
 * careful way does all the rest: what changes the list that a slab is in, too, but for the object
 * that fills one. Both ways hand out the same objects. */

/* The index of the object whose first byte lies `offset` bytes above that of object 0. With
 * offset = index * stride and reciprocal = (2^32 + e) / stride, e < stride, the product is
 * index * 2^32 + index * e, and index * e < offset < 2^32. Of any other offset, an index that is
 * not its. */
static inline uint32_t th_slab_index(const th_slab *slab, size_t offset) {
    return (uint32_t)((uint64_t)offset * slab->reciprocal >> 32);
}

/* Would a slab change its list if one of its objects were freed? A full one and one with a single
 * live object would: one comparison tells. */
static inline bool th_slab_changes_list(const th_slab_head *head) {
    return head->live <= 1;
}

/* Takes an object of slab->quick that was never used: there is one. */
void *th_slab_take_fresh(th_slab *slab, uint32_t state);

/* The last free object of slab->quick has been taken: if none is left that was never used, the slab
 * is full, and goes to its list. Returns the object. */
void *th_slab_take_last(th_slab *slab, void *object);

/* Takes an object of slab->quick, which is not NULL. */
static inline void *th_slab_take(th_slab *slab, uint32_t state) {
    th_slab_head *head = slab->quick;
    unsigned char *object = head->free_list;
    if (object == NULL) {
        return th_slab_take_fresh(slab, state);
    }
    void *next = th_cell_link_load(object);
    uint32_t index =
        th_slab_index(slab, (size_t)((uintptr_t)object - (uintptr_t)head->range.start));
    head->free_list = next;
    slab->live++;
    head->live++;
    head->state[index] = (uint8_t)state;
    return next != NULL ? object : th_slab_take_last(slab, object);
}

static inline void th_slab_note_peak(th_slab *slab) {
    if (slab->live > slab->live_max) {
        slab->live_max = slab->live;
    }
}

/* Frees an object whose slab stays in its list. */
static inline void th_slab_put(th_slab *slab, th_slab_head *head, void *object, uint32_t index) {
    th_cell_link_store(object, head->free_list);
    head->free_list = object;
    head->live--;
    th_slab_note_peak(slab);
    slab->live--;
    head->state[index] = TH_SLAB_STATE_FREE;
}

/* ---- the careful way ---------------------------------------------------------------------- */

/* The slab whose objects an address lies among; NULL if there is none. */
static inline th_slab_head *th_slab_find(th_range *ranges, const void *address) {
    return (th_slab_head *)th_ranges_find(ranges, address);
}

/* Is there a live object at exactly this address? Raises nothing: TH_ERR_CORRUPT says in *fault
 * what is wrong with it. */
th_status th_slab_verify(const th_slab *slab, const void *object, th_fault *fault);

/* Frees an object of this slab, whose header is sound, and returns how many of its bytes were asked
 * for; 0 after a report. */
size_t th_slab_free_in(th_slab_head *head, void *object);

/* Raises nothing: TH_ERR_CORRUPT if the header does not agree with its check word. */
th_status th_slab_verify_head(const th_slab_head *head, th_fault *fault);

/* Where object 0 of a slab without colour begins, and how many objects a slab holds. */
typedef struct th_slab_layout {
    uint32_t first;
    uint32_t capacity;
} th_slab_layout;
th_slab_layout th_slab_lay_out(size_t slab_bytes, size_t stride, size_t alignment);

#endif
