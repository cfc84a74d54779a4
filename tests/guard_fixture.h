/* SPDX-License-Identifier: MIT */
/* A small heap with one block of every kind, which can be damaged anywhere, even where it is
 * closed to everybody, and a proof that a call changed nothing.
 *
 *   a       hole    c       d       middle      v       gap     t       LAST
 *   0x1001  free    0x1003  0x1004  free        0x4003  free    0x4001
 *   30 B            45 B    16 B    was used    20 B            33 B
 *                                   at its low
 *                                   end
 *
 * b (0x1002, 64 bytes) lay where the hole is, e (0x1005, 80 bytes) at the low end of the middle,
 * u (0x4002, 24 bytes) in the gap. The region is at a multiple of 64, and so are its walls. */
#ifndef TESTS_GUARD_FIXTURE_H
#define TESTS_GUARD_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "suite.h"
#include "tagheap/heap.h"

#define SCENE_DWORDS     200u
#define SCENE_WALL_BYTES 64u
#define SCENE_LIVE       5u

enum { SCENE_CHECK_DWORD = 5, SCENE_HEADER_WORDS = 6, SCENE_HEADER_MAX = 8 };

typedef struct scene {
    th_heap heap;
    unsigned char *region;
    size_t alignment;
    int level;
    uint32_t header; /* dwords */
    unsigned char *a, *c, *d, *t, *v;
    unsigned char *b, *e, *u; /* freed */
    unsigned faults;          /* since the last scene_remember */
    th_fault first, last;
    unsigned moves_asked;
    th_heap before;
    th_heap_stats stats_before;
    uint32_t image_before[SCENE_DWORDS];
} scene;

/* There is one scene: its region is static. */
extern scene sc;

/* Fresh blocks. A scene that a failed test left behind is given up. */
void scene_start(size_t alignment, int level);
void scene_stop(void);

/* Runs `play` at every alignment, at the levels from `lowest` to what the build contains. */
void scene_play(int lowest, void (*play)(void));

/* Header offsets in dwords: of a payload, and of the three free blocks and LAST. */
uint32_t header_of(const void *payload);
uint32_t hole_offset(void);
uint32_t middle_offset(void);
uint32_t gap_offset(void);
uint32_t last_offset(void);

/* The byte offset of an address from the start of the region. */
uint32_t byte_of(const void *address);

/* Reading and damaging the region, behind the back of every tool. */
uint32_t scene_word(uint32_t dword);
unsigned char scene_byte(uint32_t byte);
void scene_flip(uint32_t dword, uint32_t bits);
void scene_poke(uint32_t byte, unsigned char value);

/* Changes the bits of `mask` in a header's dword to those of `value`, and makes the check word
 * agree: damage that only the links betray. */
void scene_forge(uint32_t header, uint32_t dword, uint32_t mask, uint32_t value);

/* What the check word of this header should be. */
uint32_t scene_check_due(uint32_t header);

/* The byte of a canary that belongs there. */
unsigned char scene_canary(uint32_t byte);

/* Takes the image that expect_unchanged compares with, and forgets all faults. */
void scene_remember(void);

/* No byte of the region, no statistic and nothing else in the control structure is another one
 * than before. */
void expect_unchanged(void);

/* The first fault since scene_remember is this one, field for field. Where the same damage is met
 * again by the validator, that is reported alike. */
void expect_fault(const char *file, int line, th_fault expected);

#define EXPECT_FAULT(...) expect_fault(__FILE__, __LINE__, (th_fault){__VA_ARGS__})

/* TH_FAULT_HEADER for the header as it is now. */
th_fault header_fault(uint32_t header);

/* ---- calls ---------------------------------------------------------------------------------- */

/* Calls that name a block. Each gives true if the call returned its failure value. */
typedef enum block_call {
    CALL_FREE,
    CALL_SHRINK,
    CALL_GROW,
    CALL_RESIZE_TO_0,
    CALL_TRIM,
    CALL_RETAG,
    CALL_REQUESTED_SIZE,
    CALL_USABLE_SIZE,
    BLOCK_CALL_COUNT
} block_call;

/* The calls before this one are those that would change the heap. */
#define CHANGING_CALL_COUNT CALL_REQUESTED_SIZE

bool block_call_fails(block_call call, void *payload);

/* Every call that takes the frame of a change, whatever it then changes. */
#define ANY_CALL_COUNT 15u
void any_call(unsigned call);

/* A compaction, whole or budgeted, that moved nothing and did not come to its end. */
bool compaction_fails(bool budgeted);

#endif
