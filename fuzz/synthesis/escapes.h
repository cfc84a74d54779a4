/* SPDX-License-Identifier: MIT */
/* What is known to escape: for each layout, guard level and class of attacks the shortest script
 * that was found. */
#ifndef LAB_SYNTHESIS_ESCAPES_H
#define LAB_SYNTHESIS_ESCAPES_H

#include "synthesis/play.h"

typedef struct lab_known_escape {
    th_heap_layout layout;
    int level;
    const char *text;
} lab_known_escape;

extern const lab_known_escape lab_known_escapes[];
extern const unsigned lab_known_escape_count;

/* The layouts that are played, and the levels of each: 0 to these. */
#define LAB_SYNTHESIS_LAYOUTS 3u
typedef struct lab_synthesis_layout {
    th_heap_layout layout;
    const char *name;
    int level_max;
} lab_synthesis_layout;

extern const lab_synthesis_layout lab_synthesis_layouts[LAB_SYNTHESIS_LAYOUTS];

/* The row of that class; NULL: none is known to escape there. */
const lab_known_escape *lab_escape_find(th_heap_layout layout, int level, lab_synthesis_what most);

/* Plays one row, contained, at its level and at all above it. NULL: it escapes at its own, and
 * above only where that is known of its class; else what is wrong, in words. */
const char *lab_escape_check(lab_world *world, const lab_known_escape *row);

#endif
