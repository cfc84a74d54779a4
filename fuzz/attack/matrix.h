/* SPDX-License-Identifier: MIT */
/* The attack matrix: every attack at every guard level and alignment, and when it is noticed.
 *
 * An attack is played at each of its positions on a fresh scene, followed by one legitimate call,
 * for each kind of call. What counts is the worst of all of these:
 *   at once            the attack is a call, and that call reported it
 *   at next operation  the legitimate call reported it, whichever it was
 *   at check           there was a call that did not, but th_heap_check does
 *   not                neither
 * A report counts only if it names what was hit: the right kind, at the right block. From level 1
 * on no call may do harm, before the report or after: hand out memory that is in use, write into
 * a live payload or outside the region. A call that is refused must have changed nothing, and the
 * damaged part must be refused from then on. */
#ifndef LAB_ATTACK_MATRIX_H
#define LAB_ATTACK_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_LEVELS 4u

typedef enum lab_notice {
    LAB_NOTICE_NONE = 0, /* this build does not contain the level, or nothing was played */
    LAB_NOTICE_AT_ONCE,
    LAB_NOTICE_NEXT,
    LAB_NOTICE_CHECK,
    LAB_NOTICE_NOT
} lab_notice;

const char *lab_notice_name(lab_notice notice);

typedef struct lab_matrix_row {
    const char *name;
    lab_notice worst[LAB_LEVELS];
    lab_notice least[LAB_LEVELS]; /* what each level must achieve */
    unsigned positions;           /* at the level played last */
    uint64_t runs;
    uint64_t problems;
    char problem[320]; /* the first; "" if there is none */
} lab_matrix_row;

typedef struct lab_matrix_options {
    bool full;      /* each position with each kind of call; else each with one of them, in turn */
    size_t stride;  /* of the positions, only each so-many-th; 0 is 1: all */
    bool undefined; /* at level 0, play misused pointers, too, each in a process of its own */
} lab_matrix_options;

size_t lab_matrix_row_count(void);
const char *lab_matrix_row_name(size_t index);

/* Plays row `index`. False: there is no memory, or no process; the row says so. */
bool lab_matrix_play(size_t index, const lab_matrix_options *options, lab_matrix_row *row);

/* What cannot be noticed: an attack that is the same, byte for byte, as something that a correct
 * program does. True: it is shown to be so. */
typedef struct lab_exclusion {
    const char *name;
    const char *reason;
    bool (*prove)(void);
} lab_exclusion;

extern const lab_exclusion lab_exclusions[];
extern const unsigned lab_exclusion_count;

#endif
