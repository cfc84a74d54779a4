/* SPDX-License-Identifier: MIT */
/* Plays any script on the subject that it is for: the heap by the runner, every other one by the
 * contract runner. */
#ifndef LAB_PLAYER_PLAYER_H
#define LAB_PLAYER_PLAYER_H

#include "runner/runner.h"

typedef struct lab_player lab_player; /* a runner of each kind, made when it is needed */

/* NULL if there is no memory. */
lab_player *lab_player_new(void);
void lab_player_destroy(lab_player *player);

/* As lab_runner_play. options->guard counts for the heap only, and options->after_op gets no heap
 * for other subjects. A script for a plug-in that is not there fails (property memory). */
bool lab_player_play(lab_player *player, const lab_script *script, const lab_run_options *options,
                     lab_failure *failure, lab_run_counts *counts);

#endif
