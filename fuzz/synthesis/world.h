/* SPDX-License-Identifier: MIT */
/* Where a script is played: a small heap whose region ends where no memory is, what the harness
 * knows of its payloads without asking the heap, and whether harm was done. */
#ifndef LAB_SYNTHESIS_WORLD_H
#define LAB_SYNTHESIS_WORLD_H

#include "synthesis/script.h"

#define LAB_WORLD_DWORDS_MAX 512u
#define LAB_WORLD_BYTES_MAX  (4 * LAB_WORLD_DWORDS_MAX)
#define LAB_WORLD_EDGE       64u /* bytes below the region, which nobody may write */
#define LAB_HEADER_WORDS     8u  /* the longest header */
#define LAB_NOWHERE          UINT32_MAX

/* What became of a play. From LAB_END_OVERLAP on it is an escape: harm, and nobody said so. */
typedef enum lab_synthesis_end {
    LAB_END_HARMLESS,
    LAB_END_REPORTED,
    LAB_END_OVERLAP,  /* a payload was handed out, or moved, over a live one */
    LAB_END_OUTSIDE,  /* ... or outside the region, or something was written there */
    LAB_END_CONTENTS, /* a live payload is not what was written to it */
    LAB_END_CRASH,
    LAB_END_HANG,
    LAB_ENDS
} lab_synthesis_end;

const char *lab_synthesis_end_name(lab_synthesis_end end);

typedef struct lab_world_slot {
    uint32_t place; /* of the header, in dwords: of the live block, or the last one; LAB_NOWHERE */
    uint32_t bytes;
    uint32_t tag;
    bool live;
} lab_world_slot;

typedef struct lab_world_pocket {
    uint32_t words[LAB_HEADER_WORDS];
    uint32_t seed;  /* of the check word that was read */
    uint32_t place; /* LAB_NOWHERE: it is empty */
} lab_world_pocket;

typedef struct lab_world {
    unsigned char *memory; /* owned, of memory_bytes: index, nothing, the region, nothing */
    size_t memory_bytes;
    unsigned char *region;
    unsigned char *index;
    uint32_t bytes, header; /* of the region; header in dwords */
    uint32_t index_bytes;
    int level;
    th_heap_layout layout;
    th_heap heap;
    unsigned char shadow[LAB_WORLD_BYTES_MAX]; /* what the region holds where payloads are live */
    lab_world_slot slots[LAB_SYNTHESIS_SLOTS];
    lab_world_pocket pockets[LAB_SYNTHESIS_POCKETS];
    uint32_t faults;
    th_fault_kind fault; /* the first */
    lab_synthesis_end harm;
    uint32_t attacks; /* that have changed something */
    uint8_t pattern;
} lab_world;

/* NULL: there is no memory. `reserve`: no offset from the region that a header can say leads to
 * anything but it (64-bit machines only). */
lab_world *lab_world_new(bool reserve);
void lab_world_destroy(lab_world *world);

/* Can harm be contained, so that lower guard levels can be played in this process? */
bool lab_world_contains(void);

/* A fresh heap. False: there is none of that layout or level in this build. */
bool lab_world_start(lab_world *world, const lab_synthesis_script *script, int level,
                     th_heap_layout layout);

/* ---- behind the back of every tool -------------------------------------------------------- */

void lab_world_read(const lab_world *world, uint32_t from, void *bytes, uint32_t count);

/* As an attacker: what was a live payload's contents is it still. Outside the region nothing is
 * written. */
void lab_world_write(lab_world *world, int64_t from, const void *bytes, uint32_t count);

/* Nothing of the region is closed. A header that was attacked may let the heap read more of a block
 * than was asked for, before it looks: no harm, and yet AddressSanitizer would end the program. */
void lab_world_open(lab_world *world);

static inline uint32_t lab_world_payload(const lab_world *world, uint32_t place) {
    return 4 * (place + world->header);
}

/* ---- what is live ------------------------------------------------------------------------- */

/* The heap has handed out `at` for a slot, or moves it there: notes what harm that is. */
void lab_world_given(lab_world *world, const unsigned char *at, uint32_t bytes, uint32_t slot);

/* It is the slot's, and filled. */
void lab_world_hold(lab_world *world, uint32_t slot, unsigned char *at, uint32_t bytes,
                    uint32_t tag);

/* After a call: are all live payloads what they were, and is nothing written outside? */
void lab_world_compare(lab_world *world);

/* ---- what is written where nothing of the caller's is (attack.c) -------------------------- */

void lab_world_attack(lab_world *world, const lab_synthesis_op *op);

#endif
