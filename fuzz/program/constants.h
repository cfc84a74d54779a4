/* SPDX-License-Identifier: MIT */
/* A sample of the constants that the exporter writes where core.h includes this file
 * (fuzz/export/to_c.c): the parts of this folder are compiled with it, and used without. */
#ifndef LAB_PROGRAM_CONSTANTS_H
#define LAB_PROGRAM_CONSTANTS_H

/* What fails. */
#define FAILING_PROPERTY  "blocks"
#define FAILING_DETAIL    "size"
#define FAILING_SIGNATURE "property=blocks detail=size"
#define FAILING_BY_SIGNAL false
#define FAILING_OP        3

/* The names of what can fail. */
#define NAME_INIT       "init"
#define NAME_RESULT     "result"
#define NAME_CALLBACK   "callback"
#define NAME_LOW_MEMORY "low-memory"
#define NAME_REENTRY    "reentry"
#define NAME_BLOCKS     "blocks"
#define NAME_STATS      "stats"
#define NAME_FIND       "find"
#define NAME_CONTENTS   "contents"
#define NAME_CHECKER    "checker"
#define NAME_FAULT      "fault"
#define NAME_ATTACK     "attack"
#define NAME_LOCK       "lock"
#define NAME_BOUNDS     "bounds"

/* The heap: its region begins START bytes into an arena. */
#define ALIGNMENT     4
#define GUARD         3
#define LAYOUT        TH_HEAP_LAYOUT_CLASSIC
#define TAG_TAIL      0x4000u
#define TAG_FREE      0x7fffu
#define HOOKS         true
#define INDEX         true
#define SLOTS         4
#define REGION_BYTES  4096
#define HEADER_DWORDS 6
#define DWORDS        1024u /* managed */
#define ARENA_BYTES   ((size_t)4194304)
#define START         ((size_t)65536)
#define EDGE_BYTES    64 /* on both sides of the region */
#define SECONDS_MAX   20 /* for all of it */

#endif
