/* SPDX-License-Identifier: MIT */
/* Plays a script on the tagged heap alone, without the model: each slot keeps the pointer that the
 * heap returned, and nothing is compared. What then notices a bug is the heap itself, by its
 * guards, or the tool that the build has in it (at guard level 0, so that the guards are not
 * faster). Every byte is written when it is allocated and read before it is freed. */
#ifndef LAB_BARE_BARE_H
#define LAB_BARE_BARE_H

#include "runner/runner.h"

typedef struct lab_bare lab_bare; /* reusable: regions and slots */

/* NULL if there is no memory. */
lab_bare *lab_bare_new(void);
void lab_bare_destroy(lab_bare *bare);

/* Plays the script at the guard level (-1: as it says), without its attacks and refusals, up to
 * the first fault. True: none. The failure's property is FAULT. Counts are added to *counts. */
bool lab_bare_play(lab_bare *bare, const lab_script *script, int guard, lab_failure *failure,
                   lab_run_counts *counts);

#endif
