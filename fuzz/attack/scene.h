/* SPDX-License-Identifier: MIT */
/* The stage on which attacks are played: a small heap with one block of every kind, what the
 * harness knows about it without asking the heap, and the decision whether a call did harm.
 *
 *   a       hole    c       d       e           middle      v       gap     t       LAST
 *   0x1001  free    0x1003  0x1004  0x1005      free        0x4003  free    0x4001
 *   30 B    was b   45 B    64 B    33 B, was   its low     20 B    was u   33 B
 *           64 B                    60 B        end was f           24 B
 *
 * Whatever is done to the heap, lab_scene_restore brings back this state. */
#ifndef LAB_ATTACK_SCENE_H
#define LAB_ATTACK_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/heap.h"

#define LAB_SCENE_DWORDS 400u
#define LAB_SCENE_BYTES  (4 * LAB_SCENE_DWORDS)
#define LAB_SCENE_EDGE   64u /* bytes on both sides of the region, which nobody may write */
#define LAB_SCENE_LIVE   24u
#define LAB_SCENE_FREED  8u
#define LAB_SCENE_BLOCKS 24u

/* The live payloads of the scene as it is restored, in address order. */
enum { LAB_A, LAB_C, LAB_D, LAB_E, LAB_V, LAB_T, LAB_NAMED };

/* A payload that the heap has handed out, and the contents that were written to it. */
typedef struct lab_holding {
    unsigned char *at;
    uint32_t bytes;
    uint32_t seed;
    bool live;
} lab_holding;

/* Memory that was a payload once. */
typedef struct lab_freed {
    unsigned char *at;
    uint32_t bytes;
} lab_freed;

/* A block as it is when the attack begins: the heap is sound then, and its walk is trusted. */
typedef struct lab_scene_block {
    uint32_t offset, end; /* dwords; the header begins at offset */
    uint32_t requested;   /* bytes */
    bool free;
} lab_scene_block;

typedef struct lab_scene {
    unsigned char *memory; /* owned; the region and its edges, then the same for copies */
    unsigned char *region;
    unsigned char *copy;
    th_heap heap;
    uint32_t header; /* dwords */
    lab_holding holdings[LAB_SCENE_LIVE];
    uint32_t holding_count;
    lab_freed freed[LAB_SCENE_FREED];
    uint32_t freed_count;
    uint32_t seed;

    /* What is restored. */
    th_heap saved_heap;
    unsigned char saved_image[LAB_SCENE_BYTES];
    lab_holding saved_holdings[LAB_SCENE_LIVE];
    uint32_t saved_holding_count;
    uint32_t saved_seed;

    /* The attack. */
    lab_scene_block ground[LAB_SCENE_BLOCKS];
    uint32_t ground_count;
    th_heap marked_heap;
    unsigned char marked_image[LAB_SCENE_BYTES];
    bool hit[LAB_SCENE_BYTES]; /* bytes that the attack has changed */
    bool written;              /* any at all */
    uint32_t kinds;            /* other faults that are right: 1 << kind */
    size_t block;              /* at this block; TH_FAULT_NOWHERE: at any, or at none */
    void *victim;              /* a live payload that must not be used on any more; or NULL */
    bool skip;                 /* there is nothing to attack at this position */
    bool refused;              /* for attacks that are calls: it returned its failure value */
    bool may_change;           /* ... after a part of the call that is legitimate */

    bool muted; /* faults are not counted */
    uint32_t faults;
    th_fault fault; /* the first */
    int lock_depth;
    char harm[128]; /* what was done that must never be done; "" if nothing */
} lab_scene;

/* The scene at this alignment and guard level, classic or wide; `poisoned`: memory that was never
 * used is poisoned, too. NULL: no memory, or the heap does not do what it must even without an
 * attack. */
lab_scene *lab_scene_new(th_heap_layout layout, size_t alignment, int level, bool poisoned);
void lab_scene_destroy(lab_scene *scene);

/* Everything as it was at first. */
void lab_scene_restore(lab_scene *scene);

/* Before the attack itself, after what leads to it: takes the ground truth and the image. */
void lab_scene_mark(lab_scene *scene);

/* ---- what attacks do ---------------------------------------------------------------------- */

/* Overwrites bytes behind the back of every tool, and keeps account of those that have changed.
 * fill < 0: all bits are inverted. */
void lab_scene_write(lab_scene *scene, uint32_t from, uint32_t bytes, int fill);
void lab_scene_flip(lab_scene *scene, uint32_t byte, unsigned char mask);

/* The byte offset of an address from the start of the region. */
uint32_t lab_scene_byte(const lab_scene *scene, const void *address);

/* What lies at this byte of the marked scene. */
typedef enum lab_zone {
    LAB_ZONE_HEADER,
    LAB_ZONE_PAYLOAD, /* requested bytes of a live block */
    LAB_ZONE_CANARY,
    LAB_ZONE_POISON, /* free, and once a payload that is known */
    LAB_ZONE_UNUSED  /* free otherwise */
} lab_zone;

lab_zone lab_scene_zone(const lab_scene *scene, size_t byte, const lab_scene_block **block);

/* A legitimate allocation, free and compaction, with all that is known kept up to date. Tags are
 * the classic ones; a wide scene has its TAIL bit where such a heap has it. Giving what is not held
 * gives NULL. */
unsigned char *lab_scene_take(lab_scene *scene, size_t bytes, uint32_t tag, size_t alignment);
void lab_scene_give(lab_scene *scene, void *payload);
void lab_scene_compact(lab_scene *scene, bool veto);
void lab_scene_compact_step(lab_scene *scene); /* one block */

/* ---- what follows ------------------------------------------------------------------------- */

#define LAB_CALLS 27u

/* One legitimate call of each kind that there is; an attack that went unnoticed may be met by any.
 * True: the call itself has reported damage by its status. */
bool lab_scene_call(lab_scene *scene, unsigned call);
const char *lab_scene_call_name(unsigned call);

/* Has nothing been written outside the region, and does every live payload hold what was written
 * to it, but for the bytes that were hit? Else scene->harm says what happened. */
bool lab_scene_unharmed(lab_scene *scene);

/* Is neither a byte of the region nor of the control structure another one than at the mark, but
 * for the bytes that were hit? */
bool lab_scene_unchanged(const lab_scene *scene);

/* Does the fault name what was hit? */
bool lab_scene_names(const lab_scene *scene, const th_fault *fault);

/* The image of the region as it is. */
void lab_scene_image(const lab_scene *scene, unsigned char image[LAB_SCENE_BYTES]);

#endif
