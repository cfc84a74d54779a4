/* SPDX-License-Identifier: MIT */
/* Plays a script on the tagged heap alone, at guard level 0, and counts what single calls cost.
 *
 * Allocations, aligned ones, growths, frees and trims are played, the rest of the language is
 * skipped: it damages, checks, or is O(n) by its contract. Payloads are neither written nor read,
 * there is no callback and no lock. Where the region lies in memory is the same for all plays, as
 * far as alignment can tell. */
#ifndef LAB_WORST_COST_H
#define LAB_WORST_COST_H

#include "script/script.h"
#include "tagheap/heap.h"
#include "worst/count.h"

/* What a call turned out to be. */
typedef enum lab_cost_kind {
    LAB_COST_ALLOC,     /* it found room */
    LAB_COST_ALIGNED,   /* the same with an alignment, in the first block that was large enough */
    LAB_COST_ALIGNED_K, /* k > 0 blocks were large enough, and no place in them was aligned; whether
                           or not room was found in the end. Up to LAB_COST_K_MAX: more cost in
                           proportion */
    LAB_COST_FAILED,    /* an allocation or growth found none */
    LAB_COST_GROW,      /* a block grew in place */
    LAB_COST_FREE,
    LAB_COST_TRIM,
    LAB_COST_KINDS,
    LAB_COST_OTHER = LAB_COST_KINDS /* refused as malformed, moved, shrunk: not looked at */
} lab_cost_kind;

#define LAB_COST_K_MAX 32u

/* "alloc", "aligned", "aligned-k", "failed", "grow", "free", "trim". */
const char *lab_cost_name(lab_cost_kind kind);

typedef struct lab_cost {
    lab_cost_kind kind;
    size_t op;      /* index in the script */
    uint32_t k;     /* ALIGNED_K */
    uint64_t count; /* 0: it was not counted. Instructions: from the first one of the call to its
                       return; blocks: those that were entered */
} lab_cost;

typedef struct lab_cost_options {
    lab_count_how how;
    /* Shall operation `index` be counted? NULL: each one is. */
    bool (*chosen)(void *context, size_t index);
    /* Told of each operation that did something, counted or not. */
    void (*note)(void *context, const lab_cost *cost);
    void *context;
} lab_cost_options;

typedef struct lab_cost_player lab_cost_player; /* reusable: a region and slots */

/* For regions of up to `dwords`, with that index; GIVEN: in memory of its own, so that all of the
 * region is for blocks. NULL: no memory. */
lab_cost_player *lab_cost_player_new(uint32_t dwords, th_heap_index index);
void lab_cost_player_destroy(lab_cost_player *player);

/* Plays the script. False: the heap refuses its region, or the player has no room for it. */
bool lab_cost_play(lab_cost_player *player, const lab_script *script,
                   const lab_cost_options *options);

/* The size of a header in dwords, and what a region of so many dwords gives to blocks, headers
 * included; both 0 if the heap refuses the region. What script makers count with. */
void lab_cost_geometry(lab_cost_player *player, const lab_config *config, uint32_t *header,
                       uint32_t *room);

#endif
