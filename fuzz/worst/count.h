/* SPDX-License-Identifier: MIT */
/* What one call of the heap costs, counted in one of two ways.
 *
 *   - instructions, exactly: the process is single-stepped while the call runs (ptrace), on any
 *     build and any Linux machine, with or without hardware counters. Some microseconds each.
 *   - blocks: the compiler's basic blocks that were entered, in a build that counts them
 *     (sanitize/worst.mk): nearly for nothing, and large where instructions are many, so it is what
 *     a search climbs.
 *
 * The caller sets *lab_count_flag while the call runs:
 *
 *   lab_count_begin(how); *lab_count_flag = 1; th_heap_free(...); *lab_count_flag = 0;
 *   count = lab_count_end(how);
 *
 * One call is counted at a time, by one thread. */
#ifndef LAB_WORST_COUNT_H
#define LAB_WORST_COUNT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum lab_count_how { LAB_COUNT_NOTHING, LAB_COUNT_BLOCKS, LAB_COUNT_STEPS } lab_count_how;

/* Does this build count basic blocks? */
bool lab_count_has_blocks(void);

/* Where it counts them; the address is NULL in a build that does not. */
extern uint64_t lab_blocks_entered __attribute__((weak));

extern volatile uint32_t *lab_count_flag;

void lab_count_begin(lab_count_how how);

/* Of steps: those after which the flag was set. The caller's own around the call are among them. */
uint64_t lab_count_end(lab_count_how how);

/* A call of this shows how many these are. (It is in a file of its own, so that the compiler knows
 * as little of it as of a call of the heap.) */
void lab_count_nothing(void);

/* Runs work(context) in a process of its own in which LAB_COUNT_STEPS counts, and returns its exit
 * status (128 + N for what signal N ended). What it has printed is flushed. -1: this machine does
 * not let a process be stepped; errno says why. */
int lab_count_stepped(int (*work)(void *context), void *context);

#endif
